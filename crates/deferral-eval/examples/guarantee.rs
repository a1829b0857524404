//! How often a guarantee is kept: `guarantee FILE.npz ERROR PROMISE TIMES`.
//!
//! What is promised is that a bound is given *and* broken in at most a share of 1 - PROMISE of all draws. Where the bound is
//! barely within reach most draws give none, and those few that do are the lucky ones.
//!
//! A model that defers is fitted to the training part of a learning-to-defer file. Then, TIMES times, a deferral threshold
//! is chosen on cases drawn from the test part, once for all cases and once for every group at once, and it is counted how
//! often the error exceeds ERROR
//!
//! - on all cases of the test part, when the threshold is chosen on half as many, drawn with replacement: the draws are
//!   then independent of each other, as the promise supposes, and the error on the whole part is the truth about them;
//! - on the other half, when it is chosen on a quarter, drawn without: what a new sample shows, whose own chance comes on
//!   top of the promise.

use std::path::Path;

use deferral_core::{
    CaseWeights, Cases, Context, Dataset, Decisions, ExpertId, Features, FitError, Label, Learner, Names, Policy,
    Random, Silent, Stream, argmax,
};
use deferral_data::{Part, numpy::read_learning_to_defer};
use deferral_fairness::{DeferBy, Guarantee, GuaranteedPolicy};
use deferral_losses::{Aim, Idk, IdkPolicy};
use deferral_metrics::clopper_pearson;
use rand::RngExt;
use rand::seq::SliceRandom;

/// A policy that is already there.
struct Fitted(IdkPolicy);

impl Learner for Fitted {
    type Policy = IdkPolicy;
    fn fit(&self, _: &Dataset, _: &CaseWeights, _: &mut Context<'_>) -> Result<IdkPolicy, FitError> {
        Ok(self.0.clone())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, error, promise, times] = &arguments[..] else {
        return Err("guarantee FILE.npz ERROR PROMISE TIMES".into());
    };
    let (error, promise, times): (f64, f64, usize) = (error.parse()?, promise.parse()?, times.parse()?);
    let records = read_learning_to_defer(Path::new(file))?;
    let numeric = records.inputs.numeric.as_ref().ok_or("no features")?;
    let data = records.dataset(Features::dense(numeric.values.clone())?)?;
    let part = |part| data.select(&records.part(part));
    let train = part(Part::Train).with_held_out(part(Part::Validation))?;
    let learner: Idk = Idk { aim: Aim::Defer, gamma: 0.05, ..Idk::default() };
    let policy =
        learner.fit(&train, &CaseWeights::uniform(train.n()), &mut Context::new(Stream::new(1), &mut Silent))?;
    let test = part(Part::Test);
    for by_group in [false, true] {
        let guarantee = Guarantee::at_most(error, Fitted(policy.clone()));
        let guarantee = Guarantee { promise, share: 0.5, score: DeferBy::Deferral, ..guarantee };
        let guarantee = if by_group { guarantee.by("A") } else { guarantee };
        for replace in [true, false] {
            let mut count = Count::default();
            for time in 0..times {
                count.add(&guarantee, &test, replace, by_group, Stream::new(2).nth(time), error)?;
            }
            let what = if by_group { "every group" } else { "all cases" };
            let how = if replace { "the whole, drawn with replacement" } else { "the other half" };
            report(&format!("{what}, error on {how}"), &count);
        }
    }
    Ok(())
}

/// What came of many choices of a threshold.
#[derive(Default)]
struct Count {
    promised: usize,
    refused: usize,
    broken: usize,
    deferred: f64,
}

impl Count {
    fn add(
        &mut self,
        guarantee: &Guarantee<Fitted>,
        test: &Dataset,
        replace: bool,
        by_group: bool,
        stream: Stream,
        error: f64,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let n = test.n();
        let mut random: Random = stream.random();
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut random);
        let (drawn, judged): (Vec<usize>, Vec<usize>) = if replace {
            ((0..n).map(|_| random.random_range(0..n)).collect(), (0..n).collect())
        } else {
            (order[..n / 2].to_vec(), order[n / 2..].to_vec())
        };
        let sample = copies(test, &drawn)?;
        let mut ctx_observer = Silent;
        let mut ctx = Context::new(stream, &mut ctx_observer);
        match guarantee.fit(&sample, &CaseWeights::uniform(sample.n()), &mut ctx) {
            Ok(policy) => {
                self.promised += 1;
                let (worst, deferred) = judge(&policy, &test.select(&judged), by_group)?;
                self.broken += usize::from(worst > error);
                self.deferred += deferred;
                Ok(())
            }
            Err(FitError::NoPromise(_)) => {
                self.refused += 1;
                Ok(())
            }
            Err(other) => Err(other.into()),
        }
    }
}

/// Cases that may occur several times, under names of their own.
fn copies(data: &Dataset, drawn: &[usize]) -> Result<Dataset, Box<dyn std::error::Error>> {
    let cases = data.cases();
    let features = cases.features().select(drawn);
    let labels = drawn.iter().map(|&case| cases.labels()[case]).collect();
    let mut copied = Cases::new(Names::numbered("case", drawn.len()), features)?.with_labels(labels)?;
    for group in cases.groups() {
        copied = copied.with_group(group.select(drawn))?;
    }
    let vote = |(copy, &case): (usize, &usize)| {
        let label = data.decisions().get(deferral_core::CaseId::at(case), ExpertId(0))?;
        Some((copy as u32, 0, label.0))
    };
    let decisions = Decisions::from_triples(drawn.len(), 1, drawn.iter().enumerate().filter_map(vote))?;
    Ok(Dataset::new(copied, decisions, data.label_names().clone(), data.experts().clone())?)
}

/// The error on all cases or on the worst group, and the share of cases deferred.
fn judge(
    policy: &GuaranteedPolicy<IdkPolicy>,
    data: &Dataset,
    by_group: bool,
) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    let (together, weights) = (policy.together(data)?, policy.weigh(data.cases())?);
    let gold = data.gold()?;
    let group = data.cases().group("A")?;
    let wrong = |case: usize| Label::at(argmax(together.column(case))) != gold[case];
    let error = |wanted: Option<usize>| {
        let cases: Vec<usize> =
            (0..data.n()).filter(|&case| wanted.is_none_or(|g| group.of_case[case].index() == g)).collect();
        cases.iter().filter(|&&case| wrong(case)).count() as f64 / cases.len().max(1) as f64
    };
    let worst = if by_group { (0..group.len()).map(|g| error(Some(g))).fold(0.0, f64::max) } else { error(None) };
    let deferred = weights.iter().filter(|column| column[0] > column[1]).count() as f64 / data.n() as f64;
    Ok((worst, deferred))
}

fn report(what: &str, count: &Count) {
    let draws = count.promised + count.refused;
    let (low, high) = clopper_pearson(count.broken, draws, 0.95).unwrap_or((0.0, 1.0));
    let share = count.broken as f64 / draws.max(1) as f64;
    let deferred = 100.0 * count.deferred / count.promised.max(1) as f64;
    #[expect(clippy::print_stdout, reason = "an example prints")]
    {
        println!(
            "{what}: promised and broken in {share:.3} [{low:.3}, {high:.3}] of {draws} draws ({} broken of {} promises), \
             {deferred:.0} % deferred",
            count.broken, count.promised
        );
    }
}
