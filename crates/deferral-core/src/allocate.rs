//! Choosing experts case by case and learning from what they answer.

use rand::Rng;

use crate::consult::Question;
use crate::decisions::Vote;
use crate::ids::{ExpertId, Label};
use crate::view::CaseView;

/// Online: chooses a committee for one case, then learns from its votes. It never sees a gold label.
///
/// Experts keep their ids: one who leaves is not available any more, one who joins becomes the last.
pub trait Allocator: Send {
    /// Whom to ask about `case` among `available` (sorted), each with the probability of the draw that chose it; nobody
    /// if nobody is available. An expert may stand there more than once (a committee drawn with replacement).
    /// `random` belongs to this case alone.
    fn allocate(&mut self, case: CaseView<'_>, available: &[ExpertId], random: &mut dyn Rng) -> Vec<Question>;

    /// Learns from the votes that came, some or all or none of those asked for, and says which label they give. The
    /// vote of an expert who holds two seats stands there twice.
    fn learn(&mut self, case: CaseView<'_>, votes: &[Vote]) -> Option<Label>;

    /// The share of the seats that each of `available` (sorted) would get on average if `case` came now: as many
    /// numbers, which sum to one. What another method would have done is judged by it. Nothing is learned, and the same
    /// state gives the same numbers. Where nobody would be asked, everybody known has the same share; where nobody is
    /// known, everybody.
    fn shares(&self, case: CaseView<'_>, available: &[ExpertId]) -> Vec<f64>;

    /// Makes room for one more expert, who gets the next id and of whom nothing was heard yet. The others keep their
    /// ids and what was learned of them.
    fn join(&mut self, newcomer: Newcomer<'_>);
}

/// What is known beforehand of an expert who joins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Newcomer<'a> {
    /// How well they suit each group, dSim, in [0, 1]: G numbers; nothing if nothing is known.
    pub similarity: &'a [f64],
    /// What one label of theirs costs.
    pub price: f64,
}
