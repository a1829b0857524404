//! What a comparison found: one record a method and fold, summed up in one row a method.

use deferral_core::{GroupId, Label, Outcome, Route};
use deferral_metrics::Spread;
use serde::{Deserialize, Serialize};

use crate::cells::Cells;
use crate::division::Division;
use crate::experiment::{Experiment, Job};
use crate::run::Facts;

/// The result of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The methods, as they were written.
    pub methods: Vec<String>,
    /// The group attribute, if results are shown by one.
    pub group: Option<String>,
    /// Its values.
    pub groups: Vec<String>,
    /// Names of the labels.
    pub labels: Vec<String>,
    /// Names of the experts, of the first repetition.
    pub experts: Vec<String>,
    /// Cases with a gold label, and those left out for having none.
    pub cases: (usize, usize),
    /// Decisions on the former.
    pub decisions: usize,
    /// Whether labels have prices; else each costs 1.
    pub priced: bool,
    /// Repetitions and folds of each.
    pub repetitions: (usize, usize),
    /// Whether every repetition has the same test cases.
    pub same_cases: bool,
    /// The seed.
    pub seed: u64,
    /// What a reader should know about the features.
    pub notes: Vec<String>,
    /// One a method, repetition and fold: by repetition, then fold, then method.
    pub records: Vec<Record>,
}

/// How one method did on the test cases of one fold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Position of the method.
    pub method: usize,
    /// Which repetition.
    pub repetition: usize,
    /// Which fold.
    pub fold: usize,
    /// Test cases, and those decided rightly.
    pub all: Tally,
    /// The same by group.
    pub by_group: Vec<Tally>,
    /// Human labels used.
    pub labels_used: usize,
    /// Their price.
    pub cost: f64,
    /// Cases that nobody was asked about.
    pub alone: usize,
    /// The test cases by what is true and by group.
    pub cells: Cells,
    /// The validation cases likewise, where a division with such cases was given.
    pub validation: Option<Cells>,
    /// How often each expert answered.
    pub load: Vec<u32>,
    /// Case by case: in the first repetition, and in all of them if they were to be kept.
    pub decided: Vec<Decided>,
    /// Whether each case was decided rightly, where that was to be kept.
    #[serde(skip)]
    pub(crate) rights: Vec<bool>,
    /// Expert by expert and then the classifier, in the first repetition only.
    pub experts: Vec<ExpertRecord>,
}

/// How many there were and how many of them were right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Cases.
    pub n: usize,
    /// Decided rightly.
    pub right: usize,
}

impl Tally {
    fn add(&mut self, right: bool) {
        self.n += 1;
        self.right += usize::from(right);
    }

    /// The share that was right, if there were any.
    pub fn share(&self) -> Option<f64> {
        (self.n > 0).then(|| self.right as f64 / self.n as f64)
    }
}

/// One decided case.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// Its position in the data.
    pub case: u32,
    /// Its group, if results are shown by group.
    pub group: Option<GroupId>,
    /// What was right.
    pub truth: Label,
    /// What was decided.
    pub label: Label,
    /// How sure the rule was.
    pub confidence: f64,
    /// Human labels used.
    pub labels_used: u32,
    /// Their price.
    pub cost: f64,
}

/// How much an expert (or the classifier) was trusted, and how good they were.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ExpertRecord {
    /// Mean weight over the test cases.
    pub weight: f64,
    /// Its population standard deviation.
    pub weight_sd: f64,
    /// Test cases that they labelled.
    pub answered: usize,
    /// Rightly.
    pub right: usize,
}

impl Record {
    pub(crate) fn new(method: usize, job: Job, (classes, groups): (usize, usize), experts: usize) -> Self {
        Self {
            method,
            repetition: job.repetition,
            fold: job.fold,
            all: Tally::default(),
            by_group: vec![Tally::default(); groups],
            labels_used: 0,
            cost: 0.0,
            alone: 0,
            cells: Cells::new(classes, groups),
            validation: None,
            load: vec![0; experts],
            decided: Vec::new(),
            rights: Vec::new(),
            experts: Vec::new(),
        }
    }

    pub(crate) fn count(&mut self, outcome: &Outcome, truth: Label, group: Option<GroupId>) {
        let right = outcome.verdict.label == truth;
        let alone = matches!(outcome.route(self.load.len()), Route::Model(_));
        self.cells.count_outcome(outcome, truth, group, self.load.len());
        self.all.add(right);
        if let Some(tally) = group.and_then(|g| self.by_group.get_mut(g.index())) {
            tally.add(right);
        }
        self.labels_used += outcome.labels_used;
        self.cost += outcome.cost;
        self.alone += usize::from(alone);
        for vote in &outcome.votes {
            if let Some(count) = self.load.get_mut(vote.expert.index()) {
                *count += 1;
            }
        }
    }
}

/// A method in the comparison table. Spreads are over repetitions and folds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The method, as it was written.
    pub method: String,
    /// Accuracy; `None` if nothing was decided.
    pub accuracy: Option<Spread>,
    /// Accuracy by group; `None` for a group that never had a test case.
    pub by_group: Vec<Option<Spread>>,
    /// Smallest accuracy of a group.
    pub worst_group: Option<Spread>,
    /// Largest minus smallest accuracy of a group.
    pub disparity: Option<Spread>,
    /// Mean over classes of the largest difference between groups' error rates on a class ([`Cells::disparate_impact`]).
    pub disparate_impact: Option<Spread>,
    /// Human labels used for a case.
    pub labels_per_case: f64,
    /// Their price.
    pub cost_per_case: f64,
    /// Share of cases for which nobody was asked.
    pub alone: f64,
}

impl Comparison {
    pub(crate) fn new(experiment: &Experiment) -> Self {
        let folds = experiment.plan().map_or(0, |jobs| jobs.len() / experiment.repetitions.max(1));
        Self {
            methods: experiment.methods.iter().map(|method| method.name.clone()).collect(),
            group: experiment.group.clone(),
            groups: Vec::new(),
            labels: Vec::new(),
            experts: Vec::new(),
            cases: (0, 0),
            decisions: 0,
            priced: false,
            repetitions: (experiment.repetitions, folds),
            same_cases: experiment.division == Division::Given && !experiment.source.is_drawn_anew(),
            seed: experiment.seed,
            notes: Vec::new(),
            records: Vec::new(),
        }
    }

    /// Takes the facts of the first job; later ones add their notes.
    pub(crate) fn describe(&mut self, facts: &Facts) {
        if self.records.is_empty() {
            self.groups.clone_from(&facts.groups);
            self.labels.clone_from(&facts.labels);
            self.experts.clone_from(&facts.experts);
            self.cases = (facts.cases, facts.unlabelled);
            self.decisions = facts.decisions;
            self.priced = facts.priced;
        }
        for note in &facts.notes {
            if !self.notes.contains(note) {
                self.notes.push(note.clone());
            }
        }
    }

    /// The records of one method, in order.
    pub fn of(&self, method: usize) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.method == method)
    }

    /// One row a method.
    pub fn rows(&self) -> Vec<Row> {
        (0..self.methods.len()).map(|method| self.row(method)).collect()
    }

    fn row(&self, method: usize) -> Row {
        let spread =
            |value: &dyn Fn(&Record) -> Option<f64>| Spread::of(&self.of(method).filter_map(value).collect::<Vec<_>>());
        let shares = |record: &Record| record.by_group.iter().filter_map(Tally::share).collect::<Vec<f64>>();
        let worst = |record: &Record| shares(record).into_iter().reduce(f64::min);
        let best = |record: &Record| shares(record).into_iter().reduce(f64::max);
        let cases: usize = self.of(method).map(|record| record.all.n).sum();
        let per_case = |total: f64| total / cases.max(1) as f64;
        Row {
            method: self.methods[method].clone(),
            accuracy: spread(&|r| r.all.share()),
            by_group: (0..self.groups.len()).map(|g| spread(&|r| r.by_group.get(g)?.share())).collect(),
            worst_group: spread(&worst),
            // With a single group present there is nothing to compare.
            disparity: spread(&|r| (shares(r).len() > 1).then(|| Some(best(r)? - worst(r)?)).flatten()),
            disparate_impact: spread(&|r| (self.groups.len() > 1).then(|| r.cells.disparate_impact())),
            labels_per_case: per_case(self.of(method).map(|r| r.labels_used as f64).sum()),
            cost_per_case: per_case(self.of(method).map(|r| r.cost).sum()),
            alone: per_case(self.of(method).map(|r| r.alone as f64).sum()),
        }
    }
}
