//! False positives and false negatives by group, and the disparate impact between groups. Two classes, 1 is positive.

use deferral_core::{GroupAttribute, Label, Stream};
use serde::{Deserialize, Serialize};

use crate::bootstrap::{Bootstrap, Bootstrapped, Resampling};
use crate::error::{MetricError, check_groups, check_label, check_length};
use crate::estimate::{Measured, proportion};
use crate::groups::spread_of;

/// How wrong each case was decided, by truth and group: from labels (hard) or from probabilities (soft).
///
/// The error of a case is 1 or 0 for labels, and |p - y| for a probability p of class 1. A false positive rate is the
/// mean error of a group's cases with y = 0, a false negative rate that of its cases with y = 1 (Madras, Pitassi and
/// Zemel 2018). A cell without a case has no rate here; the penalties that training uses count it as 0. O(n + G).
///
/// ```
/// use deferral_core::{GroupAttribute, Label};
/// use deferral_metrics::ErrorRates;
/// let truth = [0, 0, 0, 0, 1, 1, 1, 1].map(|y| Some(Label(y)));
/// let group = GroupAttribute::from_values("A", ["0", "0", "1", "1", "0", "0", "1", "1"]);
/// let soft = ErrorRates::soft(&[0.2, 0.6, 0.7, 0.9, 0.9, 0.3, 0.8, 0.4], &truth, &group)?;
/// assert_eq!(soft.disparate_impact().to_string(), "0.2000");
/// assert_eq!(soft.by_group()[1].false_positive.to_string(), "0.8000");
/// # Ok::<(), deferral_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ErrorRates<'a> {
    attribute: &'a GroupAttribute,
    /// Truth and error of each case, `None` where it cannot be judged.
    of_case: Vec<Option<(bool, f64)>>,
    hard: bool,
    /// Cases left out because the truth is not known.
    pub without_truth: usize,
    /// Cases left out although the truth is known, because nothing was decided.
    pub undecided: usize,
}

/// The error rates of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupRates {
    /// The group's name.
    pub group: String,
    /// Mean error of the cases with y = 0, FPR; with a Wilson interval if hard.
    pub false_positive: Measured,
    /// Mean error of the cases with y = 1, FNR; with a Wilson interval if hard.
    pub false_negative: Measured,
}

impl<'a> ErrorRates<'a> {
    /// From decided labels, one or an optional one a case.
    ///
    /// # Errors
    /// If the lists differ in length, a label is not 0 or 1, or a group has no name.
    pub fn hard<P: Copy + Into<Option<Label>>>(
        predicted: &[P],
        truth: &[Option<Label>],
        attribute: &'a GroupAttribute,
    ) -> Result<Self, MetricError> {
        check_length("the predicted labels", predicted.len(), truth.len())?;
        let predicted: Vec<Option<Label>> = predicted.iter().map(|&p| p.into()).collect();
        for (case, label) in predicted.iter().enumerate() {
            label.map_or(Ok(()), |label| check_label("the predicted label", case, label, 2))?;
        }
        let error = |case: usize, y: f64| predicted[case].map(|label| (f64::from(label.0) - y).abs());
        Self::of(error, true, truth, attribute)
    }

    /// From probabilities of class 1, one a case.
    ///
    /// # Errors
    /// If the lists differ in length, a probability is not in [0, 1], a true label is not 0 or 1, or a group has no
    /// name.
    pub fn soft(p: &[f64], truth: &[Option<Label>], attribute: &'a GroupAttribute) -> Result<Self, MetricError> {
        check_length("the probabilities", p.len(), truth.len())?;
        if let Some(at) = p.iter().position(|p| !(0.0..=1.0).contains(p)) {
            return Err(MetricError::Value { what: "probability", at, value: p[at], expected: "between 0 and 1" });
        }
        Self::of(|case, y| Some((p[case] - y).abs()), false, truth, attribute)
    }

    fn of(
        error: impl Fn(usize, f64) -> Option<f64>,
        hard: bool,
        truth: &[Option<Label>],
        attribute: &'a GroupAttribute,
    ) -> Result<Self, MetricError> {
        check_groups(attribute, truth.len())?;
        let mut rates =
            Self { attribute, of_case: Vec::with_capacity(truth.len()), hard, without_truth: 0, undecided: 0 };
        for (case, &truth) in truth.iter().enumerate() {
            truth.map_or(Ok(()), |label| check_label("the true label", case, label, 2))?;
            let judged = truth.map(|y| (y == Label(1), error(case, f64::from(y.0))));
            rates.without_truth += usize::from(judged.is_none());
            rates.undecided += usize::from(matches!(judged, Some((_, None))));
            rates.of_case.push(judged.and_then(|(y, error)| Some((y, error?))));
        }
        Ok(rates)
    }

    /// The rates of every group, in the attribute's order.
    pub fn by_group(&self) -> Vec<GroupRates> {
        let all: Vec<usize> = (0..self.of_case.len()).collect();
        let measure = |&(errors, n): &(f64, usize)| {
            // Errors of labels are ones and zeros: their sum is a count.
            if self.hard { proportion(errors as usize, n) } else { Measured::new(errors / n as f64, n) }
        };
        let groups = self.attribute.values.iter().zip(self.cells(&all));
        groups
            .map(|(name, [negatives, positives])| GroupRates {
                group: name.to_owned(),
                false_positive: measure(&negatives),
                false_negative: measure(&positives),
            })
            .collect()
    }

    /// Disparate impact `DI = 1/2 (|FPR_0 - FPR_1| + |FNR_0 - FNR_1|)`; for G groups each difference is the largest
    /// between any two groups that have the rate. Undefined if fewer than two groups have one of the rates. n counts
    /// the judged cases.
    pub fn disparate_impact(&self) -> Measured {
        let all: Vec<usize> = (0..self.of_case.len()).collect();
        let n = self.of_case.iter().flatten().count();
        self.disparate_impact_of(&all).map_or(Measured::Undefined, |value| Measured::new(value, n))
    }

    /// Disparate impact on `cases`, each counted as often as it is named: a statistic for [`Bootstrap`].
    pub fn disparate_impact_of(&self, cases: &[usize]) -> Option<f64> {
        let cells = self.cells(cases);
        let difference = |truth: usize| {
            let defined = cells.iter().map(|cell| cell[truth]).filter(|(_, n)| *n > 0);
            let rates: Vec<f64> = defined.map(|(errors, n)| errors / n as f64).collect();
            (rates.len() > 1).then(|| spread_of(&rates))
        };
        Some(f64::midpoint(difference(0)?, difference(1)?))
    }

    /// Disparate impact with a bootstrap interval. Being a sum of absolute differences, its resamples lie too high when
    /// the groups are in truth equal.
    ///
    /// # Errors
    /// As [`Bootstrap::measure`].
    pub fn bootstrap_disparate_impact(
        &self,
        bootstrap: &Bootstrap,
        resampling: Resampling<'_>,
        stream: &Stream,
    ) -> Result<Bootstrapped, MetricError> {
        bootstrap.measure(self.of_case.len(), resampling, stream, |cases| self.disparate_impact_of(cases))
    }

    /// Summed error and number of cases for y = 0 and y = 1 in each group.
    fn cells(&self, cases: &[usize]) -> Vec<[(f64, usize); 2]> {
        let mut cells = vec![[(0.0, 0); 2]; self.attribute.len()];
        for &case in cases {
            if let Some((positive, error)) = self.of_case.get(case).copied().flatten() {
                let (errors, n) = &mut cells[self.attribute.of_case[case].index()][usize::from(positive)];
                *errors += error;
                *n += 1;
            }
        }
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(values: &[u16]) -> Vec<Option<Label>> {
        values.iter().map(|&y| Some(Label(y))).collect()
    }

    fn example() -> (Vec<f64>, Vec<Option<Label>>, GroupAttribute) {
        let group = GroupAttribute::from_values("A", ["0", "0", "1", "1", "0", "0", "1", "1"]);
        (vec![0.2, 0.6, 0.7, 0.9, 0.9, 0.3, 0.8, 0.4], labels(&[0, 0, 0, 0, 1, 1, 1, 1]), group)
    }

    #[test]
    fn the_example_of_the_specification() {
        let (p, truth, group) = example();
        let soft = ErrorRates::soft(&p, &truth, &group).unwrap();
        let cells: Vec<f64> = [|r: &GroupRates| r.false_positive, |r: &GroupRates| r.false_negative]
            .iter()
            .flat_map(|rate| soft.by_group().iter().map(|r| rate(r).value().unwrap()).collect::<Vec<_>>())
            .collect();
        for (found, expected) in cells.iter().zip([0.4, 0.8, 0.4, 0.4]) {
            assert!((found - expected).abs() < 1e-12);
        }
        assert!((soft.disparate_impact().value().unwrap() - 0.2).abs() < 1e-12);
        let rounded: Vec<Label> = p.iter().map(|&p| Label(u16::from(p > 0.5))).collect();
        let hard = ErrorRates::hard(&rounded, &truth, &group).unwrap();
        let rates = hard.by_group();
        assert_eq!(rates.iter().map(|r| r.false_positive.value().unwrap()).collect::<Vec<_>>(), [0.5, 1.0]);
        assert_eq!(rates.iter().map(|r| r.false_negative.value().unwrap()).collect::<Vec<_>>(), [0.5, 0.5]);
        assert!(rates[0].false_positive.interval().is_some());
        assert_eq!((hard.disparate_impact().value(), hard.disparate_impact().n()), (Some(0.25), 8));
    }

    #[test]
    fn many_groups_take_the_largest_difference() {
        let group = GroupAttribute::from_values("A", ["a", "b", "c", "a", "b", "c"]);
        let truth = labels(&[0, 0, 0, 1, 1, 1]);
        let rates = ErrorRates::soft(&[0.1, 0.4, 0.3, 0.9, 0.9, 0.7], &truth, &group).unwrap();
        assert!((rates.disparate_impact().value().unwrap() - 0.25).abs() < 1e-12);
    }

    #[test]
    fn an_empty_cell_has_no_rate() {
        let group = GroupAttribute::from_values("A", ["a", "b", "a"]);
        let predicted = [Some(Label(1)), Some(Label(0)), None];
        let rates = ErrorRates::hard(&predicted, &[Some(Label(0)), Some(Label(0)), Some(Label(1))], &group).unwrap();
        assert_eq!((rates.undecided, rates.without_truth), (1, 0));
        assert_eq!(rates.by_group()[0].false_negative, Measured::Undefined);
        assert_eq!(rates.disparate_impact(), Measured::Undefined);
        let bootstrap = Bootstrap { resamples: 20, level: 0.9 };
        let result = rates.bootstrap_disparate_impact(&bootstrap, Resampling::Plain, &Stream::new(1)).unwrap();
        assert_eq!((result.measured, result.undefined), (Measured::Undefined, 20));
    }

    #[test]
    fn misuse_is_named() {
        let (mut p, truth, group) = example();
        p[3] = f64::NAN;
        let error = ErrorRates::soft(&p, &truth, &group).unwrap_err().to_string();
        assert_eq!(error, "probability 3 (counted from 0) is NaN, but must be between 0 and 1");
        assert!(ErrorRates::hard(&[Label(2)], &labels(&[0]), &group).is_err());
        assert!(ErrorRates::soft(&[0.5; 8], &labels(&[2; 8]), &group).is_err());
    }

    proptest! {
        #[test]
        fn soft_rates_of_certain_probabilities_are_hard_rates(
            cases in prop::collection::vec((0u16..2, 0u16..2, 0usize..3), 1..50),
        ) {
            let truth: Vec<_> = cases.iter().map(|c| Some(Label(c.0))).collect();
            let group = GroupAttribute::from_values("g", cases.iter().map(|c| c.2.to_string()));
            let predicted: Vec<Label> = cases.iter().map(|c| Label(c.1)).collect();
            let p: Vec<f64> = cases.iter().map(|c| f64::from(c.1)).collect();
            let hard = ErrorRates::hard(&predicted, &truth, &group).unwrap().disparate_impact();
            let soft = ErrorRates::soft(&p, &truth, &group).unwrap().disparate_impact();
            prop_assert_eq!(hard, soft);
            prop_assert!(hard.value().is_none_or(|di| (0.0..=1.0).contains(&di)));
        }
    }
}
