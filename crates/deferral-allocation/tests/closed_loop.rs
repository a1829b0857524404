//! What a team sees of the loop: committees, labels, and clear answers to whatever arrives.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use deferral_allocation::{ClosedLoop, Event, Founder, Handled, LoopSpec, Method, Recent, Reply};
use proptest::prelude::*;

fn spec(workers: &[&str], k: &str) -> LoopSpec {
    let method = Method::named("uniform").unwrap().with("k", k).unwrap();
    let founder = |worker: &&str| Founder { worker: (*worker).to_owned(), ..Founder::default() };
    LoopSpec { team: workers.iter().map(founder).collect(), ..LoopSpec::new(method, ["no", "yes"], 7) }
}

/// A loop and the tasks that it decided.
struct Office {
    team: ClosedLoop,
    decided: Recent,
}

impl Office {
    fn new(spec: &LoopSpec) -> Self {
        Self { team: ClosedLoop::start(spec).unwrap(), decided: Recent::new(1000) }
    }

    fn handle(&mut self, event: &str) -> Handled {
        let event: Event = serde_json::from_str(event).unwrap();
        self.team.handle(&event, &mut self.decided).unwrap()
    }

    /// The answers as JSON, one a line.
    fn tell(&mut self, event: &str) -> String {
        let lines: Vec<String> =
            self.handle(event).replies.iter().map(|reply| serde_json::to_string(reply).unwrap()).collect();
        lines.join("\n")
    }

    fn committee(&mut self, event: &str) -> Vec<String> {
        let replies = self.handle(event).replies;
        let workers = replies.iter().rev().find_map(|reply| match reply {
            Reply::Committee { workers, .. } => Some(workers.clone()),
            _ => None,
        });
        workers.unwrap()
    }

    fn vote(&mut self, task: &str, worker: &str, label: &str) -> String {
        self.tell(&format!(r#"{{"event":"vote","task":"{task}","worker":"{worker}","label":"{label}"}}"#))
    }
}

#[test]
fn a_task_is_decided_when_everybody_has_answered() {
    let mut office = Office::new(&spec(&["ann", "bob", "eve"], "3"));
    assert_eq!(office.committee(r#"{"event":"task","task":"t"}"#).len(), 3);
    assert_eq!(office.vote("t", "ann", "yes"), r#"{"reply":"vote","task":"t","worker":"ann","status":"counted"}"#);
    office.vote("t", "eve", "no");
    let last = office.vote("t", "bob", "yes");
    assert!(last.ends_with(r#"{"reply":"label","task":"t","label":"yes","votes":3,"cost":3.0}"#), "{last}");
    assert_eq!((office.team.open(), office.team.decided()), (0, 1));
}

#[test]
fn late_duplicate_and_unknown_votes_are_answered_by_name() {
    let mut office = Office::new(&LoopSpec { lease: Some(10.0), offers: 1, ..spec(&["ann", "bob"], "2") });
    office.tell(r#"{"event":"task","task":"t","at":1}"#);
    office.vote("t", "ann", "yes");
    let again = office.handle(r#"{"event":"vote","task":"t","worker":"ann","label":"no"}"#);
    assert!(!again.changed);
    assert!(office.vote("t", "ann", "no").contains(r#""status":"duplicate""#));
    // Bob's lease ends, and ann's vote decides; bob is late.
    assert!(office.tell(r#"{"event":"time","at":11}"#).contains(r#""label":"yes","votes":1"#));
    assert!(office.vote("t", "bob", "no").contains(r#""status":"late""#));
    assert!(office.vote("t", "bob", "no").contains(r#""status":"duplicate""#));
    let refused = |text: String, expected: &str| {
        assert_eq!(text, format!(r#"{{"reply":"refused","reason":"{expected}"}}"#));
    };
    refused(office.vote("u", "ann", "yes"), "there is no task `u`: send it before its votes");
    refused(office.vote("t", "joe", "yes"), "nobody called `joe` ever joined: send annotator.join first");
    refused(office.vote("t", "ann", "maybe"), "`ann` voted `maybe` on `t`; the labels are no, yes");
    office.tell(r#"{"event":"annotator.join","worker":"joe"}"#);
    refused(office.vote("t", "joe", "yes"), "`joe` was not asked about `t`");
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let groups = vec!["a".to_owned(), "b".to_owned()];
    let mut office = Office::new(&LoopSpec { features: 2, groups, ..spec(&["ann"], "1") });
    for (event, reason) in [
        (r#"{"event":"task","task":"","features":[1,2]}"#, "a task has no name: give it one"),
        (r#"{"event":"annotator.join","worker":""}"#, "somebody without a name cannot join: give them one"),
        (r#"{"event":"task","task":"t","features":[1]}"#, "task `t` has 1 features; this loop takes 2"),
        (r#"{"event":"task","task":"t","features":[1,2],"group":"c"}"#, "task `t`: there is no group `c`; known: a, b"),
        (
            r#"{"event":"annotator.join","worker":"bob","similarity":{"c":1}}"#,
            "`bob` cannot join: there is no group `c`; known: a, b",
        ),
        (
            r#"{"event":"annotator.join","worker":"bob","similarity":{"a":2}}"#,
            "`bob` cannot join: a similarity is 2, but must be a number from 0 to 1",
        ),
        (r#"{"event":"annotator.join","worker":"bob","cost":-1}"#, "`bob` cannot join: a cost of -1; give 0 or more"),
        (r#"{"event":"capacity","worker":"ann","budget":-1}"#, "`ann` has a budget of -1; give 0 or more"),
        (r#"{"event":"annotator.leave","worker":"bob"}"#, "nobody called `bob` ever joined: send annotator.join first"),
    ] {
        let before = office.team.clone();
        let handled = office.handle(event);
        assert_eq!(handled.replies, [Reply::Refused { reason: reason.to_owned() }]);
        assert!(!handled.changed && office.team == before, "{event}");
    }
}

#[test]
fn seats_of_the_silent_are_offered_to_others() {
    let mut office = Office::new(&LoopSpec { lease: Some(10.0), ..spec(&["a", "b", "c", "d", "e"], "2") });
    let first = office.committee(r#"{"event":"task","task":"t","at":0}"#);
    office.vote("t", &first[0], "yes");
    let second = office.committee(r#"{"event":"time","at":10}"#);
    assert_eq!(second.len(), 1);
    assert!(!first.contains(&second[0]));
    let third = office.committee(r#"{"event":"time","at":20}"#);
    assert!(!first.contains(&third[0]) && third != second);
    // Whose lease ended may still answer while the task is open.
    assert!(office.vote("t", &second[0], "no").contains(r#""status":"counted""#));
    // The last lease ends with the third offer: two votes decide, the lowest label on ties.
    assert!(office.tell(r#"{"event":"time","at":30}"#).contains(r#""label":"no","votes":2"#));
    assert_eq!(office.team.open(), 0);
}

#[test]
fn who_leaves_is_replaced_and_who_joins_takes_what_waits() {
    let mut office = Office::new(&spec(&["ann", "bob"], "1"));
    let first = office.committee(r#"{"event":"task","task":"t"}"#);
    let second = office.committee(&format!(r#"{{"event":"annotator.leave","worker":"{}"}}"#, first[0]));
    assert_ne!(first, second);
    let waits = office.tell(&format!(r#"{{"event":"annotator.leave","worker":"{}"}}"#, second[0]));
    assert!(waits.ends_with(r#"{"reply":"waiting","task":"t"}"#), "{waits}");
    assert_eq!(office.committee(r#"{"event":"annotator.join","worker":"eve"}"#), ["eve"]);
    assert!(office.vote("t", "eve", "yes").contains(r#""label":"yes","votes":1"#));
    let back = office.tell(&format!(r#"{{"event":"annotator.join","worker":"{}"}}"#, first[0]));
    assert!(back.contains(r#""status":"returned""#));
    assert!(!office.handle(r#"{"event":"annotator.join","worker":"eve"}"#).changed);
}

#[test]
fn capacity_comes_back_with_every_window_and_budgets_do_not() {
    let team = vec![Founder { worker: "ann".to_owned(), capacity: Some(1), ..Founder::default() }];
    let mut office = Office::new(&LoopSpec { team, window: 100.0, ..spec(&[], "1") });
    assert_eq!(office.committee(r#"{"event":"task","task":"t","at":10}"#), ["ann"]);
    assert!(office.tell(r#"{"event":"task","task":"u","at":20}"#).contains("waiting"));
    assert_eq!(office.committee(r#"{"event":"time","at":101}"#), ["ann"]);
    let money_for_one = r#"{"event":"capacity","worker":"ann","budget":1}"#;
    office.tell(money_for_one);
    assert!(!office.handle(money_for_one).changed);
    assert_eq!(office.committee(r#"{"event":"task","task":"v"}"#), ["ann"]);
    assert!(office.tell(r#"{"event":"task","task":"w"}"#).contains("waiting"));
}

#[test]
fn a_task_nobody_answers_is_given_up_without_a_label() {
    let mut office = Office::new(&LoopSpec { lease: Some(1.0), offers: 1, ..spec(&["ann"], "1") });
    office.tell(r#"{"event":"task","task":"t","at":0}"#);
    let given_up = office.tell(r#"{"event":"time","at":5}"#);
    assert_eq!(given_up, r#"{"reply":"label","task":"t","label":null,"votes":0,"cost":0.0}"#);
}

#[test]
fn a_task_sent_again_is_answered_as_it_stands() {
    let mut office = Office::new(&spec(&["ann"], "1"));
    let task = r#"{"event":"task","task":"t"}"#;
    let first = office.tell(task);
    let again = office.handle(task);
    assert!(!again.changed);
    assert_eq!(first, office.tell(task));
    office.vote("t", "ann", "yes");
    assert!(office.tell(task).contains(r#""reply":"label","task":"t","label":"yes""#));
}

#[test]
fn parameters_are_checked() {
    let message = |spec: LoopSpec| ClosedLoop::start(&spec).unwrap_err().to_string();
    let plain = || spec(&["ann"], "1");
    let hurried = LoopSpec { lease: Some(0.0), ..plain() };
    assert_eq!(message(hurried), "the lease is 0, but must be a number of seconds above 0");
    assert_eq!(message(LoopSpec { offers: 0, ..plain() }), "the number of offers is 0, but must be 1 or more");
    let classes = vec!["a".to_owned(), "a".to_owned()];
    assert_eq!(message(LoopSpec { classes, ..plain() }), "the classes is a, a, but must be names that differ");
    let classes = vec!["a".to_owned(), " ".to_owned()];
    assert_eq!(message(LoopSpec { classes, ..plain() }), "the classes is a,  , but must be names that are not empty");
    let features = 1_000_000;
    assert!(message(LoopSpec { features, ..plain() }).starts_with("the number of features is 1000000, but must be"));
    let team = vec![Founder { worker: "ann".to_owned(), budget: Some(f64::NAN), ..Founder::default() }];
    let poor = LoopSpec { team, ..plain() };
    assert_eq!(message(poor), "the team is ann (a budget of NaN; give 0 or more), but must be people who can join");
    assert_eq!(message(spec(&["ann", "ann"], "1")), "the team is ann, but must be names that differ");
    assert!(message(spec(&["ann"], "0")).contains("the committee size k is 0"));
}

#[test]
fn a_budget_pays_for_every_vote_that_counts() {
    let team =
        ["ann", "bob"].map(|worker| Founder { worker: worker.to_owned(), budget: Some(1.0), ..Founder::default() });
    let mut office = Office::new(&LoopSpec { team: team.into(), lease: Some(10.0), ..spec(&[], "1") });
    let first = office.committee(r#"{"event":"task","task":"t","at":0}"#);
    // The price of the silent is given back, and pays for the task that waits.
    let second = office.committee(r#"{"event":"task","task":"u","at":1}"#);
    assert!(office.tell(r#"{"event":"task","task":"v","at":2}"#).contains("waiting"));
    let at_the_end = office.tell(r#"{"event":"time","at":10}"#);
    assert!(at_the_end.contains(&format!(r#""task":"v","workers":["{}"]"#, first[0])), "{at_the_end}");
    office.vote("v", &first[0], "yes");
    // It answers too late to be paid twice: the vote counts, and nothing is left.
    office.vote("t", &first[0], "yes");
    let more = format!(r#"{{"event":"capacity","worker":"{}","budget":1}}"#, first[0]);
    office.vote("u", &second[0], "no");
    assert!(office.tell(r#"{"event":"task","task":"w"}"#).contains("waiting"));
    assert_eq!(office.committee(&more), first);
}

#[test]
fn a_late_answer_to_an_open_task_is_paid() {
    let team =
        ["ann", "bob"].map(|worker| Founder { worker: worker.to_owned(), budget: Some(2.0), ..Founder::default() });
    let mut office = Office::new(&LoopSpec { team: team.into(), lease: Some(10.0), ..spec(&[], "1") });
    let first = office.committee(r#"{"event":"task","task":"t","at":0}"#);
    office.committee(r#"{"event":"time","at":10}"#);
    // Somebody else is asked meanwhile, and the first answers: 2 - 1 + 1 - 1 are left.
    office.vote("t", &first[0], "yes");
    let away = if first[0] == "ann" { "bob" } else { "ann" };
    office.tell(&format!(r#"{{"event":"capacity","worker":"{away}","capacity":0}}"#));
    assert_eq!(office.committee(r#"{"event":"task","task":"u"}"#), first);
    assert!(office.tell(r#"{"event":"task","task":"v"}"#).contains("waiting"));
}

#[test]
fn a_waiting_task_is_no_committee_and_says_when_it_may_become_one() {
    let team = vec![Founder { worker: "ann".to_owned(), capacity: Some(1), ..Founder::default() }];
    let mut office = Office::new(&LoopSpec { team, window: 100.0, lease: Some(500.0), ..spec(&[], "1") });
    assert_eq!(office.team.next_timeout(), None);
    office.tell(r#"{"event":"task","task":"t","at":110}"#);
    assert_eq!(office.team.next_timeout(), Some(610.0));
    let waits = office.tell(r#"{"event":"task","task":"u"}"#);
    assert_eq!(waits, r#"{"reply":"waiting","task":"u"}"#);
    assert_eq!(office.tell(r#"{"event":"task","task":"u"}"#), waits);
    assert_eq!(office.team.next_timeout(), Some(200.0));
    // No window helps if nobody has capacity in any.
    office.tell(r#"{"event":"capacity","worker":"ann","capacity":0}"#);
    assert_eq!(office.team.next_timeout(), Some(610.0));
}

/// Any event, with few names so that they meet.
fn events() -> impl Strategy<Value = String> {
    let task = prop::sample::select(vec!["t0", "t1", "t2", "t3"]);
    let worker = prop::sample::select(vec!["ann", "bob", "eve", "joe"]);
    (0..6u8, task, worker, 0..3u32, 0..200u32).prop_map(|(kind, task, worker, number, at)| match kind {
        0 => format!(r#"{{"event":"task","task":"{task}","at":{at}}}"#),
        1 | 2 => {
            let label = ["no", "yes", "?"][number as usize];
            format!(r#"{{"event":"vote","task":"{task}","worker":"{worker}","label":"{label}"}}"#)
        }
        3 => format!(r#"{{"event":"annotator.join","worker":"{worker}","capacity":{number}}}"#),
        4 => format!(r#"{{"event":"annotator.leave","worker":"{worker}","at":{at}}}"#),
        _ => format!(r#"{{"event":"capacity","worker":"{worker}","capacity":{number}}}"#),
    })
}

proptest! {
    /// Whatever arrives: no panic, no task decided twice, and the events that changed something lead to the same state.
    #[test]
    fn the_changing_events_alone_lead_to_the_same_state(lines in prop::collection::vec(events(), 1..80)) {
        let spec = LoopSpec { lease: Some(20.0), window: 50.0, ..spec(&["ann", "bob"], "2") };
        let mut office = Office::new(&spec);
        let (mut kept, mut tasks) = (Vec::new(), std::collections::BTreeSet::new());
        for line in &lines {
            let handled = office.handle(line);
            if let Event::Task { task, .. } = serde_json::from_str(line).unwrap() {
                tasks.insert(task);
            }
            if handled.changed {
                kept.push((line.clone(), handled.replies));
            }
        }
        prop_assert_eq!(office.team.decided() as usize + office.team.open(), tasks.len());
        let mut replayed = Office::new(&spec);
        for (line, replies) in &kept {
            prop_assert_eq!(&replayed.handle(line).replies, replies);
        }
        prop_assert_eq!(&replayed.team, &office.team);
    }
}
