//! The formats a table can have on disk.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{Place, TableError};

/// How a table is written on disk. The column names are the same in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Comma-separated, a header in the first line, fields with commas or line breaks in double quotes.
    Csv,
    /// The same, separated by tabs.
    Tsv,
    /// One JSON object a line; its keys are the columns.
    Jsonl,
}

impl Format {
    /// The format that the file's extension says: `.csv`, `.tsv`, `.jsonl` or `.ndjson`, in any case.
    ///
    /// # Errors
    /// [`TableError::UnknownFormat`] for any other.
    ///
    /// ```
    /// use deferral_data::Format;
    /// assert_eq!(Format::of("labels.ndjson".as_ref())?, Format::Jsonl);
    /// # Ok::<(), deferral_data::TableError>(())
    /// ```
    pub fn of(path: &Path) -> Result<Self, TableError> {
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("csv") => Ok(Self::Csv),
            Some("tsv") => Ok(Self::Tsv),
            Some("jsonl" | "ndjson") => Ok(Self::Jsonl),
            _ => Err(TableError::UnknownFormat { place: Place::file(path).into() }),
        }
    }

    /// The byte between two cells of a line.
    pub(crate) fn delimiter(self) -> u8 {
        if self == Self::Tsv { b'\t' } else { b',' }
    }
}
