//! Learners on small data: what they learn, what they refuse, and that policies survive a file.
#![allow(clippy::unwrap_used)]

use deferral_core::*;
use deferral_losses::*;
use deferral_models::*;

/// Three classes, five experts of whom each answers two cases in three; features carry the class.
fn data(n: usize, k: usize) -> Dataset {
    let label = |i: usize| (i * 7 % 11) % k;
    let features = (0..n)
        .flat_map(|i| (0..4).map(move |f| f64::from(u8::from(f == label(i))) + ((i * 13 + f * 5) % 7) as f64 / 10.0));
    let votes = (0..n).flat_map(|i| {
        (0..5u32).filter(move |e| !(i + *e as usize).is_multiple_of(3)).map(move |e| {
            let wrong = (i + e as usize) % 5 < e as usize;
            (i as u32, e, if wrong { (label(i) + 1) % k } else { label(i) } as u16)
        })
    });
    let decisions = Decisions::from_triples(n, 5, votes).unwrap();
    let features = Features::dense(Columns::from_values(4, features.collect())).unwrap();
    let group = GroupAttribute::from_values("region", (0..n).map(|i| if i % 4 == 0 { "north" } else { "south" }));
    let cases = Cases::new(Names::numbered("case", n), features).unwrap();
    let cases =
        cases.with_labels((0..n).map(|i| Some(Label::at(label(i)))).collect()).unwrap().with_group(group).unwrap();
    Dataset::new(cases, decisions, Names::numbered("class", k), Names::numbered("expert", 5)).unwrap()
}

fn fit<L: Learner>(learner: &L, data: &Dataset) -> Result<L::Policy, FitError> {
    let mut silent = Silent;
    learner.fit(data, &CaseWeights::uniform(data.n()), &mut Context::new(Stream::new(3), &mut silent))
}

fn quick(joint: Joint) -> Joint {
    let training = Training { steps: 60, batches: Batches::PerStep { size: 40 }, ..joint.training };
    Joint { classifier_hidden: vec![8], deferrer_hidden: vec![8], training, ..joint }
}

#[test]
fn weights_stay_within_bounds_and_policies_survive_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.dfr");
    for k in [2, 3] {
        let data = data(120, k);
        for link in [Link::Sigmoid, Link::Projected] {
            for precision in [Precision::F32, Precision::F64] {
                let bias = if link == Link::Projected { 0.5 } else { 0.0 };
                let joint = quick(Joint {
                    link,
                    precision,
                    deferrer_bias: bias,
                    balance: Some("region".into()),
                    ..Joint::default()
                });
                let policy = fit(&joint, &data).unwrap();
                assert_eq!((policy.experts(), policy.classes(), policy.form()), (5, k, Form::Classes));
                let weights = policy.weigh(data.cases()).unwrap();
                assert!(weights.values().iter().all(|w| (0.0..=1.0).contains(w)));
                artifact::save(&path, "joint", &policy).unwrap();
                let back: JointPolicy = artifact::load(&path, "joint").unwrap();
                assert_eq!(back, policy);
                assert_eq!(back.weigh(data.cases()).unwrap(), weights);
                assert_eq!(back.classify(data.cases()).unwrap(), policy.classify(data.cases()).unwrap());
            }
        }
    }
}

#[test]
fn a_sum_of_group_losses_is_their_mean_at_twice_the_rate_with_the_same_costs() {
    let data = data(120, 2);
    let joint = |groups, rate, lambda| {
        let joint = quick(Joint { lambda, groups, balance: Some("region".into()), ..Joint::published() });
        Joint { training: Training { optimiser: Optimiser::sgd(rate), ..joint.training }, ..joint }
    };
    let sum = fit(&joint(GroupLosses::Sum, 0.1, 0.06), &data).unwrap();
    assert_eq!(sum, fit(&joint(GroupLosses::Mean, 0.2, 0.03), &data).unwrap());
    assert_ne!(sum, fit(&joint(GroupLosses::Mean, 0.2, 0.06), &data).unwrap());
    assert_ne!(sum, fit(&joint(GroupLosses::Mean, 0.1, 0.06), &data).unwrap());
    // Without groups there is nothing to add.
    let whole = |groups| Joint { balance: None, ..joint(groups, 0.1, 0.06) };
    assert_eq!(fit(&whole(GroupLosses::Sum), &data).unwrap(), fit(&whole(GroupLosses::Mean), &data).unwrap());
}

#[test]
fn costs_that_differ_by_case_move_the_weights_of_those_cases() {
    let data = data(200, 2);
    let north: Vec<bool> = data.cases().group("region").unwrap().of_case.iter().map(|g| g.0 == 0).collect();
    let features = Columns::from_values(1, north.iter().map(|n| f64::from(u8::from(*n))).collect());
    let data = data.with_features(Features::dense(features).unwrap()).unwrap();
    // Expert 0 is dear in the north only.
    let costs = north.iter().flat_map(|n| [if *n { 1.0 } else { 0.0 }, 0.0, 0.0, 0.0, 0.0]).collect();
    let costs = ExpertCosts::by_case(0.5, &Columns::from_values(5, costs), CostScope::Everyone).unwrap();
    let mut silent = Silent;
    let mut ctx = Context::new(Stream::new(3), &mut silent);
    let joint = Joint { training: Training { steps: 300, ..Joint::default().training }, ..quick(Joint::default()) };
    let policy = joint.fit_with_costs(&data, &CaseWeights::uniform(200), &costs, &mut ctx).unwrap();
    let weights = policy.weigh(data.cases()).unwrap();
    let case = |in_north: bool| north.iter().position(|n| *n == in_north).unwrap();
    assert!(weights.column(case(true))[0] < 0.5 * weights.column(case(false))[0]);
    let narrow = ExpertCosts::constant(0.5, &[1.0], CostScope::Everyone).unwrap();
    let message = joint.fit_with_costs(&data, &CaseWeights::uniform(200), &narrow, &mut ctx).unwrap_err().to_string();
    assert_eq!(message, "the number of expert costs is 1, but must be one for each of the 5 experts");
}

#[test]
fn the_form_follows_the_decisions() {
    let incomplete = data(60, 2);
    assert_eq!(Joint::default().form_for(&incomplete), Form::Classes);
    let votes = (0..60).flat_map(|i| (0..5).map(move |e| (i, e, (i % 2) as u16)));
    let complete = Decisions::from_triples(60, 5, votes).unwrap();
    let names = (incomplete.label_names().clone(), incomplete.experts().clone());
    let complete = Dataset::new(incomplete.cases().clone(), complete, names.0, names.1).unwrap();
    assert_eq!(Joint::default().form_for(&complete), Form::Binary);
}

#[test]
fn what_cannot_be_learned_is_refused_by_name() {
    let data = data(60, 3);
    let refuse = |joint: Joint, data: &Dataset| fit(&quick(joint), data).unwrap_err().to_string();
    assert_eq!(
        refuse(Joint { form: Some(Form::Binary), ..Joint::default() }, &data),
        "the binary form of the joint framework works for two classes only, but there are 3; use the form `classes`"
    );
    assert_eq!(
        refuse(Joint { dropout: 1.0, ..Joint::default() }, &data),
        "the dropout is 1, but must be at least 0, below 1"
    );
    assert_eq!(
        refuse(Joint { expert_costs: Some(vec![1.0]), ..Joint::default() }, &data),
        "the number of expert costs is 1, but must be one for each of the 5 experts"
    );
    assert_eq!(
        refuse(Joint { balance: Some("age".into()), ..Joint::default() }, &data),
        "there is no group attribute `age`; known: region"
    );
    let single = Cases::new(data.cases().ids().clone(), data.cases().features().clone()).unwrap();
    let unlabelled = single.clone();
    let single = single.with_labels(vec![Some(Label(1)); 60]).unwrap();
    let rebuild = |cases: Cases, decisions: Decisions| {
        Dataset::new(cases, decisions, data.label_names().clone(), data.experts().clone()).unwrap()
    };
    assert_eq!(
        refuse(Joint::default(), &rebuild(single, data.decisions().clone())),
        "all 60 training cases have the label `class1`; learning needs at least two classes"
    );
    assert!(
        refuse(Joint::default(), &rebuild(unlabelled, data.decisions().clone())).starts_with("case case0 has no label")
    );
    assert!(
        refuse(Joint::default(), &rebuild(data.cases().clone(), Decisions::none(60, 5)))
            .starts_with("no expert decided")
    );
    let sparse = data.clone().with_features(Features::none(60)).unwrap();
    assert!(refuse(Joint::default(), &sparse).contains("needs dense features, at least one; found no feature at all"));
    let exploding = Joint {
        training: Training { optimiser: Optimiser::sgd(1e30), ..Joint::default().training },
        ..Joint::default()
    };
    assert!(refuse(exploding, &data).contains("the loss is not finite after step"));
}

#[test]
fn a_policy_refuses_cases_of_another_kind() {
    let data = data(60, 2);
    let policy = fit(&quick(Joint::default()), &data).unwrap();
    let narrow = Features::dense(Columns::zeros(3, 2)).unwrap();
    let cases = |features| Cases::new(Names::numbered("c", 2), features).unwrap();
    let message = policy.weigh(&cases(narrow)).unwrap_err().to_string();
    assert_eq!(message, "the policy was fitted on 4 features, but these cases have 3");
    let message = policy.classify(&cases(Features::none(2))).unwrap_err().to_string();
    assert_eq!(message, "the policy was fitted on dense features; these are of the other kind");
}
