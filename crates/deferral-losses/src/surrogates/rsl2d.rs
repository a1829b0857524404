//! The RSL2D family: realizable and Bayes-consistent at once, for any decreasing function of a probability.

use deferral_core::ParameterError;
use deferral_models::stable::{log_sum_exp, sigmoid, softplus};
use serde::{Deserialize, Serialize};

/// The decreasing function of a probability t at the heart of [`Surrogate::Rsl2d`](super::Surrogate::Rsl2d).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Psi {
    /// `-ln t`.
    #[default]
    Log,
    /// `(1 - t^q) / q`: between the other two, and robust to wrong labels (Zhang and Sabuncu 2018).
    GeneralisedCrossEntropy {
        /// q, above 0 and at most 1; .7 in that paper.
        q: f64,
    },
    /// `1 - t`.
    MeanAbsolute,
}

impl Psi {
    pub(super) fn check(self) -> Result<(), ParameterError> {
        let Self::GeneralisedCrossEntropy { q } = self else { return Ok(()) };
        ParameterError::check(q > 0.0 && q <= 1.0, "q of the generalised cross-entropy", q, "above 0 and at most 1")
    }

    /// `Psi(t)` and `t Psi'(t)`, given `ln t`.
    fn at(self, log: f64) -> (f64, f64) {
        match self {
            Self::Log => (-log, -1.0),
            Self::GeneralisedCrossEntropy { q } => (-(q * log).exp_m1() / q, -(q * log).exp()),
            Self::MeanAbsolute => (-log.exp_m1(), -log.exp()),
        }
    }
}

/// `c Psi(p_y) + (1 - c) Psi(p_y + p_j)` for K class scores and one of the expert, with the cost of asking
/// `c = 1 - a + beta`, cut off at 1. Without the expert, `Psi(p_y)` over the classes alone.
pub(super) fn loss(
    (psi, beta): (Psi, f64),
    scores: &[f64],
    label: usize,
    right: Option<bool>,
    gradient: &mut [f64],
) -> f64 {
    let (classes, expert) = scores.split_at(scores.len() - 1);
    let (own, other) = (classes[label], expert[0]);
    let log_classes = log_sum_exp(classes);
    let Some(right) = right else {
        let (loss, slope) = psi.at(own - log_classes);
        for (to, score) in gradient.iter_mut().zip(classes) {
            *to = -slope * (score - log_classes).exp();
        }
        gradient[label] += slope;
        gradient[classes.len()] = 0.0;
        return loss;
    };
    let cost = (f64::from(u8::from(!right)) + beta).clamp(0.0, 1.0);
    let log_all = log_classes + softplus(other - log_classes);
    let (alone, alone_slope) = psi.at(own - log_all);
    let (both, both_slope) = psi.at(own + softplus(other - own) - log_all);
    let slope = cost * alone_slope + (1.0 - cost) * both_slope;
    for (to, score) in gradient.iter_mut().zip(scores) {
        *to = -slope * (score - log_all).exp();
    }
    gradient[label] += cost * alone_slope + (1.0 - cost) * both_slope * sigmoid(own - other);
    gradient[classes.len()] += (1.0 - cost) * both_slope * sigmoid(other - own);
    cost * alone + (1.0 - cost) * both
}

#[cfg(test)]
mod tests {
    use super::super::testing::{any_right, close, gradient_is_right};
    use super::*;
    use proptest::prelude::*;

    /// The three losses at costs 0, .3 and 1.
    fn losses(psi: Psi) -> [f64; 3] {
        let at = |beta: f64, right: bool| loss((psi, beta), &[1.0, 0.0, 0.5], 0, Some(right), &mut [0.0; 3]);
        [at(0.0, true), at(0.3, true), at(0.0, false)]
    }

    #[test]
    fn by_hand() {
        assert!(close(&losses(Psi::Log), &[0.206_193, 0.348_416, 0.680_270]));
        let generalised = Psi::GeneralisedCrossEntropy { q: 0.7 };
        assert!(close(&losses(generalised), &[0.192_003, 0.296_768, 0.541_220]));
        assert!(close(&losses(Psi::MeanAbsolute), &[0.186_324, 0.278_482, 0.493_520]));
    }

    #[test]
    fn the_cost_stays_within_one() {
        let at = |beta: f64| loss((Psi::Log, beta), &[1.0, 0.0, 0.5], 0, Some(false), &mut [0.0; 3]);
        assert_eq!(at(0.7), at(0.0));
    }

    #[test]
    fn q_is_checked() {
        let message = Psi::GeneralisedCrossEntropy { q: 0.0 }.check().unwrap_err().to_string();
        assert_eq!(message, "q of the generalised cross-entropy is 0, but must be above 0 and at most 1");
        assert!(Psi::GeneralisedCrossEntropy { q: f64::NAN }.check().is_err());
    }

    proptest! {
        #[test]
        fn gradients_match_central_differences(
            scores in prop::collection::vec(-3.0..3.0f64, 4),
            right in any_right(),
            label in 0usize..3,
            beta in 0.0..=1.0f64,
            psi in prop_oneof![
                Just(Psi::Log), Just(Psi::MeanAbsolute), (0.05..=1.0f64).prop_map(|q| Psi::GeneralisedCrossEntropy { q }),
            ],
        ) {
            prop_assert!(gradient_is_right(&|g, slope| loss((psi, beta), g, label, right, slope), &scores));
        }
    }
}
