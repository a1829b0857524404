//! Experts for some groups who only guess elsewhere.

use deferral_core::GroupAttribute;
use serde::{Deserialize, Serialize};

use crate::error::{ExpertError, check_classes, check_probability, group_called};
use crate::skill::SkilledExpert;

/// An expert who is right with probability `own` on their own groups and with `elsewhere` on the others.
///
/// ```
/// use deferral_core::GroupAttribute;
/// use deferral_experts::Specialist;
/// let cluster = GroupAttribute::from_values("cluster", ["orange", "blue", "green"]);
/// let expert = Specialist::on("blue").build(&cluster)?;
/// assert_eq!(expert.accuracies(), [0.5, 1.0, 0.5]);
/// # Ok::<(), deferral_experts::ExpertError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Specialist {
    /// Names of the groups that the expert knows.
    pub groups: Vec<String>,
    /// Probability of being right there, from 0 to 1.
    pub own: f64,
    /// Probability of being right on the other groups, from 0 to 1. Without it the expert guesses: 1/K.
    #[serde(default)]
    pub elsewhere: Option<f64>,
    /// Number of classes, K, at least 2.
    pub classes: usize,
}

impl Specialist {
    /// An expert between two classes who is always right on `group` and tosses a coin elsewhere.
    pub fn on(group: &str) -> Self {
        Self { groups: vec![group.to_owned()], own: 1.0, elsewhere: None, classes: 2 }
    }

    /// The expert for the groups of `attribute`.
    ///
    /// # Errors
    /// If a number is outside its range or `attribute` lacks one of the groups.
    pub fn build(&self, attribute: &GroupAttribute) -> Result<SkilledExpert, ExpertError> {
        check_classes(self.classes)?;
        let elsewhere = self.elsewhere.unwrap_or(1.0 / self.classes as f64);
        check_probability("the accuracy `own`", self.own)?;
        check_probability("the accuracy `elsewhere`", elsewhere)?;
        let mut accuracies = vec![elsewhere; attribute.len()];
        for group in &self.groups {
            accuracies[group_called(attribute, group)?.index()] = self.own;
        }
        SkilledExpert::new(attribute, accuracies, self.classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> GroupAttribute {
        GroupAttribute::from_values("cluster", ["orange", "blue", "green"])
    }

    #[test]
    fn several_groups_and_any_number_of_classes() {
        let groups = vec!["green".to_owned(), "orange".to_owned()];
        let guessing = Specialist { groups, own: 0.9, elsewhere: None, classes: 4 };
        assert_eq!(guessing.build(&cluster()).unwrap().accuracies(), [0.9, 0.25, 0.9]);
        let worse = Specialist { elsewhere: Some(0.2), ..guessing };
        assert_eq!(worse.build(&cluster()).unwrap().accuracies(), [0.9, 0.2, 0.9]);
    }

    #[test]
    fn parameters_are_checked() {
        let message = |specialist: Specialist| specialist.build(&cluster()).unwrap_err().to_string();
        assert_eq!(message(Specialist::on("red")), "attribute cluster has no group `red`; known: orange, blue, green");
        assert_eq!(
            message(Specialist { own: 2.0, ..Specialist::on("blue") }),
            "the accuracy `own` is 2, but must be a probability, from 0 to 1"
        );
        assert_eq!(
            message(Specialist { elsewhere: Some(-1.0), ..Specialist::on("blue") }),
            "the accuracy `elsewhere` is -1, but must be a probability, from 0 to 1"
        );
    }
}
