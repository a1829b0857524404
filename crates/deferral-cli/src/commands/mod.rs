//! One file a command: from arguments to files and text, no algorithm.

pub(crate) mod aggregate;
pub(crate) mod allocate;
pub(crate) mod assign;
pub(crate) mod audit;
pub(crate) mod compare;
pub(crate) mod decide;
pub(crate) mod evaluate;
pub(crate) mod fit;
pub(crate) mod frontier;
pub(crate) mod journal;
pub(crate) mod methods;
pub(crate) mod quickstart;
pub(crate) mod simulate;
pub(crate) mod simulate_loop;
pub(crate) mod sweep;

/// What every command gets beside its own arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Globals {
    /// The seed of every draw.
    pub(crate) seed: u64,
    /// Whether to print JSON.
    pub(crate) json: bool,
}
