//! Fairness around any learner of who decides.
//!
//! A wrapper takes a [`Learner`](deferral_core::Learner) and is one; a penalty is added to what a learner minimises.
//! None of them needs the group of a case when it is decided, unless it says so.

mod aside;
mod balanced;
mod guarantee;
mod guaranteed_policy;

pub use balanced::Balanced;
pub use guarantee::Guarantee;
pub use guaranteed_policy::{DeferBy, GroupThreshold, GuaranteedPolicy};
