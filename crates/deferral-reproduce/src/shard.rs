//! Parts: the share of one machine, and putting the shares together.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::cache::{Finished, write_whole};
use crate::error::ReproduceError;
use crate::plan::{CODE, DataState, Job, Plan, Wanted};

/// Which share: `i` of `n`, counted from 1.
///
/// ```
/// use deferral_reproduce::shard::Shard;
/// let shard: Shard = "2/3".parse()?;
/// assert_eq!((0..7).filter(|job| shard.has(*job)).collect::<Vec<_>>(), [1, 4]);
/// assert_eq!("4/3".parse::<Shard>().unwrap_err(), "4/3 must be i/n with i from 1 to n, such as 2/3");
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Shard {
    i: usize,
    n: usize,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Self = Self { i: 1, n: 1 };

    /// Whether it has a job of the plan, by position. Jobs go round, so that shares of one experiment are alike.
    pub fn has(self, job: usize) -> bool {
        job % self.n == self.i - 1
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.i, self.n)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((i, n)) if 1 <= i && i <= n => Ok(Self { i, n }),
            _ => Err(format!("{text} must be i/n with i from 1 to n, such as 2/3")),
        }
    }
}

/// What one machine found, with all that the others must agree on.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The code that ran.
    pub code: String,
    /// What was wanted.
    pub wanted: Wanted,
    /// What was known of each data set: merging needs no data.
    pub data: BTreeMap<String, DataState>,
    /// The digest of the plan.
    pub plan: String,
    /// Which share this is.
    pub shard: Shard,
    /// Its jobs.
    pub finished: Vec<Finished>,
}

impl Part {
    /// Writes a part, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ReproduceError> {
        write_whole(path, &serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads a part.
    ///
    /// # Errors
    /// If the file cannot be read, or is not one; it names the file.
    pub fn read(path: &Path) -> Result<Self, ReproduceError> {
        let text = std::fs::read(path).map_err(|error| ReproduceError::io("could not be read", path, error))?;
        serde_json::from_slice(&text).map_err(|error| {
            let file = path.display();
            ReproduceError::Parts(format!("{file} is not a whole part ({error}); write it again with --shard"))
        })
    }
}

/// The jobs of a shard.
pub fn jobs_of(plan: &Plan, shard: Shard) -> Vec<&Job> {
    plan.jobs.iter().enumerate().filter(|(at, _)| shard.has(*at)).map(|(_, job)| job).collect()
}

/// What makes a plan of what was wanted and what is known of the data.
pub type Planner<'a> = dyn Fn(Wanted, &BTreeMap<String, DataState>) -> Result<Plan, ReproduceError> + 'a;

/// The plan that all parts are of, made by `plan` from what they agree on, and what they found, in its order.
///
/// # Errors
/// [`ReproduceError::Parts`] says which part is of another run, or which share is missing.
pub fn merge(parts: &[(String, Part)], plan: &Planner<'_>) -> Result<(Plan, Vec<Finished>), ReproduceError> {
    let Some((first_name, first)) = parts.first() else {
        return Err(ReproduceError::Parts("there is no part to merge".to_owned()));
    };
    if first.code != CODE {
        return Err(ReproduceError::Parts(format!(
            "{first_name} is from other code ({} instead of {CODE}); merge with the version that wrote it",
            first.code
        )));
    }
    let stranger = parts.iter().find(|(_, part)| {
        (&part.code, &part.wanted, &part.data, &part.plan) != (&first.code, &first.wanted, &first.data, &first.plan)
    });
    if let Some((name, _)) = stranger {
        return Err(ReproduceError::Parts(format!(
            "{name} is not of the same run as {first_name}: experiments, seed, code or data differ"
        )));
    }
    let plan = plan(first.wanted.clone(), &first.data)?;
    if plan.digest() != first.plan {
        return Err(ReproduceError::Parts(format!(
            "the experiment files here are not those of {first_name}; merge where it was run"
        )));
    }
    let shares: Vec<String> = parts.iter().map(|(_, part)| part.shard.to_string()).collect();
    let found: BTreeMap<&str, &Finished> =
        parts.iter().flat_map(|(_, part)| &part.finished).map(|job| (job.digest.as_str(), job)).collect();
    let mut finished = Vec::with_capacity(plan.jobs.len());
    for (at, job) in plan.jobs.iter().enumerate() {
        // Two studies may share a job.
        let Some(result) = found.get(job.digest.as_str()) else {
            return Err(ReproduceError::Parts(format!(
                "job {at} ({}) is in none of the parts; there are the shares {}",
                plan.name(job),
                shares.join(", ")
            )));
        };
        finished.push((*result).clone());
    }
    Ok((plan, finished))
}
