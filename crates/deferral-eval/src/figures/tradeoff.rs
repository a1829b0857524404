//! The figures of a trade-off between error and disparate impact.

use super::{AIR, Figure, Panel, UNBOUNDED, UNIT, short};
use crate::EvalError;
use crate::chart::{Axis, Chart, Dots, around, line};
use crate::tradeoff::{Medians, Tradeoff, Tradings};
use deferral_metrics::{median, pareto_front};

/// All figures, in order.
pub(crate) fn tradeoff_figures(tradeoff: &Tradeoff) -> Result<Vec<Figure>, EvalError> {
    let names = short(&tradeoff.families.iter().map(|family| family.name.clone()).collect::<Vec<_>>());
    let mut figures = vec![fronts(tradeoff, &names)?, by_asking(tradeoff, &names)?, asking(tradeoff, &names)?];
    for axis in &tradeoff.axes {
        figures.extend(along(tradeoff, &names, &axis.key)?);
    }
    Ok(figures)
}

/// The points on the test cases, as a line from the fairest to the most accurate.
fn places(family: &Tradings, points: &[usize]) -> Vec<(f64, f64)> {
    let mut places: Vec<(f64, f64)> =
        points.iter().map(|&at| (family.points[at].test.impact, family.points[at].test.error)).collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    places
}

/// A frame around lines of disparate impact and error.
fn draw_fronts(
    id: &'static str,
    about: &'static str,
    names: &[String],
    lines: &[Vec<(f64, f64)>],
) -> Result<Option<String>, EvalError> {
    let all = || lines.iter().flatten();
    if all().next().is_none() {
        return Ok(None);
    }
    let (impacts, errors): (Vec<f64>, Vec<f64>) = all().copied().unzip();
    let chart = Chart {
        id,
        about,
        x: Axis::new("disparate impact", around(&impacts, AIR, UNIT)),
        y: Axis::new("error", around(&errors, AIR, UNIT)),
        height: 320.0,
        mark: None,
    };
    let series = lines.iter().enumerate().filter(|(_, points)| !points.is_empty()).flat_map(|(style, points)| {
        let dots = Dots { style, points: points.clone(), ..Dots::default() };
        [line(style, &names[style], points), dots.draw()]
    });
    chart.draw(series.collect()).map(Some)
}

/// Error against disparate impact: the settings that no other of the family beats.
fn fronts(tradeoff: &Tradeoff, names: &[String]) -> Result<Figure, EvalError> {
    let lines: Vec<_> = tradeoff.families.iter().map(|family| places(family, &family.front)).collect();
    let drawn = draw_fronts("fronts", "Error against disparate impact, one line a method", names, &lines)?;
    let chosen = if tradeoff.validated {
        "Settings are those that no other of the method beats in both on the validation cases; shown is what they came to \
         on the test cases, so a line need not fall."
    } else {
        "Settings were chosen on the test cases themselves, for want of validation cases: all lines are flattered."
    };
    let caption = vec![
        "Lower and further left is better. Each point is the median of all runs at one setting; a method without a grid \
         is one point."
            .to_owned(),
        chosen.to_owned(),
    ];
    let panels = drawn.map(Panel::of).into_iter().collect();
    Ok(Figure { id: "figure-fronts", title: "Error against unfairness", panels, caption }.or_say("nothing was decided"))
}

/// How often a setting asks: seldom, sometimes, often.
const BANDS: [(&str, &str, f64, f64); 3] = [
    ("fronts-low", "Asks about less than a third of the cases", 0.0, 1.0 / 3.0),
    ("fronts-medium", "Asks about a third to two thirds", 1.0 / 3.0, 2.0 / 3.0),
    ("fronts-high", "Asks about more than two thirds", 2.0 / 3.0, f64::INFINITY),
];

/// The same among settings that ask seldom, sometimes and often.
fn by_asking(tradeoff: &Tradeoff, names: &[String]) -> Result<Figure, EvalError> {
    let mut panels = Vec::new();
    for (id, heading, from, to) in BANDS {
        let line = |family: &Tradings| {
            let within = |at: &usize| (from..to).contains(&family.points[*at].chosen_by.asked);
            let inside: Vec<usize> = (0..family.points.len()).filter(within).collect();
            let chosen: Vec<_> = inside.iter().map(|&at| family.points[at].chosen_by.place()).collect();
            places(family, &pareto_front(&chosen).into_iter().map(|at| inside[at]).collect::<Vec<_>>())
        };
        let lines: Vec<_> = tradeoff.families.iter().map(line).collect();
        panels.extend(draw_fronts(id, heading, names, &lines)?.map(|svg| Panel { heading: heading.to_owned(), svg }));
    }
    let caption = vec!["The first figure once more, among settings that ask about equally many cases.".to_owned()];
    let figure = Figure { id: "figure-by-asking", title: "Who seldom asks and who often does", panels, caption };
    Ok(figure.or_say("nothing was decided"))
}

/// Panels of the shares of runs that ask about at most so many cases: of all cases, and of each group.
const ASKING_IDS: [&str; 6] = ["asking-all", "asking-1", "asking-2", "asking-3", "asking-4", "asking-5"];

/// The distribution of asking rates over all runs.
fn asking(tradeoff: &Tradeoff, names: &[String]) -> Result<Figure, EvalError> {
    let families: Vec<(usize, &Tradings)> =
        tradeoff.families.iter().enumerate().filter(|(_, family)| family.points.len() > 1).collect();
    let mut panels = Vec::new();
    let groups = tradeoff.groups.iter().enumerate().map(|(at, name)| (Some(at), name.as_str()));
    let all = std::iter::once((None, "all cases"));
    for (id, (group, name)) in ASKING_IDS.into_iter().zip(all.chain(groups)) {
        let rate = |run: &Medians| group.map_or(run.asked, |group| run.asked_by_group[group]);
        let series = families.iter().map(|(style, family)| {
            let rates = family.points.iter().flat_map(|point| &point.runs).map(rate).collect();
            line(*style, &names[*style], &cumulative(rates))
        });
        let chart = Chart {
            id,
            about: "Share of runs that ask about at most this share of the cases",
            x: Axis::percent("cases asked about"),
            y: Axis::percent("runs"),
            height: 250.0,
            mark: None,
        };
        let heading = if group.is_some() { format!("{} = {name}", tradeoff.group) } else { "All cases".to_owned() };
        if !families.is_empty() {
            panels.push(Panel { heading, svg: chart.draw(series.collect())? });
        }
    }
    let caption = vec![
        "The share of runs, over all settings of the grid, that ask about at most so many of the cases. A line that is \
         high on the left belongs to a method that seldom asks."
            .to_owned(),
    ];
    let figure = Figure { id: "figure-asking", title: "How often each method asks", panels, caption };
    Ok(figure.or_say("no method has a grid of settings"))
}

/// The steps of the distribution function of some shares, from 0 to 1.
fn cumulative(mut values: Vec<f64>) -> Vec<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let n = values.len().max(1) as f64;
    let mut points = vec![(0.0, 0.0)];
    for (at, value) in values.iter().enumerate() {
        // A step up at the value.
        points.push((*value, at as f64 / n));
        points.push((*value, (at + 1) as f64 / n));
    }
    points.push((1.0, 1.0));
    points
}

/// A setting along which error and disparate impact are drawn.
struct Along {
    key: &'static str,
    label: &'static str,
    /// Disparate impact, then error: the names of figure and drawing, and the title.
    drawn: [[&'static str; 3]; 2],
}

const ALONG: [Along; 2] = [
    Along {
        key: "alpha",
        label: "alpha, the weight of the penalty",
        drawn: [
            ["figure-impact-alpha", "impact-alpha", "Unfairness against alpha"],
            ["figure-error-alpha", "error-alpha", "Error against alpha"],
        ],
    },
    Along {
        key: "gamma",
        label: "gamma, the price of asking",
        drawn: [
            ["figure-impact-gamma", "impact-gamma", "Unfairness against gamma"],
            ["figure-error-gamma", "error-gamma", "Error against gamma"],
        ],
    },
];

/// Error and disparate impact along one setting: the median over all other settings and runs, and every run as a dot.
fn along(tradeoff: &Tradeoff, names: &[String], key: &str) -> Result<Vec<Figure>, EvalError> {
    let Some(along) = ALONG.iter().find(|along| along.key == key) else { return Ok(Vec::new()) };
    let of: [fn(&Medians) -> f64; 2] = [|run| run.impact, |run| run.error];
    let heights = ["disparate impact", "error"];
    let drawn = along.drawn.into_iter().zip(of).zip(heights);
    drawn.map(|((names_of, value), height)| along_one(tradeoff, names, along, names_of, value, height)).collect()
}

fn along_one(
    tradeoff: &Tradeoff,
    names: &[String],
    along: &Along,
    [figure, id, title]: [&'static str; 3],
    value: fn(&Medians) -> f64,
    height: &'static str,
) -> Result<Figure, EvalError> {
    let runs: Vec<Vec<(f64, f64)>> =
        tradeoff.families.iter().map(|family| runs_along(family, along.key, value)).collect();
    let (xs, ys): (Vec<f64>, Vec<f64>) = runs.iter().flatten().copied().unzip();
    let series = runs.into_iter().enumerate().filter(|(_, dots)| !dots.is_empty()).flat_map(|(style, dots)| {
        [line(style, &names[style], &middles(&dots)), Dots { style, points: dots, ..Dots::default() }.draw()]
    });
    let series: Vec<_> = series.collect();
    let chart = Chart {
        id,
        about: title,
        x: Axis::new(along.label, around(&xs, AIR, UNBOUNDED)),
        y: Axis::new(height, around(&ys, AIR, UNIT)),
        height: 260.0,
        mark: None,
    };
    let panels = if series.is_empty() { Vec::new() } else { vec![Panel::of(chart.draw(series)?)] };
    let caption = vec!["Every run is a dot, whatever its other settings; the line is their median.".to_owned()];
    Ok(Figure { id: figure, title, panels, caption }.or_say("no method has this setting"))
}

/// Every run of a family by its value of a setting, in order.
fn runs_along(family: &Tradings, key: &str, value: fn(&Medians) -> f64) -> Vec<(f64, f64)> {
    let mut dots: Vec<(f64, f64)> = Vec::new();
    for point in &family.points {
        if let Some((_, at)) = point.settings.iter().find(|(setting, _)| setting == key) {
            dots.extend(point.runs.iter().map(|run| (*at, value(run))));
        }
    }
    dots.sort_by(|a, b| a.0.total_cmp(&b.0));
    dots
}

/// The median of the dots at each value, which stand in order.
fn middles(dots: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let middle = |same: &[(f64, f64)]| median(&same.iter().map(|dot| dot.1).collect::<Vec<_>>());
    dots.chunk_by(|a, b| a.0 == b.0).filter_map(|same| Some((same[0].0, middle(same)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_rise_in_steps() {
        assert_eq!(
            cumulative(vec![0.5, 0.25]),
            [(0.0, 0.0), (0.25, 0.0), (0.25, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]
        );
    }
}
