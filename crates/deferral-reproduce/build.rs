//! Puts a digest of all sources that figures come from into the program, so that a finished job is not taken for one of
//! other code.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What draws and reports, but computes no figure.
const SHOWN_ONLY: [&str; 4] =
    ["deferral", "deferral-cli", "deferral-reproduce/src/report", "deferral-reproduce/src/bin"];

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let crates = here.parent().ok_or("the crate has no folder above")?;
    let mut files = Vec::new();
    collect(crates, crates, &mut files)?;
    files.sort();
    let mut hash = blake3::Hasher::new();
    for name in files {
        hash.update(name.as_bytes()).update(&[0]).update(blake3::hash(&fs::read(crates.join(&name))?).as_bytes());
    }
    let lock = crates.join("../Cargo.lock");
    if lock.exists() {
        hash.update(&fs::read(&lock)?);
    }
    println!("cargo::rustc-env=DEFERRAL_CODE={}", &hash.finalize().to_hex()[..16]);
    println!("cargo::rerun-if-changed={}", crates.display());
    println!("cargo::rerun-if-changed={}", lock.display());
    Ok(())
}

/// The sources below `folder`, by their names within `root`.
fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let parts: Vec<_> = path.strip_prefix(root)?.iter().map(|part| part.to_string_lossy()).collect();
        let name = parts.join("/");
        let outside = parts.get(1).is_some_and(|part| part != "src") || SHOWN_ONLY.contains(&name.as_str());
        if path.is_dir() && !outside {
            collect(root, &path, files)?;
        } else if !outside && path.extension().is_some_and(|extension| extension == "rs") {
            files.push(name);
        }
    }
    Ok(())
}
