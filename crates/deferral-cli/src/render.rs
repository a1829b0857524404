//! What goes to the terminal.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, presets::NOTHING};
use deferral_eval::Table;
use serde::Serialize;

/// A table for people: text to the left, numbers to the right.
pub(crate) fn table(table: &Table) -> String {
    let mut drawn = comfy_table::Table::new();
    drawn.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    drawn.set_header(&table.header);
    for row in &table.rows {
        drawn.add_row(row);
    }
    for column in drawn.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let text = drawn.to_string();
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Writes text to standard output.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Tells people something beside the output, so that a program which reads that is not disturbed.
pub(crate) fn note(text: &str) {
    // If nobody listens there is nobody to tell.
    let _ = writeln!(io::stderr(), "note: {text}");
}

/// Writes a value as JSON to standard output.
pub(crate) fn print_json(value: &impl Serialize) -> io::Result<()> {
    print(&format!("{}\n", json(value)?))
}

/// A value as indented JSON.
pub(crate) fn json(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(value)?)
}
