//! Experiments that have everything a report can show, small enough for a test.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use deferral_reproduce::cache::Cache;
use deferral_reproduce::catalogue::Catalogue;
use deferral_reproduce::data::Data;
use deferral_reproduce::experiment::Experiment;
use deferral_reproduce::papers::Papers;
use deferral_reproduce::plan::{Plan, Wanted};
use deferral_reproduce::report;
use deferral_reproduce::runner::{Found, run};

const DESK: &str = r#"
id = "E1"
title = "A desk <b>&amp; its \"moderators\""
paper = "nobody-2026"
place = "table 1"
text = """
Posts of a **moderation desk** with <script>alert(1)</script> moderators, `majority` against a
*learned* committee.

- 80 posts in three folds
- the rest | is not known"""
findings = "The majority wins at `a<b` labels; 2 * 3 is 6."

[[study]]
name = "desk"
about = "Everybody < labels everything."
repetitions = 3
quick = 1
[study.run.compare]
cases.moderation = { cases = 90 }
group = "dialect"
split = { folds = 3 }
settings = { steps = "20" }
grid = ["rate=0.05,0.1,0.3"]
methods = ["majority", "majority:k=1", "majority:k=3", "best-expert", "dawid-skene", "joint", "joint:k=3"]

[[study]]
name = "secret"
about = "Cases that nobody may hand on."
data = ["secret"]
[study.run.compare]
cases.table = { file = "secret/cases.csv" }
split = { folds = 3 }
methods = ["majority"]

[[table]]
title = "Accuracy <i>of</i> methods"
study = "desk"
columns = [
  { name = "overall", measure = "accuracy" },
  { name = "harbour $x_1$ <", measure = "accuracy/harbour" },
  { name = "inland", measure = "accuracy/inland" },
]
[[table.row]]
name = "majority vote"
method = "majority"
published = [0.90, 0.90, nan]
spread = [0.30, 0.30, nan]
[[table.row]]
name = "best expert"
method = "best-expert"
published = [0.11, 0.12, 0.13]
spread = [0.01, nan, nan]
differs = "The published one is <worse> than a coin."
shown-by = ["three at random"]
[[table.row]]
name = "joint framework, all moderators of the desk together"
method = "joint:rate=0.1"
published = [0.99, 0.98, 0.97]
digits = 2
[[table.row]]
name = "the same at a higher rate"
method = "joint:rate=0.3"
variant-of = "joint framework, all moderators of the desk together"
[[table.row]]
name = "the secret one"
method = "majority"
study = "secret"
published = [0.5, 0.5, 0.5]
[[table.row]]
name = "in nobody's hands"
published = [0.6, 0.6, 0.6]
not-here = "The authors never released <it>."
[[table.row]]
name = "three at random"
method = "majority:k=3"
[[table.row]]
name = "Dawid and Skene, `dawid-skene`"
method = "dawid-skene"

[[claim]]
text = "Many votes are better than <one>"
place = "section 2"
study = "desk"
check.larger = { of = { method = "majority", measure = "accuracy" }, than = { method = "majority:k=1", measure = "accuracy" } }
[[claim]]
text = "The best expert is always wrong"
study = "desk"
check.within = { of = { method = "best-expert", measure = "accuracy" }, to = 0.01 }
differs = "Nobody is."
[[claim]]
text = "Nobody knows"
study = "secret"
check.within = { of = { method = "majority", measure = "accuracy" }, to = 0.01 }

[[equal-labels]]
title = "At the same labels"
study = "desk"
methods = ["joint:rate=0.1", "best-expert", "majority"]
curve = [
  { name = "majority vote", methods = ["majority:k=1", "majority:k=3", "majority"] },
  { name = "of three", methods = ["majority:k=3"] },
]

[[figure]]
title = "Labels"
study = "desk"
caption = "Few < many."
draw.labels = { methods = ["joint:rate=0.1", "best-expert", "dawid-skene"], lines = [{ name = "majority vote", methods = ["majority:k=1", "majority:k=3", "majority"] }] }
[[figure]]
title = "Fronts"
study = "desk"
caption = "Error against disparate impact."
draw.fronts = { families = ["joint"], methods = ["majority", "best-expert"] }
[[figure]]
title = "Distribution"
study = "desk"
caption = "Most runs."
draw.distribution = { measure = "asked", families = ["joint", "majority"] }
[[figure]]
title = "Along the rate"
study = "desk"
caption = "Medians."
draw.along = { setting = "rate", measure = "accuracy", families = ["joint"] }
[[figure]]
title = "Experts"
study = "desk"
caption = "Who is trusted."
draw.experts = { methods = ["joint:rate=0.3", "majority"], against = "accuracy/harbour" }
[[figure]]
title = "Not to be seen"
study = "secret"
caption = "The secret."
draw.distribution = { measure = "accuracy", families = ["majority"] }
"#;

const LOOP: &str = r#"
id = "E2"
title = "A closed loop"
paper = "somebody-2025"
place = "figure 3"
text = "Three clusters."

[[study]]
name = "noise"
repetitions = 2
[study.run.closed-loop]
world.clusters = { cases = 60 }
noise = [0.0, 0.3, 0.6]
methods = ["goel-faltings", "random"]

[[figure]]
title = "Accuracy against noise"
study = "noise"
caption = "It falls."
[figure.draw.lines]
x = "noise of the prior, s"
y = "label accuracy"
measure = "label"
at = [0.0, 0.3, 0.6]
mark = "random at 0.600"
lines = [
  { name = "Goel and Faltings", methods = ["goel-faltings at 0.000", "goel-faltings at 0.300", "goel-faltings at 0.600"] },
  { name = "at random", methods = ["random at 0.000", "random at 0.300", "random at 0.600"] },
]
"#;

const PAPERS: &str = r#"
[nobody-2026]
citation = "N. Body <and> others, On Nothing, 2026"
year = 2026
chapter = "docs/src/papers/nobody-2026.md"
[somebody-2025]
citation = "S. Body, On Something, 2025"
year = 2025
chapter = "docs/src/papers/somebody-2025.md"
"#;

/// The plan of both experiments.
pub(crate) fn plan(quick: bool) -> Plan {
    let experiments = [DESK, LOOP].map(|text| Experiment::parse(text, Path::new("E.toml")).unwrap());
    let state = Err(vec!["secret/cases.csv is not there: ask <the authors> for it.".to_owned()]);
    let wanted = Wanted { quick, ..Wanted::default() };
    Plan::of(experiments.into(), wanted, &mut |_| Ok(state.clone())).unwrap()
}

/// What it finds on so many threads, with nothing known before.
pub(crate) fn found(plan: &Plan, threads: usize) -> Found {
    let folder = tempfile::tempdir().unwrap();
    let jobs: Vec<_> = plan.jobs.iter().collect();
    let data = Data::new(folder.path(), &Catalogue { sets: Vec::new() });
    let cache = Cache::open(&folder.path().join("cache")).unwrap();
    Found::of(plan, run(plan, &jobs, threads, &data, &cache, &|_| {}).unwrap())
}

/// Writes the report into a folder.
pub(crate) fn write(plan: &Plan, found: &Found, folder: &Path) -> Vec<PathBuf> {
    let papers = Papers::parse(PAPERS, Path::new("papers.toml")).unwrap();
    report::write(plan, found, &papers, folder).unwrap()
}
