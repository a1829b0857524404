//! The figures of a frontier, and how well confidence tells right from wrong.

use deferral_metrics::Reliability;

use super::first::FirstRepetition;
use super::{AIR, Figure, Methods, Panel, UNIT, distinct, not_shown};
use crate::chart::{Axis, Chart, Dots, around, diagonal, line};
use crate::frontier::{BINS, Family, Frontier, FrontierPoint};
use crate::{Comparison, EvalError};

const CURVES_AT_MOST: usize = 6;

/// Accuracy, and that of the worst group, against labels per case: one line a method.
pub(crate) fn frontier_figure(frontier: &Frontier) -> Result<Figure, EvalError> {
    let all = Lines { id: "frontier", about: "Accuracy", label: "accuracy", height: 330.0 };
    let mut panels = all.draw(frontier, &|point| Some(point.accuracy))?.map(Panel::of).into_iter().collect::<Vec<_>>();
    if !frontier.groups.is_empty() {
        let worst = Lines {
            id: "frontier-worst",
            about: "Accuracy on the worst group",
            label: "accuracy on the worst group",
            height: 330.0,
        };
        let heading = "The group that is served worst".to_owned();
        panels.extend(worst.draw(frontier, &|point| point.worst_group)?.map(|svg| Panel { heading, svg }));
    }
    let caption = vec![
        "Higher is better, further left is cheaper. Each dot is a method at one effort: a price of a label or a \
         confidence at which it stops asking, or a number of labels that it asks for."
            .to_owned(),
    ];
    let figure = Figure { id: "figure-frontier", title: "Accuracy against labels per case", panels, caption };
    Ok(figure.or_say("nothing was decided"))
}

/// How far confidence is from the truth, against labels per case: one line a method.
pub(crate) fn reliability_figure(frontier: &Frontier) -> Result<Figure, EvalError> {
    let lines = Lines {
        id: "calibration-error",
        about: "Expected calibration error",
        label: "expected calibration error",
        height: 290.0,
    };
    let panels = lines.draw(frontier, &|point| point.calibration_error.value())?.map(Panel::of).into_iter().collect();
    let caption = vec!["How far the confidence of a decision is from how often such decisions are right.".to_owned()];
    let figure = Figure { id: "figure-calibration-error", title: "What a confidence is worth", panels, caption };
    Ok(figure.or_say("nothing was decided"))
}

/// One line a method, against human labels per case.
struct Lines {
    id: &'static str,
    about: &'static str,
    label: &'static str,
    height: f64,
}

impl Lines {
    /// The drawing, if there is anything to draw.
    fn draw(
        &self,
        frontier: &Frontier,
        value: &dyn Fn(&FrontierPoint) -> Option<f64>,
    ) -> Result<Option<String>, EvalError> {
        let points = |family: &Family| -> Vec<(f64, f64)> {
            family.points.iter().filter_map(|point| Some((point.labels_per_case, value(point)?))).collect()
        };
        let lines: Vec<Vec<(f64, f64)>> = frontier.families.iter().map(points).collect();
        let heights: Vec<f64> = lines.iter().flatten().map(|point| point.1).collect();
        if heights.is_empty() {
            return Ok(None);
        }
        let most = lines.iter().flatten().map(|point| point.0).fold(0.5, f64::max);
        let plots = lines.iter().zip(&frontier.families).enumerate().flat_map(|(style, (points, family))| {
            let dots = Dots { style, points: points.clone(), ..Dots::default() };
            [line(style, &family.name, points), dots.draw()]
        });
        let chart = Chart {
            id: self.id,
            about: self.about,
            x: Axis::new("human labels per case", (-0.02 * most, 1.04 * most)),
            y: Axis::new(self.label, around(&heights, AIR, UNIT)),
            height: self.height,
            mark: None,
        };
        chart.draw(plots.collect()).map(Some)
    }
}

/// The reliability diagram of a comparison: how often decisions are right, by how sure the method was.
pub(super) fn reliability(comparison: &Comparison, methods: &Methods) -> Result<Figure, EvalError> {
    let mut curves = Vec::new();
    for &method in &methods.ranking {
        let diagram = diagram(&methods.first[method])?;
        // Who is always equally sure has nothing to show.
        if diagram.bins.len() > 1 {
            curves.push((method, diagram));
        }
    }
    let (curves, left_out) = distinct(curves, CURVES_AT_MOST);
    let points = |diagram: &Reliability| -> Vec<(f64, f64)> {
        diagram.bins.iter().filter_map(|bin| Some((bin.confidence, bin.accuracy.value()?))).collect()
    };
    let lines = curves.iter().flat_map(|(method, diagram)| {
        let dots = Dots { style: *method, points: points(diagram), ..Dots::default() };
        [line(*method, &methods.names[*method], &points(diagram)), dots.draw()]
    });
    let chart = Chart {
        id: "reliability",
        about: "Share of decisions that is right against how sure the method was, one line a method",
        x: Axis::percent("confidence"),
        y: Axis::percent("share right"),
        height: 290.0,
        mark: None,
    };
    let mut caption = vec![
        "On the grey diagonal a confidence means what it says; below it a method is too sure (first repetition)."
            .to_owned(),
    ];
    caption.extend(curves.iter().map(|(method, diagram)| {
        format!("{}: expected calibration error {:.3}.", comparison.methods[*method], diagram.expected_error())
    }));
    caption.extend(not_shown(comparison, &left_out, "or less accurate"));
    let plots = std::iter::once(diagonal()).chain(lines).collect();
    let panels = if curves.is_empty() { Vec::new() } else { vec![Panel::of(chart.draw(plots)?)] };
    let figure = Figure { id: "figure-reliability", title: "Does the confidence mean what it says?", panels, caption };
    Ok(figure.or_say("no method is surer of one case than of another"))
}

fn diagram(first: &FirstRepetition) -> Result<Reliability, EvalError> {
    // A score that is no probability cannot be judged as one.
    let cases = first.decided.iter().filter(|case| (0.0..=1.0).contains(&case.confidence));
    let (confidence, right): (Vec<f64>, Vec<bool>) =
        cases.map(|case| (case.confidence, case.label == case.truth)).unzip();
    Ok(Reliability::of(&confidence, &right, BINS)?)
}
