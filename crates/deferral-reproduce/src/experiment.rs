//! The file of an experiment: what is run, what was published, what is claimed and what is drawn.
//!
//! Everything that is particular to a paper stands in such a file; nothing else here knows one.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::claims::Claim;
use crate::error::ReproduceError;
use crate::studies::Study;

/// One experiment of a paper, as `fixtures/experiments/ID.toml` has it.
///
/// ```
/// use deferral_reproduce::experiment::Experiment;
/// let text = r#"
/// id = "E0"
/// title = "Two ways to decide"
/// paper = "nobody-2026"
/// place = "table 1"
/// text = "Majority vote against the best expert."
///
/// [[study]]
/// name = "desk"
/// repetitions = 2
/// [study.run.compare]
/// cases.moderation = { cases = 60 }
/// split = { folds = 3 }
/// methods = ["majority", "best-expert"]
///
/// [[table]]
/// title = "Accuracy"
/// study = "desk"
/// columns = [{ name = "overall", measure = "accuracy" }]
/// [[table.row]]
/// name = "majority vote"
/// method = "majority"
/// published = [0.81]
/// spread = [0.02]
/// "#;
/// let experiment = Experiment::parse(text, "E0.toml".as_ref())?;
/// assert_eq!(experiment.tables[0].rows[0].published, [0.81]);
/// # Ok::<(), deferral_reproduce::error::ReproduceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Experiment {
    /// Its name, such as `E2`; the file is called after it.
    pub id: String,
    /// What it is about, in a few words.
    pub title: String,
    /// The paper that it is from: a key of `fixtures/papers.toml`.
    pub paper: String,
    /// Where in the paper.
    pub place: String,
    /// The recipe in words: data, people, learners, what is not known. Paragraphs are divided by empty lines.
    pub text: String,
    /// What came out and what it says, paragraphs as in `text`; also where we lose.
    #[serde(default)]
    pub findings: String,
    /// The seed of every draw. 1 if not given.
    #[serde(default = "one")]
    pub seed: u64,
    /// What is run.
    #[serde(default, rename = "study")]
    pub studies: Vec<Study>,
    /// Published numbers, and ours.
    #[serde(default, rename = "table")]
    pub tables: Vec<TableSpec>,
    /// What was said without numbers.
    #[serde(default, rename = "claim")]
    pub claims: Vec<Claim>,
    /// Methods beside others at the same number of labels.
    #[serde(default)]
    pub equal_labels: Vec<EqualLabels>,
    /// What is drawn.
    #[serde(default, rename = "figure")]
    pub figures: Vec<FigureSpec>,
}

fn one() -> u64 {
    1
}

/// A table of published numbers.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TableSpec {
    /// Its heading.
    pub title: String,
    /// The study that measures its rows, unless they name their own.
    pub study: String,
    /// Its columns, one or more.
    pub columns: Vec<Column>,
    /// Its rows.
    #[serde(default, rename = "row")]
    pub rows: Vec<RowSpec>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Column {
    /// Its heading.
    pub name: String,
    /// What is measured, such as `accuracy` or `accuracy/AAE`; the studies say what they measure. A row may say its own.
    #[serde(default)]
    pub measure: String,
    /// What of the repetitions is taken. The mean if not given.
    #[serde(default)]
    pub statistic: Statistic,
}

/// What is taken of a measure over repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statistic {
    /// The mean.
    #[default]
    Mean,
    /// The middle one.
    Median,
    /// The smallest.
    Least,
    /// The largest.
    Largest,
}

/// A row of a table: a method, or a statistic of the data.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RowSpec {
    /// What it is called, by the paper if the paper has it.
    pub name: String,
    /// The method of the study that is measured. Empty where the study measures no methods.
    #[serde(default)]
    pub method: String,
    /// The study, if it is not that of the table.
    pub study: Option<String>,
    /// The measure of every column, if the row has its own.
    pub measure: Option<String>,
    /// What was published, one number a column; `nan` where nothing was. None for what stands beside the published rows.
    #[serde(default)]
    pub published: Vec<f64>,
    /// The published standard deviation, one a column; `nan` where none was.
    #[serde(default)]
    pub spread: Vec<f64>,
    /// Digits behind the point that the published numbers were printed with.
    #[serde(default = "two")]
    pub digits: u32,
    /// Whether it is a count, which is the same or is not.
    #[serde(default)]
    pub count: bool,
    /// The row that this is another variant of: its published numbers are shown here too, but only that row is judged.
    pub variant_of: Option<String>,
    /// Why it differs, if any cell does.
    pub differs: Option<String>,
    /// The rows of this table that show it, one or more where `differs` is given.
    #[serde(default)]
    pub shown_by: Vec<String>,
    /// Data that would be needed and nobody may hand on: why there is no number of ours.
    pub not_here: Option<String>,
}

fn two() -> u32 {
    2
}

/// Methods of a study beside curves of others, read off at the same number of labels per case.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EqualLabels {
    /// Its heading.
    pub title: String,
    /// The study that all are from.
    pub study: String,
    /// What is compared. `accuracy` if not given.
    #[serde(default = "accuracy")]
    pub measure: String,
    /// The methods at whose labels per case the curves are read off.
    pub methods: Vec<String>,
    /// The curves.
    #[serde(rename = "curve")]
    pub curves: Vec<Curve>,
}

fn accuracy() -> String {
    "accuracy".to_owned()
}

/// One method at several efforts.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Curve {
    /// What it is called.
    pub name: String,
    /// The study, if it is not the one around.
    pub study: Option<String>,
    /// Its methods; each is a point.
    pub methods: Vec<String>,
}

/// A figure.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FigureSpec {
    /// Its heading.
    pub title: String,
    /// The study that it shows.
    pub study: String,
    /// What is seen on it, in a sentence or two.
    pub caption: String,
    /// What is drawn.
    pub draw: Drawing,
}

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Drawing {
    /// Lines through a measure of several methods at values that stand on the horizontal axis.
    Lines {
        /// What the values are.
        x: String,
        /// What is measured.
        y: String,
        /// The measure.
        measure: String,
        /// The values.
        at: Vec<f64>,
        /// The lines; each has one method a value.
        lines: Vec<Curve>,
        /// A dashed line at the value of this method, with its name.
        mark: Option<String>,
    },
    /// A measure against labels per case: every method a dot, every curve a line.
    Labels {
        /// The measure.
        #[serde(default = "accuracy")]
        measure: String,
        /// Methods that are dots.
        #[serde(default)]
        methods: Vec<String>,
        /// Curves that are lines.
        #[serde(default)]
        lines: Vec<Curve>,
    },
    /// Error against disparate impact: of each family of methods those that no other of it beats, chosen on the
    /// validation part.
    Fronts {
        /// The families: all methods of the study with this name.
        families: Vec<String>,
        /// Methods that are dots beside them.
        #[serde(default)]
        methods: Vec<String>,
    },
    /// The share of a family's runs that have at most so much of a measure.
    Distribution {
        /// The measure.
        measure: String,
        /// The families: all methods with this name.
        families: Vec<String>,
    },
    /// The median of a measure against a setting, over all else.
    Along {
        /// The setting, such as `alpha`.
        setting: String,
        /// The measure.
        measure: String,
        /// The families: all methods with this name.
        families: Vec<String>,
    },
    /// The weight of every expert against a property of theirs, both of the first repetition.
    Experts {
        /// The methods.
        methods: Vec<String>,
        /// What stands on the horizontal axis: `accuracy`, or `accuracy/GROUP`.
        against: String,
    },
}

impl Experiment {
    /// Reads and checks the file of an experiment.
    ///
    /// # Errors
    /// [`ReproduceError`] with file and line if it cannot be read, or with the entry that is wrong.
    pub fn read(path: &Path) -> Result<Self, ReproduceError> {
        let text = std::fs::read_to_string(path).map_err(|source| ReproduceError::Io {
            what: "could not be read",
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Reads what the file at `path` holds.
    ///
    /// # Errors
    /// As [`Experiment::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ReproduceError> {
        let experiment: Self = toml::from_str(text)
            .map_err(|error| ReproduceError::Toml { path: path.to_owned(), message: error.to_string() })?;
        experiment.check().map_err(|message| ReproduceError::Entry { path: path.to_owned(), message })?;
        Ok(experiment)
    }

    /// The study of a name.
    pub fn study(&self, name: &str) -> Option<&Study> {
        self.studies.iter().find(|study| study.name == name)
    }

    fn check(&self) -> Result<(), String> {
        for (at, study) in self.studies.iter().enumerate() {
            if self.studies[..at].iter().any(|other| other.name == study.name) {
                return Err(format!("there are two studies called `{}`", study.name));
            }
            study.check().map_err(|message| format!("study `{}`: {message}", study.name))?;
        }
        for table in &self.tables {
            self.check_table(table).map_err(|message| format!("table `{}`: {message}", table.title))?;
        }
        for claim in &self.claims {
            claim.check(self).map_err(|message| format!("claim `{}`: {message}", claim.text))?;
        }
        let drawn = self.figures.iter().map(|figure| (&figure.title, &figure.study));
        let compared = self.equal_labels.iter().map(|equal| (&equal.title, &equal.study));
        for (title, study) in drawn.chain(compared) {
            self.known(study).map_err(|message| format!("`{title}`: {message}"))?;
        }
        Ok(())
    }

    /// That there is such a study.
    pub(crate) fn known(&self, study: &str) -> Result<(), String> {
        if self.study(study).is_some() {
            return Ok(());
        }
        let names: Vec<&str> = self.studies.iter().map(|study| study.name.as_str()).collect();
        Err(format!("there is no study `{study}`; there are: {}", names.join(", ")))
    }

    fn check_table(&self, table: &TableSpec) -> Result<(), String> {
        self.known(&table.study)?;
        if table.columns.is_empty() {
            return Err("it has no columns".to_owned());
        }
        for row in &table.rows {
            self.check_row(table, row).map_err(|message| format!("row `{}`: {message}", row.name))?;
        }
        Ok(())
    }

    fn check_row(&self, table: &TableSpec, row: &RowSpec) -> Result<(), String> {
        row.study.as_deref().map_or(Ok(()), |study| self.known(study))?;
        for (what, numbers) in [("published", &row.published), ("spread", &row.spread)] {
            if !numbers.is_empty() && numbers.len() != table.columns.len() {
                let (have, want) = (numbers.len(), table.columns.len());
                return Err(format!("`{what}` has {have} numbers for {want} columns; write nan where there is none"));
            }
        }
        let sister = |name: &String| table.rows.iter().any(|other| other.name == *name && other.name != row.name);
        if let Some(stranger) = row.variant_of.iter().chain(&row.shown_by).find(|name| !sister(name)) {
            return Err(format!("there is no other row `{stranger}` in this table"));
        }
        if row.variant_of.is_some() && !row.published.is_empty() {
            return Err("a variant has the published numbers of its row; leave out `published`".to_owned());
        }
        Ok(())
    }
}
