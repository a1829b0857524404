//! First-order steps on a flat parameter vector.

use serde::{Deserialize, Serialize};

use deferral_core::ParameterError;

use crate::scalar::Scalar;

/// How parameters move against the gradient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Optimiser {
    /// Gradient descent: `v = momentum v + g + decay w; w -= rate v`. Together with
    /// [`Activation::Projected`](crate::Activation::Projected) outputs it is projected gradient descent.
    Sgd {
        /// Step size, above 0.
        rate: f64,
        /// Share of the last step kept, in [0, 1); 0 by default.
        #[serde(default)]
        momentum: f64,
        /// Pull of the weights towards 0 (L2), 0 or more; 0 by default.
        #[serde(default)]
        decay: f64,
    },
    /// Adam (Kingma and Ba 2015) with decay rates .9 and .999 and epsilon 1e-8.
    Adam {
        /// Step size, above 0.
        rate: f64,
        /// Pull of the weights towards 0 (L2, added to the gradient), 0 or more; 0 by default.
        #[serde(default)]
        decay: f64,
    },
}

impl Optimiser {
    /// Plain gradient descent.
    pub fn sgd(rate: f64) -> Self {
        Self::Sgd { rate, momentum: 0.0, decay: 0.0 }
    }

    /// Adam without weight decay.
    pub fn adam(rate: f64) -> Self {
        Self::Adam { rate, decay: 0.0 }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the parameter that is outside.
    pub fn check(&self) -> Result<(), ParameterError> {
        let (rate, momentum, decay) = match *self {
            Self::Sgd { rate, momentum, decay } => (rate, momentum, decay),
            Self::Adam { rate, decay } => (rate, 0.0, decay),
        };
        let rate_ok = rate > 0.0 && rate.is_finite();
        ParameterError::check(rate_ok, "the learning rate", rate, "a finite number above 0")?;
        ParameterError::check((0.0..1.0).contains(&momentum), "the momentum", momentum, "at least 0 and below 1")?;
        let decay_ok = decay >= 0.0 && decay.is_finite();
        ParameterError::check(decay_ok, "the weight decay", decay, "a finite number, 0 or more")
    }
}

/// The memory of an optimiser for one parameter vector.
#[derive(Debug, Clone)]
pub(crate) struct Momenta<S> {
    optimiser: Optimiser,
    first: Vec<S>,
    second: Vec<S>,
    steps: i32,
}

impl<S: Scalar> Momenta<S> {
    pub(crate) fn new(optimiser: Optimiser, parameters: usize) -> Self {
        let (first, second) = match optimiser {
            Optimiser::Sgd { momentum: 0.0, .. } => (0, 0),
            Optimiser::Sgd { .. } => (parameters, 0),
            Optimiser::Adam { .. } => (parameters, parameters),
        };
        Self { optimiser, first: vec![S::zero(); first], second: vec![S::zero(); second], steps: 0 }
    }

    pub(crate) fn step(&mut self, parameters: &mut [S], gradient: &[S]) {
        self.steps += 1;
        let pairs = parameters.iter_mut().zip(gradient);
        match self.optimiser {
            Optimiser::Sgd { rate, momentum, decay } if self.first.is_empty() => {
                debug_assert!(momentum == 0.0);
                let (rate, decay) = (S::of(rate), S::of(decay));
                for (w, &g) in pairs {
                    *w -= rate * (g + decay * *w);
                }
            }
            Optimiser::Sgd { rate, momentum, decay } => {
                let (rate, momentum, decay) = (S::of(rate), S::of(momentum), S::of(decay));
                for ((w, &g), v) in pairs.zip(&mut self.first) {
                    *v = momentum * *v + g + decay * *w;
                    *w -= rate * *v;
                }
            }
            Optimiser::Adam { rate, decay } => {
                const BETA: (f64, f64) = (0.9, 0.999);
                // Both corrections for the zero start are folded into the step size and epsilon.
                let correction = (1.0 - BETA.1.powi(self.steps)).sqrt();
                let rate = S::of(rate * correction / (1.0 - BETA.0.powi(self.steps)));
                let epsilon = S::of(1e-8 * correction);
                let (keep1, new1) = (S::of(BETA.0), S::of(1.0 - BETA.0));
                let (keep2, new2) = (S::of(BETA.1), S::of(1.0 - BETA.1));
                let decay = S::of(decay);
                for (((w, &g), first), second) in pairs.zip(&mut self.first).zip(&mut self.second) {
                    let g = g + decay * *w;
                    *first = keep1 * *first + new1 * g;
                    *second = keep2 * *second + new2 * g * g;
                    *w -= rate * *first / (second.sqrt() + epsilon);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(optimiser: Optimiser, steps: usize) -> Vec<f64> {
        let mut w = vec![1.0];
        let mut momenta = Momenta::new(optimiser, 1);
        for _ in 0..steps {
            let gradient = [2.0 * w[0]];
            momenta.step(&mut w, &gradient);
        }
        w
    }

    #[test]
    fn first_steps_by_hand() {
        assert!((run(Optimiser::sgd(0.1), 2)[0] - 0.64).abs() < 1e-15);
        // v1 = 2, w = .8; v2 = .5 * 2 + 1.6 = 2.6, w = .54.
        let momentum = Optimiser::Sgd { rate: 0.1, momentum: 0.5, decay: 0.0 };
        assert!((run(momentum, 2)[0] - 0.54).abs() < 1e-15);
        let decay = Optimiser::Sgd { rate: 0.1, momentum: 0.0, decay: 1.0 };
        assert!((run(decay, 1)[0] - 0.7).abs() < 1e-15);
        // The first step of Adam has the length of the rate.
        assert!((run(Optimiser::adam(0.1), 1)[0] - 0.9).abs() < 1e-8);
    }

    #[test]
    fn ranges_are_checked_by_name() {
        let message = Optimiser::sgd(f64::NAN).check().unwrap_err().to_string();
        assert_eq!(message, "the learning rate is NaN, but must be a finite number above 0");
        assert!(Optimiser::Sgd { rate: 0.1, momentum: 1.0, decay: 0.0 }.check().is_err());
        assert!(Optimiser::Adam { rate: 0.1, decay: -1.0 }.check().is_err());
    }
}
