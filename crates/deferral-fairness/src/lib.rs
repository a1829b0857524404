//! Fairness around any learner of who decides.
//!
//! A wrapper takes a [`Learner`](deferral_core::Learner) and is one; a penalty is added to what a learner minimises.
//! None of them needs the group of a case when it is decided, unless it says so.

mod balanced;
mod differential_odds;
mod transfer;

pub use balanced::Balanced;
pub use differential_odds::{DifferentialOdds, RunningOdds};
pub use transfer::{Transfer, TransferFrom, TransferPolicy};
