//! Scaling of predicted probabilities so that they mean what they say.

use deferral_core::{CaseWeights, Columns, Context, FitError};
use serde::{Deserialize, Serialize};

use crate::lbfgs::Lbfgs;
use crate::stable::softmax;

/// One slope and a shift a class on the logs of predicted probabilities: `p'_k ~ exp(slope ln p_k + shift_k)`. For two
/// classes this is Platt scaling of the logit (Platt 1999); without shifts it is temperature scaling (Guo et al. 2017,
/// section 4.2) with temperature `1 / slope`.
///
/// ```
/// use deferral_core::{CaseWeights, Columns, Context, Silent, Stream};
/// use deferral_models::Scaling;
/// // A model that says .6 and is right nine times out of ten.
/// let said = Columns::repeat(&[0.4, 0.6], 10);
/// let mut truth = Columns::repeat(&[0.0, 1.0], 10);
/// truth.column_mut(0).copy_from_slice(&[1.0, 0.0]);
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let scaling = Scaling::fit(&said, &truth, &CaseWeights::uniform(10), &mut ctx)?;
/// let mut p = [0.4, 0.6];
/// scaling.apply(&mut p);
/// assert!((p[1] - 0.9).abs() < 0.02, "{p:?}");
/// # Ok::<(), deferral_core::FitError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Multiplies the log-probabilities: above 1 the predictions were too timid, below 1 too bold.
    pub slope: f64,
    /// Added to the log-probability of each class.
    pub shifts: Vec<f64>,
}

/// Pull of slope and shifts towards 1 and 0, in cases: enough to keep them finite where the predictions separate the
/// classes.
const PULL: f64 = 0.1;
/// Smallest probability whose log is taken.
const FLOOR: f64 = 1e-10;

impl Scaling {
    /// Scaling that changes nothing.
    pub fn identity(classes: usize) -> Self {
        Self { slope: 1.0, shifts: vec![0.0; classes] }
    }

    /// Fits to predictions (K x n) of cases that were not trained on, and what is right (K x n, a distribution a case),
    /// by maximum likelihood. O(n K) an iteration of L-BFGS.
    ///
    /// # Errors
    /// If lengths differ, or the observer cancels.
    pub fn fit(
        predictions: &Columns,
        targets: &Columns,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
    ) -> Result<Self, FitError> {
        Self::minimise(predictions, targets, weights, true, ctx)
    }

    /// The same without shifts: temperature scaling.
    ///
    /// # Errors
    /// As [`Scaling::fit`].
    pub fn fit_slope(
        predictions: &Columns,
        targets: &Columns,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
    ) -> Result<Self, FitError> {
        Self::minimise(predictions, targets, weights, false, ctx)
    }

    fn minimise(
        predictions: &Columns,
        targets: &Columns,
        weights: &CaseWeights,
        with_shifts: bool,
        ctx: &mut Context<'_>,
    ) -> Result<Self, FitError> {
        for length in [targets.n(), weights.n()] {
            if length != predictions.n() {
                return Err(FitError::Weights { found: length, expected: predictions.n() });
            }
        }
        let logs: Vec<f64> = predictions.values().iter().map(|p| p.max(FLOOR).ln()).collect();
        let logs = Columns::from_values(predictions.rows(), logs);
        let mut point = vec![0.0; predictions.rows() + 1];
        point[0] = 1.0;
        let share = 1.0 / predictions.n().max(1) as f64;
        let mut scores = vec![0.0; predictions.rows()];
        let solver = Lbfgs { tolerance: 1e-6, ..Lbfgs::default() };
        solver.minimise(
            &mut point,
            |point, gradient| {
                gradient.fill(0.0);
                let (slope, shifts) = (point[0], &point[1..]);
                let mut loss = 0.0;
                for ((log, target), weight) in logs.iter().zip(targets.iter()).zip(weights.values()) {
                    for ((score, log), shift) in scores.iter_mut().zip(log).zip(shifts) {
                        *score = slope * log + shift;
                    }
                    let raw: f64 = scores.iter().zip(target).map(|(score, target)| score * target).sum();
                    loss += weight * share * (softmax(&mut scores) - raw);
                    for (class, (p, target)) in scores.iter().zip(target).enumerate() {
                        let residual = weight * share * (p - target);
                        gradient[0] += residual * log[class];
                        if with_shifts {
                            gradient[class + 1] += residual;
                        }
                    }
                }
                let pull = PULL * share;
                for (at, value) in point.iter().enumerate() {
                    let away = value - f64::from(u8::from(at == 0));
                    gradient[at] += pull * away;
                    loss += 0.5 * pull * away * away;
                }
                loss
            },
            ctx,
        )?;
        Ok(Self { slope: point[0], shifts: point.split_off(1) })
    }

    /// Scales one distribution in place. O(K).
    pub fn apply(&self, probabilities: &mut [f64]) {
        for (p, shift) in probabilities.iter_mut().zip(&self.shifts) {
            *p = self.slope * p.max(FLOOR).ln() + shift;
        }
        softmax(probabilities);
    }
}
