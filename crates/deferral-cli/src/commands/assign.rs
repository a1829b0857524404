//! `deferral assign`: a batch of cases to experts who can take only so many.

use deferral_core::Policy;
use deferral_data::{Format, RouteKind, read_capacities, write_routes, write_routes_to};
use deferral_eval::{Assigning, Model};
use serde::Serialize;

use super::Globals;
use crate::args::{Assign, Gain};
use crate::failure::Failure;
use crate::load::{self, Need};
use crate::{output, render};

/// What `--json` prints beside the rows.
#[derive(Serialize)]
struct Summary {
    cases: usize,
    assigned: usize,
    value: f64,
    bound: f64,
    written: Option<String>,
}

pub(crate) fn run(args: &Assign, globals: Globals) -> Result<(), Failure> {
    if let Some(out) = &args.out {
        output::check_table(out)?;
    }
    let model = Model::load(&args.model)?;
    let capacities = read_capacities(&args.capacity)?;
    let records =
        load::records(&args.tables.cases, &args.tables.reading, Need::CasesOnly, model.policy().needs_group())?;
    let how = Assigning { price: args.price, in_nats: args.gain == Gain::Entropy, greedy: args.greedy };
    let (rows, assignment) = model.assign(&records, load::unknown_experts(args.unknown_experts), &capacities, how)?;
    let summary = Summary {
        cases: rows.len(),
        assigned: rows.iter().filter(|row| row.route == RouteKind::Ask).count(),
        value: assignment.value,
        bound: assignment.bound,
        written: args.out.as_ref().map(|out| out.display().to_string()),
    };
    let Some(out) = &args.out else {
        if globals.json {
            return Ok(render::print_json(&rows)?);
        }
        let mut lines = Vec::new();
        write_routes_to(&mut lines, Format::Jsonl, &rows)?;
        return Ok(render::print(&String::from_utf8_lossy(&lines))?);
    };
    write_routes(out, &rows)?;
    if globals.json {
        return Ok(render::print_json(&summary)?);
    }
    let what = if how.in_nats { "nats" } else { "errors" };
    let text = format!(
        "{} cases: {} assigned, {} decided as they stand; worth {:.3} {what} (no assignment is worth more than {:.3})\nwritten: {}\n",
        summary.cases,
        summary.assigned,
        summary.cases - summary.assigned,
        summary.value,
        summary.bound,
        out.display()
    );
    Ok(render::print(&text)?)
}
