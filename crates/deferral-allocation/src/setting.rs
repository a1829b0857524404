//! What an allocator is told before its first case.

use deferral_core::ParameterError;

use crate::prior::Prior;

/// The size of a closed loop and what is known of its people.
///
/// ```
/// use deferral_allocation::{Prior, Setting};
/// let setting = Setting::new(2, 2, Prior::new(3));
/// assert_eq!((setting.annotators(), setting.prior.groups()), (0, 3));
/// assert!(setting.check().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Number of features of a case, d; 0 if cases have none.
    pub features: usize,
    /// Number of classes, K, at least 2.
    pub classes: usize,
    /// How well each of the m annotators suits each of the G groups.
    pub prior: Prior,
    /// What a label of each annotator costs; who has no price here costs 1.
    pub prices: Vec<f64>,
}

impl Setting {
    /// Annotators whose labels cost 1 each.
    pub fn new(features: usize, classes: usize, prior: Prior) -> Self {
        Self { features, classes, prior, prices: Vec::new() }
    }

    /// Number of annotators, m.
    pub fn annotators(&self) -> usize {
        self.prior.annotators()
    }

    /// What a label of `annotator` costs.
    pub fn price(&self, annotator: usize) -> f64 {
        self.prices.get(annotator).copied().unwrap_or(1.0)
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// If there are fewer than two classes or a price is negative or not finite.
    pub fn check(&self) -> Result<(), ParameterError> {
        ParameterError::check(self.classes >= 2, "the number of classes", self.classes, "2 or more")?;
        match self.prices.iter().find(|price| !(price.is_finite() && **price >= 0.0)) {
            Some(wrong) => Err(ParameterError::new("a price", wrong, "a finite number, 0 or more")),
            None => Ok(()),
        }
    }
}
