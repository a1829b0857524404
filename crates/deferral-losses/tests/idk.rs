//! One model beside one decision-maker: what it learns, that policy and committee agree, and what it refuses.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use deferral_core::*;
use deferral_losses::*;
use deferral_models::NoPenalty;
use proptest::prelude::*;
use rand::RngExt;

/// Cases with two features. Where the second is positive only the judge knows the label; elsewhere the first one tells it
/// and the judge guesses. `sure` is how sure the judge says to be, if at all.
fn court(n: usize, sure: Option<f64>) -> Dataset {
    let mut random = Stream::new(5).random();
    let mut features = Vec::new();
    let (mut truth, mut votes) = (Vec::new(), Vec::new());
    for case in 0..n {
        let (x, hidden) = (2.0 * random.random::<f64>() - 1.0, case % 2 == 0);
        let y = if hidden { random.random::<bool>() } else { x > 0.0 };
        let vote = if hidden { y } else { random.random::<bool>() };
        features.extend([x, if hidden { 1.0 } else { -1.0 }]);
        truth.push(Some(Label(u16::from(y))));
        votes.push((case as u32, 0, u16::from(vote)));
    }
    let cases = Cases::new(Names::numbered("case", n), Features::dense(Columns::from_values(2, features)).unwrap());
    let cases = cases.unwrap().with_labels(truth).unwrap();
    let decisions = Decisions::from_triples(n, 1, votes).unwrap().with_confidences(|_, _| sure);
    Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("judge", 1)).unwrap()
}

fn fit<L: Learner>(learner: &L, data: &Dataset) -> Result<L::Policy, FitError> {
    let mut silent = Silent;
    learner.fit(data, &CaseWeights::uniform(data.n()), &mut Context::new(Stream::new(3), &mut silent))
}

fn quick() -> Patience {
    Patience { epochs: 80, batch: 32, ..Patience::default() }
}

fn idk(aim: Aim, model: IdkModel) -> Idk {
    Idk { aim, model, training: quick(), ..Idk::default() }
}

/// The labels that the policy's committee decides, and how many cases it asks about.
fn decided(policy: &dyn Policy, committee: Committee, data: &Dataset) -> (Vec<Label>, usize) {
    let beliefs = (policy.classify(data.cases()).unwrap(), policy.weigh(data.cases()).unwrap());
    let mut source = Recorded::new(data.decisions(), Absent::Unavailable);
    let stream = Stream::new(1);
    let outcomes = consult(0..data.n(), (&beliefs.0, &beliefs.1), &committee, &mut source, None, &stream).unwrap();
    let asked = outcomes.iter().filter(|outcome| matches!(outcome.route(data.m()), Route::Experts(_))).count();
    (outcomes.iter().map(|outcome| outcome.verdict.label).collect(), asked)
}

fn error(labels: &[Label], data: &Dataset) -> f64 {
    let gold = data.gold().unwrap();
    labels.iter().zip(&gold).filter(|(label, truth)| label != truth).count() as f64 / gold.len() as f64
}

#[test]
fn every_model_defers_where_the_judge_knows_more() {
    let data = court(800, Some(0.9));
    for model in [IdkModel::TwoNetworks, IdkModel::OneNetwork, IdkModel::Ordinal] {
        let policy = fit(&idk(Aim::Defer, model), &data).unwrap();
        let (labels, asked) = decided(&policy, policy.committee(), &data);
        assert!(error(&labels, &data) < 0.1, "{model:?}: {}", error(&labels, &data));
        assert!((300..500).contains(&asked), "{model:?}: {asked}");
        let together = policy.together(&data).unwrap();
        let of_together: Vec<Label> = together.iter().map(|p| Label::at(argmax(p))).collect();
        assert_eq!(labels, of_together, "{model:?}");
    }
    let alone = fit(&idk(Aim::Predict, IdkModel::TwoNetworks), &data).unwrap();
    let (labels, asked) = decided(&alone, alone.committee(), &data);
    assert!(asked == 0 && error(&labels, &data) > 0.2);
}

#[test]
fn a_bayesian_network_asks_where_its_draws_disagree() {
    let data = court(800, None);
    let learner: BayesianIdk = BayesianIdk { training: quick(), gamma: 0.05, ..BayesianIdk::default() };
    let policy = fit(&learner, &data).unwrap();
    let (labels, asked) = decided(&policy, policy.committee(), &data);
    assert!(error(&labels, &data) < 0.15 && (250..600).contains(&asked), "{} {asked}", error(&labels, &data));
    assert!(policy.threshold().is_finite());
    let together = policy.together(&data).unwrap();
    assert_eq!(labels, together.iter().map(|p| Label::at(argmax(p))).collect::<Vec<_>>());
    let never = fit(&BayesianIdk { gamma: 2.0, ..learner }, &data).unwrap();
    assert_eq!((decided(&never, never.committee(), &data).1, never.threshold()), (0, f64::INFINITY));
}

#[test]
fn a_reward_for_asking_is_taken_and_a_fine_avoided() {
    let data = court(400, Some(0.8));
    let asked = |gamma| {
        let policy = fit(&Idk { gamma, ..idk(Aim::Defer, IdkModel::TwoNetworks) }, &data).unwrap();
        decided(&policy, policy.committee(), &data).1
    };
    assert_eq!((asked(-3.0), asked(3.0)), (400, 0));
}

#[test]
fn told_of_an_oracle_it_learns_what_rejecting_learns() {
    let data = court(300, Some(0.8));
    let told = |aim, told| {
        let learner = Idk { gamma: 0.3, told, ..idk(aim, IdkModel::TwoNetworks) };
        fit(&Idk { precision: deferral_models::Precision::F64, ..learner }, &data).unwrap()
    };
    let (deferring, rejecting) = (told(Aim::Defer, Told::Oracle), told(Aim::Reject, Told::Recorded));
    let pairs = deferring.deferral(data.cases()).unwrap().into_iter().zip(rejecting.deferral(data.cases()).unwrap());
    // The oracle's loss is that of a probability clipped at 1e-12, and that is all the difference.
    for (of_deferring, of_rejecting) in pairs {
        assert!((of_deferring - of_rejecting).abs() < 1e-6, "{of_deferring} {of_rejecting}");
    }
}

#[test]
fn what_cannot_be_learned_is_refused_by_name() {
    let data = court(60, None);
    let message = |learner: &Idk, data: &Dataset| fit(learner, data).unwrap_err().to_string();
    let defer = idk(Aim::Defer, IdkModel::TwoNetworks);
    let with = |gamma, alpha| Idk { gamma, alpha, ..defer.clone() };
    assert_eq!(message(&with(f64::NAN, 0.0), &data), "gamma, the price of asking, is NaN, but must be a finite number");
    assert_eq!(
        message(&with(0.0, f64::INFINITY), &data),
        "alpha, the weight of the penalty, is inf, but must be a finite number"
    );
    let named = Idk { expert: Some("jury".to_owned()), ..defer.clone() };
    assert_eq!(
        message(&named, &data),
        "the expert to defer to is `jury`, but must be one of the 1 experts there are, such as judge0"
    );
    let none = |experts| {
        let decisions = Decisions::none(60, experts);
        Dataset::new(data.cases().clone(), decisions, Names::numbered("", 2), Names::numbered("judge", experts))
            .unwrap()
    };
    assert!(message(&defer, &none(0)).starts_with("no expert decided any training case"));
    assert_eq!(
        message(&defer, &none(1)),
        "the number of training cases that `judge0` decided is 0, but must be 1 or more: nothing is known of how good \
         they are"
    );
    // Who rejects need not know whom it is about to ask.
    assert!(fit(&idk(Aim::Reject, IdkModel::TwoNetworks), &none(1)).is_ok());
    let three =
        Dataset::new(data.cases().clone(), Decisions::none(60, 1), Names::numbered("", 3), Names::numbered("j", 1));
    assert!(message(&defer, &three.unwrap()).contains("works for two classes only, but there are 3"));
    let mut labels = data.cases().labels().to_vec();
    labels[7] = None;
    assert!(message(&defer, &data.clone().with_labels(labels).unwrap()).starts_with("case case7 has no label"));
    let patience = Idk { training: Patience { batch: 0, ..quick() }, ..defer.clone() };
    assert_eq!(message(&patience, &data), "the batch size is 0, but must be 1 or more");
    let held_out = Idk { training: Patience { held_out: 1.0, ..quick() }, ..defer };
    assert!(message(&held_out, &data).starts_with("the share of cases held out is 1"));
    let draws: BayesianIdk<NoPenalty> = BayesianIdk { draws: 1, ..BayesianIdk::default() };
    assert_eq!(fit(&draws, &data).unwrap_err().to_string(), "the number of networks drawn is 1, but must be 2 or more");
}

#[test]
fn cases_that_the_judge_skipped_are_neither_right_nor_wrong() {
    let whole = court(600, Some(0.9));
    // Half of the decisions are missing.
    let some = whole.decisions().iter().filter(|(case, _)| case.index() % 4 < 2);
    let some = Decisions::from_triples(600, 1, some.map(|(case, vote)| (case.0, 0, vote.label.0))).unwrap();
    let partly =
        Dataset::new(whole.cases().clone(), some, Names::numbered("", 2), Names::numbered("judge", 1)).unwrap();
    let policy = fit(&idk(Aim::Defer, IdkModel::TwoNetworks), &partly).unwrap();
    let (labels, _) = decided(&policy, policy.committee(), &whole);
    assert!(error(&labels, &whole) < 0.15, "{}", error(&labels, &whole));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn the_same_seed_learns_the_same(seed in 0u64..100) {
        let data = court(80, Some(0.7));
        let once = || {
            let mut silent = Silent;
            let mut ctx = Context::new(Stream::new(seed), &mut silent);
            let training = Patience { epochs: 5, ..quick() };
            let learner: BayesianIdk = BayesianIdk { training, draws: 3, ..BayesianIdk::default() };
            (
                Idk { training, ..idk(Aim::Defer, IdkModel::Ordinal) }.fit(&data, &CaseWeights::uniform(80), &mut ctx),
                learner.fit(&data, &CaseWeights::uniform(80), &mut ctx),
            )
        };
        prop_assert_eq!(once(), once());
    }
}
