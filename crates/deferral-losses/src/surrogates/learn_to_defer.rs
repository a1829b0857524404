//! Learning to defer with a surrogate, as a learner.

use deferral_core::{CaseWeights, Context, Dataset, FitError, Learner};
use serde::{Deserialize, Serialize};

use super::networks::NetworkSettings;
use super::objective::SurrogateObjective;
use super::panel::{Panel, known_labels};
use super::policy::{DeferralPolicy, Method};
use super::surrogate::Surrogate;

/// One network for class scores and deferral scores, trained on a [`Surrogate`].
///
/// ```
/// use deferral_core::*;
/// use deferral_losses::surrogates::{LearnToDefer, Surrogate};
/// // A classifier can know one third of the cases, and each of two experts another third.
/// let data = deferral_experts::ThreeClusters { cases: 600 }.generate(&Stream::new(1))?;
/// let learner = LearnToDefer { surrogate: Surrogate::OneVsAll, ..LearnToDefer::default() };
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let policy = learner.fit(&data, &CaseWeights::uniform(data.n()), &mut ctx)?;
/// let together = policy.together(&data)?;
/// let right = |i: &usize| Some(Label::at(argmax(together.column(*i)))) == data.cases().labels()[*i];
/// assert!((0..data.n()).filter(right).count() > 560);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LearnToDefer {
    /// The loss.
    pub surrogate: Surrogate,
    /// The network and its training.
    pub network: NetworkSettings,
    /// The only expert to learn about and to defer to, by name. If not given, all of them, or the
    /// [most accurate one](super::most_accurate_expert) for a surrogate for one.
    pub expert: Option<String>,
}

impl Learner for LearnToDefer {
    type Policy = DeferralPolicy;

    /// # Errors
    /// [`FitError`] if a parameter is out of range, a label or all decisions are missing, an expert decided no case, or the
    /// features are not dense.
    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<DeferralPolicy, FitError> {
        self.surrogate.check()?;
        let panel = if self.surrogate.is_for_one_expert() {
            Panel::of_one(data, self.expert.as_deref(), ctx)?
        } else {
            Panel::of(data, self.expert.as_deref())?
        };
        data.gold()?;
        let members = panel.members.clone();
        let scores = self.network.fit(data.k() + panel.len(), data, weights, ctx, |data| {
            Ok(SurrogateObjective::new(self.surrogate, known_labels(data)?, data.decisions(), members.clone()))
        })?;
        Ok(DeferralPolicy::new(panel, data.k(), Method::Surrogate { surrogate: self.surrogate, scores }))
    }
}
