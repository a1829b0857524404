//! The figure of a closed loop: accuracy against how little the prior says.

use super::{AIR, Figure, Panel, UNBOUNDED, UNIT, short};
use crate::EvalError;
use crate::chart::{Axis, Chart, Dots, around, line};
use crate::closed_loop::{LoopRow, NoiseSweep};
use deferral_metrics::Spread;

/// Accuracy of labels, and of assignments, against the noise of the prior: one line a method.
pub(crate) fn noise_figure(sweep: &NoiseSweep) -> Result<Figure, EvalError> {
    let labels = Lines { id: "noise-labels", about: "Label accuracy against noise", label: "label accuracy" };
    let assigned =
        Lines { id: "noise-assigned", about: "Assignment accuracy against noise", label: "assignment accuracy" };
    let mut panels = Vec::new();
    let svg = labels.draw(sweep, &|row| row.golds.first().and_then(|gold| gold.accuracy))?;
    panels.extend(svg.map(Panel::of));
    let heading = "Cases that go to somebody who knows their group".to_owned();
    panels.extend(assigned.draw(sweep, &|row| row.assignment)?.map(|svg| Panel { heading, svg }));
    let caption = vec![
        "The mean over all trials. At noise 0 the prior says who knows which group, at 2/3 it says nothing.".to_owned(),
    ];
    let figure = Figure { id: "figure-noise", title: "Accuracy against the noise of the prior", panels, caption };
    Ok(figure.or_say("nothing was simulated"))
}

/// One line a method, against the noise.
struct Lines {
    id: &'static str,
    about: &'static str,
    label: &'static str,
}

impl Lines {
    /// The drawing, if there is anything to draw.
    fn draw(
        &self,
        sweep: &NoiseSweep,
        value: &dyn Fn(&LoopRow) -> Option<Spread>,
    ) -> Result<Option<String>, EvalError> {
        let names = short(&sweep.methods());
        let points = |method: usize| -> Vec<(f64, f64)> {
            let point = |(noise, report): (&f64, &crate::closed_loop::LoopReport)| {
                Some((*noise, value(report.rows.get(method)?)?.mean))
            };
            sweep.noises.iter().zip(&sweep.reports).filter_map(point).collect()
        };
        let lines: Vec<Vec<(f64, f64)>> = (0..names.len()).map(points).collect();
        let heights: Vec<f64> = lines.iter().flatten().map(|point| point.1).collect();
        if heights.is_empty() {
            return Ok(None);
        }
        let plots = lines.iter().enumerate().filter(|(_, points)| !points.is_empty()).flat_map(|(style, points)| {
            let dots = Dots { style, points: points.clone(), ..Dots::default() };
            [line(style, &names[style], points), dots.draw()]
        });
        let chart = Chart {
            id: self.id,
            about: self.about,
            x: Axis::new("noise of the prior, s", around(&sweep.noises, AIR, UNBOUNDED)),
            y: Axis::new(self.label, around(&heights, AIR, UNIT)),
            height: 320.0,
            mark: None,
        };
        chart.draw(plots.collect()).map(Some)
    }
}
