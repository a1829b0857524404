//! Choosing, listening and learning case by case.
//!
//! Every method has parameters, such as [`Ucb`], and a state, such as [`UcbState`], that [`OnlineMethod::start`] makes
//! of them. The state is an [`Allocator`](deferral_core::Allocator): it says whom to ask about a case, then learns from
//! the votes. [`Streamed`] makes a [`Learner`](deferral_core::Learner) of the parameters: past cases run through the
//! method in order, with the true labels as feedback.
//!
//! | method | looks at the case | asks |
//! |---|---|---|
//! | [`MultiplicativeWeights`] | no | everybody, or k drawn by weight |
//! | [`EpsilonGreedy`] | no | the k best, now and then others |
//! | [`Ucb`] | no | the k largest confidence bounds |
//! | [`Thompson`] | no | the k largest draws |
//! | [`LinUcb`] | yes | the k largest confidence bounds |
//! | [`LinearThompson`] | yes | the k largest draws |
//!
//! **Without true labels** the reward of a worker is agreement with the label that the votes give, as in the closed
//! loop of Keswani, Lease and Kenthapadi (2022). One vote alone always agrees with the label it gives, so a method
//! that asks one worker a case (k = 1, the default) learns nothing from `learn`; and a small committee can settle on
//! people who confirm each other. In a simulation of six workers who are right with probability .5 to .92 on three
//! classes, committees of 5 found the best one in each of six runs of every method, committees of 3 not in all of
//! them. Where the truth becomes known, give it to [`Online::reward`] instead.

mod arms;
mod choice;
mod epsilon_greedy;
mod lin_ucb;
mod linear;
mod method;
mod multiplicative;
mod stream;
mod thompson;
mod ucb;

#[cfg(test)]
mod tests;

pub use arms::{Arm, Arms};
pub use epsilon_greedy::{EpsilonGreedy, EpsilonGreedyState, Exploration};
pub use lin_ucb::{LinUcb, LinUcbState};
pub use linear::{LinearArm, LinearArms};
pub use method::{Online, OnlineMethod, Setting, Skills};
pub use multiplicative::{Follow, MultiplicativeWeights, MultiplicativeWeightsState, WeightRule};
pub use stream::{Streamed, StreamedPolicy};
pub use thompson::{LinearThompson, LinearThompsonState, Thompson, ThompsonState};
pub use ucb::{Ucb, UcbState};
