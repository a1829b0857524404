//! What can be run: kinds of studies. Each is planned into units that can be run apart, in any order, on any machine.

mod audit;
mod closed_loop;
mod compare;
mod theory;
mod transfer;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::data::Data;
use crate::sample::Sample;

pub use audit::Audit;
pub use closed_loop::{ClosedLoop, LoopWorld};
pub use compare::{CasesFrom, Compare, Panel, SplitBy, Table};
pub use theory::{People, Setting, Theory};
pub use transfer::{Known, Transfer};

/// An error of a study, whatever it is about.
pub type StudyError = Box<dyn std::error::Error + Send + Sync>;

/// A study: a name, how often, and what is run.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Study {
    /// Its name within the experiment.
    pub name: String,
    /// What it is, in a sentence, where the name does not say it.
    #[serde(default)]
    pub about: String,
    /// The data sets of `fixtures/data.toml` that it reads.
    #[serde(default)]
    pub data: Vec<String>,
    /// How often it is repeated. 1 or more.
    #[serde(default = "once")]
    pub repetitions: usize,
    /// How often where only a glance is wanted; where cases are divided into folds, how many folds.
    #[serde(default = "once")]
    pub quick: usize,
    /// What is run.
    pub run: Run,
}

fn once() -> usize {
    1
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Run {
    /// Methods on the same cases.
    Compare(Box<Compare>),
    /// A closed loop.
    ClosedLoop(ClosedLoop),
    /// What the experts of a table are like.
    Audit(Audit),
    /// What was proved of closed loops.
    Theory(Theory),
    /// Fairness from one task to another.
    Transfer(Transfer),
}

impl Study {
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.repetitions == 0 || self.quick == 0 {
            return Err("`repetitions` and `quick` must be 1 or more".to_owned());
        }
        match &self.run {
            Run::Compare(compare) => compare.check(),
            Run::ClosedLoop(closed_loop) => closed_loop.check(),
            Run::Audit(_) => Ok(()),
            Run::Theory(theory) => theory.check(),
            Run::Transfer(transfer) => transfer.check(),
        }
    }

    /// The methods as the study lists them; none where it has none.
    pub fn methods(&self) -> &[String] {
        match &self.run {
            Run::Compare(compare) => &compare.methods,
            Run::ClosedLoop(closed_loop) => &closed_loop.methods,
            Run::Audit(_) | Run::Theory(_) | Run::Transfer(_) => &[],
        }
    }

    /// What its figures are called by: the methods with the settings of a grid, or at each noise of a prior; the empty
    /// name where it has none.
    ///
    /// # Errors
    /// If a method is none.
    pub fn all_methods(&self) -> Result<Vec<String>, StudyError> {
        match &self.run {
            Run::Compare(compare) => Ok(compare.methods()?.into_iter().map(|method| method.name).collect()),
            Run::ClosedLoop(closed_loop) => Ok(closed_loop.names()),
            Run::Audit(_) => Ok(vec![String::new()]),
            Run::Theory(theory) => Ok(theory.settings.iter().map(|setting| setting.name.clone()).collect()),
            Run::Transfer(transfer) => Ok(transfer.names()),
        }
    }

    /// Units that can be run apart, in `repetitions` repetitions.
    pub fn units(&self, repetitions: usize) -> usize {
        match &self.run {
            Run::Compare(compare) => compare.units(repetitions),
            Run::ClosedLoop(closed_loop) => closed_loop.units(repetitions),
            Run::Audit(_) => 1,
            Run::Theory(_) | Run::Transfer(_) => repetitions,
        }
    }

    /// Units of a glance: the first ones of the whole.
    pub fn glance(&self) -> usize {
        match &self.run {
            Run::Compare(_) => self.quick.min(self.units(self.repetitions)),
            _ => self.units(self.quick.min(self.repetitions)),
        }
    }

    /// Reads the data that it needs, so that units which run at the same time find them.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn load(&self, data: &Data) -> Result<(), StudyError> {
        match &self.run {
            Run::Compare(compare) => compare.load(data),
            Run::ClosedLoop(closed_loop) => closed_loop.load(data),
            Run::Audit(_) | Run::Theory(_) | Run::Transfer(_) => Ok(()),
        }
    }

    /// Runs some units. The result depends on the study, the seed and the units only.
    ///
    /// # Errors
    /// Whatever the study finds wrong with its data or settings.
    pub fn run(&self, units: Range<usize>, seed: u64, data: &Data) -> Result<Vec<Sample>, StudyError> {
        match &self.run {
            Run::Compare(compare) => compare.run(units, seed, data),
            Run::ClosedLoop(closed_loop) => closed_loop.run(units, seed, data),
            Run::Audit(audit) => audit.run(data),
            Run::Theory(theory) => theory.run(units, seed),
            Run::Transfer(transfer) => transfer.run(units, seed),
        }
    }
}
