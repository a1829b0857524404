//! Do the votes contradict what was said of people beforehand?

use std::fmt;

use deferral_core::{ExpertId, GroupId};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::competence::Competence;
use super::order::{similarities, ties};
use crate::prior::Prior;

/// The votes contradict the prior: in a group where it says that competence does not fall with similarity and that
/// people of equal similarity are about alike, they are not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// The probability of votes that contradict it as much if it is right; at most about that.
    pub p_value: f64,
    /// The group where they contradict it most.
    pub group: GroupId,
    /// Who is there the furthest above what the prior allows.
    pub better: Judged,
    /// Who is there the furthest below.
    pub worse: Judged,
}

/// What the prior and the votes say of an annotator in a group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Who.
    pub expert: ExpertId,
    /// How well they suit the group by the prior, in [0, 1].
    pub similarity: f64,
    /// The probability that they are right, by their votes and those of the others, the mean over the classes.
    pub accuracy: f64,
    /// Its standard deviation.
    pub deviation: f64,
}

impl Alarm {
    /// Who contradicts what, in a sentence for people; `expert` and `group` show a name.
    pub fn sentence(&self, expert: &dyn Fn(ExpertId) -> String, group: &dyn Fn(GroupId) -> String) -> String {
        let Self { better, worse, .. } = self;
        format!(
            "the votes contradict the prior in group {}: {} (similarity {:.2}) seems right {:.2} of the time, {} \
             (similarity {:.2}) {:.2}; p = {:.1e}",
            group(self.group),
            expert(better.expert),
            better.similarity,
            better.accuracy,
            expert(worse.expert),
            worse.similarity,
            worse.accuracy,
            self.p_value
        )
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence(&|expert| format!("annotator {}", expert.0), &|group| group.0.to_string()))
    }
}

/// Votes of an annotator in a group from which on they are judged there.
const ENOUGH: f64 = 5.0;
/// Accuracies further apart than this are not equal.
const NOTICED: f64 = 1e-9;

/// How much the votes contradict the prior, if there is anything to be judged by.
///
/// In each group the learned competences `a_j` with variances `v_j` are compared with the nearest ones that the prior
/// allows, `f_j`: not decreasing in similarity, equal where similarities are (isotonic regression). With a deviation
/// `tau` between people who are alike, `sum (a_j - f_j)^2 / (v_j + tau^2)` is about chi-squared, given the blocks that the
/// fit consists of, with as many degrees of freedom as there are people more than blocks (Wollan and Dykstra 1986). The groups are combined by Fisher's sum of logs, for contradictions spread over
/// all, and by Bonferroni's smallest, for one in a single group; the smaller of the two counts twice. Competences are pulled
/// towards the prior, and the fit is freer than a constant: both make the test conservative. O(G m log m).
pub(super) fn contradiction(prior: &Prior, competence: &Competence, tau: f64) -> Option<Alarm> {
    let tests: Vec<Test> = (0..prior.groups()).filter_map(|group| Test::of(prior, competence, group, tau)).collect();
    let worst = tests.iter().min_by(|a, b| a.p_value.total_cmp(&b.p_value))?;
    let groups = tests.len() as f64;
    let logs: f64 = tests.iter().map(|test| -2.0 * test.p_value.max(f64::MIN_POSITIVE).ln()).sum();
    let spread = tail(logs, 2.0 * groups);
    let p_value = if tests.len() == 1 { worst.p_value } else { 2.0 * spread.min(groups * worst.p_value) };
    Some(Alarm { p_value: p_value.min(1.0), group: worst.group, better: worst.better, worse: worst.worse })
}

/// The comparison in one group.
struct Test {
    p_value: f64,
    group: GroupId,
    better: Judged,
    worse: Judged,
}

impl Test {
    fn of(prior: &Prior, competence: &Competence, region: usize, tau: f64) -> Option<Self> {
        let (judged, tied) = judged(prior, competence, region);
        let (fits, blocks) = increasing(&judged, &tied, tau);
        // In deviations from what the prior allows.
        let distance = |(judged, fit): (&Judged, &f64)| (judged.accuracy - fit) / judged.deviation.hypot(tau);
        let distances: Vec<f64> = judged.iter().zip(&fits).map(distance).collect();
        let by_distance = |&a: &usize, &b: &usize| distances[a].total_cmp(&distances[b]);
        let worse = judged[(0..judged.len()).min_by(by_distance)?];
        let better = judged[(0..judged.len()).max_by(by_distance)?];
        let statistic: f64 = distances.iter().map(|distance| distance * distance).sum();
        let freedom = judged.len() - blocks;
        let p_value = tail(statistic, freedom as f64);
        (freedom > 0).then_some(Self { p_value, group: GroupId::at(region), better, worse })
    }
}

/// Who was heard enough, by increasing similarity, and how many of them tie at each similarity.
fn judged(prior: &Prior, competence: &Competence, region: usize) -> (Vec<Judged>, Vec<usize>) {
    let similarities = similarities(prior, region);
    let (mut judged, mut tied) = (Vec::new(), Vec::new());
    for tie in ties(&similarities) {
        let before = judged.len();
        let heard = tie.people.into_iter().filter(|&person| competence.heard(person, region) >= ENOUGH);
        judged.extend(heard.map(|person| {
            let summary = competence.summary(person, region);
            Judged {
                expert: ExpertId::at(person),
                similarity: similarities[person],
                accuracy: summary.accuracy,
                deviation: summary.deviation,
            }
        }));
        tied.push(judged.len() - before);
    }
    (judged, tied)
}

/// The nearest accuracies that do not decrease and are equal within ties, and how many different ones there are: pool
/// adjacent violators.
fn increasing(judged: &[Judged], tied: &[usize], tau: f64) -> (Vec<f64>, usize) {
    // Weight, weighted sum and number of people of each block.
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    let mut rest = judged;
    for &people in tied.iter().filter(|people| **people > 0) {
        let (now, later) = rest.split_at(people);
        rest = later;
        let weight = |judged: &Judged| 1.0 / (judged.deviation.powi(2) + tau * tau).max(NOTICED * NOTICED);
        let mut block = now.iter().fold((0.0, 0.0, 0), |(weights, sum, n), judged| {
            (weights + weight(judged), sum + weight(judged) * judged.accuracy, n + 1)
        });
        while let Some(last) = blocks.pop_if(|last| last.1 * block.0 >= block.1 * last.0) {
            block = (block.0 + last.0, block.1 + last.1, block.2 + last.2);
        }
        blocks.push(block);
    }
    let fits = blocks.iter().flat_map(|&(weight, sum, people)| std::iter::repeat_n(sum / weight, people)).collect();
    (fits, blocks.len())
}

/// The probability that a chi-squared variable is larger.
fn tail(statistic: f64, freedom: f64) -> f64 {
    ChiSquared::new(freedom).map_or(1.0, |chi_squared| chi_squared.sf(statistic))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Competences after 50 cases of each class on which everybody was right so often, and three more.
    fn heard(right: &[f64]) -> Competence {
        let mut competence = Competence::new(2, 1);
        for (annotator, &accuracy) in right.iter().enumerate() {
            competence.push(&[accuracy], 50.0);
            for _ in 0..3 {
                competence.learn((annotator, 0), 0, &[1.0, 0.0], (50.0, 1e12));
                competence.learn((annotator, 0), 1, &[0.0, 1.0], (50.0, 1e12));
            }
        }
        competence
    }

    fn prior(similarities: &[f64]) -> Prior {
        Prior::from_fn(similarities.len(), 1, |annotator, _| similarities[annotator]).unwrap()
    }

    #[test]
    fn an_order_that_holds_is_not_contradicted() {
        let alarm = contradiction(&prior(&[0.9, 0.5, 0.1]), &heard(&[0.9, 0.7, 0.5]), 0.1);
        assert_eq!(alarm, None);
        let alike = contradiction(&prior(&[0.9, 0.1, 0.1]), &heard(&[0.9, 0.6, 0.5]), 0.1).unwrap();
        assert!(alike.p_value > 0.2, "{alike:?}");
    }

    #[test]
    fn the_wrong_order_is_contradicted_and_says_by_whom() {
        let alarm = contradiction(&prior(&[0.9, 0.1, 0.1]), &heard(&[0.8, 0.05, 0.8]), 0.1).unwrap();
        assert!(alarm.p_value < 1e-4, "{alarm:?}");
        assert_eq!((alarm.better.expert, alarm.worse.expert), (ExpertId(2), ExpertId(1)));
        let text = alarm.to_string();
        assert!(
            text.starts_with("the votes contradict the prior in group 0: annotator 2 (similarity 0.10) seems right 0.")
        );
        assert!(text.contains("annotator 1 (similarity 0.10) 0."), "{text}");
        let falling = contradiction(&prior(&[0.1, 0.5, 0.9]), &heard(&[0.95, 0.6, 0.2]), 0.1).unwrap();
        assert!(falling.p_value < 1e-4, "{falling:?}");
    }

    #[test]
    fn violators_are_pooled_by_weight() {
        let judged = |accuracy: f64| Judged { expert: ExpertId(0), similarity: 0.0, accuracy, deviation: 0.0 };
        let (fits, blocks) = increasing(&[0.2, 0.7, 0.5, 0.9].map(judged), &[1, 1, 1, 1], 0.1);
        assert_eq!(blocks, 3);
        assert!(
            fits.iter().zip([0.2, 0.6, 0.6, 0.9]).all(|(fit, expected)| (fit - expected).abs() < 1e-12),
            "{fits:?}"
        );
    }

    #[test]
    fn who_was_not_heard_is_not_judged() {
        let mut competence = Competence::new(2, 1);
        competence.push(&[0.8], 4.0);
        competence.push(&[0.1], 4.0);
        assert_eq!(contradiction(&prior(&[0.1, 0.9]), &competence, 0.1), None);
        assert_eq!(contradiction(&Prior::new(3), &Competence::new(2, 3), 0.1), None);
    }
}
