//! What training minimises, seen from the training loop.

use deferral_core::{Dataset, FitError, Stream};

use crate::network::Tape;
use crate::scalar::Scalar;

/// A differentiable objective: the loss of a batch and its gradient with respect to the networks' outputs.
///
/// The objective holds whatever it needs to know of the training cases (labels, decisions) and looks it up by the
/// positions in [`Batch::cases`].
pub trait Objective<S: Scalar> {
    /// The loss of the batch (a mean over its cases, each times its weight) at `step` (counted from 1), with the
    /// gradient with respect to each network's outputs written to its tape. Gradients arrive zeroed; sums are `f64`.
    fn evaluate(&mut self, batch: &Batch<'_>, tapes: &mut [Tape<S>], step: usize) -> f64;
}

/// The cases of one step.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Their positions among the training cases.
    pub cases: &'a [usize],
    /// How much each counts, in the same order.
    pub weights: &'a [f64],
}

/// What a system of one model and one decision-maker is expected to do with a case of two classes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// The model's probability of class 1, p.
    pub model: f64,
    /// The probability with which the decision-maker is asked, pi; 0 where nobody can be.
    pub deferral: f64,
    /// The decision-maker's probability of class 1, q.
    pub expert: f64,
}

impl Expected {
    /// A model that decides by itself.
    pub fn model_alone(probability: f64) -> Self {
        Self { model: probability, deferral: 0.0, expert: 0.0 }
    }

    /// The expected probability of class 1, `(1 - pi) p + pi q`.
    pub fn system(&self) -> f64 {
        (1.0 - self.deferral) * self.model + self.deferral * self.expert
    }
}

/// The slopes of a penalty in what a system is expected to do with a case.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ExpectedSlope {
    /// In the model's probability.
    pub model: f64,
    /// In the probability of asking.
    pub deferral: f64,
}

/// What a batch of outcomes costs beyond the errors in it, such as their unfairness: added to an [`Objective`] by the
/// learner that owns one. It is not a sum over cases, so it sees the whole batch.
pub trait Penalty: Send {
    /// The penalty of a batch; `expected` holds its cases in order, and `slopes`, of the same length, is overwritten.
    fn evaluate(&mut self, batch: &Batch<'_>, expected: &[Expected], slopes: &mut [ExpectedSlope]) -> f64;
}

/// A penalty before it has seen any data.
pub trait Penalise {
    /// The penalty for training on `data`; what is random in it is drawn from `stream`.
    ///
    /// # Errors
    /// If the data lack what it looks at, such as a group attribute.
    fn penalty(&self, data: &Dataset, stream: &Stream) -> Result<Box<dyn Penalty>, FitError>;
}

/// No penalty at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct NoPenalty;

impl Penalty for NoPenalty {
    fn evaluate(&mut self, _: &Batch<'_>, _: &[Expected], slopes: &mut [ExpectedSlope]) -> f64 {
        slopes.fill(ExpectedSlope::default());
        0.0
    }
}

impl Penalise for NoPenalty {
    fn penalty(&self, _: &Dataset, _: &Stream) -> Result<Box<dyn Penalty>, FitError> {
        Ok(Box::new(Self))
    }
}
