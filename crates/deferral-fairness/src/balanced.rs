//! Groups that count the same, whatever their size.

use deferral_core::{CaseWeights, Context, Dataset, FitError, Learner};
use serde::{Deserialize, Serialize};

/// Any learner, with case weights under which every group of an attribute has the same say: a case counts
/// `1 / n_(its group)`, times the weight it had.
///
/// ```
/// use deferral_core::*;
/// use deferral_fairness::Balanced;
/// use deferral_models::Classifier;
/// let features = Features::dense(Columns::from_values(1, (0..60).map(f64::from).collect()))?;
/// let group = GroupAttribute::from_values("dialect", (0..60).map(|i| if i < 10 { "AAE" } else { "other" }));
/// let cases = Cases::new(Names::numbered("case", 60), features)?.with_group(group)?;
/// let cases = cases.with_labels((0..60).map(|i| Some(Label(u16::from(i > 30)))).collect())?;
/// let data = Dataset::new(cases, Decisions::none(60, 0), Names::numbered("", 2), Names::new())?;
/// let learner = Balanced::by("dialect", Classifier::default());
/// let mut silent = Silent;
/// let policy = learner.fit(&data, &CaseWeights::uniform(60), &mut Context::new(Stream::new(1), &mut silent))?;
/// assert_eq!(policy.classify(data.cases())?.n(), 60);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Balanced<L> {
    /// The group attribute.
    pub attribute: String,
    /// What learns.
    pub learner: L,
}

impl<L> Balanced<L> {
    /// `learner` with the groups of `attribute` counting the same.
    pub fn by(attribute: impl Into<String>, learner: L) -> Self {
        Self { attribute: attribute.into(), learner }
    }
}

impl<L: Learner> Learner for Balanced<L> {
    type Policy = L::Policy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<L::Policy, FitError> {
        let balanced = weights.balanced(data.cases().group(&self.attribute)?)?;
        self.learner.fit(data, &balanced, ctx)
    }
}
