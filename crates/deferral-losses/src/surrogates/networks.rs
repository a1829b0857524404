//! The networks behind the methods: how they are shaped and trained, and what they say.

use deferral_core::{CaseWeights, Cases, Columns, Context, Dataset, FitError, ParameterError, PolicyError};
use deferral_models::classifier::{dense, network_outputs};
use deferral_models::{
    Batches, Classifier, EarlyStopping, Inputs, Network, NetworkSpec, Objective, Optimiser, Precision, Scalar,
    Training, Validation, train,
};
use serde::{Deserialize, Serialize};

/// How the networks of a method are shaped and trained: by default 32 rectified units and 1,000 steps of 200 cases by
/// Adam at rate .01. About 6 flops a parameter, case and step.
///
/// Early stopping, by default a look every 20 steps with a patience of 10, watches the data's
/// [held-out cases](Dataset::held_out); without them all steps are taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSettings {
    /// Hidden layers of rectified units; none for linear scores.
    pub hidden: Vec<usize>,
    /// Steps, batches, optimiser and early stopping.
    pub training: Training,
    /// The number type.
    pub precision: Precision,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        let training = Training {
            steps: 1000,
            batches: Batches::PerStep { size: 200 },
            optimiser: Optimiser::adam(0.01),
            stopping: Some(EarlyStopping { every: 20, patience: 10, least: 0.0 }),
        };
        Self { hidden: vec![32], training, precision: Precision::default() }
    }
}

impl NetworkSettings {
    /// A classifier of its own with these settings; it does not stop early.
    pub fn classifier(&self) -> Classifier {
        let Self { hidden, training, precision } = self.clone();
        Classifier::Network { hidden, training, precision }
    }

    /// Trains one network of `outputs` raw outputs on what `objective` makes of the data, and stops early on what it
    /// makes of the held-out data.
    pub(super) fn fit<'a, O: Objective<f32> + Objective<f64>>(
        &self,
        outputs: usize,
        data: &'a Dataset,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
        objective: impl Fn(&'a Dataset) -> Result<O, FitError>,
    ) -> Result<Scores, FitError> {
        Ok(match self.precision {
            Precision::F32 => {
                let mut network = self.network(outputs, 0, data, ctx)?;
                self.train(std::slice::from_mut(&mut network), data, weights, ctx, objective)?;
                Scores::F32(network)
            }
            Precision::F64 => {
                let mut network = self.network(outputs, 0, data, ctx)?;
                self.train(std::slice::from_mut(&mut network), data, weights, ctx, objective)?;
                Scores::F64(network)
            }
        })
    }

    /// The same for two networks that are trained together.
    pub(super) fn fit_two<'a, O: Objective<f32> + Objective<f64>>(
        &self,
        outputs: [usize; 2],
        data: &'a Dataset,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
        objective: impl Fn(&'a Dataset) -> Result<O, FitError>,
    ) -> Result<[Scores; 2], FitError> {
        let [first, second] = outputs;
        Ok(match self.precision {
            Precision::F32 => {
                let mut networks = [self.network(first, 0, data, ctx)?, self.network(second, 1, data, ctx)?];
                self.train(&mut networks, data, weights, ctx, objective)?;
                networks.map(Scores::F32)
            }
            Precision::F64 => {
                let mut networks = [self.network(first, 0, data, ctx)?, self.network(second, 1, data, ctx)?];
                self.train(&mut networks, data, weights, ctx, objective)?;
                networks.map(Scores::F64)
            }
        })
    }

    fn network<S: Scalar>(
        &self,
        outputs: usize,
        at: usize,
        data: &Dataset,
        ctx: &Context<'_>,
    ) -> Result<Network<S>, FitError> {
        let spec = NetworkSpec::relu(dense(data)?.rows(), &self.hidden, outputs);
        Ok(Network::new(&spec, &mut ctx.stream("weights").at(at))?)
    }

    fn train<'a, S: Scalar, O: Objective<S>>(
        &self,
        networks: &mut [Network<S>],
        data: &'a Dataset,
        weights: &CaseWeights,
        ctx: &mut Context<'_>,
        objective: impl Fn(&'a Dataset) -> Result<O, FitError>,
    ) -> Result<(), FitError> {
        let inputs = Inputs::new(dense(data)?, &networks[0]);
        let mut of_data = objective(data)?;
        let mut watched = match self.watched(data)? {
            Some(held_out) => Some((Inputs::new(dense(held_out)?, &networks[0]), objective(held_out)?)),
            None => None,
        };
        let validation = watched.as_mut().map(|(inputs, objective)| Validation { inputs, objective });
        train(networks, &inputs, weights, &mut of_data, validation, &self.training, ctx)?;
        Ok(())
    }

    /// The held-out cases, if there are any and somebody wants to watch them.
    fn watched<'a>(&self, data: &'a Dataset) -> Result<Option<&'a Dataset>, FitError> {
        let wanted = data.held_out().filter(|held_out| held_out.n() > 0 && self.training.stopping.is_some());
        wanted.map(|held_out| fits_to(held_out, data).map(|()| held_out)).transpose()
    }
}

/// Checks that held-out data have the classes and features of the data.
pub(super) fn fits_to(held_out: &Dataset, data: &Dataset) -> Result<(), FitError> {
    let parameter = "the number of labels of the held-out cases";
    let expected = format!("that of the training cases, {}", data.k());
    ParameterError::check(held_out.k() == data.k(), parameter, held_out.k(), &expected)?;
    let (found, expected) = (held_out.cases().dim(), data.cases().dim());
    if found == expected { Ok(()) } else { Err(PolicyError::Dimension { expected, found }.into()) }
}

/// A trained network whose outputs are scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Scores {
    F32(Network<f32>),
    F64(Network<f64>),
}

impl Scores {
    /// Outputs x n.
    pub(super) fn of(&self, cases: &Cases) -> Result<Columns, PolicyError> {
        match self {
            Self::F32(network) => network_outputs(network, cases),
            Self::F64(network) => network_outputs(network, cases),
        }
    }
}
