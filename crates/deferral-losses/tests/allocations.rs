//! After the first step the joint framework allocates nothing of its own, dropout and costs included; nor do the surrogates.
#![allow(clippy::unwrap_used)]

use std::borrow::Cow;

use deferral_core::{CaseWeights, Columns, Context, Decisions, Label, Silent, Stream};
use deferral_losses::surrogates::{Psi, Surrogate, SurrogateObjective};
use deferral_losses::{CostScope, ExpertCosts, Form, JointObjective, Link, Schedule};
use deferral_models::{Batches, Inputs, Network, NetworkSpec, Optimiser, Training, train};

fn allocations(form: Form, steps: usize) -> u64 {
    const N: usize = 300;
    const M: usize = 9;
    let features = Columns::from_values(10, (0..10 * N).map(|i| (i % 17) as f64 / 17.0).collect());
    let labels: Vec<Label> = (0..N).map(|i| Label(u16::from(i % 3 == 0))).collect();
    let votes =
        (0..N).flat_map(|i| (0..M).filter(move |e| (i + e) % 4 > 0).map(move |e| (i as u32, e as u32, (i % 2) as u16)));
    let decisions = Decisions::from_triples(N, M, votes).unwrap();
    let costs = ExpertCosts::constant(0.01, &[1.0; M], CostScope::Answered).unwrap();
    let mut objective = JointObjective::new(form, Link::Sigmoid, Schedule::default(), labels, Cow::Owned(decisions), 2)
        .with_dropout(0.2, Stream::new(3).random())
        .with_costs(Some(costs));
    let network =
        |outputs| Network::<f32>::new(&NetworkSpec::relu(10, &[16], outputs), &mut Stream::new(1).random()).unwrap();
    let mut networks = [network(1), network(M + 1)];
    let inputs = Inputs::new(&features, &networks[0]);
    let settings =
        Training { steps, batches: Batches::PerStep { size: 64 }, optimiser: Optimiser::sgd(0.1), stopping: None };
    let weights = CaseWeights::uniform(N);
    let measured = allocation_counter::measure(|| {
        let mut silent = Silent;
        let mut ctx = Context::new(Stream::new(2), &mut silent);
        train(&mut networks, &inputs, &weights, &mut objective, None, &settings, &mut ctx).unwrap();
    });
    measured.count_total
}

#[test]
fn a_step_allocates_only_the_packing_buffer_of_each_product() {
    // Two networks of two layers: two products forwards, two weight gradients and one input gradient each.
    const PRODUCTS: u64 = 10;
    for form in [Form::Binary, Form::Classes] {
        let (early, late) = (allocations(form, 2), allocations(form, 52));
        assert_eq!(late - early, 50 * PRODUCTS, "{form:?}");
    }
}

fn allocations_of(surrogate: Surrogate, steps: usize) -> u64 {
    const N: usize = 300;
    let features = Columns::from_values(10, (0..10 * N).map(|i| (i % 17) as f64 / 17.0).collect());
    let labels: Vec<Label> = (0..N).map(|i| Label(u16::from(i % 3 == 0))).collect();
    let decisions = Decisions::from_triples(N, 1, (0..N as u32).filter(|i| i % 4 > 0).map(|i| (i, 0, 1))).unwrap();
    let mut objective = SurrogateObjective::new(surrogate, labels, &decisions, 0..1);
    let spec = NetworkSpec::relu(10, &[16], 3);
    let mut network = Network::<f32>::new(&spec, &mut Stream::new(1).random()).unwrap();
    let inputs = Inputs::new(&features, &network);
    let settings =
        Training { steps, batches: Batches::PerStep { size: 64 }, optimiser: Optimiser::sgd(0.1), stopping: None };
    let measured = allocation_counter::measure(|| {
        let mut silent = Silent;
        let mut ctx = Context::new(Stream::new(2), &mut silent);
        let networks = std::slice::from_mut(&mut network);
        train(networks, &inputs, &CaseWeights::uniform(N), &mut objective, None, &settings, &mut ctx).unwrap();
    });
    measured.count_total
}

#[test]
fn surrogates_allocate_nothing_either() {
    const PRODUCTS: u64 = 5;
    for surrogate in [
        Surrogate::default(),
        Surrogate::OneVsAll,
        Surrogate::AsymmetricSoftmax,
        Surrogate::Realizable { alpha: 0.5 },
        Surrogate::Rsl2d { psi: Psi::Log, beta: 0.0 },
    ] {
        let (early, late) = (allocations_of(surrogate, 2), allocations_of(surrogate, 52));
        assert_eq!(late - early, 50 * PRODUCTS, "{surrogate:?}");
    }
}
