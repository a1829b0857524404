//! Epsilon-greedy: mostly the worker who looks best, now and then anybody.

use deferral_core::{
    Allocator, CaseView, Committee, ExpertId, Label, Newcomer, ParameterError, Question, Selection, Vote,
};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::arms::{Arm, Arms};
use super::choice::{known, top};
use super::method::{Online, OnlineMethod, Setting, Skills};
use crate::seats;

/// Each of k seats goes with probability epsilon to a uniformly random one of those available and not yet seated, else
/// to the one of them with the best record (the lower index on ties), after Sutton and Barto (2018, section 2.2).
///
/// The record is [`Arm::trust`], so a stranger counts as right half of the time. The propensity of a question is the
/// probability of that expert in the draw of its seat: `epsilon / left`, and `1 - epsilon` more for the best.
/// O(m log m) a choice, O(1) a vote.
///
/// ```
/// use deferral_core::{Allocator, CaseId, CaseView, ExpertId, Stream};
/// use deferral_crowd::online::{EpsilonGreedy, OnlineMethod, Setting};
/// let mut state = EpsilonGreedy::default().start(&Setting::new(4))?;
/// let case = CaseView { case: CaseId(0), features: &[], group: None };
/// let asked = state.allocate(case, &[ExpertId(1), ExpertId(3)], &mut Stream::new(1).at(0));
/// assert!(asked[0].expert == ExpertId(1) && (asked[0].propensity - 0.95).abs() < 1e-12);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EpsilonGreedy {
    /// How often a seat is given away at random.
    pub exploration: Exploration,
    /// Experts to ask about a case; fewer if fewer are available.
    pub k: usize,
}

impl Default for EpsilonGreedy {
    /// Epsilon 0.1, one expert.
    fn default() -> Self {
        Self { exploration: Exploration::default(), k: 1 }
    }
}

/// The probability epsilon of exploring.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Exploration {
    /// The same in every round, in [0, 1].
    Constant(f64),
    /// `min(1, c m / t)` in round t = 1, 2, ..., the decay of Auer, Cesa-Bianchi and Fischer (2002).
    Decaying {
        /// The factor c, above 0.
        c: f64,
    },
}

impl Default for Exploration {
    /// Constant, 0.1. The usual factor of a decaying one is 5.
    fn default() -> Self {
        Self::Constant(0.1)
    }
}

impl Exploration {
    fn check(self) -> Result<(), ParameterError> {
        match self {
            Self::Constant(epsilon) => {
                let ok = (0.0..=1.0).contains(&epsilon);
                ParameterError::check(ok, "the exploration rate epsilon", epsilon, "between 0 and 1")
            }
            Self::Decaying { c } => {
                let ok = c.is_finite() && c > 0.0;
                ParameterError::check(ok, "the exploration factor c", c, "a finite number above 0")
            }
        }
    }

    /// Epsilon in round `t`, counted from 1, with `workers` workers.
    pub fn epsilon(self, t: u64, workers: usize) -> f64 {
        match self {
            Self::Constant(epsilon) => epsilon,
            Self::Decaying { c } => (c * workers as f64 / t.max(1) as f64).min(1.0),
        }
    }
}

/// [`EpsilonGreedy`] in the middle of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpsilonGreedyState {
    method: EpsilonGreedy,
    arms: Arms,
    rounds: u64,
}

impl EpsilonGreedyState {
    /// The records of the workers.
    pub fn arms(&self) -> &Arms {
        &self.arms
    }

    /// The probability of exploring in the round to come. Rounds are counted when they are learned from.
    pub fn epsilon(&self) -> f64 {
        self.method.exploration.epsilon(self.rounds + 1, self.arms.len())
    }

    /// Those who are known, the best first.
    fn ranked(&self, available: &[ExpertId]) -> Vec<Question> {
        let trust = |worker: ExpertId| self.arms.of(worker).map_or(0.0, Arm::trust);
        top(usize::MAX, known(available, self.arms.len()).map(|worker| (worker, trust(worker))))
    }
}

impl OnlineMethod for EpsilonGreedy {
    type State = EpsilonGreedyState;

    fn start(&self, setting: &Setting) -> Result<EpsilonGreedyState, ParameterError> {
        ParameterError::check(self.k > 0, "the committee size k", self.k, "1 or more")?;
        self.exploration.check()?;
        Ok(EpsilonGreedyState { method: *self, arms: Arms::new(setting.workers), rounds: 0 })
    }

    fn committee(&self) -> Committee {
        Committee { select: Selection::Top { k: self.k }, ..Committee::default() }
    }
}

impl Online for EpsilonGreedyState {
    fn label(&self, _: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        self.arms.label(votes)
    }

    fn reward(&mut self, _: CaseView<'_>, votes: &[Vote], label: Label, weight: f64) {
        self.arms.record(votes, label, weight);
        self.rounds += 1;
    }

    fn skills(&self) -> Skills {
        Skills::Everywhere(self.arms.trusts())
    }
}

impl Allocator for EpsilonGreedyState {
    fn allocate(&mut self, _: CaseView<'_>, available: &[ExpertId], random: &mut dyn Rng) -> Vec<Question> {
        let mut left = self.ranked(available);
        let epsilon = self.epsilon();
        let mut seated = Vec::with_capacity(self.method.k.min(left.len()));
        while seated.len() < self.method.k && !left.is_empty() {
            let uniform = epsilon / left.len() as f64;
            let at = if random.random::<f64>() < epsilon { random.random_range(0..left.len()) } else { 0 };
            let propensity = if at == 0 { uniform + (1.0 - epsilon) } else { uniform };
            seated.push(Question { propensity, ..left.remove(at) });
        }
        seated
    }

    fn learn(&mut self, case: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        self.listen(case, votes)
    }

    /// Exact. O(k m^2), O(m log m) for one seat.
    fn shares(&self, _: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
        let ranked = self.ranked(available);
        let seats = seated(ranked.len(), self.method.k, self.epsilon());
        let seats = ranked.iter().map(|question| question.expert).zip(seats);
        seats::shares(available, self.arms.len(), seats)
    }

    /// A stranger, right half of the time. The similarity and the price are not looked at.
    fn join(&mut self, _: Newcomer<'_>) {
        self.arms.join();
    }
}

/// How probably the one of each rank, of n, gets one of the k seats.
fn seated(n: usize, k: usize, epsilon: f64) -> Vec<f64> {
    (0..n).map(|rank| seated_at(rank, n, k, epsilon)).collect()
}

/// All that matters is how many of those who rank above are left while this one has no seat.
fn seated_at(rank: usize, n: usize, k: usize, epsilon: f64) -> f64 {
    let mut seated = 0.0;
    let mut above = vec![0.0; rank + 1];
    above[rank] = 1.0;
    for seat in 0..k.min(n) {
        let uniform = epsilon / (n - seat) as f64;
        // Upwards, so that what moves one place down is not looked at again.
        for left in 0..=rank {
            let here = std::mem::take(&mut above[left]);
            let (own, other) = if left == 0 { (uniform + 1.0 - epsilon, 0.0) } else { (uniform, 1.0 - epsilon) };
            let higher = other + uniform * left as f64;
            seated += here * own;
            above[left] += here * (1.0 - own - higher).max(0.0);
            if left > 0 {
                above[left - 1] += here * higher;
            }
        }
    }
    seated
}

#[cfg(test)]
mod tests {
    use super::super::tests::{case, ids, votes};
    use super::*;
    use deferral_core::Stream;

    #[test]
    fn exploration_decays_with_the_rounds() {
        let method = EpsilonGreedy { exploration: Exploration::Decaying { c: 5.0 }, k: 1 };
        let mut state = method.start(&Setting::new(4)).unwrap();
        assert_eq!(state.epsilon(), 1.0);
        for _ in 0..39 {
            state.reward(case(0), &votes(&[(0, 1)]), Label(1), 1.0);
        }
        assert_eq!(state.epsilon(), 0.5);
        assert_eq!(state.arms().of(ExpertId(0)).unwrap().pulls, 39.0);
    }

    #[test]
    fn shares_by_hand() {
        // The best: .7 + .3 / 3, and .85 of the rest. The second: .1, and .85 after the best, .15 after the third.
        let found = seated(3, 2, 0.3);
        assert!(found.iter().zip([0.97, 0.795, 0.235]).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        assert_eq!(seated(2, 5, 0.3), [1.0, 1.0]);
        assert!(seated(0, 2, 0.3).is_empty());
    }

    #[test]
    fn propensities_are_the_frequencies_of_the_draws() {
        let method = EpsilonGreedy { exploration: Exploration::Constant(0.4), k: 2 };
        let mut state = method.start(&Setting::new(3)).unwrap();
        state.reward(case(0), &votes(&[(0, 0), (1, 1), (2, 0)]), Label(1), 1.0);
        let stream = Stream::new(5);
        let (mut second_seat, mut best, n) = (0.0, 0, 20_000);
        for i in 0..n {
            let asked = state.allocate(case(0), &ids(&[0, 1, 2]), &mut stream.at(i));
            let of_best = asked[0].expert == ExpertId(1);
            best += usize::from(of_best);
            assert!((asked[0].propensity - if of_best { 0.4 / 3.0 + 0.6 } else { 0.4 / 3.0 }).abs() < 1e-12);
            assert_ne!(asked[0].expert, asked[1].expert);
            // Over the two who were left the inverse propensities average to their number.
            second_seat += 1.0 / asked[1].propensity;
        }
        assert!((best as f64 / n as f64 - (0.4 / 3.0 + 0.6)).abs() < 0.01);
        assert!((second_seat / n as f64 - 2.0).abs() < 0.05);
    }

    #[test]
    fn parameters_are_checked() {
        let refuse = |exploration, k| EpsilonGreedy { exploration, k }.start(&Setting::new(2)).unwrap_err().to_string();
        let message = "the exploration rate epsilon is 1.5, but must be between 0 and 1";
        assert_eq!(refuse(Exploration::Constant(1.5), 1), message);
        assert!(refuse(Exploration::Constant(f64::NAN), 1).contains("is NaN"));
        let message = "the exploration factor c is 0, but must be a finite number above 0";
        assert_eq!(refuse(Exploration::Decaying { c: 0.0 }, 1), message);
        let message = "the committee size k is 0, but must be 1 or more";
        assert_eq!(refuse(Exploration::default(), 0), message);
    }
}
