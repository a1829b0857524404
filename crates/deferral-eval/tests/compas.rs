//! Learning to defer on the published COMPAS cases, where they are: `DEFERRAL_DATA`, else beside the repository.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(clippy::print_stderr, reason = "a skipped test is said to be")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use deferral_data::numpy::read_learning_to_defer;
use deferral_eval::{Axis, Cells, Division, Experiment, FeatureChoice, Method, Panel, Source, Sweep, run, tradeoff};

/// The file of a decision-maker, if there is one.
fn file(name: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("DEFERRAL_DATA").map_or_else(beside, PathBuf::from);
    let path = folder.join("compas").join(format!("compas_DM_{name}.npz"));
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("DEFERRAL_REQUIRE_DATA").is_none_or(|v| v != "1"), "no data at {}", path.display());
    eprintln!("skipped: no data");
    None
}

fn experiment(path: &Path, methods: &[&str]) -> Experiment {
    Experiment {
        source: Source::Table(Arc::new(read_learning_to_defer(path).unwrap())),
        panel: Panel::Recorded,
        division: Division::Given,
        repetitions: 1,
        methods: methods.iter().map(|name| Method::parse(name, &[], Some("A")).unwrap()).collect(),
        features: FeatureChoice::default(),
        group: Some("A".into()),
        seed: 1,
    }
}

#[test]
fn deferring_is_fairer_than_the_decision_maker_and_more_accurate_than_the_model() {
    for (name, error, impact, rows) in [
        ("highacc", 0.2418, 0.1248, ["defer:gamma=0.025,alpha=0.4", "reject:gamma=0.5,alpha=0.4"]),
        ("highbias", 0.2439, 0.2538, ["defer:gamma=0,alpha=0.5", "reject:gamma=0.5,alpha=0.5"]),
    ] {
        let Some(path) = file(name) else { return };
        let found = run(&experiment(&path, &[rows[0], rows[1], "binary", "best-expert"]), &|_, _| {}).unwrap();
        let cells: Vec<&Cells> = found.records.iter().map(|record| &record.cells).collect();
        let of = |method: usize| (cells[method].all().error().unwrap(), cells[method].disparate_impact());
        let [(defer, defer_impact), (_, reject_impact), (binary, _), decision_maker] = [0, 1, 2, 3].map(of);
        assert!(
            (decision_maker.0 - error).abs() < 1e-4 && (decision_maker.1 - impact).abs() < 1e-4,
            "{decision_maker:?}"
        );
        assert!((0.275..0.305).contains(&binary), "{binary}");
        assert!(
            defer < binary - 0.01 && defer_impact < impact - 0.02 && defer_impact < reject_impact,
            "{defer} {defer_impact}"
        );
    }
}

#[test]
fn the_front_of_deferring_dominates_that_of_rejecting() {
    let Some(path) = file("highacc") else { return };
    let experiment = experiment(&path, &["defer", "reject", "best-expert"]);
    let axes = ["gamma=0.025,0.05,0.5", "alpha=0.2,0.6"].map(|axis| Axis::parse(axis).unwrap()).to_vec();
    let found = tradeoff(&experiment, &Sweep { resamples: 200, ..Sweep::over(axes) }, &|_, _| {}).unwrap();
    assert!(found.validated && found.families[0].points.len() == 6);
    let (low, high) = found.families[1].behind.interval().unwrap();
    assert!(0.0 < low && low < high, "{low} {high}");
}
