//! The methods of learning to defer on small data: that they defer where the expert is right, that policy and committee
//! take the same decision, and what they refuse.
#![allow(clippy::unwrap_used)]

use deferral_core::*;
use deferral_losses::surrogates::*;
use deferral_models::*;

const N: usize = 400;

/// Two classes and two features. On the left half the class is the sign of the second feature; on the right half no
/// feature tells it, and the first expert is right. On the left that expert is wrong half the time. With two, the second
/// expert is wrong everywhere; on every tenth case nobody says anything.
fn data(experts: usize) -> Dataset {
    let place = |i: usize| (if i.is_multiple_of(2) { -1.0 } else { 1.0 }, ((i * 37) % 100) as f64 / 50.0 - 0.99);
    let coin = |i: usize| (i * i / 3 + i / 2) % 2;
    let truth = |i: usize| if i.is_multiple_of(2) { usize::from(place(i).1 > 0.0) } else { coin(i) };
    let votes = (0..N).filter(|i| i % 10 != 9).flat_map(|i| {
        let first = if i % 2 == 1 || i % 4 == 0 { truth(i) } else { 1 - truth(i) };
        [(i as u32, 0, first as u16), (i as u32, 1, 1 - truth(i) as u16)].into_iter().take(experts)
    });
    let decisions = Decisions::from_triples(N, experts, votes).unwrap();
    let features = (0..N).flat_map(|i| <[f64; 2]>::from(place(i))).collect();
    let features = Features::dense(Columns::from_values(2, features)).unwrap();
    let cases = Cases::new(Names::numbered("case", N), features).unwrap();
    let cases = cases.with_labels((0..N).map(|i| Some(Label::at(truth(i)))).collect()).unwrap();
    Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("expert", experts)).unwrap()
}

fn fit<L: Learner>(learner: &L, data: &Dataset) -> Result<L::Policy, FitError> {
    let mut silent = Silent;
    learner.fit(data, &CaseWeights::uniform(data.n()), &mut Context::new(Stream::new(3), &mut silent))
}

/// A small network, trained for 400 steps.
fn network() -> NetworkSettings {
    let default = NetworkSettings::default();
    let batches = Batches::PerStep { size: 100 };
    let training = Training { steps: 400, batches, optimiser: Optimiser::adam(0.02), ..default.training };
    NetworkSettings { hidden: vec![16], training, precision: Precision::F64 }
}

fn surrogate(surrogate: Surrogate) -> LearnToDefer {
    LearnToDefer { surrogate, network: network(), expert: None }
}

/// Every method with the given expert.
fn everyone(data: &Dataset, expert: Option<&str>) -> Vec<(&'static str, DeferralPolicy)> {
    let expert = expert.map(str::to_owned);
    let learn = |name, chosen: Surrogate| {
        (name, fit(&LearnToDefer { expert: expert.clone(), ..surrogate(chosen) }, data).unwrap())
    };
    let classifier = network().classifier();
    let two_stage =
        TwoStage { classifier: classifier.clone(), network: network(), costs: None, expert: expert.clone() };
    let compare = CompareConfidence { classifier: classifier.clone(), network: network(), expert: expert.clone() };
    let selective = SelectivePrediction { classifier, expert: expert.clone(), ..SelectivePrediction::default() };
    let triage = DifferentiableTriage { network: network(), expert: expert.clone(), ..DifferentiableTriage::default() };
    vec![
        learn("softmax", Surrogate::default()),
        learn("one-vs-all", Surrogate::OneVsAll),
        learn("asymmetric softmax", Surrogate::AsymmetricSoftmax),
        learn("realizable", Surrogate::Realizable { alpha: 0.9 }),
        learn("rsl2d", Surrogate::Rsl2d { psi: Psi::Log, beta: 0.1 }),
        ("two-stage", fit(&two_stage, data).unwrap()),
        ("team of experts", fit(&TeamOfExperts { network: network(), expert: expert.clone() }, data).unwrap()),
        ("mixture of experts", fit(&MixtureOfExperts { network: network(), expert: expert.clone() }, data).unwrap()),
        ("compare confidence", fit(&compare, data).unwrap()),
        ("selective prediction", fit(&selective, data).unwrap()),
        ("triage", fit(&triage, data).unwrap()),
    ]
}

/// The labels that the policy's committee decides, who decided, and how often it is right.
fn decided(policy: &DeferralPolicy, data: &Dataset) -> (Vec<Label>, Vec<Route>, f64) {
    let beliefs = (policy.classify(data.cases()).unwrap(), policy.weigh(data.cases()).unwrap());
    let mut source = Recorded::new(data.decisions(), Absent::Unavailable);
    let rule = policy.committee();
    let outcomes = consult(0..data.n(), (&beliefs.0, &beliefs.1), &rule, &mut source, None, &Stream::new(1)).unwrap();
    let labels: Vec<Label> = outcomes.iter().map(|outcome| outcome.verdict.label).collect();
    let routes = outcomes.iter().map(|outcome| outcome.route(data.m())).collect();
    let right = labels.iter().zip(data.cases().labels()).filter(|(said, truth)| Some(**said) == **truth).count();
    (labels, routes, right as f64 / data.n() as f64)
}

fn accuracy(labels: &[Option<Label>], truth: &[Option<Label>]) -> f64 {
    labels.iter().zip(truth).filter(|(a, b)| a.is_some() && a == b).count() as f64 / truth.len() as f64
}

#[test]
fn every_method_defers_where_the_expert_is_right_and_beats_both_alone() {
    let data = data(1);
    let truth = data.cases().labels();
    let expert: Vec<Option<Label>> = (0..N).map(|i| data.decisions().get(CaseId::at(i), ExpertId(0))).collect();
    let expert_alone = accuracy(&expert, truth);
    for (name, policy) in everyone(&data, None) {
        let beliefs = policy.classify(data.cases()).unwrap();
        let own: Vec<Option<Label>> = beliefs.iter().map(|belief| Some(Label::at(argmax(belief)))).collect();
        let (labels, routes, system) = decided(&policy, &data);
        assert!(system > expert_alone.max(accuracy(&own, truth)) + 0.05, "{name}: {system}");
        // Right half to the expert, left half to the classifier, where the expert is there.
        let asked = |half: usize| {
            let cases = (0..N).filter(|i| i % 2 == half && i % 10 != 9);
            cases.filter(|i| matches!(routes[*i], Route::Experts(_))).count() as f64
        };
        assert!(system > 0.88, "{name}: {system}");
        assert!(asked(1) > 0.9 * 160.0, "{name}: {} of 160", asked(1));
        assert!(asked(0) < 0.3 * 200.0, "{name}: {} of 200", asked(0));
        // The policy alone takes the same decision.
        let together = policy.together(&data).unwrap();
        let alone: Vec<Label> = together.iter().map(|belief| Label::at(argmax(belief))).collect();
        assert_eq!(alone, labels, "{name}");
    }
}

#[test]
fn weights_and_margins_agree_and_stay_within_bounds() {
    let data = data(1);
    for (name, policy) in everyone(&data, Some("expert0")) {
        let weights = policy.weigh(data.cases()).unwrap();
        assert!(weights.values().iter().all(|weight| (0.0..=1.0).contains(weight)), "{name}");
        assert!(policy.classify(data.cases()).unwrap().iter().all(|p| (p.iter().sum::<f64>() - 1.0).abs() < 1e-9));
        for (margin, weights) in policy.margins(data.cases()).unwrap().iter().zip(weights.iter()) {
            assert!(*margin == 0.0 || (*margin > 0.0) == (weights[0] > weights[1]), "{name}: {margin} {weights:?}");
        }
    }
}

#[test]
fn of_two_experts_the_one_who_is_right_is_asked() {
    let data = data(2);
    let learners = [Surrogate::Softmax { alpha: 0.5 }, Surrogate::default(), Surrogate::OneVsAll];
    let mut policies: Vec<DeferralPolicy> =
        learners.iter().map(|chosen| fit(&surrogate(*chosen), &data).unwrap()).collect();
    policies.push(fit(&TwoStage { network: network(), ..TwoStage::default() }, &data).unwrap());
    policies.push(fit(&TeamOfExperts { network: network(), expert: None }, &data).unwrap());
    policies.push(fit(&MixtureOfExperts { network: network(), expert: None }, &data).unwrap());
    policies.push(fit(&CompareConfidence { network: network(), ..CompareConfidence::default() }, &data).unwrap());
    policies.push(fit(&SelectivePrediction::default(), &data).unwrap());
    for (at, policy) in policies.iter().enumerate() {
        let (labels, routes, system) = decided(policy, &data);
        assert!(system > 0.88, "{at}: {system}");
        let second = routes.iter().filter(|route| **route == Route::Experts(vec![ExpertId(1)])).count();
        assert!(second < 10, "{at}: {second}");
        let together = policy.together(&data).unwrap();
        assert!(together.iter().zip(&labels).all(|(belief, label)| argmax(belief) == label.index()), "{at}");
    }
    // An expert who was not learned about is never asked.
    let first =
        fit(&LearnToDefer { expert: Some("expert0".to_owned()), ..surrogate(Surrogate::AsymmetricSoftmax) }, &data)
            .unwrap();
    assert_eq!((first.members(), first.experts()), (0..1, 2));
    assert!(first.weigh(data.cases()).unwrap().iter().all(|weights| weights[1] == 0.0));
}

#[test]
fn probabilities_of_being_right_are_calibrated() {
    let data = data(2);
    for chosen in [Surrogate::OneVsAll, Surrogate::default()] {
        let right = fit(&surrogate(chosen), &data).unwrap().expert_correctness(data.cases()).unwrap().unwrap();
        let mean = |half: usize, expert: usize| {
            let cases = (0..N).filter(|i| i % 2 == half);
            cases.map(|i| right.column(i)[expert]).sum::<f64>() / (N / 2) as f64
        };
        // The first expert is right on the right half, and half the time on the left; the second never.
        assert!(mean(1, 0) > 0.9, "{chosen:?}: {}", mean(1, 0));
        assert!((mean(0, 0) - 0.5).abs() < 0.12, "{chosen:?}: {}", mean(0, 0));
        assert!(mean(0, 1).max(mean(1, 1)) < 0.1, "{chosen:?}");
    }
    let asymmetric = LearnToDefer { expert: Some("expert0".to_owned()), ..surrogate(Surrogate::AsymmetricSoftmax) };
    let right = fit(&asymmetric, &data).unwrap().expert_correctness(data.cases()).unwrap().unwrap();
    assert_eq!((right.rows(), right.n()), (1, N));
    let silent = fit(&surrogate(Surrogate::Softmax { alpha: 0.5 }), &data).unwrap();
    assert_eq!(silent.expert_correctness(data.cases()).unwrap(), None);
    let team = fit(&TeamOfExperts { network: network(), expert: None }, &data).unwrap();
    assert_eq!(team.expert_correctness(data.cases()).unwrap(), None);
}

#[test]
fn case_weights_count() {
    let data = data(1);
    // Cases of the right half do not count at all: then it does not matter that the expert knows them.
    let weights = CaseWeights::new((0..N).map(|i| if i % 2 == 0 { 1.0 } else { 0.0 }).collect()).unwrap();
    let mut silent = Silent;
    let mut ctx = Context::new(Stream::new(3), &mut silent);
    let policy = surrogate(Surrogate::OneVsAll).fit(&data, &weights, &mut ctx).unwrap();
    let left = data.select(&(0..N).filter(|i| i % 2 == 0).collect::<Vec<_>>());
    let alone = fit(&surrogate(Surrogate::OneVsAll), &left).unwrap();
    assert!(decided(&policy, &left).2 > 0.95);
    assert!(decided(&alone, &left).2 > 0.95);
    let asked = |policy: &DeferralPolicy| {
        let weights = policy.weigh(data.cases()).unwrap();
        (0..N).filter(|i| i % 2 == 1 && weights.column(*i)[0] > weights.column(*i)[1]).count()
    };
    assert!(asked(&policy) < 160, "{}", asked(&policy));
}

#[test]
fn the_same_seed_gives_the_same_policy_and_policies_survive_a_file() {
    let data = data(1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.dfr");
    for precision in [Precision::F32, Precision::F64] {
        let training = Training { steps: 20, ..network().training };
        let learner =
            LearnToDefer { network: NetworkSettings { precision, training, ..network() }, ..LearnToDefer::default() };
        let policy = fit(&learner, &data).unwrap();
        assert_eq!(policy, fit(&learner, &data).unwrap());
        artifact::save(&path, "learn-to-defer", &policy).unwrap();
        let back: DeferralPolicy = artifact::load(&path, "learn-to-defer").unwrap();
        assert_eq!(back, policy);
        assert_eq!(back.weigh(data.cases()).unwrap(), policy.weigh(data.cases()).unwrap());
    }
}

#[test]
fn held_out_cases_stop_the_training() {
    let data = data(1);
    let mut history = History::default();
    let held_out = data.select(&(0..100).collect::<Vec<_>>());
    let watched = data.clone().with_held_out(held_out.clone()).unwrap();
    let training =
        Training { stopping: Some(EarlyStopping { every: 10, patience: 2, least: 0.0 }), ..network().training };
    let settings = NetworkSettings { training, ..network() };
    let learner = LearnToDefer { network: settings, ..LearnToDefer::default() };
    learner.fit(&watched, &CaseWeights::uniform(N), &mut Context::new(Stream::new(3), &mut history)).unwrap();
    assert!(history.0.iter().any(|event| matches!(event, Event::Validation { .. })));
    // Held-out cases of another kind are refused.
    let narrow = held_out.clone().with_features(Features::dense(Columns::zeros(1, 100)).unwrap()).unwrap();
    let message = data.clone().with_held_out(narrow).unwrap_err().to_string();
    assert_eq!(message, "the cases held out have 1 features, but those learned from have 2");
    let unlabelled = held_out.with_labels(vec![None; 100]).unwrap();
    let message = fit(&learner, &data.clone().with_held_out(unlabelled).unwrap()).unwrap_err().to_string();
    assert!(message.starts_with("case case0 has no label"), "{message}");
    // The threshold of selective prediction is chosen on them too.
    let selective = SelectivePrediction { classifier: network().classifier(), ..SelectivePrediction::default() };
    assert!(fit(&selective, &watched).unwrap().threshold().unwrap() > 0.5);
}

#[test]
fn a_dear_expert_is_asked_less() {
    let data = data(1);
    let asked = |policy: &DeferralPolicy| {
        decided(policy, &data).1.iter().filter(|route| matches!(route, Route::Experts(_))).count()
    };
    let two_stage = |cost: f64| {
        let learner = TwoStage { network: network(), costs: Some(vec![cost]), ..TwoStage::default() };
        asked(&fit(&learner, &data).unwrap())
    };
    assert!(two_stage(0.9) < two_stage(0.0) / 2);
    let rsl2d = |beta: f64| asked(&fit(&surrogate(Surrogate::Rsl2d { psi: Psi::Log, beta }), &data).unwrap());
    assert!(rsl2d(0.9) < rsl2d(0.0) / 2);
    let triage = |budget: f64| {
        asked(
            &fit(&DifferentiableTriage { network: network(), budget, ..DifferentiableTriage::default() }, &data)
                .unwrap(),
        )
    };
    assert!(triage(0.1) < triage(1.0) / 2);
}

#[test]
fn what_cannot_be_learned_is_refused_by_name() {
    let data = data(2);
    let message = |error: FitError| error.to_string();
    let refuse = |learner: LearnToDefer, data: &Dataset| message(fit(&learner, data).unwrap_err());
    let with = |decisions: Decisions| {
        Dataset::new(data.cases().clone(), decisions, data.label_names().clone(), data.experts().clone()).unwrap()
    };
    assert!(refuse(LearnToDefer::default(), &with(Decisions::none(N, 2))).starts_with("no expert decided"));
    let only_second = Decisions::from_triples(N, 2, [(0, 1, 1)]).unwrap();
    assert_eq!(
        refuse(
            LearnToDefer { expert: Some("expert0".to_owned()), ..LearnToDefer::default() },
            &with(only_second.clone())
        ),
        "the number of training cases that expert `expert0` decided is 0, but must be 1 or more; name another one to \
         defer to"
    );
    // Who decided nothing is never deferred to.
    let policy = fit(&surrogate(Surrogate::OneVsAll), &with(only_second)).unwrap();
    assert!(policy.weigh(data.cases()).unwrap().iter().all(|weights| weights[0] == 0.0));
    assert_eq!(
        refuse(LearnToDefer { expert: Some("expert2".to_owned()), ..LearnToDefer::default() }, &data),
        "the expert to defer to is `expert2`, but must be one of the 2 experts there are, such as expert0, expert1"
    );
    assert!(refuse(surrogate(Surrogate::Softmax { alpha: -1.0 }), &data).starts_with("alpha of the softmax"));
    let budget = DifferentiableTriage { budget: 1.5, ..DifferentiableTriage::default() };
    assert_eq!(
        message(fit(&budget, &data).unwrap_err()),
        "the share that may be deferred is 1.5, but must be between 0 and 1"
    );
    let head_start = DifferentiableTriage { head_start: f64::NAN, ..DifferentiableTriage::default() };
    assert_eq!(
        message(fit(&head_start, &data).unwrap_err()),
        "the head start of the classifier is NaN, but must be between 0 and 1"
    );
    let costs = |costs: Vec<f64>| TwoStage { costs: Some(costs), ..TwoStage::default() };
    assert_eq!(
        message(fit(&costs(vec![0.1]), &data).unwrap_err()),
        "the number of costs of asking is 1, but must be one for each of the 2 experts"
    );
    assert_eq!(
        message(fit(&costs(vec![0.1, f64::NAN]), &data).unwrap_err()),
        "the cost of asking expert `expert1` is NaN, but must be between 0 and 1"
    );
    let rejection = |rejection| SelectivePrediction { rejection, ..SelectivePrediction::default() };
    assert_eq!(
        message(fit(&rejection(Rejection::Cost { cost: 2.0 }), &data).unwrap_err()),
        "the cost of asking is 2, but must be between 0 and 1"
    );
    assert_eq!(
        message(fit(&rejection(Rejection::MostAccurate { share: 1.0 }), &data).unwrap_err()),
        "the share to choose the threshold on is 1, but must be above 0 and below 1"
    );
    let mut labels = data.cases().labels().to_vec();
    labels[7] = None;
    let unlabelled = data.clone().with_labels(labels).unwrap();
    for error in [
        fit(&LearnToDefer::default(), &unlabelled).unwrap_err(),
        fit(&TwoStage::default(), &unlabelled).unwrap_err(),
        fit(&TeamOfExperts::default(), &unlabelled).unwrap_err(),
        fit(&MixtureOfExperts::default(), &unlabelled).unwrap_err(),
        fit(&CompareConfidence::default(), &unlabelled).unwrap_err(),
        fit(&SelectivePrediction::default(), &unlabelled).unwrap_err(),
        fit(
            &DifferentiableTriage { expert: Some("expert0".to_owned()), ..DifferentiableTriage::default() },
            &unlabelled,
        )
        .unwrap_err(),
    ] {
        assert!(message(error).starts_with("case case7 has no label"));
    }
    let sparse = data.clone().with_features(Features::none(N)).unwrap();
    assert!(refuse(LearnToDefer::default(), &sparse).contains("needs dense features"));
    let heavy =
        LearnToDefer::default().fit(&data, &CaseWeights::uniform(3), &mut Context::new(Stream::new(1), &mut Silent));
    assert_eq!(message(heavy.unwrap_err()), "there are 3 case weights for 400 cases");
}

#[test]
fn a_surrogate_for_one_takes_the_most_accurate_expert_and_says_so() {
    let data = data(2);
    let mut history = History::default();
    let learner = surrogate(Surrogate::Realizable { alpha: 1.0 });
    let policy = learner.fit(&data, &CaseWeights::uniform(N), &mut Context::new(Stream::new(3), &mut history)).unwrap();
    let best = most_accurate_expert(&data).unwrap();
    assert_eq!(policy.members(), best..best + 1);
    let note = format!("of 2 experts it defers to expert{best} alone, the most accurate");
    assert!(history.0.iter().any(|event| matches!(event, Event::Note(text) if text.starts_with(&note))));
}

#[test]
fn settings_survive_json() {
    let learner = LearnToDefer {
        surrogate: Surrogate::Rsl2d { psi: Psi::GeneralisedCrossEntropy { q: 0.7 }, beta: 0.1 },
        expert: Some("expert1".to_owned()),
        ..LearnToDefer::default()
    };
    let text = serde_json::to_string(&learner).unwrap();
    assert!(text.contains("generalised-cross-entropy"), "{text}");
    assert_eq!(serde_json::from_str::<LearnToDefer>(&text).unwrap(), learner);
    assert_eq!(
        serde_json::from_str::<LearnToDefer>(r#"{"surrogate": "one-vs-all"}"#).unwrap().surrogate,
        Surrogate::OneVsAll
    );
}
