//! An online method as a learner: past cases run through it in order.

use deferral_core::{
    CaseId, CaseView, CaseWeights, Cases, Columns, Context, Dataset, Event, ExpertId, FitError, Label, Learner, Policy,
    PolicyError, Probabilities, Row, Vote, Weights,
};
use deferral_models::{Classifier, ClassifierPolicy, classifier::dense};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::linear::expected_reward;
use super::method::{Online, OnlineMethod, Setting, Skills};
use crate::selection::team::Team;

/// Learns by streaming the training cases, in their order, through an online method.
///
/// The classifier is trained first and is one more worker, expert m, who is always available; on a training case it
/// votes as a classifier that was trained on other cases (five folds). Of the m + 1 workers those can be asked about a
/// case who decided it. Whom the method asks answers as recorded, and the true label is the feedback; case weights say
/// how much each case counts, and cases of weight 0 are left out. A method that hears everyone
/// ([`Online::hears_everyone`]) learns from all recorded decisions. Costs what the classifier costs, six times, and n
/// choices and updates of the method.
///
/// ```
/// use deferral_core::*;
/// use deferral_crowd::online::{Streamed, Ucb};
/// # let n = 60;
/// # let features = Features::dense(Columns::from_values(1, (0..n).map(|i| f64::from(i % 7)).collect()))?;
/// # let labels = (0..n).map(|i| Some(Label((i % 2) as u16))).collect();
/// # let cases = Cases::new(Names::numbered("case", n as usize), features)?.with_labels(labels)?;
/// // Expert 1 is right on every case, expert 0 on every third.
/// let votes = (0..n).flat_map(|i| [(i, 0, u16::from(i % 6 == 1)), (i, 1, (i % 2) as u16)]);
/// let decisions = Decisions::from_triples(n as usize, 2, votes)?;
/// let data = Dataset::new(cases, decisions, Names::numbered("label", 2), Names::numbered("expert", 2))?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let learner = Streamed::<Ucb>::default();
/// let policy = learner.fit(&data, &CaseWeights::uniform(data.n()), &mut ctx)?;
/// assert_eq!(argmax(policy.weigh(data.cases())?.column(0)), 1);
/// assert_eq!(learner.committee().select, Selection::Top { k: 1 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Streamed<M> {
    /// The online method.
    pub method: M,
    /// The classifier that works beside the experts.
    pub classifier: Classifier,
}

impl<M: OnlineMethod> Streamed<M> {
    /// The committee that suits the learned policy: whom the method itself would ask, without exploring. The classifier
    /// may sit in it by its weight, like everybody else.
    pub fn committee(&self) -> deferral_core::Committee {
        self.method.committee()
    }
}

impl<M: OnlineMethod> Learner for Streamed<M> {
    type Policy = StreamedPolicy;

    /// # Errors
    /// [`FitError::NeedsDense`] if the method looks at features and there are none or sparse ones; a parameter out of
    /// range; data without labels or decisions; whatever the classifier refuses.
    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<StreamedPolicy, FitError> {
        let features = if self.method.needs_features() { Some(dense(data)?) } else { None };
        let setting =
            Setting { workers: data.m() + 1, features: features.map_or(0, Columns::rows), rounds: Some(data.n()) };
        let mut state = self.method.start(&setting)?;
        let team = Team::new(&self.classifier, data, weights, ctx)?;
        let choices = ctx.stream("choices");
        for (case, (&label, &weight)) in team.gold.iter().zip(weights.values()).enumerate() {
            if weight > 0.0 {
                let features = features.map_or(&[][..], |columns| columns.column(case));
                let view = CaseView { case: CaseId::at(case), features, group: None };
                let votes = hear(&mut state, view, team.decisions.of_case(view.case), &mut choices.at(case));
                state.reward(view, &votes, label, weight);
                ctx.report(&Event::Step { step: case + 1, of: data.n(), loss: share_wrong(&votes, label) })?;
            }
        }
        Ok(StreamedPolicy { classifier: team.classifier, skills: state.skills() })
    }
}

/// The votes that the method gets to hear of those recorded on a case.
fn hear(state: &mut impl Online, case: CaseView<'_>, recorded: Row<'_, ExpertId>, random: &mut dyn Rng) -> Vec<Vote> {
    if state.hears_everyone() {
        return recorded.iter().map(|(expert, label)| Vote { expert, label }).collect();
    }
    let answer = |expert: ExpertId| {
        let at = recorded.ids.binary_search(&expert).ok()?;
        Some(Vote { expert, label: recorded.labels[at] })
    };
    let asked = state.allocate(case, recorded.ids, random);
    asked.into_iter().filter_map(|question| answer(question.expert)).collect()
}

fn share_wrong(votes: &[Vote], label: Label) -> f64 {
    let wrong = votes.iter().filter(|vote| vote.label != label).count();
    wrong as f64 / votes.len().max(1) as f64
}

/// What an online method believed of each worker after its last case, beside a classifier. The classifier's own row is
/// the last, as everywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamedPolicy {
    classifier: ClassifierPolicy,
    skills: Skills,
}

impl StreamedPolicy {
    /// How much each of the m + 1 workers is trusted, the classifier last.
    pub fn skills(&self) -> &Skills {
        &self.skills
    }
}

impl Policy for StreamedPolicy {
    fn experts(&self) -> usize {
        self.classifier.experts()
    }

    fn classes(&self) -> usize {
        self.classifier.classes()
    }

    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        self.classifier.classify(cases)
    }

    /// O(n m), or O(n m d) for a method that looks at the case.
    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        match &self.skills {
            Skills::Everywhere(weights) => Ok(Weights(Columns::repeat(weights, cases.n()))),
            Skills::Linear { coefficients, intercept } => {
                let features = cases.features().as_dense().ok_or(PolicyError::Kind { expected: "dense" })?;
                let expected = coefficients.rows() - usize::from(*intercept);
                if features.rows() != expected {
                    return Err(PolicyError::Dimension { expected, found: features.rows() });
                }
                let mut weights = Columns::zeros(coefficients.n(), features.n());
                for (case, x) in features.iter().enumerate() {
                    for (weight, theta) in weights.column_mut(case).iter_mut().zip(coefficients.iter()) {
                        *weight = expected_reward(theta, x, *intercept);
                    }
                }
                Ok(Weights(weights))
            }
        }
    }
}
