//! What Keswani, Celis, Kenthapadi and Lease (2022) claim of closed loops, tried out: each claim against exact numbers
//! where there are some, and against many simulated tasks with intervals. Every interval is at 99.99 %, so that of the
//! few here none should fail by chance, and the draws are fixed anyway.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use deferral_allocation::RewardPenalty;
use deferral_core::{Random, Stream};
use deferral_eval::closed_loop::{BiasedMajority, KnownPeople, discovery_threshold, printed_discovery_threshold};
use deferral_metrics::clopper_pearson;

const LEVEL: f64 = 0.9999;
/// Its two-sided normal quantile.
const Z: f64 = 3.890_592;

/// The interval of a mean from independent repetitions.
fn mean_interval(n: usize, mut draw: impl FnMut(&mut Random) -> f64) -> (f64, f64) {
    let stream = Stream::new(11);
    let values: Vec<f64> = (0..n).map(|i| draw(&mut stream.at(i))).collect();
    let mean = values.iter().sum::<f64>() / n as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
    let half = Z * (variance / n as f64).sqrt();
    (mean - half, mean + half)
}

fn assert_holds((low, high): (f64, f64), expected: f64) {
    assert!(low <= expected && expected <= high, "{expected} is not in [{low}, {high}]");
    assert!(high - low < 0.2, "[{low}, {high}] says little");
}

fn majority(people: usize, biased: usize, gamma: f64) -> BiasedMajority {
    BiasedMajority { people, biased, gamma }
}

fn biased_people(people: usize, biased: usize, gamma: f64) -> KnownPeople {
    majority(people, biased, gamma).start(RewardPenalty { reward: 0.01, k: 1 }).unwrap()
}

/// The labels of 20,000 first tasks are right as often as the weights say.
fn assert_accuracies(start: &KnownPeople, expected: [f64; 2]) {
    for (group, expected) in expected.into_iter().enumerate() {
        assert!((start.accuracy_on(group) - expected).abs() < 1e-6);
        let stream = Stream::new(12);
        let right = (0..20_000).filter(|&i| start.clone().task(group, &mut stream.at(i))).count();
        assert_holds(clopper_pearson(right, 20_000, LEVEL).unwrap(), expected);
    }
}

#[test]
fn claim_2_1_a_biased_majority_stays_one() {
    let start = biased_people(10, 7, 1.0);
    assert_accuracies(&start, [0.65, 0.85]);
    assert!((start.gap() - 0.2).abs() < 1e-12);
    // One update, and many: on average the gap does not move, whichever group the tasks are of.
    for (groups, tasks) in [(&[0][..], 1), (&[1], 1), (&[0, 1], 20)] {
        let interval = mean_interval(20_000, |random| {
            let mut world = start.clone();
            (0..tasks).for_each(|task| {
                world.task(groups[task % groups.len()], random);
            });
            world.gap()
        });
        assert_holds(interval, 0.2);
        assert!(interval.1 - interval.0 < 0.005, "{interval:?}");
    }
}

#[test]
fn claim_2_2_a_prior_narrows_the_gap() {
    let start = biased_people(10, 7, 0.2);
    assert_accuracies(&start, [0.840_909, 0.960_526]);
    assert!((start.gap() - 0.119_617).abs() < 1e-6);
}

#[test]
fn claim_2_2_the_upper_bound_holds() {
    for biased in 11..20 {
        for step in 0..=20 {
            let gamma = f64::from(step) / 20.0;
            let (gap, most) = (biased_people(20, biased, gamma).gap(), majority(20, biased, gamma).most_gap());
            assert!(gap <= most + 1e-12, "{biased} of 20, gamma {gamma}: {gap}");
        }
    }
}

#[test]
fn claim_2_2_the_lower_bound_does_not() {
    let (gap, printed) = (biased_people(10, 7, 0.5).gap(), majority(10, 7, 0.5).printed_least_gap());
    assert!((gap - 0.180_995).abs() < 1e-6 && gap < printed && printed == 0.25, "{gap} {printed}");
    // Without any prior the gap is alpha - 1/2, and gamma / 2 would be 1/2.
    assert!((biased_people(10, 7, 1.0).gap() - 0.2).abs() < 1e-12);
}

/// The interval of the change of annotator 0's weight in one task, in rewards.
fn growth(weights: &[f64], accuracy: &[f64], k: usize, n: usize) -> (f64, f64) {
    let reward = 0.001;
    let accuracy: Vec<_> = accuracy.iter().map(|&accuracy| vec![accuracy]).collect();
    let start = KnownPeople::new(&accuracy, |annotator, _| weights[annotator], RewardPenalty { reward, k }).unwrap();
    mean_interval(n, |random| {
        let mut world = start.clone();
        world.task(0, random);
        (world.weights(0)[0] - weights[0]) / reward
    })
}

#[test]
fn theorem_2_3_a_leader_by_beta_gains_beta_delta_and_not_twice_that() {
    for (weights, beta) in [(&[0.7, 0.15, 0.15][..], 0.55), (&[0.5, 0.3, 0.2], 0.2), (&[0.4, 0.2, 0.2, 0.2], 0.2)] {
        let others = &weights[1..];
        let expected = others.iter().map(|other| weights[0] - other).sum::<f64>() / others.len() as f64;
        assert!(expected >= beta - 1e-12);
        // How accurate people are plays no part with one seat: who votes alone agrees with the label.
        for accuracy in [[1.0, 0.5, 0.5, 0.5], [0.2, 0.9, 0.9, 0.9]] {
            let interval = growth(weights, &accuracy[..weights.len()], 1, 20_000);
            assert_holds(interval, expected);
            assert!(interval.1 < 2.0 * beta, "{interval:?}");
        }
    }
}

/// Annotator 0 with weight eps, and four others with these shares of the rest.
fn hidden(eps: f64, others: [f64; 4]) -> Vec<f64> {
    std::iter::once(eps).chain(others.map(|share| share * (1.0 - eps))).collect()
}

#[test]
fn theorem_2_4_where_one_other_is_trusted_the_threshold_is_enough() {
    assert!((printed_discovery_threshold(3, 5) - 0.112_096).abs() < 1e-6);
    // Mostly k' = 1 winner, the trusted one: the reward is as large as the proof has it, and larger.
    let others = [0.9, 0.1 / 3.0, 0.1 / 3.0, 0.1 / 3.0];
    let accuracy = [1.0, 1.0, 0.5, 0.5, 0.5];
    for (eps, expected) in [(0.15, 0.191_4), (0.20, 0.325_4)] {
        let interval = growth(&hidden(eps, others), &accuracy, 3, 20_000);
        assert_holds(interval, expected);
        assert!(interval.0 > 0.0, "{eps}: {interval:?}");
    }
    let below = growth(&hidden(0.05, others), &accuracy, 3, 20_000);
    assert!(below.1 < 0.0, "{below:?}");
}

#[test]
fn theorem_2_4_where_all_are_accurate_it_is_not() {
    // All accurate and alike but for the hidden one: up to three win, each at the cost of two only, and the hidden one
    // gains on average only above an even share.
    for (eps, expected) in [(0.15, -0.199_5), (0.20, 0.0), (0.25, 0.176_0)] {
        assert_holds(growth(&hidden(eps, [0.25; 4]), &[1.0; 5], 3, 40_000), expected);
    }
    let above = growth(&hidden(0.15, [0.25; 4]), &[1.0; 5], 3, 40_000);
    assert!(above.1 < 0.0 && 0.15 > printed_discovery_threshold(3, 5), "{above:?}");
}

#[test]
fn theorem_2_4_with_the_bound_from_the_right_side() {
    // If the label is right, at most k win, so a winner gains at least m/k - 1 of what a loser loses: the weight grows
    // for eps > 1 - (1 - k/m)^(1/k).
    assert!((discovery_threshold(3, 5) - 0.263_194).abs() < 1e-6);
    for (others, accuracy) in [
        ([0.25; 4], [1.0; 5]),
        ([0.9, 0.1 / 3.0, 0.1 / 3.0, 0.1 / 3.0], [1.0, 1.0, 0.5, 0.5, 0.5]),
        ([0.45, 0.45, 0.05, 0.05], [1.0, 1.0, 1.0, 0.5, 0.5]),
        // The premise at its edge: .55 of the other weight is accurate, the rest always wrong, so labels often are.
        ([0.55, 0.15, 0.15, 0.15], [1.0, 1.0, 0.0, 0.0, 0.0]),
    ] {
        let interval = growth(&hidden(0.3, others), &accuracy, 3, 20_000);
        assert!(interval.0 > 0.0, "{others:?}: {interval:?}");
        let below = growth(&hidden(0.05, others), &accuracy, 3, 20_000);
        assert!(below.1 < 0.0, "{others:?}: {below:?}");
    }
}
