//! What it costs to decide one class where another is right.

use std::path::Path;

use deferral_core::Names;

use super::error::{Place, TableError};
use super::layout::Missing;
use super::source::Source;

/// Reads a table of error costs (columns `true`, `predicted`, `cost`) as one row a true label, one entry a predicted one,
/// in the order of `labels`. Pairs that are not listed cost 1, right decisions 0.
///
/// # Errors
/// [`TableError`] names file, row and column, also of a label that is none of `labels`, a cost that is not a number from 0
/// on and a pair that is listed twice.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("costs.csv");
/// std::fs::write(&path, "true,predicted,cost\nabusive,fine,10\n")?;
/// let labels = ["abusive", "fine"].into_iter().collect();
/// assert_eq!(deferral_data::read_error_costs(&path, &labels)?, [[0.0, 10.0], [1.0, 0.0]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_error_costs(path: &Path, labels: &Names) -> Result<Vec<Vec<f64>>, TableError> {
    let mut source = Source::open(path, None)?;
    let column = |name: &'static str| {
        let at = source.columns().iter().position(|column| column == name);
        at.ok_or_else(|| TableError::NoNumbers {
            place: Place::file(path).into(),
            column: name,
            present: source.present(),
        })
    };
    let (truth, predicted, cost) = (column("true")?, column("predicted")?, column("cost")?);
    let cost_of = |truth: usize, decided: usize| if truth == decided { 0.0 } else { 1.0 };
    let mut costs: Vec<Vec<f64>> =
        (0..labels.len()).map(|t| (0..labels.len()).map(|d| cost_of(t, d)).collect()).collect();
    let mut listed = std::collections::HashSet::new();
    while source.advance()? {
        let label = |column: usize| {
            let name = Missing::new([]).cell(source.raw(column)).unwrap_or_default();
            labels.position(name).ok_or_else(|| source.refused(column, "one of the labels that the model knows"))
        };
        let (t, d) = (label(truth)?, label(predicted)?);
        let value = source.raw(cost).and_then(|cell| cell.trim().parse::<f64>().ok());
        let Some(value) = value.filter(|value| value.is_finite() && *value >= 0.0) else {
            return Err(source.refused(cost, "a number from 0 on"));
        };
        if !listed.insert((t, d)) {
            return Err(source.refused(predicted, "a new pair of labels (this one is listed twice)"));
        }
        costs[t][d] = value;
    }
    Ok(costs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("costs.csv");
        let labels: Names = ["yes", "no"].into_iter().collect();
        let message = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_error_costs(&path, &labels).unwrap_err().to_string().replace(&path.display().to_string(), "costs.csv")
        };
        assert_eq!(
            message("true,predicted,cost\nyes,maybe,2\n"),
            "costs.csv, row 2, column `predicted`: `maybe` is not one of the labels that the model knows; correct the cell"
        );
        assert_eq!(
            message("true,predicted,cost\nyes,no,-2\n"),
            "costs.csv, row 2, column `cost`: `-2` is not a number from 0 on; correct the cell"
        );
        assert!(
            message("true,predicted,cost\nyes,no,2\nyes,no,3\n")
                .contains("row 3, column `predicted`: `no` is not a new pair")
        );
        assert!(message("true,predicted\nyes,no\n").starts_with("costs.csv: no column `cost`"));
    }
}
