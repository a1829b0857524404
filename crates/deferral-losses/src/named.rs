//! Experts by name.

use deferral_core::{Dataset, FitError, ParameterError};

/// The position of the expert called `name`.
///
/// # Errors
/// Names some of those there are.
pub(crate) fn named_expert(data: &Dataset, name: &str) -> Result<usize, FitError> {
    let experts = data.experts();
    experts.position(name).ok_or_else(|| {
        let some: Vec<&str> = experts.iter().take(5).collect();
        let expected = format!("one of the {} experts there are, such as {}", data.m(), some.join(", "));
        ParameterError::new("the expert to defer to", format!("`{name}`"), expected).into()
    })
}
