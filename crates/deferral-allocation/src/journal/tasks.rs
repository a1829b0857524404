//! Decided tasks in the file.
//!
//! Every version of a task is kept under its name and the number of the event that made it. So the file knows what was
//! known of a task at any time, and a replay from a snapshot sees what there was when the snapshot was taken, though
//! the table is newer. A task has one version, and one more for every late vote.

use redb::{ReadableTable, StorageError};

use super::store::{PastTasks, TaskKey, TaskTable};
use crate::archive::{Archive, ArchiveError, Closed};

fn failed(action: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ArchiveError {
    ArchiveError { action, source: source.into() }
}

fn bytes_of(closed: &Closed) -> Result<Vec<u8>, ArchiveError> {
    serde_json::to_vec(closed).map_err(|error| failed("written", error))
}

/// The newest version of a task of the events up to `until`.
fn newest(
    table: &impl ReadableTable<TaskKey<'static>, &'static [u8]>,
    task: &str,
    until: u64,
) -> Result<Option<Closed>, ArchiveError> {
    let read = |error: StorageError| failed("read", error);
    let version = table.range((task, 0)..=(task, until)).map_err(read)?.next_back().transpose().map_err(read)?;
    let closed = version.map(|(_, bytes)| serde_json::from_slice(bytes.value()));
    closed.transpose().map_err(|error| failed("read", format!("task `{task}`: {error}")))
}

/// The archive of the event that is being handled: it adds versions.
pub(super) struct Recording<'a, 't> {
    pub(super) table: &'a mut TaskTable<'t>,
    /// The number that the event has if it changes anything.
    pub(super) sequence: u64,
}

impl Archive for Recording<'_, '_> {
    fn find(&self, task: &str) -> Result<Option<Closed>, ArchiveError> {
        newest(self.table, task, self.sequence)
    }

    fn keep(&mut self, task: &str, closed: &Closed) -> Result<(), ArchiveError> {
        let kept = self.table.insert((task, self.sequence), bytes_of(closed)?.as_slice()).map(drop);
        kept.map_err(|error| failed("written", error))
    }
}

/// The archive as it was for one event of the past. It writes nothing: what the event keeps now is compared with what
/// it kept then.
pub(super) struct Replaying<'a> {
    table: &'a PastTasks,
    sequence: u64,
    kept: Vec<(String, Closed)>,
}

impl<'a> Replaying<'a> {
    pub(super) fn new(table: &'a PastTasks, sequence: u64) -> Self {
        Self { table, sequence, kept: Vec::new() }
    }

    /// How many tasks the event kept, or the first that is another one in the file.
    pub(super) fn finish(self) -> Result<Result<u64, String>, StorageError> {
        for (task, closed) in &self.kept {
            let stored = self.table.get((task.as_str(), self.sequence))?;
            if stored.is_none_or(|bytes| serde_json::from_slice(bytes.value()).ok().as_ref() != Some(closed)) {
                return Ok(Err(task.clone()));
            }
        }
        Ok(Ok(self.kept.len() as u64))
    }
}

impl Archive for Replaying<'_> {
    fn find(&self, task: &str) -> Result<Option<Closed>, ArchiveError> {
        match self.kept.iter().find(|(name, _)| name == task) {
            Some((_, closed)) => Ok(Some(closed.clone())),
            None => newest(self.table, task, self.sequence - 1),
        }
    }

    fn keep(&mut self, task: &str, closed: &Closed) -> Result<(), ArchiveError> {
        self.kept.retain(|(name, _)| name != task);
        self.kept.push((task.to_owned(), closed.clone()));
        Ok(())
    }
}
