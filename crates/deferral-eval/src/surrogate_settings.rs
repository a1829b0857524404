//! The settings of the surrogates of learning to defer and of the methods beside them.

use deferral_losses::surrogates::{
    CompareConfidence, DifferentiableTriage, LearnToDefer, MixtureOfExperts, NetworkSettings, Psi, Rejection,
    SelectivePrediction, Surrogate, TeamOfExperts, TwoStage,
};
use deferral_models::Precision;

use crate::methods::{Known, MethodError};
use crate::policy::AnyLearner;
use crate::settings::Setting;

/// The methods, in the order in which they are listed.
pub(crate) const SURROGATES: &[Known] = &[
    Known {
        name: "softmax",
        about: "class and deferral scores under one softmax",
        source: "Mozannar and Sontag 2020; Verma et al. 2023",
    },
    Known {
        name: "one-vs-all",
        about: "a binary loss for every class and every expert",
        source: "Verma and Nalisnick 2022; Verma et al. 2023",
    },
    Known {
        name: "asymmetric-softmax",
        about: "softmax over classes, and one sigmoid for the expert",
        source: "Cao et al. 2023",
    },
    Known {
        name: "realizable",
        about: "a surrogate that finds the best pair if there is a perfect one",
        source: "Mozannar et al. 2023",
    },
    Known { name: "rsl2d", about: "the realizable family of comp-sum losses", source: "Mao, Mohri and Zhong 2024" },
    Known { name: "two-stage", about: "a classifier first, then who decides", source: "Mao et al. 2023" },
    Known {
        name: "team-of-experts",
        about: "a gate weighs classifier and experts, trained end to end",
        source: "Hemmer et al. 2022",
    },
    Known {
        name: "mixture-of-experts",
        about: "a gate between classifier and experts, trained on expected errors",
        source: "Madras et al. 2018, as in Mozannar et al. 2023",
    },
    Known { name: "compare-confidence", about: "whoever is surer to be right", source: "Raghu et al. 2019" },
    Known { name: "selective-prediction", about: "the expert where the classifier is unsure", source: "Chow 1970" },
    Known { name: "triage", about: "the expert where the classifier loses more", source: "Okati et al. 2021" },
];

/// The learner of a method, if it is one of these.
pub(crate) fn named(name: &str) -> Option<AnyLearner> {
    let learn = |surrogate| AnyLearner::LearnToDefer(LearnToDefer { surrogate, ..LearnToDefer::default() });
    Some(match name {
        "softmax" => learn(Surrogate::Softmax { alpha: 1.0 }),
        "one-vs-all" => learn(Surrogate::OneVsAll),
        "asymmetric-softmax" => learn(Surrogate::AsymmetricSoftmax),
        "realizable" => learn(Surrogate::Realizable { alpha: 1.0 }),
        "rsl2d" => learn(Surrogate::Rsl2d { psi: Psi::Log, beta: 0.0 }),
        "two-stage" => AnyLearner::TwoStage(TwoStage::default()),
        "team-of-experts" => AnyLearner::TeamOfExperts(TeamOfExperts::default()),
        "mixture-of-experts" => AnyLearner::MixtureOfExperts(MixtureOfExperts::default()),
        "compare-confidence" => AnyLearner::CompareConfidence(CompareConfidence::default()),
        "selective-prediction" => AnyLearner::SelectivePrediction(SelectivePrediction::default()),
        "triage" => AnyLearner::Triage(DifferentiableTriage::default()),
        _ => return None,
    })
}

/// Settings of all that train a network of their own.
const NETWORK: &[&str] = &["hidden", "steps", "batch", "rate", "optimiser", "precision"];
/// Settings that only some of them have.
const OWN: &[&str] = &["expert", "alpha", "psi", "q", "beta", "budget", "head-start", "cost", "share"];

/// Every setting of any of them.
pub(crate) fn all_surrogate_keys() -> impl Iterator<Item = &'static str> {
    OWN.iter().chain(NETWORK).copied()
}

/// The settings that a learner has, beside those of its classifier.
pub(crate) fn surrogate_keys(learner: &AnyLearner) -> Vec<&'static str> {
    let own: &[&str] = match learner {
        AnyLearner::LearnToDefer(LearnToDefer { surrogate, .. }) => match surrogate {
            Surrogate::Softmax { .. } | Surrogate::Realizable { .. } => &["expert", "alpha"],
            Surrogate::Rsl2d { .. } => &["expert", "psi", "q", "beta"],
            Surrogate::OneVsAll | Surrogate::AsymmetricSoftmax => &["expert"],
        },
        AnyLearner::Triage(_) => &["expert", "budget", "head-start"],
        AnyLearner::SelectivePrediction(_) => return vec!["expert", "cost", "share"],
        AnyLearner::TwoStage(_)
        | AnyLearner::TeamOfExperts(_)
        | AnyLearner::MixtureOfExperts(_)
        | AnyLearner::CompareConfidence(_) => &["expert"],
        _ => return Vec::new(),
    };
    own.iter().chain(NETWORK).copied().collect()
}

/// Changes a learner by one of its settings; `false` if it is none of these.
pub(crate) fn set(learner: &mut AnyLearner, setting: Setting<'_>) -> Result<bool, MethodError> {
    let (network, expert) = match learner {
        AnyLearner::LearnToDefer(LearnToDefer { network, expert, .. })
        | AnyLearner::TwoStage(TwoStage { network, expert, .. })
        | AnyLearner::TeamOfExperts(TeamOfExperts { network, expert })
        | AnyLearner::MixtureOfExperts(MixtureOfExperts { network, expert })
        | AnyLearner::CompareConfidence(CompareConfidence { network, expert, .. })
        | AnyLearner::Triage(DifferentiableTriage { network, expert, .. }) => (Some(network), expert),
        AnyLearner::SelectivePrediction(SelectivePrediction { expert, .. }) => (None, expert),
        _ => return Ok(false),
    };
    if setting.key == "expert" {
        *expert = Some(setting.value.to_owned());
        return Ok(true);
    }
    if let Some(network) = network
        && set_network(network, setting)?
    {
        return Ok(true);
    }
    match learner {
        AnyLearner::LearnToDefer(LearnToDefer { surrogate, .. }) => set_surrogate(surrogate, setting)?,
        AnyLearner::Triage(triage) => match setting.key {
            "budget" => triage.budget = setting.number()?,
            _ => triage.head_start = setting.number()?,
        },
        AnyLearner::SelectivePrediction(selective) => {
            let value = setting.number()?;
            selective.rejection = if setting.key == "cost" {
                Rejection::Cost { cost: value }
            } else {
                Rejection::MostAccurate { share: value }
            };
        }
        _ => {}
    }
    Ok(true)
}

fn set_network(network: &mut NetworkSettings, setting: Setting<'_>) -> Result<bool, MethodError> {
    match setting.key {
        "hidden" => network.hidden = setting.widths()?,
        "precision" => network.precision = setting.choose(&[("f32", Precision::F32), ("f64", Precision::F64)])?,
        _ => return setting.set_training(&mut network.training),
    }
    Ok(true)
}

fn set_surrogate(surrogate: &mut Surrogate, setting: Setting<'_>) -> Result<(), MethodError> {
    match (surrogate, setting.key) {
        (Surrogate::Softmax { alpha } | Surrogate::Realizable { alpha }, "alpha") => *alpha = setting.number()?,
        (Surrogate::Rsl2d { beta, .. }, "beta") => *beta = setting.number()?,
        (Surrogate::Rsl2d { psi, .. }, "q") => *psi = Psi::GeneralisedCrossEntropy { q: setting.number()? },
        (Surrogate::Rsl2d { psi, .. }, _) => {
            *psi = setting.choose(&[
                ("log", Psi::Log),
                ("generalised", Psi::GeneralisedCrossEntropy { q: 0.7 }),
                ("absolute", Psi::MeanAbsolute),
            ])?;
        }
        _ => {}
    }
    Ok(())
}
