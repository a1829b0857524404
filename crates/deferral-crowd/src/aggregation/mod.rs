//! Many votes a task, one label.

mod any;
mod dawid_skene;
mod em;
mod fast;
mod glad;
mod grouped;
mod hierarchical;
mod learning_from_crowds;
mod ledger;
mod mace;
mod majority;
mod named_class;
mod one_coin;
mod online;
mod out_of_fold;
mod shrunk;
mod wawa;
mod zero_based_skill;

pub use any::AnyAggregator;
pub use dawid_skene::DawidSkene;
pub use em::Iterations;
pub use fast::FastDawidSkene;
pub use glad::{Glad, GladFit, NormalPrior};
pub use grouped::GroupedDawidSkene;
pub use hierarchical::{HierarchicalDawidSkene, HierarchicalFit};
pub use learning_from_crowds::{CrowdFit, LearningFromCrowds};
pub use mace::{Mace, MaceFit, MaceMethod};
pub use majority::{Majority, TieRule, WeightedMajority};
pub use one_coin::OneCoin;
pub use online::{OnlineDawidSkene, OnlineError, RunningConsensus};
pub use wawa::Wawa;
pub use zero_based_skill::ZeroBasedSkill;
