//! Curves of accuracy against labels per case, from single decisions, and what they are on cases drawn again.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use deferral_core::{Label, Stream};
use deferral_metrics::{Measured, quantile};
use rand::RngExt;
use rayon::prelude::*;

use crate::comparison::Comparison;

/// Share of resamples within an interval.
const LEVEL: f64 = 0.95;

/// A case that was tested, once in each repetition: what the methods did on it, added up. What is drawn again is the
/// case, with all its repetitions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unit {
    tested: f64,
    /// Times that its truth is the most frequent label.
    frequent: f64,
    /// For each method: times right, labels, cost.
    done: Vec<[f64; 3]>,
}

pub(crate) fn units(comparison: &Comparison, drawn_anew: bool) -> Vec<Unit> {
    let most_frequent = most_frequent(comparison);
    let methods = comparison.methods.len();
    // Cases that are drawn anew in each repetition are other cases.
    let key = |repetition: usize, case: u32| (if drawn_anew { repetition } else { 0 }, case);
    let mut units: BTreeMap<(usize, u32), Unit> = BTreeMap::new();
    for record in &comparison.records {
        for decided in &record.decided {
            let unit = units
                .entry(key(record.repetition, decided.case))
                .or_insert_with(|| Unit { done: vec![[0.0; 3]; methods], ..Unit::default() });
            // Every method decides the same cases: the first one counts them.
            if record.method == 0 {
                unit.tested += 1.0;
                unit.frequent += f64::from(u8::from(decided.truth == most_frequent));
            }
            let right = f64::from(u8::from(decided.label == decided.truth));
            let done = &mut unit.done[record.method];
            done.iter_mut().zip([right, f64::from(decided.labels_used), decided.cost]).for_each(|(to, add)| *to += add);
        }
    }
    units.into_values().collect()
}

fn most_frequent(comparison: &Comparison) -> Label {
    let mut counts = vec![0usize; comparison.labels.len().max(1)];
    for decided in comparison.of(0).flat_map(|record| &record.decided) {
        if let Some(count) = counts.get_mut(decided.truth.index()) {
            *count += 1;
        }
    }
    let best = (0..counts.len()).max_by_key(|label| (counts[*label], Reverse(*label)));
    Label::at(best.unwrap_or(0))
}

/// Labels per case and accuracy of every method, over some units.
pub(crate) struct Sums {
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) costs: Vec<f64>,
    pub(crate) base: f64,
}

impl Sums {
    pub(crate) fn of(units: &[Unit], cases: &[usize], methods: usize) -> Self {
        let mut totals = vec![[0.0; 3]; methods];
        let (mut tested, mut frequent) = (0.0, 0.0);
        for &case in cases {
            let unit = &units[case];
            tested += unit.tested;
            frequent += unit.frequent;
            for (total, done) in totals.iter_mut().zip(&unit.done) {
                total.iter_mut().zip(done).for_each(|(total, done)| *total += done);
            }
        }
        let tested: f64 = f64::max(tested, 1.0);
        Self {
            points: totals.iter().map(|[right, labels, _]| (labels / tested, right / tested)).collect(),
            costs: totals.iter().map(|[_, _, cost]| cost / tested).collect(),
            base: frequent / tested,
        }
    }
}

/// Accuracy against labels per case, straight between points: who decides some cases in one way and the rest in the
/// other, at random, lies there. It begins with the most frequent label for no label, unless a point does, and is level
/// after the last point.
pub(crate) struct Curve(Vec<(f64, f64)>);

impl Curve {
    pub(crate) fn of(sums: &Sums, family: Range<usize>) -> Self {
        let mut points = sums.points[family].to_vec();
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        if points.first().is_none_or(|(labels, _)| *labels > 0.0) {
            points.insert(0, (0.0, sums.base));
        }
        Self(points)
    }

    pub(crate) fn at(&self, labels: f64) -> f64 {
        let above = self.0.partition_point(|(at, _)| *at <= labels);
        match (above.checked_sub(1).and_then(|below| self.0.get(below)), self.0.get(above)) {
            (Some(below), Some(above)) => below.1 + (above.1 - below.1) * (labels - below.0) / (above.0 - below.0),
            (Some(point), None) | (None, Some(point)) => point.1,
            (None, None) => 0.0,
        }
    }

    /// The mean height from 0 to `up_to`.
    pub(crate) fn area(&self, up_to: f64) -> f64 {
        let inner = self.0.iter().map(|(labels, _)| *labels).filter(|labels| *labels > 0.0 && *labels < up_to);
        let stops: Vec<f64> = std::iter::once(0.0).chain(inner).chain([up_to]).collect();
        let piece = |pair: &[f64]| 0.5 * (pair[1] - pair[0]) * (self.at(pair[0]) + self.at(pair[1]));
        stops.windows(2).map(piece).sum::<f64>() / up_to
    }

    /// The fewest labels per case that reach an accuracy.
    pub(crate) fn needed(&self, accuracy: f64) -> Option<f64> {
        let first = self.0.iter().position(|(_, height)| *height >= accuracy)?;
        let (labels, height) = self.0[first];
        match first.checked_sub(1).map(|before| self.0[before]) {
            Some(before) if height > before.1 => {
                Some(before.0 + (labels - before.0) * (accuracy - before.1) / (height - before.1))
            }
            _ => Some(labels),
        }
    }
}

/// The statistics on every resample, in order of the resamples.
pub(crate) fn resamples(
    n: usize,
    count: usize,
    stream: &Stream,
    statistics: &(dyn Fn(&[usize]) -> Vec<Vec<f64>> + Sync),
) -> Vec<Vec<Vec<f64>>> {
    let draw = |b: usize| {
        let mut random = stream.at(b);
        let cases: Vec<usize> = (0..n).map(|_| random.random_range(0..n)).collect();
        statistics(&cases)
    };
    if n == 0 { Vec::new() } else { (0..count).into_par_iter().map(draw).collect() }
}

/// A value with its percentile interval over the resamples.
pub(crate) fn interval(value: f64, draws: &[Vec<Vec<f64>>], n: usize, of: impl Fn(&[Vec<f64>]) -> f64) -> Measured {
    let drawn: Vec<f64> = draws.iter().map(|draw| of(draw)).collect();
    let tail = (1.0 - LEVEL) / 2.0;
    let ends = quantile(&drawn, tail).zip(quantile(&drawn, 1.0 - tail));
    Measured::with_interval(value, n, ends)
}

/// Up to six round accuracies that some method reaches and the base does not.
pub(crate) fn round_ones(whole: &Sums) -> Vec<f64> {
    let best = whole.points.iter().map(|point| point.1).fold(0.0, f64::max);
    let step = [0.005, 0.01, 0.02, 0.05].into_iter().find(|step| (best - whole.base) / step <= 12.0).unwrap_or(0.05);
    let top = (best / step).floor();
    (0..6).rev().map(|below| (top - f64::from(below)) * step).filter(|a| *a > whole.base && *a <= best).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(f64, f64)], base: f64) -> Curve {
        let sums = Sums { points: points.to_vec(), costs: Vec::new(), base };
        Curve::of(&sums, 0..points.len())
    }

    #[test]
    fn a_curve_begins_with_the_most_frequent_label() {
        let curve = curve(&[(2.0, 0.9), (1.0, 0.8)], 0.6);
        assert_eq!(curve.0[0], (0.0, 0.6));
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(near(curve.at(0.5), 0.7) && near(curve.at(1.5), 0.85) && near(curve.at(9.0), 0.9));
        // (.7 + .85 + 2 x .9) / 4
        assert!(near(curve.area(4.0), (0.7 + 0.85 + 1.8) / 4.0), "{}", curve.area(4.0));
        assert!(near(curve.area(1.5), (0.7 + 0.5 * 0.825) / 1.5));
        assert!(near(curve.needed(0.85).unwrap(), 1.5) && curve.needed(0.95).is_none());
        assert!(near(curve.needed(0.3).unwrap(), 0.0));
    }

    #[test]
    fn who_needs_nobody_begins_at_their_own_accuracy() {
        let curve = curve(&[(0.0, 0.88), (1.0, 0.9)], 0.6);
        assert_eq!(curve.0.len(), 2);
        assert!((curve.at(0.5) - 0.89).abs() < 1e-12);
    }

    #[test]
    fn round_accuracies_are_within_reach() {
        let sums = Sums { points: vec![(0.0, 0.883), (1.0, 0.931)], costs: Vec::new(), base: 0.67 };
        let rounds = round_ones(&sums);
        assert!(!rounds.is_empty() && rounds.iter().all(|a| *a > 0.67 && *a <= 0.931), "{rounds:?}");
    }
}
