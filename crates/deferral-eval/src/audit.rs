//! Looking at the experts before trusting them: agreement, accuracy by expert and group, load, label counts.

use deferral_core::{CaseId, ExpertId, GroupId};
use deferral_data::Records;
use deferral_metrics::{
    Correctness, ExpertAccuracy, GroupAdvantage, Load, Measured, Spread, expert_accuracies, krippendorff_alpha,
    majority,
};
use serde::Serialize;

use crate::error::EvalError;

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audit {
    /// Number of cases.
    pub cases: usize,
    /// Those without a gold label; they count for agreement only.
    pub cases_without_label: usize,
    /// Those that nobody labelled.
    pub cases_without_decisions: usize,
    /// Experts in the roster.
    pub experts: usize,
    /// Those who labelled anything.
    pub active_experts: usize,
    /// Number of decisions.
    pub decisions: usize,
    /// How often each label was given as gold and by experts.
    pub labels: Vec<LabelCount>,
    /// Decisions a case.
    pub per_case: Option<Spread>,
    /// Decisions an active expert.
    pub per_expert: Option<Spread>,
    /// Krippendorff's alpha (nominal, missing data).
    pub alpha: Measured,
    /// Accuracy of the majority vote; ties go to the first label, cases without votes are left out.
    pub majority: Measured,
    /// Accuracy of the experts who answered a case with a gold label, each counting once; sd is that of a population.
    pub accuracy: Option<Spread>,
    /// The same on each group of an attribute.
    pub by_group: Vec<GroupAudit>,
    /// For each pair of groups: who is better on which.
    pub advantages: Vec<Advantage>,
    /// How the decisions are spread over the experts.
    pub load: Option<Load>,
    /// The experts, those with most answers first.
    pub roster: Vec<ExpertAudit>,
}

/// How often a label occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabelCount {
    /// The label.
    pub label: String,
    /// Cases whose truth it is.
    pub gold: usize,
    /// Decisions for it.
    pub decisions: usize,
}

/// The experts on one group of cases.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupAudit {
    /// The group.
    pub group: String,
    /// Its cases.
    pub cases: usize,
    /// Accuracy of the experts who answered any of them.
    pub accuracy: Option<Spread>,
}

/// Who is better on which of two groups, and by how much.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advantage {
    /// One group.
    pub first: String,
    /// The other.
    pub second: String,
    /// Of those better on the first: how many, and their lead.
    pub better_on_first: Option<Spread>,
    /// Of those better on the second.
    pub better_on_second: Option<Spread>,
    /// Experts as good on both.
    pub equal: usize,
    /// Experts who did not answer both.
    pub undefined: usize,
}

/// One expert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpertAudit {
    /// Name.
    pub expert: String,
    /// Position in the roster of the records.
    pub position: usize,
    /// Decisions.
    pub answered: usize,
    /// Accuracy on cases with a gold label, with interval.
    pub accuracy: Measured,
    /// The same by group.
    pub by_group: Vec<Measured>,
}

/// Audits the experts of `records`, by `attribute` if one is named. O(decisions log decisions).
///
/// # Errors
/// If there is no decision, or no such attribute.
pub fn audit(records: &Records, attribute: Option<&str>) -> Result<Audit, EvalError> {
    if records.decisions.is_empty() {
        return Err(EvalError::Nothing("there is no decision to audit".to_owned()));
    }
    let data = records.dataset(deferral_core::Features::none(records.n()))?;
    let group = attribute.map(|name| data.cases().group(name)).transpose()?;
    let decisions = &records.decisions;
    let experts = expert_accuracies(decisions, &records.labels, group)?;
    let per_case: Vec<f64> = (0..records.n()).map(|case| decisions.of_case(CaseId::at(case)).len() as f64).collect();
    let answered: Vec<usize> = (0..records.experts.len()).map(|j| decisions.of_expert(ExpertId::at(j)).len()).collect();
    let active: Vec<f64> = answered.iter().filter(|n| **n > 0).map(|n| *n as f64).collect();
    let groups = group.map_or_else(Vec::new, |g| g.values.iter().map(str::to_owned).collect::<Vec<_>>());
    let counts = group.map_or_else(Vec::new, deferral_core::GroupAttribute::counts);
    let on_group = |g: usize| Spread::of_measured(experts.iter().map(|e| &e.by_group[g]));
    let majority = majority(decisions);
    Ok(Audit {
        cases: records.n(),
        cases_without_label: records.labels.iter().filter(|label| label.is_none()).count(),
        cases_without_decisions: per_case.iter().filter(|n| **n == 0.0).count(),
        experts: records.experts.len(),
        active_experts: active.len(),
        decisions: decisions.len(),
        labels: label_counts(records),
        per_case: Spread::of(&per_case),
        per_expert: Spread::of(&active),
        alpha: krippendorff_alpha(decisions),
        majority: Correctness::of(&majority, &records.labels)?.accuracy(),
        accuracy: Spread::of_measured(experts.iter().map(|e| &e.overall)),
        by_group: (0..groups.len())
            .map(|g| GroupAudit { group: groups[g].clone(), cases: counts[g], accuracy: on_group(g) })
            .collect(),
        advantages: advantages(&experts, &groups),
        load: Load::of_counts(&answered),
        roster: roster(records, experts),
    })
}

fn label_counts(records: &Records) -> Vec<LabelCount> {
    let mut counts: Vec<LabelCount> =
        records.label_names.iter().map(|label| LabelCount { label: label.to_owned(), gold: 0, decisions: 0 }).collect();
    for label in records.labels.iter().flatten() {
        counts[label.index()].gold += 1;
    }
    for (_, vote) in records.decisions.iter() {
        counts[vote.label.index()].decisions += 1;
    }
    counts
}

fn advantages(experts: &[ExpertAccuracy], groups: &[String]) -> Vec<Advantage> {
    let mut advantages = Vec::new();
    for first in 0..groups.len() {
        for second in first + 1..groups.len() {
            let found = GroupAdvantage::of(experts, GroupId::at(first), GroupId::at(second));
            advantages.push(Advantage {
                first: groups[first].clone(),
                second: groups[second].clone(),
                better_on_first: found.first,
                better_on_second: found.second,
                equal: found.equal,
                undefined: found.undefined,
            });
        }
    }
    advantages
}

fn roster(records: &Records, experts: Vec<ExpertAccuracy>) -> Vec<ExpertAudit> {
    let mut roster: Vec<ExpertAudit> = experts
        .into_iter()
        .map(|expert| ExpertAudit {
            expert: records.experts.show(expert.expert.index()).to_owned(),
            position: expert.expert.index(),
            answered: expert.answered + expert.without_truth,
            accuracy: expert.overall,
            by_group: expert.by_group,
        })
        .collect();
    roster.sort_by_key(|expert| std::cmp::Reverse(expert.answered));
    roster
}
