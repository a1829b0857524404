//! Sigmoids, logs and softmaxes that neither overflow nor lose their small values.

use crate::scalar::Scalar;

/// `1 / (1 + e^-t)` without overflow.
pub fn sigmoid<S: Scalar>(t: S) -> S {
    // The exponential of a non-positive number is at most one.
    let small = (-t.abs()).exp();
    let below = small / (S::one() + small);
    if t >= S::zero() { S::one() - below } else { below }
}

/// `ln(1 + e^t)` without overflow: minus the log of `sigmoid(-t)`.
pub fn softplus(t: f64) -> f64 {
    t.max(0.0) + (-t.abs()).exp().ln_1p()
}

/// `1 / (1 + e^-t)`, `ln(1 + e^t)` and `ln(1 + e^-t)` by one exponential and one logarithm.
pub fn sigmoid_and_softplus(t: f64) -> (f64, f64, f64) {
    let small = (-t.abs()).exp();
    let (below, excess) = (small / (1.0 + small), small.ln_1p());
    (if t >= 0.0 { 1.0 - below } else { below }, t.max(0.0) + excess, (-t).max(0.0) + excess)
}

/// `ln(sum e^t)` without overflow; minus infinity for no terms.
pub fn log_sum_exp(values: &[f64]) -> f64 {
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY {
        return max;
    }
    max + values.iter().map(|v| (v - max).exp()).sum::<f64>().ln()
}

/// Turns scores into a distribution, in place, and returns their `log_sum_exp`.
pub fn softmax(values: &mut [f64]) -> f64 {
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut total = 0.0;
    for value in values.iter_mut() {
        *value = (*value - max).exp();
        total += *value;
    }
    for value in values.iter_mut() {
        *value /= total;
    }
    max + total.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_stay_finite() {
        assert_eq!(sigmoid(-800.0f64), 0.0);
        assert_eq!(sigmoid(800.0f64), 1.0);
        assert!((softplus(-40.0) - (-40.0f64).exp()).abs() < 1e-30);
        assert_eq!(softplus(800.0), 800.0);
        let mut scores = [1000.0, 1000.0, -1000.0];
        softmax(&mut scores);
        assert_eq!(scores, [0.5, 0.5, 0.0]);
    }

    #[test]
    fn all_at_once_is_what_each_is() {
        for t in [-800.0, -40.0, -0.3, 0.0, 1e-20, 2.5, 800.0] {
            assert_eq!(sigmoid_and_softplus(t), (sigmoid(t), softplus(t), softplus(-t)));
        }
    }

    #[test]
    fn softplus_is_the_log_of_the_sigmoid() {
        for t in [-3.0f64, 0.0, 0.7] {
            assert!((softplus(-t) + sigmoid(t).ln()).abs() < 1e-12);
            assert!((softplus(t) + (1.0 - sigmoid(t)).ln()).abs() < 1e-12);
        }
    }
}
