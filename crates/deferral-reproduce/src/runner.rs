//! Carrying out a plan: every job on any core, finished ones taken from the cache.
//!
//! A job has one thread for itself. Jobs are many and small, so that this keeps all cores busy; and a job that never waits
//! for another takes the memory and the time of one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::cache::{Cache, Finished};
use crate::data::Data;
use crate::error::ReproduceError;
use crate::plan::{Job, Plan};
use crate::sample::Results;

/// The figures of all studies of a plan, by position of experiment and study.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    results: BTreeMap<(usize, usize), Results>,
    /// Seconds of computing, by experiment.
    pub seconds: BTreeMap<usize, f64>,
}

impl Found {
    /// Puts together what the jobs of a plan found.
    pub fn of(plan: &Plan, finished: Vec<Finished>) -> Self {
        let mut samples: BTreeMap<(usize, usize), Vec<_>> = BTreeMap::new();
        let mut found = Self::default();
        for (job, finished) in plan.jobs.iter().zip(finished) {
            samples.entry((job.experiment, job.study)).or_default().extend(finished.samples);
            *found.seconds.entry(job.experiment).or_default() += finished.seconds;
        }
        found.results = samples
            .into_iter()
            .map(|((experiment, study), samples)| {
                let listed = plan.experiments[experiment].studies[study].methods();
                ((experiment, study), Results::of(samples).listing(listed))
            })
            .collect();
        found
    }

    /// The figures of a study, if it was run.
    pub fn results(&self, experiment: usize, study: usize) -> Option<&Results> {
        self.results.get(&(experiment, study))
    }
}

/// What is shown while a plan runs.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Jobs that are done.
    pub done: usize,
    /// Jobs in all.
    pub all: usize,
    /// The experiment of the job that was just finished.
    pub experiment: &'a str,
}

/// Runs `jobs` of a plan on so many threads; results are in their order. Jobs in the cache are not run again.
///
/// # Errors
/// [`ReproduceError`] of the first job, in order, that failed: none is begun after that, and those that were finished stay
/// in the cache.
pub fn run(
    plan: &Plan,
    jobs: &[&Job],
    threads: usize,
    data: &Data,
    cache: &Cache,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Vec<Finished>, ReproduceError> {
    let kept: Vec<Option<Finished>> = jobs.iter().map(|job| cache.get(job)).collect();
    load(plan, jobs.iter().zip(&kept).filter(|(_, kept)| kept.is_none()).map(|(job, _)| *job), data)?;
    let (next, done, failed) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let slots: Vec<Mutex<Option<Result<Finished, ReproduceError>>>> =
        kept.into_iter().map(|kept| Mutex::new(kept.map(Ok))).collect();
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(at) else { return };
            if failed.load(Ordering::Relaxed) < at {
                return;
            }
            let mut slot = slots[at].lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = slot.take().unwrap_or_else(|| run_one(plan, job, data, cache));
            if outcome.is_err() {
                failed.fetch_min(at, Ordering::Relaxed);
            }
            *slot = Some(outcome);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            progress(Progress { done, all: jobs.len(), experiment: &plan.experiments[job.experiment].id });
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| alone(&work));
        }
    });
    // Jobs before the first that failed were all begun, so that this is the same on any number of threads.
    slots.into_iter().filter_map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

/// Runs `work` so that whatever it divides among threads stays on this one.
fn alone(work: &(dyn Fn() + Sync)) {
    match rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build() {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

/// Reads the data of jobs that must be run.
fn load<'a>(plan: &Plan, jobs: impl Iterator<Item = &'a Job>, data: &Data) -> Result<(), ReproduceError> {
    let mut loaded = None;
    for job in jobs {
        if loaded != Some((job.experiment, job.study)) {
            loaded = Some((job.experiment, job.study));
            plan.study(job).load(data).map_err(|source| ReproduceError::Job { job: plan.name(job), source })?;
        }
    }
    Ok(())
}

fn run_one(plan: &Plan, job: &Job, data: &Data, cache: &Cache) -> Result<Finished, ReproduceError> {
    let start = Instant::now();
    let samples = plan
        .study(job)
        .run(job.units.clone(), job.seed, data)
        .map_err(|source| ReproduceError::Job { job: plan.name(job), source })?;
    let finished = Finished { digest: job.digest.clone(), samples, seconds: start.elapsed().as_secs_f64() };
    cache.put(&finished)?;
    Ok(finished)
}
