//! Fairness from a task that knows the groups to one that does not.

use std::ops::Range;

use deferral_core::{
    CaseWeights, Context, Dataset, GroupAttribute, Label, Learner, Policy, Silent, Stream, most_probable,
};
use deferral_experts::TwoTasks;
use deferral_fairness::{DifferentialOdds, Transfer as Learned, TransferPolicy};
use deferral_metrics::{Differential, ODDS_SMOOTHING, accuracy};
use serde::{Deserialize, Serialize};

use super::StudyError;
use crate::sample::Sample;

/// The attributes that generated tasks have.
const ATTRIBUTES: [&str; 2] = ["gender", "age"];

/// A target task learned beside an auxiliary task that shares its features, on generated pairs of tasks.
///
/// The methods are `alone` (the target task by itself), `alone-fair` (the same, with its groups known and lambda 10; only
/// where one attribute is looked at), `none` (both tasks, lambda 0) and `lambda=L` for every lambda. It measures, of the
/// decisions on a large test set of the target task: `accuracy`, `epsilon` (differential equalised odds), and beside
/// `none` in the same repetition `accuracy-lost` and `epsilon-kept`, a share. A run is a pair of tasks.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Transfer {
    /// The tasks.
    #[serde(default)]
    pub tasks: TwoTasks,
    /// Test cases of the target task.
    #[serde(default = "ten_thousand")]
    pub test: usize,
    /// Who knows which groups.
    pub known: Known,
    /// Weights of the fairness loss.
    pub lambdas: Vec<f64>,
    /// Steps of training.
    #[serde(default = "thousand")]
    pub steps: usize,
}

fn ten_thousand() -> usize {
    10_000
}

fn thousand() -> usize {
    1000
}

/// Who knows which groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// The auxiliary task alone knows genders; the target task is judged by them.
    Auxiliary,
    /// The target task knows genders and the auxiliary task ages; the target task is judged by both crossed.
    OneEach,
}

/// What both tasks with fairness are called.
fn at_lambda(lambda: f64) -> String {
    format!("lambda={lambda}")
}

/// A training set of both tasks and a test set of the target task. All know all groups; a learner looks at the attributes
/// that it is told of and at no other.
struct Drawn {
    target: Dataset,
    auxiliary: Dataset,
    test: Dataset,
    /// What the target task is judged by.
    judged_by: GroupAttribute,
    stream: Stream,
}

impl Transfer {
    pub(super) fn check(&self) -> Result<(), String> {
        match self.lambdas.iter().find(|lambda| !(lambda.is_finite() && **lambda > 0.0)) {
            Some(wrong) => Err(format!("a lambda is {wrong}, but must be finite and above 0; `none` is always there")),
            None if self.test == 0 || self.steps == 0 => Err("`test` and `steps` must be 1 or more".to_owned()),
            None => TwoTasks { cases: self.tasks.cases.min(1), ..self.tasks }
                .generate(&Stream::new(0))
                .map(|_| ())
                .map_err(|error| error.to_string()),
        }
    }

    /// What its figures are called by.
    pub(super) fn names(&self) -> Vec<String> {
        let known = (self.known == Known::Auxiliary).then_some("alone-fair");
        let fixed = ["none", "alone"].into_iter().chain(known).map(str::to_owned);
        fixed.chain(self.lambdas.iter().map(|&lambda| at_lambda(lambda))).collect()
    }

    pub(super) fn run(&self, units: Range<usize>, seed: u64) -> Result<Vec<Sample>, StudyError> {
        let mut samples = Vec::new();
        for run in units {
            let drawn = self.draw(&Stream::new(seed).child("transfer").nth(run))?;
            let base = drawn.both(&self.together(0.0))?;
            base.beside(base, "none", run, &mut samples);
            drawn.alone(&self.alone(None))?.beside(base, "alone", run, &mut samples);
            if self.known == Known::Auxiliary {
                drawn.alone(&self.alone(Some(ATTRIBUTES[0])))?.beside(base, "alone-fair", run, &mut samples);
            }
            for lambda in &self.lambdas {
                drawn.both(&self.together(*lambda))?.beside(base, &at_lambda(*lambda), run, &mut samples);
            }
        }
        Ok(samples)
    }

    /// Both tasks.
    fn together(&self, lambda: f64) -> Learned {
        let [gender, age] = ATTRIBUTES;
        let usual = match self.known {
            Known::Auxiliary => Learned::from_auxiliary(gender),
            Known::OneEach => Learned::intersectional(gender, age),
        };
        self.with_steps(Learned { lambda, ..usual })
    }

    /// The target task by itself.
    fn alone(&self, fair_by: Option<&str>) -> Learned {
        self.with_steps(Learned { target: fair_by.map(DifferentialOdds::of), ..Learned::default() })
    }

    fn with_steps(&self, mut learned: Learned) -> Learned {
        learned.training.steps = self.steps;
        learned
    }

    fn draw(&self, stream: &Stream) -> Result<Drawn, StudyError> {
        let (target, auxiliary) = self.tasks.generate(&stream.child("training"))?;
        let (test, _) = TwoTasks { cases: self.test, ..self.tasks }.generate(&stream.child("test"))?;
        let [gender, age] = ATTRIBUTES.map(|name| test.cases().group(name));
        let judged_by = match self.known {
            Known::Auxiliary => gender?.clone(),
            Known::OneEach => GroupAttribute::cross(&[gender?, age?]).ok_or("the groups cannot be crossed")?,
        };
        Ok(Drawn { target, auxiliary, test, judged_by, stream: stream.child("learner") })
    }
}

impl Drawn {
    fn both(&self, learned: &Learned) -> Result<Measured, StudyError> {
        let mut silent = Silent;
        let mut context = Context::new(self.stream.clone(), &mut silent);
        self.measure(&learned.fit_tasks(&self.target, &self.auxiliary, &mut context)?)
    }

    fn alone(&self, learned: &Learned) -> Result<Measured, StudyError> {
        let mut silent = Silent;
        let mut context = Context::new(self.stream.clone(), &mut silent);
        self.measure(&learned.fit(&self.target, &CaseWeights::uniform(self.target.n()), &mut context)?)
    }

    /// On decided labels, not on probabilities.
    fn measure(&self, policy: &TransferPolicy) -> Result<Measured, StudyError> {
        let p = policy.classify(self.test.cases())?;
        let decided: Vec<Label> = p.iter().map(|p| Label(most_probable(p) as u16)).collect();
        let truth = self.test.cases().labels();
        let odds = Differential::new(&decided, truth, self.test.k(), &self.judged_by)?.odds(ODDS_SMOOTHING)?;
        let known = |value: Option<f64>| value.unwrap_or(f64::NAN);
        Ok(Measured { accuracy: known(accuracy(&decided, truth)?.value()), epsilon: known(odds.epsilon.value()) })
    }
}

/// What came of one way to learn.
#[derive(Debug, Clone, Copy)]
struct Measured {
    accuracy: f64,
    epsilon: f64,
}

impl Measured {
    /// Adds it as the figures of a method, beside those of both tasks without fairness.
    fn beside(self, base: Self, method: &str, run: usize, to: &mut Vec<Sample>) {
        let mut add = |measure: &str, value: f64| {
            to.push(Sample::new(method, measure, run, value));
        };
        add("accuracy", self.accuracy);
        add("epsilon", self.epsilon);
        add("accuracy-lost", base.accuracy - self.accuracy);
        add("epsilon-kept", self.epsilon / base.epsilon);
    }
}
