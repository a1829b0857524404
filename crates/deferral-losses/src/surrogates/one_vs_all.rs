//! The one-vs-all surrogate: a yes-or-no question for every class and every expert.

use deferral_models::stable::{sigmoid, softplus};

/// The logistic loss of score `g` when the answer to its question is `yes`, and its slope.
pub(super) fn question(g: f64, yes: bool) -> (f64, f64) {
    let target = f64::from(u8::from(yes));
    (softplus(if yes { -g } else { g }), sigmoid(g) - target)
}

/// `phi(g_y) + sum_(k != y) phi(-g_k) + sum_j a_j phi(g_j) + (1 - a_j) phi(-g_j)` with `phi(t) = ln(1 + e^-t)`.
pub(super) fn loss(scores: &[f64], label: usize, right: &[Option<bool>], gradient: &mut [f64]) -> f64 {
    let classes = scores.len() - right.len();
    let answers = (0..classes).map(|class| Some(class == label)).chain(right.iter().copied());
    let mut loss = 0.0;
    for ((slope, &score), answer) in gradient.iter_mut().zip(scores).zip(answers) {
        let (term, of_term) = answer.map_or((0.0, 0.0), |yes| question(score, yes));
        *slope = of_term;
        loss += term;
    }
    loss
}

/// What the class scores say of the classes: their sigmoids, normalised.
pub(super) fn beliefs(scores: &[f64], beliefs: &mut [f64]) {
    // The log of a sigmoid keeps apart what the sigmoids of very negative scores do not.
    for (belief, score) in beliefs.iter_mut().zip(scores) {
        *belief = -softplus(-score);
    }
    deferral_models::stable::softmax(beliefs);
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
        assert!(close(&[loss(&scores, 0, &[Some(true)], &mut gradient)], &[1.480_486]));
        assert!(close(&gradient, &[-0.268_941, 0.5, -0.377_541]));
        assert!(close(&[loss(&scores, 0, &[Some(false)], &mut gradient)], &[1.980_486]));
        let mut gradient = [0.0; 4];
        let two = loss(&[1.0, 0.0, 0.5, -0.2], 0, &[Some(true), Some(false)], &mut gradient);
        assert!(close(&[two], &[2.078_625]));
    }

    #[test]
    fn beliefs_are_normalised_sigmoids() {
        let mut found = [0.0; 2];
        beliefs(&[1.0, 0.0], &mut found);
        let (one, two) = (sigmoid(1.0), sigmoid(0.0f64));
        assert!(close(&found, &[one / (one + two), two / (one + two)]));
        beliefs(&[-900.0, -901.0], &mut found);
        assert!(found[0] > found[1]);
    }

    proptest! {
        #[test]
        fn gradients_match_central_differences(
            scores in prop::collection::vec(-3.0..3.0f64, 5),
            right in prop::collection::vec(any_right(), 2),
            label in 0usize..3,
        ) {
            prop_assert!(gradient_is_right(&|g, slope| loss(g, label, &right, slope), &scores));
        }
    }
}
