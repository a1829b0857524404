//! Worker selection after Li and Liu (2015, arXiv 1502.00725): few good workers instead of many.
//!
//! The paper's abstract is certain: from the reliabilities that workers showed on control questions it selects a subset
//! of bounded size so that their (weighted) majority vote is accurate, exactly and fast, by way of a bound on the
//! error; and Keswani, Lease and Kenthapadi (2021), who compare with it, add that it uses the reliability and its
//! variance, one number a worker, and fixes k workers for all inputs. Its full text was not at hand, so the formulas
//! below, the variants of the objective and what happens with few answers are reconstructed. Selecting under a budget
//! is a guess.
//!
//! Worker i was right in a share `w_i` of `n_i` control questions with L classes, and errs on every wrong class alike.
//! If votes weigh `w_i - 1/L`, a bound on the error of the committee S falls with
//!
//! ```text
//! F(S) = sum x_i / sqrt(|S|),   x_i = (w_i - 1/L)^2 - w_i (1 - w_i) / (n_i - 1),
//! ```
//!
//! where `x_i` estimates the square of the true margin without bias. For a given size the best S are the largest `x_i`,
//! so sorting finds the best S of at most k: O(m log m). With a budget the search for each size is a knapsack.
//!
//! ```
//! use deferral_crowd::selection::li_liu::{Objective, Reliability, candidates, curve, select};
//! let workers: Vec<_> = [0.9, 0.8, 0.75, 0.6, 0.55].map(|share| Reliability::new(share * 21.0, 21.0)).into();
//! let candidates = candidates(&workers, 2, Objective::Corrected, false);
//! assert!((curve(&candidates)[1] - 0.167938).abs() < 1e-6);
//! assert_eq!(select(&candidates, 5), [0, 1]);
//! ```

use deferral_core::{
    CaseWeights, Committee, Context, Dataset, Decisions, ExpertId, FitError, Label, Learner, ParameterError, Seat,
    Selection, TieBreak, VoteRule,
};
use deferral_models::Classifier;
use serde::{Deserialize, Serialize};

use super::knapsack::{Item, check_budget, most_valuable_by_size, price_of};
use super::prices::check_prices_of_team;
use super::roster::RosterPolicy;
use super::team::Team;

/// How a worker did on control questions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reliability {
    /// Number of questions answered, n; the sum of their weights where cases have weights.
    pub answered: f64,
    /// Estimated probability of a right answer, w: the share of right answers; with fewer than 2 questions
    /// `(right + 1) / (n + 2)`.
    pub accuracy: f64,
    /// Estimated variance of that estimate: `w (1 - w) / (n - 1)`; with fewer than 2 questions `w (1 - w) / (n + 3)`.
    pub variance: f64,
}

impl Reliability {
    /// Of a worker with `right` right answers among `answered`.
    pub fn new(right: f64, answered: f64) -> Self {
        let few = answered < 2.0;
        let accuracy = if few { (right + 1.0) / (answered + 2.0) } else { right / answered };
        let degrees = if few { answered + 3.0 } else { answered - 1.0 };
        Self { answered, accuracy, variance: accuracy * (1.0 - accuracy) / degrees }
    }

    /// How much better than guessing; 0 for somebody of whom nothing is known.
    fn margin(&self, classes: usize) -> f64 {
        if self.answered > 0.0 { self.accuracy - chance(classes) } else { 0.0 }
    }
}

/// The probability of a right guess.
fn chance(classes: usize) -> f64 {
    1.0 / classes.max(1) as f64
}

/// How every worker did on the cases whose true labels are given. O(decisions).
pub fn reliabilities(decisions: &Decisions, gold: &[Label], weights: &CaseWeights) -> Vec<Reliability> {
    let of_worker = |worker: usize| {
        let (mut right, mut answered) = (0.0, 0.0);
        for (case, label) in decisions.of_expert(ExpertId::at(worker)).iter() {
            if let (Some(truth), Some(weight)) = (gold.get(case.index()), weights.values().get(case.index())) {
                answered += weight;
                right += if label == *truth { *weight } else { 0.0 };
            }
        }
        Reliability::new(right, answered)
    };
    (0..decisions.experts()).map(of_worker).collect()
}

/// What is maximised: `F(S) = sum gain / sqrt(sum load)`. All three are reconstructed, none is known to be the paper's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// The gain of a worker is `(w - 1/L)^2` less the variance of w, the load is 1.
    #[default]
    Corrected,
    /// The gain is `(w - 1/L)^2`, the load that plus the variance. Taking the largest gains is then best among workers
    /// who answered equally many questions, and else an approximation.
    Ratio,
    /// The gain is `(w - 1/L)^2`, the load 1: variances are not looked at.
    Plain,
}

/// A worker who could be selected, and what they would add to the objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Which worker.
    pub worker: usize,
    /// What they add above the fraction line of F. May be negative.
    pub gain: f64,
    /// What they add below it, above 0.
    pub load: f64,
}

impl Candidate {
    fn new(worker: usize, shown: &Reliability, classes: usize, objective: Objective) -> Self {
        let square = shown.margin(classes).powi(2);
        let (gain, load) = match objective {
            Objective::Corrected => (square - shown.variance, 1.0),
            Objective::Ratio => (square, square + shown.variance),
            Objective::Plain => (square, 1.0),
        };
        Self { worker, gain, load }
    }
}

/// Those who answered something and did better than guessing, the largest gain first, the lower index on ties. If no
/// gain is above 0, the most accurate worker alone.
///
/// With `anti_experts` those worse than guessing are kept as well: a gain is as large for always wrong as for always
/// right. That makes sense only where they vote with the negative weight that [`log_odds`] gives them.
pub fn candidates(workers: &[Reliability], classes: usize, objective: Objective, anti_experts: bool) -> Vec<Candidate> {
    let known = |(_, shown): &(usize, &Reliability)| shown.answered > 0.0;
    let candidate = |(worker, shown): (usize, &Reliability)| Candidate::new(worker, shown, classes, objective);
    let useful = |shown: &Reliability| anti_experts || shown.margin(classes) > 0.0;
    let seen = workers.iter().enumerate().filter(known);
    let mut candidates: Vec<Candidate> = seen.clone().filter(|(_, shown)| useful(shown)).map(candidate).collect();
    if candidates.iter().all(|candidate| candidate.gain <= 0.0) {
        // Nobody stands out from what chance may do to an estimate: the accuracy is all there is to go by.
        let best = seen.max_by(|(a, x), (b, y)| x.accuracy.total_cmp(&y.accuracy).then(b.cmp(a)));
        return best.map(candidate).into_iter().collect();
    }
    candidates.sort_by(|a, b| b.gain.total_cmp(&a.gain).then(a.worker.cmp(&b.worker)));
    candidates
}

/// F of the first candidate, of the first two, and so on. O(m).
pub fn curve(candidates: &[Candidate]) -> Vec<f64> {
    let (mut gain, mut load) = (0.0, 0.0);
    let add = |candidate: &Candidate| {
        gain += candidate.gain;
        load += candidate.load;
        if load > 0.0 { gain / f64::sqrt(load) } else { 0.0 }
    };
    candidates.iter().map(add).collect()
}

/// The first candidates, at most `most`, with the largest F: the optimum of [`Objective::Corrected`] and
/// [`Objective::Plain`] if they are sorted as by [`candidates`]. The smaller set on ties. O(m).
pub fn select(candidates: &[Candidate], most: usize) -> Vec<usize> {
    let values = curve(&candidates[..most.min(candidates.len())]);
    let size = if values.is_empty() { 0 } else { deferral_core::argmax(&values) + 1 };
    candidates[..size].iter().map(|candidate| candidate.worker).collect()
}

/// The candidates with the largest F whose prices add up to at most `budget`, at most `most` of them. Sorted.
///
/// A guess, as the paper is not known to have costs: for each size the affordable set of largest total gain, and the
/// best of those. `price` says what a worker costs. Exact for whole prices and the two objectives whose loads are 1,
/// O(m x most x budget); else greedy by gain for the price with one pass of exchanges.
pub fn select_affordable(
    candidates: &[Candidate],
    price: impl Fn(usize) -> f64,
    budget: f64,
    most: usize,
) -> Vec<usize> {
    let sets = affordable(candidates, price, budget, most);
    let value = |set: &Vec<Candidate>| curve(set).last().copied().unwrap_or(f64::NEG_INFINITY);
    let values: Vec<f64> = sets.iter().map(value).collect();
    sets.get(deferral_core::argmax(&values)).map(|set| workers_of(set)).unwrap_or_default()
}

/// For each size from 1 to `most` the affordable candidates of largest total gain.
fn affordable(candidates: &[Candidate], price: impl Fn(usize) -> f64, budget: f64, most: usize) -> Vec<Vec<Candidate>> {
    let item = |candidate: &Candidate| Item { value: candidate.gain, price: price(candidate.worker) };
    let items: Vec<Item> = candidates.iter().map(item).collect();
    let sets = most_valuable_by_size(&items, budget, most).into_iter();
    sets.map(|set| set.into_iter().map(|at| candidates[at]).collect()).collect()
}

fn workers_of(set: &[Candidate]) -> Vec<usize> {
    let mut workers: Vec<usize> = set.iter().map(|candidate| candidate.worker).collect();
    workers.sort_unstable();
    workers
}

/// The weight `ln((L - 1) w / (1 - w))` of a vote that is right with probability w; below 0 for one worse than
/// guessing. Probabilities are clipped to `[1e-12, 1 - 1e-12]`.
pub fn log_odds(accuracy: f64, classes: usize) -> f64 {
    let right = accuracy.clamp(1e-12, 1.0 - 1e-12);
    (classes.saturating_sub(1) as f64 * right / (1.0 - right)).ln()
}

/// How many are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Size {
    /// The k best, whatever F says.
    Exactly {
        /// Number of workers, 1 or more.
        k: usize,
    },
    /// As many as make F largest, at most k.
    AtMost {
        /// Number of workers, 1 or more.
        k: usize,
    },
}

/// How the votes of the selected count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vote {
    /// Every vote the same.
    #[default]
    Majority,
    /// By `ln((L - 1) w / (1 - w))`, w kept at least half an answer away from 0 and 1.
    LogOdds,
    /// By `L w - 1`, what the log-odds are near guessing.
    Linear,
}

/// LL: selects the same workers for all cases, from how often each was right on the training cases. The classifier is
/// trained first and competes as one more worker, judged on cases that it was not trained on.
///
/// The policy weighs experts without looking at the case; [`LiLiu::committee`] is the rule that it is meant for.
///
/// - A fixed number without a budget, the default: everybody has a weight above 0 that falls with their rank, and the
///   committee is the k best of those *available* for a case. Where everybody is, that is the published rule; where
///   most decisions are missing, a subset fixed beforehand would hardly ever be there. Those who answered nothing rank
///   below all who did better than guessing, those who did worse last. With weighted votes the weights both rank and
///   count: they are those of an accuracy of `1/L + sqrt(gain)`, which is w itself unless the objective corrects for
///   variance, and 0 for all who are not better than guessing.
/// - Otherwise the selected have a weight above 0 and all others 0, and those of the selected who are available vote.
///
/// Where anybody is better, those worse than guessing have no part in F, because weights of a policy are not negative;
/// [`candidates`] can keep them. Cost: six trainings of the classifier and O(decisions + m log m).
///
/// ```
/// use deferral_core::*;
/// use deferral_crowd::LiLiu;
/// // The first of three experts is always right, the second half of the time, the third never.
/// let truth: Vec<Label> = (0..40).map(|case| Label(case / 2 % 2)).collect();
/// let votes = (0..40u32).flat_map(|case| [(case, 0, case / 2 % 2), (case, 1, case % 2), (case, 2, 1 - case / 2 % 2)]);
/// let votes = Decisions::from_triples(40, 3, votes.map(|(case, expert, label)| (case, expert, label as u16)))?;
/// let labels = truth.into_iter().map(Some).collect();
/// let cases = Cases::new(Names::numbered("case", 40), Features::none(40))?.with_labels(labels)?;
/// let data = Dataset::new(cases, votes, Names::numbered("", 2), Names::numbered("expert", 3))?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let policy = LiLiu::default().fit(&data, &CaseWeights::uniform(40), &mut ctx)?;
/// let weights = policy.weigh(data.cases())?;
/// assert!(weights.column(0)[0] > weights.column(0)[1] && weights.column(0)[1] > weights.column(0)[2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiLiu {
    /// What is maximised.
    pub objective: Objective,
    /// How many are selected.
    pub size: Size,
    /// The most that one label of each of the selected may cost together; no limit by default. With a fixed size, as
    /// many as can be afforded. A guess: the paper is not known to have costs.
    pub budget: Option<f64>,
    /// What a label of each expert costs, if there is a budget: m numbers, or m + 1 with the classifier's at the end.
    /// By default 1 each, and 0 for the classifier.
    pub prices: Option<Vec<f64>>,
    /// How votes count.
    pub vote: Vote,
    /// The classifier that is one of the workers.
    pub classifier: Classifier,
}

impl Default for LiLiu {
    /// As in the comparison of Keswani, Lease and Kenthapadi (2021): five workers with plain majority.
    fn default() -> Self {
        Self {
            objective: Objective::default(),
            size: Size::Exactly { k: 5 },
            budget: None,
            prices: None,
            vote: Vote::default(),
            classifier: Classifier::default(),
        }
    }
}

impl LiLiu {
    /// The rule that decides with the weights of the fitted policy, for m = `experts`: the classifier is one of the
    /// voters, and a tie gives the lowest label.
    pub fn committee(&self, experts: usize) -> Committee {
        let select = match (self.size, self.budget) {
            (Size::Exactly { k }, None) => Selection::Top { k: k.min(experts + 1) },
            _ => Selection::Whole,
        };
        let vote = if self.vote == Vote::Majority { VoteRule::Majority } else { VoteRule::Weighted };
        Committee { select, classifier: Seat::Weighted, vote, tie: TieBreak::Lowest }
    }

    fn check(&self, experts: usize) -> Result<(), ParameterError> {
        let (Size::Exactly { k } | Size::AtMost { k }) = self.size;
        ParameterError::check(k > 0, "the committee size k", k, "1 or more")?;
        self.budget.map_or(Ok(()), check_budget)?;
        check_prices_of_team(self.prices.as_deref(), experts)
    }

    /// One weight a worker, the classifier last.
    fn weigh(&self, workers: &[Reliability], classes: usize) -> Vec<f64> {
        let candidates = candidates(workers, classes, self.objective, false);
        match (self.size, self.budget) {
            (Size::Exactly { .. }, None) => self.weigh_all(&candidates, workers, classes),
            (Size::AtMost { k }, None) => self.weigh_selected(&select(&candidates, k), workers, classes),
            (Size::AtMost { k }, Some(budget)) => {
                let selected = select_affordable(&candidates, self.price(workers), budget, k);
                self.weigh_selected(&selected, workers, classes)
            }
            (Size::Exactly { k }, Some(budget)) => {
                let sets = affordable(&candidates, self.price(workers), budget, k);
                let largest = sets.iter().rev().max_by_key(|set| set.len());
                let selected = largest.map(|set| workers_of(set)).unwrap_or_default();
                self.weigh_selected(&selected, workers, classes)
            }
        }
    }

    fn price(&self, workers: &[Reliability]) -> impl Fn(usize) -> f64 {
        move |worker| price_of(self.prices.as_deref(), worker, workers.len().saturating_sub(1))
    }

    /// Weights that rank everybody.
    fn weigh_all(&self, candidates: &[Candidate], workers: &[Reliability], classes: usize) -> Vec<f64> {
        let mut weights = vec![0.0; workers.len()];
        if self.vote != Vote::Majority {
            for candidate in candidates {
                let accuracy = chance(classes) + candidate.gain.max(0.0).sqrt();
                weights[candidate.worker] = self.weight(accuracy, workers[candidate.worker].answered, classes);
            }
            return weights;
        }
        let ranked = candidates.iter().map(|candidate| candidate.worker);
        let mut others: Vec<usize> = (0..workers.len()).filter(|&j| candidates.iter().all(|c| c.worker != j)).collect();
        let margin = |worker: usize| workers[worker].margin(classes);
        others.sort_by(|&a, &b| margin(b).total_cmp(&margin(a)).then(a.cmp(&b)));
        for (rank, worker) in ranked.chain(others).enumerate() {
            weights[worker] = (workers.len() - rank) as f64 / workers.len() as f64;
        }
        weights
    }

    /// Weights of the selected, 0 for all others.
    fn weigh_selected(&self, selected: &[usize], workers: &[Reliability], classes: usize) -> Vec<f64> {
        let mut weights = vec![0.0; workers.len()];
        for &worker in selected {
            let Reliability { accuracy, answered, .. } = workers[worker];
            // A single one decides, however bad.
            weights[worker] = if selected.len() == 1 { 1.0 } else { self.weight(accuracy, answered, classes) };
        }
        weights
    }

    fn weight(&self, accuracy: f64, answered: f64, classes: usize) -> f64 {
        let half_an_answer = 0.5 / answered.max(2.0);
        match self.vote {
            Vote::Majority => 1.0,
            Vote::LogOdds => log_odds(accuracy.clamp(half_an_answer, 1.0 - half_an_answer), classes).max(0.0),
            Vote::Linear => (accuracy / chance(classes) - 1.0).max(0.0),
        }
    }
}

impl Learner for LiLiu {
    type Policy = RosterPolicy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<RosterPolicy, FitError> {
        self.check(data.m())?;
        let team = Team::new(&self.classifier, data, weights, ctx)?;
        let workers = reliabilities(&team.decisions, &team.gold, weights);
        Ok(RosterPolicy::everywhere(team.classifier, self.weigh(&workers, data.k())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// ALGORITHMS 2.1: two classes, 21 questions each.
    const SHARES: [f64; 5] = [0.9, 0.8, 0.75, 0.6, 0.55];

    fn workers() -> Vec<Reliability> {
        SHARES.map(|share| Reliability::new(share * 21.0, 21.0)).into()
    }

    fn near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
    }

    #[test]
    fn corrected_example() {
        let candidates = candidates(&workers(), 2, Objective::Corrected, false);
        let gains: Vec<f64> = candidates.iter().map(|candidate| candidate.gain).collect();
        near(&gains, &[0.1555, 0.082, 0.053_125, -0.002, -0.009_875]);
        near(&curve(&candidates), &[0.155_500, 0.167_938, 0.167_792, 0.144_312, 0.124_661]);
        assert_eq!(select(&candidates, 5), [0, 1]);
        assert_eq!(select(&candidates, 1), [0]);
    }

    #[test]
    fn plain_example() {
        let candidates = candidates(&workers(), 2, Objective::Plain, false);
        near(&curve(&candidates), &[0.16, 0.176_777, 0.180_422, 0.161_25, 0.145_344]);
        assert_eq!(select(&candidates, 5).len(), 3);
    }

    #[test]
    fn ratio_example() {
        let candidates = candidates(&workers(), 2, Objective::Ratio, false);
        near(&curve(&candidates), &[0.394_491, 0.487_950, 0.540_422, 0.540_227, 0.533_396]);
        assert_eq!(select(&candidates, 5).len(), 3);
    }

    #[test]
    fn log_odds_example() {
        let expected = [2.197_225, 1.386_294, 1.098_612, 0.405_465, 0.200_671];
        near(&SHARES.map(|share| log_odds(share, 2)), &expected);
        assert!(log_odds(0.2, 2) < 0.0 && log_odds(1.0, 2).is_finite());
        assert!(log_odds(0.4, 3) > 0.0);
    }

    #[test]
    fn few_answers_are_shrunk() {
        let one = Reliability::new(1.0, 1.0);
        near(&[one.accuracy, one.variance], &[2.0 / 3.0, 2.0 / 9.0 / 4.0]);
        let none = Reliability::new(0.0, 0.0);
        near(&[none.accuracy, none.variance], &[0.5, 0.25 / 3.0]);
        let candidates = candidates(&[none, Reliability::new(18.0, 20.0)], 3, Objective::Plain, false);
        assert_eq!(candidates.iter().map(|c| c.worker).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn if_nobody_stands_out_the_most_accurate_is_alone() {
        let workers = [0.45, 0.52, 0.3].map(|share| Reliability::new(share * 20.0, 20.0));
        let candidates = candidates(&workers, 2, Objective::Corrected, false);
        assert_eq!(select(&candidates, 3), [1]);
        assert!(super::candidates(&[], 2, Objective::Ratio, false).is_empty());
        assert!(select(&[], 3).is_empty());
    }

    #[test]
    fn anti_experts_are_kept_on_request_only() {
        let workers = [0.05, 0.8, 0.6].map(|share| Reliability::new(share * 40.0, 40.0));
        let kept = |anti| select(&candidates(&workers, 2, Objective::Corrected, anti), 2);
        assert_eq!((kept(false), kept(true)), (vec![1], vec![0, 1]));
    }

    #[test]
    fn ranks_cover_everybody() {
        // Good, unseen, always wrong, better: the better one first, the unseen before the wrong.
        let shown = [(15.0, 20.0), (0.0, 0.0), (0.0, 20.0), (19.0, 20.0)];
        let workers = shown.map(|(right, answered)| Reliability::new(right, answered));
        assert_eq!(LiLiu::default().weigh(&workers, 2), [0.75, 0.5, 0.25, 1.0]);
        let weights = LiLiu { vote: Vote::LogOdds, ..LiLiu::default() }.weigh(&workers, 2);
        assert!(weights[3] > weights[0] && weights[0] > 0.0 && weights[1] == 0.0 && weights[2] == 0.0);
    }

    #[test]
    fn the_selected_alone_have_weights() {
        let rule = LiLiu { size: Size::AtMost { k: 5 }, ..LiLiu::default() };
        assert_eq!(rule.weigh(&workers(), 2), [1.0, 1.0, 0.0, 0.0, 0.0]);
        let weights = LiLiu { vote: Vote::LogOdds, ..rule.clone() }.weigh(&workers(), 2);
        near(&weights, &[2.197_225, 1.386_294, 0.0, 0.0, 0.0]);
        near(&LiLiu { vote: Vote::Linear, ..rule }.weigh(&workers(), 2), &[0.8, 0.6, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_fixed_size_takes_as_many_as_can_be_afforded() {
        // The last worker is the classifier and free.
        let rule = |budget| LiLiu { size: Size::Exactly { k: 3 }, budget: Some(budget), ..LiLiu::default() };
        assert_eq!(rule(1.0).weigh(&workers(), 2), [1.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(rule(9.0).weigh(&workers(), 2), [1.0, 1.0, 1.0, 0.0, 0.0]);
        assert_eq!(rule(0.0).weigh(&workers(), 2), [0.0, 0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn committees_fit_the_policy() {
        assert_eq!(LiLiu::default().committee(2).select, Selection::Top { k: 3 });
        assert_eq!(LiLiu { budget: Some(3.0), ..LiLiu::default() }.committee(9).select, Selection::Whole);
        let rule = LiLiu { size: Size::AtMost { k: 2 }, vote: Vote::LogOdds, ..LiLiu::default() };
        assert_eq!(rule.committee(9), Committee::whole(VoteRule::Weighted));
    }

    #[test]
    fn parameters_are_checked() {
        let message = |rule: LiLiu| rule.check(2).unwrap_err().to_string();
        let size = Size::AtMost { k: 0 };
        assert_eq!(message(LiLiu { size, ..LiLiu::default() }), "the committee size k is 0, but must be 1 or more");
        let expected = "the budget is NaN, but must be a finite number, 0 or more";
        assert_eq!(message(LiLiu { budget: Some(f64::NAN), ..LiLiu::default() }), expected);
        assert!(message(LiLiu { prices: Some(vec![]), ..LiLiu::default() }).starts_with("the number of prices is 0"));
    }

    fn panel() -> impl Strategy<Value = Vec<Reliability>> {
        let worker = (2..60u32, 0.0..=1.0f64)
            .prop_map(|(n, share)| Reliability::new((f64::from(n) * share).round(), f64::from(n)));
        proptest::collection::vec(worker, 1..=10)
    }

    fn objective(bits: u32, candidates: &[Candidate]) -> f64 {
        let set: Vec<Candidate> =
            candidates.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, c)| *c).collect();
        curve(&set).last().copied().unwrap_or(f64::NEG_INFINITY)
    }

    fn value(selected: &[usize], candidates: &[Candidate]) -> f64 {
        let bits = candidates.iter().enumerate().map(|(i, c)| u32::from(selected.contains(&c.worker)) << i).sum();
        objective(bits, candidates)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn sorting_finds_the_best_subset(
            workers in panel(), most in 1..=10u32, anti in any::<bool>(), plain in any::<bool>(),
        ) {
            let by = if plain { Objective::Plain } else { Objective::Corrected };
            let candidates = candidates(&workers, 2, by, anti);
            let sets = (1..1u32 << candidates.len()).filter(|bits| bits.count_ones() <= most);
            let best = sets.map(|bits| objective(bits, &candidates)).fold(f64::NEG_INFINITY, f64::max);
            let selected = select(&candidates, most as usize);
            prop_assert!(selected.len() <= most as usize);
            prop_assert!(candidates.is_empty() || (value(&selected, &candidates) - best).abs() < 1e-9);
        }

        #[test]
        fn the_ratio_is_best_among_equally_tried(
            shares in proptest::collection::vec(0..=30u32, 1..=10), most in 1..=10u32,
        ) {
            let workers: Vec<_> = shares.iter().map(|&right| Reliability::new(f64::from(right), 30.0)).collect();
            let candidates = candidates(&workers, 2, Objective::Ratio, false);
            let sets = (1..1u32 << candidates.len()).filter(|bits| bits.count_ones() <= most);
            let best = sets.map(|bits| objective(bits, &candidates)).fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(value(&select(&candidates, most as usize), &candidates) >= best - 1e-9);
        }

        #[test]
        fn the_budget_buys_the_best_subset(
            workers in panel(), prices in proptest::collection::vec(0..6u8, 10), budget in 0..20u8, most in 1..=10u32,
        ) {
            let price = |worker: usize| f64::from(prices[worker]);
            let candidates = candidates(&workers, 2, Objective::Corrected, false);
            let cost = |bits: u32| {
                let set = candidates.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1);
                set.map(|(_, candidate)| price(candidate.worker)).sum::<f64>()
            };
            let allowed = |bits: &u32| bits.count_ones() <= most && cost(*bits) <= f64::from(budget);
            let sets = (1..1u32 << candidates.len()).filter(allowed);
            let best = sets.map(|bits| objective(bits, &candidates)).fold(f64::NEG_INFINITY, f64::max);
            let selected = select_affordable(&candidates, price, f64::from(budget), most as usize);
            prop_assert!(selected.iter().map(|&worker| price(worker)).sum::<f64>() <= f64::from(budget));
            let found = value(&selected, &candidates);
            prop_assert!(found == best || (found - best).abs() < 1e-9, "{found} {best}");
        }
    }
}
