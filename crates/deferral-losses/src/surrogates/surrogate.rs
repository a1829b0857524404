//! The surrogates of learning to defer by name: loss, decision and what their scores mean.

use deferral_core::{Label, ParameterError};
use deferral_models::stable::{sigmoid, softmax};
use serde::{Deserialize, Serialize};

use super::rsl2d::{self, Psi};
use super::standing::Standing;
use super::{asymmetric, one_vs_all, realizable, softmax as shared_softmax};

/// A loss on the scores of K classes and J experts whose minimum decides who should decide; the table of
/// [`surrogates`](super) has their formulas.
///
/// ```
/// use deferral_core::Label;
/// use deferral_losses::surrogates::Surrogate;
/// // Two classes, of which the first is right, and one expert, who is right too.
/// let mut gradient = [0.0; 3];
/// let loss = Surrogate::OneVsAll.loss_and_gradient(&[1.0, 0.0, 0.5], Label(0), &[Some(true)], &mut gradient);
/// assert!((loss - 1.480486).abs() < 1e-6);
/// assert!((gradient[2] + 0.377541).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Surrogate {
    /// The multi-class cross-entropy with a class for each expert (Mozannar and Sontag 2020; several experts: Verma,
    /// Barrejón and Nalisnick 2023). Its probabilities that an expert is right can exceed 1 and are cut off there.
    Softmax {
        /// How much the label counts where the expert is right, in [0, 1]; 1 is the consistent surrogate. With several
        /// experts, where any of them is right (ours; the papers have `alpha = 1` there).
        alpha: f64,
    },
    /// A yes-or-no question a class and an expert (Verma and Nalisnick 2022; several experts: Verma, Barrejón and
    /// Nalisnick 2023). Its probabilities that an expert is right are calibrated.
    OneVsAll,
    /// Bounded probabilities from one softmax; for one expert (Cao et al. 2023).
    AsymmetricSoftmax,
    /// Consistent where a classifier and a rejector of the trained kind can be right everywhere; for one expert
    /// (Mozannar et al. 2023).
    Realizable {
        /// The share of the realizable part, in [0, 1]; the rest is the classifier's own cross-entropy.
        alpha: f64,
    },
    /// Realizable and Bayes-consistent; for one expert (Mao, Mohri and Zhong 2024).
    Rsl2d {
        /// The function of the probabilities.
        psi: Psi,
        /// What asking costs in errors, in [0, 1]. Together with the expert's error the cost is at most 1.
        beta: f64,
    },
}

impl Default for Surrogate {
    fn default() -> Self {
        Self::Softmax { alpha: 1.0 }
    }
}

impl Surrogate {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the parameter that is outside.
    pub fn check(&self) -> Result<(), ParameterError> {
        let share = |name: &str, value: f64| {
            ParameterError::check((0.0..=1.0).contains(&value), name, value, "between 0 and 1")
        };
        match *self {
            Self::Softmax { alpha } => share("alpha of the softmax surrogate", alpha),
            Self::Realizable { alpha } => share("alpha of the realizable surrogate", alpha),
            Self::Rsl2d { psi, beta } => {
                psi.check()?;
                share("beta, the cost of asking,", beta)
            }
            Self::OneVsAll | Self::AsymmetricSoftmax => Ok(()),
        }
    }

    /// Whether it is defined for one expert only.
    pub fn is_for_one_expert(&self) -> bool {
        matches!(self, Self::AsymmetricSoftmax | Self::Realizable { .. } | Self::Rsl2d { .. })
    }

    /// The loss of one case, with its gradient written to `gradient`. `scores` are of K classes, then of the J experts
    /// of `right`: whether each was right, `None` for one who did not decide the case. O(K + J).
    ///
    /// # Panics
    /// If the gradient is not as long as the scores, the label is not among the classes, or a surrogate for one expert
    /// is given another number.
    pub fn loss_and_gradient(&self, scores: &[f64], label: Label, right: &[Option<bool>], gradient: &mut [f64]) -> f64 {
        assert_eq!(scores.len(), gradient.len(), "a slope for each score");
        assert!(label.index() + right.len() < scores.len(), "a label among the classes");
        let label = label.index();
        match *self {
            Self::Softmax { alpha } => shared_softmax::loss(alpha, scores, label, right, gradient),
            Self::OneVsAll => one_vs_all::loss(scores, label, right, gradient),
            Self::AsymmetricSoftmax => asymmetric::loss(scores, label, only(right), gradient),
            Self::Realizable { alpha } => realizable::loss(alpha, scores, label, only(right), gradient),
            Self::Rsl2d { psi, beta } => rsl2d::loss((psi, beta), scores, label, only(right), gradient),
        }
    }

    /// What the scores say of the classes: K numbers that sum to one.
    ///
    /// # Panics
    /// If there are more beliefs than scores.
    pub fn beliefs(&self, scores: &[f64], beliefs: &mut [f64]) {
        let classes = &scores[..beliefs.len()];
        match self {
            Self::OneVsAll => one_vs_all::beliefs(classes, beliefs),
            _ => asymmetric::beliefs(classes, beliefs),
        }
    }

    /// The probability that each of J experts is right, from the scores of `classes` classes and the J experts;
    /// `false`, and nothing written, where the scores do not tell: [`Surrogate::Realizable`], [`Surrogate::Rsl2d`],
    /// and [`Surrogate::Softmax`] of several experts with `alpha` below 1.
    ///
    /// # Panics
    /// If there are not as many scores as classes and experts.
    pub fn correctness(&self, scores: &[f64], classes: usize, right: &mut [f64]) -> bool {
        assert_eq!(scores.len(), classes + right.len(), "a score for each class and expert");
        match *self {
            Self::Softmax { alpha } if alpha == 1.0 || right.len() == 1 => {
                shared_softmax::correctness(alpha, scores, classes, right);
            }
            Self::OneVsAll => {
                for (right, &score) in right.iter_mut().zip(&scores[classes..]) {
                    *right = sigmoid(score);
                }
            }
            Self::AsymmetricSoftmax => right.fill(asymmetric::psi(scores)),
            Self::Softmax { .. } | Self::Realizable { .. } | Self::Rsl2d { .. } => return false,
        }
        true
    }

    /// How experts and classifier compare: the classifier decides ties.
    pub(super) fn stand(&self, scores: &[f64], classes: usize, standing: &mut Standing) {
        let largest = |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        standing.set_keys(&scores[classes..], largest(&scores[..classes]));
        let mut shares = scores.to_vec();
        match self {
            Self::OneVsAll => shares.iter_mut().for_each(|share| *share = sigmoid(*share)),
            Self::AsymmetricSoftmax => {
                let psi = asymmetric::psi(scores);
                softmax(&mut shares[..classes]);
                shares[classes..].fill(psi);
                standing.set_keys(&shares[classes..], largest(&shares[..classes]));
            }
            _ => {
                softmax(&mut shares);
            }
        }
        standing.set_weights(&shares[classes..], largest(&shares[..classes]));
    }
}

/// The one expert of a surrogate that knows one.
fn only(right: &[Option<bool>]) -> Option<bool> {
    assert_eq!(right.len(), 1, "experts of a surrogate for one");
    right[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Surrogate; 5] = [
        Surrogate::Softmax { alpha: 1.0 },
        Surrogate::OneVsAll,
        Surrogate::AsymmetricSoftmax,
        Surrogate::Realizable { alpha: 0.5 },
        Surrogate::Rsl2d { psi: Psi::Log, beta: 0.1 },
    ];

    #[test]
    fn extreme_scores_stay_finite() {
        for surrogate in ALL {
            for right in [None, Some(false), Some(true)] {
                for scores in [[800.0, -800.0, 0.0], [-800.0, 800.0, 0.0], [0.0, 0.0, 900.0], [0.0, 0.0, -900.0]] {
                    let mut gradient = [f64::NAN; 3];
                    let loss = surrogate.loss_and_gradient(&scores, Label(0), &[right], &mut gradient);
                    assert!(loss.is_finite() && loss >= 0.0, "{surrogate:?} {right:?} {scores:?} {loss}");
                    assert!(gradient.iter().all(|slope| slope.is_finite()), "{surrogate:?} {right:?} {scores:?}");
                }
            }
        }
    }

    #[test]
    fn an_expert_who_is_not_there_has_no_slope() {
        for surrogate in ALL {
            let mut gradient = [f64::NAN; 4];
            surrogate.loss_and_gradient(&[0.3, -0.2, 0.9, 2.0], Label(2), &[None], &mut gradient);
            assert_eq!(gradient[3], 0.0, "{surrogate:?}");
        }
    }

    #[test]
    fn probabilities_of_being_right_by_hand() {
        let right = |surrogate: Surrogate, scores: &[f64], experts: usize| {
            let mut right = vec![0.0; experts];
            surrogate.correctness(scores, scores.len() - experts, &mut right).then_some(right)
        };
        let scores = [1.0, 0.0, 0.5];
        // p of the expert is .307196, and .307196 / (1 - .307196) = .443409.
        let softmax = right(Surrogate::default(), &scores, 1).unwrap();
        assert!((softmax[0] - 0.307_196 / 0.692_804).abs() < 1e-5);
        assert_eq!(right(Surrogate::OneVsAll, &scores, 1), Some(vec![sigmoid(0.5)]));
        assert!((right(Surrogate::AsymmetricSoftmax, &scores, 1).unwrap()[0] - sigmoid(0.5)).abs() < 1e-12);
        assert_eq!(right(Surrogate::Softmax { alpha: 0.5 }, &[1.0, 0.0, 0.5, 0.1], 2), None);
        assert_eq!(right(ALL[3], &scores, 1), None);
        assert_eq!(right(ALL[4], &scores, 1), None);
    }

    #[test]
    fn ranges_are_checked_by_name() {
        let refuse = |surrogate: Surrogate| surrogate.check().unwrap_err().to_string();
        assert_eq!(
            refuse(Surrogate::Softmax { alpha: f64::NAN }),
            "alpha of the softmax surrogate is NaN, but must be between 0 and 1"
        );
        assert_eq!(
            refuse(Surrogate::Realizable { alpha: 1.5 }),
            "alpha of the realizable surrogate is 1.5, but must be between 0 and 1"
        );
        assert_eq!(
            refuse(Surrogate::Rsl2d { psi: Psi::Log, beta: -0.1 }),
            "beta, the cost of asking, is -0.1, but must be between 0 and 1"
        );
        assert!(
            refuse(Surrogate::Rsl2d { psi: Psi::GeneralisedCrossEntropy { q: 2.0 }, beta: 0.0 }).starts_with("q of")
        );
        assert!(ALL.iter().all(|surrogate| surrogate.check().is_ok()));
    }
}
