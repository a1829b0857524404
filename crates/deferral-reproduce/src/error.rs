//! What can go wrong when papers are rebuilt.

use std::path::PathBuf;

/// An error with the file, the entry or the job that it is about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReproduceError {
    /// A file or folder.
    #[error("{} {what}: {source}", path.display())]
    Io {
        /// What could not be done, as in `could not be read`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not TOML of the expected form.
    #[error("{}: {message}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        message: String,
    },
    /// An entry of a file makes no sense.
    #[error("{}: {message}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// Which entry, and what to do.
        message: String,
    },
    /// There is nothing of this name.
    #[error("there is no {kind} `{name}`; there are: {known}")]
    Unknown {
        /// What kind of thing.
        kind: &'static str,
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// A job failed.
    #[error("{job}: {source}")]
    Job {
        /// Which.
        job: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Parts that do not belong together, or do not make a whole.
    #[error("{0}")]
    Parts(String),
    /// A page could not be drawn.
    #[error(transparent)]
    Draw(#[from] deferral_eval::EvalError),
}

impl ReproduceError {
    pub(crate) fn io(what: &'static str, path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }
}
