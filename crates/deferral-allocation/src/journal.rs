//! The durable journal of a closed loop: what was answered is on the disk.

mod error;
mod record;
mod replay;
mod stats;
mod store;
mod tasks;
mod verify;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use error::JournalError;
pub use record::{Head, Record};
pub use stats::{Statistics, export, stats};
pub use verify::{Verified, verify};

use error::At;
use record::{Link, difference, is_finite};
use replay::{Replay, snapshot_of};
use store::{EventTable, Store, contain};
use tasks::Recording;

use crate::closed_loop::{ClosedLoop, Handled};
use crate::event::{Event, Reply};
use crate::spec::LoopSpec;

/// The format that this version writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// Events between two snapshots: an opening handles at most about as many again.
const SNAPSHOT_EVERY: u64 = 10_000;

/// A closed loop that forgets nothing: an answer is given only when the event and the answer are on the disk, so a loop
/// that is killed at any moment goes on, opened again, from exactly what it had answered.
///
/// The file is a `redb` database with four tables: the parameters; the events that changed something with what was
/// answered, linked by a chain of blake3 hashes; decided tasks; a snapshot of the loop every 10,000 events and at
/// [`close`](Self::close). Opening it reads the file once to verify its checksums, takes the newest snapshot, and handles
/// the events since then again: the same answers must come out. A journal is open in one process at a time.
///
/// Memory: the loop's own, and a cache of 64 MiB at most; decided tasks are in the file alone. Who sends many events at
/// once waits for the disk once.
///
/// ```
/// use deferral_allocation::{Event, Founder, Journal, LoopSpec, Method, Reply, verify};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("team.redb");
/// let team = ["ann", "bob", "eve"].map(|worker| Founder { worker: worker.to_owned(), ..Founder::default() });
/// let spec = LoopSpec { team: team.into(), ..LoopSpec::new(Method::named("uniform")?, ["fine", "abusive"], 1) };
/// let mut journal = Journal::create(&path, &spec)?;
/// let task: Event = serde_json::from_str(r#"{"event": "task", "task": "post 1"}"#)?;
/// let asked = journal.record(std::slice::from_ref(&task))?;
/// assert!(matches!(&asked[0][0], Reply::Committee { workers, .. } if workers.len() == 3));
/// drop(journal);
///
/// let mut journal = Journal::open(&path)?;
/// assert_eq!((journal.events(), journal.state().open()), (1, 1));
/// assert_eq!(journal.record(&[task])?, asked); // sent again: answered again, and nothing changed
/// journal.close()?;
/// assert_eq!(verify(&path, None)?.events, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Journal {
    store: Store,
    state: ClosedLoop,
    last: Link,
    /// The last event that a snapshot knows.
    snapshot: u64,
    snapshot_every: u64,
    /// Whether the state is what the file says.
    is_sound: bool,
}

impl Journal {
    /// A new journal of a new loop.
    ///
    /// # Errors
    /// If there is a file of that name or it can't be made, or a parameter is out of range.
    pub fn create(path: &Path, spec: &LoopSpec) -> Result<Self, JournalError> {
        ClosedLoop::start(spec)?;
        Store::create(path, spec)?;
        Self::open(path)
    }

    /// The loop as it was when the last answer was given. Reads the file once, and handles the events since the newest
    /// snapshot again. A damaged snapshot costs time, nothing else.
    ///
    /// # Errors
    /// If there is no such file, another process has it open, or it is foreign, newer or damaged; it is never half-read.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        contain(path, || Self::resume(Store::open(path)?))
    }

    /// Opens the journal if there is one, makes it otherwise.
    ///
    /// # Errors
    /// As [`create`](Self::create) and [`open`](Self::open), or if the parameters of the journal are not `spec`.
    pub fn open_or_create(path: &Path, spec: &LoopSpec) -> Result<Self, JournalError> {
        if !path.exists() {
            return Self::create(path, spec);
        }
        let journal = Self::open(path)?;
        journal.require(spec)?;
        Ok(journal)
    }

    fn resume(store: Store) -> Result<Self, JournalError> {
        let reader = store.reader()?;
        let mut replay = Replay::resume_or_start(&store, &reader)?;
        let snapshot = replay.link.sequence;
        replay.advance(&store, &reader, |_| Ok(()))?;
        drop(reader);
        let (state, last) = (replay.state, replay.link);
        Ok(Self { store, state, last, snapshot, snapshot_every: SNAPSHOT_EVERY, is_sound: true })
    }

    /// Handles events in order, writes down what they changed in one transaction, and returns what is answered to each
    /// of them once all that is on the disk. Events that change nothing are answered and not written.
    ///
    /// # Errors
    /// If an event has a number that is not finite: nothing happened. Or if something can't be written: no event of
    /// these is acknowledged, though all of them may be in the file, and the journal must be opened again; what is sent
    /// again then is answered as a duplicate where it was recorded.
    pub fn record(&mut self, events: &[Event]) -> Result<Vec<Vec<Reply>>, JournalError> {
        if !self.is_sound {
            return Err(JournalError::Stopped { path: self.store.path.clone() });
        }
        if let Some(at) = events.iter().position(|event| !is_finite(event)) {
            return Err(JournalError::NotFinite { position: at + 1 });
        }
        // The loop changes before the file does: until the commit has succeeded, the state is not to be relied on.
        self.is_sound = false;
        let replies = self.commit(events)?;
        self.is_sound = true;
        Ok(replies)
    }

    fn commit(&mut self, events: &[Event]) -> Result<Vec<Vec<Reply>>, JournalError> {
        let writer = self.store.writer()?;
        let path = writer.path();
        let (mut table, mut tasks) = (writer.events()?, writer.tasks()?);
        let mut last = self.last;
        let mut answers = Vec::with_capacity(events.len());
        for event in events {
            let mut archive = Recording { table: &mut tasks, sequence: last.sequence + 1 };
            let handled = self.state.handle(event, &mut archive).at(path)?;
            if handled.changed {
                last = append(&mut table, last, event, &handled, path)?;
            }
            answers.push(handled.replies);
        }
        drop((table, tasks));
        if last == self.last {
            return Ok(answers);
        }
        let is_due = last.sequence - self.snapshot >= self.snapshot_every;
        if is_due {
            writer.keep_snapshot(last.sequence, &snapshot_of(&self.state, last, &self.store)?)?;
        }
        writer.commit()?;
        self.last = last;
        if is_due {
            self.snapshot = last.sequence;
        }
        Ok(answers)
    }

    /// Takes a snapshot, so that the next opening has nothing to handle again, and closes the file. A journal that is
    /// dropped instead loses nothing.
    ///
    /// # Errors
    /// If something can't be written, or an earlier write failed; what was answered is in the file.
    pub fn close(self) -> Result<(), JournalError> {
        if !self.is_sound {
            return Err(JournalError::Stopped { path: self.store.path });
        }
        if self.snapshot < self.last.sequence {
            let writer = self.store.writer()?;
            writer.keep_snapshot(self.last.sequence, &snapshot_of(&self.state, self.last, &self.store)?)?;
            writer.commit()?;
        }
        self.store.close()
    }

    /// The parameters of the loop.
    ///
    /// # Errors
    /// If they can't be read.
    pub fn spec(&self) -> Result<LoopSpec, JournalError> {
        self.store.spec()
    }

    /// Checks that the parameters of the loop are `spec`.
    ///
    /// # Errors
    /// If they are not, naming the first that differs, or they can't be read.
    pub fn require(&self, spec: &LoopSpec) -> Result<(), JournalError> {
        let kept = self.spec()?;
        if kept == *spec {
            return Ok(());
        }
        Err(JournalError::OtherParameters { path: self.store.path.clone(), difference: difference(&kept, spec) })
    }

    /// The loop after the last event. Not to be relied on after a [`record`](Self::record) that failed.
    pub fn state(&self) -> &ClosedLoop {
        &self.state
    }

    /// Number of events in the file.
    pub fn events(&self) -> u64 {
        self.last.sequence
    }

    /// The hash of all events: worth noting down elsewhere, for [`verify`].
    pub fn head(&self) -> Head {
        self.last.head
    }
}

/// Adds a record at the end of the chain.
fn append(
    table: &mut EventTable<'_>,
    last: Link,
    event: &Event,
    handled: &Handled,
    path: &Path,
) -> Result<Link, JournalError> {
    let encode = |result: serde_json::Result<Vec<u8>>| {
        result.map_err(|error| JournalError::Storage { path: path.to_owned(), reason: error.to_string() })
    };
    let (event, replies) = (encode(serde_json::to_vec(event))?, encode(serde_json::to_vec(&handled.replies))?);
    let link = last.next(&event, &replies);
    table.insert(link.sequence, (event.as_slice(), replies.as_slice(), link.head.as_bytes())).at(path)?;
    Ok(link)
}
