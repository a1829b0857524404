//! The classifier as one more worker: trained first, and judged on cases that it did not see.

use deferral_core::{
    CaseId, CaseWeights, Context, Dataset, Decisions, DecisionsBuilder, ExpertId, FitError, Label, Learner, Policy,
    Splitter, argmax,
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
        let policy = train(classifier, data, weights, ctx)?;
        let predictions = out_of_fold(classifier, data, weights, ctx)?;
        let mut builder = DecisionsBuilder::new();
        for (case, vote) in data.decisions().iter() {
            builder.push(case, vote.expert, vote.label);
        }
        for (case, label) in predictions.into_iter().enumerate() {
            builder.push(CaseId::at(case), ExpertId::at(data.m()), label);
        }
        let decisions =
            builder.build(data.n(), data.m() + 1).map_err(|error| FitError::Aggregate(error.to_string()))?;
        Ok(Self { classifier: policy, decisions, gold })
    }
}

fn train(
    classifier: &Classifier,
    data: &Dataset,
    weights: &CaseWeights,
    ctx: &mut Context<'_>,
) -> Result<ClassifierPolicy, FitError> {
    if data.cases().dim() == 0 {
        return Ok(ClassifierPolicy::of_frequencies(data));
    }
    match classifier.fit(data, weights, ctx) {
        // A fold may lack a class; then its frequencies are all there is to learn.
        Err(FitError::SingleClass { .. }) => Ok(ClassifierPolicy::of_frequencies(data)),
        result => result,
    }
}

/// What a classifier says about each case that was trained on the others.
fn out_of_fold(
    classifier: &Classifier,
    data: &Dataset,
    weights: &CaseWeights,
    ctx: &mut Context<'_>,
) -> Result<Vec<Label>, FitError> {
    let folds = FOLDS.min(data.n());
    if folds < 2 {
        return data.gold();
    }
    let splits = Splitter::ShuffledFolds { k: folds }
        .split(data.cases(), None, &ctx.stream("folds"))
        .map_err(|error| FitError::Aggregate(error.to_string()))?;
    let mut predictions = vec![Label::default(); data.n()];
    for split in splits {
        let own = split.train.iter().map(|&case| weights.values()[case]).collect();
        let part = data.select(&split.train);
        let policy = train(classifier, &part, &CaseWeights::new(own)?, &mut ctx.part("fold"))?;
        let beliefs = policy.classify(data.select(&split.test).cases())?;
        for (&case, belief) in split.test.iter().zip(beliefs.iter()) {
            predictions[case] = Label::at(argmax(belief));
        }
    }
    Ok(predictions)
}
