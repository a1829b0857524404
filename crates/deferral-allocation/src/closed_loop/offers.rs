//! Open tasks: whose seats they have, when leases end, who is asked in place of the silent, and when the votes decide.

use deferral_core::{Allocator, CaseId, CaseView, ExpertId, GroupId, Question, Vote};
use serde::{Deserialize, Serialize};

use super::{ClosedLoop, Desk};
use crate::archive::{ArchiveError, Closed};
use crate::event::Reply;

/// A task that is not decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OpenTask {
    pub(super) name: Box<str>,
    pub(super) features: Vec<f64>,
    pub(super) group: Option<GroupId>,
    /// All seats that were ever drawn and not given up.
    pub(super) seats: Vec<Question>,
    /// Everybody who was ever asked, each once.
    pub(super) asked: Vec<ExpertId>,
    /// Who has not answered and still may.
    pub(super) pending: Vec<ExpertId>,
    pub(super) votes: Vec<Vote>,
    /// Seats that were given up and that nobody has taken.
    pub(super) vacant: usize,
    pub(super) offers: u32,
    pub(super) until: Option<f64>,
}

impl OpenTask {
    /// A task that nobody was asked about.
    pub(super) fn new(name: &str, features: &[f64], group: Option<GroupId>) -> Self {
        Self {
            name: name.into(),
            features: features.to_vec(),
            group,
            seats: Vec::new(),
            asked: Vec::new(),
            pending: Vec::new(),
            votes: Vec::new(),
            vacant: 0,
            offers: 0,
            until: None,
        }
    }
}

impl ClosedLoop {
    /// Takes the seats of `silent` people from a task; each was asked and may still answer, but is not waited for.
    pub(super) fn give_up(&mut self, number: u64, silent: &[ExpertId]) {
        let Some(task) = self.open.get_mut(&number) else { return };
        let before = task.seats.len();
        task.pending.retain(|pending| !silent.contains(pending));
        task.seats.retain(|seat| !silent.contains(&seat.expert));
        task.vacant += before - task.seats.len();
        for &expert in silent {
            self.team.refund(expert);
        }
    }

    /// Offers the vacant seats to others; decides if there were offers enough, or nobody else is there and somebody has
    /// answered.
    pub(super) fn offer_again(&mut self, number: u64, desk: &mut Desk<'_>) -> Result<(), ArchiveError> {
        let Some(task) = self.open.get(&number) else { return Ok(()) };
        let is_last = task.offers >= self.offers;
        if !is_last {
            self.offer(number, desk);
        }
        let is_over = |task: &OpenTask| task.pending.is_empty() && (is_last || !task.votes.is_empty());
        if self.open.get(&number).is_some_and(is_over) { self.decide(number, desk) } else { Ok(()) }
    }

    /// Asks about a task whom the allocator chooses among those available who were not asked yet: a whole committee at
    /// first, then as many as there are vacant seats.
    pub(super) fn offer(&mut self, number: u64, desk: &mut Desk<'_>) {
        let window = self.window_number();
        let Some(task) = self.open.get_mut(&number) else { return };
        let available = self.team.available(window, &task.asked);
        let mut questions = Vec::new();
        if !available.is_empty() {
            let view = CaseView { case: CaseId(number as u32), features: &task.features, group: task.group };
            // One stream an offer: the draws of one task do not depend on how often another was offered.
            let mut random = self.draws.at((number as usize) << 8 | (task.offers.min(255) as usize));
            questions = self.allocator.allocate(view, &available, &mut random);
        }
        if task.offers > 0 {
            questions.truncate(task.vacant);
        }
        if questions.is_empty() {
            // With votes, and nobody who may still answer, it does not wait: it is decided.
            let waits = !task.pending.is_empty() || task.votes.is_empty();
            if self.waiting.insert(number) && waits {
                desk.replies.push(Reply::Waiting { task: task.name.to_string() });
            }
            return;
        }
        self.waiting.remove(&number);
        task.offers += 1;
        task.vacant = task.vacant.saturating_sub(questions.len());
        for question in questions {
            if !task.asked.contains(&question.expert) {
                task.asked.push(question.expert);
                task.pending.push(question.expert);
                self.team.book(question.expert, window);
            }
            task.seats.push(question);
        }
        self.lease(number);
        desk.replies.push(self.committee(&self.open[&number]));
    }

    /// Starts the lease of a task anew.
    fn lease(&mut self, number: u64) {
        let (Some(task), Some(lease)) = (self.open.get_mut(&number), self.lease) else { return };
        if let Some(until) = task.until {
            self.leases.remove(&(until.to_bits(), number));
        }
        let until = self.now + lease;
        task.until = Some(until);
        self.leases.insert((until.to_bits(), number));
    }

    /// Offers the tasks that nobody could take, the oldest first, as long as somebody is available.
    pub(super) fn offer_waiting(&mut self, desk: &mut Desk<'_>) -> Result<(), ArchiveError> {
        for number in self.waiting.iter().copied().collect::<Vec<_>>() {
            if self.team.available(self.window_number(), &[]).is_empty() {
                break;
            }
            let can_be_offered = self
                .open
                .get(&number)
                .is_some_and(|task| !self.team.available(self.window_number(), &task.asked).is_empty());
            if can_be_offered {
                self.offer_again(number, desk)?;
            }
        }
        Ok(())
    }

    /// Gives the label that the votes give, and learns from them.
    pub(super) fn decide(&mut self, number: u64, desk: &mut Desk<'_>) -> Result<(), ArchiveError> {
        let Some(task) = self.open.remove(&number) else { return Ok(()) };
        self.numbers.remove(&task.name);
        self.waiting.remove(&number);
        if let Some(until) = task.until {
            self.leases.remove(&(until.to_bits(), number));
        }
        let seats = |vote: &Vote| task.seats.iter().filter(|seat| seat.expert == vote.expert).count().max(1);
        let ballots: Vec<Vote> = task.votes.iter().flat_map(|vote| std::iter::repeat_n(*vote, seats(vote))).collect();
        let view = CaseView { case: CaseId(number as u32), features: &task.features, group: task.group };
        let label = if ballots.is_empty() { None } else { self.allocator.learn(view, &ballots) };
        self.decided += 1;
        let cost = task.votes.iter().fold(0.0, |sum, vote| sum + self.team.get(vote.expert).price);
        let closed = Closed { label, asked: task.asked, votes: task.votes, cost, late: Vec::new() };
        desk.archive.keep(&task.name, &closed)?;
        desk.replies.push(self.label(&task.name, &closed));
        self.look_for_an_alarm(desk);
        Ok(())
    }

    /// Says once when votes begin to contradict the prior.
    fn look_for_an_alarm(&mut self, desk: &mut Desk<'_>) {
        let alarm = self.allocator.alarm();
        if let Some(alarm) = alarm.filter(|_| !self.alarmed) {
            let group = |group: GroupId| self.groups.name(group.index()).unwrap_or("of all tasks").to_owned();
            let message = alarm.sentence(&|expert| self.team.name(expert).to_owned(), &group);
            desk.replies.push(Reply::Alarm { message });
        }
        self.alarmed = alarm.is_some();
    }
}
