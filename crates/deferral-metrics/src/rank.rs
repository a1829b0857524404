//! Ranks with ties, and Spearman's correlation of them.

use crate::error::{MetricError, check_finite, check_length};
use crate::estimate::{Measured, Z95};

/// The rank of each value, counted from 1, tied values sharing the mean of their ranks. Values must not be NaN.
/// O(n log n).
///
/// ```
/// assert_eq!(deferral_metrics::midranks(&[0.3, 0.1, 0.3, 0.9]), [2.5, 1.0, 2.5, 4.0]);
/// ```
pub fn midranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    // `==` and not the total order, for which -0 and 0 differ.
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = before as f64 + (tied.len() + 1) as f64 / 2.0;
        for &at in tied {
            ranks[at] = rank;
        }
        before += tied.len();
    }
    ranks
}

/// Spearman's rank correlation of two lists that belong together entry by entry: Pearson's correlation of the
/// midranks. Undefined if one list is constant, so also for fewer than two entries. The 95 % interval is Bonett and
/// Wright's (2000) for more than three entries and a correlation within (-1, 1). O(n log n).
///
/// # Errors
/// If the lists differ in length or hold a number that is not finite.
///
/// ```
/// let rho = deferral_metrics::spearman(&[1.0, 2.0, 3.0, 4.0], &[0.1, 0.4, 0.3, 0.9])?;
/// assert_eq!(rho.to_string(), "0.8000");
/// # Ok::<(), deferral_metrics::MetricError>(())
/// ```
pub fn spearman(x: &[f64], y: &[f64]) -> Result<Measured, MetricError> {
    check_length("the second list of a correlation", y.len(), x.len())?;
    check_finite("value of the first list", x)?;
    check_finite("value of the second list", y)?;
    let (x, y) = (midranks(x), midranks(y));
    // Ranks always have this mean, and doubled ranks are whole numbers: the sums are exact.
    let mean = (x.len() + 1) as f64 / 2.0;
    let covariance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let (variance_x, variance_y) = (covariance(&x, &x), covariance(&y, &y));
    if variance_x == 0.0 || variance_y == 0.0 {
        return Ok(Measured::Undefined);
    }
    let rho = (covariance(&x, &y) / (variance_x.sqrt() * variance_y.sqrt())).clamp(-1.0, 1.0);
    Ok(Measured::with_interval(rho, x.len(), bonett_wright(rho, x.len())))
}

fn bonett_wright(rho: f64, n: usize) -> Option<(f64, f64)> {
    // A correlation of 1 up to rounding has no interval on Fisher's scale.
    if n <= 3 || rho.abs() > 1.0 - 1e-12 {
        return None;
    }
    let half = Z95 * ((1.0 + rho * rho / 2.0) / (n - 3) as f64).sqrt();
    Some(((rho.atanh() - half).tanh(), (rho.atanh() + half).tanh()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_share_their_ranks() {
        // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: sum of products 4.5, variances 4.5 and 5.
        let rho = spearman(&[0.0, 1.0, 1.0, 2.0], &[5.0, 6.0, 7.0, 8.0]).unwrap().value().unwrap();
        assert!((rho - 4.5 / (4.5f64 * 5.0).sqrt()).abs() < 1e-12);
        assert_eq!(midranks(&[0.0, -0.0]), [1.5, 1.5]);
        assert!(midranks(&[]).is_empty());
    }

    #[test]
    fn constant_lists_have_no_correlation() {
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]).unwrap(), Measured::Undefined);
        assert_eq!(spearman(&[], &[]).unwrap(), Measured::Undefined);
        assert!(spearman(&[1.0], &[]).is_err());
        let error = spearman(&[1.0, f64::NAN], &[1.0, 2.0]).unwrap_err().to_string();
        assert_eq!(error, "value of the first list 1 (counted from 0) is NaN, but must be a finite number");
    }

    proptest! {
        #[test]
        fn only_order_matters(pairs in prop::collection::vec((-5i32..5, -5i32..5), 2..40)) {
            let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().map(|&(a, b)| (f64::from(a), f64::from(b))).unzip();
            let rho = spearman(&x, &y).unwrap();
            prop_assert_eq!(rho, spearman(&y, &x).unwrap());
            let stretched: Vec<f64> = x.iter().map(|v| v.exp()).collect();
            prop_assert_eq!(rho, spearman(&stretched, &y).unwrap());
            let turned: Vec<f64> = x.iter().map(|v| -v).collect();
            prop_assert_eq!(rho.value().map(|v| -v), spearman(&turned, &y).unwrap().value());
            if let Some((low, high)) = rho.interval() {
                let value = rho.value().unwrap();
                prop_assert!(-1.0 <= low && low <= value && value <= high && high <= 1.0);
            }
        }

        #[test]
        fn ranks_add_up(values in prop::collection::vec(-3i32..3, 0..40)) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let n = values.len() as f64;
            prop_assert_eq!(midranks(&values).iter().sum::<f64>(), n * (n + 1.0) / 2.0);
        }
    }
}
