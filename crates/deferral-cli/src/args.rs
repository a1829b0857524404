//! What the user wrote: the words of the command line, before anything is checked against files.

mod closed_loop;
mod simulate_loop;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use deferral_eval::DecisionMaker;

pub(crate) use self::closed_loop::{Allocate, Clock, JournalArgs, JournalWhat, NewLoop};
pub(crate) use self::simulate_loop::{ChangeKind, LoopDraws, LoopWorld, SimulateLoop};

/// Decide who decides: the model, one expert, or a committee.
///
/// Learns from past decisions of people who are fallible, biased, costly and mostly absent whom to trust with which
/// case, and compares methods honestly: every one beside majority vote, at the same number of labels per case.
#[derive(Debug, Parser)]
#[command(name = "deferral", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Seed of every random draw: the same seed gives the same output
    #[arg(long, global = true, default_value_t = DEFAULT_SEED, value_name = "N")]
    pub(crate) seed: u64,
    /// Threads to use; results do not depend on it [default: all cores]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The seed if none is said.
pub(crate) const DEFAULT_SEED: u64 = 1;

/// The most of anything that is generated or repeated, so that a slip of the finger gives a message and does not run
/// out of memory.
const MOST: usize = 10_000_000;

fn amount(text: &str) -> Result<usize, String> {
    let amount = text.parse().ok().filter(|amount| *amount <= MOST);
    amount.ok_or_else(|| format!("must be a whole number up to {MOST}"))
}

/// Labels kept of a case; `None` for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Labels(pub(crate) Option<usize>);

fn labels(text: &str) -> Result<Labels, String> {
    if text.trim() == "all" {
        return Ok(Labels(None));
    }
    let k = text.trim().parse().ok().filter(|k| (1..=MOST).contains(k));
    k.map(|k| Labels(Some(k))).ok_or_else(|| format!("must be numbers from 1 to {MOST}, or `all`, such as 1,2,3,5,all"))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything once on a generated moderation desk: compare methods, write a report, decide new cases
    #[command(after_help = "Example:\n  deferral quickstart --out report.html")]
    Quickstart(Quickstart),
    /// Learn a policy from past decisions and write it to a file
    #[command(
        after_help = "Example:\n  deferral fit --cases posts.csv --decisions labels.csv --method joint --out joint.dfr"
    )]
    Fit(Fit),
    /// Decide cases with a fitted policy: final labels where votes are given, else whom to ask
    #[command(after_help = "Example:\n  deferral decide --model joint.dfr --cases new.csv --out routes.csv")]
    Decide(Decide),
    /// Measure a fitted policy on cases whose truth is known
    #[command(
        after_help = "Example:\n  deferral evaluate --model joint.dfr --cases test.csv --decisions labels.csv --group dialect"
    )]
    Evaluate(Evaluate),
    /// Compare methods on the same splits, each beside its labels per case
    #[command(
        after_help = "Example:\n  deferral compare --cases posts.csv --decisions labels.csv --group dialect \\\n    --method majority --method joint --method joint:k=5 --folds 5 --out report.html"
    )]
    Compare(Compare),
    /// Accuracy and cost against labels per case, for every method at several efforts, on one picture
    #[command(
        after_help = "Example:\n  deferral frontier --cases posts.csv --decisions labels.csv --group dialect \\\n    --method consult --method majority --method hierarchical --out frontier.html"
    )]
    Frontier(Frontier),
    /// Give a batch of cases to experts who can take only so many, where their labels are worth most
    #[command(
        after_help = "Example:\n  deferral assign --model consult.dfr --cases new.csv --capacity capacity.csv --out assignment.csv"
    )]
    Assign(Assign),
    /// Run the closed loop: read tasks and votes as they come, write committees and labels, forget nothing
    #[command(
        after_help = "Example:\n  deferral allocate --journal team.redb --labels fine,abusive --experts experts.csv < events.jsonl"
    )]
    Allocate(Allocate),
    /// Look into the journal of a closed loop: count, verify, export, evaluate other policies
    Journal(JournalArgs),
    /// Turn many votes a task into one label, with a probability, and say what is believed of each worker
    #[command(
        after_help = "Examples:\n  deferral aggregate labels.csv --out consensus.csv --workers-out workers.csv\n  deferral aggregate labels.csv --cases posts.csv --method learning-from-crowds --out consensus.csv"
    )]
    Aggregate(Aggregate),
    /// Look at the experts: agreement, accuracy by expert and group, load, what was read and dropped
    #[command(after_help = "Example:\n  deferral audit --cases posts.csv --decisions labels.csv --group dialect")]
    Audit(Audit),
    /// Write generated cases and decisions to files
    #[command(after_help = "Example:\n  deferral simulate moderation --cases-out posts.csv --decisions-out labels.csv")]
    Simulate(Simulate),
    /// List the methods that --method takes, and the policies of the closed loop
    #[command(after_help = "Example:\n  deferral methods --json")]
    Methods,
    /// Print the completion script of a shell
    #[command(after_help = "Example:\n  deferral completions bash > /etc/bash_completion.d/deferral")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Where cases and decisions are, and how to read them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tables")]
pub(crate) struct Tables {
    /// Table of cases (.csv, .tsv, .jsonl): text or numbers, groups, gold labels. Or a .npz file of learning to defer,
    /// which holds the decisions too
    #[arg(long, value_name = "FILE")]
    pub(crate) cases: PathBuf,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// How tables are read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tables")]
pub(crate) struct Reading {
    /// Table of decisions: task, worker, label. Not needed with --wide. With a .npz file of cases: another one, of another
    /// decision-maker on the same cases
    #[arg(long, value_name = "FILE")]
    pub(crate) decisions: Option<PathBuf>,
    /// Decisions stand in the table of cases, one column an expert, matching this pattern: 'Expert *'
    #[arg(long, value_name = "PATTERN", conflicts_with = "decisions")]
    pub(crate) wide: Option<String>,
    /// What stands for a missing decision, beside an empty cell (repeatable)
    #[arg(long, value_name = "MARK")]
    pub(crate) missing: Vec<String>,
    /// Column of the cases for a role: task, text, label, group, feature, list, split (repeatable)
    #[arg(long = "column", value_name = "ROLE=NAME")]
    pub(crate) columns: Vec<String>,
    /// Column of the decisions for a role: task, worker, label, timestamp, seconds, confidence (repeatable)
    #[arg(long = "decision-column", value_name = "ROLE=NAME")]
    pub(crate) decision_columns: Vec<String>,
    /// Take all remaining columns of the cases as numeric features
    #[arg(long)]
    pub(crate) numeric: bool,
    /// Read one label as another (repeatable): '2=ok'
    #[arg(long = "map-label", value_name = "FROM=TO")]
    pub(crate) label_map: Vec<String>,
    /// Price of a label by worker: a table with the columns worker and cost [default: 1 each]
    #[arg(long, value_name = "FILE")]
    pub(crate) costs: Option<PathBuf>,
    /// What to do with decisions on tasks that the cases do not have
    #[arg(long, value_enum, default_value_t = Unknown::Refuse, value_name = "WHAT")]
    pub(crate) unknown_tasks: Unknown,
    /// Add decision-makers made from the cases: oracle, accurate, biased, inconsistent (Madras et al. 2018)
    #[arg(long, value_name = "WHO,...", value_delimiter = ',', value_parser = decision_maker)]
    pub(crate) decision_makers: Vec<DecisionMaker>,
    /// Add the group attribute `dialect` (AAE, other), inferred from the text by the TwitterAAE model in this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dialect: Option<PathBuf>,
}

/// Reads the name of a decision-maker.
fn decision_maker(text: &str) -> Result<DecisionMaker, String> {
    let known = || DecisionMaker::ALL.map(|(name, _)| name).join(", ");
    let found = DecisionMaker::ALL.iter().find(|(name, _)| *name == text);
    found.map(|(_, maker)| *maker).ok_or_else(|| format!("one of {} is needed", known()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Unknown {
    /// Say so and stop
    Refuse,
    /// Leave them out and count them
    Drop,
}

/// How cases become features.
#[derive(Debug, Args)]
#[command(next_help_heading = "Features")]
#[expect(clippy::struct_field_names, reason = "the option is called --features")]
pub(crate) struct Features {
    /// Features of every method that does not say [default: ngrams for linear models, svd for networks, numeric columns where there is no text]
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) features: Option<Kind>,
    /// Word vectors in the text format of GloVe, for --features vectors
    #[arg(long, value_name = "FILE")]
    pub(crate) vectors: Option<PathBuf>,
    /// Main directions kept of the n-grams [default: 100]
    #[arg(long, value_name = "N")]
    pub(crate) dim: Option<usize>,
    /// Whether dense features are standardised [default: what suits the kind]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) scale: Option<ScaleBy>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Word and character n-grams, sparse
    Ngrams,
    /// Their main directions, dense
    Svd,
    /// Mean word vectors
    Vectors,
    /// The numeric columns only
    Numeric,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScaleBy {
    /// As they are
    None,
    /// Mean 0, standard deviation 1 on the training cases
    Standard,
}

#[derive(Debug, Args)]
pub(crate) struct Quickstart {
    /// Where to write the report
    #[arg(long, default_value = "deferral-report.html", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Posts to generate
    #[arg(long, value_parser = amount, default_value_t = 1200, value_name = "N")]
    pub(crate) cases: usize,
    /// Classes: 2 or 3
    #[arg(long, default_value_t = 2, value_name = "K")]
    pub(crate) classes: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Fit {
    #[command(flatten)]
    pub(crate) tables: Tables,
    #[command(flatten)]
    pub(crate) features: Features,
    /// The method, with settings if any: 'joint:k=5,steps=500'. `deferral methods` lists them
    #[arg(long, default_value = "joint", value_name = "METHOD")]
    pub(crate) method: String,
    /// Fairness around the method, with settings if any: minimax, 'equalised-odds:slack=0.02', and others that
    /// `deferral methods` lists
    #[arg(long, value_name = "FAIRNESS", requires = "group")]
    pub(crate) fairness: Option<String>,
    /// Ask until the system's error is at most E with probability P, on all cases or on every group:
    /// 'error<=0.1@0.95,by-group'
    #[arg(long, value_name = "error<=E@P")]
    pub(crate) guarantee: Option<String>,
    /// Group attribute for methods that are fair to groups; 'dialect x region' crosses two
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// Where to write the model
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The model
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) tables: Tables,
    /// What to do with votes of people whom the model does not know
    #[arg(long, value_enum, default_value_t = Unknown::Refuse, value_name = "WHAT")]
    pub(crate) unknown_experts: Unknown,
    /// Where to write the routes (.csv or .jsonl) [default: standard output, as JSONL]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) asking: Asking,
    /// Say whom to ask next about each case, given the votes so far (--decisions), or what is decided; nothing is kept
    /// between calls
    #[arg(long)]
    pub(crate) ask: bool,
    /// Who can be asked: a table with the column worker, and task if it differs by case [default: everybody]
    #[arg(long, value_name = "FILE", requires = "ask")]
    pub(crate) available: Option<PathBuf>,
    /// The most that all labels together may cost; the next one goes where it is worth most
    #[arg(long, value_name = "B", conflicts_with = "ask")]
    pub(crate) budget: Option<f64>,
}

/// How a model of the method consult asks, where it differs from how it was fitted.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Asking (models of --method consult)")]
pub(crate) struct Asking {
    /// Whom to ask next
    #[arg(long, value_enum, value_name = "RULE")]
    pub(crate) rule: Option<AskRule>,
    /// Stop when the label is believed with this probability
    #[arg(long, value_name = "P")]
    pub(crate) confidence: Option<f64>,
    /// What a label of cost 1 costs where an error costs 1: stop when nobody is worth it
    #[arg(long, value_name = "PRICE")]
    pub(crate) price: Option<f64>,
    /// Labels asked for a case at most
    #[arg(long, value_name = "N")]
    pub(crate) max_asks: Option<usize>,
    /// How many to ask in one go
    #[arg(long, value_name = "N")]
    pub(crate) at_once: Option<usize>,
    /// What errors cost: a table with the columns true, predicted and cost [default: 1 each]
    #[arg(long, value_name = "FILE")]
    pub(crate) error_costs: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AskRule {
    /// Whose vote tells most for their price
    Adaptive,
    /// Whose vote is expected to save most errors for their price
    Error,
    /// The same, looking two votes ahead
    TwoSteps,
    /// Who knows most, whatever the case
    Best,
    /// Anybody: the control
    Random,
}

#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    /// The model
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) tables: Tables,
    /// Group attribute to show results by
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// What to do with votes of people whom the model does not know
    #[arg(long, value_enum, default_value_t = Unknown::Refuse, value_name = "WHAT")]
    pub(crate) unknown_experts: Unknown,
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Table of cases, or a .npz file of learning to defer; or use --data
    #[arg(long, value_name = "FILE", required_unless_present = "data")]
    pub(crate) cases: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Generated data, drawn anew in each repetition, instead of tables
    #[arg(
        long,
        value_enum,
        conflicts_with_all = ["cases", "decisions", "wide", "costs", "dialect"],
        value_name = "WHICH"
    )]
    pub(crate) data: Option<Generated>,
    #[command(flatten)]
    pub(crate) features: Features,
    /// A method, with settings if any: 'joint:k=5' (repeatable) [default: majority, best-expert, classifier, joint]
    #[arg(long = "method", value_name = "METHOD")]
    pub(crate) methods: Vec<String>,
    /// A setting for every method that has it, weaker than its own (repeatable): 'steps=100'
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// Go through a grid of settings, 'gamma=0:0.5:0.05 alpha=0:1:0.1' or 'alpha=0,0.5,1', and trade error against
    /// unfairness between the groups of --group
    #[arg(long, num_args = 1.., value_name = "KEY=FROM:TO:STEP", requires = "group")]
    pub(crate) grid: Vec<String>,
    /// Group attribute to show results by, to be fair to, and to stratify by; 'dialect x region' crosses two
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// How to divide cases [default: given, where the cases come divided, else shuffled]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) split: Option<SplitBy>,
    /// Folds, for contiguous, shuffled and stratified
    #[arg(long, default_value_t = 5, value_name = "K")]
    pub(crate) folds: usize,
    /// Share of test cases, for random
    #[arg(long, default_value_t = 0.2, value_name = "SHARE")]
    pub(crate) test_share: f64,
    /// Repetitions, each with other draws
    #[arg(long, value_parser = amount, default_value_t = 1, value_name = "N")]
    pub(crate) repetitions: usize,
    #[command(flatten)]
    pub(crate) panel: PanelArgs,
    /// Where to write the result (.html, .md, .csv, .json; repeatable)
    #[arg(long = "out", value_name = "FILE")]
    pub(crate) outputs: Vec<PathBuf>,
}

/// A panel of simulated experts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Simulated experts")]
pub(crate) struct PanelArgs {
    /// Draw biased experts in each repetition instead of using recorded decisions: this group is the disadvantaged one
    #[arg(long, value_name = "GROUP")]
    pub(crate) biased_against: Option<String>,
    /// How many are biased against it
    #[arg(long, value_parser = amount, default_value_t = 15, value_name = "N")]
    pub(crate) biased: usize,
    /// How many are biased the other way round
    #[arg(long, value_parser = amount, default_value_t = 5, value_name = "N")]
    pub(crate) flipped: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generated {
    /// A moderation desk: posts in dialects, biased and partly absent moderators
    Moderation,
    /// Three clusters and two specialists (Keswani et al. 2021, section 3.1)
    Clusters,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitBy {
    /// Folds in file order
    Contiguous,
    /// Folds after a shuffle
    Shuffled,
    /// Folds with the same share of every label and group
    Stratified,
    /// One random division
    Random,
    /// As the cases come divided: a column `split` of train, validation and test, or a .npz file
    Given,
}

#[derive(Debug, Args)]
pub(crate) struct Frontier {
    #[command(flatten)]
    pub(crate) compare: Compare,
    /// Prices of a label, where an error costs 1, at which sequential methods stop
    #[arg(long = "price", value_name = "PRICE,...", value_delimiter = ',', default_values_t = [0.3, 0.2, 0.15, 0.1, 0.06, 0.03, 0.02, 0.01])]
    pub(crate) prices: Vec<f64>,
    /// Confidences at which those stop that set a price themselves, such as consult:price=0
    #[arg(long = "confidence", value_name = "P,...", value_delimiter = ',', default_values_t = [0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99])]
    pub(crate) confidences: Vec<f64>,
    /// Numbers of labels that other methods ask for, beside what they do as written
    #[arg(long = "labels", value_name = "K,...", value_delimiter = ',', default_values_t = [1, 2, 3, 5])]
    pub(crate) labels: Vec<usize>,
    /// Labels per case at which every curve is read off
    #[arg(long = "at", value_name = "L,...", value_delimiter = ',', default_values_t = [0.25, 0.5, 1.0, 2.0, 5.0])]
    pub(crate) at: Vec<f64>,
    /// Accuracies for which the labels needed are read off [default: round ones within reach]
    #[arg(long = "accuracy", value_name = "A,...", value_delimiter = ',')]
    pub(crate) accuracies: Vec<f64>,
    /// Labels per case up to which the area under the curves is taken [default: the most that a method uses]
    #[arg(long, value_name = "L")]
    pub(crate) up_to: Option<f64>,
    /// Resamples of the bootstrap over cases
    #[arg(long, value_parser = amount, default_value_t = 1000, value_name = "N")]
    pub(crate) resamples: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Assign {
    /// The model, fitted with --method consult
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) tables: Tables,
    /// How many cases each expert can take: a table with the columns worker and capacity, and cost if labels have prices
    #[arg(long, value_name = "FILE")]
    pub(crate) capacity: PathBuf,
    /// What a label of cost 1 costs where an error costs 1
    #[arg(long, default_value_t = 0.0, value_name = "PRICE")]
    pub(crate) price: f64,
    /// What a label is worth by
    #[arg(long, value_enum, default_value_t = Gain::Error, value_name = "WHAT")]
    pub(crate) gain: Gain,
    /// Pairs in order of gain instead of the best assignment: the control
    #[arg(long)]
    pub(crate) greedy: bool,
    /// What to do with votes of people whom the model does not know
    #[arg(long, value_enum, default_value_t = Unknown::Refuse, value_name = "WHAT")]
    pub(crate) unknown_experts: Unknown,
    /// Where to write the assignment (.csv, .tsv or .jsonl) [default: standard output, as JSONL]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Gain {
    /// By how much it is expected to lower the error
    Error,
    /// How much it tells, in nats
    Entropy,
}

#[derive(Debug, Args)]
pub(crate) struct Aggregate {
    /// Table of decisions: task, worker, label. Or use --decisions, or --cases with --wide
    #[arg(value_name = "DECISIONS", conflicts_with_all = ["decisions", "wide"])]
    pub(crate) table: Option<PathBuf>,
    /// Table of cases, for gold labels, groups and text; tasks without a vote get a label too
    #[arg(long, value_name = "FILE")]
    pub(crate) cases: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) features: Features,
    /// The aggregator, with settings if any: 'hierarchical:pool-strength=4'. `deferral methods` lists them
    #[arg(long, default_value = "hierarchical", value_name = "METHOD")]
    pub(crate) method: String,
    /// Group attribute, for grouped
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// Believe the gold labels that the cases have
    #[arg(long)]
    pub(crate) gold: bool,
    /// Print the objective after every iteration
    #[arg(long)]
    pub(crate) trace: bool,
    /// Where to write the labels (.csv, .tsv or .jsonl) [default: standard output, as CSV]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Where to write the workers (.csv, .tsv or .jsonl)
    #[arg(long, value_name = "FILE")]
    pub(crate) workers_out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    pub(crate) tables: Tables,
    /// An aggregator whose accuracy at few labels is measured (repeatable); needs gold labels
    #[arg(long = "method", value_name = "METHOD")]
    pub(crate) methods: Vec<String>,
    /// Labels a case at which it is measured: numbers and `all`
    #[arg(long, default_value = "1,2,3,5,all", value_delimiter = ',', value_parser = labels, value_name = "K,..")]
    pub(crate) labels: Vec<Labels>,
    /// Draws of that many labels
    #[arg(long, value_parser = amount, default_value_t = 20, value_name = "N")]
    pub(crate) repetitions: usize,
    #[command(flatten)]
    pub(crate) features: Features,
    /// Where to write a report (.html or .json; repeatable)
    #[arg(long = "out", value_name = "FILE")]
    pub(crate) outputs: Vec<PathBuf>,
    /// Group attribute to compare experts by
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// Experts to list, those with most answers first
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(crate) experts: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    #[command(subcommand)]
    pub(crate) what: SimulateWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SimulateWhat {
    /// A moderation desk with texts, groups and recorded decisions
    #[command(after_help = "Example:\n  deferral simulate moderation --cases-out posts.csv --decisions-out labels.csv")]
    Moderation {
        /// Posts
        #[arg(long, value_parser = amount, default_value_t = 1200, value_name = "N")]
        cases: usize,
        /// Moderators
        #[arg(long, value_parser = amount, default_value_t = 24, value_name = "M")]
        experts: usize,
        /// Classes: 2 or 3
        #[arg(long, default_value_t = 2, value_name = "K")]
        classes: usize,
        #[command(flatten)]
        out: SimulateOut,
    },
    /// Three clusters and two specialists (Keswani et al. 2021, section 3.1)
    #[command(after_help = "Example:\n  deferral simulate clusters --cases-out points.csv --decisions-out labels.csv")]
    Clusters {
        /// Points
        #[arg(long, value_parser = amount, default_value_t = 1000, value_name = "N")]
        cases: usize,
        #[command(flatten)]
        out: SimulateOut,
    },
    /// Closed loops: allocators learn from fallible people alone (Keswani et al. 2022, sections 3 and 4)
    #[command(
        after_help = "Examples:\n  deferral simulate closed-loop\n  deferral simulate closed-loop --sweep 10 --out noise.svg\n  deferral simulate closed-loop --change swap"
    )]
    ClosedLoop(SimulateLoop),
    /// Biased experts who label the cases of a table (Keswani et al. 2021, section 3.2)
    #[command(
        after_help = "Example:\n  deferral simulate experts --cases posts.csv --group dialect --biased-against AAE --decisions-out labels.csv"
    )]
    Experts {
        #[command(flatten)]
        tables: Tables,
        /// The group attribute
        #[arg(long, value_name = "NAME")]
        group: String,
        #[command(flatten)]
        panel: PanelArgs,
        /// Labels kept of each case, at random [default: all]
        #[arg(long, value_name = "K")]
        labels_per_case: Option<usize>,
        /// Where to write the decisions
        #[arg(long, value_name = "FILE")]
        decisions_out: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SimulateOut {
    /// Where to write the cases
    #[arg(long, value_name = "FILE")]
    pub(crate) cases_out: PathBuf,
    /// Where to write the decisions
    #[arg(long, value_name = "FILE")]
    pub(crate) decisions_out: PathBuf,
}
