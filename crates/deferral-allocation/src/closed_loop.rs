//! The closed loop: a task arrives, people are asked, votes come or do not, a label is given and everybody is judged by
//! it.

mod offers;
mod people;

use std::collections::{BTreeMap, BTreeSet};

use deferral_core::{ExpertId, GroupId, Label, Names, ParameterError, Question, Stream, Vote};
use serde::{Deserialize, Serialize};

use self::offers::OpenTask;
use self::people::{check_budget, price, similarity_row};
use crate::archive::{Archive, ArchiveError, Closed};
use crate::event::{Event, Reply, Seat, VoteStatus};
use crate::method::AnyAllocator;
use crate::prior::Prior;
use crate::setting::Setting;
use crate::spec::LoopSpec;
use crate::team::{Annotator, Team};

/// What the loop answered to an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Handled {
    /// The answers, in order.
    pub replies: Vec<Reply>,
    /// Whether anything is different now. An event that changed nothing need not be kept to come to the same state.
    pub changed: bool,
}

/// A closed loop at work. Its state depends on its parameters and on the events that changed it, in their order, and on
/// nothing else.
///
/// A task is offered to the committee that the allocator chooses. Votes may come late, in part or never: when the lease
/// ends, the seats of those who are silent are offered to others whom nobody asked yet, and after the last offer, or when
/// nobody is left, the votes that came decide. An answer by somebody whose lease ended still counts as long as the task
/// is open. Only then the allocator learns, once. A vote on a decided task is kept and changes nothing.
///
/// O(m) and what the allocator needs for a task, O(log tasks that are open) for a vote. Memory: what the allocator needs,
/// and the open tasks.
///
/// ```
/// use deferral_allocation::{ClosedLoop, Event, Founder, LoopSpec, Method, Recent, Reply};
/// let team = ["ann", "bob", "eve"].map(|worker| Founder { worker: worker.to_owned(), ..Founder::default() });
/// let spec = LoopSpec { team: team.into(), ..LoopSpec::new(Method::named("uniform")?, ["fine", "abusive"], 1) };
/// let (mut team, mut decided) = (ClosedLoop::start(&spec)?, Recent::new(100));
/// let mut tell = |line: &str| {
///     let event: Event = serde_json::from_str(line)?;
///     Ok::<_, Box<dyn std::error::Error>>(team.handle(&event, &mut decided)?.replies)
/// };
/// let asked = tell(r#"{"event": "task", "task": "post 1"}"#)?;
/// assert!(matches!(&asked[0], Reply::Committee { workers, .. } if workers.len() == 3));
/// tell(r#"{"event": "vote", "task": "post 1", "worker": "ann", "label": "fine"}"#)?;
/// tell(r#"{"event": "vote", "task": "post 1", "worker": "eve", "label": "abusive"}"#)?;
/// let last = tell(r#"{"event": "vote", "task": "post 1", "worker": "bob", "label": "fine"}"#)?;
/// assert!(matches!(&last[1], Reply::Label { label: Some(label), votes: 3, .. } if label == "fine"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClosedLoop {
    classes: Names,
    groups: Names,
    features: usize,
    lease: Option<f64>,
    offers: u32,
    window: f64,
    draws: Stream,
    allocator: AnyAllocator,
    team: Team,
    now: f64,
    /// Tasks that ever arrived: the next one's number.
    arrived: u64,
    decided: u64,
    /// Open tasks by number, which is the order of arrival.
    open: BTreeMap<u64, OpenTask>,
    numbers: BTreeMap<Box<str>, u64>,
    /// When leases end, with the number of the task; times of 0 or more are ordered as their bits are.
    leases: BTreeSet<(u64, u64)>,
    /// Tasks with seats that nobody could take.
    waiting: BTreeSet<u64>,
    alarmed: bool,
}

impl ClosedLoop {
    /// The loop before its first event.
    ///
    /// # Errors
    /// If a parameter is out of range.
    pub fn start(spec: &LoopSpec) -> Result<Self, ParameterError> {
        spec.check()?;
        let groups: Names = spec.groups.iter().collect();
        let mut prior = Prior::new(groups.len());
        let mut team = Team::default();
        let mut prices = Vec::new();
        for founder in &spec.team {
            let worker = &founder.worker;
            let wrong = |reason| ParameterError::new("the team", format!("{worker} ({reason})"), "people who can join");
            let row = similarity_row(&groups, &founder.similarity).map_err(wrong)?;
            let price = price(founder.cost).map_err(wrong)?;
            check_budget(founder.budget).map_err(wrong)?;
            ParameterError::check(team.id(worker).is_none(), "the team", worker, "names that differ")?;
            team.add(worker, Annotator::new(price, founder.capacity, founder.budget));
            prior.push(&row);
            prices.push(price);
        }
        let setting = Setting { prices, ..Setting::new(spec.features, spec.classes.len(), prior) };
        let stream = Stream::new(spec.seed);
        Ok(Self {
            classes: spec.classes.iter().collect(),
            groups,
            features: spec.features,
            lease: spec.lease,
            offers: spec.offers,
            window: spec.window,
            allocator: spec.method.start(&setting, &stream.child("start"))?,
            draws: stream.child("allocate"),
            team,
            now: 0.0,
            arrived: 0,
            decided: 0,
            open: BTreeMap::new(),
            numbers: BTreeMap::new(),
            leases: BTreeSet::new(),
            waiting: BTreeSet::new(),
            alarmed: false,
        })
    }

    /// What the allocator knows.
    pub fn allocator(&self) -> &AnyAllocator {
        &self.allocator
    }

    /// The allocator alone.
    pub fn into_allocator(self) -> AnyAllocator {
        self.allocator
    }

    /// Tasks that are not decided.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Tasks that ever arrived.
    pub fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Tasks that are decided.
    pub fn decided(&self) -> u64 {
        self.decided
    }

    /// People who are there.
    pub fn present(&self) -> usize {
        self.team.present()
    }

    /// Who could be asked now, sorted.
    pub fn available(&self) -> Vec<ExpertId> {
        self.team.available(self.window_number(), &[])
    }

    /// The id of somebody who ever joined.
    pub fn expert(&self, worker: &str) -> Option<ExpertId> {
        self.team.id(worker)
    }

    /// When something happens next even if no event comes: a lease ends, or the time window begins in which somebody can
    /// be asked about a task that waits. O(m) if one does.
    pub fn next_timeout(&self) -> Option<f64> {
        let lease = self.leases.first().map(|(end, _)| f64::from_bits(*end));
        let waits = !self.waiting.is_empty() && self.team.has_more_time_after(self.window_number());
        let window = waits.then(|| ((self.now / self.window).floor() + 1.0) * self.window);
        lease.into_iter().chain(window).reduce(f64::min)
    }

    /// The time of the last event.
    pub fn now(&self) -> f64 {
        self.now
    }

    /// Takes one event in and answers it. An event that can't be is [`Reply::Refused`] and changes nothing but the time.
    ///
    /// # Errors
    /// If the decided tasks cannot be read or written; the loop is then not to be used any more.
    pub fn handle(&mut self, event: &Event, archive: &mut dyn Archive) -> Result<Handled, ArchiveError> {
        let mut desk = Desk { archive, replies: Vec::new() };
        let mut changed = self.pass(event.at(), &mut desk)?;
        match self.act(event, &mut desk) {
            Ok(acted) => changed |= acted,
            Err(Stop::Refused(reason)) => desk.replies.push(Reply::Refused { reason }),
            Err(Stop::Archive(error)) => return Err(error),
        }
        Ok(Handled { replies: desk.replies, changed })
    }

    fn act(&mut self, event: &Event, desk: &mut Desk<'_>) -> Result<bool, Stop> {
        match event {
            Event::Task { task, features, group, .. } => self.task(task, features, group.as_deref(), desk),
            Event::Vote { task, worker, label, .. } => self.vote(task, worker, label, desk),
            Event::Join { worker, similarity, cost, capacity, budget, .. } => {
                self.join(worker, similarity, *cost, (*capacity, *budget), desk)
            }
            Event::Leave { worker, .. } => self.leave(worker, desk),
            Event::Capacity { worker, capacity, budget, .. } => self.capacity(worker, (*capacity, *budget), desk),
            Event::Time { .. } => Ok(false),
        }
    }

    /// Lets time pass until `at`: leases end, which gives money back, and a new time window brings new capacity.
    fn pass(&mut self, at: Option<f64>, desk: &mut Desk<'_>) -> Result<bool, ArchiveError> {
        let Some(at) = at.filter(|at| at.is_finite() && *at > self.now) else { return Ok(false) };
        let before = self.window_number();
        let mut has_money_again = false;
        self.now = at;
        while let Some(&(end, number)) = self.leases.first().filter(|(end, _)| f64::from_bits(*end) <= at) {
            self.leases.remove(&(end, number));
            let silent = self.open.get(&number).map_or_else(Vec::new, |task| task.pending.clone());
            self.give_up(number, &silent);
            has_money_again |= silent.iter().any(|annotator| self.team.get(*annotator).budget.is_some());
            self.offer_again(number, desk)?;
        }
        if has_money_again || self.window_number() != before {
            self.offer_waiting(desk)?;
        }
        Ok(true)
    }

    fn window_number(&self) -> u64 {
        (self.now / self.window) as u64
    }

    fn task(&mut self, name: &str, features: &[f64], group: Option<&str>, desk: &mut Desk<'_>) -> Result<bool, Stop> {
        if let Some(number) = self.numbers.get(name) {
            let open = &self.open[number];
            let waits = open.pending.is_empty();
            desk.replies.push(if waits { Reply::Waiting { task: name.to_owned() } } else { self.committee(open) });
            return Ok(false);
        }
        if let Some(closed) = desk.archive.find(name)? {
            desk.replies.push(self.label(name, &closed));
            return Ok(false);
        }
        if name.is_empty() {
            return Err(Stop::refuse("a task has no name: give it one".to_owned()));
        }
        if features.len() != self.features {
            let (found, expected) = (features.len(), self.features);
            return Err(Stop::refuse(format!("task `{name}` has {found} features; this loop takes {expected}")));
        }
        if let Some(at) = features.iter().position(|x| !x.is_finite()) {
            return Err(Stop::refuse(format!("task `{name}`: feature {} is not a finite number", at + 1)));
        }
        let group = group.map(|group| self.group(name, group)).transpose()?;
        let number = self.arrived;
        self.arrived += 1;
        self.numbers.insert(name.into(), number);
        self.open.insert(number, OpenTask::new(name, features, group));
        self.offer(number, desk);
        Ok(true)
    }

    fn group(&self, task: &str, group: &str) -> Result<GroupId, Stop> {
        let position = self.groups.position(group);
        position.map(GroupId::at).ok_or_else(|| {
            let known = listed(&self.groups);
            Stop::refuse(format!("task `{task}`: there is no group `{group}`; known: {known}"))
        })
    }

    fn vote(&mut self, task: &str, worker: &str, label: &str, desk: &mut Desk<'_>) -> Result<bool, Stop> {
        let expert = self.annotator(worker)?;
        let Some(label) = self.classes.position(label).map(Label::at) else {
            let known = listed(&self.classes);
            return Err(Stop::refuse(format!("`{worker}` voted `{label}` on `{task}`; the labels are {known}")));
        };
        let vote = Vote { expert, label };
        let Some(&number) = self.numbers.get(task) else { return self.vote_too_late(task, worker, vote, desk) };
        let Some(open) = self.open.get_mut(&number) else { return Ok(false) };
        if !open.asked.contains(&expert) {
            return Err(Stop::refuse(format!("`{worker}` was not asked about `{task}`")));
        }
        let duplicate = open.votes.iter().any(|vote| vote.expert == expert);
        let status = if duplicate { VoteStatus::Duplicate } else { VoteStatus::Counted };
        desk.replies.push(Reply::Vote { task: task.to_owned(), worker: worker.to_owned(), status });
        if duplicate {
            return Ok(false);
        }
        open.votes.push(vote);
        if !open.pending.contains(&expert) {
            // The price was given back when their seat was given up.
            self.team.charge(expert);
        }
        open.pending.retain(|pending| *pending != expert);
        if open.pending.is_empty() {
            self.decide(number, desk)?;
        }
        Ok(true)
    }

    /// A vote on a task that is not open.
    fn vote_too_late(&self, task: &str, worker: &str, vote: Vote, desk: &mut Desk<'_>) -> Result<bool, Stop> {
        let Some(mut closed) = desk.archive.find(task)? else {
            return Err(Stop::refuse(format!("there is no task `{task}`: send it before its votes")));
        };
        if !closed.asked.contains(&vote.expert) {
            return Err(Stop::refuse(format!("`{worker}` was not asked about `{task}`")));
        }
        let duplicate = closed.has_vote_of(vote.expert);
        let status = if duplicate { VoteStatus::Duplicate } else { VoteStatus::Late };
        desk.replies.push(Reply::Vote { task: task.to_owned(), worker: worker.to_owned(), status });
        desk.replies.push(self.label(task, &closed));
        if !duplicate {
            closed.late.push(vote);
            desk.archive.keep(task, &closed)?;
        }
        Ok(!duplicate)
    }

    fn annotator(&self, worker: &str) -> Result<ExpertId, Stop> {
        let unknown = || Stop::refuse(format!("nobody called `{worker}` ever joined: send annotator.join first"));
        self.team.id(worker).ok_or_else(unknown)
    }

    fn committee(&self, task: &OpenTask) -> Reply {
        let workers: Vec<String> = task.pending.iter().map(|expert| self.team.name(*expert).to_owned()).collect();
        let seat = |question: &Question| {
            let worker = task.pending.iter().position(|pending| *pending == question.expert)?;
            Some(Seat { worker, propensity: question.propensity })
        };
        Reply::Committee {
            task: task.name.to_string(),
            workers,
            seats: task.seats.iter().filter_map(seat).collect(),
            offer: task.offers,
            until: task.until,
        }
    }

    fn label(&self, task: &str, closed: &Closed) -> Reply {
        Reply::Label {
            task: task.to_owned(),
            label: closed.label.map(|label| self.classes.show(label.index()).to_owned()),
            votes: closed.votes.len(),
            cost: closed.cost,
        }
    }
}

/// Where answers and decided tasks go while an event is handled.
struct Desk<'a> {
    archive: &'a mut dyn Archive,
    replies: Vec<Reply>,
}

/// Why an event was not carried out.
enum Stop {
    Refused(String),
    Archive(ArchiveError),
}

impl Stop {
    fn refuse(reason: String) -> Self {
        Self::Refused(reason)
    }
}

impl From<ArchiveError> for Stop {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

fn listed(names: &Names) -> String {
    if names.is_empty() { "none".to_owned() } else { names.iter().collect::<Vec<_>>().join(", ") }
}
