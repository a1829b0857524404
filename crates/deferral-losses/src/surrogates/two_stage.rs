//! Two-stage deferral: a classifier first, then a rejector that routes between it and the experts.

use deferral_core::{CaseWeights, Context, Dataset, FitError, Label, Learner, ParameterError, Policy, argmax};
use deferral_models::Classifier;
use serde::{Deserialize, Serialize};

use super::networks::NetworkSettings;
use super::panel::{Panel, known_labels};
use super::per_case::PerCase;
use super::policy::{Beliefs, DeferralPolicy, Method};
use super::softmax::{CLOSED, rewarded};
use super::standing::Ties;

/// A classifier h is fitted and stays; then scores r of each expert and of the classifier minimise
/// `-sum_j (1 - c_j) ln softmax_j(r)` with costs `c_j = 1[m_j != y] + beta_j`, at most 1, and `1[h != y]` for the
/// classifier. The largest score decides, the classifier on ties (Mao, Mohri, Mohri and Zhong 2023).
///
/// The paper has the classifier first; here it stands last, as everywhere. Its errors are counted on the cases it was
/// trained on, so one that fits them too closely will be trusted too much. An expert who did not decide a case takes no
/// part in its softmax.
///
/// ```
/// use deferral_core::*;
/// use deferral_losses::surrogates::TwoStage;
/// let data = deferral_experts::ThreeClusters { cases: 600 }.generate(&Stream::new(1))?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let policy = TwoStage::default().fit(&data, &CaseWeights::uniform(data.n()), &mut ctx)?;
/// // The second case is of the cluster that the first expert knows.
/// assert_eq!(argmax(policy.weigh(data.cases())?.column(1)), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TwoStage {
    /// How the classifier is learned; by default a network as [`NetworkSettings::default`].
    pub classifier: Classifier,
    /// The network of the rejector, and its training.
    pub network: NetworkSettings,
    /// `beta_j`, what asking each of the m experts costs in errors, in [0, 1]; 0 if not given.
    pub costs: Option<Vec<f64>>,
    /// The only expert to learn about and to defer to, by name; all of them if not given.
    pub expert: Option<String>,
}

impl Default for TwoStage {
    fn default() -> Self {
        let network = NetworkSettings::default();
        Self { classifier: network.classifier(), network, costs: None, expert: None }
    }
}

impl TwoStage {
    /// What asking each of m experts costs.
    fn costs(&self, data: &Dataset) -> Result<Vec<f64>, ParameterError> {
        let Some(costs) = &self.costs else { return Ok(vec![0.0; data.m()]) };
        let expected = format!("one for each of the {} experts", data.m());
        ParameterError::check(costs.len() == data.m(), "the number of costs of asking", costs.len(), &expected)?;
        for (expert, cost) in costs.iter().enumerate() {
            let parameter = format!("the cost of asking expert `{}`", data.experts().show(expert));
            ParameterError::check((0.0..=1.0).contains(cost), &parameter, cost, "between 0 and 1")?;
        }
        Ok(costs.clone())
    }
}

impl Learner for TwoStage {
    type Policy = DeferralPolicy;

    /// # Errors
    /// As [`LearnToDefer`](super::LearnToDefer), those of the classifier, and if a cost is outside.
    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<DeferralPolicy, FitError> {
        let costs = &self.costs(data)?;
        let panel = Panel::of(data, self.expert.as_deref())?;
        let classifier = self.classifier.fit(data, weights, &mut ctx.part("classifier"))?;
        let members = &panel;
        let gate = self.network.fit(panel.len() + 1, data, weights, &mut ctx.part("rejector"), |data| {
            let labels = known_labels(data)?;
            let said = classifier.classify(data.cases())?;
            let mut right = Vec::new();
            Ok(PerCase::new(move |case: usize, scores: &[f64], gradient: &mut [f64]| {
                let truth: Label = labels[case];
                members.right(data.decisions(), case, truth, &mut right);
                let classifier = argmax(said.column(case)) == truth.index();
                rejector_loss(scores, &right, &costs[members.members.clone()], classifier, gradient)
            }))
        })?;
        let method = Method::Gate { classifier: Beliefs::Own(classifier), gate, ties: Ties::Classifier };
        Ok(DeferralPolicy::new(panel, data.k(), method))
    }
}

/// The loss of the scores of J experts and of the classifier.
fn rejector_loss(
    scores: &[f64],
    right: &[Option<bool>],
    costs: &[f64],
    classifier_right: bool,
    gradient: &mut [f64],
) -> f64 {
    let saved = |right: bool, cost: f64| 1.0 - (f64::from(u8::from(!right)) + cost).min(1.0);
    for ((reward, right), cost) in gradient.iter_mut().zip(right).zip(costs) {
        *reward = right.map_or(CLOSED, |right| saved(right, *cost));
    }
    gradient[right.len()] = saved(classifier_right, 0.0);
    rewarded(scores, gradient)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{any_right, close, gradient_is_right};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // The classifier is wrong, the first expert right, the second right at a cost of .2.
        let mut gradient = [0.0; 3];
        let loss = rejector_loss(&[0.3, -0.4, 0.0], &[Some(true), Some(true)], &[0.0, 0.2], false, &mut gradient);
        assert!(close(&[loss], &[2.009_569]));
        assert!(close(&gradient, &[-0.195_496, -0.400_495, 0.595_991]));
    }

    proptest! {
        #[test]
        fn gradients_match_central_differences(
            scores in prop::collection::vec(-3.0..3.0f64, 4),
            right in prop::collection::vec(any_right(), 3),
            costs in prop::collection::vec(0.0..=1.0f64, 3),
            classifier: bool,
        ) {
            let loss = |g: &[f64], slope: &mut [f64]| rejector_loss(g, &right, &costs, classifier, slope);
            prop_assert!(gradient_is_right(&loss, &scores));
        }
    }
}
