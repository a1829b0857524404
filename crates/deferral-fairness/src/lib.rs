//! Fairness around any learner of who decides.
//!
//! A wrapper takes a [`Learner`](deferral_core::Learner) and is one; it trains it with other case weights or labels, or
//! changes what its policy does. What is judged is what model and experts say together
//! ([`Policy::together`](deferral_core::Policy::together)).
//!
//! | what is asked for | wrapper |
//! |---|---|
//! | every group counts the same | [`Balanced`], [`NoisyBalanced`] for groups known by probability |
//! | the worst group is served as well as it can be | [`Minimax`], [`ApStar`] |
//! | groups differ by at most so much, or no group loses more than so much | [`Constrained`] |
//! | thresholds of its own for each group, afterwards | [`GroupThresholds`] |
//! | the system errs on at most a share of the cases, with a promised probability | [`Guarantee`] |
//! | unequal error rates cost something in training | the penalties [`DisparateImpact`], [`DifferentialOdds`] |
//! | fairness learned on another task | [`Transfer`] |
//!
//! No group is needed when a case is decided, except by [`GroupThresholds`] and by a [`Guarantee`] with a threshold a group.
//!
//! ```
//! use deferral_fairness::{Balanced, Guarantee, Minimax};
//! use deferral_models::Classifier;
//! // Wrappers go around each other, from the inside out.
//! let fair = Minimax::by("dialect", Classifier::default());
//! let promised = Guarantee::at_most(0.1, fair).by("dialect");
//! assert_eq!((promised.promise, promised.learner.rounds), (0.95, 20));
//! assert_eq!(Balanced::by("dialect", promised).attribute, "dialect");
//! ```

mod ap_star;
mod aside;
mod balanced;
mod differential_odds;
mod disparate_impact;
mod group_errors;
mod group_thresholds;
mod group_weights;
mod guarantee;
mod guaranteed_policy;
mod measured_on;
mod membership;
mod minimax;
mod mixture;
mod mixture_majority;
mod noisy_groups;
mod reductions;
mod threshold_search;
mod transfer;

pub use ap_star::{ApStar, ApStarUpdate, ApStarWeighting};
pub use balanced::Balanced;
pub use differential_odds::{DifferentialOdds, RunningOdds};
pub use disparate_impact::{DisparateImpact, ImpactForm};
pub use group_errors::{ErrorKind, GroupErrors, group_errors};
pub use group_thresholds::{GroupThresholds, GroupThresholdsPolicy};
pub use group_weights::{EqualErrorUpdate, GrowingUpdate, MultiplicativeUpdate, RelaxedUpdate};
pub use guarantee::Guarantee;
pub use guaranteed_policy::{DeferBy, GroupThreshold, GuaranteedPolicy};
pub use measured_on::RisksOn;
pub use membership::Membership;
pub use minimax::{Minimax, MinimaxForm, MinimaxTrace, RELEASED_BATCH, SYSTEM_SHARE};
pub use mixture::Mixture;
pub use mixture_majority::MixtureMajority;
pub use noisy_groups::NoisyBalanced;
pub use reductions::{Constrained, ConstrainedPolicy, ConstrainedReport, Constraint, ConstraintRow, Response};
pub use threshold_search::{
    FoundThresholds, IdkRange, ThresholdIdk, ThresholdLoss, ThresholdSearch, search_thresholds,
};
pub use transfer::{Transfer, TransferFrom, TransferPolicy};
