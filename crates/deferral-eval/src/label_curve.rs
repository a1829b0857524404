//! Accuracy against labels per case: what every aggregator makes of few labels.

use deferral_core::{Context, Dataset, Decisions, Silent, Stream};
use deferral_data::Records;
use deferral_experts::thin;
use deferral_metrics::Spread;
use rayon::prelude::*;
use serde::Serialize;

use crate::aggregation::{aggregate, tasks};
use crate::aggregators::NamedAggregator;
use crate::error::EvalError;
use crate::experiment::FeatureChoice;
use crate::table::Table;

/// Accuracy of aggregators when every case has k random labels of those it has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelCurve {
    /// The aggregators, as they were written.
    pub methods: Vec<String>,
    /// The groups, if there is an attribute.
    pub groups: Vec<String>,
    /// How often labels were drawn; all labels are taken once.
    pub repetitions: usize,
    /// One for each number of labels.
    pub points: Vec<CurvePoint>,
}

/// All aggregators at one number of labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Labels kept of each case; `None` for all.
    pub k: Option<usize>,
    /// Labels that a case has then, in the mean.
    pub labels_per_case: f64,
    /// One a method: accuracy over the draws of labels, of the cases with a gold label.
    pub accuracy: Vec<Option<Spread>>,
    /// The same by group: methods x groups.
    pub by_group: Vec<Vec<Option<Spread>>>,
}

/// What is measured.
#[derive(Debug, Clone)]
pub struct CurvePlan<'a> {
    /// The aggregators.
    pub methods: &'a [NamedAggregator],
    /// Labels a case, each in turn; `None` for all there are.
    pub labels: &'a [Option<usize>],
    /// Draws of labels, 1 or more.
    pub repetitions: usize,
    /// How tasks become features, for aggregators that look at them.
    pub features: &'a FeatureChoice,
    /// The group attribute to show accuracy by.
    pub attribute: Option<&'a str>,
    /// The seed of all draws.
    pub seed: u64,
}

/// Right and all of one method on one draw: of all cases, then of each group.
type Tallies = Vec<(usize, usize)>;

/// Draws labels and aggregates them, in parallel; the result depends on the plan alone.
///
/// # Errors
/// If there is no gold label to compare with, or an aggregator fails.
pub fn label_curve(records: &Records, plan: &CurvePlan<'_>) -> Result<LabelCurve, EvalError> {
    if records.labels.iter().all(Option::is_none) {
        return Err(EvalError::Nothing(
            "no case has a gold label to compare with; name its column with --column label=NAME".to_owned(),
        ));
    }
    let stream = Stream::new(plan.seed).child("label curve");
    let mut silent = Silent;
    let data = tasks(records, plan.methods, plan.features, &mut Context::new(stream.child("tasks"), &mut silent))?;
    let draws = |k: &Option<usize>| if k.is_some() { plan.repetitions.max(1) } else { 1 };
    let jobs: Vec<(usize, usize)> = plan
        .labels
        .iter()
        .enumerate()
        .flat_map(|(at, k)| (0..draws(k)).map(move |repetition| (at, repetition)))
        .collect();
    let results: Result<Vec<(f64, Vec<Tallies>)>, EvalError> = jobs
        .par_iter()
        .map(|&(at, repetition)| {
            let stream = stream.child("draw").nth(repetition);
            let votes = match plan.labels[at] {
                Some(k) => thin(&records.decisions, k, &stream).map_err(deferral_data::TableError::from)?,
                None => records.decisions.clone(),
            };
            let tallies = plan.methods.iter().map(|method| measure(&data, &votes, method, plan.attribute, &stream));
            Ok((votes.len() as f64 / records.n().max(1) as f64, tallies.collect::<Result<_, _>>()?))
        })
        .collect();
    let results = results?;
    let group = plan.attribute.map(|name| data.cases().group(name)).transpose()?;
    let groups: Vec<String> = group.map_or_else(Vec::new, |g| g.values.iter().map(str::to_owned).collect());
    let of_point = |at: usize| jobs.iter().zip(&results).filter(move |((p, _), _)| *p == at).map(|(_, result)| result);
    let share = |at: usize, method: usize, part: usize| {
        let shares = of_point(at).filter_map(|(_, tallies)| tallies[method].get(part).copied());
        let shares: Vec<f64> = shares.filter(|(_, n)| *n > 0).map(|(right, n)| right as f64 / n as f64).collect();
        Spread::of(&shares)
    };
    let methods = 0..plan.methods.len();
    let point = |(at, &k): (usize, &Option<usize>)| CurvePoint {
        k,
        labels_per_case: of_point(at).map(|(labels, _)| labels).sum::<f64>() / of_point(at).count().max(1) as f64,
        accuracy: methods.clone().map(|method| share(at, method, 0)).collect(),
        by_group: methods.clone().map(|m| (0..groups.len()).map(|g| share(at, m, g + 1)).collect()).collect(),
    };
    Ok(LabelCurve {
        methods: plan.methods.iter().map(|method| method.name.clone()).collect(),
        points: plan.labels.iter().enumerate().map(point).collect(),
        repetitions: plan.repetitions.max(1),
        groups,
    })
}

fn measure(
    data: &Dataset,
    votes: &Decisions,
    method: &NamedAggregator,
    attribute: Option<&str>,
    stream: &Stream,
) -> Result<Tallies, EvalError> {
    let failed =
        |source| EvalError::Method { method: method.name.clone(), place: String::new(), source: Box::new(source) };
    let mut silent = Silent;
    let mut ctx = Context::new(stream.child("aggregate"), &mut silent);
    let labels = aggregate(data, votes, method, &[], &mut ctx).map_err(failed)?.labels;
    let group = attribute.map(|name| data.cases().group(name)).transpose()?;
    let mut tallies = vec![(0, 0); 1 + group.map_or(0, deferral_core::GroupAttribute::len)];
    for (case, (label, truth)) in labels.iter().zip(data.cases().labels()).enumerate() {
        let Some(truth) = truth else { continue };
        for part in [Some(0), group.map(|group| group.of_case[case].index() + 1)].into_iter().flatten() {
            tallies[part].0 += usize::from(label == truth);
            tallies[part].1 += 1;
        }
    }
    Ok(tallies)
}

impl LabelCurve {
    /// One row a method, one column a number of labels; the groups at the last number of labels.
    pub fn table(&self) -> Table {
        let k = |point: &CurvePoint| point.k.map_or("all".to_owned(), |k| k.to_string());
        let mut header = vec!["method".to_owned()];
        header.extend(self.points.iter().map(|point| format!("{} ({:.2})", k(point), point.labels_per_case)));
        header.extend(
            self.groups.iter().map(|group| format!("{group}, {}", self.points.last().map_or_else(String::new, k))),
        );
        let cell = |spread: &Option<Spread>| match spread {
            Some(spread) if spread.n > 1 => format!("{:.4} ({:.4})", spread.mean, spread.population_sd),
            Some(spread) => format!("{:.4}", spread.mean),
            None => "-".to_owned(),
        };
        let row = |(at, method): (usize, &String)| {
            let mut row = vec![method.clone()];
            row.extend(self.points.iter().map(|point| cell(&point.accuracy[at])));
            row.extend(self.points.last().into_iter().flat_map(|point| point.by_group[at].iter().map(cell)));
            row
        };
        Table { header, rows: self.methods.iter().enumerate().map(row).collect() }
    }
}
