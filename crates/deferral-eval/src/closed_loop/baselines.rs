//! The published baselines of the closed loop, and what everybody's votes are worth without one.

use deferral_core::{
    AggregateError, Aggregator, Allocator, Ballots, CaseId, CaseView, Context, Decisions, ExpertId, FitError, Label,
    Row, Silent,
};
use deferral_crowd::{DawidSkene, EpsilonFirst, GoelFaltingsLoop, OnlineEpsilonFirst, OnlineGoelFaltings};
use rand::RngExt;

use super::method::{Answer, Decider, LoopMethod, Looped, Run, Trial};
use crate::error::EvalError;

/// What the exploration of [`epsilon_first`] may cost: more than any training.
const AMPLE: f64 = 1e15;

/// Goel and Faltings (2019) as Keswani et al. (2022, appendix C) run it: one policy for all cases, a linear program after
/// each `batch` cases (published: 10, for the rater pools 1,000), beta = .1. `k` different annotators label a training
/// case (published: not said), everybody if `None`. A test case goes to the available annotator with the largest share,
/// the first on ties.
pub fn goel_faltings(batch: usize, k: Option<usize>) -> Looped {
    let name = match k {
        Some(k) => format!("goel-faltings:k={k}"),
        None => "goel-faltings:everybody".to_owned(),
    };
    Looped::new(name, move |setting, _| {
        let m = setting.annotators();
        let settings = GoelFaltingsLoop { batch, k: k.unwrap_or(m), ..GoelFaltingsLoop::default() };
        let online = settings.start(m, setting.classes, None).map_err(FitError::from)?;
        Ok(Box::new(BySharesOfAll(online)))
    })
}

struct BySharesOfAll(OnlineGoelFaltings);

impl Decider for BySharesOfAll {
    fn allocator(&mut self) -> &mut dyn Allocator {
        &mut self.0
    }

    fn best(&mut self, _: CaseView<'_>, available: &[ExpertId]) -> Option<ExpertId> {
        largest(available, self.0.shares(0))
    }
}

/// Bounded epsilon-first (Tran-Thanh et al. 2014) as Keswani et al. (2022, appendix C) run it: everybody labels every
/// training case, and the mean of an annotator is their agreement with the majority. A test case goes to the available
/// annotator with the highest mean who has served fewer than `capacity` of them (published: the test cases shared among
/// the annotators, 1,000 and 25). If all of them have, to the best nevertheless, which is a guess.
pub fn epsilon_first(capacity: usize) -> Looped {
    Looped::new("epsilon-first", move |setting, _| {
        let m = setting.annotators();
        let settings = EpsilonFirst { epsilon: 1.0, budget: Some(AMPLE), ..EpsilonFirst::default() };
        Ok(Box::new(Capped { online: settings.online(m)?, means: None, served: vec![0; m], capacity }))
    })
}

struct Capped {
    online: OnlineEpsilonFirst,
    /// Taken when the first test case comes.
    means: Option<Vec<f64>>,
    served: Vec<usize>,
    capacity: usize,
}

impl Decider for Capped {
    fn allocator(&mut self) -> &mut dyn Allocator {
        self.means = None;
        &mut self.online
    }

    fn best(&mut self, _: CaseView<'_>, available: &[ExpertId]) -> Option<ExpertId> {
        let means = self.means.get_or_insert_with(|| self.online.means());
        let free = available.iter().copied().filter(|annotator| self.served[annotator.index()] < self.capacity);
        let best = first_largest(free, means).or_else(|| largest(available, means))?;
        self.served[best.index()] += 1;
        Some(best)
    }
}

fn largest(available: &[ExpertId], values: &[f64]) -> Option<ExpertId> {
    first_largest(available.iter().copied(), values)
}

/// Whose value is the largest, the first on ties.
fn first_largest(available: impl Iterator<Item = ExpertId>, values: &[f64]) -> Option<ExpertId> {
    let value = |annotator: ExpertId| values.get(annotator.index()).copied().unwrap_or(f64::NEG_INFINITY);
    available.reduce(|best, next| if value(next) > value(best) { next } else { best })
}

/// What is compared with: nobody is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// The majority of all votes on a test case, the lowest class on ties.
    Majority,
    /// What Dawid-Skene makes of all votes on training and test cases.
    DawidSkene,
    /// One annotator, drawn at random among those available.
    Random,
}

impl LoopMethod for Reference {
    fn name(&self) -> &str {
        match self {
            Self::Majority => "majority of all",
            Self::DawidSkene => "Dawid-Skene on all",
            Self::Random => "random annotator",
        }
    }

    fn decide(&self, trial: &Trial<'_>) -> Result<Run, EvalError> {
        let decisions = trial.data.data().decisions();
        Ok(match self {
            Self::Majority => {
                let mut counts = vec![0; trial.data.data().k()];
                by_votes(trial, 0, |_, row| most_votes(row, &mut counts))
            }
            Self::DawidSkene => {
                let labels = dawid_skene(trial)?;
                let heard = trial.train.iter().map(|&case| decisions.of_case(CaseId::at(case)).len()).sum();
                by_votes(trial, heard, |at, _| Some(labels[trial.train.len() + at]))
            }
            Self::Random => Run { answers: at_random(trial, decisions), training_labels: 0 },
        })
    }
}

/// Answers that use all votes on a test case; `label` is asked for its place among the test cases and its votes.
fn by_votes(
    trial: &Trial<'_>,
    training_labels: usize,
    mut label: impl FnMut(usize, Row<'_, ExpertId>) -> Option<Label>,
) -> Run {
    let decisions = trial.data.data().decisions();
    let answer = |(at, &case): (usize, &usize)| {
        let row = decisions.of_case(CaseId::at(case));
        let label = label(at, row).filter(|_| !row.is_empty());
        Answer { label, annotator: None, labels: row.len() }
    };
    Run { answers: trial.test.iter().enumerate().map(answer).collect(), training_labels }
}

fn most_votes(row: Row<'_, ExpertId>, counts: &mut [usize]) -> Option<Label> {
    counts.fill(0);
    for label in row.labels {
        counts[label.index()] += 1;
    }
    let most = counts.iter().copied().max().filter(|most| *most > 0)?;
    counts.iter().position(|count| *count == most).map(Label::at)
}

/// The labels of training and then of test cases.
fn dawid_skene(trial: &Trial<'_>) -> Result<Vec<Label>, AggregateError> {
    let cases: Vec<usize> = trial.train.iter().chain(trial.test).copied().collect();
    let votes = trial.data.data().decisions().select_cases(&cases);
    let ballots = Ballots::new(&votes, trial.data.data().k())?;
    let mut silent = Silent;
    let mut ctx = Context::new(trial.stream.child("dawid-skene"), &mut silent);
    Ok(DawidSkene::default().aggregate(&ballots, &mut ctx)?.labels)
}

fn at_random(trial: &Trial<'_>, decisions: &Decisions) -> Vec<Answer> {
    let mut random = trial.stream.child("random").random();
    let answer = |&case: &usize| {
        let row = decisions.of_case(CaseId::at(case));
        if row.is_empty() {
            return Answer { label: None, annotator: None, labels: 0 };
        }
        let at = random.random_range(0..row.len());
        Answer { label: Some(row.labels[at]), annotator: Some(row.ids[at]), labels: 1 }
    };
    trial.test.iter().map(answer).collect()
}

#[cfg(test)]
mod tests {
    use super::super::data::LoopData;
    use super::*;
    use deferral_allocation::{Prior, Setting};
    use deferral_core::Stream;
    use deferral_experts::OwnClusters;

    fn data() -> LoopData {
        let clusters = OwnClusters { cases: 300, ..OwnClusters::default() }.generate(&Stream::new(1)).unwrap();
        LoopData::new(clusters, "cluster", vec![0, 1, 2], |_, _| 0.5).unwrap()
    }

    fn run(method: &dyn LoopMethod, data: &LoopData) -> Run {
        let cases: Vec<usize> = (0..300).collect();
        let (train, test) = cases.split_at(200);
        let stream = Stream::new(3);
        method.decide(&Trial { data, train, test, groups_at_test: false, stream: &stream }).unwrap()
    }

    #[test]
    fn nobody_serves_more_than_the_capacity_while_others_can() {
        let data = data();
        let of = |capacity| {
            let run = run(&epsilon_first(capacity), &data);
            let mut served = [0; 3];
            run.answers.iter().for_each(|answer| served[answer.annotator.unwrap().index()] += 1);
            served.sort_unstable();
            (served, run.training_labels)
        };
        assert_eq!(of(40), ([20, 40, 40], 600));
        // Beyond everybody's capacity the best serves nevertheless.
        assert_eq!(of(30).0, [30, 30, 40]);
        assert_eq!(of(1000).0, [0, 0, 100]);
    }

    #[test]
    fn one_annotator_gets_all_cases_of_one_policy() {
        let data = data();
        for (method, heard) in [(goel_faltings(10, Some(1)), 200), (goel_faltings(10, None), 600)] {
            let run = run(&method, &data);
            let first = run.answers[0].annotator;
            assert!(first.is_some() && run.answers.iter().all(|answer| answer.annotator == first));
            assert_eq!(run.training_labels, heard, "{}", method.name());
        }
    }

    #[test]
    fn references_hear_what_they_say() {
        let data = data();
        let labels = |method| {
            let run = run(&method, &data);
            (run.training_labels, run.answers.iter().map(|answer| answer.labels).sum::<usize>())
        };
        assert_eq!(labels(Reference::Majority), (0, 300));
        assert_eq!(labels(Reference::DawidSkene), (600, 300));
        assert_eq!(labels(Reference::Random), (0, 100));
        let majority = run(&Reference::Majority, &data);
        for (answer, case) in majority.answers.iter().zip(200..) {
            let votes = data.data().decisions().of_case(CaseId(case)).labels;
            let ones = votes.iter().filter(|label| **label == Label(1)).count();
            assert_eq!(answer.label, Some(Label(u16::from(ones > 1))));
        }
        assert_eq!(run(&Reference::Random, &data), run(&Reference::Random, &data));
    }

    #[test]
    fn parameters_are_checked() {
        let setting = Setting::new(2, 2, Prior::from_fn(3, 3, |_, _| 0.5).unwrap());
        let message = |method: Looped| method.start(&setting, &Stream::new(1)).err().map(|error| error.to_string());
        assert_eq!(message(goel_faltings(0, None)).unwrap(), "batch is 0, but must be 1 or more");
        assert_eq!(message(epsilon_first(5)), None);
    }
}
