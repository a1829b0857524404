//! Logistic and softmax regression on dense features: several models of the same cases share every pass over them.

use std::borrow::Cow;

use deferral_core::{
    CaseWeights, Columns, Context, Event, FitError, FitStatus, Label, ParameterError, PolicyError, Probabilities,
};

use crate::cross_entropy::{CrossEntropy, Targets, class_probabilities, cross_entropy};
use crate::lbfgs::Descent;
use crate::logistic::{FittedLogistic, Logistic, add_penalty};
use crate::product::{Factor, Keep, multiply};

/// Cases that are gone through together: few enough for their features to stay in the cache, from the scores to the
/// gradient.
const BLOCK: usize = 256;

/// Some of the cases of a table, with a label each: what one of several models learns.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The cases, each at most once.
    pub cases: Vec<usize>,
    /// Their labels, in the same order.
    pub labels: Vec<Label>,
    /// How much each counts, in the same order.
    pub weights: CaseWeights,
}

impl Logistic {
    /// The same as [`Logistic::fit`] for dense features, up to rounding. O(n d K) an iteration.
    ///
    /// # Errors
    /// As [`Logistic::fit`].
    pub fn fit_dense(
        &self,
        features: &Columns,
        labels: &[Label],
        classes: usize,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
    ) -> Result<FittedLogistic, FitError> {
        if labels.len() != features.n() {
            return Err(FitError::Weights { found: labels.len(), expected: features.n() });
        }
        let part = Part { cases: (0..features.n()).collect(), labels: labels.to_vec(), weights: weights.clone() };
        self.fit_parts(features, &[part], classes, ctx)?.pop().ok_or(FitError::NoCases)
    }

    /// One model for each part of the cases, each what [`Logistic::fit_dense`] makes of its part alone, up to rounding.
    ///
    /// The searches go on side by side: where each wants to know its loss next, one pass over the features answers all.
    /// O(n d K parts) an iteration, in matrix products that are several times as fast as one model after another. The
    /// observer sees the furthest step and the mean loss.
    ///
    /// # Errors
    /// As [`Logistic::fit`], for any part, and if a part names a case that is not there.
    ///
    /// ```
    /// use deferral_core::{CaseWeights, Columns, Context, Label, Silent, Stream};
    /// use deferral_models::{Logistic, Part};
    /// let features = Columns::from_values(1, vec![-2.0, -1.0, 1.0, 2.0]);
    /// let part = |cases: [usize; 2], labels: [u16; 2]| Part {
    ///     cases: cases.into(),
    ///     labels: labels.map(Label).into(),
    ///     weights: CaseWeights::uniform(2),
    /// };
    /// let parts = [part([0, 3], [0, 1]), part([1, 2], [1, 0])];
    /// let mut silent = Silent;
    /// let models = Logistic::default().fit_parts(&features, &parts, 2, &mut Context::new(Stream::new(1), &mut silent))?;
    /// let of_last: Vec<f64> = models.iter().map(|m| Ok(m.classify_dense(&features)?.column(3)[1]))
    ///     .collect::<Result<_, deferral_core::PolicyError>>()?;
    /// assert!(of_last[0] > 0.9 && of_last[1] < 0.1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fit_parts(
        &self,
        features: &Columns,
        parts: &[Part],
        classes: usize,
        ctx: &mut Context<'_>,
    ) -> Result<Vec<FittedLogistic>, FitError> {
        self.check(classes)?;
        let tasks = parts.iter().map(|part| Task::new(part, features.n(), classes)).collect::<Result<Vec<_>, _>>()?;
        let width = CrossEntropy::outputs(classes);
        let start = vec![0.0; width * (features.rows() + 1)];
        let mut descents: Vec<Descent> = parts.iter().map(|_| Descent::new(self.solver, start.clone())).collect();
        let features = within_single(features);
        let passes = Passes { features: &features, targets: Targets::labels(classes), width, strength: self.strength };
        let steps = |descents: &[Descent]| descents.iter().map(Descent::steps).max().unwrap_or(0);
        while descents.iter().any(|descent| descent.status().is_none()) {
            let before = steps(&descents);
            passes.follow(&mut descents, &tasks);
            let step = steps(&descents);
            if step > before {
                let loss = descents.iter().map(Descent::value).sum::<f64>() / descents.len() as f64;
                ctx.report(&Event::Step { step, of: self.solver.iterations, loss })?;
            }
        }
        let statuses: Vec<FitStatus> = descents.iter().filter_map(Descent::status).collect();
        let worst = statuses.iter().copied().find(|status| *status != FitStatus::Converged);
        ctx.report(&Event::Finished(worst.unwrap_or(FitStatus::Converged)))?;
        let fitted = |(descent, status): (Descent, FitStatus)| {
            FittedLogistic::new(features.rows(), classes, descent.into_point(), status)
        };
        Ok(descents.into_iter().zip(statuses).map(fitted).collect())
    }
}

/// What one model learns, laid out over all cases of the table.
struct Task {
    labels: Vec<Label>,
    /// How much each case counts in the mean loss; 0 outside the part.
    weights: Vec<f64>,
    /// 1 / cases of the part: keeps gradient and tolerance on one scale for any number of cases.
    share: f64,
}

impl Task {
    fn new(part: &Part, n: usize, classes: usize) -> Result<Self, FitError> {
        let size = part.cases.len();
        if size == 0 {
            return Err(FitError::NoCases);
        }
        for found in [part.labels.len(), part.weights.n()] {
            if found != size {
                return Err(FitError::Weights { found, expected: size });
            }
        }
        if let Some(label) = part.labels.iter().find(|label| label.index() >= classes) {
            return Err(ParameterError::new("a label", label.0, format!("below the {classes} classes")).into());
        }
        if let Some(case) = part.cases.iter().find(|case| **case >= n) {
            return Err(ParameterError::new("a case", case, format!("below the {n} cases there are")).into());
        }
        let share = 1.0 / size as f64;
        let (mut labels, mut weights) = (vec![Label::default(); n], vec![0.0; n]);
        for ((&case, &label), &weight) in part.cases.iter().zip(&part.labels).zip(part.weights.values()) {
            (labels[case], weights[case]) = (label, weight * share);
        }
        Ok(Self { labels, weights, share })
    }
}

/// Passes over the features of all cases.
struct Passes<'a> {
    features: &'a Columns,
    targets: Targets,
    /// Scores of a model.
    width: usize,
    strength: f64,
}

impl Passes<'_> {
    /// Answers all searches that are not over.
    fn follow(&self, descents: &mut [Descent], tasks: &[Task]) {
        let (mut open, tasks): (Vec<&mut Descent>, Vec<&Task>) =
            descents.iter_mut().zip(tasks).filter(|(descent, _)| descent.status().is_none()).unzip();
        let points: Vec<&[f64]> = open.iter().map(|descent| descent.trial()).collect();
        let (losses, slopes) = self.losses(&points, &tasks);
        let (width, rows) = (self.width, self.width * tasks.len());
        for (at, (descent, task)) in open.iter_mut().zip(&tasks).enumerate() {
            descent.follow(|point, gradient| {
                let own = slopes.chunks_exact(rows).map(|row| &row[at * width..(at + 1) * width]);
                gradient.chunks_exact_mut(width).zip(own).for_each(|(to, from)| to.copy_from_slice(from));
                let pull = task.share / self.strength;
                losses[at] + add_penalty(point, gradient, point.len() - width, pull)
            });
        }
    }

    /// The mean loss of each model, and the slopes in all parameters: those of all models in one feature, then in the
    /// next, those in the intercepts last.
    fn losses(&self, points: &[&[f64]], tasks: &[&Task]) -> (Vec<f64>, Vec<f64>) {
        let (d, width, rows) = (self.features.rows(), self.width, self.width * tasks.len());
        let parameters = beside_each_other(points, width);
        let (weights, intercepts) = parameters.split_at(rows * d);
        let weights = Factor::new(weights, rows, d);
        let mut slopes = vec![0.0; rows * (d + 1)];
        let (of_weights, of_intercepts) = slopes.split_at_mut(rows * d);
        let mut losses = vec![0.0; tasks.len()];
        let (mut scores, mut residuals) = (vec![0.0; rows * BLOCK], vec![0.0; rows * BLOCK]);
        let mut room = Vec::new();
        for (block, values) in self.features.values().chunks(d * BLOCK).enumerate() {
            let n = values.len() / d;
            let (scores, residuals) = (&mut scores[..rows * n], &mut residuals[..rows * n]);
            scores.chunks_exact_mut(rows).for_each(|column| column.copy_from_slice(intercepts));
            let features = Factor::new(values, d, n);
            multiply(scores, weights, features, Keep::Sum);
            residuals.fill(0.0);
            for (place, (scores, residuals)) in
                scores.chunks_exact(rows).zip(residuals.chunks_exact_mut(rows)).enumerate()
            {
                let case = block * BLOCK + place;
                let models = scores.chunks_exact(width).zip(residuals.chunks_exact_mut(width)).zip(tasks);
                for (((scores, residuals), task), loss) in models.zip(&mut losses) {
                    let weight = task.weights[case];
                    if weight > 0.0 {
                        let target = self.targets.of(task.labels[case]);
                        *loss += cross_entropy(target, scores, residuals, weight, &mut room);
                    }
                }
                of_intercepts.iter_mut().zip(&*residuals).for_each(|(sum, residual)| *sum += residual);
            }
            multiply(of_weights, Factor::new(residuals, rows, n), features.transposed(), Keep::Sum);
        }
        (losses, slopes)
    }
}

/// The parameters of all models, those of one feature together.
fn beside_each_other(points: &[&[f64]], width: usize) -> Vec<f64> {
    let features = points.first().map_or(0, |point| point.len() / width);
    let of_feature = |at: usize| points.iter().flat_map(move |point| &point[at * width..(at + 1) * width]);
    (0..features).flat_map(of_feature).copied().collect()
}

/// Finite values beyond single precision are taken as its largest, as sparse features have them.
fn within_single(features: &Columns) -> Cow<'_, Columns> {
    let limit = f64::from(f32::MAX);
    if features.values().iter().all(|value| value.abs() <= limit) {
        return Cow::Borrowed(features);
    }
    let mut cut = features.clone();
    cut.values_mut().iter_mut().for_each(|value| *value = value.clamp(-limit, limit));
    Cow::Owned(cut)
}

impl FittedLogistic {
    /// The same as [`FittedLogistic::classify`] for dense features: K x n. O(n d K).
    ///
    /// # Errors
    /// [`PolicyError::Dimension`] if the cases have another number of features.
    pub fn classify_dense(&self, features: &Columns) -> Result<Probabilities, PolicyError> {
        let d = self.dim();
        if features.rows() != d {
            return Err(PolicyError::Dimension { expected: d, found: features.rows() });
        }
        let features = within_single(features);
        let width = CrossEntropy::outputs(self.classes());
        let (weights, intercepts) = self.parameters().split_at(width * d);
        let mut scores = intercepts.repeat(features.n());
        multiply(
            &mut scores,
            Factor::new(weights, width, d),
            Factor::new(features.values(), d, features.n()),
            Keep::Sum,
        );
        let mut probabilities = Columns::zeros(self.classes(), features.n());
        for (case, scores) in scores.chunks_exact(width).enumerate() {
            class_probabilities(scores, probabilities.column_mut(case));
        }
        Ok(Probabilities(probabilities))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classifier::sparse_of;
    use deferral_core::{History, Silent, Stream};

    /// More than two blocks of cases with labels that features explain in part, and how much each counts.
    fn table(classes: usize) -> (Columns, Vec<Label>, CaseWeights) {
        let n = 2 * BLOCK + 37;
        // Quarters are the same in single precision.
        let value = |at: usize| f64::from(((at * 7919 + at / 6) % 23) as u8) / 4.0 - 2.75;
        let features = Columns::from_values(6, (0..6 * n).map(value).collect());
        let label = |column: &[f64]| Label::at(((column[0] + 0.5 * column[1] - column[3]).abs() as usize) % classes);
        let labels = features.iter().map(label).collect();
        (features, labels, CaseWeights::new((0..n).map(|case| [0.5, 1.0, 0.0, 2.0][case % 4]).collect()).unwrap())
    }

    /// Ever smaller parts of the table, each with labels of its own.
    fn parts(labels: &[Label], weights: &CaseWeights, count: usize) -> Vec<Part> {
        let part = |at: usize| {
            let cases: Vec<usize> = (0..labels.len()).filter(|case| case % (at + 2) != 0).collect();
            let own = |case: &usize| if case % 11 < at { Label(1) } else { labels[*case] };
            let weights = cases.iter().map(|case| weights.values()[*case]).collect();
            Part { labels: cases.iter().map(own).collect(), weights: CaseWeights::new(weights).unwrap(), cases }
        };
        (0..count).map(part).collect()
    }

    fn with_context<T>(run: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let mut silent = Silent;
        run(&mut Context::new(Stream::new(1), &mut silent))
    }

    fn assert_near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        let away = found.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f64::max);
        assert!(away < 1e-9, "{away}");
    }

    #[test]
    fn dense_and_sparse_features_give_the_same_model() {
        for classes in [2, 3, 7] {
            let (features, labels, weights) = table(classes);
            let model = Logistic::default();
            let sparse = sparse_of(&features);
            let expected = with_context(|ctx| model.fit(&sparse, &labels, classes, &weights, ctx)).unwrap();
            let found = with_context(|ctx| model.fit_dense(&features, &labels, classes, &weights, ctx)).unwrap();
            assert_near(found.parameters(), expected.parameters());
            assert_eq!(found.status(), expected.status());
            let (said, expected) = (found.classify_dense(&features).unwrap(), expected.classify(&sparse).unwrap());
            assert_near(said.values(), expected.values());
        }
    }

    #[test]
    fn models_that_are_fitted_together_are_those_fitted_alone() {
        for (classes, count) in [(2, 1), (2, 3), (2, 9), (3, 4)] {
            let (features, labels, weights) = table(classes);
            let (model, parts) = (Logistic { strength: 1.0, ..Logistic::default() }, parts(&labels, &weights, count));
            let together = with_context(|ctx| model.fit_parts(&features, &parts, classes, ctx)).unwrap();
            for (part, found) in parts.iter().zip(together) {
                let own = features.select(&part.cases);
                let alone =
                    with_context(|ctx| model.fit(&sparse_of(&own), &part.labels, classes, &part.weights, ctx)).unwrap();
                assert_near(found.parameters(), alone.parameters());
                assert_eq!(found.status(), alone.status());
            }
        }
    }

    #[test]
    fn slopes_match_central_differences() {
        for classes in [2, 3] {
            let (features, labels, weights) = table(classes);
            let width = CrossEntropy::outputs(classes);
            let passes = Passes { features: &features, targets: Targets::labels(classes), width, strength: 1.0 };
            let tasks: Vec<Task> = parts(&labels, &weights, 2)
                .iter()
                .map(|part| Task::new(part, features.n(), classes).unwrap())
                .collect();
            let tasks: Vec<&Task> = tasks.iter().collect();
            let mut points = vec![vec![0.0; 7 * width]; 2];
            for (at, value) in points.iter_mut().flatten().enumerate() {
                *value = f64::from((at * 37 % 11) as u8) / 20.0 - 0.25;
            }
            let losses = |points: &[Vec<f64>]| {
                let points: Vec<&[f64]> = points.iter().map(Vec::as_slice).collect();
                passes.losses(&points, &tasks)
            };
            let (_, slopes) = losses(&points);
            for (model, at) in (0..2).flat_map(|model| (0..7 * width).map(move |at| (model, at))) {
                let (h, old) = (1e-6, points[model][at]);
                points[model][at] = old + h;
                let up = losses(&points).0[model];
                points[model][at] = old - h;
                let down = losses(&points).0[model];
                points[model][at] = old;
                let numeric = (up - down) / (2.0 * h);
                let computed = slopes[(at / width) * 2 * width + model * width + at % width];
                assert!((numeric - computed).abs() <= 1e-6 * numeric.abs().max(1.0), "{numeric} {computed}");
            }
        }
    }

    #[test]
    fn the_observer_sees_one_model_as_on_sparse_features() {
        let (features, labels, weights) = table(2);
        let history = |dense: bool| {
            let mut history = History::default();
            let ctx = &mut Context::new(Stream::new(1), &mut history);
            let fitted = if dense {
                Logistic::default().fit_dense(&features, &labels, 2, &weights, ctx)
            } else {
                Logistic::default().fit(&sparse_of(&features), &labels, 2, &weights, ctx)
            };
            assert_eq!(fitted.unwrap().status(), FitStatus::Converged);
            history.0
        };
        let (dense, sparse) = (history(true), history(false));
        assert!(dense.len() > 3 && dense.len() == sparse.len());
        assert_eq!(dense.last(), Some(&Event::Finished(FitStatus::Converged)));
        let step = |event: &Event| if let Event::Step { step, .. } = event { *step } else { 0 };
        assert!(dense.iter().map(step).eq(sparse.iter().map(step)));
    }

    #[test]
    fn values_beyond_single_precision_are_its_largest() {
        let features = Columns::from_values(2, vec![-1.0, 1.0, 1.0, -1.0]);
        let (labels, weights) = ([0, 1].map(Label), CaseWeights::uniform(2));
        let model = Logistic { strength: 1e4, ..Logistic::default() };
        let fitted = with_context(|ctx| model.fit_dense(&features, &labels, 2, &weights, ctx)).unwrap();
        // Weights above 1, as these are, would take the largest numbers to infinity minus infinity.
        assert!(fitted.parameters()[0] > 1.0 && fitted.parameters()[1] < -1.0);
        let said = fitted.classify_dense(&Columns::repeat(&[f64::MAX; 2], 1)).unwrap();
        assert!((said.column(0)[0] + said.column(0)[1] - 1.0).abs() < 1e-12, "{said:?}");
        let huge = Columns::from_values(2, features.values().iter().map(|value| 1e300 * value).collect());
        let fitted = with_context(|ctx| model.fit_dense(&huge, &labels, 2, &weights, ctx)).unwrap();
        assert!(fitted.parameters().iter().all(|value| value.is_finite()));
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let (features, labels, weights) = table(2);
        let good = parts(&labels, &weights, 1).remove(0);
        let message = |change: &dyn Fn(&mut Part), strength: f64| {
            let mut bad = good.clone();
            change(&mut bad);
            let model = Logistic { strength, ..Logistic::default() };
            with_context(|ctx| model.fit_parts(&features, &[good.clone(), bad], 2, ctx)).unwrap_err().to_string()
        };
        assert_eq!(
            message(&|part| part.cases[0] = 549, 1.0),
            "a case is 549, but must be below the 549 cases there are"
        );
        assert_eq!(message(&|part| part.labels[3] = Label(2), 1.0), "a label is 2, but must be below the 2 classes");
        assert_eq!(
            message(&|part| part.weights = CaseWeights::uniform(3), 1.0),
            "there are 3 case weights for 274 cases"
        );
        assert_eq!(message(&|part| part.cases.clear(), 1.0), "there is no case to learn from");
        assert!(message(&|_| (), 0.0).starts_with("the strength of the logistic model is 0"));
        let other = Columns::zeros(3, 2);
        let fitted =
            with_context(|ctx| Logistic::default().fit_parts(&features, std::slice::from_ref(&good), 2, ctx)).unwrap();
        let error = fitted[0].classify_dense(&other).unwrap_err();
        assert_eq!(error.to_string(), "the policy was fitted on 6 features, but these cases have 3");
    }
}
