//! Writing rows of cells in any format.

use std::io::{self, Write};
use std::path::Path;

use deferral_core::Names;
use deferral_core::files::write_atomically;

use super::error::TableError;
use super::format::Format;
use super::list;

/// What a cell holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cell<'a> {
    Missing,
    Text(&'a str),
    Number(f64),
    Texts(&'a [String]),
    Numbers(&'a [f64]),
}

/// A table that is being written.
pub(crate) struct Sink<'a> {
    columns: &'a [String],
    rows: Rows<'a>,
}

enum Rows<'a> {
    Csv(Box<csv::Writer<&'a mut dyn Write>>),
    Jsonl(&'a mut dyn Write),
}

impl<'a> Sink<'a> {
    /// Begins a table; in CSV that writes the header.
    pub(crate) fn new(out: &'a mut dyn Write, format: Format, columns: &'a [String]) -> io::Result<Self> {
        if columns.iter().collect::<Names>().len() < columns.len() {
            let names = columns.join("`, `");
            return Err(io::Error::other(format!("two of the columns `{names}` have the same name; rename one")));
        }
        let rows = match format {
            Format::Csv | Format::Tsv => {
                let mut writer = csv::WriterBuilder::new().delimiter(format.delimiter()).from_writer(out);
                writer.write_record(columns)?;
                Rows::Csv(Box::new(writer))
            }
            Format::Jsonl => Rows::Jsonl(out),
        };
        Ok(Self { columns, rows })
    }

    /// Writes one row: a cell for each column. Numbers must be finite.
    pub(crate) fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        let finite = |cell: &Cell<'_>| match cell {
            Cell::Number(number) => number.is_finite(),
            Cell::Numbers(numbers) => numbers.iter().all(|number| number.is_finite()),
            _ => true,
        };
        if let Some((column, _)) = self.columns.iter().zip(cells).find(|(_, cell)| !finite(cell)) {
            return Err(io::Error::other(format!("a number in column `{column}` is not finite")));
        }
        match &mut self.rows {
            Rows::Csv(writer) => write_csv(writer, cells),
            Rows::Jsonl(out) => write_json(out, self.columns, cells),
        }
    }

    /// Ends the table.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self.rows {
            Rows::Csv(mut writer) => writer.flush(),
            Rows::Jsonl(out) => out.flush(),
        }
    }
}

/// The shortest form that reads back as the same number; a tiny one without its zeros, such as `3.6e-21`.
fn shown(number: f64) -> String {
    const TINY: f64 = 1e-5;
    if number != 0.0 && number.abs() < TINY { format!("{number:e}") } else { number.to_string() }
}

fn write_csv(writer: &mut csv::Writer<&mut dyn Write>, cells: &[Cell<'_>]) -> io::Result<()> {
    for cell in cells {
        match cell {
            Cell::Missing => writer.write_field("")?,
            Cell::Text(text) => writer.write_field(text)?,
            Cell::Number(number) => writer.write_field(shown(*number))?,
            Cell::Texts(items) => writer.write_field(list::join(items))?,
            Cell::Numbers(numbers) => writer.write_field(list::join_numbers(numbers))?,
        }
    }
    Ok(writer.write_record(None::<&[u8]>)?)
}

fn write_json(out: &mut dyn Write, columns: &[String], cells: &[Cell<'_>]) -> io::Result<()> {
    for (i, (column, cell)) in columns.iter().zip(cells).enumerate() {
        out.write_all(if i == 0 { b"{" } else { b"," })?;
        serde_json::to_writer(&mut *out, column)?;
        out.write_all(b":")?;
        match cell {
            Cell::Missing => out.write_all(b"null")?,
            Cell::Text(text) => serde_json::to_writer(&mut *out, text)?,
            Cell::Number(number) => serde_json::to_writer(&mut *out, number)?,
            Cell::Texts(items) => serde_json::to_writer(&mut *out, items)?,
            Cell::Numbers(numbers) => serde_json::to_writer(&mut *out, numbers)?,
        }
    }
    out.write_all(b"}\n")
}

/// Writes the file that `fill` describes in the format of its extension; whole or not at all.
pub(crate) fn write_file(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write, Format) -> io::Result<()>,
) -> Result<(), TableError> {
    let format = Format::of(path)?;
    write_atomically(path, |out| fill(out, format)).map_err(TableError::Write)
}
