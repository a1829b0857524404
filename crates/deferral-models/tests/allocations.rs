//! After the first step a training allocates nothing of its own.
#![allow(clippy::unwrap_used)]

use deferral_core::{CaseWeights, Columns, Context, Label, Silent, Stream};
use deferral_models::{Batches, CrossEntropy, Inputs, Network, NetworkSpec, Optimiser, Targets, Training, train};

fn allocations(steps: usize, optimiser: Optimiser, batches: Batches) -> u64 {
    let features = Columns::from_values(20, (0..20 * 300).map(|i| f64::from(i % 17) / 17.0).collect());
    let labels: Vec<Label> = (0..300).map(|i| Label(u16::from(i % 3 == 0))).collect();
    let mut network = Network::<f32>::new(&NetworkSpec::relu(20, &[32, 16], 9), &mut Stream::new(1).random()).unwrap();
    let inputs = Inputs::new(&features, &network);
    let settings = Training { steps, batches, optimiser, stopping: None };
    let mut loss = CrossEntropy::new(labels, Targets::labels(9));
    let weights = CaseWeights::uniform(300);
    let info = allocation_counter::measure(|| {
        let mut silent = Silent;
        let mut ctx = Context::new(Stream::new(2), &mut silent);
        train(std::slice::from_mut(&mut network), &inputs, &weights, &mut loss, None, &settings, &mut ctx).unwrap();
    });
    info.count_total
}

#[test]
fn a_step_allocates_only_the_packing_buffer_of_each_product() {
    // Three layers: three products forwards, three weight gradients and two input gradients backwards. The kernel
    // packs each product into a buffer that it allocates itself; nothing else may be allocated.
    const PRODUCTS: u64 = 8;
    for optimiser in [Optimiser::sgd(0.1), Optimiser::adam(0.01)] {
        for batches in [Batches::PerStep { size: 64 }, Batches::ByEpoch { size: 64 }, Batches::Full] {
            let more = allocations(31, optimiser, batches) - allocations(1, optimiser, batches);
            assert_eq!(more, 30 * PRODUCTS, "{optimiser:?} {batches:?}");
        }
    }
}
