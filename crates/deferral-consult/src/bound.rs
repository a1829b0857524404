//! A bound on the error of the worst group, kept with the fewest labels.

use deferral_core::{
    Absent, CaseWeights, Cases, Context, Dataset, FitError, GroupAttribute, Label, Names, ParameterError, Policy,
    PolicyError, Recorded, Splitter,
};
use deferral_metrics::p_value_at_most;
use serde::{Deserialize, Serialize};
use statrs::distribution::{DiscreteCDF, Hypergeometric};

use crate::asking::Asking;
use crate::learner::Consult;
use crate::paths::{Path, paths};
use crate::policy::{ConsultPolicy, RuleError, places_in};

/// Chooses the confidence at which consultations stop such that no group's error exceeds a bound, with a promised
/// probability and the fewest labels.
///
/// A share of the training cases is set aside, the policy is learned from the rest, and consultations on those set aside
/// are gone through to the end. From the strictest confidence downwards every candidate is tested: is a group's error at
/// most the bound? The last one that passes before the first that fails is taken, for each group by itself or for all
/// together where the group is not known when a case is decided. This is fixed-sequence testing with exact binomial
/// p-values (Angelopoulos et al. 2021, "Learn then test"; Clopper and Pearson 1934): the error of every group is at most
/// the bound with the promised probability, whatever the policy. With [`for_next`](Self::for_next) the promise is about
/// the errors counted on so many further cases, by the hypergeometric distribution, which is stricter than about the
/// error in the long run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorstGroup {
    /// The group attribute.
    pub attribute: String,
    /// The largest error that a group may have, between 0 and 1.
    pub error: f64,
    /// The probability with which no group exceeds it; .9 by default.
    #[serde(default = "promise")]
    pub promise: f64,
    /// Share of the training cases set aside; .4 by default.
    #[serde(default = "share")]
    pub share: f64,
    /// Whether the group is known when a case is decided, so that each has a threshold of its own; `true` by default.
    #[serde(default = "yes")]
    pub known: bool,
    /// Whom to ask; its confidence is what is chosen.
    #[serde(default)]
    pub asking: Asking,
    /// How many cases the promise is about; the long run by default.
    #[serde(default)]
    pub for_next: Option<usize>,
}

fn promise() -> f64 {
    0.9
}

fn share() -> f64 {
    0.4
}

fn yes() -> bool {
    true
}

/// The confidence at which consultations stop, by group or for all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// The attribute and its values, where each has a threshold of its own.
    groups: Option<(String, Names)>,
    /// One a group, or one for all. Infinite for never before everybody was asked.
    thresholds: Vec<f64>,
}

impl Thresholds {
    /// The attribute that they are by, if they are.
    pub fn attribute(&self) -> Option<&str> {
        self.groups.as_ref().map(|(attribute, _)| attribute.as_str())
    }

    /// The threshold of each group, with its name, or the one for all, without.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&str>, f64)> {
        let names = self.groups.as_ref().map(|(_, values)| values);
        self.thresholds.iter().enumerate().map(move |(at, threshold)| (names.map(|names| names.show(at)), *threshold))
    }

    /// The threshold of each case; a group that was not there in training has the strictest.
    pub(crate) fn of(&self, cases: &Cases) -> Result<Vec<f64>, PolicyError> {
        let strictest = self.thresholds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match &self.groups {
            None => Ok(vec![strictest; cases.n()]),
            Some((attribute, values)) => {
                let places = places_in(cases.group(attribute)?, values);
                Ok(places.into_iter().map(|at| at.map_or(strictest, |at| self.thresholds[at])).collect())
            }
        }
    }
}

impl WorstGroup {
    /// With the defaults: no group of `attribute` errs more often than `error`.
    pub fn at_most(error: f64, attribute: impl Into<String>) -> Self {
        Self {
            attribute: attribute.into(),
            error,
            promise: promise(),
            share: share(),
            known: true,
            asking: Asking::default(),
            for_next: None,
        }
    }

    fn check(&self) -> Result<(), ParameterError> {
        let between = |parameter: &str, value: f64| {
            ParameterError::check(value > 0.0 && value < 1.0, parameter, value, "above 0 and below 1")
        };
        between("the bound on the worst group's error", self.error)?;
        between("the promised probability", self.promise)?;
        between("the share of cases set aside", self.share)?;
        ParameterError::check(self.for_next != Some(0), "the number of cases promised for", 0, "1 or more")
    }

    /// Learns from a part of the cases and chooses thresholds on the rest.
    pub(crate) fn fit(
        &self,
        consult: &Consult,
        data: &Dataset,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
    ) -> Result<ConsultPolicy, FitError> {
        self.check()?;
        let gold = data.gold()?;
        let splits = Splitter::Random { test: self.share }
            .split(data.cases(), None, &ctx.stream("set aside"))
            .map_err(|error| ParameterError::new("the share of cases set aside", self.share, error.to_string()))?;
        let split = splits.first().ok_or(FitError::NoCases)?;
        let own = split.train.iter().map(|&case| weights.values()[case]).collect();
        let policy = consult.learn(&data.select(&split.train), &CaseWeights::new(own)?, ctx)?;
        let aside = data.select(&split.test);
        let gold: Vec<Label> = split.test.iter().map(|&case| gold[case]).collect();
        let thresholds = self.choose(&policy, &aside, &gold, ctx)?;
        Ok(policy.bounded(thresholds))
    }

    /// The thresholds that keep the bound on cases that the policy was not learned from.
    fn choose(
        &self,
        policy: &ConsultPolicy,
        aside: &Dataset,
        gold: &[Label],
        ctx: &mut Context<'_>,
    ) -> Result<Thresholds, FitError> {
        let rule = policy.rule(&self.asking, aside.cases(), None).map_err(|error| match error {
            RuleError::Parameter(error) => FitError::Parameter(error),
            RuleError::Policy(error) => FitError::Policy(error),
        })?;
        let beliefs = (policy.classify(aside.cases())?, policy.weigh(aside.cases())?);
        let mut source = Recorded::new(aside.decisions(), Absent::Unavailable);
        let stream = ctx.stream("consultations");
        let paths = paths(aside.n(), (&beliefs.0, &beliefs.1), &rule, &mut source, &stream)
            .map_err(|error| FitError::NoPromise(error.to_string()))?;
        let group = aside.cases().group(&self.attribute)?;
        let graded = Graded { paths: &paths, gold, group };
        self.thresholds(&graded, policy.classes())
    }

    fn thresholds(&self, graded: &Graded<'_>, classes: usize) -> Result<Thresholds, FitError> {
        let groups = graded.group.len();
        let candidates = candidates(classes);
        let lowest_for = |groups: &[usize], alpha: f64| {
            let passes =
                |threshold: &&f64| groups.iter().all(|group| self.p_value(graded, *group, **threshold) <= alpha);
            candidates.iter().take_while(passes).last().copied()
        };
        let alpha = 1.0 - self.promise;
        if !self.known {
            // All groups must pass for one threshold to: no correction for their number is due.
            let everybody: Vec<usize> = (0..groups).collect();
            let threshold = lowest_for(&everybody, alpha).ok_or_else(|| self.impossible(graded, &everybody))?;
            return Ok(Thresholds { groups: None, thresholds: vec![threshold] });
        }
        let share = alpha / groups.max(1) as f64;
        let of_group = |group: usize| lowest_for(&[group], share).ok_or_else(|| self.impossible(graded, &[group]));
        let thresholds = (0..groups).map(of_group).collect::<Result<Vec<f64>, FitError>>()?;
        let named = (self.attribute.clone(), graded.group.values.clone());
        Ok(Thresholds { groups: Some(named), thresholds })
    }

    /// The probability of so few errors, or fewer, if the group's error were above the bound.
    fn p_value(&self, graded: &Graded<'_>, group: usize, threshold: f64) -> f64 {
        let (n, wrong) = graded.errors(group, threshold);
        match self.for_next {
            None => p_value_at_most(wrong, n, self.error),
            Some(next) => {
                let share = n as f64 / graded.gold.len().max(1) as f64;
                let next = (share * next as f64).round() as u64;
                // The fewest errors on the next cases that break the bound.
                let breaking = (self.error * next as f64).floor() as u64 + 1;
                if breaking > next {
                    return 0.0;
                }
                Hypergeometric::new(n + next, wrong + breaking, n).map_or(1.0, |errors| errors.cdf(wrong))
            }
        }
    }

    fn impossible(&self, graded: &Graded<'_>, groups: &[usize]) -> FitError {
        let counts = groups.iter().map(|&group| {
            let (n, wrong) = graded.errors(group, f64::INFINITY);
            format!("{}: {wrong} of {n}", graded.group.values.show(group))
        });
        FitError::NoPromise(format!(
            "no threshold can promise with probability {} that no group of {} errs more often than {}; with everybody \
             asked the errors on the cases set aside are {}. Ask for a larger bound or a smaller promise, set more cases \
             aside, or find better experts",
            self.promise,
            self.attribute,
            self.error,
            counts.collect::<Vec<_>>().join(", ")
        ))
    }
}

/// Consultations on cases whose truth and group are known.
struct Graded<'a> {
    paths: &'a [Path],
    gold: &'a [Label],
    group: &'a GroupAttribute,
}

impl Graded<'_> {
    /// Cases of a group, and those decided wrongly when stopping at this confidence.
    fn errors(&self, group: usize, threshold: f64) -> (u64, u64) {
        let (mut n, mut wrong) = (0, 0);
        for ((path, truth), of_case) in self.paths.iter().zip(self.gold).zip(&self.group.of_case) {
            if of_case.index() == group {
                n += 1;
                wrong += u64::from(path.stop(threshold).is_none_or(|step| step.label != *truth));
            }
        }
        (n, wrong)
    }
}

/// Confidences to try, the strictest first: never, then even steps of the log-odds down to 1/K.
fn candidates(classes: usize) -> Vec<f64> {
    const STEPS: usize = 60;
    let lowest = 1.0 / classes.max(2) as f64;
    let logit = |p: f64| (p / (1.0 - p)).ln();
    let (from, to) = (logit(0.9995), logit(lowest));
    let at = |step: usize| 1.0 / (1.0 + (-(from + (to - from) * step as f64 / STEPS as f64)).exp());
    std::iter::once(f64::INFINITY).chain((0..=STEPS).map(at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::Step;

    /// Cases of one group whose model is right unless stated, at the given confidence, and right after one label.
    fn path(confidence: f64, right: bool) -> Path {
        let label = |right: bool| Label(u16::from(!right));
        let step = |right, confidence, asked| Step { label: label(right), confidence, asked };
        Path { steps: vec![step(right, confidence, 0), step(true, 0.999, 1)] }
    }

    fn graded(paths: &[Path]) -> (Vec<Label>, GroupAttribute) {
        (vec![Label(0); paths.len()], GroupAttribute::from_values("g", paths.iter().map(|_| "a")))
    }

    #[test]
    fn the_lowest_confidence_that_keeps_the_bound_is_taken() {
        // 300 cases at .9 of which 1 % are wrong, 100 at .6 of which half are.
        let sure = (0..300).map(|i| path(0.9, i % 100 != 0));
        let unsure = (0..100).map(|i| path(0.6, i % 2 == 0));
        let paths: Vec<Path> = sure.chain(unsure).collect();
        let (gold, group) = graded(&paths);
        let graded = Graded { paths: &paths, gold: &gold, group: &group };
        let of = |error| WorstGroup::at_most(error, "g").thresholds(&graded, 2).unwrap().thresholds[0];
        // 3 errors in 400 when the unsure ones are asked about; 53 when they are not.
        assert!((0.6..0.9).contains(&of(0.02)), "{}", of(0.02));
        assert!(of(0.2) <= 0.6);
        assert!(of(0.006) > 0.9);
    }

    #[test]
    fn what_cannot_be_promised_is_said() {
        let paths = vec![path(0.9, true); 10];
        let (gold, group) = graded(&paths);
        let graded = Graded { paths: &paths, gold: &gold, group: &group };
        let message = WorstGroup::at_most(0.01, "g").thresholds(&graded, 2).unwrap_err().to_string();
        assert!(
            message.starts_with("no threshold can promise with probability 0.9 that no group of g errs"),
            "{message}"
        );
        assert!(message.contains("a: 0 of 10"), "{message}");
    }

    #[test]
    fn a_promise_about_few_cases_is_stricter() {
        let paths: Vec<Path> = (0..400).map(|i| path(0.6 + 0.3 * f64::from(i) / 400.0, i % 20 != 0)).collect();
        let (gold, group) = graded(&paths);
        let graded = Graded { paths: &paths, gold: &gold, group: &group };
        let long_run = WorstGroup::at_most(0.05, "g");
        let next = WorstGroup { for_next: Some(100), ..long_run.clone() };
        let of = |bound: &WorstGroup| bound.thresholds(&graded, 2).unwrap().thresholds[0];
        assert!(of(&next) > of(&long_run));
    }
}
