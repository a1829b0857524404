//! What classifiers say of tasks that they were not trained on.

use deferral_core::{
    AggregateError, Ballots, CaseWeights, Columns, Context, Features, FitError, Names, ParameterError, Probabilities,
    Silent, SparseFeatures, Stream,
};
use deferral_models::{FittedLogistic, Logistic, Scaling, classifier::sparse_of, stable::softmax};
use rand::RngExt;
use rayon::prelude::*;

use super::em::{FLOOR, is_known};

/// The features of the tasks, and the classifiers of them: one for each fold of each division of the tasks.
pub(super) struct OutOfFold {
    features: SparseFeatures,
    /// 1 for tasks of which anything is known.
    known: Vec<f64>,
    /// What predictions are scaled to: 1 for tasks whose truth is known, or those of `known` if there are none.
    judges: Vec<f64>,
    divisions: usize,
    parts: Vec<Part>,
}

/// One classifier.
struct Part {
    /// 1 for tasks that it is trained on.
    counts: Vec<f64>,
    /// The tasks that it judges.
    tasks: Vec<usize>,
    /// Its last state, from which training goes on.
    model: Option<FittedLogistic>,
}

impl OutOfFold {
    /// Divides the tasks `divisions` times into `folds`; with no folds, one classifier judges what it was trained on.
    pub(super) fn of(
        ballots: &Ballots<'_>,
        folds: usize,
        divisions: usize,
        stream: &Stream,
    ) -> Result<Self, AggregateError> {
        let method = "learning from crowds";
        let missing = AggregateError::NeedsCases { method, what: "the features" };
        let cases = ballots.cases().filter(|cases| cases.dim() > 0).ok_or(missing)?;
        let features = match cases.features() {
            Features::Sparse(sparse) => sparse.clone(),
            Features::Dense(columns) => sparse_of(columns),
        };
        ParameterError::check(divisions > 0, "the number of divisions", divisions, "1 or more")?;
        let n = ballots.n();
        let mark = |is: &dyn Fn(usize) -> bool| (0..n).map(|task| f64::from(u8::from(is(task)))).collect::<Vec<f64>>();
        let known = mark(&|task| is_known(ballots, task));
        let gold = mark(&|task| ballots.gold_of(task).is_some());
        let judges = if gold.contains(&1.0) { gold } else { known.clone() };
        let everything = || Part { counts: known.clone(), tasks: (0..n).collect(), model: None };
        let (divisions, parts) = match folds.min(n) {
            0 | 1 => (1, vec![everything()]),
            folds => {
                let of_division = |at: usize| divide(cases.ids(), folds, &stream.nth(at));
                let parts = (0..divisions).flat_map(of_division).map(|tasks| Part::without(tasks, &known));
                (divisions, parts.collect())
            }
        };
        Ok(Self { features, known, judges, divisions, parts })
    }

    /// A classifier of all tasks.
    pub(super) fn on_everything(
        &self,
        classifier: &Logistic,
        posterior: &Columns,
        ctx: &mut Context<'_>,
    ) -> Result<FittedLogistic, AggregateError> {
        self.train(classifier, posterior, &self.known, None, ctx)
    }

    /// Trains all classifiers on, and returns the logs of what they say, scaled, and the scaling.
    pub(super) fn log_predictions(
        &mut self,
        classifier: &Logistic,
        posterior: &Columns,
        ctx: &mut Context<'_>,
    ) -> Result<(Columns, Scaling), AggregateError> {
        self.train_parts(classifier, posterior)?;
        let mut predictions = self.mean_predictions(posterior.rows())?;
        let weights = CaseWeights::new(self.judges.clone()).map_err(FitError::from)?;
        let scaling = Scaling::fit(&predictions, posterior, &weights, ctx)?;
        for task in 0..predictions.n() {
            let column = predictions.column_mut(task);
            scaling.apply(column);
            for p in column {
                *p = p.max(FLOOR).ln();
            }
        }
        Ok((predictions, scaling))
    }

    /// No classifier depends on another, so they are trained side by side; nobody watches them.
    fn train_parts(&mut self, classifier: &Logistic, posterior: &Columns) -> Result<(), AggregateError> {
        let train = |part: &Part| {
            let mut silent = Silent;
            let mut ctx = Context::new(Stream::new(0), &mut silent);
            self.train(classifier, posterior, &part.counts, part.model.as_ref(), &mut ctx)
        };
        let models: Vec<FittedLogistic> = self.parts.par_iter().map(train).collect::<Result<_, _>>()?;
        for (part, model) in self.parts.iter_mut().zip(models) {
            part.model = Some(model);
        }
        Ok(())
    }

    fn train(
        &self,
        classifier: &Logistic,
        posterior: &Columns,
        counts: &[f64],
        start: Option<&FittedLogistic>,
        ctx: &mut Context<'_>,
    ) -> Result<FittedLogistic, AggregateError> {
        // Where a fold holds all that is known there is nothing to learn from but everything.
        let counts = if counts.iter().any(|count| *count > 0.0) { counts } else { &self.known };
        let weights = CaseWeights::new(counts.to_vec()).map_err(FitError::from)?;
        let targets = Probabilities(posterior.clone());
        Ok(classifier.fit_soft(&self.features, &targets, &weights, start, ctx)?)
    }

    /// The distributions whose logs are the means, over the divisions, of the logs of what was predicted.
    fn mean_predictions(&self, classes: usize) -> Result<Columns, AggregateError> {
        let mut predictions = Columns::zeros(classes, self.features.n());
        let share = 1.0 / self.divisions as f64;
        for part in &self.parts {
            let Some(model) = &part.model else { continue };
            let beliefs = model.classify(&self.features.select(&part.tasks))?;
            for (&task, belief) in part.tasks.iter().zip(beliefs.iter()) {
                let logs = belief.iter().map(|p| share * p.max(FLOOR).ln());
                predictions.column_mut(task).iter_mut().zip(logs).for_each(|(sum, log)| *sum += log);
            }
        }
        (0..predictions.n()).for_each(|task| {
            softmax(predictions.column_mut(task));
        });
        Ok(predictions)
    }
}

impl Part {
    fn without(tasks: Vec<usize>, known: &[f64]) -> Self {
        let mut counts = known.to_vec();
        for &task in &tasks {
            counts[task] = 0.0;
        }
        Self { counts, tasks, model: None }
    }
}

/// Folds of equal size up to one task. Which tasks share a fold depends on their names and on the stream, not on their
/// order.
fn divide(names: &Names, folds: usize, stream: &Stream) -> Vec<Vec<usize>> {
    let lot = |(task, name)| (stream.child(name).random().random::<u64>(), name, task);
    let mut lots: Vec<(u64, &str, usize)> = names.iter().enumerate().map(lot).collect();
    lots.sort_unstable();
    let mut tasks = vec![Vec::new(); folds];
    for (place, (.., task)) in lots.into_iter().enumerate() {
        tasks[place % folds].push(task);
    }
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn by_name(names: &[String], stream: &Stream) -> BTreeSet<Vec<String>> {
        let folds = divide(&names.iter().collect(), 3, stream);
        let named = |fold: &Vec<usize>| {
            let mut fold: Vec<String> = fold.iter().map(|&task| names[task].clone()).collect();
            fold.sort();
            fold
        };
        folds.iter().map(named).collect()
    }

    #[test]
    fn a_division_depends_on_names_and_not_on_their_order() {
        let names: Vec<String> = (0..50).map(|task| format!("post {task}")).collect();
        let reversed: Vec<String> = names.iter().rev().cloned().collect();
        let stream = Stream::new(4);
        let folds = by_name(&names, &stream);
        assert_eq!(folds.iter().map(Vec::len).sum::<usize>(), 50);
        assert!(folds.iter().all(|fold| (16..=17).contains(&fold.len())));
        assert_eq!(folds, by_name(&reversed, &stream));
        assert_ne!(folds, by_name(&names, &stream.nth(1)));
    }
}
