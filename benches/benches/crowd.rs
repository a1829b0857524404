//! Aggregation in labels per second: all aggregators on a table of the size of the MTurk posts, and Dawid-Skene at
//! three sizes, which should take time in proportion to the labels. Everything runs on one thread.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use deferral_core::{
    Aggregator, Ballots, Cases, Columns, Consensus, Context, Decisions, Features, GroupAttribute, Names, Silent, Stream,
};
use deferral_crowd::{
    DawidSkene, FastDawidSkene, Glad, GroupedDawidSkene, HierarchicalDawidSkene, LearningFromCrowds, Mace, Majority,
    OneCoin, OnlineDawidSkene, Wawa, ZeroBasedSkill,
};
use rand::RngExt;

/// `each` votes on each of `tasks` by workers who are right with probability .5 to .9.
fn crowd(tasks: usize, workers: usize, classes: u16, each: usize) -> Decisions {
    let mut random = Stream::new(1).random();
    let skills: Vec<f64> = (0..workers).map(|_| random.random_range(0.5..0.9)).collect();
    let mut votes = Vec::with_capacity(tasks * each);
    for task in 0..tasks {
        let class = random.random_range(0..classes);
        let first = random.random_range(0..workers);
        for step in 0..each {
            let worker = (first + 7 * step) % workers;
            let right = random.random::<f64>() < skills[worker];
            let vote = if right { class } else { (class + random.random_range(1..classes)) % classes };
            votes.push((task as u32, worker as u32, vote));
        }
    }
    Decisions::from_triples(tasks, workers, votes).expect("nobody votes twice")
}

/// What there is to see of tasks: a hundred features that say nothing, and two groups.
fn tasks(n: usize) -> Cases {
    let mut random = Stream::new(2).random();
    let features = Columns::from_values(100, (0..100 * n).map(|_| random.random_range(-0.1..0.1)).collect());
    let group = GroupAttribute::from_values("group", (0..n).map(|task| if task % 2 == 0 { "a" } else { "b" }));
    let features = Features::dense(features).expect("numbers are finite");
    let cases = Cases::new(Names::numbered("t", n), features).expect("there is a name for each");
    cases.with_group(group).expect("there is a group for each")
}

/// On one thread, so that labels per second are those of one core.
fn alone<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread can be had");
    pool.install(run)
}

fn aggregate(method: &dyn Aggregator, ballots: &Ballots<'_>) -> Consensus {
    let mut silent = Silent;
    let mut ctx = Context::new(Stream::new(1), &mut silent);
    method.aggregate(ballots, &mut ctx).expect("votes can be aggregated")
}

/// 1,471 tasks, 170 workers, two classes, 11,768 labels.
fn all(c: &mut Criterion) {
    let votes = crowd(1471, 170, 2, 8);
    let tasks = tasks(1471);
    let ballots = Ballots::new(&votes, 2).and_then(|ballots| ballots.with_cases(&tasks)).expect("there are votes");
    let methods: [(&str, Box<dyn Aggregator>); 12] = [
        ("majority", Box::new(Majority::default())),
        ("wawa", Box::new(Wawa::default())),
        ("zero-based-skill", Box::new(ZeroBasedSkill::default())),
        ("dawid-skene", Box::new(DawidSkene::default())),
        ("one-coin", Box::new(OneCoin::default())),
        ("glad", Box::new(Glad::default())),
        ("mace", Box::new(Mace::default())),
        ("hierarchical", Box::new(HierarchicalDawidSkene::default())),
        ("grouped", Box::new(GroupedDawidSkene::by("group"))),
        ("learning-from-crowds", Box::new(LearningFromCrowds::default())),
        ("fast-dawid-skene", Box::new(FastDawidSkene::default())),
        ("online-dawid-skene", Box::new(OnlineDawidSkene::default())),
    ];
    let mut group = c.benchmark_group("aggregate 1471x170x2");
    group.throughput(Throughput::Elements(votes.len() as u64)).sample_size(20);
    for (name, method) in methods {
        let method = method.as_ref();
        group.bench_function(name, |b| alone(|| b.iter(|| black_box(aggregate(method, &ballots)))));
    }
    group.finish();
}

/// Three classes, 2,400 workers, six labels a task.
fn sizes(c: &mut Criterion) {
    let mut group = c.benchmark_group("dawid-skene 2400 workers, 3 classes");
    group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(8));
    for tasks in [10_000, 100_000, 1_000_000] {
        let votes = crowd(tasks, 2400, 3, 6);
        group.throughput(Throughput::Elements(votes.len() as u64));
        let ballots = Ballots::new(&votes, 3).expect("there are votes");
        let id = BenchmarkId::from_parameter(votes.len());
        group.bench_function(id, |b| alone(|| b.iter(|| black_box(aggregate(&DawidSkene::default(), &ballots)))));
    }
    group.finish();
}

criterion_group!(benches, all, sizes);
criterion_main!(benches);
