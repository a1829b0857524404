//! GLAD: how able each worker is, and how easy each task.

use deferral_core::{
    AggregateError, Aggregator, Ballots, CaseId, Columns, Confusions, Consensus, Context, Criterion, ExpertId,
    ParameterError, Probabilities, Trace, Workers,
};
use deferral_models::stable::{sigmoid, softplus};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::em::Iterations;
use super::named_class::{Evidence, expect};

/// Worker w is right on task i with probability `sig(alpha_w e^beta_i)`, with `alpha_w` their ability and `beta_i` the
/// ease of the task; a wrong vote names each other class with probability 1/(K-1), and all classes are equally frequent
/// (Whitehill, Ruvolo, Wu, Bergsma and Movellan 2009, section 2). A worker of ability 0 guesses, one below 0 votes
/// against the truth.
///
/// Labels, abilities and eases are found by generalised EM from `alpha = beta = 1`. E-step: `T_ik` is proportional to
/// the product of the probabilities of the votes. M-step: with `q` the belief in the class that a vote names and `x =
/// alpha_w e^beta_i`, climb `Q = sum_votes (q x - ln(1 + e^x)) + log prior`, whose slopes are `sum (q - sig(x))
/// e^beta_i` and `sum (q - sig(x)) x` plus those of the priors. Here each coordinate goes to the top of a parabola that
/// touches Q from below (the bound of Jaakkola and Jordan 2000 on the logistic function), where the paper follows the
/// gradient: so no iteration loses log-posterior.
///
/// Cost: O((votes + n + m) x passes + n K) an iteration; O(n K + m) memory.
///
/// ```
/// use deferral_core::{Ballots, Context, Decisions, Silent, Stream};
/// use deferral_crowd::Glad;
/// // The last worker contradicts the others on two of three tasks.
/// let votes = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0), (2, 0, 1), (2, 1, 1), (2, 2, 0)];
/// let votes = Decisions::from_triples(3, 3, votes)?;
/// let mut silent = Silent;
/// let fit = Glad::default().fit(&Ballots::new(&votes, 2)?, &mut Context::new(Stream::new(1), &mut silent))?;
/// assert_eq!(fit.consensus.labels.iter().map(|label| label.0).collect::<Vec<_>>(), [1, 0, 1]);
/// assert!(fit.ability[0] > fit.ability[2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Glad {
    /// When to stop. By default after 100 iterations or a gain of 1e-6 a vote.
    pub iterations: Iterations,
    /// How often an M-step goes through all abilities and eases, 1 or more. More passes make fewer, dearer iterations.
    /// By default 3.
    pub passes: usize,
    /// What is believed of the ability of strangers, alpha. By default N(1, 1).
    pub ability: NormalPrior,
    /// What is believed of the ease of unseen tasks, beta. By default N(1, 1).
    pub ease: NormalPrior,
}

/// A normal distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NormalPrior {
    /// Its mean, from -100 to 100.
    pub mean: f64,
    /// Its standard deviation, from 0.001 to 1000.
    pub sd: f64,
}

/// What [`Glad`] found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GladFit {
    /// Labels and skills. The skill of a worker is the mean probability of being right over all tasks, and their
    /// confusion matrix is that of somebody who is right so often on each. The trace leaves out the constant of the
    /// log-prior.
    pub consensus: Consensus,
    /// alpha of each worker: 0 guesses, the larger the better. The mean of the prior for one without votes.
    pub ability: Vec<f64>,
    /// beta of each task: the larger the easier. The mean of the prior for one without votes.
    pub ease: Vec<f64>,
}

impl Default for Glad {
    fn default() -> Self {
        Self {
            iterations: Iterations { limit: 100, tolerance: 1e-6 },
            passes: 3,
            ability: NormalPrior::default(),
            ease: NormalPrior::default(),
        }
    }
}

impl Default for NormalPrior {
    /// Mean 1, standard deviation 1.
    fn default() -> Self {
        Self { mean: 1.0, sd: 1.0 }
    }
}

impl NormalPrior {
    fn check(&self, of: &str) -> Result<(), ParameterError> {
        let (mean, sd) = ((-100.0..=100.0).contains(&self.mean), (0.001..=1000.0).contains(&self.sd));
        ParameterError::check(mean, &format!("the prior mean of {of}"), self.mean, "from -100 to 100")?;
        ParameterError::check(sd, &format!("the prior sd of {of}"), self.sd, "from 0.001 to 1000")
    }

    fn precision(&self) -> f64 {
        self.sd.powi(-2)
    }

    fn slope(&self, value: f64) -> f64 {
        (self.mean - value) * self.precision()
    }

    /// The log of the density, without its constant.
    fn log_density(&self, value: f64) -> f64 {
        -0.5 * (value - self.mean).powi(2) * self.precision()
    }
}

impl Aggregator for Glad {
    fn aggregate(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<Consensus, AggregateError> {
        Ok(self.fit(ballots, ctx)?.consensus)
    }
}

impl Glad {
    /// Aggregates, and says how able each worker and how easy each task is.
    ///
    /// # Errors
    /// [`AggregateError::Parameter`] on a parameter out of range, [`AggregateError::Cancelled`] if the observer says
    /// so.
    pub fn fit(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<GladFit, AggregateError> {
        self.check()?;
        let (classes, votes) = (ballots.classes(), ballots.decisions().len() as f64);
        let mut posterior = Columns::zeros(classes, ballots.n());
        let mut trace = Trace::new(Criterion::LogPosterior);
        let mut model = Model::start(self, ballots);
        model.expect(&mut posterior);
        for _ in 0..self.iterations.limit {
            for _ in 0..self.passes {
                model.improve_abilities(&posterior);
                model.improve_eases(&posterior);
            }
            let log_posterior = model.expect(&mut posterior) + model.log_prior();
            if trace.push(log_posterior, self.iterations.limit, self.iterations.tolerance, votes, ctx)? {
                break;
            }
        }
        let skills = model.skills();
        let workers = Workers::Confusions(Confusions::one_coin(&skills, classes));
        let prior = vec![1.0 / classes as f64; classes];
        let consensus = Consensus::new(Probabilities(posterior), prior, skills, workers, trace);
        Ok(GladFit { consensus, ability: model.ability, ease: model.ease })
    }

    fn check(&self) -> Result<(), ParameterError> {
        self.iterations.check()?;
        ParameterError::check(self.passes > 0, "the number of passes", self.passes, "1 or more")?;
        self.ability.check("the ability")?;
        self.ease.check("the ease")
    }
}

struct Model<'a> {
    ballots: &'a Ballots<'a>,
    ability_prior: NormalPrior,
    ease_prior: NormalPrior,
    ability: Vec<f64>,
    ease: Vec<f64>,
    /// `e^ease`.
    factor: Vec<f64>,
}

impl<'a> Model<'a> {
    fn start(glad: &Glad, ballots: &'a Ballots<'a>) -> Self {
        Self {
            ballots,
            ability_prior: glad.ability,
            ease_prior: glad.ease,
            ability: vec![1.0; ballots.m()],
            ease: vec![1.0; ballots.n()],
            factor: vec![1.0f64.exp(); ballots.n()],
        }
    }

    /// The E-step.
    fn expect(&self, posterior: &mut Columns) -> f64 {
        let log_others = (self.ballots.classes() as f64 - 1.0).max(1.0).ln();
        let evidence = |task: usize, worker: usize, _| {
            let x = self.ability[worker] * self.factor[task];
            Evidence { lift: x + log_others, miss: -softplus(x) - log_others }
        };
        expect(self.ballots, evidence, posterior)
    }

    fn log_prior(&self) -> f64 {
        let abilities: f64 = self.ability.iter().map(|&ability| self.ability_prior.log_density(ability)).sum();
        abilities + self.ease.iter().map(|&ease| self.ease_prior.log_density(ease)).sum::<f64>()
    }

    /// One step of every ability, given the eases.
    fn improve_abilities(&mut self, posterior: &Columns) {
        let (ballots, prior, factor) = (self.ballots, self.ability_prior, &self.factor);
        self.ability.par_iter_mut().with_min_len(64).enumerate().for_each(|(worker, ability)| {
            let (slope, curvature) = climb(ballots, posterior, factor, worker, *ability);
            *ability += (slope + prior.slope(*ability)) / (curvature + prior.precision());
        });
    }

    /// One step of every ease, given the abilities.
    fn improve_eases(&mut self, posterior: &Columns) {
        let (ballots, prior, ability) = (self.ballots, self.ease_prior, &self.ability);
        let tasks = self.ease.par_iter_mut().zip(&mut self.factor).with_min_len(1024).enumerate();
        tasks.for_each(|(task, (ease, factor))| {
            let (pull, brake) = tension(ballots, posterior, ability, task, *factor);
            *ease += ease_step(pull, brake, *ease, prior);
            *factor = ease.exp();
        });
    }

    /// The mean probability of being right of each worker over all tasks.
    fn skills(&self) -> Vec<f64> {
        if self.ballots.classes() == 1 {
            return vec![1.0; self.ability.len()];
        }
        let factors = summarise(&self.factor);
        let skill = |ability: &f64| factors.iter().map(|(factor, share)| share * sigmoid(ability * factor)).sum();
        self.ability.iter().map(skill).collect()
    }
}

/// The slope of Q along the ability of one worker, and a curvature that no parabola below Q needs to exceed; both
/// without the prior.
fn climb(ballots: &Ballots<'_>, posterior: &Columns, factor: &[f64], worker: usize, ability: f64) -> (f64, f64) {
    let (mut slope, mut curvature) = (0.0, 0.0);
    for (task, label) in ballots.decisions().of_expert(ExpertId::at(worker)).iter() {
        let factor = factor[task.index()];
        let x = ability * factor;
        let right = sigmoid(x);
        slope += (posterior.column(task.index())[label.index()] - right) * factor;
        curvature += logistic_curvature(x, right) * factor * factor;
    }
    (slope, curvature)
}

/// The least c for which `ln(1 + e^y) <= ln(1 + e^x) + sig(x) (y - x) + c (y - x)^2 / 2` for all y: `tanh(x/2) / 2x`.
fn logistic_curvature(x: f64, sigmoid_of_x: f64) -> f64 {
    // At 0 it is a quarter, its largest value.
    if x.abs() < 1e-4 { 0.25 } else { (sigmoid_of_x - 0.5) / x }
}

/// For one task the sums of `(q - 1/2) x` and of `(sig(x) - 1/2) x` over its votes. The first less the second is the
/// slope of Q along the ease, without the prior; the second is never negative.
fn tension(ballots: &Ballots<'_>, posterior: &Columns, ability: &[f64], task: usize, factor: f64) -> (f64, f64) {
    let belief = posterior.column(task);
    let (mut pull, mut brake) = (0.0, 0.0);
    for (worker, label) in ballots.decisions().of_case(CaseId::at(task)).iter() {
        let x = ability[worker.index()] * factor;
        pull += (belief[label.index()] - 0.5) * x;
        brake += (sigmoid(x) - 0.5) * x;
    }
    (pull, brake)
}

/// How far to move an ease. With every x scaled by t, the same bound says that Q changes by at least `pull (t - 1) -
/// brake (t^2 - 1) / 2`; here `t = e^step`, and the prior is added.
fn ease_step(pull: f64, brake: f64, ease: f64, prior: NormalPrior) -> f64 {
    let slope = pull - brake;
    let gain = |step: f64| {
        let growth = step.exp_m1();
        let votes = growth * (slope - 0.5 * brake * growth);
        votes + step * (prior.slope(ease) - 0.5 * step * prior.precision())
    };
    // Left of 0 the bound curves no more than this, so only a step to the right may have to be halved.
    let curvature = brake + slope.abs() + prior.precision();
    let mut step = (slope + prior.slope(ease)) / curvature;
    while gain(step) < 0.0 {
        step *= 0.5;
    }
    step
}

/// Bins of equally many tasks in which a mean over many tasks is taken.
const BINS: usize = 256;

/// The distribution of the factors: values and their shares. Exact for up to 256 tasks; beyond, each bin is its mean.
fn summarise(factors: &[f64]) -> Vec<(f64, f64)> {
    let mut sorted = factors.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let bins = sorted.chunks(sorted.len().div_ceil(BINS).max(1));
    bins.map(|bin| (bin.iter().sum::<f64>() / bin.len() as f64, bin.len() as f64 / factors.len() as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Decisions, Silent, Stream};

    /// Three workers on tasks (1,1,0), (0,0,0), (1,0,1).
    fn votes() -> Decisions {
        let votes = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0), (2, 0, 1), (2, 1, 0), (2, 2, 1)];
        Decisions::from_triples(3, 3, votes).unwrap()
    }

    /// The expected log-likelihood of the votes with the log-prior: what an M-step climbs.
    fn q(model: &Model<'_>, posterior: &Columns) -> f64 {
        let others = (model.ballots.classes() as f64 - 1.0).ln();
        let mut sum = model.log_prior();
        for (task, vote) in model.ballots.decisions().iter() {
            let x = model.ability[vote.expert.index()] * model.ease[task.index()].exp();
            let right = posterior.column(task.index())[vote.label.index()];
            sum += right * -softplus(-x) + (1.0 - right) * (-softplus(x) - others);
        }
        sum
    }

    fn at<'a>(ballots: &'a Ballots<'a>, ability: &[f64], ease: &[f64]) -> Model<'a> {
        let mut model = Model::start(&Glad::default(), ballots);
        model.ability.copy_from_slice(ability);
        model.ease.copy_from_slice(ease);
        model.factor = ease.iter().map(|ease| ease.exp()).collect();
        model
    }

    #[test]
    fn the_first_step_of_the_example() {
        let votes = votes();
        let ballots = Ballots::new(&votes, 2).unwrap();
        let model = Model::start(&Glad::default(), &ballots);
        assert!((sigmoid(model.ability[0] * model.factor[0]) - 0.938_097).abs() < 1e-6);
        let mut posterior = Columns::zeros(2, 3);
        model.expect(&mut posterior);
        assert!((posterior.column(0)[1] - 0.938_097).abs() < 1e-6, "{posterior:?}");
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let votes = votes();
        for classes in [2, 3] {
            let ballots = Ballots::new(&votes, classes).unwrap();
            let (ability, ease) = ([0.7, -0.4, 1.3], [0.2, -0.6, 0.9]);
            let model = at(&ballots, &ability, &ease);
            let mut posterior = Columns::zeros(classes, 3);
            model.expect(&mut posterior);
            let step = 1e-6;
            for worker in 0..3 {
                let moved = |by: f64| {
                    let mut ability = ability;
                    ability[worker] += by;
                    q(&at(&ballots, &ability, &ease), &posterior)
                };
                let expected = (moved(step) - moved(-step)) / (2.0 * step);
                let (slope, _) = climb(&ballots, &posterior, &model.factor, worker, ability[worker]);
                let slope = slope + model.ability_prior.slope(ability[worker]);
                assert!((slope - expected).abs() < 1e-6, "worker {worker}: {slope} and {expected}");
            }
            for task in 0..3 {
                let moved = |by: f64| {
                    let mut ease = ease;
                    ease[task] += by;
                    q(&at(&ballots, &ability, &ease), &posterior)
                };
                let expected = (moved(step) - moved(-step)) / (2.0 * step);
                let (pull, brake) = tension(&ballots, &posterior, &ability, task, model.factor[task]);
                let slope = pull - brake + model.ease_prior.slope(ease[task]);
                assert!((slope - expected).abs() < 1e-6, "task {task}: {slope} and {expected}");
            }
        }
    }

    #[test]
    fn every_step_climbs() {
        let votes = votes();
        let ballots = Ballots::new(&votes, 3).unwrap();
        let mut model = at(&ballots, &[0.7, -3.0, 2.5], &[2.0, -2.0, 0.5]);
        let mut posterior = Columns::zeros(3, 3);
        model.expect(&mut posterior);
        let mut before = q(&model, &posterior);
        for _ in 0..20 {
            model.improve_abilities(&posterior);
            let between = q(&model, &posterior);
            model.improve_eases(&posterior);
            let after = q(&model, &posterior);
            assert!(between >= before - 1e-12 && after >= between - 1e-12, "{before}, {between}, {after}");
            before = after;
        }
    }

    #[test]
    fn the_able_and_the_easy_are_told_from_the_others() {
        // Workers 0 to 4 know all but tasks 30 to 39, which are a toss-up; worker 5 tosses a coin on all.
        let coin = |a: u32, b: u32| ((a * 7 + b * 13 + a * b) % 11 % 2) as u16;
        let votes = (0..40u32).flat_map(|task| {
            (0..6).map(move |worker| {
                let knows = worker < 5 && task < 30;
                (task, worker, if knows { (task % 2) as u16 } else { coin(task, worker) })
            })
        });
        let votes = Decisions::from_triples(40, 6, votes).unwrap();
        let mut silent = Silent;
        let mut ctx = Context::new(Stream::new(1), &mut silent);
        let fit = Glad::default().fit(&Ballots::new(&votes, 2).unwrap(), &mut ctx).unwrap();
        assert!(fit.ability[..5].iter().all(|ability| *ability > fit.ability[5] + 0.5), "{:?}", fit.ability);
        let mean = |tasks: &[f64]| tasks.iter().sum::<f64>() / tasks.len() as f64;
        assert!(mean(&fit.ease[..30]) > mean(&fit.ease[30..]) + 0.3, "{:?}", fit.ease);
        assert!(fit.consensus.skills[0] > fit.consensus.skills[5]);
    }

    #[test]
    fn parameters_are_checked() {
        let votes = votes();
        let ballots = Ballots::new(&votes, 2).unwrap();
        let message = |glad: Glad| {
            let mut silent = Silent;
            glad.fit(&ballots, &mut Context::new(Stream::new(1), &mut silent)).unwrap_err().to_string()
        };
        let glad = Glad::default();
        assert_eq!(message(Glad { passes: 0, ..glad }), "the number of passes is 0, but must be 1 or more");
        assert!(message(Glad { ability: NormalPrior { sd: 0.0, ..glad.ability }, ..glad }).contains("ability"));
        assert!(message(Glad { ease: NormalPrior { mean: f64::NAN, ..glad.ease }, ..glad }).contains("ease"));
    }
}
