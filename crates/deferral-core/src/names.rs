//! Names from outside, interned to dense indices at the border.

use indexmap::IndexSet;
use serde::{Deserialize, Serialize};

/// An ordered set of names: position to name and name to position.
///
/// Every name is stored once; look-up is O(1) both ways.
///
/// ```
/// use deferral_core::Names;
/// let mut workers = Names::new();
/// assert_eq!(workers.intern("ann"), 0);
/// assert_eq!(workers.intern("bob"), 1);
/// assert_eq!(workers.intern("ann"), 0);
/// assert_eq!(workers.name(1), Some("bob"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Names(IndexSet<Box<str>>);

impl Names {
    /// No names.
    pub fn new() -> Self {
        Self::default()
    }

    /// The names `prefix0 .. prefix(n-1)`, for data that has none of its own.
    pub fn numbered(prefix: &str, n: usize) -> Self {
        (0..n).map(|i| format!("{prefix}{i}")).collect()
    }

    /// The position of `name`, added at the end if it is new.
    pub fn intern(&mut self, name: &str) -> usize {
        match self.0.get_index_of(name) {
            Some(position) => position,
            None => self.0.insert_full(name.into()).0,
        }
    }

    /// The position of `name`, if it is known.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.get_index_of(name)
    }

    /// The name at `position`.
    pub fn name(&self, position: usize) -> Option<&str> {
        self.0.get_index(position).map(AsRef::as_ref)
    }

    /// The name at `position`, or `?` where there is none: for messages.
    pub fn show(&self, position: usize) -> &str {
        self.name(position).unwrap_or("?")
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// The names at `positions`, in that order. Positions outside and repetitions are left out.
    #[must_use]
    pub fn select(&self, positions: &[usize]) -> Self {
        positions.iter().filter_map(|&p| self.name(p)).collect()
    }
}

impl<S: AsRef<str>> FromIterator<S> for Names {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut set = Self::new();
        for name in names {
            set.intern(name.as_ref());
        }
        set
    }
}
