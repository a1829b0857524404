//! Dense networks of any depth on batches with one case a column.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use deferral_core::{ParameterError, Stream};

use crate::product::{Factor, Keep, multiply, pad};
use crate::scalar::Scalar;
use crate::stable::sigmoid;
use crate::uncertain::{Noise, Prior};

/// What a layer does to its sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// Nothing.
    Identity,
    /// `max(0, z)`.
    Relu,
    /// `1 / (1 + e^-z)`.
    Sigmoid,
    /// `tanh z`.
    Tanh,
    /// z projected onto [0, 1]. Its gradient is that of projected gradient descent: it passes through, and is
    /// blocked only on the bound and only where a step would lead further outside.
    Projected,
}

/// How weights begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// Weights and biases uniform in plus or minus `1 / sqrt(inputs)`: the default of `PyTorch`'s linear layer.
    #[default]
    FanIn,
    /// Weights uniform in plus or minus `sqrt(6 / (inputs + outputs))`, biases the same with
    /// `inputs = outputs = ` their own number (Glorot and Bengio 2010, as in the released learning-to-defer code).
    Glorot,
    /// All zero.
    Zero,
}

/// The shape of a network. Depth 1 with one output is logistic regression, with K outputs softmax regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Features of a case, d.
    pub inputs: usize,
    /// Width and activation of each layer, the last being the output.
    pub layers: Vec<(usize, Activation)>,
    /// How weights begin.
    pub init: Init,
    /// Added to every bias of the output layer at the start.
    pub output_bias: f64,
    /// Whether it also sees, as its last feature beyond `inputs`, what the network before it says in
    /// [`train`](crate::train): its first output as a probability. No gradient flows back that way.
    pub fed: bool,
}

impl NetworkSpec {
    /// A network with the given hidden layers of rectified units and `outputs` raw outputs (identity): objectives
    /// apply their own link.
    ///
    /// ```
    /// use deferral_models::NetworkSpec;
    /// let spec = NetworkSpec::relu(100, &[128, 32], 21);
    /// assert_eq!(spec.layers.len(), 3);
    /// ```
    pub fn relu(inputs: usize, hidden: &[usize], outputs: usize) -> Self {
        let mut layers: Vec<_> = hidden.iter().map(|&width| (width, Activation::Relu)).collect();
        layers.push((outputs, Activation::Identity));
        Self { inputs, layers, init: Init::FanIn, output_bias: 0.0, fed: false }
    }

    /// One hidden layer of sigmoid units and one output, weights begun as in the released learning-to-defer code
    /// (Madras, Pitassi and Zemel 2018).
    pub fn sigmoid(inputs: usize, hidden: &[usize]) -> Self {
        let mut layers: Vec<_> = hidden.iter().map(|&width| (width, Activation::Sigmoid)).collect();
        layers.push((1, Activation::Identity));
        Self { inputs, layers, init: Init::Glorot, output_bias: 0.0, fed: false }
    }

    /// No network at all: `values` free parameters, the same outputs for every case, such as thresholds that are
    /// learned together with a network.
    pub fn free(values: usize) -> Self {
        Self { inputs: 0, layers: vec![(values, Activation::Identity)], init: Init::Zero, output_bias: 0.0, fed: false }
    }
}

/// The place of a layer's numbers in the flat parameter vector.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Layer {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) activation: Activation,
    pub(crate) weights_at: usize,
    pub(crate) biases_at: usize,
}

impl Layer {
    /// Those of its own inputs, without an extra column.
    pub(crate) fn weights<'a, S>(&self, parameters: &'a [S]) -> &'a [S] {
        &parameters[self.weights_at..self.weights_at + self.inputs * self.outputs]
    }
    /// The extra column of a network that is fed.
    fn extra<'a, S>(&self, parameters: &'a [S]) -> &'a [S] {
        &parameters[self.weights_at + self.inputs * self.outputs..self.biases_at]
    }
    pub(crate) fn biases<'a, S>(&self, parameters: &'a [S]) -> &'a [S] {
        &parameters[self.biases_at..self.biases_at + self.outputs]
    }
}

/// A dense network: `a_l = f_l(W_l a_(l-1) + b_l)`, all parameters in one flat vector.
///
/// Input and output are padded to 8 where they are narrower than 6, the output only behind a layer that is not (see
/// [`product`](crate::product)); padded
/// weights are zero and stay zero.
///
/// ```
/// use deferral_core::Stream;
/// use deferral_models::{Network, NetworkSpec, Tape};
/// let network = Network::<f32>::new(&NetworkSpec::relu(10, &[16], 7), &mut Stream::new(1).random())?;
/// let mut tape = Tape::new(&network, 4);
/// network.forward(&vec![0.5; 10 * 4], 4, &mut tape);
/// assert_eq!(tape.output().len(), 7 * 4);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Network<S: Scalar> {
    inputs: usize,
    outputs: usize,
    fed: bool,
    pub(crate) prior: Option<Prior>,
    pub(crate) layers: Vec<Layer>,
    /// The weights and biases; with a prior these are their means, and as many spreads follow.
    pub(crate) parameters: Vec<S>,
}

impl<S: Scalar> Network<S> {
    /// A network of the given shape with random weights.
    ///
    /// # Errors
    /// If there is no layer or a width is 0.
    pub fn new(spec: &NetworkSpec, random: &mut dyn Rng) -> Result<Self, ParameterError> {
        Self::shaped(spec, None, random)
    }

    /// A network whose weights are distributions, kept near `prior`: Bayes by backprop (Blundell et al. 2015). It has
    /// twice the parameters; every forward pass draws what the weights add up to ([`uncertain`](crate::uncertain)).
    ///
    /// # Errors
    /// As [`Network::new`], and if a number of the prior is out of range or the network is fed.
    pub fn uncertain(spec: &NetworkSpec, prior: Prior, random: &mut dyn Rng) -> Result<Self, ParameterError> {
        prior.check()?;
        ParameterError::check(!spec.fed, "what an uncertain network is fed by", "a network", "nothing")?;
        let mut network = Self::shaped(spec, Some(prior), random)?;
        let spreads = network.parameters.len();
        network.parameters.resize(2 * spreads, S::of(prior.start));
        Ok(network)
    }

    fn shaped(spec: &NetworkSpec, prior: Option<Prior>, random: &mut dyn Rng) -> Result<Self, ParameterError> {
        ParameterError::check(!spec.layers.is_empty(), "the number of layers", 0, "1 or more")?;
        // Only free parameters see nothing.
        let sees = spec.inputs > 0 || spec.init == Init::Zero;
        ParameterError::check(sees, "the width of the input", spec.inputs, "1 or more")?;
        for &(width, _) in &spec.layers {
            ParameterError::check(width > 0, "the width of a layer", width, "1 or more")?;
        }
        let mut network =
            Self { inputs: spec.inputs, outputs: 0, fed: spec.fed, prior, layers: Vec::new(), parameters: Vec::new() };
        // Padding would be weights of nothing, about which a distribution is uncertain.
        let pads = prior.is_none();
        let mut inputs = spec.inputs;
        for (at, &(outputs, activation)) in spec.layers.iter().enumerate() {
            let (first, last) = (at == 0, at + 1 == spec.layers.len());
            let extra = usize::from(first && spec.fed);
            // Networks that are trained together share their input, so its padding depends on nothing else.
            let rows = if first && pads && inputs > 0 { pad(inputs, usize::MAX) } else { inputs };
            network.append(activation, (rows, extra, if last && pads { pad(outputs, inputs) } else { outputs }));
            network.fill(spec, (inputs, extra, outputs), last, random);
            inputs = outputs;
        }
        network.outputs = inputs;
        Ok(network)
    }

    fn append(&mut self, activation: Activation, (inputs, extra, outputs): (usize, usize, usize)) {
        let weights_at = self.parameters.len();
        let biases_at = weights_at + (inputs + extra) * outputs;
        self.parameters.resize(biases_at + outputs, S::zero());
        self.layers.push(Layer { inputs, outputs, activation, weights_at, biases_at });
    }

    /// Draws the weights of the last appended layer; what is padding stays zero.
    fn fill(
        &mut self,
        spec: &NetworkSpec,
        (inputs, extra, outputs): (usize, usize, usize),
        last: bool,
        random: &mut dyn Rng,
    ) {
        let fan = (inputs + extra) as f64;
        let (weight_bound, bias_bound) = match spec.init {
            Init::FanIn => (1.0 / fan.sqrt(), 1.0 / fan.sqrt()),
            Init::Glorot => ((6.0 / (fan + outputs as f64)).sqrt(), (3.0 / outputs as f64).sqrt()),
            Init::Zero => (0.0, 0.0),
        };
        let mut uniform = |bound: f64| S::of(bound * (2.0 * random.random::<f64>() - 1.0));
        let layer = self.layers[self.layers.len() - 1];
        // The extra column stands behind the padding.
        for input in (0..inputs).chain((0..extra).map(|at| layer.inputs + at)) {
            for output in 0..outputs {
                self.parameters[layer.weights_at + input * layer.outputs + output] = uniform(weight_bound);
            }
        }
        for output in 0..outputs {
            let shift = S::of(if last { spec.output_bias } else { 0.0 });
            self.parameters[layer.biases_at + output] = uniform(bias_bound) + shift;
        }
    }

    /// Features of a case, d; 0 for free parameters.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Whether it also sees what the network before it says.
    pub fn is_fed(&self) -> bool {
        self.fed
    }

    /// Outputs for a case.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Rows of an input batch: d, padded.
    pub fn input_rows(&self) -> usize {
        self.layers[0].inputs
    }

    /// Rows of an output batch: the outputs, padded.
    pub fn output_rows(&self) -> usize {
        self.layers[self.layers.len() - 1].outputs
    }

    /// All weights and biases.
    pub fn parameters(&self) -> &[S] {
        &self.parameters
    }

    /// All weights and biases, to change.
    pub fn parameters_mut(&mut self) -> &mut [S] {
        &mut self.parameters
    }

    /// Computes the outputs of `n` cases, `input_rows() x n`, into the tape. Allocates nothing itself.
    ///
    /// # Panics
    /// If `input` is not of that size or the tape was made for fewer cases.
    pub fn forward(&self, input: &[S], n: usize, tape: &mut Tape<S>) {
        assert_eq!(input.len(), self.input_rows() * n, "size of an input batch");
        assert!(n <= tape.capacity, "a tape for {} cases got {n}", tape.capacity);
        tape.n = n;
        if self.prior.is_some() {
            return self.forward_uncertain(input, n, tape);
        }
        for (at, layer) in self.layers.iter().enumerate() {
            let (before, rest) = tape.activations.split_at_mut(at);
            let below = before.last().map_or(input, |a| &a[..layer.inputs * n]);
            let sums = &mut rest[0][..layer.outputs * n];
            let biases = layer.biases(&self.parameters);
            for column in sums.chunks_exact_mut(layer.outputs) {
                column.copy_from_slice(biases);
            }
            let weights = Factor::new(layer.weights(&self.parameters), layer.outputs, layer.inputs);
            if layer.inputs > 0 {
                multiply(sums, weights, Factor::new(below, layer.inputs, n), Keep::Sum);
            }
            if at == 0 && self.fed {
                let fed = Factor::new(&tape.fed[..n], 1, n);
                multiply(sums, Factor::new(layer.extra(&self.parameters), layer.outputs, 1), fed, Keep::Sum);
            }
            activate(layer.activation, sums);
        }
    }

    /// From the gradient of the loss with respect to the outputs, left in [`Tape::output_gradient`] after a
    /// [`Network::forward`] on the same input, computes the gradient with respect to all parameters.
    /// Allocates nothing itself.
    ///
    /// # Panics
    /// If `input` or `gradient` are not of the right size.
    pub fn backward(&self, input: &[S], tape: &mut Tape<S>, gradient: &mut [S]) {
        let n = tape.n;
        assert_eq!(gradient.len(), self.parameters.len(), "size of a gradient");
        if self.prior.is_some() {
            return self.backward_uncertain(input, tape, gradient);
        }
        for (at, layer) in self.layers.iter().enumerate().rev() {
            let (below_deltas, deltas) = tape.deltas.split_at_mut(at);
            let delta = &mut deltas[0][..layer.outputs * n];
            deactivate(layer.activation, &tape.activations[at][..layer.outputs * n], delta);
            let below = if at == 0 { input } else { &tape.activations[at - 1][..layer.inputs * n] };
            let (weights_gradient, rest) = gradient[layer.weights_at..].split_at_mut(layer.inputs * layer.outputs);
            let (extra_gradient, rest) = rest.split_at_mut(layer.biases_at - layer.weights_at - weights_gradient.len());
            let delta_factor = Factor::new(delta, layer.outputs, n);
            if layer.inputs > 0 {
                let below = Factor::new(below, layer.inputs, n).transposed();
                multiply(weights_gradient, delta_factor, below, Keep::Nothing);
            }
            if !extra_gradient.is_empty() {
                multiply(extra_gradient, delta_factor, Factor::new(&tape.fed[..n], n, 1), Keep::Nothing);
            }
            sum_columns(delta, &mut rest[..layer.outputs]);
            if let Some(below_delta) = below_deltas.last_mut() {
                let weights = Factor::new(layer.weights(&self.parameters), layer.outputs, layer.inputs);
                multiply(&mut below_delta[..layer.inputs * n], weights.transposed(), delta_factor, Keep::Nothing);
            }
        }
    }
}

/// The intermediate results of one network on batches of up to a fixed number of cases.
#[derive(Debug, Clone)]
pub struct Tape<S> {
    capacity: usize,
    pub(crate) n: usize,
    outputs: usize,
    output_rows: usize,
    pub(crate) activations: Vec<Vec<S>>,
    pub(crate) deltas: Vec<Vec<S>>,
    /// What the network before said of each case, for a network that is fed.
    fed: Vec<S>,
    /// What an uncertain network drew.
    pub(crate) noise: Option<Noise<S>>,
}

impl<S: Scalar> Tape<S> {
    /// Room for batches of up to `capacity` cases.
    pub fn new(network: &Network<S>, capacity: usize) -> Self {
        let buffers = || network.layers.iter().map(|layer| vec![S::zero(); layer.outputs * capacity]).collect();
        let output_rows = network.output_rows();
        let fed = vec![S::zero(); if network.fed { capacity } else { 0 }];
        let noise = network.prior.map(|_| Noise::new(&network.layers, capacity));
        Self {
            capacity,
            n: 0,
            outputs: network.outputs,
            output_rows,
            activations: buffers(),
            deltas: buffers(),
            fed,
            noise,
        }
    }

    /// Draws the noise of an uncertain network from `stream`.
    pub(crate) fn draw_from(&mut self, stream: Stream) {
        if let Some(noise) = &mut self.noise {
            noise.draw_from(stream);
        }
    }

    /// Notes what the network `before` says of the `n` cases of the next forward pass: its first output as a
    /// probability.
    ///
    /// # Panics
    /// If the network of this tape is not fed, or `before` has other cases.
    pub fn feed(&mut self, before: &Self) {
        let said = before.output().chunks_exact(before.output_rows);
        assert!(
            said.len() <= self.fed.len(),
            "a network that is fed by {} cases has room for {}",
            said.len(),
            self.fed.len()
        );
        for (fed, outputs) in self.fed.iter_mut().zip(said) {
            *fed = sigmoid(outputs[0]);
        }
    }

    /// Outputs for a case; rows beyond them are padding.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The outputs of the last forward pass, `output_rows() x n`.
    pub fn output(&self) -> &[S] {
        &self.activations[self.activations.len() - 1][..self.output_rows * self.n]
    }

    /// The outputs of the case at `place` in the batch, without padding, and the place for their gradient.
    ///
    /// # Panics
    /// If the last batch was smaller.
    pub fn case(&mut self, place: usize) -> (&[S], &mut [S]) {
        let start = place * self.output_rows;
        let range = start..start + self.outputs;
        let (outputs, gradient) = self.output_gradient();
        (&outputs[range.clone()], &mut gradient[range])
    }

    /// The outputs, and the place for the gradient of the loss with respect to them. Padded rows must be left zero.
    pub fn output_gradient(&mut self) -> (&[S], &mut [S]) {
        let (last, size) = (self.activations.len() - 1, self.output_rows * self.n);
        (&self.activations[last][..size], &mut self.deltas[last][..size])
    }
}

pub(crate) fn activate<S: Scalar>(activation: Activation, sums: &mut [S]) {
    match activation {
        Activation::Identity => {}
        Activation::Relu => {
            for z in sums {
                *z = if *z > S::zero() { *z } else { S::zero() };
            }
        }
        Activation::Sigmoid => {
            for z in sums {
                *z = sigmoid(*z);
            }
        }
        Activation::Tanh => {
            for z in sums {
                *z = z.tanh();
            }
        }
        Activation::Projected => {
            for z in sums {
                *z = if *z <= S::zero() { S::zero() } else { z.min(S::one()) };
            }
        }
    }
}

/// Turns the gradient with respect to a layer's outputs into that with respect to its sums.
pub(crate) fn deactivate<S: Scalar>(activation: Activation, outputs: &[S], delta: &mut [S]) {
    let pairs = delta.iter_mut().zip(outputs);
    match activation {
        Activation::Identity => {}
        Activation::Relu => {
            for (d, &a) in pairs {
                *d = if a > S::zero() { *d } else { S::zero() };
            }
        }
        Activation::Sigmoid => {
            for (d, &a) in pairs {
                *d *= a * (S::one() - a);
            }
        }
        Activation::Tanh => {
            for (d, &a) in pairs {
                *d *= S::one() - a * a;
            }
        }
        Activation::Projected => {
            for (d, &a) in pairs {
                let outwards = (a <= S::zero() && *d > S::zero()) || (a >= S::one() && *d < S::zero());
                if outwards {
                    *d = S::zero();
                }
            }
        }
    }
}

pub(crate) fn sum_columns<S: Scalar>(columns: &[S], sums: &mut [S]) {
    sums.fill(S::zero());
    for column in columns.chunks_exact(sums.len()) {
        for (sum, &value) in sums.iter_mut().zip(column) {
            *sum += value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half the squared outputs summed over cases, and its gradient.
    fn loss(network: &Network<f64>, input: &[f64], n: usize, tape: &mut Tape<f64>) -> f64 {
        network.forward(input, n, tape);
        let rows = network.output_rows();
        let (outputs, gradient) = tape.output_gradient();
        gradient.fill(0.0);
        let mut total = 0.0;
        for case in 0..n {
            for output in 0..network.outputs {
                let v = outputs[case * rows + output];
                gradient[case * rows + output] = v - 0.3;
                total += 0.5 * (v - 0.3) * (v - 0.3);
            }
        }
        total
    }

    #[test]
    fn gradients_match_central_differences_for_every_activation() {
        for activation in [Activation::Identity, Activation::Relu, Activation::Sigmoid, Activation::Tanh] {
            for (init, fed) in [(Init::FanIn, false), (Init::Glorot, false), (Init::Glorot, true)] {
                let layers = vec![(7, activation), (3, activation), (2, activation)];
                let spec = NetworkSpec { inputs: 3, layers, init, output_bias: 0.4, fed };
                let mut network = Network::<f64>::new(&spec, &mut Stream::new(5).random()).unwrap();
                let (n, rows) = (4, network.input_rows());
                let mut input = vec![0.0; rows * n];
                for (i, value) in input.iter_mut().enumerate().filter(|(i, _)| i % rows < 3) {
                    *value = ((i * 7919) % 13) as f64 / 6.0 - 1.0;
                }
                let mut tape = Tape::new(&network, n);
                tape.fed.iter_mut().zip([0.1, 0.9, 0.4, 0.7]).for_each(|(to, from)| *to = from);
                let mut gradient = vec![0.0; network.parameters.len()];
                loss(&network, &input, n, &mut tape);
                network.backward(&input, &mut tape, &mut gradient);
                for (at, &computed) in gradient.iter().enumerate() {
                    let (h, old) = (1e-6, network.parameters[at]);
                    network.parameters[at] = old + h;
                    let up = loss(&network, &input, n, &mut tape);
                    network.parameters[at] = old - h;
                    let down = loss(&network, &input, n, &mut tape);
                    network.parameters[at] = old;
                    let numeric = (up - down) / (2.0 * h);
                    assert!((numeric - computed).abs() <= 1e-6 * numeric.abs().max(1.0), "{activation:?} {at}");
                }
            }
        }
    }

    #[test]
    fn free_parameters_are_the_same_for_every_case_and_learn_from_all() {
        let mut network = Network::<f64>::new(&NetworkSpec::free(2), &mut Stream::new(1).random()).unwrap();
        network.parameters_mut()[..2].copy_from_slice(&[0.5, -1.0]);
        let mut tape = Tape::new(&network, 3);
        let mut gradient = vec![0.0; network.parameters().len()];
        loss(&network, &[], 3, &mut tape);
        network.backward(&[], &mut tape, &mut gradient);
        assert_eq!((network.inputs(), network.input_rows()), (0, 0));
        assert_eq!(tape.case(2).0, [0.5, -1.0]);
        assert!((gradient[0] - 0.6).abs() < 1e-12 && (gradient[1] + 3.9).abs() < 1e-12);
    }

    #[test]
    fn projection_blocks_only_outward_steps() {
        let mut delta = [1.0, -1.0, 1.0, -1.0, 2.0];
        deactivate(Activation::Projected, &[0.0, 0.0, 1.0, 1.0, 0.5], &mut delta);
        assert_eq!(delta, [0.0, -1.0, 1.0, 0.0, 2.0]);
    }

    #[test]
    fn a_network_without_layers_or_width_is_refused() {
        let mut random = Stream::new(1).random();
        assert!(Network::<f64>::new(&NetworkSpec::relu(0, &[], 1), &mut random).is_err());
        let message = Network::<f64>::new(&NetworkSpec::relu(2, &[0], 1), &mut random).unwrap_err().to_string();
        assert_eq!(message, "the width of a layer is 0, but must be 1 or more");
    }
}
