//! How good a fitted model is on cases whose truth is known.

use deferral_core::Label;
use deferral_data::Records;
use deferral_metrics::{
    Confusion, Correctness, CoverageCurve, ErrorRates, GroupAccuracy, GroupGaps, GroupMeasure, GroupRates, Load,
    Measured, auc_one_vs_rest, coverage, disparate_impact_interval,
};
use serde::Serialize;

use crate::error::EvalError;
use crate::model::{Model, Verdicts};

/// What an evaluation found. Undefined numbers (an empty group, one class only) are `null` in JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Cases decided.
    pub cases: usize,
    /// Those without a gold label, left out of every accuracy.
    pub without_truth: usize,
    /// Accuracy of the system, with interval.
    pub accuracy: Measured,
    /// Mean over classes of the accuracy on each.
    pub balanced_accuracy: Measured,
    /// Accuracy of the classifier alone on the same cases.
    pub classifier_accuracy: Measured,
    /// Area under the ROC curve of the classifier, mean over classes against the rest.
    pub classifier_auc: Measured,
    /// Accuracy by group.
    pub by_group: Vec<GroupMeasure>,
    /// Accuracy of the worst group.
    pub worst_group: Measured,
    /// Largest difference between groups, with an interval that holds for the largest of all.
    pub disparity: Measured,
    /// False positive and false negative rates by group, for two classes.
    pub rates: Vec<GroupRates>,
    /// Half the sum of the largest differences of both, for two classes.
    pub disparate_impact: Measured,
    /// Share decided by the model alone.
    pub coverage: Measured,
    /// Area under the accuracy-coverage curve by the rule's own confidence.
    pub coverage_area: Measured,
    /// True classes in rows, decided classes in columns.
    pub confusion: Vec<Vec<usize>>,
    /// Names of the classes.
    pub labels: Vec<String>,
    /// Human labels used for a case.
    pub labels_per_case: f64,
    /// Their price.
    pub cost_per_case: f64,
    /// How they are spread over the experts; `None` if nobody was asked.
    pub load: Option<Load>,
    /// Votes left out because the model does not know who cast them.
    pub dropped_votes: usize,
}

/// Compares the verdicts of `model` on `records` with the gold labels there, by `attribute` if one is named.
///
/// # Errors
/// If there is no gold label, a gold label is not known to the model, or there is no such attribute.
pub fn evaluate(
    model: &Model,
    records: &Records,
    verdicts: &Verdicts,
    attribute: Option<&str>,
) -> Result<Evaluation, EvalError> {
    let truth = truth(model, records)?;
    if truth.iter().all(Option::is_none) {
        return Err(EvalError::Nothing(
            "no case has a gold label to compare with; name its column with --column label=NAME".to_owned(),
        ));
    }
    let labels: Vec<Label> = verdicts.outcomes.iter().map(|outcome| outcome.verdict.label).collect();
    let correct = Correctness::of(&labels, &truth)?;
    let alone: Vec<Label> = verdicts.probabilities.iter().map(|p| Label::at(deferral_core::argmax(p))).collect();
    let cases = records.dataset(deferral_core::Features::none(records.n()))?;
    let group = attribute.map(|name| cases.cases().group(name)).transpose()?;
    let by_group = group.map(|g| GroupAccuracy::of(&correct, g)).transpose()?;
    let binary = group.filter(|_| model.labels().len() == 2);
    let rates = binary.map(|g| ErrorRates::hard(&labels, &truth, g)).transpose()?;
    let confusion = Confusion::of(&labels, &truth, model.labels().len())?;
    let m = model.experts().len();
    let routes: Vec<_> = verdicts.outcomes.iter().map(|outcome| outcome.route(m)).collect();
    let confidence: Vec<f64> = verdicts.outcomes.iter().map(|outcome| outcome.verdict.confidence).collect();
    // An empty sum is -0.
    let per_case = |total: f64| total / records.n().max(1) as f64 + 0.0;
    let k = confusion.classes();
    Ok(Evaluation {
        cases: records.n(),
        without_truth: correct.without_truth,
        accuracy: correct.accuracy(),
        balanced_accuracy: confusion.balanced_accuracy(),
        classifier_accuracy: Correctness::of(&alone, &truth)?.accuracy(),
        classifier_auc: auc_one_vs_rest(&verdicts.probabilities, &truth)?.mean,
        worst_group: by_group.as_ref().and_then(GroupAccuracy::worst).map_or(Measured::Undefined, |g| g.accuracy),
        disparity: by_group.as_ref().map(disparity).transpose()?.unwrap_or(Measured::Undefined),
        by_group: by_group.map_or_else(Vec::new, |g| g.groups),
        disparate_impact: rates.as_ref().map(|r| impact(&r.by_group())).transpose()?.unwrap_or(Measured::Undefined),
        rates: rates.map_or_else(Vec::new, |r| r.by_group()),
        coverage: coverage(&routes),
        coverage_area: CoverageCurve::of(&confidence, &correct)?.area(),
        confusion: (0..k).map(|t| (0..k).map(|p| confusion.count(Label::at(t), Label::at(p))).collect()).collect(),
        labels: model.labels().iter().map(str::to_owned).collect(),
        labels_per_case: per_case(verdicts.outcomes.iter().map(|o| o.labels_used as f64).sum()),
        cost_per_case: per_case(verdicts.outcomes.iter().map(|o| o.cost).sum()),
        load: Load::of_outcomes(&verdicts.outcomes, m),
        dropped_votes: verdicts.dropped_votes,
    })
}

/// How often something happened among so many cases: a share, counted again.
fn counted(share: &Measured) -> (usize, usize) {
    share.value().map_or((0, 0), |value| ((value * share.n() as f64).round() as usize, share.n()))
}

/// The level of intervals.
const LEVEL: f64 = 0.95;

/// The largest difference between groups, with an interval that holds although the two were picked for it.
fn disparity(groups: &GroupAccuracy) -> Result<Measured, EvalError> {
    let counts: Vec<_> = groups.groups.iter().map(|group| counted(&group.accuracy)).collect();
    Ok(GroupGaps::of(&counts, LEVEL)?.largest())
}

/// The same of false positives and false negatives.
fn impact(rates: &[GroupRates]) -> Result<Measured, EvalError> {
    let (positives, negatives): (Vec<_>, Vec<_>) =
        rates.iter().map(|rates| (counted(&rates.false_positive), counted(&rates.false_negative))).unzip();
    Ok(disparate_impact_interval(&positives, &negatives, LEVEL)?)
}

/// The gold labels in the model's own numbering.
fn truth(model: &Model, records: &Records) -> Result<Vec<Option<Label>>, EvalError> {
    let known = model.labels().iter().collect::<Vec<_>>().join(", ");
    let translate = |label: &Option<Label>| {
        let Some(label) = label else { return Ok(None) };
        let name = records.label_names.show(label.index());
        let unknown =
            || EvalError::UnknownLabel { place: "the true labels", label: name.to_owned(), known: known.clone() };
        model.labels().position(name).map(|at| Some(Label::at(at))).ok_or_else(unknown)
    };
    records.labels.iter().map(translate).collect()
}
