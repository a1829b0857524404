//! Every way to allocate, by name: the methods of this crate and the online methods of `deferral-crowd` alike.

use deferral_core::{Allocator, CaseView, ExpertId, Label, Newcomer, ParameterError, Question, Stream, Vote};
use deferral_crowd::online::{
    EpsilonGreedyState, Follow, LinUcbState, LinearThompsonState, MultiplicativeWeightsState, OnlineMethod,
    Setting as Size, ThompsonState, UcbState,
};
use deferral_crowd::{
    EpsilonFirst, EpsilonGreedy, GoelFaltingsLoop, LinUcb, LinearThompson, MultiplicativeWeights, OnlineEpsilonFirst,
    OnlineGoelFaltings, Thompson, Ucb,
};
use deferral_metrics::Seats as Draws;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::latent::{Alarm, LatentTruth, LatentTruthState};
use crate::matching::{Matching, MatchingKind, MatchingState};
use crate::seats::Seats;
use crate::setting::Setting;
use crate::uniform::{Uniform, UniformState};

/// The parameters of an allocator. A name is what [`Method::named`] knows, and a setting is a field of the parameters.
///
/// ```
/// use deferral_allocation::Method;
/// let method = Method::named("uniform")?.with("k", "5")?;
/// assert_eq!(method, Method::Uniform(deferral_allocation::Uniform { k: 5 }));
/// assert!(Method::named("smooth")?.with("k", "5")? != Method::named("smooth")?.with("prior-tasks", "100")?);
/// let message = Method::named("uniform")?.with("size", "5").unwrap_err().to_string();
/// assert_eq!(message, "the setting is size, but must be one of uniform's: k");
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The truth is latent.
    Latent(LatentTruth),
    /// Strict-Matching, Smooth-Matching, or neither.
    Matching(Matching),
    /// Everybody alike.
    Uniform(Uniform),
    /// Multiplicative weights.
    MultiplicativeWeights(MultiplicativeWeights),
    /// The best, now and then others.
    EpsilonGreedy(EpsilonGreedy),
    /// Upper confidence bounds.
    Ucb(Ucb),
    /// Thompson sampling.
    Thompson(Thompson),
    /// Upper confidence bounds of a linear reward.
    LinUcb(LinUcb),
    /// Thompson sampling of a linear reward.
    LinearThompson(LinearThompson),
    /// One balanced policy for all cases.
    GoelFaltings(GoelFaltingsLoop),
    /// Explore first, then the best within their capacity.
    EpsilonFirst(EpsilonFirst),
}

/// The names, each with what it is in a few words.
const NAMES: &[(&str, &str)] = &[
    ("latent", "those who bring most certainty for their price; the prior is a ranking"),
    ("smooth", "Smooth-Matching: networks, and a prior that fades (Keswani et al. 2022)"),
    ("strict", "Strict-Matching: networks that begin at the prior"),
    ("no-prior", "networks that begin at random"),
    ("smooth-text", "Smooth-Matching as printed: logistic models, three seats"),
    ("strict-text", "Strict-Matching as printed"),
    ("no-prior-text", "no prior, as printed"),
    ("uniform", "k people drawn alike, majority"),
    ("multiplicative-weights", "weights that shrink with every disagreement"),
    ("epsilon-greedy", "the k who agreed most, now and then others"),
    ("ucb1", "the k largest upper confidence bounds"),
    ("thompson", "the k largest draws of what may be true"),
    ("lin-ucb", "upper confidence bounds of a reward linear in the features"),
    ("linear-thompson", "draws of a reward linear in the features"),
    ("goel-faltings", "one balanced policy for all cases, by a linear program (Goel and Faltings 2019)"),
    ("epsilon-first", "explore, then the best within capacity (Tran-Thanh et al. 2014)"),
];

impl Method {
    /// All names, each with what it is.
    pub fn names() -> &'static [(&'static str, &'static str)] {
        NAMES
    }

    /// The method of that name with its defaults.
    ///
    /// # Errors
    /// If there is none, naming those there are.
    pub fn named(name: &str) -> Result<Self, ParameterError> {
        Ok(match name {
            "latent" => Self::Latent(LatentTruth::default()),
            "smooth" => Self::Matching(Matching::smooth()),
            "strict" => Self::Matching(Matching::strict()),
            "no-prior" => Self::Matching(Matching::no_prior()),
            "smooth-text" => Self::Matching(Matching::text(MatchingKind::Smooth)),
            "strict-text" => Self::Matching(Matching::text(MatchingKind::Strict)),
            "no-prior-text" => Self::Matching(Matching::text(MatchingKind::NoPrior)),
            "uniform" => Self::Uniform(Uniform::default()),
            "multiplicative-weights" => Self::MultiplicativeWeights(MultiplicativeWeights::default()),
            "epsilon-greedy" => Self::EpsilonGreedy(EpsilonGreedy::default()),
            "ucb1" => Self::Ucb(Ucb::default()),
            "thompson" => Self::Thompson(Thompson::default()),
            "lin-ucb" => Self::LinUcb(LinUcb::default()),
            "linear-thompson" => Self::LinearThompson(LinearThompson::default()),
            "goel-faltings" => Self::GoelFaltings(GoelFaltingsLoop::default()),
            "epsilon-first" => Self::EpsilonFirst(EpsilonFirst::default()),
            _ => {
                let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
                return Err(ParameterError::new("the method", name, format!("one of {}", names.join(", "))));
            }
        })
    }

    /// The method that `NAME[:KEY=VALUE,...]` says; a comma within brackets or braces belongs to the value.
    ///
    /// # Errors
    /// As [`named`](Self::named) and [`with`](Self::with), or if a setting has no value.
    pub fn parse(text: &str) -> Result<Self, ParameterError> {
        let (name, settings) = text.split_once(':').unwrap_or((text, ""));
        let mut method = Self::named(name)?;
        for setting in split_outside_brackets(settings) {
            let (key, value) = setting
                .split_once('=')
                .ok_or_else(|| ParameterError::new("a setting", setting, "written KEY=VALUE, such as k=5"))?;
            method = method.with(key.trim(), value.trim())?;
        }
        Ok(method)
    }

    /// The method with one field set; the value is JSON, or a plain word. `k` is the number of seats of a task for every
    /// method that has some.
    ///
    /// # Errors
    /// If there is no such field, naming those there are, or it does not take the value.
    pub fn with(&self, field: &str, value: &str) -> Result<Self, ParameterError> {
        if field == "k" && matches!(self, Self::Matching(_) | Self::MultiplicativeWeights(_)) {
            let k = value.parse().map_err(|_| ParameterError::new("the setting k", value, "a whole number"))?;
            return Ok(self.with_seats(k));
        }
        let field = &field.replace('-', "_");
        let unfit = |reason: String| ParameterError::new(format!("the setting {field}"), value, reason);
        let mut tree = serde_json::to_value(self).map_err(|error| unfit(error.to_string()))?;
        let Some((method, fields)) = tree.as_object_mut().and_then(|tree| tree.iter_mut().next()) else {
            return Err(unfit("left out: this method has no settings".to_owned()));
        };
        let known: Vec<&String> = fields.as_object().map_or_else(Vec::new, |fields| fields.keys().collect());
        if !known.contains(&field) {
            let known: Vec<&str> = known.iter().map(|known| known.as_str()).collect();
            return Err(ParameterError::new("the setting", field, format!("one of {method}'s: {}", known.join(", "))));
        }
        let parsed = serde_json::from_str(value).unwrap_or_else(|_| serde_json::Value::String(value.to_owned()));
        fields[field] = parsed;
        serde_json::from_value(tree).map_err(|error| unfit(format!("a value that fits ({error})")))
    }

    /// The methods whose number of seats is part of how they draw them.
    fn with_seats(&self, k: usize) -> Self {
        match self {
            Self::Matching(method) => {
                let is_distinct = matches!(method.seats, Seats::Distinct { .. });
                let seats = if is_distinct { Seats::Distinct { k } } else { Seats::Sampled { k } };
                Self::Matching(Matching { seats, ..method.clone() })
            }
            Self::MultiplicativeWeights(method) => {
                Self::MultiplicativeWeights(MultiplicativeWeights { follow: Follow::Random { k }, ..*method })
            }
            other => other.clone(),
        }
    }

    /// How it draws the seats of a case, which decides what a log of it says about others: see [`crate::evaluate`].
    pub fn draws(&self) -> Draws {
        match self {
            Self::Latent(_) | Self::Uniform(_) | Self::EpsilonGreedy(_) => Draws::Distinct,
            Self::Matching(method) => match method.seats {
                Seats::Sampled { .. } => Draws::Replaced,
                Seats::Distinct { .. } => Draws::Distinct,
                Seats::All => Draws::Included,
            },
            Self::MultiplicativeWeights(method) if method.follow != Follow::Majority => Draws::Distinct,
            Self::GoelFaltings(method) if method.limits.budget.is_none() => Draws::Distinct,
            _ => Draws::Included,
        }
    }

    /// The allocator before its first case. The methods of `deferral-crowd` have no place for the prior.
    ///
    /// # Errors
    /// If a parameter is out of range.
    pub fn start(&self, setting: &Setting, stream: &Stream) -> Result<AnyAllocator, ParameterError> {
        setting.check()?;
        let m = setting.annotators();
        let size = Size { features: setting.features, ..Size::new(m) };
        Ok(match self {
            Self::Latent(method) => AnyAllocator::Latent(method.start(setting, stream)?),
            Self::Matching(method) => AnyAllocator::Matching(Box::new(method.start(setting, stream)?)),
            Self::Uniform(method) => AnyAllocator::Uniform(method.start(setting)?),
            Self::MultiplicativeWeights(method) => AnyAllocator::MultiplicativeWeights(method.start(&size)?),
            Self::EpsilonGreedy(method) => AnyAllocator::EpsilonGreedy(method.start(&size)?),
            Self::Ucb(method) => AnyAllocator::Ucb(method.start(&size)?),
            Self::Thompson(method) => AnyAllocator::Thompson(method.start(&size)?),
            Self::LinUcb(method) => AnyAllocator::LinUcb(method.start(&size)?),
            Self::LinearThompson(method) => AnyAllocator::LinearThompson(method.start(&size)?),
            Self::GoelFaltings(method) => {
                let refused = |error| {
                    let found = format!("without an allocation ({error})");
                    ParameterError::new("goel-faltings", found, "given people and limits that allow one")
                };
                AnyAllocator::GoelFaltings(method.start(m, setting.classes, None).map_err(refused)?)
            }
            Self::EpsilonFirst(method) => AnyAllocator::EpsilonFirst(method.online(m)?),
        })
    }
}

/// The parts between commas that stand in no bracket; empty ones are left out.
fn split_outside_brackets(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let is_separator = |c: char| {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    text.split(is_separator).filter(|part| !part.is_empty()).collect()
}

/// An allocator of any method at work, as it is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AnyAllocator {
    /// See [`Method::Latent`].
    Latent(LatentTruthState),
    /// See [`Method::Matching`].
    Matching(Box<MatchingState>),
    /// See [`Method::Uniform`].
    Uniform(UniformState),
    /// See [`Method::MultiplicativeWeights`].
    MultiplicativeWeights(MultiplicativeWeightsState),
    /// See [`Method::EpsilonGreedy`].
    EpsilonGreedy(EpsilonGreedyState),
    /// See [`Method::Ucb`].
    Ucb(UcbState),
    /// See [`Method::Thompson`].
    Thompson(ThompsonState),
    /// See [`Method::LinUcb`].
    LinUcb(LinUcbState),
    /// See [`Method::LinearThompson`].
    LinearThompson(LinearThompsonState),
    /// See [`Method::GoelFaltings`].
    GoelFaltings(OnlineGoelFaltings),
    /// See [`Method::EpsilonFirst`].
    EpsilonFirst(OnlineEpsilonFirst),
}

impl AnyAllocator {
    fn inner(&self) -> &dyn Allocator {
        match self {
            Self::Latent(state) => state,
            Self::Matching(state) => &**state,
            Self::Uniform(state) => state,
            Self::MultiplicativeWeights(state) => state,
            Self::EpsilonGreedy(state) => state,
            Self::Ucb(state) => state,
            Self::Thompson(state) => state,
            Self::LinUcb(state) => state,
            Self::LinearThompson(state) => state,
            Self::GoelFaltings(state) => state,
            Self::EpsilonFirst(state) => state,
        }
    }

    fn inner_mut(&mut self) -> &mut dyn Allocator {
        match self {
            Self::Latent(state) => state,
            Self::Matching(state) => &mut **state,
            Self::Uniform(state) => state,
            Self::MultiplicativeWeights(state) => state,
            Self::EpsilonGreedy(state) => state,
            Self::Ucb(state) => state,
            Self::Thompson(state) => state,
            Self::LinUcb(state) => state,
            Self::LinearThompson(state) => state,
            Self::GoelFaltings(state) => state,
            Self::EpsilonFirst(state) => state,
        }
    }

    /// What the votes so far say against the prior; nothing if they do not contradict it, or if the method does not
    /// look.
    pub fn alarm(&self) -> Option<Alarm> {
        match self {
            Self::Latent(state) => state.alarm(),
            _ => None,
        }
    }
}

impl Allocator for AnyAllocator {
    fn allocate(&mut self, case: CaseView<'_>, available: &[ExpertId], random: &mut dyn Rng) -> Vec<Question> {
        self.inner_mut().allocate(case, available, random)
    }

    fn learn(&mut self, case: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        self.inner_mut().learn(case, votes)
    }

    fn shares(&self, case: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
        self.inner().shares(case, available)
    }

    fn join(&mut self, newcomer: Newcomer<'_>) {
        self.inner_mut().join(newcomer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prior::Prior;

    #[test]
    fn every_name_is_a_method_that_can_start() {
        let prior = Prior::from_fn(4, 2, |annotator, group| if annotator % 2 == group { 0.9 } else { 0.1 }).unwrap();
        let setting = Setting::new(3, 2, prior);
        for (name, about) in Method::names() {
            let mut method = Method::named(name).unwrap();
            if *name == "epsilon-first" {
                method = method.with("capacity", "100").unwrap();
            }
            let mut allocator = method.start(&setting, &Stream::new(1)).unwrap();
            let people = [0, 1, 3].map(ExpertId);
            let case = CaseView { case: deferral_core::CaseId(0), features: &[0.1, 0.2, 0.3], group: None };
            let asked = allocator.allocate(case, &people, &mut Stream::new(2).random());
            assert!(!asked.is_empty() && !about.is_empty(), "{name}");
            let votes: Vec<Vote> = asked.iter().map(|q| Vote { expert: q.expert, label: Label(1) }).collect();
            assert_eq!(allocator.learn(case, &votes), Some(Label(1)), "{name}");
            allocator.join(Newcomer { similarity: &[0.5, 0.5], price: 1.0 });
            let shares = allocator.shares(case, &[0, 1, 3, 4].map(ExpertId));
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9 && shares.len() == 4, "{name}: {shares:?}");
            let text = serde_json::to_string(&allocator).unwrap();
            assert!(serde_json::from_str::<AnyAllocator>(&text).unwrap() == allocator, "{name}");
        }
    }

    #[test]
    fn settings_are_read_from_text() {
        let method = Method::parse("smooth:hidden=[4,3],rate=0.2,k=5").unwrap();
        let expected = Matching { hidden: vec![4, 3], rate: 0.2, seats: Seats::Sampled { k: 5 }, ..Matching::smooth() };
        assert_eq!(method, Method::Matching(expected));
        let message = |text: &str| Method::parse(text).unwrap_err().to_string();
        assert_eq!(message("uniform:k"), "a setting is k, but must be written KEY=VALUE, such as k=5");
        assert_eq!(message("smooth:k=few"), "the setting k is few, but must be a whole number");
        assert!(message("latent:epsilon=often").starts_with("the setting epsilon is often, but must be a value that"));
        assert!(message("smooth:size=3").starts_with("the setting is size, but must be one of matching's: "));
    }
}
