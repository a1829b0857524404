//! Fairness around any learner of who decides.
//!
//! A wrapper takes a [`Learner`](deferral_core::Learner) and is one; a penalty is added to what a learner minimises.
//! None of them needs the group of a case when it is decided, unless it says so.

mod aside;
mod balanced;
mod group_thresholds;
mod guarantee;
mod guaranteed_policy;
mod threshold_search;

pub use balanced::Balanced;
pub use group_thresholds::{GroupThresholds, GroupThresholdsPolicy};
pub use guarantee::Guarantee;
pub use guaranteed_policy::{DeferBy, GroupThreshold, GuaranteedPolicy};
pub use threshold_search::{FoundThresholds, Idk, IdkRange, ThresholdLoss, ThresholdSearch, search_thresholds};
