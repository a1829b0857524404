//! From what is known about cases to features, learned from the training cases only and applied to any others.

use std::sync::Arc;

use deferral_core::{Columns, FeatureError, Features, SparseFeatures, Stream};
use serde::{Deserialize, Serialize};

use crate::standardise::Standardiser;
pub use crate::text::TextFeatures;
use crate::text::{NgramError, SvdError, TextModel, TextValues, WordVectors};
use crate::{Inputs, Numeric};

/// How cases become features. Numeric columns, where there are any, always take part; texts as said here.
///
/// By default texts are not used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct FeatureSpec {
    /// What becomes of the text.
    pub text: Option<TextFeatures>,
    /// How dense features are scaled. Default: numeric columns and latent semantic features are standardised, mean word
    /// vectors are left as they are (as in the papers). N-grams have length 1 and are never scaled.
    pub scale: Option<Scale>,
}

/// How dense features are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Not at all.
    None,
    /// To mean 0 and standard deviation 1 on the training cases.
    Standard,
}

/// Why features could not be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FeaturiseError {
    /// N-grams could not be learned.
    #[error(transparent)]
    Ngrams(#[from] NgramError),
    /// Directions could not be found.
    #[error(transparent)]
    Svd(#[from] SvdError),
    /// A feature is not finite in the precision it is stored in.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// There is no case to learn from.
    #[error("there is no training case to learn features from")]
    NoCases,
    /// A training case does not exist.
    #[error("training case {case} does not exist, there are {n} cases")]
    UnknownCase {
        /// Its position.
        case: usize,
        /// Number of cases.
        n: usize,
    },
    /// The cases have no text.
    #[error("these features are made from a text, but the cases have none; name the column that holds it")]
    NoText,
    /// Word vectors are asked for, but not given.
    #[error("mean word vectors need a file of word vectors; name one, or use `svd`, which needs none")]
    NoVectors,
    /// The numeric columns are not those of the training cases.
    #[error("the numeric columns are not those of the training cases: {missing} missing, {unknown} not known")]
    OtherColumns {
        /// Names that the training cases had, or `none`.
        missing: String,
        /// Names that they did not have, or `none`.
        unknown: String,
    },
    /// Two numeric columns have one name.
    #[error("two numeric columns are named `{name}`")]
    RepeatedColumn {
        /// The name.
        name: String,
    },
    /// Two inputs differ in length.
    #[error("{what}: {found}, but there are {expected}")]
    Length {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A number is not finite.
    #[error("numeric column `{column}` is {value} for case {case} (counted from 0); it must be a finite number")]
    NotFinite {
        /// Name of the column.
        column: String,
        /// Position of the case.
        case: usize,
        /// The value.
        value: f64,
    },
}

/// Makes features of cases as it learned from the training cases; travels inside a policy's artifact.
///
/// ```
/// use deferral_core::Stream;
/// use deferral_data::{FeatureSpec, Inputs, TextFeatures};
/// let texts = ["a red house", "a blue house", "red wine", "blue sky"].map(String::from);
/// let inputs = Inputs::new(4, Some(texts.to_vec()), None)?;
/// let svd = TextFeatures::Svd { ngrams: Default::default(), dim: 2 };
/// let spec = FeatureSpec { text: Some(svd), ..FeatureSpec::default() };
/// let featuriser = spec.fit(&inputs, &[0, 1, 2], None, &Stream::new(1))?;
/// let features = featuriser.transform(&inputs)?;
/// assert_eq!((features.dim(), features.n()), (2, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Featuriser {
    text: Option<TextModel>,
    text_scale: Option<Standardiser>,
    columns: Vec<String>,
    column_scale: Option<Standardiser>,
    report: FeatureReport,
}

/// What there is to say about the features of the training cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FeatureReport {
    /// Number of training cases.
    pub cases: usize,
    /// How many of them have a text of which nothing is known: their text features are zero.
    pub unknown: usize,
    /// Latent dimensions asked for, if any were.
    pub asked: Option<usize>,
    /// Features made from the text.
    pub text_dim: usize,
}

/// Features, and the cases of whose text nothing was known.
#[derive(Debug, Clone, PartialEq)]
pub struct Featurised {
    /// The features of all cases.
    pub features: Features,
    /// Positions of the cases whose text features are zero because no part of the text is known.
    pub unknown: Vec<usize>,
}

impl Featurised {
    /// Positions of the cases of which something is known: for a caller that drops the others.
    pub fn known(&self) -> Vec<usize> {
        (0..self.features.n()).filter(|case| self.unknown.binary_search(case).is_err()).collect()
    }
}

impl FeatureReport {
    /// Sentences for the user about what is unusual; none if nothing is.
    pub fn notes(&self) -> Vec<String> {
        let Self { cases, unknown, asked, text_dim } = *self;
        let mut notes = Vec::new();
        if let Some(asked) = asked.filter(|asked| *asked > text_dim) {
            notes.push(format!(
                "the {cases} training texts span {text_dim} latent dimensions, not the {asked} asked for"
            ));
        }
        if unknown > 0 {
            notes.push(format!("nothing is known of {unknown} of the {cases} training texts; their features are zero"));
        }
        notes
    }
}

impl FeatureSpec {
    /// Learns features from the cases `train` of `inputs`. `vectors` is only looked at for [`TextFeatures::Vectors`].
    ///
    /// Cost: that of [`NgramSpec::fit`](crate::text::NgramSpec::fit) and [`Svd::fit`](crate::text::Svd::fit), or a
    /// look-up of each word.
    ///
    /// # Errors
    /// [`FeaturiseError`] if the spec asks for something that the inputs do not have, or a value is not finite.
    pub fn fit(
        &self,
        inputs: &Inputs,
        train: &[usize],
        vectors: Option<&Arc<WordVectors>>,
        stream: &Stream,
    ) -> Result<Featuriser, FeaturiseError> {
        let n = inputs.n();
        if let Some(&case) = train.iter().find(|case| **case >= n) {
            return Err(FeaturiseError::UnknownCase { case, n });
        }
        if train.is_empty() {
            return Err(FeaturiseError::NoCases);
        }
        let columns = checked_names(inputs.numeric.as_ref())?;
        let mut featuriser =
            Featuriser { text: None, text_scale: None, columns, column_scale: None, report: FeatureReport::default() };
        featuriser.report.cases = train.len();
        let numeric = featuriser.numeric(inputs)?;
        if self.scale != Some(Scale::None) {
            featuriser.column_scale = numeric.map(|numeric| Standardiser::fit(&numeric.select(train)));
        }
        if let Some(spec) = &self.text {
            self.fit_text(&mut featuriser, spec, &texts_of(inputs, Some(train))?, vectors, stream)?;
        }
        Ok(featuriser)
    }

    fn fit_text(
        &self,
        featuriser: &mut Featuriser,
        spec: &TextFeatures,
        texts: &[&str],
        vectors: Option<&Arc<WordVectors>>,
        stream: &Stream,
    ) -> Result<(), FeaturiseError> {
        let model = TextModel::fit(spec, texts, vectors, stream)?;
        if let TextFeatures::Svd { dim, .. } = spec {
            featuriser.report.asked = Some(*dim);
        }
        let default = if matches!(spec, TextFeatures::Svd { .. }) { Scale::Standard } else { Scale::None };
        let unknown = if self.scale.unwrap_or(default) == Scale::Standard {
            let (values, unknown) = model.transform(texts);
            if let TextValues::Dense(values) = &values {
                featuriser.text_scale = Some(Standardiser::fit(values));
            }
            unknown
        } else {
            model.unknown(texts)
        };
        featuriser.report.text_dim = model.dim();
        featuriser.report.unknown = unknown.len();
        featuriser.text = Some(model);
        Ok(())
    }
}

impl Featuriser {
    /// Number of features, d: those of the text, then the numeric columns in their training order.
    pub fn dim(&self) -> usize {
        self.text.as_ref().map_or(0, TextModel::dim) + self.columns.len()
    }

    /// What there is to say about the training cases.
    pub fn report(&self) -> &FeatureReport {
        &self.report
    }

    /// The numeric columns that every case must have.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Whether every case must have a text.
    pub fn needs_text(&self) -> bool {
        self.text.is_some()
    }

    /// The features of cases, d x n. Numeric columns are found by name, in any order.
    ///
    /// # Errors
    /// If the inputs lack the text or have other numeric columns than the training cases, or a value is not finite.
    pub fn transform(&self, inputs: &Inputs) -> Result<Features, FeaturiseError> {
        self.featurise(inputs).map(|featurised| featurised.features)
    }

    /// The same, with the cases of whose text nothing is known.
    ///
    /// # Errors
    /// As [`Featuriser::transform`].
    pub fn featurise(&self, inputs: &Inputs) -> Result<Featurised, FeaturiseError> {
        let mut numeric = self.numeric(inputs)?;
        if let (Some(numeric), Some(scale)) = (&mut numeric, &self.column_scale) {
            scale.transform(numeric);
        }
        let Some(model) = &self.text else {
            let features = numeric.map_or_else(|| Ok(Features::none(inputs.n())), Features::dense)?;
            return Ok(Featurised { features, unknown: Vec::new() });
        };
        let (values, unknown) = model.transform(&texts_of(inputs, None)?);
        let features = match values {
            TextValues::Sparse(sparse) => Features::Sparse(append_to_sparse(sparse, numeric.as_ref())?),
            TextValues::Dense(mut dense) => {
                if let Some(scale) = &self.text_scale {
                    scale.transform(&mut dense);
                }
                Features::dense(append_to_dense(dense, numeric.as_ref()))?
            }
        };
        Ok(Featurised { features, unknown })
    }

    /// The numeric columns in training order, checked; `None` if there are none.
    fn numeric(&self, inputs: &Inputs) -> Result<Option<Columns>, FeaturiseError> {
        let found = checked_names(inputs.numeric.as_ref())?;
        let without = |names: &[String], others: &[String]| {
            let left: Vec<String> = names.iter().filter(|n| !others.contains(n)).map(|n| format!("`{n}`")).collect();
            if left.is_empty() { "none".to_owned() } else { left.join(", ") }
        };
        if found.len() != self.columns.len() || found.iter().any(|name| !self.columns.contains(name)) {
            let (missing, unknown) = (without(&self.columns, &found), without(&found, &self.columns));
            return Err(FeaturiseError::OtherColumns { missing, unknown });
        }
        let Some(numeric) = inputs.numeric.as_ref().filter(|_| !found.is_empty()) else { return Ok(None) };
        check_values(numeric, inputs.n())?;
        let places: Vec<usize> = self.columns.iter().filter_map(|n| found.iter().position(|f| f == n)).collect();
        let values = numeric.values.iter().flat_map(|column| places.iter().map(|&place| column[place])).collect();
        Ok(Some(Columns::from_values(places.len(), values)))
    }
}

/// The texts of all cases, or of some that are known to exist.
fn texts_of<'a>(inputs: &'a Inputs, cases: Option<&[usize]>) -> Result<Vec<&'a str>, FeaturiseError> {
    let texts = inputs.text.as_ref().ok_or(FeaturiseError::NoText)?;
    expect_length("texts", texts.len(), inputs.n())?;
    Ok(match cases {
        None => texts.iter().map(String::as_str).collect(),
        Some(cases) => cases.iter().filter_map(|&case| texts.get(case)).map(String::as_str).collect(),
    })
}

/// The names of the numeric columns, none twice and as many as there are columns.
fn checked_names(numeric: Option<&Numeric>) -> Result<Vec<String>, FeaturiseError> {
    let Some(numeric) = numeric else { return Ok(Vec::new()) };
    expect_length("names of numeric columns", numeric.names.len(), numeric.values.rows())?;
    let mut sorted: Vec<&String> = numeric.names.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(FeaturiseError::RepeatedColumn { name: pair[0].clone() }),
        None => Ok(numeric.names.clone()),
    }
}

fn expect_length(what: &'static str, found: usize, expected: usize) -> Result<(), FeaturiseError> {
    if found == expected { Ok(()) } else { Err(FeaturiseError::Length { what, found, expected }) }
}

fn check_values(numeric: &Numeric, n: usize) -> Result<(), FeaturiseError> {
    expect_length("cases of the numeric columns", numeric.values.n(), n)?;
    for (case, column) in numeric.values.iter().enumerate() {
        if let Some((name, value)) = numeric.names.iter().zip(column).find(|(_, value)| !value.is_finite()) {
            return Err(FeaturiseError::NotFinite { column: name.clone(), case, value: *value });
        }
    }
    Ok(())
}

fn append_to_dense(text: Columns, numeric: Option<&Columns>) -> Columns {
    let Some(numeric) = numeric else { return text };
    let values = text.iter().zip(numeric.iter()).flat_map(|(text, numeric)| text.iter().chain(numeric).copied());
    Columns::from_values(text.rows() + numeric.rows(), values.collect())
}

fn append_to_sparse(text: SparseFeatures, numeric: Option<&Columns>) -> Result<SparseFeatures, FeatureError> {
    let Some(numeric) = numeric else { return Ok(text) };
    let mut both = SparseFeatures::new(text.dim() + numeric.rows());
    let mut entries = Vec::new();
    for (case, column) in numeric.iter().enumerate() {
        entries.clear();
        entries.extend_from_slice(text.case(case));
        let numbered = (text.dim() as u32..).zip(column).filter(|(_, value)| **value != 0.0);
        entries.extend(numbered.map(|(feature, &value)| (feature, value as f32)));
        both.push(&entries)?;
    }
    Ok(both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{NgramSpec, testing};
    use std::path::Path;

    fn numeric(names: &[&str], values: &[f64]) -> Numeric {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        Numeric { values: Columns::from_values(names.len(), values.to_vec()), names }
    }

    fn inputs(texts: &[&str], numeric: Option<Numeric>) -> Inputs {
        let n = texts.len();
        let texts = texts.iter().map(ToString::to_string).collect();
        Inputs::new(n, Some(texts), numeric).unwrap()
    }

    fn numbers(names: &[&str], values: &[f64]) -> Inputs {
        Inputs::new(values.len() / names.len(), None, Some(numeric(names, values))).unwrap()
    }

    fn spec(text: TextFeatures) -> FeatureSpec {
        FeatureSpec { text: Some(text), scale: None }
    }

    fn every_ngram() -> NgramSpec {
        NgramSpec { min_cases: 1, ..NgramSpec::default() }
    }

    fn vectors() -> Arc<WordVectors> {
        Arc::new(WordVectors::read_from("good 1 0\nbad -1 0.5\n".as_bytes(), Path::new("v")).unwrap())
    }

    fn fit(spec: &FeatureSpec, inputs: &Inputs, train: &[usize]) -> Result<Featuriser, FeaturiseError> {
        spec.fit(inputs, train, Some(&vectors()), &Stream::new(1))
    }

    const TEXTS: [&str; 4] = ["good bad", "good", "bad bad", "???"];

    #[test]
    fn numbers_alone_are_standardised_on_the_training_cases() {
        let inputs = numbers(&["a", "b"], &[1., 5., 3., 5., 7., 6.]);
        let featuriser = fit(&FeatureSpec::default(), &inputs, &[0, 1]).unwrap();
        let features = featuriser.transform(&inputs).unwrap();
        assert_eq!(features.as_dense().unwrap().values(), [-1., 0., 1., 0., 5., 1.]);
        let raw = FeatureSpec { text: None, scale: Some(Scale::None) };
        let features = fit(&raw, &inputs, &[0, 1]).unwrap().transform(&inputs).unwrap();
        assert_eq!(features.as_dense(), inputs.numeric.as_ref().map(|n| &n.values));
    }

    #[test]
    fn columns_are_found_by_name() {
        let train = numbers(&["a", "b"], &[1., 2., 3., 5.]);
        let turned = numbers(&["b", "a"], &[2., 1., 5., 3.]);
        let featuriser = fit(&FeatureSpec::default(), &train, &[0, 1]).unwrap();
        assert_eq!(featuriser.transform(&train).unwrap(), featuriser.transform(&turned).unwrap());
    }

    #[test]
    fn text_and_numbers_stand_one_above_the_other() {
        let inputs = inputs(&TEXTS, Some(numeric(&["a"], &[1., 2., 3., 4.])));
        let raw = |text| FeatureSpec { text: Some(text), scale: Some(Scale::None) };
        let dense = fit(&raw(TextFeatures::Vectors), &inputs, &[0, 1]).unwrap();
        let features = dense.featurise(&inputs).unwrap();
        assert_eq!(features.features.as_dense().unwrap().column(0), [0.0, 0.25, 1.0]);
        assert_eq!(features.features.as_dense().unwrap().column(3), [0.0, 0.0, 4.0]);
        assert_eq!((features.unknown.as_slice(), features.known()), (&[3][..], vec![0, 1, 2]));
        let sparse = fit(&raw(TextFeatures::Ngrams(every_ngram())), &inputs, &[0, 1]).unwrap();
        let Features::Sparse(features) = sparse.transform(&inputs).unwrap() else { panic!("dense") };
        assert_eq!((features.dim(), features.n()), (sparse.dim(), 4));
        assert_eq!(features.case(2).last(), Some(&(sparse.dim() as u32 - 1, 3.0)));
    }

    #[test]
    fn scaling_depends_on_the_kind() {
        let inputs = inputs(&TEXTS, None);
        let mean_of_first = |text: TextFeatures, scale| {
            let featuriser = fit(&FeatureSpec { text: Some(text), scale }, &inputs, &[0, 1, 2]).unwrap();
            let features = featuriser.transform(&inputs.select(&[0, 1, 2])).unwrap();
            features.as_dense().unwrap().iter().map(|column| column[1]).sum::<f64>().abs()
        };
        let svd = TextFeatures::Svd { ngrams: every_ngram(), dim: 2 };
        assert!(mean_of_first(svd.clone(), None) < 1e-9);
        assert!(mean_of_first(svd, Some(Scale::None)) > 1e-3);
        assert!(mean_of_first(TextFeatures::Vectors, None) > 0.1);
        assert!(mean_of_first(TextFeatures::Vectors, Some(Scale::Standard)) < 1e-9);
    }

    #[test]
    fn only_training_cases_are_learned_from() {
        let spec = spec(TextFeatures::Svd { ngrams: every_ngram(), dim: 2 });
        let other = ["good bad", "good", "entirely other", "words"];
        let on = |texts: &[&str]| fit(&spec, &inputs(texts, None), &[0, 1]).unwrap();
        assert_eq!(on(&TEXTS), on(&other));
    }

    #[test]
    fn the_report_says_what_is_unusual() {
        let spec = spec(TextFeatures::Svd { ngrams: every_ngram(), dim: 100 });
        let report = *fit(&spec, &inputs(&["good", "bad", ""], None), &[0, 1, 2]).unwrap().report();
        assert_eq!(
            report.notes(),
            [
                "the 3 training texts span 2 latent dimensions, not the 100 asked for",
                "nothing is known of 1 of the 3 training texts; their features are zero"
            ]
        );
        let featuriser = fit(&FeatureSpec::default(), &inputs(&TEXTS, None), &[0]).unwrap();
        assert!(featuriser.report().notes().is_empty());
        assert_eq!(featuriser.transform(&inputs(&TEXTS, None)).unwrap(), Features::none(4));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let refuse =
            |inputs: &Inputs, train: &[usize]| fit(&FeatureSpec::default(), inputs, train).unwrap_err().to_string();
        let train = numbers(&["a", "b"], &[1., 2., 3., 4.]);
        assert_eq!(refuse(&train, &[]), "there is no training case to learn features from");
        assert_eq!(refuse(&train, &[2]), "training case 2 does not exist, there are 2 cases");
        assert_eq!(refuse(&numbers(&["a", "a"], &[1., 2.]), &[0]), "two numeric columns are named `a`");
        assert_eq!(
            refuse(&numbers(&["a", "b"], &[1., 2., f64::NAN, 4.]), &[0]),
            "numeric column `a` is NaN for case 1 (counted from 0); it must be a finite number"
        );
        let mut uneven = inputs(&TEXTS, None);
        uneven.numeric = Some(numeric(&["a"], &[1.]));
        assert_eq!(refuse(&uneven, &[0]), "cases of the numeric columns: 1, but there are 4");
        uneven.numeric = Some(Numeric { names: Vec::new(), values: Columns::zeros(2, 4) });
        assert_eq!(refuse(&uneven, &[0]), "names of numeric columns: 0, but there are 2");

        let featuriser = fit(&FeatureSpec::default(), &train, &[0, 1]).unwrap();
        assert_eq!(
            featuriser.transform(&numbers(&["b", "c"], &[1., 2.])).unwrap_err().to_string(),
            "the numeric columns are not those of the training cases: `a` missing, `c` not known"
        );
        assert!(
            featuriser
                .transform(&inputs(&TEXTS, None))
                .unwrap_err()
                .to_string()
                .ends_with("`a`, `b` missing, none not known")
        );
        let no_text = fit(&spec(TextFeatures::Vectors), &train, &[0]).unwrap_err().to_string();
        assert_eq!(
            no_text,
            "these features are made from a text, but the cases have none; name the column that holds it"
        );
        let no_vectors =
            spec(TextFeatures::Vectors).fit(&inputs(&TEXTS, None), &[0], None, &Stream::new(1)).unwrap_err();
        assert!(no_vectors.to_string().starts_with("mean word vectors need a file"));
    }

    #[test]
    fn a_spec_is_strict_and_has_defaults() {
        let read = |json: &str| serde_json::from_str::<FeatureSpec>(json);
        assert_eq!(read("{}").unwrap(), FeatureSpec::default());
        let svd = TextFeatures::Svd { ngrams: NgramSpec::default(), dim: 100 };
        assert_eq!(read(r#"{"text": {"svd": {}}}"#).unwrap(), spec(svd));
        assert_eq!(
            read(r#"{"text": "vectors", "scale": "standard"}"#).unwrap(),
            FeatureSpec { text: Some(TextFeatures::Vectors), scale: Some(Scale::Standard) }
        );
        assert!(read(r#"{"txt": "vectors"}"#).is_err());
        assert!(read(r#"{"text": {"svd": {"dims": 3}}}"#).is_err());
    }

    #[test]
    fn a_featuriser_travels_in_an_artifact() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("featuriser.dfr");
        let inputs = inputs(&TEXTS, Some(numeric(&["a"], &[1., 2., 3., 4.])));
        for text in [
            TextFeatures::Ngrams(every_ngram()),
            TextFeatures::Svd { ngrams: every_ngram(), dim: 2 },
            TextFeatures::Vectors,
        ] {
            let featuriser = fit(&spec(text), &inputs, &[0, 1, 2]).unwrap();
            deferral_core::artifact::save(&path, "featuriser", &featuriser).unwrap();
            let back: Featuriser = deferral_core::artifact::load(&path, "featuriser").unwrap();
            assert_eq!(back, featuriser);
            assert_eq!(back.transform(&inputs).unwrap(), featuriser.transform(&inputs).unwrap());
        }
    }

    #[test]
    fn the_post_without_a_known_word_is_found() {
        let (Some(texts), Some(path)) = (testing::mturk(), testing::data("glove/glove.6B.50d.subset.txt")) else {
            return;
        };
        let vectors = Arc::new(WordVectors::read(&path).unwrap());
        let inputs = Inputs::new(texts.len(), Some(texts), None).unwrap();
        let train: Vec<usize> = (0..1000).collect();
        let featuriser = spec(TextFeatures::Vectors).fit(&inputs, &train, Some(&vectors), &Stream::new(1)).unwrap();
        let featurised = featuriser.featurise(&inputs).unwrap();
        assert_eq!((featurised.features.dim(), featurised.features.n()), (50, 1471));
        assert_eq!((featurised.unknown.len(), featurised.known().len()), (1, 1470));
    }
}
