//! The main types can be sent to threads, shared between them, printed and copied.

use std::fmt::Debug;

use deferral::{consult, core, crowd, data, eval, experts, fairness, losses, metrics, models};

fn thread_safe<T: Send + Sync + Debug>() {}
fn copyable<T: Send + Sync + Debug + Clone>() {}

#[test]
fn main_types_have_the_usual_traits() {
    copyable::<core::Dataset>();
    copyable::<core::Decisions>();
    copyable::<core::Committee>();
    copyable::<core::Outcome>();
    copyable::<core::Stream>();
    thread_safe::<core::FitError>();
    copyable::<data::Records>();
    copyable::<data::Featuriser>();
    copyable::<data::DialectModel>();
    thread_safe::<data::TableError>();
    copyable::<experts::Moderation>();
    copyable::<experts::BiasedPanel>();
    copyable::<losses::Joint>();
    copyable::<losses::JointPolicy>();
    copyable::<losses::Idk>();
    copyable::<losses::IdkPolicy>();
    copyable::<losses::BayesianPolicy>();
    copyable::<losses::surrogates::DeferralPolicy>();
    copyable::<fairness::Minimax<losses::Joint>>();
    copyable::<fairness::Mixture<losses::JointPolicy>>();
    copyable::<fairness::GuaranteedPolicy<losses::IdkPolicy>>();
    copyable::<fairness::TransferPolicy>();
    copyable::<eval::Tradeoff>();
    copyable::<models::ClassifierPolicy>();
    copyable::<crowd::RosterPolicy>();
    copyable::<crowd::CrowdPolicy>();
    copyable::<crowd::CrowdSelectPolicy>();
    copyable::<crowd::StreamedPolicy>();
    copyable::<crowd::HierarchicalFit>();
    copyable::<crowd::RunningConsensus>();
    thread_safe::<crowd::PosteriorVote<'static>>();
    copyable::<consult::Consult>();
    copyable::<consult::ConsultPolicy>();
    copyable::<consult::Competence>();
    copyable::<consult::Dependence>();
    copyable::<consult::Adaptive<'static>>();
    copyable::<consult::Assignment>();
    thread_safe::<consult::RuleError>();
    copyable::<eval::Frontier>();
    copyable::<core::Consensus>();
    thread_safe::<core::AggregateError>();
    thread_safe::<losses::JointObjective<'static>>();
    copyable::<metrics::Measured>();
    copyable::<metrics::Correctness>();
    copyable::<models::Network<f32>>();
    copyable::<models::Tape<f64>>();
    copyable::<models::FittedLogistic>();
    copyable::<eval::Experiment>();
    copyable::<eval::Comparison>();
    copyable::<eval::Model>();
    thread_safe::<eval::EvalError>();
}
