//! The file: four tables of an embedded transactional store.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use deferral_core::ParameterError;
use deferral_core::files::{FileError, sync_folder};
use redb::{
    Builder, Database, DatabaseError, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, Table,
    TableDefinition, TableError, WriteTransaction,
};

use super::FORMAT;
use super::error::{At, JournalError};
use super::record::{Link, Stored};
use crate::spec::LoopSpec;

/// An event, what was answered, and the hash of the chain up to it.
type EventRow<'a> = (&'a [u8], &'a [u8], &'a [u8; 32]);
/// The name of a decided task, and the number of the event that made it what it is.
pub(super) type TaskKey<'a> = (&'a str, u64);

pub(super) type TaskTable<'t> = Table<'t, TaskKey<'static>, &'static [u8]>;
pub(super) type PastTasks = ReadOnlyTable<TaskKey<'static>, &'static [u8]>;
pub(super) type EventTable<'t> = Table<'t, u64, EventRow<'static>>;

/// `format`, `parameters`.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// By number, from 1.
const EVENTS: TableDefinition<'_, u64, EventRow<'_>> = TableDefinition::new("events");
/// Decided tasks in all their versions.
const TASKS: TableDefinition<'_, TaskKey<'_>, &[u8]> = TableDefinition::new("tasks");
/// Number of an event -> the state after it.
const SNAPSHOTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("snapshots");

/// Pages kept in memory, in bytes.
const CACHE: usize = 64 << 20;

/// An open file. No other process has it open.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) path: PathBuf,
    database: Database,
    /// As JSON.
    parameters: Vec<u8>,
}

/// Settings of the store. Checksums of the whole file are verified at every opening: the store trusts a file that was
/// closed properly, and would answer wrongly, or panic, if a page of it were damaged since.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    builder
}

impl Store {
    /// Makes a file whole or not at all: it gets its name when everything is in it.
    pub(super) fn create(path: &Path, spec: &LoopSpec) -> Result<(), JournalError> {
        if path.exists() {
            return Err(JournalError::Exists { path: path.to_owned() });
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let unfinished = path.with_file_name(name);
        let made = Self::make(&unfinished, path, spec);
        if made.is_err() {
            // It may not be there; what went wrong before is what matters.
            let _ = std::fs::remove_file(&unfinished);
        }
        made
    }

    fn make(unfinished: &Path, path: &Path, spec: &LoopSpec) -> Result<(), JournalError> {
        let write = |error| FileError::write(path, error);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(unfinished);
        drop(file.map_err(write)?);
        Self::begin(builder().create(unfinished).at(path)?, path, spec)?;
        give_name(unfinished, path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => JournalError::Exists { path: path.to_owned() },
            _ => write(error).into(),
        })
    }

    /// Writes what every journal has.
    fn begin(database: Database, path: &Path, spec: &LoopSpec) -> Result<(), JournalError> {
        let parameters = serde_json::to_vec(spec).unwrap_or_default();
        if serde_json::from_slice::<LoopSpec>(&parameters).ok().as_ref() != Some(spec) {
            return Err(ParameterError::new("a parameter of the loop", "infinite", "a number that can be kept").into());
        }
        let mut transaction = begin_write(&database, path)?;
        transaction.open_table(EVENTS).at(path)?;
        transaction.open_table(TASKS).at(path)?;
        transaction.open_table(SNAPSHOTS).at(path)?;
        let mut meta = transaction.open_table(META).at(path)?;
        meta.insert("format", FORMAT.to_le_bytes().as_slice()).at(path)?;
        meta.insert("parameters", parameters.as_slice()).at(path)?;
        drop(meta);
        transaction.set_two_phase_commit(true);
        transaction.commit().at(path)?;
        database.close().at(path)
    }

    pub(super) fn open(path: &Path) -> Result<Self, JournalError> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        file.map_err(|error| FileError { action: "open", path: path.to_owned(), source: error })?;
        Self::read(builder().open(path), path)
    }

    /// What is in an opened database, if it is a journal that this program can read.
    fn read(opened: Result<Database, DatabaseError>, path: &Path) -> Result<Self, JournalError> {
        let database = opened.at(path)?;
        let transaction = begin_read(&database, path)?;
        let meta = match transaction.open_table(META) {
            Err(TableError::Storage(error)) => return Err(error).at(path),
            Err(_) => return Err(JournalError::Foreign { path: path.to_owned() }),
            Ok(meta) => meta,
        };
        let format = meta.get("format").at(path)?;
        let Some(format) = format.and_then(|bytes| bytes.value().try_into().ok()).map(u32::from_le_bytes) else {
            return Err(JournalError::Foreign { path: path.to_owned() });
        };
        if format > FORMAT {
            return Err(JournalError::Newer { path: path.to_owned(), found: format });
        }
        let parameters = meta.get("parameters").at(path)?.map(|bytes| bytes.value().to_vec()).unwrap_or_default();
        drop(meta);
        drop(transaction);
        Ok(Self { path: path.to_owned(), database, parameters })
    }

    /// The parameters of the loop.
    pub(super) fn spec(&self) -> Result<LoopSpec, JournalError> {
        serde_json::from_slice(&self.parameters)
            .map_err(|error| self.damaged(format!("its parameters cannot be read: {error}")))
    }

    pub(super) fn first_link(&self) -> Link {
        Link::first(&self.parameters)
    }

    /// Size of the file in bytes; 0 if it has none.
    pub(super) fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    pub(super) fn close(self) -> Result<(), JournalError> {
        self.database.close().at(&self.path)
    }

    pub(super) fn damaged(&self, reason: String) -> JournalError {
        JournalError::Damaged { path: self.path.clone(), reason }
    }

    pub(super) fn wrong(&self, sequence: u64, what: impl Into<String>) -> JournalError {
        JournalError::Wrong { path: self.path.clone(), sequence, what: what.into() }
    }

    /// An event whose hash is right and that is no event known here.
    pub(super) fn unreadable(&self, sequence: u64, error: &serde_json::Error) -> JournalError {
        self.wrong(sequence, format!("it cannot be read ({error}); use a newer deferral"))
    }

    pub(super) fn reader(&self) -> Result<Reader, JournalError> {
        Ok(Reader { transaction: begin_read(&self.database, &self.path)?, path: self.path.clone() })
    }

    /// A transaction that is on the disk when its commit returns. It is committed in two phases: the store then takes
    /// the newest commit for whole, and calls it damaged if it is not, where it would otherwise fall back to the one
    /// before, and what was answered since would be lost in silence. What is left is one bit of the file that says which
    /// commit is the newest: should it flip after a crash, only a head noted elsewhere shows it.
    pub(super) fn writer(&self) -> Result<Writer<'_>, JournalError> {
        let mut transaction = begin_write(&self.database, &self.path)?;
        transaction.set_two_phase_commit(true);
        Ok(Writer { transaction, path: &self.path })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "helpers of tests")]
impl Writer<'_> {
    /// Changes a parameter, or the format.
    pub(super) fn set_meta(&self, name: &str, bytes: &[u8]) {
        self.transaction.open_table(META).unwrap().insert(name, bytes).unwrap();
    }

    pub(super) fn snapshots(&self) -> Table<'_, u64, &'static [u8]> {
        self.transaction.open_table(SNAPSHOTS).unwrap()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "helpers of tests")]
impl Store {
    pub(super) fn create_on(
        backend: impl redb::StorageBackend,
        path: &Path,
        spec: &LoopSpec,
    ) -> Result<(), JournalError> {
        Self::begin(builder().create_with_backend(backend).at(path)?, path, spec)
    }

    pub(super) fn open_on(backend: impl redb::StorageBackend, path: &Path) -> Result<Self, JournalError> {
        Self::read(builder().create_with_backend(backend), path)
    }
}

/// Gives a finished file its name, if there is none of that name, and makes the name durable.
fn give_name(unfinished: &Path, path: &Path) -> io::Result<()> {
    // Unlike a rename, a link never takes the place of a journal that another process made meanwhile. Some file systems
    // have no links.
    match std::fs::hard_link(unfinished, path) {
        Ok(()) => std::fs::remove_file(unfinished)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
        Err(_) => std::fs::rename(unfinished, path)?,
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    sync_folder(folder.unwrap_or(Path::new(".")))
}

fn begin_read(database: &Database, path: &Path) -> Result<ReadTransaction, JournalError> {
    database.begin_read().at(path)
}

fn begin_write(database: &Database, path: &Path) -> Result<WriteTransaction, JournalError> {
    database.begin_write().at(path)
}

/// What was committed when the reader was made.
pub(super) struct Reader {
    transaction: ReadTransaction,
    path: PathBuf,
}

impl Reader {
    pub(super) fn tasks(&self) -> Result<PastTasks, JournalError> {
        self.transaction.open_table(TASKS).at(&self.path)
    }

    /// The link that is noted with the event of that number.
    pub(super) fn link(&self, sequence: u64) -> Result<Option<Link>, JournalError> {
        let events = self.transaction.open_table(EVENTS).at(&self.path)?;
        let found = events.get(sequence).at(&self.path)?;
        Ok(found.map(|record| Link { sequence, head: (*record.value().2).into() }))
    }

    /// Shows every record after `from` in order, once its place in the chain is checked, and returns the last link.
    pub(super) fn each(
        &self,
        from: Link,
        mut show: impl FnMut(Stored<'_>) -> Result<(), JournalError>,
    ) -> Result<Link, JournalError> {
        let events = self.transaction.open_table(EVENTS).at(&self.path)?;
        let mut link = from;
        for entry in events.range(from.sequence + 1..).at(&self.path)? {
            let (sequence, record) = entry.at(&self.path)?;
            let (event, replies, noted) = record.value();
            let next = link.next(event, replies);
            let wrong = |what: &str| JournalError::Wrong {
                path: self.path.clone(),
                sequence: next.sequence,
                what: what.into(),
            };
            if sequence.value() != next.sequence {
                return Err(wrong("it is missing"));
            }
            if next.head.as_bytes() != noted {
                return Err(wrong("the hash chain breaks here: this event or its replies were changed"));
            }
            show(Stored { event, replies, link: next })?;
            link = next;
        }
        Ok(link)
    }

    /// The numbers of the events after which there is a snapshot, the newest first.
    pub(super) fn snapshots(&self) -> Result<Vec<u64>, JournalError> {
        let snapshots = self.transaction.open_table(SNAPSHOTS).at(&self.path)?;
        let numbers = snapshots.iter().at(&self.path)?.rev().map(|entry| Ok(entry.at(&self.path)?.0.value()));
        numbers.collect()
    }

    pub(super) fn snapshot(&self, sequence: u64) -> Result<Option<Vec<u8>>, JournalError> {
        let snapshots = self.transaction.open_table(SNAPSHOTS).at(&self.path)?;
        Ok(snapshots.get(sequence).at(&self.path)?.map(|bytes| bytes.value().to_vec()))
    }
}

/// One transaction. Dropped without a commit it never was.
pub(super) struct Writer<'s> {
    transaction: WriteTransaction,
    path: &'s Path,
}

impl Writer<'_> {
    pub(super) fn events(&self) -> Result<EventTable<'_>, JournalError> {
        self.transaction.open_table(EVENTS).at(self.path)
    }

    pub(super) fn tasks(&self) -> Result<TaskTable<'_>, JournalError> {
        self.transaction.open_table(TASKS).at(self.path)
    }

    /// Keeps a snapshot and the one before it, and no older one.
    pub(super) fn keep_snapshot(&self, sequence: u64, bytes: &[u8]) -> Result<(), JournalError> {
        let mut snapshots = self.transaction.open_table(SNAPSHOTS).at(self.path)?;
        snapshots.insert(sequence, bytes).at(self.path)?;
        let before = snapshots.range(..sequence).at(self.path)?.next_back().transpose().at(self.path)?;
        let before = before.map_or(sequence, |(number, _)| number.value());
        snapshots.retain(|number, _| number >= before && number <= sequence).at(self.path)
    }

    pub(super) fn commit(self) -> Result<(), JournalError> {
        self.transaction.commit().at(self.path)
    }

    pub(super) fn path(&self) -> &Path {
        self.path
    }
}

/// Does what reads a file that may be damaged in any way. The store reports damage as an error wherever it expects it,
/// and its checksums find it first; should it panic all the same, that is an error too.
pub(super) fn contain<T, E: From<JournalError>>(path: &Path, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let reason = format!("reading it failed unexpectedly ({})", text.unwrap_or_default());
        Err(JournalError::Damaged { path: path.to_owned(), reason }.into())
    })
}
