//! The settings of `binary`, `reject` and `defer`: one model beside one decision-maker.

use deferral_fairness::{DifferentialOdds, DisparateImpact, ImpactForm};
use deferral_losses::{Aim, BayesianIdk, ExpertLoss, Idk, IdkModel, Patience, Told};
use deferral_models::{Optimiser, Precision};

use crate::methods::MethodError;
use crate::penalties::AnyPenalty;
use crate::policy::AnyLearner;
use crate::settings::Setting;

/// Settings of all of them.
const SHARED_KEYS: &[&str] = &[
    "model",
    "gamma",
    "alpha",
    "penalty",
    "expert",
    "hidden",
    "epochs",
    "patience",
    "batch",
    "rate",
    "held-out",
    "precision",
];
/// Those that only certain weights have.
const CERTAIN_KEYS: &[&str] = &["expert-loss", "told"];
/// Those that only uncertain weights have.
const UNCERTAIN_KEYS: &[&str] = &["draws", "prior"];

/// Those that are about asking.
const ASKING_KEYS: &[&str] = &["gamma", "expert", "expert-loss", "told"];

/// Every setting of any of them.
pub(crate) fn all_idk_keys() -> impl Iterator<Item = &'static str> {
    SHARED_KEYS.iter().chain(CERTAIN_KEYS).chain(UNCERTAIN_KEYS).copied()
}

/// The settings that a learner of this kind has.
pub(crate) fn idk_keys(learner: &AnyLearner) -> Vec<&'static str> {
    let (own, asks) = match learner {
        AnyLearner::BayesianIdk(idk) => (UNCERTAIN_KEYS, idk.aim != Aim::Predict),
        AnyLearner::Idk(idk) => (CERTAIN_KEYS, idk.aim != Aim::Predict || idk.model == IdkModel::Ordinal),
        _ => return Vec::new(),
    };
    // Who never asks has no use for what asking costs.
    let useful = |key: &&str| asks || !ASKING_KEYS.contains(key);
    SHARED_KEYS.iter().chain(own).copied().filter(useful).collect()
}

/// A learner with this aim, penalised by the disparate impact between the groups of the attribute, if there is one.
pub(crate) fn named(aim: Aim, attribute: Option<&str>) -> AnyLearner {
    let penalty = attribute.map_or(AnyPenalty::None, |name| AnyPenalty::DisparateImpact(DisparateImpact::by(name)));
    AnyLearner::Idk(Idk { aim, penalty, ..Idk::default() })
}

/// Changes a learner by one of its settings.
pub(crate) fn set(learner: &mut AnyLearner, attribute: Option<&str>, setting: Setting<'_>) -> Result<(), MethodError> {
    if setting.key == "model" {
        return set_model(learner, setting);
    }
    let parts = match learner {
        AnyLearner::Idk(idk) => Parts {
            gamma: &mut idk.gamma,
            alpha: &mut idk.alpha,
            penalty: &mut idk.penalty,
            expert: &mut idk.expert,
            hidden: &mut idk.hidden,
            training: &mut idk.training,
            precision: &mut idk.precision,
        },
        AnyLearner::BayesianIdk(idk) => Parts {
            gamma: &mut idk.gamma,
            alpha: &mut idk.alpha,
            penalty: &mut idk.penalty,
            expert: &mut idk.expert,
            hidden: &mut idk.hidden,
            training: &mut idk.training,
            precision: &mut idk.precision,
        },
        _ => return Ok(()),
    };
    if parts.set(attribute, setting)? {
        return Ok(());
    }
    match (learner, setting.key) {
        (AnyLearner::Idk(idk), "told") => {
            idk.told = setting.choose(&[("recorded", Told::Recorded), ("oracle", Told::Oracle)])?;
        }
        (AnyLearner::Idk(idk), _) => {
            idk.expert_loss = setting.choose(&[
                ("auto", None),
                ("cross-entropy", Some(ExpertLoss::CrossEntropy)),
                ("zero-one", Some(ExpertLoss::ZeroOne)),
            ])?;
        }
        (AnyLearner::BayesianIdk(idk), "draws") => idk.draws = setting.count()?,
        (AnyLearner::BayesianIdk(idk), _) => idk.prior = setting.number()?,
        _ => {}
    }
    Ok(())
}

/// Certain weights become uncertain ones and the reverse; what both have stays.
fn set_model(learner: &mut AnyLearner, setting: Setting<'_>) -> Result<(), MethodError> {
    let model = setting.choose(&[
        ("two-networks", Some(IdkModel::TwoNetworks)),
        ("one-network", Some(IdkModel::OneNetwork)),
        ("ordinal", Some(IdkModel::Ordinal)),
        ("bayesian", None),
    ])?;
    *learner = match (std::mem::take(learner), model) {
        (AnyLearner::Idk(idk), Some(model)) => AnyLearner::Idk(Idk { model, ..idk }),
        (AnyLearner::Idk(Idk { aim, hidden, gamma, alpha, penalty, expert, training, precision, .. }), None) => {
            let shared =
                BayesianIdk { aim, hidden, gamma, alpha, penalty, expert, training, precision, ..Default::default() };
            AnyLearner::BayesianIdk(shared)
        }
        (
            AnyLearner::BayesianIdk(BayesianIdk {
                aim,
                hidden,
                gamma,
                alpha,
                penalty,
                expert,
                training,
                precision,
                ..
            }),
            Some(model),
        ) => {
            let shared = Idk { aim, hidden, gamma, alpha, penalty, expert, training, precision, ..Default::default() };
            AnyLearner::Idk(Idk { model, ..shared })
        }
        (other, _) => other,
    };
    Ok(())
}

/// What both kinds of weights have.
struct Parts<'a> {
    gamma: &'a mut f64,
    alpha: &'a mut f64,
    penalty: &'a mut AnyPenalty,
    expert: &'a mut Option<String>,
    hidden: &'a mut Vec<usize>,
    training: &'a mut Patience,
    precision: &'a mut Precision,
}

impl Parts<'_> {
    /// `false` if this is none of them.
    fn set(self, attribute: Option<&str>, setting: Setting<'_>) -> Result<bool, MethodError> {
        match setting.key {
            "gamma" => *self.gamma = setting.number()?,
            "alpha" => {
                *self.alpha = setting.number()?;
                if *self.alpha != 0.0 && *self.penalty == AnyPenalty::None {
                    return Err(MethodError::needs_group(setting.method));
                }
            }
            "penalty" => {
                let attribute = attribute.ok_or_else(|| MethodError::needs_group(setting.method))?;
                let released = DisparateImpact::by(attribute);
                let squared = DisparateImpact { form: ImpactForm::ExpectedSquare, ..released.clone() };
                *self.penalty = match setting.choose(&[
                    ("disparate-impact", 0),
                    ("expected-square", 1),
                    ("differential-odds", 2),
                ])? {
                    0 => AnyPenalty::DisparateImpact(released),
                    1 => AnyPenalty::DisparateImpact(squared),
                    _ => AnyPenalty::DifferentialOdds(DifferentialOdds::of(attribute)),
                };
            }
            "expert" => *self.expert = Some(setting.value.to_owned()),
            "hidden" => *self.hidden = setting.widths()?,
            "epochs" => self.training.epochs = setting.count()?,
            "patience" => self.training.patience = setting.count()?,
            "batch" => self.training.batch = setting.count()?,
            "rate" => self.training.optimiser = Optimiser::adam(setting.number()?),
            "held-out" => self.training.held_out = setting.number()?,
            "precision" => {
                *self.precision = setting.choose(&[("f32", Precision::F32), ("f64", Precision::F64)])?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The aims by name, with what they do and where they are from.
pub(crate) const AIMS: [(&str, Aim); 3] = [("binary", Aim::Predict), ("reject", Aim::Reject), ("defer", Aim::Defer)];
