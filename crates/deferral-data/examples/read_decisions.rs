//! Reads a table of decisions and says how long that took and how much memory.
//!
//! `cargo run --release -p deferral-data --example read_decisions -- labels.csv`

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use deferral_data::{ReadOptions, read_decisions};

fn main() -> Result<(), Box<dyn Error>> {
    let path: PathBuf = std::env::args_os().nth(1).ok_or("say which file: read_decisions FILE")?.into();
    let start = Instant::now();
    let table = read_decisions(&path, &ReadOptions::default())?;
    let seconds = start.elapsed().as_secs_f64();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", table.report)?;
    writeln!(out, "{} tasks, {} workers, {} labels", table.tasks.len(), table.workers.len(), table.labels.len())?;
    writeln!(out, "{seconds:.2} s, {:.2} million rows a second", table.report.rows as f64 / seconds / 1e6)?;
    if let Some(peak) = peak_memory() {
        let share = peak as f64 / table.report.rows.max(1) as f64;
        writeln!(out, "peak memory {:.1} MiB, {share:.1} bytes a row, names included", peak as f64 / 1024.0 / 1024.0)?;
    }
    Ok(())
}

/// The most memory that this process has held, in bytes, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
