//! Selective prediction: the classifier decides where it is confident, else the expert.

use deferral_core::{CaseWeights, Context, Dataset, FitError, Learner, ParameterError, Policy, Splitter, argmax};
use deferral_models::{Classifier, ClassifierPolicy};
use serde::{Deserialize, Serialize};

use super::networks::{NetworkSettings, fits_to};
use super::panel::{Panel, known_labels};
use super::policy::{Beliefs, DeferralPolicy, Method};

/// A classifier whose cases go to one expert where its largest class probability is below a threshold (Chow 1970).
///
/// ```
/// use deferral_core::*;
/// use deferral_losses::surrogates::{Rejection, SelectivePrediction};
/// let data = deferral_experts::ThreeClusters { cases: 600 }.generate(&Stream::new(1))?;
/// let rejection = Rejection::Cost { cost: 0.3 };
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let learner = SelectivePrediction { rejection, expert: Some("expert 1".to_owned()), ..SelectivePrediction::default() };
/// let policy = learner.fit(&data, &CaseWeights::uniform(data.n()), &mut ctx)?;
/// assert_eq!(policy.threshold(), Some(0.7));
/// // The second case is of a cluster whose labels no feature tells.
/// assert_eq!(argmax(policy.weigh(data.cases())?.column(1)), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelectivePrediction {
    /// How the classifier is learned; by default a network as [`NetworkSettings::default`].
    pub classifier: Classifier,
    /// Where the threshold lies.
    pub rejection: Rejection,
    /// The expert to defer to, by name; the [most accurate one](super::most_accurate_expert) if not given.
    pub expert: Option<String>,
}

/// Where the threshold of [`SelectivePrediction`] lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rejection {
    /// Where classifier and expert together are right most often on [held-out](Dataset::held_out) cases
    /// ([`most_accurate_threshold`]).
    MostAccurate {
        /// Share of the cases that the classifier does not see and the threshold is chosen on, in (0, 1); not used if
        /// the data hold cases out.
        share: f64,
    },
    /// The expert decides iff `1 - max_k f_k > cost`.
    Cost {
        /// What asking costs in errors, in [0, 1].
        cost: f64,
    },
}

impl Default for SelectivePrediction {
    fn default() -> Self {
        let classifier = NetworkSettings::default().classifier();
        Self { classifier, rejection: Rejection::MostAccurate { share: 0.2 }, expert: None }
    }
}

impl SelectivePrediction {
    fn check(&self) -> Result<(), ParameterError> {
        match self.rejection {
            Rejection::MostAccurate { share } => {
                let ok = share > 0.0 && share < 1.0;
                ParameterError::check(ok, "the share to choose the threshold on", share, "above 0 and below 1")
            }
            Rejection::Cost { cost } => {
                ParameterError::check((0.0..=1.0).contains(&cost), "the cost of asking", cost, "between 0 and 1")
            }
        }
    }

    /// The classifier, and the threshold that is right for it.
    fn fit_parts(
        &self,
        panel: &Panel,
        data: &Dataset,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
    ) -> Result<(ClassifierPolicy, f64), FitError> {
        let share = match self.rejection {
            Rejection::Cost { cost } => return Ok((self.classifier.fit(data, weights, ctx)?, 1.0 - cost)),
            Rejection::MostAccurate { share } => share,
        };
        if let Some(held_out) = data.held_out().filter(|held_out| held_out.n() > 0) {
            fits_to(held_out, data)?;
            let classifier = self.classifier.fit(data, weights, ctx)?;
            let threshold = threshold_for(&classifier, panel, held_out, &vec![1.0; held_out.n()])?;
            return Ok((classifier, threshold));
        }
        let split = Splitter::Stratified { test: share }
            .split(data.cases(), None, &ctx.stream("threshold"))
            .map_err(|error| FitError::NoPromise(error.to_string()))?
            .swap_remove(0);
        if weights.n() != data.n() {
            return Err(FitError::Weights { found: weights.n(), expected: data.n() });
        }
        let of = |cases: &[usize]| cases.iter().map(|&case| weights.values()[case]).collect::<Vec<f64>>();
        let learned_from = data.select(&split.train);
        let classifier = self.classifier.fit(&learned_from, &CaseWeights::new(of(&split.train))?, ctx)?;
        let threshold = threshold_for(&classifier, panel, &data.select(&split.test), &of(&split.test))?;
        Ok((classifier, threshold))
    }
}

impl Learner for SelectivePrediction {
    type Policy = DeferralPolicy;

    /// # Errors
    /// As [`LearnToDefer`](super::LearnToDefer), those of the classifier, and if there are too few cases to choose a
    /// threshold on.
    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<DeferralPolicy, FitError> {
        self.check()?;
        data.gold()?;
        let panel = Panel::of_one(data, self.expert.as_deref(), ctx)?;
        let (classifier, threshold) = self.fit_parts(&panel, data, weights, ctx)?;
        let classifier = Beliefs::Own(classifier);
        Ok(DeferralPolicy::new(panel, data.k(), Method::Threshold { classifier, threshold }))
    }
}

fn threshold_for(
    classifier: &ClassifierPolicy,
    panel: &Panel,
    data: &Dataset,
    weights: &[f64],
) -> Result<f64, FitError> {
    let labels = known_labels(data)?;
    let beliefs = classifier.classify(data.cases())?;
    let of_expert = panel.only_right(data, &labels);
    let judged = beliefs.iter().zip(&labels).zip(of_expert).zip(weights).map(|(((belief, truth), expert), weight)| {
        let said = argmax(belief);
        (belief[said], gain(said == truth.index(), expert) * weight)
    });
    Ok(threshold_of_gains(judged.collect()))
}

/// What is won when the expert decides instead of the classifier; nothing where the expert cannot.
fn gain(classifier: bool, expert: Option<bool>) -> f64 {
    let right = |right: bool| f64::from(u8::from(right));
    expert.map_or(0.0, |expert| right(expert) - right(classifier))
}

/// The threshold under which classifier and expert together are right most often, out of the observed `confidences`
/// and 20 points spread evenly from 0 to 1: the expert decides what lies strictly below. Of equally good ones the lowest,
/// which defers least. Where the expert did not decide (`None`), the classifier does at any threshold. O(n log n).
///
/// # Errors
/// If the three are not of as many cases, or a confidence is not a number.
///
/// ```
/// use deferral_losses::surrogates::most_accurate_threshold;
/// let expert = [Some(true), Some(true), Some(false)];
/// let threshold = most_accurate_threshold(&[0.51, 0.6, 0.9], &[false, false, true], &expert)?;
/// assert!(0.6 < threshold && threshold <= 0.9);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
pub fn most_accurate_threshold(
    confidences: &[f64],
    classifier_right: &[bool],
    expert_right: &[Option<bool>],
) -> Result<f64, ParameterError> {
    let n = confidences.len();
    let expected = format!("one for each of the {n} cases");
    for (name, found) in [("classifier", classifier_right.len()), ("expert", expert_right.len())] {
        ParameterError::check(found == n, &format!("the number of verdicts on the {name}"), found, &expected)?;
    }
    if let Some(nan) = confidences.iter().find(|confidence| confidence.is_nan()) {
        return Err(ParameterError::new("a confidence", nan, "a number"));
    }
    let gains = classifier_right.iter().zip(expert_right).map(|(classifier, expert)| gain(*classifier, *expert));
    Ok(threshold_of_gains(confidences.iter().copied().zip(gains).collect()))
}

/// The best threshold for (confidence, what is won by deferring) pairs.
fn threshold_of_gains(mut cases: Vec<(f64, f64)>) -> f64 {
    const POINTS: u32 = 20;
    cases.sort_by(|a, b| a.0.total_cmp(&b.0));
    let grid = (0..POINTS).map(|point| f64::from(point) / f64::from(POINTS - 1));
    let mut candidates: Vec<f64> = cases.iter().map(|(confidence, _)| *confidence).chain(grid).collect();
    candidates.sort_by(f64::total_cmp);
    let (mut best, mut most) = (0.0, f64::NEG_INFINITY);
    let (mut won, mut below) = (0.0, cases.iter().peekable());
    for candidate in candidates {
        while let Some((_, gain)) = below.next_if(|(confidence, _)| *confidence < candidate) {
            won += gain;
        }
        // A sum of rounded weights must not make a higher threshold look better.
        if won > most + 1e-12 {
            (best, most) = (candidate, won);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn chow_by_hand() {
        // ALGORITHMS 7: largest probabilities .9, .6, .55 at cost .42: only the third is deferred.
        let threshold = 1.0 - 0.42;
        assert_eq!([0.9, 0.6, 0.55].map(|p: f64| p < threshold), [false, false, true]);
    }

    #[test]
    fn the_lowest_of_equal_thresholds_is_taken() {
        // Nothing is won by deferring.
        assert_eq!(most_accurate_threshold(&[0.7], &[true], &[Some(true)]).unwrap(), 0.0);
        assert_eq!(most_accurate_threshold(&[0.7], &[false], &[None]).unwrap(), 0.0);
        // The next grid point above .7 is 14/19.
        let threshold = most_accurate_threshold(&[0.7], &[false], &[Some(true)]).unwrap();
        assert!((threshold - 14.0 / 19.0).abs() < 1e-12);
    }

    #[test]
    fn input_is_checked() {
        let refuse = most_accurate_threshold(&[0.7], &[true, false], &[None]).unwrap_err().to_string();
        assert_eq!(refuse, "the number of verdicts on the classifier is 2, but must be one for each of the 1 cases");
        assert!(most_accurate_threshold(&[f64::NAN], &[true], &[None]).is_err());
    }

    proptest! {
        #[test]
        fn no_candidate_is_better(
            cases in prop::collection::vec((0.5..1.0f64, any::<bool>(), super::super::testing::any_right()), 1..30),
        ) {
            let confidences: Vec<f64> = cases.iter().map(|case| case.0).collect();
            let classifier: Vec<bool> = cases.iter().map(|case| case.1).collect();
            let expert: Vec<Option<bool>> = cases.iter().map(|case| case.2).collect();
            let right = |threshold: f64| {
                let system = |case: &&(f64, bool, Option<bool>)| {
                    if case.0 < threshold { case.2.unwrap_or(case.1) } else { case.1 }
                };
                cases.iter().filter(system).count()
            };
            let found = right(most_accurate_threshold(&confidences, &classifier, &expert).unwrap());
            prop_assert!(confidences.iter().chain(&[0.0, 1.0]).all(|&threshold| right(threshold) <= found));
        }
    }
}
