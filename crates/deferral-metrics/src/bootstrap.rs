//! Intervals by drawing the cases again: percentile bootstrap of any statistic, and the paired difference of two.

use deferral_core::{GroupAttribute, ParameterError, Random, Stream};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::error::{MetricError, check_groups, check_length};
use crate::estimate::Measured;
use crate::groups::members;
use crate::spread::sorted_quantile;

/// The percentile bootstrap (Efron 1979): recompute a statistic on cases drawn with replacement.
///
/// A statistic is a function from positions of cases (each in `0..n`, repeated as often as drawn) to a number, or to
/// `None` where it has no value, such as the accuracy of a group that was not drawn. Such resamples are counted and
/// left out of the percentiles. Resample b draws from stream b of the given source, so the interval does not depend on
/// the order of work. Cost: `resamples` times (n draws and one evaluation); memory n + `resamples` numbers.
///
/// ```
/// use deferral_core::Stream;
/// use deferral_metrics::{Bootstrap, Resampling};
/// let values = [0.2, 0.4, 0.6, 0.8, 0.5, 0.5];
/// let mean = |cases: &[usize]| Some(cases.iter().map(|&i| values[i]).sum::<f64>() / cases.len() as f64);
/// let result = Bootstrap::default().measure(6, Resampling::Plain, &Stream::new(1), mean)?;
/// let (low, high) = result.measured.interval().unwrap();
/// assert!(0.2 < low && low < 0.5 && 0.5 < high && high < 0.8);
/// # Ok::<(), deferral_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bootstrap {
    /// Number of resamples, B; 10 000 by default.
    pub resamples: usize,
    /// Share of the resamples that the interval holds, between 0 and 1; 0.95 by default.
    pub level: f64,
}

/// How cases are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Resampling<'a> {
    /// n of all n cases: group sizes vary, a small group may not be drawn at all.
    Plain,
    /// From every group as many as it has: group sizes are taken as given.
    Stratified(&'a GroupAttribute),
}

/// A statistic with its bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bootstrapped {
    /// The statistic on the cases as they are, with the percentile interval over the defined resamples.
    pub measured: Measured,
    /// Resamples on which the statistic had a value.
    pub defined: usize,
    /// Resamples on which it had none. If they are many, the interval speaks only of the others.
    pub undefined: usize,
}

/// The difference of two statistics on the same resamples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// First minus second, with the percentile interval of the differences.
    pub difference: Measured,
    /// Two-sided p = min(1, 2 min(#{d <= 0} + 1, #{d >= 0} + 1) / (B + 1)) over the B defined resamples; `None` if
    /// there is none. Never 0; its smallest value is 2 / (B + 1).
    pub p: Option<f64>,
    /// Resamples on which both statistics had a value.
    pub defined: usize,
    /// Resamples on which one had none.
    pub undefined: usize,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 10_000, level: 0.95 }
    }
}

impl Bootstrap {
    /// The statistic on cases `0..n` with its percentile interval.
    ///
    /// # Errors
    /// If there are no resamples, the level is not between 0 and 1, or the strata are not for n cases.
    pub fn measure(
        &self,
        n: usize,
        resampling: Resampling<'_>,
        stream: &Stream,
        statistic: impl Fn(&[usize]) -> Option<f64>,
    ) -> Result<Bootstrapped, MetricError> {
        let (value, draws) = self.distribution(n, resampling, stream, statistic)?;
        Ok(Bootstrapped {
            measured: self.summarise(value, n, &draws),
            defined: draws.len(),
            undefined: self.resamples - draws.len(),
        })
    }

    /// The difference of two systems, `first` minus `second`, each drawn the same cases: what the cases have in common
    /// cancels. For repeated splits a "case" is a repetition ([`Bootstrap::paired_means`]).
    ///
    /// # Errors
    /// As [`Bootstrap::measure`].
    pub fn paired(
        &self,
        n: usize,
        resampling: Resampling<'_>,
        stream: &Stream,
        first: impl Fn(&[usize]) -> Option<f64>,
        second: impl Fn(&[usize]) -> Option<f64>,
    ) -> Result<Difference, MetricError> {
        let difference = |cases: &[usize]| Some(first(cases)? - second(cases)?);
        let (value, draws) = self.distribution(n, resampling, stream, difference)?;
        Ok(Difference {
            difference: self.summarise(value, n, &draws),
            p: two_sided(&draws),
            defined: draws.len(),
            undefined: self.resamples - draws.len(),
        })
    }

    /// The difference of the means of two lists that belong together entry by entry, such as the accuracies of two
    /// methods on the same repetitions.
    ///
    /// # Errors
    /// As [`Bootstrap::measure`], or if the lists differ in length.
    ///
    /// ```
    /// use deferral_core::Stream;
    /// let (joint, model) = ([0.91, 0.84, 0.95, 0.88], [0.90, 0.80, 0.93, 0.86]);
    /// let result = deferral_metrics::Bootstrap::default().paired_means(&joint, &model, &Stream::new(3))?;
    /// assert_eq!(result.difference.to_string(), "0.0225");
    /// assert!(result.p.unwrap() < 0.001); // better in every repetition
    /// # Ok::<(), deferral_metrics::MetricError>(())
    /// ```
    pub fn paired_means(&self, first: &[f64], second: &[f64], stream: &Stream) -> Result<Difference, MetricError> {
        check_length("the second list of a paired comparison", second.len(), first.len())?;
        let mean = |values: &[f64], cases: &[usize]| {
            (!cases.is_empty()).then(|| cases.iter().map(|&i| values[i]).sum::<f64>() / cases.len() as f64)
        };
        self.paired(first.len(), Resampling::Plain, stream, |c| mean(first, c), |c| mean(second, c))
    }

    /// The statistic on the cases as they are, and on every resample where it is finite, in order of the resamples.
    fn distribution(
        &self,
        n: usize,
        resampling: Resampling<'_>,
        stream: &Stream,
        statistic: impl Fn(&[usize]) -> Option<f64>,
    ) -> Result<(Option<f64>, Vec<f64>), MetricError> {
        ParameterError::check(self.resamples > 0, "the number of resamples", self.resamples, "at least 1")?;
        let level_ok = self.level > 0.0 && self.level < 1.0;
        ParameterError::check(level_ok, "the level of the interval", self.level, "between 0 and 1")?;
        let strata = strata(n, resampling)?;
        let identity: Vec<usize> = (0..n).collect();
        let mut drawn = Vec::with_capacity(n);
        let mut draw = |b: usize| {
            resample(&strata, &mut stream.at(b), &mut drawn);
            statistic(&drawn).filter(|v| v.is_finite())
        };
        let draws = (0..self.resamples).filter_map(&mut draw).collect();
        Ok((statistic(&identity), draws))
    }

    fn summarise(&self, value: Option<f64>, n: usize, draws: &[f64]) -> Measured {
        let mut sorted = draws.to_vec();
        sorted.sort_by(f64::total_cmp);
        let tail = (1.0 - self.level) / 2.0;
        let interval = sorted_quantile(&sorted, tail).zip(sorted_quantile(&sorted, 1.0 - tail));
        value.map_or(Measured::Undefined, |value| Measured::with_interval(value, n, interval))
    }
}

/// The cases of each stratum; one stratum of all cases when plain.
fn strata(n: usize, resampling: Resampling<'_>) -> Result<Vec<Vec<usize>>, MetricError> {
    let Resampling::Stratified(attribute) = resampling else {
        return Ok(vec![(0..n).collect()]);
    };
    check_groups(attribute, n)?;
    Ok(members(attribute))
}

/// As many cases from each stratum as it has, with replacement.
fn resample(strata: &[Vec<usize>], random: &mut Random, drawn: &mut Vec<usize>) {
    drawn.clear();
    for stratum in strata {
        drawn.extend(stratum.iter().map(|_| stratum[random.random_range(0..stratum.len())]));
    }
}

fn two_sided(draws: &[f64]) -> Option<f64> {
    let count = |holds: fn(f64) -> bool| draws.iter().filter(|&&d| holds(d)).count();
    let smaller = count(|d| d <= 0.0).min(count(|d| d >= 0.0));
    (!draws.is_empty()).then(|| (2.0 * (smaller + 1) as f64 / (draws.len() + 1) as f64).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUICK: Bootstrap = Bootstrap { resamples: 400, level: 0.9 };

    fn mean(values: &[f64], cases: &[usize]) -> Option<f64> {
        (!cases.is_empty()).then(|| cases.iter().map(|&i| values[i]).sum::<f64>() / cases.len() as f64)
    }

    proptest! {
        #[test]
        fn the_interval_of_a_mean_lies_within_the_values_and_brackets_it(
            values in prop::collection::vec(0.0f64..1.0, 8..40), seed in 0u64..20,
        ) {
            let result = QUICK.measure(values.len(), Resampling::Plain, &Stream::new(seed), |c| mean(&values, c)).unwrap();
            let (low, high) = result.measured.interval().unwrap();
            let value = result.measured.value().unwrap();
            prop_assert!(low <= value && value <= high, "{low} {value} {high}");
            let ends = values.iter().fold((1.0f64, 0.0f64), |(l, h), &v| (l.min(v), h.max(v)));
            prop_assert!(ends.0 - 1e-12 <= low && high <= ends.1 + 1e-12);
            prop_assert_eq!((result.defined, result.undefined), (400, 0));
        }

        #[test]
        fn strata_keep_their_sizes(sizes in prop::collection::vec(1usize..6, 1..5), seed in 0u64..20) {
            let of_case = sizes.iter().enumerate().flat_map(|(g, &size)| vec![g.to_string(); size]);
            let attribute = GroupAttribute::from_values("g", of_case);
            let n = attribute.of_case.len();
            let strata = strata(n, Resampling::Stratified(&attribute)).unwrap();
            let mut drawn = Vec::new();
            resample(&strata, &mut Stream::new(seed).at(0), &mut drawn);
            prop_assert_eq!(attribute.select(&drawn).counts(), sizes);
        }
    }

    #[test]
    fn a_group_that_is_not_drawn_breaks_nothing() {
        // Case 0 alone is the group: about (1 - 1/12)^12 = 35 % of plain resamples lack it.
        let attribute = GroupAttribute::from_values("g", (0..12).map(|i| if i == 0 { "rare" } else { "other" }));
        let share_of_rare = |cases: &[usize]| {
            let rare: Vec<usize> = cases.iter().copied().filter(|&c| c == 0).collect();
            (!rare.is_empty()).then_some(0.5)
        };
        let plain = QUICK.measure(12, Resampling::Plain, &Stream::new(1), share_of_rare).unwrap();
        assert!((90..190).contains(&plain.undefined), "{plain:?}");
        assert_eq!(plain.measured.interval(), Some((0.5, 0.5)));
        let stratified = Resampling::Stratified(&attribute);
        assert_eq!(QUICK.measure(12, stratified, &Stream::new(1), share_of_rare).unwrap().undefined, 0);
        let never = QUICK.measure(3, Resampling::Plain, &Stream::new(1), |_| None).unwrap();
        assert_eq!((never.measured, never.defined), (Measured::Undefined, 0));
        let nobody = QUICK.measure(0, Resampling::Plain, &Stream::new(1), |c| mean(&[], c)).unwrap();
        assert_eq!((nobody.measured, nobody.undefined), (Measured::Undefined, 400));
    }

    #[test]
    fn equal_systems_do_not_differ() {
        let values = [0.1, 0.5, 0.9];
        let same = QUICK.paired_means(&values, &values, &Stream::new(2)).unwrap();
        assert_eq!(
            (same.difference.value(), same.difference.interval(), same.p),
            (Some(0.0), Some((0.0, 0.0)), Some(1.0))
        );
        let worse = QUICK.paired_means(&[0.0, 0.1, 0.2], &values, &Stream::new(2)).unwrap();
        assert_eq!(worse.p, Some(2.0 / 401.0));
        assert!(worse.difference.interval().unwrap().1 < 0.0);
        assert_eq!(QUICK.paired_means(&[], &[], &Stream::new(2)).unwrap().p, None);
    }

    #[test]
    fn the_same_stream_gives_the_same_interval() {
        let values: Vec<f64> = (0..30).map(|i| f64::from(i % 7)).collect();
        let run = |seed| QUICK.measure(30, Resampling::Plain, &Stream::new(seed), |c| mean(&values, c)).unwrap();
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
    }

    #[test]
    fn bad_parameters_are_named() {
        let run = |bootstrap: Bootstrap| {
            bootstrap.measure(2, Resampling::Plain, &Stream::new(1), |_| Some(1.0)).unwrap_err().to_string()
        };
        assert!(run(Bootstrap { resamples: 0, ..QUICK }).contains("the number of resamples is 0"));
        assert!(run(Bootstrap { level: f64::NAN, ..QUICK }).contains("the level of the interval is NaN"));
        let attribute = GroupAttribute::from_values("g", ["a"]);
        let strata = Resampling::Stratified(&attribute);
        let error = QUICK.measure(2, strata, &Stream::new(1), |_| Some(1.0)).unwrap_err();
        assert!(error.to_string().starts_with("group attribute g: 1 entries for 2 cases"));
        assert!(QUICK.paired_means(&[1.0], &[], &Stream::new(1)).is_err());
    }
}
