//! What training minimises, and the learners that own it:
//!
//! - the joint framework of classifier and deferrer ([`Joint`]), for a committee of many experts;
//! - one model beside one decision-maker, which predicts, rejects or defers ([`idk`]);
//! - the later surrogates of learning to defer, for one and several experts ([`surrogates`]).
//!
//! Each method is a [`Learner`](deferral_core::Learner); its policy says how much every expert, and the classifier,
//! should count for a case. How a committee is drawn from these weights and how it votes is core's
//! [`Committee`](deferral_core::Committee).
//!
//! ```
//! use deferral_core::*;
//! use deferral_losses::Joint;
//! use deferral_models::Training;
//! // Expert 1 is always right, expert 0 never: the deferrer learns whom to listen to.
//! let votes = (0..40u32).flat_map(|i| [(i, 0, 1 - (i % 2) as u16), (i, 1, (i % 2) as u16)]);
//! let features = Features::dense(Columns::repeat(&[1.0], 40))?;
//! let cases = Cases::new(Names::numbered("case", 40), features)?;
//! let cases = cases.with_labels((0..40).map(|i| Some(Label(i % 2))).collect())?;
//! let data = Dataset::new(cases, Decisions::from_triples(40, 2, votes)?, Names::numbered("", 2), Names::numbered("w", 2))?;
//! let joint = Joint { training: Training { steps: 100, ..Joint::default().training }, ..Joint::default() };
//! let mut silent = Silent;
//! let policy = joint.fit(&data, &CaseWeights::uniform(40), &mut Context::new(Stream::new(1), &mut silent))?;
//! let weights = policy.weigh(data.cases())?;
//! assert!(weights.column(0)[1] > weights.column(0)[0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod costs;
pub mod idk;
mod joint;
mod joint_objective;
mod named;
mod schedule;
pub mod surrogates;

pub use costs::{CostScope, ExpertCosts};
pub use idk::{Aim, BayesianIdk, BayesianPolicy, ExpertLoss, Idk, IdkModel, IdkPolicy, Patience, Told};
pub use joint::{GroupLosses, Joint, JointPolicy, committee_for};
pub use joint_objective::{ClassifierGradient, Form, JointObjective, Link, system_probabilities};
pub use schedule::Schedule;
