//! What a label of each expert costs, and how many cases they can take.

use std::path::Path;

use super::error::{Place, TableError};
use super::layout::Layout;
use super::options::ReadOptions;
use super::roles::Role;
use super::source::Source;

/// Reads the columns `worker` and `cost` of an experts table: who charges what for a label, in the order of the file.
/// A row without a cost is left out.
///
/// # Errors
/// [`TableError`] names file, row and column, also of a cost that is not a number from 0 on.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("experts.csv");
/// std::fs::write(&path, "worker,cost\nann,2.5\nbob,1\n")?;
/// assert_eq!(deferral_data::read_prices(&path)?, [("ann".to_owned(), 2.5), ("bob".to_owned(), 1.0)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_prices(path: &Path) -> Result<Vec<(String, f64)>, TableError> {
    by_worker(path, "cost", "a number from 0 on", price)
}

/// How many cases each expert can take, and what their labels cost.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Capacities {
    /// Worker and capacity, in the order of the file.
    pub capacities: Vec<(String, usize)>,
    /// Worker and cost, where the table has that column.
    pub prices: Vec<(String, f64)>,
}

/// Reads the columns `worker` and `capacity` of an experts table, and `cost` if it is there. A row without a capacity is
/// left out.
///
/// # Errors
/// [`TableError`] names file, row and column, also of a capacity that is not a whole number from 0 on.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("capacity.csv");
/// std::fs::write(&path, "worker,capacity\nann,20\nbob,0\n")?;
/// let read = deferral_data::read_capacities(&path)?;
/// assert_eq!(read.capacities, [("ann".to_owned(), 20), ("bob".to_owned(), 0)]);
/// assert!(read.prices.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_capacities(path: &Path) -> Result<Capacities, TableError> {
    let capacities = by_worker(path, "capacity", "a whole number from 0 on", |cell| cell.parse().ok())?;
    match read_prices(path) {
        Ok(prices) => Ok(Capacities { capacities, prices }),
        Err(TableError::NoNumbers { .. }) => Ok(Capacities { capacities, prices: Vec::new() }),
        Err(error) => Err(error),
    }
}

fn price(cell: &str) -> Option<f64> {
    cell.parse().ok().filter(|price: &f64| price.is_finite() && *price >= 0.0)
}

/// Reads one column of a table of workers. A row without an entry is left out.
fn by_worker<T>(
    path: &Path,
    column: &'static str,
    expected: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<(String, T)>, TableError> {
    let mut source = Source::open(path, None)?;
    let worker = Layout::new(&source, &ReadOptions::default()).required(Role::Worker)?;
    let Some(column) = source.columns().iter().position(|name| name == column) else {
        return Err(TableError::NoNumbers { place: Place::file(path).into(), column, present: source.present() });
    };
    let mut entries = Vec::new();
    let mut listed = std::collections::HashSet::new();
    while source.advance()? {
        let (Some(name), Some(cell)) = (source.raw(worker), source.raw(column).filter(|cell| !cell.trim().is_empty()))
        else {
            continue;
        };
        let Some(value) = parse(cell.trim()) else {
            let place = source.place(column).into();
            return Err(TableError::BadCell { place, value: cell.to_owned(), expected });
        };
        let name = name.trim().to_owned();
        if !listed.insert(name.clone()) {
            let expected = "a new name (this worker is listed twice)";
            return Err(TableError::BadCell { place: source.place(worker).into(), value: name, expected });
        }
        entries.push((name, value));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("experts.csv");
        let message = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_prices(&path).unwrap_err().to_string().replace(&path.display().to_string(), "experts.csv")
        };
        assert_eq!(
            message("worker,cost\nann,1\nbob,-2\n"),
            "experts.csv, row 3, column `cost`: `-2` is not a number from 0 on; correct the cell"
        );
        assert_eq!(
            message("worker,cost\nann,1\nann,2\n"),
            "experts.csv, row 3, column `worker`: `ann` is not a new name (this worker is listed twice); correct the cell"
        );
        assert!(message("worker,price\nann,1\n").starts_with("experts.csv: no column `cost`; present are"));
        std::fs::write(&path, "worker,capacity\nann,-1\n").unwrap();
        let message =
            read_capacities(&path).unwrap_err().to_string().replace(&path.display().to_string(), "experts.csv");
        assert_eq!(
            message,
            "experts.csv, row 2, column `capacity`: `-1` is not a whole number from 0 on; correct the cell"
        );
    }
}
