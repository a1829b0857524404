//! Latent semantic features: the d directions in which texts differ most, from a randomised truncated SVD of their
//! sparse features.
//!
//! The sparse n x p matrix A is only ever multiplied with narrow matrices (Halko, Martinsson and Tropp 2011): a random
//! n x l test matrix, l a little above d, is carried back and forth between cases and features; after a few rounds its
//! columns span nearly the same space as the l leading singular vectors, and a dense l x l problem finds those in it.
//! Both sides are made orthonormal after every product, so that small singular values survive. Features are not centred,
//! as usual for text.

use deferral_core::{Columns, ParameterError, SparseFeatures, Stream};
use nalgebra::{DMatrix, DMatrixView, SymmetricEigen};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// How many columns the test matrix has beyond the directions asked for.
const OVERSAMPLING: usize = 20;
/// Rounds between cases and features before the last.
const ROUNDS: usize = 4;
/// Directions below this share of the largest singular value are rounding errors of `f32`, not text.
const SMALLEST: f64 = 1e-5;
/// The same while iterating, for the squared value.
const SMALLEST_SQUARE: f64 = 1e-12;
/// Rows that are multiplied at a time with a small dense matrix.
const BLOCK: usize = 256;

/// Directions learned from training cases; projects sparse features to d dense ones.
///
/// The value of a case is its inner product with each direction (U S of the training cases, not divided by the singular
/// values). Each direction points to where its largest loading is positive. Serialised: 4 bytes times d times p.
///
/// ```
/// use deferral_core::Stream;
/// use deferral_data::text::{NgramSpec, Svd};
/// let spec = NgramSpec { min_cases: 1, ..NgramSpec::default() };
/// let texts = ["a red house", "a blue house", "red wine", "blue sky"];
/// let sparse = spec.fit(&texts)?.transform(&texts);
/// let svd = Svd::fit(&sparse, 2, &Stream::new(1))?;
/// let dense = svd.transform(&sparse);
/// assert_eq!((dense.rows(), dense.n()), (2, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Svd {
    /// One row of d loadings a feature.
    loadings: Tall,
    singular_values: Vec<f64>,
}

/// Why no directions were found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SvdError {
    /// A parameter is outside its range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// There is nothing to decompose.
    #[error("all features of the {cases} training cases are zero, so there is no direction in which they differ")]
    Zero {
        /// Number of training cases.
        cases: usize,
    },
    /// The products overflow.
    #[error("the features are too large for a singular value decomposition in f32; scale them down")]
    Overflow,
}

impl Svd {
    /// Finds the `dim` leading directions of `features`; fewer, without an error, when the cases do not span as many
    /// (see [`Svd::dim`]).
    ///
    /// O(9 l entries + 16 l^2 (n + p)) time with l = dim + 20; 4 l (n + p) bytes beside the features.
    ///
    /// # Errors
    /// If `dim` is 0, or the features are all zero or near the largest `f32`.
    pub fn fit(features: &SparseFeatures, dim: usize, stream: &Stream) -> Result<Self, SvdError> {
        ParameterError::check(dim >= 1, "the number of latent dimensions", dim, "1 or more")?;
        let width = dim.saturating_add(OVERSAMPLING).min(features.n()).min(features.dim());
        if width == 0 {
            return Err(SvdError::Zero { cases: features.n() });
        }
        let mut of_case = random_rows(features.n(), width, stream);
        let mut of_feature = Tall::zeros(features.dim(), width);
        of_feature.set_transposed_product(features, &of_case);
        for _ in 0..ROUNDS {
            of_feature.orthonormalise()?;
            of_case.set_product(features, &of_feature);
            of_case.orthonormalise()?;
            of_feature.set_transposed_product(features, &of_case);
        }
        let singular_values = of_feature.leading_directions(dim)?;
        if singular_values.is_empty() {
            return Err(SvdError::Zero { cases: features.n() });
        }
        of_feature.fix_signs();
        Ok(Self { loadings: of_feature, singular_values })
    }

    /// Number of directions, d: what was asked for, or fewer if the training cases span fewer.
    pub fn dim(&self) -> usize {
        self.singular_values.len()
    }

    /// Number of sparse features, p.
    pub fn features(&self) -> usize {
        self.loadings.rows()
    }

    /// The d singular values, largest first.
    pub fn singular_values(&self) -> &[f64] {
        &self.singular_values
    }

    /// The d loadings of sparse feature `feature`; `None` outside `0..p`.
    pub fn loadings(&self, feature: usize) -> Option<&[f32]> {
        self.loadings.values.chunks_exact(self.dim().max(1)).nth(feature)
    }

    /// Projects cases onto the directions: d x n. Features beyond the p known ones count as 0. O(d entries).
    pub fn transform(&self, features: &SparseFeatures) -> Columns {
        let mut projected = Columns::zeros(self.dim(), features.n());
        for i in 0..features.n() {
            let column = projected.column_mut(i);
            for &(feature, value) in features.case(i) {
                let loadings = self.loadings(feature as usize).unwrap_or(&[]);
                for (sum, loading) in column.iter_mut().zip(loadings) {
                    *sum += f64::from(value) * f64::from(*loading);
                }
            }
        }
        projected
    }
}

/// A matrix with many rows and few columns, a row contiguous.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tall {
    width: usize,
    values: Vec<f32>,
}

/// Independent standard normal numbers; row i depends on the stream and on i only.
fn random_rows(rows: usize, width: usize, stream: &Stream) -> Tall {
    let row = |i| StandardNormal.sample_iter(stream.at(i)).take(width);
    Tall { width, values: (0..rows).flat_map(row).collect() }
}

impl Tall {
    fn zeros(rows: usize, width: usize) -> Self {
        Self { width, values: vec![0.0; rows * width] }
    }

    fn rows(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.width..(i + 1) * self.width]
    }

    fn row_mut(&mut self, i: usize) -> &mut [f32] {
        &mut self.values[i * self.width..(i + 1) * self.width]
    }

    /// Becomes `A other`, one row a case.
    fn set_product(&mut self, a: &SparseFeatures, other: &Self) {
        self.values.fill(0.0);
        for i in 0..a.n() {
            let row = self.row_mut(i);
            for &(feature, value) in a.case(i) {
                add_scaled(row, value, other.row(feature as usize));
            }
        }
    }

    /// Becomes `A' other`, one row a feature.
    fn set_transposed_product(&mut self, a: &SparseFeatures, other: &Self) {
        self.values.fill(0.0);
        for i in 0..a.n() {
            let row = other.row(i);
            for &(feature, value) in a.case(i) {
                add_scaled(self.row_mut(feature as usize), value, row);
            }
        }
    }

    /// Replaces the columns by orthonormal ones that span the same space, and by zeros where they span less. The second
    /// pass repairs what the first loses when the columns are nearly dependent.
    fn orthonormalise(&mut self) -> Result<(), SvdError> {
        for _ in 0..2 {
            let (values, mut vectors) = self.gram_eigen()?;
            let largest = values.first().copied().unwrap_or(0.0);
            for (&value, mut vector) in values.iter().zip(vectors.column_iter_mut()) {
                vector *= if value > largest * SMALLEST_SQUARE { value.sqrt().recip() } else { 0.0 };
            }
            self.multiply(&vectors);
        }
        Ok(())
    }

    /// Turns the columns into the at most `dim` leading left singular vectors of themselves, and returns their singular
    /// values.
    fn leading_directions(&mut self, dim: usize) -> Result<Vec<f64>, SvdError> {
        let (squares, mut vectors) = self.gram_eigen()?;
        let all: Vec<f64> = squares.iter().map(|square| square.max(0.0).sqrt()).collect();
        let largest = all.first().copied().unwrap_or(0.0);
        let usable: Vec<f64> = all.into_iter().take(dim).take_while(|&value| value > largest * SMALLEST).collect();
        for (&value, mut vector) in usable.iter().zip(vectors.column_iter_mut()) {
            vector /= value;
        }
        self.multiply(&vectors.columns(0, usable.len()).into_owned());
        Ok(usable)
    }

    /// Eigenvalues, largest first, and eigenvectors (columns) of the width x width matrix of inner products.
    fn gram_eigen(&self) -> Result<(Vec<f64>, DMatrix<f64>), SvdError> {
        let mut gram = DMatrix::<f64>::zeros(self.width, self.width);
        for block in self.values.chunks((BLOCK * self.width).max(1)) {
            let block = DMatrixView::from_slice(block, self.width, block.len() / self.width).map(f64::from);
            gram.gemm(1.0, &block, &block.transpose(), 1.0);
        }
        if gram.iter().any(|v| !v.is_finite()) {
            return Err(SvdError::Overflow);
        }
        let eigen = SymmetricEigen::new(gram);
        let mut order: Vec<usize> = (0..self.width).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        let values = order.iter().map(|&i| eigen.eigenvalues[i]).collect();
        Ok((values, eigen.eigenvectors.select_columns(&order)))
    }

    /// Multiplies with a width x new-width matrix from the right, in place: the new rows are not longer than the old.
    fn multiply(&mut self, by: &DMatrix<f64>) {
        let (old, new) = by.shape();
        let by = by.transpose();
        let mut written = 0;
        for start in (0..self.values.len()).step_by((BLOCK * old).max(1)) {
            let end = (start + BLOCK * old).min(self.values.len());
            let block = DMatrixView::from_slice(&self.values[start..end], old, (end - start) / old).map(f64::from);
            for value in (&by * block).iter() {
                self.values[written] = *value as f32;
                written += 1;
            }
        }
        self.values.truncate(written);
        self.values.shrink_to_fit();
        self.width = new;
    }

    /// Flips columns whose entry of largest size (the first of them) is negative.
    fn fix_signs(&mut self) {
        let mut largest = vec![0.0f32; self.width];
        for row in self.values.chunks_exact(self.width.max(1)) {
            for (largest, &value) in largest.iter_mut().zip(row) {
                if value.abs() > largest.abs() {
                    *largest = value;
                }
            }
        }
        for row in self.values.chunks_exact_mut(self.width.max(1)) {
            for (value, largest) in row.iter_mut().zip(&largest) {
                *value *= largest.signum();
            }
        }
    }
}

fn add_scaled(sum: &mut [f32], factor: f32, row: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(row) {
        *sum += factor * value;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{NgramSpec, testing};
    use super::*;
    use proptest::prelude::*;
    use rand::RngExt;

    /// An n x p matrix of the given rank.
    fn low_rank(n: usize, p: usize, rank: usize, seed: u64) -> DMatrix<f64> {
        let mut random = Stream::new(seed).random();
        let left = DMatrix::from_fn(n, rank, |_, _| random.random_range(-1.0..1.0));
        let right = DMatrix::from_fn(rank, p, |_, _| random.random_range(-1.0..1.0));
        // Rounded, so that the sparse copy in f32 is the same matrix.
        (left * right).map(|v: f64| f64::from(v as f32))
    }

    fn sparse(matrix: &DMatrix<f64>) -> SparseFeatures {
        let mut features = SparseFeatures::new(matrix.ncols());
        for row in matrix.row_iter() {
            let entries: Vec<(u32, f32)> = row.iter().enumerate().map(|(j, v)| (j as u32, *v as f32)).collect();
            features.push(&entries).unwrap();
        }
        features
    }

    fn loadings(svd: &Svd) -> DMatrix<f64> {
        DMatrix::from_fn(svd.features(), svd.dim(), |i, j| f64::from(svd.loadings(i).unwrap()[j]))
    }

    #[test]
    fn a_low_rank_matrix_is_decomposed_exactly() {
        for (n, p, rank) in [(30, 50, 4), (50, 30, 7), (12, 12, 1)] {
            let matrix = low_rank(n, p, rank, 3);
            let exact = matrix.clone().svd(false, false).singular_values;
            let features = sparse(&matrix);
            let svd = Svd::fit(&features, 20, &Stream::new(5)).unwrap();
            assert_eq!(svd.dim(), rank, "{n} x {p}");
            for (ours, exact_value) in svd.singular_values().iter().zip(exact.iter()) {
                assert!((ours - exact_value).abs() < 1e-6 * exact[0], "{ours} {exact_value}");
            }
            let v = loadings(&svd);
            assert!((v.tr_mul(&v) - DMatrix::identity(rank, rank)).abs().max() < 1e-5);
            assert!(reconstruction_error(&svd, &matrix) < 1e-5);
        }
    }

    #[test]
    fn leading_values_of_a_full_rank_matrix_are_found_within_the_test_matrix() {
        let matrix = low_rank(40, 25, 25, 11);
        let exact = matrix.clone().svd(false, false).singular_values;
        let svd = Svd::fit(&sparse(&matrix), 5, &Stream::new(5)).unwrap();
        for (ours, exact_value) in svd.singular_values().iter().zip(exact.iter()) {
            assert!((ours - exact_value).abs() < 1e-6 * exact[0], "{ours} {exact_value}");
        }
    }

    #[test]
    fn more_directions_reconstruct_better() {
        let matrix = low_rank(60, 80, 40, 7);
        let error = |dim| reconstruction_error(&Svd::fit(&sparse(&matrix), dim, &Stream::new(1)).unwrap(), &matrix);
        let errors: Vec<f64> = [1, 5, 10, 20, 40].map(error).to_vec();
        assert!(errors.windows(2).all(|pair| pair[1] < pair[0]), "{errors:?}");
    }

    #[test]
    fn the_same_stream_gives_the_same_bits_and_signs_do_not_depend_on_it() {
        let features = sparse(&low_rank(30, 20, 3, 2));
        let fit = |seed| Svd::fit(&features, 3, &Stream::new(seed)).unwrap();
        assert_eq!(fit(1), fit(1));
        assert!((loadings(&fit(1)) - loadings(&fit(2))).abs().max() < 1e-4);
        let v = loadings(&fit(1));
        assert!(v.column_iter().all(|column| column[column.icamax()] > 0.0));
    }

    #[test]
    fn what_cannot_be_decomposed_is_said() {
        let refuse = |features: &SparseFeatures, dim| Svd::fit(features, dim, &Stream::new(1)).unwrap_err().to_string();
        let none = SparseFeatures::new(3);
        assert_eq!(refuse(&none, 0), "the number of latent dimensions is 0, but must be 1 or more");
        assert!(refuse(&none, 2).starts_with("all features of the 0 training cases are zero"));
        let mut zero = SparseFeatures::new(3);
        zero.push(&[(1, 0.0)]).unwrap();
        zero.push(&[]).unwrap();
        assert!(refuse(&zero, 2).starts_with("all features of the 2 training cases are zero"));
        let mut huge = SparseFeatures::new(2);
        huge.push(&[(0, f32::MAX), (1, 1.0)]).unwrap();
        huge.push(&[(0, f32::MAX)]).unwrap();
        assert!(refuse(&huge, 2).starts_with("the features are too large"));
    }

    #[test]
    fn posts_of_the_crowd_corpus_have_a_hundred_directions() {
        let Some(texts) = testing::mturk() else { return };
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let tfidf = NgramSpec::default().fit(&texts).unwrap();
        let sparse = tfidf.transform(&texts);
        let svd = Svd::fit(&sparse, 100, &Stream::new(1)).unwrap();
        assert_eq!((svd.dim(), svd.features()), (100, tfidf.dim()));
        // The singular values are those within the test matrix: a little less than the directions capture.
        let captured: f64 = svd.transform(&sparse).values().iter().map(|v| v * v).sum();
        let said: f64 = svd.singular_values().iter().map(|s| s * s).sum();
        assert!(said < captured && captured < 1.01 * said, "{captured} {said}");
        assert!((0.2..0.6).contains(&(said / texts.len() as f64)), "{said}");
    }

    proptest! {
        #[test]
        fn any_small_matrix_is_decomposed_or_refused(
            cases in proptest::collection::vec(proptest::collection::vec((0u32..6, -1e3f32..1e3), 0..5), 0..9),
            dim in 1usize..9,
        ) {
            let mut features = SparseFeatures::new(6);
            for case in &cases {
                features.push(case).unwrap();
            }
            if let Ok(svd) = Svd::fit(&features, dim, &Stream::new(1)) {
                prop_assert!(svd.dim() >= 1 && svd.dim() <= dim.min(6).min(cases.len()));
                let v = loadings(&svd);
                prop_assert!((v.tr_mul(&v) - DMatrix::identity(svd.dim(), svd.dim())).abs().max() < 1e-4);
                prop_assert!(svd.transform(&features).values().iter().all(|v| v.is_finite()));
            }
        }
    }

    /// The norm of what projecting the matrix to the directions and back loses.
    fn reconstruction_error(svd: &Svd, matrix: &DMatrix<f64>) -> f64 {
        let projected = svd.transform(&sparse(matrix));
        let scores = DMatrix::from_iterator(svd.dim(), matrix.nrows(), projected.values().iter().copied()).transpose();
        (scores * loadings(svd).transpose() - matrix).norm()
    }
}
