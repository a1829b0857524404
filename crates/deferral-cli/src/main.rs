//! The binary `deferral`: argument parsing, files, progress bars, exit codes. No algorithm lives here.

mod args;
mod commands;
mod failure;
mod load;
mod output;
mod progress;
mod render;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::{Cli, Command};
use crate::commands::{Globals, audit, compare, decide, evaluate, fit, methods, quickstart, simulate, sweep};
use crate::failure::Failure;

/// More than any machine has, and few enough to start.
const MOST_THREADS: usize = 1024;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let code = failure.exit_code();
            failure.print();
            ExitCode::from(code)
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    if let Some(threads) = cli.threads {
        if !(1..=MOST_THREADS).contains(&threads) {
            return Err(Failure::usage(format!("--threads is {threads}, but must be from 1 to {MOST_THREADS}")));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        pool.map_err(|error| Failure::Other(error.into()))?;
    }
    let globals = Globals { seed: cli.seed, json: cli.json };
    match cli.command {
        Command::Quickstart(args) => quickstart::run(&args, globals),
        Command::Fit(args) => fit::run(&args, globals),
        Command::Decide(args) => decide::run(&args, globals),
        Command::Evaluate(args) => evaluate::run(&args, globals),
        Command::Compare(args) if args.grid.is_empty() => compare::run(&args, globals),
        Command::Compare(args) => sweep::run(&args, globals),
        Command::Frontier(args) => commands::frontier::run(&args, globals),
        Command::Assign(args) => commands::assign::run(&args, globals),
        Command::Aggregate(args) => commands::aggregate::run(&args, globals),
        Command::Allocate(args) => commands::allocate::run(&args, globals),
        Command::Journal(args) => commands::journal::run(&args, globals),
        Command::Audit(args) => audit::run(&args, globals),
        Command::Simulate(args) => simulate::run(&args, globals),
        Command::Methods => methods::run(globals),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "deferral", &mut script);
            Ok(render::print(&String::from_utf8_lossy(&script))?)
        }
    }
}
