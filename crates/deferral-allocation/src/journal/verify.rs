//! Whether a journal is what was written.

use std::path::Path;

use redb::ReadableTableMetadata;
use serde::Serialize;

use super::error::{At, JournalError};
use super::record::{Head, Link, as_text};
use super::replay::{Replay, snapshot_of};
use super::store::{Reader, Store, contain};

/// A journal in which nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Number of events.
    pub events: u64,
    /// The hash of all of them.
    #[serde(serialize_with = "as_text")]
    pub head: Head,
    /// The number of the event that the expected head belongs to, 0 for the parameters alone; none if no head was
    /// expected.
    pub expected: Option<u64>,
    /// The numbers of the events after which there is a snapshot, the oldest first.
    pub snapshots: Vec<u64>,
}

/// Reads a whole journal and handles all its events again, from the first: every checksum and hash must match, every
/// answer must come out byte by byte, with snapshots and decided tasks. Any edit of an event, an answer or a parameter
/// is found; if somebody computed all hashes anew, it is found by `expected`, a head that was noted before, of the last
/// event at that time or any other. Time: as long as the loop took; memory: that of the loop.
///
/// # Errors
/// The first thing that is wrong, with the number of the event; or the journal can't be opened.
pub fn verify(path: &Path, expected: Option<Head>) -> Result<Verified, JournalError> {
    contain(path, || {
        let store = Store::open(path)?;
        verified(&store, expected)
    })
}

pub(super) fn verified(store: &Store, expected: Option<Head>) -> Result<Verified, JournalError> {
    let reader = store.reader()?;
    let mut snapshots = reader.snapshots()?;
    snapshots.reverse();
    let mut replay = Replay::start(store)?;
    let mut found = None;
    let mut note = |link: Link| {
        if expected == Some(link.head) {
            found = Some(link.sequence);
        }
    };
    note(replay.link);
    replay.advance(store, &reader, |replay| {
        note(replay.link);
        if snapshots.contains(&replay.link.sequence) { check_snapshot(store, &reader, replay) } else { Ok(()) }
    })?;
    check_ends(store, &reader, &replay, &snapshots)?;
    match expected {
        Some(head) if found.is_none() => Err(JournalError::HeadMissing { path: store.path.clone(), head }),
        _ => Ok(Verified { events: replay.link.sequence, head: replay.link.head, expected: found, snapshots }),
    }
}

fn check_snapshot(store: &Store, reader: &Reader, replay: &Replay) -> Result<(), JournalError> {
    let sequence = replay.link.sequence;
    let computed = snapshot_of(&replay.state, replay.link, store)?;
    if reader.snapshot(sequence)? == Some(computed) {
        Ok(())
    } else {
        Err(store.wrong(sequence, "the snapshot after it is not what the events lead to"))
    }
}

/// There must be nothing that no event made.
fn check_ends(store: &Store, reader: &Reader, replay: &Replay, snapshots: &[u64]) -> Result<(), JournalError> {
    let last = replay.link.sequence;
    if let Some(beyond) = snapshots.iter().find(|sequence| **sequence > last || **sequence == 0) {
        return Err(store.wrong(*beyond, "there is a snapshot after it, but no such event"));
    }
    let versions = reader.tasks()?.len().at(&store.path)?;
    if versions != replay.versions {
        let made = replay.versions;
        return Err(store
            .wrong(last, format!("the events up to it made {made} entries of decided tasks, there are {versions}")));
    }
    Ok(())
}
