//! Writing whole files or nothing.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct FileError {
    /// `read` or `write`.
    pub action: &'static str,
    /// Which file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl FileError {
    /// `path` could not be read.
    pub fn read(path: &Path, source: io::Error) -> Self {
        Self { action: "read", path: path.to_owned(), source }
    }
    /// `path` could not be written.
    pub fn write(path: &Path, source: io::Error) -> Self {
        Self { action: "write", path: path.to_owned(), source }
    }
}

/// Writes `path` by calling `fill` on a temporary file beside it, which takes its place only when everything is on
/// disk: after a failure or a crash the old file, or none, is there, never half of the new one.
///
/// # Errors
/// [`FileError`] naming the path.
pub fn write_atomically(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), FileError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if path.exists() && !path.is_file() {
        let special = io::Error::other("it is not a regular file, and replacing it would break it");
        return Err(FileError::write(path, special));
    }
    replace(path, folder, fill).map_err(|source| FileError::write(path, source))
}

fn replace(path: &Path, folder: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut file = temporary_in(folder)?;
    let mut buffered = io::BufWriter::new(file.as_file_mut());
    fill(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    sync_folder(folder)
}

/// A temporary file with the permissions that a plain new file would get.
#[cfg(unix)]
fn temporary_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let plain = std::fs::Permissions::from_mode(0o666);
    tempfile::Builder::new().prefix(".deferral-").permissions(plain).tempfile_in(folder)
}

#[cfg(not(unix))]
fn temporary_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(".deferral-").tempfile_in(folder)
}

/// Makes the names in a folder durable, where folders can be synced.
///
/// # Errors
/// What the system says.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes the names in a folder durable, where folders can be synced.
///
/// # Errors
/// None: here they cannot.
#[cfg(not(unix))]
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        write_atomically(&path, |f| f.write_all(b"old")).unwrap();
        let failed = write_atomically(&path, |f| {
            f.write_all(b"half of the new")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().contains("disk full"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
