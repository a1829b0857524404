//! What happened in every round of a minimax game.

use deferral_core::{FitStatus, Names};
use serde::{Deserialize, Serialize};

use crate::measured_on::Measures;

/// The rounds of a game: T x G group weights and group errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MinimaxTrace {
    /// The G groups, as `attribute: value`, the attributes one after another.
    pub groups: Vec<String>,
    /// The group weights that each round's policy was fitted with.
    pub weights: Vec<Vec<f64>>,
    /// The group errors of each round's policy.
    pub errors: Vec<Vec<f64>>,
    /// The error of each round's policy over all cases that count.
    pub overall: Vec<f64>,
    /// Whether the weights came to rest or the rounds ran out.
    pub status: FitStatus,
}

impl MinimaxTrace {
    pub(crate) fn new<'a>(attributes: impl Iterator<Item = (&'a str, &'a Names)>) -> Self {
        let named = |(attribute, groups): (&str, &'a Names)| {
            let attribute = attribute.to_owned();
            groups.iter().map(move |group| format!("{attribute}: {group}")).collect::<Vec<_>>()
        };
        let groups = attributes.flat_map(named).collect();
        Self { groups, weights: Vec::new(), errors: Vec::new(), overall: Vec::new(), status: FitStatus::StepLimit }
    }

    pub(crate) fn push(&mut self, weights: &[Vec<f64>], measures: &Measures) {
        self.weights.push(weights.concat());
        self.errors.push(measures.of_group.concat());
        self.overall.push(measures.overall);
    }

    /// The mean of the group errors up to and with each round: T x G. The last row is that of the mixture.
    pub fn averages(&self) -> Vec<Vec<f64>> {
        let mut sums = vec![0.0; self.groups.len()];
        let mut average = |(round, errors): (usize, &Vec<f64>)| {
            for (sum, error) in sums.iter_mut().zip(errors) {
                *sum += error;
            }
            sums.iter().map(|sum| sum / (round + 1) as f64).collect()
        };
        self.errors.iter().enumerate().map(&mut average).collect()
    }

    /// The group errors of the mixture: the mean over all rounds. A lottery's errors ([`crate::Mixture::decide`]); of
    /// convex errors such as log loss, the mean belief's are lower.
    pub fn average(&self) -> Vec<f64> {
        self.averages().pop().unwrap_or_default()
    }

    /// The error of the mixture over all cases that count.
    pub fn overall_average(&self) -> f64 {
        self.overall.iter().sum::<f64>() / self.overall.len().max(1) as f64
    }

    /// The group with the largest mean error, the first on ties, and that error.
    pub fn worst(&self) -> Option<(&str, f64)> {
        let named = self.groups.iter().map(String::as_str).zip(self.average());
        named.reduce(|worst, next| if next.1 > worst.1 { next } else { worst })
    }

    pub(crate) fn worst_of_round(&self, round: usize) -> f64 {
        self.errors[round].iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }
}
