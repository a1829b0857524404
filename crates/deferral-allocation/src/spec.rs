//! The parameters of a closed loop.

use deferral_core::{Names, ParameterError};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::method::Method;

/// As many as have an id.
const MOST_LABELS: usize = 1 << 16;
/// More than anybody has, so that a slip of the finger gives a message and does not run out of memory.
const MOST_FEATURES: usize = 100_000;

/// The parameters of a closed loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoopSpec {
    /// How people are chosen.
    pub method: Method,
    /// The names of the labels, two or more; votes are for one of them.
    pub classes: Vec<String>,
    /// The names of the groups that tasks may belong to; none: tasks have no group.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Number of features of a task, d.
    #[serde(default)]
    pub features: usize,
    /// Who is there from the start.
    #[serde(default)]
    pub team: Vec<Founder>,
    /// Seconds that somebody has for a label before the task is offered to somebody else; none: for ever.
    #[serde(default)]
    pub lease: Option<f64>,
    /// How often the seats of a task are offered, at least once, before it is decided by the votes that came.
    #[serde(default = "three")]
    pub offers: u32,
    /// Seconds of the time window that capacities are counted in, above 0. Default: a day.
    #[serde(default = "day")]
    pub window: f64,
    /// Where all draws come from.
    pub seed: u64,
}

fn three() -> u32 {
    3
}

fn day() -> f64 {
    86_400.0
}

/// Somebody who is there from the start.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Founder {
    /// Who.
    pub worker: String,
    /// How well they suit each group, from 0 to 1; groups that are not named: 1/2.
    #[serde(default)]
    pub similarity: IndexMap<String, f64>,
    /// What a label costs; 1 if nothing is said.
    #[serde(default)]
    pub cost: Option<f64>,
    /// Tasks a time window at most.
    #[serde(default)]
    pub capacity: Option<u32>,
    /// What their labels may cost altogether.
    #[serde(default)]
    pub budget: Option<f64>,
}

impl LoopSpec {
    /// A loop between `classes`, without groups, features or people, where nobody is hurried.
    pub fn new(method: Method, classes: impl IntoIterator<Item = impl Into<String>>, seed: u64) -> Self {
        Self {
            method,
            classes: classes.into_iter().map(Into::into).collect(),
            groups: Vec::new(),
            features: 0,
            team: Vec::new(),
            lease: None,
            offers: three(),
            window: day(),
            seed,
        }
    }

    /// Checks the numbers and names of the loop itself; the method checks its own.
    pub(crate) fn check(&self) -> Result<(), ParameterError> {
        let positive = |seconds: f64| seconds.is_finite() && seconds > 0.0;
        let lease = self.lease.unwrap_or(1.0);
        ParameterError::check(positive(lease), "the lease", lease, "a number of seconds above 0")?;
        ParameterError::check(positive(self.window), "the window", self.window, "a number of seconds above 0")?;
        ParameterError::check(self.offers > 0, "the number of offers", self.offers, "1 or more")?;
        let (labels, features) = (self.classes.len(), self.features);
        ParameterError::check(labels <= MOST_LABELS, "the number of classes", labels, "65,536 or fewer")?;
        ParameterError::check(features <= MOST_FEATURES, "the number of features", features, "100,000 or fewer")?;
        for (what, names) in [("the classes", &self.classes), ("the groups", &self.groups)] {
            let different: Names = names.iter().collect();
            let expected = "names that differ";
            ParameterError::check(different.len() == names.len(), what, names.join(", "), expected)?;
            let nameless = names.iter().any(|name| name.trim().is_empty());
            ParameterError::check(!nameless, what, names.join(", "), "names that are not empty")?;
        }
        Ok(())
    }
}
