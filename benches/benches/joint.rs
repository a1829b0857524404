//! One joint training beside the machine's own matrix products of the same shapes, and batch decisions.
//!
//! `cargo bench -p benches --bench joint` prints both times; their ratio is how far the training is from the limit.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use deferral_core::{Absent, CaseWeights, Context, Dataset, Learner, Policy, Recorded, Silent, Stream, consult};
use deferral_losses::{Form, Joint, JointPolicy};
use deferral_models::product::{Factor, Keep, multiply};
use deferral_models::{Batches, Optimiser, Training};

/// The size of the paper's networks and of its offensive-language experiment: d, m, steps, batch.
const SIZE: (usize, usize, usize, usize) = (100, 20, 100, 200);

fn train(data: &Dataset) -> JointPolicy {
    let (_, _, steps, size) = SIZE;
    let batches = Batches::PerStep { size };
    let training = Training { steps, batches, optimiser: Optimiser::sgd(0.1), stopping: None };
    let joint = Joint { form: Some(Form::Binary), dropout: 0.2, lambda: 0.05, training, ..Joint::default() };
    let mut silent = Silent;
    let mut ctx = Context::new(Stream::new(1), &mut silent);
    joint.fit(data, &CaseWeights::uniform(data.n()), &mut ctx).unwrap()
}

/// One product of a training: output rows, inner dimension, columns, which factors are transposed.
type Shape = (usize, usize, usize, bool, bool);

/// All products of one step of both networks: forwards, weight gradients, input gradients.
fn shapes() -> Vec<Shape> {
    let (d, m, _, batch) = SIZE;
    let mut shapes = Vec::new();
    for outputs in [8, m + 1] {
        let widths = [d, 128, 32, outputs];
        for layer in 0..3 {
            let (below, above) = (widths[layer], widths[layer + 1]);
            shapes.push((above, below, batch, false, false));
            shapes.push((above, batch, below, false, true));
            if layer > 0 {
                shapes.push((below, above, batch, true, false));
            }
        }
    }
    shapes
}

fn products(shapes: &[Shape], values: &[f32], out: &mut [f32]) {
    for &(rows, inner, columns, left_turned, right_turned) in shapes {
        let factor = |rows: usize, columns: usize, turned: bool| {
            let stored = &values[..rows * columns];
            if turned { Factor::new(stored, columns, rows).transposed() } else { Factor::new(stored, rows, columns) }
        };
        let (left, right) = (factor(rows, inner, left_turned), factor(inner, columns, right_turned));
        multiply(&mut out[..rows * columns], left, right, Keep::Nothing);
    }
}

/// The fastest of many interleaved runs of each: what the machine can do when nobody else is on it.
fn ratio(data: &Dataset) {
    const ROUNDS: usize = 30;
    let (shapes, values) = (shapes(), vec![0.5f32; 128 * 256]);
    let mut out = vec![0.0f32; 128 * 256];
    let flops: usize = shapes.iter().map(|(r, i, c, ..)| 2 * r * i * c).sum::<usize>() * SIZE.2;
    let (mut training, mut limit) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        black_box(train(data));
        training = training.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        for _ in 0..SIZE.2 {
            products(&shapes, black_box(&values), &mut out);
        }
        black_box(&out);
        limit = limit.min(start.elapsed().as_secs_f64());
    }
    println!(
        "joint training {:.1} ms, its {:.2} GFLOP of products alone {:.1} ms ({:.0} GFLOP/s): ratio {:.2}",
        training * 1e3,
        flops as f64 / 1e9,
        limit * 1e3,
        flops as f64 / limit / 1e9,
        training / limit
    );
}

fn joint(criterion: &mut Criterion) {
    let (d, m, ..) = SIZE;
    let data = bench_data(19_826, d, m);
    ratio(&data);
    let mut group = criterion.benchmark_group("joint");
    group.sample_size(20);
    group.bench_function("train d=100 m=20 T=100 batch=200 f32", |b| b.iter(|| train(&data)));
    let (shapes, values) = (shapes(), vec![0.5f32; 128 * 256]);
    let mut out = vec![0.0f32; 128 * 256];
    group.bench_function("the same products alone", |b| {
        b.iter(|| {
            for _ in 0..SIZE.2 {
                products(&shapes, black_box(&values), &mut out);
            }
        });
    });
    let cases = bench_data(24_783, d, m);
    let policy = train(&data);
    group.bench_function("judge 24,783 cases", |b| {
        b.iter(|| (policy.classify(cases.cases()).unwrap(), policy.weigh(cases.cases()).unwrap()));
    });
    group.bench_function("decide 24,783 cases", |b| {
        b.iter(|| {
            let (probabilities, weights) =
                (policy.classify(cases.cases()).unwrap(), policy.weigh(cases.cases()).unwrap());
            let mut source = Recorded::new(cases.decisions(), Absent::Unavailable);
            let beliefs = (&probabilities, &weights);
            consult(0..cases.n(), beliefs, &policy.committee(), &mut source, None, &Stream::new(1)).unwrap()
        });
    });
    group.finish();
}

fn bench_data(n: usize, d: usize, m: usize) -> Dataset {
    benches::complete(n, d, m)
}

criterion_group!(speed, joint);
criterion_main!(speed);
