//! The loss of a batch: what the model gets wrong, what the decision-maker gets wrong, and what asking costs.

use deferral_models::stable::{sigmoid, softplus};
use deferral_models::{Batch, Expected, ExpectedSlope, Objective, Penalty, Scalar, Tape};
use serde::{Deserialize, Serialize};

use super::data::Answers;
use super::head::{IdkModel, Said};

/// What the model is trained for; equations in the [module](super).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aim {
    /// To be right by itself. Ordinal regression is then trained by `-ln P` or `-ln N`, and asks where it is torn.
    Predict,
    /// To be right where it does not ask, asking costs `gamma`.
    Reject,
    /// To be right together with the decision-maker, asking costs `gamma` beyond their errors.
    #[default]
    Defer,
}

/// The objective of [`Idk`](super::Idk). Case weights scale the loss of a case; the penalty sees them too.
pub struct IdkObjective {
    aim: Aim,
    model: IdkModel,
    gamma: f64,
    alpha: f64,
    truth: Vec<f64>,
    answers: Answers,
    penalty: Box<dyn Penalty>,
    said: Vec<Said>,
    expected: Vec<Expected>,
    slopes: Vec<ExpectedSlope>,
}

impl std::fmt::Debug for IdkObjective {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdkObjective").field("aim", &self.aim).field("n", &self.truth.len()).finish_non_exhaustive()
    }
}

impl IdkObjective {
    /// The loss for cases with these truths (0 or 1) and answers of the decision-maker.
    pub(crate) fn new(aim: Aim, model: IdkModel, truth: Vec<f64>, answers: Answers) -> Self {
        Self {
            aim,
            model,
            gamma: 0.0,
            alpha: 0.0,
            truth,
            answers,
            penalty: Box::new(deferral_models::NoPenalty),
            said: Vec::new(),
            expected: Vec::new(),
            slopes: Vec::new(),
        }
    }

    /// The same with a price of asking.
    pub(crate) fn with_price(self, gamma: f64) -> Self {
        Self { gamma, ..self }
    }

    /// The same with `alpha` times a penalty.
    pub(crate) fn with_penalty(self, alpha: f64, penalty: Box<dyn Penalty>) -> Self {
        Self { alpha, penalty, ..self }
    }

    /// What the system is expected to do with a case. A model that is not told of the decision-maker is judged alone.
    fn expect(&self, case: usize, said: &Said) -> Expected {
        let model = sigmoid(said.logit);
        match self.answers.probability[case] {
            Some(expert) if self.may_ask(case) => Expected { model, deferral: said.deferral, expert },
            _ => Expected::model_alone(model),
        }
    }

    /// Whether the system's outcome depends on whether the decision-maker is asked.
    fn may_ask(&self, case: usize) -> bool {
        self.aim == Aim::Defer && self.answers.probability[case].is_some()
    }

    /// The loss of a case, and its slopes in the log-odds of class 1 and in the probability of asking.
    fn case(&self, case: usize, said: &Said) -> (f64, f64, f64) {
        let y = self.truth[case];
        let own = if y > 0.5 { softplus(-said.logit) } else { softplus(said.logit) };
        let wrong_by = sigmoid(said.logit) - y;
        let asks = said.deferral;
        let price = match self.aim {
            Aim::Predict if self.model == IdkModel::Ordinal => {
                let keeps = (1.0 - asks).max(f64::MIN_POSITIVE);
                return (own - keeps.ln(), wrong_by, 1.0 / keeps);
            }
            // Who cannot answer is not asked.
            Aim::Defer if !self.may_ask(case) => return (own, wrong_by, 0.0),
            Aim::Predict => return (own, wrong_by, 0.0),
            Aim::Reject => self.gamma,
            Aim::Defer => self.answers.loss[case] + self.gamma,
        };
        ((1.0 - asks) * own + asks * price, (1.0 - asks) * wrong_by, price - own)
    }
}

impl<S: Scalar> Objective<S> for IdkObjective {
    fn evaluate(&mut self, batch: &Batch<'_>, tapes: &mut [Tape<S>], _: usize) -> f64 {
        let share = 1.0 / batch.cases.len() as f64;
        self.said.clear();
        self.said.extend((0..batch.cases.len()).map(|place| self.model.read_tapes(tapes, place)));
        let penalised = self.alpha != 0.0;
        let mut loss = 0.0;
        if penalised {
            let mut expected = std::mem::take(&mut self.expected);
            expected.clear();
            expected.extend(batch.cases.iter().zip(&self.said).map(|(&case, said)| self.expect(case, said)));
            self.slopes.resize(expected.len(), ExpectedSlope::default());
            loss += self.alpha * self.penalty.evaluate(batch, &expected, &mut self.slopes);
            self.expected = expected;
        }
        for (place, (&case, &weight)) in batch.cases.iter().zip(batch.weights).enumerate() {
            let said = self.said[place];
            let (own, mut logit, mut deferral) = self.case(case, &said);
            loss += weight * share * own;
            (logit, deferral) = (logit * weight * share, deferral * weight * share);
            if penalised {
                let (slope, p) = (self.slopes[place], self.expected[place].model);
                logit += self.alpha * slope.model * p * (1.0 - p);
                // Only who may be asked changes with the probability of asking.
                if self.may_ask(case) {
                    deferral += self.alpha * slope.deferral;
                }
            }
            said.write(tapes, place, logit, deferral);
        }
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idk::data::ExpertLoss;
    use deferral_core::Stream;
    use deferral_models::{Network, NetworkSpec};
    use proptest::prelude::*;

    /// Half the squared expected outcome, a penalty whose slopes are easy.
    struct Square;
    impl Penalty for Square {
        fn evaluate(&mut self, _: &Batch<'_>, expected: &[Expected], slopes: &mut [ExpectedSlope]) -> f64 {
            let mut total = 0.0;
            for (e, slope) in expected.iter().zip(slopes) {
                let system = e.system();
                total += 0.5 * system * system;
                *slope = ExpectedSlope { model: system * (1.0 - e.deferral), deferral: system * (e.expert - e.model) };
            }
            total
        }
    }

    fn answers(truth: &[f64], q: &[Option<f64>]) -> Answers {
        let loss = |(q, &y): (&Option<f64>, &f64)| q.map_or(0.0, |q| ExpertLoss::CrossEntropy.of(y, q));
        Answers { loss: q.iter().zip(truth).map(loss).collect(), probability: q.to_vec() }
    }

    /// One case whose networks say exactly these raw outputs.
    fn tapes(raw: &[&[f64]]) -> (Vec<Network<f64>>, Vec<Tape<f64>>) {
        let network = |values: &&[f64]| {
            let mut network = Network::new(&NetworkSpec::free(values.len()), &mut Stream::new(1).random()).unwrap();
            network.parameters_mut()[..values.len()].copy_from_slice(values);
            network
        };
        let networks: Vec<Network<f64>> = raw.iter().map(network).collect();
        let tapes = networks
            .iter()
            .map(|network| {
                let mut tape = Tape::new(network, 1);
                network.forward(&[], 1, &mut tape);
                tape.output_gradient().1.fill(0.0);
                tape
            })
            .collect();
        (networks, tapes)
    }

    fn evaluate(objective: &mut IdkObjective, raw: &[&[f64]]) -> (f64, Vec<Vec<f64>>) {
        let (_, mut tapes) = tapes(raw);
        let loss = objective.evaluate(&Batch { cases: &[0], weights: &[1.0] }, &mut tapes, 1);
        (loss, tapes.iter_mut().map(|tape| tape.case(0).1.to_vec()).collect())
    }

    fn logit(p: f64) -> f64 {
        (p / (1.0 - p)).ln()
    }

    #[test]
    fn the_published_example() {
        // ALGORITHMS 5.1: y = 1, p = .8, q = .3, pi = .25, gamma = .1.
        let raw: [&[f64]; 2] = [&[logit(0.8)], &[logit(0.25)]];
        let mut defer = IdkObjective::new(Aim::Defer, IdkModel::TwoNetworks, vec![1.0], answers(&[1.0], &[Some(0.3)]))
            .with_price(0.1);
        let (loss, gradient) = evaluate(&mut defer, &raw);
        assert!((loss - 0.493_351).abs() < 1e-6);
        // Slopes in p and pi, times those of the sigmoid.
        assert!((gradient[0][0] - -0.9375 * 0.8 * 0.2).abs() < 1e-6);
        assert!((gradient[1][0] - 1.080_829 * 0.25 * 0.75).abs() < 1e-6);
        let mut reject =
            IdkObjective::new(Aim::Reject, IdkModel::TwoNetworks, vec![1.0], answers(&[1.0], &[Some(0.3)]))
                .with_price(0.1);
        assert!((evaluate(&mut reject, &raw).0 - 0.192_358).abs() < 1e-6);
    }

    #[test]
    fn ordinal_gradients_by_hand() {
        let raw: [&[f64]; 2] = [&[0.5], &[-1.0, 2.0f64.exp_m1().ln()]];
        let of = |y: f64| {
            let mut idk = IdkObjective::new(Aim::Predict, IdkModel::Ordinal, vec![y], answers(&[y], &[None]));
            evaluate(&mut idk, &raw)
        };
        let ((loss, gradient), (other, opposite)) = (of(1.0), of(0.0));
        assert!((loss - -0.377_541_f64.ln()).abs() < 1e-5 && (other - -0.182_426_f64.ln()).abs() < 1e-5);
        assert!((gradient[0][0] + 0.622_459).abs() < 1e-6 && (opposite[0][0] - 0.817_574).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn gradients_match_central_differences(
            raw in prop::collection::vec(-3.0f64..3.0, 3),
            (y, q, missing) in (prop::bool::ANY, 0.0f64..1.0, 0u8..4),
            gamma in -0.3f64..0.7, alpha in -0.2f64..1.0,
        ) {
            let y = f64::from(y);
            let q = (missing > 0).then_some(q);
            for (aim, model) in [Aim::Predict, Aim::Reject, Aim::Defer].into_iter().flat_map(|aim| {
                [IdkModel::TwoNetworks, IdkModel::OneNetwork, IdkModel::Ordinal].map(|model| (aim, model))
            }) {
                let parts = |raw: &[f64]| match model {
                    IdkModel::TwoNetworks => vec![vec![raw[0]], vec![raw[1]]],
                    IdkModel::OneNetwork => vec![vec![raw[0], raw[1]]],
                    IdkModel::Ordinal => vec![vec![raw[0]], vec![raw[1], raw[2]]],
                };
                let loss = |raw: &[f64]| {
                    let parts = parts(raw);
                    let parts: Vec<&[f64]> = parts.iter().map(Vec::as_slice).collect();
                    let mut objective = IdkObjective::new(aim, model, vec![y], answers(&[y], &[q]))
                        .with_price(gamma)
                        .with_penalty(alpha, Box::new(Square));
                    let (loss, gradient) = evaluate(&mut objective, &parts);
                    (loss, gradient.concat())
                };
                let (_, gradient) = loss(&raw);
                for at in 0..gradient.len() {
                    let h = 1e-6;
                    let mut moved = raw.clone();
                    moved[at] = raw[at] + h;
                    let up = loss(&moved).0;
                    moved[at] = raw[at] - h;
                    let numeric = (up - loss(&moved).0) / (2.0 * h);
                    prop_assert!(
                        (numeric - gradient[at]).abs() <= 1e-6 * numeric.abs().max(1.0),
                        "{:?} {:?} {}: {} {}", aim, model, at, numeric, gradient[at]
                    );
                }
            }
        }

        /// Theorem of section 2.3: with a decision-maker who is always right, deferring is rejecting.
        #[test]
        fn an_oracle_makes_deferring_and_rejecting_equal(
            raw in prop::collection::vec(-4.0f64..4.0, 2), y in prop::bool::ANY, gamma in -0.3f64..0.7,
        ) {
            let y = f64::from(y);
            let of = |aim| {
                let mut told = answers(&[y], &[Some(y)]);
                // The oracle's loss is exactly 0, not that of a clipped probability.
                told.loss = vec![0.0];
                let mut objective = IdkObjective::new(aim, IdkModel::TwoNetworks, vec![y], told).with_price(gamma);
                evaluate(&mut objective, &[&raw[..1], &raw[1..]])
            };
            prop_assert_eq!(of(Aim::Defer), of(Aim::Reject));
        }
    }
}
