//! How often a bound on the error of the worst group is kept, over many divisions of the same cases, and at how many
//! labels, for several ways of asking.
//!
//! `worst_group_bound FILE ERROR PROMISE RESPLITS`, with FILE the published table of the MTurk posts. Prints one row a
//! rule: in how many divisions it says that it cannot promise the bound, the share of the others in which no group erred
//! more often on the test set, labels per case and accuracy there.

use std::error::Error;
use std::sync::Arc;

use deferral_core::{FitError, Splitter};
use deferral_data::{ReadOptions, Records, Role};
use deferral_eval::{
    Comparison, EvalError, Experiment, FeatureChoice, Method, MethodError, Panel, Record, Row, Source, run,
};
use rayon::prelude::*;

const TEST: f64 = 0.3;

#[expect(clippy::print_stdout, reason = "an example says what it found")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, error, promise, resplits] = arguments.as_slice() else {
        return Err("usage: worst_group_bound FILE ERROR PROMISE RESPLITS".into());
    };
    let options = ReadOptions::default()
        .column(Role::Text, "Tweet")
        .column(Role::Label, "True Label")
        .column(Role::Group, "Dialect")
        .wide("Expert *", ["-"]);
    let records = Records::from_wide(file.as_ref(), &options)?;
    let next = (TEST * records.n() as f64).round();
    let bound = format!("worst-error={error},promise={promise},for-next={next}");
    let methods = [
        format!("consult:price=0,{bound}"),
        format!("consult:price=0,choose=best,{bound}"),
        format!("consult:price=0,choose=random,{bound}"),
        format!("consult:price=0,{bound},group-known=no"),
        format!("consult:price=0,choose=random,{bound},group-known=no"),
        "consult:confidence=1,price=0".to_owned(),
    ];
    let source = Source::Table(Arc::new(records));
    let (error, resplits): (f64, u64) = (error.parse()?, resplits.parse()?);
    println!("refused  kept in  labels/case  accuracy  rule");
    for name in &methods {
        let experiment = |seed| -> Result<Experiment, MethodError> {
            Ok(Experiment {
                source: source.clone(),
                panel: Panel::Recorded,
                division: Splitter::Random { test: TEST }.into(),
                repetitions: 1,
                methods: vec![Method::parse(name, &[], Some("Dialect"))?],
                features: FeatureChoice::default(),
                group: Some("Dialect".into()),
                seed,
            })
        };
        let runs: Result<Vec<_>, EvalError> =
            (1..=resplits).into_par_iter().map(|seed| promised(run(&experiment(seed)?, &|_, _| {}))).collect();
        let promised: Vec<Comparison> = runs?.into_iter().flatten().collect();
        let n = promised.len().max(1) as f64;
        let mean = |value: &dyn Fn(&Row) -> f64| promised.iter().map(|run| value(&run.rows()[0])).sum::<f64>() / n;
        println!(
            "{:>7}  {:>7.3}  {:>11.2}  {:>8.4}  {name}",
            resplits - promised.len() as u64,
            promised.iter().filter(|run| run.of(0).all(|record| holds(record, error))).count() as f64 / n,
            mean(&|row| row.labels_per_case),
            mean(&|row| row.accuracy.map_or(f64::NAN, |accuracy| accuracy.mean)),
        );
    }
    Ok(())
}

/// A run, or nothing if the rule said that it could not promise the bound.
fn promised(run: Result<Comparison, EvalError>) -> Result<Option<Comparison>, EvalError> {
    match run {
        Err(EvalError::Method { source, .. }) if matches!(*source, EvalError::Fit(FitError::NoPromise(_))) => Ok(None),
        run => run.map(Some),
    }
}

/// Whether no group erred more often.
fn holds(record: &Record, error: f64) -> bool {
    record.by_group.iter().filter_map(|tally| Some(1.0 - tally.share()?)).fold(0.0, f64::max) <= error
}
