//! What a step of the matching algorithms makes smaller, and its slopes with respect to the networks' logits.

/// An output is not closer than this to 0 or 1 inside a logarithm.
const EDGE: f64 = 1e-12;

/// The cross-entropy of one annotator on one task: of d, what their network said, and whether they agreed with the
/// label (Keswani, Celis, Kenthapadi and Lease 2022, appendix C).
///
/// ```
/// use deferral_allocation::agreement_loss;
/// assert!((agreement_loss(0.6, true) - 0.510826).abs() < 1e-6);
/// assert!((agreement_loss(0.6, false) - 0.916291).abs() < 1e-6);
/// ```
pub fn agreement_loss(output: f64, agrees: bool) -> f64 {
    -(if agrees { output } else { 1.0 - output }).clamp(EDGE, 1.0 - EDGE).ln()
}

/// The slope of [`agreement_loss`] with respect to the logit of d: `d - 1[agrees]`.
pub fn agreement_slope(output: f64, agrees: bool) -> f64 {
    output - f64::from(u8::from(agrees))
}

/// What a draw from the outputs costs on average: `sum_j D_j c_j` with `D = d / sum d`; 0 if all outputs are 0.
pub(super) fn expected_price(outputs: impl Iterator<Item = f64>, prices: &[f64]) -> f64 {
    let (total, cost) = outputs.zip(prices).fold((0.0, 0.0), |(total, cost), (d, price)| (total + d, cost + d * price));
    if total > 0.0 { cost / total } else { 0.0 }
}

/// Its slopes with respect to the logits, handed to `write` by position: `(c_j - D.c) d_j (1 - d_j) / sum d`.
pub(super) fn price_slopes(
    outputs: impl Iterator<Item = f64> + Clone,
    prices: &[f64],
    mut write: impl FnMut(usize, f64),
) {
    let total: f64 = outputs.clone().sum();
    let expected = expected_price(outputs.clone(), prices);
    for (at, (d, price)) in outputs.zip(prices).enumerate() {
        write(at, if total > 0.0 { (price - expected) * d * (1.0 - d) / total } else { 0.0 });
    }
}

/// The squared distance of an output from a similarity, of which pre-training takes the mean, and its slope with
/// respect to the logit.
pub(super) fn regression_slope(output: f64, similarity: f64) -> f64 {
    2.0 * (output - similarity) * output * (1.0 - output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_models::stable::sigmoid;

    const LOGITS: [f64; 4] = [-1.3, 0.2, 0.9, 2.5];
    const PRICES: [f64; 4] = [1.0, 0.5, 3.0, 0.0];

    /// The central difference of `f` at the logits, by one of them.
    fn difference(at: usize, f: impl Fn(&[f64]) -> f64) -> f64 {
        let shifted = |shift: f64| {
            let mut logits = LOGITS;
            logits[at] += shift;
            f(&logits)
        };
        (shifted(1e-5) - shifted(-1e-5)) / 2e-5
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6 * expected.abs().max(1e-3), "{found} {expected}");
    }

    #[test]
    fn the_examples_of_agreement() {
        // ALGORITHMS 3.1.
        assert!((agreement_slope(0.6, true) + 0.4).abs() < 1e-12 && (agreement_slope(0.6, false) - 0.6).abs() < 1e-12);
        assert!(agreement_loss(0.0, true).is_finite() && agreement_loss(1.0, false).is_finite());
        for agrees in [true, false] {
            for at in 0..4 {
                let expected = difference(at, |logits| agreement_loss(sigmoid(logits[at]), agrees));
                close(agreement_slope(sigmoid(LOGITS[at]), agrees), expected);
            }
        }
    }

    #[test]
    fn prices_push_towards_the_cheap() {
        let cost = |logits: &[f64]| expected_price(logits.iter().map(|&logit| sigmoid(logit)), &PRICES);
        let mut slopes = [0.0; 4];
        price_slopes(LOGITS.iter().map(|&logit| sigmoid(logit)), &PRICES, |at, slope| slopes[at] = slope);
        for (at, slope) in slopes.into_iter().enumerate() {
            close(slope, difference(at, cost));
        }
        assert!(slopes[2] > 0.0 && slopes[3] < 0.0);
        // D = (.25, .75): 1 x .25 + 3 x .75.
        assert!((expected_price([0.2, 0.6].into_iter(), &[1.0, 3.0]) - 2.5).abs() < 1e-12);
        price_slopes([0.0, 0.0].into_iter(), &PRICES, |_, slope| assert_eq!(slope, 0.0));
    }

    #[test]
    fn regression_by_difference() {
        for at in 0..4 {
            let expected = difference(at, |logits| (sigmoid(logits[at]) - 0.7).powi(2));
            close(regression_slope(sigmoid(LOGITS[at]), 0.7), expected);
        }
    }
}
