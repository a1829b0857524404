//! A rule that gives every case to the best worker who still has time, as epsilon-first exploits what it found out.

use std::sync::{Mutex, MutexGuard, PoisonError};

use deferral_core::{Consultation, Consulted, ExpertId, Label, Next, Question, Verdict, argmax};
use rand::Rng;

use super::epsilon_first::{Density, EpsilonFirst};

/// Gives each case to the available worker with the largest weight, for their price, who still has time and can still
/// be paid; if that worker stays silent, to the next one.
///
/// Nobody serves beyond their capacity and nothing is spent beyond the budget: where none of those available has time
/// and can be paid, nobody is asked and the classifier decides alone, or the most frequent class where it knows no more
/// than that. Time and budget are used up by answers, case by case in the order of consultation, so that the outcome of
/// a case depends on those before it. O(m) a case.
#[derive(Debug)]
pub struct Rationed {
    prices: Vec<f64>,
    capacity: Option<usize>,
    with_classifier: bool,
    overflow: bool,
    ledger: Mutex<Ledger>,
}

#[derive(Debug)]
struct Ledger {
    /// Cases that each expert answered.
    served: Vec<usize>,
    /// What is left of the budget, if there is one.
    left: Option<f64>,
}

impl Rationed {
    /// Nothing served yet: the limits of `method`, with checked `prices` of the experts and with what may be spent.
    pub(crate) fn new(method: &EpsilonFirst, prices: Vec<f64>, left: Option<f64>) -> Self {
        let ledger = Mutex::new(Ledger { served: vec![0; prices.len()], left });
        let EpsilonFirst { capacity, with_classifier, overflow, .. } = *method;
        Self { prices, capacity, with_classifier, overflow, ledger }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The best one who has time, can be paid and was not asked yet; with overflow, if there is none, without time.
    fn choose(&self, state: &Consulted<'_>) -> Option<ExpertId> {
        let ledger = self.ledger();
        let affordable = |expert: ExpertId| match (ledger.left, self.prices.get(expert.index())) {
            (Some(left), Some(price)) => *price <= left,
            _ => true,
        };
        let has_time = |expert: ExpertId| match (self.capacity, ledger.served.get(expert.index())) {
            (Some(capacity), Some(served)) => *served < capacity,
            _ => true,
        };
        let new = |expert: ExpertId| state.asked.iter().all(|question| question.expert != expert);
        let weighed = |expert: ExpertId| (expert.index(), weight(state, expert));
        let classifier = self.with_classifier.then(|| state.classifier());
        let everybody = state.available.iter().copied().chain(classifier);
        let candidates = everybody.filter(|&expert| new(expert) && affordable(expert));
        let density = Density::new(&self.prices);
        let in_time = density.best(candidates.clone().filter(|&expert| has_time(expert)).map(weighed));
        let beyond = || if self.overflow { density.best(candidates.map(weighed)) } else { None };
        in_time.or_else(beyond).map(ExpertId::at)
    }

    fn settle(&self, expert: ExpertId) {
        let mut ledger = self.ledger();
        if let Some(served) = ledger.served.get_mut(expert.index()) {
            *served += 1;
        }
        if let (Some(left), Some(price)) = (&mut ledger.left, self.prices.get(expert.index())) {
            *left -= price;
        }
    }
}

impl Consultation for Rationed {
    fn next(&self, state: &Consulted<'_>, _: &mut dyn Rng) -> Next {
        if let Some(vote) = state.votes.first() {
            self.settle(vote.expert);
            let confidence = weight(state, vote.expert).clamp(0.0, 1.0);
            return Next::Decide(Verdict { label: vote.label, confidence });
        }
        if let Some(expert) = self.choose(state) {
            return Next::Ask(vec![Question { expert, propensity: 1.0 }]);
        }
        let label = argmax(state.probabilities);
        let confidence = state.probabilities.get(label).copied().unwrap_or(0.0);
        Next::Decide(Verdict { label: Label::at(label), confidence })
    }
}

fn weight(state: &Consulted<'_>, expert: ExpertId) -> f64 {
    state.weights.get(expert.index()).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use deferral_core::{Absent, Columns, Decisions, Outcome, Probabilities, Recorded, Stream, Weights, consult};
    use proptest::prelude::*;

    /// Every case answered by experts 0, 1 and 2 with label 0, 1 and 1, except those in `without`.
    fn run(method: &EpsilonFirst, weights: &[f64], n: usize, without: &[(u32, u32)], absent: Absent) -> Vec<Outcome> {
        let everybody = (0..n as u32).flat_map(|case| (0..3).map(move |expert| (case, expert, u16::from(expert > 0))));
        let votes = everybody.filter(|(case, expert, _)| !without.contains(&(*case, *expert)));
        let decisions = Decisions::from_triples(n, 3, votes).unwrap();
        let beliefs = (Probabilities(Columns::repeat(&[0.4, 0.6], n)), Weights(Columns::repeat(weights, n)));
        let mut source = Recorded::new(&decisions, absent);
        let rule = method.rule(3).unwrap();
        consult(0..n, (&beliefs.0, &beliefs.1), &rule, &mut source, None, &Stream::new(1)).unwrap()
    }

    fn asked(outcomes: &[Outcome]) -> Vec<Vec<u32>> {
        outcomes.iter().map(|outcome| outcome.asked.iter().map(|question| question.expert.0).collect()).collect()
    }

    const WEIGHTS: [f64; 4] = [0.7, 0.9, 0.8, 0.75];

    #[test]
    fn the_best_with_time_serves_and_nobody_beyond_capacity() {
        let method = EpsilonFirst { capacity: Some(2), with_classifier: false, ..EpsilonFirst::default() };
        let outcomes = run(&method, &WEIGHTS, 8, &[], Absent::Unavailable);
        let expected: [&[u32]; 8] = [&[1], &[1], &[2], &[2], &[0], &[0], &[], &[]];
        assert_eq!(asked(&outcomes), expected);
        assert_eq!((outcomes[0].verdict.label, outcomes[0].verdict.confidence), (Label(1), 0.9));
        // The classifier decides alone.
        assert_eq!((outcomes[7].verdict.label, outcomes[7].verdict.confidence), (Label(1), 0.6));
        assert_eq!((outcomes[7].labels_used, outcomes[7].cost), (0, 0.0));
        // Expert 1 is not available for the first three cases.
        let outcomes = run(&method, &WEIGHTS, 6, &[(0, 1), (1, 1), (2, 1)], Absent::Unavailable);
        assert_eq!(asked(&outcomes), [[2], [2], [0], [1], [1], [0]]);
    }

    #[test]
    fn with_overflow_the_best_serve_beyond_capacity() {
        let people = EpsilonFirst { capacity: Some(2), with_classifier: false, ..EpsilonFirst::default() };
        let method = EpsilonFirst { overflow: true, ..people };
        let outcomes = run(&method, &WEIGHTS, 8, &[(7, 1)], Absent::Unavailable);
        assert_eq!(asked(&outcomes), [[1], [1], [2], [2], [0], [0], [1], [2]]);
    }

    #[test]
    fn a_serving_classifier_has_time_for_all() {
        let method = EpsilonFirst { capacity: Some(1), ..EpsilonFirst::default() };
        let outcomes = run(&method, &WEIGHTS, 5, &[], Absent::Unavailable);
        assert_eq!(asked(&outcomes), [[1], [2], [3], [3], [3]]);
        assert_eq!((outcomes[4].verdict.confidence, outcomes[4].labels_used), (0.75, 0));
    }

    #[test]
    fn the_budget_is_never_exceeded() {
        let prices = Some(vec![0.1, 0.3, 0.2]);
        let method =
            EpsilonFirst { epsilon: 0.5, budget: Some(1.2), prices, with_classifier: false, ..Default::default() };
        let outcomes = run(&method, &WEIGHTS, 9, &[], Absent::Unavailable);
        // Densities 7, 3 and 4: six times expert 0 for what is left, 0.6; then the classifier decides, unasked.
        let expected: Vec<Vec<u32>> = (0..9).map(|case| if case < 6 { vec![0] } else { vec![] }).collect();
        assert_eq!(asked(&outcomes), expected);
        assert_eq!((outcomes[8].verdict.label, outcomes[8].verdict.confidence), (Label(1), 0.6));
    }

    #[test]
    fn who_stays_silent_is_followed_by_the_next_and_loses_no_time() {
        let method = EpsilonFirst { capacity: Some(1), with_classifier: false, ..EpsilonFirst::default() };
        let outcomes = run(&method, &WEIGHTS, 3, &[(0, 1), (0, 2), (2, 0), (2, 1), (2, 2)], Absent::Silent);
        // Experts 0 and 1 have served when the last case comes.
        assert_eq!(asked(&outcomes), [vec![1, 2, 0], vec![1], vec![2]]);
        assert_eq!((outcomes[0].verdict.label, outcomes[2].verdict.label), (Label(0), Label(1)));
    }

    /// Random experts with mean, price and who is present where, in 24 cases at most.
    fn any_experts() -> impl Strategy<Value = Vec<(f64, f64, u32)>> {
        let price = prop_oneof![Just(0.0), Just(1.0), 0.1..5.0];
        proptest::collection::vec((0.0..1.0, price, any::<u32>()), 1..7)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn capacity_and_budget_are_never_exceeded(
            experts in any_experts(),
            n in 1usize..24,
            capacity in 1usize..6,
            budget in proptest::option::of(0.0..20.0),
            with_classifier in any::<bool>(),
            silent in any::<bool>(),
        ) {
            let m = experts.len();
            let here = |case: usize, expert: usize| experts[expert].2 >> case & 1 == 1;
            let pairs = (0..n).flat_map(|case| (0..m).map(move |expert| (case, expert)));
            let votes = pairs.filter(|&(case, expert)| here(case, expert));
            let votes = votes.map(|(case, expert)| (case as u32, expert as u32, ((case + expert) % 2) as u16));
            let decisions = Decisions::from_triples(n, m, votes).unwrap();
            let weights: Vec<f64> = experts.iter().map(|expert| expert.0).chain([0.5]).collect();
            let beliefs = (Probabilities(Columns::repeat(&[0.4, 0.6], n)), Weights(Columns::repeat(&weights, n)));
            let prices: Vec<f64> = experts.iter().map(|expert| expert.1).collect();
            let limits = EpsilonFirst { epsilon: 0.0, budget, capacity: Some(capacity), ..EpsilonFirst::default() };
            let method = EpsilonFirst { prices: Some(prices.clone()), with_classifier, ..limits };
            let mut source = Recorded::new(&decisions, if silent { Absent::Silent } else { Absent::Unavailable });
            let (rule, stream) = (method.rule(m).unwrap(), Stream::new(1));
            let beliefs = (&beliefs.0, &beliefs.1);
            let outcomes = consult(0..n, beliefs, &rule, &mut source, Some(&prices), &stream).unwrap();
            let mut served = vec![0usize; m];
            let mut spent = 0.0;
            for (case, outcome) in outcomes.iter().enumerate() {
                let could = |expert: usize| {
                    let paid = budget.is_none_or(|budget| spent + prices[expert] <= budget);
                    here(case, expert) && served[expert] < capacity && paid
                };
                // Nobody is passed over who could serve.
                prop_assert!(with_classifier || outcome.labels_used == 1 || !(0..m).any(could), "case {case}");
                for vote in outcome.votes.iter().filter(|vote| vote.expert.index() < m) {
                    served[vote.expert.index()] += 1;
                }
                spent += outcome.cost;
            }
            prop_assert!(served.iter().all(|served| *served <= capacity), "{served:?}");
            prop_assert!(budget.is_none_or(|budget| spent <= budget * (1.0 + 1e-9)), "{spent}");
        }
    }
}
