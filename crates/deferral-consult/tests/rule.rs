//! What holds of the adaptive rule whoever the experts are.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(clippy::redundant_closure_for_method_calls, reason = "the method is not general enough in its lifetimes")]

use deferral_consult::{Adaptive, Asking, Choice, ErrorCosts, consult_within};
use deferral_core::*;
use proptest::prelude::*;

/// Experts, what they voted on one case and what is believed of it before.
#[derive(Debug, Clone)]
struct Scene {
    people: Confusions,
    votes: Vec<u16>,
    belief: Vec<f64>,
}

fn distribution(classes: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0.02..1.0f64, classes).prop_map(|weights| {
        let total: f64 = weights.iter().sum();
        weights.iter().map(|w| w / total).collect()
    })
}

fn scene() -> impl Strategy<Value = Scene> {
    (2usize..5, 1usize..7).prop_flat_map(|(classes, experts)| {
        let rows = prop::collection::vec(distribution(classes), experts * classes);
        let votes = prop::collection::vec(0..classes as u16, experts);
        (rows, votes, distribution(classes)).prop_map(move |(rows, votes, belief)| Scene {
            people: Confusions::from_fn(experts, classes, |expert, truth, vote| rows[expert * classes + truth][vote]),
            votes,
            belief,
        })
    })
}

impl Scene {
    /// The scene with one more expert.
    fn with(&self, row: impl Fn(usize, usize) -> f64) -> Self {
        let (m, classes) = (self.people.workers(), self.people.classes());
        let people = Confusions::from_fn(m + 1, classes, |expert, truth, vote| {
            if expert == m {
                row(truth, vote)
            } else {
                self.people.get(ExpertId::at(expert), Label::at(truth), Label::at(vote))
            }
        });
        let mut votes = self.votes.clone();
        votes.push(0);
        Self { people, votes, ..self.clone() }
    }

    fn rule(&self, asking: &Asking) -> Adaptive<'static> {
        Adaptive::of_confusions(&self.people, asking.clone(), None).unwrap()
    }

    fn consult(&self, asking: &Asking) -> Outcome {
        let votes = self.votes.iter().enumerate().map(|(expert, &label)| (0, expert as u32, label));
        let decisions = Decisions::from_triples(1, self.votes.len(), votes).unwrap();
        let beliefs =
            (Probabilities(Columns::repeat(&self.belief, 1)), Weights(Columns::zeros(self.votes.len() + 1, 1)));
        let mut source = Recorded::new(&decisions, Absent::Unavailable);
        let rule = self.rule(asking);
        consult(0..1, (&beliefs.0, &beliefs.1), &rule, &mut source, None, &Stream::new(3)).unwrap().remove(0)
    }

    fn after<T>(&self, votes: &[Vote], see: impl FnOnce(&Adaptive<'_>, &Consulted<'_>) -> T) -> T {
        let everybody: Vec<ExpertId> = (0..self.votes.len()).map(ExpertId::at).collect();
        let weights = vec![0.0; self.votes.len() + 1];
        let asked: Vec<Question> = votes.iter().map(|vote| Question { expert: vote.expert, propensity: 1.0 }).collect();
        let state = Consulted {
            case: CaseId(0),
            probabilities: &self.belief,
            weights: &weights,
            available: &everybody,
            asked: &asked,
            votes,
        };
        see(&self.rule(&patient()), &state)
    }
}

/// Asks until sure beyond doubt, whatever it costs.
fn patient() -> Asking {
    Asking { confidence: 1.0, price: 0.0, ..Asking::default() }
}

const CHOICES: [Choice; 5] = [Choice::Entropy, Choice::Error, Choice::TwoSteps, Choice::Best, Choice::Random];

proptest! {
    #[test]
    fn gains_are_never_negative(scene in scene()) {
        for in_nats in [false, true] {
            let gains = scene.after(&[], |rule, state| rule.gains(state, in_nats));
            prop_assert!(gains.iter().all(|gain| *gain >= 0.0), "{gains:?}");
        }
    }

    #[test]
    fn a_useless_expert_is_never_asked(scene in scene(), price in 0.0001..0.2f64) {
        let classes = scene.people.classes();
        let with = scene.with(|_, _| 1.0 / classes as f64);
        let useless = ExpertId::at(with.votes.len() - 1);
        for choose in CHOICES {
            let outcome = with.consult(&Asking { choose, price, ..patient() });
            prop_assert!(outcome.asked.iter().all(|question| question.expert != useless), "{choose:?}");
        }
    }

    #[test]
    fn a_perfect_expert_is_asked_first(scene in scene()) {
        let with = scene.with(|truth, vote| f64::from(u8::from(truth == vote)));
        let perfect = ExpertId::at(with.votes.len() - 1);
        for choose in [Choice::Entropy, Choice::Error, Choice::Best] {
            let outcome = with.consult(&Asking { choose, ..patient() });
            prop_assert_eq!(outcome.asked.first().map(|question| question.expert), Some(perfect));
        }
    }

    #[test]
    fn the_order_of_votes_does_not_change_the_belief(scene in scene(), shuffle in any::<u64>()) {
        let mut votes: Vec<Vote> =
            scene.votes.iter().enumerate().map(|(expert, &label)| Vote { expert: ExpertId::at(expert), label: Label(label) }).collect();
        let before = scene.after(&votes, |rule, state| rule.belief(state));
        votes.sort_by_key(|vote| (u64::from(vote.expert.0) + 1).wrapping_mul(shuffle | 1));
        prop_assert_eq!(before, scene.after(&votes, |rule, state| rule.belief(state)));
    }

    #[test]
    fn labels_fall_with_price_and_rise_with_confidence(scene in scene()) {
        let used = |asking: Asking| scene.consult(&asking).labels_used;
        for choose in [Choice::Entropy, Choice::Best, Choice::Random] {
            let by_price = [0.0, 0.005, 0.02, 0.1, 0.5, f64::INFINITY].map(|price| used(Asking { choose, price, ..patient() }));
            prop_assert!(by_price.windows(2).all(|pair| pair[1] <= pair[0]), "{choose:?} {by_price:?}");
            prop_assert_eq!(by_price[5], 0);
            let by_confidence = [0.51, 0.7, 0.9, 0.99, 1.0].map(|confidence| used(Asking { choose, confidence, ..patient() }));
            prop_assert!(by_confidence.windows(2).all(|pair| pair[1] >= pair[0]), "{choose:?} {by_confidence:?}");
        }
    }

    #[test]
    fn without_a_price_it_asks_until_sure(scene in scene(), confidence in 0.6..1.0f64) {
        let outcome = scene.consult(&Asking { confidence, ..patient() });
        // Everybody was asked, or the belief is firm: nobody here is useless.
        prop_assert!(outcome.verdict.confidence >= confidence || outcome.labels_used == scene.votes.len());
    }

    #[test]
    fn several_at_once_are_different_people(scene in scene(), at_once in 1usize..5) {
        let outcome = scene.consult(&Asking { at_once, max_asks: Some(4), ..patient() });
        let mut people: Vec<ExpertId> = outcome.asked.iter().map(|question| question.expert).collect();
        people.sort_unstable();
        people.dedup();
        prop_assert_eq!(people.len(), outcome.asked.len());
        prop_assert!(people.len() <= 4);
    }

    #[test]
    fn costs_of_errors_move_decisions_to_the_safe_side(scene in scene(), times in 2.0..50.0f64) {
        let classes = scene.people.classes();
        // Missing class 0 is dear.
        let costs: Vec<Vec<f64>> = (0..classes)
            .map(|truth| (0..classes).map(|d| if d == truth { 0.0 } else if truth == 0 { times } else { 1.0 }).collect())
            .collect();
        let dear = Asking { errors: ErrorCosts::pairs(&costs).unwrap(), max_asks: Some(0), ..patient() };
        let plain = Asking { max_asks: Some(0), ..patient() };
        if scene.consult(&plain).verdict.label == Label(0) {
            prop_assert_eq!(scene.consult(&dear).verdict.label, Label(0));
        }
    }
}

/// A batch of cases with one table of votes.
fn batch(n: usize) -> (Decisions, Probabilities, Weights, Confusions) {
    let people = Confusions::one_coin(&[0.9, 0.8, 0.7, 0.6], 2);
    let votes = (0..n as u32).flat_map(|case| (0..4u32).map(move |e| (case, e, ((case * 7 + e * 5) % 3 / 2) as u16)));
    let decisions = Decisions::from_triples(n, 4, votes).unwrap();
    let belief = (0..n).flat_map(|case| {
        let p = 0.5 + 0.49 * (case as f64 / n as f64);
        [p, 1.0 - p]
    });
    (decisions, Probabilities(Columns::from_values(2, belief.collect())), Weights(Columns::zeros(5, n)), people)
}

#[test]
fn a_budget_is_kept_and_goes_to_the_doubtful_cases() {
    let (decisions, probabilities, weights, people) = batch(100);
    let prices = [2.0, 1.0, 1.0, 0.5];
    let rule = Adaptive::of_confusions(&people, patient(), Some(&prices)).unwrap();
    for budget in [0.0, 0.4, 7.0, 40.0, 1e6] {
        let mut source = Recorded::new(&decisions, Absent::Unavailable);
        let outcomes =
            consult_within(budget, 100, (&probabilities, &weights), &rule, &mut source, &Stream::new(1)).unwrap();
        let spent: f64 = outcomes.iter().map(|outcome| outcome.cost).sum();
        assert!(spent <= budget + 1e-9, "{spent} of {budget}");
        if (1.0..100.0).contains(&budget) {
            assert!(spent > budget - 2.0);
            let labels = |range: std::ops::Range<usize>| outcomes[range].iter().map(|o| o.labels_used).sum::<usize>();
            assert!(labels(0..30) > labels(70..100));
        }
    }
    let mut source = Recorded::new(&decisions, Absent::Unavailable);
    let error = consult_within(-1.0, 100, (&probabilities, &weights), &rule, &mut source, &Stream::new(1)).unwrap_err();
    assert_eq!(error.to_string(), "the budget is -1, but must be 0 or more");
}

#[test]
fn a_batch_with_a_budget_asks_in_the_order_of_worth() {
    // Case by case greedily, by hand: with price 1 each the first label goes to the case nearest to one half.
    let (decisions, probabilities, weights, people) = batch(10);
    let rule = Adaptive::of_confusions(&people, patient(), None).unwrap();
    let mut source = Recorded::new(&decisions, Absent::Unavailable);
    let outcomes = consult_within(1.0, 10, (&probabilities, &weights), &rule, &mut source, &Stream::new(1)).unwrap();
    let labels: Vec<usize> = outcomes.iter().map(|outcome| outcome.labels_used).collect();
    assert_eq!(labels, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(outcomes[0].asked[0].expert, ExpertId(0));
}

#[test]
fn ten_thousand_votes_do_not_underflow() {
    let people = Confusions::one_coin(&vec![0.8; 10_001], 3);
    let rule = Adaptive::of_confusions(&people, patient(), None).unwrap();
    let votes: Vec<Vote> = (0..10_001u32)
        .map(|expert| Vote { expert: ExpertId(expert), label: Label(u16::from(expert % 2 == 0)) })
        .collect();
    let weights = vec![0.0; 10_002];
    let state = Consulted {
        case: CaseId(0),
        probabilities: &[0.3, 0.3, 0.4],
        weights: &weights,
        available: &[],
        asked: &[],
        votes: &votes,
    };
    let belief = rule.belief(&state);
    assert!(belief[1] > 0.85 && belief.iter().all(|p| p.is_finite()), "{belief:?}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let people = Confusions::one_coin(&[0.8, 0.7], 2);
    let message = |asking: Asking, prices: Option<&[f64]>| {
        Adaptive::of_confusions(&people, asking, prices).unwrap_err().to_string()
    };
    assert_eq!(
        message(Asking { confidence: 0.5, ..patient() }, None),
        "the confidence is 0.5, but must be above 1/K = 0.5 and at most 1"
    );
    assert_eq!(message(patient(), Some(&[1.0])), "the number of prices is 1, but must be 2, one an expert");
    assert_eq!(
        message(patient(), Some(&[1.0, -1.0])),
        "the price of expert 1 is -1, but must be a finite number, 0 or more"
    );
    let three = ErrorCosts::pairs(&vec![vec![0.0; 3]; 3]).unwrap();
    assert_eq!(
        message(Asking { errors: three, ..patient() }, None),
        "the number of rows of the error costs is 3, but must be 2, the number of classes"
    );
}
