//! Decided tasks, kept so that late and duplicate votes can be told from unknown ones.

use std::collections::VecDeque;

use deferral_core::{ExpertId, Label, Vote};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// A decided task.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Closed {
    /// What was decided; none if nobody answered.
    pub label: Option<Label>,
    /// Everybody who was asked, each once.
    pub asked: Vec<ExpertId>,
    /// The votes that decided, one a person.
    pub votes: Vec<Vote>,
    /// What those cost.
    pub cost: f64,
    /// Votes that came afterwards.
    pub late: Vec<Vote>,
}

impl Closed {
    /// Whether `annotator` has voted, in time or late.
    pub fn has_vote_of(&self, annotator: ExpertId) -> bool {
        self.votes.iter().chain(&self.late).any(|vote| vote.expert == annotator)
    }
}

/// The store of decided tasks could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("decided tasks cannot be {action}: {source}")]
pub struct ArchiveError {
    /// `read` or `written`.
    pub action: &'static str,
    /// What the store said.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Where decided tasks are kept, by name.
pub trait Archive {
    /// The decided task of that name.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn find(&self, task: &str) -> Result<Option<Closed>, ArchiveError>;

    /// Keeps a decided task, in place of what was known of it.
    ///
    /// # Errors
    /// If the store cannot be written.
    fn keep(&mut self, task: &str, closed: &Closed) -> Result<(), ArchiveError>;
}

/// The last decided tasks, in memory: a vote on an older one is a vote on an unknown task.
///
/// ```
/// use deferral_allocation::{Archive, Closed, Recent};
/// let mut recent = Recent::new(2);
/// for task in ["a", "b", "c"] {
///     recent.keep(task, &Closed::default())?;
/// }
/// assert!(recent.find("a")?.is_none() && recent.find("c")?.is_some());
/// # Ok::<(), deferral_allocation::ArchiveError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recent {
    most: usize,
    order: VecDeque<Box<str>>,
    tasks: IndexMap<Box<str>, Closed>,
}

impl Recent {
    /// Room for `most` tasks.
    pub fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Tasks kept.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

impl Archive for Recent {
    fn find(&self, task: &str) -> Result<Option<Closed>, ArchiveError> {
        Ok(self.tasks.get(task).cloned())
    }

    fn keep(&mut self, task: &str, closed: &Closed) -> Result<(), ArchiveError> {
        if self.tasks.insert(task.into(), closed.clone()).is_none() {
            self.order.push_back(task.into());
        }
        while self.tasks.len() > self.most {
            let Some(oldest) = self.order.pop_front() else { break };
            self.tasks.swap_remove(&oldest);
        }
        Ok(())
    }
}
