//! Lists in one cell: items separated by `;`, or a JSON array where that would be ambiguous.

use serde_json::Value;

/// The items of a cell: of a JSON array, else what stands between `;`. An empty cell is an empty list. `None` if it
/// begins as an array but is not one of scalars.
pub(crate) fn items(cell: &str) -> Option<Vec<String>> {
    let cell = cell.trim();
    if cell.is_empty() {
        return Some(Vec::new());
    }
    if cell.starts_with('[') {
        return serde_json::from_str::<Vec<Value>>(cell).ok()?.into_iter().map(item).collect();
    }
    Some(cell.split(';').map(|item| item.trim().to_owned()).collect())
}

fn item(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Appends the numbers of a cell, a JSON array or numbers separated by `;`, `,` or white space; the one that is not a
/// number is the error.
pub(crate) fn push_numbers(cell: &str, numbers: &mut Vec<f64>) -> Result<(), String> {
    let cell = cell.trim();
    let inside = cell.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(cell);
    for piece in inside.split([';', ',', ' ', '\t', '\n', '\r']).filter(|piece| !piece.is_empty()) {
        numbers.push(piece.parse().map_err(|_| piece.to_owned())?);
    }
    Ok(())
}

/// The cell of `items`, readable by [`items`].
pub(crate) fn join(items: &[String]) -> String {
    let plain =
        |item: &String| !item.is_empty() && !item.contains(';') && !item.starts_with('[') && item.trim() == item;
    if items.iter().all(plain) {
        return items.join(";");
    }
    Value::from(items).to_string()
}

/// The cell of numbers, readable by [`push_numbers`]: the shortest decimals that give the same bits.
pub(crate) fn join_numbers(numbers: &[f64]) -> String {
    numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_list_survives(list: Vec<String>, numbers in prop::collection::vec(prop::num::f64::NORMAL, 0..5)) {
            prop_assert_eq!(items(&join(&list)), Some(list));
            let mut back = Vec::new();
            push_numbers(&join_numbers(&numbers), &mut back).unwrap();
            prop_assert_eq!(back, numbers);
        }
    }

    #[test]
    fn lists_are_read_in_every_form() {
        for cell in ["[1, 2.5,-3]", "1;2.5;-3", " 1 2.5  -3 ", "1, 2.5, -3", "[1 2.5\n -3]"] {
            let mut numbers = Vec::new();
            push_numbers(cell, &mut numbers).unwrap();
            assert_eq!(numbers, [1.0, 2.5, -3.0], "{cell}");
        }
        assert_eq!(push_numbers("1;x", &mut Vec::new()), Err("x".to_owned()));
        assert_eq!(items("[1,\"a;b\"]"), Some(vec!["1".to_owned(), "a;b".to_owned()]));
        assert_eq!(items("[[1]]"), None);
        assert_eq!(items("[1"), None);
    }
}
