//! Groups that are known by probability only and count the same.

use deferral_core::{CaseWeights, Context, Dataset, FitError, Learner};
use serde::{Deserialize, Serialize};

use crate::membership::Membership;

/// Any learner, with case weights under which every group has the same expected say although nobody knows for certain
/// who belongs to it: a case counts `sum_g P(g|case) / E[n_g]`, times the weight it had. [`crate::Balanced`] where the
/// membership is certain. The membership is of the training cases, in their order.
///
/// Expected group errors are [`crate::group_errors`] of a [`Membership`], and [`crate::Minimax::fit_among`] makes the
/// worst of them as small as possible. All of them treat the probabilities as calibrated; an error that depends on the
/// true group beyond the probability stays unseen.
///
/// ```
/// use deferral_core::*;
/// use deferral_fairness::{Membership, NoisyBalanced};
/// use deferral_models::Classifier;
/// let n = 60;
/// let features = Features::dense(Columns::from_values(1, (0..n).map(|i| i as f64 / 60.0).collect()))?;
/// let cases = Cases::new(Names::numbered("case", n), features)?
///     .with_labels((0..n).map(|i| Some(Label(u16::from(i > 30)))).collect())?;
/// let data = Dataset::new(cases, Decisions::none(n, 0), Names::numbered("", 2), Names::new())?;
/// // A dialect model is nearly sure of the first ten cases and guesses at the others.
/// let said = (0..n).flat_map(|i| if i < 10 { [0.9, 0.1] } else { [0.2, 0.8] }).collect();
/// let said = Probabilities(Columns::from_values(2, said));
/// let membership = Membership::from_probabilities("dialect", ["AAE", "other"].into_iter().collect(), said)?;
/// let learner = NoisyBalanced { membership, learner: Classifier::default() };
/// let mut silent = Silent;
/// let policy = learner.fit(&data, &CaseWeights::uniform(n), &mut Context::new(Stream::new(1), &mut silent))?;
/// assert_eq!(policy.classify(data.cases())?.n(), n);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoisyBalanced<L> {
    /// Who probably belongs to which group, n columns.
    pub membership: Membership,
    /// What learns.
    pub learner: L,
}

impl<L: Learner> Learner for NoisyBalanced<L> {
    type Policy = L::Policy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<L::Policy, FitError> {
        if weights.n() != data.n() {
            return Err(FitError::Weights { found: weights.n(), expected: data.n() });
        }
        self.learner.fit(data, &self.membership.balance(weights)?, ctx)
    }
}
