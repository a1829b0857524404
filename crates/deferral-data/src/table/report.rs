//! What was read, what was kept, and what was dropped for which reason.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What reading a table came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReadReport {
    /// The file; empty for a table that was not read from one.
    pub file: String,
    /// Rows under the header.
    pub rows: usize,
    /// Rows that were kept: a row of a wide table is kept even if it has no label.
    pub kept: usize,
    /// Rows that were dropped, by reason; only reasons that occurred.
    pub dropped: Vec<Dropped>,
    /// Decisions that were read.
    pub decisions: usize,
    /// Experts of the roster.
    pub experts: usize,
    /// Experts of the roster without a single decision; they stay in it.
    pub experts_without_decisions: usize,
    /// Cases without a true label. Counted for tables of cases only.
    pub cases_without_label: usize,
    /// Cases whose text is missing or empty; their text is the empty string.
    pub cases_without_text: usize,
    /// Missing cells of group columns; they have the value [`MISSING_GROUP`].
    pub groups_missing: usize,
    /// Columns that have no role.
    pub unused_columns: Vec<String>,
}

/// The group value of a case whose group is missing.
pub const MISSING_GROUP: &str = "(missing)";

/// Rows that were dropped for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Why.
    pub reason: DropReason,
    /// How many.
    pub rows: usize,
}

/// Why a row was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DropReason {
    /// The cell of the task is missing.
    NoTask,
    /// The cell of the worker is missing.
    NoWorker,
    /// The cell of the label is missing.
    NoLabel,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTask => "without a task",
            Self::NoWorker => "without a worker",
            Self::NoLabel => "without a label",
        })
    }
}

impl ReadReport {
    /// A report on `path` with nothing counted yet.
    pub(crate) fn of(path: &Path) -> Self {
        Self { file: path.display().to_string(), ..Self::default() }
    }

    /// Counts a dropped row.
    pub(crate) fn drop_row(&mut self, reason: DropReason) {
        match self.dropped.binary_search_by_key(&reason, |dropped| dropped.reason) {
            Ok(at) => self.dropped[at].rows += 1,
            Err(at) => self.dropped.insert(at, Dropped { reason, rows: 1 }),
        }
    }

    /// How many rows were dropped for `reason`.
    pub fn dropped_for(&self, reason: DropReason) -> usize {
        self.dropped.iter().find(|dropped| dropped.reason == reason).map_or(0, |dropped| dropped.rows)
    }
}

impl fmt::Display for ReadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = if self.file.is_empty() { "table" } else { &self.file };
        write!(f, "{file}: {} rows read, {} kept", self.rows, self.kept)?;
        for dropped in &self.dropped {
            write!(f, ", {} dropped {}", dropped.rows, dropped.reason)?;
        }
        if self.experts > 0 {
            write!(f, "; {} decisions of {} experts", self.decisions, self.experts)?;
        }
        for (count, what) in [
            (self.experts_without_decisions, "experts without decisions"),
            (self.cases_without_label, "cases without label"),
            (self.cases_without_text, "cases without text"),
            (self.groups_missing, "group cells missing"),
        ] {
            if count > 0 {
                write!(f, "; {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// What joining cases and decisions came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JoinReport {
    /// On the table of cases.
    pub cases: ReadReport,
    /// On the table of decisions.
    pub decisions: ReadReport,
    /// Tasks with decisions that the case table does not know.
    pub unknown_tasks: usize,
    /// Decisions on them, dropped.
    pub decisions_on_unknown_tasks: usize,
    /// Cases on which nobody decided.
    pub cases_without_decisions: usize,
}

impl fmt::Display for JoinReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.cases, self.decisions)?;
        if self.unknown_tasks > 0 {
            let (decisions, tasks) = (self.decisions_on_unknown_tasks, self.unknown_tasks);
            write!(f, "\n{decisions} decisions on {tasks} unknown tasks dropped")?;
        }
        if self.cases_without_decisions > 0 {
            write!(f, "\n{} cases without decisions", self.cases_without_decisions)?;
        }
        Ok(())
    }
}
