//! All experiments as one list of jobs, each known by the digest of what its figures come from.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::ReproduceError;
use crate::experiment::Experiment;
use crate::studies::Study;

/// The digest of the sources that this program was built from.
pub const CODE: &str = env!("DEFERRAL_CODE");

/// About so many jobs a study has, so that cores and machines share it evenly and an interruption costs little.
const JOBS_A_STUDY: usize = 50;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
pub struct Wanted {
    /// Experiments by name; all if there is none.
    pub only: Vec<String>,
    /// A glance: few repetitions.
    pub quick: bool,
    /// A seed in place of that of each experiment.
    pub seed: Option<u64>,
}

/// A piece of work: some units of a study.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Position of its experiment.
    pub experiment: usize,
    /// Position of its study within the experiment.
    pub study: usize,
    /// The units.
    pub units: Range<usize>,
    /// The seed.
    pub seed: u64,
    /// The digest of study, units, seed, code and data: equal digests, equal figures.
    pub digest: String,
}

/// Why a study does not run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotHere {
    /// Position of its experiment.
    pub experiment: usize,
    /// Position of its study.
    pub study: usize,
    /// What is missing and how to get it, a sentence a file.
    pub problems: Vec<String>,
}

/// What is to be run, and what cannot.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The experiments.
    pub experiments: Vec<Experiment>,
    /// The jobs, in order.
    pub jobs: Vec<Job>,
    /// Studies whose data are not there.
    pub not_here: Vec<NotHere>,
    /// What was wanted.
    pub wanted: Wanted,
}

/// What is known of the data of a study: their digest, or what is wrong with them.
pub type DataState = Result<String, Vec<String>>;

impl Plan {
    /// Plans experiments; `state_of` says what is known of a data set. Pure but for that.
    ///
    /// # Errors
    /// If a wanted experiment does not exist, or a study names a data set that `state_of` does not know.
    pub fn of(
        all: Vec<Experiment>,
        wanted: Wanted,
        state_of: &mut dyn FnMut(&str) -> Result<DataState, ReproduceError>,
    ) -> Result<Self, ReproduceError> {
        let experiments = chosen(all, &wanted.only)?;
        let (mut jobs, mut not_here) = (Vec::new(), Vec::new());
        for (at, experiment) in experiments.iter().enumerate() {
            for (study_at, study) in experiment.studies.iter().enumerate() {
                let mut digests = Vec::new();
                let mut problems = Vec::new();
                for set in &study.data {
                    match state_of(set)? {
                        Ok(digest) => digests.push(digest),
                        Err(wrong) => problems.extend(wrong),
                    }
                }
                if problems.is_empty() {
                    let seed = wanted.seed.unwrap_or(experiment.seed);
                    let of_study = jobs_of(study, wanted.quick, seed, &digests)?;
                    jobs.extend(of_study.into_iter().map(|job| Job { experiment: at, study: study_at, ..job }));
                } else {
                    not_here.push(NotHere { experiment: at, study: study_at, problems });
                }
            }
        }
        Ok(Self { experiments, jobs, not_here, wanted })
    }

    /// The study of a job.
    pub fn study(&self, job: &Job) -> &Study {
        &self.experiments[job.experiment].studies[job.study]
    }

    /// What a job is called when people are told of it.
    pub fn name(&self, job: &Job) -> String {
        let Range { start, end } = job.units;
        format!("{} `{}` units {start} to {}", self.experiments[job.experiment].id, self.study(job).name, end - 1)
    }

    /// The digest of the whole plan: parts of equal plans can be put together.
    pub fn digest(&self) -> String {
        let mut hash = blake3::Hasher::new();
        for job in &self.jobs {
            hash.update(job.digest.as_bytes());
        }
        hash.finalize().to_hex()[..16].to_owned()
    }

    /// Repetitions of a study under this plan.
    pub fn repetitions(&self, study: &Study) -> usize {
        if self.wanted.quick { study.quick.min(study.repetitions) } else { study.repetitions }
    }
}

/// The wanted experiments, in the order of the files.
fn chosen(all: Vec<Experiment>, only: &[String]) -> Result<Vec<Experiment>, ReproduceError> {
    let is = |experiment: &Experiment, name: &String| experiment.id.eq_ignore_ascii_case(name);
    if let Some(stranger) = only.iter().find(|name| !all.iter().any(|experiment| is(experiment, name))) {
        let known: Vec<&str> = all.iter().map(|experiment| experiment.id.as_str()).collect();
        return Err(ReproduceError::Unknown { kind: "experiment", name: stranger.clone(), known: known.join(", ") });
    }
    let wanted = |experiment: &Experiment| only.is_empty() || only.iter().any(|name| is(experiment, name));
    Ok(all.into_iter().filter(wanted).collect())
}

fn jobs_of(study: &Study, quick: bool, seed: u64, data: &[String]) -> Result<Vec<Job>, ReproduceError> {
    let units = if quick { study.glance() } else { study.units(study.repetitions) };
    // The size of a job follows from the full study, so that a glance and a full run share jobs.
    let size = study.units(study.repetitions).div_ceil(JOBS_A_STUDY).max(1);
    let recipe = serde_json::to_string(&study.run)
        .map_err(|error| ReproduceError::Job { job: study.name.clone(), source: error.into() })?;
    let job = |start: usize| {
        let units = start..(start + size).min(units);
        let parts = [CODE, &recipe, &seed.to_string(), &format!("{units:?}")];
        let mut hash = blake3::Hasher::new();
        for part in parts.into_iter().chain(data.iter().map(String::as_str)) {
            hash.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        Job { experiment: 0, study: 0, units, seed, digest: hash.finalize().to_hex()[..32].to_owned() }
    };
    Ok((0..units).step_by(size).map(job).collect())
}
