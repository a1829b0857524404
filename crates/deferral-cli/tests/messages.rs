//! Bad input: exit code 2, a message that names the offending thing and says what to do, nothing written, no panic.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{Desk, table};
use deferral_eval::Model;

const AUDIT: &str = "audit --cases cases.csv --decisions labels.csv";
/// A comparison that takes no time.
const COMPARE: &str = "compare --cases cases.csv --decisions labels.csv --folds 3";
const FIT: &str = "fit --cases cases.csv --decisions labels.csv --out model.dfr";

/// What `audit` says when one of the tables holds `content`.
fn refused_table(name: &str, content: impl AsRef<[u8]>, options: &str, parts: &[&str]) -> String {
    let desk = Desk::with_cases();
    desk.write(name, content);
    desk.refuses(&format!("{AUDIT} {options}"), parts)
}

#[test]
fn a_missing_file() {
    let desk = Desk::with_cases();
    desk.ok(&format!("{FIT} --method majority"));
    for line in [
        "audit --cases nope.csv --decisions labels.csv",
        "audit --cases cases.csv --decisions nope.csv",
        "fit --cases nope.csv --decisions labels.csv --out m.dfr",
        "decide --model model.dfr --cases nope.csv --out routes.csv",
        "decide --model model.dfr --cases cases.csv --costs nope.csv --out routes.csv",
        "simulate experts --cases nope.csv --group g --biased-against north --decisions-out e.csv",
    ] {
        desk.refuses(line, &["cannot read nope.csv", "check the path"]);
    }
    desk.refuses("decide --model nope.dfr --cases cases.csv --out r.csv", &["cannot read nope.dfr"]);
    desk.refuses("evaluate --model nope.dfr --cases cases.csv", &["cannot read nope.dfr"]);
    desk.refuses(&format!("{COMPARE} --vectors nope.txt"), &["cannot read nope.txt"]);
    desk.refuses(&format!("{AUDIT} --dialect nope"), &["cannot read nope/model_count_table.txt"]);
    desk.refuses("audit --cases . --decisions labels.csv", &["cannot read .", "not a regular file"]);
}

#[test]
fn bytes_that_are_not_text() {
    let content = b"task,worker,label\nt0,ann,1\nt1,b\xffb,1\n";
    let parts = ["labels.csv, row 3, column `worker`: not UTF-8", "save the file as UTF-8", "labels.csv:3:1", "t1,b"];
    refused_table("labels.csv", content, "", &parts);
    let parts = ["cases.csv, row 2, column `text`: not UTF-8", "save the file as UTF-8"];
    refused_table("cases.csv", b"task,text\nt0,\xe4\n", "", &parts);
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    // `Desk::run` refuses an escape code in any output.
    refused_table("labels.csv", "task,worker,label\nt0,\u{1b}[31mann\n", "", &["row 2: the row has 2 cells"]);
    refused_table("cases.csv", "task,a\nt0,\u{1b}[31mx\u{7}\n", "--numeric", &["row 2, column `a`", "is not a number"]);
    refused_table("labels.csv", "task,worker,label\nt\u{1b}[2J,ann,1\n", "", &["row 2, column `label`: task `t"]);
}

#[test]
fn a_wrong_column() {
    let table = "task,who,label\nt0,ann,1\n";
    let parts = ["labels.csv: no column for the role worker", "`annotator`", "present are `task`, `who`, `label`"];
    refused_table("labels.csv", table, "", &parts);
    // The decisions have an option of their own: the advice must not send to that of the cases.
    refused_table("labels.csv", table, "", &["help: this is the table of decisions: write --decision-column"]);
    let parts = ["labels.csv, column `nobody`: there is no such column for the role worker", "--decision-column"];
    refused_table("labels.csv", table, "--decision-column worker=nobody", &parts);
    let desk = Desk::with_cases();
    desk.write("labels.csv", table);
    desk.ok(&format!("{AUDIT} --decision-column worker=who"));

    let missing = desk.refuses(&format!("{AUDIT} --column text=post"), &["cases.csv, column `post`", "role text"]);
    assert!(missing.contains("correct --column text=NAME") && !missing.contains("--decision-column"), "{missing}");
    desk.refuses(&format!("{AUDIT} --column txt=text"), &["`txt=text` is not of the form ROLE=NAME", "the roles are"]);
    desk.refuses(&format!("{AUDIT} --column text"), &["`text` is not of the form ROLE=NAME: there is no `=`"]);
    desk.refuses(&format!("{AUDIT} --map-label 2"), &["`2` is not of the form FROM=TO"]);
    desk.refuses(&format!("{AUDIT} --column task=a --column task=b"), &["role task is given to both `a` and `b`"]);
}

#[test]
fn ambiguous_columns() {
    let parts = ["both `task` and `item` could be the task", "choose with --column task=task or --column task=item"];
    refused_table("cases.csv", "task,item,text\nt0,1,x\n", "", &parts);
    let table = "task,worker,annotator,label\nt0,a,b,1\n";
    let parts = ["labels.csv: both `worker` and `annotator` could be the worker", "--decision-column"];
    refused_table("labels.csv", table, "", &parts);
    let parts = ["cases.csv, row 1, column `text`: columns 2 and 3 have the same name", "rename one of them"];
    refused_table("cases.csv", "task,text,text\nt0,1,x\n", "", &parts);
}

#[test]
fn duplicates() {
    let table = "task,worker,label\nt0,ann,1\nt1,ann,1\nt0,ann,0\n";
    let parts = ["labels.csv, rows 2 and 4: worker `ann` labels task `t0` twice; keep one of them"];
    refused_table("labels.csv", table, "", &parts);
    let parts = ["cases.csv, rows 2 and 3: two cases are called `t0`; rename or remove one of them"];
    refused_table("cases.csv", "task,text\nt0,x\nt0,y\n", "", &parts);
}

#[test]
fn decisions_on_unknown_tasks() {
    let table = "task,worker,label\nt0,ann,1\nx9,ann,1\nx9,bob,0\n";
    let message =
        refused_table("labels.csv", table, "", &["labels.csv, row 3, column `label`: task `x9` is not in cases.csv"]);
    assert!(message.contains("--unknown-tasks drop"), "{message}");
    let desk = Desk::with_cases();
    desk.write("labels.csv", table);
    let text = desk.ok(&format!("{AUDIT} --unknown-tasks drop"));
    assert!(text.contains("2 decisions on 1 unknown tasks dropped"), "{text}");
    let read = desk.json(&format!("{AUDIT} --unknown-tasks drop --json"));
    assert_eq!((&read["read"]["unknown_tasks"], &read["decisions"]), (&1.into(), &1.into()));
}

#[test]
fn features_that_are_not_numbers() {
    for value in ["NaN", "inf", "-Infinity", "1e999"] {
        let table = format!("task,a\nt0,1\nt1,{value}\n");
        let expected = format!("cases.csv, row 3, column `a`: `{value}` is not a finite number; correct it");
        refused_table("cases.csv", &table, "--numeric", &[&expected]);
        refused_table("cases.csv", &table, "--column feature=a", &[&expected]);
    }
    let parts = ["cases.csv, row 2, column `a`: `old` is not a number", "leave the column out of the features"];
    refused_table("cases.csv", "task,a\nt0,old\n", "--numeric", &parts);
    let parts = ["cases.csv, row 3, column `a`: the feature is missing; fill it in"];
    refused_table("cases.csv", "task,a\nt0,1\nt1,\n", "--numeric", &parts);
    let parts = ["cases.csv, column `age`: there is no such column for the role feature", "present are `task`, `a`"];
    refused_table("cases.csv", "task,a\nt0,1\n", "--column feature=age", &parts);
}

#[test]
fn rows_and_files_of_the_wrong_shape() {
    let parts =
        ["labels.csv, row 3: the row has 2 cells, the header 3; check its separators and quotes", "labels.csv:3:1"];
    refused_table("labels.csv", "task,worker,label\nt0,ann,1\nt1,ann\n", "", &parts);
    let parts = ["cases.csv, row 2: a quote is opened and never closed; close it"];
    refused_table("cases.csv", "task,text\nt0,\"x\nt1,y\n", "", &parts);
    refused_table("labels.csv", "", "", &["labels.csv is empty; a table has a header"]);
    refused_table("cases.csv", "", "", &["cases.csv is empty; a table has a header"]);
    refused_table("cases.csv", "task,text\n", "", &["cases.csv has a header but no rows; add rows"]);
    let desk = Desk::with_cases();
    desk.write("labels.txt", "task,worker,label\nt0,ann,1\n");
    let parts = ["labels.txt: the name does not say the format; call it .csv"];
    desk.refuses("audit --cases cases.csv --decisions labels.txt", &parts);
    desk.write("labels.jsonl", "{\"task\":\"t0\",\"worker\":\"ann\",\"label\":1}\nnope\n");
    let parts = ["labels.jsonl, row 2: not JSON at character", "write one JSON object a line"];
    desk.refuses("audit --cases cases.csv --decisions labels.jsonl", &parts);
}

#[test]
fn a_single_class() {
    let desk = Desk::with_cases();
    desk.write("cases.csv", table("task,a,label", 24, |case| format!("t{case},{case},1")));
    for method in ["joint:steps=5", "classifier", "random-committee", "best-expert"] {
        let parts = ["all 24 training cases have the label `1`; learning needs at least two classes"];
        desk.refuses(&format!("{FIT} --numeric --method {method}"), &parts);
    }
    let parts = ["method `classifier` (repetition 1, fold 1): all 16 training cases have the label `1`"];
    desk.refuses(&format!("{COMPARE} --numeric --method classifier --out a.csv"), &parts);
    // Counting votes needs no second class.
    assert!(desk.ok(&format!("{COMPARE} --numeric --method majority")).contains("majority"));
    desk.ok(&format!("{FIT} --numeric --method majority"));
}

#[test]
fn no_gold_label() {
    let desk = Desk::with_cases();
    desk.write("cases.csv", table("task,a", 24, |case| format!("t{case},{case}")));
    desk.refuses(&format!("{COMPARE} --numeric"), &["none of the 24 cases has a gold label"]);
    desk.refuses(
        &format!("{FIT} --numeric"),
        &["no case to learn from has a gold label, and `joint` learns from them; name their column with --column label=NAME"],
    );
    let audit = desk.json(&format!("{AUDIT} --json"));
    assert_eq!((&audit["cases_without_label"], &audit["majority"]), (&24.into(), &serde_json::Value::Null));
    let known = Desk::with_cases();
    known.ok(&format!("{FIT} --method majority"));
    known.write("cases.csv", "task,a\nt0,1\n");
    let line = "evaluate --model model.dfr --cases cases.csv --decisions labels.csv --unknown-tasks drop";
    known.refuses(line, &["no case has a gold label to compare with", "--column label=NAME"]);
}

/// 60 cases of which one belongs to a group of its own.
fn desk_with_a_rare_group() -> Desk {
    let desk = Desk::with_posts(60);
    let posts = desk.text("posts.csv");
    let (header, rows) = posts.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let region = |at: usize| if at == 0 { "rare" } else { ["x", "y"][at % 2] };
    desk.write(
        "posts.csv",
        table(&format!("{header},region"), rows.len(), |at| format!("{},{}", rows[at], region(at))),
    );
    desk
}

#[test]
fn a_group_without_a_case_in_a_fold_is_no_failure() {
    let desk = desk_with_a_rare_group();
    let compare = "compare --cases posts.csv --decisions labels.csv --group region --set steps=5 --set hidden=4 \
                   --method majority --method classifier --method fair-committee --method balanced --method joint";
    let folds = desk.json(&format!("{compare} --split contiguous --folds 3 --json"));
    assert_eq!(folds["groups"], serde_json::json!(["rare", "y", "x"]));
    for row in folds["rows"].as_array().unwrap() {
        assert_eq!(row["by_group"][0]["n"], 1, "the one fold that had it: {row}");
        assert_eq!((&row["by_group"][1]["n"], &row["worst_group"]["n"]), (&3.into(), &3.into()));
    }
    // One random division: the only case of the group is tested in some and not in others.
    let random = |seed: usize| desk.ok(&format!("{compare} --split random --seed {seed} --out r.md --out r.csv"));
    let (mut tested, mut untested) = (0, 0);
    for seed in 1..=12 {
        let table = random(seed);
        let header = table.lines().next().unwrap();
        assert!(header.contains("rare") && header.contains("worst group"), "{table}");
        let cells: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(cells[0], "majority");
        // method, accuracy, rare, x, y, ...
        match cells[2] {
            "-" => {
                untested += 1;
                assert!(desk.text("r.md").contains("| - |"));
                assert!(desk.text("r.csv").lines().nth(1).unwrap().contains(",,,"));
            }
            _ => tested += 1,
        }
    }
    assert!(tested > 0 && untested > 0, "{tested} {untested}");
    desk.ok("fit --cases posts.csv --decisions labels.csv --group region --method fair-committee --out fair.dfr");
    let header = "task,text,region\n";
    desk.write("new.csv", format!("{header}n1,a quiet match,x\n"));
    desk.ok("decide --model fair.dfr --cases new.csv --out routes.csv");
    desk.write("new.csv", format!("{header}n1,a quiet match,z\n"));
    let parts = ["group attribute region has the value `z`, which was not there in training"];
    desk.refuses("decide --model fair.dfr --cases new.csv --out routes2.csv", &parts);
    desk.write("new.csv", "task,text\nn1,a quiet match\n");
    let parts = ["new.csv, column `region`: there is no such column for the role group"];
    desk.refuses("decide --model fair.dfr --cases new.csv --out routes2.csv", &parts);
}

#[test]
fn an_expert_without_labels_stays_in_the_roster() {
    let desk = Desk::new();
    let row = |case: usize| format!("{},{},{},-,1", case % 4, case % 2, case % 2);
    desk.write("wide.csv", table("a,label,w1,w2,w3", 24, row));
    let wide = "--cases wide.csv --wide w* --missing - --column feature=a";
    let text = desk.ok(&format!("audit {wide}"));
    assert!(text.contains("48 decisions of 3 experts; 1 experts without decisions"), "{text}");
    let audit = desk.json(&format!("audit {wide} --json"));
    assert_eq!((&audit["experts"], &audit["active_experts"]), (&3.into(), &2.into()));
    assert_eq!(audit["read"]["decisions"]["experts_without_decisions"], 1);
    let silent = audit["roster"].as_array().unwrap().last().unwrap();
    assert_eq!((&silent["expert"], &silent["answered"]), (&"w2".into(), &0.into()));
    assert_eq!(silent["accuracy"], serde_json::Value::Null);
    let methods = "--method majority --method best-expert --method joint:steps=5,hidden=4 --folds 3";
    let rows = desk.json(&format!("compare {wide} {methods} --json"));
    assert_eq!(rows["rows"][0]["labels_per_case"], 2.0);
    desk.ok(&format!("fit {wide} --method joint:steps=5,hidden=4 --out m.dfr"));
    desk.ok(&format!("decide {wide} --model m.dfr --out routes.csv"));
}

#[test]
fn no_expert_at_all() {
    let desk = Desk::with_cases();
    let parts =
        ["cases.csv: no expert column matches the pattern `w*`", "present are `task`, `a`", "correct --wide PATTERN"];
    desk.refuses("audit --cases cases.csv --wide w*", &parts);
    desk.refuses("compare --cases cases.csv --wide w* --out a.md", &parts);
    desk.refuses("audit --cases cases.csv", &["where are the decisions?", "--decisions FILE", "--wide PATTERN"]);
    desk.write("wide.csv", "a,label,w1,w2\n1,0,,\n2,1,,\n3,0,,\n4,1,,\n");
    desk.refuses("audit --cases wide.csv --wide w*", &["there is no decision to audit"]);
    for method in ["majority", "best-expert", "joint", "random-committee"] {
        let line = format!("fit --cases wide.csv --wide w* --column feature=a --method {method} --out m.dfr");
        desk.refuses(&line, &["no expert decided any training case; without experts use the method `classifier`"]);
    }
    desk.ok("fit --cases wide.csv --wide w* --column feature=a --method classifier --out m.dfr");
    desk.write("labels.csv", "task,worker,label\n");
    for command in [AUDIT, FIT, COMPARE] {
        desk.refuses(command, &["labels.csv has a header but no rows; add rows, or leave the file out"]);
    }
}

#[test]
fn a_committee_larger_than_the_experts() {
    let desk = Desk::with_cases();
    for (method, voters) in [("joint:steps=2,hidden=4,k=5", 4), ("best-expert:k=4", 3), ("random-committee:k=9", 3)] {
        let expected = format!("but must be between 1 and the {voters} voters there are");
        let name = format!("method `{method}` (repetition 1, fold 1): the committee size k is");
        desk.refuses(&format!("{COMPARE} --method {method} --out a.csv"), &[&name, &expected]);
        desk.refuses(&format!("{FIT} --method {method}"), &["the committee size k is", &expected]);
    }
    desk.refuses(&format!("{FIT} --method best-expert:k=0"), &["the committee size k is 0, but must be between 1 and"]);
}

#[test]
fn word_vectors_of_the_wrong_length() {
    let desk = Desk::with_cases();
    desk.write("v.txt", "yes 1 2 3\nno 1 2\n");
    let fit = format!("{FIT} --features vectors --method classifier");
    let parts = ["v.txt, line 2: `no` has 2 numbers, but 3 are expected, as on the first line"];
    desk.refuses(&format!("{fit} --vectors v.txt"), &parts);
    desk.write("v.txt", "yes 1 2 3\nno 1 x 3\n");
    desk.refuses(&format!("{fit} --vectors v.txt"), &["v.txt, line 2: number 2 of `no` is `x`, not a finite number"]);
    desk.write("v.txt", "");
    desk.refuses(&format!("{fit} --vectors v.txt"), &["v.txt holds no word vector; each line must be a word"]);
    desk.refuses(&fit, &["mean word vectors need a file of word vectors; name one, or use `svd`"]);
    desk.write("v.txt", "yes 1 2 3\nno 1 2 4\n");
    desk.ok(&format!("{fit} --vectors v.txt"));
}

/// Bytes before the kind and the payload of an artifact.
const HEADER: usize = 56;

/// A fitted model as bytes, and a way to load others.
fn artifact(desk: &Desk, method: &str) -> (Vec<u8>, impl Fn(&[u8]) -> Result<Model, String>) {
    desk.ok(&format!("{FIT} --numeric --column text=text --method {method}"));
    let path = desk.path("damaged.dfr");
    let load = move |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Model::load(&path).map_err(|e| e.to_string())
    };
    (desk.read("model.dfr"), load)
}

#[test]
fn an_artifact_that_was_cut_off() {
    let desk = Desk::with_cases();
    for method in ["majority", "joint:steps=2,hidden=2,features=numeric"] {
        let (bytes, load) = artifact(&desk, method);
        load(&bytes).unwrap();
        // Every byte of the header and of a small model, some hundred places of a large one.
        let step = (bytes.len() / 400).max(1);
        for end in (0..bytes.len().min(200)).chain((200..bytes.len()).step_by(step)).chain([bytes.len() - 1]) {
            let message = load(&bytes[..end]).unwrap_err();
            let expected = if end < 8 { "is not a deferral artifact" } else { "it was cut off or added to" };
            assert!(message.contains("damaged.dfr") && message.contains(expected), "{end}: {message}");
        }
        let message = load(&[&bytes[..], b"!"].concat()).unwrap_err();
        assert!(message.contains("it was cut off or added to"), "{message}");
    }
    let bytes = desk.read("model.dfr");
    for (end, expected) in
        [(0, "is not a deferral artifact"), (20, "cut off"), (60, "cut off"), (bytes.len() - 1, "cut off")]
    {
        desk.write("damaged.dfr", &bytes[..end]);
        desk.refuses("decide --model damaged.dfr --cases cases.csv --out r.csv", &["damaged.dfr", expected]);
        desk.refuses("evaluate --model damaged.dfr --cases cases.csv", &["damaged.dfr", expected]);
    }
    let parts = ["cases.csv is not a deferral artifact"];
    desk.refuses("decide --model cases.csv --cases cases.csv --out r.csv", &parts);
}

#[test]
fn an_artifact_with_a_flipped_bit() {
    let desk = Desk::with_cases();
    let (bytes, load) = artifact(&desk, "joint:steps=2,hidden=2,features=numeric");
    let flipped = |bit: usize| {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    };
    for bit in (0..HEADER * 8).chain((HEADER * 8..bytes.len() * 8).step_by(bytes.len() / 40 + 1)) {
        let message = load(&flipped(bit)).unwrap_err();
        let expected = match bit / 8 {
            0..8 => "is not a deferral artifact",
            8..12 if bit > 64 => "use a newer deferral",
            12..24 => "its header promises",
            _ => "its checksum does not match; write it again",
        };
        assert!(message.contains("damaged.dfr") && message.contains(expected), "bit {bit}: {message}");
    }
    for (bit, expected) in
        [(3, "not a deferral artifact"), (70, "newer deferral"), (100, "promises"), (300, "checksum")]
    {
        desk.write("damaged.dfr", flipped(bit));
        desk.refuses("decide --model damaged.dfr --cases cases.csv --out r.csv", &["damaged.dfr", expected]);
    }
}

#[test]
fn a_model_for_other_features() {
    let desk = Desk::with_cases();
    let two = "--column feature=a --column feature=b --features numeric";
    desk.ok(&format!("{FIT} {two} --method joint:steps=5,hidden=4"));
    desk.write("other.csv", "task,a,c,text\nt0,1,2,yes\n");
    let decide = "decide --model model.dfr --cases other.csv --out routes.csv";
    let parts = ["the numeric columns are not those of the training cases: `b` missing, `c` not known"];
    desk.refuses(&format!("{decide} --column feature=a --column feature=c"), &parts);
    desk.refuses(decide, &["`a`, `b` missing, none not known"]);
    desk.refuses("evaluate --model model.dfr --cases other.csv", &["`a`, `b` missing"]);
    // The order of the columns does not matter.
    desk.write("other.csv", "task,b,a\nt0,1,2\n");
    desk.ok(&format!("{decide} --column feature=b --column feature=a"));

    desk.ok(&format!("{FIT} --method classifier"));
    desk.write("other.csv", "task,a\nt0,1\n");
    let parts = ["these features are made from a text, but the cases have none; name the column that holds it"];
    desk.refuses("decide --model model.dfr --cases other.csv --out r.csv", &parts);
    desk.write("other.csv", "task,text,a\nt0,yes,1\n");
    let parts = ["the numeric columns are not those of the training cases: none missing, `a` not known"];
    desk.refuses("decide --model model.dfr --cases other.csv --numeric --out r.csv", &parts);
}

#[test]
fn votes_of_unknown_people() {
    let desk = Desk::with_cases();
    desk.ok(&format!("{FIT} --method majority"));
    desk.write("votes.csv", "task,worker,label\nt0,ann,1\nt0,zed,0\nt1,zed,0\nt1,yan,0\n");
    let decide = "decide --model model.dfr --cases cases.csv --decisions votes.csv";
    let parts =
        ["2 of the 3 experts in the votes are not known to this model, such as `zed`", "--unknown-experts drop"];
    desk.refuses(&format!("{decide} --out routes.csv"), &parts);
    desk.refuses("evaluate --model model.dfr --cases cases.csv --decisions votes.csv", &parts);
    for out in ["", "--out routes.csv", "--out routes.csv --json"] {
        let run = desk.run(&format!("{decide} --unknown-experts drop {out}"));
        assert_eq!((run.code, run.err.as_str()), (Some(0), "note: 3 votes of unknown experts left out\n"), "{out}");
        assert!(!run.out.contains("note"), "{}", run.out);
    }
    let routes = deferral_data::read_routes(&desk.path("routes.csv"), None).unwrap();
    assert_eq!((&routes[0].experts, routes[0].label.as_deref()), (&vec!["ann".to_owned()], Some("1")));
    let found =
        desk.json("evaluate --model model.dfr --cases cases.csv --decisions votes.csv --unknown-experts drop --json");
    assert_eq!(found["dropped_votes"], 3);
}

#[test]
fn labels_that_the_model_does_not_know() {
    let desk = Desk::with_cases();
    desk.ok(&format!("{FIT} --method majority"));
    desk.write("votes.csv", "task,worker,label\nt0,ann,2\n");
    let decide = "decide --model model.dfr --cases cases.csv --decisions votes.csv --out routes.csv";
    desk.refuses(
        decide,
        &["the votes contain `2`, which this model does not know; it knows 0, 1", "--map-label '2=LABEL'"],
    );
    desk.ok(&format!("{decide} --map-label 2=1"));
    desk.write("other.csv", "task,label\nt0,1\nt1,perhaps\n");
    let evaluate = "evaluate --model model.dfr --cases other.csv";
    desk.refuses(evaluate, &["the true labels contain `perhaps`, which this model does not know; it knows 0, 1"]);
    desk.ok(&format!("{evaluate} --map-label perhaps=0"));
}

#[test]
fn methods_and_settings() {
    let desk = Desk::with_cases();
    let refuse = |options: &str, parts: &[&str]| {
        desk.refuses(&format!("{COMPARE} {options} --out a.html"), parts);
    };
    refuse("--method jont", &["there is no method `jont`; known: majority, wawa, zero-based-skill"]);
    refuse("--method majority --method ''x''", &["there is no method `x`"]);
    refuse("--method joint:kk=3", &["method `joint` has no setting `kk`; it has: k, draw"]);
    refuse("--method majority:steps=3", &["method `majority` has no setting `steps`; it has: k, draw"]);
    refuse("--method joint:k", &["method `joint`: `k` is not of the form key=value"]);
    refuse("--method joint:k=many", &["method `joint`: k=many must be a whole number"]);
    refuse("--method joint:k=-1", &["method `joint`: k=-1 must be a whole number"]);
    refuse("--method joint:steps=2.5", &["method `joint`: steps=2.5 must be a whole number"]);
    refuse("--method joint:rate=fast", &["method `joint`: rate=fast must be a finite number"]);
    for key in ["rate", "lambda", "bias", "dropout"] {
        for value in ["NaN", "inf"] {
            let expected = format!("method `joint`: {key}={value} must be a finite number");
            refuse(&format!("--method joint:{key}={value}"), &[&expected]);
        }
    }
    refuse("--method joint:tie=coin", &["method `joint`: tie=coin must be one of lowest, random, classifier"]);
    refuse("--method joint:alpha=1", &["method `joint`: alpha=1 must be head-start, where-wrong, or alpha1/alpha2"]);
    refuse("--method joint:hidden=4-x", &["hidden=4-x must be `none` or layer widths up to 10000 such as 128-32"]);
    refuse("--method joint:hidden=0", &["the width of a layer is 0, but must be 1 or more"]);
    refuse("--method joint:steps=0", &["the number of steps is 0, but must be 1 or more"]);
    refuse("--method joint:batch=0", &["the batch size is 0, but must be 1 or more"]);
    refuse("--method joint:dropout=1", &["the dropout is 1, but must be at least 0, below 1"]);
    refuse("--method joint:lambda=-1", &["lambda is -1, but must be a finite number, 0 or more"]);
    refuse("--method classifier:strength=0", &["the strength of the logistic model is 0, but must be"]);
    refuse(
        "--method balanced",
        &["method `balanced`: group=(none) must be the name of a group attribute", "--group NAME"],
    );
    refuse("--method joint:balance=nope", &["there is no group attribute `nope`; known: group"]);
    refuse("--set steps", &["--set steps is not of the form KEY=VALUE, such as steps=100"]);
    refuse("--set stps=3", &["no method has a setting `stps`; there are: k, draw"]);
    refuse("--method joint --set steps=x", &["method `joint`: steps=x must be a whole number"]);
    // A setting that others have is no mistake.
    desk.ok(&format!("{COMPARE} --method majority --set steps=3"));
    desk.refuses(&format!("{FIT} --method jont"), &["there is no method `jont`"]);
}

#[test]
fn features_that_cannot_be_made() {
    let desk = Desk::with_cases();
    let joint = "--method joint:steps=2,hidden=2";
    let parts = ["method `joint:steps=2,hidden=2` (repetition 1, fold 1): this learner needs dense features"];
    desk.refuses(&format!("{COMPARE} {joint} --features numeric"), &parts);
    desk.refuses(&format!("{COMPARE} {joint} --features ngrams"), &["needs dense features", "sparse ones", "`svd`"]);
    desk.refuses(
        &format!("{COMPARE} {joint} --dim 0"),
        &["the number of latent dimensions is 0, but must be 1 or more"],
    );
    desk.write("cases.csv", "task,post,label\nt0,x,1\nt1,y,0\nt2,y,0\nt3,x,1\nt4,x,0\nt5,x,1\n");
    let parts = ["these features are made from a text, but the cases have none; name the column that holds it"];
    desk.refuses(&format!("{COMPARE} {joint} --features svd --unknown-tasks drop"), &parts);
}

#[test]
fn divisions_that_leave_a_side_empty() {
    let desk = Desk::with_cases();
    let refuse = |options: &str, parts: &[&str]| {
        let line = format!("compare --cases cases.csv --decisions labels.csv --method majority --out a.csv {options}");
        desk.refuses(&line, parts);
    };
    // The last would once have tried to list as many jobs.
    for folds in ["0", "1", "25", "18446744073709551615"] {
        let expected = format!("the number of folds is {folds}, but must be between 2 and the 24 cases there are");
        for split in ["contiguous", "shuffled", "stratified"] {
            refuse(&format!("--split {split} --folds {folds}"), &[&expected]);
        }
    }
    for share in ["0", "1", "2", "-1", "NaN", "0.001"] {
        let options = format!("--split random --test-share={share}");
        refuse(
            &options,
            &["the test share is", "a share between 0 and 1 that leaves both sides of 24 cases non-empty"],
        );
    }
    refuse("--repetitions 0", &["the number of repetitions is 0, but must be 1 or more"]);
}

#[test]
fn unknown_groups() {
    let desk = Desk::with_cases();
    desk.ok(&format!("{FIT} --method majority"));
    for command in [AUDIT, COMPARE, FIT, "evaluate --model model.dfr --cases cases.csv"] {
        let parts = ["cases.csv, column `dialekt`: there is no such column for the role group", "`task`, `a`, `b`"];
        desk.refuses(&format!("{command} --group dialekt"), &parts);
    }
    // A column of the cases needs no --column to be a group.
    let audit = desk.json(&format!("{AUDIT} --group text --json"));
    assert_eq!(audit["by_group"].as_array().unwrap().len(), 2);
    desk.refuses(
        "compare --data moderation --group dialekt --method majority",
        &["there is no group attribute `dialekt`; known: dialect, topic"],
    );
}

#[test]
fn a_number_with_too_many_digits_is_no_panic() {
    let desk = Desk::with_cases();
    let most = usize::MAX;
    let amount = [&format!("invalid value '{most}'")[..], "must be a whole number up to 10000000"];
    let files = "--cases-out a.csv --decisions-out b.csv";
    let experts = "simulate experts --cases cases.csv --group group --biased-against north --decisions-out e.csv";
    for line in [
        format!("simulate moderation --cases {most} {files}"),
        format!("simulate moderation --experts {most} {files}"),
        format!("simulate clusters --cases {most} {files}"),
        format!("{experts} --biased {most}"),
        format!("{experts} --flipped {most}"),
        format!("{COMPARE} --repetitions {most}"),
        format!("quickstart --cases {most}"),
    ] {
        desk.refuses(&line, &amount);
    }
    desk.refuses(&format!("methods --threads {most}"), &["but must be from 1 to 1024"]);
    desk.refuses(&format!("{COMPARE} --method joint:hidden={most}"), &["layer widths up to 10000"]);
    desk.refuses(&format!("{COMPARE} --method joint:k={most}"), &["but must be between 1 and the 4 voters"]);
    // These mean `all there are`.
    desk.ok(&format!("{COMPARE} --method joint:steps=2,hidden=4,batch={most} --dim {most}"));
    desk.ok(&format!("{AUDIT} --experts {most}"));
    desk.ok(&format!("{experts} --labels-per-case {most}"));
}

#[test]
fn simulated_panels() {
    let desk = Desk::with_cases();
    let parts = ["attribute group has no group `west`; known: north, south"];
    desk.refuses("compare --cases cases.csv --group group --biased-against west --method majority", &parts);
    let experts = "simulate experts --cases cases.csv --decisions-out e.csv";
    desk.refuses(&format!("{experts} --group group --biased-against west"), &parts);
    desk.refuses("compare --cases cases.csv --biased-against north", &["--biased-against needs --group NAME"]);
    desk.refuses(&format!("{experts} --group group"), &["name the disadvantaged group with --biased-against GROUP"]);
    let parts = ["cases.csv, column `gruop`: there is no such column for the role group"];
    desk.refuses(&format!("{experts} --group gruop --biased-against north"), &parts);
    let nobody = ["nobody would decide anything; raise --biased, --flipped or --labels-per-case"];
    desk.refuses(&format!("{experts} --group group --biased-against north --biased 0 --flipped 0"), &nobody);
    desk.refuses(&format!("{experts} --group group --biased-against north --labels-per-case 0"), &nobody);
    desk.write("cases.csv", "task,group,label\nt0,north,1\nt1,south,\nt2,south,0\n");
    let parts = ["case t1 has no label; simulated experts need the truth of every case"];
    desk.refuses(&format!("{experts} --group group --biased-against north"), &parts);
}

#[test]
fn generators_out_of_range() {
    let desk = Desk::new();
    let out = "--cases-out c.csv --decisions-out d.csv";
    desk.refuses(
        &format!("simulate moderation --cases 0 {out}"),
        &["the number of cases is 0, but must be at least 1"],
    );
    desk.refuses(
        &format!("simulate moderation --classes 4 {out}"),
        &["the number of classes is 4, but must be 2 or 3"],
    );
    desk.refuses(
        &format!("simulate moderation --experts 2 {out}"),
        &["the number of experts is 2, but must be at least 3"],
    );
    desk.refuses(&format!("simulate clusters --cases 0 {out}"), &["the number of cases is 0, but must be at least 1"]);
    let folds = ["the number of folds is 5, but must be between 2 and the 3 cases there are"];
    desk.refuses("quickstart --cases 3", &folds);
    desk.refuses("quickstart --cases 60 --classes 1", &["the number of classes is 1, but must be 2 or 3"]);
    desk.refuses("quickstart --cases 5", &["training cases have the label", "learning needs at least two classes"]);
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_anything_is_read() {
    // There is no table: had anything been read or computed first, the message would be about that.
    let desk = Desk::new();
    let compare = "compare --cases nope.csv --decisions nope.csv";
    let form = ["--out b.txt: the name does not say the form; call it .html, .md, .csv or .json"];
    desk.refuses(&format!("{compare} --out a.html --out b.txt"), &form);
    desk.refuses(&format!("{compare} --out a"), &["--out a: the name does not say the form"]);
    let format = ["routes.txt: the name does not say the format; call it .csv"];
    desk.refuses("decide --model nope.dfr --cases nope.csv --out routes.txt", &format);
    desk.refuses("simulate moderation --cases-out a.csv --decisions-out routes.txt", &format);
    desk.refuses("simulate clusters --cases-out routes.txt --decisions-out a.csv", &format);
    let experts = "simulate experts --cases nope.csv --group g --biased-against x --decisions-out";
    desk.refuses(&format!("{experts} routes.txt"), &format);
    let same = ["--cases-out and --decisions-out name the same file"];
    desk.refuses("simulate moderation --cases-out a.csv --decisions-out a.csv", &same);

    let folder = ["there is no folder no/such; make it first"];
    desk.refuses(&format!("{compare} --out no/such/a.html"), &folder);
    desk.refuses("fit --cases nope.csv --decisions nope.csv --out no/such/m.dfr", &folder);
    desk.refuses("decide --model nope.dfr --cases nope.csv --out no/such/r.csv", &folder);
    desk.refuses("quickstart --out no/such/report.html", &folder);
    desk.refuses("simulate moderation --cases-out a.csv --decisions-out no/such/b.csv", &folder);
    desk.refuses(&format!("{experts} no/such/e.csv"), &folder);
    std::fs::create_dir(desk.path("report.html")).unwrap();
    let is_folder = ["cannot write report.html: it is a folder; name a file in it"];
    desk.refuses("quickstart --out report.html", &is_folder);
    desk.refuses(&format!("{compare} --out report.html"), &is_folder);
}

#[test]
fn costs() {
    let desk = Desk::with_cases();
    desk.ok(&format!("{FIT} --method majority"));
    let votes = "--decisions labels.csv";
    for votes in ["", votes] {
        let decide = format!("decide --model model.dfr --cases cases.csv {votes} --costs costs.csv --out routes.csv");
        let refuse = |content: &str, parts: &[&str]| {
            desk.write("costs.csv", content);
            desk.refuses(&decide, parts);
        };
        refuse(
            "worker,cost\nann,1\nbob,-2\n",
            &["costs.csv, row 3, column `cost`: `-2` is not a number from 0 on; correct the cell", "costs.csv:3:1"],
        );
        refuse("worker,cost\nann,much\n", &["costs.csv, row 2, column `cost`: `much` is not a number from 0 on"]);
        refuse("worker,cost\nann,NaN\n", &["costs.csv, row 2, column `cost`: `NaN` is not a number from 0 on"]);
        refuse("worker,price\nann,1\n", &["costs.csv: no column `cost`; present are `worker`, `price`"]);
        refuse("who,cost\nann,1\n", &["costs.csv: no column for the role worker", "must be called worker and cost"]);
        refuse("worker,cost\n", &["costs.csv has a header but no rows"]);
    }
    desk.write("costs.csv", "worker,cost\nzed,1\n");
    let parts = ["costs.csv: none of these workers decided anything here, such as `zed`"];
    desk.refuses(&format!("decide --model model.dfr --cases cases.csv {votes} --costs costs.csv --out r.csv"), &parts);
    desk.write("costs.csv", "worker,cost\nann,10\nbob,2\nzed,7\n");
    let text = desk.ok(&format!("decide --model model.dfr --cases cases.csv {votes} --costs costs.csv --out r.csv"));
    assert!(text.contains("3.00 labels and 13.00 cost per case"), "{text}");
}

#[test]
fn words_that_the_command_line_does_not_know() {
    let desk = Desk::with_cases();
    desk.refuses("--threads 0 methods", &["--threads is 0, but must be from 1 to 1024"]);
    desk.refuses(&format!("{COMPARE} --threads 0 --out a.csv"), &["--threads is 0, but must be from 1 to 1024"]);
    desk.refuses("methods --threads 99999", &["--threads is 99999, but must be from 1 to 1024"]);
    desk.refuses("methods --threads many", &["invalid value 'many' for '--threads <N>'"]);
    desk.refuses("methods --seed -1", &["'-1'"]);
    desk.refuses("fit --cases cases.csv", &["--out <FILE>"]);
    desk.refuses("compare", &["--cases <FILE>"]);
    desk.refuses("compare --cases cases.csv --data clusters", &["cannot be used with"]);
    desk.refuses("audit --cases cases.csv --decisions labels.csv --wide w*", &["cannot be used with"]);
    desk.refuses("frobnicate", &["unrecognized subcommand 'frobnicate'"]);
    desk.refuses("completions tcsh", &["invalid value 'tcsh'", "zsh"]);
    desk.refuses("", &["Usage"]);
}

#[test]
fn a_message_that_nobody_reads_is_no_panic() {
    let desk = Desk::new();
    for line in [&["audit", "--cases", "nope.csv", "--decisions", "nope.csv"][..], &["--threads", "0", "methods"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut child = desk.command(line).stderr(writer).spawn().unwrap();
        drop(reader);
        assert_eq!(child.wait().unwrap().code(), Some(2));
    }
}
