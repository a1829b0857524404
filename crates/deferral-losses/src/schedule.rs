//! How much the classifier's own loss and the system's loss count while training goes on.

use deferral_core::ParameterError;
use serde::{Deserialize, Serialize};

/// The weights `alpha1` (of the classifier's own loss) and `alpha2` (of the system's loss); Keswani, Lease and
/// Kenthapadi 2021, section 2.1, "choice of hyperparameters".
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// The same all the time.
    Constant {
        /// `alpha1`, 0 or more.
        classifier: f64,
        /// `alpha2`, 0 or more.
        system: f64,
    },
    /// A head start for the classifier: `alpha1 = 1`, `alpha2 = 1 - t^-c` at step t = 1, 2, ...
    HeadStart {
        /// c, above 0; .5 in the paper.
        exponent: f64,
    },
    /// `alpha1 = 1`, and `alpha2 = 1` on the cases that the classifier gets wrong, else 0.
    WhereWrong,
}

impl Default for Schedule {
    fn default() -> Self {
        Self::HeadStart { exponent: 0.5 }
    }
}

impl Schedule {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the parameter that is outside.
    pub fn check(&self) -> Result<(), ParameterError> {
        match *self {
            Self::Constant { classifier, system } => {
                for (name, alpha) in [("alpha1", classifier), ("alpha2", system)] {
                    let ok = alpha.is_finite() && alpha >= 0.0;
                    ParameterError::check(ok, name, alpha, "a finite number, 0 or more")?;
                }
                ParameterError::check(classifier + system > 0.0, "alpha1 + alpha2", 0, "above 0")
            }
            Self::HeadStart { exponent } => {
                let ok = exponent > 0.0 && exponent.is_finite();
                ParameterError::check(ok, "the exponent of the head start", exponent, "a finite number above 0")
            }
            Self::WhereWrong => Ok(()),
        }
    }

    /// `(alpha1, alpha2)` at `step` (from 1) for a case that the classifier gets right or wrong.
    pub(crate) fn alphas(&self, step: usize, classifier_is_right: bool) -> (f64, f64) {
        match *self {
            Self::Constant { classifier, system } => (classifier, system),
            Self::HeadStart { exponent } => (1.0, 1.0 - (step as f64).powf(-exponent)),
            Self::WhereWrong => (1.0, f64::from(u8::from(!classifier_is_right))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_start_begins_at_zero_and_grows() {
        let schedule = Schedule::HeadStart { exponent: 0.5 };
        assert_eq!(schedule.alphas(1, true), (1.0, 0.0));
        assert!((schedule.alphas(100, true).1 - 0.9).abs() < 1e-12);
        assert_eq!(Schedule::WhereWrong.alphas(7, false), (1.0, 1.0));
        assert_eq!(Schedule::WhereWrong.alphas(7, true), (1.0, 0.0));
    }

    #[test]
    fn ranges_are_checked() {
        assert!(Schedule::Constant { classifier: 0.0, system: 0.0 }.check().is_err());
        let message = Schedule::HeadStart { exponent: -1.0 }.check().unwrap_err().to_string();
        assert_eq!(message, "the exponent of the head start is -1, but must be a finite number above 0");
    }
}
