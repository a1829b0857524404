//! Dawid-Skene while the votes come in.

use std::collections::{BTreeMap, BTreeSet};

use deferral_core::{
    AggregateError, Aggregator, Ballots, CaseId, Columns, Confusions, Consensus, Context, Criterion, ExpertId,
    FitStatus, Label, ParameterError, Probabilities, Trace, Workers, most_probable,
};
use serde::{Deserialize, Serialize};

use super::em::FLOOR;
use super::ledger::{Cast, Ledger, move_by};

/// Dawid-Skene with a prior, one vote at a time: what is known of workers and tasks is up to date after every vote, at
/// a cost that does not grow with the votes there were.
///
/// As an [`Aggregator`] it reads the ballots once, task by task and within a task worker by worker, known truths first;
/// further passes go over the tasks again ([`RunningConsensus::revisit`]). The result depends on that order. Its trace
/// has one value a pass ([`Criterion::Running`]). With
/// [`OnlineDawidSkene::start`] the votes are pushed as they arrive. What a vote does stands at [`RunningConsensus`].
///
/// The method is ours: Bayes' rule for the task and incremental EM (Neal and Hinton 1998) with Dirichlet priors for the
/// workers. All classes are equally probable before a task's votes, and strangers err on all alike: with few votes a
/// task nobody can tell frequent classes from workers who favour them, and a model that tried would outvote single votes
/// by what it took to be frequent. On the posts that [`OneCoin`](crate::OneCoin) speaks of, one pass is .908 accurate, a
/// second one .920, as Dawid-Skene; with one vote a post both are as accurate as majority. This form was chosen
/// among a dozen on the same posts, so read these figures as optimistic. O(votes x K (1 + revise)) for the first pass, O(votes x K) for each other, O((votes + n)
/// K + m K^2) memory; looking up a task or a worker costs a logarithm.
///
/// ```
/// use deferral_core::{CaseId, ExpertId, Label};
/// use deferral_crowd::OnlineDawidSkene;
/// let mut running = OnlineDawidSkene::default().start(2)?;
/// running.push(CaseId(7), ExpertId(0), Label(1))?;
/// running.push(CaseId(7), ExpertId(1), Label(1))?;
/// running.push(CaseId(7), ExpertId(2), Label(0))?;
/// assert_eq!(running.label(CaseId(7)), Label(1));
/// running.reveal(CaseId(7), Label(0))?;
/// assert!(running.skill(ExpertId(2)) > running.skill(ExpertId(1)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OnlineDawidSkene {
    /// How likely a stranger is right before anybody has voted, above 1/K and below 1; errors are uniform. Default 0.7.
    pub skill: f64,
    /// How many votes that guess is worth against the votes of all workers. Default 20.
    pub pool: f64,
    /// How many votes under each truth all workers together are worth against a worker's own. Default 4.
    pub strength: f64,
    /// How many older votes of a task are credited anew when a vote comes in; 0 updates nobody but the voter. Default
    /// 16.
    pub revise: usize,
    /// Times that the aggregator reads the votes. Default 2: the first were read when little was known.
    pub passes: usize,
}

impl Default for OnlineDawidSkene {
    fn default() -> Self {
        Self { skill: 0.7, pool: 20.0, strength: 4.0, revise: 16, passes: 2 }
    }
}

impl OnlineDawidSkene {
    /// Nothing known yet of tasks with K = `classes`.
    ///
    /// # Errors
    /// If a parameter is out of range or there are no classes or more than labels.
    pub fn start(&self, classes: usize) -> Result<RunningConsensus, ParameterError> {
        let labels = usize::from(u16::MAX) + 1;
        let expected = format!("between 1 and {labels}");
        ParameterError::check((1..=labels).contains(&classes), "the number of classes", classes, &expected)?;
        let chance = 1.0 / classes as f64;
        let ok = self.skill < 1.0 && (self.skill > chance || classes == 1 && self.skill > 0.0);
        let expected = format!("above chance ({chance:.3} with {classes} classes) and below 1");
        ParameterError::check(ok, "the skill of a stranger", self.skill, &expected)?;
        let positive = |weight: f64| weight > 0.0 && weight.is_finite();
        ParameterError::check(positive(self.pool), "the weight of the first guess", self.pool, "above 0 and finite")?;
        let strength = self.strength;
        ParameterError::check(positive(strength), "the weight of the pool", strength, "above 0 and finite")?;
        ParameterError::check(self.passes > 0, "the number of passes", self.passes, "1 or more")?;
        Ok(RunningConsensus {
            classes,
            revise: self.revise,
            ledger: Ledger::new(self, classes),
            shares: vec![0.0; classes],
            tasks: BTreeMap::new(),
            seen: BTreeSet::new(),
        })
    }
}

impl Aggregator for OnlineDawidSkene {
    fn aggregate(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<Consensus, AggregateError> {
        let mut running = self.start(ballots.classes())?;
        for task in 0..ballots.n() {
            if let Some(label) = ballots.gold_of(task) {
                running.tell(CaseId::at(task), label);
            }
        }
        let mut trace = Trace::new(Criterion::Running);
        for pass in 0..self.passes {
            let log_likelihood = if pass == 0 {
                ballots.decisions().iter().map(|(task, vote)| running.hear(task, vote.expert, vote.label)).sum()
            } else {
                (0..ballots.n()).map(|task| running.revisit(CaseId::at(task))).sum()
            };
            // All passes that were asked for are made, whatever they gain.
            trace.push(log_likelihood, self.passes, 0.0, 0.0, ctx)?;
        }
        trace.status = FitStatus::StepLimit;
        Ok(Consensus { trace, ..running.consensus(ballots.n(), ballots.m()) })
    }
}

/// Why a vote or a truth was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OnlineError {
    /// The label lies outside the classes.
    #[error("task {} was given label {}, but there are {classes} classes", task.0, label.0)]
    Label {
        /// The task.
        task: CaseId,
        /// The label.
        label: Label,
        /// Number of classes.
        classes: usize,
    },
    /// The worker has voted on the task before.
    #[error("worker {} has already voted on task {}", worker.0, task.0)]
    Again {
        /// The task.
        task: CaseId,
        /// The worker.
        worker: ExpertId,
    },
}

/// Labels and skills that follow every vote.
///
/// **Workers.** `N_w[k, l]` adds up, for every vote l of w, the belief that its task is of class k. The matrix of w is
/// `C_w[k, l] = (N_w[k, l] + strength P[k, l]) / (N_w[k, .] + strength)`. The pool's P has `s` on its diagonal and `(1 -
/// s) / (K - 1)` elsewhere, where `s = (sum_k N[k, k] + pool skill) / (sum N + pool)` and N sums over workers.
/// **Classes.** Their shares are the means of the beliefs in all tasks, with one more task of each class; they are told,
/// and believed of tasks without votes. **Tasks.** Before its votes a task is believed to be of each class alike. A vote
/// l of w multiplies the belief by `C_w[k, l]`. Then the vote is added to `N_w` with the new belief, and up to `revise`
/// older votes of the task, in turn, are moved from the belief they were added with to the new one. With no more votes
/// on a task than that, all counts are those of the present beliefs. The factors of older votes stay as they were until
/// [`RunningConsensus::revisit`].
///
/// Tasks and workers exist as soon as they are named. The same votes in the same order give the same bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningConsensus {
    classes: usize,
    revise: usize,
    ledger: Ledger,
    /// The beliefs in all tasks, added up.
    shares: Vec<f64>,
    tasks: BTreeMap<CaseId, Task>,
    seen: BTreeSet<(CaseId, ExpertId)>,
}

impl RunningConsensus {
    /// Takes one vote, and returns the log of the probability that it had given all before it. O(K (1 + revise)).
    ///
    /// # Errors
    /// If the label lies outside the classes, or the worker has voted on the task before. Nothing is changed then.
    pub fn push(&mut self, task: CaseId, worker: ExpertId, label: Label) -> Result<f64, OnlineError> {
        self.check(task, label)?;
        if self.seen.contains(&(task, worker)) {
            return Err(OnlineError::Again { task, worker });
        }
        Ok(self.hear(task, worker, label))
    }

    /// Takes the truth of a task, before or after votes on it; a later one replaces an earlier one. O(K x its votes).
    ///
    /// # Errors
    /// If the label lies outside the classes.
    pub fn reveal(&mut self, task: CaseId, label: Label) -> Result<(), OnlineError> {
        self.check(task, label)?;
        self.tell(task, label);
        Ok(())
    }

    /// Reads all votes on a task again with what is now known of the workers, and returns their log-likelihood (with
    /// that of the truth if it is known); 0 for a task that was never named. O(K x its votes).
    pub fn revisit(&mut self, task: CaseId) -> f64 {
        let Some(task) = self.tasks.get_mut(&task) else { return 0.0 };
        let before = task.belief();
        task.logs = impartial(self.classes);
        for vote in &task.votes {
            add_logs(&mut task.logs, &self.ledger.given_vote(vote.worker, vote.label));
        }
        let log_likelihood = task.gold.map(|label| task.logs[label.index()]);
        let total = task.normalise();
        move_by(&mut self.shares, &before, &task.belief());
        task.credit(task.votes.len(), &mut self.ledger);
        log_likelihood.unwrap_or(total)
    }

    /// What is believed of a task: K probabilities; the shares of the classes for one that was never named.
    pub fn belief(&self, task: CaseId) -> Vec<f64> {
        self.tasks.get(&task).map_or_else(|| self.prior(), Task::belief)
    }

    /// The most probable label of a task, the lowest on ties.
    pub fn label(&self, task: CaseId) -> Label {
        Label::at(most_probable(&self.belief(task)))
    }

    /// The probability that a worker is right on a task of which nothing is known. O(K).
    pub fn skill(&self, worker: ExpertId) -> f64 {
        let right = |(class, share): (usize, f64)| share * self.ledger.probability(worker, class, class);
        self.prior().into_iter().enumerate().map(right).sum()
    }

    /// How likely a worker gives each vote: `[truth][vote]`, K x K; the pool's matrix for one who never voted.
    pub fn matrix(&self, worker: ExpertId) -> Vec<Vec<f64>> {
        let row = |truth| (0..self.classes).map(|vote| self.ledger.probability(worker, truth, vote)).collect();
        (0..self.classes).map(row).collect()
    }

    /// The share of each class among the tasks.
    pub fn prior(&self) -> Vec<f64> {
        let total: f64 = self.shares.iter().sum::<f64>() + self.classes as f64;
        self.shares.iter().map(|share| (share.max(0.0) + 1.0) / total).collect()
    }

    /// Number of votes taken.
    pub fn votes(&self) -> usize {
        self.seen.len()
    }

    /// Number of classes, K.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// What is believed of tasks `0..n` and workers `0..m`, with or without votes. O(n K + m K^2).
    pub fn consensus(&self, n: usize, m: usize) -> Consensus {
        let beliefs = (0..n).flat_map(|task| self.belief(CaseId::at(task))).collect();
        let skills = (0..m).map(|worker| self.skill(ExpertId::at(worker))).collect();
        let confusions = Confusions::from_fn(m, self.classes, |worker, truth, vote| {
            self.ledger.probability(ExpertId::at(worker), truth, vote)
        });
        let probabilities = Probabilities(Columns::from_values(self.classes, beliefs));
        Consensus::new(probabilities, self.prior(), skills, Workers::Confusions(confusions), Trace::none())
    }

    fn check(&self, task: CaseId, label: Label) -> Result<(), OnlineError> {
        let classes = self.classes;
        if label.index() < classes { Ok(()) } else { Err(OnlineError::Label { task, label, classes }) }
    }

    /// Takes a vote that was checked.
    fn hear(&mut self, task: CaseId, worker: ExpertId, label: Label) -> f64 {
        self.seen.insert((task, worker));
        let likelihood = self.ledger.given_vote(worker, label);
        let (task, before) = named(&mut self.tasks, task, self.classes);
        let believed = task.belief();
        let probability: f64 = believed.iter().zip(&likelihood).map(|(belief, given)| belief * given).sum();
        add_logs(&mut task.logs, &likelihood);
        task.normalise();
        move_by(&mut self.shares, &before, &task.belief());
        task.votes.push(Cast { worker, label, credit: vec![0.0; self.classes] });
        task.credit_last(&mut self.ledger);
        task.credit(self.revise, &mut self.ledger);
        probability.max(FLOOR).ln()
    }

    /// Takes a truth that was checked.
    fn tell(&mut self, task: CaseId, label: Label) {
        let (task, before) = named(&mut self.tasks, task, self.classes);
        task.gold = Some(label);
        move_by(&mut self.shares, &before, &task.belief());
        task.credit(task.votes.len(), &mut self.ledger);
    }
}

/// A task with what it adds to the shares of the classes so far: nothing if it was never named.
fn named(tasks: &mut BTreeMap<CaseId, Task>, id: CaseId, classes: usize) -> (&mut Task, Vec<f64>) {
    let mut before = vec![0.0; classes];
    let task = tasks
        .entry(id)
        .and_modify(|task| before = task.belief())
        .or_insert_with(|| Task { logs: impartial(classes), ..Task::default() });
    (task, before)
}

/// The log of the belief in a task before its votes.
fn impartial(classes: usize) -> Vec<f64> {
    vec![-(classes as f64).ln(); classes]
}

fn add_logs(logs: &mut [f64], likelihood: &[f64]) {
    logs.iter_mut().zip(likelihood).for_each(|(log, given)| *log += given.ln());
}

/// One task, from the first time that it is named.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Task {
    /// The log of the belief: products of ten thousand votes are too small for anything else.
    logs: Vec<f64>,
    gold: Option<Label>,
    votes: Vec<Cast>,
    /// The vote whose turn it is to be credited anew.
    turn: usize,
}

impl Task {
    fn belief(&self) -> Vec<f64> {
        if let Some(label) = self.gold {
            return (0..self.logs.len()).map(|class| f64::from(u8::from(class == label.index()))).collect();
        }
        let mut belief = self.logs.clone();
        deferral_models::stable::softmax(&mut belief);
        belief
    }

    /// Makes the logs those of a distribution, and returns the log of their total.
    fn normalise(&mut self) -> f64 {
        let total = deferral_models::stable::log_sum_exp(&self.logs);
        self.logs.iter_mut().for_each(|log| *log -= total);
        total
    }

    fn credit_last(&mut self, ledger: &mut Ledger) {
        let belief = self.belief();
        if let Some(vote) = self.votes.last_mut() {
            ledger.credit(vote, &belief);
        }
    }

    /// Moves the next `count` votes, each at most once, to what is believed now.
    fn credit(&mut self, count: usize, ledger: &mut Ledger) {
        let belief = self.belief();
        let votes = self.votes.len();
        for _ in 0..count.min(votes) {
            self.turn %= votes;
            ledger.credit(&mut self.votes[self.turn], &belief);
            self.turn += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Counts;
    use super::*;
    use deferral_core::{Decisions, Silent, Stream, artifact};
    use rand::RngExt;

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-9), "{found:?} instead of {expected:?}");
    }

    /// A stream of votes of eight workers, skills from .6 to .95, on tasks that come back; no pair twice.
    fn stream(tasks: u32, classes: u16) -> Vec<(CaseId, ExpertId, Label)> {
        let mut random = Stream::new(3).random();
        let mut pairs: Vec<(u32, u32)> = (0..tasks).flat_map(|task| (0..8).map(move |worker| (task, worker))).collect();
        (1..pairs.len()).for_each(|i| pairs.swap(i, random.random_range(0..=i)));
        let vote = |(task, worker): (u32, u32)| {
            let right = random.random_bool(0.6 + 0.05 * f64::from(worker));
            let truth = task as u16 % classes;
            let label = if right { truth } else { random.random_range(0..classes) };
            (CaseId(task), ExpertId(worker), Label(label))
        };
        pairs.into_iter().take(tasks as usize * 6).map(vote).collect()
    }

    #[test]
    fn two_votes_by_hand() {
        let model = OnlineDawidSkene { skill: 0.8, pool: 10.0, strength: 2.0, ..Default::default() };
        let mut running = model.start(2).unwrap();
        let task = CaseId(0);
        // A stranger on a task of which nothing is known.
        let log_probability = running.push(task, ExpertId(0), Label(1)).unwrap();
        assert!((log_probability - 0.5f64.ln()).abs() < 1e-9);
        close(&running.belief(task), &[0.2, 0.8]);
        close(&running.prior(), &[1.2 / 3.0, 1.8 / 3.0]);
        // The next is judged by the pool: .8 of one vote are right, as in the guess.
        let log_probability = running.push(task, ExpertId(1), Label(0)).unwrap();
        assert!((log_probability - 0.32f64.ln()).abs() < 1e-9);
        close(&running.belief(task), &[0.5, 0.5]);
        // The first vote was moved to the new belief; each worker has cast one vote, half of it right.
        let pool = (1.0 + 10.0 * 0.8) / 12.0;
        let voted_one = (0.5 + 2.0 * (1.0 - pool)) / 2.5;
        close(&running.matrix(ExpertId(0))[0], &[1.0 - voted_one, voted_one]);
        close(&running.matrix(ExpertId(9))[0], &[pool, 1.0 - pool]);
        assert_eq!(running.votes(), 2);
    }

    #[test]
    fn counts_are_those_of_the_present_beliefs() {
        for (revise, exact) in [(16, true), (0, false)] {
            let mut running = OnlineDawidSkene { revise, ..Default::default() }.start(3).unwrap();
            let votes = stream(40, 3);
            for (i, &(task, worker, label)) in votes.iter().enumerate() {
                running.push(task, worker, label).unwrap();
                if i % 50 == 7 {
                    running.reveal(task, Label(2)).unwrap();
                }
            }
            let recount = |running: &RunningConsensus| {
                let mut counts = Counts::zeros(3);
                for &(task, _, label) in &votes {
                    counts.move_vote(label, &[0.0; 3], &running.belief(task));
                }
                counts
            };
            let differs = |running: &RunningConsensus| {
                let (found, expected) = (&running.ledger.everybody, recount(running));
                found.of_vote.iter().zip(&expected.of_vote).map(|(f, e)| (f - e).abs()).fold(0.0, f64::max)
            };
            assert_eq!(differs(&running) < 1e-9, exact, "{}", differs(&running));
            let total: f64 = running.ledger.everybody.of_truth.iter().sum();
            assert!((total - votes.len() as f64).abs() < 1e-9);
            // Reading a task again moves all of its votes, and no vote is lost or counted twice.
            for task in 0..40 {
                running.revisit(CaseId(task));
            }
            assert!(differs(&running) < 1e-9);
            let total: f64 = running.ledger.everybody.of_truth.iter().sum();
            assert!((total - votes.len() as f64).abs() < 1e-9);
            let shares: Vec<f64> = (0..3).map(|k| (0..40).map(|task| running.belief(CaseId(task))[k]).sum()).collect();
            close(&running.shares, &shares);
        }
    }

    #[test]
    fn passes_settle() {
        let votes = stream(60, 2).into_iter().map(|(task, worker, label)| (task.0, worker.0, label.0));
        let decisions = Decisions::from_triples(60, 8, votes).unwrap();
        let ballots = Ballots::new(&decisions, 2).unwrap();
        let after = |passes| {
            let mut silent = Silent;
            let mut ctx = Context::new(Stream::new(1), &mut silent);
            OnlineDawidSkene { passes, ..Default::default() }.aggregate(&ballots, &mut ctx).unwrap()
        };
        let distance = |a: &Consensus, b: &Consensus| {
            let pairs = a.probabilities.values().iter().zip(b.probabilities.values());
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        assert!(distance(&after(1), &after(2)) > 1e-3);
        let settled = after(300);
        assert!(distance(&settled, &after(301)) < 1e-9);
        // What is believed of each task is then what the matrices make of its votes, as in Dawid-Skene.
        let Workers::Confusions(confusions) = &settled.workers else { panic!("no matrices") };
        for task in (0..60).map(CaseId) {
            let mut expected = vec![0.5; 2];
            for (worker, label) in decisions.of_case(task).iter() {
                expected
                    .iter_mut()
                    .zip(confusions.given_vote(worker, label))
                    .for_each(|(belief, given)| *belief *= given);
            }
            let total: f64 = expected.iter().sum();
            for belief in &mut expected {
                *belief /= total;
            }
            close(settled.probabilities.column(task.index()), &expected);
        }
    }

    #[test]
    fn single_votes_of_strangers_count_like_majority() {
        // Class 1 is frequent, and every worker is as good as the next.
        let votes = (0..400u32).map(|task| (task, task % 80, u16::from(task * 7 % 10 < 7)));
        let decisions = Decisions::from_triples(400, 80, votes).unwrap();
        let mut silent = Silent;
        let mut ctx = Context::new(Stream::new(1), &mut silent);
        let ballots = Ballots::new(&decisions, 2).unwrap();
        let consensus = OnlineDawidSkene::default().aggregate(&ballots, &mut ctx).unwrap();
        assert!(decisions.iter().all(|(task, vote)| consensus.labels[task.index()] == vote.label));
    }

    #[test]
    fn it_is_taught_before_and_after_the_votes() {
        let teach = |before: bool| {
            let mut running = OnlineDawidSkene::default().start(2).unwrap();
            for task in (0..20).map(CaseId) {
                if before {
                    running.reveal(task, Label(0)).unwrap();
                }
                running.push(task, ExpertId(0), Label(0)).unwrap();
                running.push(task, ExpertId(1), Label(1)).unwrap();
                if !before {
                    running.reveal(task, Label(0)).unwrap();
                }
            }
            running
        };
        let (before, after) = (teach(true), teach(false));
        for running in [&before, &after] {
            assert_eq!((running.belief(CaseId(3)), running.label(CaseId(3))), (vec![1.0, 0.0], Label(0)));
            assert!(running.skill(ExpertId(0)) > 0.85 && running.skill(ExpertId(1)) < 0.2);
        }
        close(&before.matrix(ExpertId(1)).concat(), &after.matrix(ExpertId(1)).concat());
        let mut corrected = after;
        corrected.reveal(CaseId(3), Label(1)).unwrap();
        assert_eq!(corrected.label(CaseId(3)), Label(1));
        assert!(corrected.skill(ExpertId(1)) > before.skill(ExpertId(1)));
    }

    #[test]
    fn what_is_saved_goes_on_as_if_it_had_not_been() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("running");
        let votes = stream(30, 3);
        let (early, late) = votes.split_at(90);
        let mut running = OnlineDawidSkene::default().start(3).unwrap();
        for &(task, worker, label) in early {
            running.push(task, worker, label).unwrap();
        }
        running.reveal(CaseId(4), Label(1)).unwrap();
        artifact::save(&path, "running consensus", &running).unwrap();
        let mut loaded: RunningConsensus = artifact::load(&path, "running consensus").unwrap();
        for &(task, worker, label) in late {
            running.push(task, worker, label).unwrap();
            loaded.push(task, worker, label).unwrap();
        }
        assert_eq!(running, loaded);
    }

    #[test]
    fn what_cannot_be_is_refused_and_changes_nothing() {
        let mut running = OnlineDawidSkene::default().start(2).unwrap();
        running.push(CaseId(5), ExpertId(1), Label(1)).unwrap();
        let before = running.clone();
        let message = |result: Result<f64, OnlineError>| result.unwrap_err().to_string();
        let again = running.push(CaseId(5), ExpertId(1), Label(0));
        assert_eq!(message(again), "worker 1 has already voted on task 5");
        let foreign = running.push(CaseId(6), ExpertId(1), Label(2));
        assert_eq!(message(foreign), "task 6 was given label 2, but there are 2 classes");
        let foreign = running.reveal(CaseId(5), Label(7)).map(|()| 0.0);
        assert_eq!(message(foreign), "task 5 was given label 7, but there are 2 classes");
        assert_eq!(running, before);
        assert_eq!(running.revisit(CaseId(77)), 0.0);
        assert_eq!(running, before);
        let none = OnlineDawidSkene::default().start(0).unwrap_err().to_string();
        assert_eq!(none, "the number of classes is 0, but must be between 1 and 65536");
    }

    #[test]
    fn any_name_will_do_and_one_task_may_have_all_votes() {
        // A pool that learns nothing, so that every stranger's vote weighs the same.
        let mut running = OnlineDawidSkene { pool: 1e12, ..Default::default() }.start(2).unwrap();
        let task = CaseId(u32::MAX);
        for worker in 0..10_000 {
            running.push(task, ExpertId(u32::MAX - worker), Label(u16::from(worker % 3 == 0))).unwrap();
        }
        let belief = running.belief(task);
        assert!(belief.iter().all(|p| p.is_finite()) && (belief[0] + belief[1] - 1.0).abs() < 1e-9);
        assert_eq!(running.label(task), Label(0));
        // Not even a belief of one in 2^4000 is the last word.
        for worker in 0..3_400 {
            running.push(task, ExpertId(worker), Label(1)).unwrap();
        }
        assert_eq!(running.label(task), Label(1));
    }
}
