//! Who decides which share of the cases, by a linear program: expected accuracy is largest, while error rates stay
//! balanced and limits of price, load and diversity are kept (Goel and Faltings 2019, arXiv 1810.13314).
//!
//! Known: one program for one policy that does not look at the case, and constraints of fairness, budget and diversity
//! with beta = 0.1. Reconstructed, as the full text was not at hand: the form of the program. Guessed: for K classes
//! the policy's accuracies on all pairs of classes differ by at most beta (for two classes that balances false positive
//! and false negative rates); with groups, the accuracies on all pairs of groups do, class by class; budget, largest
//! shares and quotas speak of all cases together; classes and groups without any case are left out of the balance; a
//! beta that nothing meets is doubled, from 0.01 at least.
//!
//! Every allocation is checked as the limits are stated, in plain arithmetic: shares sum to 1, and no difference of
//! error rates, price, share or quota misses its limit by more than 1e-9 (a budget above 100,000: by more than
//! rounding).

mod certificate;
mod even;
mod program;

use std::fmt;

use deferral_core::{Columns, FitError, ParameterError};
use serde::{Deserialize, Serialize};

use super::linear_program::{LpError, LpSolver, Simplex, Solution, TOLERANCE};
use super::prices::check_prices;
use certificate::certify;
use program::Program;

pub use even::even_shares;

/// What a policy must keep to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The largest difference of error rates, beta, from 0 to 1. 1 forbids nothing.
    pub beta: f64,
    /// What a label of each worker costs, 0 or more; 1 each if nothing is said. Matters under a budget only.
    pub prices: Option<Vec<f64>>,
    /// What a case may cost on average.
    pub budget: Option<f64>,
    /// The largest share of the cases of each worker, or one number for everybody.
    pub max_share: Option<Vec<f64>>,
    /// Least shares of the cases for teams of workers.
    pub diversity: Vec<Quota>,
}

/// A least share of the cases for some workers together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Positions of the workers in the roster.
    pub members: Vec<usize>,
    /// Their share, from 0 to 1.
    pub share: f64,
}

/// How good the workers are on one group of cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Skills {
    /// The group's share of all cases, rho.
    pub share: f64,
    /// The share of each class within the group, q: K numbers.
    pub classes: Vec<f64>,
    /// How probably each worker is right when each class is true: K x m, one worker a column.
    pub accuracies: Columns,
}

/// Who decides which share of the cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Allocation {
    /// For each group (only one if there are none) one share a worker; they sum to 1.
    pub shares: Vec<Vec<f64>>,
    /// The expected accuracy.
    pub value: f64,
    /// The largest difference of error rates that is left.
    pub parity_gap: f64,
    /// The difference that was allowed in the end.
    pub beta: f64,
    /// Whether that is more than was asked for, because nothing met the limits otherwise.
    pub relaxed: bool,
    /// What one more unit of each constraint's right-hand side is worth in accuracy.
    pub duals: Vec<(Constraint, f64)>,
    /// No policy within the limits is more accurate by more than this.
    pub duality_gap: f64,
}

/// A constraint of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Constraint {
    /// The shares of a group sum to 1.
    Total {
        /// The group.
        group: usize,
    },
    /// The accuracy on a class of a group is not too far from the others; there is a lower and an upper one.
    Parity {
        /// The group.
        group: usize,
        /// The class.
        class: usize,
    },
    /// The mean price of a case.
    Budget,
    /// The largest share of a worker.
    MaxShare {
        /// The worker.
        worker: usize,
    },
    /// The least share of a team.
    Diversity {
        /// Position of the team in the list.
        team: usize,
    },
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total { .. } => f.write_str("shares that sum to 1"),
            Self::Parity { .. } => f.write_str("the parity"),
            Self::Budget => f.write_str("the budget"),
            Self::MaxShare { .. } => f.write_str("the largest shares"),
            Self::Diversity { team } => write!(f, "the share of team {team}"),
        }
    }
}

/// Why there is no policy.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AllocationError {
    /// Whatever the parity, these cannot be met together.
    #[error("no allocation meets {} together; loosen one of them", listed(constraints))]
    Impossible {
        /// The constraints in conflict.
        constraints: Vec<Constraint>,
    },
    /// A limit is out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The program was not solved.
    #[error(transparent)]
    Solver(LpError),
}

impl From<AllocationError> for FitError {
    fn from(error: AllocationError) -> Self {
        match error {
            AllocationError::Parameter(error) => Self::Parameter(error),
            other => Self::Aggregate(other.to_string()),
        }
    }
}

fn listed(constraints: &[Constraint]) -> String {
    let mut names: Vec<String> = constraints.iter().map(ToString::to_string).collect();
    names.sort_unstable();
    names.dedup();
    names.join(" and ")
}

impl Default for Limits {
    /// Error rates that differ by 0.1 at most, and nothing else.
    fn default() -> Self {
        Self { beta: 0.1, prices: None, budget: None, max_share: None, diversity: Vec::new() }
    }
}

impl Limits {
    /// Passes limits that speak of `m` workers and lie in their ranges.
    ///
    /// # Errors
    /// Names the limit and what would be accepted.
    pub fn check(&self, m: usize) -> Result<(), ParameterError> {
        let share = |name: &str, share: f64| {
            ParameterError::check((0.0..=1.0).contains(&share), name, share, "a number from 0 to 1")
        };
        share("beta", self.beta)?;
        if let Some(budget) = self.budget {
            let ok = budget.is_finite() && budget >= 0.0;
            ParameterError::check(ok, "the budget of a case", budget, "a finite number, 0 or more")?;
        }
        if let Some(prices) = &self.prices {
            check_prices(prices, m)?;
        }
        if let Some(shares) = &self.max_share {
            let expected = format!("1, or one for each of the {m} workers");
            let ok = shares.len() == m || shares.len() == 1;
            ParameterError::check(ok, "the number of largest shares", shares.len(), &expected)?;
            shares.iter().try_for_each(|&largest| share("a largest share", largest))?;
        }
        for (team, quota) in self.diversity.iter().enumerate() {
            share(&format!("the share of team {team}"), quota.share)?;
            if let Some(worker) = quota.members.iter().find(|worker| **worker >= m) {
                return Err(ParameterError::new(format!("a member of team {team}"), worker, format!("below {m}")));
            }
        }
        Ok(())
    }

    /// Room for worker `m`, who costs `price`, may have as large a share as anybody, and is in no team.
    pub(super) fn admit(&mut self, m: usize, price: f64) {
        if self.prices.is_some() || price.to_bits() != 1f64.to_bits() {
            self.prices.get_or_insert_with(|| vec![1.0; m]).push(price);
        }
        if let Some(shares) = self.max_share.as_mut().filter(|shares| shares.len() > 1) {
            let largest = shares.iter().copied().fold(0.0, f64::max);
            shares.push(largest);
        }
    }

    pub(super) fn price(&self, worker: usize) -> f64 {
        self.prices.as_ref().map_or(1.0, |prices| prices[worker])
    }

    pub(super) fn largest_share(&self, worker: usize) -> f64 {
        match self.max_share.as_deref() {
            None => 1.0,
            Some([share]) => *share,
            Some(shares) => shares[worker],
        }
    }
}

/// The policy for all cases alike. `accuracies` are K x m: how probably each worker (a column) is right when each class
/// is true. `classes` are the K shares of the classes. On any two classes the accuracies of the policy differ by at
/// most beta.
///
/// A linear program of m variables and 2 K rows, one more for each other limit.
///
/// ```
/// use deferral_core::Columns;
/// use deferral_crowd::selection::fair_shares::{Limits, policy};
/// // Three workers on two classes; the third is half as expensive.
/// let accuracies = Columns::from_values(2, vec![0.9, 0.6, 0.7, 0.8, 0.8, 0.5]);
/// let limits = Limits { prices: Some(vec![1.0, 1.0, 0.5]), budget: Some(0.8), ..Limits::default() };
/// let allocation = policy(&accuracies, &[0.5, 0.5], &limits)?;
/// assert!((allocation.value - 0.71).abs() < 1e-9 && (allocation.shares[0][1] - 0.6).abs() < 1e-9);
/// # Ok::<(), deferral_crowd::selection::fair_shares::AllocationError>(())
/// ```
///
/// # Errors
/// [`AllocationError`] if limits or estimates are out of range, or if the limits contradict each other.
pub fn policy(accuracies: &Columns, classes: &[f64], limits: &Limits) -> Result<Allocation, AllocationError> {
    let group = [Skills { share: 1.0, classes: classes.to_vec(), accuracies: accuracies.clone() }];
    check_skills(&group)?;
    let band = (0..classes.len()).filter(|&class| classes[class] > 0.0).map(|class| (0, class)).collect();
    relax_until_feasible(&group, &[band], limits)
}

/// A policy for each group: on every class the accuracies on any two groups differ by at most beta. Budget, largest
/// shares and quotas are those of all cases together. A group of share 0 gets the mean policy of the others.
///
/// G m variables, 2 K G rows, one more for each other limit.
///
/// # Errors
/// As [`policy`].
pub fn group_policy(groups: &[Skills], limits: &Limits) -> Result<Allocation, AllocationError> {
    check_skills(groups)?;
    let bands: Vec<Band> = (0..groups[0].classes.len())
        .map(|class| {
            let has_cases = |&g: &usize| groups[g].share > 0.0 && groups[g].classes[class] > 0.0;
            (0..groups.len()).filter(has_cases).map(|g| (g, class)).collect()
        })
        .collect();
    let mut allocation = relax_until_feasible(groups, &bands, limits)?;
    let mut everywhere = mean_policy(groups, &allocation.shares);
    let total: f64 = everywhere.iter().sum();
    for share in &mut everywhere {
        *share /= total;
    }
    for (policy, _) in allocation.shares.iter_mut().zip(groups).filter(|(_, group)| group.share == 0.0) {
        policy.clone_from(&everywhere);
    }
    Ok(allocation)
}

/// Group and class of the accuracies that must lie within beta of one another.
type Band = Vec<(usize, usize)>;

/// The policy of all groups together.
fn mean_policy(groups: &[Skills], shares: &[Vec<f64>]) -> Vec<f64> {
    let of_worker = |worker: usize| groups.iter().zip(shares).map(|(group, policy)| group.share * policy[worker]).sum();
    (0..groups[0].accuracies.n()).map(of_worker).collect()
}

fn relax_until_feasible(groups: &[Skills], bands: &[Band], limits: &Limits) -> Result<Allocation, AllocationError> {
    limits.check(groups[0].accuracies.n())?;
    let mut beta = limits.beta;
    loop {
        // A difference of 1 is always allowed.
        let bands_in_force = if beta < 1.0 { bands } else { &[] };
        match allocate(groups, bands_in_force, beta, limits, &Simplex) {
            Ok(allocation) => {
                let gaps = bands.iter().map(|band| spread(band, groups, &allocation.shares));
                return Ok(Allocation {
                    parity_gap: gaps.fold(0.0, f64::max),
                    relaxed: beta > limits.beta,
                    ..allocation
                });
            }
            Err(AllocationError::Impossible { .. }) if beta < 1.0 => beta = relaxed(beta),
            Err(error) => return Err(error),
        }
    }
}

/// The best allocation for this beta, certified. A solver keeps its rows up to a tolerance, but a limit may be the
/// difference of two rows, or a row in another unit: where it is missed so, the rows are tightened by that tolerance.
fn allocate(
    groups: &[Skills],
    bands: &[Band],
    beta: f64,
    limits: &Limits,
    solver: &dyn LpSolver,
) -> Result<Allocation, AllocationError> {
    let program = Program::new(groups, bands, beta, limits);
    let solution = program.lp.solve_with(solver).map_err(|error| program.explain(error))?;
    let allocation = program.allocation(solution, beta);
    let Err(missed) = certify(&allocation.shares, groups, bands, beta, limits) else { return Ok(allocation) };
    let tight = program.tightened(TOLERANCE).solve_with(solver);
    // That what tightening costs is negligible is part of the proof.
    let proved = tight.and_then(|Solution { x, duals, .. }| program.lp.certify(x, duals));
    let Ok(solution) = proved else { return Err(AllocationError::Solver(missed)) };
    let allocation = program.allocation(solution, beta);
    certify(&allocation.shares, groups, bands, beta, limits).map_err(AllocationError::Solver)?;
    Ok(allocation)
}

/// The beta to try after one that nothing meets: twice as much, and 0.01 at least, as twice nothing is nothing.
fn relaxed(beta: f64) -> f64 {
    (2.0 * beta).clamp(0.01, 1.0)
}

/// By how much the accuracies of one band differ.
fn spread(band: &Band, groups: &[Skills], shares: &[Vec<f64>]) -> f64 {
    let accuracy = |&(group, class): &(usize, usize)| -> f64 {
        let right = |(share, worker): (&f64, &[f64])| share * worker[class];
        shares[group].iter().zip(groups[group].accuracies.iter()).map(right).sum()
    };
    let (least, most) = band.iter().map(accuracy).fold((1.0, 0.0), |(a, b): (f64, f64), x| (a.min(x), b.max(x)));
    (most - least).max(0.0)
}

/// Passes estimates of at least one worker and one class that are probabilities, of the same size in all groups.
fn check_skills(groups: &[Skills]) -> Result<(), ParameterError> {
    let Some(first) = groups.first() else {
        return Err(ParameterError::new("the number of groups", 0, "1 or more"));
    };
    let (m, classes) = (first.accuracies.n(), first.classes.len());
    ParameterError::check(classes > 0, "the number of classes", classes, "1 or more")?;
    ParameterError::check(m > 0, "the number of workers", m, "1 or more")?;
    check_distribution("the groups", groups.iter().map(|group| group.share))?;
    for group in groups {
        let found = format!("{} x {}", group.accuracies.rows(), group.accuracies.n());
        let same = group.accuracies.rows() == classes && group.accuracies.n() == m && group.classes.len() == classes;
        ParameterError::check(same, "the size of a group's accuracies", found, &format!("{classes} x {m}"))?;
        if group.share > 0.0 {
            check_distribution("the classes", group.classes.iter().copied())?;
        }
        if let Some(wrong) = group.accuracies.values().iter().find(|a| !(0.0..=1.0).contains(*a)) {
            return Err(ParameterError::new("an accuracy", wrong, "a number from 0 to 1"));
        }
    }
    Ok(())
}

fn check_distribution(what: &str, shares: impl Iterator<Item = f64> + Clone) -> Result<(), ParameterError> {
    if let Some(wrong) = shares.clone().find(|share| !(0.0..=1.0).contains(share)) {
        return Err(ParameterError::new(format!("a share of {what}"), wrong, "a number from 0 to 1"));
    }
    let total: f64 = shares.sum();
    ParameterError::check((total - 1.0).abs() < 1e-6, &format!("the sum of the shares of {what}"), total, "1")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::linear_program::tests::interior_point;
    use super::super::linear_program::{LinearProgram, NoPoint};
    use super::*;
    use clarabel::solver::SolverStatus;
    use proptest::prelude::*;

    /// The three workers of the numeric example.
    fn example() -> Columns {
        Columns::from_values(2, vec![0.9, 0.6, 0.7, 0.8, 0.8, 0.5])
    }

    fn beta(beta: f64) -> Limits {
        Limits { beta, ..Limits::default() }
    }

    fn budget(prices: &[f64], budget: f64) -> Limits {
        Limits { prices: Some(prices.to_vec()), budget: Some(budget), ..Limits::default() }
    }

    fn solved(accuracies: &Columns, limits: &Limits) -> Allocation {
        let classes = vec![1.0 / accuracies.rows() as f64; accuracies.rows()];
        policy(accuracies, &classes, limits).unwrap()
    }

    fn near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-6), "{found:?} {expected:?}");
    }

    #[test]
    fn numeric_example_without_prices() {
        let allocation = solved(&example(), &Limits::default());
        near(&[allocation.value, allocation.shares[0].iter().sum(), allocation.beta], &[0.75, 1.0, 0.1]);
        let [a, b, c] = allocation.shares[0][..] else { unreachable!() };
        let gap = (0.3 * a - 0.1 * b + 0.3 * c).abs();
        assert!(gap <= 0.1 + 1e-9 && a >= 0.0 && b >= 0.0 && c >= 0.0);
        near(&[allocation.parity_gap], &[gap]);
        assert!(!allocation.relaxed && allocation.duality_gap < 1e-8);
    }

    #[test]
    fn numeric_example_of_equal_error_rates() {
        let allocation = solved(&example(), &beta(0.0));
        near(&allocation.shares[0], &[0.25, 0.75, 0.0]);
        near(&[allocation.value, allocation.parity_gap, allocation.beta], &[0.75, 0.0, 0.0]);
        assert!(!allocation.relaxed);
    }

    #[test]
    fn numeric_example_with_prices() {
        for currency in [1.0, 1e-9, 1e9] {
            let prices = [1.0, 1.0, 0.5].map(|price| price * currency);
            let allocation = solved(&example(), &budget(&prices, 0.8 * currency));
            near(&allocation.shares[0], &[0.0, 0.6, 0.4]);
            near(&[allocation.value, allocation.parity_gap], &[0.71, 0.06]);
            // A unit more of budget moves two units of share from worker 2 to worker 1, who is better by 0.1.
            let worth = allocation.duals.iter().find(|(name, _)| *name == Constraint::Budget).unwrap().1;
            near(&[worth * currency], &[0.2]);
        }
    }

    #[test]
    fn parity_that_nothing_meets_is_doubled() {
        let skewed = Columns::from_values(2, vec![0.9, 0.2]);
        let allocation = solved(&skewed, &Limits::default());
        assert!(allocation.relaxed);
        near(&[allocation.beta, allocation.parity_gap, allocation.value], &[0.8, 0.7, 0.55]);
        near(&[solved(&skewed, &beta(0.0)).beta, solved(&skewed, &beta(0.3)).beta], &[1.0, 1.0]);
        let nearly = Columns::from_values(2, vec![0.6, 0.605]);
        near(&[solved(&nearly, &beta(0.0)).beta], &[0.01]);
        let opposite = Columns::from_values(2, vec![1.0, 0.0]);
        near(&[solved(&opposite, &beta(0.1)).beta], &[1.0]);
    }

    #[test]
    fn all_pairs_of_classes_are_balanced_but_those_without_cases() {
        let accuracies = Columns::from_values(3, vec![0.9, 0.5, 0.6, 0.5, 0.9, 0.5, 0.4, 0.4, 0.9]);
        let allocation = solved(&accuracies, &beta(0.02));
        assert!(!allocation.relaxed && allocation.parity_gap <= 0.02 + 1e-9);
        // A fourth class that no case has, and whose accuracies are far off.
        let with_fourth = accuracies.iter().flat_map(|worker| worker.iter().copied().chain([0.0])).collect();
        let third = 1.0 / 3.0;
        let same = policy(&Columns::from_values(4, with_fourth), &[third, third, third, 0.0], &beta(0.02)).unwrap();
        near(&[same.value, same.parity_gap], &[allocation.value, allocation.parity_gap]);
    }

    #[test]
    fn largest_shares_and_quotas_are_kept() {
        let one = Limits { max_share: Some(vec![0.4]), ..beta(1.0) };
        near(&solved(&example(), &one).shares[0], &[0.4, 0.4, 0.2]);
        let each = Limits { max_share: Some(vec![0.1, 0.5, 1.0]), ..beta(1.0) };
        near(&solved(&example(), &each).shares[0], &[0.1, 0.5, 0.4]);
        let quota = Quota { members: vec![2, 2], share: 0.3 };
        let diverse = Limits { diversity: vec![quota], ..beta(1.0) };
        let allocation = solved(&example(), &diverse);
        near(&[allocation.shares[0][2], allocation.value], &[0.3, 0.7 * 0.75 + 0.3 * 0.65]);
    }

    #[test]
    fn limits_in_conflict_are_named() {
        let message = |limits: Limits| policy(&example(), &[0.5, 0.5], &limits).unwrap_err().to_string();
        let expected = "no allocation meets shares that sum to 1 and the budget together; loosen one of them";
        assert_eq!(message(budget(&[1.0, 1.0, 0.5], 0.3)), expected);
        let expected = "no allocation meets shares that sum to 1 and the largest shares together; loosen one of them";
        assert_eq!(message(Limits { max_share: Some(vec![0.3]), ..Limits::default() }), expected);
        let quota = |members: &[usize], share| Quota { members: members.to_vec(), share };
        let diversity = vec![quota(&[0], 0.6), quota(&[1, 2], 0.5)];
        let expected = "no allocation meets shares that sum to 1 and the share of team 0 and the share of team 1 \
            together; loosen one of them";
        assert_eq!(message(Limits { diversity, ..Limits::default() }), expected);
        let diversity = vec![quota(&[], 0.1)];
        let expected = "no allocation meets the share of team 0 together; loosen one of them";
        assert_eq!(message(Limits { diversity, ..Limits::default() }), expected);
    }

    #[test]
    fn degenerate_teams_have_a_policy() {
        let one = solved(&Columns::from_values(2, vec![0.7, 0.7]), &Limits::default());
        near(&[one.shares[0][0], one.value], &[1.0, 0.7]);
        let alike = solved(&Columns::repeat(&[0.5, 0.5], 7), &beta(0.0));
        near(&[alike.value, alike.shares[0].iter().sum()], &[0.5, 1.0]);
        near(&[solved(&example(), &budget(&[0.0; 3], 0.0)).value], &[0.75]);
        near(&[solved(&Columns::repeat(&[0.9], 2), &Limits::default()).value], &[0.9]);
    }

    #[test]
    fn groups_are_balanced_class_by_class() {
        // Worker 0 is good on group 0, worker 1 on both, but worse there.
        let group = |share, values: &[f64]| Skills {
            share,
            classes: vec![0.5, 0.5],
            accuracies: Columns::from_values(2, values.to_vec()),
        };
        let groups = [group(0.5, &[1.0, 1.0, 0.7, 0.7]), group(0.5, &[0.2, 0.2, 0.8, 0.8])];
        let allocation = group_policy(&groups, &beta(0.1)).unwrap();
        near(&allocation.shares[0], &[2.0 / 3.0, 1.0 / 3.0]);
        near(&allocation.shares[1], &[0.0, 1.0]);
        near(&[allocation.value, allocation.parity_gap], &[0.85, 0.1]);
        // A group without cases binds nobody and gets the mean policy.
        let unseen = [groups[0].clone(), group(0.0, &[0.0; 4]), groups[1].clone()];
        let allocation = group_policy(&unseen, &beta(0.1)).unwrap();
        near(&allocation.shares[1], &[1.0 / 3.0, 2.0 / 3.0]);
        near(&[allocation.value, allocation.parity_gap], &[0.85, 0.1]);
        // A largest share is one of all cases.
        let capped = Limits { max_share: Some(vec![0.25, 1.0]), ..beta(0.1) };
        near(&group_policy(&groups, &capped).unwrap().shares[0], &[0.5, 0.5]);
    }

    #[test]
    fn bad_limits_and_estimates_are_refused() {
        let message = |limits: Limits| policy(&example(), &[0.5, 0.5], &limits).unwrap_err().to_string();
        assert_eq!(message(beta(f64::NAN)), "beta is NaN, but must be a number from 0 to 1");
        let found = message(budget(&[1.0], 1.0));
        assert_eq!(found, "the number of prices is 1, but must be one for each of the 3 workers");
        let found = message(budget(&[1.0, -1.0, 0.0], 1.0));
        assert_eq!(found, "the price of worker 1 is -1, but must be a finite number, 0 or more");
        let found = message(Limits { budget: Some(f64::INFINITY), ..Limits::default() });
        assert_eq!(found, "the budget of a case is inf, but must be a finite number, 0 or more");
        let found = message(Limits { max_share: Some(vec![0.5; 2]), ..Limits::default() });
        assert_eq!(found, "the number of largest shares is 2, but must be 1, or one for each of the 3 workers");
        let diversity = vec![Quota { members: vec![3], share: 0.1 }];
        assert_eq!(message(Limits { diversity, ..beta(0.1) }), "a member of team 0 is 3, but must be below 3");

        let message =
            |values: &[f64], classes: &[f64]| policy(&Columns::from_values(2, values.to_vec()), classes, &beta(0.1));
        let message = |values: &[f64], classes: &[f64]| message(values, classes).unwrap_err().to_string();
        assert_eq!(message(&[1.5, 0.5], &[0.5, 0.5]), "an accuracy is 1.5, but must be a number from 0 to 1");
        assert_eq!(message(&[0.5, 0.5], &[0.5, 0.6]), "the sum of the shares of the classes is 1.1, but must be 1");
        assert_eq!(message(&[], &[0.5, 0.5]), "the number of workers is 0, but must be 1 or more");
        let found = message(&[0.5, 0.5], &[1.0]);
        assert_eq!(found, "the size of a group's accuracies is 2 x 1, but must be 1 x 1");
        let found = group_policy(&[], &beta(0.1)).unwrap_err().to_string();
        assert_eq!(found, "the number of groups is 0, but must be 1 or more");
    }

    #[test]
    fn programs_on_which_the_solver_gets_stuck_are_solved_in_another_order() {
        // Right answers and answers of four workers on each of two classes.
        let tables = [
            [(1, 4), (0, 0), (0, 0), (5, 7), (0, 5), (2, 2), (1, 6), (1, 1)],
            [(0, 1), (0, 0), (0, 0), (3, 4), (0, 4), (2, 5), (2, 5), (2, 3)],
            [(0, 0), (1, 4), (2, 2), (0, 5), (4, 5), (0, 0), (1, 1), (0, 0)],
        ];
        for table in tables {
            let accuracy = |(right, answered): (u8, u8)| f64::from(right + 1) / f64::from(answered + 2);
            let found = solved(&Columns::from_values(2, table.map(accuracy).to_vec()), &beta(0.0));
            assert!(found.parity_gap <= found.beta + 1e-9 && found.duality_gap < 1e-8, "{found:?}");
        }
    }

    /// Solves well and then misses every row by almost the tolerance.
    struct Sloppy;

    impl LpSolver for Sloppy {
        fn maximise(&self, program: &LinearProgram) -> Result<Vec<f64>, NoPoint> {
            let x = Simplex.maximise(program)?;
            Ok(x.into_iter().map(|value| value * (1.0 + 0.9e-9)).collect())
        }
    }

    #[test]
    fn a_budget_that_a_solver_misses_a_little_is_kept_by_tighter_rows() {
        let group = [Skills { share: 1.0, classes: vec![0.5, 0.5], accuracies: example() }];
        let limits = budget(&[10_000.0, 10_000.0, 5_000.0], 8_000.0);
        let band = [vec![(0, 0), (0, 1)]];
        let missed = Program::new(&group, &band, 0.1, &limits).lp.solve_with(&Sloppy).unwrap();
        let cost = |shares: &[f64]| 10_000.0 * (shares[0] + shares[1]) + 5_000.0 * shares[2];
        assert!(cost(&missed.x) > 8_000.0 + 1e-6);
        let found = allocate(&group, &band, 0.1, &limits, &Sloppy).unwrap();
        assert!(cost(&found.shares[0]) <= 8_000.0 + 1e-9, "{}", cost(&found.shares[0]) - 8_000.0);
        near(&[found.value], &[0.71]);
        // Where there is no room left, what is missed is an error.
        let limits = budget(&[10_000.0; 3], 10_000.0);
        let message = allocate(&group, &band, 0.1, &limits, &Sloppy).unwrap_err().to_string();
        assert!(message.starts_with("the solver's answer is not certain: the budget: missed by 9"), "{message}");
    }

    fn distribution(weights: &[f64]) -> Vec<f64> {
        let total: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / total).collect()
    }

    fn any_groups() -> impl Strategy<Value = Vec<Skills>> {
        (1usize..4, 1usize..5, 1usize..9).prop_flat_map(|(groups, classes, m)| {
            let accuracies = proptest::collection::vec(prop_oneof![0.0..=1.0, Just(0.5)], classes * m);
            let group = (0.1..1.0, proptest::collection::vec(0.1..1.0, classes), accuracies);
            proptest::collection::vec(group, groups).prop_map(move |groups| {
                let shares = distribution(&groups.iter().map(|group| group.0).collect::<Vec<_>>());
                let skills = |(share, (_, q, a)): (f64, (f64, Vec<f64>, Vec<f64>))| Skills {
                    share,
                    classes: distribution(&q),
                    accuracies: Columns::from_values(classes, a),
                };
                shares.into_iter().zip(groups).map(skills).collect()
            })
        })
    }

    /// Limits that some policy meets, whatever the parity, for up to 8 workers.
    fn any_limits() -> impl Strategy<Value = Limits> {
        let prices = proptest::collection::vec(prop_oneof![Just(0.0), 0.0..10.0], 8);
        (0.0..=1.0, prices, any::<bool>(), 0.0..0.5, 0.0..1.0).prop_map(|(beta, prices, with_cap, share, spare)| {
            Limits {
                beta,
                prices: Some(prices),
                budget: Some(spare * 10.0),
                max_share: with_cap.then(|| vec![share]),
                diversity: vec![Quota { members: vec![0], share: share * 0.1 }],
            }
        })
    }

    /// Makes limits of 8 workers fit m, and keeps them loose enough.
    fn fit(mut limits: Limits, m: usize) -> Limits {
        let prices = limits.prices.as_mut().unwrap();
        prices.truncate(m);
        let mean = prices.iter().sum::<f64>() / m as f64;
        limits.budget = limits.budget.map(|budget| budget.max(mean));
        limits.max_share = limits.max_share.map(|share| vec![share[0].max(1.0 / m as f64)]);
        limits.diversity[0].share = limits.diversity[0].share.min(1.0 / m as f64);
        limits
    }

    fn check_allocation(groups: &[Skills], bands: &[Band], limits: &Limits, found: &Allocation) {
        for policy in &found.shares {
            assert!((policy.iter().sum::<f64>() - 1.0).abs() < 1e-9 && policy.iter().all(|share| *share >= 0.0));
        }
        for band in bands {
            assert!(spread(band, groups, &found.shares) <= found.beta + 1e-9);
        }
        let overall = mean_policy(groups, &found.shares);
        let cost: f64 = overall.iter().enumerate().map(|(worker, share)| share * limits.price(worker)).sum();
        assert!(cost <= limits.budget.unwrap() + 1e-9);
        assert!(overall.iter().enumerate().all(|(worker, share)| *share <= limits.largest_share(worker) + 1e-9));
        assert!(overall[0] >= limits.diversity[0].share - 1e-9);

        let value = |beta| interior_point(&Program::new(groups, if beta < 1.0 { bands } else { &[] }, beta, limits).lp);
        let (status, expected) = value(found.beta);
        assert!(status == SolverStatus::Solved && (expected - found.value).abs() < 1e-6, "{status:?} {expected}");
        if found.relaxed && found.beta < 1.0 {
            let tried = std::iter::successors(Some(limits.beta), |beta| Some(relaxed(*beta)));
            let refused = tried.take_while(|beta| *beta < found.beta).last().unwrap();
            assert_ne!(value((refused - 1e-6).max(0.0)).0, SolverStatus::Solved);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn policies_keep_every_limit_and_are_optimal(groups in any_groups(), limits in any_limits()) {
            let limits = fit(limits, groups[0].accuracies.n());
            let (first, classes) = (&groups[0], groups[0].classes.len());
            let found = policy(&first.accuracies, &first.classes, &limits).unwrap();
            let alone = [Skills { share: 1.0, ..first.clone() }];
            check_allocation(&alone, &[(0..classes).map(|class| (0, class)).collect()], &limits, &found);

            let found = group_policy(&groups, &limits).unwrap();
            let bands: Vec<Band> =
                (0..classes).map(|class| (0..groups.len()).map(|group| (group, class)).collect()).collect();
            check_allocation(&groups, &bands, &limits, &found);
        }

        #[test]
        fn contradictory_limits_are_errors_not_panics(budget in 0.0..1.0, share in 0.0..1.0, quota in 0.0..1.0) {
            let limits = Limits {
                prices: Some(vec![1.0, 0.5, 0.2]),
                budget: Some(budget),
                max_share: Some(vec![share]),
                diversity: vec![Quota { members: vec![0, 1], share: quota }],
                ..Limits::default()
            };
            match policy(&example(), &[0.5, 0.5], &limits) {
                Ok(allocation) => prop_assert!(allocation.shares[0].iter().all(|s| *s <= share + 1e-9)),
                Err(AllocationError::Impossible { constraints }) => prop_assert!(!constraints.is_empty()),
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }
}
