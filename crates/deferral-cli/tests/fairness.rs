//! Deferring to one decision-maker, fairness around methods, promises and grids, as somebody would use them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{Desk, table};

/// A number below `below` that looks drawn at random for every case and purpose.
fn drawn(case: usize, purpose: usize, below: usize) -> usize {
    let mut x = (case * 6 + purpose + 1) as u64;
    for _ in 0..3 {
        x = (x ^ (x >> 7)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x ^= x >> 32;
    }
    (x % below as u64) as usize
}

/// 600 cases that come divided, with two numbers, two groups and a label, and one judge who states how sure they are. The
/// judge is right where the second number is positive, which is where the first tells nothing, and seldom elsewhere.
fn court() -> Desk {
    let knows = |i: usize| drawn(i, 0, 2) == 0;
    let first = |i: usize| drawn(i, 1, 21) as f64 / 5.0 - 2.0;
    let yes = |i: usize| if knows(i) { drawn(i, 2, 2) == 0 } else { first(i) > 0.1 };
    let case = |i: usize| {
        let part = ["train", "train", "train", "validation", "test", "test"][drawn(i, 3, 6)];
        let (group, region) = (["north", "south"][drawn(i, 4, 2)], ["old", "new"][i / 7 % 2]);
        let second = if knows(i) { 1.0 } else { -1.0 };
        format!("c{i},{},{second},{group},{region},{},{part}", first(i), u8::from(yes(i)))
    };
    let vote = |i: usize| {
        let right = knows(i) || drawn(i, 5, 5) == 0;
        format!("c{i},judge,{},0.{}", u8::from(yes(i) == right), 7 + i % 3)
    };
    let desk = Desk::new();
    desk.write("cases.csv", table("task,a,b,group,region,label,split", 600, case));
    desk.write("labels.csv", table("task,worker,label,confidence", 600, vote));
    desk
}

const CASES: &str = "--cases cases.csv --numeric --column split=split --column group=region --column group=group";
const COURT: &str = "--cases cases.csv --numeric --column split=split --column group=region --column group=group \
                     --decisions labels.csv --group group";
/// A model that is trained in a moment.
const QUICK: &str = "epochs=40,batch=32";

#[test]
fn one_decision_maker_is_asked_where_they_know_more() {
    let desk = court();
    let found = desk.json(&format!(
        "compare {COURT} --method defer:{QUICK} --method defer:model=ordinal,gamma=0.1,{QUICK} \
         --method defer:model=bayesian,draws=5,{QUICK} --method reject:gamma=0.5,{QUICK} --method binary:{QUICK} \
         --method best-expert --json"
    ));
    let accuracy = |at: usize| found["rows"][at]["accuracy"]["mean"].as_f64().unwrap();
    let alone = |at: usize| found["rows"][at]["alone"].as_f64().unwrap();
    // The judge is right on six tenths of the cases, the model alone on three quarters.
    assert!(accuracy(0) > 0.9 && accuracy(0) > accuracy(4) && accuracy(0) > accuracy(5), "{found}");
    assert!(alone(0) > 0.3 && alone(0) < 0.7, "{found}");
    assert_eq!((alone(4), alone(5)), (1.0, 0.0));
}

#[test]
fn every_surrogate_defers() {
    let desk = court();
    let names = [
        "softmax",
        "one-vs-all",
        "asymmetric-softmax",
        "realizable:alpha=0.9",
        "rsl2d:psi=log,beta=0.1",
        "two-stage",
        "team-of-experts",
        "mixture-of-experts",
        "compare-confidence",
        "selective-prediction:cost=0.3",
        "triage",
    ];
    let methods = names.join(" --method ");
    let found = desk.json(&format!(
        "compare {COURT} --set steps=300 --set hidden=16 --method classifier --method {methods} --json"
    ));
    let accuracy = |at: usize| found["rows"][at]["accuracy"]["mean"].as_f64().unwrap();
    for (at, name) in names.iter().enumerate() {
        let alone = found["rows"][at + 1]["alone"].as_f64().unwrap();
        assert!(alone > 0.05 && alone < 0.95, "{name}: {alone}");
        assert!(accuracy(at + 1) > accuracy(0), "{name}: {} {}", accuracy(at + 1), accuracy(0));
    }
}

#[test]
fn fairness_goes_around_any_method() {
    let desk = court();
    for fairness in [
        "balanced",
        "minimax:rounds=3",
        "minimax-published:rounds=2",
        "ap-star:iterations=4,patience=2",
        "demographic-parity:slack=0.2,iterations=10",
        "equalised-odds:slack=0.3",
        "equal-opportunity:slack=0.3",
        "error-parity:slack=0.3",
        "bounded-group-loss:bound=0.45",
        "group-thresholds:draws=50,gamma=0.1",
    ] {
        desk.ok(&format!("fit {COURT} --method classifier --fairness {fairness} --out model.dfr"));
        let routes = desk.ok(&format!("decide --model model.dfr {CASES}"));
        assert_eq!(routes.lines().count(), 600, "{fairness}");
        std::fs::remove_file(desk.path("model.dfr")).unwrap();
    }
    desk.ok(&format!(
        "compare {CASES} --decisions labels.csv --group 'group x region' --set epochs=10 --method joint:steps=20,k=1+minimax:rounds=2 \
         --method defer:epochs=10+balanced --method minimax:steps=20"
    ));
}

#[test]
fn a_promise_is_given_with_its_numbers_or_not_at_all() {
    let desk = court();
    let fit = |guarantee: &str| format!("fit {COURT} --method defer:{QUICK} --guarantee {guarantee} --out model.dfr");
    let said = desk.ok(&fit("'error<=0.4@0.8'"));
    assert!(said.contains("promise kept on all cases: ") && said.contains("decided wrongly"), "{said}");
    let said = desk.ok(&fit("'error<=0.45@0.8,by-group,share=0.5'"));
    assert!(said.contains("on group north") && said.contains("on group south"), "{said}");
    std::fs::remove_file(desk.path("model.dfr")).unwrap();
    desk.refuses(&fit("'error<=0.001@0.99'"), &["no threshold can promise"]);
    desk.refuses(&fit("'error<=0.1@2'"), &["promise", "2"]);
    desk.refuses(&fit("'error<=much'"), &["error<==much must be a finite number"]);
    desk.refuses(&fit("'error<=0.1,by-grup'"), &["`by-grup` is none of by-group, share=S, group-known=yes|no"]);
    desk.refuses(
        "fit --cases cases.csv --decisions labels.csv --numeric --method consult --guarantee 'error<=0.1' --out m",
        &["consult keeps bounds by its own setting worst-error"],
    );
}

#[test]
fn a_grid_trades_error_against_unfairness() {
    let desk = court();
    let line = format!(
        "compare {COURT} --repetitions 2 --grid gamma=0:0.2:0.2 alpha=0,1 --method defer:{QUICK} --method binary:{QUICK} \
         --method best-expert"
    );
    let said = desk.ok(&format!("{line} --out t.html --out t.md --out t.csv"));
    assert!(said.contains("Settings are chosen on the validation cases"), "{said}");
    let page = desk.text("t.html");
    for part in [
        "figure-fronts",
        "figure-by-asking",
        "figure-asking",
        "figure-impact-alpha",
        "figure-error-gamma",
        "group = north",
        "Whose front is ahead",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(desk.text("t.csv").lines().count(), 1 + 4 + 2 + 1);
    let found = desk.json(&format!("{line} --json"));
    assert_eq!(found["families"][0]["points"].as_array().unwrap().len(), 4);
    assert_eq!(found["validated"], true);
    assert_eq!(desk.json(&format!("{line} --json --threads 1")), found);
}

#[test]
fn decision_makers_are_made_from_the_cases() {
    let desk = court();
    let found = desk.json(&format!(
        "compare {CASES} --group group --decision-makers oracle,accurate,biased,inconsistent \
         --method defer:expert=oracle,epochs=20 --method defer:expert=biased,epochs=5 --json"
    ));
    assert_eq!(found["rows"][0]["accuracy"]["mean"], 1.0);
    desk.refuses(
        &format!("compare {CASES} --group group --decision-makers judge"),
        &["one of oracle, accurate, biased, inconsistent is needed"],
    );
}

#[test]
fn what_is_written_wrongly_is_named() {
    let desk = court();
    let compare = |rest: &str| format!("compare {COURT} {rest}");
    for (rest, parts) in [
        ("--method defer --grid gamma=1:0:0.1", &["--grid gamma=1:0:0.1 has no values"][..]),
        ("--method defer --grid gamma=", &["must be KEY=FROM:TO:STEP"]),
        ("--method defer --grid gamma=0,nan", &["`nan` is not a finite number"]),
        ("--method majority --grid gamma=0,1", &["none of the methods has a setting `gamma`"]),
        ("--method defer:gamma=inf", &["gamma=inf must be a finite number"]),
        ("--method defer:alpha=nan", &["alpha=nan must be a finite number"]),
        ("--method defer:expert=jury", &["the expert to defer to is `jury`", "such as judge"]),
        ("--method softmax:alpha=2", &["alpha of the softmax surrogate is 2"]),
        ("--method classifier+fairly", &["there is no fairness `fairly`; known: balanced, minimax"]),
        ("--method classifier+balanced:rounds=3", &["method `balanced` has no setting `rounds`; it has: none"]),
        ("--method classifier+minimax:rounds=0", &["rounds", "1 or more"]),
        ("--method classifier+equalised-odds:slack=0", &["slack"]),
        ("--method classifier+bounded-group-loss:bound=0.001", &["no", "0.001"]),
    ] {
        desk.refuses(&compare(rest), parts);
    }
    desk.refuses(&format!("compare {CASES} --decisions labels.csv --group 'group x nation'"), &["nation"]);
    desk.refuses(&format!("compare {CASES} --decisions labels.csv --method defer:alpha=0.1"), &["--group NAME"]);
    // A decision-maker without a single decision on what is learned from.
    let parts: Vec<bool> = desk.text("cases.csv").lines().map(|line| line.ends_with(",test")).collect();
    let labels = desk.text("labels.csv");
    let only_test = labels.lines().enumerate().filter(|(at, _)| *at == 0 || parts[*at]);
    desk.write("few.csv", only_test.map(|(_, line)| line).collect::<Vec<_>>().join("\n"));
    desk.refuses(
        &format!("compare {CASES} --decisions few.csv --method defer:epochs=5"),
        &["the number of training cases that `judge` decided is 0"],
    );
}
