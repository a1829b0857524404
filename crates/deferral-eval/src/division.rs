//! How an experiment divides its cases: by a rule, or as the data say.

use deferral_core::{Cases, ParameterError, Split, Splitter, Stream};
use deferral_data::{Part, Records};

use crate::error::EvalError;

/// How cases are divided into training and test.
///
/// ```
/// use deferral_core::Splitter;
/// use deferral_eval::Division;
/// assert_eq!(Division::By(Splitter::ShuffledFolds { k: 5 }).folds(100)?, 5);
/// assert_eq!(Division::Given.folds(100)?, 1);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Division {
    /// By a rule, anew in each repetition; no case is held out for validation.
    By(Splitter),
    /// As the cases come divided ([`Records::parts`]): the same in each repetition. What is held out for validation goes
    /// to learners as [`Dataset::held_out`](deferral_core::Dataset::held_out).
    Given,
}

impl From<Splitter> for Division {
    fn from(splitter: Splitter) -> Self {
        Self::By(splitter)
    }
}

impl Division {
    /// Number of test sets in a repetition on `n` cases.
    ///
    /// # Errors
    /// If there are not as many cases as folds.
    pub fn folds(self, n: usize) -> Result<usize, ParameterError> {
        let k = match self {
            Self::Given | Self::By(Splitter::Random { .. } | Splitter::Stratified { .. }) => return Ok(1),
            Self::By(
                Splitter::ContiguousFolds { k } | Splitter::ShuffledFolds { k } | Splitter::StratifiedFolds { k },
            ) => k,
        };
        let expected = format!("between 2 and the {n} cases there are");
        ParameterError::check((2..=n).contains(&k), "the number of folds", k, &expected)?;
        Ok(k)
    }

    /// Divides `records`, whose cases without features are `cases`; `attribute` is the group attribute that stratified
    /// rules use.
    pub(crate) fn split(
        self,
        records: &Records,
        cases: &Cases,
        attribute: Option<&str>,
        stream: &Stream,
    ) -> Result<Vec<Split>, EvalError> {
        match self {
            Self::By(splitter) => Ok(splitter.split(cases, attribute, stream)?),
            Self::Given => Ok(vec![given(records)?]),
        }
    }
}

/// The division that comes with the cases.
fn given(records: &Records) -> Result<Split, EvalError> {
    let Some(parts) = &records.parts else {
        return Err(EvalError::Nothing(
            "the cases do not come divided; say which column holds train, validation and test with --column split=NAME, or divide them with another --split"
                .to_owned(),
        ));
    };
    let of =
        |wanted: Part| parts.iter().enumerate().filter(|(_, part)| **part == wanted).map(|(case, _)| case).collect();
    let split = Split { train: of(Part::Train), validation: of(Part::Validation), test: of(Part::Test) };
    for (cases, part) in [(&split.train, Part::Train), (&split.test, Part::Test)] {
        if cases.is_empty() {
            let message =
                format!("none of the cases with a gold label is in the part `{}` of the given division", part.name());
            return Err(EvalError::Nothing(message));
        }
    }
    Ok(split)
}
