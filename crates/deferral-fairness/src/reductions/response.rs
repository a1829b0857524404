//! One answer of the learner in the game of fairness constraints.

use deferral_core::{Cases, Columns, Dataset, Policy, PolicyError, Probabilities, Weights, most_probable};
use serde::{Deserialize, Serialize};

/// A policy as a member of the lottery that [`crate::Constrained`] returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Response<P> {
    /// A policy that says its most probable class for certain: rates of decisions are what is constrained.
    Decides(P),
    /// A policy whose probabilities count as they are: a loss of probabilities is constrained.
    Believes(P),
    /// The same class for every case, whatever the experts say.
    Constant {
        /// The class.
        class: usize,
        /// Number of experts, none of whom counts.
        experts: usize,
        /// Number of classes.
        classes: usize,
    },
}

/// Probability 1 for the most probable class.
fn decided(mut believed: Probabilities) -> Probabilities {
    for case in 0..believed.n() {
        let column = believed.0.column_mut(case);
        let class = most_probable(column);
        column.fill(0.0);
        if let Some(probability) = column.get_mut(class) {
            *probability = 1.0;
        }
    }
    believed
}

/// The same one-hot column for each of `n` cases.
fn one_hot(at: usize, rows: usize, n: usize) -> Columns {
    let column: Vec<f64> = (0..rows).map(|row| f64::from(u8::from(row == at))).collect();
    Columns::repeat(&column, n)
}

impl<P: Policy> Policy for Response<P> {
    fn experts(&self) -> usize {
        match self {
            Self::Decides(policy) | Self::Believes(policy) => policy.experts(),
            Self::Constant { experts, .. } => *experts,
        }
    }

    fn classes(&self) -> usize {
        match self {
            Self::Decides(policy) | Self::Believes(policy) => policy.classes(),
            Self::Constant { classes, .. } => *classes,
        }
    }

    fn needs_group(&self) -> Option<&str> {
        match self {
            Self::Decides(policy) | Self::Believes(policy) => policy.needs_group(),
            Self::Constant { .. } => None,
        }
    }

    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        match self {
            Self::Decides(policy) => Ok(decided(policy.classify(cases)?)),
            Self::Believes(policy) => policy.classify(cases),
            Self::Constant { class, classes, .. } => Ok(Probabilities(one_hot(*class, *classes, cases.n()))),
        }
    }

    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        match self {
            Self::Decides(policy) | Self::Believes(policy) => policy.weigh(cases),
            Self::Constant { experts, .. } => Ok(Weights(one_hot(*experts, experts + 1, cases.n()))),
        }
    }

    fn together(&self, data: &Dataset) -> Result<Probabilities, PolicyError> {
        match self {
            Self::Decides(policy) => Ok(decided(policy.together(data)?)),
            Self::Believes(policy) => policy.together(data),
            Self::Constant { .. } => self.classify(data.cases()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Features, Names};
    use deferral_models::ClassifierPolicy;

    #[test]
    fn responses_decide_believe_or_look_away() {
        let cases = Cases::new(Names::numbered("c", 2), Features::none(2)).unwrap();
        let policy = ClassifierPolicy::prior(3, vec![0.3, 0.7]).unwrap();
        assert_eq!(Response::Decides(policy.clone()).classify(&cases).unwrap().column(1), [0.0, 1.0]);
        assert_eq!(Response::Believes(policy).classify(&cases).unwrap().column(1), [0.3, 0.7]);
        let constant: Response<ClassifierPolicy> = Response::Constant { class: 1, experts: 3, classes: 2 };
        assert_eq!(constant.classify(&cases).unwrap().column(0), [0.0, 1.0]);
        assert_eq!(constant.weigh(&cases).unwrap().column(0), [0.0, 0.0, 0.0, 1.0]);
        assert_eq!((constant.experts(), constant.classes(), constant.needs_group()), (3, 2, None));
    }
}
