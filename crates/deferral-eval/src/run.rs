//! Carrying out an experiment: every job on any thread, the same result on all of them.

use std::sync::Arc;

use deferral_core::{
    CaseId, CaseWeights, Cases, Context, Dataset, ExpertId, Features, Label, Learner, Policy, Probabilities, Recorded,
    Silent, Split, Stream, Weights, argmax, consult,
};
use deferral_data::Records;
use rayon::prelude::*;

use crate::cells::Cells;
use crate::comparison::{Comparison, Decided, ExpertRecord, Record};
use crate::error::EvalError;
use crate::experiment::{Experiment, Job, features_of};
use crate::methods::{FeatureKind, Method};
use crate::policy::{AnyLearner, AnyPolicy};

/// Runs all jobs of an experiment in parallel (on the current rayon pool) and collects their records in order.
/// `progress` is called after every method of every job with the number of those done and of all.
///
/// The result depends on the experiment alone, not on the number of threads.
///
/// # Errors
/// [`EvalError`] of the first job, in order, that failed.
pub fn run(experiment: &Experiment, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Comparison, EvalError> {
    run_keeping(experiment, Keep::First, progress)
}

/// Runs `jobs` of the plan of an experiment only, such as the share of one machine: their records are those that
/// [`run`] finds.
///
/// # Errors
/// [`EvalError`] of the first job that failed, or if one has a fold that the division does not have.
pub fn run_jobs(
    experiment: &Experiment,
    jobs: &[Job],
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Comparison, EvalError> {
    run_these(experiment, jobs, Keep::First, progress)
}

/// Of which repetitions every single decision is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Of the first.
    First,
    /// Of the first, and of the others whether each was right.
    Rights,
    /// Of all.
    All,
}

pub(crate) fn run_keeping(
    experiment: &Experiment,
    keep: Keep,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Comparison, EvalError> {
    run_these(experiment, &experiment.plan()?, keep, progress)
}

fn run_these(
    experiment: &Experiment,
    jobs: &[Job],
    keep: Keep,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Comparison, EvalError> {
    let root = Stream::new(experiment.seed);
    let (done, all) = (std::sync::atomic::AtomicUsize::new(0), jobs.len() * experiment.methods.len());
    let step = || progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, all);
    let run = |&job: &Job| run_job(experiment, job, keep, &root.child("repetition").nth(job.repetition), &step);
    let results: Vec<Result<Outcome, EvalError>> = jobs.par_iter().map(run).collect();
    let mut comparison = Comparison::new(experiment);
    for result in results {
        let outcome = result?;
        comparison.describe(&outcome.facts);
        comparison.records.extend(outcome.records);
    }
    Ok(comparison)
}

/// What a job found.
struct Outcome {
    facts: Facts,
    records: Vec<Record>,
}

/// What a comparison says about its data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Facts {
    pub(crate) cases: usize,
    pub(crate) unlabelled: usize,
    pub(crate) decisions: usize,
    pub(crate) experts: Vec<String>,
    pub(crate) labels: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) priced: bool,
    pub(crate) notes: Vec<String>,
}

fn run_job(
    experiment: &Experiment,
    job: Job,
    keep: Keep,
    stream: &Stream,
    step: &(dyn Fn() + Sync),
) -> Result<Outcome, EvalError> {
    let all = experiment.source.draw(&experiment.panel, stream)?;
    let (records, unlabelled) = labelled(&all);
    if records.n() == 0 {
        return Err(EvalError::Nothing(format!("none of the {} cases has a gold label to compare with", all.n())));
    }
    let bare = records.dataset(Features::none(records.n()))?;
    let attribute = experiment.group.as_deref();
    let splits = experiment.division.split(&records, bare.cases(), attribute, &stream.child("split"))?;
    let split = splits.get(job.fold).ok_or_else(|| EvalError::Nothing(format!("there is no fold {}", job.fold)))?;
    let mut bench = Bench::new(experiment, &records, split, job, stream.child("fold").nth(job.fold));
    bench.fit_all(&experiment.methods, step)?;
    let run = |(at, method)| bench.run(at, method, keep).map_err(|error| of_method(method, job, error));
    let outcomes = experiment.methods.iter().enumerate().map(run).collect::<Result<Vec<_>, _>>()?;
    let groups = attribute.map(|name| bare.cases().group(name)).transpose()?;
    let facts = Facts {
        cases: records.n(),
        unlabelled,
        decisions: records.decisions.len(),
        experts: records.experts.iter().map(str::to_owned).collect(),
        labels: records.label_names.iter().map(str::to_owned).collect(),
        priced: records.prices.is_some(),
        groups: groups.map_or_else(Vec::new, |g| g.values.iter().map(str::to_owned).collect()),
        notes: bench.notes,
    };
    Ok(Outcome { facts, records: outcomes })
}

/// An error with the method and the place where it occurred.
fn of_method(method: &Method, job: Job, source: EvalError) -> EvalError {
    EvalError::Method {
        method: method.name.clone(),
        place: format!(" (repetition {}, fold {})", job.repetition + 1, job.fold + 1),
        source: Box::new(source),
    }
}

/// The cases whose truth is known, and how many are not.
fn labelled(records: &Arc<Records>) -> (Arc<Records>, usize) {
    let known: Vec<usize> = (0..records.n()).filter(|&case| records.labels[case].is_some()).collect();
    let unknown = records.n() - known.len();
    if unknown == 0 { (Arc::clone(records), 0) } else { (Arc::new(records.select(&known)), unknown) }
}

/// One fold: what is fitted once and shared by all methods that want the same.
struct Bench<'a> {
    experiment: &'a Experiment,
    records: &'a Records,
    split: &'a Split,
    job: Job,
    stream: Stream,
    features: Vec<(FeatureKind, Dataset, Dataset)>,
    fitted: Vec<Fitted<'a>>,
    notes: Vec<String>,
}

struct Fitted<'a> {
    learner: &'a AnyLearner,
    kind: FeatureKind,
    policy: AnyPolicy,
    probabilities: Probabilities,
    weights: Weights,
}

impl<'a> Bench<'a> {
    fn new(experiment: &'a Experiment, records: &'a Records, split: &'a Split, job: Job, stream: Stream) -> Self {
        Self { experiment, records, split, job, stream, features: Vec::new(), fitted: Vec::new(), notes: Vec::new() }
    }

    /// Training and test sets with features of the given kind, fitted on the training cases. What is held out for
    /// validation goes with the training set.
    fn featurised(&mut self, kind: FeatureKind) -> Result<usize, EvalError> {
        if let Some(at) = self.features.iter().position(|(k, ..)| *k == kind) {
            return Ok(at);
        }
        let (choice, train) = (&self.experiment.features, &self.split.train);
        let featuriser = choice.fit(kind, &self.records.inputs, train, &self.stream.child("features"))?;
        self.notes.extend(featuriser.iter().flat_map(|featuriser| featuriser.report().notes()));
        let side = |cases: &[usize]| -> Result<Dataset, EvalError> {
            let part = self.records.select(cases);
            let features = features_of(featuriser.as_ref(), &part)?;
            Ok(part.dataset(features)?)
        };
        let mut learned_from = side(train)?;
        if !self.split.validation.is_empty() {
            let held_out = side(&self.split.validation)?;
            learned_from = learned_from.with_held_out(held_out).map_err(deferral_data::TableError::from)?;
        }
        self.features.push((kind, learned_from, side(&self.split.test)?));
        Ok(self.features.len() - 1)
    }

    /// Fits what the methods need, in parallel, each learner once.
    fn fit_all(&mut self, methods: &'a [Method], step: &(dyn Fn() + Sync)) -> Result<(), EvalError> {
        let mut wanted: Vec<(&'a Method, FeatureKind, usize)> = Vec::new();
        for method in methods {
            let kind = self.experiment.features.kind_for(method, &self.records.inputs);
            if wanted.iter().any(|(other, k, _)| *k == kind && other.learner == method.learner) {
                step();
                continue;
            }
            let features = self.featurised(kind).map_err(|error| of_method(method, self.job, error))?;
            wanted.push((method, kind, features));
        }
        let fitted: Vec<Result<Fitted<'a>, EvalError>> = wanted
            .par_iter()
            .map(|&(method, kind, features)| {
                let fitted = self.fit(method, kind, features).map_err(|error| of_method(method, self.job, error));
                step();
                fitted
            })
            .collect();
        self.fitted = fitted.into_iter().collect::<Result<_, _>>()?;
        Ok(())
    }

    fn fit(&self, method: &'a Method, kind: FeatureKind, features: usize) -> Result<Fitted<'a>, EvalError> {
        let (_, train, test) = &self.features[features];
        let mut silent = Silent;
        // The same stream for every method: they differ by what they do, not by their luck.
        let mut ctx = Context::new(self.stream.child("learner"), &mut silent);
        let learner = method.learner.clone().with_prices(self.records.prices.as_deref());
        let policy = learner.fit(train, &CaseWeights::uniform(train.n()), &mut ctx)?;
        let (probabilities, weights) = (policy.classify(test.cases())?, policy.weigh(test.cases())?);
        Ok(Fitted { learner: &method.learner, kind, policy, probabilities, weights })
    }

    /// What was fitted for a method.
    fn fitted(&self, method: &Method) -> Result<&Fitted<'a>, EvalError> {
        let kind = self.experiment.features.kind_for(method, &self.records.inputs);
        let known = |f: &&Fitted<'_>| f.kind == kind && *f.learner == method.learner;
        self.fitted.iter().find(known).ok_or_else(|| EvalError::Nothing("a fitted method went missing".to_owned()))
    }

    fn run(&self, at: usize, method: &Method, keep: Keep) -> Result<Record, EvalError> {
        let (fitted, job) = (self.fitted(method)?, self.job);
        let Some((_, train, test)) = self.features.iter().find(|(kind, ..)| *kind == fitted.kind) else {
            return Err(EvalError::Nothing("features went missing".to_owned()));
        };
        let outcomes = self.decide(method, fitted, test, (&fitted.probabilities, &fitted.weights))?;
        let gold = known_labels(test.cases());
        let groups = self.groups(test)?;
        let shape = (test.k(), groups.map_or(0, deferral_core::GroupAttribute::len));
        let mut record = Record::new(at, job, shape, test.m());
        for (case, outcome) in outcomes.iter().enumerate() {
            record.count(outcome, gold[case], groups.map(|g| g.of_case[case]));
        }
        if let Some(held_out) = train.held_out() {
            record.validation = Some(self.validate(method, fitted, held_out)?);
        }
        if keep == Keep::Rights {
            record.rights =
                outcomes.iter().zip(&gold).map(|(outcome, truth)| outcome.verdict.label == *truth).collect();
        }
        if job.repetition == 0 || keep == Keep::All {
            record.decided = outcomes
                .iter()
                .zip(&gold)
                .enumerate()
                .map(|(case, (outcome, &truth))| Decided {
                    case: self.split.test[case] as u32,
                    group: groups.map(|group| group.of_case[case]),
                    truth,
                    label: outcome.verdict.label,
                    confidence: outcome.verdict.confidence,
                    labels_used: outcome.labels_used as u32,
                    cost: outcome.cost,
                })
                .collect();
        }
        if job.repetition == 0 {
            record.experts = expert_records(test, &gold, fitted);
        }
        Ok(record)
    }

    /// How a fitted method decides cases of which it believes this.
    fn decide(
        &self,
        method: &Method,
        fitted: &Fitted<'_>,
        data: &Dataset,
        beliefs: (&Probabilities, &Weights),
    ) -> Result<Vec<deferral_core::Outcome>, EvalError> {
        let prices = self.records.prices.as_deref();
        let rule = method.consultation(&fitted.policy, data.cases(), prices)?;
        let mut source = Recorded::new(data.decisions(), method.rule.absent);
        let stream = self.stream.child("consult");
        Ok(consult(0..data.n(), beliefs, rule.as_ref(), &mut source, prices, &stream)?)
    }

    /// How it does on the cases that are held out for validation.
    fn validate(&self, method: &Method, fitted: &Fitted<'_>, held_out: &Dataset) -> Result<Cells, EvalError> {
        let cases = held_out.cases();
        let (probabilities, weights) = (fitted.policy.classify(cases)?, fitted.policy.weigh(cases)?);
        let outcomes = self.decide(method, fitted, held_out, (&probabilities, &weights))?;
        let groups = self.groups(held_out)?;
        let mut cells = Cells::new(held_out.k(), groups.map_or(0, deferral_core::GroupAttribute::len));
        for (case, (outcome, truth)) in outcomes.iter().zip(known_labels(cases)).enumerate() {
            cells.count_outcome(outcome, truth, groups.map(|g| g.of_case[case]), held_out.m());
        }
        Ok(cells)
    }

    fn groups<'d>(&self, test: &'d Dataset) -> Result<Option<&'d deferral_core::GroupAttribute>, EvalError> {
        Ok(self.experiment.group.as_deref().map(|name| test.cases().group(name)).transpose()?)
    }
}

/// The labels of cases of which every one has one.
fn known_labels(cases: &Cases) -> Vec<Label> {
    cases.labels().iter().map(|label| label.unwrap_or_default()).collect()
}

/// How much each expert was trusted and how good they were, on the test cases.
fn expert_records(test: &Dataset, gold: &[Label], fitted: &Fitted<'_>) -> Vec<ExpertRecord> {
    let n = test.n().max(1) as f64;
    (0..=test.m())
        .map(|expert| {
            let of_expert = fitted.weights.iter().map(|column| column[expert]);
            let mean = of_expert.clone().sum::<f64>() / n;
            let variance = of_expert.map(|w| (w - mean) * (w - mean)).sum::<f64>() / n;
            let (answered, right) = if expert == test.m() {
                let right = fitted.probabilities.iter().zip(gold).filter(|(p, y)| argmax(p) == y.index()).count();
                (test.n(), right)
            } else {
                let row = test.decisions().of_expert(ExpertId::at(expert));
                let right = row.iter().filter(|(case, label): &(CaseId, Label)| gold[case.index()] == *label).count();
                (row.len(), right)
            };
            ExpertRecord { weight: mean, weight_sd: variance.sqrt(), answered, right }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::division::Division;
    use crate::experiment::FeatureChoice;
    use crate::source::{Panel, Source};
    use deferral_data::Part;
    use deferral_experts::ThreeClusters;

    fn divided(parts: &[Part]) -> Experiment {
        let clusters = Source::Clusters(ThreeClusters { cases: parts.len() });
        let records = clusters.draw(&Panel::Recorded, &Stream::new(1)).unwrap().as_ref().clone();
        Experiment {
            source: Source::Table(Arc::new(Records { parts: Some(parts.to_vec()), ..records })),
            panel: Panel::Recorded,
            division: Division::Given,
            repetitions: 2,
            methods: vec![Method::parse("majority", &[], None).unwrap()],
            features: FeatureChoice::default(),
            group: None,
            seed: 1,
        }
    }

    #[test]
    fn what_is_held_out_goes_with_the_training_set_and_is_scaled_by_it() {
        use Part::{Test, Train, Validation};
        let parts: Vec<Part> = (0..60).map(|case| [Train, Train, Validation, Test][case % 4]).collect();
        let experiment = divided(&parts);
        let Source::Table(records) = &experiment.source else { panic!("a table") };
        let bare = records.dataset(Features::none(records.n())).unwrap();
        let splits = experiment.division.split(records, bare.cases(), None, &Stream::new(1)).unwrap();
        let mut bench = Bench::new(&experiment, records, &splits[0], Job { repetition: 0, fold: 0 }, Stream::new(1));
        let at = bench.featurised(FeatureKind::Numeric).unwrap();
        let (_, train, test) = &bench.features[at];
        let held_out = train.held_out().unwrap();
        assert_eq!((train.n(), held_out.n(), test.n()), (30, 15, 15));
        assert_eq!(held_out.cases().ids(), &records.ids.select(&splits[0].validation));
        assert!(test.held_out().is_none());
        let mean = |data: &Dataset| {
            let values = data.cases().features().as_dense().unwrap();
            values.iter().map(|column| column[0]).sum::<f64>() / data.n() as f64
        };
        assert!(mean(train).abs() < 1e-12);
        // The same scale, so not centred on itself.
        assert!(mean(held_out).abs() > 1e-6 && held_out.cases().dim() == train.cases().dim());
    }

    #[test]
    fn jobs_can_be_run_apart() {
        use Part::{Test, Train};
        let experiment = divided(&(0..40).map(|case| if case < 30 { Train } else { Test }).collect::<Vec<_>>());
        let jobs = experiment.plan().unwrap();
        let apart = |jobs: &[Job]| run_jobs(&experiment, jobs, &|_, _| {}).unwrap().records;
        assert_eq!([apart(&jobs[..1]), apart(&jobs[1..])].concat(), run(&experiment, &|_, _| {}).unwrap().records);
        let missing = run_jobs(&experiment, &[Job { repetition: 0, fold: 7 }], &|_, _| {}).unwrap_err();
        assert_eq!(missing.to_string(), "there is no fold 7");
    }

    #[test]
    fn a_given_division_is_the_same_in_each_repetition() {
        use Part::{Test, Train};
        let parts: Vec<Part> = (0..40).map(|case| if case < 30 { Train } else { Test }).collect();
        let comparison = run(&divided(&parts), &|_, _| {}).unwrap();
        assert_eq!(comparison.repetitions, (2, 1));
        assert_eq!(comparison.records.iter().map(|record| record.all.n).collect::<Vec<_>>(), [10, 10]);
        let decided: Vec<u32> = comparison.records[0].decided.iter().map(|decided| decided.case).collect();
        assert_eq!(decided, (30..40).collect::<Vec<_>>());
    }
}
