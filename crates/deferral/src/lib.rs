#![doc = include_str!("../../../README.md")]

pub use deferral_allocation as allocation;
pub use deferral_consult as consult;
pub use deferral_core as core;
pub use deferral_crowd as crowd;
pub use deferral_data as data;
pub use deferral_eval as eval;
pub use deferral_experts as experts;
pub use deferral_fairness as fairness;
pub use deferral_losses as losses;
pub use deferral_metrics as metrics;
pub use deferral_models as models;

/// What most programs need: `use deferral::prelude::*;`.
pub mod prelude {
    pub use deferral_allocation::{ClosedLoop, Journal, LatentTruth, LoopSpec, Matching, Prior};
    pub use deferral_core::{
        Absent, CaseWeights, Cases, Columns, Committee, Context, Dataset, Decisions, Features, GroupAttribute, Label,
        Learner, Names, Policy, Recorded, Seat, Selection, Silent, Splitter, Stream, VoteRule, consult,
    };
    pub use deferral_data::{ReadOptions, Records, Role, join, read_cases, read_decisions};
    pub use deferral_eval::{Experiment, FeatureChoice, Method, Model, Panel, Source, audit, run};
    pub use deferral_fairness::{Balanced, Guarantee, Minimax};
    pub use deferral_losses::{Idk, Joint};
    pub use deferral_metrics::{Correctness, GroupAccuracy, Measured, Spread, krippendorff_alpha, majority};
    pub use deferral_models::Classifier;
}
