//! TF-IDF of word and character n-grams: what a text says that most others do not.
//!
//! An n-gram that stands f times in a case and in c of the n training cases gets the value
//! `tf(f) * (ln((1 + n) / (1 + c)) + 1)`, with `tf(f) = 1 + ln f` or f itself. The word part and the character part of a
//! case are each scaled to the same length and together to length 1, so that the many character n-grams do not drown
//! the words.

use std::collections::HashMap;

use deferral_core::{ParameterError, SparseFeatures};
use serde::{Deserialize, Serialize};

use super::ngrams::{self, Kind};

/// Which n-grams become features, and how they are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct NgramSpec {
    /// Shortest and longest word n-gram, at most 16; `[0, 0]`: none. Default `[1, 2]`.
    pub words: [u8; 2],
    /// Shortest and longest character n-gram within a stretch without white space that is padded by a space on both
    /// sides, at most 16; `[0, 0]`: none. Default `[2, 5]`.
    pub characters: [u8; 2],
    /// An n-gram must stand in at least so many training cases, 1 or more. Default 2.
    pub min_cases: u32,
    /// Keep so many n-grams at most, those in the most training cases (ties: lowest hash). Default 32,768.
    pub max_features: usize,
    /// Count f occurrences in a case as 1 + ln f instead of f. Default true.
    pub sublinear: bool,
}

impl Default for NgramSpec {
    fn default() -> Self {
        Self { words: [1, 2], characters: [2, 5], min_cases: 2, max_features: 1 << 15, sublinear: true }
    }
}

/// Why n-grams could not be learned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NgramError {
    /// A parameter is outside its range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Nothing is left to be a feature.
    #[error(
        "no n-gram stands in at least {min_cases} of the {cases} training texts; lower min-cases or give more text"
    )]
    NoNgram {
        /// The smallest number of cases asked for.
        min_cases: u32,
        /// Number of training texts.
        cases: usize,
    },
}

/// A vocabulary of n-grams with their weights, learned from training texts.
///
/// Serialised it takes about 13 bytes an n-gram.
///
/// ```
/// use deferral_data::text::NgramSpec;
/// let spec = NgramSpec { words: [1, 1], characters: [0, 0], min_cases: 1, ..NgramSpec::default() };
/// let tfidf = spec.fit(&["a red house", "a blue house"])?;
/// assert_eq!(tfidf.dim(), 4);
/// let features = tfidf.transform(&["red red wine"]);
/// assert_eq!(features.case(0).len(), 1); // only "red" is known
/// assert_eq!(features.case(0)[0].1, 1.0); // and each case has length 1
/// # Ok::<(), deferral_data::text::NgramError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tfidf {
    words: [u8; 2],
    characters: [u8; 2],
    sublinear: bool,
    word_part: Vocabulary,
    character_part: Vocabulary,
}

/// The n-grams of one kind in the order of their hashes, each with its inverse document frequency.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Vocabulary {
    hashes: Vec<u64>,
    idf: Vec<f32>,
}

impl NgramSpec {
    /// Learns which n-grams there are and how rare each is, from the training texts only.
    ///
    /// O(total length x longest n-gram) time; at its peak about 30 bytes a different n-gram beside the texts.
    ///
    /// # Errors
    /// If a parameter is outside its range or no n-gram is frequent enough.
    pub fn fit(&self, texts: &[&str]) -> Result<Tfidf, NgramError> {
        self.check()?;
        let mut kept = self.frequent(texts, Kind::Word);
        kept.extend(self.frequent(texts, Kind::Character));
        if kept.is_empty() {
            return Err(NgramError::NoNgram { min_cases: self.min_cases, cases: texts.len() });
        }
        kept.sort_unstable_by_key(|ngram| (std::cmp::Reverse(ngram.cases), ngram.hash, ngram.kind));
        kept.truncate(self.max_features);
        Ok(Tfidf {
            words: self.words,
            characters: self.characters,
            sublinear: self.sublinear,
            word_part: Vocabulary::new(&kept, Kind::Word, texts.len()),
            character_part: Vocabulary::new(&kept, Kind::Character, texts.len()),
        })
    }

    fn check(&self) -> Result<(), ParameterError> {
        ngrams::check("words", self.words)?;
        ngrams::check("characters", self.characters)?;
        let some = self.words != [0, 0] || self.characters != [0, 0];
        ParameterError::check(some, "characters", "[0, 0]", "another range, as words is [0, 0] too")?;
        ParameterError::check(self.min_cases >= 1, "min-cases", self.min_cases, "1 or more")?;
        ParameterError::check(self.max_features >= 1, "max-features", self.max_features, "1 or more")?;
        let countable = u32::try_from(self.max_features).is_ok();
        ParameterError::check(countable, "max-features", self.max_features, "below 2^32")
    }

    fn lengths(&self, kind: Kind) -> [u8; 2] {
        match kind {
            Kind::Word => self.words,
            Kind::Character => self.characters,
        }
    }

    /// The n-grams of one kind that stand in enough cases, in no order.
    fn frequent(&self, texts: &[&str], kind: Kind) -> Vec<Ngram> {
        let mut cases_with: HashMap<u64, u32> = HashMap::new();
        let mut hashes = Vec::new();
        for text in texts {
            hashes.clear();
            ngrams::ngrams(text, kind, self.lengths(kind), |hash| hashes.push(hash));
            hashes.sort_unstable();
            hashes.dedup();
            for &hash in &hashes {
                *cases_with.entry(hash).or_insert(0) += 1;
            }
        }
        let enough = cases_with.into_iter().filter(|(_, cases)| *cases >= self.min_cases);
        enough.map(|(hash, cases)| Ngram { hash, cases, kind }).collect()
    }
}

/// An n-gram and the number of training cases it stands in.
struct Ngram {
    hash: u64,
    cases: u32,
    kind: Kind,
}

impl Vocabulary {
    fn new(ngrams: &[Ngram], kind: Kind, n: usize) -> Self {
        let mut known: Vec<(u64, u32)> = ngrams.iter().filter(|g| g.kind == kind).map(|g| (g.hash, g.cases)).collect();
        known.sort_unstable();
        let idf = |cases: u32| ((1.0 + n as f64) / (1.0 + f64::from(cases))).ln() + 1.0;
        Self {
            hashes: known.iter().map(|(hash, _)| *hash).collect(),
            idf: known.iter().map(|&(_, cases)| idf(cases) as f32).collect(),
        }
    }

    /// Position and inverse document frequency of an n-gram.
    fn look_up(&self, hash: u64) -> Option<(usize, f32)> {
        let at = self.hashes.binary_search(&hash).ok()?;
        Some((at, *self.idf.get(at)?))
    }
}

impl Tfidf {
    /// Number of features.
    pub fn dim(&self) -> usize {
        self.word_part.hashes.len() + self.character_part.hashes.len()
    }

    /// The features of `texts`: one case a text, of length 1 or empty if no n-gram of it is known.
    /// Word n-grams come before character n-grams. O(total length x longest n-gram).
    pub fn transform(&self, texts: &[&str]) -> SparseFeatures {
        let mut features = SparseFeatures::new(self.dim());
        let mut entries = Vec::new();
        let mut hashes = Vec::new();
        for text in texts {
            entries.clear();
            self.part(text, Kind::Word, &mut hashes, &mut entries);
            let words = entries.len();
            self.part(text, Kind::Character, &mut hashes, &mut entries);
            scale(&mut entries, words);
            let pushed = features.push(&entries);
            debug_assert!(pushed.is_ok(), "n-gram entries are finite and within the vocabulary");
        }
        features
    }

    /// Appends the entries of one kind, not yet scaled, in the order of the vocabulary.
    fn part(&self, text: &str, kind: Kind, hashes: &mut Vec<u64>, entries: &mut Vec<(u32, f32)>) {
        let (lengths, vocabulary, offset) = match kind {
            Kind::Word => (self.words, &self.word_part, 0),
            Kind::Character => (self.characters, &self.character_part, self.word_part.hashes.len()),
        };
        hashes.clear();
        ngrams::ngrams(text, kind, lengths, |hash| hashes.push(hash));
        hashes.sort_unstable();
        for equal in hashes.chunk_by(|a, b| a == b) {
            if let Some((at, idf)) = vocabulary.look_up(equal[0]) {
                let count = equal.len() as f32;
                let tf = if self.sublinear { 1.0 + count.ln() } else { count };
                entries.push(((offset + at) as u32, tf * idf));
            }
        }
    }
}

/// Scales the word entries and the character entries to the same length, all together to length 1.
fn scale(entries: &mut [(u32, f32)], words: usize) {
    let (words, characters) = entries.split_at_mut(words);
    let parts = f64::from(u8::from(!words.is_empty()) + u8::from(!characters.is_empty()));
    for part in [words, characters] {
        let square: f64 = part.iter().map(|(_, v)| f64::from(*v) * f64::from(*v)).sum();
        let factor = (1.0 / (square * parts).sqrt()) as f32;
        for (_, value) in part {
            *value *= factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use proptest::prelude::*;

    fn words_only(min_cases: u32) -> NgramSpec {
        NgramSpec { words: [1, 1], characters: [0, 0], min_cases, ..NgramSpec::default() }
    }

    fn values(features: &SparseFeatures, case: usize) -> Vec<f32> {
        let mut values: Vec<f32> = features.case(case).iter().map(|(_, v)| *v).collect();
        values.sort_by(f32::total_cmp);
        values
    }

    #[test]
    fn weights_by_hand() {
        // n = 2; "a" in both cases: idf 1; "b" in one: ln(3/2) + 1. Twice "b": tf 1 + ln 2.
        let tfidf = words_only(1).fit(&["a", "a b"]).unwrap();
        let (a, b) = (1.0, (1.5f64.ln() + 1.0) * (1.0 + 2f64.ln()));
        let length = f64::hypot(a, b);
        let found = values(&tfidf.transform(&["b A, b!"]), 0);
        assert!((f64::from(found[0]) - a / length).abs() < 1e-6 && (f64::from(found[1]) - b / length).abs() < 1e-6);
        let raw = NgramSpec { sublinear: false, ..words_only(1) }.fit(&["a", "a b"]).unwrap();
        let (b, found) = (2.0 * (1.5f64.ln() + 1.0), values(&raw.transform(&["b a b"]), 0));
        assert!((f64::from(found[1]) / f64::from(found[0]) - b / a).abs() < 1e-6);
    }

    #[test]
    fn words_and_characters_weigh_the_same() {
        let spec = NgramSpec { min_cases: 1, ..NgramSpec::default() };
        let tfidf = spec.fit(&["some words here", "and there"]).unwrap();
        let features = tfidf.transform(&["some words"]);
        let word_features = words_only(1).fit(&["some words here", "and there"]).unwrap().dim() + 3; // and 3 bigrams
        let square = |of: &dyn Fn(u32) -> bool| -> f64 {
            features.case(0).iter().filter(|(f, _)| of(*f)).map(|(_, v)| f64::from(*v).powi(2)).sum()
        };
        assert!((square(&|f| (f as usize) < word_features) - 0.5).abs() < 1e-6);
        assert!((square(&|f| (f as usize) >= word_features) - 0.5).abs() < 1e-6);
    }

    #[test]
    fn rare_ngrams_are_left_out_and_the_most_frequent_kept() {
        let texts = ["a b c", "a b", "a d"];
        assert_eq!(words_only(2).fit(&texts).unwrap().dim(), 2);
        let one = NgramSpec { max_features: 1, ..words_only(1) }.fit(&texts).unwrap();
        assert_eq!(one.transform(&["a", "b c d"]).entries(), 1);
    }

    #[test]
    fn bad_parameters_are_named() {
        let refuse = |spec: NgramSpec| spec.fit(&["a"]).unwrap_err().to_string();
        let base = NgramSpec::default;
        assert_eq!(
            refuse(NgramSpec { words: [2, 1], ..base() }),
            "words is [2, 1], but must be [shortest, longest] with 1 <= shortest <= longest <= 16, or [0, 0] for none"
        );
        assert!(refuse(NgramSpec { characters: [1, 17], ..base() }).starts_with("characters is [1, 17]"));
        assert!(refuse(NgramSpec { words: [0, 0], characters: [0, 0], ..base() }).contains("as words is [0, 0] too"));
        assert_eq!(refuse(NgramSpec { min_cases: 0, ..base() }), "min-cases is 0, but must be 1 or more");
        assert_eq!(refuse(NgramSpec { max_features: 0, ..base() }), "max-features is 0, but must be 1 or more");
        assert_eq!(
            refuse(base()),
            "no n-gram stands in at least 2 of the 1 training texts; lower min-cases or give more text"
        );
    }

    #[test]
    fn a_spec_from_a_file_is_strict_and_has_defaults() {
        let spec: NgramSpec = serde_json::from_str(r#"{"min-cases": 3}"#).unwrap();
        assert_eq!(spec, NgramSpec { min_cases: 3, ..NgramSpec::default() });
        assert!(serde_json::from_str::<NgramSpec>(r#"{"min-case": 3}"#).unwrap_err().to_string().contains("min-case"));
    }

    #[test]
    fn the_crowd_corpus_has_a_vocabulary_of_usual_size() {
        let Some(texts) = testing::mturk() else { return };
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let tfidf = NgramSpec::default().fit(&texts).unwrap();
        assert!((15_000..25_000).contains(&tfidf.dim()), "{}", tfidf.dim());
        let features = tfidf.transform(&texts);
        assert!((0..features.n()).all(|case| !features.case(case).is_empty()));
    }

    proptest! {
        #[test]
        fn every_training_text_has_length_one_or_is_empty(texts in proptest::collection::vec(any::<String>(), 1..12)) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            if let Ok(tfidf) = (NgramSpec { min_cases: 1, ..NgramSpec::default() }).fit(&texts) {
                let features = tfidf.transform(&texts);
                prop_assert_eq!((features.n(), features.dim()), (texts.len(), tfidf.dim()));
                for (case, text) in texts.iter().enumerate() {
                    let entries = features.case(case);
                    let square: f64 = entries.iter().map(|(_, v)| f64::from(*v).powi(2)).sum();
                    prop_assert!(entries.is_empty() || (square - 1.0).abs() < 1e-5, "{}", square);
                    prop_assert_eq!(entries.is_empty(), text.trim().is_empty());
                    prop_assert!(entries.windows(2).all(|pair| pair[0].0 < pair[1].0));
                }
            }
        }

        #[test]
        fn the_order_of_the_training_texts_does_not_matter(mut texts in proptest::collection::vec("[a-d ]{0,9}", 2..9)) {
            let fit = |texts: &[String]| {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                NgramSpec { min_cases: 1, max_features: 7, ..NgramSpec::default() }.fit(&texts)
            };
            let before = fit(&texts);
            texts.reverse();
            prop_assert_eq!(before, fit(&texts));
        }
    }
}
