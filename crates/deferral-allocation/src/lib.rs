//! The closed loop: allocate tasks to fallible people, listen, learn from what they say.
//!
//! Nobody knows the truth; the same people whose work is allocated are the only source of feedback (Keswani, Celis,
//! Kenthapadi and Lease 2022).

mod event;
mod latent;
mod prior;
mod setting;

pub use event::{Event, Reply, Seat, VoteStatus};
pub use latent::{Alarm, Judged, LatentTruth, LatentTruthState, Unordered};
pub use prior::Prior;
pub use setting::Setting;
