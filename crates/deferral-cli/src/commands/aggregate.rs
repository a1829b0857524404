//! `deferral aggregate`: many votes a task, one label.

use std::path::Path;

use deferral_core::{CaseId, Consensus, Context, ExpertId, Label, Stream, Trace, Workers};
use deferral_data::{Format, JoinReport, LabelRow, Records, WorkerRow, write_labels, write_labels_to, write_workers};
use deferral_eval::{NamedAggregator, aggregate, tasks};
use serde::Serialize;

use super::Globals;
use crate::args::{Aggregate, Reading};
use crate::failure::Failure;
use crate::load::{self, Need};
use crate::{output, progress, render};

/// What `--json` prints.
#[derive(Serialize)]
struct Summary {
    method: String,
    tasks: usize,
    workers: usize,
    votes: usize,
    iterations: usize,
    status: String,
    criterion: String,
    objective: Option<f64>,
    /// Of the tasks with a gold label, unless gold was believed.
    accuracy: Option<f64>,
    prior: Vec<f64>,
    label_names: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trace: Vec<f64>,
    labels: Vec<LabelRow>,
    workers_table: Vec<WorkerRow>,
    /// What was read and what of it was dropped.
    read: JoinReport,
}

pub(crate) fn run(args: &Aggregate, globals: Globals) -> Result<(), Failure> {
    for path in [&args.out, &args.workers_out].into_iter().flatten() {
        output::check_table(path)?;
    }
    if args.out.is_some() && args.out == args.workers_out {
        return Err(Failure::usage("--out and --workers-out name the same file; labels and workers are two tables"));
    }
    let method = NamedAggregator::parse(&args.method, args.group.as_deref()).map_err(Failure::input)?;
    let records = records(args)?;
    if args.gold && records.labels.iter().all(Option::is_none) {
        return Err(Failure::usage("--gold: no task has a gold label; name their column with --column label=NAME"));
    }
    let features = load::features(&args.features)?;
    let mut watch = progress::Training::new();
    let mut ctx = Context::new(Stream::new(globals.seed).child("aggregate"), &mut watch);
    let data = tasks(&records, std::slice::from_ref(&method), &features, &mut ctx)?;
    let gold = if args.gold { &records.labels[..] } else { &[] };
    let consensus = aggregate(&data, &records.decisions, &method, gold, &mut ctx)?;
    drop(watch);
    report(args, globals, &method, &records, &consensus)
}

fn records(args: &Aggregate) -> Result<Records, Failure> {
    let decisions = args.table.clone().or_else(|| args.reading.decisions.clone());
    match (&args.cases, decisions) {
        (Some(cases), decisions) => {
            let reading = Reading { decisions, ..args.reading.clone() };
            load::records(cases, &reading, Need::Decisions, args.group.as_deref())
        }
        (None, _) if args.reading.wide.is_some() => {
            Err(Failure::usage("--wide is about the table of cases; give it with --cases FILE"))
        }
        (None, Some(_)) if args.group.is_some() => {
            Err(Failure::usage("--group is an attribute of the cases; give their table with --cases FILE"))
        }
        (None, Some(decisions)) => load::votes(&decisions, &args.reading),
        (None, None) => Err(Failure::usage("where are the decisions? deferral aggregate DECISIONS.csv")),
    }
}

fn report(
    args: &Aggregate,
    globals: Globals,
    method: &NamedAggregator,
    records: &Records,
    consensus: &Consensus,
) -> Result<(), Failure> {
    let names: Vec<String> = records.label_names.iter().map(str::to_owned).collect();
    let (labels, workers) = (label_rows(records, consensus), worker_rows(records, consensus));
    // Both tables are complete before either is written.
    if let Some(out) = &args.out {
        write_labels(out, &labels, &names)?;
    }
    if let Some(out) = &args.workers_out {
        write_workers(out, &workers, &names)?;
    }
    let accuracy = accuracy(records, &consensus.labels).filter(|_| !args.gold);
    let trace = &consensus.trace;
    if globals.json {
        return Ok(render::print_json(&Summary {
            method: method.name.clone(),
            tasks: records.n(),
            workers: records.experts.len(),
            votes: records.decisions.len(),
            iterations: trace.values.len(),
            status: trace.status.to_string(),
            criterion: trace.criterion.to_string(),
            objective: trace.values.last().copied(),
            accuracy,
            prior: consensus.prior.clone(),
            label_names: names,
            trace: if args.trace { trace.values.clone() } else { Vec::new() },
            labels,
            workers_table: workers,
            read: records.report.clone(),
        })?);
    }
    let mut text = format!("{}: {}", method.name, summary(records, trace, accuracy));
    text.push_str(&format!("\n{}", read(&records.report)));
    if args.trace {
        for (at, value) in trace.values.iter().enumerate() {
            text.push_str(&format!("\n{:5}  {value:.6}", at + 1));
        }
    }
    for path in [&args.out, &args.workers_out].into_iter().flatten() {
        text.push_str(&format!("\nwritten: {}", path.display()));
    }
    if args.out.is_some() {
        return Ok(render::print(&format!("{text}\n"))?);
    }
    // The table has standard output for itself.
    render::note(&text);
    let mut table = Vec::new();
    write_labels_to(&mut table, Format::of(Path::new("labels.csv"))?, &labels, &names)?;
    Ok(render::print(&String::from_utf8_lossy(&table))?)
}

/// What was aggregated and how it went, in one line.
fn summary(records: &Records, trace: &Trace, accuracy: Option<f64>) -> String {
    let (votes, workers) = (counted(records.decisions.len(), "vote"), counted(records.experts.len(), "worker"));
    let mut text = format!("{votes} of {workers} on {}", counted(records.n(), "task"));
    if let Some(objective) = trace.values.last() {
        let (iterations, status, criterion) = (counted(trace.values.len(), "iteration"), trace.status, trace.criterion);
        text.push_str(&format!("; {status} after {iterations}, {criterion} {objective:.3}"));
    }
    if let Some(accuracy) = accuracy {
        text.push_str(&format!("; {accuracy:.4} of the gold labels"));
    }
    text
}

/// What was read and what of it was dropped; votes alone come with no table of tasks to speak of.
fn read(report: &JoinReport) -> String {
    if report.cases.rows == 0 { report.decisions.to_string() } else { report.to_string() }
}

/// `1 vote`, `2 votes`.
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn label_rows(records: &Records, consensus: &Consensus) -> Vec<LabelRow> {
    let row = |(task, label): (usize, &Label)| {
        let probabilities = consensus.probabilities.column(task);
        LabelRow {
            task: records.ids.show(task).to_owned(),
            label: records.label_names.show(label.index()).to_owned(),
            probability: probabilities.get(label.index()).copied().unwrap_or(0.0),
            probabilities: probabilities.to_vec(),
            votes: records.decisions.of_case(CaseId::at(task)).len(),
        }
    };
    consensus.labels.iter().enumerate().map(row).collect()
}

fn worker_rows(records: &Records, consensus: &Consensus) -> Vec<WorkerRow> {
    let classes = records.label_names.len();
    let table = match &consensus.workers {
        Workers::Weights(_) => None,
        Workers::Confusions(table) | Workers::ByGroup { anywhere: table, .. } => Some(table),
    };
    let row = |worker: usize| {
        let expert = ExpertId::at(worker);
        let votes = records.decisions.of_expert(expert);
        let agreeing = votes.iter().filter(|(task, label)| consensus.labels[task.index()] == *label).count();
        let pairs = (0..classes).flat_map(|truth| (0..classes).map(move |vote| (Label::at(truth), Label::at(vote))));
        WorkerRow {
            worker: records.experts.show(worker).to_owned(),
            votes: votes.len(),
            skill: consensus.skills[worker],
            agreement: (!votes.is_empty()).then(|| agreeing as f64 / votes.len() as f64),
            spam_rate: table.map(|table| table.spam_rate(expert)),
            confusion: table.map_or_else(Vec::new, |table| pairs.map(|(k, l)| table.get(expert, k, l)).collect()),
        }
    };
    (0..records.experts.len()).map(row).collect()
}

/// The share of the gold labels that these are; `None` without gold labels.
fn accuracy(records: &Records, labels: &[Label]) -> Option<f64> {
    let graded: Vec<bool> =
        records.labels.iter().zip(labels).filter_map(|(truth, label)| Some(truth.as_ref()? == label)).collect();
    let right = graded.iter().filter(|right| **right).count();
    (!graded.is_empty()).then(|| right as f64 / graded.len() as f64)
}
