//! The dialect of a post, inferred from its words with the TwitterAAE topic model.
//!
//! Blodgett, Green and O'Connor (2016) fitted a topic model of four demographic topics to geolocated posts and released
//! its word counts N(w, k). Topic 0 goes with African-American English (AAE). The proportions of a new text are inferred
//! by collapsed variational Bayes of order zero (CVB0): each known token holds a distribution over the topics, first
//! proportional to its likelihood `(N(w, k) + 1) / N(k)`, and a sweep replaces each in turn by likelihood times
//! (sum of the others' distributions + alpha). After four sweeps the normalised sum is the text's proportions.
//!
//! That likelihood, alpha = 1, four sweeps, lower-casing and the two thresholds on known tokens are those of the
//! released predictor, whose proportions this reproduces for the same tokens. The choice of tokens is ours: those of
//! [`tokens`](crate::text::tokens) without punctuation, that is words, tags and emoji. Links and `@names` say nothing
//! about a dialect, and the colon and the quotation marks of a quoted post are the platform's. Of the 24,783 posts of
//! the offensive language corpus these tokens call 35 % AAE, white space 33 %, punctuation included 31 %, Unicode words
//! 36 %; the published share, with yet another tokenizer, is about 36 %.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use deferral_core::files::FileError;
use deferral_core::{GroupAttribute, Names};

use crate::text::tokens;

/// Number of topics of the released model.
pub const TOPICS: usize = 4;

/// Pseudo-count of each topic.
const ALPHA: f64 = 1.0;
const SWEEPS: usize = 4;
/// Smallest share of tokens that must be known.
const KNOWN: f64 = 0.2;
/// Proportion of topic 0 from which a text is called AAE.
const AAE: f64 = 0.5;

/// The likelihood of each word under four topics, and the inference of a text's dialect.
///
/// 192 thousand words take about 20 MB.
///
/// ```
/// use deferral_data::DialectModel;
/// let model = DialectModel::from_counts([("finna", [90.0, 10.0, 10.0, 5.0]), ("shall", [5.0, 90.0, 90.0, 90.0])]);
/// assert!(model.is_aae("Finna go"));
/// assert!(!model.is_aae("We shall see"));
/// assert!(!model.is_aae("unknown"), "undetermined counts as other");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DialectModel {
    words: Names,
    likelihoods: Vec<[f64; TOPICS]>,
}

/// Why the dialect model could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialectError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line of the count table is not four counts.
    #[error("{}, line {line}: expected {TOPICS} counts, 0 or more, separated by tabs, found `{found}`", path.display())]
    Counts {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// There is no word in it.
    #[error("{} is empty; take both files of the dialect model from one release", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// The two files do not belong together.
    #[error(
        "{} has {words} words, but {} has {counts} lines of counts; take both from one release",
        vocabulary.display(), table.display()
    )]
    Lengths {
        /// The vocabulary.
        vocabulary: PathBuf,
        /// Its lines.
        words: usize,
        /// The count table.
        table: PathBuf,
        /// Its lines.
        counts: usize,
    },
}

impl DialectModel {
    /// Reads the released files as they are: `model_count_table.txt`, four tab-separated counts a line, and
    /// `model_vocab.txt`, whose lines end in a tab and the word.
    ///
    /// # Errors
    /// If a file cannot be read, a line is malformed, or the files differ in length; with file and line.
    pub fn read(table: &Path, vocabulary: &Path) -> Result<Self, DialectError> {
        let counts = lines(table)?
            .enumerate()
            .map(|(i, line)| counts(&line.map_err(|e| FileError::read(table, e))?, table, i + 1))
            .collect::<Result<Vec<_>, DialectError>>()?;
        let mut words = Vec::with_capacity(counts.len());
        for line in lines(vocabulary)? {
            let line = line.map_err(|e| FileError::read(vocabulary, e))?;
            words.push(line.rsplit('\t').next().unwrap_or_default().trim().to_owned());
        }
        if counts.is_empty() {
            return Err(DialectError::Empty { path: table.to_owned() });
        }
        if words.len() != counts.len() {
            let (vocabulary, table) = (vocabulary.to_owned(), table.to_owned());
            return Err(DialectError::Lengths { vocabulary, words: words.len(), table, counts: counts.len() });
        }
        Ok(Self::from_counts(words.iter().map(String::as_str).zip(counts)))
    }

    /// A model from how often each word stood under each topic. Of a repeated word the first counts are used.
    pub fn from_counts<'a>(counts: impl IntoIterator<Item = (&'a str, [f64; TOPICS])>) -> Self {
        let mut words = Names::new();
        let mut likelihoods = Vec::new();
        let mut totals = [0.0; TOPICS];
        for (word, of_word) in counts {
            for (total, count) in totals.iter_mut().zip(of_word) {
                *total += count;
            }
            if words.intern(word) == likelihoods.len() {
                likelihoods.push(of_word);
            }
        }
        for likelihood in &mut likelihoods {
            for (value, total) in likelihood.iter_mut().zip(totals) {
                // A topic that was never seen has no likelihood to speak of; the released model has none.
                *value = (*value + 1.0) / f64::max(total, 1.0);
            }
        }
        Self { words, likelihoods }
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether the model knows no word.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The proportions of the four topics in a text, summing to 1; `None` if no token or less than a fifth of them is
    /// known. Tokens are lower-cased. O(tokens).
    pub fn proportions<S: AsRef<str>>(&self, tokens: &[S]) -> Option<[f64; TOPICS]> {
        let known: Vec<[f64; TOPICS]> = tokens.iter().filter_map(|token| self.likelihood(token.as_ref())).collect();
        let enough = !known.is_empty() && known.len() as f64 >= KNOWN * tokens.len() as f64;
        enough.then(|| infer(&known))
    }

    fn likelihood(&self, token: &str) -> Option<[f64; TOPICS]> {
        self.likelihoods.get(self.words.position(&token.to_lowercase())?).copied()
    }

    /// Whether at least half of a text is AAE; false also when that cannot be determined.
    pub fn is_aae(&self, text: &str) -> bool {
        let mut tokens = tokens(text);
        tokens.retain(|token| !token.chars().all(is_punctuation));
        self.proportions(&tokens).is_some_and(|proportions| proportions[0] >= AAE)
    }

    /// The group attribute `dialect` of some texts, `AAE` or `other` each.
    pub fn groups<S: AsRef<str>>(&self, texts: &[S]) -> GroupAttribute {
        let dialect = |text: &S| if self.is_aae(text.as_ref()) { "AAE" } else { "other" };
        GroupAttribute::from_values("dialect", texts.iter().map(dialect))
    }
}

/// ASCII punctuation, typographic dashes, quotation marks and the ellipsis.
fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation() || matches!(c, '\u{2010}'..='\u{2027}')
}

/// CVB0 on the likelihoods of the known tokens.
fn infer(likelihoods: &[[f64; TOPICS]]) -> [f64; TOPICS] {
    let mut of_token: Vec<[f64; TOPICS]> = likelihoods.iter().map(|likelihood| normalised(*likelihood)).collect();
    let mut sums = [0.0; TOPICS];
    for distribution in &of_token {
        add(&mut sums, distribution, 1.0);
    }
    for _ in 0..SWEEPS {
        for (distribution, likelihood) in of_token.iter_mut().zip(likelihoods) {
            add(&mut sums, distribution, -1.0);
            *distribution = normalised(std::array::from_fn(|k| likelihood[k] * (sums[k] + ALPHA)));
            add(&mut sums, distribution, 1.0);
        }
    }
    normalised(sums)
}

fn add(sums: &mut [f64; TOPICS], distribution: &[f64; TOPICS], sign: f64) {
    for (sum, value) in sums.iter_mut().zip(distribution) {
        *sum += sign * value;
    }
}

fn normalised(values: [f64; TOPICS]) -> [f64; TOPICS] {
    let total: f64 = values.iter().sum();
    values.map(|value| value / total)
}

fn lines(path: &Path) -> Result<std::io::Lines<BufReader<File>>, FileError> {
    Ok(BufReader::new(File::open(path).map_err(|e| FileError::read(path, e))?).lines())
}

fn counts(line: &str, path: &Path, number: usize) -> Result<[f64; TOPICS], DialectError> {
    let parse = |field: &str| field.trim().parse().ok().filter(|count: &f64| count.is_finite() && *count >= 0.0);
    let parsed: Option<Vec<f64>> = line.split('\t').map(parse).collect();
    parsed.and_then(|counts| counts.try_into().ok()).ok_or_else(|| DialectError::Counts {
        path: path.to_owned(),
        line: number,
        found: line.chars().take(60).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::testing;
    use proptest::prelude::*;

    fn model() -> DialectModel {
        let counts = [
            ("finna", [80.0, 10.0, 0.0, 10.0]),
            ("shall", [9.0, 10.0, 1.0, 80.0]),
            ("the", [100.0, 100.0, 100.0, 100.0]),
        ];
        DialectModel::from_counts(counts)
    }

    #[test]
    fn empty_files_are_no_model() {
        let folder = tempfile::tempdir().unwrap();
        let (table, vocabulary) = (folder.path().join("table.txt"), folder.path().join("vocabulary.txt"));
        std::fs::write(&table, "").unwrap();
        std::fs::write(&vocabulary, "").unwrap();
        let message = DialectModel::read(&table, &vocabulary).unwrap_err().to_string();
        assert!(message.contains("table.txt is empty; take both files"), "{message}");
    }

    #[test]
    fn one_word_by_hand() {
        // Totals 189, 120, 101, 190. One token keeps its normalised likelihood through every sweep.
        let likelihood = [81.0 / 189.0, 11.0 / 120.0, 1.0 / 101.0, 11.0 / 190.0];
        let total: f64 = likelihood.iter().sum();
        let found = model().proportions(&["Finna"]).unwrap();
        for (found, likelihood) in found.iter().zip(likelihood) {
            assert!((found - likelihood / total).abs() < 1e-12, "{found}");
        }
    }

    #[test]
    fn neighbours_pull_a_common_word_along() {
        let together = model().proportions(&["finna", "the"]).unwrap()[0];
        let alone = |word: &str| model().proportions(&[word]).unwrap()[0];
        let apart = f64::midpoint(alone("finna"), alone("the"));
        assert!(together > apart, "{together} {apart}");
    }

    #[test]
    fn a_fifth_of_the_tokens_must_be_known() {
        let tokens = |unknown| [vec!["the"], vec!["?"; unknown]].concat();
        assert!(model().proportions(&tokens(4)).is_some());
        assert!(model().proportions(&tokens(5)).is_none());
        assert!(model().proportions::<&str>(&[]).is_none());
    }

    #[test]
    fn groups_are_named() {
        let groups = model().groups(&["shall we", "finna"]);
        assert_eq!(groups.name, "dialect");
        assert_eq!(groups.values.iter().collect::<Vec<_>>(), ["other", "AAE"]);
        assert_eq!(groups.counts(), [1, 1]);
    }

    fn read(table: &str, vocabulary: &str) -> Result<DialectModel, String> {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["table", "vocabulary"].map(|name| folder.path().join(name));
        std::fs::write(&paths[0], table).unwrap();
        std::fs::write(&paths[1], vocabulary).unwrap();
        DialectModel::read(&paths[0], &paths[1]).map_err(|e| e.to_string())
    }

    #[test]
    fn files_are_read_and_errors_name_file_and_line() {
        assert_eq!(read("1\t2\t3\t4\n0\t0\t0\t1\n", "10\ti\n1\tü\n").unwrap().len(), 2);
        let refused = |table: &str| read(table, "1\ta\n1\tb\n").unwrap_err();
        for bad in ["1\t2\t3", "1\t2\t3\tx", "1\t2\t3\t-4", "1\t2\t3\tNaN", "1 2 3 4"] {
            let message = refused(&format!("1\t2\t3\t4\n{bad}\n"));
            assert!(
                message.contains(&format!(
                    "table, line 2: expected 4 counts, 0 or more, separated by tabs, found `{bad}`"
                )),
                "{message}"
            );
        }
        let message = refused("1\t2\t3\t4\n");
        assert!(message.contains("vocabulary has 2 words, but ") && message.contains("table has 1 lines"), "{message}");
        let missing = DialectModel::read(Path::new("no-such"), Path::new("no-such")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read no-such"), "{missing}");
    }

    #[test]
    fn the_corpus_divides_as_published() {
        let Some((texts, offensive)) = testing::davidson() else { return };
        let (Some(table), Some(vocabulary)) =
            (testing::data("twitteraae/model_count_table.txt"), testing::data("twitteraae/model_vocab.txt"))
        else {
            return;
        };
        let model = DialectModel::read(&table, &vocabulary).unwrap();
        assert_eq!(model.len(), 191_874);
        let counts = |is_aae: &dyn Fn(&str) -> bool| {
            let mut counts = [[0.0; 2]; 2];
            for (text, offensive) in texts.iter().zip(&offensive) {
                counts[usize::from(is_aae(text))][usize::from(*offensive)] += 1.0;
            }
            let [other, aae] = counts;
            ((aae[0] + aae[1]) / texts.len() as f64, aae[1] / (aae[0] + aae[1]), other[1] / (other[0] + other[1]))
        };
        let (share, offensive_aae, offensive_other) = counts(&|text| model.is_aae(text));
        assert!((share - 0.346).abs() < 0.001, "{share}");
        assert!((offensive_aae - 0.964).abs() < 0.015, "{offensive_aae}");
        assert!((offensive_other - 0.764).abs() < 0.01, "{offensive_other}");
        // The share that the released predictor finds with white space as tokenizer.
        let by_space = |text: &str| model.proportions(&text.split_whitespace().collect::<Vec<_>>());
        let (share, ..) = counts(&|text| by_space(text).is_some_and(|p| p[0] >= AAE));
        assert!((share - 0.327).abs() < 0.0005, "{share}");
    }

    proptest! {
        #[test]
        fn any_text_has_proportions_or_none(text: String, words in proptest::collection::vec("finna|shall|the|x", 0..20)) {
            model().is_aae(&text);
            if let Some(proportions) = model().proportions(&words) {
                prop_assert!((proportions.iter().sum::<f64>() - 1.0).abs() < 1e-9);
                prop_assert!(proportions.iter().all(|p| *p >= 0.0));
            }
        }
    }
}
