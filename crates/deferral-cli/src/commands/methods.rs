//! `deferral methods`: the list that --method takes.

use deferral_eval::METHODS;
use serde::Serialize;

use super::Globals;
use crate::failure::Failure;
use crate::render;

#[derive(Serialize)]
struct Line {
    name: &'static str,
    about: &'static str,
    source: &'static str,
}

pub(crate) fn run(globals: Globals) -> Result<(), Failure> {
    if globals.json {
        let lines: Vec<Line> =
            METHODS.iter().map(|m| Line { name: m.name, about: m.about, source: m.source }).collect();
        return Ok(render::print_json(&lines)?);
    }
    let lines: Vec<String> = METHODS.iter().map(|m| format!("{:24}{}", m.name, m.about)).collect();
    Ok(render::print(&(lines.join("\n") + "\n"))?)
}
