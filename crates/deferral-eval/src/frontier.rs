//! The frontier: accuracy, worst-group accuracy and cost against labels per case, for whole families of methods.
//!
//! A family is a method at several efforts: a sequential one at several prices of a label, or several confidences if it
//! sets a price itself; one that asks a fixed number at several numbers. Pure from the comparison on: `run` does the work.

use deferral_core::{Label, ParameterError, Stream};
use deferral_metrics::{Measured, Reliability, quantile, right_when_sure};
use rand::RngExt;
use rayon::prelude::*;
use serde::Serialize;

use crate::comparison::{Comparison, Decided};
use crate::error::EvalError;
use crate::experiment::Experiment;
use crate::methods::{Method, MethodError};
use crate::policy::AnyLearner;
use crate::run::{Keep, run_keeping};

/// At which efforts methods are measured, and what is read off their curves.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Efforts {
    /// Prices of a label, where an error costs 1, at which sequential methods stop.
    pub prices: Vec<f64>,
    /// Confidences at which those stop that set a price themselves.
    pub confidences: Vec<f64>,
    /// Numbers of labels that other methods ask for; beside these each is measured as it was written.
    pub labels: Vec<usize>,
    /// Labels per case at which the accuracy of every method is read off.
    pub at: Vec<f64>,
    /// Accuracies for which the labels needed are read off; round ones within reach if empty.
    pub accuracies: Vec<f64>,
    /// Up to how many labels per case the area under the curves is taken; the most that any method uses if not given.
    pub up_to: Option<f64>,
    /// Resamples of the paired bootstrap.
    pub resamples: usize,
}

impl Default for Efforts {
    fn default() -> Self {
        Self {
            prices: vec![0.3, 0.2, 0.15, 0.1, 0.06, 0.03, 0.02, 0.01],
            confidences: vec![0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99],
            labels: vec![1, 2, 3, 5],
            at: vec![0.25, 0.5, 1.0, 2.0, 5.0],
            accuracies: Vec::new(),
            up_to: None,
            resamples: 1000,
        }
    }
}

/// How sure a decision must be to count as sure.
pub const SURE: f64 = 0.95;
/// Bins of a reliability diagram.
pub(crate) const BINS: usize = 15;
/// Share of resamples within an interval.
const LEVEL: f64 = 0.95;

/// What a frontier shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Frontier {
    /// One a method as it was written.
    pub families: Vec<Family>,
    /// The group attribute, if results are shown by one.
    pub group: Option<String>,
    /// Its values.
    pub groups: Vec<String>,
    /// Accuracy of always deciding the most frequent label: what no label at all is good for.
    pub base: f64,
    /// Labels per case up to which areas are taken.
    pub up_to: f64,
    /// Labels per case of [`Family::at`].
    pub at: Vec<f64>,
    /// Accuracies of [`Family::needed`].
    pub accuracies: Vec<f64>,
    /// Whether labels have prices; else each costs 1.
    pub priced: bool,
    /// Repetitions and folds.
    pub repetitions: (usize, usize),
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// One method at all its efforts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Family {
    /// The method, as it was written.
    pub name: String,
    /// Its points, by labels per case.
    pub points: Vec<FrontierPoint>,
    /// Mean accuracy over budgets from 0 to [`Frontier::up_to`] labels per case, with its bootstrap interval.
    pub area: Measured,
    /// The first family's area minus this one's, on the same resamples.
    pub behind: Measured,
    /// Accuracy at each of [`Frontier::at`], with interval.
    pub at: Vec<Measured>,
    /// The first family's accuracy there minus this one's, on the same resamples.
    pub behind_at: Vec<Measured>,
    /// Labels per case that reach each of [`Frontier::accuracies`]; `None` out of reach.
    pub needed: Vec<Option<f64>>,
}

/// One method at one effort.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrontierPoint {
    /// The method with its settings.
    pub method: String,
    /// Human labels per case.
    pub labels_per_case: f64,
    /// Their price.
    pub cost_per_case: f64,
    /// Share decided rightly.
    pub accuracy: f64,
    /// The same by group; `None` for a group without cases.
    pub by_group: Vec<Option<f64>>,
    /// Smallest accuracy of a group, if there are groups.
    pub worst_group: Option<f64>,
    /// Expected calibration error of the confidence.
    pub calibration_error: Measured,
    /// The share right of the decisions at least [`SURE`] sure: of all, then of each group.
    pub when_sure: Vec<Measured>,
}

/// Runs all families of `experiment` on the same splits and sums them up; the result depends on the plan alone.
///
/// # Errors
/// As [`run`](crate::run()), or if an effort is out of range.
pub fn frontier(
    experiment: &Experiment,
    efforts: &Efforts,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Frontier, EvalError> {
    check(efforts)?;
    let families = families(&experiment.methods, efforts, experiment.experts())?;
    let methods = families.iter().flatten().cloned().collect();
    let comparison = run_keeping(&Experiment { methods, ..experiment.clone() }, Keep::All, progress)?;
    let names: Vec<String> = experiment.methods.iter().map(|method| method.name.clone()).collect();
    let sizes: Vec<usize> = families.iter().map(Vec::len).collect();
    summarise(&comparison, &names, &sizes, efforts, experiment.source.is_drawn_anew(), experiment.seed)
}

/// The methods of each family. `experts` is how many there are, where that is known.
fn families(methods: &[Method], efforts: &Efforts, experts: Option<usize>) -> Result<Vec<Vec<Method>>, MethodError> {
    let of = |method: &Method| -> Result<Vec<Method>, MethodError> {
        let with = |key: &str, value: String| method.clone().with(key, &value);
        match effort_of(method) {
            Effort::Price => {
                let of = |price: &f64| method.clone().with("confidence", "1")?.with("price", &price.to_string());
                efforts.prices.iter().map(of).collect()
            }
            Effort::Confidence => efforts.confidences.iter().map(|c| with("confidence", c.to_string())).collect(),
            Effort::Labels => {
                let known = |k: &&usize| experts.is_none_or(|experts| **k <= experts);
                let sizes = efforts.labels.iter().filter(known).map(|k| with("k", k.to_string()));
                sizes.chain([Ok(method.clone())]).collect()
            }
            Effort::Fixed => Ok(vec![method.clone()]),
        }
    };
    methods.iter().map(of).collect()
}

/// What makes a method ask more or less.
enum Effort {
    Price,
    Confidence,
    Labels,
    Fixed,
}

fn effort_of(method: &Method) -> Effort {
    let settings = method.name.split_once(':').map_or("", |(_, settings)| settings);
    let sets = |key: &str| settings.split(',').any(|setting| setting.trim().starts_with(&format!("{key}=")));
    match &method.learner {
        AnyLearner::Consult(consult) if consult.bound.is_some() || sets("k") || sets("confidence") => Effort::Fixed,
        AnyLearner::Consult(_) if sets("price") => Effort::Confidence,
        AnyLearner::Consult(_) => Effort::Price,
        AnyLearner::Everyone(_)
        | AnyLearner::BestExpert(_)
        | AnyLearner::Trust(_)
        | AnyLearner::Joint(_)
        | AnyLearner::LiLiu(_)
        | AnyLearner::CrowdSelect(_)
            if !sets("k") =>
        {
            Effort::Labels
        }
        _ => Effort::Fixed,
    }
}

/// A case that was tested, once in each repetition: what the methods did on it, added up. What is drawn again is the
/// case, with all its repetitions.
#[derive(Debug, Clone, Default)]
struct Unit {
    tested: f64,
    /// Times that its truth is the most frequent label.
    frequent: f64,
    /// For each method: times right, labels, cost.
    done: Vec<[f64; 3]>,
}

fn summarise(
    comparison: &Comparison,
    names: &[String],
    sizes: &[usize],
    efforts: &Efforts,
    drawn_anew: bool,
    seed: u64,
) -> Result<Frontier, EvalError> {
    let units = units(comparison, drawn_anew);
    let everything: Vec<usize> = (0..units.len()).collect();
    let sums = |cases: &[usize]| Sums::of(&units, cases, comparison.methods.len());
    let whole = sums(&everything);
    let mut families_of = Vec::with_capacity(names.len());
    let mut start = 0;
    for size in sizes {
        families_of.push(start..start + size);
        start += size;
    }
    let most = whole.points.iter().map(|(labels, _)| *labels).fold(0.0, f64::max);
    let up_to = efforts.up_to.unwrap_or(most).max(f64::MIN_POSITIVE);
    let curve = |sums: &Sums, family: usize| Curve::of(sums, families_of[family].clone());
    let stream = Stream::new(seed).child("frontier");
    // Every statistic of every family on the same resamples: drawn once, in parallel.
    let statistics = |cases: &[usize]| -> Vec<Vec<f64>> {
        let sums = sums(cases);
        let of = |family: usize| {
            let curve = curve(&sums, family);
            std::iter::once(curve.area(up_to)).chain(efforts.at.iter().map(|labels| curve.at(*labels))).collect()
        };
        (0..names.len()).map(of).collect()
    };
    let draws = resamples(units.len(), efforts.resamples, &stream, &statistics);
    let values = statistics(&everything);
    let measured = |family: usize, statistic: usize| {
        interval(values[family][statistic], &draws, units.len(), |d| d[family][statistic])
    };
    let behind = |family: usize, statistic: usize| {
        let difference = |d: &[Vec<f64>]| d[0][statistic] - d[family][statistic];
        interval(difference(&values), &draws, units.len(), difference)
    };
    let accuracies = if efforts.accuracies.is_empty() { round_ones(&whole) } else { efforts.accuracies.clone() };
    let mut families = Vec::with_capacity(names.len());
    for (family, name) in names.iter().enumerate() {
        let curve = curve(&whole, family);
        let mut points = Vec::new();
        for method in families_of[family].clone() {
            points.push(point(comparison, method, &whole)?);
        }
        points.sort_by(|a, b| a.labels_per_case.total_cmp(&b.labels_per_case));
        families.push(Family {
            name: name.clone(),
            points,
            area: measured(family, 0),
            behind: behind(family, 0),
            at: (0..efforts.at.len()).map(|at| measured(family, at + 1)).collect(),
            behind_at: (0..efforts.at.len()).map(|at| behind(family, at + 1)).collect(),
            needed: accuracies.iter().map(|accuracy| curve.needed(*accuracy)).collect(),
        });
    }
    Ok(Frontier {
        families,
        group: comparison.group.clone(),
        groups: comparison.groups.clone(),
        base: whole.base,
        up_to,
        at: efforts.at.clone(),
        accuracies,
        priced: comparison.priced,
        repetitions: comparison.repetitions,
        notes: comparison.notes.clone(),
    })
}

fn check(efforts: &Efforts) -> Result<(), ParameterError> {
    ParameterError::check(efforts.resamples > 0, "the number of resamples", efforts.resamples, "1 or more")?;
    if let Some(wrong) = efforts.at.iter().chain(&efforts.up_to).find(|labels| !(labels.is_finite() && **labels >= 0.0))
    {
        return Err(ParameterError::new("the number of labels per case", wrong, "a finite number, 0 or more"));
    }
    match efforts.accuracies.iter().find(|accuracy| !(0.0..=1.0).contains(*accuracy)) {
        Some(wrong) => Err(ParameterError::new("an accuracy", wrong, "between 0 and 1")),
        None => Ok(()),
    }
}

fn units(comparison: &Comparison, drawn_anew: bool) -> Vec<Unit> {
    let most_frequent = most_frequent(comparison);
    let methods = comparison.methods.len();
    // Cases that are drawn anew in each repetition are other cases.
    let key = |repetition: usize, case: u32| (if drawn_anew { repetition } else { 0 }, case);
    let mut units: std::collections::BTreeMap<(usize, u32), Unit> = std::collections::BTreeMap::new();
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
    let best = (0..counts.len()).max_by_key(|label| (counts[*label], std::cmp::Reverse(*label)));
    Label::at(best.unwrap_or(0))
}

/// Labels per case and accuracy of every method, over some units.
struct Sums {
    points: Vec<(f64, f64)>,
    costs: Vec<f64>,
    base: f64,
}

impl Sums {
    fn of(units: &[Unit], cases: &[usize], methods: usize) -> Self {
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
struct Curve(Vec<(f64, f64)>);

impl Curve {
    fn of(sums: &Sums, family: std::ops::Range<usize>) -> Self {
        let mut points = sums.points[family].to_vec();
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        if points.first().is_none_or(|(labels, _)| *labels > 0.0) {
            points.insert(0, (0.0, sums.base));
        }
        Self(points)
    }

    fn at(&self, labels: f64) -> f64 {
        let above = self.0.partition_point(|(at, _)| *at <= labels);
        match (above.checked_sub(1).and_then(|below| self.0.get(below)), self.0.get(above)) {
            (Some(below), Some(above)) => below.1 + (above.1 - below.1) * (labels - below.0) / (above.0 - below.0),
            (Some(point), None) | (None, Some(point)) => point.1,
            (None, None) => 0.0,
        }
    }

    /// The mean height from 0 to `up_to`.
    fn area(&self, up_to: f64) -> f64 {
        let inner = self.0.iter().map(|(labels, _)| *labels).filter(|labels| *labels > 0.0 && *labels < up_to);
        let stops: Vec<f64> = std::iter::once(0.0).chain(inner).chain([up_to]).collect();
        let piece = |pair: &[f64]| 0.5 * (pair[1] - pair[0]) * (self.at(pair[0]) + self.at(pair[1]));
        stops.windows(2).map(piece).sum::<f64>() / up_to
    }

    /// The fewest labels per case that reach an accuracy.
    fn needed(&self, accuracy: f64) -> Option<f64> {
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
fn resamples(
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
fn interval(value: f64, draws: &[Vec<Vec<f64>>], n: usize, of: impl Fn(&[Vec<f64>]) -> f64) -> Measured {
    let drawn: Vec<f64> = draws.iter().map(|draw| of(draw)).collect();
    let tail = (1.0 - LEVEL) / 2.0;
    let ends = quantile(&drawn, tail).zip(quantile(&drawn, 1.0 - tail));
    Measured::with_interval(value, n, ends)
}

fn point(comparison: &Comparison, method: usize, whole: &Sums) -> Result<FrontierPoint, EvalError> {
    let decided: Vec<&Decided> = comparison.of(method).flat_map(|record| &record.decided).collect();
    let of_group = |group: Option<usize>| {
        let inside = |d: &&&Decided| group.is_none_or(|g| d.group.is_some_and(|of| of.index() == g));
        let chosen = decided.iter().filter(inside);
        let (confidence, right): (Vec<f64>, Vec<bool>) = chosen.map(|d| (d.confidence, d.label == d.truth)).unzip();
        (confidence, right)
    };
    let parts = || std::iter::once(None).chain((0..comparison.groups.len()).map(Some));
    let share = |right: &[bool]| {
        (!right.is_empty()).then(|| right.iter().filter(|right| **right).count() as f64 / right.len() as f64)
    };
    let by_group: Vec<Option<f64>> = parts().skip(1).map(|group| share(&of_group(group).1)).collect();
    let (confidence, right) = of_group(None);
    let when_sure = parts().map(|group| {
        let (confidence, right) = of_group(group);
        right_when_sure(&confidence, &right, SURE)
    });
    let (labels_per_case, accuracy) = whole.points[method];
    Ok(FrontierPoint {
        method: comparison.methods[method].clone(),
        labels_per_case,
        cost_per_case: whole.costs[method],
        accuracy,
        worst_group: by_group.iter().flatten().copied().reduce(f64::min),
        by_group,
        calibration_error: Reliability::of(&confidence, &right, BINS)?.expected_error(),
        when_sure: when_sure.collect(),
    })
}

/// Up to six round accuracies that some method reaches and the base does not.
fn round_ones(whole: &Sums) -> Vec<f64> {
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
