//! Area under the ROC curve: how often a positive case scores above a negative one.

use deferral_core::{Label, Probabilities};
use serde::{Deserialize, Serialize};

use crate::error::{MetricError, check_finite, check_label, check_length};
use crate::estimate::{Measured, Z95};
use crate::rank::midranks;

/// AUC = P(s+ > s-) + 1/2 P(s+ = s-), of the scores of class 1 against class 0, through midranks in O(n log n).
///
/// Fed with hard 0/1 predictions it is (TPR + TNR) / 2. Cases without truth are left out: n counts the others.
/// Undefined if a class does not occur. The 95 % interval is `DeLong`'s (1988), cut to [0, 1]; there is none if a class
/// has fewer than two cases or the variance is 0, as at a perfect separation.
///
/// # Errors
/// If the lists differ in length, a true label is not 0 or 1, or a score is not finite.
///
/// ```
/// use deferral_core::Label;
/// let truth = [0, 0, 1, 1].map(|y| Some(Label(y)));
/// assert_eq!(deferral_metrics::auc(&[0.1, 0.4, 0.35, 0.8], &truth)?.value(), Some(0.75));
/// # Ok::<(), deferral_metrics::MetricError>(())
/// ```
pub fn auc(scores: &[f64], truth: &[Option<Label>]) -> Result<Measured, MetricError> {
    check_length("the scores", scores.len(), truth.len())?;
    check_finite("score", scores)?;
    check_classes(truth, 2)?;
    Ok(area(scores, truth, Label(1)))
}

/// AUC of every class against the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OneVsRest {
    /// The AUC of each of the K classes, undefined where the class or its complement does not occur.
    pub of_class: Vec<Measured>,
    /// The plain mean over the defined classes, each counting the same; without an interval.
    pub mean: Measured,
}

/// The AUC of each class's row of `probabilities` (K x n) against the other classes, and their mean. For two classes
/// whose probabilities sum to one all three are the AUC of class 1. O(K n log n).
///
/// # Errors
/// As [`auc`], with labels up to K.
///
/// ```
/// use deferral_core::{Columns, Label, Probabilities};
/// let beliefs = Probabilities(Columns::from_values(3, vec![0.8, 0.1, 0.1, 0.2, 0.5, 0.3, 0.1, 0.3, 0.6]));
/// let truth = [0, 1, 2].map(|y| Some(Label(y)));
/// assert_eq!(deferral_metrics::auc_one_vs_rest(&beliefs, &truth)?.mean.value(), Some(1.0));
/// # Ok::<(), deferral_metrics::MetricError>(())
/// ```
pub fn auc_one_vs_rest(probabilities: &Probabilities, truth: &[Option<Label>]) -> Result<OneVsRest, MetricError> {
    let classes = probabilities.rows();
    check_length("the probabilities", probabilities.n(), truth.len())?;
    check_finite("probability", probabilities.values())?;
    check_classes(truth, classes)?;
    let of_class: Vec<Measured> = (0..classes)
        .map(|class| {
            let scores: Vec<f64> = probabilities.iter().map(|column| column[class]).collect();
            area(&scores, truth, Label::at(class))
        })
        .collect();
    let defined: Vec<f64> = of_class.iter().filter_map(Measured::value).collect();
    let n = truth.iter().flatten().count();
    let mean = Measured::new(defined.iter().sum::<f64>() / defined.len() as f64, n);
    Ok(OneVsRest { of_class, mean })
}

fn check_classes(truth: &[Option<Label>], classes: usize) -> Result<(), MetricError> {
    let known = truth.iter().enumerate().filter_map(|(case, label)| Some((case, (*label)?)));
    known.into_iter().try_for_each(|(case, label)| check_label("the true label", case, label, classes))
}

/// AUC of class `positive` against all others.
fn area(scores: &[f64], truth: &[Option<Label>], positive: Label) -> Measured {
    let of = |wanted: bool| -> Vec<f64> {
        let known = scores.iter().zip(truth).filter_map(|(&score, label)| Some((score, (*label)?)));
        known.filter(|(_, label)| (*label == positive) == wanted).map(|(score, _)| score).collect()
    };
    let (above, below) = (of(true), of(false));
    if above.is_empty() || below.is_empty() {
        return Measured::Undefined;
    }
    let joint = midranks(&[above.as_slice(), below.as_slice()].concat());
    let (joint_above, joint_below) = joint.split_at(above.len());
    let (m, n) = (above.len() as f64, below.len() as f64);
    // Every rank counts the scores below it and half of those equal: without those of its own class, the wins.
    let wins: Vec<f64> = joint_above.iter().zip(midranks(&above)).map(|(joint, own)| joint - own).collect();
    let losses: Vec<f64> = joint_below.iter().zip(midranks(&below)).map(|(joint, own)| joint - own).collect();
    let value = wins.iter().sum::<f64>() / (m * n);
    let interval = delong(&wins, &losses).map(|half| ((value - half).max(0.0), (value + half).min(1.0)));
    Measured::with_interval(value, above.len() + below.len(), interval)
}

/// Half the width of `DeLong`'s interval, from the wins of every positive and the losses of every negative case
/// (placements by midranks: Sun and Xu 2014).
fn delong(wins: &[f64], losses: &[f64]) -> Option<f64> {
    let (m, n) = (wins.len() as f64, losses.len() as f64);
    let variance = sample_variance(wins)? / (n * n * m) + sample_variance(losses)? / (m * m * n);
    (variance > 0.0).then(|| Z95 * variance.sqrt())
}

fn sample_variance(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.len() > 1).then(|| values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accuracy::Confusion;
    use deferral_core::Columns;
    use proptest::prelude::*;

    fn labels(values: &[u16]) -> Vec<Option<Label>> {
        values.iter().map(|&y| Some(Label(y))).collect()
    }

    #[test]
    fn the_example_of_the_specification() {
        let measured = auc(&[0.1, 0.4, 0.35, 0.8], &labels(&[0, 0, 1, 1])).unwrap();
        assert_eq!((measured.value(), measured.n()), (Some(0.75), 4));
        // Placements (1/2, 1) and (1, 1/2): both variances 1/8, so the standard error is sqrt(1/8).
        let (low, high) = measured.interval().unwrap();
        assert!((low - (0.75 - Z95 * 0.125f64.sqrt())).abs() < 1e-12);
        assert_eq!(high, 1.0);
    }

    #[test]
    fn a_missing_class_leaves_it_undefined() {
        assert_eq!(auc(&[0.1, 0.2], &labels(&[1, 1])).unwrap(), Measured::Undefined);
        assert_eq!(auc(&[0.1, 0.2], &[None, Some(Label(1))]).unwrap(), Measured::Undefined);
        let beliefs = Probabilities(Columns::repeat(&[0.5, 0.3, 0.2], 2));
        let result = auc_one_vs_rest(&beliefs, &labels(&[0, 1])).unwrap();
        assert_eq!(result.of_class[2], Measured::Undefined);
        assert_eq!(result.mean.value(), Some(0.5));
        let alone = auc_one_vs_rest(&beliefs, &labels(&[1, 1])).unwrap();
        assert_eq!(alone.mean, Measured::Undefined);
    }

    #[test]
    fn misuse_is_named() {
        assert!(auc(&[0.1], &labels(&[0, 1])).unwrap_err().to_string().starts_with("the scores: 1 entries"));
        assert!(auc(&[0.1, f64::INFINITY], &labels(&[0, 1])).unwrap_err().to_string().starts_with("score 1"));
        assert!(
            auc(&[0.1, 0.2], &labels(&[0, 2])).unwrap_err().to_string().starts_with("the true label of case 1 is 2")
        );
    }

    proptest! {
        #[test]
        fn equals_the_count_over_all_pairs(cases in prop::collection::vec((0i32..6, 0u16..2), 2..60)) {
            let scores: Vec<f64> = cases.iter().map(|c| f64::from(c.0)).collect();
            let truth: Vec<_> = cases.iter().map(|c| Some(Label(c.1))).collect();
            let (mut wins, mut pairs) = (0.0, 0);
            for (s, _) in cases.iter().filter(|c| c.1 == 1) {
                for (t, _) in cases.iter().filter(|c| c.1 == 0) {
                    wins += f64::midpoint(f64::from(s.cmp(t) as i8), 1.0);
                    pairs += 1;
                }
            }
            let measured = auc(&scores, &truth).unwrap();
            prop_assert_eq!(measured.is_defined(), pairs > 0);
            if let Some(value) = measured.value() {
                prop_assert!((value - wins / f64::from(pairs)).abs() < 1e-12);
            }
        }

        #[test]
        fn of_hard_predictions_is_balanced_accuracy(cases in prop::collection::vec((0u16..2, 0u16..2), 1..40)) {
            let truth: Vec<_> = cases.iter().map(|c| Some(Label(c.1))).collect();
            let predicted: Vec<Label> = cases.iter().map(|c| Label(c.0)).collect();
            let scores: Vec<f64> = cases.iter().map(|c| f64::from(c.0)).collect();
            if let Some(value) = auc(&scores, &truth).unwrap().value() {
                let balanced = Confusion::of(&predicted, &truth, 2).unwrap().balanced_accuracy().value().unwrap();
                prop_assert!((value - balanced).abs() < 1e-12);
            }
        }

        #[test]
        fn two_classes_have_one_area(p in prop::collection::vec((0.0f64..1.0, 0u16..2), 2..40)) {
            let truth: Vec<_> = p.iter().map(|c| Some(Label(c.1))).collect();
            let scores: Vec<f64> = p.iter().map(|c| c.0).collect();
            let columns = p.iter().flat_map(|c| [1.0 - c.0, c.0]).collect();
            let both = auc_one_vs_rest(&Probabilities(Columns::from_values(2, columns)), &truth).unwrap();
            let one = auc(&scores, &truth).unwrap();
            prop_assert_eq!(one.is_defined(), both.mean.is_defined());
            if let (Some(one), Some(both)) = (one.value(), both.mean.value()) {
                prop_assert!((one - both).abs() < 1e-9);
            }
        }
    }
}
