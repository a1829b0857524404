//! The report of a comparison as one HTML page: a sentence, the table, the figures and what they rest on.
//!
//! The page stands alone: it loads nothing, runs no script and names neither time nor machine.

use std::fmt::Write;

use deferral_metrics::Spread;

use crate::figures::{Figure, figures, shortens};
use crate::{Comparison, EvalError, METHODS, Row};

/// Methods that learn nothing about cases. If one of them wins, the report says so.
const BASELINES: [&str; 2] = ["majority", "best-expert"];

const STYLE: &str = include_str!("report.css");

/// The report as a page of HTML that needs no other file. `about` lists the parameters of the run, name and value, and
/// is shown at the end.
///
/// The same comparison gives the same bytes. Cost: one pass over the records, and a sort of the cases for each method.
///
/// # Errors
/// If a recorded confidence is not finite, or a figure cannot be drawn.
///
/// ```
/// use deferral_core::Splitter;
/// use deferral_eval::*;
/// use deferral_experts::Moderation;
/// let methods = ["majority", "best-expert"].map(|name| Method::parse(name, &[], None));
/// let experiment = Experiment {
///     source: Source::Moderation(Moderation { cases: 200, ..Moderation::default() }),
///     panel: Panel::Recorded,
///     division: Splitter::ShuffledFolds { k: 4 }.into(),
///     repetitions: 1,
///     methods: methods.into_iter().collect::<Result<_, _>>()?,
///     features: FeatureChoice::default(),
///     group: Some("dialect".into()),
///     seed: 1,
/// };
/// let page = html(&run(&experiment, &|_, _| {})?, "Who decides best?", &[("folds".into(), "4".into())])?;
/// assert!(page.starts_with("<!doctype html>") && page.contains("<svg") && !page.contains("<script"));
/// # Ok::<(), EvalError>(())
/// ```
pub fn html(comparison: &Comparison, title: &str, about: &[(String, String)]) -> Result<String, EvalError> {
    let rows = comparison.rows();
    let mut body = format!("<p class=\"summary\">{}</p>\n", summary(comparison, &rows));
    body += &table(comparison, &rows);
    body += &drawings(&figures(comparison)?);
    body += &background(comparison, about);
    Ok(page(title, &body))
}

/// A page that needs no other file, in the style of all reports: a title, which is escaped, and a body of HTML. Wide
/// tables stand in a `<div class="scroll">`, notes in `<p class="note">`.
///
/// ```
/// let page = deferral_eval::page("a < b", "<p>text</p>");
/// assert!(page.contains("<title>a &lt; b</title>") && !page.contains("<script"));
/// ```
pub fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         {body}</main>\n</body>\n</html>\n"
    )
}

/// The section of the figures.
pub(crate) fn drawings(figures: &[Figure]) -> String {
    let mut html = "<section class=\"figures\">\n<h2>Figures</h2>\n".to_owned();
    for (at, figure) in figures.iter().enumerate() {
        html += &drawing(at + 1, figure);
    }
    html + "</section>\n"
}

/// Text as it may stand in HTML and in attributes; characters that no page may contain are replaced.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\n' | '\t' => escaped.push(character),
            control if control.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Three digits without a leading zero: `.850`.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    text.strip_prefix('0').map_or(text.clone(), str::to_owned)
}

/// `.850 (.032)` as the papers print it: mean and population standard deviation.
fn spread(spread: &Spread) -> String {
    match spread.n {
        1 => short(spread.mean),
        _ => format!("{} ({})", short(spread.mean), short(spread.population_sd)),
    }
}

/// A method's name without its settings.
fn base(method: &str) -> &str {
    method.split(':').next().unwrap_or(method).trim()
}

fn is_baseline(row: &Row) -> bool {
    BASELINES.contains(&base(&row.method))
}

/// What the table says, in a few sentences.
fn summary(comparison: &Comparison, rows: &[Row]) -> String {
    let Some(best) = best_of(rows, |_| true) else {
        return "No case was decided, so there is nothing to compare.".to_owned();
    };
    let (mut text, rival) = if is_baseline(&rows[best]) {
        let text = format!("No learned method does best: the simple baseline {}", achievement(&rows[best]));
        (text, best_of(rows, |row| !is_baseline(row)))
    } else {
        let baseline = BASELINES.iter().find_map(|name| best_of(rows, |row| base(&row.method) == *name));
        (format!("{} and is the most accurate method", achievement(&rows[best])), baseline)
    };
    match rival {
        Some(rival) => {
            let _ = write!(text, "; {}, {}.", achievement(&rows[rival]), difference(comparison, best, rival));
        }
        None => text.push('.'),
    }
    text += &about_groups(comparison, rows, best);
    text
}

/// The most accurate row among some; of equals the one that asks for fewest labels.
fn best_of(rows: &[Row], among: impl Fn(&Row) -> bool) -> Option<usize> {
    let candidates = rows.iter().enumerate().filter(|(_, row)| among(row));
    let scored = candidates.filter_map(|(at, row)| Some((at, row.accuracy?.mean, row.labels_per_case)));
    scored.reduce(|a, b| if b.1 > a.1 || (b.1 == a.1 && b.2 < a.2) { b } else { a }).map(|(at, ..)| at)
}

fn achievement(row: &Row) -> String {
    let accuracy = row.accuracy.as_ref().map_or_else(|| "–".to_owned(), spread);
    let labels = match row.labels_per_case {
        0.0 => "without any human label".to_owned(),
        1.0 => "with 1 human label per case".to_owned(),
        labels => format!("with {labels:.2} human labels per case"),
    };
    format!("<strong>{}</strong> reaches an accuracy of {accuracy} {labels}", escape(&row.method))
}

/// How far the second method is behind the first on the same splits.
fn difference(comparison: &Comparison, best: usize, rival: usize) -> String {
    let pairs = comparison.of(best).filter_map(|a| {
        let b = comparison.of(rival).find(|b| (b.repetition, b.fold) == (a.repetition, a.fold))?;
        Some(a.all.share()? - b.all.share()?)
    });
    let Some(behind) = Spread::of(&pairs.collect::<Vec<f64>>()) else { return "on other splits".to_owned() };
    let points = short(behind.mean.abs());
    match behind.standard_error {
        _ if behind.mean == 0.0 => "exactly as much".to_owned(),
        None => format!("{points} less, on a single split that cannot tell chance from skill"),
        Some(error) => {
            let chance = if behind.mean.abs() < 2.0 * error { ": a difference that may well be chance" } else { "" };
            format!("{points} less (standard error {} over {} splits{chance})", short(error), behind.n)
        }
    }
}

fn about_groups(comparison: &Comparison, rows: &[Row], best: usize) -> String {
    let row = &rows[best];
    let of_group = |(at, group): (usize, &Option<Spread>)| Some((at, group.as_ref()?.mean));
    let groups: Vec<(usize, f64)> = row.by_group.iter().enumerate().filter_map(of_group).collect();
    let worst = groups.iter().copied().reduce(|a, b| if b.1 < a.1 { b } else { a });
    let (Some((worst, accuracy)), Some(disparity), true) = (worst, row.disparity, groups.len() > 1) else {
        return String::new();
    };
    let mut text = format!(
        " Of the groups, {} serves {} worst, with {}, and the groups differ by {}",
        escape(&row.method),
        escape(comparison.groups.get(worst).map_or("", String::as_str)),
        short(accuracy),
        spread(&disparity),
    );
    let gaps = rows.iter().enumerate().filter_map(|(at, row)| Some((at, row.disparity?.mean, row.accuracy?.mean)));
    match gaps.reduce(|a, b| if b.1 < a.1 { b } else { a }) {
        Some((even, gap, accuracy)) if even != best => {
            let name = escape(&rows[even].method);
            let _ = write!(
                text,
                "; they differ least under {name}: by {}, at an accuracy of {}.",
                short(gap),
                short(accuracy)
            );
        }
        _ => text += ", less than under any other method.",
    }
    text
}

/// A column of the table.
struct Column {
    name: String,
    about: &'static str,
    /// `Some(true)` if more is better, `None` if neither is.
    more_is_better: Option<bool>,
    cells: Vec<Cell>,
}

impl Column {
    /// The best number, if the numbers differ.
    fn best(&self) -> Option<f64> {
        let keys: Vec<f64> = self.cells.iter().filter_map(|cell| cell.key()).collect();
        let (low, high) = (keys.iter().copied().reduce(f64::min)?, keys.iter().copied().reduce(f64::max)?);
        let best = if self.more_is_better? { high } else { low };
        (low < high).then_some(best)
    }
}

#[derive(Clone, Copy)]
enum Cell {
    Spread(Option<Spread>),
    Number(f64),
}

impl Cell {
    fn key(self) -> Option<f64> {
        match self {
            Self::Spread(spread) => spread.map(|s| s.mean),
            Self::Number(number) => Some(number),
        }
    }

    fn html(self, is_best: bool) -> String {
        let (text, below) = match self {
            Self::Spread(None) => return "<td class=\"none\" title=\"no case to measure it on\">–</td>".to_owned(),
            Self::Spread(Some(s)) => (spread(&s), s.standard_error.map(|e| format!("se {}, n {}", short(e), s.n))),
            Self::Number(number) => (format!("{number:.2}"), None),
        };
        let below = below.map_or_else(String::new, |text| format!("<small>{text}</small>"));
        if is_best {
            format!("<td class=\"best\"><strong>{text}</strong>{below}</td>")
        } else {
            format!("<td>{text}{below}</td>")
        }
    }
}

fn columns(comparison: &Comparison, rows: &[Row]) -> Vec<Column> {
    let column = |name: &str, about, more_is_better, cell: &dyn Fn(&Row) -> Cell| Column {
        name: name.to_owned(),
        about,
        more_is_better,
        cells: rows.iter().map(cell).collect(),
    };
    let about = "Share of the test cases that was decided rightly";
    let mut columns = vec![column("accuracy", about, Some(true), &|row| Cell::Spread(row.accuracy))];
    for (at, group) in comparison.groups.iter().enumerate() {
        let accuracy = |row: &Row| Cell::Spread(row.by_group.get(at).copied().flatten());
        columns.push(column(group, "Accuracy on the cases of this group", Some(true), &accuracy));
    }
    if !comparison.groups.is_empty() {
        let about = "Smallest accuracy of a group, split by split";
        columns.push(column("worst group", about, Some(true), &|row| Cell::Spread(row.worst_group)));
        let about = "Largest minus smallest accuracy of a group, split by split";
        columns.push(column("disparity", about, Some(false), &|row| Cell::Spread(row.disparity)));
    }
    let about = "Human labels used for a case";
    columns.push(column("labels per case", about, Some(false), &|row| Cell::Number(row.labels_per_case)));
    if comparison.priced {
        let about = "Price of the human labels used for a case";
        columns.push(column("cost per case", about, Some(false), &|row| Cell::Number(row.cost_per_case)));
    }
    let about = "Share of the cases for which nobody was asked";
    columns.push(column("model alone", about, None, &|row| Cell::Number(row.alone)));
    columns
}

fn table(comparison: &Comparison, rows: &[Row]) -> String {
    let columns = columns(comparison, rows);
    let best: Vec<Option<f64>> = columns.iter().map(Column::best).collect();
    let mut html = "<section>\n<h2>Comparison</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" \
                    aria-label=\"Comparison of the methods\">\n<table>\n<thead><tr><th scope=\"col\">method</th>"
        .to_owned();
    for column in &columns {
        let _ = write!(html, "<th scope=\"col\" title=\"{}\">{}</th>", escape(column.about), escape(&column.name));
    }
    html += "</tr></thead>\n<tbody>\n";
    for (at, row) in rows.iter().enumerate() {
        let name = escape(&row.method).replace(':', ":<wbr>").replace(',', ",<wbr>");
        let _ = write!(html, "<tr><th scope=\"row\"><small>{}</small> {name}</th>", at + 1);
        for (column, best) in columns.iter().zip(&best) {
            let cell = column.cells[at];
            html += &cell.html(best.is_some() && cell.key() == *best);
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n</div>\n" + &legend(comparison) + "</section>\n"
}

/// How to read the table.
fn legend(comparison: &Comparison) -> String {
    let (repetitions, folds) = comparison.repetitions;
    let splits = repetitions * folds;
    let mut text = match splits {
        0 | 1 => "One split into training and test cases, so no spread is known.".to_owned(),
        _ => format!(
            "Means over {splits} splits ({repetitions} × {folds}); in brackets the population standard deviation, as papers print it; below it the standard error of the mean (se) and the number of splits (n) behind it. Splits share cases, so a standard error is rather too small."
        ),
    };
    text += " Marked: the best of a column. “–”: not defined, for want of a case to measure it on.";
    if shortens(&comparison.methods) {
        text += " Long names are cut in the figures; the number in square brackets is the row of this table.";
    }
    format!("<p class=\"note\">{text}</p>\n")
}

fn drawing(number: usize, figure: &Figure) -> String {
    let many = if figure.panels.len() > 1 { " class=\"wide\"" } else { "" };
    let mut html = format!("<figure id=\"{}\"{many}>\n<h3>Figure {number}. {}</h3>\n", figure.id, escape(figure.title));
    html += "<div class=\"panels\">\n";
    for panel in &figure.panels {
        html += "<div>";
        if !panel.heading.is_empty() {
            let _ = write!(html, "<h4>{}</h4>", escape(&panel.heading));
        }
        html += &panel.svg;
        html += "</div>\n";
    }
    html += "</div>\n<figcaption>";
    for sentence in &figure.caption {
        let _ = write!(html, "<p>{}</p>", escape(sentence));
    }
    html + "</figcaption>\n</figure>\n"
}

/// Notes, methods, data and parameters.
fn background(comparison: &Comparison, about: &[(String, String)]) -> String {
    let mut html = String::new();
    if !comparison.notes.is_empty() {
        html += "<section>\n<h2>Notes</h2>\n<ul>\n";
        for note in &comparison.notes {
            let _ = writeln!(html, "<li>{}</li>", escape(note));
        }
        html += "</ul>\n</section>\n";
    }
    html += &list("Methods", &methods(comparison));
    html += &list("Data", &data(comparison));
    if !about.is_empty() {
        html += &list("Run", about);
    }
    html
}

pub(crate) fn list(title: &str, entries: &[(String, String)]) -> String {
    let mut html = format!("<section>\n<h2>{title}</h2>\n<dl>\n");
    for (name, value) in entries {
        let _ = writeln!(html, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
    }
    html + "</dl>\n</section>\n"
}

/// What each kind of method is, once.
fn methods(comparison: &Comparison) -> Vec<(String, String)> {
    let mut entries: Vec<(String, String)> = Vec::new();
    for method in &comparison.methods {
        let name = base(method);
        if entries.iter().any(|(known, _)| known == name) {
            continue;
        }
        let about = METHODS.iter().find(|known| known.name == name).map_or_else(
            || "a method of its own".to_owned(),
            |known| match known.source {
                "-" => known.about.to_owned(),
                source => format!("{} ({source})", known.about),
            },
        );
        entries.push((name.to_owned(), about));
    }
    entries
}

fn data(comparison: &Comparison) -> Vec<(String, String)> {
    let (cases, unlabelled) = comparison.cases;
    let (repetitions, folds) = comparison.repetitions;
    let per_case = comparison.decisions as f64 / cases.max(1) as f64;
    let entry = |name: &str, value: String| (name.to_owned(), value);
    let mut entries = vec![
        entry(
            "cases",
            match unlabelled {
                0 => format!("{cases}, all with a gold label"),
                _ => format!("{cases} with a gold label; {unlabelled} without one were left out"),
            },
        ),
        entry("experts", comparison.experts.len().to_string()),
        entry("decisions", format!("{}, {per_case:.1} a case", comparison.decisions)),
        entry("labels", comparison.labels.join(", ")),
    ];
    if let Some(group) = &comparison.group {
        entries.push(entry("groups", format!("{group}: {}", comparison.groups.join(", "))));
    }
    entries.push(entry("repetitions", format!("{repetitions}, each of {folds} training and test splits")));
    entries.push(entry("seed", comparison.seed.to_string()));
    entries
}

#[cfg(test)]
mod tests {
    use deferral_core::Label;

    use super::*;
    use crate::{Decided, ExpertRecord, Record, Tally};

    const NASTY: &str = "<script>&\"'$x$\u{0}";

    /// Two splits of twenty cases. Method `i` is wrong on every `i + 3`rd case and asks the first `i` experts.
    fn comparison(methods: &[&str], groups: &[&str], experts: &[&str]) -> Comparison {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
        let splits = (0..2).flat_map(|fold| (0..methods.len()).map(move |method| (method, fold)));
        Comparison {
            methods: owned(methods),
            group: (!groups.is_empty()).then(|| "group".to_owned()),
            groups: owned(groups),
            labels: owned(&["no", "yes"]),
            experts: owned(experts),
            cases: (40, 3),
            decisions: 40 * experts.len(),
            priced: false,
            repetitions: (1, 2),
            same_cases: false,
            seed: 7,
            notes: vec!["a note".to_owned()],
            records: splits.map(|(method, fold)| record(method, fold, groups.len(), experts.len())).collect(),
        }
    }

    fn record(method: usize, fold: usize, groups: usize, experts: usize) -> Record {
        let decided = (0..20).map(|case| Decided {
            case: (20 * fold + case) as u32,
            group: None,
            cost: 0.0,
            truth: Label(0),
            label: Label(u16::from(case % (method + 3) == 0)),
            confidence: 0.5 + case as f64 / 40.0,
            labels_used: method as u32,
        });
        let decided: Vec<Decided> = decided.collect();
        let tally = |cases: &mut dyn Iterator<Item = &Decided>| {
            cases.fold(Tally::default(), |t, c| Tally { n: t.n + 1, right: t.right + usize::from(c.label == c.truth) })
        };
        let of_group = |g: usize| tally(&mut decided.iter().filter(|case| case.case as usize % groups == g));
        Record {
            method,
            repetition: 0,
            fold,
            all: tally(&mut decided.iter()),
            by_group: (0..groups).map(of_group).collect(),
            labels_used: 20 * method,
            cost: 20.0 * method as f64,
            alone: if method == 0 { 20 } else { 0 },
            cells: crate::cells::Cells::default(),
            validation: None,
            rights: Vec::new(),
            load: (0..experts).map(|expert| if expert < method { 20 } else { 0 }).collect(),
            experts: (0..=experts)
                .map(|e| ExpertRecord {
                    weight: 0.3 + 0.1 * (e * method) as f64,
                    weight_sd: 0.05,
                    answered: if e < experts { 20 } else { 0 },
                    right: 8 + e,
                })
                .collect(),
            decided,
        }
    }

    fn page(comparison: &Comparison) -> String {
        html(comparison, "title", &[("seed".to_owned(), "7".to_owned())]).unwrap()
    }

    #[test]
    fn the_whole_report_is_there() {
        let page = page(&comparison(&["classifier", "majority", "joint"], &["a", "b"], &["ann", "ben", "eve"]));
        for figure in ["groups", "budget", "coverage", "reliability", "load", "weights"] {
            assert!(page.contains(&format!("<figure id=\"figure-{figure}\"")), "{figure}");
        }
        // Joint and majority tell experts apart, and only they do.
        assert_eq!(page.matches("<svg").count(), 5 + 2);
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        assert!(!page.contains("There is nothing to show"));
        for part in ["a note", "majority vote of the labels", "3 without one", "<dt>seed</dt><dd>7</dd>"] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn the_summary_gives_the_rival_and_says_when_a_baseline_wins() {
        let names = ["classifier", "majority", "joint"];
        let learned = comparison(&names, &[], &["ann"]);
        let text = summary(&learned, &learned.rows());
        assert!(
            text.starts_with("<strong>joint</strong> reaches an accuracy of .800 (.000) with 2.00 human labels"),
            "{text}"
        );
        assert!(
            text.contains("<strong>majority</strong> reaches an accuracy of .750 (.000) with 1 human label"),
            "{text}"
        );
        assert!(text.ends_with(".050 less (standard error .000 over 2 splits)."), "{text}");
        let simple = comparison(&["classifier", "joint", "majority"], &[], &["ann"]);
        let text = summary(&simple, &simple.rows());
        assert!(
            text.starts_with("No learned method does best: the simple baseline <strong>majority</strong>"),
            "{text}"
        );
        let alone = comparison(&["majority"], &[], &[]);
        let text = summary(&alone, &alone.rows());
        assert!(text.ends_with("without any human label."), "{text}");
    }

    #[test]
    fn a_small_difference_is_called_chance() {
        let mut comparison = comparison(&["majority", "joint"], &[], &["ann"]);
        comparison.records[2].all = Tally { n: 20, right: 19 };
        let text = summary(&comparison, &comparison.rows());
        assert!(text.contains("may well be chance"), "{text}");
        comparison.records.truncate(2);
        let text = summary(&comparison, &comparison.rows());
        assert!(text.contains("cannot tell chance from skill"), "{text}");
    }

    #[test]
    fn names_are_escaped_everywhere() {
        let nasty = comparison(&[NASTY, "joint"], &[NASTY, "b"], &[NASTY, "ben"]);
        let page = html(&nasty, NASTY, &[(NASTY.to_owned(), NASTY.to_owned())]).unwrap();
        assert!(!page.contains("<script") && !page.contains('\u{0}'));
        // In the title, the heading, a table head and a row, the axis and the legend of the first figure, and more.
        assert!(page.matches("&lt;script&gt;&amp;&quot;").count() > 8);
        assert!(page.matches("$x$").count() > 8, "a dollar stays a dollar in drawings");
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let page =
            page(&comparison(&["majority", "joint"], &["a"], &["ann"])).replace("http://www.w3.org/2000/svg", "");
        for forbidden in ["http:", "https:", "src=", "href=", "@import", "<script", "<link", "<object", "<iframe"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        let urls = page.matches("url(").count();
        assert_eq!(urls, page.matches("url(#clip-").count());
    }

    #[test]
    fn the_same_comparison_gives_the_same_bytes() {
        let comparison = comparison(&["classifier", "majority", "joint"], &["a", "b"], &["ann", "ben"]);
        assert_eq!(page(&comparison), page(&comparison));
    }

    #[test]
    fn identifiers_are_unique() {
        let page = page(&comparison(&["classifier", "majority", "joint"], &["a", "b"], &["ann", "ben"]));
        let mut ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), all > 8), (all, true));
    }

    #[test]
    fn whatever_is_missing_is_said() {
        let says = |comparison: &Comparison| page(comparison).matches("There is nothing to show").count();
        assert_eq!(says(&comparison(&["joint"], &[], &[])), 2, "no experts: no load, no weights");
        assert_eq!(says(&comparison(&[], &["a"], &["ann"])), 6, "no methods");
        let mut empty = comparison(&["majority", "joint"], &["a", "nobody"], &["ann", "ben"]);
        for record in &mut empty.records {
            record.by_group[1] = Tally::default();
        }
        let page = page(&empty);
        assert!(page.contains("title=\"no case to measure it on\">–</td>"));
        assert!(!page.contains("NaN") && !page.contains("inf\""));
        empty.records.clear();
        assert_eq!(says(&empty), 6, "no records");
    }

    #[test]
    fn without_groups_there_are_no_columns_for_them() {
        let page = page(&comparison(&["majority", "joint"], &[], &["ann"]));
        assert!(!page.contains("worst group") && !page.contains("disparity") && !page.contains("by group"));
    }

    #[test]
    fn the_best_of_a_column_is_marked() {
        let one = page(&comparison(&["joint"], &["a", "b"], &["ann"]));
        assert!(!one.contains("class=\"best\""), "one method beats nobody");
        let two = page(&comparison(&["classifier", "joint"], &[], &["ann"]));
        assert!(two.contains("<td class=\"best\"><strong>.750 (.000)</strong>"));
        assert!(two.contains("<td class=\"best\"><strong>0.00</strong></td>"), "fewest labels");
        assert_eq!(two.matches("class=\"best\"").count(), 2, "deciding alone is neither good nor bad");
    }

    #[test]
    fn prices_are_shown_where_there_are_some() {
        let mut comparison = comparison(&["classifier", "joint"], &[], &["ann"]);
        assert!(!page(&comparison).contains("cost per case"));
        comparison.priced = true;
        assert!(page(&comparison).contains("cost per case"));
    }

    #[test]
    fn numbers_look_as_in_the_papers() {
        let three = Spread::of(&[0.8, 0.85, 0.9]).unwrap();
        assert_eq!(spread(&three), ".850 (.041)");
        assert_eq!(spread(&Spread::of(&[1.0]).unwrap()), "1.000");
    }

    #[test]
    fn many_long_names_and_many_groups_can_be_drawn() {
        let methods: Vec<String> = (0..30).map(|i| format!("joint:k={i},steps=1000,hidden=128-32")).collect();
        let groups: Vec<String> = (0..19).map(|i| format!("a rather long name of group {i}")).collect();
        let names = |names: &'_ [String]| names.iter().map(|name| name.clone().leak() as &str).collect::<Vec<&str>>();
        let page = page(&comparison(&names(&methods), &names(&groups), &["ann", "ben"]));
        assert!(page.contains("Only the 8 largest of the 19 groups are shown."));
        assert!(page.contains("Not shown, for being equal") && page.contains("number in square brackets"));
        assert!(page.contains("joint:k=29,steps… [30]"));
    }
}
