//! What happens in a closed loop, and what it answers: one JSON object a line.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Something that happened. `at` is the time in seconds on any clock that does not run backwards; an event without it,
/// or with an earlier one, happens at the time of the one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", deny_unknown_fields, expecting = "an object with the field `event`")]
pub enum Event {
    /// A task arrived.
    #[serde(rename = "task")]
    Task {
        /// Its name.
        task: String,
        /// Its d features.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        features: Vec<f64>,
        /// Its group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        /// When.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<f64>,
    },
    /// Somebody labelled a task.
    #[serde(rename = "vote")]
    Vote {
        /// The task.
        task: String,
        /// Who.
        worker: String,
        /// The label.
        label: String,
        /// When.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<f64>,
    },
    /// Somebody joins, or comes back.
    #[serde(rename = "annotator.join")]
    Join {
        /// Who.
        worker: String,
        /// How well they suit each group, from 0 to 1; groups that are not named: 1/2. Of somebody who comes back what was
        /// learned stands, and this is not looked at.
        #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
        similarity: IndexMap<String, f64>,
        /// What a label costs; default 1. Who comes back keeps the cost, capacity and budget that are not said anew.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost: Option<f64>,
        /// Tasks a time window at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capacity: Option<u32>,
        /// What their labels may cost altogether.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        budget: Option<f64>,
        /// When.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<f64>,
    },
    /// Somebody leaves: what they were asked is offered to others.
    #[serde(rename = "annotator.leave")]
    Leave {
        /// Who.
        worker: String,
        /// When.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<f64>,
    },
    /// How much somebody can do from now on.
    #[serde(rename = "capacity")]
    Capacity {
        /// Who.
        worker: String,
        /// Tasks a time window at most; absent: no limit; 0: away for now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capacity: Option<u32>,
        /// What their labels may still cost altogether, from now; absent: as before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        budget: Option<f64>,
        /// When.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<f64>,
    },
    /// Time passes.
    #[serde(rename = "time")]
    Time {
        /// Now.
        at: f64,
    },
}

/// An answer of the loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// These people should label the task; also all that have not answered, when it is offered again or sent again.
    Committee {
        /// The task.
        task: String,
        /// Whom to ask, each once.
        workers: Vec<String>,
        /// The probability of each seat's draw and whose it is, by position in `workers`; several seats may be one
        /// worker's.
        seats: Vec<Seat>,
        /// Which offer of the task this is, from 1.
        offer: u32,
        /// When the lease ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<f64>,
    },
    /// The task is decided.
    Label {
        /// The task.
        task: String,
        /// The label; none if nobody answered.
        label: Option<String>,
        /// Votes that it rests on.
        votes: usize,
        /// What they cost.
        cost: f64,
    },
    /// A vote was heard.
    Vote {
        /// The task.
        task: String,
        /// Who.
        worker: String,
        /// What became of it.
        status: VoteStatus,
    },
    /// Somebody joined, left, or has another capacity.
    Annotator {
        /// Who.
        worker: String,
        /// What became of them.
        status: Standing,
    },
    /// A task waits until somebody is available.
    Waiting {
        /// The task.
        task: String,
    },
    /// The votes contradict the prior.
    Alarm {
        /// What contradicts what, in a sentence.
        message: String,
    },
    /// An event that can't be: nothing changed but the time.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
}

/// One draw of a committee.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Seat {
    /// Whose it is: a position in the committee's workers.
    pub worker: usize,
    /// The probability of the draw.
    pub propensity: f64,
}

/// What became of a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VoteStatus {
    /// It counts.
    Counted,
    /// The task was decided before: it is kept, and changes nothing.
    Late,
    /// This worker had voted on this task: the first vote stands.
    Duplicate,
}

/// What became of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// They are new.
    Joined,
    /// They were here before, and so is what was learned of them.
    Returned,
    /// They had joined already: nothing changed.
    Present,
    /// They are not asked any more.
    Left,
    /// They can do more or less.
    Capacity,
}

impl Event {
    /// When it happened, if it says so.
    pub fn at(&self) -> Option<f64> {
        match self {
            Self::Task { at, .. }
            | Self::Vote { at, .. }
            | Self::Join { at, .. }
            | Self::Leave { at, .. }
            | Self::Capacity { at, .. } => *at,
            Self::Time { at } => Some(*at),
        }
    }

    /// The same event, at `now` if it does not say when it happened.
    #[must_use]
    pub fn or_at(mut self, now: Option<f64>) -> Self {
        match &mut self {
            Self::Task { at, .. }
            | Self::Vote { at, .. }
            | Self::Join { at, .. }
            | Self::Leave { at, .. }
            | Self::Capacity { at, .. } => *at = at.or(now),
            Self::Time { .. } => {}
        }
        self
    }
}
