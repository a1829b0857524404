//! Typed indices, so that a group cannot be passed for a label.

use serde::{Deserialize, Serialize};

/// The position of a case in its table, `0..n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaseId(pub u32);

/// The position of an expert in the roster, `0..m`; `m` itself stands for the classifier, which is the last row of
/// every weight matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExpertId(pub u32);

/// One value of a group attribute, `0..G`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupId(pub u32);

/// A class, `0..K`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Label(pub u16);

impl CaseId {
    /// The id of the case at `index`. Tables hold fewer than 2^32 cases; the readers refuse more.
    pub fn at(index: usize) -> Self {
        Self(index as u32)
    }
    /// The position as an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl ExpertId {
    /// The id of the expert at `index`.
    pub fn at(index: usize) -> Self {
        Self(index as u32)
    }
    /// The position as an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl GroupId {
    /// The id of the group at `index`.
    pub fn at(index: usize) -> Self {
        Self(index as u32)
    }
    /// The position as an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Label {
    /// The label at `index`.
    pub fn at(index: usize) -> Self {
        Self(index as u16)
    }
    /// The position as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}
