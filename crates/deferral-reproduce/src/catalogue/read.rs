//! From the text of `data.toml` to a catalogue that can be relied on: everything is checked here, once.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::{Catalogue, DataFile, DataSet, Pin, Sha256};

/// Why a catalogue could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The file could not be read at all.
    #[error("the catalogue {file} cannot be read: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// The text is not what a catalogue is.
    #[error("{file}:{line}: {what}")]
    Wrong {
        /// The file.
        file: String,
        /// The line of what is wrong, from 1.
        line: usize,
        /// What is wrong, and what it should be.
        what: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    set: Vec<WrittenSet>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSet {
    name: Spanned<String>,
    title: String,
    origin: String,
    licence: String,
    citation: String,
    manual: Option<String>,
    #[serde(default)]
    file: Vec<WrittenFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    path: Spanned<String>,
    size: Option<u64>,
    sha256: Option<Spanned<String>>,
    url: Option<Spanned<String>>,
    instead: Option<Spanned<String>>,
}

/// Where in the text something is wrong (a byte), and what.
type Fault = (usize, String);

impl Catalogue {
    /// Reads a catalogue: `fixtures/data.toml`.
    ///
    /// # Errors
    /// [`CatalogueError`] if the file cannot be read or is not a catalogue; it names the file and the line.
    pub fn read(path: &Path) -> Result<Self, CatalogueError> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, &file),
            Err(source) => Err(CatalogueError::Unreadable { file, source }),
        }
    }

    /// Reads a catalogue from text; `file` is what errors call it.
    ///
    /// # Errors
    /// [`CatalogueError::Wrong`] for text that is not TOML, an unknown or missing key, a name or path that is there twice,
    /// a path that leaves the folder, a digest that is none, an address without a pin, or a file that one can get neither by
    /// an address nor by a manual step.
    pub fn parse(text: &str, file: &str) -> Result<Self, CatalogueError> {
        let wrong = |(at, what): Fault| CatalogueError::Wrong { file: file.to_owned(), line: line_of(text, at), what };
        let written: Written = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            wrong((at, error.message().to_owned()))
        })?;
        let mut seen = Seen::default();
        let sets = written.set.into_iter().map(|set| checked_set(set, &mut seen)).collect::<Result<_, _>>();
        Ok(Self { sets: sets.map_err(wrong)? })
    }
}

/// The line, from 1, of a byte of a text.
fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// The names and paths so far.
#[derive(Default)]
struct Seen {
    names: HashSet<String>,
    paths: HashSet<String>,
}

fn checked_set(set: WrittenSet, seen: &mut Seen) -> Result<DataSet, Fault> {
    let at = set.name.span().start;
    let name = set.name.into_inner();
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(is_word) {
        return Err((at, format!("the name `{name}` is not made of small letters, digits and hyphens")));
    }
    if !seen.names.insert(name.clone()) {
        return Err((at, format!("there is another data set `{name}` above")));
    }
    if set.file.is_empty() {
        return Err((at, format!("the data set `{name}` has no [[set.file]]")));
    }
    let by_hand = set.manual.is_some();
    let files = set.file.into_iter().map(|file| checked_file(file, by_hand, seen)).collect::<Result<_, _>>()?;
    Ok(DataSet {
        name,
        title: set.title,
        origin: set.origin,
        licence: set.licence,
        citation: set.citation,
        manual: set.manual,
        files,
    })
}

fn checked_file(file: WrittenFile, by_hand: bool, seen: &mut Seen) -> Result<DataFile, Fault> {
    let at = file.path.span().start;
    let path = checked_path(file.path, seen)?;
    let pin = match (file.size, file.sha256) {
        (None, None) => None,
        (Some(size), Some(digits)) => {
            let at = digits.span().start;
            let sha256: Sha256 = digits.into_inner().parse().map_err(|error| (at, format!("{path}: {error}")))?;
            Some(Pin { size, sha256 })
        }
        _ => return Err((at, format!("{path} has one of size and sha256: it needs both or neither"))),
    };
    if let Some(url) = &file.url {
        let (at, url) = (url.span().start, url.get_ref());
        if !["https://", "http://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err((at, format!("{path}: the url `{url}` does not begin with https:// or http://")));
        }
        if pin.is_none() {
            return Err((at, format!("{path} has a url, so it needs size and sha256: a download is always verified")));
        }
    } else if !by_hand {
        return Err((at, format!("{path} has no url: say in `manual` of its data set how one gets it")));
    }
    let instead = file.instead.map(|other| checked_path(other, seen)).transpose()?;
    Ok(DataFile { path, pin, url: file.url.map(Spanned::into_inner), instead })
}

/// A path that stays within the folder on every system and that no other file has.
fn checked_path(path: Spanned<String>, seen: &mut Seen) -> Result<String, Fault> {
    let at = path.span().start;
    let path = path.into_inner();
    let stays = |part: &str| !["", ".", ".."].contains(&part) && !part.contains(['\\', ':']);
    if !path.split('/').all(stays) {
        return Err((
            at,
            format!("the path `{path}` is not a plain one within the folder of the data, like `set/file.csv`"),
        ));
    }
    if !seen.paths.insert(path.clone()) {
        return Err((at, format!("the path `{path}` belongs to another file above")));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn text() -> String {
        let set = "[[set]]\nname = \"a\"\ntitle = \"A\"\norigin = \"o\"\nlicence = \"l\"\ncitation = \"c\"\n";
        let file = "[[set.file]]\npath = \"a/x.csv\"\nsize = 3\n";
        format!("{set}{file}sha256 = \"{DIGITS}\"\nurl = \"https://example.org/x.csv\"\n")
    }

    fn error(text: &str) -> String {
        Catalogue::parse(text, "data.toml").unwrap_err().to_string()
    }

    #[test]
    fn a_catalogue_is_read() {
        let catalogue = Catalogue::parse(&text(), "data.toml").unwrap();
        assert_eq!(catalogue.names(), ["a"]);
        let file = catalogue.get("a").unwrap().file("a/x.csv").unwrap();
        assert_eq!(file.pin, Some(Pin { size: 3, sha256: DIGITS.parse().unwrap() }));
        assert_eq!(file.url.as_deref(), Some("https://example.org/x.csv"));
        assert!(catalogue.get("a").unwrap().is_downloadable() && catalogue.get("b").is_none());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let change = |from: &str, to: &str| {
            assert!(text().contains(from), "{from}");
            error(&text().replace(from, to))
        };
        let plain = "is not a plain one within the folder of the data, like `set/file.csv`";
        for (path, shown) in [("../x", "../x"), ("/x", "/x"), ("a//x", "a//x"), ("a/./x", "a/./x"), ("", "")]
            .into_iter()
            .chain([("c:/x", "c:/x"), ("a\\\\x", "a\\x"), ("a/..", "a/..")])
        {
            assert_eq!(change("a/x.csv", path), format!("data.toml:8: the path `{shown}` {plain}"));
        }
        assert_eq!(
            change("name = \"a\"", "name = \"A b\""),
            "data.toml:2: the name `A b` is not made of small letters, digits and hyphens"
        );
        assert_eq!(change(DIGITS, "ba78"), "data.toml:10: a/x.csv: a sha256 is 64 hexadecimal digits, `ba78` is not");
        assert_eq!(
            change("size = 3\n", ""),
            "data.toml:8: a/x.csv has one of size and sha256: it needs both or neither"
        );
        assert_eq!(
            change(&format!("size = 3\nsha256 = \"{DIGITS}\"\n"), ""),
            "data.toml:9: a/x.csv has a url, so it needs size and sha256: a download is always verified"
        );
        assert_eq!(
            change("https:", "ftp:"),
            "data.toml:11: a/x.csv: the url `ftp://example.org/x.csv` does not begin with https:// or http://"
        );
        assert_eq!(
            change("url = \"https://example.org/x.csv\"\n", ""),
            "data.toml:8: a/x.csv has no url: say in `manual` of its data set how one gets it"
        );
        assert_eq!(error(&format!("{0}{0}", text())), "data.toml:13: there is another data set `a` above");
        let second = text().replace("name = \"a\"", "name = \"b\"");
        assert_eq!(
            error(&format!("{}{second}", text())),
            "data.toml:19: the path `a/x.csv` belongs to another file above"
        );
        let bare = text().split("[[set.file]]").next().unwrap().to_owned();
        assert_eq!(error(&bare), "data.toml:2: the data set `a` has no [[set.file]]");
        assert!(change("licence =", "license =").starts_with("data.toml:5: unknown field `license`"));
        assert!(change("size = 3", "size = -3").starts_with("data.toml:9: "));
        assert!(error("[[set]]\nname = ").starts_with("data.toml:2: "));
        assert!(error("").contains("missing field `set`"));
    }

    #[test]
    fn a_catalogue_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.toml");
        let error = Catalogue::read(&path).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the catalogue {} cannot be read: ", path.display())), "{error}");
    }
}
