//! Learners that choose among fixed models, so that every game is solved exactly.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub, reason = "helpers of tests")]

use deferral_core::*;
use serde::{Deserialize, Serialize};

/// A linear model of the features: says 1 where `w . x` is above `threshold`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    pub w: Vec<f64>,
    pub threshold: f64,
}

impl Policy for Linear {
    fn experts(&self) -> usize {
        0
    }
    fn classes(&self) -> usize {
        2
    }
    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        let features = cases.features().as_dense().ok_or(PolicyError::Kind { expected: "dense" })?;
        let says = |x: &[f64]| {
            let one = self.w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() > self.threshold;
            if one { [0.0, 1.0] } else { [1.0, 0.0] }
        };
        Ok(Probabilities(Columns::from_values(2, features.iter().flat_map(says).collect())))
    }
    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        Ok(Weights(Columns::repeat(&[1.0], cases.n())))
    }
}

/// Picks the model with the smallest weighted share of errors, the first on ties.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice(pub Vec<Linear>);

impl Choice {
    /// Every threshold between values of the only feature, in both directions, and the constants.
    pub fn thresholds(data: &Dataset) -> Self {
        let mut values = data.cases().features().as_dense().unwrap().values().to_vec();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let cuts: Vec<f64> = [values[0] - 1.0]
            .into_iter()
            .chain(values.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])))
            .collect();
        let both = |cut: &f64| [Linear { w: vec![1.0], threshold: *cut }, Linear { w: vec![-1.0], threshold: -cut }];
        Self(cuts.iter().flat_map(both).collect())
    }
}

impl Learner for Choice {
    type Policy = Linear;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, _: &mut Context<'_>) -> Result<Linear, FitError> {
        let gold = data.gold()?;
        let mut best: Option<(f64, &Linear)> = None;
        for model in &self.0 {
            let says = model.classify(data.cases())?;
            let wrong = says.iter().zip(&gold).zip(weights.values());
            let loss = wrong.map(|((says, y), w)| w * (1.0 - says[y.index()])).sum::<f64>();
            // Equal up to rounding counts as equal.
            if best.is_none_or(|(least, _)| loss < least - 1e-12) {
                best = Some((loss, model));
            }
        }
        Ok(best.ok_or(FitError::NoCases)?.1.clone())
    }
}

/// Cases with a label 0 or 1 and a group, without experts.
pub fn dataset(features: Columns, labels: &[u16], groups: &[&str]) -> Dataset {
    let n = labels.len();
    let cases = Cases::new(Names::numbered("case", n), Features::dense(features).unwrap()).unwrap();
    let cases = cases.with_group(GroupAttribute::from_values("group", groups)).unwrap();
    let cases = cases.with_labels(labels.iter().map(|y| Some(Label(*y))).collect()).unwrap();
    Dataset::new(cases, Decisions::none(n, 0), Names::numbered("", 2), Names::new()).unwrap()
}

/// Two linear models, of which the first errs on 1 in 10 of group a and 5 in 10 of group b, the second on 4 and 2; with
/// `a` and `b` tens of cases.
pub fn two_models(a: usize, b: usize) -> (Dataset, Choice) {
    let (mut features, mut labels, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..10 * (a + b) {
        let (group, errors) = if i < 10 * a { ("a", [1, 4]) } else { ("b", [5, 2]) };
        let label = (i % 2) as u16;
        let truth = 2.0 * f64::from(label) - 1.0;
        features.extend(errors.map(|wrong| if i % 10 < wrong { -truth } else { truth }));
        labels.push(label);
        groups.push(group);
    }
    let models = [[1.0, 0.0], [0.0, 1.0]].map(|w| Linear { w: w.to_vec(), threshold: 0.0 });
    (dataset(Columns::from_values(2, features), &labels, &groups), Choice(models.to_vec()))
}

/// Runs `with` in a context of its own and gives its result with all notes.
pub fn noted<T>(with: impl FnOnce(&mut Context<'_>) -> T) -> (T, Vec<String>) {
    let mut history = History::default();
    let result = with(&mut Context::new(Stream::new(1), &mut history));
    let note = |event| if let Event::Note(note) = event { Some(note) } else { None };
    (result, history.0.into_iter().filter_map(note).collect())
}
