//! Fairness around any method: the wrappers that are known by name, written behind a method as `joint:k=5+minimax`.

use deferral_core::{CaseWeights, Context, Dataset, FitError, Learner};
use deferral_fairness::{
    ApStar, ApStarWeighting, Balanced, Constrained, Constraint, DeferBy, ErrorKind, GroupThresholds, Guarantee,
    Minimax, MinimaxForm, ThresholdIdk,
};
use serde::{Deserialize, Serialize};

use crate::methods::{Known, MethodError};
use crate::policy::{AnyLearner, AnyPolicy};
use crate::settings::Setting;

/// All wrappers, in the order in which they are listed.
pub const FAIRNESS: &[Known] = &[
    Known {
        name: "balanced",
        about: "every group counts the same in training",
        source: "Keswani et al. 2021, section 2.2",
    },
    Known {
        name: "minimax",
        about: "the group that is served worst counts ever more",
        source: "Diana et al. 2021; Keswani et al. 2021, section 2.2",
    },
    Known {
        name: "minimax-published",
        about: "the same with 5 rounds, as released with the joint framework",
        source: "Keswani et al. 2021, released code",
    },
    Known {
        name: "ap-star",
        about: "no group can be served better without serving another worse",
        source: "Martinez et al. 2020",
    },
    Known {
        name: "demographic-parity",
        about: "groups get class 1 alike, within a slack",
        source: "Agarwal et al. 2018",
    },
    Known {
        name: "equalised-odds",
        about: "groups have the same error rates on each class",
        source: "Agarwal et al. 2018",
    },
    Known {
        name: "equal-opportunity",
        about: "groups have the same error rate on class 1",
        source: "Agarwal et al. 2018; Hardt et al. 2016",
    },
    Known { name: "error-parity", about: "groups have the same error", source: "Agarwal et al. 2018" },
    Known {
        name: "bounded-group-loss",
        about: "no group has a larger loss than a bound",
        source: "Agarwal et al. 2019",
    },
    Known {
        name: "group-thresholds",
        about: "each group has thresholds of its own, found afterwards",
        source: "Madras et al. 2018, appendix C",
    },
    Known {
        name: "error<=E@P",
        about: "asks until the system's error is at most E, with probability P; by-group: on every group",
        source: "ours, after Angelopoulos et al. 2021",
    },
];

/// Any wrapper that is known by name, around any learner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FairLearner {
    /// Groups that count the same.
    Balanced(Balanced<AnyLearner>),
    /// The worst group counts ever more.
    Minimax(Minimax<AnyLearner>),
    /// The same, towards the Pareto front.
    ApStar(ApStar<AnyLearner>),
    /// A constraint between groups.
    Constrained(Constrained<AnyLearner>),
    /// Thresholds by group.
    GroupThresholds(GroupThresholds<AnyLearner>),
    /// A promise about the system's error.
    Guarantee(Guarantee<AnyLearner>),
}

/// How far groups may differ under a constraint, unless it is set.
const SLACK: f64 = 0.05;

impl FairLearner {
    /// What learns inside.
    pub fn inner(&self) -> &AnyLearner {
        match self {
            Self::Balanced(fair) => &fair.learner,
            Self::Minimax(fair) => &fair.learner,
            Self::ApStar(fair) => &fair.learner,
            Self::Constrained(fair) => &fair.learner,
            Self::GroupThresholds(fair) => &fair.learner,
            Self::Guarantee(fair) => &fair.learner,
        }
    }

    /// The same, to change it.
    pub(crate) fn inner_mut(&mut self) -> &mut AnyLearner {
        match self {
            Self::Balanced(fair) => &mut fair.learner,
            Self::Minimax(fair) => &mut fair.learner,
            Self::ApStar(fair) => &mut fair.learner,
            Self::Constrained(fair) => &mut fair.learner,
            Self::GroupThresholds(fair) => &mut fair.learner,
            Self::Guarantee(fair) => &mut fair.learner,
        }
    }

    pub(crate) fn fit(
        &self,
        data: &Dataset,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
    ) -> Result<AnyPolicy, FitError> {
        Ok(match self {
            Self::Balanced(fair) => fair.fit(data, weights, ctx)?,
            Self::Minimax(fair) => AnyPolicy::Mixture(Box::new(fair.fit(data, weights, ctx)?)),
            Self::ApStar(fair) => fair.fit(data, weights, ctx)?,
            Self::Constrained(fair) => AnyPolicy::Constrained(Box::new(fair.fit(data, weights, ctx)?)),
            Self::GroupThresholds(fair) => AnyPolicy::GroupThresholds(Box::new(fair.fit(data, weights, ctx)?)),
            Self::Guarantee(fair) => AnyPolicy::Guaranteed(Box::new(fair.fit(data, weights, ctx)?)),
        })
    }

    /// Puts the wrapper that is written as `text` around a learner.
    ///
    /// # Errors
    /// [`MethodError`] names what is wrong and what would be right.
    pub(crate) fn around(learner: AnyLearner, text: &str, attribute: Option<&str>) -> Result<Self, MethodError> {
        let text = text.trim();
        if let Some(bound) = text.strip_prefix("error<=") {
            return Ok(Self::Guarantee(guarantee(learner, text, bound, attribute)?));
        }
        let (name, settings) = text.split_once(':').unwrap_or((text, ""));
        let mut fair = Self::named(learner, name.trim(), attribute)?;
        for setting in settings.split(',').map(str::trim).filter(|s| !s.is_empty()) {
            fair.set(Setting::read(name, setting)?)?;
        }
        Ok(fair)
    }

    fn named(learner: AnyLearner, name: &str, attribute: Option<&str>) -> Result<Self, MethodError> {
        if !FAIRNESS.iter().any(|known| known.name == name) {
            let known = FAIRNESS.iter().map(|known| known.name).collect::<Vec<_>>().join(", ");
            return Err(MethodError::UnknownFairness { name: name.to_owned(), known });
        }
        let attribute = attribute.ok_or_else(|| MethodError::needs_group(name))?;
        let constrained = |constraint, learner| Self::Constrained(Constrained::by(attribute, constraint, learner));
        Ok(match name {
            "balanced" => Self::Balanced(Balanced::by(attribute, learner)),
            "minimax" => Self::Minimax(Minimax::by(attribute, learner)),
            "minimax-published" => Self::Minimax(Minimax::published(attribute, learner)),
            "ap-star" => Self::ApStar(ApStar::by(attribute, learner)),
            "demographic-parity" => constrained(Constraint::DemographicParity { slack: SLACK }, learner),
            "equalised-odds" => constrained(Constraint::EqualisedOdds { slack: SLACK }, learner),
            "equal-opportunity" => constrained(Constraint::EqualOpportunity { slack: SLACK }, learner),
            "error-parity" => constrained(Constraint::ErrorParity { slack: SLACK }, learner),
            "bounded-group-loss" => {
                constrained(Constraint::BoundedGroupLoss { loss: ErrorKind::ZeroOne, bound: 0.3 }, learner)
            }
            _ => Self::GroupThresholds(GroupThresholds::by(attribute, learner)),
        })
    }

    /// The settings it has.
    fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Balanced(_) | Self::Guarantee(_) => &[],
            Self::Minimax(_) => &["rounds", "step", "power", "error", "form", "gamma"],
            Self::ApStar(_) => &["iterations", "patience", "alpha", "error", "weighting"],
            Self::Constrained(Constrained { constraint: Constraint::BoundedGroupLoss { .. }, .. }) => {
                &["bound", "error", "iterations", "gap", "multipliers"]
            }
            Self::Constrained(_) => &["slack", "iterations", "gap", "multipliers"],
            Self::GroupThresholds(_) => &["draws", "disparity", "idk", "gamma", "share"],
        }
    }

    fn set(&mut self, setting: Setting<'_>) -> Result<(), MethodError> {
        if !self.keys().contains(&setting.key) {
            let known = if self.keys().is_empty() { "none".to_owned() } else { self.keys().join(", ") };
            return Err(MethodError::Key { method: setting.method.to_owned(), key: setting.key.to_owned(), known });
        }
        match self {
            Self::Minimax(fair) => match setting.key {
                "rounds" => fair.rounds = setting.count()?,
                "step" => fair.step = setting.number()?,
                "power" => fair.power = setting.number()?,
                "error" => fair.error = error_kind(setting)?,
                "gamma" => fair.form = MinimaxForm::Relaxed { gamma: setting.number()? },
                _ => {
                    let forms = [
                        ("minimax", MinimaxForm::Minimax),
                        ("equal-error", MinimaxForm::EqualError),
                        ("released", MinimaxForm::Released),
                    ];
                    fair.form = setting.choose(&forms)?;
                }
            },
            Self::ApStar(fair) => match setting.key {
                "iterations" => fair.iterations = setting.count()?,
                "patience" => fair.patience = setting.count()?,
                "alpha" => fair.alpha = setting.number()?,
                "error" => fair.error = error_kind(setting)?,
                _ => {
                    let kinds = [("group", ApStarWeighting::PerGroup), ("case", ApStarWeighting::PerCase)];
                    fair.weighting = setting.choose(&kinds)?;
                }
            },
            Self::Constrained(fair) => match setting.key {
                "iterations" => fair.iterations = setting.count()?,
                "gap" => fair.gap = setting.number()?,
                "multipliers" => fair.multipliers = Some(setting.number()?),
                _ => set_constraint(&mut fair.constraint, setting)?,
            },
            Self::GroupThresholds(fair) => set_thresholds(fair, setting)?,
            Self::Balanced(_) | Self::Guarantee(_) => {}
        }
        Ok(())
    }
}

fn error_kind(setting: Setting<'_>) -> Result<ErrorKind, MethodError> {
    setting.choose(&[
        ("zero-one", ErrorKind::ZeroOne),
        ("log-loss", ErrorKind::LogLoss),
        ("squared", ErrorKind::Squared),
        ("false-positive", ErrorKind::FalsePositive),
        ("false-negative", ErrorKind::FalseNegative),
    ])
}

fn set_constraint(constraint: &mut Constraint, setting: Setting<'_>) -> Result<(), MethodError> {
    match constraint {
        Constraint::BoundedGroupLoss { loss, bound } => match setting.key {
            "error" => *loss = error_kind(setting)?,
            _ => *bound = setting.number()?,
        },
        Constraint::DemographicParity { slack }
        | Constraint::EqualisedOdds { slack }
        | Constraint::EqualOpportunity { slack }
        | Constraint::ErrorParity { slack } => *slack = setting.number()?,
    }
    Ok(())
}

fn set_thresholds(fair: &mut GroupThresholds<AnyLearner>, setting: Setting<'_>) -> Result<(), MethodError> {
    let cost = match fair.search.idk {
        ThresholdIdk::Never => 0.1,
        ThresholdIdk::Reject { cost } | ThresholdIdk::Defer { cost } => cost,
    };
    match setting.key {
        "draws" => fair.search.draws = setting.count()?,
        "disparity" => fair.search.disparity = setting.number()?,
        "share" => fair.share = setting.number()?,
        "gamma" => {
            let cost = setting.number()?;
            fair.search.idk = match fair.search.idk {
                ThresholdIdk::Reject { .. } => ThresholdIdk::Reject { cost },
                ThresholdIdk::Never | ThresholdIdk::Defer { .. } => ThresholdIdk::Defer { cost },
            };
        }
        _ => {
            fair.search.idk = setting.choose(&[
                ("never", ThresholdIdk::Never),
                ("reject", ThresholdIdk::Reject { cost }),
                ("defer", ThresholdIdk::Defer { cost }),
            ])?;
        }
    }
    Ok(())
}

/// `E[@P][,by-group][,share=S][,group-known=no]`: whoever defers to one is bounded by when to defer, others by when to
/// believe the model.
fn guarantee(
    learner: AnyLearner,
    text: &str,
    bound: &str,
    attribute: Option<&str>,
) -> Result<Guarantee<AnyLearner>, MethodError> {
    if let AnyLearner::Consult(_) = learner.innermost() {
        return Err(MethodError::Guarantee {
            text: text.to_owned(),
            why: "consult keeps bounds by its own setting worst-error".to_owned(),
        });
    }
    let mut parts = bound.split(',').map(str::trim);
    let numbers = parts.next().unwrap_or_default();
    let (error, promise) = numbers.split_once('@').map_or((numbers, None), |(error, promise)| (error, Some(promise)));
    let number = |value: &str| Setting { method: text, key: "error<=", value: value.trim() }.number();
    let one_of = learner.innermost().defers_to_one();
    let mut guarantee = Guarantee::at_most(number(error)?, learner);
    guarantee.score = if one_of { DeferBy::Deferral } else { DeferBy::Confidence };
    if let Some(promise) = promise {
        guarantee.promise = number(promise)?;
    }
    for part in parts {
        match part.split_once('=') {
            None if part == "by-group" => {
                guarantee.attribute = Some(attribute.ok_or_else(|| MethodError::needs_group(text))?.to_owned());
            }
            Some(("share", value)) => guarantee.share = Setting { method: text, key: "share", value }.number()?,
            Some(("group-known", value)) => {
                let setting = Setting { method: text, key: "group-known", value };
                guarantee.group_known = setting.choose(&[("yes", true), ("no", false)])?;
            }
            _ => {
                return Err(MethodError::Guarantee {
                    text: text.to_owned(),
                    why: format!("`{part}` is none of by-group, share=S, group-known=yes|no"),
                });
            }
        }
    }
    Ok(guarantee)
}
