//! The frontier: accuracy, worst-group accuracy and cost against labels per case, for whole families of methods.
//!
//! A family is a method at several efforts: a sequential one at several prices of a label, or several confidences if it
//! sets a price itself; one that asks a fixed number at several numbers. Pure from the comparison on: `run` does the work.

use deferral_core::{ParameterError, Stream};
use deferral_metrics::{Measured, Reliability, right_when_sure};
use serde::Serialize;

use crate::comparison::{Comparison, Decided};
use crate::effort_curve::{Curve, Sums, interval, resamples, round_ones, units};
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
