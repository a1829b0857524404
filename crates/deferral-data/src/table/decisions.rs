//! Reading decisions: one row a decision (long) or one column an expert (wide), as a stream.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use deferral_core::{CaseId, Decisions, DecisionsBuilder, DecisionsError, ExpertId, Names};

use super::confidence::Said;
use super::error::{Place, TableError};
use super::labels::Appeared;
use super::layout::{Layout, Missing};
use super::options::ReadOptions;
use super::report::{DropReason, ReadReport};
use super::roles::Role;
use super::roster::Roster;
use super::source::Source;

/// Who decided what, with names.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionTable {
    /// The decisions: tasks x workers.
    pub decisions: Decisions,
    /// The names of the tasks, in order of first appearance.
    pub tasks: Names,
    /// The names of the workers: in order of first appearance, for a wide table in column order.
    pub workers: Names,
    /// The names of the labels: sorted as numbers if all are integers, else as text.
    pub labels: Names,
    /// What reading came to.
    pub report: ReadReport,
    pub(crate) origin: Option<Origin>,
}

/// Where a table came from, to look rows up again for a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Origin {
    path: PathBuf,
    options: ReadOptions,
}

impl DecisionTable {
    /// A table that was not read from a file. O(1).
    ///
    /// # Errors
    /// [`TableError::Length`] if there is not a name for each task, worker and label of the decisions.
    pub fn new(decisions: Decisions, tasks: Names, workers: Names, labels: Names) -> Result<Self, TableError> {
        let used = decisions.max_label().map_or(0, |label| label.index() + 1);
        for (what, found, expected) in [
            ("task names", tasks.len(), decisions.cases()),
            ("worker names", workers.len(), decisions.experts()),
            ("label names", labels.len().min(used), used),
        ] {
            if found != expected {
                return Err(TableError::Length { what, found, expected });
            }
        }
        let report = ReadReport::default();
        Ok(Self { decisions, tasks, workers, labels, report, origin: None })
    }
}

/// Reads a table of decisions.
///
/// Long: columns task, worker, label, and confidence if it is there (a probability, empty where the worker did not say);
/// rows in which one of the first three is missing are dropped and counted. Wide
/// ([`ReadOptions::wide`]): one column an expert; without a task column the tasks are called by row number, `1`, `2`
/// and so on; an expert column without a label stays in the roster. Other columns are not read.
///
/// The file is streamed: 10 bytes a decision while reading, 16 at the peak, 12 in the end, plus the names; for a
/// confidence 16 bytes more each while reading and in the end.
/// O(rows), for a wide table O(cells).
///
/// # Errors
/// [`TableError`] names file, row and column.
///
/// ```
/// use deferral_data::{ReadOptions, read_decisions};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("labels.csv");
/// std::fs::write(&path, "task,worker,label\nt1,ann,1\nt1,bob,0\nt2,ann,1\n")?;
/// let table = read_decisions(&path, &ReadOptions::default())?;
/// assert_eq!((table.decisions.len(), table.tasks.len(), table.workers.len()), (3, 2, 2));
/// assert_eq!(table.labels.iter().collect::<Vec<_>>(), ["0", "1"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_decisions(path: &Path, options: &ReadOptions) -> Result<DecisionTable, TableError> {
    let mut scan = Scan::open(path, options)?;
    let mut report = ReadReport::of(path);
    report.unused_columns = scan.unused_columns(options);
    let mut tasks = Roster::new("tasks", Names::new());
    let mut workers = Roster::new("workers", scan.roster());
    let mut labels = Appeared::default();
    let mut builder = DecisionsBuilder::new();
    let mut said = Said::default();
    while scan.advance()? {
        let task = match scan.task() {
            Ok(task) => CaseId::at(tasks.intern(task, &scan.source)?),
            Err(reason) => {
                report.drop_row(reason);
                continue;
            }
        };
        for vote in scan.votes() {
            let worker = match vote.worker {
                Worker::Column(position) => position,
                Worker::Named(name) => workers.intern(name, &scan.source)?,
            };
            let worker = ExpertId::at(worker);
            builder.push(task, worker, labels.intern(vote.label, &scan.source)?);
            if let Some(column) = scan.confidence {
                said.push(task, worker, &scan.source, column, &scan.missing)?;
            }
        }
        report.kept += 1;
    }
    report.rows = scan.source.rows_read();
    let (tasks, workers) = (tasks.into_names(), workers.into_names());
    let (labels, to) = labels.finish(&options.label_map);
    builder.relabel(&to);
    let origin = Origin { path: path.to_owned(), options: options.clone() };
    let decisions = builder.build(tasks.len(), workers.len()).map_err(|e| origin.explain(e, &tasks, &workers))?;
    let decisions = said.about(decisions);
    report.decisions = decisions.len();
    report.experts = workers.len();
    report.experts_without_decisions =
        (0..workers.len()).filter(|&worker| decisions.of_expert(ExpertId::at(worker)).is_empty()).count();
    Ok(DecisionTable { decisions, tasks, workers, labels, report, origin: Some(origin) })
}

/// The rows of a table of decisions, long or wide.
struct Scan {
    source: Source,
    missing: Missing,
    missing_label: Missing,
    /// `None`: tasks are called by row number.
    task: Option<usize>,
    /// `None`: each label column is a worker.
    worker: Option<usize>,
    labels: Vec<usize>,
    /// Of a long table.
    confidence: Option<usize>,
    number: String,
}

/// One decision of the current row.
struct Vote<'a> {
    worker: Worker<'a>,
    label: &'a str,
    column: usize,
}

enum Worker<'a> {
    Named(&'a str),
    Column(usize),
}

impl Scan {
    fn open(path: &Path, options: &ReadOptions) -> Result<Self, TableError> {
        let source = Source::open(path, options.format)?;
        let layout = Layout::new(&source, options);
        let (task, worker, labels, confidence) = if options.wide.is_some() {
            (layout.optional(Role::Task)?, None, layout.required_experts()?, None)
        } else {
            // Not kept, but a column named for them should exist.
            for role in [Role::Timestamp, Role::Seconds] {
                layout.optional(role)?;
            }
            let (task, worker) = (layout.required(Role::Task)?, layout.required(Role::Worker)?);
            (Some(task), Some(worker), vec![layout.required(Role::Label)?], layout.optional(Role::Confidence)?)
        };
        let missing = Missing::new(&options.missing);
        let of_wide = options.wide.iter().flat_map(|wide| &wide.missing);
        let missing_label = Missing::new(options.missing.iter().chain(of_wide));
        Ok(Self { source, missing, missing_label, task, worker, labels, confidence, number: String::new() })
    }

    /// The experts of a wide table; none yet for a long one.
    fn roster(&self) -> Names {
        match self.worker {
            Some(_) => Names::new(),
            None => self.labels.iter().map(|&column| self.source.columns()[column].as_str()).collect(),
        }
    }

    fn unused_columns(&self, options: &ReadOptions) -> Vec<String> {
        let others = [self.task, self.worker, self.confidence];
        let used: Vec<usize> = self.labels.iter().copied().chain(others.into_iter().flatten()).collect();
        Layout::new(&self.source, options).unused(&used)
    }

    fn advance(&mut self) -> Result<bool, TableError> {
        let more = self.source.advance()?;
        if self.task.is_none() {
            self.number.clear();
            // Writing to a string cannot fail.
            let _ = write!(self.number, "{}", self.source.rows_read());
        }
        Ok(more)
    }

    fn cell(&self, column: usize) -> Option<&str> {
        self.missing.cell(self.source.raw(column))
    }

    fn label(&self, column: usize) -> Option<&str> {
        self.missing_label.cell(self.source.raw(column))
    }

    /// The task of the current row, or why the row is dropped.
    fn task(&self) -> Result<&str, DropReason> {
        let task = match self.task {
            Some(column) => self.cell(column).ok_or(DropReason::NoTask)?,
            None => &self.number,
        };
        if let Some(worker) = self.worker {
            self.cell(worker).ok_or(DropReason::NoWorker)?;
            self.labels.first().and_then(|&column| self.label(column)).ok_or(DropReason::NoLabel)?;
        }
        Ok(task)
    }

    fn votes(&self) -> impl Iterator<Item = Vote<'_>> {
        self.labels.iter().enumerate().filter_map(|(position, &column)| {
            let label = self.label(column)?;
            let worker = match self.worker {
                Some(worker) => Worker::Named(self.cell(worker)?),
                None => Worker::Column(position),
            };
            Some(Vote { worker, label, column })
        })
    }
}

impl Origin {
    /// The error of the builder with the rows and names that it does not know.
    fn explain(&self, error: DecisionsError, tasks: &Names, workers: &Names) -> TableError {
        let DecisionsError::Duplicate { case, expert, first, second } = error else {
            return TableError::Decisions(error);
        };
        let place = self.find(|at, _| at == first).unwrap_or_else(|| Place::file(&self.path));
        let second = self.find(|at, _| at == second).and_then(|place| place.row);
        let (task, worker) = (tasks.show(case.index()).to_owned(), workers.show(expert.index()).to_owned());
        TableError::DuplicateDecision { place: place.into(), second, task, worker }
    }

    /// Where the first decision on `task` stands.
    pub(crate) fn place_of_task(&self, task: &str) -> Place {
        self.find(|_, name| name == task).unwrap_or_else(|| Place::file(&self.path))
    }

    /// Reads the file again up to the first decision that is wanted: (position, task). `None` if the file can no
    /// longer be read as before.
    fn find(&self, wanted: impl Fn(usize, &str) -> bool) -> Option<Place> {
        let mut scan = Scan::open(&self.path, &self.options).ok()?;
        let mut position = 0;
        while scan.advance().ok()? {
            let Ok(task) = scan.task() else { continue };
            for vote in scan.votes() {
                if wanted(position, task) {
                    return Some(scan.source.place(vote.column));
                }
                position += 1;
            }
        }
        None
    }
}
