//! The closed loop: allocate tasks to fallible people, listen, learn from what they say.
//!
//! Nobody knows the truth; the same people whose work is allocated are the only source of feedback (Keswani, Celis,
//! Kenthapadi and Lease 2022).

mod archive;
mod closed_loop;
mod event;
mod journal;
mod latent;
mod logged;
mod matching;
mod method;
mod off_policy;
mod prior;
mod reward;
mod seats;
mod setting;
mod spec;
mod team;
mod uniform;

pub use archive::{Archive, ArchiveError, Closed, Recent};
pub use closed_loop::{ClosedLoop, Handled};
pub use event::{Event, Reply, Seat, Standing, VoteStatus};
pub use journal::{Head, Journal, JournalError, Record, Statistics, Verified, export, stats, verify};
pub use latent::{Alarm, Judged, LatentTruth, LatentTruthState, Unordered};
pub use logged::logged;
pub use matching::{Matching, MatchingKind, MatchingState, Pretrained, Pretraining, agreement_loss, agreement_slope};
pub use method::{AnyAllocator, Method};
pub use off_policy::{EvaluateError, Evaluated, Logged, evaluate};
pub use prior::Prior;
pub use reward::{RewardPenalty, RewardPenaltyState};
pub use seats::Seats;
pub use setting::Setting;
pub use spec::{Founder, LoopSpec};
pub use uniform::{Uniform, UniformState};
