//! Fairness from a task that knows the groups to one that does not: two tasks, one encoder.

use std::ops::Range;

use deferral_core::{
    CaseWeights, Cases, Columns, Context, Dataset, FitError, Label, Learner, ParameterError, Policy, PolicyError,
    Probabilities, Weights,
};
use deferral_models::{
    Batch, Batches, CrossEntropy, Inputs, Network, NetworkSpec, Objective, Optimiser, Tape, Targets, Training,
    class_probabilities,
    classifier::{dense, network_outputs, probabilities_of},
    cross_entropy, train,
};
use serde::{Deserialize, Serialize};

use crate::differential_odds::{DifferentialOdds, RunningOdds};

/// Multi-task learning of a target and an auxiliary task with a fairness loss on either (Aguirre and Dredze 2023):
///
/// `L = CE(target) + CE(auxiliary) + lambda (epsilon(target) + epsilon(auxiliary))`
///
/// where an epsilon is the differential equalised odds of a task by one attribute ([`DifferentialOdds`]) and is there
/// only if asked for. Both tasks share the hidden layers and have an output layer each, so that what the loss takes out
/// of the hidden layers is taken from both. That needs layers that are shared in truth: where they are wide, each task
/// can keep units of its own, and little carries over.
///
/// | called in the paper | attributes | lambda |
/// |---|---|---|
/// | MTL-fair: groups known in the auxiliary task alone | `auxiliary` | above 0 |
/// | the intersectional variant: one attribute each | both | above 0 |
/// | MTL-base | none | 0 |
/// | STL-fair: [`Learner::fit`], without an auxiliary task | `target` | above 0 |
/// | STL-base: the same | none | 0 |
///
/// No group is needed when a case is decided. Training costs about 6 flops a parameter, case and step.
///
/// ```
/// use deferral_core::*;
/// use deferral_fairness::{Transfer, TransferFrom};
/// // Both tasks: is the first number positive? The second one tells the group.
/// let task = |shift: usize, known: bool| -> Result<Dataset, Box<dyn std::error::Error>> {
///     let x = |i: usize| [(((i + shift) * 37) % 100) as f64 / 50.0 - 0.99, if i % 2 == 0 { 1.0 } else { -1.0 }];
///     let features = Features::dense(Columns::from_values(2, (0..200).flat_map(x).collect()))?;
///     let labels = (0..200).map(|i| Some(Label(u16::from(x(i)[0] > 0.0)))).collect();
///     let mut cases = Cases::new(Names::numbered("case", 200), features)?.with_labels(labels)?;
///     if known {
///         let gender = (0..200).map(|i| if i % 2 == 0 { "f" } else { "m" });
///         cases = cases.with_group(GroupAttribute::from_values("gender", gender))?;
///     }
///     Ok(Dataset::new(cases, Decisions::none(200, 0), Names::numbered("", 2), Names::new())?)
/// };
/// let (target, auxiliary) = (task(0, false)?, task(13, true)?);
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let policy = Transfer::from_auxiliary("gender").fit_tasks(&target, &auxiliary, &mut ctx)?;
/// let p = policy.classify(target.cases())?;
/// let right = (0..200).filter(|&i| Some(Label(most_probable(p.column(i)) as u16)) == target.cases().labels()[i]);
/// assert!(right.count() > 190);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Transfer {
    /// Widths of the shared hidden layers of rectified units, the encoder.
    pub hidden: Vec<usize>,
    /// The weight of the fairness loss, finite, 0 or more; without effect if neither task has one.
    pub lambda: f64,
    /// What is to be fair in the target task, if its groups are known.
    pub target: Option<DifferentialOdds>,
    /// What is to be fair in the auxiliary task.
    pub auxiliary: Option<DifferentialOdds>,
    /// Steps, batches and optimiser. A batch holds as many cases of each task as `batches` says; all of both for
    /// [`Batches::Full`]. Early stopping is not used.
    pub training: Training,
}

impl Default for Transfer {
    fn default() -> Self {
        let batches = Batches::ByEpoch { size: 100 };
        Self {
            hidden: vec![2],
            lambda: 1.0,
            target: None,
            auxiliary: None,
            training: Training { steps: 1000, batches, optimiser: Optimiser::adam(0.01), stopping: None },
        }
    }
}

impl Transfer {
    /// The groups of `attribute` are known in the auxiliary task.
    pub fn from_auxiliary(attribute: impl Into<String>) -> Self {
        Self { auxiliary: Some(DifferentialOdds::of(attribute)), ..Self::default() }
    }

    /// The target task knows the groups of one attribute and the auxiliary task those of another, for fairness to
    /// the groups of both at once.
    pub fn intersectional(target: impl Into<String>, auxiliary: impl Into<String>) -> Self {
        Self { target: Some(DifferentialOdds::of(target)), ..Self::from_auxiliary(auxiliary) }
    }

    /// Learns both tasks and returns the classifier of the target task. Both have the same features, but may have other
    /// cases, labels and groups; decisions of experts are not looked at.
    ///
    /// # Errors
    /// If a parameter is out of range, a task lacks labels, dense features or the attribute it is to be fair by, its
    /// groups cannot be compared, or the numbers of features differ.
    pub fn fit_tasks(
        &self,
        target: &Dataset,
        auxiliary: &Dataset,
        ctx: &mut Context<'_>,
    ) -> Result<TransferPolicy, FitError> {
        self.fit_all(target, Some(auxiliary), &CaseWeights::uniform(target.n()), ctx)
    }

    fn fit_all(
        &self,
        target: &Dataset,
        auxiliary: Option<&Dataset>,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
    ) -> Result<TransferPolicy, FitError> {
        self.check(auxiliary.is_some())?;
        let mut tasks = vec![Task::new(target, self.target.as_ref(), 0, 0)?];
        if let Some(auxiliary) = auxiliary {
            tasks.push(Task::new(auxiliary, self.auxiliary.as_ref(), target.n(), tasks[0].outputs.end)?);
        }
        let features = features_of_both(target, auxiliary)?;
        let weights = weights_of_both(weights, target.n(), auxiliary)?;
        let outputs = tasks.iter().map(|task| task.outputs.len()).sum();
        let spec = NetworkSpec::relu(features.rows(), &self.hidden, outputs);
        let mut network = Network::new(&spec, &mut ctx.stream("weights").random())?;
        let inputs = Inputs::new(&features, &network);
        let training = Training { batches: self.batches(target.n()), stopping: None, ..self.training };
        let mut objective = SharedObjective { lambda: self.lambda, tasks };
        train(std::slice::from_mut(&mut network), &inputs, &weights, &mut objective, None, &training, ctx)?;
        Ok(TransferPolicy { experts: target.m(), classes: target.k(), network })
    }

    fn check(&self, two: bool) -> Result<(), ParameterError> {
        let lambda_ok = self.lambda.is_finite() && self.lambda >= 0.0;
        ParameterError::check(lambda_ok, "the weight of the fairness loss", self.lambda, "a finite number, 0 or more")?;
        if let (Some(odds), false) = (&self.auxiliary, two) {
            let expected = "left out where there is no auxiliary task";
            return Err(ParameterError::new("the attribute of the auxiliary task", &odds.attribute, expected));
        }
        self.training.check()
    }

    /// As many cases of each task in every step.
    fn batches(&self, first: usize) -> Batches {
        match self.training.batches {
            Batches::PerStep { size } | Batches::ByEpoch { size } | Batches::Paired { size, .. } => {
                Batches::Paired { size, first }
            }
            Batches::Full => Batches::Full,
        }
    }
}

impl Learner for Transfer {
    type Policy = TransferPolicy;

    /// Learns a single task, the target.
    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<TransferPolicy, FitError> {
        self.fit_all(data, None, weights, ctx)
    }
}

/// Transfer from an auxiliary task that is given, as a learner of the target task.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferFrom {
    /// How both are learned.
    pub transfer: Transfer,
    /// The auxiliary task; its cases count the same.
    pub auxiliary: Dataset,
}

impl Learner for TransferFrom {
    type Policy = TransferPolicy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<TransferPolicy, FitError> {
        self.transfer.fit_all(data, Some(&self.auxiliary), weights, ctx)
    }
}

/// The features of all cases, those of the target task first.
fn features_of_both(target: &Dataset, auxiliary: Option<&Dataset>) -> Result<Columns, FitError> {
    let first = dense(target)?;
    let Some(auxiliary) = auxiliary else { return Ok(first.clone()) };
    let second = dense(auxiliary)?;
    let (found, expected) = (second.rows(), format!("{}, as in the target task", first.rows()));
    ParameterError::check(found == first.rows(), "the number of features of the auxiliary task", found, &expected)?;
    Ok(Columns::from_values(first.rows(), [first.values(), second.values()].concat()))
}

/// The weights of all cases; those of the auxiliary task count the same.
fn weights_of_both(target: &CaseWeights, n: usize, auxiliary: Option<&Dataset>) -> Result<CaseWeights, FitError> {
    if target.n() != n {
        return Err(FitError::Weights { found: target.n(), expected: n });
    }
    let ones = vec![1.0; auxiliary.map_or(0, Dataset::n)];
    Ok(CaseWeights::new([target.values(), &ones].concat())?)
}

/// One task of the shared network.
#[derive(Debug)]
struct Task {
    /// Its cases among those of all tasks.
    cases: Range<usize>,
    /// Its head among the outputs.
    outputs: Range<usize>,
    labels: Vec<Label>,
    targets: Targets,
    odds: Option<RunningOdds>,
    room: Room,
}

/// Buffers for a task's part of a batch.
#[derive(Debug, Default)]
struct Room {
    /// Where its cases stand in the batch.
    places: Vec<usize>,
    /// Which of its cases they are.
    cases: Vec<usize>,
    weights: Vec<f64>,
    probabilities: Vec<f64>,
    slopes: Vec<f64>,
    scores: Vec<f64>,
}

impl Task {
    fn new(
        data: &Dataset,
        odds: Option<&DifferentialOdds>,
        first_case: usize,
        first_output: usize,
    ) -> Result<Self, FitError> {
        let (labels, targets) = (data.gold()?, Targets::labels(data.k()));
        let odds = odds.map(|settings| RunningOdds::new(settings, data)).transpose()?;
        let cases = first_case..first_case + data.n();
        let outputs = first_output..first_output + CrossEntropy::outputs(data.k());
        Ok(Self { cases, outputs, labels, targets, odds, room: Room::default() })
    }

    fn classes(&self) -> usize {
        if self.outputs.len() == 1 { 2 } else { self.outputs.len() }
    }

    /// Finds the cases of this task in a batch.
    fn gather(&mut self, batch: &Batch<'_>) {
        let Room { places, cases, weights, .. } = &mut self.room;
        places.clear();
        cases.clear();
        weights.clear();
        for (place, (case, weight)) in batch.cases.iter().zip(batch.weights).enumerate() {
            if self.cases.contains(case) {
                places.push(place);
                cases.push(case - self.cases.start);
                weights.push(*weight);
            }
        }
    }

    /// The mean cross-entropy of this task's cases; gradients go to its head alone.
    fn errors(&mut self, tape: &mut Tape<f64>) -> f64 {
        let Room { places, cases, weights, scores, .. } = &mut self.room;
        let share = 1.0 / places.len() as f64;
        let mut loss = 0.0;
        for ((&place, &case), weight) in places.iter().zip(cases.iter()).zip(weights.iter()) {
            let (outputs, gradient) = tape.case(place);
            let (outputs, gradient) = (&outputs[self.outputs.clone()], &mut gradient[self.outputs.clone()]);
            loss += cross_entropy(self.targets.of(self.labels[case]), outputs, gradient, weight * share, scores);
        }
        loss
    }

    /// The unfairness of this task, `lambda` times.
    fn unfairness(&mut self, lambda: f64, tape: &mut Tape<f64>) -> f64 {
        let classes = self.classes();
        let Some(odds) = &mut self.odds else { return 0.0 };
        let Room { places, cases, weights, probabilities, slopes, .. } = &mut self.room;
        probabilities.resize(places.len() * classes, 0.0);
        slopes.resize(places.len() * classes, 0.0);
        for (&place, p) in places.iter().zip(probabilities.chunks_mut(classes)) {
            class_probabilities(&tape.case(place).0[self.outputs.clone()], p);
        }
        let loss = odds.evaluate(&Batch { cases, weights }, probabilities, slopes);
        for ((&place, p), slopes) in places.iter().zip(probabilities.chunks(classes)).zip(slopes.chunks(classes)) {
            chain(lambda, p, slopes, &mut tape.case(place).1[self.outputs.clone()]);
        }
        lambda * loss
    }
}

/// Adds the gradient with respect to the outputs (one logit, or K scores) of `lambda` times something with the given
/// slopes in the probabilities.
fn chain(lambda: f64, p: &[f64], slopes: &[f64], gradient: &mut [f64]) {
    let mean: f64 = p.iter().zip(slopes).map(|(p, slope)| p * slope).sum();
    // The one logit of two classes is the score of class 1 above that of class 0.
    let scored = p.len() - gradient.len();
    for ((g, p), slope) in gradient.iter_mut().zip(&p[scored..]).zip(&slopes[scored..]) {
        *g += lambda * p * (slope - mean);
    }
}

/// The losses of all tasks, each on its own cases of a batch.
#[derive(Debug)]
struct SharedObjective {
    lambda: f64,
    tasks: Vec<Task>,
}

impl Objective<f64> for SharedObjective {
    fn evaluate(&mut self, batch: &Batch<'_>, tapes: &mut [Tape<f64>], _: usize) -> f64 {
        let mut loss = 0.0;
        for task in &mut self.tasks {
            task.gather(batch);
            loss += task.errors(&mut tapes[0]);
            if self.lambda > 0.0 {
                loss += task.unfairness(self.lambda, &mut tapes[0]);
            }
        }
        loss
    }
}

/// The classifier of the target task, which never asks anybody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferPolicy {
    experts: usize,
    classes: usize,
    /// The outputs of the target task come first.
    network: Network<f64>,
}

impl Policy for TransferPolicy {
    fn experts(&self) -> usize {
        self.experts
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        let raw = network_outputs(&self.network, cases)?;
        let head = CrossEntropy::outputs(self.classes);
        let own = raw.iter().flat_map(|outputs| outputs[..head].iter().copied()).collect();
        Ok(probabilities_of(&Columns::from_values(head, own), self.classes))
    }

    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        let mut weights = vec![0.0; self.experts + 1];
        weights[self.experts] = 1.0;
        Ok(Weights(Columns::repeat(&weights, cases.n())))
    }
}
