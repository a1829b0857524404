//! The classifiers as learners.
#![allow(clippy::unwrap_used)]

use deferral_core::*;
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

#[test]
fn classifiers_learn_what_the_features_say() {
    for k in [2, 3] {
        let data = data(300, k);
        let gold = data.gold().unwrap();
        let network = Classifier::network(&[16], 300, 50, 0.3);
        for classifier in [Classifier::default(), network, Classifier::published()] {
            let policy = fit(&classifier, &data).unwrap();
            let beliefs = policy.classify(data.cases()).unwrap();
            let right = beliefs.iter().zip(&gold).filter(|(p, y)| argmax(p) == y.index()).count();
            assert!(right > 270, "{classifier:?}: {right} of 300");
            assert_eq!(policy.weigh(data.cases()).unwrap().column(0), [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        }
    }
}
