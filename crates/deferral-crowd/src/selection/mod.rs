//! Learning from past decisions whom to ask.

pub mod crowd_select;
pub mod epsilon_first;
pub mod fair_shares;
mod goel_faltings;
mod inclusion;
mod knapsack;
pub mod li_liu;
pub mod linear_program;
mod prices;
mod rationed;
mod roster;
pub(crate) mod team;

pub use crowd_select::{CrowdSelect, CrowdSelectPolicy, CrowdSelectRule, ErrorModel, Goal};
pub use epsilon_first::{EpsilonFirst, OnlineEpsilonFirst};
pub use goel_faltings::{Draw, GoelFaltings, GoelFaltingsLoop, OnlineGoelFaltings};
pub use li_liu::LiLiu;
pub use rationed::Rationed;
pub use roster::{BestExpert, Everyone, FairCommittee, RandomCommittee, RosterPolicy};
