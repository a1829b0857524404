//! The closed loop as a team runs it: events on standard input, a journal, and what can be read from it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{Desk, Run, table};
use serde_json::{Value, json};

const NEW: &str = "allocate --clock events --labels fine,abusive --features 2 --experts experts.csv --prior prior.csv \
                   --journal team.redb";
const GO_ON: &str = "allocate --clock events --journal team.redb";

/// A folder with four people, two for each group.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("experts.csv", "worker,cost\nann,1\nbob,1\ncyd,2\ndee,2\n");
    let mut prior = "worker,group,similarity\n".to_owned();
    for (worker, north, south) in [("ann", 0.9, 0.2), ("bob", 0.8, 0.3), ("cyd", 0.2, 0.9), ("dee", 0.3, 0.8)] {
        prior += &format!("{worker},north,{north}\n{worker},south,{south}\n");
    }
    desk.write("prior.csv", prior);
    desk
}

fn task(number: usize) -> String {
    let (group, a, b) = (["north", "south"][number % 2], number % 7, number % 5);
    format!("{{\"event\":\"task\",\"task\":\"t{number}\",\"features\":[{a},{b}.5],\"group\":\"{group}\"}}\n")
}

fn tasks(n: usize) -> String {
    (0..n).map(task).collect()
}

fn vote(task: &str, worker: &str, label: &str) -> String {
    format!("{{\"event\":\"vote\",\"task\":\"{task}\",\"worker\":\"{worker}\",\"label\":\"{label}\"}}\n")
}

fn truth(task: &str) -> &'static str {
    let number: usize = task[1..].parse().unwrap();
    ["fine", "abusive"][number / 2 % 2]
}

/// The votes of all who were asked: right, but for `dee`.
fn votes(replies: &[Value]) -> String {
    let mut votes = String::new();
    for committee in replies.iter().filter(|reply| reply["reply"] == "committee") {
        let task = committee["task"].as_str().unwrap();
        for worker in committee["workers"].as_array().unwrap() {
            let worker = worker.as_str().unwrap();
            votes += &vote(task, worker, if worker == "dee" { "fine" } else { truth(task) });
        }
    }
    votes
}

/// Runs the program with `input` on standard input.
fn tell(desk: &Desk, line: &str, input: impl AsRef<[u8]>) -> Run {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut process = desk.command(&words).stdin(Stdio::piped()).spawn().unwrap();
    let (mut stdin, input) = (process.stdin.take().unwrap(), input.as_ref().to_vec());
    // A program that refuses to start does not read.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(!err.contains("panicked"), "{line}\n{err}");
    Run { code: output.status.code(), out, err }
}

/// What is answered by a run that must succeed.
fn replies(desk: &Desk, line: &str, input: impl AsRef<[u8]>) -> Vec<Value> {
    let run = tell(desk, line, input);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{line}\n{}", run.out);
    run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds<'a>(replies: &'a [Value], kind: &str) -> Vec<&'a Value> {
    replies.iter().filter(|reply| reply["reply"] == kind).collect()
}

fn head(desk: &Desk) -> String {
    desk.json("journal stats team.redb --json")["head"].as_str().unwrap().to_owned()
}

/// A run that is talked to.
struct Talk {
    process: Child,
    input: ChildStdin,
    replies: Receiver<Value>,
}

impl Talk {
    fn start(desk: &Desk, line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut process = desk.command(&words).stdin(Stdio::piped()).spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let (sender, replies) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // Nobody listens any more when the test has ended.
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { process, input, replies }
    }

    fn say(&mut self, lines: &str) {
        self.input.write_all(lines.as_bytes()).unwrap();
    }

    /// The next reply; long before it is missing, something is wrong.
    fn hear(&self) -> Value {
        self.replies.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    fn end(self) {
        let Self { mut process, input, .. } = self;
        drop(input);
        assert!(process.wait().unwrap().success());
    }
}

#[test]
fn from_a_team_and_its_prior_to_labels_and_a_journal() {
    let desk = desk();
    let asked = replies(&desk, NEW, tasks(30));
    assert_eq!(kinds(&asked, "committee").len(), 30);
    for committee in &asked {
        let [workers, seats] = ["workers", "seats"].map(|field| committee[field].as_array().unwrap());
        assert_eq!((workers.len(), seats.len(), &committee["offer"]), (3, 3, &json!(1)), "{committee}");
        assert!(seats.iter().all(|seat| (1e-9..=1.0).contains(&seat["propensity"].as_f64().unwrap())), "{committee}");
    }
    // The journal is all that the next run needs.
    let answered = replies(&desk, GO_ON, votes(&asked));
    assert!(kinds(&answered, "vote").iter().all(|vote| vote["status"] == "counted"));
    let labels = kinds(&answered, "label");
    assert_eq!(labels.len(), 30);
    // Two of three are right at least.
    assert!(labels.iter().all(|label| label["label"] == truth(label["task"].as_str().unwrap()) && label["votes"] == 3));

    let stats = desk.json("journal stats team.redb --json");
    let expected = json!({"task": 30, "vote": 90});
    assert_eq!((&stats["events"], &stats["kinds"]), (&json!(120), &expected));
    let counts = ["open", "decided", "unanswered", "counted", "late", "annotators", "present"];
    assert_eq!(counts.map(|field| stats[field].as_u64().unwrap()), [0, 30, 0, 90, 0, 4, 4]);
    assert_eq!(stats["labels"], json!({"fine": 16, "abusive": 14}));
    let head = head(&desk);
    let text = desk.ok("journal stats team.redb");
    assert!(text.starts_with("events     120: task 30, vote 90\n") && text.contains(&head), "{text}");

    assert_eq!(desk.json("journal verify team.redb --json")["events"], 120);
    let text = desk.ok(&format!("journal verify team.redb --head {head}"));
    assert!(text.contains("nothing is wrong: 120 events") && text.contains("that after event 120"), "{text}");

    let export = desk.ok("journal export team.redb");
    let records: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(records.iter().zip(1..).all(|(record, number)| record["sequence"] == number));
    let said: Vec<&Value> = records.iter().flat_map(|record| record["replies"].as_array().unwrap()).collect();
    assert!(said.into_iter().eq(asked.iter().chain(&answered)), "other answers are in the journal than were given");
    assert_eq!(records[119]["hash"], head);
}

#[test]
fn what_is_sent_again_changes_nothing() {
    let desk = desk();
    let asked = replies(&desk, NEW, tasks(5));
    assert_eq!(replies(&desk, GO_ON, tasks(5)), asked);
    replies(&desk, GO_ON, votes(&asked));
    let head_before = head(&desk);
    let again = replies(&desk, GO_ON, votes(&asked) + &tasks(5));
    assert!(kinds(&again, "vote").iter().all(|vote| vote["status"] == "duplicate"));
    // Each vote on a decided task and each task is answered with the label.
    assert_eq!(kinds(&again, "label").len(), 15 + 5);
    assert_eq!(head(&desk), head_before);
    // Many events of one person, recorded together or not: the last one says what is.
    let toggles =
        "{\"event\":\"annotator.leave\",\"worker\":\"ann\"}\n{\"event\":\"annotator.join\",\"worker\":\"ann\"}\n";
    let status = replies(&desk, GO_ON, toggles.repeat(20));
    assert!(status.iter().zip(["left", "returned"].iter().cycle()).all(|(reply, status)| reply["status"] == *status));
    assert_eq!(desk.json("journal stats team.redb --json")["present"], 4);
}

#[test]
fn other_parameters_are_refused_by_name() {
    let desk = desk();
    replies(&desk, NEW, tasks(3));
    // All of them again, or some.
    for same in [
        "--labels fine,abusive",
        "--features 2 --offers 3",
        "--policy latent",
        "--prior prior.csv --experts experts.csv",
    ] {
        assert_eq!(replies(&desk, &format!("{GO_ON} {same}"), ""), [] as [Value; 0], "{same}");
    }
    replies(&desk, NEW, "");
    desk.write("others.csv", "worker\nann\n");
    for (other, what) in [
        ("--labels fine,bad", "`classes` is [\"fine\",\"abusive\"] there, not [\"fine\",\"bad\"]"),
        ("--groups east", "`groups`"),
        ("--features 3", "`features` is 2 there, not 3"),
        ("--policy smooth", "`method`"),
        ("--set k=5", "`method`"),
        ("--experts others.csv", "`team`"),
        ("--lease 60", "`lease` is null there, not 60.0"),
        ("--offers 2", "`offers` is 3 there, not 2"),
        ("--window 5", "`window` is 86400.0 there, not 5.0"),
        ("--seed 9", "`seed` is 1 there, not 9"),
    ] {
        let run = tell(&desk, &format!("{GO_ON} {other}"), tasks(1));
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{other}\n{}", run.err);
        for part in ["team.redb was begun with other parameters", what, "give the same, or begin another journal"] {
            assert!(run.err.contains(part), "{other}\nshould say {part}\nsays {}", run.err);
        }
    }
    assert_eq!(desk.json("journal stats team.redb --json")["events"], 3);
}

#[test]
fn a_new_journal_needs_parameters_that_make_sense() {
    let desk = desk();
    let refuses = |options: &str, parts: &[&str]| {
        desk.refuses(&format!("allocate --journal new.redb {options}"), parts);
    };
    refuses("", &["name the labels of a new journal", "--labels fine,abusive"]);
    refuses("--policy smooth", &["name the labels of a new journal"]);
    refuses("--labels fine", &["the number of classes is 1, but must be 2 or more"]);
    refuses("--labels fine,", &["the classes is fine, , but must be names that are not empty"]);
    refuses("--labels fine,fine", &["the classes is fine, fine, but must be names that differ"]);
    let labels = |options: &str, parts: &[&str]| refuses(&format!("--labels no,yes {options}"), parts);
    labels("--groups a,a", &["the groups is a, a, but must be names that differ"]);
    labels("--policy smoth", &["the method is smoth, but must be one of latent, smooth"]);
    labels("--policy smooth:k", &["a setting is k, but must be written KEY=VALUE, such as k=5"]);
    labels("--policy smooth:k=few", &["the setting k is few, but must be a whole number"]);
    labels("--policy uniform:k=0", &["the committee size k is 0, but must be 1 or more"]);
    labels("--policy goel-faltings", &["the number of workers is 0", "given people and limits"]);
    labels("--set k", &["KEY=VALUE, such as k=5"]);
    labels("--set size=3", &["the setting is size, but must be one of latent's: "]);
    labels("--lease 0", &["the lease is 0, but must be a number of seconds above 0"]);
    labels("--lease NaN", &["the lease is NaN"]);
    labels("--window=-1", &["the window is -1"]);
    labels("--offers 0", &["the number of offers is 0, but must be 1 or more"]);
    labels("--features 1000000000", &["the number of features is 1000000000, but must be 100,000 or fewer"]);
    labels("--experts nope.csv", &["cannot read nope.csv", "check the path"]);
    labels("--groups east --prior prior.csv", &["the team is ann (there is no group `north`; known: east)"]);
    desk.write("twice.csv", "worker\nann\nann\n");
    labels("--experts twice.csv", &["twice.csv, row 3, column `worker`", "listed twice"]);
    desk.write("poor.csv", "worker,budget\nann,-1\n");
    labels("--experts poor.csv", &["poor.csv, row 2, column `budget`", "-1"]);
    desk.refuses("allocate --labels no,yes --journal nope/new.redb", &["nope/new.redb"]);
    desk.refuses("allocate --labels no,yes --journal .", &["cannot open ."]);
}

#[test]
fn one_process_at_a_time_has_a_journal() {
    let desk = desk();
    let mut first = Talk::start(&desk, NEW);
    first.say(&task(0));
    let asked = first.hear();
    for line in [GO_ON, NEW, "journal stats team.redb", "journal verify team.redb", "journal export team.redb"] {
        let run = tell(&desk, line, tasks(1));
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{line}\n{}", run.err);
        assert!(run.err.contains("team.redb is open in another process; end that one first"), "{}", run.err);
    }
    // The first one does not notice.
    first.say(&task(0));
    assert_eq!(first.hear(), asked);
    first.end();
    assert_eq!(replies(&desk, GO_ON, task(0)), [asked]);
}

#[test]
fn lines_that_are_no_events_are_refused_with_their_number_and_the_rest_goes_on() {
    let desk = desk();
    let mut input = task(0).into_bytes();
    let long = format!("{{\"event\":\"task\",\"task\":\"{}\"}}", "x".repeat(1 << 20));
    for line in [
        "nonsense",
        "{\"event\":\"tusk\",\"task\":\"t1\"}",
        "{\"event\":\"task\",\"task\":\"t1\",\"feature\":[1]}",
        "",
        "{\"event\":\"vote\",\"task\":\"t0\",\"worker\":\"ann\"}",
        "{\"event\":\"time\",\"at\":1e999}",
        "{\"event\":\"time\",\"at\":1} {\"event\":\"time\",\"at\":2}",
        &long,
        "5",
    ] {
        input.extend(line.as_bytes());
        input.push(b'\n');
    }
    input.extend(b"{\"event\":\"task\",\"task\":\"\xff\"}\r\n");
    // The last line has no end.
    input.extend(task(1).trim_end().as_bytes());
    let replies = replies(&desk, NEW, input);
    assert_eq!((&replies[0]["task"], &replies[10]["task"]), (&json!("t0"), &json!("t1")));
    let refused: Vec<&str> = kinds(&replies, "refused").iter().map(|reply| reply["reason"].as_str().unwrap()).collect();
    let expected = [
        ("line 2: ", "at character 2"),
        ("line 3: ", "unknown variant `tusk`, expected one of `task`, `vote`, `annotator.join`"),
        ("line 4: ", "unknown field `feature`, expected one of `task`, `features`, `group`, `at`"),
        ("line 6: ", "missing field `label`"),
        ("line 7: ", "number out of range"),
        ("line 8: ", "trailing characters at character 25; write one event a line"),
        ("line 9: ", "longer than 1048576 bytes"),
        ("line 10: ", "invalid type: integer `5`, expected an object with the field `event`"),
        ("line 11: ", "invalid unicode"),
    ];
    assert_eq!(refused.len(), expected.len(), "{refused:?}");
    for (reason, (start, part)) in refused.iter().zip(expected) {
        assert!(reason.starts_with(start) && reason.contains(part), "{start}{part}\n{reason}");
    }
    assert_eq!(desk.json("journal stats team.redb --json")["events"], 2);
}

#[test]
fn events_that_cannot_be_are_refused_by_name() {
    let desk = desk();
    let input = [
        task(0),
        vote("t0", "eve", "fine"),
        vote("t0", "ann", "nice"),
        vote("t9", "ann", "fine"),
        "{\"event\":\"task\",\"task\":\"t1\",\"features\":[1]}\n".to_owned(),
        "{\"event\":\"task\",\"task\":\"t1\",\"features\":[1,2],\"group\":\"east\"}\n".to_owned(),
        "{\"event\":\"annotator.join\",\"worker\":\"eve\",\"similarity\":{\"north\":2}}\n".to_owned(),
        "{\"event\":\"capacity\",\"worker\":\"ann\",\"budget\":-1}\n".to_owned(),
    ];
    let replies = replies(&desk, NEW, input.concat());
    let reasons: Vec<&str> = replies[1..].iter().map(|reply| reply["reason"].as_str().unwrap()).collect();
    let expected = [
        "nobody called `eve` ever joined",
        "`ann` voted `nice` on `t0`; the labels are fine, abusive",
        "there is no task `t9`: send it before its votes",
        "task `t1` has 1 features; this loop takes 2",
        "there is no group `east`; known: north, south",
        "`eve` cannot join: a similarity is 2",
        "`ann` has a budget of -1",
    ];
    assert_eq!(reasons.len(), expected.len());
    assert!(reasons.iter().zip(expected).all(|(reason, part)| reason.contains(part)), "{reasons:#?}");
}

/// What all commands say of a file that is no journal, or no sound one.
fn refused_journal(desk: &Desk, name: &str, part: &str) {
    for command in ["allocate --journal", "journal stats", "journal verify", "journal export"] {
        let line = format!("{command} {name}");
        let run = desk.run(&line);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{line}\n{}", run.err);
        assert!(run.err.contains(name) && run.err.contains(part), "{line}\n{}", run.err);
    }
}

#[test]
fn what_is_no_sound_journal_is_refused() {
    let desk = desk();
    refused_journal(&desk, "experts.csv", "is not a journal of deferral; choose another name");
    desk.write("empty.redb", "");
    refused_journal(&desk, "empty.redb", "is not a journal of deferral");
    desk.refuses("journal stats nope.redb", &["cannot open nope.redb"]);

    let asked = replies(&desk, NEW, tasks(20));
    replies(&desk, GO_ON, votes(&asked));
    let whole = desk.read("team.redb");
    desk.write("cut.redb", &whole[..whole.len() / 2]);
    refused_journal(&desk, "cut.redb", "damaged");
    let (mut flipped, name) = (whole.clone(), b"\"task\":\"t7\"");
    let places: Vec<usize> = (0..whole.len() - name.len()).filter(|at| whole[*at..].starts_with(name)).collect();
    assert!(!places.is_empty());
    for at in places {
        flipped[at + 9] ^= 1;
    }
    desk.write("flipped.redb", flipped);
    refused_journal(&desk, "flipped.redb", "damaged");

    let newer = redb::Database::open(desk.path("team.redb")).unwrap();
    let transaction = newer.begin_write().unwrap();
    let meta: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("meta");
    transaction.open_table(meta).unwrap().insert("format", [2, 0, 0, 0].as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(newer);
    refused_journal(&desk, "team.redb", "has journal format 2, this program reads up to 1; use a newer deferral");
}

#[test]
fn a_head_stands_for_a_journal_and_all_before_it() {
    let desk = desk();
    let asked = replies(&desk, NEW, tasks(4));
    let noted = head(&desk);
    replies(&desk, GO_ON, votes(&asked));
    let text = desk.ok(&format!("journal verify team.redb --head {noted}"));
    assert!(text.contains("the hash given is that after event 4\n"), "{text}");
    for wrong in ["abc", &"x".repeat(64), &noted[1..]] {
        let line = format!("journal verify team.redb --head {wrong}");
        let run = desk.run(&line);
        assert_eq!(run.code, Some(2), "{line}");
        let expected = format!("--head is `{wrong}`, but must be 64 hexadecimal digits");
        assert!(run.err.contains(&expected), "{}", run.err);
    }
    let run = desk.run(&format!("journal verify team.redb --head {}", "a".repeat(64)));
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
    assert!(run.err.contains("team.redb does not contain aaaa"), "{}", run.err);
}

#[test]
fn other_policies_are_judged_by_the_draws_of_a_journal() {
    let desk = desk();
    let uniform = NEW.replace("allocate", "allocate --policy uniform:k=1");
    let asked = replies(&desk, &uniform, tasks(200));
    replies(&desk, GO_ON, votes(&asked));
    desk.write("gold.csv", table("task,label", 200, |task| format!("t{task},{}", truth(&format!("t{task}")))));
    let evaluate = "journal evaluate team.redb --gold gold.csv";
    let found = desk.json(&format!("{evaluate} --policy uniform:k=1 --policy strict:k=1 --json"));
    let names = ["uniform:k=1", "strict:k=1"];
    assert!(found.as_array().unwrap().iter().map(|estimate| &estimate["policy"]).eq(names.iter()));
    let (itself, strict) = (&found[0], &found[1]);
    assert_eq!((&itself["by_gold"], &itself["by_votes"]), (&json!(200), &json!(0)));
    let value = |estimate: &Value, kind: &str| estimate["estimates"][kind]["value"]["value"].as_f64().unwrap();
    // Who is drawn as in the log does as well as the log.
    assert!((value(itself, "inverse_propensity") - value(itself, "logged")).abs() < 1e-9);
    // `dee` is right on the half of the tasks that are fine, the others always.
    assert!(value(itself, "logged") > 0.8 && value(itself, "logged") < 0.95, "{itself}");
    assert!((0.5..=1.1).contains(&value(strict, "doubly_robust")), "{strict}");
    let text = desk.ok(&format!("{evaluate} --policy uniform:k=1"));
    assert!(text.contains("on 200 tasks; judged by the labels given"), "{text}");
    let text = desk.ok("journal evaluate team.redb --policy uniform:k=1");
    // A single vote always agrees with the label that it gives.
    let agreement =
        "own draws: 1.000 [1.000, 1.000] on 200 tasks; judged by agreement with the labels that the votes gave";
    assert!(text.contains(agreement), "{text}");
    assert_eq!(text, desk.ok("journal evaluate team.redb --policy uniform:k=1 --threads 1"));

    let refuses = |line: &str, parts: &[&str]| {
        let run = desk.run(line);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{line}\n{}", run.err);
        assert!(parts.iter().all(|part| run.err.contains(part)), "{line}\n{}", run.err);
    };
    refuses("journal evaluate team.redb", &["--policy"]);
    refuses(&format!("{evaluate} --policy smoth"), &["the method is smoth, but must be one of latent"]);
    refuses(&format!("{evaluate} --policy smooth:z=1"), &["the setting is z, but must be one of"]);
    refuses("journal evaluate team.redb --policy smooth --gold nope.csv", &["cannot read nope.csv"]);
    refuses("journal evaluate team.redb --policy smooth --clip 0", &["clip", "0"]);
    desk.write("gold.csv", "task,label\nt0,fine\nt1,nice\n");
    let parts = ["gold.csv: the label `nice` is none of the journal's: fine, abusive"];
    refuses(&format!("{evaluate} --policy smooth"), &parts);
}

#[test]
fn leases_end_at_the_time_of_the_events() {
    let desk = desk();
    let line = format!("{NEW} --policy uniform:k=2 --lease 10 --offers 2");
    let at = |at: u32| format!("{{\"event\":\"time\",\"at\":{at}}}\n");
    let first = replies(&desk, &line, task(0));
    assert_eq!((first.len(), &first[0]["until"]), (1, &json!(10.0)));
    assert_eq!(replies(&desk, GO_ON, at(9)), [] as [Value; 0]);
    let second = replies(&desk, GO_ON, at(10));
    assert_eq!((second.len(), &second[0]["offer"], &second[0]["until"]), (1, &json!(2), &json!(20.0)));
    let [first, second] = [&first, &second].map(|replies| replies[0]["workers"].as_array().unwrap());
    assert!(second.len() == 2 && second.iter().all(|worker| !first.contains(worker)));
    // Who was asked first may still answer; the last lease ends, and what came decides.
    let name = |workers: &[Value]| workers[0].as_str().unwrap().to_owned();
    let (early, late) = (name(first), name(second));
    let end = replies(&desk, GO_ON, vote("t0", &early, "abusive") + &at(20));
    assert_eq!(
        (&end[0]["status"], &end[1]["label"], &end[1]["votes"]),
        (&json!("counted"), &json!("abusive"), &json!(1))
    );
    let after =
        replies(&desk, GO_ON, vote("t0", &late, "fine") + &vote("t0", &late, "fine") + &vote("t0", &early, "fine"));
    let status: Vec<&Value> = kinds(&after, "vote").iter().map(|vote| &vote["status"]).collect();
    assert_eq!(status, ["late", "duplicate", "duplicate"]);
    assert_eq!(desk.json("journal stats team.redb --json")["late"], 1);
    desk.ok("journal verify team.redb");
}

#[test]
fn an_idle_loop_notices_that_a_lease_has_ended() {
    let desk = desk();
    let line = NEW.replace("--clock events", "--policy uniform:k=1 --lease 0.3");
    let mut talk = Talk::start(&desk, &line);
    talk.say(&task(0));
    let first = talk.hear();
    let second = talk.hear();
    assert_eq!([&first, &second].map(|reply| &reply["offer"]), [&json!(1), &json!(2)], "{first} {second}");
    assert!(first["workers"] != second["workers"] && first["until"].as_f64() < second["until"].as_f64());
    talk.end();
    desk.ok("journal verify team.redb");
}

#[test]
fn an_idle_loop_notices_that_a_time_window_has_begun() {
    let desk = desk();
    desk.write("experts.csv", "worker,capacity\nann,1\n");
    desk.write("prior.csv", "worker,group,similarity\nann,north,0.9\nann,south,0.9\n");
    let line = NEW.replace("--clock events", "--policy uniform:k=1 --window 0.3");
    let mut talk = Talk::start(&desk, &line);
    talk.say(&tasks(3));
    let heard: Vec<Value> =
        std::iter::repeat_with(|| talk.hear()).filter(|reply| reply["reply"] == "committee").take(3).collect();
    assert_eq!(heard.iter().map(|reply| &reply["task"]).collect::<Vec<_>>(), ["t0", "t1", "t2"]);
    talk.end();
    desk.ok("journal verify team.redb");
}

const SIMULATE: &str = "simulate closed-loop --trials 2 --cases 300";

#[test]
fn the_experiments_depend_on_the_seed_and_on_nothing_else() {
    let desk = Desk::new();
    let changed = "simulate closed-loop --trials 2 --change swap --before 300";
    for line in [SIMULATE, &format!("{SIMULATE} --data raters --method latent:k=7 --method majority"), changed] {
        let text = desk.ok(line);
        assert!(text.contains(" latent"), "{line}\n{text}");
        assert_eq!(text, desk.ok(&format!("{line} --threads 1")), "{line}");
        assert_eq!(text, desk.ok(&format!("{line} --threads 3")), "{line}");
        assert_ne!(text, desk.ok(&format!("{line} --seed 2")), "{line}");
        desk.json(&format!("{line} --json"));
    }
    assert!(desk.files().is_empty());
}

#[test]
fn accuracy_against_noise_is_a_figure() {
    let desk = Desk::new();
    let sweep = format!("{SIMULATE} --sweep 3 --method latent --method smooth");
    let text = desk.ok(&format!("{sweep} --out e8.svg"));
    assert!(["s=.000", "s=.333", "s=.667", " latent", " smooth"].iter().all(|part| text.contains(part)), "{text}");
    let figure = desk.text("e8.svg");
    assert!(figure.contains("<svg") && figure.contains("smooth") && figure.trim_end().ends_with("</svg>"));
    desk.ok(&format!("{sweep} --out again.svg --threads 1"));
    assert_eq!(figure, desk.text("again.svg"));
    desk.ok(&format!("{sweep} --out e8.html"));
    assert!(desk.text("e8.html").contains("<svg"));
    desk.refuses(&format!("{sweep} --out e8.png"), &["--out is e8.png, but must end in .svg or .html"]);
    desk.refuses(&format!("{sweep} --out nope/e8.svg"), &["cannot write nope/e8.svg: there is no folder nope"]);
}

#[test]
fn experiments_that_cannot_be_are_refused() {
    let desk = Desk::new();
    for (options, parts) in [
        ("--noise 5", &["the noise of the prior is 5, but must be a number from 0 to 1"] as &[&str]),
        ("--method nope", &["the method is nope, but must be one of latent"]),
        ("--method latent:z=1", &["the setting is z, but must be one of latent's"]),
        ("--test 1", &["the test share is 1"]),
        ("--per-cluster 0", &["annotators per cluster is 0"]),
        ("--sweep 0", &["--sweep is 0, but must be 1 or more"]),
        ("--out e8.svg", &["--sweep"]),
        ("--sweep 3 --noise 0.2", &["--sweep", "--noise"]),
        ("--change swap --wrong-prior", &["--change", "--wrong-prior"]),
        ("--change swap --method majority", &["the method is majority, but must be one of latent"]),
        ("--change swap --before 0", &["before is 0, but must be 1 or more"]),
        ("--data raters --noise 0.2", &["--noise is about clusters"]),
        ("--data raters --change joins", &["--change is about clusters"]),
        ("--trials 0", &["trials"]),
        ("--cases 0", &["cases"]),
        ("--cases 99999999999", &["must be a whole number up to 10000000"]),
        ("--vectors v.txt", &["--ratings"]),
    ] {
        desk.refuses(&format!("simulate closed-loop {options}"), parts);
    }
}
