//! Fairness around the joint framework: classifier and experts judged together.
#![allow(clippy::unwrap_used)]

mod games;

use deferral_core::*;
use deferral_fairness::*;
use deferral_losses::Joint;
use deferral_models::{Batches, Training};
use games::noted;

/// Two experts; `first` knows group a, `second` knows group b, which is a third as large. Features say only the group
/// and a hint at the label.
fn desk() -> Dataset {
    let n = 160;
    let b = |i: usize| i.is_multiple_of(4);
    let label = |i: usize| (i * 7 % 11 % 2) as u16;
    let features =
        (0..n).flat_map(|i| [f64::from(u8::from(b(i))), f64::from(label(i)) * 0.4 + (i * 13 % 10) as f64 / 10.0]);
    let votes = (0..n).flat_map(|i| {
        let guess = (i * 5 % 3 % 2) as u16;
        let (first, second) = if b(i) { (guess, label(i)) } else { (label(i), guess) };
        [(i as u32, 0, first), (i as u32, 1, second)]
    });
    let decisions = Decisions::from_triples(n, 2, votes).unwrap();
    let features = Features::dense(Columns::from_values(2, features.collect())).unwrap();
    let cases = Cases::new(Names::numbered("case", n), features).unwrap();
    let cases = cases.with_labels((0..n).map(|i| Some(Label(label(i)))).collect()).unwrap();
    let cases = cases.with_group(GroupAttribute::from_values("group", (0..n).map(|i| if b(i) { "b" } else { "a" })));
    Dataset::new(cases.unwrap(), decisions, Names::numbered("", 2), Names::numbered("expert", 2)).unwrap()
}

fn joint() -> Joint {
    let joint = Joint::default();
    let training = Training { steps: 150, batches: Batches::PerStep { size: 40 }, ..joint.training };
    Joint { classifier_hidden: vec![6], deferrer_hidden: vec![6], training, ..joint }
}

#[test]
fn minimax_weighs_the_group_whose_system_errs() {
    let data = desk();
    let minimax = Minimax::published("group", joint());
    let (result, _) = noted(|ctx| minimax.fit_traced(&data, &CaseWeights::uniform(160), ctx));
    let (mixture, trace) = result.unwrap();
    assert_eq!((mixture.experts(), mixture.classes(), mixture.members().len()), (2, 2, 5));
    // Every round starts from networks of its own.
    let members: Vec<_> = mixture.members().map(|(member, _)| member).collect();
    assert!(members.windows(2).all(|pair| pair[0].classify(data.cases()) != pair[1].classify(data.cases())));
    // The errors are those of the system, not of the classifier.
    let gold = data.gold().unwrap();
    let system = ErrorKind::LogLoss.of_cases(&members[0].together(&data).unwrap(), &gold);
    let overall = system.iter().sum::<f64>() / 160.0;
    assert!((trace.overall[0] - overall).abs() < 1e-9);
    let (first, last) = (&trace.weights[0], &trace.weights[4]);
    assert!((first[0] - 0.25).abs() < 1e-9);
    let worse = usize::from(trace.average()[1] > trace.average()[0]);
    assert!(last[worse] > first[worse], "{trace:?}");
    // The mixture's weights and beliefs are the means of its members'.
    let mean = |of: &dyn Fn(usize) -> f64| (0..5).map(of).sum::<f64>() / 5.0;
    let weight = mixture.weigh(data.cases()).unwrap().column(3)[1];
    assert!((weight - mean(&|at| members[at].weigh(data.cases()).unwrap().column(3)[1])).abs() < 1e-12);
    let said = mixture.together(&data).unwrap().column(3)[1];
    assert!((said - mean(&|at| members[at].together(&data).unwrap().column(3)[1])).abs() < 1e-12);
}

#[test]
fn released_weights_grow_with_the_losses_and_lengthen_the_steps() {
    let data = desk();
    let released = Minimax { form: MinimaxForm::Released, ..Minimax::published("group", joint()) };
    let fit = |minimax: &Minimax<Joint>| noted(|ctx| minimax.fit_traced(&data, &CaseWeights::uniform(160), ctx)).0;
    let (mixture, trace) = fit(&released).unwrap();
    assert!((trace.weights[0][0] - 0.25).abs() < 1e-9 && (trace.weights[0][1] - 0.75).abs() < 1e-9);
    // weight_g <- weight_g exp(loss_g / sqrt(r)), and no more than that.
    for round in 1..5 {
        for group in 0..2 {
            let step = trace.errors[round - 1][group] / (round as f64).sqrt();
            let expected = trace.weights[round - 1][group] * step.exp();
            assert!((trace.weights[round][group] - expected).abs() < 1e-9, "{trace:?}");
        }
    }
    // The first round is the unweighted fit, the second one with larger weights than the normalised game's.
    let (normalised, _) = fit(&Minimax::published("group", joint())).unwrap();
    let at = |mixture: &Mixture<deferral_losses::JointPolicy>, round| mixture.members().nth(round).unwrap().0.clone();
    assert_eq!(at(&mixture, 0), at(&normalised, 0));
    assert_ne!(at(&mixture, 1), at(&normalised, 1));
    // There are no more than a batch of cases, so the loss of classifier and system is that on all of them.
    let gold = data.gold().unwrap();
    let first = at(&mixture, 0);
    let mean = |said: &Probabilities| ErrorKind::LogLoss.of_cases(said, &gold).iter().sum::<f64>() / 160.0;
    let all = mean(&first.classify(data.cases()).unwrap()) + SYSTEM_SHARE * mean(&first.together(&data).unwrap());
    assert!((trace.overall[0] - all).abs() < 1e-9, "{} {all}", trace.overall[0]);
}

#[test]
fn members_decide_with_committees_of_their_own() {
    let data = desk();
    let (mixture, _) =
        noted(|ctx| Minimax::published("group", joint()).fit_traced(&data, &CaseWeights::uniform(160), ctx)).0.unwrap();
    let beliefs = (mixture.classify(data.cases()).unwrap(), mixture.weigh(data.cases()).unwrap());
    let decide = |beliefs: (&Probabilities, &Weights), rule: &dyn Consultation| {
        let mut source = Recorded::new(data.decisions(), Absent::Unavailable);
        consult(0..160, beliefs, rule, &mut source, None, &Stream::new(4)).unwrap()
    };
    let whole = Committee::whole(VoteRule::ScaledMean);
    let together = decide((&beliefs.0, &beliefs.1), &mixture.majority(whole, data.cases()).unwrap());
    let alone: Vec<_> = mixture
        .members()
        .map(|(member, _)| {
            let own = (member.classify(data.cases()).unwrap(), member.weigh(data.cases()).unwrap());
            decide((&own.0, &own.1), &whole)
        })
        .collect();
    for case in 0..160 {
        let ones = alone.iter().filter(|outcomes| outcomes[case].verdict.label == Label(1)).count();
        assert_eq!(together[case].verdict.label, Label(u16::from(ones > 2)), "case {case}");
        assert_eq!(together[case].labels_used, 2);
        assert!((0.5..=1.0).contains(&together[case].verdict.confidence));
    }
    // A drawn committee asks once for each member, and every expert once.
    let sparse = Committee { select: Selection::Sampled { k: 1 }, ..whole };
    let drawn = decide((&beliefs.0, &beliefs.1), &mixture.majority(sparse, data.cases()).unwrap());
    assert!(drawn.iter().all(|outcome| outcome.asked.len() == 5 && outcome.labels_used <= 2));
}

#[test]
fn the_system_is_held_to_a_constraint() {
    let data = desk();
    let constraint = Constraint::ErrorParity { slack: 0.03 };
    let learner = Constrained { iterations: 6, ..Constrained::by("group", constraint, joint()) };
    let (policy, report) = noted(|ctx| learner.fit_reported(&data, &CaseWeights::uniform(160), ctx)).0.unwrap();
    assert!(report.rows.iter().all(|row| row.value.abs() <= 0.03 + 1e-6), "{report:?}");
    assert!(report.loss < 0.3, "{report:?}");
    let said = policy.together(&data).unwrap();
    let wrong: f64 = said.iter().zip(data.gold().unwrap()).map(|(says, y)| 1.0 - says[y.index()]).sum();
    assert!((wrong / 160.0 - report.loss).abs() < 1e-9);
}
