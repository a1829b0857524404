//! Journals on a disk that fills up, loses power or rots.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use deferral_core::Stream;
use rand::{Rng, RngExt};
use redb::StorageBackend;

use super::error::JournalError;
use super::record::Link;
use super::script::{script, spec};
use super::store::{Store, contain};
use super::verify::verified;
use super::{Head, Journal};
use crate::closed_loop::ClosedLoop;
use crate::event::Event;

/// A disk in memory. What was written since the last sync may be lost.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    /// What a program sees.
    current: Vec<u8>,
    /// What is left if nothing since the last sync is.
    synced: Vec<u8>,
    since: Vec<Step>,
    /// Bytes that may still be written.
    room: Option<usize>,
    /// Operations until the power fails.
    power: Option<usize>,
}

#[derive(Debug, Clone)]
enum Step {
    Write(u64, Vec<u8>),
    Length(u64),
}

impl Step {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length as usize, 0),
            Self::Write(at, data) => {
                let end = *at as usize + data.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*at as usize..end].copy_from_slice(data);
            }
        }
    }
}

impl Platter {
    /// Whether there is power for one more operation.
    fn draw_power(&mut self) -> io::Result<()> {
        match &mut self.power {
            Some(0) => return Err(io::Error::other("no power")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }

    fn take(&mut self, step: Step) -> io::Result<()> {
        self.draw_power()?;
        let size = match &step {
            Step::Write(_, data) => data.len(),
            Step::Length(length) => (*length as usize).saturating_sub(self.current.len()),
        };
        if let Some(room) = &mut self.room {
            *room = room.checked_sub(size).ok_or(io::ErrorKind::StorageFull)?;
        }
        step.apply(&mut self.current);
        self.since.push(step);
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.0.lock().unwrap();
        let found = platter.current.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap().take(Step::Length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.draw_power()?;
        platter.since.clear();
        platter.synced = platter.current.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().take(Step::Write(offset, data.to_vec()))
    }
}

impl Disk {
    fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Platter { synced: bytes.clone(), current: bytes, ..Platter::default() })))
    }

    /// With an empty journal on it.
    fn with_journal() -> Self {
        let disk = Self::default();
        Store::create_on(disk.clone(), path(), &spec()).unwrap();
        disk
    }

    fn open(&self) -> Result<Journal, JournalError> {
        contain(path(), || Journal::resume(Store::open_on(self.clone(), path())?))
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().current.clone()
    }

    fn limit(&self, room: Option<usize>, power: Option<usize>) {
        let mut platter = self.0.lock().unwrap();
        (platter.room, platter.power) = (room, power);
    }

    /// The power is back. Of the writes since the last sync any may be there or not, and the last one that is there may
    /// be cut off anywhere. Lengths are the file system's, which keeps them in order.
    fn restart(&self, random: &mut impl Rng) {
        let mut platter = self.0.lock().unwrap();
        let mut bytes = std::mem::take(&mut platter.synced);
        let mut kept: Vec<Step> = std::mem::take(&mut platter.since);
        kept.retain(|step| matches!(step, Step::Length(_)) || random.random_bool(0.5));
        if let Some(Step::Write(_, data)) = kept.iter_mut().rfind(|step| matches!(step, Step::Write(..))) {
            data.truncate(random.random_range(0..=data.len()));
        }
        for step in kept {
            step.apply(&mut bytes);
        }
        *platter = Platter { synced: bytes.clone(), current: bytes, ..Platter::default() };
    }
}

fn path() -> &'static Path {
    Path::new("team.redb")
}

/// The journal of all events after one another, undisturbed, as it is when the power fails after the last.
fn undisturbed(events: &[Event]) -> (Disk, ClosedLoop, Link) {
    let disk = Disk::with_journal();
    let mut journal = disk.open().unwrap();
    for batch in events.chunks(25) {
        journal.record(batch).unwrap();
    }
    (Disk::of(disk.bytes()), journal.state.clone(), journal.last)
}

/// Sends what is not acknowledged until the disk fails or everything is acknowledged. Returns what is by then.
fn send(disk: &Disk, events: &[Event], mut sent: usize, known: &mut Link, random: &mut impl Rng) -> usize {
    let Ok(mut journal) = disk.open() else { return sent };
    journal.snapshot_every = 100;
    let reader = journal.store.reader().unwrap();
    assert!(
        known.sequence == 0 || reader.link(known.sequence).unwrap() == Some(*known),
        "an acknowledged event is lost"
    );
    drop(reader);
    while sent < events.len() {
        let end = (sent + random.random_range(1..20)).min(events.len());
        if journal.record(&events[sent..end]).is_err() {
            assert!(matches!(journal.record(&[]), Err(JournalError::Stopped { .. })));
            return sent;
        }
        (sent, *known) = (end, journal.last);
    }
    sent
}

#[test]
fn power_may_fail_at_any_moment() {
    let events = script(60, 3);
    let (_, state, last) = undisturbed(&events);
    let empty = Disk::with_journal().bytes();
    let mut failures = 0;
    for trial in 0..200 {
        let random = &mut Stream::new(trial).random();
        let (disk, mut sent, mut known) = (Disk::of(empty.clone()), 0, Link::first(b""));
        known.sequence = 0;
        while sent < events.len() {
            disk.limit(None, Some(random.random_range(1..150)));
            sent = send(&disk, &events, sent, &mut known, random);
            if sent < events.len() || random.random_bool(0.5) {
                disk.restart(random);
                failures += 1;
            }
        }
        disk.limit(None, None);
        let journal = disk.open().unwrap();
        assert_eq!((&journal.state, journal.last), (&state, last), "trial {trial}");
        assert_eq!(verified(&journal.store, Some(last.head)).unwrap().events, last.sequence);
    }
    assert!(failures > 1000, "{failures} power failures");
}

#[test]
fn a_full_disk_loses_nothing() {
    let events = script(60, 4);
    let (whole, state, last) = undisturbed(&events);
    let (empty, size) = (Disk::with_journal().bytes(), whole.bytes().len());
    let mut full = 0;
    for trial in 0..60 {
        let random = &mut Stream::new(trial).random();
        let disk = Disk::of(empty.clone());
        let mut known = Link::first(b"");
        let mut sent = 0;
        for room in [2 * size, size] {
            disk.limit(Some(random.random_range(0..room)), None);
            sent = send(&disk, &events, sent, &mut known, random);
            if sent < events.len() {
                let error =
                    disk.open().and_then(|mut journal| journal.record(&events[sent..])).unwrap_err().to_string();
                let expected =
                    "there is no room for team.redb: make room and open it again; what was answered is in it";
                assert_eq!(error, expected);
                full += 1;
            }
        }
        disk.limit(None, None);
        assert_eq!(send(&disk, &events, sent, &mut known, random), events.len());
        let journal = disk.open().unwrap();
        assert_eq!((&journal.state, journal.last), (&state, last), "trial {trial}");
    }
    assert!(full > 30, "{full}");
}

/// What a program finds in damaged bytes: everything, or a clear refusal.
fn look(bytes: Vec<u8>, head: Head) -> Result<(), String> {
    let disk = Disk::of(bytes);
    let found = contain(path(), || verified(&Store::open_on(disk, path())?, Some(head)));
    found.map(drop).map_err(|error| error.to_string())
}

fn assert_clear(message: &str) {
    let known = ["damaged: ", "is not a journal of deferral", "format", "event ", "does not contain"];
    assert!(message.starts_with("team.redb") && known.iter().any(|part| message.contains(part)), "{message}");
}

/// Every bit of the header, which says where everything is, and a bit of a thousand bytes anywhere.
fn places(length: usize) -> impl Iterator<Item = (usize, u8)> {
    let mut random = Stream::new(5).random();
    let header = (0..320 * 8).map(|bit| (bit / 8, 1 << (bit % 8)));
    let anywhere: Vec<_> =
        (0..1000).map(|_| (random.random_range(0..length), 1 << random.random_range(0..8))).collect();
    header.chain(anywhere)
}

#[test]
fn damage_is_named_or_harmless() {
    let events = script(100, 6);
    let (crashed, state, last) = undisturbed(&events);
    let open = crashed.bytes();
    crashed.open().unwrap().close().unwrap();
    for (is_crashed, bytes) in [(true, open), (false, crashed.bytes())] {
        look(bytes.clone(), last.head).unwrap();
        let mut refused = 0;
        for (place, bit) in places(bytes.len()) {
            let mut damaged = bytes.clone();
            damaged[place] ^= bit;
            match contain(path(), || Journal::resume(Store::open_on(Disk::of(damaged.clone()), path())?)) {
                // After a crash, one bit says alone which of the two last commits counts.
                Ok(journal) if is_crashed && (place, bit) == (9, 1) => assert!(journal.last.sequence < last.sequence),
                Ok(journal) => assert_eq!((&journal.state, journal.last), (&state, last), "byte {place}, bit {bit}"),
                Err(error) => assert_clear(&error.to_string()),
            }
            if let Err(message) = look(damaged, last.head) {
                assert_clear(&message);
                refused += 1;
            }
        }
        assert!(refused > 1000, "{refused}");
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let events = script(60, 8);
    let (disk, _, last) = undisturbed(&events);
    let open = disk.bytes();
    disk.open().unwrap().close().unwrap();
    for (is_crashed, bytes) in [(true, open), (false, disk.bytes())] {
        for end in (1..500).chain((500..bytes.len()).step_by(997)).chain((4096..bytes.len()).step_by(4096)) {
            // After a crash there may be free pages at the end, which are not missed.
            match look(bytes[..end].to_vec(), last.head) {
                Ok(()) => assert!(is_crashed && end > bytes.len() / 2, "{end}"),
                Err(message) => assert_clear(&message),
            }
        }
    }
}

#[test]
fn a_page_that_is_blank_is_missed_or_free() {
    let (disk, state, last) = undisturbed(&script(60, 9));
    disk.open().unwrap().close().unwrap();
    let bytes = disk.bytes();
    let mut refused = 0;
    for start in (0..bytes.len()).step_by(4096) {
        let mut damaged = bytes.clone();
        damaged[start..][..4096].fill(0);
        match Disk::of(damaged).open() {
            Ok(journal) => assert_eq!((&journal.state, journal.last), (&state, last), "{start}"),
            Err(error) => {
                assert_clear(&error.to_string());
                refused += 1;
            }
        }
    }
    assert!(refused > 5, "{refused}");
}

#[test]
fn a_panic_of_the_store_would_be_an_error() {
    let read = contain(path(), || -> Result<(), JournalError> { panic!("page {} is odd", 7) });
    let expected = "team.redb is damaged: reading it failed unexpectedly (page 7 is odd); restore it from a copy";
    assert_eq!(read.unwrap_err().to_string(), expected);
}
