//! Reading cases: names, inputs, true labels and groups.

use std::path::{Path, PathBuf};

use deferral_core::{Columns, GroupAttribute, GroupId, Label, Names};

use super::error::{Place, TableError};
use super::inputs::{Inputs, Numeric};
use super::labels::Appeared;
use super::layout::{Layout, Missing};
use super::list::push_numbers;
use super::options::ReadOptions;
use super::parts::Part;
use super::report::{DropReason, MISSING_GROUP, ReadReport};
use super::roles::Role;
use super::roster::Roster;
use super::source::Source;

/// Cases as they stand in a file, before features are computed.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseTable {
    /// The names of the n cases.
    pub ids: Names,
    /// What is known about each.
    pub inputs: Inputs,
    /// The true labels, `None` where they are not known.
    pub labels: Vec<Option<Label>>,
    /// The names of the labels: sorted as numbers if all are integers, else as text.
    pub label_names: Names,
    /// The group attributes, their values in order of first appearance.
    pub groups: Vec<GroupAttribute>,
    /// Which part of a given division each case is in, if the table says.
    pub parts: Option<Vec<Part>>,
    /// What reading came to.
    pub report: ReadReport,
    pub(crate) origin: Option<PathBuf>,
}

impl CaseTable {
    /// Cases that were not read from a file, without labels, groups and parts; set those afterwards.
    ///
    /// # Errors
    /// [`TableError::Length`] if there are not as many names as inputs.
    pub fn new(ids: Names, inputs: Inputs) -> Result<Self, TableError> {
        let n = ids.len();
        if !inputs.is_none() && inputs.n() != n {
            return Err(TableError::Length { what: "inputs", found: inputs.n(), expected: n });
        }
        let report = ReadReport::default();
        let (labels, label_names, groups) = (vec![None; n], Names::new(), Vec::new());
        Ok(Self { ids, inputs, labels, label_names, groups, parts: None, report, origin: None })
    }
}

/// Reads a table of cases.
///
/// All columns are optional: task (else cases are called by row number, `1`, `2` and so on), text, label, group
/// columns, features ([`ReadOptions::features`]) one list-valued feature, whose entries follow the single features
/// and are called `NAME[0]`, `NAME[1]` and so on, and the [`Part`] of a given division. Rows whose task is missing are
/// dropped and counted; a missing label is unknown; a missing text is empty; a missing group is the value
/// [`MISSING_GROUP`]; a missing feature or part is an error.
///
/// O(cells); only what is kept is held in memory.
///
/// # Errors
/// [`TableError`] names file, row and column.
///
/// ```
/// use deferral_data::{FeatureColumns, ReadOptions, read_cases};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("cases.csv");
/// std::fs::write(&path, "task,age,priors,label,group\nt1,31,0,1,a\nt2,44,2,,b\n")?;
/// let cases = read_cases(&path, &ReadOptions { features: FeatureColumns::All, ..ReadOptions::default() })?;
/// assert_eq!(cases.inputs.numeric.unwrap().values.column(1), [44.0, 2.0]);
/// assert_eq!(cases.labels[1], None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_cases(path: &Path, options: &ReadOptions) -> Result<CaseTable, TableError> {
    let mut source = Source::open(path, options.format)?;
    let (wanted, unused_columns) = Wanted::of(&Layout::new(&source, options))?;
    let mut found = Found::new(&source, &wanted, options);
    found.report.unused_columns = unused_columns;
    while source.advance()? {
        found.push(&source, &wanted)?;
    }
    found.report.rows = source.rows_read();
    found.finish(&source, &wanted, options)
}

/// The columns that are read.
struct Wanted {
    task: Option<usize>,
    label: Option<usize>,
    text: Option<usize>,
    groups: Vec<usize>,
    features: Vec<usize>,
    list: Option<usize>,
    split: Option<usize>,
}

impl Wanted {
    /// The columns with a role, and the names of those without one.
    fn of(layout: &Layout<'_>) -> Result<(Self, Vec<String>), TableError> {
        let (task, label) = (layout.optional(Role::Task)?, layout.optional(Role::Label)?);
        let (text, list) = (layout.optional(Role::Text)?, layout.optional(Role::List)?);
        let (groups, split) = (layout.several(Role::Group)?, layout.optional(Role::Split)?);
        let mut used = layout.experts()?;
        used.extend([task, label, text, list, split].into_iter().flatten().chain(groups.iter().copied()));
        let features = layout.features(&used)?;
        used.extend(&features);
        Ok((Self { task, label, text, groups, features, list, split }, layout.unused(&used)))
    }

    fn has_numbers(&self) -> bool {
        !self.features.is_empty() || self.list.is_some()
    }
}

/// What has been read so far.
struct Found {
    missing: Missing,
    ids: Roster,
    text: Vec<String>,
    numbers: Vec<f64>,
    /// Entries of the list column in each row.
    list_length: Option<usize>,
    labels: Vec<Option<Label>>,
    label_names: Appeared,
    groups: Vec<GroupAttribute>,
    parts: Option<Vec<Part>>,
    report: ReadReport,
}

impl Found {
    fn new(source: &Source, wanted: &Wanted, options: &ReadOptions) -> Self {
        let attribute = |&column: &usize| GroupAttribute {
            name: source.columns()[column].clone(),
            values: Names::new(),
            of_case: Vec::new(),
        };
        Self {
            missing: Missing::new(&options.missing),
            ids: Roster::new("cases", Names::new()),
            text: Vec::new(),
            numbers: Vec::new(),
            list_length: None,
            labels: Vec::new(),
            label_names: Appeared::default(),
            groups: wanted.groups.iter().map(attribute).collect(),
            parts: wanted.split.map(|_| Vec::new()),
            report: ReadReport::of(source.path()),
        }
    }

    fn push(&mut self, source: &Source, wanted: &Wanted) -> Result<(), TableError> {
        if !self.push_id(source, wanted)? {
            self.report.drop_row(DropReason::NoTask);
            return Ok(());
        }
        if let Some(column) = wanted.text {
            let text = source.raw(column).unwrap_or_default();
            self.report.cases_without_text += usize::from(text.is_empty());
            self.text.push(text.to_owned());
        }
        self.push_label(source, wanted)?;
        self.push_groups(source, wanted);
        for &column in &wanted.features {
            self.push_feature(source, column)?;
        }
        if let Some(column) = wanted.list {
            self.push_list(source, column)?;
        }
        if let (Some(column), Some(parts)) = (wanted.split, &mut self.parts) {
            parts.push(Part::of_row(source, column)?);
        }
        self.report.kept += 1;
        Ok(())
    }

    /// False if the row has no name.
    fn push_id(&mut self, source: &Source, wanted: &Wanted) -> Result<bool, TableError> {
        let n = self.ids.len();
        let position = match wanted.task {
            None => self.ids.intern(&source.rows_read().to_string(), source)?,
            Some(column) => match self.missing.cell(source.raw(column)) {
                None => return Ok(false),
                Some(name) => self.ids.intern(name, source)?,
            },
        };
        if position == n {
            return Ok(true);
        }
        let task = self.ids.names().show(position).to_owned();
        Err(self.duplicate(source, wanted.task, task))
    }

    /// Reads the file again up to the first row with the same name.
    fn duplicate(&self, source: &Source, task: Option<usize>, name: String) -> TableError {
        let first = || -> Option<u64> {
            let mut again = source.again().ok()?;
            while again.advance().ok()? {
                if self.missing.cell(again.raw(task?)) == Some(&name) {
                    return Some(again.line());
                }
            }
            None
        };
        let mut place = task.map_or_else(|| source.row_place(), |column| source.place(column));
        let second = place.row;
        place.row = first().or(second);
        TableError::DuplicateCase { place: place.into(), second, task: name }
    }

    fn push_label(&mut self, source: &Source, wanted: &Wanted) -> Result<(), TableError> {
        let cell = wanted.label.and_then(|column| self.missing.cell(source.raw(column)));
        let label = cell.map(|name| self.label_names.intern(name, source)).transpose()?;
        self.report.cases_without_label += usize::from(label.is_none());
        self.labels.push(label);
        Ok(())
    }

    fn push_groups(&mut self, source: &Source, wanted: &Wanted) {
        for (attribute, &column) in self.groups.iter_mut().zip(&wanted.groups) {
            let value = self.missing.cell(source.raw(column));
            self.report.groups_missing += usize::from(value.is_none());
            let group = attribute.values.intern(value.unwrap_or(MISSING_GROUP));
            attribute.of_case.push(GroupId::at(group));
        }
    }

    fn push_feature(&mut self, source: &Source, column: usize) -> Result<(), TableError> {
        let cell = self.missing.cell(source.raw(column));
        let cell = cell.ok_or_else(|| TableError::MissingFeature { place: source.place(column).into() })?;
        let number: f64 = cell
            .parse()
            .map_err(|_| TableError::NotANumber { place: source.place(column).into(), value: cell.to_owned() })?;
        if !number.is_finite() {
            return Err(TableError::NotFinite { place: source.place(column).into(), value: cell.to_owned() });
        }
        self.numbers.push(number);
        Ok(())
    }

    fn push_list(&mut self, source: &Source, column: usize) -> Result<(), TableError> {
        let cell = self.missing.cell(source.raw(column));
        let cell = cell.ok_or_else(|| TableError::MissingFeature { place: source.place(column).into() })?;
        let start = self.numbers.len();
        push_numbers(cell, &mut self.numbers)
            .map_err(|value| TableError::NotANumber { place: source.place(column).into(), value })?;
        if let Some(value) = self.numbers[start..].iter().find(|value| !value.is_finite()) {
            return Err(TableError::NotFinite { place: source.place(column).into(), value: value.to_string() });
        }
        let found = self.numbers.len() - start;
        let expected = *self.list_length.get_or_insert(found);
        if found != expected {
            return Err(TableError::ListLength { place: source.place(column).into(), expected, found });
        }
        Ok(())
    }

    fn finish(self, source: &Source, wanted: &Wanted, options: &ReadOptions) -> Result<CaseTable, TableError> {
        let (label_names, to) = self.label_names.finish(&options.label_map);
        let labels = self.labels.iter().map(|label| label.and_then(|l| to.get(l.index()).copied())).collect();
        let name = |column: usize| source.columns()[column].clone();
        let mut names: Vec<String> = wanted.features.iter().map(|&column| name(column)).collect();
        if let (Some(column), Some(length)) = (wanted.list, self.list_length) {
            names.extend((0..length).map(|entry| format!("{}[{entry}]", name(column))));
        }
        // An empty list in every row is no input.
        let numeric = (wanted.has_numbers() && !names.is_empty())
            .then(|| Numeric { values: Columns::from_values(names.len(), self.numbers), names });
        let inputs = Inputs::new(self.ids.len(), wanted.text.map(|_| self.text), numeric)?;
        let (ids, groups, parts, report) = (self.ids.into_names(), self.groups, self.parts, self.report);
        Ok(CaseTable {
            ids,
            inputs,
            labels,
            label_names,
            groups,
            parts,
            report,
            origin: Some(source.path().to_owned()),
        })
    }
}

impl CaseTable {
    /// The file, for a message.
    pub(crate) fn shown_origin(&self) -> String {
        self.origin.as_deref().map_or_else(|| "the cases".to_owned(), |path| path.display().to_string())
    }

    /// The file as a place.
    pub(crate) fn place(&self) -> Place {
        Place::file(self.origin.as_deref().unwrap_or(Path::new("the cases")))
    }
}
