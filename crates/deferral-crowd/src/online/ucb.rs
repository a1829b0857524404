//! UCB1: the worker who could be the best.

use deferral_core::{
    Allocator, CaseView, Committee, ExpertId, Label, Newcomer, ParameterError, Question, Selection, Vote,
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::arms::Arms;
use super::choice::{known, top};
use super::method::{Online, OnlineMethod, Setting, Skills};
use crate::seats;

/// Asks the k available experts with the largest `s_j / n_j + sqrt(bonus ln N / n_j)`: the mean reward of expert j and
/// a margin for how little is known of them, N being the votes heard of everybody. Who was never heard comes first.
/// UCB1 (Auer, Cesa-Bianchi and Fischer 2002, figure 1) has bonus 2 and k = 1; k distinct arms with a reward each are
/// the usual semi-bandit form.
///
/// Nothing is drawn, so propensities are 1. An expert who is asked and never answers stays unheard and goes on being
/// asked first: take such people off the available ones. Weights in a vote and in the policy are
/// [`Arm::trust`](super::Arm::trust), not the bounds. O(m log m) a choice, O(1) a vote.
///
/// ```
/// use deferral_core::{Allocator, CaseId, CaseView, ExpertId, Label, Stream, Vote};
/// use deferral_crowd::online::{Online, OnlineMethod, Setting, Ucb};
/// let mut state = Ucb::default().start(&Setting::new(2))?;
/// let case = CaseView { case: CaseId(0), features: &[], group: None };
/// let everybody = [ExpertId(0), ExpertId(1)];
/// state.reward(case, &[Vote { expert: ExpertId(0), label: Label(1) }], Label(1), 1.0);
/// // One was right and the other is unknown.
/// assert_eq!(state.allocate(case, &everybody, &mut Stream::new(1).at(0))[0].expert, ExpertId(1));
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ucb {
    /// The number under the root, 0 or more: larger explores more.
    pub bonus: f64,
    /// Experts to ask about a case; fewer if fewer are available.
    pub k: usize,
}

impl Default for Ucb {
    /// Bonus 2, one expert.
    fn default() -> Self {
        Self { bonus: 2.0, k: 1 }
    }
}

/// [`Ucb`] in the middle of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UcbState {
    method: Ucb,
    arms: Arms,
}

impl UcbState {
    /// The records of the workers.
    pub fn arms(&self) -> &Arms {
        &self.arms
    }

    /// The upper bound of a worker after `pulls` votes of all; infinite for one who was never heard or is unknown.
    fn bound(&self, worker: ExpertId, pulls: f64) -> f64 {
        match self.arms.of(worker) {
            Some(arm) if arm.pulls > 0.0 => arm.mean() + (self.method.bonus * pulls.ln().max(0.0) / arm.pulls).sqrt(),
            _ => f64::INFINITY,
        }
    }

    fn best(&self, available: &[ExpertId]) -> Vec<Question> {
        let pulls = self.arms.pulls();
        let known = known(available, self.arms.len());
        top(self.method.k, known.map(|worker| (worker, self.bound(worker, pulls))))
    }

    /// The upper bound of each worker: m numbers.
    pub fn bounds(&self) -> Vec<f64> {
        let pulls = self.arms.pulls();
        (0..self.arms.len()).map(|worker| self.bound(ExpertId::at(worker), pulls)).collect()
    }
}

impl OnlineMethod for Ucb {
    type State = UcbState;

    fn start(&self, setting: &Setting) -> Result<UcbState, ParameterError> {
        ParameterError::check(self.k > 0, "the committee size k", self.k, "1 or more")?;
        let ok = self.bonus.is_finite() && self.bonus >= 0.0;
        ParameterError::check(ok, "the bonus", self.bonus, "a finite number, 0 or more")?;
        Ok(UcbState { method: *self, arms: Arms::new(setting.workers) })
    }

    fn committee(&self) -> Committee {
        Committee { select: Selection::Top { k: self.k }, ..Committee::default() }
    }
}

impl Online for UcbState {
    fn label(&self, _: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        self.arms.label(votes)
    }

    fn reward(&mut self, _: CaseView<'_>, votes: &[Vote], label: Label, weight: f64) {
        self.arms.record(votes, label, weight);
    }

    fn skills(&self) -> Skills {
        Skills::Everywhere(self.arms.trusts())
    }
}

impl Allocator for UcbState {
    fn allocate(&mut self, _: CaseView<'_>, available: &[ExpertId], _: &mut dyn Rng) -> Vec<Question> {
        self.best(available)
    }

    fn learn(&mut self, case: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        self.listen(case, votes)
    }

    /// Exact: one seat for each of those who would be asked.
    fn shares(&self, _: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
        seats::shares(available, self.arms.len(), seats::one_each(self.best(available)))
    }

    /// Never heard, so asked first. The similarity and the price are not looked at.
    fn join(&mut self, _: Newcomer<'_>) {
        self.arms.join();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{case, experts, ids, votes};
    use super::*;
    use deferral_core::Stream;

    #[test]
    fn bounds_follow_the_formula() {
        let mut state = Ucb::default().start(&Setting::new(3)).unwrap();
        for _ in 0..3 {
            state.reward(case(0), &votes(&[(0, 1), (1, 0)]), Label(1), 1.0);
        }
        state.reward(case(0), &votes(&[(0, 0)]), Label(1), 1.0);
        let expected = [0.75 + (2.0 * 7f64.ln() / 4.0).sqrt(), (2.0 * 7f64.ln() / 3.0).sqrt()];
        let bounds = state.bounds();
        assert!((bounds[0] - expected[0]).abs() < 1e-12 && (bounds[1] - expected[1]).abs() < 1e-12);
        assert_eq!(bounds[2], f64::INFINITY);
        assert_eq!(state.skills(), Skills::Everywhere(vec![4.0 / 6.0, 1.0 / 5.0, 0.5]));
    }

    #[test]
    fn everybody_is_tried_before_anybody_is_asked_again() {
        let mut state = Ucb { k: 2, ..Ucb::default() }.start(&Setting::new(5)).unwrap();
        let mut seen = Vec::new();
        for i in 0..3 {
            let asked = experts(&state.allocate(case(i), &ids(&[0, 1, 2, 3, 4]), &mut Stream::new(1).at(i)));
            let answers: Vec<_> = asked.iter().map(|&expert| (expert, 0)).collect();
            state.reward(case(i), &votes(&answers), Label(0), 1.0);
            seen.extend(asked);
        }
        assert_eq!(seen[..5], [0, 1, 2, 3, 4]);
    }

    #[test]
    fn parameters_are_checked() {
        let message = Ucb { bonus: -1.0, k: 1 }.start(&Setting::new(2)).unwrap_err().to_string();
        assert_eq!(message, "the bonus is -1, but must be a finite number, 0 or more");
        assert!(Ucb { bonus: 2.0, k: 0 }.start(&Setting::new(2)).is_err());
    }
}
