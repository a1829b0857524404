//! What a classifier says of cases that it was not trained on: the only honest basis for judging or correcting it.

use deferral_core::{
    CaseWeights, Columns, Context, Dataset, FitError, Learner, ParameterError, Policy, Probabilities, Splitter,
};

use crate::classifier::{Classifier, ClassifierPolicy};

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
        let mut predictions = Columns::zeros(data.k(), data.n());
        for split in splits {
            let own = split.train.iter().map(|&case| weights.values()[case]).collect();
            let part = data.select(&split.train);
            let policy = self.fit_or_frequencies(&part, &CaseWeights::new(own)?, &mut ctx.part("fold"))?;
            let beliefs = policy.classify(data.select(&split.test).cases())?;
            for (&case, belief) in split.test.iter().zip(beliefs.iter()) {
                predictions.column_mut(case).copy_from_slice(belief);
            }
        }
        Ok(Probabilities(predictions))
    }
}
