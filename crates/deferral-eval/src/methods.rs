//! The methods that are known by name: the one list that the command line, the reports and the docs read.
//!
//! A method is written `name` or `name:key=value,key=value`, such as `joint:k=5,steps=100`.

use deferral_core::{Absent, Committee, ParameterError, Policy, Seat, Selection, TieBreak, VoteRule};
use deferral_losses::{
    BestExpert, Classifier, ClassifierGradient, CostScope, Everyone, FairCommittee, Form, Joint, Link, Precision,
    RandomCommittee, Schedule,
};
use deferral_models::{Batches, Logistic, Optimiser, Training};
use serde::{Deserialize, Serialize};

use crate::policy::{AnyLearner, AnyPolicy};

/// One line of the list of methods.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// The name.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// Where it is from.
    pub source: &'static str,
}

/// All methods, in the order in which tables show them.
pub const METHODS: &[Known] = &[
    Known { name: "majority", about: "majority vote of the labels there are; ties go to the first label", source: "-" },
    Known { name: "best-expert", about: "the most accurate expert among those available", source: "-" },
    Known { name: "classifier", about: "the model alone: regularised logistic regression", source: "-" },
    Known {
        name: "classifier-published",
        about: "the model alone: the small network of the released code",
        source: "Keswani et al. 2021, section 3.2",
    },
    Known {
        name: "random-committee",
        about: "5 random experts and the classifier, majority",
        source: "Keswani et al. 2021, section 3.2",
    },
    Known {
        name: "fair-committee",
        about: "the same, of experts who are better on the case's group",
        source: "Keswani et al. 2021, section 3.2",
    },
    Known {
        name: "joint",
        about: "classifier and deferrer trained together; one score a class where decisions are incomplete",
        source: "Keswani et al. 2021, section 2.1",
    },
    Known {
        name: "joint-published",
        about: "the same with the released settings: binary score, 100 steps, classifier trained by its own loss",
        source: "Keswani et al. 2021, released code",
    },
    Known {
        name: "balanced",
        about: "joint, every group counting the same in the loss",
        source: "Keswani et al. 2021, section 2.2",
    },
    Known {
        name: "balanced-published",
        about: "joint-published, every group counting the same in the loss",
        source: "Keswani et al. 2021, released code",
    },
];

/// Which features a method sees. What a name means for a data set is settled by the experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureKind {
    /// Sparse n-gram counts of the text (with the numeric columns).
    Ngrams,
    /// Their 100 main directions.
    Svd,
    /// Mean word vectors.
    Vectors,
    /// The numeric columns only.
    Numeric,
    /// Nothing at all.
    Nothing,
}

/// A method: how to learn, what to look at, whom to ask and how they vote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// As it was written.
    pub name: String,
    /// How it learns.
    pub learner: AnyLearner,
    /// The features it asks for; the experiment's default if it does not say.
    pub features: Option<FeatureKind>,
    /// Whether its default features are sparse (a linear model) or dense (a network).
    pub prefers_sparse: bool,
    /// Who is asked and how they vote, where it differs from what the policy would do by itself.
    pub rule: Rule,
}

/// The parts of a committee that a method sets; what it leaves open follows from the policy.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Rule {
    /// Who is asked.
    pub select: Option<Selection>,
    /// Whether the classifier sits in the committee.
    pub classifier: Option<Seat>,
    /// How votes become a label.
    pub vote: Option<VoteRule>,
    /// What breaks ties.
    pub tie: Option<TieBreak>,
    /// What happens with experts who did not label a case.
    pub absent: Absent,
}

impl Rule {
    /// The committee for a fitted policy.
    pub fn committee(&self, policy: &AnyPolicy) -> Committee {
        let own = match policy {
            AnyPolicy::Joint(policy) => policy.committee(),
            AnyPolicy::Classifier(_) => Committee { classifier: Seat::Always, ..Committee::default() },
            AnyPolicy::Roster(_) => Committee { classifier: Seat::Never, ..Committee::default() },
        };
        Committee {
            select: self.select.unwrap_or(own.select),
            classifier: self.classifier.unwrap_or(own.classifier),
            vote: self.vote.unwrap_or(own.vote),
            tie: self.tie.unwrap_or(own.tie),
        }
    }

    /// The committee, its size checked against the experts of the policy.
    ///
    /// # Errors
    /// If k is larger than the voters there are.
    pub fn checked_committee(&self, policy: &AnyPolicy) -> Result<Committee, ParameterError> {
        let committee = self.committee(policy);
        committee.check(policy.experts())?;
        Ok(committee)
    }
}

/// Why a method is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MethodError {
    /// No method has this name.
    #[error("there is no method `{name}`; known: {known}")]
    Unknown {
        /// The name given.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// A setting is not `key=value`.
    #[error("method `{method}`: `{setting}` is not of the form key=value")]
    Form {
        /// The method.
        method: String,
        /// What was written.
        setting: String,
    },
    /// A method does not have such a setting.
    #[error("method `{method}` has no setting `{key}`; it has: {known}")]
    Key {
        /// The method.
        method: String,
        /// The key given.
        key: String,
        /// Those that exist.
        known: String,
    },
    /// No method at all has such a setting.
    #[error("no method has a setting `{key}`; there are: {known}")]
    NoMethodHas {
        /// The key given.
        key: String,
        /// Those that exist.
        known: String,
    },
    /// A value cannot be read.
    #[error("method `{method}`: {key}={value} must be {expected}")]
    Value {
        /// The method.
        method: String,
        /// The key.
        key: String,
        /// The value given.
        value: String,
        /// What would be accepted.
        expected: String,
    },
}

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
];
/// Settings of a classifier.
const CLASSIFIER_KEYS: &[&str] = &["model", "strength", "hidden", "steps", "batch", "rate", "optimiser", "precision"];

/// Every setting that a method may have, each once.
fn all_keys() -> Vec<&'static str> {
    let own = CLASSIFIER_KEYS.iter().filter(|key| !JOINT_KEYS.contains(key));
    RULE_KEYS.iter().chain(JOINT_KEYS).chain(own).copied().collect()
}

impl Method {
    /// Reads a method. `defaults` are settings for every method that has them, weaker than its own; `attribute` is the
    /// group attribute that fair methods use.
    ///
    /// # Errors
    /// [`MethodError`] names what is wrong and what would be right.
    ///
    /// ```
    /// use deferral_eval::Method;
    /// let method = Method::parse("joint:k=5,steps=100", &[], Some("dialect"))?;
    /// assert_eq!(method.name, "joint:k=5,steps=100");
    /// assert!(Method::parse("jont", &[], None).unwrap_err().to_string().starts_with("there is no method `jont`"));
    /// # Ok::<(), deferral_eval::MethodError>(())
    /// ```
    pub fn parse(text: &str, defaults: &[(String, String)], attribute: Option<&str>) -> Result<Self, MethodError> {
        let (name, settings) = text.split_once(':').unwrap_or((text, ""));
        let mut method = Self::named(text, name.trim(), attribute)?;
        for (key, value) in defaults {
            if method.keys().contains(&key.as_str()) {
                method.set(key, value)?;
            } else if !all_keys().contains(&key.as_str()) {
                return Err(MethodError::NoMethodHas { key: key.clone(), known: all_keys().join(", ") });
            }
        }
        for setting in settings.split(',').map(str::trim).filter(|s| !s.is_empty()) {
            let wrong = || MethodError::Form { method: name.to_owned(), setting: setting.to_owned() };
            let (key, value) = setting.split_once('=').ok_or_else(wrong)?;
            method.set(key.trim(), value.trim())?;
        }
        Ok(method)
    }

    fn named(text: &str, name: &str, attribute: Option<&str>) -> Result<Self, MethodError> {
        let majority = Rule { vote: Some(VoteRule::Majority), classifier: Some(Seat::Never), ..Rule::default() };
        let committee = Rule {
            select: Some(Selection::Distinct { k: 5 }),
            classifier: Some(Seat::Always),
            vote: Some(VoteRule::Majority),
            ..Rule::default()
        };
        let best = Rule { select: Some(Selection::Top { k: 1 }), ..majority };
        let balance = attribute.map(str::to_owned);
        let needs_attribute = || MethodError::Value {
            method: name.to_owned(),
            key: "group".to_owned(),
            value: "(none)".to_owned(),
            expected: "the name of a group attribute of the cases (`--group NAME`)".to_owned(),
        };
        let joint = |joint| (AnyLearner::Joint(joint), Rule::default());
        let (learner, rule) = match name {
            "majority" => (AnyLearner::Everyone(Everyone {}), majority),
            "best-expert" => (AnyLearner::BestExpert(BestExpert {}), best),
            "classifier" => (AnyLearner::Classifier(Classifier::default()), Rule::default()),
            "classifier-published" => (AnyLearner::Classifier(Classifier::published()), Rule::default()),
            "random-committee" => (AnyLearner::RandomCommittee(RandomCommittee::default()), committee),
            "fair-committee" => {
                let attribute = balance.ok_or_else(needs_attribute)?;
                (AnyLearner::FairCommittee(FairCommittee { attribute, classifier: Classifier::default() }), committee)
            }
            "joint" => joint(Joint::default()),
            "joint-published" => joint(Joint::published()),
            "balanced" => joint(Joint { balance: Some(balance.ok_or_else(needs_attribute)?), ..Joint::default() }),
            "balanced-published" => {
                joint(Joint { balance: Some(balance.ok_or_else(needs_attribute)?), ..Joint::published() })
            }
            _ => {
                let known = METHODS.iter().map(|m| m.name).collect::<Vec<_>>().join(", ");
                return Err(MethodError::Unknown { name: name.to_owned(), known });
            }
        };
        let prefers_sparse =
            !matches!(name, "joint" | "joint-published" | "balanced" | "balanced-published" | "classifier-published");
        Ok(Self { name: text.trim().to_owned(), learner, features: None, prefers_sparse, rule })
    }

    /// Whether it looks at cases at all, and not only at who decided what.
    pub fn looks_at_cases(&self) -> bool {
        !matches!(self.learner, AnyLearner::Everyone(_) | AnyLearner::BestExpert(_))
    }

    /// The settings it has.
    fn keys(&self) -> Vec<&'static str> {
        let own = match &self.learner {
            AnyLearner::Joint(_) => JOINT_KEYS,
            AnyLearner::Classifier(_) | AnyLearner::RandomCommittee(_) | AnyLearner::FairCommittee(_) => {
                CLASSIFIER_KEYS
            }
            AnyLearner::Everyone(_) | AnyLearner::BestExpert(_) => &[],
        };
        RULE_KEYS.iter().chain(own).copied().collect()
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), MethodError> {
        let name = self.name.split(':').next().unwrap_or_default().to_owned();
        let setting = Setting { method: &name, key, value };
        if !self.keys().contains(&key) {
            let known = self.keys().join(", ");
            return Err(MethodError::Key { method: name, key: key.to_owned(), known });
        }
        if RULE_KEYS.contains(&key) {
            return self.set_rule(setting);
        }
        match &mut self.learner {
            AnyLearner::Joint(joint) => set_joint(joint, setting),
            AnyLearner::Classifier(classifier) => {
                set_classifier(classifier, setting)?;
                self.prefers_sparse = matches!(classifier, Classifier::Logistic(_));
                Ok(())
            }
            AnyLearner::RandomCommittee(RandomCommittee { classifier })
            | AnyLearner::FairCommittee(FairCommittee { classifier, .. }) => {
                set_classifier(classifier, setting)?;
                self.prefers_sparse = matches!(classifier, Classifier::Logistic(_));
                Ok(())
            }
            AnyLearner::Everyone(_) | AnyLearner::BestExpert(_) => Ok(()),
        }
    }

    fn set_rule(&mut self, setting: Setting<'_>) -> Result<(), MethodError> {
        let rule = &mut self.rule;
        match setting.key {
            "k" => {
                let k = setting.count()?;
                rule.select = Some(match rule.select {
                    Some(Selection::Distinct { .. }) => Selection::Distinct { k },
                    Some(Selection::Top { .. }) => Selection::Top { k },
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
struct Setting<'a> {
    method: &'a str,
    key: &'a str,
    value: &'a str,
}

impl Setting<'_> {
    fn wrong(&self, expected: &str) -> MethodError {
        MethodError::Value {
            method: self.method.to_owned(),
            key: self.key.to_owned(),
            value: self.value.to_owned(),
            expected: expected.to_owned(),
        }
    }

    fn count(&self) -> Result<usize, MethodError> {
        self.value.parse().map_err(|_| self.wrong("a whole number"))
    }

    fn number(&self) -> Result<f64, MethodError> {
        let number = self.value.parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| self.wrong("a finite number"))
    }

    fn choose<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, MethodError> {
        let names = || choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let found = choices.iter().find(|(name, _)| *name == self.value);
        found.map(|(_, choice)| *choice).ok_or_else(|| self.wrong(&format!("one of {}", names())))
    }

    /// Widths such as `128-32`, or `none`.
    fn widths(&self) -> Result<Vec<usize>, MethodError> {
        if self.value == "none" {
            return Ok(Vec::new());
        }
        let widths: Result<Vec<usize>, _> = self.value.split('-').map(str::parse).collect();
        widths.map_err(|_| self.wrong("`none` or layer widths such as 128-32"))
    }

    /// Changes a training by one of its settings; `false` if this is none of them.
    fn set_training(&self, training: &mut Training) -> Result<bool, MethodError> {
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

fn set_classifier(classifier: &mut Classifier, setting: Setting<'_>) -> Result<(), MethodError> {
    let plain_network = || Classifier::network(&[128, 32], 1000, 200, 0.3);
    match (setting.key, &mut *classifier) {
        ("model", _) => {
            *classifier = match setting.value {
                "logistic" => Classifier::default(),
                "network" => plain_network(),
                "small-network" => Classifier::published(),
                _ => return Err(setting.wrong("one of logistic, network, small-network")),
            };
            Ok(())
        }
        ("strength", _) => {
            *classifier = Classifier::Logistic(Logistic { strength: setting.number()?, ..Logistic::default() });
            Ok(())
        }
        ("hidden", Classifier::SmallNetwork { hidden, .. } | Classifier::Network { hidden, .. }) => {
            *hidden = setting.widths()?;
            Ok(())
        }
        ("precision", Classifier::Network { precision, .. }) => {
            *precision = setting.choose(&[("f32", Precision::F32), ("f64", Precision::F64)])?;
            Ok(())
        }
        (_, Classifier::Network { training, .. }) => setting.set_training(training).map(|_| ()),
        // How a network is trained says nothing about the other models: settings for all methods pass them by.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Method, MethodError> {
        Method::parse(text, &[("steps".into(), "7".into())], Some("dialect"))
    }

    #[test]
    fn every_known_method_can_be_parsed() {
        for known in METHODS {
            assert_eq!(parse(known.name).unwrap().name, known.name);
        }
    }

    #[test]
    fn own_settings_are_stronger_than_defaults() {
        let AnyLearner::Joint(joint) = parse("joint").unwrap().learner else { panic!("not joint") };
        assert_eq!(joint.training.steps, 7);
        let method = parse("joint:steps=9,k=5,hidden=16,alpha=0/1,link=projected,bias=0.5").unwrap();
        let AnyLearner::Joint(joint) = method.learner else { panic!("not joint") };
        assert_eq!((joint.training.steps, joint.deferrer_hidden), (9, vec![16]));
        assert_eq!(joint.schedule, Schedule::Constant { classifier: 0.0, system: 1.0 });
        assert_eq!(method.rule.select, Some(Selection::Sampled { k: 5 }));
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text: &str| parse(text).unwrap_err().to_string();
        assert!(message("jont").starts_with("there is no method `jont`; known: majority, best-expert"));
        assert_eq!(message("joint:k"), "method `joint`: `k` is not of the form key=value");
        assert_eq!(message("joint:k=many"), "method `joint`: k=many must be a whole number");
        assert_eq!(
            message("majority:steps=3"),
            "method `majority` has no setting `steps`; it has: k, draw, seat, vote, tie, absent, features"
        );
        assert_eq!(message("joint:form=ternary"), "method `joint`: form=ternary must be one of auto, binary, classes");
        let message = Method::parse("balanced", &[], None).unwrap_err().to_string();
        assert!(message.contains("the name of a group attribute"), "{message}");
    }
}
