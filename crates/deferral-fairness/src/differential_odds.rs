//! Differential equalised odds as something to minimise: soft counts that run from batch to batch.
//!
//! A batch is too small to tell a group's rates, so the counts of all that came before are kept:
//! `C <- (1 - rho) C + rho (n / B) C_batch`, where a batch of B out of n cases counts each by its probabilities. The loss
//! is `max(0, epsilon - epsilon_0)` of the running counts (`deferral_metrics::OutcomeTable`). Its gradient flows through
//! the current batch only, and, epsilon being a maximum, only to the two groups and the class that attain it in the true
//! and in the false positive rate (Aguirre and Dredze 2023; the counts as in the code of Foulds and others 2020).

use deferral_core::{Dataset, FitError, GroupAttribute, Label, ParameterError, Stream};
use deferral_metrics::{LogGap, ODDS_SMOOTHING, OutcomeTable};
use deferral_models::{Batch, Expected, ExpectedSlope, Penalise, Penalty};
use serde::{Deserialize, Serialize};

/// The settings of the loss: what is to be equal, and how the counts run.
///
/// As a [`Penalise`] it is for two classes, on what a system of one model and one decision-maker is expected to decide;
/// [`RunningOdds`] has it for any number of classes.
///
/// ```
/// use deferral_core::*;
/// use deferral_fairness::DifferentialOdds;
/// use deferral_models::{Batch, Expected, ExpectedSlope, Penalise};
/// let gender = GroupAttribute::from_values("gender", ["f", "f", "m", "m"]);
/// let cases = Cases::new(Names::numbered("case", 4), Features::none(4))?.with_group(gender)?;
/// let cases = cases.with_labels([0, 1, 0, 1].map(|y| Some(Label(y))).to_vec())?;
/// let data = Dataset::new(cases, Decisions::none(4, 0), Names::numbered("", 2), Names::new())?;
/// let mut penalty = DifferentialOdds::of("gender").penalty(&data, &Stream::new(1))?;
/// let batch = Batch { cases: &[0, 1, 2, 3], weights: &[1.0; 4] };
/// let mut slopes = [ExpectedSlope::default(); 4];
/// let epsilon = penalty.evaluate(&batch, &[0.2, 0.9, 0.2, 0.6].map(Expected::model_alone), &mut slopes);
/// // Women's true positive rate is higher: less of theirs and more of men's would be fairer.
/// assert!(epsilon > 0.0 && slopes[1].model > 0.0 && slopes[3].model < 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DifferentialOdds {
    /// The group attribute.
    pub attribute: String,
    /// rho, how much of the counts each batch replaces, in (0, 1]; 1 looks at the batch alone. Default: .1.
    #[serde(default = "default_rate")]
    pub rate: f64,
    /// alpha, cases added to every rate, spread over the classes; above 0. Default: .1.
    #[serde(default = "default_smoothing")]
    pub smoothing: f64,
    /// `epsilon_0`, the unfairness that costs nothing, 0 or more; `ln 1.25 = .2231` is the 80 % rule. Default: 0.
    #[serde(default)]
    pub target: f64,
}

fn default_rate() -> f64 {
    0.1
}

fn default_smoothing() -> f64 {
    ODDS_SMOOTHING
}

impl DifferentialOdds {
    /// The published settings for `attribute`.
    pub fn of(attribute: impl Into<String>) -> Self {
        Self { attribute: attribute.into(), rate: default_rate(), smoothing: default_smoothing(), target: 0.0 }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the parameter that is outside.
    pub fn check(&self) -> Result<(), ParameterError> {
        let rate_ok = self.rate > 0.0 && self.rate <= 1.0;
        ParameterError::check(rate_ok, "the rate of the running counts", self.rate, "above 0, at most 1")?;
        let smoothing_ok = self.smoothing.is_finite() && self.smoothing > 0.0;
        ParameterError::check(smoothing_ok, "the smoothing", self.smoothing, "a finite number above 0")?;
        let target_ok = self.target.is_finite() && self.target >= 0.0;
        ParameterError::check(target_ok, "the unfairness that costs nothing", self.target, "a finite number, 0 or more")
    }
}

/// The loss on a set of training cases with any number of classes, and its running counts.
///
/// The counts begin as if every class had been decided equally often in each cell of group and true class. A group or
/// class without a case in a batch only decays; a group without a training case of the kind that a rate is about is not
/// compared. O(B K + G K^2) a batch.
#[derive(Debug, Clone)]
pub struct RunningOdds {
    settings: DifferentialOdds,
    classes: usize,
    /// Group and true class of each training case.
    cells: Vec<(usize, usize)>,
    counts: OutcomeTable,
}

impl RunningOdds {
    /// The loss for all cases of `data`.
    ///
    /// # Errors
    /// If a parameter is out of range, the attribute or a label is missing, only one group has a case, or no class
    /// occurs in two groups.
    pub fn new(settings: &DifferentialOdds, data: &Dataset) -> Result<Self, FitError> {
        settings.check()?;
        let attribute = data.cases().group(&settings.attribute)?;
        let truth = data.gold()?;
        check_comparable(attribute, &truth)?;
        let cells: Vec<(usize, usize)> =
            attribute.of_case.iter().zip(&truth).map(|(group, label)| (group.index(), label.index())).collect();
        let classes = data.k();
        let uniform = vec![1.0 / classes as f64; classes];
        let mut counts = OutcomeTable::new(attribute.len(), classes);
        for &(group, label) in &cells {
            counts.add(group, label, &uniform, 1.0);
        }
        Ok(Self { settings: settings.clone(), classes, cells, counts })
    }

    /// The counts as they stand, on the scale of all training cases.
    pub fn counts(&self) -> &OutcomeTable {
        &self.counts
    }

    /// Takes a batch into the counts and returns the loss. `probabilities` are K for each of its cases, in order;
    /// `slopes`, of the same length, is overwritten with the gradient with respect to them, each taken as free: the
    /// caller chains it through softmax or sigmoid. An empty batch changes nothing.
    ///
    /// # Panics
    /// If a case is no training case or there are not K probabilities for each.
    pub fn evaluate(&mut self, batch: &Batch<'_>, probabilities: &[f64], slopes: &mut [f64]) -> f64 {
        slopes.fill(0.0);
        if batch.cases.is_empty() {
            return 0.0;
        }
        assert_eq!(probabilities.len(), batch.cases.len() * self.classes, "probabilities of a batch");
        let share = self.settings.rate * self.cells.len() as f64 / batch.cases.len() as f64;
        self.counts.scale(1.0 - self.settings.rate);
        for ((&case, &weight), of_case) in batch.cases.iter().zip(batch.weights).zip(probabilities.chunks(self.classes))
        {
            let (group, truth) = self.cells[case];
            self.counts.add(group, truth, of_case, share * weight);
        }
        let alpha = self.settings.smoothing;
        let (right, wrong) = (self.counts.true_positive(alpha), self.counts.false_positive(alpha));
        let epsilon: f64 = right.iter().chain(&wrong).map(|gap| gap.log_ratio).sum();
        if epsilon <= self.settings.target {
            return 0.0;
        }
        for ((&case, &weight), slopes) in batch.cases.iter().zip(batch.weights).zip(slopes.chunks_mut(self.classes)) {
            let (group, truth) = self.cells[case];
            add_slope(right.filter(|gap| gap.class == truth), group, share * weight, slopes);
            add_slope(wrong.filter(|gap| gap.class != truth), group, share * weight, slopes);
        }
        epsilon - self.settings.target
    }
}

/// Adds the slope of a gap in the probability of its class.
fn add_slope(gap: Option<LogGap>, group: usize, weight: f64, slopes: &mut [f64]) {
    if let Some(gap) = gap {
        slopes[gap.class] += weight * gap.slope(group);
    }
}

/// Equal odds need two groups, and a class that occurs in both.
fn check_comparable(attribute: &GroupAttribute, truth: &[Label]) -> Result<(), FitError> {
    let present = attribute.counts().iter().filter(|&&n| n > 0).count();
    let what = format!("the number of groups of `{}` that occur in training", attribute.name);
    ParameterError::check(present > 1, &what, present, "2 or more")?;
    let mut first_with = vec![None; truth.iter().map(|label| label.index() + 1).max().unwrap_or(0)];
    let shared = attribute
        .of_case
        .iter()
        .zip(truth)
        .any(|(&group, label)| *first_with[label.index()].get_or_insert(group) != group);
    if shared {
        return Ok(());
    }
    Err(FitError::NoPromise(format!(
        "no label occurs in two groups of `{}`, so that there are no odds to equalise; use another attribute",
        attribute.name
    )))
}

/// The loss of two classes on what a system is expected to decide.
#[derive(Debug)]
struct ExpectedOdds {
    odds: RunningOdds,
    probabilities: Vec<f64>,
    slopes: Vec<f64>,
}

impl Penalise for DifferentialOdds {
    fn penalty(&self, data: &Dataset, _: &Stream) -> Result<Box<dyn Penalty>, FitError> {
        if data.k() != 2 {
            let method = "the penalty on differential odds".to_owned();
            let instead = "`Transfer`, which takes any number".to_owned();
            return Err(FitError::BinaryOnly { method, classes: data.k(), instead });
        }
        let odds = RunningOdds::new(self, data)?;
        Ok(Box::new(ExpectedOdds { odds, probabilities: Vec::new(), slopes: Vec::new() }))
    }
}

impl Penalty for ExpectedOdds {
    fn evaluate(&mut self, batch: &Batch<'_>, expected: &[Expected], slopes: &mut [ExpectedSlope]) -> f64 {
        self.probabilities.clear();
        self.probabilities.extend(expected.iter().map(Expected::system).flat_map(|one| [1.0 - one, one]));
        self.slopes.resize(self.probabilities.len(), 0.0);
        let loss = self.odds.evaluate(batch, &self.probabilities, &mut self.slopes);
        for ((to, case), slope) in slopes.iter_mut().zip(expected).zip(self.slopes.chunks(2)) {
            // One probability goes up as the other goes down.
            let system = slope[1] - slope[0];
            to.model = system * (1.0 - case.deferral);
            to.deferral = system * (case.expert - case.model);
        }
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Cases, Decisions, Features, Names};
    use proptest::prelude::*;

    fn data(groups: &[&str], labels: &[u16], classes: usize) -> Dataset {
        let n = labels.len();
        let cases = Cases::new(Names::numbered("case", n), Features::none(n)).unwrap();
        let cases = cases.with_group(GroupAttribute::from_values("gender", groups)).unwrap();
        let cases = cases.with_labels(labels.iter().map(|&y| Some(Label(y))).collect()).unwrap();
        Dataset::new(cases, Decisions::none(n, 0), Names::numbered("", classes), Names::new()).unwrap()
    }

    fn message(settings: &DifferentialOdds, data: &Dataset) -> String {
        RunningOdds::new(settings, data).unwrap_err().to_string()
    }

    #[test]
    fn running_totals_are_those_of_the_example() {
        // Ten of a hundred cases are of class 1 in group a; a batch of ten holds five of them.
        let labels: Vec<u16> = (0..100).map(|case| u16::from(case % 5 == 0)).collect();
        let groups: Vec<&str> = (0..100).map(|case| if case < 50 { "a" } else { "b" }).collect();
        let mut odds = RunningOdds::new(&DifferentialOdds::of("gender"), &data(&groups, &labels, 2)).unwrap();
        assert_eq!((odds.counts().total(0, 1), odds.counts().count(0, 1, 1)), (10.0, 5.0));
        let cases = [0, 5, 10, 15, 20, 1, 51, 52, 53, 55];
        let batch = Batch { cases: &cases, weights: &[1.0; 10] };
        odds.evaluate(&batch, &[0.0, 1.0].repeat(10), &mut [0.0; 20]);
        assert!((odds.counts().total(0, 1) - 14.0).abs() < 1e-12);
        assert!((odds.counts().count(0, 1, 1) - 9.5).abs() < 1e-12);
        // A batch without any of them only decays the count.
        odds.evaluate(&Batch { cases: &[1, 51], weights: &[1.0; 2] }, &[0.5; 4], &mut [0.0; 4]);
        assert!((odds.counts().total(0, 1) - 12.6).abs() < 1e-12);
        let before = odds.counts().clone();
        assert_eq!(odds.evaluate(&Batch { cases: &[], weights: &[] }, &[], &mut []), 0.0);
        assert_eq!(odds.counts(), &before);
    }

    #[test]
    fn a_batch_of_everything_at_rate_one_is_the_measure() {
        let groups = [["0"; 10], ["1"; 10]].concat();
        let labels = [[1, 1, 1, 1, 1, 0, 0, 0, 0, 0]; 2].concat();
        let decided = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1];
        let settings = DifferentialOdds { rate: 1.0, ..DifferentialOdds::of("gender") };
        let mut odds = RunningOdds::new(&settings, &data(&groups, &labels, 2)).unwrap();
        let cases: Vec<usize> = (0..20).collect();
        let probabilities: Vec<f64> = decided.iter().flat_map(|&y| [1.0 - f64::from(y), f64::from(y)]).collect();
        let batch = Batch { cases: &cases, weights: &[1.0; 20] };
        assert!((odds.evaluate(&batch, &probabilities, &mut [0.0; 40]) - 3.725_400).abs() < 1e-6);
    }

    /// The slopes of the loss of one batch after another one beside central differences.
    fn check_slopes(data: &Dataset, probabilities: &[f64], target: f64) -> Result<(), TestCaseError> {
        let settings = DifferentialOdds { target, ..DifferentialOdds::of("gender") };
        let mut before = RunningOdds::new(&settings, data).unwrap();
        let (classes, n) = (data.k(), data.n());
        let weights: Vec<f64> = (0..n).map(|case| 0.5 + (case % 3) as f64 / 2.0).collect();
        let cases: Vec<usize> = (0..n).collect();
        let first = Batch { cases: &cases[..n / 2], weights: &weights[..n / 2] };
        before.evaluate(&first, &probabilities[..n / 2 * classes], &mut vec![0.0; n / 2 * classes]);
        let batch = Batch { cases: &cases, weights: &weights };
        let loss_at = |p: &[f64], slopes: &mut [f64]| before.clone().evaluate(&batch, p, slopes);
        let (mut slopes, mut unused) = (vec![0.0; n * classes], vec![0.0; n * classes]);
        let loss = loss_at(probabilities, &mut slopes);
        let h = 1e-6;
        for at in 0..probabilities.len() {
            let mut shifted = |by: f64| {
                let mut moved = probabilities.to_vec();
                moved[at] += by;
                loss_at(&moved, &mut unused)
            };
            let (up, down) = (shifted(h), shifted(-h));
            // At a kink the slopes of both sides differ, and there is nothing to compare.
            if (up - loss - (loss - down)).abs() > 1e-10 {
                continue;
            }
            let numeric = (up - down) / (2.0 * h);
            prop_assert!((numeric - slopes[at]).abs() <= 1e-6 * numeric.abs().max(1.0), "{numeric} {}", slopes[at]);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn slopes_match_central_differences(
            cases in prop::collection::vec((0u16..3, 0usize..3, prop::array::uniform3(0.05f64..1.0)), 12..30),
            target in prop::sample::select(vec![0.0, 0.2231]),
        ) {
            let mut labels: Vec<u16> = cases.iter().map(|case| case.0).collect();
            let mut groups: Vec<&str> = cases.iter().map(|case| ["f", "m", "x"][case.1]).collect();
            (labels[0], labels[1], labels[2], groups[0], groups[1]) = (0, 0, 1, "f", "m");
            let probabilities: Vec<f64> = cases.iter().flat_map(|case| {
                let total: f64 = case.2.iter().sum();
                case.2.map(|p| p / total)
            }).collect();
            check_slopes(&data(&groups, &labels, 3), &probabilities, target)?;
        }
    }

    #[test]
    fn slopes_of_the_expected_system_match_central_differences() {
        let groups = ["f", "m"].repeat(6);
        let labels = [0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 0];
        let data = data(&groups, &labels, 2);
        let penalty = || DifferentialOdds::of("gender").penalty(&data, &Stream::new(1)).unwrap();
        let cases: Vec<usize> = (0..12).collect();
        let batch = Batch { cases: &cases, weights: &[1.0; 12] };
        let at = |case: usize, salt: usize| ((case * 7 + salt * 5) % 11) as f64 / 13.0 + 0.1;
        let expected: Vec<Expected> =
            (0..12).map(|case| Expected { model: at(case, 1), deferral: at(case, 2), expert: at(case, 3) }).collect();
        let mut slopes = vec![ExpectedSlope::default(); 12];
        let loss = penalty().evaluate(&batch, &expected, &mut slopes);
        assert!(loss > 0.0 && slopes.iter().any(|slope| slope.model != 0.0 && slope.deferral != 0.0));
        let (h, mut unused) = (1e-6, vec![ExpectedSlope::default(); 12]);
        for case in 0..12 {
            let mut numeric = |change: fn(&mut Expected, f64)| {
                let mut loss = |by: f64| {
                    let mut moved = expected.clone();
                    change(&mut moved[case], by);
                    penalty().evaluate(&batch, &moved, &mut unused)
                };
                (loss(h) - loss(-h)) / (2.0 * h)
            };
            let model = numeric(|case, by| case.model += by);
            let deferral = numeric(|case, by| case.deferral += by);
            assert!((model - slopes[case].model).abs() < 1e-6 * model.abs().max(1.0), "{case}: {model}");
            assert!((deferral - slopes[case].deferral).abs() < 1e-6 * deferral.abs().max(1.0), "{case}: {deferral}");
        }
    }

    #[test]
    fn below_the_target_nothing_is_to_be_paid() {
        let data = data(&["f", "f", "m", "m"], &[0, 1, 0, 1], 2);
        let settings = DifferentialOdds { target: 0.2, ..DifferentialOdds::of("gender") };
        let mut odds = RunningOdds::new(&settings, &data).unwrap();
        let (batch, mut slopes) = (Batch { cases: &[0, 1, 2, 3], weights: &[1.0; 4] }, [1.0; 8]);
        let close = [0.7, 0.3, 0.2, 0.8, 0.7, 0.3, 0.21, 0.79];
        assert_eq!(odds.evaluate(&batch, &close, &mut slopes), 0.0);
        assert_eq!(slopes, [0.0; 8]);
    }

    #[test]
    fn a_group_without_a_training_case_is_not_compared() {
        let whole = data(&["f", "f", "m", "m", "x"], &[0, 1, 0, 1, 1], 2);
        let left = whole.select(&[0, 1, 2, 3]);
        let mut odds = RunningOdds::new(&DifferentialOdds::of("gender"), &left).unwrap();
        let batch = Batch { cases: &[0, 1, 2, 3], weights: &[1.0; 4] };
        let same = [0.9, 0.1, 0.1, 0.9].repeat(2);
        assert!(odds.evaluate(&batch, &same, &mut [0.0; 8]).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let settings = DifferentialOdds::of("gender");
        let one = data(&["f"; 4], &[0, 1, 0, 1], 2);
        let expected = "the number of groups of `gender` that occur in training is 1, but must be 2 or more";
        assert_eq!(message(&settings, &one), expected);
        let told = data(&["f", "f", "m", "m"], &[0, 0, 1, 1], 2);
        assert_eq!(
            message(&settings, &told),
            "no label occurs in two groups of `gender`, so that there are no odds to equalise; use another attribute"
        );
        assert_eq!(message(&DifferentialOdds::of("age"), &one), "there is no group attribute `age`; known: gender");
        let three = data(&["f", "m", "f", "m"], &[0, 0, 1, 2], 3);
        let error = settings.penalty(&three, &Stream::new(1)).err().unwrap().to_string();
        let expected =
            "the penalty on differential odds works for two classes only, but there are 3; use `Transfer`, which";
        assert_eq!(error, format!("{expected} takes any number"));
    }

    #[test]
    fn parameters_are_checked() {
        let data = data(&["f", "f", "m", "m"], &[0, 1, 0, 1], 2);
        let fair = DifferentialOdds::of("gender");
        let changed = |change: fn(&mut DifferentialOdds)| {
            let mut settings = fair.clone();
            change(&mut settings);
            message(&settings, &data)
        };
        assert_eq!(changed(|s| s.rate = 0.0), "the rate of the running counts is 0, but must be above 0, at most 1");
        assert_eq!(changed(|s| s.smoothing = 0.0), "the smoothing is 0, but must be a finite number above 0");
        assert_eq!(
            changed(|s| s.target = f64::NAN),
            "the unfairness that costs nothing is NaN, but must be a finite number, 0 or more"
        );
    }
}
