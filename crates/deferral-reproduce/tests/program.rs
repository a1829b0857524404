//! The program as a user runs it: reports, shares, data that are not as they should be.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use assert_cmd::Command;

const EXPERIMENT: &str = r#"
id = "E1"
title = "A desk"
paper = "nobody-2026"
place = "table 1"
text = "Majority vote against the best expert."

[[study]]
name = "desk"
repetitions = 6
[study.run.compare]
cases.moderation = { cases = 90 }
group = "dialect"
split = { folds = 2 }
methods = ["majority", "best-expert", "joint:steps=5"]

[[study]]
name = "table"
data = ["votes"]
[study.run.compare]
cases.table = { file = "votes/votes.csv", reading = { wide = { pattern = "w*" } } }
split = { folds = 2 }
methods = ["majority"]

[[table]]
title = "Accuracy"
study = "desk"
columns = [{ name = "all", measure = "accuracy" }]
row = [
    { name = "majority", method = "majority", published = [0.9], spread = [0.5] },
    { name = "majority of the table", method = "majority", study = "table", published = [0.9], spread = [0.5] },
    { name = "best expert", method = "best-expert" },
]
"#;

/// A claim about something that no study measures.
const CHECK: &str = r#"check.within = { of = { method = "majority", measure = "luck" }, to = 1.0 }"#;

const PAPERS: &str = r#"
[nobody-2026]
citation = "Nobody, Nothing, 2026"
year = 2026
chapter = "docs/src/papers/nobody.md"
"#;

/// A small table of votes; its size and digest stand in the catalogue.
const VOTES: &str = "task,label,w1,w2,w3\na,1,1,1,0\nb,0,0,0,0\nc,1,1,0,1\nd,0,1,0,0\n";

const CATALOGUE: &str = r#"
[[set]]
name = "votes"
title = "Four votes"
origin = "https://example.org/votes"
licence = "CC0"
citation = "Nobody, 2026"
[[set.file]]
path = "votes/votes.csv"
size = SIZE
sha256 = "SHA"
url = "https://example.org/votes.csv"
"#;

/// A repository with one experiment, whose data are `votes`.
fn repository(votes: Option<&str>) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let sha = deferral_reproduce::catalogue::Sha256::of(&mut VOTES.as_bytes()).unwrap().to_string();
    put("fixtures/experiments/E1.toml", EXPERIMENT);
    put("fixtures/papers.toml", PAPERS);
    put("fixtures/data.toml", &CATALOGUE.replace("SIZE", &VOTES.len().to_string()).replace("SHA", &sha));
    if let Some(votes) = votes {
        put("data/votes/votes.csv", votes);
    }
    root
}

fn reproduce(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("reproduce").unwrap();
    command.env_remove("DEFERRAL_DATA").arg(arguments[0]).arg("--root").arg(root).args(&arguments[1..]);
    command
}

fn stdout(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

fn stderr(command: &mut Command) -> String {
    String::from_utf8(command.assert().failure().get_output().stderr.clone()).unwrap()
}

/// All files below a folder, but for the cache.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "cache" {
                folders.push(path);
            } else if path.is_file() {
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_report_is_the_same_bytes_for_threads_and_shares() {
    let root = repository(Some(VOTES));
    let root = root.path();
    let said = stdout(&mut reproduce(root, &["run", "--jobs", "1"]));
    assert!(said.contains("E1     2 of  2 cells"), "{said}");
    assert!(said.contains("2 of 2 published cells reproduce (100.0 %)"), "{said}");
    let whole = files(&root.join("target/reproduce"));
    assert!(["index.html", "index.md", "E1.html"].iter().all(|name| whole.contains_key(*name)));
    // Without what is kept, and on two threads.
    fs::remove_dir_all(root.join("target/reproduce/cache")).unwrap();
    let again = root.join("again");
    stdout(reproduce(root, &["run", "--jobs", "2", "--out"]).arg(&again));
    assert_eq!(files(&again), whole);
    // Three shares, each without anything kept, and the data gone when they are put together.
    let parts = ["1/3", "2/3", "3/3"].map(|share| {
        fs::remove_dir_all(root.join("target/reproduce/cache")).unwrap();
        let part = root.join(format!("part-{}.json", &share[..1]));
        let said = stdout(reproduce(root, &["run", "--shard", share, "--out"]).arg(&part));
        assert!(said.starts_with(&format!("share {share}: ")), "{said}");
        part
    });
    fs::remove_dir_all(root.join("data")).unwrap();
    let merged = root.join("merged");
    stdout(reproduce(root, &["merge"]).args(&parts).arg("--out").arg(&merged));
    assert_eq!(files(&merged), whole);
    let missing = stderr(reproduce(root, &["merge"]).args(&parts[..2]).arg("--out").arg(root.join("less")));
    assert!(missing.contains("is in none of the parts; there are the shares 1/3, 2/3"), "{missing}");
    assert!(!root.join("less").exists());
}

#[test]
fn data_that_are_missing_altered_or_half_there_are_named_and_nothing_is_skipped_in_silence() {
    let altered = VOTES.replace("a,1", "a,0");
    let half = &VOTES[..20];
    for (votes, named) in [
        (None, "votes/votes.csv is missing"),
        (Some(altered.as_str()), "votes/votes.csv"),
        (Some(half), "votes/votes.csv has 20 bytes of"),
    ] {
        let root = repository(votes);
        let listed = stdout(&mut reproduce(root.path(), &["run", "--list"]));
        assert!(listed.contains("table: not here: ") && listed.contains(named), "{listed}");
        assert!(!root.path().join("target").exists(), "a list runs nothing");
        let said = stdout(&mut reproduce(root.path(), &["run"]));
        assert!(said.contains("E1 `table` is not run here: ") && said.contains(named), "{said}");
        assert!(said.contains("1 of 1 published cells reproduce") && said.contains("1 cannot be run here"), "{said}");
        assert!(said.contains("cargo xtask fetch votes"), "{said}");
        let page = fs::read_to_string(root.path().join("target/reproduce/E1.html")).unwrap();
        assert!(page.contains(named), "the report says it too");
        let here = fs::read_to_string(root.path().join("data/votes/votes.csv")).ok();
        assert_eq!(here.as_deref(), votes, "data are never touched");
    }
}

#[test]
fn what_differs_without_an_explanation_fails_a_full_run() {
    let root = repository(Some(VOTES));
    let file = root.path().join("fixtures/experiments/E1.toml");
    let text = EXPERIMENT.replacen("published = [0.9], spread = [0.5]", "published = [0.1]", 1);
    fs::write(&file, &text).unwrap();
    let said = stderr(&mut reproduce(root.path(), &["run"]));
    assert!(said.contains("these differ, and no file says why:\nE1, Accuracy: row `majority`"), "{said}");
    assert!(root.path().join("target/reproduce/index.html").exists(), "the report is there to be read");
    stdout(&mut reproduce(root.path(), &["run", "--quick"]));
    let slip = format!("{EXPERIMENT}\n[[claim]]\ntext = \"Luck\"\nstudy = \"desk\"\n{CHECK}\n");
    fs::write(&file, slip).unwrap();
    let said = stderr(&mut reproduce(root.path(), &["run"]));
    assert!(said.contains("no file says why:\nE1, claim: Luck"), "{said}");
    let explained =
        text.replace("published = [0.1]", "published = [0.1], differs = \"because\", shown-by = [\"best expert\"]");
    fs::write(&file, explained).unwrap();
    let said = stdout(&mut reproduce(root.path(), &["run"]));
    assert!(said.contains("1 differ and are explained, 0 are not"), "{said}");
}

#[test]
fn wrong_arguments_are_named() {
    let root = repository(Some(VOTES));
    let root = root.path();
    let unknown = stderr(&mut reproduce(root, &["run", "E7"]));
    assert_eq!(unknown.trim(), "error: there is no experiment `E7`; there are: E1");
    let shard = stderr(&mut reproduce(root, &["run", "--shard", "4/3", "--out", "x"]));
    assert!(shard.contains("4/3 must be i/n with i from 1 to n, such as 2/3"), "{shard}");
    let alone = stderr(&mut reproduce(root, &["run", "--shard", "1/3"]));
    assert!(alone.contains("--out"), "{alone}");
    let set = stderr(&mut reproduce(root, &["fetch", "nothing"]));
    assert!(set.contains("nothing") && set.contains("votes"), "{set}");
    let nowhere = stderr(&mut reproduce(&root.join("nowhere"), &["run"]));
    assert!(nowhere.contains("nowhere/fixtures"), "{nowhere}");
    fs::write(root.join("fixtures/experiments/E1.toml"), EXPERIMENT.replace("place =", "plac =")).unwrap();
    let file = stderr(&mut reproduce(root, &["run"]));
    assert!(file.contains("E1.toml: TOML parse error at line 5") && file.contains("plac"), "{file}");
}

#[test]
fn data_sets_are_listed_with_what_is_here() {
    let root = repository(Some(VOTES));
    let listed = stdout(&mut reproduce(root.path(), &["fetch", "--list", "votes"]));
    for part in ["votes", "CC0", "https://example.org/votes.csv"] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    // What is already there needs no network.
    let fetched = stdout(&mut reproduce(root.path(), &["fetch", "votes"]));
    assert!(fetched.contains("0 fetched, 1 already there, 0 to be got by hand"), "{fetched}");
}
