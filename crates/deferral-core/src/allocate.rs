//! Choosing experts case by case and learning from what they answer.

use rand::Rng;

use crate::consult::Question;
use crate::decisions::Vote;
use crate::ids::{ExpertId, Label};
use crate::view::CaseView;

/// Online: chooses a committee for one case, then learns from its votes. It never sees a gold label.
pub trait Allocator: Send {
    /// Whom to ask about `case` among `available` (sorted), each with the probability of the draw that chose it; nobody
    /// if nobody is available. `random` belongs to this case alone.
    fn allocate(&mut self, case: CaseView<'_>, available: &[ExpertId], random: &mut dyn Rng) -> Vec<Question>;

    /// Learns from the votes that came, some or all or none of those asked for, and says which label they give.
    fn learn(&mut self, case: CaseView<'_>, votes: &[Vote]) -> Option<Label>;
}
