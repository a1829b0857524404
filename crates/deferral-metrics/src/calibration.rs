//! Whether a confidence means what it says: reliability and expected calibration error.

use deferral_core::ParameterError;
use serde::{Deserialize, Serialize};

use crate::error::{MetricError, check_length};
use crate::estimate::{Measured, proportion};

/// How often decisions are right, by how sure the system was: the reliability diagram, in bins of equal width.
///
/// ```
/// use deferral_metrics::Reliability;
/// // Says .9 and is right nine times out of ten; says .6 and is always right.
/// let confidence: Vec<f64> = (0..20).map(|i| if i < 10 { 0.9 } else { 0.6 }).collect();
/// let right: Vec<bool> = (0..20).map(|i| i != 3).collect();
/// let reliability = Reliability::of(&confidence, &right, 10)?;
/// assert!((reliability.expected_error().value().unwrap() - 0.2).abs() < 1e-12); // half of 0, half of .4
/// # Ok::<(), deferral_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Bins that hold a decision, from the least sure to the surest.
    pub bins: Vec<ReliabilityBin>,
}

/// Decisions that were about equally sure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Where it begins and ends; the last one holds its end.
    pub range: (f64, f64),
    /// Mean confidence of its decisions.
    pub confidence: f64,
    /// The share of them that was right, with n and Wilson interval.
    pub accuracy: Measured,
}

impl Reliability {
    /// Sorts decisions into `bins` bins between 0 and 1 by their confidence. O(n).
    ///
    /// # Errors
    /// If the lists differ in length, there is no bin, or a confidence is not between 0 and 1.
    pub fn of(confidence: &[f64], right: &[bool], bins: usize) -> Result<Self, MetricError> {
        check_length("the list of what was right", right.len(), confidence.len())?;
        ParameterError::check(bins > 0, "the number of bins", bins, "1 or more")?;
        let mut sums = vec![(0usize, 0usize, 0.0); bins];
        for (case, (&confidence, &right)) in confidence.iter().zip(right).enumerate() {
            // Rounding may leave a little more than 1.
            let ok = (0.0..=1.0 + 1e-9).contains(&confidence);
            ParameterError::check(ok, &format!("the confidence of case {case}"), confidence, "between 0 and 1")?;
            let bin = ((confidence * bins as f64) as usize).min(bins - 1);
            sums[bin].0 += 1;
            sums[bin].1 += usize::from(right);
            sums[bin].2 += confidence;
        }
        let edge = |at: usize| at as f64 / bins as f64;
        let bin = |(at, (n, right, sum)): (usize, (usize, usize, f64))| ReliabilityBin {
            range: (edge(at), edge(at + 1)),
            confidence: sum / n as f64,
            accuracy: proportion(right, n),
        };
        Ok(Self { bins: sums.into_iter().enumerate().filter(|(_, (n, ..))| *n > 0).map(bin).collect() })
    }

    /// Expected calibration error: the mean distance of accuracy and confidence over bins, each counting by its decisions
    /// (Naeini, Cooper and Hauskrecht 2015). Undefined without decisions; never 0 on few, since bins differ by chance.
    pub fn expected_error(&self) -> Measured {
        let n: usize = self.bins.iter().map(|bin| bin.accuracy.n()).sum();
        let part = |bin: &ReliabilityBin| {
            let accuracy = bin.accuracy.value().unwrap_or(bin.confidence);
            bin.accuracy.n() as f64 * (accuracy - bin.confidence).abs()
        };
        Measured::new(self.bins.iter().map(part).sum::<f64>() / n as f64, n)
    }
}

/// The share of the decisions at least `confidence` sure that was right, with n and Wilson interval.
pub fn right_when_sure(confidences: &[f64], right: &[bool], confidence: f64) -> Measured {
    let sure = || confidences.iter().zip(right).filter(|(c, _)| **c >= confidence);
    proportion(sure().filter(|(_, right)| **right).count(), sure().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_their_decisions() {
        let reliability = Reliability::of(&[0.05, 0.95, 1.0, 0.92], &[false, true, true, false], 10).unwrap();
        assert_eq!(reliability.bins.len(), 2);
        assert_eq!(reliability.bins[1].range, (0.9, 1.0));
        assert!((reliability.bins[1].confidence - (0.95 + 1.0 + 0.92) / 3.0).abs() < 1e-12);
        let gap = (2.0 / 3.0 - reliability.bins[1].confidence).abs();
        assert!((reliability.expected_error().value().unwrap() - (0.05 + 3.0 * gap) / 4.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_and_nonsense() {
        assert_eq!(Reliability::of(&[], &[], 10).unwrap().expected_error(), Measured::Undefined);
        assert!(Reliability::of(&[1.2], &[true], 10).unwrap_err().to_string().contains("the confidence of case 0"));
        assert!(Reliability::of(&[f64::NAN], &[true], 10).is_err());
        assert!(Reliability::of(&[0.5], &[], 10).is_err());
    }

    #[test]
    fn sure_decisions_are_counted() {
        let share = right_when_sure(&[0.9, 0.95, 0.99, 0.5], &[false, true, true, true], 0.95);
        assert_eq!((share.value(), share.n()), (Some(1.0), 2));
        assert_eq!(right_when_sure(&[0.5], &[true], 0.9), Measured::Undefined);
    }
}
