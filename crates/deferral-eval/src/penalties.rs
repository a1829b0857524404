//! The closed set of penalties that a learner may be trained with.

use deferral_core::{Dataset, FitError, Stream};
use deferral_fairness::{DifferentialOdds, DisparateImpact};
use deferral_models::{NoPenalty, Penalise, Penalty};
use serde::{Deserialize, Serialize};

/// Any penalty that is known by name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnyPenalty {
    /// None.
    #[default]
    None,
    /// Unequal error rates of groups.
    DisparateImpact(DisparateImpact),
    /// The differential form of unequal odds.
    DifferentialOdds(DifferentialOdds),
}

impl Penalise for AnyPenalty {
    fn penalty(&self, data: &Dataset, stream: &Stream) -> Result<Box<dyn Penalty>, FitError> {
        match self {
            Self::None => NoPenalty.penalty(data, stream),
            Self::DisparateImpact(impact) => impact.penalty(data, stream),
            Self::DifferentialOdds(odds) => odds.penalty(data, stream),
        }
    }
}
