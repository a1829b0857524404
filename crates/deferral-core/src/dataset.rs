//! Cases and past decisions together.

use crate::cases::Cases;
use crate::decisions::Decisions;
use crate::ids::Label;
use crate::names::Names;

/// What a learner learns from: n cases, the decisions of m experts on them, and the names of K labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    cases: Cases,
    decisions: Decisions,
    labels: Names,
    experts: Names,
}

/// Why a data set was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// Cases and decisions are not about the same cases.
    #[error("there are {cases} cases, but the decisions are on {decided}")]
    Cases {
        /// Number of cases.
        cases: usize,
        /// Number of cases of the decisions table.
        decided: usize,
    },
    /// The roster and the decisions do not name the same experts.
    #[error("{names} experts are named, but the decisions are of {experts}")]
    Experts {
        /// Number of names.
        names: usize,
        /// Number of experts of the decisions table.
        experts: usize,
    },
    /// A label has no name.
    #[error("label {} occurs, but only {names} labels are named", label.0)]
    UnnamedLabel {
        /// The label.
        label: Label,
        /// Number of names.
        names: usize,
    },
}

impl Dataset {
    /// Puts cases and decisions together. O(n + decisions).
    ///
    /// # Errors
    /// If they are not about the same cases, experts and labels.
    pub fn new(cases: Cases, decisions: Decisions, labels: Names, experts: Names) -> Result<Self, DatasetError> {
        if cases.n() != decisions.cases() {
            return Err(DatasetError::Cases { cases: cases.n(), decided: decisions.cases() });
        }
        if experts.len() != decisions.experts() {
            return Err(DatasetError::Experts { names: experts.len(), experts: decisions.experts() });
        }
        let largest = cases.labels().iter().flatten().copied().max().max(decisions.max_label());
        match largest {
            Some(label) if label.index() >= labels.len() => {
                Err(DatasetError::UnnamedLabel { label, names: labels.len() })
            }
            _ => Ok(Self { cases, decisions, labels, experts }),
        }
    }

    /// The cases.
    pub fn cases(&self) -> &Cases {
        &self.cases
    }

    /// The past decisions.
    pub fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// The names of the labels, K of them.
    pub fn label_names(&self) -> &Names {
        &self.labels
    }

    /// The names of the experts, m of them.
    pub fn experts(&self) -> &Names {
        &self.experts
    }

    /// Number of cases.
    pub fn n(&self) -> usize {
        self.cases.n()
    }

    /// Number of experts.
    pub fn m(&self) -> usize {
        self.experts.len()
    }

    /// Number of classes.
    pub fn k(&self) -> usize {
        self.labels.len()
    }

    /// Cases and decisions at the given positions, in that order.
    ///
    /// # Panics
    /// If a position repeats or lies outside.
    #[must_use]
    pub fn select(&self, cases: &[usize]) -> Self {
        Self {
            cases: self.cases.select(cases),
            decisions: self.decisions.select_cases(cases),
            labels: self.labels.clone(),
            experts: self.experts.clone(),
        }
    }

    /// The same decisions on cases with other features.
    ///
    /// # Errors
    /// If the features are not for as many cases.
    pub fn with_features(mut self, features: crate::Features) -> Result<Self, crate::CasesError> {
        self.cases = self.cases.with_features(features)?;
        Ok(self)
    }
}
