//! A frontier as tables and as one HTML page.

use deferral_metrics::Measured;

use crate::audit_report::section;
use crate::error::EvalError;
use crate::figures::{frontier_figure, reliability_figure};
use crate::frontier::{Family, Frontier, FrontierPoint, SURE};
use crate::html::{drawings, escape, list, page};
use crate::table::{Table, four};

impl Frontier {
    /// Every method at every effort, one row each.
    pub fn points(&self) -> Table {
        let mut header = vec!["method", "labels/case"];
        header.extend(self.priced.then_some("cost/case"));
        header.push("accuracy");
        let mut header: Vec<String> = header.into_iter().map(str::to_owned).collect();
        header.extend(self.groups.iter().cloned());
        header.extend((!self.groups.is_empty()).then(|| "worst group".to_owned()));
        header.push("calibration error".to_owned());
        let row = |point: &FrontierPoint| {
            let mut row = vec![point.method.clone(), format!("{:.2}", point.labels_per_case)];
            row.extend(self.priced.then(|| format!("{:.2}", point.cost_per_case)));
            row.push(four(point.accuracy));
            row.extend(point.by_group.iter().map(|share| share.map_or("-".to_owned(), four)));
            row.extend((!self.groups.is_empty()).then(|| point.worst_group.map_or("-".to_owned(), four)));
            row.push(point.calibration_error.to_string());
            row
        };
        Table { header, rows: self.families.iter().flat_map(|family| &family.points).map(row).collect() }
    }

    /// Area under each curve, its distance from the first one, and accuracy at equal labels per case.
    pub fn areas(&self) -> Table {
        let mut header = vec!["method".to_owned(), format!("area to {:.2}", self.up_to), "first minus this".to_owned()];
        header.extend(self.at.iter().map(|labels| format!("at {labels}")));
        let row = |family: &Family| {
            let mut row = vec![family.name.clone(), with_interval(&family.area), with_interval(&family.behind)];
            row.extend(family.at.iter().map(with_interval));
            row
        };
        Table { header, rows: self.families.iter().map(row).collect() }
    }

    /// The first method's accuracy minus each other's at equal labels per case, on the same cases.
    pub fn differences(&self) -> Table {
        let header = std::iter::once("first minus".to_owned());
        let row = |family: &Family| {
            std::iter::once(family.name.clone()).chain(family.behind_at.iter().map(with_interval)).collect()
        };
        Table {
            header: header.chain(self.at.iter().map(|labels| format!("at {labels}"))).collect(),
            rows: self.families.iter().skip(1).map(row).collect(),
        }
    }

    /// Labels per case needed for an accuracy.
    pub fn needed(&self) -> Table {
        let header = std::iter::once("labels for accuracy".to_owned());
        let cell = |needed: &Option<f64>| needed.map_or("-".to_owned(), |labels| format!("{labels:.2}"));
        let row =
            |family: &Family| std::iter::once(family.name.clone()).chain(family.needed.iter().map(cell)).collect();
        Table {
            header: header.chain(self.accuracies.iter().map(|a| format!("{a:.3}"))).collect(),
            rows: self.families.iter().map(row).collect(),
        }
    }

    /// What a confidence is worth: calibration error, and the share right of the decisions that are sure, by group.
    pub fn trustworthiness(&self) -> Table {
        let mut header = vec!["method".to_owned(), "calibration error".to_owned(), format!("right when {SURE} sure")];
        header.extend(self.groups.iter().map(|group| format!("on {group}")));
        let row = |point: &FrontierPoint| {
            let mut row = vec![point.method.clone(), point.calibration_error.to_string()];
            row.extend(point.when_sure.iter().map(with_interval));
            row
        };
        Table { header, rows: self.families.iter().flat_map(|family| &family.points).map(row).collect() }
    }

    /// The report as a page of HTML that needs no other file; the same frontier gives the same bytes. `about` lists the
    /// parameters of the run, name and value.
    ///
    /// # Errors
    /// If a figure cannot be drawn.
    pub fn html(&self, title: &str, about: &[(String, String)]) -> Result<String, EvalError> {
        let mut body = format!("<p class=\"summary\">{}</p>\n", escape(&self.opening()));
        body += &drawings(&[frontier_figure(self)?, reliability_figure(self)?]);
        let note = "Accuracy, straight between points: who decides some cases in one way and the rest in the other lies \
                    there. Curves begin with the most frequent label for no label at all. In brackets 95 % intervals of a \
                    bootstrap over cases; all methods are drawn the same ones.";
        body += &section("At equal labels per case", &[self.areas(), self.differences()], note);
        body += &section("Labels needed", &[self.needed()], "Human labels per case that reach an accuracy.");
        body += &section("Every method at every effort", &[self.points()], "");
        let note = "The expected calibration error over 15 bins of the confidence, and how often a decision is right that \
                    claims to be right with probability .95 or more, with Wilson intervals.";
        body += &section("What a confidence is worth", &[self.trustworthiness()], note);
        body += &list("Run", about);
        Ok(page(title, &body))
    }

    fn opening(&self) -> String {
        let Some(first) = self.families.first() else { return "Nothing was compared.".to_owned() };
        let all = || self.families.iter().flat_map(|family| &family.points);
        let Some(best) = all().max_by(|a, b| a.accuracy.total_cmp(&b.accuracy)) else { return String::new() };
        let mut text = format!(
            "The most accurate point is {}: {} at {:.2} human labels per case. ",
            best.method,
            four(best.accuracy),
            best.labels_per_case
        );
        let rivals = self.families.iter().skip(1);
        let better = rivals.clone().filter(|family| family.behind.interval().is_some_and(|(low, _)| low > 0.0)).count();
        text += &format!(
            "Over all budgets up to {:.2} labels per case, {} is better than {better} of the other {} methods beyond chance",
            self.up_to,
            first.name,
            rivals.clone().count()
        );
        let worse: Vec<&str> = rivals
            .filter(|family| family.behind.interval().is_some_and(|(_, high)| high < 0.0))
            .map(|family| family.name.as_str())
            .collect();
        if worse.is_empty() { text + "." } else { text + &format!(", and worse than {}.", worse.join(", ")) }
    }
}

fn with_interval(measured: &Measured) -> String {
    match (measured.value(), measured.interval()) {
        (Some(value), Some((low, high))) => format!("{value:.4} [{low:.4}, {high:.4}]"),
        (Some(value), None) => format!("{value:.4}"),
        (None, _) => "-".to_owned(),
    }
}
