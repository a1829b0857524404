//! Fairness constraints around any learner, by a game between the learner and multipliers of the constraints.

mod constraint;
mod game;
mod response;

use deferral_core::{
    CaseWeights, Context, Dataset, Event, FitError, FitStatus, Label, Learner, ParameterError, Policy,
};
use serde::{Deserialize, Serialize};

use crate::membership::Membership;
use crate::mixture::Mixture;
use constraint::Rows;
use game::{Entry, ExponentiatedGradient, Game, KEPT, Mixed};

pub use constraint::Constraint;
pub use response::Response;

/// The most that multipliers of bounded group losses sum to, if nothing else is asked for.
const LOSS_MULTIPLIERS: f64 = 100.0;

/// Fairness constraints by reduction to weighted learning, around any learner (Agarwal et al. 2018 for the parities,
/// Agarwal, Dudik and Wu 2019 for bounded group losses). Two classes.
///
/// In each iteration the multipliers of the constraints turn every case into a label to learn and a weight, the
/// learner answers, and the multipliers move: by exponentiated gradient in odd iterations, in even ones to where the
/// answers so far lose most. The result is the best lottery over the answers, found by a linear program over them
/// where the source has their plain mean: the same saddle point, with fewer fits and at most one member more than
/// there are bounds. It stops when no lottery over what the learner can do is better by more than `gap`; the proof is as good as
/// the learner is at its weighted task, and the promise is for the cases that are learned from.
///
/// What is promised is promised for [`Mixture::decide`], the lottery. It costs `iterations` fits at most, each on a
/// copy of the data with other labels, and O(n x bounds) beside. A learner that stops early on held-out data sees
/// their true labels there.
///
/// ```
/// use deferral_core::*;
/// use deferral_fairness::{Constrained, Constraint};
/// use deferral_models::Classifier;
/// // The label follows the feature, which is larger in the north.
/// let n = 200;
/// let north = |i: usize| i % 2 == 0;
/// let x = |i: usize| (i * 7 % 20) as f64 / 20.0 + if north(i) { 0.3 } else { 0.0 };
/// let features = Features::dense(Columns::from_values(1, (0..n).map(x).collect()))?;
/// let cases = Cases::new(Names::numbered("case", n), features)?
///     .with_group(GroupAttribute::from_values("region", (0..n).map(|i| if north(i) { "north" } else { "south" })))?
///     .with_labels((0..n).map(|i| Some(Label(u16::from(x(i) > 0.7)))).collect())?;
/// let data = Dataset::new(cases, Decisions::none(n, 0), Names::numbered("", 2), Names::new())?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let learner = Constrained::by("region", Constraint::DemographicParity { slack: 0.05 }, Classifier::default());
/// let (policy, report) = learner.fit_reported(&data, &CaseWeights::uniform(n), &mut ctx)?;
/// assert!(report.rows.iter().all(|row| row.value.abs() <= 0.05 + 1e-6));
/// assert!(policy.members().len() <= 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Constrained<L> {
    /// The group attributes, at least one; several are crossed.
    pub attributes: Vec<String>,
    /// What must hold.
    pub constraint: Constraint,
    /// `B`, the most that the multipliers sum to, above 0; by default one over the slack, 100 for bounded group losses.
    pub multipliers: Option<f64>,
    /// `nu`, the duality gap at which to stop, above 0, in the unit of the loss; 0.001 by default.
    pub gap: f64,
    /// Iterations, and so fits, at most, 1 or more; 50 by default.
    pub iterations: usize,
    /// `eta B`, the step of the exponentiated gradient times `B`, above 0; 2 by default.
    pub step: f64,
    /// What learns.
    pub learner: L,
}

/// A lottery over what the learner answered.
pub type ConstrainedPolicy<P> = Mixture<Response<P>>;

/// What a lottery over policies does on the cases it was learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConstrainedReport {
    /// The constraint, row by row.
    pub rows: Vec<ConstraintRow>,
    /// The expected loss over all cases: share of errors, or the loss whose bound was asked for.
    pub loss: f64,
    /// No lottery that keeps the constraint loses less than this, as far as the learner's answers are best ones.
    pub lower: f64,
    /// Fits that were made.
    pub fits: usize,
    /// Whether the gap was reached.
    pub status: FitStatus,
}

/// One row of a constraint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConstraintRow {
    /// Which group and, if so, which label.
    pub name: String,
    /// The rate minus that of the population, or the loss of the group.
    pub value: f64,
    /// What the value, and for a parity also its negative, must not exceed.
    pub limit: f64,
}

impl<L> Constrained<L> {
    /// `learner` under a constraint on the groups of `attribute`.
    pub fn by(attribute: impl Into<String>, constraint: Constraint, learner: L) -> Self {
        let attributes = vec![attribute.into()];
        Self { attributes, constraint, multipliers: None, gap: 1e-3, iterations: 50, step: 2.0, learner }
    }

    fn check(&self, data: &Dataset, weights: &CaseWeights) -> Result<(), FitError> {
        self.constraint.check()?;
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let expected = "a finite number above 0";
        let most = self.most();
        ParameterError::check(positive(most), "the bound of the multipliers", most, expected)?;
        ParameterError::check(positive(self.gap), "the duality gap", self.gap, expected)?;
        ParameterError::check(positive(self.step), "the step of the multipliers", self.step, expected)?;
        ParameterError::check(self.iterations >= 1, "the number of iterations", self.iterations, "1 or more")?;
        if data.k() != 2 {
            let (method, instead) = ("learning under fairness constraints".to_owned(), "`minimax`".to_owned());
            return Err(FitError::BinaryOnly { method, classes: data.k(), instead });
        }
        if weights.n() != data.n() {
            return Err(FitError::Weights { found: weights.n(), expected: data.n() });
        }
        Ok(())
    }

    fn most(&self) -> f64 {
        let parity = 1.0 / self.constraint.slack();
        self.multipliers.unwrap_or(if self.constraint.is_parity() { parity } else { LOSS_MULTIPLIERS })
    }
}

impl<L: Learner> Constrained<L> {
    /// Fits as [`Learner::fit`] does and says what was reached.
    ///
    /// # Errors
    /// If an attribute is missing, a parameter is out of range, there are not two classes with labels of both, or the
    /// learner fails; [`FitError::NoPromise`] if the learner's answers show that no lottery over what it can learn
    /// keeps the bounds of group losses. Bounds that are missed without such a proof are an [`Event::Note`].
    pub fn fit_reported(
        &self,
        data: &Dataset,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
    ) -> Result<(ConstrainedPolicy<L::Policy>, ConstrainedReport), FitError> {
        self.check(data, weights)?;
        let groups = Membership::crossed(data.cases(), &self.attributes)?;
        let rows = Rows::new(self.constraint, data, weights.values(), &groups)?;
        let mut pool = Pool { rows: &rows, data, game: Game::default(), members: Vec::new() };
        if self.constraint.is_parity() {
            // Constant decisions are fair by any parity and cost no fit.
            for class in 0..2 {
                pool.add(constant(class, data))?;
            }
        }
        let mut gradient = ExponentiatedGradient::new(rows.bounds(), self.most(), self.step / self.most());
        let mut multipliers = vec![0.0; rows.bounds()];
        let mut lower = f64::NEG_INFINITY;
        let (mut fits, mut status, mut best) = (0, FitStatus::StepLimit, None);
        let mut mixed = loop {
            fits += 1;
            let part = &mut ctx.part(&format!("iteration {fits}"));
            let response = self.respond(data, &rows, &multipliers, part)?;
            gradient.answer(&pool.add(response)?);
            lower = lower.max(pool.game.least(&multipliers));
            let mixed = pool.game.mix().or_earlier(best);
            ctx.report(&Event::Step { step: fits, of: self.iterations, loss: mixed.loss })?;
            self.refuse_impossible(lower, &pool, &mixed)?;
            if mixed.excess <= KEPT && mixed.loss - lower <= self.gap {
                status = FitStatus::Converged;
            }
            if status == FitStatus::Converged || fits == self.iterations {
                break mixed;
            }
            multipliers = match pool.game.multipliers(self.most()) {
                Some(worst) if fits % 2 == 1 => worst,
                _ => gradient.multipliers(),
            };
            best = Some(mixed);
        };
        let report = self.report(&rows, &pool, &mixed, lower, fits, status);
        if let Some(missed) = worst_row(&report).filter(|_| mixed.excess > KEPT) {
            ctx.report(&Event::Note(format!("{missed} after {fits} fits; more iterations or a looser bound help")))?;
        }
        ctx.report(&Event::Finished(status))?;
        let members = pool.members;
        mixed.weights.resize(members.len(), 0.0);
        Ok((Mixture::new(members, mixed.weights)?, report))
    }

    /// The learner's answer: fitted to the labels that the multipliers ask for.
    fn respond(
        &self,
        data: &Dataset,
        rows: &Rows,
        multipliers: &[f64],
        ctx: &mut Context<'_>,
    ) -> Result<Response<L::Policy>, FitError> {
        let worth = rows.worth_of_labels(multipliers);
        let wanted = |(label, worth): (&Label, &f64)| if *worth < 0.0 { Label(1 - label.0) } else { *label };
        let labels: Vec<Label> = rows.labels().iter().zip(&worth).map(wanted).collect();
        let mut counting = labels.iter().zip(&worth).filter(|(_, worth)| **worth != 0.0).map(|(label, _)| *label);
        let first = counting.next().unwrap_or(labels[0]);
        // Most learners refuse a single class, whose best answer is known anyway. A bounded loss keeps all labels.
        if self.constraint.is_parity() && counting.all(|label| label == first) {
            return Ok(constant(first.index(), data));
        }
        let weights = CaseWeights::new(worth.iter().map(|worth| worth.abs()).collect())?;
        let relabelled = data
            .clone()
            .with_labels(labels.into_iter().map(Some).collect())
            .map_err(|error| FitError::NoPromise(error.to_string()))?;
        match self.learner.fit(&relabelled, &weights, ctx) {
            Ok(policy) if self.constraint.loss() == crate::ErrorKind::ZeroOne => Ok(Response::Decides(policy)),
            Ok(policy) => Ok(Response::Believes(policy)),
            Err(FitError::SingleClass { .. }) => Ok(constant(first.index(), data)),
            Err(error) => Err(error),
        }
    }

    /// A weighted mean of group losses is at most their bound in every lottery that keeps it; where the best answer to
    /// such a mean is above, there is none.
    fn refuse_impossible<P: Policy>(&self, lower: f64, pool: &Pool<'_, P>, mixed: &Mixed) -> Result<(), FitError> {
        let Constraint::BoundedGroupLoss { bound, .. } = self.constraint else { return Ok(()) };
        if lower <= bound + self.gap || mixed.excess <= KEPT {
            return Ok(());
        }
        let report = self.report(pool.rows, pool, mixed, lower, 0, FitStatus::Stalled);
        let missed = worst_row(&report).unwrap_or_default();
        Err(FitError::NoPromise(format!(
            "no mixture of what this learner can learn keeps every group's loss at or below {bound}: at best, {missed}; \
             ask for a bound of {:.4} or more, or use a more flexible learner or better features",
            bound + mixed.excess
        )))
    }

    fn report<P: Policy>(
        &self,
        rows: &Rows,
        pool: &Pool<'_, P>,
        mixed: &Mixed,
        lower: f64,
        fits: usize,
        status: FitStatus,
    ) -> ConstrainedReport {
        let limit = self.constraint.slack();
        let values = pool.game.row_values(mixed, limit);
        let row = |(name, value): (&String, f64)| ConstraintRow { name: name.clone(), value, limit };
        let rows = rows.names.iter().zip(values).map(row).collect();
        ConstrainedReport { rows, loss: mixed.loss, lower, fits, status }
    }
}

impl<L: Learner> Learner for Constrained<L> {
    type Policy = ConstrainedPolicy<L::Policy>;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<Self::Policy, FitError> {
        Ok(self.fit_reported(data, weights, ctx)?.0)
    }
}

/// What the row that is missed by most says, and by how much.
fn worst_row(report: &ConstrainedReport) -> Option<String> {
    let over = |row: &ConstraintRow| row.value.abs() - row.limit;
    let worst = report.rows.iter().reduce(|worst, next| if over(next) > over(worst) { next } else { worst })?;
    Some(format!("{} is at {:.4}, {:.4} over its limit {}", worst.name, worst.value, over(worst), worst.limit))
}

fn constant<P>(class: usize, data: &Dataset) -> Response<P> {
    Response::Constant { class, experts: data.m(), classes: data.k() }
}

/// The answers so far.
struct Pool<'a, P> {
    rows: &'a Rows,
    data: &'a Dataset,
    game: Game,
    members: Vec<Response<P>>,
}

impl<P: Policy> Pool<'_, P> {
    /// Adds an answer unless it does the same as another, and says by how much it exceeds each bound.
    fn add(&mut self, response: Response<P>) -> Result<Vec<f64>, FitError> {
        let moments = self.rows.moments(&response.together(self.data)?);
        let violations = self.rows.violations(&moments.rows);
        if self.game.add(Entry { loss: moments.loss, violations: violations.clone() }) {
            self.members.push(response);
        }
        Ok(violations)
    }
}
