//! The report: an opening page, a page an experiment, the same in one Markdown file, and every drawing as a file.
//!
//! Pages load nothing and run no script. They name neither time, machine nor folder, so that equal figures give equal
//! bytes. What they say (`document`) is apart from how it is written down (`html`, `markdown`).

mod curve;
mod document;
mod drawings;
mod equal_labels;
mod experiment_page;
mod html;
mod markdown;
mod numbers;
mod settings;
mod summary;
mod verdict_chart;
mod verdict_table;

use std::fs;
use std::path::{Path, PathBuf};

use document::Page;

use crate::error::ReproduceError;
use crate::experiment::Experiment;
use crate::papers::Papers;
use crate::plan::Plan;
use crate::runner::Found;
use crate::sample::Results;

/// The name of the opening page.
const INDEX: &str = "index";

/// Writes the report of a plan into a folder: `index.html`, `ID.html` of every experiment, `index.md` with all of it, and
/// the drawings, `figures/ID-1.svg` and so on. Gives the files, the opening page last.
///
/// Everything is drawn before anything is written, and every file is moved into its place whole, the opening page last:
/// an error leaves an older report as it was. Pages of an older report which this one has not stay; no page leads to them.
/// Cost: one pass over the figures for each table, claim and drawing.
///
/// # Errors
/// If the name of an experiment cannot be that of a file, a paper is not known, something cannot be drawn, or a file
/// cannot be written.
///
/// ```
/// use deferral_reproduce::{experiment::Experiment, papers::Papers, plan::*, report, runner::Found};
/// let experiment = Experiment::parse(
///     "id = 'E0'\ntitle = 'Nothing'\npaper = 'nobody-2026'\nplace = 'table 1'\ntext = 'Nothing is run.'",
///     "E0.toml".as_ref(),
/// )?;
/// let papers = Papers::parse(
///     "[nobody-2026]\ncitation = 'N. Body, On Nothing'\nyear = 2026\nchapter = 'docs/nobody.md'",
///     "papers.toml".as_ref(),
/// )?;
/// let plan = Plan::of(vec![experiment], Wanted::default(), &mut |_| Ok(Err(Vec::new())))?;
/// let folder = tempfile::tempdir().unwrap();
/// let files = report::write(&plan, &Found::default(), &papers, folder.path())?;
/// assert!(files.iter().any(|file| file.ends_with("E0.html")));
/// # Ok::<(), deferral_reproduce::error::ReproduceError>(())
/// ```
pub fn write(plan: &Plan, found: &Found, papers: &Papers, folder: &Path) -> Result<Vec<PathBuf>, ReproduceError> {
    let pages = pages(plan, found, papers)?;
    let mut files: Vec<(String, String)> = Vec::new();
    for panel in pages.iter().flat_map(Page::panels) {
        files.push((format!("{}/{}.svg", markdown::FIGURES, panel.name), panel.svg.clone()));
    }
    files.extend(pages.iter().skip(1).map(|page| (format!("{}.html", page.name), html::html(page))));
    files.push((format!("{INDEX}.md"), markdown::markdown(&pages)));
    files.extend(pages.first().map(|page| (format!("{}.html", page.name), html::html(page))));
    put(&files, folder)
}

/// All pages, the opening one first.
fn pages(plan: &Plan, found: &Found, papers: &Papers) -> Result<Vec<Page>, ReproduceError> {
    check_names(&plan.experiments)?;
    let mut pages = vec![summary::page(plan, found, papers)?];
    for (at, experiment) in plan.experiments.iter().enumerate() {
        let neighbour = |at: Option<usize>| at.and_then(|at| plan.experiments.get(at));
        let mut links = vec![("Summary".to_owned(), INDEX.to_owned())];
        links.extend(neighbour(at.checked_sub(1)).map(|other| (format!("← {}", other.id), other.id.clone())));
        links.extend(neighbour(Some(at + 1)).map(|other| (format!("{} →", other.id), other.id.clone())));
        let studies = Studies { plan, at, found };
        pages.push(experiment_page::page(&studies, papers.get(&experiment.paper)?, links)?);
    }
    Ok(pages)
}

/// Pages are called after experiments, also where files are the same in capitals.
fn check_names(experiments: &[Experiment]) -> Result<(), ReproduceError> {
    let wrong = |experiment: &Experiment, message: &str| ReproduceError::Entry {
        path: PathBuf::from(format!("{}.toml", experiment.id)),
        message: message.to_owned(),
    };
    for (at, experiment) in experiments.iter().enumerate() {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if experiment.id.is_empty() || !experiment.id.chars().all(allowed) {
            return Err(wrong(experiment, "`id` names a page: use letters, digits, `-` and `_`, one or more"));
        }
        let same = |other: &Experiment| other.id.eq_ignore_ascii_case(&experiment.id);
        if experiment.id.eq_ignore_ascii_case(INDEX) || experiments[..at].iter().any(same) {
            return Err(wrong(experiment, "there is another page of this name; give the experiment another `id`"));
        }
    }
    Ok(())
}

/// Writes all files beside their places, then moves them there.
fn put(files: &[(String, String)], folder: &Path) -> Result<Vec<PathBuf>, ReproduceError> {
    let drawings = folder.join(markdown::FIGURES);
    fs::create_dir_all(&drawings).map_err(|error| ReproduceError::io("could not be made", &drawings, error))?;
    let beside =
        tempfile::tempdir_in(folder).map_err(|error| ReproduceError::io("could not be written", folder, error))?;
    let waiting = |at: usize| beside.path().join(at.to_string());
    for (at, (name, content)) in files.iter().enumerate() {
        fs::write(waiting(at), content)
            .map_err(|error| ReproduceError::io("could not be written", &folder.join(name), error))?;
    }
    let mut written = Vec::new();
    for (at, (name, _)) in files.iter().enumerate() {
        let path = folder.join(name);
        fs::rename(waiting(at), &path).map_err(|error| ReproduceError::io("could not be written", &path, error))?;
        written.push(path);
    }
    Ok(written)
}

/// The studies of one experiment and what they found.
struct Studies<'a> {
    plan: &'a Plan,
    at: usize,
    found: &'a Found,
}

impl Studies<'_> {
    fn experiment(&self) -> &Experiment {
        &self.plan.experiments[self.at]
    }

    /// What a study found, if it was run.
    fn results(&self, study: &str) -> Option<&Results> {
        let position = self.experiment().studies.iter().position(|other| other.name == study)?;
        self.found.results(self.at, position)
    }
}
