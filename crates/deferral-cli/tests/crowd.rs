//! Votes aggregated and workers audited, as somebody would do it, with mistakes in files and options.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{Desk, table};

#[test]
fn a_table_of_votes_is_all_that_is_needed() {
    let desk = Desk::with_posts(200);
    let written = desk.ok("aggregate labels.csv --out consensus.csv --workers-out workers.csv");
    assert!(written.starts_with("hierarchical: ") && written.contains("converged after"), "{written}");
    assert!(written.ends_with("written: consensus.csv\nwritten: workers.csv\n"), "{written}");
    assert!(written.contains("\nlabels.csv: ") && written.contains(" rows read, "), "{written}");
    let labels = desk.text("consensus.csv");
    let mut rows = csv::Reader::from_reader(labels.as_bytes());
    let header: Vec<String> = rows.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header, ["task", "label", "probability", "P(abusive)", "P(ok)", "votes"]);
    let (mut n, mut votes) = (0, 0);
    for row in rows.records() {
        let row = row.unwrap();
        let number = |at: usize| row[at].parse::<f64>().unwrap();
        let (abusive, ok) = (number(3), number(4));
        assert!((abusive + ok - 1.0).abs() < 1e-9 && number(2) == abusive.max(ok), "{row:?}");
        assert_eq!(&row[1], if abusive > ok { "abusive" } else { "ok" });
        (n, votes) = (n + 1, votes + row[5].parse::<usize>().unwrap());
    }
    assert_eq!((n, votes + 1), (200, desk.text("labels.csv").lines().count()));
    let workers = desk.text("workers.csv");
    let header = "worker,votes,skill,agreement,spam_rate,P(abusive|abusive),P(ok|abusive),P(abusive|ok),P(ok|ok)";
    assert_eq!(workers.lines().next(), Some(header));
    // To standard output goes the table alone.
    let run = desk.run("aggregate labels.csv --method majority");
    assert_eq!((run.code, run.out.lines().count()), (Some(0), 201));
    assert!(run.err.contains("majority: ") && run.out.starts_with("task,label,probability,"), "{}", run.err);
}

#[test]
fn gold_and_text_are_used_where_they_are_given() {
    let desk = Desk::with_posts(200);
    let accuracy = |options: &str| {
        let found = desk.json(&format!("aggregate labels.csv --cases posts.csv {options} --json"));
        found["accuracy"].as_f64().unwrap()
    };
    let (majority, both) = (accuracy("--method majority"), accuracy("--method learning-from-crowds"));
    assert!(both > majority, "{both}, majority {majority}");
    assert!(accuracy("--method grouped --group dialect") > majority);
    let found = desk.json("aggregate labels.csv --cases posts.csv --gold --method hierarchical --trace --json");
    assert!(found["accuracy"].is_null(), "believed labels cannot be graded");
    assert_eq!(found["trace"].as_array().unwrap().len() as u64, found["iterations"].as_u64().unwrap());
    assert_eq!(found["criterion"], "log-posterior");
    let truth: Vec<String> =
        desk.text("posts.csv").lines().skip(1).map(|row| row.rsplit(',').next().unwrap().to_owned()).collect();
    let labels = found["labels"].as_array().unwrap();
    assert!(labels.iter().zip(&truth).all(|(row, truth)| row["label"] == *truth && row["probability"] == 1.0));
    let text =
        desk.ok("aggregate --decisions labels.csv --method dawid-skene:iterations=4,tolerance=0 --trace --out c.jsonl");
    assert_eq!(text.lines().filter(|line| line.starts_with("    ")).count(), 4, "{text}");
    assert!(desk.text("c.jsonl").starts_with("{\"task\":\"post-0\",\"label\":"));
}

#[test]
fn mistakes_are_named_and_nothing_is_written() {
    let desk = Desk::with_posts(40);
    let out = "--out c.csv --workers-out w.csv";
    let refuses = |line: &str, part: &str| desk.refuses(&format!("aggregate {line} {out}"), &[part]);
    refuses("labels.csv --method dawid", "there is no method `dawid`; known: majority, wawa");
    refuses("labels.csv --method joint", "there is no method `joint`; known: majority, wawa");
    refuses("labels.csv --method majority:k=3", "method `majority` has no setting `k`; it has: tie, gold");
    refuses("labels.csv --method mace:restarts=0", "the number of restarts is 0, but must be 1 or more");
    refuses("labels.csv --method hierarchical:pool-strength=-1", "the strength of the pool is -1");
    refuses("labels.csv --method grouped", "the name of a group attribute of the cases (`--group NAME`)");
    refuses("labels.csv --method grouped --group dialect", "--group is an attribute of the cases");
    refuses("labels.csv --method learning-from-crowds", "there is nothing to see; give --cases with a text column");
    refuses("labels.csv --gold", "no task has a gold label");
    refuses("labels.csv --method majority:gold=5", "learns from gold labels, but no task has one");
    refuses("labels.csv --column text=text", "--column is about the table of cases");
    refuses("--wide 'Expert *'", "--wide is about the table of cases");
    refuses("", "where are the decisions? deferral aggregate DECISIONS.csv");
    refuses("missing.csv", "missing.csv");
    let same = "aggregate labels.csv --out c.csv --workers-out c.csv";
    desk.refuses(same, &["--out and --workers-out name the same file"]);
    desk.refuses("aggregate labels.csv --out c.txt", &["c.txt"]);
    desk.write("twice.csv", "task,worker,label\nt1,ann,yes\nt1,bob,no\nt1,ann,no\n");
    desk.refuses("aggregate twice.csv --out c.csv", &["twice.csv, rows 2 and 4: worker `ann` labels task `t1` twice"]);
    desk.write("none.csv", "task,worker,label\n");
    desk.refuses("aggregate none.csv --out c.csv", &["none.csv"]);
    desk.write("odd.csv", "task,worker\nt1,ann\n");
    desk.refuses("aggregate odd.csv --out c.csv", &["odd.csv", "label"]);
}

#[test]
fn what_is_dropped_is_said() {
    let desk = Desk::new();
    desk.write("votes.csv", "task,worker,label\nt1,ann,yes\nt1,,no\nt2,bob,\nt2,ann,1\nt2,cyd,\n");
    let run = desk.run("aggregate votes.csv --method majority");
    let note = "votes.csv: 5 rows read, 2 kept, 1 dropped without a worker, 2 dropped without a label";
    assert!(run.code == Some(0) && run.err.contains(note), "{}", run.err);
    let read = &desk.json("aggregate votes.csv --json")["read"]["decisions"];
    assert_eq!((&read["rows"], &read["kept"]), (&5.into(), &2.into()));
    let dropped = serde_json::json!([{"reason": "no-worker", "rows": 1}, {"reason": "no-label", "rows": 2}]);
    assert_eq!(read["dropped"], dropped);
    // A table of tasks is spoken of too.
    desk.write("tasks.csv", "task,label\nt1,yes\nt2,1\nt3,1\n");
    let text = desk.ok("aggregate votes.csv --cases tasks.csv --method majority --out c.csv");
    assert!(text.contains("tasks.csv: 3 rows read, 3 kept") && text.contains("1 cases without decisions"), "{text}");
    desk.write("semicolons.csv", "task;worker;label\nt1;ann;yes\n");
    desk.refuses("aggregate semicolons.csv", &["semicolons.csv", "cells are separated by commas in .csv"]);
}

#[test]
fn every_method_that_iterates_shows_its_trace() {
    let desk = Desk::with_posts(60);
    for (method, criterion) in
        [("online-dawid-skene:passes=3", "running log-likelihood"), ("zero-based-skill", "weighted agreement")]
    {
        let found = desk.json(&format!("aggregate labels.csv --method {method} --trace --json"));
        assert_eq!(found["criterion"], criterion, "{method}");
        assert!(found["trace"].as_array().unwrap().len() > 1, "{method}: {}", found["trace"]);
    }
}

#[test]
fn small_tables_are_tables() {
    let desk = Desk::new();
    desk.write("one.csv", "task,worker,label\nt1,ann,yes\n");
    for method in ["majority", "dawid-skene", "glad", "mace", "hierarchical", "online-dawid-skene"] {
        let run = desk.run(&format!("aggregate one.csv --method {method}"));
        assert_eq!((run.code, run.out.lines().nth(1)), (Some(0), Some("t1,yes,1,1,1")), "{method}: {}", run.err);
        assert!(run.err.contains(": 1 vote of 1 worker on 1 task"), "{}", run.err);
    }
    // A worker with a single vote, and everybody of one mind.
    desk.write("same.csv", table("task,worker,label", 6, |i| format!("t{},w{},no", i / 3, i % 3)));
    let found = desk.json("aggregate same.csv --json");
    assert!(found["labels"].as_array().unwrap().iter().all(|row| row["label"] == "no"));
}

#[test]
fn the_audit_names_suspects_and_says_whether_routing_is_worth_it() {
    let desk = Desk::with_posts(200);
    // Somebody who always says the same, and somebody who says anything.
    let mut labels = desk.text("labels.csv");
    for post in 0..60 {
        labels += &format!("post-{post},stamp,ok\npost-{post},dice,{}\n", ["ok", "abusive"][post * 7 % 11 % 2]);
    }
    desk.write("labels.csv", labels);
    let found = desk.json("audit --cases posts.csv --decisions labels.csv --json");
    let suspects = found["suspects"].as_array().unwrap();
    let reasons = |name: &str| {
        let suspect = suspects.iter().find(|suspect| suspect["expert"] == name);
        suspect.map_or_else(String::new, |suspect| suspect["reasons"].to_string())
    };
    assert!(reasons("stamp").contains("constant-answer") && reasons("stamp").contains("spam-rate"), "{suspects:?}");
    assert!(reasons("dice").contains("chance-agreement"), "{suspects:?}");
    let routing = found["routing"].as_array().unwrap();
    let accuracy = |rule: &str| {
        let row = routing.iter().find(|row| row["rule"] == rule).unwrap_or_else(|| panic!("{rule}: {routing:?}"));
        row["accuracy"].as_f64().unwrap()
    };
    assert!(accuracy("oracle router") > accuracy("best single worker available"));
    assert!(accuracy("dawid-skene, all labels") > accuracy("majority, 1 random labels"));
    let text = desk.ok("audit --cases posts.csv --decisions labels.csv --experts 3");
    for part in ["skill", "spam rate", "suspected", "stamp", "agrees with majority", "is routing worth it?"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn the_report_of_an_audit_shows_accuracy_against_labels() {
    let desk = Desk::with_posts(150);
    let audit = "audit --cases posts.csv --decisions labels.csv --group dialect --method majority \
                 --method hierarchical:gold=3 --method learning-from-crowds:rounds=2 --labels 1,3,all --repetitions 2";
    let text = desk.ok(&format!("{audit} --out audit.html --out audit.json"));
    assert!(
        text.contains("hierarchical:gold=3") && text.ends_with("written: audit.html\nwritten: audit.json\n"),
        "{text}"
    );
    let page = desk.text("audit.html");
    assert!(page.starts_with("<!doctype html>") && page.contains("<svg") && !page.contains("<script"));
    for part in
        ["Accuracy against labels per case", "Is routing worth it?", "Suspected spammers", "Models of the votes"]
    {
        assert!(page.contains(part), "{part}");
    }
    let found: serde_json::Value = serde_json::from_slice(&desk.read("audit.json")).unwrap();
    let points = found["curve"]["points"].as_array().unwrap();
    assert_eq!(points.len(), 3);
    assert_eq!((&points[0]["k"], &points[2]["k"]), (&1.into(), &serde_json::Value::Null));
    let mean = |at: usize, method: usize| points[at]["accuracy"][method]["mean"].as_f64().unwrap();
    assert!(mean(0, 0) < mean(2, 0) && mean(1, 2) > mean(1, 0), "{points:?}");
    assert_eq!(points[0]["labels_per_case"], 1.0);
    // The same bytes on one thread.
    desk.ok(&format!("{audit} --threads 1 --out again.html --out again.json"));
    assert_eq!((desk.read("again.html"), desk.read("again.json")), (desk.read("audit.html"), desk.read("audit.json")));
    desk.refuses(&format!("{audit} --out audit.txt"), &["cannot tell the form of audit.txt; name it .html or .json"]);
    desk.refuses(&audit.replace("1,3,all", "1,none"), &["must be numbers from 1 to", "such as 1,2,3,5,all"]);
    desk.refuses(&audit.replace("majority", "jont"), &["there is no method `jont`"]);
}
