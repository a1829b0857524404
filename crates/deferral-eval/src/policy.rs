//! The closed set of learners and policies, as values that can be compared and written to a file.

use deferral_consult::{Consult, ConsultPolicy};
use deferral_core::{
    CaseWeights, Cases, Context, Dataset, FitError, Learner, Policy, PolicyError, Probabilities, Weights,
};
use deferral_crowd::selection::fair_shares::Limits;
use deferral_crowd::{
    BestExpert, CrowdPolicy, CrowdSelect, CrowdSelectPolicy, EpsilonFirst, EpsilonGreedy, Everyone, FairCommittee,
    GoelFaltings, LiLiu, LinUcb, LinearThompson, MultiplicativeWeights, RandomCommittee, RosterPolicy, Streamed,
    StreamedPolicy, Thompson, Trust, Ucb,
};
use deferral_losses::{BayesianIdk, BayesianPolicy, Idk, IdkPolicy, Joint, JointPolicy};
use deferral_models::{Classifier, ClassifierPolicy};
use serde::{Deserialize, Serialize};

use crate::penalties::AnyPenalty;

/// Any learner that is known by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnyLearner {
    /// The model alone.
    Classifier(Classifier),
    /// Classifier and deferrer trained together.
    Joint(Joint),
    /// Everybody counts the same.
    Everyone(Everyone),
    /// Everybody counts by their accuracy.
    BestExpert(BestExpert),
    /// A random committee with a classifier.
    RandomCommittee(RandomCommittee),
    /// A random committee of those who know the group.
    FairCommittee(FairCommittee),
    /// Whom an aggregator trusts.
    Trust(Trust),
    /// The same few workers for all cases.
    LiLiu(LiLiu),
    /// A few workers for each case.
    CrowdSelect(CrowdSelect),
    /// One expert by shares that are fair to the classes or groups.
    GoelFaltings(GoelFaltings),
    /// The best expert with capacity left.
    EpsilonFirst(EpsilonFirst),
    /// Multiplicative weights.
    MultiplicativeWeights(Streamed<MultiplicativeWeights>),
    /// Epsilon-greedy.
    EpsilonGreedy(Streamed<EpsilonGreedy>),
    /// Upper confidence bounds.
    Ucb(Streamed<Ucb>),
    /// Upper confidence bounds that look at the case.
    LinUcb(Streamed<LinUcb>),
    /// Thompson sampling.
    Thompson(Streamed<Thompson>),
    /// Thompson sampling that looks at the case.
    LinearThompson(Streamed<LinearThompson>),
    /// One question at a time, for as long as it pays.
    Consult(Consult),
    /// One model beside one decision-maker.
    Idk(Idk<AnyPenalty>),
    /// The same with weights that are distributions.
    BayesianIdk(BayesianIdk<AnyPenalty>),
}

impl Default for AnyLearner {
    fn default() -> Self {
        Self::Classifier(Classifier::default())
    }
}

/// What any of them learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnyPolicy {
    /// Of [`AnyLearner::Classifier`].
    Classifier(ClassifierPolicy),
    /// Of [`AnyLearner::Joint`].
    Joint(JointPolicy),
    /// Of all methods whose weights do not look at the case.
    Roster(RosterPolicy),
    /// Of [`AnyLearner::Trust`].
    Crowd(CrowdPolicy),
    /// Of [`AnyLearner::CrowdSelect`].
    CrowdSelect(CrowdSelectPolicy),
    /// Of all online methods.
    Streamed(StreamedPolicy),
    /// Of [`AnyLearner::Consult`].
    Consult(Box<ConsultPolicy>),
    /// Of [`AnyLearner::Idk`].
    Idk(IdkPolicy),
    /// Of [`AnyLearner::BayesianIdk`].
    Bayesian(BayesianPolicy),
}

impl AnyLearner {
    /// The same learner, told what a label of each expert costs, if that matters to it and it was not told before.
    #[must_use]
    pub fn with_prices(self, prices: Option<&[f64]>) -> Self {
        match (self, prices) {
            (Self::Joint(joint), Some(prices)) if joint.expert_costs.is_none() => {
                Self::Joint(Joint { expert_costs: Some(prices.to_vec()), ..joint })
            }
            (Self::LiLiu(ll), Some(prices)) if ll.prices.is_none() => {
                Self::LiLiu(LiLiu { prices: Some(prices.to_vec()), ..ll })
            }
            (Self::EpsilonFirst(first), Some(prices)) if first.prices.is_none() => {
                Self::EpsilonFirst(EpsilonFirst { prices: Some(prices.to_vec()), ..first })
            }
            (Self::GoelFaltings(fair), Some(prices)) if fair.limits.prices.is_none() => {
                let limits = Limits { prices: Some(prices.to_vec()), ..fair.limits };
                Self::GoelFaltings(GoelFaltings { limits, ..fair })
            }
            (learner, _) => learner,
        }
    }
}

impl AnyLearner {
    /// The classifier that works beside the experts, where the learner has one that can be chosen.
    pub fn classifier(&self) -> Option<&Classifier> {
        match self {
            Self::Classifier(classifier)
            | Self::RandomCommittee(RandomCommittee { classifier })
            | Self::FairCommittee(FairCommittee { classifier, .. })
            | Self::LiLiu(LiLiu { classifier, .. })
            | Self::CrowdSelect(CrowdSelect { classifier, .. })
            | Self::GoelFaltings(GoelFaltings { classifier, .. })
            | Self::EpsilonFirst(EpsilonFirst { classifier, .. })
            | Self::MultiplicativeWeights(Streamed { classifier, .. })
            | Self::EpsilonGreedy(Streamed { classifier, .. })
            | Self::Ucb(Streamed { classifier, .. })
            | Self::LinUcb(Streamed { classifier, .. })
            | Self::Thompson(Streamed { classifier, .. })
            | Self::LinearThompson(Streamed { classifier, .. })
            | Self::Consult(Consult { classifier, .. }) => Some(classifier),
            Self::Joint(_)
            | Self::Everyone(_)
            | Self::BestExpert(_)
            | Self::Trust(_)
            | Self::Idk(_)
            | Self::BayesianIdk(_) => None,
        }
    }

    /// The same, to change it.
    pub(crate) fn classifier_mut(&mut self) -> Option<&mut Classifier> {
        match self {
            Self::Classifier(classifier)
            | Self::RandomCommittee(RandomCommittee { classifier })
            | Self::FairCommittee(FairCommittee { classifier, .. })
            | Self::LiLiu(LiLiu { classifier, .. })
            | Self::CrowdSelect(CrowdSelect { classifier, .. })
            | Self::GoelFaltings(GoelFaltings { classifier, .. })
            | Self::EpsilonFirst(EpsilonFirst { classifier, .. })
            | Self::MultiplicativeWeights(Streamed { classifier, .. })
            | Self::EpsilonGreedy(Streamed { classifier, .. })
            | Self::Ucb(Streamed { classifier, .. })
            | Self::LinUcb(Streamed { classifier, .. })
            | Self::Thompson(Streamed { classifier, .. })
            | Self::LinearThompson(Streamed { classifier, .. })
            | Self::Consult(Consult { classifier, .. }) => Some(classifier),
            Self::Joint(_)
            | Self::Everyone(_)
            | Self::BestExpert(_)
            | Self::Trust(_)
            | Self::Idk(_)
            | Self::BayesianIdk(_) => None,
        }
    }
}

impl Learner for AnyLearner {
    type Policy = AnyPolicy;

    fn fit(&self, data: &Dataset, weights: &CaseWeights, ctx: &mut Context<'_>) -> Result<AnyPolicy, FitError> {
        Ok(match self {
            Self::Classifier(learner) => AnyPolicy::Classifier(learner.fit(data, weights, ctx)?),
            Self::Joint(learner) => AnyPolicy::Joint(learner.fit(data, weights, ctx)?),
            Self::Everyone(learner) => AnyPolicy::Roster(learner.fit(data, weights, ctx)?),
            Self::BestExpert(learner) => AnyPolicy::Roster(learner.fit(data, weights, ctx)?),
            Self::RandomCommittee(learner) => AnyPolicy::Roster(learner.fit(data, weights, ctx)?),
            Self::FairCommittee(learner) => AnyPolicy::Roster(learner.fit(data, weights, ctx)?),
            Self::Trust(learner) => AnyPolicy::Crowd(learner.fit(data, weights, ctx)?),
            Self::LiLiu(learner) => AnyPolicy::Roster(learner.fit(data, weights, ctx)?),
            Self::GoelFaltings(learner) => AnyPolicy::Roster(learner.fit(data, weights, ctx)?),
            Self::EpsilonFirst(learner) => AnyPolicy::Roster(learner.fit(data, weights, ctx)?),
            Self::CrowdSelect(learner) => AnyPolicy::CrowdSelect(learner.fit(data, weights, ctx)?),
            Self::MultiplicativeWeights(learner) => AnyPolicy::Streamed(learner.fit(data, weights, ctx)?),
            Self::EpsilonGreedy(learner) => AnyPolicy::Streamed(learner.fit(data, weights, ctx)?),
            Self::Ucb(learner) => AnyPolicy::Streamed(learner.fit(data, weights, ctx)?),
            Self::LinUcb(learner) => AnyPolicy::Streamed(learner.fit(data, weights, ctx)?),
            Self::Thompson(learner) => AnyPolicy::Streamed(learner.fit(data, weights, ctx)?),
            Self::LinearThompson(learner) => AnyPolicy::Streamed(learner.fit(data, weights, ctx)?),
            Self::Consult(learner) => AnyPolicy::Consult(Box::new(learner.fit(data, weights, ctx)?)),
            Self::Idk(learner) => AnyPolicy::Idk(learner.fit(data, weights, ctx)?),
            Self::BayesianIdk(learner) => AnyPolicy::Bayesian(learner.fit(data, weights, ctx)?),
        })
    }
}

impl AnyPolicy {
    fn inner(&self) -> &dyn Policy {
        match self {
            Self::Classifier(policy) => policy,
            Self::Joint(policy) => policy,
            Self::Roster(policy) => policy,
            Self::Crowd(policy) => policy,
            Self::CrowdSelect(policy) => policy,
            Self::Streamed(policy) => policy,
            Self::Consult(policy) => policy.as_ref(),
            Self::Idk(policy) => policy,
            Self::Bayesian(policy) => policy,
        }
    }
}

impl Policy for AnyPolicy {
    fn experts(&self) -> usize {
        self.inner().experts()
    }
    fn classes(&self) -> usize {
        self.inner().classes()
    }
    fn needs_group(&self) -> Option<&str> {
        self.inner().needs_group()
    }
    fn classify(&self, cases: &Cases) -> Result<Probabilities, PolicyError> {
        self.inner().classify(cases)
    }
    fn weigh(&self, cases: &Cases) -> Result<Weights, PolicyError> {
        self.inner().weigh(cases)
    }
    fn together(&self, data: &Dataset) -> Result<Probabilities, PolicyError> {
        self.inner().together(data)
    }
}
