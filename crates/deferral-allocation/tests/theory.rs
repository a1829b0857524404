//! What Keswani, Celis, Kenthapadi and Lease (2022) claim of closed loops, tried out: each claim against exact numbers
//! where there are some, and against many simulated tasks with intervals. Every interval is at 99.99 %, so that of the
//! few here none should fail by chance, and the draws are fixed anyway.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use deferral_allocation::{Prior, RewardPenalty, RewardPenaltyState, Setting};
use deferral_core::{Allocator, CaseId, CaseView, ExpertId, GroupId, Label, Random, Stream, Vote};
use deferral_metrics::clopper_pearson;
use rand::RngExt;

const LEVEL: f64 = 0.9999;
/// Its two-sided normal quantile.
const Z: f64 = 3.890_592;

/// A closed loop of people whose accuracy on each group is known.
struct World {
    state: RewardPenaltyState,
    /// By annotator, then by group.
    accuracy: Vec<Vec<f64>>,
}

impl World {
    fn new(similarity: impl FnMut(usize, usize) -> f64, accuracy: Vec<Vec<f64>>, settings: RewardPenalty) -> Self {
        let prior = Prior::from_fn(accuracy.len(), accuracy[0].len(), similarity).unwrap();
        let state = settings.start(&Setting::new(0, 2, prior), &Stream::new(0)).unwrap();
        Self { state, accuracy }
    }

    /// One task of `group` from allocation to update; whether its label was right.
    fn task(&mut self, group: usize, random: &mut Random) -> bool {
        let case = CaseView { case: CaseId(0), features: &[], group: Some(GroupId::at(group)) };
        let people: Vec<_> = (0..self.accuracy.len()).map(ExpertId::at).collect();
        let truth = u16::from(random.random::<bool>());
        // Who holds two seats says the same twice.
        let said: Vec<u16> = self
            .accuracy
            .iter()
            .map(|accuracy| if random.random::<f64>() < accuracy[group] { truth } else { 1 - truth })
            .collect();
        let asked = self.state.allocate(case, &people, random);
        let vote = |expert: ExpertId| Vote { expert, label: Label(said[expert.index()]) };
        let votes: Vec<Vote> = asked.iter().map(|question| vote(question.expert)).collect();
        self.state.learn(case, &votes) == Some(Label(truth))
    }

    fn weight(&self, annotator: usize, group: usize) -> f64 {
        self.state.weights(Some(GroupId::at(group)))[annotator]
    }

    /// The accuracy on a group if one annotator is drawn.
    fn accuracy_on(&self, group: usize) -> f64 {
        (0..self.accuracy.len()).map(|at| self.weight(at, group) * self.accuracy[at][group]).sum()
    }

    fn gap(&self) -> f64 {
        self.accuracy_on(1) - self.accuracy_on(0)
    }
}

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

/// The setting of the claims: of m people the first alpha m toss a coin on group 0 and are right on group 1, the others
/// the other way round; dSim is gamma for the coin and 1 for the knowing.
fn biased_people(m: usize, biased: usize, gamma: f64, reward: f64) -> World {
    let tosses = |annotator: usize, group: usize| (annotator < biased) == (group == 0);
    let accuracy = (0..m).map(|a| (0..2).map(|g| if tosses(a, g) { 0.5 } else { 1.0 }).collect()).collect();
    World::new(|a, g| if tosses(a, g) { gamma } else { 1.0 }, accuracy, RewardPenalty { reward, k: 1 })
}

/// The labels of 20,000 first tasks are right as often as the weights say.
fn assert_accuracies(start: impl Fn() -> World, expected: [f64; 2]) {
    for (group, expected) in expected.into_iter().enumerate() {
        assert!((start().accuracy_on(group) - expected).abs() < 1e-6);
        let stream = Stream::new(12);
        let right = (0..20_000).filter(|&i| start().task(group, &mut stream.at(i))).count();
        assert_holds(clopper_pearson(right, 20_000, LEVEL).unwrap(), expected);
    }
}

#[test]
fn claim_2_1_a_biased_majority_stays_one() {
    let start = || biased_people(10, 7, 1.0, 0.01);
    assert_accuracies(start, [0.65, 0.85]);
    assert!((start().gap() - 0.2).abs() < 1e-12);
    // One update, and many: on average the gap does not move, whichever group the tasks are of.
    for (groups, tasks) in [(&[0][..], 1), (&[1], 1), (&[0, 1], 20)] {
        let interval = mean_interval(20_000, |random| {
            let mut world = start();
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
    let start = || biased_people(10, 7, 0.2, 0.01);
    assert_accuracies(start, [0.840_909, 0.960_526]);
    assert!((start().gap() - 0.119_617).abs() < 1e-6);
}

#[test]
fn claim_2_2_the_upper_bound_holds() {
    for biased in 11..20 {
        let alpha = biased as f64 / 20.0;
        for step in 0..=20 {
            let gamma = f64::from(step) / 20.0;
            let gap = biased_people(20, biased, gamma, 0.01).gap();
            assert!(gap <= alpha / (1.0 - alpha) * gamma / 2.0 + 1e-12, "alpha {alpha}, gamma {gamma}: {gap}");
        }
    }
}

#[test]
fn claim_2_2_the_lower_bound_does_not() {
    let gap = biased_people(10, 7, 0.5, 0.01).gap();
    assert!((gap - 0.180_995).abs() < 1e-6 && gap < 0.25, "{gap}");
    // Without any prior the gap is alpha - 1/2, and gamma / 2 would be 1/2.
    assert!((biased_people(10, 7, 1.0, 0.01).gap() - 0.2).abs() < 1e-12);
}

/// The interval of the change of annotator 0's weight in one task, in rewards.
fn growth(weights: &[f64], accuracy: &[f64], k: usize, n: usize) -> (f64, f64) {
    let reward = 0.001;
    let start = || {
        let accuracy = accuracy.iter().map(|&accuracy| vec![accuracy]).collect();
        World::new(|annotator, _| weights[annotator], accuracy, RewardPenalty { reward, k })
    };
    mean_interval(n, |random| {
        let mut world = start();
        world.task(0, random);
        (world.weight(0, 0) - weights[0]) / reward
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

/// The printed threshold of theorem 2.4.
fn threshold(k: f64, m: f64) -> f64 {
    1.0 - (1.0 - k / (2.0 * m)).powf(1.0 / k)
}

/// Annotator 0 with weight eps, and four others with these shares of the rest.
fn hidden(eps: f64, others: [f64; 4]) -> Vec<f64> {
    std::iter::once(eps).chain(others.map(|share| share * (1.0 - eps))).collect()
}

#[test]
fn theorem_2_4_where_one_other_is_trusted_the_threshold_is_enough() {
    assert!((threshold(3.0, 5.0) - 0.112_096).abs() < 1e-6);
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
    assert!(above.1 < 0.0 && 0.15 > threshold(3.0, 5.0), "{above:?}");
}

#[test]
fn theorem_2_4_with_the_bound_from_the_right_side() {
    // If the label is right, at most k win, so a winner gains at least m/k - 1 of what a loser loses: the weight grows
    // for eps > 1 - (1 - k/m)^(1/k).
    let enough = 1.0 - (1.0 - 3.0 / 5.0_f64).powf(1.0 / 3.0);
    assert!((enough - 0.263_194).abs() < 1e-6);
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
