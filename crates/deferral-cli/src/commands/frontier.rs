//! `deferral frontier`: accuracy and cost against labels per case, for every method at several efforts.

use std::path::Path;

use deferral_core::files::write_atomically;
use deferral_eval::{Efforts, Frontier, frontier};

use super::Globals;
use super::compare::{Form, about, experiment};
use crate::args::Frontier as Args;
use crate::failure::Failure;
use crate::{output, progress, render};

/// The headline beside its control and the honest baselines.
const DEFAULT_METHODS: [&str; 5] = ["consult", "consult:choose=random", "majority", "hierarchical", "classifier"];

pub(crate) fn run(args: &Args, globals: Globals) -> Result<(), Failure> {
    for path in &args.compare.outputs {
        Form::of(path)?;
        output::check(path)?;
    }
    let experiment = experiment(&args.compare, &DEFAULT_METHODS, globals)?;
    let efforts = Efforts {
        prices: args.prices.clone(),
        confidences: args.confidences.clone(),
        labels: args.labels.clone(),
        at: args.at.clone(),
        accuracies: args.accuracies.clone(),
        up_to: args.up_to,
        resamples: args.resamples,
    };
    let jobs = experiment.plan().map_err(Failure::input)?.len();
    let bar = progress::bar(jobs as u64, "going along the frontier");
    let result = frontier(&experiment, &efforts, &|done, _| bar.set_position(done as u64));
    bar.finish_and_clear();
    let frontier = result?;
    let about = about(&experiment, &args.compare);
    for path in &args.compare.outputs {
        write(path, &frontier, &about)?;
    }
    if globals.json {
        return Ok(render::print_json(&frontier)?);
    }
    let mut text = String::new();
    for table in tables(&frontier) {
        text.push_str(&render::table(&table));
        text.push('\n');
    }
    text.push_str(&footnote(&frontier));
    for path in &args.compare.outputs {
        text.push_str(&format!("written: {}\n", path.display()));
    }
    Ok(render::print(&text)?)
}

fn tables(frontier: &Frontier) -> Vec<deferral_eval::Table> {
    vec![frontier.points(), frontier.areas(), frontier.differences(), frontier.needed(), frontier.trustworthiness()]
}

fn footnote(frontier: &Frontier) -> String {
    let (repetitions, folds) = frontier.repetitions;
    let mut text = format!(
        "{repetitions} x {folds} test sets. Intervals are those of a bootstrap over cases, 95 %, all methods on the same ones; of\n\
         shares by Wilson. Curves are straight between points and begin at the most frequent label ({:.4}) for no label.\n",
        frontier.base
    );
    for note in &frontier.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

fn write(path: &Path, frontier: &Frontier, about: &[(String, String)]) -> Result<(), Failure> {
    let text = match Form::of(path)? {
        Form::Html => frontier.html("Accuracy for the labels spent", about)?,
        Form::Markdown => {
            tables(frontier).iter().map(|table| table.markdown() + "\n").collect::<String>() + &footnote(frontier)
        }
        Form::Csv => frontier.points().csv(),
        Form::Json => render::json(frontier)?,
    };
    Ok(write_atomically(path, |file| file.write_all(text.as_bytes()))?)
}
