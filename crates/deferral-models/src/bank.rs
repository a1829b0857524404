//! Many small networks of one shape, one an annotator, as one bank.

use rand::RngExt;
use serde::{Deserialize, Serialize};

use deferral_core::{ParameterError, Stream};

use crate::scalar::Scalar;
use crate::stable::sigmoid;

/// Annotators that are computed together.
const LANES: usize = 8;

/// One number of each of eight annotators.
type Lanes<S> = [S; LANES];

/// Features are cut to this size; more would overflow an `f32` before long.
const LARGEST_FEATURE: f64 = 1e9;

/// The gradient of a unit that is not below this size is one of a network that overflowed, which learns no more.
const LARGEST_DELTA: f64 = 1e12;

/// m networks with one output each, `d_j(x) = sigmoid(...)`: the allocation model of Keswani, Celis, Kenthapadi and
/// Lease (2022, appendix C), whose text has logistic models (no hidden layer) and whose released code has hidden layers
/// of 5 and 2 rectified units.
///
/// Eight annotators lie side by side, their weights interleaved, so that every product runs over eight of them at a
/// time whatever d and the widths are: the first layers of all are one matrix, (m h) x d, and a pass over a case is
/// one product with it. An annotator's numbers depend on the stream and on their position only, so one more changes
/// nobody else.
///
/// A pass costs O(m (d h + h^2)) a case, a step the same for each group of eight annotators of which one takes part.
///
/// ```
/// use deferral_core::Stream;
/// use deferral_models::{BankBatch, BankTape, NetworkBank};
/// let mut bank = NetworkBank::<f32>::new(2, &[5, 2], true, 3, &Stream::new(1))?;
/// let (mut batch, mut tape) = (BankBatch::new(2), BankTape::default());
/// // Annotators 0 and 2 on one case: the first is to say yes, the other no.
/// let case = batch.case(&[0.5, -1.0]);
/// batch.pair(case, 0);
/// batch.pair(case, 2);
/// let before = bank.outputs(&[0.5, -1.0], 0..3, &mut tape).to_vec();
/// bank.step(&batch, &mut tape, 0.1, |outputs, slopes| {
///     // Cross-entropy: its slope with respect to a logit is the output minus the target.
///     slopes.copy_from_slice(&[outputs[0] - 1.0, outputs[1]]);
/// });
/// let after = bank.outputs(&[0.5, -1.0], 0..3, &mut tape);
/// assert!(after[0] > before[0] && after[1] == before[1] && after[2] < before[2]);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct NetworkBank<S: Scalar> {
    annotators: usize,
    biases: bool,
    layers: Vec<Layer>,
    /// Block after block of eight annotators; in a block layer after layer, unit after unit: its weights, then its
    /// bias.
    weights: Vec<Lanes<S>>,
}

/// One layer of every network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Layer {
    inputs: usize,
    outputs: usize,
    /// Where its weights begin in a block.
    weights_at: usize,
    /// Where its units begin among those of a network.
    units_at: usize,
}

/// Cases, and who takes part in each of them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct BankBatch<S: Scalar> {
    inputs: usize,
    cases: usize,
    columns: Vec<S>,
    pairs: Vec<(u32, u32)>,
}

/// Room for passes and steps, used again and again: nothing is allocated once it is large enough. A step takes
/// `16 (h + 1)` numbers for each group of eight annotators and each case.
#[derive(Debug, Clone, Default)]
pub struct BankTape<S: Scalar> {
    column: Vec<S>,
    outputs: Vec<S>,
    slopes: Vec<S>,
    units: Vec<Lanes<S>>,
    deltas: Vec<Lanes<S>>,
    visits: Vec<Visit>,
    /// For each pair its visit and lane.
    places: Vec<(u32, u8)>,
}

/// A pass of one case through one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Visit {
    case: usize,
    block: usize,
}

impl<S: Scalar> BankBatch<S> {
    /// No case yet, of `inputs` features.
    pub fn new(inputs: usize) -> Self {
        Self { inputs, cases: 0, columns: Vec::new(), pairs: Vec::new() }
    }

    /// Appends a case and returns its position. Features that are missing or not finite are 0, those beyond `inputs`
    /// are left out, larger ones than a billion are cut.
    pub fn case(&mut self, features: &[f64]) -> usize {
        self.columns.extend(column::<S>(features, self.inputs));
        self.cases += 1;
        self.cases - 1
    }

    /// Lets `annotator` take part in `case`, once more if they did.
    pub fn pair(&mut self, case: usize, annotator: usize) {
        self.pairs.push((case as u32, annotator as u32));
    }

    /// Number of cases.
    pub fn cases(&self) -> usize {
        self.cases
    }

    /// Number of (case, annotator) pairs.
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.cases = 0;
        self.columns.clear();
        self.pairs.clear();
    }

    fn column(&self, case: usize) -> &[S] {
        &self.columns[case * self.inputs..(case + 1) * self.inputs]
    }
}

/// The features as the bank sees them.
fn column<S: Scalar>(features: &[f64], inputs: usize) -> impl Iterator<Item = S> {
    let sane = |x: f64| if x.is_finite() { x.clamp(-LARGEST_FEATURE, LARGEST_FEATURE) } else { 0.0 };
    (0..inputs).map(move |at| S::of(features.get(at).map_or(0.0, |&x| sane(x))))
}

impl<S: Scalar> NetworkBank<S> {
    /// The networks of `annotators` people: `inputs` features, rectified units in layers of the widths `hidden`, one
    /// output. Weights, and biases if there are any, start uniform in plus or minus `1 / sqrt(fan-in)`, the default of
    /// `PyTorch`'s linear layer.
    ///
    /// # Errors
    /// If a width is 0, or if there is neither a feature nor a bias.
    pub fn new(
        inputs: usize,
        hidden: &[usize],
        biases: bool,
        annotators: usize,
        stream: &Stream,
    ) -> Result<Self, ParameterError> {
        ParameterError::check(inputs > 0 || biases, "the number of features without biases", inputs, "1 or more")?;
        let mut bank = Self { annotators: 0, biases, layers: Vec::new(), weights: Vec::new() };
        let (mut below, mut weights_at, mut units_at) = (inputs, 0, 0);
        for &outputs in hidden.iter().chain(&[1]) {
            ParameterError::check(outputs > 0, "the width of a hidden layer", outputs, "1 or more")?;
            bank.layers.push(Layer { inputs: below, outputs, weights_at, units_at });
            weights_at += outputs * (below + usize::from(biases));
            units_at += outputs;
            below = outputs;
        }
        for _ in 0..annotators {
            bank.push(stream);
        }
        Ok(bank)
    }

    /// Number of annotators, m.
    pub fn annotators(&self) -> usize {
        self.annotators
    }

    /// Features of a case, d.
    pub fn inputs(&self) -> usize {
        self.layers[0].inputs
    }

    /// Adds the network of one more annotator.
    pub fn push(&mut self, stream: &Stream) {
        if self.annotators.is_multiple_of(LANES) {
            self.weights.resize(self.weights.len() + self.block_size(), [S::zero(); LANES]);
        }
        self.annotators += 1;
        self.redraw(self.annotators - 1, stream);
    }

    /// Draws the network of `annotator` anew.
    ///
    /// # Panics
    /// If there is no such annotator.
    pub fn redraw(&mut self, annotator: usize, stream: &Stream) {
        assert!(annotator < self.annotators, "an annotator of the bank");
        let mut random = stream.at(annotator);
        let block = self.block_size() * (annotator / LANES);
        for layer in &self.layers {
            let bound = 1.0 / (layer.inputs.max(1) as f64).sqrt();
            let count = layer.outputs * (layer.inputs + usize::from(self.biases));
            for lanes in &mut self.weights[block + layer.weights_at..][..count] {
                lanes[annotator % LANES] = S::of(bound * (2.0 * random.random::<f64>() - 1.0));
            }
        }
    }

    /// What the networks of `annotators` say of a case, in that order: `d_j(x)` in [0, 1]. Features are taken as in
    /// [`BankBatch::case`]. NaN only of a network that overflowed. O(d h) for each group of eight annotators; they
    /// should be sorted.
    ///
    /// # Panics
    /// If there is no such annotator.
    pub fn outputs<'a>(
        &self,
        features: &[f64],
        annotators: impl IntoIterator<Item = usize>,
        tape: &'a mut BankTape<S>,
    ) -> &'a [S] {
        let units = self.units();
        let BankTape { column: seen, outputs, units: room, .. } = tape;
        seen.clear();
        seen.extend(column::<S>(features, self.inputs()));
        room.resize(units.max(room.len()), [S::zero(); LANES]);
        outputs.clear();
        let mut at = usize::MAX;
        for annotator in annotators {
            assert!(annotator < self.annotators, "an annotator of the bank");
            if annotator / LANES != at {
                at = annotator / LANES;
                self.run(at, seen, &mut room[..units]);
            }
            outputs.push(room[units - 1][annotator % LANES]);
        }
        for output in &mut *outputs {
            *output = sigmoid(*output);
        }
        outputs
    }

    /// One step of gradient descent at `rate` on a batch. `slopes` gets the output of each pair of the batch, and
    /// writes the gradient of the loss with respect to the logit behind it, 0 before. All gradients are those at the
    /// weights before the step. A gradient that is not finite, or huge, moves nothing.
    ///
    /// # Panics
    /// If the batch has another number of features, or names an annotator who is not there.
    pub fn step(
        &mut self,
        batch: &BankBatch<S>,
        tape: &mut BankTape<S>,
        rate: f64,
        slopes: impl FnOnce(&[S], &mut [S]),
    ) {
        self.pass(batch, tape);
        tape.slopes.clear();
        tape.slopes.resize(batch.pairs.len(), S::zero());
        slopes(&tape.outputs, &mut tape.slopes);
        self.gather(tape);
        let units = self.units();
        for ((visit, units), deltas) in
            tape.visits.iter().zip(tape.units.chunks_exact(units)).zip(tape.deltas.chunks_exact_mut(units))
        {
            self.back(visit.block, units, deltas);
        }
        for ((visit, units), deltas) in
            tape.visits.iter().zip(tape.units.chunks_exact(units)).zip(tape.deltas.chunks_exact(units))
        {
            self.descend(visit.block, S::of(rate), batch.column(visit.case), units, deltas);
        }
    }

    /// The outputs of all pairs.
    fn pass(&self, batch: &BankBatch<S>, tape: &mut BankTape<S>) {
        assert_eq!(batch.inputs, self.inputs(), "features of a batch");
        let units = self.units();
        tape.visits.clear();
        tape.places.clear();
        for &(case, annotator) in &batch.pairs {
            assert!((annotator as usize) < self.annotators, "an annotator of the bank");
            let visit = Visit { case: case as usize, block: annotator as usize / LANES };
            if tape.visits.last() != Some(&visit) {
                tape.visits.push(visit);
            }
            tape.places.push((tape.visits.len() as u32 - 1, (annotator as usize % LANES) as u8));
        }
        tape.units.resize((units * tape.visits.len()).max(units), [S::zero(); LANES]);
        for (visit, units) in tape.visits.iter().zip(tape.units.chunks_exact_mut(units)) {
            self.run(visit.block, batch.column(visit.case), units);
        }
        tape.outputs.clear();
        for &(visit, lane) in &tape.places {
            tape.outputs.push(sigmoid(tape.units[(visit as usize + 1) * units - 1][usize::from(lane)]));
        }
    }

    /// Adds the slopes of the pairs up, as those of the output units.
    fn gather(&self, tape: &mut BankTape<S>) {
        let units = self.units();
        tape.deltas.clear();
        tape.deltas.resize(units * tape.visits.len(), [S::zero(); LANES]);
        for (&(visit, lane), &slope) in tape.places.iter().zip(&tape.slopes) {
            if slope.abs() < S::of(LARGEST_DELTA) {
                tape.deltas[(visit as usize + 1) * units - 1][usize::from(lane)] += slope;
            }
        }
    }

    /// One case through one block: the values of all units, the logits last.
    fn run(&self, block: usize, column: &[S], units: &mut [Lanes<S>]) {
        let weights = &self.weights[block * self.block_size()..][..self.block_size()];
        for (depth, layer) in self.layers.iter().enumerate() {
            let (below, above) = units.split_at_mut(layer.units_at);
            let below = &below[below.len() - if depth == 0 { 0 } else { layer.inputs }..];
            for (unit, row) in above[..layer.outputs].iter_mut().zip(self.rows(*layer, weights)) {
                *unit = if depth == 0 { self.sum(row, column) } else { self.sum_of_lanes(row, below) };
                if depth + 1 < self.layers.len() {
                    for value in unit {
                        *value = if *value < S::zero() { S::zero() } else { *value };
                    }
                }
            }
        }
    }

    /// From the slopes of the outputs to those of all units before them.
    fn back(&self, block: usize, units: &[Lanes<S>], deltas: &mut [Lanes<S>]) {
        let weights = &self.weights[block * self.block_size()..][..self.block_size()];
        for layer in self.layers[1..].iter().rev() {
            let (below, above) = deltas.split_at_mut(layer.units_at);
            let start = layer.units_at - layer.inputs;
            for (above, row) in above[..layer.outputs].iter().zip(self.rows(*layer, weights)) {
                for (below, weight) in below[start..].iter_mut().zip(row) {
                    for lane in 0..LANES {
                        below[lane] += weight[lane] * above[lane];
                    }
                }
            }
            for (below, unit) in below[start..].iter_mut().zip(&units[start..]) {
                for (delta, &value) in below.iter_mut().zip(unit) {
                    let moves = value > S::zero() && delta.abs() < S::of(LARGEST_DELTA);
                    *delta = if moves { *delta } else { S::zero() };
                }
            }
        }
    }

    /// Moves the weights of one block against their gradient on one case.
    fn descend(&mut self, block: usize, rate: S, column: &[S], units: &[Lanes<S>], deltas: &[Lanes<S>]) {
        let size = self.block_size();
        let weights = &mut self.weights[block * size..][..size];
        for (depth, layer) in self.layers.iter().enumerate() {
            let width = layer.inputs + usize::from(self.biases);
            for (unit, delta) in deltas[layer.units_at..][..layer.outputs].iter().enumerate() {
                if *delta == [S::zero(); LANES] {
                    continue;
                }
                let shift = delta.map(|delta| -rate * delta);
                let (row, bias) = weights[layer.weights_at + unit * width..][..width].split_at_mut(layer.inputs);
                if depth == 0 {
                    row.iter_mut().zip(column).for_each(|(row, &x)| add(row, &shift, x));
                } else {
                    let below = &units[layer.units_at - layer.inputs..];
                    row.iter_mut().zip(below).for_each(|(row, x)| add_lanes(row, &shift, x));
                }
                for bias in bias {
                    add(bias, &shift, S::one());
                }
            }
        }
    }

    /// The rows of a layer: for each unit its weights, and its bias if there is one.
    fn rows<'a>(&self, layer: Layer, weights: &'a [Lanes<S>]) -> impl Iterator<Item = &'a [Lanes<S>]> {
        let width = layer.inputs + usize::from(self.biases);
        (0..layer.outputs).map(move |unit| &weights[layer.weights_at + unit * width..][..width])
    }

    fn start(&self, row: &[Lanes<S>], inputs: usize) -> Lanes<S> {
        if self.biases { row[inputs] } else { [S::zero(); LANES] }
    }

    /// The sums of one unit over the features, the even ones apart from the odd ones: an addition need not wait for the
    /// one before it.
    #[inline]
    fn sum(&self, row: &[Lanes<S>], column: &[S]) -> Lanes<S> {
        let (mut even, mut odd) = (self.start(row, column.len()), [S::zero(); LANES]);
        let (pairs, weights) = (column.chunks_exact(2), row[..column.len()].chunks_exact(2));
        if let (Some(weight), Some(&x)) = (weights.remainder().first(), pairs.remainder().first()) {
            add(&mut even, weight, x);
        }
        for (weight, x) in weights.zip(pairs) {
            add(&mut even, &weight[0], x[0]);
            add(&mut odd, &weight[1], x[1]);
        }
        for (even, odd) in even.iter_mut().zip(odd) {
            *even += odd;
        }
        even
    }

    /// The sums of one unit over the units below.
    #[inline]
    fn sum_of_lanes(&self, row: &[Lanes<S>], below: &[Lanes<S>]) -> Lanes<S> {
        let mut sums = self.start(row, below.len());
        for (weight, value) in row.iter().zip(below) {
            for lane in 0..LANES {
                sums[lane] += weight[lane] * value[lane];
            }
        }
        sums
    }

    /// Units of a network.
    fn units(&self) -> usize {
        self.layers.last().map_or(0, |last| last.units_at + last.outputs)
    }

    /// Numbers of a network.
    fn block_size(&self) -> usize {
        self.layers.last().map_or(0, |last| last.weights_at + last.outputs * (last.inputs + usize::from(self.biases)))
    }
}

/// Adds `x` times the weights.
#[inline]
fn add<S: Scalar>(sums: &mut Lanes<S>, weights: &Lanes<S>, x: S) {
    for (sum, &weight) in sums.iter_mut().zip(weights) {
        *sum += weight * x;
    }
}

/// Adds the products of shifts and values, where a shift is not 0: a unit that overflowed for somebody who takes no
/// part must not touch them.
#[inline]
fn add_lanes<S: Scalar>(sums: &mut Lanes<S>, shifts: &Lanes<S>, values: &Lanes<S>) {
    for ((sum, &shift), &value) in sums.iter_mut().zip(shifts).zip(values) {
        *sum = if shift == S::zero() { *sum } else { *sum + shift * value };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bank<S: Scalar>(inputs: usize, hidden: &[usize], biases: bool, annotators: usize) -> NetworkBank<S> {
        NetworkBank::new(inputs, hidden, biases, annotators, &Stream::new(3)).unwrap()
    }

    /// Numbers between -1 and 1 that are different and far from 0.
    fn features(inputs: usize, case: usize) -> Vec<f64> {
        (0..inputs).map(|at| (0.7 + 1.3 * at as f64 + 2.1 * case as f64).sin()).collect()
    }

    /// Three cases; annotators 1 and 9 take part in all, 1 twice in the last.
    fn batch<S: Scalar>(inputs: usize) -> BankBatch<S> {
        let mut batch = BankBatch::new(inputs);
        for at in 0..3 {
            let case = batch.case(&features(inputs, at));
            batch.pair(case, 9);
            batch.pair(case, 1);
        }
        batch.pair(2, 1);
        batch
    }

    /// Half the squared distance of the outputs from their targets, summed over the pairs.
    fn loss(bank: &NetworkBank<f64>, inputs: usize) -> f64 {
        let mut tape = BankTape::default();
        let pairs = [(0, 9), (0, 1), (1, 9), (1, 1), (2, 9), (2, 1), (2, 1)];
        let each = pairs.iter().enumerate().map(|(at, &(case, annotator))| {
            let output = bank.outputs(&features(inputs, case), [annotator], &mut tape)[0];
            (output - target(at)).powi(2) / 2.0
        });
        each.sum()
    }

    fn target(pair: usize) -> f64 {
        [0.1, 0.9, 0.3, 0.2, 0.8, 0.5, 0.7][pair]
    }

    #[test]
    fn a_step_is_the_gradient_at_the_weights_before_it() {
        for (hidden, biases) in [(&[][..], true), (&[], false), (&[5, 2], true), (&[4], false), (&[3, 3, 2], true)] {
            let mut moved: NetworkBank<f64> = bank(4, hidden, biases, 10);
            let before = moved.clone();
            moved.step(&batch(4), &mut BankTape::default(), 1.0, |outputs, slopes| {
                for (at, (slope, d)) in slopes.iter_mut().zip(outputs).enumerate() {
                    *slope = (d - target(at)) * d * (1.0 - d);
                }
            });
            for at in 0..before.weights.len() {
                for lane in 0..LANES {
                    let mut shifted = before.clone();
                    let mut at_shift = |shift: f64| {
                        shifted.weights[at][lane] = before.weights[at][lane] + shift;
                        loss(&shifted, 4)
                    };
                    let slope = (at_shift(1e-5) - at_shift(-1e-5)) / 2e-5;
                    let found = before.weights[at][lane] - moved.weights[at][lane];
                    assert!((found - slope).abs() < 1e-6 * slope.abs().max(1e-3), "{hidden:?} {at} {found} {slope}");
                }
            }
        }
    }

    #[test]
    fn a_logistic_model_by_hand() {
        let mut bank: NetworkBank<f64> = bank(2, &[], true, 1);
        for (row, weight) in bank.weights.iter_mut().zip([0.5, -1.0, 0.25]) {
            row[0] = weight;
        }
        let mut tape = BankTape::default();
        // 0.5 x 2 - 1 x 1 + 0.25.
        assert!((bank.outputs(&[2.0, 1.0], [0], &mut tape)[0] - 1.0 / (1.0 + (-0.25f64).exp())).abs() < 1e-15);
        let mut batch = BankBatch::new(2);
        let case = batch.case(&[2.0, 1.0]);
        batch.pair(case, 0);
        bank.step(&batch, &mut tape, 0.5, |_, slopes| slopes[0] = -0.4);
        let found: Vec<f64> = bank.weights.iter().map(|row| row[0]).collect();
        assert!(found.iter().zip([0.9, -0.8, 0.45]).all(|(found, expected)| (found - expected).abs() < 1e-15));
    }

    #[test]
    fn one_more_annotator_changes_nobody() {
        let stream = Stream::new(3);
        let whole: NetworkBank<f32> = bank(3, &[5, 2], true, 19);
        let mut grown: NetworkBank<f32> = bank(3, &[5, 2], true, 7);
        for _ in 7..19 {
            grown.push(&stream);
        }
        assert_eq!((&grown, grown.annotators(), grown.inputs()), (&whole, 19, 3));
        let bounds: Vec<f32> = whole.weights.iter().flatten().map(|weight| weight.abs()).collect();
        assert!(bounds.iter().all(|&bound| bound <= 0.708) && bounds.iter().any(|&bound| bound > 0.5));
        grown.redraw(4, &Stream::new(9));
        assert_ne!(grown, whole);
        grown.redraw(4, &stream);
        assert_eq!(grown, whole);
    }

    #[test]
    fn any_subset_is_the_same_to_the_bit() {
        let bank: NetworkBank<f32> = bank(7, &[5, 2], true, 21);
        let (mut tape, x) = (BankTape::default(), features(7, 1));
        let all = bank.outputs(&x, 0..21, &mut tape).to_vec();
        for subset in [vec![20], vec![0, 8, 9, 17], vec![]] {
            let expected: Vec<f32> = subset.iter().map(|&annotator| all[annotator]).collect();
            assert_eq!(bank.outputs(&x, subset, &mut tape), expected);
        }
        let mut stepped = bank.clone();
        let mut batch = BankBatch::new(7);
        batch.case(&x);
        for annotator in [3, 20, 4] {
            batch.pair(0, annotator);
        }
        stepped.step(&batch, &mut tape, 1.0, |outputs, _| assert_eq!(outputs, [all[3], all[20], all[4]]));
        assert_eq!(stepped, bank, "no slope, no move");
    }

    #[test]
    fn nothing_is_allocated_after_the_first_step() {
        let (mut bank, batch, mut tape): (NetworkBank<f32>, _, _) =
            (bank(4, &[5, 2], true, 10), batch(4), BankTape::default());
        let mut step = || {
            bank.step(&batch, &mut tape, 0.1, |outputs, slopes| slopes.copy_from_slice(outputs));
            bank.outputs(&[1.0; 4], 0..10, &mut tape).len()
        };
        step();
        let measured = allocation_counter::measure(|| assert_eq!(step(), 10));
        assert_eq!(measured.count_total, 0);
    }

    #[test]
    fn shapes_are_checked() {
        let message = |inputs, hidden: &[usize], biases| {
            NetworkBank::<f32>::new(inputs, hidden, biases, 1, &Stream::new(1)).unwrap_err().to_string()
        };
        assert_eq!(message(2, &[5, 0], true), "the width of a hidden layer is 0, but must be 1 or more");
        assert_eq!(message(0, &[], false), "the number of features without biases is 0, but must be 1 or more");
        assert!(NetworkBank::<f32>::new(0, &[], true, 0, &Stream::new(1)).is_ok());
    }

    proptest! {
        #[test]
        fn no_features_and_no_slopes_break_a_bank(
            features in prop::collection::vec(prop::num::f64::ANY, 0..5),
            slope in prop::num::f32::ANY,
            hidden in prop::collection::vec(1usize..4, 0..3),
        ) {
            let mut bank: NetworkBank<f32> = bank(3, &hidden, true, 9);
            let (mut batch, mut tape) = (BankBatch::new(3), BankTape::default());
            let case = batch.case(&features);
            batch.pair(case, 8);
            for _ in 0..20 {
                bank.step(&batch, &mut tape, 1.0, |_, slopes| slopes[0] = slope);
            }
            let others = bank.outputs(&features, 0..8, &mut tape);
            prop_assert!(others.iter().all(|d| (0.0..=1.0).contains(d)), "{:?}", others);
            prop_assert_eq!(bank.outputs(&features, 8..9, &mut tape).len(), 1);
        }
    }
}
