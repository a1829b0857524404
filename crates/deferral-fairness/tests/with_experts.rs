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
