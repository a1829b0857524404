//! The two steps that all models of worker confusion share: what is believed of the tasks given the workers, and how
//! often each worker gave each vote under each truth given the tasks. Both cost O(votes x K), whatever tasks x workers.

use deferral_core::{Ballots, CaseId, Columns, GroupId, Label, ParameterError};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// When an iterative aggregator stops.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Iterations {
    /// Iterations at most.
    pub limit: usize,
    /// Converged when an iteration gains at most this much of the objective for each vote.
    pub tolerance: f64,
}

impl Default for Iterations {
    /// 100 iterations, a gain of 1e-5 a vote.
    fn default() -> Self {
        Self { limit: 100, tolerance: 1e-5 }
    }
}

impl Iterations {
    /// Passes limits that make sense.
    ///
    /// # Errors
    /// If the limit is 0 or the tolerance is negative or not a number.
    pub fn check(&self) -> Result<(), ParameterError> {
        ParameterError::check(self.limit > 0, "the limit of iterations", self.limit, "1 or more")?;
        let ok = self.tolerance >= 0.0;
        ParameterError::check(ok, "the tolerance", self.tolerance, "0 or more")
    }
}

/// Smallest probability of any vote, so that no logarithm is infinite.
pub(crate) const FLOOR: f64 = 1e-10;

/// Tasks that one thread works through at a time. The number of chunks depends on the data alone, and so do all sums.
const CHUNK: usize = 4096;

/// Shares of the votes of each task; the truth where it is known; uniform where there is neither.
pub(crate) fn vote_shares(ballots: &Ballots<'_>) -> Columns {
    let classes = ballots.classes();
    let mut shares = Columns::zeros(classes, ballots.n());
    for task in 0..ballots.n() {
        let column = shares.column_mut(task);
        if let Some(label) = ballots.gold_of(task) {
            column[label.index()] = 1.0;
            continue;
        }
        let votes = ballots.decisions().of_case(CaseId::at(task)).labels;
        for label in votes {
            column[label.index()] += 1.0;
        }
        match votes.len() {
            0 => column.fill(1.0 / classes as f64),
            n => column.iter_mut().for_each(|share| *share /= n as f64),
        }
    }
    shares
}

/// Whether anything is known of a task: a vote or its truth.
pub(crate) fn is_known(ballots: &Ballots<'_>, task: usize) -> bool {
    ballots.gold_of(task).is_some() || !ballots.decisions().of_case(CaseId::at(task)).is_empty()
}

/// The mean of the columns of the tasks of which anything is known.
pub(crate) fn class_shares(ballots: &Ballots<'_>, posterior: &Columns) -> Vec<f64> {
    let mut shares = vec![0.0; ballots.classes()];
    let mut known = 0usize;
    for (task, column) in posterior.iter().enumerate() {
        if is_known(ballots, task) {
            known += 1;
            shares.iter_mut().zip(column).for_each(|(share, p)| *share += p);
        }
    }
    for share in &mut shares {
        *share /= known.max(1) as f64;
    }
    shares
}

/// What is believed of tasks before their votes are read: the log of each class's probability.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LogPrior<'a> {
    /// The same for every task.
    Same(&'a [f64]),
    /// K numbers a task.
    ByTask(&'a Columns),
}

impl LogPrior<'_> {
    fn of(&self, task: usize) -> &[f64] {
        match self {
            Self::Same(prior) => prior,
            Self::ByTask(columns) => columns.column(task),
        }
    }
}

/// For every worker and vote K numbers, one a truth, in the order of [`Confusions`](deferral_core::Confusions); one
/// such table for all tasks, or one for each group of them.
#[derive(Debug, Clone)]
pub(crate) struct Tables<'a> {
    pub(crate) of_group: Vec<Vec<f64>>,
    pub(crate) group_of: Option<&'a [GroupId]>,
}

impl<'a> Tables<'a> {
    /// Tables of zeros.
    pub(crate) fn zeros(ballots: &Ballots<'_>, groups: usize, group_of: Option<&'a [GroupId]>) -> Self {
        let entries = ballots.m() * ballots.classes() * ballots.classes();
        Self { of_group: vec![vec![0.0; entries]; groups], group_of }
    }

    fn place(&self, task: usize) -> usize {
        self.group_of.map_or(0, |groups| groups[task].index())
    }
}

/// The E-step: writes what is believed of each task, and returns the log-likelihood of the votes (and known truths).
pub(crate) fn expect(
    ballots: &Ballots<'_>,
    prior: LogPrior<'_>,
    log_tables: &Tables<'_>,
    posterior: &mut Columns,
) -> f64 {
    let classes = ballots.classes();
    let square = classes * classes;
    let chunks = posterior.values_mut().par_chunks_mut(CHUNK * classes).enumerate();
    let parts: Vec<f64> = chunks
        .map(|(chunk, columns)| {
            let mut sum = 0.0;
            for (offset, column) in columns.chunks_exact_mut(classes).enumerate() {
                let task = chunk * CHUNK + offset;
                let table = &log_tables.of_group[log_tables.place(task)];
                column.copy_from_slice(prior.of(task));
                for (worker, label) in ballots.decisions().of_case(CaseId::at(task)).iter() {
                    let start = worker.index() * square + label.index() * classes;
                    for (belief, log) in column.iter_mut().zip(&table[start..start + classes]) {
                        *belief += log;
                    }
                }
                sum += normalise(column, ballots.gold_of(task));
            }
            sum
        })
        .collect();
    parts.iter().sum()
}

/// Turns log-beliefs into a distribution and returns the log of their total; a known truth is believed alone.
pub(crate) fn normalise(column: &mut [f64], gold: Option<Label>) -> f64 {
    if let Some(label) = gold {
        let log = column[label.index()];
        column.fill(0.0);
        column[label.index()] = 1.0;
        return log;
    }
    deferral_models::stable::softmax(column)
}

/// The M-step's counts: how often each worker gave each vote under each truth, by group of tasks if there are groups.
pub(crate) fn count(ballots: &Ballots<'_>, posterior: &Columns, counts: &mut Tables<'_>) {
    let entries: usize = counts.of_group.iter().map(Vec::len).sum();
    // Every part has tables of its own, so there are no more parts than the votes pay for.
    let parts = (ballots.decisions().len() / entries.max(1)).clamp(1, 16);
    let tasks = ballots.n().div_ceil(parts).max(1);
    let ranges: Vec<_> = (0..parts).map(|p| p * tasks..((p + 1) * tasks).min(ballots.n())).collect();
    let empty = |counts: &Tables<'_>| counts.of_group.iter().map(|table| vec![0.0; table.len()]).collect::<Vec<_>>();
    let tables: Vec<Vec<Vec<f64>>> = ranges
        .into_par_iter()
        .map(|range| {
            let mut own = empty(counts);
            for task in range {
                add_task(ballots, posterior, task, &mut own[counts.place(task)]);
            }
            own
        })
        .collect();
    counts.of_group.iter_mut().for_each(|table| table.fill(0.0));
    for part in tables {
        for (total, own) in counts.of_group.iter_mut().zip(part) {
            total.iter_mut().zip(own).for_each(|(to, from)| *to += from);
        }
    }
}

fn add_task(ballots: &Ballots<'_>, posterior: &Columns, task: usize, table: &mut [f64]) {
    let classes = ballots.classes();
    let belief = posterior.column(task);
    for (worker, label) in ballots.decisions().of_case(CaseId::at(task)).iter() {
        let start = worker.index() * classes * classes + label.index() * classes;
        for (count, p) in table[start..start + classes].iter_mut().zip(belief) {
            *count += p;
        }
    }
}

/// Divides the counts of one worker by their sum over votes for each truth; `entries` are K x K, vote by vote.
pub(crate) fn normalise_rows(entries: &mut [f64], classes: usize) {
    for truth in 0..classes {
        let total: f64 = entries.iter().skip(truth).step_by(classes).sum();
        entries.iter_mut().skip(truth).step_by(classes).for_each(|entry| *entry /= total);
    }
}

/// The logs of shares, none of them infinite.
pub(crate) fn logs(shares: &[f64]) -> Vec<f64> {
    shares.iter().map(|share| share.max(FLOOR).ln()).collect()
}
