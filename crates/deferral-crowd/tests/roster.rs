//! The rosters as learners.
#![allow(clippy::unwrap_used)]

use deferral_core::*;
use deferral_crowd::*;
use deferral_models::Classifier;

fn fit<L: Learner>(learner: &L, data: &Dataset) -> Result<L::Policy, FitError> {
    let mut silent = Silent;
    learner.fit(data, &CaseWeights::uniform(data.n()), &mut Context::new(Stream::new(3), &mut silent))
}

#[test]
fn the_fair_committee_draws_from_those_who_know_the_group() {
    let n = 40;
    let votes = (0..n).flat_map(|i| [(i, 0, u16::from(i % 4 != 0)), (i, 1, u16::from(i % 4 == 0))]);
    let group = GroupAttribute::from_values("region", (0..n).map(|i| if i % 4 == 0 { "north" } else { "south" }));
    let features = Features::dense(Columns::from_values(1, (0..n).map(|i| f64::from(i % 2)).collect())).unwrap();
    let labels = (0..n).map(|i| Some(Label(u16::from(i % 8 != 1)))).collect();
    let cases = Cases::new(Names::numbered("c", n as usize), features)
        .unwrap()
        .with_labels(labels)
        .unwrap()
        .with_group(group)
        .unwrap();
    let decisions = Decisions::from_triples(n as usize, 2, votes).unwrap();
    let data = Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("e", 2)).unwrap();
    let policy = fit(&FairCommittee { attribute: "region".into(), classifier: Classifier::default() }, &data).unwrap();
    let weights = policy.weigh(data.cases()).unwrap();
    assert_eq!(policy.needs_group(), Some("region"));
    assert_eq!((weights.column(0), weights.column(1)), (&[0.0, 1.0, 1.0][..], &[1.0, 0.0, 1.0][..]));
    let north_only = data.cases().group("region").unwrap();
    let renamed = GroupAttribute { values: ["east", "south"].into_iter().collect(), ..north_only.clone() };
    let features = data.cases().features().clone();
    let foreign = Cases::new(data.cases().ids().clone(), features).unwrap().with_group(renamed).unwrap();
    let message = policy.weigh(&foreign).unwrap_err().to_string();
    assert_eq!(message, "group attribute region has the value `east`, which was not there in training");
}
