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
    /// Each step takes as many of the first `first` cases as of the rest, each part in the order of its own epochs: for
    /// two tasks that are learned together. The shorter part begins again while the longer goes on.
    Paired {
        /// Cases of each part in a batch; fewer at the end of an epoch.
        size: usize,
        /// Cases of the first part.
        first: usize,
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
            Self::PerStep { size: 0 } | Self::ByEpoch { size: 0 } | Self::Paired { size: 0, .. } => {
                Err(ParameterError::new("the batch size", 0, "1 or more"))
            }
            _ => Ok(()),
        }
    }

    /// The largest batch out of n cases.
    pub fn capacity(&self, n: usize) -> usize {
        match *self {
            Self::PerStep { size } | Self::ByEpoch { size } => size.min(n),
            Self::Paired { size, first } => size.min(first) + size.min(n.saturating_sub(first)),
            Self::Full => n,
        }
    }
}

/// Draws batch after batch from permutations that it keeps.
#[derive(Debug)]
pub(crate) struct Drawer {
    batches: Batches,
    order: Vec<usize>,
    /// Where the epoch goes on, in the whole order or in each of its two parts.
    next: [usize; 2],
    batch: Vec<usize>,
    random: Random,
}

impl Drawer {
    pub(crate) fn new(batches: Batches, n: usize, random: Random) -> Self {
        // Every epoch is over before the first one begins.
        let batch = Vec::with_capacity(if let Batches::Paired { .. } = batches { batches.capacity(n) } else { 0 });
        Self { batches, order: (0..n).collect(), next: [n; 2], batch, random }
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
            Batches::ByEpoch { size } => next_of_epoch(&mut self.order, &mut self.next[0], size, &mut self.random),
            Batches::Paired { size, first } => {
                let (one, two) = self.order.split_at_mut(first.min(n));
                self.batch.clear();
                for (part, next) in [one, two].into_iter().zip(&mut self.next) {
                    self.batch.extend_from_slice(next_of_epoch(part, next, size, &mut self.random));
                }
                &self.batch
            }
        }
    }
}

/// The next `size` of an epoch through `order`, or those that are left of it; a new one begins when it is over.
fn next_of_epoch<'a>(order: &'a mut [usize], next: &mut usize, size: usize, random: &mut Random) -> &'a [usize] {
    if *next >= order.len() {
        order.shuffle(random);
        *next = 0;
    }
    let start = *next;
    *next = (start + size).min(order.len());
    &order[start..*next]
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
    fn two_parts_go_through_epochs_of_their_own() {
        let mut paired = Drawer::new(Batches::Paired { size: 4, first: 6 }, 16, Stream::new(3).random());
        assert_eq!(Batches::Paired { size: 4, first: 6 }.capacity(16), 8);
        let steps: Vec<Vec<usize>> = (0..6).map(|_| paired.draw().to_vec()).collect();
        let part = |from: usize, to: usize, steps: &[Vec<usize>]| {
            let mut cases: Vec<usize> = steps.concat().into_iter().filter(|c| (from..to).contains(c)).collect();
            cases.sort_unstable();
            cases
        };
        // Six cases in batches of 4 and 2; ten in batches of 4, 4 and 2.
        assert_eq!(steps.iter().map(Vec::len).collect::<Vec<_>>(), [8, 6, 6, 6, 8, 4]);
        assert_eq!(part(0, 6, &steps[..2]), (0..6).collect::<Vec<_>>());
        assert_eq!(part(6, 16, &steps[..3]), (6..16).collect::<Vec<_>>());
        assert_eq!(part(6, 16, &steps[3..]), (6..16).collect::<Vec<_>>());
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
