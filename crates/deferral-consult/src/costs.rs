//! What an error costs, and what a belief is worth by it.

use deferral_core::{Label, ParameterError, argmax};
use serde::{Deserialize, Serialize};

/// The cost of deciding one class where another is right.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCosts {
    /// Every error costs 1.
    #[default]
    Equal,
    /// By pair of classes.
    Pairs(PairCosts),
}

/// A K x K matrix of costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairCosts {
    classes: usize,
    /// Decided by decided, then by truth.
    by_decision: Vec<f64>,
}

impl ErrorCosts {
    /// `costs[truth][decided]`: K rows of K numbers, 0 or more.
    ///
    /// # Errors
    /// If the matrix is not square, or a cost is negative or not finite.
    ///
    /// ```
    /// use deferral_consult::ErrorCosts;
    /// use deferral_core::Label;
    /// // Passing an abusive post (class 1) is ten times as bad as removing a harmless one.
    /// let costs = ErrorCosts::pairs(&[vec![0.0, 1.0], vec![10.0, 0.0]])?;
    /// assert_eq!(costs.decide(&[0.8, 0.2]), (Label(1), 0.8));
    /// assert_eq!(ErrorCosts::Equal.decide(&[0.8, 0.2]).0, Label(0));
    /// # Ok::<(), deferral_core::ParameterError>(())
    /// ```
    pub fn pairs(costs: &[Vec<f64>]) -> Result<Self, ParameterError> {
        let classes = costs.len();
        for (truth, row) in costs.iter().enumerate() {
            let (parameter, expected) =
                (format!("the length of row {truth} of the error costs"), format!("{classes}, as there are rows"));
            ParameterError::check(row.len() == classes, &parameter, row.len(), &expected)?;
            if let Some(decided) = row.iter().position(|cost| !(cost.is_finite() && *cost >= 0.0)) {
                let parameter = format!("the cost of deciding class {decided} where {truth} is right");
                return Err(ParameterError::new(parameter, row[decided], "a finite number, 0 or more"));
            }
        }
        let by_decision = (0..classes).flat_map(|decided| costs.iter().map(move |row| row[decided])).collect();
        Ok(Self::Pairs(PairCosts { classes, by_decision }))
    }

    /// Passes costs for as many classes.
    ///
    /// # Errors
    /// If the matrix is of another size.
    pub fn check(&self, classes: usize) -> Result<(), ParameterError> {
        match self {
            Self::Equal => Ok(()),
            Self::Pairs(pairs) => {
                let expected = format!("{classes}, the number of classes");
                ParameterError::check(
                    pairs.classes == classes,
                    "the number of rows of the error costs",
                    pairs.classes,
                    &expected,
                )
            }
        }
    }

    /// The decision of least expected cost, the lowest class on ties, and that cost. `belief` need not sum to one: the
    /// cost is on its scale. O(K), with pairs O(K^2).
    pub fn decide(&self, belief: &[f64]) -> (Label, f64) {
        match self {
            Self::Equal => {
                let label = argmax(belief);
                let others = belief.iter().enumerate().filter(|(class, _)| *class != label).map(|(_, p)| p);
                (Label::at(label), others.sum())
            }
            Self::Pairs(pairs) => {
                let mut best = (0, f64::INFINITY);
                for (decided, costs) in pairs.by_decision.chunks_exact(pairs.classes.max(1)).enumerate() {
                    let cost = belief.iter().zip(costs).map(|(p, cost)| p * cost).sum();
                    if cost < best.1 {
                        best = (decided, cost);
                    }
                }
                (Label::at(best.0), best.1)
            }
        }
    }

    /// The expected cost of the best decision.
    pub(crate) fn risk(&self, belief: &[f64]) -> f64 {
        self.decide(belief).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_must_be_square_and_not_negative() {
        let message = |costs: &[Vec<f64>]| ErrorCosts::pairs(costs).unwrap_err().to_string();
        assert_eq!(
            message(&[vec![0.0, 1.0], vec![1.0]]),
            "the length of row 1 of the error costs is 1, but must be 2, as there are rows"
        );
        assert_eq!(
            message(&[vec![0.0, -1.0], vec![1.0, 0.0]]),
            "the cost of deciding class 1 where 0 is right is -1, but must be a finite number, 0 or more"
        );
        let three = ErrorCosts::pairs(&[vec![0.0, 1.0], vec![1.0, 0.0]]).unwrap().check(3).unwrap_err();
        assert_eq!(
            three.to_string(),
            "the number of rows of the error costs is 2, but must be 3, the number of classes"
        );
    }

    #[test]
    fn equal_costs_are_the_matrix_of_ones() {
        let ones = ErrorCosts::pairs(&[vec![0.0, 1.0, 1.0], vec![1.0, 0.0, 1.0], vec![1.0, 1.0, 0.0]]).unwrap();
        for belief in [[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.3, 0.3, 0.4]] {
            let (a, b) = (ErrorCosts::Equal.decide(&belief), ones.decide(&belief));
            assert!(a.0 == b.0 && (a.1 - b.1).abs() < 1e-15);
        }
    }
}
