//! The report of two small experiments: whole, escaped, self-contained and the same bytes every time.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod reported;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use reported::{found, plan, write};

/// All files below a folder by their names within it.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for (within, prefix) in [(folder.to_owned(), ""), (folder.join("figures"), "figures/")] {
        for entry in fs::read_dir(within).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                files.insert(format!("{prefix}{name}"), fs::read_to_string(path).unwrap());
            }
        }
    }
    files
}

fn is_a(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|own| own == extension)
}

fn report(quick: bool, threads: usize) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(quick);
    let written = write(&plan, &found(&plan, threads), folder.path());
    let files = files(folder.path());
    assert_eq!(written.len(), files.len(), "nothing else is left in the folder");
    assert!(written.last().unwrap().ends_with("index.html"));
    files
}

#[test]
fn two_runs_give_the_same_bytes_on_any_number_of_threads() {
    let one = report(false, 1);
    assert!(one == report(false, 1), "two runs");
    assert!(one == report(false, 2), "two threads");
    assert!(one.len() > 12, "{:?}", one.keys());
}

#[test]
fn a_page_says_what_was_published_what_came_out_and_why_it_differs() {
    let files = report(false, 2);
    let page = &files["E1.html"];
    for part in [
        "<td class=\"begin\">.90 (.30)</td>",
        "✓ reproduces",
        "✗ differs<small>",
        "<strong>best expert</strong> differs: The published one is &lt;worse&gt; than a coin. Shown by three at random: ",
        "✗ unexplained",
        "nobody has said why",
        "○ not run here",
        "secret/cases.csv is not there: ask &lt;the authors&gt; for it.",
        "The authors never released &lt;it&gt;.",
        "<td class=\"none\">outside<small>",
        "✓ holds",
        "Nobody is.",
        "<li>the rest | is not known</li>",
        "<strong>moderation desk</strong>",
        "<code>a&lt;b</code>",
        "2 * 3 is 6",
        "At equal labels per case",
        "rank correlation",
        "Nothing is drawn: the study <code>secret</code> was not run here.",
        "9 runs",
        "3 of 3",
        "<dt>seed</dt><dd>1</dd>",
        "<dt><code>cases.moderation.cases</code></dt><dd><code>90</code></dd>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    // Three panels of the table, one at equal labels, four drawings and two panels of experts.
    assert_eq!(page.matches("<svg").count(), 10);
    let markdown = &files["index.md"];
    for part in [
        "| majority vote",
        "![",
        "(figures/E1-1.svg)",
        "overall: published",
        "↳ the same at a higher rate",
        "- the rest | is",
    ] {
        assert!(markdown.contains(part), "{part}");
    }
    assert!(files["figures/E1-2.svg"].contains("harbour $x_1$ &lt;"), "names of columns are drawn as they stand");
    assert!(files["E2.html"].contains("random at 0.600"), "the dashed line has its name");
}

#[test]
fn the_opening_page_counts_cells_by_paper_and_experiment() {
    let index = &report(false, 2)["index.html"];
    for part in [
        "published cells that were run reproduce",
        "6 of all 14 could not be run here",
        "Of 3 claims without numbers, 1 hold and 1 could not be checked here.",
        "N. Body &lt;and&gt; others",
        "docs/src/papers/somebody-2025.md",
        "<a href=\"E1.html\">E1: A desk &lt;b&gt;&amp;amp; its &quot;moderators&quot;</a>",
        "E1, study <code>secret</code>: secret/cases.csv is not there",
        "How to read a verdict",
        "only thanks to that",
    ] {
        assert!(index.contains(part), "{part}");
    }
    assert!(!index.contains("quick run"));
}

#[test]
fn a_glance_says_so_on_every_page() {
    let files = report(true, 2);
    for (name, page) in files.iter().filter(|(name, _)| is_a(name, "html")) {
        assert!(page.contains("This was a quick run") && page.contains("provisional"), "{name}");
    }
    assert!(files["E1.html"].contains("1 of 3"));
}

#[test]
fn pages_stand_alone_and_lead_somewhere() {
    let files = report(false, 2);
    for (name, page) in &files {
        let own = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!own.contains("http:") && !own.contains("https:"), "{name}");
        if !is_a(name, "md") {
            for forbidden in
                ["<script", "<link", "<object", "<iframe", "@import", "<img", "onload", "<b>", "<i>", "<it>"]
            {
                assert!(!page.contains(forbidden), "{name}: {forbidden}");
            }
        }
        let hrefs = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let images = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in hrefs.chain(images) {
            assert!(files.contains_key(target), "{name} leads to {target}");
        }
        let mut ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{name} has an identifier twice");
        assert!(!page.contains("NaN") && !page.contains("/tmp"), "{name}");
    }
    let drawings = files.keys().filter(|name| name.starts_with("figures/"));
    for drawing in drawings {
        assert!(files["index.md"].contains(&format!("({drawing})")), "{drawing}");
    }
}

#[test]
fn an_unknown_paper_or_a_bad_name_leaves_the_folder_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = plan(false);
    wrong.experiments[1].paper = "none".to_owned();
    let papers = deferral_reproduce::papers::Papers::parse(
        "[nobody-2026]\ncitation = \"x\"\nyear = 2026\nchapter = \"y\"",
        Path::new("papers.toml"),
    )
    .unwrap();
    let found = deferral_reproduce::runner::Found::default();
    let message =
        |plan: &_| deferral_reproduce::report::write(plan, &found, &papers, folder.path()).unwrap_err().to_string();
    assert_eq!(message(&wrong), "there is no paper `none`; there are: nobody-2026");
    for (id, says) in
        [("../E2", "letters, digits"), ("", "letters, digits"), ("Index", "another page"), ("e1", "another page")]
    {
        wrong.experiments[1].id = id.to_owned();
        assert!(message(&wrong).contains(says), "{}", message(&wrong));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
