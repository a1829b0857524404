//! Objectives that are the mean of a loss of each case.

use deferral_models::{Batch, Objective, Scalar, Tape};

/// Buffers for the scores of one case and their slopes.
#[derive(Debug, Clone, Default)]
pub(super) struct Room {
    scores: Vec<f64>,
    gradient: Vec<f64>,
}

/// The weighted mean of `loss` over a batch: it sees a case's position and the outputs of all networks for it, one
/// after the other, and writes the slopes of all of them. Allocates nothing after the first case.
pub(super) fn mean_over<S: Scalar>(
    batch: &Batch<'_>,
    tapes: &mut [Tape<S>],
    room: &mut Room,
    mut loss: impl FnMut(usize, &[f64], &mut [f64]) -> f64,
) -> f64 {
    let share = 1.0 / batch.cases.len() as f64;
    let mut total = 0.0;
    for (place, (&case, &weight)) in batch.cases.iter().zip(batch.weights).enumerate() {
        room.scores.clear();
        for tape in tapes.iter_mut() {
            room.scores.extend(tape.case(place).0.iter().map(|score| score.wide()));
        }
        room.gradient.clear();
        room.gradient.resize(room.scores.len(), 0.0);
        total += weight * share * loss(case, &room.scores, &mut room.gradient);
        let mut slopes = room.gradient.iter();
        for tape in tapes.iter_mut() {
            for (to, slope) in tape.case(place).1.iter_mut().zip(&mut slopes) {
                *to += S::of(weight * share * slope);
            }
        }
    }
    total
}

/// The objective of a loss of one case.
pub(super) struct PerCase<L> {
    loss: L,
    room: Room,
}

impl<L: FnMut(usize, &[f64], &mut [f64]) -> f64> PerCase<L> {
    pub(super) fn new(loss: L) -> Self {
        Self { loss, room: Room::default() }
    }
}

impl<S: Scalar, L: FnMut(usize, &[f64], &mut [f64]) -> f64> Objective<S> for PerCase<L> {
    fn evaluate(&mut self, batch: &Batch<'_>, tapes: &mut [Tape<S>], _: usize) -> f64 {
        mean_over(batch, tapes, &mut self.room, &mut self.loss)
    }
}
