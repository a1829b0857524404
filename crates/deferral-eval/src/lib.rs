//! Comparing methods honestly: describe an experiment, run it on all cores, record what happened, report it.
//!
//! The closed list of methods known by name is [`METHODS`]; [`Method::parse`] reads one with its settings;
//! [`run`] carries out an [`Experiment`]; [`Comparison::rows`] sums it up, every method beside its labels per case.
//!
//! ```
//! use deferral_core::Splitter;
//! use deferral_eval::*;
//! use deferral_experts::Moderation;
//! let methods = ["majority", "best-expert"].map(|name| Method::parse(name, &[], None));
//! let experiment = Experiment {
//!     source: Source::Moderation(Moderation { cases: 200, ..Moderation::default() }),
//!     panel: Panel::Recorded,
//!     division: Splitter::ShuffledFolds { k: 4 }.into(),
//!     repetitions: 1,
//!     methods: methods.into_iter().collect::<Result<_, _>>()?,
//!     features: FeatureChoice::default(),
//!     group: Some("dialect".into()),
//!     seed: 1,
//! };
//! let rows = run(&experiment, &|_, _| {})?.rows();
//! assert_eq!(rows[1].labels_per_case, 1.0);
//! assert!(rows[0].labels_per_case > 3.0);
//! # Ok::<(), EvalError>(())
//! ```

mod aggregation;
mod aggregators;
mod audit;
mod audit_report;
mod audit_tables;
mod cells;
pub mod chart;
pub mod closed_loop;
mod comparison;
mod consult_settings;
mod crowd_audit;
mod decision_makers;
mod division;
mod effort_curve;
mod error;
mod evaluation;
mod experiment;
mod fairness;
mod figures;
mod frontier;
mod frontier_report;
mod grid;
mod html;
mod idk_settings;
mod label_curve;
mod methods;
mod model;
mod penalties;
mod policy;
mod routing;
mod run;
mod settings;
mod source;
mod stepwise;
mod surrogate_settings;
mod suspects;
mod table;
mod tradeoff;
mod tradeoff_report;

pub use aggregation::{aggregate, tasks};
pub use aggregators::{AGGREGATORS, NamedAggregator};
pub use audit::{Advantage, Audit, ExpertAudit, GroupAudit, LabelCount, audit};
pub use audit_report::audit_html;
pub use audit_tables::{audit_labels, audit_roster, audit_summary, model_table, suspect_table};
pub use cells::{Cell, Cells};
pub use comparison::{Comparison, Decided, ExpertRecord, Record, Row, Tally};
pub use crowd_audit::{CrowdAudit, ModelCheck, Suspect, crowd_audit};
pub use decision_makers::{DecisionMaker, reliable, with_decision_makers};
pub use division::Division;
pub use error::EvalError;
pub use evaluation::{Evaluation, evaluate};
pub use experiment::{Experiment, FeatureChoice, Job};
pub use fairness::{FAIRNESS, FairLearner};
pub use frontier::{Efforts, Family, Frontier, FrontierPoint, SURE, frontier};
pub use grid::{Axis, GridError};
pub use html::{escape, html, page};
pub use label_curve::{CurvePlan, CurvePoint, LabelCurve, label_curve};
pub use methods::{FeatureKind, Known, METHODS, Members, Method, MethodError, Rule};
pub use model::{Learned, Model, UnknownExperts, Verdicts};
pub use penalties::AnyPenalty;
pub use policy::{AnyLearner, AnyPolicy};
pub use routing::{RoutingRow, routing, routing_table};
pub use run::{run, run_jobs};
pub use source::{Panel, Source, from_generated};
pub use stepwise::Assigning;
pub use suspects::Suspicion;
pub use table::{Table, comparison_numbers, comparison_table};
pub use tradeoff::{Medians, Sweep, Tradeoff, TradeoffPoint, Tradings, tradeoff};
