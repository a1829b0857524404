//! Published numbers and ours as dots, a row of the table a row: where the whiskers touch, a cell reproduces.

use deferral_eval::chart::{Axis, Chart, Dots, around};
use deferral_eval::escape;

use super::document::{Figure, Panel};
use super::drawings::Names;
use super::numbers::{counted, number, short_names, shortened};
use super::verdict_table::in_order;
use crate::error::ReproduceError;
use crate::verdict::{Cell, Row, TWO_POINTS, Table};

/// Air around the dots, as a share of their range.
const AIR: f64 = 0.06;
/// Height of a row.
const ROW: f64 = 34.0;
/// How far dots are from the middle of their row.
const SHIFT: f64 = 0.17;

/// The drawing of a table, a panel a column; none if nothing that was published is a share.
pub(super) fn figure(table: &Table, names: &mut Names) -> Result<Option<Figure>, ReproduceError> {
    let rows: Vec<&Row> = in_order(table).into_iter().map(|(row, _)| row).collect();
    let titles: Vec<String> = rows.iter().map(|row| row.spec.name.clone()).collect();
    let short = short_names(&titles);
    let mut panels = Vec::new();
    let mut drawn = vec![false; rows.len()];
    for (at, column) in table.spec.columns.iter().enumerate() {
        let kept: Vec<usize> = (0..rows.len()).filter(|&row| is_share(rows[row], &rows[row].cells[at])).collect();
        if !kept.iter().any(|&row| rows[row].cells[at].outcome.is_some()) {
            continue;
        }
        for &row in &kept {
            drawn[row] = true;
        }
        let places: Vec<Place<'_>> =
            kept.iter().map(|&row| Place { name: &short[row], row: rows[row], cell: &rows[row].cells[at] }).collect();
        let name = names.next();
        let about = format!("{}, {}: published and ours, row by row", table.spec.title, column.name);
        let svg = draw(&name, &about, &column.name, &places)?;
        panels.push(Panel { name, heading: String::new(), svg });
    }
    let mut caption = vec![format!(
        "Squares: published, with the published standard deviation (where there is none, {}) and half a printed digit. \
         Circles: ours, with the standard error. A cell reproduces where the whiskers touch.",
        number(TWO_POINTS, 2)
    )];
    let left_out = drawn.iter().filter(|drawn| !**drawn).count();
    if left_out > 0 {
        caption.push(format!("Not drawn, for having no number that is a share: {}.", counted(left_out, "row")));
    }
    caption.extend(shortened(&titles));
    let title = format!("{}: published and ours", table.spec.title);
    Ok((!panels.is_empty()).then_some(Figure { title, panels, caption }))
}

/// Counts and labels per post have no place on an axis of shares.
fn is_share(row: &Row, cell: &Cell) -> bool {
    let mut numbers = [cell.published, cell.ours].into_iter().flatten().peekable();
    !row.spec.count && numbers.peek().is_some() && numbers.all(|number| (-1.0..=1.0).contains(&number))
}

/// What is drawn at a height.
struct Place<'a> {
    name: &'a String,
    row: &'a Row,
    cell: &'a Cell,
}

fn draw(id: &str, about: &str, label: &str, places: &[Place<'_>]) -> Result<String, ReproduceError> {
    let mut published = Dots { style: 1, name: Some("published".to_owned()), ..Dots::default() };
    let mut ours = Dots { style: 0, name: Some("ours".to_owned()), ..Dots::default() };
    let mut ends = Vec::new();
    for (at, Place { row, cell, .. }) in places.iter().enumerate() {
        let height = (places.len() - at) as f64;
        // A variant shows where it is, not again what was published.
        if let Some(number) = cell.published.filter(|_| cell.outcome.is_some()) {
            let reach = cell.band - cell.error + 0.5 * 0.1_f64.powf(f64::from(row.spec.digits));
            published.points.push((number, height + SHIFT));
            published.across.push((reach, reach));
            ends.extend([number - reach, number + reach]);
        }
        if let Some(number) = cell.ours {
            ours.points.push((number, height - SHIFT));
            ours.across.push((cell.error, cell.error));
            ends.extend([number - cell.error, number + cell.error]);
        }
    }
    let names: Vec<String> = places.iter().map(|place| place.name.clone()).collect();
    let chart = Chart {
        id,
        about: &escape(about),
        x: Axis::new(label, around(&ends, AIR, (f64::NEG_INFINITY, f64::INFINITY))),
        y: Axis::rows(&names),
        height: places.len() as f64 * ROW,
        mark: None,
    };
    let drawn = [published, ours].into_iter().filter(|dots| !dots.points.is_empty());
    Ok(chart.draw(drawn.map(Dots::draw).collect())?)
}
