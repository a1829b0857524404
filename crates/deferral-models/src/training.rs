//! The one training loop: draw a batch, run the networks, ask the objective, take a step.

use deferral_core::{CaseWeights, Columns, Context, Event, FitError, FitStatus, ParameterError, Stream};
use serde::{Deserialize, Serialize};

use crate::batches::{Batches, Drawer};
use crate::network::{Network, Tape};
use crate::objective::{Batch, Objective};
use crate::optimiser::{Momenta, Optimiser};
use crate::scalar::Scalar;

/// How long and how fast to train.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Steps at most, 1 or more.
    pub steps: usize,
    /// How the cases of a step are drawn.
    pub batches: Batches,
    /// How the parameters move.
    pub optimiser: Optimiser,
    /// When to stop before that; needs held-out cases.
    pub stopping: Option<EarlyStopping>,
}

/// Stopping when the loss on held-out cases no longer falls; the best parameters are restored.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Steps between two measurements, 1 or more.
    pub every: usize,
    /// Measurements without a new best before stopping, 1 or more.
    pub patience: usize,
    /// By how much a new best must be below the last, 0 or more; 0 by default. Without it a loss that creeps towards
    /// its bound for ever is followed for ever.
    #[serde(default)]
    pub least: f64,
}

impl Training {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the parameter that is outside.
    pub fn check(&self) -> Result<(), ParameterError> {
        ParameterError::check(self.steps > 0, "the number of steps", self.steps, "1 or more")?;
        if let Some(EarlyStopping { every, patience, least }) = self.stopping {
            let least_ok = least >= 0.0 && least.is_finite();
            ParameterError::check(least_ok, "the least gain of a new best", least, "a finite number, 0 or more")?;
            ParameterError::check(every > 0, "the steps between validations", every, "1 or more")?;
            ParameterError::check(patience > 0, "the patience", patience, "1 or more")?;
        }
        self.batches.check()?;
        self.optimiser.check()
    }
}

/// Dense features of cases in the networks' precision, each column padded as the networks need it.
#[derive(Debug, Clone)]
pub struct Inputs<S> {
    rows: usize,
    values: Vec<S>,
}

impl<S: Scalar> Inputs<S> {
    /// The features of all cases for `network`. O(n d).
    ///
    /// # Panics
    /// If the features are not as many as the network's inputs.
    pub fn new(features: &Columns, network: &Network<S>) -> Self {
        assert_eq!(features.rows(), network.inputs(), "features of a network");
        let rows = network.input_rows();
        let mut values = vec![S::zero(); rows * features.n()];
        fill(&mut values, rows, features.values(), features.rows());
        Self { rows, values }
    }

    /// Number of cases.
    pub fn n(&self) -> usize {
        self.values.len() / self.rows
    }

    /// All columns, padded.
    pub(crate) fn values(&self) -> &[S] {
        &self.values
    }

    fn gather(&self, cases: &[usize], batch: &mut [S]) {
        for (to, &case) in batch.chunks_exact_mut(self.rows).zip(cases) {
            to.copy_from_slice(&self.values[case * self.rows..(case + 1) * self.rows]);
        }
    }
}

/// The cases that early stopping watches, with their own objective.
pub struct Validation<'a, S: Scalar> {
    /// Their features.
    pub inputs: &'a Inputs<S>,
    /// The loss on them.
    pub objective: &'a mut dyn Objective<S>,
}

impl<S: Scalar> std::fmt::Debug for Validation<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Validation").field("n", &self.inputs.n()).finish_non_exhaustive()
    }
}

/// Trains all `networks` together on `objective`. They share the inputs; the objective sees one head for each, in
/// order. After the first step nothing is allocated but the packing buffer of each matrix product.
///
/// Cost of a step: 6 flops per parameter and case (4 in the first layer), plus the objective.
///
/// # Errors
/// [`FitError`] if a parameter is out of range, lengths differ, the loss stops being finite, or the observer cancels.
pub fn train<S: Scalar>(
    networks: &mut [Network<S>],
    inputs: &Inputs<S>,
    weights: &CaseWeights,
    objective: &mut dyn Objective<S>,
    mut validation: Option<Validation<'_, S>>,
    settings: &Training,
    ctx: &mut Context<'_>,
) -> Result<FitStatus, FitError> {
    settings.check()?;
    if inputs.n() == 0 {
        return Err(FitError::NoCases);
    }
    if weights.n() != inputs.n() {
        return Err(FitError::Weights { found: weights.n(), expected: inputs.n() });
    }
    let mut desk = Desk::new(networks, inputs, settings);
    draw_from(&mut desk.tapes, &ctx.stream("weights drawn"));
    let mut drawer = Drawer::new(settings.batches, inputs.n(), ctx.stream("batches").random());
    let mut best = settings.stopping.zip(validation.as_ref()).map(|(rule, v)| Best::new(rule, networks, v.inputs.n()));
    for step in 1..=settings.steps {
        let loss = desk.step(networks, inputs, weights, drawer.draw(), objective, step);
        if !loss.is_finite() {
            return Err(FitError::NotFinite { step });
        }
        ctx.report(&Event::Step { step, of: settings.steps, loss })?;
        let Some((best, validation)) = best.as_mut().zip(validation.as_mut()) else { continue };
        if step % best.rule.every == 0 || step == settings.steps {
            let loss = best.measure(networks, validation, step);
            ctx.report(&Event::Validation { step, loss })?;
            if best.exhausted() {
                best.restore(networks);
                ctx.report(&Event::Finished(FitStatus::Converged))?;
                return Ok(FitStatus::Converged);
            }
        }
    }
    if let Some(best) = &best {
        best.restore(networks);
    }
    if networks.iter().any(|network| network.parameters().iter().any(|w| !w.is_finite())) {
        return Err(FitError::NotFinite { step: settings.steps });
    }
    ctx.report(&Event::Finished(FitStatus::StepLimit))?;
    Ok(FitStatus::StepLimit)
}

/// All buffers of a training, made once.
struct Desk<S: Scalar> {
    rows: usize,
    input: Vec<S>,
    weights: Vec<f64>,
    tapes: Vec<Tape<S>>,
    gradients: Vec<Vec<S>>,
    momenta: Vec<Momenta<S>>,
}

impl<S: Scalar> Desk<S> {
    fn new(networks: &[Network<S>], inputs: &Inputs<S>, settings: &Training) -> Self {
        let capacity = settings.batches.capacity(inputs.n());
        let sizes = || networks.iter().map(|network| network.parameters().len());
        Self {
            rows: inputs.rows,
            input: vec![S::zero(); inputs.rows * capacity],
            weights: Vec::with_capacity(capacity),
            tapes: networks.iter().map(|network| Tape::new(network, capacity)).collect(),
            gradients: sizes().map(|size| vec![S::zero(); size]).collect(),
            momenta: sizes().map(|size| Momenta::new(settings.optimiser, size)).collect(),
        }
    }

    fn step(
        &mut self,
        networks: &mut [Network<S>],
        inputs: &Inputs<S>,
        weights: &CaseWeights,
        cases: &[usize],
        objective: &mut dyn Objective<S>,
        step: usize,
    ) -> f64 {
        let input = &mut self.input[..self.rows * cases.len()];
        inputs.gather(cases, input);
        self.weights.clear();
        self.weights.extend(cases.iter().map(|&case| weights.values()[case]));
        let batch = Batch { cases, weights: &self.weights };
        let loss = evaluate(networks, input, &mut self.tapes, batch, objective, step);
        for (at, network) in networks.iter_mut().enumerate() {
            let gradient = &mut self.gradients[at];
            network.backward(seen_by(network, input), &mut self.tapes[at], gradient);
            self.momenta[at].step(network.parameters_mut(), gradient);
        }
        loss
    }
}

/// Gives every tape noise of its own.
fn draw_from<S: Scalar>(tapes: &mut [Tape<S>], stream: &Stream) {
    for (at, tape) in tapes.iter_mut().enumerate() {
        tape.draw_from(stream.nth(at));
    }
}

/// Runs all networks on a batch and the objective on their outputs; gradients are left in the tapes.
pub(crate) fn evaluate<S: Scalar>(
    networks: &[Network<S>],
    input: &[S],
    tapes: &mut [Tape<S>],
    batch: Batch<'_>,
    objective: &mut dyn Objective<S>,
    step: usize,
) -> f64 {
    forward_all(networks, input, batch.cases.len(), tapes);
    for tape in tapes.iter_mut() {
        tape.output_gradient().1.fill(S::zero());
    }
    objective.evaluate(&batch, tapes, step)
}

/// Runs all networks on `n` cases, each that is fed after the one before it.
fn forward_all<S: Scalar>(networks: &[Network<S>], input: &[S], n: usize, tapes: &mut [Tape<S>]) {
    for (at, network) in networks.iter().enumerate() {
        let (before, rest) = tapes.split_at_mut(at);
        if let (Some(before), true) = (before.last(), network.is_fed()) {
            rest[0].feed(before);
        }
        network.forward(seen_by(network, input), n, &mut rest[0]);
    }
}

/// What a network sees of the shared input: free parameters see nothing.
fn seen_by<'a, S: Scalar>(network: &Network<S>, input: &'a [S]) -> &'a [S] {
    if network.input_rows() == 0 { &[] } else { input }
}

/// The best parameters so far, as early stopping sees them.
struct Best<S: Scalar> {
    rule: EarlyStopping,
    loss: f64,
    failures: usize,
    parameters: Vec<Vec<S>>,
    cases: Vec<usize>,
    weights: Vec<f64>,
    tapes: Vec<Tape<S>>,
}

impl<S: Scalar> Best<S> {
    fn new(rule: EarlyStopping, networks: &[Network<S>], n: usize) -> Self {
        Self {
            rule,
            loss: f64::INFINITY,
            failures: 0,
            parameters: networks.iter().map(|network| network.parameters().to_vec()).collect(),
            cases: (0..n).collect(),
            weights: vec![1.0; n],
            tapes: networks.iter().map(|network| Tape::new(network, n)).collect(),
        }
    }

    fn measure(&mut self, networks: &[Network<S>], held_out: &mut Validation<'_, S>, step: usize) -> f64 {
        let batch = Batch { cases: &self.cases, weights: &self.weights };
        let loss = evaluate(networks, &held_out.inputs.values, &mut self.tapes, batch, held_out.objective, step);
        if loss < self.loss - self.rule.least {
            self.loss = loss;
            self.failures = 0;
            for (kept, network) in self.parameters.iter_mut().zip(networks) {
                kept.copy_from_slice(network.parameters());
            }
        } else {
            self.failures += 1;
        }
        loss
    }

    fn exhausted(&self) -> bool {
        self.failures >= self.rule.patience
    }

    fn restore(&self, networks: &mut [Network<S>]) {
        for (kept, network) in self.parameters.iter().zip(networks) {
            network.parameters_mut().copy_from_slice(kept);
        }
    }
}

/// The outputs of `network` for all cases, `outputs x n` without padding, computed block by block so that nothing but
/// the result grows with n. O(n parameters).
///
/// # Panics
/// If the features are not as many as the network's inputs.
pub fn outputs<S: Scalar>(network: &Network<S>, features: &Columns) -> Columns {
    outputs_of_all(std::slice::from_ref(network), features).swap_remove(0)
}

/// The same for networks that were trained together, where one may be fed by the one before it.
///
/// # Panics
/// If the features are not as many as the networks' inputs.
pub fn outputs_of_all<S: Scalar>(networks: &[Network<S>], features: &Columns) -> Vec<Columns> {
    const BLOCK: usize = 256;
    let block = BLOCK.min(features.n());
    for network in networks {
        assert!([0, features.rows()].contains(&network.inputs()), "features of a network");
    }
    let rows = networks.iter().map(Network::input_rows).max().unwrap_or(0);
    let mut tapes: Vec<Tape<S>> = networks.iter().map(|network| Tape::new(network, block)).collect();
    let mut input = vec![S::zero(); rows * block];
    let mut results: Vec<Columns> = networks.iter().map(|n| Columns::zeros(n.outputs(), features.n())).collect();
    for (at, from) in features.values().chunks((features.rows() * BLOCK).max(1)).enumerate() {
        let n = from.len() / features.rows();
        fill(&mut input[..rows * n], rows, from, features.rows());
        forward_all(networks, &input[..rows * n], n, &mut tapes);
        for ((network, tape), result) in networks.iter().zip(&tapes).zip(&mut results) {
            let to = &mut result.values_mut()[network.outputs() * BLOCK * at..];
            for (to, from) in
                to.chunks_exact_mut(network.outputs()).zip(tape.output().chunks_exact(network.output_rows()))
            {
                for (to, from) in to.iter_mut().zip(from) {
                    *to = from.wide();
                }
            }
        }
    }
    results
}

/// Writes columns of `from_rows` numbers to columns of `rows`, leaving the padding as it is.
fn fill<S: Scalar>(columns: &mut [S], rows: usize, from: &[f64], from_rows: usize) {
    for (to, from) in columns.chunks_exact_mut(rows).zip(from.chunks_exact(from_rows)) {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = S::of(from);
        }
    }
}
