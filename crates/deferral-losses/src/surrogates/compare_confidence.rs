//! Comparing confidences: who is more likely to be right, by two models that know nothing of each other.

use deferral_core::{CaseWeights, Context, Dataset, FitError, Learner};
use deferral_models::Classifier;
use serde::{Deserialize, Serialize};

use super::networks::NetworkSettings;
use super::one_vs_all::question;
use super::panel::{Panel, known_labels};
use super::per_case::PerCase;
use super::policy::{Beliefs, DeferralPolicy, Method};

/// A classifier, and beside it a network that predicts for each expert whether they are right; the expert decides iff
/// that probability exceeds the classifier's largest (Raghu et al. 2019).
///
/// The network has a logistic output for each expert, trained on the cases that expert decided.
///
/// ```
/// use deferral_core::*;
/// use deferral_losses::surrogates::CompareConfidence;
/// let data = deferral_experts::ThreeClusters { cases: 600 }.generate(&Stream::new(1))?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let policy = CompareConfidence::default().fit(&data, &CaseWeights::uniform(data.n()), &mut ctx)?;
/// // The second case is of the cluster that the first expert knows.
/// let right = policy.expert_correctness(data.cases())?.ok_or("a probability")?;
/// assert!(right.column(1)[0] > 0.9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompareConfidence {
    /// How the classifier is learned; by default a network as [`NetworkSettings::default`].
    pub classifier: Classifier,
    /// The network that predicts who is right, and its training.
    pub network: NetworkSettings,
    /// The only expert to learn about and to defer to, by name; all of them if not given.
    pub expert: Option<String>,
}

impl Default for CompareConfidence {
    fn default() -> Self {
        let network = NetworkSettings::default();
        Self { classifier: network.classifier(), network, expert: None }
    }
}

impl Learner for CompareConfidence {
    type Policy = DeferralPolicy;

    /// # Errors
    /// As [`LearnToDefer`](super::LearnToDefer), and those of the classifier.
    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<DeferralPolicy, FitError> {
        let panel = Panel::of(data, self.expert.as_deref())?;
        let classifier = self.classifier.fit(data, weights, &mut ctx.part("classifier"))?;
        let members = &panel;
        let correctness = self.network.fit(panel.len(), data, weights, &mut ctx.part("correctness"), |data| {
            let (labels, mut right) = (known_labels(data)?, Vec::new());
            Ok(PerCase::new(move |case: usize, scores: &[f64], gradient: &mut [f64]| {
                members.right(data.decisions(), case, labels[case], &mut right);
                correctness_loss(scores, &right, gradient)
            }))
        })?;
        let method = Method::Confidence { classifier: Beliefs::Own(classifier), correctness };
        Ok(DeferralPolicy::new(panel, data.k(), method))
    }
}

/// The logistic losses of the experts who decided, added up.
fn correctness_loss(scores: &[f64], right: &[Option<bool>], gradient: &mut [f64]) -> f64 {
    let mut loss = 0.0;
    for ((slope, &score), right) in gradient.iter_mut().zip(scores).zip(right) {
        let (term, of_term) = right.map_or((0.0, 0.0), |right| question(score, right));
        *slope = of_term;
        loss += term;
    }
    loss
}

#[cfg(test)]
mod tests {
    use super::super::testing::{any_right, gradient_is_right};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        let mut gradient = [0.0; 3];
        let loss = correctness_loss(&[0.0, 0.0, 5.0], &[Some(true), Some(false), None], &mut gradient);
        assert!((loss - 2.0 * 2f64.ln()).abs() < 1e-12);
        assert_eq!(gradient, [-0.5, 0.5, 0.0]);
    }

    proptest! {
        #[test]
        fn gradients_match_central_differences(
            scores in prop::collection::vec(-3.0..3.0f64, 3), right in prop::collection::vec(any_right(), 3),
        ) {
            prop_assert!(gradient_is_right(&|g, slope| correctness_loss(g, &right, slope), &scores));
        }
    }
}
