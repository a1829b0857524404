//! Cases and decisions joined: everything about the cases before features are computed.

use std::path::Path;

use deferral_core::{
    CaseId, Cases, Dataset, Decisions, DecisionsBuilder, DecisionsError, ExpertId, Features, GroupAttribute, Label,
    Names,
};
use serde::{Deserialize, Serialize};

use super::cases::{CaseTable, read_cases};
use super::decisions::{DecisionTable, read_decisions};
use super::error::{Place, TableError};
use super::inputs::{Inputs, Numeric};
use super::labels;
use super::options::ReadOptions;
use super::parts::Part;
use super::report::JoinReport;

/// n cases with the decisions of m experts on them.
///
/// ```
/// use deferral_core::Features;
/// use deferral_data::{ReadOptions, Records, Role};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("both.csv");
/// std::fs::write(&path, "post,truth,Expert 1,Expert 2\nhello,0,0,-\nwell,1,-,1\n")?;
/// let options = ReadOptions::default().column(Role::Text, "post").column(Role::Label, "truth").wide("Expert *", ["-"]);
/// let records = Records::from_wide(&path, &options)?;
/// assert_eq!((records.n(), records.experts.len(), records.decisions.len()), (2, 2, 2));
/// let data = records.dataset(Features::none(2))?;
/// assert_eq!((data.n(), data.m(), data.k()), (2, 2, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Records {
    /// The names of the cases.
    pub ids: Names,
    /// What is known about each.
    pub inputs: Inputs,
    /// The true labels, `None` where they are not known.
    pub labels: Vec<Option<Label>>,
    /// The names of all labels, of the truth and of the decisions, sorted.
    pub label_names: Names,
    /// The group attributes.
    pub groups: Vec<GroupAttribute>,
    /// The decisions: cases x experts.
    pub decisions: Decisions,
    /// The names of the experts.
    pub experts: Names,
    /// The price of a label of each expert, m numbers from 0 on; 1 each where no prices are known.
    pub prices: Option<Vec<f64>>,
    /// Which part of a given division each case is in, if the cases come divided.
    pub parts: Option<Vec<Part>>,
    /// What only the experts see of the cases, if that is known: numbers that no feature is made from.
    pub unseen: Option<Numeric>,
    /// What reading and joining came to.
    pub report: JoinReport,
}

/// What to do with decisions on tasks that the case table does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownTask {
    /// It is an error.
    #[default]
    Refuse,
    /// They are dropped and counted.
    Drop,
}

/// Joins cases and decisions by the name of the task; cases keep their order, experts theirs, and both their labels
/// get the numbers of the united, sorted names. 22 bytes a decision at the peak; O(n + decisions).
///
/// # Errors
/// [`TableError::UnknownTask`] unless unknown tasks are dropped; [`TableError::TooMany`] if there are more than 2^16
/// labels together.
pub fn join(cases: CaseTable, decisions: DecisionTable, unknown: UnknownTask) -> Result<Records, TableError> {
    let (label_names, of_truth, of_decisions) = labels::unite(&cases.label_names, &decisions.labels);
    if label_names.len() as u64 > labels::LIMIT {
        return Err(TableError::TooMany {
            place: cases.place().into(),
            what: "different labels",
            limit: labels::LIMIT,
        });
    }
    let to_case: Vec<Option<CaseId>> =
        decisions.tasks.iter().map(|task| cases.ids.position(task).map(CaseId::at)).collect();
    let lost: Vec<usize> = (0..to_case.len())
        .filter(|&task| to_case[task].is_none() && !decisions.decisions.of_case(CaseId::at(task)).is_empty())
        .collect();
    if let (Some(&task), UnknownTask::Refuse) = (lost.first(), unknown) {
        return Err(refused(&cases, &decisions, task));
    }
    let decided = decisions.decisions.len();
    let placed = place_decisions(decisions.decisions, &to_case, &of_decisions, cases.ids.len())?;
    let relabelled = |label: Label| of_truth.get(label.index()).copied();
    let report = JoinReport {
        cases: cases.report,
        decisions: decisions.report,
        unknown_tasks: lost.len(),
        decisions_on_unknown_tasks: decided - placed.len(),
        cases_without_decisions: (0..placed.cases()).filter(|&c| placed.of_case(CaseId::at(c)).is_empty()).count(),
    };
    Ok(Records {
        ids: cases.ids,
        inputs: cases.inputs,
        labels: cases.labels.into_iter().map(|label| label.and_then(relabelled)).collect(),
        label_names,
        groups: cases.groups,
        decisions: placed,
        experts: decisions.workers,
        prices: None,
        parts: cases.parts,
        unseen: None,
        report,
    })
}

/// The decisions on cases that are known, with the cases' positions and the labels' new numbers.
fn place_decisions(
    decisions: Decisions,
    to_case: &[Option<CaseId>],
    to_label: &[Label],
    n: usize,
) -> Result<Decisions, DecisionsError> {
    let experts = decisions.experts();
    let mut builder = DecisionsBuilder::new();
    for (task, vote) in decisions.iter() {
        let label = to_label.get(vote.label.index()).copied().unwrap_or(vote.label);
        if let Some(&Some(case)) = to_case.get(task.index()) {
            builder.push(case, vote.expert, label);
        }
    }
    if decisions.has_confidences() {
        let mut task_of = vec![None; n];
        for (task, case) in to_case.iter().enumerate() {
            if let Some(slot) = case.and_then(|case| task_of.get_mut(case.index())) {
                *slot = Some(CaseId::at(task));
            }
        }
        let said = |case: CaseId, expert| decisions.confidence(task_of[case.index()]?, expert);
        return Ok(builder.build(n, experts)?.with_confidences(said));
    }
    // Building takes memory of its own.
    drop(decisions);
    builder.build(n, experts)
}

fn refused(cases: &CaseTable, decisions: &DecisionTable, task: usize) -> TableError {
    let task = decisions.tasks.show(task).to_owned();
    let place = match &decisions.origin {
        Some(origin) => origin.place_of_task(&task),
        None => Place::file(Path::new("the decisions")),
    };
    TableError::UnknownTask { place: place.into(), task, cases: cases.shown_origin() }
}

impl Records {
    /// Reads one wide file that holds cases and decisions, such as one row a post with its text, its true label and one
    /// column an expert. The file is read twice.
    ///
    /// # Errors
    /// As [`read_cases`] and [`read_decisions`]; [`TableError::NotWide`] if the options do not say which columns are
    /// experts.
    pub fn from_wide(path: &Path, options: &ReadOptions) -> Result<Self, TableError> {
        if options.wide.is_none() {
            return Err(TableError::NotWide { place: Place::file(path).into() });
        }
        join(read_cases(path, options)?, read_decisions(path, options)?, UnknownTask::Refuse)
    }

    /// Cases about which nobody has decided anything yet: no experts.
    ///
    /// # Errors
    /// If there are more labels than a table can hold.
    pub fn without_decisions(cases: CaseTable) -> Result<Self, TableError> {
        let (tasks, labels) = (cases.ids.clone(), cases.label_names.clone());
        let nothing = DecisionTable::new(Decisions::none(tasks.len(), 0), tasks, Names::new(), labels)?;
        join(cases, nothing, UnknownTask::Refuse)
    }

    /// Tasks of which nothing is known but who decided what.
    ///
    /// # Errors
    /// If there are more labels than a table can hold.
    pub fn of_decisions(decisions: DecisionTable) -> Result<Self, TableError> {
        let cases = CaseTable::new(decisions.tasks.clone(), Inputs::default())?;
        join(cases, decisions, UnknownTask::Refuse)
    }

    /// The same records with the prices of a list such as [`read_prices`](super::read_prices) gives; experts who are
    /// not in it cost 1 a label.
    #[must_use]
    pub fn with_prices(mut self, listed: &[(String, f64)]) -> Self {
        let price = |name: &str| listed.iter().find(|(worker, _)| worker == name).map_or(1.0, |(_, price)| *price);
        self.prices = Some(self.experts.iter().map(price).collect());
        self
    }

    /// The same records with one more expert, who gave every case a probability of the second of two labels: they decide
    /// for it above one half, and were as sure as they said. O(decisions).
    ///
    /// # Errors
    /// [`TableError::Length`] if there is not one probability in [0, 1] for each case.
    pub fn with_decision_maker(mut self, name: &str, of_one: &[f64]) -> Result<Self, TableError> {
        let fits = of_one.iter().filter(|q| (0.0..=1.0).contains(*q)).count();
        if of_one.len() != self.n() || fits != self.n() {
            return Err(TableError::Length {
                what: "probabilities of a decision-maker",
                found: fits,
                expected: self.n(),
            });
        }
        let (before, expert) = (self.decisions, self.experts.intern(name));
        let mut builder = DecisionsBuilder::new();
        for (case, vote) in before.iter().filter(|(_, vote)| vote.expert.index() != expert) {
            builder.push(case, vote.expert, vote.label);
        }
        for (case, &q) in of_one.iter().enumerate() {
            builder.push(CaseId::at(case), ExpertId::at(expert), Label(u16::from(q > 0.5)));
        }
        let built = builder.build(of_one.len(), self.experts.len())?;
        self.decisions = built.with_confidences(|case, who| {
            let q = of_one[case.index()];
            if who.index() == expert { Some(q.max(1.0 - q)) } else { before.confidence(case, who) }
        });
        if let Some(prices) = &mut self.prices {
            prices.resize(self.experts.len(), 1.0);
        }
        Ok(self)
    }

    /// The cases of a part of the given division, in order; none if the cases do not come divided.
    pub fn part(&self, wanted: Part) -> Vec<usize> {
        let parts = self.parts.iter().flatten().enumerate();
        parts.filter(|(_, part)| **part == wanted).map(|(case, _)| case).collect()
    }

    /// Number of cases.
    pub fn n(&self) -> usize {
        self.ids.len()
    }

    /// The records of the cases at the given positions, in that order; a position may not repeat. Experts, labels and
    /// the report stay as they are.
    ///
    /// # Panics
    /// If a position is not below [`Records::n`].
    #[must_use]
    pub fn select(&self, cases: &[usize]) -> Self {
        Self {
            ids: self.ids.select(cases),
            inputs: self.inputs.select(cases),
            labels: cases.iter().map(|&case| self.labels[case]).collect(),
            label_names: self.label_names.clone(),
            groups: self.groups.iter().map(|group| group.select(cases)).collect(),
            decisions: self.decisions.select_cases(cases),
            experts: self.experts.clone(),
            prices: self.prices.clone(),
            parts: self.parts.as_ref().map(|parts| cases.iter().map(|&case| parts[case]).collect()),
            unseen: self.unseen.as_ref().map(|unseen| unseen.select(cases)),
            report: self.report.clone(),
        }
    }

    /// The data set of these cases with features computed from their inputs. Features of no case and no dimension,
    /// which is what cases without inputs give, stand for knowing nothing about any number of cases.
    ///
    /// # Errors
    /// [`TableError::Cases`] or [`TableError::Dataset`] if the features are not for as many cases.
    pub fn dataset(&self, features: Features) -> Result<Dataset, TableError> {
        let known = features.n() > 0 || features.dim() > 0;
        let features = if known { features } else { Features::none(self.n()) };
        let mut cases = Cases::new(self.ids.clone(), features)?.with_labels(self.labels.clone())?;
        for group in &self.groups {
            cases = cases.with_group(group.clone())?;
        }
        Ok(Dataset::new(cases, self.decisions.clone(), self.label_names.clone(), self.experts.clone())?)
    }

    /// The two tables that these records join, to write them: what is unseen and the prices are in neither.
    ///
    /// # Errors
    /// [`TableError::Length`] if the parts were changed so that they do not fit.
    pub fn into_tables(self) -> Result<(CaseTable, DecisionTable), TableError> {
        let decisions = DecisionTable::new(self.decisions, self.ids.clone(), self.experts, self.label_names.clone())?;
        let mut cases = CaseTable::new(self.ids, self.inputs)?;
        (cases.labels, cases.label_names, cases.groups) = (self.labels, self.label_names, self.groups);
        cases.parts = self.parts;
        Ok((cases, decisions))
    }
}
