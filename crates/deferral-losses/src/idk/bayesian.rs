//! A model that asks where draws from its weights disagree.

use deferral_core::{
    CaseWeights, Cases, Columns, Committee, Context, Dataset, FitError, Learner, ParameterError, Policy, PolicyError,
    Probabilities, Weights,
};
use deferral_models::{
    Inputs, Network, NetworkSpec, NoPenalty, Penalise, Precision, Prior, Scalar, Validation,
    classifier::{dense, network_outputs},
    stable::sigmoid,
    train,
};
use serde::{Deserialize, Serialize};

use crate::named::the_expert;

use super::data::{Answers, ExpertLoss, check_decided, truth_of};
use super::head::IdkModel;
use super::learner::{Patience, check_terms};
use super::objective::{Aim, IdkObjective};
use super::policy::{between, decided_by_one, distributions, one_of_two};

/// A network whose weights are distributions, trained as a classifier with a penalty, that asks a decision-maker where
/// its own draws are torn (section 3.2.2 of the first version of Madras, Pitassi and Zemel 2018).
///
/// With the probabilities that J networks drawn from the weights give, their mean mu and sample deviation d, the
/// signal-to-noise ratio is `S = |mu - 1/2| / d` and the uncertainty `1 / (1 + S)`. It asks above a threshold of the
/// uncertainty, which is chosen on held-out cases by what the [`Aim`] counts: errors, with asking at `gamma` each, and
/// the decision-maker's errors if it defers. The draws are made once, when it is fitted.
///
/// ```
/// use deferral_core::*;
/// use deferral_losses::{Aim, BayesianIdk, Patience};
/// let n = 300;
/// let x: Vec<f64> = (0..n).map(|i| f64::from((i * 37) % 101) / 50.0 - 1.0).collect();
/// let truth: Vec<u16> = x.iter().map(|&x| u16::from(x > 0.0)).collect();
/// let votes = (0..n).map(|i| (i as u32, 0, truth[i as usize]));
/// let cases = Cases::new(Names::numbered("case", n as usize), Features::dense(Columns::from_values(1, x.clone()))?)?;
/// let cases = cases.with_labels(truth.iter().map(|&y| Some(Label(y))).collect())?;
/// let decisions = Decisions::from_triples(n as usize, 1, votes)?;
/// let data = Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("judge", 1))?;
/// let learner: BayesianIdk = BayesianIdk { training: Patience { epochs: 60, ..Patience::default() }, ..BayesianIdk::default() };
/// let mut silent = Silent;
/// let policy = learner.fit(&data, &CaseWeights::uniform(n as usize), &mut Context::new(Stream::new(1), &mut silent))?;
/// let uncertainty = policy.uncertainty(data.cases())?;
/// let near = (0..n as usize).min_by(|&a, &b| x[a].abs().total_cmp(&x[b].abs())).unwrap_or(0);
/// let far = (0..n as usize).max_by(|&a, &b| x[a].abs().total_cmp(&x[b].abs())).unwrap_or(0);
/// assert!(uncertainty[near] > uncertainty[far]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BayesianIdk<P = NoPenalty> {
    /// What the threshold is chosen for; to predict is never to ask.
    pub aim: Aim,
    /// Widths of the hidden layers of sigmoid units.
    pub hidden: Vec<usize>,
    /// The price of asking, any finite number.
    pub gamma: f64,
    /// The weight of the penalty, any finite number.
    pub alpha: f64,
    /// The penalty.
    pub penalty: P,
    /// J, the networks drawn, 2 or more.
    pub draws: usize,
    /// The standard deviation of the weights before any case is seen.
    pub prior: f64,
    /// The name of the decision-maker; the [most accurate expert](crate::surrogates::most_accurate_expert) if not given.
    pub expert: Option<String>,
    /// How long to train.
    pub training: Patience,
    /// The number type of the networks.
    pub precision: Precision,
}

impl<P: Default> Default for BayesianIdk<P> {
    fn default() -> Self {
        Self {
            aim: Aim::Defer,
            hidden: vec![5],
            gamma: 0.0,
            alpha: 0.0,
            penalty: P::default(),
            draws: 10,
            prior: 1.0,
            expert: None,
            training: Patience::default(),
            precision: Precision::F32,
        }
    }
}

impl<P: Penalise> BayesianIdk<P> {
    fn check(&self) -> Result<(), ParameterError> {
        check_terms(self.gamma, self.alpha)?;
        ParameterError::check(self.draws >= 2, "the number of networks drawn", self.draws, "2 or more")
    }

    fn train<S: Scalar>(
        &self,
        (learned, weights, watched): &(Dataset, CaseWeights, Dataset),
        ctx: &mut Context<'_>,
    ) -> Result<Vec<Network<S>>, FitError> {
        let features = dense(learned)?;
        let spec = NetworkSpec::sigmoid(features.rows(), &self.hidden);
        let prior = Prior { deviation: self.prior, ..Prior::standard(learned.n()) };
        let mut network = Network::<S>::uncertain(&spec, prior, &mut ctx.stream("networks").random())?;
        let (inputs, held_out) = (Inputs::new(features, &network), Inputs::new(dense(watched)?, &network));
        let mut objective = self.objective(learned, ctx)?;
        // Where the cases held out cannot be judged by the penalty, as with a single group, the loss alone is watched.
        let mut watching = match self.objective(watched, &ctx.part("held out")) {
            Err(_) if self.alpha != 0.0 => loss_of(watched)?,
            judged => judged?,
        };
        let validation = Validation { inputs: &held_out, objective: &mut watching };
        let settings = self.training.training(learned.n())?;
        let networks = std::slice::from_mut(&mut network);
        train(networks, &inputs, weights, &mut objective, Some(validation), &settings, ctx)?;
        let stream = ctx.stream("draws");
        Ok((0..self.draws).map(|draw| network.sample(&mut stream.at(draw))).collect())
    }

    fn objective(&self, data: &Dataset, ctx: &Context<'_>) -> Result<IdkObjective, FitError> {
        let objective = loss_of(data)?;
        if self.alpha == 0.0 {
            return Ok(objective);
        }
        Ok(objective.with_penalty(self.alpha, self.penalty.penalty(data, &ctx.stream("penalty"))?))
    }

    /// The uncertainty above which asking pays on the cases held out: the candidate with the least mean loss, the
    /// highest of equals; infinite for never.
    fn threshold(&self, policy: &BayesianPolicy, watched: &Dataset, expert: usize) -> Result<f64, FitError> {
        let truth = truth_of(watched, "a Bayesian network that asks one decision-maker")?;
        let answers = Answers::of(watched, expert, &truth, Some(ExpertLoss::ZeroOne), super::Told::Recorded);
        let drawn = policy.drawn(watched.cases())?;
        let gain = |case: usize| {
            let own = f64::from((drawn[case].mean > 0.5) != (truth[case] > 0.5));
            match (self.aim, answers.probability[case]) {
                (Aim::Defer, None) => 0.0,
                (Aim::Defer, Some(_)) => own - answers.loss[case] - self.gamma,
                _ => own - self.gamma,
            }
        };
        let mut order: Vec<usize> = (0..watched.n()).collect();
        order.sort_by(|&a, &b| drawn[b].uncertainty.total_cmp(&drawn[a].uncertainty));
        let (mut best, mut total, mut threshold) = (0.0, 0.0, f64::INFINITY);
        for (place, &case) in order.iter().enumerate() {
            total += gain(case);
            let next = order.get(place + 1).map_or(0.0, |&next| drawn[next].uncertainty);
            if total > best && drawn[case].uncertainty > next {
                (best, threshold) = (total, next);
            }
        }
        Ok(threshold)
    }
}

/// The loss of a classifier alone.
fn loss_of(data: &Dataset) -> Result<IdkObjective, FitError> {
    let truth = truth_of(data, "a Bayesian network that asks one decision-maker")?;
    Ok(IdkObjective::new(Aim::Predict, IdkModel::OneNetwork, truth, Answers::none(data.n())))
}

impl<P: Penalise> Learner for BayesianIdk<P> {
    type Policy = BayesianPolicy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<BayesianPolicy, FitError> {
        self.check()?;
        truth_of(data, "a Bayesian network that asks one decision-maker")?;
        let expert = if self.aim == Aim::Predict { None } else { Some(the_expert(data, self.expert.as_deref(), ctx)?) };
        if let (Some(expert), Aim::Defer) = (expert, self.aim) {
            check_decided(data, expert)?;
        }
        let parts = self.training.divide(data, weights, ctx)?;
        let networks = match self.precision {
            Precision::F32 => Draws::F32(self.train(&parts, ctx)?),
            Precision::F64 => Draws::F64(self.train(&parts, ctx)?),
        };
        let policy = BayesianPolicy { experts: data.m(), expert, threshold: f64::INFINITY, networks };
        let Some(expert) = expert else { return Ok(policy) };
        let threshold = self.threshold(&policy, &parts.2, expert)?;
        Ok(BayesianPolicy { threshold, ..policy })
    }
}

/// What [`BayesianIdk`] learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BayesianPolicy {
    experts: usize,
    expert: Option<usize>,
    threshold: f64,
    networks: Draws,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Draws {
    F32(Vec<Network<f32>>),
    F64(Vec<Network<f64>>),
}

/// What the draws say of one case.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Drawn {
    mean: f64,
    uncertainty: f64,
}

impl Drawn {
    /// Mean and uncertainty of J probabilities. Draws that agree are certain, unless they agree on one half.
    fn of(probabilities: impl ExactSizeIterator<Item = f64> + Clone) -> Self {
        let j = probabilities.len() as f64;
        let mean = probabilities.clone().sum::<f64>() / j;
        let deviation = (probabilities.map(|z| (z - mean) * (z - mean)).sum::<f64>() / (j - 1.0)).sqrt();
        let signal = (mean - 0.5).abs();
        // 1 / (1 + S) with S = signal / deviation.
        let uncertainty = if signal == 0.0 { 1.0 } else { deviation / (deviation + signal) };
        Self { mean, uncertainty }
    }
}

impl BayesianPolicy {
    /// The rule it was made for: the decision-maker or the classifier, whoever weighs more.
    pub fn committee(&self) -> Committee {
        one_of_two()
    }

    /// The uncertainty above which it asks; infinite if never.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The uncertainty of each case, in [0, 1].
    ///
    /// # Errors
    /// If the cases are not of the kind the policy was fitted on.
    pub fn uncertainty(&self, cases: &Cases) -> Result<Vec<f64>, PolicyError> {
        Ok(self.drawn(cases)?.iter().map(|drawn| drawn.uncertainty).collect())
    }

    fn drawn(&self, cases: &Cases) -> Result<Vec<Drawn>, PolicyError> {
        let outputs = match &self.networks {
            Draws::F32(networks) => {
                networks.iter().map(|n| network_outputs(n, cases)).collect::<Result<Vec<Columns>, _>>()
            }
            Draws::F64(networks) => {
                networks.iter().map(|n| network_outputs(n, cases)).collect::<Result<Vec<Columns>, _>>()
            }
        }?;
        let of_case = |case: usize| Drawn::of(outputs.iter().map(move |columns| sigmoid(columns.column(case)[0])));
        Ok((0..cases.n()).map(of_case).collect())
    }
}

impl Policy for BayesianPolicy {
    fn experts(&self) -> usize {
        self.experts
    }

    fn classes(&self) -> usize {
        2
    }

    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        Ok(distributions(self.drawn(cases)?.iter().map(|drawn| drawn.mean)))
    }

    /// The log-odds of asking are those of the uncertainty, with the threshold as their zero.
    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        let log_odds = |p: f64| (p / (1.0 - p)).ln();
        let zero = if self.threshold < 1.0 { log_odds(self.threshold) } else { f64::INFINITY };
        let asks = |drawn: &Drawn| {
            let above = drawn.uncertainty > self.threshold;
            let share = sigmoid(log_odds(drawn.uncertainty) - zero);
            // Where both are infinite there is no difference to take.
            if share.is_nan() || (share > 0.5) != above { f64::from(above) } else { share }
        };
        Ok(between(self.experts, self.expert, self.drawn(cases)?.iter().map(asks)))
    }

    fn together(&self, data: &Dataset) -> Result<Probabilities, PolicyError> {
        let weights = self.weigh(data.cases())?;
        Ok(decided_by_one(data, self.expert, self.classify(data.cases())?, &weights))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uncertainty_by_hand() {
        // ALGORITHMS 5.6: .6, .8, .7 have mean .7, deviation .1, S = 2.
        let drawn = Drawn::of([0.6, 0.8, 0.7].into_iter());
        assert!((drawn.mean - 0.7).abs() < 1e-12 && (drawn.uncertainty - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(Drawn::of([0.7, 0.7].into_iter()).uncertainty, 0.0);
        assert_eq!(Drawn::of([0.5, 0.5].into_iter()).uncertainty, 1.0);
    }
}
