//! Who belongs to which group, for certain or by probability.

use deferral_core::{
    CaseWeights, Cases, CasesError, Columns, FitError, GroupAttribute, GroupId, Names, ParameterError, Probabilities,
};
use serde::{Deserialize, Serialize};

/// How far the probabilities of a case may be from summing to 1.
const SUM_TOLERANCE: f64 = 1e-6;

/// How much each of n cases belongs to each of G groups: G x n, every column sums to 1. A group that is known for
/// certain is a column of one 1. A group to which no case belongs is not there. G n numbers.
///
/// ```
/// use deferral_core::{CaseWeights, Columns, Names, Probabilities};
/// use deferral_fairness::Membership;
/// let guessed = Probabilities(Columns::from_values(2, vec![0.9, 0.1, 0.2, 0.8, 0.1, 0.9]));
/// let membership = Membership::from_probabilities("dialect", ["AAE", "other"].into_iter().collect(), guessed)?;
/// let sizes = membership.sizes(&CaseWeights::uniform(3));
/// assert!((sizes[0] - 1.2).abs() < 1e-12 && (sizes[1] - 1.8).abs() < 1e-12);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Membership {
    attribute: String,
    groups: Names,
    shares: Columns,
}

/// A membership as a file has it.
#[derive(Deserialize)]
struct Unchecked {
    attribute: String,
    groups: Names,
    shares: Columns,
}

impl TryFrom<Unchecked> for Membership {
    type Error = ParameterError;

    fn try_from(read: Unchecked) -> Result<Self, ParameterError> {
        Self { attribute: read.attribute, groups: read.groups, shares: read.shares }.normalised()
    }
}

impl Membership {
    /// Groups that are known. O(n G).
    ///
    /// # Errors
    /// [`CasesError::UnknownGroup`] if an id names no value.
    pub fn from_groups(attribute: &GroupAttribute) -> Result<Self, CasesError> {
        let mut shares = Columns::zeros(attribute.len(), attribute.of_case.len());
        for (case, group) in attribute.of_case.iter().enumerate() {
            if group.index() >= attribute.len() {
                let (name, group, values) = (attribute.name.clone(), group.0, attribute.len());
                return Err(CasesError::UnknownGroup { attribute: name, case, group, values });
            }
            shares.column_mut(case)[group.index()] = 1.0;
        }
        let all = Self { attribute: attribute.name.clone(), groups: attribute.values.clone(), shares };
        Ok(all.occurring())
    }

    /// The groups of an attribute of the cases.
    ///
    /// # Errors
    /// If there is no such attribute.
    pub fn of_attribute(cases: &Cases, attribute: &str) -> Result<Self, CasesError> {
        Self::from_groups(cases.group(attribute)?)
    }

    /// The intersectional groups of several attributes, as [`GroupAttribute::cross`] names them; of one attribute, its
    /// own groups.
    ///
    /// # Errors
    /// If no attribute is named or one does not exist.
    pub fn crossed(cases: &Cases, attributes: &[String]) -> Result<Self, FitError> {
        let known = attributes.iter().map(|name| cases.group(name)).collect::<Result<Vec<_>, _>>()?;
        match known.as_slice() {
            [one] => Ok(Self::from_groups(one)?),
            many => match GroupAttribute::cross(many) {
                Some(crossed) => Ok(Self::from_groups(&crossed)?),
                None => Err(no_attribute().into()),
            },
        }
    }

    /// Groups that are known by probability only, as a dialect model or a classifier of the group says them: `shares`
    /// is G x n, one row for each of `groups`. Columns are divided by their sums, which must be 1 within 1e-6. O(n G).
    ///
    /// # Errors
    /// If there are not as many rows as groups, a number is no probability or a column does not sum to 1.
    pub fn from_probabilities(
        attribute: impl Into<String>,
        groups: Names,
        shares: Probabilities,
    ) -> Result<Self, ParameterError> {
        Ok(Self { attribute: attribute.into(), groups, shares: shares.0 }.normalised()?.occurring())
    }

    fn normalised(mut self) -> Result<Self, ParameterError> {
        let expected = format!("{}, one for each group", self.groups.len());
        let ok = self.shares.rows() == self.groups.len() && !self.groups.is_empty();
        ParameterError::check(ok, "the number of rows of the group probabilities", self.shares.rows(), &expected)?;
        for case in 0..self.shares.n() {
            let column = self.shares.column_mut(case);
            if let Some(group) = column.iter().position(|p| !(0.0..=1.0 + SUM_TOLERANCE).contains(p)) {
                let which = format!("the probability that case {case} belongs to `{}`", self.groups.show(group));
                return Err(ParameterError::new(which, column[group], "between 0 and 1"));
            }
            let sum: f64 = column.iter().sum();
            let which = format!("the sum of the group probabilities of case {case}");
            ParameterError::check((sum - 1.0).abs() <= SUM_TOLERANCE, &which, sum, "1")?;
            for p in column {
                *p /= sum;
            }
        }
        Ok(self)
    }

    /// What the attribute is called.
    pub fn attribute(&self) -> &str {
        &self.attribute
    }

    /// The names of the groups, G of them.
    pub fn groups(&self) -> &Names {
        &self.groups
    }

    /// Number of cases, n.
    pub fn n(&self) -> usize {
        self.shares.n()
    }

    /// How much a case belongs to each group: G numbers.
    ///
    /// # Panics
    /// If there is no such case.
    pub fn of_case(&self, case: usize) -> &[f64] {
        self.shares.column(case)
    }

    /// The expected size of each group, a case counting as its weight. O(n G).
    pub fn sizes(&self, weights: &CaseWeights) -> Vec<f64> {
        self.masses(weights.values())
    }

    /// `weights` such that every group has the same say: a case counts `sum_g P(g|case) / E[n_g]`, times the weight it
    /// had; [`CaseWeights::balanced`] when groups are known for certain. O(n G).
    ///
    /// # Errors
    /// [`FitError::Weights`] if there are not as many weights as cases.
    pub fn balance(&self, weights: &CaseWeights) -> Result<CaseWeights, FitError> {
        self.check(weights)?;
        let even = vec![1.0; self.groups.len()];
        Ok(CaseWeights::new(self.spread(&even, weights.values()))?)
    }

    /// The cases at the given positions, in that order; groups stay, also those without a case left.
    ///
    /// # Panics
    /// If a position lies outside.
    #[must_use]
    pub fn select(&self, cases: &[usize]) -> Self {
        Self { shares: self.shares.select(cases), groups: self.groups.clone(), attribute: self.attribute.clone() }
    }

    /// Passes weights that are as many as the cases.
    pub(crate) fn check(&self, weights: &CaseWeights) -> Result<(), FitError> {
        if weights.n() == self.n() {
            return Ok(());
        }
        Err(FitError::Weights { found: weights.n(), expected: self.n() })
    }

    /// The sum over the cases of `mass` times membership, for each group.
    pub(crate) fn masses(&self, mass: &[f64]) -> Vec<f64> {
        let mut masses = vec![0.0; self.groups.len()];
        for (column, mass) in self.shares.iter().zip(mass) {
            for (total, share) in masses.iter_mut().zip(column) {
                *total += share * mass;
            }
        }
        masses
    }

    /// Gives each group's weight to its cases, divided in proportion to `mass`: `mass_i sum_g P(g|i) weight_g / n_g`,
    /// where `n_g` is the group's mass. A group without mass gives nothing.
    pub(crate) fn spread(&self, group_weights: &[f64], mass: &[f64]) -> Vec<f64> {
        let each = |(weight, size): (&f64, f64)| if size > 0.0 { weight / size } else { 0.0 };
        let rates: Vec<f64> = group_weights.iter().zip(self.masses(mass)).map(each).collect();
        let of_case =
            |(column, mass): (&[f64], &f64)| mass * column.iter().zip(&rates).map(|(p, r)| p * r).sum::<f64>();
        self.shares.iter().zip(mass).map(of_case).collect()
    }

    /// The mean of `errors` over each group, a case counting as its `mass`; `None` for a group without mass.
    pub(crate) fn means(&self, errors: &[f64], mass: &[f64]) -> Vec<Option<f64>> {
        let counted: Vec<f64> = errors.iter().zip(mass).map(|(e, m)| if *m > 0.0 { e * m } else { 0.0 }).collect();
        let means = self.masses(&counted).into_iter().zip(self.masses(mass));
        means.map(|(sum, size)| (size > 0.0).then_some(sum / size)).collect()
    }

    /// The same cases seen by the groups of another table: a group that is not there has no case, and a case of a
    /// group that is unknown there belongs to none.
    pub(crate) fn seen_as(&self, groups: &Names) -> Self {
        let rows: Vec<Option<usize>> = groups.iter().map(|name| self.groups.position(name)).collect();
        let column = |column: &[f64]| rows.iter().map(|row| row.map_or(0.0, |row| column[row])).collect::<Vec<_>>();
        let shares = Columns::from_values(groups.len(), self.shares.iter().flat_map(column).collect());
        Self { attribute: self.attribute.clone(), groups: groups.clone(), shares }
    }

    /// The same without the groups to which no case of `mass` belongs.
    pub(crate) fn with_mass(&self, mass: &[f64]) -> Self {
        let masses = self.masses(mass);
        if masses.iter().all(|mass| *mass > 0.0) {
            return self.clone();
        }
        self.seen_as(&self.groups.iter().zip(masses).filter(|(_, mass)| *mass > 0.0).map(|(name, _)| name).collect())
    }

    fn occurring(self) -> Self {
        if self.n() == 0 { self } else { self.with_mass(&vec![1.0; self.n()]) }
    }

    /// The group that each case belongs to most: what a division of the cases is stratified by.
    pub(crate) fn most_likely(&self) -> GroupAttribute {
        let of_case = self.shares.iter().map(|column| GroupId::at(deferral_core::argmax(column))).collect();
        GroupAttribute { name: self.attribute.clone(), values: self.groups.clone(), of_case }
    }
}

/// The complaint of a method that was given no group attribute.
pub(crate) fn no_attribute() -> ParameterError {
    ParameterError::new("the list of group attributes", "empty", "the name of at least one, such as `dialect`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(values: Vec<f64>) -> Result<Membership, ParameterError> {
        let groups = ["AAE", "other"].into_iter().collect();
        Membership::from_probabilities("dialect", groups, Probabilities(Columns::from_values(2, values)))
    }

    #[test]
    fn known_groups_are_a_table_of_zeros_and_ones_without_empty_groups() {
        let mut dialect = GroupAttribute::from_values("dialect", ["nobody", "AAE", "other", "other"]);
        dialect = dialect.select(&[1, 2, 3]);
        let membership = Membership::from_groups(&dialect).unwrap();
        assert_eq!(membership.groups().iter().collect::<Vec<_>>(), ["AAE", "other"]);
        assert_eq!(membership.of_case(1), [0.0, 1.0]);
        let balanced = membership.balance(&CaseWeights::uniform(3)).unwrap();
        assert_eq!(balanced, CaseWeights::uniform(3).balanced(&dialect).unwrap());
        dialect.of_case[2] = GroupId(9);
        assert!(Membership::from_groups(&dialect).unwrap_err().to_string().contains("case 2 has group 9"));
    }

    #[test]
    fn expected_groups_have_the_same_say() {
        let membership = two(vec![0.9, 0.1, 0.2, 0.8, 0.1, 0.9]).unwrap();
        let weights = membership.balance(&CaseWeights::uniform(3)).unwrap();
        // 0.9/1.2 + 0.1/1.8 = 0.805556, 0.2/1.2 + 0.8/1.8 = 0.611111, 0.1/1.2 + 0.9/1.8 = 0.583333; their sum is 2.
        for (weight, expected) in weights.values().iter().zip([1.208_333, 0.916_667, 0.875]) {
            assert!((weight - expected).abs() < 1e-6, "{weights:?}");
        }
        let means = membership.means(&[1.0, 0.0, 0.0], &[1.0; 3]);
        assert!((means[0].unwrap() - 0.75).abs() < 1e-12 && (means[1].unwrap() - 0.1 / 1.8).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        let message = |values| two(values).unwrap_err().to_string();
        assert_eq!(
            message(vec![0.5, 0.5, 1.2, -0.2]),
            "the probability that case 1 belongs to `AAE` is 1.2, but must be between 0 and 1"
        );
        assert_eq!(message(vec![0.5, 0.4]), "the sum of the group probabilities of case 0 is 0.9, but must be 1");
        assert!(message(vec![f64::NAN, 0.4]).contains("is NaN"));
        let narrow = Probabilities(Columns::from_values(1, vec![1.0]));
        let refused = Membership::from_probabilities("d", Names::numbered("g", 2), narrow).unwrap_err();
        assert!(refused.to_string().contains("must be 2, one for each group"));
        let short = two(vec![0.5, 0.5]).unwrap().balance(&CaseWeights::uniform(2)).unwrap_err();
        assert_eq!(short, FitError::Weights { found: 2, expected: 1 });
    }

    #[test]
    fn files_are_checked_as_arguments_are() {
        let membership = two(vec![0.75, 0.25, 0.5, 0.5]).unwrap();
        let json = serde_json::to_string(&membership).unwrap();
        assert_eq!(serde_json::from_str::<Membership>(&json).unwrap(), membership);
        let wrong = serde_json::from_str::<Membership>(&json.replace("0.25", "0.5")).unwrap_err();
        assert!(wrong.to_string().contains("the sum of the group probabilities of case 0 is 1.25"), "{wrong}");
    }

    #[test]
    fn tables_are_read_by_the_names_of_another() {
        let membership = two(vec![0.9, 0.1, 0.2, 0.8]).unwrap();
        let seen = membership.seen_as(&["new", "AAE"].into_iter().collect());
        assert_eq!(seen.of_case(0), [0.0, 0.9]);
        assert_eq!(seen.means(&[1.0, 0.0], &[1.0; 2])[0], None);
    }
}
