//! How wrong a policy is on each group, in the error that a method asks for.

use deferral_core::{CaseWeights, Dataset, FitError, Label, Policy, Probabilities, most_probable};
use serde::{Deserialize, Serialize};

use crate::membership::Membership;

/// Probabilities below this count as this in logarithms.
const LEAST: f64 = 1e-12;

/// What counts as an error of a case, given what is believed about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// 1 where the most probable class is not the label, else 0.
    ZeroOne,
    /// `-ln` of the probability of the label, which is clipped at 1e-12.
    #[default]
    LogLoss,
    /// Half the squared distance to the label's one-hot vector: `(y - p)^2` for two classes.
    Squared,
    /// 1 where the label is 0 and the most probable class is 1. Only cases of label 0 count; two classes.
    FalsePositive,
    /// 1 where the label is 1 and the most probable class is 0. Only cases of label 1 count; two classes.
    FalseNegative,
}

impl ErrorKind {
    /// The error of each case that counts; 0 for the others. O(n K).
    ///
    /// ```
    /// use deferral_core::{Columns, Label, Probabilities};
    /// use deferral_fairness::ErrorKind;
    /// let believed = Probabilities(Columns::from_values(2, vec![0.2, 0.8, 0.6, 0.4]));
    /// let gold = [Label(0), Label(0)];
    /// assert_eq!(ErrorKind::ZeroOne.of_cases(&believed, &gold), [1.0, 0.0]);
    /// assert!((ErrorKind::Squared.of_cases(&believed, &gold)[0] - 0.64).abs() < 1e-12);
    /// ```
    pub fn of_cases(self, believed: &Probabilities, gold: &[Label]) -> Vec<f64> {
        believed.iter().zip(gold).map(|(column, &label)| self.of_case(column, label)).collect()
    }

    /// Whether a case of this label counts.
    pub fn counts(self, label: Label) -> bool {
        match self {
            Self::ZeroOne | Self::LogLoss | Self::Squared => true,
            Self::FalsePositive => label == Label(0),
            Self::FalseNegative => label == Label(1),
        }
    }

    /// Whether only the errors on one class count.
    pub fn is_one_sided(self) -> bool {
        matches!(self, Self::FalsePositive | Self::FalseNegative)
    }

    fn of_case(self, column: &[f64], label: Label) -> f64 {
        let of_label = column.get(label.index()).copied().unwrap_or(0.0);
        let wrong = most_probable(column) != label.index();
        match self {
            Self::ZeroOne => f64::from(u8::from(wrong)),
            Self::FalsePositive | Self::FalseNegative => f64::from(u8::from(wrong && self.counts(label))),
            Self::LogLoss => -of_label.max(LEAST).ln(),
            Self::Squared => {
                let others: f64 = column.iter().map(|p| p * p).sum::<f64>() - of_label * of_label;
                0.5 * ((1.0 - of_label) * (1.0 - of_label) + others)
            }
        }
    }

    /// Refuses one-sided errors of more than two classes.
    pub(crate) fn check(self, classes: usize) -> Result<(), FitError> {
        if self.is_one_sided() && classes != 2 {
            let (method, instead) = ("counting false positives or false negatives".to_owned(), "`log-loss`".to_owned());
            return Err(FitError::BinaryOnly { method, classes, instead });
        }
        Ok(())
    }

    /// The weight of each case that counts; 0 for the others.
    pub(crate) fn mass(self, gold: &[Label], weights: &CaseWeights) -> Vec<f64> {
        gold.iter().zip(weights.values()).map(|(&label, w)| if self.counts(label) { *w } else { 0.0 }).collect()
    }
}

/// The mean error of each group and of all cases; `None` where no case counts.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupErrors {
    /// One for each group of the membership.
    pub of_group: Vec<Option<f64>>,
    /// Over all cases.
    pub overall: Option<f64>,
}

/// The errors of what classifier and experts say together ([`Policy::together`]), by group: the mean over the cases
/// that count, each by its weight and by how much it belongs to the group. False positives are so divided by the
/// negatives of the group, false negatives by its positives. With uncertain groups this is the expected error,
/// `sum_i P(g|i) e_i / sum_i P(g|i)`. O(n (G + K)) beside the policy.
///
/// # Errors
/// If a case has no label, lengths differ, or one-sided errors are asked of more than two classes.
///
/// ```
/// use deferral_core::*;
/// use deferral_fairness::{ErrorKind, Membership, group_errors};
/// use deferral_models::ClassifierPolicy;
/// let dialect = GroupAttribute::from_values("dialect", ["AAE", "AAE", "other", "other"]);
/// let cases = Cases::new(Names::numbered("case", 4), Features::none(4))?.with_group(dialect)?;
/// let cases = cases.with_labels([1, 0, 0, 0].map(|y| Some(Label(y))).to_vec())?;
/// let data = Dataset::new(cases, Decisions::none(4, 0), Names::numbered("", 2), Names::new())?;
/// let groups = Membership::of_attribute(data.cases(), "dialect")?;
/// let policy = ClassifierPolicy::prior(0, vec![0.75, 0.25])?;
/// let errors = group_errors(ErrorKind::ZeroOne, &policy, &data, &groups, &CaseWeights::uniform(4))?;
/// assert_eq!(errors.of_group, [Some(0.5), Some(0.0)]);
/// assert_eq!(errors.overall, Some(0.25));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn group_errors<P: Policy + ?Sized>(
    kind: ErrorKind,
    policy: &P,
    data: &Dataset,
    groups: &Membership,
    weights: &CaseWeights,
) -> Result<GroupErrors, FitError> {
    kind.check(data.k())?;
    for found in [groups.n(), weights.n()] {
        if found != data.n() {
            return Err(FitError::Weights { found, expected: data.n() });
        }
    }
    let gold = known_labels(data)?;
    let errors = kind.of_cases(&policy.together(data)?, &gold);
    let mass = kind.mass(&gold, weights);
    Ok(GroupErrors { of_group: groups.means(&errors, &mass), overall: mean(&errors, &mass) })
}

/// The mean of `errors`, each counting as its `mass`.
pub(crate) fn mean(errors: &[f64], mass: &[f64]) -> Option<f64> {
    let total: f64 = mass.iter().sum();
    (total > 0.0).then(|| errors.iter().zip(mass).map(|(e, m)| e * m).sum::<f64>() / total)
}

/// The label of every case; measuring, unlike learning, does not need two different ones.
pub(crate) fn known_labels(data: &Dataset) -> Result<Vec<Label>, FitError> {
    let known = |(case, label): (usize, &Option<Label>)| {
        label.ok_or_else(|| FitError::MissingLabel { case: data.cases().ids().show(case).to_owned() })
    };
    data.cases().labels().iter().enumerate().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Columns, GroupAttribute};

    fn errors(kind: ErrorKind) -> (Vec<f64>, Vec<Option<f64>>) {
        let believed = Probabilities(Columns::from_values(2, vec![0.2, 0.8, 0.6, 0.4, 0.7, 0.3, 0.0, 1.0]));
        let gold = [0, 0, 1, 0].map(Label);
        let groups = Membership::from_groups(&GroupAttribute::from_values("g", ["a", "a", "b", "b"])).unwrap();
        let of_cases = kind.of_cases(&believed, &gold);
        let by_group = groups.means(&of_cases, &kind.mass(&gold, &CaseWeights::uniform(4)));
        (of_cases, by_group)
    }

    #[test]
    fn each_kind_counts_what_it_says() {
        assert_eq!(errors(ErrorKind::ZeroOne), (vec![1.0, 0.0, 1.0, 1.0], vec![Some(0.5), Some(1.0)]));
        assert_eq!(errors(ErrorKind::FalsePositive), (vec![1.0, 0.0, 0.0, 1.0], vec![Some(0.5), Some(1.0)]));
        assert_eq!(errors(ErrorKind::FalseNegative), (vec![0.0, 0.0, 1.0, 0.0], vec![None, Some(1.0)]));
        let log = errors(ErrorKind::LogLoss).0;
        assert!((log[0] - 1.609_438).abs() < 1e-6 && (log[3] - 27.631_021).abs() < 1e-6, "{log:?}");
        let squared = errors(ErrorKind::Squared).0;
        assert!((squared[1] - 0.16).abs() < 1e-12 && (squared[3] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_sided_errors_are_for_two_classes() {
        assert!(ErrorKind::LogLoss.check(3).is_ok());
        let message = ErrorKind::FalsePositive.check(3).unwrap_err().to_string();
        assert_eq!(
            message,
            "counting false positives or false negatives works for two classes only, but there are 3; use `log-loss`"
        );
    }
}
