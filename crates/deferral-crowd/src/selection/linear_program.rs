//! Linear programs whose answers are proved: no solution, and no claim that there is none, leaves this module
//! unchecked.
//!
//! A solver is asked for a point only. A second call solves the dual program, whose point bounds every feasible value
//! from above (weak duality, Dantzig 1963); both points are then checked here, in plain arithmetic, against the program
//! as it was written. Where a solver finds a program infeasible or unbounded, that is proved the same way: by the
//! multipliers of rows that contradict each other (Farkas' lemma), or by a feasible point and a direction of gain.

use deferral_core::ParameterError;

/// Maximise `objective . x` such that every row and every bound holds.
///
/// Two calls of the solver a solution, as a rule; checking costs O(variables + coefficients).
///
/// ```
/// use deferral_crowd::selection::linear_program::{LinearProgram, Relation, Row};
/// // Maximise 3a + 2b with a + b <= 4, a <= 3 and b >= 0.
/// let rows = vec![Row { coefficients: vec![(0, 1.0), (1, 1.0)], relation: Relation::AtMost, rhs: 4.0 }];
/// let bounds = vec![(0.0, 3.0), (0.0, f64::INFINITY)];
/// let solution = LinearProgram { objective: vec![3.0, 2.0], rows, bounds }.solve()?;
/// assert!((solution.value - 11.0).abs() < 1e-9 && (solution.duals[0] - 2.0).abs() < 1e-9);
/// # Ok::<(), deferral_crowd::selection::linear_program::LpError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LinearProgram {
    /// One number a variable.
    pub objective: Vec<f64>,
    /// What must hold.
    pub rows: Vec<Row>,
    /// Least and largest value of each variable; infinite where there is none.
    pub bounds: Vec<(f64, f64)>,
}

/// One constraint: the sum of coefficient x variable is at most, at least or equal to `rhs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Variables with their coefficients, each variable at most once.
    pub coefficients: Vec<(usize, f64)>,
    /// How the sum compares with `rhs`.
    pub relation: Relation,
    /// The right-hand side.
    pub rhs: f64,
}

/// How a row compares with its right-hand side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Less or equal.
    AtMost,
    /// Greater or equal.
    AtLeast,
    /// Equal.
    Equal,
}

/// A point that is feasible, and optimal up to `gap`.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// The values of the variables: each within its bounds, each row missed by [`TOLERANCE`] at most, or by rounding
    /// where terms are larger than 100,000.
    pub x: Vec<f64>,
    /// The objective at `x`.
    pub value: f64,
    /// For each row what one more unit of its right-hand side is worth.
    pub duals: Vec<f64>,
    /// No feasible point is better than `value` by more than this; at most [`GAP`] (relative to the value if that is
    /// larger than 1).
    pub gap: f64,
}

/// By how much a row may be missed.
pub const TOLERANCE: f64 = 1e-9;

/// By how much sums of large terms may be off, relative to the largest: what is computed of them is no more exact.
pub(super) const ROUNDING: f64 = 1e-14;

/// The largest duality gap of a solution, relative to the largest of 1 and its value.
pub const GAP: f64 = 1e-8;

/// Why there is no solution.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LpError {
    /// Proved: no point within the bounds meets these rows together.
    #[error("no point meets rows {rows:?} together")]
    Infeasible {
        /// The rows that contradict each other.
        rows: Vec<usize>,
    },
    /// Proved: feasible points have any value.
    #[error("the objective grows without limit")]
    Unbounded,
    /// The solver's answer could not be proved.
    #[error("the solver's answer is not certain: {reason}")]
    Uncertified {
        /// What is wrong with it.
        reason: String,
    },
    /// The program is malformed.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

/// Why a solver returned no point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPoint {
    /// It believes that there is no feasible point.
    Infeasible,
    /// It believes that the objective has no limit.
    Unbounded,
    /// It gave up, and why.
    Failed(String),
}

/// Finds an optimal point. It need not be trusted: what it says is checked.
pub trait LpSolver {
    /// A point, one number a variable, that maximises the objective.
    ///
    /// # Errors
    /// [`NoPoint`] if it found none.
    fn maximise(&self, program: &LinearProgram) -> Result<Vec<f64>, NoPoint>;
}

/// The simplex method of the `microlp` library at its tightest tolerance, 1e-10.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Simplex;

impl LpSolver for Simplex {
    fn maximise(&self, program: &LinearProgram) -> Result<Vec<f64>, NoPoint> {
        match maximise(program, program.rows.iter()) {
            // Where equal rates leave a band no width, its pivots get stuck on one program of two thousand; and
            // in another order of the rows too on one of two hundred thousand.
            Err(NoPoint::Failed(_)) => maximise(program, program.rows.iter().rev()),
            outcome => outcome,
        }
    }
}

/// What `microlp` finds when it is given the rows in this order.
fn maximise<'a>(program: &LinearProgram, rows: impl Iterator<Item = &'a Row>) -> Result<Vec<f64>, NoPoint> {
    use microlp::{ComparisonOp, Error, OptimizationDirection, Problem, SolveOptions};
    let mut problem = Problem::new(OptimizationDirection::Maximize);
    let priced = program.objective.iter().zip(&program.bounds);
    let variables: Vec<_> = priced.map(|(price, bounds)| problem.add_var(*price, *bounds)).collect();
    for Row { coefficients, relation, rhs } in rows {
        let terms = coefficients.iter().map(|&(variable, factor)| (variables[variable], factor));
        let relation = match relation {
            Relation::AtMost => ComparisonOp::Le,
            Relation::AtLeast => ComparisonOp::Ge,
            Relation::Equal => ComparisonOp::Eq,
        };
        problem.add_constraint(terms, relation, *rhs);
    }
    let mut options = SolveOptions::default();
    options.tolerances.feasibility = TOLERANCE / 10.0;
    let outcome = problem.solve_with(options).map_err(|error| match error {
        Error::Infeasible => NoPoint::Infeasible,
        Error::Unbounded => NoPoint::Unbounded,
        other => NoPoint::Failed(other.to_string()),
    })?;
    let solution = outcome.solution().ok_or_else(|| NoPoint::Failed("it was interrupted".to_owned()))?;
    Ok(variables.into_iter().map(|variable| solution.var_value(variable)).collect())
}

impl LinearProgram {
    /// The proved solution found by [`Simplex`].
    ///
    /// # Errors
    /// As [`LinearProgram::solve_with`].
    pub fn solve(&self) -> Result<Solution, LpError> {
        self.solve_with(&Simplex)
    }

    /// The proved solution found by `solver`.
    ///
    /// # Errors
    /// [`LpError`] if there is none, if what the solver says cannot be proved, or if the program is malformed.
    pub fn solve_with(&self, solver: &dyn LpSolver) -> Result<Solution, LpError> {
        self.check()?;
        match solver.maximise(self) {
            Ok(x) => self.certify(x, self.multipliers(solver)?),
            Err(NoPoint::Infeasible) => Err(self.prove_infeasible(solver)),
            Err(NoPoint::Unbounded) => Err(self.prove_unbounded(solver)),
            Err(NoPoint::Failed(reason)) => Err(uncertified(reason)),
        }
    }

    /// Checks a point and one multiplier a row, whoever found them.
    ///
    /// # Errors
    /// [`LpError::Uncertified`] if the point is not feasible or the multipliers do not prove it optimal;
    /// [`LpError::Parameter`] if the program is malformed.
    pub fn certify(&self, mut x: Vec<f64>, mut duals: Vec<f64>) -> Result<Solution, LpError> {
        self.check()?;
        if x.len() != self.objective.len() || duals.len() != self.rows.len() {
            return Err(uncertified("it has the wrong length"));
        }
        for (variable, (value, &(least, most))) in x.iter_mut().zip(&self.bounds).enumerate() {
            let inside = value.clamp(least, most);
            if !at_most((*value - inside).abs(), TOLERANCE * inside.abs().max(1.0)) {
                return Err(uncertified(format!("variable {variable} is {value}, outside its bounds")));
            }
            *value = inside;
        }
        for (at, row) in self.rows.iter().enumerate() {
            let missed = row.missed_by(&x);
            if !at_most(missed, TOLERANCE.max(ROUNDING * row.scale(&x))) {
                return Err(uncertified(format!("row {at} is missed by {missed:e}")));
            }
        }
        for (dual, row) in duals.iter_mut().zip(&self.rows) {
            let (least, most) = row.relation.signs();
            *dual = dual.clamp(least, most);
        }
        let value: f64 = self.objective.iter().zip(&x).map(|(price, x)| price * x).sum();
        let gap = self.upper_bound(&duals)? - value;
        if !at_most(gap, GAP * value.abs().max(1.0)) {
            return Err(uncertified(format!("a value better by {gap:e} is not ruled out")));
        }
        Ok(Solution { x, value, duals, gap: gap.max(0.0) })
    }

    /// What no feasible point exceeds, by weak duality: any multipliers of the right signs prove such a bound. A slope
    /// of up to [`TOLERANCE`] along an unbounded variable counts as none.
    fn upper_bound(&self, duals: &[f64]) -> Result<f64, LpError> {
        let mut slopes = self.objective.clone();
        let mut bound = 0.0;
        for (row, dual) in self.rows.iter().zip(duals) {
            bound += row.rhs * dual;
            for &(variable, factor) in &row.coefficients {
                slopes[variable] -= dual * factor;
            }
        }
        for (slope, &(least, most)) in slopes.iter().zip(&self.bounds) {
            let end = if *slope > 0.0 { most } else { least };
            if end.is_finite() {
                bound += slope * end;
            } else if !at_most(slope.abs(), TOLERANCE) {
                return Err(uncertified(format!("its dual leaves a slope of {slope:e} along an unbounded variable")));
            }
        }
        Ok(bound)
    }

    fn multipliers(&self, solver: &dyn LpSolver) -> Result<Vec<f64>, LpError> {
        let mut duals = solver.maximise(&self.dual()).map_err(|why| uncertified(format!("its dual: {why:?}")))?;
        duals.truncate(self.rows.len());
        Ok(duals)
    }

    /// The dual, as a maximisation: a variable for each row, then one for each finite bound, except that the multiplier
    /// of a bound of 0 costs nothing and so is the slack of its row.
    fn dual(&self) -> Self {
        let mut objective: Vec<f64> = self.rows.iter().map(|row| -row.rhs).collect();
        let mut bounds: Vec<(f64, f64)> = self.rows.iter().map(|row| row.relation.signs()).collect();
        let mut rows: Vec<Row> = Vec::with_capacity(self.objective.len());
        for (&rhs, &(least, most)) in self.objective.iter().zip(&self.bounds) {
            let relation = match (least == 0.0, most == 0.0) {
                (true, false) => Relation::AtLeast,
                (false, true) => Relation::AtMost,
                _ => Relation::Equal,
            };
            let mut coefficients = Vec::new();
            for (end, side) in [(most, 1.0), (least, -1.0)] {
                if end.is_finite() && (end != 0.0 || relation == Relation::Equal) {
                    coefficients.push((objective.len(), side));
                    objective.push(-side * end);
                    bounds.push((0.0, f64::INFINITY));
                }
            }
            rows.push(Row { coefficients, relation, rhs });
        }
        for (multiplier, row) in self.rows.iter().enumerate() {
            for &(variable, factor) in &row.coefficients {
                rows[variable].coefficients.push((multiplier, factor));
            }
        }
        Self { objective, rows, bounds }
    }

    /// Solves the program of missing the rows by as little as possible: if that is more than nothing, its multipliers
    /// are Farkas' proof.
    fn prove_infeasible(&self, solver: &dyn LpSolver) -> LpError {
        match self.least_miss().prove_optimum(solver) {
            Ok(miss) if -miss.value > miss.gap + TOLERANCE => {
                let rows = miss.duals.iter().enumerate().filter(|(_, dual)| dual.abs() > GAP).map(|(row, _)| row);
                LpError::Infeasible { rows: rows.collect() }
            }
            Ok(_) => uncertified("it is called infeasible, but all rows can be met"),
            Err(error) => error,
        }
    }

    /// The same rows, each with variables for how much it is missed, whose sum is to be small.
    fn least_miss(&self) -> Self {
        let mut program = self.clone();
        program.objective.fill(0.0);
        for row in &mut program.rows {
            for (relation, side) in [(Relation::AtMost, -1.0), (Relation::AtLeast, 1.0)] {
                if row.relation == relation || row.relation == Relation::Equal {
                    row.coefficients.push((program.objective.len(), side));
                    program.objective.push(-1.0);
                    program.bounds.push((0.0, f64::INFINITY));
                }
            }
        }
        program
    }

    /// Finds a feasible point and a direction that stays feasible and gains.
    fn prove_unbounded(&self, solver: &dyn LpSolver) -> LpError {
        let feasible = Self { objective: vec![0.0; self.objective.len()], ..self.clone() };
        let mut direction = self.clone();
        direction.rows.iter_mut().for_each(|row| row.rhs = 0.0);
        let open = |end: f64| if end.is_finite() { 0.0 } else { end.signum() };
        direction.bounds.iter_mut().for_each(|(least, most)| (*least, *most) = (open(*least), open(*most)));
        match (feasible.prove_optimum(solver), direction.prove_optimum(solver)) {
            (Ok(_), Ok(gain)) if gain.value > gain.gap + TOLERANCE => LpError::Unbounded,
            (Ok(_), Ok(_)) => uncertified("it is called unbounded, but no direction gains"),
            (Err(error), _) | (_, Err(error)) => error,
        }
    }

    /// The solution of a program that must have one.
    fn prove_optimum(&self, solver: &dyn LpSolver) -> Result<Solution, LpError> {
        let x = solver.maximise(self).map_err(|why| uncertified(format!("a program with a solution: {why:?}")))?;
        self.certify(x, self.multipliers(solver)?)
    }

    fn check(&self) -> Result<(), ParameterError> {
        let (n, found) = (self.objective.len(), self.bounds.len());
        ParameterError::check(
            n == found,
            "the number of bounds",
            found,
            &format!("one pair for each of {n} variables"),
        )?;
        for (variable, &(least, most)) in self.bounds.iter().enumerate() {
            let ok = least <= most && least < f64::INFINITY && most > f64::NEG_INFINITY;
            let name = format!("the lower bound of variable {variable}");
            ParameterError::check(ok, &name, least, &format!("a number up to the upper bound, {most}"))?;
        }
        let prices = self.objective.iter().map(|price| (None, *price));
        let in_rows = self.rows.iter().enumerate().flat_map(|(at, row)| {
            let factors = row.coefficients.iter().map(|(_, factor)| *factor);
            factors.chain([row.rhs]).map(move |number| (Some(at), number))
        });
        if let Some((at, number)) = prices.chain(in_rows).find(|(_, number)| !number.is_finite()) {
            let place = at.map_or("the objective".to_owned(), |at| format!("row {at}"));
            return Err(ParameterError::new(format!("a number of {place}"), number, "finite"));
        }
        let mut last_row = vec![usize::MAX; n];
        for (at, row) in self.rows.iter().enumerate() {
            for &(variable, _) in &row.coefficients {
                let before = last_row.get_mut(variable).map(|last| std::mem::replace(last, at));
                let expected = format!("below {n}, each at most once");
                let ok = before.is_some_and(|before| before != at);
                ParameterError::check(ok, &format!("a variable of row {at}"), variable, &expected)?;
            }
        }
        Ok(())
    }
}

impl Row {
    fn terms(&self, x: &[f64]) -> impl Iterator<Item = f64> {
        self.coefficients.iter().map(|&(variable, factor)| factor * x[variable])
    }

    /// The largest of the right-hand side and the terms.
    fn scale(&self, x: &[f64]) -> f64 {
        self.terms(x).fold(self.rhs.abs(), |scale, term| scale.max(term.abs()))
    }

    /// By how much `x` misses the row.
    fn missed_by(&self, x: &[f64]) -> f64 {
        let over = self.terms(x).sum::<f64>() - self.rhs;
        match self.relation {
            Relation::AtMost => over,
            Relation::AtLeast => -over,
            Relation::Equal => over.abs(),
        }
    }
}

impl Relation {
    /// Least and largest multiplier of such a row in a maximisation.
    fn signs(self) -> (f64, f64) {
        match self {
            Self::AtMost => (0.0, f64::INFINITY),
            Self::AtLeast => (f64::NEG_INFINITY, 0.0),
            Self::Equal => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }
}

/// False for a number that is none.
pub(super) fn at_most(value: f64, limit: f64) -> bool {
    value <= limit
}

pub(super) fn uncertified(reason: impl Into<String>) -> LpError {
    LpError::Uncertified { reason: reason.into() }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use clarabel::algebra::CscMatrix;
    use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT, SolverStatus, ZeroConeT};
    use proptest::prelude::*;

    /// What an interior-point method finds: how it ended, and the value if it solved the program.
    pub(crate) fn interior_point(program: &LinearProgram) -> (SolverStatus, f64) {
        let n = program.objective.len();
        let (mut equal, mut at_most) = (Vec::new(), Vec::new());
        for row in &program.rows {
            let negated = row.coefficients.iter().map(|&(v, f)| (v, -f)).collect();
            match row.relation {
                Relation::Equal => equal.push((row.coefficients.clone(), row.rhs)),
                Relation::AtMost => at_most.push((row.coefficients.clone(), row.rhs)),
                Relation::AtLeast => at_most.push((negated, -row.rhs)),
            }
        }
        for (variable, &(least, most)) in program.bounds.iter().enumerate() {
            if least.is_finite() {
                at_most.push((vec![(variable, -1.0)], -least));
            }
            if most.is_finite() {
                at_most.push((vec![(variable, 1.0)], most));
            }
        }
        let cones = [ZeroConeT(equal.len()), NonnegativeConeT(at_most.len())];
        let rows: Vec<_> = equal.into_iter().chain(at_most).collect();
        let (mut at, mut columns, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (row, (coefficients, _)) in rows.iter().enumerate() {
            for &(variable, factor) in coefficients {
                at.push(row);
                columns.push(variable);
                values.push(factor);
            }
        }
        let matrix = CscMatrix::new_from_triplets(rows.len(), n, at, columns, values);
        let prices: Vec<f64> = program.objective.iter().map(|price| -price).collect();
        let rhs: Vec<f64> = rows.iter().map(|(_, rhs)| *rhs).collect();
        let tight = DefaultSettings { tol_gap_abs: 1e-10, tol_gap_rel: 1e-10, tol_feas: 1e-10, ..Default::default() };
        let settings = DefaultSettings { verbose: false, ..tight };
        let mut solver =
            DefaultSolver::new(&CscMatrix::zeros((n, n)), &prices, &matrix, &rhs, &cones, settings).unwrap();
        solver.solve();
        (solver.solution.status, -solver.solution.obj_val)
    }

    fn row(coefficients: &[f64], relation: Relation, rhs: f64) -> Row {
        Row { coefficients: coefficients.iter().copied().enumerate().collect(), relation, rhs }
    }

    fn program(objective: &[f64], rows: Vec<Row>, bounds: &[(f64, f64)]) -> LinearProgram {
        LinearProgram { objective: objective.to_vec(), rows, bounds: bounds.to_vec() }
    }

    const OPEN: (f64, f64) = (0.0, f64::INFINITY);

    #[test]
    fn duals_are_the_worth_of_a_unit_of_each_row() {
        // Maximise 3a + 5b with a <= 4, 2b <= 12, 3a + 2b <= 18: a = 2, b = 6 and duals 0, 3/2, 1.
        let rows = vec![
            row(&[1.0, 0.0], Relation::AtMost, 4.0),
            row(&[0.0, 2.0], Relation::AtMost, 12.0),
            row(&[-3.0, -2.0], Relation::AtLeast, -18.0),
        ];
        let solution = program(&[3.0, 5.0], rows, &[OPEN, OPEN]).solve().unwrap();
        let near = |found: &[f64], expected: &[f64]| found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-8);
        assert!(near(&solution.x, &[2.0, 6.0]) && near(&solution.duals, &[0.0, 1.5, -1.0]), "{solution:?}");
        assert!((solution.value - 36.0).abs() < 1e-8 && solution.gap < 1e-8);
    }

    #[test]
    fn every_kind_of_bound_has_its_dual() {
        let everywhere = (f64::NEG_INFINITY, f64::INFINITY);
        let bounds = [everywhere, (-2.0, 3.0), (f64::NEG_INFINITY, 0.0), (0.0, 0.0), (1.0, 1.0), (-5.0, f64::INFINITY)];
        let rows =
            vec![row(&[1.0; 6], Relation::AtMost, 1.0), row(&[1.0, 0.0, 0.0, 2.0, 0.0, 1.0], Relation::Equal, -4.0)];
        let solution = program(&[1.0, 2.0, 1.0, 5.0, -1.0, 0.5], rows, &bounds).solve().unwrap();
        // a + f = -4 leaves b + c <= 4, and a alone beats f, which so is at its bound of -5.
        assert!((solution.value - (1.0 + 6.0 - 1.0 - 2.5)).abs() < 1e-8, "{solution:?}");
    }

    #[test]
    fn contradicting_rows_are_named() {
        let rows = vec![
            row(&[1.0, 1.0], Relation::AtMost, 5.0),
            row(&[1.0, 0.0], Relation::AtLeast, 2.0),
            row(&[2.0, 0.0], Relation::AtMost, 3.0),
        ];
        let error = program(&[1.0, 1.0], rows, &[OPEN, OPEN]).solve().unwrap_err();
        assert_eq!(error, LpError::Infeasible { rows: vec![1, 2] });
        assert_eq!(error.to_string(), "no point meets rows [1, 2] together");
    }

    #[test]
    fn an_objective_without_limit_is_proved() {
        let rows = vec![row(&[1.0, -1.0], Relation::Equal, 2.0)];
        let error = program(&[1.0, 1.0], rows, &[OPEN, OPEN]).solve().unwrap_err();
        assert_eq!(error.to_string(), "the objective grows without limit");
    }

    /// Says what it was told to say.
    struct Parrot(Result<Vec<f64>, NoPoint>);

    impl LpSolver for Parrot {
        fn maximise(&self, _: &LinearProgram) -> Result<Vec<f64>, NoPoint> {
            self.0.clone()
        }
    }

    #[test]
    fn wrong_answers_of_a_solver_are_refused() {
        let rows = vec![row(&[1.0], Relation::AtMost, 2.0)];
        let program = program(&[1.0], rows, &[(0.0, 5.0)]);
        let say = |answer| program.solve_with(&Parrot(answer)).unwrap_err().to_string();
        assert!(say(Ok(vec![3.0])).contains("row 0 is missed by 1e0"));
        assert!(say(Ok(vec![-1.0])).contains("variable 0 is -1, outside its bounds"));
        assert!(say(Ok(vec![f64::NAN])).contains("variable 0 is NaN"));
        assert!(say(Ok(vec![1.0])).contains("a value better by 1e0 is not ruled out"));
        assert!(say(Ok(vec![])).contains("wrong length"));
        for no_point in [NoPoint::Infeasible, NoPoint::Unbounded, NoPoint::Failed("tired".to_owned())] {
            assert!(say(Err(no_point)).contains("not certain"));
        }
        assert!((program.certify(vec![2.0], vec![1.0]).unwrap().value - 2.0).abs() < 1e-12);
        assert!(program.certify(vec![2.0], vec![0.0]).is_err());
    }

    #[test]
    fn a_claim_that_all_is_feasible_or_bounded_is_checked_too() {
        /// Calls every program with the given objective what it is not.
        struct Liar(Vec<f64>, NoPoint);
        impl LpSolver for Liar {
            fn maximise(&self, program: &LinearProgram) -> Result<Vec<f64>, NoPoint> {
                if program.objective == self.0 { Err(self.1.clone()) } else { Simplex.maximise(program) }
            }
        }
        let program = program(&[1.0], vec![row(&[1.0], Relation::AtMost, 2.0)], &[OPEN]);
        let say = |lie| program.solve_with(&Liar(vec![1.0], lie)).unwrap_err().to_string();
        assert!(say(NoPoint::Infeasible).contains("all rows can be met"));
        assert!(say(NoPoint::Unbounded).contains("not certain"));
    }

    #[test]
    fn malformed_programs_are_refused() {
        let say = |program: LinearProgram| program.solve().unwrap_err().to_string();
        let at_most = |coefficients: Vec<(usize, f64)>| Row { coefficients, relation: Relation::AtMost, rhs: 1.0 };
        let message = say(program(&[1.0], vec![], &[]));
        assert_eq!(message, "the number of bounds is 0, but must be one pair for each of 1 variables");
        let message = say(program(&[1.0], vec![], &[(2.0, 1.0)]));
        assert_eq!(message, "the lower bound of variable 0 is 2, but must be a number up to the upper bound, 1");
        let message = say(program(&[1.0], vec![at_most(vec![(0, f64::NAN)])], &[OPEN]));
        assert_eq!(message, "a number of row 0 is NaN, but must be finite");
        for repeated in [vec![(1, 1.0)], vec![(0, 1.0), (0, 1.0)]] {
            let message = say(program(&[1.0], vec![at_most(repeated)], &[OPEN]));
            assert!(message.contains("but must be below 1, each at most once"), "{message}");
        }
    }

    #[test]
    fn empty_programs_and_rows_are_solved() {
        assert_eq!(LinearProgram::default().solve().unwrap().value, 0.0);
        let rows = vec![row(&[0.0], Relation::AtMost, 0.0), row(&[], Relation::Equal, 0.0)];
        assert_eq!(program(&[1.0], rows, &[(0.0, 2.0)]).solve().unwrap().value, 2.0);
        let impossible = program(&[1.0], vec![row(&[], Relation::Equal, 1.0)], &[(0.0, 2.0)]);
        assert_eq!(impossible.solve().unwrap_err(), LpError::Infeasible { rows: vec![0] });
    }

    fn any_program() -> impl Strategy<Value = LinearProgram> {
        let number = || prop_oneof![Just(0.0), -2.0..2.0, (-3i8..=3).prop_map(f64::from)];
        let relation = prop_oneof![Just(Relation::AtMost), Just(Relation::AtLeast), Just(Relation::Equal)];
        (1usize..8, 0usize..6).prop_flat_map(move |(n, r)| {
            let rows =
                proptest::collection::vec((proptest::collection::vec(number(), n), relation.clone(), number()), r);
            let ends = prop_oneof![Just((0.0, f64::INFINITY)), Just((0.0, 1.0)), Just((f64::NEG_INFINITY, 2.0))];
            (proptest::collection::vec(number(), n), rows, proptest::collection::vec(ends, n)).prop_map(
                |(objective, rows, bounds)| {
                    let rows = rows.iter().map(|(factors, relation, rhs)| row(factors, *relation, *rhs)).collect();
                    LinearProgram { objective, rows, bounds }
                },
            )
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_an_interior_point_method(program in any_program()) {
            let (status, expected) = interior_point(&program);
            // On a few programs of a hundred thousand it is the other method that gives up.
            let lost = matches!(status, SolverStatus::AlmostSolved | SolverStatus::InsufficientProgress);
            match program.solve() {
                Ok(solution) => {
                    for row in &program.rows {
                        let largest = row.scale(&solution.x);
                        prop_assert!(row.missed_by(&solution.x) <= 1e-9f64.max(1e-14 * largest), "{row:?}");
                    }
                    let near = (solution.value - expected).abs() < 1e-6 * expected.abs().max(1.0);
                    prop_assert!(lost || status == SolverStatus::Solved && near, "{status:?} {expected} {solution:?}");
                }
                Err(LpError::Infeasible { .. } | LpError::Unbounded) => {
                    prop_assert!(status != SolverStatus::Solved, "{expected}");
                }
                Err(error) => prop_assert!(false, "{error}: {program:?}"),
            }
        }
    }
}
