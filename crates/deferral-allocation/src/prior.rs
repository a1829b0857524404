//! What is known of people before the first vote: how well each of them suits each group of cases.

use deferral_core::{ExpertId, GroupId, ParameterError};
use serde::{Deserialize, Serialize};

/// The similarity dSim of Keswani, Celis, Kenthapadi and Lease (2022, section 2.2): a number in [0, 1] for each of m
/// annotators and G groups. People of whom nothing is known suit every group alike.
///
/// ```
/// use deferral_allocation::Prior;
/// use deferral_core::{ExpertId, GroupId};
/// let noise = 0.3;
/// let own = |annotator: usize, group: usize| if annotator == group { 1.0 - noise } else { noise / 2.0 };
/// let prior = Prior::from_fn(3, 3, own)?;
/// assert_eq!(prior.of(ExpertId(1), Some(GroupId(1))), 0.7);
/// assert_eq!(prior.weights(Some(GroupId(0)), &[ExpertId(1), ExpertId(2)]), [0.5, 0.5]);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    groups: usize,
    /// By annotator, then by group.
    similarity: Vec<f64>,
}

impl Prior {
    /// Nobody yet, and `groups` groups; 0 counts as one that all cases belong to.
    pub fn new(groups: usize) -> Self {
        Self { groups: groups.max(1), similarity: Vec::new() }
    }

    /// The table of a similarity function.
    ///
    /// # Errors
    /// If a similarity is not in [0, 1].
    pub fn from_fn(
        annotators: usize,
        groups: usize,
        mut similarity: impl FnMut(usize, usize) -> f64,
    ) -> Result<Self, ParameterError> {
        let mut prior = Self::new(groups);
        for annotator in 0..annotators {
            let row: Vec<f64> = (0..prior.groups).map(|group| similarity(annotator, group)).collect();
            check(&row)?;
            prior.push(&row);
        }
        Ok(prior)
    }

    /// Adds an annotator: G numbers, or none if nothing is known. Numbers that are missing are 1/2, what is outside
    /// [0, 1] is cut.
    pub fn push(&mut self, similarity: &[f64]) {
        let known =
            |group: usize| similarity.get(group).map_or(0.5, |s| if s.is_nan() { 0.5 } else { s.clamp(0.0, 1.0) });
        self.similarity.extend((0..self.groups).map(known));
    }

    /// Number of groups, G.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Number of annotators, m.
    pub fn annotators(&self) -> usize {
        self.similarity.len() / self.groups
    }

    /// How well `annotator` suits `group`; the mean over the groups if the case has none that is known, 0 for a
    /// stranger.
    pub fn of(&self, annotator: ExpertId, group: Option<GroupId>) -> f64 {
        let start = annotator.index() * self.groups;
        let Some(row) = self.similarity.get(start..start + self.groups) else { return 0.0 };
        match group.and_then(|group| row.get(group.index())) {
            Some(&similarity) => similarity,
            None => row.iter().sum::<f64>() / row.len() as f64,
        }
    }

    /// The similarities of `annotators` with `group` as a distribution; uniform if all are 0. O(m).
    pub fn weights(&self, group: Option<GroupId>, annotators: &[ExpertId]) -> Vec<f64> {
        let mut weights: Vec<f64> = annotators.iter().map(|&annotator| self.of(annotator, group)).collect();
        normalise(&mut weights);
        weights
    }
}

/// Makes a distribution of weights of 0 or more; uniform if all are 0.
pub(crate) fn normalise(weights: &mut [f64]) {
    let total: f64 = weights.iter().sum();
    let even = 1.0 / weights.len() as f64;
    for weight in weights {
        *weight = if total > 0.0 { *weight / total } else { even };
    }
}

/// # Errors
/// If a similarity is not in [0, 1].
pub(crate) fn check(similarity: &[f64]) -> Result<(), ParameterError> {
    match similarity.iter().find(|s| !(0.0..=1.0).contains(*s)) {
        Some(wrong) => Err(ParameterError::new("a similarity", wrong, "a number from 0 to 1")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_without_a_known_group_see_the_mean() {
        let prior = Prior::from_fn(2, 2, |a, g| [[1.0, 0.5], [0.0, 0.0]][a][g]).unwrap();
        assert_eq!([None, Some(GroupId(1)), Some(GroupId(7))].map(|g| prior.of(ExpertId(0), g)), [0.75, 0.5, 0.75]);
        assert_eq!(prior.of(ExpertId(9), None), 0.0);
        assert_eq!(prior.weights(Some(GroupId(0)), &[ExpertId(1)]), [1.0]);
        assert!(prior.weights(None, &[]).is_empty());
    }

    #[test]
    fn who_joins_may_be_unknown() {
        let mut prior = Prior::new(2);
        prior.push(&[]);
        prior.push(&[2.0, f64::NAN]);
        assert_eq!(prior.annotators(), 2);
        assert_eq!(prior.of(ExpertId(0), Some(GroupId(1))), 0.5);
        assert_eq!([0, 1].map(|g| prior.of(ExpertId(1), Some(GroupId(g)))), [1.0, 0.5]);
    }

    #[test]
    fn similarities_are_checked() {
        let message = Prior::from_fn(1, 1, |_, _| 1.5).unwrap_err().to_string();
        assert_eq!(message, "a similarity is 1.5, but must be a number from 0 to 1");
        assert!(Prior::from_fn(1, 1, |_, _| f64::NAN).is_err());
    }
}
