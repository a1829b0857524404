//! A table on disk as a stream of rows, whatever its format: one row in memory at a time, in reused buffers.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use deferral_core::Names;
use deferral_core::files::FileError;

use super::error::{Place, TableError};
use super::format::Format;
use super::jsonl::JsonRows;

const BUFFER: usize = 1 << 16;

/// An open table that stands before its first row.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    format: Format,
    columns: Vec<String>,
    rows: Rows,
    read: usize,
}

#[derive(Debug)]
enum Rows {
    Csv { reader: Box<csv::Reader<File>>, record: csv::StringRecord, length: u64 },
    Json(Box<JsonRows>),
}

impl Source {
    /// Opens the table and learns its columns. A JSONL file is read once for that, since any line may add a key.
    pub(crate) fn open(path: &Path, format: Option<Format>) -> Result<Self, TableError> {
        // A missing file is the likelier mistake than a name without extension.
        let unreadable = |e| TableError::Read(FileError::read(path, e));
        let file = File::open(path).map_err(unreadable)?;
        let facts = file.metadata().map_err(unreadable)?;
        if !facts.is_file() {
            // Messages need a second look at the file, and JSONL is read twice.
            return Err(unreadable(io::Error::other("it is not a regular file; save the table as one first")));
        }
        let format = format.map_or_else(|| Format::of(path), Ok)?;
        let (columns, rows) = match format {
            Format::Csv | Format::Tsv => open_csv(path, file, facts.len(), format)?,
            Format::Jsonl => open_jsonl(path, file)?,
        };
        Ok(Self { path: path.to_owned(), format, columns, rows, read: 0 })
    }

    /// The same table before its first row.
    pub(crate) fn again(&self) -> Result<Self, TableError> {
        Self::open(&self.path, Some(self.format))
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the columns. All that have a name differ.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The names of the columns, for a message.
    pub(crate) fn present(&self) -> String {
        let show = |name: &String| if name.is_empty() { "(unnamed)".to_owned() } else { format!("`{name}`") };
        self.columns.iter().map(show).collect::<Vec<_>>().join(", ")
    }

    /// Moves to the next row; false after the last.
    pub(crate) fn advance(&mut self) -> Result<bool, TableError> {
        let more = match &mut self.rows {
            Rows::Csv { reader, record, length } => {
                let more = reader.read_record(record).map_err(|e| csv_error(&self.path, &self.columns, e))?;
                if more && reader.position().byte() >= *length {
                    check_quotes(&self.path, record)?;
                }
                more
            }
            Rows::Json(rows) => rows.advance(&self.path)?,
        };
        if more {
            self.read += 1;
        } else if self.read == 0 {
            return Err(TableError::NoRows { place: Place::file(&self.path).into() });
        }
        Ok(more)
    }

    /// Number of rows so far, the current one included.
    pub(crate) fn rows_read(&self) -> usize {
        self.read
    }

    /// The cell of the current row in `column` as it stands in the file; `None` if a JSON object lacks it.
    pub(crate) fn raw(&self, column: usize) -> Option<&str> {
        match &self.rows {
            Rows::Csv { record, .. } => record.get(column),
            Rows::Json(rows) => rows.cell(column),
        }
    }

    /// The line on which the current row begins. Slow: for messages.
    pub(crate) fn line(&self) -> u64 {
        match &self.rows {
            Rows::Csv { record, .. } => record.position().map_or(0, |at| line_at(&self.path, at)),
            Rows::Json(rows) => rows.line(),
        }
    }

    /// Where the current row stands.
    pub(crate) fn row_place(&self) -> Place {
        Place::row(&self.path, self.line())
    }

    /// Where the cell of the current row in `column` stands.
    pub(crate) fn place(&self, column: usize) -> Place {
        let mut place = self.row_place();
        place.column = Some(shown(&self.columns, column));
        place
    }

    /// The cell of `column` in this row is none of what is `expected`.
    pub(crate) fn refused(&self, column: usize, expected: &'static str) -> TableError {
        let value = self.raw(column).unwrap_or_default().to_owned();
        TableError::BadCell { place: self.place(column).into(), value, expected }
    }
}

fn open_csv(path: &Path, file: File, length: u64, format: Format) -> Result<(Vec<String>, Rows), TableError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(format.delimiter())
        .has_headers(false)
        .buffer_capacity(BUFFER)
        .from_reader(file);
    let mut header = csv::StringRecord::new();
    if !reader.read_record(&mut header).map_err(|e| csv_error(path, &[], e))? {
        return Err(TableError::Empty { place: Place::file(path).into() });
    }
    let columns: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    if let Some((first, second)) = repeated(&columns) {
        let line = header.position().map_or(1, |at| line_at(path, at));
        let mut place = Place::row(path, line);
        place.column = Some(columns[first].clone());
        return Err(TableError::DuplicateColumn { place: place.into(), first: first + 1, second: second + 1 });
    }
    Ok((columns, Rows::Csv { reader: Box::new(reader), record: header, length }))
}

fn open_jsonl(path: &Path, file: File) -> Result<(Vec<String>, Rows), TableError> {
    let mut rows = JsonRows::new(BufReader::with_capacity(BUFFER, file), Names::new());
    while rows.advance(path)? {}
    if rows.line() == 0 {
        return Err(TableError::Empty { place: Place::file(path).into() });
    }
    let keys = rows.into_keys();
    let columns = keys.iter().map(str::to_owned).collect();
    let file = File::open(path).map_err(|e| TableError::Read(FileError::read(path, e)))?;
    Ok((columns, Rows::Json(Box::new(JsonRows::new(BufReader::with_capacity(BUFFER, file), keys)))))
}

/// Refuses a last record that swallowed the rest of the file because its quote is never closed, which the parser
/// tolerates.
fn check_quotes(path: &Path, last: &csv::StringRecord) -> Result<(), TableError> {
    let Some(at) = last.position() else { return Ok(()) };
    let several_lines = last.iter().any(|cell| cell.contains('\n'));
    if several_lines && quotes_from(path, at.byte()).is_ok_and(|quotes| quotes % 2 == 1) {
        return Err(TableError::OpenQuote { place: Place::row(path, line_at(path, at)).into() });
    }
    Ok(())
}

fn quotes_from(path: &Path, byte: u64) -> io::Result<u64> {
    let mut quotes = 0;
    for byte in bytes_from(path, byte)? {
        quotes += u64::from(byte? == b'"');
    }
    Ok(quotes)
}

fn bytes_from(path: &Path, byte: u64) -> io::Result<impl Iterator<Item = io::Result<u8>>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(byte))?;
    Ok(BufReader::new(file).bytes())
}

/// The first two columns with the same name. Columns without one cannot be asked for, so they may repeat.
fn repeated(columns: &[String]) -> Option<(usize, usize)> {
    let mut seen = Names::new();
    let mut number = Vec::new();
    for (column, name) in columns.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        let position = seen.intern(name);
        match number.get(position) {
            Some(&first) => return Some((first, column)),
            None => number.push(column),
        }
    }
    None
}

fn csv_error(path: &Path, columns: &[String], error: csv::Error) -> TableError {
    let place = |position: &Option<csv::Position>| match position {
        Some(at) => Place::row(path, line_at(path, at)),
        None => Place::file(path),
    };
    match error.kind() {
        csv::ErrorKind::Utf8 { pos, err } => {
            let mut place = place(pos);
            place.column = Some(shown(columns, err.field()));
            TableError::NotUtf8 { place: place.into(), valid: err.valid_up_to(), unit: "cell" }
        }
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            TableError::Ragged { place: place(pos).into(), expected: *expected_len, found: *len }
        }
        _ => TableError::Read(FileError::read(path, io::Error::from(error))),
    }
}

/// The column's name, or its number where it has none.
fn shown(columns: &[String], column: usize) -> String {
    match columns.get(column) {
        Some(name) if !name.is_empty() => name.clone(),
        _ => format!("number {}", column + 1),
    }
}

/// The line of a record. The parser's own count still lacks the line ends between the record before and this one
/// (the `\n` of `\r\n`, blank lines), so they are counted here; only messages need it.
fn line_at(path: &Path, at: &csv::Position) -> u64 {
    at.line() + line_ends_at(path, at.byte()).unwrap_or(0)
}

fn line_ends_at(path: &Path, byte: u64) -> io::Result<u64> {
    let mut ends = 0;
    for byte in bytes_from(path, byte)? {
        match byte? {
            b'\n' => ends += 1,
            b'\r' => {}
            _ => break,
        }
    }
    Ok(ends)
}
