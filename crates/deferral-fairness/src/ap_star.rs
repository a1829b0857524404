//! The worst group as good as it can be, with one policy instead of a mixture.

use deferral_core::{CaseWeights, Cases, Context, Dataset, Event, FitError, FitStatus, Learner, ParameterError};
use serde::{Deserialize, Serialize};

use crate::group_errors::ErrorKind;
use crate::measured_on::{RisksOn, Sides};
use crate::membership::Membership;

/// How a group weight becomes a case weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApStarWeighting {
    /// `mu_g / n_g`: the weighted sum of group risks that the paper minimises.
    #[default]
    PerGroup,
    /// `mu_g`, as the released code has it: risks count by the sizes of the groups too.
    PerCase,
}

/// Minimax Pareto fairness by adaptive projection around any learner (Martinez, Bertran and Sapiro 2020, algorithm `APStar`).
///
/// Each iteration fits the learner with group weights, measures the risk of each group on other cases, and moves the
/// weights towards the groups whose risk is not below the best worst risk so far. The policy with the smallest worst
/// risk is returned; nothing is mixed. It costs up to `iterations` fits, and a decision costs one policy. Several
/// attributes are crossed. Released variants for deep networks also round risks and warm-start; this does not.
///
/// ```
/// use deferral_core::*;
/// use deferral_fairness::ApStar;
/// use deferral_models::Classifier;
/// let n = 120;
/// let small = |i: usize| i % 4 == 0;
/// let x = |i: usize| (i * 7 % 10) as f64 - 4.5;
/// let features = Features::dense(Columns::from_values(1, (0..n).map(x).collect()))?;
/// let cases = Cases::new(Names::numbered("case", n), features)?
///     .with_group(GroupAttribute::from_values("region", (0..n).map(|i| if small(i) { "north" } else { "south" })))?
///     .with_labels((0..n).map(|i| Some(Label(u16::from((x(i) > 0.0) != small(i))))).collect())?;
/// let data = Dataset::new(cases, Decisions::none(n, 0), Names::numbered("", 2), Names::new())?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let learner = ApStar { iterations: 20, ..ApStar::by("region", Classifier::default()) };
/// let policy = learner.fit(&data, &CaseWeights::uniform(n), &mut ctx)?;
/// assert_eq!(policy.classes(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApStar<L> {
    /// The group attributes, at least one; several are crossed.
    pub attributes: Vec<String>,
    /// How a group weight becomes a case weight.
    pub weighting: ApStarWeighting,
    /// What counts as risk; log loss by default.
    pub error: ErrorKind,
    /// `alpha`, how far weights move at first, in (0, 1); 0.5 by default.
    pub alpha: f64,
    /// `K_min`, the most failures that are remembered after a success, 1 or more; 20 by default.
    pub k_min: usize,
    /// Failures in a row after which to stop, 1 or more; 20 by default, 200 in the source's logistic driver.
    pub patience: usize,
    /// Fits at most, 1 or more; 100 by default.
    pub iterations: usize,
    /// Where risks are measured; on a held-out fifth by default.
    pub risks: RisksOn,
    /// What learns.
    pub learner: L,
}

impl<L> ApStar<L> {
    /// The worst group of `attribute` as good as `learner` can make it.
    pub fn by(attribute: impl Into<String>, learner: L) -> Self {
        Self {
            attributes: vec![attribute.into()],
            weighting: ApStarWeighting::PerGroup,
            error: ErrorKind::LogLoss,
            alpha: 0.5,
            k_min: 20,
            patience: 20,
            iterations: 100,
            risks: RisksOn::HeldOut { share: 0.2 },
            learner,
        }
    }

    fn check(&self) -> Result<(), ParameterError> {
        ApStarUpdate::new(1, self.alpha, self.k_min)?;
        ParameterError::check(self.patience >= 1, "the patience", self.patience, "1 or more")?;
        ParameterError::check(self.iterations >= 1, "the number of iterations", self.iterations, "1 or more")
    }
}

impl<L: Learner> Learner for ApStar<L> {
    type Policy = L::Policy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<L::Policy, FitError> {
        self.check()?;
        let groups = [Membership::crossed(data.cases(), &self.attributes)?];
        let others = |cases: &Cases| Ok(Some(vec![Membership::crossed(cases, &self.attributes)?]));
        let sides = Sides::new(self.error, self.risks, data, weights, &groups, others, ctx)?;
        let (groups, mass) = (&sides.fit.groups[0], sides.mass());
        let sizes = groups.masses(&mass);
        let mut update = ApStarUpdate::new(sizes.len(), self.alpha, self.k_min)?;
        let (mut best, mut failures, mut status) = (None, 0, FitStatus::StepLimit);
        for iteration in 1..=self.iterations {
            let group_weights: Vec<f64> = match self.weighting {
                ApStarWeighting::PerGroup => update.weights().to_vec(),
                ApStarWeighting::PerCase => update.weights().iter().zip(&sizes).map(|(w, n)| w * n).collect(),
            };
            let case_weights = CaseWeights::new(groups.spread(&group_weights, &mass))?;
            let policy =
                self.learner.fit(&sides.fit.data, &case_weights, &mut ctx.part(&format!("iteration {iteration}")))?;
            let risks = sides.measure(&policy)?.of_group.concat();
            let worst = risks.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            ctx.report(&Event::Step { step: iteration, of: self.iterations, loss: worst })?;
            if update.step(&risks) || best.is_none() {
                (best, failures) = (Some(policy), 0);
            } else {
                failures += 1;
            }
            if failures >= self.patience {
                status = FitStatus::Converged;
                break;
            }
        }
        ctx.report(&Event::Finished(status))?;
        best.ok_or(FitError::NoCases)
    }
}

/// How group weights answer to group risks: pulled towards the groups that are not better than the best worst risk so
/// far, the less so the longer there was no progress.
///
/// ```
/// use deferral_fairness::ApStarUpdate;
/// let mut update = ApStarUpdate::new(2, 0.5, 20)?;
/// assert!(update.step(&[0.2, 0.4]));
/// assert_eq!(update.weights(), [0.25, 0.75]);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ApStarUpdate {
    weights: Vec<f64>,
    best: f64,
    k: usize,
    k_min: usize,
    alpha: f64,
}

impl ApStarUpdate {
    /// Starts from equal weights for `groups` groups.
    ///
    /// # Errors
    /// If `alpha` is not in (0, 1) or `k_min` is 0.
    pub fn new(groups: usize, alpha: f64, k_min: usize) -> Result<Self, ParameterError> {
        ParameterError::check(alpha > 0.0 && alpha < 1.0, "alpha of APStar", alpha, "above 0 and below 1")?;
        ParameterError::check(k_min >= 1, "K_min of APStar", k_min, "1 or more")?;
        Ok(Self { weights: vec![1.0 / groups as f64; groups], best: f64::INFINITY, k: 1, k_min, alpha })
    }

    /// Moves the weights; says whether the worst risk is the smallest so far.
    pub fn step(&mut self, risks: &[f64]) -> bool {
        let worst = risks.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let better = worst < self.best;
        if better {
            self.best = worst;
            self.k = self.k.min(self.k_min);
        } else {
            self.k += 1;
        }
        let high = risks.iter().filter(|risk| **risk >= self.best).count().max(1) as f64;
        let pull = self.alpha / self.k as f64 / high;
        for (weight, risk) in self.weights.iter_mut().zip(risks) {
            *weight = (1.0 - self.alpha) * *weight + if *risk >= self.best { pull } else { 0.0 };
        }
        let total: f64 = self.weights.iter().sum();
        for weight in &mut self.weights {
            *weight /= total;
        }
        better
    }

    /// The weights; they sum to 1.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_steps_by_hand() {
        let mut update = ApStarUpdate::new(2, 0.5, 20).unwrap();
        let steps = [
            ([0.2, 0.4], true, [0.25, 0.75]),
            ([0.35, 0.30], true, [0.625, 0.375]),
            ([0.25, 0.45], false, [0.416_667, 0.583_333]),
        ];
        for (risks, better, expected) in steps {
            assert_eq!(update.step(&risks), better);
            for (weight, expected) in update.weights().iter().zip(expected) {
                assert!((weight - expected).abs() < 1e-6, "{update:?}");
            }
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        let message = |alpha, k_min| ApStarUpdate::new(2, alpha, k_min).unwrap_err().to_string();
        assert_eq!(message(1.0, 20), "alpha of APStar is 1, but must be above 0 and below 1");
        assert_eq!(message(f64::NAN, 20), "alpha of APStar is NaN, but must be above 0 and below 1");
        assert_eq!(message(0.5, 0), "K_min of APStar is 0, but must be 1 or more");
    }
}
