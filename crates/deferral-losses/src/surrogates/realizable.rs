//! The realizable surrogate: consistent where some classifier and rejector of the class are right everywhere.

use deferral_models::stable::{log_sum_exp, sigmoid, softplus};

/// `-alpha ln ((e^(g_y) + a e^(g_j)) / sum e^g) - (1 - alpha) ln softmax_K(g)_y` for K class scores and one of the
/// expert.
pub(super) fn loss(alpha: f64, scores: &[f64], label: usize, right: Option<bool>, gradient: &mut [f64]) -> f64 {
    let (classes, expert) = scores.split_at(scores.len() - 1);
    let (own, other) = (classes[label], expert[0]);
    let log_classes = log_sum_exp(classes);
    let log_all = match right {
        Some(_) => log_classes + softplus(other - log_classes),
        None => log_classes,
    };
    let right = right == Some(true);
    // The share of the label in what is rewarded, and the log of all that is.
    let (share, log_rewarded) = if right { (sigmoid(own - other), own + softplus(other - own)) } else { (1.0, own) };
    for (slope, score) in gradient.iter_mut().zip(classes) {
        *slope = alpha * (score - log_all).exp() + (1.0 - alpha) * (score - log_classes).exp();
    }
    gradient[label] -= alpha * share + (1.0 - alpha);
    let expert_share = if log_all > log_classes { (other - log_all).exp() } else { 0.0 };
    gradient[classes.len()] = alpha * (expert_share - (1.0 - share));
    alpha * (log_all - log_rewarded) + (1.0 - alpha) * (log_classes - own)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{any_right, close, gradient_is_right};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        let scores = [1.0, 0.0, 0.5];
        let mut gradient = [0.0; 3];
        assert!(close(&[loss(1.0, &scores, 0, Some(true), &mut gradient)], &[0.206_193]));
        assert!(close(&gradient, &[-0.115_979, 0.186_324, -0.070_345]));
        assert!(close(&[loss(0.5, &scores, 0, Some(true), &mut gradient)], &[0.259_727]));
        assert!(close(&[loss(1.0, &scores, 0, Some(false), &mut gradient)], &[0.680_270]));
        assert!(close(&[loss(1.0, &scores, 0, None, &mut gradient)], &[0.313_262]));
        assert_eq!(gradient[2], 0.0);
    }

    proptest! {
        #[test]
        fn gradients_match_central_differences(
            scores in prop::collection::vec(-3.0..3.0f64, 4),
            right in any_right(),
            label in 0usize..3,
            alpha in 0.0..=1.0f64,
        ) {
            prop_assert!(gradient_is_right(&|g, slope| loss(alpha, g, label, right, slope), &scores));
        }
    }
}
