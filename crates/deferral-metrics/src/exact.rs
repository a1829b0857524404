//! Exact statements about a rate from a count, by the binomial distribution.

use statrs::distribution::{Binomial, DiscreteCDF};

/// Steps of halving after which an end of an interval is as exact as an `f64`.
const HALVINGS: usize = 60;

/// How likely so few errors, or fewer, would be if the rate of error were `bound`: P(Bin(n, `bound`) <= `wrong`).
///
/// It is the p-value of the hypothesis that the rate is larger than `bound`: if it is at most delta, then "the rate is at
/// most `bound`" is said falsely with probability at most delta. 1 for no case, and for a bound outside [0, 1], of which
/// nothing can be shown.
///
/// ```
/// use deferral_metrics::p_value_at_most;
/// // No error in 10 cases: .8^10 if every fifth were wrong.
/// assert!((p_value_at_most(0, 10, 0.2) - 0.107374).abs() < 1e-6);
/// assert_eq!(p_value_at_most(0, 0, 0.2), 1.0);
/// ```
pub fn p_value_at_most(wrong: u64, n: u64, bound: f64) -> f64 {
    if wrong >= n {
        return 1.0;
    }
    Binomial::new(bound, n).map_or(1.0, |errors| errors.cdf(wrong))
}

/// The exact two-sided interval of a rate (Clopper and Pearson 1934): it holds the true rate with probability at least
/// `level`, for every n. For 0 successes it starts at 0, for n it ends at 1. `None` for n = 0 or a `level` that is not
/// between 0 and 1. More successes than n count as n. O(1).
///
/// ```
/// let (low, high) = deferral_metrics::clopper_pearson(5, 50, 0.95).unwrap();
/// assert!((low - 0.0333).abs() < 5e-5 && (high - 0.2181).abs() < 5e-5);
/// ```
pub fn clopper_pearson(successes: usize, n: usize, level: f64) -> Option<(f64, f64)> {
    let one_sided = f64::midpoint(level, 1.0);
    Some((clopper_pearson_lower(successes, n, one_sided)?, clopper_pearson_upper(successes, n, one_sided)?))
}

/// The rate that the true one does not exceed, with probability at least `level`. `None` as for [`clopper_pearson`].
///
/// ```
/// // Without an error in n cases it is 1 - (1 - level)^(1/n), for 95 % about 3 / n.
/// let upper = deferral_metrics::clopper_pearson_upper(0, 100, 0.95).unwrap();
/// assert!((upper - (1.0 - 0.05_f64.powf(0.01))).abs() < 1e-12);
/// ```
pub fn clopper_pearson_upper(successes: usize, n: usize, level: f64) -> Option<f64> {
    if n == 0 || !(level > 0.0 && level < 1.0) {
        return None;
    }
    if successes >= n {
        return Some(1.0);
    }
    // The p-value falls as the rate grows; the end is where it is 1 - level.
    let (mut low, mut high) = (successes as f64 / n as f64, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if p_value_at_most(successes as u64, n as u64, middle) > 1.0 - level {
            low = middle;
        } else {
            high = middle;
        }
    }
    // The outer of the two, so that rounding never makes the promise too strong.
    Some(high)
}

/// The rate that the true one does not fall below, with probability at least `level`. `None` as for
/// [`clopper_pearson`].
pub fn clopper_pearson_lower(successes: usize, n: usize, level: f64) -> Option<f64> {
    let failures = n.saturating_sub(successes.min(n));
    Some(1.0 - clopper_pearson_upper(failures, n, level)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_intervals() {
        for (successes, n, level, low, high) in [
            (0, 10, 0.95, 0.0, 0.308_497),
            (10, 10, 0.95, 0.691_503, 1.0),
            (5, 50, 0.95, 0.033_275, 0.218_135),
            (8, 10, 0.95, 0.443_905, 0.974_789),
            (1, 1, 0.9, 0.05, 1.0),
        ] {
            let (found_low, found_high) = clopper_pearson(successes, n, level).unwrap();
            assert!((found_low - low).abs() < 1e-6, "{successes} of {n}: {found_low}");
            assert!((found_high - high).abs() < 1e-6, "{successes} of {n}: {found_high}");
        }
    }

    #[test]
    fn p_values_by_hand() {
        // Bin(3, .5): 1/8, 4/8, 7/8, 1.
        for (wrong, expected) in [(0, 0.125), (1, 0.5), (2, 0.875), (3, 1.0)] {
            assert!((p_value_at_most(wrong, 3, 0.5) - expected).abs() < 1e-12);
        }
        assert_eq!(
            (p_value_at_most(0, 5, 0.0), p_value_at_most(4, 5, 1.0), p_value_at_most(5, 5, 1.0)),
            (1.0, 0.0, 1.0)
        );
        assert_eq!((p_value_at_most(1, 5, f64::NAN), p_value_at_most(1, 5, -0.1)), (1.0, 1.0));
    }

    #[test]
    fn what_has_no_interval() {
        assert_eq!(clopper_pearson(0, 0, 0.95), None);
        for level in [0.0, 1.0, -2.0, f64::NAN] {
            assert_eq!(clopper_pearson_upper(1, 2, level), None, "{level}");
        }
        assert_eq!(clopper_pearson(7, 5, 0.95), clopper_pearson(5, 5, 0.95));
    }

    proptest! {
        #[test]
        fn the_interval_ends_where_the_test_does(n in 1usize..400, part in 0.0f64..1.0, level in 0.5f64..0.999) {
            let wrong = ((part * n as f64) as usize).min(n - 1);
            let upper = clopper_pearson_upper(wrong, n, level).unwrap();
            prop_assert!((p_value_at_most(wrong as u64, n as u64, upper) - (1.0 - level)).abs() < 1e-9);
            let (low, high) = clopper_pearson(wrong, n, level).unwrap();
            let share = wrong as f64 / n as f64;
            prop_assert!(0.0 <= low && low <= share && share <= high && high <= 1.0);
        }
    }
}
