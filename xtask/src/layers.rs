//! `cargo xtask layers`: a crate imports only from floors below it, and rooms on one floor do not import each other.
//!
//! The table below is the plan of the house; the edges are those of `cargo metadata`. Dependencies
//! that only tests have are free: cargo sees to it that they make no circle.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// What a crate may use.
#[derive(Debug, Clone, Copy)]
enum MayUse {
    /// These rooms.
    These(&'static [&'static str]),
    /// Every room on a floor below.
    AllBelow,
}
use MayUse::{AllBelow, These};

/// Each crate with its floor and the rooms it may use. A crate that is not here, or does more, is an error.
const HOUSE: &[(u8, &str, MayUse)] = &[
    (0, "deferral-core", These(&[])),
    (1, "deferral-metrics", These(&["deferral-core"])),
    (1, "deferral-models", These(&["deferral-core"])),
    (1, "deferral-experts", These(&["deferral-core"])),
    (1, "deferral-data", These(&["deferral-core"])),
    (2, "deferral-losses", These(&["deferral-core", "deferral-models", "deferral-metrics"])),
    (2, "deferral-crowd", These(&["deferral-core", "deferral-models", "deferral-metrics"])),
    (2, "deferral-fairness", These(&["deferral-core", "deferral-models", "deferral-metrics"])),
    (3, "deferral-consult", These(&["deferral-core", "deferral-models", "deferral-metrics", "deferral-crowd"])),
    (
        4,
        "deferral-allocation",
        These(&["deferral-core", "deferral-models", "deferral-metrics", "deferral-crowd", "deferral-consult"]),
    ),
    (5, "deferral-eval", AllBelow),
    (6, "deferral", AllBelow),
    (6, "deferral-cli", AllBelow),
    (6, "deferral-reproduce", AllBelow),
    (7, "xtask", AllBelow),
    (7, "benches", AllBelow),
];

/// The floor of a crate of the house.
fn floor_of(name: &str) -> Option<u8> {
    HOUSE.iter().find(|(_, n, _)| *n == name).map(|(floor, ..)| *floor)
}

/// Whether a crate on `floor` may use `dependency`.
fn allowed(floor: u8, may_use: MayUse, dependency: &str) -> bool {
    match may_use {
        These(rooms) => rooms.contains(&dependency),
        AllBelow => floor_of(dependency).is_some_and(|below| below < floor),
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `null` for an ordinary dependency, else `dev` or `build`.
    kind: Option<String>,
    /// Set for crates of this workspace.
    path: Option<String>,
}

/// Checks the house and says how many edges there are.
///
/// # Errors
/// If cargo does not answer, or an edge goes where it may not.
pub(crate) fn run() -> Result<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output()
        .context("cargo metadata could not be run")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata is not understood")?;
    let (edges, wrong) = check(&metadata);
    if wrong.is_empty() {
        return Ok(format!("layers: {} crates, {edges} edges, all downwards", metadata.packages.len()));
    }
    bail!("{}", wrong.join("\n"))
}

/// The number of edges within the workspace, and what is wrong with them.
fn check(metadata: &Metadata) -> (usize, Vec<String>) {
    let mut edges = 0;
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let Some((floor, _, may_use)) = HOUSE.iter().find(|(_, name, _)| *name == package.name) else {
            wrong.push(format!("crate `{}` has no room in the table of xtask/src/layers.rs", package.name));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| d.path.is_some()) {
            edges += 1;
            let for_tests = dependency.kind.as_deref() == Some("dev");
            if !for_tests && !allowed(*floor, *may_use, &dependency.name) {
                wrong.push(format!("`{}` (floor {floor}) may not use `{}`", package.name, dependency.name));
            }
        }
    }
    (edges, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, uses: &[(&str, Option<&str>)]) -> Package {
        let dependency = |(name, kind): &(&str, Option<&str>)| Dependency {
            name: (*name).to_owned(),
            kind: kind.map(str::to_owned),
            path: Some(String::new()),
        };
        Package { name: name.to_owned(), dependencies: uses.iter().map(dependency).collect() }
    }

    #[test]
    fn edges_upwards_and_sideways_are_refused() {
        let check_one =
            |name, uses: &[(&str, Option<&str>)]| check(&Metadata { packages: vec![package(name, uses)] }).1;
        assert!(check_one("deferral-losses", &[("deferral-core", None), ("deferral-models", None)]).is_empty());
        assert_eq!(
            check_one("deferral-core", &[("deferral-metrics", None)]),
            ["`deferral-core` (floor 0) may not use `deferral-metrics`"]
        );
        assert_eq!(check_one("deferral-data", &[("deferral-models", None)]).len(), 1);
        assert_eq!(check_one("deferral-eval", &[("deferral-data", None), ("deferral-cli", None)]).len(), 1);
        assert!(check_one("deferral-data", &[("deferral-metrics", Some("dev"))]).is_empty());
        assert_eq!(
            check_one("deferral-magic", &[]),
            ["crate `deferral-magic` has no room in the table of xtask/src/layers.rs"]
        );
    }

    #[test]
    fn the_table_itself_points_downwards() {
        for (floor, _, may_use) in HOUSE {
            if let These(rooms) = may_use {
                assert!(rooms.iter().all(|name| floor_of(name) < Some(*floor)));
            }
        }
    }
}
