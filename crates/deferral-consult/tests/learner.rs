//! What is learned of classifier and experts, on generated cases.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use deferral_consult::{Asking, By, Consult, ConsultPolicy, Labels, Truth, WorstGroup};
use deferral_core::*;
use deferral_models::Calibration;
use rand::RngExt;

/// n cases in two groups; a feature that tells the label blurred, and one that tells the group. `vote` says how expert j
/// votes on (label, in the second group, dice).
fn desk(n: usize, experts: usize, vote: &dyn Fn(usize, u16, bool, &mut Random) -> u16) -> Dataset {
    desk_by_case(n, experts, &|j, _, label, second, random| vote(j, label, second, random))
}

/// The same; the votes may depend on which case it is.
fn desk_by_case(n: usize, experts: usize, vote: &dyn Fn(usize, usize, u16, bool, &mut Random) -> u16) -> Dataset {
    let mut random = Stream::new(11).random();
    let (mut features, mut labels, mut groups, mut votes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for case in 0..n {
        let (label, second) = (u16::from(random.random::<f64>() < 0.5), random.random::<f64>() < 0.5);
        let blur: f64 = random.random::<f64>() * 3.0 - 1.5;
        features.extend([f64::from(label) * 2.0 - 1.0 + blur, f64::from(u8::from(second)) + 0.1 * blur]);
        labels.push(Some(Label(label)));
        groups.push(if second { "south" } else { "north" });
        votes.extend((0..experts).map(|j| (case as u32, j as u32, vote(j, case, label, second, &mut random))));
    }
    let cases = Cases::new(Names::numbered("case", n), Features::dense(Columns::from_values(2, features)).unwrap())
        .unwrap()
        .with_labels(labels)
        .unwrap()
        .with_group(GroupAttribute::from_values("region", groups))
        .unwrap();
    let decisions = Decisions::from_triples(n, experts, votes).unwrap();
    Dataset::new(cases, decisions, Names::numbered("label", 2), Names::numbered("expert", experts)).unwrap()
}

fn flip(label: u16, wrong: f64, random: &mut Random) -> u16 {
    label ^ u16::from(random.random::<f64>() < wrong)
}

fn fit(learner: &Consult, data: &Dataset) -> ConsultPolicy {
    let mut silent = Silent;
    let mut ctx = Context::new(Stream::new(1), &mut silent);
    learner.fit(data, &CaseWeights::uniform(data.n()), &mut ctx).unwrap()
}

/// Accuracy, labels per case and mean confidence on the last third of the cases, learned from the rest.
fn measured(learner: &Consult, data: &Dataset, asking: &Asking) -> (f64, f64, f64) {
    let cut = data.n() * 2 / 3;
    let (train, test) = (data.select(&(0..cut).collect::<Vec<_>>()), data.select(&(cut..data.n()).collect::<Vec<_>>()));
    let policy = fit(learner, &train);
    let rule = policy.rule(asking, test.cases(), None).unwrap();
    let beliefs = (policy.classify(test.cases()).unwrap(), policy.weigh(test.cases()).unwrap());
    let mut source = Recorded::new(test.decisions(), Absent::Unavailable);
    let outcomes = consult(0..test.n(), (&beliefs.0, &beliefs.1), &rule, &mut source, None, &Stream::new(2)).unwrap();
    let right =
        |(case, o): (usize, &Outcome)| f64::from(u8::from(Some(o.verdict.label) == test.cases().labels()[case]));
    let n = test.n() as f64;
    let accuracy = outcomes.iter().enumerate().map(right).sum::<f64>() / n;
    let labels = outcomes.iter().map(|o| o.labels_used).sum::<usize>() as f64 / n;
    (accuracy, labels, outcomes.iter().map(|o| o.verdict.confidence).sum::<f64>() / n)
}

fn until_sure(confidence: f64) -> Asking {
    Asking { confidence, price: 0.0, ..Asking::default() }
}

#[test]
fn copied_experts_do_not_count_twice() {
    // Expert 0 errs three times in ten and 1 to 4 copy them; 5 errs as often, by themselves.
    let data = {
        let plain = desk(1200, 2, &|_, label, _, random| flip(label, 0.3, random));
        let votes = plain.decisions().iter().flat_map(|(case, vote)| {
            let copies: Vec<u32> = if vote.expert.0 == 0 { (0..5).collect() } else { vec![5] };
            copies.into_iter().map(move |expert| (case.0, expert, vote.label.0))
        });
        let decisions = Decisions::from_triples(1200, 6, votes).unwrap();
        Dataset::new(plain.cases().clone(), decisions, plain.label_names().clone(), Names::numbered("expert", 6))
            .unwrap()
    };
    let learner = |dependence| Consult { dependence, temper: false, ..Consult::default() };
    let asking = until_sure(0.97);
    let (accuracy, _, confidence) = measured(&learner(false), &data, &asking);
    assert!(confidence > accuracy + 0.05, "taken as independent: {confidence} {accuracy}");
    let (accuracy, _, confidence) = measured(&learner(true), &data, &asking);
    assert!((confidence - accuracy).abs() < 0.04, "{confidence} {accuracy}");
    // One of the five and the other one are all that is worth a small price.
    let (_, labels, _) = measured(&learner(true), &data, &Asking { price: 0.005, ..asking });
    assert!(labels < 2.0, "{labels}");
    let dependence = fit(&learner(true), &data).dependence().cloned().unwrap();
    assert!(dependence.between(ExpertId(1), ExpertId(4)) > 0.9 && dependence.between(ExpertId(0), ExpertId(5)) < 0.2);
}

#[test]
fn tempered_beliefs_mean_what_they_say() {
    // On a third of the cases of the second group everybody is misled in the same way.
    let data = desk_by_case(3000, 5, &|j, case, label, second, random| {
        let hard = second && case % 3 == 0;
        if hard { 1 - label } else { flip(label, 0.1 + 0.04 * j as f64, random) }
    });
    let asking = until_sure(0.99);
    let gap = |temper| {
        let learner = Consult { temper, dependence: false, ..Consult::default() };
        let (accuracy, _, confidence) = measured(&learner, &data, &asking);
        (confidence - accuracy).abs()
    };
    assert!(gap(true) < 0.02, "{}", gap(true));
    assert!(gap(true) < gap(false), "{} {}", gap(true), gap(false));
}

#[test]
fn competence_by_group_finds_who_knows_which() {
    // Expert 0 knows the north and 1 the south; elsewhere they toss coins.
    let data = desk(1500, 2, &|j, label, second, random| {
        if (j == 1) == second { flip(label, 0.02, random) } else { flip(label, 0.5, random) }
    });
    let region = || "region".to_owned();
    let accuracy = |by| {
        measured(&Consult { by, ..Consult::default() }, &data, &Asking::fixed(1, deferral_consult::Choice::Entropy)).0
    };
    let nothing = accuracy(By::Nothing);
    for by in [By::Group { attribute: region() }, By::LikelyGroup { attribute: region() }, By::Region] {
        let found = accuracy(by.clone());
        assert!(found > nothing + 0.05 && found > 0.93, "{by:?}: {found}, {nothing}");
    }
}

#[test]
fn without_gold_the_votes_are_enough() {
    let data = desk(900, 6, &|j, label, _, random| flip(label, 0.08 + 0.06 * j as f64, random));
    let gold = measured(&Consult::default(), &data, &Asking::default());
    let votes = measured(&Consult { truth: Truth::Votes, ..Consult::default() }, &data, &Asking::default());
    assert!(votes.0 > gold.0 - 0.02, "{votes:?} {gold:?}");
    let few = Consult { truth: Truth::Votes, labels: Labels::PerCase(2), ..Consult::default() };
    assert!(measured(&few, &data, &Asking::default()).0 > 0.9);
    // Gold labels that are not there are not missed.
    let hidden: Vec<Option<Label>> =
        data.cases().labels().iter().enumerate().map(|(case, label)| label.filter(|_| case % 3 == 0)).collect();
    let cases = data.cases().clone().with_labels(hidden).unwrap();
    let part =
        Dataset::new(cases, data.decisions().clone(), data.label_names().clone(), data.experts().clone()).unwrap();
    fit(&Consult { truth: Truth::Both, ..Consult::default() }, &part);
    let mut silent = Silent;
    let mut ctx = Context::new(Stream::new(1), &mut silent);
    let error = Consult::default().fit(&part, &CaseWeights::uniform(900), &mut ctx).unwrap_err();
    assert!(matches!(error, FitError::MissingLabel { .. }));
}

#[test]
fn every_calibration_can_be_chosen_also_by_group() {
    let data = desk(900, 3, &|_, label, _, random| flip(label, 0.2, random));
    for calibration in [Calibration::None, Calibration::Temperature, Calibration::Platt, Calibration::Isotonic] {
        for calibrate_by in [None, Some("region".to_owned())] {
            let learner = Consult { calibration, calibrate_by: calibrate_by.clone(), ..Consult::default() };
            let (accuracy, _, confidence) = measured(&learner, &data, &Asking::default());
            assert!((accuracy - confidence).abs() < 0.06, "{calibration:?} {calibrate_by:?}: {accuracy} {confidence}");
        }
    }
    let by_group = fit(&Consult { calibrate_by: Some("region".to_owned()), ..Consult::default() }, &data);
    assert_eq!(by_group.needs_group(), Some("region"));
}

#[test]
fn newcomers_join_and_votes_count_without_a_new_fit() {
    let data = desk(600, 3, &|_, label, _, random| flip(label, 0.2, random));
    for by in [By::Nothing, By::Group { attribute: "region".to_owned() }, By::Region] {
        let policy = fit(&Consult { by, ..Consult::default() }, &data);
        let mut competence = policy.competence().clone();
        let newcomer = competence.join();
        for _ in 0..50 {
            competence.count(newcomer, Some(0), Label(1), &[0.0, 1.0]);
        }
        let policy = policy.with_competence(competence).unwrap();
        assert_eq!(policy.experts(), 4);
        let weights = policy.weigh(data.cases()).unwrap();
        assert_eq!(weights.rows(), 5);
        assert!(weights.column(0)[3] > 0.0);
        assert!(policy.rule(&Asking::default(), data.cases(), None).is_ok());
    }
}

#[test]
fn a_bound_on_the_worst_group_costs_as_few_labels_as_it_can() {
    let data = desk(3000, 4, &|_, label, second, random| flip(label, if second { 0.25 } else { 0.05 }, random));
    let bounded = |error, known| {
        let bound = WorstGroup { known, asking: until_sure(0.9), ..WorstGroup::at_most(error, "region") };
        Consult { by: By::Group { attribute: "region".to_owned() }, bound: Some(bound), ..Consult::default() }
    };
    let (loose, tight) = (
        measured(&bounded(0.3, true), &data, &until_sure(0.9)),
        measured(&bounded(0.1, true), &data, &until_sure(0.9)),
    );
    assert!(loose.1 < tight.1 && tight.0 > 0.9, "{loose:?} {tight:?}");
    // One threshold for all must serve the worse group everywhere.
    assert!(measured(&bounded(0.1, false), &data, &until_sure(0.9)).1 >= tight.1 - 0.05);
    let policy = fit(&bounded(0.1, true), &data);
    let thresholds: Vec<(Option<&str>, f64)> = policy.thresholds().unwrap().iter().collect();
    assert_eq!(thresholds.len(), 2);
    assert_eq!(policy.needs_group(), Some("region"));
}

#[test]
fn numbers_out_of_range_are_refused() {
    let data = desk(100, 2, &|_, label, _, random| flip(label, 0.2, random));
    let message = |learner: Consult| {
        let mut silent = Silent;
        let mut ctx = Context::new(Stream::new(1), &mut silent);
        learner.fit(&data, &CaseWeights::uniform(data.n()), &mut ctx).unwrap_err().to_string()
    };
    let share = message(Consult { labels: Labels::Share(0.0), ..Consult::default() });
    assert_eq!(share, "the share of training labels is 0, but must be above 0 and at most 1");
    assert!(message(Consult { labels: Labels::PerCase(0), ..Consult::default() }).contains("labels of a case is 0"));
    assert!(message(Consult { folds: 1, ..Consult::default() }).contains("the number of folds is 1"));
    let bound = |error, promise| Some(WorstGroup { promise, ..WorstGroup::at_most(error, "region") });
    assert!(message(Consult { bound: bound(1.5, 0.9), ..Consult::default() }).contains("error is 1.5"));
    assert!(message(Consult { bound: bound(0.1, 1.0), ..Consult::default() }).contains("promised probability is 1"));
    assert!(message(Consult { by: By::Group { attribute: "age".to_owned() }, ..Consult::default() }).contains("age"));
    // A class or a single label does not get in the way.
    let nobody =
        Dataset::new(data.cases().clone(), Decisions::none(100, 2), data.label_names().clone(), data.experts().clone());
    let mut silent = Silent;
    let mut ctx = Context::new(Stream::new(1), &mut silent);
    let error = Consult::default().fit(&nobody.unwrap(), &CaseWeights::uniform(100), &mut ctx).unwrap_err();
    assert!(matches!(error, FitError::NoExperts));
}
