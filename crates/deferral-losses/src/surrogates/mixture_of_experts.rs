//! The mixture of experts: the expected loss of a gate that draws who decides.

use deferral_core::{CaseWeights, Context, Dataset, FitError, Learner};
use deferral_models::stable::log_sum_exp;
use serde::{Deserialize, Serialize};

use super::networks::NetworkSettings;
use super::panel::{Panel, known_labels};
use super::per_case::PerCase;
use super::policy::{Beliefs, DeferralPolicy, Method};
use super::standing::Ties;

/// A classifier f and a gate pi, trained on `(1 - pi) CE(y, f) + pi 1[m != y]`; the expert decides iff `pi >= 1/2`: the
/// loss of Madras, Pitassi and Zemel 2018 with the 0/1 loss of the expert, as in Mozannar et al. 2023, for K classes.
///
/// With several experts the gate is a softmax over their scores and a 0 for the classifier, and the largest share
/// decides, the expert on ties; that step is ours, and with one expert it is the same. An expert who did not decide a
/// case takes no part in its gate.
///
/// ```
/// use deferral_core::*;
/// use deferral_losses::surrogates::MixtureOfExperts;
/// let data = deferral_experts::ThreeClusters { cases: 600 }.generate(&Stream::new(1))?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let learner = MixtureOfExperts { expert: Some("expert 1".to_owned()), ..MixtureOfExperts::default() };
/// let policy = learner.fit(&data, &CaseWeights::uniform(data.n()), &mut ctx)?;
/// // The second case is of the cluster that the first expert knows.
/// assert_eq!(argmax(policy.weigh(data.cases())?.column(1)), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixtureOfExperts {
    /// The two networks, classifier and gate, and their training.
    pub network: NetworkSettings,
    /// The only expert to learn about and to defer to, by name; all of them if not given.
    pub expert: Option<String>,
}

impl Learner for MixtureOfExperts {
    type Policy = DeferralPolicy;

    /// # Errors
    /// As [`LearnToDefer`](super::LearnToDefer).
    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<DeferralPolicy, FitError> {
        let panel = Panel::of(data, self.expert.as_deref())?;
        data.gold()?;
        let [classifier, gate] = self.network.fit_two([data.k(), panel.len()], data, weights, ctx, |data| {
            let (labels, members, mut right) = (known_labels(data)?, &panel, Vec::new());
            Ok(PerCase::new(move |case: usize, scores: &[f64], gradient: &mut [f64]| {
                members.right(data.decisions(), case, labels[case], &mut right);
                mixture_loss(scores, labels[case].index(), &right, gradient)
            }))
        })?;
        let method = Method::Gate { classifier: Beliefs::Network(classifier), gate, ties: Ties::Expert };
        Ok(DeferralPolicy::new(panel, data.k(), method))
    }
}

/// `L = pi_0 CE(y, f) + sum_j pi_j (1 - a_j)` for K class scores, then gate scores of J experts; the slope of a gate
/// score is `pi_j (1 - a_j - L)`.
fn mixture_loss(scores: &[f64], label: usize, right: &[Option<bool>], gradient: &mut [f64]) -> f64 {
    let (of_classes, gate) = scores.split_at(scores.len() - right.len());
    let (class_slopes, gate_slopes) = gradient.split_at_mut(of_classes.len());
    let log_classes = log_sum_exp(of_classes);
    let top = gate.iter().copied().fold(0.0, f64::max);
    let own = (-top).exp();
    let mut total = own;
    for ((share, score), right) in gate_slopes.iter_mut().zip(gate).zip(right) {
        *share = if right.is_some() { (score - top).exp() } else { 0.0 };
        total += *share;
    }
    let own = own / total;
    let mut loss = own * (log_classes - of_classes[label]);
    let error = |right: &Option<bool>| f64::from(u8::from(*right != Some(true)));
    for (share, right) in gate_slopes.iter_mut().zip(right) {
        *share /= total;
        loss += *share * error(right);
    }
    for (share, right) in gate_slopes.iter_mut().zip(right) {
        *share *= error(right) - loss;
    }
    for (slope, score) in class_slopes.iter_mut().zip(of_classes) {
        *slope = own * (score - log_classes).exp();
    }
    class_slopes[label] -= own;
    loss
}

#[cfg(test)]
mod tests {
    use super::super::testing::{any_right, close, gradient_is_right};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // f_y = .8 and pi = .25.
        let scores = [0.8f64.ln(), 0.2f64.ln(), (1.0f64 / 3.0).ln()];
        let cross_entropy = -(0.8f64.ln());
        let mut gradient = [0.0; 3];
        assert!(close(&[mixture_loss(&scores, 0, &[Some(true)], &mut gradient)], &[0.75 * cross_entropy]));
        assert!(close(&gradient, &[-0.75 * 0.2, 0.75 * 0.2, -0.25 * 0.75 * cross_entropy]));
        let wrong = mixture_loss(&scores, 0, &[Some(false)], &mut gradient);
        assert!(close(&[wrong], &[0.75 * cross_entropy + 0.25]));
        assert!(close(&[gradient[2]], &[0.25 * 0.75 * (1.0 - cross_entropy)]));
    }

    proptest! {
        #[test]
        fn gradients_match_central_differences(
            scores in prop::collection::vec(-3.0..3.0f64, 6),
            right in prop::collection::vec(any_right(), 3),
            label in 0usize..3,
        ) {
            prop_assert!(gradient_is_right(&|g, slope| mixture_loss(g, label, &right, slope), &scores));
        }
    }
}
