//! The published tables, as they are.

#![allow(clippy::print_stderr, reason = "a skipped test is said to be")]

use std::path::PathBuf;

use deferral_core::{ExpertId, Label};
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

#[test]
fn mturk() {
    let Some(path) = data("mturk/all_results.csv") else { return };
    let options = ReadOptions::default()
        .column(Role::Text, "Tweet")
        .column(Role::Label, "True Label")
        .column(Role::Group, "Dialect")
        .wide("Expert *", ["-"]);
    let records = Records::from_wide(&path, &options).unwrap();
    assert_eq!((records.n(), records.experts.len(), records.decisions.len()), (1471, 176, 12_408));
    assert_eq!((records.ids.name(0), records.ids.name(1470)), (Some("1"), Some("1471")));
    assert_eq!(records.experts.name(175), Some("Expert 176"));
    assert_eq!(records.label_names.iter().collect::<Vec<_>>(), ["0", "1"]);
    assert_eq!(records.labels.iter().filter(|label| **label == Some(Label(1))).count(), 983);
    let dialect = &records.groups[0];
    let one = dialect.values.position("1").unwrap();
    assert_eq!((dialect.name.as_str(), dialect.counts()[one], dialect.len()), ("Dialect", 727, 2));
    let report = &records.report.decisions;
    assert_eq!((report.rows, report.kept, report.experts_without_decisions), (1471, 1471, 6));
    let silent = (0..176).filter(|&e| records.decisions.of_expert(ExpertId::at(e)).is_empty()).count();
    assert_eq!(silent, 6);
    assert_eq!(records.report.cases.cases_without_text, 0);
    let ones = records.decisions.iter().filter(|(_, vote)| vote.label == Label(1)).count();
    assert_eq!(ones, 9321);
}

#[test]
fn mturk_majority_is_as_published() {
    let Some(path) = data("mturk/all_results.csv") else { return };
    let options = ReadOptions::default().column(Role::Label, "True Label").wide("Expert *", ["-"]);
    let records = Records::from_wide(&path, &options).unwrap();
    let right = |case: usize| {
        let votes = records.decisions.of_case(deferral_core::CaseId::at(case)).labels;
        let ones = votes.iter().filter(|label| **label == Label(1)).count();
        records.labels[case] == Some(Label::at(usize::from(2 * ones > votes.len())))
    };
    let accuracy = (0..records.n()).filter(|&case| right(case)).count() as f64 / records.n() as f64;
    assert!((accuracy - 0.8681).abs() < 5e-5, "{accuracy}");
}

#[test]
fn davidson() {
    let Some(path) = data("davidson/labeled_data.csv") else { return };
    let options = ReadOptions::default().column(Role::Text, "tweet").column(Role::Label, "class");
    let cases = read_cases(&path, &options).unwrap();
    assert_eq!((cases.ids.len(), cases.inputs.n(), cases.report.rows), (24_783, 24_783, 24_783));
    assert_eq!(cases.label_names.iter().collect::<Vec<_>>(), ["0", "1", "2"]);
    let offensive = cases.labels.iter().filter(|label| label.is_some_and(|l| l < Label(2))).count();
    assert!((offensive as f64 / 24_783.0 - 0.8320).abs() < 5e-5, "{offensive}");
    let texts = cases.inputs.text.unwrap();
    assert!(texts.iter().any(|text| text.contains('\n')) && texts.iter().all(|text| !text.is_empty()));
    assert_eq!(cases.report.unused_columns, ["", "count", "hate_speech", "offensive_language", "neither"]);

    let label_map = vec![("0".to_owned(), "1".to_owned()), ("2".to_owned(), "0".to_owned())];
    let two = read_cases(&path, &ReadOptions { label_map, ..options }).unwrap();
    assert_eq!(two.labels.iter().filter(|label| **label == Some(Label(1))).count(), offensive);
}
