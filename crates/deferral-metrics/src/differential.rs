//! How many times likelier an outcome is in one group than in another, as a logarithm: differential fairness and
//! differential equalised odds. Any number of classes and groups.
//!
//! For group s and class k, with alpha spread over the K classes so that no rate is 0:
//!
//! | measure | rate | epsilon |
//! |---|---|---|
//! | differential fairness (Foulds, Islam, Keya and Pan 2020) | `theta = (N_sk + alpha/K) / (N_s + alpha)` | largest difference of `ln theta` between two groups, over k |
//! | differential equalised odds (Aguirre and Dredze 2023) | TPR: the same among the cases of class k; FPR: among those of other classes | the largest difference of `ln TPR` plus that of `ln FPR` |
//!
//! 0 is equality; `ln 1.25 = .2231` is the rule that no rate is below 80 % of another.

use deferral_core::{GroupAttribute, Label, ParameterError, Stream};
use serde::{Deserialize, Serialize};

use crate::bootstrap::{Bootstrap, Bootstrapped, Resampling};
use crate::error::{MetricError, check_groups, check_label, check_length};
use crate::estimate::Measured;

/// Weighted counts of what was decided, by group and true class: hard from labels, soft from probabilities.
///
/// ```
/// use deferral_metrics::OutcomeTable;
/// let mut table = OutcomeTable::new(2, 2);
/// // In group 0, four of five cases of class 1 are decided so; in group 1, two of five.
/// for (group, right) in [(0, 4.0), (1, 2.0)] {
///     table.add(group, 1, &[0.0, 1.0], right);
///     table.add(group, 1, &[1.0, 0.0], 5.0 - right);
/// }
/// let gap = table.true_positive(0.1).unwrap();
/// assert_eq!((gap.class, gap.high, gap.low), (1, 0, 1));
/// assert!((gap.log_ratio - (4.05f64 / 2.05).ln()).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutcomeTable {
    groups: usize,
    classes: usize,
    /// Cases by group and true class.
    totals: Vec<f64>,
    /// Those of them that were decided for each class, the decided class running fastest.
    counts: Vec<f64>,
}

/// The two groups between which the rate of one class differs most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LogGap {
    /// The class, the first on ties.
    pub class: usize,
    /// The group with the higher rate, the first on ties.
    pub high: usize,
    /// The group with the lower rate, the first on ties.
    pub low: usize,
    /// `ln rate_high - ln rate_low`, 0 or more.
    pub log_ratio: f64,
    /// The smoothed counts behind the two rates.
    counts: (f64, f64),
}

impl LogGap {
    /// The slope of [`LogGap::log_ratio`] in the count of the class in `group`: 0 in any group but the two.
    pub fn slope(&self, group: usize) -> f64 {
        let of = |which: usize, count: f64| if which == group { 1.0 / count } else { 0.0 };
        of(self.high, self.counts.0) - of(self.low, self.counts.1)
    }
}

impl OutcomeTable {
    /// An empty table for G groups and K classes.
    pub fn new(groups: usize, classes: usize) -> Self {
        Self { groups, classes, totals: vec![0.0; groups * classes], counts: vec![0.0; groups * classes * classes] }
    }

    /// Counts one case `weight` times: its group, its true class and the K probabilities of what is decided. O(K).
    ///
    /// # Panics
    /// If the group or class lies outside.
    pub fn add(&mut self, group: usize, truth: usize, probabilities: &[f64], weight: f64) {
        let cell = group * self.classes + truth;
        self.totals[cell] += weight;
        let counts = &mut self.counts[cell * self.classes..(cell + 1) * self.classes];
        for (count, p) in counts.iter_mut().zip(probabilities) {
            *count += weight * p;
        }
    }

    /// Counts one case with a decided label.
    ///
    /// # Panics
    /// If the group or a class lies outside.
    pub fn add_label(&mut self, group: usize, truth: usize, decided: usize) {
        let cell = group * self.classes + truth;
        self.totals[cell] += 1.0;
        self.counts[cell * self.classes + decided] += 1.0;
    }

    /// Multiplies every count by `share`.
    pub fn scale(&mut self, share: f64) {
        for count in self.totals.iter_mut().chain(&mut self.counts) {
            *count *= share;
        }
    }

    /// The weight of the cases of a group and true class.
    ///
    /// # Panics
    /// If the group or class lies outside.
    pub fn total(&self, group: usize, truth: usize) -> f64 {
        self.totals[group * self.classes + truth]
    }

    /// The weight of those of them that were decided for a class.
    ///
    /// # Panics
    /// If the group or a class lies outside.
    pub fn count(&self, group: usize, truth: usize, decided: usize) -> f64 {
        self.counts[(group * self.classes + truth) * self.classes + decided]
    }

    /// The widest gap between two groups in how often each class is decided, whatever the truth. `None` if fewer than
    /// two groups have a case. `smoothing` is alpha, above 0. O(G K^2).
    pub fn parity(&self, smoothing: f64) -> Option<LogGap> {
        self.widest(smoothing, |_, _| true)
    }

    /// The widest gap in how often a class is decided where it is true. A group without such a case has no rate and is
    /// not compared; `None` if there is nothing to compare. O(G K^2).
    pub fn true_positive(&self, smoothing: f64) -> Option<LogGap> {
        self.widest(smoothing, |truth, class| truth == class)
    }

    /// The widest gap in how often a class is decided where another is true, in the same way. O(G K^2).
    pub fn false_positive(&self, smoothing: f64) -> Option<LogGap> {
        self.widest(smoothing, |truth, class| truth != class)
    }

    /// The widest gap over all classes in the rate among the cases whose true class `counts` for a class.
    fn widest(&self, smoothing: f64, counts: impl Fn(usize, usize) -> bool) -> Option<LogGap> {
        let gaps = (0..self.classes).filter_map(|class| {
            let rates = (0..self.groups).filter_map(|group| self.rate(group, class, smoothing, &counts));
            gap_between(class, rates)
        });
        gaps.reduce(|widest, next| if next.log_ratio > widest.log_ratio { next } else { widest })
    }

    /// The smoothed rate of a class in a group, `None` without a case.
    fn rate(&self, group: usize, class: usize, alpha: f64, counts: impl Fn(usize, usize) -> bool) -> Option<Rate> {
        let truths = (0..self.classes).filter(|&truth| counts(truth, class));
        let sums = |(count, total), truth| (count + self.count(group, truth, class), total + self.total(group, truth));
        let (count, total) = truths.fold((0.0, 0.0), sums);
        let count = count + alpha / self.classes as f64;
        (total > 0.0).then(|| Rate { group, count, log: (count / (total + alpha)).ln() })
    }
}

/// The smoothed rate of a class in one group.
#[derive(Clone, Copy)]
struct Rate {
    group: usize,
    /// Its numerator.
    count: f64,
    log: f64,
}

/// The gap between the highest and the lowest rate, if two groups have one.
fn gap_between(class: usize, mut rates: impl Iterator<Item = Rate>) -> Option<LogGap> {
    let first = rates.next()?;
    let (mut high, mut low, mut several) = (first, first, false);
    for next in rates {
        several = true;
        if next.log > high.log {
            high = next;
        }
        if next.log < low.log {
            low = next;
        }
    }
    let (log_ratio, counts) = (high.log - low.log, (high.count, low.count));
    several.then_some(LogGap { class, high: high.group, low: low.group, log_ratio, counts })
}

/// The smoothing alpha of [`Differential::parity`] in the code of Foulds and others (2020): 1.
pub const PARITY_SMOOTHING: f64 = 1.0;
/// The smoothing alpha of [`Differential::odds`] in the published multi-class code: .1.
pub const ODDS_SMOOTHING: f64 = 0.1;

/// Decided labels beside the truth and the groups, ready to be compared between groups. O(n + G K^2) a measure.
///
/// A group without a case of the kind that a rate is about has no rate and is not compared. A class that is never decided
/// has nothing but the smoothing in its rate, which is then smaller in larger groups: a classifier that decides the same
/// for everybody is not measured as fair unless the groups are of one size.
///
/// ```
/// use deferral_core::{GroupAttribute, Label};
/// use deferral_metrics::{Differential, ODDS_SMOOTHING, PARITY_SMOOTHING};
/// let gender = GroupAttribute::from_values("gender", ["f", "f", "f", "f", "m", "m", "m", "m"]);
/// let truth = [1, 1, 0, 0, 1, 1, 0, 0].map(|y| Some(Label(y)));
/// let decided = [1, 1, 1, 0, 1, 1, 0, 1].map(Label);
/// let measured = Differential::new(&decided, &truth, 2, &gender)?;
/// assert_eq!(measured.parity(PARITY_SMOOTHING)?.to_string(), "0.0000");
/// assert_eq!(measured.odds(ODDS_SMOOTHING)?.epsilon.to_string(), "0.0000");
/// # Ok::<(), deferral_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Differential<'a> {
    attribute: &'a GroupAttribute,
    classes: usize,
    decided: Vec<Option<Label>>,
    truth: Vec<Option<Label>>,
}

/// Differential equalised odds and its two parts. n counts the judged cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DifferentialOdds {
    /// The largest difference of `ln TPR`.
    pub true_positive: Measured,
    /// The largest difference of `ln FPR`.
    pub false_positive: Measured,
    /// Their sum, epsilon; undefined if one of them is.
    pub epsilon: Measured,
}

impl<'a> Differential<'a> {
    /// Decided labels, one or an optional one a case, out of `classes`. Cases without a decision are left out
    /// everywhere, those without a truth from what needs it.
    ///
    /// # Errors
    /// If the lists differ in length, a label lies outside the classes, or a group has no name.
    pub fn new<P: Copy + Into<Option<Label>>>(
        decided: &[P],
        truth: &[Option<Label>],
        classes: usize,
        attribute: &'a GroupAttribute,
    ) -> Result<Self, MetricError> {
        check_length("the predicted labels", decided.len(), truth.len())?;
        check_groups(attribute, truth.len())?;
        let decided: Vec<Option<Label>> = decided.iter().map(|&label| label.into()).collect();
        for (what, labels) in [("the predicted label", &decided[..]), ("the true label", truth)] {
            for (case, label) in labels.iter().enumerate() {
                label.map_or(Ok(()), |label| check_label(what, case, label, classes))?;
            }
        }
        Ok(Self { attribute, classes, decided, truth: truth.to_vec() })
    }

    /// Differential fairness, epsilon: in what is decided, whatever the truth.
    ///
    /// # Errors
    /// If the smoothing is not a finite number above 0.
    pub fn parity(&self, smoothing: f64) -> Result<Measured, MetricError> {
        check_smoothing(smoothing)?;
        let mut table = OutcomeTable::new(self.attribute.len(), self.classes);
        for (case, label) in self.decided.iter().enumerate() {
            if let Some(label) = label {
                // The true class does not matter here; any will do.
                self.count(&mut table, case, *label, *label);
            }
        }
        let n = self.decided.iter().flatten().count();
        Ok(table.parity(smoothing).map_or(Measured::Undefined, |gap| Measured::new(gap.log_ratio, n)))
    }

    /// Differential equalised odds, epsilon.
    ///
    /// # Errors
    /// If the smoothing is not a finite number above 0.
    pub fn odds(&self, smoothing: f64) -> Result<DifferentialOdds, MetricError> {
        check_smoothing(smoothing)?;
        let table = self.table(0..self.truth.len());
        let n = self.decided.iter().zip(&self.truth).filter(|(d, y)| d.is_some() && y.is_some()).count();
        let part = |gap: Option<LogGap>| gap.map_or(Measured::Undefined, |gap| Measured::new(gap.log_ratio, n));
        Ok(DifferentialOdds {
            true_positive: part(table.true_positive(smoothing)),
            false_positive: part(table.false_positive(smoothing)),
            epsilon: odds_of(&table, smoothing).map_or(Measured::Undefined, |epsilon| Measured::new(epsilon, n)),
        })
    }

    /// Differential equalised odds with a bootstrap interval. Being a maximum, its resamples lie too high when the
    /// groups are in truth equal.
    ///
    /// # Errors
    /// If the smoothing is not a finite number above 0, and as [`Bootstrap::measure`].
    pub fn bootstrap_odds(
        &self,
        smoothing: f64,
        bootstrap: &Bootstrap,
        resampling: Resampling<'_>,
        stream: &Stream,
    ) -> Result<Bootstrapped, MetricError> {
        check_smoothing(smoothing)?;
        bootstrap.measure(self.truth.len(), resampling, stream, |cases| {
            odds_of(&self.table(cases.iter().copied()), smoothing)
        })
    }

    /// The judged ones of `cases`, each counted as often as it is named.
    fn table(&self, cases: impl Iterator<Item = usize>) -> OutcomeTable {
        let mut table = OutcomeTable::new(self.attribute.len(), self.classes);
        for case in cases {
            if let (Some(decided), Some(truth)) = (self.decided[case], self.truth[case]) {
                self.count(&mut table, case, truth, decided);
            }
        }
        table
    }

    fn count(&self, table: &mut OutcomeTable, case: usize, truth: Label, decided: Label) {
        table.add_label(self.attribute.of_case[case].index(), truth.index(), decided.index());
    }
}

/// The sum of both gaps, if there are both.
fn odds_of(table: &OutcomeTable, smoothing: f64) -> Option<f64> {
    Some(table.true_positive(smoothing)?.log_ratio + table.false_positive(smoothing)?.log_ratio)
}

fn check_smoothing(alpha: f64) -> Result<(), ParameterError> {
    ParameterError::check(alpha.is_finite() && alpha > 0.0, "the smoothing", alpha, "a finite number above 0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `count` cases of a group with a truth and a decision each.
    type Cell = (&'static str, u16, u16, usize);

    fn cases(cells: &[Cell]) -> (Vec<Label>, Vec<Option<Label>>, GroupAttribute) {
        let all = || cells.iter().flat_map(|cell| std::iter::repeat_n(cell, cell.3));
        let group = GroupAttribute::from_values("g", all().map(|cell| cell.0));
        (all().map(|cell| Label(cell.2)).collect(), all().map(|cell| Some(Label(cell.1))).collect(), group)
    }

    fn near(found: Measured, expected: f64) -> bool {
        (found.value().unwrap() - expected).abs() < 1e-6
    }

    #[test]
    fn the_example_of_differential_fairness() {
        let (decided, truth, group) = cases(&[("a", 1, 1, 8), ("a", 1, 0, 2), ("b", 1, 1, 3), ("b", 0, 0, 7)]);
        let measured = Differential::new(&decided, &truth, 2, &group).unwrap();
        assert!(near(measured.parity(1.0).unwrap(), 1.098_612));
        let mut table = OutcomeTable::new(2, 2);
        for (group, ones) in [(0, 8), (1, 3)] {
            for case in 0..10 {
                table.add_label(group, 0, usize::from(case < ones));
            }
        }
        let thetas: Vec<f64> = [0, 1].map(|group| table.rate(group, 1, 1.0, |_, _| true).unwrap().log.exp()).to_vec();
        assert!((thetas[0] - 0.772_727).abs() < 1e-6 && (thetas[1] - 0.318_182).abs() < 1e-6, "{thetas:?}");
    }

    #[test]
    fn the_example_of_differential_equalised_odds() {
        let (decided, truth, group) = cases(&[
            ("0", 1, 1, 4),
            ("0", 1, 0, 1),
            ("0", 0, 0, 5),
            ("1", 1, 1, 2),
            ("1", 1, 0, 3),
            ("1", 0, 0, 4),
            ("1", 0, 1, 1),
        ]);
        let odds = Differential::new(&decided, &truth, 2, &group).unwrap().odds(ODDS_SMOOTHING).unwrap();
        assert!(near(odds.true_positive, 0.680_877), "{odds:?}");
        assert!(near(odds.false_positive, 3.044_522), "{odds:?}");
        assert!(near(odds.epsilon, 3.725_400), "{odds:?}");
        assert_eq!(odds.epsilon.n(), 20);
    }

    #[test]
    fn three_groups_and_classes_take_the_widest_pair() {
        let mut table = OutcomeTable::new(3, 3);
        for (group, right) in [(0, 6.0), (1, 9.0), (2, 3.0)] {
            table.add(group, 2, &[0.0, 0.0, 1.0], right);
            table.add(group, 2, &[1.0, 0.0, 0.0], 10.0 - right);
        }
        let gap = table.true_positive(0.3).unwrap();
        assert_eq!((gap.class, gap.high, gap.low), (2, 1, 2));
        assert!((gap.log_ratio - (9.1f64 / 3.1).ln()).abs() < 1e-12);
        assert_eq!((gap.slope(0), gap.slope(1), gap.slope(2)), (0.0, 1.0 / 9.1, -1.0 / 3.1));
        // Class 0 is decided 7.1 times against 1.1, class 1 never.
        let gap = table.false_positive(0.3).unwrap();
        assert_eq!((gap.class, gap.high, gap.low), (0, 2, 1));
        assert!((gap.log_ratio - (7.1f64 / 1.1).ln()).abs() < 1e-12);
    }

    #[test]
    fn a_group_without_such_a_case_is_not_compared() {
        let (decided, truth, group) = cases(&[("a", 1, 1, 4), ("b", 0, 1, 4)]);
        let measured = Differential::new(&decided, &truth, 2, &group).unwrap();
        assert_eq!(measured.odds(0.1).unwrap().epsilon, Measured::Undefined);
        assert_eq!(measured.parity(1.0).unwrap().value(), Some(0.0));
        let one = GroupAttribute::from_values("g", ["a"; 8]);
        let alone = Differential::new(&decided, &truth, 2, &one).unwrap();
        assert_eq!(alone.parity(1.0).unwrap(), Measured::Undefined);
        let nobody = GroupAttribute::from_values("g", [""; 0]);
        let none = Differential::new::<Label>(&[], &[], 2, &nobody).unwrap();
        assert_eq!(none.odds(0.1).unwrap().true_positive, Measured::Undefined);
    }

    #[test]
    fn what_is_unknown_is_left_out() {
        let group = GroupAttribute::from_values("g", ["a", "b", "a", "b", "a", "b"]);
        let truth = [Some(1), Some(1), Some(0), Some(0), None, Some(1)].map(|y| y.map(Label));
        let decided = [Some(1), Some(1), Some(0), Some(0), Some(1), None].map(|y| y.map(Label));
        let measured = Differential::new(&decided, &truth, 2, &group).unwrap();
        assert_eq!((measured.odds(0.1).unwrap().epsilon.n(), measured.parity(1.0).unwrap().n()), (4, 5));
        assert_eq!(measured.odds(0.1).unwrap().epsilon.value(), Some(0.0));
    }

    #[test]
    fn the_bootstrap_interval_holds_the_measure() {
        let (decided, truth, group) = cases(&[
            ("a", 1, 1, 40),
            ("a", 1, 0, 10),
            ("a", 0, 0, 40),
            ("a", 0, 1, 10),
            ("b", 1, 1, 25),
            ("b", 1, 0, 25),
            ("b", 0, 0, 45),
            ("b", 0, 1, 5),
        ]);
        let measured = Differential::new(&decided, &truth, 2, &group).unwrap();
        let bootstrap = Bootstrap { resamples: 200, level: 0.95 };
        let result = measured.bootstrap_odds(0.1, &bootstrap, Resampling::Plain, &Stream::new(1)).unwrap();
        let (low, high) = result.measured.interval().unwrap();
        let epsilon = measured.odds(0.1).unwrap().epsilon.value().unwrap();
        assert!(low < epsilon && epsilon < high && low > 0.5, "{low} {epsilon} {high}");
    }

    #[test]
    fn misuse_is_named() {
        let group = GroupAttribute::from_values("g", ["a", "b"]);
        let truth = [Some(Label(0)), Some(Label(1))];
        let message = Differential::new(&[Label(3), Label(0)], &truth, 3, &group).unwrap_err().to_string();
        assert_eq!(message, "the predicted label of case 0 is 3, but there are only 3 classes, 0 to 2");
        assert!(Differential::new(&[Label(0); 3], &truth, 2, &group).is_err());
        assert!(Differential::new(&[Label(0); 2], &[Some(Label(2)); 2], 2, &group).is_err());
        let measured = Differential::new(&[Label(0); 2], &truth, 2, &group).unwrap();
        let message = measured.odds(0.0).unwrap_err().to_string();
        assert_eq!(message, "the smoothing is 0, but must be a finite number above 0");
        assert!(measured.parity(f64::NAN).is_err());
    }

    proptest! {
        #[test]
        fn epsilon_does_not_know_the_order_of_groups(
            cases in prop::collection::vec((0u16..3, 0u16..3, 0usize..3), 1..60),
        ) {
            let truth: Vec<_> = cases.iter().map(|c| Some(Label(c.0))).collect();
            let decided: Vec<Label> = cases.iter().map(|c| Label(c.1)).collect();
            let group = GroupAttribute::from_values("g", cases.iter().map(|c| c.2.to_string()));
            let turned = GroupAttribute {
                of_case: group.of_case.iter().map(|g| deferral_core::GroupId(group.len() as u32 - 1 - g.0)).collect(),
                ..group.clone()
            };
            let of = |group: &GroupAttribute| {
                let measured = Differential::new(&decided, &truth, 3, group).unwrap();
                let (odds, parity) = (measured.odds(0.1).unwrap(), measured.parity(1.0).unwrap());
                (odds.true_positive, odds.false_positive, parity)
            };
            prop_assert_eq!(of(&group), of(&turned));
            let (odds, _, parity) = of(&group);
            prop_assert!([odds, parity].iter().all(|m| m.value().is_none_or(|epsilon| epsilon >= 0.0)));
        }
    }
}
