//! Somebody joins, leaves or changes: what a loop that goes on makes of it, beside one that starts anew.

use deferral_allocation::{Prior, Setting};
use deferral_core::{Allocator, Decisions, ExpertId, GroupAttribute, Label, Newcomer, ParameterError, Stream};
use deferral_experts::{OwnClusters, SkilledExpert, boxed, panel};
use deferral_metrics::Spread;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::Serialize;

use super::data::LoopData;
use super::method::{Decider, Looped};
use super::report::mean;
use super::score::accuracy;
use super::session::Session;
use crate::error::EvalError;
use crate::table::Table;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Change {
    /// The last annotator comes, who was not there before.
    Joins,
    /// An annotator goes.
    Leaves {
        /// Who.
        annotator: usize,
    },
    /// An annotator becomes better or worse; the prior does not hear of it.
    Drifts {
        /// Who.
        annotator: usize,
        /// The probability of being right on their own cluster from now on.
        own: f64,
        /// The same elsewhere.
        elsewhere: f64,
    },
    /// Two annotators take over each other's competence; the prior does not hear of it.
    Swap {
        /// One.
        first: usize,
        /// The other.
        second: usize,
    },
}

/// A loop on clusters in which something changes.
///
/// ```
/// use deferral_eval::closed_loop::{Change, ChangePlan, goel_faltings};
/// let plan = ChangePlan { before: 200, window: 100, trials: 2, ..ChangePlan::of(Change::Leaves { annotator: 0 }) };
/// let report = plan.run(&goel_faltings(10, None))?;
/// println!("{}", report.table().markdown());
/// assert!(report.online.mean < 0.7);
/// # Ok::<(), deferral_eval::EvalError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ChangePlan {
    /// The annotators; the number of cases follows from the other numbers.
    pub clusters: OwnClusters,
    /// How little the prior says, s.
    pub noise: f64,
    /// What happens.
    pub change: Change,
    /// After how many tasks, 1 or more.
    pub before: usize,
    /// On how many tasks after it labels are judged, 1 or more.
    pub window: usize,
    /// Repetitions, 1 or more.
    pub trials: usize,
    /// The seed of everything.
    pub seed: u64,
}

/// The share of the loop's own labels that are right, over trials.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangeReport {
    /// The method.
    pub method: String,
    /// What happened.
    pub change: Change,
    /// On as many tasks before the change as are judged after it, or all of them.
    pub before: Spread,
    /// On the tasks after the change, of the loop that goes on.
    pub online: Spread,
    /// On the same tasks, of a new loop that was told the whole history again: the same tasks with the labels of that
    /// time, of those who are still there.
    pub refit: Spread,
    /// On the same tasks, of a new loop that went through as many tasks as those before, all in the changed world.
    pub fresh: Spread,
}

impl ChangePlan {
    /// Two annotators who know each cluster, noise .3, 1,000 tasks, then the change, 200 tasks after it, 50 trials,
    /// seed 1.
    pub fn of(change: Change) -> Self {
        let clusters = OwnClusters { per_cluster: 2, ..OwnClusters::default() };
        Self { clusters, noise: 0.3, change, before: 1000, window: 200, trials: 50, seed: 1 }
    }

    /// Runs all trials, in parallel (on the current rayon pool). The result depends on the plan and the method alone.
    ///
    /// # Errors
    /// If a number is out of range, an annotator does not exist, or the method fails.
    pub fn run(&self, method: &Looped) -> Result<ChangeReport, EvalError> {
        self.check()?;
        let root = Stream::new(self.seed).child("change");
        let results: Vec<_> =
            (0..self.trials).into_par_iter().map(|trial| self.run_trial(method, &root.nth(trial))).collect();
        let results = results.into_iter().collect::<Result<Vec<_>, _>>()?;
        let spread = |at: usize| {
            let values: Vec<f64> = results.iter().map(|accuracies: &[f64; 4]| accuracies[at]).collect();
            Spread::of(&values).ok_or_else(|| EvalError::Nothing("no task was judged".to_owned()))
        };
        Ok(ChangeReport {
            method: super::LoopMethod::name(method).to_owned(),
            change: self.change,
            before: spread(0)?,
            online: spread(1)?,
            refit: spread(2)?,
            fresh: spread(3)?,
        })
    }

    fn check(&self) -> Result<(), ParameterError> {
        let m = self.clusters.annotators();
        for (name, number) in
            [("before", self.before), ("the window", self.window), ("the number of trials", self.trials)]
        {
            ParameterError::check(number > 0, name, number, "1 or more")?;
        }
        let range = (0.0..=1.0).contains(&self.noise);
        ParameterError::check(range, "the noise of the prior", self.noise, "a number from 0 to 1")?;
        ParameterError::check(m > 1, "the number of annotators", m, "2 or more")?;
        let named = match self.change {
            Change::Joins => [m - 1; 2],
            Change::Leaves { annotator } | Change::Drifts { annotator, .. } => [annotator; 2],
            Change::Swap { first, second } => [first, second],
        };
        let expected = format!("below {m}, the number of annotators");
        named.iter().try_for_each(|&annotator| {
            ParameterError::check(annotator < m, "the annotator who changes", annotator, &expected)
        })
    }

    /// Accuracies before, online, of the refit and fresh.
    fn run_trial(&self, method: &Looped, stream: &Stream) -> Result<[f64; 4], EvalError> {
        let worlds = self.draw(&stream.child("data"))?;
        let mut order: Vec<usize> = (0..worlds.data.data().n()).collect();
        order.shuffle(&mut stream.child("order").random());
        let (history, rest) = order.split_at(self.before);
        let (window, others) = rest.split_at(self.window);
        let others = &others[..self.before];
        let (old_team, new_team) = self.teams();
        let draws = stream.child("allocate");
        let go = |decider: &mut dyn Decider, world: &Decisions, cases: &[usize], team: &[ExpertId], from: usize| {
            let mut session = Session::new(&worlds.data, world);
            let allocator = decider.allocator();
            let step = |(at, &case): (usize, &usize)| {
                (case, session.step(allocator, case, Some(team), &mut draws.at(from + at)).label)
            };
            cases.iter().enumerate().map(step).collect::<Vec<(usize, Option<Label>)>>()
        };
        let start = |m: usize| method.start(&self.setting(m)?, &stream.child("start"));
        let judge = |labels: &[(usize, Option<Label>)]| {
            accuracy(&worlds.data.golds()[0], labels.iter().copied()).unwrap_or(f64::NAN)
        };

        let mut online = start(old_team.len())?;
        let before = go(&mut *online, &worlds.before, history, &old_team, 0);
        self.announce(online.allocator());
        let online = go(&mut *online, &worlds.after, window, &new_team, self.before);

        let m = self.clusters.annotators();
        let mut refit = start(m)?;
        let stayed: Vec<ExpertId> = new_team.iter().copied().filter(|annotator| old_team.contains(annotator)).collect();
        go(&mut *refit, &worlds.before, history, &stayed, 0);
        let refit = go(&mut *refit, &worlds.after, window, &new_team, self.before);

        let mut fresh = start(m)?;
        go(&mut *fresh, &worlds.after, others, &new_team, 0);
        let fresh = go(&mut *fresh, &worlds.after, window, &new_team, self.before);

        let last = before.len().saturating_sub(self.window);
        Ok([judge(&before[last..]), judge(&online), judge(&refit), judge(&fresh)])
    }

    /// Who is there before and after.
    fn teams(&self) -> (Vec<ExpertId>, Vec<ExpertId>) {
        let m = self.clusters.annotators();
        let everybody = || (0..m).map(ExpertId::at);
        match self.change {
            Change::Joins => (everybody().take(m - 1).collect(), everybody().collect()),
            Change::Leaves { annotator } => {
                (everybody().collect(), everybody().filter(|other| other.index() != annotator).collect())
            }
            Change::Drifts { .. } | Change::Swap { .. } => (everybody().collect(), everybody().collect()),
        }
    }

    /// What an allocator for the first `m` annotators is told.
    fn setting(&self, m: usize) -> Result<Setting, ParameterError> {
        let similarity = |annotator, group| OwnClusters::similarity(annotator, group, self.noise);
        Ok(Setting::new(2, 2, Prior::from_fn(m, 3, similarity)?))
    }

    /// Tells the loop who joins. Who leaves is not available any more; of other changes nobody tells.
    fn announce(&self, allocator: &mut dyn Allocator) {
        if self.change == Change::Joins {
            let last = self.clusters.annotators() - 1;
            let similarity = [0, 1, 2].map(|group| OwnClusters::similarity(last, group, self.noise));
            allocator.join(Newcomer { similarity: &similarity, price: 1.0 });
        }
    }

    fn draw(&self, stream: &Stream) -> Result<Worlds, EvalError> {
        // A case more than the clusters can share is left out.
        let cases = (2 * self.before + self.window).next_multiple_of(3);
        let clusters = OwnClusters { cases, ..self.clusters };
        let data = clusters.generate(stream)?;
        let own = (0..data.m()).map(OwnClusters::own_cluster).collect();
        let similarity = |annotator, group| OwnClusters::similarity(annotator, group, self.noise);
        let data = LoopData::new(data, OwnClusters::ATTRIBUTE, own, similarity)?;
        // The draws are the same before and after: only who is changed answers otherwise.
        let answers = |accuracies: Vec<Vec<f64>>| -> Result<Decisions, EvalError> {
            let experts = experts(data.attribute(), accuracies)?;
            Ok(panel(&boxed(experts), data.data().cases(), Some(OwnClusters::ATTRIBUTE), &stream.child("answers"))?)
        };
        let before = answers(self.accuracies())?;
        let after = answers(self.changed_accuracies())?;
        Ok(Worlds { data, before, after })
    }

    /// By annotator and cluster, before the change.
    fn accuracies(&self) -> Vec<Vec<f64>> {
        let of = |annotator| (0..3).map(|cluster| self.clusters.accuracy(annotator, cluster)).collect();
        (0..self.clusters.annotators()).map(of).collect()
    }

    fn changed_accuracies(&self) -> Vec<Vec<f64>> {
        let mut accuracies = self.accuracies();
        match self.change {
            Change::Joins | Change::Leaves { .. } => {}
            Change::Drifts { annotator, own, elsewhere } => {
                let changed = OwnClusters { own, elsewhere, ..self.clusters };
                accuracies[annotator] = (0..3).map(|cluster| changed.accuracy(annotator, cluster)).collect();
            }
            Change::Swap { first, second } => accuracies.swap(first, second),
        }
        accuracies
    }
}

/// The cases, and what everybody says of them before and after the change.
struct Worlds {
    data: LoopData,
    before: Decisions,
    after: Decisions,
}

fn experts(clusters: &GroupAttribute, accuracies: Vec<Vec<f64>>) -> Result<Vec<SkilledExpert>, EvalError> {
    let build = |accuracies| SkilledExpert::new(clusters, accuracies, 2).map_err(EvalError::from);
    accuracies.into_iter().map(build).collect()
}

impl ChangeReport {
    /// One row: the method, and the mean accuracy (population standard deviation) before the change and after it, of
    /// the loop that goes on, of the refit and of the one trained in the changed world.
    pub fn table(&self) -> Table {
        let header = ["method", "before", "online", "full refit", "changed world only"].map(str::to_owned).to_vec();
        let spreads = [&self.before, &self.online, &self.refit, &self.fresh];
        let cells = spreads.into_iter().map(|spread| mean(Some(spread)));
        Table { header, rows: vec![std::iter::once(self.method.clone()).chain(cells).collect()] }
    }
}

#[cfg(test)]
mod tests {
    use super::super::method::ByShares;
    use super::*;
    use deferral_core::{CaseView, Question, Vote};
    use rand::Rng;

    /// Asks whoever is there who suits the group best, as the prior says; knows nobody who was not announced.
    struct ByPrior(Prior);

    impl Allocator for ByPrior {
        fn allocate(&mut self, case: CaseView<'_>, available: &[ExpertId], _: &mut dyn Rng) -> Vec<Question> {
            let known: Vec<ExpertId> = available.iter().copied().filter(|a| a.index() < self.0.annotators()).collect();
            // The last one of those who suit best.
            let best = known
                .iter()
                .copied()
                .max_by(|a, b| self.0.of(*a, case.group).total_cmp(&self.0.of(*b, case.group)).then(a.cmp(b)));
            best.map(|expert| Question { expert, propensity: 1.0 }).into_iter().collect()
        }
        fn learn(&mut self, _: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
            votes.first().map(|vote| vote.label)
        }
        fn shares(&self, _: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
            vec![1.0 / available.len() as f64; available.len()]
        }
        fn join(&mut self, newcomer: Newcomer<'_>) {
            self.0.push(newcomer.similarity);
        }
    }

    fn by_prior() -> Looped {
        Looped::new("by the prior", |setting, _| Ok(Box::new(ByShares(ByPrior(setting.prior.clone())))))
    }

    fn run(change: Change, per_cluster: usize) -> [f64; 4] {
        let clusters = OwnClusters { per_cluster, ..OwnClusters::default() };
        let plan = ChangePlan { clusters, before: 300, window: 210, trials: 3, ..ChangePlan::of(change) };
        let report = plan.run(&by_prior()).unwrap();
        assert_eq!(report, plan.run(&by_prior()).unwrap());
        [report.before, report.online, report.refit, report.fresh].map(|spread| spread.mean)
    }

    /// Whether each is what is expected, but for six standard deviations of a share of 630.
    fn close(found: [f64; 4], expected: [f64; 4]) -> bool {
        found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 0.1)
    }

    #[test]
    fn who_leaves_is_missed_where_nobody_else_knows() {
        let one_third_lost = (2.0 + 0.2) / 3.0;
        let found = run(Change::Leaves { annotator: 1 }, 1);
        assert!(close(found, [1.0, one_third_lost, one_third_lost, one_third_lost]), "{found:?}");
        assert_eq!(run(Change::Leaves { annotator: 1 }, 2), [1.0; 4]);
    }

    #[test]
    fn who_joins_is_heard() {
        let found = run(Change::Joins, 1);
        assert!(close(found, [(2.0 + 0.2) / 3.0, 1.0, 1.0, 1.0]), "{found:?}");
        assert_eq!(found[1..], [1.0; 3]);
    }

    #[test]
    fn drift_is_seen_in_the_labels() {
        let found = run(Change::Drifts { annotator: 2, own: 0.5, elsewhere: 0.5 }, 1);
        let after = (2.0 + 0.5) / 3.0;
        assert!(close(found, [1.0, after, after, after]), "{found:?}");
        let found = run(Change::Swap { first: 0, second: 1 }, 1);
        let after = (1.0 + 2.0 * 0.2) / 3.0;
        assert!(close(found, [1.0, after, after, after]), "{found:?}");
    }

    #[test]
    fn mistakes_are_named() {
        let message = |plan: ChangePlan| plan.run(&by_prior()).unwrap_err().to_string();
        let of = ChangePlan::of;
        assert_eq!(
            message(of(Change::Leaves { annotator: 6 })),
            "the annotator who changes is 6, but must be below 6, the number of annotators"
        );
        assert_eq!(message(ChangePlan { before: 0, ..of(Change::Joins) }), "before is 0, but must be 1 or more");
        let drift = Change::Drifts { annotator: 0, own: 1.5, elsewhere: 0.2 };
        assert!(message(of(drift)).contains("1.5"), "{}", message(of(drift)));
        assert_eq!(
            message(ChangePlan { noise: -0.1, ..of(Change::Joins) }),
            "the noise of the prior is -0.1, but must be a number from 0 to 1"
        );
    }

    #[test]
    fn a_row_for_the_table() {
        let plan = ChangePlan { before: 60, window: 30, trials: 2, ..ChangePlan::of(Change::Joins) };
        let table = plan.run(&by_prior()).unwrap().table();
        assert_eq!(table.rows[0], ["by the prior", "1.000 (.000)", "1.000 (.000)", "1.000 (.000)", "1.000 (.000)"]);
    }
}
