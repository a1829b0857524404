//! The verdict on a published number: does ours reproduce it?

use deferral_metrics::Spread;
use serde::Serialize;

use crate::experiment::{Column, Experiment, RowSpec, Statistic, TableSpec};
use crate::plan::Plan;
use crate::runner::Found;
use crate::sample::Results;

/// What a published number without a spread may differ by: two points.
pub const TWO_POINTS: f64 = 0.02;

/// What came of a published number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Ours is within the band.
    Reproduces,
    /// It is not; the experiment file says why, and which run shows it.
    Differs,
    /// It is not, or was not measured, and nobody has said why.
    Unexplained,
    /// There is no number of ours: data are not here.
    NotHere,
}

/// One cell of a table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cell {
    /// The published number, if there is one.
    pub published: Option<f64>,
    /// Its published spread.
    pub spread: Option<f64>,
    /// Ours.
    pub ours: Option<f64>,
    /// The standard deviation of ours over runs, with divisor n as the papers have it; none for one run.
    pub sd: Option<f64>,
    /// The standard error of ours; 0 for one run.
    pub error: f64,
    /// Half the width of the band: the published spread (two points without one) and our standard error.
    pub band: f64,
    /// How far ours is from the nearest number that is printed like the published one.
    pub distance: Option<f64>,
    /// What to think of it; none where nothing was published.
    pub outcome: Option<Outcome>,
}

impl Cell {
    /// Ours less the published number.
    pub fn difference(&self) -> Option<f64> {
        Some(self.ours? - self.published?)
    }

    /// Whether ours is within the band when the published number is taken to be exact to all digits.
    pub fn is_within_unrounded(&self) -> bool {
        self.difference().is_some_and(|difference| within(difference.abs(), self.band))
    }
}

/// Numbers that were added up are a little off their decimals.
fn within(distance: f64, band: f64) -> bool {
    distance <= band + 1e-9
}

/// A row of a table with its cells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The row as the file has it.
    pub spec: RowSpec,
    /// One a column.
    pub cells: Vec<Cell>,
    /// Labels per case, where the study counts them.
    pub labels: Option<f64>,
    /// Runs behind the numbers.
    pub runs: usize,
}

/// A table with all numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// The table as the file has it, without rows.
    pub spec: TableSpec,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// Cells by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Count {
    /// Those that reproduce.
    pub reproduces: usize,
    /// Of these, those that only do because published numbers are rounded.
    pub by_rounding: usize,
    /// Those that differ, with an explanation.
    pub differs: usize,
    /// Those that differ without one.
    pub unexplained: usize,
    /// Those that could not be run.
    pub not_here: usize,
}

impl Count {
    /// Counts published cells.
    pub fn of<'a>(tables: impl IntoIterator<Item = &'a Table>) -> Self {
        let mut count = Self::default();
        for cell in tables.into_iter().flat_map(|table| &table.rows).flat_map(|row| &row.cells) {
            match cell.outcome {
                Some(Outcome::Reproduces) => {
                    count.reproduces += 1;
                    count.by_rounding += usize::from(!cell.is_within_unrounded());
                }
                Some(Outcome::Differs) => count.differs += 1,
                Some(Outcome::Unexplained) => count.unexplained += 1,
                Some(Outcome::NotHere) => count.not_here += 1,
                None => {}
            }
        }
        count
    }

    /// Cells that were run.
    pub fn run(&self) -> usize {
        self.reproduces + self.differs + self.unexplained
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            reproduces: self.reproduces + other.reproduces,
            by_rounding: self.by_rounding + other.by_rounding,
            differs: self.differs + other.differs,
            unexplained: self.unexplained + other.unexplained,
            not_here: self.not_here + other.not_here,
        }
    }
}

/// All tables of an experiment of a plan.
pub fn tables(plan: &Plan, at: usize, found: &Found) -> Vec<Table> {
    let experiment = &plan.experiments[at];
    experiment.tables.iter().map(|table| judge(experiment, table, at, found)).collect()
}

fn judge(experiment: &Experiment, table: &TableSpec, at: usize, found: &Found) -> Table {
    let rows = table.rows.iter().map(|row| {
        let study = row.study.as_ref().unwrap_or(&table.study);
        let position = experiment.studies.iter().position(|other| other.name == *study);
        let results = position.and_then(|study| found.results(at, study));
        let original = row.variant_of.as_ref().and_then(|name| table.rows.iter().find(|other| other.name == *name));
        let cells = table.columns.iter().enumerate().map(|(column, spec)| cell(row, original, column, spec, results));
        Row {
            cells: cells.collect(),
            labels: results.and_then(|results| results.statistic(&row.method, "labels", Statistic::Mean)),
            runs: results.map_or(0, |results| results.runs(&row.method)),
            spec: row.clone(),
        }
    });
    Table { rows: rows.collect(), spec: TableSpec { rows: Vec::new(), ..table.clone() } }
}

fn cell(row: &RowSpec, original: Option<&RowSpec>, at: usize, column: &Column, results: Option<&Results>) -> Cell {
    let printed = original.unwrap_or(row);
    let number = |numbers: &[f64]| numbers.get(at).copied().filter(|number| number.is_finite());
    let (published, spread) = (number(&printed.published), number(&printed.spread));
    let measure = row.measure.as_ref().unwrap_or(&column.measure);
    let over_runs = results.and_then(|results| results.spread(&row.method, measure));
    let ours = results.and_then(|results| results.statistic(&row.method, measure, column.statistic));
    let error = over_runs.and_then(|spread: Spread| spread.standard_error).unwrap_or(0.0);
    let band = if printed.count { 0.0 } else { spread.unwrap_or(TWO_POINTS) + error };
    let half_a_digit = if printed.count { 0.0 } else { 0.5 / 10_f64.powf(f64::from(printed.digits)) };
    let distance = ours.zip(published).map(|(ours, printed)| ((ours - printed).abs() - half_a_digit).max(0.0));
    let outcome = published.filter(|_| original.is_none()).map(|_| match distance {
        None if results.is_none() || row.not_here.is_some() => Outcome::NotHere,
        Some(distance) if within(distance, band) => Outcome::Reproduces,
        Some(_) if row.differs.is_some() => Outcome::Differs,
        // Also where a study that was run has no such figure: a slip in the file.
        _ => Outcome::Unexplained,
    });
    let sd = over_runs.filter(|spread| spread.n > 1).map(|spread| spread.population_sd);
    Cell { published, spread, ours, sd, error, band, distance, outcome }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    fn results(values: &[f64]) -> Results {
        let sample = |(run, &value): (usize, &f64)| Sample::new("majority", "accuracy", run, value);
        Results::of(values.iter().enumerate().map(sample))
    }

    fn judged(row: &str, values: &[f64]) -> Cell {
        let row: RowSpec = toml::from_str(&format!("name = \"x\"\nmethod = \"majority\"\n{row}")).unwrap();
        let column = Column { name: "all".into(), measure: "accuracy".into(), statistic: Statistic::Mean };
        cell(&row, None, 0, &column, Some(&results(values)))
    }

    #[test]
    fn the_band_is_the_published_spread_and_our_standard_error() {
        // Mean .92, standard error .02 / sqrt(2).
        let cell = judged("published = [0.90]\nspread = [0.01]", &[0.90, 0.94]);
        assert!((cell.error - 0.02).abs() < 1e-12 && (cell.band - 0.03).abs() < 1e-12, "{cell:?}");
        assert_eq!(cell.outcome, Some(Outcome::Reproduces));
        assert!((cell.sd.unwrap() - 0.02).abs() < 1e-12);
        let far = judged("published = [0.80]\nspread = [0.01]", &[0.90, 0.94]);
        assert_eq!(far.outcome, Some(Outcome::Unexplained));
        let explained = judged("published = [0.80]\nspread = [0.01]\ndiffers = \"why\"", &[0.90, 0.94]);
        assert_eq!(explained.outcome, Some(Outcome::Differs));
    }

    #[test]
    fn without_a_spread_there_are_two_points() {
        assert_eq!(judged("published = [0.90]", &[0.92]).outcome, Some(Outcome::Reproduces));
        assert_eq!(judged("published = [0.90]", &[0.926]).outcome, Some(Outcome::Unexplained));
        assert_eq!(judged("published = [nan]", &[0.92]).outcome, None);
    }

    #[test]
    fn a_printed_number_is_known_to_half_a_digit() {
        let cell = judged("published = [0.89]\nspread = [0.00]", &[0.8862]);
        assert_eq!(cell.outcome, Some(Outcome::Reproduces));
        assert!(!cell.is_within_unrounded());
        assert_eq!(judged("published = [0.89]\nspread = [0.00]", &[0.8849]).outcome, Some(Outcome::Unexplained));
    }

    #[test]
    fn counts_are_equal_or_not() {
        assert_eq!(judged("published = [92]\ncount = true", &[92.0]).outcome, Some(Outcome::Reproduces));
        assert_eq!(judged("published = [92]\ncount = true", &[93.0]).outcome, Some(Outcome::Unexplained));
    }

    #[test]
    fn nothing_of_ours_is_said() {
        let row: RowSpec = toml::from_str("name = \"x\"\nmethod = \"majority\"\npublished = [0.5]").unwrap();
        let column = Column { name: "all".into(), measure: "accuracy".into(), statistic: Statistic::Mean };
        assert_eq!(cell(&row, None, 0, &column, None).outcome, Some(Outcome::NotHere));
        let other = results(&[]);
        assert_eq!(cell(&row, None, 0, &column, Some(&other)).outcome, Some(Outcome::Unexplained));
    }
}
