//! Experts who are right with a probability that depends on the group of the case.

use deferral_core::{CaseView, GroupAttribute, GroupId, Label, ParameterError};
use rand::Rng;

use crate::error::{ExpertError, check_classes, check_probability};
use crate::expert::{Expert, answer};

/// An expert who is right with one probability for each group; the wrong labels are equally likely.
///
/// Built one by one here, by the dozen in [`BiasedPanel`](crate::BiasedPanel), by name in
/// [`Specialist`](crate::Specialist).
///
/// ```
/// use deferral_core::{GroupAttribute, GroupId};
/// use deferral_experts::SkilledExpert;
/// let dialect = GroupAttribute::from_values("dialect", ["AAE", "other"]);
/// let expert = SkilledExpert::new(&dialect, vec![0.7, 0.9], 2)?;
/// assert_eq!(expert.accuracy(GroupId(0)), Some(0.7));
/// # Ok::<(), deferral_experts::ExpertError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SkilledExpert {
    attribute: String,
    accuracies: Vec<f64>,
    classes: usize,
}

impl SkilledExpert {
    /// An expert with `accuracies[g]` on group g of `attribute`, for labels `0..classes`.
    ///
    /// # Errors
    /// If an accuracy is no probability, there is not one for each group, or there are fewer than two classes.
    pub fn new(attribute: &GroupAttribute, accuracies: Vec<f64>, classes: usize) -> Result<Self, ExpertError> {
        check_classes(classes)?;
        let groups = attribute.len();
        let expected = format!("{groups}, one for each group of {}", attribute.name);
        ParameterError::check(accuracies.len() == groups, "the number of accuracies", accuracies.len(), &expected)?;
        for (group, &accuracy) in attribute.values.iter().zip(&accuracies) {
            check_probability(&format!("the accuracy on {group}"), accuracy)?;
        }
        Ok(Self { attribute: attribute.name.clone(), accuracies, classes })
    }

    /// The probability of being right on each group, G numbers.
    pub fn accuracies(&self) -> &[f64] {
        &self.accuracies
    }

    /// The probability of being right on `group`, if there is such a group.
    pub fn accuracy(&self, group: GroupId) -> Option<f64> {
        self.accuracies.get(group.index()).copied()
    }
}

impl Expert for SkilledExpert {
    /// Silent on a case whose group was not there when the expert was built.
    fn decide(&self, case: CaseView<'_>, truth: Label, rng: &mut dyn Rng) -> Option<Label> {
        let accuracy = self.accuracy(case.group?)?;
        Some(answer(truth, accuracy, self.classes, rng))
    }

    fn needs_group(&self) -> Option<&str> {
        Some(&self.attribute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracies_are_checked() {
        let dialect = GroupAttribute::from_values("dialect", ["AAE", "other"]);
        let message = |accuracies, k| SkilledExpert::new(&dialect, accuracies, k).unwrap_err().to_string();
        assert_eq!(message(vec![0.5, 1.2], 2), "the accuracy on other is 1.2, but must be a probability, from 0 to 1");
        assert_eq!(
            message(vec![f64::NAN, 1.0], 2),
            "the accuracy on AAE is NaN, but must be a probability, from 0 to 1"
        );
        assert_eq!(
            message(vec![0.5], 2),
            "the number of accuracies is 1, but must be 2, one for each group of dialect"
        );
        assert_eq!(message(vec![0.5, 0.5], 1), "the number of classes is 1, but must be from 2 to 65535");
    }
}
