//! The E-step of models in which a vote tells the class it names from all others, but not those from each other: O(1)
//! a vote, whatever K.

use deferral_core::{Ballots, CaseId, Columns, Label};
use rayon::prelude::*;

use super::em::normalise;

/// Tasks that one thread works through at a time. The number of chunks depends on the data alone, and so do all sums.
const CHUNK: usize = 4096;

/// What one vote says, in logs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Evidence {
    /// How much more probable the vote is where it names the truth than where it does not.
    pub(crate) lift: f64,
    /// How probable it is where it does not.
    pub(crate) miss: f64,
}

/// Writes what is believed of each task when all classes are equally frequent a priori and `evidence` is what a vote
/// says, given its task, its worker and its label. Returns the log-likelihood of the votes (and known truths).
pub(crate) fn expect(
    ballots: &Ballots<'_>,
    evidence: impl Fn(usize, usize, Label) -> Evidence + Sync,
    posterior: &mut Columns,
) -> f64 {
    let classes = ballots.classes();
    let log_prior = -(classes as f64).ln();
    let chunks = posterior.values_mut().par_chunks_mut(CHUNK * classes).enumerate();
    let parts: Vec<f64> = chunks
        .map(|(chunk, columns)| {
            let mut sum = 0.0;
            for (offset, column) in columns.chunks_exact_mut(classes).enumerate() {
                let task = chunk * CHUNK + offset;
                column.fill(log_prior);
                for (worker, label) in ballots.decisions().of_case(CaseId::at(task)).iter() {
                    let Evidence { lift, miss } = evidence(task, worker.index(), label);
                    column[label.index()] += lift;
                    sum += miss;
                }
                sum += normalise(column, ballots.gold_of(task));
            }
            sum
        })
        .collect();
    parts.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::Decisions;

    #[test]
    fn three_votes_of_which_each_is_right_with_probability_eight_tenths() {
        let votes = Decisions::from_triples(2, 3, [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 1)]).unwrap();
        let gold = [None, Some(Label(0))];
        let ballots = Ballots::new(&votes, 2).unwrap().with_gold(&gold).unwrap();
        let mut posterior = Columns::zeros(2, 2);
        let evidence = |_, _, _| Evidence { lift: 4.0f64.ln(), miss: 0.2f64.ln() };
        let log_likelihood = expect(&ballots, evidence, &mut posterior);
        assert!((posterior.column(0)[1] - 0.8).abs() < 1e-12);
        assert_eq!(posterior.column(1), [1.0, 0.0]);
        let first = 0.5 * (0.8f64 * 0.8 * 0.2 + 0.2 * 0.2 * 0.8);
        assert!((log_likelihood - (first * 0.5 * 0.2).ln()).abs() < 1e-12);
    }

    #[test]
    fn ten_thousand_votes_do_not_underflow() {
        let votes = (0..10_000u32).map(|worker| (0, worker, u16::from(worker < 5_002)));
        let votes = Decisions::from_triples(1, 10_000, votes).unwrap();
        let mut posterior = Columns::zeros(2, 1);
        let evidence = |_, _, _| Evidence { lift: 2.0, miss: -3.0 };
        let log_likelihood = expect(&Ballots::new(&votes, 2).unwrap(), evidence, &mut posterior);
        assert!((posterior.column(0)[1] - 1.0 / (1.0 + (-8.0f64).exp())).abs() < 1e-12);
        assert!(log_likelihood.is_finite());
    }
}
