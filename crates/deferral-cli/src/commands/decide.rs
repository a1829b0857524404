//! `deferral decide`: final labels where votes are given, else whom to ask.

use std::path::Path;

use deferral_core::{Policy, Stream};
use deferral_data::{Format, RouteKind, RouteRow, read_available, write_routes, write_routes_to};
use deferral_eval::{Model, Verdicts};

use super::Globals;
use crate::args::Decide;
use crate::failure::Failure;
use crate::load::{self, Need};
use crate::{output, render};

pub(crate) fn run(args: &Decide, globals: Globals) -> Result<(), Failure> {
    if let Some(out) = &args.out {
        output::check_table(out)?;
    }
    let model = load::asking(Model::load(&args.model)?, &args.asking)?;
    let records =
        load::records(&args.tables.cases, &args.tables.reading, Need::CasesOnly, model.policy().needs_group())?;
    let stream = Stream::new(globals.seed).child("decide");
    let unknown = load::unknown_experts(args.unknown_experts);
    if args.ask {
        let available = args.available.as_deref().map(read_available).transpose()?;
        let rows = model.ask_next(&records, unknown, available.as_deref(), &stream)?;
        let waiting = rows.iter().filter(|row| row.route == RouteKind::Ask).count();
        let summary = |out: &Path| {
            format!(
                "{} cases: {waiting} to ask about, {} decided\nwritten: {}\n",
                rows.len(),
                rows.len() - waiting,
                out.display()
            )
        };
        return hand_over(args.out.as_deref(), &rows, globals, &summary);
    }
    let voted = !records.experts.is_empty();
    let verdicts = match (args.budget, voted) {
        (Some(budget), true) => model.decide_within(budget, &records, unknown, &stream)?,
        (Some(_), false) => {
            return Err(Failure::usage("--budget is spent on votes; give their table with --decisions FILE"));
        }
        (None, true) => model.decide(&records, unknown, &stream)?,
        (None, false) => model.allocate(&records, &stream)?,
    };
    let routes = model.routes(&records, &verdicts, &model.digest()?, voted);
    if verdicts.dropped_votes > 0 {
        render::note(&format!("{} votes of unknown experts left out", verdicts.dropped_votes));
    }
    hand_over(args.out.as_deref(), &routes, globals, &|out| summary(&routes, &verdicts, voted, out))
}

/// Writes rows to their file and says so, or prints them.
fn hand_over(
    out: Option<&Path>,
    rows: &[RouteRow],
    globals: Globals,
    summary: &dyn Fn(&Path) -> String,
) -> Result<(), Failure> {
    if let Some(out) = out {
        write_routes(out, rows)?;
    }
    match out {
        _ if globals.json => Ok(render::print_json(&rows)?),
        Some(out) => Ok(render::print(&summary(out))?),
        None => {
            let mut lines = Vec::new();
            write_routes_to(&mut lines, Format::Jsonl, rows)?;
            Ok(render::print(&String::from_utf8_lossy(&lines))?)
        }
    }
}

fn summary(routes: &[RouteRow], verdicts: &Verdicts, voted: bool, out: &Path) -> String {
    let alone = routes.iter().filter(|row| row.route == RouteKind::Model).count();
    let labels: usize = verdicts.outcomes.iter().map(|outcome| outcome.labels_used).sum();
    let cost: f64 = verdicts.outcomes.iter().map(|outcome| outcome.cost).sum();
    // An empty sum is -0.
    let per_case = |total: f64| total / routes.len().max(1) as f64 + 0.0;
    let mut text = format!("{} cases: {alone} decided by the model alone", routes.len());
    if voted {
        text.push_str(&format!(
            ", {} with people, {:.2} labels and {:.2} cost per case\n",
            routes.len() - alone,
            per_case(labels as f64),
            per_case(cost)
        ));
    } else {
        text.push_str(&format!(", {} to be asked about (no votes given)\n", routes.len() - alone));
    }
    text + &format!("written: {}\n", out.display())
}
