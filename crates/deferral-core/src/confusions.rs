//! How each worker answers when each class is true.

use serde::{Deserialize, Serialize};

use crate::ids::{ExpertId, Label};

/// One K x K matrix a worker: the probability of each vote given each true class. Every row is a distribution.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Confusions {
    classes: usize,
    /// By worker, then by vote, then by truth: the K numbers that one vote adds to a belief lie together.
    by_vote: Vec<f64>,
}

impl Confusions {
    /// `workers` matrices whose entry for (worker, truth, vote) is given by `probability`.
    pub fn from_fn(workers: usize, classes: usize, mut probability: impl FnMut(usize, usize, usize) -> f64) -> Self {
        let mut by_vote = Vec::with_capacity(workers * classes * classes);
        for worker in 0..workers {
            for vote in 0..classes {
                by_vote.extend((0..classes).map(|truth| probability(worker, truth, vote)));
            }
        }
        Self { classes, by_vote }
    }

    /// Matrices of people who are right with the given probabilities and err on every other class alike.
    pub fn one_coin(skills: &[f64], classes: usize) -> Self {
        let others = classes.saturating_sub(1).max(1) as f64;
        Self::from_fn(skills.len(), classes, |worker, truth, vote| {
            if classes == 1 || truth == vote { skills[worker] } else { (1.0 - skills[worker]) / others }
        })
    }

    /// Number of workers.
    pub fn workers(&self) -> usize {
        self.by_vote.len().checked_div(self.classes * self.classes).unwrap_or(0)
    }

    /// Number of classes, K.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The probability that `worker` votes `vote` when `truth` is right.
    ///
    /// # Panics
    /// If one of them is out of range.
    pub fn get(&self, worker: ExpertId, truth: Label, vote: Label) -> f64 {
        self.given_vote(worker, vote)[truth.index()]
    }

    /// The probability of this vote of `worker` under each truth: K numbers, which need not sum to one.
    ///
    /// # Panics
    /// If worker or vote are out of range.
    pub fn given_vote(&self, worker: ExpertId, vote: Label) -> &[f64] {
        let start = (worker.index() * self.classes + vote.index()) * self.classes;
        &self.by_vote[start..start + self.classes]
    }

    /// The probability that `worker` is right on a case whose class is drawn from `shares`.
    ///
    /// # Panics
    /// If the worker is out of range.
    pub fn skill(&self, worker: ExpertId, shares: &[f64]) -> f64 {
        let right = |(class, share): (usize, &f64)| share * self.get(worker, Label::at(class), Label::at(class));
        shares.iter().enumerate().map(right).sum()
    }

    /// The share of a worker's votes that does not depend on the truth: `sum_l min_k P(l | k)`, what all rows have in
    /// common. 1 for whoever answers blindly, whatever they answer; 0 for one who is always right. In MACE it is the
    /// spam rate itself (Hovy et al. 2013). O(K^2).
    ///
    /// # Panics
    /// If the worker is out of range.
    pub fn spam_rate(&self, worker: ExpertId) -> f64 {
        let common = |vote| self.given_vote(worker, Label::at(vote)).iter().copied().fold(f64::INFINITY, f64::min);
        (0..self.classes).map(common).sum()
    }

    /// All numbers: by worker, then by vote, then by truth.
    pub fn values(&self) -> &[f64] {
        &self.by_vote
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_read_by_vote_and_by_truth() {
        let table = [[[0.8, 0.2], [0.1, 0.9]], [[0.5, 0.5], [0.5, 0.5]]];
        let confusions = Confusions::from_fn(2, 2, |w, truth, vote| table[w][truth][vote]);
        assert_eq!((confusions.workers(), confusions.classes()), (2, 2));
        assert_eq!(confusions.get(ExpertId(0), Label(1), Label(0)), 0.1);
        assert_eq!(confusions.given_vote(ExpertId(0), Label(1)), [0.2, 0.9]);
        assert!((confusions.skill(ExpertId(0), &[0.4, 0.6]) - (0.4 * 0.8 + 0.6 * 0.9)).abs() < 1e-15);
    }

    #[test]
    fn spam_is_what_all_truths_have_in_common() {
        // Spam with probability .4, then 1 three times out of four.
        let row = |truth: usize, vote: usize| 0.4 * [0.25, 0.75][vote] + if truth == vote { 0.6 } else { 0.0 };
        let blind = |_: usize, vote: usize| [0.3, 0.7][vote];
        let confusions =
            Confusions::from_fn(2, 2, |worker, truth, vote| [row(truth, vote), blind(truth, vote)][worker]);
        assert!((confusions.spam_rate(ExpertId(0)) - 0.4).abs() < 1e-12);
        assert!((confusions.spam_rate(ExpertId(1)) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_coin_errors_are_uniform() {
        let confusions = Confusions::one_coin(&[0.7], 3);
        let rounded: Vec<i32> = confusions.values().iter().map(|p| (p * 100.0).round() as i32).collect();
        assert_eq!(rounded, [70, 15, 15, 15, 70, 15, 15, 15, 70]);
        assert_eq!(Confusions::one_coin(&[0.7], 1).workers(), 1);
    }
}
