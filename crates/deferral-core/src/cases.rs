//! The cases, their labels and their groups.

use serde::{Deserialize, Serialize};

use crate::features::Features;
use crate::ids::{GroupId, Label};
use crate::names::Names;

/// n cases: features, names, labels where known, and any number of group attributes.
#[derive(Debug, Clone, PartialEq)]
pub struct Cases {
    ids: Names,
    features: Features,
    labels: Vec<Option<Label>>,
    groups: Vec<GroupAttribute>,
}

/// One group attribute of all cases, such as dialect: any number of values, each case has exactly one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupAttribute {
    /// What the attribute is called, such as `dialect`.
    pub name: String,
    /// The values, such as `AAE` and `other`: G names.
    pub values: Names,
    /// The value of each case, n of them, each below G.
    pub of_case: Vec<GroupId>,
}

/// Why cases were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CasesError {
    /// Two columns of the table do not have the same length.
    #[error("{what} has {found} entries, but there are {expected} cases")]
    Length {
        /// Which column.
        what: String,
        /// Its length.
        found: usize,
        /// Number of cases.
        expected: usize,
    },
    /// A group id names no value.
    #[error("attribute {attribute}: case {case} has group {group}, but there are only {values} values")]
    UnknownGroup {
        /// The attribute's name.
        attribute: String,
        /// Position of the case.
        case: usize,
        /// The id.
        group: u32,
        /// Number of values.
        values: usize,
    },
    /// No attribute has this name.
    #[error("there is no group attribute `{name}`; known: {known}")]
    UnknownAttribute {
        /// The name asked for.
        name: String,
        /// Those that exist.
        known: String,
    },
}

impl GroupAttribute {
    /// An attribute from one string a case, its values in order of first appearance.
    pub fn from_values<S: AsRef<str>>(name: &str, of_case: impl IntoIterator<Item = S>) -> Self {
        let mut values = Names::new();
        let of_case = of_case.into_iter().map(|v| GroupId::at(values.intern(v.as_ref()))).collect();
        Self { name: name.to_owned(), values, of_case }
    }

    /// Number of values, G.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no value (and so no case).
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Number of cases with each value.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.len()];
        for group in &self.of_case {
            counts[group.index()] += 1;
        }
        counts
    }

    /// The attribute of `cases`, in that order. All values stay known, also those without a case left.
    #[must_use]
    pub fn select(&self, cases: &[usize]) -> Self {
        Self {
            name: self.name.clone(),
            values: self.values.clone(),
            of_case: cases.iter().map(|&case| self.of_case[case]).collect(),
        }
    }

    /// The intersectional groups of several attributes: one value for each combination that occurs, named
    /// `a x b`, in order of first appearance. `None` if there is no attribute or they differ in length.
    ///
    /// ```
    /// use deferral_core::GroupAttribute;
    /// let dialect = GroupAttribute::from_values("dialect", ["AAE", "other", "AAE"]);
    /// let region = GroupAttribute::from_values("region", ["north", "north", "south"]);
    /// let both = GroupAttribute::cross(&[&dialect, &region]).unwrap();
    /// assert_eq!(both.name, "dialect x region");
    /// assert_eq!(both.values.iter().collect::<Vec<_>>(), ["AAE x north", "other x north", "AAE x south"]);
    /// ```
    pub fn cross(attributes: &[&Self]) -> Option<Self> {
        let n = attributes.first()?.of_case.len();
        if attributes.iter().any(|a| a.of_case.len() != n) {
            return None;
        }
        let name = attributes.iter().map(|a| a.name.as_str()).collect::<Vec<_>>().join(" x ");
        let combination = |case: usize| {
            let parts = attributes.iter().map(|a| a.values.show(a.of_case[case].index()));
            parts.collect::<Vec<_>>().join(" x ")
        };
        Some(Self::from_values(&name, (0..n).map(combination)))
    }
}

impl Cases {
    /// Cases with the given names and features, without labels or groups.
    ///
    /// # Errors
    /// If there are not as many names as cases.
    pub fn new(ids: Names, features: Features) -> Result<Self, CasesError> {
        let n = features.n();
        expect_length("the list of case names", ids.len(), n)?;
        Ok(Self { ids, features, labels: vec![None; n], groups: Vec::new() })
    }

    /// The same cases with labels, `None` where the truth is not known.
    ///
    /// # Errors
    /// If there are not as many labels as cases.
    pub fn with_labels(mut self, labels: Vec<Option<Label>>) -> Result<Self, CasesError> {
        expect_length("the list of labels", labels.len(), self.n())?;
        self.labels = labels;
        Ok(self)
    }

    /// The same cases with one more group attribute.
    ///
    /// # Errors
    /// If it has not one value for each case, or an id that names no value.
    pub fn with_group(mut self, attribute: GroupAttribute) -> Result<Self, CasesError> {
        expect_length(&format!("group attribute {}", attribute.name), attribute.of_case.len(), self.n())?;
        if let Some(case) = attribute.of_case.iter().position(|g| g.index() >= attribute.len()) {
            return Err(CasesError::UnknownGroup {
                group: attribute.of_case[case].0,
                values: attribute.len(),
                attribute: attribute.name,
                case,
            });
        }
        self.groups.push(attribute);
        Ok(self)
    }

    /// The same cases with other features.
    ///
    /// # Errors
    /// If they are not for as many cases.
    pub fn with_features(mut self, features: Features) -> Result<Self, CasesError> {
        expect_length("the feature table", features.n(), self.n())?;
        self.features = features;
        Ok(self)
    }

    /// Number of cases, n.
    pub fn n(&self) -> usize {
        self.ids.len()
    }

    /// Number of features, d.
    pub fn dim(&self) -> usize {
        self.features.dim()
    }

    /// The names of the cases.
    pub fn ids(&self) -> &Names {
        &self.ids
    }

    /// The features.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The labels, `None` where the truth is not known.
    pub fn labels(&self) -> &[Option<Label>] {
        &self.labels
    }

    /// All group attributes.
    pub fn groups(&self) -> &[GroupAttribute] {
        &self.groups
    }

    /// The group attribute called `name`.
    ///
    /// # Errors
    /// [`CasesError::UnknownAttribute`] lists those that exist.
    pub fn group(&self, name: &str) -> Result<&GroupAttribute, CasesError> {
        self.groups.iter().find(|g| g.name == name).ok_or_else(|| CasesError::UnknownAttribute {
            name: name.to_owned(),
            known: match self.groups.as_slice() {
                [] => "none".to_owned(),
                groups => groups.iter().map(|g| g.name.as_str()).collect::<Vec<_>>().join(", "),
            },
        })
    }

    /// The cases at the given positions, in that order.
    ///
    /// # Panics
    /// If a position repeats or lies outside.
    #[must_use]
    pub fn select(&self, cases: &[usize]) -> Self {
        let ids = self.ids.select(cases);
        assert_eq!(ids.len(), cases.len(), "every selected case exists and is selected once");
        Self {
            ids,
            features: self.features.select(cases),
            labels: cases.iter().map(|&case| self.labels[case]).collect(),
            groups: self.groups.iter().map(|g| g.select(cases)).collect(),
        }
    }
}

fn expect_length(what: &str, found: usize, expected: usize) -> Result<(), CasesError> {
    if found == expected {
        return Ok(());
    }
    Err(CasesError::Length { what: what.to_owned(), found, expected })
}
