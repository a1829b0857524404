//! Learning from past decisions whom to ask.

mod roster;
mod team;

pub use roster::{BestExpert, Everyone, FairCommittee, RandomCommittee, RosterPolicy};
