//! `deferral journal`: what a journal holds, and whether it is as it was written.

use std::io::Write;
use std::path::Path;

use deferral_allocation::{Head, JournalError};

use super::Globals;
use crate::args::{JournalArgs, JournalWhat};
use crate::failure::Failure;
use crate::render;

pub(crate) fn run(args: &JournalArgs, globals: Globals) -> Result<(), Failure> {
    match &args.what {
        JournalWhat::Stats { file } => stats(file, globals),
        JournalWhat::Verify { file, head } => verify(file, head.as_deref(), globals),
        JournalWhat::Export { file } => export(file),
        JournalWhat::Evaluate { .. } => todo!(),
    }
}

fn stats(file: &Path, globals: Globals) -> Result<(), Failure> {
    let stats = deferral_allocation::stats(file)?;
    if globals.json {
        return Ok(render::print_json(&stats)?);
    }
    Ok(render::print(&format!("{stats}\n"))?)
}

fn verify(file: &Path, head: Option<&str>, globals: Globals) -> Result<(), Failure> {
    let expected = head.map(|head| {
        Head::from_hex(head).map_err(|_| Failure::usage(format!("--head is `{head}`, but must be 64 hexadecimal digits")))
    });
    let verified = deferral_allocation::verify(file, expected.transpose()?)?;
    if globals.json {
        return Ok(render::print_json(&verified)?);
    }
    Ok(render::print(&format!("{verified}\n"))?)
}

fn export(file: &Path) -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    deferral_allocation::export(file, |record| {
        serde_json::to_writer(&mut out, &record).map_err(std::io::Error::from)?;
        Ok::<(), Failure>(out.write_all(b"\n")?)
    })?;
    Ok(out.flush()?)
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Full { .. } | JournalError::Storage { .. } | JournalError::Stopped { .. } => {
                Self::Other(error.into())
            }
            _ => Self::Input(error.into()),
        }
    }
}
