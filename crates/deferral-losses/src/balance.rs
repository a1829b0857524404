//! Groups that count the same, whatever their size.

use deferral_core::{CaseWeights, Dataset, FitError};

/// Case weights under which every group of `attribute` with a case has the same say: each case counts
/// `1 / n_(its group)`, times the weight it had. A group without a case has no say.
///
/// # Errors
/// If the attribute does not exist or there are not as many weights as cases.
pub fn balanced(data: &Dataset, weights: &CaseWeights, attribute: &str) -> Result<CaseWeights, FitError> {
    if weights.n() != data.n() {
        return Err(FitError::Weights { found: weights.n(), expected: data.n() });
    }
    let group = data.cases().group(attribute)?;
    let counts = group.counts();
    let share = |(g, w): (&deferral_core::GroupId, &f64)| w / counts[g.index()] as f64;
    Ok(CaseWeights::new(group.of_case.iter().zip(weights.values()).map(share).collect())?)
}
