//! MACE: who knows, who spams, and what spammers answer.

use deferral_core::{
    AggregateError, Aggregator, Ballots, Columns, Confusions, Consensus, Context, Criterion, ExpertId, Label,
    ParameterError, Probabilities, Trace, Workers,
};
use deferral_models::stable::softplus;
use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use statrs::function::gamma::{digamma, ln_gamma};

use super::em::Iterations;
use super::named_class::{Evidence, expect};

/// A vote of worker w is spam with probability `eps_w`: then it is drawn from the worker's own strategy `xi_w`,
/// whatever the truth. Otherwise it is the true label. All classes are equally frequent (Hovy, Berg-Kirkpatrick,
/// Vaswani and Hovy 2013, section 3.1).
///
/// So `P(l | k) = eps_w xi_w[l] + (1 - eps_w) [l = k]`. E-step: `T_ik` is proportional to the product of these; a vote
/// for l counts as knowledge with `T_il (1 - eps_w) / P(l | l)`, else as spam. M-step: of counts with their priors, the
/// shares (EM), or `exp(digamma(count) - digamma(total))` (variational Bayes). Each restart climbs the log-likelihood
/// plus log-prior, or the evidence bound: the log-likelihood under these geometric means less the divergence of the
/// workers' Beta and Dirichlet distributions from their priors. The best restart wins. Where the original keeps the
/// best likelihood under the geometric means, this keeps the bound, which no iteration lowers.
///
/// Cost: O(votes + (n + m) K) an iteration; O((n + m) K) memory.
///
/// ```
/// use deferral_core::{Ballots, Context, Decisions, Silent, Stream};
/// use deferral_crowd::Mace;
/// // Two workers know, one always says 1.
/// let votes = (0..20).flat_map(|task| [(task, 0, (task % 2) as u16), (task, 1, (task % 2) as u16), (task, 2, 1)]);
/// let votes = Decisions::from_triples(20, 3, votes)?;
/// let mut silent = Silent;
/// let fit = Mace::default().fit(&Ballots::new(&votes, 2)?, &mut Context::new(Stream::new(1), &mut silent))?;
/// assert!(fit.spam_rate[0] < 0.1 && fit.spam_rate[2] > 0.9);
/// assert!(fit.spamming.column(2)[1] > 0.7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mace {
    /// How workers are learned. By default variational Bayes.
    pub method: MaceMethod,
    /// Votes of spam that every worker is credited with in advance, 1e-6 or more: the first parameter of the Beta prior
    /// of `eps`. Variational Bayes only. By default 0.5.
    pub spam_prior: f64,
    /// The same of votes of knowledge: the second parameter. By default 0.5.
    pub knowing_prior: f64,
    /// The same of spam for each class: the parameter of the Dirichlet prior of `xi`. By default 10, as in crowd-kit
    /// 1.4, which makes strategies nearly uniform; the original program is recalled, not checked, to have 0.5.
    pub strategy_prior: f64,
    /// What EM adds to every count is this divided by K, 1e-6 or more. By default 0.01.
    pub smoothing: f64,
    /// Starts, 1 or more: the first from `eps = 1/2` and uniform strategies, so that nothing depends on the order of
    /// workers and classes; each other one from shares of Uniform(1, 2.5) draws. A later one must gain more than the
    /// tolerance over the best before it. By default 10.
    pub restarts: usize,
    /// When a start has come to its end. By default after 50 iterations or a gain of 1e-5 a vote.
    pub iterations: Iterations,
}

/// How [`Mace`] learns of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaceMethod {
    /// Variational Bayes: every worker has a distribution over spam rates and over strategies.
    #[default]
    Variational,
    /// The most probable spam rate and strategy, with smoothed counts.
    Em,
}

/// What [`Mace`] found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaceFit {
    /// Labels and skills, with `P(l | k)` as the workers' confusion matrices, and the trace of the best start.
    pub consensus: Consensus,
    /// `eps` of each worker: the probability that a vote of theirs is spam; the mean of the prior for one without
    /// votes.
    pub spam_rate: Vec<f64>,
    /// `xi`: what each worker answers when spamming, K x m.
    pub spamming: Columns,
    /// The objective that each start came to.
    pub restarts: Vec<f64>,
}

impl Default for Mace {
    fn default() -> Self {
        Self {
            method: MaceMethod::Variational,
            spam_prior: 0.5,
            knowing_prior: 0.5,
            strategy_prior: 10.0,
            smoothing: 0.01,
            restarts: 10,
            iterations: Iterations { limit: 50, tolerance: 1e-5 },
        }
    }
}

impl Aggregator for Mace {
    fn aggregate(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<Consensus, AggregateError> {
        Ok(self.fit(ballots, ctx)?.consensus)
    }
}

impl Mace {
    /// Aggregates, and says how often each worker spams and how.
    ///
    /// # Errors
    /// [`AggregateError::Parameter`] on a parameter out of range, [`AggregateError::Cancelled`] if the observer says
    /// so.
    pub fn fit(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<MaceFit, AggregateError> {
        self.check()?;
        let stream = ctx.stream("restart");
        let margin = self.iterations.tolerance * ballots.decisions().len() as f64;
        let mut best = self.climb(Model::start(self, ballots, || 1.0), ctx)?;
        let mut restarts = vec![best.objective()];
        for restart in 1..self.restarts {
            let mut random = stream.at(restart);
            let model = self.climb(Model::start(self, ballots, || random.random_range(1.0..2.5)), ctx)?;
            restarts.push(model.objective());
            if model.objective() > best.objective() + margin {
                best = model;
            }
        }
        Ok(best.finish(restarts))
    }

    fn climb<'a>(&self, mut model: Model<'a>, ctx: &mut Context<'_>) -> Result<Model<'a>, AggregateError> {
        let (Iterations { limit, tolerance }, votes) = (self.iterations, model.ballots.decisions().len() as f64);
        model.expect();
        for _ in 0..limit {
            let log_prior = model.learn();
            let objective = model.expect() + log_prior;
            if model.trace.push(objective, limit, tolerance, votes, ctx)? {
                break;
            }
        }
        Ok(model)
    }

    fn check(&self) -> Result<(), ParameterError> {
        self.iterations.check()?;
        ParameterError::check(self.restarts > 0, "the number of restarts", self.restarts, "1 or more")?;
        for (name, value) in [
            ("the prior of spam", self.spam_prior),
            ("the prior of knowing", self.knowing_prior),
            ("the prior of strategies", self.strategy_prior),
            ("the smoothing", self.smoothing),
        ] {
            ParameterError::check((1e-6..=1e6).contains(&value), name, value, "from 1e-6 to 1e6")?;
        }
        Ok(())
    }

    /// What every worker is credited with in advance.
    fn prior(&self, classes: usize) -> Counts {
        let (spam, knowing, strategy) = match self.method {
            MaceMethod::Variational => (self.spam_prior, self.knowing_prior, self.strategy_prior),
            MaceMethod::Em => {
                let each = self.smoothing / classes as f64;
                (each, each, each)
            }
        };
        Counts { role: [spam, knowing], strategy: vec![strategy; classes] }
    }
}

/// How many votes of a worker are spam and how many are knowledge, and how many are spam for each class.
#[derive(Debug, Clone, PartialEq)]
struct Counts {
    role: [f64; 2],
    strategy: Vec<f64>,
}

/// One vote of one worker: what it says, and the probability that it is knowledge if it is right.
#[derive(Debug, Clone, Copy)]
struct Answer {
    evidence: Evidence,
    knowing: f64,
}

impl Answer {
    /// Of a vote that is spam for this class with `exp(log_spam)` and knowledge with `exp(log_knowing)`.
    fn new(log_spam: f64, log_knowing: f64) -> Self {
        let lift = softplus(log_knowing - log_spam);
        Self { evidence: Evidence { lift, miss: log_spam }, knowing: -(-lift).exp_m1() }
    }
}

struct Model<'a> {
    ballots: &'a Ballots<'a>,
    method: MaceMethod,
    prior: Counts,
    counts: Vec<Counts>,
    /// K a worker.
    answers: Vec<Answer>,
    posterior: Columns,
    trace: Trace,
}

impl<'a> Model<'a> {
    /// Spam rates and strategies with the proportions that `draw` says.
    fn start(mace: &Mace, ballots: &'a Ballots<'a>, mut draw: impl FnMut() -> f64) -> Self {
        let (m, classes) = (ballots.m(), ballots.classes());
        let mut answers = Vec::with_capacity(m * classes);
        for _ in 0..m {
            let role = [draw(), draw()];
            let strategy: Vec<f64> = (0..classes).map(|_| draw()).collect();
            let [log_spam, log_knowing] = role.map(|share| (share / (role[0] + role[1])).ln());
            let total: f64 = strategy.iter().sum();
            answers.extend(strategy.iter().map(|share| Answer::new(log_spam + (share / total).ln(), log_knowing)));
        }
        let criterion = match mace.method {
            MaceMethod::Variational => Criterion::Evidence,
            MaceMethod::Em => Criterion::LogPosterior,
        };
        let prior = mace.prior(classes);
        let counts = vec![prior.clone(); m];
        let posterior = Columns::zeros(classes, ballots.n());
        Self { ballots, method: mace.method, prior, counts, answers, posterior, trace: Trace::new(criterion) }
    }

    fn objective(&self) -> f64 {
        self.trace.values.last().copied().unwrap_or(f64::NEG_INFINITY)
    }

    /// The E-step.
    fn expect(&mut self) -> f64 {
        let (classes, answers) = (self.ballots.classes(), &self.answers);
        let evidence = |_, worker: usize, label: Label| answers[worker * classes + label.index()].evidence;
        expect(self.ballots, evidence, &mut self.posterior)
    }

    /// The M-step. Returns what the objective has beside the log-likelihood.
    fn learn(&mut self) -> f64 {
        let (ballots, method, prior, posterior) = (self.ballots, self.method, &self.prior, &self.posterior);
        let answers = self.answers.par_chunks_mut(ballots.classes());
        let workers = self.counts.par_iter_mut().zip(answers).with_min_len(64).enumerate();
        let each = method.log_norm(&prior.role) + method.log_norm(&prior.strategy);
        let parts: Vec<f64> = workers
            .map(|(worker, (counts, answers))| {
                counts.clone_from(prior);
                count(ballots, posterior, worker, answers, counts);
                method.learn(prior, counts, answers) - each
            })
            .collect();
        parts.iter().sum()
    }

    fn finish(self, restarts: Vec<f64>) -> MaceFit {
        let classes = self.ballots.classes();
        let spam_rate: Vec<f64> =
            self.counts.iter().map(|Counts { role: [spam, knowing], .. }| spam / (spam + knowing)).collect();
        let shares = self.counts.iter().flat_map(|Counts { strategy, .. }| {
            let total: f64 = strategy.iter().sum();
            strategy.iter().map(move |count| count / total)
        });
        let spamming = Columns::from_values(classes, shares.collect());
        let confusions = Confusions::from_fn(spam_rate.len(), classes, |worker, truth, vote| {
            let knowing = if truth == vote { 1.0 - spam_rate[worker] } else { 0.0 };
            spam_rate[worker] * spamming.column(worker)[vote] + knowing
        });
        let prior = vec![1.0 / classes as f64; classes];
        let skills = (0..spam_rate.len()).map(|worker| confusions.skill(ExpertId::at(worker), &prior)).collect();
        let (probabilities, workers) = (Probabilities(self.posterior), Workers::Confusions(confusions));
        let consensus = Consensus::new(probabilities, prior, skills, workers, self.trace);
        MaceFit { consensus, spam_rate, spamming, restarts }
    }
}

/// Adds the votes of one worker to their counts. Only the belief in the class that a vote names is looked at: where
/// another is true, it is spam.
fn count(ballots: &Ballots<'_>, posterior: &Columns, worker: usize, answers: &[Answer], counts: &mut Counts) {
    for (task, label) in ballots.decisions().of_expert(ExpertId::at(worker)).iter() {
        let class = label.index();
        let knowing = posterior.column(task.index())[class] * answers[class].knowing;
        counts.role[0] += 1.0 - knowing;
        counts.role[1] += knowing;
        counts.strategy[class] += 1.0 - knowing;
    }
}

impl MaceMethod {
    /// Writes what each answer of a worker says, given their counts with the prior in them. Returns the log-prior of
    /// what was learned, or its divergence from the prior, negative, but for the norm of the prior.
    fn learn(self, prior: &Counts, counts: &Counts, answers: &mut [Answer]) -> f64 {
        let mut role = [0.0; 2];
        let mut objective = self.shares(&prior.role, &counts.role, |at, log| role[at] = log);
        let [log_spam, log_knowing] = role;
        objective += self.shares(&prior.strategy, &counts.strategy, |class, log| {
            answers[class] = Answer::new(log_spam + log, log_knowing);
        });
        objective
    }

    /// Tells `put` the logs of the shares of `counts`, and returns what they add to the objective.
    fn shares(self, prior: &[f64], counts: &[f64], mut put: impl FnMut(usize, f64)) -> f64 {
        let log: fn(f64) -> f64 = match self {
            Self::Em => f64::ln,
            Self::Variational => digamma,
        };
        let log_total = log(counts.iter().sum());
        let mut objective = self.log_norm(counts);
        for (at, (&count, &prior)) in counts.iter().zip(prior).enumerate() {
            let log = log(count) - log_total;
            objective += match self {
                Self::Em => prior * log,
                Self::Variational => (prior - count) * log,
            };
            put(at, log);
        }
        objective
    }

    /// The log of the integral of a Dirichlet density that lacks its constant; EM has no density to integrate.
    fn log_norm(self, counts: &[f64]) -> f64 {
        match self {
            Self::Em => 0.0,
            Self::Variational => counts.iter().copied().map(ln_gamma).sum::<f64>() - ln_gamma(counts.iter().sum()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Decisions, Silent, Stream};

    fn fit(mace: Mace, votes: &Decisions, classes: usize) -> Result<MaceFit, AggregateError> {
        let mut silent = Silent;
        mace.fit(&Ballots::new(votes, classes).unwrap(), &mut Context::new(Stream::new(1), &mut silent))
    }

    #[test]
    fn the_first_step_of_the_example() {
        // Spam with probability .4, either answer alike: right with probability .8.
        let right = Answer::new((0.4f64 * 0.5).ln(), 0.6f64.ln());
        assert!((right.evidence.miss.exp() - 0.2).abs() < 1e-12);
        assert!(((right.evidence.miss + right.evidence.lift).exp() - 0.8).abs() < 1e-12);
        assert!((right.knowing - 0.75).abs() < 1e-12);
        let votes = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0), (2, 0, 1), (2, 1, 0), (2, 2, 1)];
        let votes = Decisions::from_triples(3, 3, votes).unwrap();
        let ballots = Ballots::new(&votes, 2).unwrap();
        let mut model = Model::start(&Mace::default(), &ballots, || 1.0);
        model.answers.fill(right);
        model.expect();
        assert!((model.posterior.column(0)[1] - 0.8).abs() < 1e-12, "{:?}", model.posterior);
    }

    #[test]
    fn who_answers_at_random_spams_and_who_knows_does_not() {
        let truth = |task: u32| (task * 5 % 7 % 3) as u16;
        let coin = |task: u32, by: u32| ((task * 11 + by * 3 + task * task) % 13 % 3) as u16;
        let votes = (0..300u32).flat_map(|task| {
            let known = (0..4).map(move |w| (task, w, if (task + w) % 10 == 0 { coin(task, w) } else { truth(task) }));
            known.chain([(task, 4, coin(task, 9)), (task, 5, 2)])
        });
        let votes = Decisions::from_triples(300, 6, votes).unwrap();
        for method in [MaceMethod::Variational, MaceMethod::Em] {
            let fit = fit(Mace { method, ..Mace::default() }, &votes, 3).unwrap();
            assert!(fit.spam_rate[..4].iter().all(|rate| *rate < 0.2), "{method:?}: {:?}", fit.spam_rate);
            assert!(fit.spam_rate[4..].iter().all(|rate| *rate > 0.85), "{method:?}: {:?}", fit.spam_rate);
            assert!(fit.spamming.column(5)[2] > 0.8, "{:?}", fit.spamming);
            let right = (0..300).filter(|&task| fit.consensus.labels[task as usize].0 == truth(task)).count();
            assert!(right >= 295, "{method:?}: {right}");
            // What the consensus says of spam is the same.
            let Workers::Confusions(table) = &fit.consensus.workers else { panic!("no matrices") };
            for (worker, rate) in fit.spam_rate.iter().enumerate() {
                assert!((table.spam_rate(ExpertId::at(worker)) - rate).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn starts_differ_and_the_best_is_kept() {
        let votes = (0..30u32).flat_map(|task| (0..4).map(move |w| (task, w, ((task * (w + 2)) % 5 % 2) as u16)));
        let votes = Decisions::from_triples(30, 4, votes).unwrap();
        let iterations = Iterations { limit: 2, tolerance: 0.0 };
        let fit = fit(Mace { iterations, ..Mace::default() }, &votes, 2).unwrap();
        assert_eq!(fit.restarts.len(), 10);
        let mut different = fit.restarts.clone();
        different.sort_by(f64::total_cmp);
        different.dedup();
        assert_eq!(different.len(), 10, "{:?}", fit.restarts);
        let best = fit.restarts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert_eq!(fit.consensus.trace.values.last(), Some(&best));
    }

    #[test]
    fn parameters_are_checked() {
        let votes = Decisions::from_triples(1, 1, [(0, 0, 1)]).unwrap();
        let message = |mace: Mace| fit(mace, &votes, 2).unwrap_err().to_string();
        let mace = Mace::default();
        let none = "the number of restarts is 0, but must be 1 or more";
        assert_eq!(message(Mace { restarts: 0, ..mace }), none);
        let prior = "the prior of strategies is 0, but must be from 1e-6 to 1e6";
        assert_eq!(message(Mace { strategy_prior: 0.0, ..mace }), prior);
        assert!(message(Mace { smoothing: f64::NAN, ..mace }).starts_with("the smoothing is NaN"));
    }
}
