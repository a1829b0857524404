//! What a column is for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::TableError;

/// What a column is for. [`Role::aliases`] lists the names that a reader takes without being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Role {
    /// The name of the case.
    Task,
    /// The name of the expert who decided.
    Worker,
    /// The label: the expert's in a table of decisions, the true one in a table of cases.
    Label,
    /// When the decision was made. Recognised, not kept.
    Timestamp,
    /// How long the decision took. Recognised, not kept.
    Seconds,
    /// How sure the expert was of their label: a probability.
    Confidence,
    /// The text of the case.
    Text,
    /// A group attribute; several columns may have this role.
    Group,
    /// A numeric feature; several columns may have this role.
    Feature,
    /// A list-valued feature: a JSON array, or numbers separated by `;`, `,` or spaces.
    List,
    /// Which part of a given division the case is in: train, validation or test.
    Split,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 11] = [
        Self::Task,
        Self::Worker,
        Self::Label,
        Self::Timestamp,
        Self::Seconds,
        Self::Confidence,
        Self::Text,
        Self::Group,
        Self::Feature,
        Self::List,
        Self::Split,
    ];

    /// The role's name, as in `--column ROLE=NAME`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Worker => "worker",
            Self::Label => "label",
            Self::Timestamp => "timestamp",
            Self::Seconds => "seconds",
            Self::Confidence => "confidence",
            Self::Text => "text",
            Self::Group => "group",
            Self::Feature => "feature",
            Self::List => "list",
            Self::Split => "split",
        }
    }

    /// The column names that have this role without being told, the usual one first.
    pub fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Task => &["task", "item_id", "item", "case"],
            Self::Worker => &["worker", "annotator_id", "annotator", "expert", "performer"],
            Self::Label => &["label"],
            Self::Timestamp => &["timestamp"],
            Self::Seconds => &["seconds"],
            Self::Confidence => &["confidence"],
            Self::Text => &["text"],
            Self::Group => &["group"],
            Self::Split => &["split"],
            Self::Feature | Self::List => &[],
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = TableError;

    fn from_str(text: &str) -> Result<Self, TableError> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| TableError::OptionSyntax {
            text: text.to_owned(),
            expected: "ROLE",
            reason: format!("the roles are {}", Self::ALL.map(Self::name).join(", ")),
        })
    }
}

/// Parses `ROLE=NAME`. The name may contain anything, also `=` and spaces.
///
/// # Errors
/// [`TableError::OptionSyntax`] says what is missing and which roles there are.
///
/// ```
/// use deferral_data::{Role, parse_column};
/// assert_eq!(parse_column("label=True Label")?, (Role::Label, "True Label".to_owned()));
/// # Ok::<(), deferral_data::TableError>(())
/// ```
pub fn parse_column(text: &str) -> Result<(Role, String), TableError> {
    const FORM: &str = "ROLE=NAME";
    let refused = |reason: String| TableError::OptionSyntax { text: text.to_owned(), expected: FORM, reason };
    let (role, name) = text.split_once('=').ok_or_else(|| refused("there is no `=`".to_owned()))?;
    let role = role.trim().parse::<Role>().map_err(|_| {
        refused(format!("there is no role `{}`; the roles are {}", role.trim(), Role::ALL.map(Role::name).join(", ")))
    })?;
    match name.trim() {
        "" => Err(refused("the name of the column is empty".to_owned())),
        name => Ok((role, name.to_owned())),
    }
}

/// Parses `FROM=TO`, one entry of a label map.
///
/// # Errors
/// [`TableError::OptionSyntax`] says what is missing.
///
/// ```
/// use deferral_data::parse_label_map;
/// assert_eq!(parse_label_map("0=offensive")?, ("0".to_owned(), "offensive".to_owned()));
/// # Ok::<(), deferral_data::TableError>(())
/// ```
pub fn parse_label_map(text: &str) -> Result<(String, String), TableError> {
    let refused = |reason: &str| TableError::OptionSyntax {
        text: text.to_owned(),
        expected: "FROM=TO",
        reason: reason.to_owned(),
    };
    let (from, to) = text.split_once('=').ok_or_else(|| refused("there is no `=`"))?;
    match (from.trim(), to.trim()) {
        ("", _) | (_, "") => Err(refused("a label is empty")),
        (from, to) => Ok((from.to_owned(), to.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_label_maps_are_parsed_or_explained() {
        assert_eq!(parse_column("group= a=b ").unwrap(), (Role::Group, "a=b".to_owned()));
        let message = |text: &str| parse_column(text).unwrap_err().to_string();
        assert_eq!(message("task"), "`task` is not of the form ROLE=NAME: there is no `=`");
        assert_eq!(message("task="), "`task=` is not of the form ROLE=NAME: the name of the column is empty");
        assert!(message("tsk=x").ends_with(
            "there is no role `tsk`; the roles are task, worker, label, timestamp, seconds, confidence, text, group, \
             feature, list, split"
        ));
        assert_eq!(parse_label_map("0").unwrap_err().to_string(), "`0` is not of the form FROM=TO: there is no `=`");
        assert_eq!(parse_label_map("=1").unwrap_err().to_string(), "`=1` is not of the form FROM=TO: a label is empty");
    }
}
