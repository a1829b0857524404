//! The joint framework as a learner: classifier and deferrer trained together on one loss.

use std::borrow::Cow;

use deferral_core::{
    CaseId, CaseWeights, Cases, Columns, Committee, Context, Dataset, FitError, Learner, ParameterError, Policy,
    PolicyError, Probabilities, Vote, VoteRule, Weights,
};
use deferral_models::{
    Activation, Batches, CrossEntropy, Init, Inputs, Network, NetworkSpec, Optimiser, Precision, Scalar, Targets,
    Training,
    classifier::{dense, network_outputs, probabilities_of},
    stable::sigmoid,
    train,
};
use serde::{Deserialize, Serialize};

use crate::costs::{CostScope, ExpertCosts};
use crate::joint_objective::{ClassifierGradient, Form, JointObjective, Link, system_probabilities};
use crate::schedule::Schedule;

/// The joint framework (Keswani, Lease and Kenthapadi 2021).
///
/// The default is the framework's K-class form wherever decisions are incomplete, networks of 128 and 32 rectified
/// units, and 1,000 steps of 200 cases at rate .3. Training costs about 6 flops a parameter, case and step.
///
/// ```
/// use deferral_core::*;
/// use deferral_losses::Joint;
/// // Two experts; the first is right wherever the feature is positive, the second elsewhere.
/// let n = 200;
/// let x: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
/// let truth: Vec<u16> = (0..n).map(|i| (i / 2 % 2) as u16).collect();
/// let votes = (0..n).flat_map(|i| {
///     let wrong = 1 - truth[i];
///     let (first, second) = if i % 2 == 0 { (truth[i], wrong) } else { (wrong, truth[i]) };
///     [(i as u32, 0, first), (i as u32, 1, second)]
/// });
/// let decisions = Decisions::from_triples(n, 2, votes)?;
/// let features = Features::dense(Columns::from_values(1, x))?;
/// let cases = Cases::new(Names::numbered("case", n), features)?;
/// let cases = cases.with_labels(truth.iter().map(|&y| Some(Label(y))).collect())?;
/// let data = Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("expert", 2))?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let policy = Joint::default().fit(&data, &CaseWeights::uniform(n), &mut ctx)?;
/// let weights = policy.weigh(data.cases())?;
/// assert!(weights.column(0)[0] > weights.column(0)[1]);
/// assert!(weights.column(1)[0] < weights.column(1)[1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Joint {
    /// How votes become a score; by default [`Form::Binary`] for two classes with complete decisions, else
    /// [`Form::Classes`].
    pub form: Option<Form>,
    /// Hidden layers of the classifier, rectified units; none for logistic or softmax regression.
    pub classifier_hidden: Vec<usize>,
    /// Hidden layers of the deferrer.
    pub deferrer_hidden: Vec<usize>,
    /// How a deferrer output becomes a weight.
    pub link: Link,
    /// Added to the deferrer's output biases at the start; .5 keeps projected outputs away from their bounds.
    pub deferrer_bias: f64,
    /// Whether the system's loss trains the classifier too.
    pub classifier_gradient: ClassifierGradient,
    /// `alpha1` and `alpha2`.
    pub schedule: Schedule,
    /// Share of votes left out of each step, in [0, 1).
    pub dropout: f64,
    /// `lambda`, the weight of the expert costs, 0 or more.
    pub lambda: f64,
    /// `C_j`, the cost of each expert; 1 for all if not given.
    pub expert_costs: Option<Vec<f64>>,
    /// Which experts a case pays for.
    pub cost_scope: CostScope,
    /// Costs of errors by true and predicted class, K x K row by row; all errors cost 1 if not given.
    pub error_costs: Option<Vec<f64>>,
    /// A group attribute whose groups count the same in the loss ("joint balanced").
    pub balance: Option<String>,
    /// How the losses of balanced groups become one.
    pub groups: GroupLosses,
    /// Steps, batches and optimiser; early stopping is not used.
    pub training: Training,
    /// The number type of the networks.
    pub precision: Precision,
}

/// How the losses of groups that count the same become one loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupLosses {
    /// Their mean: a case counts `n / (G n_g)`, and losses and steps are as large as without balance.
    #[default]
    Mean,
    /// Their sum, as printed and as released (section 2.2): a case counts `n / n_g`. With G groups the losses, not the
    /// expert costs, are G times as large, and so are the steps of plain gradient descent.
    Sum,
}

impl Default for Joint {
    fn default() -> Self {
        let batches = Batches::PerStep { size: 200 };
        Self {
            form: None,
            classifier_hidden: vec![128, 32],
            deferrer_hidden: vec![128, 32],
            link: Link::Sigmoid,
            deferrer_bias: 0.0,
            classifier_gradient: ClassifierGradient::Joint,
            schedule: Schedule::default(),
            dropout: 0.0,
            lambda: 0.0,
            expert_costs: None,
            cost_scope: CostScope::Answered,
            error_costs: None,
            balance: None,
            groups: GroupLosses::Mean,
            training: Training { steps: 1000, batches, optimiser: Optimiser::sgd(0.3), stopping: None },
            precision: Precision::F32,
        }
    }
}

impl Joint {
    /// The settings of the released code for the MTurk posts: binary score, 100 steps at rate .3, the classifier's
    /// gradient detached.
    pub fn published() -> Self {
        let batches = Batches::PerStep { size: 200 };
        Self {
            form: Some(Form::Binary),
            classifier_gradient: ClassifierGradient::Detached,
            training: Training { steps: 100, batches, optimiser: Optimiser::sgd(0.3), stopping: None },
            ..Self::default()
        }
    }

    /// The form used on `data`.
    pub fn form_for(&self, data: &Dataset) -> Form {
        let complete = data.k() == 2 && data.decisions().is_complete();
        self.form.unwrap_or(if complete { Form::Binary } else { Form::Classes })
    }

    /// Fits as [`Learner::fit`] does, with the given expert costs, which may differ from case to case, in place of
    /// [`Joint::lambda`] and [`Joint::expert_costs`].
    ///
    /// # Errors
    /// As [`Learner::fit`], and if the costs are not of as many experts and, when by case, of as many cases.
    pub fn fit_with_costs(
        &self,
        data: &Dataset,
        weights: &CaseWeights,
        costs: &ExpertCosts,
        ctx: &mut Context<'_>,
    ) -> Result<JointPolicy, FitError> {
        costs.check(data.m(), data.n())?;
        self.fit_any(data, weights, Some(costs), ctx)
    }

    fn fit_any(
        &self,
        data: &Dataset,
        weights: &CaseWeights,
        costs: Option<&ExpertCosts>,
        ctx: &mut Context<'_>,
    ) -> Result<JointPolicy, FitError> {
        self.check(data)?;
        let balanced = self.balanced(data, weights)?;
        let weights = balanced.as_ref().unwrap_or(weights);
        let own = self.constant_costs(data)?;
        let costs = costs.or(own.as_ref());
        let networks = match self.precision {
            Precision::F32 => Trained::F32(self.train(data, weights, costs, ctx)?),
            Precision::F64 => Trained::F64(self.train(data, weights, costs, ctx)?),
        };
        Ok(JointPolicy { form: self.form_for(data), link: self.link, classes: data.k(), networks })
    }

    /// The case weights under which groups count the same, if that is asked for.
    fn balanced(&self, data: &Dataset, weights: &CaseWeights) -> Result<Option<CaseWeights>, FitError> {
        let Some(attribute) = &self.balance else { return Ok(None) };
        let group = data.cases().group(attribute)?;
        let mut factor = weights.mean();
        if self.groups == GroupLosses::Sum {
            // A group without a case has no mean to add.
            factor *= group.counts().iter().filter(|&&count| count > 0).count() as f64;
        }
        Ok(Some(weights.balanced(group)?.times(factor)?))
    }

    /// The costs that the settings ask for, if any.
    fn constant_costs(&self, data: &Dataset) -> Result<Option<ExpertCosts>, ParameterError> {
        let unit = vec![1.0; data.m()];
        let prices = self.expert_costs.as_deref().unwrap_or(&unit);
        let costs = ExpertCosts::constant(self.lambda, prices, self.cost_scope)?;
        Ok((self.lambda > 0.0).then_some(costs))
    }

    fn check(&self, data: &Dataset) -> Result<(), FitError> {
        self.schedule.check()?;
        self.training.check()?;
        ParameterError::check((0.0..1.0).contains(&self.dropout), "the dropout", self.dropout, "at least 0, below 1")?;
        if data.decisions().is_empty() {
            return Err(FitError::NoExperts);
        }
        if self.form == Some(Form::Binary) && data.k() != 2 {
            let (method, instead) =
                ("the binary form of the joint framework".to_owned(), "the form `classes`".to_owned());
            return Err(FitError::BinaryOnly { method, classes: data.k(), instead });
        }
        if let Some(costs) = &self.expert_costs {
            let expected = format!("one for each of the {} experts", data.m());
            ParameterError::check(costs.len() == data.m(), "the number of expert costs", costs.len(), &expected)?;
        }
        Ok(())
    }

    /// The objective on `data`, with what is random in it drawn from `ctx`.
    fn objective<'a>(
        &self,
        data: &'a Dataset,
        costs: Option<&ExpertCosts>,
        ctx: &Context<'_>,
    ) -> Result<JointObjective<'a>, FitError> {
        let (form, classes) = (self.form_for(data), data.k());
        let targets = match &self.error_costs {
            Some(costs) => Targets::costs(classes, costs)?,
            None => Targets::labels(classes),
        };
        let labels = data.gold()?;
        let objective =
            JointObjective::new(form, self.link, self.schedule, labels, Cow::Borrowed(data.decisions()), classes);
        Ok(objective
            .with_gradient(self.classifier_gradient)
            .with_targets(targets)
            .with_costs(costs.cloned())
            .with_dropout(self.dropout, ctx.stream("dropout").random()))
    }

    fn train<S: Scalar>(
        &self,
        data: &Dataset,
        weights: &CaseWeights,
        costs: Option<&ExpertCosts>,
        ctx: &mut Context<'_>,
    ) -> Result<Networks<S>, FitError> {
        let features = dense(data)?;
        let classifier = NetworkSpec::relu(features.rows(), &self.classifier_hidden, CrossEntropy::outputs(data.k()));
        let mut deferrer = NetworkSpec::relu(features.rows(), &self.deferrer_hidden, data.m() + 1);
        deferrer.output_bias = self.deferrer_bias;
        if let Some(output) = deferrer.layers.last_mut() {
            output.1 = match self.link {
                Link::Sigmoid => Activation::Identity,
                Link::Projected => Activation::Projected,
            };
        }
        debug_assert!(deferrer.init == Init::FanIn && output_is_raw(&classifier));
        let mut networks = [
            Network::new(&classifier, &mut ctx.stream("classifier").random())?,
            Network::new(&deferrer, &mut ctx.stream("deferrer").random())?,
        ];
        let inputs = Inputs::new(features, &networks[0]);
        // Weights with another mean than 1 enlarge losses; what experts cost stays what it is.
        let mut objective = self.objective(data, costs, ctx)?.with_cost_share(weights.mean().recip());
        let settings = Training { stopping: None, ..self.training };
        train(&mut networks, &inputs, weights, &mut objective, None, &settings, ctx)?;
        let [classifier, deferrer] = networks;
        Ok(Networks { classifier, deferrer })
    }
}

fn output_is_raw(spec: &NetworkSpec) -> bool {
    spec.layers.last().is_some_and(|(_, activation)| *activation == Activation::Identity)
}

impl Learner for Joint {
    type Policy = JointPolicy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<JointPolicy, FitError> {
        self.fit_any(data, weights, None, ctx)
    }
}

/// What the joint framework learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JointPolicy {
    form: Form,
    link: Link,
    classes: usize,
    networks: Trained,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
struct Networks<S: Scalar> {
    classifier: Network<S>,
    deferrer: Network<S>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Trained {
    F32(Networks<f32>),
    F64(Networks<f64>),
}

impl JointPolicy {
    /// The form of the score it was trained with.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The whole committee under the vote rule that belongs to the form: the framework's own decision.
    pub fn committee(&self) -> Committee {
        committee_for(self.form)
    }
}

/// The whole committee under the vote rule that belongs to a form.
pub fn committee_for(form: Form) -> Committee {
    Committee::whole(match form {
        Form::Binary => VoteRule::ScaledMean,
        Form::Classes => VoteRule::Weighted,
    })
}

impl Policy for JointPolicy {
    fn experts(&self) -> usize {
        match &self.networks {
            Trained::F32(networks) => networks.deferrer.outputs() - 1,
            Trained::F64(networks) => networks.deferrer.outputs() - 1,
        }
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        let raw = match &self.networks {
            Trained::F32(networks) => network_outputs(&networks.classifier, cases)?,
            Trained::F64(networks) => network_outputs(&networks.classifier, cases)?,
        };
        Ok(probabilities_of(&raw, self.classes))
    }

    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        let mut raw: Columns = match &self.networks {
            Trained::F32(networks) => network_outputs(&networks.deferrer, cases)?,
            Trained::F64(networks) => network_outputs(&networks.deferrer, cases)?,
        };
        if self.link == Link::Sigmoid {
            for output in raw.values_mut() {
                *output = sigmoid(*output);
            }
        }
        Ok(Weights(raw))
    }

    fn together(&self, data: &Dataset) -> Result<Probabilities, PolicyError> {
        let (mut beliefs, weights) = (self.classify(data.cases())?, self.weigh(data.cases())?);
        for case in 0..data.n() {
            let row = data.decisions().of_case(CaseId::at(case));
            let votes: Vec<Vote> = row.iter().map(|(expert, label)| Vote { expert, label }).collect();
            let system = system_probabilities(self.form, weights.column(case), &votes, beliefs.column(case));
            beliefs.0.column_mut(case).copy_from_slice(&system);
        }
        Ok(beliefs)
    }
}
