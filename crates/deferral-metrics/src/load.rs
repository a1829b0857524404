//! How evenly the work is spread over the experts.

use deferral_core::Outcome;
use serde::{Deserialize, Serialize};

/// The load of m experts, with the usual measures of how uneven it is.
///
/// Of an even load max share is 1/m, Gini and CV are 0, entropy and Jain are 1; if one expert does everything they are
/// 1, (m-1)/m, sqrt(m-1), 0 and 1/m. Experts without work count: they are what makes a load uneven. One expert alone
/// counts as even. O(m log m).
///
/// ```
/// use deferral_metrics::Load;
/// let load = Load::of_counts(&[10, 20, 30, 40]).unwrap();
/// assert_eq!(load.shares, [0.1, 0.2, 0.3, 0.4]);
/// assert_eq!((load.max_share, load.gini), (0.4, 0.25));
/// assert_eq!(Load::of_counts(&[0, 0]), None);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Answers in all.
    pub total: usize,
    /// Each expert's share q of them, summing to 1.
    pub shares: Vec<f64>,
    /// The largest share.
    pub max_share: f64,
    /// Normalised entropy -sum q ln q / ln m.
    pub entropy: f64,
    /// Gini coefficient: the mean absolute difference of two shares over twice their mean.
    pub gini: f64,
    /// Coefficient of variation: population standard deviation over mean.
    pub cv: f64,
    /// Jain's index (sum q)^2 / (m sum q^2) = 1 / (1 + CV^2).
    pub jain: f64,
}

impl Load {
    /// The load from the number of answers of each of m experts; `None` if nobody answered anything.
    pub fn of_counts(counts: &[usize]) -> Option<Self> {
        let total: usize = counts.iter().sum();
        if total == 0 {
            return None;
        }
        let m = counts.len() as f64;
        let shares: Vec<f64> = counts.iter().map(|&count| count as f64 / total as f64).collect();
        let jain = 1.0 / (m * shares.iter().map(|q| q * q).sum::<f64>());
        let cv = (shares.iter().map(|q| (m * q - 1.0).powi(2)).sum::<f64>() / m).sqrt();
        Some(Self {
            total,
            max_share: shares.iter().copied().fold(0.0, f64::max),
            entropy: entropy(&shares),
            gini: gini(counts, total),
            cv,
            jain: jain.min(1.0),
            shares,
        })
    }

    /// The load that `outcomes` put on `experts` experts: cases on which each answered. The classifier is no expert.
    pub fn of_outcomes(outcomes: &[Outcome], experts: usize) -> Option<Self> {
        let mut counts = vec![0; experts];
        for outcome in outcomes {
            let mut people: Vec<usize> = outcome.votes.iter().map(|vote| vote.expert.index()).collect();
            // A member who was drawn twice votes twice, but worked once.
            people.sort_unstable();
            people.dedup();
            for expert in people {
                if let Some(count) = counts.get_mut(expert) {
                    *count += 1;
                }
            }
        }
        Self::of_counts(&counts)
    }
}

fn entropy(shares: &[f64]) -> f64 {
    if shares.len() == 1 {
        return 1.0;
    }
    let nats: f64 = shares.iter().filter(|q| **q > 0.0).map(|q| -q * q.ln()).sum();
    (nats / (shares.len() as f64).ln()).clamp(0.0, 1.0)
}

/// `sum_i (2 i - m - 1) x_i / (m sum x)` over the counts in ascending order, i from 1.
fn gini(counts: &[usize], total: usize) -> f64 {
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    let m = sorted.len() as f64;
    let weighted: f64 = sorted.iter().enumerate().map(|(i, &x)| (2.0 * i as f64 + 1.0 - m) * x as f64).sum();
    weighted / (m * total as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Absent, Columns, Committee, Decisions, Probabilities, Recorded, Stream, Weights, consult};
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_specification() {
        let load = Load::of_counts(&[10, 20, 30, 40]).unwrap();
        for (found, expected) in [
            (load.max_share, 0.4),
            (load.entropy, 0.923_220),
            (load.gini, 0.25),
            (load.cv, 0.447_214),
            (load.jain, 0.833_333),
        ] {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn the_extremes() {
        let one = Load::of_counts(&[0, 7, 0, 0]).unwrap();
        assert_eq!((one.max_share, one.entropy, one.gini, one.jain), (1.0, 0.0, 0.75, 0.25));
        assert!((one.cv - 3f64.sqrt()).abs() < 1e-12);
        let even = Load::of_counts(&[5; 4]).unwrap();
        assert_eq!((even.entropy, even.gini, even.cv, even.jain), (1.0, 0.0, 0.0, 1.0));
        let alone = Load::of_counts(&[3]).unwrap();
        assert_eq!((alone.entropy, alone.gini, alone.jain), (1.0, 0.0, 1.0));
        assert_eq!(Load::of_counts(&[]), None);
    }

    #[test]
    fn outcomes_are_counted_once_a_case_and_without_the_classifier() {
        let decisions = Decisions::from_triples(3, 2, [(0, 0, 1), (0, 1, 1), (1, 0, 0), (2, 0, 1)]).unwrap();
        let beliefs = (Probabilities(Columns::repeat(&[0.5, 0.5], 3)), Weights(Columns::repeat(&[1.0; 3], 3)));
        let mut source = Recorded::new(&decisions, Absent::Unavailable);
        let both = (&beliefs.0, &beliefs.1);
        let outcomes = consult(0..3, both, &Committee::default(), &mut source, None, &Stream::new(1)).unwrap();
        let load = Load::of_outcomes(&outcomes, 2).unwrap();
        assert_eq!((load.total, load.shares), (4, vec![0.75, 0.25]));
        let mut twice = outcomes[1].clone();
        twice.votes.extend(outcomes[1].votes.clone());
        assert_eq!(Load::of_outcomes(&[twice], 2).unwrap().total, 1);
    }

    proptest! {
        #[test]
        fn measures_stay_in_their_ranges(counts in prop::collection::vec(0usize..1000, 1..30)) {
            if let Some(load) = Load::of_counts(&counts) {
                let m = counts.len() as f64;
                prop_assert!((load.shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                prop_assert!(load.max_share >= 1.0 / m - 1e-12 && load.max_share <= 1.0);
                prop_assert!((0.0..=1.0).contains(&load.entropy));
                prop_assert!(load.gini >= -1e-12 && load.gini <= (m - 1.0) / m + 1e-12);
                prop_assert!(load.jain >= 1.0 / m - 1e-12 && load.jain <= 1.0);
                prop_assert!((load.jain - 1.0 / (1.0 + load.cv * load.cv)).abs() < 1e-9);
            }
        }
    }
}
