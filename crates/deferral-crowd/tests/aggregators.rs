//! What must hold for every aggregator: the published example, invariances, limits of what may go wrong.
#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;

use deferral_core::*;
use deferral_crowd::*;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rand::RngExt;

/// Every aggregator that needs nothing but votes.
fn all() -> Vec<(&'static str, Box<dyn Aggregator>)> {
    vec![
        ("majority", Box::new(Majority::default())),
        ("wawa", Box::new(Wawa::default())),
        ("zero-based skill", Box::new(ZeroBasedSkill::default())),
        ("dawid-skene", Box::new(DawidSkene::default())),
        ("one-coin", Box::new(OneCoin::default())),
        ("glad", Box::new(Glad::default())),
        ("mace", Box::new(Mace { restarts: 1, ..Mace::default() })),
        ("mace from ten starts", Box::new(Mace::default())),
        ("mace by em", Box::new(Mace { method: MaceMethod::Em, restarts: 1, ..Mace::default() })),
        ("hierarchical", Box::new(HierarchicalDawidSkene::default())),
        ("fast dawid-skene", Box::new(FastDawidSkene::default())),
        ("online dawid-skene", Box::new(OnlineDawidSkene::default())),
    ]
}

/// The same and those that look at the tasks: at features that say nothing, and at groups.
fn with_tasks() -> Vec<(&'static str, Box<dyn Aggregator>)> {
    let mut methods = all();
    methods.push(("grouped", Box::new(GroupedDawidSkene::by("parity"))));
    methods.push(("learning from crowds", Box::new(LearningFromCrowds::default())));
    methods
}

/// Tasks that were numbered before they were brought into this order.
fn tasks(order: &[usize]) -> Cases {
    let noise = order.iter().map(|task| ((task * 37) % 101) as f64 / 50.0 - 1.0).collect();
    let features = Features::dense(Columns::from_values(1, noise)).unwrap();
    let names: Names = order.iter().map(|task| format!("t{task}")).collect();
    let parity = order.iter().map(|task| if task % 2 == 0 { "even" } else { "odd" });
    Cases::new(names, features).unwrap().with_group(GroupAttribute::from_values("parity", parity)).unwrap()
}

/// Tasks in the order of their numbers.
fn numbered(n: usize) -> Cases {
    tasks(&(0..n).collect::<Vec<_>>())
}

/// Those that read votes in order, so that another order gives another result.
const ORDERED: [&str; 1] = ["online dawid-skene"];

/// Those that start at random, worker by worker: on few votes another order may find another optimum.
const RANDOM: [&str; 1] = ["mace from ten starts"];

/// Those that take all classes to be equally frequent.
const UNIFORM: [&str; 4] = ["glad", "mace", "mace by em", "mace from ten starts"];

/// Those to which nobody is worse than a spammer.
const NO_LIARS: [&str; 3] = ["mace", "mace by em", "mace from ten starts"];

/// Those whose objective may fall from one iteration to the next.
const NOT_MONOTONE: [&str; 2] = ["online dawid-skene", "learning from crowds"];

/// Those that do not iterate.
const ONE_STEP: [&str; 2] = ["majority", "wawa"];

fn run(aggregator: &dyn Aggregator, ballots: &Ballots<'_>) -> Result<Consensus, AggregateError> {
    let mut silent = Silent;
    aggregator.aggregate(ballots, &mut Context::new(Stream::new(11), &mut silent))
}

type Triple = (u32, u32, u16);
type Matrix = Vec<Vec<f64>>;

/// Simulated votes.
struct Crowd {
    classes: usize,
    workers: usize,
    truth: Vec<Label>,
    votes: Vec<Triple>,
}

/// A worker who is right with probability `skill` and errs on all other classes alike.
fn coin(skill: f64, classes: usize) -> Matrix {
    let wrong = (1.0 - skill) / (classes - 1) as f64;
    (0..classes).map(|truth| (0..classes).map(|vote| if vote == truth { skill } else { wrong }).collect()).collect()
}

fn draw(shares: &[f64], random: &mut Random) -> usize {
    let point: f64 = random.random();
    let mut sum = 0.0;
    shares
        .iter()
        .position(|share| {
            sum += share;
            point < sum
        })
        .unwrap_or(shares.len() - 1)
}

impl Crowd {
    /// `n` tasks with classes drawn from `shares`; on each, `each` different workers, drawn anew, vote by their
    /// matrices.
    fn new(seed: u64, n: usize, shares: &[f64], workers: &[Matrix], each: usize) -> Self {
        let stream = Stream::new(seed).child("crowd");
        let mut crowd = Self { classes: shares.len(), workers: workers.len(), truth: Vec::new(), votes: Vec::new() };
        for task in 0..n {
            let mut random = stream.at(task);
            let truth = draw(shares, &mut random);
            crowd.truth.push(Label::at(truth));
            let mut order: Vec<usize> = (0..workers.len()).collect();
            for place in 0..each {
                order.swap(place, random.random_range(place..workers.len()));
                let worker = order[place];
                let vote = draw(&workers[worker][truth], &mut random);
                crowd.votes.push((task as u32, worker as u32, vote as u16));
            }
        }
        crowd
    }

    /// `m` workers of skills between .55 and .95, all classes alike.
    fn mixed(seed: u64, n: usize, classes: usize, m: usize, each: usize) -> Self {
        let mut random = Stream::new(seed).child("workers").random();
        let workers: Vec<Matrix> = (0..m).map(|_| coin(random.random_range(0.55..0.95), classes)).collect();
        Self::new(seed, n, &vec![1.0 / classes as f64; classes], &workers, each)
    }

    /// Without the tasks on which two classes have the most votes.
    fn without_ties(mut self) -> Self {
        let mut counts = vec![vec![0; self.classes]; self.truth.len()];
        for (task, _, label) in &self.votes {
            counts[*task as usize][usize::from(*label)] += 1;
        }
        let tied = |task: u32| {
            let row = &counts[task as usize];
            let most = row.iter().max().unwrap();
            row.iter().filter(|count| *count == most).count() > 1
        };
        self.votes.retain(|(task, ..)| !tied(*task));
        self
    }

    fn n(&self) -> usize {
        self.truth.len()
    }

    fn decisions(&self) -> Decisions {
        Decisions::from_triples(self.n(), self.workers, self.votes.iter().copied()).unwrap()
    }

    /// Other names for the classes give the same skills and, renamed, the same beliefs, up to `slack`.
    fn rename_classes(&self, name: &str, aggregator: &dyn Aggregator, seed: u64, slack: f64) {
        let (classes, new) = (self.classes, shuffled(self.classes, seed));
        let renamed = self.votes.iter().map(|&(task, worker, label)| (task, worker, new[usize::from(label)] as u16));
        let renamed = Decisions::from_triples(self.n(), self.workers, renamed).unwrap();
        let (decisions, tasks) = (self.decisions(), numbered(self.n()));
        let after =
            |votes| run(aggregator, &Ballots::new(votes, classes).unwrap().with_cases(&tasks).unwrap()).unwrap();
        let (before, after) = (after(&decisions), after(&renamed));
        for (a, b) in before.skills.iter().zip(&after.skills) {
            assert!((a - b).abs() < slack, "{name}: {:?} and {:?}", before.skills, after.skills);
        }
        for (task, (a, b)) in before.probabilities.iter().zip(after.probabilities.iter()).enumerate() {
            assert!((0..classes).all(|k| (a[k] - b[new[k]]).abs() < slack), "{name}: {a:?} and {b:?}");
            let clear = (0..classes).filter(|&k| a[k] > a[argmax(a)] - slack).count() == 1;
            let label = new[before.labels[task].index()];
            assert!(!clear || after.labels[task].index() == label, "{name}: {a:?} and {b:?}");
        }
    }

    /// The same for other names, and another order, of workers and tasks.
    fn rename_workers_and_tasks(&self, name: &str, aggregator: &dyn Aggregator, seed: u64, slack: f64) {
        let (n, m) = (self.n(), self.workers);
        let (task_to, worker_to) = (shuffled(n, seed), shuffled(m, seed.wrapping_add(1)));
        let renamed = self
            .votes
            .iter()
            .map(|&(task, worker, label)| (task_to[task as usize] as u32, worker_to[worker as usize] as u32, label));
        let renamed = Decisions::from_triples(n, m, renamed).unwrap();
        let mut order = vec![0; n];
        task_to.iter().enumerate().for_each(|(task, &to)| order[to] = task);
        let consensus = |votes: &Decisions, tasks: &Cases| {
            run(aggregator, &Ballots::new(votes, self.classes).unwrap().with_cases(tasks).unwrap()).unwrap()
        };
        let before = consensus(&self.decisions(), &numbered(n));
        let after = consensus(&renamed, &tasks(&order));
        for (before, &to) in before.skills.iter().zip(&worker_to) {
            assert!((before - after.skills[to]).abs() < slack, "{name}: {before} and {}", after.skills[to]);
        }
        for (task, &to) in task_to.iter().enumerate() {
            let (a, b) = (before.probabilities.column(task), after.probabilities.column(to));
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < slack), "{name}: {a:?} and {b:?}");
            let clear = (0..self.classes).filter(|&k| a[k] > a[argmax(a)] - slack).count() == 1;
            assert!(!clear || before.labels[task] == after.labels[to], "{name}: {a:?}");
        }
    }

    fn accuracy(&self, labels: &[Label]) -> f64 {
        labels.iter().zip(&self.truth).filter(|(a, b)| a == b).count() as f64 / self.n() as f64
    }
}

fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    let mut random = Stream::new(seed).child("order").random();
    let mut order: Vec<usize> = (0..n).collect();
    (1..n).for_each(|i| order.swap(i, random.random_range(0..=i)));
    order
}

/// Whether `labels` are the most probable classes of `probabilities`, but for ties.
fn follow(labels: &[Label], probabilities: &Columns) -> bool {
    labels
        .iter()
        .zip(probabilities.iter())
        .all(|(label, column)| column[label.index()] >= column[argmax(column)] - 1e-9)
}

/// What every consensus must look like.
fn assert_sound(name: &str, consensus: &Consensus, ballots: &Ballots<'_>) {
    let (n, m, classes) = (ballots.n(), ballots.m(), ballots.classes());
    let probability = |p: &f64| (0.0..=1.0 + 1e-9).contains(p);
    let distribution = |column: &[f64]| {
        column.len() == classes && column.iter().all(probability) && (column.iter().sum::<f64>() - 1.0).abs() < 1e-6
    };
    assert_eq!((consensus.labels.len(), consensus.probabilities.n()), (n, n), "{name}");
    assert!(consensus.probabilities.iter().all(distribution), "{name}: {:?}", consensus.probabilities);
    assert!(distribution(&consensus.prior), "{name}: {:?}", consensus.prior);
    assert!(follow(&consensus.labels, &consensus.probabilities), "{name}: {:?}", consensus.labels);
    assert!(consensus.skills.len() == m && consensus.skills.iter().all(probability), "{name}: {:?}", consensus.skills);
    assert!(consensus.trace.values.iter().all(|value| value.is_finite()), "{name}: {:?}", consensus.trace);
    match &consensus.workers {
        Workers::Weights(weights) => {
            assert!(weights.len() == m && weights.iter().all(|w| w.is_finite()), "{name}: {weights:?}");
        }
        Workers::Confusions(confusions) => assert_rows(name, confusions, m, classes),
        Workers::ByGroup { of_group, anywhere, .. } => {
            of_group.iter().chain([anywhere]).for_each(|confusions| assert_rows(name, confusions, m, classes));
        }
    }
}

fn assert_rows(name: &str, confusions: &Confusions, m: usize, classes: usize) {
    assert_eq!((confusions.workers(), confusions.classes()), (m, classes), "{name}");
    for worker in (0..m).map(ExpertId::at) {
        for truth in (0..classes).map(Label::at) {
            let row: Vec<f64> = (0..classes).map(|vote| confusions.get(worker, truth, Label::at(vote))).collect();
            let ok = row.iter().all(|p| (0.0..=1.0).contains(p)) && (row.iter().sum::<f64>() - 1.0).abs() < 1e-6;
            assert!(ok, "{name}: {row:?}");
        }
    }
}

/// Three workers on tasks (1,1,0), (0,0,0), (1,0,1).
fn example() -> Decisions {
    let votes = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0), (2, 0, 1), (2, 1, 0), (2, 2, 1)];
    Decisions::from_triples(3, 3, votes).unwrap()
}

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-6), "{found:?} instead of {expected:?}");
}

/// One iteration: the parameters that the vote shares imply, and the probabilities that these parameters imply.
fn one_step() -> Iterations {
    Iterations { limit: 1, ..Iterations::default() }
}

#[test]
fn the_example_of_every_method() {
    let votes = example();
    let ballots = Ballots::new(&votes, 2).unwrap();
    for (name, aggregator) in all() {
        let consensus = run(&*aggregator, &ballots).unwrap();
        assert_eq!(consensus.labels, [Label(1), Label(0), Label(1)], "{name}");
    }
    let third = 1.0 / 3.0;
    let majority = run(&Majority::default(), &ballots).unwrap();
    close(majority.probabilities.values(), &[third, 1.0 - third, 1.0, 0.0, third, 1.0 - third]);
    let wawa = run(&Wawa::default(), &ballots).unwrap();
    close(&wawa.skills, &[1.0, 1.0 - third, 1.0 - third]);
    close(wawa.probabilities.column(0), &[0.666_667 / 2.333_333, 1.666_667 / 2.333_333]);
    let zero_based = run(&ZeroBasedSkill::default(), &ballots).unwrap();
    close(&zero_based.skills, &[1.0, 1.0 - third, 1.0 - third]);
    assert_eq!(zero_based.trace.status, FitStatus::Converged);
}

#[test]
fn the_first_step_of_the_example() {
    let votes = example();
    let ballots = Ballots::new(&votes, 2).unwrap();
    let dawid_skene = run(&DawidSkene { iterations: one_step() }, &ballots).unwrap();
    close(&dawid_skene.prior, &[0.555_556, 0.444_444]);
    let Workers::Confusions(confusions) = &dawid_skene.workers else { panic!("no matrices") };
    // By vote, then by truth.
    let first = [0.6, 0.0, 0.4, 1.0];
    let others = [0.8, 0.5, 0.2, 0.5];
    close(confusions.values(), &[first, others, others].concat());
    close(&dawid_skene.probabilities.values()[..4], &[0.242_424, 0.757_576, 1.0, 0.0]);
    let one_coin = run(&OneCoin { iterations: one_step() }, &ballots).unwrap();
    close(&one_coin.skills, &[0.777_778, 0.666_667, 0.666_667]);
    close(&one_coin.probabilities.values()[..4], &[0.263_158, 0.736_842, 0.945_946, 0.054_054]);
}

fn config(cases: u32) -> ProptestConfig {
    // The same crowds in every run: with finitely many votes a property may fail on a crowd by bad luck.
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(5), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(32))]

    #[test]
    fn what_is_maximised_never_falls(seed in any::<u64>(), classes in 2usize..5, m in 4usize..8, taught in any::<bool>()) {
        let crowd = Crowd::mixed(seed, 40, classes, m, 3);
        let decisions = crowd.decisions();
        let gold: Vec<_> = crowd.truth.iter().enumerate().map(|(i, label)| (i % 4 == 0).then_some(*label)).collect();
        let tasks = numbered(crowd.n());
        let ballots = Ballots::new(&decisions, classes).unwrap().with_cases(&tasks).unwrap();
        let ballots = if taught { ballots.with_gold(&gold).unwrap() } else { ballots };
        for (name, aggregator) in with_tasks() {
            let Trace { criterion, values, .. } = run(&*aggregator, &ballots).unwrap().trace;
            prop_assert_eq!(values.is_empty(), ONE_STEP.contains(&name), "{}: {:?}", name, values);
            let monotone = !ONE_STEP.contains(&name) && !NOT_MONOTONE.contains(&name);
            prop_assert_eq!(criterion.never_falls(), monotone, "{}: {}", name, criterion);
            let slack = 1e-7 * decisions.len() as f64;
            let rises = values.windows(2).all(|pair| pair[1] >= pair[0] - slack);
            prop_assert!(rises || !monotone, "{name}: {values:?}");
        }
    }

    #[test]
    fn names_of_classes_do_not_matter(seed in any::<u64>(), classes in 2usize..5) {
        let crowd = Crowd::mixed(seed, 60, classes, 7, 5).without_ties();
        for (name, aggregator) in with_tasks().into_iter().filter(|(name, _)| !RANDOM.contains(name)) {
            crowd.rename_classes(name, &*aggregator, seed, 1e-6);
        }
    }

    #[test]
    fn names_of_workers_and_tasks_do_not_matter(seed in any::<u64>(), classes in 2usize..5, m in 4usize..8) {
        let crowd = Crowd::mixed(seed, 50, classes, m, 3);
        let without_order = |name: &str| ![ORDERED, RANDOM].concat().contains(&name);
        for (name, aggregator) in with_tasks().into_iter().filter(|(name, _)| without_order(name)) {
            crowd.rename_workers_and_tasks(name, &*aggregator, seed, 1e-6);
        }
    }

    #[test]
    fn perfect_workers_do_not_hurt(seed in any::<u64>(), classes in 2usize..4) {
        let mut crowd = Crowd::mixed(seed, 60, classes, 6, 4);
        let without = crowd.decisions();
        let m = crowd.workers as u32;
        for (task, truth) in crowd.truth.iter().enumerate() {
            crowd.votes.extend((m..m + 3).map(|worker| (task as u32, worker, truth.0)));
        }
        crowd.workers += 3;
        let with = crowd.decisions();
        let tasks = numbered(crowd.n());
        let ballots = |votes| Ballots::new(votes, classes).unwrap().with_cases(&tasks).unwrap();
        for (name, aggregator) in with_tasks() {
            let before = run(&*aggregator, &ballots(&without)).unwrap();
            let after = run(&*aggregator, &ballots(&with)).unwrap();
            let (before, after) = (crowd.accuracy(&before.labels), crowd.accuracy(&after.labels));
            prop_assert!(after >= before, "{name}: {before} without, {after} with");
        }
    }

    #[test]
    fn known_truths_are_respected(seed in any::<u64>(), classes in 2usize..5) {
        // Gold that contradicts the votes, on tasks with and without votes.
        let mut crowd = Crowd::mixed(seed, 30, classes, 5, 3);
        crowd.votes.retain(|(task, ..)| *task != 3);
        let decisions = crowd.decisions();
        let other = |label: &Label| Label::at((label.index() + 1) % classes);
        let gold: Vec<_> = crowd.truth.iter().enumerate().map(|(i, l)| (i % 3 == 0).then(|| other(l))).collect();
        let tasks = numbered(crowd.n());
        let ballots = Ballots::new(&decisions, classes).unwrap().with_cases(&tasks).unwrap().with_gold(&gold).unwrap();
        for (name, aggregator) in with_tasks() {
            let consensus = run(&*aggregator, &ballots).unwrap();
            assert_sound(name, &consensus, &ballots);
            for (task, label) in gold.iter().enumerate().filter_map(|(task, gold)| gold.map(|label| (task, label))) {
                prop_assert_eq!(consensus.labels[task], label, "{}", name);
                prop_assert!(consensus.probabilities.column(task)[label.index()] == 1.0, "{name}");
            }
        }
    }

    #[test]
    fn any_votes_give_a_consensus(
        n in 1usize..6, m in 1usize..6, classes in 1usize..5,
        marks in prop::collection::vec(prop::option::of(0u16..5), 25),
        truths in prop::collection::vec(prop::option::of(0u16..5), 5),
    ) {
        let label = |mark: u16| mark % classes as u16;
        let places = (0..n).flat_map(|task| (0..m).map(move |worker| (task, worker)));
        let votes = places.zip(&marks).filter_map(|((task, worker), mark)| {
            mark.map(|mark| (task as u32, worker as u32, label(mark)))
        });
        let decisions = Decisions::from_triples(n, m, votes).unwrap();
        let gold: Vec<_> = truths.iter().take(n).map(|truth| truth.map(|truth| Label(label(truth)))).collect();
        let tasks = numbered(n);
        match Ballots::new(&decisions, classes).and_then(|ballots| ballots.with_cases(&tasks)) {
            Err(error) => prop_assert_eq!(error, AggregateError::NoVotes),
            Ok(ballots) => for ballots in [ballots, ballots.with_gold(&gold).unwrap()] {
                for (name, aggregator) in with_tasks() {
                    assert_sound(name, &run(&*aggregator, &ballots).unwrap(), &ballots);
                }
            }
        }
    }
}

#[test]
fn ten_random_starts_find_the_same_optimum_whatever_the_names() {
    // Where votes are few, starts may differ in what they find, and what a worker starts from goes by their place.
    let mace = Mace { iterations: Iterations { limit: 500, tolerance: 1e-9 }, ..Mace::default() };
    for (seed, classes) in [(1, 2), (2, 3), (3, 4)] {
        let crowd = Crowd::mixed(seed, 400, classes, 9, 5).without_ties();
        crowd.rename_classes("mace", &mace, seed, 1e-3);
        crowd.rename_workers_and_tasks("mace", &mace, seed, 1e-3);
    }
}

#[test]
fn who_guesses_is_found_out() {
    for classes in [2, 3] {
        let chance = 1.0 / classes as f64;
        let mut workers = vec![coin(0.85, classes); 10];
        workers.push(coin(chance, classes));
        let crowd = Crowd::new(4, 4000, &vec![chance; classes], &workers, workers.len());
        let decisions = crowd.decisions();
        let tasks = numbered(crowd.n());
        let ballots = Ballots::new(&decisions, classes).unwrap().with_cases(&tasks).unwrap();
        for (name, aggregator) in with_tasks() {
            let consensus = run(&*aggregator, &ballots).unwrap();
            assert!((consensus.skills[10] - chance).abs() < 0.04, "{name}: {:?}", consensus.skills);
            assert!(consensus.skills[..10].iter().all(|skill| (skill - 0.85).abs() < 0.04), "{name}");
            if let Workers::Confusions(confusions) = &consensus.workers {
                // What the vote of the guesser moves the log-odds of any two classes by, against a good worker's.
                let moves = |worker: u32| {
                    let of_vote = |vote: usize| {
                        let given = confusions.given_vote(ExpertId(worker), Label::at(vote));
                        let (low, high) = given.iter().fold((1.0f64, 0.0f64), |(l, h), &p| (l.min(p), h.max(p)));
                        (high / low).ln()
                    };
                    (0..classes).map(of_vote).fold(0.0, f64::max)
                };
                assert!(moves(10) < 0.2 && moves(0) > 1.5, "{name}: {} and {}", moves(10), moves(0));
            }
        }
    }
}

#[test]
fn known_truths_teach_who_is_wrong() {
    // Three of five have the classes the wrong way round: without gold nobody could know.
    let workers = [coin(0.9, 2), coin(0.9, 2), coin(0.2, 2), coin(0.2, 2), coin(0.2, 2)];
    let crowd = Crowd::new(2, 600, &[0.5, 0.5], &workers, 5);
    let decisions = crowd.decisions();
    let gold: Vec<_> = crowd.truth.iter().enumerate().map(|(i, label)| (i % 3 == 0).then_some(*label)).collect();
    let ballots = Ballots::new(&decisions, 2).unwrap().with_gold(&gold).unwrap();
    for (name, aggregator) in all() {
        let consensus = run(&*aggregator, &ballots).unwrap();
        if matches!(consensus.workers, Workers::Confusions(_)) {
            let accuracy = crowd.accuracy(&consensus.labels);
            let worst = if NO_LIARS.contains(&name) { 0.51 } else { 0.3 };
            assert!(accuracy > 0.9 && consensus.skills[3] < worst, "{name}: {accuracy}, {:?}", consensus.skills);
        }
    }
}

#[test]
fn the_edges() {
    let many = 10_000;
    let cases: Vec<(&str, usize, usize, usize, Vec<Triple>)> = vec![
        ("one task, one worker", 1, 1, 2, vec![(0, 0, 1)]),
        ("one task", 1, 4, 3, vec![(0, 0, 1), (0, 1, 2), (0, 2, 1), (0, 3, 0)]),
        ("one worker", 4, 1, 2, vec![(0, 0, 1), (1, 0, 0), (2, 0, 1), (3, 0, 1)]),
        ("classes without a vote", 3, 2, 6, vec![(0, 0, 1), (0, 1, 1), (1, 0, 0), (2, 1, 1)]),
        ("a single vote of a worker", 3, 3, 2, vec![(0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 1, 0), (2, 0, 1), (2, 2, 0)]),
        ("all alike", 5, 3, 3, (0..15).map(|i| (i / 3, i % 3, 2)).collect()),
        ("one class", 3, 2, 1, vec![(0, 0, 0), (0, 1, 0), (1, 0, 0)]),
        ("tasks and workers without votes", 6, 5, 2, vec![(1, 1, 1), (1, 3, 1), (4, 1, 0), (4, 3, 0)]),
        ("an even split", 4, 2, 2, (0..8).map(|i| (i / 2, i % 2, (i % 2) as u16)).collect()),
        ("a crowd of one mind on one task", 1, many, 2, (0..many as u32).map(|w| (0, w, 1)).collect()),
        ("a crowd of two minds on one task", 1, many, 3, (0..many as u32).map(|w| (0, w, (w % 2) as u16)).collect()),
        ("a tireless pair", many, 2, 2, (0..2 * many as u32).map(|i| (i / 2, i % 2, (i / 2 % 2) as u16)).collect()),
    ];
    for (edge, n, m, classes, votes) in cases {
        let decisions = Decisions::from_triples(n, m, votes).unwrap();
        let tasks = numbered(n);
        let ballots = Ballots::new(&decisions, classes).unwrap().with_cases(&tasks).unwrap();
        for (name, aggregator) in with_tasks() {
            let consensus = run(&*aggregator, &ballots).unwrap();
            assert_sound(&format!("{name}: {edge}"), &consensus, &ballots);
            let shared = |task| decisions.of_case(CaseId::at(task)).labels.first().copied();
            let unanimous = |task: &usize| {
                let labels = decisions.of_case(CaseId::at(*task)).labels;
                labels.len() > 1 && labels.iter().all(|label| Some(*label) == shared(*task))
            };
            for task in (0..n).filter(unanimous) {
                assert_eq!(Some(consensus.labels[task]), shared(task), "{name}: {edge}, task {task}");
            }
        }
    }
}

#[test]
fn five_thousand_against_five_thousand_is_a_tie() {
    // Both labels are equally probable but for the last bits, and a tie is for the lowest.
    let many = 10_000u32;
    let votes = (0..many).map(|worker| (0, worker, (worker % 2) as u16));
    let decisions = Decisions::from_triples(1, many as usize, votes).unwrap();
    let tasks = numbered(1);
    let ballots = Ballots::new(&decisions, 2).unwrap().with_cases(&tasks).unwrap();
    for (name, aggregator) in with_tasks().into_iter().filter(|(name, _)| !ORDERED.contains(name)) {
        let consensus = run(&*aggregator, &ballots).unwrap();
        assert_eq!(consensus.labels, [Label(0)], "{name}: {:?}", consensus.probabilities);
    }
}

#[test]
fn tasks_and_workers_without_votes_get_what_is_likely_a_priori() {
    let votes = (0..30).flat_map(|task| (0..3).map(move |worker| (task, worker, u16::from(task % 5 != 0))));
    let decisions = Decisions::from_triples(31, 4, votes).unwrap();
    let ballots = Ballots::new(&decisions, 2).unwrap();
    for (name, aggregator) in all() {
        let consensus = run(&*aggregator, &ballots).unwrap();
        let believed = consensus.probabilities.column(30);
        close(believed, &consensus.prior);
        let expected = if UNIFORM.contains(&name) { (Label(0), 0.499) } else { (Label(1), 0.7) };
        assert!(consensus.labels[30] == expected.0 && believed[1] > expected.1, "{name}: {believed:?}");
        assert!(consensus.skills[3] >= 0.5, "{name}: {:?}", consensus.skills);
    }
}

#[test]
fn what_is_not_a_ballot_is_refused() {
    let message = |result: Result<Ballots<'_>, AggregateError>| result.unwrap_err().to_string();
    assert_eq!(message(Ballots::new(&Decisions::none(3, 2), 2)), "there is no vote to aggregate");
    assert_eq!(message(Ballots::new(&Decisions::none(0, 0), 2)), "there is no vote to aggregate");
    let votes = Decisions::from_triples(2, 1, [(0, 0, 3)]).unwrap();
    let many = "the number of classes is 65537, but must be from 1 to 65536";
    assert_eq!(message(Ballots::new(&votes, 65_537)), many);
    assert_eq!(message(Ballots::new(&votes, 3)), "a vote names label 3, but there are 3 classes");
    let ballots = Ballots::new(&votes, 4).unwrap();
    let short = "the list of gold labels has 1 entries, but the votes are on 2 tasks";
    assert_eq!(message(ballots.with_gold(&[None])), short);
    let foreign = "a gold label names label 4, but there are 4 classes";
    assert_eq!(message(ballots.with_gold(&[None, Some(Label(4))])), foreign);
}

#[test]
fn parameters_out_of_range_are_refused() {
    let votes = example();
    let ballots = Ballots::new(&votes, 2).unwrap();
    let message = |aggregator: &dyn Aggregator| run(aggregator, &ballots).unwrap_err().to_string();
    let zero_based = ZeroBasedSkill::default();
    let online = OnlineDawidSkene::default();
    for (aggregator, expected) in [
        (
            &ZeroBasedSkill { rate: 1.5, ..zero_based } as &dyn Aggregator,
            "the rate is 1.5, but must be above 0 and at most 1",
        ),
        (&ZeroBasedSkill { rate: f64::NAN, ..zero_based }, "the rate is NaN, but must be above 0 and at most 1"),
        (&ZeroBasedSkill { iterations: 0, ..zero_based }, "the number of iterations is 0, but must be 1 or more"),
        (
            &ZeroBasedSkill { halve_every: 0, ..zero_based },
            "the number of iterations between halvings is 0, but must be 1 or more",
        ),
        (
            &OnlineDawidSkene { skill: 0.5, ..online },
            "the skill of a stranger is 0.5, but must be above chance (0.500 with 2 classes) and below 1",
        ),
        (&OnlineDawidSkene { strength: 0.0, ..online }, "the weight of the pool is 0, but must be above 0 and finite"),
        (
            &OnlineDawidSkene { pool: f64::INFINITY, ..online },
            "the weight of the first guess is inf, but must be above 0 and finite",
        ),
        (&OnlineDawidSkene { passes: 0, ..online }, "the number of passes is 0, but must be 1 or more"),
    ] {
        assert_eq!(message(aggregator), expected);
    }
}

#[test]
fn neither_threads_nor_repetition_change_a_bit() {
    let crowd = Crowd::mixed(9, 9000, 3, 20, 3);
    let decisions = crowd.decisions();
    let ballots = Ballots::new(&decisions, 3).unwrap();
    let with = |threads: usize, aggregator: &dyn Aggregator| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(aggregator, &ballots)).unwrap()
    };
    for (name, aggregator) in all() {
        let one = with(1, &*aggregator);
        assert_eq!(one, with(4, &*aggregator), "{name}");
        assert_eq!(one, with(4, &*aggregator), "{name}");
    }
}

#[test]
fn an_observer_may_stop_what_iterates() {
    struct Stop;
    impl Observer for Stop {
        fn observe(&mut self, _: &Event) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    let votes = example();
    let ballots = Ballots::new(&votes, 2).unwrap();
    for (name, aggregator) in all().into_iter().filter(|(name, _)| !ONE_STEP.contains(name)) {
        let result = aggregator.aggregate(&ballots, &mut Context::new(Stream::new(1), &mut Stop));
        assert_eq!(result.unwrap_err(), AggregateError::Cancelled(Cancelled), "{name}");
    }
}

#[test]
fn matrices_beat_counting_heads() {
    // Two good workers against three who are little better than chance.
    let workers = [coin(0.95, 2), coin(0.95, 2), coin(0.55, 2), coin(0.55, 2), coin(0.55, 2)];
    let crowd = Crowd::new(8, 1000, &[0.5, 0.5], &workers, 5);
    let decisions = crowd.decisions();
    let ballots = Ballots::new(&decisions, 2).unwrap();
    let majority = crowd.accuracy(&run(&Majority::default(), &ballots).unwrap().labels);
    for (name, aggregator) in all() {
        let consensus = run(&*aggregator, &ballots).unwrap();
        if matches!(consensus.workers, Workers::Confusions(_)) {
            let accuracy = crowd.accuracy(&consensus.labels);
            assert!(accuracy > majority + 0.04, "{name}: {accuracy}, majority {majority}");
        }
    }
}
