//! Thresholds by group around any learner: after training, without touching what was learned.

use deferral_core::{
    CaseId, CaseWeights, Cases, Context, Dataset, ExpertId, FitError, Label, Learner, Names, Policy, PolicyError,
    Probabilities, Row, Weights,
};
use deferral_models::stable::sigmoid;
use serde::{Deserialize, Serialize};

use crate::aside::set_aside;
use crate::guaranteed_policy::{keep, places_in};
use crate::threshold_search::{FoundThresholds, IdkRange, ThresholdIdk, ThresholdSearch, search_thresholds};

/// Any learner for two classes, with thresholds on its classifier's probability that weigh errors, disparate impact and
/// deferrals: one a group, or two between which the experts decide.
///
/// The thresholds are searched for on cases that nothing was learned from: the held-out data ([`Dataset::held_out`]) if
/// there are any, else a share of the training cases, of every group the same. The published method searches on half of
/// the test cases, which no method beside it may see; [`search_thresholds`] alone does that for a reproduction. In the
/// region between two thresholds all experts who decided a case vote with equal weights (the source has one), and if
/// nobody did, the model decides. Cost: one fit and O(draws n).
///
/// ```
/// use deferral_core::*;
/// use deferral_fairness::GroupThresholds;
/// use deferral_models::Classifier;
/// // Class 1 begins at 30 in one group and at 50 in the other, which the classifier does not see.
/// let features = Features::dense(Columns::from_values(1, (0..400).map(|i| f64::from(i % 80)).collect()))?;
/// let group = GroupAttribute::from_values("g", (0..400).map(|i| if i % 2 == 0 { "a" } else { "b" }));
/// let truth = |i: u16| Label(u16::from(i % 80 > if i % 2 == 0 { 30 } else { 50 }));
/// let cases = Cases::new(Names::numbered("case", 400), features)?.with_group(group)?;
/// let cases = cases.with_labels((0..400).map(|i| Some(truth(i))).collect())?;
/// let data = Dataset::new(cases, Decisions::none(400, 0), Names::numbered("", 2), Names::new())?;
/// let learner = GroupThresholds::by("g", Classifier::default());
/// let mut silent = Silent;
/// let policy = learner.fit(&data, &CaseWeights::uniform(400), &mut Context::new(Stream::new(1), &mut silent))?;
/// let found = policy.found();
/// assert!(found.ranges[0].low < found.ranges[1].low && found.searched.loss < 0.5 * found.default.loss);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupThresholds<L> {
    /// The group attribute.
    pub attribute: String,
    /// Share of the training cases to search on where none are held out; .3 by default.
    #[serde(default = "share")]
    pub share: f64,
    /// What is searched for, and how.
    #[serde(default)]
    pub search: ThresholdSearch,
    /// What learns.
    pub learner: L,
}

fn share() -> f64 {
    0.3
}

impl<L> GroupThresholds<L> {
    /// `learner` with one threshold for each group of `attribute`, and the defaults.
    pub fn by(attribute: impl Into<String>, learner: L) -> Self {
        Self { attribute: attribute.into(), share: share(), search: ThresholdSearch::default(), learner }
    }
}

impl<L: Learner> Learner for GroupThresholds<L> {
    type Policy = GroupThresholdsPolicy<L::Policy>;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<Self::Policy, FitError> {
        if data.k() != 2 {
            let (method, instead) = ("group thresholds".to_owned(), "a guarantee, which takes any number".to_owned());
            return Err(FitError::BinaryOnly { method, classes: data.k(), instead });
        }
        if matches!(self.search.idk, ThresholdIdk::Defer { .. }) && data.decisions().is_empty() {
            return Err(FitError::NoExperts);
        }
        let stream = ctx.stream("thresholds");
        let (policy, found, values) = if let Some(held_out) = data.held_out() {
            let policy = self.learner.fit(data, weights, ctx)?;
            let (found, values) = self.search_on(&policy, held_out, &stream)?;
            (policy, found, values)
        } else {
            data.gold()?;
            let parts = set_aside(data, weights, Some(&self.attribute), self.share, &ctx.stream("set aside"))?;
            let policy = self.learner.fit(&parts.learned, &parts.weights, ctx)?;
            let (found, values) = self.search_on(&policy, &parts.aside, &stream)?;
            (policy, found, values)
        };
        let by = self.search.per_group.then(|| (self.attribute.clone(), values));
        Ok(GroupThresholdsPolicy { policy, by, found })
    }
}

impl<L: Learner> GroupThresholds<L> {
    /// Searches on those cases of `data` whose truth is known.
    fn search_on(
        &self,
        policy: &L::Policy,
        data: &Dataset,
        stream: &deferral_core::Stream,
    ) -> Result<(FoundThresholds, Names), FitError> {
        let known: Vec<usize> = (0..data.n()).filter(|&case| data.cases().labels()[case].is_some()).collect();
        let data = data.select(&known);
        let group = data.cases().group(&self.attribute)?;
        let truth: Vec<Label> = data.cases().labels().iter().flatten().copied().collect();
        let scores: Vec<f64> = policy.classify(data.cases())?.iter().map(score_of).collect();
        let experts: Vec<_> = (0..data.n()).map(|case| vote(data.decisions().of_case(CaseId::at(case)))).collect();
        let found = search_thresholds(&scores, &truth, group, &experts, &self.search, stream)?;
        Ok((found, group.values.clone()))
    }
}

/// The probability of class 1.
fn score_of(belief: &[f64]) -> f64 {
    belief.get(1).copied().unwrap_or(0.0).clamp(0.0, 1.0)
}

/// What most of those who decided say, class 0 if they are divided.
fn vote(votes: Row<'_, ExpertId>) -> Option<Label> {
    let ones = votes.labels.iter().filter(|label| label.0 == 1).count();
    (!votes.is_empty()).then(|| Label(u16::from(2 * ones > votes.len())))
}

/// A policy whose classifier's probability is compared with thresholds.
///
/// Its probabilities are those of the policy inside with their log-odds moved by the log-odds of the threshold, so that
/// class 1 is the more probable exactly above it; with two thresholds they stay as they are. Between two thresholds every
/// expert weighs 1 and the classifier 0, elsewhere only the classifier weighs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupThresholdsPolicy<P> {
    policy: P,
    /// The attribute and its values, where the thresholds are by group.
    by: Option<(String, Names)>,
    found: FoundThresholds,
}

impl<P: Policy> GroupThresholdsPolicy<P> {
    /// The thresholds and what they cost where they were searched for.
    pub fn found(&self) -> &FoundThresholds {
        &self.found
    }

    /// The policy inside.
    pub fn inner(&self) -> &P {
        &self.policy
    }

    /// The thresholds of each case.
    fn ranges(&self, cases: &Cases) -> Result<Vec<IdkRange>, PolicyError> {
        match &self.by {
            None => Ok(vec![self.found.ranges.first().copied().unwrap_or_default(); cases.n()]),
            Some((attribute, values)) => {
                let places = places_in(cases.group(attribute)?, values)?;
                Ok(places.into_iter().map(|at| self.found.ranges[at]).collect())
            }
        }
    }
}

impl<P: Policy> Policy for GroupThresholdsPolicy<P> {
    fn experts(&self) -> usize {
        self.policy.experts()
    }

    fn classes(&self) -> usize {
        self.policy.classes()
    }

    fn needs_group(&self) -> Option<&str> {
        self.by.as_ref().map(|(attribute, _)| attribute.as_str()).or_else(|| self.policy.needs_group())
    }

    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        let (ranges, mut beliefs) = (self.ranges(cases)?, self.policy.classify(cases)?);
        for (case, range) in ranges.iter().enumerate() {
            if let [zero, one] = beliefs.0.column_mut(case) {
                *one = moved(*one, range.boundary());
                *zero = 1.0 - *one;
            }
        }
        Ok(beliefs)
    }

    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        let (ranges, beliefs) = (self.ranges(cases)?, self.policy.classify(cases)?);
        let mut weights = Weights(deferral_core::Columns::zeros(self.experts() + 1, cases.n()));
        for (case, range) in ranges.iter().enumerate() {
            let column = weights.0.column_mut(case);
            if range.holds(score_of(beliefs.column(case))) {
                column.fill(1.0);
                if let Some(own) = column.last_mut() {
                    *own = 0.0;
                }
            } else {
                keep(column);
            }
        }
        Ok(weights)
    }
}

/// Far enough above a half for class 1 to win, where rounding would make two classes equal.
const ABOVE: f64 = 0.5 + 1e-8;

/// The probability with its log-odds moved such that `boundary` becomes a half.
fn moved(p: f64, boundary: f64) -> f64 {
    if boundary == 0.5 {
        return p;
    }
    let log_odds = |p: f64| {
        let p = p.clamp(1e-12, 1.0 - 1e-12);
        (p / (1.0 - p)).ln()
    };
    let moved = sigmoid(log_odds(p) - log_odds(boundary));
    if p > boundary { moved.max(ABOVE) } else { moved.min(0.5) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_boundary_becomes_a_half() {
        // Odds 4 at .8 against odds 1 / 4 at .2: 16 : 1.
        assert!((moved(0.8, 0.2) - 16.0 / 17.0).abs() < 1e-12);
        assert_eq!((moved(0.3, 0.5), moved(0.2, 0.2)), (0.3, 0.5));
        assert!(moved(1.0, 1.0) <= 0.5 && moved(1e-14, 0.0) > 0.5 && moved(0.0, 0.0) <= 0.5);
    }

    proptest! {
        #[test]
        fn the_class_is_what_lies_above(p in 0.0f64..=1.0, boundary in 0.0f64..=1.0, near in -2i32..3) {
            let near = boundary + f64::from(near) * f64::EPSILON;
            for p in [p, near.clamp(0.0, 1.0)] {
                prop_assert_eq!(moved(p, boundary) > 0.5, p > boundary, "{} {}", p, boundary);
            }
        }
    }
}
