//! A ridge regression of the reward on the features for each worker, kept up to date one vote at a time.

use deferral_core::{Columns, ExpertId, Label, ParameterError, Vote};
use serde::{Deserialize, Serialize};

use super::choice::weighted_label;

/// Larger features are cut to this, so that no square of a finite one is infinite.
const LARGEST: f64 = 1e100;

/// One worker's regression: `A = lambda I + sum w x x'` and `b = sum w r x`, for votes with reward r on cases x that
/// count w. O(d^2) memory, O(d^2) for each operation unless it says otherwise.
///
/// The inverse follows the formula of Sherman and Morrison, but a square root W of it is kept, `A^-1 = W' W`, which
/// the formula turns into `(I - g f f') W` with `f = W x`, `g = 1 / (q + sqrt q)` and `q = 1 + f . f` (Potter's form;
/// Bierman 1977). On paper that is the same. In floating point the inverse is symmetric and positive whatever is
/// learned, while subtracting from the inverse itself fails where features are large.
///
/// ```
/// use deferral_crowd::online::LinearArm;
/// let mut arm = LinearArm::new(2, 1.0);
/// assert_eq!(arm.predict(&[1.0, 0.0]), (0.0, 1.0));
/// arm.update(&[1.0, 0.0], 1.0, 1.0);
/// let (mean, variance) = arm.predict(&[1.0, 0.0]);
/// assert!((mean - 0.5).abs() < 1e-12 && (variance - 0.5).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearArm {
    /// W: d x d, row after row.
    root: Vec<f64>,
    /// W b: d numbers.
    moment: Vec<f64>,
}

impl LinearArm {
    /// Nothing learned yet: `A = lambda I`, `b = 0`. `lambda` is above 0.
    pub fn new(dim: usize, lambda: f64) -> Self {
        let mut root = vec![0.0; dim * dim];
        root.iter_mut().step_by(dim + 1).for_each(|entry| *entry = 1.0 / lambda.sqrt());
        Self { root, moment: vec![0.0; dim] }
    }

    fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.root.chunks_exact(self.moment.len().max(1))
    }

    /// The expected reward `theta . x` with `theta = A^-1 b`, and its variance `x' A^-1 x` in units of the noise.
    /// Entries of `x` beyond d are not looked at.
    pub fn predict(&self, x: &[f64]) -> (f64, f64) {
        self.rows().zip(&self.moment).fold((0.0, 0.0), |(mean, variance), (row, moment)| {
            let f = dot(row, x);
            (mean + moment * f, variance + f * f)
        })
    }

    /// The coefficients `theta = A^-1 b`: d numbers.
    pub fn coefficients(&self) -> Vec<f64> {
        self.combine(&self.moment)
    }

    /// The inverse of A: d x d. O(d^3).
    pub fn inverse(&self) -> Vec<f64> {
        let column = |i: usize| self.rows().filter_map(move |row| row.get(i).copied()).collect::<Vec<_>>();
        (0..self.moment.len()).flat_map(|i| self.combine(&column(i))).collect()
    }

    /// `W' factors`.
    fn combine(&self, factors: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.moment.len()];
        for (row, factor) in self.rows().zip(factors) {
            add(&mut sum, *factor, row);
        }
        sum
    }

    /// Learns that a vote on case `x` had this reward, counting `weight` times; nothing if `x' A^-1 x` is not finite.
    pub fn update(&mut self, x: &[f64], reward: f64, weight: f64) {
        let root_weight = weight.sqrt();
        let f: Vec<f64> = self.rows().map(|row| root_weight * dot(row, x)).collect();
        let q = 1.0 + dot(&f, &f);
        if !q.is_finite() {
            return;
        }
        let g = 1.0 / (q + q.sqrt());
        add(&mut self.moment, root_weight * reward, &f);
        let along = dot(&f, &self.moment);
        add(&mut self.moment, -g * along, &f);
        let step = self.combine(&f);
        for (row, f) in self.root.chunks_exact_mut(f.len().max(1)).zip(&f) {
            add(row, -g * f, &step);
        }
    }
}

/// Adds `factor` times `step`.
fn add(to: &mut [f64], factor: f64, step: &[f64]) {
    to.iter_mut().zip(step).for_each(|(to, step)| *to += factor * step);
}

/// The scalar product of the common part of two slices, in eight sums that the processor can keep side by side.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let (a, a_rest) = a[..n].as_chunks::<8>();
    let (b, b_rest) = b[..n].as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for (sum, (x, y)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum::<f64>()
}

/// The regressions of m workers, and how a case becomes their x. O(m d^2) memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearArms {
    arms: Vec<LinearArm>,
    features: usize,
    intercept: bool,
}

impl LinearArms {
    /// Workers of whom nothing is known on cases with `features` features, and a constant 1 beside them if there is an
    /// intercept.
    ///
    /// # Errors
    /// If there is no feature, or `lambda` is not finite or below 1e-12.
    pub fn new(workers: usize, features: usize, intercept: bool, lambda: f64) -> Result<Self, ParameterError> {
        let expected = "1 or more: this method tells workers apart by the case";
        ParameterError::check(features > 0, "the number of features", features, expected)?;
        let ok = lambda.is_finite() && lambda >= 1e-12;
        ParameterError::check(ok, "the ridge lambda", lambda, "a finite number, 1e-12 or more")?;
        let arm = LinearArm::new(features + usize::from(intercept), lambda);
        Ok(Self { arms: vec![arm; workers], features, intercept })
    }

    /// Number of workers, m.
    pub fn len(&self) -> usize {
        self.arms.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.arms.is_empty()
    }

    /// The regression of a worker, if they are known.
    pub fn of(&self, worker: ExpertId) -> Option<&LinearArm> {
        self.arms.get(worker.index())
    }

    /// Whether a constant 1 stands beside the features.
    pub fn intercept(&self) -> bool {
        self.intercept
    }

    /// What the regressions see of a case: its features, and the constant. A case with too few has zeros, one with too
    /// many is cut, and what is not a finite number is 0.
    pub fn x(&self, features: &[f64]) -> Vec<f64> {
        let cut = |value: &f64| if value.is_finite() { value.clamp(-LARGEST, LARGEST) } else { 0.0 };
        let mut x = Vec::with_capacity(self.features + 1);
        x.extend(features.iter().take(self.features).map(cut));
        x.resize(self.features, 0.0);
        if self.intercept {
            x.push(1.0);
        }
        x
    }

    /// All coefficients, one column a worker.
    pub fn coefficients(&self) -> Columns {
        let rows = self.features + usize::from(self.intercept);
        Columns::from_values(rows, self.arms.iter().flat_map(LinearArm::coefficients).collect())
    }

    /// Makes room for one more worker, who was not heard yet; `lambda` is that of the others.
    pub(crate) fn join(&mut self, lambda: f64) {
        self.arms.push(LinearArm::new(self.features + usize::from(self.intercept), lambda));
    }

    pub(crate) fn record(&mut self, features: &[f64], votes: &[Vote], label: Label, weight: f64) {
        let x = self.x(features);
        for vote in votes {
            if let Some(arm) = self.arms.get_mut(vote.expert.index()) {
                arm.update(&x, f64::from(u8::from(vote.label == label)), weight);
            }
        }
    }

    pub(crate) fn label(&self, features: &[f64], votes: &[Vote]) -> Option<Label> {
        let x = self.x(features);
        weighted_label(votes, |worker| self.of(worker).map(|arm| share(arm.predict(&x).0)))
    }
}

/// A predicted reward cut to [0, 1].
pub(crate) fn share(reward: f64) -> f64 {
    if reward.is_nan() { 0.0 } else { reward.clamp(0.0, 1.0) }
}

/// `theta . x` for a column of coefficients and the features of a case, whose constant is left out.
pub(crate) fn expected_reward(coefficients: &[f64], features: &[f64], intercept: bool) -> f64 {
    let constant = if intercept { coefficients.last().copied().unwrap_or(0.0) } else { 0.0 };
    share(dot(coefficients, features) + constant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{Cholesky, DMatrix, DVector};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_running_inverse_equals_a_direct_solve(
            d in 1usize..12,
            values in prop::collection::vec(-3.0f64..3.0, 1..600),
            lambda in 0.1f64..10.0,
        ) {
            let mut arm = LinearArm::new(d, lambda);
            let (mut a, mut b) = (DMatrix::identity(d, d) * lambda, DVector::zeros(d));
            for (i, case) in values.chunks_exact(d).enumerate() {
                let (reward, weight) = (f64::from(u8::from(i % 3 != 0)), [1.0, 0.5, 2.0, 0.0][i % 4]);
                arm.update(case, reward, weight);
                let x = DVector::from_column_slice(case);
                a += weight * &x * x.transpose();
                b += weight * reward * x;
            }
            let solved = Cholesky::new(a.clone()).unwrap();
            let theta = solved.solve(&b);
            let inverse = solved.inverse();
            prop_assert!(arm.coefficients().iter().zip(theta.iter()).all(|(x, y)| (x - y).abs() < 1e-9));
            prop_assert!(arm.inverse().iter().zip(inverse.iter()).all(|(x, y)| (x - y).abs() < 1e-9));
            let x: Vec<f64> = values.iter().copied().cycle().skip(1).take(d).collect();
            let (mean, variance) = arm.predict(&x);
            let x = DVector::from_vec(x);
            prop_assert!((mean - theta.dot(&x)).abs() < 1e-8);
            prop_assert!((variance - (x.transpose() * &inverse * &x)[0]).abs() < 1e-8);
            let inverse = DMatrix::from_row_slice(d, d, &arm.inverse());
            prop_assert!(inverse == inverse.transpose() && Cholesky::new(inverse).is_some());
        }

        #[test]
        fn features_of_any_size_leave_it_positive(
            values in prop::collection::vec((-1.0f64..1.0, -3i32..10), 3..300),
        ) {
            let mut arm = LinearArm::new(3, 1.0);
            for (i, case) in values.chunks_exact(3).enumerate() {
                let x: Vec<f64> = case.iter().map(|&(value, power)| value * 10f64.powi(power)).collect();
                arm.update(&x, f64::from(u8::from(i % 2 == 0)), 1.0);
                let (mean, variance) = arm.predict(&x);
                // What was just seen is known: x' A^-1 x = s / (1 + s) < 1.
                prop_assert!(mean.is_finite() && (0.0..1.0 + 1e-3).contains(&variance), "{mean} {variance}");
            }
            let inverse = DMatrix::from_row_slice(3, 3, &arm.inverse());
            prop_assert_eq!(&inverse, &inverse.transpose());
        }
    }

    #[test]
    fn time_stamps_as_features_are_no_trouble() {
        // Subtracting from the inverse itself gives variances below 0 and above 1e8 here.
        let mut arm = LinearArm::new(2, 1.0);
        for i in 0..1000 {
            let x = [1.7e9 + f64::from(i), 1.0];
            arm.update(&x, f64::from(u8::from(i % 4 != 0)), 1.0);
            let (mean, variance) = arm.predict(&x);
            assert!((0.0..=1.0).contains(&variance) && (-0.1..=1.1).contains(&mean), "{i}: {mean} {variance}");
        }
        assert!((arm.predict(&[1.7e9, 1.0]).0 - 0.75).abs() < 0.01);
    }

    #[test]
    fn a_weight_is_a_number_of_repetitions() {
        let (mut once, mut thrice) = (LinearArm::new(2, 1.0), LinearArm::new(2, 1.0));
        once.update(&[1.0, -2.0], 1.0, 3.0);
        for _ in 0..3 {
            thrice.update(&[1.0, -2.0], 1.0, 1.0);
        }
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(close(&once.inverse(), &thrice.inverse()) && close(&once.coefficients(), &thrice.coefficients()));
    }

    #[test]
    fn cases_from_outside_fit_and_are_finite() {
        let arms = LinearArms::new(2, 3, true, 1.0).unwrap();
        assert_eq!(arms.x(&[1.0]), [1.0, 0.0, 0.0, 1.0]);
        assert_eq!(arms.x(&[1.0, 2.0, 3.0, 4.0]), [1.0, 2.0, 3.0, 1.0]);
        assert_eq!(arms.x(&[f64::NAN, f64::INFINITY, -1e300]), [0.0, 0.0, -1e100, 1.0]);
        assert_eq!(LinearArms::new(2, 1, false, 1.0).unwrap().x(&[7.0]), [7.0]);
    }

    #[test]
    fn parameters_are_checked() {
        let refuse = |features, lambda| LinearArms::new(2, features, true, lambda).unwrap_err().to_string();
        let message = "the number of features is 0, but must be 1 or more: this method tells workers apart by the case";
        assert_eq!(refuse(0, 1.0), message);
        assert_eq!(refuse(2, 0.0), "the ridge lambda is 0, but must be a finite number, 1e-12 or more");
        assert!(refuse(2, f64::NAN).contains("is NaN"));
    }
}
