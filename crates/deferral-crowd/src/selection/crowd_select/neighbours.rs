//! Error rates on the nearest cases.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use deferral_core::{CaseId, CaseWeights, Cases, Columns, Decisions, ExpertId, Features, PolicyError, SparseFeatures};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::errors::WRONG;

/// All training cases, with who was wrong on them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Neighbours {
    k: usize,
    features: Features,
    weights: Vec<f64>,
    mistakes: Decisions,
}

impl Neighbours {
    pub(super) fn new(k: usize, cases: &Cases, mistakes: Decisions, weights: &CaseWeights) -> Self {
        Self { k, features: cases.features().clone(), weights: weights.values().to_vec(), mistakes }
    }

    /// The error of each worker on each case: workers x n.
    pub(super) fn errors(&self, features: &Features, means: &[f64]) -> Result<Columns, PolicyError> {
        let mut errors = Columns::zeros(means.len(), features.n());
        let columns = errors.values_mut().par_chunks_mut(means.len()).enumerate();
        match (&self.features, features) {
            (Features::Dense(here), Features::Dense(there)) => {
                let distances = |case| dense_distances(here, there.column(case));
                columns.for_each(|(case, column)| self.rate(&distances(case), means, column));
            }
            (Features::Sparse(here), Features::Sparse(there)) => {
                let squares: Vec<f64> = (0..here.n()).map(|case| square(here.case(case))).collect();
                let distances = |case| sparse_distances(here, &squares, there.case(case));
                columns.for_each(|(case, column)| self.rate(&distances(case), means, column));
            }
            (Features::Dense(_), _) => return Err(PolicyError::Kind { expected: "dense" }),
            (Features::Sparse(_), _) => return Err(PolicyError::Kind { expected: "sparse" }),
        }
        Ok(errors)
    }

    /// Writes the error of each worker on a case that is so far from the training cases.
    fn rate(&self, distances: &[f64], means: &[f64], errors: &mut [f64]) {
        // The bits of numbers that are not negative sort as they do.
        let near = |(case, distance): (usize, &f64)| Reverse((distance.to_bits(), case));
        let mut nearest: BinaryHeap<_> = distances.iter().enumerate().map(near).collect();
        let answered = |worker: usize| self.mistakes.of_expert(ExpertId::at(worker)).len();
        let mut wanted: Vec<usize> = (0..means.len()).map(|worker| answered(worker).min(self.k)).collect();
        let mut open = wanted.iter().filter(|wanted| **wanted > 0).count();
        errors.copy_from_slice(means);
        let mut answers = vec![1.0; means.len()];
        while open > 0 {
            let Some(Reverse((_, case))) = nearest.pop() else { break };
            for (worker, label) in self.mistakes.of_case(CaseId::at(case)).iter() {
                let worker = worker.index();
                if wanted[worker] > 0 {
                    wanted[worker] -= 1;
                    open -= usize::from(wanted[worker] == 0);
                    answers[worker] += self.weights[case];
                    errors[worker] += if label == WRONG { self.weights[case] } else { 0.0 };
                }
            }
        }
        errors.iter_mut().zip(answers).for_each(|(wrong, answers)| *wrong /= answers);
    }
}

fn dense_distances(columns: &Columns, to: &[f64]) -> Vec<f64> {
    let distance = |column: &[f64]| column.iter().zip(to).map(|(a, b)| (a - b) * (a - b)).sum();
    columns.iter().map(distance).collect()
}

fn sparse_distances(features: &SparseFeatures, squares: &[f64], to: &[(u32, f32)]) -> Vec<f64> {
    let mut values = vec![0.0; features.dim()];
    for &(feature, value) in to {
        values[feature as usize] += f64::from(value);
    }
    let product = |(feature, value): &(u32, f32)| f64::from(*value) * values[*feature as usize];
    let distance = |case: usize| {
        let inner: f64 = features.case(case).iter().map(product).sum();
        (squares[case] + square(to) - 2.0 * inner).max(0.0)
    };
    (0..features.n()).map(distance).collect()
}

fn square(entries: &[(u32, f32)]) -> f64 {
    entries.iter().map(|(_, value)| f64::from(*value).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::Names;

    /// Cases at 0, 1, ... 9 on a line. Worker 0 errs below 5, worker 1 answered only case 9 and erred, worker 2
    /// nothing.
    fn fitted(features: Features) -> Neighbours {
        let cases = Cases::new(Names::numbered("case", 10), features).unwrap();
        let mistakes = (0..10).map(|case| (case, 0, u16::from(case < 5))).chain([(9, 1, 1)]);
        let mistakes = Decisions::from_triples(10, 3, mistakes).unwrap();
        Neighbours::new(3, &cases, mistakes, &CaseWeights::uniform(10))
    }

    fn dense(points: &[f64]) -> Features {
        let points = points.iter().flat_map(|x| [*x, 1.0]).collect();
        Features::Dense(Columns::from_values(2, points))
    }

    fn sparse(points: &[f64]) -> Features {
        let mut sparse = SparseFeatures::new(2);
        for point in points {
            sparse.push(&[(0, *point as f32), (1, 1.0)]).unwrap();
        }
        Features::Sparse(sparse)
    }

    #[test]
    fn the_nearest_answers_of_each_worker_count() {
        let line: Vec<f64> = (0..10).map(f64::from).collect();
        let means = [0.5, 0.8, 0.25];
        let found = fitted(dense(&line)).errors(&dense(&[0.0, 9.0, 4.0]), &means).unwrap();
        // Nearest to 4: 4 itself, then 3 and 5 (errors 1, 1, 0).
        assert_eq!(found.column(0), [3.5 / 4.0, 1.8 / 2.0, 0.25]);
        assert_eq!(found.column(1), [0.5 / 4.0, 1.8 / 2.0, 0.25]);
        assert_eq!(found.column(2), [2.5 / 4.0, 1.8 / 2.0, 0.25]);
        assert_eq!(fitted(sparse(&line)).errors(&sparse(&[0.0, 9.0, 4.0]), &means).unwrap(), found);
    }

    #[test]
    fn other_kinds_of_features_are_refused() {
        let error = fitted(dense(&[0.0; 10])).errors(&sparse(&[0.0]), &[0.5; 3]).unwrap_err();
        assert_eq!(error.to_string(), "the policy was fitted on dense features; these are of the other kind");
    }
}
