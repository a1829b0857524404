//! Conformal expert sets: how many experts to ask so that those who are right are among them.

use deferral_core::ParameterError;
use serde::{Deserialize, Serialize};

/// How a set of experts is scored (Verma, Barrejón and Nalisnick 2023; reconstructed).
///
/// The experts stand in the order of their estimated probability of being right, the likeliest first, the lower index
/// on ties. The score of the first r of them is the sum of these probabilities, and `penalty max(0, r - free)` on top,
/// which keeps sets small.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConformalScore {
    /// Added for every expert beyond the first `free`, 0 or more; 0 by default.
    pub penalty: f64,
    /// Experts without a penalty; 0 by default.
    pub free: usize,
}

impl ConformalScore {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the parameter that is outside.
    pub fn check(&self) -> Result<(), ParameterError> {
        let ok = self.penalty.is_finite() && self.penalty >= 0.0;
        ParameterError::check(ok, "the penalty of an expert set", self.penalty, "a finite number, 0 or more")
    }

    /// The experts in order, each with the score of the set that ends with them. O(m log m).
    fn ranked(&self, probabilities: &[f64]) -> Vec<(usize, f64)> {
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]).then(a.cmp(&b)));
        let mut total = 0.0;
        let score = |(rank, expert): (usize, usize)| {
            total += probabilities[expert];
            (expert, total + self.penalty * (rank + 1).saturating_sub(self.free) as f64)
        };
        order.into_iter().enumerate().map(score).collect()
    }

    /// The score of a case whose experts are right or wrong as `right` says (`None`: did not decide): that of the
    /// smallest set that holds everybody who is right; 0 if nobody is. O(m log m).
    ///
    /// ```
    /// use deferral_losses::surrogates::ConformalScore;
    /// let right = [Some(true), Some(false), Some(true)];
    /// let score = ConformalScore::default().of_case(&[0.9, 0.5, 0.6], &right);
    /// assert!((score - 1.5).abs() < 1e-12);
    /// ```
    pub fn of_case(&self, probabilities: &[f64], right: &[Option<bool>]) -> f64 {
        let is_right = |(expert, _): &(usize, f64)| right.get(*expert).copied().flatten() == Some(true);
        self.ranked(probabilities).into_iter().rev().find(is_right).map_or(0.0, |(_, score)| score)
    }
}

/// Sets of experts that hold everybody who is right with probability `1 - alpha` or more, if the cases they were
/// calibrated on are like those to come.
///
/// ```
/// use deferral_losses::surrogates::{ConformalScore, ExpertSets};
/// let scores = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/// let sets = ExpertSets::calibrate(ConformalScore::default(), &scores, 0.1)?;
/// assert_eq!(sets.quantile(), Some(0.9));
/// assert_eq!(sets.set(&[0.1, 0.5, 0.35]), [1, 2]);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ExpertSets {
    score: ConformalScore,
    quantile: Option<f64>,
}

impl ExpertSets {
    /// Sets that miss somebody who is right on a share `alpha` of the cases at most. `scores` are those of n calibration
    /// cases ([`ConformalScore::of_case`]); the bound is the `ceil((n + 1) (1 - alpha))`-th smallest of them.
    /// O(n log n).
    ///
    /// # Errors
    /// If alpha is not above 0 and below 1, the penalty is negative, or a score is not a number.
    pub fn calibrate(score: ConformalScore, scores: &[f64], alpha: f64) -> Result<Self, ParameterError> {
        score.check()?;
        ParameterError::check(alpha > 0.0 && alpha < 1.0, "alpha of the expert sets", alpha, "above 0 and below 1")?;
        if let Some(nan) = scores.iter().find(|score| score.is_nan()) {
            return Err(ParameterError::new("a calibration score", nan, "a number"));
        }
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        // A product such as 10 x .9 may exceed the whole number it is by rounding.
        let index = ((scores.len() + 1) as f64 * (1.0 - alpha) - 1e-9).ceil().max(1.0) as usize;
        Ok(Self { score, quantile: sorted.get(index - 1).copied() })
    }

    /// The largest score of a set; `None` if there are too few calibration cases for any promise, and so everybody is
    /// asked.
    pub fn quantile(&self) -> Option<f64> {
        self.quantile
    }

    /// The experts to ask, the likeliest to be right first: as many as the bound allows, and at least one.
    /// O(m log m).
    pub fn set(&self, probabilities: &[f64]) -> Vec<usize> {
        let ranked = self.score.ranked(probabilities);
        // A sum may exceed an equal sum by rounding.
        let within = |score: f64| self.quantile.is_none_or(|most| score <= most + 1e-12);
        let size = ranked.iter().take_while(|(_, score)| within(*score)).count().max(1);
        ranked.into_iter().take(size).map(|(expert, _)| expert).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_by_hand() {
        let scores: Vec<f64> = (1..=9).rev().map(f64::from).collect();
        let at = |alpha| ExpertSets::calibrate(ConformalScore::default(), &scores, alpha).unwrap();
        assert_eq!(at(0.1).quantile(), Some(9.0));
        assert_eq!(at(0.5).quantile(), Some(5.0));
        // The tenth of nine: everybody is asked.
        assert_eq!(at(0.05).quantile(), None);
        assert_eq!(at(0.05).set(&[0.2, 0.9, 0.5]), [1, 2, 0]);
        assert_eq!(ExpertSets::calibrate(ConformalScore::default(), &[], 0.1).unwrap().set(&[0.2, 0.9]), [1, 0]);
    }

    #[test]
    fn scores_by_hand() {
        let probabilities = [0.9, 0.5, 0.6];
        let plain = ConformalScore::default();
        assert!((plain.of_case(&probabilities, &[Some(true), None, Some(false)]) - 0.9).abs() < 1e-12);
        assert_eq!(plain.of_case(&probabilities, &[Some(false), None, None]), 0.0);
        // The expert of rank 3 with one free: two penalties.
        let penalised = ConformalScore { penalty: 0.1, free: 1 };
        assert!((penalised.of_case(&probabilities, &[None, Some(true), None]) - 2.2).abs() < 1e-12);
    }

    #[test]
    fn parameters_are_checked() {
        let refuse =
            |score, scores: &[f64], alpha| ExpertSets::calibrate(score, scores, alpha).unwrap_err().to_string();
        let plain = ConformalScore::default();
        assert_eq!(refuse(plain, &[], 0.0), "alpha of the expert sets is 0, but must be above 0 and below 1");
        assert_eq!(refuse(plain, &[f64::NAN], 0.1), "a calibration score is NaN, but must be a number");
        assert!(
            refuse(ConformalScore { penalty: -1.0, free: 0 }, &[], 0.1).starts_with("the penalty of an expert set")
        );
    }

    proptest! {
        /// On its own calibration cases the promise holds by construction.
        #[test]
        fn calibration_cases_are_covered(
            cases in prop::collection::vec(
                (prop::collection::vec(0.0..1.0f64, 4), prop::collection::vec(any::<bool>(), 4)), 20..60,
            ),
            alpha in 0.1..0.5f64,
        ) {
            let score = ConformalScore { penalty: 0.05, free: 1 };
            let right = |case: &[bool]| case.iter().map(|right| Some(*right)).collect::<Vec<_>>();
            let scores: Vec<f64> = cases.iter().map(|(p, r)| score.of_case(p, &right(r))).collect();
            let sets = ExpertSets::calibrate(score, &scores, alpha).unwrap();
            let covered = |(p, r): &&(Vec<f64>, Vec<bool>)| {
                let set = sets.set(p);
                (0..4).all(|expert| !r[expert] || set.contains(&expert))
            };
            let covered = cases.iter().filter(covered).count();
            prop_assert!(covered as f64 >= (1.0 - alpha) * cases.len() as f64);
        }
    }
}
