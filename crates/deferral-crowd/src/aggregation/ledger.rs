//! How often workers gave each vote under each truth, each alone and all together, moved whenever a belief moves.

use std::collections::BTreeMap;

use deferral_core::{ExpertId, Label};
use serde::{Deserialize, Serialize};

use super::em::FLOOR;
use super::online::OnlineDawidSkene;

/// Adds what `after` has more than `before`.
pub(super) fn move_by(totals: &mut [f64], before: &[f64], after: &[f64]) {
    for ((total, before), after) in totals.iter_mut().zip(before).zip(after) {
        *total += after - before;
    }
}

/// One vote, and the belief with which it was added to its worker's counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Cast {
    pub(super) worker: ExpertId,
    pub(super) label: Label,
    pub(super) credit: Vec<f64>,
}

/// How often workers gave each vote under each truth, each alone and all together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ledger {
    strength: f64,
    pool: f64,
    skill: f64,
    pub(super) everybody: Counts,
    of_worker: BTreeMap<ExpertId, Counts>,
}

/// Counts in the order of [`Confusions`](deferral_core::Confusions), vote by vote, and their sums over the votes for
/// each truth.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) of_vote: Vec<f64>,
    pub(super) of_truth: Vec<f64>,
}

impl Counts {
    pub(super) fn zeros(classes: usize) -> Self {
        Self { of_vote: vec![0.0; classes * classes], of_truth: vec![0.0; classes] }
    }

    pub(super) fn move_vote(&mut self, label: Label, from: &[f64], to: &[f64]) {
        let start = label.index() * self.of_truth.len();
        move_by(&mut self.of_vote[start..start + from.len()], from, to);
        move_by(&mut self.of_truth, from, to);
    }

    /// Votes for the truth, and all votes.
    fn right_of_all(&self) -> (f64, f64) {
        let classes = self.of_truth.len();
        let right: f64 = self.of_vote.iter().step_by(classes + 1).map(|count| count.max(0.0)).sum();
        (right, self.of_truth.iter().sum())
    }

    /// The share of a vote under a truth, when `guess` is worth `weight` votes. Counts that were moved to and fro may
    /// end a little below zero.
    fn share(&self, truth: usize, vote: usize, guess: f64, weight: f64) -> f64 {
        let classes = self.of_truth.len();
        let count = self.of_vote[vote * classes + truth].max(0.0);
        ((count + weight * guess) / (self.of_truth[truth].max(0.0) + weight)).clamp(FLOOR, 1.0)
    }
}

impl Ledger {
    pub(super) fn new(parameters: &OnlineDawidSkene, classes: usize) -> Self {
        let &OnlineDawidSkene { skill, pool, strength, .. } = parameters;
        Self { strength, pool, skill, everybody: Counts::zeros(classes), of_worker: BTreeMap::new() }
    }

    pub(super) fn credit(&mut self, vote: &mut Cast, belief: &[f64]) {
        let own = self.of_worker.entry(vote.worker).or_insert_with(|| Counts::zeros(belief.len()));
        own.move_vote(vote.label, &vote.credit, belief);
        self.everybody.move_vote(vote.label, &vote.credit, belief);
        vote.credit.copy_from_slice(belief);
    }

    pub(super) fn probability(&self, worker: ExpertId, truth: usize, vote: usize) -> f64 {
        let stranger = match self.everybody.of_truth.len() {
            1 => 1.0,
            _ if truth == vote => self.pool_skill(),
            classes => (1.0 - self.pool_skill()) / (classes - 1) as f64,
        };
        self.of_worker.get(&worker).map_or(stranger, |own| own.share(truth, vote, stranger, self.strength))
    }

    /// The share of all votes that are right. One number: how errors differ by class cannot be told of strangers, whose
    /// single votes an asymmetric pool would turn round.
    fn pool_skill(&self) -> f64 {
        let (right, all) = self.everybody.right_of_all();
        ((right + self.pool * self.skill) / (all + self.pool)).clamp(FLOOR, 1.0 - FLOOR)
    }

    /// The probability of a vote under each truth.
    pub(super) fn given_vote(&self, worker: ExpertId, label: Label) -> Vec<f64> {
        (0..self.everybody.of_truth.len()).map(|truth| self.probability(worker, truth, label.index())).collect()
    }
}
