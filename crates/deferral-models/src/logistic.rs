//! Logistic and softmax regression on sparse features, by L-BFGS. `dense_logistic` has the same for dense ones.

use deferral_core::{
    CaseWeights, Columns, Context, FitError, FitStatus, Label, ParameterError, PolicyError, Probabilities,
    SparseFeatures,
};
use serde::{Deserialize, Serialize};

use crate::cross_entropy::{CrossEntropy, Targets, class_probabilities, cross_entropy};
use crate::lbfgs::Lbfgs;

/// L2-regularised logistic (two classes) or softmax regression.
///
/// Minimises `sum_i w_i CE(y_i, f(x_i)) + |W|^2 / (2 strength)`, the intercept free: the parametrisation in which
/// `strength` is the inverse of regularisation. O(entries x K) an iteration, never n x d.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logistic {
    /// Inverse of the regularisation, above 0; 10 by default, which suits cases of unit norm such as n-grams. Larger
    /// fits closer.
    pub strength: f64,
    /// When to stop.
    pub solver: Lbfgs,
}

impl Default for Logistic {
    fn default() -> Self {
        Self { strength: 10.0, solver: Lbfgs { tolerance: 1e-4, ..Lbfgs::default() } }
    }
}

/// A fitted [`Logistic`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FittedLogistic {
    dim: usize,
    classes: usize,
    /// Scores x d, a feature's scores contiguous, then the intercepts.
    parameters: Vec<f64>,
    status: FitStatus,
}

impl Logistic {
    /// Fits to the labels `0..classes` of all cases.
    ///
    /// # Errors
    /// [`FitError`] if the strength is out of range, lengths differ, there is no case, or the observer cancels.
    ///
    /// ```
    /// use deferral_core::{CaseWeights, Context, Label, Silent, SparseFeatures, Stream};
    /// use deferral_models::Logistic;
    /// let mut features = SparseFeatures::new(2);
    /// for i in 0..20 { features.push(&[(i % 2, 1.0)])?; }
    /// let labels: Vec<Label> = (0..20).map(|i| Label(i % 2)).collect();
    /// let mut silent = Silent;
    /// let mut ctx = Context::new(Stream::new(1), &mut silent);
    /// let fitted = Logistic::default().fit(&features, &labels, 2, &CaseWeights::uniform(20), &mut ctx)?;
    /// assert!(fitted.classify(&features)?.column(1)[1] > 0.8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fit(
        &self,
        features: &SparseFeatures,
        labels: &[Label],
        classes: usize,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
    ) -> Result<FittedLogistic, FitError> {
        if let Some(label) = labels.iter().find(|label| label.index() >= classes) {
            return Err(ParameterError::new("a label", label.0, format!("below the {classes} classes")).into());
        }
        if labels.len() != features.n() {
            return Err(FitError::Weights { found: labels.len(), expected: features.n() });
        }
        let targets = Targets::labels(classes);
        self.minimise(features, classes, |case| targets.of(labels[case]), weights, None, ctx)
    }

    /// Fits to a distribution over the classes for each case, as EM has them, starting from `start` if there is one.
    ///
    /// # Errors
    /// As [`Logistic::fit`]; also if `start` is of other features or classes.
    pub fn fit_soft(
        &self,
        features: &SparseFeatures,
        targets: &Probabilities,
        weights: &CaseWeights,
        start: Option<&FittedLogistic>,
        ctx: &mut Context<'_>,
    ) -> Result<FittedLogistic, FitError> {
        if targets.n() != features.n() {
            return Err(FitError::Weights { found: targets.n(), expected: features.n() });
        }
        if let Some(start) = start.filter(|s| (s.dim, s.classes) != (features.dim(), targets.rows())) {
            let expected = format!("{} features and {} classes", features.dim(), targets.rows());
            return Err(ParameterError::new("the model to start from", start.dim, expected).into());
        }
        self.minimise(features, targets.rows(), |case| targets.column(case), weights, start, ctx)
    }

    pub(crate) fn check(&self, classes: usize) -> Result<(), ParameterError> {
        let ok = self.strength > 0.0 && self.strength.is_finite();
        ParameterError::check(ok, "the strength of the logistic model", self.strength, "a finite number above 0")?;
        ParameterError::check(classes >= 2, "the number of classes", classes, "2 or more")
    }

    fn minimise<'t>(
        &self,
        features: &SparseFeatures,
        classes: usize,
        target: impl Fn(usize) -> &'t [f64],
        weights: &CaseWeights,
        start: Option<&FittedLogistic>,
        ctx: &mut Context<'_>,
    ) -> Result<FittedLogistic, FitError> {
        self.check(classes)?;
        let n = features.n();
        if n == 0 {
            return Err(FitError::NoCases);
        }
        if weights.n() != n {
            return Err(FitError::Weights { found: weights.n(), expected: n });
        }
        let scores = CrossEntropy::outputs(classes);
        let penalised = scores * features.dim();
        let mut parameters = start.map_or_else(|| vec![0.0; penalised + scores], |start| start.parameters.clone());
        // Dividing by n keeps gradient and tolerance on one scale for any number of cases.
        let share = 1.0 / n as f64;
        let mut row = vec![0.0; scores];
        let mut row_gradient = vec![0.0; scores];
        let mut room = Vec::new();
        let status = self.solver.minimise(
            &mut parameters,
            |point, gradient| {
                gradient.fill(0.0);
                let mut loss = 0.0;
                for (case, &weight) in weights.values().iter().enumerate() {
                    if weight == 0.0 {
                        continue;
                    }
                    score(point, penalised, features.case(case), &mut row);
                    row_gradient.fill(0.0);
                    loss += cross_entropy(target(case), &row, &mut row_gradient, weight * share, &mut room);
                    for &(feature, value) in features.case(case) {
                        let at = feature as usize * scores;
                        for (g, r) in gradient[at..at + scores].iter_mut().zip(&row_gradient) {
                            *g += f64::from(value) * r;
                        }
                    }
                    for (g, r) in gradient[penalised..].iter_mut().zip(&row_gradient) {
                        *g += r;
                    }
                }
                loss + add_penalty(point, gradient, penalised, share / self.strength)
            },
            ctx,
        )?;
        Ok(FittedLogistic { dim: features.dim(), classes, parameters, status })
    }
}

/// Adds the slope of the pull of the first `penalised` parameters towards 0 and returns what it costs.
pub(crate) fn add_penalty(point: &[f64], gradient: &mut [f64], penalised: usize, pull: f64) -> f64 {
    let mut penalty = 0.0;
    for (g, w) in gradient[..penalised].iter_mut().zip(point) {
        *g += pull * w;
        penalty += 0.5 * pull * w * w;
    }
    penalty
}

/// The scores of one case: intercepts plus weights times features.
fn score(parameters: &[f64], penalised: usize, entries: &[(u32, f32)], scores: &mut [f64]) {
    scores.copy_from_slice(&parameters[penalised..]);
    let width = scores.len();
    for &(feature, value) in entries {
        let at = feature as usize * width;
        for (s, w) in scores.iter_mut().zip(&parameters[at..at + width]) {
            *s += f64::from(value) * w;
        }
    }
}

impl FittedLogistic {
    pub(crate) fn new(dim: usize, classes: usize, parameters: Vec<f64>, status: FitStatus) -> Self {
        Self { dim, classes, parameters, status }
    }

    pub(crate) fn parameters(&self) -> &[f64] {
        &self.parameters
    }

    /// How the fit ended.
    pub fn status(&self) -> FitStatus {
        self.status
    }

    /// Number of classes, K.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of features.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The distribution over the classes for each case: K x n. O(entries x K).
    ///
    /// # Errors
    /// [`PolicyError::Dimension`] if the cases have another number of features.
    pub fn classify(&self, features: &SparseFeatures) -> Result<Probabilities, PolicyError> {
        if features.dim() != self.dim {
            return Err(PolicyError::Dimension { expected: self.dim, found: features.dim() });
        }
        let width = CrossEntropy::outputs(self.classes);
        let mut scores = vec![0.0; width];
        let mut probabilities = Columns::zeros(self.classes, features.n());
        for case in 0..features.n() {
            score(&self.parameters, width * self.dim, features.case(case), &mut scores);
            class_probabilities(&scores, probabilities.column_mut(case));
        }
        Ok(Probabilities(probabilities))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Silent, Stream};

    fn fit(classes: usize, strength: f64) -> (FittedLogistic, SparseFeatures, Vec<Label>) {
        let mut features = SparseFeatures::new(4);
        let mut labels = Vec::new();
        for i in 0..60u32 {
            let label = i % classes as u32;
            let noise = i.wrapping_mul(2_654_435_761) as f32 / u32::MAX as f32;
            features.push(&[(label, 1.0), (3, noise)]).unwrap();
            labels.push(Label(if i % 10 == 9 { 0 } else { label as u16 }));
        }
        let mut silent = Silent;
        let mut ctx = Context::new(Stream::new(1), &mut silent);
        let model = Logistic { strength, ..Logistic::default() };
        let fitted = model.fit(&features, &labels, classes, &CaseWeights::uniform(60), &mut ctx).unwrap();
        (fitted, features, labels)
    }

    #[test]
    fn learns_two_and_three_classes() {
        for classes in [2, 3] {
            let (fitted, features, labels) = fit(classes, 10.0);
            let p = fitted.classify(&features).unwrap();
            let right = (0..60).filter(|&i| deferral_core::argmax(p.column(i)) == labels[i].index()).count();
            assert!(right >= 54, "{right}");
            assert!(p.iter().all(|column| (column.iter().sum::<f64>() - 1.0).abs() < 1e-12));
            assert_eq!(fitted.status(), FitStatus::Converged);
        }
    }

    #[test]
    fn regularisation_shrinks() {
        let size = |strength| {
            let (fitted, ..) = fit(2, strength);
            fitted.parameters[..4].iter().map(|w| w * w).sum::<f64>()
        };
        assert!(size(0.01) < 0.1 * size(10.0));
    }

    #[test]
    fn other_features_are_refused() {
        let (fitted, ..) = fit(2, 1.0);
        let error = fitted.classify(&SparseFeatures::new(3)).unwrap_err();
        assert_eq!(error.to_string(), "the policy was fitted on 4 features, but these cases have 3");
    }
}
