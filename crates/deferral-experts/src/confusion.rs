//! Experts described by a confusion matrix.

use deferral_core::{CaseView, GroupAttribute, Label, ParameterError};
use rand::{Rng, RngExt};

use crate::error::{ExpertError, check_classes, check_probability, group_called};
use crate::expert::Expert;

/// How far a row may be from summing to one.
const ROUNDING: f64 = 1e-6;

/// K x K probabilities: row t is the distribution of the answer when t is the truth.
///
/// ```
/// use deferral_experts::Confusion;
/// let confusion = Confusion::new(vec![vec![0.9, 0.1], vec![0.3, 0.7]])?;
/// assert_eq!(confusion.classes(), 2);
/// assert!(Confusion::new(vec![vec![0.9, 0.1], vec![0.3, 0.6]]).is_err());
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Confusion(Vec<Vec<f64>>);

impl Confusion {
    /// The matrix with these rows.
    ///
    /// # Errors
    /// If it is not square, has fewer than two rows, or a row is no distribution (within 1e-6).
    pub fn new(rows: Vec<Vec<f64>>) -> Result<Self, ParameterError> {
        let classes = rows.len();
        check_classes(classes)?;
        for (truth, row) in rows.iter().enumerate() {
            let what = format!("the length of row {truth} of the confusion matrix");
            let expected = format!("{classes}, as there are rows");
            ParameterError::check(row.len() == classes, &what, row.len(), &expected)?;
            for (given, &p) in row.iter().enumerate() {
                check_probability(&format!("entry ({truth}, {given}) of the confusion matrix"), p)?;
            }
            let sum: f64 = row.iter().sum();
            let what = format!("the sum of row {truth} of the confusion matrix");
            ParameterError::check((sum - 1.0).abs() <= ROUNDING, &what, sum, "1")?;
        }
        Ok(Self(rows))
    }

    /// Number of classes, K.
    pub fn classes(&self) -> usize {
        self.0.len()
    }

    /// The distribution of the answer when `truth` is right: K numbers, none for a label outside the matrix.
    pub fn row(&self, truth: Label) -> &[f64] {
        self.0.get(truth.index()).map_or(&[], Vec::as_slice)
    }

    /// An answer when `truth` is right; none for a label outside the matrix. An entry of zero is never drawn.
    fn draw(&self, truth: Label, rng: &mut dyn Rng) -> Option<Label> {
        let mut left = rng.random::<f64>();
        let mut answer = None;
        for (given, &p) in self.row(truth).iter().enumerate().filter(|(_, p)| **p > 0.0) {
            answer = Some(Label::at(given));
            if left < p {
                break;
            }
            left -= p;
        }
        answer
    }
}

/// An expert who answers by a confusion matrix, or by one for each group.
///
/// ```
/// use deferral_core::GroupAttribute;
/// use deferral_experts::{Confusion, ConfusionExpert};
/// let fair = Confusion::new(vec![vec![0.9, 0.1], vec![0.1, 0.9]])?;
/// let stern = Confusion::new(vec![vec![0.6, 0.4], vec![0.0, 1.0]])?;
/// let dialect = GroupAttribute::from_values("dialect", ["AAE", "other"]);
/// let expert = ConfusionExpert::new(fair).with_group(&dialect, "AAE", stern)?;
/// # Ok::<(), deferral_experts::ExpertError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ConfusionExpert {
    otherwise: Confusion,
    attribute: Option<String>,
    of_group: Vec<Option<Confusion>>,
}

impl ConfusionExpert {
    /// An expert who answers by `confusion`, whatever the group.
    pub fn new(confusion: Confusion) -> Self {
        Self { otherwise: confusion, attribute: None, of_group: Vec::new() }
    }

    /// The same expert with another matrix for one group of `attribute`. All groups must be of one attribute.
    ///
    /// # Errors
    /// If `attribute` has no such group or is another one than before, or the matrix is for another number of classes.
    pub fn with_group(
        mut self,
        attribute: &GroupAttribute,
        group: &str,
        confusion: Confusion,
    ) -> Result<Self, ExpertError> {
        let known = self.attribute.get_or_insert_with(|| attribute.name.clone());
        let expected = format!("`{known}`, as for the groups before");
        ParameterError::check(*known == attribute.name, "the group attribute", &attribute.name, &expected)?;
        let classes = self.otherwise.classes();
        let what = format!("the number of classes for group {group}");
        let expected = format!("{classes}, as for the others");
        ParameterError::check(confusion.classes() == classes, &what, confusion.classes(), &expected)?;
        let group = group_called(attribute, group)?.index();
        if self.of_group.len() <= group {
            self.of_group.resize(group + 1, None);
        }
        self.of_group[group] = Some(confusion);
        Ok(self)
    }

    /// The matrix for a case of `group`.
    pub fn confusion(&self, group: Option<deferral_core::GroupId>) -> &Confusion {
        let own = group.and_then(|group| self.of_group.get(group.index()));
        own.and_then(Option::as_ref).unwrap_or(&self.otherwise)
    }
}

impl Expert for ConfusionExpert {
    /// Silent where the truth is a label outside the matrix.
    fn decide(&self, case: CaseView<'_>, truth: Label, rng: &mut dyn Rng) -> Option<Label> {
        self.confusion(case.group).draw(truth, rng)
    }

    fn needs_group(&self) -> Option<&str> {
        self.attribute.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::Stream;

    fn message(rows: Vec<Vec<f64>>) -> String {
        Confusion::new(rows).unwrap_err().to_string()
    }

    #[test]
    fn matrices_are_checked() {
        assert_eq!(
            message(vec![vec![1.0, 0.0], vec![0.5, 0.25]]),
            "the sum of row 1 of the confusion matrix is 0.75, but must be 1"
        );
        assert_eq!(
            message(vec![vec![1.5, -0.5], vec![0.0, 1.0]]),
            "entry (0, 0) of the confusion matrix is 1.5, but must be a probability, from 0 to 1"
        );
        assert_eq!(
            message(vec![vec![1.0], vec![0.0, 1.0]]),
            "the length of row 0 of the confusion matrix is 1, but must be 2, as there are rows"
        );
        assert_eq!(message(vec![vec![1.0]]), "the number of classes is 1, but must be from 2 to 65535");
    }

    #[test]
    fn groups_are_checked() {
        let two = || Confusion::new(vec![vec![1.0, 0.0], vec![0.0, 1.0]]).unwrap();
        let three = Confusion::new(vec![vec![1.0, 0.0, 0.0]; 3]).unwrap();
        let dialect = GroupAttribute::from_values("dialect", ["AAE", "other"]);
        let topic = GroupAttribute::from_values("topic", ["sport"]);
        let expert = || ConfusionExpert::new(two()).with_group(&dialect, "AAE", two()).unwrap();
        let message = |result: Result<ConfusionExpert, ExpertError>| result.unwrap_err().to_string();
        assert_eq!(
            message(expert().with_group(&dialect, "north", two())),
            "attribute dialect has no group `north`; known: AAE, other"
        );
        assert_eq!(
            message(expert().with_group(&topic, "sport", two())),
            "the group attribute is topic, but must be `dialect`, as for the groups before"
        );
        assert_eq!(
            message(expert().with_group(&dialect, "other", three)),
            "the number of classes for group other is 3, but must be 2, as for the others"
        );
    }

    #[test]
    fn zero_entries_are_never_drawn_and_unknown_truths_get_no_answer() {
        let confusion = Confusion::new(vec![vec![0.0, 1.0 - 1e-7, 0.0]; 3]).unwrap();
        let mut rng = Stream::new(2).random();
        assert!((0..5000).all(|_| confusion.draw(Label(0), &mut rng) == Some(Label(1))));
        assert_eq!(confusion.draw(Label(3), &mut rng), None);
    }
}
