//! Networks trained on all cases at once by L-BFGS: small networks, where it beats any step size.

use deferral_core::{CaseWeights, Context, FitError, FitStatus};

use crate::lbfgs::Lbfgs;
use crate::network::{Network, Tape};
use crate::objective::{Batch, Objective};
use crate::training::{Inputs, evaluate};

/// Minimises `objective` plus `decay / 2` times the mean squared weight norm over cases (`decay |w|^2 / (2 n)`, biases
/// included) over all parameters of one network.
///
/// # Errors
/// [`FitError`] if there is no case, lengths differ, the loss is not finite at the start, or the observer cancels.
pub fn train_full_batch(
    network: &mut Network<f64>,
    inputs: &Inputs<f64>,
    weights: &CaseWeights,
    objective: &mut dyn Objective<f64>,
    decay: f64,
    settings: &Lbfgs,
    ctx: &mut Context<'_>,
) -> Result<FitStatus, FitError> {
    let n = inputs.n();
    if n == 0 {
        return Err(FitError::NoCases);
    }
    if weights.n() != n {
        return Err(FitError::Weights { found: weights.n(), expected: n });
    }
    let cases: Vec<usize> = (0..n).collect();
    let mut tapes = [Tape::new(network, n)];
    let mut point = network.parameters().to_vec();
    let pull = decay / n as f64;
    let mut started = false;
    let mut finite_start = true;
    let status = settings.minimise(
        &mut point,
        |point, gradient| {
            network.parameters_mut().copy_from_slice(point);
            let batch = Batch { cases: &cases, weights: weights.values() };
            let networks = std::slice::from_ref(&*network);
            let loss = evaluate(networks, inputs.values(), &mut tapes, batch, objective, 1);
            network.backward(inputs.values(), &mut tapes[0], gradient);
            let mut penalty = 0.0;
            for (g, w) in gradient.iter_mut().zip(point) {
                *g += pull * w;
                penalty += 0.5 * pull * w * w;
            }
            if !started {
                started = true;
                finite_start = loss.is_finite();
            }
            loss + penalty
        },
        ctx,
    )?;
    if !finite_start {
        return Err(FitError::NotFinite { step: 0 });
    }
    network.parameters_mut().copy_from_slice(&point);
    Ok(status)
}
