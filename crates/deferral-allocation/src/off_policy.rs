//! What another allocator would have achieved, from the log of one that kept the probabilities of its draws.

use std::collections::BTreeMap;

use deferral_core::{Allocator, CaseId, CaseView, ExpertId, GroupId, Label, Question, Stream, Vote};
use deferral_metrics::{LoggedCase, LoggedDraw, MetricError, OffPolicy, OffPolicyEstimates};
use serde::{Deserialize, Serialize};

/// One case of a log.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Logged {
    /// Its d features.
    pub features: Vec<f64>,
    /// Its group.
    pub group: Option<GroupId>,
    /// Who could be asked, sorted, each with some probability of it.
    pub available: Vec<ExpertId>,
    /// Who was asked, each seat with the probability of its draw, in the order of the draws. Somebody may hold several.
    pub seats: Vec<Question>,
    /// What those asked said, one vote a person.
    pub votes: Vec<Vote>,
    /// The label that the log's own votes gave.
    pub label: Option<Label>,
    /// The true label, if it is known.
    pub gold: Option<Label>,
}

/// What a log says about another allocator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// How often a vote is right whose voter is drawn by the target's shares, beside how often the log's own votes are.
    pub estimates: OffPolicyEstimates,
    /// Cases that were judged by their true label.
    pub by_gold: usize,
    /// Cases that were judged by the label of the log's own votes. **That is agreement, not truth**: the log's voters
    /// made the label, so they agree with it too often, a single vote always, and the target is judged by how well it
    /// finds people like them.
    pub by_votes: usize,
    /// Cases with seats and without a label: left out, though the target learns from their votes.
    pub without_label: usize,
    /// Seats whose vote never came: not right.
    pub unanswered: usize,
}

/// Why a log says nothing about an allocator.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// The available people are not sorted.
    #[error("case {case} of the log: the available people must be sorted, each once")]
    Unsorted {
        /// Position of the case.
        case: usize,
    },
    /// Somebody holds a seat who could not be asked.
    #[error("case {case} of the log: expert {} has a seat and is not available; add them to those available", expert.0)]
    Seat {
        /// Position of the case.
        case: usize,
        /// The expert.
        expert: ExpertId,
    },
    /// Somebody voted who was not asked, or twice.
    #[error("case {case} of the log: expert {} must have a seat and one vote at most; leave the vote out", expert.0)]
    Vote {
        /// Position of the case.
        case: usize,
        /// The expert.
        expert: ExpertId,
    },
    /// What the target says are no shares.
    #[error("case {case} of the log: the target's shares must be {available} numbers from 0 to 1 that sum to 1")]
    Shares {
        /// Position of the case.
        case: usize,
        /// Number of available people.
        available: usize,
    },
    /// A number of the log or of the options is wrong, or the log can't speak of this target.
    #[error(transparent)]
    Estimate(#[from] MetricError),
}

/// Estimates what `target` would have achieved on the cases of a log, in their order: on each it first says its shares,
/// then learns from the votes that the log has (those of its own people would have been others: it learns as somebody who
/// watched the log).
///
/// The reward of a seat is 1 if its vote is the label, the true one where it is known and else the log's own
/// ([`Evaluated::by_votes`]). The doubly robust estimate predicts `(right + 1) / (seats + 2)` for a person on a group
/// of cases, from earlier cases alone. `options.seats` must say how the log was drawn: k > 1 people of
/// [`Uniform`](crate::Uniform), epsilon-greedy, randomly followed weights or Goel and Faltings are
/// [`Distinct`](deferral_metrics::Seats::Distinct), under a budget of the latter or with the estimated propensities of
/// Thompson sampling [`Included`](deferral_metrics::Seats::Included), committees drawn with replacement
/// [`Replaced`](deferral_metrics::Seats::Replaced). Propensities of 1, as the confidence bounds and epsilon-first write
/// them, support no other choice, and such a log is refused for a target that makes one. People whom the target does not
/// know, such as those who joined later, have no share.
///
/// O(votes) and the target's shares, one set a case; and the bootstrap of [`OffPolicy`]. `stream` draws its resamples.
///
/// ```
/// use deferral_allocation::{Logged, Method, Prior, Setting, evaluate};
/// use deferral_core::{ExpertId, Label, Question, Stream, Vote};
/// use deferral_metrics::OffPolicy;
/// // Two people drawn alike; the second is right on all cases, the first never.
/// let case = |i: usize| {
///     let expert = ExpertId::at(i / 2 % 2);
///     let (seat, vote) = (Question { expert, propensity: 0.5 }, Vote { expert, label: Label(expert.0 as u16) });
///     let available = vec![ExpertId(0), ExpertId(1)];
///     Logged { available, seats: vec![seat], votes: vec![vote], gold: Some(Label(1)), ..Logged::default() }
/// };
/// let log: Vec<Logged> = (0..40).map(case).collect();
/// let setting = Setting::new(0, 2, Prior::from_fn(2, 1, |_, _| 0.5)?);
/// let mut target = Method::named("uniform")?.start(&setting, &Stream::new(1))?;
/// let found = evaluate(&log, &mut target, &OffPolicy::default(), &Stream::new(2))?;
/// assert_eq!(found.estimates.inverse_propensity.value.value(), Some(0.5));
/// assert_eq!((found.by_gold, found.by_votes), (40, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If a case of the log contradicts itself, the target's shares are none, or as [`OffPolicy::estimate`].
pub fn evaluate(
    log: &[Logged],
    target: &mut dyn Allocator,
    options: &OffPolicy,
    stream: &Stream,
) -> Result<Evaluated, EvaluateError> {
    let mut model = RewardModel::default();
    let mut judged = Vec::with_capacity(log.len());
    let (mut by_gold, mut by_votes, mut without_label, mut unanswered) = (0, 0, 0, 0);
    for (at, logged) in log.iter().enumerate() {
        check(at, logged)?;
        let view = CaseView { case: CaseId::at(at), features: &logged.features, group: logged.group };
        let shares = target.shares(view, &logged.available);
        check_shares(at, &shares, logged.available.len())?;
        let votes = logged.votes_by_seat();
        if !logged.seats.is_empty() {
            match logged.gold.or(logged.label) {
                Some(label) => {
                    judged.push(model.judge(logged, &shares, label));
                    *(if logged.gold.is_some() { &mut by_gold } else { &mut by_votes }) += 1;
                    unanswered += logged.seats.len() - votes.len();
                }
                None => without_label += 1,
            }
        }
        target.learn(view, &votes);
    }
    let estimates = options.estimate(&judged, stream)?;
    Ok(Evaluated { estimates, by_gold, by_votes, without_label, unanswered })
}

impl Logged {
    fn vote_of(&self, expert: ExpertId) -> Option<Vote> {
        self.votes.iter().copied().find(|vote| vote.expert == expert)
    }

    /// As allocators hear them: who holds two seats votes twice.
    fn votes_by_seat(&self) -> Vec<Vote> {
        self.seats.iter().filter_map(|seat| self.vote_of(seat.expert)).collect()
    }
}

fn check(case: usize, logged: &Logged) -> Result<(), EvaluateError> {
    if !logged.available.is_sorted_by(|a, b| a < b) {
        return Err(EvaluateError::Unsorted { case });
    }
    if let Some(seat) = logged.seats.iter().find(|seat| logged.available.binary_search(&seat.expert).is_err()) {
        return Err(EvaluateError::Seat { case, expert: seat.expert });
    }
    let seated = |vote: &Vote| logged.seats.iter().any(|seat| seat.expert == vote.expert);
    let first = |at: usize, vote: &Vote| logged.votes[..at].iter().all(|before| before.expert != vote.expert);
    match logged.votes.iter().enumerate().find(|(at, vote)| !(seated(vote) && first(*at, vote))) {
        Some((_, vote)) => Err(EvaluateError::Vote { case, expert: vote.expert }),
        None => Ok(()),
    }
}

fn check_shares(case: usize, shares: &[f64], available: usize) -> Result<(), EvaluateError> {
    let sums = available == 0 || (shares.iter().sum::<f64>() - 1.0).abs() < 1e-6;
    let ok = shares.len() == available && sums && shares.iter().all(|share| (0.0..=1.0 + 1e-9).contains(share));
    if ok { Ok(()) } else { Err(EvaluateError::Shares { case, available }) }
}

/// How often each person was right on each group so far.
#[derive(Debug, Default)]
struct RewardModel(BTreeMap<(ExpertId, Option<GroupId>), Tally>);

#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    right: f64,
    seats: f64,
}

impl RewardModel {
    fn predict(&self, expert: ExpertId, group: Option<GroupId>) -> f64 {
        let tally = self.0.get(&(expert, group)).copied().unwrap_or_default();
        (tally.right + 1.0) / (tally.seats + 2.0)
    }

    /// A case as it is weighed, with the predictions that could be made before it; then it is learned from.
    fn judge(&mut self, logged: &Logged, shares: &[f64], label: Label) -> LoggedCase {
        let predict = |expert| self.predict(expert, logged.group);
        let expected = logged.available.iter().zip(shares).map(|(&expert, share)| share * predict(expert)).sum();
        let reward = |expert| f64::from(u8::from(logged.vote_of(expert).is_some_and(|vote| vote.label == label)));
        let draw = |&Question { expert, propensity }: &Question| LoggedDraw {
            action: expert.index(),
            propensity,
            reward: reward(expert),
            share: logged.available.binary_search(&expert).map_or(0.0, |at| shares[at]),
            predicted: predict(expert),
        };
        let draws: Vec<LoggedDraw> = logged.seats.iter().map(draw).collect();
        self.learn(logged, &draws);
        LoggedCase { draws, expected: Some(expected), unsupported: 0.0 }
    }

    /// Each person once, however many seats they hold.
    fn learn(&mut self, logged: &Logged, draws: &[LoggedDraw]) {
        for (at, (seat, draw)) in logged.seats.iter().zip(draws).enumerate() {
            if logged.seats[..at].iter().all(|before| before.expert != seat.expert) {
                let tally = self.0.entry((seat.expert, logged.group)).or_default();
                tally.right += draw.reward;
                tally.seats += 1.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AnyAllocator, Method, Prior, Setting};
    use deferral_core::Newcomer;
    use deferral_metrics::{OffPolicyEstimate, Seats};
    use rand::{Rng, RngExt};

    const PLAIN: OffPolicy =
        OffPolicy { seats: Seats::Distinct, clip: None, level: 0.95, resamples: 0, most_unsupported: 0.1 };

    /// How often each of four people is right on each of two groups.
    const SKILLS: [[f64; 4]; 2] = [[0.95, 0.5, 0.7, 0.6], [0.5, 0.9, 0.7, 0.65]];

    fn start(method: &str, settings: &[(&str, &str)]) -> AnyAllocator {
        let setting = Setting::new(2, 2, Prior::from_fn(4, 2, |_, _| 0.5).unwrap());
        let method = Method::named(method).unwrap();
        let method = settings.iter().fold(method, |method, (field, value)| method.with(field, value).unwrap());
        method.start(&setting, &Stream::new(1)).unwrap()
    }

    fn view(at: usize, logged: &Logged) -> CaseView<'_> {
        CaseView { case: CaseId::at(at), features: &logged.features, group: logged.group }
    }

    /// A log that `allocator` makes among simulated people.
    fn log(allocator: &mut dyn Allocator, n: usize, seed: usize) -> Vec<Logged> {
        let stream = Stream::new(3).nth(seed);
        let case = |at: usize| {
            let mut random = stream.at(at);
            let group = random.random_range(0..2);
            let truth = random.random_range(0..2u16);
            let available: Vec<ExpertId> = (0..4).map(ExpertId).collect();
            let features = vec![1.0 - group as f64, group as f64];
            let mut logged = Logged {
                features,
                group: Some(GroupId::at(group)),
                available,
                gold: Some(Label(truth)),
                ..Logged::default()
            };
            logged.seats = allocator.allocate(view(at, &logged), &logged.available, &mut random);
            for seat in &logged.seats {
                let right = random.random_bool(SKILLS[group][seat.expert.index()]);
                if logged.vote_of(seat.expert).is_none() {
                    logged
                        .votes
                        .push(Vote { expert: seat.expert, label: Label(if right { truth } else { 1 - truth }) });
                }
            }
            logged.label = allocator.learn(view(at, &logged), &logged.votes_by_seat());
            logged
        };
        (0..n).map(case).collect()
    }

    /// How often the target is right on average, as it learns from the log.
    fn truth(log: &[Logged], target: &mut dyn Allocator) -> f64 {
        let case = |(at, logged): (usize, &Logged)| {
            let skills = SKILLS[logged.group.unwrap().index()];
            let shares = target.shares(view(at, logged), &logged.available);
            target.learn(view(at, logged), &logged.votes_by_seat());
            shares.iter().zip(skills).map(|(share, skill)| share * skill).sum::<f64>()
        };
        log.iter().enumerate().map(case).sum::<f64>() / log.len() as f64
    }

    /// k people by lot with fixed chances, who may come twice.
    struct Fixed([f64; 4], usize);

    impl Allocator for Fixed {
        fn allocate(&mut self, _: CaseView<'_>, available: &[ExpertId], random: &mut dyn Rng) -> Vec<Question> {
            let draw = |_| {
                let mut point: f64 = random.random();
                let at = self.0.iter().position(|p| {
                    point -= p;
                    point < 0.0
                });
                let at = at.unwrap_or(3);
                Question { expert: available[at], propensity: self.0[at] }
            };
            (0..self.1).map(draw).collect()
        }

        fn learn(&mut self, _: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
            votes.first().map(|vote| vote.label)
        }

        fn shares(&self, _: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
            self.0[..available.len()].to_vec()
        }

        fn join(&mut self, _: Newcomer<'_>) {}
    }

    /// In how many of 100 logs each interval holds the truth, and the mean error, by kind of estimate.
    fn coverage(
        logs: impl Fn(usize) -> Vec<Logged>,
        options: &OffPolicy,
        target: impl Fn() -> Box<dyn Allocator>,
    ) -> [(usize, f64); 3] {
        let mut found = [(0, 0.0); 3];
        for seed in 0..100 {
            let log = logs(seed);
            let estimates = evaluate(&log, &mut *target(), options, &Stream::new(5)).unwrap().estimates;
            let truth = truth(&log, &mut *target());
            let kinds = [estimates.inverse_propensity, estimates.self_normalised, estimates.doubly_robust];
            for ((hits, error), OffPolicyEstimate { value, .. }) in found.iter_mut().zip(kinds) {
                let (low, high) = value.interval().unwrap();
                *hits += usize::from(low <= truth && truth <= high);
                *error += (value.value().unwrap() - truth) / 100.0;
            }
        }
        found
    }

    #[test]
    fn a_uniform_log_tells_of_every_other_allocator() {
        let logs = |seed| log(&mut start("uniform", &[]), 300, seed);
        let greedy = || Box::new(start("epsilon-greedy", &[])) as Box<dyn Allocator>;
        let linear = || Box::new(start("lin-ucb", &[("k", "2")])) as Box<dyn Allocator>;
        for found in [coverage(logs, &PLAIN, greedy), coverage(logs, &PLAIN, linear)] {
            assert!(found.iter().all(|(hits, error)| *hits >= 91 && error.abs() < 0.01), "{found:?}");
        }
    }

    #[test]
    fn committees_drawn_with_replacement_tell_it_too() {
        let logs = |seed| log(&mut Fixed([0.4, 0.2, 0.3, 0.1], 3), 300, seed);
        let target = || Box::new(Fixed([0.2, 0.5, 0.2, 0.1], 1)) as Box<dyn Allocator>;
        let found = coverage(logs, &OffPolicy { seats: Seats::Replaced, ..PLAIN }, target);
        assert!(found.iter().all(|(hits, error)| *hits >= 91 && error.abs() < 0.01), "{found:?}");
    }

    #[test]
    fn a_log_without_exploration_is_refused_for_another_choice() {
        let log = log(&mut start("ucb1", &[]), 50, 1);
        let options = OffPolicy { seats: Seats::Included, ..PLAIN };
        let message = evaluate(&log, &mut start("uniform", &[]), &options, &Stream::new(1)).unwrap_err().to_string();
        let expected = "the target's share on actions that the log could not draw is 0.75, but must be at most 0.1";
        assert!(message.starts_with(expected), "{message}");
        // What it did itself, the log supports.
        let same = evaluate(&log, &mut start("ucb1", &[]), &options, &Stream::new(1)).unwrap().estimates;
        assert_eq!((same.unsupported, same.inverse_propensity.value), (0.0, same.logged.value));
    }

    #[test]
    fn labels_of_the_log_itself_measure_agreement() {
        let gold = log(&mut start("uniform", &[]), 400, 2);
        let mut own = gold.clone();
        own[..390].iter_mut().for_each(|logged| logged.gold = None);
        own[0].label = None;
        own[1].votes.pop();
        let run = |log: &[Logged]| evaluate(log, &mut start("uniform", &[]), &PLAIN, &Stream::new(1)).unwrap();
        let (gold, own) = (run(&gold), run(&own));
        assert_eq!((gold.by_gold, gold.by_votes, gold.without_label, gold.unanswered), (400, 0, 0, 0));
        assert_eq!((own.by_gold, own.by_votes, own.without_label, own.unanswered), (10, 389, 1, 1));
        let value = |found: &Evaluated| found.estimates.self_normalised.value.value().unwrap();
        assert!(value(&own) > value(&gold) + 0.05, "{} {}", value(&own), value(&gold));
    }

    #[test]
    fn predictions_know_earlier_cases_only() {
        let mut model = RewardModel::default();
        let seat = |expert| Question { expert: ExpertId(expert), propensity: 0.5 };
        let logged = Logged {
            available: vec![ExpertId(0), ExpertId(1)],
            seats: vec![seat(0), seat(0), seat(1)],
            votes: vec![Vote { expert: ExpertId(0), label: Label(1) }],
            ..Logged::default()
        };
        let first = model.judge(&logged, &[0.25, 0.75], Label(1));
        assert_eq!((first.expected, first.draws[0].predicted), (Some(0.5), 0.5));
        assert_eq!(first.draws.iter().map(|draw| draw.reward).collect::<Vec<_>>(), [1.0, 1.0, 0.0]);
        // The first was right once, and the second silent.
        let second = model.judge(&logged, &[0.25, 0.75], Label(1));
        assert_eq!((second.draws[0].predicted, second.draws[2].predicted), (2.0 / 3.0, 1.0 / 3.0));
        assert!((second.expected.unwrap() - (0.25 * 2.0 + 0.75) / 3.0).abs() < 1e-12);
        assert_eq!(model.predict(ExpertId(0), Some(GroupId(1))), 0.5);
        assert_eq!(logged.votes_by_seat().len(), 2);
    }

    #[test]
    fn contradictions_are_named() {
        let fine = log(&mut start("uniform", &[]), 2, 1);
        let message = |change: &dyn Fn(&mut Logged)| {
            let mut log = fine.clone();
            change(&mut log[1]);
            evaluate(&log, &mut start("uniform", &[]), &PLAIN, &Stream::new(1)).unwrap_err().to_string()
        };
        let found = message(&|logged| logged.available.reverse());
        assert_eq!(found, "case 1 of the log: the available people must be sorted, each once");
        let found = message(&|logged| logged.seats[0].expert = ExpertId(9));
        assert!(found.starts_with("case 1 of the log: expert 9 has a seat and is not available"), "{found}");
        let found = message(&|logged| logged.votes.push(logged.votes[0]));
        assert!(found.ends_with("must have a seat and one vote at most; leave the vote out"), "{found}");
        let found = message(&|logged| logged.seats[0].propensity = 0.0);
        assert!(found.starts_with("a propensity of case 1 (counted from 0) is 0"), "{found}");
        let found = evaluate(&fine, &mut Fixed([0.5; 4], 1), &PLAIN, &Stream::new(1)).unwrap_err().to_string();
        assert_eq!(found, "case 0 of the log: the target's shares must be 4 numbers from 0 to 1 that sum to 1");
        let empty = evaluate(&[Logged::default()], &mut start("uniform", &[]), &PLAIN, &Stream::new(1)).unwrap();
        assert_eq!((empty.estimates.cases, empty.without_label), (0, 0));
    }
}
