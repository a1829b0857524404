//! Policies that weigh experts without looking at the case, at most at its group: majority vote, the best expert, and
//! the random committees that the joint framework is compared with (Keswani, Lease and Kenthapadi 2021, section 3.2).

use deferral_core::{
    CaseWeights, Cases, Columns, Context, Dataset, ExpertId, FitError, GroupAttribute, Learner, Names, Policy,
    PolicyError, Probabilities, Weights,
};
use serde::{Deserialize, Serialize};

use deferral_models::{Classifier, ClassifierPolicy};

/// One weight an expert, for all cases or for each group of one attribute, beside a classifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RosterPolicy {
    classifier: ClassifierPolicy,
    weights: RosterWeights,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum RosterWeights {
    Everywhere(Vec<f64>),
    ByGroup { attribute: String, values: Names, weights: Vec<Vec<f64>> },
}

impl RosterPolicy {
    /// The same m + 1 weights for all cases, the classifier's last.
    pub(crate) fn everywhere(classifier: ClassifierPolicy, weights: Vec<f64>) -> Self {
        Self { classifier, weights: RosterWeights::Everywhere(weights) }
    }

    /// m + 1 weights for each value of a group attribute.
    pub(crate) fn by_group(classifier: ClassifierPolicy, group: &GroupAttribute, weights: Vec<Vec<f64>>) -> Self {
        let (attribute, values) = (group.name.clone(), group.values.clone());
        Self { classifier, weights: RosterWeights::ByGroup { attribute, values, weights } }
    }
}

impl Policy for RosterPolicy {
    fn experts(&self) -> usize {
        self.classifier.experts()
    }

    fn classes(&self) -> usize {
        self.classifier.classes()
    }

    fn needs_group(&self) -> Option<&str> {
        match &self.weights {
            RosterWeights::Everywhere(_) => None,
            RosterWeights::ByGroup { attribute, .. } => Some(attribute),
        }
    }

    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        self.classifier.classify(cases)
    }

    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        match &self.weights {
            RosterWeights::Everywhere(weights) => Ok(Weights(Columns::repeat(weights, cases.n()))),
            RosterWeights::ByGroup { attribute, values, weights } => {
                let group = cases.group(attribute)?;
                let mut columns = Columns::zeros(self.experts() + 1, cases.n());
                for (case, id) in group.of_case.iter().enumerate() {
                    let value = group.values.show(id.index());
                    let known = values.position(value).ok_or_else(|| PolicyError::UnknownGroup {
                        attribute: attribute.clone(),
                        value: value.to_owned(),
                    })?;
                    columns.column_mut(case).copy_from_slice(&weights[known]);
                }
                Ok(Weights(columns))
            }
        }
    }
}

/// Every expert counts the same and the classifier not at all: majority vote under [`VoteRule::Majority`]. It learns
/// nothing but the frequency of the classes, which decides where nobody voted.
///
/// [`VoteRule::Majority`]: deferral_core::VoteRule::Majority
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Everyone {}

impl Learner for Everyone {
    type Policy = RosterPolicy;

    fn fit(&self, data: &Dataset, _: &CaseWeights, _: &mut Context<'_>) -> Result<RosterPolicy, FitError> {
        if data.decisions().is_empty() {
            return Err(FitError::NoExperts);
        }
        let mut weights = vec![1.0; data.m() + 1];
        weights[data.m()] = 0.0;
        let classifier = ClassifierPolicy::of_frequencies(data);
        Ok(RosterPolicy { classifier, weights: RosterWeights::Everywhere(weights) })
    }
}

/// Every expert weighs as much as their accuracy on the training cases, `(right + 1) / (answered + 2)`, so that a lucky
/// beginner does not rank above a veteran: the best available one decides under [`Selection::Top`] with k = 1.
///
/// [`Selection::Top`]: deferral_core::Selection::Top
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BestExpert {}

impl Learner for BestExpert {
    type Policy = RosterPolicy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, _: &mut Context<'_>) -> Result<RosterPolicy, FitError> {
        let (right, answered) = tally(data, weights, |_| true)?;
        let accuracy = right.iter().zip(&answered).map(|(r, n)| (r + 1.0) / (n + 2.0));
        let weights = accuracy.chain([0.0]).collect();
        let classifier = ClassifierPolicy::of_frequencies(data);
        Ok(RosterPolicy { classifier, weights: RosterWeights::Everywhere(weights) })
    }
}

/// Every expert may be drawn with the same probability, and the classifier sits beside them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomCommittee {
    /// The classifier that sits in it.
    pub classifier: Classifier,
}

impl Learner for RandomCommittee {
    type Policy = RosterPolicy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<RosterPolicy, FitError> {
        if data.decisions().is_empty() {
            return Err(FitError::NoExperts);
        }
        let classifier = self.classifier.fit(data, weights, ctx)?;
        Ok(RosterPolicy { classifier, weights: RosterWeights::Everywhere(vec![1.0; data.m() + 1]) })
    }
}

/// As [`RandomCommittee`], but a case is given to those only who were more accurate on its group than on all others.
/// A group for which nobody qualifies may be given to everybody. The group must be known when deciding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FairCommittee {
    /// The group attribute.
    pub attribute: String,
    /// The classifier that sits in it.
    #[serde(default)]
    pub classifier: Classifier,
}

impl Learner for FairCommittee {
    type Policy = RosterPolicy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<RosterPolicy, FitError> {
        let group = data.cases().group(&self.attribute)?;
        let classifier = self.classifier.fit(data, weights, ctx)?;
        let mut by_group = Vec::with_capacity(group.len());
        for value in 0..group.len() {
            let (right_here, answered_here) = tally(data, weights, |case| group.of_case[case].index() == value)?;
            let (right_else, answered_else) = tally(data, weights, |case| group.of_case[case].index() != value)?;
            let better = |j: usize| right_here[j] * answered_else[j] > right_else[j] * answered_here[j];
            let anybody = (0..data.m()).any(better);
            let members = (0..data.m()).map(|j| f64::from(u8::from(!anybody || better(j))));
            by_group.push(members.chain([1.0]).collect());
        }
        let values = group.values.clone();
        let weights = RosterWeights::ByGroup { attribute: self.attribute.clone(), values, weights: by_group };
        Ok(RosterPolicy { classifier, weights })
    }
}

/// Weighted numbers of right answers and of answers of each expert, on the training cases that `counts` keeps.
fn tally(
    data: &Dataset,
    weights: &CaseWeights,
    counts: impl Fn(usize) -> bool,
) -> Result<(Vec<f64>, Vec<f64>), FitError> {
    let gold = data.gold()?;
    if data.decisions().is_empty() {
        return Err(FitError::NoExperts);
    }
    if weights.n() != data.n() {
        return Err(FitError::Weights { found: weights.n(), expected: data.n() });
    }
    let (mut right, mut answered) = (vec![0.0; data.m()], vec![0.0; data.m()]);
    for expert in 0..data.m() {
        for (case, label) in data.decisions().of_expert(ExpertId::at(expert)).iter() {
            let case = case.index();
            if counts(case) {
                answered[expert] += weights.values()[case];
                right[expert] += if label == gold[case] { weights.values()[case] } else { 0.0 };
            }
        }
    }
    Ok((right, answered))
}
