//! A fitted method with everything it needs to decide cases from files: featuriser, policy, names.

use std::collections::HashMap;
use std::path::Path;

use deferral_consult::{Asking, ConsultPolicy};
use deferral_core::{
    CaseId, CaseWeights, Cases, Committee, Context, Decisions, DecisionsBuilder, ExpertId, Features, FitError, Label,
    Learner, Names, Outcome, Policy, Probabilities, Question, Recorded, Route, Stream, VoteError, VoteSource, Weights,
    artifact, consult_watched,
};
use deferral_data::{Featuriser, Part, Records, RouteKind, RouteRow};
use deferral_fairness::GroupThreshold;
use serde::{Deserialize, Serialize};

use crate::error::EvalError;
use crate::experiment::{FeatureChoice, features_of};
use crate::methods::Method;
use crate::policy::AnyPolicy;

/// The kind of artifact a model is.
const KIND: &str = "model";

/// A method fitted to recorded decisions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    method: Method,
    /// `None` if the method looks at nothing.
    featuriser: Option<Featuriser>,
    policy: AnyPolicy,
    labels: Names,
    experts: Names,
}

/// Cases that a model learns from: positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// Those it learns from.
    pub train: Vec<usize>,
    /// Those it may watch, to stop early.
    pub held_out: Vec<usize>,
}

/// What to do with votes of people whom the model was not fitted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownExperts {
    /// Say so and stop.
    #[default]
    Refuse,
    /// Leave their votes out.
    Drop,
}

/// Cases as a model decided them.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdicts {
    /// How each case was decided, in order.
    pub outcomes: Vec<Outcome>,
    /// What the classifier believes about each case.
    pub probabilities: Probabilities,
    /// The weights each case was decided with.
    pub weights: Weights,
    /// Votes left out because the model does not know who cast them.
    pub dropped_votes: usize,
    /// Why each case went as it did, move by move, where the rule has something to say.
    pub reasons: Vec<String>,
}

impl Model {
    /// Fits `method` to all cases of `records` that have a gold label; to all cases if the method needs none.
    ///
    /// # Errors
    /// If there is no such case, or learning fails.
    pub fn fit(
        records: &Records,
        method: &Method,
        features: &FeatureChoice,
        ctx: &mut Context<'_>,
    ) -> Result<Self, EvalError> {
        let Learned { train, held_out } = Self::learned_from(records, method);
        if train.is_empty() && records.n() > 0 {
            return Err(EvalError::Nothing(format!(
                "no case to learn from has a gold label, and `{}` learns from them; name their column with --column \
                 label=NAME, or take a method that learns from votes alone, such as hierarchical or learning-from-crowds",
                method.name
            )));
        }
        if train.is_empty() {
            return Err(EvalError::Fit(FitError::NoCases));
        }
        let watched = (!held_out.is_empty()).then(|| records.select(&held_out));
        let records = if train.len() == records.n() { records.clone() } else { records.select(&train) };
        let kind = features.kind_for(method, &records.inputs);
        let everything: Vec<usize> = (0..records.n()).collect();
        let featuriser = features.fit(kind, &records.inputs, &everything, &ctx.stream("features"))?;
        for note in featuriser.iter().flat_map(|featuriser| featuriser.report().notes()) {
            ctx.report(&deferral_core::Event::Note(note)).map_err(FitError::from)?;
        }
        let mut data = records.dataset(features_of(featuriser.as_ref(), &records)?)?;
        if let Some(watched) = watched {
            let watched = watched.dataset(features_of(featuriser.as_ref(), &watched)?)?;
            data = data.with_held_out(watched).map_err(deferral_data::TableError::from)?;
        }
        let learner = method.learner.clone().with_prices(records.prices.as_deref());
        let policy = learner.fit(&data, &CaseWeights::uniform(data.n()), &mut ctx.part("learner"))?;
        method.consultation(&policy, data.cases(), records.prices.as_deref())?;
        Ok(Self { method: method.clone(), featuriser, policy, labels: records.label_names, experts: records.experts })
    }

    /// The cases of `records` that [`Model::fit`] learns from: those with a gold label, or all if the method needs none.
    /// Where the cases come divided, it learns from the training part only and may watch the validation part; the test
    /// part stays unseen.
    pub fn learned_from(records: &Records, method: &Method) -> Learned {
        let usable = |case: &usize| !method.needs_gold() || records.labels[*case].is_some();
        let of = |part: Part| {
            let here = |case: &usize| records.parts.as_ref().map_or(part == Part::Train, |parts| parts[*case] == part);
            (0..records.n()).filter(usable).filter(here).collect::<Vec<usize>>()
        };
        let labelled = |case: &usize| records.labels[*case].is_some();
        Learned { train: of(Part::Train), held_out: of(Part::Validation).into_iter().filter(labelled).collect() }
    }

    /// What the policy promises, in sentences: empty unless it was fitted with a guarantee.
    pub fn promises(&self) -> Vec<String> {
        let AnyPolicy::Guaranteed(policy) = &self.policy else { return Vec::new() };
        let of_group = |chosen: &GroupThreshold| {
            let whom = chosen.group.as_ref().map_or("all cases".to_owned(), |group| format!("group {group}"));
            let asked = chosen.deferred as f64 / chosen.cases.max(1) as f64;
            format!(
                "promise kept on {whom}: {} of {} cases set aside decided wrongly, {:.0} % of them by asking",
                chosen.wrong,
                chosen.cases,
                100.0 * asked
            )
        };
        policy.thresholds().iter().map(of_group).collect()
    }

    /// The method it was fitted by.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The experts it knows.
    pub fn experts(&self) -> &Names {
        &self.experts
    }

    /// The labels it knows.
    pub fn labels(&self) -> &Names {
        &self.labels
    }

    /// The policy.
    pub fn policy(&self) -> &AnyPolicy {
        &self.policy
    }

    /// The same model with another way of asking: for the method `consult`.
    ///
    /// # Errors
    /// If the model is of another method, the numbers are out of range, or it keeps a bound by thresholds of its own.
    pub fn with_asking(mut self, change: impl FnOnce(Asking) -> Asking) -> Result<Self, EvalError> {
        let policy = self.consult_policy()?;
        let before = self.method.rule.asking.clone();
        let asking = change(before.clone());
        asking.check(policy.classes())?;
        if policy.thresholds().is_some() && asking.confidence != before.confidence {
            return Err(EvalError::Nothing(
                "this model was fitted to keep a bound on the error of the worst group, by confidences of its own; leave \
                 out --confidence, or fit one without worst-error"
                    .to_owned(),
            ));
        }
        self.method.rule.asking = asking;
        Ok(self)
    }

    /// The policy of a model that asks one question at a time.
    ///
    /// # Errors
    /// If the model is of another method.
    pub(crate) fn consult_policy(&self) -> Result<&ConsultPolicy, EvalError> {
        match &self.policy {
            AnyPolicy::Consult(policy) => Ok(policy),
            _ => Err(EvalError::Nothing(format!(
                "this model was fitted by `{}`, which asks in its own way; asking step by step needs a model fitted with \
                 --method consult",
                self.method.name
            ))),
        }
    }

    /// The committee it decides with.
    pub fn committee(&self) -> Committee {
        self.method.committee(&self.policy)
    }

    /// Decides all cases of `records` with the votes recorded there, which stand for the answers that the people asked
    /// would give. The experts and labels of the records may be in any order, and need not be all that the model knows.
    ///
    /// # Errors
    /// If the cases are of another kind, or a vote is of somebody or for a label that the model does not know.
    pub fn decide(&self, records: &Records, unknown: UnknownExperts, stream: &Stream) -> Result<Verdicts, EvalError> {
        let prices = self.prices(records);
        let (votes, dropped_votes) = self.votes(records, unknown)?;
        let mut source = Recorded::new(&votes, self.method.rule.absent);
        let verdicts = self.consult(records, &mut source, prices.as_deref(), stream)?;
        Ok(Verdicts { dropped_votes, ..verdicts })
    }

    /// Says who should be asked about each case of `records`, when everybody is available and nobody has answered yet.
    ///
    /// # Errors
    /// If the cases are of another kind.
    pub fn allocate(&self, records: &Records, stream: &Stream) -> Result<Verdicts, EvalError> {
        let mut source = Unanswered { everybody: (0..self.experts.len()).map(ExpertId::at).collect() };
        self.consult(records, &mut source, None, stream)
    }

    fn consult(
        &self,
        records: &Records,
        source: &mut dyn VoteSource,
        prices: Option<&[f64]>,
        stream: &Stream,
    ) -> Result<Verdicts, EvalError> {
        let Judged { cases, probabilities, weights } = self.judge(records)?;
        let rule = self.method.consultation(&self.policy, &cases, prices)?;
        let mut reasons = vec![String::new(); cases.n()];
        let name = |expert: ExpertId| self.experts.show(expert.index()).to_owned();
        let outcomes = consult_watched(
            0..cases.n(),
            (&probabilities, &weights),
            rule.as_ref(),
            source,
            prices,
            &stream.child("consult"),
            &mut |state, next| append(&mut reasons[state.case.index()], &rule.reason(state, next, &name)),
        )?;
        Ok(Verdicts { outcomes, probabilities, weights, dropped_votes: 0, reasons })
    }

    /// The cases of `records` as the policy sees them, and what it believes of them.
    pub(crate) fn judge(&self, records: &Records) -> Result<Judged, EvalError> {
        let features = features_of(self.featuriser.as_ref(), records)?;
        let cases = Records {
            decisions: Decisions::none(records.n(), records.experts.len()),
            labels: vec![None; records.n()],
            ..records.clone()
        }
        .dataset(Features::none(records.n()))?;
        let cases = cases.cases().clone().with_features(features)?;
        let (probabilities, weights) = (self.policy.classify(&cases)?, self.policy.weigh(&cases)?);
        Ok(Judged { cases, probabilities, weights })
    }

    /// The prices of `records` in the model's own numbering; experts who are not there cost 1.
    pub(crate) fn prices(&self, records: &Records) -> Option<Vec<f64>> {
        let prices = records.prices.as_ref()?;
        let price = |name| records.experts.position(name).map_or(1.0, |at| prices[at]);
        Some(self.experts.iter().map(price).collect())
    }

    /// The votes of `records` in the model's own numbering of experts and labels.
    pub(crate) fn votes(&self, records: &Records, unknown: UnknownExperts) -> Result<(Decisions, usize), EvalError> {
        let places = |from: &Names, to: &Names| from.iter().map(|name| to.position(name)).collect::<Vec<_>>();
        let experts = places(&records.experts, &self.experts);
        let labels = places(&records.label_names, &self.labels);
        let mut builder = DecisionsBuilder::new();
        let mut dropped = 0;
        let mut strangers: HashMap<usize, usize> = HashMap::new();
        for (case, vote) in records.decisions.iter() {
            let Some(expert) = experts[vote.expert.index()] else {
                *strangers.entry(vote.expert.index()).or_default() += 1;
                dropped += 1;
                continue;
            };
            let Some(label) = labels[vote.label.index()] else {
                let known = self.labels.iter().collect::<Vec<_>>().join(", ");
                let label = records.label_names.show(vote.label.index()).to_owned();
                return Err(EvalError::UnknownLabel { place: "the votes", label, known });
            };
            builder.push(case, ExpertId::at(expert), Label::at(label));
        }
        if let (UnknownExperts::Refuse, Some(first)) = (unknown, strangers.keys().min()) {
            return Err(EvalError::UnknownExperts {
                unknown: strangers.len(),
                found: records.experts.len(),
                example: records.experts.show(*first).to_owned(),
                known: self.experts.len(),
            });
        }
        let votes = builder.build(records.n(), self.experts.len()).map_err(deferral_data::TableError::from)?;
        Ok((votes, dropped))
    }

    /// The decisions as rows of a routes table. `digest` names the model in them; `final_labels` says whether the votes
    /// have been heard, so that a committee's label is known.
    pub fn routes(&self, records: &Records, verdicts: &Verdicts, digest: &str, final_labels: bool) -> Vec<RouteRow> {
        let m = self.experts.len();
        let row = |(case, outcome): (usize, &Outcome)| {
            let weights = verdicts.weights.column(case);
            let route = outcome.route(m);
            let people: &[ExpertId] = match &route {
                Route::Model(_) => &[],
                Route::Experts(people) => people,
            };
            let name = |expert: &ExpertId| self.experts.show(expert.index()).to_owned();
            let known = final_labels || people.is_empty();
            RouteRow {
                task: records.ids.show(case).to_owned(),
                route: if people.is_empty() { RouteKind::Model } else { RouteKind::Committee },
                experts: people.iter().map(name).collect(),
                weights: people.iter().map(|expert| weights[expert.index()]).collect(),
                probabilities: verdicts.probabilities.column(case).to_vec(),
                propensities: people.iter().map(|expert| propensity(&outcome.asked, *expert)).collect(),
                label: known.then(|| self.labels.show(outcome.verdict.label.index()).to_owned()),
                reason: match verdicts.reasons.get(case).filter(|reason| final_labels && !reason.is_empty()) {
                    Some(reason) => reason.clone(),
                    None => reason(outcome, people, final_labels),
                },
                policy: digest.to_owned(),
                confidence: known.then_some(outcome.verdict.confidence),
            }
        };
        verdicts.outcomes.iter().enumerate().map(row).collect()
    }

    /// Writes the model as an artifact.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), EvalError> {
        Ok(artifact::save(path, KIND, self)?)
    }

    /// Reads a model.
    ///
    /// # Errors
    /// If the file is missing, damaged, or of another kind.
    pub fn load(path: &Path) -> Result<Self, EvalError> {
        Ok(artifact::load(path, KIND)?)
    }

    /// A short name that is the same for equal models and no others.
    ///
    /// # Errors
    /// If the model cannot be encoded.
    pub fn digest(&self) -> Result<String, EvalError> {
        Ok(artifact::fingerprint(KIND, self)?)
    }
}

/// Cases as a policy sees them.
pub(crate) struct Judged {
    pub(crate) cases: Cases,
    pub(crate) probabilities: Probabilities,
    pub(crate) weights: Weights,
}

/// Adds a reason to those before it.
pub(crate) fn append(reasons: &mut String, reason: &str) {
    if !reasons.is_empty() && !reason.is_empty() {
        reasons.push_str("; ");
    }
    reasons.push_str(reason);
}

/// Why a case went this way, in a few words. `heard` says whether the people asked have been listened to.
fn reason(outcome: &Outcome, people: &[ExpertId], heard: bool) -> String {
    let (asked, sure) = (people.len(), outcome.verdict.confidence);
    match (asked, heard) {
        (0, _) => format!("model alone, confidence {sure:.2}"),
        (_, false) => format!("ask {asked}, by weight"),
        (_, true) => format!("{} of {asked} asked answered, confidence {sure:.2}", outcome.labels_used),
    }
}

/// The propensity of the draw that first chose `expert`.
fn propensity(asked: &[Question], expert: ExpertId) -> f64 {
    asked.iter().find(|question| question.expert == expert).map_or(1.0, |question| question.propensity)
}

/// Everybody is available and nobody has answered yet.
struct Unanswered {
    everybody: Vec<ExpertId>,
}

impl VoteSource for Unanswered {
    fn available(&self, _: CaseId) -> &[ExpertId] {
        &self.everybody
    }

    fn ask(&mut self, _: CaseId, _: &[ExpertId], _: &mut Vec<deferral_core::Vote>) -> Result<(), VoteError> {
        Ok(())
    }
}
