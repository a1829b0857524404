//! Consultation steps a second: one step is one move of the adaptive rule, which hears the votes so far and finds whom to
//! ask next. And the assignment of a batch under capacities, the best one and the greedy one.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use deferral_consult::{Adaptive, Asking, assign, assign_greedily};
use deferral_core::{CaseId, Columns, Confusions, Consultation, Consulted, ExpertId, Label, Question, Stream, Vote};
use rand::RngExt;

/// Experts who are right with probability .5 to .95.
fn people(experts: usize, classes: usize) -> Confusions {
    let mut random = Stream::new(1).random();
    let skills: Vec<f64> = (0..experts).map(|_| random.random_range(0.5..0.95)).collect();
    Confusions::one_coin(&skills, classes)
}

/// Steps at the first, second and third question of a case, each a third of the time.
fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("consultation steps");
    for (m, k) in [(20usize, 2usize), (200, 5)] {
        for (name, price) in [("until sure", 0.0), ("with a price", 0.01)] {
            let asking = Asking { confidence: 1.0, price, ..Asking::default() };
            let rule = Adaptive::of_confusions(&people(m, k), asking, None).expect("numbers in range");
            let everybody: Vec<ExpertId> = (0..m).map(ExpertId::at).collect();
            let weights = vec![0.0; m + 1];
            let mut belief: Vec<f64> = (0..k).map(|class| 1.0 / (1.5 + class as f64)).collect();
            let total: f64 = belief.iter().sum();
            for p in &mut belief {
                *p /= total;
            }
            let votes = [Vote { expert: ExpertId(3), label: Label(0) }, Vote { expert: ExpertId(7), label: Label(1) }];
            let asked = votes.map(|vote| Question { expert: vote.expert, propensity: 1.0 });
            let mut random = Stream::new(2).random();
            group.throughput(Throughput::Elements(3));
            group.bench_function(BenchmarkId::new(name, format!("m={m} K={k}")), |b| {
                b.iter(|| {
                    for heard in 0..3 {
                        let state = Consulted {
                            case: CaseId(0),
                            probabilities: &belief,
                            weights: &weights,
                            available: &everybody,
                            asked: &asked[..heard],
                            votes: &votes[..heard],
                        };
                        black_box(rule.next(black_box(&state), &mut random));
                    }
                });
            });
        }
    }
    group.finish();
}

/// 5,000 cases, 50 experts with skills and a little luck on each case, places for six cases in ten.
#[expect(clippy::print_stdout, reason = "how good an assignment is belongs beside how long it took")]
fn assignment(c: &mut Criterion) {
    let (n, m) = (5_000, 50);
    let mut random = Stream::new(3).random();
    let skills: Vec<f64> = (0..m).map(|_| random.random_range(0.0..0.3)).collect();
    let gains = (0..n * m).map(|at| skills[at % m] + random.random_range(0.0..0.05)).collect();
    let gains = Columns::from_values(m, gains);
    let capacities = vec![60; m];
    let best = assign(&gains, &capacities).expect("finite gains");
    let greedy = assign_greedily(&gains, &capacities).expect("finite gains");
    println!(
        "best {:.6}, bound {:.6}: within {:.1e} of it; greedy {:.2} % below",
        best.value,
        best.bound,
        (best.bound - best.value) / best.bound,
        100.0 * (1.0 - greedy.value / best.value)
    );
    let mut group = c.benchmark_group("assignment of 5000 cases to 50 experts");
    group.throughput(Throughput::Elements(n as u64));
    group.bench_function("best", |b| b.iter(|| assign(black_box(&gains), black_box(&capacities))));
    group.bench_function("greedy", |b| b.iter(|| assign_greedily(black_box(&gains), black_box(&capacities))));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = steps, assignment
}
criterion_main!(benches);
