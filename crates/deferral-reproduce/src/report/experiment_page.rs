//! The page of an experiment: recipe, tables, claims, findings, figures, comparisons at equal labels, parameters.

use super::document::{Block, Cell, Page, Row, Table, code, paragraphs};
use super::drawings::{Names, figure};
use super::numbers::{NONE, counted};
use super::settings::{kind, settings};
use super::verdict_table::{self, tone, word};
use super::{Studies, equal_labels, summary, verdict_chart};
use crate::claims::{Checked, checked};
use crate::error::ReproduceError;
use crate::papers::Paper;
use crate::studies::Study;
use crate::verdict::{Outcome, tables};

/// The page. `links` lead to others.
pub(super) fn page(studies: &Studies<'_>, paper: &Paper, links: Vec<(String, String)>) -> Result<Page, ReproduceError> {
    let experiment = studies.experiment();
    let mut names = Names::of(&experiment.id);
    let place = format!("{}; {}.", paper.citation, experiment.place.trim_end_matches('.'));
    let mut blocks = vec![Block::Lead(place)];
    blocks.extend(summary::glance(studies.plan));
    blocks.push(Block::Heading("Recipe".to_owned()));
    blocks.extend(paragraphs(&experiment.text));
    if !experiment.studies.is_empty() {
        blocks.push(Block::Table(studies_table(studies)));
    }
    let tables = tables(studies.plan, studies.at, studies.found);
    if !tables.is_empty() {
        blocks.push(Block::Heading("Published and ours".to_owned()));
    }
    for table in &tables {
        blocks.extend(verdict_table::blocks(studies.plan, studies.at, table));
        blocks.extend(verdict_chart::figure(table, &mut names)?.map(Block::Figure));
    }
    let claims = checked(studies.plan, studies.at, studies.found);
    if !claims.is_empty() {
        blocks.push(Block::Heading("What the paper says without numbers".to_owned()));
        blocks.push(Block::Table(claims_table(&claims)));
        let explained: Vec<String> = claims.iter().filter_map(explanation).collect();
        if !explained.is_empty() {
            blocks.push(Block::Items(explained));
        }
    }
    let findings = paragraphs(&experiment.findings);
    if !findings.is_empty() {
        blocks.push(Block::Heading("What came out".to_owned()));
        blocks.extend(findings);
    }
    if !experiment.equal_labels.is_empty() {
        blocks.push(Block::Heading("At equal labels per case".to_owned()));
    }
    for equal in &experiment.equal_labels {
        blocks.extend(equal_labels::blocks(equal, studies, &mut names)?);
    }
    if !experiment.figures.is_empty() {
        blocks.push(Block::Heading("Figures".to_owned()));
    }
    for spec in &experiment.figures {
        blocks.push(Block::Figure(figure(spec, studies, &mut names)?));
    }
    blocks.extend(parameters(studies));
    let title = format!("{}: {}", experiment.id, experiment.title);
    Ok(Page { name: experiment.id.clone(), title, links, blocks })
}

fn studies_table(studies: &Studies<'_>) -> Table {
    let head = ["study", "what", "data", "repetitions", "methods"].map(str::to_owned).to_vec();
    let rows = studies.experiment().studies.iter().enumerate().map(|(at, study)| {
        let planned = studies.plan.repetitions(study);
        let results = studies.found.results(studies.at, at);
        let done = if results.is_some() { planned } else { 0 };
        let data: Vec<String> = study.data.iter().map(|set| code(set)).collect();
        let methods = results.map(|results| results.methods().iter().filter(|name| !name.is_empty()).count());
        Row::of(vec![
            Cell::of(study.name.clone()).with_small(study.about.clone()),
            Cell::of(kind(study)),
            Cell::of(if data.is_empty() { "generated".to_owned() } else { data.join(", ") }),
            Cell::of(format!("{done} of {}", study.repetitions)),
            Cell::of(methods.filter(|methods| *methods > 0).map_or(NONE.to_owned(), |methods| methods.to_string())),
        ])
    });
    Table { about: "Studies".to_owned(), groups: Vec::new(), head, rows: rows.collect() }
}

fn claims_table(claims: &[Checked]) -> Table {
    let head = ["claim", "measured", "outcome"].map(str::to_owned).to_vec();
    let row = |checked: &Checked| {
        Row::of(vec![
            Cell::of(checked.claim.text.clone()).with_small(checked.claim.place.clone()),
            Cell::of(checked.measured.clone()),
            Cell::toned(claim_word(checked.outcome), tone(checked.outcome)),
        ])
    };
    Table { about: "Claims".to_owned(), groups: Vec::new(), head, rows: claims.iter().map(row).collect() }
}

fn claim_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Reproduces => "✓ holds",
        Outcome::Differs => "✗ does not hold",
        Outcome::Unexplained => "✗ does not hold, unexplained",
        Outcome::NotHere => word(Outcome::NotHere),
    }
}

fn explanation(checked: &Checked) -> Option<String> {
    let why = checked.claim.differs.as_ref().filter(|_| checked.outcome == Outcome::Differs)?;
    Some(format!("**{}**: {}", checked.claim.text, why.trim()))
}

/// All that the numbers depend on.
fn parameters(studies: &Studies<'_>) -> Vec<Block> {
    let (plan, experiment) = (studies.plan, studies.experiment());
    let mut facts = summary::run_facts(plan);
    facts.insert(0, ("seed".to_owned(), plan.wanted.seed.unwrap_or(experiment.seed).to_string()));
    let mut blocks = vec![Block::Heading("Run parameters".to_owned()), Block::Facts(facts)];
    for study in &experiment.studies {
        blocks.push(Block::Subheading(format!("Study {}", code(&study.name))));
        let mut facts = vec![("repetitions".to_owned(), repetitions(studies, study))];
        facts.extend(settings(study));
        blocks.push(Block::Facts(facts));
    }
    blocks
}

fn repetitions(studies: &Studies<'_>, study: &Study) -> String {
    let (planned, all) = (studies.plan.repetitions(study), study.repetitions);
    let units = counted(study.units(planned), "unit");
    if planned == all { format!("{all} ({units})") } else { format!("{planned} of {all} ({units})") }
}
