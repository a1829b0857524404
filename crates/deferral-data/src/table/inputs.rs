//! What is known about a case before features are computed: its text, its numbers, or both.

use deferral_core::Columns;

use super::error::TableError;

/// The raw inputs of n cases, from which features are computed.
///
/// ```
/// use deferral_core::Columns;
/// use deferral_data::{Inputs, Numeric};
/// let values = Columns::from_values(2, vec![30.0, 1.0, 41.0, 0.0]);
/// let numeric = Numeric { names: vec!["age".into(), "priors".into()], values };
/// let inputs = Inputs { text: Some(vec!["first".into(), "second".into()]), numeric: Some(numeric) };
/// assert_eq!(inputs.n(), 2);
/// assert_eq!(inputs.select(&[1]).text, Some(vec!["second".to_owned()]));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inputs {
    /// One text a case, if there is a text column.
    pub text: Option<Vec<String>>,
    /// Numbers, if there is a feature column.
    pub numeric: Option<Numeric>,
}

/// Numeric inputs with the names of their columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Numeric {
    /// d names.
    pub names: Vec<String>,
    /// d x n, all finite.
    pub values: Columns,
}

impl Numeric {
    /// The numbers of `cases`, in that order.
    ///
    /// # Panics
    /// If a case lies outside.
    #[must_use]
    pub fn select(&self, cases: &[usize]) -> Self {
        Self { names: self.names.clone(), values: self.values.select(cases) }
    }
}

impl Inputs {
    /// The inputs of `n` cases, checked.
    ///
    /// # Errors
    /// [`TableError::Length`] if a part is not for `n` cases, or the numbers are not as many as their names.
    pub fn new(n: usize, text: Option<Vec<String>>, numeric: Option<Numeric>) -> Result<Self, TableError> {
        let check = |what, found, expected| {
            if found == expected { Ok(()) } else { Err(TableError::Length { what, found, expected }) }
        };
        if let Some(text) = &text {
            check("texts", text.len(), n)?;
        }
        if let Some(numeric) = &numeric {
            check("feature names", numeric.names.len(), numeric.values.rows())?;
            check("numeric inputs", numeric.values.n(), n)?;
        }
        Ok(Self { text, numeric })
    }

    /// Number of cases; 0 if nothing is known about them, neither text nor numbers. The names of the cases then say
    /// how many there are.
    pub fn n(&self) -> usize {
        match (&self.text, &self.numeric) {
            (Some(text), _) => text.len(),
            (None, Some(numeric)) => numeric.values.n(),
            (None, None) => 0,
        }
    }

    /// Whether nothing is known, neither text nor numbers.
    pub fn is_none(&self) -> bool {
        self.text.is_none() && self.numeric.is_none()
    }

    /// The inputs of `cases`, in that order.
    ///
    /// # Panics
    /// If there are inputs and a case is not below [`Inputs::n`].
    #[must_use]
    pub fn select(&self, cases: &[usize]) -> Self {
        Self {
            text: self.text.as_ref().map(|text| cases.iter().map(|&case| text[case].clone()).collect()),
            numeric: self.numeric.as_ref().map(|numeric| numeric.select(cases)),
        }
    }
}
