//! A closed loop goes through so many tasks of three votes each: tasks a second, and the most memory that the process ever
//! had. With the name of a file, through a journal there, a thousand events a commit.
//!
//! `cargo run --release -p deferral-allocation --example flat_memory -- TASKS [JOURNAL]`

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use deferral_allocation::{ClosedLoop, Event, Founder, Journal, LoopSpec, Method, Recent, Reply};

const PEOPLE: usize = 20;
const FEATURES: usize = 10;
/// Decided tasks whose late votes are still known, without a journal.
const REMEMBERED: usize = 10_000;
/// Tasks in a commit.
const TOGETHER: usize = 250;

/// Who answers events: the loop in memory, or with its journal.
enum Desk {
    Memory(Box<ClosedLoop>, Recent),
    Disk(Box<Journal>),
}

impl Desk {
    fn tell(&mut self, events: &[Event]) -> Result<Vec<Vec<Reply>>, Box<dyn Error>> {
        match self {
            Self::Disk(journal) => Ok(journal.record(events)?),
            Self::Memory(team, decided) => {
                events.iter().map(|event| Ok(team.handle(event, decided)?.replies)).collect()
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let tasks: usize = words.next().ok_or("say how many tasks")?.parse()?;
    let groups = ["north".to_owned(), "south".to_owned()];
    let founder = |worker: usize| Founder {
        worker: format!("w{worker}"),
        similarity: [(groups[worker % 2].clone(), 0.9)].into_iter().collect(),
        ..Founder::default()
    };
    let team = (0..PEOPLE).map(founder).collect();
    let method = Method::named("latent")?;
    let spec =
        LoopSpec { team, groups: groups.to_vec(), features: FEATURES, ..LoopSpec::new(method, ["no", "yes"], 1) };
    let mut desk = match words.next() {
        Some(file) => Desk::Disk(Box::new(Journal::create(Path::new(&file), &spec)?)),
        None => Desk::Memory(Box::new(ClosedLoop::start(&spec)?), Recent::new(REMEMBERED)),
    };
    let begin = Instant::now();
    for first in (0..tasks).step_by(TOGETHER) {
        let arrive: Vec<Event> = (first..tasks.min(first + TOGETHER)).map(|number| task(number, &groups)).collect();
        let votes: Vec<Event> = desk.tell(&arrive)?.iter().flatten().flat_map(votes).collect();
        desk.tell(&votes)?;
    }
    let seconds = begin.elapsed().as_secs_f64();
    if let Desk::Disk(journal) = desk {
        journal.close()?;
    }
    let rate = tasks as f64 / seconds;
    writeln!(std::io::stdout(), "{tasks} tasks, {rate:.0} a second, at most {} of memory", most_memory()?)?;
    Ok(())
}

fn task(number: usize, groups: &[String; 2]) -> Event {
    let features = (0..FEATURES).map(|at| ((number * 31 + at * 17) % 100) as f64 / 50.0 - 1.0).collect();
    Event::Task { task: format!("t{number}"), features, group: Some(groups[number % 2].clone()), at: None }
}

/// Whoever suits the group is right, the others every other time.
fn votes(reply: &Reply) -> Vec<Event> {
    let Reply::Committee { task, workers, .. } = reply else { return Vec::new() };
    let number: usize = task[1..].parse().unwrap_or_default();
    let vote = |worker: &String| {
        let knows = worker[1..].parse::<usize>().unwrap_or_default() % 2 == number % 2;
        let label = if knows || number.is_multiple_of(4) { "yes" } else { "no" };
        Event::Vote { task: task.clone(), worker: worker.clone(), label: label.to_owned(), at: None }
    };
    workers.iter().map(vote).collect()
}

/// As Linux counts it.
fn most_memory() -> Result<String, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.ok_or("the system does not say how much memory was used")?.trim().to_owned())
}
