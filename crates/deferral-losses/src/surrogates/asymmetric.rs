//! The asymmetric softmax: class probabilities and the probability that the expert is right from one set of scores.

use deferral_core::argmax;
use deferral_models::stable::{sigmoid, softmax};

use super::one_vs_all::question;
use super::softmax::rewarded;

/// `-ln softmax_K(g)_y - a ln psi - (1 - a) ln (1 - psi)` for K class scores and one of the expert.
pub(super) fn loss(scores: &[f64], label: usize, right: Option<bool>, gradient: &mut [f64]) -> f64 {
    let (classes, _) = scores.split_at(scores.len() - 1);
    let (of_classes, of_expert) = gradient.split_at_mut(classes.len());
    of_expert[0] = 0.0;
    let Some(right) = right else { return class_loss(classes, label, of_classes) };
    let best = argmax(classes);
    let (term, slope) = question(logit(scores), right);
    of_expert[0] = slope;
    let loss = term + class_loss(classes, label, of_classes);
    let others = log_others(classes, best);
    for (class, of_class) in of_classes.iter_mut().enumerate().filter(|(class, _)| *class != best) {
        *of_class -= slope * (classes[class] - others).exp();
    }
    loss
}

/// `psi`, the probability that the expert is right.
pub(super) fn psi(scores: &[f64]) -> f64 {
    sigmoid(logit(scores))
}

/// What the class scores say of the classes.
pub(super) fn beliefs(scores: &[f64], beliefs: &mut [f64]) {
    beliefs.copy_from_slice(scores);
    softmax(beliefs);
}

/// The expert's score less the log of the total of all classes but the best.
fn logit(scores: &[f64]) -> f64 {
    let (classes, expert) = scores.split_at(scores.len() - 1);
    expert[0] - log_others(classes, argmax(classes))
}

fn log_others(classes: &[f64], best: usize) -> f64 {
    let others = || classes.iter().enumerate().filter(|(k, _)| *k != best).map(|(_, g)| *g);
    let max = others().fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY { max } else { max + others().map(|g| (g - max).exp()).sum::<f64>().ln() }
}

fn class_loss(classes: &[f64], label: usize, gradient: &mut [f64]) -> f64 {
    gradient.fill(0.0);
    gradient[label] = 1.0;
    rewarded(classes, gradient)
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
        assert!(close(&[loss(&scores, 0, Some(true), &mut gradient)], &[0.787_339]));
        assert!(close(&[loss(&scores, 0, Some(false), &mut gradient)], &[1.287_339]));
        assert!(close(&[psi(&scores)], &[sigmoid(0.5)]));
        // Without the expert it is the classifier's own loss.
        assert!(close(&[loss(&scores, 0, None, &mut gradient)], &[0.313_262]));
        assert_eq!(gradient[2], 0.0);
    }

    proptest! {
        #[test]
        fn gradients_match_central_differences(
            scores in prop::collection::vec(-3.0..3.0f64, 4), right in any_right(), label in 0usize..3,
        ) {
            // The best class is a constant of the loss, so it must not change within the difference.
            let mut sorted = scores[..3].to_vec();
            sorted.sort_by(f64::total_cmp);
            prop_assume!(sorted[2] - sorted[1] > 1e-3);
            prop_assert!(gradient_is_right(&|g, slope| loss(g, label, right, slope), &scores));
        }
    }
}
