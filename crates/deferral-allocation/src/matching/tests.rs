use super::*;
use deferral_core::{Allocator, CaseId, CaseView, Columns, ExpertId, GroupId, Label, Newcomer, Vote};
use proptest::prelude::*;

use crate::prior::Prior;

fn task(features: &[f64], group: Option<u32>) -> CaseView<'_> {
    CaseView { case: CaseId(0), features, group: group.map(GroupId) }
}

fn votes(votes: &[(u32, u16)]) -> Vec<Vote> {
    votes.iter().map(|&(e, l)| Vote { expert: ExpertId(e), label: Label(l) }).collect()
}

fn people(m: u32) -> Vec<ExpertId> {
    (0..m).map(ExpertId).collect()
}

/// dSim of three annotators: .7 on their own group, .15 elsewhere.
fn prior() -> Prior {
    Prior::from_fn(3, 3, |annotator, group| if annotator == group { 0.7 } else { 0.15 }).unwrap()
}

fn start(matching: &Matching, features: usize) -> MatchingState {
    matching.start(&Setting::new(features, 2, prior()), &Stream::new(5)).unwrap()
}

fn close(found: &[f64], expected: &[f64]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6)
}

fn logit(output: f64) -> f64 {
    (output / (1.0 - output)).ln()
}

#[test]
fn the_example_of_the_mixture() {
    // ALGORITHMS 3.1: t = 1 and T_d = 3 give mu = .75.
    let state = start(&Matching { prior_tasks: 3.0, ..Matching::smooth() }, 0);
    let mut shares = Vec::new();
    state.mix(Some(GroupId(0)), &people(3), &[0.2, 0.3, 0.5], &mut shares);
    assert!(close(&shares, &[0.575, 0.1875, 0.2375]), "{shares:?}");
    // Without annotator 0: prior (.5, .5), learned (.375, .625).
    state.mix(Some(GroupId(0)), &people(3)[1..], &[0.3, 0.5], &mut shares);
    assert!(close(&shares, &[0.75 * 0.5 + 0.25 * 0.375, 0.75 * 0.5 + 0.25 * 0.625]), "{shares:?}");
    // Networks that all say 0, or nothing that makes sense.
    for outputs in [[0.0; 3], [f32::NAN; 3]] {
        state.mix(Some(GroupId(0)), &people(3), &outputs, &mut shares);
        assert!(close(&shares, &[0.75 * 0.7 + 0.25 / 3.0, 0.1125 + 0.25 / 3.0, 0.1125 + 0.25 / 3.0]), "{shares:?}");
    }
}

#[test]
fn the_prior_fades_as_published() {
    let matching = Matching { prior_tasks: 3.0, rate: 1e-9, ..Matching::text(MatchingKind::Smooth) };
    let mut state = start(&matching, 0);
    let outputs = state.outputs(&[]);
    for t in 1..6 {
        let mu = 3.0 / (f64::from(t) + 3.0);
        let expected: Vec<f64> = (0..3)
            .map(|at| mu * [0.15, 0.7, 0.15][at] + (1.0 - mu) * outputs[at] / outputs.iter().sum::<f64>())
            .collect();
        assert!(close(&state.shares(task(&[], Some(1)), &people(3)), &expected));
        state.learn(task(&[], Some(1)), &votes(&[(0, 1)]));
        // A task without a vote is none.
        state.learn(task(&[], Some(1)), &votes(&[(9, 1), (0, 2)]));
    }
    assert_eq!(state.tasks(), 5);
    let none = start(&Matching::text(MatchingKind::NoPrior), 0);
    let total: f64 = outputs.iter().sum();
    assert!(close(
        &none.shares(task(&[], Some(1)), &people(3)),
        &outputs.iter().map(|d| d / total).collect::<Vec<_>>()
    ));
}

#[test]
fn a_step_is_that_of_the_published_loss() {
    // Without features a network is its bias, which is its logit.
    let rate = 0.5;
    for (seats, weight) in
        [(Seats::Sampled { k: 3 }, 1.0 / 3.0), (Seats::Distinct { k: 3 }, 1.0 / 3.0), (Seats::All, 1.0)]
    {
        let matching = Matching { hidden: Vec::new(), rate, batch: 2, seats, ..Matching::smooth() };
        let mut state = start(&matching, 0);
        let before = state.outputs(&[]);
        // Label 1: annotator 0 agrees twice, 1 does not. Nothing moves before the batch is full.
        assert_eq!(state.learn(task(&[], Some(0)), &votes(&[(0, 1), (1, 0), (0, 1)])), Some(Label(1)));
        assert_eq!(state.outputs(&[]), before);
        // Label 0: both agree.
        assert_eq!(state.learn(task(&[], Some(0)), &votes(&[(1, 0), (0, 0)])), Some(Label(0)));
        let second = if seats == Seats::All { 1.0 } else { 0.5 };
        let slopes = [
            (2.0 * weight + second) * (before[0] - 1.0) / 2.0,
            f64::midpoint(weight * before[1], second * (before[1] - 1.0)),
            0.0,
        ];
        let after = state.outputs(&[]);
        for at in 0..3 {
            assert!((logit(after[at]) - logit(before[at]) + rate * slopes[at]).abs() < 1e-6, "{seats:?} {at}");
        }
    }
}

#[test]
fn a_price_is_part_of_the_loss() {
    let matching =
        Matching { hidden: Vec::new(), rate: 0.5, batch: 1, price_weight: 0.2, ..Matching::text(MatchingKind::Smooth) };
    let setting = Setting { prices: vec![1.0, 4.0], ..Setting::new(0, 2, prior()) };
    let mut state = matching.start(&setting, &Stream::new(5)).unwrap();
    let before = state.outputs(&[]);
    state.learn(task(&[], None), &votes(&[(0, 1)]));
    let (prices, total) = ([1.0, 4.0, 1.0], before.iter().sum::<f64>());
    let mean: f64 = before.iter().zip(prices).map(|(d, price)| d * price / total).sum();
    for at in 0..3 {
        let d = before[at];
        let slope = 0.2 * (prices[at] - mean) * d * (1.0 - d) / total + if at == 0 { d - 1.0 } else { 0.0 };
        assert!((logit(state.outputs(&[])[at]) - logit(d) + 0.5 * slope).abs() < 1e-6, "{at}");
    }
}

#[test]
fn seats_and_their_votes() {
    let mut random = Stream::new(1).random();
    let mut all = start(&Matching::smooth(), 1);
    let asked = all.allocate(task(&[0.5], Some(0)), &people(9), &mut random);
    assert!(asked.iter().map(|q| (q.expert, q.propensity)).eq(people(3).into_iter().map(|e| (e, 1.0))));
    // dSim .7 outweighs .15 and .15; of the two others the lowest label on the tie is taken at mu = 1.
    assert_eq!(all.learn(task(&[0.5], Some(0)), &votes(&[(0, 1), (1, 0), (2, 0)])), Some(Label(1)));
    let mut even = start(&Matching { prior_tasks: 1e300, ..Matching::smooth() }, 1);
    assert_eq!(even.learn(task(&[0.5], Some(0)), &votes(&[(1, 1), (2, 0)])), Some(Label(0)));

    let mut sampled = start(&Matching::text(MatchingKind::Smooth), 1);
    let shares = sampled.shares(task(&[0.5], Some(0)), &people(3));
    for question in sampled.allocate(task(&[0.5], Some(0)), &people(3), &mut random) {
        assert_eq!(question.propensity, shares[question.expert.index()]);
    }
    assert_eq!(sampled.learn(task(&[0.5], Some(0)), &votes(&[(0, 1), (1, 0), (2, 0)])), Some(Label(0)));
    let distinct = Matching { seats: Seats::Distinct { k: 3 }, ..Matching::text(MatchingKind::Smooth) };
    let mut distinct = start(&distinct, 1);
    assert_eq!(distinct.allocate(task(&[0.5], Some(0)), &people(2), &mut random).len(), 2);
    assert_eq!(distinct.learn(task(&[0.5], Some(0)), &votes(&[(0, 1), (1, 0), (2, 0)])), Some(Label(1)));
}

#[test]
fn the_best_is_who_learned_most() {
    let matching = Matching { rate: 1.0, batch: 1, ..Matching::text(MatchingKind::NoPrior) };
    let mut state = start(&matching, 1);
    for _ in 0..100 {
        state.learn(task(&[1.0], None), &votes(&[(2, 1), (1, 0), (2, 1)]));
    }
    // Annotator 2 always agrees, 1 never does, 0 was not asked.
    let on = task(&[1.0], Some(1));
    assert_eq!(state.best(on, &people(3)), Some(ExpertId(2)));
    assert_eq!(state.best(on, &people(2)), Some(ExpertId(0)));
    assert_eq!((state.best(on, &[]), state.best(on, &[ExpertId(7)])), (None, None));
    assert!(state.outputs(&[1.0])[2] > 0.9 && state.outputs(&[1.0])[1] < 0.1);
}

#[test]
fn who_joins_is_chosen_by_the_prior() {
    let mut state = start(&Matching { prior_tasks: 2.0, ..Matching::text(MatchingKind::Smooth) }, 1);
    for _ in 0..98 {
        state.learn(task(&[1.0], Some(0)), &votes(&[(0, 1), (1, 1), (2, 0)]));
    }
    let before = state.outputs(&[1.0]);
    state.join(Newcomer { similarity: &[1.0, 0.0], price: f64::NAN });
    let outputs = state.outputs(&[1.0]);
    assert_eq!((state.annotators(), &outputs[..3]), (4, &before[..]));
    // Founders are at their 99th task, mu = 2/101; the newcomer at the first, mu = 2/3.
    let share = |at: usize, mu: f64| {
        mu * [0.7, 0.15, 0.15, 1.0][at] / 2.0 + (1.0 - mu) * outputs[at] / outputs.iter().sum::<f64>()
    };
    let shares = [0, 1, 2, 3].map(|at| share(at, if at == 3 { 2.0 / 3.0 } else { 2.0 / 101.0 }));
    let total: f64 = shares.iter().sum();
    assert!(close(&state.shares(task(&[1.0], Some(0)), &people(4)), &shares.map(|share| share / total)));
    assert_eq!(state.learn(task(&[1.0], Some(0)), &votes(&[(3, 1)])), Some(Label(1)));
}

/// Two clusters on a line, one a group.
fn clusters(n: usize) -> (Columns, Vec<Option<GroupId>>) {
    let group = |i: usize| (i * 7 % 3 % 2) as u32;
    let values = (0..n).map(|i| f64::from(group(i)) * 6.0 - 3.0 + (i as f64).sin()).collect();
    (Columns::from_values(1, values), (0..n).map(|i| Some(GroupId(group(i)))).collect())
}

/// dSim of three annotators with two groups: the last suits both alike.
fn pairs() -> Setting {
    let prior = Prior::from_fn(3, 2, |annotator, group| [[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]][annotator][group]);
    Setting::new(1, 2, prior.unwrap())
}

fn follows_the_prior(state: &MatchingState) -> bool {
    let best = [-3.0, 3.0].map(|x| state.best(task(&[x], None), &people(3)));
    best == [Some(ExpertId(0)), Some(ExpertId(1))]
}

#[test]
fn strict_matching_is_taught_the_prior() {
    let mut state = Matching::strict().start(&pairs(), &Stream::new(3)).unwrap();
    let (features, groups) = clusters(600);
    let found = state.pretrain(&features, &groups, &Stream::new(4)).unwrap();
    assert!(found.shortfall < 0.1 && found.starts <= 21, "{found:?}");
    assert!(follows_the_prior(&state));
    // The learned part alone allocates now.
    let outputs = state.outputs(&[3.0]);
    let learned: Vec<f64> = outputs.iter().map(|d| d / outputs.iter().sum::<f64>()).collect();
    assert!(close(&state.shares(task(&[3.0], Some(0)), &people(3)), &learned));
    // Who joins is taught at once, the others are not touched.
    state.join(Newcomer { similarity: &[0.0, 1.0], price: 1.0 });
    let after = state.outputs(&[3.0]);
    assert_eq!(after[..3], outputs);
    assert!(after[3] > 0.85 && state.outputs(&[-3.0])[3] < 0.3, "{after:?}");
}

#[test]
fn strict_matching_without_pretraining_teaches_itself() {
    let matching = Matching { pretraining: Pretraining { rows: 200, ..Pretraining::default() }, ..Matching::strict() };
    let mut state = matching.start(&pairs(), &Stream::new(3)).unwrap();
    let (features, groups) = clusters(201);
    let untaught = state.outputs(&[3.0]);
    for (i, &group) in groups.iter().enumerate() {
        let case = CaseView { case: CaseId::at(i), features: features.column(i), group };
        if i < 200 {
            let expected = [[0.6, 0.1 / 1.5, 0.5 / 1.5], [0.1 / 1.5, 0.6, 0.5 / 1.5]][group.unwrap().index()];
            assert!(close(&state.shares(case, &people(3)), &expected), "{i}");
            assert_eq!(state.outputs(&[3.0]), untaught);
        }
        state.learn(case, &votes(&[(0, 1), (1, 0)]));
    }
    assert!(follows_the_prior(&state));
}

#[test]
fn pretraining_says_what_it_needs() {
    let message = |matching: &Matching, features: &Columns, n: usize| {
        let mut state = matching.start(&pairs(), &Stream::new(3)).unwrap();
        state.pretrain(features, &vec![None; n], &Stream::new(4)).unwrap_err().to_string()
    };
    let (features, _) = clusters(4);
    assert_eq!(
        message(&Matching::smooth(), &features, 4),
        "the kind of a matching that is pre-trained is another, but must be strict"
    );
    assert_eq!(
        message(&Matching::strict(), &features, 0),
        "the number of tasks to pre-train on is 0, but must be 1 or more"
    );
    assert_eq!(
        message(&Matching::strict(), &Columns::zeros(2, 4), 4),
        "the features to pre-train on is 2 x 4, but must be 1 x 4"
    );
    // Nobody to teach, and no feature.
    let mut nobody = Matching::strict().start(&Setting::new(0, 2, Prior::new(1)), &Stream::new(1)).unwrap();
    assert_eq!(nobody.pretrain(&Columns::default(), &[None], &Stream::new(1)).unwrap().starts, 0);
}

#[test]
fn parameters_are_checked() {
    let message = |matching: Matching| matching.start(&pairs(), &Stream::new(1)).unwrap_err().to_string();
    let base = Matching::smooth;
    for (matching, expected) in [
        (Matching { rate: 0.0, ..base() }, "the rate eta is 0, but must be above 0 and at most 1000"),
        (Matching { batch: 0, ..base() }, "the batch size B is 0, but must be 1 or more"),
        (
            Matching { prior_tasks: -1.0, ..base() },
            "the number of tasks T_d is -1, but must be a finite number, 0 or more",
        ),
        (
            Matching { price_weight: f64::NAN, ..base() },
            "the weight lambda of prices is NaN, but must be a finite number, 0 or more",
        ),
        (Matching { hidden: vec![0], ..base() }, "the width of a hidden layer is 0, but must be 1 or more"),
        (Matching { seats: Seats::Distinct { k: 0 }, ..base() }, "the committee size k is 0, but must be 1 or more"),
        (
            Matching { pretraining: Pretraining { rows: 0, ..Pretraining::default() }, ..base() },
            "the rows of pre-training is 0, but must be 1 or more",
        ),
    ] {
        assert_eq!(message(matching), expected);
    }
    let one_class = Matching::smooth().start(&Setting::new(1, 1, prior()), &Stream::new(1));
    assert_eq!(one_class.unwrap_err().to_string(), "the number of classes is 1, but must be 2 or more");
}

#[test]
fn parameters_in_a_file() {
    let matching: Matching =
        serde_json::from_str(r#"{"kind": "strict", "seats": {"distinct": {"k": 5}}, "rate": 0.001}"#).unwrap();
    assert_eq!(matching, Matching { seats: Seats::Distinct { k: 5 }, ..Matching::strict() });
    assert_eq!(serde_json::from_str::<Matching>("{}").unwrap(), Matching::smooth());
    assert!(serde_json::from_str::<Matching>(r#"{"rates": 1}"#).is_err());
    let text = Matching::text(MatchingKind::Strict);
    assert_eq!((text.hidden.len(), text.seats, text.rate), (0, Seats::Sampled { k: 3 }, 0.001));
}

fn any_seats() -> impl Strategy<Value = Seats> {
    prop_oneof![
        (1usize..5).prop_map(|k| Seats::Sampled { k }),
        (1usize..5).prop_map(|k| Seats::Distinct { k }),
        Just(Seats::All)
    ]
}

fn any_matching() -> impl Strategy<Value = Matching> {
    let kinds = prop_oneof![Just(MatchingKind::Smooth), Just(MatchingKind::Strict), Just(MatchingKind::NoPrior)];
    let hidden = prop_oneof![Just(vec![]), Just(vec![5, 2])];
    (kinds, hidden, any_seats(), 1usize..4, prop_oneof![Just(0.0), Just(0.3)]).prop_map(
        |(kind, hidden, seats, batch, price_weight)| Matching {
            kind,
            hidden,
            seats,
            batch,
            price_weight,
            rate: 0.5,
            prior_tasks: 5.0,
            pretraining: Pretraining { rows: 6, steps: 10, restarts: 2, ..Pretraining::default() },
        },
    )
}

/// A task: its features, its group, who is available, and what is said of it.
type Round = (Vec<f64>, Option<u32>, Vec<u32>, Vec<(u32, u16)>);

fn any_round(feature: impl Strategy<Value = f64>) -> impl Strategy<Value = Round> {
    let available = prop::collection::btree_set(0u32..7, 0..6).prop_map(|people| people.into_iter().collect());
    let said = prop::collection::vec((0u32..7, 0u16..6), 0..5);
    (prop::collection::vec(feature, 0..4), prop::option::of(0u32..4), available, said)
}

/// Runs a task through a state; the committee and the label.
fn run(
    state: &mut MatchingState,
    (features, group, available, said): &Round,
    at: usize,
) -> (Vec<ExpertId>, Option<Label>) {
    let case = CaseView { case: CaseId::at(at), features, group: group.map(GroupId) };
    let available: Vec<_> = available.iter().copied().map(ExpertId).collect();
    let asked = state.allocate(case, &available, &mut Stream::new(8).at(at));
    assert!(asked.iter().all(|q| available.contains(&q.expert) && q.propensity > 0.0 && q.propensity <= 1.0 + 1e-12));
    let shares = state.shares(case, &available);
    assert_eq!(shares.len(), available.len());
    assert!(available.is_empty() || (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(shares.iter().all(|share| *share >= 0.0));
    assert_eq!(state.best(case, &available).is_none(), available.iter().all(|e| e.index() >= state.annotators()));
    (asked.into_iter().map(|q| q.expert).collect(), state.learn(case, &votes(said)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_task_and_no_vote_breaks_it(
        matching in any_matching(),
        classes in 2usize..5,
        rounds in prop::collection::vec(any_round(prop::num::f64::ANY), 0..20),
    ) {
        let mut state = matching.start(&Setting::new(2, classes, prior()), &Stream::new(5)).unwrap();
        for (at, round) in rounds.iter().enumerate() {
            let (_, label) = run(&mut state, round, at);
            let heard = round.3.iter().any(|&(e, l)| (e as usize) < state.annotators() && usize::from(l) < classes);
            prop_assert_eq!(label.is_some(), heard);
            if at % 5 == 4 {
                state.join(Newcomer { similarity: &[0.5, f64::NAN], price: -1.0 });
            }
        }
    }

    #[test]
    fn a_state_goes_on_from_where_it_was_written(
        matching in any_matching(),
        rounds in prop::collection::vec(any_round(-3.0..3.0f64), 2..24),
    ) {
        let mut state = matching.start(&Setting::new(3, 4, prior()), &Stream::new(5)).unwrap();
        let (before, after) = rounds.split_at(rounds.len() / 2);
        before.iter().enumerate().for_each(|(at, round)| { run(&mut state, round, at); });
        let mut read: MatchingState = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        prop_assert_eq!(&read, &state);
        for (at, round) in after.iter().enumerate() {
            prop_assert_eq!(run(&mut read, round, at), run(&mut state, round, at));
            if at == 3 {
                state.join(Newcomer { similarity: &[0.2, 0.9, 0.1], price: 2.0 });
                read.join(Newcomer { similarity: &[0.2, 0.9, 0.1], price: 2.0 });
            }
        }
        prop_assert_eq!(&read, &state);
    }
}
