//! The table of routes: how each case was decided, one line a case.

use std::borrow::Borrow;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::TableError;
use super::format::Format;
use super::layout::{Layout, Missing};
use super::list::{items, push_numbers};
use super::options::ReadOptions;
use super::roles::Role;
use super::sink::{Cell, Sink, write_file};
use super::source::Source;

/// How one case was decided.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RouteRow {
    /// The name of the case.
    pub task: String,
    /// Who decides.
    pub route: RouteKind,
    /// Who was or is to be asked, in order.
    pub experts: Vec<String>,
    /// The weight of each of `experts`.
    pub weights: Vec<f64>,
    /// What the classifier believes: K numbers.
    pub probabilities: Vec<f64>,
    /// The final label, when it is known.
    pub label: Option<String>,
    /// Why this route was chosen.
    pub reason: String,
    /// The digest of the policy that chose it.
    pub policy: String,
    /// The probability with which each of `experts` was drawn, so that logged routing can be evaluated later.
    pub propensities: Vec<f64>,
    /// How sure the rule is of the label, when it is known.
    pub confidence: Option<f64>,
}

/// Who decides a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteKind {
    /// The classifier alone.
    #[default]
    Model,
    /// One expert or more.
    Committee,
    /// Not decided yet: `experts` are to be asked next.
    Ask,
}

impl fmt::Display for RouteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Model => "model",
            Self::Committee => "committee",
            Self::Ask => "ask",
        })
    }
}

const COLUMNS: [&str; 10] =
    ["task", "route", "experts", "weights", "probabilities", "label", "reason", "policy", "propensities", "confidence"];

/// Writes routes in the format of the extension; whole or not at all. Lists are JSON arrays in JSONL and separated by
/// `;` in CSV, or a JSON array in the cell where a name holds a `;`.
///
/// # Errors
/// [`TableError::Write`], also if a number is not finite; [`TableError::UnknownFormat`].
pub fn write_routes(path: &Path, rows: impl IntoIterator<Item: Borrow<RouteRow>>) -> Result<(), TableError> {
    write_file(path, |out, format| write_routes_to(out, format, rows))
}

/// The same to anywhere.
///
/// # Errors
/// What writing comes to, or if a number is not finite.
///
/// ```
/// use deferral_data::{Format, RouteKind, RouteRow, write_routes_to};
/// let row = RouteRow {
///     task: "t1".into(), route: RouteKind::Committee, experts: vec!["ann".into(), "bob".into()],
///     weights: vec![0.5, 0.25], propensities: vec![1.0, 1.0], ..RouteRow::default()
/// };
/// let mut csv = Vec::new();
/// write_routes_to(&mut csv, Format::Csv, [row])?;
/// assert!(String::from_utf8(csv)?.ends_with("t1,committee,ann;bob,0.5;0.25,,,,,1;1,\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_routes_to(
    out: &mut dyn Write,
    format: Format,
    rows: impl IntoIterator<Item: Borrow<RouteRow>>,
) -> io::Result<()> {
    let columns = COLUMNS.map(str::to_owned);
    let mut sink = Sink::new(out, format, &columns)?;
    for row in rows {
        let row = row.borrow();
        let route = row.route.to_string();
        sink.row(&[
            Cell::Text(&row.task),
            Cell::Text(&route),
            Cell::Texts(&row.experts),
            Cell::Numbers(&row.weights),
            Cell::Numbers(&row.probabilities),
            row.label.as_deref().map_or(Cell::Missing, Cell::Text),
            Cell::Text(&row.reason),
            Cell::Text(&row.policy),
            Cell::Numbers(&row.propensities),
            row.confidence.map_or(Cell::Missing, Cell::Number),
        ])?;
    }
    sink.finish()
}

/// Reads routes back. Columns other than task and route may be absent. `format` is that of the extension by default.
///
/// # Errors
/// [`TableError`] names file, row and column.
pub fn read_routes(path: &Path, format: Option<Format>) -> Result<Vec<RouteRow>, TableError> {
    let mut source = Source::open(path, format)?;
    let options = ReadOptions::default();
    let layout = Layout::new(&source, &options);
    let (task, label) = (layout.required(Role::Task)?, layout.optional(Role::Label)?);
    let (task, label) = (Column(Some(task)), Column(label));
    let [route, experts, weights, probabilities, reason, policy, propensities, confidence] =
        ["route", "experts", "weights", "probabilities", "reason", "policy", "propensities", "confidence"]
            .map(|name| Column(source.columns().iter().position(|column| column == name)));
    let mut rows = Vec::new();
    while source.advance()? {
        rows.push(RouteRow {
            task: task.text(&source).ok_or_else(|| task.refused(&source, "the name of a case"))?.to_owned(),
            route: route.kind(&source)?,
            experts: experts.texts(&source)?,
            weights: weights.numbers(&source)?,
            probabilities: probabilities.numbers(&source)?,
            label: label.text(&source).map(str::to_owned),
            reason: reason.text(&source).unwrap_or_default().to_owned(),
            policy: policy.text(&source).unwrap_or_default().to_owned(),
            propensities: propensities.numbers(&source)?,
            confidence: confidence.numbers(&source)?.first().copied(),
        });
    }
    Ok(rows)
}

/// A column of the table, if it is there.
#[derive(Clone, Copy)]
struct Column(Option<usize>);

impl Column {
    fn text(self, source: &Source) -> Option<&str> {
        Missing::new([]).cell(source.raw(self.0?))
    }

    fn kind(self, source: &Source) -> Result<RouteKind, TableError> {
        match self.text(source) {
            Some("model") => Ok(RouteKind::Model),
            Some("committee") => Ok(RouteKind::Committee),
            Some("ask") => Ok(RouteKind::Ask),
            _ => Err(self.refused(source, "a route (`model`, `committee` or `ask`)")),
        }
    }

    fn texts(self, source: &Source) -> Result<Vec<String>, TableError> {
        let cell = self.text(source).unwrap_or_default();
        items(cell).ok_or_else(|| self.refused(source, "a list of names"))
    }

    fn numbers(self, source: &Source) -> Result<Vec<f64>, TableError> {
        let mut numbers = Vec::new();
        match push_numbers(self.text(source).unwrap_or_default(), &mut numbers) {
            Ok(()) if numbers.iter().all(|number: &f64| number.is_finite()) => Ok(numbers),
            _ => Err(self.refused(source, "a list of finite numbers")),
        }
    }

    fn refused(self, source: &Source, expected: &'static str) -> TableError {
        let place = self.0.map_or_else(|| source.row_place(), |column| source.place(column));
        TableError::BadCell { place: place.into(), value: self.text(source).unwrap_or_default().to_owned(), expected }
    }
}
