//! How much is decided without people, and how accuracy falls when more of it is.

use deferral_core::Route;
use serde::{Deserialize, Serialize};

use crate::accuracy::Correctness;
use crate::error::{MetricError, check_finite, check_length};
use crate::estimate::{Measured, proportion};

/// Coverage: the share of the cases that the model decided alone, with its Wilson interval.
///
/// ```
/// use deferral_core::{ExpertId, Label, Route};
/// let routes = [Route::Model(Label(0)), Route::Experts(vec![ExpertId(3)])];
/// assert_eq!(deferral_metrics::coverage(&routes).to_string(), "0.5000");
/// ```
pub fn coverage(routes: &[Route]) -> Measured {
    proportion(routes.iter().filter(|route| matches!(route, Route::Model(_))).count(), routes.len())
}

/// What accuracy a model would have on the cases it is most confident about, for every number of them.
///
/// Cases with equal confidence enter together, since no threshold separates them. Cases that cannot be judged are left
/// out and counted. O(n log n).
///
/// ```
/// use deferral_core::Label;
/// use deferral_metrics::{Correctness, CoverageCurve};
/// let correct = Correctness::of(&[1, 1, 1, 1].map(Label), &[1, 0, 1, 0].map(|y| Some(Label(y))))?;
/// let curve = CoverageCurve::of(&[0.9, 0.6, 0.8, 0.6], &correct)?;
/// let points: Vec<_> = curve.points.iter().map(|p| (p.threshold, p.coverage, p.accuracy)).collect();
/// assert_eq!(points, [(0.9, 0.25, 1.0), (0.8, 0.5, 1.0), (0.6, 1.0, 0.5)]);
/// assert_eq!(curve.area().value(), Some(0.75));
/// # Ok::<(), deferral_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoverageCurve {
    /// One point for each distinct confidence, from the highest: coverage grows up to 1. Empty without a judged case.
    pub points: Vec<CoveragePoint>,
    /// Cases left out because it is not known whether they were right.
    pub left_out: usize,
}

/// The cases with at least some confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CoveragePoint {
    /// The lowest confidence among them.
    pub threshold: f64,
    /// How many there are.
    pub n: usize,
    /// Their share of all judged cases.
    pub coverage: f64,
    /// The share of them that is right.
    pub accuracy: f64,
}

impl CoverageCurve {
    /// The curve of one confidence a case (any scale, higher is surer) and whether the model was right on it.
    ///
    /// # Errors
    /// If the two differ in length or a confidence is not finite.
    pub fn of(confidence: &[f64], correct: &Correctness) -> Result<Self, MetricError> {
        check_length("the confidences", confidence.len(), correct.len())?;
        check_finite("confidence", confidence)?;
        let judged = confidence.iter().zip(&correct.of_case).filter_map(|(&c, &right)| Some((c, right?)));
        let mut judged: Vec<(f64, bool)> = judged.collect();
        judged.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut n, mut right) = (0, 0);
        let tied = judged.chunk_by(|a, b| a.0 == b.0);
        let points = tied.filter_map(|tied| {
            n += tied.len();
            right += tied.iter().filter(|(_, right)| *right).count();
            let (threshold, _) = *tied.last()?;
            let coverage = n as f64 / judged.len() as f64;
            Some(CoveragePoint { threshold, n, coverage, accuracy: right as f64 / n as f64 })
        });
        Ok(Self { points: points.collect(), left_out: correct.len() - judged.len() })
    }

    /// The area under the curve as steps: each point's accuracy times the coverage it adds. Without ties that is the
    /// mean of the accuracies at 1, 2, ..., n cases; 1 minus it is the area under the risk-coverage curve. n counts the
    /// judged cases; undefined without any.
    pub fn area(&self) -> Measured {
        let n = self.points.last().map_or(0, |point| point.n);
        let mut before = 0;
        let steps = self.points.iter().map(|point| {
            let added = point.n - before;
            before = point.n;
            point.accuracy * added as f64
        });
        Measured::new(steps.sum::<f64>() / n as f64, n)
    }

    /// The point of the largest coverage at which accuracy is at least `accuracy`, if there is one.
    pub fn widest_at(&self, accuracy: f64) -> Option<&CoveragePoint> {
        self.points.iter().rev().find(|point| point.accuracy >= accuracy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{ExpertId, Label};
    use proptest::prelude::*;

    fn judged(right: &[Option<bool>]) -> Correctness {
        Correctness { of_case: right.to_vec(), without_truth: 0, undecided: 0 }
    }

    #[test]
    fn nobody_to_cover_is_undefined() {
        assert_eq!(coverage(&[]), Measured::Undefined);
        assert_eq!(coverage(&[Route::Experts(vec![ExpertId(0)])]).value(), Some(0.0));
        assert_eq!(coverage(&[Route::Model(Label(1))]).n(), 1);
        let curve = CoverageCurve::of(&[0.5], &judged(&[None])).unwrap();
        assert_eq!((curve.points.len(), curve.left_out, curve.area()), (0, 1, Measured::Undefined));
    }

    #[test]
    fn thresholds_can_be_chosen_by_accuracy() {
        let curve = CoverageCurve::of(&[0.9, 0.8, 0.7], &judged(&[Some(true), Some(true), Some(false)])).unwrap();
        assert_eq!(curve.widest_at(0.9).unwrap().threshold, 0.8);
        assert_eq!(curve.widest_at(0.6).unwrap().coverage, 1.0);
        let wrong = CoverageCurve::of(&[0.9], &judged(&[Some(false)])).unwrap();
        assert_eq!(wrong.widest_at(0.1), None);
    }

    #[test]
    fn misuse_is_named() {
        let error = CoverageCurve::of(&[f64::NAN], &judged(&[None])).unwrap_err().to_string();
        assert!(error.starts_with("confidence 0 (counted from 0) is NaN"), "{error}");
        assert!(CoverageCurve::of(&[], &judged(&[None])).is_err());
    }

    proptest! {
        #[test]
        fn the_curve_ends_at_plain_accuracy_and_ignores_the_order_of_cases(
            cases in prop::collection::vec((0i32..8, any::<bool>()), 1..50),
        ) {
            let curve = |cases: &[(i32, bool)]| {
                let confidence: Vec<f64> = cases.iter().map(|c| f64::from(c.0) / 8.0).collect();
                CoverageCurve::of(&confidence, &judged(&cases.iter().map(|c| Some(c.1)).collect::<Vec<_>>())).unwrap()
            };
            let forward = curve(&cases);
            let last = forward.points.last().unwrap();
            let right = cases.iter().filter(|c| c.1).count();
            prop_assert_eq!((last.coverage, last.accuracy), (1.0, right as f64 / cases.len() as f64));
            prop_assert!(forward.points.windows(2).all(|w| w[0].coverage < w[1].coverage && w[0].threshold > w[1].threshold));
            prop_assert!((0.0..=1.0 + 1e-12).contains(&forward.area().value().unwrap()));
            let backward: Vec<_> = cases.iter().rev().copied().collect();
            prop_assert_eq!(forward, curve(&backward));
        }
    }
}
