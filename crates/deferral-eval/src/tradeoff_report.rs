//! A trade-off between error and disparate impact as tables and as one HTML page.

use deferral_metrics::Measured;

use crate::audit_report::section;
use crate::error::EvalError;
use crate::figures::tradeoff_figures;
use crate::html::{drawings, escape, list, page};
use crate::table::{Table, four, three};
use crate::tradeoff::{Tradeoff, TradeoffPoint, Tradings};

impl Tradeoff {
    /// The settings that no other of their method beats, with what they came to.
    pub fn fronts(&self) -> Table {
        self.table(|family| family.front.clone())
    }

    /// Every method at every setting, one row each.
    pub fn points(&self) -> Table {
        self.table(|family| (0..family.points.len()).collect())
    }

    fn table(&self, rows: impl Fn(&Tradings) -> Vec<usize>) -> Table {
        let mut header: Vec<String> = vec!["method".to_owned()];
        if self.validated {
            header.extend(["validation error", "validation impact"].map(str::to_owned));
        }
        header.extend(["error", "disparate impact", "asked"].map(str::to_owned));
        header.extend(self.groups.iter().map(|group| format!("asked on {group}")));
        let row = |point: &TradeoffPoint| {
            let mut row = vec![point.method.clone()];
            if self.validated {
                row.extend([four(point.chosen_by.error), four(point.chosen_by.impact)]);
            }
            row.extend([four(point.test.error), four(point.test.impact), three(point.test.asked)]);
            row.extend(point.test.asked_by_group.iter().map(|&share| three(share)));
            row
        };
        let family = |family: &Tradings| rows(family).iter().map(|&at| row(&family.points[at])).collect::<Vec<_>>();
        Table { header, rows: self.families.iter().flat_map(family).collect() }
    }

    /// The area below the reference that each front dominates, and how far each method lies behind the first.
    pub fn areas(&self) -> Table {
        let header = ["method", "settings", "on the front", "area", "first minus this"].map(str::to_owned).to_vec();
        let row = |family: &Tradings| {
            vec![
                family.name.clone(),
                family.points.len().to_string(),
                family.front.len().to_string(),
                with_interval(&family.area),
                with_interval(&family.behind),
            ]
        };
        Table { header, rows: self.families.iter().map(row).collect() }
    }

    /// The least error within bounds on the disparate impact: error (disparate impact) on the test cases.
    pub fn within(&self) -> Table {
        let header = std::iter::once("impact at most".to_owned()).chain(self.at.iter().map(ToString::to_string));
        let row = |family: &Tradings| {
            let cell = |at: &Option<usize>| match at {
                Some(at) => {
                    format!("{} ({})", four(family.points[*at].test.error), four(family.points[*at].test.impact))
                }
                None => "-".to_owned(),
            };
            std::iter::once(family.name.clone()).chain(family.at.iter().map(cell)).collect()
        };
        Table { header: header.collect(), rows: self.families.iter().map(row).collect() }
    }

    /// How many runs ask seldom: the share of all runs that ask about fewer than 5, 20, 50 and 80 % of the cases.
    pub fn asking(&self) -> Table {
        const BELOW: [f64; 4] = [0.05, 0.2, 0.5, 0.8];
        let header = std::iter::once("runs that ask about fewer than".to_owned());
        let row = |family: &Tradings| {
            let runs: Vec<f64> = family.points.iter().flat_map(|point| &point.runs).map(|run| run.asked).collect();
            let share =
                |below: f64| runs.iter().filter(|&&asked| asked < below).count() as f64 / runs.len().max(1) as f64;
            std::iter::once(family.name.clone()).chain(BELOW.map(|below| three(share(below)))).collect()
        };
        Table {
            header: header.chain(BELOW.map(|below| format!("{:.0} %", 100.0 * below))).collect(),
            rows: self.families.iter().map(row).collect(),
        }
    }

    /// The report as a page of HTML that needs no other file; the same trade-off gives the same bytes. `about` lists the
    /// parameters of the run, name and value.
    ///
    /// # Errors
    /// If a figure cannot be drawn.
    pub fn html(&self, title: &str, about: &[(String, String)]) -> Result<String, EvalError> {
        let mut body = format!("<p class=\"summary\">{}</p>\n", escape(&self.opening()));
        body += &drawings(&tradeoff_figures(self)?);
        let note = format!(
            "The area between a front and the point of error {} and disparate impact {}, on the test cases. In brackets 95 % \
             intervals of a bootstrap over runs and, where all runs have the same, test cases; all methods are drawn the \
             same ones.",
            four(self.reference.error),
            four(self.reference.disparity)
        );
        body += &section("Whose front is ahead", &[self.areas()], &note);
        let note = if self.validated {
            "The setting with the least error among those within the bound on the validation cases: its error on the test \
             cases, and in brackets its disparate impact there, which may have come out larger."
        } else {
            "The setting with the least error among those within the bound: its error and, in brackets, disparate impact."
        };
        body += &section("The least error within a bound on unfairness", &[self.within()], note);
        body += &section("How often they ask", &[self.asking()], "Shares of all runs, over all settings.");
        body += &section("The fronts", &[self.fronts()], "Medians over runs.");
        body += &section("Every setting", &[self.points()], "Medians over runs.");
        body += &list("Run", about);
        Ok(page(title, &body))
    }

    fn opening(&self) -> String {
        let Some(first) = self.families.first() else { return "Nothing was compared.".to_owned() };
        let ahead: Vec<&str> = self.beyond_chance(|(low, _)| low > 0.0);
        let behind: Vec<&str> = self.beyond_chance(|(_, high)| high < 0.0);
        let mut text = format!(
            "The front of {} dominates {} of error and disparate impact. ",
            first.name,
            with_interval(&first.area)
        );
        text += &match ahead.as_slice() {
            [] => "It is ahead of no other front beyond chance".to_owned(),
            names => format!("It is ahead of {} beyond chance", names.join(", ")),
        };
        if behind.is_empty() { text + "." } else { text + &format!(", and behind {}.", behind.join(", ")) }
    }

    fn beyond_chance(&self, of: impl Fn((f64, f64)) -> bool) -> Vec<&str> {
        let rivals = self.families.iter().skip(1);
        rivals.filter(|family| family.behind.interval().is_some_and(&of)).map(|family| family.name.as_str()).collect()
    }
}

fn with_interval(measured: &Measured) -> String {
    match (measured.value(), measured.interval()) {
        (Some(value), Some((low, high))) => format!("{value:.5} [{low:.5}, {high:.5}]"),
        (Some(value), None) => format!("{value:.5}"),
        (None, _) => "-".to_owned(),
    }
}
