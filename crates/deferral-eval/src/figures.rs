//! The figures of a report: what each shows, how it is read, and what was left out.
//!
//! A method looks the same in every figure: its style follows from its position in the comparison. Nothing here knows
//! how to draw; `chart` does.

mod closed_loop;
mod first;
mod frontier;
mod tradeoff;

use std::cmp::Reverse;

use deferral_metrics::{Load, Z95, spearman, wilson};

use crate::chart::{Axis, Chart, Dots, around, diagonal, line, named_dots};
use crate::{Comparison, CurvePoint, EvalError, ExpertRecord, LabelCurve, Row};
pub(crate) use closed_loop::noise_figure;
use first::{CASES_AT_LEAST, FirstRepetition};
pub(crate) use frontier::{frontier_figure, reliability_figure};
pub(crate) use tradeoff::tradeoff_figures;

/// A figure: drawings and the sentences below them. The sentences are plain text, the drawings are escaped.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    /// Its name within the page.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// None if there is nothing to draw; then the caption says why.
    pub(crate) panels: Vec<Panel>,
    pub(crate) caption: Vec<String>,
}

/// A drawing with its heading, which may be empty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Panel {
    pub(crate) heading: String,
    pub(crate) svg: String,
}

/// Longer names do not fit beside an axis.
const NAME_AT_MOST: usize = 22;
const GROUPS_AT_MOST: usize = 8;
const CURVES_AT_MOST: usize = 8;
const LOADS_AT_MOST: usize = 4;
const WEIGHTS_AT_MOST: usize = 3;
/// Fewer answers say nothing about an expert.
const ANSWERS_AT_LEAST: usize = 5;
/// Air around the data, as a share of their range.
const AIR: f64 = 0.08;
const UNIT: (f64, f64) = (0.0, 1.0);
const UNBOUNDED: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// All figures of a report, in order.
pub(crate) fn figures(comparison: &Comparison) -> Result<Vec<Figure>, EvalError> {
    let methods = Methods::of(comparison);
    Ok(vec![
        by_group(comparison, &methods)?,
        budget(comparison, &methods)?,
        coverage(comparison, &methods)?,
        frontier::reliability(comparison, &methods)?,
        load(comparison, &methods)?,
        weights(comparison, &methods)?,
    ])
}

/// Accuracy against labels per case, one line an aggregator.
pub(crate) fn label_curve_figure(curve: &LabelCurve) -> Result<Figure, EvalError> {
    let points = |method: usize| -> Vec<(f64, f64)> {
        let point = |point: &CurvePoint| Some((point.labels_per_case, point.accuracy[method]?.mean));
        curve.points.iter().filter_map(point).collect()
    };
    let lines: Vec<Vec<(f64, f64)>> = (0..curve.methods.len()).map(points).collect();
    let heights: Vec<f64> = lines.iter().flatten().map(|point| point.1).collect();
    let most = lines.iter().flatten().map(|point| point.0).fold(1.0, f64::max);
    let plots = lines.iter().enumerate().flat_map(|(method, points)| {
        let dots = Dots { style: method, points: points.clone(), ..Dots::default() };
        [line(method, &curve.methods[method], points), dots.draw()]
    });
    let chart = Chart {
        id: "labels",
        about: "Accuracy against labels per case, one line an aggregator",
        x: Axis::new("labels per case", (0.0, 1.05 * most)),
        y: Axis::new("accuracy", around(&heights, AIR, UNIT)),
        height: 330.0,
        mark: None,
    };
    let caption =
        "Mean accuracy of each aggregator when every case has so many random labels of those it has.".to_owned();
    let panels = if heights.is_empty() { Vec::new() } else { vec![Panel::of(chart.draw(plots.collect())?)] };
    let figure =
        Figure { id: "figure-labels", title: "Accuracy against labels per case", panels, caption: vec![caption] };
    Ok(figure.or_say("nothing was aggregated"))
}

/// Whether names are too long for the figures, which then show positions in the table.
pub(crate) fn shortens(names: &[String]) -> bool {
    names.iter().any(|name| name.chars().count() > NAME_AT_MOST)
}

/// Names that fit beside an axis: long ones end in their position, counted from 1.
fn short(names: &[String]) -> Vec<String> {
    let shorten = |(at, name): (usize, &String)| {
        let number = format!("… [{}]", at + 1);
        let kept = NAME_AT_MOST - number.chars().count();
        let cut = || name.chars().take(kept).collect::<String>() + &number;
        if name.chars().count() <= NAME_AT_MOST { name.clone() } else { cut() }
    };
    names.iter().enumerate().map(shorten).collect()
}

/// What all figures need about the methods.
struct Methods {
    /// Their names, short enough to be drawn.
    names: Vec<String>,
    first: Vec<FirstRepetition>,
    /// Their positions, the most accurate first: where not all fit into a figure, these do.
    ranking: Vec<usize>,
}

impl Methods {
    fn of(comparison: &Comparison) -> Self {
        let rows = comparison.rows();
        let accuracies: Vec<f64> = rows.iter().map(|row| row.accuracy.map_or(f64::NEG_INFINITY, |a| a.mean)).collect();
        let mut ranking: Vec<usize> = (0..rows.len()).collect();
        ranking.sort_by(|&a, &b| accuracies[b].total_cmp(&accuracies[a]));
        let first = (0..rows.len()).map(|method| FirstRepetition::of(comparison, method)).collect();
        Self { names: short(&comparison.methods), first, ranking }
    }

    fn group_size(&self, group: usize) -> usize {
        self.first.first().map_or(0, |first| first.by_group[group].n)
    }
}

/// Accuracy of every method on every group, as dots with whiskers: one row a method.
fn by_group(comparison: &Comparison, methods: &Methods) -> Result<Figure, EvalError> {
    let groups = largest_groups(comparison, methods);
    let names = short(&comparison.groups);
    let series = groups.len().max(1);
    let rows = methods.names.len();
    let (mut plots, mut ends) = (Vec::new(), Vec::new());
    for style in 0..series {
        let group = groups.get(style).copied();
        let mut dots = Dots { style, ..Dots::default() };
        dots.name = group.map(|group| format!("{} (n = {})", names[group], methods.group_size(group)));
        for (row, first) in methods.first.iter().enumerate() {
            let tally = group.map_or(first.all, |group| first.by_group[group]);
            let Some((share, (low, high))) = tally.share().zip(wilson(tally.right, tally.n, Z95)) else { continue };
            // The first row is at the top, and the first group at the top of its row.
            let shift = 0.7 * ((style as f64 + 0.5) / series as f64 - 0.5);
            dots.points.push((share, (rows - row) as f64 - shift));
            dots.across.push((share - low, high - share));
            ends.extend([low, high]);
        }
        plots.push(dots.draw());
    }
    let of_whom = if groups.is_empty() { "all test cases" } else { "a group's test cases" };
    let mut caption = vec![format!(
        "The share of {of_whom} of the first repetition that was decided rightly, with its 95 % Wilson interval."
    )];
    if groups.len() < comparison.groups.len() {
        caption.push(format!("Only the {} largest of the {} groups are shown.", groups.len(), comparison.groups.len()));
    }
    let chart = Chart {
        id: "groups",
        about: "Accuracy, one row a method",
        x: Axis::new("accuracy", around(&ends, AIR, UNIT)),
        y: Axis::rows(&methods.names),
        height: rows as f64 * (20.0 + 11.0 * series as f64),
        mark: None,
    };
    let title = if groups.is_empty() { "Accuracy" } else { "Accuracy by group" };
    let panels = if ends.is_empty() { Vec::new() } else { vec![Panel::of(chart.draw(plots)?)] };
    Ok(Figure { id: "figure-groups", title, panels, caption }.or_say("no case was decided"))
}

/// The largest groups, in their own order.
fn largest_groups(comparison: &Comparison, methods: &Methods) -> Vec<usize> {
    let mut groups: Vec<usize> = (0..comparison.groups.len()).collect();
    groups.sort_by_key(|&group| Reverse(methods.group_size(group)));
    groups.truncate(GROUPS_AT_MOST);
    groups.sort_unstable();
    groups
}

/// Accuracy against labels per case, one dot a method.
fn budget(comparison: &Comparison, methods: &Methods) -> Result<Figure, EvalError> {
    let rows = comparison.rows();
    let dot = |(method, row): (usize, &Row)| {
        Some((method, (row.labels_per_case, row.accuracy?.mean), methods.names[method].as_str()))
    };
    let dots: Vec<(usize, (f64, f64), &str)> = rows.iter().enumerate().filter_map(dot).collect();
    let accuracies: Vec<f64> = dots.iter().map(|&(_, (_, accuracy), _)| accuracy).collect();
    let most = dots.iter().map(|&(_, (labels, _), _)| labels).fold(0.5, f64::max);
    let chart = Chart {
        id: "budget",
        about: "Accuracy against human labels per case, one dot a method",
        // More air than elsewhere: names stand beside the dots.
        x: Axis::new("human labels per case", (-0.15 * most, 1.2 * most)),
        y: Axis::new("accuracy", around(&accuracies, 2.0 * AIR, (-0.05, 1.05))),
        height: 290.0,
        mark: None,
    };
    let caption = "Mean accuracy against what it costs: higher is better, further left is cheaper. Methods are on an equal footing where they stand one above the other.";
    let panels = if dots.is_empty() { Vec::new() } else { vec![Panel::of(chart.draw(vec![named_dots(&dots)])?)] };
    let caption = vec![caption.to_owned()];
    let figure = Figure { id: "figure-budget", title: "Accuracy for the labels spent", panels, caption };
    Ok(figure.or_say("no case was decided"))
}

/// Accuracy on the cases that a method is surest about.
fn coverage(comparison: &Comparison, methods: &Methods) -> Result<Figure, EvalError> {
    let mut curves = Vec::new();
    for &method in &methods.ranking {
        let curve = methods.first[method].curve()?;
        if !curve.is_empty() {
            curves.push((method, curve));
        }
    }
    let (curves, left_out) = distinct(curves, CURVES_AT_MOST);
    let heights: Vec<f64> = curves.iter().flat_map(|(_, points)| points.iter().map(|point| point.1)).collect();
    let plots = curves.iter().flat_map(|(method, points)| {
        // A method that is equally sure of everything has a dot and no line.
        let end = Dots { style: *method, points: points.last().copied().into_iter().collect(), ..Dots::default() };
        [line(*method, &methods.names[*method], points), end.draw()]
    });
    let chart = Chart {
        id: "coverage",
        about: "Accuracy against the share of cases decided, one line a method",
        x: Axis::percent("share of cases, surest first"),
        y: Axis::new("accuracy on them", around(&heights, AIR, UNIT)),
        height: 290.0,
        mark: None,
    };
    let mut caption = vec![format!(
        "The accuracy if only the cases were decided that a method is surest about, from {CASES_AT_LEAST} cases on (first repetition). The more a line falls, the better its confidence tells right from wrong; it ends at the accuracy on all cases."
    )];
    caption.extend(not_shown(comparison, &left_out, "or less accurate"));
    let panels = if curves.is_empty() { Vec::new() } else { vec![Panel::of(chart.draw(plots.collect())?)] };
    let figure = Figure { id: "figure-coverage", title: "Accuracy on the surest cases", panels, caption };
    Ok(figure.or_say("no case was decided"))
}

/// How the answers are spread over the experts.
fn load(comparison: &Comparison, methods: &Methods) -> Result<Figure, EvalError> {
    let load = |&method: &usize| Some((method, Load::of_counts(&methods.first[method].load)?));
    let (loads, left_out) = distinct(methods.ranking.iter().filter_map(load).collect(), LOADS_AT_MOST);
    let lines = loads.iter().map(|(method, load)| line(*method, &methods.names[*method], &busiest_first(&load.shares)));
    let chart = Chart {
        id: "load",
        about: "Share of the answers that the busiest experts give, one line a method",
        x: Axis::percent("share of experts, busiest first"),
        y: Axis::percent("share of all answers"),
        height: 290.0,
        mark: None,
    };
    let mut caption = vec![
        "How much of the work the busiest experts do (first repetition); on the grey diagonal everybody does the same. Gini is 0 for an even load and close to 1 if one expert does everything.".to_owned(),
    ];
    caption.extend(loads.iter().map(|(method, load)| {
        let (name, m, most) = (&comparison.methods[*method], load.shares.len(), 100.0 * load.max_share);
        format!("{name}: {} answers of {m} experts, Gini {:.2}, the busiest gives {most:.0} %.", load.total, load.gini)
    }));
    caption.extend(not_shown(comparison, &left_out, "or less accurate"));
    let plots = std::iter::once(diagonal()).chain(lines).collect();
    let panels = if loads.is_empty() { Vec::new() } else { vec![Panel::of(chart.draw(plots)?)] };
    let figure = Figure { id: "figure-load", title: "Load of the experts", panels, caption };
    Ok(figure.or_say("no method asked anybody"))
}

/// The cumulated shares against the share of experts.
fn busiest_first(shares: &[f64]) -> Vec<(f64, f64)> {
    let mut sorted = shares.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let mut total = 0.0;
    let cumulated = sorted.iter().enumerate().map(|(rank, share)| {
        total += share;
        ((rank + 1) as f64 / sorted.len() as f64, total)
    });
    std::iter::once((0.0, 0.0)).chain(cumulated).collect()
}

/// Whether those are trusted who deserve it: one panel a method that tells experts apart.
fn weights(comparison: &Comparison, methods: &Methods) -> Result<Figure, EvalError> {
    let mut candidates = methods.ranking.clone();
    candidates.retain(|&method| methods.first[method].tells_experts_apart());
    // One number an expert has little to show; that is drawn only if there is nothing better.
    let graded = candidates.iter().any(|&method| methods.first[method].graded);
    let (candidates, plain): (Vec<usize>, Vec<usize>) =
        candidates.iter().partition(|&&m| methods.first[m].graded == graded);
    let people = |method: usize| methods.first[method].people();
    let (shown, mut left_out) = distinct(candidates.iter().map(|&m| (m, people(m))).collect(), WEIGHTS_AT_MOST);
    left_out.extend(plain);
    left_out.sort_unstable();
    let mut panels = Vec::new();
    let mut caption = vec![format!(
        "One dot an expert with {ANSWERS_AT_LEAST} or more answers: how often these were right, and the mean weight that the method gives to the expert over the test cases of the first repetition (whiskers: one standard deviation). A method that knows whom to trust rises to the right."
    )];
    for (at, (method, people)) in shown.iter().enumerate() {
        let name = &comparison.methods[*method];
        let known = |expert: &&ExpertRecord| expert.answered >= ANSWERS_AT_LEAST && expert.weight.is_finite();
        let known: Vec<ExpertRecord> = people.iter().filter(known).copied().collect();
        if known.is_empty() {
            caption.push(format!("{name}: no expert gave {ANSWERS_AT_LEAST} answers."));
            continue;
        }
        let svg = weight_chart(at, &known, methods.first[*method].experts.last())?;
        panels.push(Panel { heading: name.clone(), svg });
        caption.push(format!("{name}: {}, over {} of {} experts.", correlation(&known)?, known.len(), people.len()));
    }
    caption.extend(not_shown(comparison, &left_out, "or weighing alike in all cases, or less accurate"));
    let figure = Figure { id: "figure-weights", title: "Weight against accuracy, expert by expert", panels, caption };
    let why = "no method weighs one expert differently from another";
    Ok(if shown.is_empty() { figure.or_say(why) } else { figure })
}

fn right_share(expert: &ExpertRecord) -> f64 {
    expert.right as f64 / expert.answered.max(1) as f64
}

fn correlation(experts: &[ExpertRecord]) -> Result<String, EvalError> {
    let accuracies: Vec<f64> = experts.iter().map(right_share).collect();
    let weights: Vec<f64> = experts.iter().map(|expert| expert.weight).collect();
    let rho = spearman(&accuracies, &weights)?;
    Ok(match (rho.value(), rho.interval()) {
        (Some(rho), Some((low, high))) => format!("Spearman correlation {rho:.2} (95 % {low:.2} to {high:.2})"),
        (Some(rho), None) => format!("Spearman correlation {rho:.2}"),
        (None, _) => "no Spearman correlation, since all accuracies or all weights are equal".to_owned(),
    })
}

fn weight_chart(at: usize, people: &[ExpertRecord], classifier: Option<&ExpertRecord>) -> Result<String, EvalError> {
    let classifier = classifier.filter(|classifier| classifier.weight.is_finite());
    let judged = classifier.filter(|classifier| classifier.answered > 0).copied();
    let plot = |experts: &[ExpertRecord], style: usize, name: &str| {
        let points = experts.iter().map(|expert| (right_share(expert), expert.weight)).collect();
        let along = experts.iter().map(|expert| expert.weight_sd).collect();
        // Without a second kind of dot there is nothing to explain.
        let name = judged.is_some().then(|| name.to_owned());
        Dots { style, name, points, along, ..Dots::default() }.draw()
    };
    let mut plots = vec![plot(people, 0, "expert")];
    plots.extend(judged.map(|classifier| plot(&[classifier], 1, "classifier")));
    // If how often the classifier is right was not recorded, there is a line at its weight.
    let mark = classifier.filter(|_| judged.is_none()).map(|classifier| (classifier.weight, "classifier"));
    let drawn: Vec<ExpertRecord> = people.iter().copied().chain(judged).collect();
    let accuracies: Vec<f64> = drawn.iter().map(right_share).collect();
    let ends = drawn.iter().flat_map(|expert| [expert.weight - expert.weight_sd, expert.weight + expert.weight_sd]);
    let ends: Vec<f64> = ends.chain(mark.map(|(height, _)| height)).collect();
    let chart = Chart {
        id: ["weights-1", "weights-2", "weights-3"][at % WEIGHTS_AT_MOST],
        about: "Weight of the experts against their accuracy",
        x: Axis::new("accuracy on own answers", around(&accuracies, AIR, UNIT)),
        y: Axis::new("mean weight", around(&ends, AIR, UNBOUNDED)),
        height: 270.0,
        mark,
    };
    chart.draw(plots)
}

impl Panel {
    fn of(svg: String) -> Self {
        Self { heading: String::new(), svg }
    }
}

impl Figure {
    /// Says why there is nothing to see, if there is nothing.
    fn or_say(mut self, why: &str) -> Self {
        if self.panels.is_empty() {
            self.caption = vec![format!("There is nothing to show: {why}.")];
        }
        self
    }
}

/// The first few that differ from each other, in order of method, and the methods of the rest.
fn distinct<T: PartialEq>(items: Vec<(usize, T)>, most: usize) -> (Vec<(usize, T)>, Vec<usize>) {
    let (mut kept, mut left_out): (Vec<(usize, T)>, Vec<usize>) = (Vec::new(), Vec::new());
    for (method, item) in items {
        if kept.len() < most && kept.iter().all(|(_, other)| *other != item) {
            kept.push((method, item));
        } else {
            left_out.push(method);
        }
    }
    kept.sort_by_key(|(method, _)| *method);
    left_out.sort_unstable();
    (kept, left_out)
}

fn not_shown(comparison: &Comparison, left_out: &[usize], why: &str) -> Option<String> {
    let names: Vec<&str> = left_out.iter().map(|&method| comparison.methods[method].as_str()).collect();
    (!names.is_empty()).then(|| format!("Not shown, for being equal to one that is, {why}: {}.", names.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_stay_apart() {
        let names = ["joint", "joint:k=5,steps=1000,rate=0.3", "joint:k=5,steps=1000,rate=0.1"].map(str::to_owned);
        assert_eq!(short(&names), ["joint", "joint:k=5,steps=1… [2]", "joint:k=5,steps=1… [3]"]);
        assert!(shortens(&names) && !shortens(&names[..1]));
    }

    #[test]
    fn only_what_differs_is_kept() {
        let items = vec![(4, 'a'), (1, 'b'), (2, 'a'), (0, 'c'), (3, 'd')];
        assert_eq!(distinct(items, 3), (vec![(0, 'c'), (1, 'b'), (4, 'a')], vec![2, 3]));
    }

    #[test]
    fn the_busiest_come_first() {
        let points = busiest_first(&[0.1, 0.6, 0.3]);
        assert_eq!(points[..2], [(0.0, 0.0), (1.0 / 3.0, 0.6)]);
        assert!((points[3].1 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn trust_that_follows_skill_correlates() {
        let expert = |right, weight| ExpertRecord { weight, weight_sd: 0.1, answered: 10, right };
        let experts: Vec<ExpertRecord> = (1..6).map(|i| expert(i, f64::from(i as u32) / 10.0)).collect();
        assert!(correlation(&experts).unwrap().starts_with("Spearman correlation 1.00"));
        assert!(correlation(&[expert(1, 0.5), expert(2, 0.5)]).unwrap().starts_with("no Spearman correlation"));
        let judged = weight_chart(0, &experts, Some(&expert(7, 0.9))).unwrap();
        assert!(judged.contains(">classifier</text>") && judged.contains(">expert</text>"));
        let unjudged = weight_chart(0, &experts, Some(&ExpertRecord { answered: 0, ..expert(0, 0.9) })).unwrap();
        assert!(unjudged.contains(">classifier</text>") && !unjudged.contains(">expert</text>"));
    }
}
