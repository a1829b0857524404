//! Thompson sampling: every worker is believed as a draw from what may be true of them says.

use deferral_core::{
    Allocator, CaseView, Committee, ExpertId, Label, Newcomer, ParameterError, Question, Selection, Vote,
};
use rand::Rng;
use rand_distr::{Beta, Distribution, Normal};
use serde::{Deserialize, Serialize};

use super::arms::{Arm, Arms};
use super::choice::{known, top};
use super::linear::LinearArms;
use super::method::{Online, OnlineMethod, Setting, Skills};
use crate::seats;

/// Asks the k available experts with the largest draws from `Beta(1 + s_j, 1 + f_j)`, for s rewards and f failures: the
/// posterior of their accuracy under a uniform prior (Thompson 1933; Chapelle and Li 2011, algorithm 2). k distinct
/// arms with a reward each are the usual semi-bandit form. In a vote and in the policy an expert weighs the mean of the
/// posterior.
///
/// **Propensities.** The probability that an expert has one of the k largest draws has no closed form. With `draws` =
/// 0 (the default) propensities are written as 1, which means "not known" and is useless for weighing by the inverse.
/// With `draws` = R all experts are drawn R times more, and the propensity is the share of the R + 1 draws in which
/// that expert was among the best k: a Monte-Carlo estimate, never 0, too large by up to 1/(R + 1), at R times the
/// cost. It is the probability of the expert in the whole committee, not in one seat. O(m log m) a choice, O(1) a
/// vote.
///
/// ```
/// use deferral_core::{Allocator, CaseId, CaseView, ExpertId, Label, Stream, Vote};
/// use deferral_crowd::online::{Online, OnlineMethod, Setting, Thompson};
/// let mut state = Thompson { draws: 99, ..Default::default() }.start(&Setting::new(2))?;
/// let case = CaseView { case: CaseId(0), features: &[], group: None };
/// for _ in 0..50 {
///     state.reward(case, &[Vote { expert: ExpertId(1), label: Label(1) }], Label(1), 1.0);
/// }
/// let asked = state.allocate(case, &[ExpertId(0), ExpertId(1)], &mut Stream::new(1).at(0));
/// assert!(asked[0].expert == ExpertId(1) && asked[0].propensity > 0.8);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thompson {
    /// Experts to ask about a case; fewer if fewer are available.
    pub k: usize,
    /// Further draws from which propensities are estimated; 0: they are not.
    pub draws: usize,
}

impl Default for Thompson {
    /// One expert, propensities not estimated.
    fn default() -> Self {
        Self { k: 1, draws: 0 }
    }
}

/// [`Thompson`] in the middle of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThompsonState {
    method: Thompson,
    arms: Arms,
}

impl ThompsonState {
    /// The records of the workers.
    pub fn arms(&self) -> &Arms {
        &self.arms
    }

    fn beliefs(&self, available: &[ExpertId]) -> Vec<(ExpertId, Beta<f64>)> {
        // Counts are never negative, so there is a Beta for everybody.
        let posterior = |arm: &Arm| Beta::new(1.0 + arm.rewards, 1.0 + (arm.pulls - arm.rewards).max(0.0)).ok();
        let belief = |worker| Some((worker, posterior(self.arms.of(worker)?)?));
        known(available, self.arms.len()).filter_map(belief).collect()
    }
}

impl OnlineMethod for Thompson {
    type State = ThompsonState;

    fn start(&self, setting: &Setting) -> Result<ThompsonState, ParameterError> {
        ParameterError::check(self.k > 0, "the committee size k", self.k, "1 or more")?;
        Ok(ThompsonState { method: *self, arms: Arms::new(setting.workers) })
    }

    fn committee(&self) -> Committee {
        Committee { select: Selection::Top { k: self.k }, ..Committee::default() }
    }
}

impl Online for ThompsonState {
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

impl Allocator for ThompsonState {
    fn allocate(&mut self, _: CaseView<'_>, available: &[ExpertId], random: &mut dyn Rng) -> Vec<Question> {
        top_draws(self.method.k, self.method.draws, &self.beliefs(available), random)
    }

    fn learn(&mut self, case: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        self.listen(case, votes)
    }

    /// The mean of 200 committees that are drawn for this case alone and always in the same way: each share has a
    /// standard error of .035 at most, and one that is below half a percent may be 0.
    fn shares(&self, case: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
        let beliefs = self.beliefs(available);
        let seats = seats::imagined(case, |random| top_draws(self.method.k, 0, &beliefs, random));
        seats::shares(available, self.arms.len(), seats)
    }

    /// A uniform prior, as everybody had. The similarity and the price are not looked at.
    fn join(&mut self, _: Newcomer<'_>) {
        self.arms.join();
    }
}

/// As [`Thompson`], but the reward depends on the case: expert j has a ridge regression of the reward on x, and is
/// believed as `theta . x` with `theta` drawn from `N(A_j^-1 b_j, v^2 A_j^-1)` (Agrawal and Goyal 2013, algorithm 1,
/// with parameters of each expert's own).
///
/// Only `theta . x` matters, which is itself normal with mean `x' A_j^-1 b_j` and variance `v^2 x' A_j^-1 x`, so this
/// one number is drawn instead of d: the choices have the same distribution, without a Cholesky factor, in O(m d^2)
/// instead of O(m d^3). In a vote and in the policy an expert weighs `A_j^-1 b_j . x`, cut to [0, 1]. The constant
/// beside the features is a choice made here, as in [`LinUcb`](super::LinUcb); propensities are those of
/// [`Thompson`]. O(d^2) a vote, O(m d^2) memory.
///
/// ```
/// use deferral_core::{Allocator, CaseId, CaseView, ExpertId, Stream};
/// use deferral_crowd::online::{LinearThompson, OnlineMethod, Setting};
/// let mut state = LinearThompson::default().start(&Setting { features: 3, ..Setting::new(5) })?;
/// let case = CaseView { case: CaseId(0), features: &[1.0, 0.0, 2.0], group: None };
/// assert_eq!(state.allocate(case, &[ExpertId(2), ExpertId(4)], &mut Stream::new(1).at(0)).len(), 1);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinearThompson {
    /// The standard deviation v of the noise, 0 or more: larger explores more.
    pub v: f64,
    /// The ridge lambda, at least 1e-12: larger makes the regressions slower to believe.
    pub lambda: f64,
    /// Whether a constant 1 stands beside the features.
    pub intercept: bool,
    /// Experts to ask about a case; fewer if fewer are available.
    pub k: usize,
    /// Further draws from which propensities are estimated; 0: they are not.
    pub draws: usize,
}

impl Default for LinearThompson {
    /// v = 0.3, lambda 1, an intercept, one expert, propensities not estimated.
    fn default() -> Self {
        Self { v: 0.3, lambda: 1.0, intercept: true, k: 1, draws: 0 }
    }
}

/// [`LinearThompson`] in the middle of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearThompsonState {
    method: LinearThompson,
    arms: LinearArms,
}

impl LinearThompsonState {
    /// The regressions of the workers.
    pub fn arms(&self) -> &LinearArms {
        &self.arms
    }

    /// What is believed of the reward of a worker, if they are known, on what [`LinearArms::x`] makes of a case: mean
    /// and standard deviation.
    pub fn belief(&self, worker: ExpertId, x: &[f64]) -> Option<(f64, f64)> {
        let (mean, variance) = self.arms.of(worker)?.predict(x);
        Some((mean, self.method.v * variance.sqrt()))
    }

    fn beliefs(&self, case: CaseView<'_>, available: &[ExpertId]) -> Vec<(ExpertId, Normal<f64>)> {
        let x = self.arms.x(case.features);
        let belief = |worker| self.belief(worker, &x).and_then(|(mean, sd)| Normal::new(mean, sd).ok());
        known(available, self.arms.len()).filter_map(|worker| Some((worker, belief(worker)?))).collect()
    }
}

impl OnlineMethod for LinearThompson {
    type State = LinearThompsonState;

    fn start(&self, setting: &Setting) -> Result<LinearThompsonState, ParameterError> {
        ParameterError::check(self.k > 0, "the committee size k", self.k, "1 or more")?;
        let ok = self.v.is_finite() && self.v >= 0.0;
        ParameterError::check(ok, "the standard deviation v", self.v, "a finite number, 0 or more")?;
        let arms = LinearArms::new(setting.workers, setting.features, self.intercept, self.lambda)?;
        Ok(LinearThompsonState { method: *self, arms })
    }

    fn committee(&self) -> Committee {
        Committee { select: Selection::Top { k: self.k }, ..Committee::default() }
    }

    fn needs_features(&self) -> bool {
        true
    }
}

impl Online for LinearThompsonState {
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

impl Allocator for LinearThompsonState {
    fn allocate(&mut self, case: CaseView<'_>, available: &[ExpertId], random: &mut dyn Rng) -> Vec<Question> {
        top_draws(self.method.k, self.method.draws, &self.beliefs(case, available), random)
    }

    fn learn(&mut self, case: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        self.listen(case, votes)
    }

    /// The mean of 200 committees, as for [`Thompson`].
    fn shares(&self, case: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
        let beliefs = self.beliefs(case, available);
        let seats = seats::imagined(case, |random| top_draws(self.method.k, 0, &beliefs, random));
        seats::shares(available, self.arms.len(), seats)
    }

    /// A regression of nothing. The similarity and the price are not looked at.
    fn join(&mut self, _: Newcomer<'_>) {
        self.arms.join(self.method.lambda);
    }
}

/// The k experts with the largest draws; their propensities from `draws` more rounds of drawing.
fn top_draws<D: Distribution<f64>>(
    k: usize,
    draws: usize,
    beliefs: &[(ExpertId, D)],
    random: &mut dyn Rng,
) -> Vec<Question> {
    let mut once = || top(k, beliefs.iter().map(|(worker, belief)| (*worker, belief.sample(random))));
    let mut chosen = once();
    if draws == 0 {
        return chosen;
    }
    let mut hits = vec![1usize; chosen.len()];
    for _ in 0..draws {
        let again = once();
        for (hit, question) in hits.iter_mut().zip(&chosen) {
            *hit += usize::from(again.iter().any(|other| other.expert == question.expert));
        }
    }
    for (question, hit) in chosen.iter_mut().zip(hits) {
        question.propensity = hit as f64 / (draws + 1) as f64;
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::super::tests::{case, ids, on, votes};
    use super::*;
    use deferral_core::Stream;
    use nalgebra::{Cholesky, DMatrix, DVector};
    use rand_distr::StandardNormal;

    /// How often expert 1 of two is chosen.
    fn frequency(state: &mut dyn Allocator, case: CaseView<'_>, n: usize) -> f64 {
        let stream = Stream::new(9);
        let chosen = |i: usize| state.allocate(case, &ids(&[0, 1]), &mut stream.at(i))[0].expert.index();
        (0..n).map(chosen).sum::<usize>() as f64 / n as f64
    }

    #[test]
    fn choices_have_the_probability_of_the_larger_beta() {
        let mut state = Thompson::default().start(&Setting::new(2)).unwrap();
        state.reward(case(0), &votes(&[(0, 0), (1, 1)]), Label(1), 1.0);
        state.reward(case(0), &votes(&[(0, 1)]), Label(1), 1.0);
        // P(Beta(2, 1) > Beta(2, 2)) = int (1 - x^2) 6 x (1 - x) dx = 1 - 6 (1/4 - 1/5) = 0.7.
        assert!((frequency(&mut state, case(0), 20_000) - 0.7).abs() < 0.01);
        assert_eq!(state.skills(), Skills::Everywhere(vec![0.5, 2.0 / 3.0]));
    }

    #[test]
    fn propensities_are_estimated_when_asked_for() {
        let draws = |draws| {
            let mut state = Thompson { k: 1, draws }.start(&Setting::new(2)).unwrap();
            state.reward(case(0), &votes(&[(0, 0), (1, 1)]), Label(1), 1.0);
            state.reward(case(0), &votes(&[(0, 1)]), Label(1), 1.0);
            state.allocate(case(0), &ids(&[0, 1]), &mut Stream::new(3).at(0))[0]
        };
        let (plain, estimated) = (draws(0), draws(9_999));
        // The further draws do not change the choice.
        assert_eq!((plain.expert, plain.propensity), (estimated.expert, 1.0));
        let expected = [0.3, 0.7][estimated.expert.index()];
        assert!((estimated.propensity - expected).abs() < 0.02, "{estimated:?}");
        let mut both = Thompson { k: 2, draws: 9 }.start(&Setting::new(2)).unwrap();
        assert!(both.allocate(case(0), &ids(&[0, 1]), &mut Stream::new(3).at(0)).iter().all(|q| q.propensity == 1.0));
    }

    #[test]
    fn one_normal_number_chooses_as_a_draw_of_all_coefficients_does() {
        let method = LinearThompson { v: 0.8, ..LinearThompson::default() };
        let mut state = method.start(&Setting { features: 2, ..Setting::new(2) }).unwrap();
        for (i, x) in [[1.0, 0.5], [-0.5, 2.0], [0.3, -1.0], [1.5, 1.0]].iter().enumerate() {
            state.reward(on(x), &votes(&[(0, u16::from(i % 2 == 0)), (1, 1)]), Label(1), 1.0);
        }
        state.reward(on(&[2.0, 0.1]), &votes(&[(1, 0)]), Label(1), 1.0);
        let case = on(&[0.7, -0.4]);
        let x = DVector::from_vec(state.arms().x(case.features));
        let posteriors: Vec<_> = [0, 1]
            .map(|worker| {
                let arm = state.arms().of(ExpertId(worker)).unwrap();
                let factor = Cholesky::new(DMatrix::from_row_slice(3, 3, &arm.inverse())).unwrap().unpack();
                (DVector::from_vec(arm.coefficients()), factor)
            })
            .into();
        let n = 20_000;
        let mut random = Stream::new(4).random();
        let mut wins = 0;
        for _ in 0..n {
            let rewards: Vec<f64> = posteriors
                .iter()
                .map(|(theta, factor)| {
                    let z = DVector::from_fn(3, |_, _| StandardNormal.sample(&mut random));
                    (theta + 0.8 * factor * z).dot(&x)
                })
                .collect();
            wins += usize::from(rewards[1] > rewards[0]);
        }
        let expected = wins as f64 / n as f64;
        assert!((0.1..0.9).contains(&expected), "{expected}");
        assert!((frequency(&mut state, case, n) - expected).abs() < 0.015, "{expected}");
    }

    #[test]
    fn parameters_are_checked() {
        let message = Thompson { k: 0, draws: 0 }.start(&Setting::new(2)).unwrap_err().to_string();
        assert_eq!(message, "the committee size k is 0, but must be 1 or more");
        let linear = LinearThompson { v: -0.1, ..LinearThompson::default() };
        let message = linear.start(&Setting { features: 2, ..Setting::new(2) }).unwrap_err().to_string();
        assert_eq!(message, "the standard deviation v is -0.1, but must be a finite number, 0 or more");
    }
}
