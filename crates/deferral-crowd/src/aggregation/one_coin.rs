//! One-coin Dawid-Skene: one number for each worker.

use deferral_core::{
    AggregateError, Aggregator, Ballots, CaseId, Columns, Confusions, Consensus, Context, Criterion, ExpertId,
    ParameterError, Probabilities, Trace, Workers,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::em::{FLOOR, Iterations, class_shares, logs, normalise, vote_shares};

/// Every worker is right with a probability of their own, whatever the class, and errs on all other classes alike; the
/// skills, the shares of the classes and the labels are estimated by EM.
///
/// M-step: `pi_k` is the mean of `T_ik`; `s_w` is the mean of `T_i,vote` over the votes of w (over all votes for a
/// worker without any). E-step: `T_ik` is proportional to `pi_k prod_w P(vote | k)` with `P = s_w` where vote and class
/// agree and `(1 - s_w) / (K - 1)` elsewhere, both between 1e-10 and 1 - 1e-10. With a limit of one iteration the
/// skills are those of the vote shares, and the probabilities those of one E-step with them. O(votes + n K) an
/// iteration, O(n K + m K^2) memory.
///
/// **Where it fails.** One skill a worker says that all classes are mistaken alike. Where that is false, the likelihood
/// itself points away from the truth, and no start of EM helps. Measured on 1,471 posts, two thirds of them offensive,
/// judged by 170 people whose votes are right on .89 of the offensive posts but on .53 of the others: with the skills
/// and shares of the *true* labels, one E-step is .899 accurate at a log-likelihood of -6274; from there EM goes on to
/// -5890 and .695, exactly where it arrives from the votes. [`DawidSkene`](crate::DawidSkene) reaches -4260 and .920;
/// the majority has .868. [`OneCoin::aggregate_from`] makes the same comparison for other data.
///
/// ```
/// use deferral_core::{Aggregator, Ballots, Context, Decisions, Silent, Stream};
/// use deferral_crowd::{Iterations, OneCoin};
/// let votes = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0), (2, 0, 1), (2, 1, 0), (2, 2, 1)];
/// let votes = Decisions::from_triples(3, 3, votes)?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let first_step = OneCoin { iterations: Iterations { limit: 1, ..Iterations::default() } };
/// let consensus = first_step.aggregate(&Ballots::new(&votes, 2)?, &mut ctx)?;
/// assert!((consensus.skills[0] - 7.0 / 9.0).abs() < 1e-12);
/// assert!((consensus.probabilities.column(0)[1] - 14.0 / 19.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OneCoin {
    /// When to stop.
    pub iterations: Iterations,
}

impl OneCoin {
    /// Aggregates by EM that starts from these beliefs, K x n, each column a distribution, instead of the vote shares;
    /// known truths are still believed alone. The first value of the trace is the log-likelihood with the parameters
    /// that the start implies.
    ///
    /// # Errors
    /// As [`Aggregator::aggregate`], or if `start` is not K x n or a column of it is not a distribution.
    pub fn aggregate_from(
        &self,
        ballots: &Ballots<'_>,
        start: &Columns,
        ctx: &mut Context<'_>,
    ) -> Result<Consensus, AggregateError> {
        check_start(ballots, start)?;
        let mut posterior = start.clone();
        for task in 0..ballots.n() {
            if ballots.gold_of(task).is_some() {
                normalise(posterior.column_mut(task), ballots.gold_of(task));
            }
        }
        self.climb(ballots, posterior, ctx)
    }

    fn climb(
        &self,
        ballots: &Ballots<'_>,
        mut posterior: Columns,
        ctx: &mut Context<'_>,
    ) -> Result<Consensus, AggregateError> {
        self.iterations.check()?;
        let Iterations { limit, tolerance } = self.iterations;
        let votes = ballots.decisions().len() as f64;
        let mut trace = Trace::new(Criterion::LogLikelihood);
        let (mut prior, mut skills) = (Vec::new(), Vec::new());
        for _ in 0..limit {
            prior = class_shares(ballots, &posterior);
            skills = estimate(ballots, &posterior);
            let log_likelihood = expect(ballots, &logs(&prior), &skills, &mut posterior);
            if trace.push(log_likelihood, limit, tolerance, votes, ctx)? {
                break;
            }
        }
        let coins: Vec<f64> = skills.iter().map(|skill| clip(*skill)).collect();
        let confusions = Confusions::one_coin(&coins, ballots.classes());
        Ok(Consensus::new(Probabilities(posterior), prior, skills, Workers::Confusions(confusions), trace))
    }
}

impl Aggregator for OneCoin {
    fn aggregate(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<Consensus, AggregateError> {
        self.climb(ballots, vote_shares(ballots), ctx)
    }
}

fn check_start(ballots: &Ballots<'_>, start: &Columns) -> Result<(), AggregateError> {
    let classes = ballots.classes();
    let expected = format!("one for each of the {classes} classes");
    ParameterError::check(start.rows() == classes, "the number of rows of the start", start.rows(), &expected)?;
    if start.n() != ballots.n() {
        return Err(AggregateError::Length { what: "the start", found: start.n(), expected: ballots.n() });
    }
    let is_distribution = |column: &[f64]| {
        column.iter().all(|p| (0.0..=1.0).contains(p)) && (column.iter().sum::<f64>() - 1.0).abs() < 1e-6
    };
    match start.iter().position(|column| !is_distribution(column)) {
        None => Ok(()),
        Some(task) => {
            let (parameter, value) = (format!("the start of task {task}"), format!("{:?}", start.column(task)));
            Err(ParameterError::new(parameter, value, "numbers between 0 and 1 whose sum is 1").into())
        }
    }
}

/// The M-step: the mean belief in what each worker said, or in what anybody said for one who said nothing.
fn estimate(ballots: &Ballots<'_>, posterior: &Columns) -> Vec<f64> {
    let sum_of = |worker: usize| {
        let row = ballots.decisions().of_expert(ExpertId::at(worker));
        (row.iter().map(|(task, label)| posterior.column(task.index())[label.index()]).sum::<f64>(), row.len())
    };
    let sums: Vec<(f64, usize)> = (0..ballots.m()).into_par_iter().map(sum_of).collect();
    let all = sums.iter().map(|(sum, _)| sum).sum::<f64>() / ballots.decisions().len().max(1) as f64;
    sums.iter().map(|&(sum, votes)| if votes > 0 { sum / votes as f64 } else { all }).collect()
}

/// The E-step: writes what is believed of each task, and returns the log-likelihood of the votes (and known truths).
fn expect(ballots: &Ballots<'_>, log_prior: &[f64], skills: &[f64], posterior: &mut Columns) -> f64 {
    let classes = ballots.classes();
    let others = classes.saturating_sub(1).max(1) as f64;
    let log_right: Vec<f64> = skills.iter().map(|skill| clip(*skill).ln()).collect();
    let log_wrong: Vec<f64> = skills.iter().map(|skill| ((1.0 - clip(*skill)) / others).ln()).collect();
    let believe = |(task, column): (usize, &mut [f64])| {
        column.copy_from_slice(log_prior);
        // What a vote adds to the other classes it adds to all of them, so it is added once, after the softmax.
        let mut common = 0.0;
        for (worker, label) in ballots.decisions().of_case(CaseId::at(task)).iter() {
            let wrong = if classes > 1 { log_wrong[worker.index()] } else { 0.0 };
            common += wrong;
            column[label.index()] += log_right[worker.index()] - wrong;
        }
        common + normalise(column, ballots.gold_of(task))
    };
    let columns = posterior.values_mut().par_chunks_exact_mut(classes).with_min_len(CHUNK).enumerate();
    let log_likelihoods: Vec<f64> = columns.map(believe).collect();
    log_likelihoods.iter().sum()
}

/// Tasks that one thread works through at a time, at least.
const CHUNK: usize = 1024;

/// No vote is impossible.
fn clip(skill: f64) -> f64 {
    skill.clamp(FLOOR, 1.0 - FLOOR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Decisions, Label, Silent, Stream};
    use rand::RngExt;

    fn once() -> OneCoin {
        OneCoin { iterations: Iterations { limit: 1, ..Iterations::default() } }
    }

    fn context<T>(run: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let mut silent = Silent;
        run(&mut Context::new(Stream::new(1), &mut silent))
    }

    #[test]
    fn the_likelihood_is_that_of_the_model() {
        // Summed over both truths of every task, product by product, with the parameters of the vote shares.
        let votes = [(0, 0, 1), (0, 1, 2), (1, 0, 0), (1, 1, 0), (2, 0, 2), (2, 2, 2), (2, 1, 1)];
        let decisions = Decisions::from_triples(3, 3, votes).unwrap();
        let ballots = Ballots::new(&decisions, 3).unwrap();
        let consensus = context(|ctx| once().aggregate(&ballots, ctx)).unwrap();
        let mut expected = 0.0;
        for task in 0..3 {
            let likelihood = |truth: u16| {
                let probability = |&(_, worker, vote): &(u32, u32, u16)| {
                    let skill = consensus.skills[worker as usize];
                    if vote == truth { skill } else { (1.0 - skill) / 2.0 }
                };
                let own = votes.iter().filter(|(t, ..)| *t == task);
                consensus.prior[usize::from(truth)] * own.map(probability).product::<f64>()
            };
            expected += (0..3).map(likelihood).sum::<f64>().ln();
        }
        assert!((consensus.trace.values[0] - expected).abs() < 1e-9);
    }

    #[test]
    fn a_start_is_a_start() {
        let votes = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0), (2, 0, 1), (2, 1, 0), (2, 2, 1)];
        let decisions = Decisions::from_triples(3, 3, votes).unwrap();
        let ballots = Ballots::new(&decisions, 2).unwrap();
        let usual = context(|ctx| once().aggregate(&ballots, ctx)).unwrap();
        let from_shares = context(|ctx| once().aggregate_from(&ballots, &vote_shares(&ballots), ctx)).unwrap();
        assert_eq!(usual, from_shares);
        let truth = Columns::from_values(2, vec![0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
        let from_truth = context(|ctx| once().aggregate_from(&ballots, &truth, ctx)).unwrap();
        assert_eq!(from_truth.skills, [1.0, 2.0 / 3.0, 2.0 / 3.0]);
        // A known truth stays known whatever the start says.
        let gold = [None, Some(Label(1)), None];
        let ballots = ballots.with_gold(&gold).unwrap();
        let taught = context(|ctx| once().aggregate_from(&ballots, &truth, ctx)).unwrap();
        assert_eq!(taught.skills, [2.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]);
        assert_eq!(taught.probabilities.column(1), [0.0, 1.0]);
    }

    #[test]
    fn a_start_of_the_wrong_shape_is_refused() {
        let decisions = Decisions::from_triples(2, 1, [(0, 0, 1)]).unwrap();
        let ballots = Ballots::new(&decisions, 2).unwrap();
        let message = |rows, values: &[f64]| {
            let start = Columns::from_values(rows, values.to_vec());
            context(|ctx| once().aggregate_from(&ballots, &start, ctx)).unwrap_err().to_string()
        };
        let rows = "the number of rows of the start is 3, but must be one for each of the 2 classes";
        assert_eq!(message(3, &[1.0, 0.0, 0.0]), rows);
        assert_eq!(message(2, &[1.0, 0.0]), "the start has 1 entries, but the votes are on 2 tasks");
        let column = "the start of task 1 is [0.5, 0.6], but must be numbers between 0 and 1 whose sum is 1";
        assert_eq!(message(2, &[1.0, 0.0, 0.5, 0.6]), column);
        assert!(message(2, &[1.0, 0.0, f64::NAN, 1.0]).starts_with("the start of task 1 is [NaN, 1.0]"));
    }

    #[test]
    fn where_errors_are_not_symmetric_the_likelihood_points_away_from_the_truth() {
        // Nearly everybody sees class 1 where it is, and misses class 0 as often as not.
        let (mut truth, mut votes) = (Vec::new(), Vec::new());
        for task in 0..800 {
            let mut random = Stream::new(5).at(task);
            let class = usize::from(random.random_bool(0.7));
            truth.extend([1.0 - class as f64, class as f64]);
            for worker in 0..20 {
                if random.random_bool(0.4) {
                    let ones = if class == 1 { 0.97 } else { 0.5 };
                    votes.push((task as u32, worker, u16::from(random.random_bool(ones))));
                }
            }
        }
        let decisions = Decisions::from_triples(800, 20, votes).unwrap();
        let ballots = Ballots::new(&decisions, 2).unwrap();
        let truth = Columns::from_values(2, truth);
        let accuracy = |consensus: &Consensus| {
            let right = |(label, truth): (&Label, &[f64])| truth[label.index()];
            consensus.labels.iter().zip(truth.iter()).map(right).sum::<f64>() / 800.0
        };
        let to_the_end = OneCoin { iterations: Iterations { limit: 1000, tolerance: 1e-9 } };
        let from_truth = context(|ctx| to_the_end.aggregate_from(&ballots, &truth, ctx)).unwrap();
        let from_votes = context(|ctx| to_the_end.aggregate(&ballots, ctx)).unwrap();
        let two_coins = context(|ctx| crate::DawidSkene::default().aggregate(&ballots, ctx)).unwrap();
        let (first, last) = (from_truth.trace.values[0], from_truth.trace.values.last().unwrap());
        assert!(*last > first + 50.0, "{first} {last}");
        assert!((last - from_votes.trace.values.last().unwrap()).abs() < 0.1);
        let found = [accuracy(&from_truth), accuracy(&from_votes), accuracy(&two_coins)];
        assert!(found[0] < 0.8 && (found[0] - found[1]).abs() < 0.01 && found[2] > 0.88, "{found:?}");
    }

    #[test]
    fn iterations_are_checked() {
        let decisions = Decisions::from_triples(1, 1, [(0, 0, 1)]).unwrap();
        let ballots = Ballots::new(&decisions, 2).unwrap();
        let message = |limit, tolerance| {
            let model = OneCoin { iterations: Iterations { limit, tolerance } };
            context(|ctx| model.aggregate(&ballots, ctx)).unwrap_err().to_string()
        };
        assert_eq!(message(0, 1e-5), "the limit of iterations is 0, but must be 1 or more");
        assert_eq!(message(5, -1.0), "the tolerance is -1, but must be 0 or more");
    }
}
