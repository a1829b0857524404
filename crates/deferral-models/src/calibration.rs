//! Which correction makes predicted probabilities mean what they say, and what it learned.

use deferral_core::{CaseWeights, Columns, Context, FitError};
use serde::{Deserialize, Serialize};

use crate::isotonic::Isotonic;
use crate::scaling::Scaling;

/// How predicted probabilities are corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calibration {
    /// Not at all.
    None,
    /// One number: how bold the predictions are (Guo et al. 2017, section 4.2).
    Temperature,
    /// The same and a shift a class: for two classes Platt scaling (Platt 1999).
    #[default]
    Platt,
    /// An increasing curve a class (Zadrozny and Elkan 2002); wants a few hundred cases.
    Isotonic,
}

/// A fitted correction.
///
/// ```
/// use deferral_core::{CaseWeights, Columns, Context, Silent, Stream};
/// use deferral_models::Calibration;
/// // A model that says .6 and is right nine times out of ten.
/// let said = Columns::repeat(&[0.4, 0.6], 200);
/// let truth = Columns::from_values(2, (0..200).flat_map(|i| if i % 10 == 0 { [1.0, 0.0] } else { [0.0, 1.0] }).collect());
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// for calibration in [Calibration::Temperature, Calibration::Platt, Calibration::Isotonic] {
///     let calibrator = calibration.fit(&said, &truth, &CaseWeights::uniform(200), &mut ctx)?;
///     let mut p = [0.4, 0.6];
///     calibrator.apply(&mut p);
///     assert!((p[1] - 0.9).abs() < 0.02, "{calibration:?} {p:?}");
/// }
/// # Ok::<(), deferral_core::FitError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calibrator {
    /// Changes nothing.
    #[default]
    None,
    /// Of [`Calibration::Temperature`] and [`Calibration::Platt`].
    Scaling(Scaling),
    /// Of [`Calibration::Isotonic`].
    Isotonic(Isotonic),
}

impl Calibration {
    /// Fits to predictions (K x n) of cases that were not trained on, and what is right (K x n, a distribution a case).
    ///
    /// # Errors
    /// If lengths differ, or the observer cancels.
    pub fn fit(
        self,
        predictions: &Columns,
        targets: &Columns,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
    ) -> Result<Calibrator, FitError> {
        for length in [targets.n(), weights.n()] {
            if length != predictions.n() {
                return Err(FitError::Weights { found: length, expected: predictions.n() });
            }
        }
        Ok(match self {
            Self::None => Calibrator::None,
            Self::Temperature => Calibrator::Scaling(Scaling::fit_slope(predictions, targets, weights, ctx)?),
            Self::Platt => Calibrator::Scaling(Scaling::fit(predictions, targets, weights, ctx)?),
            Self::Isotonic => Calibrator::Isotonic(Isotonic::fit(predictions, targets, weights)),
        })
    }
}

impl Calibrator {
    /// Corrects one distribution in place. O(K), for curves O(K log n).
    pub fn apply(&self, probabilities: &mut [f64]) {
        match self {
            Self::None => {}
            Self::Scaling(scaling) => scaling.apply(probabilities),
            Self::Isotonic(isotonic) => isotonic.apply(probabilities),
        }
    }
}
