//! Wawa: worker agreement with the aggregate.

use deferral_core::{AggregateError, Aggregator, Ballots, Consensus, Context};
use serde::{Deserialize, Serialize};

use super::majority::{Majority, TieRule, WeightedMajority};

/// Each vote counts as much as its worker agrees with the plain majority: majority, agreement with it, weighted
/// majority, once each (crowd-kit's `Wawa`).
///
/// The skill of a worker is that agreement, for one without votes the agreement of all votes; it stays between 0 and 1,
/// so a worker who answers at random still counts half as much as a perfect one. Known truths take the majority's
/// place. O(votes + n K).
///
/// ```
/// use deferral_core::{Aggregator, Ballots, Context, Decisions, Silent, Stream};
/// let votes = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0), (2, 0, 1), (2, 1, 0), (2, 2, 1)];
/// let votes = Decisions::from_triples(3, 3, votes)?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let consensus = deferral_crowd::Wawa::default().aggregate(&Ballots::new(&votes, 2)?, &mut ctx)?;
/// assert_eq!(consensus.skills, [1.0, 2.0 / 3.0, 2.0 / 3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wawa {
    /// What breaks ties, in both votes.
    pub tie: TieRule,
}

impl Aggregator for Wawa {
    fn aggregate(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<Consensus, AggregateError> {
        let skills = Majority { tie: self.tie }.aggregate(ballots, ctx)?.skills;
        let consensus = WeightedMajority { weights: skills.clone(), tie: self.tie }.aggregate(ballots, ctx)?;
        Ok(Consensus { skills, ..consensus })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Decisions, Label, Silent, Stream};

    #[test]
    fn skills_are_agreement_with_the_first_vote_not_the_last() {
        // Workers 1 and 2 outvote worker 0 on task 0, and are outvoted on the four others.
        let mut votes = vec![(0, 0, 0), (0, 1, 1), (0, 2, 1)];
        for task in 1..5 {
            votes.extend((0..5).map(|worker| (task, worker, u16::from(worker != 1 && worker != 2))));
        }
        let decisions = Decisions::from_triples(5, 5, votes).unwrap();
        let mut silent = Silent;
        let ballots = Ballots::new(&decisions, 2).unwrap();
        let consensus = Wawa::default().aggregate(&ballots, &mut Context::new(Stream::new(1), &mut silent)).unwrap();
        assert_eq!(consensus.skills, [4.0 / 5.0, 1.0 / 5.0, 1.0 / 5.0, 1.0, 1.0]);
        assert_eq!(consensus.labels[0], Label(0));
    }
}
