//! Decision-makers made from the cases: those of the learning-to-defer experiments (Madras, Pitassi and Zemel 2018).

use deferral_core::{CaseId, CaseWeights, Columns, Context, ExpertId, Features, Learner, Policy, Silent, Stream};
use deferral_data::{Part, Records};
use deferral_fairness::DisparateImpact;
use deferral_losses::{Aim, Idk};
use rand::RngExt;

use serde::{Deserialize, Serialize};

use crate::error::EvalError;
use crate::penalties::AnyPenalty;

/// A decision-maker who answers every case, with a probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecisionMaker {
    /// They know the truth.
    Oracle,
    /// A small network that sees the features and what only the experts see ([`Records::unseen`]), trained on the training
    /// part.
    Accurate,
    /// The same, trained to treat the groups differently: disparate impact is rewarded with a tenth of its size.
    Biased,
    /// The only expert there is (else the accurate one), turned around with probability .3 on the cases whose first
    /// feature lies below its mean.
    Inconsistent,
}

impl DecisionMaker {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 4] = [
        ("oracle", Self::Oracle),
        ("accurate", Self::Accurate),
        ("biased", Self::Biased),
        ("inconsistent", Self::Inconsistent),
    ];

    /// What they are called.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, maker)| *maker == self).map_or("", |(name, _)| name)
    }
}

/// How much disparate impact weighs in the training of the biased one.
const BIAS: f64 = -0.1;
/// How often the inconsistent one is turned around, where they are.
const TURNED: f64 = 0.3;

/// The records with these decision-makers beside the experts that they have. `attribute` is the group attribute that the
/// biased one goes by.
///
/// # Errors
/// If there are not two classes with known labels, numeric features are missing, or a network cannot be trained.
pub fn with_decision_makers(
    records: Records,
    makers: &[DecisionMaker],
    attribute: Option<&str>,
    stream: &Stream,
) -> Result<Records, EvalError> {
    let given = records.clone();
    makers.iter().try_fold(records, |records, &maker| {
        let answers = answers(&given, maker, attribute, &stream.child(maker.name()))?;
        Ok(records.with_decision_maker(maker.name(), &answers)?)
    })
}

/// The probability of class 1 that a decision-maker gives each case.
fn answers(
    records: &Records,
    maker: DecisionMaker,
    attribute: Option<&str>,
    stream: &Stream,
) -> Result<Vec<f64>, EvalError> {
    let truth = truth(records)?;
    match maker {
        DecisionMaker::Oracle => Ok(truth),
        DecisionMaker::Accurate => trained(records, 0.0, attribute, stream),
        DecisionMaker::Biased => trained(records, BIAS, attribute, stream),
        DecisionMaker::Inconsistent => {
            let reliable = match records.experts.len() {
                1 => recorded(records),
                _ => trained(records, 0.0, attribute, &stream.child("accurate"))?,
            };
            turned(records, reliable, stream)
        }
    }
}

/// The truth of every case as 0 or 1.
fn truth(records: &Records) -> Result<Vec<f64>, EvalError> {
    let known: Option<Vec<f64>> = records.labels.iter().map(|label| Some(f64::from((*label)?.0))).collect();
    match known {
        Some(truth) if records.label_names.len() == 2 => Ok(truth),
        _ => Err(EvalError::Nothing(
            "decision-makers are made from the truth: they need a gold label for every case, of two classes".to_owned(),
        )),
    }
}

/// What the only expert says; one half where they said nothing.
fn recorded(records: &Records) -> Vec<f64> {
    let said = |case| records.decisions.probability_of_one(CaseId::at(case), ExpertId(0));
    (0..records.n()).map(|case| said(case).unwrap_or(0.5)).collect()
}

/// The features that are there, and those that only experts see.
fn seen_by_experts(records: &Records) -> Result<Columns, EvalError> {
    let Some(numeric) = &records.inputs.numeric else {
        return Err(EvalError::Nothing(
            "decision-makers are trained on numeric features, but the cases have none; name them with --numeric"
                .to_owned(),
        ));
    };
    let unseen = records.unseen.as_ref().map(|unseen| &unseen.values);
    let rows = numeric.values.rows() + unseen.map_or(0, Columns::rows);
    let column = |case: usize| numeric.values.column(case).iter().chain(unseen.map_or(&[][..], |u| u.column(case)));
    Ok(Columns::from_values(rows, (0..records.n()).flat_map(column).copied().collect()))
}

/// A network of 5 sigmoid units, trained on the training part (all cases, where they do not come divided).
fn trained(records: &Records, alpha: f64, attribute: Option<&str>, stream: &Stream) -> Result<Vec<f64>, EvalError> {
    let data =
        records.dataset(Features::dense(seen_by_experts(records)?).map_err(deferral_data::FeaturiseError::from)?)?;
    let penalty = match (alpha, attribute) {
        (0.0, _) => AnyPenalty::None,
        (_, Some(name)) => AnyPenalty::DisparateImpact(DisparateImpact::by(name)),
        (_, None) => {
            return Err(EvalError::Nothing(
                "a biased decision-maker is biased between groups; name the attribute with --group NAME".to_owned(),
            ));
        }
    };
    let learner = Idk { aim: Aim::Predict, alpha, penalty, ..Idk::default() };
    let (train, validation) = (records.part(Part::Train), records.part(Part::Validation));
    let mut learned = if train.is_empty() { data.clone() } else { data.select(&train) };
    if !validation.is_empty() {
        learned = learned.with_held_out(data.select(&validation)).map_err(deferral_data::TableError::from)?;
    }
    let mut silent = Silent;
    let weights = CaseWeights::uniform(learned.n());
    let policy = learner.fit(&learned, &weights, &mut Context::new(stream.clone(), &mut silent))?;
    Ok(policy.classify(data.cases())?.iter().map(|belief| belief[1]).collect())
}

/// Where the inconsistent decision-maker can be relied on: the cases whose first feature is not below its mean.
///
/// # Errors
/// If there are no numeric features.
pub fn reliable(records: &Records) -> Result<Vec<bool>, EvalError> {
    let features = seen_by_experts(records)?;
    let first = |case: usize| features.column(case).first().copied().unwrap_or(0.0);
    let mean = (0..records.n()).map(first).sum::<f64>() / records.n().max(1) as f64;
    Ok((0..records.n()).map(|case| first(case) >= mean).collect())
}

/// Answers turned around on a part of the cases.
fn turned(records: &Records, answers: Vec<f64>, stream: &Stream) -> Result<Vec<f64>, EvalError> {
    let reliable = reliable(records)?;
    let turn = |(case, q): (usize, f64)| {
        let turned = !reliable[case] && stream.at(case).random::<f64>() < TURNED;
        if turned { 1.0 - q } else { q }
    };
    Ok(answers.into_iter().enumerate().map(turn).collect())
}
