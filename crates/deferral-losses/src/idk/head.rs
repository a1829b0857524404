//! From the outputs of networks to a probability and a probability of asking, and the way back for gradients.

use deferral_models::stable::{sigmoid, softplus};
use deferral_models::{Network, NetworkSpec, Scalar, Tape};
use serde::{Deserialize, Serialize};

/// What networks say "I don't know".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdkModel {
    /// One network predicts; a second one, which sees the features and what the first says, decides whether to ask. No
    /// gradient flows from the second into the first through that input. This is the released model.
    #[default]
    TwoNetworks,
    /// One network with two outputs.
    OneNetwork,
    /// Ordinal regression with three classes, negative, don't know and positive (section 3.2.1 of the first version):
    /// one score s and two soft thresholds t0 < t1, learned together, `t1 = t0 + softplus(delta)`. It asks iff
    /// `t0 < s < t1`.
    Ordinal,
}

/// What a network head says of one case, with what its gradient needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Said {
    /// The log-odds of class 1, the question aside.
    pub(crate) logit: f64,
    /// The probability of asking.
    pub(crate) deferral: f64,
    /// By how much the model would ask, as log-odds: above 0 it does.
    pub(crate) asks: f64,
    slopes: Slopes,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Slopes {
    /// The model alone, or a log-odds of its own for the question.
    Apart,
    /// Ordinal regression: `P`, `N` and the slope of the threshold gap in its parameter.
    Ordinal { positive: f64, negative: f64, gap: f64 },
}

impl IdkModel {
    /// The networks for `inputs` features; without `asks` the model never asks.
    pub(crate) fn specs(self, inputs: usize, hidden: &[usize], asks: bool) -> Vec<NetworkSpec> {
        let predicts = NetworkSpec::sigmoid(inputs, hidden);
        match self {
            Self::Ordinal => vec![predicts, NetworkSpec::free(2)],
            _ if !asks => vec![predicts],
            Self::TwoNetworks => {
                let asks = NetworkSpec { fed: true, ..predicts.clone() };
                vec![predicts, asks]
            }
            Self::OneNetwork => {
                let mut both = predicts;
                if let Some(output) = both.layers.last_mut() {
                    output.0 = 2;
                }
                vec![both]
            }
        }
    }

    /// Thresholds that start one on either side of 0.
    pub(crate) fn prepare<S: Scalar>(self, networks: &mut [Network<S>]) {
        if let (Self::Ordinal, [_, thresholds]) = (self, networks) {
            // softplus(1.854_587) = 2.
            thresholds.parameters_mut()[..2].copy_from_slice(&[S::of(-1.0), S::of(1.854_586_542_131_141)]);
        }
    }

    /// What raw outputs, network after network, say.
    pub(crate) fn read<S: Scalar>(self, first: &[S], second: Option<&[S]>) -> Said {
        let apart = |logit: S, asks: Option<S>| Said {
            logit: logit.wide(),
            deferral: asks.map_or(0.0, |u| sigmoid(u.wide())),
            asks: asks.map_or(f64::NEG_INFINITY, S::wide),
            slopes: Slopes::Apart,
        };
        match (self, first, second) {
            (Self::Ordinal, &[score, ..], Some(&[t0, delta, ..])) => ordinal(score.wide(), t0.wide(), delta.wide()),
            (_, &[logit, asks], _) => apart(logit, Some(asks)),
            (_, &[logit, ..], second) => apart(logit, second.and_then(|outputs| outputs.first().copied())),
            (_, [], _) => apart(S::zero(), None),
        }
    }

    /// What the tapes say of the case at `place`.
    pub(crate) fn read_tapes<S: Scalar>(self, tapes: &mut [Tape<S>], place: usize) -> Said {
        match tapes {
            [one, two] => self.read(one.case(place).0, Some(two.case(place).0)),
            [one, ..] => self.read(one.case(place).0, None),
            [] => self.read::<S>(&[], None),
        }
    }
}

impl Said {
    /// Writes the gradient of a case to the tapes from the slopes of the loss in the log-odds of class 1 and in the
    /// probability of asking.
    pub(crate) fn write<S: Scalar>(&self, tapes: &mut [Tape<S>], place: usize, logit: f64, deferral: f64) {
        match (self.slopes, tapes) {
            (Slopes::Apart, [one, rest @ ..]) => {
                let asks = S::of(deferral * self.deferral * (1.0 - self.deferral));
                let gradient = one.case(place).1;
                gradient[0] += S::of(logit);
                match (gradient, rest) {
                    ([_, second], _) => *second += asks,
                    (_, [two, ..]) => two.case(place).1[0] += asks,
                    _ => {}
                }
            }
            (Slopes::Ordinal { positive: p, negative: n, gap }, [score, thresholds]) => {
                let (of_p, of_n) = (p * (1.0 - p), n * (1.0 - n));
                let in_score = logit * ((1.0 - p) + (1.0 - n)) + deferral * (of_n - of_p);
                let in_t0 = -logit * (1.0 - n) - deferral * of_n;
                let in_t1 = -logit * (1.0 - p) + deferral * of_p;
                score.case(place).1[0] += S::of(in_score);
                let gradient = thresholds.case(place).1;
                gradient[0] += S::of(in_t0 + in_t1);
                gradient[1] += S::of(in_t1 * gap);
            }
            _ => {}
        }
    }
}

/// `P = sigmoid(s - t1)`, `N = 1 - sigmoid(s - t0)`, the rest asks, and `p = P / (P + N)`: equation 10 of the first
/// version. The log-odds of p are `ln P - ln N`, which stay finite where both vanish.
fn ordinal(score: f64, t0: f64, delta: f64) -> Said {
    let t1 = t0 + softplus(delta);
    let (positive, negative) = (sigmoid(score - t1), sigmoid(t0 - score));
    Said {
        logit: softplus(score - t0) - softplus(t1 - score),
        deferral: (1.0 - positive - negative).max(0.0),
        asks: (score - t0).min(t1 - score),
        slopes: Slopes::Ordinal { positive, negative, gap: sigmoid(delta) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinal_regression_by_hand() {
        // ALGORITHMS 5.3: s = .5, t = (-1, 1).
        let said = ordinal(0.5, -1.0, 2.0f64.exp_m1().ln());
        let Slopes::Ordinal { positive, negative, .. } = said.slopes else { panic!("not ordinal") };
        for (found, expected) in
            [(positive, 0.377_541), (said.deferral, 0.440_034), (negative, 0.182_426), (sigmoid(said.logit), 0.674_220)]
        {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        assert_eq!(said.asks, 0.5);
        // It says so if and only if the score lies between the thresholds.
        assert!(ordinal(1.5, -1.0, 2.0f64.exp_m1().ln()).asks < 0.0);
        assert!(ordinal(800.0, -1.0, 1.0).logit.is_finite() && ordinal(0.0, -900.0, 1800.0).logit.is_finite());
    }
}
