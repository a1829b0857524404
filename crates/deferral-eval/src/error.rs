//! Why an experiment could not be run.

use deferral_consult::{BudgetError, RuleError};
use deferral_core::{
    AggregateError, CasesError, ConsultError, FitError, ParameterError, PolicyError, SplitError,
    artifact::ArtifactError, files::FileError,
};
use deferral_data::{FeaturiseError, TableError};
use deferral_experts::ExpertError;
use deferral_metrics::MetricError;

use crate::methods::MethodError;

/// Why an experiment, a fit or a decision failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A method failed.
    #[error("method `{method}`{place}: {source}")]
    Method {
        /// The method as written.
        method: String,
        /// Where: repetition and fold, or nothing.
        place: String,
        /// What happened.
        source: Box<EvalError>,
    },
    /// There is nothing to learn from or to decide.
    #[error("{0}")]
    Nothing(String),
    /// A vote comes from somebody the model does not know.
    #[error(
        "{unknown} of the {found} experts in the votes are not known to this model, such as `{example}`; it was fitted on {known} others. Fit it on their decisions first, or leave them out with --unknown-experts drop"
    )]
    UnknownExperts {
        /// How many are unknown.
        unknown: usize,
        /// Experts in the votes.
        found: usize,
        /// One of them.
        example: String,
        /// Experts the model knows.
        known: usize,
    },
    /// A vote or a true label is one that the model does not know.
    #[error(
        "{place} contain `{label}`, which this model does not know; it knows {known}. Correct it, or read it as one of these with --map-label '{label}=LABEL'"
    )]
    UnknownLabel {
        /// Where: `the votes` or `the true labels`.
        place: &'static str,
        /// The label.
        label: String,
        /// Those it knows.
        known: String,
    },
    /// Learning failed.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// Judging failed.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Votes could not be aggregated.
    #[error(transparent)]
    Aggregate(#[from] AggregateError),
    /// A consultation failed.
    #[error(transparent)]
    Consult(#[from] ConsultError),
    /// Features could not be computed.
    #[error(transparent)]
    Features(#[from] FeaturiseError),
    /// A table is wrong.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A generator's parameters are wrong.
    #[error(transparent)]
    Experts(#[from] ExpertError),
    /// A metric could not be computed.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// Cases could not be divided.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// A grid of settings cannot be gone through.
    #[error(transparent)]
    Grid(#[from] crate::grid::GridError),
    /// A parameter is out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A method is not known.
    #[error(transparent)]
    Known(#[from] MethodError),
    /// A group attribute is missing.
    #[error(transparent)]
    Cases(#[from] CasesError),
    /// An artifact is wrong.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A figure could not be drawn.
    #[error("a figure could not be drawn: {0}")]
    Figure(String),
}

impl From<RuleError> for EvalError {
    fn from(error: RuleError) -> Self {
        match error {
            RuleError::Parameter(error) => Self::Parameter(error),
            RuleError::Policy(error) => Self::Policy(error),
            other => Self::Nothing(other.to_string()),
        }
    }
}

impl From<BudgetError> for EvalError {
    fn from(error: BudgetError) -> Self {
        match error {
            BudgetError::Parameter(error) => Self::Parameter(error),
            BudgetError::Consult(error) => Self::Consult(error),
            other => Self::Nothing(other.to_string()),
        }
    }
}
