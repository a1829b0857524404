//! The words of the commands of the closed loop.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `deferral allocate`
#[derive(Debug, Args)]
pub(crate) struct Allocate {
    /// The journal: made if it is not there, else the loop goes on from it
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: PathBuf,
    #[command(flatten)]
    pub(crate) new: NewLoop,
    /// What time events happen at that do not say it
    #[arg(long, value_enum, default_value_t = Clock::System)]
    pub(crate) clock: Clock,
}

/// The parameters of a loop. A journal that is there keeps its own; what is given here must then be the same.
#[derive(Debug, Args)]
#[command(next_help_heading = "A new journal")]
pub(crate) struct NewLoop {
    /// How people are chosen, with settings: latent, smooth:k=5, uniform, ... [default: latent]
    #[arg(long, value_name = "NAME[:KEY=VALUE,...]")]
    pub(crate) policy: Option<String>,
    /// A setting of the policy (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// The labels that votes are for, two or more
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    pub(crate) labels: Vec<String>,
    /// The groups that tasks may belong to [default: those of --prior]
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    pub(crate) groups: Vec<String>,
    /// Number of features of a task [default: 0]
    #[arg(long, value_name = "D")]
    pub(crate) features: Option<usize>,
    /// Who is there from the start: a table with the column worker, and cost, capacity, budget
    #[arg(long, value_name = "FILE")]
    pub(crate) experts: Option<PathBuf>,
    /// How well they suit the groups: a table with the columns worker, group, similarity
    #[arg(long, value_name = "FILE")]
    pub(crate) prior: Option<PathBuf>,
    /// Seconds somebody has for a label before the task is offered to somebody else [default: for ever]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) lease: Option<f64>,
    /// How often the seats of a task are offered before the votes that came decide [default: 3]
    #[arg(long, value_name = "N")]
    pub(crate) offers: Option<u32>,
    /// Seconds of the time window of capacities [default: a day]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) window: Option<f64>,
}

/// Where the time of events comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Clock {
    /// The clock of the machine, in seconds since 1970; an event that says its time must say it on the same clock
    System,
    /// The events alone: one without a time happens at the time of the one before
    Events,
}

/// `deferral journal`
#[derive(Debug, Args)]
pub(crate) struct JournalArgs {
    #[command(subcommand)]
    pub(crate) what: JournalWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JournalWhat {
    /// Count what is in a journal, and show the hash that stands for all of it
    #[command(after_help = "Example:\n  deferral journal stats team.redb")]
    Stats {
        /// The journal
        #[arg(value_name = "JOURNAL")]
        file: PathBuf,
    },
    /// Look for any later edit: the chain of hashes, and every answer given again
    #[command(after_help = "Example:\n  deferral journal verify team.redb --head 5d0c...")]
    Verify {
        /// The journal
        #[arg(value_name = "JOURNAL")]
        file: PathBuf,
        /// A hash that `stats` or `verify` showed before: the journal must still hold what it stood for
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
    /// Write the events, the answers and their hashes to standard output, one JSON object a line
    #[command(after_help = "Example:\n  deferral journal export team.redb > events.jsonl")]
    Export {
        /// The journal
        #[arg(value_name = "JOURNAL")]
        file: PathBuf,
    },
    /// Estimate from the draws of a journal what another policy would have achieved
    #[command(after_help = "Example:\n  deferral journal evaluate team.redb --policy smooth --policy latent:k=1")]
    Evaluate {
        /// The journal
        #[arg(value_name = "JOURNAL")]
        file: PathBuf,
        /// A policy, with settings (repeatable)
        #[arg(long, required = true, value_name = "NAME[:KEY=VALUE,...]")]
        policy: Vec<String>,
        /// The right labels of some tasks, to judge by them: a table with the columns task and label [default: the labels
        /// that the votes gave]
        #[arg(long, value_name = "FILE")]
        gold: Option<PathBuf>,
        /// The largest weight of a draw; larger ones are cut, for less noise and some bias [default: none]
        #[arg(long, value_name = "WEIGHT")]
        clip: Option<f64>,
    },
}
