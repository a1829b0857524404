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
    ("ucb", "the k largest upper confidence bounds"),
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
            "ucb" => Self::Ucb(Ucb::default()),
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

    /// The method with one field set; the value is JSON, or a plain word. `k` is the number of seats of a task for every
    /// method that has some.
    ///
    /// # Errors
    /// If there is no such field, naming those there are, or it does not take the value.
    pub fn with(&self, field: &str, value: &str) -> Result<Self, ParameterError> {
        if field == "k"
            && let Some(method) = self.with_seats(value)
        {
            return Ok(method);
        }
        let field = &field.replace('-', "_");
        let unfit = |reason: String| ParameterError::new(format!("the setting {field}"), value, reason);
        let mut tree = serde_json::to_value(self).map_err(|error| unfit(error.to_string()))?;
        let Some((method, fields)) = tree.as_object_mut().and_then(|tree| tree.iter_mut().next()) else {
            return Err(unfit("left out: this method has no settings".to_owned()));
        };
        let known: Vec<&String> = fields.as_object().map_or_else(Vec::new, |fields| fields.keys().collect());
        if !known.iter().any(|known| *known == field) {
            let known: Vec<&str> = known.iter().map(|known| known.as_str()).collect();
            return Err(ParameterError::new("the setting", field, format!("one of {method}'s: {}", known.join(", "))));
        }
        let parsed = serde_json::from_str(value).unwrap_or_else(|_| serde_json::Value::String(value.to_owned()));
        fields[field] = parsed;
        serde_json::from_value(tree).map_err(|error| unfit(format!("a value that fits ({error})")))
    }

    /// The methods whose number of seats is part of how they draw them.
    fn with_seats(&self, k: &str) -> Option<Self> {
        let k = k.parse().ok()?;
        match self {
            Self::Matching(method) => {
                let is_distinct = matches!(method.seats, Seats::Distinct { .. });
                let seats = if is_distinct { Seats::Distinct { k } } else { Seats::Sampled { k } };
                Some(Self::Matching(Matching { seats, ..method.clone() }))
            }
            Self::MultiplicativeWeights(method) => {
                Some(Self::MultiplicativeWeights(MultiplicativeWeights { follow: Follow::Random { k }, ..*method }))
            }
            _ => None,
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
            Self::Matching(method) => AnyAllocator::Matching(method.start(setting, stream)?),
            Self::Uniform(method) => AnyAllocator::Uniform(method.start(setting)?),
            Self::MultiplicativeWeights(method) => AnyAllocator::MultiplicativeWeights(method.start(&size)?),
            Self::EpsilonGreedy(method) => AnyAllocator::EpsilonGreedy(method.start(&size)?),
            Self::Ucb(method) => AnyAllocator::Ucb(method.start(&size)?),
            Self::Thompson(method) => AnyAllocator::Thompson(method.start(&size)?),
            Self::LinUcb(method) => AnyAllocator::LinUcb(method.start(&size)?),
            Self::LinearThompson(method) => AnyAllocator::LinearThompson(method.start(&size)?),
            Self::GoelFaltings(method) => {
                let refused = |error| ParameterError::new("goel-faltings", error, "set so that there is an allocation");
                AnyAllocator::GoelFaltings(method.start(m, setting.classes, None).map_err(refused)?)
            }
            Self::EpsilonFirst(method) => AnyAllocator::EpsilonFirst(method.online(m)?),
        })
    }
}

/// An allocator of any method at work, as it is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AnyAllocator {
    /// See [`Method::Latent`].
    Latent(LatentTruthState),
    /// See [`Method::Matching`].
    Matching(MatchingState),
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
            Self::Matching(state) => state,
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
            Self::Matching(state) => state,
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
