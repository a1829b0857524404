//! One case as a person or an online method sees it.

use crate::ids::{CaseId, GroupId};

/// What is seen of a case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CaseView<'a> {
    /// Which case.
    pub case: CaseId,
    /// Its d features.
    pub features: &'a [f64],
    /// Its group, of the attribute that whoever looks at it tells cases apart by.
    pub group: Option<GroupId>,
}
