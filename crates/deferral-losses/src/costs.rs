//! What consulting an expert costs, as a pull on the deferrer's weights.

use deferral_core::{Columns, ParameterError};
use serde::{Deserialize, Serialize};

/// Which experts a case pays for while training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CostScope {
    /// Those whose vote counts in this step.
    #[default]
    Answered,
    /// All, also those who did not answer or were dropped, as in the released code.
    Everyone,
}

/// The term `lambda sum_(j<m) C_j D_j`: expert costs, the same for all cases or by case. The classifier is free.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpertCosts {
    experts: usize,
    /// `lambda C_j`, one column for all cases or one a case.
    scaled: Columns,
    scope: CostScope,
}

impl ExpertCosts {
    /// Costs by expert, the same for every case: m numbers, 0 or more.
    ///
    /// # Errors
    /// If lambda or a cost is negative or not finite.
    pub fn constant(lambda: f64, costs: &[f64], scope: CostScope) -> Result<Self, ParameterError> {
        Self::by_case(lambda, &Columns::from_values(costs.len(), costs.to_vec()), scope)
    }

    /// Costs by expert and case: m x n.
    ///
    /// # Errors
    /// If lambda or a cost is negative or not finite.
    pub fn by_case(lambda: f64, costs: &Columns, scope: CostScope) -> Result<Self, ParameterError> {
        let valid = |v: f64| v.is_finite() && v >= 0.0;
        ParameterError::check(valid(lambda), "lambda", lambda, "a finite number, 0 or more")?;
        if let Some(at) = costs.values().iter().position(|&cost| !valid(cost)) {
            let parameter = format!("the cost of expert {}", at % costs.rows());
            return Err(ParameterError::new(parameter, costs.values()[at], "a finite number, 0 or more"));
        }
        let scaled = costs.values().iter().map(|cost| lambda * cost).collect();
        Ok(Self { experts: costs.rows(), scaled: Columns::from_values(costs.rows(), scaled), scope })
    }

    /// Number of experts.
    pub fn experts(&self) -> usize {
        self.experts
    }

    /// Checks the shape against the numbers of experts and cases.
    pub(crate) fn check(&self, experts: usize, cases: usize) -> Result<(), ParameterError> {
        let expected = format!("one for each of the {experts} experts");
        ParameterError::check(self.experts == experts, "the number of expert costs", self.experts, &expected)?;
        let columns = self.scaled.n();
        let expected = format!("1, or one for each of the {cases} cases");
        ParameterError::check(columns == 1 || columns == cases, "the number of columns of costs", columns, &expected)
    }

    pub(crate) fn scope(&self) -> CostScope {
        self.scope
    }

    pub(crate) fn of(&self, case: usize, expert: usize) -> f64 {
        let column = if self.scaled.n() == 1 { 0 } else { case };
        self.scaled.column(column)[expert]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_costs_are_named() {
        let message = ExpertCosts::constant(0.1, &[1.0, -2.0], CostScope::Answered).unwrap_err().to_string();
        assert_eq!(message, "the cost of expert 1 is -2, but must be a finite number, 0 or more");
        assert!(ExpertCosts::constant(f64::NAN, &[1.0], CostScope::Answered).is_err());
    }
}
