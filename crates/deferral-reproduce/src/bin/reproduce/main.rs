//! The program `reproduce`: `run` rebuilds what was published, `merge` puts shares of it together, `fetch` gets the data.

mod fetching;
mod progress;
mod run;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use deferral_reproduce::shard::Shard;

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
    /// Downloads public data sets and verifies them; never overwrites anything
    Fetch(FetchArgs),
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

    fn catalogue(&self) -> PathBuf {
        self.fixtures().join("data.toml")
    }

    /// The folder of the data: the one given, else `$DEFERRAL_DATA`, else `data` of the repository.
    fn data(&self, given: Option<&Path>) -> PathBuf {
        let named = given.map(Path::to_owned).or_else(|| std::env::var_os("DEFERRAL_DATA").map(PathBuf::from));
        named.unwrap_or_else(|| self.root.join("data"))
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
    /// The folder of the data [default: `$DEFERRAL_DATA`, else `data` of the repository]
    #[arg(long)]
    data: Option<PathBuf>,
    #[command(flatten)]
    folders: Folders,
}

#[derive(Debug, Args)]
struct FetchArgs {
    /// Data sets, such as mturk; all if none is named
    names: Vec<String>,
    /// Says what there is, where it comes from and what of it is here, and fetches nothing
    #[arg(long)]
    list: bool,
    /// The folder of the data [default: `$DEFERRAL_DATA`, else `data` of the repository]
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
        Command::Run(args) => run::run_all(&args),
        Command::Merge(args) => run::merge_all(&args),
        Command::Fetch(args) => fetching::fetch_sets(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            tell(&format!("error: {}", with_causes(&error)));
            ExitCode::FAILURE
        }
    }
}

/// An error with those of its causes that it does not tell itself.
fn with_causes(error: &anyhow::Error) -> String {
    error
        .chain()
        .skip(1)
        .map(ToString::to_string)
        .fold(error.to_string(), |text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") })
}

#[expect(clippy::print_stdout, reason = "a program talks to the terminal")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "a program talks to the terminal")]
fn tell(text: &str) {
    eprintln!("{text}");
}
