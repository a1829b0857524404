//! The worst group as good as it can be: a game between a learner and an auditor of groups.

mod trace;

use deferral_core::{
    CaseWeights, Cases, Context, Dataset, Event, FitError, FitStatus, Learner, ParameterError, Policy, Stream,
    most_probable,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::group_errors::ErrorKind;
use crate::group_weights::{EqualErrorUpdate, GrowingUpdate, MultiplicativeUpdate, RelaxedUpdate, step_size};
use crate::measured_on::{Measures, RisksOn, Sides};
use crate::membership::{Membership, no_attribute};
use crate::mixture::Mixture;

pub use trace::MinimaxTrace;

/// The game stops early when no case weight moves by more.
const STILL: f64 = 1e-12;
/// The rounds that are always played.
const FIRST_ROUNDS: usize = 3;
/// By how much a bound may be missed before it is said.
const MISSED: f64 = 1e-3;

/// What is asked of the group errors.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MinimaxForm {
    /// The largest is as small as possible.
    #[default]
    Minimax,
    /// None is above `gamma`, and the error of all is as small as it then can be. Between the value of the game and the
    /// largest group error of an unweighted fit; below, the bound cannot be met, above, it does nothing.
    Relaxed {
        /// The bound, in the unit of the error.
        gamma: f64,
    },
    /// All are equal to the error of the population, whichever that is. For comparison: it makes good groups worse.
    EqualError,
    /// The minimax form as the released code of the joint framework plays it (Keswani et al. 2021): group weights start
    /// at the groups' shares, grow with the losses and are never divided by their sum, so that every round trains with
    /// longer steps than the one before. A group's loss is that of training: the error of the system, times
    /// [`SYSTEM_SHARE`], and that of its classifier, on one batch of [`RELEASED_BATCH`] cases, or on all if there are fewer.
    Released,
}

/// Cases in the batch on which the released form measures losses.
pub const RELEASED_BATCH: usize = 200;
/// How much the system's error counts beside the classifier's in the released form: `1 - t^-0.5` at the last of 100 steps.
pub const SYSTEM_SHARE: f64 = 0.9;

/// Minimax fairness around any learner (Diana et al. 2021, algorithms 1 and 2).
///
/// Round t fits the learner with case weights `weight_g / n_g`, measures the error of each group, and moves the group
/// weights with the step `a t^-b`. The result is the uniform mixture of all rounds' policies, whose group errors are
/// the means over the rounds. It costs `rounds` fits, and at a decision as much as all of them. Case weights given to
/// [`Learner::fit`] are kept: a case counts as that many. With several attributes every attribute plays its own game,
/// and a case weighs the mean of what they say; intersectional groups are one attribute ([`deferral_core::GroupAttribute::cross`]).
///
/// The default has 20 rounds, because a learner may be expensive; the driver of the source uses 2000. The gap to the
/// game's value falls as one over the root of the rounds.
///
/// ```
/// use deferral_core::*;
/// use deferral_fairness::Minimax;
/// use deferral_models::Classifier;
/// // The label follows the feature in the large group and its opposite in the small one.
/// let n = 90;
/// let small = |i: usize| i % 3 == 0;
/// let x = |i: usize| (i * 7 % 10) as f64 - 4.5;
/// let features = Features::dense(Columns::from_values(1, (0..n).map(x).collect()))?;
/// let cases = Cases::new(Names::numbered("case", n), features)?
///     .with_group(GroupAttribute::from_values("region", (0..n).map(|i| if small(i) { "north" } else { "south" })))?
///     .with_labels((0..n).map(|i| Some(Label(u16::from((x(i) > 0.0) != small(i))))).collect())?;
/// let data = Dataset::new(cases, Decisions::none(n, 0), Names::numbered("", 2), Names::new())?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let learner = Minimax::by("region", Classifier::default());
/// let (policy, trace) = learner.fit_traced(&data, &CaseWeights::uniform(n), &mut ctx)?;
/// assert_eq!(policy.members().len(), 20);
/// let worst = |errors: &[f64]| errors.iter().copied().fold(0.0, f64::max);
/// assert!(worst(&trace.average()) < worst(&trace.errors[0]) - 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Minimax<L> {
    /// The group attributes, at least one.
    pub attributes: Vec<String>,
    /// Rounds at most, 1 or more; 20 by default.
    pub rounds: usize,
    /// `a`, the first step, above 0; 1 by default.
    pub step: f64,
    /// `b`, how fast steps shrink, 0 or more; 0.5 by default.
    pub power: f64,
    /// What counts as an error; log loss by default. The learner should minimise it or something near it.
    pub error: ErrorKind,
    /// What is asked of the group errors.
    pub form: MinimaxForm,
    /// Where group errors are measured; on the training cases by default.
    pub risks: RisksOn,
    /// What learns.
    pub learner: L,
}

impl<L> Minimax<L> {
    /// The worst group of `attribute` as good as `learner` can make it.
    pub fn by(attribute: impl Into<String>, learner: L) -> Self {
        Self {
            attributes: vec![attribute.into()],
            rounds: 20,
            step: 1.0,
            power: 0.5,
            error: ErrorKind::LogLoss,
            form: MinimaxForm::Minimax,
            risks: RisksOn::Training,
            learner,
        }
    }

    /// The variant in the released code of the joint framework: 5 rounds, `weight_g *= exp(loss_g / sqrt(r))` after
    /// round r.
    ///
    /// Where it differs: that code never divides the weights by their sum and takes `loss_g`, of system and classifier,
    /// from the last batch; that is [`MinimaxForm::Released`]. It decides by the majority of its five models:
    /// [`Mixture::majority`]. By default only the proportions of the weights count, losses are the system's on all
    /// training cases, and the models are a mixture.
    pub fn published(attribute: impl Into<String>, learner: L) -> Self {
        Self { rounds: 5, ..Self::by(attribute, learner) }
    }

    fn check(&self) -> Result<(), ParameterError> {
        ParameterError::check(self.rounds >= 1, "the number of rounds", self.rounds, "1 or more")?;
        let ok = self.step > 0.0 && self.step.is_finite();
        ParameterError::check(ok, "the step of the group weights", self.step, "a finite number above 0")?;
        let ok = self.power >= 0.0 && self.power.is_finite();
        ParameterError::check(ok, "the power of the group weights' step", self.power, "a finite number, 0 or more")?;
        if let MinimaxForm::Relaxed { gamma } = self.form {
            ParameterError::check(gamma.is_finite(), "gamma, the bound of the group errors", gamma, "a finite number")?;
        }
        Ok(())
    }

    fn memberships(&self, cases: &Cases) -> Result<Vec<Membership>, FitError> {
        if self.attributes.is_empty() {
            return Err(no_attribute().into());
        }
        Ok(self.attributes.iter().map(|name| Membership::of_attribute(cases, name)).collect::<Result<_, _>>()?)
    }
}

impl<L: Learner> Minimax<L> {
    /// Fits as [`Learner::fit`] does and keeps what happened in every round.
    ///
    /// # Errors
    /// If an attribute is missing, a parameter is out of range, a case has no label, all have the same, one-sided
    /// errors are asked of more than two classes, or the learner fails.
    pub fn fit_traced(
        &self,
        data: &Dataset,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
    ) -> Result<(Mixture<L::Policy>, MinimaxTrace), FitError> {
        self.check()?;
        let groups = self.memberships(data.cases())?;
        let others = |cases: &Cases| self.memberships(cases).map(Some);
        let sides = Sides::new(self.error, self.risks, data, weights, &groups, others, ctx)?;
        self.play(&sides, ctx)
    }

    /// Fits with groups that are known by probability, in place of [`Minimax::attributes`]: errors are expected
    /// errors of groups ([`crate::group_errors`]), and a group's weight goes to cases by how likely they belong to it.
    /// Errors are measured on a share of these cases even if the data have a held-out part.
    ///
    /// # Errors
    /// As [`Minimax::fit_traced`], and if a membership is not of as many cases.
    pub fn fit_among(
        &self,
        data: &Dataset,
        weights: &CaseWeights,
        groups: &[Membership],
        ctx: &mut Context<'_>,
    ) -> Result<(Mixture<L::Policy>, MinimaxTrace), FitError> {
        self.check()?;
        if groups.is_empty() {
            return Err(no_attribute().into());
        }
        let sides = Sides::new(self.error, self.risks, data, weights, groups, |_| Ok(None), ctx)?;
        self.play(&sides, ctx)
    }

    fn play(&self, sides: &Sides<'_>, ctx: &mut Context<'_>) -> Result<(Mixture<L::Policy>, MinimaxTrace), FitError> {
        let mut auditor = Auditor::new(self.form, sides);
        let mut trace = MinimaxTrace::new(sides.fit.groups.iter().map(|g| (g.attribute(), g.groups())));
        let mut members = Vec::new();
        let mut case_weights = auditor.case_weights();
        for round in 1..=self.rounds {
            let scaled = self.scaled(&case_weights)?;
            let policy = self.learner.fit(&sides.fit.data, &scaled, &mut ctx.part(&format!("round {round}")))?;
            let measures = match self.form {
                MinimaxForm::Released => released_losses(sides, &policy, &ctx.stream("last batch").nth(round))?,
                _ => sides.measure(&policy)?,
            };
            trace.push(&auditor.group_weights(), &measures);
            members.push(policy);
            ctx.report(&Event::Step { step: round, of: self.rounds, loss: trace.worst_of_round(round - 1) })?;
            auditor.answer(&measures, step_size(self.step, self.power, round));
            let next = auditor.case_weights();
            let moved = next.iter().zip(&case_weights).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            case_weights = next;
            if moved < STILL && round > FIRST_ROUNDS {
                trace.status = FitStatus::Converged;
                break;
            }
        }
        self.warn(sides, &members, &trace, ctx)?;
        ctx.report(&Event::Finished(trace.status))?;
        Ok((Mixture::uniform(members)?, trace))
    }

    /// What a round is fitted with: proportions only, or as they are in the released form.
    fn scaled(&self, case_weights: &[f64]) -> Result<CaseWeights, ParameterError> {
        let weights = CaseWeights::new(case_weights.to_vec())?;
        match self.form {
            MinimaxForm::Released => weights.times(case_weights.iter().sum()),
            _ => Ok(weights),
        }
    }

    /// Says what the reader of the result should know: a bound that was not met, a game that nobody can lose.
    fn warn(
        &self,
        sides: &Sides<'_>,
        members: &[L::Policy],
        trace: &MinimaxTrace,
        ctx: &mut Context<'_>,
    ) -> Result<(), FitError> {
        if let (MinimaxForm::Relaxed { gamma }, Some((group, worst))) = (self.form, trace.worst())
            && worst > gamma + MISSED
        {
            ctx.report(&Event::Note(format!(
                "the error of group `{group}` is {worst:.4}, above the bound {gamma}; a bound below what the minimax \
                 form reaches cannot be met, and one near it needs more rounds than {}",
                trace.errors.len()
            )))?;
        }
        if self.form == MinimaxForm::Minimax
            && self.error.is_one_sided()
            && let Some(class) = only_class(members, &sides.fit.data)?
        {
            ctx.report(&Event::Note(format!(
                "every case is said to be `{}`: counting errors on one class alone asks for no more; give a bound \
                     (the relaxed form) or count the errors on every case",
                sides.fit.data.label_names().show(class)
            )))?;
        }
        Ok(())
    }
}

/// The losses of system and classifier on one batch of the cases to learn from, drawn from `stream`.
fn released_losses<P: Policy>(sides: &Sides<'_>, policy: &P, stream: &Stream) -> Result<Measures, FitError> {
    let mut random = stream.random();
    let n = sides.fit.data.n();
    let mut cases: Vec<usize> = (0..n).collect();
    let drawn = RELEASED_BATCH.min(n);
    for at in 0..drawn {
        cases.swap(at, random.random_range(at..n));
    }
    sides.measure_training_loss(policy, &cases[..drawn], SYSTEM_SHARE)
}

/// The class that all members say of all cases, if there is one.
fn only_class<P: Policy>(members: &[P], data: &Dataset) -> Result<Option<usize>, FitError> {
    let mut only = None;
    for member in members {
        for column in member.together(data)?.iter() {
            let class = most_probable(column);
            if *only.get_or_insert(class) != class {
                return Ok(None);
            }
        }
    }
    Ok(only)
}

impl<L: Learner> Learner for Minimax<L> {
    type Policy = Mixture<L::Policy>;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<Self::Policy, FitError> {
        Ok(self.fit_traced(data, weights, ctx)?.0)
    }
}

/// The group weights of one attribute.
enum Update {
    Multiplicative(MultiplicativeUpdate),
    Growing(GrowingUpdate),
    Relaxed(RelaxedUpdate),
    EqualError(EqualErrorUpdate),
}

/// Everybody who weighs groups: one update for each attribute.
struct Auditor<'a> {
    groups: &'a [Membership],
    updates: Vec<Update>,
    /// Shares of the groups among all cases to learn from, by attribute.
    shares: Vec<Vec<f64>>,
    /// The weight of each case that counts.
    mass: Vec<f64>,
    /// The weight of each case that does not.
    rest: Vec<f64>,
}

impl<'a> Auditor<'a> {
    fn new(form: MinimaxForm, sides: &'a Sides<'_>) -> Self {
        let (groups, mass) = (sides.fit.groups.as_slice(), sides.mass());
        let weights = sides.fit.weights.values();
        let total: f64 = weights.iter().sum();
        let shares: Vec<Vec<f64>> =
            groups.iter().map(|g| g.masses(&mass).iter().map(|size| size / total).collect()).collect();
        let update = |shares: &Vec<f64>| match form {
            MinimaxForm::Minimax => Update::Multiplicative(MultiplicativeUpdate::new(shares.clone())),
            MinimaxForm::Released => Update::Growing(GrowingUpdate::new(shares.clone())),
            MinimaxForm::Relaxed { gamma } => Update::Relaxed(RelaxedUpdate::new(shares.len(), gamma)),
            MinimaxForm::EqualError => Update::EqualError(EqualErrorUpdate::new(shares.len())),
        };
        let counted = if matches!(form, MinimaxForm::Minimax | MinimaxForm::Released) { 0.0 } else { 1.0 / total };
        let rest = weights.iter().zip(&mass).map(|(w, m)| (w - m) * counted).collect();
        Self { groups, updates: shares.iter().map(update).collect(), shares, mass, rest }
    }

    /// The weight of each group, by attribute.
    fn group_weights(&self) -> Vec<Vec<f64>> {
        let of = |(update, shares): (&Update, &Vec<f64>)| match update {
            Update::Multiplicative(update) => update.weights().to_vec(),
            Update::Growing(update) => update.weights().to_vec(),
            Update::Relaxed(update) => update.weights(shares),
            Update::EqualError(update) => update.weights(shares),
        };
        self.updates.iter().zip(&self.shares).map(of).collect()
    }

    /// What these say of each case: the mean over the attributes. Negative weights, which no learner takes, are avoided
    /// by adding the same to every case.
    fn case_weights(&self) -> Vec<f64> {
        let mut weights = self.rest.clone();
        let attributes = self.groups.len() as f64;
        for (groups, of_group) in self.groups.iter().zip(self.group_weights()) {
            for (to, from) in weights.iter_mut().zip(groups.spread(&of_group, &self.mass)) {
                *to += from / attributes;
            }
        }
        let least = weights.iter().copied().fold(0.0, f64::min);
        if least < 0.0 {
            for weight in &mut weights {
                *weight -= least;
            }
        }
        weights
    }

    fn answer(&mut self, measures: &Measures, step: f64) {
        for (update, errors) in self.updates.iter_mut().zip(&measures.of_group) {
            match update {
                Update::Multiplicative(update) => update.step(errors, step),
                Update::Growing(update) => update.step(errors, step),
                Update::Relaxed(update) => update.step(errors, step),
                Update::EqualError(update) => update.step(errors, measures.overall, step),
            }
        }
    }
}
