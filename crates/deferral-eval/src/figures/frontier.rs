//! The figures of a frontier, and how well confidence tells right from wrong.

use deferral_metrics::Reliability;

use super::chart::{Axis, Chart, Dots, around, diagonal, line};
use super::first::FirstRepetition;
use super::{AIR, Figure, Methods, Panel, UNIT, distinct, not_shown};
use crate::frontier::{BINS, Family, Frontier};
use crate::{Comparison, EvalError};

const CURVES_AT_MOST: usize = 6;

/// Accuracy, and that of the worst group, against labels per case: one line a method.
pub(crate) fn frontier_figure(frontier: &Frontier) -> Result<Figure, EvalError> {
    let mut panels = vec![Panel::of(curves(frontier, "frontier", "accuracy", &|point| Some(point.accuracy))?)];
    if !frontier.groups.is_empty() {
        let svg = curves(frontier, "frontier-worst", "accuracy on the worst group", &|point| point.worst_group)?;
        panels.push(Panel { heading: "The group that is served worst".to_owned(), svg });
    }
    let caption = vec![
        "Higher is better, further left is cheaper. Each dot is a method at one effort: a price of a label or a \
         confidence at which it stops asking, or a number of labels that it asks for."
            .to_owned(),
    ];
    let title = "Accuracy against labels per case";
    let figure = Figure { id: "figure-frontier", title, panels, caption };
    let nothing = frontier.families.iter().all(|family| family.points.is_empty());
    Ok(if nothing { Figure { panels: Vec::new(), ..figure }.or_say("nothing was decided") } else { figure })
}

fn curves(
    frontier: &Frontier,
    id: &'static str,
    label: &'static str,
    height: &dyn Fn(&crate::frontier::FrontierPoint) -> Option<f64>,
) -> Result<String, EvalError> {
    let points = |family: &Family| -> Vec<(f64, f64)> {
        family.points.iter().filter_map(|point| Some((point.labels_per_case, height(point)?))).collect()
    };
    let lines: Vec<Vec<(f64, f64)>> = frontier.families.iter().map(points).collect();
    let heights: Vec<f64> = lines.iter().flatten().map(|point| point.1).collect();
    let most = lines.iter().flatten().map(|point| point.0).fold(0.5, f64::max);
    let plots = lines.iter().zip(&frontier.families).enumerate().flat_map(|(style, (points, family))| {
        let dots = Dots { style, points: points.clone(), ..Dots::default() };
        [line(style, &family.name, points), dots.draw()]
    });
    let chart = Chart {
        id,
        about: "Accuracy against human labels per case, one line a method",
        x: Axis::new("human labels per case", (-0.02 * most, 1.04 * most)),
        y: Axis::new(label, around(&heights, AIR, UNIT)),
        height: 330.0,
        mark: None,
    };
    chart.draw(plots.collect())
}

/// The calibration errors of a frontier's first families say most in a table; the figure shows how they move with effort.
pub(crate) fn reliability_figure(frontier: &Frontier) -> Result<Figure, EvalError> {
    let points = |family: &Family| -> Vec<(f64, f64)> {
        let point = |p: &crate::frontier::FrontierPoint| Some((p.labels_per_case, p.calibration_error.value()?));
        family.points.iter().filter_map(point).collect()
    };
    let lines: Vec<Vec<(f64, f64)>> = frontier.families.iter().map(points).collect();
    let heights: Vec<f64> = lines.iter().flatten().map(|point| point.1).collect();
    let most = lines.iter().flatten().map(|point| point.0).fold(0.5, f64::max);
    let plots = lines.iter().zip(&frontier.families).enumerate().flat_map(|(style, (points, family))| {
        let dots = Dots { style, points: points.clone(), ..Dots::default() };
        [line(style, &family.name, points), dots.draw()]
    });
    let chart = Chart {
        id: "calibration-error",
        about: "Expected calibration error against human labels per case, one line a method",
        x: Axis::new("human labels per case", (-0.02 * most, 1.04 * most)),
        y: Axis::new("expected calibration error", around(&heights, AIR, UNIT)),
        height: 290.0,
        mark: None,
    };
    let panels = if heights.is_empty() { Vec::new() } else { vec![Panel::of(chart.draw(plots.collect())?)] };
    let caption = vec!["How far the confidence of a decision is from how often such decisions are right.".to_owned()];
    let figure = Figure { id: "figure-calibration-error", title: "What a confidence is worth", panels, caption };
    Ok(figure.or_say("nothing was decided"))
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
