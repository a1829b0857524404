//! Aggregation in labels per second: all aggregators on a table of the size of the MTurk posts, and Dawid-Skene at
//! three sizes, which should take time in proportion to the labels.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use deferral_core::{Aggregator, Ballots, Consensus, Context, Decisions, Silent, Stream};
use deferral_crowd::{
    DawidSkene, FastDawidSkene, Glad, HierarchicalDawidSkene, Mace, Majority, OneCoin, OnlineDawidSkene, Wawa,
    ZeroBasedSkill,
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

fn aggregate(method: &dyn Aggregator, votes: &Decisions, classes: usize) -> Consensus {
    let mut silent = Silent;
    let mut ctx = Context::new(Stream::new(1), &mut silent);
    let ballots = Ballots::new(votes, classes).expect("there are votes");
    method.aggregate(&ballots, &mut ctx).expect("votes can be aggregated")
}

/// 1,471 tasks, 170 workers, two classes, 11,768 labels.
fn all(c: &mut Criterion) {
    let votes = crowd(1471, 170, 2, 8);
    let methods: [(&str, Box<dyn Aggregator>); 10] = [
        ("majority", Box::new(Majority::default())),
        ("wawa", Box::new(Wawa::default())),
        ("zero-based-skill", Box::new(ZeroBasedSkill::default())),
        ("dawid-skene", Box::new(DawidSkene::default())),
        ("one-coin", Box::new(OneCoin::default())),
        ("glad", Box::new(Glad::default())),
        ("mace", Box::new(Mace::default())),
        ("hierarchical", Box::new(HierarchicalDawidSkene::default())),
        ("fast-dawid-skene", Box::new(FastDawidSkene::default())),
        ("online-dawid-skene", Box::new(OnlineDawidSkene::default())),
    ];
    let mut group = c.benchmark_group("aggregate 1471x170x2");
    group.throughput(Throughput::Elements(votes.len() as u64)).sample_size(20);
    for (name, method) in methods {
        group.bench_function(name, |b| b.iter(|| black_box(aggregate(method.as_ref(), &votes, 2))));
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
        let id = BenchmarkId::from_parameter(votes.len());
        group.bench_function(id, |b| b.iter(|| black_box(aggregate(&DawidSkene::default(), &votes, 3))));
    }
    group.finish();
}

criterion_group!(benches, all, sizes);
criterion_main!(benches);
