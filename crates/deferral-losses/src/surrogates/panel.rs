//! The experts that a method learns about, and who was right where.

use std::ops::Range;

use deferral_core::{CaseId, Context, Dataset, Decisions, ExpertId, FitError, Label, ParameterError};
use serde::{Deserialize, Serialize};

use crate::named::{named_expert, the_expert};

/// All experts of a data set, or one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Panel {
    pub(super) members: Range<usize>,
    /// Of each of the m experts, whether anything was learned about them; nobody else is deferred to.
    known: Vec<bool>,
}

impl Panel {
    /// All experts, or only `expert`.
    ///
    /// # Errors
    /// If nobody decided anything, there is no such expert, or the one who is named decided nothing.
    pub(super) fn of(data: &Dataset, expert: Option<&str>) -> Result<Self, FitError> {
        if data.decisions().is_empty() {
            return Err(FitError::NoExperts);
        }
        let decided = |expert: usize| !data.decisions().of_expert(ExpertId::at(expert)).is_empty();
        let Some(name) = expert else {
            return Ok(Self { members: 0..data.m(), known: (0..data.m()).map(decided).collect() });
        };
        let expert = named_expert(data, name)?;
        let parameter = format!("the number of training cases that expert `{name}` decided");
        ParameterError::check(decided(expert), &parameter, 0, "1 or more; name another one to defer to")?;
        Ok(Self::learning_about(expert..expert + 1, data.m()))
    }

    /// The only expert, for a method that knows no more: the one named, or else the most accurate.
    ///
    /// # Errors
    /// As [`Panel::of`].
    pub(super) fn of_one(data: &Dataset, expert: Option<&str>, ctx: &mut Context<'_>) -> Result<Self, FitError> {
        let expert = the_expert(data, expert, ctx)?;
        Self::of(data, Some(data.experts().show(expert)))
    }

    /// Some of m experts, all of whom are known.
    pub(super) fn learning_about(members: Range<usize>, m: usize) -> Self {
        let known = (0..m).map(|expert| members.contains(&expert)).collect();
        Self { members, known }
    }

    /// Number of experts of the data set, m.
    pub(super) fn experts(&self) -> usize {
        self.known.len()
    }

    /// Whether anything was learned about an expert.
    pub(super) fn knows(&self, expert: usize) -> bool {
        self.known.get(expert).copied().unwrap_or(false)
    }

    /// Number of members, J.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// The place of an expert among the members.
    pub(super) fn place(&self, expert: ExpertId) -> Option<usize> {
        self.members.contains(&expert.index()).then(|| expert.index() - self.members.start)
    }

    /// Whether each member gave `case` the label `truth`; `None` for one who did not decide. O(J + votes).
    pub(super) fn right(&self, decisions: &Decisions, case: usize, truth: Label, right: &mut Vec<Option<bool>>) {
        right.clear();
        right.resize(self.len(), None);
        for (expert, label) in decisions.of_case(CaseId::at(case)).iter() {
            if let Some(place) = self.place(expert) {
                right[place] = Some(label == truth);
            }
        }
    }

    /// Whether the only member was right on each case.
    pub(super) fn only_right(&self, data: &Dataset, labels: &[Label]) -> Vec<Option<bool>> {
        let expert = ExpertId::at(self.members.start);
        let said = |case: usize| data.decisions().get(CaseId::at(case), expert);
        labels.iter().enumerate().map(|(case, truth)| Some(said(case)? == *truth)).collect()
    }
}

/// The label of every case.
///
/// # Errors
/// Names the first case without one.
pub(super) fn known_labels(data: &Dataset) -> Result<Vec<Label>, FitError> {
    let missing = |case: usize| FitError::MissingLabel { case: data.cases().ids().show(case).to_owned() };
    data.cases().labels().iter().enumerate().map(|(case, label)| label.ok_or_else(|| missing(case))).collect()
}
