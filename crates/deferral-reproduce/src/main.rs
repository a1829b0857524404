//! The program `reproduce`: `run` rebuilds what was published, `merge` puts shares of it together.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use deferral_reproduce::cache::{Cache, Finished};
use deferral_reproduce::claims;
use deferral_reproduce::data::Data;
use deferral_reproduce::experiment::Experiment;
use deferral_reproduce::plan::{CODE, DataState, Plan, Wanted};
use deferral_reproduce::runner::{Found, Progress, run};
use deferral_reproduce::shard::{Part, Shard, jobs_of, merge};
use deferral_reproduce::verdict::{self, Count, Outcome};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Rebuilds published tables and figures, with a verdict for every cell.
#[derive(Debug, Parser)]
#[command(name = "reproduce")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs experiments and writes the report
    Run(RunArgs),
    /// Puts the parts of several machines together and writes the report
    Merge(MergeArgs),
}

#[derive(Debug, Args)]
struct Folders {
    /// The folder of the repository, with `fixtures`
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Where results go [default: target/reproduce of the repository]
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Folders {
    fn fixtures(&self) -> PathBuf {
        self.root.join("fixtures")
    }

    fn target(&self) -> PathBuf {
        self.root.join("target/reproduce")
    }
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Experiments, such as E2; all if none is named
    ids: Vec<String>,
    /// The same as naming them
    #[arg(long, value_name = "ID")]
    only: Vec<String>,
    /// A glance with few repetitions; its verdicts are provisional
    #[arg(long)]
    quick: bool,
    /// A seed in place of the one of each experiment
    #[arg(long)]
    seed: Option<u64>,
    /// Jobs at a time [default: all cores]
    #[arg(long)]
    jobs: Option<usize>,
    /// Says what would be run, and runs nothing
    #[arg(long)]
    list: bool,
    /// Runs only the i-th of n shares and writes it to the file --out
    #[arg(long, value_name = "i/n", requires = "out")]
    shard: Option<Shard>,
    /// The folder of the data [default: $DEFERRAL_DATA, else `data` of the repository]
    #[arg(long)]
    data: Option<PathBuf>,
    #[command(flatten)]
    folders: Folders,
}

#[derive(Debug, Args)]
struct MergeArgs {
    /// The parts
    #[arg(required = true)]
    parts: Vec<PathBuf>,
    #[command(flatten)]
    folders: Folders,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run_all(&args),
        Command::Merge(args) => merge_all(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run_all(args: &RunArgs) -> Result<ExitCode> {
    let start = Instant::now();
    let wanted = Wanted { only: [&args.ids[..], &args.only].concat(), quick: args.quick, seed: args.seed };
    let folder = args.data.clone().or_else(|| std::env::var_os("DEFERRAL_DATA").map(PathBuf::from));
    let folder = folder.unwrap_or_else(|| args.folders.root.join("data"));
    let experiments = read_experiments(&args.folders.fixtures().join("experiments"))?;
    let mut known: BTreeMap<String, DataState> = BTreeMap::new();
    let plan = Plan::of(experiments, wanted, &mut |_set| {
        let _ = &mut known;
        Ok(Ok("TODO".to_owned()))
    })?;
    if args.list {
        say(&listing(&plan));
        return Ok(ExitCode::SUCCESS);
    }
    let threads = args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    let cache = Cache::open(&args.folders.target().join("cache"))?;
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    let jobs = jobs_of(&plan, shard);
    let finished =
        with_progress(jobs.len(), |progress| run(&plan, &jobs, threads, &Data::in_folder(&folder), &cache, progress))?;
    if let (Some(shard), Some(out)) = (args.shard, &args.folders.out) {
        let part = Part {
            code: CODE.to_owned(),
            wanted: plan.wanted.clone(),
            data: known,
            plan: plan.digest(),
            shard,
            finished,
        };
        part.write(out)?;
        say(&format!("share {shard}: {} of {} jobs, written to {}", jobs.len(), plan.jobs.len(), out.display()));
        return Ok(ExitCode::SUCCESS);
    }
    let code = report(&plan, finished, threads, &args.folders)?;
    say(&format!("{:.0} s on {threads} threads", start.elapsed().as_secs_f64()));
    Ok(code)
}

fn merge_all(args: &MergeArgs) -> Result<ExitCode> {
    let parts = args.parts.iter().map(|path| Ok((path.display().to_string(), Part::read(path)?)));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let experiments = read_experiments(&args.folders.fixtures().join("experiments"))?;
    let (plan, finished) = merge(parts, &|wanted, data| {
        let unknown = |set: &str| deferral_reproduce::error::ReproduceError::Unknown {
            kind: "data set",
            name: set.to_owned(),
            known: data.keys().cloned().collect::<Vec<_>>().join(", "),
        };
        Plan::of(experiments.clone(), wanted, &mut |set| data.get(set).cloned().ok_or_else(|| unknown(set)))
    })?;
    report(&plan, finished, 1, &args.folders)
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

/// Runs `work` with the one progress display.
fn with_progress<T>(jobs: usize, work: impl FnOnce(&(dyn Fn(Progress<'_>) + Sync)) -> T) -> T {
    let on_terminal = std::io::stderr().is_terminal();
    let target = if on_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(jobs as u64), target);
    if let Ok(style) = ProgressStyle::with_template("{msg:4} {wide_bar} {pos}/{len} {elapsed} {eta}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_secs(1));
    let done = work(&|progress: Progress<'_>| {
        bar.set_message(progress.experiment.to_owned());
        bar.set_position(progress.done as u64);
        let tenths = |done: usize| 10 * done / progress.all.max(1);
        if !on_terminal && tenths(progress.done) > tenths(progress.done.saturating_sub(1)) {
            tell(&format!("{} of {} jobs ({})", progress.done, progress.all, progress.experiment));
        }
    });
    bar.finish_and_clear();
    done
}

/// Writes the report and says in short what it says.
fn report(plan: &Plan, finished: Vec<Finished>, threads: usize, _folders: &Folders) -> Result<ExitCode> {
    let found = Found::of(plan, finished);
    let mut all = Count::default();
    let mut unexplained = 0;
    for (at, experiment) in plan.experiments.iter().enumerate() {
        let tables = verdict::tables(plan, at, &found);
        let count = Count::of(&tables);
        let checked = claims::checked(plan, at, &found);
        let held = checked.iter().filter(|claim| claim.outcome == Outcome::Reproduces).count();
        let seconds = found.seconds.get(&at).copied().unwrap_or_default();
        say(&format!(
            "{:4} {:3} of {:3} cells, {:2} of {:2} claims, {:6.1} s  {}",
            experiment.id,
            count.reproduces,
            count.run(),
            held,
            checked.len(),
            seconds / threads as f64,
            experiment.title
        ));
        for table in &tables {
            for row in &table.rows {
                let show = |cell: &verdict::Cell| {
                    format!(
                        "{} [{}] {:?}",
                        cell.ours.map_or("-".into(), |v| format!("{v:.3}")),
                        cell.published.map_or("-".into(), |v| format!("{v:.2}")),
                        cell.outcome
                    )
                };
                say(&format!(
                    "      {:40} {}",
                    row.spec.name,
                    row.cells.iter().map(show).collect::<Vec<_>>().join("  ")
                ));
            }
        }
        for claim in checked {
            say(&format!("      {:?}: {} ({})", claim.outcome, claim.claim.text, claim.measured));
            unexplained += usize::from(claim.outcome == Outcome::Unexplained);
        }
        all = all.and(count);
    }
    say(&format!("{} of {} published cells reproduce, {} by rounding", all.reproduces, all.run(), all.by_rounding));
    Ok(if all.unexplained + unexplained == 0 || plan.wanted.quick { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "a program talks to the terminal")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "a program talks to the terminal")]
fn tell(text: &str) {
    eprintln!("{text}");
}
