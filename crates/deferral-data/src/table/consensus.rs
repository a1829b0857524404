//! Writing aggregated labels, and what is believed of the workers.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::error::TableError;
use super::format::Format;
use super::sink::{Cell, Sink, write_file};

/// A task as its votes were aggregated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelRow {
    /// The task.
    pub task: String,
    /// Its label.
    pub label: String,
    /// How probable the label is.
    pub probability: f64,
    /// How probable each class is, in the order of the labels' names.
    pub probabilities: Vec<f64>,
    /// Votes that it has.
    pub votes: usize,
}

/// A worker as an aggregator believes them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerRow {
    /// The worker.
    pub worker: String,
    /// Votes of theirs.
    pub votes: usize,
    /// The probability of being right, as the aggregator believes.
    pub skill: f64,
    /// How often their votes are the aggregated label; `None` without votes.
    pub agreement: Option<f64>,
    /// The share of their votes that does not depend on the truth, where the aggregator knows.
    pub spam_rate: Option<f64>,
    /// The probability of each vote given each truth, K x K, truth by truth; empty where the aggregator has no such
    /// matrix.
    pub confusion: Vec<f64>,
}

/// Writes labels with the columns `task`, `label`, `probability`, `P(LABEL)` for each of `labels`, and `votes`. The
/// format is that of the extension; the file is written whole or not at all.
///
/// # Errors
/// [`TableError::Write`] or [`TableError::UnknownFormat`].
pub fn write_labels(path: &Path, rows: &[LabelRow], labels: &[String]) -> Result<(), TableError> {
    write_file(path, |out, format| write_labels_to(out, format, rows, labels))
}

/// The same to anywhere.
///
/// # Errors
/// What writing comes to.
///
/// ```
/// use deferral_data::{Format, LabelRow, write_labels_to};
/// let row = LabelRow { task: "t1".into(), label: "ok".into(), probability: 0.75, probabilities: vec![0.25, 0.75], votes: 3 };
/// let mut csv = Vec::new();
/// write_labels_to(&mut csv, Format::Csv, &[row], &["abusive".into(), "ok".into()])?;
/// assert_eq!(String::from_utf8(csv)?, "task,label,probability,P(abusive),P(ok),votes\nt1,ok,0.75,0.25,0.75,3\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_labels_to(out: &mut dyn Write, format: Format, rows: &[LabelRow], labels: &[String]) -> io::Result<()> {
    let mut columns = ["task", "label", "probability"].map(str::to_owned).to_vec();
    columns.extend(labels.iter().map(|label| format!("P({label})")));
    columns.push("votes".to_owned());
    let mut sink = Sink::new(out, format, &columns)?;
    for row in rows {
        let mut cells = vec![Cell::Text(&row.task), Cell::Text(&row.label), Cell::Number(row.probability)];
        cells.extend(row.probabilities.iter().map(|&p| Cell::Number(p)));
        cells.push(Cell::Number(row.votes as f64));
        sink.row(&cells)?;
    }
    sink.finish()
}

/// Writes workers with the columns `worker`, `votes`, `skill`, `agreement`, `spam_rate`, and `P(VOTE|TRUTH)` for each
/// pair of `labels` where there are confusion matrices. The format is that of the extension; the file is written whole
/// or not at all.
///
/// # Errors
/// [`TableError::Write`] or [`TableError::UnknownFormat`].
pub fn write_workers(path: &Path, rows: &[WorkerRow], labels: &[String]) -> Result<(), TableError> {
    let mut columns = ["worker", "votes", "skill", "agreement", "spam_rate"].map(str::to_owned).to_vec();
    if rows.iter().any(|row| !row.confusion.is_empty()) {
        columns.extend(labels.iter().flat_map(|truth| labels.iter().map(move |vote| format!("P({vote}|{truth})"))));
    }
    write_file(path, |out, format| {
        let mut sink = Sink::new(out, format, &columns)?;
        for row in rows {
            let number = |number: Option<f64>| number.map_or(Cell::Missing, Cell::Number);
            let mut cells = vec![
                Cell::Text(&row.worker),
                Cell::Number(row.votes as f64),
                Cell::Number(row.skill),
                number(row.agreement),
                number(row.spam_rate),
            ];
            cells.extend(row.confusion.iter().map(|&p| Cell::Number(p)));
            sink.row(&cells)?;
        }
        sink.finish()
    })
}
