//! Matrix products on column-major slices, all through one fast kernel.
//!
//! nalgebra hands a product to its packed kernel when it is a plain `gemm` of strided views. Its own transposed
//! products (`tr_mul`, `gemm_tr`) run as dot products, an order of magnitude slower, so a transposed factor is passed
//! as a view with swapped strides. It leaves the packed kernel when a dimension is 5 or less, for loops that are slow
//! and that (0.35.0) read outside of views with swapped strides, so such products are computed here in plain loops.
//! Networks pad their input and output to [`pad`] to stay on the fast side.

use nalgebra::{Dyn, MatrixView, MatrixViewMut};

use crate::scalar::Scalar;

/// A matrix stored column after column in a slice.
#[derive(Debug, Clone, Copy)]
pub struct Factor<'a, S> {
    /// The values, `rows * columns` of them.
    pub values: &'a [S],
    /// Rows as stored.
    pub rows: usize,
    /// Columns as stored.
    pub columns: usize,
    /// Whether the transpose is meant.
    pub transposed: bool,
}

impl<'a, S> Factor<'a, S> {
    /// The matrix as stored.
    pub fn new(values: &'a [S], rows: usize, columns: usize) -> Self {
        Self { values, rows, columns, transposed: false }
    }

    /// Its transpose.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    /// Rows and columns as meant.
    fn shape(&self) -> (usize, usize) {
        if self.transposed { (self.columns, self.rows) } else { (self.rows, self.columns) }
    }
}

/// What a product does with what its place held before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It is overwritten.
    Nothing,
    /// It is added to.
    Sum,
}

impl<'a, S: Scalar> Factor<'a, S> {
    fn entry(&self, row: usize, column: usize) -> S {
        self.values[if self.transposed { row * self.rows + column } else { column * self.rows + row }]
    }

    fn view(&self) -> MatrixView<'a, S, Dyn, Dyn, Dyn, Dyn> {
        let (rows, columns) = self.shape();
        let strides = if self.transposed { (self.rows, 1) } else { (1, self.rows) };
        let (row_stride, column_stride) = (Dyn(strides.0), Dyn(strides.1));
        MatrixView::from_slice_with_strides_generic(self.values, Dyn(rows), Dyn(columns), row_stride, column_stride)
    }
}

/// `out = left right`, added to what is there if `keep` is 1 instead of 0. O(rows inner columns).
///
/// # Panics
/// If the shapes do not fit.
pub fn multiply<S: Scalar>(out: &mut [S], left: Factor<'_, S>, right: Factor<'_, S>, keep: Keep) {
    let ((rows, inner), (inner_right, columns)) = (left.shape(), right.shape());
    assert_eq!(inner, inner_right, "inner dimensions of a product");
    assert_eq!(out.len(), rows * columns, "size of a product");
    if [rows, inner, columns].into_iter().min() < Some(SMALLEST_PACKED) {
        return multiply_plainly(out, left, right, keep);
    }
    let mut out: MatrixViewMut<'_, S, Dyn, Dyn, Dyn, Dyn> =
        MatrixViewMut::from_slice_with_strides_generic(out, Dyn(rows), Dyn(columns), Dyn(1), Dyn(rows));
    out.gemm(S::one(), &left.view(), &right.view(), if keep == Keep::Sum { S::one() } else { S::zero() });
}

/// The same for narrow shapes.
fn multiply_plainly<S: Scalar>(out: &mut [S], left: Factor<'_, S>, right: Factor<'_, S>, keep: Keep) {
    // What is not kept may be anything, also not a number.
    if keep == Keep::Nothing {
        out.fill(S::zero());
    }
    if left.transposed {
        return add_by_entry(out, left, right);
    }
    match left.rows {
        1 if !right.transposed => add_row(out, left.values, right),
        1 => add_short_columns::<1, S>(out, left, right),
        5 if (SMALLEST_PACKED..=BLOCK).contains(&right.rows) && right.columns >= SMALLEST_PACKED => {
            add_padded(out, left, right);
        }
        2 => add_short_columns::<2, S>(out, left, right),
        3 => add_short_columns::<3, S>(out, left, right),
        4 => add_short_columns::<4, S>(out, left, right),
        5 => add_short_columns::<5, S>(out, left, right),
        8 => add_short_columns::<8, S>(out, left, right),
        _ => add_columns(out, left, right),
    }
}

/// Rows of the packed kernel, to which narrow left factors are padded.
const PADDED: usize = 8;
/// Columns that are padded at a time: few enough for the stack.
const BLOCK: usize = 128;

/// Adds a product whose left factor has 5 rows, which fill no registers, through the packed kernel, block by block: what
/// its wide registers gain is more than the padding costs. The left factor must be as stored; the right one must have
/// 6 to [`BLOCK`] rows as stored, and 6 or more columns.
fn add_padded<S: Scalar>(out: &mut [S], left: Factor<'_, S>, right: Factor<'_, S>) {
    if right.transposed { add_padded_outer(out, left, right) } else { add_padded_sums(out, left, right) }
}

/// The same where the right factor is as stored: the inner dimension is not divided, its columns are.
fn add_padded_sums<S: Scalar>(out: &mut [S], left: Factor<'_, S>, right: Factor<'_, S>) {
    let (rows, inner) = (left.rows, right.rows);
    let (mut padded, mut sums) = ([S::zero(); PADDED * BLOCK], [S::zero(); PADDED * BLOCK]);
    copy_columns(&mut padded, PADDED, left.values, rows);
    let padded = Factor::new(&padded[..PADDED * inner], PADDED, inner);
    for (out, values) in out.chunks_mut(rows * BLOCK).zip(right.values.chunks(inner * BLOCK)) {
        let n = values.len() / inner;
        let sums = &mut sums[..PADDED * n];
        multiply(sums, padded, Factor::new(values, inner, n), Keep::Nothing);
        add_narrow(out, rows, sums);
    }
}

/// The same where it is transposed: its rows, the columns of the product, are few; the inner dimension is divided.
fn add_padded_outer<S: Scalar>(out: &mut [S], left: Factor<'_, S>, right: Factor<'_, S>) {
    let (rows, columns) = (left.rows, right.rows);
    let (mut padded, mut sums) = ([S::zero(); PADDED * BLOCK], [S::zero(); PADDED * BLOCK]);
    let sums = &mut sums[..PADDED * columns];
    for (short, values) in left.values.chunks(rows * BLOCK).zip(right.values.chunks(columns * BLOCK)) {
        let n = values.len() / columns;
        copy_columns(&mut padded, PADDED, short, rows);
        let right = Factor::new(values, columns, n).transposed();
        multiply(sums, Factor::new(&padded[..PADDED * n], PADDED, n), right, Keep::Sum);
    }
    add_narrow(out, rows, sums);
}

/// Writes columns of `from_rows` numbers to the first rows of longer ones.
fn copy_columns<S: Scalar>(to: &mut [S], to_rows: usize, from: &[S], from_rows: usize) {
    for (to, from) in to.chunks_exact_mut(to_rows).zip(from.chunks_exact(from_rows)) {
        to[..from_rows].copy_from_slice(from);
    }
}

/// Adds the first rows of padded columns.
fn add_narrow<S: Scalar>(to: &mut [S], rows: usize, padded: &[S]) {
    for (to, from) in to.chunks_exact_mut(rows).zip(padded.chunks_exact(PADDED)) {
        for (to, &from) in to.iter_mut().zip(from) {
            *to += from;
        }
    }
}

/// How many columns are gone through side by side: sums that wait for each other only within a column.
const SIDE: usize = 4;

/// Adds a product whose left factor has columns of R entries, few enough to stay in registers.
fn add_short_columns<const R: usize, S: Scalar>(out: &mut [S], left: Factor<'_, S>, right: Factor<'_, S>) {
    let (columns, []) = out.as_chunks_mut::<R>() else { return };
    let (short, _) = left.values.as_chunks::<R>();
    if right.rows == 0 || right.columns == 0 {
        return;
    }
    if right.transposed { add_outer(columns, short, right) } else { add_sums(columns, short, right) }
}

/// Adds to every column the short columns, each scaled by an entry of a column of the right factor.
fn add_sums<const R: usize, S: Scalar>(columns: &mut [[S; R]], short: &[[S; R]], right: Factor<'_, S>) {
    // Longer columns leave no registers for others beside them.
    let side_by_side = if R > SIDE { 0 } else { columns.len() / SIDE * SIDE };
    let (blocks, rest) = columns.split_at_mut(side_by_side);
    let (of_blocks, of_rest) = right.values.split_at(side_by_side * right.rows);
    let (of_blocks, of_rest) = (of_blocks.chunks_exact(SIDE * right.rows), of_rest.chunks_exact(right.rows));
    for (block, scales) in blocks.as_chunks_mut::<SIDE>().0.iter_mut().zip(of_blocks) {
        let (first, second) = scales.split_at(2 * right.rows);
        let ((a, b), (c, d)) = (first.split_at(right.rows), second.split_at(right.rows));
        let mut sums = *block;
        for ((((short, &a), &b), &c), &d) in short.iter().zip(a).zip(b).zip(c).zip(d) {
            for row in 0..R {
                sums[0][row] += short[row] * a;
                sums[1][row] += short[row] * b;
                sums[2][row] += short[row] * c;
                sums[3][row] += short[row] * d;
            }
        }
        *block = sums;
    }
    for (column, scales) in rest.iter_mut().zip(of_rest) {
        for (short, &scale) in short.iter().zip(scales) {
            for row in 0..R {
                column[row] += short[row] * scale;
            }
        }
    }
}

/// The same where the right factor is transposed: gone through as it is stored, row after row of the product's inner
/// dimension, some at a time so that a column is fetched and put back less often.
fn add_outer<const R: usize, S: Scalar>(columns: &mut [[S; R]], short: &[[S; R]], right: Factor<'_, S>) {
    let (blocks, rest) = short.as_chunks::<SIDE>();
    let of_blocks = right.values.chunks_exact(SIDE * right.rows);
    let of_rest = of_blocks.remainder().chunks_exact(right.rows);
    for ([s, t, u, v], scales) in blocks.iter().zip(of_blocks) {
        let (first, second) = scales.split_at(2 * right.rows);
        let ((a, b), (c, d)) = (first.split_at(right.rows), second.split_at(right.rows));
        for ((((column, &a), &b), &c), &d) in columns.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            for row in 0..R {
                column[row] += (s[row] * a + t[row] * b) + (u[row] * c + v[row] * d);
            }
        }
    }
    for (short, scales) in rest.iter().zip(of_rest) {
        for (column, &scale) in columns.iter_mut().zip(scales) {
            for row in 0..R {
                column[row] += short[row] * scale;
            }
        }
    }
}

/// Adds the products of a single row with every column as it is stored.
fn add_row<S: Scalar>(out: &mut [S], row: &[S], right: Factor<'_, S>) {
    for (value, column) in out.iter_mut().zip(right.values.chunks_exact(right.rows.max(1))) {
        *value += dot(row, column);
    }
}

/// The inner product, in sums that do not wait for each other.
fn dot<S: Scalar>(a: &[S], b: &[S]) -> S {
    const LANES: usize = 8;
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [S::zero(); LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let mut sum = S::zero();
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        sum += a * b;
    }
    for lane in sums {
        sum += lane;
    }
    sum
}

/// Adds a product column by column.
fn add_columns<S: Scalar>(out: &mut [S], left: Factor<'_, S>, right: Factor<'_, S>) {
    let (rows, inner) = left.shape();
    for (at, column) in out.chunks_exact_mut(rows.max(1)).enumerate() {
        for i in 0..inner {
            let scale = right.entry(i, at);
            for (value, &entry) in column.iter_mut().zip(&left.values[i * rows..(i + 1) * rows]) {
                *value += entry * scale;
            }
        }
    }
}

/// Adds a product with a transposed left factor: every entry is a sum along stored columns.
fn add_by_entry<S: Scalar>(out: &mut [S], left: Factor<'_, S>, right: Factor<'_, S>) {
    let (rows, inner) = left.shape();
    if let (1, false) = (inner, right.transposed) {
        // A single row times a single column: every column of the product is the left factor, scaled.
        for (column, &scale) in out.chunks_exact_mut(rows.max(1)).zip(right.values) {
            for (value, &entry) in column.iter_mut().zip(left.values) {
                *value += entry * scale;
            }
        }
        return;
    }
    for (at, column) in out.chunks_exact_mut(rows.max(1)).enumerate() {
        for (value, stored) in column.iter_mut().zip(left.values.chunks_exact(inner.max(1))) {
            for (i, &entry) in stored.iter().enumerate() {
                *value += entry * right.entry(i, at);
            }
        }
    }
}

/// The smallest dimension for which nalgebra uses its packed kernel.
const SMALLEST_PACKED: usize = 6;

/// `width`, or 8 where only this width keeps the packed kernel from being used: beside a width of `other`, which is not
/// padded. Where that is small itself, padding would gain nothing.
pub fn pad(width: usize, other: usize) -> usize {
    if width < SMALLEST_PACKED && other >= SMALLEST_PACKED { 8 } else { width }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_every_shape_are_what_they_say() {
        let values: Vec<f64> = (0..3_000).map(|v| f64::from((v * 37) % 11) - 4.0).collect();
        for (rows, inner, columns) in [
            (6, 7, 8),
            (3, 7, 8),
            (8, 2, 9),
            (7, 6, 1),
            (2, 2, 2),
            (5, 9, 4),
            (1, 3, 4),
            (5, 1, 9),
            (5, 9, 11),
            (1, 19, 3),
            (5, 9, 300),
            (3, 300, 9),
        ] {
            for (left_turned, right_turned) in [(false, false), (true, false), (false, true), (true, true)] {
                let factor = |rows: usize, columns: usize, turned: bool| {
                    let stored = &values[..rows * columns];
                    if turned {
                        Factor::new(stored, columns, rows).transposed()
                    } else {
                        Factor::new(stored, rows, columns)
                    }
                };
                let (left, right) = (factor(rows, inner, left_turned), factor(inner, columns, right_turned));
                let mut sum = vec![1.0; rows * columns];
                multiply(&mut sum, left, right, Keep::Sum);
                let mut plain = vec![f64::NAN; rows * columns];
                multiply(&mut plain, left, right, Keep::Nothing);
                for (row, column) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
                    let expected: f64 = (0..inner).map(|i| left.entry(row, i) * right.entry(i, column)).sum();
                    assert_eq!(sum[column * rows + row], expected + 1.0);
                    assert_eq!(plain[column * rows + row], expected);
                }
            }
        }
    }
}
