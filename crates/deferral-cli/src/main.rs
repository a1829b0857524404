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
use crate::commands::{Globals, audit, compare, decide, evaluate, fit, methods, quickstart, simulate};
use crate::failure::Failure;

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
        if threads == 0 {
            return Err(Failure::usage("--threads is 0, but must be 1 or more"));
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
        Command::Compare(args) => compare::run(&args, globals),
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
