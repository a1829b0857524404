//! Real data for tests.

use std::path::{Path, PathBuf};

/// A file of the shared data folder; `None`, with a visible notice, where there is no such folder.
#[expect(clippy::print_stderr, reason = "skipping must be visible")]
pub(crate) fn data(file: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("DEFERRAL_DATA").map_or(beside, PathBuf::from);
    let path = folder.join(file);
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var_os("DEFERRAL_REQUIRE_DATA").is_some_and(|value| value == "1");
    assert!(!required, "{} is required, but not there", path.display());
    eprintln!("skipped: no data");
    None
}

/// The posts of the offensive language corpus and whether each is offensive or hateful.
pub(crate) fn davidson() -> Option<(Vec<String>, Vec<bool>)> {
    let mut reader = csv::Reader::from_path(data("davidson/labeled_data.csv")?).unwrap();
    let post = |record: csv::StringRecord| (record[6].to_owned(), &record[5] != "2");
    Some(reader.records().map(|record| post(record.unwrap())).unzip())
}

/// The posts of the crowd-sourced corpus.
pub(crate) fn mturk() -> Option<Vec<String>> {
    let mut reader = csv::Reader::from_path(data("mturk/all_results.csv")?).unwrap();
    Some(reader.records().map(|record| record.unwrap()[1].to_owned()).collect())
}
