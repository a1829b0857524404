//! Whom to ask next about a case, and when to stop: the same accuracy for a fraction of the labels.
//!
//! - [`Consult`] learns a classifier whose probabilities mean what they say, the [`Competence`] of every expert, shrunk to
//!   what is known more widely, and the [`Dependence`] of their errors. What it learned is a [`ConsultPolicy`].
//! - [`Adaptive`] is its rule, a [`Consultation`](deferral_core::Consultation): it asks who tells most and stops when the
//!   label is believed firmly enough or nobody is worth their price, as [`Asking`] says.
//! - [`consult_within`] spends one budget on a batch; [`assign`] gives a batch to experts who can take only so many
//!   cases; [`WorstGroup`] chooses thresholds that keep a bound on the error of every group.
//!
//! An example stands at [`Consult`].

mod adaptive;
mod asking;
mod assignment;
mod bound;
mod budget;
mod calibrated;
mod case_tables;
mod competence;
mod costs;
mod dependence;
mod flow;
mod learner;
mod log;
mod paths;
mod policy;
mod regions;
mod table;
mod tempering;
mod worth;

pub use adaptive::Adaptive;
pub use asking::{Asking, Choice};
pub use assignment::{AssignError, Assignment, assign, assign_greedily};
pub use bound::{Thresholds, WorstGroup};
pub use budget::{BudgetError, consult_within};
pub use competence::{Competence, Shrinkage};
pub use costs::{ErrorCosts, PairCosts};
pub use dependence::Dependence;
pub use learner::{By, Consult, FEWEST_TO_CALIBRATE, Labels, Truth};
pub use paths::{Path, Step, paths};
pub use policy::{ConsultPolicy, RuleError};
