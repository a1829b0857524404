//! The hierarchical, the grouped and the feature-based model: what they add to Dawid-Skene.
#![allow(clippy::unwrap_used)]

use deferral_core::*;
use deferral_crowd::*;
use proptest::prelude::*;
use rand::RngExt;

fn run(aggregator: &dyn Aggregator, ballots: &Ballots<'_>) -> Result<Consensus, AggregateError> {
    let mut silent = Silent;
    aggregator.aggregate(ballots, &mut Context::new(Stream::new(3), &mut silent))
}

/// Tasks of two classes with one feature that shows the class at `signal` standard deviations, a group that is north
/// for even tasks, and `each` votes of `m` workers who are right with probability `skill(worker, task)`.
struct Desk {
    truth: Vec<Label>,
    cases: Cases,
    votes: Decisions,
}

impl Desk {
    fn new(seed: u64, n: usize, m: usize, each: usize, signal: f64, skill: impl Fn(usize, usize) -> f64) -> Self {
        let mut random = Stream::new(seed).random();
        let (mut truth, mut features, mut votes) = (Vec::new(), Vec::new(), Vec::new());
        for task in 0..n {
            let label = random.random_range(0..2u16);
            let noise: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
            features.push(signal * (f64::from(label) - 0.5) + noise);
            let first = random.random_range(0..m);
            for worker in (0..each).map(|step| (first + step) % m) {
                let right = random.random::<f64>() < skill(worker, task);
                votes.push((task as u32, worker as u32, if right { label } else { 1 - label }));
            }
            truth.push(Label(label));
        }
        let region = GroupAttribute::from_values("region", (0..n).map(|t| if t % 2 == 0 { "north" } else { "south" }));
        let features = Features::dense(Columns::from_values(1, features)).unwrap();
        let cases = Cases::new(Names::numbered("t", n), features).unwrap().with_group(region).unwrap();
        Self { truth, cases, votes: Decisions::from_triples(n, m, votes).unwrap() }
    }

    fn ballots(&self) -> Ballots<'_> {
        Ballots::new(&self.votes, 2).unwrap().with_cases(&self.cases).unwrap()
    }

    fn accuracy(&self, aggregator: &dyn Aggregator) -> f64 {
        let labels = run(aggregator, &self.ballots()).unwrap().labels;
        labels.iter().zip(&self.truth).filter(|(a, b)| a == b).count() as f64 / labels.len() as f64
    }
}

#[test]
fn one_vote_a_task_is_enough_for_majority_but_not_for_less() {
    let desk = Desk::new(5, 600, 60, 1, 0.0, |worker, _| if worker % 3 == 0 { 0.55 } else { 0.85 });
    let majority = run(&Majority::default(), &desk.ballots()).unwrap();
    let hierarchical = run(&HierarchicalDawidSkene::default(), &desk.ballots()).unwrap();
    assert_eq!(hierarchical.labels, majority.labels);
}

#[test]
fn text_makes_up_for_missing_votes() {
    let desk = Desk::new(6, 800, 40, 1, 2.5, |worker, _| if worker % 2 == 0 { 0.6 } else { 0.9 });
    let (majority, both) = (desk.accuracy(&Majority::default()), desk.accuracy(&LearningFromCrowds::default()));
    // The feature alone is right on .89 of the tasks, the vote alone on .75.
    assert!(both > 0.9 && both > majority + 0.1, "{both}, majority {majority}");
    // Predictions of tasks that were trained on, where there is one feature, are as good.
    let folds = LearningFromCrowds { folds: 0, ..LearningFromCrowds::default() };
    assert!(desk.accuracy(&folds) > 0.9);
}

#[test]
fn where_there_is_one_class_there_is_nothing_to_classify() {
    let votes = Decisions::from_triples(3, 2, [(0, 0, 0), (0, 1, 0), (1, 0, 0)]).unwrap();
    let cases = Cases::new(Names::numbered("t", 3), Features::dense(Columns::zeros(1, 3)).unwrap()).unwrap();
    let ballots = Ballots::new(&votes, 1).unwrap().with_cases(&cases).unwrap();
    let mut silent = Silent;
    let fit = LearningFromCrowds::default().fit(&ballots, &mut Context::new(Stream::new(1), &mut silent)).unwrap();
    assert_eq!((fit.consensus.labels, fit.classifier), (vec![Label(0); 3], None));
}

#[test]
fn features_that_say_nothing_do_little_harm() {
    let desk = Desk::new(7, 800, 40, 5, 0.0, |worker, _| if worker % 2 == 0 { 0.6 } else { 0.9 });
    let (votes, both) =
        (desk.accuracy(&HierarchicalDawidSkene::default()), desk.accuracy(&LearningFromCrowds::default()));
    assert!(both > votes - 0.01, "{both}, votes alone {votes}");
}

#[test]
fn who_knows_one_group_is_believed_there() {
    let knows = |worker: usize, task: usize| if worker % 2 == task % 2 { 0.9 } else { 0.55 };
    let desk = Desk::new(8, 1500, 12, 5, 0.0, knows);
    let (own, grouped) =
        (desk.accuracy(&HierarchicalDawidSkene::default()), desk.accuracy(&GroupedDawidSkene::by("region")));
    assert!(grouped > own + 0.03, "{grouped}, one matrix a worker {own}");
    let consensus = run(&GroupedDawidSkene::by("region"), &desk.ballots()).unwrap();
    let Workers::ByGroup { attribute, values, of_group, anywhere } = &consensus.workers else { panic!("no groups") };
    assert_eq!((attribute.as_str(), values.len(), of_group.len()), ("region", 2, 2));
    let at = |table: &Confusions| table.get(ExpertId(0), Label(1), Label(1));
    assert!(at(&of_group[0]) > 0.8 && at(&of_group[1]) < 0.7 && at(anywhere) < at(&of_group[0]));
}

#[test]
fn a_newcomer_is_judged_by_the_pool_and_then_by_themselves() {
    let desk = Desk::new(9, 600, 20, 5, 0.0, |_, _| 0.8);
    let mut silent = Silent;
    let mut ctx = Context::new(Stream::new(1), &mut silent);
    let fit = HierarchicalDawidSkene::default().fit(&desk.ballots(), &mut ctx).unwrap();
    let skill = |table: &Confusions| table.skill(ExpertId(0), &[0.5, 0.5]);
    let stranger = fit.join(&[]);
    assert!((skill(&stranger) - skill(&fit.pool)).abs() < 1e-12 && (skill(&stranger) - 0.8).abs() < 0.05);
    let votes = |n: usize, right: bool| -> Vec<(usize, Label)> {
        (0..n).map(|task| (task, if right { desk.truth[task] } else { Label(1 - desk.truth[task].0) })).collect()
    };
    // Three lucky votes move less than thirty.
    let (lucky, proven, liar) = (fit.join(&votes(3, true)), fit.join(&votes(30, true)), fit.join(&votes(30, false)));
    assert!(skill(&stranger) < skill(&lucky) && skill(&lucky) < skill(&proven), "{}", skill(&lucky));
    assert!(skill(&liar) < 0.2);
    // What is outside the table says nothing.
    assert_eq!(fit.join(&[(9999, Label(0)), (0, Label(7))]), stranger);
}

#[test]
fn what_is_missing_is_named() {
    let desk = Desk::new(1, 20, 4, 2, 1.0, |_, _| 0.8);
    let bare = Ballots::new(&desk.votes, 2).unwrap();
    let message =
        |aggregator: &dyn Aggregator, ballots: &Ballots<'_>| run(aggregator, ballots).unwrap_err().to_string();
    assert_eq!(
        message(&GroupedDawidSkene::by("region"), &bare),
        "grouped Dawid-Skene needs the group of the tasks; give the table of cases that has them"
    );
    assert_eq!(
        message(&LearningFromCrowds::default(), &bare),
        "learning from crowds needs the features of the tasks; give the table of cases that has them"
    );
    let known = "there is no group attribute `age`; known: region";
    assert_eq!(message(&GroupedDawidSkene::by("age"), &desk.ballots()), known);
    let strength = HierarchicalDawidSkene { strength: 0.0, ..HierarchicalDawidSkene::default() };
    let refused = "the strength of the pool is 0, but must be a finite number above 0";
    assert_eq!(message(&strength, &bare), refused);
    let groups = GroupedDawidSkene { group_strength: f64::NAN, ..GroupedDawidSkene::by("region") };
    assert!(message(&groups, &desk.ballots()).starts_with("the strength of the groups is NaN"));
    let divisions = LearningFromCrowds { divisions: 0, ..LearningFromCrowds::default() };
    assert_eq!(message(&divisions, &desk.ballots()), "the number of divisions is 0, but must be 1 or more");
    let rounds = LearningFromCrowds { rounds: 0, ..LearningFromCrowds::default() };
    assert_eq!(message(&rounds, &desk.ballots()), "the number of rounds is 0, but must be 1 or more");
}

/// What a policy decides when everybody who voted is asked.
fn decided(policy: &CrowdPolicy, desk: &Desk) -> Vec<Label> {
    let committee = Committee { classifier: Seat::Never, ..Committee::default() };
    let rule = policy.decide_by(committee, &desk.cases).unwrap();
    let beliefs = (policy.classify(&desk.cases).unwrap(), policy.weigh(&desk.cases).unwrap());
    let mut source = Recorded::new(&desk.votes, Absent::Unavailable);
    let n = desk.truth.len();
    let outcomes = consult(0..n, (&beliefs.0, &beliefs.1), &rule, &mut source, None, &Stream::new(1)).unwrap();
    outcomes.iter().map(|outcome| outcome.verdict.label).collect()
}

fn trust(aggregator: AnyAggregator, desk: &Desk, gold: bool) -> CrowdPolicy {
    let labels = desk.truth.iter().copied().map(Some).collect();
    let cases = desk.cases.clone().with_labels(labels).unwrap();
    let (m, votes) = (desk.votes.experts(), desk.votes.clone());
    let data = Dataset::new(cases, votes, Names::numbered("", 2), Names::numbered("w", m)).unwrap();
    let mut silent = Silent;
    let mut ctx = Context::new(Stream::new(3), &mut silent);
    Trust { aggregator, gold }.fit(&data, &CaseWeights::uniform(data.n()), &mut ctx).unwrap()
}

#[test]
fn a_policy_decides_as_the_aggregator_did() {
    let knows = |worker: usize, task: usize| if worker % 2 == task % 2 { 0.9 } else { 0.6 };
    let desk = Desk::new(10, 400, 10, 4, 1.0, knows);
    for aggregator in [
        AnyAggregator::DawidSkene(DawidSkene { iterations: Iterations { limit: 200, tolerance: 1e-9 } }),
        AnyAggregator::Hierarchical(HierarchicalDawidSkene {
            iterations: Iterations { limit: 200, tolerance: 1e-9 },
            ..HierarchicalDawidSkene::default()
        }),
        AnyAggregator::Grouped(GroupedDawidSkene::by("region")),
        AnyAggregator::Wawa(Wawa::default()),
    ] {
        let consensus = run(&aggregator, &desk.ballots()).unwrap();
        let labels = decided(&trust(aggregator.clone(), &desk, false), &desk);
        let same = labels.iter().zip(&consensus.labels).filter(|(a, b)| a == b).count();
        // The consensus is one step of EM behind what was learned from it.
        assert!(same >= 396, "{aggregator:?}: {same} of 400");
    }
}

#[test]
fn gold_is_looked_at_only_if_it_may_be() {
    // Everybody is wrong, so that gold turns all matrices round.
    let desk = Desk::new(11, 300, 6, 3, 0.0, |_, _| 0.1);
    let right = |gold: bool| {
        let labels =
            decided(&trust(AnyAggregator::Hierarchical(HierarchicalDawidSkene::default()), &desk, gold), &desk);
        labels.iter().zip(&desk.truth).filter(|(a, b)| a == b).count()
    };
    assert!(right(false) < 30 && right(true) > 270, "{} and {}", right(false), right(true));
}

#[test]
fn uneven_case_weights_are_refused_and_policies_survive_a_file() {
    let desk = Desk::new(12, 60, 5, 3, 1.0, |_, _| 0.8);
    let aggregator = AnyAggregator::LearningFromCrowds(LearningFromCrowds::default());
    let policy = trust(aggregator.clone(), &desk, false);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crowd.dfr");
    artifact::save(&path, "crowd", &policy).unwrap();
    assert_eq!(artifact::load::<CrowdPolicy>(&path, "crowd").unwrap(), policy);
    let data =
        Dataset::new(desk.cases.clone(), desk.votes.clone(), Names::numbered("", 2), Names::numbered("w", 5)).unwrap();
    let weights = CaseWeights::new((1..=60).map(f64::from).collect()).unwrap();
    let mut silent = Silent;
    let mut ctx = Context::new(Stream::new(3), &mut silent);
    let message = Trust { aggregator, gold: false }.fit(&data, &weights, &mut ctx).unwrap_err().to_string();
    assert!(message.starts_with("a set of case weights is uneven, but must be all equal"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_log_posterior_never_falls(seed in any::<u64>(), each in 1usize..5, strength in 0.1f64..20.0) {
        let desk = Desk::new(seed, 60, 9, each, 1.0, |worker, _| 0.5 + 0.05 * worker as f64);
        let workers = HierarchicalDawidSkene { strength, ..HierarchicalDawidSkene::default() };
        let grouped = GroupedDawidSkene { group_strength: strength, workers, ..GroupedDawidSkene::by("region") };
        for aggregator in [&workers as &dyn Aggregator, &grouped] {
            let trace = run(aggregator, &desk.ballots()).unwrap().trace;
            prop_assert_eq!(trace.criterion, Criterion::LogPosterior);
            prop_assert!(trace.values.windows(2).all(|pair| pair[1] >= pair[0] - 1e-7), "{:?}", trace.values);
        }
    }

    #[test]
    fn any_crowd_with_features_gives_distributions(seed in any::<u64>(), n in 1usize..12, each in 1usize..4) {
        let desk = Desk::new(seed, n, 4, each, 1.0, |_, _| 0.7);
        let fewer = LearningFromCrowds { rounds: 2, ..LearningFromCrowds::default() };
        for aggregator in [&fewer as &dyn Aggregator, &GroupedDawidSkene::by("region")] {
            let consensus = run(aggregator, &desk.ballots()).unwrap();
            for column in consensus.probabilities.iter() {
                prop_assert!(column.iter().all(|p| (0.0..=1.0).contains(p)));
                prop_assert!((column.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }
}
