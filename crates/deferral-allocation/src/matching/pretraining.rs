//! Teaching networks the prior before they see a vote.

use std::ops::Range;

use deferral_core::{ExpertId, GroupId, ParameterError, Random, Stream};
use deferral_models::{BankBatch, BankTape, NetworkBank};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::loss::regression_slope;
use crate::prior::Prior;

/// A start is good enough if the networks of those who suit the last rows best say no less than so much below their
/// similarity (the released code).
const SHORTFALL: f64 = 0.1;

/// How Strict-Matching learns the prior: `d_j(x)` is regressed on `dSim(j, z)` by gradient descent on the mean squared
/// error over rows drawn at random, and begun again from fresh weights until, on each row of the last batch, the most
/// similar annotator's output lacks less than .1 of the similarity; the best start is kept if none does. The 1000 steps of
/// the text come to the published accuracy on clusters, the 500 of the released code stay below it; neither bounds the
/// restarts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pretraining {
    /// Tasks without votes that are learned from, at least 1; published and default: 500.
    pub rows: usize,
    /// Rows in a step, at least 1; default 2.
    pub batch: usize,
    /// The learning rate, above 0 and at most 1000; default .5.
    pub rate: f64,
    /// Steps, at least 1; published and default: 1000.
    pub steps: usize,
    /// How often it may begin again; default 20, a guess.
    pub restarts: usize,
}

/// What came of pre-training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pretrained {
    /// What the most similar annotators' outputs lacked of the similarity at worst, on the last rows of the start that
    /// was kept; negative if they said more.
    pub shortfall: f64,
    /// Starts that were tried.
    pub starts: usize,
}

impl Default for Pretraining {
    fn default() -> Self {
        Self { rows: 500, batch: 2, rate: 0.5, steps: 1000, restarts: 20 }
    }
}

impl Pretraining {
    pub(super) fn check(&self) -> Result<(), ParameterError> {
        ParameterError::check(self.rows > 0, "the rows of pre-training", self.rows, "1 or more")?;
        ParameterError::check(self.batch > 0, "the batch size of pre-training", self.batch, "1 or more")?;
        ParameterError::check(self.steps > 0, "the steps of pre-training", self.steps, "1 or more")?;
        let fine = self.rate > 0.0 && self.rate <= 1e3;
        ParameterError::check(fine, "the rate of pre-training", self.rate, "above 0 and at most 1000")
    }

    /// Teaches the networks of `annotators` the prior. O(starts x steps x batch x annotators d h).
    pub(super) fn teach(
        &self,
        bank: &mut NetworkBank<f32>,
        annotators: Range<usize>,
        (window, prior): (&Window, &Prior),
        stream: &Stream,
    ) -> Pretrained {
        let mut best = Pretrained { shortfall: f64::NEG_INFINITY, starts: 0 };
        if annotators.is_empty() || window.len() == 0 {
            return best;
        }
        let mut kept = None;
        let mut room = (BankBatch::new(bank.inputs()), BankTape::default());
        for start in 0..=self.restarts {
            if start > 0 {
                let fresh = stream.nth(start);
                annotators.clone().for_each(|annotator| bank.redraw(annotator, &fresh));
            }
            let mut random = stream.child("rows").at(start);
            let shortfall = self.regress(bank, annotators.clone(), (window, prior), &mut random, &mut room);
            best.starts = start + 1;
            // The first start counts even if its shortfall is no number.
            if shortfall < best.shortfall || start == 0 {
                best.shortfall = shortfall;
                kept = Some(bank.clone());
            }
            if shortfall < SHORTFALL {
                break;
            }
        }
        if let Some(kept) = kept {
            *bank = kept;
        }
        best
    }

    /// One start; returns its shortfall.
    fn regress(
        &self,
        bank: &mut NetworkBank<f32>,
        annotators: Range<usize>,
        (window, prior): (&Window, &Prior),
        random: &mut Random,
        (batch, tape): &mut (BankBatch<f32>, BankTape<f32>),
    ) -> f64 {
        let mut shortfall = f64::NEG_INFINITY;
        let mut groups = Vec::with_capacity(self.batch);
        for _ in 0..self.steps {
            batch.clear();
            groups.clear();
            for _ in 0..self.batch {
                let row = random.random_range(0..window.len());
                let case = batch.case(window.features(row));
                groups.push(window.groups[row]);
                annotators.clone().for_each(|annotator| batch.pair(case, annotator));
            }
            shortfall = f64::NEG_INFINITY;
            bank.step(batch, tape, self.rate, |outputs, slopes| {
                for ((outputs, slopes), &group) in
                    outputs.chunks(annotators.len()).zip(slopes.chunks_mut(annotators.len())).zip(&groups)
                {
                    let mut closest = (f64::NEG_INFINITY, 0.0);
                    for ((annotator, &output), slope) in annotators.clone().zip(outputs).zip(slopes) {
                        let (output, similarity) = (f64::from(output), prior.of(ExpertId::at(annotator), group));
                        *slope = (regression_slope(output, similarity) / self.batch as f64) as f32;
                        if similarity > closest.0 {
                            closest = (similarity, similarity - output);
                        }
                    }
                    shortfall = shortfall.max(closest.1);
                }
            });
        }
        shortfall
    }
}

/// The last tasks, without their votes: what a network that comes late is taught on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Window {
    capacity: usize,
    inputs: usize,
    /// Where the next task goes once the window is full.
    next: usize,
    features: Vec<f64>,
    groups: Vec<Option<GroupId>>,
}

impl Window {
    pub(super) fn new(capacity: usize, inputs: usize) -> Self {
        Self { capacity, inputs, next: 0, features: Vec::new(), groups: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// Remembers a task, and forgets the oldest if there are too many.
    pub(super) fn push(&mut self, features: &[f64], group: Option<GroupId>) {
        // What is not finite would not survive being written as JSON; the networks take it for 0 anyway.
        let sane = (0..self.inputs).map(|at| features.get(at).copied().filter(|x| x.is_finite()).unwrap_or(0.0));
        if self.is_full() {
            self.groups[self.next] = group;
            let place = &mut self.features[self.next * self.inputs..(self.next + 1) * self.inputs];
            place.iter_mut().zip(sane).for_each(|(place, x)| *place = x);
            self.next = (self.next + 1) % self.capacity;
        } else {
            self.features.extend(sane);
            self.groups.push(group);
        }
    }

    fn features(&self, row: usize) -> &[f64] {
        &self.features[row * self.inputs..(row + 1) * self.inputs]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_keeps_the_last_tasks() {
        let mut window = Window::new(2, 2);
        for (task, x) in [[1.0, 2.0], [3.0, f64::NAN], [5.0, 6.0]].iter().enumerate() {
            assert_eq!(window.is_full(), task > 1);
            window.push(x, Some(GroupId::at(task)));
        }
        assert_eq!((window.len(), window.features(0), window.features(1)), (2, &[5.0, 6.0][..], &[3.0, 0.0][..]));
        window.push(&[7.0], None);
        assert_eq!((window.features(1), window.groups[1]), (&[7.0, 0.0][..], None));
    }

    #[test]
    fn networks_learn_the_similarity() {
        let prior =
            Prior::from_fn(3, 2, |annotator, group| [[0.9, 0.2], [0.1, 0.8], [0.5, 0.5]][annotator][group]).unwrap();
        let mut window = Window::new(100, 1);
        for row in 0..100 {
            window.push(&[f64::from(row % 2) * 4.0 - 2.0], Some(GroupId(row as u32 % 2)));
        }
        let mut bank = NetworkBank::new(1, &[], true, 3, &Stream::new(1)).unwrap();
        let settings = Pretraining { steps: 2000, ..Pretraining::default() };
        let found = settings.teach(&mut bank, 0..3, (&window, &prior), &Stream::new(2));
        assert!(found.starts == 1 && found.shortfall < SHORTFALL);
        for (x, group) in [(-2.0, 0), (2.0, 1)] {
            let outputs = bank.outputs(&[x], 0..3, &mut BankTape::default()).to_vec();
            for (annotator, output) in outputs.into_iter().enumerate() {
                let similarity = prior.of(ExpertId::at(annotator), Some(GroupId(group)));
                assert!((f64::from(output) - similarity).abs() < 0.05, "{annotator} {group}: {output}");
            }
        }
    }

    #[test]
    fn the_best_start_is_kept_if_none_is_good() {
        let prior = Prior::from_fn(1, 1, |_, _| 1.0).unwrap();
        let mut window = Window::new(1, 1);
        window.push(&[0.0], None);
        let mut bank = NetworkBank::new(1, &[], true, 1, &Stream::new(1)).unwrap();
        // One tiny step changes next to nothing: the outcome is the start.
        let settings = Pretraining { steps: 1, rate: 1e-9, restarts: 5, ..Pretraining::default() };
        let found = settings.teach(&mut bank, 0..1, (&window, &prior), &Stream::new(2));
        let output = f64::from(bank.outputs(&[0.0], [0], &mut BankTape::default())[0]);
        assert_eq!(found.starts, 6);
        assert!((found.shortfall - (1.0 - output)).abs() < 1e-6);
        for start in 1..=5 {
            bank.redraw(0, &Stream::new(2).nth(start));
            assert!(f64::from(bank.outputs(&[0.0], [0], &mut BankTape::default())[0]) <= output + 1e-6);
        }
    }
}
