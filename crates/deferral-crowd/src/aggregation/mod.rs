//! Many votes a task, one label.

mod dawid_skene;
mod em;
mod majority;

pub use dawid_skene::DawidSkene;
pub use em::Iterations;
pub use majority::{Majority, TieRule, WeightedMajority};
