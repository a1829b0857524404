//! The words and the traits of `deferral`: who decides a case - the model, one expert, or a committee.
//!
//! This crate holds what every other crate speaks about and no algorithm that learns: cases, features and sparse
//! decisions ([`Dataset`]); what a method learns ([`Learner`], [`Policy`]); the conversation that decides a case
//! ([`Consultation`], [`VoteSource`], [`consult`]) with fixed committees as its first rules ([`Committee`]); splits,
//! seeds with named streams, and the envelope of files that outlive a program ([`artifact`]).
//!
//! ```
//! use deferral_core::*;
//! // Three experts on two cases; a committee of all of them decides by majority.
//! let decisions = Decisions::from_triples(2, 3, [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0)])?;
//! let beliefs = (Probabilities(Columns::repeat(&[0.5, 0.5], 2)), Weights(Columns::repeat(&[1.0, 1.0, 1.0, 0.0], 2)));
//! let rule = Committee { select: Selection::Whole, classifier: Seat::Never, vote: VoteRule::Majority, ..Committee::default() };
//! let mut source = Recorded::new(&decisions, Absent::Unavailable);
//! let outcomes = consult(0..2, (&beliefs.0, &beliefs.1), &rule, &mut source, None, &Stream::new(1))?;
//! assert_eq!(outcomes[0].verdict.label, Label(1));
//! assert_eq!(outcomes[0].labels_used, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aggregate;
mod allocate;
pub mod artifact;
mod cases;
mod columns;
mod committee;
mod confusions;
mod consult;
mod context;
mod dataset;
mod decisions;
mod features;
pub mod files;
mod ids;
mod learn;
mod names;
mod resume;
mod seed;
mod split;
mod view;

pub use aggregate::{AggregateError, Aggregator, Ballots, Consensus, Criterion, Trace, Workers};
pub use allocate::{Allocator, Newcomer};
pub use cases::{Cases, CasesError, GroupAttribute};
pub use columns::{Columns, Probabilities, Weights, argmax, most_probable, tied};
pub use committee::{Committee, Seat, Selection, TieBreak, VoteRule};
pub use confusions::Confusions;
pub use consult::{
    Absent, ConsultError, Consultation, Consulted, Next, Outcome, Question, Recorded, Route, Verdict, VoteError,
    VoteSource, consult, consult_watched,
};
pub use context::{Cancelled, Context, Event, FitStatus, History, Observer, Silent};
pub use dataset::{Dataset, DatasetError, RelabelError};
pub use decisions::{Decisions, DecisionsBuilder, DecisionsError, Row, Vote};
pub use features::{FeatureError, Features, SparseFeatures};
pub use ids::{CaseId, ExpertId, GroupId, Label};
pub use learn::{CaseWeights, FitError, Learner, ParameterError, Policy, PolicyError};
pub use names::Names;
pub use resume::{Standing, resume};
pub use seed::{Random, Stream};
pub use split::{Split, SplitError, Splitter};
pub use view::CaseView;
