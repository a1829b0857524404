//! The truth is latent: an allocator that believes labels, and people, with probabilities.

use deferral_core::{
    Allocator, CaseView, Confusions, ExpertId, GroupId, Label, Newcomer, ParameterError, Question, Stream, Vote,
    argmax, tied,
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::prior::Prior;
use crate::setting::Setting;

mod alarm;
mod choice;
mod competence;
mod order;
mod regions;

pub use alarm::{Alarm, Judged};
use choice::{Candidate, Seating};
use competence::Competence;
use regions::{Membership, Regions};

/// Learns how everybody answers in every region from all votes at once, with the truth as a latent variable, and asks
/// those who lower the expected error most for their price.
///
/// **Regions.** One a group: a case of a known group belongs to it, one without by its features (a normal distribution
/// with diagonal covariance a group).
///
/// **Competence.** A Dirichlet distribution for every annotator, region and true class. The prior is a *ranking*: in
/// every region the annotator with the highest similarity is expected to be right with probability [`best`](Self::best),
/// the one with the lowest no more often than chance, the others by rank in between. In every region votes fit two mirrored
/// readings, which the order tells apart and the value of similarity does not (it may say .35 of the best and .325 of
/// the others). Where similarities are all equal nothing tells them apart: see [`unordered`](Self::unordered).
///
/// **Learning.** The posterior of the label given all votes, by the expected confusions and the learned share of each
/// class, then one step of assumed density filtering of everybody who voted. What was learned fades, so that drift is
/// followed.
///
/// **Choice.** Seats are given one after another. A committee C errs at most with
/// `e(C) = sum_{k<l} sqrt(p_k p_l) prod_j rho_j`, rho the Bhattacharyya coefficient of an annotator's expected answers to two classes
/// (Kailath 1967; the mean over all pairs of classes); a seat goes to the largest `e(C) (1 - rho_j) - lambda price_j`, and stays empty if
/// that is not above 0, but for the first one. Those believed to be no better than chance are worth nothing. With probability
/// [`epsilon`](Self::epsilon) a seat is drawn by the variance of competence instead: who is not known well is
/// heard. If lambda is 0, seats that nobody is worth are drawn so too. Propensities are exact.
///
/// **Alarm.** A posterior predictive check: do the learned competences contradict the ranking? See
/// [`LatentTruthState::alarm`].
///
/// Per task O(k K^2 + k m + d) if the group is known; with unknown groups every term but the last G times, and O(G d). Ours; the model is
/// that of Dawid and Skene (1979) with one matrix a region.
///
/// ```
/// use deferral_allocation::{LatentTruth, Prior, Setting};
/// use deferral_core::{Allocator, CaseId, CaseView, ExpertId, GroupId, Label, Stream, Vote};
/// // Annotator 0 suits group 0, a little; in truth 0 is always right there and 1 and 2 are wrong together.
/// let prior = Prior::from_fn(3, 1, |annotator, _| if annotator == 0 { 0.36 } else { 0.32 })?;
/// let mut allocator = LatentTruth::default().start(&Setting::new(0, 2, prior), &Stream::new(1))?;
/// let case = CaseView { case: CaseId(0), features: &[], group: Some(GroupId(0)) };
/// let vote = |expert, label| Vote { expert: ExpertId(expert), label: Label(label) };
/// for task in 0..50 {
///     let truth = task % 2;
///     allocator.learn(case, &[vote(0, truth), vote(1, 1 - truth), vote(2, 1 - truth)]);
/// }
/// assert_eq!(allocator.best(case, &[0, 1, 2].map(ExpertId)), Some(ExpertId(0)));
/// assert_eq!(allocator.learn(case, &[vote(0, 1), vote(1, 0), vote(2, 0)]), Some(Label(1)));
/// assert_eq!(allocator.alarm(), None);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LatentTruth {
    /// Seats of a committee, k, each with somebody else; default 3.
    pub k: usize,
    /// What a label of price 1 costs, in errors: lambda, 0 or more; default 0.
    pub lambda: f64,
    /// How often a seat is drawn by how little is known, from 0 to 1; default .1.
    pub epsilon: f64,
    /// Expected accuracy of the annotators with the highest similarity, between chance and 1; default .8.
    pub best: f64,
    /// Cases of each class that the prior counts as; default 4.
    pub strength: f64,
    /// Cases of a class after which what an annotator did has faded to 1/e, at least 1; default 100. In a simulated crowd
    /// of ten whose two best became random and whose two worst became best, memories of 100 and 1000 were right .94 of
    /// the time before, and .84 and .68 from the 200th to the 500th task after. Only votes make memories fade.
    pub memory: f64,
    /// What is done where all similarities are equal; default: majority.
    pub unordered: Unordered,
    /// Standard deviation of competence among people of equal similarity, for the alarm; default .1.
    pub heterogeneity: f64,
    /// The alarm sounds at p-values below this; default .01.
    pub alarm: f64,
    /// Tasks between two looks for an alarm; default 25.
    pub every: u64,
}

/// What is done in regions where all similarities are equal, so that votes fit two mirrored readings equally well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unordered {
    /// Nothing is learned: uniformly random committees and plain majority.
    #[default]
    Majority,
    /// Most people are taken to be right more often than not, and their competence is learned.
    Learn,
}

impl Default for LatentTruth {
    fn default() -> Self {
        Self {
            k: 3,
            lambda: 0.0,
            epsilon: 0.1,
            best: 0.8,
            strength: 4.0,
            memory: 100.0,
            unordered: Unordered::Majority,
            heterogeneity: 0.1,
            alarm: 0.01,
            every: 25,
        }
    }
}

impl LatentTruth {
    /// Nothing heard yet. Nothing is drawn either: `stream` is there because other allocators start with random
    /// networks. O(G m (K^2 + log m)).
    ///
    /// # Errors
    /// If a parameter or a number of the setting is out of range.
    pub fn start(&self, setting: &Setting, stream: &Stream) -> Result<LatentTruthState, ParameterError> {
        let _ = stream;
        setting.check()?;
        self.check(setting.classes)?;
        let groups = setting.prior.groups();
        let mut state = LatentTruthState {
            method: *self,
            classes: setting.classes,
            prior: Prior::new(groups),
            prices: Vec::new(),
            regions: Regions::new(groups, setting.features),
            ordered: vec![false; groups],
            competence: Competence::new(setting.classes, groups),
            shares: vec![SHARE; groups * setting.classes],
            learned: 0,
            alarm: None,
        };
        for annotator in 0..setting.annotators() {
            let expert = ExpertId::at(annotator);
            let similarity = |group: usize| setting.prior.of(expert, Some(GroupId::at(group)));
            state.seat(&(0..groups).map(similarity).collect::<Vec<_>>(), setting.price(annotator));
        }
        state.rank();
        Ok(state)
    }

    fn check(&self, classes: usize) -> Result<(), ParameterError> {
        let positive = |parameter: &str, value: f64| {
            ParameterError::check(value.is_finite() && value > 0.0, parameter, value, "a finite number above 0")
        };
        let between = |parameter: &str, value: f64| {
            ParameterError::check((0.0..=1.0).contains(&value), parameter, value, "between 0 and 1")
        };
        ParameterError::check(self.k > 0, "the committee size k", self.k, "1 or more")?;
        let lambda = self.lambda.is_finite() && self.lambda >= 0.0;
        ParameterError::check(lambda, "the price of a label, lambda,", self.lambda, "a finite number, 0 or more")?;
        between("the exploration rate epsilon", self.epsilon)?;
        let best = self.best > 1.0 / classes as f64 && self.best < 1.0;
        ParameterError::check(best, "the accuracy of the best", self.best, "above 1/K and below 1")?;
        positive("the strength of the prior", self.strength)?;
        ParameterError::check(self.memory >= 1.0, "the memory", self.memory, "1 case or more")?;
        positive("the heterogeneity of people who are alike", self.heterogeneity)?;
        between("the p-value of the alarm", self.alarm)?;
        ParameterError::check(self.every > 0, "the number of tasks between two looks", self.every, "1 or more")
    }
}

/// Cases of each class that every region is taken to have seen.
const SHARE: f64 = 4.0;

/// [`LatentTruth`] in the middle of a stream. Written and read again it goes on as if nothing had happened.
///
/// 8 (K^2 + 5) bytes an annotator and group, 16 d a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatentTruthState {
    method: LatentTruth,
    classes: usize,
    prior: Prior,
    prices: Vec<f64>,
    regions: Regions,
    /// Whether similarities differ, by region.
    ordered: Vec<bool>,
    competence: Competence,
    /// Counts of the classes, by region, then by class.
    shares: Vec<f64>,
    learned: u64,
    alarm: Option<Alarm>,
}

impl LatentTruthState {
    /// Who of `available` is expected to be right most often about a case, seeing its group if it is known and its
    /// features otherwise; the first on ties. O(G m + G d).
    pub fn best(&self, case: CaseView<'_>, available: &[ExpertId]) -> Option<ExpertId> {
        let membership = self.regions.of(case);
        let known: Vec<ExpertId> = self.known(available).collect();
        let accuracy = |expert: &ExpertId| self.mean(&membership, *expert, |summary| summary.accuracy);
        let accuracies: Vec<f64> = known.iter().map(accuracy).collect();
        known.get(tied(&accuracies).next()?).copied()
    }

    /// The probability of each class given `votes`: K numbers that sum to one. Votes of strangers, for unknown labels,
    /// and second votes of the same expert do not count. O(k K G + G d).
    pub fn belief(&self, case: CaseView<'_>, votes: &[Vote]) -> Vec<f64> {
        let membership = self.regions.of(case);
        self.marginal(&self.joint(&membership, &self.valid(votes)))
    }

    /// What contradicts the prior, by the last look; looks are [`LatentTruth::every`] tasks apart. It comes to rest when
    /// the votes do not contradict the prior any more, as after somebody's similarity was corrected by joining anew.
    ///
    /// The p-value is that of a chi-squared test in every group of the learned competences against the nearest ones
    /// that the ranking allows, with [`LatentTruth::heterogeneity`] between people who are alike, the groups
    /// combined. Groups without an order are not judged, unless they learn. Needs committees of two at least: single votes
    /// contradict nobody.
    pub fn alarm(&self) -> Option<Alarm> {
        self.alarm
    }

    /// The probability that `expert` is right in `group`, the mean over the classes, and its standard deviation; none
    /// for strangers.
    pub fn competence(&self, expert: ExpertId, group: GroupId) -> Option<(f64, f64)> {
        let known = expert.index() < self.annotators() && group.index() < self.regions.len();
        let summary = known.then(|| self.competence.summary(expert.index(), group.index()))?;
        Some((summary.accuracy, summary.deviation))
    }

    /// How everybody is expected to answer in `group`; nobody if the group is not known. O(m K^2).
    pub fn confusions(&self, group: GroupId) -> Confusions {
        let people = if group.index() < self.regions.len() { self.annotators() } else { 0 };
        Confusions::from_fn(people, self.classes, |person, truth, vote| {
            self.competence.given_vote(person, group.index(), vote).nth(truth).unwrap_or(0.0)
        })
    }

    /// The share of each class in `group`, as far as it is known: K numbers that sum to one.
    pub fn class_shares(&self, group: GroupId) -> Vec<f64> {
        let known = group.index() < self.regions.len();
        let mut shares = if known { self.counts(group.index()).to_vec() } else { vec![1.0; self.classes] };
        crate::prior::normalise(&mut shares);
        shares
    }

    /// Number of annotators, m.
    pub fn annotators(&self) -> usize {
        self.prior.annotators()
    }

    /// Tasks learned from.
    pub fn learned(&self) -> u64 {
        self.learned
    }

    /// Makes room for one more.
    fn seat(&mut self, similarity: &[f64], price: f64) {
        self.prior.push(similarity);
        self.prices.push(if price.is_finite() { price.max(0.0) } else { 1.0 });
        self.competence.push(&vec![self.middle(); self.regions.len()], self.method.strength);
    }

    /// Expects of everybody what their rank says now. O(G m log m).
    fn rank(&mut self) {
        for region in 0..self.regions.len() {
            let similarities = order::similarities(&self.prior, region);
            let ranked = order::by_rank(&similarities, 1.0 / self.classes as f64, self.method.best);
            self.ordered[region] = ranked.is_some();
            let accuracies = ranked.unwrap_or_else(|| vec![self.middle(); similarities.len()]);
            for (annotator, &accuracy) in accuracies.iter().enumerate() {
                self.competence.expect(annotator, region, accuracy, self.method.strength);
            }
        }
    }

    /// Expected accuracy where nobody is known to be better than others.
    fn middle(&self) -> f64 {
        f64::midpoint(1.0 / self.classes as f64, self.method.best)
    }

    fn learns(&self, region: usize) -> bool {
        self.ordered[region] || self.method.unordered == Unordered::Learn
    }

    /// Those among `available` who are known, each once.
    fn known(&self, available: &[ExpertId]) -> impl Iterator<Item = ExpertId> {
        let people = self.annotators();
        let mut last = None;
        available.iter().copied().filter(move |&expert| expert.index() < people && last.replace(expert) != Some(expert))
    }

    /// The votes of known people for known labels, the first of each.
    fn valid(&self, votes: &[Vote]) -> Vec<Vote> {
        let mut valid: Vec<Vote> = Vec::with_capacity(votes.len());
        for vote in votes {
            let known = vote.expert.index() < self.annotators() && vote.label.index() < self.classes;
            if known && !valid.iter().any(|earlier| earlier.expert == vote.expert) {
                valid.push(*vote);
            }
        }
        valid
    }

    fn mean(&self, membership: &Membership, expert: ExpertId, of: impl Fn(competence::Summary) -> f64) -> f64 {
        membership.iter().map(|&(region, weight)| weight * of(self.competence.summary(expert.index(), region))).sum()
    }

    fn counts(&self, region: usize) -> &[f64] {
        &self.shares[region * self.classes..(region + 1) * self.classes]
    }

    /// The probability of each region of the membership together with each class, by region, then by class.
    fn joint(&self, membership: &Membership, votes: &[Vote]) -> Vec<f64> {
        let mut joint = Vec::with_capacity(membership.len() * self.classes);
        for &(region, weight) in membership {
            let counts = self.counts(region);
            let total: f64 = counts.iter().sum();
            joint.extend(counts.iter().map(|count| weight * count / total));
        }
        for vote in votes {
            for (belief, &(region, _)) in joint.chunks_exact_mut(self.classes).zip(membership) {
                let likelihoods = self.competence.given_vote(vote.expert.index(), region, vote.label.index());
                belief.iter_mut().zip(likelihoods).for_each(|(p, likelihood)| *p *= likelihood);
            }
            // Vote by vote, so that a thousand of them do not vanish.
            crate::prior::normalise(&mut joint);
        }
        joint
    }

    fn marginal(&self, joint: &[f64]) -> Vec<f64> {
        let of_class = |class: usize| joint.iter().skip(class).step_by(self.classes).sum();
        (0..self.classes).map(of_class).collect()
    }

    /// The most probable class, the one with most votes on ties, the lowest if they tie too.
    fn label(&self, belief: &[f64], votes: &[Vote]) -> Label {
        let mut counts = vec![-1.0; self.classes];
        for class in tied(belief) {
            counts[class] = votes.iter().filter(|vote| vote.label.index() == class).count() as f64;
        }
        Label::at(argmax(&counts))
    }

    fn candidates(&self, membership: &Membership, available: &[ExpertId]) -> Vec<Candidate> {
        let candidate = |expert: ExpertId| Candidate {
            expert,
            overlap: self.mean(membership, expert, |summary| summary.overlap),
            deviation: self.mean(membership, expert, |summary| summary.deviation),
            price: self.method.lambda * self.prices[expert.index()],
        };
        self.known(available).map(candidate).collect()
    }

    fn seating(&self, membership: &Membership) -> Seating {
        let belief = self.marginal(&self.joint(membership, &[]));
        let roots: f64 = belief.iter().map(|p| p.sqrt()).sum();
        Seating {
            seats: self.method.k,
            epsilon: self.method.epsilon,
            free: self.method.lambda == 0.0,
            // The sum over pairs, by the square of the sum.
            bound: 0.5 * (roots * roots - 1.0).max(0.0),
        }
    }
}

impl Allocator for LatentTruthState {
    fn allocate(&mut self, case: CaseView<'_>, available: &[ExpertId], random: &mut dyn Rng) -> Vec<Question> {
        let membership = self.regions.of(case);
        self.seating(&membership).draw(&self.candidates(&membership, available), random)
    }

    fn learn(&mut self, case: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        let membership = self.regions.of(case);
        self.regions.learn(case);
        let votes = self.valid(votes);
        if votes.is_empty() {
            return None;
        }
        let joint = self.joint(&membership, &votes);
        let sureness = (self.method.strength, self.method.memory);
        for (belief, &(region, _)) in joint.chunks_exact(self.classes).zip(&membership) {
            if !self.learns(region) {
                continue;
            }
            for vote in &votes {
                self.competence.learn((vote.expert.index(), region), vote.label.index(), belief, sureness);
            }
            let weight: f64 = belief.iter().sum();
            let counts = &mut self.shares[region * self.classes..(region + 1) * self.classes];
            for (count, p) in counts.iter_mut().zip(belief) {
                *count += p + weight / self.method.memory * (SHARE - *count);
            }
        }
        self.learned += 1;
        if self.learned.is_multiple_of(self.method.every) {
            let contradiction = alarm::contradiction(&self.prior, &self.competence, self.method.heterogeneity);
            self.alarm = contradiction.filter(|alarm| alarm.p_value < self.method.alarm);
        }
        Some(self.label(&self.marginal(&joint), &votes))
    }

    fn shares(&self, case: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
        let membership = self.regions.of(case);
        let candidates = self.candidates(&membership, available);
        let mut shares = self.seating(&membership).shares(&candidates).into_iter();
        let mut next = candidates.iter().map(|candidate| candidate.expert).peekable();
        available.iter().map(|&expert| next.next_if_eq(&expert).and_then(|_| shares.next()).unwrap_or(0.0)).collect()
    }

    fn join(&mut self, newcomer: Newcomer<'_>) {
        self.seat(newcomer.similarity, newcomer.price);
        self.rank();
    }
}
