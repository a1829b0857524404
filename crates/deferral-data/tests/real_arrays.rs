//! The published files of learning to defer, as they are.

#![allow(clippy::print_stderr, reason = "a skipped test is said to be")]

use std::path::PathBuf;

use deferral_core::{CaseId, ExpertId, Label};
use deferral_data::numpy::read_learning_to_defer;
use deferral_data::*;

/// The file in the data folder, if there is one.
fn data(name: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("DEFERRAL_DATA").map_or_else(beside, PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("DEFERRAL_REQUIRE_DATA").is_none_or(|v| v != "1"), "no data at {}", path.display());
    eprintln!("skipped: no data");
    None
}

/// The share of `cases` for which something holds.
fn share(cases: &[usize], holds: impl Fn(usize) -> bool) -> f64 {
    cases.iter().filter(|&&case| holds(case)).count() as f64 / cases.len() as f64
}

fn is_one(label: Option<Label>) -> bool {
    label == Some(Label(1))
}

#[test]
fn compas() {
    for (name, test_error, train_error) in
        [("compas/compas_DM_highacc.npz", 0.2418, 0.2460), ("compas/compas_DM_highbias.npz", 0.2439, 0.2479)]
    {
        let Some(path) = data(name) else { return };
        let records = read_learning_to_defer(&path).unwrap();
        let parts = records.parts.as_ref().unwrap();
        let of = |part: Part| (0..records.n()).filter(|&case| parts[case] == part).collect::<Vec<_>>();
        let (learned, validation, test) = (of(Part::Train), of(Part::Validation), of(Part::Test));
        assert_eq!((learned.len(), validation.len(), test.len()), (6175, 1543, 3309));
        let train: Vec<usize> = (0..7718).collect();
        assert!(train.iter().all(|&case| parts[case] != Part::Test));
        assert_eq!((records.ids.name(0), records.ids.name(7718)), (Some("train-0"), Some("test-0")));

        let numeric = records.inputs.numeric.as_ref().unwrap();
        assert_eq!((numeric.names.len(), numeric.names[20].as_str(), numeric.names[21].as_str()), (22, "x20", "A"));
        let group = &records.groups[0];
        assert_eq!((group.name.as_str(), group.values.iter().collect::<Vec<_>>()), ("A", vec!["0", "1"]));
        assert!((0..records.n()).all(|case| numeric.values.column(case)[21] == f64::from(group.of_case[case].0)));
        for (cases, base, ones) in [(&train, 0.3386, 0.4951), (&test, 0.3288, 0.5068)] {
            let found = share(cases, |case| is_one(records.labels[case]));
            assert!((found - base).abs() < 5e-5, "{found}");
            let found = share(cases, |case| group.of_case[case].0 == 1);
            assert!((found - ones).abs() < 5e-5, "{found}");
        }

        assert_eq!(records.experts.iter().collect::<Vec<_>>(), ["decision-maker"]);
        assert!(records.decisions.is_complete());
        let decided = |case: usize| records.decisions.get(CaseId::at(case), ExpertId(0));
        for (cases, published) in [(&test, test_error), (&train, train_error)] {
            let error = share(cases, |case| decided(case) != records.labels[case]);
            assert!((error - published).abs() < 1e-4, "{name}: {error}");
        }
        let sure = |case: usize| records.decisions.confidence(CaseId::at(case), ExpertId(0));
        assert!((0..records.n()).all(|case| sure(case).is_some_and(|sure| (0.5..=1.0).contains(&sure))));

        // Who sees the flag of violence never overlooks it.
        let unseen = records.unseen.as_ref().unwrap();
        assert_eq!(unseen.names, ["y2[0]", "y2[1]"]);
        let flagged = |case: usize| unseen.values.column(case)[1] == 1.0;
        let violent: Vec<usize> = (0..records.n()).filter(|&case| flagged(case)).collect();
        assert!((share(&train, flagged) - 0.0806).abs() < 5e-5 && (share(&test, flagged) - 0.0786).abs() < 5e-5);
        assert!(violent.iter().all(|&case| is_one(records.labels[case]) && is_one(decided(case))));
    }
}

#[test]
fn scaling_compas_again_changes_little() {
    let Some(path) = data("compas/compas_DM_highacc.npz") else { return };
    let records = read_learning_to_defer(&path).unwrap();
    let parts = records.parts.as_ref().unwrap();
    let train: Vec<usize> = (0..records.n()).filter(|&case| parts[case] == Part::Train).collect();
    let values = records.inputs.numeric.as_ref().unwrap().values.select(&train);
    for feature in 0..21 {
        let of = || values.iter().map(|column| column[feature]);
        let mean = of().sum::<f64>() / train.len() as f64;
        let deviation = (of().map(|x| (x - mean).powi(2)).sum::<f64>() / train.len() as f64).sqrt();
        assert!(mean.abs() < 0.03 && (deviation - 1.0).abs() < 0.15, "x{feature}: {mean}, {deviation}");
    }
}
