//! What another way of drawing would have achieved, from a log of draws whose probabilities were kept.

use deferral_core::{ParameterError, Stream};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::bootstrap::{Bootstrap, Resampling};
use crate::error::MetricError;
use crate::estimate::Measured;

/// One draw of a log.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LoggedDraw {
    /// What was drawn.
    pub action: usize,
    /// The probability that the log's draw gave it, above 0 and at most 1; what it is a probability of says [`Seats`].
    /// **1 says that nothing else could have been drawn.** A log that writes 1 for "not known" cannot be used.
    pub propensity: f64,
    /// What came of it, in [0, 1].
    pub reward: f64,
    /// The probability with which the target, the policy to judge, would draw this action.
    pub share: f64,
    /// The reward that the model predicts for it; not looked at in a case without [`LoggedCase::expected`].
    pub predicted: f64,
}

/// The draws of one case, which depend on each other; cases do not.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LoggedCase {
    /// In the order in which they were made.
    pub draws: Vec<LoggedDraw>,
    /// The prediction of the model for each action, weighed by the target's shares; none without a model.
    pub expected: Option<f64>,
    /// The target's share on actions that the log could not have drawn, as far as it is known from elsewhere. What
    /// propensities of 1 say of it is counted without being told.
    pub unsupported: f64,
}

/// How the draws of one case were made, and so what their propensities mean. With k draws, w = share / propensity and
/// r the reward, the case is worth the sum of `weight * r`, whose expectation is the target's mean reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seats {
    /// Each from all actions, independently; the propensity is that of the draw. Draws are averaged: the weight is
    /// `w / k` (Hansen and Hurwitz 1943). A single draw is of this kind.
    #[default]
    Replaced,
    /// One after another, each from those not yet drawn; the propensity is that among those left. What was drawn before
    /// is known, the draw stands for the rest: the weight of draw i = 1..k is `(w + (k - i) share) / k` (Des Raj 1956).
    Distinct,
    /// All at once, all different; the propensity is that of being among them at all. The weight is `w` (Horvitz and
    /// Thompson 1952). The k best with propensity 1 are of this kind, and everybody.
    Included,
}

/// Estimates of a target's mean reward from logged draws: inverse propensity, self-normalised, direct, doubly robust
/// (Dudik, Langford and Li 2011, section 2; self-normalised: Swaminathan and Joachims 2015).
///
/// With W the sum of a case's weights ([`Seats`]), V that of weight x reward, P that of weight x prediction and E the
/// expected prediction:
///
/// | estimate | | unbiased if |
/// |---|---|---|
/// | inverse propensity | mean V | propensities are right and reach all that the target draws |
/// | self-normalised | sum V / sum W | the same, as cases become many; it never leaves [0, 1] |
/// | direct | mean E | the model is right |
/// | doubly robust | mean (E + V - P) | one of the two; the model must not have seen the case |
///
/// **Support.** What the log could not draw is worth nothing to inverse propensity, and what the model believes to the
/// doubly robust estimate: with rewards in [0, 1] the truth lies up to [`OffPolicyEstimates::unsupported`] above the
/// first. Such a target is refused beyond `most_unsupported`. Where support is missing unnoticed, the mean weight, 1 on
/// average else, falls short of it.
///
/// Intervals treat cases as independent. The normal one is value +- z s / sqrt n, with the standard deviation s of the
/// influence of each case, for the self-normalised (V - value x W) / mean W; that of the direct estimate says nothing
/// of errors of the model. The other is the percentile bootstrap over cases ([`Bootstrap`]). O(draws + resamples x n).
///
/// ```
/// use deferral_core::Stream;
/// use deferral_metrics::{LoggedCase, LoggedDraw, OffPolicy};
/// // The log drew one of two people alike; the target asks the second on 3 of 4 cases.
/// let draw = |action, reward| {
///     let share = [0.25, 0.75][action];
///     let draws = vec![LoggedDraw { action, propensity: 0.5, reward, share, predicted: 0.0 }];
///     LoggedCase { draws, ..LoggedCase::default() }
/// };
/// let log = [draw(0, 0.0), draw(1, 1.0), draw(1, 1.0), draw(0, 1.0)];
/// let found = OffPolicy::default().estimate(&log, &Stream::new(1))?;
/// // Weights .5, 1.5, 1.5, .5.
/// assert_eq!(found.inverse_propensity.value.to_string(), "0.8750");
/// assert_eq!(found.logged.value.to_string(), "0.7500");
/// assert_eq!((found.effective_cases, found.largest_weight), (3.2, 1.5));
/// # Ok::<(), deferral_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OffPolicy {
    /// How the draws of a case were made.
    pub seats: Seats,
    /// The largest share / propensity of a draw, above 0: larger ones are cut to it, which makes the estimates steadier
    /// and biased. None: as they are.
    pub clip: Option<f64>,
    /// The probability with which an interval should hold the truth, between 0 and 1.
    pub level: f64,
    /// Resamples of the bootstrap; 0: none.
    pub resamples: usize,
    /// The largest mean share, from 0 to 1, that the target may have on what the log could not draw.
    pub most_unsupported: f64,
}

impl Default for OffPolicy {
    /// Draws with replacement, no clipping, 95 %, 1,000 resamples, at most a tenth unsupported.
    fn default() -> Self {
        Self { seats: Seats::Replaced, clip: None, level: 0.95, resamples: 1000, most_unsupported: 0.1 }
    }
}

/// An estimate with two intervals.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct OffPolicyEstimate {
    /// The number, the cases behind it and the normal interval, from two cases on.
    pub value: Measured,
    /// The interval of the percentile bootstrap, if it was asked for.
    pub bootstrap: Option<(f64, f64)>,
}

/// What a log says about a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OffPolicyEstimates {
    /// The mean reward of the log's own draws.
    pub logged: OffPolicyEstimate,
    /// By weights alone.
    pub inverse_propensity: OffPolicyEstimate,
    /// By weights that are divided by their sum.
    pub self_normalised: OffPolicyEstimate,
    /// By the model alone; undefined if a case has none.
    pub direct: OffPolicyEstimate,
    /// By the model, corrected by weighted errors; undefined if a case has none.
    pub doubly_robust: OffPolicyEstimate,
    /// Cases with a draw; those without are left out.
    pub cases: usize,
    /// Draws.
    pub draws: usize,
    /// As many cases would say as much if all had the same weight: `(sum W)^2 / sum W^2`.
    pub effective_cases: f64,
    /// The largest share / propensity, before clipping.
    pub largest_weight: f64,
    /// Draws whose weight was cut.
    pub clipped: usize,
    /// The mean of W: about 1 if all that the target draws could have been logged and nothing was cut.
    pub mean_weight: f64,
    /// The target's mean share on what the log is known not to have been able to draw.
    pub unsupported: f64,
}

impl OffPolicy {
    /// The estimates from a log. `stream` draws the resamples.
    ///
    /// # Errors
    /// If a parameter or a number of the log is out of range, an action stands twice in a case whose draws should be
    /// different, or the target's share on what the log could not draw exceeds `most_unsupported`.
    pub fn estimate(&self, log: &[LoggedCase], stream: &Stream) -> Result<OffPolicyEstimates, MetricError> {
        self.check()?;
        for (at, case) in log.iter().enumerate() {
            self.check_case(at, case)?;
        }
        let log: Vec<&LoggedCase> = log.iter().filter(|case| !case.draws.is_empty()).collect();
        let unsupported = mean(log.iter().map(|case| self.unsupported(case)));
        // Rounding may leave some share where there is none.
        let ok = unsupported.is_nan() || unsupported <= self.most_unsupported + 1e-9;
        let expected = format!(
            "at most {}: nothing is known of their rewards; log with exploration, or raise `most_unsupported` to see \
             what the others say",
            self.most_unsupported
        );
        ParameterError::check(ok, "the target's share on actions that the log could not draw", unsupported, &expected)?;
        let cases: Vec<Case> = log.iter().map(|case| self.summarise(case)).collect();
        self.report(&log, &cases, unsupported, stream)
    }

    fn report(
        &self,
        log: &[&LoggedCase],
        cases: &[Case],
        unsupported: f64,
        stream: &Stream,
    ) -> Result<OffPolicyEstimates, MetricError> {
        let modelled = cases.iter().all(|case| case.expected.is_some());
        let of = |value: &dyn Fn(&Case) -> f64| {
            let values: Vec<(f64, f64)> = cases.iter().map(|case| (value(case), 1.0)).collect();
            self.ratio(&values, stream)
        };
        let by_model = |value: &dyn Fn(&Case, f64) -> f64| {
            if modelled {
                of(&|case| value(case, case.expected.unwrap_or(0.0)))
            } else {
                Ok(OffPolicyEstimate::default())
            }
        };
        let weighed: Vec<(f64, f64)> = cases.iter().map(|case| (case.value, case.weight)).collect();
        let weights = || log.iter().flat_map(|case| &case.draws).map(|draw| draw.share / draw.propensity);
        let total: f64 = cases.iter().map(|case| case.weight).sum();
        let squares: f64 = cases.iter().map(|case| case.weight * case.weight).sum();
        Ok(OffPolicyEstimates {
            logged: of(&|case| case.logged)?,
            inverse_propensity: of(&|case| case.value)?,
            self_normalised: self.ratio(&weighed, stream)?,
            direct: by_model(&|_, expected| expected)?,
            doubly_robust: by_model(&|case, expected| expected + case.value - case.predicted)?,
            cases: cases.len(),
            draws: log.iter().map(|case| case.draws.len()).sum(),
            effective_cases: if squares > 0.0 { total * total / squares } else { 0.0 },
            largest_weight: weights().fold(0.0, f64::max),
            clipped: weights().filter(|weight| self.clip.is_some_and(|most| *weight > most)).count(),
            mean_weight: if cases.is_empty() { 0.0 } else { total / cases.len() as f64 },
            unsupported: if unsupported.is_nan() { 0.0 } else { unsupported },
        })
    }

    /// The sum of the first numbers over that of the second, of which there is one pair a case.
    fn ratio(&self, cases: &[(f64, f64)], stream: &Stream) -> Result<OffPolicyEstimate, MetricError> {
        let n = cases.len();
        let ratio = |drawn: &[usize]| {
            let sum = |of: fn((f64, f64)) -> f64| drawn.iter().map(|&case| of(cases[case])).sum::<f64>();
            let below = sum(|case| case.1);
            (below > 0.0).then(|| sum(|case| case.0) / below)
        };
        let Some(value) = ratio(&(0..n).collect::<Vec<_>>()) else { return Ok(OffPolicyEstimate::default()) };
        let interval = self.normal_interval(cases, value);
        let bootstrap = if self.resamples > 0 {
            let bootstrap = Bootstrap { resamples: self.resamples, level: self.level };
            bootstrap.measure(n, Resampling::Plain, stream, ratio)?.measured.interval()
        } else {
            None
        };
        Ok(OffPolicyEstimate { value: Measured::with_interval(value, n, interval), bootstrap })
    }

    fn normal_interval(&self, cases: &[(f64, f64)], value: f64) -> Option<(f64, f64)> {
        let n = cases.len() as f64;
        let below = mean(cases.iter().map(|case| case.1));
        // They sum to zero.
        let squares: f64 = cases.iter().map(|(above, weight)| ((above - value * weight) / below).powi(2)).sum();
        let z = Normal::standard().inverse_cdf(f64::midpoint(1.0, self.level));
        let half = z * (squares / (n - 1.0) / n).sqrt();
        half.is_finite().then_some((value - half, value + half))
    }

    /// The weight of each draw of a case.
    fn weights<'a>(&self, case: &'a LoggedCase) -> impl Iterator<Item = f64> + 'a {
        let Self { seats, clip, .. } = *self;
        let k = case.draws.len() as f64;
        case.draws.iter().enumerate().map(move |(at, draw)| {
            let weight = (draw.share / draw.propensity).min(clip.unwrap_or(f64::INFINITY));
            match seats {
                Seats::Replaced => weight / k,
                Seats::Distinct => (weight + (k - 1.0 - at as f64) * draw.share) / k,
                Seats::Included => weight,
            }
        })
    }

    fn summarise(&self, case: &LoggedCase) -> Case {
        let weighed =
            |of: fn(&LoggedDraw) -> f64| self.weights(case).zip(&case.draws).map(|(w, draw)| w * of(draw)).sum();
        Case {
            weight: weighed(|_| 1.0),
            value: weighed(|draw| draw.reward),
            predicted: if case.expected.is_some() { weighed(|draw| draw.predicted) } else { 0.0 },
            expected: case.expected,
            logged: mean(case.draws.iter().map(|draw| draw.reward)),
        }
    }

    /// The target's share on what a case could not have had: what it is told, or what certain draws say, whichever is
    /// more.
    fn unsupported(&self, case: &LoggedCase) -> f64 {
        let certain = |draw: &LoggedDraw| draw.propensity >= 1.0;
        let known = match self.seats {
            Seats::Replaced => mean(case.draws.iter().map(|draw| if certain(draw) { 1.0 - draw.share } else { 0.0 })),
            Seats::Distinct => {
                // The draws before are known, and a certain one stands for itself alone.
                let mut before = 0.0;
                mean(case.draws.iter().map(|draw| {
                    before += draw.share;
                    if certain(draw) { 1.0 - before } else { 0.0 }
                }))
            }
            Seats::Included if case.draws.iter().all(certain) => {
                1.0 - case.draws.iter().map(|draw| draw.share).sum::<f64>()
            }
            Seats::Included => 0.0,
        };
        known.max(case.unsupported)
    }

    fn check(&self) -> Result<(), MetricError> {
        let level_ok = self.level > 0.0 && self.level < 1.0;
        ParameterError::check(level_ok, "the level of the interval", self.level, "between 0 and 1")?;
        let share_ok = (0.0..=1.0).contains(&self.most_unsupported);
        ParameterError::check(share_ok, "most_unsupported", self.most_unsupported, "a number from 0 to 1")?;
        if let Some(clip) = self.clip {
            let ok = clip > 0.0 && clip.is_finite();
            ParameterError::check(ok, "the largest weight (clip)", clip, "a finite number above 0")?;
        }
        Ok(())
    }

    fn check_case(&self, at: usize, case: &LoggedCase) -> Result<(), MetricError> {
        let wrong = |what, value, expected| Err(MetricError::Value { what, at, value, expected });
        let unit = 0.0..=1.0;
        for draw in &case.draws {
            if !(draw.propensity > 0.0 && draw.propensity <= 1.0 + 1e-9) {
                return wrong("a propensity of case", draw.propensity, "above 0 and at most 1");
            }
            if !unit.contains(&draw.reward) {
                return wrong("a reward of case", draw.reward, "a number from 0 to 1");
            }
            if !(0.0..=1.0 + 1e-9).contains(&draw.share) {
                return wrong("a target's share of case", draw.share, "a number from 0 to 1");
            }
            if case.expected.is_some() && !draw.predicted.is_finite() {
                return wrong("a prediction of case", draw.predicted, "a finite number");
            }
        }
        if let Some(expected) = case.expected.filter(|expected| !expected.is_finite()) {
            return wrong("the expected prediction of case", expected, "a finite number");
        }
        if !unit.contains(&case.unsupported) {
            return wrong("the unsupported share of case", case.unsupported, "a number from 0 to 1");
        }
        let mut actions: Vec<usize> = case.draws.iter().map(|draw| draw.action).collect();
        actions.sort_unstable();
        match actions.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) if self.seats != Seats::Replaced => {
                wrong("an action drawn twice in case", pair[0] as f64, "there once, or `seats` must be `replaced`")
            }
            _ => Ok(()),
        }
    }
}

/// What the draws of a case add up to.
struct Case {
    weight: f64,
    value: f64,
    predicted: f64,
    expected: Option<f64>,
    logged: f64,
}

/// NaN for no numbers.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (n, sum) = values.fold((0usize, 0.0), |(n, sum), value| (n + 1, sum + value));
    sum / n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::RngExt;

    const PLAIN: OffPolicy =
        OffPolicy { seats: Seats::Replaced, clip: None, level: 0.95, resamples: 0, most_unsupported: 0.1 };

    fn draw(action: usize, propensity: f64, share: f64, reward: f64) -> LoggedDraw {
        LoggedDraw { action, propensity, reward, share, predicted: 0.0 }
    }

    fn case(draws: &[LoggedDraw]) -> LoggedCase {
        LoggedCase { draws: draws.to_vec(), ..LoggedCase::default() }
    }

    fn estimate(method: OffPolicy, log: &[LoggedCase]) -> OffPolicyEstimates {
        method.estimate(log, &Stream::new(1)).unwrap()
    }

    fn value(estimate: OffPolicyEstimate) -> f64 {
        estimate.value.value().unwrap()
    }

    #[track_caller]
    fn near(found: &[f64], expected: &[f64]) {
        let close = found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-6);
        assert!(found.len() == expected.len() && close, "{found:?} {expected:?}");
    }

    #[test]
    fn three_cases_by_hand() {
        // Weights of the draws: 1.6, .4 | .5 | 2. Of the cases: W = 1, .5, 2; V = .8, .5, 0.
        let mut log = [
            case(&[draw(0, 0.5, 0.8, 1.0), draw(1, 0.5, 0.2, 0.0)]),
            case(&[draw(0, 0.8, 0.4, 1.0)]),
            case(&[draw(1, 0.3, 0.6, 0.0)]),
        ];
        let found = estimate(PLAIN, &log);
        near(&[value(found.logged), value(found.inverse_propensity)], &[0.5, 1.3 / 3.0]);
        near(&[value(found.self_normalised), found.effective_cases], &[1.3 / 3.5, 12.25 / 5.25]);
        near(&[found.largest_weight, found.mean_weight, found.unsupported], &[2.0, 3.5 / 3.0, 0.0]);
        assert_eq!((found.cases, found.draws, found.clipped), (3, 4, 0));
        assert_eq!((found.direct.value, found.doubly_robust.value), (Measured::Undefined, Measured::Undefined));
        // Deviations of V: .366667, .066667, -.433333; their squares sum to .326667.
        let half = 1.959_964 * (0.326_667f64 / 2.0 / 3.0).sqrt();
        let (low, high) = found.inverse_propensity.value.interval().unwrap();
        near(&[low, high], &[1.3 / 3.0 - half, 1.3 / 3.0 + half]);

        // Predictions .5 everywhere: P = .5, .25, 1; E + V - P = .8, .75, -.5.
        for case in &mut log {
            case.expected = Some(0.5);
            case.draws.iter_mut().for_each(|draw| draw.predicted = 0.5);
        }
        let found = estimate(PLAIN, &log);
        near(&[value(found.direct), value(found.doubly_robust)], &[0.5, 0.35]);
        // The last weight is cut to 1: V stays, P = .5, .25, .5.
        let found = estimate(OffPolicy { clip: Some(1.0), ..PLAIN }, &log);
        near(&[value(found.inverse_propensity), value(found.doubly_robust)], &[1.0 / 3.0, (0.65 + 0.75) / 3.0]);
        assert_eq!((found.clipped, found.largest_weight), (2, 2.0));
    }

    /// The expectation of a case's sum of weight x reward and of weights, over all ordered committees of two of three.
    fn expectations(seats: Seats, draws_of: &dyn Fn(usize, usize) -> (f64, [f64; 2])) -> [f64; 2] {
        let (shares, rewards) = ([0.6, 0.3, 0.1], [1.0, 0.2, 0.5]);
        let mut sums = [0.0; 2];
        for pair in (0..9).map(|at| [at / 3, at % 3]) {
            let (probability, propensities) = draws_of(pair[0], pair[1]);
            if probability > 0.0 {
                let of = |i: usize| draw(pair[i], propensities[i], shares[pair[i]], rewards[pair[i]]);
                let summary = OffPolicy { seats, ..PLAIN }.summarise(&case(&[of(0), of(1)]));
                sums[0] += probability * summary.value;
                sums[1] += probability * summary.weight;
            }
        }
        sums
    }

    #[test]
    fn every_kind_of_seat_gives_the_mean_reward_of_the_target() {
        // .6 + .06 + .05.
        let expected = [0.71, 1.0];
        let p = [0.2, 0.3, 0.5];
        near(&expectations(Seats::Replaced, &|a, b| (p[a] * p[b], [p[a], p[b]])), &expected);
        let second = |a: usize, b: usize| if a == b { 0.0 } else { p[b] / (1.0 - p[a]) };
        near(&expectations(Seats::Distinct, &|a, b| (p[a] * second(a, b), [p[a], second(a, b)])), &expected);
        let asked: Vec<f64> = (0..3).map(|j| p[j] + (0..3).map(|i| p[i] * second(i, j)).sum::<f64>()).collect();
        near(&expectations(Seats::Included, &|a, b| (p[a] * second(a, b), [asked[a], asked[b]])), &expected);
    }

    #[test]
    fn certain_draws_say_nothing_of_others() {
        let all = OffPolicy { most_unsupported: 1.0, ..PLAIN };
        let one = case(&[draw(0, 1.0, 0.7, 1.0)]);
        near(&[estimate(all, std::slice::from_ref(&one)).unsupported], &[0.3]);
        let message = PLAIN.estimate(&[one], &Stream::new(1)).unwrap_err().to_string();
        let expected = "the target's share on actions that the log could not draw is 0.3";
        assert!(message.starts_with(expected) && message.contains("at most 0.1: nothing is known"), "{message}");
        // Two certain seats of different people: averaged as draws with replacement, taken together otherwise.
        let two = case(&[draw(0, 1.0, 0.7, 1.0), draw(1, 1.0, 0.2, 0.0)]);
        let unsupported = |seats| estimate(OffPolicy { seats, ..all }, std::slice::from_ref(&two)).unsupported;
        near(&[Seats::Replaced, Seats::Distinct, Seats::Included].map(unsupported), &[0.55, 0.2, 0.1]);
        // The last of those left is certain, and nothing is missing.
        let last = case(&[draw(0, 0.5, 0.7, 1.0), draw(1, 1.0, 0.3, 0.0)]);
        near(&[estimate(OffPolicy { seats: Seats::Distinct, ..all }, &[last]).unsupported], &[0.0]);
        let told = LoggedCase { unsupported: 0.4, ..case(&[draw(0, 0.5, 0.6, 1.0)]) };
        near(&[estimate(all, &[told]).unsupported], &[0.4]);
    }

    #[test]
    fn logs_without_anything() {
        let found = estimate(PLAIN, &[LoggedCase::default()]);
        assert_eq!((found.cases, found.logged.value, found.unsupported), (0, Measured::Undefined, 0.0));
        assert_eq!(
            (found.self_normalised.value, found.effective_cases, found.mean_weight),
            (Measured::Undefined, 0.0, 0.0)
        );
        let one = estimate(PLAIN, &[case(&[draw(0, 0.5, 0.0, 1.0)])]);
        assert_eq!(one.inverse_propensity.value, Measured::new(0.0, 1));
        assert_eq!(one.self_normalised.value, Measured::Undefined);
    }

    #[test]
    fn wrong_numbers_are_named() {
        let message =
            |method: OffPolicy, log: &[LoggedCase]| method.estimate(log, &Stream::new(1)).unwrap_err().to_string();
        let fine = case(&[draw(0, 0.5, 0.5, 1.0)]);
        let of = |draw: LoggedDraw| message(PLAIN, &[fine.clone(), case(&[draw])]);
        let found = of(draw(0, 0.0, 0.5, 1.0));
        assert_eq!(found, "a propensity of case 1 (counted from 0) is 0, but must be above 0 and at most 1");
        assert!(of(draw(0, f64::NAN, 0.5, 1.0)).starts_with("a propensity of case 1"));
        assert!(of(draw(0, 0.5, 1.5, 1.0)).starts_with("a target's share of case 1"));
        assert!(of(draw(0, 0.5, 0.5, -1.0)).starts_with("a reward of case 1"));
        let twice = [case(&[draw(3, 0.5, 0.5, 1.0), draw(3, 0.5, 0.5, 1.0)])];
        assert!(PLAIN.estimate(&twice, &Stream::new(1)).is_ok());
        let found = message(OffPolicy { seats: Seats::Distinct, ..PLAIN }, &twice);
        assert!(found.starts_with("an action drawn twice in case 0 (counted from 0) is 3"), "{found}");
        let model = LoggedCase { expected: Some(f64::INFINITY), ..fine.clone() };
        assert!(message(PLAIN, &[model]).starts_with("the expected prediction of case 0"));
        let predicted = LoggedDraw { predicted: f64::NAN, ..draw(0, 0.5, 0.5, 1.0) };
        let model = LoggedCase { expected: Some(0.5), ..case(&[predicted]) };
        assert!(message(PLAIN, &[model]).starts_with("a prediction of case 0"));
        let told = LoggedCase { unsupported: 2.0, ..fine };
        assert!(message(PLAIN, &[told]).starts_with("the unsupported share of case 0"));
        let parameter = |method: OffPolicy| message(method, &[]);
        assert!(parameter(OffPolicy { clip: Some(0.0), ..PLAIN }).starts_with("the largest weight (clip) is 0"));
        assert!(parameter(OffPolicy { level: 1.0, ..PLAIN }).starts_with("the level of the interval is 1"));
        assert!(parameter(OffPolicy { most_unsupported: f64::NAN, ..PLAIN }).starts_with("most_unsupported is NaN"));
    }

    proptest! {
        #[test]
        fn a_target_that_draws_as_the_log_did_achieves_the_same(
            draws in prop::collection::vec((0.01f64..1.0, 0.0f64..=1.0), 2..40),
        ) {
            let log: Vec<_> = draws.iter().map(|&(p, reward)| case(&[draw(0, p, p, reward)])).collect();
            let found = estimate(PLAIN, &log);
            let same = |estimate: OffPolicyEstimate| {
                let (a, b) = (estimate.value.interval().unwrap(), found.logged.value.interval().unwrap());
                (value(estimate) - value(found.logged)).abs() < 1e-9 && (a.0 - b.0).abs() < 1e-9 && (a.1 - b.1).abs() < 1e-9
            };
            prop_assert!(same(found.inverse_propensity) && same(found.self_normalised));
            prop_assert!((found.effective_cases - draws.len() as f64).abs() < 1e-9);
        }

        #[test]
        fn the_self_normalised_stays_among_the_rewards(
            draws in prop::collection::vec((0.01f64..0.99, 0.001f64..=1.0, 0.0f64..=1.0), 1..40),
        ) {
            let log: Vec<_> = draws.iter().map(|&(p, share, reward)| case(&[draw(0, p, share, reward)])).collect();
            let found = value(estimate(PLAIN, &log).self_normalised);
            let (low, high) = draws.iter().fold((1.0, 0.0), |(l, h): (f64, f64), d| (l.min(d.2), h.max(d.2)));
            prop_assert!(low - 1e-9 <= found && found <= high + 1e-9);
        }
    }

    #[test]
    fn a_case_counts_once_however_many_draws_it_has() {
        let one: Vec<_> = (0..20).map(|i| case(&[draw(0, 0.5, 0.2 + 0.03 * f64::from(i), f64::from(i % 2))])).collect();
        let four: Vec<_> = one.iter().map(|c| case(&c.draws.repeat(4))).collect();
        let method = OffPolicy { resamples: 200, ..PLAIN };
        let (one, four) = (estimate(method, &one), estimate(method, &four));
        let all = |e: OffPolicyEstimate| {
            let (normal, bootstrap) = (e.value.interval().unwrap(), e.bootstrap.unwrap());
            [value(e), normal.0, normal.1, bootstrap.0, bootstrap.1]
        };
        near(&all(one.inverse_propensity), &all(four.inverse_propensity));
        near(&all(one.self_normalised), &all(four.self_normalised));
        assert_eq!((four.cases, four.draws), (20, 80));
    }

    /// What is true of two kinds of cases and three actions.
    const REWARDS: [[f64; 3]; 2] = [[0.9, 0.5, 0.3], [0.2, 0.6, 0.8]];
    const LOGGING: [[f64; 3]; 2] = [[0.2, 0.3, 0.5], [0.5, 0.3, 0.2]];
    const TARGET: [[f64; 3]; 2] = [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]];
    /// Half the cases are of each kind: (.63 + .1 + .03 + .02 + .18 + .48) / 2.
    const TRUTH: f64 = 0.72;

    /// A log of n cases with two draws each.
    fn simulated(n: usize, model: [[f64; 3]; 2], seed: usize) -> Vec<LoggedCase> {
        let mut random = Stream::new(7).at(seed);
        (0..n)
            .map(|_| {
                let kind = random.random_range(0..2);
                let draws = (0..2).map(|_| {
                    let point: f64 = random.random();
                    let p = LOGGING[kind];
                    let action = usize::from(point >= p[0]) + usize::from(point >= p[0] + p[1]);
                    let reward = f64::from(u8::from(random.random_bool(REWARDS[kind][action])));
                    let predicted = model[kind][action];
                    LoggedDraw { predicted, ..draw(action, p[action], TARGET[kind][action], reward) }
                });
                let draws = draws.collect();
                let expected = Some(TARGET[kind].iter().zip(&model[kind]).map(|(share, r)| share * r).sum());
                LoggedCase { draws, expected, unsupported: 0.0 }
            })
            .collect()
    }

    const SIMULATIONS: usize = 400;

    fn simulations(n: usize, model: [[f64; 3]; 2], method: OffPolicy) -> Vec<OffPolicyEstimates> {
        (0..SIMULATIONS)
            .map(|seed| method.estimate(&simulated(n, model, seed), &Stream::new(8).nth(seed)).unwrap())
            .collect()
    }

    /// Mean, and standard deviation, of an estimate over the simulations.
    fn moments(runs: &[OffPolicyEstimates], of: fn(&OffPolicyEstimates) -> OffPolicyEstimate) -> (f64, f64) {
        let values: Vec<f64> = runs.iter().map(|run| value(of(run))).collect();
        let centre = mean(values.iter().copied());
        (centre, mean(values.iter().map(|v| (v - centre).powi(2))).sqrt())
    }

    /// Whether the mean of the simulations is the truth, as far as they can tell.
    fn unbiased((centre, deviation): (f64, f64)) -> bool {
        (centre - TRUTH).abs() < 3.5 * deviation / (SIMULATIONS as f64).sqrt()
    }

    #[test]
    fn weights_and_doubly_robust_are_unbiased_and_a_right_model_helps() {
        let right = simulations(200, REWARDS, PLAIN);
        let wrong = simulations(200, [[0.1, 0.5, 0.9], [0.9, 0.5, 0.1]], PLAIN);
        let weights = moments(&right, |run| run.inverse_propensity);
        let robust = moments(&right, |run| run.doubly_robust);
        let astray = moments(&wrong, |run| run.doubly_robust);
        assert!(unbiased(weights) && unbiased(robust) && unbiased(astray), "{weights:?} {robust:?} {astray:?}");
        assert!(robust.1 < 0.8 * weights.1, "{robust:?} {weights:?}");
        let normalised = moments(&right, |run| run.self_normalised);
        assert!((normalised.0 - TRUTH).abs() < 0.01 && normalised.1 < weights.1, "{normalised:?}");
        assert!(unbiased(moments(&right, |run| run.direct)));
        assert!(moments(&wrong, |run| run.direct).0 < 0.4);
        assert!((mean(right.iter().map(|run| run.mean_weight)) - 1.0).abs() < 0.01);
    }

    #[test]
    fn intervals_hold_the_truth_as_often_as_they_say() {
        let runs = simulations(200, [[0.5; 3]; 2], OffPolicy { resamples: 500, ..PLAIN });
        let kinds: [fn(&OffPolicyEstimates) -> OffPolicyEstimate; 3] =
            [|run| run.inverse_propensity, |run| run.self_normalised, |run| run.doubly_robust];
        for (at, of) in kinds.into_iter().enumerate() {
            let coverage = |interval: &dyn Fn(OffPolicyEstimate) -> Option<(f64, f64)>| {
                let holds = |run: &&OffPolicyEstimates| {
                    interval(of(run)).is_some_and(|(low, high)| low <= TRUTH && TRUTH <= high)
                };
                runs.iter().filter(holds).count() as f64 / SIMULATIONS as f64
            };
            let (normal, bootstrap) = (coverage(&|e| e.value.interval()), coverage(&|e| e.bootstrap));
            assert!((0.92..=0.98).contains(&normal), "{at}: {normal}");
            assert!((0.92..=0.98).contains(&bootstrap), "{at}: {bootstrap}");
        }
    }

    #[test]
    fn clipping_trades_bias_for_steadiness() {
        let plain = moments(&simulations(100, REWARDS, PLAIN), |run| run.inverse_propensity);
        let clipped = simulations(100, REWARDS, OffPolicy { clip: Some(1.5), ..PLAIN });
        let cut = moments(&clipped, |run| run.inverse_propensity);
        assert!(cut.0 < TRUTH - 0.2 && cut.1 < plain.1, "{cut:?} {plain:?}");
        assert!(clipped.iter().all(|run| run.mean_weight < 1.0 && run.clipped > 0));
    }
}
