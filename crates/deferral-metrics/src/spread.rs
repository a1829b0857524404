//! How a number varies over repetitions, and quantiles.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::estimate::Measured;

/// Mean and spread of one number over repetitions.
///
/// The papers of the field print the population standard deviation in brackets and call it standard error; the true
/// standard error of the mean stands beside it here. Prints as `mean (population sd)` with four digits or the
/// formatter's precision.
///
/// ```
/// use deferral_metrics::Spread;
/// let spread = Spread::of(&[0.8, 0.9, 0.85, 0.95]).unwrap();
/// assert_eq!(spread.to_string(), "0.8750 (0.0559)");
/// assert_eq!(format!("{spread:.2}"), "0.88 (0.06)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Repetitions that gave a number.
    pub n: usize,
    /// Repetitions that gave none (undefined or not finite), left out of everything else.
    pub left_out: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation with divisor n (ddof 0): what is published in brackets.
    pub population_sd: f64,
    /// Standard deviation with divisor n - 1; `None` for one repetition.
    pub sample_sd: Option<f64>,
    /// Standard error of the mean: `sample_sd` / sqrt(n); `None` for one repetition.
    pub standard_error: Option<f64>,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

impl Spread {
    /// The spread of the finite ones among `values`; `None` if there is none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        if finite.is_empty() {
            return None;
        }
        let n = finite.len() as f64;
        let min = finite.iter().copied().fold(f64::INFINITY, f64::min);
        let max = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // Rounding must not push the mean past the ends: equal values then have a spread of exactly 0.
        let mean = (finite.iter().sum::<f64>() / n).clamp(min, max);
        let squares: f64 = finite.iter().map(|v| (v - mean).powi(2)).sum();
        let sample_sd = (finite.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
        Some(Self {
            n: finite.len(),
            left_out: values.len() - finite.len(),
            mean,
            population_sd: (squares / n).sqrt(),
            sample_sd,
            standard_error: sample_sd.map(|sd| sd / n.sqrt()),
            min,
            max,
        })
    }

    /// The spread of the defined ones among `measured`; `None` if there is none.
    pub fn of_measured<'a>(measured: impl IntoIterator<Item = &'a Measured>) -> Option<Self> {
        let values: Vec<f64> = measured.into_iter().map(|m| m.value().unwrap_or(f64::NAN)).collect();
        Self::of(&values)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(4);
        write!(f, "{:.digits$} ({:.digits$})", self.mean, self.population_sd)
    }
}

/// The `q`-quantile with linear interpolation between the two neighbours (numpy's default; type 7 of Hyndman and Fan
/// 1996). `None` for no values, for a NaN among them, or for `q` outside [0, 1]. O(n log n).
///
/// ```
/// assert_eq!(deferral_metrics::quantile(&[4.0, 1.0, 3.0, 2.0], 0.25), Some(1.75));
/// ```
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    if values.iter().any(|v| v.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted_quantile(&sorted, q)
}

/// The median: the mean of the two middle values for an even number. `None` as for [`quantile`].
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

pub(crate) fn sorted_quantile(sorted: &[f64], q: f64) -> Option<f64> {
    if !(0.0..=1.0).contains(&q) {
        return None;
    }
    let place = q * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (*sorted.get(place.floor() as usize)?, *sorted.get(place.ceil() as usize)?);
    // Equal neighbours need no interpolation, and infinite ones cannot have it.
    Some(if below == above { below } else { below + (above - below) * place.fract() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::proportion;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_specification() {
        let spread = Spread::of(&[0.8, 0.9, 0.85, 0.95]).unwrap();
        assert!((spread.mean - 0.875).abs() < 1e-12);
        assert!((spread.population_sd - 0.055_902).abs() < 1e-6);
        assert!((spread.sample_sd.unwrap() - 0.064_550).abs() < 1e-6);
        assert!((spread.standard_error.unwrap() - 0.032_275).abs() < 1e-6);
        assert_eq!((spread.min, spread.max, spread.n), (0.8, 0.95, 4));
    }

    #[test]
    fn undefined_repetitions_are_counted() {
        let spread = Spread::of_measured(&[proportion(1, 2), Measured::Undefined, proportion(2, 2)]).unwrap();
        assert_eq!((spread.n, spread.left_out, spread.mean), (2, 1, 0.75));
        assert_eq!(Spread::of(&[f64::NAN]), None);
        let one = Spread::of(&[0.1]).unwrap();
        assert_eq!((one.population_sd, one.sample_sd, one.standard_error), (0.0, None, None));
    }

    #[test]
    fn quantiles_interpolate_and_refuse_nonsense() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[1.0, 2.0]), Some(1.5));
        assert_eq!(quantile(&[5.0], 1.0), Some(5.0));
        assert_eq!(median(&[]), None);
        assert_eq!(quantile(&[1.0], 1.1), None);
        assert_eq!(quantile(&[1.0], f64::NAN), None);
        assert_eq!(median(&[1.0, f64::NAN]), None);
    }

    proptest! {
        #[test]
        fn the_mean_lies_between_the_ends(values in prop::collection::vec(-1e3f64..1e3, 1..40)) {
            let spread = Spread::of(&values).unwrap();
            prop_assert!(spread.min <= spread.mean && spread.mean <= spread.max);
            prop_assert!(spread.population_sd <= (spread.max - spread.min) / 2.0 + 1e-9);
            prop_assert!(spread.sample_sd.is_none_or(|sd| sd >= spread.population_sd));
        }

        #[test]
        fn quantiles_grow_with_q(values in prop::collection::vec(-1e3f64..1e3, 1..40), a in 0.0f64..1.0, b in 0.0f64..1.0) {
            prop_assert!(quantile(&values, a.min(b)).unwrap() <= quantile(&values, a.max(b)).unwrap() + 1e-9);
        }
    }
}
