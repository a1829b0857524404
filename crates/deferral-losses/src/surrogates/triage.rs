//! Differentiable triage: the classifier learns from the cases that it keeps, then a rejector from who kept what.

use deferral_core::{CaseWeights, Context, Dataset, FitError, Label, Learner, ParameterError};
use deferral_models::stable::log_sum_exp;
use deferral_models::{Batch, CrossEntropy, Objective, Scalar, Tape, Targets, Training};
use serde::{Deserialize, Serialize};

use super::networks::{NetworkSettings, Scores};
use super::panel::{Panel, known_labels};
use super::policy::{Beliefs, DeferralPolicy, Method};
use super::standing::Ties;

/// A classifier trained on the cases of each batch that the expert does not do better, and a rejector fitted to the
/// final division; the rejector decides (Okati, De and Gomez-Rodriguez 2021).
///
/// After a head start on all cases, the cases of each batch are divided by [`triage`], and the step is taken on those
/// that are kept; the classifier takes all steps. Then all cases are divided once in the same way, and a second network
/// learns that division; the expert decides iff its probability exceeds 1/2. So the budget holds in training and about
/// holds afterwards.
///
/// The division of each batch is a reconstruction. The head start is ours: the division sees the labels, so where no
/// feature tells them a classifier that begins a little surer of one class would keep the cases of that class, learn from
/// them alone and become surer still. Ours is also the expert's loss, which must be in the unit of the classifier's
/// cross-entropy: that of a prediction which puts the expert's accuracy q on their label, `-ln q` where they are right and
/// `-ln ((1 - q) / (K - 1))` where they are not. A 0/1 loss would defer every case that the expert gets right, however sure
/// the classifier is.
///
/// ```
/// use deferral_core::*;
/// use deferral_losses::surrogates::DifferentiableTriage;
/// let data = deferral_experts::ThreeClusters { cases: 600 }.generate(&Stream::new(1))?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let learner = DifferentiableTriage { expert: Some("expert 1".to_owned()), ..DifferentiableTriage::default() };
/// let policy = learner.fit(&data, &CaseWeights::uniform(data.n()), &mut ctx)?;
/// // The second case is of the cluster that the first expert knows.
/// assert_eq!(argmax(policy.weigh(data.cases())?.column(1)), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DifferentiableTriage {
    /// The networks, classifier and rejector, and their training.
    pub network: NetworkSettings,
    /// b, the largest share of cases that may be deferred, in [0, 1]; 1 by default.
    pub budget: f64,
    /// The share of the classifier's steps that are taken on all cases, in [0, 1]; .5 by default.
    pub head_start: f64,
    /// The expert to defer to, by name; the [most accurate one](super::most_accurate_expert) if not given.
    pub expert: Option<String>,
}

impl Default for DifferentiableTriage {
    fn default() -> Self {
        Self { network: NetworkSettings::default(), budget: 1.0, head_start: 0.5, expert: None }
    }
}

impl Learner for DifferentiableTriage {
    type Policy = DeferralPolicy;

    /// # Errors
    /// As [`LearnToDefer`](super::LearnToDefer), and if the budget is outside or there are several experts and none is
    /// named.
    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<DeferralPolicy, FitError> {
        let budget = self.budget;
        ParameterError::check(
            (0.0..=1.0).contains(&budget),
            "the share that may be deferred",
            budget,
            "between 0 and 1",
        )?;
        let head_start = self.head_start;
        let ok = (0.0..=1.0).contains(&head_start);
        ParameterError::check(ok, "the head start of the classifier", head_start, "between 0 and 1")?;
        let panel = Panel::of_one(data, self.expert.as_deref(), ctx)?;
        data.gold()?;
        let when = expert_losses(&panel.only_right(data, &known_labels(data)?), data.k());
        let losses = |data: &Dataset| -> Result<(Vec<Label>, Vec<Option<f64>>), FitError> {
            let labels = known_labels(data)?;
            let expert = panel.only_right(data, &labels);
            Ok((labels, expert.into_iter().map(|right| right.map(|right| when[usize::from(right)])).collect()))
        };
        let triage_from = (self.head_start * self.network.training.steps as f64) as usize;
        let training = Training { stopping: None, ..self.network.training };
        let network = NetworkSettings { training, ..self.network.clone() };
        let classifier = network.fit(data.k(), data, weights, &mut ctx.part("classifier"), |data| {
            let (labels, expert) = losses(data)?;
            Ok(TriageObjective { labels, expert, budget, triage_from, room: Room::default() })
        })?;
        let rejector = self.network.fit(1, data, weights, &mut ctx.part("rejector"), |data| {
            let (labels, expert) = losses(data)?;
            let deferred = triage(&losses_of(&classifier, data, &labels)?, &expert, budget);
            let division = deferred.into_iter().map(|deferred| Label(u16::from(deferred))).collect();
            Ok(CrossEntropy::new(division, Targets::labels(2)))
        })?;
        let classifier = Beliefs::Network(classifier);
        let method = Method::Gate { classifier, gate: rejector, ties: Ties::Classifier };
        Ok(DeferralPolicy::new(panel, data.k(), method))
    }
}

/// The expert's loss where they are wrong, and where they are right.
fn expert_losses(right: &[Option<bool>], classes: usize) -> [f64; 2] {
    let known = || right.iter().flatten();
    // One more of each keeps both losses finite.
    let accuracy = (known().filter(|right| **right).count() + 1) as f64 / (known().count() + 2) as f64;
    let others = classes.saturating_sub(1).max(1) as f64;
    [-((1.0 - accuracy) / others).ln(), -accuracy.ln()]
}

/// The classifier's cross-entropy on every case.
fn losses_of(classifier: &Scores, data: &Dataset, labels: &[Label]) -> Result<Vec<f64>, FitError> {
    let scores = classifier.of(data.cases())?;
    Ok(scores.iter().zip(labels).map(|(scores, label)| log_sum_exp(scores) - scores[label.index()]).collect())
}

/// Which cases the expert should decide: of those where the model's loss exceeds the expert's, the `floor(budget n)`
/// where it does so by most, the lower index on ties. Never one that the expert did not decide (`None`). O(n log n).
///
/// ```
/// use deferral_losses::surrogates::triage;
/// let expert = [Some(0.3), Some(0.2), Some(0.6), Some(0.1)];
/// assert_eq!(triage(&[0.1, 0.9, 0.5, 0.7], &expert, 0.5), [false, true, false, true]);
/// ```
pub fn triage(model: &[f64], expert: &[Option<f64>], budget: f64) -> Vec<bool> {
    let mut deferred = vec![false; model.len()];
    let mut better = Vec::new();
    divide(model, |place| expert.get(place).copied().flatten(), budget, &mut better, &mut deferred);
    deferred
}

/// [`triage`] in rooms of its own.
fn divide(
    model: &[f64],
    expert: impl Fn(usize) -> Option<f64>,
    budget: f64,
    better: &mut Vec<(f64, usize)>,
    deferred: &mut Vec<bool>,
) {
    better.clear();
    let gain = |(place, loss): (usize, &f64)| Some((loss - expert(place)?, place));
    better.extend(model.iter().enumerate().filter_map(gain).filter(|(gain, _)| *gain > 0.0));
    better.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    // A product such as .29 x 100 may fall a little short of the whole number it is.
    let most = (budget * model.len() as f64 + 1e-9).floor() as usize;
    deferred.clear();
    deferred.resize(model.len(), false);
    for (_, place) in better.iter().take(most) {
        deferred[*place] = true;
    }
}

/// The mean cross-entropy of the cases of a batch that are kept.
struct TriageObjective {
    labels: Vec<Label>,
    expert: Vec<Option<f64>>,
    budget: f64,
    /// Steps before it, on all cases.
    triage_from: usize,
    room: Room,
}

#[derive(Default)]
struct Room {
    losses: Vec<f64>,
    better: Vec<(f64, usize)>,
    deferred: Vec<bool>,
    scores: Vec<f64>,
}

impl<S: Scalar> Objective<S> for TriageObjective {
    fn evaluate(&mut self, batch: &Batch<'_>, tapes: &mut [Tape<S>], step: usize) -> f64 {
        let Self { labels, expert, budget, triage_from, room } = self;
        let budget = if step > *triage_from { *budget } else { 0.0 };
        let tape = &mut tapes[0];
        room.losses.clear();
        for (place, &case) in batch.cases.iter().enumerate() {
            room.scores.clear();
            room.scores.extend(tape.case(place).0.iter().map(|score| score.wide()));
            room.losses.push(log_sum_exp(&room.scores) - room.scores[labels[case].index()]);
        }
        divide(&room.losses, |place| expert[batch.cases[place]], budget, &mut room.better, &mut room.deferred);
        let kept = room.deferred.iter().filter(|deferred| !**deferred).count();
        let mut total = 0.0;
        for place in (0..batch.cases.len()).filter(|&place| !room.deferred[place]) {
            let share = batch.weights[place] / kept as f64;
            let label = labels[batch.cases[place]].index();
            total += share * room.losses[place];
            let (scores, gradient) = tape.case(place);
            let log_total = room.losses[place] + scores[label].wide();
            for (class, (slope, score)) in gradient.iter_mut().zip(scores).enumerate() {
                let target = f64::from(u8::from(class == label));
                *slope += S::of(share * ((score.wide() - log_total).exp() - target));
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::Stream;
    use deferral_models::{Network, NetworkSpec};

    #[test]
    fn by_hand() {
        let expert = [Some(0.3), Some(0.2), Some(0.6), Some(0.1)];
        let model = [0.1, 0.9, 0.5, 0.7];
        assert_eq!(triage(&model, &expert, 0.5), [false, true, false, true]);
        assert_eq!(triage(&model, &expert, 0.25), [false, true, false, false]);
        assert_eq!(triage(&model, &expert, 0.0), [false; 4]);
        assert_eq!(triage(&model, &[None, None, Some(0.6), Some(0.1)], 1.0), [false, false, false, true]);
    }

    #[test]
    fn an_expert_is_a_prediction_with_their_accuracy() {
        // Two right of three, and one more of each: .6.
        let losses = expert_losses(&[Some(true), None, Some(false), Some(true)], 3);
        assert!((losses[0] + 0.2f64.ln()).abs() < 1e-12 && (losses[1] + 0.6f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn a_budget_of_29_in_100_is_29() {
        let deferred = triage(&[1.0; 100], &[Some(0.0); 100], 0.29);
        assert_eq!(deferred.iter().filter(|deferred| **deferred).count(), 29);
    }

    #[test]
    fn the_gradient_is_that_of_the_kept_cases() {
        let network = Network::<f64>::new(&NetworkSpec::relu(2, &[], 3), &mut Stream::new(1).random()).unwrap();
        let mut tape = Tape::new(&network, 3);
        let mut input = vec![0.0; network.input_rows() * 3];
        for (case, column) in input.chunks_exact_mut(network.input_rows()).enumerate() {
            column[..2].copy_from_slice(&[case as f64, 1.0 - case as f64]);
        }
        let labels = vec![Label(0), Label(2), Label(1)];
        let objective = || TriageObjective {
            labels: labels.clone(),
            expert: vec![Some(1.0), Some(0.0), None],
            budget: 0.4,
            triage_from: 0,
            room: Room::default(),
        };
        let (cases, weights) = ([0, 1, 2], [1.0, 2.0, 0.5]);
        let batch = Batch { cases: &cases, weights: &weights };
        let mut network = network;
        let evaluate = |network: &Network<f64>, tape: &mut Tape<f64>| {
            network.forward(&input, 3, tape);
            tape.output_gradient().1.fill(0.0);
            objective().evaluate(&batch, std::slice::from_mut(tape), 1)
        };
        evaluate(&network, &mut tape);
        let mut gradient = vec![0.0; network.parameters().len()];
        network.backward(&input, &mut tape, &mut gradient);
        for (at, slope) in gradient.iter().enumerate() {
            let start = network.parameters()[at];
            let mut shifted = |by: f64| {
                network.parameters_mut()[at] = start + by;
                evaluate(&network, &mut tape)
            };
            let numeric = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
            network.parameters_mut()[at] = start;
            assert!((numeric - slope).abs() <= 1e-6 * numeric.abs().max(1.0), "{at}");
        }
        assert!(gradient.iter().any(|slope| *slope != 0.0));
    }
}
