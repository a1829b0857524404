//! Why a data set could not be fetched, and what to do.

use std::fmt;
use std::io;

use super::ByHand;
use crate::catalogue::{Problem, Sha256};

/// Why [`super::fetch`] stopped. In every case the file in question is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A name that is not in the catalogue.
    #[error("there is no data set `{name}`; there are: {known}")]
    UnknownSet {
        /// The name.
        name: String,
        /// All that there are.
        known: String,
    },
    /// Another file than the pinned one is there.
    #[error("{0}. What is there is never written over")]
    InTheWay(Box<Problem>),
    /// The file came into being while it was downloaded.
    #[error("{path} came from elsewhere meanwhile and was not written over; fetch again to see whether it is right")]
    Appeared {
        /// The file.
        path: String,
    },
    /// The download failed.
    #[error("{path} could not be downloaded from {url}: {source}. Nothing was kept; try again, or see {origin}")]
    Download {
        /// The file.
        path: String,
        /// The address.
        url: String,
        /// The page of the data set.
        origin: String,
        /// What went wrong.
        source: DownloadError,
    },
    /// Something came, but not the pinned file.
    #[error("{path} from {url} is not the pinned file: {mismatch}. Nothing was kept; see {origin}")]
    Differs {
        /// The file.
        path: String,
        /// The address.
        url: String,
        /// The page of the data set.
        origin: String,
        /// How it differs.
        mismatch: Box<Mismatch>,
    },
    /// The file could not be written.
    #[error("{path} cannot be written: {source}. Nothing was kept; name a folder with room that may be written to")]
    Unwritable {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// Files were asked for that only a person can get.
    #[error("{}", lines(.0))]
    ByHand(Vec<ByHand>),
}

/// How a download differs from the pinned file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// It ended early, or is another file.
    Shorter {
        /// The bytes that came.
        size: u64,
        /// The bytes it should have.
        expected: u64,
    },
    /// It went on after its end; the rest was not read.
    Longer {
        /// The bytes it should have.
        expected: u64,
    },
    /// Another content of the same size.
    Digest {
        /// The digest it should have.
        expected: Sha256,
        /// The digest of what came.
        found: Sha256,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shorter { size, expected } => write!(f, "it has {size} bytes of {expected}"),
            Self::Longer { expected } => write!(f, "it has more than {expected} bytes"),
            Self::Digest { expected, found } => write!(f, "its sha256 is {found} instead of {expected}"),
        }
    }
}

/// Why the content of an address could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// The server answered with something else than the file.
    #[error("the server answers {0}{hint}", hint = hint(*.0))]
    Status(u16),
    /// There was no answer, or it broke off.
    #[error("{0}")]
    Network(String),
    /// What came could not be passed on.
    #[error("{0}")]
    Sink(#[from] io::Error),
}

/// What the usual answers mean here.
fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 => " (a login or a permission is needed)",
        404 | 410 => " (the file was moved or removed)",
        429 => " (too many requests: wait a while)",
        500..=599 => " (the server has a fault: wait a while)",
        _ => "",
    }
}

fn lines(left: &[ByHand]) -> String {
    let lines: Vec<String> = left.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
