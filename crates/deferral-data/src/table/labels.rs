//! Labels get their numbers when all their names are known, so that label "0" is `Label(0)`.

use deferral_core::{Label, Names};

use super::error::TableError;
use super::roster::Roster;
use super::source::Source;

/// The most labels that there may be.
pub(crate) const LIMIT: u64 = 1 << 16;

/// Labels in order of first appearance, while a table is read.
#[derive(Debug)]
pub(crate) struct Appeared(Roster);

impl Default for Appeared {
    fn default() -> Self {
        Self(Roster::limited("different labels", Names::new(), LIMIT))
    }
}

impl Appeared {
    /// The provisional label called `name`.
    pub(crate) fn intern(&mut self, name: &str, source: &Source) -> Result<Label, TableError> {
        Ok(Label::at(self.0.intern(name, source)?))
    }

    /// The final names, renamed by `map` and sorted, and the final label of each provisional one.
    pub(crate) fn finish(self, map: &[(String, String)]) -> (Names, Vec<Label>) {
        let renamed = |name| match map.iter().find(|(from, _)| from.trim() == name) {
            Some((_, to)) => to.trim(),
            None => name,
        };
        let names = sorted(&self.0.names().iter().map(renamed).collect());
        let to = self.0.names().iter().map(|name| place(&names, renamed(name))).collect();
        (names, to)
    }
}

/// The names of two tables together, sorted, and the label in it of each name of the first and of the second.
pub(crate) fn unite(first: &Names, second: &Names) -> (Names, Vec<Label>, Vec<Label>) {
    let names = sorted(&first.iter().chain(second.iter()).collect());
    let places = |of: &Names| of.iter().map(|name| place(&names, name)).collect();
    let (of_first, of_second) = (places(first), places(second));
    (names, of_first, of_second)
}

fn place(names: &Names, name: &str) -> Label {
    Label::at(names.position(name).unwrap_or_default())
}

/// Sorted as numbers if all are integers, else as text.
fn sorted(names: &Names) -> Names {
    let mut sorted: Vec<&str> = names.iter().collect();
    let number = |name: &str| name.parse::<i64>();
    if sorted.iter().all(|name| number(name).is_ok()) {
        // `1` and `01` are the same number, but not the same label.
        sorted.sort_by_key(|name| (number(name).unwrap_or_default(), *name));
    } else {
        sorted.sort_unstable();
    }
    sorted.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(names: &[&str], map: &[(&str, &str)]) -> (Vec<String>, Vec<u16>) {
        let map: Vec<_> = map.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let (names, to) = Appeared(Roster::limited("labels", names.iter().collect(), LIMIT)).finish(&map);
        (names.iter().map(str::to_owned).collect(), to.iter().map(|l| l.0).collect())
    }

    #[test]
    fn integers_sort_as_numbers_and_anything_else_as_text() {
        assert_eq!(finish(&["10", "-1", "9"], &[]), (vec!["-1".into(), "9".into(), "10".into()], vec![2, 0, 1]));
        assert_eq!(finish(&["10", "9", "x"], &[]), (vec!["10".into(), "9".into(), "x".into()], vec![0, 1, 2]));
        assert_eq!(finish(&["1", "01"], &[]), (vec!["01".into(), "1".into()], vec![1, 0]));
    }

    #[test]
    fn a_map_renames_all_at_once_and_may_merge() {
        assert_eq!(finish(&["0", "1"], &[("0", "1"), ("1", "0")]), (vec!["0".into(), "1".into()], vec![1, 0]));
        assert_eq!(finish(&["0", "1", "2"], &[("2", "1")]), (vec!["0".into(), "1".into()], vec![0, 1, 1]));
    }

    #[test]
    fn united_names_are_sorted_again() {
        let (names, first, second) = unite(&["1", "3"].iter().collect(), &["2", "1"].iter().collect());
        assert_eq!(names.iter().collect::<Vec<_>>(), ["1", "2", "3"]);
        assert_eq!((first, second), (vec![Label(0), Label(2)], vec![Label(1), Label(0)]));
    }
}
