//! Methods beside simple rules that are given the same number of labels per case.

use super::Studies;
use super::curve::{Curve, Reading};
use super::document::{Block, Cell, Row, Table, Tone, code};
use super::drawings::{Names, labels};
use super::numbers::{NONE, number};
use crate::error::ReproduceError;
use crate::experiment::EqualLabels;

/// Digits of what is compared.
const DIGITS: usize = 3;

/// The table and its drawing.
pub(super) fn blocks(
    equal: &EqualLabels,
    studies: &Studies<'_>,
    names: &mut Names,
) -> Result<Vec<Block>, ReproduceError> {
    let curve = |spec| Curve::of(spec, &equal.study, &equal.measure, studies);
    let curves: Vec<Curve> = equal.curves.iter().map(curve).collect();
    let mut head = vec![String::new(), "labels per case".to_owned(), equal.measure.clone()];
    head.extend(equal.curves.iter().map(|curve| curve.name.clone()));
    let rows = equal.methods.iter().map(|method| {
        let effort = studies.effort(&equal.study, method, &equal.measure);
        row(method, effort, &curves)
    });
    let table = Table { about: equal.title.clone(), groups: Vec::new(), head, rows: rows.collect() };
    let note = format!(
        "Each curve is read off at the labels per case of the row, straight between its points; {NONE} where it has no \
         point with so few. Where it ends before, its last value stands with the labels that it needed. The best of a \
         row is bold."
    );
    let mut figure = labels(&equal.title, &equal.study, &equal.measure, &equal.methods, &equal.curves, studies, names)?;
    figure.title += ", drawn";
    Ok(vec![Block::Subheading(equal.title.clone()), Block::Table(table), Block::Note(note), Block::Figure(figure)])
}

fn row(method: &str, effort: Option<(f64, f64)>, curves: &[Curve]) -> Row {
    let Some((labels, value)) = effort else {
        let blank = (0..curves.len() + 2).map(|_| Cell::toned(NONE, Tone::Faint));
        return Row::of(std::iter::once(Cell::of(code(method)).with_small("not run here")).chain(blank).collect());
    };
    let readings: Vec<Reading> = curves.iter().map(|curve| curve.at(labels)).collect();
    let best = readings.iter().filter_map(|reading| reading.value()).fold(value, f64::max);
    let tone = |value: f64| if number(value, DIGITS) == number(best, DIGITS) { Tone::Strong } else { Tone::Plain };
    let own = [Cell::of(code(method)), Cell::of(number(labels, 2)), Cell::toned(number(value, DIGITS), tone(value))];
    let read = readings.iter().map(|reading| match *reading {
        Reading::Below => Cell::toned(NONE, Tone::Faint),
        Reading::At(value) => Cell::toned(number(value, DIGITS), tone(value)),
        Reading::Beyond { labels, value } => {
            Cell::toned(number(value, DIGITS), tone(value)).with_small(format!("at\u{A0}{}", number(labels, 2)))
        }
    });
    Row::of(own.into_iter().chain(read).collect())
}
