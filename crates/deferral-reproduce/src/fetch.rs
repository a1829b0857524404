//! Downloading the public data sets: verified before it is there, never over what is there.
//!
//! A download goes into a file of its own in the target folder; only when its size and digest are those of the
//! catalogue, and it is on the disk, does it get its name. So a file of the catalogue's name is whole or is not there,
//! whatever happens to the network, the disk or the program.
//!
//! ```
//! use deferral_reproduce::catalogue::Catalogue;
//! use deferral_reproduce::fetch::{Download, DownloadError, Event, fetch};
//!
//! /// A network of one address.
//! struct Hello;
//! impl Download for Hello {
//!     fn get(&self, _: &str, sink: &mut dyn std::io::Write) -> Result<u64, DownloadError> {
//!         sink.write_all(b"hello")?;
//!         Ok(5)
//!     }
//! }
//!
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
//! let mut said = Vec::new();
//! let mut report = |event: &Event<'_>| said.push(event.to_string());
//! let summary = fetch(&catalogue, &["words"], folder.path(), &Hello, &mut report)?;
//! assert_eq!(summary.fetched, ["words/one.txt"]);
//! assert_eq!(std::fs::read_to_string(folder.path().join("words/one.txt"))?, "hello");
//! assert_eq!(said.last().map(String::as_str), Some("words/one.txt: fetched and verified, 5 bytes"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod deposit;
mod error;
mod http;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use crate::catalogue::{Catalogue, DataFile, DataSet, Pin, State};
use deposit::Deposit;

pub use error::{DownloadError, FetchError, Mismatch};
pub use http::Http;

/// What can get the content of an address. [`Http`] does it over the network.
pub trait Download {
    /// Writes what is at `url` to `sink`, as it comes, and gives its number of bytes.
    ///
    /// # Errors
    /// [`DownloadError`]: no answer, an answer that is not the file, an end before the end, or what `sink` gives.
    fn get(&self, url: &str, sink: &mut dyn Write) -> Result<u64, DownloadError>;
}

/// What is going on, for those who wait; as text, a line for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A download begins.
    Begins {
        /// The file, within the folder of the data.
        path: &'a str,
        /// Its address.
        url: &'a str,
        /// The bytes to come.
        size: u64,
    },
    /// A part of it came; said at most a hundred times a file.
    Progress {
        /// The file.
        path: &'a str,
        /// The bytes so far.
        bytes: u64,
        /// The bytes to come in all.
        size: u64,
    },
    /// The file is whole, verified and in its place.
    Fetched {
        /// The file.
        path: &'a str,
        /// Its bytes.
        size: u64,
    },
    /// The file was there before.
    AlreadyThere {
        /// The file.
        path: &'a str,
        /// How: the pinned file, one that is taken as it is, or another in its place.
        state: &'a State,
    },
    /// Files are missing that a person has to get; said once a data set.
    ByHand(&'a ByHand),
}

/// Files of one data set that have no address, and how a person gets them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByHand {
    /// The data set.
    pub set: String,
    /// Those of its files that are missing, as paths within the folder of the data.
    pub paths: Vec<String>,
    /// What to do.
    pub step: String,
}

/// What was done; files are paths within the folder of the data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Downloaded and verified.
    pub fetched: Vec<String>,
    /// There before.
    pub already_there: Vec<String>,
    /// Missing, and to be got by hand, by data set.
    pub by_hand: Vec<ByHand>,
}

/// Puts the missing files of data sets into `folder`: those in `names`, or all of them if there is no name.
///
/// A file that is there and right is left as it is. Files without an address are reported with what to do by hand; they
/// are an error only if their data set was asked for by name, and then after everything else was done.
///
/// # Errors
/// [`FetchError`], at the first file that fails: files that were fetched before stay, of the one that failed nothing is
/// left. It is safe, and enough, to run it again.
pub fn fetch(
    catalogue: &Catalogue,
    names: &[&str],
    folder: &Path,
    downloader: &dyn Download,
    report: &mut dyn FnMut(&Event<'_>),
) -> Result<Summary, FetchError> {
    let mut summary = Summary::default();
    let sets = chosen(catalogue, names)?;
    for set in &sets {
        for file in &set.files {
            fetch_file(set, file, folder, downloader, report, &mut summary)?;
        }
        if let Some(left) = left_by_hand(set, folder) {
            report(&Event::ByHand(&left));
            summary.by_hand.push(left);
        }
    }
    let is_done = names.is_empty() || summary.by_hand.is_empty();
    if is_done { Ok(summary) } else { Err(FetchError::ByHand(summary.by_hand)) }
}

/// What of a data set is missing and has no address.
fn left_by_hand(set: &DataSet, folder: &Path) -> Option<ByHand> {
    let missing = set.files.iter().filter(|file| file.url.is_none() && file.state(folder) == State::Missing);
    let paths: Vec<String> = missing.map(|file| file.path.clone()).collect();
    let step = set.manual.as_ref().unwrap_or(&set.origin).clone();
    (!paths.is_empty()).then(|| ByHand { set: set.name.clone(), paths, step })
}

/// The data sets of these names, all if there is none.
fn chosen<'a>(catalogue: &'a Catalogue, names: &[&str]) -> Result<Vec<&'a DataSet>, FetchError> {
    if names.is_empty() {
        return Ok(catalogue.sets.iter().collect());
    }
    let unknown = |name: &str| FetchError::UnknownSet { name: name.to_owned(), known: catalogue.names().join(", ") };
    names.iter().map(|name| catalogue.get(name).ok_or_else(|| unknown(name))).collect()
}

fn fetch_file(
    set: &DataSet,
    file: &DataFile,
    folder: &Path,
    downloader: &dyn Download,
    report: &mut dyn FnMut(&Event<'_>),
    summary: &mut Summary,
) -> Result<(), FetchError> {
    let path = &file.path;
    let state = file.state(folder);
    if state.is_usable() {
        report(&Event::AlreadyThere { path, state: &state });
        summary.already_there.push(path.clone());
        return Ok(());
    }
    if state != State::Missing {
        return Err(FetchError::InTheWay(Box::new(set.problem(file, state))));
    }
    if let (Some(url), Some(pin)) = (&file.url, file.pin) {
        report(&Event::Begins { path, url, size: pin.size });
        let origin = &set.origin;
        download(&Wanted { path, url, pin, origin }, folder, downloader, report)?;
        report(&Event::Fetched { path, size: pin.size });
        summary.fetched.push(path.clone());
    }
    Ok(())
}

/// A file to download.
struct Wanted<'a> {
    path: &'a str,
    url: &'a str,
    pin: Pin,
    origin: &'a str,
}

fn download(
    wanted: &Wanted<'_>,
    folder: &Path,
    downloader: &dyn Download,
    report: &mut dyn FnMut(&Event<'_>),
) -> Result<(), FetchError> {
    let path = wanted.path;
    let unwritable = |source| FetchError::Unwritable { path: path.to_owned(), source };
    let mut progress = |bytes| report(&Event::Progress { path, bytes, size: wanted.pin.size });
    let mut deposit = Deposit::open(&folder.join(path), wanted.pin, &mut progress).map_err(unwritable)?;
    let outcome = downloader.get(wanted.url, &mut deposit);
    if let Some(source) = deposit.failure.take() {
        return Err(unwritable(source));
    }
    let differs = |mismatch: Mismatch| FetchError::Differs {
        path: path.to_owned(),
        url: wanted.url.to_owned(),
        origin: wanted.origin.to_owned(),
        mismatch: Box::new(mismatch),
    };
    if deposit.is_overfull() {
        return Err(differs(Mismatch::Longer { expected: wanted.pin.size }));
    }
    outcome.map_err(|source| FetchError::Download {
        path: path.to_owned(),
        url: wanted.url.to_owned(),
        origin: wanted.origin.to_owned(),
        source,
    })?;
    deposit.verify().map_err(differs)?;
    deposit.keep().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => FetchError::Appeared { path: path.to_owned() },
        _ => unwritable(error),
    })
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begins { path, url, size } => write!(f, "{path}: {size} bytes from {url}"),
            Self::Progress { path, bytes, size } => write!(f, "{path}: {bytes} bytes of {size}"),
            Self::Fetched { path, size } => write!(f, "{path}: fetched and verified, {size} bytes"),
            Self::AlreadyThere { path, state: State::Present } => write!(f, "{path}: already there, verified"),
            Self::AlreadyThere { path, state: State::Instead } => write!(f, "{path}: another file is there instead"),
            Self::AlreadyThere { path, .. } => write!(f, "{path}: already there, nothing known to verify it by"),
            Self::ByHand(left) => write!(f, "{left}"),
        }
    }
}

impl fmt::Display for ByHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: by hand: {}", self.paths.join(", "), self.step)
    }
}
