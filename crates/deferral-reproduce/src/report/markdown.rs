//! All pages as one text in Markdown; its drawings stand in files beside it.

use super::document::{Block, Cell, Figure, Page, Row, Span, Table, Tone, spans};

/// The folder of the drawings.
pub(super) const FIGURES: &str = "figures";

/// The text.
pub(super) fn markdown(pages: &[Page]) -> String {
    let mut text = String::new();
    for (at, page) in pages.iter().enumerate() {
        text += &format!("{} {}\n\n", if at == 0 { "#" } else { "##" }, inline(&page.title));
        for part in &page.blocks {
            text += &block(part, if at == 0 { "##" } else { "###" });
        }
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn block(part: &Block, level: &str) -> String {
    match part {
        Block::Heading(text) => format!("{level} {}\n\n", inline(text)),
        Block::Subheading(text) => format!("{level}# {}\n\n", inline(text)),
        Block::Warning(text) => format!("> {}\n\n", inline(text)),
        Block::Lead(text) | Block::Text(text) | Block::Note(text) => format!("{}\n\n", inline(text)),
        Block::Items(items) => {
            let items: Vec<String> = items.iter().map(|item| format!("- {}\n", inline(item))).collect();
            items.concat() + "\n"
        }
        Block::Facts(facts) => {
            let fact = |(name, value): &(String, String)| format!("- {}: {}\n", inline(name), inline(value));
            facts.iter().map(fact).collect::<String>() + "\n"
        }
        Block::Table(table) => table_markdown(table) + "\n",
        Block::Figure(figure) => figure_markdown(figure, level),
    }
}

/// Text with its marks; what else would be a mark stands as it is.
fn inline(text: &str) -> String {
    let piece = |span: &Span<'_>| match span {
        Span::Plain(text) => plain(text),
        Span::Code(text) => format!("`{}`", text.replace(char::is_control, "\u{FFFD}")),
        Span::Strong(text) => format!("**{}**", plain(text)),
        Span::Emphasis(text) => format!("*{}*", plain(text)),
    };
    spans(text).iter().map(piece).collect()
}

fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' => escaped.extend(['\\', character]),
            control if control.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            other => escaped.push(other),
        }
    }
    escaped
}

fn table_markdown(table: &Table) -> String {
    let groups = table.groups.iter().flat_map(|(name, columns)| std::iter::repeat_n(name, *columns));
    let mut head: Vec<String> = table.head.iter().map(|name| inline(name)).collect();
    for (name, group) in head.iter_mut().skip(1).zip(groups) {
        if !group.is_empty() {
            *name = format!("{}: {name}", inline(group));
        }
    }
    let rule: Vec<&str> = (0..head.len()).map(|at| if at == 0 { "---" } else { "---:" }).collect();
    let rows = table.rows.iter().map(|row| line(&row_markdown(row)));
    format!("{}|{}|\n{}", line(&head), rule.join("|"), rows.collect::<String>())
}

fn row_markdown(row: &Row) -> Vec<String> {
    let mut cells: Vec<String> = row.cells.iter().map(cell).collect();
    if let Some(name) = cells.first_mut().filter(|_| row.below) {
        *name = format!("↳ {name}");
    }
    cells
}

fn cell(cell: &Cell) -> String {
    let text = inline(&cell.text);
    let text = if cell.tone == Tone::Strong { format!("**{text}**") } else { text };
    let text = match &cell.link {
        Some(name) => format!("[{text}]({name}.html)"),
        None => text,
    };
    match (text.is_empty(), cell.small.is_empty()) {
        (_, true) => text,
        (true, _) => inline(&cell.small),
        _ => format!("{text}; {}", inline(&cell.small)),
    }
}

fn line(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn figure_markdown(figure: &Figure, level: &str) -> String {
    let mut text = format!("{level}# {}\n\n", inline(&figure.title));
    for panel in &figure.panels {
        let heading = if panel.heading.is_empty() { &figure.title } else { &panel.heading };
        text += &format!("![{}]({FIGURES}/{}.svg)\n\n", plain(heading), panel.name);
    }
    for paragraph in &figure.caption {
        text += &format!("{}\n\n", inline(paragraph));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_file_becomes_a_mark() {
        assert_eq!(inline("<b>_x_ `a<b|c` # 2 * 3"), "&lt;b&gt;\\_x\\_ `a<b|c` \\# 2 \\* 3");
        assert_eq!(line(&["a|b".to_owned()]), "| a\\|b |\n");
    }
}
