//! Guarantees are kept as often as promised, over a thousand draws of the cases they are chosen on.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use deferral_core::{
    CaseWeights, Cases, Columns, Context, Dataset, Decisions, Features, FitError, GroupAttribute, Label, Learner,
    Names, Policy, PolicyError, Probabilities, Silent, Stream, Weights, argmax,
};
use deferral_fairness::{DeferBy, Guarantee, GuaranteedPolicy};
use rand::RngExt;

/// The true chances of an error in one group of cases, by the score of a case, which is uniform on (0, 1).
#[derive(Clone, Copy)]
struct Rates {
    /// The model is wrong with chance `model * (1 - score)`.
    model: f64,
    /// The expert is wrong with this chance where the score is below a half...
    expert_low: f64,
    /// ... and with this one above.
    expert_high: f64,
}

impl Rates {
    /// The error of the system that keeps the scores from `t` up: the integrals of the chances.
    fn error(&self, t: f64) -> f64 {
        let t = t.clamp(0.0, 1.0);
        let kept = self.model * (1.0 - t).powi(2) / 2.0;
        kept + self.expert_low * t.min(0.5) + self.expert_high * (t - 0.5).max(0.0)
    }
}

/// Reads the model's belief and the weights from the features: what the model says is feature 1, the score feature 0.
/// The expert always has more weight than the model.
struct Given;

struct GivenPolicy;

impl Learner for Given {
    type Policy = GivenPolicy;
    fn fit(&self, _: &Dataset, _: &CaseWeights, _: &mut Context<'_>) -> Result<GivenPolicy, FitError> {
        Ok(GivenPolicy)
    }
}

impl GivenPolicy {
    fn column(cases: &Cases, f: impl Fn(&[f64]) -> [f64; 2]) -> Columns {
        let values = cases.features().as_dense().into_iter().flat_map(Columns::iter).flat_map(f).collect();
        Columns::from_values(2, values)
    }
}

impl Policy for GivenPolicy {
    fn experts(&self) -> usize {
        1
    }
    fn classes(&self) -> usize {
        2
    }
    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        let belief = |x: &[f64]| {
            let sure = 0.5 + 0.49 * x[0];
            if x[1] > 0.5 { [1.0 - sure, sure] } else { [sure, 1.0 - sure] }
        };
        Ok(Probabilities(Self::column(cases, belief)))
    }
    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        Ok(Weights(Self::column(cases, |x| [2.0 - x[0], x[0]])))
    }
}

/// `n` cases, group `g` of case i being `i % groups`, all of class 0 or 1 at random.
fn draw(rates: &[Rates], n: usize, stream: &Stream) -> Dataset {
    let mut random = stream.random();
    let (mut features, mut labels, mut votes) = (Vec::new(), Vec::new(), Vec::new());
    for case in 0..n {
        let rates = rates[case % rates.len()];
        let (score, truth) = (random.random::<f64>(), u16::from(random.random::<bool>()));
        let model_errs = random.random::<f64>() < rates.model * (1.0 - score);
        let chance = if score < 0.5 { rates.expert_low } else { rates.expert_high };
        let expert_errs = random.random::<f64>() < chance;
        features.extend([score, f64::from(truth ^ u16::from(model_errs))]);
        labels.push(Some(Label(truth)));
        votes.push((case as u32, 0, truth ^ u16::from(expert_errs)));
    }
    let features = Features::dense(Columns::from_values(2, features)).unwrap();
    let group = GroupAttribute::from_values("g", (0..n).map(|case| format!("{}", case % rates.len())));
    let cases = Cases::new(Names::numbered("c", n), features).unwrap();
    let cases = cases.with_labels(labels).unwrap().with_group(group).unwrap();
    let decisions = Decisions::from_triples(n, 1, votes).unwrap();
    Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("expert", 1)).unwrap()
}

fn fit(guarantee: &Guarantee<Given>, data: &Dataset, seed: usize) -> Result<GuaranteedPolicy<GivenPolicy>, FitError> {
    let mut silent = Silent;
    let mut context = Context::new(Stream::new(1).nth(seed), &mut silent);
    guarantee.fit(data, &CaseWeights::uniform(data.n()), &mut context)
}

/// The threshold on the features' score that a threshold on the policy's score is.
fn on_score(by: DeferBy, threshold: f64) -> f64 {
    match by {
        DeferBy::Deferral => f64::midpoint(threshold, 2.0),
        DeferBy::Confidence => (threshold - 0.5) / 0.49,
    }
}

/// Of 1,000 draws of the data: how often any group's true error was above the bound, and how often nothing was promised.
fn broken(guarantee: &Guarantee<Given>, rates: &[Rates], n: usize) -> (usize, usize) {
    let (mut broken, mut silent) = (0, 0);
    for draw_no in 0..1000 {
        let data = draw(rates, n, &Stream::new(2).nth(draw_no));
        match fit(guarantee, &data, draw_no) {
            Ok(policy) => {
                let errors = |at: usize| {
                    let chosen = policy.thresholds();
                    let threshold = chosen.get(at).unwrap_or(&chosen[0]).threshold;
                    rates[at].error(on_score(guarantee.score, threshold))
                };
                let of_groups: Vec<f64> = (0..rates.len()).map(errors).collect();
                let worst = match guarantee.attribute {
                    Some(_) => of_groups.iter().copied().fold(0.0, f64::max),
                    None => of_groups.iter().sum::<f64>() / rates.len() as f64,
                };
                broken += usize::from(worst > guarantee.error);
            }
            Err(FitError::NoPromise(_)) => silent += 1,
            Err(error) => panic!("{error}"),
        }
    }
    (broken, silent)
}

/// The most of 1,000 that a chance of 5 % gives with probability .99 (the binomial quantile).
const MOST: usize = 67;

const EASY: Rates = Rates { model: 0.6, expert_low: 0.05, expert_high: 0.05 };
/// Model alone .3 and expert alone .275, but together, at the best threshold of one half, .1.
const BOTH_NEEDED: Rates = Rates { model: 0.6, expert_low: 0.05, expert_high: 0.5 };

#[test]
fn the_bound_on_all_cases_is_kept() {
    for score in [DeferBy::Deferral, DeferBy::Confidence] {
        let guarantee = Guarantee { score, ..Guarantee::at_most(0.15, Given) };
        let (broken, silent) = broken(&guarantee, &[EASY], 1000);
        // If it were never broken, the promise would be too timid to mean anything.
        assert!((1..=MOST).contains(&broken), "{broken}");
        assert_eq!(silent, 0);
    }
}

#[test]
fn the_bound_is_kept_where_only_the_middle_passes_and_where_it_is_barely_reached() {
    for (bound, most_silent) in [(0.17, 100), (0.14, 1000), (0.1, 1000)] {
        let (broken, silent) = broken(&Guarantee::at_most(bound, Given), &[BOTH_NEEDED], 1200);
        assert!(broken <= MOST && silent <= most_silent, "{bound}: {broken} broken, {silent} silent");
    }
}

#[test]
fn the_bound_is_kept_by_every_group() {
    let hard = Rates { model: 0.9, expert_low: 0.1, expert_high: 0.1 };
    for group_known in [true, false] {
        let guarantee = Guarantee { group_known, ..Guarantee::at_most(0.18, Given).by("g") };
        let (broken, silent) = broken(&guarantee, &[EASY, hard], 2000);
        assert!(broken <= MOST && silent < 200, "{group_known}: {broken} broken, {silent} silent");
    }
}

#[test]
fn a_bound_for_all_is_not_one_for_every_group() {
    let (easy, hard) = (Rates { model: 0.3, ..EASY }, Rates { model: 1.0, expert_low: 0.1, expert_high: 0.1 });
    let data = draw(&[easy, hard], 4000, &Stream::new(3));
    let all = fit(&Guarantee::at_most(0.18, Given), &data, 0).unwrap();
    let error = |policy: &GuaranteedPolicy<GivenPolicy>, at: usize| {
        let chosen = policy.thresholds();
        [easy, hard][at].error(on_score(DeferBy::Deferral, chosen.get(at).unwrap_or(&chosen[0]).threshold))
    };
    assert!(error(&all, 1) > 0.18);
    let each = fit(&Guarantee::at_most(0.18, Given).by("g"), &data, 0).unwrap();
    assert!(error(&each, 0) <= 0.18 && error(&each, 1) <= 0.18);
}

#[test]
fn what_is_decided_on_new_cases_keeps_the_bound() {
    let data = draw(&[EASY], 3000, &Stream::new(4));
    let test = draw(&[EASY], 20_000, &Stream::new(5));
    for score in [DeferBy::Deferral, DeferBy::Confidence] {
        let policy = fit(&Guarantee { score, ..Guarantee::at_most(0.15, Given) }, &data, 0).unwrap();
        let together = policy.together(&test).unwrap();
        let wrong = (0..test.n()).filter(|&i| Some(Label::at(argmax(together.column(i)))) != test.cases().labels()[i]);
        let error = wrong.count() as f64 / test.n() as f64;
        // The error that the generator says, within three standard deviations.
        let expected = EASY.error(on_score(score, policy.thresholds()[0].threshold));
        assert!((error - expected).abs() < 0.008, "{error} {expected}");
        assert!(error <= 0.15);
        let weights = policy.weigh(test.cases()).unwrap();
        let deferred = weights.iter().filter(|w| w[0] > 0.0).count() as f64 / test.n() as f64;
        let chosen = &policy.thresholds()[0];
        assert!((deferred - chosen.deferred as f64 / chosen.cases as f64).abs() < 0.06);
    }
}

#[test]
fn a_group_is_needed_where_it_has_its_own_threshold() {
    let data = draw(&[EASY, EASY], 2000, &Stream::new(6));
    let own = Guarantee::at_most(0.18, Given).by("g");
    let policy = fit(&own, &data, 0).unwrap();
    assert_eq!(policy.needs_group(), Some("g"));
    let shared = fit(&Guarantee { group_known: false, ..own }, &data, 0).unwrap();
    assert_eq!(shared.needs_group(), None);
    let foreign = draw(&[EASY, EASY, EASY], 9, &Stream::new(7));
    assert_eq!(
        policy.weigh(foreign.cases()).unwrap_err().to_string(),
        "group attribute g has the value `2`, which was not there in training"
    );
    assert!(shared.weigh(foreign.cases()).is_ok());
}

#[test]
fn parameters_are_checked() {
    let data = draw(&[EASY], 100, &Stream::new(8));
    let message = |guarantee: Guarantee<Given>| fit(&guarantee, &data, 0).err().unwrap().to_string();
    assert_eq!(
        message(Guarantee::at_most(1.0, Given)),
        "the bound on the system's error is 1, but must be above 0 and below 1"
    );
    assert!(
        message(Guarantee { promise: f64::NAN, ..Guarantee::at_most(0.1, Given) }).contains("promised probability")
    );
    assert!(message(Guarantee { share: 0.0, ..Guarantee::at_most(0.1, Given) }).contains("set aside is 0"));
    assert!(message(Guarantee::at_most(0.1, Given).by("age")).contains("no group attribute `age`; known: g"));
    assert!(message(Guarantee::at_most(0.001, Given)).contains("nothing deferred"));
}
