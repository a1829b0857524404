//! How sure workers said they were of their labels.

use deferral_core::{CaseId, Decisions, ExpertId};

use super::error::TableError;
use super::layout::Missing;
use super::source::Source;

/// What was said, while a table is read: 16 bytes for each time somebody said it.
#[derive(Debug, Default)]
pub(crate) struct Said(Vec<(CaseId, ExpertId, f64)>);

impl Said {
    /// Keeps what `column` of the current row says; an empty cell says nothing.
    pub(crate) fn push(
        &mut self,
        task: CaseId,
        worker: ExpertId,
        source: &Source,
        column: usize,
        missing: &Missing,
    ) -> Result<(), TableError> {
        let Some(cell) = missing.cell(source.raw(column)) else { return Ok(()) };
        let Some(sure) = cell.parse().ok().filter(|sure| (0.0..=1.0).contains(sure)) else {
            return Err(TableError::BadCell {
                place: source.place(column).into(),
                value: cell.to_owned(),
                expected: "a probability between 0 and 1, such as 0.85",
            });
        };
        self.0.push((task, worker, sure));
        Ok(())
    }

    /// The decisions with what was said of them. O(decisions log decisions), nothing if nobody said anything.
    pub(crate) fn about(mut self, decisions: Decisions) -> Decisions {
        if self.0.is_empty() {
            return decisions;
        }
        self.0.sort_unstable_by_key(|&(task, worker, _)| (task, worker));
        decisions.with_confidences(|task, worker| {
            let at = self.0.binary_search_by_key(&(task, worker), |&(task, worker, _)| (task, worker)).ok()?;
            Some(self.0[at].2)
        })
    }
}
