//! Who can be asked, and about what.

use std::path::Path;

use super::error::TableError;
use super::layout::{Layout, Missing};
use super::options::ReadOptions;
use super::roles::Role;
use super::source::Source;

/// Somebody who can be asked: about the case, or about all cases where none is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailableRow {
    /// The case, if the table has such a column.
    pub task: Option<String>,
    /// The expert.
    pub worker: String,
}

/// Reads a table of who is available: a column `worker`, and `task` where it differs by case.
///
/// # Errors
/// [`TableError`] names file, row and column, also of an empty cell.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("available.csv");
/// std::fs::write(&path, "worker\nann\nbob\n")?;
/// let rows = deferral_data::read_available(&path)?;
/// assert_eq!((rows.len(), rows[1].worker.as_str(), &rows[1].task), (2, "bob", &None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_available(path: &Path) -> Result<Vec<AvailableRow>, TableError> {
    let mut source = Source::open(path, None)?;
    let options = ReadOptions::default();
    let layout = Layout::new(&source, &options);
    let (worker, task) = (layout.required(Role::Worker)?, layout.optional(Role::Task)?);
    let mut rows = Vec::new();
    while source.advance()? {
        let cell = |column: usize, expected: &'static str| {
            Missing::new([]).cell(source.raw(column)).map(str::to_owned).ok_or_else(|| TableError::BadCell {
                place: source.place(column).into(),
                value: String::new(),
                expected,
            })
        };
        let task = task.map(|column| cell(column, "the name of a case")).transpose()?;
        rows.push(AvailableRow { task, worker: cell(worker, "the name of an expert")? });
    }
    Ok(rows)
}
