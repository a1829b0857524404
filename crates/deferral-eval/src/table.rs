//! The comparison table as text: header and cells, for a terminal, Markdown or CSV. JSON takes the rows themselves.

use deferral_metrics::Spread;

use crate::comparison::Comparison;

/// A table of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns.
    pub header: Vec<String>,
    /// The cells, row by row; the first column is text, the others are numbers.
    pub rows: Vec<Vec<String>>,
}

/// How numbers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// `.850 (.032)`, the spread as a population standard deviation, as the papers print it.
    Short,
    /// Mean, population standard deviation and standard error in columns of their own, to six digits.
    Full,
}

/// Four digits without a leading zero.
pub(crate) fn four(value: f64) -> String {
    without_zero(&format!("{value:.4}"))
}

/// Three digits without a leading zero.
pub(crate) fn three(value: f64) -> String {
    without_zero(&format!("{value:.3}"))
}

fn without_zero(text: &str) -> String {
    text.strip_prefix('0').unwrap_or(text).to_owned()
}

/// The comparison, one row a method: accuracy overall and by group, worst group, disparity, labels per case, their cost
/// if they have prices, share decided by the model alone. Numbers in brackets are population standard deviations over
/// repetitions and folds.
pub fn comparison_table(comparison: &Comparison) -> Table {
    build(comparison, Numbers::Short)
}

/// The same with every number on its own, for a program.
pub fn comparison_numbers(comparison: &Comparison) -> Table {
    build(comparison, Numbers::Full)
}

fn build(comparison: &Comparison, numbers: Numbers) -> Table {
    let mut measures = vec!["accuracy".to_owned()];
    measures.extend(comparison.groups.iter().cloned());
    if !comparison.groups.is_empty() {
        measures.extend(["worst group".to_owned(), "disparity".to_owned()]);
    }
    // Printed tables have no room for it.
    let shows_impact = numbers == Numbers::Full && !comparison.groups.is_empty();
    measures.extend(shows_impact.then(|| "disparate impact".to_owned()));
    let mut header = vec!["method".to_owned()];
    for measure in measures {
        if numbers == Numbers::Full {
            header.extend([format!("{measure} mean"), format!("{measure} se"), format!("{measure} sd")]);
        } else {
            header.push(measure);
        }
    }
    header.push("labels/case".to_owned());
    if comparison.priced {
        header.push("cost/case".to_owned());
    }
    header.push("model alone".to_owned());
    let rows = comparison.rows().into_iter().map(|row| {
        let mut spreads = vec![row.accuracy];
        spreads.extend(row.by_group);
        if !comparison.groups.is_empty() {
            spreads.extend([row.worst_group, row.disparity]);
        }
        spreads.extend(shows_impact.then_some(row.disparate_impact));
        let mut cells = vec![row.method];
        for spread in spreads {
            cells.extend(numbers.spread(spread.as_ref()));
        }
        cells.push(numbers.number(row.labels_per_case));
        if comparison.priced {
            cells.push(numbers.number(row.cost_per_case));
        }
        cells.push(numbers.number(row.alone));
        cells
    });
    Table { rows: rows.collect(), header }
}

impl Numbers {
    fn spread(self, spread: Option<&Spread>) -> Vec<String> {
        match (self, spread) {
            (Self::Short, None) => vec!["-".to_owned()],
            (Self::Short, Some(s)) if s.n > 1 => vec![format!("{} ({})", short(s.mean), short(s.population_sd))],
            (Self::Short, Some(s)) => vec![short(s.mean)],
            (Self::Full, None) => vec![String::new(); 3],
            (Self::Full, Some(s)) => {
                let error = s.standard_error.map_or_else(String::new, |e| format!("{e:.6}"));
                vec![format!("{:.6}", s.mean), error, format!("{:.6}", s.population_sd)]
            }
        }
    }

    fn number(self, value: f64) -> String {
        match self {
            Self::Short => format!("{value:.2}"),
            Self::Full => format!("{value:.6}"),
        }
    }
}

/// Three digits without a leading zero: `.850`.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    text.strip_prefix('0').map_or(text.clone(), str::to_owned)
}

impl Table {
    /// As a Markdown table, numbers aligned to the right.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut text = line(&self.header);
        let rule: Vec<&str> = (0..self.header.len()).map(|i| if i == 0 { "---" } else { "---:" }).collect();
        text.push('|');
        text.push_str(&rule.join("|"));
        text.push_str("|\n");
        for row in &self.rows {
            text.push_str(&line(row));
        }
        text
    }

    /// As CSV.
    pub fn csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in std::iter::once(&self.header).chain(&self.rows) {
            // Writing to memory does not fail.
            let _ = writer.write_record(row);
        }
        writer.into_inner().map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_escaped() {
        let table = Table {
            header: vec!["method".into(), "a|b".into()],
            rows: vec![vec!["joint:k=5,rate=.3".into(), "1".into()]],
        };
        assert_eq!(table.csv(), "method,a|b\n\"joint:k=5,rate=.3\",1\n");
        assert_eq!(table.markdown(), "| method | a\\|b |\n|---|---:|\n| joint:k=5,rate=.3 | 1 |\n");
    }

    #[test]
    fn numbers_look_like_the_papers_print_them() {
        assert_eq!((short(0.85), short(1.0), short(-0.5)), (".850".into(), "1.000".into(), "-0.500".into()));
    }
}
