//! What was proved of closed loops, made so that it can be tried out: people whose accuracy on each group is known, the
//! rewards and penalties that the proofs are about, and the bounds as they are printed and as they hold.

use deferral_allocation::{Prior, RewardPenalty, RewardPenaltyState, Setting};
use deferral_core::{Allocator, CaseId, CaseView, ExpertId, GroupId, Label, ParameterError, Random, Stream, Vote};
use rand::RngExt;

/// A closed loop of people whose accuracy on each group is known, as the theorems of Keswani, Celis, Kenthapadi and
/// Lease (2022) speak of it: [`RewardPenalty`] on tasks with two classes. The truth of a task is a coin flip; a person is
/// right with the probability of their accuracy on its group, and says the same on every seat that they hold.
///
/// A clone starts where the original stands, so that one task can be tried many times.
///
/// ```
/// use deferral_allocation::RewardPenalty;
/// use deferral_core::Stream;
/// use deferral_eval::closed_loop::KnownPeople;
/// // One annotator who knows everything and holds .6 of the weight, and one who tosses a coin.
/// let start = KnownPeople::new(&[vec![1.0], vec![0.5]], |person, _| [0.6, 0.4][person], RewardPenalty::default())?;
/// assert!((start.accuracy_on(0) - 0.8).abs() < 1e-12);
/// let stream = Stream::new(1);
/// let right = (0..1000).filter(|&draw| start.clone().task(0, &mut stream.at(draw))).count();
/// assert!((750..850).contains(&right));
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct KnownPeople {
    state: RewardPenaltyState,
    everybody: Vec<ExpertId>,
    /// By person, then by group.
    accuracy: Vec<Vec<f64>>,
}

impl KnownPeople {
    /// m people with `accuracy` by person and group, and dSim by person and group.
    ///
    /// # Errors
    /// If there is nobody or no group, a person has not as many accuracies as the first, or an accuracy, a similarity or
    /// a parameter is out of range.
    pub fn new(
        accuracy: &[Vec<f64>],
        similarity: impl FnMut(usize, usize) -> f64,
        parameters: RewardPenalty,
    ) -> Result<Self, ParameterError> {
        let groups = accuracy.first().map_or(0, Vec::len);
        ParameterError::check(groups > 0, "the number of people with accuracies", 0, "1 or more")?;
        for of_person in accuracy {
            let expected = format!("{groups}, one for each group");
            let found = of_person.len();
            ParameterError::check(found == groups, "the number of accuracies of a person", found, &expected)?;
            if let Some(wrong) = of_person.iter().find(|accuracy| !(0.0..=1.0).contains(*accuracy)) {
                return Err(ParameterError::new("the accuracy of a person", wrong, "a number from 0 to 1"));
            }
        }
        let prior = Prior::from_fn(accuracy.len(), groups, similarity)?;
        // Nothing is drawn at the start.
        let state = parameters.start(&Setting::new(0, 2, prior), &Stream::new(0))?;
        let everybody = (0..accuracy.len()).map(ExpertId::at).collect();
        Ok(Self { state, everybody, accuracy: accuracy.to_vec() })
    }

    /// One task of `group` from allocation to update; whether its label was right. O(m).
    ///
    /// # Panics
    /// If there is no such group.
    pub fn task(&mut self, group: usize, random: &mut Random) -> bool {
        let case = CaseView { case: CaseId(0), features: &[], group: Some(GroupId::at(group)) };
        let truth = u16::from(random.random::<bool>());
        let mut says = |accuracy: &Vec<f64>| if random.random::<f64>() < accuracy[group] { truth } else { 1 - truth };
        let said: Vec<u16> = self.accuracy.iter().map(&mut says).collect();
        let asked = self.state.allocate(case, &self.everybody, random);
        let vote = |expert: ExpertId| Vote { expert, label: Label(said[expert.index()]) };
        let votes: Vec<Vote> = asked.iter().map(|question| vote(question.expert)).collect();
        self.state.learn(case, &votes) == Some(Label(truth))
    }

    /// The weights of all people on a group, which sum to one.
    pub fn weights(&self, group: usize) -> &[f64] {
        self.state.weights(Some(GroupId::at(group)))
    }

    /// The accuracy on a group where one annotator is drawn: exact, by the weights.
    ///
    /// # Panics
    /// If there is no such group.
    pub fn accuracy_on(&self, group: usize) -> f64 {
        self.weights(group).iter().zip(&self.accuracy).map(|(weight, accuracy)| weight * accuracy[group]).sum()
    }

    /// How much more accurate the loop is on the last group than on the first.
    pub fn gap(&self) -> f64 {
        self.accuracy_on(self.groups() - 1) - self.accuracy_on(0)
    }

    /// Number of groups, 1 or more.
    pub fn groups(&self) -> usize {
        self.accuracy[0].len()
    }

    /// By how much the weight of `person` on `group` grows on average in a task with one seat, in rewards:
    /// `sum_(j != i) (d_i - d_j) / (m - 1)`. Accuracy plays no part, as who votes alone agrees with the label. 0 for one
    /// person.
    pub fn expected_gain(&self, person: usize, group: usize) -> f64 {
        let weights = self.weights(group);
        let others = weights.len().saturating_sub(1).max(1);
        weights.iter().map(|other| weights[person] - other).sum::<f64>() / others as f64
    }

    /// How far the weight of `person` on `group` is above that of the next: beta of theorem 2.3. Below 0 where somebody
    /// has more, infinite for one person.
    pub fn lead(&self, person: usize, group: usize) -> f64 {
        let weights = self.weights(group);
        let others = weights.iter().enumerate().filter(|(other, _)| *other != person);
        weights[person] - others.map(|(_, weight)| *weight).fold(f64::NEG_INFINITY, f64::max)
    }
}

/// The people of claims 2.1 and 2.2: a majority that tosses a coin on group 0 and is right on group 1, and a minority the
/// other way round; dSim is gamma where a person tosses a coin and 1 where they know.
///
/// ```
/// use deferral_allocation::RewardPenalty;
/// use deferral_eval::closed_loop::BiasedMajority;
/// let majority = BiasedMajority { people: 10, biased: 7, gamma: 0.5 };
/// let gap = majority.start(RewardPenalty::default())?.gap();
/// // The printed lower bound of claim 2.2 is above the gap.
/// assert!((gap - 0.180_995).abs() < 1e-6 && gap < majority.printed_least_gap());
/// assert!(majority.least_gap() <= gap && gap <= majority.most_gap());
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BiasedMajority {
    /// m, at least 1.
    pub people: usize,
    /// How many of them are biased against group 0, at most m.
    pub biased: usize,
    /// dSim of a person and the group that they toss a coin on, from 0 to 1: how little the prior knows of the bias.
    pub gamma: f64,
}

impl BiasedMajority {
    /// The loop before its first task.
    ///
    /// # Errors
    /// If there is nobody, or a number is out of range.
    pub fn start(&self, parameters: RewardPenalty) -> Result<KnownPeople, ParameterError> {
        let expected = format!("from 0 to {}, the number of people", self.people);
        ParameterError::check(self.biased <= self.people, "the number of biased people", self.biased, &expected)?;
        let tosses = |person: usize, group: usize| (person < self.biased) == (group == 0);
        let accuracy = |person, group| if tosses(person, group) { 0.5 } else { 1.0 };
        let table: Vec<Vec<f64>> =
            (0..self.people).map(|person| (0..2).map(|group| accuracy(person, group)).collect()).collect();
        KnownPeople::new(&table, |person, group| if tosses(person, group) { self.gamma } else { 1.0 }, parameters)
    }

    /// alpha, the share of the biased.
    fn alpha(&self) -> f64 {
        self.biased as f64 / self.people.max(1) as f64
    }

    /// The lower bound of the gap as claim 2.2 prints it, `gamma / 2`. It is wrong: a sign slips in the proof.
    pub fn printed_least_gap(&self) -> f64 {
        self.gamma / 2.0
    }

    /// A lower bound that holds: the gap is `gamma (2 alpha - 1) / (2 D E)` with `D = 1 - alpha + alpha gamma` and
    /// `E = alpha + (1 - alpha) gamma`, and `D E` is at most `((1 + gamma) / 2)^2`. Exact for gamma = 1.
    pub fn least_gap(&self) -> f64 {
        2.0 * self.gamma * (2.0 * self.alpha() - 1.0) / (1.0 + self.gamma).powi(2)
    }

    /// The upper bound of claim 2.2, `alpha / (1 - alpha) gamma / 2`. It holds.
    pub fn most_gap(&self) -> f64 {
        self.alpha() / (1.0 - self.alpha()) * self.gamma / 2.0
    }
}

/// The weight above which an accurate person of m gains on average, with k seats, as theorem 2.4 prints it:
/// `1 - (1 - k / (2m))^(1/k)`. It takes a winner to gain `2m / k - 1` penalties, and is not enough in general.
pub fn printed_discovery_threshold(k: usize, m: usize) -> f64 {
    1.0 - (1.0 - k as f64 / (2.0 * m as f64)).powf(1.0 / k as f64)
}

/// The same with what a winner gains at least, `m / k - 1` penalties, as no more than k win: `1 - (1 - k/m)^(1/k)`. It is
/// enough where labels are right.
pub fn discovery_threshold(k: usize, m: usize) -> f64 {
    1.0 - (1.0 - k as f64 / m as f64).powf(1.0 / k as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(weights: &[f64]) -> KnownPeople {
        let accuracy = vec![vec![1.0]; weights.len()];
        KnownPeople::new(&accuracy, |person, _| weights[person], RewardPenalty::default()).unwrap()
    }

    #[test]
    fn a_leader_is_ahead_of_the_next_and_gains_by_all() {
        let people = of(&[0.5, 0.3, 0.2]);
        assert!((people.lead(0, 0) - 0.2).abs() < 1e-12 && (people.lead(2, 0) + 0.3).abs() < 1e-12);
        assert!((people.expected_gain(0, 0) - 0.25).abs() < 1e-12);
        assert!((people.expected_gain(2, 0) + 0.2).abs() < 1e-12);
        assert_eq!(of(&[1.0]).expected_gain(0, 0), 0.0);
    }

    #[test]
    fn the_thresholds_are_those_worked_by_hand() {
        assert!((printed_discovery_threshold(3, 5) - 0.112_096).abs() < 1e-6);
        assert!((discovery_threshold(3, 5) - 0.263_194).abs() < 1e-6);
    }

    #[test]
    fn a_clone_is_a_fresh_start() {
        let start = of(&[0.6, 0.4]);
        let mut tried = start.clone();
        tried.task(0, &mut Stream::new(1).random());
        assert_ne!(tried.weights(0), start.weights(0));
        assert_eq!(start.weights(0), [0.6, 0.4]);
    }

    #[test]
    fn mistakes_are_named() {
        let message = |accuracy: &[Vec<f64>]| {
            KnownPeople::new(accuracy, |_, _| 1.0, RewardPenalty::default()).unwrap_err().to_string()
        };
        assert_eq!(message(&[]), "the number of people with accuracies is 0, but must be 1 or more");
        assert_eq!(
            message(&[vec![0.5, 1.0], vec![1.0]]),
            "the number of accuracies of a person is 1, but must be 2, one for each group"
        );
        assert_eq!(message(&[vec![f64::NAN]]), "the accuracy of a person is NaN, but must be a number from 0 to 1");
        let majority = BiasedMajority { people: 3, biased: 4, gamma: 0.5 };
        assert_eq!(
            majority.start(RewardPenalty::default()).unwrap_err().to_string(),
            "the number of biased people is 4, but must be from 0 to 3, the number of people"
        );
    }

    proptest! {
        #[test]
        fn the_gap_is_between_the_bounds_that_hold(people in 3..40_usize, share in 0.5..1.0, gamma in 0.0..=1.0) {
            let biased = ((people as f64 * share) as usize).clamp(people / 2 + 1, people - 1);
            let majority = BiasedMajority { people, biased, gamma };
            let gap = majority.start(RewardPenalty::default()).unwrap().gap();
            prop_assert!(majority.least_gap() <= gap + 1e-12, "{} {gap}", majority.least_gap());
            prop_assert!(gap <= majority.most_gap() + 1e-12, "{gap} {}", majority.most_gap());
        }
    }
}
