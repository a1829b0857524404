//! Names that appear while a table is read, in order of first appearance.

use deferral_core::Names;

use super::error::TableError;
use super::source::Source;

/// The most cases and workers that 32-bit indices can count; the last index stands for the classifier.
const MOST: u64 = u32::MAX as u64;

/// Names with a limit on how many there may be.
#[derive(Debug)]
pub(crate) struct Roster {
    names: Names,
    /// Tables are often sorted by task or by worker, so the next name is likely the last one again.
    last: usize,
    what: &'static str,
    limit: u64,
}

impl Roster {
    /// As many names as 32-bit indices can count; `what` they name, for a message.
    pub(crate) fn new(what: &'static str, names: Names) -> Self {
        Self::limited(what, names, MOST)
    }

    /// At most `limit` names.
    pub(crate) fn limited(what: &'static str, names: Names, limit: u64) -> Self {
        Self { names, last: 0, what, limit }
    }

    /// The position of `name`, which stands in the current row; added at the end if it is new.
    pub(crate) fn intern(&mut self, name: &str, source: &Source) -> Result<usize, TableError> {
        if self.names.name(self.last) != Some(name) {
            self.last = self.names.intern(name);
        }
        if (self.last as u64) < self.limit {
            return Ok(self.last);
        }
        Err(TableError::TooMany { place: source.row_place().into(), what: self.what, limit: self.limit })
    }

    /// How many names there are.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The names so far.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// The names.
    pub(crate) fn into_names(self) -> Names {
        self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_names_are_refused_where_they_stand() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cases.csv");
        std::fs::write(&path, "task\na\nb\na\nc\n").unwrap();
        let mut source = Source::open(&path, None).unwrap();
        let mut roster = Roster::limited("cases", Names::new(), 2);
        let mut positions = Vec::new();
        for _ in 0..3 {
            source.advance().unwrap();
            positions.push(roster.intern(source.raw(0).unwrap(), &source).unwrap());
        }
        assert_eq!(positions, [0, 1, 0]);
        source.advance().unwrap();
        let refused = roster.intern(source.raw(0).unwrap(), &source).unwrap_err().to_string();
        let expected = ", row 5: more than 2 cases; check that the right column is used, or divide the table";
        assert!(refused.ends_with(expected), "{refused}");
    }
}
