//! The opening page: what reproduces, by paper and by experiment, what could not be run, and how to read a verdict.

use super::Studies;
use super::document::{Block, Cell, Page, Row, Table, code};
use super::numbers::{counted, number, percent};
use crate::claims::{Checked, checked};
use crate::error::ReproduceError;
use crate::papers::Papers;
use crate::plan::{CODE, Plan};
use crate::runner::Found;
use crate::verdict::{Count, Outcome, TWO_POINTS, tables};

/// What came of some experiments.
#[derive(Clone, Copy, Default)]
struct Tally {
    cells: Count,
    claims: usize,
    hold: usize,
    claims_not_here: usize,
}

impl Tally {
    fn of(studies: &Studies<'_>) -> Self {
        let claims = checked(studies.plan, studies.at, studies.found);
        let with = |outcome: Outcome| claims.iter().filter(|checked: &&Checked| checked.outcome == outcome).count();
        Self {
            cells: Count::of(&tables(studies.plan, studies.at, studies.found)),
            claims: claims.len(),
            hold: with(Outcome::Reproduces),
            claims_not_here: with(Outcome::NotHere),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            cells: self.cells.and(other.cells),
            claims: self.claims + other.claims,
            hold: self.hold + other.hold,
            claims_not_here: self.claims_not_here + other.claims_not_here,
        }
    }
}

/// The page.
pub(super) fn page(plan: &Plan, found: &Found, papers: &Papers) -> Result<Page, ReproduceError> {
    let tallies: Vec<Tally> = (0..plan.experiments.len()).map(|at| Tally::of(&Studies { plan, at, found })).collect();
    let whole = tallies.iter().copied().fold(Tally::default(), Tally::and);
    let mut blocks = vec![Block::Lead(opening(&whole))];
    blocks.extend(glance(plan));
    blocks.push(Block::Heading("By paper".to_owned()));
    blocks.push(Block::Table(by_paper(plan, &tallies, papers)?));
    blocks.push(Block::Heading("By experiment".to_owned()));
    blocks.push(Block::Table(by_experiment(plan, &tallies)));
    blocks.extend(not_here(plan, found));
    blocks.push(Block::Heading("How to read a verdict".to_owned()));
    blocks.push(Block::Items(reading(&whole.cells)));
    blocks.push(Block::Heading("Run parameters".to_owned()));
    blocks.push(Block::Facts(run_facts(plan)));
    Ok(Page { name: "index".to_owned(), title: "What reproduces".to_owned(), links: Vec::new(), blocks })
}

/// That a run was only a glance, if it was.
pub(super) fn glance(plan: &Plan) -> Option<Block> {
    let text = "**This was a quick run**: a glance with few repetitions. All verdicts on this page are provisional.";
    plan.wanted.quick.then(|| Block::Warning(text.to_owned()))
}

/// What all numbers depend on; neither time nor machine.
pub(super) fn run_facts(plan: &Plan) -> Vec<(String, String)> {
    let repetitions = if plan.wanted.quick { "quick: only a few" } else { "full" };
    let facts = [
        ("repetitions", repetitions.to_owned()),
        ("digest of the sources", code(CODE)),
        ("digest of the plan (studies, seeds, sources and data)", code(&plan.digest())),
    ];
    facts.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

fn opening(Tally { cells, claims, hold, claims_not_here }: &Tally) -> String {
    let published = cells.run() + cells.not_here;
    let mut text = format!(
        "**{} of {} that were run {} ({})**",
        cells.reproduces,
        counted(cells.run(), "published cell"),
        if cells.reproduces == 1 { "reproduces" } else { "reproduce" },
        percent(cells.reproduces, cells.run()),
    );
    text += &format!("; {} for a reason that is given", differ(cells.differs));
    if cells.unexplained > 0 {
        text += &format!(", {} without one", differ(cells.unexplained));
    }
    if cells.not_here > 0 {
        text += &format!(". {} of all {published} could not be run here", cells.not_here);
    }
    text += &format!(". Of {} without numbers, {hold} hold", counted(*claims, "claim"));
    if *claims_not_here > 0 {
        text += &format!(" and {claims_not_here} could not be checked here");
    }
    text + "."
}

fn differ(n: usize) -> String {
    format!("{n} {}", if n == 1 { "differs" } else { "differ" })
}

fn head(first: &str) -> Vec<String> {
    let rest = ["reproduce", "share of those run", "differ", "differ, unexplained", "not run here", "claims that hold"];
    std::iter::once(first).chain(rest).map(str::to_owned).collect()
}

fn row(first: Cell, Tally { cells, claims, hold, claims_not_here }: &Tally) -> Row {
    let by_rounding = if cells.by_rounding > 0 { format!("{} by rounding", cells.by_rounding) } else { String::new() };
    let unchecked = if *claims_not_here > 0 { format!("{claims_not_here} not checked") } else { String::new() };
    Row::of(vec![
        first,
        Cell::of(format!("{} of {}", cells.reproduces, cells.run())).with_small(by_rounding),
        Cell::of(percent(cells.reproduces, cells.run())),
        Cell::of(cells.differs.to_string()),
        Cell::of(cells.unexplained.to_string()),
        Cell::of(cells.not_here.to_string()),
        Cell::of(format!("{hold} of {claims}")).with_small(unchecked),
    ])
}

/// One row a paper, in the order in which experiments name them.
fn by_paper(plan: &Plan, tallies: &[Tally], papers: &Papers) -> Result<Table, ReproduceError> {
    let mut sums: Vec<(&str, Tally)> = Vec::new();
    for (experiment, tally) in plan.experiments.iter().zip(tallies) {
        match sums.iter_mut().find(|(paper, _)| *paper == experiment.paper) {
            Some((_, sum)) => *sum = sum.and(*tally),
            None => sums.push((&experiment.paper, *tally)),
        }
    }
    let mut rows = Vec::new();
    for (key, tally) in sums {
        let paper = papers.get(key)?;
        rows.push(row(Cell::of(paper.citation.clone()).with_small(code(&paper.chapter)), &tally));
    }
    Ok(Table { about: "Cells by paper".to_owned(), groups: Vec::new(), head: head("paper"), rows })
}

fn by_experiment(plan: &Plan, tallies: &[Tally]) -> Table {
    let name = |at: usize| {
        let experiment = &plan.experiments[at];
        Cell {
            text: format!("{}: {}", experiment.id, experiment.title),
            small: format!("{}, {}", experiment.paper, experiment.place),
            link: Some(experiment.id.clone()),
            ..Cell::default()
        }
    };
    let rows = tallies.iter().enumerate().map(|(at, tally)| row(name(at), tally)).collect();
    Table { about: "Cells by experiment".to_owned(), groups: Vec::new(), head: head("experiment"), rows }
}

/// What could not be run, and how to get what is missing.
fn not_here(plan: &Plan, found: &Found) -> Vec<Block> {
    let mut items: Vec<String> = Vec::new();
    for missing in &plan.not_here {
        let experiment = &plan.experiments[missing.experiment];
        let study = &experiment.studies[missing.study].name;
        items.push(format!("{}, study {}: {}", experiment.id, code(study), missing.problems.join(" ")));
    }
    for (at, experiment) in plan.experiments.iter().enumerate() {
        for (why, rows) in rows_not_here(&tables(plan, at, found)) {
            items.push(format!("{}, {}: {why}", experiment.id, rows.join(", ")));
        }
    }
    if items.is_empty() {
        return Vec::new();
    }
    vec![Block::Heading("Not run here".to_owned()), Block::Items(items)]
}

/// Published rows that have no number of ours, by the reason that the file gives, in order.
fn rows_not_here(tables: &[crate::verdict::Table]) -> Vec<(String, Vec<String>)> {
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for row in tables.iter().flat_map(|table| &table.rows) {
        let absent = row.cells.iter().any(|cell| cell.outcome == Some(Outcome::NotHere));
        let Some(why) = row.spec.not_here.as_deref().filter(|_| absent) else { continue };
        match reasons.iter_mut().find(|(other, _)| other == why.trim()) {
            Some((_, names)) => names.push(row.spec.name.clone()),
            None => reasons.push((why.trim().to_owned(), vec![row.spec.name.clone()])),
        }
    }
    reasons
}

fn reading(cells: &Count) -> Vec<String> {
    vec![
        format!(
            "A cell **reproduces** if ours is within the band around the published number. To either side the band is as \
             wide as the published standard deviation and our standard error together; where no deviation was \
             published, {} takes its place. Counts must be equal.",
            number(TWO_POINTS, 2)
        ),
        format!(
            "A printed number stands for all that are printed alike: the distance is measured from the nearest of them. \
             {} only thanks to that; the tables say which.",
            match cells.by_rounding {
                1 => "1 cell reproduces".to_owned(),
                n => format!("{n} cells reproduce"),
            }
        ),
        "A cell **differs** if ours is outside of the band; the page says why, and which run shows it. \
         *Unexplained* means that nobody has said why."
            .to_owned(),
        "A cell is **not run here** if its data are not at hand; the page says how to get them.".to_owned(),
        "Numbers in brackets are standard deviations over repetitions or folds, with divisor n as in the papers. Rows \
         with no published number stand beside the others for comparison, with the labels per case that they needed; \
         variants stand below the row that they vary: they are within the band or outside of it, but are not counted."
            .to_owned(),
    ]
}
