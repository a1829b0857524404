//! `deferral quickstart`: everything once, on a generated moderation desk.

use deferral_core::files::write_atomically;
use deferral_core::{Context, Splitter, Stream};
use deferral_data::{RouteKind, RouteRow};
use deferral_eval::{
    Experiment, FeatureChoice, Method, Model, Panel, Row, Source, UnknownExperts, comparison_table, html,
};
use deferral_experts::Moderation;
use serde::Serialize;

use super::Globals;
use super::compare::{carry_out, footnote};
use crate::args::Quickstart;
use crate::failure::Failure;
use crate::{output, progress, render};

const METHODS: [&str; 8] =
    ["majority", "best-expert", "classifier", "random-committee", "joint", "balanced", "joint:k=3", "consult"];
/// New cases that are shown.
const SHOWN: usize = 5;
/// Every so many posts one is kept from the fit and decided as a new case.
const HELD_OUT: usize = 6;

#[derive(Serialize)]
struct Summary {
    rows: Vec<Row>,
    new_cases: Vec<RouteRow>,
    report: String,
}

pub(crate) fn run(args: &Quickstart, globals: Globals) -> Result<(), Failure> {
    output::check(&args.out)?;
    let desk = Moderation { cases: args.cases, classes: args.classes, ..Moderation::default() };
    let group = Some("dialect");
    let methods = METHODS.map(|name| Method::parse(name, &[], group).map_err(Failure::input));
    let experiment = Experiment {
        source: Source::Moderation(desk),
        panel: Panel::Recorded,
        division: Splitter::StratifiedFolds { k: 5 }.into(),
        repetitions: 1,
        methods: methods.into_iter().collect::<Result<_, _>>()?,
        features: FeatureChoice::default(),
        group: group.map(str::to_owned),
        seed: globals.seed,
    };
    let comparison = carry_out(&experiment)?;
    let about = [
        ("data", format!("generated moderation desk, {} posts", args.cases)),
        ("split", "5 stratified folds".to_owned()),
        ("seed", globals.seed.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value));
    let report = html(&comparison, "Who decides? A moderation desk", &about)?;
    write_atomically(&args.out, |file| file.write_all(report.as_bytes()))?;
    let routes = new_cases(&experiment, globals)?;
    if globals.json {
        let report = args.out.display().to_string();
        return Ok(render::print_json(&Summary { rows: comparison.rows(), new_cases: routes, report })?);
    }
    let mut text = String::from("Methods on a generated moderation desk, each beside the human labels it uses:\n\n");
    text.push_str(&render::table(&comparison_table(&comparison)));
    text.push_str(&footnote(&comparison));
    let decider = METHODS[METHODS.len() - 1];
    text.push_str(&format!("\nNew posts, decided by `{decider}` fitted to the others:\n\n"));
    for route in routes.iter().take(SHOWN) {
        text.push_str(&line(route));
    }
    text.push_str(&format!("\nreport: {}\n", args.out.display()));
    Ok(render::print(&text)?)
}

/// Fits one method to most posts and decides the others.
fn new_cases(experiment: &Experiment, globals: Globals) -> Result<Vec<RouteRow>, Failure> {
    let stream = Stream::new(globals.seed).child("quickstart");
    let records = experiment.source.draw(&experiment.panel, &Stream::new(globals.seed).child("repetition").nth(0))?;
    let is_new = |case: &usize| case.is_multiple_of(HELD_OUT);
    let (new, old): (Vec<usize>, Vec<usize>) = (0..records.n()).partition(is_new);
    let Some(method) = experiment.methods.last() else { return Ok(Vec::new()) };
    let mut watch = progress::Training::new();
    let mut ctx = Context::new(stream.child("fit"), &mut watch);
    let model = Model::fit(&records.select(&old), method, &experiment.features, &mut ctx)?;
    let new = records.select(&new);
    let verdicts = model.decide(&new, UnknownExperts::Refuse, &stream.child("decide"))?;
    Ok(model.routes(&new, &verdicts, &model.digest()?, true))
}

fn line(route: &RouteRow) -> String {
    let who = match route.route {
        RouteKind::Model => "the model".to_owned(),
        RouteKind::Committee | RouteKind::Ask => route.experts.join(", "),
    };
    let label = route.label.as_deref().unwrap_or("?");
    format!("  {:9} {label:9} decided by {who} ({})\n", route.task, route.reason)
}
