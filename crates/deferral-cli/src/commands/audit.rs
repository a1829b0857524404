//! `deferral audit`: look at the experts.

use std::path::Path;

use deferral_core::files::write_atomically;
use deferral_eval::{
    Audit, CrowdAudit, CurvePlan, LabelCurve, NamedAggregator, audit, audit_html, audit_labels, audit_roster,
    audit_summary, crowd_audit, label_curve, model_table, routing_table, suspect_table,
};
use serde::Serialize;

use super::Globals;
use crate::args;
use crate::failure::Failure;
use crate::load::{self, Need};
use crate::{output, render};

/// What `--json` and a `.json` file hold.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    audit: &'a Audit,
    #[serde(flatten)]
    crowd: &'a CrowdAudit,
    warnings: Vec<String>,
    curve: Option<&'a LabelCurve>,
    read: &'a deferral_data::JoinReport,
}

pub(crate) fn run(args: &args::Audit, globals: Globals) -> Result<(), Failure> {
    for path in &args.outputs {
        Form::of(path)?;
        output::check(path)?;
    }
    let methods = args.methods.iter().map(|name| NamedAggregator::parse(name, args.group.as_deref()));
    let methods: Vec<NamedAggregator> = methods.collect::<Result<_, _>>().map_err(Failure::input)?;
    let records = load::records(&args.tables.cases, &args.tables.reading, Need::Decisions, args.group.as_deref())?;
    let audit = audit(&records, args.group.as_deref())?;
    let crowd = crowd_audit(&records, globals.seed)?;
    let curve = curve(args, globals, &methods, &records)?;
    let report = Report {
        audit: &audit,
        crowd: &crowd,
        warnings: crowd.warnings(),
        curve: curve.as_ref(),
        read: &records.report,
    };
    for path in &args.outputs {
        write(path, &report, args, globals)?;
    }
    if globals.json {
        return Ok(render::print_json(&report)?);
    }
    let mut text = format!("{}\n\n", records.report);
    let mut tables = vec![audit_summary(&audit), audit_labels(&audit), audit_roster(&audit, &crowd, args.experts)];
    tables.extend(Some(suspect_table(&crowd, args.experts)).filter(|table| !table.rows.is_empty()));
    tables.push(model_table(&crowd));
    tables.extend(Some(routing_table(&crowd.routing)).filter(|table| !table.rows.is_empty()));
    tables.extend(curve.as_ref().map(LabelCurve::table));
    text.push_str(&tables.iter().map(render::table).collect::<Vec<_>>().join("\n"));
    let hidden = crowd.suspects.len().saturating_sub(args.experts);
    if hidden > 0 {
        text.push_str(&format!("\n{hidden} more are suspected; --experts N, --json and --out show them\n"));
    }
    for warning in &report.warnings {
        text.push_str(&format!("\nwarning: {warning}\n"));
    }
    for path in &args.outputs {
        text.push_str(&format!("written: {}\n", path.display()));
    }
    Ok(render::print(&text)?)
}

/// What the aggregators that were asked about make of few labels; `None` if none was.
fn curve(
    args: &args::Audit,
    globals: Globals,
    methods: &[NamedAggregator],
    records: &deferral_data::Records,
) -> Result<Option<LabelCurve>, Failure> {
    if methods.is_empty() {
        return Ok(None);
    }
    let features = load::features(&args.features)?;
    let labels: Vec<Option<usize>> = args.labels.iter().map(|labels| labels.0).collect();
    let attribute = args.group.as_deref();
    let (repetitions, seed) = (args.repetitions, globals.seed);
    let plan = CurvePlan { methods, labels: &labels, repetitions, features: &features, attribute, seed };
    Ok(Some(label_curve(records, &plan)?))
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Html,
    Json,
}

impl Form {
    fn of(path: &Path) -> Result<Self, Failure> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("html") => Ok(Self::Html),
            Some("json") => Ok(Self::Json),
            _ => Err(Failure::usage(format!("cannot tell the form of {}; name it .html or .json", path.display()))),
        }
    }
}

fn write(path: &Path, report: &Report<'_>, args: &args::Audit, globals: Globals) -> Result<(), Failure> {
    let text = match Form::of(path)? {
        Form::Json => render::json(report)? + "\n",
        Form::Html => {
            let mut about = vec![("seed".to_owned(), globals.seed.to_string())];
            about.extend(args.group.iter().map(|group| ("group".to_owned(), group.clone())));
            if report.curve.is_some() {
                about.push(("draws of labels".to_owned(), args.repetitions.to_string()));
            }
            audit_html(report.audit, report.crowd, report.curve, "Who are the experts?", &about)?
        }
    };
    write_atomically(path, |out| out.write_all(text.as_bytes())).map_err(deferral_eval::EvalError::from)?;
    Ok(())
}
