//! placeholder
use crate::{Comparison, EvalError, comparison_table};
/// placeholder
pub fn html(comparison: &Comparison, title: &str, about: &[(String, String)]) -> Result<String, EvalError> {
    Ok(format!("{title}\n{}\n{about:?}", comparison_table(comparison).markdown()))
}
