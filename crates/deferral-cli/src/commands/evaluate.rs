//! `deferral evaluate`: a fitted policy against known truth.

use deferral_core::{Policy, Stream};
use deferral_data::Part;
use deferral_eval::{Evaluation, Model, Table, evaluate};
use deferral_metrics::Measured;

use super::Globals;
use crate::args::Evaluate;
use crate::failure::Failure;
use crate::load::{self, Need};
use crate::render;

pub(crate) fn run(args: &Evaluate, globals: Globals) -> Result<(), Failure> {
    let model = Model::load(&args.model)?;
    let groups = args.group.as_deref().into_iter().chain(model.policy().needs_group());
    let records = load::records(&args.tables.cases, &args.tables.reading, Need::CasesOnly, groups)?;
    // A division that comes with the cases says which of them the model has not seen.
    let test = records.part(Part::Test);
    let records = if test.is_empty() { records } else { records.select(&test) };
    // The same stream as `decide`: what is measured is what would be done.
    let stream = Stream::new(globals.seed).child("decide");
    let verdicts = model.decide(&records, load::unknown_experts(args.unknown_experts), &stream)?;
    let found = evaluate(&model, &records, &verdicts, args.group.as_deref())?;
    if globals.json {
        return Ok(render::print_json(&found)?);
    }
    let mut text = format!("{}: {}\n\n", model.method().name, args.model.display());
    text.push_str(&render::table(&measures(&found)));
    text.push('\n');
    text.push_str(&render::table(&confusion(&found)));
    Ok(render::print(&text)?)
}

fn measures(found: &Evaluation) -> Table {
    let mut rows = Vec::new();
    let mut line = |what: &str, value: &Measured| {
        let interval = value.interval().map_or_else(String::new, |(low, high)| format!("[{low:.4}, {high:.4}]"));
        rows.push(vec![what.to_owned(), format!("{value:.4}"), interval, value.n().to_string()]);
    };
    line("accuracy", &found.accuracy);
    for group in &found.by_group {
        line(&format!("  on {}", group.group), &group.accuracy);
    }
    if !found.by_group.is_empty() {
        line("worst group", &found.worst_group);
        line("disparity", &found.disparity);
    }
    for rates in &found.rates {
        line(&format!("false positives on {}", rates.group), &rates.false_positive);
        line(&format!("false negatives on {}", rates.group), &rates.false_negative);
    }
    if !found.rates.is_empty() {
        line("disparate impact", &found.disparate_impact);
    }
    line("balanced accuracy", &found.balanced_accuracy);
    line("classifier alone", &found.classifier_accuracy);
    line("classifier AUC", &found.classifier_auc);
    line("decided by the model alone", &found.coverage);
    line("area under accuracy-coverage", &found.coverage_area);
    let mut number = |what: &str, value: f64| {
        rows.push(vec![what.to_owned(), format!("{value:.4}"), String::new(), found.cases.to_string()]);
    };
    number("labels per case", found.labels_per_case);
    number("cost per case", found.cost_per_case);
    if let Some(load) = &found.load {
        number("load: largest share", load.max_share);
        number("load: Gini", load.gini);
    }
    if found.dropped_votes > 0 {
        number("votes of unknown experts left out", found.dropped_votes as f64);
    }
    Table { header: ["", "value", "95 %", "n"].map(str::to_owned).to_vec(), rows }
}

fn confusion(found: &Evaluation) -> Table {
    let mut header = vec!["true \\ decided".to_owned()];
    header.extend(found.labels.iter().cloned());
    let row = |(name, counts): (&String, &Vec<usize>)| {
        std::iter::once(name.clone()).chain(counts.iter().map(ToString::to_string)).collect()
    };
    Table { header, rows: found.labels.iter().zip(&found.confusion).map(row).collect() }
}
