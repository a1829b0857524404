//! Tempering: what a belief after some votes is worth, learned from consultations on cases that were not learned from.

use deferral_core::{
    Absent, CaseWeights, Columns, Consulted, Context, Dataset, Decisions, FitError, Next, Probabilities, Recorded,
    Splitter, Stream, Weights, consult_watched,
};
use deferral_models::Scaling;
use serde::{Deserialize, Serialize};

use crate::asking::Asking;
use crate::policy::ConsultPolicy;

/// A correction of the belief for each number of votes heard, the last one for all beyond; none before the first vote,
/// where the classifier's own calibration stands.
///
/// Even with shrunk competence and dependent votes counted down, beliefs after votes are too bold: hard cases mislead
/// everybody, and whoever is asked is asked because they look good. So consultations on held-out training cases are gone
/// through to the end, and for each number of votes slope and shifts are fitted to the beliefs that were reached and the
/// truth ([`Scaling`]). Ours.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Tempering {
    by_votes: Vec<Scaling>,
}

/// Numbers of votes that are told apart, and rounds that consultations go on for.
const MOST_VOTES: usize = 6;
/// A number of votes that fewer cases come to is taken as the one before.
const FEWEST_CASES: usize = 150;
/// More cases than this make no better correction.
const MOST_CASES: usize = 6_000;
/// Consultations on cases that are believed more firmly do not go on: nobody would ask about them.
const SURE: f64 = 0.995;

/// Beliefs that were reached after so many votes, and what was true: K numbers a case each.
#[derive(Default)]
struct Reached {
    beliefs: Vec<f64>,
    truths: Vec<f64>,
}

/// What consultations are gone through with.
pub(crate) struct Trial<'a> {
    pub(crate) data: &'a Dataset,
    /// Votes that may be learned from.
    pub(crate) decisions: &'a Decisions,
    /// What is believed to be true: K x n.
    pub(crate) truth: &'a Columns,
    /// Calibrated out-of-fold predictions: K x n.
    pub(crate) predictions: &'a Probabilities,
    pub(crate) folds: usize,
}

impl Tempering {
    /// `learn_from` makes a policy of what the given cases say of the experts.
    ///
    /// # Errors
    /// If a policy cannot be made or the observer cancels.
    pub(crate) fn learn(
        trial: &Trial<'_>,
        learn_from: &dyn Fn(&[usize]) -> Result<ConsultPolicy, FitError>,
        ctx: &mut Context<'_>,
    ) -> Result<Self, FitError> {
        let n = trial.data.n();
        if n < 2 * FEWEST_CASES {
            return Ok(Self::default());
        }
        let folds = trial.folds.clamp(2, n);
        let splits = Splitter::ShuffledFolds { k: folds }
            .split(trial.data.cases(), None, &ctx.stream("tempering"))
            .map_err(|error| FitError::Aggregate(error.to_string()))?;
        let mut reached: Vec<Reached> = (0..MOST_VOTES).map(|_| Reached::default()).collect();
        for split in splits {
            let held_out = &split.test[..split.test.len().min(MOST_CASES / folds)];
            trial.conduct(&learn_from(&split.train)?, held_out, &mut reached, &ctx.stream("consultations"))?;
        }
        let mut by_votes = Vec::new();
        for reached in reached {
            match reached.scaling(trial.truth.rows(), ctx)? {
                Some(scaling) => by_votes.push(scaling),
                None => break,
            }
        }
        Ok(Self { by_votes })
    }

    /// Corrects a log-belief after `votes` votes, in place.
    pub(crate) fn apply(&self, votes: usize, log_belief: &mut [f64]) {
        let Some(last) = self.by_votes.len().checked_sub(1) else { return };
        let Some(at) = votes.checked_sub(1) else { return };
        let scaling = &self.by_votes[at.min(last)];
        for (log, shift) in log_belief.iter_mut().zip(&scaling.shifts) {
            *log = scaling.slope * *log + shift;
        }
    }
}

impl Trial<'_> {
    /// Consults about the cases `held_out`, and notes what was believed after each number of votes.
    fn conduct(
        &self,
        policy: &ConsultPolicy,
        held_out: &[usize],
        reached: &mut [Reached],
        stream: &Stream,
    ) -> Result<(), FitError> {
        let cases = self.data.cases().select(held_out);
        let votes = self.decisions.select_cases(held_out);
        let asking = Asking { confidence: SURE, price: 0.0, max_asks: Some(MOST_VOTES), ..Asking::default() };
        let rule = policy.rule(&asking, &cases, None).map_err(|error| FitError::Aggregate(error.to_string()))?;
        let probabilities = Probabilities(self.predictions.select(held_out));
        let weights = Weights(Columns::zeros(self.decisions.experts() + 1, held_out.len()));
        let mut source = Recorded::new(&votes, Absent::Unavailable);
        let mut note = |state: &Consulted<'_>, _: &Next| {
            let at = state.votes.len().checked_sub(1).and_then(|at| reached.get_mut(at));
            if let Some(reached) = at {
                reached.beliefs.extend(rule.belief(state));
                reached.truths.extend_from_slice(self.truth.column(held_out[state.case.index()]));
            }
        };
        consult_watched(0..held_out.len(), (&probabilities, &weights), &rule, &mut source, None, stream, &mut note)
            .map(|_| ())
            .map_err(|error| FitError::Aggregate(error.to_string()))
    }
}

impl Reached {
    /// What makes these beliefs mean what they say; `None` if they are too few.
    fn scaling(self, classes: usize, ctx: &mut Context<'_>) -> Result<Option<Scaling>, FitError> {
        if self.beliefs.len() < FEWEST_CASES * classes {
            return Ok(None);
        }
        let beliefs = Columns::from_values(classes, self.beliefs);
        let truths = Columns::from_values(classes, self.truths);
        Scaling::fit(&beliefs, &truths, &CaseWeights::uniform(beliefs.n()), ctx).map(Some)
    }
}
