//! What an online method must be able to do beyond allocating, so that it can be replayed on past cases.

use deferral_core::{Allocator, CaseView, Columns, Committee, Label, ParameterError, Vote};
use serde::{Deserialize, Serialize};

/// The parameters of an online method.
pub trait OnlineMethod {
    /// What the method knows in the middle of a stream.
    type State: Online;

    /// The state before the first case. Checks the parameters.
    ///
    /// # Errors
    /// If a parameter or the setting is out of range.
    fn start(&self, setting: &Setting) -> Result<Self::State, ParameterError>;

    /// The committee to decide with by the final weights: whom the method itself would ask, without exploring.
    fn committee(&self) -> Committee;

    /// Whether the method looks at the features of a case.
    fn needs_features(&self) -> bool {
        false
    }
}

/// How large an online problem is.
///
/// ```
/// use deferral_crowd::online::Setting;
/// let setting = Setting { features: 4, ..Setting::new(10) };
/// assert_eq!((setting.workers, setting.features, setting.rounds), (10, 4, None));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Number of workers, m; the classifier counts among them if it may be asked.
    pub workers: usize,
    /// Number of features of a case, d; 0 for methods that look at none.
    pub features: usize,
    /// Number of cases to come, T, if it is known.
    pub rounds: Option<usize>,
}

impl Setting {
    /// `workers` people on a stream of unknown length, without features.
    pub fn new(workers: usize) -> Self {
        Self { workers, features: 0, rounds: None }
    }
}

/// The state of an online method.
pub trait Online: Allocator {
    /// The label that votes on a case give: each counts as much as its worker is trusted, all the same if nobody is;
    /// the lowest label on ties. `None` if no known worker voted. Nothing is learned.
    fn label(&self, case: CaseView<'_>, votes: &[Vote]) -> Option<Label>;

    /// Learns from votes on a case whose label is known or taken for known: the reward of each voter is 1 for `label`
    /// and 0 for any other. Who did not vote is left as they are, and so is everybody by votes of unknown workers.
    /// `weight` says how much the case counts, 1 for an ordinary one.
    fn reward(&mut self, case: CaseView<'_>, votes: &[Vote], label: Label, weight: f64);

    /// Whether the method learns from every vote that can be had, not only from the votes of those it asked.
    fn hears_everyone(&self) -> bool {
        false
    }

    /// How much each worker is trusted now.
    fn skills(&self) -> Skills;

    /// Aggregates the votes to a label and takes it for the truth: the one step behind every
    /// [`Allocator::learn`] of this crate.
    fn listen(&mut self, case: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        let label = self.label(case, votes)?;
        self.reward(case, votes, label, 1.0);
        Some(label)
    }
}

/// How much each of m workers is trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skills {
    /// The same on every case: m numbers, 0 or more.
    Everywhere(Vec<f64>),
    /// On a case with features x worker j has the expected reward `theta_j . x`, cut to [0, 1].
    Linear {
        /// One column `theta_j` a worker: d rows, and a last one for a constant 1 if there is an intercept.
        coefficients: Columns,
        /// Whether there is one.
        intercept: bool,
    },
}
