//! A table of published numbers beside ours, with the verdict on each, and what there is to say about it.

use super::document::{Block, Cell as Shown, Row as ShownRow, Table as ShownTable, Tone, code};
use super::numbers::{NONE, counted, number, own_digits, signed, with_spread};
use crate::experiment::{Column, Experiment, Statistic};
use crate::plan::Plan;
use crate::verdict::{Cell, Count, Outcome, Row, Table};

/// What an outcome is called, with a mark that is seen without colours.
pub(super) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Reproduces => "✓ reproduces",
        Outcome::Differs => "✗ differs",
        Outcome::Unexplained => "✗ unexplained",
        Outcome::NotHere => "○ not run here",
    }
}

pub(super) fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Reproduces => Tone::Good,
        Outcome::Differs | Outcome::Unexplained => Tone::Bad,
        Outcome::NotHere => Tone::Faint,
    }
}

/// The table with what explains it.
pub(super) fn blocks(plan: &Plan, at: usize, table: &Table) -> Vec<Block> {
    let mut blocks = vec![Block::Subheading(table.spec.title.clone()), Block::Table(shown(table))];
    let count = Count::of([table]);
    if count.by_rounding > 0 {
        blocks.push(Block::Note(format!(
            "{} within the band only because published numbers are rounded.",
            if count.by_rounding == 1 { "1 cell is".to_owned() } else { format!("{} cells are", count.by_rounding) }
        )));
    }
    let explained: Vec<String> = table.rows.iter().filter_map(|row| explanation(table, row)).collect();
    let absent = absences(plan, at, table);
    for items in [explained, absent] {
        if !items.is_empty() {
            blocks.push(Block::Items(items));
        }
    }
    blocks
}

fn shown(table: &Table) -> ShownTable {
    let labels = table.rows.iter().any(|row| row.labels.is_some());
    let columns = &table.spec.columns;
    let mut head = vec![String::new()];
    let mut groups = Vec::new();
    if labels {
        head.push("labels per case".to_owned());
        groups.push((String::new(), 1));
    }
    // Where nothing was published there is nothing to compare with.
    let compared = table.rows.iter().flat_map(|row| &row.cells).any(|cell| cell.published.is_some());
    let parts: &[&str] = if compared { &["published", "ours", "verdict"] } else { &["ours"] };
    for column in columns {
        head.extend(parts.iter().map(|part| (*part).to_owned()));
        groups.push((column.name.clone(), parts.len()));
    }
    let rows = in_order(table).into_iter().map(|(row, below)| ShownRow {
        below,
        cells: std::iter::once(name(row))
            .chain(labels.then(|| Shown::of(row.labels.map_or(NONE.to_owned(), |labels| number(labels, 2)))))
            .chain(columns.iter().zip(&row.cells).flat_map(|(column, cell)| cells(row, column, cell, compared)))
            .collect(),
    });
    ShownTable { about: table.spec.title.clone(), groups, head, rows: rows.collect() }
}

/// The rows, variants below what they are variants of.
pub(super) fn in_order(table: &Table) -> Vec<(&Row, bool)> {
    let mut order: Vec<(usize, bool)> = Vec::new();
    let roots = (0..table.rows.len()).filter(|&at| table.rows[at].spec.variant_of.is_none());
    for root in roots {
        order.push((root, false));
        let mut from = order.len() - 1;
        // Variants of variants come after all variants of the row.
        while from < order.len() {
            let parent = &table.rows[order[from].0].spec.name;
            let of_it = |&at: &usize| table.rows[at].spec.variant_of.as_ref() == Some(parent);
            let next: Vec<usize> =
                (0..table.rows.len()).filter(of_it).filter(|at| order.iter().all(|(other, _)| other != at)).collect();
            order.extend(next.into_iter().map(|at| (at, true)));
            from += 1;
        }
    }
    // Variants that only lead to each other are nobody's, but no row is lost.
    for at in 0..table.rows.len() {
        if order.iter().all(|(other, _)| *other != at) {
            order.push((at, true));
        }
    }
    order.into_iter().map(|(at, below)| (&table.rows[at], below)).collect()
}

/// What a row is called, and which method it is.
fn name(row: &Row) -> Shown {
    let mut small = Vec::new();
    if !row.spec.method.is_empty() && row.spec.method != row.spec.name {
        small.push(code(&row.spec.method));
    }
    if row.cells.iter().any(|cell| cell.ours.is_some()) {
        small.push(counted(row.runs, "run"));
    }
    Shown::of(row.spec.name.clone()).with_small(small.join(", "))
}

fn cells(row: &Row, column: &Column, cell: &Cell, compared: bool) -> Vec<Shown> {
    let digits = row.spec.digits.min(9) as usize;
    let published_digits = if row.spec.count { 0 } else { digits };
    let own = own_digits(row.spec.digits, row.spec.count, cell);
    let published = with_spread(cell.published, cell.spread, published_digits);
    // Beside a median or an extreme, the spread around the mean would mislead.
    let sd = cell.sd.filter(|_| column.statistic == Statistic::Mean);
    let ours = with_spread(cell.ours, sd, own);
    let judged = cell.outcome.is_some();
    if !compared {
        return vec![Shown::of(ours)];
    }
    let published = Shown::toned(published, if judged { Tone::Plain } else { Tone::Faint });
    vec![published, Shown::of(ours), verdict(cell, own)]
}

/// The verdict: a word, the difference and the band. A variant is not judged, but one sees where it is.
fn verdict(cell: &Cell, digits: usize) -> Shown {
    // A blank that does not break keeps what belongs together on one line.
    let apart = || {
        let difference = cell.difference().map(|difference| signed(difference, digits));
        difference
            .map_or_else(String::new, |difference| format!("{difference}, band\u{A0}±{}", number(cell.band, digits)))
    };
    match (cell.outcome, cell.distance) {
        (Some(outcome), _) => {
            let rounded = outcome == Outcome::Reproduces && !cell.is_within_unrounded();
            let small = if rounded { format!("{}, by\u{A0}rounding", apart()) } else { apart() };
            Shown::toned(word(outcome), tone(outcome)).with_small(small)
        }
        (None, Some(distance)) => {
            let place = if distance <= cell.band + 1e-9 { "within" } else { "outside" };
            Shown::toned(place, Tone::Faint).with_small(apart())
        }
        (None, None) => Shown::toned(NONE, Tone::Faint),
    }
}

/// Why a row differs, with the numbers of the rows that show it.
fn explanation(table: &Table, row: &Row) -> Option<String> {
    let has = |outcome: Outcome| row.cells.iter().any(|cell| cell.outcome == Some(outcome));
    if has(Outcome::Unexplained) {
        return Some(format!("**{}** differs, and nobody has said why.", row.spec.name));
    }
    let why = row.spec.differs.as_ref().filter(|_| has(Outcome::Differs))?;
    let mut text = format!("**{}** differs: {}", row.spec.name, why.trim());
    let witness = |name: &String| table.rows.iter().find(|other| other.spec.name == *name);
    let witnesses: Vec<String> = row.spec.shown_by.iter().filter_map(witness).map(measured).collect();
    if !witnesses.is_empty() {
        text += &format!(" Shown by {}.", witnesses.join("; "));
    }
    Some(text)
}

fn measured(row: &Row) -> String {
    let number = |cell: &Cell| {
        let digits = own_digits(row.spec.digits, row.spec.count, cell);
        cell.ours.map_or(NONE.to_owned(), |ours| number(ours, digits))
    };
    let numbers: Vec<String> = row.cells.iter().map(number).collect();
    format!("{}: {}", row.spec.name, numbers.join(" / "))
}

/// Why there is no number of ours, once for all rows of which that is the reason.
fn absences(plan: &Plan, at: usize, table: &Table) -> Vec<String> {
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for (row, _) in in_order(table) {
        if row.cells.iter().all(|cell| cell.ours.is_some()) {
            continue;
        }
        let Some(reason) = absence(plan, at, table, row) else { continue };
        match reasons.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, names)) => names.push(&row.spec.name),
            None => reasons.push((reason, vec![&row.spec.name])),
        }
    }
    reasons.into_iter().map(|(why, names)| format!("Not run here: **{}**. {why}", names.join("**, **"))).collect()
}

fn absence(plan: &Plan, at: usize, table: &Table, row: &Row) -> Option<String> {
    let study = row.spec.study.as_ref().unwrap_or(&table.spec.study);
    let wanted = row.cells.iter().any(|cell| cell.outcome == Some(Outcome::NotHere));
    row.spec.not_here.clone().or_else(|| missing(plan, at, &plan.experiments[at], study)).or_else(|| {
        wanted.then(|| {
            format!("The study `{study}` measures no such thing; check the method and the measure of the row.")
        })
    })
}

/// What is missing for a study, and how to get it.
fn missing(plan: &Plan, at: usize, experiment: &Experiment, study: &str) -> Option<String> {
    let is = |position: usize| experiment.studies[position].name == study;
    let found = plan.not_here.iter().find(|missing| missing.experiment == at && is(missing.study))?;
    Some(found.problems.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{RowSpec, TableSpec};

    fn table(rows: &[(&str, Option<&str>)]) -> Table {
        let spec: TableSpec = toml::from_str("title = \"t\"\nstudy = \"s\"\ncolumns = []").unwrap();
        let row = |(name, of): &(&str, Option<&str>)| {
            let spec: RowSpec = toml::from_str(&format!("name = \"{name}\"")).unwrap();
            let spec = RowSpec { variant_of: of.map(str::to_owned), ..spec };
            Row { spec, cells: Vec::new(), labels: None, runs: 0 }
        };
        Table { spec, rows: rows.iter().map(row).collect() }
    }

    #[test]
    fn variants_stand_below_their_row_and_none_is_lost() {
        let table = table(&[
            ("a2", Some("a1")),
            ("a", None),
            ("b", None),
            ("a1", Some("a")),
            ("c", Some("d")),
            ("d", Some("c")),
            ("b1", Some("b")),
        ]);
        let order: Vec<(&str, bool)> =
            in_order(&table).into_iter().map(|(row, below)| (row.spec.name.as_str(), below)).collect();
        let expected = [("a", false), ("a1", true), ("a2", true), ("b", false), ("b1", true), ("c", true), ("d", true)];
        assert_eq!(order, expected);
    }

    #[test]
    fn an_outcome_is_a_word_and_a_mark() {
        let all = [Outcome::Reproduces, Outcome::Differs, Outcome::Unexplained, Outcome::NotHere];
        let mut words = all.map(word).to_vec();
        words.dedup();
        assert_eq!(words.len(), 4);
        assert!(words.iter().all(|word| word.chars().filter(|c| c.is_alphabetic()).count() > 5));
    }
}
