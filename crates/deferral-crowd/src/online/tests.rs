//! What holds for every online method.

use deferral_core::*;
use proptest::prelude::*;
use rand::{Rng, RngExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use deferral_models::Classifier;

pub(super) fn votes(votes: &[(u32, u16)]) -> Vec<Vote> {
    votes.iter().map(|&(expert, label)| Vote { expert: ExpertId(expert), label: Label(label) }).collect()
}

pub(super) fn ids(ids: &[u32]) -> Vec<ExpertId> {
    ids.iter().copied().map(ExpertId).collect()
}

pub(super) fn experts(questions: &[Question]) -> Vec<u32> {
    questions.iter().map(|question| question.expert.0).collect()
}

pub(super) fn case(i: usize) -> CaseView<'static> {
    CaseView { case: CaseId::at(i), features: &[], group: None }
}

pub(super) fn on(features: &[f64]) -> CaseView<'_> {
    CaseView { case: CaseId(0), features, group: None }
}

/// Every method, asking k experts, by name.
fn methods(k: usize, setting: &Setting) -> Vec<(&'static str, Box<dyn Online>)> {
    fn start<M: OnlineMethod<State: 'static>>(method: &M, setting: &Setting) -> Box<dyn Online> {
        Box::new(method.start(setting).unwrap())
    }
    let random = MultiplicativeWeights { follow: Follow::Random { k }, ..Default::default() };
    let hedge = MultiplicativeWeights { rule: WeightRule::Hedge, ..random };
    let decaying = EpsilonGreedy { exploration: Exploration::Decaying { c: 5.0 }, k };
    vec![
        ("weights", start(&MultiplicativeWeights::default(), setting)),
        ("random weights", start(&random, setting)),
        ("hedge", start(&hedge, setting)),
        ("epsilon-greedy", start(&EpsilonGreedy { k, ..Default::default() }, setting)),
        ("decaying epsilon", start(&decaying, setting)),
        ("ucb", start(&Ucb { k, ..Default::default() }, setting)),
        ("lin-ucb", start(&LinUcb { k, ..Default::default() }, setting)),
        ("thompson", start(&Thompson { k, ..Default::default() }, setting)),
        ("linear thompson", start(&LinearThompson { k, ..Default::default() }, setting)),
    ]
}

/// The answer of somebody who is right with the given probability, else wrong in one of K - 1 ways.
fn answer(truth: u16, accuracy: f64, classes: u16, random: &mut impl Rng) -> u16 {
    if random.random::<f64>() < accuracy { truth } else { (truth + random.random_range(1..classes)) % classes }
}

const SKILLS: [f64; 6] = [0.5, 0.62, 0.6, 0.92, 0.7, 0.55];

/// Past decisions of the six workers on three classes, two of them missing on every case; the features are noise.
fn workers(n: usize, seed: u64) -> Dataset {
    let mut random = Stream::new(seed).random();
    let truth: Vec<u16> = (0..n).map(|_| random.random_range(0..3)).collect();
    let mut decisions = Vec::new();
    for (i, &label) in truth.iter().enumerate() {
        for (j, &skill) in SKILLS.iter().enumerate() {
            let vote = answer(label, skill, 3, &mut random);
            if (i + j) % 3 != 0 {
                decisions.push((i as u32, j as u32, vote));
            }
        }
    }
    let features = Columns::from_values(2, (0..2 * n).map(|_| random.random_range(-1.0..1.0)).collect());
    dataset(Features::dense(features).unwrap(), &truth, 3, SKILLS.len(), decisions)
}

fn dataset(features: Features, truth: &[u16], classes: usize, m: usize, decisions: Vec<(u32, u32, u16)>) -> Dataset {
    let labels = truth.iter().map(|&label| Some(Label(label))).collect();
    let cases = Cases::new(Names::numbered("case", truth.len()), features).unwrap().with_labels(labels).unwrap();
    let decisions = Decisions::from_triples(truth.len(), m, decisions).unwrap();
    Dataset::new(cases, decisions, Names::numbered("label", classes), Names::numbered("expert", m)).unwrap()
}

fn fit<L: Learner>(learner: &L, data: &Dataset, seed: u64) -> Result<L::Policy, FitError> {
    let mut silent = Silent;
    learner.fit(data, &CaseWeights::uniform(data.n()), &mut Context::new(Stream::new(seed), &mut silent))
}

/// The share of cases that the policy decides rightly with the committee.
fn accuracy(policy: &StreamedPolicy, committee: &Committee, data: &Dataset) -> f64 {
    let beliefs = (policy.classify(data.cases()).unwrap(), policy.weigh(data.cases()).unwrap());
    let mut source = Recorded::new(data.decisions(), Absent::Unavailable);
    let outcomes =
        consult(0..data.n(), (&beliefs.0, &beliefs.1), committee, &mut source, None, &Stream::new(8)).unwrap();
    let right = outcomes.iter().zip(data.cases().labels()).filter(|(o, label)| Some(o.verdict.label) == **label);
    right.count() as f64 / data.n() as f64
}

/// Runs a check on every method as a learner.
macro_rules! for_every_learner {
    ($check:ident, $($data:expr),*) => {{
        $check("weights", &Streamed::<MultiplicativeWeights>::default(), $($data),*);
        let method = MultiplicativeWeights { follow: Follow::Random { k: 1 }, ..Default::default() };
        $check("random weights", &Streamed { method, classifier: Default::default() }, $($data),*);
        let method = MultiplicativeWeights { rule: WeightRule::Hedge, ..method };
        $check("hedge", &Streamed { method, classifier: Default::default() }, $($data),*);
        $check("epsilon-greedy", &Streamed::<EpsilonGreedy>::default(), $($data),*);
        $check("ucb", &Streamed::<Ucb>::default(), $($data),*);
        $check("lin-ucb", &Streamed::<LinUcb>::default(), $($data),*);
        $check("thompson", &Streamed::<Thompson>::default(), $($data),*);
        $check("linear thompson", &Streamed::<LinearThompson>::default(), $($data),*);
    }};
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn only_the_available_are_asked_and_each_once(
        (m, k, seed) in (1usize..8, 1usize..5, 0u64..1000),
        rounds in prop::collection::vec((any::<u16>(), prop::collection::vec(-2.0f64..2.0, 2), any::<u16>()), 1..40),
    ) {
        for (name, mut state) in methods(k, &Setting { features: 2, ..Setting::new(m) }) {
            for (i, (present, features, answers)) in rounds.iter().enumerate() {
                // Ids from m on are strangers.
                let available: Vec<ExpertId> = (0..m + 2).filter(|j| present >> j & 1 == 1).map(ExpertId::at).collect();
                let known = available.iter().filter(|expert| expert.index() < m).count();
                let view = CaseView { case: CaseId::at(i), features, group: None };
                let asked = state.allocate(view, &available, &mut Stream::new(seed).at(i));
                let expected = if name == "weights" { known } else { k.min(known) };
                prop_assert_eq!(asked.len(), expected, "{}", name);
                let mut different = experts(&asked);
                different.sort_unstable();
                different.dedup();
                prop_assert_eq!(different.len(), asked.len(), "{}", name);
                for question in &asked {
                    prop_assert!(question.expert.index() < m && available.contains(&question.expert), "{}", name);
                    prop_assert!(question.propensity > 0.0 && question.propensity <= 1.0, "{}", name);
                }
                let said: Vec<_> = asked.iter().map(|q| (q.expert.0, answers >> (2 * q.expert.0) & 3)).collect();
                let label = state.learn(view, &votes(&said)).map(|label| label.0);
                prop_assert_eq!(label.is_some(), !said.is_empty());
                prop_assert!(label.is_none_or(|label| said.iter().any(|(_, vote)| *vote == label)));
            }
        }
    }
}

#[test]
fn without_anybody_nobody_is_asked_and_nothing_is_learned() {
    for (name, mut state) in methods(3, &Setting { features: 1, ..Setting::new(2) }) {
        let before = state.skills();
        assert!(state.allocate(on(&[1.0]), &[], &mut Stream::new(1).at(0)).is_empty(), "{name}");
        assert_eq!(state.learn(on(&[1.0]), &[]), None, "{name}");
        assert_eq!(state.learn(on(&[1.0]), &votes(&[(2, 1), (9, 1)])), None, "{name}: strangers");
        assert_eq!(state.skills(), before, "{name}");
    }
}

#[test]
fn the_label_follows_trust_and_moves_it() {
    for (name, mut state) in methods(3, &Setting { features: 1, ..Setting::new(3) }) {
        assert_eq!(state.learn(on(&[1.0]), &votes(&[(0, 2), (1, 1), (2, 1)])), Some(Label(1)), "{name}: majority");
        for _ in 0..50 {
            state.reward(on(&[1.0]), &votes(&[(0, 2), (1, 1), (2, 1)]), Label(2), 1.0);
        }
        assert_eq!(state.label(on(&[1.0]), &votes(&[(0, 0), (1, 2), (2, 2)])), Some(Label(0)), "{name}: the expert");
    }
}

/// Six workers of whom the first five were heard in thirty rounds, worker j being right in 2 + j rounds of 7.
fn taught(state: &mut dyn Online) {
    for i in 0..30u32 {
        let said: Vec<_> = (0..5).map(|j| (j, u16::from((i + j) % 7 < 2 + j))).collect();
        state.reward(on(&[1.0]), &votes(&said), Label(1), 1.0);
    }
}

#[test]
fn shares_are_those_of_many_committees() {
    for k in [1, 3, 9] {
        for (name, mut state) in methods(k, &Setting { features: 1, ..Setting::new(6) }) {
            taught(&mut *state);
            // Worker 4 is absent, 6 and 9 are strangers.
            let available = ids(&[0, 1, 2, 3, 5, 6, 9]);
            let found = state.shares(on(&[1.0]), &available);
            assert_eq!(found, state.shares(on(&[1.0]), &available), "{name}");
            assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12 && found[5..] == [0.0, 0.0], "{name}: {found:?}");
            let mut counts = vec![0.0; available.len()];
            for i in 0..4000 {
                let asked = state.allocate(on(&[1.0]), &available, &mut Stream::new(2).at(i));
                for question in &asked {
                    counts[available.binary_search(&question.expert).unwrap()] += 1.0 / (4000 * asked.len()) as f64;
                }
            }
            let within = if name.contains("thompson") { 0.1 } else { 0.03 };
            let close = found.iter().zip(&counts).all(|(share, count)| (share - count).abs() < within);
            assert!(close, "{name}, k = {k}: {found:?} {counts:?}");
        }
    }
}

#[test]
fn shares_of_strangers_and_of_nobody() {
    for (name, state) in methods(2, &Setting { features: 1, ..Setting::new(2) }) {
        assert!(state.shares(on(&[1.0]), &[]).is_empty(), "{name}");
        assert_eq!(state.shares(on(&[1.0]), &ids(&[4, 7])), [0.5, 0.5], "{name}");
        assert_eq!(state.shares(on(&[1.0]), &ids(&[1, 7])), [1.0, 0.0], "{name}");
    }
}

/// How much each worker is trusted on the case of a single feature of 1, in parts of the first one's trust.
fn trusts(state: &dyn Online) -> Vec<f64> {
    match state.skills() {
        Skills::Everywhere(trusts) => trusts.iter().map(|trust| trust / trusts[0]).collect(),
        Skills::Linear { coefficients, .. } => {
            let of = |theta: &[f64]| theta.iter().sum::<f64>();
            coefficients.iter().map(|theta| of(theta) / of(coefficients.column(0))).collect()
        }
    }
}

#[test]
fn who_joins_is_asked_and_learned_about_and_the_others_stay() {
    for (name, mut state) in methods(2, &Setting { features: 1, ..Setting::new(6) }) {
        taught(&mut *state);
        let before = trusts(&*state);
        let everybody = ids(&[0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(state.shares(on(&[1.0]), &everybody)[6], 0.0, "{name}");
        state.join(Newcomer { similarity: &[], price: 1.0 });
        let after = trusts(&*state);
        assert_eq!(after.len(), 7, "{name}");
        assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() < 1e-12), "{name}: {before:?} {after:?}");
        let asked = |state: &mut dyn Online, i| {
            experts(&state.allocate(on(&[1.0]), &everybody, &mut Stream::new(3).at(i))).contains(&6)
        };
        assert!((0..400).any(|i| asked(&mut *state, i)), "{name}");
        // From now on only the newcomer is right.
        for _ in 0..60 {
            let said: Vec<_> = (0..7).map(|j| (j, u16::from(j == 6))).collect();
            state.reward(on(&[1.0]), &votes(&said), Label(1), 1.0);
        }
        let (trusts, shares) = (trusts(&*state), state.shares(on(&[1.0]), &everybody));
        assert_eq!(argmax(&trusts), 6, "{name}: {trusts:?}");
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12 && shares.iter().all(|s| *s <= shares[6]), "{name}");
    }
}

#[test]
fn who_joins_has_the_mean_weight_of_the_others() {
    let mut state = MultiplicativeWeights { rate: Some(0.5), ..Default::default() }.start(&Setting::new(2)).unwrap();
    state.update(&[0.0, 1.0]);
    state.join(Newcomer { similarity: &[0.9], price: 7.0 });
    let p = state.probabilities();
    assert!(p.iter().zip([4.0 / 9.0, 2.0 / 9.0, 1.0 / 3.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{p:?}");
    let mut first = MultiplicativeWeights::default().start(&Setting::new(0)).unwrap();
    (0..2).for_each(|_| first.join(Newcomer { similarity: &[], price: 1.0 }));
    assert_eq!(first.probabilities(), [0.5, 0.5]);
}

/// Of the last 1,000 of 3,000 rounds without a true label: how many were decided rightly, and in how many the best
/// worker was asked.
fn closed_loop(state: &mut dyn Online, seed: u64) -> (usize, usize) {
    let stream = Stream::new(seed);
    let mut answers = stream.child("answers").random();
    let everybody = ids(&[0, 1, 2, 3, 4, 5]);
    let (mut right, mut asked_best) = (0, 0);
    for i in 0..3000 {
        let truth = (i % 3) as u16;
        let asked = experts(&state.allocate(on(&[0.5]), &everybody, &mut stream.at(i)));
        let said: Vec<_> = asked.iter().map(|&j| (j, answer(truth, SKILLS[j as usize], 3, &mut answers))).collect();
        let label = state.learn(on(&[0.5]), &votes(&said));
        right += usize::from(i >= 2000 && label == Some(Label(truth)));
        asked_best += usize::from(i >= 2000 && asked.contains(&3));
    }
    (right, asked_best)
}

#[test]
fn the_closed_loop_finds_the_best_without_a_true_label() {
    for seed in 0..3 {
        for (name, mut state) in methods(5, &Setting { features: 1, ..Setting::new(6) }) {
            let (right, asked_best) = closed_loop(&mut *state, seed);
            assert!(asked_best > 950 && right > 870, "{name}: {right} right, {asked_best} times the best");
        }
    }
}

#[test]
fn one_vote_alone_always_agrees_with_itself() {
    for (name, mut state) in methods(1, &Setting { features: 1, ..Setting::new(6) }).into_iter().skip(3) {
        let (right, asked_best) = closed_loop(&mut *state, 1);
        assert!(right < 850, "{name}: {right} right, {asked_best} times the best");
    }
}

#[test]
fn every_learner_finds_the_best_of_several_workers() {
    fn check<M: OnlineMethod>(name: &str, learner: &Streamed<M>, train: &Dataset, test: &Dataset) {
        let policy = fit(learner, train, 1).unwrap();
        let weights = policy.weigh(test.cases()).unwrap();
        assert_eq!(weights.rows(), 7, "{name}");
        let best = weights.iter().filter(|column| argmax(column) == 3).count();
        assert!(best as f64 > 0.97 * test.n() as f64, "{name}: {best}");
        // The best worker is there on two of three cases; else the next best has .7.
        let found = accuracy(&policy, &learner.committee(), test);
        assert!(found > 0.82, "{name}: {found}");
    }
    let (train, test) = (workers(1500, 3), workers(900, 4));
    for_every_learner!(check, &train, &test);
}

#[test]
fn linear_methods_find_who_is_good_where() {
    // As in the synthetic closed loop (Keswani, Lease and Kenthapadi 2022): three clusters, each worker right on their
    // own, else with probability .2.
    fn clusters(n: usize, seed: u64) -> Dataset {
        let mut random = Stream::new(seed).random();
        let mut values = Vec::new();
        let mut decisions = Vec::new();
        let truth: Vec<u16> = (0..n).map(|_| random.random_range(0..2)).collect();
        for (i, &label) in truth.iter().enumerate() {
            let own = i % 3;
            let centre = [[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]][own];
            values.extend(centre.map(|c| c + random.random_range(-1.0..1.0)));
            for j in 0..3 {
                let skill = if j == own { 1.0 } else { 0.2 };
                decisions.push((i as u32, j as u32, answer(label, skill, 2, &mut random)));
            }
        }
        dataset(Features::dense(Columns::from_values(2, values)).unwrap(), &truth, 2, 3, decisions)
    }
    fn check<M: OnlineMethod>(name: &str, learner: &Streamed<M>) {
        let policy = fit(learner, &clusters(1500, 5), 1).unwrap();
        let found = accuracy(&policy, &learner.committee(), &clusters(600, 6));
        assert!(found > 0.95, "{name}: {found}");
    }
    check("lin-ucb", &Streamed::<LinUcb>::default());
    check("linear thompson", &Streamed::<LinearThompson>::default());
}

#[test]
fn the_classifier_is_one_more_worker() {
    fn check<M: OnlineMethod>(name: &str, learner: &Streamed<M>, data: &Dataset) {
        let policy = fit(learner, data, 1).unwrap();
        let weights = policy.weigh(data.cases()).unwrap();
        assert_eq!((policy.experts(), policy.classes(), weights.rows()), (2, 2, 3), "{name}");
        assert!(weights.iter().filter(|column| argmax(column) == 2).count() > 190, "{name}");
        assert!(accuracy(&policy, &learner.committee(), data) > 0.95, "{name}");
    }
    // The label is the sign of the feature, and people guess.
    let mut random = Stream::new(2).random();
    let values: Vec<f64> = (0..200).map(|i| f64::from(i % 20) - 9.5).collect();
    let truth: Vec<u16> = values.iter().map(|value| u16::from(*value > 0.0)).collect();
    let decisions = (0..200).flat_map(|i| [(i, 0), (i, 1)]);
    let decisions = decisions.map(|(i, j)| (i, j, random.random_range(0..2))).collect();
    let data = dataset(Features::dense(Columns::from_values(1, values)).unwrap(), &truth, 2, 2, decisions);
    for_every_learner!(check, &data);
}

#[test]
fn the_same_seed_gives_the_same_policy_and_files_keep_it() {
    fn check<M>(name: &str, learner: &Streamed<M>, data: &Dataset)
    where
        M: OnlineMethod + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + Default,
    {
        let policy = fit(learner, data, 7).unwrap();
        assert_eq!(policy, fit(learner, data, 7).unwrap(), "{name}");
        let path = tempfile::tempdir().unwrap();
        artifact::save(&path.path().join("policy"), "policy", &policy).unwrap();
        assert_eq!(artifact::load::<StreamedPolicy>(&path.path().join("policy"), "policy").unwrap(), policy, "{name}");
        artifact::save(&path.path().join("learner"), "learner", learner).unwrap();
        assert_eq!(&artifact::load::<Streamed<M>>(&path.path().join("learner"), "learner").unwrap(), learner, "{name}");
    }
    for_every_learner!(check, &workers(120, 5));
    let thompson = Streamed::<Thompson>::default();
    assert_ne!(fit(&thompson, &workers(120, 5), 7).unwrap(), fit(&thompson, &workers(120, 5), 8).unwrap());
}

#[test]
fn a_state_goes_on_where_its_file_ended() {
    fn check<M: OnlineMethod>(method: &M)
    where
        M::State: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let mut state = method.start(&Setting { features: 2, ..Setting::new(4) }).unwrap();
        let available = ids(&[0, 1, 3]);
        let step = |state: &mut M::State, i: usize| {
            let features = [i as f64 * 0.1, 1.0 - i as f64 * 0.05];
            let view = CaseView { case: CaseId::at(i), features: &features, group: None };
            let asked = state.allocate(view, &available, &mut Stream::new(6).at(i));
            let said: Vec<_> = asked.iter().map(|q| (q.expert.0, ((i as u32 + q.expert.0) % 3) as u16)).collect();
            (state.learn(view, &votes(&said)), asked)
        };
        (0..20).for_each(|i| drop(step(&mut state, i)));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        artifact::save(&path, "state", &state).unwrap();
        let mut loaded: M::State = artifact::load(&path, "state").unwrap();
        assert_eq!(loaded, state);
        (20..40).for_each(|i| assert_eq!(step(&mut loaded, i), step(&mut state, i)));
        assert_eq!(loaded, state);
    }
    check(&MultiplicativeWeights::default());
    check(&MultiplicativeWeights { follow: Follow::Random { k: 3 }, ..Default::default() });
    check(&EpsilonGreedy { exploration: Exploration::Decaying { c: 5.0 }, k: 3 });
    check(&Ucb { k: 3, ..Default::default() });
    check(&LinUcb { k: 3, ..Default::default() });
    check(&Thompson { k: 3, draws: 5 });
    check(&LinearThompson { k: 3, draws: 5, ..Default::default() });
}

#[test]
fn case_weights_count() {
    fn check<M: OnlineMethod>(name: &str, learner: &Streamed<M>, data: &Dataset) {
        for (first, second, best) in [(1.0, 0.0, 0), (0.0, 1.0, 1), (1.0, 0.05, 0)] {
            let half = data.n() / 2;
            let weights = (0..data.n()).map(|i| if i < half { first } else { second }).collect();
            let mut silent = Silent;
            let mut ctx = Context::new(Stream::new(2), &mut silent);
            let policy = learner.fit(data, &CaseWeights::new(weights).unwrap(), &mut ctx).unwrap();
            assert_eq!(argmax(&policy.weigh(data.cases()).unwrap().column(0)[..2]), best, "{name}");
        }
    }
    // Expert 0 is right on the first half, expert 1 on the second.
    let n = 200;
    let truth: Vec<u16> = (0..n).map(|i| (i % 2) as u16).collect();
    let half = |i: usize, j: usize| (i < n / 2) == (j == 0);
    let decisions = (0..n).flat_map(|i| [(i, 0), (i, 1)]);
    let decisions = decisions.map(|(i, j)| (i as u32, j as u32, truth[i] ^ u16::from(!half(i, j)))).collect();
    let features = Columns::from_values(1, vec![1.0; n]);
    let data = dataset(Features::dense(features).unwrap(), &truth, 2, 2, decisions);
    for_every_learner!(check, &data);
}

#[test]
fn what_cannot_be_learned_from_is_named() {
    let data = workers(60, 1);
    let refuse = |data: &Dataset| fit(&Streamed::<LinUcb>::default(), data, 1).unwrap_err().to_string();
    let none = data.clone().with_features(Features::none(60)).unwrap();
    let message = "this learner needs dense features, at least one; found no feature at all \
                   (for text use `svd` or word vectors)";
    assert_eq!(refuse(&none), message);
    assert!(fit(&Streamed::<Ucb>::default(), &none, 1).is_ok());
    let mut sparse = SparseFeatures::new(5);
    (0..60).for_each(|i| sparse.push(&[(i % 5, 1.0)]).unwrap());
    let sparse = data.clone().with_features(Features::Sparse(sparse)).unwrap();
    assert!(refuse(&sparse).contains("found 5 sparse ones"));
    let method = Ucb { k: 0, ..Default::default() };
    let message = fit(&Streamed { method, classifier: Classifier::default() }, &data, 1).unwrap_err().to_string();
    assert_eq!(message, "the committee size k is 0, but must be 1 or more");

    let policy = fit(&Streamed::<LinUcb>::default(), &data, 1).unwrap();
    assert_eq!(policy.weigh(sparse.cases()), Err(PolicyError::Kind { expected: "dense" }));
    let wide = Cases::new(Names::numbered("", 1), Features::dense(Columns::zeros(3, 1)).unwrap()).unwrap();
    assert_eq!(policy.weigh(&wide), Err(PolicyError::Dimension { expected: 2, found: 3 }));
}

#[test]
fn an_observer_can_stop_the_stream() {
    struct Impatient;
    impl Observer for Impatient {
        fn observe(&mut self, event: &Event) -> std::ops::ControlFlow<()> {
            match event {
                Event::Step { step: 30, of: 60, .. } => std::ops::ControlFlow::Break(()),
                _ => std::ops::ControlFlow::Continue(()),
            }
        }
    }
    let data = workers(60, 1);
    let mut impatient = Impatient;
    let mut ctx = Context::new(Stream::new(1), &mut impatient);
    let stopped = Streamed::<Ucb>::default().fit(&data, &CaseWeights::uniform(60), &mut ctx);
    assert!(matches!(stopped, Err(FitError::Cancelled(_))));
}

#[test]
fn the_committees_are_those_of_the_methods() {
    let select = |committee: Committee| {
        assert_eq!((committee.classifier, committee.vote), (Seat::Weighted, VoteRule::Weighted));
        committee.select
    };
    let follow = |follow| MultiplicativeWeights { follow, ..Default::default() }.committee();
    assert_eq!(select(follow(Follow::Majority)), Selection::Whole);
    assert_eq!(select(follow(Follow::Random { k: 1 })), Selection::Sampled { k: 1 });
    assert_eq!(select(follow(Follow::Random { k: 3 })), Selection::Distinct { k: 3 });
    assert_eq!(select(EpsilonGreedy::default().committee()), Selection::Top { k: 1 });
    assert_eq!(select(Ucb { k: 2, ..Default::default() }.committee()), Selection::Top { k: 2 });
    assert_eq!(select(Thompson::default().committee()), Selection::Top { k: 1 });
    assert_eq!(select(LinUcb::default().committee()), Selection::Top { k: 1 });
    assert_eq!(select(LinearThompson::default().committee()), Selection::Top { k: 1 });
}
