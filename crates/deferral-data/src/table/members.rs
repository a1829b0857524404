//! Who is there, and how well each of them suits each group: the experts table and the prior.

use std::collections::HashSet;
use std::path::Path;

use super::error::{Place, TableError};
use super::layout::Layout;
use super::options::ReadOptions;
use super::roles::Role;
use super::source::Source;

/// Somebody as the experts table knows them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Member {
    /// Their name.
    pub worker: String,
    /// What a label of theirs costs, if that is said.
    pub cost: Option<f64>,
    /// Tasks that they can take in a time window, if that is limited.
    pub capacity: Option<u32>,
    /// What their labels may cost altogether, if that is limited.
    pub budget: Option<f64>,
}

/// Reads an experts table: `worker`, and `cost`, `capacity` and `budget` where it has them; an empty cell says nothing.
/// Other columns are passed over.
///
/// # Errors
/// [`TableError`] names file, row and column, also of a number that is none and a worker who is listed twice.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("experts.csv");
/// std::fs::write(&path, "worker,cost,capacity\nann,2.5,\nbob,,40\n")?;
/// let members = deferral_data::read_members(&path)?;
/// assert_eq!((members[0].cost, members[0].capacity), (Some(2.5), None));
/// assert_eq!((members[1].worker.as_str(), members[1].capacity), ("bob", Some(40)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_members(path: &Path) -> Result<Vec<Member>, TableError> {
    let mut source = Source::open(path, None)?;
    let worker = Layout::new(&source, &ReadOptions::default()).required(Role::Worker)?;
    let column = |name: &str| source.columns().iter().position(|column| column == name);
    let (cost, capacity, budget) = (column("cost"), column("capacity"), column("budget"));
    let mut members = Vec::new();
    let mut listed = HashSet::new();
    while source.advance()? {
        let Some(name) = filled(&source, worker) else { continue };
        if !listed.insert(name.to_owned()) {
            return Err(source.refused(worker, "a new name (this worker is listed twice)"));
        }
        members.push(Member {
            worker: name.to_owned(),
            cost: number(&source, cost, "a number from 0 on", amount)?,
            capacity: number(&source, capacity, "a whole number from 0 on", |cell| cell.parse().ok())?,
            budget: number(&source, budget, "a number from 0 on", amount)?,
        });
    }
    Ok(members)
}

/// Reads a prior: `worker`, `group` and `similarity`, a row a pair, in the order of the file.
///
/// # Errors
/// [`TableError`] names file, row and column, also of a similarity outside 0 to 1 and a pair that is listed twice.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("prior.csv");
/// std::fs::write(&path, "worker,group,similarity\nann,north,0.9\n")?;
/// assert_eq!(deferral_data::read_similarities(&path)?, [("ann".to_owned(), "north".to_owned(), 0.9)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_similarities(path: &Path) -> Result<Vec<(String, String, f64)>, TableError> {
    let mut source = Source::open(path, None)?;
    let worker = Layout::new(&source, &ReadOptions::default()).required(Role::Worker)?;
    let column = |name: &'static str| {
        let at = source.columns().iter().position(|column| column == name);
        let missing =
            || TableError::NoNumbers { place: Place::file(path).into(), column: name, present: source.present() };
        at.ok_or_else(missing)
    };
    let (group, similarity) = (column("group")?, column("similarity")?);
    let mut pairs = Vec::new();
    let mut listed = HashSet::new();
    while source.advance()? {
        let (Some(name), Some(suited)) = (filled(&source, worker), filled(&source, group)) else { continue };
        let pair = (name.to_owned(), suited.to_owned());
        let between = |cell: &str| amount(cell).filter(|similarity| *similarity <= 1.0);
        let Some(value) = number(&source, Some(similarity), "a number from 0 to 1", between)? else {
            return Err(source.refused(similarity, "a number from 0 to 1"));
        };
        if !listed.insert(pair.clone()) {
            return Err(source.refused(group, "a new pair of worker and group (this one is listed twice)"));
        }
        pairs.push((pair.0, pair.1, value));
    }
    Ok(pairs)
}

fn amount(cell: &str) -> Option<f64> {
    cell.parse().ok().filter(|amount: &f64| amount.is_finite() && *amount >= 0.0)
}

fn filled(source: &Source, column: usize) -> Option<&str> {
    source.raw(column).map(str::trim).filter(|cell| !cell.is_empty())
}

fn number<T>(
    source: &Source,
    column: Option<usize>,
    expected: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, TableError> {
    let Some(column) = column else { return Ok(None) };
    let Some(cell) = filled(source, column) else { return Ok(None) };
    parse(cell).map(Some).ok_or_else(|| source.refused(column, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.csv");
        let shown = |error: TableError| error.to_string().replace(&path.display().to_string(), "people.csv");
        let members = |text: &str| {
            std::fs::write(&path, text).unwrap();
            shown(read_members(&path).unwrap_err())
        };
        assert_eq!(
            members("worker,capacity\nann,many\n"),
            "people.csv, row 2, column `capacity`: `many` is not a whole number from 0 on; correct the cell"
        );
        assert!(members("worker\nann\nann\n").contains("row 3, column `worker`: `ann` is not a new name"));
        assert!(members("name\nann\n").contains("no column for the role worker"));
        let prior = |text: &str| {
            std::fs::write(&path, text).unwrap();
            shown(read_similarities(&path).unwrap_err())
        };
        assert_eq!(
            prior("worker,group,similarity\nann,a,1.5\n"),
            "people.csv, row 2, column `similarity`: `1.5` is not a number from 0 to 1; correct the cell"
        );
        assert!(prior("worker,group,similarity\nann,a,\n").contains("is not a number from 0 to 1"));
        assert!(
            prior("worker,group,similarity\nann,a,1\nann,a,0\n").contains("row 3, column `group`: `a` is not a new")
        );
        assert!(prior("worker,similarity\nann,1\n").starts_with("people.csv: no column `group`; present are"));
    }
}
