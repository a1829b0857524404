//! Majority and weighted majority.

use deferral_core::{
    AggregateError, Aggregator, Ballots, CaseId, Columns, Consensus, Context, ExpertId, Label, ParameterError,
    Probabilities, Stream, Trace, Workers, argmax,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::em::{class_shares, vote_shares};

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
    /// The one that is more frequent among all votes, the lowest if that is a tie too.
    MostFrequent,
}

/// Every vote counts the same. O(votes + n K).
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

/// Every vote counts as much as the given weight of its worker; a task whose voters all weigh nothing has a uniform
/// distribution. O(votes + n K).
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
        let probabilities = weighted_shares(ballots, &self.weights);
        let prior = class_shares(ballots, &vote_shares(ballots));
        let labels = pick(&probabilities, self.tie, &prior, &ctx.stream("ties"));
        let skills = agreement(ballots, &labels);
        let workers = Workers::Weights(self.weights.clone());
        let consensus = Consensus::new(Probabilities(probabilities), prior, skills, workers, Trace::none());
        Ok(Consensus { labels, ..consensus })
    }
}

/// Each task's shares of the voters' weights.
pub(crate) fn weighted_shares(ballots: &Ballots<'_>, weights: &[f64]) -> Columns {
    let classes = ballots.classes();
    let mut shares = Columns::zeros(classes, ballots.n());
    for task in 0..ballots.n() {
        let column = shares.column_mut(task);
        if let Some(label) = ballots.gold_of(task) {
            column[label.index()] = 1.0;
            continue;
        }
        for (worker, label) in ballots.decisions().of_case(CaseId::at(task)).iter() {
            column[label.index()] += weights[worker.index()];
        }
        let total: f64 = column.iter().sum();
        for share in column {
            *share = if total > 0.0 { *share / total } else { 1.0 / classes as f64 };
        }
    }
    shares
}

/// The best class of each task under a tie rule. Sums of the same weights in another order may differ in the last bits, so
/// scores within 1e-12 are equal.
fn pick(shares: &Columns, tie: TieRule, prior: &[f64], stream: &Stream) -> Vec<Label> {
    const EQUAL: f64 = 1e-12;
    let mut tied = Vec::with_capacity(shares.rows());
    let choose = |(task, column): (usize, &[f64])| {
        let best = column[argmax(column)];
        tied.clear();
        tied.extend((0..column.len()).filter(|&class| column[class] >= best - EQUAL));
        let at = match (tie, tied.len()) {
            (_, 0 | 1) | (TieRule::Lowest, _) => 0,
            (TieRule::Highest, n) => n - 1,
            (TieRule::Random, n) => stream.at(task).random_range(0..n),
            (TieRule::MostFrequent, _) => argmax(&tied.iter().map(|&class| prior[class]).collect::<Vec<_>>()),
        };
        Label::at(tied.get(at).copied().unwrap_or(0))
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
