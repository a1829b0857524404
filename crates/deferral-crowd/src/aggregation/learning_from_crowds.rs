//! Learning from crowds: votes and features together, the classifier trained inside EM.

use deferral_core::{
    AggregateError, Aggregator, Ballots, CaseId, Columns, Consensus, Context, Criterion, FitStatus, ParameterError,
    Trace,
};
use deferral_models::{FittedLogistic, Logistic, Scaling};
use serde::{Deserialize, Serialize};

use super::em::vote_shares;
use super::hierarchical::{HierarchicalDawidSkene, consensus_of};
use super::out_of_fold::OutOfFold;
use super::shrunk::{Estimate, TaskPrior};

/// What is believed of a task before its votes comes from a classifier of its features, which is trained on what the
/// votes say of the tasks, so that text and votes are combined (Raykar et al. 2010, section 2, with the workers of
/// [`HierarchicalDawidSkene`]).
///
/// Rounds of two steps: the classifier is fitted to what is believed of the tasks, then EM estimates workers and labels
/// with its predictions as the prior of each task. A classifier judges the tasks that it was trained on too kindly, and
/// EM would believe it ever more; so predictions are out of fold, from [`folds`](Self::folds) classifiers each trained
/// on the rest, and scaled ([`Scaling`]): to the gold labels if there are any, else to what is believed. What a task's
/// fold was trained on is a matter of luck, so the tasks are divided several times and the logs of the predictions
/// averaged ([`divisions`](Self::divisions)). A division depends on the names of the tasks and the stream, not on the
/// order of the tasks. It starts from the shares of the votes, each task with half a vote spread over all classes, so
/// that a single vote is not believed blindly.
///
/// Within a round EM raises its objective; from one round to the next the predictions change and it may fall
/// ([`Criterion::HeldOut`]). Gold labels of some tasks are believed and train the classifier. Where there is but one
/// class there is nothing to classify, and the workers are estimated alone.
/// O(rounds x divisions x folds) fits of [`Logistic`], each from where the last one ended and side by side on as many
/// threads as there are, and as many EMs as rounds.
///
/// ```
/// use deferral_core::*;
/// use deferral_crowd::LearningFromCrowds;
/// // One vote a task, wrong on every fifth; the feature knows better.
/// let truth = |t: u32| (t / 3 % 2) as u16;
/// let votes = (0..200u32).map(|t| (t, t % 10, if t % 5 == 0 { 1 - truth(t) } else { truth(t) }));
/// let votes = Decisions::from_triples(200, 10, votes)?;
/// let features = Columns::from_values(1, (0..200).map(|t| 2.0 * f64::from(truth(t)) - 1.0).collect());
/// let cases = Cases::new(Names::numbered("t", 200), Features::dense(features)?)?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let fit = LearningFromCrowds::default().fit(&Ballots::new(&votes, 2)?.with_cases(&cases)?, &mut ctx)?;
/// assert!((0..200).all(|t| fit.consensus.labels[t as usize].0 == truth(t)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LearningFromCrowds {
    /// Folds of out-of-fold predictions, 5 by default; 0 for predictions of the tasks trained on.
    pub folds: usize,
    /// Divisions of the tasks into folds whose predictions are averaged, 3 by default.
    pub divisions: usize,
    /// Rounds of classifier and EM at most, 10 by default; it ends before if a round changes what is believed of a task
    /// by less than 1e-3 in the mean.
    pub rounds: usize,
    /// The classifier.
    pub classifier: Logistic,
    /// The workers.
    pub workers: HierarchicalDawidSkene,
}

/// Votes spread over all classes of a task in the beginning.
const PRIOR_VOTES: f64 = 0.5;
/// Mean change of a belief below which it has converged.
const SETTLED: f64 = 1e-3;

impl Default for LearningFromCrowds {
    fn default() -> Self {
        let (classifier, workers) = (Logistic::default(), HierarchicalDawidSkene::default());
        Self { folds: 5, divisions: 3, rounds: 10, classifier, workers }
    }
}

/// What [`LearningFromCrowds`] found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrowdFit {
    /// Labels, probabilities, workers.
    pub consensus: Consensus,
    /// The classifier, trained on all tasks: what is believed of a task before anybody votes. `None` where there is but
    /// one class.
    pub classifier: Option<FittedLogistic>,
    /// What makes its probabilities mean what they say, from the last out-of-fold predictions.
    pub scaling: Scaling,
}

impl LearningFromCrowds {
    /// Labels, workers and the classifier.
    ///
    /// # Errors
    /// If there are no features, a parameter is out of range or the observer asks to stop.
    pub fn fit(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<CrowdFit, AggregateError> {
        ParameterError::check(self.rounds > 0, "the number of rounds", self.rounds, "1 or more")?;
        let mut text = OutOfFold::of(ballots, self.folds, self.divisions, &ctx.stream("folds"))?;
        if ballots.classes() == 1 {
            let consensus = self.workers.aggregate(ballots, ctx)?;
            return Ok(CrowdFit { consensus, classifier: None, scaling: Scaling::identity(1) });
        }
        let mut posterior = cautious_shares(ballots);
        let (mut values, mut status) = (Vec::new(), FitStatus::StepLimit);
        let mut last = None;
        let mut scaling = Scaling::identity(ballots.classes());
        for _ in 0..self.rounds {
            let log_prior;
            (log_prior, scaling) = text.log_predictions(&self.classifier, &posterior, ctx)?;
            let prior = TaskPrior::Given(&log_prior);
            let (estimate, _) = self.workers.estimate(ballots, posterior.clone(), prior, ctx)?;
            values.extend_from_slice(&estimate.trace.values);
            let change = mean_change(&posterior, &estimate.posterior);
            posterior.clone_from(&estimate.posterior);
            last = Some(estimate);
            if change < SETTLED {
                status = FitStatus::Converged;
                break;
            }
        }
        let Estimate { posterior, shares, confusions, .. } = last.ok_or(AggregateError::NoVotes)?;
        let classifier = Some(text.on_everything(&self.classifier, &posterior, ctx)?);
        let trace = Trace { criterion: Criterion::HeldOut, values, status };
        let consensus = consensus_of(posterior, shares, &confusions[0], ballots.m(), trace);
        Ok(CrowdFit { consensus, classifier, scaling })
    }
}

/// Shares of the votes, none of them quite believed.
fn cautious_shares(ballots: &Ballots<'_>) -> Columns {
    let mut shares = vote_shares(ballots);
    let spread = PRIOR_VOTES / ballots.classes() as f64;
    for task in (0..ballots.n()).filter(|&task| ballots.gold_of(task).is_none()) {
        let votes = ballots.decisions().of_case(CaseId::at(task)).len() as f64;
        for share in shares.column_mut(task) {
            *share = (*share * votes + spread) / (votes + PRIOR_VOTES);
        }
    }
    shares
}

fn mean_change(before: &Columns, after: &Columns) -> f64 {
    let change: f64 = before.values().iter().zip(after.values()).map(|(a, b)| (a - b).abs()).sum();
    change / (2 * before.n()).max(1) as f64
}

impl Aggregator for LearningFromCrowds {
    fn aggregate(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<Consensus, AggregateError> {
        Ok(self.fit(ballots, ctx)?.consensus)
    }
}
