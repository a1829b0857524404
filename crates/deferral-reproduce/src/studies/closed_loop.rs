//! Closed loops: what a loop measures, by method, noise of the prior and trial.

use std::ops::Range;

use deferral_eval::closed_loop::{ClosedLoopPlan, Draws, LoopMethod, Score, World, loop_method};
use deferral_experts::{OwnClusters, RaterPools};
use serde::{Deserialize, Serialize};

use super::StudyError;
use crate::data::Data;
use crate::sample::Sample;

/// A closed loop over trials.
///
/// It measures, of each method in each trial: `label` (accuracy), `assignment` (accuracy), `labels` (per test case) and
/// `training-labels`; where there is more than one gold also `label/GOLD` and `auc/GOLD`. With several noises a method is
/// called `METHOD at NOISE`, with three digits.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClosedLoop {
    /// Where the cases of a trial come from.
    pub world: LoopWorld,
    /// How little the prior says, s; only for clusters. One or more.
    #[serde(default)]
    pub noise: Vec<f64>,
    /// Whether each trial has data of its own.
    #[serde(default)]
    pub draws: Draws,
    /// The share of cases that is tested.
    #[serde(default = "three_tenths")]
    pub test: f64,
    /// Whether the group of a test case is known.
    #[serde(default)]
    pub groups_at_test: bool,
    /// The methods.
    pub methods: Vec<String>,
}

fn three_tenths() -> f64 {
    0.3
}

/// Where the cases of a trial come from.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoopWorld {
    /// Clusters that one annotator each knows.
    Clusters(OwnClusters),
    /// Pools of raters.
    Pools(RaterPools),
    /// The published rater pools, the same in every trial.
    Ratings {
        /// The ratings, a file of the data folder such as `specialized_rater_pools_data.csv`.
        ratings: String,
        /// The comments, such as `train.csv`.
        comments: String,
        /// Word vectors, whose mean is what is seen of a comment.
        vectors: Option<String>,
    },
}

impl ClosedLoop {
    pub(super) fn check(&self) -> Result<(), String> {
        let clusters = matches!(self.world, LoopWorld::Clusters(_));
        if clusters == self.noise.is_empty() {
            return Err("`noise` must have one or more values for clusters, and none for anything else".to_owned());
        }
        self.loop_methods().map(|_| ()).map_err(|error| error.to_string())
    }

    /// A unit is a trial at one noise: all noises of the first trial, then of the next.
    pub(super) fn units(&self, repetitions: usize) -> usize {
        repetitions * self.noise.len().max(1)
    }

    /// What its figures are called by.
    pub(super) fn names(&self) -> Vec<String> {
        let at = |noise: f64| self.methods.iter().map(move |method| at_noise(method, noise));
        if self.noise.len() > 1 { self.noise.iter().copied().flat_map(at).collect() } else { self.methods.clone() }
    }

    fn loop_methods(&self) -> Result<Vec<Box<dyn LoopMethod>>, StudyError> {
        Ok(self.methods.iter().map(|text| loop_method(text)).collect::<Result<_, _>>()?)
    }

    /// Reads the data, so that units which run at the same time find them.
    pub(super) fn load(&self, data: &Data) -> Result<(), StudyError> {
        self.world(None, data).map(|_| ())
    }

    pub(super) fn run(&self, units: Range<usize>, seed: u64, data: &Data) -> Result<Vec<Sample>, StudyError> {
        let methods = self.loop_methods()?;
        let noises = self.noise.len().max(1);
        let mut samples = Vec::new();
        for unit in units {
            // Trials of all noises in turn, so that a part of the units is a part of the trials.
            let (trial, at) = (unit / noises, unit % noises);
            let plan = self.plan(self.noise.get(at).copied(), seed, data)?;
            let report = plan.run_trials(trial..trial + 1, &methods)?;
            for (text, score) in self.methods.iter().zip(report.scores.iter().flatten()) {
                let method = if noises > 1 { at_noise(text, self.noise[at]) } else { text.clone() };
                measure(&method, trial, score, &report.golds, &mut samples);
            }
        }
        Ok(samples)
    }

    fn plan(&self, noise: Option<f64>, seed: u64, data: &Data) -> Result<ClosedLoopPlan, StudyError> {
        let (draws, test, groups_at_test) = (self.draws, self.test, self.groups_at_test);
        let usual = ClosedLoopPlan::of(self.world(noise, data)?);
        Ok(ClosedLoopPlan { draws, test, groups_at_test, seed, ..usual })
    }

    fn world(&self, noise: Option<f64>, data: &Data) -> Result<World, StudyError> {
        Ok(match &self.world {
            LoopWorld::Clusters(clusters) => World::clusters(*clusters, noise.unwrap_or_default()),
            LoopWorld::Pools(pools) => World::Pools(*pools),
            LoopWorld::Ratings { ratings, comments, vectors } => {
                World::Given(data.ratings(ratings, comments, vectors.as_deref())?)
            }
        })
    }
}

/// What a method is called at a noise.
pub(crate) fn at_noise(method: &str, noise: f64) -> String {
    format!("{method} at {noise:.3}")
}

fn measure(method: &str, trial: usize, score: &Score, golds: &[String], to: &mut Vec<Sample>) {
    let mut add = |measure: String, value: Option<f64>| {
        to.push(Sample::new(method, measure, trial, value));
    };
    add("label".to_owned(), score.golds.first().and_then(|gold| gold.accuracy));
    add("assignment".to_owned(), score.assignment);
    add("labels".to_owned(), Some(score.test_labels));
    add("training-labels".to_owned(), Some(score.training_labels));
    if golds.len() > 1 {
        for (name, gold) in golds.iter().zip(&score.golds) {
            add(format!("label/{name}"), gold.accuracy);
            add(format!("auc/{name}"), gold.auc);
        }
    }
}
