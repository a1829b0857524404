//! The joint objective against hand-computed values, central differences and the paper's theorems.
#![allow(clippy::unwrap_used)]

use std::borrow::Cow;

use deferral_core::*;
use deferral_losses::*;
use deferral_models::*;
use proptest::prelude::*;

/// Networks of one layer whose weights are zero, so that their biases are their outputs.
fn networks(outputs: [&[f64]; 2]) -> [Network<f64>; 2] {
    outputs.map(|values| {
        let spec = NetworkSpec::relu(1, &[], values.len());
        let mut network = Network::<f64>::new(&spec, &mut Stream::new(0).random()).unwrap();
        let biases_at = network.parameters().len() - network.output_rows();
        network.parameters_mut().fill(0.0);
        network.parameters_mut()[biases_at..biases_at + values.len()].copy_from_slice(values);
        network
    })
}

/// Loss of the only case and the gradients with respect to both heads' outputs.
fn evaluate(
    objective: &mut JointObjective<'_>,
    classifier: &[f64],
    deferrer: &[f64],
    step: usize,
) -> (f64, [Vec<f64>; 2]) {
    let networks = networks([classifier, deferrer]);
    let input = vec![0.0; networks[0].input_rows()];
    let mut tapes = [Tape::new(&networks[0], 1), Tape::new(&networks[1], 1)];
    for (network, tape) in networks.iter().zip(&mut tapes) {
        network.forward(&input, 1, tape);
        tape.output_gradient().1.fill(0.0);
    }
    let loss = objective.evaluate(&Batch { cases: &[0], weights: &[1.0] }, &mut tapes, step);
    let [a, b] = &mut tapes;
    (loss, [a.case(0).1.to_vec(), b.case(0).1.to_vec()])
}

const SYSTEM_ONLY: Schedule = Schedule::Constant { classifier: 0.0, system: 1.0 };

fn objective(
    form: Form,
    link: Link,
    label: u16,
    experts: usize,
    votes: &[(u32, u16)],
    classes: usize,
) -> JointObjective<'static> {
    let decisions = Decisions::from_triples(1, experts, votes.iter().map(|&(e, l)| (0, e, l))).unwrap();
    JointObjective::new(form, link, SYSTEM_ONLY, vec![Label(label)], Cow::Owned(decisions), classes)
}

fn votes_of(votes: &[(u32, u16)]) -> Vec<Vote> {
    votes.iter().map(|&(expert, label)| Vote { expert: ExpertId(expert), label: Label(label) }).collect()
}

fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() < 1e-6, "{found:?} instead of {expected:?}");
    }
}

#[test]
fn binary_example_by_hand() {
    // D = [.8, .3, .5], votes (1, 0), classifier .6: S = 1.1.
    let run = |label| {
        let mut objective = objective(Form::Binary, Link::Projected, label, 2, &[(0, 1), (1, 0)], 2);
        evaluate(&mut objective, &[logit(0.6)], &[0.8, 0.3, 0.5], 1)
    };
    let (loss, [classifier, deferrer]) = run(1);
    assert_close(&[loss], &[0.263_282]);
    assert_close(&deferrer, &[-0.462_950, 0.0, -0.277_770]);
    // The gradient with respect to F is -.231475; to its logit, that times F (1 - F).
    assert_close(&classifier, &[-0.231_475 * 0.6 * 0.4]);
    let (loss, [_, deferrer]) = run(0);
    assert_close(&[loss], &[1.463_282]);
    assert_close(&deferrer, &[1.537_050, 0.0, 0.922_230]);
    let q = system_probabilities(Form::Binary, &[0.8, 0.3, 0.5], &votes_of(&[(0, 1), (1, 0)]), &[0.4, 0.6]);
    assert_close(&q, &[1.0 - 0.768_525, 0.768_525]);
}

#[test]
fn multi_class_example_by_hand() {
    // K = 3, D = [.5, 1], votes for 0 and 2; the classifier's weight is 0 here, as the example has none.
    let mut objective = objective(Form::Classes, Link::Projected, 2, 2, &[(0, 0), (1, 2)], 3);
    let (loss, [_, deferrer]) = evaluate(&mut objective, &[0.0, 0.0, 0.0], &[0.5, 1.0, 0.0], 1);
    assert_close(&[loss], &[-(0.506_480f64.ln())]);
    assert_close(&deferrer[..2], &[0.307_196, -0.493_520]);
    let q = system_probabilities(Form::Classes, &[0.5, 1.0, 0.0], &votes_of(&[(0, 0), (1, 2)]), &[0.3, 0.3, 0.4]);
    assert_close(&q, &[0.307_196, 0.186_324, 0.506_480]);
}

/// Every option of the objective that changes its value, as one objective a case.
fn variants() -> Vec<(JointObjective<'static>, usize)> {
    let votes2: &[(u32, u16)] = &[(0, 1), (1, 0), (3, 1)];
    let votes3: &[(u32, u16)] = &[(0, 2), (1, 0), (3, 2)];
    let prices = [0.5, 1.0, 0.2, 2.0];
    let mut all = Vec::new();
    for link in [Link::Sigmoid, Link::Projected] {
        for (form, classes, votes) in
            [(Form::Binary, 2, votes2), (Form::Classes, 2, votes2), (Form::Classes, 3, votes3)]
        {
            for label in 0..classes as u16 {
                for schedule in [
                    SYSTEM_ONLY,
                    Schedule::Constant { classifier: 0.7, system: 1.3 },
                    Schedule::HeadStart { exponent: 0.5 },
                ] {
                    for scope in [None, Some(CostScope::Answered), Some(CostScope::Everyone)] {
                        let decisions = Decisions::from_triples(1, 4, votes.iter().map(|&(e, l)| (0, e, l))).unwrap();
                        let costs = scope.map(|scope| ExpertCosts::constant(0.3, &prices, scope).unwrap());
                        let errors: Vec<f64> = (0..classes * classes)
                            .map(|i| if i % (classes + 1) == 0 { 0.0 } else { 1.0 + i as f64 })
                            .collect();
                        let targets = if link == Link::Sigmoid {
                            Targets::labels(classes)
                        } else {
                            Targets::costs(classes, &errors).unwrap()
                        };
                        let objective = JointObjective::new(
                            form,
                            link,
                            schedule,
                            vec![Label(label)],
                            Cow::Owned(decisions),
                            classes,
                        );
                        all.push((objective.with_costs(costs).with_targets(targets), classes));
                    }
                }
            }
        }
    }
    all
}

#[test]
fn gradients_match_central_differences() {
    for (mut objective, classes) in variants() {
        let classifier: Vec<f64> = if classes == 2 { vec![0.4] } else { vec![0.4, -0.7, 0.2] };
        let deferrer = vec![0.6, 0.3, 0.8, 0.45, 0.7];
        let (_, gradients) = evaluate(&mut objective, &classifier, &deferrer, 9);
        let h = 1e-6;
        for (head, values) in [&classifier, &deferrer].into_iter().enumerate() {
            for at in 0..values.len() {
                let mut loss = |shift: f64| {
                    let mut moved = [classifier.clone(), deferrer.clone()];
                    moved[head][at] += shift;
                    evaluate(&mut objective, &moved[0], &moved[1], 9).0
                };
                let numeric = (loss(h) - loss(-h)) / (2.0 * h);
                let computed = gradients[head][at];
                assert!(
                    (numeric - computed).abs() <= 1e-6 * numeric.abs().max(1.0),
                    "{numeric} {computed} {objective:?}"
                );
            }
        }
    }
}

#[test]
fn a_detached_classifier_learns_from_its_own_loss_only() {
    let schedule = Schedule::Constant { classifier: 0.5, system: 1.0 };
    let decisions = Decisions::from_triples(1, 1, [(0, 0, 1)]).unwrap();
    let objective =
        JointObjective::new(Form::Binary, Link::Sigmoid, schedule, vec![Label(1)], Cow::Owned(decisions), 2);
    let (_, [classifier, _]) =
        evaluate(&mut objective.with_gradient(ClassifierGradient::Detached), &[0.4], &[0.1, 0.2], 1);
    assert_close(&classifier, &[0.5 * (stable::sigmoid(0.4) - 1.0)]);
}

#[test]
fn where_wrong_trains_the_deferrer_on_the_classifier_s_errors_only() {
    let decisions = Decisions::from_triples(1, 1, [(0, 0, 1)]).unwrap();
    let mut objective = JointObjective::new(
        Form::Binary,
        Link::Sigmoid,
        Schedule::WhereWrong,
        vec![Label(1)],
        Cow::Owned(decisions),
        2,
    );
    assert_eq!(evaluate(&mut objective, &[2.0], &[0.1, 0.2], 1).1[1], [0.0, 0.0]);
    assert!(evaluate(&mut objective, &[-2.0], &[0.1, 0.2], 1).1[1][0] < 0.0);
}

#[test]
fn dropout_leaves_out_its_share_of_votes() {
    let experts = 400;
    let votes: Vec<(u32, u16)> = (0..experts).map(|e| (e, 1)).collect();
    let mut objective = objective(Form::Classes, Link::Projected, 1, experts as usize, &votes, 2)
        .with_dropout(0.2, Stream::new(4).random());
    let weights = vec![0.001; experts as usize + 1];
    let mut kept = 0;
    for _ in 0..50 {
        let (_, [_, gradient]) = evaluate(&mut objective, &[0.0], &weights, 1);
        kept += gradient[..experts as usize].iter().filter(|g| **g != 0.0).count();
    }
    // 16,000 of 20,000 expected, standard deviation 57.
    assert!((15_700..16_300).contains(&kept), "{kept}");
}

/// Votes of five experts on a case: absent, 0 or 1.
fn any_votes() -> impl Strategy<Value = Vec<Option<u16>>> {
    proptest::collection::vec(proptest::option::of(0u16..2), 5)
}

fn given_votes(votes: &[Option<u16>]) -> Vec<(u32, u16)> {
    votes.iter().enumerate().filter_map(|(e, v)| v.map(|label| (e as u32, label))).collect()
}

fn any_weights() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(0.001f64..0.999, 6)
}

proptest! {
    /// Theorem 2.3: only experts voting 1 receive a gradient; all the same; downwards in the loss iff y = 1; in the
    /// ratio e^(1-S) to e^S between y = 1 and y = 0.
    #[test]
    fn theorem_2_3(votes in any_votes(), weights in any_weights(), p in 0.01f64..0.99) {
        let slopes = |label| {
            let mut objective = objective(Form::Binary, Link::Projected, label, 5, &given_votes(&votes), 2);
            evaluate(&mut objective, &[logit(p)], &weights, 1).1[1].clone()
        };
        let (ones, zeros) = (slopes(1), slopes(0));
        let score: f64 = weights[5] * p + (0..5).filter(|&j| votes[j] == Some(1)).map(|j| weights[j]).sum::<f64>();
        for j in 0..5 {
            if votes[j] == Some(1) {
                prop_assert!(ones[j] < 0.0 && zeros[j] > 0.0);
                prop_assert!((-ones[j] / zeros[j] - (1.0 - 2.0 * score).exp()).abs() < 1e-6 * (1.0 - 2.0 * score).exp().max(1.0));
            } else {
                prop_assert!(ones[j] == 0.0 && zeros[j] == 0.0);
            }
        }
    }

    /// Proposition 2.2, read as block convexity: in the weights for a fixed classifier, and in the classifier's output
    /// for fixed weights.
    #[test]
    fn block_convexity(votes in any_votes(), a in any_weights(), b in any_weights(), p in 0.01f64..0.99, q in 0.01f64..0.99, y in 0u16..2) {
        for form in [Form::Binary, Form::Classes] {
            let mut objective = objective(form, Link::Projected, y, 5, &given_votes(&votes), 2);
            let mut loss = |p: f64, weights: &[f64]| evaluate(&mut objective, &[logit(p)], weights, 1).0;
            let middle: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 0.5 * (a + b)).collect();
            prop_assert!(loss(p, &middle) <= 0.5 * (loss(p, &a) + loss(p, &b)) + 1e-12);
            prop_assert!(loss(0.5 * (p + q), &a) <= 0.5 * (loss(p, &a) + loss(q, &a)) + 1e-12);
        }
    }

    /// Theorem 2.6: sampling k instead of asking all changes the log of the prediction by less than
    /// s_D |D|_1 + max(2 |D|_1, 1) on average.
    #[test]
    fn theorem_2_6(labels in proptest::collection::vec(0u16..2, 5), weights in any_weights(), hard in 0u16..2, k in 1usize..6) {
        let n = 200;
        let votes = (0..n).flat_map(|i| labels.iter().enumerate().map(move |(e, &l)| (i, e as u32, l)).collect::<Vec<_>>());
        let decisions = Decisions::from_triples(n as usize, 5, votes).unwrap();
        let belief = [f64::from(1 - hard), f64::from(hard)];
        let beliefs = (Probabilities(Columns::repeat(&belief, n as usize)), Weights(Columns::repeat(&weights, n as usize)));
        let select = Selection::Sampled { k };
        let rule = Committee { select, vote: VoteRule::ScaledMean, ..Committee::default() };
        let mut source = Recorded::new(&decisions, Absent::Unavailable);
        let outcomes = consult(0..n as usize, (&beliefs.0, &beliefs.1), &rule, &mut source, None, &Stream::new(1)).unwrap();
        let all = votes_of(&labels.iter().enumerate().map(|(e, &l)| (e as u32, l)).collect::<Vec<_>>());
        let full = system_probabilities(Form::Binary, &weights, &all, &belief)[1];
        let total: f64 = weights.iter().sum();
        let share_of_ones: f64 = (weights[5] * f64::from(hard) + (0..5).map(|j| weights[j] * f64::from(labels[j])).sum::<f64>()) / total;
        let deviation = 2.0 * share_of_ones * (1.0 - share_of_ones);
        let differences = outcomes.iter().map(|outcome| {
            let p1 = if outcome.verdict.label == Label(1) { outcome.verdict.confidence } else { 1.0 - outcome.verdict.confidence };
            (full.ln() - p1.ln()).abs()
        });
        let mean = differences.sum::<f64>() / f64::from(n);
        prop_assert!(mean < deviation * total + (2.0 * total).max(1.0), "{} {}", mean, total);
    }

    /// Renaming the experts renames the gradient, in both forms.
    #[test]
    fn permuting_experts_permutes_the_gradient(votes in any_votes(), weights in any_weights(), y in 0u16..2, shift in 1usize..5) {
        for form in [Form::Binary, Form::Classes] {
            let place = |j: usize| (j + shift) % 5;
            let mut moved_votes = vec![None; 5];
            let mut moved_weights = weights.clone();
            for j in 0..5 {
                moved_votes[place(j)] = votes[j];
                moved_weights[place(j)] = weights[j];
            }
            let mut one = objective(form, Link::Sigmoid, y, 5, &given_votes(&votes), 2);
            let mut other = objective(form, Link::Sigmoid, y, 5, &given_votes(&moved_votes), 2);
            let (loss, [_, gradient]) = evaluate(&mut one, &[0.3], &weights, 1);
            let (moved_loss, [_, moved_gradient]) = evaluate(&mut other, &[0.3], &moved_weights, 1);
            prop_assert!((loss - moved_loss).abs() < 1e-12);
            prop_assert!((0..5).all(|j| (gradient[j] - moved_gradient[place(j)]).abs() < 1e-12));
        }
    }

    /// An expert whose decisions are masked has the same effect as one who does not exist.
    #[test]
    fn masking_an_expert_equals_removing_it(votes in any_votes(), weights in any_weights(), y in 0u16..2) {
        for form in [Form::Binary, Form::Classes] {
            let mut masked = votes.clone();
            masked[4] = None;
            let mut with = objective(form, Link::Sigmoid, y, 5, &given_votes(&masked), 2);
            let mut without = objective(form, Link::Sigmoid, y, 4, &given_votes(&masked[..4]), 2);
            let fewer = [&weights[..4], &weights[5..]].concat();
            let (loss, [classifier, gradient]) = evaluate(&mut with, &[0.3], &weights, 1);
            let (smaller_loss, [smaller_classifier, smaller]) = evaluate(&mut without, &[0.3], &fewer, 1);
            prop_assert_eq!(loss, smaller_loss);
            prop_assert_eq!(classifier, smaller_classifier);
            prop_assert_eq!(gradient[4], 0.0);
            prop_assert_eq!([&gradient[..4], &gradient[5..]].concat(), smaller);
        }
    }
}
