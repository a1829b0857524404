//! Learning from past decisions whom to ask.

pub mod crowd_select;
mod knapsack;
pub mod li_liu;
mod roster;
pub(crate) mod team;

pub use crowd_select::{CrowdSelect, CrowdSelectPolicy, CrowdSelectRule, ErrorModel, Goal};
pub use li_liu::LiLiu;
pub use roster::{BestExpert, Everyone, FairCommittee, RandomCommittee, RosterPolicy};
