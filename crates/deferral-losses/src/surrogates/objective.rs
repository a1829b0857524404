//! A surrogate as the objective of a network's training.

use std::ops::Range;

use deferral_core::{Decisions, Label};
use deferral_models::{Batch, Objective, Scalar, Tape};

use super::panel::Panel;
use super::per_case::{Room, mean_over};
use super::surrogate::Surrogate;

/// A [`Surrogate`] on a set of training cases, for one network with K + J outputs: the weighted mean of its loss.
/// O(K + J + votes) a case.
///
/// ```
/// use deferral_core::*;
/// use deferral_losses::surrogates::{Surrogate, SurrogateObjective};
/// use deferral_models::*;
/// let decisions = Decisions::from_triples(2, 1, [(0, 0, 1), (1, 0, 1)])?;
/// let mut objective = SurrogateObjective::new(Surrogate::OneVsAll, vec![Label(0), Label(1)], &decisions, 0..1);
/// let network = Network::<f64>::new(&NetworkSpec::relu(1, &[], 3), &mut Stream::new(1).random())?;
/// let mut tape = Tape::new(&network, 2);
/// network.forward(&vec![0.0; network.input_rows() * 2], 2, &mut tape);
/// let batch = Batch { cases: &[0, 1], weights: &[1.0, 1.0] };
/// assert!(objective.evaluate(&batch, std::slice::from_mut(&mut tape), 1) > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SurrogateObjective<'a> {
    surrogate: Surrogate,
    labels: Vec<Label>,
    decisions: &'a Decisions,
    panel: Panel,
    right: Vec<Option<bool>>,
    room: Room,
}

impl<'a> SurrogateObjective<'a> {
    /// The surrogate on cases with these labels and decisions, of the experts whose positions are `experts`.
    ///
    /// # Panics
    /// If there are not as many labels as cases decided on, or experts beyond the roster.
    pub fn new(surrogate: Surrogate, labels: Vec<Label>, decisions: &'a Decisions, experts: Range<usize>) -> Self {
        assert_eq!(labels.len(), decisions.cases(), "labels and decisions of as many cases");
        assert!(experts.end <= decisions.experts(), "experts beyond the roster");
        let panel = Panel::learning_about(experts, decisions.experts());
        Self { surrogate, labels, decisions, panel, right: Vec::new(), room: Room::default() }
    }
}

impl<S: Scalar> Objective<S> for SurrogateObjective<'_> {
    /// # Panics
    /// If the network has not K + J outputs for labels below K.
    fn evaluate(&mut self, batch: &Batch<'_>, tapes: &mut [Tape<S>], _: usize) -> f64 {
        let Self { surrogate, labels, decisions, panel, right, room } = self;
        mean_over(batch, &mut tapes[..1], room, |case, scores, gradient| {
            panel.right(decisions, case, labels[case], right);
            surrogate.loss_and_gradient(scores, labels[case], right, gradient)
        })
    }
}
