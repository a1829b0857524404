//! Learning whom to ask: the classifier, what its probabilities are worth, and the competence of everybody.

use deferral_core::{
    Ballots, CaseId, CaseWeights, Columns, Context, Dataset, Decisions, DecisionsBuilder, Event, FitError, Label,
    Learner, ParameterError, Probabilities, Stream,
};
use deferral_crowd::{HierarchicalDawidSkene, LearningFromCrowds};
use deferral_models::{Calibration, Calibrator, Classifier, ClassifierPolicy};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::bound::WorstGroup;
use crate::calibrated::Calibrated;
use crate::competence::{Competence, Shrinkage};
use crate::dependence::Dependence;
use crate::policy::{ConsultPolicy, Place};
use crate::regions::Regions;
use crate::tempering::{Tempering, Trial};

/// Learns a policy that asks one question at a time: a classifier with calibrated probabilities, the competence of every
/// expert, and how much their errors go together.
///
/// The policy's [`rule`](ConsultPolicy::rule) conducts the consultations. Cost: folds + 1 trainings of the classifier,
/// O(votes x K) for competence, O(sum over cases of votes^2) for dependence. Ours.
///
/// ```
/// use deferral_consult::{Asking, Consult};
/// use deferral_core::*;
/// // The feature tells most cases; expert 0 is always right, expert 1 tosses a coin.
/// let n = 300u32;
/// let truth = |case: u32| (case % 2) as u16;
/// let coin = |case: u32| (case * 7 / 3 % 2) as u16;
/// let votes = (0..n).flat_map(|case| [(case, 0, truth(case)), (case, 1, coin(case))]);
/// let decisions = Decisions::from_triples(n as usize, 2, votes)?;
/// let blurred = |case: u32| f64::from(truth(case)) + f64::from(case * 37 % 100) / 60.0;
/// let features = Features::dense(Columns::from_values(1, (0..n).map(blurred).collect()))?;
/// let cases = Cases::new(Names::numbered("case", n as usize), features)?
///     .with_labels((0..n).map(|case| Some(Label(truth(case)))).collect())?;
/// let data = Dataset::new(cases, decisions, Names::numbered("label", 2), Names::numbered("expert", 2))?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let policy = Consult::default().fit(&data, &CaseWeights::uniform(data.n()), &mut ctx)?;
/// let rule = policy.rule(&Asking { price: 0.001, ..Asking::default() }, data.cases(), None)?;
/// let beliefs = (policy.classify(data.cases())?, policy.weigh(data.cases())?);
/// let mut votes = Recorded::new(data.decisions(), Absent::Unavailable);
/// let outcomes = consult(0..data.n(), (&beliefs.0, &beliefs.1), &rule, &mut votes, None, &Stream::new(2))?;
/// let labels: usize = outcomes.iter().map(|outcome| outcome.labels_used).sum();
/// let right = outcomes.iter().enumerate().filter(|(case, o)| o.verdict.label.0 == truth(*case as u32)).count();
/// assert!(right >= 295 && labels < 300, "{right} {labels}");
/// // Whoever tosses a coin is not asked.
/// assert!(outcomes.iter().all(|outcome| outcome.asked.iter().all(|question| question.expert == ExpertId(0))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Consult {
    /// What is believed of a case before anybody is asked; logistic regression by default. Where the truth is learned
    /// from votes it is the classifier of [`LearningFromCrowds`].
    pub classifier: Classifier,
    /// How its probabilities are corrected; Platt scaling by default. Where the truth is learned from votes it is always
    /// that.
    pub calibration: Calibration,
    /// A group attribute whose groups are calibrated each by itself, where they have [`FEWEST_TO_CALIBRATE`] cases.
    /// Cases must then carry it when they are decided.
    pub calibrate_by: Option<String>,
    /// Where the truth of the training cases is from; gold by default.
    pub truth: Truth,
    /// What competence may depend on; nothing by default.
    pub by: By,
    /// How much competence is pulled to what is known more widely.
    pub shrinkage: Shrinkage,
    /// Whether experts who err together count less; `true` by default.
    pub dependence: bool,
    /// Whether beliefs after votes are corrected by what such beliefs were worth on training cases held out; `true` by
    /// default. Needs the truth of the training cases to be gold, and some hundreds of them.
    pub temper: bool,
    /// Which of the training votes are learned from, drawn at random; all by default. Less is for asking how few labels
    /// would have been enough.
    pub labels: Labels,
    /// Folds of the out-of-fold predictions; 5 by default.
    pub folds: usize,
    /// A bound on the error of the worst group that thresholds are chosen by; none by default.
    pub bound: Option<WorstGroup>,
}

/// Where the truth of the training cases is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truth {
    /// Their gold labels; every training case must have one.
    #[default]
    Gold,
    /// What the votes say, by EM: [`LearningFromCrowds`], or [`HierarchicalDawidSkene`] where there are no features.
    Votes,
    /// The same with the gold labels that there are believed.
    Both,
}

/// How many of the training votes are learned from.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Labels {
    /// All of them.
    #[default]
    All,
    /// This share, each vote by a throw of its own; above 0 and at most 1.
    Share(f64),
    /// So many of each case, all where there are fewer; 1 or more.
    PerCase(usize),
}

/// What the competence of an expert may depend on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// Nothing: an expert is equally good on all cases.
    #[default]
    Nothing,
    /// The group of the case, which is known when it is decided.
    Group {
        /// The attribute.
        attribute: String,
    },
    /// The group of the case, which is known in training only: when a case is decided its features say how likely each
    /// group is, and matrices are mixed accordingly.
    LikelyGroup {
        /// The attribute.
        attribute: String,
    },
    /// Where the features of the case lie: a hierarchical logistic model of being right.
    Region,
}

impl By {
    fn attribute(&self) -> Option<&str> {
        match self {
            Self::Group { attribute } | Self::LikelyGroup { attribute } => Some(attribute),
            Self::Nothing | Self::Region => None,
        }
    }
}

/// A group with fewer cases than this is calibrated as all cases are.
pub const FEWEST_TO_CALIBRATE: usize = 100;

impl Default for Consult {
    fn default() -> Self {
        Self {
            classifier: Classifier::default(),
            calibration: Calibration::default(),
            calibrate_by: None,
            truth: Truth::default(),
            by: By::default(),
            shrinkage: Shrinkage::default(),
            dependence: true,
            temper: true,
            labels: Labels::All,
            folds: 5,
            bound: None,
        }
    }
}

/// What is believed of the training cases and of any case.
struct Believed {
    classifier: ClassifierPolicy,
    calibrated: Calibrated,
    /// K x n.
    truth: Columns,
    /// Calibrated out-of-fold predictions, K x n, where there are any.
    predictions: Option<Probabilities>,
}

impl Learner for Consult {
    type Policy = ConsultPolicy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<ConsultPolicy, FitError> {
        match &self.bound {
            None => self.learn(data, weights, ctx),
            Some(bound) => bound.fit(self, data, weights, ctx),
        }
    }
}

impl Consult {
    /// The policy without a bound.
    pub(crate) fn learn(
        &self,
        data: &Dataset,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
    ) -> Result<ConsultPolicy, FitError> {
        if data.decisions().is_empty() {
            return Err(FitError::NoExperts);
        }
        let decisions = self.labels.draw(data.decisions(), &ctx.stream("labels"))?;
        let Believed { classifier, calibrated, truth, predictions } = match self.truth {
            Truth::Gold => self.believe_gold(data, weights, ctx)?,
            Truth::Votes | Truth::Both => self.believe_votes(data, &decisions, weights, ctx)?,
        };
        let group = self.by.attribute().map(|name| data.cases().group(name)).transpose()?;
        let competence = Competence::learn(&decisions, &truth, group, self.shrinkage)?;
        let place = match &self.by {
            By::Nothing => Place::Anywhere,
            By::Group { attribute } => Place::Group(attribute.clone()),
            By::LikelyGroup { attribute } => Place::LikelyGroup(membership(data, attribute, weights, ctx)?),
            By::Region => {
                let own = self.shrinkage.own;
                let mut ctx = ctx.part("regions");
                Place::Region(Regions::learn(data, &decisions, &truth, &competence, own, &mut ctx)?)
            }
        };
        let dependence = self.dependence_of(&decisions, &truth, &competence);
        let policy = ConsultPolicy::new(classifier, calibrated, competence, place, dependence);
        let Some(predictions) = predictions.filter(|_| self.temper) else { return Ok(policy) };
        let learn_from = |cases: &[usize]| -> Result<ConsultPolicy, FitError> {
            let (decisions, truth) = (decisions.select_cases(cases), truth.select(cases));
            let group = group.map(|group| group.select(cases));
            let competence = Competence::learn(&decisions, &truth, group.as_ref(), self.shrinkage)?;
            let dependence = self.dependence_of(&decisions, &truth, &competence);
            Ok(policy.clone().with_experts(competence, dependence))
        };
        let folds = self.folds;
        let trial = Trial { data, decisions: &decisions, truth: &truth, predictions: &predictions, folds };
        let tempering = Tempering::learn(&trial, &learn_from, &mut ctx.part("tempering"))?;
        Ok(policy.tempered(tempering))
    }

    fn dependence_of(&self, decisions: &Decisions, truth: &Columns, competence: &Competence) -> Option<Dependence> {
        self.dependence.then(|| Dependence::learn(decisions, truth, &competence.table(None)))
    }

    fn believe_gold(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<Believed, FitError> {
        let truth = certain(&data.gold()?, data.k());
        let classifier = self.classifier.fit_or_frequencies(data, weights, ctx)?;
        let mut predictions = self.classifier.out_of_fold(data, weights, self.folds, ctx)?;
        let group = self.calibrate_by.as_deref().map(|name| data.cases().group(name)).transpose()?;
        let calibrated = Calibrated::fit(self.calibration, &predictions, &truth, weights, group, ctx)?;
        calibrated.apply(&mut predictions, data.cases())?;
        Ok(Believed { classifier, calibrated, truth, predictions: Some(predictions) })
    }

    fn believe_votes(
        &self,
        data: &Dataset,
        decisions: &Decisions,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
    ) -> Result<Believed, FitError> {
        let expected = "all equal: votes are aggregated, not weighted by case";
        ParameterError::check(weights.is_uniform(), "a set of case weights", "uneven", expected)?;
        let ballots = Ballots::new(decisions, data.k())?.with_cases(data.cases())?;
        let ballots = if self.truth == Truth::Both { ballots.with_gold(data.cases().labels())? } else { ballots };
        let (classifier, calibrator, consensus) = if data.cases().dim() > 0 {
            let fit = LearningFromCrowds::default().fit(&ballots, ctx)?;
            let classifier = match fit.classifier {
                Some(model) => ClassifierPolicy::of_logistic(data.m(), model),
                // All votes name one class.
                None => ClassifierPolicy::prior(data.m(), fit.consensus.prior.clone())?,
            };
            (classifier, Calibrator::Scaling(fit.scaling), fit.consensus)
        } else {
            let fit = HierarchicalDawidSkene::default().fit(&ballots, ctx)?;
            let classifier = ClassifierPolicy::prior(data.m(), fit.consensus.prior.clone())?;
            (classifier, Calibrator::None, fit.consensus)
        };
        ctx.report(&Event::Finished(consensus.trace.status))?;
        let (calibrated, truth) = (Calibrated::same(calibrator), consensus.probabilities.0);
        Ok(Believed { classifier, calibrated, truth, predictions: None })
    }
}

/// Gold labels as beliefs.
pub(crate) fn certain(labels: &[Label], classes: usize) -> Columns {
    let mut truth = Columns::zeros(classes, labels.len());
    for (case, label) in labels.iter().enumerate() {
        truth.column_mut(case)[label.index()] = 1.0;
    }
    truth
}

impl Labels {
    fn draw(self, decisions: &Decisions, stream: &Stream) -> Result<Decisions, FitError> {
        let mut builder = DecisionsBuilder::new();
        match self {
            Self::All => return Ok(decisions.clone()),
            Self::Share(share) => {
                let ok = share > 0.0 && share <= 1.0;
                ParameterError::check(ok, "the share of training labels", share, "above 0 and at most 1")?;
                let mut random = stream.random();
                for (case, vote) in decisions.iter() {
                    if random.random::<f64>() < share {
                        builder.push(case, vote.expert, vote.label);
                    }
                }
            }
            Self::PerCase(most) => {
                ParameterError::check(most > 0, "the number of training labels of a case", most, "1 or more")?;
                for case in (0..decisions.cases()).map(CaseId::at) {
                    let row = decisions.of_case(case);
                    for at in rand::seq::index::sample(&mut stream.at(case.index()), row.len(), most.min(row.len())) {
                        builder.push(case, row.ids[at], row.labels[at]);
                    }
                }
            }
        }
        builder.build(decisions.cases(), decisions.experts()).map_err(|error| FitError::Aggregate(error.to_string()))
    }
}

/// A classifier of the groups.
fn membership(
    data: &Dataset,
    attribute: &str,
    weights: &CaseWeights,
    ctx: &mut Context<'_>,
) -> Result<ClassifierPolicy, FitError> {
    let group = data.cases().group(attribute)?;
    let labels = group.of_case.iter().map(|id| Some(Label::at(id.index()))).collect();
    let cases = data.cases().clone().with_labels(labels)?;
    let (decisions, experts) = (Decisions::none(data.n(), data.m()), data.experts().clone());
    let data = Dataset::new(cases, decisions, group.values.clone(), experts)
        .map_err(|error| FitError::Aggregate(error.to_string()))?;
    Classifier::default().fit_or_frequencies(&data, weights, &mut ctx.part("membership"))
}
