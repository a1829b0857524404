//! How often the alarm of `LatentTruth` sounds within 500 tasks, with a right prior and with one that takes every
//! annotator for another: clusters of Keswani et al. (2022), committees of two and of three.
//!
//! `cargo run --release -p deferral-allocation --example alarm -- [RUNS]`

use std::error::Error;
use std::io::Write;

use deferral_allocation::{LatentTruth, Prior, Setting};
use deferral_core::{Allocator, CaseId, CaseView, ExpertId, Stream, Vote};
use deferral_experts::OwnClusters;

const TASKS: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let runs = std::env::args().nth(1).map_or(Ok(200), |runs| runs.parse())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "runs of {runs} in which the alarm sounds within {TASKS} tasks; the median task where it does")?;
    for (prior, rotation) in [("right", 0), ("rotated by one", 1), ("rotated by two", 2)] {
        for k in [2, 3] {
            for noise in [0.3, 0.55] {
                let mut alarms: Vec<usize> = Vec::new();
                for run in 0..runs {
                    alarms.extend(first_alarm(rotation, k, noise, &Stream::new(1).nth(run))?);
                }
                alarms.sort_unstable();
                let median = alarms.get(alarms.len() / 2).map_or_else(|| "-".to_owned(), ToString::to_string);
                writeln!(out, "prior {prior}, s = {noise}, k = {k}: {} of {runs}, median {median}", alarms.len())?;
            }
        }
    }
    Ok(())
}

/// The first task after which it sounds.
fn first_alarm(rotation: usize, k: usize, noise: f64, stream: &Stream) -> Result<Option<usize>, Box<dyn Error>> {
    let clusters = OwnClusters { cases: 3 * TASKS, ..OwnClusters::default() };
    let data = clusters.generate(&stream.child("data"))?;
    let similarity = |annotator, group| OwnClusters::similarity(annotator + rotation, group, noise);
    let setting = Setting::new(2, 2, Prior::from_fn(3, 3, similarity)?);
    let mut state = LatentTruth { k, ..LatentTruth::default() }.start(&setting, stream)?;
    let features = data.cases().features().as_dense().ok_or("the features are dense")?;
    let (groups, everybody) = (data.cases().group(OwnClusters::ATTRIBUTE)?, [0, 1, 2].map(ExpertId));
    let draws = stream.child("draws");
    for case in (0..TASKS).map(CaseId::at) {
        let view =
            CaseView { case, features: features.column(case.index()), group: Some(groups.of_case[case.index()]) };
        let asked = state.allocate(view, &everybody, &mut draws.at(case.index()));
        let answer = |expert| Some(Vote { expert, label: data.decisions().get(case, expert)? });
        let votes: Vec<Vote> = asked.iter().filter_map(|question| answer(question.expert)).collect();
        state.learn(view, &votes);
        if state.alarm().is_some() {
            return Ok(Some(case.index() + 1));
        }
    }
    Ok(None)
}
