//! Shares for workers of whom nothing is known.

use deferral_core::{Columns, ParameterError};

use super::super::linear_program::{LinearProgram, Relation, Row, TOLERANCE};
use super::certificate::check_overall;
use super::program::Program;
use super::{AllocationError, Limits, Skills};

/// The same share for each of m workers, or what is nearest to it by the sum of the differences within budget, largest
/// shares and quotas; beta says nothing as long as nobody is better than anybody. A linear program of 2 m variables.
///
/// ```
/// use deferral_crowd::selection::fair_shares::{Limits, even_shares};
/// let limits = Limits { prices: Some(vec![3.0, 1.0, 1.0]), budget: Some(1.2), ..Limits::default() };
/// // A tenth of the cases is what the first can be paid for; the two others keep a third at least.
/// let shares = even_shares(3, &limits)?;
/// assert!((shares[0] - 0.1).abs() < 1e-9 && shares[1] > 0.333 && shares[2] > 0.333);
/// # Ok::<(), deferral_crowd::selection::fair_shares::AllocationError>(())
/// ```
///
/// # Errors
/// [`AllocationError`] if limits are out of range or contradict each other, or if there is no worker.
pub fn even_shares(m: usize, limits: &Limits) -> Result<Vec<f64>, AllocationError> {
    ParameterError::check(m > 0, "the number of workers", m, "1 or more")?;
    limits.check(m)?;
    let even = 1.0 / m as f64;
    let uniform = vec![even; m];
    if check_overall(&uniform, limits).is_ok() {
        return Ok(uniform);
    }
    let alike = [Skills { share: 1.0, classes: vec![1.0], accuracies: Columns::repeat(&[0.5], m) }];
    let mut program = Program::new(&alike, &[], 1.0, limits);
    program.lp.objective.fill(0.0);
    for worker in 0..m {
        measure_distance(&mut program.lp, worker, even);
    }
    let solve = |lp: &LinearProgram| {
        let mut shares = lp.solve().map_err(|error| program.explain(error))?.x;
        shares.truncate(m);
        check_overall(&shares, limits).map_err(AllocationError::Solver)?;
        Ok(shares)
    };
    // Rows that are missed by no more than the solver's tolerance may miss a limit in another unit.
    solve(&program.lp).or_else(|missed| solve(&program.tightened(TOLERANCE)).map_err(|_: AllocationError| missed))
}

/// Adds a variable that is at least the distance of another from `from`, and costs as much.
fn measure_distance(lp: &mut LinearProgram, variable: usize, from: f64) {
    let distance = lp.objective.len();
    lp.objective.push(-1.0);
    lp.bounds.push((0.0, f64::INFINITY));
    for (side, relation) in [(-1.0, Relation::AtMost), (1.0, Relation::AtLeast)] {
        lp.rows.push(Row { coefficients: vec![(variable, 1.0), (distance, side)], relation, rhs: from });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::Quota;
    use super::*;

    fn near(found: &[f64], expected: &[f64]) {
        assert!(found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-9));
    }

    #[test]
    fn everybody_has_the_same_share_where_limits_allow_it() {
        near(&even_shares(4, &Limits::default()).unwrap(), &[0.25; 4]);
        let limits = Limits { prices: Some(vec![1.0, 2.0]), budget: Some(1.5), ..Limits::default() };
        near(&even_shares(2, &limits).unwrap(), &[0.5; 2]);
    }

    #[test]
    fn limits_are_kept_and_the_others_take_the_rest() {
        let limits = Limits { prices: Some(vec![3.0, 1.0]), budget: Some(1.2), ..Limits::default() };
        near(&even_shares(2, &limits).unwrap(), &[0.1, 0.9]);
        let limits = Limits { max_share: Some(vec![0.2, 1.0]), ..Limits::default() };
        near(&even_shares(2, &limits).unwrap(), &[0.2, 0.8]);
        let diversity = vec![Quota { members: vec![2], share: 0.5 }];
        let shares = even_shares(3, &Limits { diversity, ..Limits::default() }).unwrap();
        near(&[shares[2], shares[0] + shares[1]], &[0.5, 0.5]);
    }

    #[test]
    fn what_cannot_be_met_is_named() {
        let message = |m, limits: &Limits| even_shares(m, limits).unwrap_err().to_string();
        assert_eq!(message(0, &Limits::default()), "the number of workers is 0, but must be 1 or more");
        let limits = Limits { budget: Some(0.5), ..Limits::default() };
        let expected = "no allocation meets shares that sum to 1 and the budget together; loosen one of them";
        assert_eq!(message(2, &limits), expected);
    }
}
