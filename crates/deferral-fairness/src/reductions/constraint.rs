//! Fairness constraints as linear functions of what a policy says.

use deferral_core::{Dataset, FitError, Label, ParameterError, Probabilities};
use serde::{Deserialize, Serialize};

use crate::group_errors::ErrorKind;
use crate::membership::Membership;

/// What must hold for the groups; two classes, of which 1 is the positive one. An event in which a group has no case
/// constrains nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Constraint {
    /// The share of cases decided 1 in a group is within `slack` of that of all cases.
    DemographicParity {
        /// Between 0 and 1.
        slack: f64,
    },
    /// The same among the cases of label 0 and among those of label 1: rates of false and of true positives.
    EqualisedOdds {
        /// Between 0 and 1.
        slack: f64,
    },
    /// The same among the cases of label 1: rates of true positives.
    EqualOpportunity {
        /// Between 0 and 1.
        slack: f64,
    },
    /// The share of wrong decisions in a group is within `slack` of that of all cases.
    ErrorParity {
        /// Between 0 and 1.
        slack: f64,
    },
    /// The mean loss of no group is above `bound`.
    BoundedGroupLoss {
        /// Zero-one, log or squared loss, which is also what is minimised over all cases.
        loss: ErrorKind,
        /// Above 0, in the unit of the loss.
        bound: f64,
    },
}

impl Constraint {
    /// How much is left to each row.
    pub(crate) fn slack(self) -> f64 {
        match self {
            Self::DemographicParity { slack }
            | Self::EqualisedOdds { slack }
            | Self::EqualOpportunity { slack }
            | Self::ErrorParity { slack } => slack,
            Self::BoundedGroupLoss { bound, .. } => bound,
        }
    }

    /// Whether groups are compared with the population, so that a constant decision does no harm.
    pub(crate) fn is_parity(self) -> bool {
        !matches!(self, Self::BoundedGroupLoss { .. })
    }

    /// What is minimised over all cases.
    pub(crate) fn loss(self) -> ErrorKind {
        match self {
            Self::BoundedGroupLoss { loss, .. } => loss,
            _ => ErrorKind::ZeroOne,
        }
    }

    pub(crate) fn check(self) -> Result<(), ParameterError> {
        let slack = self.slack();
        if let Self::BoundedGroupLoss { loss, .. } = self {
            let ok = slack > 0.0 && slack.is_finite();
            ParameterError::check(ok, "the bound of the group losses", slack, "a finite number above 0")?;
            let expected = "a loss of every case: zero-one, log-loss or squared";
            return ParameterError::check(
                !loss.is_one_sided(),
                "the loss of the groups",
                format!("{loss:?}"),
                expected,
            );
        }
        let ok = slack > 0.0 && slack < 1.0;
        ParameterError::check(ok, "the slack of the fairness constraint", slack, "above 0 and below 1")
    }
}

/// What the rows of a constraint are sums of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The probability of deciding 1.
    Positive,
    /// The loss.
    Loss,
}

/// A constraint on given cases: for each row a coefficient a case, so that the row's value is the sum of coefficient x
/// outcome. Rows of a parity are bounded on both sides.
#[derive(Debug)]
pub(crate) struct Rows {
    constraint: Constraint,
    outcome: Outcome,
    labels: Vec<Label>,
    /// The share of each case in the whole.
    shares: Vec<f64>,
    pub(crate) names: Vec<String>,
    coefficients: Vec<Vec<f64>>,
}

/// What a policy does on the cases: its mean loss and the values of the rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moments {
    pub(crate) loss: f64,
    pub(crate) rows: Vec<f64>,
}

impl Rows {
    pub(crate) fn new(
        constraint: Constraint,
        data: &Dataset,
        weights: &[f64],
        groups: &Membership,
    ) -> Result<Self, FitError> {
        let labels = data.gold()?;
        let total: f64 = weights.iter().sum();
        let outcome = match constraint {
            Constraint::ErrorParity { .. } | Constraint::BoundedGroupLoss { .. } => Outcome::Loss,
            _ => Outcome::Positive,
        };
        let shares = weights.iter().map(|w| w / total).collect();
        let mut rows = Self { constraint, outcome, labels, shares, names: Vec::new(), coefficients: Vec::new() };
        match constraint {
            Constraint::EqualisedOdds { .. } => {
                rows.add_event(groups, Some(Label(0)), data);
                rows.add_event(groups, Some(Label(1)), data);
            }
            Constraint::EqualOpportunity { .. } => rows.add_event(groups, Some(Label(1)), data),
            _ => rows.add_event(groups, None, data),
        }
        Ok(rows)
    }

    /// A row for each group with a case of the label, or with any case.
    fn add_event(&mut self, groups: &Membership, label: Option<Label>, data: &Dataset) {
        let within = |(share, of_case): (&f64, &Label)| if label.is_none_or(|l| l == *of_case) { *share } else { 0.0 };
        let mass: Vec<f64> = self.shares.iter().zip(&self.labels).map(within).collect();
        let all: f64 = mass.iter().sum();
        let among = label.map_or(String::new(), |l| format!(" among label `{}`", data.label_names().show(l.index())));
        for (group, (name, size)) in groups.groups().iter().zip(groups.masses(&mass)).enumerate() {
            if size <= 0.0 {
                continue;
            }
            let population = if self.constraint.is_parity() { 1.0 / all } else { 0.0 };
            let of_case = |(case, mass): (usize, &f64)| mass * (groups.of_case(case)[group] / size - population);
            self.coefficients.push(mass.iter().enumerate().map(of_case).collect());
            self.names.push(format!("group `{name}`{among}"));
        }
    }

    /// What a policy that says this does on the cases. O(n rows).
    pub(crate) fn moments(&self, says: &Probabilities) -> Moments {
        let losses = self.constraint.loss().of_cases(says, &self.labels);
        let outcomes = match self.outcome {
            Outcome::Loss => losses.clone(),
            Outcome::Positive => says.iter().map(|column| column.get(1).copied().unwrap_or(0.0)).collect(),
        };
        let sum = |coefficients: &Vec<f64>| coefficients.iter().zip(&outcomes).map(|(a, c)| a * c).sum();
        let loss = self.shares.iter().zip(&losses).map(|(s, l)| s * l).sum();
        Moments { loss, rows: self.coefficients.iter().map(sum).collect() }
    }

    /// How far each bound is exceeded, below 0 where it is kept: the upper bounds, then for a parity the lower ones.
    pub(crate) fn violations(&self, rows: &[f64]) -> Vec<f64> {
        let slack = self.constraint.slack();
        let above = rows.iter().map(|row| row - slack);
        if self.constraint.is_parity() {
            above.chain(rows.iter().map(|row| -row - slack)).collect()
        } else {
            above.collect()
        }
    }

    /// Number of bounds.
    pub(crate) fn bounds(&self) -> usize {
        if self.constraint.is_parity() { 2 * self.names.len() } else { self.names.len() }
    }

    /// What deciding a case by its label is worth, with these multipliers of the bounds; below 0 where the other label
    /// is wanted. O(n rows).
    pub(crate) fn worth_of_labels(&self, multipliers: &[f64]) -> Vec<f64> {
        let mut worth = self.shares.clone();
        let rows = self.names.len();
        for (row, coefficients) in self.coefficients.iter().enumerate() {
            let multiplier = multipliers[row] - multipliers.get(rows + row).copied().unwrap_or(0.0);
            for ((worth, a), label) in worth.iter_mut().zip(coefficients).zip(&self.labels) {
                // Deciding 1 is an error of a case of label 0, and the absence of one for label 1.
                let sign = if self.outcome == Outcome::Positive && *label == Label(1) { -1.0 } else { 1.0 };
                *worth += sign * multiplier * a;
            }
        }
        worth
    }

    pub(crate) fn labels(&self) -> &[Label] {
        &self.labels
    }
}
