//! The embedded example shows what it was made to show: text, votes and bias in the measure of real moderation data.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::collections::{BTreeMap, BTreeSet};

use deferral_core::{CaseId, ExpertId, Features, Stream, argmax};
use deferral_experts::{GeneratedCases, Moderation};

const FOLDS: usize = 5;

/// Logistic regression on words and pairs of words: one weight each.
struct TextModel {
    weights: BTreeMap<String, f64>,
}

impl TextModel {
    fn fit(desk: &GeneratedCases, train: &[usize]) -> Self {
        let mut model = Self { weights: BTreeMap::new() };
        let grams: Vec<Vec<String>> = desk.text.iter().map(|text| grams(text)).collect();
        for epoch in 0..40 {
            let rate = 0.3 / (1.0 + f64::from(epoch) / 4.0);
            for &case in train {
                let truth = f64::from(desk.labels[case].0);
                let error = truth - sigmoid(model.logit(&grams[case]));
                for gram in &grams[case] {
                    let weight = model.weights.entry(gram.clone()).or_default();
                    *weight += rate * (error - 0.02 * *weight);
                }
            }
        }
        model
    }

    fn logit(&self, grams: &[String]) -> f64 {
        grams.iter().filter_map(|gram| self.weights.get(gram)).sum()
    }
}

fn grams(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let pairs = words.windows(2).map(|pair| pair.join(" "));
    words.iter().map(|word| (*word).to_owned()).chain(pairs).chain([String::new()]).collect()
}

fn sigmoid(t: f64) -> f64 {
    1.0 / (1.0 + (-t).exp())
}

/// For every expert the log-odds that an answer 0 or 1 gives to label 1, from the training cases.
fn evidence(desk: &GeneratedCases, train: &[usize]) -> Vec<[f64; 2]> {
    let mut counts = vec![[[1.0; 2]; 2]; desk.experts.len()];
    for &case in train {
        for (expert, label) in desk.decisions.of_case(CaseId::at(case)).iter() {
            counts[expert.index()][desk.labels[case].index()][label.index()] += 1.0;
        }
    }
    let share = |row: [f64; 2], label: usize| row[label] / (row[0] + row[1]);
    let odds = |c: &[[f64; 2]; 2], label| (share(c[1], label) / share(c[0], label)).ln();
    counts.iter().map(|c| [odds(c, 0), odds(c, 1)]).collect()
}

/// Log-odds of label 1 for every case, from the text and from the votes, both learned on other folds.
fn cross_validated(desk: &GeneratedCases) -> (Vec<f64>, Vec<f64>) {
    let n = desk.text.len();
    let (mut text, mut votes) = (vec![0.0; n], vec![0.0; n]);
    for fold in 0..FOLDS {
        let (test, train): (Vec<usize>, Vec<usize>) = (0..n).partition(|case| case % FOLDS == fold);
        let model = TextModel::fit(desk, &train);
        let evidence = evidence(desk, &train);
        for case in test {
            text[case] = model.logit(&grams(&desk.text[case]));
            let row = desk.decisions.of_case(CaseId::at(case));
            votes[case] = row.iter().map(|(expert, label)| evidence[expert.index()][label.index()]).sum();
        }
    }
    (text, votes)
}

fn majority(desk: &GeneratedCases) -> Vec<f64> {
    let lead = |case: usize| {
        let labels = desk.decisions.of_case(CaseId::at(case)).labels;
        labels.iter().map(|label| f64::from(label.0) - 0.5).sum()
    };
    (0..desk.text.len()).map(lead).collect()
}

/// The share of the cases chosen by `among` on which a positive score means label 1 and no other.
fn accuracy(desk: &GeneratedCases, scores: &[f64], among: impl Fn(usize) -> bool) -> f64 {
    let chosen: Vec<usize> = (0..scores.len()).filter(|&case| among(case)).collect();
    let right = chosen.iter().filter(|&&case| (scores[case] > 0.0) == (desk.labels[case].0 == 1)).count();
    right as f64 / chosen.len() as f64
}

struct Measured {
    text: f64,
    majority: f64,
    votes: f64,
    joint: f64,
    /// Accuracy on harmless posts in harbour and elsewhere, of the text and of the majority.
    harmless: [[f64; 2]; 2],
    /// Accuracy in harbour and elsewhere of the text, of the majority and of both text and votes.
    by_dialect: [[f64; 2]; 3],
}

fn measure(seed: u64) -> Measured {
    let desk = Moderation::default().generate(&Stream::new(seed)).unwrap();
    let (text, votes) = cross_validated(&desk);
    let joint: Vec<f64> = text.iter().zip(&votes).map(|(a, b)| a + b).collect();
    let majority = majority(&desk);
    let harbour = |case: usize| desk.groups[0].of_case[case].index() == 1;
    let harmless = |scores: &[f64]| {
        let ok = |case: usize| desk.labels[case].0 == 0;
        [accuracy(&desk, scores, |c| ok(c) && harbour(c)), accuracy(&desk, scores, |c| ok(c) && !harbour(c))]
    };
    let split = |scores: &[f64]| [accuracy(&desk, scores, harbour), accuracy(&desk, scores, |c| !harbour(c))];
    Measured {
        text: accuracy(&desk, &text, |_| true),
        majority: accuracy(&desk, &majority, |_| true),
        votes: accuracy(&desk, &votes, |_| true),
        joint: accuracy(&desk, &joint, |_| true),
        harmless: [harmless(&text), harmless(&majority)],
        by_dialect: [split(&text), split(&majority), split(&joint)],
    }
}

/// Means over four seeds, 4800 posts: the standard error of each accuracy is below .007.
#[test]
fn text_votes_and_both_are_as_accurate_as_on_real_data() {
    let measured: Vec<Measured> = (0..4).map(measure).collect();
    let mean = |what: fn(&Measured) -> f64| measured.iter().map(what).sum::<f64>() / measured.len() as f64;
    let (text, majority) = (mean(|m| m.text), mean(|m| m.majority));
    let (votes, joint) = (mean(|m| m.votes), mean(|m| m.joint));
    assert!((0.80..0.85).contains(&text), "text {text}");
    assert!((0.85..0.88).contains(&majority), "majority {majority}");
    assert!(votes > majority + 0.015, "knowing the experts pays: {votes} after {majority}");
    assert!((0.92..0.95).contains(&joint), "joint {joint}");
    for m in &measured {
        assert!(m.joint > m.votes.max(m.text) + 0.02, "both are better than either");
    }
}

#[test]
fn text_and_moderators_take_harmless_harbour_posts_for_abusive() {
    for m in (0..3).map(measure) {
        for [harbour, elsewhere] in m.harmless {
            assert!(harbour < elsewhere - 0.05, "harmless posts: {harbour} in harbour, {elsewhere} elsewhere");
        }
        let [text, majority, joint] = m.by_dialect.map(|[harbour, elsewhere]| elsewhere - harbour);
        assert!(text > 0.0 && majority > 0.0 && joint > 0.0, "gaps {text} {majority} {joint}");
    }
}

#[test]
fn votes_costs_and_texts_are_in_range() {
    for classes in [2, 3] {
        let desk = Moderation { classes, ..Moderation::default() }.generate(&Stream::new(6)).unwrap();
        let counts = (0..1200).map(|case| desk.decisions.of_case(CaseId::at(case)).len());
        assert_eq!((counts.clone().min(), counts.max()), (Some(3), Some(8)));
        assert!(desk.costs.iter().all(|cost| (0.5..=4.0).contains(cost)));
        assert!(desk.costs.iter().any(|cost| *cost > 2.0) && desk.costs.iter().any(|cost| *cost < 1.0));
        let distinct: BTreeSet<&str> = desk.text.iter().map(String::as_str).collect();
        assert!(distinct.len() > 1150, "{} different texts", distinct.len());
        assert!(desk.text.iter().all(|text| text.is_ascii() && !text.contains(['~', '@'])));
        let used: BTreeSet<_> = desk.labels.iter().collect();
        assert_eq!(used.len(), classes);
        assert_eq!(desk.groups.iter().map(deferral_core::GroupAttribute::len).collect::<Vec<_>>(), [3, 3]);
        assert!((0..24).all(|j| desk.decisions.of_expert(ExpertId(j)).len() > 50), "everybody answers now and then");
    }
}

#[test]
fn three_classes_have_a_majority_that_is_better_than_the_largest_class() {
    let desk = Moderation { classes: 3, ..Moderation::default() }.generate(&Stream::new(2)).unwrap();
    assert_eq!(desk.label_names.iter().collect::<Vec<_>>(), ["ok", "borderline", "abusive"]);
    let winner = |case: usize| {
        let mut counts = [0.0; 3];
        for label in desk.decisions.of_case(CaseId::at(case)).labels {
            counts[label.index()] += 1.0;
        }
        argmax(&counts)
    };
    let right = (0..1200).filter(|&case| winner(case) == desk.labels[case].index()).count() as f64 / 1200.0;
    assert!((0.7..0.9).contains(&right), "{right}");
}

#[test]
fn the_same_seed_gives_the_same_desk_and_more_posts_keep_the_first() {
    let desk = |cases, seed| Moderation { cases, ..Moderation::default() }.generate(&Stream::new(seed)).unwrap();
    let all = desk(300, 9);
    assert_eq!(all, desk(300, 9));
    assert_ne!(all.text, desk(300, 10).text);
    let few = desk(20, 9);
    assert_eq!(few.text, all.text[..20]);
    assert_eq!(few.labels, all.labels[..20]);
    assert_eq!(few.costs, all.costs);
    let first: Vec<usize> = (0..20).collect();
    assert_eq!(few.decisions, all.decisions.select_cases(&first));
}

#[test]
fn a_data_set_comes_with_any_features() {
    let desk = Moderation { cases: 30, experts: 3, classes: 3 }.generate(&Stream::new(1)).unwrap();
    let data = desk.dataset(Features::none(30)).unwrap();
    assert_eq!((data.n(), data.m(), data.k()), (30, 3, 3));
    assert_eq!(data.cases().group("topic").unwrap().len(), 3);
    assert!(desk.decisions.is_complete(), "three moderators and at least three votes a case");
    let message = desk.dataset(Features::none(29)).unwrap_err().to_string();
    assert_eq!(message, "the list of case names has 30 entries, but there are 29 cases");
}
