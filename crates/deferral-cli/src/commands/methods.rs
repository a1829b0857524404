//! `deferral methods`: the list that --method takes.

use deferral_eval::{FAIRNESS, Known, METHODS};
use serde::Serialize;

use super::Globals;
use crate::failure::Failure;
use crate::render;

#[derive(Serialize)]
struct Line {
    name: &'static str,
    about: &'static str,
    source: &'static str,
    /// `method`, or `fairness` around one.
    kind: &'static str,
}

pub(crate) fn run(globals: Globals) -> Result<(), Failure> {
    if globals.json {
        let line = |kind| move |m: &Known| Line { name: m.name, about: m.about, source: m.source, kind };
        let lines: Vec<Line> =
            METHODS.iter().map(line("method")).chain(FAIRNESS.iter().map(line("fairness"))).collect();
        return Ok(render::print_json(&lines)?);
    }
    let line = |m: &Known| format!("{:24}{}", m.name, m.about);
    let lines = |known: &[Known]| known.iter().map(line).collect::<Vec<_>>().join("\n") + "\n";
    let mut text = lines(METHODS);
    text += "\nFairness, behind a method as in joint:k=5+minimax, or with fit --fairness and --guarantee:\n";
    text += &lines(FAIRNESS);
    Ok(render::print(&text)?)
}
