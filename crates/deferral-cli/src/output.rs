//! Where results go, checked before anything is computed.

use std::path::Path;

use deferral_data::Format;

use crate::failure::Failure;

/// Passes a file that could be written: its folder is there, and it is not a folder itself.
pub(crate) fn check(path: &Path) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let (path, folder) = (path.display(), folder.display());
        return Err(Failure::usage(format!("cannot write {path}: there is no folder {folder}; make it first")));
    }
    if path.is_dir() {
        return Err(Failure::usage(format!("cannot write {}: it is a folder; name a file in it", path.display())));
    }
    if path.exists() && !path.is_file() {
        let path = path.display();
        return Err(Failure::usage(format!("cannot write {path}: it is not a regular file; name another")));
    }
    Ok(())
}

/// The same for a table, whose name must also say its format.
pub(crate) fn check_table(path: &Path) -> Result<(), Failure> {
    Format::of(path)?;
    check(path)
}
