//! The closed loop: allocate tasks to fallible people, listen, learn from what they say, never lose a vote.
//!
//! Nobody knows the truth; the same people whose work is allocated are the only source of feedback (Keswani, Celis,
//! Kenthapadi and Lease 2022). What keeps such a loop from confirming its own errors is what is known beforehand of who
//! suits which cases: a [`Prior`].
//!
//! - Allocators: [`Matching`] (Strict- and Smooth-Matching and the variant without a prior), [`LatentTruth`] (ours: the
//!   truth is latent and the prior a ranking), [`Uniform`], [`RewardPenalty`] (the updates that the paper's theorems speak
//!   of), and the online methods of `deferral-crowd`; all of them by name as a [`Method`].
//! - [`ClosedLoop`]: events in, committees and labels out; votes that come late, in part or never; people who join, leave
//!   and can do only so much.
//! - [`Journal`]: the same loop with every answer on the disk before it is given.
//! - [`evaluate`]: what another allocator would have achieved, from the propensities of a log ([`logged`] reads a
//!   journal's).
//!
//! ```
//! use deferral_allocation::{LatentTruth, Prior, Setting};
//! use deferral_core::{Allocator, CaseId, CaseView, ExpertId, GroupId, Label, Stream, Vote};
//! // Two groups, two people; each is said to suit one of them.
//! let prior = Prior::from_fn(2, 2, |annotator, group| if annotator == group { 0.9 } else { 0.2 })?;
//! let mut allocator = LatentTruth { k: 1, ..LatentTruth::default() }.start(&Setting::new(0, 2, prior), &Stream::new(1))?;
//! let case = CaseView { case: CaseId(0), features: &[], group: Some(GroupId(1)) };
//! let asked = allocator.allocate(case, &[ExpertId(0), ExpertId(1)], &mut Stream::new(2).random());
//! assert_eq!((asked.len(), asked[0].expert), (1, ExpertId(1)));
//! assert_eq!(allocator.learn(case, &[Vote { expert: ExpertId(1), label: Label(1) }]), Some(Label(1)));
//! # Ok::<(), deferral_core::ParameterError>(())
//! ```

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
