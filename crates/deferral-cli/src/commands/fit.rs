//! `deferral fit`: learn a policy from past decisions.

use deferral_core::{Context, Stream};
use deferral_eval::{Method, Model};
use serde::Serialize;

use super::Globals;
use crate::args::Fit;
use crate::failure::Failure;
use crate::load::{self, Need};
use crate::{output, progress, render};

#[derive(Serialize)]
struct Fitted {
    method: String,
    cases: usize,
    unlabelled_cases: usize,
    experts: usize,
    decisions: usize,
    status: Option<String>,
    notes: Vec<String>,
    model: String,
    written: String,
}

pub(crate) fn run(args: &Fit, globals: Globals) -> Result<(), Failure> {
    output::check(&args.out)?;
    let method = load::fair(&args.method, args.fairness.as_deref(), args.guarantee.as_deref());
    let method = Method::parse(&method, &[], args.group.as_deref()).map_err(Failure::input)?;
    let features = load::features(&args.features)?;
    let records = load::records(&args.tables.cases, &args.tables.reading, Need::Decisions, args.group.as_deref())?;
    let mut watch = progress::Training::new();
    let mut ctx = Context::new(Stream::new(globals.seed).child("fit"), &mut watch);
    let model = Model::fit(&records, &method, &features, &mut ctx)?;
    model.save(&args.out)?;
    let unlabelled = records.labels.iter().filter(|label| label.is_none()).count();
    let mut taken = vec![false; records.n()];
    Model::learned_from(&records, &method).train.into_iter().for_each(|case| taken[case] = true);
    let cases = taken.iter().filter(|taken| **taken).count();
    let decisions = records.decisions.iter().filter(|(case, _)| taken[case.index()]).count();
    let mut notes = watch.notes;
    notes.extend(model.promises());
    let fitted = Fitted {
        method: method.name,
        cases,
        unlabelled_cases: unlabelled,
        experts: records.experts.len(),
        decisions,
        status: watch.status.map(|status| status.to_string()),
        notes,
        model: model.digest()?,
        written: args.out.display().to_string(),
    };
    if globals.json {
        return Ok(render::print_json(&fitted)?);
    }
    let mut text = format!("{}\n", records.report);
    text.push_str(&format!(
        "{} fitted to {} cases and {} decisions of {} experts: {}\n",
        fitted.method,
        fitted.cases,
        fitted.decisions,
        fitted.experts,
        fitted.status.as_deref().unwrap_or("nothing to train")
    ));
    for note in &fitted.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text.push_str(&format!("model {} written to {}\n", fitted.model, fitted.written));
    Ok(render::print(&text)?)
}
