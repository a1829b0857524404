//! A policy that keeps the cases it scores high for the model and defers the others.

use deferral_core::{
    CaseId, Cases, Committee, Dataset, ExpertId, GroupAttribute, Names, Policy, PolicyError, Probabilities, Row,
    Selection, Weights, argmax,
};
use serde::{Deserialize, Serialize};

/// The score that says how well a case is kept by the model, and with it who decides a deferred case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeferBy {
    /// The classifier's weight minus the largest weight of an expert: for policies that choose one decision-maker. A
    /// deferred case is decided by the expert with the largest weight among those who can be asked, the lowest number on
    /// ties.
    #[default]
    Deferral,
    /// The classifier's confidence, its largest probability: for committees and for policies whose weights do not look at
    /// the case. A deferred case is decided by the weighted vote of all experts and the classifier.
    Confidence,
}

impl DeferBy {
    /// How a case is decided once the weights say whether the model keeps it: the rule that the promise is about.
    pub fn committee(self) -> Committee {
        match self {
            Self::Deferral => Committee { select: Selection::Top { k: 1 }, ..Committee::default() },
            Self::Confidence => Committee::default(),
        }
    }

    /// The score of each case.
    pub(crate) fn scores(self, beliefs: &Probabilities, weights: &Weights) -> Vec<f64> {
        let largest = |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match self {
            Self::Confidence => beliefs.iter().map(largest).collect(),
            Self::Deferral => {
                weights.iter().map(|w| w.split_last().map_or(0.0, |(own, rest)| own - largest(rest))).collect()
            }
        }
    }
}

/// The threshold of one group, or of all cases, and what was counted on the cases set aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupThreshold {
    /// The group; `None` for all cases.
    pub group: Option<String>,
    /// The model keeps a case whose score is at least this. Infinite if every case is deferred, minus infinity if none.
    pub threshold: f64,
    /// Its cases among those set aside.
    pub cases: u64,
    /// Those of them that the system decides wrongly.
    pub wrong: u64,
    /// Those of them that are deferred.
    pub deferred: u64,
}

/// A policy whose model keeps the cases that score at least a threshold, and defers the others.
///
/// A kept case has weight 1 for the classifier and 0 for everybody else. A deferred case has the weights of the policy
/// inside, with 0 for the classifier under [`DeferBy::Deferral`]. What [`together`](Policy::together) says is exactly what
/// [`committee`](Self::committee) decides when everybody who decided the case can be asked; a promise is about this
/// rule. If nobody with a weight can be asked, the model decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GuaranteedPolicy<P> {
    pub(crate) policy: P,
    pub(crate) score: DeferBy,
    /// The attribute and its values, where each has a threshold of its own.
    pub(crate) by: Option<(String, Names)>,
    /// One a group where there are any, also if they share a threshold.
    pub(crate) thresholds: Vec<GroupThreshold>,
}

impl<P: Policy> GuaranteedPolicy<P> {
    /// The thresholds and what was counted with them: one for all cases, or one for each group that the promise is about.
    pub fn thresholds(&self) -> &[GroupThreshold] {
        &self.thresholds
    }

    /// The policy inside.
    pub fn inner(&self) -> &P {
        &self.policy
    }

    /// How a case must be decided for the promise to hold.
    pub fn committee(&self) -> Committee {
        self.score.committee()
    }

    /// The threshold of each case.
    fn thresholds_of(&self, cases: &Cases) -> Result<Vec<f64>, PolicyError> {
        match &self.by {
            None => Ok(vec![self.thresholds.first().map_or(f64::INFINITY, |chosen| chosen.threshold); cases.n()]),
            Some((attribute, values)) => {
                let places = places_in(cases.group(attribute)?, values)?;
                Ok(places.into_iter().map(|at| self.thresholds[at].threshold).collect())
            }
        }
    }

    /// What the classifier believes and who counts how much, once it is known which cases the model keeps.
    fn judge(&self, cases: &Cases) -> Result<(Probabilities, Weights), PolicyError> {
        let thresholds = self.thresholds_of(cases)?;
        let (beliefs, mut weights) = (self.policy.classify(cases)?, self.policy.weigh(cases)?);
        let scores = self.score.scores(&beliefs, &weights);
        for (case, (score, threshold)) in scores.iter().zip(&thresholds).enumerate() {
            let column = weights.0.column_mut(case);
            if score >= threshold { keep(column) } else { defer(self.score, column) }
        }
        Ok((beliefs, weights))
    }
}

impl<P: Policy> Policy for GuaranteedPolicy<P> {
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
        self.policy.classify(cases)
    }

    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        Ok(self.judge(cases)?.1)
    }

    fn together(&self, data: &Dataset) -> Result<Probabilities, PolicyError> {
        let (mut beliefs, weights) = self.judge(data.cases())?;
        for case in 0..data.n() {
            let votes = data.decisions().of_case(CaseId::at(case));
            decide(self.score, beliefs.0.column_mut(case), weights.column(case), votes);
        }
        Ok(beliefs)
    }
}

/// The place of each case's group among the values that are known.
pub(crate) fn places_in(group: &GroupAttribute, values: &Names) -> Result<Vec<usize>, PolicyError> {
    let place: Vec<Option<usize>> = group.values.iter().map(|value| values.position(value)).collect();
    let of_case = group.of_case.iter().map(|of_case| {
        place[of_case.index()].ok_or_else(|| PolicyError::UnknownGroup {
            attribute: group.name.clone(),
            value: group.values.show(of_case.index()).to_owned(),
        })
    });
    of_case.collect()
}

/// The model alone decides.
pub(crate) fn keep(weights: &mut [f64]) {
    weights.fill(0.0);
    if let Some(own) = weights.last_mut() {
        *own = 1.0;
    }
}

/// The experts decide, with the model among them unless one decision-maker is chosen.
pub(crate) fn defer(score: DeferBy, weights: &mut [f64]) {
    if let (DeferBy::Deferral, Some(own)) = (score, weights.last_mut()) {
        *own = 0.0;
    }
}

/// Turns what the classifier believes into what is decided, as the committee of `score` does it: the share of the weights
/// of those heard that speak for each class, where the classifier speaks for one class like everybody else.
pub(crate) fn decide(score: DeferBy, belief: &mut [f64], weights: &[f64], votes: Row<'_, ExpertId>) {
    let Some((own, experts)) = weights.split_last() else { return };
    let weight = |expert: ExpertId| experts.get(expert.index()).copied().unwrap_or(0.0).max(0.0);
    let mut scores = vec![0.0; belief.len()];
    let mut speak = |class: usize, weight: f64| {
        if let Some(score) = scores.get_mut(class) {
            *score += weight;
        }
    };
    match score {
        DeferBy::Deferral => {
            let best = votes.iter().reduce(|best, next| if weight(next.0) > weight(best.0) { next } else { best });
            if let Some((expert, label)) = best.filter(|(expert, _)| weight(*expert) > own.max(0.0)) {
                speak(label.index(), weight(expert));
            }
        }
        DeferBy::Confidence => {
            let mut heard = false;
            for (expert, label) in votes.iter().filter(|(expert, _)| weight(*expert) > 0.0) {
                speak(label.index(), weight(expert));
                heard = true;
            }
            if heard {
                speak(argmax(belief), own.max(0.0));
            }
        }
    }
    let total: f64 = scores.iter().sum();
    if total > 0.0 {
        for (share, score) in belief.iter_mut().zip(&scores) {
            *share = score / total;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Absent, Columns, Decisions, Recorded, Stream, consult};
    use proptest::prelude::*;

    proptest! {
        /// What is promised about is what the program decides.
        #[test]
        fn what_is_decided_together_is_what_the_committee_decides(
            belief in prop::collection::vec(0.01f64..1.0, 3),
            weights in prop::collection::vec(prop_oneof![Just(0.0), Just(0.5), 0.0f64..1.0], 5),
            votes in prop::collection::vec(prop::option::of(0u16..3), 4),
            kept in any::<bool>(),
        ) {
            let total: f64 = belief.iter().sum();
            let belief: Vec<f64> = belief.iter().map(|b| b / total).collect();
            let votes = votes.iter().enumerate().filter_map(|(e, v)| Some((0u32, e as u32, (*v)?)));
            let decisions = Decisions::from_triples(1, 4, votes).unwrap();
            for score in [DeferBy::Deferral, DeferBy::Confidence] {
                let mut weights = weights.clone();
                if kept { keep(&mut weights) } else { defer(score, &mut weights) }
                let mut together = belief.clone();
                decide(score, &mut together, &weights, decisions.of_case(CaseId(0)));
                let columns = (Probabilities(Columns::repeat(&belief, 1)), Weights(Columns::repeat(&weights, 1)));
                let mut source = Recorded::new(&decisions, Absent::Unavailable);
                let (columns, rule) = ((&columns.0, &columns.1), score.committee());
                let outcome = consult(0..1, columns, &rule, &mut source, None, &Stream::new(1)).unwrap().remove(0);
                prop_assert_eq!(argmax(&together), outcome.verdict.label.index(), "{:?} {:?}", score, &weights);
                if kept {
                    prop_assert_eq!((outcome.labels_used, &together), (0, &belief));
                }
                prop_assert!((together.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
        }
    }
}
