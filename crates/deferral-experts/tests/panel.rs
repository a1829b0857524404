//! What panels draw: the right rates, the same answers whoever else sits there, and only known things missing.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use deferral_core::{
    CaseId, Cases, Columns, Decisions, ExpertId, Features, GroupAttribute, Label, Names, Stream, Vote,
};
use deferral_experts::{
    AttendingByGroup, BiasedPanel, Confusion, ConfusionExpert, Expert, ExpertError, MissingAtRandom, SkilledExpert,
    Specialist, boxed, cap, panel, thin, thin_by_activity,
};
use proptest::prelude::*;

/// n cases, labels and dialects in turn.
fn cases(n: usize, classes: usize) -> Cases {
    let dialect = GroupAttribute::from_values("dialect", (0..n).map(|i| ["AAE", "other"][i / classes % 2]));
    let topic = GroupAttribute::from_values("topic", (0..n).map(|i| ["sport", "cooking", "traffic"][i % 3]));
    let labels = (0..n).map(|i| Some(Label::at(i % classes))).collect();
    let cases = Cases::new(Names::numbered("case", n), Features::none(n)).unwrap();
    cases.with_labels(labels).unwrap().with_group(dialect).unwrap().with_group(topic).unwrap()
}

fn dialect(cases: &Cases) -> &GroupAttribute {
    cases.group("dialect").unwrap()
}

/// Fails if `hits` of `n` is more than four and a half standard deviations away from what p would give.
#[track_caller]
fn assert_rate(hits: usize, n: usize, p: f64) {
    let error = (p * (1.0 - p) / n as f64).sqrt();
    let rate = hits as f64 / n as f64;
    assert!((rate - p).abs() <= 4.5 * error, "{hits} of {n} is {rate}, but should be {p}");
}

/// How often an expert gave `label` to the cases of group `group` whose truth is `truth`, and how many those are.
fn count(decisions: &Decisions, cases: &Cases, expert: u32, (group, truth, label): (u32, u16, u16)) -> (usize, usize) {
    let of_case = &dialect(cases).of_case;
    let chosen = |i: &usize| of_case[*i].0 == group && cases.labels()[*i] == Some(Label(truth));
    let chosen: Vec<usize> = (0..cases.n()).filter(chosen).collect();
    let given = |i: &&usize| decisions.get(CaseId::at(**i), ExpertId(expert)) == Some(Label(label));
    (chosen.iter().filter(given).count(), chosen.len())
}

#[test]
fn skilled_experts_are_right_at_their_rates_for_every_truth() {
    let cases = cases(24_000, 3);
    let expert = SkilledExpert::new(dialect(&cases), vec![0.55, 0.9], 3).unwrap();
    let decisions = panel(&boxed([expert]), &cases, Some("dialect"), &Stream::new(1)).unwrap();
    assert!(decisions.is_complete());
    for (group, accuracy) in [(0, 0.55), (1, 0.9)] {
        for truth in 0..3 {
            for label in 0..3 {
                let p = if label == truth { accuracy } else { (1.0 - accuracy) / 2.0 };
                let (hits, n) = count(&decisions, &cases, 0, (group, truth, label));
                assert_rate(hits, n, p);
            }
        }
    }
}

#[test]
fn biased_panels_err_as_drawn() {
    let cases = cases(4_000, 2);
    let experts = BiasedPanel::against("AAE").draw(dialect(&cases), &Stream::new(2)).unwrap();
    let decisions = panel(&boxed(experts.clone()), &cases, Some("dialect"), &Stream::new(2)).unwrap();
    for (j, expert) in experts.iter().enumerate() {
        for (group, &accuracy) in expert.accuracies().iter().enumerate() {
            for truth in 0..2 {
                let (hits, n) = count(&decisions, &cases, j as u32, (group as u32, truth, truth));
                assert_rate(hits, n, accuracy);
            }
        }
    }
}

#[test]
fn confusion_experts_answer_by_the_matrix_of_the_group() {
    let cases = cases(30_000, 3);
    let base = vec![vec![0.7, 0.2, 0.1], vec![0.1, 0.8, 0.1], vec![0.0, 0.25, 0.75]];
    let stern = vec![vec![0.3, 0.3, 0.4], vec![0.0, 0.5, 0.5], vec![0.0, 0.0, 1.0]];
    let expert = ConfusionExpert::new(Confusion::new(base.clone()).unwrap())
        .with_group(dialect(&cases), "AAE", Confusion::new(stern.clone()).unwrap())
        .unwrap();
    let decisions = panel(&boxed([expert]), &cases, None, &Stream::new(3)).unwrap();
    for (group, rows) in [(0, stern), (1, base)] {
        for (truth, row) in rows.iter().enumerate() {
            for (label, &p) in row.iter().enumerate() {
                let (hits, n) = count(&decisions, &cases, 0, (group, truth as u16, label as u16));
                assert_rate(hits, n, p);
            }
        }
    }
}

#[test]
fn each_expert_sees_the_attribute_it_names() {
    let cases = cases(600, 2);
    let sports = Specialist { elsewhere: Some(0.0), ..Specialist::on("sport") };
    let sports = sports.build(cases.group("topic").unwrap()).unwrap();
    let fair = Specialist { elsewhere: Some(0.0), ..Specialist::on("AAE") }.build(dialect(&cases)).unwrap();
    let decisions = panel(&boxed([sports, fair]), &cases, None, &Stream::new(1)).unwrap();
    for (expert, attribute) in [(0, "topic"), (1, "dialect")] {
        for (i, group) in cases.group(attribute).unwrap().of_case.iter().enumerate() {
            let given = decisions.get(CaseId::at(i), ExpertId(expert));
            assert_eq!(given == cases.labels()[i], group.0 == 0);
        }
    }
}

#[test]
fn further_experts_and_further_cases_change_no_answer() {
    let all = cases(200, 2);
    let experts = |n| {
        let panel = BiasedPanel { biased: n, flipped: 0, ..BiasedPanel::against("AAE") };
        boxed(panel.draw(dialect(&all), &Stream::new(5)).unwrap())
    };
    let more = panel(&experts(7), &all, Some("dialect"), &Stream::new(5)).unwrap();
    assert_eq!(more, panel(&experts(7), &all, Some("dialect"), &Stream::new(5)).unwrap());
    let few = panel(&experts(3), &all, Some("dialect"), &Stream::new(5)).unwrap();
    assert_eq!(few, more.select_experts(&[0, 1, 2]));
    let first: Vec<usize> = (0..50).collect();
    let start = panel(&experts(7), &all.select(&first), Some("dialect"), &Stream::new(5)).unwrap();
    assert_eq!(start, more.select_cases(&first));
    assert_ne!(more, panel(&experts(7), &all, Some("dialect"), &Stream::new(6)).unwrap());
}

/// Every decision of `part` stands in `whole` too.
fn is_part(part: &Decisions, whole: &Decisions) -> bool {
    part.iter().all(|(case, Vote { expert, label })| whole.get(case, expert) == Some(label))
}

#[test]
fn missing_answers_go_missing_at_their_rates_and_the_others_stay() {
    let cases = cases(10_000, 2);
    let expert = || SkilledExpert::new(dialect(&cases), vec![0.6, 0.8], 2).unwrap();
    let decide = |expert: Box<dyn Expert>| panel(&[expert], &cases, Some("dialect"), &Stream::new(7)).unwrap();
    let all = decide(Box::new(expert()));
    let some = decide(Box::new(MissingAtRandom::new(expert(), 0.3).unwrap()));
    assert_rate(some.len(), 10_000, 0.7);
    assert!(is_part(&some, &all));

    let attending = AttendingByGroup::new(expert(), dialect(&cases), 0.9).unwrap().with_rate("AAE", 0.2).unwrap();
    let some = decide(Box::new(attending));
    assert!(is_part(&some, &all));
    let there = |group: u32| some.iter().filter(|(case, _)| dialect(&cases).of_case[case.index()].0 == group).count();
    assert_rate(there(0), 5_000, 0.2);
    assert_rate(there(1), 5_000, 0.9);

    let (never, always) = (MissingAtRandom::new(expert(), 1.0), MissingAtRandom::new(expert(), 0.0));
    assert!(decide(Box::new(never.unwrap())).is_empty());
    assert_eq!(decide(Box::new(always.unwrap())), all);
}

#[test]
fn availability_is_checked() {
    let cases = cases(6, 2);
    let expert = || SkilledExpert::new(dialect(&cases), vec![0.6, 0.8], 2).unwrap();
    let message = |error: ExpertError| error.to_string();
    assert_eq!(
        message(MissingAtRandom::new(expert(), 1.1).unwrap_err()),
        "the probability of a missing answer is 1.1, but must be a probability, from 0 to 1"
    );
    let attending = AttendingByGroup::new(expert(), dialect(&cases), 0.5).unwrap();
    assert_eq!(
        message(attending.clone().with_rate("hill", 0.5).unwrap_err()),
        "attribute dialect has no group `hill`; known: AAE, other"
    );
    assert_eq!(
        message(attending.with_rate("AAE", -0.5).unwrap_err()),
        "the rate of attendance for AAE is -0.5, but must be a probability, from 0 to 1"
    );
    assert_eq!(
        message(AttendingByGroup::new(expert(), cases.group("topic").unwrap(), 0.5).unwrap_err()),
        "the attribute of attendance is topic, but must be `dialect`, as for the expert's answers (cross attributes to \
         use both)"
    );
}

fn everybody_on_everything(n: usize, m: usize) -> Decisions {
    let pairs = (0..n as u32).flat_map(|case| (0..m as u32).map(move |expert| (case, expert, (case % 3) as u16)));
    Decisions::from_triples(n, m, pairs).unwrap()
}

#[test]
fn thinning_is_fair_to_everybody() {
    let kept = thin(&everybody_on_everything(6_000, 10), 3, &Stream::new(1)).unwrap();
    for expert in 0..10 {
        assert_rate(kept.of_expert(ExpertId(expert)).len(), 6_000, 0.3);
    }
}

#[test]
fn active_experts_are_kept_more_often_and_idle_ones_last() {
    let all = everybody_on_everything(6_000, 3);
    let one = thin_by_activity(&all, &vec![1; 6_000], &[1.0, 3.0, 0.0], &Stream::new(1)).unwrap();
    assert_rate(one.of_expert(ExpertId(0)).len(), 6_000, 0.25);
    assert_eq!(one.of_expert(ExpertId(2)).len(), 0);
    let three = thin_by_activity(&all, &vec![3; 6_000], &[1.0, 3.0, 0.0], &Stream::new(1)).unwrap();
    assert_eq!(three, all);
}

#[test]
fn activities_are_checked() {
    let all = everybody_on_everything(2, 2);
    let message = |counts: &[usize], activity: &[f64]| {
        thin_by_activity(&all, counts, activity, &Stream::new(1)).unwrap_err().to_string()
    };
    assert_eq!(message(&[1], &[1.0, 1.0]), "the number of vote counts is 1, but must be 2, one for each case");
    assert_eq!(message(&[1, 1], &[1.0]), "the number of activities is 1, but must be 2, one for each expert");
    assert_eq!(
        message(&[1, 1], &[1.0, f64::NAN]),
        "the activity of expert 1 is NaN, but must be a finite number, 0 or more"
    );
}

#[test]
fn sparse_and_dense_cases_get_the_same_answers() {
    let plain = cases(40, 2);
    let dense = Features::dense(Columns::from_values(2, vec![1.5; 80])).unwrap();
    let rich = plain.clone().with_features(dense).unwrap();
    let experts = boxed(BiasedPanel::against("AAE").draw(dialect(&plain), &Stream::new(5)).unwrap());
    let decide = |cases| panel(&experts, cases, Some("dialect"), &Stream::new(4)).unwrap();
    assert_eq!(decide(&plain), decide(&rich));
}

proptest! {
    /// A table with gaps: each kept row has as many entries as allowed, all of them from the table, and a larger
    /// number keeps what a smaller one kept.
    #[test]
    fn thinning_and_caps_keep_what_they_say(
        n in 1usize..12, m in 1usize..8, k in 0usize..9, missing in 0.0..1.0f64, seed in 0u64..1000,
    ) {
        let cases = cases(n, 2);
        let certain = Confusion::new(vec![vec![1.0, 0.0], vec![0.0, 1.0]]).unwrap();
        let experts = (0..m).map(|_| MissingAtRandom::new(ConfusionExpert::new(certain.clone()), missing).unwrap());
        let stream = Stream::new(seed);
        let all = panel(&boxed(experts), &cases, None, &stream).unwrap();

        let thinned = thin(&all, k, &stream).unwrap();
        prop_assert!(is_part(&thinned, &all));
        for case in (0..n).map(CaseId::at) {
            prop_assert_eq!(thinned.of_case(case).len(), all.of_case(case).len().min(k));
        }
        prop_assert!(is_part(&thinned, &thin(&all, k + 1, &stream).unwrap()));

        let capped = cap(&all, k, &stream).unwrap();
        prop_assert!(is_part(&capped, &all));
        for expert in (0..m).map(ExpertId::at) {
            prop_assert_eq!(capped.of_expert(expert).len(), all.of_expert(expert).len().min(k));
        }
        prop_assert!(is_part(&capped, &cap(&all, k + 1, &stream).unwrap()));
    }
}

#[test]
fn public_types_can_be_shared_between_threads() {
    fn shareable<T: Send + Sync>() {}
    shareable::<Box<dyn Expert>>();
    shareable::<SkilledExpert>();
    shareable::<ConfusionExpert>();
    shareable::<MissingAtRandom<AttendingByGroup<Box<dyn Expert>>>>();
    shareable::<deferral_experts::GeneratedCases>();
    shareable::<ExpertError>();
}
