//! The loss of a classifier alone.

use deferral_core::Label;

use crate::network::Tape;
use crate::objective::{Batch, Objective};
use crate::scalar::Scalar;
use crate::stable::{log_sum_exp, logistic_loss, sigmoid};

/// Mean cross-entropy of labels under one network: a logit for two classes (one output), a softmax for more
/// (K outputs).
#[derive(Debug, Clone)]
pub struct CrossEntropy {
    labels: Vec<Label>,
    scores: Vec<f64>,
}

impl CrossEntropy {
    /// The loss for cases with these labels.
    pub fn new(labels: Vec<Label>) -> Self {
        Self { labels, scores: Vec::new() }
    }

    /// Outputs that a classifier of `classes` classes has.
    pub fn outputs(classes: usize) -> usize {
        if classes == 2 { 1 } else { classes }
    }
}

/// Cross-entropy of `label` under raw classifier outputs (one logit, or K scores), scaled by `weight`; its gradient
/// with respect to the outputs is added to `gradient`. `scores` is room for K numbers.
pub fn cross_entropy<S: Scalar>(
    label: Label,
    outputs: &[S],
    gradient: &mut [S],
    weight: f64,
    scores: &mut Vec<f64>,
) -> f64 {
    if let [logit] = outputs {
        let target = f64::from(label.0);
        gradient[0] += S::of(weight * (sigmoid(logit.wide()) - target));
        return weight * logistic_loss(label.0 == 1, logit.wide());
    }
    scores.clear();
    scores.extend(outputs.iter().map(|s| s.wide()));
    let total = log_sum_exp(scores);
    for (class, (g, score)) in gradient.iter_mut().zip(scores.iter()).enumerate() {
        let hit = f64::from(u8::from(class == label.index()));
        *g += S::of(weight * ((score - total).exp() - hit));
    }
    weight * (total - scores[label.index()])
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
            loss += cross_entropy(self.labels[case], outputs, gradient, weight * share, &mut self.scores);
        }
        loss
    }
}
