//! Dense matrices with one column a case: probabilities and weights.

use serde::{Deserialize, Serialize};

/// A dense matrix, one case a column, a column contiguous.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Columns {
    rows: usize,
    values: Vec<f64>,
}

impl Columns {
    /// `n` columns of `rows` zeros.
    pub fn zeros(rows: usize, n: usize) -> Self {
        Self { rows, values: vec![0.0; rows * n] }
    }

    /// Takes `values` as consecutive columns of `rows` entries; a remainder is cut off.
    pub fn from_values(rows: usize, mut values: Vec<f64>) -> Self {
        values.truncate(values.len().checked_div(rows).unwrap_or(0) * rows);
        Self { rows, values }
    }

    /// `n` copies of one column.
    pub fn repeat(column: &[f64], n: usize) -> Self {
        Self { rows: column.len(), values: column.repeat(n) }
    }

    /// Entries in a column.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn n(&self) -> usize {
        self.values.len().checked_div(self.rows).unwrap_or(0)
    }

    /// The column of case `i`.
    ///
    /// # Panics
    /// If `i` is not below [`Columns::n`].
    pub fn column(&self, i: usize) -> &[f64] {
        &self.values[i * self.rows..(i + 1) * self.rows]
    }

    /// The column of case `i`, to write to.
    ///
    /// # Panics
    /// If `i` is not below [`Columns::n`].
    pub fn column_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.values[i * self.rows..(i + 1) * self.rows]
    }

    /// All columns in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f64]> + Clone {
        self.values.chunks_exact(self.rows.max(1))
    }

    /// All values, column after column.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// All values, column after column, to write to.
    pub fn values_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }

    /// The columns `cases`, in that order.
    #[must_use]
    pub fn select(&self, cases: &[usize]) -> Self {
        let mut values = Vec::with_capacity(cases.len() * self.rows);
        for &case in cases {
            values.extend_from_slice(self.column(case));
        }
        Self { rows: self.rows, values }
    }
}

/// What the classifier believes: K x n, each column a distribution over the classes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Probabilities(pub Columns);

/// How much each expert counts: (m+1) x n, non-negative, the classifier in the last row; columns need not sum to one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weights(pub Columns);

impl std::ops::Deref for Probabilities {
    type Target = Columns;
    fn deref(&self) -> &Columns {
        &self.0
    }
}

impl std::ops::Deref for Weights {
    type Target = Columns;
    fn deref(&self) -> &Columns {
        &self.0
    }
}

/// Probabilities that differ by less are equal: the same ten thousand votes added up in another order differ by so much.
const EQUAL: f64 = 1e-9;

/// The classes whose probability (or share) is the largest but for rounding, from the lowest; none if there are none.
///
/// ```
/// // A sum of 0.1 and 0.2 is a little more than 0.3.
/// assert_eq!(deferral_core::tied(&[0.3, 0.1 + 0.2, 0.25]).collect::<Vec<_>>(), [0, 1]);
/// ```
pub fn tied(probabilities: &[f64]) -> impl Iterator<Item = usize> + '_ {
    let best = probabilities.get(argmax(probabilities)).copied().unwrap_or(f64::NAN);
    (0..probabilities.len()).filter(move |&class| probabilities[class] >= best - EQUAL)
}

/// The most probable class, the lowest of those that are [`tied`]; 0 if there are none.
///
/// ```
/// assert_eq!(deferral_core::most_probable(&[0.3, 0.1 + 0.2]), 0);
/// assert_eq!(deferral_core::most_probable(&[0.3, 0.3 + 1e-6]), 1);
/// ```
pub fn most_probable(probabilities: &[f64]) -> usize {
    tied(probabilities).next().unwrap_or(0)
}

/// The position of the largest value, the lowest on ties; 0 for an empty slice. NaN never wins.
pub fn argmax(values: &[f64]) -> usize {
    let mut best = 0;
    for (i, value) in values.iter().enumerate() {
        if *value > values[best] || (values[best].is_nan() && !value.is_nan()) {
            best = i;
        }
    }
    best
}
