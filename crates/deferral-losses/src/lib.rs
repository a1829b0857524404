//! What training minimises: the joint framework of classifier and deferrer, and the methods it is compared with.
//!
//! Each method is a [`Learner`](deferral_core::Learner); its policy says how much every expert, and the classifier,
//! should count for a case. How a committee is drawn from these weights and how it votes is core's
//! [`Committee`](deferral_core::Committee).
//!
//! ```
//! use deferral_core::*;
//! use deferral_losses::BestExpert;
//! // Expert 1 is always right, expert 0 is right on one case of two.
//! let decisions = Decisions::from_triples(2, 2, [(0, 0, 1), (0, 1, 0), (1, 0, 1), (1, 1, 1)])?;
//! let cases = Cases::new(Names::numbered("case", 2), Features::none(2))?;
//! let cases = cases.with_labels(vec![Some(Label(0)), Some(Label(1))])?;
//! let data = Dataset::new(cases, decisions, Names::numbered("", 2), Names::numbered("expert", 2))?;
//! let mut silent = Silent;
//! let mut ctx = Context::new(Stream::new(1), &mut silent);
//! let policy = BestExpert::default().fit(&data, &CaseWeights::uniform(2), &mut ctx)?;
//! assert_eq!(policy.weigh(data.cases())?.column(0), [0.5, 0.75, 0.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod balance;
mod classifier;
mod costs;
mod joint;
mod joint_objective;
mod roster;
mod schedule;

pub use balance::balanced;
pub use classifier::{Classifier, ClassifierPolicy, Precision};
pub use costs::{CostScope, ExpertCosts};
pub use joint::{Joint, JointPolicy, committee_for};
pub use joint_objective::{ClassifierGradient, Form, JointObjective, Link, system_probabilities};
pub use roster::{BestExpert, Everyone, FairCommittee, RandomCommittee, RosterPolicy};
pub use schedule::Schedule;
