//! What can be wrong with a table: every message says where, what, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use deferral_core::files::FileError;
use deferral_core::{CasesError, DatasetError, DecisionsError};

use super::roles::Role;

/// A place in a table, as an editor would show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which file.
    pub file: PathBuf,
    /// The line on which the row begins, the first line of the file being 1.
    pub row: Option<u64>,
    /// The column's name.
    pub column: Option<String>,
}

impl Place {
    /// The file as a whole.
    pub(crate) fn file(path: &Path) -> Self {
        Self { file: path.to_owned(), row: None, column: None }
    }

    /// A row of the file.
    pub(crate) fn row(path: &Path, row: u64) -> Self {
        Self { file: path.to_owned(), row: Some(row), column: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(row) = self.row {
            write!(f, ", row {row}")?;
        }
        match &self.column {
            Some(column) => write!(f, ", column `{column}`"),
            None => Ok(()),
        }
    }
}

/// Why a table was refused. Rows are line numbers in the file, the header being on line 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The system could not read the file.
    #[error("{0}; check the path and its permissions")]
    Read(#[source] FileError),
    /// The system could not write the file, or the table cannot be written.
    #[error("{0}")]
    Write(#[source] FileError),
    /// The file's name does not say its format.
    #[error("{place}: the name does not say the format; call it .csv, .tsv, .jsonl or .ndjson, or give the format")]
    UnknownFormat {
        /// The file.
        place: Box<Place>,
    },
    /// There is not a single byte, or not a single line with content.
    #[error("{place} is empty; a table has a header (CSV) or at least one object (JSONL)")]
    Empty {
        /// The file.
        place: Box<Place>,
    },
    /// There is a header and nothing else.
    #[error("{place} has a header but no rows; add rows, or leave the file out")]
    NoRows {
        /// The file.
        place: Box<Place>,
    },
    /// The bytes are not text.
    #[error("{place}: not UTF-8 after {valid} bytes of the {unit}; save the file as UTF-8")]
    NotUtf8 {
        /// The row, and in CSV the column.
        place: Box<Place>,
        /// How many bytes are well-formed.
        valid: usize,
        /// What they are counted in: `cell` or `line`.
        unit: &'static str,
    },
    /// Two columns have the same name.
    #[error("{place}: columns {first} and {second} have the same name; rename one of them")]
    DuplicateColumn {
        /// The header and the name.
        place: Box<Place>,
        /// The number of the first, counted from 1.
        first: usize,
        /// The number of the second.
        second: usize,
    },
    /// A row is longer or shorter than the header.
    #[error("{place}: the row has {found} cells, the header {expected}; check its separators and quotes")]
    Ragged {
        /// The row.
        place: Box<Place>,
        /// Cells in the header.
        expected: u64,
        /// Cells in the row.
        found: u64,
    },
    /// A quoted cell goes on to the end of the file.
    #[error("{place}: a quote is opened and never closed; close it, or double each quote inside a quoted cell")]
    OpenQuote {
        /// The row.
        place: Box<Place>,
    },
    /// A line of a JSONL file cannot be parsed.
    #[error("{place}: not JSON at character {character}: {reason}; write one JSON object a line")]
    Json {
        /// The row.
        place: Box<Place>,
        /// Where in the line, counted from 1.
        character: usize,
        /// What the parser said.
        reason: String,
    },
    /// A line of a JSONL file is JSON, but not an object.
    #[error("{place}: the line holds {found}, not an object; write one JSON object a line")]
    NotAnObject {
        /// The row.
        place: Box<Place>,
        /// What it holds.
        found: &'static str,
    },
    /// No column can play a role that is needed.
    #[error(
        "{place}: no column for the role {role}; it may be called {accepted}, present are {present}; {}",
        advice(*role, present)
    )]
    MissingColumn {
        /// The file.
        place: Box<Place>,
        /// The role.
        role: Role,
        /// The names that need no flag.
        accepted: String,
        /// The columns that are there.
        present: String,
    },
    /// The column named for a role does not exist.
    #[error(
        "{place}: there is no such column for the role {role}; present are {present}; correct --column {role}=NAME"
    )]
    UnknownColumn {
        /// The file and the column's name.
        place: Box<Place>,
        /// The role it was named for.
        role: Role,
        /// The columns that are there.
        present: String,
    },
    /// Two columns could play a role that only one can have.
    #[error(
        "{place}: both `{first}` and `{second}` could be the {role}; \
         choose with --column {role}={first} or --column {role}={second}"
    )]
    AmbiguousColumn {
        /// The file.
        place: Box<Place>,
        /// The role.
        role: Role,
        /// One candidate.
        first: String,
        /// The other.
        second: String,
    },
    /// One role was given to two columns.
    #[error("the role {role} is given to both `{first}` and `{second}`; keep one --column {role}=NAME")]
    RepeatedRole {
        /// The role.
        role: Role,
        /// The first column.
        first: String,
        /// The second.
        second: String,
    },
    /// No column matches the pattern of a wide table.
    #[error("{place}: no expert column matches the pattern `{pattern}`; present are {present}; correct --wide PATTERN")]
    NoExpertColumn {
        /// The file.
        place: Box<Place>,
        /// The pattern.
        pattern: String,
        /// The columns that are there.
        present: String,
    },
    /// One file was to hold cases and decisions, but which columns are experts is not known.
    #[error("{place}: which columns are experts is not known; say it with --wide PATTERN, such as --wide 'Expert *'")]
    NotWide {
        /// The file.
        place: Box<Place>,
    },
    /// A table lacks a column of numbers that it is read for.
    #[error("{place}: no column `{column}`; present are {present}; add it")]
    NoNumbers {
        /// Where.
        place: Box<Place>,
        /// The column.
        column: &'static str,
        /// The columns there are.
        present: String,
    },
    /// A feature is text.
    #[error("{place}: `{value}` is not a number; correct it, or leave the column out of the features")]
    NotANumber {
        /// The cell.
        place: Box<Place>,
        /// What it holds.
        value: String,
    },
    /// A feature is NaN or infinite.
    #[error("{place}: `{value}` is not a finite number; correct it, or leave the case or the column out")]
    NotFinite {
        /// The cell.
        place: Box<Place>,
        /// What it holds.
        value: String,
    },
    /// A feature is missing.
    #[error("{place}: the feature is missing; fill it in, or leave the case or the column out")]
    MissingFeature {
        /// The cell.
        place: Box<Place>,
    },
    /// A list-valued feature does not have as many entries as in the first row.
    #[error("{place}: the list has {found} entries, in the first row it has {expected}; make all lists equally long")]
    ListLength {
        /// The cell.
        place: Box<Place>,
        /// Entries in the first row.
        expected: usize,
        /// Entries here.
        found: usize,
    },
    /// A cell does not hold what its column is for.
    #[error("{place}: `{value}` is not {expected}; correct the cell")]
    BadCell {
        /// The cell.
        place: Box<Place>,
        /// What it holds.
        value: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// One worker labels one task twice.
    #[error("{}: worker `{worker}` labels task `{task}` twice; keep one of them", rows(place, *second))]
    DuplicateDecision {
        /// The file and the earlier row.
        place: Box<Place>,
        /// The later row.
        second: Option<u64>,
        /// The task.
        task: String,
        /// The worker.
        worker: String,
    },
    /// Two cases have the same name.
    #[error("{}: two cases are called `{task}`; rename or remove one of them", rows(place, *second))]
    DuplicateCase {
        /// The file and the earlier row.
        place: Box<Place>,
        /// The later row.
        second: Option<u64>,
        /// The name.
        task: String,
    },
    /// A decision is about a case that the case table does not know.
    #[error("{place}: task `{task}` is not in {cases}; add the case, or drop decisions on unknown tasks")]
    UnknownTask {
        /// The decision.
        place: Box<Place>,
        /// The task.
        task: String,
        /// The case table's file.
        cases: String,
    },
    /// The table exceeds what indices can count.
    #[error("{place}: more than {limit} {what}; check that the right column is used, or divide the table")]
    TooMany {
        /// The row that is too much.
        place: Box<Place>,
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: u64,
    },
    /// A text given as an option is not of the form `A=B`.
    #[error("`{text}` is not of the form {expected}: {reason}")]
    OptionSyntax {
        /// The text.
        text: String,
        /// The form.
        expected: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Parts of a table that was put together by hand do not fit each other.
    #[error("{what}: {found} entries where {expected} are needed; give all parts of a table the same length")]
    Length {
        /// Which part.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length needed.
        expected: usize,
    },
    /// The decisions do not fit together.
    #[error(transparent)]
    Decisions(#[from] DecisionsError),
    /// The cases do not fit together.
    #[error(transparent)]
    Cases(#[from] CasesError),
    /// Cases and decisions do not fit together.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

impl TableError {
    /// Where in which file, for a program that shows the place.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::UnknownFormat { place }
            | Self::Empty { place }
            | Self::NoRows { place }
            | Self::NotUtf8 { place, .. }
            | Self::DuplicateColumn { place, .. }
            | Self::Ragged { place, .. }
            | Self::OpenQuote { place }
            | Self::Json { place, .. }
            | Self::NotAnObject { place, .. }
            | Self::MissingColumn { place, .. }
            | Self::UnknownColumn { place, .. }
            | Self::AmbiguousColumn { place, .. }
            | Self::NoExpertColumn { place, .. }
            | Self::NotWide { place }
            | Self::NoNumbers { place, .. }
            | Self::NotANumber { place, .. }
            | Self::NotFinite { place, .. }
            | Self::MissingFeature { place }
            | Self::ListLength { place, .. }
            | Self::BadCell { place, .. }
            | Self::DuplicateDecision { place, .. }
            | Self::DuplicateCase { place, .. }
            | Self::UnknownTask { place, .. }
            | Self::TooMany { place, .. } => Some(place),
            Self::Read(_)
            | Self::Write(_)
            | Self::RepeatedRole { .. }
            | Self::OptionSyntax { .. }
            | Self::Length { .. }
            | Self::Decisions(_)
            | Self::Cases(_)
            | Self::Dataset(_) => None,
        }
    }
}

/// What to do where a column is missing; one name with other separators in it is a header that was not split.
fn advice(role: Role, present: &str) -> String {
    match [';', '\t', '|'].into_iter().find(|separator| present.contains(*separator)) {
        Some(';' | '|') if !present.contains(',') => {
            "cells are separated by commas in .csv and by tabs in .tsv: change the separator".to_owned()
        }
        Some('\t') if !present.contains(',') => "cells are separated by tabs: call the file .tsv".to_owned(),
        _ => format!("name it with --column {role}=NAME"),
    }
}

/// `labels.csv, rows 2 and 7`, or what of it is known.
fn rows(first: &Place, second: Option<u64>) -> String {
    match (first.row, second) {
        (Some(first_row), Some(second)) if first_row != second => {
            format!("{}, rows {first_row} and {second}", first.file.display())
        }
        _ => first.to_string(),
    }
}
