//! Thresholds by group around a learner: what was searched for is what the policy does.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use deferral_core::{
    CaseWeights, Cases, Columns, Context, Dataset, Decisions, Features, FitError, GroupAttribute, Label, Learner,
    Names, Policy, PolicyError, Probabilities, Silent, Stream, Weights, argmax,
};
use deferral_fairness::{GroupThresholds, GroupThresholdsPolicy, ThresholdIdk, ThresholdSearch};
use deferral_metrics::ErrorRates;
use rand::RngExt;

/// Believes feature 0.
struct Given;

struct GivenPolicy(usize);

impl Learner for Given {
    type Policy = GivenPolicy;
    fn fit(&self, data: &Dataset, _: &CaseWeights, _: &mut Context<'_>) -> Result<GivenPolicy, FitError> {
        Ok(GivenPolicy(data.m()))
    }
}

impl Policy for GivenPolicy {
    fn experts(&self) -> usize {
        self.0
    }
    fn classes(&self) -> usize {
        2
    }
    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        let columns = cases.features().as_dense().into_iter().flat_map(Columns::iter);
        Ok(Probabilities(Columns::from_values(2, columns.flat_map(|x| [1.0 - x[0], x[0]]).collect())))
    }
    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        Ok(Weights(Columns::zeros(self.0 + 1, cases.n())))
    }
}

/// Scores that run .2 too low in group b; three experts, each of whom is right in nine of ten cases and decides every
/// second one.
fn draw(n: usize, names: [&str; 2], seed: u64) -> Dataset {
    let mut random = Stream::new(seed).random();
    let (mut scores, mut labels, mut votes) = (Vec::new(), Vec::new(), Vec::new());
    for case in 0..n {
        let score = random.random::<f64>();
        let truth = u16::from(random.random::<f64>() < score);
        scores.push(if case % 2 == 0 { score } else { (score - 0.2).max(0.0) });
        labels.push(Some(Label(truth)));
        for expert in 0..3 {
            if random.random::<bool>() {
                votes.push((case as u32, expert, truth ^ u16::from(random.random::<f64>() < 0.1)));
            }
        }
    }
    let group = GroupAttribute::from_values("g", (0..n).map(|case| names[case % 2]));
    let cases = Cases::new(Names::numbered("c", n), Features::dense(Columns::from_values(1, scores)).unwrap()).unwrap();
    let cases = cases.with_labels(labels).unwrap().with_group(group).unwrap();
    let decisions = Decisions::from_triples(n, 3, votes).unwrap();
    Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("expert", 3)).unwrap()
}

fn fit(search: ThresholdSearch, data: &Dataset) -> Result<GroupThresholdsPolicy<GivenPolicy>, FitError> {
    let mut silent = Silent;
    let learner = GroupThresholds { search, ..GroupThresholds::by("g", Given) };
    learner.fit(data, &CaseWeights::uniform(data.n()), &mut Context::new(Stream::new(1), &mut silent))
}

fn decided(policy: &GroupThresholdsPolicy<GivenPolicy>, data: &Dataset) -> Vec<Label> {
    policy.together(data).unwrap().iter().map(|column| Label::at(argmax(column))).collect()
}

#[test]
fn the_policy_does_what_was_searched_for() {
    let data = draw(600, ["a", "b"], 1);
    let held_out = draw(500, ["b", "a"], 2);
    let data = data.with_held_out(held_out.clone()).unwrap();
    for idk in [ThresholdIdk::Never, ThresholdIdk::Defer { cost: 0.05 }] {
        for per_group in [true, false] {
            let search = ThresholdSearch { idk, per_group, report: 0.0, ..ThresholdSearch::default() };
            let policy = fit(search, &data).unwrap();
            let decided = decided(&policy, &held_out);
            let truth = held_out.cases().labels();
            let rates = ErrorRates::hard(&decided, truth, held_out.cases().group("g").unwrap()).unwrap();
            let wrong = decided.iter().zip(truth).filter(|(label, truth)| Some(**label) != **truth).count();
            let found = policy.found();
            assert_eq!(wrong as f64 / 500.0, found.searched.error, "{idk:?}");
            assert!((rates.disparate_impact().value().unwrap() - found.searched.disparity).abs() < 1e-12);
            let weights = policy.weigh(held_out.cases()).unwrap();
            let deferred = weights.iter().filter(|w| w[3] == 0.0).count();
            assert_eq!(deferred as f64 / 500.0, found.searched.idk);
            assert_eq!(policy.needs_group(), per_group.then_some("g"));
        }
    }
}

#[test]
fn thresholds_by_group_make_up_for_scores_that_run_low() {
    let data = draw(3000, ["a", "b"], 3);
    let policy = fit(ThresholdSearch::default(), &data).unwrap();
    let found = policy.found();
    assert!(found.default.disparity > 0.15 && found.reported.unwrap().disparity < 0.1, "{found:?}");
    assert!(found.ranges[1].low < found.ranges[0].low);
    assert_eq!((found.searched.n, found.reported.unwrap().n), (450, 450));
    // The order in which new cases name their groups does not matter.
    let test = draw(2000, ["a", "b"], 4);
    let wrong = decided(&policy, &test).iter().zip(test.cases().labels()).filter(|(l, t)| Some(**l) != **t).count();
    assert!(wrong < 600, "{wrong}");
}

#[test]
fn experts_who_know_are_asked_where_the_model_does_not() {
    let data = draw(2000, ["a", "b"], 5);
    let never = fit(ThresholdSearch::default(), &data).unwrap();
    let defer =
        fit(ThresholdSearch { idk: ThresholdIdk::Defer { cost: 0.05 }, ..ThresholdSearch::default() }, &data).unwrap();
    let (alone, together) = (never.found().reported.unwrap(), defer.found().reported.unwrap());
    assert!(together.error < alone.error - 0.05, "{alone:?} {together:?}");
    assert!(together.idk > 0.2);
}

#[test]
fn misuse_is_named() {
    let data = draw(60, ["a", "b"], 6);
    let policy = fit(ThresholdSearch::default(), &data).unwrap();
    let message = policy.weigh(draw(4, ["a", "c"], 7).cases()).unwrap_err().to_string();
    assert_eq!(message, "group attribute g has the value `c`, which was not there in training");
    let nobody =
        Dataset::new(data.cases().clone(), Decisions::none(60, 0), Names::numbered("", 2), Names::new()).unwrap();
    let defer = ThresholdSearch { idk: ThresholdIdk::Defer { cost: 0.0 }, ..ThresholdSearch::default() };
    assert_eq!(fit(defer, &nobody).err(), Some(FitError::NoExperts));
    let three =
        Dataset::new(data.cases().clone(), Decisions::none(60, 0), Names::numbered("", 3), Names::new()).unwrap();
    let message = fit(ThresholdSearch::default(), &three).err().unwrap().to_string();
    assert!(message.starts_with("group thresholds works for two classes only, but there are 3"), "{message}");
    let negative = ThresholdSearch { disparity: f64::NAN, ..ThresholdSearch::default() };
    assert!(fit(negative, &data).err().unwrap().to_string().contains("the cost of disparity is NaN"));
}
