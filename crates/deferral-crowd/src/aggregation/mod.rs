//! Many votes a task, one label.

mod dawid_skene;
mod em;
mod grouped;
mod hierarchical;
mod learning_from_crowds;
mod majority;
mod shrunk;

pub use dawid_skene::DawidSkene;
pub use em::Iterations;
pub use grouped::GroupedDawidSkene;
pub use hierarchical::{HierarchicalDawidSkene, HierarchicalFit};
pub use learning_from_crowds::{CrowdFit, LearningFromCrowds};
pub use majority::{Majority, TieRule, WeightedMajority};
