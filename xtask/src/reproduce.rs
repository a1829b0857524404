//! `cargo xtask reproduce` and `cargo xtask fetch`: both are commands of the crate `deferral-reproduce`, which has to be
//! built for speed.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Runs `reproduce run`, or `reproduce merge` if that is the first argument.
///
/// # Errors
/// If it cannot be built or does not succeed; it has then said why.
pub(crate) fn reproduce(arguments: &[String]) -> Result<String> {
    match arguments.split_first() {
        Some((first, parts)) if first == "merge" => command("merge", parts),
        _ => command("run", arguments),
    }
}

/// Runs `reproduce fetch`.
///
/// # Errors
/// As [`reproduce`].
pub(crate) fn fetch(arguments: &[String]) -> Result<String> {
    command("fetch", arguments)
}

fn command(name: &str, arguments: &[String]) -> Result<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let status = Command::new(cargo)
        .args(["run", "--release", "--quiet", "--package", "deferral-reproduce", "--", name])
        .args(arguments)
        .arg("--root")
        .arg(root()?)
        .status()
        .context("cargo could not be run")?;
    if !status.success() {
        bail!("reproduce {name} did not succeed; it says above why");
    }
    Ok(String::new())
}

/// The folder of the repository: the one above this crate, which cargo names.
fn root() -> Result<PathBuf> {
    let here = std::env::var("CARGO_MANIFEST_DIR").context("run it as `cargo xtask`")?;
    Ok(PathBuf::from(here).parent().context("the crate has no folder above")?.to_owned())
}
