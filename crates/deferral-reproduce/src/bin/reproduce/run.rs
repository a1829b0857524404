//! `reproduce run` and `reproduce merge`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use deferral_reproduce::cache::{Cache, Finished};
use deferral_reproduce::catalogue::Catalogue;
use deferral_reproduce::claims::{self, Checked};
use deferral_reproduce::data::Data;
use deferral_reproduce::error::ReproduceError;
use deferral_reproduce::experiment::Experiment;
use deferral_reproduce::papers::Papers;
use deferral_reproduce::plan::{CODE, DataState, Plan, Wanted};
use deferral_reproduce::report;
use deferral_reproduce::runner::{Found, run};
use deferral_reproduce::shard::{Part, Shard, jobs_of, merge};
use deferral_reproduce::verdict::{self, Count, Outcome};

use crate::progress::with_progress;
use crate::{Folders, MergeArgs, RunArgs, say, tell};

/// Runs experiments, or says what would be run.
pub(crate) fn run_all(args: &RunArgs) -> Result<ExitCode> {
    let start = Instant::now();
    let wanted = Wanted { only: [&args.ids[..], &args.only].concat(), quick: args.quick, seed: args.seed };
    let folder = args.folders.data(args.data.as_deref());
    let catalogue = Catalogue::read(&args.folders.catalogue())?;
    let experiments = read_experiments(&args.folders.fixtures().join("experiments"))?;
    let known: RefCell<BTreeMap<String, DataState>> = RefCell::default();
    let plan = Plan::of(experiments, wanted, &mut |set| {
        if let Some(state) = known.borrow().get(set) {
            return Ok(state.clone());
        }
        let state = state_of(&catalogue, set, &folder)?;
        known.borrow_mut().insert(set.to_owned(), state.clone());
        Ok(state)
    })?;
    if args.list {
        say(&listing(&plan));
        return Ok(ExitCode::SUCCESS);
    }
    let threads = args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    let cache = Cache::open(&args.folders.target().join("cache"))?;
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    let jobs = jobs_of(&plan, shard);
    let finished = with_progress(jobs.len(), |progress| {
        run(&plan, &jobs, threads, &Data::new(&folder, &catalogue), &cache, progress)
    })?;
    if let (Some(shard), Some(out)) = (args.shard, &args.folders.out) {
        let part = Part {
            code: CODE.to_owned(),
            wanted: plan.wanted.clone(),
            data: known.into_inner(),
            plan: plan.digest(),
            shard,
            finished,
        };
        part.write(out)?;
        say(&format!("share {shard}: {} of {} jobs, written to {}", jobs.len(), plan.jobs.len(), out.display()));
        return Ok(ExitCode::SUCCESS);
    }
    let code = report(&plan, finished, threads, &args.folders)?;
    say(&format!("{:.0} s in all, on {threads} threads", start.elapsed().as_secs_f64()));
    Ok(code)
}

/// Puts parts together.
pub(crate) fn merge_all(args: &MergeArgs) -> Result<ExitCode> {
    let parts = args.parts.iter().map(|path| Ok((path.display().to_string(), Part::read(path)?)));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let experiments = read_experiments(&args.folders.fixtures().join("experiments"))?;
    let (plan, finished) = merge(&parts, &|wanted, data| {
        let unknown = |set: &str| ReproduceError::Unknown {
            kind: "data set",
            name: set.to_owned(),
            known: data.keys().cloned().collect::<Vec<_>>().join(", "),
        };
        Plan::of(experiments.clone(), wanted, &mut |set| data.get(set).cloned().ok_or_else(|| unknown(set)))
    })?;
    report(&plan, finished, 1, &args.folders)
}

/// What is known of a data set: its digest, or what is wrong with it.
fn state_of(catalogue: &Catalogue, set: &str, folder: &Path) -> Result<DataState, ReproduceError> {
    let Some(known) = catalogue.get(set) else {
        let names = catalogue.names().join(", ");
        return Err(ReproduceError::Unknown { kind: "data set", name: set.to_owned(), known: names });
    };
    let problems = known.told(folder);
    if !problems.is_empty() {
        return Ok(Err(problems));
    }
    Ok(known.digest(folder).map(|digest| digest.to_string()).map_err(|problem| vec![problem.to_string()]))
}

/// The experiments of a folder, E2 before E10.
fn read_experiments(folder: &Path) -> Result<Vec<Experiment>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{} could not be read", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        bail!("{} has no experiment (*.toml)", folder.display());
    }
    paths.sort_by_key(|path| path.file_stem().map(|stem| (stem.len(), stem.to_owned())));
    paths.iter().map(|path| Ok(Experiment::read(path)?)).collect()
}

fn listing(plan: &Plan) -> String {
    let mut text = String::new();
    for (at, experiment) in plan.experiments.iter().enumerate() {
        text += &format!("{}  {}\n", experiment.id, experiment.title);
        for (study_at, study) in experiment.studies.iter().enumerate() {
            let jobs = plan.jobs.iter().filter(|job| (job.experiment, job.study) == (at, study_at)).count();
            let not_here = plan.not_here.iter().find(|not| (not.experiment, not.study) == (at, study_at));
            text += &match not_here {
                Some(not_here) => format!("    {}: not here: {}\n", study.name, not_here.problems.join("; ")),
                None => {
                    format!("    {}: {} repetitions in {jobs} jobs\n", study.name, plan.repetitions(study))
                }
            };
        }
    }
    text
}

/// Writes the report and says in short what it says. Nothing may differ without an explanation, but in a glance.
fn report(plan: &Plan, finished: Vec<Finished>, threads: usize, folders: &Folders) -> Result<ExitCode> {
    let found = Found::of(plan, finished);
    let papers = Papers::read(&folders.fixtures().join("papers.toml"))?;
    let out = folders.out.clone().unwrap_or_else(|| folders.target());
    report::write(plan, &found, &papers, &out)?;
    let mut lines = Vec::new();
    let (mut all, mut unexplained) = (Count::default(), Vec::new());
    for (at, experiment) in plan.experiments.iter().enumerate() {
        let tables = verdict::tables(plan, at, &found);
        let checked = claims::checked(plan, at, &found);
        let count = Count::of(&tables);
        let held = checked.iter().filter(|claim| claim.outcome == Outcome::Reproduces).count();
        let seconds = found.seconds.get(&at).copied().unwrap_or_default() / threads as f64;
        lines.push(format!(
            "{:4} {:>3} of {:>2} cells  {:>2} of {:>2} claims  {seconds:>6.1} s  {}",
            experiment.id,
            count.reproduces,
            count.run(),
            held,
            checked.len(),
            experiment.title
        ));
        unexplained.extend(unexplained_in(&experiment.id, &tables, &checked));
        all = all.and(count);
    }
    say(&lines.join("\n"));
    for not_here in &plan.not_here {
        let experiment = &plan.experiments[not_here.experiment];
        let study = &experiment.studies[not_here.study].name;
        say(&format!("{} `{study}` is not run here: {}", experiment.id, not_here.problems.join("; ")));
    }
    say(&totals(all));
    say(&format!("the report is {}", out.join("index.html").display()));
    if unexplained.is_empty() || plan.wanted.quick {
        return Ok(ExitCode::SUCCESS);
    }
    tell(&format!("these differ, and no file says why:\n{}", unexplained.join("\n")));
    Ok(ExitCode::FAILURE)
}

/// What differs, or was not measured by a study that was run, without anybody saying why.
fn unexplained_in(id: &str, tables: &[verdict::Table], checked: &[Checked]) -> Vec<String> {
    let is = |outcome| outcome == Some(Outcome::Unexplained);
    let rows = tables.iter().flat_map(|table| table.rows.iter().map(move |row| (&table.spec.title, row)));
    let rows = rows.filter(|(_, row)| row.cells.iter().any(|cell| is(cell.outcome)));
    let rows = rows.map(|(title, row)| format!("{id}, {title}: row `{}`", row.spec.name));
    let claims = checked.iter().filter(|claim| is(Some(claim.outcome)));
    rows.chain(claims.map(|claim| format!("{id}, claim: {}", claim.claim.text))).collect()
}

fn totals(all: Count) -> String {
    let share = 100.0 * all.reproduces as f64 / all.run().max(1) as f64;
    format!(
        "{} of {} published cells reproduce ({share:.1} %), {} of them because printed numbers are rounded; {} differ and \
         are explained, {} are not; {} cannot be run here",
        all.reproduces,
        all.run(),
        all.by_rounding,
        all.differs,
        all.unexplained,
        all.not_here
    )
}
