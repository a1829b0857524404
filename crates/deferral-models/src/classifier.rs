//! The classifier alone: what the model can do without asking anybody.

use deferral_core::{
    CaseWeights, Cases, Columns, Context, Dataset, Features, FitError, Learner, ParameterError, Policy, PolicyError,
    Probabilities, Weights,
};
use serde::{Deserialize, Serialize};

use crate::batches::Batches;
use crate::cross_entropy::{CrossEntropy, Targets, class_probabilities};
use crate::full_batch::train_full_batch;
use crate::lbfgs::Lbfgs;
use crate::logistic::{FittedLogistic, Logistic};
use crate::network::{Init, Network, NetworkSpec};
use crate::optimiser::Optimiser;
use crate::scalar::Scalar;
use crate::training::{Inputs, Training, outputs, train};
/// The number type that networks are trained in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single, as everywhere in the field: half the time.
    #[default]
    F32,
    /// Double.
    F64,
}

/// How a classifier is learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Classifier {
    /// Regularised logistic or softmax regression, on dense or sparse features.
    Logistic(Logistic),
    /// A network with hidden layers of rectified units (none: logistic or softmax regression by gradient descent);
    /// needs dense features.
    Network {
        /// Widths of the hidden layers.
        hidden: Vec<usize>,
        /// How it is trained; early stopping is not used.
        training: Training,
        /// The number type.
        precision: Precision,
    },
    /// A small network trained on all cases at once by L-BFGS; needs dense features. Hidden widths 5 and 2 with decay
    /// 1e-5 are the "classifier only" baseline of the joint framework's released code.
    SmallNetwork {
        /// Widths of the hidden layers of rectified units.
        hidden: Vec<usize>,
        /// Pull of the weights towards 0.
        decay: f64,
        /// When to stop.
        solver: Lbfgs,
    },
}

impl Default for Classifier {
    fn default() -> Self {
        Self::Logistic(Logistic::default())
    }
}

impl Classifier {
    /// The baseline of the released code: hidden layers of 5 and 2, L-BFGS.
    pub fn published() -> Self {
        let solver = Lbfgs { iterations: 500, tolerance: 1e-4, memory: 10 };
        Self::SmallNetwork { hidden: vec![5, 2], decay: 1e-5, solver }
    }

    /// A network with the given hidden layers and plain training.
    pub fn network(hidden: &[usize], steps: usize, batch: usize, rate: f64) -> Self {
        let batches = Batches::PerStep { size: batch };
        let training = Training { steps, batches, optimiser: Optimiser::sgd(rate), stopping: None };
        Self::Network { hidden: hidden.to_vec(), training, precision: Precision::default() }
    }
}

impl Learner for Classifier {
    type Policy = ClassifierPolicy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<ClassifierPolicy, FitError> {
        let labels = data.gold()?;
        let targets = Targets::labels(data.k());
        let model = match self {
            Self::Logistic(logistic) => Model::Logistic(match data.cases().features() {
                Features::Sparse(sparse) => logistic.fit(sparse, &labels, data.k(), weights, ctx)?,
                Features::Dense(columns) => logistic.fit_dense(columns, &labels, data.k(), weights, ctx)?,
            }),
            Self::Network { hidden, training, precision } => {
                let spec = NetworkSpec::relu(dense(data)?.rows(), hidden, CrossEntropy::outputs(data.k()));
                let loss = CrossEntropy::new(labels, targets);
                match precision {
                    Precision::F32 => Model::F32(trained(&spec, data, weights, loss, training, ctx)?),
                    Precision::F64 => Model::F64(trained(&spec, data, weights, loss, training, ctx)?),
                }
            }
            Self::SmallNetwork { hidden, decay, solver } => {
                let spec = NetworkSpec {
                    init: Init::Glorot,
                    ..NetworkSpec::relu(dense(data)?.rows(), hidden, CrossEntropy::outputs(data.k()))
                };
                let mut network = Network::new(&spec, &mut ctx.stream("weights").random())?;
                let inputs = Inputs::new(dense(data)?, &network);
                let mut loss = CrossEntropy::new(labels, targets);
                train_full_batch(&mut network, &inputs, weights, &mut loss, *decay, solver, ctx)?;
                Model::F64(network)
            }
        };
        Ok(ClassifierPolicy { experts: data.m(), classes: data.k(), model })
    }
}

/// The dense features of a data set.
///
/// # Errors
/// [`FitError::NeedsDense`] says what there is instead.
pub fn dense(data: &Dataset) -> Result<&Columns, FitError> {
    match data.cases().features().as_dense() {
        Some(columns) if columns.rows() > 0 => Ok(columns),
        Some(_) => Err(FitError::NeedsDense { found: "no feature at all".to_owned() }),
        None if data.cases().dim() == 0 => Err(FitError::NeedsDense { found: "no feature at all".to_owned() }),
        None => Err(FitError::NeedsDense { found: format!("{} sparse ones", data.cases().dim()) }),
    }
}

/// Dense features with every entry stored.
pub fn sparse_of(columns: &Columns) -> deferral_core::SparseFeatures {
    let mut sparse = deferral_core::SparseFeatures::new(columns.rows());
    let mut entries = Vec::with_capacity(columns.rows());
    for column in columns.iter() {
        entries.clear();
        // Finite values beyond single precision are taken as its largest.
        let single = |value: f64| (value as f32).clamp(f32::MIN, f32::MAX);
        entries.extend(column.iter().enumerate().map(|(row, &value)| (row as u32, single(value))));
        // Finite entries inside the dimensions are never refused.
        let accepted = sparse.push(&entries);
        debug_assert!(accepted.is_ok());
    }
    sparse
}

fn trained<S: Scalar>(
    spec: &NetworkSpec,
    data: &Dataset,
    weights: &CaseWeights,
    mut loss: CrossEntropy,
    training: &Training,
    ctx: &mut Context<'_>,
) -> Result<Network<S>, FitError> {
    let mut network = Network::new(spec, &mut ctx.stream("weights").random())?;
    let inputs = Inputs::new(dense(data)?, &network);
    let networks = std::slice::from_mut(&mut network);
    train(networks, &inputs, weights, &mut loss, None, &Training { stopping: None, ..*training }, ctx)?;
    Ok(network)
}

/// A policy that never asks anybody: weight 1 for the classifier, 0 for every expert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassifierPolicy {
    experts: usize,
    classes: usize,
    model: Model,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Model {
    /// The same distribution for every case.
    Prior(Vec<f64>),
    Logistic(FittedLogistic),
    F32(Network<f32>),
    F64(Network<f64>),
}

impl ClassifierPolicy {
    /// A classifier that knows only how frequent each class is: for methods that look at votes alone.
    ///
    /// # Errors
    /// If the shares are not a distribution.
    pub fn prior(experts: usize, shares: Vec<f64>) -> Result<Self, ParameterError> {
        let sum: f64 = shares.iter().sum();
        let ok = shares.iter().all(|p| *p >= 0.0) && (sum - 1.0).abs() < 1e-9;
        ParameterError::check(ok, "the sum of the class shares", sum, "1, with no share below 0")?;
        Ok(Self { experts, classes: shares.len(), model: Model::Prior(shares) })
    }

    /// A logistic model that is already fitted, beside `experts` people.
    pub fn of_logistic(experts: usize, model: FittedLogistic) -> Self {
        Self { experts, classes: model.classes(), model: Model::Logistic(model) }
    }

    /// The same classifier beside another number of people.
    #[must_use]
    pub fn beside(self, experts: usize) -> Self {
        Self { experts, ..self }
    }

    /// The class shares of a data set's labels, uniform where there are none.
    pub fn of_frequencies(data: &Dataset) -> Self {
        let mut counts = vec![0.0; data.k()];
        for label in data.cases().labels().iter().flatten() {
            counts[label.index()] += 1.0;
        }
        let total: f64 = counts.iter().sum();
        let uniform = 1.0 / counts.len().max(1) as f64;
        let shares = counts.iter().map(|c| if total > 0.0 { c / total } else { uniform }).collect();
        Self { experts: data.m(), classes: data.k(), model: Model::Prior(shares) }
    }
}

/// Raw network outputs for cases whose features must be dense and of the right number.
///
/// # Errors
/// [`PolicyError::Kind`] or [`PolicyError::Dimension`].
pub fn network_outputs<S: Scalar>(network: &Network<S>, cases: &Cases) -> Result<Columns, PolicyError> {
    Ok(outputs(network, network_inputs(network.inputs(), cases)?))
}

/// The features of cases, which must be dense and `inputs` in number.
///
/// # Errors
/// [`PolicyError::Kind`] or [`PolicyError::Dimension`].
pub fn network_inputs(inputs: usize, cases: &Cases) -> Result<&Columns, PolicyError> {
    let columns = cases.features().as_dense().ok_or(PolicyError::Kind { expected: "dense" })?;
    if columns.rows() != inputs {
        return Err(PolicyError::Dimension { expected: inputs, found: columns.rows() });
    }
    Ok(columns)
}

/// The distributions that a classifier network's outputs stand for.
pub fn probabilities_of(raw: &Columns, classes: usize) -> Probabilities {
    let mut probabilities = Columns::zeros(classes, raw.n());
    for (case, scores) in raw.iter().enumerate() {
        class_probabilities(scores, probabilities.column_mut(case));
    }
    Probabilities(probabilities)
}

impl Policy for ClassifierPolicy {
    fn experts(&self) -> usize {
        self.experts
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        match &self.model {
            Model::Prior(shares) => Ok(Probabilities(Columns::repeat(shares, cases.n()))),
            Model::F32(network) => Ok(probabilities_of(&network_outputs(network, cases)?, self.classes)),
            Model::F64(network) => Ok(probabilities_of(&network_outputs(network, cases)?, self.classes)),
            Model::Logistic(model) => match cases.features() {
                Features::Sparse(sparse) => model.classify(sparse),
                Features::Dense(columns) => model.classify_dense(columns),
            },
        }
    }

    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        let mut weights = vec![0.0; self.experts + 1];
        weights[self.experts] = 1.0;
        Ok(Weights(Columns::repeat(&weights, cases.n())))
    }
}
