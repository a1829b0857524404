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
/// of the hidden layers is taken from both. That needs layers that are shared in truth: the wider they are, the more of
/// its own each task can keep in them, and the larger a lambda is needed. Each batch moves the running counts by a tenth
/// only, so that a lambda of 10 is about one of 1 on the full counts. One that is too large leaves a classifier that
/// decides the same for everybody.
///
/// The default is four shared units, lambda 10, and 1,000 steps of Adam at rate .01 on 200 cases of each task.
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
        let batches = Batches::ByEpoch { size: 200 };
        Self {
            hidden: vec![4],
            lambda: 10.0,
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
#[derive(Debug, Clone)]
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
#[derive(Debug, Clone, Default)]
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
#[derive(Debug, Clone)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Decisions, Features, GroupAttribute, Names, Stream};
    use deferral_models::{Activation, Init};

    fn task(n: usize, classes: usize, salt: usize) -> Dataset {
        let value = |at: usize| ((at * 7919 + salt * 31) % 97) as f64 / 50.0 - 1.0;
        let features = Features::dense(Columns::from_values(2, (0..2 * n).map(value).collect())).unwrap();
        let labels = (0..n).map(|i| Some(Label(((i * 5 + salt) % 7 % classes) as u16))).collect();
        let group = GroupAttribute::from_values("gender", (0..n).map(|i| ["f", "m", "x"][(i * 3 + salt) % 8 % 3]));
        let cases = Cases::new(Names::numbered("case", n), features).unwrap();
        let cases = cases.with_labels(labels).unwrap().with_group(group).unwrap();
        Dataset::new(cases, Decisions::none(n, 0), Names::numbered("", classes), Names::new()).unwrap()
    }

    #[test]
    fn gradients_match_central_differences() {
        for (first, second) in [(3, 2), (2, 4)] {
            let (target, auxiliary) = (task(20, first, 1), task(30, second, 2));
            let fair = DifferentialOdds::of("gender");
            let one = Task::new(&target, Some(&fair), 0, 0).unwrap();
            let two = Task::new(&auxiliary, Some(&fair), 20, one.outputs.end).unwrap();
            let outputs = two.outputs.end;
            let objective = SharedObjective { lambda: 2.5, tasks: vec![one, two] };
            let layers = vec![(3, Activation::Tanh), (outputs, Activation::Identity)];
            let spec = NetworkSpec { inputs: 2, layers, init: Init::Glorot, output_bias: 0.0, fed: false };
            let mut network = Network::<f64>::new(&spec, &mut Stream::new(3).random()).unwrap();
            let columns = features_of_both(&target, Some(&auxiliary)).unwrap();
            let (rows, cases) = (network.input_rows(), (0..50).collect::<Vec<usize>>());
            let mut input = vec![0.0; rows * 50];
            for (to, from) in input.chunks_mut(rows).zip(columns.iter()) {
                to[..2].copy_from_slice(from);
            }
            let weights: Vec<f64> = cases.iter().map(|case| 0.4 + (case % 4) as f64 * 0.4).collect();
            let mut tapes = [Tape::new(&network, 50)];
            let mut loss = |network: &Network<f64>, gradient: Option<&mut [f64]>| {
                network.forward(&input, 50, &mut tapes[0]);
                tapes[0].output_gradient().1.fill(0.0);
                let batch = Batch { cases: &cases, weights: &weights };
                let loss = objective.clone().evaluate(&batch, &mut tapes, 1);
                if let Some(gradient) = gradient {
                    network.backward(&input, &mut tapes[0], gradient);
                }
                loss
            };
            let mut gradient = vec![0.0; network.parameters().len()];
            loss(&network, Some(&mut gradient));
            for (at, computed) in gradient.iter().enumerate() {
                let (h, old) = (1e-6, network.parameters()[at]);
                let mut at_shift = |by: f64| {
                    network.parameters_mut()[at] = old + by;
                    let loss = loss(&network, None);
                    network.parameters_mut()[at] = old;
                    loss
                };
                let numeric = (at_shift(h) - at_shift(-h)) / (2.0 * h);
                // Padded parameters have neither effect nor gradient.
                assert!((numeric - computed).abs() <= 1e-6 * numeric.abs().max(1.0), "{at}: {numeric} {computed}");
            }
        }
    }

    #[test]
    fn each_task_moves_its_own_head_only() {
        let (target, auxiliary) = (task(20, 3, 1), task(30, 2, 2));
        let one = Task::new(&target, None, 0, 0).unwrap();
        let two = Task::new(&auxiliary, Some(&DifferentialOdds::of("gender")), 20, 3).unwrap();
        let mut objective = SharedObjective { lambda: 1.0, tasks: vec![one, two] };
        let network = Network::<f64>::new(&NetworkSpec::relu(2, &[], 4), &mut Stream::new(1).random()).unwrap();
        let mut tapes = [Tape::new(&network, 3)];
        network.forward(&vec![0.3; network.input_rows() * 3], 3, &mut tapes[0]);
        tapes[0].output_gradient().1.fill(0.0);
        objective.evaluate(&Batch { cases: &[4, 25, 41], weights: &[1.0; 3] }, &mut tapes, 1);
        let moved =
            |tape: &mut Tape<f64>, place: usize| tape.case(place).1.iter().map(|g| *g != 0.0).collect::<Vec<_>>();
        assert_eq!(moved(&mut tapes[0], 0), [true, true, true, false]);
        assert_eq!(moved(&mut tapes[0], 1), [false, false, false, true]);
        assert_eq!(moved(&mut tapes[0], 2), [false, false, false, true]);
    }
}
