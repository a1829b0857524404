//! `deferral compare --grid`: error against unfairness, over a grid of settings.

use std::path::Path;

use deferral_core::files::write_atomically;
use deferral_eval::{Axis, Sweep, Table, Tradeoff, tradeoff};

use super::Globals;
use super::compare::{Form, about, experiment};
use crate::args::Compare;
use crate::failure::Failure;
use crate::{output, progress, render};

/// Learning to defer beside rejecting and predicting, without asking and with nothing but asking.
const DEFAULT_METHODS: [&str; 4] = ["defer", "reject", "binary", "best-expert"];

pub(crate) fn run(args: &Compare, globals: Globals) -> Result<(), Failure> {
    for path in &args.outputs {
        Form::of(path)?;
        output::check(path)?;
    }
    let axes = args.grid.iter().map(|text| Axis::parse(text)).collect::<Result<Vec<_>, _>>().map_err(Failure::input)?;
    let experiment = experiment(args, &DEFAULT_METHODS, globals)?;
    let bar = progress::bar(1, "going through the grid");
    let result = tradeoff(&experiment, &Sweep::over(axes), &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let found = result?;
    let about = about(&experiment, args);
    for path in &args.outputs {
        write(path, &found, &about)?;
    }
    if globals.json {
        return Ok(render::print_json(&found)?);
    }
    let mut text = String::new();
    for table in [found.fronts(), found.within(), found.areas(), found.asking()] {
        text.push_str(&render::table(&table));
        text.push('\n');
    }
    text.push_str(&footnote(&found));
    for path in &args.outputs {
        text.push_str(&format!("written: {}\n", path.display()));
    }
    Ok(render::print(&text)?)
}

fn footnote(found: &Tradeoff) -> String {
    let (repetitions, folds) = found.repetitions;
    let chosen =
        if found.validated { "the validation cases" } else { "the test cases, which flatters all methods alike" };
    let mut text = format!(
        "{repetitions} x {folds} runs at each setting; numbers are medians over runs. Settings are chosen on {chosen}.\n\
         The first table has the settings that no other of the method beats. Areas lie below error {:.4} and disparate\n\
         impact {:.4}; intervals are those of a bootstrap over runs and test cases, 95 %.\n",
        found.reference.error, found.reference.disparity
    );
    for note in &found.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

fn write(path: &Path, found: &Tradeoff, about: &[(String, String)]) -> Result<(), Failure> {
    let markdown = |table: Table| table.markdown() + "\n";
    let text = match Form::of(path)? {
        Form::Html => found.html("Error against unfairness", about)?,
        Form::Markdown => {
            let tables = [found.fronts(), found.within(), found.areas(), found.asking()];
            tables.into_iter().map(markdown).collect::<String>() + &footnote(found)
        }
        Form::Csv => found.points().csv(),
        Form::Json => render::json(found)?,
    };
    Ok(write_atomically(path, |file| file.write_all(text.as_bytes()))?)
}
