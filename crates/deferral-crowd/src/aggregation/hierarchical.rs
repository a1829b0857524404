//! Hierarchical Dawid-Skene: confusion matrices shrunk towards the pool of all workers.

use deferral_core::{
    AggregateError, Aggregator, Ballots, Columns, Confusions, Consensus, Context, Criterion, ExpertId, Label,
    Probabilities, Trace, Workers,
};
use serde::{Deserialize, Serialize};

use super::em::{FLOOR, Iterations, LogPrior, Tables, count, expect, logs, normalise_rows, vote_shares};
use super::shrunk::{
    CLASS_PSEUDO_COUNT, Estimate, Shrunk, TaskPrior, check_strength, confusions_of, pseudo_counts, smoothed_shares,
};

/// Dawid-Skene whose confusion rows have Dirichlet priors around those of the pool, so that a worker with three votes
/// or none is believed about as much as workers are on average, and a new one can join without refitting the rest.
///
/// Rows are `(n_kl + s pool_kl) / (n_k + s)` with `s` = [`strength`](Self::strength), the mode under `Dirichlet(1 + s
/// pool_k)`. The pool is the matrix that one and the same worker would have who gave all the votes; EM estimates it
/// first, from the shares of the votes, and the workers then. With one vote a task it agrees with majority. Gold labels
/// of some tasks are believed if given. O(votes x K) an iteration, O(n K + m K^2) memory. Ours, in the manner of
/// hierarchical Dirichlet models of annotation.
///
/// ```
/// use deferral_core::{Ballots, Context, Decisions, ExpertId, Label, Silent, Stream};
/// use deferral_crowd::HierarchicalDawidSkene;
/// // Workers 0 to 3 agree on forty tasks; worker 4 has voted once.
/// let votes = (0..40u32).flat_map(|t| (0..4).map(move |w| (t, w, (t % 2) as u16))).chain([(0, 4, 0)]);
/// let votes = Decisions::from_triples(40, 5, votes)?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let fit = HierarchicalDawidSkene::default().fit(&Ballots::new(&votes, 2)?, &mut ctx)?;
/// assert!(fit.consensus.skills[4] > 0.8);
/// // A stranger joins with five votes, all against the others.
/// let joined = fit.join(&[(0, Label(1)), (1, Label(0)), (2, Label(1)), (3, Label(0)), (4, Label(1))]);
/// assert!(joined.get(ExpertId(0), Label(0), Label(0)) < 0.7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HierarchicalDawidSkene {
    /// How many votes a row of the pool is worth; 2 by default. Large values make all workers alike, which is worse
    /// where tasks have two votes: what the pool is like cannot be told from them.
    pub strength: f64,
    /// When each EM stops.
    pub iterations: Iterations,
}

impl Default for HierarchicalDawidSkene {
    fn default() -> Self {
        Self { strength: 2.0, iterations: Iterations::default() }
    }
}

/// What [`HierarchicalDawidSkene`] found, and what a newcomer needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HierarchicalFit {
    /// Labels, probabilities, workers.
    pub consensus: Consensus,
    /// The pool: what is believed of somebody about whom nothing is known. One matrix.
    pub pool: Confusions,
    strength: f64,
}

impl HierarchicalFit {
    /// The confusion matrix of a new worker who gave these votes on tasks of the table, the rest left as it is; the
    /// pool's without votes. Tasks or labels outside the table say nothing. O(votes x K + K^2).
    pub fn join(&self, votes: &[(usize, Label)]) -> Confusions {
        let classes = self.pool.classes();
        let mut entries: Vec<f64> = self.pool.values().iter().map(|p| self.strength * p).collect();
        for &(task, label) in votes {
            if task < self.consensus.probabilities.n() && label.index() < classes {
                let start = label.index() * classes;
                let belief = self.consensus.probabilities.column(task);
                entries[start..start + classes].iter_mut().zip(belief).for_each(|(entry, p)| *entry += p);
            }
        }
        normalise_rows(&mut entries, classes);
        confusions_of(&entries, 1, classes)
    }
}

impl HierarchicalDawidSkene {
    /// Labels, workers and the pool.
    ///
    /// # Errors
    /// If a parameter is out of range or the observer asks to stop.
    pub fn fit(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<HierarchicalFit, AggregateError> {
        let (estimate, pool) = self.estimate(ballots, vote_shares(ballots), TaskPrior::Shares, ctx)?;
        let (m, classes) = (ballots.m(), ballots.classes());
        let consensus = consensus_of(estimate.posterior, estimate.shares, &estimate.confusions[0], m, estimate.trace);
        Ok(HierarchicalFit { consensus, pool: confusions_of(&pool, 1, classes), strength: self.strength })
    }

    /// The estimates, and the pool's matrix vote by vote.
    pub(crate) fn estimate(
        &self,
        ballots: &Ballots<'_>,
        start: Columns,
        prior: TaskPrior<'_>,
        ctx: &mut Context<'_>,
    ) -> Result<(Estimate, Vec<f64>), AggregateError> {
        self.iterations.check()?;
        check_strength("the strength of the pool", self.strength)?;
        let posterior = pooled(ballots, start, prior, self.iterations, ctx)?;
        let pool = pool_of(ballots, &posterior);
        let pseudo = [pseudo_counts(&pool, self.strength, ballots.m())];
        let shrunk = Shrunk { ballots, group_of: None, pseudo: &pseudo, prior, iterations: self.iterations };
        Ok((shrunk.run(posterior, ctx)?, pool))
    }
}

/// EM in which all votes are of one and the same worker: for every row the prior outweighs what the worker gave.
fn pooled(
    ballots: &Ballots<'_>,
    mut posterior: Columns,
    prior: TaskPrior<'_>,
    iterations: Iterations,
    ctx: &mut Context<'_>,
) -> Result<Columns, AggregateError> {
    let classes = ballots.classes();
    let mut trace = Trace::new(Criterion::LogPosterior);
    for _ in 0..iterations.limit {
        let pool = pool_of(ballots, &posterior);
        let shares = smoothed_shares(ballots, &posterior);
        let mut log_prior = (0..classes).map(|class| pool[class * classes + class].ln()).sum::<f64>();
        let log_shares = logs(&shares);
        let prior = match prior {
            TaskPrior::Shares => {
                log_prior += CLASS_PSEUDO_COUNT * log_shares.iter().sum::<f64>();
                LogPrior::Same(&log_shares)
            }
            TaskPrior::Given(logs) => LogPrior::ByTask(logs),
        };
        let log_pool = logs(&pool);
        let table = log_pool.iter().copied().cycle().take(ballots.m() * classes * classes).collect();
        let tables = Tables { of_group: vec![table], group_of: None };
        let objective = expect(ballots, prior, &tables, &mut posterior) + log_prior;
        if trace.push(objective, iterations.limit, iterations.tolerance, ballots.decisions().len() as f64, ctx)? {
            break;
        }
    }
    Ok(posterior)
}

/// The matrix of all votes together, vote by vote, each row with one more vote for its own class.
fn pool_of(ballots: &Ballots<'_>, posterior: &Columns) -> Vec<f64> {
    let classes = ballots.classes();
    let mut counts = Tables::zeros(ballots, 1, None);
    count(ballots, posterior, &mut counts);
    let mut pool = vec![FLOOR; classes * classes];
    for class in 0..classes {
        pool[class * classes + class] += 1.0;
    }
    for worker in counts.of_group[0].chunks_exact(classes * classes) {
        pool.iter_mut().zip(worker).for_each(|(total, entry)| *total += entry);
    }
    normalise_rows(&mut pool, classes);
    pool
}

/// A consensus with one confusion matrix a worker.
pub(crate) fn consensus_of(
    posterior: Columns,
    shares: Vec<f64>,
    table: &[f64],
    workers: usize,
    trace: Trace,
) -> Consensus {
    let confusions = confusions_of(table, workers, shares.len());
    let skills = (0..workers).map(|worker| confusions.skill(ExpertId::at(worker), &shares)).collect();
    Consensus::new(Probabilities(posterior), shares, skills, Workers::Confusions(confusions), trace)
}

impl Aggregator for HierarchicalDawidSkene {
    fn aggregate(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<Consensus, AggregateError> {
        Ok(self.fit(ballots, ctx)?.consensus)
    }
}
