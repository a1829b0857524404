//! What is known about a case before anyone is asked.

use serde::{Deserialize, Serialize};

use crate::columns::Columns;

/// The features of all cases: d numbers each, dense or sparse. Every value is finite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Features {
    /// d x n, one case a column.
    Dense(Columns),
    /// The same with only the non-zero entries stored.
    Sparse(SparseFeatures),
}

/// Why features were refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// A value is NaN or infinite.
    #[error("feature {feature} of case {case} is {value}; features must be finite numbers")]
    NotFinite {
        /// Row of the feature.
        feature: usize,
        /// Column of the case.
        case: usize,
        /// The offending value.
        value: f64,
    },
    /// A sparse entry lies outside the dimensions.
    #[error("a sparse entry of case {case} names feature {feature}, but there are {dim}")]
    OutOfRange {
        /// Row of the feature.
        feature: usize,
        /// Column of the case.
        case: usize,
        /// Number of features.
        dim: usize,
    },
}

impl Features {
    /// Dense features, each value checked to be finite. O(n d).
    ///
    /// # Errors
    /// [`FeatureError::NotFinite`] names the first value that is not.
    pub fn dense(columns: Columns) -> Result<Self, FeatureError> {
        match columns.values().iter().position(|v| !v.is_finite()) {
            None => Ok(Self::Dense(columns)),
            Some(at) => Err(FeatureError::NotFinite {
                feature: at % columns.rows(),
                case: at / columns.rows(),
                value: columns.values()[at],
            }),
        }
    }

    /// `n` cases about which nothing is known (d = 0).
    pub fn none(n: usize) -> Self {
        Self::Sparse(SparseFeatures { dim: 0, starts: vec![0; n + 1], entries: Vec::new() })
    }

    /// Number of features, d.
    pub fn dim(&self) -> usize {
        match self {
            Self::Dense(columns) => columns.rows(),
            Self::Sparse(sparse) => sparse.dim,
        }
    }

    /// Number of cases, n.
    pub fn n(&self) -> usize {
        match self {
            Self::Dense(columns) => columns.n(),
            Self::Sparse(sparse) => sparse.n(),
        }
    }

    /// The dense matrix, if it is one.
    pub fn as_dense(&self) -> Option<&Columns> {
        match self {
            Self::Dense(columns) => Some(columns),
            Self::Sparse(_) => None,
        }
    }

    /// The features of `cases`, in that order.
    #[must_use]
    pub fn select(&self, cases: &[usize]) -> Self {
        match self {
            Self::Dense(columns) => Self::Dense(columns.select(cases)),
            Self::Sparse(sparse) => Self::Sparse(sparse.select(cases)),
        }
    }
}

/// Sparse features: for each case the (feature, value) pairs that are not zero.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SparseFeatures {
    dim: usize,
    starts: Vec<usize>,
    entries: Vec<(u32, f32)>,
}

impl SparseFeatures {
    /// No case yet, `dim` features.
    pub fn new(dim: usize) -> Self {
        Self { dim, starts: vec![0], entries: Vec::new() }
    }

    /// Appends a case.
    ///
    /// # Errors
    /// If an entry is not finite or names a feature outside `0..dim`; nothing is appended then.
    pub fn push(&mut self, entries: &[(u32, f32)]) -> Result<(), FeatureError> {
        let case = self.n();
        for &(feature, value) in entries {
            let feature = feature as usize;
            if feature >= self.dim {
                return Err(FeatureError::OutOfRange { feature, case, dim: self.dim });
            }
            if !value.is_finite() {
                return Err(FeatureError::NotFinite { feature, case, value: f64::from(value) });
            }
        }
        self.entries.extend_from_slice(entries);
        self.starts.push(self.entries.len());
        Ok(())
    }

    /// Number of features, d.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of cases.
    pub fn n(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of stored entries.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// The stored (feature, value) pairs of case `i`.
    ///
    /// # Panics
    /// If `i` is not below [`SparseFeatures::n`].
    pub fn case(&self, i: usize) -> &[(u32, f32)] {
        &self.entries[self.starts[i]..self.starts[i + 1]]
    }

    /// The features of `cases`, in that order.
    #[must_use]
    pub fn select(&self, cases: &[usize]) -> Self {
        let mut selected = Self::new(self.dim);
        for &case in cases {
            selected.entries.extend_from_slice(self.case(case));
            selected.starts.push(selected.entries.len());
        }
        selected
    }
}
