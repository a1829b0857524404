//! Fast Dawid-Skene: Dawid-Skene with one label at a time in mind.

use deferral_core::{
    AggregateError, Aggregator, Ballots, CaseId, Columns, Confusions, Consensus, Context, Criterion, ExpertId,
    FitStatus, Label, ParameterError, Probabilities, Trace, Workers,
};
use serde::{Deserialize, Serialize};

use super::em::{FLOOR, LogPrior, Tables, expect, is_known, logs, normalise_rows};
use super::majority::{Majority, TieRule, pick};

/// Dawid-Skene by hard EM: every task has one label at a time, starting with the majority's (Sinha, Rao and
/// Balasubramanian 2018, "Fast Dawid-Skene").
///
/// M-step: `pi_k` is the share of class k among the labels, `C_w[k, l]` the share of vote l among what w said on tasks
/// labelled k, at least 1e-10. E-step: each task gets the class with the largest `pi_k prod_w C_w[k, vote]`. It ends
/// when no label changes, mostly after a handful of iterations, where soft EM takes dozens. What it maximises, and what
/// the trace shows, is the log-likelihood of the votes *together with the labels*; the probabilities are those that the
/// last labels are the largest of, and they are overconfident, because labels were taken for certain.
///
/// The published code stops when the shares of the classes move by less than 1e-4 in sum, which labels that swap can
/// fake; here the labels themselves are compared. O(votes x K) an iteration (the M-step alone O(votes)), O(n K + m K^2)
/// memory.
///
/// ```
/// use deferral_core::{Aggregator, Ballots, Context, Decisions, FitStatus, Label, Silent, Stream};
/// let votes = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0), (2, 0, 1), (2, 1, 0), (2, 2, 1)];
/// let votes = Decisions::from_triples(3, 3, votes)?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let consensus = deferral_crowd::FastDawidSkene::default().aggregate(&Ballots::new(&votes, 2)?, &mut ctx)?;
/// assert_eq!(consensus.labels, [Label(1), Label(0), Label(1)]);
/// assert_eq!((consensus.trace.values.len(), consensus.trace.status), (1, FitStatus::Converged));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FastDawidSkene {
    /// Iterations at most. Default 100.
    pub iterations: usize,
    /// What breaks ties, of the majority and of the E-steps. The published code draws; here the default is the lowest.
    pub tie: TieRule,
}

impl Default for FastDawidSkene {
    fn default() -> Self {
        Self { iterations: 100, tie: TieRule::default() }
    }
}

impl FastDawidSkene {
    /// A single iteration: matrices from the majority's labels, and labels from those matrices.
    pub fn one_pass() -> Self {
        Self { iterations: 1, ..Self::default() }
    }
}

impl Aggregator for FastDawidSkene {
    fn aggregate(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<Consensus, AggregateError> {
        ParameterError::check(self.iterations > 0, "the number of iterations", self.iterations, "1 or more")?;
        let classes = ballots.classes();
        let mut labels = Majority { tie: self.tie }.aggregate(ballots, ctx)?.labels;
        let ties = ctx.stream("ties");
        let mut posterior = Columns::zeros(classes, ballots.n());
        let mut tables = Tables::zeros(ballots, 1, None);
        let mut trace = Trace::new(Criterion::LogLikelihood);
        let (mut prior, mut confusions) = (Vec::new(), Vec::new());
        for _ in 0..self.iterations {
            prior = label_shares(ballots, &labels);
            confusions = matrices(ballots, &labels);
            tables.of_group[0].iter_mut().zip(&confusions).for_each(|(log, entry)| *log = entry.ln());
            let log_likelihood = expect(ballots, LogPrior::Same(&logs(&prior)), &tables, &mut posterior);
            let next = pick(&posterior, self.tie, &prior, &ties);
            let of_labels: f64 = posterior.iter().zip(&next).map(|(column, label)| column[label.index()].ln()).sum();
            let unchanged = next == labels;
            labels = next;
            // Labels that change without a gain would only be exchanged for each other for ever.
            let no_gain = trace.push(log_likelihood + of_labels, self.iterations, 0.0, 1.0, ctx)?;
            if unchanged || no_gain {
                trace.status = FitStatus::Converged;
                break;
            }
        }
        let confusions = Confusions::from_fn(ballots.m(), classes, |worker, truth, vote| {
            confusions[(worker * classes + vote) * classes + truth]
        });
        let skills = (0..ballots.m()).map(|worker| confusions.skill(ExpertId::at(worker), &prior)).collect();
        let workers = Workers::Confusions(confusions);
        Ok(Consensus { labels, ..Consensus::new(Probabilities(posterior), prior, skills, workers, trace) })
    }
}

/// The share of each class among the labels of tasks of which anything is known.
fn label_shares(ballots: &Ballots<'_>, labels: &[Label]) -> Vec<f64> {
    let mut shares = vec![0.0; ballots.classes()];
    for (_, label) in labels.iter().enumerate().filter(|(task, _)| is_known(ballots, *task)) {
        shares[label.index()] += 1.0;
    }
    let known: f64 = shares.iter().sum();
    for share in &mut shares {
        *share /= known.max(1.0);
    }
    shares
}

/// How often each worker gave each vote under each label, as shares; in the order of [`Confusions`].
fn matrices(ballots: &Ballots<'_>, labels: &[Label]) -> Vec<f64> {
    let classes = ballots.classes();
    let mut entries = vec![0.0_f64; ballots.m() * classes * classes];
    for (task, label) in labels.iter().enumerate() {
        for (worker, vote) in ballots.decisions().of_case(CaseId::at(task)).iter() {
            entries[(worker.index() * classes + vote.index()) * classes + label.index()] += 1.0;
        }
    }
    for worker in entries.chunks_exact_mut(classes * classes) {
        for entry in &mut *worker {
            *entry = entry.max(FLOOR);
        }
        normalise_rows(worker, classes);
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Decisions, Silent, Stream};

    fn run(model: FastDawidSkene, ballots: &Ballots<'_>) -> Result<Consensus, AggregateError> {
        let mut silent = Silent;
        model.aggregate(ballots, &mut Context::new(Stream::new(1), &mut silent))
    }

    #[test]
    fn one_pass_counts_the_majority_and_reads_the_votes_once() {
        // Majority (1, 0, 1): worker 0 always agrees, the others miss one of the two ones.
        let votes = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0), (2, 0, 1), (2, 1, 0), (2, 2, 1)];
        let decisions = Decisions::from_triples(3, 3, votes).unwrap();
        let consensus = run(FastDawidSkene::one_pass(), &Ballots::new(&decisions, 2).unwrap()).unwrap();
        assert_eq!(consensus.prior, [1.0 / 3.0, 2.0 / 3.0]);
        let Workers::Confusions(confusions) = &consensus.workers else { panic!("no matrices") };
        let expected = [1.0, 0.0, 0.0, 1.0, 1.0, 0.5, 0.0, 0.5, 1.0, 0.5, 0.0, 0.5];
        assert!(confusions.values().iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-9));
        // ln(2/3 x 1 x 1/2 x 1/2) for each of the tasks labelled 1 and ln(1/3) for the other.
        let expected = 2.0 * (1.0f64 / 6.0).ln() + (1.0f64 / 3.0).ln();
        assert!((consensus.trace.values[0] - expected).abs() < 1e-6);
    }

    #[test]
    fn limits_are_checked() {
        let decisions = Decisions::from_triples(1, 1, [(0, 0, 1)]).unwrap();
        let model = FastDawidSkene { iterations: 0, ..Default::default() };
        let message = run(model, &Ballots::new(&decisions, 2).unwrap()).unwrap_err().to_string();
        assert_eq!(message, "the number of iterations is 0, but must be 1 or more");
    }
}
