//! Cases that come divided into what is learned from, what settings are chosen by, and what is decided.

use serde::{Deserialize, Serialize};

use super::error::TableError;
use super::source::Source;

/// Which part of a given division a case is in.
///
/// ```
/// use deferral_data::Part;
/// assert_eq!(Part::named("dev"), Some(Part::Validation));
/// assert_eq!(Part::Validation.name(), "validation");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// It is learned from.
    Train,
    /// Settings are chosen by it, such as when to stop.
    Validation,
    /// It is decided.
    Test,
}

impl Part {
    /// What the part is called in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// The part called so: `train`, `validation` (or `valid`, `dev`), `test`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "train" => Some(Self::Train),
            "validation" | "valid" | "dev" => Some(Self::Validation),
            "test" => Some(Self::Test),
            _ => None,
        }
    }

    /// The part in a column of the current row. Every case must be in one.
    pub(crate) fn of_row(source: &Source, column: usize) -> Result<Self, TableError> {
        let cell = source.raw(column).unwrap_or_default();
        Self::named(cell.trim()).ok_or_else(|| TableError::BadCell {
            place: source.place(column).into(),
            value: cell.to_owned(),
            expected: "a part (train, validation, valid, dev or test)",
        })
    }
}
