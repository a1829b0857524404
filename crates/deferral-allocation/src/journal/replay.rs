//! Handling past events again: the same answers must come out, byte by byte.

use deferral_core::artifact;

use super::error::{At, JournalError};
use super::record::{Link, Stored};
use super::store::{Reader, Store};
use super::tasks::Replaying;
use crate::closed_loop::ClosedLoop;
use crate::event::Event;

const SNAPSHOT: &str = "journal-snapshot";

/// A loop and the last event that it knows.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) state: ClosedLoop,
    pub(super) link: Link,
    /// Versions of decided tasks that came out.
    pub(super) versions: u64,
}

impl Replay {
    /// Before the first event.
    pub(super) fn start(store: &Store) -> Result<Self, JournalError> {
        Ok(Self { state: ClosedLoop::start(&store.spec()?)?, link: store.first_link(), versions: 0 })
    }

    /// The newest snapshot that is whole and of this journal, or before the first event. A damaged snapshot is passed
    /// over: the events say the same.
    pub(super) fn resume_or_start(store: &Store, reader: &Reader) -> Result<Self, JournalError> {
        for sequence in reader.snapshots()? {
            let Some(link) = reader.link(sequence)? else { continue };
            let Some(bytes) = reader.snapshot(sequence)? else { continue };
            if let Ok((head, state)) = artifact::decode::<([u8; 32], ClosedLoop)>(&store.path, SNAPSHOT, &bytes)
                && head == *link.head.as_bytes()
            {
                return Ok(Self { state, link, versions: 0 });
            }
        }
        Self::start(store)
    }

    /// Handles the events that come after. `meet` is called after each.
    pub(super) fn advance(
        &mut self,
        store: &Store,
        reader: &Reader,
        mut meet: impl FnMut(&Self) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let tasks = reader.tasks()?;
        reader.each(self.link, |record| {
            let archive = Replaying::new(&tasks, record.link.sequence);
            self.handle(store, record, archive)?;
            meet(self)
        })?;
        Ok(())
    }

    fn handle(&mut self, store: &Store, record: Stored<'_>, mut archive: Replaying<'_>) -> Result<(), JournalError> {
        let sequence = record.link.sequence;
        let event: Event = serde_json::from_slice(record.event).map_err(|error| store.unreadable(sequence, &error))?;
        let handled = self.state.handle(&event, &mut archive).at(&store.path)?;
        let replies = serde_json::to_vec(&handled.replies).unwrap_or_default();
        if replies != record.replies || !handled.changed {
            let [now, then] = [&replies, record.replies].map(String::from_utf8_lossy);
            let advice = "use the version of the program that wrote it, or restore the journal from a copy";
            return Err(store.wrong(sequence, format!("it was answered {then}, and would now be {now}; {advice}")));
        }
        match archive.finish().at(&store.path)? {
            Ok(kept) => self.versions += kept,
            Err(task) => return Err(store.wrong(sequence, format!("the decided task `{task}` was changed since"))),
        }
        self.link = record.link;
        Ok(())
    }
}

/// A loop as it lies in the file, with the head of the chain that it belongs to.
pub(super) fn snapshot_of(state: &ClosedLoop, link: Link, store: &Store) -> Result<Vec<u8>, JournalError> {
    let bytes = artifact::encode(SNAPSHOT, &(link.head.as_bytes(), state));
    bytes.map_err(|reason| store.damaged(format!("no snapshot can be made: {reason}")))
}
