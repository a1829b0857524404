//! A closed loop, repeated over trials.

use std::borrow::Cow;
use std::ops::Range;

use deferral_core::{ParameterError, Splitter, Stream};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::data::{LoopData, World};
use super::method::{LoopMethod, Trial};
use super::report::LoopReport;
use super::score::Score;
use crate::error::EvalError;

/// What differs between trials beside the division and the order of the cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Draws {
    /// Nothing: one draw of the data for all trials, as in the released code.
    Fixed,
    /// Every trial draws its own data.
    #[default]
    Fresh,
}

/// What is simulated.
#[derive(Debug, Clone, PartialEq)]
pub struct ClosedLoopPlan {
    /// Where the data come from.
    pub world: World,
    /// Whether they are drawn once or for every trial; data that are given are always the same.
    pub draws: Draws,
    /// Repetitions, 1 or more. Published: 50 on clusters, 25 on rater pools.
    pub trials: usize,
    /// The share of test cases. Published: .3.
    pub test: f64,
    /// Whether the group of a test case is known when it is decided. Published: no.
    pub groups_at_test: bool,
    /// The seed of everything.
    pub seed: u64,
}

impl ClosedLoopPlan {
    /// Fifty trials with fresh data, 70 % of them for training, groups unknown at test, seed 1.
    pub fn of(world: World) -> Self {
        Self { world, draws: Draws::default(), trials: 50, test: 0.3, groups_at_test: false, seed: 1 }
    }

    /// Runs all methods on the same trials, in parallel (on the current rayon pool). The result depends on plan and
    /// methods alone.
    ///
    /// # Errors
    /// [`EvalError`] of the first trial, in order, that failed.
    pub fn run(&self, methods: &[Box<dyn LoopMethod>]) -> Result<LoopReport, EvalError> {
        ParameterError::check(self.trials > 0, "the number of trials", self.trials, "1 or more")?;
        self.run_trials(0..self.trials, methods)
    }

    /// Runs some of the trials only, such as the share of one machine: what they find is what [`ClosedLoopPlan::run`]
    /// finds in them.
    ///
    /// # Errors
    /// [`EvalError`] of the first trial, in order, that failed.
    pub fn run_trials(&self, trials: Range<usize>, methods: &[Box<dyn LoopMethod>]) -> Result<LoopReport, EvalError> {
        let root = Stream::new(self.seed).child("closed loop");
        let shared = match self.draws {
            Draws::Fixed => Some(self.world.draw(&root.child("data").nth(0))?),
            Draws::Fresh => None,
        };
        let run = |trial: usize| -> Result<(Vec<String>, Vec<Score>), EvalError> {
            let data = match &shared {
                Some(data) => Cow::Borrowed(&**data),
                None => self.world.draw(&root.child("data").nth(trial))?,
            };
            let scores = self.run_trial(trial, &data, methods, &root.child("trial").nth(trial))?;
            Ok((data.golds().iter().map(|gold| gold.name.clone()).collect(), scores))
        };
        let results: Vec<_> = trials.into_par_iter().map(run).collect();
        let results = results.into_iter().collect::<Result<Vec<_>, _>>()?;
        let names = methods.iter().map(|method| method.name().to_owned()).collect();
        let golds = results.first().map_or_else(Vec::new, |(golds, _)| golds.clone());
        Ok(LoopReport::of(names, golds, results.into_iter().map(|(_, scores)| scores).collect()))
    }

    fn run_trial(
        &self,
        trial: usize,
        data: &LoopData,
        methods: &[Box<dyn LoopMethod>],
        stream: &Stream,
    ) -> Result<Vec<Score>, EvalError> {
        let splitter = Splitter::Random { test: self.test };
        let splits = splitter.split(data.data().cases(), None, &stream.child("split"))?;
        let Some(split) = splits.into_iter().next() else {
            return Err(EvalError::Nothing("the cases were not divided".to_owned()));
        };
        let mut train = split.train;
        train.shuffle(&mut stream.child("order").random());
        let stream = stream.child("method");
        let view =
            Trial { data, train: &train, test: &split.test, groups_at_test: self.groups_at_test, stream: &stream };
        let score = |method: &dyn LoopMethod| match method.decide(&view) {
            Ok(run) => Ok(Score::of(&view, &run)),
            Err(source) => Err(EvalError::Method {
                method: method.name().to_owned(),
                place: format!(" (trial {})", trial + 1),
                source: Box::new(source),
            }),
        };
        methods.iter().map(|method| score(&**method)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::baselines::{Reference, epsilon_first, goel_faltings};
    use super::*;
    use deferral_experts::{OwnClusters, RaterPools};

    fn plan(draws: Draws) -> ClosedLoopPlan {
        let clusters = OwnClusters { cases: 600, ..OwnClusters::default() };
        ClosedLoopPlan { draws, trials: 4, ..ClosedLoopPlan::of(World::clusters(clusters, 0.3)) }
    }

    fn methods() -> Vec<Box<dyn LoopMethod>> {
        vec![
            Box::new(goel_faltings(10, Some(1))),
            Box::new(epsilon_first(60)),
            Box::new(Reference::Majority),
            Box::new(Reference::DawidSkene),
            Box::new(Reference::Random),
        ]
    }

    #[test]
    fn baselines_are_no_better_than_chance_on_clusters() {
        let report = plan(Draws::Fresh).run(&methods()).unwrap();
        let of = |at: usize| report.rows[at].golds[0].accuracy.unwrap().mean;
        // One annotator for everything is right on a third and on .2 of the rest.
        for at in [0, 1, 4] {
            assert!((of(at) - 0.467).abs() < 0.05, "{}: {}", report.rows[at].method, of(at));
            assert!((report.rows[at].assignment.unwrap().mean - 1.0 / 3.0).abs() < 0.06);
        }
        // The one who knows and one of the others must be right: .36.
        assert!((of(2) - 0.36).abs() < 0.05, "{}", of(2));
        assert_eq!(report.rows[2].assignment, None);
        let labels = |at: usize| (report.rows[at].training_labels, report.rows[at].test_labels);
        assert_eq!([0, 1, 2, 3, 4].map(labels), [(1.0, 1.0), (3.0, 1.0), (0.0, 3.0), (3.0, 3.0), (0.0, 1.0)]);
    }

    #[test]
    fn the_result_does_not_depend_on_threads() {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| plan(Draws::Fresh).run(&methods()).unwrap())
        };
        assert_eq!(on(1), on(3));
        assert_ne!(on(1), ClosedLoopPlan { seed: 2, ..plan(Draws::Fresh) }.run(&methods()).unwrap());
    }

    #[test]
    fn trials_can_be_run_apart() {
        for draws in [Draws::Fresh, Draws::Fixed] {
            let (plan, methods) = (plan(draws), methods());
            let together = plan.run(&methods).unwrap().scores;
            let apart = |trials| plan.run_trials(trials, &methods).unwrap().scores;
            assert_eq!([apart(0..1), apart(1..4)].concat(), together);
        }
    }

    #[test]
    fn one_draw_for_all_trials_or_one_each() {
        let all = |draws| plan(draws).run(&[Box::new(Reference::DawidSkene) as Box<dyn LoopMethod>]).unwrap();
        assert_ne!(all(Draws::Fixed), all(Draws::Fresh));
        let fixed = plan(Draws::Fixed);
        let data = fixed.world.draw(&Stream::new(1).child("closed loop").child("data").nth(0)).unwrap().into_owned();
        let given = ClosedLoopPlan { world: World::Given(data.into()), ..plan(Draws::Fresh) };
        assert_eq!(given.run(&methods()).unwrap(), fixed.run(&methods()).unwrap());
    }

    #[test]
    fn rater_pools_are_at_the_published_level() {
        let pools = RaterPools { comments: 4000, ..RaterPools::default() };
        let plan = ClosedLoopPlan { trials: 2, ..ClosedLoopPlan::of(World::Pools(pools)) };
        let report = plan.run(&[Box::new(Reference::Random) as Box<dyn LoopMethod>]).unwrap();
        let auc = |gold: usize| report.rows[0].golds[gold].auc.unwrap().mean;
        assert!((auc(0) - 0.60).abs() < 0.05 && (auc(1) - 0.66).abs() < 0.05, "{} {}", auc(0), auc(1));
    }

    #[test]
    fn mistakes_are_named() {
        let message = |plan: ClosedLoopPlan| plan.run(&methods()).unwrap_err().to_string();
        assert_eq!(
            message(ClosedLoopPlan { trials: 0, ..plan(Draws::Fresh) }),
            "the number of trials is 0, but must be 1 or more"
        );
        let test = message(ClosedLoopPlan { test: 1.5, ..plan(Draws::Fresh) });
        assert!(test.starts_with("the test share is 1.5"), "{test}");
        let error = plan(Draws::Fresh).run(&[Box::new(goel_faltings(0, None)) as Box<dyn LoopMethod>]).unwrap_err();
        assert_eq!(error.to_string(), "method `goel-faltings:everybody` (trial 1): batch is 0, but must be 1 or more");
    }
}
