//! Isotonic regression: the increasing curve that fits best.

use deferral_core::{CaseWeights, Columns};
use serde::{Deserialize, Serialize};

/// For each class an increasing curve from what was predicted to how often it was right (Zadrozny and Elkan 2002,
/// section 3.3): pool-adjacent-violators on each class against the rest, then normalised.
///
/// A block of cases that the curve does not tell apart says `(right + pull x share) / (cases + pull)` with half a case
/// of pull towards the class's share, so that no probability is 0 or 1; between the means of two blocks it runs
/// straight, beyond the ends it is level. Needs no model of the error and many cases: a few hundred at least.
///
/// ```
/// use deferral_core::{CaseWeights, Columns};
/// use deferral_models::Isotonic;
/// // Says .6 and is right half of the time, says .9 and is always right.
/// let said = Columns::from_values(2, [[0.4, 0.6], [0.4, 0.6], [0.1, 0.9], [0.1, 0.9]].concat());
/// let truth = Columns::from_values(2, [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]].concat());
/// let isotonic = Isotonic::fit(&said, &truth, &CaseWeights::uniform(4));
/// let mut p = [0.4, 0.6];
/// isotonic.apply(&mut p);
/// assert!((p[1] - 0.55).abs() < 1e-12, "{p:?}"); // (1 + .5 x .75) / 2.5
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Isotonic {
    curves: Vec<Curve>,
}

/// Pull of each block towards the class's share, in cases.
const PULL: f64 = 0.5;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Curve {
    /// Mean prediction of each block, increasing.
    at: Vec<f64>,
    /// What it becomes, not decreasing.
    value: Vec<f64>,
}

/// Cases that the curve does not tell apart.
#[derive(Clone, Copy)]
struct Block {
    weight: f64,
    /// Sum of predictions.
    at: f64,
    /// Sum of targets.
    target: f64,
}

impl Block {
    fn join(self, other: Self) -> Self {
        Self { weight: self.weight + other.weight, at: self.at + other.at, target: self.target + other.target }
    }
}

impl Isotonic {
    /// Fits to predictions (K x n) of cases that were not trained on, and what is right (K x n, a distribution a case).
    /// Columns beyond the shortest of the three are passed over. O(K n log n).
    pub fn fit(predictions: &Columns, targets: &Columns, weights: &CaseWeights) -> Self {
        let curve = |class: usize| {
            let cases = predictions.iter().zip(targets.iter()).zip(weights.values());
            let cases = cases.filter(|(_, weight)| **weight > 0.0);
            let single = |((prediction, target), weight): ((&[f64], &[f64]), &f64)| Block {
                weight: *weight,
                at: weight * prediction[class],
                target: weight * target[class],
            };
            Curve::fit(cases.map(single).collect())
        };
        Self { curves: (0..predictions.rows()).map(curve).collect() }
    }

    /// Corrects one distribution in place. O(K log n).
    pub fn apply(&self, probabilities: &mut [f64]) {
        for (p, curve) in probabilities.iter_mut().zip(&self.curves) {
            *p = curve.value(*p);
        }
        let total: f64 = probabilities.iter().sum();
        if total > 0.0 {
            for p in probabilities {
                *p /= total;
            }
        }
    }
}

impl Curve {
    fn fit(mut cases: Vec<Block>) -> Self {
        cases.sort_by(|a, b| (a.at / a.weight).total_cmp(&(b.at / b.weight)));
        let total = cases.iter().copied().reduce(Block::join);
        let Some(total) = total else { return Self::default() };
        let share = total.target / total.weight;
        let value = |block: &Block| (block.target + PULL * share) / (block.weight + PULL);
        // Equal predictions are one block: there is nothing to tell them apart by.
        let alike = |a: &Block, b: &Block| (a.at / a.weight - b.at / b.weight).abs() < 1e-12;
        let blocks =
            pooled(&cases, |last, next| alike(last, next) || last.target * next.weight >= next.target * last.weight);
        // The pull moves small blocks further than large ones, which may put them out of order again.
        let blocks = pooled(&blocks, |last, next| value(last) >= value(next));
        Self {
            at: blocks.iter().map(|block| block.at / block.weight).collect(),
            value: blocks.iter().map(value).collect(),
        }
    }

    fn value(&self, prediction: f64) -> f64 {
        let above = self.at.partition_point(|at| *at <= prediction);
        match (above.checked_sub(1), self.at.get(above)) {
            (None, None) => prediction,
            (None, Some(_)) => self.value[0],
            (Some(below), None) => self.value[below],
            (Some(below), Some(next)) => {
                let share = (prediction - self.at[below]) / (next - self.at[below]);
                self.value[below] + share * (self.value[above] - self.value[below])
            }
        }
    }
}

/// Joins neighbours for as long as `violates` says of the last block and the next.
fn pooled(blocks: &[Block], violates: impl Fn(&Block, &Block) -> bool) -> Vec<Block> {
    let mut pooled: Vec<Block> = Vec::new();
    for &block in blocks {
        let mut block = block;
        while let Some(last) = pooled.last().copied().filter(|last| violates(last, &block)) {
            pooled.pop();
            block = last.join(block);
        }
        pooled.push(block);
    }
    pooled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(said: &[f64], truth: &[f64]) -> Isotonic {
        let both = |values: &[f64]| Columns::from_values(2, values.iter().flat_map(|p| [1.0 - p, *p]).collect());
        Isotonic::fit(&both(said), &both(truth), &CaseWeights::uniform(said.len()))
    }

    fn at(isotonic: &Isotonic, p: f64) -> f64 {
        let mut both = [1.0 - p, p];
        isotonic.apply(&mut both);
        both[1]
    }

    #[test]
    fn violators_are_pooled() {
        // .3 is right more often than .5: they become one block, at .4, of value 1/2.
        let isotonic = fitted(&[0.1, 0.3, 0.5, 0.9], &[0.0, 1.0, 0.0, 1.0]);
        let block = (1.0 + PULL * 0.5) / (2.0 + PULL);
        assert!((at(&isotonic, 0.4) - block).abs() < 1e-12);
        assert!(at(&isotonic, 0.05) > 0.0 && at(&isotonic, 0.99) < 1.0);
    }

    #[test]
    fn the_curve_never_falls_and_both_classes_agree() {
        let said: Vec<f64> = (0..200).map(|i| f64::from((i * 73) % 200) / 200.0).collect();
        let truth: Vec<f64> =
            said.iter().enumerate().map(|(i, p)| f64::from(u8::from((i * 37 % 100) as f64 / 100.0 < p * p))).collect();
        let isotonic = fitted(&said, &truth);
        let curve: Vec<f64> = (0..=100).map(|i| at(&isotonic, f64::from(i) / 100.0)).collect();
        assert!(curve.windows(2).all(|pair| pair[1] >= pair[0] - 1e-12), "{curve:?}");
        assert!((at(&isotonic, 0.9) - 0.81).abs() < 0.12);
    }

    #[test]
    fn nothing_to_learn_from_changes_nothing() {
        let isotonic = fitted(&[], &[]);
        assert_eq!(at(&isotonic, 0.3), 0.3);
    }
}
