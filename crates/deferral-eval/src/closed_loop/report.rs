//! What came of all trials.

use deferral_metrics::Spread;
use serde::Serialize;

use super::score::Score;
use crate::table::{Table, three};

/// What came of all trials, method by method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoopReport {
    /// Trials.
    pub trials: usize,
    /// The names of the golds.
    pub golds: Vec<String>,
    /// One a method.
    pub rows: Vec<LoopRow>,
    /// Trials x methods.
    pub scores: Vec<Vec<Score>>,
}

/// One method over all trials.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoopRow {
    /// What it is called.
    pub method: String,
    /// Against each gold.
    pub golds: Vec<GoldRow>,
    /// The share of test cases whose annotator knows their group, if one annotator decides.
    pub assignment: Option<Spread>,
    /// Labels heard per training case.
    pub training_labels: f64,
    /// Labels heard per test case.
    pub test_labels: f64,
}

/// How right a method is against one gold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GoldRow {
    /// Of the labels of test cases, if any gold is known.
    pub accuracy: Option<Spread>,
    /// (TPR + TNR) / 2 of the labels, if every class occurs.
    pub auc: Option<Spread>,
}

impl LoopReport {
    /// `scores`: trials x methods.
    pub(super) fn of(methods: Vec<String>, golds: Vec<String>, scores: Vec<Vec<Score>>) -> Self {
        let rows = methods.into_iter().enumerate().map(|(at, method)| {
            let of_trials = || scores.iter().map(move |trial| &trial[at]);
            LoopRow::of(method, golds.len(), &of_trials().collect::<Vec<_>>())
        });
        Self { trials: scores.len(), rows: rows.collect(), golds, scores }
    }

    /// One row a method: for every gold the accuracy as mean (population standard deviation), the least and the AUC, the
    /// assignment accuracy and the least, labels per case in training and at test.
    pub fn table(&self) -> Table {
        let mut header = vec!["method".to_owned()];
        for gold in &self.golds {
            header.extend([format!("{gold} accuracy"), "least".to_owned(), format!("{gold} AUC")]);
        }
        header.extend(["assignment accuracy", "least", "labels/training case", "labels/test case"].map(str::to_owned));
        let row = |row: &LoopRow| {
            let mut cells = vec![row.method.clone()];
            for gold in &row.golds {
                cells.extend(mean_and_least(gold.accuracy.as_ref()));
                cells.push(mean(gold.auc.as_ref()));
            }
            cells.extend(mean_and_least(row.assignment.as_ref()));
            cells.extend([row.training_labels, row.test_labels].map(|labels| format!("{labels:.2}")));
            cells
        };
        Table { rows: self.rows.iter().map(row).collect(), header }
    }
}

impl LoopRow {
    fn of(method: String, golds: usize, scores: &[&Score]) -> Self {
        let spread = |value: &dyn Fn(&Score) -> Option<f64>| {
            Spread::of(&scores.iter().map(|score| value(score).unwrap_or(f64::NAN)).collect::<Vec<_>>())
        };
        let gold = |gold: usize| GoldRow {
            accuracy: spread(&|score| score.golds[gold].accuracy),
            auc: spread(&|score| score.golds[gold].auc),
        };
        let mean = |value: fn(&Score) -> f64| {
            scores.iter().map(|score| value(score)).sum::<f64>() / scores.len().max(1) as f64
        };
        Self {
            method,
            golds: (0..golds).map(gold).collect(),
            assignment: spread(&|score| score.assignment),
            training_labels: mean(|score| score.training_labels),
            test_labels: mean(|score| score.test_labels),
        }
    }
}

fn mean_and_least(spread: Option<&Spread>) -> [String; 2] {
    let least = spread.map_or("-".to_owned(), |spread| three(spread.min));
    [mean(spread), least]
}

/// `.850 (.032)`.
pub(super) fn mean(spread: Option<&Spread>) -> String {
    match spread {
        Some(spread) if spread.n > 1 => format!("{} ({})", three(spread.mean), three(spread.population_sd)),
        Some(spread) => three(spread.mean),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::score::GoldScore;
    use super::*;

    fn score(accuracy: f64, assignment: Option<f64>) -> Score {
        let golds = vec![GoldScore { accuracy: Some(accuracy), auc: None }];
        Score { golds, assignment, training_labels: 3.0, test_labels: 1.0 }
    }

    #[test]
    fn a_table_with_means_spreads_and_the_least() {
        let scores = vec![vec![score(0.8, Some(1.0)), score(0.5, None)], vec![score(0.9, Some(0.9)), score(0.5, None)]];
        let report = LoopReport::of(vec!["a".into(), "b".into()], vec!["label".into()], scores);
        let table = report.table();
        assert_eq!(table.header[1..4], ["label accuracy", "least", "label AUC"]);
        assert_eq!(table.rows[0], ["a", ".850 (.050)", ".800", "-", ".950 (.050)", ".900", "3.00", "1.00"]);
        assert_eq!(table.rows[1], ["b", ".500 (.000)", ".500", "-", "-", "-", "3.00", "1.00"]);
    }

    #[test]
    fn without_gold_there_is_nothing_to_show() {
        let mut blind = score(0.0, Some(0.5));
        blind.golds[0].accuracy = None;
        let report = LoopReport::of(vec!["a".into()], vec!["label".into()], vec![vec![blind]]);
        assert_eq!(report.table().rows[0][1..5], ["-", "-", "-", ".500"]);
    }
}
