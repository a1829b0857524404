//! One model and one decision-maker: the model decides or says "I don't know" (Madras, Pitassi and Zemel 2018).
//!
//! With p the model's probability of class 1, q the decision-maker's and pi the probability of asking them, a case with
//! truth y costs
//!
//! | [`Aim`] | loss of a case |
//! |---|---|
//! | [`Aim::Predict`] | `CE(y, p)` |
//! | [`Aim::Reject`] | `(1 - pi) CE(y, p) + pi gamma` |
//! | [`Aim::Defer`] | `(1 - pi) CE(y, p) + pi (l(y, q) + gamma)` |
//!
//! plus `alpha` times a [`Penalty`](deferral_models::Penalty) of the whole batch. Rejecting prices every question the
//! same; deferring knows how good the answer is going to be. With a decision-maker who is always right they are the
//! same.

mod bayesian;
mod data;
mod head;
mod learner;
mod objective;
mod policy;

pub use bayesian::{BayesianIdk, BayesianPolicy};
pub use data::{ExpertLoss, Told};
pub use head::IdkModel;
pub use learner::{Idk, Patience};
pub use objective::{Aim, IdkObjective};
pub use policy::IdkPolicy;
