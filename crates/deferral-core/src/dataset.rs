//! Cases and past decisions together.

use std::sync::Arc;

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
    held_out: Option<Arc<Dataset>>,
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
    /// The cases held out have other features than those learned from.
    #[error("the cases held out have {found} features, but those learned from have {expected}")]
    HeldOut {
        /// Features of the cases held out.
        found: usize,
        /// Features of the others.
        expected: usize,
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

/// Why labels do not fit a data set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RelabelError {
    /// There are not as many as cases.
    #[error(transparent)]
    Cases(#[from] crate::cases::CasesError),
    /// One has no name.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
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
            _ => Ok(Self { cases, decisions, labels, experts, held_out: None }),
        }
    }

    /// The same data with others that are not learned from, but may be watched by a learner that stops early. They
    /// must be of the same experts and labels, and have the same features.
    ///
    /// # Errors
    /// [`DatasetError::Experts`] or [`DatasetError::HeldOut`] if they have not as many experts or features.
    ///
    /// ```
    /// use deferral_core::*;
    /// let data = |d: usize| -> Result<Dataset, Box<dyn std::error::Error>> {
    ///     let cases = Cases::new(Names::numbered("case", 2), Features::dense(Columns::zeros(d, 2))?)?;
    ///     Ok(Dataset::new(cases, Decisions::none(2, 0), Names::numbered("", 2), Names::new())?)
    /// };
    /// assert_eq!(data(3)?.with_held_out(data(3)?)?.held_out().map(Dataset::n), Some(2));
    /// let message = data(3)?.with_held_out(data(4)?).unwrap_err().to_string();
    /// assert_eq!(message, "the cases held out have 4 features, but those learned from have 3");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_held_out(mut self, held_out: Self) -> Result<Self, DatasetError> {
        if held_out.m() != self.m() {
            return Err(DatasetError::Experts { names: self.m(), experts: held_out.m() });
        }
        let (found, expected) = (held_out.cases.dim(), self.cases.dim());
        if found != expected {
            return Err(DatasetError::HeldOut { found, expected });
        }
        self.held_out = Some(Arc::new(held_out));
        Ok(self)
    }

    /// The data to watch, if there are any.
    pub fn held_out(&self) -> Option<&Self> {
        self.held_out.as_deref()
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

    /// Cases and decisions at the given positions, in that order. What is held out stays.
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
            held_out: self.held_out.clone(),
        }
    }

    /// The same cases with other labels: for a learner that is told something else than the truth. Nothing is held out
    /// any more, for that has the old labels.
    ///
    /// # Errors
    /// If there are not as many labels as cases, or a label has no name.
    pub fn with_labels(self, labels: Vec<Option<Label>>) -> Result<Self, RelabelError> {
        let cases = self.cases.with_labels(labels)?;
        Ok(Self::new(cases, self.decisions, self.labels, self.experts)?)
    }

    /// The same decisions on cases with other features. Nothing is held out any more, for that has the old ones.
    ///
    /// # Errors
    /// If the features are not for as many cases.
    pub fn with_features(mut self, features: crate::Features) -> Result<Self, crate::CasesError> {
        self.cases = self.cases.with_features(features)?;
        self.held_out = None;
        Ok(self)
    }
}
