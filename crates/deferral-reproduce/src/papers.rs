//! The papers that experiments are from, as `fixtures/papers.toml` has them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::ReproduceError;

/// A paper.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Paper {
    /// Authors, title and where it appeared.
    pub citation: String,
    /// When.
    pub year: u32,
    /// The chapter about it, from the root of the repository.
    pub chapter: String,
}

/// All papers by key.
///
/// ```
/// use deferral_reproduce::papers::Papers;
/// let text = r#"
/// [nobody-2026]
/// citation = "N. Body, On Nothing, 2026"
/// year = 2026
/// chapter = "docs/src/papers/nobody-2026.md"
/// "#;
/// let papers = Papers::parse(text, "papers.toml".as_ref())?;
/// assert_eq!(papers.get("nobody-2026")?.year, 2026);
/// assert!(papers.get("somebody").is_err());
/// # Ok::<(), deferral_reproduce::error::ReproduceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Papers(BTreeMap<String, Paper>);

impl Papers {
    /// Reads a file of papers.
    ///
    /// # Errors
    /// [`ReproduceError`] with file and line if it cannot be read.
    pub fn read(path: &Path) -> Result<Self, ReproduceError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| ReproduceError::io("could not be read", path, error))?;
        Self::parse(&text, path)
    }

    /// Reads what the file at `path` holds.
    ///
    /// # Errors
    /// As [`Papers::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ReproduceError> {
        toml::from_str(text).map_err(|error| ReproduceError::Toml { path: path.to_owned(), message: error.to_string() })
    }

    /// The paper of a key.
    ///
    /// # Errors
    /// [`ReproduceError::Unknown`] with the keys that there are.
    pub fn get(&self, key: &str) -> Result<&Paper, ReproduceError> {
        self.0.get(key).ok_or_else(|| ReproduceError::Unknown {
            kind: "paper",
            name: key.to_owned(),
            known: self.0.keys().map(String::as_str).collect::<Vec<&str>>().join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_of_this_repository_can_be_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/papers.toml");
        let papers = Papers::read(&path).unwrap();
        for key in ["keswani-2021", "keswani-2022", "madras-2018", "aguirre-2023"] {
            let paper = papers.get(key).unwrap();
            assert_eq!(paper.chapter, format!("docs/src/papers/{key}.md"));
            assert!(key.ends_with(&paper.year.to_string()));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = Papers::parse("[a]\ncitation = 3", "papers.toml".as_ref()).unwrap_err().to_string();
        assert!(wrong.starts_with("papers.toml: ") && wrong.contains("line 2"), "{wrong}");
        let papers = Papers::parse("[a]\ncitation = \"x\"\nyear = 1\nchapter = \"y\"", "p".as_ref()).unwrap();
        assert_eq!(papers.get("b").unwrap_err().to_string(), "there is no paper `b`; there are: a");
    }
}
