//! Asking only when it pays, as somebody would do it: batches, step by step, budgets, capacities, the frontier - with
//! mistakes in files and options.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::Desk;
use serde_json::Value;

/// 400 generated posts and a fitted model of the method `consult`.
fn fitted() -> Desk {
    let desk = Desk::with_posts(400);
    desk.ok("fit --cases posts.csv --decisions labels.csv --method consult --group dialect --out model.dfr");
    desk
}

fn rows(jsonl: &str) -> Vec<Value> {
    jsonl.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn labels_used(desk: &Desk, options: &str) -> usize {
    let out = desk.ok(&format!("decide --model model.dfr --cases posts.csv --decisions labels.csv {options}"));
    rows(&out).iter().map(|row| row["experts"].as_array().unwrap().len()).sum()
}

#[test]
fn labels_fall_with_price_and_rise_with_confidence() {
    let desk = fitted();
    let by_price = ["0", "0.01", "0.1", "inf"].map(|price| labels_used(&desk, &format!("--price {price}")));
    assert!(by_price.windows(2).all(|pair| pair[0] >= pair[1]) && by_price[0] > by_price[2], "{by_price:?}");
    assert_eq!(by_price[3], 0);
    let by_confidence = [".6", ".9", "1"].map(|p| labels_used(&desk, &format!("--price 0 --confidence {p}")));
    assert!(by_confidence.windows(2).all(|pair| pair[0] <= pair[1]), "{by_confidence:?}");
    assert!(labels_used(&desk, "--price 0 --confidence 1 --max-asks 1 --rule best") <= 400);
    assert_eq!(labels_used(&desk, "--rule random --seed 4"), labels_used(&desk, "--rule random --seed 4 --threads 1"));
}

#[test]
fn every_decision_says_why() {
    let desk = fitted();
    let out = desk.ok("decide --model model.dfr --cases posts.csv --decisions labels.csv --confidence 0.9");
    for row in rows(&out) {
        let (reason, asked) = (row["reason"].as_str().unwrap(), row["experts"].as_array().unwrap());
        match asked.first() {
            None => assert!(reason.starts_with("model ") && reason.contains(" sure"), "{reason}"),
            Some(first) => assert!(reason.starts_with(&format!("asked {}: ", first.as_str().unwrap())), "{reason}"),
        }
        assert!(row["confidence"].as_f64().unwrap() > 0.5 && row["label"].is_string());
    }
}

#[test]
fn step_by_step_ends_where_the_batch_does() {
    let desk = fitted();
    let recorded = desk.text("labels.csv");
    let vote_of = |task: &str, worker: &str| {
        recorded.lines().find_map(|row| row.strip_prefix(&format!("{task},{worker},")).map(str::to_owned))
    };
    let posts = desk.text("posts.csv");
    desk.write("few.csv", posts.lines().take(41).collect::<Vec<_>>().join("\n"));
    // Who labelled the case can be asked about it.
    let available: Vec<&str> = recorded.lines().map(|row| row.rsplit_once(',').unwrap().0).collect();
    desk.write("available.csv", available.join("\n"));
    let (mut votes, mut last) = (String::new(), Vec::new());
    for round in 0..20 {
        let decisions = if votes.is_empty() { "" } else { "--decisions votes.jsonl" };
        let line = format!("decide --model model.dfr --cases few.csv --available available.csv --ask {decisions}");
        last = rows(&desk.ok(&line));
        let waiting: Vec<&Value> = last.iter().filter(|row| row["route"] == "ask").collect();
        if waiting.is_empty() {
            break;
        }
        assert!(round < 19, "still asking: {waiting:?}");
        for row in waiting {
            let (task, worker) = (row["task"].as_str().unwrap(), row["experts"][0].as_str().unwrap());
            let label = vote_of(task, worker).unwrap();
            votes += &format!("{{\"task\":\"{task}\",\"worker\":\"{worker}\",\"label\":\"{label}\"}}\n");
            assert!(row["label"].is_null());
        }
        desk.write("votes.jsonl", &votes);
    }
    assert!(!votes.is_empty());
    desk.write(
        "all.csv",
        recorded
            .lines()
            .take(1)
            .chain(recorded.lines().skip(1).filter(|row| {
                posts.lines().take(41).any(|post| post.starts_with(&format!("{},", row.split(',').next().unwrap())))
            }))
            .collect::<Vec<_>>()
            .join("\n"),
    );
    let batch = rows(&desk.ok("decide --model model.dfr --cases few.csv --decisions all.csv"));
    for (step, batch) in last.iter().zip(&batch) {
        for key in ["task", "label", "experts", "confidence", "reason"] {
            assert_eq!(step[key], batch[key], "{key}");
        }
    }
}

#[test]
fn a_budget_is_kept() {
    let desk = fitted();
    for budget in [0.0, 25.0] {
        let line =
            format!("decide --model model.dfr --cases posts.csv --decisions labels.csv --budget {budget} --price 0");
        let used: usize = rows(&desk.ok(&line)).iter().map(|row| row["experts"].as_array().unwrap().len()).sum();
        assert_eq!(used as f64, budget);
    }
}

#[test]
fn nobody_gets_more_cases_than_they_can_take() {
    let desk = fitted();
    desk.write("capacity.csv", "worker,capacity,cost\nmoderator-1,3,1\nmoderator-2,0,1\nmoderator-6,20,2\n");
    let summary = desk.ok("assign --model model.dfr --cases posts.csv --capacity capacity.csv --out assigned.jsonl");
    assert!(summary.starts_with("400 cases: ") && summary.contains("written: assigned.jsonl"), "{summary}");
    let assigned = rows(&desk.text("assigned.jsonl"));
    let count =
        |worker: &str| assigned.iter().filter(|row| row["experts"][0] == worker && row["route"] == "ask").count();
    assert_eq!((count("moderator-1"), count("moderator-2")), (3, 0));
    assert!(count("moderator-6") <= 20 && count("moderator-6") > 10);
    let value = |options: &str| {
        desk.json(&format!(
            "assign --model model.dfr --cases posts.csv --capacity capacity.csv --json --out a.csv {options}"
        ))["value"]
            .as_f64()
            .unwrap()
    };
    assert!(value("") >= value("--greedy") - 1e-9 && value("--price 0.05") < value(""));
}

#[test]
fn the_frontier_shows_every_method_at_several_efforts() {
    let desk = Desk::with_posts(300);
    let line = "frontier --cases posts.csv --decisions labels.csv --group dialect --folds 3 --resamples 50 --price 0.1,0.02 \
                --labels 1,2 --method consult --method majority --method classifier --out f.html --out f.json --out f.md";
    let text = desk.ok(line);
    for part in ["consult:confidence=1,price=0.1", "majority:k=2", "classifier", "labels for accuracy", "first minus"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let found: Value = serde_json::from_str(&desk.text("f.json")).unwrap();
    assert_eq!(found["families"].as_array().unwrap().len(), 3);
    let points = found["families"][0]["points"].as_array().unwrap();
    assert!(points[0]["labels_per_case"].as_f64() <= points[1]["labels_per_case"].as_f64());
    let html = desk.text("f.html");
    assert!(html.contains("<svg") && !html.contains("<script") && html.contains("Labels needed"));
    assert_eq!(desk.ok(&format!("{line} --threads 1")), text);
}

#[test]
fn a_bound_on_the_worst_group_is_kept_or_refused() {
    let desk = Desk::with_posts(1500);
    let fit = |bound: &str| {
        format!(
            "fit --cases posts.csv --decisions labels.csv --group dialect --method consult:worst-error={bound} --out b.dfr"
        )
    };
    desk.refuses(&fit("0.001"), &["no threshold can promise", "dialect", "larger bound"]);
    desk.ok(&fit("0.3"));
    desk.refuses(
        "decide --model b.dfr --cases posts.csv --decisions labels.csv --confidence 0.8",
        &["fitted to keep a bound", "leave out --confidence"],
    );
    desk.ok("decide --model b.dfr --cases posts.csv --decisions labels.csv --out routes.csv");
    desk.refuses(
        "fit --cases posts.csv --decisions labels.csv --method consult:worst-error=0.3 --out b.dfr",
        &["--group NAME"],
    );
}

#[test]
fn mistakes_are_named() {
    let desk = fitted();
    let decide = "decide --model model.dfr --cases posts.csv --decisions";
    desk.refuses(
        &format!("{decide} labels.csv --confidence 0.5"),
        &["the confidence is 0.5", "above 1/K = 0.5 and at most 1"],
    );
    desk.refuses(&format!("{decide} labels.csv --confidence 1.5"), &["the confidence is 1.5"]);
    desk.refuses(&format!("{decide} labels.csv --price=-1"), &["the price of a label is -1", "0 or more"]);
    desk.refuses(&format!("{decide} labels.csv --at-once 0"), &["asked at once is 0"]);
    desk.refuses(&format!("{decide} labels.csv --budget=-3"), &["the budget is -3"]);
    desk.refuses(
        "decide --model model.dfr --cases posts.csv --budget 3",
        &["--budget is spent on votes", "--decisions"],
    );
    desk.write("costs.csv", "true,predicted,cost\nabusive,fine,3\n");
    desk.refuses(
        &format!("{decide} labels.csv --error-costs costs.csv"),
        &["costs.csv, row 2, column `predicted`", "`fine`"],
    );
    desk.write("stranger.csv", "task,worker,label\npost-0,nobody,ok\n");
    desk.refuses(&format!("{decide} stranger.csv --ask"), &["`nobody`", "--unknown-experts drop"]);
    desk.write("odd.csv", "task,worker,label\npost-0,moderator-1,perhaps\n");
    desk.refuses(&format!("{decide} odd.csv --ask"), &["`perhaps`", "abusive, ok"]);
    desk.write(
        "unasked.csv",
        "task,worker,label\npost-1,moderator-21,ok\npost-1,moderator-22,ok\npost-1,moderator-23,ok\n",
    );
    desk.refuses(
        &format!("{decide} unasked.csv --ask"),
        &["case `post-1` has a vote of `moderator-2", "was not asked"],
    );
    desk.write("none.csv", "worker\n");
    desk.refuses(
        "decide --model model.dfr --cases posts.csv --ask --available none.csv",
        &["none.csv has a header but no rows"],
    );
    desk.write("who.csv", "worker\nnobody\n");
    desk.refuses("decide --model model.dfr --cases posts.csv --ask --available who.csv", &["`nobody` is available"]);
    desk.write("capacity.csv", "worker,capacity\nmoderator-1,-3\n");
    let assign = "assign --model model.dfr --cases posts.csv --capacity capacity.csv";
    desk.refuses(assign, &["capacity.csv, row 2, column `capacity`: `-3` is not a whole number from 0 on"]);
    desk.write("capacity.csv", "worker,capacity\nmoderator-1,0\n");
    desk.refuses(assign, &["nobody has any capacity"]);
    desk.write("capacity.csv", "worker,capacity\nnobody,3\n");
    desk.refuses(assign, &["`nobody` has a capacity"]);
    desk.write("capacity.csv", "worker,places\nmoderator-1,3\n");
    desk.refuses(assign, &["no column `capacity`"]);
    desk.write("capacity.csv", "worker,capacity\nmoderator-1,3\n");
    desk.refuses(&format!("{assign} --price=-1"), &["the price of a label is -1"]);
    desk.ok("fit --cases posts.csv --decisions labels.csv --method majority --out majority.dfr");
    desk.refuses("decide --model majority.dfr --cases posts.csv --ask", &["fitted by `majority`", "--method consult"]);
    desk.refuses("decide --model majority.dfr --cases posts.csv --rule best", &["--method consult"]);
    desk.refuses(
        "compare --cases posts.csv --decisions labels.csv --method consult:truth=guess",
        &["truth=guess must be one of gold, votes, both"],
    );
    desk.refuses(
        "frontier --cases posts.csv --decisions labels.csv --method consult --at=-1",
        &["the number of labels per case is -1"],
    );
}
