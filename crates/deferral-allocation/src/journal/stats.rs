//! What is in a journal, in numbers.

use std::collections::BTreeMap;
use std::path::Path;

use deferral_core::Label;
use redb::ReadableTable;
use serde::Serialize;

use super::error::{At, JournalError};
use super::record::{Head, Record, as_text};
use super::replay::Replay;
use super::store::{Reader, Store, contain};
use crate::archive::Closed;
use crate::event::{Event, Reply, Standing, VoteStatus};

/// What is in a journal, in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// Number of events that changed something.
    pub events: u64,
    /// Events of each kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Tasks that wait for votes.
    pub open: u64,
    /// Tasks that are decided.
    pub decided: u64,
    /// Tasks decided as each label.
    pub labels: BTreeMap<String, u64>,
    /// Tasks that ended without a label, because nobody answered.
    pub unanswered: u64,
    /// Votes that decided, or will.
    pub counted: u64,
    /// Votes that came after the decision.
    pub late: u64,
    /// People who ever joined.
    pub annotators: u64,
    /// People who are there.
    pub present: u64,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// The hash of all events.
    #[serde(serialize_with = "as_text")]
    pub head: Head,
}

/// Counts what is in a journal. O(events), and memory for the loop and the names of the labels alone.
///
/// # Errors
/// If the journal can't be opened, or its hash chain breaks.
pub fn stats(path: &Path) -> Result<Statistics, JournalError> {
    contain(path, || counted(&Store::open(path)?))
}

fn counted(store: &Store) -> Result<Statistics, JournalError> {
    let (spec, reader) = (store.spec()?, store.reader()?);
    let mut now = Replay::resume_or_start(store, &reader)?;
    now.advance(store, &reader, |_| Ok(()))?;
    let mut statistics = Statistics {
        events: now.link.sequence,
        kinds: BTreeMap::new(),
        open: now.state.open() as u64,
        decided: 0,
        labels: BTreeMap::new(),
        unanswered: 0,
        counted: 0,
        late: 0,
        annotators: spec.team.len() as u64,
        present: now.state.present() as u64,
        bytes: store.bytes(),
        head: now.link.head,
    };
    each_record(store, &reader, |record| {
        statistics.count(&record);
        Ok(())
    })?;
    each_decided(store, &reader, |label| {
        statistics.decide(label.map(|label| spec.classes.get(label.index()).map_or("?", String::as_str)));
    })?;
    Ok(statistics)
}

/// Shows the label of every decided task. Its versions follow each other, and the label is the same in all.
fn each_decided(store: &Store, reader: &Reader, mut show: impl FnMut(Option<Label>)) -> Result<(), JournalError> {
    let mut shown = None;
    for entry in reader.tasks()?.iter().at(&store.path)? {
        let (key, bytes) = entry.at(&store.path)?;
        let (task, sequence) = key.value();
        if shown.as_deref() == Some(task) {
            continue;
        }
        let closed: Closed = serde_json::from_slice(bytes.value())
            .map_err(|error| store.wrong(sequence, format!("the decided task `{task}` cannot be read: {error}")))?;
        show(closed.label);
        shown = Some(task.to_owned());
    }
    Ok(())
}

/// Shows every event with what was answered, in order, and the hash that links it. What `show` returns as an error ends
/// it.
///
/// # Errors
/// If the journal can't be opened or its hash chain breaks; or what `show` says.
pub fn export<E: From<JournalError>>(path: &Path, mut show: impl FnMut(Record) -> Result<(), E>) -> Result<(), E> {
    let mut stopped = None;
    let read = contain(path, || {
        let store = Store::open(path)?;
        each_record(&store, &store.reader()?, |record| {
            show(record).map_err(|error| {
                stopped = Some(error);
                JournalError::Stopped { path: path.to_owned() }
            })
        })
    });
    stopped.map_or_else(|| Ok(read?), Err)
}

fn each_record(
    store: &Store,
    reader: &Reader,
    mut show: impl FnMut(Record) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    reader.each(store.first_link(), |stored| {
        let sequence = stored.link.sequence;
        show(Record::read(stored).map_err(|error| store.unreadable(sequence, &error))?)
    })?;
    Ok(())
}

impl Statistics {
    fn count(&mut self, record: &Record) {
        *self.kinds.entry(kind(&record.event)).or_default() += 1;
        for reply in &record.replies {
            match reply {
                Reply::Vote { status: VoteStatus::Counted, .. } => self.counted += 1,
                Reply::Vote { status: VoteStatus::Late, .. } => self.late += 1,
                Reply::Annotator { status: Standing::Joined, .. } => self.annotators += 1,
                _ => {}
            }
        }
    }

    fn decide(&mut self, label: Option<&str>) {
        self.decided += 1;
        match label {
            Some(label) => *self.labels.entry(label.to_owned()).or_default() += 1,
            None => self.unanswered += 1,
        }
    }
}

/// The name of an event's kind, as in its JSON.
fn kind(event: &Event) -> &'static str {
    match event {
        Event::Task { .. } => "task",
        Event::Vote { .. } => "vote",
        Event::Join { .. } => "annotator.join",
        Event::Leave { .. } => "annotator.leave",
        Event::Capacity { .. } => "capacity",
        Event::Time { .. } => "time",
    }
}
