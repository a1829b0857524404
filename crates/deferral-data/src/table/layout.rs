//! Which column plays which role in one open table.

use super::error::{Place, TableError};
use super::options::{FeatureColumns, ReadOptions, matches};
use super::roles::Role;
use super::source::Source;

/// The columns of a table, looked up by role: a name given in the options wins over the aliases.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout<'a> {
    source: &'a Source,
    options: &'a ReadOptions,
}

impl<'a> Layout<'a> {
    pub(crate) fn new(source: &'a Source, options: &'a ReadOptions) -> Self {
        Self { source, options }
    }

    /// The one column with `role`, if there is one.
    pub(crate) fn optional(&self, role: Role) -> Result<Option<usize>, TableError> {
        let mut given = self.given(role);
        if let Some(name) = given.next() {
            return match given.find(|other| *other != name) {
                None => self.named(name, role).map(Some),
                Some(second) => {
                    Err(TableError::RepeatedRole { role, first: name.to_owned(), second: second.to_owned() })
                }
            };
        }
        let mut candidates = role.aliases().iter().filter_map(|alias| self.find(alias));
        match (candidates.next(), candidates.next()) {
            (first, None) => Ok(first),
            (first, Some(second)) => Err(TableError::AmbiguousColumn {
                place: Place::file(self.source.path()).into(),
                role,
                first: first.map_or_else(String::new, |c| self.source.columns()[c].clone()),
                second: self.source.columns()[second].clone(),
            }),
        }
    }

    /// The one column with `role`.
    pub(crate) fn required(&self, role: Role) -> Result<usize, TableError> {
        self.optional(role)?.ok_or_else(|| TableError::MissingColumn {
            place: Place::file(self.source.path()).into(),
            role,
            accepted: match role.aliases() {
                [] => "nothing by itself".to_owned(),
                aliases => aliases.iter().map(|a| format!("`{a}`")).collect::<Vec<_>>().join(", "),
            },
            present: self.source.present(),
        })
    }

    /// Every column with `role`, in the order of the options.
    pub(crate) fn several(&self, role: Role) -> Result<Vec<usize>, TableError> {
        let given: Vec<usize> = self.given(role).map(|name| self.named(name, role)).collect::<Result<_, _>>()?;
        if given.is_empty() {
            return Ok(role.aliases().iter().filter_map(|alias| self.find(alias)).collect());
        }
        Ok(without_repetition(given))
    }

    /// The expert columns of a table of wide decisions, in file order.
    pub(crate) fn required_experts(&self) -> Result<Vec<usize>, TableError> {
        let experts = self.experts()?;
        if experts.is_empty() {
            return Err(TableError::NoExpertColumn {
                place: Place::file(self.source.path()).into(),
                pattern: self.options.wide.as_ref().map_or_else(String::new, |wide| wide.pattern.clone()),
                present: self.source.present(),
            });
        }
        Ok(experts)
    }

    /// The columns that match the pattern of experts and have no other role; none without a pattern.
    pub(crate) fn experts(&self) -> Result<Vec<usize>, TableError> {
        let Some(wide) = &self.options.wide else { return Ok(Vec::new()) };
        let mut taken: Vec<usize> = self.options.columns.iter().filter_map(|(_, name)| self.find(name)).collect();
        for role in [Role::Task, Role::Label, Role::Text, Role::Split] {
            taken.extend(self.optional(role)?);
        }
        taken.extend(self.several(Role::Group)?);
        let names = self.source.columns().iter().enumerate();
        let free =
            |column: &usize, name: &str| !name.is_empty() && !taken.contains(column) && matches(&wide.pattern, name);
        Ok(names.filter(|(column, name)| free(column, name)).map(|(column, _)| column).collect())
    }

    /// The columns of single features; `used` are those with another role.
    pub(crate) fn features(&self, used: &[usize]) -> Result<Vec<usize>, TableError> {
        let mut features = self.several(Role::Feature)?;
        match &self.options.features {
            FeatureColumns::None => {}
            FeatureColumns::Named(names) => {
                for name in names {
                    features.push(self.named(name, Role::Feature)?);
                }
            }
            FeatureColumns::All => {
                let names = self.source.columns().iter().enumerate();
                features.extend(names.filter(|(c, name)| !name.is_empty() && !used.contains(c)).map(|(c, _)| c));
            }
        }
        Ok(without_repetition(features))
    }

    /// The names of the columns that are not among `used`.
    pub(crate) fn unused(&self, used: &[usize]) -> Vec<String> {
        let columns = self.source.columns().iter().enumerate();
        columns.filter(|(column, _)| !used.contains(column)).map(|(_, name)| name.clone()).collect()
    }

    fn given(&self, role: Role) -> impl Iterator<Item = &'a str> + use<'a> {
        self.options.columns.iter().filter(move |(r, _)| *r == role).map(|(_, name)| name.trim())
    }

    fn named(&self, name: &str, role: Role) -> Result<usize, TableError> {
        self.find(name).ok_or_else(|| {
            let mut place = Place::file(self.source.path());
            place.column = Some(name.to_owned());
            TableError::UnknownColumn { place: place.into(), role, present: self.source.present() }
        })
    }

    /// The column called `name`. Without a name there is nothing to find.
    fn find(&self, name: &str) -> Option<usize> {
        let name = name.trim();
        self.source.columns().iter().position(|column| !name.is_empty() && column == name)
    }
}

fn without_repetition(columns: Vec<usize>) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::with_capacity(columns.len());
    for column in columns {
        if !kept.contains(&column) {
            kept.push(column);
        }
    }
    kept
}

/// What stands for a missing value.
#[derive(Debug, Clone)]
pub(crate) struct Missing(Vec<String>);

impl Missing {
    /// The empty cell and these markers.
    pub(crate) fn new<'a>(markers: impl IntoIterator<Item = &'a String>) -> Self {
        Self(markers.into_iter().map(|marker| marker.trim().to_owned()).collect())
    }

    /// The cell without white space around it; `None` if it is missing.
    pub(crate) fn cell<'a>(&self, raw: Option<&'a str>) -> Option<&'a str> {
        let cell = raw?.trim();
        (!cell.is_empty() && !self.0.iter().any(|marker| marker == cell)).then_some(cell)
    }
}
