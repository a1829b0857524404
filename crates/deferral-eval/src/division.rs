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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Panel, Source};
    use deferral_core::Features;
    use deferral_experts::Moderation;

    fn records(parts: Option<Vec<Part>>) -> Records {
        let desk = Source::Moderation(Moderation { cases: 6, ..Moderation::default() });
        Records { parts, ..desk.draw(&Panel::Recorded, &Stream::new(1)).unwrap().as_ref().clone() }
    }

    fn split(records: &Records) -> Result<Vec<Split>, String> {
        let bare = records.dataset(Features::none(records.n())).unwrap();
        Division::Given.split(records, bare.cases(), None, &Stream::new(1)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_given_division_is_taken_as_it_is() {
        use Part::{Test, Train, Validation};
        let divided = records(Some(vec![Test, Train, Validation, Train, Test, Train]));
        let expected = Split { train: vec![1, 3, 5], validation: vec![2], test: vec![0, 4] };
        assert_eq!(split(&divided).unwrap(), [expected]);
        assert_eq!(split(&divided.select(&[0, 1])).unwrap()[0].validation, [0; 0]);
    }

    #[test]
    fn a_division_that_is_missing_or_has_an_empty_side_is_an_error() {
        let message = split(&records(None)).unwrap_err();
        assert!(message.starts_with("the cases do not come divided; say which column"), "{message}");
        for (only, lacking) in [(Part::Train, "test"), (Part::Test, "train"), (Part::Validation, "train")] {
            let message = split(&records(Some(vec![only; 6]))).unwrap_err();
            let expected =
                format!("none of the cases with a gold label is in the part `{lacking}` of the given division");
            assert_eq!(message, expected);
        }
    }
}
