//! Right or wrong, case by case, and the confusion of classes.

use deferral_core::{Label, Stream};
use serde::{Deserialize, Serialize};

use crate::bootstrap::{Bootstrap, Difference, Resampling};
use crate::error::{MetricError, check_label, check_length};
use crate::estimate::{Measured, proportion};

/// For each case whether it was decided rightly; `None` where the truth is not known or nothing was decided.
///
/// ```
/// use deferral_core::Label;
/// use deferral_metrics::Correctness;
/// let truth = [Some(Label(1)), Some(Label(0)), None];
/// let correct = Correctness::of(&[Label(1), Label(1), Label(0)], &truth)?;
/// assert_eq!(correct.of_case, [Some(true), Some(false), None]);
/// assert_eq!((correct.accuracy().value(), correct.accuracy().n(), correct.without_truth), (Some(0.5), 2, 1));
/// # Ok::<(), deferral_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correctness {
    /// Whether each of the n cases was decided rightly.
    pub of_case: Vec<Option<bool>>,
    /// Cases left out because the truth is not known.
    pub without_truth: usize,
    /// Cases left out although the truth is known, because nothing was decided.
    pub undecided: usize,
}

/// The accuracies of two systems compared on the cases that both can be judged on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// Accuracy of the first minus accuracy of the second.
    pub comparison: Difference,
    /// Cases left out because at least one system cannot be judged on them.
    pub left_out: usize,
}

impl Correctness {
    /// Compares `predicted`, a label or an optional label a case, with `truth`.
    ///
    /// # Errors
    /// If the two differ in length.
    pub fn of<P: Copy + Into<Option<Label>>>(predicted: &[P], truth: &[Option<Label>]) -> Result<Self, MetricError> {
        check_length("the predicted labels", predicted.len(), truth.len())?;
        let pairs = || predicted.iter().map(|&p| p.into()).zip(truth.iter().copied());
        Ok(Self {
            of_case: pairs().map(|(predicted, truth)| Some(predicted? == truth?)).collect(),
            without_truth: pairs().filter(|(_, truth)| truth.is_none()).count(),
            undecided: pairs().filter(|(predicted, truth)| truth.is_some() && predicted.is_none()).count(),
        })
    }

    /// Number of cases, judged or not.
    pub fn len(&self) -> usize {
        self.of_case.len()
    }

    /// Whether there is no case.
    pub fn is_empty(&self) -> bool {
        self.of_case.is_empty()
    }

    /// The share of the judged cases that is right, with its Wilson interval.
    pub fn accuracy(&self) -> Measured {
        share(self.of_case.iter().copied())
    }

    /// The share of right ones among `cases`, each counted as often as it is named: a statistic for [`Bootstrap`].
    /// `None` if none of them is judged.
    pub fn accuracy_of(&self, cases: &[usize]) -> Option<f64> {
        share(cases.iter().map(|&case| self.of_case.get(case).copied().flatten())).value()
    }

    /// Compares two systems on the same cases by the paired bootstrap.
    ///
    /// # Errors
    /// As [`Bootstrap::measure`], or if the two are not about the same number of cases.
    pub fn compare(&self, other: &Self, bootstrap: &Bootstrap, stream: &Stream) -> Result<Paired, MetricError> {
        check_length("the second system", other.len(), self.len())?;
        let judged = self.of_case.iter().zip(&other.of_case).filter_map(|(&a, &b)| Some((a?, b?)));
        let (first, second): (Vec<Option<bool>>, Vec<Option<bool>>) = judged.map(|(a, b)| (Some(a), Some(b))).unzip();
        let accuracy = |of_case: &[Option<bool>], cases: &[usize]| share(cases.iter().map(|&c| of_case[c])).value();
        let comparison = bootstrap.paired(
            first.len(),
            Resampling::Plain,
            stream,
            |cases| accuracy(&first, cases),
            |cases| accuracy(&second, cases),
        )?;
        Ok(Paired { comparison, left_out: self.len() - first.len() })
    }
}

/// The share of right ones among those that are judged.
pub(crate) fn share(judged: impl Iterator<Item = Option<bool>>) -> Measured {
    let (mut right, mut n) = (0, 0);
    for correct in judged.flatten() {
        right += usize::from(correct);
        n += 1;
    }
    proportion(right, n)
}

/// The accuracy of `predicted` against `truth`, over the cases where both are known; [`Correctness`] also counts the
/// others.
///
/// # Errors
/// If the two differ in length.
pub fn accuracy<P: Copy + Into<Option<Label>>>(
    predicted: &[P],
    truth: &[Option<Label>],
) -> Result<Measured, MetricError> {
    Ok(Correctness::of(predicted, truth)?.accuracy())
}

/// Which class was taken for which, K x K counts.
///
/// ```
/// use deferral_core::Label;
/// use deferral_metrics::Confusion;
/// let truth = [0, 0, 1, 1].map(|k| Some(Label(k)));
/// let confusion = Confusion::of(&[0, 1, 1, 1].map(Label), &truth, 3)?;
/// assert_eq!(confusion.count(Label(0), Label(1)), 1);
/// assert_eq!(confusion.recall(Label(0)).value(), Some(0.5));
/// assert_eq!(confusion.precision(Label(1)).to_string(), "0.6667");
/// assert!(!confusion.recall(Label(2)).is_defined());
/// # Ok::<(), deferral_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    classes: usize,
    /// Row by row: true class, then predicted class.
    counts: Vec<usize>,
    /// Cases left out because the truth is not known.
    pub without_truth: usize,
    /// Cases left out although the truth is known, because nothing was decided.
    pub undecided: usize,
}

impl Confusion {
    /// Counts `predicted` against `truth` over K = `classes`. O(n + K^2).
    ///
    /// # Errors
    /// If the two differ in length or a label is not below K.
    pub fn of<P: Copy + Into<Option<Label>>>(
        predicted: &[P],
        truth: &[Option<Label>],
        classes: usize,
    ) -> Result<Self, MetricError> {
        check_length("the predicted labels", predicted.len(), truth.len())?;
        let mut confusion = Self { classes, counts: vec![0; classes * classes], without_truth: 0, undecided: 0 };
        for (case, (&predicted, &truth)) in predicted.iter().zip(truth).enumerate() {
            let predicted = predicted.into();
            for (what, label) in [("the predicted label", predicted), ("the true label", truth)] {
                label.map_or(Ok(()), |label| check_label(what, case, label, classes))?;
            }
            match (truth, predicted) {
                (None, _) => confusion.without_truth += 1,
                (Some(_), None) => confusion.undecided += 1,
                (Some(truth), Some(predicted)) => confusion.counts[truth.index() * classes + predicted.index()] += 1,
            }
        }
        Ok(confusion)
    }

    /// Number of classes, K.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Cases of class `truth` taken for class `predicted`; 0 for classes that do not exist.
    pub fn count(&self, truth: Label, predicted: Label) -> usize {
        let exists = truth.index() < self.classes && predicted.index() < self.classes;
        if exists { self.counts[truth.index() * self.classes + predicted.index()] } else { 0 }
    }

    /// The share of the cases of `label` that was recognised.
    pub fn recall(&self, label: Label) -> Measured {
        proportion(self.count(label, label), self.labels().map(|other| self.count(label, other)).sum())
    }

    /// The share of the cases taken for `label` that is of it.
    pub fn precision(&self, label: Label) -> Measured {
        proportion(self.count(label, label), self.labels().map(|other| self.count(other, label)).sum())
    }

    /// The share of the cases that was recognised.
    pub fn accuracy(&self) -> Measured {
        proportion(self.labels().map(|label| self.count(label, label)).sum(), self.counts.iter().sum())
    }

    /// The mean recall of the classes that occur: for two classes (TPR + TNR) / 2, the AUC of hard predictions.
    pub fn balanced_accuracy(&self) -> Measured {
        let recalls: Vec<f64> = self.labels().filter_map(|label| self.recall(label).value()).collect();
        Measured::new(recalls.iter().sum::<f64>() / recalls.len() as f64, self.counts.iter().sum())
    }

    fn labels(&self) -> impl Iterator<Item = Label> {
        (0..self.classes).map(Label::at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some(labels: &[u16]) -> Vec<Option<Label>> {
        labels.iter().map(|&k| Some(Label(k))).collect()
    }

    #[test]
    fn what_cannot_be_judged_is_counted() {
        let predicted = [Some(Label(0)), None, None, Some(Label(2))];
        let truth = [Some(Label(0)), Some(Label(1)), None, None];
        let correct = Correctness::of(&predicted, &truth).unwrap();
        assert_eq!((correct.accuracy().n(), correct.without_truth, correct.undecided), (1, 2, 1));
        let confusion = Confusion::of(&predicted, &truth, 3).unwrap();
        assert_eq!((confusion.accuracy().n(), confusion.without_truth, confusion.undecided), (1, 2, 1));
        assert_eq!(accuracy::<Label>(&[], &[]).unwrap(), Measured::Undefined);
        assert_eq!(correct.accuracy_of(&[1, 2, 99]), None);
    }

    #[test]
    fn misuse_is_named() {
        let error = Correctness::of(&[Label(0)], &some(&[0, 1])).unwrap_err().to_string();
        assert!(error.starts_with("the predicted labels: 1 entries for 2 cases"), "{error}");
        let error = Confusion::of(&[Label(0), Label(7)], &some(&[0, 1]), 2).unwrap_err().to_string();
        assert_eq!(error, "the predicted label of case 1 is 7, but there are only 2 classes, 0 to 1");
        assert!(Confusion::of(&[None::<Label>], &some(&[3]), 2).is_err());
    }

    #[test]
    fn two_systems_are_compared_on_common_cases() {
        let truth = some(&[0; 40]);
        let good: Vec<Label> = (0..40).map(|i| Label(u16::from(i % 10 == 0))).collect();
        let bad: Vec<Option<Label>> = (0..40).map(|i| (i != 0).then(|| Label(u16::from(i % 2 == 0)))).collect();
        let (good, bad) = (Correctness::of(&good, &truth).unwrap(), Correctness::of(&bad, &truth).unwrap());
        let bootstrap = Bootstrap { resamples: 500, level: 0.95 };
        let paired = good.compare(&bad, &bootstrap, &Stream::new(4)).unwrap();
        assert_eq!((paired.left_out, paired.comparison.difference.n()), (1, 39));
        assert!((paired.comparison.difference.value().unwrap() - 16.0 / 39.0).abs() < 1e-12);
        let (low, high) = paired.comparison.difference.interval().unwrap();
        assert!(0.0 < low && low < 16.0 / 39.0 && 16.0 / 39.0 < high);
        assert_eq!(paired.comparison.p, Some(2.0 / 501.0));
    }

    proptest! {
        #[test]
        fn confusion_and_correctness_agree(pairs in prop::collection::vec((0u16..4, 0u16..4), 1..60)) {
            let (predicted, truth): (Vec<u16>, Vec<u16>) = pairs.iter().copied().unzip();
            let predicted: Vec<Label> = predicted.into_iter().map(Label).collect();
            let confusion = Confusion::of(&predicted, &some(&truth), 4).unwrap();
            prop_assert_eq!(confusion.accuracy(), accuracy(&predicted, &some(&truth)).unwrap());
            let weighted: f64 = (0..4).filter_map(|k| {
                let recall = confusion.recall(Label(k)).estimate()?;
                Some(recall.value * recall.n as f64)
            }).sum();
            prop_assert!((weighted / pairs.len() as f64 - confusion.accuracy().value().unwrap()).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&confusion.balanced_accuracy().value().unwrap()));
        }
    }
}
