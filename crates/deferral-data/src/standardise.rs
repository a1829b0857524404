//! Features of mean 0 and standard deviation 1, as gradient descent likes them.

use deferral_core::Columns;
use serde::{Deserialize, Serialize};

/// Spread below this share of a feature's largest value is rounding: the feature counts as constant.
const CONSTANT: f64 = 1e-12;

/// Mean and standard deviation (population form) of each feature of the training cases.
///
/// A constant feature has standard deviation 1, so it becomes 0 on the training cases.
///
/// ```
/// use deferral_core::Columns;
/// use deferral_data::Standardiser;
/// let mut columns = Columns::from_values(2, vec![1.0, 7.0, 3.0, 7.0]); // two cases of two features
/// Standardiser::fit(&columns).transform(&mut columns);
/// assert_eq!(columns.values(), [-1.0, 0.0, 1.0, 0.0]);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standardiser {
    mean: Vec<f64>,
    sd: Vec<f64>,
}

impl Standardiser {
    /// Measures the training cases, d x n with finite values. O(n d).
    pub fn fit(columns: &Columns) -> Self {
        let n = columns.n() as f64;
        let mut mean = vec![0.0; columns.rows()];
        let mut largest = vec![0.0f64; columns.rows()];
        for column in columns.iter() {
            for ((mean, largest), value) in mean.iter_mut().zip(&mut largest).zip(column) {
                *mean += value / n;
                *largest = largest.max(value.abs());
            }
        }
        // Squares of the values divided by the largest one can neither overflow nor vanish.
        let mut squares = vec![0.0; columns.rows()];
        for column in columns.iter() {
            for (row, square) in squares.iter_mut().enumerate() {
                *square += ((column[row] - mean[row]) / largest[row]).powi(2) / n;
            }
        }
        let sd = squares.iter().zip(&largest).map(|(square, largest)| {
            let share = square.sqrt();
            if share > CONSTANT { share * largest } else { 1.0 }
        });
        Self { sd: sd.collect(), mean }
    }

    /// Number of features, d.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// The mean of each feature.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The standard deviation of each feature, 1 for a constant one.
    pub fn sd(&self) -> &[f64] {
        &self.sd
    }

    /// Subtracts the mean and divides by the standard deviation, in place. Features beyond the d measured ones stay as
    /// they are. O(n d).
    pub fn transform(&self, columns: &mut Columns) {
        let rows = columns.rows().max(1);
        for column in columns.values_mut().chunks_exact_mut(rows) {
            for ((value, mean), sd) in column.iter_mut().zip(&self.mean).zip(&self.sd) {
                *value = (*value - mean) / sd;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_constant_feature_becomes_zero_in_spite_of_rounding() {
        let mut columns = Columns::from_values(1, vec![0.1; 7]);
        let standardiser = Standardiser::fit(&columns);
        assert_eq!(standardiser.sd(), [1.0]);
        standardiser.transform(&mut columns);
        assert!(columns.values().iter().all(|v| v.abs() < 1e-15));
    }

    #[test]
    fn no_case_and_no_feature_are_fine() {
        let mut none = Columns::zeros(3, 0);
        Standardiser::fit(&none).transform(&mut none);
        let mut nothing = Columns::zeros(0, 3);
        Standardiser::fit(&nothing).transform(&mut nothing);
        assert_eq!(Standardiser::fit(&none).sd(), [1.0; 3]);
    }

    proptest! {
        #[test]
        fn training_cases_get_mean_zero_and_deviation_one(
            values in proptest::collection::vec(-1e3f64..1e3, 6..60), shift in -1e3f64..1e3, size in 1e-150f64..1e150,
        ) {
            let mut columns = Columns::from_values(2, values.iter().map(|v| (v + shift) * size).collect());
            Standardiser::fit(&columns).transform(&mut columns);
            let again = Standardiser::fit(&columns);
            prop_assert!(again.mean().iter().all(|m| m.abs() < 1e-8), "{:?}", again);
            prop_assert!(again.sd().iter().all(|sd| (sd - 1.0).abs() < 1e-8), "{:?}", again);
        }
    }
}
