//! The data sets of learning to defer (Madras et al. 2018), as they are published.

use std::path::{Path, PathBuf};

use deferral_core::{CaseId, Columns, Decisions, GroupAttribute, GroupId, Label, Names};

use super::npy::Array;
use super::npz::{Archive, NpzError};
use crate::{Inputs, JoinReport, Numeric, Part, ReadReport, Records, TableError};

/// The group attribute, and the feature that says the same.
const ATTRIBUTE: &str = "A";
/// Who decided.
const EXPERT: &str = "decision-maker";

/// Why a data set of learning to defer was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LearningToDeferError {
    /// The archive or an array cannot be read.
    #[error(transparent)]
    Npz(#[from] NpzError),
    /// An array has another shape than the data set needs.
    #[error("{}, array `{array}`: its shape is {found}, but it must be {expected}; see the layout of the file", file.display())]
    Shape {
        /// The file.
        file: PathBuf,
        /// The array.
        array: String,
        /// Its shape.
        found: String,
        /// The shape that fits the other arrays.
        expected: String,
    },
    /// A number is not one that may stand there.
    #[error("{}, array `{array}`, row {row} (counted from 0): {value} is not {expected}; correct it", file.display())]
    Value {
        /// The file.
        file: PathBuf,
        /// The array.
        array: String,
        /// Position of the row.
        row: usize,
        /// The number.
        value: f64,
        /// What may stand there.
        expected: String,
    },
    /// A training case is in no part, or in two.
    #[error(
        "{}: training case {case} (counted from 0) is in {parts} of `train_inds` and `valid_inds`, but must be in one of them",
        file.display()
    )]
    Divided {
        /// The file.
        file: PathBuf,
        /// Position of the case among the training cases.
        case: usize,
        /// `neither` or `more than one place`.
        parts: &'static str,
    },
    /// The parts do not fit together.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Reads an archive in the layout of the COMPAS files of Madras, Pitassi and Zemel, "Predict responsibly" (2018): for
/// each side, `train` and `test`, the arrays `x_SIDE` (n x d features, standardised already), `y_SIDE` (the label, 0 or
/// 1), `attr_SIDE` (the group, 0 or 1), `ydm_SIDE` (the decision-maker's probability of label 1) and, if they are there,
/// `y2_SIDE` (what only the decision-maker sees); `train_inds` and `valid_inds` divide the training side.
///
/// The records hold the training side and then the test side, called `train-0`, `train-1` ... and `test-0` ...:
/// - features `x0` ... and, as in the paper, the group once more as the last feature, `A`;
/// - the group attribute `A` with the values `0` and `1`;
/// - one expert, `decision-maker`, who decides 1 where their probability q of it is above .5, else 0, and is max(q, 1 - q)
///   sure;
/// - [`Records::parts`] as given, and [`Records::unseen`] with the columns `y2[0]`, `y2[1]` ...
///
/// O(n d), 8 bytes a number and as much again while reading.
///
/// # Errors
/// [`LearningToDeferError`] names the file, the array and the row.
///
/// ```no_run
/// use deferral_data::{Part, numpy::read_learning_to_defer};
/// let records = read_learning_to_defer("compas_DM_highacc.npz".as_ref())?;
/// assert_eq!((records.n(), records.experts.len()), (11_027, 1));
/// assert_eq!(records.parts.unwrap().iter().filter(|part| **part == Part::Test).count(), 3309);
/// # Ok::<(), deferral_data::numpy::LearningToDeferError>(())
/// ```
pub fn read_learning_to_defer(path: &Path) -> Result<Records, LearningToDeferError> {
    let mut layout = Layout(Archive::open(path)?);
    let train = layout.side("train", None)?;
    let test = layout.side("test", Some(train.dim))?;
    let parts = layout.parts(train.n(), test.n())?;
    let unseen = layout.unseen(train.n(), test.n())?;
    let sides = [train, test];
    let n = parts.len();
    let report = report(path, n);
    Ok(Records {
        ids: names(&sides),
        inputs: Inputs::new(n, None, Some(features(&sides)))?,
        labels: sides.iter().flat_map(|side| &side.labels).map(|&y| Some(Label::at(usize::from(y)))).collect(),
        label_names: ["0", "1"].iter().collect(),
        groups: vec![groups(&sides)],
        decisions: decisions(&sides).map_err(TableError::from)?,
        experts: [EXPERT].iter().collect(),
        prices: None,
        parts: Some(parts),
        unseen,
        report,
    })
}

/// Training or test cases.
struct Side {
    name: &'static str,
    dim: usize,
    /// Row after row, `dim` numbers each.
    features: Vec<f64>,
    labels: Vec<bool>,
    groups: Vec<bool>,
    /// Of label 1, as the decision-maker sees it.
    probabilities: Vec<f64>,
}

impl Side {
    fn n(&self) -> usize {
        self.labels.len()
    }
}

/// An archive whose arrays have known names and shapes.
struct Layout(Archive);

impl Layout {
    /// The cases of one side, which have `dim` features if that is known.
    fn side(&mut self, name: &'static str, dim: Option<usize>) -> Result<Side, LearningToDeferError> {
        let (n, features) = self.matrix(&format!("x_{name}"), None, dim)?;
        let dim = features.len().checked_div(n).unwrap_or(0);
        Ok(Side {
            name,
            dim,
            features,
            labels: self.binary(&format!("y_{name}"), n)?,
            groups: self.binary(&format!("attr_{name}"), n)?,
            probabilities: self.column(&format!("ydm_{name}"), Some(n), "a probability between 0 and 1", |value| {
                (0.0..=1.0).contains(&value)
            })?,
        })
    }

    fn binary(&mut self, array: &str, n: usize) -> Result<Vec<bool>, LearningToDeferError> {
        let values = self.column(array, Some(n), "0 or 1", |value| value == 0.0 || value == 1.0)?;
        Ok(values.into_iter().map(|value| value == 1.0).collect())
    }

    /// Which part each case is in: those of the training side as the indices say, then those of the test side.
    fn parts(&mut self, train: usize, test: usize) -> Result<Vec<Part>, LearningToDeferError> {
        let mut parts = vec![None; train];
        for (array, part) in [("train_inds", Part::Train), ("valid_inds", Part::Validation)] {
            let expected = format!("the position of one of the {train} training cases");
            let is_position = |value: f64| value.fract() == 0.0 && (0.0..train as f64).contains(&value);
            for case in self.column(array, None, &expected, is_position)? {
                let case = case as usize;
                if parts[case].replace(part).is_some() {
                    return Err(self.divided(case, "more than one place"));
                }
            }
        }
        let parts: Vec<Part> = parts
            .into_iter()
            .enumerate()
            .map(|(case, part)| part.ok_or_else(|| self.divided(case, "neither")))
            .collect::<Result<_, _>>()?;
        Ok(parts.into_iter().chain(std::iter::repeat_n(Part::Test, test)).collect())
    }

    fn divided(&self, case: usize, parts: &'static str) -> LearningToDeferError {
        LearningToDeferError::Divided { file: self.0.path().to_owned(), case, parts }
    }

    /// What only the decision-maker sees, if the archive says.
    fn unseen(&mut self, train: usize, test: usize) -> Result<Option<Numeric>, LearningToDeferError> {
        if !self.0.has("y2_train") && !self.0.has("y2_test") {
            return Ok(None);
        }
        let (_, mut values) = self.matrix("y2_train", Some(train), None)?;
        let dim = values.len() / train.max(1);
        values.extend(self.matrix("y2_test", Some(test), Some(dim))?.1);
        let names = (0..dim).map(|column| format!("y2[{column}]")).collect();
        Ok(Some(Numeric { names, values: Columns::from_values(dim, values) }))
    }

    /// A matrix of finite numbers, at least one in each of its rows, row after row; with the number of its rows.
    fn matrix(
        &mut self,
        array: &str,
        rows: Option<usize>,
        columns: Option<usize>,
    ) -> Result<(usize, Vec<f64>), LearningToDeferError> {
        let read = self.0.read(array)?;
        let fits = |wanted: Option<usize>, found: usize| wanted.is_none_or(|wanted| wanted == found);
        let n = match *read.shape() {
            [n, dim] if n > 0 && dim > 0 && fits(rows, n) && fits(columns, dim) => n,
            _ => {
                let size = |wanted: Option<usize>, letter: &str| wanted.map_or(letter.to_owned(), |n| n.to_string());
                return Err(self.shape(array, &read, format!("({}, {})", size(rows, "n"), size(columns, "d"))));
            }
        };
        let dim = read.values().len() / n;
        self.check(array, &read, dim, "a finite number", f64::is_finite)?;
        Ok((n, read.into_values()))
    }

    /// Numbers that all are `expected`, as a vector or one column: `n` of them if that is known.
    fn column(
        &mut self,
        array: &str,
        n: Option<usize>,
        expected: &str,
        is_expected: impl Fn(f64) -> bool,
    ) -> Result<Vec<f64>, LearningToDeferError> {
        let read = self.0.read(array)?;
        let is_column = matches!(read.shape(), [_] | [_, 1]);
        if !is_column || n.is_some_and(|n| n != read.values().len()) {
            let n = n.map_or("n".to_owned(), |n| n.to_string());
            return Err(self.shape(array, &read, format!("({n},) or ({n}, 1)")));
        }
        self.check(array, &read, 1, expected, is_expected)?;
        Ok(read.into_values())
    }

    fn check(
        &self,
        array: &str,
        read: &Array,
        columns: usize,
        expected: &str,
        is_expected: impl Fn(f64) -> bool,
    ) -> Result<(), LearningToDeferError> {
        match read.values().iter().position(|&value| !is_expected(value)) {
            None => Ok(()),
            Some(at) => Err(LearningToDeferError::Value {
                file: self.0.path().to_owned(),
                array: array.to_owned(),
                row: at / columns,
                value: read.values()[at],
                expected: expected.to_owned(),
            }),
        }
    }

    fn shape(&self, array: &str, read: &Array, expected: String) -> LearningToDeferError {
        let found = match *read.shape() {
            [n] => format!("({n},)"),
            [n, m] => format!("({n}, {m})"),
            _ => "()".to_owned(),
        };
        LearningToDeferError::Shape { file: self.0.path().to_owned(), array: array.to_owned(), found, expected }
    }
}

fn names(sides: &[Side; 2]) -> Names {
    sides.iter().flat_map(|side| (0..side.n()).map(|case| format!("{}-{case}", side.name))).collect()
}

/// The features with the group as the last.
fn features(sides: &[Side; 2]) -> Numeric {
    let dim = sides[0].dim;
    let mut values = Vec::with_capacity((dim + 1) * sides.iter().map(Side::n).sum::<usize>());
    for side in sides {
        for (row, &group) in side.features.chunks_exact(dim).zip(&side.groups) {
            values.extend_from_slice(row);
            values.push(f64::from(u8::from(group)));
        }
    }
    let names = (0..dim).map(|feature| format!("x{feature}")).chain([ATTRIBUTE.to_owned()]).collect();
    Numeric { names, values: Columns::from_values(dim + 1, values) }
}

fn groups(sides: &[Side; 2]) -> GroupAttribute {
    GroupAttribute {
        name: ATTRIBUTE.to_owned(),
        values: ["0", "1"].iter().collect(),
        of_case: sides.iter().flat_map(|side| &side.groups).map(|&group| GroupId::at(usize::from(group))).collect(),
    }
}

fn decisions(sides: &[Side; 2]) -> Result<Decisions, deferral_core::DecisionsError> {
    let probabilities: Vec<f64> = sides.iter().flat_map(|side| &side.probabilities).copied().collect();
    let decided = (0..).zip(&probabilities).map(|(case, &q)| (case, 0, u16::from(q > 0.5)));
    let decisions = Decisions::from_triples(probabilities.len(), 1, decided)?;
    Ok(decisions.with_confidences(|case: CaseId, _| probabilities.get(case.index()).map(|&q| q.max(1.0 - q))))
}

fn report(path: &Path, n: usize) -> JoinReport {
    let cases = ReadReport { file: path.display().to_string(), rows: n, kept: n, ..ReadReport::default() };
    let decisions = ReadReport { decisions: n, experts: 1, ..cases.clone() };
    JoinReport { cases, decisions, ..JoinReport::default() }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{npy_of, npz};
    use super::*;
    use deferral_core::ExpertId;
    use zip::CompressionMethod;

    type Entries = Vec<(&'static str, Vec<u8>)>;

    /// Three cases to learn from, the second of them held out, and two to decide.
    fn entries() -> Entries {
        vec![
            ("x_train.npy", npy_of("(3, 2)", &[0.5, -1.0, 0.25, 2.0, -0.75, 0.0])),
            ("y_train.npy", npy_of("(3, 1)", &[0.0, 1.0, 0.0])),
            ("attr_train.npy", npy_of("(3,)", &[1.0, 0.0, 1.0])),
            ("ydm_train.npy", npy_of("(3, 1)", &[0.25, 0.75, 0.5])),
            ("y2_train.npy", npy_of("(3, 2)", &[1.0, 0.0, 0.0, 1.0, 1.0, 0.0])),
            ("x_test.npy", npy_of("(2, 2)", &[1.0, 2.0, 3.0, 4.0])),
            ("y_test.npy", npy_of("(2, 1)", &[1.0, 1.0])),
            ("attr_test.npy", npy_of("(2, 1)", &[0.0, 0.0])),
            ("ydm_test.npy", npy_of("(2, 1)", &[1.0, 0.0])),
            ("y2_test.npy", npy_of("(2, 2)", &[1.0, 0.0, 0.0, 1.0])),
            ("train_inds.npy", npy_of("(2,)", &[2.0, 0.0])),
            ("valid_inds.npy", npy_of("(1,)", &[1.0])),
        ]
    }

    /// The same with one array replaced, or left out.
    fn with(name: &str, content: Option<Vec<u8>>) -> Entries {
        let mut entries = entries();
        entries.retain(|(entry, _)| content.is_some() || *entry != name);
        if let (Some(content), Some(entry)) = (content, entries.iter_mut().find(|(entry, _)| *entry == name)) {
            entry.1 = content;
        }
        entries
    }

    fn read(entries: Entries) -> Result<Records, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        std::fs::write(&path, npz(CompressionMethod::Deflated, entries)).unwrap();
        let records = read_learning_to_defer(&path);
        records.map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
    }

    #[test]
    fn a_small_file() {
        use Part::{Test, Train, Validation};
        let records = read(entries()).unwrap();
        assert_eq!(records.ids.iter().collect::<Vec<_>>(), ["train-0", "train-1", "train-2", "test-0", "test-1"]);
        let numeric = records.inputs.numeric.as_ref().unwrap();
        assert_eq!(numeric.names, ["x0", "x1", "A"]);
        assert_eq!(
            (numeric.values.column(1), numeric.values.column(2)),
            (&[0.25, 2.0, 0.0][..], &[-0.75, 0.0, 1.0][..])
        );
        assert_eq!(records.labels.iter().map(|label| label.unwrap().0).collect::<Vec<_>>(), [0, 1, 0, 1, 1]);
        let group = &records.groups[0];
        assert_eq!((group.name.as_str(), group.values.name(0), group.counts()), ("A", Some("0"), vec![3, 2]));
        let decided: Vec<_> = records.decisions.iter().map(|(_, vote)| vote.label.0).collect();
        assert_eq!(decided, [0, 1, 0, 1, 0]);
        let sure = |case| records.decisions.confidence(CaseId(case), ExpertId(0)).unwrap();
        assert_eq!((0..5).map(sure).collect::<Vec<_>>(), [0.75, 0.75, 0.5, 1.0, 1.0]);
        assert_eq!(records.parts, Some(vec![Train, Validation, Train, Test, Test]));
        let unseen = records.unseen.as_ref().unwrap();
        assert_eq!((unseen.names[1].as_str(), unseen.values.column(4)), ("y2[1]", &[0.0, 1.0][..]));
        let some = records.select(&[4, 1]);
        assert_eq!(some.parts, Some(vec![Test, Validation]));
        assert_eq!(some.unseen.unwrap().values.values(), [0.0, 1.0, 0.0, 1.0]);
        assert!(records.report.to_string().contains("5 rows read, 5 kept; 5 decisions of 1 experts"));
    }

    #[test]
    fn what_only_the_decision_maker_sees_may_be_missing() {
        let mut entries = entries();
        entries.retain(|(name, _)| !name.starts_with("y2"));
        assert_eq!(read(entries).unwrap().unseen, None);
    }

    #[test]
    fn damaged_files_are_explained() {
        let message = |name: &str, content: Option<Vec<u8>>| read(with(name, content)).unwrap_err();
        assert_eq!(
            message("y_test.npy", None),
            "x.npz: there is no array `y_test`; present are `attr_test`, `attr_train`, `train_inds`, `valid_inds`, \
             `x_test`, `x_train`, `y2_test`, `y2_train`, `y_train`, `ydm_test`, `ydm_train`"
        );
        assert!(message("y2_test.npy", None).starts_with("x.npz: there is no array `y2_test`"));
        for (name, content, expected) in [
            (
                "y_train.npy",
                npy_of("(2, 1)", &[0.0, 1.0]),
                "x.npz, array `y_train`: its shape is (2, 1), but it must be (3,) or (3, 1); see the layout of the file",
            ),
            (
                "attr_train.npy",
                npy_of("(3,)", &[0.0, 2.0, 1.0]),
                "x.npz, array `attr_train`, row 1 (counted from 0): 2 is not 0 or 1; correct it",
            ),
            (
                "x_test.npy",
                npy_of("(2, 2)", &[1.0, 2.0, f64::NAN, 4.0]),
                "x.npz, array `x_test`, row 1 (counted from 0): NaN is not a finite number; correct it",
            ),
            (
                "x_test.npy",
                npy_of("(2, 1)", &[1.0, 2.0]),
                "x.npz, array `x_test`: its shape is (2, 1), but it must be (n, 2); see the layout of the file",
            ),
            (
                "x_train.npy",
                npy_of("(99999999999, 0)", &[]),
                "x.npz, array `x_train`: its shape is (99999999999, 0), but it must be (n, d); see the layout of the file",
            ),
            (
                "ydm_test.npy",
                npy_of("(2,)", &[0.5, 50.0]),
                "x.npz, array `ydm_test`, row 1 (counted from 0): 50 is not a probability between 0 and 1; correct it",
            ),
            (
                "y2_test.npy",
                npy_of("(1, 2)", &[0.5, 50.0]),
                "x.npz, array `y2_test`: its shape is (1, 2), but it must be (2, 2); see the layout of the file",
            ),
            (
                "train_inds.npy",
                npy_of("(2,)", &[0.0, 3.0]),
                "x.npz, array `train_inds`, row 1 (counted from 0): 3 is not the position of one of the 3 training \
                 cases; correct it",
            ),
            (
                "valid_inds.npy",
                npy_of("(1,)", &[0.5]),
                "x.npz, array `valid_inds`, row 0 (counted from 0): 0.5 is not the position of one of the 3 training \
                 cases; correct it",
            ),
            (
                "valid_inds.npy",
                npy_of("(1,)", &[0.0]),
                "x.npz: training case 0 (counted from 0) is in more than one place of `train_inds` and `valid_inds`, \
                 but must be in one of them",
            ),
            (
                "valid_inds.npy",
                npy_of("(0,)", &[]),
                "x.npz: training case 1 (counted from 0) is in neither of `train_inds` and `valid_inds`, but must be in \
                 one of them",
            ),
            (
                "train_inds.npy",
                npy_of("()", &[0.0]),
                "x.npz, array `train_inds`: its shape is (), but it must be (n,) or (n, 1); see the layout of the file",
            ),
        ] {
            assert_eq!(message(name, Some(content)), expected, "{name}");
        }
        let short = npy_of("(3, 1)", &[0.0, 1.0]);
        assert_eq!(
            message("y_train.npy", Some(short)),
            "x.npz, array `y_train`: the header promises 24 bytes of numbers, but there are 16; the array is damaged, \
             save it again"
        );
    }
}
