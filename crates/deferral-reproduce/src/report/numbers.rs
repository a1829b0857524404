//! How numbers and names are written.

use crate::verdict::Cell;

/// Where there is no number.
pub(super) const NONE: &str = "–";

/// Longer names do not fit beside an axis.
const NAME_AT_MOST: usize = 22;

/// So many digits behind the point, without a leading zero.
pub(super) fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    // What is rounded to nothing has no sign.
    let text = if text.starts_with('-') && !text.contains(|c: char| ('1'..='9').contains(&c)) {
        text[1..].to_owned()
    } else {
        text
    };
    match text.strip_prefix("0.") {
        Some(rest) => format!(".{rest}"),
        None => text.replacen("-0.", "-.", 1),
    }
}

/// With its sign.
pub(super) fn signed(value: f64, digits: usize) -> String {
    let text = number(value, digits);
    if text.starts_with('-') { text } else { format!("+{text}") }
}

/// A number and, in brackets, its spread.
pub(super) fn with_spread(value: Option<f64>, spread: Option<f64>, digits: usize) -> String {
    match (value, spread) {
        (None, _) => NONE.to_owned(),
        (Some(value), None) => number(value, digits),
        (Some(value), Some(spread)) => format!("{} ({})", number(value, digits), number(spread, digits)),
    }
}

/// Digits of our numbers beside published ones with `published`: one more, and none for counts.
pub(super) fn own_digits(published: u32, count: bool, cell: &Cell) -> usize {
    let whole = cell.ours.is_none_or(|ours| ours.fract() == 0.0);
    if count && whole { 0 } else { (published.min(9) as usize + 1).max(3) }
}

/// `n thing` or `n things`.
pub(super) fn counted(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// `n` of `all` in percent, rounded down: 100 % are all of them.
pub(super) fn percent(n: usize, all: usize) -> String {
    (100 * n).checked_div(all).map_or_else(|| NONE.to_owned(), |share| format!("{share} %"))
}

/// Names that fit beside an axis: long ones end in their number, counted from 1.
pub(super) fn short_names(names: &[String]) -> Vec<String> {
    let shorten = |(at, name): (usize, &String)| {
        let number = format!("… [{}]", at + 1);
        let kept = NAME_AT_MOST.saturating_sub(number.chars().count());
        let name = name.replace(['`', '*'], "");
        if name.chars().count() <= NAME_AT_MOST { name } else { name.chars().take(kept).collect::<String>() + &number }
    };
    names.iter().enumerate().map(shorten).collect()
}

/// What shortened names stand for, if any is shortened.
pub(super) fn shortened(names: &[String]) -> Option<String> {
    let long = names.iter().zip(short_names(names)).enumerate().filter(|(_, (_, short))| short.ends_with(']'));
    let long: Vec<String> = long.map(|(at, (name, _))| format!("[{}] {name}", at + 1)).collect();
    (!long.is_empty()).then(|| format!("{}.", long.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_in_the_papers() {
        assert_eq!(
            [number(0.925, 3), number(1.0, 2), number(-0.25, 2), number(1471.0, 0)],
            [".925", "1.00", "-.25", "1471"]
        );
        assert_eq!([signed(-0.0001, 3), signed(0.02, 3), signed(-0.02, 3)], ["+.000", "+.020", "-.020"]);
        assert_eq!(with_spread(Some(0.9), Some(0.05), 2), ".90 (.05)");
        assert_eq!(
            [percent(199, 200), percent(1, 0), counted(1, "cell"), counted(0, "cell")],
            ["99 %", "–", "1 cell", "0 cells"]
        );
    }

    #[test]
    fn long_names_are_told_apart() {
        let names = ["short", "a name that is much longer", "a name that is much longest"].map(str::to_owned);
        assert_eq!(short_names(&names), ["short", "a name that is mu… [2]", "a name that is mu… [3]"]);
        assert!(shortened(&names).is_some_and(|text| text.contains("[3] a name that is much longest")));
        assert_eq!(shortened(&names[..1]), None);
    }
}
