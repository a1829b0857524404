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
use deferral_fairness::{ConstrainedPolicy, GroupThresholdsPolicy, GuaranteedPolicy, Mixture};
use deferral_losses::surrogates::{
    CompareConfidence, DeferralPolicy, DifferentiableTriage, LearnToDefer, MixtureOfExperts, SelectivePrediction,
    TeamOfExperts, TwoStage,
};
use deferral_losses::{BayesianIdk, BayesianPolicy, Idk, IdkPolicy, Joint, JointPolicy};
use deferral_models::{Classifier, ClassifierPolicy};
use serde::{Deserialize, Serialize};

use crate::fairness::FairLearner;
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
    /// A surrogate of learning to defer.
    LearnToDefer(LearnToDefer),
    /// A classifier first, then who decides.
    TwoStage(TwoStage),
    /// A gate over classifier and experts.
    TeamOfExperts(TeamOfExperts),
    /// A gate between classifier and experts, trained on expected errors.
    MixtureOfExperts(MixtureOfExperts),
    /// Whoever is surer to be right.
    CompareConfidence(CompareConfidence),
    /// The expert where the classifier is unsure.
    SelectivePrediction(SelectivePrediction),
    /// The expert where the classifier loses more.
    Triage(DifferentiableTriage),
    /// Any of these, made fair.
    Fair(Box<FairLearner>),
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
    /// Of all surrogates and the methods beside them.
    Deferral(DeferralPolicy),
    /// Several policies, each with its share of the cases.
    Mixture(Box<Mixture<AnyPolicy>>),
    /// The same, hard decisions and constants among them.
    Constrained(Box<ConstrainedPolicy<AnyPolicy>>),
    /// With thresholds by group.
    GroupThresholds(Box<GroupThresholdsPolicy<AnyPolicy>>),
    /// That asks as often as a promise needs.
    Guaranteed(Box<GuaranteedPolicy<AnyPolicy>>),
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
            (Self::Fair(mut fair), _) => {
                let inner = std::mem::take(fair.inner_mut());
                *fair.inner_mut() = inner.with_prices(prices);
                Self::Fair(fair)
            }
            (learner, _) => learner,
        }
    }

    /// What learns inside all wrappers.
    pub fn innermost(&self) -> &Self {
        match self {
            Self::Fair(fair) => fair.inner().innermost(),
            learner => learner,
        }
    }

    /// The same, to change it.
    pub(crate) fn innermost_mut(&mut self) -> &mut Self {
        match self {
            Self::Fair(fair) => fair.inner_mut().innermost_mut(),
            learner => learner,
        }
    }

    /// Whether each case is decided by one expert or by the classifier, whoever it is deferred to.
    pub fn defers_to_one(&self) -> bool {
        matches!(
            self,
            Self::Idk(_)
                | Self::BayesianIdk(_)
                | Self::LearnToDefer(_)
                | Self::TwoStage(_)
                | Self::TeamOfExperts(_)
                | Self::MixtureOfExperts(_)
                | Self::CompareConfidence(_)
                | Self::SelectivePrediction(_)
                | Self::Triage(_)
        )
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
            | Self::Consult(Consult { classifier, .. })
            | Self::TwoStage(TwoStage { classifier, .. })
            | Self::CompareConfidence(CompareConfidence { classifier, .. })
            | Self::SelectivePrediction(SelectivePrediction { classifier, .. }) => Some(classifier),
            Self::Joint(_)
            | Self::Everyone(_)
            | Self::BestExpert(_)
            | Self::Trust(_)
            | Self::Idk(_)
            | Self::BayesianIdk(_)
            | Self::LearnToDefer(_)
            | Self::TeamOfExperts(_)
            | Self::MixtureOfExperts(_)
            | Self::Triage(_) => None,
            Self::Fair(fair) => fair.inner().classifier(),
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
            | Self::Consult(Consult { classifier, .. })
            | Self::TwoStage(TwoStage { classifier, .. })
            | Self::CompareConfidence(CompareConfidence { classifier, .. })
            | Self::SelectivePrediction(SelectivePrediction { classifier, .. }) => Some(classifier),
            Self::Joint(_)
            | Self::Everyone(_)
            | Self::BestExpert(_)
            | Self::Trust(_)
            | Self::Idk(_)
            | Self::BayesianIdk(_)
            | Self::LearnToDefer(_)
            | Self::TeamOfExperts(_)
            | Self::MixtureOfExperts(_)
            | Self::Triage(_) => None,
            Self::Fair(fair) => fair.inner_mut().classifier_mut(),
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
            Self::LearnToDefer(learner) => AnyPolicy::Deferral(learner.fit(data, weights, ctx)?),
            Self::TwoStage(learner) => AnyPolicy::Deferral(learner.fit(data, weights, ctx)?),
            Self::TeamOfExperts(learner) => AnyPolicy::Deferral(learner.fit(data, weights, ctx)?),
            Self::MixtureOfExperts(learner) => AnyPolicy::Deferral(learner.fit(data, weights, ctx)?),
            Self::CompareConfidence(learner) => AnyPolicy::Deferral(learner.fit(data, weights, ctx)?),
            Self::SelectivePrediction(learner) => AnyPolicy::Deferral(learner.fit(data, weights, ctx)?),
            Self::Triage(learner) => AnyPolicy::Deferral(learner.fit(data, weights, ctx)?),
            Self::Fair(learner) => learner.fit(data, weights, ctx)?,
        })
    }
}

impl AnyPolicy {
    /// What says how cases are decided: of a mixture its first member, of others themselves.
    pub(crate) fn kind(&self) -> &Self {
        match self {
            Self::Mixture(mixture) => mixture.members().next().map_or(self, |(member, _)| member.kind()),
            _ => self,
        }
    }

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
            Self::Deferral(policy) => policy,
            Self::Mixture(policy) => policy.as_ref(),
            Self::Constrained(policy) => policy.as_ref(),
            Self::GroupThresholds(policy) => policy.as_ref(),
            Self::Guaranteed(policy) => policy.as_ref(),
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
