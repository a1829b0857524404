//! What the latent-truth allocator promises, on generated data.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use deferral_allocation::{LatentTruth, LatentTruthState, Prior, Setting, Unordered};
use deferral_core::{Allocator, CaseId, CaseView, ExpertId, GroupId, Label, Newcomer, Random, Stream, Vote, argmax};
use rand::RngExt;
use rand_distr::StandardNormal;

/// A case with its truth and everybody's answer.
struct Case {
    features: Vec<f64>,
    group: u32,
    truth: u16,
    answers: Vec<u16>,
}

impl Case {
    fn view(&self, known: bool) -> CaseView<'_> {
        CaseView { case: CaseId(0), features: &self.features, group: known.then_some(GroupId(self.group)) }
    }

    fn vote(&self, expert: ExpertId) -> Vote {
        Vote { expert, label: Label(self.answers[expert.index()]) }
    }
}

fn everybody(m: usize) -> Vec<ExpertId> {
    (0..m).map(ExpertId::at).collect()
}

/// The clusters of Keswani, Celis, Kenthapadi and Lease (2022, section 3): three annotators, each right on their own
/// cluster and with probability .2 elsewhere; labels are coin flips.
fn clusters(n: usize, random: &mut Random) -> Vec<Case> {
    let mean: [f64; 2] = [random.random(), random.random()];
    let deviation = [random.random::<f64>().sqrt(), random.random::<f64>().sqrt()];
    let case = |_| {
        let group = random.random_range(0..3);
        let truth = u16::from(random.random::<bool>());
        let features = [0, 1].map(|axis| {
            mean[axis] + 2.5 * f64::from(group) + deviation[axis] * random.sample::<f64, _>(StandardNormal)
        });
        let mut right = |annotator: u32| annotator == group || random.random::<f64>() < 0.2;
        let answers = (0..3).map(|annotator| if right(annotator) { truth } else { 1 - truth }).collect();
        Case { features: features.to_vec(), group, truth, answers }
    };
    (0..n).map(case).collect()
}

/// dSim 1 - s for the own cluster, s/2 elsewhere; `shift` gives it to the next annotator.
fn similarity(s: f64, shift: usize) -> Prior {
    Prior::from_fn(3, 3, |annotator, group| if annotator == (group + shift) % 3 { 1.0 - s } else { s / 2.0 }).unwrap()
}

/// A crowd with given accuracies in one group, on K classes with given shares.
fn crowd(accuracies: &[f64], shares: &[f64], n: usize, random: &mut Random) -> Vec<Case> {
    let classes = shares.len() as u16;
    let case = |_| {
        let mut left: f64 = random.random();
        let drawn = shares.iter().position(|share| {
            left -= share;
            left < 0.0
        });
        let truth = drawn.unwrap_or(0) as u16;
        let mut answer = |accuracy: &f64| {
            let wrong = random.random::<f64>() >= *accuracy;
            if wrong { (truth + random.random_range(1..classes)) % classes } else { truth }
        };
        Case { features: vec![], group: 0, truth, answers: accuracies.iter().map(&mut answer).collect() }
    };
    (0..n).map(case).collect()
}

/// Runs a stream, of whose votes a share never comes; returns the share of right labels.
fn run(state: &mut LatentTruthState, cases: &[Case], silent: f64, random: &mut Random) -> f64 {
    let all = everybody(state.annotators());
    let mut right = 0;
    for case in cases {
        let mut asked = state.allocate(case.view(true), &all, random);
        asked.retain(|_| random.random::<f64>() >= silent);
        let votes: Vec<Vote> = asked.iter().map(|question| case.vote(question.expert)).collect();
        right += usize::from(state.learn(case.view(true), &votes) == Some(Label(case.truth)));
    }
    right as f64 / cases.len() as f64
}

fn started(method: LatentTruth, features: usize, classes: usize, prior: Prior) -> LatentTruthState {
    method.start(&Setting::new(features, classes, prior), &Stream::new(1)).unwrap()
}

/// A prior for one group.
fn ranked(m: usize, similarity: impl Fn(usize) -> f64) -> Prior {
    Prior::from_fn(m, 1, |annotator, _| similarity(annotator)).unwrap()
}

/// Accuracy of the annotator who is best by the features alone.
fn accuracy_of_best(state: &LatentTruthState, cases: &[Case]) -> f64 {
    let right = |case: &&Case| {
        let best = state.best(case.view(false), &everybody(3)).unwrap();
        case.answers[best.index()] == case.truth
    };
    cases.iter().filter(right).count() as f64 / cases.len() as f64
}

#[test]
fn every_draw_of_the_clusters_is_learned_whatever_the_values_of_the_prior() {
    for s in [0.0, 0.3, 0.55, 0.66] {
        let accuracy = |trial: usize| {
            let mut random = Stream::new(1).nth(trial).random();
            let cases = clusters(3000, &mut random);
            let mut state = started(LatentTruth::default(), 2, 2, similarity(s, 0));
            run(&mut state, &cases[..2100], 0.0, &mut random);
            accuracy_of_best(&state, &cases[2100..])
        };
        let accuracies: Vec<f64> = (0..12).map(accuracy).collect();
        let mean = accuracies.iter().sum::<f64>() / 12.0;
        assert!(mean >= 0.97 && accuracies.iter().all(|accuracy| *accuracy >= 0.9), "s = {s}: {accuracies:?}");
    }
}

#[test]
fn without_an_order_labels_are_those_of_the_majority() {
    let cases = clusters(600, &mut Stream::new(2).random());
    let mut state = started(LatentTruth::default(), 2, 2, similarity(2.0 / 3.0, 0));
    let all = everybody(3);
    for case in &cases {
        let votes: Vec<Vote> = all.iter().map(|&expert| case.vote(expert)).collect();
        let majority = u16::from(case.answers.iter().sum::<u16>() > 1);
        assert_eq!(state.learn(case.view(true), &votes), Some(Label(majority)));
        assert_eq!(argmax(&state.belief(case.view(false), &votes)), usize::from(majority));
        let shares = state.shares(case.view(true), &all);
        assert!(shares.iter().all(|share| (share - 1.0 / 3.0).abs() < 1e-9), "{shares:?}");
    }
    assert_eq!(state.alarm(), None);
}

#[test]
fn a_crowd_without_an_order_can_be_learned_if_most_are_right() {
    let mut random = Stream::new(3).random();
    let cases = crowd(&[0.6, 0.9, 0.65, 0.7, 0.95], &[0.5, 0.5], 1500, &mut random);
    let method = LatentTruth { unordered: Unordered::Learn, ..LatentTruth::default() };
    let mut state = started(method, 0, 2, ranked(5, |_| 0.5));
    run(&mut state, &cases, 0.0, &mut random);
    assert_eq!(state.best(cases[0].view(true), &everybody(5)), Some(ExpertId(4)));
}

/// Whether the alarm sounds within these cases.
fn sounds(mut state: LatentTruthState, cases: &[Case], silent: f64, random: &mut Random) -> bool {
    cases.chunks(25).any(|cases| {
        run(&mut state, cases, silent, random);
        state.alarm().is_some()
    })
}

#[test]
fn a_wrong_prior_sounds_the_alarm_and_a_right_one_does_not() {
    for (k, s) in [(2, 0.3), (3, 0.3), (2, 0.55), (3, 0.55)] {
        let method = LatentTruth { k, ..LatentTruth::default() };
        let alarms = |shift: usize| {
            let sound = |trial: &usize| {
                let mut random = Stream::new(4).nth(*trial).random();
                let cases = clusters(500, &mut random);
                sounds(started(method, 2, 2, similarity(s, shift)), &cases, 0.0, &mut random)
            };
            (0..40).filter(sound).count()
        };
        let (wrong, right) = (alarms(1), alarms(0));
        assert!(wrong >= 38 && right <= 2, "k = {k}, s = {s}: {wrong} and {right} of 40");
    }
}

#[test]
fn an_ordinary_crowd_sounds_no_alarm() {
    for (shares, silent) in [(vec![0.5, 0.5], 0.0), (vec![0.88, 0.12], 0.3), (vec![0.2, 0.3, 0.5], 0.3)] {
        let sound = |trial: &usize| {
            let mut random = Stream::new(5).nth(*trial).random();
            let accuracies: Vec<f64> = (0..20).map(|_| random.random_range(0.6..0.95)).collect();
            // Noisy, and in steps of .25, so that many tie.
            let mut step = |a: &f64| (4.0 * (a + 0.1 * random.sample::<f64, _>(StandardNormal))).round() / 4.0;
            let similarities: Vec<f64> = accuracies.iter().map(&mut step).collect();
            let cases = crowd(&accuracies, &shares, 500, &mut random);
            let prior = ranked(20, |annotator| similarities[annotator].clamp(0.0, 1.0));
            sounds(started(LatentTruth::default(), 0, shares.len(), prior), &cases, silent, &mut random)
        };
        let alarms = (0..20).filter(sound).count();
        assert!(alarms <= 1, "{shares:?}: {alarms}");
    }
}

#[test]
fn learned_crowds_beat_the_majority_of_random_committees() {
    for shares in [vec![0.5, 0.5], vec![0.88, 0.12], vec![0.2, 0.3, 0.5]] {
        let mut random = Stream::new(6).random();
        let accuracies: Vec<f64> = (0..20).map(|j| 0.55 + 0.02 * f64::from(j)).collect();
        let cases = crowd(&accuracies, &shares, 2000, &mut random);
        let mut state = started(LatentTruth::default(), 0, shares.len(), ranked(20, |j| (j / 4) as f64 / 4.0));
        run(&mut state, &cases[..1000], 0.2, &mut random);
        let accuracy = run(&mut state, &cases[1000..], 0.0, &mut random);
        // Of three people of mean accuracy .74, two are right .83 of the time.
        assert!(accuracy > 0.92, "{shares:?}: {accuracy}");
    }
}

#[test]
fn drift_is_followed() {
    let mut random = Stream::new(7).random();
    let (before, after) = ([0.95, 0.9, 0.7, 0.7, 0.7, 0.7], [0.5, 0.5, 0.7, 0.7, 0.95, 0.9]);
    let (first, second) = (crowd(&before, &[0.5; 2], 1500, &mut random), crowd(&after, &[0.5; 2], 1200, &mut random));
    let mut state = started(LatentTruth::default(), 0, 2, ranked(6, |j| before[j]));
    let settled = run(&mut state, &first, 0.0, &mut random);
    run(&mut state, &second[..800], 0.0, &mut random);
    let recovered = run(&mut state, &second[800..], 0.0, &mut random);
    assert!(settled > 0.93 && recovered > 0.9, "{settled} {recovered}");
    let best = state.best(second[0].view(true), &everybody(6)).unwrap();
    assert!(best.index() >= 4, "{best:?}");
}

#[test]
fn who_joins_is_found_and_who_leaves_is_not_asked() {
    let mut random = Stream::new(8).random();
    let cases = crowd(&[0.75, 0.7, 0.65, 0.6, 0.97], &[0.5; 2], 1200, &mut random);
    let mut state = started(LatentTruth::default(), 0, 2, ranked(4, |j| 0.8 - 0.1 * j as f64));
    run(&mut state, &cases[..600], 0.0, &mut random);
    let before = state.competence(ExpertId(0), GroupId(0)).unwrap();
    state.join(Newcomer { similarity: &[0.55], price: 1.0 });
    assert_eq!((state.annotators(), state.competence(ExpertId(0), GroupId(0))), (5, Some(before)));
    run(&mut state, &cases[600..], 0.0, &mut random);
    assert_eq!(state.best(cases[0].view(true), &everybody(5)), Some(ExpertId(4)));
    let rest = [ExpertId(1), ExpertId(3)];
    let asked = state.allocate(cases[0].view(true), &rest, &mut random);
    assert!(asked.len() == 2 && asked.iter().all(|question| rest.contains(&question.expert)));
}

#[test]
fn written_and_read_again_it_goes_on_bit_for_bit() {
    let cases = clusters(400, &mut Stream::new(9).random());
    let mut state = started(LatentTruth::default(), 2, 2, similarity(0.3, 0));
    run(&mut state, &cases[..200], 0.2, &mut Stream::new(10).random());
    let mut read: LatentTruthState = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
    assert_eq!(read, state);
    run(&mut state, &cases[200..], 0.2, &mut Stream::new(11).random());
    run(&mut read, &cases[200..], 0.2, &mut Stream::new(11).random());
    assert_eq!(serde_json::to_string(&read).unwrap(), serde_json::to_string(&state).unwrap());
}

#[test]
fn strangers_unknown_labels_and_second_votes_change_nothing() {
    let case = CaseView { case: CaseId(0), features: &[1.0], group: Some(GroupId(9)) };
    let mut state = started(LatentTruth::default(), 2, 2, similarity(0.3, 0));
    let vote = |expert, label| Vote { expert: ExpertId(expert), label: Label(label) };
    assert_eq!(state.learn(case, &[vote(7, 0), vote(0, 5)]), None);
    assert_eq!(state.learn(case, &[]), None);
    assert_eq!(state.learned(), 0);
    assert_eq!(state.belief(case, &[vote(0, 1), vote(0, 0), vote(8, 0)]), state.belief(case, &[vote(0, 1)]));
    assert!(state.allocate(case, &[ExpertId(7)], &mut Stream::new(1).random()).is_empty());
    assert_eq!(state.shares(case, &[ExpertId(1), ExpertId(7)]), [1.0, 0.0]);
    assert_eq!((state.best(case, &[]), state.competence(ExpertId(7), GroupId(0))), (None, None));
    assert_eq!(state.confusions(GroupId(9)).workers(), 0);
    assert_eq!(state.class_shares(GroupId(9)), [0.5, 0.5]);
    let mut nobody = started(LatentTruth::default(), 0, 3, Prior::new(0));
    assert!(nobody.allocate(case, &[ExpertId(0)], &mut Stream::new(1).random()).is_empty());
    assert_eq!(nobody.learn(case, &[vote(0, 0)]), None);
}

#[test]
fn labels_that_cost_are_asked_for_as_long_as_they_pay() {
    let cases = crowd(&[0.95, 0.9, 0.8, 0.7, 0.6], &[0.5; 2], 800, &mut Stream::new(12).random());
    let labels = |lambda: f64| {
        let method = LatentTruth { lambda, k: 5, ..LatentTruth::default() };
        let mut state = started(method, 0, 2, ranked(5, |j| 1.0 - 0.2 * j as f64));
        run(&mut state, &cases, 0.0, &mut Stream::new(13).random());
        let mut asked =
            |at: usize| state.allocate(cases[0].view(true), &everybody(5), &mut Stream::new(14).at(at)).len();
        (0..100).map(&mut asked).sum::<usize>()
    };
    let (free, cheap, dear) = (labels(0.0), labels(0.02), labels(1.0));
    assert!(free == 500 && cheap < 450 && (100..200).contains(&dear), "{free} {cheap} {dear}");
}

#[test]
fn parameters_are_checked() {
    let setting = Setting::new(0, 2, Prior::new(1));
    let error = |method: LatentTruth| method.start(&setting, &Stream::new(1)).unwrap_err().to_string();
    let default = LatentTruth::default;
    assert_eq!(error(LatentTruth { k: 0, ..default() }), "the committee size k is 0, but must be 1 or more");
    assert_eq!(
        error(LatentTruth { lambda: -1.0, ..default() }),
        "the price of a label, lambda, is -1, but must be a finite number, 0 or more"
    );
    assert!(error(LatentTruth { epsilon: 1.5, ..default() }).starts_with("the exploration rate epsilon is 1.5"));
    assert!(error(LatentTruth { best: 0.5, ..default() }).ends_with("must be above 1/K and below 1"));
    assert!(error(LatentTruth { strength: 0.0, ..default() }).starts_with("the strength of the prior is 0"));
    assert!(error(LatentTruth { memory: f64::NAN, ..default() }).ends_with("must be 1 case or more"));
    assert!(error(LatentTruth { heterogeneity: 0.0, ..default() }).starts_with("the heterogeneity"));
    assert!(error(LatentTruth { alarm: 2.0, ..default() }).starts_with("the p-value of the alarm is 2"));
    assert!(error(LatentTruth { every: 0, ..default() }).starts_with("the number of tasks between two looks is 0"));
    assert!(default().start(&Setting::new(0, 1, Prior::new(1)), &Stream::new(1)).is_err());
    assert!(serde_json::from_str::<LatentTruth>(r#"{"epsilon": 0.2, "speed": 1}"#).is_err());
}
