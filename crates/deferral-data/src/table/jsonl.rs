//! JSON objects, one a line, as rows of cells.
//!
//! A string is its own cell, a number its shortest decimal form (`1.0` is `1`), `null` and an absent key are missing,
//! arrays and objects stay JSON text.

use std::fmt::{self, Write};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;

use deferral_core::Names;
use deferral_core::files::FileError;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use super::error::{Place, TableError};

/// A cursor over the lines of a file. Keys it has not met before are added to its columns.
#[derive(Debug)]
pub(crate) struct JsonRows {
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    row: u64,
    keys: Names,
    cells: Cells,
}

/// The cells of one row: spans of one text.
#[derive(Debug, Default)]
struct Cells {
    text: String,
    spans: Vec<Option<Range<usize>>>,
}

impl JsonRows {
    pub(crate) fn new(reader: BufReader<File>, keys: Names) -> Self {
        Self { reader, line: Vec::new(), number: 0, row: 0, keys, cells: Cells::default() }
    }

    /// All keys met so far.
    pub(crate) fn into_keys(self) -> Names {
        self.keys
    }

    /// The number of the line that holds the current row; 0 before the first.
    pub(crate) fn line(&self) -> u64 {
        self.row
    }

    /// The current row's cell under the key at `column`.
    pub(crate) fn cell(&self, column: usize) -> Option<&str> {
        let span = self.cells.spans.get(column)?.clone()?;
        self.cells.text.get(span)
    }

    /// Moves to the next line that is not blank.
    pub(crate) fn advance(&mut self, path: &Path) -> Result<bool, TableError> {
        loop {
            self.line.clear();
            let length = self.reader.read_until(b'\n', &mut self.line);
            if length.map_err(|e| TableError::Read(FileError::read(path, e)))? == 0 {
                return Ok(false);
            }
            self.number += 1;
            let bytes = match self.line.strip_prefix(b"\xef\xbb\xbf") {
                Some(rest) if self.number == 1 => rest,
                _ => &self.line,
            };
            let text = std::str::from_utf8(bytes).map_err(|e| TableError::NotUtf8 {
                place: Place::row(path, self.number).into(),
                valid: e.valid_up_to(),
                unit: "line",
            })?;
            if text.trim().is_empty() {
                continue;
            }
            self.row = self.number;
            parse(text, &mut self.keys, &mut self.cells).map_err(|e| refused(path, self.number, text, &e))?;
            return Ok(true);
        }
    }
}

fn parse(text: &str, keys: &mut Names, cells: &mut Cells) -> serde_json::Result<()> {
    cells.text.clear();
    cells.spans.clear();
    cells.spans.resize(keys.len(), None);
    let mut json = serde_json::Deserializer::from_str(text);
    serde::Deserializer::deserialize_map(&mut json, RowVisitor { keys, cells })?;
    json.end()
}

fn refused(path: &Path, row: u64, text: &str, error: &serde_json::Error) -> TableError {
    let place = Place::row(path, row);
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(text)
        && let Some(found) = other_than_object(&value)
    {
        return TableError::NotAnObject { place: place.into(), found };
    }
    let shown = error.to_string();
    let reason = shown.split(" at line ").next().unwrap_or(&shown).to_owned();
    TableError::Json { place: place.into(), character: error.column(), reason }
}

fn other_than_object(value: &serde_json::Value) -> Option<&'static str> {
    match value {
        serde_json::Value::Object(_) => None,
        serde_json::Value::Array(_) => Some("an array"),
        serde_json::Value::String(_) => Some("a string"),
        serde_json::Value::Number(_) => Some("a number"),
        serde_json::Value::Bool(_) => Some("true or false"),
        serde_json::Value::Null => Some("null"),
    }
}

struct RowVisitor<'a> {
    keys: &'a mut Names,
    cells: &'a mut Cells,
}

impl<'de> Visitor<'de> for RowVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { keys, cells } = self;
        while let Some(column) = map.next_key_seed(Key(keys))? {
            if column >= cells.spans.len() {
                cells.spans.resize(column + 1, None);
            }
            let start = cells.text.len();
            let present = map.next_value_seed(Cell(&mut cells.text))?;
            let span = &mut cells.spans[column];
            if span.is_some() {
                return Err(A::Error::custom(format!("the key `{}` stands twice in the object", keys.show(column))));
            }
            *span = present.then_some(start..cells.text.len());
        }
        Ok(())
    }
}

/// Reads a key as the position of a column.
struct Key<'a>(&'a mut Names);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = usize;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<usize, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<usize, E> {
        Ok(self.0.intern(key.trim()))
    }
}

/// Appends a value to the row's text; false for `null`.
struct Cell<'a>(&'a mut String);

impl Cell<'_> {
    fn show<E: serde::de::Error>(self, value: impl fmt::Display) -> Result<bool, E> {
        write!(self.0, "{value}").map_err(E::custom)?;
        Ok(true)
    }
}

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<bool, E> {
        self.0.push_str(value);
        Ok(true)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<bool, E> {
        self.show(value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<bool, E> {
        self.show(value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<bool, E> {
        self.show(value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<bool, E> {
        self.show(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<bool, A::Error> {
        self.show(serde_json::Value::deserialize(SeqAccessDeserializer::new(seq))?)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<bool, A::Error> {
        self.show(serde_json::Value::deserialize(MapAccessDeserializer::new(map))?)
    }
}
