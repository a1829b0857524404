//! Teams of experts: a classifier and a gate over it and the people, trained end to end.

use deferral_core::{CaseWeights, Context, Dataset, FitError, Learner};
use deferral_models::stable::log_sum_exp;
use serde::{Deserialize, Serialize};

use super::networks::NetworkSettings;
use super::panel::{Panel, known_labels};
use super::per_case::PerCase;
use super::policy::{Beliefs, DeferralPolicy, Method};
use super::standing::Ties;

/// A classifier f and a softmax gate w over experts and classifier, trained on `-ln (w_0 f_y + sum_j w_j a_j)`; the
/// largest gate weight decides, the classifier on ties (Hemmer et al. 2022).
///
/// In the paper the classifier stands first; here last. An expert who did not decide a case takes no part in its gate.
///
/// ```
/// use deferral_core::*;
/// use deferral_losses::surrogates::TeamOfExperts;
/// let data = deferral_experts::ThreeClusters { cases: 600 }.generate(&Stream::new(1))?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let policy = TeamOfExperts::default().fit(&data, &CaseWeights::uniform(data.n()), &mut ctx)?;
/// // The second case is of the cluster that the first expert knows.
/// assert_eq!(argmax(policy.weigh(data.cases())?.column(1)), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TeamOfExperts {
    /// The two networks, classifier and gate, and their training.
    pub network: NetworkSettings,
    /// The only expert to learn about and to defer to, by name; all of them if not given.
    pub expert: Option<String>,
}

impl Learner for TeamOfExperts {
    type Policy = DeferralPolicy;

    /// # Errors
    /// As [`LearnToDefer`](super::LearnToDefer).
    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<DeferralPolicy, FitError> {
        let panel = Panel::of(data, self.expert.as_deref())?;
        data.gold()?;
        let outputs = [data.k(), panel.len() + 1];
        let [classifier, gate] = self.network.fit_two(outputs, data, weights, ctx, |data| {
            let (labels, members, mut right) = (known_labels(data)?, &panel, Vec::new());
            Ok(PerCase::new(move |case: usize, scores: &[f64], gradient: &mut [f64]| {
                members.right(data.decisions(), case, labels[case], &mut right);
                team_loss(scores, labels[case].index(), &right, gradient)
            }))
        })?;
        let method = Method::Gate { classifier: Beliefs::Network(classifier), gate, ties: Ties::Classifier };
        Ok(DeferralPolicy::new(panel, data.k(), method))
    }
}

/// `-ln P_y` for K class scores, then gate scores of J experts and of the classifier; its gradient is written to
/// `gradient`. With `rho_j = w_j v_j / P_y`, the share of member j in `P_y`, the slopes are `w_j - rho_j` at the gate and
/// `rho_0 (f_k - 1[k = y])` at the classes.
fn team_loss(scores: &[f64], label: usize, right: &[Option<bool>], gradient: &mut [f64]) -> f64 {
    let classes = scores.len() - right.len() - 1;
    let (of_classes, gate) = scores.split_at(classes);
    let (class_slopes, gate_slopes) = gradient.split_at_mut(classes);
    let log_classes = log_sum_exp(of_classes);
    let present = |place: usize| right.get(place).is_none_or(Option::is_some);
    // The gate of those who are there, and of those among them who are right.
    for (place, (slope, score)) in gate_slopes.iter_mut().zip(gate).enumerate() {
        *slope = if present(place) { *score } else { f64::NEG_INFINITY };
    }
    let log_gate = log_sum_exp(gate_slopes);
    for (place, slope) in gate_slopes.iter_mut().enumerate() {
        *slope = match right.get(place) {
            None => *slope + of_classes[label] - log_classes,
            Some(Some(true)) => *slope,
            Some(_) => f64::NEG_INFINITY,
        };
    }
    let log_right = log_sum_exp(gate_slopes);
    let own = (gate_slopes[right.len()] - log_right).exp();
    for (place, (slope, score)) in gate_slopes.iter_mut().zip(gate).enumerate() {
        let weight = if present(place) { (score - log_gate).exp() } else { 0.0 };
        *slope = weight - (*slope - log_right).exp();
    }
    for (slope, score) in class_slopes.iter_mut().zip(of_classes) {
        *slope = own * (score - log_classes).exp();
    }
    class_slopes[label] -= own;
    log_gate - log_right
}

#[cfg(test)]
mod tests {
    use super::super::testing::{any_right, close, gradient_is_right};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // f = (.6, .4), gate .3 and .2 for the experts and .5 for the classifier; the first expert is right.
        let scores = [0.6f64, 0.4, 0.3, 0.2, 0.5].map(f64::ln);
        let mut gradient = [0.0; 5];
        assert!(close(&[team_loss(&scores, 0, &[Some(true), Some(false)], &mut gradient)], &[0.510_826]));
        assert!(close(&gradient[2..], &[-0.2, 0.2, 0.0]));
        // d P_y / d f_y = .5, so the slope in f_y is -.5 / .6, and f_y (1 - f_y) = .24.
        assert!(close(&gradient[..2], &[-0.5 / 0.6 * 0.24, 0.5 / 0.6 * 0.24]));
    }

    #[test]
    fn a_hopeless_case_stays_finite() {
        let mut gradient = [f64::NAN; 4];
        let loss = team_loss(&[-900.0, 900.0, 0.0, -900.0], 0, &[Some(false)], &mut gradient);
        assert!(loss.is_finite() && gradient.iter().all(|slope| slope.is_finite()));
    }

    proptest! {
        #[test]
        fn gradients_match_central_differences(
            scores in prop::collection::vec(-3.0..3.0f64, 7),
            right in prop::collection::vec(any_right(), 3),
            label in 0usize..3,
        ) {
            prop_assert!(gradient_is_right(&|g, slope| team_loss(g, label, &right, slope), &scores));
        }
    }
}
