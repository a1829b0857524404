//! The published closed-loop allocators: a network an annotator, bootstrapped by the prior, trained on its own labels.

mod loss;
mod pretraining;
mod state;

use deferral_core::{ParameterError, Stream};
use serde::{Deserialize, Serialize};

use crate::seats::Seats;
use crate::setting::Setting;

pub use loss::{agreement_loss, agreement_slope};
pub use pretraining::{Pretrained, Pretraining};
pub use state::MatchingState;

/// Strict-Matching, Smooth-Matching and the variant without a prior (Keswani, Celis, Kenthapadi and Lease 2022, section
/// 2.3 and appendix C).
///
/// Every annotator has a small network `d_j(x)` in (0, 1), the chance that they agree with the label; `D = d / sum d`.
/// Seats are drawn from `P = mu dSim(., z) / sum + (1 - mu) D`, both restricted to those available (uniform where all
/// are 0). The votes give the label, and after each B tasks one step of gradient descent at rate eta makes the mean
/// over tasks of `(1/|C|) sum_(j in C) CE(1[e_j = label], d_j)` smaller, over the seats C that answered, at the weights
/// of that moment. Where everybody votes ([`Seats::All`]) the sum over them is not divided by their number, as in the
/// released code.
///
/// Where text and code differ, [`smooth`](Matching::smooth), [`strict`](Matching::strict) and
/// [`no_prior`](Matching::no_prior) follow whatever gave the published numbers: the networks (5 and 2 hidden units) and
/// the soft vote of the code with the rates of the text. [`text`](Matching::text) is the method as printed. The printed
/// algorithms store the true label, which nobody knows; it must be the committee's. The text says that mu grows; its
/// formula falls, from 1.
///
/// A task costs O(m d h), a label and a step O(d h) for each vote.
///
/// ```
/// use deferral_allocation::{Matching, Prior, Setting};
/// use deferral_core::*;
/// let prior = Prior::from_fn(3, 3, |annotator, group| if annotator == group { 0.8 } else { 0.1 })?;
/// let mut state = Matching::smooth().start(&Setting::new(1, 2, prior), &Stream::new(1))?;
/// let people = [0, 1, 2].map(ExpertId);
/// let task = CaseView { case: CaseId(0), features: &[0.3], group: Some(GroupId(1)) };
/// assert_eq!(state.allocate(task, &people, &mut Stream::new(2).random()).len(), 3);
/// // Annotator 1 suits the group, so one vote outweighs two.
/// let votes = [(0, 0), (1, 1), (2, 0)].map(|(e, l)| Vote { expert: ExpertId(e), label: Label(l) });
/// assert_eq!(state.learn(task, &votes), Some(Label(1)));
/// # Ok::<(), ParameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matching {
    /// What becomes of the prior.
    pub kind: MatchingKind,
    /// Widths of the hidden layers of each network; none: logistic models.
    pub hidden: Vec<usize>,
    /// The learning rate eta, above 0 and at most 1000.
    pub rate: f64,
    /// Tasks in a step, B, at least 1; published: 10.
    pub batch: usize,
    /// `T_d`: after so many tasks the prior of Smooth-Matching counts half; 0 or more, published: 10,000.
    pub prior_tasks: f64,
    /// The committee.
    pub seats: Seats,
    /// How Strict-Matching learns the prior.
    pub pretraining: Pretraining,
    /// lambda: adds `lambda sum_j D_j c_j`, what a draw from D costs, to the loss of a task; 0 or more, default 0
    /// (section 5 of the paper, which has costs but no experiment).
    pub price_weight: f64,
}

/// What becomes of the prior dSim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatchingKind {
    /// It fades: `mu = T_d / (t + T_d)` at an annotator's t-th task since they joined.
    #[default]
    Smooth,
    /// The networks are trained to say it before the first task, then `mu = 0`.
    Strict,
    /// It is not used: `mu = 0` and random networks (Keswani, Lease and Kenthapadi 2021).
    NoPrior,
}

impl Default for Matching {
    /// [`Matching::smooth`].
    fn default() -> Self {
        Self::smooth()
    }
}

impl Matching {
    /// Smooth-Matching as it gave the published numbers: hidden layers of 5 and 2, the soft vote of all, rate .1.
    pub fn smooth() -> Self {
        Self::released(MatchingKind::Smooth, 0.1)
    }

    /// Strict-Matching as it gave the published numbers: as [`Matching::smooth`], at rate .001.
    pub fn strict() -> Self {
        Self::released(MatchingKind::Strict, 0.001)
    }

    /// No prior, as it gave the published numbers: as [`Matching::smooth`], at rate .001.
    pub fn no_prior() -> Self {
        Self::released(MatchingKind::NoPrior, 0.001)
    }

    /// The method as printed: logistic models, committees of 3 drawn with replacement; the rates are those above.
    pub fn text(kind: MatchingKind) -> Self {
        let released = match kind {
            MatchingKind::Smooth => Self::smooth(),
            MatchingKind::Strict => Self::strict(),
            MatchingKind::NoPrior => Self::no_prior(),
        };
        Self { hidden: Vec::new(), seats: Seats::Sampled { k: 3 }, ..released }
    }

    fn released(kind: MatchingKind, rate: f64) -> Self {
        Self {
            kind,
            hidden: vec![5, 2],
            rate,
            batch: 10,
            prior_tasks: 1e4,
            seats: Seats::All,
            pretraining: Pretraining::default(),
            price_weight: 0.0,
        }
    }

    /// Checks the parameters and makes the allocator, whose networks are drawn from the stream: each annotator's
    /// depends on their position only.
    ///
    /// # Errors
    /// If a parameter or the setting is out of range.
    pub fn start(&self, setting: &Setting, stream: &Stream) -> Result<MatchingState, ParameterError> {
        self.check()?;
        setting.check()?;
        MatchingState::new(self.clone(), setting, stream)
    }

    fn check(&self) -> Result<(), ParameterError> {
        let range = |ok, name, value, expected| ParameterError::check(ok, name, value, expected);
        range(self.rate > 0.0 && self.rate <= 1e3, "the rate eta", self.rate, "above 0 and at most 1000")?;
        ParameterError::check(self.batch > 0, "the batch size B", self.batch, "1 or more")?;
        let finite = "a finite number, 0 or more";
        let sane = |value: f64| value.is_finite() && value >= 0.0;
        range(sane(self.prior_tasks), "the number of tasks T_d", self.prior_tasks, finite)?;
        range(sane(self.price_weight), "the weight lambda of prices", self.price_weight, finite)?;
        self.seats.check()?;
        self.pretraining.check()
    }
}

#[cfg(test)]
mod tests;
