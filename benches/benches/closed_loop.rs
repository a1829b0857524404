//! Tasks a second of every allocator: choosing, and learning from the votes. Votes a second that are on the disk when
//! they are answered. And a whole experiment of fifty trials.

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use deferral_allocation::{Event, Founder, Journal, LoopSpec, Method, Prior, Setting};
use deferral_core::{Allocator, CaseId, CaseView, ExpertId, GroupId, Label, Stream, Vote};
use deferral_eval::closed_loop::{ClosedLoopPlan, World, loop_method};
use deferral_experts::OwnClusters;
use rand::RngExt;

const FEATURES: usize = 50;
const GROUPS: usize = 3;
/// Different tasks that a stream goes through.
const TASKS: usize = 1024;

fn setting(m: usize) -> Setting {
    let similar = |annotator: usize, group: usize| if annotator % GROUPS == group { 0.8 } else { 0.1 };
    Setting::new(FEATURES, 2, Prior::from_fn(m, GROUPS, similar).expect("similarities from 0 to 1"))
}

/// One task after another: allocate, hear everybody asked, learn.
fn allocation(c: &mut Criterion) {
    let mut group = c.benchmark_group("allocate and learn");
    let mut random = Stream::new(1).random();
    let features: Vec<Vec<f64>> =
        (0..TASKS).map(|_| (0..FEATURES).map(|_| random.random_range(-1.0..1.0)).collect()).collect();
    for m in [20, 1000] {
        let everybody: Vec<ExpertId> = (0..m).map(ExpertId::at).collect();
        for name in ["latent", "smooth-text", "smooth:k=3", "uniform"] {
            let (method, k) = name.split_once(":k=").unwrap_or((name, "3"));
            let method = Method::named(method).and_then(|method| method.with("k", k)).expect("a known method");
            let mut state = method.start(&setting(m), &Stream::new(2)).expect("parameters in range");
            let draws = Stream::new(3);
            let mut task = 0;
            group.throughput(Throughput::Elements(1));
            group.bench_function(BenchmarkId::new(name, format!("m={m} d={FEATURES}")), |b| {
                b.iter(|| {
                    task += 1;
                    let group = Some(GroupId::at(task % GROUPS));
                    let view = CaseView { case: CaseId::at(task), features: &features[task % TASKS], group };
                    let asked = state.allocate(view, &everybody, &mut draws.at(task));
                    let is_right = |expert: ExpertId| expert.index() % GROUPS == task % GROUPS;
                    let vote = |expert| Vote { expert, label: Label(u16::from(is_right(expert))) };
                    let votes: Vec<Vote> = asked.iter().map(|question| vote(question.expert)).collect();
                    black_box(state.learn(view, &votes))
                });
            });
        }
    }
    group.finish();
}

/// Votes in commits of so many, each on a task of its own committee of three.
fn durable_votes(c: &mut Criterion) {
    let mut group = c.benchmark_group("durable votes");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    for together in [100_usize, 1000, 4000] {
        let folder = tempfile::tempdir().expect("a folder");
        let team = (0..3).map(|w| Founder { worker: format!("w{w}"), ..Founder::default() }).collect();
        let method = Method::named("latent").expect("a known method");
        let spec = LoopSpec { team, ..LoopSpec::new(method, ["no", "yes"], 1) };
        let journal = RefCell::new(Journal::create(&folder.path().join("team.redb"), &spec).expect("a journal"));
        let mut next = 0;
        group.throughput(Throughput::Elements(together as u64));
        group.bench_function(BenchmarkId::new("group commit", format!("{together} together")), |b| {
            b.iter_batched(
                || {
                    // The tasks are there already: only votes are timed.
                    let tasks: Vec<String> = (0..together.div_ceil(3)).map(|at| format!("t{}", next + at)).collect();
                    next += tasks.len();
                    let task =
                        |task: &String| Event::Task { task: task.clone(), features: Vec::new(), group: None, at: None };
                    let tasks_sent: Vec<Event> = tasks.iter().map(task).collect();
                    journal.borrow_mut().record(&tasks_sent).expect("room on the disk");
                    let votes = tasks.iter().flat_map(|task| (0..3).map(move |worker| (task, worker)));
                    let vote = |(task, worker): (&String, usize)| Event::Vote {
                        task: task.clone(),
                        worker: format!("w{worker}"),
                        label: "yes".to_owned(),
                        at: None,
                    };
                    votes.map(vote).take(together).collect::<Vec<_>>()
                },
                |votes| black_box(journal.borrow_mut().record(&votes).expect("room on the disk")),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// The published experiment on clusters: fifty trials of 7,000 training and 3,000 test cases, data drawn anew in each, on
/// all cores.
fn fifty_trials(c: &mut Criterion) {
    let mut group = c.benchmark_group("fifty trials");
    group.sample_size(10);
    for name in ["latent", "smooth", "strict", "no-prior", "smooth-text"] {
        let plan = ClosedLoopPlan::of(World::clusters(OwnClusters::default(), 0.3));
        let method = [loop_method(name).expect("a known method")];
        group.bench_function(name, |b| b.iter(|| black_box(plan.run(&method).expect("it runs"))));
    }
    group.finish();
}

criterion_group!(benches, allocation, durable_votes, fifty_trials);
criterion_main!(benches);
