//! EM for confusion matrices whose rows have Dirichlet priors: the engine of the hierarchical, the grouped and the
//! feature-based model, which differ in what they shrink towards and in what they believe of a task before its votes.

use deferral_core::{AggregateError, Ballots, Columns, Confusions, Context, Criterion, GroupId, ParameterError, Trace};

use super::em::{FLOOR, Iterations, LogPrior, Tables, class_shares, count, expect, is_known, logs, normalise_rows};

/// Weight of the uniform distribution in the estimate of the class shares, in tasks a class.
pub(crate) const CLASS_PSEUDO_COUNT: f64 = 1.0;

/// What is believed of a task before its votes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TaskPrior<'a> {
    /// The class shares, estimated along the way.
    Shares,
    /// The logs of K given probabilities a task.
    Given(&'a Columns),
}

/// Where EM ended.
pub(crate) struct Estimate {
    pub(crate) posterior: Columns,
    pub(crate) shares: Vec<f64>,
    /// Confusion matrices, one table a group, in the order of [`Confusions`].
    pub(crate) confusions: Vec<Vec<f64>>,
    pub(crate) trace: Trace,
}

/// One maximisation: rows are `(n_kl + pseudo_kl) / (n_k + sum pseudo_k)`, which is the mode under Dirichlet priors
/// with parameters `1 + pseudo`.
pub(crate) struct Shrunk<'a, 'b> {
    pub(crate) ballots: &'a Ballots<'b>,
    /// For each task its group; one group if `None`.
    pub(crate) group_of: Option<&'a [GroupId]>,
    /// Pseudo-counts: one table a group.
    pub(crate) pseudo: &'a [Vec<f64>],
    pub(crate) prior: TaskPrior<'a>,
    pub(crate) iterations: Iterations,
}

impl Shrunk<'_, '_> {
    /// Runs EM from a posterior. The objective, log-likelihood plus log-prior up to a constant, never falls.
    pub(crate) fn run(&self, mut posterior: Columns, ctx: &mut Context<'_>) -> Result<Estimate, AggregateError> {
        let Iterations { limit, tolerance } = self.iterations;
        let votes = self.ballots.decisions().len() as f64;
        let mut tables = Tables::zeros(self.ballots, self.pseudo.len(), self.group_of);
        let mut trace = Trace::new(Criterion::LogPosterior);
        let (mut shares, mut confusions) = (Vec::new(), Vec::new());
        for _ in 0..limit {
            shares = smoothed_shares(self.ballots, &posterior);
            count(self.ballots, &posterior, &mut tables);
            let mut log_prior = self.estimate(&mut tables);
            confusions.clone_from(&tables.of_group);
            for table in &mut tables.of_group {
                for entry in table.iter_mut() {
                    *entry = entry.ln();
                }
            }
            let log_shares = logs(&shares);
            let prior = match self.prior {
                TaskPrior::Shares => {
                    log_prior += CLASS_PSEUDO_COUNT * log_shares.iter().sum::<f64>();
                    LogPrior::Same(&log_shares)
                }
                TaskPrior::Given(logs) => LogPrior::ByTask(logs),
            };
            let objective = expect(self.ballots, prior, &tables, &mut posterior) + log_prior;
            if trace.push(objective, limit, tolerance, votes, ctx)? {
                break;
            }
        }
        Ok(Estimate { posterior, shares, confusions, trace })
    }

    /// Turns counts into rows, and returns the log of their prior density up to a constant.
    fn estimate(&self, tables: &mut Tables<'_>) -> f64 {
        let classes = self.ballots.classes();
        let mut log_prior = 0.0;
        for (table, pseudo) in tables.of_group.iter_mut().zip(self.pseudo) {
            for (worker, pseudo) in
                table.chunks_exact_mut(classes * classes).zip(pseudo.chunks_exact(classes * classes))
            {
                for (entry, pseudo) in worker.iter_mut().zip(pseudo) {
                    *entry = (*entry + pseudo).max(FLOOR);
                }
                normalise_rows(worker, classes);
                log_prior += worker.iter().zip(pseudo).map(|(entry, pseudo)| pseudo * entry.ln()).sum::<f64>();
            }
        }
        log_prior
    }
}

/// The class shares of the tasks of which anything is known, each class with a pseudo-count.
pub(crate) fn smoothed_shares(ballots: &Ballots<'_>, posterior: &Columns) -> Vec<f64> {
    let known = (0..ballots.n()).filter(|&task| is_known(ballots, task)).count() as f64;
    let total = known + CLASS_PSEUDO_COUNT * ballots.classes() as f64;
    class_shares(ballots, posterior).iter().map(|share| (share * known + CLASS_PSEUDO_COUNT) / total).collect()
}

/// `strength` pseudo-counts a row, in the proportions of `rows`, for every worker: `rows` are one matrix for all or one
/// for each.
pub(crate) fn pseudo_counts(rows: &[f64], strength: f64, workers: usize) -> Vec<f64> {
    let entries = rows.iter().map(|row| strength * row);
    let classes_squared = rows.len().max(1);
    entries.cycle().take(workers * classes_squared).collect()
}

/// The matrices of a table.
pub(crate) fn confusions_of(table: &[f64], workers: usize, classes: usize) -> Confusions {
    Confusions::from_fn(workers, classes, |worker, truth, vote| table[(worker * classes + vote) * classes + truth])
}

/// Passes a strength of shrinkage that makes sense.
pub(crate) fn check_strength(parameter: &str, strength: f64) -> Result<(), ParameterError> {
    ParameterError::check(strength > 0.0 && strength.is_finite(), parameter, strength, "a finite number above 0")
}
