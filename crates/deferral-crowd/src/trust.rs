//! Workers as an aggregator believes them, as a policy: new cases are decided by the same rule by which the old ones
//! were aggregated.

use deferral_core::{
    Aggregator, Ballots, CaseWeights, Cases, Columns, Committee, Confusions, Consultation, Consulted, Context,
    Criterion, Dataset, Event, ExpertId, FitError, GroupId, Label, Learner, Next, ParameterError, Policy, PolicyError,
    Probabilities, Verdict, Weights, Workers, most_probable,
};
use deferral_models::{ClassifierPolicy, Scaling, stable::softmax};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::aggregation::AnyAggregator;

/// Learns whom to trust by aggregating the votes on the training cases, without gold labels unless asked to use them.
///
/// Experts weigh as much as a vote of theirs tells of the truth, in nats (the mutual information of vote and truth), or
/// as their vote did in a weighted majority; those who answer at random weigh nothing and are not asked. Whoever is
/// asked, [`CrowdPolicy::decide_by`] combines their answers as the aggregator did. O(the aggregator).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// How the training votes are aggregated.
    pub aggregator: AnyAggregator,
    /// Whether the labels of the training cases are believed; `false` by default.
    #[serde(default)]
    pub gold: bool,
}

/// What [`Trust`] learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrowdPolicy {
    classifier: ClassifierPolicy,
    scaling: Option<Scaling>,
    shares: Vec<f64>,
    workers: Workers,
}

impl Learner for Trust {
    type Policy = CrowdPolicy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<CrowdPolicy, FitError> {
        let expected = "all equal: votes are aggregated, not weighted by case";
        ParameterError::check(weights.is_uniform(), "a set of case weights", "uneven", expected)?;
        let ballots = Ballots::new(data.decisions(), data.k())?.with_cases(data.cases())?;
        let ballots = if self.gold { ballots.with_gold(data.cases().labels())? } else { ballots };
        let (consensus, classifier, scaling) = match &self.aggregator {
            AnyAggregator::LearningFromCrowds(model) => {
                let fit = model.fit(&ballots, ctx)?;
                let classifier = match fit.classifier {
                    Some(logistic) => ClassifierPolicy::of_logistic(data.m(), logistic),
                    None => ClassifierPolicy::prior(data.m(), fit.consensus.prior.clone())?,
                };
                (fit.consensus, classifier, Some(fit.scaling))
            }
            aggregator => {
                let consensus = aggregator.aggregate(&ballots, ctx)?;
                let classifier = ClassifierPolicy::prior(data.m(), consensus.prior.clone())?;
                (consensus, classifier, None)
            }
        };
        if consensus.trace.criterion != Criterion::None {
            ctx.report(&Event::Finished(consensus.trace.status))?;
        }
        Ok(CrowdPolicy { classifier, scaling, shares: consensus.prior, workers: consensus.workers })
    }
}

impl CrowdPolicy {
    /// What it believes of the workers.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// The share of each class, as it believes.
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// The rule that asks as `committee` does and decides by Bayes' rule with the confusion matrices of those who
    /// answered and what the classifier believes of the case; as the committee does if there are only weights.
    ///
    /// # Errors
    /// If the cases lack the group attribute that the matrices are by.
    pub fn decide_by<'a>(&'a self, committee: Committee, cases: &'a Cases) -> Result<PosteriorVote<'a>, PolicyError> {
        let tables = match &self.workers {
            Workers::Weights(_) => CaseTables::None,
            Workers::Confusions(confusions) => CaseTables::One(confusions),
            Workers::ByGroup { attribute, .. } => CaseTables::ByCase(self.tables_of(cases, attribute)?),
        };
        Ok(PosteriorVote { committee, tables })
    }

    /// The matrices of each case's group; those for anywhere where the group was not there in training.
    fn tables_of(&self, cases: &Cases, attribute: &str) -> Result<Vec<&Confusions>, PolicyError> {
        let group = cases.group(attribute)?;
        let Workers::ByGroup { values, of_group, anywhere, .. } = &self.workers else { return Ok(Vec::new()) };
        let known = |id: &GroupId| values.position(group.values.show(id.index())).and_then(|at| of_group.get(at));
        Ok(group.of_case.iter().map(|id| known(id).unwrap_or(anywhere)).collect())
    }
}

impl Policy for CrowdPolicy {
    fn experts(&self) -> usize {
        self.classifier.experts()
    }

    fn classes(&self) -> usize {
        self.classifier.classes()
    }

    fn needs_group(&self) -> Option<&str> {
        match &self.workers {
            Workers::ByGroup { attribute, .. } => Some(attribute),
            _ => None,
        }
    }

    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        let mut probabilities = self.classifier.classify(cases)?;
        if let Some(scaling) = &self.scaling {
            for case in 0..probabilities.n() {
                scaling.apply(probabilities.0.column_mut(case));
            }
        }
        Ok(probabilities)
    }

    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        let column = |skills: &mut dyn Iterator<Item = f64>| skills.chain([0.0]).collect::<Vec<f64>>();
        let of = |table: &Confusions| {
            let weight = |worker| information(table, worker, &self.shares);
            column(&mut (0..self.experts()).map(weight))
        };
        match &self.workers {
            Workers::Weights(weights) => Ok(Weights(Columns::repeat(&column(&mut weights.iter().copied()), cases.n()))),
            Workers::Confusions(table) => Ok(Weights(Columns::repeat(&of(table), cases.n()))),
            Workers::ByGroup { attribute, .. } => {
                let values = self.tables_of(cases, attribute)?.into_iter().flat_map(of).collect();
                Ok(Weights(Columns::from_values(self.experts() + 1, values)))
            }
        }
    }
}

/// What a vote of this worker tells of the truth, in nats: the mutual information of vote and truth. 0 for somebody
/// whose votes do not depend on the truth, `ln K` for one who is always right where all classes are equally frequent.
fn information(table: &Confusions, worker: usize, shares: &[f64]) -> f64 {
    let mut sum = 0.0;
    for vote in 0..table.classes() {
        let given = table.given_vote(ExpertId::at(worker), Label::at(vote));
        let overall: f64 = given.iter().zip(shares).map(|(p, share)| p * share).sum();
        let part = |(p, share): (&f64, &f64)| if *p > 0.0 { share * p * (p / overall).ln() } else { 0.0 };
        sum += given.iter().zip(shares).filter(|(_, share)| **share > 0.0).map(part).sum::<f64>();
    }
    // Rounding may leave less than nothing.
    sum.max(0.0)
}

/// Asks as a committee does and decides by the posterior: `p_k ~ P(k | case) prod_j C_j[k, vote_j]`.
/// O(K) a vote.
#[derive(Debug, Clone)]
pub struct PosteriorVote<'a> {
    committee: Committee,
    tables: CaseTables<'a>,
}

#[derive(Debug, Clone)]
enum CaseTables<'a> {
    None,
    One(&'a Confusions),
    ByCase(Vec<&'a Confusions>),
}

/// The most probable class after these votes.
fn decide(table: &Confusions, state: &Consulted<'_>) -> Verdict {
    const FLOOR: f64 = 1e-10;
    let mut belief: Vec<f64> = state.probabilities.iter().map(|p| p.max(FLOOR).ln()).collect();
    for vote in state.votes {
        // The classifier has already said what it has to say, and a vote outside the table says nothing.
        if vote.expert.index() < table.workers() && vote.label.index() < table.classes() {
            for (log, p) in belief.iter_mut().zip(table.given_vote(vote.expert, vote.label)) {
                *log += p.max(FLOOR).ln();
            }
        }
    }
    softmax(&mut belief);
    let label = most_probable(&belief);
    Verdict { label: Label::at(label), confidence: belief[label] }
}

impl Consultation for PosteriorVote<'_> {
    fn next(&self, state: &Consulted<'_>, random: &mut dyn Rng) -> Next {
        let next = self.committee.next(state, random);
        let table = match &self.tables {
            CaseTables::None => None,
            CaseTables::One(table) => Some(*table),
            CaseTables::ByCase(tables) => tables.get(state.case.index()).copied(),
        };
        match (next, table) {
            (Next::Decide(_), Some(table)) => Next::Decide(decide(table, state)),
            (next, _) => next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn information_is_none_of_a_random_vote_and_all_of_a_perfect_one() {
        let table = [[[1.0, 0.0], [0.0, 1.0]], [[0.3, 0.7], [0.3, 0.7]], [[0.0, 1.0], [1.0, 0.0]]];
        let table = Confusions::from_fn(3, 2, |worker, truth, vote| table[worker][truth][vote]);
        let of = |worker| information(&table, worker, &[0.5, 0.5]);
        assert!((of(0) - std::f64::consts::LN_2).abs() < 1e-12);
        assert_eq!(of(1), 0.0);
        // Always wrong tells as much as always right.
        assert_eq!(of(2), of(0));
        // Entropy before minus expected entropy after: H(p) - E H(p | vote) with p = (.4, .6).
        let expert = Confusions::from_fn(1, 2, |_, truth, vote| [[0.8, 0.2], [0.1, 0.9]][truth][vote]);
        assert!((information(&expert, 0, &[0.4, 0.6]) - 0.268_853).abs() < 1e-6);
    }
}
