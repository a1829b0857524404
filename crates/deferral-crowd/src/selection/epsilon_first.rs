//! Bounded epsilon-first (Tran-Thanh, Stein, Rogers and Jennings 2014): spend a share epsilon of the budget to find out
//! who is good, the rest on those who are, nobody beyond their capacity.
//!
//! Known: budget B, a price and a capacity for each worker, unknown mean utilities, epsilon B for exploring and the
//! rest for exploiting, regret of order B^(2/3). Reconstructed: exploring goes round-robin, one task a worker and
//! round, past those at capacity or too expensive; exploiting is a bounded knapsack filled in the order of mean /
//! price. Guessed: epsilon = 0.1 (epsilon in proportion to B^(-1/3) gives the rate above); workers who cost nothing do
//! not prolong the exploration beyond their first task, since they never spend it.

use deferral_core::{
    Allocator, CaseView, CaseWeights, Context, Dataset, ExpertId, FitError, Label, Learner, Newcomer, ParameterError,
    Question, Vote,
};
use deferral_models::Classifier;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::goel_faltings::majority;
use super::prices::{check_prices, price_of_newcomer};
use super::rationed::Rationed;
use super::roster::RosterPolicy;
use super::team::Team;
use crate::seats;

/// Whom to explore, in order, with `budget`: round-robin, one task a worker and round, past those who are at capacity
/// (in tasks) or too expensive for what is left, until nobody can be paid. O(m) a round.
///
/// ```
/// use deferral_crowd::selection::epsilon_first::exploration;
/// // Worker 1 has time for one task; after 4 of 4.5 units nobody is affordable.
/// assert_eq!(exploration(&[1.0, 2.0], &[9, 1], 4.5)?.collect::<Vec<_>>(), [0, 1, 0]);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
///
/// # Errors
/// If there is not one finite price of 0 or more and one capacity a worker, or if the budget is not such a number.
pub fn exploration(
    prices: &[f64],
    capacities: &[usize],
    budget: f64,
) -> Result<impl Iterator<Item = usize> + use<>, ParameterError> {
    check(prices, capacities, budget)?;
    let mut exploration = Exploration::new(prices.to_vec(), capacities.to_vec(), budget);
    let mut round = Vec::new().into_iter();
    Ok(std::iter::from_fn(move || {
        if round.len() == 0 {
            round = exploration.round(0..exploration.prices.len()).into_iter();
        }
        round.next()
    }))
}

/// How many tasks to give to each worker with `budget`, so that means add up: in the order of mean / price each as many
/// as they have time for and the rest of the budget pays. Below the best by less than one task of the best worker.
/// A worker with a mean of 0 gets none. O(m log m).
///
/// ```
/// use deferral_crowd::selection::epsilon_first::bounded_knapsack;
/// assert_eq!(bounded_knapsack(&[0.9, 0.8, 0.5], &[3.0, 2.0, 1.0], &[2, 3, 4], 9.0)?, [0, 2, 4]);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
///
/// # Errors
/// As [`exploration`], and if there is not one finite mean a worker.
pub fn bounded_knapsack(
    means: &[f64],
    prices: &[f64],
    capacities: &[usize],
    budget: f64,
) -> Result<Vec<usize>, ParameterError> {
    check(prices, capacities, budget)?;
    let expected = format!("one for each of the {} workers", prices.len());
    ParameterError::check(means.len() == prices.len(), "the number of means", means.len(), &expected)?;
    if let Some(mean) = means.iter().find(|mean| !mean.is_finite()) {
        return Err(ParameterError::new("a mean", mean, "finite"));
    }
    let density = Density::new(prices);
    let mut order: Vec<usize> = (0..means.len()).filter(|&worker| means[worker] > 0.0).collect();
    order.sort_by(|&a, &b| density.of(b, means[b]).total_cmp(&density.of(a, means[a])));
    let mut left = rounded_up(budget);
    let mut tasks = vec![0; means.len()];
    for worker in order {
        let price = prices[worker];
        // A quotient beyond all capacities saturates.
        let affordable = if price > 0.0 { (left / price).floor() as usize } else { usize::MAX };
        tasks[worker] = affordable.min(capacities[worker]);
        left = (left - tasks[worker] as f64 * price).max(0.0);
    }
    Ok(tasks)
}

fn check(prices: &[f64], capacities: &[usize], budget: f64) -> Result<(), ParameterError> {
    check_prices(prices, capacities.len())?;
    ParameterError::check(budget.is_finite() && budget >= 0.0, "the budget", budget, "a finite number, 0 or more")
}

/// Prices like 0.1 do not add up exactly: three of them shall be paid by a budget of 0.3.
pub(crate) fn rounded_up(budget: f64) -> f64 {
    budget * (1.0 + 1e-12)
}

/// What a worker is worth for their price. One who costs nothing counts as expensive as the cheapest who does cost
/// something: being free of charge makes nobody infinitely good.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Density<'a> {
    prices: &'a [f64],
    cheapest: f64,
}

impl<'a> Density<'a> {
    pub(crate) fn new(prices: &'a [f64]) -> Self {
        let cheapest = prices.iter().copied().filter(|price| *price > 0.0).fold(f64::INFINITY, f64::min);
        Self { prices, cheapest: if cheapest.is_finite() { cheapest } else { 1.0 } }
    }

    /// Of a worker beyond the prices, as the classifier is: as of one who costs nothing.
    pub(crate) fn of(&self, worker: usize, mean: f64) -> f64 {
        mean / self.prices.get(worker).map_or(self.cheapest, |price| price.max(self.cheapest))
    }

    /// The one worth most for their price, the first on ties.
    pub(crate) fn best(&self, workers: impl Iterator<Item = (usize, f64)>) -> Option<usize> {
        let better = |best: Option<(usize, f64)>, (worker, mean): (usize, f64)| {
            let density = self.of(worker, mean);
            if best.is_some_and(|(_, most)| most >= density) { best } else { Some((worker, density)) }
        };
        workers.fold(None, better).map(|(worker, _)| worker)
    }
}

/// The first phase at some point of its course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Exploration {
    prices: Vec<f64>,
    /// Tasks that each worker still has time for.
    time: Vec<usize>,
    explored: Vec<bool>,
    /// What may still be spent on exploring.
    left: f64,
}

impl Exploration {
    fn new(prices: Vec<f64>, time: Vec<usize>, budget: f64) -> Self {
        Self { explored: vec![false; prices.len()], prices, time, left: rounded_up(budget) }
    }

    /// One more worker, and at least `budget` to explore with.
    fn admit(&mut self, price: f64, time: usize, budget: f64) {
        self.prices.push(price);
        self.time.push(time);
        self.explored.push(false);
        self.left = self.left.max(budget);
    }

    fn can_take(&self, worker: usize) -> bool {
        self.time[worker] > 0 && self.prices[worker] <= self.left
    }

    /// Whether somebody can still be paid for a task, or be tried for nothing.
    fn goes_on(&self) -> bool {
        let to_explore = |worker: usize| self.prices[worker] > 0.0 || !self.explored[worker];
        (0..self.prices.len()).any(|worker| self.can_take(worker) && to_explore(worker))
    }

    /// One task for each of `workers` who can take one, while the exploration goes on. Who was never tried comes first,
    /// should what is left not pay for all.
    fn round(&mut self, workers: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut round = Vec::new();
        if self.goes_on() {
            let mut workers: Vec<usize> = workers.collect();
            workers.sort_by_key(|&worker| self.explored[worker]);
            for worker in workers {
                if self.can_take(worker) {
                    self.time[worker] -= 1;
                    self.left -= self.prices[worker];
                    self.explored[worker] = true;
                    round.push(worker);
                }
            }
        }
        round
    }
}

/// Epsilon-first as a learner from recorded decisions, and the parameters of its online form.
///
/// The mean of an expert is their agreement with the gold labels on the decisions that were explored, 0 if there is
/// none; the classifier, worker m, is judged on all cases, in a training that did not see them. The means are the
/// policy's weights, and [`EpsilonFirst::rule`] spends them. Known of the use as a baseline (closed-loop allocation):
/// unit prices, the whole training stream as exploration, and that each case goes to the expert with the highest mean
/// who has served fewer than b cases. Guessed: all of it that involves a classifier, which also decides where nobody
/// has time; with a budget, the exploration takes the first decisions of every expert, as many as epsilon x budget
/// pays. O(decisions) and six trainings of the classifier.
///
/// ```
/// use deferral_core::*;
/// use deferral_crowd::EpsilonFirst;
/// // Expert 0 is right on all cases, expert 1 on three of four.
/// let (n, truth) = (40, |case: u32| (case % 2) as u16);
/// let second = |case: u32| if case % 4 == 0 { 1 - truth(case) } else { truth(case) };
/// let votes = (0..n).flat_map(|case| [(case, 0, truth(case)), (case, 1, second(case))]);
/// let decisions = Decisions::from_triples(n as usize, 2, votes)?;
/// let labels = (0..n).map(|case| Some(Label(truth(case)))).collect();
/// let cases = Cases::new(Names::numbered("", n as usize), Features::none(n as usize))?.with_labels(labels)?;
/// let data = Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("expert", 2))?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let method = EpsilonFirst { capacity: Some(30), with_classifier: false, ..EpsilonFirst::default() };
/// let policy = method.fit(&data, &CaseWeights::uniform(40), &mut ctx)?;
/// // Thirty of the cases go to expert 0, the other ten to expert 1.
/// let beliefs = (policy.classify(data.cases())?, policy.weigh(data.cases())?);
/// let mut source = Recorded::new(data.decisions(), Absent::Unavailable);
/// let rule = method.rule(data.m())?;
/// let outcomes = consult(0..40, (&beliefs.0, &beliefs.1), &rule, &mut source, None, &Stream::new(2))?;
/// assert!((0..40).all(|case| outcomes[case].asked[0].expert == ExpertId(u32::from(case >= 30))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EpsilonFirst {
    /// The share of the budget that is spent on exploring, from 0 to 1.
    pub epsilon: f64,
    /// What all labels together may cost, those of the exploration included. None: the learner explores all decisions
    /// and decides without a limit; the online form may spend what all workers cost at capacity.
    pub budget: Option<f64>,
    /// What a label of each expert costs, 0 or more; 1 each if nothing is said. Experts rank by mean / price, where
    /// those who cost nothing, and the classifier, count as expensive as the cheapest other.
    pub prices: Option<Vec<f64>>,
    /// Cases that each expert can serve, b: when deciding, and in the online form in all. None: any number.
    pub capacity: Option<usize>,
    /// Whether the classifier serves as one more worker, with any capacity.
    pub with_classifier: bool,
    /// Whether [`EpsilonFirst::rule`] gives a case whose available experts are all at capacity to the best of them
    /// nevertheless, so that everybody's capacity may be exceeded. Off by default: then nobody is asked. A guess for
    /// the use as a baseline, which does not say what happens; the online form never does it.
    pub overflow: bool,
    /// The classifier.
    pub classifier: Classifier,
}

impl Default for EpsilonFirst {
    /// A tenth of the budget for exploring; no budget and no capacity; the classifier serves too; no overflow.
    fn default() -> Self {
        Self {
            epsilon: 0.1,
            budget: None,
            prices: None,
            capacity: None,
            with_classifier: true,
            overflow: false,
            classifier: Classifier::default(),
        }
    }
}

impl EpsilonFirst {
    /// The rule that spends the means of the policy on the cases to decide: within the capacity, and within the budget
    /// that the exploration leaves, (1 - epsilon) x budget. A rule counts what it has spent: make one for every run.
    ///
    /// # Errors
    /// If a parameter is out of range for m experts.
    pub fn rule(&self, m: usize) -> Result<Rationed, ParameterError> {
        let prices = self.prices_of(m)?;
        let left = self.budget.map(|budget| rounded_up((1.0 - self.epsilon) * budget));
        Ok(Rationed::new(self, prices, left))
    }

    /// The online form for m workers, before its first case; it has no classifier.
    ///
    /// # Errors
    /// If a parameter is out of range, or if there is neither a budget nor a capacity.
    pub fn online(&self, m: usize) -> Result<OnlineEpsilonFirst, ParameterError> {
        let prices = self.prices_of(m)?;
        let at_capacity = self.capacity.map(|capacity| prices.iter().map(|price| price * capacity as f64).sum());
        let Some(whole) = self.budget.or(at_capacity) else {
            return Err(ParameterError::new("the budget", "missing", "given, as there is no capacity either"));
        };
        let time = vec![self.capacity.unwrap_or(usize::MAX); m];
        let exploration = Exploration::new(prices, time, self.epsilon * whole);
        let purse = Purse { epsilon: self.epsilon, capacity: self.capacity, grows: self.budget.is_none() };
        let left = rounded_up(whole);
        Ok(OnlineEpsilonFirst { purse, exploration, left, agreed: vec![0; m], judged: vec![0; m] })
    }

    /// One price an expert, after all parameters were checked.
    fn prices_of(&self, m: usize) -> Result<Vec<f64>, ParameterError> {
        ParameterError::check((0.0..=1.0).contains(&self.epsilon), "epsilon", self.epsilon, "a number from 0 to 1")?;
        ParameterError::check(self.capacity != Some(0), "the capacity", 0, "1 or more")?;
        let prices = self.prices.clone().unwrap_or_else(|| vec![1.0; m]);
        check(&prices, &vec![0; m], self.budget.unwrap_or(0.0))?;
        Ok(prices)
    }
}

impl Learner for EpsilonFirst {
    type Policy = RosterPolicy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<RosterPolicy, FitError> {
        let prices = self.prices_of(data.m())?;
        let mut explored: Vec<usize> =
            (0..data.m()).map(|j| data.decisions().of_expert(ExpertId::at(j)).len()).collect();
        if let Some(budget) = self.budget {
            let recorded = std::mem::replace(&mut explored, vec![0; data.m()]);
            exploration(&prices, &recorded, self.epsilon * budget)?.for_each(|worker| explored[worker] += 1);
        }
        let team = Team::new(&self.classifier, data, weights, ctx)?;
        explored.push(if self.with_classifier { data.n() } else { 0 });
        let mean = |(worker, &first): (usize, &usize)| {
            let row = team.decisions.of_expert(ExpertId::at(worker)).iter().take(first);
            let weighed = row.map(|(case, label)| (weights.values()[case.index()], label == team.gold[case.index()]));
            let (right, all) = weighed.fold((0.0, 0.0), |(r, n), (w, ok)| (if ok { r + w } else { r }, n + w));
            if all > 0.0 { right / all } else { 0.0 }
        };
        let means = explored.iter().enumerate().map(mean).collect();
        Ok(RosterPolicy::everywhere(team.classifier, means))
    }
}

/// Epsilon-first in a closed loop: explore, then exploit, within capacities and budget; neither is ever exceeded.
///
/// Nobody knows the truth, so the mean of a worker is their agreement with the majority of the votes on cases that were
/// explored. Guessed: a round of the exploration is one case, which goes to every available worker who can take it, as
/// the votes of one case are what can be compared; a vote that stands alone teaches nothing; what is given is paid,
/// whether or not the answer comes. While exploring, a case that none of those available can explore is exploited, from
/// what is not reserved for exploring. Exploiting gives every case to the available worker who is worth most for their
/// price, has time and can be paid, and to nobody if there is none. O(m) a case.
///
/// ```
/// use deferral_core::{Allocator, CaseId, CaseView, ExpertId, Label, Stream, Vote};
/// use deferral_crowd::EpsilonFirst;
/// let mut allocator = EpsilonFirst { budget: Some(60.0), ..EpsilonFirst::default() }.online(3)?;
/// let everybody: Vec<ExpertId> = (0..3).map(ExpertId).collect();
/// let mut asked = Vec::new();
/// for case in 0..10 {
///     let view = CaseView { case: CaseId(case), features: &[], group: None };
///     let questions = allocator.allocate(view, &everybody, &mut Stream::new(1).at(case as usize));
///     // Worker 0 contradicts the other two.
///     let vote = |expert: ExpertId| Vote { expert, label: Label(u16::from(expert.0 > 0)) };
///     let votes: Vec<Vote> = questions.iter().map(|question| vote(question.expert)).collect();
///     allocator.learn(view, &votes);
///     asked.push(votes.len());
/// }
/// // A tenth of the budget pays two rounds of three; then worker 1, the first who agreed, serves.
/// assert_eq!(asked, [3, 3, 1, 1, 1, 1, 1, 1, 1, 1]);
/// assert_eq!(allocator.means(), [0.0, 1.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OnlineEpsilonFirst {
    purse: Purse,
    exploration: Exploration,
    /// What is left of the whole budget.
    left: f64,
    agreed: Vec<usize>,
    judged: Vec<usize>,
}

/// What a newcomer brings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Purse {
    /// The share of what is left that is kept for exploring again.
    epsilon: f64,
    /// Cases that they can serve.
    capacity: Option<usize>,
    /// Whether the budget is what all workers cost at capacity.
    grows: bool,
}

impl OnlineEpsilonFirst {
    /// The mean of each worker; 0 for one whose votes were never compared with others.
    pub fn means(&self) -> Vec<f64> {
        self.agreed.iter().zip(&self.judged).map(|(&agreed, &judged)| agreed as f64 / judged.max(1) as f64).collect()
    }

    /// Whether the exploration is still going on.
    pub fn is_exploring(&self) -> bool {
        self.exploration.goes_on()
    }

    /// Whom to ask among `available`; it is paid at once.
    fn choose(&mut self, available: &[ExpertId]) -> Vec<ExpertId> {
        let m = self.judged.len();
        let available: Vec<usize> =
            available.iter().map(|expert| expert.index()).filter(|&worker| worker < m).collect();
        let mut chosen = self.exploration.round(available.iter().copied());
        if chosen.is_empty() {
            chosen.extend(self.exploit(&available));
        }
        self.left -= chosen.iter().map(|&worker| self.exploration.prices[worker]).sum::<f64>();
        chosen.into_iter().map(ExpertId::at).collect()
    }

    fn exploit(&mut self, available: &[usize]) -> Option<usize> {
        let Exploration { prices, time, .. } = &self.exploration;
        let means = self.means();
        let reserved = if self.is_exploring() { self.exploration.left } else { 0.0 };
        // Rounding may leave less than nothing, which still pays those who cost nothing.
        let spendable = (self.left - reserved).max(0.0);
        let can_serve = |worker: &&usize| time[**worker] > 0 && prices[**worker] <= spendable;
        let workers = available.iter().filter(can_serve).map(|&worker| (worker, means[worker]));
        let best = Density::new(prices).best(workers)?;
        self.exploration.time[best] -= 1;
        Some(best)
    }
}

impl Allocator for OnlineEpsilonFirst {
    fn allocate(&mut self, _: CaseView<'_>, available: &[ExpertId], _: &mut dyn Rng) -> Vec<Question> {
        self.choose(available).into_iter().map(|expert| Question { expert, propensity: 1.0 }).collect()
    }

    fn learn(&mut self, _: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        let labels = || votes.iter().map(|vote| vote.label);
        let label = majority(labels(), labels().max()?.index() + 1)?;
        let m = self.judged.len();
        for vote in votes.iter().filter(|vote| votes.len() > 1 && vote.expert.index() < m) {
            self.judged[vote.expert.index()] += 1;
            self.agreed[vote.expert.index()] += usize::from(vote.label == label);
        }
        Some(label)
    }

    /// Exact: those who would be asked now have the same share each. O(m).
    fn shares(&self, _: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
        let chosen = self.clone().choose(available);
        seats::shares(available, self.judged.len(), chosen.into_iter().map(|expert| (expert, 1.0)))
    }

    /// Exploring begins again, as a vote is judged beside those of others: the share epsilon of what is left is kept
    /// for it, and the newcomer comes first. They have the capacity that everybody began with; a budget that was given
    /// stays, one that is what all cost at capacity grows. The similarity is not looked at; a price that is no finite
    /// number of 0 or more counts as 1. A guess, as the paper knows no newcomers.
    fn join(&mut self, newcomer: Newcomer<'_>) {
        let price = price_of_newcomer(newcomer);
        if let (Some(capacity), true) = (self.purse.capacity, self.purse.grows) {
            self.left += rounded_up(price * capacity as f64);
        }
        self.exploration.admit(price, self.purse.capacity.unwrap_or(usize::MAX), self.purse.epsilon * self.left);
        self.agreed.push(0);
        self.judged.push(0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::linear_program::{LinearProgram, Relation, Row};
    use super::*;
    use deferral_core::{CaseId, Cases, Decisions, Features, Names, Policy, Silent, Stream};
    use proptest::prelude::*;
    use rand::RngExt;

    /// Prices or means of all tasks together.
    fn total(values: &[f64], tasks: &[usize]) -> f64 {
        values.iter().zip(tasks).map(|(value, n)| value * *n as f64).sum()
    }

    fn explored(prices: &[f64], capacities: &[usize], budget: f64) -> Vec<usize> {
        exploration(prices, capacities, budget).unwrap().collect()
    }

    #[test]
    fn numeric_example_of_the_knapsack() {
        let (means, prices) = ([0.9, 0.8, 0.5], [3.0, 2.0, 1.0]);
        let density = Density::new(&prices);
        let densities: Vec<f64> = (0..3).map(|worker| density.of(worker, means[worker])).collect();
        assert!(densities.iter().zip([0.3, 0.4, 0.5]).all(|(found, expected)| (found - expected).abs() < 1e-6));
        let tasks = bounded_knapsack(&means, &prices, &[2, 3, 4], 9.0).unwrap();
        assert_eq!(tasks, [0, 2, 4]);
        assert!((total(&prices, &tasks) - 8.0).abs() < 1e-6 && (total(&means, &tasks) - 3.6).abs() < 1e-6);
    }

    #[test]
    fn exploration_goes_round() {
        assert_eq!(explored(&[1.0; 3], &[9, 1, 9], 6.0), [0, 1, 2, 0, 2, 0]);
        assert_eq!(explored(&[3.0, 2.0, 1.0], &[9; 3], 7.0), [0, 1, 2, 2]);
        // Decimals that do not add up exactly.
        assert_eq!(explored(&[0.1], &[9], 0.3), [0, 0, 0]);
        assert_eq!(bounded_knapsack(&[1.0], &[0.1], &[9], 0.3).unwrap(), [3]);
    }

    #[test]
    fn who_costs_nothing_is_explored_but_does_not_prolong_the_exploration() {
        assert_eq!(explored(&[0.0, 0.0], &[9; 2], 0.0), [0, 1]);
        assert_eq!(explored(&[0.0, 1.0], &[9; 2], 2.0), [0, 1, 0, 1]);
        assert_eq!(explored(&[0.0, 1.0], &[9; 2], 0.5), [0]);
        assert_eq!(bounded_knapsack(&[0.5, 0.9], &[0.0, 1.0], &[4, 4], 2.0).unwrap(), [4, 2]);
    }

    #[test]
    fn degenerate_budgets_and_workers() {
        assert_eq!(explored(&[1.0; 2], &[9; 2], 0.0), [] as [usize; 0]);
        assert_eq!(explored(&[], &[], 5.0), [] as [usize; 0]);
        assert_eq!(explored(&[1.0; 2], &[0, 2], 5.0), [1, 1]);
        assert_eq!(bounded_knapsack(&[0.0, 0.5], &[1.0; 2], &[9; 2], 3.0).unwrap(), [0, 3]);
        assert_eq!(bounded_knapsack(&[0.5; 2], &[1.0; 2], &[2; 2], 3.0).unwrap(), [2, 1]);
        assert_eq!(bounded_knapsack(&[0.5], &[1e-300], &[usize::MAX], 1e300).unwrap(), [usize::MAX]);
    }

    #[test]
    fn bad_numbers_are_refused() {
        let message = |means: &[f64], prices: &[f64], capacities: &[usize], budget| {
            bounded_knapsack(means, prices, capacities, budget).unwrap_err().to_string()
        };
        let found = message(&[0.5], &[1.0, 1.0], &[1], 1.0);
        assert_eq!(found, "the number of prices is 2, but must be one for each of the 1 workers");
        let found = message(&[0.5], &[f64::NAN], &[1], 1.0);
        assert_eq!(found, "the price of worker 0 is NaN, but must be a finite number, 0 or more");
        let found = message(&[0.5], &[1.0], &[1], -1.0);
        assert_eq!(found, "the budget is -1, but must be a finite number, 0 or more");
        let found = message(&[], &[1.0], &[1], 1.0);
        assert_eq!(found, "the number of means is 0, but must be one for each of the 1 workers");
        assert_eq!(message(&[f64::NAN], &[1.0], &[1], 1.0), "a mean is NaN, but must be finite");

        let message = |method: EpsilonFirst| method.online(2).unwrap_err().to_string();
        let found = message(EpsilonFirst { epsilon: 1.5, ..EpsilonFirst::default() });
        assert_eq!(found, "epsilon is 1.5, but must be a number from 0 to 1");
        let found = message(EpsilonFirst { capacity: Some(0), ..EpsilonFirst::default() });
        assert_eq!(found, "the capacity is 0, but must be 1 or more");
        let found = message(EpsilonFirst::default());
        assert_eq!(found, "the budget is missing, but must be given, as there is no capacity either");
    }

    /// n cases without features whose label is the case modulo 2, and who was right where, of those who answered.
    fn data(n: usize, m: usize, right: impl Fn(usize, usize) -> Option<bool>) -> Dataset {
        let votes = (0..n).flat_map(|case| (0..m).map(move |worker| (case, worker)));
        let votes = votes.filter_map(|(case, worker)| {
            right(case, worker).map(|right| (case as u32, worker as u32, ((case + usize::from(!right)) % 2) as u16))
        });
        let decisions = Decisions::from_triples(n, m, votes).unwrap();
        let labels = (0..n).map(|case| Some(Label::at(case % 2))).collect();
        let cases = Cases::new(Names::numbered("", n), Features::none(n)).unwrap().with_labels(labels).unwrap();
        Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("w", m)).unwrap()
    }

    fn weights(method: &EpsilonFirst, data: &Dataset, of_cases: Vec<f64>) -> Result<Vec<f64>, FitError> {
        let mut silent = Silent;
        let mut ctx = Context::new(Stream::new(1), &mut silent);
        let policy = method.fit(data, &CaseWeights::new(of_cases).unwrap(), &mut ctx)?;
        Ok(policy.weigh(data.cases()).unwrap().column(0).to_vec())
    }

    #[test]
    fn means_are_the_agreement_with_gold() {
        // Worker 0 errs on every fourth case, worker 1 answers the first ten only, worker 2 nothing.
        let data = data(40, 3, |case, worker| match worker {
            0 => Some(case % 4 != 0),
            1 if case < 10 => Some(case < 5),
            _ => None,
        });
        let people = EpsilonFirst { with_classifier: false, ..EpsilonFirst::default() };
        assert_eq!(weights(&people, &data, vec![1.0; 40]).unwrap(), [0.75, 0.5, 0.0, 0.0]);
        // The classifier knows which class is more frequent, which is neither.
        let found = weights(&EpsilonFirst::default(), &data, vec![1.0; 40]).unwrap();
        assert!(found[3] > 0.0 && found[3] <= 0.6, "{found:?}");
        // A tenth of the budget pays four decisions: the first two of each of those who have any.
        let method = EpsilonFirst { budget: Some(40.0), ..people.clone() };
        assert_eq!(weights(&method, &data, vec![1.0; 40]).unwrap(), [0.5, 1.0, 0.0, 0.0]);
        // Cases that do not count.
        let of_cases = (0..40).map(|case| f64::from(u8::from(case % 4 != 0))).collect();
        assert_eq!(weights(&people, &data, of_cases).unwrap()[0], 1.0);
    }

    #[test]
    fn without_votes_there_is_nothing_to_learn() {
        let error = weights(&EpsilonFirst::default(), &data(10, 2, |_, _| None), vec![1.0; 10]).unwrap_err();
        assert_eq!(error, FitError::NoExperts);
    }

    fn view(case: usize) -> CaseView<'static> {
        CaseView { case: CaseId::at(case), features: &[], group: None }
    }

    /// Who is asked about each case while everybody answers as `vote` says.
    fn run(
        allocator: &mut OnlineEpsilonFirst,
        cases: usize,
        available: impl Fn(usize) -> Vec<ExpertId>,
        vote: impl Fn(usize, usize) -> u16,
    ) -> Vec<Vec<usize>> {
        let mut asked = Vec::new();
        for case in 0..cases {
            let questions = allocator.allocate(view(case), &available(case), &mut Stream::new(5).at(case));
            let workers: Vec<usize> = questions.iter().map(|question| question.expert.index()).collect();
            let answer = |&worker: &usize| Vote { expert: ExpertId::at(worker), label: Label(vote(case, worker)) };
            allocator.learn(view(case), &workers.iter().map(answer).collect::<Vec<_>>());
            asked.push(workers);
        }
        asked
    }

    #[test]
    fn online_explores_exploits_and_stops() {
        let everybody = |_| (0..3).map(ExpertId).collect();
        let method = EpsilonFirst { capacity: Some(4), epsilon: 0.5, ..EpsilonFirst::default() };
        // Half of twelve labels explore; worker 0 never agrees with the others.
        let mut allocator = method.online(3).unwrap();
        assert!(allocator.is_exploring());
        let asked = run(&mut allocator, 10, everybody, |_, worker| u16::from(worker > 0));
        let expected: [&[usize]; 10] = [&[0, 1, 2], &[0, 1, 2], &[1], &[1], &[2], &[2], &[0], &[0], &[], &[]];
        assert_eq!(asked, expected);
        assert!(!allocator.is_exploring());
        // With prices, of two who are equally good the cheaper one serves first, and the other is what the rest pays.
        let prices = Some(vec![1.0, 2.0, 1.0]);
        let mut allocator = EpsilonFirst { prices, budget: Some(9.0), ..method }.online(3).unwrap();
        let asked = run(&mut allocator, 5, everybody, |_, worker| u16::from(worker > 0));
        let expected: [&[usize]; 5] = [&[0, 1, 2], &[2], &[2], &[2], &[1]];
        assert_eq!(asked, expected);
    }

    #[test]
    fn a_case_that_nobody_can_explore_is_exploited() {
        let prices = Some(vec![5.0, 1.0]);
        let mut allocator = EpsilonFirst { prices, budget: Some(20.0), ..Default::default() }.online(2).unwrap();
        let only_the_expensive_one = |_| vec![ExpertId(0), ExpertId(9)];
        assert_eq!(run(&mut allocator, 1, only_the_expensive_one, |_, _| 0), [[0]]);
        assert!(allocator.is_exploring());
        assert!(run(&mut allocator, 1, |_| Vec::new(), |_, _| 0)[0].is_empty());
        assert_eq!(allocator.learn(view(0), &[]), None);
    }

    #[test]
    fn closed_loop_of_clusters_is_worth_one_cluster() {
        // E7: three annotators, each right on the own cluster and with probability 0.2 elsewhere, each for a third of
        // the cases: .2 + .8 / 3 = .467.
        let cluster = |case: usize| Stream::new(3).at(case).random_range(0..3);
        let truth = |case: usize| Stream::new(4).at(case).random_range(0..2u16);
        let vote = |case: usize, worker: usize| {
            let right = cluster(case) == worker || Stream::new(6).nth(worker).at(case).random::<f64>() < 0.2;
            if right { truth(case) } else { 1 - truth(case) }
        };
        let mut allocator = EpsilonFirst { capacity: Some(1000), ..EpsilonFirst::default() }.online(3).unwrap();
        let asked = run(&mut allocator, 2800, |_| (0..3).map(ExpertId).collect(), vote);
        let served: Vec<(usize, usize)> = (100..2800).map(|case| (case, asked[case][0])).collect();
        let right = served.iter().filter(|&&(case, worker)| vote(case, worker) == truth(case)).count();
        let accuracy = right as f64 / served.len() as f64;
        assert!(asked[..100].iter().all(|workers| workers.len() == 3) && asked[100].len() == 1);
        assert!((0.43..0.5).contains(&accuracy), "{accuracy}");
    }

    fn any_workers() -> impl Strategy<Value = Vec<(f64, f64, usize)>> {
        let price = prop_oneof![Just(0.0), Just(1.0), 0.1..5.0];
        proptest::collection::vec((0.0..1.0, price, 0usize..6), 1..8)
    }

    fn everybody(m: usize) -> Vec<ExpertId> {
        (0..m).map(ExpertId::at).collect()
    }

    /// Allocates a case and hears everybody who was asked; worker 0 contradicts the others.
    fn round(allocator: &mut OnlineEpsilonFirst, m: usize, case: usize) -> Vec<usize> {
        let shares = allocator.shares(view(case), &everybody(m));
        let asked = allocator.allocate(view(case), &everybody(m), &mut Stream::new(1).at(case));
        let asked: Vec<usize> = asked.iter().map(|question| question.expert.index()).collect();
        // Whoever is asked had the same share each.
        let expected = |worker: usize| if asked.contains(&worker) { 1.0 / asked.len() as f64 } else { 0.0 };
        assert!(asked.is_empty() || (0..m).all(|worker| (shares[worker] - expected(worker)).abs() < 1e-12));
        let vote = |&worker: &usize| Vote { expert: ExpertId::at(worker), label: Label(u16::from(worker > 0)) };
        allocator.learn(view(case), &asked.iter().map(vote).collect::<Vec<_>>());
        asked
    }

    #[test]
    fn who_joins_is_explored_beside_the_others() {
        let mut allocator = EpsilonFirst { budget: Some(60.0), ..EpsilonFirst::default() }.online(3).unwrap();
        (0..10).for_each(|case| drop(round(&mut allocator, 3, case)));
        assert!(!allocator.is_exploring() && round(&mut allocator, 4, 10) == [1]);
        let means = allocator.means();
        // 45 are left: 4.5 pay for four.
        allocator.join(Newcomer { similarity: &[], price: 1.0 });
        assert_eq!((allocator.means(), allocator.is_exploring()), ([&means[..], &[0.0]].concat(), true));
        assert_eq!(round(&mut allocator, 4, 11), [3, 0, 1, 2]);
        assert_eq!((allocator.means(), allocator.is_exploring()), (vec![0.0, 1.0, 1.0, 1.0], false));
        assert_eq!(round(&mut allocator, 4, 12), [1]);
        // Where a round can't be paid for, the newcomer comes first.
        allocator.join(Newcomer { similarity: &[], price: 2.5 });
        assert_eq!(round(&mut allocator, 5, 13)[0], 4);
        // Nobody can be paid: the same for everybody who is known.
        let nobody = EpsilonFirst { budget: Some(0.0), ..EpsilonFirst::default() }.online(2).unwrap();
        assert_eq!(nobody.shares(view(0), &everybody(3)), [0.5, 0.5, 0.0]);
        assert_eq!(nobody.shares(view(0), &[ExpertId(7)]), [1.0]);
    }

    #[test]
    fn who_joins_has_the_capacity_of_the_others_and_brings_what_it_costs() {
        let method = EpsilonFirst { capacity: Some(4), with_classifier: false, ..EpsilonFirst::default() };
        let mut allocator = method.online(2).unwrap();
        allocator.join(Newcomer { similarity: &[], price: f64::NAN });
        let mut served = [0; 3];
        (0..40).for_each(|case| round(&mut allocator, 3, case).into_iter().for_each(|worker| served[worker] += 1));
        assert_eq!(served, [4, 4, 4]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn tasks_fit_and_are_nearly_the_best(workers in any_workers(), budget in 0.0..20.0) {
            let means: Vec<f64> = workers.iter().map(|worker| worker.0).collect();
            let prices: Vec<f64> = workers.iter().map(|worker| worker.1).collect();
            let capacities: Vec<usize> = workers.iter().map(|worker| worker.2).collect();
            let tasks = bounded_knapsack(&means, &prices, &capacities, budget).unwrap();
            prop_assert!(tasks.iter().zip(&capacities).all(|(tasks, capacity)| tasks <= capacity));
            prop_assert!(total(&prices, &tasks) <= budget * (1.0 + 1e-9));
            // The fractional knapsack is a linear program.
            let coefficients = prices.iter().copied().enumerate().collect();
            let rows = vec![Row { coefficients, relation: Relation::AtMost, rhs: budget }];
            let bounds = capacities.iter().map(|capacity| (0.0, *capacity as f64)).collect();
            let best = LinearProgram { objective: means.clone(), rows, bounds }.solve().unwrap().value;
            let value = total(&means, &tasks);
            let one_task = means.iter().copied().fold(0.0, f64::max);
            prop_assert!(value <= best + 1e-6 && value >= best - one_task - 1e-6, "{value} {best}");

            let mut counts = vec![0; means.len()];
            for worker in exploration(&prices, &capacities, budget).unwrap() {
                counts[worker] += 1;
            }
            prop_assert!(counts.iter().zip(&capacities).all(|(tasks, capacity)| tasks <= capacity));
            prop_assert!(total(&prices, &counts) <= budget * (1.0 + 1e-9));
        }

        #[test]
        fn online_never_exceeds_capacity_or_budget(
            workers in any_workers(),
            epsilon in 0.0..=1.0,
            budget in 0.0..30.0,
            capacity in 1usize..9,
            seed in 0u64..1000,
        ) {
            let prices: Vec<f64> = workers.iter().map(|worker| worker.1).collect();
            let limits = EpsilonFirst { budget: Some(budget), capacity: Some(capacity), ..Default::default() };
            let method = EpsilonFirst { epsilon, prices: Some(prices.clone()), ..limits };
            let mut allocator = method.online(prices.len()).unwrap();
            let here = |case: usize| {
                let mut random = Stream::new(seed).at(case);
                (0..prices.len()).filter(|_| random.random::<bool>()).map(ExpertId::at).collect::<Vec<_>>()
            };
            let asked = run(&mut allocator, 60, here, |case, worker| ((case * 7 + worker * worker) % 3) as u16);
            let mut tasks = vec![0usize; prices.len()];
            for (case, workers) in asked.iter().enumerate() {
                prop_assert!(workers.iter().all(|&worker| here(case).contains(&ExpertId::at(worker))));
                for &worker in workers {
                    tasks[worker] += 1;
                }
            }
            let spent = total(&prices, &tasks);
            prop_assert!(tasks.iter().all(|n| *n <= capacity), "{tasks:?}");
            prop_assert!(spent <= budget * (1.0 + 1e-9), "{spent}");
        }
    }
}
