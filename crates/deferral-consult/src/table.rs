//! What votes say, laid out for the innermost loop: probabilities, their logs and the noise of each row.

use deferral_core::{Confusions, ExpertId, Label};

use crate::log::ln;

/// Smallest probability of a vote, so that no single vote decides for good.
pub(crate) const FLOOR: f64 = 1e-9;

/// The matrices of all experts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    classes: usize,
    /// By expert, vote, truth.
    given: Vec<f64>,
    logs: Vec<f64>,
    /// By expert and truth.
    noise: Vec<f64>,
    /// The same as `given` and `noise`, experts innermost: for all of them at once.
    given_across: Vec<f64>,
    noise_across: Vec<f64>,
}

/// One expert's matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judge<'a> {
    /// The probability of each vote under each truth: K x K, vote by vote.
    pub(crate) given: &'a [f64],
    /// The entropy of the vote under each truth, in nats.
    pub(crate) noise: &'a [f64],
}

impl Table {
    pub(crate) fn of(confusions: &Confusions) -> Self {
        let classes = confusions.classes();
        let given: Vec<f64> = confusions.values().iter().map(|p| p.max(FLOOR)).collect();
        let mut noise = Vec::with_capacity(confusions.workers() * classes);
        for expert in given.chunks_exact((classes * classes).max(1)) {
            noise.extend((0..classes).map(|truth| row_entropy(expert, classes, truth)));
        }
        Self {
            classes,
            logs: given.iter().map(|p| p.ln()).collect(),
            given_across: transposed(&given, classes * classes),
            noise_across: transposed(&noise, classes),
            given,
            noise,
        }
    }

    /// [`Judge::entropy_gain`] of every expert: m numbers, the same to the last bit. O(m K^2).
    pub(crate) fn entropy_gains(&self, belief: &[f64]) -> Vec<f64> {
        let (m, classes) = (self.experts(), self.classes);
        let mut gains = vec![0.0; m];
        for (p, noise) in belief.iter().zip(self.noise_across.chunks_exact(m.max(1))) {
            for (gain, noise) in gains.iter_mut().zip(noise) {
                *gain += p * noise;
            }
        }
        for gain in &mut gains {
            *gain = -*gain;
        }
        let mut votes = vec![0.0; m];
        for given in self.given_across.chunks_exact((m * classes).max(1)) {
            votes.fill(0.0);
            for (p, given) in belief.iter().zip(given.chunks_exact(m)) {
                for (q, given) in votes.iter_mut().zip(given) {
                    *q += p * given;
                }
            }
            for (gain, q) in gains.iter_mut().zip(&votes) {
                *gain -= q * ln(*q);
            }
        }
        for gain in &mut gains {
            *gain = gain.max(0.0);
        }
        gains
    }

    pub(crate) fn experts(&self) -> usize {
        self.noise.len().checked_div(self.classes).unwrap_or(0)
    }

    pub(crate) fn judge(&self, expert: ExpertId) -> Judge<'_> {
        let (at, classes) = (expert.index(), self.classes);
        let square = classes * classes;
        Judge {
            given: &self.given[at * square..(at + 1) * square],
            noise: &self.noise[at * classes..(at + 1) * classes],
        }
    }

    /// The log-probability of a vote under each truth.
    pub(crate) fn logs(&self, expert: ExpertId, vote: Label) -> &[f64] {
        let start = (expert.index() * self.classes + vote.index()) * self.classes;
        &self.logs[start..start + self.classes]
    }
}

/// Rows of `width` as columns.
fn transposed(rows: &[f64], width: usize) -> Vec<f64> {
    (0..width).flat_map(|at| rows.iter().skip(at).step_by(width.max(1)).copied()).collect()
}

/// The entropy of the votes of a matrix (vote by vote) under one truth.
pub(crate) fn row_entropy(given: &[f64], classes: usize, truth: usize) -> f64 {
    let entry = |vote: usize| given[vote * classes + truth];
    -(0..classes).map(|vote| entry(vote) * entry(vote).ln()).sum::<f64>()
}

impl Judge<'_> {
    /// The expected reduction of the entropy of `belief` by this vote, in nats: `H(vote) - sum_k p_k H(vote | k)`, the
    /// mutual information of vote and truth, never negative. O(K^2), K logs.
    pub(crate) fn entropy_gain(&self, belief: &[f64]) -> f64 {
        let mut gain = -dot(belief, self.noise);
        for given in self.given.chunks_exact(belief.len()) {
            let q = dot(belief, given);
            gain -= q * ln(q);
        }
        // Rounding may leave less than nothing.
        gain.max(0.0)
    }
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example() {
        // p = (.4, .6), C = [[.8, .2], [.1, .9]]: the entropy falls by .268853 in the mean.
        let rows = [[0.8, 0.2], [0.1, 0.9]];
        let table = Table::of(&Confusions::from_fn(1, 2, |_, truth, vote| rows[truth][vote]));
        assert!((table.judge(ExpertId(0)).entropy_gain(&[0.4, 0.6]) - 0.268_853).abs() < 1e-6);
        assert_eq!(table.judge(ExpertId(0)).entropy_gain(&[1.0, 0.0]), 0.0);
        assert!((table.logs(ExpertId(0), Label(1))[0] - 0.2f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn all_at_once_are_as_one_by_one() {
        let skills: Vec<f64> = (0..13).map(|i| 0.3 + 0.05 * f64::from(i)).collect();
        let table = Table::of(&Confusions::one_coin(&skills, 3));
        let belief = [0.2, 0.5, 0.3];
        let one_by_one: Vec<f64> = (0..13).map(|e| table.judge(ExpertId(e)).entropy_gain(&belief)).collect();
        assert_eq!(table.entropy_gains(&belief), one_by_one);
    }
}
