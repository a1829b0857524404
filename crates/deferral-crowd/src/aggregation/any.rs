//! The closed set of aggregators, as values that can be compared and written to a file.

use deferral_core::{AggregateError, Aggregator, Ballots, Consensus, Context};
use serde::{Deserialize, Serialize};

use super::{
    DawidSkene, FastDawidSkene, Glad, GroupedDawidSkene, HierarchicalDawidSkene, LearningFromCrowds, Mace, Majority,
    OneCoin, OnlineDawidSkene, Wawa, ZeroBasedSkill,
};

/// Any aggregator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnyAggregator {
    /// Every vote counts the same.
    Majority(Majority),
    /// Workers weigh as much as they agree with the majority.
    Wawa(Wawa),
    /// The same, gradually.
    ZeroBasedSkill(ZeroBasedSkill),
    /// A confusion matrix a worker.
    DawidSkene(DawidSkene),
    /// One number a worker.
    OneCoin(OneCoin),
    /// One number a worker and one a task.
    Glad(Glad),
    /// A spam rate a worker and what they say when they spam.
    Mace(Mace),
    /// A confusion matrix a worker, shrunk to the pool.
    Hierarchical(HierarchicalDawidSkene),
    /// The same for each group of tasks.
    Grouped(GroupedDawidSkene),
    /// With a classifier of the tasks' features.
    LearningFromCrowds(LearningFromCrowds),
    /// A confusion matrix a worker and hard labels.
    Fast(FastDawidSkene),
    /// One vote at a time.
    Online(OnlineDawidSkene),
}

impl AnyAggregator {
    /// The group attribute of the tasks that it needs, if it does.
    pub fn needs_group(&self) -> Option<&str> {
        match self {
            Self::Grouped(model) => Some(&model.attribute),
            _ => None,
        }
    }

    /// Whether it looks at the features of the tasks.
    pub fn needs_features(&self) -> bool {
        matches!(self, Self::LearningFromCrowds(_))
    }

    fn inner(&self) -> &dyn Aggregator {
        match self {
            Self::Majority(model) => model,
            Self::Wawa(model) => model,
            Self::ZeroBasedSkill(model) => model,
            Self::DawidSkene(model) => model,
            Self::OneCoin(model) => model,
            Self::Glad(model) => model,
            Self::Mace(model) => model,
            Self::Hierarchical(model) => model,
            Self::Grouped(model) => model,
            Self::LearningFromCrowds(model) => model,
            Self::Fast(model) => model,
            Self::Online(model) => model,
        }
    }
}

impl Aggregator for AnyAggregator {
    fn aggregate(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<Consensus, AggregateError> {
        self.inner().aggregate(ballots, ctx)
    }
}
