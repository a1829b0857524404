//! A model that predicts, rejects or defers, as a learner.

use deferral_core::{CaseWeights, Context, Dataset, FitError, Learner, ParameterError, Splitter};
use deferral_models::{
    Batches, EarlyStopping, Inputs, Network, NoPenalty, Optimiser, Penalise, Precision, Scalar, Training, Validation,
    classifier::dense, train,
};
use serde::{Deserialize, Serialize};

use crate::named::the_expert;

use super::data::{Answers, ExpertLoss, Told, check_decided, truth_of};
use super::head::IdkModel;
use super::objective::{Aim, IdkObjective};
use super::policy::{IdkPolicy, Trained};

/// How long to train: epochs at most, and epochs without a new best loss on cases held out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patience {
    /// Epochs at most, 1 or more.
    pub epochs: usize,
    /// Epochs without a new best before stopping, 1 or more; the best parameters are restored.
    pub patience: usize,
    /// Cases in a batch.
    pub batch: usize,
    /// How the parameters move.
    pub optimiser: Optimiser,
    /// Share of the training cases that is held out, of each class alike, where the data hold none out themselves.
    pub held_out: f64,
}

/// A new best is one that is better by so many nats: the loss of a model that learns to ask about everything falls by ever
/// less, but for ever.
const LEAST_GAIN: f64 = 1e-5;

impl Default for Patience {
    /// The released settings: Adam at rate .01, batches of 64, patience 20, a fifth held out.
    fn default() -> Self {
        Self { epochs: 10_000, patience: 20, batch: 64, optimiser: Optimiser::adam(0.01), held_out: 0.2 }
    }
}

impl Patience {
    /// The same in steps, for n training cases.
    pub(crate) fn training(&self, n: usize) -> Result<Training, ParameterError> {
        ParameterError::check(self.epochs > 0, "the number of epochs", self.epochs, "1 or more")?;
        ParameterError::check(self.batch > 0, "the batch size", self.batch, "1 or more")?;
        let epoch = n.div_ceil(self.batch).max(1);
        Ok(Training {
            steps: self.epochs.saturating_mul(epoch),
            batches: Batches::ByEpoch { size: self.batch },
            optimiser: self.optimiser,
            stopping: Some(EarlyStopping { every: epoch, patience: self.patience, least: LEAST_GAIN }),
        })
    }

    /// What is learned from and what is watched: those held out already, or a random share.
    pub(crate) fn divide(
        &self,
        data: &Dataset,
        weights: &CaseWeights,
        ctx: &Context<'_>,
    ) -> Result<(Dataset, CaseWeights, Dataset), FitError> {
        if weights.n() != data.n() {
            return Err(FitError::Weights { found: weights.n(), expected: data.n() });
        }
        if let Some(held_out) = data.held_out() {
            return Ok((data.clone(), weights.clone(), held_out.clone()));
        }
        // A few cases held out at random may have hardly any of one class.
        let splits = Splitter::Stratified { test: self.held_out }
            .split(data.cases(), None, &ctx.stream("held out"))
            .map_err(|error| ParameterError::new("the share of cases held out", self.held_out, error.to_string()))?;
        let split = splits.first().ok_or(FitError::NoCases)?;
        let own = split.train.iter().map(|&case| weights.values()[case]).collect();
        Ok((data.select(&split.train), CaseWeights::new(own)?, data.select(&split.test)))
    }
}

/// A model beside one decision-maker: it predicts, rejects or defers (Madras, Pitassi and Zemel 2018), with a penalty
/// on what comes of it. Two classes, dense features.
///
/// The default is the released model: two networks of 5 sigmoid units, Adam, early stopping, no penalty. `gamma` may be
/// negative, which rewards asking. Training costs 6 flops a parameter, case and epoch: about a quarter of a second for
/// 6,000 cases of 22 features on one core.
///
/// ```
/// use deferral_core::*;
/// use deferral_losses::{Aim, Idk, Patience};
/// // The decision-maker is right wherever the second feature is positive, and that is where the first tells nothing.
/// let n = 600;
/// let x: Vec<[f64; 2]> = (0..n).map(|i| [f64::from((i * 37) % 11) / 5.0 - 1.0, if i % 2 == 0 { 1.0 } else { -1.0 }]).collect();
/// let truth: Vec<u16> = (0..n as usize).map(|i| if x[i][1] > 0.0 { (i / 2 % 2) as u16 } else { u16::from(x[i][0] > 0.0) }).collect();
/// let votes = (0..n).map(|i| (i as u32, 0, if i % 2 == 0 { truth[i as usize] } else { 1 - truth[i as usize] }));
/// let features = Features::dense(Columns::from_values(2, x.concat()))?;
/// let cases = Cases::new(Names::numbered("case", n as usize), features)?;
/// let cases = cases.with_labels(truth.iter().map(|&y| Some(Label(y))).collect())?;
/// let decisions = Decisions::from_triples(n as usize, 1, votes)?;
/// let data = Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("judge", 1))?;
/// let idk: Idk = Idk { aim: Aim::Defer, training: Patience { epochs: 100, ..Patience::default() }, ..Idk::default() };
/// let mut silent = Silent;
/// let policy = idk.fit(&data, &CaseWeights::uniform(n as usize), &mut Context::new(Stream::new(1), &mut silent))?;
/// let weights = policy.weigh(data.cases())?;
/// assert!(weights.column(0)[0] > 0.5 && weights.column(1)[0] < 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Idk<P = NoPenalty> {
    /// What it is trained for.
    pub aim: Aim,
    /// The networks.
    pub model: IdkModel,
    /// Widths of the hidden layers of sigmoid units.
    pub hidden: Vec<usize>,
    /// The price of asking, any finite number.
    pub gamma: f64,
    /// The weight of the penalty, any finite number; negative ones make unfair decision-makers.
    pub alpha: f64,
    /// The penalty.
    pub penalty: P,
    /// The name of the decision-maker; the [most accurate expert](crate::surrogates::most_accurate_expert) if not given.
    pub expert: Option<String>,
    /// What an answer costs; by default cross-entropy where it says how sure they are, else 0 or 1.
    pub expert_loss: Option<ExpertLoss>,
    /// What training is told of the decision-maker.
    pub told: Told,
    /// How long to train.
    pub training: Patience,
    /// The number type of the networks.
    pub precision: Precision,
}

impl<P: Default> Default for Idk<P> {
    fn default() -> Self {
        Self {
            aim: Aim::Defer,
            model: IdkModel::TwoNetworks,
            hidden: vec![5],
            gamma: 0.0,
            alpha: 0.0,
            penalty: P::default(),
            expert: None,
            expert_loss: None,
            told: Told::Recorded,
            training: Patience::default(),
            precision: Precision::F32,
        }
    }
}

/// Checks the weights of the two terms beyond the loss.
pub(crate) fn check_terms(gamma: f64, alpha: f64) -> Result<(), ParameterError> {
    ParameterError::check(gamma.is_finite(), "gamma, the price of asking,", gamma, "a finite number")?;
    ParameterError::check(alpha.is_finite(), "alpha, the weight of the penalty,", alpha, "a finite number")
}

impl<P: Penalise> Idk<P> {
    /// Whether the model asks at all.
    fn asks(&self) -> bool {
        self.aim != Aim::Predict || self.model == IdkModel::Ordinal
    }

    /// The objective without the penalty.
    fn loss(&self, data: &Dataset, expert: Option<usize>) -> Result<IdkObjective, FitError> {
        let truth = truth_of(data, "a model that asks one decision-maker")?;
        let answers = match expert {
            Some(expert) if self.aim == Aim::Defer => Answers::of(data, expert, &truth, self.expert_loss, self.told),
            _ => Answers::none(data.n()),
        };
        Ok(IdkObjective::new(self.aim, self.model, truth, answers).with_price(self.gamma))
    }

    fn objective(&self, data: &Dataset, expert: Option<usize>, ctx: &Context<'_>) -> Result<IdkObjective, FitError> {
        let objective = self.loss(data, expert)?;
        if self.alpha == 0.0 {
            return Ok(objective);
        }
        Ok(objective.with_penalty(self.alpha, self.penalty.penalty(data, &ctx.stream("penalty"))?))
    }

    fn train<S: Scalar>(
        &self,
        parts: &(Dataset, CaseWeights, Dataset),
        expert: Option<usize>,
        ctx: &mut Context<'_>,
    ) -> Result<Vec<Network<S>>, FitError> {
        let (learned, weights, watched) = parts;
        let features = dense(learned)?;
        let mut networks = Vec::new();
        for (at, spec) in self.model.specs(features.rows(), &self.hidden, self.asks()).iter().enumerate() {
            networks.push(Network::<S>::new(spec, &mut ctx.stream("networks").at(at))?);
        }
        self.model.prepare(&mut networks);
        let (inputs, held_out) = (Inputs::new(features, &networks[0]), Inputs::new(dense(watched)?, &networks[0]));
        let mut objective = self.objective(learned, expert, ctx)?;
        // Where the cases held out cannot be judged by the penalty, as with a single group, the loss alone is watched.
        let mut watching = match self.objective(watched, expert, &ctx.part("held out")) {
            Err(_) if self.alpha != 0.0 => self.loss(watched, expert)?,
            judged => judged?,
        };
        let validation = Validation { inputs: &held_out, objective: &mut watching };
        let settings = self.training.training(learned.n())?;
        train(&mut networks, &inputs, weights, &mut objective, Some(validation), &settings, ctx)?;
        Ok(networks)
    }
}

impl<P: Penalise> Learner for Idk<P> {
    type Policy = IdkPolicy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<IdkPolicy, FitError> {
        check_terms(self.gamma, self.alpha)?;
        truth_of(data, "a model that asks one decision-maker")?;
        let expert = if self.asks() { Some(the_expert(data, self.expert.as_deref(), ctx)?) } else { None };
        if let (Some(expert), Aim::Defer, Told::Recorded) = (expert, self.aim, self.told) {
            check_decided(data, expert)?;
        }
        let parts = self.training.divide(data, weights, ctx)?;
        if self.precision == Precision::F64 {
            let networks = Trained::F64(self.train(&parts, expert, ctx)?);
            return Ok(IdkPolicy::new(data.m(), expert, self.model, networks));
        }
        let networks = Trained::F32(self.train(&parts, expert, ctx)?);
        Ok(IdkPolicy::new(data.m(), expert, self.model, networks))
    }
}
