//! The settings of methods: `key=value`, which method has which, and what each changes.

use deferral_consult::Consult;
use deferral_core::{Absent, Seat, Selection, TieBreak, VoteRule};
use deferral_crowd::online::{Exploration, WeightRule};
use deferral_crowd::selection::li_liu::{Objective as LiLiuObjective, Size, Vote as LiLiuVote};
use deferral_crowd::{CrowdSelect, EpsilonFirst, ErrorModel, Goal, LiLiu, Streamed, Trust};
use deferral_fairness::MinimaxForm;
use deferral_losses::{ClassifierGradient, CostScope, Form, GroupLosses, Joint, Link, Schedule};
use deferral_models::{Batches, Classifier, Logistic, Optimiser, Precision, Training};

use crate::aggregators;
use crate::consult_settings::{self, CONSULT_KEYS};
use crate::fairness::FairLearner;
use crate::idk_settings;
use crate::methods::{FeatureKind, Members, Method, MethodError};
use crate::policy::AnyLearner;
use crate::surrogate_settings;

/// Settings of who is asked and how they vote: every method has them.
const RULE_KEYS: &[&str] = &["k", "draw", "seat", "vote", "tie", "absent", "features"];
/// Settings of the joint framework.
const JOINT_KEYS: &[&str] = &[
    "form",
    "steps",
    "batch",
    "rate",
    "optimiser",
    "dropout",
    "lambda",
    "cost-scope",
    "hidden",
    "classifier-hidden",
    "deferrer-hidden",
    "link",
    "bias",
    "gradient",
    "alpha",
    "precision",
    "balance",
    "groups",
];
/// Settings of the minimax game in the methods that are named after it.
const MINIMAX_KEYS: &[&str] = &["weights", "members"];
/// The widest layer that can be asked for: two of them make a network of 400 MB.
const MOST_WIDTH: usize = 10_000;
/// Settings of a classifier that is a logistic model.
const LOGISTIC_KEYS: &[&str] = &["model", "strength"];
/// Settings of a classifier that is a small network.
const SMALL_NETWORK_KEYS: &[&str] = &["model", "hidden"];
/// Settings of a classifier that is a network.
const NETWORK_KEYS: &[&str] = &["model", "hidden", "steps", "batch", "rate", "optimiser", "precision"];

/// Settings of aggregators and online methods.
const CROWD_KEYS: &[&str] = &[
    "iterations",
    "tolerance",
    "variant",
    "restarts",
    "pool-strength",
    "group-strength",
    "folds",
    "divisions",
    "rounds",
    "passes",
    "gold",
    "eta",
    "update",
    "epsilon",
    "bonus",
    "confidence",
    "ridge",
    "spread",
    "at-most",
    "objective",
    "weighting",
    "budget",
    "errors",
    "error-strength",
    "neighbours",
    "decay",
    "error",
    "beta",
    "most",
    "explore",
    "capacity",
    "with-classifier",
];

/// Every setting that a method may have, each once.
pub(crate) fn all_keys() -> Vec<&'static str> {
    let all = RULE_KEYS.iter().chain(JOINT_KEYS).chain(MINIMAX_KEYS).chain(LOGISTIC_KEYS);
    let all = all.chain(CROWD_KEYS).chain(CONSULT_KEYS);
    let mut keys: Vec<&'static str> = Vec::new();
    for key in all.copied().chain(idk_settings::all_idk_keys()).chain(surrogate_settings::all_surrogate_keys()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

impl Method {
    /// The settings it has.
    pub(crate) fn keys(&self) -> Vec<&'static str> {
        let learner = self.learner.innermost();
        let own: &[&str] = match learner {
            AnyLearner::Joint(_) if self.is_minimax() => {
                return RULE_KEYS.iter().chain(JOINT_KEYS).chain(MINIMAX_KEYS).copied().collect();
            }
            AnyLearner::Joint(_) => JOINT_KEYS,
            AnyLearner::Trust(trust) => return trust_keys(trust),
            AnyLearner::Consult(consult) => return consult_keys(consult),
            AnyLearner::Idk(_) | AnyLearner::BayesianIdk(_) => {
                return RULE_KEYS.iter().copied().chain(idk_settings::idk_keys(learner)).collect();
            }
            AnyLearner::LiLiu(_) => &["at-most", "objective", "weighting", "budget"],
            AnyLearner::CrowdSelect(_) => &["errors", "error-strength", "neighbours", "decay", "error", "budget"],
            AnyLearner::GoelFaltings(_) => &["beta", "budget", "most"],
            AnyLearner::EpsilonFirst(_) => &["explore", "budget", "capacity", "with-classifier"],
            AnyLearner::MultiplicativeWeights(_) => &["eta", "update"],
            AnyLearner::EpsilonGreedy(_) => &["epsilon"],
            AnyLearner::Ucb(_) => &["bonus"],
            AnyLearner::LinUcb(_) => &["confidence", "ridge"],
            AnyLearner::LinearThompson(_) => &["spread", "ridge"],
            _ => &[],
        };
        let of_surrogate = surrogate_settings::surrogate_keys(learner);
        // A network of the method's own takes the keys that its classifier would have.
        let of_classifier = learner.classifier().map_or(&[][..], classifier_keys).iter().copied();
        let of_classifier = of_classifier.filter(|key| !of_surrogate.contains(key)).collect::<Vec<_>>();
        RULE_KEYS.iter().chain(own).copied().chain(of_surrogate.iter().copied()).chain(of_classifier).collect()
    }

    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<(), MethodError> {
        let name = self.name.split(':').next().unwrap_or_default().to_owned();
        let setting = Setting { method: &name, key, value };
        if !self.keys().contains(&key) {
            let known = self.keys().join(", ");
            return Err(MethodError::Key { method: name, key: key.to_owned(), known });
        }
        if RULE_KEYS.contains(&key) && !self.is_own(key) {
            return self.set_rule(setting);
        }
        if MINIMAX_KEYS.contains(&key) && self.is_minimax() {
            return self.set_minimax(setting);
        }
        let learner = self.learner.innermost_mut();
        if surrogate_settings::surrogate_keys(learner).contains(&key) {
            surrogate_settings::set(learner, setting)?;
            return Ok(());
        }
        if let Some(classifier) = learner.classifier_mut()
            && classifier_keys(classifier).contains(&key)
        {
            set_classifier(classifier, setting)?;
            // A network sees dense features; a logistic model those that the method is at its best with.
            self.prefers_sparse &= matches!(classifier, Classifier::Logistic(_));
            return Ok(());
        }
        match learner {
            AnyLearner::Joint(joint) => set_joint(joint, setting),
            AnyLearner::Trust(trust) => match key {
                "gold" => {
                    trust.gold = setting.choose(&[("yes", true), ("no", false)])?;
                    Ok(())
                }
                _ => aggregators::set(&mut trust.aggregator, setting),
            },
            AnyLearner::LiLiu(ll) => set_li_liu(ll, setting),
            AnyLearner::CrowdSelect(learner) => match key {
                "error" => set_number(setting, |error| self.rule.goal = Some(Goal::ErrorBound { error })),
                "budget" => set_number(setting, |budget| self.rule.goal = Some(Goal::Budget { budget })),
                _ => set_crowd_select(learner, setting),
            },
            AnyLearner::GoelFaltings(fair) => match key {
                "beta" => set_number(setting, |beta| fair.limits.beta = beta),
                "budget" => set_number(setting, |budget| fair.limits.budget = Some(budget)),
                _ => set_number(setting, |most| fair.limits.max_share = Some(vec![most])),
            },
            AnyLearner::EpsilonFirst(first) => set_epsilon_first(first, setting),
            AnyLearner::MultiplicativeWeights(Streamed { method, .. }) => {
                if key == "eta" {
                    return set_number(setting, |rate| method.rate = Some(rate));
                }
                let rules = [("multiplicative", WeightRule::Multiplicative), ("hedge", WeightRule::Hedge)];
                method.rule = setting.choose(&rules)?;
                Ok(())
            }
            AnyLearner::EpsilonGreedy(Streamed { method, .. }) => {
                set_number(setting, |epsilon| method.exploration = Exploration::Constant(epsilon))
            }
            AnyLearner::Ucb(Streamed { method, .. }) => set_number(setting, |bonus| method.bonus = bonus),
            AnyLearner::LinUcb(Streamed { method, .. }) => match key {
                "confidence" => set_number(setting, |alpha| method.alpha = alpha),
                _ => set_number(setting, |lambda| method.lambda = lambda),
            },
            AnyLearner::LinearThompson(Streamed { method, .. }) => match key {
                "spread" => set_number(setting, |v| method.v = v),
                _ => set_number(setting, |lambda| method.lambda = lambda),
            },
            AnyLearner::Idk(_) | AnyLearner::BayesianIdk(_) => {
                idk_settings::set(learner, self.group.as_deref(), setting)
            }
            AnyLearner::Consult(consult) => {
                consult_settings::set(consult, &mut self.rule.asking, self.group.as_deref(), setting)
            }
            // What is left belongs to classifiers or to the rule.
            _ => Ok(()),
        }
    }

    /// Whether it is named after the minimax game, which is then its own and no wrapper of another method.
    fn is_minimax(&self) -> bool {
        let is_game = matches!(&self.learner, AnyLearner::Fair(fair) if matches!(**fair, FairLearner::Minimax(_)));
        is_game && self.name.starts_with("minimax")
    }

    fn set_minimax(&mut self, setting: Setting<'_>) -> Result<(), MethodError> {
        if setting.key == "members" {
            self.rule.members = setting.choose(&[("average", Members::Average), ("majority", Members::Majority)])?;
        } else if let AnyLearner::Fair(fair) = &mut self.learner
            && let FairLearner::Minimax(game) = &mut **fair
        {
            game.form = setting.choose(&[("normalised", MinimaxForm::Minimax), ("released", MinimaxForm::Released)])?;
        }
        Ok(())
    }

    /// Whether a setting of the rule means something of its own to this method.
    fn is_own(&self, key: &str) -> bool {
        matches!(self.learner.innermost(), AnyLearner::Consult(_)) && CONSULT_KEYS.contains(&key)
    }

    fn set_rule(&mut self, setting: Setting<'_>) -> Result<(), MethodError> {
        let rule = &mut self.rule;
        match setting.key {
            "k" => {
                let k = setting.count()?;
                match self.learner.innermost_mut() {
                    AnyLearner::LiLiu(ll) => {
                        ll.size = Size::Exactly { k };
                        return Ok(());
                    }
                    AnyLearner::CrowdSelect(_) => rule.goal = Some(Goal::Size { k }),
                    _ => {}
                }
                if rule.goal.is_some() && rule.select.is_none() {
                    return Ok(());
                }
                rule.select = Some(match (rule.select, self.learner.innermost()) {
                    (Some(Selection::Distinct { .. }), _) => Selection::Distinct { k },
                    (Some(Selection::Top { .. }), _) | (_, AnyLearner::Trust(_)) => Selection::Top { k },
                    _ => Selection::Sampled { k },
                });
            }
            "draw" => {
                let k = match rule.select {
                    Some(Selection::Sampled { k } | Selection::Distinct { k } | Selection::Top { k }) => k,
                    _ => 1,
                };
                rule.select = Some(setting.choose(&[
                    ("whole", Selection::Whole),
                    ("sampled", Selection::Sampled { k }),
                    ("distinct", Selection::Distinct { k }),
                    ("top", Selection::Top { k }),
                ])?);
            }
            "seat" => {
                let seats = [("weighted", Seat::Weighted), ("always", Seat::Always), ("never", Seat::Never)];
                rule.classifier = Some(setting.choose(&seats)?);
            }
            "vote" => {
                rule.vote = Some(setting.choose(&[
                    ("majority", VoteRule::Majority),
                    ("weighted", VoteRule::Weighted),
                    ("scaled-mean", VoteRule::ScaledMean),
                ])?);
            }
            "tie" => {
                rule.tie = Some(setting.choose(&[
                    ("lowest", TieBreak::Lowest),
                    ("random", TieBreak::Random),
                    ("classifier", TieBreak::Classifier),
                ])?);
            }
            "absent" => {
                rule.absent = setting.choose(&[("unavailable", Absent::Unavailable), ("silent", Absent::Silent)])?;
            }
            _ => {
                self.features = Some(setting.choose(&[
                    ("ngrams", FeatureKind::Ngrams),
                    ("svd", FeatureKind::Svd),
                    ("vectors", FeatureKind::Vectors),
                    ("numeric", FeatureKind::Numeric),
                ])?);
            }
        }
        Ok(())
    }
}

/// One `key=value` of a method.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) method: &'a str,
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
}

impl<'a> Setting<'a> {
    /// Reads `key=value`.
    pub(crate) fn read(method: &'a str, text: &'a str) -> Result<Self, MethodError> {
        let wrong = || MethodError::Form { method: method.to_owned(), setting: text.to_owned() };
        let (key, value) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Self { method, key: key.trim(), value: value.trim() })
    }

    fn wrong(&self, expected: &str) -> MethodError {
        MethodError::Value {
            method: self.method.to_owned(),
            key: self.key.to_owned(),
            value: self.value.to_owned(),
            expected: expected.to_owned(),
        }
    }

    pub(crate) fn count(&self) -> Result<usize, MethodError> {
        self.value.parse().map_err(|_| self.wrong("a whole number"))
    }

    pub(crate) fn number(&self) -> Result<f64, MethodError> {
        let number = self.value.parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| self.wrong("a finite number"))
    }

    pub(crate) fn choose<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, MethodError> {
        let names = || choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let found = choices.iter().find(|(name, _)| *name == self.value);
        found.map(|(_, choice)| *choice).ok_or_else(|| self.wrong(&format!("one of {}", names())))
    }

    /// Widths such as `128-32`, or `none`.
    pub(crate) fn widths(&self) -> Result<Vec<usize>, MethodError> {
        if self.value == "none" {
            return Ok(Vec::new());
        }
        let width = |text: &str| text.parse().ok().filter(|width| *width <= MOST_WIDTH);
        let widths: Option<Vec<usize>> = self.value.split('-').map(width).collect();
        widths.ok_or_else(|| self.wrong(&format!("`none` or layer widths up to {MOST_WIDTH} such as 128-32")))
    }

    /// Changes a training by one of its settings; `false` if this is none of them.
    pub(crate) fn set_training(&self, training: &mut Training) -> Result<bool, MethodError> {
        match self.key {
            "steps" => training.steps = self.count()?,
            "batch" => {
                training.batches = match self.value {
                    "full" => Batches::Full,
                    _ => Batches::PerStep { size: self.count()? },
                }
            }
            "rate" => {
                let rate = self.number()?;
                training.optimiser = match training.optimiser {
                    Optimiser::Adam { decay, .. } => Optimiser::Adam { rate, decay },
                    Optimiser::Sgd { momentum, decay, .. } => Optimiser::Sgd { rate, momentum, decay },
                }
            }
            "optimiser" => {
                let (Optimiser::Sgd { rate, .. } | Optimiser::Adam { rate, .. }) = training.optimiser;
                training.optimiser =
                    self.choose(&[("sgd", Optimiser::sgd(rate)), ("adam", Optimiser::adam(rate.min(0.003)))])?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn set_li_liu(ll: &mut LiLiu, setting: Setting<'_>) -> Result<(), MethodError> {
    match setting.key {
        "at-most" => ll.size = Size::AtMost { k: setting.count()? },
        "objective" => {
            ll.objective = setting.choose(&[
                ("corrected", LiLiuObjective::Corrected),
                ("ratio", LiLiuObjective::Ratio),
                ("plain", LiLiuObjective::Plain),
            ])?;
        }
        "weighting" => {
            ll.vote = setting.choose(&[
                ("majority", LiLiuVote::Majority),
                ("log-odds", LiLiuVote::LogOdds),
                ("linear", LiLiuVote::Linear),
            ])?;
        }
        _ => ll.budget = Some(setting.number()?),
    }
    Ok(())
}

fn set_crowd_select(learner: &mut CrowdSelect, setting: Setting<'_>) -> Result<(), MethodError> {
    match setting.key {
        "errors" => {
            learner.errors = match setting.value {
                "logistic" => ErrorModel::default(),
                "neighbours" => ErrorModel::Neighbours { k: 25 },
                "recent" => ErrorModel::Recent { decay: 0.95 },
                _ => return Err(setting.wrong("one of logistic, neighbours, recent")),
            };
        }
        "error-strength" => {
            let strength = setting.number()?;
            learner.errors = ErrorModel::Classifier(Classifier::Logistic(Logistic { strength, ..Logistic::default() }));
        }
        "neighbours" => learner.errors = ErrorModel::Neighbours { k: setting.count()? },
        _ => learner.errors = ErrorModel::Recent { decay: setting.number()? },
    }
    Ok(())
}

fn set_epsilon_first(first: &mut EpsilonFirst, setting: Setting<'_>) -> Result<(), MethodError> {
    match setting.key {
        "explore" => first.epsilon = setting.number()?,
        "budget" => first.budget = Some(setting.number()?),
        "capacity" => first.capacity = Some(setting.count()?),
        _ => first.with_classifier = setting.choose(&[("yes", true), ("no", false)])?,
    }
    Ok(())
}

fn set_number(setting: Setting<'_>, set: impl FnOnce(f64)) -> Result<(), MethodError> {
    set(setting.number()?);
    Ok(())
}

/// Settings of the rule that a consultation has no use for: it chooses, combines votes and breaks ties in its own way.
const NOT_OF_CONSULT: &[&str] = &["draw", "seat", "vote", "tie"];

fn consult_keys(consult: &Consult) -> Vec<&'static str> {
    let of_rule = RULE_KEYS.iter().filter(|key| !NOT_OF_CONSULT.contains(key) && !CONSULT_KEYS.contains(key));
    CONSULT_KEYS.iter().chain(of_rule).chain(classifier_keys(&consult.classifier)).copied().collect()
}

/// What an aggregator has beside the rule's settings; ties are the rule's.
fn trust_keys(trust: &Trust) -> Vec<&'static str> {
    let own = aggregators::keys(&trust.aggregator).into_iter().filter(|key| !RULE_KEYS.contains(key));
    RULE_KEYS.iter().copied().chain(own).chain(["gold"]).collect()
}

fn set_joint(joint: &mut Joint, setting: Setting<'_>) -> Result<(), MethodError> {
    if setting.set_training(&mut joint.training)? {
        return Ok(());
    }
    match setting.key {
        "form" => {
            joint.form =
                setting.choose(&[("auto", None), ("binary", Some(Form::Binary)), ("classes", Some(Form::Classes))])?;
        }
        "dropout" => joint.dropout = setting.number()?,
        "lambda" => joint.lambda = setting.number()?,
        "cost-scope" => {
            joint.cost_scope =
                setting.choose(&[("answered", CostScope::Answered), ("everyone", CostScope::Everyone)])?;
        }
        "hidden" => {
            joint.classifier_hidden = setting.widths()?;
            joint.deferrer_hidden.clone_from(&joint.classifier_hidden);
        }
        "classifier-hidden" => joint.classifier_hidden = setting.widths()?,
        "deferrer-hidden" => joint.deferrer_hidden = setting.widths()?,
        "link" => joint.link = setting.choose(&[("sigmoid", Link::Sigmoid), ("projected", Link::Projected)])?,
        "bias" => joint.deferrer_bias = setting.number()?,
        "gradient" => {
            let kinds = [("joint", ClassifierGradient::Joint), ("detached", ClassifierGradient::Detached)];
            joint.classifier_gradient = setting.choose(&kinds)?;
        }
        "alpha" => joint.schedule = schedule(setting)?,
        "groups" => {
            joint.groups = setting.choose(&[("mean", GroupLosses::Mean), ("sum", GroupLosses::Sum)])?;
        }
        "precision" => joint.precision = setting.choose(&[("f32", Precision::F32), ("f64", Precision::F64)])?,
        _ => joint.balance = Some(setting.value.to_owned()).filter(|name| name != "none"),
    }
    Ok(())
}

/// `head-start`, `where-wrong`, or the two constants such as `0/1`.
fn schedule(setting: Setting<'_>) -> Result<Schedule, MethodError> {
    let expected = "head-start, where-wrong, or alpha1/alpha2 such as 0/1";
    match setting.value {
        "head-start" => Ok(Schedule::default()),
        "where-wrong" => Ok(Schedule::WhereWrong),
        constants => {
            let parts = constants.split_once('/').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
            let (classifier, system) = parts.ok_or_else(|| setting.wrong(expected))?;
            Ok(Schedule::Constant { classifier, system })
        }
    }
}

/// The settings that a classifier has.
fn classifier_keys(classifier: &Classifier) -> &'static [&'static str] {
    match classifier {
        Classifier::Logistic(_) => LOGISTIC_KEYS,
        Classifier::SmallNetwork { .. } => SMALL_NETWORK_KEYS,
        Classifier::Network { .. } => NETWORK_KEYS,
    }
}

/// Changes a classifier by one of the settings that its model has.
fn set_classifier(classifier: &mut Classifier, setting: Setting<'_>) -> Result<(), MethodError> {
    match (setting.key, &mut *classifier) {
        ("model", _) => {
            *classifier = match setting.value {
                "logistic" => Classifier::default(),
                "network" => Classifier::network(&[128, 32], 1000, 200, 0.3),
                "small-network" => Classifier::published(),
                _ => return Err(setting.wrong("one of logistic, network, small-network")),
            };
        }
        ("hidden", Classifier::SmallNetwork { hidden, .. } | Classifier::Network { hidden, .. }) => {
            *hidden = setting.widths()?;
        }
        ("precision", Classifier::Network { precision, .. }) => {
            *precision = setting.choose(&[("f32", Precision::F32), ("f64", Precision::F64)])?;
        }
        (_, Classifier::Network { training, .. }) => {
            setting.set_training(training)?;
        }
        (_, Classifier::Logistic(logistic)) => *logistic = Logistic { strength: setting.number()?, ..*logistic },
        (_, Classifier::SmallNetwork { .. }) => {}
    }
    Ok(())
}
