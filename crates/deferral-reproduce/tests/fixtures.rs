//! The experiments and the catalogue of the repository.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::PathBuf;

use deferral_reproduce::catalogue::Catalogue;
use deferral_reproduce::experiment::Experiment;
use deferral_reproduce::plan::{Plan, Wanted};

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn experiments() -> Vec<Experiment> {
    let names = (1..=13).map(|at| fixtures().join(format!("experiments/E{at}.toml")));
    names.map(|path| Experiment::read(&path).unwrap()).collect()
}

#[test]
fn every_experiment_has_its_file_and_its_files_name_their_data() {
    let catalogue = Catalogue::read(&fixtures().join("data.toml")).unwrap();
    for (at, experiment) in experiments().iter().enumerate() {
        assert_eq!(experiment.id, format!("E{}", at + 1));
        for study in &experiment.studies {
            for set in &study.data {
                assert!(catalogue.get(set).is_some(), "{} {}: {set}", experiment.id, study.name);
            }
        }
        let rows = experiment.tables.iter().flat_map(|table| &table.rows).filter(|row| row.differs.is_some());
        for row in rows {
            assert!(!row.shown_by.is_empty(), "{} `{}`: no run is behind the explanation", experiment.id, row.name);
        }
    }
}

/// Every method that a table, a claim or a figure of methods names is one that its study runs.
#[test]
fn rows_name_methods_that_are_run() {
    let plan = Plan::of(experiments(), Wanted::default(), &mut |_| Ok(Ok("digest".to_owned()))).unwrap();
    assert!(plan.not_here.is_empty());
    for experiment in &plan.experiments {
        for table in &experiment.tables {
            for row in &table.rows {
                let study = experiment.study(row.study.as_ref().unwrap_or(&table.study)).unwrap();
                let runs = study.all_methods().unwrap();
                assert!(runs.contains(&row.method), "{} `{}`: `{}`", experiment.id, row.name, row.method);
            }
        }
        for equal in &experiment.equal_labels {
            let runs = |study: &str| experiment.study(study).unwrap().all_methods().unwrap();
            assert!(equal.methods.iter().all(|method| runs(&equal.study).contains(method)), "{}", equal.title);
            for curve in &equal.curves {
                let study = curve.study.as_ref().unwrap_or(&equal.study);
                assert!(curve.methods.iter().all(|method| runs(study).contains(method)), "{}", curve.name);
            }
        }
    }
}
