//! Drawing: dots, lines and the frame around them. The one place that knows the plotting crate.
//!
//! Drawings are narrow and their letters large, so that they can be read on a telephone and grow with the page. The same
//! drawing is the same bytes, whatever was drawn before.
//!
//! ```
//! use deferral_eval::chart::{Axis, Chart, line};
//! let chart = Chart {
//!     id: "noise",
//!     about: "Accuracy falls with noise",
//!     x: Axis::new("noise", (0.0, 1.0)),
//!     y: Axis::percent("accuracy"),
//!     height: 300.0,
//!     mark: Some((0.5, "a coin")),
//! };
//! let svg = chart.draw(vec![line(0, "ours", &[(0.0, 0.99), (1.0, 0.4)])])?;
//! assert!(svg.starts_with("<svg") && svg.contains("a coin"));
//! # Ok::<(), deferral_eval::EvalError>(())
//! ```

use std::sync::Arc;

use kuva::backend::svg::SvgBackend;
use kuva::plot::annotations::{ReferenceLine, ShadedRegion};
use kuva::plot::legend::LegendPosition;
use kuva::plot::scatter::MarkerShape;
use kuva::plot::{LabelStyle, LinePlot, LineStyle, ScatterPlot};
use kuva::render::layout::{ComputedLayout, Layout, TickFormat};
use kuva::render::plots::Plot;
use kuva::render::render::{Primitive, collect_legend_entries, render_multiple};
use kuva::render::theme::Theme;

use crate::EvalError;

/// The colours of Okabe and Ito (2008), which people with any colour vision tell apart; grey stands for their yellow,
/// which is too pale for a line on white.
const COLOURS: [&str; 8] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000", "#56B4E9", "#777777"];
const MARKERS: [MarkerShape; 8] = [
    MarkerShape::Circle,
    MarkerShape::Square,
    MarkerShape::Triangle,
    MarkerShape::Diamond,
    MarkerShape::TriangleDown,
    MarkerShape::Star,
    MarkerShape::Pentagon,
    MarkerShape::Hexagon,
];
const DASHES: [&str; 8] = ["", "8 4", "2 3", "8 3 2 3", "14 4", "4 2", "12 3 2 3 2 3", "1 2"];
const WIDTH: f64 = 460.0;
const POINTS_AT_MOST: usize = 200;

/// Something to draw, made by [`Dots::draw`], [`line()`], [`named_dots`] or [`diagonal`]. Whatever has the same style number has the same colour, marker and dashes.
pub struct Series(Plot);

/// Dots of one style.
#[derive(Default)]
pub struct Dots {
    /// Its number.
    pub style: usize,
    /// Shown in the legend.
    pub name: Option<String>,
    /// Where they are.
    pub points: Vec<(f64, f64)>,
    /// How far whiskers reach to the left and to the right of each dot; none if empty.
    pub across: Vec<(f64, f64)>,
    /// How far they reach up and down.
    pub along: Vec<f64>,
}

impl Dots {
    /// The dots as something to draw.
    pub fn draw(self) -> Series {
        let mut plot = ScatterPlot::new()
            .with_data(self.points)
            .with_x_err_asymmetric(self.across)
            .with_y_err(self.along)
            .with_color(colour(self.style))
            .with_marker(MARKERS[variant(self.style)])
            .with_size(4.0);
        plot.legend_label = self.name.as_deref().map(plain);
        Series(Plot::Scatter(plot))
    }
}

/// Dots with their names beside them, each of its own colour: style, position and name.
pub fn named_dots(dots: &[(usize, (f64, f64), &str)]) -> Series {
    let plot = ScatterPlot::new()
        .with_data(dots.iter().map(|&(_, point, _)| point))
        .with_colors(dots.iter().map(|&(style, ..)| colour(style)))
        .with_labels(dots.iter().map(|&(.., name)| plain(name)))
        .with_label_style(LabelStyle::Repel)
        .with_size(5.0);
    Series(Plot::Scatter(plot))
}

/// A line through at most a few hundred of the points, the last among them, with its name in the legend.
pub fn line(style: usize, name: &str, points: &[(f64, f64)]) -> Series {
    let dashes = DASHES[variant(style)];
    let dashes = if dashes.is_empty() { LineStyle::Solid } else { LineStyle::Custom(dashes.to_owned()) };
    let plot = LinePlot::new().with_data(thinned(points)).with_line_style(dashes).with_legend(plain(name));
    Series(Plot::Line(plot.with_color(colour(style)).with_stroke_width(2.0)))
}

/// The thin line from (0, 0) to (1, 1).
pub fn diagonal() -> Series {
    let plot = LinePlot::new().with_data([(0.0, 0.0), (1.0, 1.0)]);
    Series(Plot::Line(plot.with_color("#767676").with_stroke_width(1.0)))
}

fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let step = points.len().div_ceil(POINTS_AT_MOST).max(1);
    let kept = points.iter().enumerate().filter(|(at, _)| at % step == 0 || at + 1 == points.len());
    kept.map(|(_, point)| *point).collect()
}

fn colour(style: usize) -> &'static str {
    COLOURS[style % COLOURS.len()]
}

/// From the ninth style on colours repeat; markers and dashes are then shifted by one.
fn variant(style: usize) -> usize {
    (style + style / COLOURS.len()) % COLOURS.len()
}

/// A text that is drawn as it stands: the crate reads what is between two `$` as a formula, and also writes characters
/// that no page may contain.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "\u{FFFD}").replace('$', "\\$")
}

/// What an axis shows.
pub struct Axis<'a> {
    label: &'a str,
    range: (f64, f64),
    ticks: TickFormat,
    step: Option<f64>,
    rows: usize,
}

impl<'a> Axis<'a> {
    /// Numbers within a range.
    pub fn new(label: &'a str, range: (f64, f64)) -> Self {
        Self { label, range, ticks: TickFormat::Auto, step: None, rows: 0 }
    }

    /// Shares, from 0 to a little more than 100 %.
    pub fn percent(label: &'a str) -> Self {
        let ticks = TickFormat::Custom(Arc::new(|share| format!("{:.0} %", 100.0 * share)));
        Self { ticks, ..Self::new(label, (0.0, 1.03)) }
    }

    /// Names, from the top one at height `names.len()` to the last one at height 1.
    pub fn rows(names: &[String]) -> Self {
        let rows = names.len();
        let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
        let name = move |height: f64| {
            let row = names.len() as f64 - height.round();
            let name = (row >= 0.0).then(|| names.get(row as usize)).flatten();
            name.cloned().unwrap_or_default()
        };
        let ticks = TickFormat::Custom(Arc::new(name));
        Self { label: "", range: (0.45, rows as f64 + 0.55), ticks, step: Some(1.0), rows }
    }
}

/// The frame of a drawing.
pub struct Chart<'a> {
    /// Unique on the page.
    pub id: &'a str,
    /// For those who cannot see it.
    pub about: &'a str,
    /// From left to right.
    pub x: Axis<'a>,
    /// From the bottom to the top.
    pub y: Axis<'a>,
    /// Of the data's area, which is about 400 wide.
    pub height: f64,
    /// A dashed line at a height, with its name.
    pub mark: Option<(f64, &'a str)>,
}

impl Chart<'_> {
    /// The drawing as an element of a page; it takes the width that it is given. `about` and `id` are not escaped.
    ///
    /// # Errors
    /// [`EvalError::Figure`] if the plotting crate draws nothing.
    pub fn draw(&self, series: Vec<Series>) -> Result<String, EvalError> {
        let plots: Vec<Plot> = series.into_iter().map(|series| series.0).collect();
        let layout = self.layout(&plots);
        let frame = ComputedLayout::from_layout(&layout);
        let height = (self.height + frame.margin_top + frame.margin_bottom).ceil();
        let mut scene = render_multiple(plots, layout.with_height(height));
        // The crate numbers clip paths through the whole process; a report must not depend on what was drawn before.
        let name = format!("clip-{}", self.id);
        for element in &mut scene.elements {
            if let Primitive::ClipStart { id, .. } = element {
                let (old, new) = (format!("\"{id}\""), format!("\"{name}\""));
                scene.defs.iter_mut().for_each(|def| *def = def.replace(&old, &new));
                id.clone_from(&name);
            }
        }
        let svg = SvgBackend::new().render_scene(&scene);
        // The first tag fixes the size; without that the drawing takes the width that it is given.
        let (_, content) = svg.split_once('>').ok_or_else(|| EvalError::Figure(format!("{} is empty", self.id)))?;
        Ok(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\" \
             font-family=\"system-ui, sans-serif\" fill=\"#222\">{content}",
            self.about
        ))
    }

    fn layout(&self, plots: &[Plot]) -> Layout {
        let theme = Theme { grid_color: "#e2e2e2".into(), axis_color: "#555".into(), ..Theme::light() };
        let mut layout = Layout::auto_from_plots(plots)
            .with_width(WIDTH)
            .with_theme(theme)
            .with_tick_size(13)
            .with_label_size(14)
            .with_body_size(13)
            .with_x_axis_min(self.x.range.0)
            .with_x_axis_max(self.x.range.1)
            .with_y_axis_min(self.y.range.0)
            .with_y_axis_max(self.y.range.1)
            .with_x_tick_format(self.x.ticks.clone())
            .with_y_tick_format(self.y.ticks.clone())
            .with_x_label(plain(self.x.label))
            .with_legend_box(false)
            .with_legend_position(LegendPosition::OutsideBottomColumns);
        (layout.x_range, layout.y_range) = (self.x.range, self.y.range);
        (layout.x_tick_step, layout.y_tick_step) = (self.x.step, self.y.step);
        layout.y_label = Some(plain(self.y.label)).filter(|label| !label.is_empty());
        let legend = collect_legend_entries(plots);
        if legend.is_empty() {
            layout.show_legend = false;
        } else {
            layout = layout.with_legend_entries(legend);
        }
        for row in (1..=self.y.rows).step_by(2) {
            let shade = ShadedRegion::horizontal(row as f64 - 0.5, row as f64 + 0.5);
            layout = layout.with_shaded_region(shade.with_color("#000").with_opacity(0.03));
        }
        if let Some((height, name)) = self.mark {
            let line = ReferenceLine::horizontal(height).with_color(COLOURS[1]).with_dasharray("6 4");
            layout = layout.with_reference_line(line.with_stroke_width(1.5).with_label(plain(name)));
        }
        layout
    }
}

/// The range of some numbers with air around it; half a marker may stand out of `least` to `most`.
pub fn around(values: &[f64], air: f64, (least, most): (f64, f64)) -> (f64, f64) {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    if low > high {
        return (0.0, 1.0);
    }
    let air = air * (high - low).max(0.05);
    ((low - air).max(least - 0.02), (high + air).min(most + 0.02))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart<'a>(x: Axis<'a>, y: Axis<'a>) -> Chart<'a> {
        Chart { id: "test", about: "a test", x, y, height: 100.0, mark: Some((0.5, "half")) }
    }

    #[test]
    fn drawings_scale_and_do_not_depend_on_earlier_ones() {
        let draw = || {
            let dots = Dots { name: Some("a & b".into()), points: vec![(0.5, 0.5)], ..Dots::default() };
            let frame = chart(Axis::percent("x"), Axis::new("y", (0.0, 1.0)));
            frame.draw(vec![dots.draw(), line(9, "<b>", &[(0.0, 0.0), (1.0, 1.0)]), diagonal()]).unwrap()
        };
        let svg = draw();
        assert_eq!(svg, draw());
        assert!(
            svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 460 ") && svg.ends_with("</svg>")
        );
        for part in ["a &amp; b", "&lt;b&gt;", "half", "clip-test", "100 %", "aria-label=\"a test\""] {
            assert!(svg.contains(part), "{part}");
        }
        assert!(!svg.contains("width=\"460\"") && !svg.contains("<b>"));
    }

    #[test]
    fn texts_are_drawn_as_they_stand() {
        let dots = named_dots(&[(0, (0.5, 0.5), "a$x_1$b"), (1, (0.5, 0.5), "\u{1}")]);
        let svg = chart(Axis::percent("x"), Axis::percent("y")).draw(vec![dots]).unwrap();
        assert!(svg.contains("a$x_1$b") && svg.contains('\u{FFFD}') && !svg.contains('\u{1}'));
    }

    #[test]
    fn styles_differ_beyond_the_colours() {
        assert_eq!(colour(3), colour(11));
        assert_ne!(variant(3), variant(11));
    }

    #[test]
    fn long_lines_are_thinned_to_their_end() {
        let points: Vec<(f64, f64)> = (0..1001).map(|i| (f64::from(i), 0.0)).collect();
        let drawn = thinned(&points);
        assert!(drawn.len() <= POINTS_AT_MOST + 1);
        assert_eq!((drawn[0].0, drawn[drawn.len() - 1].0), (0.0, 1000.0));
    }

    #[test]
    fn ranges_hold_their_values() {
        let (low, high) = around(&[0.2, 1.0], 0.1, (0.0, 1.0));
        assert!(low < 0.2 && low > 0.0 && high > 1.0 && high <= 1.02);
        let (low, high) = around(&[0.5], 0.1, (0.0, 1.0));
        assert!(low < 0.5 && 0.5 < high);
        assert_eq!(around(&[f64::NAN], 0.1, (0.0, 1.0)), (0.0, 1.0));
    }

    #[test]
    fn rows_are_named_from_the_top() {
        let axis = Axis::rows(&["first".to_owned(), "second".to_owned()]);
        assert_eq!([2.0, 1.0, 0.0, 3.0].map(|height| axis.ticks.format(height)), ["first", "second", "", ""]);
    }
}
