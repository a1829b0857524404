//! One model of errors a worker.

use deferral_core::{
    CaseId, CaseWeights, Cases, Columns, Context, Dataset, Decisions, ExpertId, Features, FitError, Label, Learner,
    Names, ParameterError, Policy, PolicyError, Silent, Stream,
};
use deferral_models::{Classifier, ClassifierPolicy, Logistic, Part};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::team::Team;
use super::neighbours::Neighbours;

/// With fewer answers than this a worker's model is mixed with their mean error, in proportion.
const FEW: f64 = 10.0;

/// The label of a mistake, in tables of who was wrong where.
pub(super) const WRONG: Label = Label(1);

/// How the error of a worker on a case is predicted from the cases that they answered.
///
/// The mean error of a worker is `(wrong + 2 pooled) / (n + 2)`, where `pooled` is that of all workers together, and so
/// the error of one who answered nothing. With n < 10 answers the prediction is `n/10` of the model's and the rest the
/// mean; without features it is the mean. All of it, with the defaults, is a guess: the paper's models are not known
/// here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ErrorModel {
    /// A classifier for each worker that tells their mistakes from their right answers by the features. One training a
    /// worker, of as many cases as they answered; O(m d) memory for linear models.
    Classifier(Classifier),
    /// The share of mistakes on the k nearest (Euclidean) of the cases that the worker answered, the earlier case on
    /// ties, with the mean error as one more answer. The policy keeps all training cases; O(n d + n) for each case it
    /// judges.
    Neighbours {
        /// Number of neighbours, 1 or more. 25 is a good start.
        k: usize,
    },
    /// The share of mistakes, where every answer counts `decay` times as much as the worker's next one (time is the
    /// order of the training cases), with the mean error as one more answer. The same for all cases: for workers who
    /// change.
    Recent {
        /// In (0, 1]. 0.95 looks back on about 20 answers.
        decay: f64,
    },
}

impl Default for ErrorModel {
    /// Logistic regression of strength 1, a guess.
    fn default() -> Self {
        Self::Classifier(Classifier::Logistic(Logistic { strength: 1.0, ..Logistic::default() }))
    }
}

impl ErrorModel {
    pub(super) fn check(&self) -> Result<(), ParameterError> {
        match *self {
            Self::Classifier(_) => Ok(()),
            Self::Neighbours { k } => ParameterError::check(k > 0, "the number of neighbours", k, "1 or more"),
            Self::Recent { decay } => {
                ParameterError::check(decay > 0.0 && decay <= 1.0, "the decay", decay, "above 0 and at most 1")
            }
        }
    }
}

/// How likely each of m + 1 workers errs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct WorkerErrors {
    means: Vec<f64>,
    /// How much of the model's prediction is believed, for each worker.
    trust: Vec<f64>,
    /// Number of features.
    dim: usize,
    model: Model,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Model {
    /// The same error on every case.
    Rates(Vec<f64>),
    /// None where a worker was always right or always wrong.
    Classifiers(Vec<Option<ClassifierPolicy>>),
    Neighbours(Box<Neighbours>),
}

impl WorkerErrors {
    pub(super) fn fit(
        model: &ErrorModel,
        team: &Team,
        cases: &Cases,
        weights: &CaseWeights,
        stream: &Stream,
    ) -> Result<Self, FitError> {
        let mistakes = mistakes(team)?;
        let means = means(&mistakes, weights);
        let answers = |worker| mistakes.of_expert(ExpertId::at(worker)).len() as f64;
        let trust = (0..means.len()).map(|worker| (answers(worker) / FEW).min(1.0)).collect();
        let model = match *model {
            ErrorModel::Recent { decay } => Model::Rates(recent(&mistakes, weights, &means, decay)),
            _ if cases.dim() == 0 => Model::Rates(means.clone()),
            ErrorModel::Neighbours { k } => Model::Neighbours(Box::new(Neighbours::new(k, cases, mistakes, weights))),
            ErrorModel::Classifier(ref classifier) => {
                Model::Classifiers(classifiers(classifier, &mistakes, cases, weights, stream)?)
            }
        };
        Ok(Self { means, trust, dim: cases.dim(), model })
    }

    /// (m+1) x n.
    pub(super) fn predict(&self, cases: &Cases) -> Result<Columns, PolicyError> {
        if cases.dim() != self.dim {
            return Err(PolicyError::Dimension { expected: self.dim, found: cases.dim() });
        }
        let mut errors = match &self.model {
            Model::Rates(rates) => Columns::repeat(rates, cases.n()),
            Model::Neighbours(neighbours) => neighbours.errors(cases.features(), &self.means)?,
            Model::Classifiers(models) => {
                let mut errors = Columns::repeat(&self.means, cases.n());
                let rows: Vec<_> =
                    models.par_iter().map(|model| model.as_ref().map(|m| m.classify(cases)).transpose()).collect();
                for (worker, row) in rows.into_iter().enumerate() {
                    for (case, belief) in row?.iter().flat_map(|beliefs| beliefs.iter()).enumerate() {
                        errors.column_mut(case)[worker] = belief[WRONG.index()];
                    }
                }
                errors
            }
        };
        for case in 0..cases.n() {
            for ((error, mean), trust) in errors.column_mut(case).iter_mut().zip(&self.means).zip(&self.trust) {
                *error = trust * *error + (1.0 - trust) * mean;
            }
        }
        Ok(errors)
    }
}

/// The same decisions with label [`WRONG`] for those that differ from the truth, and 0 for all others.
fn mistakes(team: &Team) -> Result<Decisions, FitError> {
    let decisions = &team.decisions;
    let wrong = |case: CaseId, label: Label| u16::from(label != team.gold[case.index()]);
    let triples = decisions.iter().map(|(case, vote)| (case.0, vote.expert.0, wrong(case, vote.label)));
    Decisions::from_triples(decisions.cases(), decisions.experts(), triples)
        .map_err(|error| FitError::Aggregate(error.to_string()))
}

/// Sums of the weights of a worker's mistakes and of all their answers, each multiplied by `decay` at every later
/// answer.
fn tally(mistakes: &Decisions, weights: &CaseWeights, worker: usize, decay: f64) -> (f64, f64) {
    let answers = mistakes.of_expert(ExpertId::at(worker)).iter();
    answers.fold((0.0, 0.0), |(wrong, all), (case, label)| {
        let weight = weights.values()[case.index()];
        let mistake = if label == WRONG { weight } else { 0.0 };
        (decay * wrong + mistake, decay * all + weight)
    })
}

fn means(mistakes: &Decisions, weights: &CaseWeights) -> Vec<f64> {
    let tallies: Vec<_> = (0..mistakes.experts()).map(|worker| tally(mistakes, weights, worker, 1.0)).collect();
    let (wrong, all) = tallies.iter().fold((0.0, 0.0), |(w, a), (wrong, all)| (w + wrong, a + all));
    let pooled = (wrong + 1.0) / (all + 2.0);
    tallies.iter().map(|(wrong, all)| (wrong + 2.0 * pooled) / (all + 2.0)).collect()
}

fn recent(mistakes: &Decisions, weights: &CaseWeights, means: &[f64], decay: f64) -> Vec<f64> {
    let rate = |(worker, mean): (usize, &f64)| {
        let (wrong, all) = tally(mistakes, weights, worker, decay);
        (wrong + mean) / (all + 1.0)
    };
    means.iter().enumerate().map(rate).collect()
}

/// Workers whose linear models are trained together: a row of the matrix kernel each.
const TOGETHER: usize = 8;

fn classifiers(
    classifier: &Classifier,
    mistakes: &Decisions,
    cases: &Cases,
    weights: &CaseWeights,
    stream: &Stream,
) -> Result<Vec<Option<ClassifierPolicy>>, FitError> {
    match (classifier, cases.features()) {
        (Classifier::Logistic(logistic), Features::Dense(columns)) => {
            side_by_side(logistic, mistakes, columns, weights)
        }
        _ => one_by_one(classifier, mistakes, cases, weights, stream),
    }
}

/// Linear models of the same dense features, which share the passes over them.
fn side_by_side(
    logistic: &Logistic,
    mistakes: &Decisions,
    features: &Columns,
    weights: &CaseWeights,
) -> Result<Vec<Option<ClassifierPolicy>>, FitError> {
    let part = |worker: usize| {
        let row = mistakes.of_expert(ExpertId::at(worker));
        let cases: Vec<usize> = row.ids.iter().map(|case| case.index()).collect();
        let own = cases.iter().map(|&case| weights.values()[case]).collect();
        let both = row.labels.contains(&WRONG) && row.labels.iter().any(|label| *label != WRONG);
        let weights = CaseWeights::new(own).ok().filter(|_| both)?;
        Some((worker, Part { cases, labels: row.labels.to_vec(), weights }))
    };
    let (workers, parts): (Vec<usize>, Vec<Part>) = (0..mistakes.experts()).filter_map(part).unzip();
    let groups = parts.len().div_ceil(TOGETHER).max(1);
    let silent = |parts: &[Part]| {
        let mut silent = Silent;
        logistic.fit_parts(features, parts, 2, &mut Context::new(Stream::new(0), &mut silent))
    };
    let fitted: Vec<_> = parts.par_chunks(parts.len().div_ceil(groups).max(1)).map(silent).collect();
    let mut models = vec![None; mistakes.experts()];
    let fitted = fitted.into_iter().collect::<Result<Vec<_>, _>>()?;
    for (worker, model) in workers.into_iter().zip(fitted.into_iter().flatten()) {
        models[worker] = Some(ClassifierPolicy::of_logistic(0, model));
    }
    Ok(models)
}

fn one_by_one(
    classifier: &Classifier,
    mistakes: &Decisions,
    cases: &Cases,
    weights: &CaseWeights,
    stream: &Stream,
) -> Result<Vec<Option<ClassifierPolicy>>, FitError> {
    let train = |worker: usize| {
        let row = mistakes.of_expert(ExpertId::at(worker));
        let answered: Vec<usize> = row.ids.iter().map(|case| case.index()).collect();
        let own = answered.iter().map(|&case| weights.values()[case]).collect();
        let Ok(own) = CaseWeights::new(own) else { return Ok(None) };
        let labels = row.labels.iter().copied().map(Some).collect();
        let part = cases.select(&answered).with_labels(labels)?;
        let nobody = Decisions::none(answered.len(), 0);
        let part = Dataset::new(part, nobody, ["right", "wrong"].iter().collect(), Names::new())
            .map_err(|error| FitError::Aggregate(error.to_string()))?;
        let mut silent = Silent;
        match classifier.fit(&part, &own, &mut Context::new(stream.nth(worker), &mut silent)) {
            Ok(model) => Ok(Some(model)),
            Err(FitError::SingleClass { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let models: Vec<_> = (0..mistakes.experts()).into_par_iter().map(train).collect();
    models.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worker 0 answered 20 cases and was wrong on the first 10, worker 1 answered one and was right, worker 2 none.
    fn table() -> Decisions {
        let of_first = (0..20).map(|case| (case, 0, u16::from(case < 10)));
        Decisions::from_triples(20, 3, of_first.chain([(5, 1, 0)])).unwrap()
    }

    #[test]
    fn few_answers_are_drawn_to_the_pooled_error() {
        let pooled = 11.0 / 23.0;
        let means = means(&table(), &CaseWeights::uniform(20));
        let expected = [(10.0 + 2.0 * pooled) / 22.0, 2.0 * pooled / 3.0, pooled];
        assert!(means.iter().zip(expected).all(|(mean, expected)| (mean - expected).abs() < 1e-12), "{means:?}");
    }

    #[test]
    fn the_past_fades() {
        let means = [0.5, 0.5, 0.3];
        let rates = recent(&table(), &CaseWeights::uniform(20), &means, 0.5);
        let (wrong, all) = ((10..20).map(|age| 0.5f64.powi(age)).sum::<f64>(), 2.0 - 0.5f64.powi(19));
        assert!((rates[0] - (wrong + 0.5) / (all + 1.0)).abs() < 1e-12);
        assert!((rates[1] - 0.25).abs() < 1e-12);
        assert_eq!(rates[2], 0.3);
        let unfading = recent(&table(), &CaseWeights::uniform(20), &means, 1.0);
        assert!((unfading[0] - 10.5 / 21.0).abs() < 1e-12);
    }

    #[test]
    fn a_model_of_few_answers_is_believed_in_part() {
        let model = Model::Rates(vec![0.6, 0.6]);
        let errors = WorkerErrors { means: vec![0.2, 0.2], trust: vec![0.25, 1.0], dim: 0, model };
        let cases = Cases::new(Names::numbered("case", 2), deferral_core::Features::none(2)).unwrap();
        let predicted = errors.predict(&cases).unwrap();
        assert!((predicted.column(1)[0] - 0.3).abs() < 1e-12 && predicted.column(1)[1] == 0.6);
    }

    #[test]
    fn parameters_are_checked() {
        let message = |model: ErrorModel| model.check().unwrap_err().to_string();
        assert_eq!(message(ErrorModel::Neighbours { k: 0 }), "the number of neighbours is 0, but must be 1 or more");
        assert_eq!(message(ErrorModel::Recent { decay: 0.0 }), "the decay is 0, but must be above 0 and at most 1");
        assert!(ErrorModel::Recent { decay: f64::NAN }.check().is_err());
    }
}
