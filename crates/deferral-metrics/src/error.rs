//! Why something cannot be measured because it was asked for wrongly. A number that merely does not exist is no error
//! but [`Measured::Undefined`](crate::Measured::Undefined).

use deferral_core::{GroupAttribute, Label, ParameterError};

/// Misuse of a metric.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// Two lists that speak about the same cases differ in length.
    #[error("{what}: {found} entries for {expected} cases; give one entry a case, in the same order")]
    Length {
        /// Which list.
        what: String,
        /// Its length.
        found: usize,
        /// Number of cases.
        expected: usize,
    },
    /// A number from outside is NaN, infinite or out of its range.
    #[error("{what} {at} (counted from 0) is {value}, but must be {expected}")]
    Value {
        /// Which list.
        what: &'static str,
        /// The position in it.
        at: usize,
        /// The number.
        value: f64,
        /// What would be right.
        expected: &'static str,
    },
    /// A label lies outside the classes.
    #[error("{what} of case {case} is {}, but there are only {classes} classes, 0 to {}", label.0, classes.saturating_sub(1))]
    Label {
        /// Which list.
        what: &'static str,
        /// Position of the case.
        case: usize,
        /// The label.
        label: Label,
        /// Number of classes, K.
        classes: usize,
    },
    /// A group id names no value of its attribute.
    #[error("attribute {attribute}: group {group} is named, but there are only {values} values")]
    Group {
        /// The attribute's name.
        attribute: String,
        /// The id.
        group: u32,
        /// Number of values, G.
        values: usize,
    },
    /// A parameter is outside its range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

pub(crate) fn check_length(what: &str, found: usize, expected: usize) -> Result<(), MetricError> {
    if found == expected {
        return Ok(());
    }
    Err(MetricError::Length { what: what.to_owned(), found, expected })
}

pub(crate) fn check_finite(what: &'static str, values: &[f64]) -> Result<(), MetricError> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(at) => Err(MetricError::Value { what, at, value: values[at], expected: "a finite number" }),
        None => Ok(()),
    }
}

pub(crate) fn check_label(what: &'static str, case: usize, label: Label, classes: usize) -> Result<(), MetricError> {
    if label.index() < classes {
        return Ok(());
    }
    Err(MetricError::Label { what, case, label, classes })
}

/// One group a case, and every id has a name.
pub(crate) fn check_groups(attribute: &GroupAttribute, n: usize) -> Result<(), MetricError> {
    check_length(&format!("group attribute {}", attribute.name), attribute.of_case.len(), n)?;
    match attribute.of_case.iter().find(|group| group.index() >= attribute.len()) {
        Some(group) => {
            Err(MetricError::Group { attribute: attribute.name.clone(), group: group.0, values: attribute.len() })
        }
        None => Ok(()),
    }
}
