//! `deferral simulate`: generated cases and decisions as files.

use std::path::Path;

use deferral_core::{Features, Names, Stream};
use deferral_data::{DecisionTable, Records};
use deferral_eval::{Panel, Source, from_generated};
use deferral_experts::{Moderation, ThreeClusters, boxed, panel, thin};
use serde::Serialize;

use super::Globals;
use crate::args::{Simulate, SimulateOut, SimulateWhat};
use crate::failure::Failure;
use crate::load::{self, Need};
use crate::{output, render};

#[derive(Serialize)]
struct Written {
    cases: usize,
    experts: usize,
    decisions: usize,
    files: Vec<String>,
}

pub(crate) fn run(args: &Simulate, globals: Globals) -> Result<(), Failure> {
    let stream = Stream::new(globals.seed).child("simulate");
    let written = match &args.what {
        SimulateWhat::Moderation { cases, experts, classes, out } => {
            check(out)?;
            let desk = Moderation { cases: *cases, experts: *experts, classes: *classes };
            write_both(from_generated(desk.generate(&stream).map_err(Failure::input)?)?, out)?
        }
        SimulateWhat::Clusters { cases, out } => {
            check(out)?;
            let clusters = Source::Clusters(ThreeClusters { cases: *cases });
            write_both(clusters.draw(&Panel::Recorded, &stream)?.as_ref().clone(), out)?
        }
        SimulateWhat::ClosedLoop(args) => return super::simulate_loop::run(args, globals),
        SimulateWhat::Experts { tables, group, panel: people, labels_per_case, decisions_out } => {
            let Some(disadvantaged) = &people.biased_against else {
                return Err(Failure::usage("name the disadvantaged group with --biased-against GROUP"));
            };
            output::check_table(decisions_out)?;
            let records = load::records(&tables.cases, &tables.reading, Need::CasesOnly, Some(group.as_str()))?;
            let data = records.dataset(Features::none(records.n()))?;
            let biased = load::biased_panel(people, disadvantaged, records.label_names.len());
            let attribute = data.cases().group(group).map_err(Failure::input)?;
            let experts = biased.draw(attribute, &stream.child("experts")).map_err(Failure::input)?;
            let names = Names::numbered("expert-", experts.len());
            let votes = panel(&boxed(experts), data.cases(), Some(group), &stream.child("votes"));
            let mut votes = votes.map_err(Failure::input)?;
            if let Some(k) = labels_per_case {
                votes = thin(&votes, *k, &stream.child("thin")).map_err(Failure::input)?;
            }
            if votes.is_empty() {
                let message = "nobody would decide anything; raise --biased, --flipped or --labels-per-case";
                return Err(Failure::usage(message));
            }
            let table = DecisionTable::new(votes, records.ids.clone(), names, records.label_names)?;
            table.write(decisions_out)?;
            written(&table, &[decisions_out.as_path()])
        }
    };
    if globals.json {
        return Ok(render::print_json(&written)?);
    }
    let Written { cases, experts, decisions, files } = &written;
    let text = format!("{cases} cases, {decisions} decisions of {experts} experts\nwritten: {}\n", files.join(", "));
    Ok(render::print(&text)?)
}

fn check(out: &SimulateOut) -> Result<(), Failure> {
    if out.cases_out == out.decisions_out {
        return Err(Failure::usage("--cases-out and --decisions-out name the same file; give each its own"));
    }
    output::check_table(&out.cases_out)?;
    output::check_table(&out.decisions_out)
}

fn write_both(records: Records, out: &SimulateOut) -> Result<Written, Failure> {
    let (cases, decisions) = records.into_tables()?;
    cases.write(&out.cases_out)?;
    decisions.write(&out.decisions_out)?;
    Ok(written(&decisions, &[out.cases_out.as_path(), out.decisions_out.as_path()]))
}

fn written(table: &DecisionTable, files: &[&Path]) -> Written {
    Written {
        cases: table.tasks.len(),
        experts: table.workers.len(),
        decisions: table.decisions.len(),
        files: files.iter().map(|file| file.display().to_string()).collect(),
    }
}
