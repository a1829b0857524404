//! Closed loops, simulated: people label cases, an allocator learns from their labels whom to ask, and only here is it
//! known who was right (Keswani, Celis, Kenthapadi and Lease 2022, sections 3 and 4).
//!
//! A [`LoopMethod`] is told of training cases one by one and then decides test cases; [`ClosedLoopPlan::run`] repeats
//! that over trials, [`ClosedLoopPlan::sweep_noise`] over priors that say less and less, and [`ChangePlan::run`] lets
//! somebody join, leave or change on the way. What was proved of such loops is tried out with [`KnownPeople`].
//!
//! ```
//! use deferral_eval::closed_loop::{ClosedLoopPlan, LoopMethod, Reference, World, goel_faltings};
//! use deferral_experts::OwnClusters;
//! let clusters = OwnClusters { cases: 300, ..OwnClusters::default() };
//! let plan = ClosedLoopPlan { trials: 2, ..ClosedLoopPlan::of(World::clusters(clusters, 0.3)) };
//! let methods: [Box<dyn LoopMethod>; 2] = [Box::new(goel_faltings(10, None)), Box::new(Reference::Majority)];
//! let report = plan.run(&methods)?;
//! // Two of three annotators are wrong about every case, and mostly agree.
//! assert!(report.rows[1].golds[0].accuracy.unwrap().mean < 0.5);
//! println!("{}", report.table().markdown());
//! # Ok::<(), deferral_eval::EvalError>(())
//! ```

mod allocators;
mod baselines;
mod change;
mod data;
mod method;
mod noise;
mod plan;
mod ratings;
mod report;
mod score;
mod session;
mod theory;

pub use allocators::{allocated, loop_method};
pub use baselines::{Reference, epsilon_first, goel_faltings};
pub use change::{Change, ChangePlan, ChangeReport};
pub use data::{Gold, LoopData, World};
pub use method::{Answer, ByShares, Decider, LoopMethod, Looped, Run, Trial};
pub use noise::{NoiseSweep, noise_grid};
pub use plan::{ClosedLoopPlan, Draws};
pub use report::{GoldRow, LoopReport, LoopRow};
pub use score::{GoldScore, Score};
pub use theory::{BiasedMajority, KnownPeople, discovery_threshold, printed_discovery_threshold};
