//! The classifier as one more worker: trained first, and judged on cases that it did not see.

use deferral_core::{
    CaseId, CaseWeights, Context, Dataset, Decisions, DecisionsBuilder, ExpertId, FitError, Label, argmax,
};
use deferral_models::{Classifier, ClassifierPolicy};

/// Folds in which the classifier's own decisions are predicted.
const FOLDS: usize = 5;

/// The experts and, as expert m, the classifier, with everybody's decisions on the training cases.
pub(crate) struct Team {
    /// Trained on all training cases.
    pub(crate) classifier: ClassifierPolicy,
    /// The decisions of m + 1 workers: those recorded, and for the classifier what it predicts out of fold, because its
    /// accuracy on cases it was trained on is too good to be true.
    pub(crate) decisions: Decisions,
    /// The true labels.
    pub(crate) gold: Vec<Label>,
}

impl Team {
    /// Trains the classifier, once on everything and once for each of five folds; where cases have no features it knows
    /// only how frequent each class is.
    pub(crate) fn new(
        classifier: &Classifier,
        data: &Dataset,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
    ) -> Result<Self, FitError> {
        let gold = data.gold()?;
        if data.decisions().is_empty() {
            return Err(FitError::NoExperts);
        }
        if weights.n() != data.n() {
            return Err(FitError::Weights { found: weights.n(), expected: data.n() });
        }
        let policy = classifier.fit_or_frequencies(data, weights, ctx)?;
        let predictions = classifier.out_of_fold(data, weights, FOLDS, ctx)?;
        let mut builder = DecisionsBuilder::new();
        for (case, vote) in data.decisions().iter() {
            builder.push(case, vote.expert, vote.label);
        }
        for (case, belief) in predictions.iter().enumerate() {
            builder.push(CaseId::at(case), ExpertId::at(data.m()), Label::at(argmax(belief)));
        }
        let decisions =
            builder.build(data.n(), data.m() + 1).map_err(|error| FitError::Aggregate(error.to_string()))?;
        Ok(Self { classifier: policy, decisions, gold })
    }
}
