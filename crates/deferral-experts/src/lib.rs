//! Simulated experts, synthetic cases and the embedded example of `deferral`.
//!
//! An [`Expert`] answers one case, given its truth; a [`panel`] lets many of them answer all cases, every answer drawn
//! from a stream of its own; [`SimulatedVotes`] lets them answer only when asked. There are experts with a skill for each group ([`SkilledExpert`]), drawn at random by
//! [`BiasedPanel`] or built as a [`Specialist`], and experts with a confusion matrix ([`ConfusionExpert`]). Answers go
//! missing by [`MissingAtRandom`], [`AttendingByGroup`], [`thin`] and [`cap`]. [`ThreeClusters`], [`OwnClusters`],
//! [`Moderation`], [`RaterPools`] and [`TwoTasks`] generate whole data sets.
//!
//! ```
//! use deferral_core::{Cases, Features, GroupAttribute, Label, Names, Stream};
//! use deferral_experts::{BiasedPanel, boxed, panel, thin};
//! let dialect = GroupAttribute::from_values("dialect", ["AAE", "other", "other"]);
//! let cases = Cases::new(Names::numbered("post", 3), Features::none(3))?
//!     .with_labels(vec![Some(Label(1)), Some(Label(0)), Some(Label(1))])?
//!     .with_group(dialect)?;
//! let stream = Stream::new(1);
//! let experts = BiasedPanel::against("AAE").draw(cases.group("dialect")?, &stream)?;
//! let decisions = panel(&boxed(experts), &cases, Some("dialect"), &stream)?;
//! assert!(decisions.is_complete());
//! assert_eq!(thin(&decisions, 5, &stream)?.len(), 15);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod availability;
mod biased;
mod closed_loop;
mod cluster_shape;
mod clusters;
mod confusion;
mod error;
mod expert;
mod moderation;
mod rater_pools;
mod simulated;
mod skill;
mod specialist;
mod two_tasks;

pub use availability::{AttendingByGroup, MissingAtRandom, cap, thin, thin_by_activity};
pub use biased::BiasedPanel;
pub use closed_loop::OwnClusters;
pub use clusters::ThreeClusters;
pub use confusion::{Confusion, ConfusionExpert};
pub use deferral_core::CaseView;
pub use error::ExpertError;
pub use expert::{Expert, boxed, panel};
pub use moderation::{GeneratedCases, Moderation};
pub use rater_pools::{RatedComments, RaterPools};
pub use simulated::SimulatedVotes;
pub use skill::SkilledExpert;
pub use specialist::Specialist;
pub use two_tasks::TwoTasks;
