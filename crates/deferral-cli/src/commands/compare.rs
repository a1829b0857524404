//! `deferral compare`: methods on the same splits.

use std::path::Path;
use std::sync::Arc;

use deferral_core::files::write_atomically;
use deferral_eval::{
    Comparison, Division, Experiment, Method, Row, Source, comparison_numbers, comparison_table, html,
    run as run_experiment,
};
use deferral_experts::{Moderation, ThreeClusters};
use serde::Serialize;

use super::Globals;
use crate::args::{Compare, Generated};
use crate::failure::Failure;
use crate::load::{self, Need};
use crate::{output, progress, render};

const DEFAULT_METHODS: [&str; 4] = ["majority", "best-expert", "classifier", "joint"];

/// What `--json` and a `.json` file hold.
#[derive(Serialize)]
struct Summary<'a> {
    rows: Vec<Row>,
    /// The group attribute, and its values in the order of each row's `by_group`.
    group: Option<&'a str>,
    groups: &'a [String],
    parameters: &'a [(String, String)],
}

impl<'a> Summary<'a> {
    fn new(comparison: &'a Comparison, parameters: &'a [(String, String)]) -> Self {
        let group = comparison.group.as_deref();
        Self { rows: comparison.rows(), group, groups: &comparison.groups, parameters }
    }
}

pub(crate) fn run(args: &Compare, globals: Globals) -> Result<(), Failure> {
    for path in &args.outputs {
        Form::of(path)?;
        output::check(path)?;
    }
    let experiment = experiment(args, &DEFAULT_METHODS, globals)?;
    let comparison = carry_out(&experiment)?;
    let about = about(&experiment, args);
    for output in &args.outputs {
        write(output, &comparison, &about)?;
    }
    if globals.json {
        return Ok(render::print_json(&Summary::new(&comparison, &about))?);
    }
    let mut text = render::table(&comparison_table(&comparison));
    text.push_str(&footnote(&comparison));
    for output in &args.outputs {
        text.push_str(&format!("written: {}\n", output.display()));
    }
    Ok(render::print(&text)?)
}

pub(crate) fn experiment(args: &Compare, defaults: &[&str], globals: Globals) -> Result<Experiment, Failure> {
    let source = match (args.data, &args.cases) {
        (Some(Generated::Moderation), _) => Source::Moderation(Moderation::default()),
        (Some(Generated::Clusters), _) => Source::Clusters(ThreeClusters::default()),
        (None, Some(cases)) => {
            let need = if args.panel.biased_against.is_some() { Need::CasesOnly } else { Need::Decisions };
            Source::Table(Arc::new(load::records(cases, &args.reading, need, args.group.as_deref())?))
        }
        (None, None) => return Err(Failure::usage("give the cases with --cases FILE, or generate them with --data")),
    };
    let classes = match &source {
        Source::Table(records) => records.label_names.len(),
        _ => 2,
    };
    let group = args.group.as_deref();
    let divided = matches!(&source, Source::Table(records) if records.parts.is_some());
    Ok(Experiment {
        panel: load::panel(&args.panel, group, classes)?,
        source,
        division: load::division(args.split, args.folds, args.test_share, divided),
        repetitions: args.repetitions,
        methods: methods(&args.methods, defaults, &args.settings, group)?,
        features: load::features(&args.features)?,
        group: args.group.clone(),
        seed: globals.seed,
    })
}

fn methods(
    names: &[String],
    default_names: &[&str],
    settings: &[String],
    group: Option<&str>,
) -> Result<Vec<Method>, Failure> {
    let pair = |text: &String| {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--set {text} is not of the form KEY=VALUE, such as steps=100")))?;
        Ok((key.trim().to_owned(), value.trim().to_owned()))
    };
    let defaults = settings.iter().map(pair).collect::<Result<Vec<_>, Failure>>()?;
    let default_names: Vec<String> = default_names.iter().map(|name| (*name).to_owned()).collect();
    let names = if names.is_empty() { &default_names[..] } else { names };
    let methods = names.iter().map(|name| Method::parse(name, &defaults, group));
    methods.collect::<Result<Vec<_>, _>>().map_err(Failure::input)
}

/// Runs an experiment behind a progress bar.
pub(crate) fn carry_out(experiment: &Experiment) -> Result<Comparison, Failure> {
    let fits = experiment.plan().map_err(Failure::input)?.len() * experiment.methods.len();
    let bar = progress::bar(fits as u64, "comparing");
    let result = run_experiment(experiment, &|done, _| bar.set_position(done as u64));
    bar.finish_and_clear();
    Ok(result?)
}

/// What the numbers mean and what they are from.
pub(crate) fn footnote(comparison: &Comparison) -> String {
    let (repetitions, folds) = comparison.repetitions;
    let (cases, unlabelled) = comparison.cases;
    let mut text = format!(
        "\n{cases} cases, {} decisions of {} experts; {repetitions} x {folds} test sets, seed {}. In brackets: population\n\
         standard deviation over test sets, as the papers print it (their \"standard error\"). labels/case: human labels used.\n",
        comparison.decisions,
        comparison.experts.len(),
        comparison.seed,
    );
    if unlabelled > 0 {
        text.push_str(&format!("{unlabelled} cases without a gold label were left out.\n"));
    }
    for note in &comparison.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

/// The parameters of a run, for its report. No path, so that reports can be shared.
pub(crate) fn about(experiment: &Experiment, args: &Compare) -> Vec<(String, String)> {
    let name = |path: &Path| path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let mut about = Vec::new();
    let mut add = |key: &str, value: String| about.push((key.to_owned(), value));
    match (&args.cases, args.data) {
        (Some(cases), _) => add("cases", name(cases)),
        (None, data) => add("data", format!("{data:?}").to_lowercase()),
    }
    if let Some(decisions) = &args.reading.decisions {
        add("decisions", name(decisions));
    }
    add(
        "split",
        match experiment.division {
            Division::By(splitter) => format!("{splitter:?}"),
            Division::Given => "given".to_owned(),
        },
    );
    add("repetitions", experiment.repetitions.to_string());
    add("seed", experiment.seed.to_string());
    for setting in &args.settings {
        add("setting", setting.clone());
    }
    for axis in &args.grid {
        add("grid", axis.clone());
    }
    if let Some(group) = &args.panel.biased_against {
        add("experts", format!("{} biased against {group}, {} for it", args.panel.biased, args.panel.flipped));
    }
    if let Some(vectors) = &args.features.vectors {
        add("word vectors", name(vectors));
    }
    about
}

/// The forms in which a comparison can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Html,
    Markdown,
    Csv,
    Json,
}

impl Form {
    pub(crate) fn of(path: &Path) -> Result<Self, Failure> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("html" | "htm") => Ok(Self::Html),
            Some("md") => Ok(Self::Markdown),
            Some("csv") => Ok(Self::Csv),
            Some("json") => Ok(Self::Json),
            _ => Err(Failure::usage(format!(
                "--out {}: the name does not say the form; call it .html, .md, .csv or .json",
                path.display()
            ))),
        }
    }
}

fn write(path: &Path, comparison: &Comparison, about: &[(String, String)]) -> Result<(), Failure> {
    let text = match Form::of(path)? {
        Form::Html => html(comparison, "Who decides? A comparison", about)?,
        Form::Markdown => comparison_table(comparison).markdown() + &footnote(comparison),
        Form::Csv => comparison_numbers(comparison).csv(),
        Form::Json => render::json(&Summary::new(comparison, about))?,
    };
    Ok(write_atomically(path, |file| file.write_all(text.as_bytes()))?)
}
