//! Which cases a step learns from.

use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use deferral_core::{ParameterError, Random};

/// How the cases of each step are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Batches {
    /// Every step draws afresh: different cases within a step, independent between steps.
    PerStep {
        /// Cases in a batch; all of them if there are fewer.
        size: usize,
    },
    /// Every case once an epoch, in a new random order each; the last batch of an epoch may be smaller.
    ByEpoch {
        /// Cases in a batch.
        size: usize,
    },
    /// All cases in every step.
    Full,
}

impl Batches {
    /// Checks the size.
    ///
    /// # Errors
    /// If it is 0.
    pub fn check(&self) -> Result<(), ParameterError> {
        match self {
            Self::PerStep { size: 0 } | Self::ByEpoch { size: 0 } => {
                Err(ParameterError::new("the batch size", 0, "1 or more"))
            }
            _ => Ok(()),
        }
    }

    /// The largest batch out of n cases.
    pub fn capacity(&self, n: usize) -> usize {
        match *self {
            Self::PerStep { size } | Self::ByEpoch { size } => size.min(n),
            Self::Full => n,
        }
    }
}

/// Draws batch after batch from one permutation that it keeps.
#[derive(Debug)]
pub(crate) struct Drawer {
    batches: Batches,
    order: Vec<usize>,
    next: usize,
    random: Random,
}

impl Drawer {
    pub(crate) fn new(batches: Batches, n: usize, random: Random) -> Self {
        Self { batches, order: (0..n).collect(), next: n, random }
    }

    /// The cases of the next step.
    pub(crate) fn draw(&mut self) -> &[usize] {
        let n = self.order.len();
        match self.batches {
            Batches::Full => &self.order,
            Batches::PerStep { size } => {
                // The first places of a shuffle of any permutation are a uniform draw without replacement.
                let size = size.min(n);
                for place in 0..size {
                    let other = self.random.random_range(place..n);
                    self.order.swap(place, other);
                }
                &self.order[..size]
            }
            Batches::ByEpoch { size } => {
                if self.next >= n {
                    self.order.shuffle(&mut self.random);
                    self.next = 0;
                }
                let start = self.next;
                self.next = (start + size).min(n);
                &self.order[start..self.next]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::Stream;

    #[test]
    fn a_step_never_repeats_a_case_and_an_epoch_has_each_once() {
        let mut per_step = Drawer::new(Batches::PerStep { size: 7 }, 20, Stream::new(1).random());
        for _ in 0..50 {
            let mut batch = per_step.draw().to_vec();
            batch.sort_unstable();
            batch.dedup();
            assert_eq!(batch.len(), 7);
        }
        let mut by_epoch = Drawer::new(Batches::ByEpoch { size: 7 }, 20, Stream::new(1).random());
        for _ in 0..3 {
            let sizes_and_cases: Vec<Vec<usize>> = (0..3).map(|_| by_epoch.draw().to_vec()).collect();
            assert_eq!(sizes_and_cases.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 6]);
            let mut all = sizes_and_cases.concat();
            all.sort_unstable();
            assert_eq!(all, (0..20).collect::<Vec<_>>());
        }
    }

    #[test]
    fn draws_per_step_are_uniform() {
        let mut drawer = Drawer::new(Batches::PerStep { size: 5 }, 20, Stream::new(2).random());
        let mut counts = [0usize; 20];
        for _ in 0..4000 {
            for &case in drawer.draw() {
                counts[case] += 1;
            }
        }
        // 1000 expected each, standard deviation sqrt(4000 * 1/4 * 3/4) = 27.
        assert!(counts.iter().all(|c| (870..1130).contains(c)), "{counts:?}");
    }
}
