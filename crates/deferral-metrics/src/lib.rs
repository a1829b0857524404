//! Numbers that say how good a system of models and people is, for whom, and how sure we are.
//!
//! Everything starts from small inputs: labels, group attributes, sparse decisions. A measured number is a
//! [`Measured`]: an [`Estimate`] with its n and, where one is known, its 95 % interval, or [`Measured::Undefined`] where
//! there is nothing to measure, such as a group without a case; it is never NaN. Cases that cannot be judged are left
//! out and counted, never guessed.
//!
//! ```
//! use deferral_core::{Decisions, GroupAttribute, Label};
//! use deferral_metrics::{Correctness, GroupAccuracy, krippendorff_alpha, majority};
//! // Three people label three posts, one answer is missing; the truth of the last post is not known.
//! let votes = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 0), (2, 0, 1), (2, 1, 0), (2, 2, 1)];
//! let decisions = Decisions::from_triples(3, 3, votes)?;
//! let dialect = GroupAttribute::from_values("dialect", ["AAE", "other", "other"]);
//! let correct = Correctness::of(&majority(&decisions), &[Some(Label(1)), Some(Label(1)), None])?;
//! let groups = GroupAccuracy::of(&correct, &dialect)?;
//! assert_eq!((correct.accuracy().to_string(), correct.without_truth), ("0.5000".into(), 1));
//! assert_eq!((groups.groups[0].accuracy.value(), groups.groups[1].accuracy.value()), (Some(1.0), Some(0.0)));
//! assert_eq!(krippendorff_alpha(&decisions).to_string(), "0.1250");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accuracy;
mod agreement;
mod auc;
mod bootstrap;
mod calibration;
mod coverage;
mod differential;
mod error;
mod estimate;
mod exact;
mod experts;
mod gap;
mod groups;
mod load;
mod off_policy;
mod pareto;
mod rank;
mod rates;
mod spread;

pub use accuracy::{Confusion, Correctness, Paired, accuracy};
pub use agreement::{alpha_bootstrap, krippendorff_alpha, majority, majority_with};
pub use auc::{OneVsRest, auc, auc_one_vs_rest};
pub use bootstrap::{Bootstrap, Bootstrapped, Difference, Resampling};
pub use calibration::{Reliability, ReliabilityBin, right_when_sure};
pub use coverage::{CoverageCurve, CoveragePoint, coverage};
pub use differential::{Differential, DifferentialOdds, LogGap, ODDS_SMOOTHING, OutcomeTable, PARITY_SMOOTHING};
pub use error::MetricError;
pub use estimate::{Estimate, Measured, Z95, proportion, wilson};
pub use exact::{clopper_pearson, clopper_pearson_lower, clopper_pearson_upper, p_value_at_most};
pub use experts::{ExpertAccuracy, GroupAdvantage, expert_accuracies};
pub use gap::{GroupGaps, disparate_impact_interval};
pub use groups::{GroupAccuracy, GroupMeasure};
pub use load::Load;
pub use off_policy::{LoggedCase, LoggedDraw, OffPolicy, OffPolicyEstimate, OffPolicyEstimates, Seats};
pub use pareto::{Tradeoff, dominates, hypervolume, pareto_front};
pub use rank::{midranks, spearman};
pub use rates::{ErrorRates, GroupRates};
pub use spread::{Spread, median, quantile};
