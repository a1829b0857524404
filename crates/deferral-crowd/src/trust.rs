//! Workers as an aggregator believes them, as a policy: new cases are decided by the same rule by which the old ones
//! were aggregated.

use deferral_core::{
    Aggregator, Ballots, CaseWeights, Cases, Columns, Committee, Confusions, Consultation, Consulted, Context, Dataset,
    ExpertId, FitError, GroupId, Label, Learner, Next, ParameterError, Policy, PolicyError, Probabilities, Verdict,
    Weights, Workers, argmax,
};
use deferral_models::{ClassifierPolicy, Scaling, stable::softmax};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::aggregation::AnyAggregator;

/// Learns whom to trust by aggregating the votes on the training cases, without gold labels unless asked to use them.
///
/// Experts weigh as much as the log-odds of their skill, or as their vote did in a weighted majority; those who are no
/// better than chance weigh nothing. Whoever is asked, [`CrowdPolicy::decide_by`] combines their answers as the aggregator
/// did. O(the aggregator).
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
        let policy = |consensus: deferral_core::Consensus, classifier, scaling| CrowdPolicy {
            classifier,
            scaling,
            shares: consensus.prior,
            workers: consensus.workers,
        };
        if let AnyAggregator::LearningFromCrowds(model) = &self.aggregator {
            let fit = model.fit(&ballots, ctx)?;
            let classifier = ClassifierPolicy::of_logistic(data.m(), fit.classifier);
            return Ok(policy(fit.consensus, classifier, Some(fit.scaling)));
        }
        let consensus = self.aggregator.aggregate(&ballots, ctx)?;
        let classifier = ClassifierPolicy::prior(data.m(), consensus.prior.clone())?;
        Ok(policy(consensus, classifier, None))
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
            let skill = |worker| log_odds(table.skill(ExpertId::at(worker), &self.shares), self.classes());
            column(&mut (0..self.experts()).map(skill))
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

/// The weight of a vote of somebody who is right with probability `skill` and errs on every other class alike; 0 for
/// whoever is no better than chance.
fn log_odds(skill: f64, classes: usize) -> f64 {
    const CLOSEST: f64 = 1e-6;
    let skill = skill.clamp(CLOSEST, 1.0 - CLOSEST);
    (classes.saturating_sub(1).max(1) as f64 * skill / (1.0 - skill)).ln().max(0.0)
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
    let label = argmax(&belief);
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
