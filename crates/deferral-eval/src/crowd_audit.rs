//! What aggregators believe of the workers: skills, suspects, and models that contradict the crowd.

use deferral_core::{Aggregator, Ballots, Consensus, Context, Decisions, Label, Silent, Stream};
use deferral_crowd::{DawidSkene, Glad, HierarchicalDawidSkene, Mace, OneCoin};
use deferral_data::Records;
use deferral_metrics::{Correctness, ExpertAccuracy, Measured, expert_accuracies};
use serde::Serialize;

use crate::error::EvalError;
use crate::routing::{RoutingRow, routing};
use crate::suspects::{Suspicion, majority_agreement, suspicions};

/// What the votes alone say of the workers; and with gold labels, whether routing is worth it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CrowdAudit {
    /// For each worker, in the order of the roster: the probability of being right, by hierarchical Dawid-Skene.
    pub skills: Vec<f64>,
    /// For each worker: the share of votes that do not depend on the truth, by MACE.
    pub spam_rates: Vec<f64>,
    /// Who may be spamming, those with most votes first.
    pub suspects: Vec<Suspect>,
    /// What each model makes of the votes.
    pub models: Vec<ModelCheck>,
    /// What single votes agree with the majority, in the mean.
    pub vote_agreement: f64,
    /// Ways of deciding; none without gold labels.
    pub routing: Vec<RoutingRow>,
}

/// Somebody who may be spamming.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suspect {
    /// Name.
    pub expert: String,
    /// Votes.
    pub votes: usize,
    /// How often they are right, where the truth is known. Suspicion does not look at it.
    pub accuracy: Measured,
    /// Why.
    pub reasons: Vec<Suspicion>,
}

/// One model of the votes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelCheck {
    /// Its name.
    pub model: String,
    /// Accuracy on the cases with a gold label.
    pub accuracy: Measured,
    /// Share of the cases on which it says what the majority says.
    pub majority_agreement: f64,
    /// Whether that is less than single votes do: then do not believe it.
    pub contradicts_majority: bool,
}

/// Looks at the workers through five models.
///
/// # Errors
/// If there is no vote.
pub fn crowd_audit(records: &Records, seed: u64) -> Result<CrowdAudit, EvalError> {
    let decisions = &records.decisions;
    let ballots = Ballots::new(decisions, records.label_names.len())?;
    let stream = Stream::new(seed).child("crowd audit");
    let mut silent = Silent;
    let mut ctx = Context::new(stream, &mut silent);
    let hierarchical = HierarchicalDawidSkene::default().aggregate(&ballots, &mut ctx)?;
    let mace = Mace::default().fit(&ballots, &mut ctx)?;
    let others: [(&str, Box<dyn Aggregator>); 3] = [
        ("one-coin", Box::new(OneCoin::default())),
        ("dawid-skene", Box::new(DawidSkene::default())),
        ("glad", Box::new(Glad::default())),
    ];
    let mut models = Vec::new();
    for (name, model) in others {
        models.push(check(records, name, &model.aggregate(&ballots, &mut ctx)?)?);
    }
    models.push(check(records, "mace", &mace.consensus)?);
    models.push(check(records, "hierarchical", &hierarchical)?);
    let gold = records.labels.iter().any(Option::is_some);
    Ok(CrowdAudit {
        suspects: suspects(records, &hierarchical, &mace.spam_rate)?,
        vote_agreement: majority_agreement(decisions, &hierarchical.labels).1,
        skills: hierarchical.skills,
        spam_rates: mace.spam_rate,
        models,
        routing: if gold { routing(records, seed)? } else { Vec::new() },
    })
}

fn check(records: &Records, model: &str, consensus: &Consensus) -> Result<ModelCheck, EvalError> {
    let (of_model, of_votes) = majority_agreement(&records.decisions, &consensus.labels);
    let voted = voted(&records.decisions, &consensus.labels);
    Ok(ModelCheck {
        model: model.to_owned(),
        accuracy: Correctness::of(&voted, &records.labels)?.accuracy(),
        majority_agreement: of_model,
        contradicts_majority: of_model < of_votes,
    })
}

/// The labels of the cases that somebody voted on.
pub(crate) fn voted(decisions: &Decisions, labels: &[Label]) -> Vec<Option<Label>> {
    let known = |case: usize| !decisions.of_case(deferral_core::CaseId::at(case)).is_empty();
    labels.iter().enumerate().map(|(case, label)| known(case).then_some(*label)).collect()
}

fn suspects(records: &Records, consensus: &Consensus, spam_rates: &[f64]) -> Result<Vec<Suspect>, EvalError> {
    let name = |label: Label| records.label_names.show(label.index()).to_owned();
    let found = suspicions(&records.decisions, &name, consensus, spam_rates);
    let graded = expert_accuracies(&records.decisions, &records.labels, None)?;
    let suspect = |((worker, reasons), graded): ((usize, Vec<Suspicion>), ExpertAccuracy)| Suspect {
        expert: records.experts.show(worker).to_owned(),
        votes: graded.answered,
        accuracy: graded.overall,
        reasons,
    };
    let mut suspects: Vec<Suspect> = found
        .into_iter()
        .enumerate()
        .zip(graded)
        .filter(|((_, reasons), _)| !reasons.is_empty())
        .map(suspect)
        .collect();
    suspects.sort_by_key(|suspect| std::cmp::Reverse(suspect.votes));
    Ok(suspects)
}

impl CrowdAudit {
    /// Skill and spam rate of the worker at a position of the roster.
    pub fn of(&self, position: usize) -> (f64, f64) {
        let at = |values: &[f64]| values.get(position).copied().unwrap_or(f64::NAN);
        (at(&self.skills), at(&self.spam_rates))
    }

    /// What the reader must know before believing a model.
    pub fn warnings(&self) -> Vec<String> {
        let warning = |check: &ModelCheck| {
            format!(
                "the labels of {} agree with the majority on {:.1} % of the cases, less than single votes do ({:.1} %): \
                 the model does not fit these votes, do not use it here",
                check.model,
                100.0 * check.majority_agreement,
                100.0 * self.vote_agreement
            )
        };
        self.models.iter().filter(|check| check.contradicts_majority).map(warning).collect()
    }
}
