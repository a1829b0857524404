//! Whom to ask about a case, given how likely each worker errs on it.

use deferral_core::{Consultation, Consulted, ExpertId, Label, Next, ParameterError, Question, Verdict, argmax};
use deferral_models::stable::softmax;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::super::knapsack::{Item, cheapest_worth, check_budget, most_valuable, price_of};
use super::super::li_liu::log_odds;
use super::super::prices::check_prices_of_team;

/// Scores that differ by less are equal: sums of the same weights in another order are.
const EQUAL: f64 = 1e-12;

/// What a worker who errs with probability `error`, on every wrong class alike, contributes to a committee: see
/// [`CrowdSelectRule`]. 0 for one who is no better than guessing.
///
/// ```
/// use deferral_crowd::selection::crowd_select::{error_bound, potential};
/// let potentials = [0.1, 0.2, 0.3].map(|error| potential(error, 2));
/// assert!((potentials[0] - 0.878890).abs() < 1e-6);
/// assert!((error_bound(&potentials, 2) - 0.480889).abs() < 1e-6);
/// ```
pub fn potential(error: f64, classes: usize) -> f64 {
    potential_of_weight(log_odds(1.0 - error, classes), classes)
}

/// The potential of a vote that weighs `weight = ln(p / q)`.
fn potential_of_weight(weight: f64, classes: usize) -> f64 {
    let weight = weight.max(0.0);
    let others = classes.saturating_sub(1) as f64;
    let right = 1.0 / (1.0 + others * (-weight).exp());
    let wrong = (-weight).exp() * right;
    let divergence = 0.5 * (right - wrong) * weight;
    let chernoff = -2.0 * (1.0 - (right.sqrt() - wrong.sqrt()).powi(2)).ln();
    divergence.min(chernoff)
}

/// A bound on the probability that the log-odds weighted vote of independent workers with these potentials errs:
/// `(K - 1) exp(-sum / 2)`, at most 1.
pub fn error_bound(potentials: &[f64], classes: usize) -> f64 {
    let exponent = -0.5 * potentials.iter().sum::<f64>();
    (classes.saturating_sub(1) as f64 * exponent.exp()).min(1.0)
}

/// What a selection is for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Goal {
    /// The k workers of largest potential. With k = 1 the one who is least likely to err.
    Size {
        /// Number of workers, 1 or more; the classifier is one of them.
        k: usize,
    },
    /// The largest total potential that the budget pays for.
    Budget {
        /// The most that the labels of a case may cost together.
        budget: f64,
    },
    /// The cheapest workers whose vote errs at most so often, as far as [`error_bound`] tells; all effective workers if
    /// even they do not suffice.
    ErrorBound {
        /// In (0, 1). 0.1 is a guess; the bound is loose and asks for many.
        error: f64,
    },
}

impl Default for Goal {
    /// Five, a guess after the committees of the comparison of Keswani, Lease and Kenthapadi (2021).
    fn default() -> Self {
        Self::Size { k: 5 }
    }
}

/// Selects among the workers available for a case, asks them once, and decides by their votes weighted by log-odds.
///
/// It reads the weights of a [`CrowdSelectPolicy`](super::CrowdSelectPolicy), `w = ln(p / q)` with p the probability of
/// the right class and q that of each wrong one, so that errors fall on all K - 1 wrong classes alike and a worker is
/// effective who is better than guessing (e < 1/2 for K = 2). Only those are selected. The classifier is a worker who
/// is always available.
///
/// The potential of a worker is half the symmetric divergence, `phi = (p - q) w / 2`, which is `(1/2 - e) ln((1 - e) /
/// e)` for two classes; the vote of independent workers then errs with probability at most `exp(-sum phi / 2)`. With
/// more classes `(K - 1) exp(-sum phi / 2)` bounds it if no phi is above its Chernoff value `-2 ln(1 - (sqrt p - sqrt
/// q)^2)`, so it is capped there (two classes never reach that). The bound is known, that workers are selected by it is
/// a guess; see [the module](super).
///
/// Ties go to the label with more votes, then to the lowest. Where nobody is effective the classifier decides alone.
/// The confidence is the probability of the label, all classes being equally likely before the votes and voters
/// independent. Whole prices are handled exactly in O(m x total price) a case, others greedily in O(m log m).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrowdSelectRule {
    /// What is selected for.
    pub goal: Goal,
    /// What a label of each expert costs: m numbers, or m + 1 with the classifier's at the end. By default 1 each, and
    /// 0 for the classifier.
    pub prices: Option<Vec<f64>>,
}

impl CrowdSelectRule {
    /// Checks goal and prices against the m = `experts` there are.
    ///
    /// # Errors
    /// If k is 0, the bound not between 0 and 1, a budget or price negative or not finite, or there are not as many
    /// prices.
    pub fn check(&self, experts: usize) -> Result<(), ParameterError> {
        match self.goal {
            Goal::Size { k } => ParameterError::check(k > 0, "the committee size k", k, "1 or more")?,
            Goal::Budget { budget } => check_budget(budget)?,
            Goal::ErrorBound { error } => {
                let ok = error > 0.0 && error < 1.0;
                ParameterError::check(ok, "the bound on the error", error, "above 0 and below 1")?;
            }
        }
        check_prices_of_team(self.prices.as_deref(), experts)
    }

    fn select(&self, state: &Consulted<'_>) -> Vec<ExpertId> {
        let (classes, classifier) = (state.probabilities.len(), state.classifier());
        let item = |worker: ExpertId| Item {
            value: potential_of_weight(weight(state, worker), classes),
            price: price_of(self.prices.as_deref(), worker.index(), classifier.index()),
        };
        let everybody = state.available.iter().copied().chain([classifier]);
        let (workers, items): (Vec<ExpertId>, Vec<Item>) =
            everybody.map(|worker| (worker, item(worker))).filter(|(_, item)| item.value > 0.0).unzip();
        let selected = match self.goal {
            Goal::Size { k } => most_potent(&items, k),
            Goal::Budget { budget } => most_valuable(&items, budget),
            Goal::ErrorBound { error } => {
                let target = 2.0 * (classes.saturating_sub(1) as f64 / error).ln();
                cheapest_worth(&items, target).unwrap_or_else(|| (0..items.len()).collect())
            }
        };
        selected.into_iter().map(|at| workers[at]).collect()
    }
}

fn most_potent(items: &[Item], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|&a, &b| items[b].value.total_cmp(&items[a].value).then(a.cmp(&b)));
    order.truncate(k);
    order
}

fn weight(state: &Consulted<'_>, worker: ExpertId) -> f64 {
    state.weights.get(worker.index()).copied().unwrap_or(0.0).max(0.0)
}

fn decide(state: &Consulted<'_>) -> Verdict {
    let classes = state.probabilities.len();
    let (mut scores, mut votes) = (vec![0.0; classes], vec![0.0; classes]);
    for vote in state.votes.iter().filter(|vote| vote.label.index() < classes) {
        scores[vote.label.index()] += weight(state, vote.expert);
        votes[vote.label.index()] += 1.0;
    }
    let best = scores[argmax(&scores)];
    if best <= 0.0 {
        let label = argmax(state.probabilities);
        return Verdict { label: Label::at(label), confidence: state.probabilities[label] };
    }
    for (votes, score) in votes.iter_mut().zip(&scores) {
        if *score < best - EQUAL {
            *votes = 0.0;
        }
    }
    let label = argmax(&votes);
    softmax(&mut scores);
    Verdict { label: Label::at(label), confidence: scores[label] }
}

impl Consultation for CrowdSelectRule {
    fn next(&self, state: &Consulted<'_>, _: &mut dyn Rng) -> Next {
        if state.asked.is_empty() {
            let questions: Vec<Question> =
                self.select(state).into_iter().map(|expert| Question { expert, propensity: 1.0 }).collect();
            if !questions.is_empty() {
                return Next::Ask(questions);
            }
        }
        Next::Decide(decide(state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{CaseId, Vote};

    #[test]
    fn published_potentials() {
        // ALGORITHMS 2.2: accuracies .9, .8, .7.
        let potentials = [0.1, 0.2, 0.3].map(|error| potential(error, 2));
        for (found, expected) in potentials.iter().zip([0.878_890, 0.415_888, 0.169_460]) {
            assert!((found - expected).abs() < 1e-6, "{found}");
        }
        assert!((error_bound(&potentials, 2) - 0.480_889).abs() < 1e-6);
        assert_eq!((potential(0.5, 2), potential(0.9, 2), error_bound(&[], 3)), (0.0, 0.0, 1.0));
    }

    #[test]
    fn guessing_among_many_classes_is_effective_below_one_half() {
        assert!(potential(0.6, 3) > 0.0);
        assert_eq!(potential(0.7, 3), 0.0);
        assert!(potential(1e-300, 2).is_finite() && potential_of_weight(f64::NAN, 2) == 0.0);
    }

    #[test]
    fn two_classes_never_reach_the_chernoff_value() {
        for percent in 1..50 {
            let error = f64::from(percent) / 100.0;
            let formula = (0.5 - error) * ((1.0 - error) / error).ln();
            assert!((potential(error, 2) - formula).abs() < 1e-12);
        }
    }

    #[test]
    fn many_classes_need_the_chernoff_value() {
        // One worker, the right class against one wrong one of 100: the uncapped potential promises too much.
        let (right, wrong) = (0.3f64, 0.7f64 / 99.0);
        let chernoff = 1.0 - (right.sqrt() - wrong.sqrt()).powi(2);
        assert!((-0.25 * (right - wrong) * (right / wrong).ln()).exp() < chernoff);
        assert!(((-0.5 * potential(0.7, 100)).exp() - chernoff).abs() < 1e-12);
    }

    fn state<'a>(weights: &'a [f64], available: &'a [ExpertId], votes: &'a [Vote]) -> Consulted<'a> {
        Consulted { case: CaseId(0), probabilities: &[0.6, 0.4], weights, available, asked: &[], votes }
    }

    fn selected(goal: Goal, prices: Option<&[f64]>, weights: &[f64]) -> Vec<usize> {
        let available: Vec<ExpertId> = (0..weights.len() - 1).map(ExpertId::at).collect();
        let rule = CrowdSelectRule { goal, prices: prices.map(<[f64]>::to_vec) };
        rule.select(&state(weights, &available, &[])).into_iter().map(ExpertId::index).collect()
    }

    #[test]
    fn every_goal_selects_effective_workers_only() {
        let weights = [1.5, 0.0, 2.0, 0.5];
        assert_eq!(selected(Goal::Size { k: 1 }, None, &weights), [2]);
        assert_eq!(selected(Goal::Size { k: 9 }, None, &weights), [2, 0, 3]);
        assert_eq!(selected(Goal::Budget { budget: 1.0 }, None, &weights), [2, 3]);
        assert_eq!(selected(Goal::Budget { budget: 1.0 }, Some(&[1.0, 1.0, 2.0, 3.0]), &weights), [0]);
        assert_eq!(selected(Goal::ErrorBound { error: 0.9 }, Some(&[1.0, 1.0, 2.0, 3.0]), &weights), [0]);
        assert_eq!(selected(Goal::ErrorBound { error: 1e-9 }, None, &weights), [0, 2, 3]);
        assert!(selected(Goal::Size { k: 2 }, None, &[0.0, 0.0]).is_empty());
    }

    fn verdict(weights: &[f64], votes: &[(u32, u16)]) -> Verdict {
        let votes: Vec<Vote> = votes.iter().map(|&(e, l)| Vote { expert: ExpertId(e), label: Label(l) }).collect();
        decide(&state(weights, &[], &votes))
    }

    #[test]
    fn votes_weigh_by_log_odds() {
        let decided = verdict(&[2.0, 1.0, 0.5], &[(0, 1), (1, 0), (2, 0)]);
        assert_eq!(decided.label, Label(1));
        assert!((decided.confidence - 1.0 / (1.0 + (-0.5f64).exp())).abs() < 1e-12);
    }

    #[test]
    fn ties_go_to_the_majority_then_to_the_lowest_label() {
        assert_eq!(verdict(&[0.5, 0.25, 0.25], &[(0, 0), (1, 1), (2, 1)]).label, Label(1));
        assert_eq!(verdict(&[1.0, 1.0, 0.0], &[(0, 1), (1, 0)]).label, Label(0));
    }

    #[test]
    fn without_votes_the_classifier_decides() {
        assert_eq!(verdict(&[1.0, 0.0], &[]), Verdict { label: Label(0), confidence: 0.6 });
        assert_eq!(verdict(&[0.0, 0.0], &[(0, 1)]).label, Label(0));
    }

    #[test]
    fn parameters_are_checked() {
        let message = |goal, prices| CrowdSelectRule { goal, prices }.check(2).unwrap_err().to_string();
        assert_eq!(message(Goal::Size { k: 0 }, None), "the committee size k is 0, but must be 1 or more");
        let expected = "the bound on the error is 1, but must be above 0 and below 1";
        assert_eq!(message(Goal::ErrorBound { error: 1.0 }, None), expected);
        let expected = "the budget is -1, but must be a finite number, 0 or more";
        assert_eq!(message(Goal::Budget { budget: -1.0 }, None), expected);
        assert!(message(Goal::default(), Some(vec![1.0])).starts_with("the number of prices is 1"));
    }
}
