//! Everybody alike: what every other allocator is compared with.

use deferral_core::{Allocator, CaseView, ExpertId, Label, Newcomer, ParameterError, Question, Vote};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::setting::Setting;

/// k different people drawn alike, and the majority of their votes, the lowest label on ties. It learns nothing, and its
/// log tells about every other allocator, because everybody could have been asked. O(m) a case.
///
/// ```
/// use deferral_allocation::{Prior, Setting, Uniform};
/// use deferral_core::{Allocator, CaseId, CaseView, ExpertId, Stream};
/// let mut uniform = Uniform { k: 2 }.start(&Setting::new(0, 2, Prior::new(1)))?;
/// let case = CaseView { case: CaseId(0), features: &[], group: None };
/// let asked = uniform.allocate(case, &[ExpertId(0), ExpertId(1), ExpertId(2)], &mut Stream::new(1).random());
/// assert_eq!(asked.iter().map(|question| question.propensity).collect::<Vec<_>>(), [1.0 / 3.0, 0.5]);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Uniform {
    /// People to ask about a case; fewer if fewer are available.
    pub k: usize,
}

impl Default for Uniform {
    /// Three.
    fn default() -> Self {
        Self { k: 3 }
    }
}

impl Uniform {
    /// The allocator before its first case.
    ///
    /// # Errors
    /// If k is 0 or the setting has fewer than two classes.
    pub fn start(&self, setting: &Setting) -> Result<UniformState, ParameterError> {
        setting.check()?;
        ParameterError::check(self.k > 0, "the committee size k", self.k, "1 or more")?;
        Ok(UniformState { k: self.k, counts: vec![0; setting.classes] })
    }
}

/// [`Uniform`] at work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UniformState {
    k: usize,
    counts: Vec<usize>,
}

impl Allocator for UniformState {
    fn allocate(&mut self, _: CaseView<'_>, available: &[ExpertId], random: &mut dyn Rng) -> Vec<Question> {
        let mut left = available.to_vec();
        let seats = self.k.min(left.len());
        let draw = |_| {
            let propensity = 1.0 / left.len() as f64;
            Question { expert: left.swap_remove(random.random_range(0..left.len())), propensity }
        };
        (0..seats).map(draw).collect()
    }

    fn learn(&mut self, _: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        self.counts.fill(0);
        for vote in votes {
            if let Some(count) = self.counts.get_mut(vote.label.index()) {
                *count += 1;
            }
        }
        let most = self.counts.iter().copied().max().filter(|most| *most > 0)?;
        self.counts.iter().position(|count| *count == most).map(Label::at)
    }

    fn shares(&self, _: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
        vec![1.0 / available.len() as f64; available.len()]
    }

    fn join(&mut self, _: Newcomer<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prior::Prior;
    use deferral_core::CaseId;

    #[test]
    fn the_majority_decides_and_the_lowest_on_ties() {
        let mut state = Uniform::default().start(&Setting::new(0, 3, Prior::new(1))).unwrap();
        let case = CaseView { case: CaseId(0), features: &[], group: None };
        let mut label = |labels: &[u16]| {
            let votes: Vec<Vote> = labels.iter().map(|&l| Vote { expert: ExpertId(0), label: Label(l) }).collect();
            state.learn(case, &votes).map(|label| label.0)
        };
        assert_eq!(label(&[2, 1, 2]), Some(2));
        assert_eq!(label(&[2, 1]), Some(1));
        assert_eq!(label(&[7]), None);
        assert_eq!(label(&[]), None);
    }
}
