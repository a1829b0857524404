//! Dawid-Skene: a confusion matrix for each worker.

use deferral_core::{
    AggregateError, Aggregator, Ballots, Confusions, Consensus, Context, Criterion, ExpertId, Probabilities, Trace,
    Workers,
};
use serde::{Deserialize, Serialize};

use super::em::{FLOOR, Iterations, LogPrior, Tables, class_shares, count, expect, logs, normalise_rows, vote_shares};

/// Every worker has a confusion matrix of their own, every class a share; both are estimated with the labels by EM
/// (Dawid and Skene 1979), from the shares of the votes.
///
/// M-step: `pi_k` is the mean of `T_ik`, `C_w[k, l]` the share of vote l among what w said where k is believed, at
/// least 1e-10. E-step: `T_ik` is proportional to `pi_k prod_w C_w[k, vote]`, in logs. It needs several votes a task
/// and many a worker: with one vote a task it has nothing to go by, and if EM goes on long enough it falls below
/// majority. O(votes x K) an iteration, O(n K + m K^2) memory.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DawidSkene {
    /// When to stop.
    pub iterations: Iterations,
}

impl Aggregator for DawidSkene {
    fn aggregate(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<Consensus, AggregateError> {
        self.iterations.check()?;
        let (classes, votes) = (ballots.classes(), ballots.decisions().len() as f64);
        let mut posterior = vote_shares(ballots);
        let mut tables = Tables::zeros(ballots, 1, None);
        let mut trace = Trace::new(Criterion::LogLikelihood);
        let mut prior = Vec::new();
        let mut confusions = Vec::new();
        for _ in 0..self.iterations.limit {
            prior = class_shares(ballots, &posterior);
            count(ballots, &posterior, &mut tables);
            for worker in tables.of_group[0].chunks_exact_mut(classes * classes) {
                for entry in &mut *worker {
                    *entry = entry.max(FLOOR);
                }
                normalise_rows(worker, classes);
            }
            confusions.clone_from(&tables.of_group[0]);
            tables.of_group[0].iter_mut().for_each(|entry| *entry = entry.ln());
            let log_likelihood = expect(ballots, LogPrior::Same(&logs(&prior)), &tables, &mut posterior);
            if trace.push(log_likelihood, self.iterations.limit, self.iterations.tolerance, votes, ctx)? {
                break;
            }
        }
        let confusions = Confusions::from_fn(ballots.m(), classes, |worker, truth, vote| {
            confusions[(worker * classes + vote) * classes + truth]
        });
        let skills = (0..ballots.m()).map(|worker| confusions.skill(ExpertId::at(worker), &prior)).collect();
        Ok(Consensus::new(Probabilities(posterior), prior, skills, Workers::Confusions(confusions), trace))
    }
}
