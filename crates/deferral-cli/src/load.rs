//! From what the user wrote to records, features and methods.

use std::path::Path;
use std::sync::Arc;

use deferral_consult::{Choice, ErrorCosts};
use deferral_core::{CaseId, Decisions, ExpertId, GroupAttribute, Names, Splitter, Stream};
use deferral_data::numpy::{LearningToDeferError, NpzError, read_learning_to_defer};
use deferral_data::text::{NgramSpec, WordVectors};
use deferral_data::{
    DialectModel, FeatureColumns, ReadOptions, Records, Role, Scale, TableError, UnknownTask, Wide, join, parse_column,
    parse_label_map, read_cases, read_decisions, read_error_costs, read_prices,
};
use deferral_eval::{Division, FeatureChoice, FeatureKind, Model, Panel, UnknownExperts, with_decision_makers};
use deferral_experts::BiasedPanel;

use crate::args::{AskRule, Asking, Features, Kind, PanelArgs, Reading, ScaleBy, SplitBy, Unknown};
use crate::failure::Failure;

/// A method with the fairness and the guarantee of the options behind it.
pub(crate) fn fair(method: &str, fairness: Option<&str>, guarantee: Option<&str>) -> String {
    let parts = [Some(method), fairness, guarantee];
    parts.into_iter().flatten().collect::<Vec<_>>().join("+")
}

/// Whether decisions must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The command is about them.
    Decisions,
    /// It can do without.
    CasesOnly,
}

/// Reads cases and decisions. `groups` are the group attributes that the command is about: columns of the cases, also
/// where no `--column` says so.
pub(crate) fn records<'a>(
    cases: &Path,
    reading: &Reading,
    need: Need,
    groups: impl IntoIterator<Item = &'a str>,
) -> Result<Records, Failure> {
    let groups: Vec<&str> = groups.into_iter().collect();
    let single: Vec<&str> = groups.iter().flat_map(|group| group.split(CROSS)).collect();
    let mut records = if is_npz(cases) { archive(cases, reading)? } else { tables(cases, reading, need, &single)? };
    for group in groups.iter().filter(|group| group.contains(CROSS)) {
        add_crossed(&mut records, group)?;
    }
    if reading.decision_makers.is_empty() {
        return Ok(records);
    }
    // They are those of the data, not of a run: the same for every seed.
    let stream = Stream::new(0).child("decision-makers");
    let attribute = groups.first().copied().or(records.groups.first().map(|group| group.name.as_str()));
    let attribute = attribute.map(str::to_owned);
    Ok(with_decision_makers(records, &reading.decision_makers, attribute.as_deref(), &stream)?)
}

/// What stands between attributes that are crossed, as in `dialect x region`.
const CROSS: &str = " x ";

/// Adds the intersectional groups of the attributes that `name` lists.
fn add_crossed(records: &mut Records, name: &str) -> Result<(), Failure> {
    let find = |part: &str| records.groups.iter().find(|group| group.name == part).ok_or_else(|| part.to_owned());
    let parts: Result<Vec<&GroupAttribute>, String> = name.split(CROSS).map(find).collect();
    let parts = parts.map_err(|part| {
        Failure::usage(format!(
            "--group {name} crosses the attributes that it lists, but there is none called `{part}`; write \
             'ATTRIBUTE{CROSS}ATTRIBUTE' with columns of the cases"
        ))
    })?;
    if let Some(crossed) = GroupAttribute::cross(&parts) {
        records.groups.push(crossed);
    }
    Ok(())
}

/// Reads cases and decisions from tables.
fn tables(cases: &Path, reading: &Reading, need: Need, groups: &[&str]) -> Result<Records, Failure> {
    let mut options = case_options(reading)?;
    for &group in groups {
        let inferred = reading.dialect.is_some() && group == DIALECT;
        let column = (Role::Group, group.to_owned());
        if !inferred && !options.columns.contains(&column) {
            options.columns.push(column);
        }
    }
    let mut records = match (&reading.decisions, &reading.wide) {
        (Some(decisions), _) => {
            let table = read_cases(cases, &options)?;
            let mut options = ReadOptions { columns: columns(&reading.decision_columns)?, ..options };
            options.missing.extend(reading.missing.iter().cloned());
            let unknown = match reading.unknown_tasks {
                Unknown::Refuse => UnknownTask::Refuse,
                Unknown::Drop => UnknownTask::Drop,
            };
            join(table, read_decisions(decisions, &options).map_err(of_decisions)?, unknown)?
        }
        (None, Some(pattern)) => {
            options.wide = Some(Wide { pattern: pattern.clone(), missing: reading.missing.clone() });
            Records::from_wide(cases, &options)?
        }
        (None, None) if need == Need::CasesOnly || !reading.decision_makers.is_empty() => {
            Records::without_decisions(read_cases(cases, &options)?)?
        }
        (None, None) => {
            return Err(Failure::usage(
                "where are the decisions? Give their table with --decisions FILE, or, if they stand in the table of cases, say which columns they are with --wide PATTERN, such as --wide 'Expert *'",
            ));
        }
    };
    if let Some(folder) = &reading.dialect {
        add_dialect(&mut records, folder)?;
    }
    match &reading.costs {
        Some(file) => priced(records, file),
        None => Ok(records),
    }
}

fn is_npz(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz"))
}

/// Reads a file of learning to defer, in which everything has its place.
fn archive(path: &Path, reading: &Reading) -> Result<Records, Failure> {
    for (given, option) in [
        (reading.decisions.as_deref().is_some_and(|file| !is_npz(file)), "--decisions"),
        (reading.wide.is_some(), "--wide"),
        (!reading.missing.is_empty(), "--missing"),
        (!reading.columns.is_empty(), "--column"),
        (!reading.decision_columns.is_empty(), "--decision-column"),
        (reading.numeric, "--numeric"),
        (!reading.label_map.is_empty(), "--map-label"),
        (reading.unknown_tasks != Unknown::Refuse, "--unknown-tasks"),
        (reading.dialect.is_some(), "--dialect"),
    ] {
        if given {
            let file = path.display();
            return Err(Failure::usage(format!(
                "{option} is about tables, but {file} is read as a file of learning to defer, which holds cases, decisions, groups and their division by itself; leave {option} out, or give the cases as a table (.csv, .tsv, .jsonl)"
            )));
        }
    }
    let records = match &reading.decisions {
        None => published(path)?,
        Some(other) => beside(path, other)?,
    };
    match &reading.costs {
        Some(file) => priced(records, file),
        None => Ok(records),
    }
}

/// Reads a file of learning to defer.
fn published(path: &Path) -> Result<Records, Failure> {
    read_learning_to_defer(path).map_err(|error| match error {
        LearningToDeferError::Table(error) => error.into(),
        LearningToDeferError::Npz(NpzError::NoArray { .. }) => Failure::usage(format!(
            "{error}; a .npz file must have the arrays of learning to defer: x, y, attr and ydm of train and test, train_inds and valid_inds"
        )),
        error => Failure::input(error),
    })
}

/// Two files of learning to defer on the same cases: their decision-makers side by side, called after the files.
fn beside(path: &Path, other: &Path) -> Result<Records, Failure> {
    let (first, second) = (published(path)?, published(other)?);
    if first.labels != second.labels || first.inputs != second.inputs {
        return Err(Failure::usage(format!(
            "{} and {} are not about the same cases; their features and labels must be equal",
            path.display(),
            other.display()
        )));
    }
    let name = |path: &Path| path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let answers = |records: &Records| -> Vec<f64> {
        let said = |case| records.decisions.probability_of_one(CaseId::at(case), ExpertId(0)).unwrap_or(0.5);
        (0..records.n()).map(said).collect()
    };
    let bare = Records { decisions: Decisions::none(first.n(), 0), experts: Names::new(), ..first.clone() };
    let bare = bare.with_decision_maker(&name(path), &answers(&first))?;
    Ok(bare.with_decision_maker(&name(other), &answers(&second))?)
}

/// Reads a table of decisions on tasks of which nothing else is known.
pub(crate) fn votes(decisions: &Path, reading: &Reading) -> Result<Records, Failure> {
    for (given, option) in [
        (!reading.columns.is_empty(), "--column"),
        (reading.numeric, "--numeric"),
        (reading.costs.is_some(), "--costs"),
        (reading.dialect.is_some(), "--dialect"),
    ] {
        if given {
            let message = format!("{option} is about the table of cases; give it with --cases FILE");
            return Err(Failure::usage(message));
        }
    }
    let options = ReadOptions {
        columns: columns(&reading.decision_columns)?,
        missing: reading.missing.clone(),
        ..case_options(reading)?
    };
    Ok(Records::of_decisions(read_decisions(decisions, &options).map_err(of_decisions)?)?)
}

/// The records with the prices of a file.
fn priced(records: Records, file: &Path) -> Result<Records, Failure> {
    let listed = read_prices(file).map_err(|error| match error {
        TableError::MissingColumn { .. } => {
            Failure::Table(error, Some("this is the table of --costs: its columns must be called worker and cost"))
        }
        _ => error.into(),
    })?;
    let known = |(worker, _): &(String, f64)| records.experts.position(worker).is_some();
    match listed.first() {
        Some((stranger, _)) if !records.experts.is_empty() && !listed.iter().any(known) => {
            Err(Failure::usage(format!(
                "{}: none of these workers decided anything here, such as `{stranger}`; give the costs of the experts",
                file.display()
            )))
        }
        _ => Ok(records.with_prices(&listed)),
    }
}

/// An error of the table of decisions, whose columns have an option of their own.
fn of_decisions(error: TableError) -> Failure {
    match error {
        TableError::MissingColumn { .. }
        | TableError::UnknownColumn { .. }
        | TableError::AmbiguousColumn { .. }
        | TableError::RepeatedRole { .. } => {
            Failure::Table(error, Some("this is the table of decisions: write --decision-column in place of --column"))
        }
        _ => error.into(),
    }
}

fn case_options(reading: &Reading) -> Result<ReadOptions, Failure> {
    let label_map: Result<Vec<_>, _> = reading.label_map.iter().map(|text| parse_label_map(text)).collect();
    let columns = columns(&reading.columns)?;
    let named: Vec<String> =
        columns.iter().filter(|(role, _)| *role == Role::Feature).map(|(_, name)| name.clone()).collect();
    let features = match (reading.numeric, named.is_empty()) {
        (true, _) => FeatureColumns::All,
        (false, true) => FeatureColumns::None,
        (false, false) => FeatureColumns::Named(named),
    };
    Ok(ReadOptions { columns, features, label_map: label_map?, ..ReadOptions::default() })
}

fn columns(texts: &[String]) -> Result<Vec<(Role, String)>, Failure> {
    Ok(texts.iter().map(|text| parse_column(text)).collect::<Result<Vec<_>, _>>()?)
}

/// The group attribute that `--dialect` adds.
const DIALECT: &str = "dialect";

/// Adds the group attribute `dialect`, inferred from the texts.
fn add_dialect(records: &mut Records, folder: &Path) -> Result<(), Failure> {
    if records.groups.iter().any(|group| group.name == DIALECT) {
        return Err(Failure::usage(
            "--dialect infers the attribute `dialect`, but the cases have one; leave out one of them",
        ));
    }
    let counts = folder.join("model_count_table.txt");
    let model = DialectModel::read(&counts, &folder.join("model_vocab.txt")).map_err(Failure::input)?;
    let Some(texts) = &records.inputs.text else {
        return Err(Failure::usage("--dialect needs texts; name their column with --column text=NAME"));
    };
    records.groups.push(model.groups(texts));
    Ok(())
}

/// How cases become features.
pub(crate) fn features(args: &Features) -> Result<FeatureChoice, Failure> {
    let vectors = args.vectors.as_deref().map(WordVectors::read).transpose().map_err(Failure::input)?;
    let kind = args.features.map(|kind| match kind {
        Kind::Ngrams => FeatureKind::Ngrams,
        Kind::Svd => FeatureKind::Svd,
        Kind::Vectors => FeatureKind::Vectors,
        Kind::Numeric => FeatureKind::Numeric,
    });
    let scale = args.scale.map(|scale| match scale {
        ScaleBy::None => Scale::None,
        ScaleBy::Standard => Scale::Standard,
    });
    Ok(FeatureChoice { kind, vectors: vectors.map(Arc::new), ngrams: NgramSpec::default(), dim: args.dim, scale })
}

/// A model that asks as the user says.
pub(crate) fn asking(model: Model, args: &Asking) -> Result<Model, Failure> {
    let Asking { rule, confidence, price, max_asks, at_once, error_costs } = args;
    let costs = error_costs.as_deref().map(|path| read_error_costs(path, model.labels())).transpose()?;
    let errors = costs.map(|costs| ErrorCosts::pairs(&costs)).transpose().map_err(Failure::input)?;
    if let (None, None, None, None, None, None) = (rule, confidence, price, max_asks, at_once, &errors) {
        return Ok(model);
    }
    let choose = rule.map(|rule| match rule {
        AskRule::Adaptive => Choice::Entropy,
        AskRule::Error => Choice::Error,
        AskRule::TwoSteps => Choice::TwoSteps,
        AskRule::Best => Choice::Best,
        AskRule::Random => Choice::Random,
    });
    Ok(model.with_asking(|before| deferral_consult::Asking {
        choose: choose.unwrap_or(before.choose),
        confidence: confidence.unwrap_or(before.confidence),
        price: price.unwrap_or(before.price),
        max_asks: max_asks.or(before.max_asks),
        at_once: at_once.unwrap_or(before.at_once),
        errors: errors.unwrap_or(before.errors),
    })?)
}

/// How cases are divided: as the user says, else as they come `divided`, else in shuffled folds.
pub(crate) fn division(by: Option<SplitBy>, folds: usize, test: f64, divided: bool) -> Division {
    let default = if divided { SplitBy::Given } else { SplitBy::Shuffled };
    Division::By(match by.unwrap_or(default) {
        SplitBy::Contiguous => Splitter::ContiguousFolds { k: folds },
        SplitBy::Shuffled => Splitter::ShuffledFolds { k: folds },
        SplitBy::Stratified => Splitter::StratifiedFolds { k: folds },
        SplitBy::Random => Splitter::Random { test },
        SplitBy::Given => return Division::Given,
    })
}

/// The simulated panel, if one was asked for.
pub(crate) fn panel(args: &PanelArgs, group: Option<&str>, classes: usize) -> Result<Panel, Failure> {
    let Some(disadvantaged) = &args.biased_against else { return Ok(Panel::Recorded) };
    let Some(attribute) = group else {
        return Err(Failure::usage("--biased-against needs --group NAME: the attribute that the group belongs to"));
    };
    Ok(Panel::Biased { panel: biased_panel(args, disadvantaged, classes), attribute: attribute.to_owned() })
}

/// The panel itself.
pub(crate) fn biased_panel(args: &PanelArgs, disadvantaged: &str, classes: usize) -> BiasedPanel {
    BiasedPanel { biased: args.biased, flipped: args.flipped, classes, ..BiasedPanel::against(disadvantaged) }
}

pub(crate) fn unknown_experts(unknown: Unknown) -> UnknownExperts {
    match unknown {
        Unknown::Refuse => UnknownExperts::Refuse,
        Unknown::Drop => UnknownExperts::Drop,
    }
}
