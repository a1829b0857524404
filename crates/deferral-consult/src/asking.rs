//! How to ask: whom next, how many at once, and when to stop.

use deferral_core::ParameterError;
use serde::{Deserialize, Serialize};

use crate::costs::ErrorCosts;

/// Whom to ask next and when to stop.
///
/// ```
/// use deferral_consult::{Asking, Choice};
/// let asking = Asking { confidence: 0.9, max_asks: Some(3), ..Asking::default() };
/// assert!(asking.check(2).is_ok());
/// let message = Asking { confidence: 0.5, ..asking }.check(2).unwrap_err().to_string();
/// assert_eq!(message, "the confidence is 0.5, but must be above 1/K = 0.5 and at most 1");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asking {
    /// Whom to ask next.
    pub choose: Choice,
    /// Stop when the label is believed with this probability, above 1/K and at most 1; .99 by default.
    pub confidence: f64,
    /// What a label of price 1 costs where an error costs 1: stop when nobody is expected to save their price; .02
    /// by default. With 0 the price of labels stops nobody; infinity asks nobody.
    pub price: f64,
    /// Labels asked for a case at most.
    pub max_asks: Option<usize>,
    /// How many to ask in one go, where waiting for answers costs more than a label; 1 by default.
    pub at_once: usize,
    /// What errors cost. Decisions, prices and [`Choice::Error`] go by it; the confidence does not.
    pub errors: ErrorCosts,
}

/// Whom to ask next among those who are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// Whose vote is expected to reduce the entropy of the belief most, for their price.
    #[default]
    Entropy,
    /// Whose vote is expected to reduce the cost of errors most, for their price; where no single vote would change the
    /// decision, as [`Choice::Entropy`].
    Error,
    /// Whose vote, with the best second one that depends on it, is expected to reduce the cost of errors most, for the
    /// price of both. O(m^2 K^3) a step.
    TwoSteps,
    /// Who knows most, whatever is believed of the case: the mutual information of vote and truth if all classes are
    /// equally likely. Prices play no part.
    Best,
    /// Anybody: the honest control.
    Random,
}

impl Default for Asking {
    fn default() -> Self {
        Self {
            choose: Choice::default(),
            confidence: 0.99,
            price: 0.02,
            max_asks: None,
            at_once: 1,
            errors: ErrorCosts::default(),
        }
    }
}

impl Asking {
    /// Always asks `k`, or all there are, and then decides.
    pub fn fixed(k: usize, choose: Choice) -> Self {
        Self { choose, confidence: f64::INFINITY, price: 0.0, max_asks: Some(k), ..Self::default() }
    }

    /// Checks the numbers for K = `classes`.
    ///
    /// # Errors
    /// If the confidence is not in (1/K, 1], the price is negative or not a number, nobody is to be asked at once, or the
    /// error costs are for another number of classes.
    pub fn check(&self, classes: usize) -> Result<(), ParameterError> {
        // Infinity is how `fixed` says that confidence stops nobody.
        let lowest = 1.0 / classes.max(1) as f64;
        let ok = (self.confidence > lowest && self.confidence <= 1.0)
            || (self.confidence == f64::INFINITY && self.max_asks.is_some());
        ParameterError::check(ok, "the confidence", self.confidence, &format!("above 1/K = {lowest} and at most 1"))?;
        ParameterError::check(self.price >= 0.0, "the price of a label", self.price, "0 or more")?;
        ParameterError::check(self.at_once > 0, "the number asked at once", self.at_once, "1 or more")?;
        self.errors.check(classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_refused() {
        let message = |asking: Asking| asking.check(4).unwrap_err().to_string();
        let asking = Asking::default;
        assert_eq!(
            message(Asking { confidence: 1.01, ..asking() }),
            "the confidence is 1.01, but must be above 1/K = 0.25 and at most 1"
        );
        assert!(message(Asking { confidence: f64::NAN, ..asking() }).starts_with("the confidence is NaN"));
        assert_eq!(message(Asking { price: -0.1, ..asking() }), "the price of a label is -0.1, but must be 0 or more");
        assert!(Asking { price: f64::INFINITY, ..asking() }.check(4).is_ok());
        assert!(Asking::fixed(3, Choice::Best).check(4).is_ok());
        assert!(message(Asking { at_once: 0, ..asking() }).contains("asked at once is 0"));
    }
}
