//! What a page says, apart from how it is written down.
//!
//! Texts may hold the marks `` `code` ``, `**strong**` and `*emphasis*`; everything else in them stands as it is.

/// A page.
pub(super) struct Page {
    /// The name of its file, without the ending.
    pub(super) name: String,
    pub(super) title: String,
    /// Pages to go to from here: what is shown, and the name of the page.
    pub(super) links: Vec<(String, String)>,
    pub(super) blocks: Vec<Block>,
}

/// A part of a page.
pub(super) enum Block {
    Heading(String),
    Subheading(String),
    /// What matters most, in a sentence or two.
    Lead(String),
    /// What the reader must not overlook.
    Warning(String),
    Text(String),
    /// Small print.
    Note(String),
    Items(Vec<String>),
    Facts(Vec<(String, String)>),
    Table(Table),
    Figure(Figure),
}

/// A table. The first column holds names.
#[derive(Default)]
pub(super) struct Table {
    /// What it is about, for those who cannot see it.
    pub(super) about: String,
    /// Headings above `head` and how many columns they span, without the first column; none if there are none.
    pub(super) groups: Vec<(String, usize)>,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// A row of a table, a cell a column.
pub(super) struct Row {
    /// Whether it belongs to the row above it.
    pub(super) below: bool,
    pub(super) cells: Vec<Cell>,
}

/// A cell of a table.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) text: String,
    /// Said below it in small letters.
    pub(super) small: String,
    /// The name of the page that it leads to.
    pub(super) link: Option<String>,
    pub(super) tone: Tone,
}

/// How a cell looks. No tone says what its words do not say too.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Tone {
    #[default]
    Plain,
    Faint,
    Strong,
    Good,
    Bad,
}

/// Drawings with what is seen on them.
pub(super) struct Figure {
    pub(super) title: String,
    /// None if there is nothing to draw; the caption then says why.
    pub(super) panels: Vec<Panel>,
    /// Paragraphs.
    pub(super) caption: Vec<String>,
}

/// A drawing.
pub(super) struct Panel {
    /// The name of its file, without the ending, and its identifier on the page.
    pub(super) name: String,
    /// Its heading, which may be empty.
    pub(super) heading: String,
    pub(super) svg: String,
}

impl Page {
    /// All drawings, in order.
    pub(super) fn panels(&self) -> impl Iterator<Item = &Panel> {
        let figures = self.blocks.iter().filter_map(|block| match block {
            Block::Figure(figure) => Some(figure),
            _ => None,
        });
        figures.flat_map(|figure| &figure.panels)
    }
}

impl Row {
    pub(super) fn of(cells: Vec<Cell>) -> Self {
        Self { below: false, cells }
    }
}

impl Cell {
    pub(super) fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub(super) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone, ..Self::default() }
    }

    pub(super) fn with_small(self, small: impl Into<String>) -> Self {
        Self { small: small.into(), ..self }
    }
}

/// The paragraphs of a text, as blocks; those that begin with a dash are lists.
pub(super) fn paragraphs(text: &str) -> Vec<Block> {
    let text = text.replace("\r\n", "\n");
    let parts = text.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
    let block = |part: &str| match part.strip_prefix("- ") {
        Some(items) => Block::Items(items.split("\n- ").map(one_line).collect()),
        None => Block::Text(one_line(part)),
    };
    parts.map(block).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

/// A name as code, if that is possible.
pub(super) fn code(name: &str) -> String {
    if name.is_empty() || name.contains('`') { name.to_owned() } else { format!("`{name}`") }
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span<'a> {
    Plain(&'a str),
    Code(&'a str),
    Strong(&'a str),
    Emphasis(&'a str),
}

/// The pieces of a text. A mark without its second half, or with a blank inside of it, is no mark.
pub(super) fn spans(text: &str) -> Vec<Span<'_>> {
    let (mut spans, mut plain, mut at) = (Vec::new(), 0, 0);
    while at < text.len() {
        let here = &text[at..];
        let found = ["`", "**", "*"].into_iter().find_map(|mark| {
            let inner = here.strip_prefix(mark)?;
            let inner = &inner[..inner.find(mark)?];
            (!inner.is_empty() && inner.trim() == inner).then(|| (marked(mark, inner), inner.len() + 2 * mark.len()))
        });
        if let Some((span, length)) = found {
            if plain < at {
                spans.push(Span::Plain(&text[plain..at]));
            }
            spans.push(span);
            at += length;
            plain = at;
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    if plain < text.len() {
        spans.push(Span::Plain(&text[plain..]));
    }
    spans
}

fn marked<'a>(mark: &str, inner: &'a str) -> Span<'a> {
    match mark {
        "`" => Span::Code(inner),
        "**" => Span::Strong(inner),
        _ => Span::Emphasis(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_and_lone_ones_are_not() {
        use Span::{Code, Emphasis, Plain, Strong};
        assert_eq!(
            spans("a `b*c*` **d** *e* é"),
            [Plain("a "), Code("b*c*"), Plain(" "), Strong("d"), Plain(" "), Emphasis("e"), Plain(" é")]
        );
        for lone in ["2 * 3 * 4", "`", "a**", "**", "", "x ` y"] {
            assert!(spans(lone).iter().all(|span| matches!(span, Plain(_))), "{lone}");
            let whole: String = spans(lone).iter().map(|span| if let Plain(text) = span { text } else { "" }).collect();
            assert_eq!(whole, lone);
        }
    }

    #[test]
    fn paragraphs_and_lists_are_told_apart() {
        let blocks = paragraphs("one\ntwo\n\n- three\n  four\n- five\n\n\n");
        assert_eq!(blocks.len(), 2);
        assert!(matches!(&blocks[0], Block::Text(text) if text == "one two"));
        assert!(matches!(&blocks[1], Block::Items(items) if *items == ["three four", "five"]));
    }
}
