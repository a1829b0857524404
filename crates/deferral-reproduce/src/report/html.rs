//! A page as HTML that needs no other file but the pages it leads to: no script, nothing loaded, drawings within.

use deferral_eval::{escape, page};

use super::document::{Block, Cell, Figure, Page, Row, Span, Table, Tone, spans};

const STYLE: &str = include_str!("report.css");
/// Longer texts in a table are not kept on one line.
const ONE_LINE: usize = 30;

/// The page.
pub(super) fn html(of: &Page) -> String {
    let mut body = String::new();
    if !of.links.is_empty() {
        let link = |(text, name): &(String, String)| format!("<a href=\"{}.html\">{}</a>", escape(name), inline(text));
        let links: Vec<String> = of.links.iter().map(link).collect();
        body += &format!("<nav>{}</nav>\n", links.join(" "));
    }
    // Figures in a row share the width of the page.
    for parts in of.blocks.chunk_by(|one, next| is_figure(one) && is_figure(next)) {
        let written: String = parts.iter().map(block).collect();
        body += &if parts.len() > 1 { format!("<div class=\"figures\">\n{written}</div>\n") } else { written };
    }
    // Titles are escaped, so that the first end of a style is that of the common one.
    page(&of.title, &body).replacen("</style>", &format!("{STYLE}</style>"), 1)
}

fn is_figure(part: &Block) -> bool {
    matches!(part, Block::Figure(_))
}

fn block(part: &Block) -> String {
    match part {
        Block::Heading(text) => format!("<h2>{}</h2>\n", inline(text)),
        Block::Subheading(text) => format!("<h3>{}</h3>\n", inline(text)),
        Block::Lead(text) => format!("<p class=\"summary\">{}</p>\n", inline(text)),
        Block::Warning(text) => format!("<p class=\"warning\">{}</p>\n", inline(text)),
        Block::Text(text) => format!("<p class=\"text\">{}</p>\n", inline(text)),
        Block::Note(text) => format!("<p class=\"note\">{}</p>\n", inline(text)),
        Block::Items(items) => {
            let items: Vec<String> = items.iter().map(|item| format!("<li>{}</li>\n", inline(item))).collect();
            format!("<ul>\n{}</ul>\n", items.concat())
        }
        Block::Facts(facts) => {
            let fact =
                |(name, value): &(String, String)| format!("<dt>{}</dt><dd>{}</dd>\n", inline(name), inline(value));
            format!("<dl>\n{}</dl>\n", facts.iter().map(fact).collect::<String>())
        }
        Block::Table(table) => table_html(table),
        Block::Figure(figure) => figure_html(figure),
    }
}

/// Text with its marks.
fn inline(text: &str) -> String {
    let piece = |span: &Span<'_>| match span {
        Span::Plain(text) => escape(text),
        Span::Code(text) => format!("<code>{}</code>", escape(text)),
        Span::Strong(text) => format!("<strong>{}</strong>", escape(text)),
        Span::Emphasis(text) => format!("<em>{}</em>", escape(text)),
    };
    spans(text).iter().map(piece).collect()
}

fn table_html(table: &Table) -> String {
    let (about, begins) = (escape(&table.about), begins(table));
    let mut html = format!("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{about}\">\n<table>\n");
    html += "<thead>\n";
    let first = table.head.first().map_or_else(String::new, |name| inline(name));
    if table.groups.is_empty() {
        let rest = table.head.iter().skip(1).map(|name| format!("<th scope=\"col\">{}</th>", inline(name)));
        html += &format!("<tr><th scope=\"col\">{first}</th>{}</tr>\n", rest.collect::<String>());
    } else {
        let group = |(name, columns): &(String, usize)| {
            format!("<th class=\"group\" scope=\"colgroup\" colspan=\"{columns}\">{}</th>", inline(name))
        };
        let groups: String = table.groups.iter().map(group).collect();
        html += &format!("<tr><th scope=\"col\" rowspan=\"2\">{first}</th>{groups}</tr>\n");
        let name = |(at, name): (usize, &String)| {
            format!("<th scope=\"col\"{}>{}</th>", class(&[begin(&begins, at)]), inline(name))
        };
        let names: String = table.head.iter().enumerate().skip(1).map(name).collect();
        html += &format!("<tr class=\"second\">{names}</tr>\n");
    }
    html += "</thead>\n<tbody>\n";
    html += &table.rows.iter().map(|row| row_html(row, &begins)).collect::<String>();
    html + "</tbody>\n</table>\n</div>\n"
}

/// The columns that a group begins with.
fn begins(table: &Table) -> Vec<usize> {
    let mut at = 1;
    let begin = |(_, columns): &(String, usize)| {
        at += columns;
        at - columns
    };
    table.groups.iter().map(begin).collect()
}

fn begin(begins: &[usize], at: usize) -> &'static str {
    if begins.contains(&at) { "begin" } else { "" }
}

/// Long texts may have several lines, numbers may not.
fn words(cell: &Cell) -> &'static str {
    if cell.text.chars().count() > ONE_LINE { "words" } else { "" }
}

fn row_html(row: &Row, begins: &[usize]) -> String {
    let mut html = format!("<tr{}>", if row.below { " class=\"below\"" } else { "" });
    for (at, cell) in row.cells.iter().enumerate() {
        let content = content(cell);
        html += &match at {
            0 => format!("<th scope=\"row\"{}>{content}</th>", class(&[tone(cell.tone)])),
            _ => format!("<td{}>{content}</td>", class(&[tone(cell.tone), begin(begins, at), words(cell)])),
        };
    }
    html + "</tr>\n"
}

fn content(cell: &Cell) -> String {
    let text = inline(&cell.text);
    let text = if cell.tone == Tone::Strong { format!("<strong>{text}</strong>") } else { text };
    let text = match &cell.link {
        Some(name) => format!("<a href=\"{}.html\">{text}</a>", escape(name)),
        None => text,
    };
    if cell.small.is_empty() { text } else { format!("{text}<small>{}</small>", inline(&cell.small)) }
}

fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Faint => "none",
        Tone::Strong => "best",
        Tone::Good => "good",
        Tone::Bad => "bad",
    }
}

fn class(names: &[&str]) -> String {
    let names: Vec<&str> = names.iter().copied().filter(|name| !name.is_empty()).collect();
    if names.is_empty() { String::new() } else { format!(" class=\"{}\"", names.join(" ")) }
}

fn figure_html(figure: &Figure) -> String {
    let wide = class(&[if figure.panels.len() > 1 { "wide" } else { "" }]);
    let mut html = format!("<figure{wide}>\n<h3>{}</h3>\n", inline(&figure.title));
    if !figure.panels.is_empty() {
        html += "<div class=\"panels\">\n";
        for panel in &figure.panels {
            html += &format!("<div id=\"{}\">", escape(&panel.name));
            if !panel.heading.is_empty() {
                html += &format!("<h4>{}</h4>", inline(&panel.heading));
            }
            html += &format!("{}</div>\n", panel.svg);
        }
        html += "</div>\n";
    }
    let caption: Vec<String> = figure.caption.iter().map(|text| format!("<p>{}</p>\n", inline(text))).collect();
    format!("{html}<figcaption>\n{}</figcaption>\n</figure>\n", caption.concat())
}
