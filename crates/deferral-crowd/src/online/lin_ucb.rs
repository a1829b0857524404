//! `LinUCB`: the worker who could be the best on this case.

use deferral_core::{
    Allocator, CaseView, Committee, ExpertId, Label, Newcomer, ParameterError, Question, Selection, Vote,
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::choice::{known, top};
use super::linear::LinearArms;
use super::method::{Online, OnlineMethod, Setting, Skills};
use crate::seats;

/// Asks the k available experts with the largest `theta_j . x + alpha sqrt(x' A_j^-1 x)`: the reward that a ridge
/// regression of each expert's own expects on case x, and a margin for how little it has seen of such cases. Disjoint
/// `LinUCB` (Li, Chu, Langford and Schapire 2010, algorithm 1) has k = 1; k distinct arms with a reward each are the
/// usual semi-bandit form.
///
/// Nothing is drawn, so propensities are 1. In a vote and in the policy an expert weighs `theta_j . x`, cut to [0, 1].
/// The constant beside the features is a choice made here: without it (as the algorithm is printed) an expert who is
/// equally good everywhere cannot be described unless a feature is constant. O(m d^2) a choice, O(d^2) a vote, O(m d^2)
/// memory, for d features; they should be of about the same size.
///
/// ```
/// use deferral_core::{Allocator, CaseId, CaseView, ExpertId, Label, Stream, Vote};
/// use deferral_crowd::online::{LinUcb, Online, OnlineMethod, Setting};
/// let mut state = LinUcb::default().start(&Setting { features: 2, ..Setting::new(2) })?;
/// let everybody = [ExpertId(0), ExpertId(1)];
/// for i in 0..40 {
///     let x = if i % 2 == 0 { [1.0, 0.0] } else { [0.0, 1.0] };
///     let case = CaseView { case: CaseId(i), features: &x, group: None };
///     let asked = state.allocate(case, &everybody, &mut Stream::new(1).at(0))[0].expert;
///     // Expert 0 is right on even cases only, expert 1 on odd ones.
///     state.reward(case, &[Vote { expert: asked, label: Label(u16::from(asked.0 == i % 2)) }], Label(1), 1.0);
/// }
/// let odd = CaseView { case: CaseId(41), features: &[0.0, 1.0], group: None };
/// assert_eq!(state.allocate(odd, &everybody, &mut Stream::new(1).at(0))[0].expert, ExpertId(1));
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinUcb {
    /// How many standard deviations the margin is, 0 or more: larger explores more.
    pub alpha: f64,
    /// The ridge, at least 1e-12: larger makes the regressions slower to believe.
    pub lambda: f64,
    /// Whether a constant 1 stands beside the features.
    pub intercept: bool,
    /// Experts to ask about a case; fewer if fewer are available.
    pub k: usize,
}

impl Default for LinUcb {
    /// Alpha 1, lambda 1, an intercept, one expert.
    fn default() -> Self {
        Self { alpha: 1.0, lambda: 1.0, intercept: true, k: 1 }
    }
}

/// [`LinUcb`] in the middle of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinUcbState {
    method: LinUcb,
    arms: LinearArms,
}

impl LinUcbState {
    /// The regressions of the workers.
    pub fn arms(&self) -> &LinearArms {
        &self.arms
    }

    /// The upper bound of a worker, if they are known, on what [`LinearArms::x`] makes of a case.
    pub fn bound(&self, worker: ExpertId, x: &[f64]) -> Option<f64> {
        let (mean, variance) = self.arms.of(worker)?.predict(x);
        Some(mean + self.method.alpha * variance.sqrt())
    }

    fn best(&self, case: CaseView<'_>, available: &[ExpertId]) -> Vec<Question> {
        let x = self.arms.x(case.features);
        let known = known(available, self.arms.len());
        top(self.method.k, known.filter_map(|worker| Some((worker, self.bound(worker, &x)?))))
    }
}

impl OnlineMethod for LinUcb {
    type State = LinUcbState;

    fn start(&self, setting: &Setting) -> Result<LinUcbState, ParameterError> {
        ParameterError::check(self.k > 0, "the committee size k", self.k, "1 or more")?;
        let ok = self.alpha.is_finite() && self.alpha >= 0.0;
        ParameterError::check(ok, "alpha", self.alpha, "a finite number, 0 or more")?;
        let arms = LinearArms::new(setting.workers, setting.features, self.intercept, self.lambda)?;
        Ok(LinUcbState { method: *self, arms })
    }

    fn committee(&self) -> Committee {
        Committee { select: Selection::Top { k: self.k }, ..Committee::default() }
    }

    fn needs_features(&self) -> bool {
        true
    }
}

impl Online for LinUcbState {
    fn label(&self, case: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        self.arms.label(case.features, votes)
    }

    fn reward(&mut self, case: CaseView<'_>, votes: &[Vote], label: Label, weight: f64) {
        self.arms.record(case.features, votes, label, weight);
    }

    fn skills(&self) -> Skills {
        Skills::Linear { coefficients: self.arms.coefficients(), intercept: self.arms.intercept() }
    }
}

impl Allocator for LinUcbState {
    fn allocate(&mut self, case: CaseView<'_>, available: &[ExpertId], _: &mut dyn Rng) -> Vec<Question> {
        self.best(case, available)
    }

    fn learn(&mut self, case: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        self.listen(case, votes)
    }

    /// Exact: one seat for each of those who would be asked.
    fn shares(&self, case: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
        seats::shares(available, self.arms.len(), seats::one_each(self.best(case, available)))
    }

    /// A regression of nothing, whose bound is wide. The similarity and the price are not looked at.
    fn join(&mut self, _: Newcomer<'_>) {
        self.arms.join(self.method.lambda);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{on, votes};
    use super::*;

    #[test]
    fn the_example_with_two_features() {
        // ALGORITHMS 3.4.
        let method = LinUcb { intercept: false, ..LinUcb::default() };
        let mut state = method.start(&Setting { features: 2, ..Setting::new(1) }).unwrap();
        let e1 = [1.0, 0.0];
        assert!((state.bound(ExpertId(0), &e1).unwrap() - 1.0).abs() < 1e-6);
        state.reward(on(&e1), &votes(&[(0, 1)]), Label(1), 1.0);
        assert_eq!(state.skills(), Skills::Linear { coefficients: state.arms().coefficients(), intercept: false });
        let coefficients = state.arms().coefficients();
        assert!((coefficients.values()[0] - 0.5).abs() < 1e-6 && coefficients.values()[1] == 0.0);
        assert!((state.bound(ExpertId(0), &e1).unwrap() - 1.207_107).abs() < 1e-6);
    }

    #[test]
    fn only_the_chosen_are_updated() {
        let mut state = LinUcb::default().start(&Setting { features: 2, ..Setting::new(3) }).unwrap();
        let before = state.arms().of(ExpertId(1)).unwrap().clone();
        state.learn(on(&[1.0, 2.0]), &votes(&[(0, 1), (2, 0), (9, 1)]));
        assert_eq!(state.arms().of(ExpertId(1)), Some(&before));
        assert_ne!(state.arms().of(ExpertId(0)), Some(&before));
    }

    #[test]
    fn parameters_are_checked() {
        let setting = Setting { features: 2, ..Setting::new(2) };
        let refuse = |method: LinUcb| method.start(&setting).unwrap_err().to_string();
        let message = refuse(LinUcb { alpha: f64::NAN, ..LinUcb::default() });
        assert_eq!(message, "alpha is NaN, but must be a finite number, 0 or more");
        assert!(refuse(LinUcb { lambda: -1.0, ..LinUcb::default() }).starts_with("the ridge lambda is -1"));
        assert!(refuse(LinUcb { k: 0, ..LinUcb::default() }).starts_with("the committee size k is 0"));
    }
}
