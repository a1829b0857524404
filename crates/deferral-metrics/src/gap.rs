//! How far apart the groups are, with intervals that hold whichever groups are compared.

use serde::{Deserialize, Serialize};

use crate::error::MetricError;
use crate::estimate::Measured;
use crate::exact::clopper_pearson;
use crate::groups::spread_of;
use deferral_core::ParameterError;

/// The rates of G groups, with exact intervals that all hold at once.
///
/// Each rate has a Clopper-Pearson interval at level `1 - delta / G`, so that with probability at least `1 - delta` every
/// one of them holds its true rate (Bonferroni). Whatever is read off them then holds too: the gap of any two groups, and
/// the largest gap, although it was picked for being the largest. That makes the intervals wider than those of a gap
/// that was named beforehand, such as [`GroupAccuracy::disparity`](crate::GroupAccuracy::disparity) gives. The rate may be
/// an accuracy, an error, a false positive or a false negative rate: whatever is a count among cases of a group. Groups
/// without a case take no part. O(G) to make, O(G^2) for the largest gap.
///
/// ```
/// use deferral_metrics::GroupGaps;
/// // 10 errors on 100 cases of one group, 30 on 100 of the other.
/// let gaps = GroupGaps::of(&[(10, 100), (30, 100)], 0.95)?;
/// let largest = gaps.largest().estimate().unwrap();
/// assert!((largest.value - 0.2).abs() < 1e-12);
/// // The two are 0.2 apart, and surely apart.
/// assert!(largest.interval.unwrap().0 > 0.0);
/// # Ok::<(), deferral_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupGaps {
    /// The rate of each group with its interval, in the order of the counts; undefined without a case.
    pub rates: Vec<Measured>,
    /// The probability with which all intervals hold at once, `1 - delta`.
    pub level: f64,
}

impl GroupGaps {
    /// From (successes, cases) of each group. `level` is the probability with which all intervals hold at once.
    ///
    /// # Errors
    /// If `level` is not between 0 and 1, or a group has more successes than cases.
    pub fn of(counts: &[(usize, usize)], level: f64) -> Result<Self, MetricError> {
        ParameterError::check(level > 0.0 && level < 1.0, "the level", level, "above 0 and below 1")?;
        if let Some(at) = counts.iter().position(|(successes, n)| successes > n) {
            let expected = "at most the number of its cases";
            return Err(MetricError::Value { what: "the count of group", at, value: counts[at].0 as f64, expected });
        }
        let groups = counts.iter().filter(|(_, n)| *n > 0).count();
        let each = 1.0 - (1.0 - level) / groups.max(1) as f64;
        let rate = |&(successes, n): &(usize, usize)| {
            Measured::with_interval(successes as f64 / n as f64, n, clopper_pearson(successes, n, each))
        };
        Ok(Self { rates: counts.iter().map(rate).collect(), level })
    }

    /// The rate of group `first` minus that of `second`; undefined if one has no case or does not exist. n counts the
    /// cases of both.
    pub fn between(&self, first: usize, second: usize) -> Measured {
        let of = |group: usize| self.rates.get(group).and_then(Measured::estimate);
        let (Some(a), Some(b)) = (of(first), of(second)) else { return Measured::Undefined };
        let interval = a.interval.zip(b.interval).map(|(a, b)| (a.0 - b.1, a.1 - b.0));
        Measured::with_interval(a.value - b.value, a.n + b.n, interval)
    }

    /// The largest gap of any two groups, highest minus lowest rate: from `max(0, max (L_a - U_b))` to
    /// `max (U_a - L_b)` over pairs of different groups with intervals `[L, U]`. Undefined for fewer than two groups with
    /// cases. n counts the cases of all.
    pub fn largest(&self) -> Measured {
        let defined: Vec<_> = self.rates.iter().filter_map(Measured::estimate).collect();
        if defined.len() < 2 {
            return Measured::Undefined;
        }
        let values: Vec<f64> = defined.iter().map(|rate| rate.value).collect();
        let n = defined.iter().map(|rate| rate.n).sum();
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for first in 0..self.rates.len() {
            for second in (0..self.rates.len()).filter(|second| *second != first) {
                if let Some(gap) = self.between(first, second).interval() {
                    (low, high) = (low.max(gap.0), high.max(gap.1));
                }
            }
        }
        Measured::with_interval(spread_of(&values), n, Some((low, high)))
    }
}

/// Disparate impact, `1/2 (largest gap of FPR + largest gap of FNR)`, from the counts of each group's negatives and
/// positives as (errors, cases), with an interval that holds with probability at least `level`: all intervals of both
/// rates hold at once. Undefined if fewer than two groups have one of the rates. n counts all cases. O(G^2).
///
/// ```
/// use deferral_metrics::disparate_impact_interval;
/// let (false_positives, false_negatives) = ([(10, 100), (30, 100)], [(20, 100), (20, 100)]);
/// let impact = disparate_impact_interval(&false_positives, &false_negatives, 0.95)?;
/// assert_eq!(impact.to_string(), "0.1000");
/// # Ok::<(), deferral_metrics::MetricError>(())
/// ```
///
/// # Errors
/// As [`GroupGaps::of`].
pub fn disparate_impact_interval(
    false_positives: &[(usize, usize)],
    false_negatives: &[(usize, usize)],
    level: f64,
) -> Result<Measured, MetricError> {
    ParameterError::check(level > 0.0 && level < 1.0, "the level", level, "above 0 and below 1")?;
    let half = f64::midpoint(level, 1.0);
    let (positive, negative) =
        (GroupGaps::of(false_positives, half)?.largest(), GroupGaps::of(false_negatives, half)?.largest());
    let (Some(a), Some(b)) = (positive.estimate(), negative.estimate()) else { return Ok(Measured::Undefined) };
    let interval = a.interval.zip(b.interval).map(|(a, b)| (f64::midpoint(a.0, b.0), f64::midpoint(a.1, b.1)));
    Ok(Measured::with_interval(f64::midpoint(a.value, b.value), a.n + b.n, interval))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Random, Stream};
    use proptest::prelude::*;
    use rand::RngExt;

    #[test]
    fn two_groups_by_hand() {
        // At 90 % each of two groups has its 95 % interval: 0 of 10 up to .308497, 10 of 10 from .691503.
        let gaps = GroupGaps::of(&[(10, 10), (0, 10)], 0.9).unwrap();
        let (low, high) = gaps.largest().interval().unwrap();
        assert!((low - (0.691_503 - 0.308_497)).abs() < 2e-6 && high == 1.0, "{low} {high}");
        assert_eq!(gaps.between(1, 0).value(), Some(-1.0));
        let (low, high) = gaps.between(1, 0).interval().unwrap();
        assert!(low == -1.0 && (high + 0.383_006).abs() < 2e-6, "{low} {high}");
    }

    #[test]
    fn groups_without_a_case_take_no_part() {
        let gaps = GroupGaps::of(&[(1, 2), (0, 0), (2, 2)], 0.9).unwrap();
        assert_eq!(
            (gaps.rates[1], gaps.between(0, 1), gaps.between(0, 7)),
            (Measured::Undefined, Measured::Undefined, Measured::Undefined)
        );
        assert_eq!((gaps.largest().value(), gaps.largest().n()), (Some(0.5), 4));
        assert_eq!(gaps.largest().interval(), GroupGaps::of(&[(1, 2), (2, 2)], 0.9).unwrap().largest().interval());
        assert_eq!(GroupGaps::of(&[(1, 2), (0, 0)], 0.9).unwrap().largest(), Measured::Undefined);
        assert_eq!(disparate_impact_interval(&[(1, 2), (1, 2)], &[(1, 1)], 0.9).unwrap(), Measured::Undefined);
    }

    #[test]
    fn misuse_is_named() {
        let message = |counts, level| GroupGaps::of(counts, level).unwrap_err().to_string();
        assert_eq!(message(&[(1, 2)], 1.0), "the level is 1, but must be above 0 and below 1");
        assert_eq!(
            message(&[(1, 2), (3, 2)], 0.9),
            "the count of group 1 (counted from 0) is 3, but must be at most the number of its cases"
        );
        assert!(disparate_impact_interval(&[], &[], f64::NAN).is_err());
    }

    fn draw(rate: f64, n: usize, random: &mut Random) -> (usize, usize) {
        ((0..n).filter(|_| random.random::<f64>() < rate).count(), n)
    }

    /// Of `draws` tables of counts, the share whose interval of the largest gap holds the true one.
    fn coverage(rates: &[f64], n: usize, level: f64, draws: usize) -> f64 {
        let largest = spread_of(rates);
        let holds = |draw_no: &usize| {
            let mut random = Stream::new(5).at(*draw_no);
            let counts: Vec<_> = rates.iter().map(|&rate| draw(rate, n, &mut random)).collect();
            let gaps = GroupGaps::of(&counts, level).unwrap();
            let (low, high) = gaps.largest().interval().unwrap();
            let pair = gaps.between(0, 1).interval().unwrap();
            let between = rates[0] - rates[1];
            low <= largest && largest <= high && pair.0 <= between && between <= pair.1
        };
        (0..draws).filter(holds).count() as f64 / draws as f64
    }

    #[test]
    fn the_true_gaps_are_held_as_often_as_promised() {
        let (draws, level) = (2000, 0.9);
        // Two standard deviations of the share of so many draws.
        let tolerance = 2.0 * (level * (1.0 - level) / draws as f64).sqrt();
        for rates in [&[0.1, 0.1][..], &[0.3, 0.3, 0.3, 0.3], &[0.05, 0.2, 0.5]] {
            let held = coverage(rates, 40, level, draws);
            assert!(held >= level - tolerance, "{rates:?}: {held}");
        }
        // The intervals say something: at a lower level they hold less often.
        assert!(coverage(&[0.3, 0.3], 200, 0.3, draws) < 0.9);
    }

    #[test]
    fn the_true_disparate_impact_is_held_as_often_as_promised() {
        let (fpr, fnr) = ([0.1, 0.2], [0.5, 0.3]);
        let holds = |draw_no: &usize| {
            let mut random = Stream::new(6).at(*draw_no);
            let mut count = |rates: &[f64; 2]| rates.map(|rate| draw(rate, 50, &mut random));
            let (fp, fneg) = (count(&fpr), count(&fnr));
            let (low, high) = disparate_impact_interval(&fp, &fneg, 0.9).unwrap().interval().unwrap();
            low <= 0.15 && 0.15 <= high
        };
        let held = (0..1000).filter(holds).count();
        assert!(held >= 880, "{held}");
    }

    proptest! {
        #[test]
        fn the_interval_holds_what_was_measured(
            counts in prop::collection::vec((0usize..30, 1usize..30), 2..6), level in 0.5f64..0.99,
        ) {
            let counts: Vec<_> = counts.into_iter().map(|(s, n)| (s.min(n), n)).collect();
            let largest = GroupGaps::of(&counts, level).unwrap().largest().estimate().unwrap();
            let (low, high) = largest.interval.unwrap();
            prop_assert!(0.0 <= low && low <= largest.value + 1e-12 && largest.value <= high + 1e-12 && high <= 1.0);
        }
    }
}
