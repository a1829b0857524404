//! Goel and Faltings 2019: one policy for all cases, whose shares a linear program balances, learned from recorded
//! decisions or in a closed loop. What is known of the method, and what is reconstructed or guessed, stands in
//! [`fair_shares`].
//!
//! [`fair_shares`]: super::fair_shares

use std::borrow::Cow;

use deferral_core::{
    Allocator, CaseId, CaseView, CaseWeights, Columns, Committee, Consultation, Consulted, Context, Dataset, Event,
    ExpertId, FitError, GroupAttribute, Label, Learner, Newcomer, Next, ParameterError, Question, Seat, Selection,
    TieBreak, Vote, VoteRule, argmax,
};
use deferral_models::Classifier;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::epsilon_first::rounded_up;
use super::fair_shares::{Allocation, AllocationError, Limits, Skills, even_shares, group_policy, policy};
use super::inclusion;
use super::prices::price_of_newcomer;
use super::roster::RosterPolicy;
use super::team::Team;
use crate::seats;

/// Learns from gold labels how probably each expert, and the classifier, is right on each class, and gives each of them
/// the share of the cases that makes the expected accuracy largest within the limits.
///
/// An accuracy is `(right + 1) / (answered + 2)`, so 0.5 for somebody who never answered; the classifier, worker m, is
/// judged on cases it was not trained on, costs nothing and may decide any share. With an attribute every group has a
/// policy of its own. The shares are the policy's weights; [`GoelFaltings::committee`] draws from them. Where an expert
/// is not available, the others' shares are scaled up; where those are all 0, everybody else, the classifier too, is
/// drawn alike. **Balance, budget, largest shares and quotas hold for cases about which everybody can be asked**: where
/// cheap people are often absent, the expensive ones get their cases and the mean price may exceed the budget (the
/// loop, [`GoelFaltingsLoop`], asks fewer instead).
///
/// Known of the use as a baseline (closed-loop allocation): one policy for all cases, and beta. The program is
/// reconstructed; the classifier's seat and its price of nothing are guesses. O(decisions + n K), six trainings of the
/// classifier and one linear program.
///
/// ```
/// use deferral_core::*;
/// use deferral_crowd::GoelFaltings;
/// // Expert 0 is always right, expert 1 never; without features the classifier only knows how frequent classes are.
/// let votes = (0..40).flat_map(|case| [(case, 0, (case % 2) as u16), (case, 1, (1 - case % 2) as u16)]);
/// let labels = (0..40).map(|case| Some(Label(case % 2))).collect();
/// let cases = Cases::new(Names::numbered("", 40), Features::none(40))?.with_labels(labels)?;
/// let decisions = Decisions::from_triples(40, 2, votes)?;
/// let data = Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("expert", 2))?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let policy = GoelFaltings::default().fit(&data, &CaseWeights::uniform(40), &mut ctx)?;
/// assert!(policy.weigh(data.cases())?.column(0)[0] > 0.999);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GoelFaltings {
    /// Beta, budget, largest shares and quotas; they number the experts as the roster does, and the classifier as m.
    /// Prices and largest shares are those of the m experts.
    pub limits: Limits,
    /// The group attribute with a policy for each value, balanced between them; none: one policy, balanced between
    /// classes. The group must then be known when deciding.
    pub attribute: Option<String>,
    /// How the one who decides is chosen.
    pub draw: Draw,
    /// The classifier that is one of the workers.
    pub classifier: Classifier,
}

/// How the one who decides a case is chosen from the shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Draw {
    /// Drawn in proportion to the shares, as the program means it.
    #[default]
    Sampled,
    /// The available one with the largest share. Balance, budget and quotas are then not kept.
    Best,
}

impl GoelFaltings {
    /// The committee of one that decides by this policy.
    pub fn committee(&self) -> Committee {
        let select = match self.draw {
            Draw::Sampled => Selection::Sampled { k: 1 },
            Draw::Best => Selection::Top { k: 1 },
        };
        Committee { select, classifier: Seat::Weighted, vote: VoteRule::Majority, tie: TieBreak::default() }
    }

    /// The limits of m experts, and of a classifier that is free and may decide everything; quotas may name it.
    fn limits_of_team(&self, m: usize) -> Result<Limits, ParameterError> {
        Limits { diversity: Vec::new(), ..self.limits.clone() }.check(m)?;
        let prices = self.limits.prices.clone().unwrap_or_else(|| vec![1.0; m]);
        let prices = Some(prices.into_iter().chain([0.0]).collect());
        let max_share = self.limits.max_share.as_ref().map(|shares| {
            let of_experts = shares.iter().copied().cycle().take(m);
            of_experts.chain([1.0]).collect()
        });
        let limits = Limits { prices, max_share, ..self.limits.clone() };
        limits.check(m + 1)?;
        Ok(limits)
    }
}

impl Learner for GoelFaltings {
    type Policy = RosterPolicy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<RosterPolicy, FitError> {
        let limits = self.limits_of_team(data.m())?;
        let group = self.attribute.as_deref().map(|name| data.cases().group(name)).transpose()?;
        let team = Team::new(&self.classifier, data, weights, ctx)?;
        let mut tallies = vec![Tally::new(data.k(), data.m() + 1); group.map_or(1, GroupAttribute::len)];
        for (case, (&truth, &weight)) in team.gold.iter().zip(weights.values()).enumerate() {
            let place = group.map_or(0, |group| group.of_case[case].index());
            tallies[place].add(truth, team.decisions.of_case(CaseId::at(case)).iter(), weight);
        }
        let mut allocation = solve(&tallies, group.is_some(), &limits)?;
        if allocation.relaxed {
            let Allocation { beta, .. } = allocation;
            ctx.report(&Event::Note(format!("no policy keeps error rates within {}: relaxed to {beta}", limits.beta)))?;
        }
        Ok(match group {
            Some(group) => RosterPolicy::by_group(team.classifier, group, allocation.shares),
            None => RosterPolicy::everywhere(team.classifier, allocation.shares.swap_remove(0)),
        })
    }
}

/// How often each worker answered, and was right, when each class was true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tally {
    right: Columns,
    answered: Columns,
    /// Cases of each class.
    classes: Vec<f64>,
}

impl Tally {
    fn new(classes: usize, m: usize) -> Self {
        let none = Columns::zeros(classes, m);
        Self { right: none.clone(), answered: none, classes: vec![0.0; classes] }
    }

    fn add(&mut self, truth: Label, votes: impl IntoIterator<Item = (ExpertId, Label)>, weight: f64) {
        self.classes[truth.index()] += weight;
        for (worker, label) in votes {
            self.answered.column_mut(worker.index())[truth.index()] += weight;
            if label == truth {
                self.right.column_mut(worker.index())[truth.index()] += weight;
            }
        }
    }

    /// One more worker, who never answered.
    fn admit(&mut self) {
        let grown = |counts: &Columns| {
            let mut values = counts.values().to_vec();
            values.resize(values.len() + counts.rows(), 0.0);
            Columns::from_values(counts.rows(), values)
        };
        (self.right, self.answered) = (grown(&self.right), grown(&self.answered));
    }

    fn cases(&self) -> f64 {
        self.classes.iter().sum()
    }

    fn skills(&self, all_cases: f64) -> Skills {
        let counts = self.right.values().iter().zip(self.answered.values());
        let accuracies = counts.map(|(right, answered)| (right + 1.0) / (answered + 2.0)).collect();
        let cases = self.cases();
        let share = |count: &f64| if cases > 0.0 { count / cases } else { 0.0 };
        let classes = self.classes.iter().map(share).collect();
        let accuracies = Columns::from_values(self.classes.len(), accuracies);
        Skills { share: cases / all_cases, classes, accuracies }
    }
}

/// The allocation for what was counted, of one case at least: one tally a group, or a single one.
fn solve(tallies: &[Tally], by_group: bool, limits: &Limits) -> Result<Allocation, AllocationError> {
    let all_cases = tallies.iter().map(Tally::cases).sum();
    let skills: Vec<Skills> = tallies.iter().map(|tally| tally.skills(all_cases)).collect();
    match &skills[..] {
        [all] if !by_group => policy(&all.accuracies, &all.classes, limits),
        groups => group_policy(groups, limits),
    }
}

/// The closed loop: nobody knows the truth, so workers are judged against the majority of the votes that came.
///
/// The first cases go to everybody alike, as far as budget, largest shares and quotas allow ([`even_shares`]); after
/// each batch the program is solved anew for all that was counted so far. Known: running estimates against aggregated
/// labels, batches of 10 or 1,000, a uniform start, one drawn annotator a case. Guessed: with k > 1 different workers
/// are drawn one after another; ties of votes go to the lowest class; a case of an unknown group goes to everybody
/// alike and teaches nothing; where the program cannot be solved the shares stay. **With k = 1 every worker agrees with
/// their own label**, and so who is drawn often looks good: only k of 3 or more lets workers check each other.
///
/// **Under a budget no case costs more than that on average**, from the first one on, whoever is available: the k
/// labels of a case share it, nobody has more than 1/k of the labels, and each worker is asked with probability k x
/// share (which is their propensity). The seats of those who are absent go to those present as far as the budget pays
/// for them; else fewer are asked, or nobody. With groups, what a case of a group may cost is what its shares cost, and
/// what they all leave of the budget; the mean over the cases seen so far is the budget. All of this is a guess.
///
/// ```
/// use deferral_core::{Allocator, CaseId, CaseView, ExpertId, Label, Stream, Vote};
/// use deferral_crowd::GoelFaltingsLoop;
/// let mut allocator = GoelFaltingsLoop { batch: 2, k: 3, ..GoelFaltingsLoop::default() }.start(3, 2, None)?;
/// let everybody: Vec<ExpertId> = (0..3).map(ExpertId).collect();
/// for case in 0..20 {
///     let view = CaseView { case: CaseId(case), features: &[], group: None };
///     let asked = allocator.allocate(view, &everybody, &mut Stream::new(1).at(case as usize));
///     assert_eq!(asked.len(), 3);
///     // Worker 2 contradicts the other two.
///     let truth = (case % 2) as u16;
///     let votes: Vec<Vote> = (0..3)
///         .map(|e| Vote { expert: ExpertId(e), label: Label(if e == 2 { 1 - truth } else { truth }) })
///         .collect();
///     assert_eq!(allocator.learn(view, &votes), Some(Label(truth)));
/// }
/// assert!(allocator.shares(0)[2] < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GoelFaltingsLoop {
    /// What the policy must keep to; shares are those of the labels that are asked for, and the budget is that of a
    /// case with all its k labels.
    pub limits: Limits,
    /// Cases with votes after which the program is solved anew.
    pub batch: usize,
    /// Different workers asked about a case.
    pub k: usize,
}

impl Default for GoelFaltingsLoop {
    /// Batches of 10, one worker a case.
    fn default() -> Self {
        Self { limits: Limits::default(), batch: 10, k: 1 }
    }
}

impl GoelFaltingsLoop {
    /// The allocator for m workers and K classes, before its first case; with the number of groups if each of them is
    /// to have a policy of its own, for cases that carry their group.
    ///
    /// # Errors
    /// [`AllocationError`] if a number is 0, a limit is out of range, a budget does not pay for the k cheapest workers,
    /// or if limits contradict each other.
    pub fn start(
        &self,
        m: usize,
        classes: usize,
        groups: Option<usize>,
    ) -> Result<OnlineGoelFaltings, AllocationError> {
        let numbers = [("batch", self.batch), ("k", self.k), ("the number of workers", m)];
        let numbers = numbers.into_iter().chain([("the number of classes", classes)]);
        for (name, number) in numbers.chain(groups.map(|groups| ("the number of groups", groups))) {
            ParameterError::check(number > 0, name, number, "1 or more")?;
        }
        let (limits, mut start) = self.even_start(m)?;
        start.push(0.0);
        let groups_or_one = groups.unwrap_or(1);
        Ok(OnlineGoelFaltings {
            settings: self.clone(),
            limits,
            by_group: groups.is_some(),
            tallies: vec![Tally::new(classes, m); groups_or_one],
            weights: vec![start; groups_or_one],
            allowances: self.limits.budget.map(|budget| vec![budget; groups_or_one]),
            in_batch: 0,
            unsolved: 0,
        })
    }

    /// The limits of a single label, and shares that keep to them: whatever is learned later, limits that contradict each
    /// other do so now.
    fn even_start(&self, m: usize) -> Result<(Limits, Vec<f64>), AllocationError> {
        let limits = self.limits_of_labels(m)?;
        let shares = even_shares(m, &limits)?;
        Ok((limits, shares))
    }

    /// The limits of a single label, where k different workers give one each. Without a budget they are as stated:
    /// who has the largest shares sits in every committee.
    fn limits_of_labels(&self, m: usize) -> Result<Limits, ParameterError> {
        self.limits.check(m)?;
        let Some(budget) = self.limits.budget else { return Ok(self.limits.clone()) };
        let k = self.k.min(m);
        let mut prices: Vec<f64> = (0..m).map(|worker| self.limits.price(worker)).collect();
        prices.sort_by(f64::total_cmp);
        let least: f64 = prices[..k].iter().sum();
        if least > rounded_up(budget) {
            let workers = if k == 1 { "the cheapest worker".to_owned() } else { format!("the {k} cheapest workers") };
            return Err(ParameterError::new(
                "the budget of a case",
                budget,
                format!("{least}, the price of {workers}, or more"),
            ));
        }
        let most = 1.0 / k as f64;
        let max_share = (0..m).map(|worker| self.limits.largest_share(worker).min(most)).collect();
        Ok(Limits { budget: Some(budget * most), max_share: Some(max_share), ..self.limits.clone() })
    }
}

/// The closed loop of [`GoelFaltingsLoop`] at some point of its course. O(m) a case, and a linear program a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OnlineGoelFaltings {
    settings: GoelFaltingsLoop,
    /// Those of one label.
    limits: Limits,
    by_group: bool,
    /// Batches that are complete, and the cases of the current one.
    tallies: Vec<Tally>,
    /// For each group m + 1 weights; the last is 0, as nobody trains a classifier here.
    weights: Vec<Vec<f64>>,
    /// What a case of each group may cost on average, if there is a budget.
    allowances: Option<Vec<f64>>,
    in_batch: usize,
    unsolved: usize,
}

impl OnlineGoelFaltings {
    /// The shares of the m workers in a group's cases, in those of all cases if there are no groups; nothing for a
    /// group that does not exist.
    pub fn shares(&self, group: usize) -> &[f64] {
        self.weights.get(group).map_or(&[], |weights| &weights[..weights.len() - 1])
    }

    /// Batches after which the program could not be solved, so that the shares stayed as they were.
    pub fn unsolved(&self) -> usize {
        self.unsolved
    }

    fn place(&self, case: CaseView<'_>) -> Option<usize> {
        let group = if self.by_group { case.group?.index() } else { 0 };
        (group < self.tallies.len()).then_some(group)
    }

    fn solve(&mut self) {
        match solve(&self.tallies, self.by_group, &self.limits) {
            Ok(allocation) => {
                for (weights, shares) in self.weights.iter_mut().zip(&allocation.shares) {
                    weights[..shares.len()].copy_from_slice(shares);
                }
            }
            Err(_) => self.unsolved += 1,
        }
        // With the same shares too: the mix of groups has changed.
        self.allowances = self.limits.budget.map(|budget| self.allowances(budget));
    }

    /// What a case of each group may cost: what its shares cost, and what all of them leave of the budget of a label,
    /// for each of the k labels.
    fn allowances(&self, budget: f64) -> Vec<f64> {
        let cost = |weights: &Vec<f64>| -> f64 {
            weights.iter().enumerate().map(|(worker, share)| share * self.price(worker)).sum()
        };
        let planned: Vec<f64> = self.weights.iter().map(cost).collect();
        let all: f64 = self.tallies.iter().map(Tally::cases).sum();
        let mean: f64 = self.tallies.iter().zip(&planned).map(|(tally, cost)| tally.cases() / all * cost).sum();
        let k = self.settings.k.min(self.workers()) as f64;
        // The program keeps the budget up to its tolerance only.
        let kept = if mean > budget { budget / mean } else { 1.0 };
        planned.iter().map(|planned| k * (kept * planned + (budget - mean).max(0.0))).collect()
    }

    /// What the case may cost on average, if there is a budget.
    fn allowance(&self, case: CaseView<'_>) -> Option<f64> {
        let (allowances, budget) = (self.allowances.as_ref()?, self.settings.limits.budget?);
        Some(self.place(case).map_or(budget, |place| allowances[place]))
    }

    /// How much each worker counts for the case, and the last weight, which is 0.
    fn weights_of(&self, case: CaseView<'_>) -> Cow<'_, [f64]> {
        match self.place(case) {
            Some(place) => Cow::Borrowed(&self.weights[place]),
            None => Cow::Owned(vec![0.0; self.weights[0].len()]),
        }
    }

    fn known(&self, available: &[ExpertId]) -> Vec<ExpertId> {
        available.iter().copied().filter(|expert| expert.index() < self.workers()).collect()
    }

    /// Everybody with the probability of being asked, so that the case costs no more than `allowance` on average,
    /// whoever is available.
    fn asked_within(&self, allowance: f64, weights: &[f64], present: Vec<ExpertId>) -> Vec<(ExpertId, f64)> {
        let shares: Vec<f64> = present.iter().map(|expert| weights[expert.index()]).collect();
        let prices: Vec<f64> = present.iter().map(|expert| self.price(expert.index())).collect();
        let asked = inclusion::probabilities(&shares, &prices, self.settings.k, allowance);
        present.into_iter().zip(asked).collect()
    }

    /// Prices and largest shares for one more worker; where the budget does not pay for one more label, a case keeps as
    /// many as there were workers.
    fn extend_limits(&mut self, newcomer: Newcomer<'_>) {
        let m = self.workers();
        self.settings.limits.admit(m, price_of_newcomer(newcomer));
        for k in [self.settings.k, self.settings.k.min(m)] {
            self.settings.k = k;
            if let Ok((limits, _)) = self.settings.even_start(m + 1) {
                self.limits = limits;
                return;
            }
        }
        // Nothing keeps to the limits: the shares stay from now on, as after a program that was not solved.
        self.limits = self.settings.limits.clone();
    }

    fn workers(&self) -> usize {
        self.weights[0].len() - 1
    }

    /// Nobody is paid for the last weight, the classifier's, which is 0.
    fn price(&self, worker: usize) -> f64 {
        if worker < self.workers() { self.limits.price(worker) } else { 0.0 }
    }
}

impl Allocator for OnlineGoelFaltings {
    fn allocate(&mut self, case: CaseView<'_>, available: &[ExpertId], random: &mut dyn Rng) -> Vec<Question> {
        let available = &self.known(available)[..];
        if available.is_empty() {
            return Vec::new();
        }
        let weights = &self.weights_of(case)[..];
        if let Some(allowance) = self.allowance(case) {
            return inclusion::draw(self.asked_within(allowance, weights, available.to_vec()), random);
        }
        let select = Selection::Distinct { k: self.settings.k };
        let committee = Committee { select, classifier: Seat::Never, ..Committee::default() };
        let state = Consulted { case: case.case, probabilities: &[], weights, available, asked: &[], votes: &[] };
        match committee.next(&state, random) {
            Next::Ask(questions) => questions,
            Next::Decide(_) => Vec::new(),
        }
    }

    fn learn(&mut self, case: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        let (classes, m) = (self.tallies[0].classes.len(), self.workers());
        let known = |vote: &&Vote| vote.label.index() < classes && vote.expert.index() < m;
        let votes = votes.iter().filter(known).map(|vote| (vote.expert, vote.label));
        let label = majority(votes.clone().map(|(_, label)| label), classes)?;
        if let Some(place) = self.place(case) {
            self.tallies[place].add(label, votes, 1.0);
            self.in_batch += 1;
            if self.in_batch == self.settings.batch {
                self.in_batch = 0;
                self.solve();
            }
        }
        Some(label)
    }

    /// Exact under a budget, and for one worker a case; for more the first seat is exact, the others are the mean over
    /// 200 imagined draws of the seats before, the same for the same case.
    fn shares(&self, case: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
        let (weights, present) = (self.weights_of(case), self.known(available));
        let seats = match self.allowance(case) {
            Some(allowance) => self.asked_within(allowance, &weights, present),
            None => seats::in_turn(case, present, self.settings.k, |left| {
                seats::shares(left, usize::MAX, left.iter().map(|&expert| (expert, weights[expert.index()])))
            }),
        };
        seats::shares(available, self.workers(), seats)
    }

    /// Begins a batch in which the newcomer has the share 1/m, m with them, and the others what is left; from then on
    /// the program decides, which sees the estimate of somebody who never answered, 0.5, until they did. In this batch
    /// largest shares and quotas may be missed; the budget holds. Afterwards the newcomer may have as large a share as
    /// anybody, and is in no team. The similarity is not looked at; a price that is no finite number of 0 or more counts
    /// as 1. A guess, as the paper knows no newcomers.
    fn join(&mut self, newcomer: Newcomer<'_>) {
        self.extend_limits(newcomer);
        let m = self.workers() as f64;
        for weights in &mut self.weights {
            for weight in weights.iter_mut() {
                *weight *= m / (m + 1.0);
            }
            let last = weights.len() - 1;
            weights.insert(last, 1.0 / (m + 1.0));
        }
        self.tallies.iter_mut().for_each(Tally::admit);
        self.in_batch = 0;
        if self.tallies.iter().any(|tally| tally.cases() > 0.0) {
            self.allowances = self.limits.budget.map(|budget| self.allowances(budget));
        }
    }
}

/// The label with most votes, the lowest on ties; none without votes.
pub(crate) fn majority(votes: impl Iterator<Item = Label>, classes: usize) -> Option<Label> {
    let mut counts = vec![0.0; classes];
    for label in votes {
        counts[label.index()] += 1.0;
    }
    let best = argmax(&counts);
    counts.get(best).is_some_and(|count| *count > 0.0).then(|| Label::at(best))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::fair_shares::Quota;
    use super::*;
    use deferral_core::{
        Absent, Cases, Decisions, Features, GroupId, History, Names, Policy, Probabilities, Recorded, Silent, Stream,
        Weights, consult,
    };
    use proptest::prelude::*;
    use rand::RngExt;

    /// n cases whose label is the case modulo 2, in two groups by turns of two; who answers what is given.
    fn data(n: usize, m: usize, vote: impl Fn(usize, usize) -> Option<bool>) -> Dataset {
        let label = |case: usize, right: bool| ((case + usize::from(!right)) % 2) as u16;
        let votes = (0..n).flat_map(|case| (0..m).map(move |worker| (case, worker)));
        let votes = votes.filter_map(|(case, worker)| {
            vote(case, worker).map(|right| (case as u32, worker as u32, label(case, right)))
        });
        let decisions = Decisions::from_triples(n, m, votes).unwrap();
        let labels = (0..n).map(|case| Some(Label::at(case % 2))).collect();
        let group =
            GroupAttribute::from_values("dialect", (0..n).map(|case| if case / 2 % 2 == 0 { "a" } else { "b" }));
        let cases = Cases::new(Names::numbered("", n), Features::none(n)).unwrap();
        let cases = cases.with_labels(labels).unwrap().with_group(group).unwrap();
        Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("w", m)).unwrap()
    }

    fn fit(method: &GoelFaltings, data: &Dataset) -> Result<RosterPolicy, FitError> {
        let mut silent = Silent;
        method.fit(data, &CaseWeights::uniform(data.n()), &mut Context::new(Stream::new(1), &mut silent))
    }

    fn shares(policy: &RosterPolicy, data: &Dataset, case: usize) -> Vec<f64> {
        policy.weigh(data.cases()).unwrap().column(case).to_vec()
    }

    #[test]
    fn estimates_are_those_of_laplace() {
        let mut tally = Tally::new(2, 2);
        let votes = [(ExpertId(0), Label(1))];
        tally.add(Label(1), votes, 1.0);
        tally.add(Label(1), votes, 2.0);
        tally.add(Label(0), votes, 1.0);
        let skills = tally.skills(8.0);
        assert_eq!(skills.accuracies.values(), [1.0 / 3.0, 0.8, 0.5, 0.5]);
        assert_eq!((skills.share, &skills.classes[..]), (0.5, &[0.25, 0.75][..]));
    }

    #[test]
    fn the_best_within_the_limits_decides() {
        let data = data(400, 3, |case, worker| Some(case % 10 >= worker * 2));
        let method = GoelFaltings::default();
        let found = shares(&fit(&method, &data).unwrap(), &data, 0);
        assert!((found[0] - 1.0).abs() < 1e-9 && found.len() == 4, "{found:?}");
        let limits = Limits { max_share: Some(vec![0.5]), ..Limits::default() };
        let found = shares(&fit(&GoelFaltings { limits, ..method.clone() }, &data).unwrap(), &data, 0);
        assert!((found[0] - 0.5).abs() < 1e-9 && (found[1] - 0.5).abs() < 1e-9, "{found:?}");
        let limits = Limits { prices: Some(vec![2.0, 1.0, 1.0]), budget: Some(1.0), ..Limits::default() };
        let found = shares(&fit(&GoelFaltings { limits, ..method }, &data).unwrap(), &data, 0);
        assert!(2.0 * found[0] + found[1] + found[2] <= 1.0 + 1e-9 && found[1] > 0.99, "{found:?}");
    }

    #[test]
    fn each_group_has_a_policy() {
        // Expert 0 knows group a, expert 1 group b.
        let data = data(400, 2, |case, worker| Some(case / 2 % 2 == worker || case % 20 == 0));
        let method = GoelFaltings { attribute: Some("dialect".to_owned()), ..GoelFaltings::default() };
        let policy = fit(&method, &data).unwrap();
        assert_eq!(policy.needs_group(), Some("dialect"));
        assert!(shares(&policy, &data, 0)[0] > 0.9 && shares(&policy, &data, 2)[1] > 0.9);
        let message =
            fit(&GoelFaltings { attribute: Some("age".to_owned()), ..method }, &data).unwrap_err().to_string();
        assert_eq!(message, "there is no group attribute `age`; known: dialect");
    }

    #[test]
    fn a_relaxed_beta_is_reported() {
        // The only expert always says 1, and the quota lets nobody else decide.
        let data = data(40, 1, |case, _| Some(case % 2 == 1));
        let diversity = vec![Quota { members: vec![0], share: 1.0 }];
        let method = GoelFaltings { limits: Limits { diversity, ..Limits::default() }, ..GoelFaltings::default() };
        let mut history = History::default();
        let mut ctx = Context::new(Stream::new(1), &mut history);
        let policy = method.fit(&data, &CaseWeights::uniform(40), &mut ctx).unwrap();
        assert!((shares(&policy, &data, 0)[0] - 1.0).abs() < 1e-9);
        let note = Event::Note("no policy keeps error rates within 0.1: relaxed to 1".to_owned());
        assert!(history.0.contains(&note), "{:?}", history.0);
    }

    #[test]
    fn bad_parameters_are_named() {
        let data = data(40, 2, |_, _| Some(true));
        let message = |limits| fit(&GoelFaltings { limits, ..GoelFaltings::default() }, &data).unwrap_err().to_string();
        let found = message(Limits { prices: Some(vec![1.0; 3]), ..Limits::default() });
        assert_eq!(found, "the number of prices is 3, but must be one for each of the 2 workers");
        let found = message(Limits { max_share: Some(vec![0.1; 3]), ..Limits::default() });
        assert_eq!(found, "the number of largest shares is 3, but must be 1, or one for each of the 2 workers");
        // The classifier may be in a team.
        let found = message(Limits { diversity: vec![Quota { members: vec![2, 3], share: 0.1 }], ..Limits::default() });
        assert_eq!(found, "a member of team 0 is 3, but must be below 3");
        let teams = vec![Quota { members: vec![0], share: 0.6 }, Quota { members: vec![2], share: 0.6 }];
        let found = message(Limits { diversity: teams, ..Limits::default() });
        assert!(found.starts_with("no allocation meets shares that sum to 1 and the share of team 0"), "{found}");
    }

    #[test]
    fn committees_draw_one() {
        assert_eq!(GoelFaltings::default().committee().select, Selection::Sampled { k: 1 });
        let best = GoelFaltings { draw: Draw::Best, ..GoelFaltings::default() };
        assert_eq!(best.committee().select, Selection::Top { k: 1 });
    }

    #[test]
    fn who_is_not_available_is_not_drawn() {
        let decisions =
            Decisions::from_triples(400, 3, (0..400).flat_map(|case| [(case, 0, 1), (case, 1, 1)])).unwrap();
        let draw = |shares: &[f64]| {
            let beliefs = (Probabilities(Columns::repeat(&[0.4, 0.6], 400)), Weights(Columns::repeat(shares, 400)));
            let (rule, mut source) =
                (GoelFaltings::default().committee(), Recorded::new(&decisions, Absent::default()));
            let outcomes =
                consult(0..400, (&beliefs.0, &beliefs.1), &rule, &mut source, None, &Stream::new(1)).unwrap();
            let mut counts = [0; 4];
            for outcome in outcomes {
                assert_eq!(outcome.asked.len(), 1);
                counts[outcome.asked[0].expert.index()] += 1;
            }
            counts
        };
        let counts = draw(&[0.2, 0.1, 0.7, 0.0]);
        assert!(counts[0] > 230 && counts[0] + counts[1] == 400, "{counts:?}");
        let counts = draw(&[0.0, 0.0, 1.0, 0.0]);
        assert!([0, 1, 3].iter().all(|&worker| counts[worker] > 90) && counts[2] == 0, "{counts:?}");
    }

    fn view(case: usize, group: Option<usize>) -> CaseView<'static> {
        CaseView { case: CaseId::at(case), features: &[], group: group.map(GroupId::at) }
    }

    /// Runs the closed loop; `vote` says what a worker answers about a case of a group, if anything.
    fn run(
        allocator: &mut OnlineGoelFaltings,
        cases: usize,
        m: usize,
        group: impl Fn(usize) -> Option<usize>,
        vote: impl Fn(usize, usize) -> Option<u16>,
    ) -> Vec<Vec<usize>> {
        let everybody: Vec<ExpertId> = (0..m).map(ExpertId::at).collect();
        let mut asked = Vec::new();
        for case in 0..cases {
            let questions = allocator.allocate(view(case, group(case)), &everybody, &mut Stream::new(5).at(case));
            let workers: Vec<usize> = questions.iter().map(|question| question.expert.index()).collect();
            let answer =
                |&worker: &usize| vote(case, worker).map(|l| Vote { expert: ExpertId::at(worker), label: Label(l) });
            allocator.learn(view(case, group(case)), &workers.iter().filter_map(answer).collect::<Vec<_>>());
            asked.push(workers);
        }
        asked
    }

    #[test]
    fn the_first_batch_is_uniform_and_then_the_program_decides() {
        let mut allocator =
            GoelFaltingsLoop { batch: 50, k: 3, ..GoelFaltingsLoop::default() }.start(5, 2, None).unwrap();
        assert_eq!(allocator.shares(0), [0.2; 5]);
        assert!(allocator.shares(1).is_empty());
        // Workers 3 and 4 guess.
        let guess = |case: usize, worker: usize| Stream::new(9).nth(worker).at(case).random_range(0..2);
        let vote = |case: usize, worker: usize| Some(if worker < 3 { (case % 2) as u16 } else { guess(case, worker) });
        run(&mut allocator, 49, 5, |_| None, vote);
        assert_eq!(allocator.shares(0), [0.2; 5]);
        run(&mut allocator, 451, 5, |_| None, vote);
        assert!(allocator.shares(0)[..3].iter().sum::<f64>() > 0.99, "{:?}", allocator.shares(0));
        assert_eq!(allocator.unsolved(), 0);
    }

    #[test]
    fn groups_learn_apart_and_unknown_groups_teach_nothing() {
        let start =
            || GoelFaltingsLoop { batch: 20, k: 3, ..GoelFaltingsLoop::default() }.start(3, 2, Some(2)).unwrap();
        // Worker 0 contradicts the others in group 0, worker 2 in group 1.
        let vote = |case: usize, worker: usize| {
            let wrong = worker == [0, 2][case % 2];
            Some(((case / 2 + usize::from(wrong)) % 2) as u16)
        };
        let mut allocator = start();
        run(&mut allocator, 200, 3, |case| Some(case % 2), vote);
        assert!(allocator.shares(0)[0] < 0.1 && allocator.shares(1)[2] < 0.1, "{allocator:?}");
        for unknown in [None, Some(7)] {
            let mut allocator = start();
            let asked = run(&mut allocator, 200, 3, |_| unknown, vote);
            assert!(asked.iter().all(|workers| workers.len() == 3));
            assert_eq!(allocator, start());
        }
    }

    #[test]
    fn silence_and_strange_votes_teach_nothing() {
        let start = || GoelFaltingsLoop { batch: 1, ..GoelFaltingsLoop::default() }.start(2, 2, None).unwrap();
        let mut allocator = start();
        assert!(allocator.allocate(view(0, None), &[], &mut Stream::new(1).at(0)).is_empty());
        let strange = [(0, 2), (2, 1)].map(|(expert, label)| Vote { expert: ExpertId(expert), label: Label(label) });
        assert_eq!(allocator.learn(view(0, None), &[]), None);
        assert_eq!(allocator.learn(view(0, None), &strange), None);
        assert_eq!(allocator, start());
        let tie = [(0, 1), (1, 0)].map(|(expert, label)| Vote { expert: ExpertId(expert), label: Label(label) });
        assert_eq!(allocator.learn(view(0, None), &tie), Some(Label(0)));
    }

    #[test]
    fn a_loop_that_cannot_work_does_not_start() {
        let message = |settings: GoelFaltingsLoop, m| settings.start(m, 2, None).unwrap_err().to_string();
        let settings = GoelFaltingsLoop::default();
        assert_eq!(message(settings.clone(), 0), "the number of workers is 0, but must be 1 or more");
        assert_eq!(message(GoelFaltingsLoop { k: 0, ..settings.clone() }, 2), "k is 0, but must be 1 or more");
        let limits = Limits { max_share: Some(vec![0.3]), ..Limits::default() };
        let found = message(GoelFaltingsLoop { limits, ..settings.clone() }, 2);
        assert_eq!(
            found,
            "no allocation meets shares that sum to 1 and the largest shares together; loosen one of them"
        );
        let limits = |budget| Limits { prices: Some(vec![3.0, 1.0, 1.0]), budget: Some(budget), ..Limits::default() };
        let found = message(GoelFaltingsLoop { limits: limits(0.5), ..settings.clone() }, 3);
        assert_eq!(found, "the budget of a case is 0.5, but must be 1, the price of the cheapest worker, or more");
        let found = message(GoelFaltingsLoop { limits: limits(1.2), k: 3, ..settings }, 3);
        assert_eq!(found, "the budget of a case is 1.2, but must be 5, the price of the 3 cheapest workers, or more");
    }

    #[test]
    fn the_budget_holds_from_the_first_case_on() {
        let prices = [3.0, 1.0, 1.0];
        for (k, budget) in [(1, 1.2), (2, 2.4), (2, 2.0), (3, 5.0)] {
            let limits = Limits { prices: Some(prices.to_vec()), budget: Some(budget), ..Limits::default() };
            let mut allocator = GoelFaltingsLoop { limits, batch: 500, k }.start(3, 2, None).unwrap();
            for part in 0..4 {
                // The expensive one is always right, the others mostly.
                let vote = |case: usize, worker: usize| Some(u16::from(worker == 0 || (case + worker) % 4 != 1));
                let asked = run(&mut allocator, 500, 3, |_| None, vote);
                let cost: f64 = asked.iter().flatten().map(|&worker| prices[worker]).sum::<f64>() / 500.0;
                assert!(cost <= budget + 0.12, "k = {k}, part {part}: {cost}");
                assert!(asked.iter().all(|workers| workers.len() == k), "k = {k}");
            }
            assert_eq!(allocator.unsolved(), 0);
        }
    }

    fn newcomer(price: f64) -> Newcomer<'static> {
        Newcomer { similarity: &[], price }
    }

    #[test]
    fn shares_of_seats_are_those_of_many_committees() {
        let available = [0, 2, 3, 7].map(ExpertId);
        for (k, budget) in [(1, None), (2, None), (1, Some(1.2)), (2, Some(2.4))] {
            let limits = Limits { prices: Some(vec![3.0, 1.0, 1.0, 1.0]), budget, ..Limits::default() };
            let mut allocator = GoelFaltingsLoop { limits, batch: 50, k }.start(4, 2, None).unwrap();
            allocator.weights[0] = vec![0.1, 0.4, 0.3, 0.2, 0.0];
            let found = Allocator::shares(&allocator, view(0, None), &available);
            let mut counts = [0.0; 4];
            for case in 0..8000 {
                for question in allocator.allocate(view(case, None), &available, &mut Stream::new(2).at(case)) {
                    counts[available.binary_search(&question.expert).unwrap()] += 1.0;
                }
            }
            let seats: f64 = counts.iter().sum();
            let close = found.iter().zip(counts).all(|(share, count)| (share - count / seats).abs() < 0.02);
            assert!(close && (found.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{found:?} {counts:?}");
        }
        // An unknown group goes to all alike; strangers are nobody.
        let allocator = GoelFaltingsLoop::default().start(2, 2, Some(1)).unwrap();
        assert_eq!(Allocator::shares(&allocator, view(0, Some(4)), &[0, 1, 9].map(ExpertId)), [0.5, 0.5, 0.0]);
        assert_eq!(Allocator::shares(&allocator, view(0, Some(0)), &[8, 9].map(ExpertId)), [0.5, 0.5]);
    }

    #[test]
    fn who_joins_is_discovered_in_a_batch_of_their_own() {
        for groups in [None, Some(2)] {
            let settings = GoelFaltingsLoop { batch: 60, k: 3, ..GoelFaltingsLoop::default() };
            let mut allocator = settings.start(4, 2, groups).unwrap();
            let group = |case: usize| groups.map(|groups| case / 2 % groups);
            // One of the first four errs on every case, the newcomer never.
            let wrong = |case: usize, worker: usize| worker == case / 4 % 4;
            let vote = |case: usize, worker: usize| Some(u16::from(case.is_multiple_of(2) != wrong(case, worker)));
            run(&mut allocator, 250, 4, group, vote);
            let before = allocator.shares(0).to_vec();
            allocator.join(newcomer(1.0));
            let after = allocator.shares(0);
            assert!((after[4] - 0.2).abs() < 1e-12 && (after.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            assert!(before.iter().zip(after).all(|(old, new)| (old * 0.8 - new).abs() < 1e-12));
            let asked = run(&mut allocator, 59, 5, group, vote);
            assert!(asked.iter().filter(|workers| workers.contains(&4)).count() > 15);
            run(&mut allocator, 300, 5, group, vote);
            assert!(allocator.shares(0)[4] > 0.9, "{:?}", allocator.shares(0));
            assert_eq!(allocator.unsolved(), 0);
        }
    }

    #[test]
    fn limits_grow_with_who_joins() {
        let limits = Limits { prices: Some(vec![1.0, 2.0]), max_share: Some(vec![0.4, 0.6]), ..Limits::default() };
        let mut allocator = GoelFaltingsLoop { limits, batch: 2, k: 1 }.start(2, 2, None).unwrap();
        allocator.join(newcomer(-1.0));
        assert_eq!(allocator.limits.prices, Some(vec![1.0, 2.0, 1.0]));
        assert_eq!(allocator.limits.max_share, Some(vec![0.4, 0.6, 0.6]));
        // Two seats are paid for, and stay two where a third would be too much.
        let limits = Limits { budget: Some(2.0), ..Limits::default() };
        let mut allocator = GoelFaltingsLoop { limits, batch: 5, k: 3 }.start(2, 2, None).unwrap();
        allocator.join(newcomer(4.0));
        assert_eq!((allocator.settings.k, allocator.limits.prices.clone()), (2, Some(vec![1.0, 1.0, 4.0])));
        run(&mut allocator, 40, 3, |_| None, |case, _| Some((case % 2) as u16));
        assert_eq!(allocator.unsolved(), 0);
    }

    #[test]
    fn closed_loop_of_clusters_is_worth_one_cluster() {
        // E7: three annotators, each right on the own cluster and with probability 0.2 elsewhere. Any policy that does
        // not look at the case is right on .2 + .8 / 3 = .467 of the cases.
        let cluster = |case: usize| Stream::new(3).at(case).random_range(0..3);
        let truth = |case: usize| Stream::new(4).at(case).random_range(0..2u16);
        let vote = |case: usize, worker: usize| {
            let right = cluster(case) == worker || Stream::new(6).nth(worker).at(case).random::<f64>() < 0.2;
            Some(if right { truth(case) } else { 1 - truth(case) })
        };
        for k in [1, 3] {
            let mut allocator = GoelFaltingsLoop { k, ..GoelFaltingsLoop::default() }.start(3, 2, None).unwrap();
            run(&mut allocator, 2000, 3, |_| None, vote);
            let right = |case: usize| -> f64 {
                let right =
                    |(worker, share): (usize, &f64)| if vote(case, worker) == Some(truth(case)) { *share } else { 0.0 };
                allocator.shares(0).iter().enumerate().map(right).sum()
            };
            let accuracy = (2000..5000).map(right).sum::<f64>() / 3000.0;
            assert!((0.43..0.5).contains(&accuracy), "k = {k}: {accuracy}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn whatever_is_recorded_gives_a_policy_or_a_reason(
            votes in proptest::collection::vec(proptest::option::weighted(0.4, any::<bool>()), 60),
            by_group in any::<bool>(),
            beta in 0.0..=1.0,
        ) {
            let data = data(20, 3, |case, worker| votes[case * 3 + worker]);
            let limits = Limits { beta, ..Limits::default() };
            let attribute = by_group.then(|| "dialect".to_owned());
            match fit(&GoelFaltings { limits, attribute, ..GoelFaltings::default() }, &data) {
                Ok(policy) => {
                    let weights = policy.weigh(data.cases()).unwrap();
                    prop_assert!(weights.iter().all(|column| (column.iter().sum::<f64>() - 1.0).abs() < 1e-9));
                }
                Err(error) => prop_assert_eq!((error, data.decisions().len()), (FitError::NoExperts, 0)),
            }
        }
    }

    /// Runs a loop of three groups on random votes; what each case costs on average, before it is drawn, is checked
    /// against the budget, group by group against the cases seen so far.
    fn check_budget(settings: &GoelFaltingsLoop, m: usize, groups: Option<usize>, seed: u64) {
        let budget = settings.limits.budget.unwrap();
        let mut allocator = settings.start(m, 2, groups).unwrap();
        let mut m = m;
        for case in 0..90 {
            let mut random = Stream::new(seed).at(case);
            if case % 40 == 35 {
                allocator.join(newcomer(random.random_range(0.0..4.0)));
                m += 1;
            }
            let group = random.random_range(0..3);
            let present: Vec<ExpertId> = (0..m).filter(|_| random.random_bool(0.7)).map(ExpertId::at).collect();
            let place = groups.filter(|groups| group < *groups).map(|_| group);
            let asked = allocator.allocate(view(case, place), &present, &mut random);
            let mut different: Vec<_> = asked.iter().map(|question| question.expert).collect();
            different.sort_unstable();
            different.dedup();
            assert!(different.len() == asked.len() && asked.len() <= settings.k.min(present.len()));
            let allowances = allocator.allowances.clone().unwrap();
            let place = allocator.place(view(case, place));
            let (weights, allowance) =
                place.map_or((vec![0.0; m + 1], budget), |g| (allocator.weights[g].clone(), allowances[g]));
            for here in [present, (0..m).map(ExpertId::at).collect::<Vec<_>>()] {
                let of = |value: &dyn Fn(usize) -> f64| here.iter().map(|e| value(e.index())).collect::<Vec<f64>>();
                let (shares, prices) = (of(&|worker| weights[worker]), of(&|worker| allocator.price(worker)));
                let asked = inclusion::probabilities(&shares, &prices, settings.k, allowance);
                assert!(inclusion::expected_cost(&asked, &prices) <= allowance + 1e-9);
            }
            let cases: Vec<f64> = allocator.tallies.iter().map(Tally::cases).collect();
            let all: f64 = cases.iter().sum();
            let mean: f64 = cases.iter().zip(&allowances).map(|(cases, allowance)| cases * allowance).sum();
            // Between two solutions the mix of groups moves.
            let just_solved = allocator.in_batch == 0 && all > 0.0;
            assert!(!just_solved || mean / all <= budget + 1e-9, "{mean} {all}");
            let votes =
                asked.iter().map(|question| Vote { expert: question.expert, label: Label(random.random_range(0..2)) });
            allocator.learn(view(case, place), &votes.collect::<Vec<_>>());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn no_case_is_expected_to_cost_more_than_the_budget(
            prices in proptest::collection::vec(prop_oneof![Just(0.0), Just(1.0), 0.1..5.0], 1..7),
            k in 1usize..5,
            spare in prop_oneof![Just(0.0), 0.0..3.0],
            groups in proptest::option::of(1usize..4),
            batch in 1usize..20,
            seed in 0u64..1000,
        ) {
            let m = prices.len();
            let mut sorted = prices.clone();
            sorted.sort_by(f64::total_cmp);
            let budget = sorted.iter().take(k).sum::<f64>() + spare;
            let limits = Limits { prices: Some(prices), budget: Some(budget), ..Limits::default() };
            check_budget(&GoelFaltingsLoop { limits, batch, k }, m, groups, seed);
        }
    }
}
