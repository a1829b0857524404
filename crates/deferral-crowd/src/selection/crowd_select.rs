//! Selection of workers case by case, after `CrowdSelect` (Qiu et al., CIKM 2016).
//!
//! Known, from the paper's abstract and from Keswani, Lease and Kenthapadi (2021), who compare with it: it predicts
//! from the observed history how each worker will err on a task, with one error model a worker and independently of all
//! others, and then picks for each task a subset that trades accuracy for cost. The full text was not at hand: the two
//! steps below are reconstructed from that, and their inside, the models, the use of the potential, the selection and
//! all defaults, is a guess. That the vote weighted by log-odds errs no more than its bound says is known.
//!
//! [`CrowdSelect`] learns the [error models](ErrorModel), its [policy](CrowdSelectPolicy) turns predicted errors into
//! weights, and [`CrowdSelectRule`] selects and decides.

mod errors;
mod neighbours;
mod rule;

use deferral_core::{
    CaseWeights, Cases, Columns, Context, Dataset, FitError, Learner, Policy, PolicyError, Probabilities, Weights,
};
use deferral_models::{Classifier, ClassifierPolicy};
use serde::{Deserialize, Serialize};

pub use errors::ErrorModel;
pub use rule::{CrowdSelectRule, Goal, error_bound, potential};

use self::errors::WorkerErrors;
use super::li_liu::log_odds;
use super::team::Team;

/// Predicts how likely each expert errs on each case. The classifier is trained first and is one more worker,
/// whose errors are those on cases that it was not trained on.
///
/// Cost: six trainings of the classifier and those of the [error models](ErrorModel).
///
/// ```
/// use deferral_core::*;
/// use deferral_crowd::{CrowdSelect, CrowdSelectRule, Goal};
/// // One expert is right where the only feature is below 1/2, the other elsewhere; no feature tells the label.
/// let truth = |case: u32| (case % 7 % 2) as u16;
/// let x: Vec<f64> = (0..200).map(|case| f64::from(case) / 200.0).collect();
/// let vote = |case, right| if right { truth(case) } else { 1 - truth(case) };
/// let votes = (0..200).flat_map(|case| [(case, 0, vote(case, case < 100)), (case, 1, vote(case, case >= 100))]);
/// let votes = Decisions::from_triples(200, 2, votes)?;
/// let labels = (0..200).map(|case| Some(Label(truth(case)))).collect();
/// let features = Features::dense(Columns::from_values(1, x))?;
/// let cases = Cases::new(Names::numbered("case", 200), features)?.with_labels(labels)?;
/// let data = Dataset::new(cases, votes, Names::numbered("", 2), Names::numbered("expert", 2))?;
///
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let policy = CrowdSelect::default().fit(&data, &CaseWeights::uniform(200), &mut ctx)?;
/// let beliefs = (policy.classify(data.cases())?, policy.weigh(data.cases())?);
/// let rule = CrowdSelectRule { goal: Goal::Size { k: 1 }, ..CrowdSelectRule::default() };
/// let mut votes = Recorded::new(data.decisions(), Absent::Unavailable);
/// let outcomes = consult(0..200, (&beliefs.0, &beliefs.1), &rule, &mut votes, None, &Stream::new(2))?;
/// let right = (0..200).filter(|&case| outcomes[case].verdict.label.0 == truth(case as u32)).count();
/// assert!(right > 190, "{right}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrowdSelect {
    /// How errors are predicted.
    pub errors: ErrorModel,
    /// The classifier that is one of the workers.
    pub classifier: Classifier,
}

impl Learner for CrowdSelect {
    type Policy = CrowdSelectPolicy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<CrowdSelectPolicy, FitError> {
        self.errors.check()?;
        let team = Team::new(&self.classifier, data, weights, ctx)?;
        let errors = WorkerErrors::fit(&self.errors, &team, data.cases(), weights, &ctx.stream("errors"))?;
        Ok(CrowdSelectPolicy { classifier: team.classifier, errors })
    }
}

/// What [`CrowdSelect`] learned: the classifier, and for every worker how likely they err on a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrowdSelectPolicy {
    classifier: ClassifierPolicy,
    errors: WorkerErrors,
}

impl CrowdSelectPolicy {
    /// The predicted probability e that each worker errs on each case: (m+1) x n, the classifier last.
    ///
    /// # Errors
    /// If the cases are not of the kind the policy was fitted on.
    pub fn errors(&self, cases: &Cases) -> Result<Columns, PolicyError> {
        self.errors.predict(cases)
    }
}

impl Policy for CrowdSelectPolicy {
    fn experts(&self) -> usize {
        self.classifier.experts()
    }

    fn classes(&self) -> usize {
        self.classifier.classes()
    }

    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        self.classifier.classify(cases)
    }

    /// The log-odds `ln((K - 1)(1 - e) / e)`, 0 for those who are predicted to do no better than guessing.
    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        let mut columns = self.errors(cases)?;
        for error in columns.values_mut() {
            *error = log_odds(1.0 - *error, self.classes()).max(0.0);
        }
        Ok(Weights(columns))
    }
}
