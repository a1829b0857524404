//! What an experiment has drawn, one function a kind of drawing. All in one style: a method has the same colour, marker
//! and dashes within a figure, and `chart` sees to the rest.

use std::collections::BTreeMap;

use deferral_eval::chart::{Axis, Chart, Dots, Series, around, line};
use deferral_eval::escape;
use deferral_metrics::{median, spearman};

use super::Studies;
use super::curve::Curve;
use super::document::{Figure, Panel, code};
use super::numbers::{number, short_names, shortened};
use crate::claims::{experts, front};
use crate::error::ReproduceError;
use crate::experiment::{Curve as CurveSpec, Drawing, FigureSpec, Statistic};

/// Air around the data, as a share of their range.
const AIR: f64 = 0.08;
const UNBOUNDED: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);
const HEIGHT: f64 = 300.0;

/// The names of the drawings of an experiment, one after another.
pub(super) struct Names {
    experiment: String,
    given: usize,
}

impl Names {
    pub(super) fn of(experiment: &str) -> Self {
        Self { experiment: experiment.to_owned(), given: 0 }
    }

    pub(super) fn next(&mut self) -> String {
        self.given += 1;
        format!("{}-{}", self.experiment, self.given)
    }
}

/// A line or a cloud of dots with the name that the legend shows.
struct Trace {
    name: String,
    points: Vec<(f64, f64)>,
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Line,
    LineWithDots,
    Dots,
}

/// What the axes say.
struct Frame<'a> {
    title: &'a str,
    x: String,
    y: String,
    /// The vertical axis shows shares, from 0 to all.
    shares: bool,
    /// The horizontal axis begins at 0.
    from_zero: bool,
    mark: Option<(f64, String)>,
}

/// A figure of an experiment.
pub(super) fn figure(spec: &FigureSpec, studies: &Studies<'_>, names: &mut Names) -> Result<Figure, ReproduceError> {
    let study = spec.study.as_str();
    let mut figure = match &spec.draw {
        Drawing::Lines { x, y, measure, at, lines, mark } => {
            let traces: Vec<Trace> =
                lines.iter().map(|curve| along_values(curve, study, measure, at, studies)).collect();
            let height = mark.as_ref().and_then(|method| {
                Some((studies.results(study)?.statistic(method, measure, Statistic::Mean)?, method.clone()))
            });
            let frame = Frame { x: x.clone(), y: y.clone(), mark: height, ..Frame::of(&spec.title) };
            frame.figure(&traces, names)?
        }
        Drawing::Labels { measure, methods, lines } => {
            labels(&spec.title, study, measure, methods, lines, studies, names)?
        }
        Drawing::Fronts { families, methods } => fronts(spec, families, methods, studies, names)?,
        Drawing::Distribution { measure, families } => {
            let traces: Vec<Trace> =
                families.iter().map(|family| distribution(family, study, measure, studies)).collect();
            let frame = Frame {
                x: measure.clone(),
                y: "share of runs with at most so much".to_owned(),
                shares: true,
                ..Frame::of(&spec.title)
            };
            frame.figure(&traces, names)?
        }
        Drawing::Along { setting, measure, families } => {
            let traces: Vec<Trace> =
                families.iter().map(|family| along(family, study, setting, measure, studies)).collect();
            let frame = Frame { x: setting.clone(), y: format!("median {measure}"), ..Frame::of(&spec.title) };
            frame.figure(&traces, names)?
        }
        Drawing::Experts { methods, against } => weights(spec, methods, against, studies, names)?,
    };
    figure.caption.insert(0, spec.caption.clone());
    if figure.panels.is_empty() {
        figure.caption.push(match studies.results(study) {
            None => format!("Nothing is drawn: the study `{study}` was not run here."),
            Some(_) => "Nothing is drawn: the study has no such figures.".to_owned(),
        });
    }
    Ok(figure)
}

/// A measure against labels per case: methods as dots, curves as lines.
pub(super) fn labels(
    title: &str,
    study: &str,
    measure: &str,
    methods: &[String],
    curves: &[CurveSpec],
    studies: &Studies<'_>,
    names: &mut Names,
) -> Result<Figure, ReproduceError> {
    let line = |spec: &CurveSpec| Trace {
        name: spec.name.clone(),
        points: Curve::of(spec, study, measure, studies).0,
        shape: Shape::LineWithDots,
    };
    let dot = |method: &String| Trace {
        name: method.clone(),
        points: studies.effort(study, method, measure).into_iter().collect(),
        shape: Shape::Dots,
    };
    let traces: Vec<Trace> = curves.iter().map(line).chain(methods.iter().map(dot)).collect();
    let (x, y) = ("labels per case".to_owned(), measure.to_owned());
    Frame { x, y, from_zero: true, ..Frame::of(title) }.figure(&traces, names)
}

/// A method a value.
fn along_values(curve: &CurveSpec, study: &str, measure: &str, at: &[f64], studies: &Studies<'_>) -> Trace {
    let results = studies.results(curve.study.as_deref().unwrap_or(study));
    let point = |(x, method): (&f64, &String)| Some((*x, results?.statistic(method, measure, Statistic::Mean)?));
    let points = at.iter().zip(&curve.methods).filter_map(point).collect();
    Trace { name: curve.name.clone(), points, shape: Shape::LineWithDots }
}

fn fronts(
    spec: &FigureSpec,
    families: &[String],
    methods: &[String],
    studies: &Studies<'_>,
    names: &mut Names,
) -> Result<Figure, ReproduceError> {
    let results = studies.results(&spec.study);
    let mut traces = Vec::new();
    for family in families {
        let places = results.map(|results| front(results, family)).unwrap_or_default();
        let mut points: Vec<(f64, f64)> = places.iter().map(|(_, place)| (place.disparity, place.error)).collect();
        // Chosen on the validation part, so that on the test part they may be in another order.
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
        traces.push(Trace { name: family.clone(), points, shape: Shape::LineWithDots });
    }
    for method in methods {
        let of = |measure: &str| results.and_then(|results| results.statistic(method, measure, Statistic::Median));
        let points = of("impact").zip(of("error")).into_iter().collect();
        traces.push(Trace { name: method.clone(), points, shape: Shape::Dots });
    }
    let (x, y) = ("disparate impact".to_owned(), "error".to_owned());
    Frame { x, y, ..Frame::of(&spec.title) }.figure(&traces, names)
}

/// The share of a family's runs that have at most so much.
fn distribution(family: &str, study: &str, measure: &str, studies: &Studies<'_>) -> Trace {
    let mut values: Vec<f64> = studies.results(study).map_or_else(Vec::new, |results| {
        let of_family = results.family(family).flat_map(|method| results.values(method, measure));
        of_family.filter(|value| value.is_finite()).collect()
    });
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let start = values.first().map(|value| (*value, 0.0));
    let points = values.iter().enumerate().map(|(at, value)| (*value, (at + 1) as f64 / n));
    Trace { name: family.to_owned(), points: start.into_iter().chain(points).collect(), shape: Shape::Line }
}

/// The median of a measure against a setting, over all else.
fn along(family: &str, study: &str, setting: &str, measure: &str, studies: &Studies<'_>) -> Trace {
    // Values of a setting are ordered by their bits: those that are drawn are finite, and equal texts are equal bits.
    let mut by_value: BTreeMap<u64, (f64, Vec<f64>)> = BTreeMap::new();
    if let Some(results) = studies.results(study) {
        for method in results.family(family) {
            let Some(value) = setting_of(method, setting) else { continue };
            by_value.entry(value.to_bits()).or_insert((value, Vec::new())).1.extend(results.values(method, measure));
        }
    }
    let point = |(value, all): &(f64, Vec<f64>)| Some((*value, median(all)?));
    let mut points: Vec<(f64, f64)> = by_value.values().filter_map(point).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    Trace { name: family.to_owned(), points, shape: Shape::LineWithDots }
}

/// The value of a setting in `method:setting=value,...`.
fn setting_of(method: &str, setting: &str) -> Option<f64> {
    let (_, settings) = method.split_once(':')?;
    let value = settings.split(',').find_map(|one| one.trim().strip_prefix(setting)?.strip_prefix('='))?;
    value.trim().parse().ok().filter(|value: &f64| value.is_finite())
}

/// The weight of every expert against a property, one panel a method.
fn weights(
    spec: &FigureSpec,
    methods: &[String],
    against: &str,
    studies: &Studies<'_>,
    names: &mut Names,
) -> Result<Figure, ReproduceError> {
    let (mut panels, mut caption) = (Vec::new(), Vec::new());
    let x = against.split_once('/').map_or_else(|| against.to_owned(), |(what, group)| format!("{what} on {group}"));
    for method in methods {
        let known = studies.results(&spec.study).map(|results| experts(results, method, against)).unwrap_or_default();
        let finite = known.into_iter().filter(|(_, property, weight)| property.is_finite() && weight.is_finite());
        let points: Vec<(f64, f64)> = finite.map(|(_, property, weight)| (property, weight)).collect();
        if points.is_empty() {
            continue;
        }
        let (properties, weights): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        let rank = spearman(&weights, &properties).ok().and_then(|rank| rank.value());
        let rank = rank.map_or_else(|| "none".to_owned(), |rank| number(rank, 2));
        caption.push(format!("{}: {} experts, rank correlation {rank}.", code(method), points.len()));
        let frame = Frame { x: x.clone(), y: "weight".to_owned(), ..Frame::of(&spec.title) };
        let trace = Trace { name: String::new(), points, shape: Shape::Dots };
        panels.extend(
            frame.figure(&[trace], names)?.panels.into_iter().map(|panel| Panel { heading: method.clone(), ..panel }),
        );
    }
    Ok(Figure { title: spec.title.clone(), panels, caption })
}

impl<'a> Frame<'a> {
    fn of(title: &'a str) -> Self {
        Self { title, x: String::new(), y: String::new(), shares: false, from_zero: false, mark: None }
    }

    /// One drawing of all traces; none if they are empty.
    fn figure(&self, traces: &[Trace], names: &mut Names) -> Result<Figure, ReproduceError> {
        let all: Vec<String> = traces.iter().map(|trace| trace.name.clone()).collect();
        let short = short_names(&all);
        let points = || traces.iter().flat_map(|trace| trace.points.iter().copied());
        let mut figure = Figure { title: self.title.to_owned(), panels: Vec::new(), caption: Vec::new() };
        if points().next().is_none() {
            return Ok(figure);
        }
        let xs: Vec<f64> = points().map(|point| point.0).chain(self.from_zero.then_some(0.0)).collect();
        let ys: Vec<f64> = points().map(|point| point.1).chain(self.mark.as_ref().map(|mark| mark.0)).collect();
        let name = names.next();
        let mark_name = self.mark.as_ref().map(|(_, name)| short_names(std::slice::from_ref(name)).swap_remove(0));
        let chart = Chart {
            id: &name,
            about: &escape(&format!("{}: {} against {}", self.title, self.y, self.x)),
            x: Axis::new(&self.x, around(&xs, AIR / 2.0, UNBOUNDED)),
            y: if self.shares { Axis::percent(&self.y) } else { Axis::new(&self.y, around(&ys, AIR, UNBOUNDED)) },
            height: HEIGHT,
            mark: self.mark.as_ref().zip(mark_name.as_deref()).map(|((height, _), name)| (*height, name)),
        };
        let series = traces.iter().zip(&short).enumerate().flat_map(|(style, (trace, name))| trace.series(style, name));
        let svg = chart.draw(series.collect())?;
        figure.panels.push(Panel { name, heading: String::new(), svg });
        figure.caption.extend(shortened(&all));
        Ok(figure)
    }
}

impl Trace {
    fn series(&self, style: usize, name: &str) -> Vec<Series> {
        if self.points.is_empty() {
            return Vec::new();
        }
        let dots = |name: Option<String>| Dots { style, name, points: self.points.clone(), ..Dots::default() }.draw();
        let shown = Some(name.to_owned()).filter(|name| !name.is_empty());
        match self.shape {
            Shape::Line => vec![line(style, name, &self.points)],
            Shape::LineWithDots => vec![line(style, name, &self.points), dots(None)],
            Shape::Dots => vec![dots(shown)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_by_their_whole_name() {
        assert_eq!(setting_of("fair-idk:beta-alpha=3,alpha=0.5,k=2", "alpha"), Some(0.5));
        assert_eq!(setting_of("fair-idk", "alpha"), None);
        assert_eq!(setting_of("fair-idk:alpha=published", "alpha"), None);
    }
}
