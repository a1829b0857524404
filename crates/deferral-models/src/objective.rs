//! What training minimises, seen from the training loop.

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
