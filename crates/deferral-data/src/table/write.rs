//! Writing cases and decisions in the form that the readers take.

use std::io::{self, Write};
use std::path::Path;

use super::cases::CaseTable;
use super::decisions::DecisionTable;
use super::error::TableError;
use super::format::Format;
use super::roles::Role;
use super::sink::{Cell, Sink, write_file};

impl DecisionTable {
    /// Writes the decisions as a long table with the columns task, worker, label, and confidence if anybody said how sure
    /// they were; by task and within a task by worker. The format is that of the extension; the file is written whole or
    /// not at all.
    ///
    /// # Errors
    /// [`TableError::Write`] or [`TableError::UnknownFormat`].
    pub fn write(&self, path: &Path) -> Result<(), TableError> {
        write_file(path, |out, format| self.write_to(out, format))
    }

    /// The same to anywhere.
    ///
    /// # Errors
    /// What writing comes to.
    ///
    /// ```
    /// use deferral_core::{Decisions, Names};
    /// use deferral_data::{DecisionTable, Format};
    /// let decisions = Decisions::from_triples(1, 2, [(0, 0, 1), (0, 1, 0)])?;
    /// let names = |prefix, n| Names::numbered(prefix, n);
    /// let table = DecisionTable::new(decisions, names("t", 1), names("w", 2), names("", 2))?;
    /// let mut csv = Vec::new();
    /// table.write_to(&mut csv, Format::Csv)?;
    /// assert_eq!(String::from_utf8(csv)?, "task,worker,label\nt0,w0,1\nt0,w1,0\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_to(&self, out: &mut dyn Write, format: Format) -> io::Result<()> {
        let confidences = self.decisions.has_confidences().then_some(Role::Confidence);
        let roles = [Role::Task, Role::Worker, Role::Label].into_iter().chain(confidences);
        let columns: Vec<String> = roles.map(|role| role.name().to_owned()).collect();
        let mut sink = Sink::new(out, format, &columns)?;
        for (case, vote) in self.decisions.iter() {
            let cells = [
                Cell::Text(self.tasks.show(case.index())),
                Cell::Text(self.workers.show(vote.expert.index())),
                Cell::Text(self.labels.show(vote.label.index())),
                self.decisions.confidence(case, vote.expert).map_or(Cell::Missing, Cell::Number),
            ];
            sink.row(&cells[..columns.len()])?;
        }
        sink.finish()
    }
}

impl CaseTable {
    /// Writes the cases with the columns task, text, features, groups, label and split, as far as there are any. The
    /// format is that of the extension; the file is written whole or not at all.
    ///
    /// # Errors
    /// [`TableError::Write`], also if two columns would have the same name; [`TableError::UnknownFormat`].
    pub fn write(&self, path: &Path) -> Result<(), TableError> {
        write_file(path, |out, format| self.write_to(out, format))
    }

    /// The same to anywhere.
    ///
    /// # Errors
    /// What writing comes to, or if two columns would have the same name.
    pub fn write_to(&self, out: &mut dyn Write, format: Format) -> io::Result<()> {
        let columns = self.columns();
        let mut sink = Sink::new(out, format, &columns)?;
        let mut cells = Vec::with_capacity(columns.len());
        for case in 0..self.ids.len() {
            cells.clear();
            self.push_cells(case, &mut cells);
            sink.row(&cells)?;
        }
        sink.finish()
    }

    fn columns(&self) -> Vec<String> {
        let mut columns = vec![Role::Task.name().to_owned()];
        columns.extend(self.inputs.text.as_ref().map(|_| Role::Text.name().to_owned()));
        columns.extend(self.inputs.numeric.iter().flat_map(|numeric| numeric.names.iter().cloned()));
        columns.extend(self.groups.iter().map(|group| group.name.clone()));
        columns.extend(self.has_labels().then(|| Role::Label.name().to_owned()));
        columns.extend(self.parts.as_ref().map(|_| Role::Split.name().to_owned()));
        columns
    }

    fn push_cells<'a>(&'a self, case: usize, cells: &mut Vec<Cell<'a>>) {
        cells.push(Cell::Text(self.ids.show(case)));
        cells.extend(self.inputs.text.as_ref().map(|text| text.get(case).map_or(Cell::Missing, |t| Cell::Text(t))));
        if let Some(numeric) = &self.inputs.numeric {
            cells.extend(numeric.values.column(case).iter().map(|&number| Cell::Number(number)));
        }
        for group in &self.groups {
            let value = group.of_case.get(case).and_then(|value| group.values.name(value.index()));
            cells.push(value.map_or(Cell::Missing, Cell::Text));
        }
        if self.has_labels() {
            let label = self.labels.get(case).copied().flatten();
            cells.push(label.map_or(Cell::Missing, |label| Cell::Text(self.label_names.show(label.index()))));
        }
        if let Some(parts) = &self.parts {
            cells.push(parts.get(case).map_or(Cell::Missing, |part| Cell::Text(part.name())));
        }
    }

    fn has_labels(&self) -> bool {
        self.labels.iter().any(Option::is_some)
    }
}
