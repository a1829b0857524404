//! The commands one after another on generated data, as somebody would use them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::io::Read;

use common::{Desk, table};
use deferral_data::{RouteKind, read_routes};
use serde_json::Value;

const TABLES: &str = "--cases posts.csv --decisions labels.csv";
const METHODS: &str = "--method majority --method best-expert --method classifier --method joint --method joint:k=3";

#[test]
fn from_posts_to_decisions() {
    let desk = Desk::new();
    let written = desk.ok("simulate moderation --cases 120 --cases-out posts.csv --decisions-out labels.csv");
    assert!(written.starts_with("120 cases, ") && written.ends_with("written: posts.csv, labels.csv\n"), "{written}");

    let fitted = desk.ok(&format!("fit {TABLES} --group dialect --method balanced:steps=30 --out model.dfr"));
    assert!(fitted.contains("balanced:steps=30 fitted to 120 cases and"), "{fitted}");
    assert!(fitted.ends_with("written to model.dfr\n"), "{fitted}");

    // Nobody has voted yet: whom to ask.
    let asked = desk.ok("decide --model model.dfr --cases posts.csv --out asked.csv");
    assert!(asked.contains("120 to be asked about (no votes given)"), "{asked}");
    let asked = read_routes(&desk.path("asked.csv"), None).unwrap();
    assert_eq!(asked.len(), 120);
    assert!(
        asked.iter().all(|row| row.route == RouteKind::Committee && row.label.is_none() && !row.experts.is_empty())
    );
    assert!(
        asked.iter().all(|row| row.experts.len() == row.weights.len() && row.weights.len() == row.propensities.len())
    );

    // With votes: the final labels.
    let decided = desk.ok(&format!("decide --model model.dfr {TABLES} --out routes.csv"));
    assert!(decided.contains("labels and") && decided.ends_with("written: routes.csv\n"), "{decided}");
    let routes = read_routes(&desk.path("routes.csv"), None).unwrap();
    let labels = |row: &deferral_data::RouteRow| row.label.clone();
    assert!(routes.iter().all(|row| matches!(labels(row).as_deref(), Some("ok" | "abusive"))));
    for (at, row) in routes.iter().enumerate() {
        assert_eq!(row.task, format!("post-{at}"));
        assert!((row.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{row:?}");
        assert!(fitted.contains(&row.policy), "the digest that fit printed: {}", row.policy);
    }

    // What `evaluate` measures is what `decide` did.
    let found = desk.json(&format!("evaluate --model model.dfr {TABLES} --group dialect --json"));
    let truth: Vec<String> =
        desk.text("posts.csv").lines().skip(1).map(|row| row.rsplit(',').next().unwrap().to_owned()).collect();
    let right = routes.iter().zip(&truth).filter(|(row, truth)| row.label.as_ref() == Some(truth)).count();
    assert_eq!(found["accuracy"]["value"].as_f64().unwrap(), right as f64 / 120.0);
    assert_eq!(found["by_group"].as_array().unwrap().len(), 3);
    let text = desk.ok(&format!("evaluate --model model.dfr {TABLES} --group dialect"));
    for line in ["accuracy", "  on harbour", "worst group", "disparity", "labels per case", "true \\ decided"] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn routes_can_be_read_back_in_both_formats() {
    let desk = Desk::with_posts(60);
    desk.ok(&format!("fit {TABLES} --method joint:steps=30,k=3 --out model.dfr"));
    for votes in ["", "--decisions labels.csv"] {
        let decide = format!("decide --model model.dfr --cases posts.csv {votes}");
        desk.ok(&format!("{decide} --out routes.csv"));
        desk.ok(&format!("{decide} --out routes.jsonl"));
        let csv = read_routes(&desk.path("routes.csv"), None).unwrap();
        assert_eq!(csv, read_routes(&desk.path("routes.jsonl"), None).unwrap());
        assert_eq!(csv.len(), 60);
        // Without --out the same rows go to standard output.
        assert_eq!(desk.ok(&decide).into_bytes(), desk.read("routes.jsonl"));
        let shown = desk.json(&format!("{decide} --out routes.csv --json"));
        assert_eq!(shown.as_array().unwrap().len(), 60);
        assert!(csv.iter().flat_map(|row| &row.propensities).all(|p| *p > 0.0 && *p <= 1.0));
    }
}

#[test]
fn a_comparison_in_every_form() {
    let desk = Desk::with_posts(90);
    let outputs = "--out r.html --out r.md --out r.csv --out r.json";
    let compare = format!("compare {TABLES} --group dialect --folds 3 --set steps=30 {METHODS}");
    let text = desk.ok(&format!("{compare} {outputs}"));
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    for column in ["method", "accuracy", "inland", "harbour", "hill", "worst group", "disparity", "labels/case"] {
        assert!(header.contains(column), "{text}");
    }
    let methods: Vec<&str> = lines.by_ref().take(5).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(methods, ["majority", "best-expert", "classifier", "joint", "joint:k=3"]);
    assert!(text.contains("1 x 3 test sets, seed 1") && text.ends_with("written: r.json\n"), "{text}");

    let shown = desk.json(&format!("{compare} --json"));
    let file: Value = serde_json::from_slice(&desk.read("r.json")).unwrap();
    assert_eq!(shown, file);
    assert_eq!(file["groups"].as_array().unwrap().len(), 3);
    let rows = file["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 5);
    for row in rows {
        assert_eq!((row["accuracy"]["n"].as_u64(), row["by_group"].as_array().unwrap().len()), (Some(3), 3), "{row}");
    }
    let labels = |row: usize| rows[row]["labels_per_case"].as_f64().unwrap();
    assert!(labels(0) > 3.0 && labels(1) == 1.0 && labels(2) == 0.0 && labels(4) <= 3.0);
    assert_eq!((rows[2]["alone"].as_f64(), rows[0]["alone"].as_f64()), (Some(1.0), Some(0.0)));

    // The forms agree with each other.
    let csv = desk.text("r.csv");
    let first: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
    assert_eq!(first[..2], ["majority", &format!("{:.6}", rows[0]["accuracy"]["mean"].as_f64().unwrap())]);
    assert_eq!(csv.lines().count(), 6);
    let width = csv.lines().next().unwrap().split(',').count();
    assert!(csv.lines().all(|line| line.split(',').count() == width), "{csv}");
    let markdown = desk.text("r.md");
    assert!(markdown.starts_with("| method | accuracy | ") && markdown.contains("\n| majority | "), "{markdown}");
    assert!(desk.text("r.html").contains("</html>"));
    // A report can be passed on: it says nothing about the machine.
    let folder = desk.path("").display().to_string();
    for name in ["r.html", "r.md", "r.csv", "r.json"] {
        assert!(!desk.text(name).contains(folder.trim_end_matches('/')), "{name}");
    }
}

#[test]
fn the_default_methods_are_compared() {
    let desk = Desk::with_posts(60);
    let rows = desk.json(&format!("compare {TABLES} --folds 2 --set steps=30 --json"));
    let names: Vec<&str> = rows["rows"].as_array().unwrap().iter().map(|row| row["method"].as_str().unwrap()).collect();
    assert_eq!(names, ["majority", "best-expert", "classifier", "joint"]);
}

#[test]
fn every_known_method_can_be_compared_and_used() {
    let desk = Desk::with_posts(60);
    let methods = desk.json("methods --json");
    let mut all = Vec::new();
    let (methods, fairness): (Vec<_>, Vec<_>) =
        methods.as_array().unwrap().iter().partition(|line| line["kind"] == "method");
    assert!(fairness.iter().all(|line| desk.ok("methods").contains(line["name"].as_str().unwrap())));
    for method in &methods {
        let name = method["name"].as_str().unwrap();
        assert!(desk.ok("methods").contains(&format!("{name} ")), "{name}");
        all.extend(["--method", name]);
        let steps = if name.starts_with("joint") || name.starts_with("balanced") || name.starts_with("minimax") {
            ":steps=30"
        } else {
            ""
        };
        desk.ok(&format!("fit {TABLES} --group dialect --method {name}{steps} --out m.dfr"));
        desk.ok(&format!("decide --model m.dfr {TABLES} --out routes.csv"));
        desk.ok("decide --model m.dfr --cases posts.csv --out routes.csv");
        let found = desk.json(&format!("evaluate --model m.dfr {TABLES} --json"));
        assert!(found["accuracy"]["value"].as_f64().unwrap() > 0.5, "{name}: {found}");
    }
    let all = all.join(" ");
    let rows = desk.json(&format!("compare {TABLES} --group dialect --folds 2 --set steps=30 --json {all}"));
    assert_eq!(rows["rows"].as_array().unwrap().len(), methods.len());
}

#[test]
fn three_classes() {
    let desk = Desk::new();
    desk.ok("simulate moderation --cases 150 --classes 3 --cases-out posts.csv --decisions-out labels.csv");
    let compare =
        format!("compare {TABLES} --group topic --folds 3 --set steps=30 --method majority --method joint --json");
    assert_eq!(desk.json(&compare)["rows"].as_array().unwrap().len(), 2);
    desk.ok(&format!("fit {TABLES} --method joint:steps=30 --out m.dfr"));
    let found = desk.json(&format!("evaluate --model m.dfr {TABLES} --json"));
    assert_eq!(found["labels"], serde_json::json!(["abusive", "borderline", "ok"]));
    assert_eq!(found["confusion"].as_array().unwrap().len(), 3);
    let parts = ["binary form of the joint framework works for two classes only, but there are 3"];
    desk.refuses(&format!("fit {TABLES} --method joint-published --out n.dfr"), &parts);
}

#[test]
fn an_audit_of_generated_decisions() {
    let desk = Desk::with_posts(120);
    let audit = desk.json(&format!("audit {TABLES} --group dialect --json"));
    assert_eq!((audit["cases"].as_u64(), audit["experts"].as_u64()), (Some(120), Some(24)));
    assert_eq!(audit["roster"].as_array().unwrap().len(), 24);
    assert_eq!(audit["by_group"].as_array().unwrap().len(), 3);
    let answers: u64 = audit["roster"].as_array().unwrap().iter().map(|e| e["answered"].as_u64().unwrap()).sum();
    assert_eq!(Some(answers), audit["decisions"].as_u64());
    assert_eq!(audit["read"]["cases"]["rows"], 120);
    let text = desk.ok(&format!("audit {TABLES} --group dialect --experts 3"));
    assert!(text.starts_with("posts.csv: 120 rows read, 120 kept"), "{text}");
    let (roster, others) = text.split_once(" suspected ").unwrap_or((&text, ""));
    assert_eq!(roster.matches("moderator-").count(), 3);
    assert!(others.matches("moderator-").count() <= 3, "{text}");
    for line in ["Krippendorff's alpha", "majority vote accuracy", "expert accuracy", "  on harbour", "load: Gini"] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn simulated_experts_for_any_table() {
    let desk = Desk::with_posts(60);
    let experts = "simulate experts --cases posts.csv --group dialect --biased-against harbour";
    let written = desk.json(&format!("{experts} --decisions-out all.csv --json"));
    assert_eq!((written["experts"].as_u64(), written["decisions"].as_u64()), (Some(20), Some(60 * 20)));
    desk.ok(&format!("{experts} --biased 4 --flipped 1 --labels-per-case 3 --decisions-out few.jsonl"));
    let audit = desk.json("audit --cases posts.csv --decisions few.jsonl --json");
    assert_eq!((audit["experts"].as_u64(), audit["decisions"].as_u64()), (Some(5), Some(60 * 3)));
    let panel = "compare --cases posts.csv --group dialect --biased-against harbour --repetitions 2 --folds 2";
    let rows = desk.json(&format!("{panel} --method majority --method best-expert --json"));
    assert_eq!(rows["rows"][0]["accuracy"]["n"], 4);
    assert_eq!(rows["rows"][0]["labels_per_case"], 20.0);
}

#[test]
fn clusters_without_text() {
    let desk = Desk::new();
    desk.ok("simulate clusters --cases 90 --cases-out points.csv --decisions-out labels.csv");
    let tables = "--cases points.csv --decisions labels.csv --column feature=x0 --column feature=x1 --group cluster";
    desk.ok(&format!("fit {tables} --method joint:steps=30,hidden=8 --out m.dfr"));
    desk.ok(&format!("decide --model m.dfr {} --out routes.csv", tables.replace(" --group cluster", "")));
    let rows = desk.json(&format!("compare {tables} --set steps=30 --folds 3 --method joint --method majority --json"));
    assert_eq!(rows["groups"], serde_json::json!(["orange", "blue", "green"]));
    let generated = "compare --data clusters --group cluster --method majority --method best-expert --folds 2 --json";
    assert_eq!(desk.json(generated)["rows"][1]["labels_per_case"], 1.0);
}

#[test]
fn a_dialect_inferred_from_the_texts() {
    let desk = Desk::with_cases();
    std::fs::create_dir(desk.path("model")).unwrap();
    desk.write("model/model_count_table.txt", "90\t10\t10\t5\n5\t90\t90\t90\n");
    desk.write("model/model_vocab.txt", "1\tsurely\n2\trather\n");
    let tables = "--cases cases.csv --decisions labels.csv --dialect model";
    let audit = desk.json(&format!("audit {tables} --group dialect --json"));
    let groups: Vec<&str> =
        audit["by_group"].as_array().unwrap().iter().map(|group| group["group"].as_str().unwrap()).collect();
    assert_eq!(groups, ["AAE", "other"]);
    desk.ok(&format!("fit {tables} --group dialect --method fair-committee:k=2 --out m.dfr"));
    desk.ok("decide --model m.dfr --cases cases.csv --dialect model --out routes.csv");
    desk.refuses("decide --model m.dfr --cases cases.csv --out r.csv", &["column `dialect`: there is no such column"]);
    let twice = format!("audit {tables} --column group=dialect");
    desk.write("cases.csv", desk.text("cases.csv").replacen(",group,", ",dialect,", 1));
    desk.refuses(&twice, &["the cases have one; leave out one of them"]);
    desk.write("bare.csv", "task,label\nt0,1\n");
    let bare = "audit --cases bare.csv --decisions labels.csv --unknown-tasks drop --dialect model";
    desk.refuses(bare, &["--dialect needs texts; name their column with --column text=NAME"]);
}

#[test]
fn methods_that_look_at_votes_only_need_nothing_else() {
    let desk = Desk::with_cases();
    desk.write("bare.csv", table("task,label", 24, |case| format!("t{case},{}", case % 2)));
    desk.write("new.csv", table("task", 24, |case| format!("t{case}")));
    let compare = "compare --cases bare.csv --decisions labels.csv --folds 3 --json";
    assert_eq!(
        desk.json(&format!("{compare} --method majority --method best-expert"))["rows"][1]["labels_per_case"],
        1.0
    );
    for method in ["majority", "best-expert"] {
        // Fitted on texts or on nothing, decided on nothing or on texts.
        for (fitted, decided) in [("bare.csv", "cases.csv"), ("cases.csv", "bare.csv"), ("bare.csv", "new.csv")] {
            desk.ok(&format!("fit --cases {fitted} --decisions labels.csv --method {method} --out m.dfr"));
            desk.ok(&format!("decide --model m.dfr --cases {decided} --decisions labels.csv --out routes.csv"));
            desk.ok(&format!("decide --model m.dfr --cases {decided} --out asked.csv"));
        }
    }
    // The others say what they miss.
    desk.refuses(&format!("{compare} --method joint"), &["needs dense features", "found no feature at all"]);
    desk.refuses(&format!("{compare} --method joint --features svd"), &["made from a text, but the cases have none"]);
}

/// What a few commands print and write, with the given options for all of them.
fn everything(options: &str) -> (Vec<String>, std::collections::BTreeMap<String, Vec<u8>>) {
    let desk = Desk::new();
    let tables = "--cases posts.csv --decisions labels.csv --group dialect";
    let lines = [
        "simulate moderation --cases 80 --cases-out posts.csv --decisions-out labels.csv".to_owned(),
        "simulate clusters --cases 30 --cases-out points.csv --decisions-out points-labels.csv".to_owned(),
        "simulate experts --cases posts.csv --group dialect --biased-against hill --decisions-out panel.csv".to_owned(),
        format!("fit {tables} --method joint:steps=30,k=3,dropout=.2 --out model.dfr"),
        format!("decide --model model.dfr {TABLES} --out routes.csv"),
        "decide --model model.dfr --cases posts.csv".to_owned(),
        format!("evaluate --model model.dfr {tables}"),
        format!(
            "compare {tables} {METHODS} --set steps=30 --folds 3 --repetitions 2 --out r.html --out r.md --out r.csv --out r.json"
        ),
        "quickstart --cases 60 --out report.html".to_owned(),
        format!("audit {tables}"),
    ];
    let outputs = lines.map(|line| desk.ok(&format!("{line} {options}")));
    (outputs.to_vec(), desk.files())
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let (one_out, one_files) = everything("--seed 5 --threads 1");
    let (two_out, two_files) = everything("--seed 5 --threads 2");
    assert_eq!(one_out, two_out);
    let names = |files: &std::collections::BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&one_files), names(&two_files));
    for (name, content) in &one_files {
        assert!(content == &two_files[name], "{name} differs");
        assert!(!name.starts_with(".deferral-"), "a temporary file was left: {name}");
    }
    let (other_out, other_files) = everything("--seed 6");
    for (name, content) in &one_files {
        assert!(content != &other_files[name], "{name} is the same under another seed");
    }
    assert_ne!(one_out[5], other_out[5]);
}

#[test]
fn the_quickstart_writes_its_report() {
    let desk = Desk::new();
    let text = desk.ok("quickstart --cases 300");
    let report = desk.text("deferral-report.html");
    assert!(report.starts_with("<!doctype html>") && report.ends_with("</html>\n") && report.contains("<svg"));
    assert!(text.ends_with("report: deferral-report.html\n"), "{text}");
    for method in
        ["majority", "best-expert", "classifier", "random-committee", "joint", "balanced", "joint:k=3", "consult"]
    {
        assert!(text.contains(&format!("\n {method} ")), "{method}\n{text}");
        assert!(report.contains(method), "{method}");
    }
    assert_eq!(text.matches(" decided by ").count(), 5 + usize::from(text.contains("New posts, decided by")));
    let files = desk.files();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["deferral-report.html"]);
}

/// The help of a command, such as `simulate moderation`.
fn help(desk: &Desk, command: &str) -> String {
    desk.ok(&format!("{command} --help"))
}

const COMMANDS: [&str; 14] = [
    "quickstart",
    "fit",
    "decide",
    "evaluate",
    "compare",
    "frontier",
    "assign",
    "audit",
    "simulate",
    "simulate moderation",
    "simulate clusters",
    "simulate experts",
    "methods",
    "completions",
];

#[test]
fn every_command_has_an_example() {
    let desk = Desk::new();
    let overview = desk.ok("--help");
    for command in COMMANDS {
        let text = help(&desk, command);
        assert!(text.contains("Example:\n  deferral "), "{command}\n{text}");
        assert!(overview.contains(command.split(' ').next().unwrap()), "{command}");
    }
    assert!(desk.ok("--version").starts_with("deferral "));
}

#[test]
fn the_examples_work_as_they_stand() {
    let desk = Desk::with_posts(60);
    for copy in ["new.csv", "test.csv"] {
        desk.write(copy, desk.read("posts.csv"));
    }
    desk.ok("fit --cases posts.csv --decisions labels.csv --method consult --out consult.dfr");
    desk.write("capacity.csv", "worker,capacity\nmoderator-1,5\nmoderator-2,5\n");
    // Those that read the model after the one that writes it; the quickstart has a test of its own.
    for command in COMMANDS.into_iter().filter(|command| *command != "quickstart") {
        let text = help(&desk, command);
        let example = text.rsplit_once("Example:\n").unwrap().1.replace("\\\n", " ");
        let example = example.trim().strip_prefix("deferral ").unwrap();
        // Quicker, without a shell, and on the group that the generated posts have.
        let example = example.split('>').next().unwrap().replace("--biased-against AAE", "--biased-against hill");
        let example =
            example.replace("--method joint ", "--method joint:steps=30 ").replace("joint:k=5", "joint:k=5,steps=30");
        desk.ok(&example);
        if command.starts_with("simulate") {
            // It may have written smaller or larger tables under the same names.
            desk.ok("simulate moderation --cases 60 --cases-out posts.csv --decisions-out labels.csv");
        }
    }
    for written in ["joint.dfr", "routes.csv", "report.html", "points.csv"] {
        assert!(desk.path(written).exists(), "{written}");
    }
}

#[test]
fn completions() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = desk.ok(&format!("completions {shell}"));
        assert!(
            script.contains("deferral") && script.contains("quickstart") && script.contains("biased-against"),
            "{shell}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let desk = Desk::with_posts(400);
    desk.ok(&format!("fit {TABLES} --method majority --out m.dfr"));
    let commands: [&[&str]; 5] = [
        &["methods"],
        &["methods", "--json"],
        &["--help"],
        &["completions", "bash"],
        // More than fits into a pipe.
        &["decide", "--model", "m.dfr", "--cases", "posts.csv"],
    ];
    for args in commands {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut child = desk.command(args).stdout(writer).spawn().unwrap();
        drop(reader);
        let mut message = String::new();
        child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
        assert_eq!((child.wait().unwrap().code(), message.as_str()), (Some(0), ""), "{args:?}");
    }
    // A reader that takes the first bytes and goes.
    let mut child = desk.command(commands[4]).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 10]).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn an_output_file_is_replaced_as_a_whole() {
    let desk = Desk::with_posts(60);
    desk.write("m.dfr", "an older file");
    desk.ok(&format!("fit {TABLES} --method majority --out m.dfr"));
    let first = desk.read("m.dfr");
    assert!(first.starts_with(b"DEFERRAL"));
    desk.refuses(&format!("fit {TABLES} --method joint:steps=0 --out m.dfr"), &["the number of steps is 0"]);
    assert_eq!(desk.read("m.dfr"), first);
}
