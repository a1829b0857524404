//! Cases that come divided, in a column or in a file of learning to defer.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(clippy::print_stderr, reason = "a skipped test is said to be")]

mod common;

use std::path::PathBuf;

use common::{Desk, table};

const COMPARE: &str = "compare --cases cases.csv --decisions labels.csv --method majority";

/// The desk with cases whose last six are to be decided and the six before those held out.
fn divided_desk() -> Desk {
    let desk = Desk::with_cases();
    let rows: Vec<String> = desk.text("cases.csv").lines().skip(1).map(str::to_owned).collect();
    let part = |case: usize| {
        if case < 12 {
            "train"
        } else if case < 18 {
            "dev"
        } else {
            "test"
        }
    };
    desk.write(
        "cases.csv",
        table("task,a,b,text,group,label,split", 24, |case| format!("{},{}", rows[case], part(case))),
    );
    desk
}

fn tested(desk: &Desk, line: &str) -> serde_json::Value {
    desk.json(&format!("{line} --out r.json --json"));
    let report: serde_json::Value = serde_json::from_str(&desk.text("r.json")).unwrap();
    report["parameters"].as_array().unwrap().iter().find(|pair| pair[0] == "split").unwrap()[1].clone()
}

#[test]
fn a_given_division_is_the_default_and_can_be_overruled() {
    let desk = divided_desk();
    assert_eq!(tested(&desk, COMPARE), "given");
    assert!(desk.ok(COMPARE).contains("1 x 1 test sets"));
    assert_eq!(tested(&desk, &format!("{COMPARE} --split given")), "given");
    assert_eq!(tested(&desk, &format!("{COMPARE} --split shuffled")), "ShuffledFolds { k: 5 }");
    let undivided = Desk::with_cases();
    assert_eq!(tested(&undivided, COMPARE), "ShuffledFolds { k: 5 }");
    undivided.refuses(
        &format!("{COMPARE} --split given"),
        &["the cases do not come divided", "--column split=NAME", "another --split"],
    );
    // A column of another name needs its role.
    let renamed = divided_desk();
    renamed.write("cases.csv", renamed.text("cases.csv").replacen("split", "fold", 1));
    assert_eq!(tested(&renamed, COMPARE), "ShuffledFolds { k: 5 }");
    assert_eq!(tested(&renamed, &format!("{COMPARE} --column split=fold")), "given");
}

#[test]
fn a_file_of_learning_to_defer_needs_no_options() {
    let desk = Desk::new();
    desk.write("x.npz", "no archive");
    let audit = "audit --cases x.npz";
    desk.refuses(audit, &["x.npz: this is not a .npz archive (", "write it with numpy.savez"]);
    for option in [
        "--decisions labels.csv",
        "--wide 'Expert *'",
        "--missing -",
        "--column text=a",
        "--decision-column worker=a",
        "--numeric",
        "--map-label 1=0",
        "--unknown-tasks drop",
        "--dialect folder",
    ] {
        let name = option.split(' ').next().unwrap();
        let expected = format!("{name} is about tables, but x.npz is read as a file of learning to defer");
        desk.refuses(&format!("{audit} {option}"), &[&expected, &format!("leave {name} out")]);
    }
    desk.refuses("audit --cases none.npz", &["cannot read none.npz", "check the path"]);
}

/// The file in the data folder, if there is one.
fn data(name: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("DEFERRAL_DATA").map_or_else(beside, PathBuf::from);
    let path = folder.join(name);
    if let Ok(path) = path.canonicalize() {
        return Some(path);
    }
    assert!(std::env::var_os("DEFERRAL_REQUIRE_DATA").is_none_or(|v| v != "1"), "no data at {}", path.display());
    eprintln!("skipped: no data");
    None
}

#[test]
fn the_published_decision_makers_on_the_published_division() {
    for (file, error) in [("highacc", 0.2418), ("highbias", 0.2439)] {
        let Some(path) = data(&format!("compas/compas_DM_{file}.npz")) else { return };
        let compare = format!("compare --cases '{}' --group A --method majority --json", path.display());
        let comparison = Desk::new().json(&compare);
        let row = &comparison["rows"][0];
        assert_eq!(comparison["groups"], serde_json::json!(["0", "1"]));
        let accuracy = row["accuracy"]["mean"].as_f64().unwrap();
        assert!((1.0 - accuracy - error).abs() < 1e-4, "{row}");
    }
}
