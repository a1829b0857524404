//! Whether shares keep the limits as they are stated, which is more than that they keep the rows of a program.

use super::super::linear_program::{LpError, ROUNDING, TOLERANCE, at_most, uncertified};
use super::{Band, Constraint, Limits, Skills, mean_policy, spread};

/// Passes one policy a group that misses nothing by more than [`TOLERANCE`], or than rounding for a large budget.
pub(super) fn certify(
    shares: &[Vec<f64>],
    groups: &[Skills],
    bands: &[Band],
    beta: f64,
    limits: &Limits,
) -> Result<(), LpError> {
    for (group, policy) in shares.iter().enumerate() {
        let total: f64 = policy.iter().sum();
        passes(Constraint::Total { group }, (total - 1.0).abs(), TOLERANCE)?;
    }
    for band in bands {
        if let Some(&(group, class)) = band.first() {
            passes(Constraint::Parity { group, class }, spread(band, groups, shares) - beta, TOLERANCE)?;
        }
    }
    check_overall(&mean_policy(groups, shares), limits)
}

/// Passes shares of all cases together.
pub(super) fn check_overall(shares: &[f64], limits: &Limits) -> Result<(), LpError> {
    if let Some(budget) = limits.budget {
        let cost: f64 = shares.iter().enumerate().map(|(worker, share)| share * limits.price(worker)).sum();
        passes(Constraint::Budget, cost - budget, TOLERANCE.max(ROUNDING * budget))?;
    }
    for (worker, share) in shares.iter().enumerate() {
        passes(Constraint::MaxShare { worker }, share - limits.largest_share(worker), TOLERANCE)?;
    }
    for (team, quota) in limits.diversity.iter().enumerate() {
        let members = shares.iter().enumerate().filter(|(worker, _)| quota.members.contains(worker));
        let share: f64 = members.map(|(_, share)| share).sum();
        passes(Constraint::Diversity { team }, quota.share - share, TOLERANCE)?;
    }
    Ok(())
}

fn passes(constraint: Constraint, missed: f64, allowed: f64) -> Result<(), LpError> {
    if at_most(missed, allowed) { Ok(()) } else { Err(uncertified(format!("{constraint}: missed by {missed:e}"))) }
}
