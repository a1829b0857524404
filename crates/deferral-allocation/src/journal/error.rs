//! Why a journal was refused, and what to do.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use deferral_core::ParameterError;
use deferral_core::files::FileError;
use redb::{CommitError, DatabaseError, StorageError, TableError, TransactionError};

use super::FORMAT;
use crate::archive::ArchiveError;

/// Why a journal could not be opened, read or written. What was answered before stays in the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file could not be read or made.
    #[error(transparent)]
    File(#[from] FileError),
    /// A parameter of a new loop is out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// There is a file of that name.
    #[error("{} exists already: open it, or choose another name", path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// Only one process can have a journal open.
    #[error("{} is open in another process; end that one first, or use another journal", path.display())]
    Locked {
        /// Which file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a journal of deferral; choose another name", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// A newer program wrote it.
    #[error("{} has journal format {found}, this program reads up to {FORMAT}; use a newer deferral", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The journal belongs to a loop with other parameters.
    #[error("{} was begun with other parameters: {difference}; give the same, or begin another journal", path.display())]
    OtherParameters {
        /// Which file.
        path: PathBuf,
        /// The first that differs.
        difference: String,
    },
    /// Bytes are missing, or are not those that were written.
    #[error("{} is damaged: {reason}; restore it from a copy", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// How it was noticed.
        reason: String,
    },
    /// The journal contradicts itself.
    #[error("{}, event {sequence}: {what}", path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// The number of the first event where something is wrong.
        sequence: u64,
        /// What is wrong.
        what: String,
    },
    /// What was noted down of a journal is not in it.
    #[error("{} does not contain {head}: it was replaced or written anew since that was noted", path.display())]
    HeadMissing {
        /// Which file.
        path: PathBuf,
        /// What was expected.
        head: super::Head,
    },
    /// An event can't be written down.
    #[error("event {position} of those sent has a number that is not finite; nothing of them was recorded")]
    NotFinite {
        /// Which of the events, from 1.
        position: usize,
    },
    /// The disk is full.
    #[error("there is no room for {}: make room and open it again; what was answered is in it", path.display())]
    Full {
        /// Which file.
        path: PathBuf,
    },
    /// The store failed.
    #[error("{} cannot be read or written: {reason}; open it again, what was answered is in it", path.display())]
    Storage {
        /// Which file.
        path: PathBuf,
        /// What the store said.
        reason: String,
    },
    /// An earlier write failed.
    #[error("an earlier write to {} failed: open it again; what was answered is in it", path.display())]
    Stopped {
        /// Which file.
        path: PathBuf,
    },
}

/// Puts the name of the file to what the store says.
pub(super) trait At<T> {
    /// Makes the error one of the journal at `path`.
    fn at(self, path: &Path) -> Result<T, JournalError>;
}

impl<T, E: Into<Failure>> At<T> for Result<T, E> {
    fn at(self, path: &Path) -> Result<T, JournalError> {
        self.map_err(|error| error.into().at(path.to_owned()))
    }
}

/// The errors of the store, sorted by what can be done.
#[derive(Debug)]
pub(super) enum Failure {
    Locked,
    Foreign,
    Damaged(String),
    Full,
    Other(String),
}

impl Failure {
    fn at(self, path: PathBuf) -> JournalError {
        match self {
            Self::Locked => JournalError::Locked { path },
            Self::Foreign => JournalError::Foreign { path },
            Self::Damaged(reason) => JournalError::Damaged { path, reason },
            Self::Full => JournalError::Full { path },
            Self::Other(reason) => JournalError::Storage { path, reason },
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Corrupted(reason) => Self::Damaged(reason),
            StorageError::Io(error) if error.kind() == ErrorKind::InvalidData => Self::Foreign,
            StorageError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Self::Damaged("it is shorter than it was".to_owned())
            }
            StorageError::Io(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                Self::Full
            }
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Self::Locked,
            DatabaseError::Storage(error) => error.into(),
            // No journal was ever written in an older format of the store.
            DatabaseError::UpgradeRequired(format) => {
                Self::Damaged(format!("there is no format {format} of its pages"))
            }
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<TransactionError> for Failure {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(error) => error.into(),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => error.into(),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<ArchiveError> for Failure {
    /// The journal's own archives carry the store's failure.
    fn from(error: ArchiveError) -> Self {
        match error.source.downcast::<StorageError>() {
            Ok(error) => (*error).into(),
            Err(other) => Self::Damaged(other.to_string()),
        }
    }
}
