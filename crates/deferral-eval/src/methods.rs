//! The methods that are known by name: the one list that the command line, the reports and the docs read.
//!
//! A method is written `name` or `name:key=value,key=value`, such as `joint:k=5,steps=100`.

use deferral_consult::{Asking, Consult};
use deferral_core::{Absent, Cases, Committee, Consultation, Policy, Seat, Selection, TieBreak, VoteRule};
use deferral_crowd::online::Follow;
use deferral_crowd::{
    BestExpert, CrowdSelect, CrowdSelectRule, EpsilonFirst, Everyone, FairCommittee, Goal, GoelFaltings, LiLiu,
    MultiplicativeWeights, OnlineMethod, RandomCommittee, Streamed, Trust,
};
use deferral_losses::Joint;
use deferral_models::Classifier;
use serde::{Deserialize, Serialize};

use crate::aggregators::{self, AGGREGATORS};
use crate::error::EvalError;
use crate::fairness::FairLearner;
use crate::idk_settings::{self, AIMS};
use crate::policy::{AnyLearner, AnyPolicy};
use crate::settings::{Setting, all_keys};
use crate::surrogate_settings::{self, SURROGATES};

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

/// All methods, in the order in which tables show them. The first are the aggregators ([`AGGREGATORS`]), which learn
/// whom to trust from votes alone.
pub const METHODS: &[Known] = &joined::<{ AGGREGATORS.len() + LEARNERS.len() + SURROGATES.len() }>(
    &joined::<{ AGGREGATORS.len() + LEARNERS.len() }>(AGGREGATORS, LEARNERS),
    SURROGATES,
);

const fn joined<const N: usize>(first: &[Known], second: &[Known]) -> [Known; N] {
    let mut all = [first[0]; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    all
}

/// Methods that learn from gold labels.
const LEARNERS: &[Known] = &[
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
        about: "5 random experts who are better on the case's group and the classifier, majority",
        source: "Keswani et al. 2021, section 3.2",
    },
    Known {
        name: "ll",
        about: "the 5 workers who were right most reliably, the classifier among the candidates, majority",
        source: "Li and Liu 2015, reconstructed",
    },
    Known {
        name: "crowd-select",
        about: "the 5 workers least likely to err on this case, weighted by how likely",
        source: "Qiu et al. 2016, reconstructed",
    },
    Known {
        name: "goel-faltings",
        about: "one expert by shares that a linear program finds: accurate, and alike on every class",
        source: "Goel and Faltings 2019, reconstructed",
    },
    Known {
        name: "goel-faltings-groups",
        about: "the same for each group, alike on every group",
        source: "Goel and Faltings 2019, reconstructed",
    },
    Known {
        name: "epsilon-first",
        about: "the most accurate expert for the price who has capacity left",
        source: "Tran-Thanh et al. 2014, details reconstructed",
    },
    Known {
        name: "multiplicative-weights",
        about: "weighted majority; weights shrink with every error",
        source: "Littlestone and Warmuth 1994; Arora et al. 2012",
    },
    Known {
        name: "randomised-weights",
        about: "one expert drawn by weights that shrink with every error",
        source: "Littlestone and Warmuth 1994; Arora et al. 2012",
    },
    Known {
        name: "epsilon-greedy",
        about: "the expert with the best record, learned by asking one a case",
        source: "Sutton and Barto 2018, section 2.2",
    },
    Known { name: "ucb1", about: "the same, exploring by confidence bounds", source: "Auer et al. 2002" },
    Known {
        name: "lin-ucb",
        about: "the expert best for this case, exploring by confidence bounds",
        source: "Li et al. 2010, algorithm 1",
    },
    Known {
        name: "thompson",
        about: "as ucb1, exploring by posterior draws",
        source: "Thompson 1933; Agrawal and Goyal 2012",
    },
    Known {
        name: "linear-thompson",
        about: "as lin-ucb, exploring by posterior draws",
        source: "Agrawal and Goyal 2013",
    },
    Known {
        name: "consult",
        about: "one question at a time, whom it tells most, for as long as it pays",
        source: "ours",
    },
    Known {
        name: "joint",
        about: "classifier and deferrer trained together; one score a class where decisions are incomplete",
        source: "Keswani et al. 2021, section 2.1",
    },
    Known {
        name: "joint-published",
        about: "joint with the released settings: binary score, 100 steps, classifier trained by its own loss",
        source: "Keswani et al. 2021, released code",
    },
    Known {
        name: "binary",
        about: "a small network that never asks, with a penalty on unequal error rates",
        source: "Madras et al. 2018",
    },
    Known {
        name: "reject",
        about: "the same, which may ask one decision-maker at a fixed price",
        source: "Madras et al. 2018, section 2.2",
    },
    Known {
        name: "defer",
        about: "the same, which knows how good the decision-maker is on the case",
        source: "Madras et al. 2018, section 2.3",
    },
    Known {
        name: "balanced",
        about: "joint, every group counting the same in the loss",
        source: "Keswani et al. 2021, section 2.2",
    },
    Known {
        name: "minimax",
        about: "joint, the group that is served worst counting ever more: a mixture of 20",
        source: "Keswani et al. 2021, section 2.2; Diana et al. 2021",
    },
    Known {
        name: "minimax-published",
        about: "joint-published in 5 rounds of the same",
        source: "Keswani et al. 2021, released code",
    },
    Known {
        name: "balanced-published",
        about: "joint-published, every group counting the same in the loss",
        source: "Keswani et al. 2021, released code",
    },
];

/// A method and the fairness around it, from the inside out: what stands between `+` that are followed by a letter.
fn wrapped(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let whole = rest?;
        let is_word = |at: &usize| whole[at + 1..].chars().next().is_some_and(char::is_alphabetic);
        let cut = whole.match_indices('+').map(|(at, _)| at).find(is_word);
        rest = cut.map(|at| &whole[at + 1..]);
        Some(cut.map_or(whole, |at| &whole[..at]).trim())
    })
}

/// Methods that want dense features.
const DENSE: &[&str] = &[
    "joint",
    "joint-published",
    "balanced",
    "balanced-published",
    "classifier-published",
    "lin-ucb",
    "linear-thompson",
    "binary",
    "reject",
    "defer",
    "minimax",
    "minimax-published",
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
    /// The group attribute that fair methods use, if one was named.
    pub group: Option<String>,
}

/// The parts of a committee that a method sets; what it leaves open follows from the policy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
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
    /// What the selection of `crowd-select` is for.
    pub goal: Option<Goal>,
    /// Whom `consult` asks next and when it stops.
    pub asking: Asking,
    /// How the models of a mixture come to one decision.
    #[serde(default)]
    pub members: Members,
}

/// How the models of a mixture come to one decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Members {
    /// As one model that believes and weighs what they do on average.
    #[default]
    Average,
    /// Each decides with a committee of its own, and the majority of them wins ([`deferral_fairness::MixtureMajority`]).
    Majority,
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
    /// No fairness wrapper has this name.
    #[error("there is no fairness `{name}`; known: {known}")]
    UnknownFairness {
        /// The name given.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// A guarantee cannot be read or given.
    #[error("guarantee `{text}`: {why}; write error<=E@P[,by-group], such as error<=0.1@0.95,by-group")]
    Guarantee {
        /// What was written.
        text: String,
        /// What is wrong.
        why: String,
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

/// An online method as a learner, and the committee that it recommends.
fn streamed<M: OnlineMethod>(learner: Streamed<M>, wrap: impl FnOnce(Streamed<M>) -> AnyLearner) -> (AnyLearner, Rule) {
    let Committee { select, classifier, vote, tie } = learner.committee();
    let rule = Rule {
        select: Some(select),
        classifier: Some(classifier),
        vote: Some(vote),
        tie: Some(tie),
        ..Rule::default()
    };
    (wrap(learner), rule)
}

impl MethodError {
    /// `method` needs a group attribute, and none was named.
    pub(crate) fn needs_group(method: &str) -> Self {
        Self::Value {
            method: method.to_owned(),
            key: "group".to_owned(),
            value: "(none)".to_owned(),
            expected: "the name of a group attribute of the cases (`--group NAME`)".to_owned(),
        }
    }
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
        let mut parts = wrapped(text);
        let mut method = Self::bare(parts.next().unwrap_or_default(), defaults, attribute)?;
        for fairness in parts {
            let learner = std::mem::take(&mut method.learner);
            method.learner = AnyLearner::Fair(Box::new(FairLearner::around(learner, fairness, attribute)?));
        }
        text.trim().clone_into(&mut method.name);
        Ok(method)
    }

    /// A method without fairness around it.
    fn bare(text: &str, defaults: &[(String, String)], attribute: Option<&str>) -> Result<Self, MethodError> {
        let (name, settings) = text.split_once(':').unwrap_or((text, ""));
        let mut method = Self::named(text, name.trim(), attribute)?;
        let mut own = Vec::new();
        for setting in settings.split(',').map(str::trim).filter(|s| !s.is_empty()) {
            let Setting { key, value, .. } = Setting::read(name, setting)?;
            own.push((key, value));
        }
        // Which other settings there are depends on the model, so it is settled first.
        let (models, others): (Vec<_>, Vec<_>) = own.into_iter().partition(|(key, _)| *key == "model");
        for (key, value) in models {
            method.set(key, value)?;
        }
        for (key, value) in defaults {
            if method.keys().contains(&key.as_str()) {
                method.set(key, value)?;
            } else if !all_keys().contains(&key.as_str()) {
                return Err(MethodError::NoMethodHas { key: key.clone(), known: all_keys().join(", ") });
            }
        }
        // An optimiser brings a rate of its own, which the method's own rate then overrides.
        let (optimisers, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|(key, _)| *key == "optimiser");
        for (key, value) in optimisers.into_iter().chain(others) {
            method.set(key, value)?;
        }
        method.settle();
        Ok(method)
    }

    /// Whether it has a setting whose values are numbers. The two weights that `joint` calls alpha are a schedule.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys().contains(&key) && !(key == "alpha" && matches!(self.learner.innermost(), AnyLearner::Joint(_)))
    }

    /// The same method with one more setting.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Result<Self, MethodError> {
        self.set(key, value)?;
        self.settle();
        let mut parts = wrapped(&self.name);
        let own = parts.next().unwrap_or_default();
        let separator = if own.contains(':') { ',' } else { ':' };
        let mut name = format!("{own}{separator}{key}={value}");
        parts.for_each(|fairness| name.push_str(&format!("+{fairness}")));
        self.name = name;
        Ok(self)
    }

    /// A bound is kept for the way of asking that the method has.
    fn settle(&mut self) {
        if let AnyLearner::Consult(Consult { bound: Some(bound), .. }) = self.learner.innermost_mut() {
            bound.asking.clone_from(&self.rule.asking);
        }
    }

    fn named(text: &str, name: &str, attribute: Option<&str>) -> Result<Self, MethodError> {
        let majority = Rule { vote: Some(VoteRule::Majority), classifier: Some(Seat::Never), ..Rule::default() };
        let committee = Rule {
            select: Some(Selection::Distinct { k: 5 }),
            classifier: Some(Seat::Always),
            vote: Some(VoteRule::Majority),
            ..Rule::default()
        };
        let best = Rule { select: Some(Selection::Top { k: 1 }), ..majority.clone() };
        let balance = attribute.map(str::to_owned);
        let needs_attribute = || MethodError::needs_group(name);
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
            "ll" => (AnyLearner::LiLiu(LiLiu::default()), Rule::default()),
            "crowd-select" => (AnyLearner::CrowdSelect(CrowdSelect::default()), Rule::default()),
            "goel-faltings" => (AnyLearner::GoelFaltings(GoelFaltings::default()), Rule::default()),
            "goel-faltings-groups" => {
                let attribute = Some(balance.ok_or_else(needs_attribute)?);
                (AnyLearner::GoelFaltings(GoelFaltings { attribute, ..GoelFaltings::default() }), Rule::default())
            }
            "epsilon-first" => (AnyLearner::EpsilonFirst(EpsilonFirst::default()), Rule::default()),
            "multiplicative-weights" => streamed(Streamed::default(), AnyLearner::MultiplicativeWeights),
            "randomised-weights" => {
                let method = MultiplicativeWeights { follow: Follow::Random { k: 1 }, ..Default::default() };
                streamed(Streamed { method, ..Streamed::default() }, AnyLearner::MultiplicativeWeights)
            }
            "epsilon-greedy" => streamed(Streamed::default(), AnyLearner::EpsilonGreedy),
            "ucb1" => streamed(Streamed::default(), AnyLearner::Ucb),
            "lin-ucb" => streamed(Streamed::default(), AnyLearner::LinUcb),
            "thompson" => streamed(Streamed::default(), AnyLearner::Thompson),
            _ if let Some((_, aim)) = AIMS.iter().find(|(known, _)| *known == name) => {
                (idk_settings::named(*aim, attribute), Rule::default())
            }
            "minimax" | "minimax-published" => {
                let joint = if name == "minimax" { Joint::default() } else { Joint::published() };
                let fair = FairLearner::around(AnyLearner::Joint(joint), name, attribute)?;
                (AnyLearner::Fair(Box::new(fair)), Rule::default())
            }
            _ if let Some(learner) = surrogate_settings::named(name) => (learner, Rule::default()),
            "consult" => (AnyLearner::Consult(Consult::default()), Rule::default()),
            "linear-thompson" => streamed(Streamed::default(), AnyLearner::LinearThompson),
            _ if let Some(aggregator) = aggregators::named(name, attribute)? => {
                (AnyLearner::Trust(Trust { aggregator, gold: false }), Rule::default())
            }
            _ => {
                let known = METHODS.iter().map(|m| m.name).collect::<Vec<_>>().join(", ");
                return Err(MethodError::Unknown { name: name.to_owned(), known });
            }
        };
        let of_network = SURROGATES.iter().any(|known| known.name == name);
        let prefers_sparse = !DENSE.contains(&name) && !of_network;
        let (name, group) = (text.trim().to_owned(), attribute.map(str::to_owned));
        Ok(Self { name, learner, features: None, prefers_sparse, rule, group })
    }

    /// The committee that a fitted policy is meant for, where the method names no other.
    pub fn committee(&self, policy: &AnyPolicy) -> Committee {
        let own = match (policy.kind(), self.learner.innermost()) {
            (AnyPolicy::Joint(policy), _) => policy.committee(),
            (AnyPolicy::Idk(policy), _) => policy.committee(),
            (AnyPolicy::Bayesian(policy), _) => policy.committee(),
            (AnyPolicy::Deferral(policy), _) => policy.committee(),
            (AnyPolicy::Guaranteed(policy), _) => policy.committee(),
            // The experts where they weigh anything, else the classifier.
            (AnyPolicy::GroupThresholds(_), _) => Committee::default(),
            (AnyPolicy::Classifier(_), _) => Committee { classifier: Seat::Always, ..Committee::default() },
            (_, AnyLearner::LiLiu(learner)) => learner.committee(policy.experts()),
            (_, AnyLearner::GoelFaltings(learner)) => learner.committee(),
            _ => Committee { classifier: Seat::Never, ..Committee::default() },
        };
        Committee {
            select: self.rule.select.unwrap_or(own.select),
            classifier: self.rule.classifier.unwrap_or(own.classifier),
            vote: self.rule.vote.unwrap_or(own.vote),
            tie: self.rule.tie.unwrap_or(own.tie),
        }
    }

    /// The rule by which a fitted policy asks and decides `cases`: its own way of choosing and of combining votes,
    /// unless the method names another. `prices` are what a label of each expert costs, if they differ.
    ///
    /// # Errors
    /// If the rule does not suit the number of voters there are, or the cases lack a group attribute that it needs.
    pub fn consultation<'a>(
        &self,
        policy: &'a AnyPolicy,
        cases: &'a Cases,
        prices: Option<&[f64]>,
    ) -> Result<Box<dyn Consultation + 'a>, EvalError> {
        let committee = self.committee(policy);
        let voting = self.rule.vote.is_some();
        if let (AnyLearner::EpsilonFirst(learner), false, None) = (self.learner.innermost(), voting, self.rule.select) {
            let told = AnyLearner::EpsilonFirst(learner.clone()).with_prices(prices);
            let AnyLearner::EpsilonFirst(learner) = told else { return Ok(Box::new(committee)) };
            return Ok(Box::new(learner.rule(policy.experts())?));
        }
        Ok(match policy {
            AnyPolicy::CrowdSelect(_) if !voting && self.rule.select.is_none() => {
                let rule =
                    CrowdSelectRule { goal: self.rule.goal.unwrap_or_default(), prices: prices.map(<[f64]>::to_vec) };
                rule.check(policy.experts())?;
                Box::new(rule)
            }
            AnyPolicy::Consult(policy) => Box::new(policy.rule(&self.rule.asking, cases, prices)?),
            AnyPolicy::Mixture(mixture) if self.rule.members == Members::Majority => {
                committee.check(policy.experts())?;
                Box::new(mixture.majority(committee, cases)?)
            }
            AnyPolicy::Crowd(crowd) if !voting => {
                committee.check(policy.experts())?;
                Box::new(crowd.decide_by(committee, cases)?)
            }
            _ => {
                committee.check(policy.experts())?;
                Box::new(committee)
            }
        })
    }

    /// Whether it looks at cases at all, and not only at who decided what.
    pub fn looks_at_cases(&self) -> bool {
        match self.learner.innermost() {
            AnyLearner::Everyone(_) | AnyLearner::BestExpert(_) => false,
            AnyLearner::Trust(trust) => trust.aggregator.needs_features(),
            _ => true,
        }
    }

    /// Whether it learns from the true labels of the training cases; the others can learn without any.
    pub fn needs_gold(&self) -> bool {
        match self.learner.innermost() {
            AnyLearner::Everyone(_) => false,
            AnyLearner::Trust(trust) => trust.gold,
            AnyLearner::Consult(consult) => consult.truth == deferral_consult::Truth::Gold,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_losses::Schedule;

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
    fn the_released_game_is_a_setting_of_the_methods_named_after_it() {
        let method = parse("minimax-published:weights=released,members=majority,lambda=0,k=5").unwrap();
        assert_eq!(method.rule.members, Members::Majority);
        let AnyLearner::Fair(fair) = &method.learner else { panic!("not fair") };
        let FairLearner::Minimax(game) = &**fair else { panic!("not minimax") };
        assert_eq!((game.form, game.rounds), (deferral_fairness::MinimaxForm::Released, 5));
        let AnyLearner::Joint(joint) = parse("balanced-published:groups=sum").unwrap().learner else {
            panic!("not joint")
        };
        assert_eq!(joint.groups, deferral_losses::GroupLosses::Sum);
        let message = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(
            message("minimax:weights=large"),
            "method `minimax`: weights=large must be one of normalised, released"
        );
        assert!(message("minimax:members=one").ends_with("must be one of average, majority"));
        assert!(message("balanced:groups=max").ends_with("must be one of mean, sum"));
        assert!(message("joint:weights=released").contains("has no setting `weights`"));
        assert!(message("joint:weights=released+minimax").contains("has no setting `weights`"));
        assert!(parse("joint+minimax:form=released").is_ok());
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(
            message("classifier:hidden=16"),
            "method `classifier` has no setting `hidden`; \
             it has: k, draw, seat, vote, tie, absent, features, model, strength"
        );
        assert!(parse("classifier:hidden=16,steps=30,model=network").is_ok());
        assert!(message("jont").starts_with("there is no method `jont`; known: majority, wawa"));
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
