//! How the experts and the classifier compare on one case.

use serde::{Deserialize, Serialize};

/// Who decides where an expert and the classifier compare the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ties {
    /// The classifier: the rule is strict.
    Classifier,
    /// The expert.
    Expert,
}

/// What is compared, and the weights in [0, 1] that stand for it; J experts, then the classifier.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    keys: Vec<f64>,
    weights: Vec<f64>,
    order: Vec<usize>,
}

/// The least weight of anyone who is compared, so that there is always room below.
const LEAST: f64 = 1e-300;

impl Standing {
    pub(super) fn set_keys(&mut self, experts: &[f64], classifier: f64) {
        set(&mut self.keys, experts, classifier);
    }

    pub(super) fn set_weights(&mut self, experts: &[f64], classifier: f64) {
        set(&mut self.weights, experts, classifier);
    }

    /// By how much the best expert exceeds the classifier in what is compared.
    pub(super) fn margin(&self) -> f64 {
        let Some((classifier, experts)) = self.keys.split_last() else { return 0.0 };
        experts.iter().copied().fold(f64::NEG_INFINITY, f64::max) - classifier
    }

    /// The weights, moved by the last bits where rounding or ties would otherwise let a committee choose another
    /// member than the rule does: a committee takes the largest weight, and the lower index among equal ones.
    pub(super) fn ordered_weights(&mut self, ties: Ties) -> &[f64] {
        let Self { keys, weights, order } = self;
        let classifier = keys.len() - 1;
        let rank = |at: usize| (at == classifier) != (ties == Ties::Classifier);
        order.clear();
        order.extend(0..keys.len());
        order.sort_by(|&a, &b| keys[b].total_cmp(&keys[a]).then(rank(a).cmp(&rank(b))).then(a.cmp(&b)));
        for weight in weights.iter_mut() {
            *weight = weight.max(LEAST);
        }
        for pair in order.windows(2) {
            let (first, second) = (pair[0], pair[1]);
            let equal_is_enough = keys[first] == keys[second] && first < second;
            let most = if equal_is_enough { weights[first] } else { weights[first].next_down() };
            weights[second] = weights[second].min(most);
        }
        weights
    }
}

fn set(values: &mut Vec<f64>, experts: &[f64], classifier: f64) {
    values.clear();
    values.extend_from_slice(experts);
    values.push(classifier);
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::argmax;
    use proptest::prelude::*;

    fn ordered(keys: &[f64], weights: &[f64], ties: Ties) -> Vec<f64> {
        let mut standing = Standing::default();
        let split = |values: &[f64]| (values[..values.len() - 1].to_vec(), values[values.len() - 1]);
        let ((experts, classifier), (of_experts, of_classifier)) = (split(keys), split(weights));
        standing.set_keys(&experts, classifier);
        standing.set_weights(&of_experts, of_classifier);
        standing.ordered_weights(ties).to_vec()
    }

    #[test]
    fn ties_go_where_the_rule_says() {
        assert_eq!(argmax(&ordered(&[1.0, 1.0], &[0.5, 0.5], Ties::Classifier)), 1);
        assert_eq!(argmax(&ordered(&[1.0, 1.0], &[0.5, 0.5], Ties::Expert)), 0);
        // Saturated weights and vanished ones keep the order of what is compared.
        assert_eq!(argmax(&ordered(&[40.0, 39.0, 41.0], &[1.0, 1.0, 1.0], Ties::Expert)), 2);
        assert_eq!(argmax(&ordered(&[-900.0, -901.0, -899.0], &[0.0; 3], Ties::Expert)), 2);
    }

    proptest! {
        #[test]
        fn the_largest_weight_is_the_largest_key(
            keys in prop::collection::vec((-3i8..3).prop_map(f64::from), 2..6), strict: bool,
        ) {
            let shares: Vec<f64> = keys.iter().map(|key| 1.0 / (1.0 + (-key).exp())).collect();
            let ties = if strict { Ties::Classifier } else { Ties::Expert };
            let weights = ordered(&keys, &shares, ties);
            let classifier = keys.len() - 1;
            let best_expert = argmax(&keys[..classifier]);
            let defers = if strict { keys[best_expert] > keys[classifier] } else { keys[best_expert] >= keys[classifier] };
            prop_assert_eq!(argmax(&weights), if defers { best_expert } else { classifier });
            prop_assert!(weights.iter().all(|w| (0.0..=1.0).contains(w)));
        }
    }
}
