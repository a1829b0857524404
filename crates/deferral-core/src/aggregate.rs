//! Turning many votes per task into one label, with a skill for each worker.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cases::{Cases, CasesError};
use crate::columns::{Probabilities, most_probable};
use crate::confusions::Confusions;
use crate::context::{Cancelled, Context, Event, FitStatus};
use crate::decisions::Decisions;
use crate::ids::Label;
use crate::learn::{FitError, ParameterError, PolicyError};
use crate::names::Names;

/// Turns many votes per task into one label, with a skill for each worker.
pub trait Aggregator: Send + Sync {
    /// Aggregates the votes of `ballots`. Not converging is no error.
    ///
    /// # Errors
    /// [`AggregateError`] on a parameter out of range, or if the method needs to know more about the tasks.
    fn aggregate(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<Consensus, AggregateError>;
}

/// The votes of m workers on n tasks with K classes, and what else an aggregator may look at.
///
/// ```
/// use deferral_core::{Ballots, Decisions, Label};
/// let votes = Decisions::from_triples(2, 3, [(0, 0, 1), (0, 1, 1), (1, 2, 0)])?;
/// let ballots = Ballots::new(&votes, 2)?.with_gold(&[None, Some(Label(0))])?;
/// assert_eq!((ballots.n(), ballots.m(), ballots.classes()), (2, 3, 2));
/// assert!(Ballots::new(&votes, 1).unwrap_err().to_string().contains("label 1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Ballots<'a> {
    decisions: &'a Decisions,
    classes: usize,
    gold: &'a [Option<Label>],
    cases: Option<&'a Cases>,
}

/// Why votes were not aggregated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AggregateError {
    /// There is no vote.
    #[error("there is no vote to aggregate")]
    NoVotes,
    /// A label lies outside the classes.
    #[error("{what} names label {}, but there are {classes} classes", label.0)]
    Label {
        /// Where it stands.
        what: String,
        /// The label.
        label: Label,
        /// Number of classes.
        classes: usize,
    },
    /// Something is not for as many tasks.
    #[error("{what} has {found} entries, but the votes are on {expected} tasks")]
    Length {
        /// What it is.
        what: &'static str,
        /// Its length.
        found: usize,
        /// Number of tasks.
        expected: usize,
    },
    /// The method looks at the tasks, but there are none to look at.
    #[error("{method} needs {what} of the tasks; give the table of cases that has them")]
    NeedsCases {
        /// The method.
        method: &'static str,
        /// What it looks at.
        what: &'static str,
    },
    /// A parameter is out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A group attribute is missing.
    #[error(transparent)]
    Cases(#[from] CasesError),
    /// The classifier inside could not be trained.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The classifier inside could not judge the tasks.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl From<AggregateError> for FitError {
    fn from(error: AggregateError) -> Self {
        match error {
            AggregateError::NoVotes => Self::NoExperts,
            AggregateError::Parameter(error) => Self::Parameter(error),
            AggregateError::Cases(error) => Self::Cases(error),
            AggregateError::Fit(error) => error,
            AggregateError::Cancelled(error) => Self::Cancelled(error),
            other => Self::Aggregate(other.to_string()),
        }
    }
}

impl<'a> Ballots<'a> {
    /// The votes, with K = `classes`; a class may go without a vote. O(votes).
    ///
    /// # Errors
    /// [`AggregateError::NoVotes`]; [`AggregateError::Label`] if a vote is for a label from `classes` on; or if there
    /// are more classes than a [`Label`] can name.
    pub fn new(decisions: &'a Decisions, classes: usize) -> Result<Self, AggregateError> {
        const MOST: usize = 1 << 16;
        let ok = (1..=MOST).contains(&classes);
        ParameterError::check(ok, "the number of classes", classes, &format!("from 1 to {MOST}"))?;
        match decisions.max_label() {
            None => Err(AggregateError::NoVotes),
            Some(label) if label.index() >= classes => {
                Err(AggregateError::Label { what: "a vote".to_owned(), label, classes })
            }
            Some(_) => Ok(Self { decisions, classes, gold: &[], cases: None }),
        }
    }

    /// The same votes with the true labels of some tasks, which the aggregator may believe; `None` elsewhere.
    ///
    /// # Errors
    /// If there is not one entry a task, or a label lies outside the classes.
    pub fn with_gold(self, gold: &'a [Option<Label>]) -> Result<Self, AggregateError> {
        self.expect_length("the list of gold labels", gold.len())?;
        match gold.iter().flatten().find(|label| label.index() >= self.classes) {
            None => Ok(Self { gold, ..self }),
            Some(&label) => {
                Err(AggregateError::Label { what: "a gold label".to_owned(), label, classes: self.classes })
            }
        }
    }

    /// The same votes with features and groups of the tasks. The labels that the cases may carry are not looked at.
    ///
    /// # Errors
    /// If there are not as many cases as tasks.
    pub fn with_cases(self, cases: &'a Cases) -> Result<Self, AggregateError> {
        self.expect_length("the table of cases", cases.n())?;
        Ok(Self { cases: Some(cases), ..self })
    }

    fn expect_length(&self, what: &'static str, found: usize) -> Result<(), AggregateError> {
        let expected = self.n();
        if found == expected { Ok(()) } else { Err(AggregateError::Length { what, found, expected }) }
    }

    /// The votes.
    pub fn decisions(&self) -> &'a Decisions {
        self.decisions
    }

    /// Number of classes, K.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of tasks, with or without votes.
    pub fn n(&self) -> usize {
        self.decisions.cases()
    }

    /// Number of workers, with or without votes.
    pub fn m(&self) -> usize {
        self.decisions.experts()
    }

    /// The gold label of a task, if it is known.
    pub fn gold_of(&self, task: usize) -> Option<Label> {
        self.gold.get(task).copied().flatten()
    }

    /// The gold labels: one entry a task, or none at all.
    pub fn gold(&self) -> &'a [Option<Label>] {
        self.gold
    }

    /// Features and groups of the tasks, if they are known.
    pub fn cases(&self) -> Option<&'a Cases> {
        self.cases
    }
}

/// What an aggregator found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Consensus {
    /// The label of each task, n of them: the most probable one, the lowest on ties unless the method says otherwise.
    /// A task without votes gets the most probable label a priori.
    pub labels: Vec<Label>,
    /// How probable each class is for each task: K x n.
    pub probabilities: Probabilities,
    /// The share of each class among all tasks, as the method believes: K numbers.
    pub prior: Vec<f64>,
    /// For each worker the probability of being right, as the method believes; for a worker without votes what it
    /// believes of strangers.
    pub skills: Vec<f64>,
    /// What the method believes of each worker beyond that.
    pub workers: Workers,
    /// How it came to that.
    pub trace: Trace,
}

/// What an aggregator believes of its workers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workers {
    /// How much each vote counts, m numbers.
    Weights(Vec<f64>),
    /// How they answer when each class is true.
    Confusions(Confusions),
    /// The same on each group of tasks.
    ByGroup {
        /// The group attribute.
        attribute: String,
        /// Its values, G of them.
        values: Names,
        /// One table a group.
        of_group: Vec<Confusions>,
        /// For tasks of a group that was not there.
        anywhere: Confusions,
    },
}

impl Consensus {
    /// The consensus whose labels are the most probable classes, the lowest on ties, rounding apart
    /// ([`most_probable`]).
    pub fn new(
        probabilities: Probabilities,
        prior: Vec<f64>,
        skills: Vec<f64>,
        workers: Workers,
        trace: Trace,
    ) -> Self {
        let labels = probabilities.iter().map(|column| Label::at(most_probable(column))).collect();
        Self { labels, probabilities, prior, skills, workers, trace }
    }
}

/// The course of an iterative method: what it maximises, after each iteration, and how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// What the numbers are.
    pub criterion: Criterion,
    /// One number an iteration; none for a method that does not iterate.
    pub values: Vec<f64>,
    /// How it ended.
    pub status: FitStatus,
}

/// What an iterative aggregator maximises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Criterion {
    /// Nothing.
    None,
    /// The log-likelihood of the votes.
    LogLikelihood,
    /// The log-likelihood of the votes plus the log of the prior of the parameters.
    LogPosterior,
    /// A lower bound of the log-likelihood of the votes, all parameters integrated out.
    Evidence,
    /// The log-likelihood of the votes under predictions of tasks that were not trained on; it need not grow.
    HeldOut,
    /// The log-likelihood of the votes, each under what was believed when it was read: in a first pass that is how well
    /// a vote was predicted from those before it. It need not grow.
    Running,
    /// The weights of the votes that agree with the labels, less half the squares of the weights of all votes: largest,
    /// given the labels, where each weight is the share of a worker's votes that agree.
    WeightedAgreement,
}

impl Criterion {
    /// Whether no iteration lowers it, rounding apart.
    pub fn never_falls(self) -> bool {
        matches!(self, Self::LogLikelihood | Self::LogPosterior | Self::Evidence | Self::WeightedAgreement)
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no objective",
            Self::LogLikelihood => "log-likelihood",
            Self::LogPosterior => "log-posterior",
            Self::Evidence => "evidence bound",
            Self::HeldOut => "held-out log-likelihood",
            Self::Running => "running log-likelihood",
            Self::WeightedAgreement => "weighted agreement",
        })
    }
}

impl Trace {
    /// The trace of a method that does not iterate.
    pub fn none() -> Self {
        Self { criterion: Criterion::None, values: Vec::new(), status: FitStatus::Converged }
    }

    /// The trace of a method that is about to begin.
    pub fn new(criterion: Criterion) -> Self {
        Self { criterion, values: Vec::new(), status: FitStatus::StepLimit }
    }

    /// Notes the objective after one more iteration of `limit` at most, tells the observer, and says whether the last
    /// gain was at most `tolerance` times `scale`.
    ///
    /// # Errors
    /// [`Cancelled`] if the observer asks to stop.
    pub fn push(
        &mut self,
        value: f64,
        limit: usize,
        tolerance: f64,
        scale: f64,
        ctx: &mut Context<'_>,
    ) -> Result<bool, Cancelled> {
        let before = self.values.last().copied();
        self.values.push(value);
        ctx.report(&Event::Step { step: self.values.len(), of: limit, loss: -value })?;
        let done = before.is_some_and(|before| (value - before).abs() <= tolerance * scale);
        if done {
            self.status = FitStatus::Converged;
        }
        Ok(done)
    }
}
