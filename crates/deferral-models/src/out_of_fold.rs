//! What a classifier says of cases that it was not trained on: the only honest basis for judging or correcting it.

use deferral_core::{
    CaseWeights, Columns, Context, Dataset, Features, FitError, Label, Learner, ParameterError, Policy, Probabilities,
    Splitter,
};

use crate::classifier::{Classifier, ClassifierPolicy};
use crate::dense_logistic::Part;

impl Classifier {
    /// Learns as [`Learner::fit`] does; where cases have no features, or only one class is there, it knows only how
    /// frequent each class is.
    ///
    /// # Errors
    /// As [`Learner::fit`].
    pub fn fit_or_frequencies(
        &self,
        data: &Dataset,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
    ) -> Result<ClassifierPolicy, FitError> {
        if data.cases().dim() == 0 {
            return Ok(ClassifierPolicy::of_frequencies(data));
        }
        match self.fit(data, weights, ctx) {
            Err(FitError::SingleClass { .. }) => Ok(ClassifierPolicy::of_frequencies(data)),
            result => result,
        }
    }

    /// The distribution that the classifier gives each case when it is trained on the other folds: K x n. With fewer
    /// cases than `folds` as many folds as cases; with a single case what is trained on it. `folds` trainings.
    ///
    /// # Errors
    /// As [`Learner::fit`], or if there are fewer than 2 folds.
    pub fn out_of_fold(
        &self,
        data: &Dataset,
        weights: &CaseWeights,
        folds: usize,
        ctx: &mut Context<'_>,
    ) -> Result<Probabilities, FitError> {
        ParameterError::check(folds >= 2, "the number of folds", folds, "2 or more")?;
        if weights.n() != data.n() {
            return Err(FitError::Weights { found: weights.n(), expected: data.n() });
        }
        if data.n() < 2 {
            return Ok(self.fit_or_frequencies(data, weights, ctx)?.classify(data.cases())?);
        }
        let splits = Splitter::ShuffledFolds { k: folds.min(data.n()) }
            .split(data.cases(), None, &ctx.stream("folds"))
            .map_err(|error| ParameterError::new("the number of folds", folds, error.to_string()))?;
        let weights_of = |cases: &[usize]| CaseWeights::new(cases.iter().map(|&case| weights.values()[case]).collect());
        let parts = splits.iter().map(|split| Ok((split.train.as_slice(), weights_of(&split.train)?)));
        let policies = self.fit_each(data, parts.collect::<Result<_, FitError>>()?, ctx)?;
        let mut predictions = Columns::zeros(data.k(), data.n());
        for (split, policy) in splits.iter().zip(policies) {
            let beliefs = policy.classify(data.select(&split.test).cases())?;
            for (&case, belief) in split.test.iter().zip(beliefs.iter()) {
                predictions.column_mut(case).copy_from_slice(belief);
            }
        }
        Ok(Probabilities(predictions))
    }

    /// One classifier for each part of the cases.
    fn fit_each(
        &self,
        data: &Dataset,
        parts: Vec<(&[usize], CaseWeights)>,
        ctx: &mut Context<'_>,
    ) -> Result<Vec<ClassifierPolicy>, FitError> {
        if let (Self::Logistic(logistic), Features::Dense(columns)) = (self, data.cases().features())
            && let Some(parts) = learnable(data, &parts)
        {
            let models = logistic.fit_parts(columns, &parts, data.k(), &mut ctx.part("fold"))?;
            return Ok(models.into_iter().map(|model| ClassifierPolicy::of_logistic(data.m(), model)).collect());
        }
        let fit = |(cases, weights): (&[usize], CaseWeights)| {
            self.fit_or_frequencies(&data.select(cases), &weights, &mut ctx.part("fold"))
        };
        parts.into_iter().map(fit).collect()
    }
}

/// The parts with their labels, if all are known and two classes are in every part.
fn learnable(data: &Dataset, parts: &[(&[usize], CaseWeights)]) -> Option<Vec<Part>> {
    let gold = data.gold().ok()?;
    let part = |(cases, weights): &(&[usize], CaseWeights)| {
        let labels: Vec<Label> = cases.iter().map(|&case| gold[case]).collect();
        let several = labels.iter().any(|label| *label != labels[0]);
        several.then(|| Part { cases: cases.to_vec(), labels, weights: weights.clone() })
    };
    parts.iter().map(part).collect()
}
