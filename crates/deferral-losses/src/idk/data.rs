//! What the objective is told of cases: their truth and what the decision-maker says of them.

use deferral_core::{CaseId, Dataset, ExpertId, FitError, ParameterError};
use serde::{Deserialize, Serialize};

/// What an answer of the decision-maker costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpertLoss {
    /// The cross-entropy of the probability that they state, clipped to [1e-12, 1 - 1e-12]: the published loss.
    CrossEntropy,
    /// 1 for a wrong label, 0 for a right one: for decision-makers who do not say how sure they are, whose
    /// cross-entropy would be without end where they err.
    ZeroOne,
}

/// What training is told of the decision-maker; deciding always asks the real one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// What they decided.
    #[default]
    Recorded,
    /// The truth, as if they were never wrong.
    Oracle,
}

/// Probabilities in logarithms are kept this far from 0 and 1.
const EDGE: f64 = 1e-12;

/// One decision-maker's answers to the cases of a data set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answers {
    /// Their probability of class 1, `None` where they did not decide.
    pub(crate) probability: Vec<Option<f64>>,
    /// What each answer costs, 0 where there is none.
    pub(crate) loss: Vec<f64>,
}

impl Answers {
    /// Nobody answers.
    pub(crate) fn none(n: usize) -> Self {
        Self { probability: vec![None; n], loss: vec![0.0; n] }
    }

    /// The answers of `expert` to cases with these truths (0 or 1). Without a loss, what suits each answer: cross-entropy
    /// where they say how sure they are, else 0 or 1.
    pub(crate) fn of(data: &Dataset, expert: usize, truth: &[f64], loss: Option<ExpertLoss>, told: Told) -> Self {
        let expert = ExpertId::at(expert);
        let answer = |case: usize| match told {
            Told::Recorded => data.decisions().probability_of_one(CaseId::at(case), expert),
            Told::Oracle => Some(truth[case]),
        };
        let suits = |case: usize| match data.decisions().confidence(CaseId::at(case), expert) {
            Some(_) => ExpertLoss::CrossEntropy,
            None => ExpertLoss::ZeroOne,
        };
        let probability: Vec<Option<f64>> = (0..data.n()).map(answer).collect();
        let cost = |(case, q): (usize, &Option<f64>)| {
            q.map_or(0.0, |q| loss.unwrap_or_else(|| suits(case)).of(truth[case], q))
        };
        Self { loss: probability.iter().enumerate().map(cost).collect(), probability }
    }
}

impl ExpertLoss {
    /// What the answer q costs where y (0 or 1) is true.
    pub(crate) fn of(self, y: f64, q: f64) -> f64 {
        match self {
            Self::ZeroOne => f64::from((q > 0.5) != (y > 0.5)),
            Self::CrossEntropy => {
                let q = q.clamp(EDGE, 1.0 - EDGE);
                -(y * q.ln() + (1.0 - y) * (1.0 - q).ln())
            }
        }
    }
}

/// The truth of every case as 0 or 1.
pub(crate) fn truth_of(data: &Dataset, method: &str) -> Result<Vec<f64>, FitError> {
    if data.k() != 2 {
        return Err(FitError::BinaryOnly {
            method: method.to_owned(),
            classes: data.k(),
            instead: "mixture-of-experts or another surrogate".to_owned(),
        });
    }
    Ok(data.gold()?.into_iter().map(|label| f64::from(label.0)).collect())
}

/// Checks that the decision-maker decided something.
pub(crate) fn check_decided(data: &Dataset, expert: usize) -> Result<(), FitError> {
    let name = || format!("the number of training cases that `{}` decided", data.experts().show(expert));
    let decided = data.decisions().of_expert(ExpertId::at(expert)).len();
    if decided == 0 {
        return Err(ParameterError::new(name(), 0, "1 or more: nothing is known of how good they are").into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certain_answers_have_finite_losses() {
        assert!((ExpertLoss::CrossEntropy.of(1.0, 0.3) - 1.203_973).abs() < 1e-6);
        assert!((ExpertLoss::CrossEntropy.of(1.0, 0.0) - 27.631_021).abs() < 1e-6);
        assert!(ExpertLoss::CrossEntropy.of(0.0, 0.0) < 1e-11);
        assert_eq!((ExpertLoss::ZeroOne.of(1.0, 0.3), ExpertLoss::ZeroOne.of(0.0, 0.5)), (1.0, 0.0));
    }
}
