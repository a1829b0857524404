//! The loss of a classifier alone.

use deferral_core::{Label, ParameterError};
use serde::{Deserialize, Serialize};

use crate::network::Tape;
use crate::objective::{Batch, Objective};
use crate::scalar::Scalar;
use crate::stable::{log_sum_exp, sigmoid, sigmoid_and_softplus};

/// What the loss of each true class rewards: a K x K table, one row a true class. Without costs it is the identity:
/// the true class and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Targets {
    classes: usize,
    rows: Vec<f64>,
}

impl Targets {
    /// Every error costs the same.
    pub fn labels(classes: usize) -> Self {
        let mut rows = vec![0.0; classes * classes];
        for class in 0..classes {
            rows[class * classes + class] = 1.0;
        }
        Self { classes, rows }
    }

    /// Predicting class k for a case of class y costs `costs[y * K + k]`; class k is then rewarded by what it saves
    /// against the worst prediction, `max_l c(y, l) - c(y, k)` (Mozannar and Sontag 2020, equation 3).
    ///
    /// # Errors
    /// If there are not K x K costs, or one is negative or not finite.
    pub fn costs(classes: usize, costs: &[f64]) -> Result<Self, ParameterError> {
        let entries = classes * classes;
        let expected = format!("one for each of the {classes} x {classes} pairs of classes");
        ParameterError::check(costs.len() == entries, "the number of error costs", costs.len(), &expected)?;
        for (at, cost) in costs.iter().enumerate() {
            let parameter = format!("the cost of predicting class {} for class {}", at % classes, at / classes);
            ParameterError::check(cost.is_finite() && *cost >= 0.0, &parameter, cost, "a finite number, 0 or more")?;
        }
        let saved = |row: &[f64]| {
            let worst = row.iter().copied().fold(0.0, f64::max);
            row.iter().map(|cost| worst - cost).collect::<Vec<f64>>()
        };
        Ok(Self { classes, rows: costs.chunks_exact(classes.max(1)).flat_map(saved).collect() })
    }

    /// The rewards of the classes when `label` is true: K numbers.
    pub fn of(&self, label: Label) -> &[f64] {
        &self.rows[label.index() * self.classes..(label.index() + 1) * self.classes]
    }
}

/// Mean cross-entropy of labels under one network: a logit for two classes (one output), a softmax for more
/// (K outputs).
#[derive(Debug, Clone)]
pub struct CrossEntropy {
    labels: Vec<Label>,
    targets: Targets,
    scores: Vec<f64>,
}

impl CrossEntropy {
    /// The loss for cases with these labels.
    pub fn new(labels: Vec<Label>, targets: Targets) -> Self {
        Self { labels, targets, scores: Vec::new() }
    }

    /// Outputs that a classifier of `classes` classes has.
    pub fn outputs(classes: usize) -> usize {
        if classes == 2 { 1 } else { classes }
    }
}

/// Cross-entropy `-sum_k target_k ln p_k` of raw classifier outputs (one logit, or K scores), scaled by `weight`; its
/// gradient with respect to the outputs is added to `gradient`. `scores` is room for K numbers.
pub fn cross_entropy<S: Scalar>(
    target: &[f64],
    outputs: &[S],
    gradient: &mut [S],
    weight: f64,
    scores: &mut Vec<f64>,
) -> f64 {
    if let ([logit], [zero, one]) = (outputs, target) {
        let (p, loss_of_zero, loss_of_one) = sigmoid_and_softplus(logit.wide());
        gradient[0] += S::of(weight * ((zero + one) * p - one));
        return weight * (one * loss_of_one + zero * loss_of_zero);
    }
    scores.clear();
    scores.extend(outputs.iter().map(|s| s.wide()));
    let log_total = log_sum_exp(scores);
    let reward: f64 = target.iter().sum();
    let mut loss = 0.0;
    for ((g, score), t) in gradient.iter_mut().zip(scores.iter()).zip(target) {
        *g += S::of(weight * (reward * (score - log_total).exp() - t));
        loss += t * (log_total - score);
    }
    weight * loss
}

/// The distribution over K classes that raw classifier outputs (one logit, or K scores) stand for.
pub fn class_probabilities(outputs: &[f64], probabilities: &mut [f64]) {
    if let [logit] = outputs {
        let p = sigmoid(*logit);
        probabilities.copy_from_slice(&[1.0 - p, p]);
    } else {
        probabilities.copy_from_slice(outputs);
        crate::stable::softmax(probabilities);
    }
}

impl<S: Scalar> Objective<S> for CrossEntropy {
    fn evaluate(&mut self, batch: &Batch<'_>, tapes: &mut [Tape<S>], _: usize) -> f64 {
        let share = 1.0 / batch.cases.len() as f64;
        let tape = &mut tapes[0];
        let mut loss = 0.0;
        for (place, (&case, &weight)) in batch.cases.iter().zip(batch.weights).enumerate() {
            let (outputs, gradient) = tape.case(place);
            loss +=
                cross_entropy(self.targets.of(self.labels[case]), outputs, gradient, weight * share, &mut self.scores);
        }
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_match_central_differences() {
        let costs = Targets::costs(3, &[0.0, 2.0, 1.0, 3.0, 0.0, 0.5, 1.0, 1.0, 0.0]).unwrap();
        let binary = Targets::costs(2, &[0.0, 4.0, 1.0, 0.0]).unwrap();
        let (h, mut room) = (1e-6, Vec::new());
        for (targets, outputs) in [(&costs, vec![0.3, -1.2, 0.8]), (&binary, vec![0.7])] {
            for label in 0..targets.classes {
                let target = targets.of(Label::at(label));
                let mut gradient = vec![0.0; outputs.len()];
                cross_entropy(target, &outputs, &mut gradient, 1.7, &mut room);
                for at in 0..outputs.len() {
                    let mut loss = |shift: f64| {
                        let mut moved = outputs.clone();
                        moved[at] += shift;
                        cross_entropy(target, &moved, &mut vec![0.0; outputs.len()], 1.7, &mut room)
                    };
                    let numeric = (loss(h) - loss(-h)) / (2.0 * h);
                    assert!((numeric - gradient[at]).abs() <= 1e-6 * numeric.abs().max(1.0));
                }
            }
        }
    }

    #[test]
    fn equal_costs_are_labels() {
        assert_eq!(Targets::costs(2, &[0.0, 1.0, 1.0, 0.0]).unwrap(), Targets::labels(2));
        let message = Targets::costs(2, &[0.0, -1.0, 1.0, 0.0]).unwrap_err().to_string();
        assert_eq!(message, "the cost of predicting class 1 for class 0 is -1, but must be a finite number, 0 or more");
        assert!(Targets::costs(2, &[0.0]).is_err());
    }
}
