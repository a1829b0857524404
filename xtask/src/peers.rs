//! `cargo xtask peers`: our aggregators beside those of crowd-kit, in Python, on the same table in the same run.
//!
//! It makes a virtual environment under `target/peers` with pip. It is no part of CI.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

const SCRIPT: &str = include_str!("peers.py");
const PACKAGES: [&str; 3] = ["crowd-kit", "scikit-learn<1.6", "pandas<3"];

/// What the script found: seconds and accuracy by method.
#[derive(Deserialize)]
struct Theirs {
    gold: Vec<u16>,
    found: BTreeMap<String, (f64, f64)>,
}

/// Runs both and gives the table.
pub(crate) fn run() -> Result<String> {
    let posts = posts()?;
    let folder = PathBuf::from("target/peers");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let python = environment(&folder.join("venv"))?;
    let (script, table) = (folder.join("peers.py"), folder.join("mturk.csv"));
    std::fs::write(&script, SCRIPT).with_context(|| format!("cannot write {}", script.display()))?;
    let theirs = output(Command::new(&python).arg(&script).arg(&posts).arg(&table))?;
    let theirs: Theirs = serde_json::from_str(&theirs).context("the script printed no JSON")?;
    let example = ["run", "--release", "--quiet", "-p", "deferral-crowd", "--example", "time_aggregators", "--"];
    let ours = output(Command::new("cargo").args(example).arg(&table).env("RAYON_NUM_THREADS", "1"))?;
    compare(&theirs, &ours)
}

/// The table of posts in the data folder.
fn posts() -> Result<PathBuf> {
    let folder = std::env::var_os("DEFERRAL_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let path = folder.join("mturk/all_results.csv");
    if path.is_file() {
        return Ok(path);
    }
    bail!("there is no {}; name the folder of the data with DEFERRAL_DATA", path.display())
}

/// Python with the packages, installed if they are not there.
fn environment(folder: &Path) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    if !python.is_file() {
        output(Command::new("python3").args(["-m", "venv"]).arg(folder)).context("python3 with venv is needed")?;
    }
    let there = Command::new(&python).args(["-c", "import crowdkit"]).output().is_ok_and(|run| run.status.success());
    if !there {
        output(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
    }
    Ok(python)
}

/// What a command prints; its last words if it fails.
fn output(command: &mut Command) -> Result<String> {
    let run = command.output().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if run.status.success() {
        return Ok(String::from_utf8_lossy(&run.stdout).into_owned());
    }
    let error = String::from_utf8_lossy(&run.stderr);
    let lines: Vec<&str> = error.lines().collect();
    let last = &lines[lines.len().saturating_sub(10)..];
    bail!("{} failed:\n{}", command.get_program().display(), last.join("\n"))
}

/// One line a method of ours: accuracy and seconds of both, and how many times faster ours is.
fn compare(theirs: &Theirs, ours: &str) -> Result<String> {
    let line = |name: &str, cells: [String; 5]| {
        let [accuracy, own_accuracy, seconds, own_seconds, ratio] = cells;
        format!("{name:22}{accuracy:>10}{own_accuracy:>10}{seconds:>12}{own_seconds:>12}{ratio:>9}")
    };
    let header = ["accuracy", "ours", "seconds", "ours", "ratio"].map(str::to_owned);
    let mut lines = vec![line("crowd-kit and ours", header)];
    let mut seen = Vec::new();
    for text in ours.lines() {
        let mut words = text.split(' ');
        let (Some(name), Some(seconds), Some(labels)) = (words.next(), words.next(), words.next()) else {
            bail!("not `method seconds labels`: {text}");
        };
        let own: f64 = seconds.parse().with_context(|| format!("not a number: {seconds}"))?;
        let right = labels.split(',').zip(&theirs.gold).filter(|(label, gold)| *label == gold.to_string()).count();
        let own_accuracy = right as f64 / theirs.gold.len().max(1) as f64;
        let Some((seconds, accuracy)) = theirs.found.get(name) else { bail!("the script did not run {name}") };
        let cells = [
            format!("{accuracy:.4}"),
            format!("{own_accuracy:.4}"),
            format!("{seconds:.4}"),
            format!("{own:.5}"),
            format!("{:.0}", seconds / own),
        ];
        lines.push(line(name, cells));
        seen.push(name);
    }
    for (name, (seconds, accuracy)) in theirs.found.iter().filter(|(name, _)| !seen.contains(&name.as_str())) {
        let none = String::new;
        lines.push(line(name, [format!("{accuracy:.4}"), none(), format!("{seconds:.4}"), none(), none()]));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_stand_side_by_side() {
        let found = [("glad".to_owned(), (8.0, 0.875)), ("other".to_owned(), (1.0, 0.5))].into_iter().collect();
        let theirs = Theirs { gold: vec![0, 1, 1, 0], found };
        let table = compare(&theirs, "glad 0.02 0,1,0,0\n").unwrap();
        let words = |line: usize| table.lines().nth(line).unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!(words(1), ["glad", "0.8750", "0.7500", "8.0000", "0.02000", "400"]);
        assert_eq!(words(2), ["other", "0.5000", "1.0000"]);
        assert!(compare(&theirs, "mace 1 0").unwrap_err().to_string().contains("did not run mace"));
        assert!(compare(&theirs, "nonsense").is_err());
    }
}
