//! What a journal keeps, and what it notices.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use redb::{ReadableTable, ReadableTableMetadata};
use tempfile::TempDir;

use super::record::Link;
use super::script::{script, spec};
use super::store::{Store, Writer};
use super::{Journal, JournalError, export, stats, verify};
use crate::archive::Recent;
use crate::closed_loop::ClosedLoop;
use crate::event::{Event, Reply};
use crate::latent::LatentTruth;
use crate::method::Method;

/// A journal with the events of a script, closed or as it is after a crash, with snapshots every 100 events.
fn journal_of(events: &[Event], close: bool) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team.redb");
    let mut journal = Journal::create(&path, &spec()).unwrap();
    journal.snapshot_every = 100;
    for batch in events.chunks(7) {
        journal.record(batch).unwrap();
    }
    if close {
        journal.close().unwrap();
    }
    (folder, path)
}

/// Changes the file as somebody could who knows the store.
fn tamper(path: &Path, change: impl FnOnce(&Writer<'_>)) {
    let store = Store::open(path).unwrap();
    let writer = store.writer().unwrap();
    change(&writer);
    writer.commit().unwrap();
    store.close().unwrap();
}

/// Replaces a word in an event or its replies, and, `chained`, computes all hashes anew.
fn edit(path: &Path, sequence: u64, (from, to): (&str, &str), chained: bool) {
    let mut link = Store::open(path).unwrap().first_link();
    tamper(path, |writer| {
        let mut table = writer.events().unwrap();
        for number in 1..=table.len().unwrap() {
            let (mut event, mut replies, mut hash) = {
                let record = table.get(number).unwrap().unwrap();
                let (event, replies, hash) = record.value();
                (String::from_utf8(event.to_vec()).unwrap(), String::from_utf8(replies.to_vec()).unwrap(), *hash)
            };
            if number == sequence {
                let before = (event.clone(), replies.clone());
                (event, replies) = (event.replace(from, to), replies.replace(from, to));
                assert_ne!((&event, &replies), (&before.0, &before.1), "nothing to replace");
            }
            link = link.next(event.as_bytes(), replies.as_bytes());
            if chained {
                hash = *link.head.as_bytes();
            }
            table.insert(number, (event.as_bytes(), replies.as_bytes(), &hash)).unwrap();
        }
    });
}

fn message<T: std::fmt::Debug>(result: Result<T, JournalError>) -> String {
    let message = result.unwrap_err().to_string();
    message[message.find("team.redb").unwrap()..].to_owned()
}

#[test]
fn a_journal_says_what_a_loop_in_memory_says() {
    let events = script(100, 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team.redb");
    let mut journal = Journal::create(&path, &spec()).unwrap();
    let (mut looped, mut archive) = (ClosedLoop::start(&spec()).unwrap(), Recent::new(usize::MAX));
    for batch in events.chunks(13) {
        let answers = journal.record(batch).unwrap();
        for (event, answer) in batch.iter().zip(answers) {
            assert_eq!(looped.handle(event, &mut archive).unwrap().replies, answer);
        }
    }
    assert_eq!(journal.state(), &looped);
}

#[test]
fn it_goes_on_from_a_snapshot_and_from_none() {
    let events = script(150, 2);
    let (first, rest) = events.split_at(events.len() / 2);
    let (_whole, whole) = journal_of(&events, false);
    let whole = Journal::open(&whole).unwrap();
    for close in [false, true] {
        let (_folder, path) = journal_of(first, close);
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.snapshot == journal.last.sequence, close);
        assert!(journal.snapshot > 0);
        for batch in rest.chunks(31) {
            journal.record(batch).unwrap();
        }
        assert_eq!((journal.state(), journal.head()), (whole.state(), whole.head()));
    }
}

#[test]
fn a_replay_sees_decided_tasks_as_they_were() {
    let (_folder, path) = journal_of(&[], false);
    let event = |line: &str| -> Event { serde_json::from_str(line).unwrap() };
    let vote =
        |worker: &str| event(&format!(r#"{{"event": "vote", "task": "a", "worker": "{worker}", "label": "fine"}}"#));
    let team = ["ann", "bob", "eve", "joe", "sue"];
    let mut journal = Journal::open(&path).unwrap();
    let time = |at: u32| event(&format!(r#"{{"event": "time", "at": {at}}}"#));
    let task = event(r#"{"event": "task", "task": "a", "features": [0, 0], "at": 0}"#);
    // All five are asked in the end, and one answers in time.
    let asked = journal.record(&[task]).unwrap();
    let Reply::Committee { workers, .. } = &asked[0][0] else { panic!("{asked:?}") };
    journal.record(&[vote(&workers[0]), time(11), time(22), time(33)]).unwrap();
    assert_eq!(journal.state().decided(), 1);
    journal.close().unwrap();

    let mut journal = Journal::open(&path).unwrap();
    let snapshot = journal.last.sequence;
    let heard = |journal: &mut Journal| serde_json::to_string(&journal.record(&team.map(vote)).unwrap()).unwrap();
    assert_eq!(heard(&mut journal).matches(r#""status":"late""#).count(), 4);
    assert_eq!(heard(&mut journal).matches(r#""status":"duplicate""#).count(), 5);
    let state = journal.state().clone();
    drop(journal);

    let mut journal = Journal::open(&path).unwrap();
    assert_eq!((journal.snapshot, journal.last.sequence), (snapshot, snapshot + 4));
    assert_eq!(journal.state(), &state);
    assert_eq!(heard(&mut journal).matches(r#""status":"duplicate""#).count(), 5);
    drop(journal);
    assert_eq!(verify(&path, None).unwrap().events, snapshot + 4);
}

#[test]
fn two_snapshots_are_kept_and_bad_ones_passed_over() {
    let events = script(150, 4);
    let (_folder, path) = journal_of(&events, true);
    let verified = verify(&path, None).unwrap();
    assert_eq!(verified.snapshots.len(), 2);
    assert_eq!(verified.snapshots[1], verified.events);
    let state = Journal::open(&path).unwrap().state().clone();
    for (spoiled, left) in [(verified.snapshots[1], verified.snapshots[0]), (verified.snapshots[0], 0)] {
        tamper(&path, |writer| {
            let mut snapshots = writer.snapshots();
            let mut bytes = snapshots.get(spoiled).unwrap().unwrap().value().to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            snapshots.insert(spoiled, bytes.as_slice()).unwrap();
        });
        let journal = Journal::open(&path).unwrap();
        assert_eq!((journal.state(), journal.snapshot), (&state, left));
        drop(journal);
        let expected = format!("team.redb, event {spoiled}: the snapshot after it is not what the events lead to");
        assert_eq!(message(verify(&path, None)), expected);
    }
}

#[test]
fn a_snapshot_of_another_place_is_passed_over() {
    let (_folder, path) = journal_of(&script(60, 4), true);
    let verified = verify(&path, None).unwrap();
    let [before, last] = verified.snapshots[..] else { panic!("two snapshots") };
    tamper(&path, |writer| {
        let mut snapshots = writer.snapshots();
        let older = snapshots.get(before).unwrap().unwrap().value().to_vec();
        snapshots.insert(last, older.as_slice()).unwrap();
        snapshots.insert(last + 5, older.as_slice()).unwrap();
    });
    assert_eq!(Journal::open(&path).unwrap().snapshot, before);
    assert!(message(verify(&path, None)).contains("the snapshot after it is not what the events lead to"));
    tamper(&path, |writer| drop(writer.snapshots().remove(last).unwrap()));
    let expected = format!("team.redb, event {}: there is a snapshot after it, but no such event", last + 5);
    assert_eq!(message(verify(&path, None)), expected);
}

#[test]
fn every_edit_is_found() {
    let events = script(40, 5);
    let (_folder, path) = journal_of(&events, true);
    let head = verify(&path, None).unwrap().head;
    assert_eq!(verify(&path, Some(head)).unwrap().expected, verify(&path, None).unwrap().events.into());
    let changed = "the hash chain breaks here: this event or its replies were changed";
    for (sequence, words) in [(2, ("fine", "abusive")), (2, ("counted", "late")), (1, ("propensity", "Propensity"))] {
        let copy = path.with_file_name("copy of team.redb");
        std::fs::copy(&path, &copy).unwrap();
        edit(&copy, sequence, words, false);
        assert_eq!(message(verify(&copy, None)), format!("team.redb, event {sequence}: {changed}"));
        assert!(message(stats(&copy)).contains(changed));
    }
}

#[test]
fn a_chain_computed_anew_is_found_by_replies_or_head() {
    let events = script(40, 5);
    let (_folder, path) = journal_of(&events, true);
    let head = verify(&path, None).unwrap().head;
    let copy = path.with_file_name("copy of team.redb");
    std::fs::copy(&path, &copy).unwrap();
    edit(&copy, 2, ("counted", "late"), true);
    let found = message(verify(&copy, None));
    assert!(found.starts_with("team.redb, event 2: it was answered [") && found.contains("would now be"), "{found}");

    // An edit that changes no answer and no decision, by somebody who knows the store well.
    std::fs::copy(&path, &copy).unwrap();
    edit(&copy, 1, ("[0.", "[1."), true);
    tamper(&copy, |writer| writer.snapshots().retain(|_, _| false).unwrap());
    let anew = verify(&copy, None).unwrap();
    assert_ne!(anew.head, head);
    let expected = format!("team.redb does not contain {head}: it was replaced or written anew since that was noted");
    assert_eq!(message(verify(&copy, Some(head))), expected);
}

#[test]
fn an_older_head_is_found_where_it_was() {
    let events = script(40, 6);
    let (_folder, path) = journal_of(&events[..50], true);
    let noted = verify(&path, None).unwrap();
    let mut journal = Journal::open(&path).unwrap();
    journal.record(&events[50..]).unwrap();
    drop(journal);
    let now = verify(&path, Some(noted.head)).unwrap();
    assert!(now.events > noted.events);
    assert_eq!(now.expected, Some(noted.events));
}

#[test]
fn removed_events_and_changed_tasks_are_found() {
    let events = script(40, 7);
    let (_folder, path) = journal_of(&events, true);
    let copy = path.with_file_name("copy of team.redb");
    std::fs::copy(&path, &copy).unwrap();
    tamper(&copy, |writer| drop(writer.events().unwrap().remove(9).unwrap()));
    assert_eq!(message(verify(&copy, None)), "team.redb, event 9: it is missing");

    std::fs::copy(&path, &copy).unwrap();
    let mut changed = (String::new(), 0);
    tamper(&copy, |writer| {
        let mut tasks = writer.tasks().unwrap();
        let (key, _) = tasks.first().unwrap().unwrap();
        changed = (key.value().0.to_owned(), key.value().1);
        drop(key);
        tasks.insert((changed.0.as_str(), changed.1), b"{}".as_slice()).unwrap();
    });
    let (task, sequence) = &changed;
    let expected = format!("team.redb, event {sequence}: the decided task `{task}` was changed since");
    assert_eq!(message(verify(&copy, None)), expected);

    std::fs::copy(&path, &copy).unwrap();
    tamper(&copy, |writer| drop(writer.tasks().unwrap().insert(("another", 3), b"{}".as_slice()).unwrap()));
    assert!(message(verify(&copy, None)).contains("entries of decided tasks, there are"));
}

#[test]
fn a_journal_has_a_loop_a_name_and_one_process() {
    let (folder, path) = journal_of(&[], false);
    let taken = message(Journal::create(&path, &spec()));
    assert_eq!(taken, "team.redb exists already: open it, or choose another name");
    let journal = Journal::open_or_create(&path, &spec()).unwrap();
    assert_eq!(journal.spec().unwrap(), spec());
    let locked = "team.redb is open in another process; end that one first, or use another journal";
    assert_eq!(message(Journal::open(&path)), locked);
    assert_eq!(message(verify(&path, None)), locked);
    drop(journal);
    let mut other = spec();
    other.seed = 8;
    let expected =
        "team.redb was begun with other parameters: `seed` is 7 there, not 8; give the same, or begin another journal";
    assert_eq!(message(Journal::open_or_create(&path, &other)), expected);
    other.offers = 0;
    let second = folder.path().join("second.redb");
    let refused = Journal::open_or_create(&second, &other).unwrap_err().to_string();
    assert_eq!(refused, "the number of offers is 0, but must be 1 or more");
    assert!(!second.exists());
    assert!(Journal::open(&second).unwrap_err().to_string().starts_with("cannot open "));
    assert!(Journal::create(&folder.path().join("no such folder/team.redb"), &spec()).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
}

#[test]
fn parameters_that_cannot_be_kept_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec();
    spec.method = Method::Latent(LatentTruth { memory: f64::INFINITY, ..LatentTruth::default() });
    let refused = Journal::create(&folder.path().join("team.redb"), &spec).unwrap_err().to_string();
    assert_eq!(refused, "a parameter of the loop is infinite, but must be a number that can be kept");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left over");
}

#[test]
fn foreign_and_newer_files_are_refused() {
    let (_folder, path) = journal_of(&script(5, 1), true);
    tamper(&path, |writer| writer.set_meta("format", &2u32.to_le_bytes()));
    let newer = "team.redb has journal format 2, this program reads up to 1; use a newer deferral";
    assert_eq!(message(Journal::open(&path)), newer);
    tamper_anyway(&path);
    let foreign = "team.redb is not a journal of deferral; choose another name";
    assert_eq!(message(Journal::open(&path)), foreign);
    for text in ["", "a,b\n1,2\n"] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(message(Journal::open(&path)), foreign);
    }
}

/// A database of somebody else.
fn tamper_anyway(path: &Path) {
    std::fs::remove_file(path).unwrap();
    redb::Database::create(path).unwrap().close().unwrap();
}

#[test]
fn changed_parameters_break_the_chain_at_its_beginning() {
    let (_folder, path) = journal_of(&script(5, 1), true);
    tamper(&path, |writer| {
        let other = serde_json::to_vec(&crate::LoopSpec { seed: 1, ..spec() }).unwrap();
        writer.set_meta("parameters", &other);
    });
    assert!(message(verify(&path, None)).starts_with("team.redb, event 1: the hash chain breaks here"));
}

#[test]
fn numbers_that_cannot_be_written_are_refused_and_nothing_happens() {
    let (_folder, path) = journal_of(&[], false);
    let mut journal = Journal::open(&path).unwrap();
    let task = |x| Event::Task { task: "a".into(), features: vec![0.0, x], group: None, at: Some(1.0) };
    let refused = journal.record(&[task(0.0), task(f64::NAN)]).unwrap_err().to_string();
    assert_eq!(refused, "event 2 of those sent has a number that is not finite; nothing of them was recorded");
    assert_eq!((journal.events(), journal.state().open()), (0, 0));
    journal.record(&[task(0.0)]).unwrap();
    assert_eq!((journal.events(), journal.state().open()), (1, 1));
}

#[test]
fn numbers_of_a_journal_add_up() {
    let events = script(120, 9);
    let (_folder, path) = journal_of(&events, false);
    let found = stats(&path).unwrap();
    let journal = Journal::open(&path).unwrap();
    assert_eq!((found.events, found.head), (journal.events(), journal.head()));
    assert_eq!(found.kinds.values().sum::<u64>(), found.events);
    assert_eq!(found.kinds["task"], 120);
    assert_eq!((found.open, found.decided), (journal.state().open() as u64, journal.state().decided()));
    assert_eq!(found.open + found.decided, 120);
    assert_eq!(found.labels.values().sum::<u64>() + found.unanswered, found.decided);
    assert!(found.labels["fine"] > 4 * found.labels["abusive"]);
    assert!(found.late > 10 && found.counted > 10 * found.late, "{} of {}", found.late, found.counted);
    assert_eq!(found.kinds["vote"], found.counted + found.late);
    assert_eq!((found.annotators, found.present), (5 + found.kinds["annotator.join"], 5));
    assert_eq!(found.bytes, std::fs::metadata(&path).unwrap().len());
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["head"], journal.head().to_string());
}

/// Why a reader of records stops.
#[derive(Debug, PartialEq)]
struct Enough(u64);
impl From<JournalError> for Enough {
    fn from(_: JournalError) -> Self {
        Self(0)
    }
}

#[test]
fn an_export_has_every_record_and_can_be_checked_elsewhere() {
    let events = script(30, 10);
    let (_folder, path) = journal_of(&events, true);
    let mut link = Store::open(&path).unwrap().first_link();
    let mut lines = 0;
    export(&path, |record| {
        lines += 1;
        let line = serde_json::to_value(&record).unwrap();
        assert_eq!((&line["sequence"], &line["hash"]), (&lines.into(), &record.hash.to_string().into()));
        link = link.next(&serde_json::to_vec(&record.event).unwrap(), &serde_json::to_vec(&record.replies).unwrap());
        assert_eq!(link, Link { sequence: lines, head: record.hash });
        Ok::<(), JournalError>(())
    })
    .unwrap();
    assert_eq!(lines, verify(&path, Some(link.head)).unwrap().events);

    let stop = |record: super::Record| if record.sequence == 3 { Err(Enough(3)) } else { Ok(()) };
    assert_eq!(export(&path, stop), Err(Enough(3)));
}
