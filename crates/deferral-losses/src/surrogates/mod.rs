//! The later methods of learning to defer, each a [`Learner`](deferral_core::Learner) with its decision rule.
//!
//! A case has K class scores `g_1..g_K` and a deferral score `g_j` for each of J experts; `p` is their common softmax,
//! `sig` the logistic function, `a_j` is 1 if expert j is right and 0 if not. An expert who did not decide a case
//! takes no part in its loss: no term, and no share of a softmax. With everybody there the losses are those of the
//! papers.
//!
//! | method | loss of a case | the expert decides iff | source |
//! |---|---|---|---|
//! | [`Surrogate::Softmax`] | `-w ln p_y - sum_j a_j ln p_j`, `w = alpha a + 1 - a` | `g_j` is the largest score | Mozannar and Sontag 2020; Verma et al. 2023 |
//! | [`Surrogate::OneVsAll`] | a logistic loss a class, and one an expert for `a_j` | `g_j > max_k g_k` | Verma and Nalisnick 2022; Verma et al. 2023 |
//! | [`Surrogate::AsymmetricSoftmax`] | `-ln softmax_K(g)_y - a ln psi - (1-a) ln (1-psi)` | `psi > max_k softmax_K(g)_k` | Cao et al. 2023 |
//! | [`Surrogate::Realizable`] | `-alpha ln (p_y + a p_j) - (1-alpha) ln softmax_K(g)_y` | `g_j` is the largest score | Mozannar et al. 2023 |
//! | [`Surrogate::Rsl2d`] | `c Psi(p_y) + (1-c) Psi(p_y + p_j)` | `g_j` is the largest score | Mao, Mohri and Zhong 2024 |
//! | [`TwoStage`] | model fixed; `-sum_j (1-c_j) ln softmax_j(r)` over experts and model | `r_j` is the largest | Mao et al. 2023 |
//! | [`TeamOfExperts`] | `-ln (w_0 f_y + sum_j w_j a_j)`, `w = softmax(gate)` | `w_j` is the largest | Hemmer et al. 2022 |
//! | [`MixtureOfExperts`] | `pi_0 CE(y, f) + sum_j pi_j (1 - a_j)` | `pi_j >= pi_0` and largest | Madras et al. 2018, 0/1 form of Mozannar et al. 2023 |
//! | [`CompareConfidence`] | two models: `CE(y, f)`; a logistic loss for each `a_j` | `P(a_j = 1) > max_k f_k` | Raghu et al. 2019 |
//! | [`SelectivePrediction`] | `CE(y, f)` | `max_k f_k < tau` | Chow 1970 |
//! | [`DifferentiableTriage`] | `CE(y, f)` on the cases that are kept; then a rejector | `sig(r) > 1/2` | Okati, De and Gomez-Rodriguez 2021 |
//!
//! Natural logarithms throughout. Where the rule is strict, the classifier decides ties. All policies are
//! [`DeferralPolicy`]: their [`committee`](DeferralPolicy::committee) decides a case as this table says. [`ExpertSets`]
//! says how many experts to ask once a case is deferred.

mod asymmetric;
mod compare_confidence;
mod expert_sets;
mod learn_to_defer;
mod mixture_of_experts;
mod networks;
mod objective;
mod one_vs_all;
mod panel;
mod per_case;
mod policy;
mod realizable;
mod rsl2d;
mod selective_prediction;
mod softmax;
mod standing;
mod surrogate;
mod team_of_experts;
#[cfg(test)]
mod testing;
mod triage;
mod two_stage;

pub use crate::named::most_accurate_expert;
pub use compare_confidence::CompareConfidence;
pub use expert_sets::{ConformalScore, ExpertSets};
pub use learn_to_defer::LearnToDefer;
pub use mixture_of_experts::MixtureOfExperts;
pub use networks::NetworkSettings;
pub use objective::SurrogateObjective;
pub use policy::DeferralPolicy;
pub use rsl2d::Psi;
pub use selective_prediction::{Rejection, SelectivePrediction, most_accurate_threshold};
pub use softmax::cost_sensitive;
pub use surrogate::Surrogate;
pub use team_of_experts::TeamOfExperts;
pub use triage::{DifferentiableTriage, triage};
pub use two_stage::TwoStage;
