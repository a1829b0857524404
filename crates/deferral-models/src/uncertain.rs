//! Networks whose weights are distributions: Bayes by backprop with local reparametrisation.
//!
//! Every weight is `w ~ N(mu, softplus(rho)^2)`. The sums of a layer are then normal too, so what is drawn is one number
//! a unit and case, `z = W a + b + sqrt(sigma_W^2 a^2 + sigma_b^2) e` with `e ~ N(0, 1)` (Blundell et al. 2015; Kingma,
//! Salimans and Welling 2015). Training adds the divergence of the weights from their prior `N(0, s^2)`,
//! `sum ln(s / sigma) + (sigma^2 + mu^2) / (2 s^2) - 1/2`, divided by the number of training cases.

use deferral_core::{ParameterError, Random, Stream};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::network::{Layer, Network, Tape, activate, deactivate, sum_columns};
use crate::product::{Factor, Keep, multiply};
use crate::scalar::Scalar;
use crate::stable::{sigmoid, softplus};

/// What the weights are before any case is seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prior {
    /// The standard deviation s, above 0.
    pub deviation: f64,
    /// Where every rho starts: softplus of it is the standard deviation of a weight.
    pub start: f64,
    /// The number of training cases, by which the divergence is divided, 1 or more.
    pub cases: usize,
}

impl Prior {
    /// Standard normal weights that start almost certain (rho = -3, a standard deviation of .0486), for `cases`
    /// training cases.
    pub fn standard(cases: usize) -> Self {
        Self { deviation: 1.0, start: -3.0, cases }
    }

    pub(crate) fn check(&self) -> Result<(), ParameterError> {
        let ok = self.deviation > 0.0 && self.deviation.is_finite();
        ParameterError::check(ok, "the prior's standard deviation", self.deviation, "a finite number above 0")?;
        ParameterError::check(self.start.is_finite(), "the first rho", self.start, "a finite number")?;
        ParameterError::check(self.cases > 0, "the number of cases of the prior", self.cases, "1 or more")
    }

    /// How far `N(mean, deviation^2)` is from the prior, in nats: the Kullback-Leibler divergence.
    ///
    /// ```
    /// use deferral_models::Prior;
    /// assert!((Prior::standard(1).divergence(0.5, 0.1) - 1.932585).abs() < 1e-6);
    /// ```
    pub fn divergence(&self, mean: f64, deviation: f64) -> f64 {
        let s = self.deviation;
        (s / deviation).ln() + (deviation * deviation + mean * mean) / (2.0 * s * s) - 0.5
    }
}

/// What an uncertain network drew in its last forward pass, layer by layer.
#[derive(Debug, Clone)]
pub(crate) struct Noise<S> {
    /// Every forward pass draws from a stream of its own.
    stream: Stream,
    passes: usize,
    draws: Vec<Vec<S>>,
    deviations: Vec<Vec<S>>,
    /// Room for the squares of what enters a layer, and for the slopes in the variances.
    squares: Vec<S>,
    slopes: Vec<S>,
    /// Room for the slopes in the layer below.
    below: Vec<S>,
    /// Variances of the weights of a layer.
    variances: Vec<S>,
}

impl<S: Scalar> Noise<S> {
    pub(crate) fn new(layers: &[Layer], capacity: usize) -> Self {
        let widest = |of: fn(&Layer) -> usize| layers.iter().map(of).max().unwrap_or(0);
        let units = || layers.iter().map(|layer| vec![S::zero(); layer.outputs * capacity]).collect();
        Self {
            stream: Stream::new(0),
            passes: 0,
            draws: units(),
            deviations: units(),
            squares: vec![S::zero(); widest(|layer| layer.inputs) * capacity],
            slopes: vec![S::zero(); widest(|layer| layer.outputs) * capacity],
            below: vec![S::zero(); widest(|layer| layer.inputs) * capacity],
            variances: vec![S::zero(); widest(|layer| (layer.inputs + 1) * layer.outputs)],
        }
    }
}

impl<S> Noise<S> {
    /// Draws from `stream` from now on.
    pub(crate) fn draw_from(&mut self, stream: Stream) {
        (self.stream, self.passes) = (stream, 0);
    }

    fn random(&mut self) -> Random {
        self.passes += 1;
        self.stream.at(self.passes)
    }
}

impl<S: Scalar> Network<S> {
    /// How far all weights are from the prior, divided by the number of training cases; 0 without a prior.
    pub fn divergence(&self) -> f64 {
        let Some(prior) = self.prior else { return 0.0 };
        let (means, spreads) = self.parameters.split_at(self.parameters.len() / 2);
        let of = |(mean, spread): (&S, &S)| prior.divergence(mean.wide(), softplus(spread.wide()));
        means.iter().zip(spreads).map(of).sum::<f64>() / prior.cases as f64
    }

    /// A network with certain weights, drawn from these distributions; the same network without a prior.
    #[must_use]
    pub fn sample(&self, random: &mut dyn Rng) -> Self {
        if self.prior.is_none() {
            return self.clone();
        }
        let (means, spreads) = self.parameters.split_at(self.parameters.len() / 2);
        let mut draw = |(mean, spread): (&S, &S)| {
            let e: f64 = StandardNormal.sample(random);
            S::of(mean.wide() + softplus(spread.wide()) * e)
        };
        let parameters = means.iter().zip(spreads).map(&mut draw).collect();
        let mut sampled = self.clone();
        (sampled.prior, sampled.parameters) = (None, parameters);
        sampled
    }

    pub(crate) fn forward_uncertain(&self, input: &[S], n: usize, tape: &mut Tape<S>) {
        let Some(noise) = &mut tape.noise else { return };
        let mut random = noise.random();
        let (means, spreads) = self.parameters.split_at(self.parameters.len() / 2);
        for (at, layer) in self.layers.iter().enumerate() {
            let (before, rest) = tape.activations.split_at_mut(at);
            let below = before.last().map_or(input, |a| &a[..layer.inputs * n]);
            let size = layer.outputs * n;
            let sums = &mut rest[0][..size];
            add_up(layer, means, below, n, sums);
            let squares = &mut noise.squares[..below.len()];
            for (square, &value) in squares.iter_mut().zip(below) {
                *square = value * value;
            }
            let variances = variances_of(layer, spreads, &mut noise.variances);
            let deviations = &mut noise.deviations[at][..size];
            add_up(&layer.alone(), variances, squares, n, deviations);
            for ((sum, deviation), draw) in sums.iter_mut().zip(deviations).zip(&mut noise.draws[at][..size]) {
                *deviation = deviation.sqrt();
                let e: f64 = StandardNormal.sample(&mut random);
                *draw = S::of(e);
                *sum += *deviation * *draw;
            }
            activate(layer.activation, sums);
        }
    }

    pub(crate) fn backward_uncertain(&self, input: &[S], tape: &mut Tape<S>, gradient: &mut [S]) {
        let (n, half) = (tape.n, self.parameters.len() / 2);
        let Some(noise) = &mut tape.noise else { return };
        let (means, spreads) = self.parameters.split_at(half);
        let (of_means, of_spreads) = gradient.split_at_mut(half);
        for (at, layer) in self.layers.iter().enumerate().rev() {
            let size = layer.outputs * n;
            let (below_deltas, deltas) = tape.deltas.split_at_mut(at);
            let delta = &mut deltas[0][..size];
            deactivate(layer.activation, &tape.activations[at][..size], delta);
            let below = if at == 0 { input } else { &tape.activations[at - 1][..layer.inputs * n] };
            // The slope in the variance of a sum is that in the sum times e / (2 sqrt(variance)).
            let slopes = &mut noise.slopes[..size];
            let drawn = noise.draws[at][..size].iter().zip(&noise.deviations[at][..size]);
            for ((slope, &d), (&e, &deviation)) in slopes.iter_mut().zip(delta.iter()).zip(drawn) {
                *slope = d * e / (deviation + deviation);
            }
            for (square, &value) in noise.squares.iter_mut().zip(below) {
                *square = value * value;
            }
            slopes_of(layer, delta, below, n, of_means);
            slopes_of(layer, slopes, &noise.squares[..below.len()], n, of_spreads);
            if let Some(below_delta) = below_deltas.last_mut() {
                let below_delta = &mut below_delta[..layer.inputs * n];
                let weights = Factor::new(layer.weights(means), layer.outputs, layer.inputs).transposed();
                multiply(below_delta, weights, Factor::new(delta, layer.outputs, n), Keep::Nothing);
                let variances = variances_of(layer, spreads, &mut noise.variances);
                let variances = Factor::new(layer.alone().weights(variances), layer.outputs, layer.inputs).transposed();
                let through = &mut noise.below[..layer.inputs * n];
                multiply(through, variances, Factor::new(slopes, layer.outputs, n), Keep::Nothing);
                for ((to, &value), &slope) in below_delta.iter_mut().zip(below).zip(through.iter()) {
                    *to += (value + value) * slope;
                }
            }
        }
        self.add_divergence(gradient);
    }

    /// Turns slopes in variances into slopes in rho and adds those of the divergence.
    fn add_divergence(&self, gradient: &mut [S]) {
        let Some(prior) = self.prior else { return };
        let half = self.parameters.len() / 2;
        let share = 1.0 / prior.cases as f64;
        let precision = 1.0 / (prior.deviation * prior.deviation);
        for at in 0..half {
            let (mean, rho) = (self.parameters[at].wide(), self.parameters[half + at].wide());
            let deviation = softplus(rho);
            gradient[at] += S::of(share * mean * precision);
            let in_deviation =
                2.0 * deviation * gradient[half + at].wide() + share * (deviation * precision - 1.0 / deviation);
            gradient[half + at] = S::of(in_deviation * sigmoid(rho));
        }
    }
}

impl Layer {
    /// The same layer with its numbers at the beginning.
    fn alone(&self) -> Self {
        Self { weights_at: 0, biases_at: self.inputs * self.outputs, ..*self }
    }
}

/// `W a + b` for n columns.
fn add_up<S: Scalar>(layer: &Layer, parameters: &[S], below: &[S], n: usize, sums: &mut [S]) {
    for column in sums.chunks_exact_mut(layer.outputs) {
        column.copy_from_slice(layer.biases(parameters));
    }
    let weights = Factor::new(layer.weights(parameters), layer.outputs, layer.inputs);
    multiply(sums, weights, Factor::new(below, layer.inputs, n), Keep::Sum);
}

/// The slopes in weights and biases from those in the sums.
fn slopes_of<S: Scalar>(layer: &Layer, delta: &[S], below: &[S], n: usize, gradient: &mut [S]) {
    let (weights, rest) = gradient[layer.weights_at..].split_at_mut(layer.inputs * layer.outputs);
    let below = Factor::new(below, layer.inputs, n).transposed();
    multiply(weights, Factor::new(delta, layer.outputs, n), below, Keep::Nothing);
    sum_columns(delta, &mut rest[..layer.outputs]);
}

/// The variances of a layer's weights and biases.
fn variances_of<'a, S: Scalar>(layer: &Layer, spreads: &[S], room: &'a mut [S]) -> &'a [S] {
    let spreads = &spreads[layer.weights_at..layer.biases_at + layer.outputs];
    let room = &mut room[..spreads.len()];
    for (variance, spread) in room.iter_mut().zip(spreads) {
        let deviation = S::of(softplus(spread.wide()));
        *variance = deviation * deviation;
    }
    room
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, Init, NetworkSpec};

    fn network(seed: u64) -> Network<f64> {
        let layers = vec![(4, Activation::Sigmoid), (2, Activation::Identity)];
        let spec = NetworkSpec { inputs: 3, layers, init: Init::Glorot, output_bias: 0.0, fed: false };
        let prior = Prior { deviation: 0.7, start: -0.5, cases: 10 };
        Network::uncertain(&spec, prior, &mut Stream::new(seed).random()).unwrap()
    }

    /// A smooth loss of the outputs plus the divergence; the same noise every time.
    fn loss(network: &Network<f64>, input: &[f64], tape: &mut Tape<f64>) -> f64 {
        tape.draw_from(Stream::new(9));
        network.forward(input, 5, tape);
        let (outputs, gradient) = tape.output_gradient();
        gradient.copy_from_slice(outputs);
        outputs.iter().map(|v| 0.5 * v * v).sum::<f64>() + network.divergence()
    }

    #[test]
    fn gradients_match_central_differences() {
        let mut network = network(3);
        let input: Vec<f64> = (0..15).map(|i| f64::from((i * 7919) % 13) / 6.0 - 1.0).collect();
        let mut tape = Tape::new(&network, 5);
        let mut gradient = vec![0.0; network.parameters().len()];
        loss(&network, &input, &mut tape);
        network.backward(&input, &mut tape, &mut gradient);
        for (at, &computed) in gradient.iter().enumerate() {
            let (h, old) = (1e-6, network.parameters[at]);
            let mut moved = |to: f64| {
                network.parameters[at] = to;
                loss(&network, &input, &mut tape)
            };
            let numeric = (moved(old + h) - moved(old - h)) / (2.0 * h);
            moved(old);
            assert!((numeric - computed).abs() <= 1e-6 * numeric.abs().max(1.0), "{at}: {numeric} {computed}");
        }
    }

    #[test]
    fn sums_have_the_distribution_of_sampled_weights() {
        let network = network(5);
        let input = [0.3, -1.2, 0.8];
        let moments = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            (mean, values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / values.len() as f64)
        };
        let mut tape = Tape::new(&network, 1);
        let locally: Vec<f64> = (0..20_000)
            .map(|_| {
                network.forward(&input, 1, &mut tape);
                tape.output()[0]
            })
            .collect();
        let mut random = Stream::new(4).random();
        let globally: Vec<f64> = (0..20_000)
            .map(|_| {
                let sampled = network.sample(&mut random);
                let mut tape = Tape::new(&sampled, 1);
                sampled.forward(&input, 1, &mut tape);
                tape.output()[0]
            })
            .collect();
        let ((mean, variance), (expected, spread)) = (moments(&locally), moments(&globally));
        // Standard errors of means and variances of 20,000 draws: .007 and 1 % of the deviation and the variance.
        assert!((mean - expected).abs() < 0.04 * spread.sqrt(), "{mean} {expected}");
        assert!((variance / spread - 1.0).abs() < 0.06, "{variance} {spread}");
    }

    #[test]
    fn ranges_are_checked() {
        let spec = NetworkSpec::sigmoid(3, &[2]);
        let of = |prior| Network::<f64>::uncertain(&spec, prior, &mut Stream::new(1).random()).map(|_| ());
        let message = of(Prior { deviation: 0.0, ..Prior::standard(5) }).unwrap_err().to_string();
        assert_eq!(message, "the prior's standard deviation is 0, but must be a finite number above 0");
        assert!(of(Prior { start: f64::NAN, ..Prior::standard(5) }).is_err());
        assert!(of(Prior::standard(0)).is_err());
    }
}
