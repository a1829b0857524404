//! Tables of cases and decisions, arrays of `NumPy`, and text to features.
//!
//! ```
//! use deferral_core::{Features, GroupId};
//! use deferral_data::{ReadOptions, Records, Role};
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("posts.csv");
//! std::fs::write(&path, "Post,Truth,Dialect,Expert 1,Expert 2\nhello,0,AAE,0,-\nwell,1,other,1,0\n")?;
//! let options = ReadOptions::default().column(Role::Text, "Post").column(Role::Label, "Truth");
//! let options = options.column(Role::Group, "Dialect").wide("Expert *", ["-"]);
//! let records = Records::from_wide(&path, &options)?;
//! println!("{}", records.report);
//! let data = records.dataset(Features::none(records.n()))?;
//! assert_eq!((data.n(), data.m(), data.k(), data.decisions().len()), (2, 2, 2, 3));
//! assert_eq!(data.cases().group("Dialect")?.of_case, [GroupId(0), GroupId(1)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod dialect;
mod featurise;
pub mod numpy;
mod rater_pools;
mod standardise;
mod table;
pub mod text;

pub use dialect::{DialectError, DialectModel, TOPICS};
pub use featurise::{FeatureReport, FeatureSpec, FeaturiseError, Featurised, Featuriser, Scale, TextFeatures};
pub use rater_pools::{MissingRating, RaterPools, RaterPoolsReport, read_rater_pools};
pub use standardise::Standardiser;
pub use table::*;
