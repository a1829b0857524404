//! The minimax games against learners whose best responses are known, and the theorem about gaps.
#![allow(clippy::unwrap_used)]

mod games;

use deferral_core::*;
use deferral_fairness::*;
use deferral_models::{Classifier, Lbfgs, Logistic};
use games::*;
use proptest::prelude::*;

fn game<L>(learner: L, rounds: usize, form: MinimaxForm) -> Minimax<L> {
    Minimax { rounds, form, error: ErrorKind::ZeroOne, ..Minimax::by("group", learner) }
}

fn play<L: Learner>(minimax: &Minimax<L>, data: &Dataset) -> (Mixture<L::Policy>, MinimaxTrace, Vec<String>) {
    let (result, notes) = noted(|ctx| minimax.fit_traced(data, &CaseWeights::uniform(data.n()), ctx));
    let (mixture, trace) = result.unwrap();
    (mixture, trace, notes)
}

fn refusal<L: Learner>(minimax: &Minimax<L>, data: &Dataset) -> String {
    let fit = |ctx: &mut Context<'_>| minimax.fit(data, &CaseWeights::uniform(data.n()), ctx);
    noted(fit).0.map(|_| ()).unwrap_err().to_string()
}

fn gap(errors: &[f64]) -> f64 {
    (errors[0] - errors[1]).abs()
}

#[test]
fn two_linear_models_have_the_value_three_tenths() {
    let (data, choice) = two_models(1, 1);
    let (mixture, trace, _) = play(&game(choice.clone(), 2000, MinimaxForm::Minimax), &data);
    let first: f64 = mixture.members().filter(|(model, _)| **model == choice.0[0]).map(|(_, weight)| weight).sum();
    assert!((first - 1.0 / 3.0).abs() < 1e-3, "{first}");
    let errors = trace.average();
    assert!((errors[0] - 0.3001).abs() < 1e-4 && (errors[1] - 0.2999).abs() < 1e-4, "{errors:?}");
    assert_eq!(trace.groups, ["group: a", "group: b"]);
    assert_eq!((trace.errors.len(), trace.averages().len()), (2000, 2000));
    // The gap is what theorem 2.5 says: not larger than where the groups are not looked at.
    let joint = noted(|ctx| choice.fit(&data, &CaseWeights::uniform(20), ctx)).0.unwrap();
    let groups = Membership::of_attribute(data.cases(), "group").unwrap();
    let joint = group_errors(ErrorKind::ZeroOne, &joint, &data, &groups, &CaseWeights::uniform(20)).unwrap();
    assert_eq!(joint.of_group, [Some(0.1), Some(0.5)]);
    assert!(gap(&errors) < 0.001);
}

#[test]
fn a_bound_is_met_by_mixing_half_and_half() {
    let (data, choice) = two_models(4, 1);
    let (mixture, trace, notes) = play(&game(choice.clone(), 20_000, MinimaxForm::Relaxed { gamma: 0.35 }), &data);
    let first: f64 = mixture.members().filter(|(model, _)| **model == choice.0[0]).map(|(_, weight)| weight).sum();
    let errors = trace.average();
    assert!((first - 0.5).abs() < 0.005, "{first}");
    assert!((errors[0] - 0.25).abs() < 1e-3 && (errors[1] - 0.35).abs() < 1e-3, "{errors:?}");
    assert_eq!(notes, Vec::<String>::new());
}

#[test]
fn a_bound_below_the_value_is_said_to_be_missed() {
    let (data, choice) = two_models(1, 1);
    let (_, trace, notes) = play(&game(choice, 500, MinimaxForm::Relaxed { gamma: 0.2 }), &data);
    assert!(trace.worst().unwrap().1 >= 0.299);
    assert!(notes.len() == 1 && notes[0].contains("above the bound 0.2"), "{notes:?}");
}

#[test]
fn equal_errors_are_reached_from_either_side() {
    for (a, b) in [(4, 1), (1, 4)] {
        let (data, choice) = two_models(a, b);
        let (_, trace, _) = play(&game(choice, 5000, MinimaxForm::EqualError), &data);
        assert!(gap(&trace.average()) < 0.02, "{:?}", trace.average());
    }
}

#[test]
fn weights_at_rest_end_the_game() {
    // With one group nothing can move.
    let (data, choice) = two_models(1, 0);
    let (mixture, trace, _) = play(&game(choice, 100, MinimaxForm::Minimax), &data);
    assert_eq!((mixture.members().len(), trace.status), (4, FitStatus::Converged));
}

#[test]
fn a_constant_decision_under_one_sided_errors_is_said() {
    let (data, mut choice) = two_models(1, 1);
    choice.0.push(Linear { w: vec![0.0, 0.0], threshold: 1.0 });
    let one_sided = Minimax { error: ErrorKind::FalsePositive, ..game(choice, 10, MinimaxForm::Minimax) };
    let (_, trace, notes) = play(&one_sided, &data);
    assert!(trace.average().iter().all(|error| *error <= 0.2));
    assert_eq!(notes.len(), 1, "{:?}", trace.errors);
    assert!(notes[0].contains("every case is said to be `0`"), "{notes:?}");
    let bounded = Minimax { form: MinimaxForm::Relaxed { gamma: 0.5 }, ..one_sided };
    assert_eq!(play(&bounded, &data).2, Vec::<String>::new());
}

#[test]
fn certain_membership_is_the_group_itself_and_doubt_blurs_it() {
    let (data, choice) = two_models(1, 1);
    let minimax = game(choice, 200, MinimaxForm::Minimax);
    let among = |sure: f64| {
        let shares = (0..20).flat_map(|i| if i < 10 { [sure, 1.0 - sure] } else { [1.0 - sure, sure] }).collect();
        let shares = Probabilities(Columns::from_values(2, shares));
        let membership = Membership::from_probabilities("group", ["a", "b"].into_iter().collect(), shares).unwrap();
        noted(|ctx| minimax.fit_among(&data, &CaseWeights::uniform(20), &[membership], ctx)).0.unwrap()
    };
    assert_eq!(among(1.0).1, play(&minimax, &data).1);
    // By hand: the first model's expected errors are .9 x .1 + .1 x .5 = .14 and .46.
    let (_, trace) = among(0.9);
    let first = trace.errors.iter().find(|errors| errors[0] < 0.2).unwrap();
    assert!((first[0] - 0.14).abs() < 1e-12 && (first[1] - 0.46).abs() < 1e-12, "{first:?}");
    // The value of the blurred game is still .3, as the sum of the errors of a model does not change.
    assert!(trace.average().iter().all(|error| (error - 0.3).abs() < 0.02), "{:?}", trace.average());
}

#[test]
fn several_attributes_play_side_by_side_and_cases_may_count_double() {
    let (data, choice) = two_models(1, 1);
    let parity = GroupAttribute::from_values("parity", (0..20).map(|i| if i % 2 == 0 { "even" } else { "odd" }));
    let cases = data.cases().clone().with_group(parity).unwrap();
    let data = Dataset::new(cases, Decisions::none(20, 0), Names::numbered("", 2), Names::new()).unwrap();
    let both = Minimax {
        attributes: vec!["group".to_owned(), "parity".to_owned()],
        ..game(choice.clone(), 50, MinimaxForm::Minimax)
    };
    let (_, trace, _) = play(&both, &data);
    assert_eq!(trace.groups, ["group: a", "group: b", "parity: even", "parity: odd"]);
    for weights in &trace.weights {
        assert!((weights[..2].iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((weights[2..].iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
    // Group b counts three times: it starts with three quarters of the weight.
    let heavy = CaseWeights::new((0..20).map(|i| if i < 10 { 1.0 } else { 3.0 }).collect()).unwrap();
    let (_, trace) = noted(|ctx| game(choice, 1, MinimaxForm::Minimax).fit_traced(&data, &heavy, ctx)).0.unwrap();
    assert!((trace.weights[0][1] - 0.75).abs() < 1e-12, "{:?}", trace.weights);
}

#[test]
fn risks_may_come_from_cases_that_are_not_learned_from() {
    let (data, choice) = two_models(5, 5);
    let held_out = Minimax { risks: RisksOn::HeldOut { share: 0.3 }, ..game(choice.clone(), 30, MinimaxForm::Minimax) };
    let (first, trace, _) = play(&held_out, &data);
    let (again, same, _) = play(&held_out, &data);
    assert_eq!((&first, &trace), (&again, &same));
    // 15 held-out cases in each group, up to one: errors are multiples of 1/14, 1/15 or 1/16.
    let multiple = |error: f64, n: f64| (error * n - (error * n).round()).abs() < 1e-9;
    for error in trace.errors.concat() {
        assert!([14.0, 15.0, 16.0].iter().any(|n| multiple(error, *n)), "{error}");
    }
    // A held-out part that the data bring is used as it is, and has one case of one group only.
    let own = data.clone().with_held_out(data.select(&[50])).unwrap();
    let (_, trace, _) = play(&held_out, &own);
    // The first model errs on that case; group a, which is not held out, is measured on the training cases.
    assert!(trace.errors.iter().all(|errors| errors == &[0.1, 1.0] || errors == &[0.4, 1.0]), "{:?}", trace.errors);
    let impossible = Minimax { risks: RisksOn::HeldOut { share: 1.0 }, ..held_out };
    assert!(refusal(&impossible, &data).starts_with("the test share is 1"));
}

#[test]
fn published_is_five_rounds_with_steps_of_one_over_the_root() {
    let (data, _) = two_models(1, 1);
    let published = Minimax::published("group", Classifier::default());
    let (mixture, trace, _) = play(&published, &data);
    assert_eq!(mixture.members().len(), 5);
    for (round, pair) in trace.weights.windows(2).enumerate() {
        let grown = |g: usize| pair[0][g] * (trace.errors[round][g] / ((round + 1) as f64).sqrt()).exp();
        assert!((pair[1][0] - grown(0) / (grown(0) + grown(1))).abs() < 1e-12);
    }
}

#[test]
fn groups_without_a_case_are_dropped() {
    let (data, choice) = two_models(1, 1);
    let (_, trace, _) = play(&game(choice, 5, MinimaxForm::Minimax), &data.select(&[0, 1, 2, 3, 4]));
    assert_eq!(trace.groups, ["group: a"]);
}

#[test]
fn what_cannot_be_played_is_refused() {
    let (data, choice) = two_models(1, 1);
    let good = game(choice, 5, MinimaxForm::Minimax);
    let with = |minimax: Minimax<Choice>| refusal(&minimax, &data);
    assert_eq!(
        with(Minimax { attributes: vec!["dialect".to_owned()], ..good.clone() }),
        "there is no group attribute `dialect`; known: group"
    );
    assert!(with(Minimax { attributes: Vec::new(), ..good.clone() }).contains("group attributes is empty"));
    assert_eq!(with(Minimax { rounds: 0, ..good.clone() }), "the number of rounds is 0, but must be 1 or more");
    assert!(with(Minimax { step: f64::NAN, ..good.clone() }).contains("the step of the group weights is NaN"));
    assert!(with(Minimax { power: -1.0, ..good.clone() }).contains("the power of the group weights' step is -1"));
    let gamma = MinimaxForm::Relaxed { gamma: f64::INFINITY };
    assert!(with(Minimax { form: gamma, ..good.clone() }).starts_with("gamma, the bound of the group errors is inf"));
    let short = noted(|ctx| good.fit(&data, &CaseWeights::uniform(3), ctx)).0.unwrap_err();
    assert_eq!(short, FitError::Weights { found: 3, expected: 20 });
    let none = noted(|ctx| good.fit_among(&data, &CaseWeights::uniform(20), &[], ctx)).0.unwrap_err();
    assert!(none.to_string().contains("at least one"));
    let mut labels = data.cases().labels().to_vec();
    labels[3] = None;
    assert!(refusal(&good, &data.clone().with_labels(labels).unwrap()).starts_with("case case3 has no label"));
    let single = data.clone().with_labels(vec![Some(Label(1)); 20]).unwrap();
    assert_eq!(
        refusal(&good, &single),
        "all 20 training cases have the label `1`; learning needs at least two classes"
    );
    let three =
        Dataset::new(data.cases().clone(), Decisions::none(20, 0), Names::numbered("", 3), Names::new()).unwrap();
    let one_sided = Minimax { error: ErrorKind::FalseNegative, ..good };
    assert!(refusal(&one_sided, &three).contains("two classes only, but there are 3"));
}

#[test]
fn noisy_balance_of_certain_groups_is_balance() {
    let (data, _) = two_models(3, 1);
    let learner = Classifier::default();
    let membership = Membership::of_attribute(data.cases(), "group").unwrap();
    let noisy = NoisyBalanced { membership: membership.clone(), learner: learner.clone() };
    let uniform = CaseWeights::uniform(40);
    let balanced = noted(|ctx| Balanced::by("group", learner).fit(&data, &uniform, ctx)).0.unwrap();
    assert_eq!(noted(|ctx| noisy.fit(&data, &uniform, ctx)).0.unwrap(), balanced);
    let short = NoisyBalanced { membership: membership.select(&[0, 1]), learner: Classifier::default() };
    let error = noted(|ctx| short.fit(&data, &uniform, ctx)).0.unwrap_err();
    assert_eq!(error, FitError::Weights { found: 40, expected: 2 });
}

#[test]
fn ap_star_finds_a_model_and_says_why_not() {
    // What is held out is like what is learned from, so that the answer is known.
    let (data, choice) = two_models(5, 5);
    let data = data.clone().with_held_out(data).unwrap();
    let star = ApStar { error: ErrorKind::ZeroOne, iterations: 30, ..ApStar::by("group", choice.clone()) };
    let fit = |star: &ApStar<Choice>| noted(|ctx| star.fit(&data, &CaseWeights::uniform(100), ctx)).0;
    // The second model's worst group is .4, the first's .5; unweighted they lose the same and the first is taken.
    for weighting in [ApStarWeighting::PerGroup, ApStarWeighting::PerCase] {
        assert_eq!(fit(&ApStar { weighting, ..star.clone() }).unwrap(), choice.0[1]);
    }
    assert_eq!(fit(&ApStar { iterations: 1, risks: RisksOn::Training, ..star.clone() }).unwrap(), choice.0[0]);
    let message = |star| fit(&star).unwrap_err().to_string();
    assert!(message(ApStar { attributes: vec!["x".to_owned()], ..star.clone() }).starts_with("there is no group"));
    assert!(message(ApStar { attributes: Vec::new(), ..star.clone() }).contains("at least one"));
    assert_eq!(message(ApStar { patience: 0, ..star.clone() }), "the patience is 0, but must be 1 or more");
    assert!(message(ApStar { iterations: 0, ..star.clone() }).contains("iterations is 0"));
    assert!(message(ApStar { alpha: 0.0, ..star }).contains("alpha of APStar is 0"));
}

#[test]
fn mixtures_survive_a_file() {
    let (data, _) = two_models(1, 1);
    let (mixture, _, _) = play(&Minimax { rounds: 3, ..Minimax::by("group", Classifier::default()) }, &data);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mixture.dfr");
    artifact::save(&path, "mixture", &mixture).unwrap();
    let back: Mixture<deferral_models::ClassifierPolicy> = artifact::load(&path, "mixture").unwrap();
    assert_eq!(back, mixture);
}

/// Two groups with boundaries of their own and some noise, so that log loss has a finite minimum.
fn two_groups(boundary: [f64; 2], slope: [f64; 2], of_b: usize) -> Dataset {
    let n = 120;
    let (mut features, mut labels, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..n {
        let g = usize::from(i % 10 < of_b);
        let x = [(i * 37 % 101) as f64 / 50.0 - 1.0, (i * 53 % 97) as f64 / 48.0 - 1.0];
        let side = slope[g] * x[0] + (1.0 - slope[g].abs()) * x[1] > boundary[g];
        labels.push(u16::from(side != (i * 7 % 11 < 2)));
        features.extend(x);
        groups.push(["a", "b"][g]);
    }
    dataset(Columns::from_values(2, features), &labels, &groups)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Theorem 2.5: for two groups the gap between the group losses is at the minimax solution never larger than at the
    /// joint one.
    ///
    /// The tolerance. A run proves how far it is from the solution: the mixture's worst loss is `U`, and by weak
    /// duality the value is at least the weighted loss of a best response, so `d = U - max_t sum_g weight_tg loss_tg`
    /// bounds the excess. With the value v, shares p of the groups and (L0, L1) the joint solution, which has the
    /// smallest p0 L0 + p1 L1, convexity gives: if the joint loss of the mixture's worst group is at least v, the
    /// mixture's gap exceeds the joint one by d / p_other at most; else by d + 2 d p_worst / p_other at most. Both are
    /// below 2 d / min p. Best responses are exact up to the ridge |W|^2 / (2 n strength) and the solver's tolerance,
    /// 1e-3 together in the same argument.
    #[test]
    fn the_gap_is_never_larger_than_at_the_joint_solution(
        boundary in [-0.5f64..0.5, -0.5f64..0.5],
        slope in [-1.0f64..1.0, -1.0f64..1.0],
        of_b in 3usize..8,
    ) {
        let data = two_groups(boundary, slope, of_b);
        let solver = Lbfgs { tolerance: 1e-6, ..Lbfgs::default() };
        let learner = Classifier::Logistic(Logistic { strength: 1e4, solver });
        let uniform = CaseWeights::uniform(data.n());
        let joint = noted(|ctx| learner.fit(&data, &uniform, ctx)).0.unwrap();
        let groups = Membership::of_attribute(data.cases(), "group").unwrap();
        let joint = group_errors(ErrorKind::LogLoss, &joint, &data, &groups, &uniform).unwrap();
        let joint: Vec<f64> = joint.of_group.into_iter().flatten().collect();

        let (_, trace, _) = play(&Minimax { rounds: 300, ..Minimax::by("group", learner) }, &data);
        let errors = trace.average();
        let answered = trace.weights.iter().zip(&trace.errors);
        let lower = answered.map(|(w, e)| w[0] * e[0] + w[1] * e[1]).fold(0.0, f64::max);
        let distance = errors[0].max(errors[1]) - lower;
        let smaller = groups.sizes(&uniform).into_iter().fold(f64::INFINITY, f64::min) / data.n() as f64;
        prop_assert!(distance < 0.03, "the game is not solved: {distance}");
        let tolerance = 2.0 * distance.max(0.0) / smaller + 1e-3;
        prop_assert!(gap(&errors) <= gap(&joint) + tolerance, "{errors:?} against {joint:?}, tolerance {tolerance}");
    }
}
