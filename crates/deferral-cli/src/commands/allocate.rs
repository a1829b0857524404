//! `deferral allocate`: events in, committees and labels out, a line each; what is answered is on the disk.

use std::collections::HashMap;
use std::io::{BufRead, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use deferral_allocation::{Event, Founder, Journal, LoopSpec, Method, Reply};
use deferral_core::Names;
use deferral_data::{read_members, read_similarities};

use super::Globals;
use crate::args::{Allocate, Clock, NewLoop};
use crate::failure::Failure;

/// Events that wait for the disk together at most.
const MOST_TOGETHER: usize = 4096;
/// The longest line that is read.
const LONGEST_LINE: u64 = 1 << 20;

pub(crate) fn run(args: &Allocate, globals: Globals) -> Result<(), Failure> {
    let mut journal = open(args, globals)?;
    let lines = read_lines();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    loop {
        let (batch, is_last) = gather(&lines, time_left(&journal, args.clock));
        answer(batch, &mut journal, args.clock, &mut out)?;
        if is_last {
            return Ok(journal.close()?);
        }
    }
}

fn open(args: &Allocate, globals: Globals) -> Result<Journal, Failure> {
    if args.journal.exists() && args.new.says_nothing() {
        return Ok(Journal::open(&args.journal)?);
    }
    if args.new.labels.is_empty() {
        let message = "name the labels of a new journal, such as --labels fine,abusive";
        return Err(Failure::usage(message));
    }
    Ok(Journal::open_or_create(&args.journal, &spec(&args.new, globals.seed)?)?)
}

impl NewLoop {
    fn says_nothing(&self) -> bool {
        let lists = [&self.set, &self.labels, &self.groups];
        let files = [&self.experts, &self.prior];
        let numbers = [self.lease, self.window];
        self.policy.is_none()
            && lists.iter().all(|list| list.is_empty())
            && files.iter().all(|file| file.is_none())
            && numbers.iter().all(Option::is_none)
            && self.features.is_none()
            && self.offers.is_none()
    }
}

fn spec(new: &NewLoop, seed: u64) -> Result<LoopSpec, Failure> {
    let method = method(new.policy.as_deref().unwrap_or("latent"), &new.set)?;
    let similarities = new.prior.as_deref().map_or(Ok(Vec::new()), read_similarities)?;
    let mut groups: Names = new.groups.iter().collect();
    if new.groups.is_empty() {
        groups = similarities.iter().map(|(_, group, _)| group).collect();
    }
    let mut team: Vec<Founder> =
        new.experts.as_deref().map_or(Ok(Vec::new()), read_members)?.into_iter().map(founder).collect();
    let mut places: HashMap<String, usize> = team.iter().enumerate().map(|(at, f)| (f.worker.clone(), at)).collect();
    for (worker, group, similarity) in similarities {
        let place = *places.entry(worker.clone()).or_insert_with(|| {
            team.push(Founder { worker, ..Founder::default() });
            team.len() - 1
        });
        team[place].similarity.insert(group, similarity);
    }
    let plain = LoopSpec::new(method, new.labels.iter(), seed);
    Ok(LoopSpec {
        groups: groups.iter().map(str::to_owned).collect(),
        features: new.features.unwrap_or(0),
        team,
        lease: new.lease,
        offers: new.offers.unwrap_or(plain.offers),
        window: new.window.unwrap_or(plain.window),
        ..plain
    })
}

fn founder(member: deferral_data::Member) -> Founder {
    let deferral_data::Member { worker, cost, capacity, budget } = member;
    Founder { worker, cost, capacity, budget, ..Founder::default() }
}

/// The method that `NAME[:KEY=VALUE,...]` says, with further settings.
fn method(text: &str, settings: &[String]) -> Result<Method, Failure> {
    let mut method = Method::parse(text).map_err(Failure::input)?;
    for setting in settings {
        let Some((key, value)) = setting.split_once('=') else {
            return Err(Failure::usage(format!("--set is `{setting}`, but must be KEY=VALUE, such as k=5")));
        };
        method = method.with(key.trim(), value.trim()).map_err(Failure::input)?;
    }
    Ok(method)
}

/// A line of standard input: an event, or why it is none.
type Line = Result<Event, String>;

/// Reads and parses standard input beside the loop, so that lines gather while the disk is busy.
fn read_lines() -> Receiver<Line> {
    let (sender, receiver) = sync_channel(MOST_TOGETHER);
    std::thread::spawn(move || forward(&mut std::io::stdin().lock(), &sender));
    receiver
}

fn forward(input: &mut impl BufRead, sender: &SyncSender<Line>) {
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        let event = match read {
            Ok(0) => return,
            Ok(_) if line.iter().all(u8::is_ascii_whitespace) => continue,
            Ok(read) if read as u64 == LONGEST_LINE && !line.ends_with(b"\n") => {
                if input.skip_until(b'\n').is_err() {
                    return;
                }
                Err(format!("line {number}: longer than {LONGEST_LINE} bytes"))
            }
            Ok(_) => serde_json::from_slice(&line).map_err(|error| {
                // A line is the parser's whole text, so its own number is always 1.
                let reason = error.to_string().replace(" at line 1 column ", " at character ");
                format!("line {number}: {reason}; write one event a line")
            }),
            Err(error) => Err(format!("line {number}: cannot be read: {error}")),
        };
        if sender.send(event).is_err() {
            return;
        }
    }
}

/// How long to wait for the next line, if a lease ends then.
fn time_left(journal: &Journal, clock: Clock) -> Option<Duration> {
    let end = journal.state().next_lease_end().filter(|_| clock == Clock::System)?;
    Some(Duration::from_secs_f64((end - seconds_since_1970()).clamp(0.0, 86_400.0)))
}

fn seconds_since_1970() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

/// The lines that are there, waiting for the first; whether the input has ended. Without a line when the time is over.
fn gather(lines: &Receiver<Line>, patience: Option<Duration>) -> (Vec<Line>, bool) {
    let first = match patience {
        Some(patience) => lines.recv_timeout(patience),
        None => lines.recv().map_err(|_| RecvTimeoutError::Disconnected),
    };
    let mut batch = match first {
        Ok(line) => vec![line],
        Err(RecvTimeoutError::Timeout) => return (Vec::new(), false),
        Err(RecvTimeoutError::Disconnected) => return (Vec::new(), true),
    };
    while batch.len() < MOST_TOGETHER {
        match lines.try_recv() {
            Ok(line) => batch.push(line),
            Err(TryRecvError::Empty) => break,
            Err(TryRecvError::Disconnected) => return (batch, true),
        }
    }
    (batch, false)
}

/// Records the events of a batch in one go and writes the answers in the order of the lines.
fn answer(batch: Vec<Line>, journal: &mut Journal, clock: Clock, out: &mut impl Write) -> Result<(), Failure> {
    let now = (clock == Clock::System).then(seconds_since_1970);
    let mut refused = Vec::with_capacity(batch.len());
    let mut events = Vec::with_capacity(batch.len());
    for line in batch {
        match line {
            Ok(event) => {
                refused.push(None);
                events.push(event.or_at(now));
            }
            Err(reason) => refused.push(Some(Reply::Refused { reason })),
        }
    }
    if refused.is_empty() {
        // Nobody said anything until a lease ended.
        events.extend(now.map(|at| Event::Time { at }));
        refused.push(None);
    }
    let mut answers = journal.record(&events)?.into_iter();
    for refused in refused {
        let replies = refused.map_or_else(|| answers.next().unwrap_or_default(), |refused| vec![refused]);
        for reply in replies {
            serde_json::to_writer(&mut *out, &reply).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(out.flush()?)
}
