//! Finished jobs on the disk, so that an interrupted run goes on where it was.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::ReproduceError;
use crate::plan::Job;
use crate::sample::Sample;

/// What a job found, and how long it took.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Finished {
    /// The digest of the job.
    pub digest: String,
    /// Its figures.
    pub samples: Vec<Sample>,
    /// Seconds that it took, for the people who wait; no report shows it.
    pub seconds: f64,
}

/// A folder of finished jobs, one file each, called after the digest.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(folder: &Path) -> Result<Self, ReproduceError> {
        std::fs::create_dir_all(folder).map_err(|error| ReproduceError::io("could not be made", folder, error))?;
        Ok(Self { folder: folder.to_owned() })
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.json"))
    }

    /// What a job found earlier. A file that is not whole counts as none: the job is then done again.
    pub fn get(&self, job: &Job) -> Option<Finished> {
        let text = std::fs::read(self.path(&job.digest)).ok()?;
        serde_json::from_slice(&text).ok().filter(|finished: &Finished| finished.digest == job.digest)
    }

    /// Keeps what a job found; the file appears whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn put(&self, finished: &Finished) -> Result<(), ReproduceError> {
        let path = self.path(&finished.digest);
        write_whole(&path, &serde_json::to_vec(finished).unwrap_or_default())
    }
}

/// Writes a file beside its place and moves it there, so that nobody ever sees half of it.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), ReproduceError> {
    let wrong = |error| ReproduceError::io("could not be written", path, error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(wrong)?;
    file.write_all(content).map_err(wrong)?;
    file.persist(path).map_err(|error| wrong(error.error))?;
    Ok(())
}
