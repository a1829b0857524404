//! `deferral decide`: final labels where votes are given, else whom to ask.

use std::path::Path;

use deferral_core::{Policy, Stream};
use deferral_data::{Format, RouteKind, RouteRow, write_routes, write_routes_to};
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
    let model = Model::load(&args.model)?;
    let records =
        load::records(&args.tables.cases, &args.tables.reading, Need::CasesOnly, model.policy().needs_group())?;
    let stream = Stream::new(globals.seed).child("decide");
    let voted = !records.experts.is_empty();
    let verdicts = if voted {
        model.decide(&records, load::unknown_experts(args.unknown_experts), &stream)?
    } else {
        model.allocate(&records, &stream)?
    };
    let routes = model.routes(&records, &verdicts, &model.digest()?, voted);
    if verdicts.dropped_votes > 0 {
        render::note(&format!("{} votes of unknown experts left out", verdicts.dropped_votes));
    }
    let Some(out) = &args.out else {
        if globals.json {
            return Ok(render::print_json(&routes)?);
        }
        let mut lines = Vec::new();
        write_routes_to(&mut lines, Format::Jsonl, &routes)?;
        return Ok(render::print(&String::from_utf8_lossy(&lines))?);
    };
    write_routes(out, &routes)?;
    if globals.json {
        return Ok(render::print_json(&routes)?);
    }
    Ok(render::print(&summary(&routes, &verdicts, voted, out))?)
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
