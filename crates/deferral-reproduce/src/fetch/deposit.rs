//! Where a download goes until it is known to be right.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use super::Mismatch;
use crate::catalogue::{Hasher, Pin};

/// How the files in progress are called. Each is locked by the program that writes it.
const PREFIX: &str = ".fetch-";
const SUFFIX: &str = ".part";

/// A file in progress beside its target. Dropped, it leaves nothing; kept, it is the target.
pub(super) struct Deposit<'a> {
    target: PathBuf,
    pin: Pin,
    file: NamedTempFile,
    /// After `file`: the folders can only go once the file is gone.
    made: MadeFolders,
    hasher: Hasher,
    size: u64,
    progress: &'a mut dyn FnMut(u64),
    said: u64,
    /// What went wrong with writing, kept apart from what the network does.
    pub(super) failure: Option<io::Error>,
}

impl<'a> Deposit<'a> {
    /// Begins a file that is to become `target`.
    pub(super) fn open(target: &Path, pin: Pin, progress: &'a mut dyn FnMut(u64)) -> io::Result<Self> {
        let folder = target.parent().unwrap_or(Path::new("."));
        let made = MadeFolders::down_to(folder)?;
        sweep(folder);
        let file = begin(folder)?;
        let target = target.to_owned();
        let hasher = Hasher::default();
        Ok(Self { target, pin, file, made, hasher, size: 0, progress, said: 0, failure: None })
    }

    /// Whether more came than the file has.
    pub(super) fn is_overfull(&self) -> bool {
        self.size > self.pin.size
    }

    /// Whether what came is the pinned file.
    pub(super) fn verify(&mut self) -> Result<(), Mismatch> {
        let Pin { size: expected, sha256 } = self.pin;
        if self.size < expected {
            return Err(Mismatch::Shorter { size: self.size, expected });
        }
        let found = std::mem::take(&mut self.hasher).finish();
        if found == sha256 { Ok(()) } else { Err(Mismatch::Digest { expected: sha256, found }) }
    }

    /// Gives the file its name, once it is on the disk, and only if the name is free.
    pub(super) fn keep(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist_noclobber(&self.target).map_err(|error| error.error)?;
        self.made.stay();
        // The name is on the disk when the folder is. Not every system can say so, and the file is there either way.
        if let Some(folder) = self.target.parent().and_then(|folder| File::open(folder).ok()) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Write for Deposit<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.size += bytes.len() as u64;
        if self.is_overfull() {
            return Err(io::Error::other("more bytes than the file has"));
        }
        if let Err(error) = self.file.write_all(bytes) {
            let copy = io::Error::new(error.kind(), error.to_string());
            self.failure = Some(error);
            return Err(copy);
        }
        self.hasher.update(bytes);
        let step = self.pin.size / 100;
        if self.size == self.pin.size || self.size > self.said + step {
            self.said = self.size;
            (self.progress)(self.size);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// An empty file in progress.
fn begin(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    // A file of data is for everybody who may read the folder, not only for who fetched it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder)?;
    // Where a file system has no locks, what a killed program leaves stays until a person deletes it.
    let _ = file.as_file().try_lock();
    Ok(file)
}

/// Removes the files in progress of programs that were killed: those that nobody has locked.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        let abandoned = || File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
        if ours && abandoned() {
            // It is only in the way of tidiness.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The folders that had to be made, outermost first; they go again unless something came into them.
struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    fn down_to(folder: &Path) -> io::Result<Self> {
        let missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let mut needed: Vec<PathBuf> = folder.ancestors().take_while(missing).map(Path::to_owned).collect();
        needed.reverse();
        let mut made = Self(Vec::new());
        for folder in needed {
            match fs::create_dir(&folder) {
                Ok(()) => made.0.push(folder),
                // Another program was faster; the folder is its own.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(made)
    }

    fn stay(mut self) {
        self.0.clear();
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // A folder that is no longer empty is somebody's, and stays.
            let _ = fs::remove_dir(folder);
        }
    }
}
