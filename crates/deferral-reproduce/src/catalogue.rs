//! The catalogue of the public data sets: origin, licence, and what each file must be.
//!
//! No data is part of this repository. `fixtures/data.toml` says where each data set comes from and on what terms, and
//! pins its files by size and SHA-256, so that a figure that differs cannot be the fault of another file unnoticed.
//!
//! ```
//! use deferral_reproduce::catalogue::{Catalogue, State};
//! let catalogue = Catalogue::parse(
//!     r#"
//!     [[set]]
//!     name = "words"
//!     title = "One word"
//!     origin = "https://example.org/words"
//!     licence = "CC0"
//!     citation = "Nobody, 2026"
//!     [[set.file]]
//!     path = "words/one.txt"
//!     size = 5
//!     sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
//!     url = "https://example.org/words/one.txt"
//!     "#,
//!     "data.toml",
//! )?;
//! let folder = tempfile::tempdir()?;
//! let words = catalogue.get("words").ok_or("no words")?;
//! assert_eq!(words.files[0].state(folder.path()), State::Missing);
//! assert_eq!(
//!     words.problems(folder.path())[0].to_string(),
//!     "words/one.txt is missing: run `cargo xtask fetch words`"
//! );
//! std::fs::create_dir(folder.path().join("words"))?;
//! std::fs::write(folder.path().join("words/one.txt"), "hello")?;
//! assert!(words.problems(folder.path()).is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod digest;
mod list;
mod read;
mod state;

use std::path::{Path, PathBuf};

pub(crate) use digest::Hasher;
pub use digest::{NotADigest, Sha256};
pub use list::{describe, list};
pub use read::CatalogueError;
pub use state::{Problem, State};

/// The public data sets, in the order of their file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    /// The data sets; their names are different.
    pub sets: Vec<DataSet>,
}

/// One public data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// What it is asked for by: `mturk`.
    pub name: String,
    /// What it is, in a line.
    pub title: String,
    /// The repository or page that it comes from.
    pub origin: String,
    /// The terms, in a few words.
    pub licence: String,
    /// The paper to cite.
    pub citation: String,
    /// What to do by hand for those of its files that have no address: a login, a file out of an archive.
    pub manual: Option<String>,
    /// Its files, at least one.
    pub files: Vec<DataFile>,
}

/// One file of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Where it lies within the folder of the data: relative, with `/`, without `..`.
    pub path: String,
    /// What it must be, where that is known.
    pub pin: Option<Pin>,
    /// The address of the original, byte by byte; it has a pin then.
    pub url: Option<String>,
    /// Another file that does in the place of this one where this one is missing; it is taken as it is.
    pub instead: Option<String>,
}

/// What a file must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// Its size, in bytes.
    pub size: u64,
    /// The SHA-256 of its content.
    pub sha256: Sha256,
}

impl Catalogue {
    /// The data set of that name.
    pub fn get(&self, name: &str) -> Option<&DataSet> {
        self.sets.iter().find(|set| set.name == name)
    }

    /// The names of the data sets, in order.
    pub fn names(&self) -> Vec<&str> {
        self.sets.iter().map(|set| set.name.as_str()).collect()
    }
}

impl DataSet {
    /// Whether every file of it has an address, so that nothing is left to be done by hand.
    pub fn is_downloadable(&self) -> bool {
        self.files.iter().all(|file| file.url.is_some())
    }

    /// The file of that path within the folder of the data.
    pub fn file(&self, path: &str) -> Option<&DataFile> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl DataFile {
    /// Where it lies, or must go, in a folder of data.
    pub fn place(&self, folder: &Path) -> PathBuf {
        folder.join(&self.path)
    }

    /// What to read: the file itself, or where it is missing and the one that does in its place is there, that one.
    pub fn resolve(&self, folder: &Path) -> PathBuf {
        let own = self.place(folder);
        let other = self.instead.as_ref().map(|other| folder.join(other));
        match other {
            Some(other) if !own.exists() && other.is_file() => other,
            _ => own,
        }
    }
}
