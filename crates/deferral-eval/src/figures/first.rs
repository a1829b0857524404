//! What each method did in the first repetition, the only one that is recorded case by case.

use deferral_metrics::{Correctness, CoverageCurve};

use crate::{Comparison, Decided, EvalError, ExpertRecord, Tally};

/// Fewer cases say nothing about the start of a coverage curve.
pub(super) const CASES_AT_LEAST: usize = 20;

/// What a method did in the first repetition, its folds taken together: every case counts once.
pub(super) struct FirstRepetition {
    pub(super) all: Tally,
    pub(super) by_group: Vec<Tally>,
    /// Answers of each expert.
    pub(super) load: Vec<usize>,
    pub(super) decided: Vec<Decided>,
    /// The experts and then the classifier.
    pub(super) experts: Vec<ExpertRecord>,
    /// Whether a weight depends on the case and says more than who may be asked (1) and who may not (0).
    pub(super) graded: bool,
}

impl FirstRepetition {
    pub(super) fn of(comparison: &Comparison, method: usize) -> Self {
        let folds: Vec<_> = comparison.of(method).filter(|record| record.repetition == 0).collect();
        let experts = folds.iter().map(|fold| fold.experts.len()).max().unwrap_or(0);
        let people = folds.iter().map(|fold| fold.load.len()).max().unwrap_or(0);
        let group = |g: usize| sum(folds.iter().filter_map(|fold| fold.by_group.get(g)));
        let load = |e: usize| folds.iter().filter_map(|fold| fold.load.get(e)).map(|&count| count as usize).sum();
        let expert = |e: usize| pool(folds.iter().filter_map(|fold| Some((fold.all.n, fold.experts.get(e)?))));
        Self {
            all: sum(folds.iter().map(|fold| &fold.all)),
            by_group: (0..comparison.groups.len()).map(group).collect(),
            load: (0..people).map(load).collect(),
            decided: folds.iter().flat_map(|fold| fold.decided.iter().copied()).collect(),
            experts: (0..experts).map(expert).collect(),
            graded: folds.iter().any(|fold| fold.experts.iter().any(is_graded)),
        }
    }

    /// The experts without the classifier.
    pub(super) fn people(&self) -> &[ExpertRecord] {
        self.experts.split_last().map_or(&[], |(_, people)| people)
    }

    pub(super) fn tells_experts_apart(&self) -> bool {
        self.people().windows(2).any(|pair| (pair[0].weight - pair[1].weight).abs() > 1e-9)
    }

    /// Coverage and accuracy, from where there are enough cases, or the last point alone.
    pub(super) fn curve(&self) -> Result<Vec<(f64, f64)>, EvalError> {
        let confidence: Vec<f64> = self.decided.iter().map(|case| case.confidence).collect();
        let labels: Vec<_> = self.decided.iter().map(|case| case.label).collect();
        let truth: Vec<_> = self.decided.iter().map(|case| Some(case.truth)).collect();
        let curve = CoverageCurve::of(&confidence, &Correctness::of(&labels, &truth)?)?;
        let last = curve.points.len().saturating_sub(1);
        let start = curve.points.iter().position(|point| point.n >= CASES_AT_LEAST).unwrap_or(last);
        Ok(curve.points.iter().skip(start).map(|point| (point.coverage, point.accuracy)).collect())
    }
}

/// Weights of 0 and 1 have the variance p (1 - p).
fn is_graded(expert: &ExpertRecord) -> bool {
    let variance = expert.weight_sd.powi(2);
    variance > 1e-12 && (variance - expert.weight * (1.0 - expert.weight)).abs() > 1e-9
}

fn sum<'a>(tallies: impl Iterator<Item = &'a Tally>) -> Tally {
    tallies.fold(Tally::default(), |sum, tally| Tally { n: sum.n + tally.n, right: sum.right + tally.right })
}

/// An expert over all test cases: the mean weight, and its spread within and between folds.
fn pool<'a>(folds: impl Iterator<Item = (usize, &'a ExpertRecord)>) -> ExpertRecord {
    let (mut cases, mut weights, mut squares, mut answered, mut right) = (0.0, 0.0, 0.0, 0, 0);
    for (n, fold) in folds {
        let n = n as f64;
        cases += n;
        weights += n * fold.weight;
        squares += n * (fold.weight_sd.powi(2) + fold.weight.powi(2));
        answered += fold.answered;
        right += fold.right;
    }
    let cases = f64::max(cases, 1.0);
    let weight = weights / cases;
    ExpertRecord { weight, weight_sd: (squares / cases - weight * weight).max(0.0).sqrt(), answered, right }
}

#[cfg(test)]
mod tests {
    use deferral_core::Label;

    use super::*;

    #[test]
    fn folds_are_pooled_by_their_cases() {
        let fold = |weight, weight_sd, right| ExpertRecord { weight, weight_sd, answered: 10, right };
        let pooled = pool([(30, &fold(0.2, 0.1, 9)), (10, &fold(0.6, 0.0, 4))].into_iter());
        assert!((pooled.weight - 0.3).abs() < 1e-12);
        // 3/4 of 0.1^2 within, and 3/4 0.1^2 + 1/4 0.3^2 between.
        assert!((pooled.weight_sd - (0.0075_f64 + 0.03).sqrt()).abs() < 1e-12);
        assert_eq!((pooled.answered, pooled.right), (20, 13));
        assert_eq!(pool(std::iter::empty()).weight, 0.0);
    }

    #[test]
    fn invitations_are_no_graded_weights() {
        let record = |weight: f64, weight_sd: f64| ExpertRecord { weight, weight_sd, answered: 0, right: 0 };
        assert!(!is_graded(&record(0.25, (0.25_f64 * 0.75).sqrt())));
        assert!(!is_graded(&record(0.7, 0.0)));
        assert!(is_graded(&record(0.7, 0.1)));
    }

    #[test]
    fn a_curve_starts_where_there_are_enough_cases() {
        let case = |at: u32| {
            let confidence = 1.0 - f64::from(at) / 100.0;
            Decided {
                case: at,
                truth: Label(0),
                label: Label(u16::from(at > 39)),
                confidence,
                group: None,
                labels_used: 0,
                cost: 0.0,
            }
        };
        let curve = |decided: Vec<Decided>| {
            let (all, by_group, load, experts) = (Tally::default(), Vec::new(), Vec::new(), Vec::new());
            FirstRepetition { all, by_group, load, decided, experts, graded: false }.curve()
        };
        let points = curve((0..50).map(case).collect()).unwrap();
        assert_eq!((points[0], points[30], points.len()), ((0.4, 1.0), (1.0, 0.8), 31));
        assert_eq!(curve(vec![case(0)]).unwrap(), [(1.0, 1.0)], "too few cases are one dot");
        assert_eq!(curve(Vec::new()).unwrap(), []);
        assert!(curve(vec![Decided { confidence: f64::NAN, ..case(0) }]).is_err());
    }
}
