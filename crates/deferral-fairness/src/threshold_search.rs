//! The search for thresholds by group that weigh errors, differences between groups and deferrals.

use deferral_core::{GroupAttribute, Label, ParameterError, Random, Stream};
use rand::seq::{IndexedRandom, SliceRandom};
use serde::{Deserialize, Serialize};

/// Whether there is a region between two thresholds in which the model does not know, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdIdk {
    /// There is none: one threshold a group.
    #[default]
    Never,
    /// Each case in it costs `cost`, and nothing else is known about it while searching.
    Reject {
        /// gamma: what a case costs, in shares of an error; below 0 it is welcome.
        cost: f64,
    },
    /// Each case in it costs `cost` and the error of the expert.
    Defer {
        /// gamma: what a case costs beside the expert's error, in shares of an error; below 0 it is welcome.
        cost: f64,
    },
}

impl ThresholdIdk {
    fn cost(self) -> f64 {
        match self {
            Self::Never => 0.0,
            Self::Reject { cost } | Self::Defer { cost } => cost,
        }
    }
}

/// How thresholds are searched for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThresholdSearch {
    /// Combinations of thresholds that are drawn beside the defaults; 1,000 by default.
    pub draws: usize,
    /// What disparate impact costs, in shares of an error, alpha; 1 by default.
    pub disparity: f64,
    /// Whether there is a region in which the model does not know; none by default.
    pub idk: ThresholdIdk,
    /// Whether each group has its own thresholds, which needs the group when a case is decided; `true` by default.
    pub per_group: bool,
    /// Share of the cases that is not searched on but reported on, from 0 up to but not including 1; .5 by default.
    pub report: f64,
}

impl Default for ThresholdSearch {
    fn default() -> Self {
        Self { draws: 1000, disparity: 1.0, idk: ThresholdIdk::Never, per_group: true, report: 0.5 }
    }
}

/// The thresholds of a group: class 0 up to `low`, class 1 from `high`, strictly between them the model does not know.
/// Where both are equal, class 1 is what lies above.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct IdkRange {
    /// t0.
    pub low: f64,
    /// t1, not below t0.
    pub high: f64,
}

impl Default for IdkRange {
    fn default() -> Self {
        Self { low: 0.5, high: 0.5 }
    }
}

impl IdkRange {
    /// The score above which the class is 1: a half, or the threshold where there is only one.
    pub(crate) fn boundary(self) -> f64 {
        0.5_f64.max(self.low).min(self.high)
    }

    /// Whether the model does not know.
    pub(crate) fn holds(self, score: f64) -> bool {
        self.low < score && score < self.high
    }

    pub(crate) fn class(self, score: f64) -> Label {
        Label(u16::from(score > self.boundary()))
    }
}

/// What thresholds cost on some cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ThresholdLoss {
    /// error + alpha disparity + gamma idk.
    pub loss: f64,
    /// Wrong decisions, as a share of all cases.
    pub error: f64,
    /// Disparate impact, as [`deferral_metrics::ErrorRates::disparate_impact`]; a rate that fewer than two groups have
    /// counts as equal.
    pub disparity: f64,
    /// Share of the cases of which the model says that it does not know.
    pub idk: f64,
    /// Number of cases.
    pub n: usize,
}

/// What the search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundThresholds {
    /// The thresholds of each group, in the order of the attribute's values; the default for a group without a case to
    /// search on.
    pub ranges: Vec<IdkRange>,
    /// What they cost on the cases searched on.
    pub searched: ThresholdLoss,
    /// What the default, a half for everybody, costs there: never less.
    pub default: ThresholdLoss,
    /// What they cost on the cases reported on, experts counted; `None` if there are none.
    pub reported: Option<ThresholdLoss>,
}

/// Draws thresholds and keeps those with the least error + alpha disparate impact + gamma share of cases deferred, on a
/// random part of the cases; the others tell what they are worth (Madras, Pitassi and Zemel 2018, appendix on post-hoc
/// thresholds).
///
/// `scores` are probabilities of class 1, `experts` what the expert said of each case, where one did; in the region in
/// which the model does not know an expert's silence leaves the case to the model. A single threshold is drawn from all
/// scores searched on; two are drawn from those below and above a half, a half where there are none. Groups may be any
/// number: every draw draws for each. The defaults are among the candidates, so the search never does worse than they on
/// the cases it sees. O(draws n).
///
/// A learner searches on held-out cases, see [`GroupThresholds`](crate::GroupThresholds). The published figures searched
/// on half of the *test* cases and report on the other half; to reproduce them give this function the test cases.
///
/// ```
/// use deferral_core::{GroupAttribute, Label, Stream};
/// use deferral_fairness::{ThresholdSearch, search_thresholds};
/// // The scores of group b are too low.
/// let group = GroupAttribute::from_values("g", ["a", "a", "a", "a", "b", "b", "b", "b"]);
/// let truth = [0, 0, 1, 1, 0, 0, 1, 1].map(Label);
/// let scores = [0.2, 0.4, 0.6, 0.9, 0.1, 0.2, 0.4, 0.45];
/// let search = ThresholdSearch { report: 0.0, ..ThresholdSearch::default() };
/// let found = search_thresholds(&scores, &truth, &group, &[None; 8], &search, &Stream::new(1))?;
/// assert_eq!((found.default.error, found.searched.error), (0.25, 0.0));
/// assert_eq!(found.ranges[1].low, 0.2);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
///
/// # Errors
/// If the lists are not about the same cases, there is none, a score is not a probability, a label is not 0 or 1, or a
/// setting is out of range.
pub fn search_thresholds(
    scores: &[f64],
    truth: &[Label],
    group: &GroupAttribute,
    experts: &[Option<Label>],
    search: &ThresholdSearch,
    stream: &Stream,
) -> Result<FoundThresholds, ParameterError> {
    search.check()?;
    let cases = gather(scores, truth, group, experts)?;
    let (seen, unseen) = divide(cases, search.report, &stream.child("halves"))?;
    let with_experts = matches!(search.idk, ThresholdIdk::Defer { .. });
    let cost = |ranges: &[IdkRange]| search.measure(&seen, ranges, with_experts);
    let mut best = vec![IdkRange::default(); group.len()];
    let default = cost(&best);
    let mut searched = default;
    let (pools, draws) = (Pools::of(&seen), stream.child("draws"));
    for draw in 0..search.draws {
        let ranges = search.draw(&pools, group.len(), &mut draws.at(draw));
        let loss = cost(&ranges);
        if loss.loss < searched.loss {
            (best, searched) = (ranges, loss);
        }
    }
    if search.per_group {
        for (at, range) in best.iter_mut().enumerate() {
            if seen.iter().all(|case| case.group != at) {
                *range = IdkRange::default();
            }
        }
    }
    let reported = (!unseen.is_empty()).then(|| search.measure(&unseen, &best, true));
    Ok(FoundThresholds { ranges: best, searched, default, reported })
}

struct Scored {
    score: f64,
    truth: Label,
    group: usize,
    expert: Option<Label>,
}

fn gather(
    scores: &[f64],
    truth: &[Label],
    group: &GroupAttribute,
    experts: &[Option<Label>],
) -> Result<Vec<Scored>, ParameterError> {
    let n = scores.len();
    for (what, found) in [
        ("the number of true labels", truth.len()),
        ("the number of cases with a group", group.of_case.len()),
        ("the number of cases for the expert", experts.len()),
    ] {
        ParameterError::check(found == n, what, found, &format!("the number of scores, {n}"))?;
    }
    let case = |case: usize| {
        let (score, expert, own) = (scores[case], experts[case], group.of_case[case].index());
        ParameterError::check((0.0..=1.0).contains(&score), "a score", score, "a probability, from 0 to 1")?;
        for label in [Some(truth[case]), expert].into_iter().flatten() {
            ParameterError::check(label.0 < 2, "a label", label.0, "0 or 1: thresholds are for two classes")?;
        }
        let expected = format!("below the number of values of {}, {}", group.name, group.len());
        ParameterError::check(own < group.len(), "a group", own, &expected)?;
        Ok(Scored { score, truth: truth[case], group: own, expert })
    };
    (0..n).map(case).collect()
}

/// Cases to search on and cases to report on.
fn divide(mut cases: Vec<Scored>, report: f64, stream: &Stream) -> Result<(Vec<Scored>, Vec<Scored>), ParameterError> {
    let n = cases.len();
    cases.shuffle(&mut stream.random());
    let unseen = cases.split_off(n - (n as f64 * report).floor() as usize);
    ParameterError::check(!cases.is_empty(), "the number of cases to search on", 0, "1 or more")?;
    Ok((cases, unseen))
}

/// The scores that thresholds are drawn from.
struct Pools {
    all: Vec<f64>,
    below: Vec<f64>,
    above: Vec<f64>,
}

impl Pools {
    fn of(cases: &[Scored]) -> Self {
        let which = |wanted: fn(f64) -> bool| cases.iter().map(|case| case.score).filter(|&s| wanted(s)).collect();
        Self { all: which(|_| true), below: which(|score| score < 0.5), above: which(|score| score > 0.5) }
    }
}

/// The errors of one group.
#[derive(Clone, Copy, Default)]
struct Cell {
    /// Wrong and all, of the cases with y = 0 and those with y = 1.
    by_truth: [(usize, usize); 2],
}

impl ThresholdSearch {
    fn check(&self) -> Result<(), ParameterError> {
        let finite = |parameter: &str, value: f64, ok: bool, expected: &str| {
            ParameterError::check(value.is_finite() && ok, parameter, value, expected)
        };
        finite("the cost of disparity", self.disparity, self.disparity >= 0.0, "a finite number, 0 or more")?;
        finite("the cost of not knowing", self.idk.cost(), true, "a finite number")?;
        let share = (0.0..1.0).contains(&self.report);
        finite("the share of cases to report on", self.report, share, "0 or more and below 1")
    }

    /// Thresholds for each group, or the same for all.
    fn draw(&self, pools: &Pools, groups: usize, random: &mut Random) -> Vec<IdkRange> {
        let mut draw = |pool: &[f64]| pool.choose(random).copied().unwrap_or(0.5);
        let mut range = || match self.idk {
            ThresholdIdk::Never => {
                let threshold = draw(&pools.all);
                IdkRange { low: threshold, high: threshold }
            }
            ThresholdIdk::Reject { .. } | ThresholdIdk::Defer { .. } => {
                IdkRange { low: draw(&pools.below), high: draw(&pools.above) }
            }
        };
        if self.per_group { (0..groups).map(|_| range()).collect() } else { vec![range(); groups] }
    }

    /// What thresholds cost on these cases. Without experts nothing is decided about the cases that the model does not
    /// know.
    fn measure(&self, cases: &[Scored], ranges: &[IdkRange], with_experts: bool) -> ThresholdLoss {
        let mut cells = vec![Cell::default(); ranges.len()];
        let mut undecided = 0_usize;
        for case in cases {
            let range = ranges[case.group];
            let unknown = range.holds(case.score);
            undecided += usize::from(unknown);
            if unknown && !with_experts {
                continue;
            }
            let own = range.class(case.score);
            let decided = if unknown { case.expert.unwrap_or(own) } else { own };
            let (wrong, all) = &mut cells[case.group].by_truth[case.truth.index()];
            *wrong += usize::from(decided != case.truth);
            *all += 1;
        }
        let n = cases.len();
        let share = |count: usize| count as f64 / n.max(1) as f64;
        let wrong = cells.iter().flat_map(|cell| cell.by_truth).map(|(wrong, _)| wrong).sum();
        let (error, disparity, idk) = (share(wrong), disparate_impact(&cells), share(undecided));
        ThresholdLoss { loss: error + self.disparity * disparity + self.idk.cost() * idk, error, disparity, idk, n }
    }
}

fn disparate_impact(cells: &[Cell]) -> f64 {
    let spread = |truth: usize| {
        let rates = cells.iter().map(|cell| cell.by_truth[truth]).filter(|(_, all)| *all > 0);
        let rates = rates.map(|(wrong, all)| wrong as f64 / all as f64);
        let (low, high) = rates.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), rate| (l.min(rate), h.max(rate)));
        if low < high { high - low } else { 0.0 }
    };
    f64::midpoint(spread(0), spread(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_metrics::ErrorRates;
    use proptest::prelude::*;

    /// The example of disparate impact: y = 00001111, A = 00110011; the expert errs on case 1 only.
    fn example() -> (Vec<f64>, Vec<Label>, GroupAttribute, Vec<Option<Label>>) {
        let truth = [0, 0, 0, 0, 1, 1, 1, 1].map(Label);
        let mut experts = truth.map(Some);
        experts[1] = Some(Label(1));
        let group = GroupAttribute::from_values("A", ["0", "0", "1", "1", "0", "0", "1", "1"]);
        (vec![0.2, 0.6, 0.7, 0.9, 0.9, 0.3, 0.8, 0.4], truth.to_vec(), group, experts.to_vec())
    }

    #[test]
    fn losses_by_hand() {
        let (scores, truth, group, experts) = example();
        let cases = gather(&scores, &truth, &group, &experts).unwrap();
        let loss = |idk, with_experts, ranges: &[IdkRange]| {
            let search = ThresholdSearch { disparity: 1.0, idk, ..ThresholdSearch::default() };
            search.measure(&cases, ranges, with_experts)
        };
        let same = loss(ThresholdIdk::Never, false, &[IdkRange::default(); 2]);
        assert_eq!((same.error, same.disparity, same.idk, same.loss), (0.625, 0.25, 0.0, 0.875));
        // Group 0 does not know about .6, where the expert errs, and .3, where not.
        let ranges = [IdkRange { low: 0.2, high: 0.65 }, IdkRange::default()];
        let deferred = loss(ThresholdIdk::Defer { cost: 0.1 }, true, &ranges);
        assert_eq!((deferred.error, deferred.disparity, deferred.idk), (0.5, 0.5, 0.25));
        assert!((deferred.loss - 1.025).abs() < 1e-12);
        let rejected = loss(ThresholdIdk::Reject { cost: 0.1 }, false, &ranges);
        assert_eq!((rejected.error, rejected.disparity, rejected.idk), (0.375, 0.75, 0.25));
        assert!((rejected.loss - 1.15).abs() < 1e-12);
    }

    #[test]
    fn a_useful_region_is_found_only_by_who_knows_the_expert() {
        // The scores say nothing near a half; the expert is always right.
        let n = 200;
        let truth: Vec<Label> = (0..n).map(|i| Label(u16::from(i % 2 == 0))).collect();
        let scores: Vec<f64> =
            (0..n).map(|i| if i < 100 { 0.4 + 0.002 * i as f64 } else { f64::from(truth[i].0) }).collect();
        let group = GroupAttribute::from_values("g", (0..n).map(|i| if i % 4 < 2 { "a" } else { "b" }));
        let experts: Vec<_> = truth.iter().map(|&label| Some(label)).collect();
        let run = |idk| {
            let search = ThresholdSearch { idk, report: 0.0, disparity: 0.0, ..ThresholdSearch::default() };
            search_thresholds(&scores, &truth, &group, &experts, &search, &Stream::new(1)).unwrap()
        };
        let (defer, reject) = (run(ThresholdIdk::Defer { cost: 0.2 }), run(ThresholdIdk::Reject { cost: 0.7 }));
        assert!(defer.searched.error < 0.02 && defer.searched.idk > 0.4, "{defer:?}");
        // Not knowing costs more than the errors it saves.
        assert!(reject.searched.idk < 0.1, "{reject:?}");
        assert_eq!(run(ThresholdIdk::Never).searched.idk, 0.0);
    }

    #[test]
    fn an_empty_side_is_a_half_and_an_empty_group_the_default() {
        let mut group = GroupAttribute::from_values("g", ["a", "a", "a"]);
        group.values.intern("b");
        let search =
            ThresholdSearch { idk: ThresholdIdk::Defer { cost: -1.0 }, report: 0.0, ..ThresholdSearch::default() };
        let truth = [Label(1); 3];
        let found = search_thresholds(&[0.6, 0.7, 0.8], &truth, &group, &[Some(Label(1)); 3], &search, &Stream::new(1))
            .unwrap();
        assert_eq!(found.ranges, [IdkRange { low: 0.5, high: 0.8 }, IdkRange::default()]);
    }

    #[test]
    fn misuse_is_named() {
        let (scores, truth, group, experts) = example();
        let search = ThresholdSearch::default();
        let run = |scores: &[f64], truth: &[Label], search: &ThresholdSearch| {
            search_thresholds(scores, truth, &group, &experts, search, &Stream::new(1)).unwrap_err().to_string()
        };
        let message = run(&scores, &truth[1..], &search);
        assert_eq!(message, "the number of true labels is 7, but must be the number of scores, 8");
        assert!(run(&[f64::NAN; 8], &truth, &search).contains("a score is NaN, but must be a probability"));
        assert!(run(&scores, &[Label(2); 8], &search).contains("a label is 2, but must be 0 or 1"));
        let at = |search| run(&scores, &truth, &search);
        assert!(at(ThresholdSearch { disparity: -1.0, ..search }).contains("the cost of disparity is -1"));
        assert!(at(ThresholdSearch { report: 1.0, ..search }).contains("the share of cases to report on is 1"));
        assert!(
            at(ThresholdSearch { idk: ThresholdIdk::Defer { cost: f64::INFINITY }, ..search })
                .contains("not knowing is inf")
        );
        let none = GroupAttribute::from_values::<&str>("g", []);
        let empty = search_thresholds(&[], &[], &none, &[], &search, &Stream::new(1)).unwrap_err().to_string();
        assert_eq!(empty, "the number of cases to search on is 0, but must be 1 or more");
    }

    proptest! {
        #[test]
        fn the_search_never_does_worse_than_the_default(
            cases in prop::collection::vec((0.0f64..=1.0, 0u16..2, 0usize..3, prop::option::of(0u16..2)), 2..40),
            which in 0usize..3, cost in -0.2f64..0.5, disparity in 0.0f64..2.0, per_group in any::<bool>(), seed in 0u64..9,
        ) {
            let scores: Vec<f64> = cases.iter().map(|c| c.0).collect();
            let truth: Vec<Label> = cases.iter().map(|c| Label(c.1)).collect();
            let group = GroupAttribute::from_values("g", cases.iter().map(|c| c.2.to_string()));
            let experts: Vec<_> = cases.iter().map(|c| c.3.map(Label)).collect();
            let idk = [ThresholdIdk::Never, ThresholdIdk::Reject { cost }, ThresholdIdk::Defer { cost }][which];
            let search = ThresholdSearch { draws: 50, disparity, idk, per_group, report: 0.5 };
            let found = search_thresholds(&scores, &truth, &group, &experts, &search, &Stream::new(seed)).unwrap();
            prop_assert!(found.searched.loss <= found.default.loss);
            prop_assert!(found.ranges.iter().all(|range| range.low <= range.high));
            prop_assert!(per_group || found.ranges.windows(2).all(|pair| pair[0] == pair[1]));
            prop_assert_eq!(found.searched.n + found.reported.map_or(0, |loss| loss.n), cases.len());
        }

        #[test]
        fn the_disparity_is_that_of_the_metrics(
            cases in prop::collection::vec((0.0f64..=1.0, 0u16..2, 0usize..3), 2..40), threshold in 0.0f64..1.0,
        ) {
            let scores: Vec<f64> = cases.iter().map(|c| c.0).collect();
            let truth: Vec<Label> = cases.iter().map(|c| Label(c.1)).collect();
            let group = GroupAttribute::from_values("g", cases.iter().map(|c| c.2.to_string()));
            let all = gather(&scores, &truth, &group, &vec![None; cases.len()]).unwrap();
            let ranges = vec![IdkRange { low: threshold, high: threshold }; group.len()];
            let found = ThresholdSearch::default().measure(&all, &ranges, true);
            let predicted: Vec<Label> = scores.iter().map(|&score| Label(u16::from(score > threshold))).collect();
            let truth: Vec<_> = truth.into_iter().map(Some).collect();
            let rates = ErrorRates::hard(&predicted, &truth, &group).unwrap();
            if let Some(expected) = rates.disparate_impact().value() {
                prop_assert!((found.disparity - expected).abs() < 1e-12);
            }
        }
    }
}
