//! Majority and weighted majority.

use deferral_core::{
    AggregateError, Aggregator, Ballots, CaseId, Columns, Consensus, Context, ExpertId, Label, ParameterError,
    Probabilities, Stream, Trace, Workers, most_probable, tied,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::em::{class_shares, is_known, vote_shares};

/// What decides between classes with equal scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TieRule {
    /// The lowest class: with two classes a tie gives label 0, as in all code that the papers released.
    #[default]
    Lowest,
    /// The highest class.
    Highest,
    /// One of them at random, drawn from the stream of the task.
    Random,
    /// The one with the larger share of the votes in the mean over the tasks (a known truth is a share of one), the
    /// lowest if that is a tie too.
    MostFrequent,
}

/// Every vote counts the same; a task without votes has the mean shares of the others. O(votes + n K).
///
/// ```
/// use deferral_core::{Aggregator, Ballots, Context, Decisions, Label, Silent, Stream};
/// use deferral_crowd::{Majority, TieRule};
/// // Two to one on the first task, a tie on the second.
/// let votes = Decisions::from_triples(2, 3, [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 1), (1, 1, 0)])?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let ballots = Ballots::new(&votes, 2)?;
/// assert_eq!(Majority::default().aggregate(&ballots, &mut ctx)?.labels, [Label(1), Label(0)]);
/// assert_eq!(Majority { tie: TieRule::Highest }.aggregate(&ballots, &mut ctx)?.labels, [Label(1), Label(1)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Majority {
    /// What breaks ties.
    pub tie: TieRule,
}

impl Aggregator for Majority {
    fn aggregate(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<Consensus, AggregateError> {
        WeightedMajority { weights: vec![1.0; ballots.m()], tie: self.tie }.aggregate(ballots, ctx)
    }
}

/// Every vote counts as much as the given weight of its worker. A task whose voters all weigh nothing has a uniform
/// distribution, a task without votes the mean shares of the (unweighted) votes on the others. O(votes + n K).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WeightedMajority {
    /// One weight a worker, 0 or more.
    pub weights: Vec<f64>,
    /// What breaks ties.
    pub tie: TieRule,
}

impl Aggregator for WeightedMajority {
    fn aggregate(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<Consensus, AggregateError> {
        let (found, m) = (self.weights.len(), ballots.m());
        ParameterError::check(found == m, "the number of weights", found, &format!("one for each of the {m} workers"))?;
        if let Some(worker) = self.weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            let parameter = format!("the weight of worker {worker}");
            return Err(ParameterError::new(parameter, self.weights[worker], "a finite number, 0 or more").into());
        }
        let prior = class_shares(ballots, &vote_shares(ballots));
        let probabilities = weighted_shares(ballots, &self.weights, &prior);
        let labels = pick(&probabilities, self.tie, &prior, &ctx.stream("ties"));
        let skills = agreement(ballots, &labels);
        let workers = Workers::Weights(self.weights.clone());
        let consensus = Consensus::new(Probabilities(probabilities), prior, skills, workers, Trace::none());
        Ok(Consensus { labels, ..consensus })
    }
}

/// Each task's shares of the voters' weights; `prior` where nothing is known of a task.
pub(crate) fn weighted_shares(ballots: &Ballots<'_>, weights: &[f64], prior: &[f64]) -> Columns {
    let classes = ballots.classes();
    // Only ratios matter, and sums of weights of at most one do not overflow.
    let unit = weights.iter().copied().fold(0.0, f64::max);
    let mut shares = Columns::zeros(classes, ballots.n());
    for task in 0..ballots.n() {
        let column = shares.column_mut(task);
        if let Some(label) = ballots.gold_of(task) {
            column[label.index()] = 1.0;
            continue;
        }
        if !is_known(ballots, task) {
            column.copy_from_slice(prior);
            continue;
        }
        for (worker, label) in ballots.decisions().of_case(CaseId::at(task)).iter() {
            let weight = weights[worker.index()];
            column[label.index()] += if weight > 0.0 { weight / unit } else { 0.0 };
        }
        let total: f64 = column.iter().sum();
        for share in column {
            *share = if total > 0.0 { *share / total } else { 1.0 / classes as f64 };
        }
    }
    shares
}

/// The best class of each task under a tie rule.
pub(crate) fn pick(shares: &Columns, tie: TieRule, prior: &[f64], ties: &Stream) -> Vec<Label> {
    let mut best = Vec::with_capacity(shares.rows());
    let choose = |(task, column): (usize, &[f64])| {
        best.clear();
        best.extend(tied(column));
        let at = match (tie, best.len()) {
            (_, 0 | 1) | (TieRule::Lowest, _) => 0,
            (TieRule::Highest, n) => n - 1,
            (TieRule::Random, n) => ties.at(task).random_range(0..n),
            (TieRule::MostFrequent, _) => {
                let shares: Vec<f64> = best.iter().map(|&class| prior[class]).collect();
                most_probable(&shares)
            }
        };
        Label::at(best.get(at).copied().unwrap_or(0))
    };
    shares.iter().enumerate().map(choose).collect()
}

/// For each worker the share of their votes that agree with `labels`; for one without votes the share of all.
pub(crate) fn agreement(ballots: &Ballots<'_>, labels: &[Label]) -> Vec<f64> {
    let decisions = ballots.decisions();
    let agreeing = |worker: usize| {
        let row = decisions.of_expert(ExpertId::at(worker));
        (row.iter().filter(|(task, label)| labels[task.index()] == *label).count(), row.len())
    };
    let counts: Vec<(usize, usize)> = (0..ballots.m()).map(agreeing).collect();
    let (right, all) = counts.iter().fold((0, 0), |(r, n), (right, votes)| (r + right, n + votes));
    let share = |right: usize, votes: usize| right as f64 / votes.max(1) as f64;
    counts.iter().map(|&(r, n)| if n > 0 { share(r, n) } else { share(right, all) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Decisions, Silent};

    fn run(aggregator: &dyn Aggregator, ballots: &Ballots<'_>, seed: u64) -> Result<Consensus, AggregateError> {
        let mut silent = Silent;
        aggregator.aggregate(ballots, &mut Context::new(Stream::new(seed), &mut silent))
    }

    fn labels(tie: TieRule, votes: &Decisions, classes: usize) -> Vec<u16> {
        let consensus = run(&Majority { tie }, &Ballots::new(votes, classes).unwrap(), 3).unwrap();
        consensus.labels.iter().map(|label| label.0).collect()
    }

    /// Task 0: 0, 1 and 2 tie. Task 1: 1 and 2 tie. Task 2: 2 wins. Shares in the mean: 1/9, 5/18, 11/18.
    fn ties() -> Decisions {
        let votes = [(0, 0, 2), (0, 1, 0), (0, 2, 1), (1, 0, 1), (1, 1, 2), (2, 0, 2)];
        Decisions::from_triples(3, 3, votes).unwrap()
    }

    #[test]
    fn each_rule_breaks_ties_its_own_way() {
        assert_eq!(labels(TieRule::Lowest, &ties(), 3), [0, 1, 2]);
        assert_eq!(labels(TieRule::Highest, &ties(), 3), [2, 2, 2]);
        assert_eq!(labels(TieRule::MostFrequent, &ties(), 3), [2, 2, 2]);
        // Class 0 is the frequent one here, and class 3 has the larger id.
        let common = Decisions::from_triples(3, 2, [(0, 0, 0), (0, 1, 3), (1, 0, 0), (2, 0, 1)]).unwrap();
        assert_eq!(labels(TieRule::MostFrequent, &common, 4), [0, 0, 1]);
        assert_eq!(labels(TieRule::Highest, &common, 4), [3, 0, 1]);
    }

    #[test]
    fn equally_frequent_classes_fall_to_the_lowest() {
        // Class 0 has 3 of 6, 2 of 3, 1 of 3 and 1 of 2 votes: half in the mean, but for the last bit of the sum.
        let of_zero = [(3, 6), (2, 3), (1, 3), (1, 2)];
        let votes = of_zero.iter().enumerate().flat_map(|(task, &(zeros, all))| {
            (0..all).map(move |worker| (task as u32, worker, u16::from(worker >= zeros)))
        });
        let votes = Decisions::from_triples(4, 6, votes).unwrap();
        assert_eq!(labels(TieRule::MostFrequent, &votes, 2), [0, 0, 1, 0]);
    }

    #[test]
    fn random_ties_give_each_of_the_tied_its_turn_and_nobody_else() {
        let n = 600;
        let votes = (0..n).flat_map(|task| [(task, 0, 1), (task, 1, 3)]);
        let votes = Decisions::from_triples(n as usize, 2, votes).unwrap();
        let found = labels(TieRule::Random, &votes, 4);
        let ones = found.iter().filter(|label| **label == 1).count();
        assert!(found.iter().all(|label| [1, 3].contains(label)));
        assert!((240..=360).contains(&ones), "{ones}");
        assert_eq!(found, labels(TieRule::Random, &votes, 4));
        // A draw belongs to its task: more tasks leave the first ones as they are.
        let more = (0..=n).flat_map(|task| [(task, 0, 1), (task, 1, 3)]);
        let more = Decisions::from_triples(n as usize + 1, 2, more).unwrap();
        assert_eq!(found, labels(TieRule::Random, &more, 4)[..n as usize]);
        assert_eq!(labels(TieRule::Random, &ties(), 3)[2], 2);
    }

    #[test]
    fn ties_of_weights_do_not_hang_on_their_order() {
        // The shares of .1 + .3 and of .4 differ in the last bit.
        let votes = Decisions::from_triples(1, 3, [(0, 0, 0), (0, 1, 0), (0, 2, 1)]).unwrap();
        let rule = |tie| WeightedMajority { weights: vec![0.1, 0.3, 0.4], tie };
        let ballots = Ballots::new(&votes, 2).unwrap();
        assert_eq!(run(&rule(TieRule::Lowest), &ballots, 1).unwrap().labels, [Label(0)]);
        assert_eq!(run(&rule(TieRule::Highest), &ballots, 1).unwrap().labels, [Label(1)]);
    }

    #[test]
    fn weights_that_are_zero_or_huge_leave_distributions() {
        let votes = Decisions::from_triples(2, 3, [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 2, 0)]).unwrap();
        let ballots = Ballots::new(&votes, 2).unwrap();
        let shares = |weights: [f64; 3]| {
            let rule = WeightedMajority { weights: weights.to_vec(), ..Default::default() };
            run(&rule, &ballots, 1).unwrap().probabilities.values().to_vec()
        };
        assert_eq!(shares([1.0, 1.0, 0.0]), [0.0, 1.0, 0.5, 0.5]);
        assert_eq!(shares([0.0; 3]), [0.5; 4]);
        assert_eq!(shares([f64::MAX; 3])[2..], [1.0, 0.0]);
        assert!((shares([f64::MAX; 3])[1] - 2.0 / 3.0).abs() < 1e-12);
        assert!((shares([5e-324; 3])[1] - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_task_without_votes_gets_what_is_likely_a_priori() {
        let votes = Decisions::from_triples(4, 1, [(0, 0, 1), (1, 0, 1), (2, 0, 0)]).unwrap();
        let consensus = run(&Majority::default(), &Ballots::new(&votes, 2).unwrap(), 1).unwrap();
        assert!((consensus.probabilities.column(3)[1] - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(consensus.labels[3], Label(1));
    }

    #[test]
    fn weights_are_checked() {
        let votes = Decisions::from_triples(1, 2, [(0, 0, 1)]).unwrap();
        let ballots = Ballots::new(&votes, 2).unwrap();
        let message = |weights: &[f64]| {
            let rule = WeightedMajority { weights: weights.to_vec(), ..Default::default() };
            run(&rule, &ballots, 1).unwrap_err().to_string()
        };
        assert_eq!(message(&[1.0]), "the number of weights is 1, but must be one for each of the 2 workers");
        assert_eq!(message(&[1.0, -0.5]), "the weight of worker 1 is -0.5, but must be a finite number, 0 or more");
        assert!(message(&[f64::NAN, 1.0]).starts_with("the weight of worker 0 is NaN"));
        assert!(message(&[1.0, f64::INFINITY]).starts_with("the weight of worker 1 is inf"));
    }
}
