//! Accuracy for every group, the worst of them, and how far apart they are.

use deferral_core::{GroupAttribute, Stream};
use serde::{Deserialize, Serialize};

use crate::accuracy::{Correctness, share};
use crate::bootstrap::{Bootstrap, Bootstrapped, Resampling};
use crate::error::{MetricError, check_groups};
use crate::estimate::{Estimate, Measured};

/// Accuracy by the values of one group attribute; any number of groups, also crossed ones
/// ([`GroupAttribute::cross`]). O(n + G).
///
/// ```
/// use deferral_core::{GroupAttribute, Label};
/// use deferral_metrics::{Correctness, GroupAccuracy};
/// let dialect = GroupAttribute::from_values("dialect", ["AAE", "AAE", "other", "other"]);
/// let correct = Correctness::of(&[1, 0, 1, 1].map(Label), &[Some(Label(1)); 4])?;
/// let groups = GroupAccuracy::of(&correct, &dialect)?;
/// assert_eq!(groups.worst().unwrap().group, "AAE");
/// assert_eq!(groups.disparity().value(), Some(0.5));
/// # Ok::<(), deferral_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupAccuracy {
    /// The attribute's name.
    pub attribute: String,
    /// One entry for each of its G values, in their order.
    pub groups: Vec<GroupMeasure>,
}

/// The accuracy on one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupMeasure {
    /// The group's name.
    pub group: String,
    /// The share of its judged cases that is right, with its Wilson interval; undefined without a judged case.
    pub accuracy: Measured,
}

impl GroupAccuracy {
    /// The accuracy of each group.
    ///
    /// # Errors
    /// If the attribute is not for the same cases or has a group without a name.
    pub fn of(correct: &Correctness, attribute: &GroupAttribute) -> Result<Self, MetricError> {
        check_groups(attribute, correct.len())?;
        let members = members(attribute);
        let measure = |(name, cases): (&str, &Vec<usize>)| GroupMeasure {
            group: name.to_owned(),
            accuracy: share(cases.iter().map(|&case| correct.of_case[case])),
        };
        let groups = attribute.values.iter().zip(&members).map(measure).collect();
        Ok(Self { attribute: attribute.name.clone(), groups })
    }

    /// The group with the lowest accuracy, the first on ties; `None` if no group is defined. Its interval is that
    /// group's own and does not know that it was picked for being the lowest; [`GroupAccuracy::bootstrap_worst`] does.
    pub fn worst(&self) -> Option<&GroupMeasure> {
        self.defined()
            .reduce(|worst, next| if next.1.value < worst.1.value { next } else { worst })
            .map(|(group, _)| group)
    }

    /// The group with the highest accuracy, the first on ties; `None` if no group is defined.
    pub fn best(&self) -> Option<&GroupMeasure> {
        self.defined()
            .reduce(|best, next| if next.1.value > best.1.value { next } else { best })
            .map(|(group, _)| group)
    }

    /// Highest minus lowest accuracy over the defined groups; undefined for fewer than two of them. n counts the cases
    /// of all defined groups. The interval is Newcombe's (1998, method 10) for the difference between these two groups:
    /// an end below 0 says that their order is not certain. Picking the extremes makes the value itself too large on
    /// average, the more groups and the smaller.
    pub fn disparity(&self) -> Measured {
        let accuracy = |group: Option<&GroupMeasure>| group.and_then(|g| g.accuracy.estimate());
        let n = self.defined().map(|(_, estimate)| estimate.n).sum();
        match (accuracy(self.best()), accuracy(self.worst())) {
            (Some(best), Some(worst)) if self.defined().count() > 1 => {
                Measured::with_interval(best.value - worst.value, n, newcombe(&best, &worst))
            }
            _ => Measured::Undefined,
        }
    }

    /// The disparity with a bootstrap interval, in which the extreme groups may change with the resample. A percentile
    /// interval of a maximum over groups lies too high when the groups are in truth equal.
    ///
    /// # Errors
    /// As [`GroupAccuracy::of`] and [`Bootstrap::measure`].
    pub fn bootstrap_disparity(
        correct: &Correctness,
        attribute: &GroupAttribute,
        bootstrap: &Bootstrap,
        resampling: Resampling<'_>,
        stream: &Stream,
    ) -> Result<Bootstrapped, MetricError> {
        check_groups(attribute, correct.len())?;
        bootstrap.measure(correct.len(), resampling, stream, |cases| {
            let groups = accuracies_of(correct, attribute, cases);
            (groups.len() > 1).then(|| spread_of(&groups))
        })
    }

    /// The lowest group accuracy with a bootstrap interval, in which the worst group may change with the resample.
    ///
    /// # Errors
    /// As [`GroupAccuracy::of`] and [`Bootstrap::measure`].
    pub fn bootstrap_worst(
        correct: &Correctness,
        attribute: &GroupAttribute,
        bootstrap: &Bootstrap,
        resampling: Resampling<'_>,
        stream: &Stream,
    ) -> Result<Bootstrapped, MetricError> {
        check_groups(attribute, correct.len())?;
        bootstrap.measure(correct.len(), resampling, stream, |cases| {
            accuracies_of(correct, attribute, cases).into_iter().reduce(f64::min)
        })
    }

    fn defined(&self) -> impl Iterator<Item = (&GroupMeasure, Estimate)> {
        self.groups.iter().filter_map(|group| Some((group, group.accuracy.estimate()?)))
    }
}

/// The cases of each group; the attribute must be checked.
pub(crate) fn members(attribute: &GroupAttribute) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); attribute.len()];
    for (case, group) in attribute.of_case.iter().enumerate() {
        members[group.index()].push(case);
    }
    members
}

/// Largest minus smallest.
pub(crate) fn spread_of(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest - values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The accuracies of those groups that have a judged case among `cases`.
fn accuracies_of(correct: &Correctness, attribute: &GroupAttribute, cases: &[usize]) -> Vec<f64> {
    let mut counts = vec![(0usize, 0usize); attribute.len()];
    for &case in cases {
        if let Some(right) = correct.of_case[case] {
            let (rights, n) = &mut counts[attribute.of_case[case].index()];
            *rights += usize::from(right);
            *n += 1;
        }
    }
    counts.iter().filter(|(_, n)| *n > 0).map(|&(rights, n)| rights as f64 / n as f64).collect()
}

/// The interval of a difference of two independent proportions from their Wilson intervals.
fn newcombe(first: &Estimate, second: &Estimate) -> Option<(f64, f64)> {
    let ((low1, high1), (low2, high2)) = (first.interval?, second.interval?);
    let difference = first.value - second.value;
    let below = (first.value - low1).hypot(high2 - second.value);
    let above = (high1 - first.value).hypot(second.value - low2);
    Some((difference - below, difference + above))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::Label;
    use proptest::prelude::*;

    fn judged(right: &[Option<bool>]) -> Correctness {
        Correctness { of_case: right.to_vec(), without_truth: 0, undecided: 0 }
    }

    #[test]
    fn an_empty_group_is_undefined_and_takes_no_part() {
        let attribute = GroupAttribute::from_values("g", ["a", "b", "c"]);
        let groups = GroupAccuracy::of(&judged(&[Some(true), None, Some(false)]), &attribute).unwrap();
        assert_eq!(groups.groups[1].accuracy, Measured::Undefined);
        assert_eq!(groups.worst().unwrap().group, "c");
        assert_eq!((groups.disparity().value(), groups.disparity().n()), (Some(1.0), 2));
        let alone = GroupAccuracy::of(&judged(&[Some(true), None, None]), &attribute).unwrap();
        assert_eq!(alone.disparity(), Measured::Undefined);
        let nobody = GroupAccuracy::of(&judged(&[None, None, None]), &attribute).unwrap();
        assert!(nobody.worst().is_none() && nobody.best().is_none());
    }

    #[test]
    fn newcombes_published_example() {
        // Newcombe 1998, table II (a): 56/70 against 48/80 gives 0.0524 to 0.3339.
        let interval =
            newcombe(&crate::proportion(56, 70).estimate().unwrap(), &crate::proportion(48, 80).estimate().unwrap());
        let (low, high) = interval.unwrap();
        assert!((low - 0.0524).abs() < 5e-5 && (high - 0.3339).abs() < 5e-5, "{low} {high}");
    }

    #[test]
    fn the_bootstrap_survives_a_tiny_group() {
        let attribute = GroupAttribute::from_values("g", (0..30).map(|i| if i == 0 { "rare" } else { "other" }));
        let correct = judged(&(0..30).map(|i| Some(i % 3 != 0)).collect::<Vec<_>>());
        let bootstrap = Bootstrap { resamples: 300, level: 0.95 };
        let run = |resampling| {
            GroupAccuracy::bootstrap_disparity(&correct, &attribute, &bootstrap, resampling, &Stream::new(1)).unwrap()
        };
        let plain = run(Resampling::Plain);
        assert!(plain.undefined > 50 && plain.defined > 100);
        assert!(plain.measured.interval().is_some());
        assert_eq!(run(Resampling::Stratified(&attribute)).undefined, 0);
        let worst =
            GroupAccuracy::bootstrap_worst(&correct, &attribute, &bootstrap, Resampling::Plain, &Stream::new(1))
                .unwrap();
        assert_eq!((worst.measured.value(), worst.undefined), (Some(0.0), 0));
    }

    #[test]
    fn a_foreign_attribute_is_refused() {
        let mut attribute = GroupAttribute::from_values("dialect", ["a", "b"]);
        assert!(GroupAccuracy::of(&judged(&[None]), &attribute).is_err());
        attribute.of_case[0].0 = 9;
        let error = GroupAccuracy::of(&judged(&[None, None]), &attribute).unwrap_err().to_string();
        assert_eq!(error, "attribute dialect: group 9 is named, but there are only 2 values");
    }

    proptest! {
        #[test]
        fn group_accuracies_average_to_the_whole(cases in prop::collection::vec((0usize..4, 0u16..3, 0u16..3), 1..60)) {
            let attribute = GroupAttribute::from_values("g", cases.iter().map(|c| c.0.to_string()));
            let predicted: Vec<Label> = cases.iter().map(|c| Label(c.1)).collect();
            let truth: Vec<_> = cases.iter().map(|c| Some(Label(c.2))).collect();
            let correct = Correctness::of(&predicted, &truth).unwrap();
            let groups = GroupAccuracy::of(&correct, &attribute).unwrap();
            let estimates: Vec<_> = groups.groups.iter().filter_map(|g| g.accuracy.estimate()).collect();
            let mean = estimates.iter().map(|e| e.value * e.n as f64).sum::<f64>() / cases.len() as f64;
            prop_assert!((mean - correct.accuracy().value().unwrap()).abs() < 1e-12);
            let all: Vec<usize> = (0..cases.len()).collect();
            let disparity = groups.disparity().value();
            let again = accuracies_of(&correct, &attribute, &all);
            prop_assert_eq!(disparity, (again.len() > 1).then(|| spread_of(&again)));
            prop_assert!(disparity.is_none_or(|d| (0.0..=1.0).contains(&d)));
        }
    }
}
