//! `deferral journal`: what a journal holds, whether it is as it was written, and what another policy would have achieved.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use deferral_allocation::{
    ClosedLoop, Evaluated, Head, Journal, JournalError, LoopSpec, Method, Statistics, Verified, evaluate, logged,
};
use deferral_core::{Label, Names, Stream};
use deferral_data::{ReadOptions, read_cases};
use deferral_eval::Table;
use deferral_metrics::{OffPolicy, OffPolicyEstimate};
use serde::Serialize;

use super::Globals;
use crate::args::{JournalArgs, JournalWhat};
use crate::failure::Failure;
use crate::render;

pub(crate) fn run(args: &JournalArgs, globals: Globals) -> Result<(), Failure> {
    match &args.what {
        JournalWhat::Stats { file } => stats(file, globals),
        JournalWhat::Verify { file, head } => verify(file, head.as_deref(), globals),
        JournalWhat::Export { file } => export(file),
        JournalWhat::Evaluate { file, policy, gold, clip } => estimate(file, policy, gold.as_ref(), *clip, globals),
    }
}

fn stats(file: &Path, globals: Globals) -> Result<(), Failure> {
    let stats = deferral_allocation::stats(file)?;
    if globals.json {
        return Ok(render::print_json(&stats)?);
    }
    Ok(render::print(&stats_text(&stats))?)
}

fn stats_text(stats: &Statistics) -> String {
    let listed = |counts: &mut dyn Iterator<Item = (String, u64)>| {
        counts.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    };
    let of = |counts: String| if counts.is_empty() { counts } else { format!(": {counts}") };
    let kinds = listed(&mut stats.kinds.iter().map(|(kind, count)| ((*kind).to_owned(), *count)));
    let labels = listed(&mut stats.labels.iter().map(|(label, count)| (label.clone(), *count)));
    format!(
        "events     {}{}\ntasks      {} open, {} decided{}; {} without an answer\nvotes      {} counted, {} late\n\
         people     {} there, {} ever\nfile       {} bytes\nhead       {}\n",
        stats.events,
        of(kinds),
        stats.open,
        stats.decided,
        of(labels),
        stats.unanswered,
        stats.counted,
        stats.late,
        stats.present,
        stats.annotators,
        stats.bytes,
        stats.head,
    )
}

fn verify(file: &Path, head: Option<&str>, globals: Globals) -> Result<(), Failure> {
    let parsed = |head: &str| {
        let wrong = |_| Failure::usage(format!("--head is `{head}`, but must be 64 hexadecimal digits"));
        Head::from_hex(head).map_err(wrong)
    };
    let verified = deferral_allocation::verify(file, head.map(parsed).transpose()?)?;
    if globals.json {
        return Ok(render::print_json(&verified)?);
    }
    let Verified { events, head, expected, snapshots } = &verified;
    let known = expected.map_or_else(String::new, |at| format!("the hash given is that after event {at}\n"));
    let snapshots = snapshots.len();
    let text = format!(
        "nothing is wrong: {events} events answered again the same way, {snapshots} snapshots\n{known}head {head}\n"
    );
    Ok(render::print(&text)?)
}

fn export(file: &Path) -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    deferral_allocation::export(file, |record| {
        serde_json::to_writer(&mut out, &record).map_err(std::io::Error::from)?;
        Ok::<(), Failure>(out.write_all(b"\n")?)
    })?;
    Ok(out.flush()?)
}

/// What a journal says of a policy.
#[derive(Serialize)]
struct Estimate<'a> {
    policy: &'a str,
    #[serde(flatten)]
    found: Evaluated,
}

fn estimate<'a>(
    file: &Path,
    policies: &'a [String],
    gold: Option<&PathBuf>,
    clip: Option<f64>,
    globals: Globals,
) -> Result<(), Failure> {
    let spec = Journal::open(file)?.spec()?;
    let gold = gold.map_or(Ok(BTreeMap::new()), |path| read_gold(path, &spec))?;
    let log = logged(file, &gold)?;
    let options = OffPolicy { seats: spec.method.draws(), clip, ..OffPolicy::default() };
    let stream = Stream::new(globals.seed).child("evaluate");
    let estimate = |policy: &'a String| {
        let other = LoopSpec { method: Method::parse(policy).map_err(Failure::input)?, ..spec.clone() };
        let mut target = ClosedLoop::start(&other).map_err(Failure::input)?.into_allocator();
        let found = evaluate(&log, &mut target, &options, &stream)
            .map_err(|error| Failure::usage(format!("{policy}: {error}")))?;
        Ok(Estimate { policy, found })
    };
    let estimates: Vec<Estimate<'_>> = policies.iter().map(estimate).collect::<Result<_, Failure>>()?;
    if globals.json {
        return Ok(render::print_json(&estimates)?);
    }
    Ok(render::print(&estimates_text(&estimates))?)
}

fn estimates_text(estimates: &[Estimate<'_>]) -> String {
    let header = ["policy", "inverse propensity", "self-normalised", "doubly robust", "effective tasks", "unsupported"];
    let row = |estimate: &Estimate<'_>| {
        let of = &estimate.found.estimates;
        let shown = [&of.inverse_propensity, &of.self_normalised, &of.doubly_robust].map(with_interval);
        let numbers = [format!("{:.0}", of.effective_cases), format!("{:.3}", of.unsupported)];
        std::iter::once(estimate.policy.to_owned()).chain(shown).chain(numbers).collect()
    };
    let table = Table {
        header: header.iter().map(|name| (*name).to_owned()).collect(),
        rows: estimates.iter().map(row).collect(),
    };
    let Some(Estimate { found, .. }) = estimates.first() else { return String::new() };
    let judged = if found.by_votes > 0 { "agreement with the labels that the votes gave" } else { "the labels given" };
    format!(
        "{}\nthe journal's own draws: {} on {} tasks; judged by {judged}\n",
        render::table(&table),
        with_interval(&found.estimates.logged),
        found.estimates.cases,
    )
}

fn with_interval(estimate: &OffPolicyEstimate) -> String {
    let Some(value) = estimate.value.value() else { return "-".to_owned() };
    match estimate.value.interval() {
        Some((low, high)) => format!("{value:.3} [{low:.3}, {high:.3}]"),
        None => format!("{value:.3}"),
    }
}

/// The labels of a table, by task.
fn read_gold(path: &Path, spec: &LoopSpec) -> Result<BTreeMap<String, Label>, Failure> {
    let classes: Names = spec.classes.iter().collect();
    let table = read_cases(path, &ReadOptions::default())?;
    let class_of = |name: &str| {
        let known = spec.classes.join(", ");
        let unknown =
            || Failure::usage(format!("{}: the label `{name}` is none of the journal's: {known}", path.display()));
        classes.position(name).map(Label::at).ok_or_else(unknown)
    };
    let classes: Vec<Label> = table.label_names.iter().map(class_of).collect::<Result<_, _>>()?;
    let labelled = table.labels.iter().enumerate();
    let gold = labelled.filter_map(|(at, label)| Some((table.ids.show(at).to_owned(), classes[(*label)?.index()])));
    Ok(gold.collect())
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Full { .. } | JournalError::Storage { .. } | JournalError::Stopped { .. } => {
                Self::Other(error.into())
            }
            _ => Self::Input(error.into()),
        }
    }
}
