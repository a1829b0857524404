//! Fairness around any learner of who decides.
//!
//! A wrapper takes a [`Learner`](deferral_core::Learner) and is one; a penalty is added to what a learner minimises.
//! None of them needs the group of a case when it is decided, unless it says so.

mod ap_star;
mod aside;
mod balanced;
mod differential_odds;
mod disparate_impact;
mod group_errors;
mod group_thresholds;
mod group_weights;
mod guarantee;
mod guaranteed_policy;
mod measured_on;
mod membership;
mod minimax;
mod mixture;
mod noisy_groups;
mod reductions;
mod threshold_search;
mod transfer;

pub use ap_star::{ApStar, ApStarUpdate, ApStarWeighting};
pub use balanced::Balanced;
pub use differential_odds::{DifferentialOdds, RunningOdds};
pub use disparate_impact::{DisparateImpact, ImpactForm};
pub use group_errors::{ErrorKind, GroupErrors, group_errors};
pub use group_thresholds::{GroupThresholds, GroupThresholdsPolicy};
pub use group_weights::{EqualErrorUpdate, MultiplicativeUpdate, RelaxedUpdate};
pub use guarantee::Guarantee;
pub use guaranteed_policy::{DeferBy, GroupThreshold, GuaranteedPolicy};
pub use measured_on::RisksOn;
pub use membership::Membership;
pub use minimax::{Minimax, MinimaxForm, MinimaxTrace};
pub use mixture::Mixture;
pub use noisy_groups::NoisyBalanced;
pub use reductions::{Constrained, ConstrainedPolicy, ConstrainedReport, Constraint, ConstraintRow, Response};
pub use threshold_search::{
    FoundThresholds, IdkRange, ThresholdIdk, ThresholdLoss, ThresholdSearch, search_thresholds,
};
pub use transfer::{Transfer, TransferFrom, TransferPolicy};
