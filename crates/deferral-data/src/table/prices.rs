//! What a label of each expert costs.

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
    let mut source = Source::open(path, None)?;
    let worker = Layout::new(&source, &ReadOptions::default()).required(Role::Worker)?;
    let Some(cost) = source.columns().iter().position(|name| name == "cost") else {
        return Err(TableError::NoPrices { place: Place::file(path).into(), present: source.present() });
    };
    let mut prices: Vec<(String, f64)> = Vec::new();
    let mut listed = std::collections::HashSet::new();
    while source.advance()? {
        let (Some(name), Some(cell)) = (source.raw(worker), source.raw(cost).filter(|cell| !cell.trim().is_empty()))
        else {
            continue;
        };
        match cell.trim().parse::<f64>() {
            Ok(price) if price.is_finite() && price >= 0.0 => {
                let name = name.trim().to_owned();
                if !listed.insert(name.clone()) {
                    let expected = "a new name (this worker is listed twice)";
                    return Err(TableError::BadCell { place: source.place(worker).into(), value: name, expected });
                }
                prices.push((name, price));
            }
            _ => {
                let place = source.place(cost).into();
                return Err(TableError::BadCell { place, value: cell.to_owned(), expected: "a number from 0 on" });
            }
        }
    }
    Ok(prices)
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
    }
}
