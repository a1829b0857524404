//! A measured number with its n and interval, or the statement that there is nothing to measure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The standard normal quantile of a two-sided 95 % interval.
pub const Z95: f64 = 1.959_963_984_540_054;

/// A number, how many observations it rests on, and where the true value plausibly lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Observations behind it: cases, unless the metric says otherwise.
    pub n: usize,
    /// Lower and upper end, at 95 % unless asked for otherwise; `None` where no method gives one.
    pub interval: Option<(f64, f64)>,
}

/// An estimate, or nothing: a group without a case has no accuracy.
///
/// On disk (serde) it is the estimate's fields, or `null`. It prints as the value with four digits (or the formatter's
/// precision), or `-`.
///
/// ```
/// use deferral_metrics::{Measured, proportion};
/// assert_eq!(proportion(3, 4).to_string(), "0.7500");
/// assert_eq!(format!("{:>8.2}|", proportion(3, 4)), "    0.75|");
/// assert_eq!(proportion(0, 0), Measured::Undefined);
/// assert_eq!(Measured::Undefined.to_string(), "-");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Measured {
    /// There is something to measure.
    Defined(Estimate),
    /// There is not.
    #[default]
    Undefined,
}

impl Measured {
    /// A number without an interval; a number that is not finite is undefined.
    pub fn new(value: f64, n: usize) -> Self {
        Self::with_interval(value, n, None)
    }

    /// A number with its interval, if there is one; a number that is not finite is undefined.
    pub fn with_interval(value: f64, n: usize, interval: Option<(f64, f64)>) -> Self {
        if value.is_finite() { Self::Defined(Estimate { value, n, interval }) } else { Self::Undefined }
    }

    /// The estimate, if there is one.
    pub fn estimate(&self) -> Option<Estimate> {
        match self {
            Self::Defined(estimate) => Some(*estimate),
            Self::Undefined => None,
        }
    }

    /// The number, if there is one.
    pub fn value(&self) -> Option<f64> {
        self.estimate().map(|e| e.value)
    }

    /// Observations behind it, 0 if undefined.
    pub fn n(&self) -> usize {
        self.estimate().map_or(0, |e| e.n)
    }

    /// The interval, if there is one.
    pub fn interval(&self) -> Option<(f64, f64)> {
        self.estimate().and_then(|e| e.interval)
    }

    /// Whether there is a number.
    pub fn is_defined(&self) -> bool {
        self.estimate().is_some()
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Defined(estimate) => format!("{:.*}", f.precision().unwrap_or(4), estimate.value),
            Self::Undefined => "-".to_owned(),
        };
        match f.width() {
            Some(width) => write!(f, "{text:>width$}"),
            None => f.write_str(&text),
        }
    }
}

/// The share `successes / n` with its 95 % Wilson interval; undefined for n = 0. More successes than n count as n.
pub fn proportion(successes: usize, n: usize) -> Measured {
    let successes = successes.min(n);
    Measured::with_interval(successes as f64 / n as f64, n, wilson(successes, n, Z95))
}

/// The Wilson score interval of a proportion (Wilson 1927): the shares that a test at normal quantile `z` would not
/// reject. It lies in [0, 1] and holds the observed share, also for 0 and n successes. `None` for n = 0 or a `z` that
/// is negative or not finite.
///
/// ```
/// let (low, high) = deferral_metrics::wilson(8, 10, deferral_metrics::Z95).unwrap();
/// assert!((low - 0.490162).abs() < 1e-6 && (high - 0.943318).abs() < 1e-6);
/// ```
pub fn wilson(successes: usize, n: usize, z: f64) -> Option<(f64, f64)> {
    if n == 0 || !z.is_finite() || z < 0.0 {
        return None;
    }
    let (count, share) = (n as f64, successes.min(n) as f64 / n as f64);
    let z2 = z * z / count;
    let centre = (share + z2 / 2.0) / (1.0 + z2);
    let half = (z2 * (share * (1.0 - share) + z2 / 4.0)).sqrt() / (1.0 + z2);
    // Rounding must not push an end past the observed share or out of [0, 1].
    Some(((centre - half).clamp(0.0, share), (centre + half).clamp(share, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn wilson_lies_in_the_unit_interval_and_holds_the_share(n in 1usize..5000, part in 0.0f64..=1.0, z in 0.0f64..6.0) {
            let successes = (part * n as f64) as usize;
            let (low, high) = wilson(successes, n, z).unwrap();
            let share = successes as f64 / n as f64;
            prop_assert!(0.0 <= low && low <= share && share <= high && high <= 1.0);
        }

        #[test]
        fn wilson_narrows_with_more_cases(n in 2usize..1000, part in 0.0f64..=1.0) {
            let successes = (part * n as f64) as usize;
            let width = |k: usize| { let (l, h) = wilson(k * successes, k * n, Z95).unwrap(); h - l };
            prop_assert!(width(4) < width(1));
        }
    }

    #[test]
    fn nothing_to_measure_is_undefined() {
        assert_eq!(proportion(0, 0), Measured::Undefined);
        assert_eq!(Measured::new(f64::NAN, 3), Measured::Undefined);
        assert_eq!(wilson(0, 0, Z95), None);
        assert_eq!(wilson(1, 2, f64::NAN), None);
        assert_eq!((Measured::Undefined.n(), Measured::Undefined.interval()), (0, None));
    }

    #[test]
    fn undefined_is_null_on_disk() {
        let json = serde_json::to_string(&[proportion(0, 0), Measured::new(0.5, 2)]).unwrap();
        assert_eq!(json, r#"[null,{"value":0.5,"n":2,"interval":null}]"#);
        let back: Vec<Measured> = serde_json::from_str(&json).unwrap();
        assert_eq!(back, [Measured::Undefined, Measured::new(0.5, 2)]);
    }

    #[test]
    fn the_ends_are_not_degenerate() {
        let (low, high) = proportion(0, 10).interval().unwrap();
        assert_eq!(low, 0.0);
        assert!((high - 0.277_533).abs() < 1e-6);
        let (low, high) = proportion(10, 10).interval().unwrap();
        assert!((low - 0.722_467).abs() < 1e-6);
        assert_eq!(high, 1.0);
    }
}
