//! What is known of workers who are the same on every case: how often they were heard, how often they were right.

use deferral_core::{ExpertId, Label, Vote};
use serde::{Deserialize, Serialize};

use super::choice::weighted_label;

/// One worker's record: weighted counts of the votes heard and of those rewarded.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Arm {
    /// Votes heard, `n_j`.
    pub pulls: f64,
    /// Rewards among them, `s_j`.
    pub rewards: f64,
}

impl Arm {
    /// The mean reward s/n; 0 before the first vote.
    pub fn mean(&self) -> f64 {
        if self.pulls > 0.0 { self.rewards / self.pulls } else { 0.0 }
    }

    /// The expected reward under a uniform prior, (s+1)/(n+2): 1/2 for a stranger, so that a lucky beginner does not
    /// rank above a veteran.
    pub fn trust(&self) -> f64 {
        (self.rewards + 1.0) / (self.pulls + 2.0)
    }
}

/// The records of m workers.
///
/// ```
/// use deferral_core::{ExpertId, Label, Vote};
/// use deferral_crowd::online::Arms;
/// let mut arms = Arms::new(2);
/// arms.record(&[Vote { expert: ExpertId(1), label: Label(3) }], Label(3), 1.0);
/// assert_eq!((arms.of(ExpertId(1)).unwrap().mean(), arms.of(ExpertId(0)).unwrap().trust()), (1.0, 0.5));
/// assert_eq!(arms.pulls(), 1.0);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arms(Vec<Arm>);

impl Arms {
    /// Nobody was heard yet.
    pub fn new(workers: usize) -> Self {
        Self(vec![Arm::default(); workers])
    }

    /// Number of workers, m.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The record of a worker, if they are known.
    pub fn of(&self, worker: ExpertId) -> Option<&Arm> {
        self.0.get(worker.index())
    }

    /// Votes heard of all workers. O(m).
    pub fn pulls(&self) -> f64 {
        self.0.iter().map(|arm| arm.pulls).sum()
    }

    /// The trust in each worker: m numbers.
    pub fn trusts(&self) -> Vec<f64> {
        self.0.iter().map(Arm::trust).collect()
    }

    /// Adds votes, each a reward if it is for `label`, all counting by `weight`. Strangers are passed over.
    pub fn record(&mut self, votes: &[Vote], label: Label, weight: f64) {
        for vote in votes {
            if let Some(arm) = self.0.get_mut(vote.expert.index()) {
                arm.pulls += weight;
                arm.rewards += if vote.label == label { weight } else { 0.0 };
            }
        }
    }

    /// Makes room for one more worker, who was not heard yet.
    pub fn join(&mut self) {
        self.0.push(Arm::default());
    }

    pub(crate) fn label(&self, votes: &[Vote]) -> Option<Label> {
        weighted_label(votes, |worker| self.of(worker).map(Arm::trust))
    }
}
