//! Why experts could not be built, or could not decide.

use deferral_core::{CasesError, DatasetError, DecisionsError, FeatureError, GroupAttribute, GroupId, ParameterError};

/// Why experts could not be built, or could not decide.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpertError {
    /// A parameter is outside its range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The attribute has no such group.
    #[error("attribute {attribute} has no group `{group}`; known: {known}")]
    UnknownGroup {
        /// The attribute.
        attribute: String,
        /// The group asked for.
        group: String,
        /// Those that exist.
        known: String,
    },
    /// A case has no label, and a simulated expert cannot err without a truth.
    #[error("case {case} has no label; simulated experts need the truth of every case, so leave such cases out")]
    MissingTruth {
        /// Name of the case.
        case: String,
    },
    /// The cases lack the group attribute, or were refused.
    #[error(transparent)]
    Cases(#[from] CasesError),
    /// The decisions were refused.
    #[error(transparent)]
    Decisions(#[from] DecisionsError),
    /// The features were refused.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// Cases, decisions and names do not fit together.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

/// The group of `attribute` called `name`.
pub(crate) fn group_called(attribute: &GroupAttribute, name: &str) -> Result<GroupId, ExpertError> {
    attribute.values.position(name).map(GroupId::at).ok_or_else(|| ExpertError::UnknownGroup {
        attribute: attribute.name.clone(),
        group: name.to_owned(),
        known: attribute.values.iter().collect::<Vec<_>>().join(", "),
    })
}

/// Passes a probability.
pub(crate) fn check_probability(parameter: &str, value: f64) -> Result<(), ParameterError> {
    ParameterError::check((0.0..=1.0).contains(&value), parameter, value, "a probability, from 0 to 1")
}

/// Passes a number of classes that leaves room for error and fits a label.
pub(crate) fn check_classes(classes: usize) -> Result<(), ParameterError> {
    let most = usize::from(u16::MAX);
    let expected = format!("from 2 to {most}");
    ParameterError::check((2..=most).contains(&classes), "the number of classes", classes, &expected)
}
