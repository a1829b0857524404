//! The training loop: early stopping, cancellation, every optimiser, both precisions.
#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;

use deferral_core::{
    CaseWeights, Columns, Context, Event, FitError, FitStatus, History, Label, Observer, Silent, Stream,
};
use deferral_models::{
    Batches, CrossEntropy, EarlyStopping, Inputs, Network, NetworkSpec, Optimiser, Scalar, Targets, Training,
    Validation, outputs, train,
};

/// Points on a line, labelled by their side of a threshold; every `noisy`-th label is wrong.
fn data(n: usize, noisy: usize) -> (Columns, Vec<Label>) {
    let x = |i: usize| ((i * 7919) % 1000) as f64 / 500.0 - 1.0;
    let label = |i: usize| Label(u16::from((x(i) > 0.2) != (i % noisy == noisy - 1)));
    (Columns::from_values(1, (0..n).map(x).collect()), (0..n).map(label).collect())
}

fn fit<S: Scalar>(
    settings: &Training,
    observer: &mut dyn Observer,
    held_out: bool,
) -> (Network<S>, Result<FitStatus, FitError>) {
    let (features, labels) = data(200, 5);
    let (other_features, other_labels) = data(77, 1000);
    let spec = NetworkSpec::relu(1, &[32, 32], 1);
    let mut network = Network::<S>::new(&spec, &mut Stream::new(1).random()).unwrap();
    let (inputs, other_inputs) = (Inputs::new(&features, &network), Inputs::new(&other_features, &network));
    let mut loss = CrossEntropy::new(labels, Targets::labels(2));
    let mut other_loss = CrossEntropy::new(other_labels, Targets::labels(2));
    let validation = held_out.then_some(Validation { inputs: &other_inputs, objective: &mut other_loss });
    let mut ctx = Context::new(Stream::new(2), observer);
    let networks = std::slice::from_mut(&mut network);
    let status = train(networks, &inputs, &CaseWeights::uniform(200), &mut loss, validation, settings, &mut ctx);
    (network, status)
}

fn settings(optimiser: Optimiser, steps: usize) -> Training {
    Training { steps, batches: Batches::ByEpoch { size: 50 }, optimiser, stopping: None }
}

/// Share of noise-free points that a network gets right.
fn accuracy<S: Scalar>(network: &Network<S>) -> f64 {
    let (features, labels) = data(500, 10_000);
    let logits = outputs(network, &features);
    let right = logits.iter().zip(&labels).filter(|(t, y)| (t[0] > 0.0) == (y.0 == 1)).count();
    right as f64 / 500.0
}

#[test]
fn every_optimiser_learns_in_both_precisions() {
    let momentum = Optimiser::Sgd { rate: 0.05, momentum: 0.9, decay: 1e-4 };
    for optimiser in [Optimiser::sgd(0.3), momentum, Optimiser::adam(0.01)] {
        let (single, status) = fit::<f32>(&settings(optimiser, 400), &mut Silent, false);
        assert_eq!(status.unwrap(), FitStatus::StepLimit);
        let (double, _) = fit::<f64>(&settings(optimiser, 400), &mut Silent, false);
        assert!(accuracy(&single) > 0.9 && accuracy(&double) > 0.9, "{optimiser:?}");
    }
}

#[test]
fn early_stopping_restores_the_best_parameters() {
    let stopping = Some(EarlyStopping { every: 5, patience: 8, least: 0.0 });
    let settings = Training { stopping, ..settings(Optimiser::adam(0.03), 5000) };
    let mut history = History::default();
    let (network, status) = fit::<f64>(&settings, &mut history, true);
    assert_eq!(status.unwrap(), FitStatus::Converged);
    let measured: Vec<(usize, f64)> = history
        .0
        .iter()
        .filter_map(|event| match event {
            Event::Validation { step, loss } => Some((*step, *loss)),
            _ => None,
        })
        .collect();
    let best = measured.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    let last = *measured.last().unwrap();
    assert_eq!(last.0, best.0 + 5 * 8, "stopped after eight measurements without a new best");
    // The restored network has the loss that was measured at its best.
    let (features, labels) = data(77, 1000);
    let logits = outputs(&network, &features);
    let one = |(t, y): (&[f64], &Label)| deferral_models::stable::softplus(if y.0 == 1 { -t[0] } else { t[0] });
    let loss = logits.iter().zip(&labels).map(one).sum::<f64>() / 77.0;
    assert!((loss - best.1).abs() < 1e-12, "{loss} {best:?} {last:?}");
}

#[test]
fn an_observer_can_cancel() {
    struct AfterThree;
    impl Observer for AfterThree {
        fn observe(&mut self, event: &Event) -> ControlFlow<()> {
            match event {
                Event::Step { step: 3, .. } => ControlFlow::Break(()),
                Event::Step { step, .. } => {
                    assert!(*step < 3, "went on after the break");
                    ControlFlow::Continue(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    let (_, status) = fit::<f32>(&settings(Optimiser::sgd(0.1), 100), &mut AfterThree, false);
    assert_eq!(status.unwrap_err(), FitError::Cancelled(deferral_core::Cancelled));
}

#[test]
fn settings_out_of_range_are_refused() {
    let refuse = |settings: Training| fit::<f32>(&settings, &mut Silent, false).1.unwrap_err().to_string();
    let good = settings(Optimiser::sgd(0.1), 10);
    assert_eq!(refuse(Training { steps: 0, ..good }), "the number of steps is 0, but must be 1 or more");
    let batches = Batches::PerStep { size: 0 };
    assert_eq!(refuse(Training { batches, ..good }), "the batch size is 0, but must be 1 or more");
    let stopping = Some(EarlyStopping { every: 1, patience: 0, least: 0.0 });
    assert_eq!(refuse(Training { stopping, ..good }), "the patience is 0, but must be 1 or more");
}
