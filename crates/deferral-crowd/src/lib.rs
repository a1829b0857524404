//! Whom to trust, from nothing but a table of (task, worker, label): aggregation of many fallible votes into one label,
//! and selection of the workers who should be asked.
//!
//! - [`aggregation`]: from majority vote to confusion matrices by worker and group, with or without the tasks' features.
//!   Each is an [`Aggregator`](deferral_core::Aggregator): votes in, labels, probabilities and skills out.
//! - [`selection`]: the papers' crowdsourcing baselines as [`Learner`](deferral_core::Learner)s: learned from past
//!   decisions, their policies say whom to ask.
//! - [`online`]: methods that choose, listen and learn case by case, as [`Allocator`](deferral_core::Allocator)s and as
//!   learners.
//!
//! ```
//! use deferral_core::{Aggregator, Ballots, Context, Decisions, Silent, Stream};
//! use deferral_crowd::DawidSkene;
//! // Three workers on three tasks.
//! let votes = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0), (2, 0, 1), (2, 1, 0), (2, 2, 1)];
//! let votes = Decisions::from_triples(3, 3, votes)?;
//! let mut silent = Silent;
//! let mut ctx = Context::new(Stream::new(1), &mut silent);
//! let consensus = DawidSkene::default().aggregate(&Ballots::new(&votes, 2)?, &mut ctx)?;
//! assert_eq!(consensus.labels.iter().map(|label| label.0).collect::<Vec<_>>(), [1, 0, 1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod aggregation;
pub mod online;
mod seats;
pub mod selection;
mod trust;

pub use aggregation::{
    AnyAggregator, CrowdFit, DawidSkene, FastDawidSkene, Glad, GladFit, GroupedDawidSkene, HierarchicalDawidSkene,
    HierarchicalFit, Iterations, LearningFromCrowds, Mace, MaceFit, MaceMethod, Majority, NormalPrior, OneCoin,
    OnlineDawidSkene, OnlineError, RunningConsensus, TieRule, Wawa, WeightedMajority, ZeroBasedSkill,
};
pub use online::{
    EpsilonGreedy, LinUcb, LinearThompson, MultiplicativeWeights, Online, OnlineMethod, Streamed, StreamedPolicy,
    Thompson, Ucb,
};
pub use selection::{
    BestExpert, CrowdSelect, CrowdSelectPolicy, CrowdSelectRule, Draw, EpsilonFirst, ErrorModel, Everyone,
    FairCommittee, Goal, GoelFaltings, GoelFaltingsLoop, LiLiu, OnlineEpsilonFirst, OnlineGoelFaltings,
    RandomCommittee, Rationed, RosterPolicy,
};
pub use trust::{CrowdPolicy, PosteriorVote, Trust};
