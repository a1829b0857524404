//! What a model that says "I don't know" does with a case.

use deferral_core::{
    CaseId, Cases, Columns, Committee, Dataset, ExpertId, Policy, PolicyError, Probabilities, Seat, Selection, Weights,
};
use deferral_models::{Network, Scalar, classifier::network_inputs, outputs_of_all, stable::sigmoid};
use serde::{Deserialize, Serialize};

use super::head::{IdkModel, Said};

/// What [`Idk`](super::Idk) learned: the model decides, or the decision-maker does.
///
/// [`weigh`](Policy::weigh) gives the decision-maker the probability of asking them and the classifier the rest, every
/// other expert 0. [`committee`](IdkPolicy::committee) listens to the larger of the two: it asks iff the probability is
/// above one half (for ordinal regression, iff the score lies between the thresholds).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdkPolicy {
    experts: usize,
    expert: Option<usize>,
    model: IdkModel,
    networks: Trained,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Trained {
    F32(Vec<Network<f32>>),
    F64(Vec<Network<f64>>),
}

impl IdkPolicy {
    pub(crate) fn new(experts: usize, expert: Option<usize>, model: IdkModel, networks: Trained) -> Self {
        Self { experts, expert, model, networks }
    }

    /// The rule it was made for: the decision-maker or the classifier, whoever weighs more.
    pub fn committee(&self) -> Committee {
        one_of_two()
    }

    /// The probability of asking for each case, `n` numbers; for ordinal regression its class "don't know".
    ///
    /// # Errors
    /// If the cases are not of the kind the policy was fitted on.
    pub fn deferral(&self, cases: &Cases) -> Result<Vec<f64>, PolicyError> {
        Ok(self.said(cases)?.iter().map(|said| said.deferral).collect())
    }

    fn said(&self, cases: &Cases) -> Result<Vec<Said>, PolicyError> {
        match &self.networks {
            Trained::F32(networks) => said_by(self.model, networks, cases),
            Trained::F64(networks) => said_by(self.model, networks, cases),
        }
    }
}

/// Whoever weighs more decides alone.
pub(crate) fn one_of_two() -> Committee {
    Committee { select: Selection::Top { k: 1 }, classifier: Seat::Weighted, ..Committee::default() }
}

fn said_by<S: Scalar>(model: IdkModel, networks: &[Network<S>], cases: &Cases) -> Result<Vec<Said>, PolicyError> {
    let first = networks.first().map_or(0, Network::inputs);
    let outputs = outputs_of_all(networks, network_inputs(first, cases)?);
    let second = |case: usize| outputs.get(1).map(|columns| columns.column(case));
    let said = |case: usize| model.read(outputs[0].column(case), second(case));
    Ok((0..cases.n()).map(said).collect())
}

/// The distribution of a probability of class 1 for every case.
pub(crate) fn distributions(of_one: impl ExactSizeIterator<Item = f64>) -> Probabilities {
    let n = of_one.len();
    let values = of_one.flat_map(|p| [1.0 - p, p]).collect();
    Probabilities(if n == 0 { Columns::zeros(2, 0) } else { Columns::from_values(2, values) })
}

/// Weights of one decision-maker and the classifier that add up to one.
pub(crate) fn between(experts: usize, expert: Option<usize>, asks: impl ExactSizeIterator<Item = f64>) -> Weights {
    let mut weights = Columns::zeros(experts + 1, asks.len());
    for (case, asks) in asks.enumerate() {
        let column = weights.column_mut(case);
        match expert {
            // One half is not above one half.
            Some(expert) if asks > 0.5 => (column[expert], column[experts]) = (asks, 1.0 - asks),
            Some(expert) => (column[expert], column[experts]) = (asks.min(0.499_999), 1.0 - asks.min(0.499_999)),
            None => column[experts] = 1.0,
        }
    }
    Weights(weights)
}

/// What comes of it: the decision-maker's probability where they are asked and decided, else the model's.
pub(crate) fn decided_by_one(
    data: &Dataset,
    expert: Option<usize>,
    mut beliefs: Probabilities,
    weights: &Weights,
) -> Probabilities {
    let Some(expert) = expert else { return beliefs };
    for case in 0..data.n() {
        let asked = weights.column(case)[expert] > 0.5;
        let answer = data.decisions().probability_of_one(CaseId::at(case), ExpertId::at(expert));
        if let (true, Some(q)) = (asked, answer) {
            beliefs.0.column_mut(case).copy_from_slice(&[1.0 - q, q]);
        }
    }
    beliefs
}

impl Policy for IdkPolicy {
    fn experts(&self) -> usize {
        self.experts
    }

    fn classes(&self) -> usize {
        2
    }

    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        Ok(distributions(self.said(cases)?.iter().map(|said| sigmoid(said.logit))))
    }

    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        let asks = |said: &Said| sigmoid(said.asks);
        Ok(between(self.experts, self.expert, self.said(cases)?.iter().map(asks)))
    }

    fn together(&self, data: &Dataset) -> Result<Probabilities, PolicyError> {
        let weights = self.weigh(data.cases())?;
        Ok(decided_by_one(data, self.expert, self.classify(data.cases())?, &weights))
    }
}
