//! The softmax surrogate: the multi-class cross-entropy with one more class for each expert.

use deferral_core::ParameterError;
use deferral_models::stable::log_sum_exp;

/// Marks a position that takes no part in [`rewarded`].
pub(super) const CLOSED: f64 = f64::NEG_INFINITY;

/// `-sum_i w_i ln p_i` with p the softmax over the positions that are not [`CLOSED`]. On entry `gradient` holds the
/// rewards `w_i`, 0 or more, on exit the gradient `W p_i - w_i` with `W = sum w`; it is 0 where closed.
pub(super) fn rewarded(scores: &[f64], gradient: &mut [f64]) -> f64 {
    let open = |reward: f64| reward > CLOSED;
    let max = scores.iter().zip(gradient.iter()).filter(|(_, w)| open(**w)).map(|(g, _)| *g).fold(CLOSED, f64::max);
    let (mut total, mut mass) = (0.0, 0.0);
    for (score, &reward) in scores.iter().zip(gradient.iter()).filter(|(_, w)| open(**w)) {
        total += (score - max).exp();
        mass += reward;
    }
    let log_total = max + total.ln();
    let mut loss = 0.0;
    for (slope, score) in gradient.iter_mut().zip(scores) {
        let reward = *slope;
        if !open(reward) {
            *slope = 0.0;
            continue;
        }
        loss += reward * (log_total - score);
        *slope = mass * (score - log_total).exp() - reward;
    }
    loss
}

/// `-w ln p_y - sum_j a_j ln p_j`: scores of K classes, then one of each expert. The label counts `alpha` if any
/// expert is right (for one expert that is Mozannar and Sontag's `w = alpha a + 1 - a`; the step to several is ours),
/// else 1.
pub(super) fn loss(alpha: f64, scores: &[f64], label: usize, right: &[Option<bool>], gradient: &mut [f64]) -> f64 {
    let (classes, experts) = gradient.split_at_mut(scores.len() - right.len());
    classes.fill(0.0);
    classes[label] = if right.contains(&Some(true)) { alpha } else { 1.0 };
    for (reward, right) in experts.iter_mut().zip(right) {
        *reward = right.map_or(CLOSED, |right| f64::from(u8::from(right)));
    }
    rewarded(scores, gradient)
}

/// The probability that each expert is right, given that the scores minimise the softmax surrogate: with several
/// experts and `alpha = 1`, `p_j` over the classes' total share (Verma and Nalisnick 2022); with one,
/// `r / (1 + (1 - alpha) r)` of that ratio r for any alpha (solving the same condition). Cut off at 1, which the ratio may
/// exceed.
pub(super) fn correctness(alpha: f64, scores: &[f64], classes: usize, right: &mut [f64]) {
    let log_classes = log_sum_exp(&scores[..classes]);
    for (right, score) in right.iter_mut().zip(&scores[classes..]) {
        // r / (1 + (1 - alpha) r), written such that a huge r does no harm.
        *right = (1.0 / ((log_classes - score).exp() + (1.0 - alpha))).min(1.0);
    }
}

/// The cost-sensitive surrogate for any number of choices (Mozannar and Sontag 2020): `-sum_i w_i ln p_i` with
/// `w_i = max_l c_l - c_i`, for classes, experts, or both. Writes the gradient and returns the loss. O(choices).
///
/// With cost 1 for a wrong class and `1 - a` for asking it is [`Surrogate::Softmax`](super::Surrogate::Softmax) with
/// `alpha = 1`.
///
/// # Errors
/// If scores, costs and gradient are not of the same number, or a cost is not finite.
///
/// ```
/// use deferral_losses::surrogates::cost_sensitive;
/// // Two classes of which the first is right, and an expert who is right too.
/// let mut gradient = [0.0; 3];
/// let loss = cost_sensitive(&[1.0, 0.0, 0.5], &[0.0, 1.0, 0.0], &mut gradient)?;
/// assert!((loss - 1.860539).abs() < 1e-6);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
pub fn cost_sensitive(scores: &[f64], costs: &[f64], gradient: &mut [f64]) -> Result<f64, ParameterError> {
    let n = scores.len();
    let expected = format!("one for each of the {n} choices");
    ParameterError::check(costs.len() == n, "the number of costs", costs.len(), &expected)?;
    ParameterError::check(gradient.len() == n, "the length of the gradient", gradient.len(), &expected)?;
    for (choice, cost) in costs.iter().enumerate() {
        ParameterError::check(cost.is_finite(), &format!("the cost of choice {choice}"), cost, "a finite number")?;
    }
    let worst = costs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for (reward, cost) in gradient.iter_mut().zip(costs) {
        *reward = worst - cost;
    }
    Ok(if n == 0 { 0.0 } else { rewarded(scores, gradient) })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{any_right, close, gradient_is_right};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_expert_by_hand() {
        let scores = [1.0, 0.0, 0.5];
        let mut gradient = [0.0; 3];
        let full = loss(1.0, &scores, 0, &[Some(true)], &mut gradient);
        assert!(close(&[full], &[1.860_539]));
        assert!(close(&gradient, &[0.012_961, 0.372_647, -0.385_608]));
        assert!(close(&[loss(0.5, &scores, 0, &[Some(true)], &mut gradient)], &[1.520_405]));
        assert!(close(&[loss(0.5, &scores, 0, &[Some(false)], &mut gradient)], &[0.680_270]));
    }

    #[test]
    fn two_experts_by_hand() {
        let mut gradient = [0.0; 4];
        let both = loss(1.0, &[1.0, 0.0, 0.5, -0.2], 0, &[Some(true), Some(true)], &mut gradient);
        assert!(close(&[both], &[4.166_737]));
        assert!(close(&gradient, &[0.318_331, 0.484_987, -0.200_392, -0.602_926]));
    }

    #[test]
    fn correctness_solves_the_condition_of_the_minimum() {
        // At the minimum the classes' share is to the expert's as alpha P + 1 - P to P.
        for alpha in [0.0, 0.5, 1.0] {
            let p = 0.7f64;
            let scores = [(alpha * p + 1.0 - p).ln() - 2f64.ln(), (alpha * p + 1.0 - p).ln() - 2f64.ln(), p.ln()];
            let mut right = [0.0];
            correctness(alpha, &scores, 2, &mut right);
            assert!((right[0] - p).abs() < 1e-12);
        }
        let mut right = [0.0];
        correctness(1.0, &[0.0, 0.0, 900.0], 2, &mut right);
        assert_eq!(right, [1.0]);
    }

    #[test]
    fn costs_are_checked_by_name() {
        let refuse = |costs: &[f64]| cost_sensitive(&[0.0; 2], costs, &mut [0.0; 2]).unwrap_err().to_string();
        assert_eq!(refuse(&[1.0]), "the number of costs is 1, but must be one for each of the 2 choices");
        assert_eq!(refuse(&[1.0, f64::NAN]), "the cost of choice 1 is NaN, but must be a finite number");
    }

    proptest! {
        #[test]
        fn gradients_match_central_differences(
            scores in prop::collection::vec(-3.0..3.0f64, 5),
            right in prop::collection::vec(any_right(), 2),
            label in 0usize..3,
            alpha in 0.0..=1.0f64,
        ) {
            prop_assert!(gradient_is_right(&|g, slope| loss(alpha, g, label, &right, slope), &scores));
        }

        #[test]
        fn the_general_form_recovers_the_softmax(
            scores in prop::collection::vec(-3.0..3.0f64, 4), right: bool, label in 0usize..3,
        ) {
            let mut costs = [1.0; 4];
            costs[label] = 0.0;
            costs[3] = if right { 0.0 } else { 1.0 };
            let (mut general, mut special) = ([0.0; 4], [0.0; 4]);
            let a = cost_sensitive(&scores, &costs, &mut general).unwrap();
            let b = loss(1.0, &scores, label, &[Some(right)], &mut special);
            prop_assert!((a - b).abs() < 1e-12);
            prop_assert!(close(&general, &special));
            prop_assert!(gradient_is_right(&|g, slope| cost_sensitive(g, &costs, slope).unwrap(), &scores));
        }

        #[test]
        fn who_is_not_there_takes_no_part(scores in prop::collection::vec(-3.0..3.0f64, 5), right: bool) {
            let (mut with, mut without) = ([0.0; 5], [0.0; 4]);
            let a = loss(0.5, &scores, 1, &[Some(right), None], &mut with);
            let b = loss(0.5, &scores[..4], 1, &[Some(right)], &mut without);
            prop_assert_eq!(a, b);
            prop_assert_eq!(&with[..4], &without[..]);
            prop_assert_eq!(with[4], 0.0);
        }
    }
}
