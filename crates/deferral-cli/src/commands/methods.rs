//! `deferral methods`: the lists that --method, --fairness and --policy take.

use deferral_allocation::Method;
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
    /// `method`, `fairness` around one, or `policy` of the closed loop.
    kind: &'static str,
}

pub(crate) fn run(globals: Globals) -> Result<(), Failure> {
    if globals.json {
        let line = |kind| move |m: &Known| Line { name: m.name, about: m.about, source: m.source, kind };
        let methods = METHODS.iter().map(line("method")).chain(FAIRNESS.iter().map(line("fairness")));
        let policy = |&(name, about): &(&'static str, &'static str)| Line { name, about, source: "", kind: "policy" };
        let lines: Vec<Line> = methods.chain(Method::names().iter().map(policy)).collect();
        return Ok(render::print_json(&lines)?);
    }
    let line = |m: &Known| format!("{:24}{}", m.name, m.about);
    let lines = |known: &[Known]| known.iter().map(line).collect::<Vec<_>>().join("\n") + "\n";
    let mut text = lines(METHODS);
    text += "\nFairness, behind a method as in joint:k=5+minimax, or with fit --fairness and --guarantee:\n";
    text += &lines(FAIRNESS);
    text += "\nPolicies of the closed loop, for allocate --policy, journal evaluate and simulate closed-loop:\n";
    for (name, about) in Method::names() {
        text += &format!("{name:24}{about}\n");
    }
    Ok(render::print(&text)?)
}
