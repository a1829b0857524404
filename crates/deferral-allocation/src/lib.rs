//! The closed loop: allocate tasks to fallible people, listen, learn from what they say.
//!
//! Nobody knows the truth; the same people whose work is allocated are the only source of feedback (Keswani, Celis,
//! Kenthapadi and Lease 2022).

mod event;
mod matching;
mod prior;
mod reward;
mod seats;
mod setting;

pub use event::{Event, Reply, Seat, VoteStatus};
pub use matching::{Matching, MatchingKind, MatchingState, Pretrained, Pretraining, agreement_loss, agreement_slope};
pub use prior::Prior;
pub use reward::{RewardPenalty, RewardPenaltyState};
pub use seats::Seats;
pub use setting::Setting;
