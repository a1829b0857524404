//! The words of `deferral simulate closed-loop`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::amount;

/// `deferral simulate closed-loop`
#[derive(Debug, Args)]
pub(crate) struct SimulateLoop {
    /// What is labelled: three clusters that one annotator each knows, or comments rated by three pools of people (a
    /// stand-in for the toxicity data)
    #[arg(long, value_enum, default_value_t = LoopWorld::Clusters)]
    pub(crate) data: LoopWorld,
    /// The published ratings, `specialized_rater_pools_data.csv`, in place of the stand-in
    #[arg(long, value_name = "FILE", requires = "comments")]
    pub(crate) ratings: Option<PathBuf>,
    /// The comments that were rated, `train.csv` of Civil Comments
    #[arg(long, value_name = "FILE", requires = "ratings")]
    pub(crate) comments: Option<PathBuf>,
    /// Word vectors for the features of the comments, in the text format of GloVe; without them they have none
    #[arg(long, value_name = "FILE", requires = "ratings")]
    pub(crate) vectors: Option<PathBuf>,
    /// A missing rating is a vote for `none`, as in the released code, and not no vote
    #[arg(long, requires = "ratings")]
    pub(crate) missing_is_none: bool,
    /// Cases [default: 10000 of clusters, 25500 comments, as published]
    #[arg(long, value_parser = amount, value_name = "N")]
    pub(crate) cases: Option<usize>,
    /// How little the prior says of the clusters, s: from 0, everything, to 2/3, nothing [default: 0.3]
    #[arg(long, value_name = "S")]
    pub(crate) noise: Option<f64>,
    /// Take every annotator for the one of the next cluster: a prior that is wrong
    #[arg(long)]
    pub(crate) wrong_prior: bool,
    /// New data in every trial, or one draw for all, as in the released code
    #[arg(long, value_enum, default_value_t = LoopDraws::Fresh)]
    pub(crate) draws: LoopDraws,
    /// Repetitions [default: 50 on clusters, 25 on comments, as published]
    #[arg(long, value_parser = amount, value_name = "N")]
    pub(crate) trials: Option<usize>,
    /// Share of the cases that are kept for the test
    #[arg(long, default_value_t = 0.3, value_name = "SHARE")]
    pub(crate) test: f64,
    /// Tell the group of a test case too, so that the prior helps to decide whom to ask about it
    #[arg(long)]
    pub(crate) groups_at_test: bool,
    /// A method, with settings (repeatable): a policy of `allocate`, goel-faltings, epsilon-first, majority, dawid-skene,
    /// random [default: a choice of them]
    #[arg(long, value_name = "NAME[:KEY=VALUE,...]")]
    pub(crate) method: Vec<String>,
    /// Accuracy against the noise of the prior, at N values from 0 to 2/3
    #[arg(long, value_parser = amount, value_name = "N", conflicts_with_all = ["noise", "change"])]
    pub(crate) sweep: Option<usize>,
    /// Where to write the figure of --sweep: .svg or .html
    #[arg(long, value_name = "FILE", requires = "sweep")]
    pub(crate) out: Option<PathBuf>,
    /// Somebody joins, leaves, becomes worse, or two swap what they know, after --before tasks: accuracy on the 200 tasks
    /// after it, beside a new loop that is told the whole history
    #[arg(long, value_enum, conflicts_with_all = ["cases", "wrong_prior", "draws", "test", "groups_at_test", "ratings"])]
    pub(crate) change: Option<ChangeKind>,
    /// Tasks before the change
    #[arg(long, value_parser = amount, default_value_t = 1000, value_name = "N", requires = "change")]
    pub(crate) before: usize,
    /// Annotators who know each cluster
    #[arg(long, value_parser = amount, value_name = "N")]
    pub(crate) per_cluster: Option<usize>,
}

/// What is labelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoopWorld {
    /// Three clusters
    Clusters,
    /// Comments rated by three pools
    Raters,
}

/// What differs between trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoopDraws {
    /// Every trial draws its data
    Fresh,
    /// One draw for all trials
    Fixed,
}

/// What happens to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ChangeKind {
    /// The last annotator comes
    Joins,
    /// The first annotator goes
    Leaves,
    /// The first annotator begins to guess
    Drifts,
    /// The first two take over each other's competence
    Swap,
}
