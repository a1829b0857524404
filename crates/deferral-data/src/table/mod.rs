//! Tables on disk: decisions, cases and routes, as CSV or JSONL, long or wide.
//!
//! The columns, their usual names and what a missing cell means are the same in every format. Every reader streams:
//! one row is in memory at a time, in buffers that are reused.

mod availability;
mod cases;
mod confidence;
mod consensus;
mod decisions;
mod error;
mod error_costs;
mod format;
mod inputs;
mod jsonl;
mod labels;
mod layout;
mod list;
mod members;
mod options;
mod parts;
mod prices;
mod records;
mod report;
mod roles;
mod roster;
mod routes;
mod sink;
mod source;
mod write;

pub use availability::{AvailableRow, read_available};
pub use cases::{CaseTable, read_cases};
pub use consensus::{LabelRow, WorkerRow, write_labels, write_labels_to, write_workers};
pub use decisions::{DecisionTable, read_decisions};
pub use error::{Place, TableError};
pub use error_costs::read_error_costs;
pub use format::Format;
pub use inputs::{Inputs, Numeric};
pub use members::{Member, read_members, read_similarities};
pub use options::{FeatureColumns, ReadOptions, Wide};
pub use parts::Part;
pub use prices::{Capacities, read_capacities, read_prices};
pub use records::{Records, UnknownTask, join};
pub use report::{DropReason, Dropped, JoinReport, MISSING_GROUP, ReadReport};
pub use roles::{Role, parse_column, parse_label_map};
pub use routes::{RouteKind, RouteRow, read_routes, write_routes, write_routes_to};
pub(crate) use {roster::Roster, source::Source};
