//! Helpers of tests: gradients against central differences, and random correctness.

use proptest::prelude::*;

/// The loss of these scores, and its gradient left in the second argument.
pub(super) type Loss<'a> = &'a dyn Fn(&[f64], &mut [f64]) -> f64;

/// Whether the gradient of `loss` at `scores` is that of central differences, to 1e-6.
pub(super) fn gradient_is_right(loss: Loss<'_>, scores: &[f64]) -> bool {
    const H: f64 = 1e-5;
    let mut gradient = vec![f64::NAN; scores.len()];
    loss(scores, &mut gradient);
    (0..scores.len()).all(|at| {
        let shifted = |by: f64| {
            let mut moved = scores.to_vec();
            moved[at] += by;
            loss(&moved, &mut vec![0.0; scores.len()])
        };
        let numeric = (shifted(H) - shifted(-H)) / (2.0 * H);
        (numeric - gradient[at]).abs() <= 1e-6 * numeric.abs().max(1.0)
    })
}

/// Whether two slices agree to 1e-6.
pub(super) fn close(found: &[f64], expected: &[f64]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6)
}

/// Right, wrong or not there.
pub(super) fn any_right() -> impl Strategy<Value = Option<bool>> {
    prop_oneof![Just(None), Just(Some(false)), Just(Some(true))]
}
