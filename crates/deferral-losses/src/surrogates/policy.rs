//! What the methods of learning to defer learned: class probabilities, and who decides each case.

use std::ops::Range;

use deferral_core::{
    CaseId, Cases, Columns, Committee, Dataset, ExpertId, Policy, PolicyError, Probabilities, Seat, Selection, Weights,
    argmax,
};
use deferral_models::ClassifierPolicy;
use deferral_models::classifier::probabilities_of;
use deferral_models::stable::{sigmoid, softmax};
use serde::{Deserialize, Serialize};

use super::networks::Scores;
use super::panel::Panel;
use super::standing::{Standing, Ties};
use super::surrogate::Surrogate;

/// A classifier, and for each case the one member of experts and classifier who decides it.
///
/// [`Policy::weigh`] gives the quantities that the method compares, in [0, 1]: for a surrogate the share of each expert
/// and the largest share of a class; for a gate its shares; for compared confidences the probability that each expert is
/// right and the largest class probability. Experts the method did not learn about weigh 0. Whoever has the largest
/// weight decides: [`DeferralPolicy::committee`] does exactly that among those who can be asked, and
/// [`Policy::together`] among those who decided the case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeferralPolicy {
    panel: Panel,
    classes: usize,
    method: Method,
}

/// What is compared, and by what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Method {
    /// K + J scores of one network.
    Surrogate { surrogate: Surrogate, scores: Scores },
    /// A score of each expert and of the classifier; that of the classifier is 0 if the network has no output for it.
    Gate { classifier: Beliefs, gate: Scores, ties: Ties },
    /// The probability that each expert is right against the classifier's largest.
    Confidence { classifier: Beliefs, correctness: Scores },
    /// One expert, asked where the classifier's largest probability is below a threshold.
    Threshold { classifier: Beliefs, threshold: f64 },
}

/// A classifier, fitted on its own or by the method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Beliefs {
    Own(ClassifierPolicy),
    Network(Scores),
}

impl Beliefs {
    fn of(&self, cases: &Cases, classes: usize) -> Result<Probabilities, PolicyError> {
        match self {
            Self::Own(policy) => policy.classify(cases),
            Self::Network(scores) => Ok(probabilities_of(&scores.of(cases)?, classes)),
        }
    }
}

impl DeferralPolicy {
    pub(super) fn new(panel: Panel, classes: usize, method: Method) -> Self {
        Self { panel, classes, method }
    }

    /// The experts that the method learned about: all m, or the one it was told to use.
    pub fn members(&self) -> Range<usize> {
        self.panel.members.clone()
    }

    /// The threshold on the largest class probability below which the expert decides, for
    /// [`SelectivePrediction`](super::SelectivePrediction).
    pub fn threshold(&self) -> Option<f64> {
        match self.method {
            Method::Threshold { threshold, .. } => Some(threshold),
            _ => None,
        }
    }

    /// The committee that takes the method's own decision: the one member with the largest weight, expert or
    /// classifier.
    pub fn committee(&self) -> Committee {
        Committee { select: Selection::Top { k: 1 }, classifier: Seat::Weighted, ..Committee::default() }
    }

    /// The probability that each of the [`members`](Self::members) is right about each case, J x n, where the method
    /// gives one: [`Surrogate::correctness`] says which surrogates do, and
    /// [`CompareConfidence`](super::CompareConfidence) does.
    ///
    /// # Errors
    /// As [`Policy::classify`].
    pub fn expert_correctness(&self, cases: &Cases) -> Result<Option<Columns>, PolicyError> {
        match &self.method {
            Method::Surrogate { surrogate, scores } => {
                let scores = scores.of(cases)?;
                let mut right = Columns::zeros(self.panel.len(), scores.n());
                let mut fill = |(case, scores)| surrogate.correctness(scores, self.classes, right.column_mut(case));
                let known = scores.iter().enumerate().all(&mut fill);
                Ok(known.then_some(right))
            }
            Method::Confidence { correctness, .. } => {
                let mut right = correctness.of(cases)?;
                right.values_mut().iter_mut().for_each(|score| *score = sigmoid(*score));
                Ok(Some(right))
            }
            Method::Gate { .. } | Method::Threshold { .. } => Ok(None),
        }
    }

    /// By how much the best expert exceeds the classifier on each case in what the method compares, n numbers. To defer
    /// at most b cases, take the b largest.
    ///
    /// # Errors
    /// As [`Policy::classify`].
    pub fn margins(&self, cases: &Cases) -> Result<Vec<f64>, PolicyError> {
        let mut margins = vec![0.0; cases.n()];
        self.compare(cases, |case, standing| margins[case] = standing.margin())?;
        Ok(margins)
    }

    /// Who decides ties.
    fn ties(&self) -> Ties {
        match self.method {
            Method::Gate { ties, .. } => ties,
            _ => Ties::Classifier,
        }
    }

    /// Compares experts and classifier on every case.
    fn compare(&self, cases: &Cases, mut visit: impl FnMut(usize, &mut Standing)) -> Result<(), PolicyError> {
        let mut standing = Standing::default();
        match &self.method {
            Method::Surrogate { surrogate, scores } => {
                for (case, scores) in scores.of(cases)?.iter().enumerate() {
                    surrogate.stand(scores, self.classes, &mut standing);
                    visit(case, &mut standing);
                }
            }
            Method::Gate { gate, .. } => {
                for (case, scores) in gate.of(cases)?.iter().enumerate() {
                    stand_at_gate(scores, self.panel.len(), &mut standing);
                    visit(case, &mut standing);
                }
            }
            Method::Confidence { classifier, correctness } => {
                let beliefs = classifier.of(cases, self.classes)?;
                for (case, (scores, beliefs)) in correctness.of(cases)?.iter().zip(beliefs.iter()).enumerate() {
                    let right: Vec<f64> = scores.iter().map(|score| sigmoid(*score)).collect();
                    stand_as_is(&right, beliefs, &mut standing);
                    visit(case, &mut standing);
                }
            }
            Method::Threshold { classifier, threshold } => {
                for (case, beliefs) in classifier.of(cases, self.classes)?.iter().enumerate() {
                    stand_as_is(&[*threshold], beliefs, &mut standing);
                    visit(case, &mut standing);
                }
            }
        }
        Ok(())
    }
}

/// A gate compares its scores; their softmax is what they weigh.
fn stand_at_gate(scores: &[f64], experts: usize, standing: &mut Standing) {
    let (of_experts, of_classifier) = scores.split_at(experts);
    let mut shares = of_experts.to_vec();
    shares.push(of_classifier.first().copied().unwrap_or(0.0));
    standing.set_keys(of_experts, shares[experts]);
    softmax(&mut shares);
    standing.set_weights(&shares[..experts], shares[experts]);
}

/// Probabilities are compared as they are.
fn stand_as_is(experts: &[f64], beliefs: &[f64], standing: &mut Standing) {
    let most = beliefs[argmax(beliefs)];
    standing.set_keys(experts, most);
    standing.set_weights(experts, most);
}

impl Policy for DeferralPolicy {
    fn experts(&self) -> usize {
        self.panel.experts()
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        match &self.method {
            Method::Surrogate { surrogate, scores } => {
                let scores = scores.of(cases)?;
                let mut beliefs = Columns::zeros(self.classes, scores.n());
                for (case, scores) in scores.iter().enumerate() {
                    surrogate.beliefs(scores, beliefs.column_mut(case));
                }
                Ok(Probabilities(beliefs))
            }
            Method::Gate { classifier, .. }
            | Method::Confidence { classifier, .. }
            | Method::Threshold { classifier, .. } => classifier.of(cases, self.classes),
        }
    }

    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        let mut weights = Columns::zeros(self.experts() + 1, cases.n());
        self.compare(cases, |case, standing| {
            let column = weights.column_mut(case);
            if let Some((classifier, members)) = standing.ordered_weights(self.ties()).split_last() {
                for (expert, &weight) in self.members().zip(members).filter(|(expert, _)| self.panel.knows(*expert)) {
                    column[expert] = weight;
                }
                column[self.panel.experts()] = *classifier;
            }
        })?;
        Ok(Weights(weights))
    }

    /// The vote of whoever has the largest weight among the experts who decided the case and the classifier: all on the
    /// expert's label, or the classifier's distribution.
    fn together(&self, data: &Dataset) -> Result<Probabilities, PolicyError> {
        let (mut beliefs, weights) = (self.classify(data.cases())?, self.weigh(data.cases())?);
        for case in 0..data.n() {
            let weights = weights.column(case);
            let mut most = weights[self.panel.experts()];
            let mut decided = None;
            for (expert, label) in data.decisions().of_case(CaseId::at(case)).iter() {
                // Between equal weights the lower index decides, and the classifier has the last.
                let first = decided.is_none() && weights[expert.index()] == most;
                if self.is_member(expert) && (first || weights[expert.index()] > most) {
                    most = weights[expert.index()];
                    decided = Some(label);
                }
            }
            let belief = beliefs.0.column_mut(case);
            if let Some(label) = decided.filter(|label| label.index() < belief.len()) {
                belief.fill(0.0);
                belief[label.index()] = 1.0;
            }
        }
        Ok(beliefs)
    }
}

impl DeferralPolicy {
    fn is_member(&self, expert: ExpertId) -> bool {
        self.panel.place(expert).is_some() && self.panel.knows(expert.index())
    }
}
