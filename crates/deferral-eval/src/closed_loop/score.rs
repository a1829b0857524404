//! How right a method was on one trial.

use deferral_core::Label;
use serde::Serialize;

use super::data::Gold;
use super::method::{Run, Trial};

/// How right a method was on one trial.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// Against each gold.
    pub golds: Vec<GoldScore>,
    /// The share of test cases whose annotator knows the group of the case; `None` if labels are not those of one
    /// annotator.
    pub assignment: Option<f64>,
    /// Labels heard per training case.
    pub training_labels: f64,
    /// Labels heard per test case.
    pub test_labels: f64,
}

/// How right the labels of test cases are, of those whose gold is known. A case without an answer is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GoldScore {
    /// The share that is right; `None` without gold.
    pub accuracy: Option<f64>,
    /// The area under the ROC curve of the decided labels, which for two classes is (TPR + TNR) / 2: the mean over the
    /// classes of the share that is right. `None` if a class does not occur.
    pub auc: Option<f64>,
}

impl Score {
    pub(super) fn of(trial: &Trial<'_>, run: &Run) -> Self {
        let golds = trial.data.golds().iter().map(|gold| GoldScore::of(trial, run, gold)).collect();
        let n = trial.test.len().max(1) as f64;
        let chosen =
            || run.answers.iter().zip(trial.test).filter_map(|(answer, &case)| Some((answer.annotator?, case)));
        let own = chosen().filter(|(annotator, case)| trial.data.is_own(annotator.index(), *case)).count();
        Self {
            golds,
            assignment: (chosen().count() > 0).then(|| own as f64 / n),
            training_labels: run.training_labels as f64 / trial.train.len().max(1) as f64,
            test_labels: run.answers.iter().map(|answer| answer.labels).sum::<usize>() as f64 / n,
        }
    }
}

impl GoldScore {
    fn of(trial: &Trial<'_>, run: &Run, gold: &Gold) -> Self {
        let mut right_of_class = vec![(0, 0); trial.data.data().k()];
        for (answer, &case) in run.answers.iter().zip(trial.test) {
            let Some(truth) = gold.labels[case] else { continue };
            if let Some((right, all)) = right_of_class.get_mut(truth.index()) {
                *right += usize::from(answer.label == Some(truth));
                *all += 1;
            }
        }
        let share = |&(right, all): &(usize, usize)| (all > 0).then(|| right as f64 / all as f64);
        let sum = right_of_class.iter().fold((0, 0), |sum, class| (sum.0 + class.0, sum.1 + class.1));
        let shares: Option<Vec<f64>> = right_of_class.iter().map(share).collect();
        let mean = |shares: Vec<f64>| shares.iter().sum::<f64>() / shares.len() as f64;
        Self { accuracy: share(&sum), auc: shares.map(mean) }
    }
}

/// The share of `labels` that are the gold of their cases.
pub(super) fn accuracy(gold: &Gold, labels: impl Iterator<Item = (usize, Option<Label>)>) -> Option<f64> {
    let judged = labels.filter_map(|(case, label)| gold.labels[case].map(|truth| label == Some(truth)));
    let (right, all) =
        judged.fold((0_usize, 0_usize), |(right, all), is_right| (right + usize::from(is_right), all + 1));
    (all > 0).then(|| right as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::super::data::LoopData;
    use super::super::method::Answer;
    use super::*;
    use deferral_core::{ExpertId, Stream};
    use deferral_experts::OwnClusters;

    #[test]
    fn shares_by_hand() {
        let clusters = OwnClusters { cases: 9, ..OwnClusters::default() }.generate(&Stream::new(1)).unwrap();
        let gold = |labels: [Option<u16>; 9]| Gold { name: "g".into(), labels: labels.map(|l| l.map(Label)).to_vec() };
        let known = gold([Some(1), Some(1), Some(1), Some(0), Some(0), Some(0), None, Some(0), Some(0)]);
        let one_class = gold([Some(1); 9]);
        let data = LoopData::new(clusters, "cluster", vec![0, 1, 2], |_, _| 0.5).unwrap();
        let data = data.with_golds(vec![known, one_class]).unwrap();
        let stream = Stream::new(1);
        let trial =
            Trial { data: &data, train: &[7, 8], test: &[0, 1, 2, 3, 6], groups_at_test: false, stream: &stream };
        let answer = |label: Option<u16>, annotator: u32| Answer {
            label: label.map(Label),
            annotator: Some(ExpertId(annotator)),
            labels: usize::from(label.is_some()),
        };
        let answers = [answer(Some(1), 0), answer(Some(1), 2), answer(Some(0), 2), answer(Some(0), 1), answer(None, 0)];
        let score = Score::of(&trial, &Run { answers: answers.to_vec(), training_labels: 6 });
        assert_eq!(score.golds[0].accuracy, Some(0.75), "two of three ones and the only zero");
        assert!((score.golds[0].auc.unwrap() - 0.5 * (2.0 / 3.0 + 1.0)).abs() < 1e-12);
        assert_eq!((score.golds[1].accuracy, score.golds[1].auc), (Some(0.4), None));
        assert_eq!((score.assignment, score.training_labels, score.test_labels), (Some(0.6), 3.0, 0.8));
        let labels = [(0, Some(Label(1))), (3, None), (6, Some(Label(0)))];
        assert_eq!(accuracy(&data.golds()[0], labels.into_iter()), Some(0.5));
    }
}
