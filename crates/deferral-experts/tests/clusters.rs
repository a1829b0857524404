//! The three clusters are the published ones.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use deferral_core::{CaseId, Dataset, ExpertId, Stream};
use deferral_experts::ThreeClusters;

fn generate(cases: usize, seed: u64) -> Dataset {
    ThreeClusters { cases }.generate(&Stream::new(seed)).unwrap()
}

/// The cases of cluster `group` (0 orange, 1 blue, 2 green), of orange only those with `label` if one is given.
fn members(data: &Dataset, group: u32, label: Option<u16>) -> Vec<usize> {
    let of_case = &data.cases().group("cluster").unwrap().of_case;
    let truth = |i: usize| data.cases().labels()[i].map(|label| label.0);
    (0..data.n()).filter(|&i| of_case[i].0 == group && (label.is_none() || truth(i) == label)).collect()
}

/// Mean and variance of a feature.
fn moments(data: &Dataset, cases: &[usize], axis: usize) -> (f64, f64) {
    let columns = data.cases().features().as_dense().unwrap();
    let value = |i: &usize| columns.column(*i)[axis];
    let n = cases.len() as f64;
    let mean = cases.iter().map(value).sum::<f64>() / n;
    (mean, cases.iter().map(|i| (value(i) - mean).powi(2)).sum::<f64>() / n)
}

fn share_right(data: &Dataset, expert: u32, cases: &[usize]) -> f64 {
    let right = |i: &&usize| data.decisions().get(CaseId::at(**i), ExpertId(expert)) == data.cases().labels()[**i];
    cases.iter().filter(right).count() as f64 / cases.len() as f64
}

#[test]
fn clusters_are_shifted_copies_of_one_normal() {
    for seed in 0..3 {
        let data = generate(12_000, seed);
        let parts = [(0, Some(1), 0.0), (0, Some(0), 3.0), (1, None, 6.0), (2, None, 9.0)];
        for axis in 0..2 {
            let of_part: Vec<(f64, f64)> = parts
                .iter()
                .map(|&(group, label, offset)| {
                    let (mean, variance) = moments(&data, &members(&data, group, label), axis);
                    (mean - offset, variance)
                })
                .collect();
            // 2000 points or more: a mean errs by .022, a variance of at most 1 by .032; four of these, and one for both.
            for (mean, variance) in &of_part {
                assert!((mean - of_part[3].0).abs() < 0.15, "seed {seed}: means {of_part:?}");
                assert!((variance - of_part[3].1).abs() < 0.2, "seed {seed}: variances {of_part:?}");
            }
            assert!((-0.1..1.1).contains(&of_part[3].0) && (0.0..1.15).contains(&of_part[3].1));
        }
    }
}

#[test]
fn means_and_variances_are_uniform_over_seeds() {
    let drawn: Vec<(f64, f64)> = (0..300)
        .flat_map(|seed| {
            let data = generate(90, seed);
            let green = members(&data, 2, None);
            [moments(&data, &green, 0), moments(&data, &green, 1)]
        })
        .collect();
    let n = drawn.len() as f64;
    let mean = drawn.iter().map(|(mean, _)| mean - 9.0).sum::<f64>() / n;
    // The plug-in variance of 30 points is 29/30 of the true one, whose mean is 1/2; a deviation ~ U(0,1) gave 1/3.
    let variance = drawn.iter().map(|(_, variance)| variance * 30.0 / 29.0).sum::<f64>() / n;
    assert!((mean - 0.5).abs() < 0.06, "{mean}");
    assert!((variance - 0.5).abs() < 0.06, "{variance}");
}

#[test]
fn orange_is_halved_and_the_others_are_coin_flips() {
    let data = generate(1000, 4);
    assert_eq!(members(&data, 0, Some(1)).len(), 167);
    assert_eq!(members(&data, 0, Some(0)).len(), 167);
    let data = generate(12_000, 4);
    for group in [1, 2] {
        // Four standard deviations of a coin tossed 4000 times.
        let heads = members(&data, group, Some(1)).len() as f64 / 4000.0;
        assert!((heads - 0.5).abs() < 0.032, "{heads}");
    }
}

#[test]
fn each_expert_knows_one_cluster_and_guesses_elsewhere() {
    let data = generate(12_000, 5);
    assert!(data.decisions().is_complete());
    for (expert, own) in [(0, 1), (1, 2)] {
        for group in 0..3 {
            let right = share_right(&data, expert, &members(&data, group, None));
            if group == own {
                assert_eq!(right, 1.0);
            } else {
                assert!((right - 0.5).abs() < 0.032, "expert {expert} on cluster {group}: {right}");
            }
        }
    }
}

/// A line between the orange halves and the right expert elsewhere: what the published joint model reaches (1.00).
#[test]
fn model_and_experts_together_are_right_everywhere() {
    for seed in 0..5 {
        let data = generate(1000, seed);
        let columns = data.cases().features().as_dense().unwrap();
        let sum = |i: usize| columns.column(i).iter().sum::<f64>();
        let centre =
            |label| [0, 1].iter().map(|&axis| moments(&data, &members(&data, 0, Some(label)), axis).0).sum::<f64>();
        let border = f64::midpoint(centre(0), centre(1));
        let orange = members(&data, 0, None);
        let truth = |i: usize| data.cases().labels()[i].map(|label| label.0);
        let right = orange.iter().filter(|&&i| truth(i) == Some(u16::from(sum(i) < border))).count();
        let model = right as f64 / orange.len() as f64;
        let system =
            (model + share_right(&data, 0, &members(&data, 1, None)) + share_right(&data, 1, &members(&data, 2, None)))
                / 3.0;
        assert!(system > 0.985, "seed {seed}: {system}");
    }
}

#[test]
fn the_same_seed_gives_the_same_data_and_more_cases_keep_the_first() {
    let all = generate(60, 1);
    assert_eq!(all, generate(60, 1));
    assert_ne!(all, generate(60, 2));
    let first: Vec<usize> = (0..20).collect();
    assert_eq!(generate(20, 1), all.select(&first));
    let message = ThreeClusters { cases: 0 }.generate(&Stream::new(1)).unwrap_err().to_string();
    assert_eq!(message, "the number of cases is 0, but must be at least 1");
}
