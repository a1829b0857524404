//! How a table is to be read.

use serde::{Deserialize, Serialize};

use super::format::Format;
use super::roles::Role;

/// How a table is to be read. The default reads a long table by its extension with the usual column names.
///
/// A cell that is empty or only white space is always missing. White space around a cell is dropped, except in text.
///
/// ```
/// use deferral_data::{ReadOptions, Role};
/// let options = ReadOptions::default().column(Role::Text, "Tweet").column(Role::Group, "Dialect").wide("Expert *", ["-"]);
/// assert_eq!(options.columns.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReadOptions {
    /// Which column has which role, where it is not called by one of the [aliases](Role::aliases). An entry matters
    /// only to a table that uses its role.
    pub columns: Vec<(Role, String)>,
    /// One column an expert instead of one row a decision. Default: not wide.
    pub wide: Option<Wide>,
    /// The format. Default: what the extension says.
    pub format: Option<Format>,
    /// Markers that stand for a missing value in any column but text, beside the empty cell. Default: none.
    pub missing: Vec<String>,
    /// Which columns are numeric features, beside those with the role `feature`. Default: none.
    pub features: FeatureColumns,
    /// Labels to rename while reading, (from, to), all at once: `0=1, 1=0` swaps them. Of two entries with the same
    /// `from` the first counts. Default: none.
    pub label_map: Vec<(String, String)>,
}

/// A wide table: one column an expert.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wide {
    /// Which columns are experts: a name in which each `*` stands for anything, such as `Expert *`. Columns with
    /// another role (task, label, text, group, split, or one given in [`ReadOptions::columns`]) never are.
    pub pattern: String,
    /// Markers of a missing label in these columns, beside the empty cell. Default: none.
    pub missing: Vec<String>,
}

/// Which columns are numeric features.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureColumns {
    /// Only those with the role `feature`.
    #[default]
    None,
    /// Every column that has a name and no other use. An unnamed first column is a row index, not a feature.
    All,
    /// These, in this order.
    Named(Vec<String>),
}

impl ReadOptions {
    /// The same with one more column named for a role.
    #[must_use]
    pub fn column(mut self, role: Role, name: &str) -> Self {
        self.columns.push((role, name.to_owned()));
        self
    }

    /// The same for a wide table.
    #[must_use]
    pub fn wide<'a>(mut self, pattern: &str, missing: impl IntoIterator<Item = &'a str>) -> Self {
        let missing = missing.into_iter().map(str::to_owned).collect();
        self.wide = Some(Wide { pattern: pattern.to_owned(), missing });
        self
    }
}

/// Whether `name` matches `pattern`, in which each `*` stands for any number of characters.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let Some((prefix, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(prefix) else { return false };
    let (middle, suffix) = rest.rsplit_once('*').unwrap_or(("", rest));
    // The leftmost place for each piece leaves most room for the next one.
    for piece in middle.split('*') {
        match name.find(piece) {
            Some(at) => name = &name[at + piece.len()..],
            None => return false,
        }
    }
    name.ends_with(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, expected) in [
            ("Expert *", "Expert 12", true),
            ("Expert *", "Expert ", true),
            ("Expert *", "An Expert 1", false),
            ("*", "", true),
            ("a*b", "ab", true),
            ("a*b", "a", false),
            ("ab*b", "ab", false),
            ("*_label", "w1_label", true),
            ("*_label", "w1_labels", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a**c", "abc", true),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
