//! Who gets which case: the most valuable assignment of cases to experts who can take only so many.
//!
//! The transportation problem `max sum x_ji gain_ji` over `x` in {0, 1} with at most one expert a case and at most
//! `capacity_j` cases for expert j. Its linear relaxation has integral corners, so prices of the experts' time prove
//! that an assignment is the best.

use deferral_core::{CaseId, Columns, ExpertId};

use crate::flow::{Flow, Search};

/// Who gets which of n cases, what that is worth, and how much more there could be at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The expert of each case, n entries; `None` if nobody gets the case.
    pub of_case: Vec<Option<ExpertId>>,
    /// The gains of all assigned pairs, added up in the order of the cases.
    pub value: f64,
    /// No assignment is worth more than this: the value of the dual at `prices`,
    /// `sum_j capacity_j price_j + sum_i max(0, max_j gain_ji - price_j)`. Equal to `value`, up to rounding, if the
    /// assignment is the best.
    pub bound: f64,
    /// The price of a place with each expert, m numbers of 0 or more. Of the best assignment: the shadow prices, that
    /// is by how much its value would rise if that expert alone could take one case more.
    pub prices: Vec<f64>,
}

/// Why cases cannot be assigned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AssignError {
    /// As many capacities as rows of gains are needed.
    #[error("there are {found} capacities for {expected} experts")]
    Capacities {
        /// Number of capacities.
        found: usize,
        /// Number of experts, the rows of the gains.
        expected: usize,
    },
    /// A gain is NaN or infinitely large.
    #[error(
        "the gain of expert {} on case {} (both counted from 0) is {gain}, but must be a finite number or -infinity",
        .expert.0, .case.0
    )]
    Gain {
        /// The case.
        case: CaseId,
        /// The expert.
        expert: ExpertId,
        /// The gain.
        gain: f64,
    },
}

/// The assignment that is worth most.
///
/// `gains` is m x n, one case a column: what a label of expert j on case i is worth, its price already subtracted;
/// `f64::NEG_INFINITY` where the pair is not possible. `capacities` has one entry an expert. A case that nobody gets
/// is worth 0, so a pair that gains nothing is never assigned. (`Columns` without rows has no columns either: without
/// experts the result is empty.)
///
/// Deterministic. Cases enter in order; of several assignments that are worth the same, one is taken in which a case
/// does not make way for a later one without need, and a free choice falls on the lowest expert.
///
/// Successive shortest paths (Ahuja, Magnanti and Orlin 1993, Network Flows, 9.7) on the graph whose m + 1 nodes are
/// the experts and "nobody": every case that enters costs one search, O(m^2), and O(m log n) for every case that moves.
/// Prices start at 0 and rise no further than a search needs, so of all that prove the best they are the smallest. In
/// all O(n m^2 + s m log n) time for s moves, in practice a few a case (12 with 500 experts), and O(n m + m^2) memory.
///
/// # Errors
/// If the number of capacities is not m, or a gain is NaN or +infinity.
///
/// ```
/// use deferral_consult::assign;
/// use deferral_core::{Columns, ExpertId};
/// // Expert 0 gains most on both cases but can take only one: case 1, on which expert 1 is the poorer substitute.
/// let gains = Columns::from_values(2, vec![0.9, 0.8, 0.7, 0.2]);
/// let best = assign(&gains, &[1, 1])?;
/// assert_eq!(best.of_case, [Some(ExpertId(1)), Some(ExpertId(0))]);
/// assert_eq!((best.value, best.bound), (1.5, 1.5));
/// # Ok::<(), deferral_consult::AssignError>(())
/// ```
pub fn assign(gains: &Columns, capacities: &[usize]) -> Result<Assignment, AssignError> {
    check(gains, capacities)?;
    let mut flow = Flow::new(gains, capacities);
    let mut search = Search::new(gains.rows() + 1);
    for case in 0..gains.n() {
        flow.enter(case, &mut search);
    }
    Ok(flow.finish())
}

/// The control for [`assign`]: takes pairs in the order of their gains, the largest first, ties by case and then by
/// expert, as long as the case is free and the expert has a place. Shapes as for [`assign`]. At least half the best
/// value; O(m n log(m n)).
///
/// It finds no prices: all are 0, and the bound is what unlimited capacities would be worth, `sum_i max(0, max_j
/// gain_ji)`. That bound is loose where capacities bind and proves nothing then.
///
/// # Errors
/// If the number of capacities is not m, or a gain is NaN or +infinity.
///
/// ```
/// use deferral_consult::assign_greedily;
/// use deferral_core::{Columns, ExpertId};
/// let gains = Columns::from_values(2, vec![0.9, 0.8, 0.7, 0.2]);
/// let greedy = assign_greedily(&gains, &[1, 1])?;
/// assert_eq!(greedy.of_case, [Some(ExpertId(0)), Some(ExpertId(1))]);
/// assert!(greedy.value < 1.5 && greedy.bound == 0.9 + 0.7);
/// # Ok::<(), deferral_consult::AssignError>(())
/// ```
pub fn assign_greedily(gains: &Columns, capacities: &[usize]) -> Result<Assignment, AssignError> {
    check(gains, capacities)?;
    let mut places = capacities.to_vec();
    let mut of_case = vec![None; gains.n()];
    for (_, case, expert) in pairs_by_gain(gains) {
        if of_case[case].is_none() && places[expert] > 0 {
            of_case[case] = Some(ExpertId::at(expert));
            places[expert] -= 1;
        }
    }
    Ok(priced(gains, capacities, of_case, vec![0.0; capacities.len()]))
}

fn check(gains: &Columns, capacities: &[usize]) -> Result<(), AssignError> {
    if capacities.len() != gains.rows() {
        return Err(AssignError::Capacities { found: capacities.len(), expected: gains.rows() });
    }
    match gains.values().iter().position(|gain| gain.is_nan() || *gain == f64::INFINITY) {
        Some(at) => {
            let (case, expert) = (CaseId::at(at / gains.rows()), ExpertId::at(at % gains.rows()));
            Err(AssignError::Gain { case, expert, gain: gains.values()[at] })
        }
        None => Ok(()),
    }
}

/// Every pair that gains something, as (gain, case, expert).
fn pairs_by_gain(gains: &Columns) -> Vec<(f64, usize, usize)> {
    let of_case = |(case, column): (usize, &[f64])| -> Vec<_> {
        let pairs = column.iter().enumerate().filter(|(_, gain)| **gain > 0.0);
        pairs.map(|(expert, &gain)| (gain, case, expert)).collect()
    };
    let mut pairs: Vec<_> = gains.iter().enumerate().flat_map(of_case).collect();
    pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    pairs
}

/// The assignment with its value and with the bound that `prices` prove.
pub(crate) fn priced(
    gains: &Columns,
    capacities: &[usize],
    of_case: Vec<Option<ExpertId>>,
    prices: Vec<f64>,
) -> Assignment {
    let gain = |(column, expert): (&[f64], &Option<ExpertId>)| expert.map(|expert| column[expert.index()]);
    // Not `sum`, which would give -0 for no cases.
    let value = gains.iter().zip(&of_case).filter_map(gain).fold(0.0, |sum, gain| sum + gain);
    let surplus = |column: &[f64]| column.iter().zip(&prices).map(|(gain, price)| gain - price).fold(0.0, f64::max);
    let rent = capacities.iter().zip(&prices).map(|(&capacity, price)| capacity as f64 * price);
    let bound = rent.chain(gains.iter().map(surplus)).fold(0.0, |sum, part| sum + part);
    Assignment { of_case, value, bound, prices }
}

#[cfg(test)]
mod tests {
    use super::*;
    use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOutcome};
    use proptest::prelude::*;

    const NEVER: f64 = f64::NEG_INFINITY;

    /// The best value by trying everything, from the case `case` on.
    fn brute_force(gains: &Columns, places: &mut [usize], case: usize) -> f64 {
        if case == gains.n() {
            return 0.0;
        }
        let mut best = brute_force(gains, places, case + 1);
        for expert in 0..places.len() {
            if places[expert] > 0 {
                places[expert] -= 1;
                best = best.max(gains.column(case)[expert] + brute_force(gains, places, case + 1));
                places[expert] += 1;
            }
        }
        best
    }

    fn linear_program(gains: &Columns, capacities: &[usize]) -> f64 {
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        let mut of_expert = vec![Vec::new(); capacities.len()];
        for column in gains.iter() {
            let mut of_case = Vec::new();
            for (expert, &gain) in column.iter().enumerate().filter(|(_, gain)| gain.is_finite()) {
                let share = problem.add_var(gain, (0.0, 1.0));
                of_case.push((share, 1.0));
                of_expert[expert].push((share, 1.0));
            }
            problem.add_constraint(&of_case, ComparisonOp::Le, 1.0);
        }
        for (shares, &capacity) in of_expert.iter().zip(capacities) {
            problem.add_constraint(shares, ComparisonOp::Le, capacity as f64);
        }
        match problem.solve().unwrap() {
            SolveOutcome::Solution(solution) => solution.objective(),
            SolveOutcome::Interrupted(_) => f64::NAN,
        }
    }

    /// Checks all that holds of every assignment.
    fn check_sound(found: &Assignment, gains: &Columns, capacities: &[usize]) {
        assert_eq!((found.of_case.len(), found.prices.len()), (gains.n(), gains.rows()));
        let mut taken = vec![0; capacities.len()];
        let mut value = 0.0;
        for (case, expert) in found.of_case.iter().enumerate() {
            if let Some(expert) = expert {
                assert!(gains.column(case)[expert.index()] > 0.0);
                taken[expert.index()] += 1;
                value += gains.column(case)[expert.index()];
            }
        }
        assert!(taken.iter().zip(capacities).all(|(taken, capacity)| taken <= capacity));
        assert!(found.prices.iter().all(|price| *price >= 0.0 && price.is_finite()));
        assert_eq!(value, found.value);
        assert!(found.bound >= found.value - 1e-9);
    }

    fn solved(gains: &Columns, capacities: &[usize]) -> Assignment {
        let best = assign(gains, capacities).unwrap();
        check_sound(&best, gains, capacities);
        assert!(best.bound - best.value <= 1e-9 * best.value.max(1.0), "{best:?}");
        best
    }

    fn experts(of_case: &[Option<u32>]) -> Vec<Option<ExpertId>> {
        of_case.iter().map(|expert| expert.map(ExpertId)).collect()
    }

    #[test]
    fn a_case_makes_way_where_its_substitute_costs_least() {
        // The model is right with .9, .6, .5; expert 0 with 1, .9, 1; expert 1 with .95, .7, .5.
        let gains = Columns::from_values(2, vec![0.1, 0.05, 0.3, 0.1, 0.5, 0.0]);
        let best = solved(&gains, &[1, 1]);
        assert_eq!(best.of_case, experts(&[None, Some(1), Some(0)]));
        assert!((best.value - 0.6).abs() < 1e-12);
        // A second place with expert 0 would take case 1 (+.2) and free expert 1 for case 0 (+.05).
        assert!((best.prices[0] - 0.25).abs() < 1e-12 && (best.prices[1] - 0.05).abs() < 1e-12);
    }

    #[test]
    fn a_model_with_so_many_places_is_one_more_expert() {
        // ALGORITHMS 7, DeCCaF: the model is right with .9, .8, .85 and takes two cases, the human with .6, .7, .2 one.
        let gains = Columns::from_values(2, vec![0.9, 0.6, 0.8, 0.7, 0.85, 0.2]);
        let best = solved(&gains, &[2, 1]);
        assert_eq!(best.of_case, experts(&[Some(0), Some(1), Some(0)]));
        assert!((best.value - 2.45).abs() < 1e-12);
    }

    #[test]
    fn people_who_know_less_than_the_model_get_nothing() {
        let gains = Columns::from_values(1, vec![0.6 - 0.9, 0.7 - 0.8, 0.2 - 0.85]);
        for found in [solved(&gains, &[1]), assign_greedily(&gains, &[1]).unwrap()] {
            assert_eq!(found, Assignment { of_case: vec![None; 3], value: 0.0, bound: 0.0, prices: vec![0.0] });
        }
    }

    #[test]
    fn what_gains_nothing_is_not_assigned() {
        let gains = Columns::from_values(2, vec![0.0, -0.0, NEVER, NEVER, -1.0, 0.0]);
        assert_eq!(solved(&gains, &[3, 3]).of_case, [None; 3]);
        assert_eq!(assign_greedily(&gains, &[3, 3]).unwrap().of_case, [None; 3]);
    }

    #[test]
    fn ties_go_to_the_earliest_case_and_the_lowest_expert() {
        let gains = Columns::repeat(&[1.0, 1.0], 4);
        let expected = experts(&[Some(0), Some(1), Some(1), None]);
        assert_eq!(solved(&gains, &[1, 2]).of_case, expected);
        assert_eq!(assign_greedily(&gains, &[1, 2]).unwrap().of_case, expected);
        // Of two that are worth the same, the later one makes way.
        let gains = Columns::from_values(1, vec![1.0, 1.0, 2.0]);
        assert_eq!(solved(&gains, &[2]).of_case, experts(&[Some(0), None, Some(0)]));
    }

    #[test]
    fn nobody_nothing_and_no_room() {
        for solve in [assign, assign_greedily] {
            let none = solve(&Columns::default(), &[]).unwrap();
            assert_eq!(none, Assignment { of_case: vec![], value: 0.0, bound: 0.0, prices: vec![] });
            let no_cases = solve(&Columns::zeros(2, 0), &[1, 1]).unwrap();
            assert_eq!((no_cases.of_case, no_cases.prices), (vec![], vec![0.0; 2]));
        }
        // The place that expert 0 does not have would be worth the difference to expert 1.
        let gains = Columns::from_values(2, vec![0.5, 0.2, 0.4, 0.3]);
        let best = solved(&gains, &[0, usize::MAX]);
        assert_eq!(best.of_case, experts(&[Some(1), Some(1)]));
        assert!((best.prices[0] - 0.3).abs() < 1e-12 && best.prices[1] == 0.0);
        let shut = solved(&gains, &[0, 0]);
        assert_eq!((shut.of_case, shut.prices), (vec![None; 2], vec![0.5, 0.3]));
    }

    #[test]
    fn bad_input_is_named() {
        let mut gains = Columns::zeros(2, 3);
        gains.column_mut(1)[1] = f64::INFINITY;
        for solve in [assign, assign_greedily] {
            let error = solve(&gains, &[1]).unwrap_err();
            assert_eq!(error, AssignError::Capacities { found: 1, expected: 2 });
            assert_eq!(error.to_string(), "there are 1 capacities for 2 experts");
            let error = solve(&gains, &[1, 1]).unwrap_err().to_string();
            let expected =
                "the gain of expert 1 on case 1 (both counted from 0) is inf, but must be a finite number or -infinity";
            assert_eq!(error, expected);
        }
        gains.column_mut(0)[1] = f64::NAN;
        let error = assign(&gains, &[1, 1]).unwrap_err();
        assert!(matches!(error, AssignError::Gain { case: CaseId(0), expert: ExpertId(1), .. }));
    }

    /// At most `n` cases and `m` experts with few places, the gains drawn from `gain`.
    fn problems<S>(n: usize, m: usize, gain: S) -> impl Strategy<Value = (Columns, Vec<usize>)>
    where
        S: Strategy<Value = f64> + Clone + 'static,
    {
        (0..=n, 1..=m).prop_flat_map(move |(n, m)| {
            let gains = prop::collection::vec(gain.clone(), n * m).prop_map(move |v| Columns::from_values(m, v));
            (gains, prop::collection::vec(0..=n.div_ceil(m) + 1, m))
        })
    }

    fn whole() -> impl Strategy<Value = f64> + Clone {
        prop_oneof![8 => (-3i32..10).prop_map(f64::from), 1 => Just(NEVER)]
    }

    fn real() -> impl Strategy<Value = f64> + Clone {
        prop_oneof![6 => -0.2..1.0, 1 => Just(NEVER)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn nothing_is_better((gains, mut capacities) in problems(6, 3, whole())) {
            let best = solved(&gains, &capacities);
            prop_assert_eq!(best.value, brute_force(&gains, &mut capacities, 0));
            prop_assert_eq!(best.value, best.bound);
        }

        #[test]
        fn prices_are_what_one_more_place_is_worth((gains, mut capacities) in problems(12, 4, whole())) {
            let best = solved(&gains, &capacities);
            for expert in 0..capacities.len() {
                capacities[expert] += 1;
                prop_assert_eq!(best.prices[expert], solved(&gains, &capacities).value - best.value);
                capacities[expert] -= 1;
            }
        }
    }

    proptest! {
        #[test]
        fn the_linear_program_agrees((gains, capacities) in problems(30, 5, real())) {
            let best = solved(&gains, &capacities);
            prop_assert!((best.value - linear_program(&gains, &capacities)).abs() < 1e-9);
        }

        #[test]
        fn greed_is_no_better_and_at_least_half_as_good((gains, capacities) in problems(40, 6, real())) {
            let best = solved(&gains, &capacities);
            let greedy = assign_greedily(&gains, &capacities).unwrap();
            check_sound(&greedy, &gains, &capacities);
            prop_assert!(greedy.value <= best.value + 1e-9 && best.value <= 2.0 * greedy.value + 1e-9);
            prop_assert!(best.bound <= greedy.bound + 1e-9);
        }

        #[test]
        fn the_order_of_the_experts_does_not_matter((gains, mut capacities) in problems(40, 6, real())) {
            let best = solved(&gains, &capacities);
            let turned = gains.iter().flat_map(|column| column.iter().rev().copied()).collect();
            let turned = Columns::from_values(gains.rows(), turned);
            capacities.reverse();
            prop_assert!((solved(&turned, &capacities).value - best.value).abs() < 1e-9);
        }

        #[test]
        fn large_problems_with_ties_are_proved((gains, capacities) in problems(300, 12, whole())) {
            let best = solved(&gains, &capacities);
            prop_assert_eq!(best.value, best.bound);
        }

        #[test]
        fn the_scale_does_not_matter((gains, capacities) in problems(40, 6, real()), scale in -200i32..200) {
            let best = solved(&gains, &capacities);
            let mut scaled = gains.clone();
            scaled.values_mut().iter_mut().for_each(|gain| *gain *= 2f64.powi(scale));
            prop_assert_eq!(assign(&scaled, &capacities).unwrap().of_case, best.of_case);
        }
    }
}
