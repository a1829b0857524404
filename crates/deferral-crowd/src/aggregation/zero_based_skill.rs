//! Zero-based skill: weighted majority and skills in turn.

use deferral_core::{
    AggregateError, Aggregator, Ballots, Consensus, Context, Criterion, ExpertId, FitStatus, ParameterError, Trace,
};
use serde::{Deserialize, Serialize};

use super::em::{class_shares, vote_shares};
use super::majority::{TieRule, WeightedMajority, agreement, pick, weighted_shares};

/// Weighted majority whose weights move, step by step, to each worker's agreement with it (crowd-kit's
/// `ZeroBasedSkill`).
///
/// All skills start at 1/K + 1e-5. An iteration takes the weighted majority and sets
/// `skill += rate (agreement - skill)`. No iteration is skipped unless one changed no skill at all, after which none
/// would. The skill of a worker without votes follows the agreement of all votes. Known truths take the majority's
/// place. Labels and skills in turn raise the sum over workers of `votes skill (agreement - skill / 2)`, which is what
/// the trace shows ([`Criterion::WeightedAgreement`]). O(votes + n K) an iteration.
///
/// ```
/// use deferral_core::{Aggregator, Ballots, Context, Decisions, Label, Silent, Stream};
/// let votes = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0), (2, 0, 1), (2, 1, 0), (2, 2, 1)];
/// let votes = Decisions::from_triples(3, 3, votes)?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let consensus = deferral_crowd::ZeroBasedSkill::default().aggregate(&Ballots::new(&votes, 2)?, &mut ctx)?;
/// assert_eq!(consensus.labels, [Label(1), Label(0), Label(1)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ZeroBasedSkill {
    /// Iterations at most. Default 100.
    pub iterations: usize,
    /// How far a skill goes towards the agreement in one iteration, above 0 and at most 1. Default 1: all the way.
    pub rate: f64,
    /// The rate is halved before iterations that are multiples of this. Default 20.
    pub halve_every: usize,
    /// What breaks ties.
    pub tie: TieRule,
}

impl Default for ZeroBasedSkill {
    fn default() -> Self {
        Self { iterations: 100, rate: 1.0, halve_every: 20, tie: TieRule::default() }
    }
}

/// What a skill has over chance at the start.
const HEAD_START: f64 = 1e-5;

impl ZeroBasedSkill {
    fn check(&self) -> Result<(), ParameterError> {
        ParameterError::check(self.iterations > 0, "the number of iterations", self.iterations, "1 or more")?;
        let ok = self.rate > 0.0 && self.rate <= 1.0;
        ParameterError::check(ok, "the rate", self.rate, "above 0 and at most 1")?;
        let every = self.halve_every;
        ParameterError::check(every > 0, "the number of iterations between halvings", every, "1 or more")
    }
}

impl Aggregator for ZeroBasedSkill {
    fn aggregate(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<Consensus, AggregateError> {
        self.check()?;
        let prior = class_shares(ballots, &vote_shares(ballots));
        let ties = ctx.stream("ties");
        let mut skills = vec![(1.0 / ballots.classes() as f64 + HEAD_START).min(1.0); ballots.m()];
        let mut rate = self.rate;
        let mut trace = Trace::new(Criterion::WeightedAgreement);
        for step in 1..=self.iterations {
            if step.is_multiple_of(self.halve_every) {
                rate /= 2.0;
            }
            let labels = pick(&weighted_shares(ballots, &skills, &prior), self.tie, &prior, &ties);
            let agreement = agreement(ballots, &labels);
            let before = skills.clone();
            for (skill, agreement) in skills.iter_mut().zip(&agreement) {
                *skill += rate * (agreement - *skill);
            }
            // A gain of nothing is no reason to stop: skills that have not arrived yet may still turn a label.
            trace.push(weighted_agreement(ballots, &skills, &agreement), self.iterations, 0.0, 0.0, ctx)?;
            trace.status = if skills == before { FitStatus::Converged } else { FitStatus::StepLimit };
            if trace.status == FitStatus::Converged {
                break;
            }
        }
        let consensus = WeightedMajority { weights: skills.clone(), tie: self.tie }.aggregate(ballots, ctx)?;
        Ok(Consensus { skills, trace, ..consensus })
    }
}

/// What both steps raise: the labels by following the skills, the skills by following the agreement.
fn weighted_agreement(ballots: &Ballots<'_>, skills: &[f64], agreement: &[f64]) -> f64 {
    let of_worker = |(worker, (skill, agreement)): (usize, (&f64, &f64))| {
        let votes = ballots.decisions().of_expert(ExpertId::at(worker)).len() as f64;
        votes * skill * (agreement - 0.5 * skill)
    };
    skills.iter().zip(agreement).enumerate().map(of_worker).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Decisions, Event, History, Stream};

    /// Worker 0 always agrees with the majority, worker 1 on two of three tasks, worker 2 on one.
    fn votes() -> Decisions {
        let votes = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 0), (1, 2, 1), (2, 0, 1), (2, 1, 0), (2, 2, 1)];
        Decisions::from_triples(3, 3, votes).unwrap()
    }

    fn run(model: ZeroBasedSkill) -> (Consensus, History) {
        let (decisions, mut history) = (votes(), History::default());
        let ballots = Ballots::new(&decisions, 2).unwrap();
        let consensus = model.aggregate(&ballots, &mut Context::new(Stream::new(1), &mut history)).unwrap();
        (consensus, history)
    }

    #[test]
    fn skills_go_their_share_of_the_way_and_the_rate_is_halved() {
        let model = ZeroBasedSkill { iterations: 3, rate: 0.4, halve_every: 2, ..Default::default() };
        let (consensus, history) = run(model);
        // Rates .4, .2 (halved before the second) and .2.
        let left = (1.0 - 0.4) * (1.0 - 0.2) * (1.0 - 0.2);
        for (skill, agreement) in consensus.skills.iter().zip([1.0, 2.0 / 3.0, 1.0 / 3.0]) {
            assert!((skill - (agreement + left * (0.50001 - agreement))).abs() < 1e-12, "{:?}", consensus.skills);
        }
        assert_eq!((history.0.len(), consensus.trace.status), (3, FitStatus::StepLimit));
        let after_one = |agreement: f64| agreement - 0.6 * (agreement - 0.50001);
        let of_worker = |agreement: f64| 3.0 * after_one(agreement) * (agreement - 0.5 * after_one(agreement));
        let expected: f64 = [1.0, 2.0 / 3.0, 1.0 / 3.0].map(of_worker).iter().sum();
        assert!((consensus.trace.values[0] - expected).abs() < 1e-12);
        assert_eq!(history.0[0], Event::Step { step: 1, of: 3, loss: -consensus.trace.values[0] });
    }

    #[test]
    fn it_ends_when_nothing_moves() {
        let (consensus, history) = run(ZeroBasedSkill::default());
        assert!(history.0.len() < 5);
        assert_eq!(consensus.trace.status, FitStatus::Converged);
        assert!((consensus.skills[1] - 2.0 / 3.0).abs() < 1e-15);
        // Task 1 is decided by skills 1 + 2/3 against 1/3.
        assert!((consensus.probabilities.column(1)[0] - 5.0 / 6.0).abs() < 1e-12);
    }
}
