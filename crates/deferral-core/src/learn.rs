//! Learning a policy from cases and past decisions.

use crate::cases::{Cases, CasesError, GroupAttribute};
use crate::columns::{Probabilities, Weights};
use crate::context::{Cancelled, Context};
use crate::dataset::Dataset;
use crate::decisions::Row;
use crate::ids::{CaseId, ExpertId, Label};

/// Learns a policy from cases and past decisions. Case weights let a fairness wrapper reweight any learner.
pub trait Learner {
    /// What is learned.
    type Policy: Policy;

    /// Learns from every case of `data`, each counting by its weight.
    ///
    /// # Errors
    /// [`FitError`] on data this learner cannot learn from. Not converging is no error.
    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<Self::Policy, FitError>;
}

/// Says how much each expert, and the model, should count for each case.
pub trait Policy: Send + Sync {
    /// Number of human experts, m.
    fn experts(&self) -> usize;

    /// Number of classes, K.
    fn classes(&self) -> usize;

    /// The group attribute that a case must carry when it is decided, if the policy needs one.
    fn needs_group(&self) -> Option<&str> {
        None
    }

    /// What the classifier believes about each case: K x n.
    ///
    /// # Errors
    /// If the cases are not of the kind the policy was fitted on.
    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError>;

    /// How much each expert counts for each case: (m+1) x n, the classifier last.
    ///
    /// # Errors
    /// As [`Policy::classify`].
    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError>;

    /// What classifier and experts together are expected to say of each case, when everybody who decided it in `data`
    /// is heard: K x n. By default every voter adds their weight to their class, the classifier its weight to each
    /// class in proportion to its probability, and the sum is normalised; a policy that decides in another way says so
    /// here. O(n K + decisions).
    ///
    /// # Errors
    /// As [`Policy::classify`].
    fn together(&self, data: &Dataset) -> Result<Probabilities, PolicyError> {
        let (mut beliefs, weights) = (self.classify(data.cases())?, self.weigh(data.cases())?);
        for case in 0..data.n() {
            weighted_share(
                beliefs.0.column_mut(case),
                weights.column(case),
                data.decisions().of_case(CaseId::at(case)),
            );
        }
        Ok(beliefs)
    }
}

/// Turns what the classifier believes into the share of the weights that speak for each class; it stays as it is where
/// they are all 0.
fn weighted_share(belief: &mut [f64], weights: &[f64], votes: Row<'_, ExpertId>) {
    let own = weights[weights.len() - 1].max(0.0);
    let total = own + votes.ids.iter().map(|expert| weights[expert.index()].max(0.0)).sum::<f64>();
    if total <= 0.0 {
        return;
    }
    for share in belief.iter_mut() {
        *share *= own / total;
    }
    for (expert, label) in votes.iter() {
        if let Some(share) = belief.get_mut(label.index()) {
            *share += weights[expert.index()].max(0.0) / total;
        }
    }
}

impl<P: Policy + ?Sized> Policy for Box<P> {
    fn experts(&self) -> usize {
        (**self).experts()
    }
    fn classes(&self) -> usize {
        (**self).classes()
    }
    fn needs_group(&self) -> Option<&str> {
        (**self).needs_group()
    }
    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        (**self).classify(cases)
    }
    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        (**self).weigh(cases)
    }
    fn together(&self, data: &Dataset) -> Result<Probabilities, PolicyError> {
        (**self).together(data)
    }
}

/// How much each case counts in training: n non-negative numbers with mean 1, unless [`CaseWeights::times`] says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseWeights(Vec<f64>);

impl CaseWeights {
    /// Every case counts the same.
    pub fn uniform(n: usize) -> Self {
        Self(vec![1.0; n])
    }

    /// Weights in the proportions of `weights`, scaled to mean 1.
    ///
    /// # Errors
    /// If one is negative or not finite, or if all are zero.
    pub fn new(mut weights: Vec<f64>) -> Result<Self, ParameterError> {
        if let Some(case) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            let parameter = format!("the weight of case {case}");
            return Err(ParameterError::new(parameter, weights[case], "a finite number, 0 or more"));
        }
        let mean = weights.iter().sum::<f64>() / weights.len().max(1) as f64;
        if mean <= 0.0 {
            return Err(ParameterError::new("the case weights", "all zero", "at least one above 0"));
        }
        for weight in &mut weights {
            *weight /= mean;
        }
        Ok(Self(weights))
    }

    /// These weights such that every group with a case has the same say: each case counts `1 / n_(its group)`, times
    /// the weight it had. A group without a case has no say. O(n).
    ///
    /// # Errors
    /// [`FitError::Weights`] if there are not as many weights as cases.
    ///
    /// ```
    /// use deferral_core::{CaseWeights, GroupAttribute};
    /// let group = GroupAttribute::from_values("dialect", ["AAE", "other", "other", "other"]);
    /// let weights = CaseWeights::uniform(4).balanced(&group)?;
    /// assert!((weights.values()[0] - 3.0 * weights.values()[1]).abs() < 1e-12);
    /// # Ok::<(), deferral_core::FitError>(())
    /// ```
    pub fn balanced(&self, group: &GroupAttribute) -> Result<Self, FitError> {
        if self.n() != group.of_case.len() {
            return Err(FitError::Weights { found: self.n(), expected: group.of_case.len() });
        }
        let counts = group.counts();
        let share = |(g, w): (&crate::ids::GroupId, &f64)| w / counts[g.index()] as f64;
        Ok(Self::new(group.of_case.iter().zip(self.values()).map(share).collect())?)
    }

    /// The same proportions with `factor` times the mean: the whole loss counts that much more, so that gradient
    /// descent takes steps that much longer. O(n).
    ///
    /// # Errors
    /// If the factor is not a finite number above 0.
    ///
    /// ```
    /// use deferral_core::CaseWeights;
    /// let doubled = CaseWeights::new(vec![1.0, 3.0])?.times(2.0)?;
    /// assert_eq!((doubled.values(), doubled.mean()), (&[1.0, 3.0][..], 2.0));
    /// assert!(CaseWeights::uniform(2).times(f64::NAN).unwrap_err().to_string().contains("factor of the case weights"));
    /// # Ok::<(), deferral_core::ParameterError>(())
    /// ```
    pub fn times(mut self, factor: f64) -> Result<Self, ParameterError> {
        let ok = factor > 0.0 && factor.is_finite();
        ParameterError::check(ok, "the factor of the case weights", factor, "a finite number above 0")?;
        for weight in &mut self.0 {
            *weight *= factor;
        }
        Ok(self)
    }

    /// The mean weight; 1 unless [`CaseWeights::times`] changed it. O(n).
    pub fn mean(&self) -> f64 {
        if self.0.is_empty() { 1.0 } else { self.0.iter().sum::<f64>() / self.0.len() as f64 }
    }

    /// The weights, one a case.
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// Number of cases.
    pub fn n(&self) -> usize {
        self.0.len()
    }

    /// Whether every case counts the same.
    pub fn is_uniform(&self) -> bool {
        self.0.windows(2).all(|pair| pair[0] == pair[1])
    }
}

/// A parameter outside its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{parameter} is {value}, but must be {expected}")]
pub struct ParameterError {
    /// Which parameter.
    pub parameter: String,
    /// The value given.
    pub value: String,
    /// What would be accepted.
    pub expected: String,
}

impl ParameterError {
    /// `parameter` is `value`, but must be `expected`.
    #[expect(clippy::needless_pass_by_value, reason = "callers pass numbers and literals")]
    pub fn new(parameter: impl Into<String>, value: impl ToString, expected: impl Into<String>) -> Self {
        Self { parameter: parameter.into(), value: value.to_string(), expected: expected.into() }
    }

    /// Passes a number that lies in `range`, which is written as the message should say it.
    ///
    /// # Errors
    /// If `ok` is false.
    pub fn check(ok: bool, parameter: &str, value: impl ToString, expected: &str) -> Result<(), Self> {
        if ok { Ok(()) } else { Err(Self::new(parameter, value, expected)) }
    }
}

/// Why nothing was learned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// There is no case to learn from.
    #[error("there is no case to learn from")]
    NoCases,
    /// A case has no gold label.
    #[error("case {case} has no label; this learner needs a label for every training case, so leave such cases out")]
    MissingLabel {
        /// Name of the case.
        case: String,
    },
    /// All cases have the same label.
    #[error("all {n} training cases have the label `{label}`; learning needs at least two classes")]
    SingleClass {
        /// Number of cases.
        n: usize,
        /// The only label.
        label: String,
    },
    /// There is no expert, or none that decided anything.
    #[error("no expert decided any training case; without experts use the method `classifier`")]
    NoExperts,
    /// The features are sparse or there are none.
    #[error("this learner needs dense features, at least one; found {found} (for text use `svd` or word vectors)")]
    NeedsDense {
        /// What there is instead.
        found: String,
    },
    /// As many case weights as cases are needed.
    #[error("there are {found} case weights for {expected} cases")]
    Weights {
        /// Number of weights.
        found: usize,
        /// Number of cases.
        expected: usize,
    },
    /// The loss or a weight is not finite.
    #[error("the loss is not finite after step {step}; a smaller learning rate or standardised features help")]
    NotFinite {
        /// The step.
        step: usize,
    },
    /// The labels do not fit the method.
    #[error("{method} works for two classes only, but there are {classes}; use {instead}")]
    BinaryOnly {
        /// The method.
        method: String,
        /// Number of classes.
        classes: usize,
        /// What works.
        instead: String,
    },
    /// What was asked for cannot be promised on these data.
    #[error("{0}")]
    NoPromise(String),
    /// The votes could not be aggregated.
    #[error("{0}")]
    Aggregate(String),
    /// A parameter does not fit the data.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A part of the cases could not be judged by the classifier that was fitted on the others.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A group attribute is missing.
    #[error(transparent)]
    Cases(#[from] CasesError),
    /// The observer asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Why a policy cannot judge these cases.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The cases have another number of features.
    #[error("the policy was fitted on {expected} features, but these cases have {found}")]
    Dimension {
        /// Features the policy knows.
        expected: usize,
        /// Features of the cases.
        found: usize,
    },
    /// The features are dense where the policy needs sparse ones, or the reverse.
    #[error("the policy was fitted on {expected} features; these are of the other kind")]
    Kind {
        /// `dense` or `sparse`.
        expected: &'static str,
    },
    /// A group attribute is missing.
    #[error(transparent)]
    Cases(#[from] CasesError),
    /// A group was not there in training.
    #[error("group attribute {attribute} has the value `{value}`, which was not there in training")]
    UnknownGroup {
        /// The attribute.
        attribute: String,
        /// The value.
        value: String,
    },
}

impl Dataset {
    /// The label of every case, for a learner that needs them all and at least two different ones.
    ///
    /// # Errors
    /// [`FitError::NoCases`], [`FitError::MissingLabel`] or [`FitError::SingleClass`].
    pub fn gold(&self) -> Result<Vec<Label>, FitError> {
        let labels = self.cases().labels();
        let known: Vec<Label> = labels.iter().flatten().copied().collect();
        if let Some(case) = labels.iter().position(Option::is_none) {
            return Err(FitError::MissingLabel { case: self.cases().ids().show(case).to_owned() });
        }
        let first = *known.first().ok_or(FitError::NoCases)?;
        if known.iter().all(|&label| label == first) {
            let label = self.label_names().show(first.index()).to_owned();
            return Err(FitError::SingleClass { n: known.len(), label });
        }
        Ok(known)
    }
}
