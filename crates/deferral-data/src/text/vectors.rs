//! Word vectors in GloVe's text format, and the mean vector of a text.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use deferral_core::Names;
use deferral_core::files::FileError;
use serde::{Deserialize, Serialize};

use super::tokens::tokens;

/// A vector of d numbers for each of many words.
///
/// Words are looked up by [`tokens`] of a text; a token without a vector is tried without its `#`, then as a contraction
/// (`can't` as `ca`, `n't`, which is how GloVe's corpora were cut), then by its parts between hyphens.
///
/// ```
/// use deferral_data::text::WordVectors;
/// use std::path::Path;
/// let file = "good 1 0\nbad -1 0\nn't 0 3\n";
/// let vectors = WordVectors::read_from(file.as_bytes(), Path::new("tiny.txt"))?;
/// assert_eq!(vectors.dim(), 2);
/// assert_eq!(vectors.mean_of_known("Good, #good, unheard-of"), Some(vec![1.0, 0.0]));
/// assert_eq!(vectors.mean_of_known("unheard"), None);
/// # Ok::<(), deferral_data::text::VectorsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WordVectors {
    dim: usize,
    words: Names,
    values: Vec<f32>,
    repeated: usize,
}

/// Why word vectors could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VectorsError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file holds no vector.
    #[error("{} holds no word vector; each line must be a word and its numbers, separated by spaces", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// A line is not text.
    #[error("{}, line {line}: not UTF-8; word vectors must be in text format, not binary", path.display())]
    NotUtf8 {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// A line has too many or too few numbers.
    #[error("{}, line {line}: `{word}` has {found} numbers, but {expected} are expected, {because}", path.display())]
    Length {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// The word.
        word: String,
        /// Its numbers.
        found: usize,
        /// Numbers expected.
        expected: usize,
        /// Where that is from.
        because: &'static str,
    },
    /// Something is no finite number.
    #[error("{}, line {line}: number {position} of `{word}` is `{value}`, not a finite number", path.display())]
    NotANumber {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// The word.
        word: String,
        /// Which number, from 1.
        position: usize,
        /// What stands there.
        value: String,
    },
    /// The file ends before it should.
    #[error("{} holds {found} vectors, its first line promises {expected}; it was cut off: fetch it again", path.display())]
    CutOff {
        /// Which file.
        path: PathBuf,
        /// Vectors read.
        found: usize,
        /// Vectors promised.
        expected: usize,
    },
}

impl WordVectors {
    /// Reads a file in GloVe's text format, of any dimension: on each line a word and its d numbers, separated by single
    /// spaces. A first line of two whole numbers is taken as word2vec's header (number of words, d). Of a repeated word the
    /// first vector is kept, see [`WordVectors::repeated`].
    ///
    /// Reads line by line: 4 bytes a number and about 60 a word.
    ///
    /// # Errors
    /// [`VectorsError`] names the file and the line.
    pub fn read(path: &Path) -> Result<Self, VectorsError> {
        let file = File::open(path).map_err(|e| FileError::read(path, e))?;
        Self::read_from(file, path)
    }

    /// The same from any source; `path` is for messages.
    ///
    /// # Errors
    /// As [`WordVectors::read`].
    pub fn read_from(source: impl Read, path: &Path) -> Result<Self, VectorsError> {
        let mut source = BufReader::new(source);
        let mut reading = Reading::new(path);
        let mut bytes = Vec::new();
        while source.read_until(b'\n', &mut bytes).map_err(|e| FileError::read(path, e))? > 0 {
            reading.line(&bytes)?;
            bytes.clear();
        }
        reading.finish()
    }

    /// Length of each vector, d.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there is no word; never so after reading.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Lines that were left out because their word had stood before.
    pub fn repeated(&self) -> usize {
        self.repeated
    }

    /// The vector of a word, written as in the file.
    pub fn vector(&self, word: &str) -> Option<&[f32]> {
        let start = self.words.position(word)? * self.dim;
        self.values.get(start..start + self.dim)
    }

    /// The vectors of what is known of a token: of itself, or of its parts.
    fn vectors_of<'a>(&'a self, token: &str, found: &mut Vec<&'a [f32]>) {
        let bare = token.strip_prefix('#').filter(|rest| !rest.is_empty()).unwrap_or(token);
        if let Some(vector) = self.vector(token).or_else(|| self.vector(bare)) {
            found.push(vector);
        } else if let Some((stem, ending)) = contraction(bare) {
            found.extend([stem, ending].iter().filter_map(|part| self.vector(part)));
        } else {
            found.extend(bare.split('-').filter_map(|part| self.vector(part)));
        }
    }

    /// Whether a text has a mean vector: whether any of its tokens is known. O(length of the text), and the look-ups up to
    /// the first token that is known.
    pub fn knows(&self, text: &str) -> bool {
        let mut found = Vec::new();
        tokens(text).iter().any(|token| {
            self.vectors_of(token, &mut found);
            !found.is_empty()
        })
    }

    /// The mean vector of the known tokens of a text; `None` if none is known. O(length of the text + d tokens).
    pub fn mean_of_known(&self, text: &str) -> Option<Vec<f64>> {
        let mut found = Vec::new();
        for token in tokens(text) {
            self.vectors_of(&token, &mut found);
        }
        let mut mean = vec![0.0; self.dim];
        for vector in &found {
            for (sum, value) in mean.iter_mut().zip(*vector) {
                *sum += f64::from(*value) / found.len() as f64;
            }
        }
        (!found.is_empty()).then_some(mean)
    }
}

/// Stem and ending of an English contraction, as the Penn Treebank cuts it.
fn contraction(word: &str) -> Option<(&str, &str)> {
    let ending = ["n't", "'s", "'re", "'ve", "'ll", "'d", "'m"].into_iter().find(|ending| word.ends_with(ending))?;
    Some(word.split_at(word.len() - ending.len()))
}

/// The vectors read so far.
struct Reading<'a> {
    path: &'a Path,
    line: usize,
    promised: Option<usize>,
    because: &'static str,
    vectors: WordVectors,
}

impl<'a> Reading<'a> {
    fn new(path: &'a Path) -> Self {
        let vectors = WordVectors { dim: 0, words: Names::new(), values: Vec::new(), repeated: 0 };
        Self { path, line: 0, promised: None, because: "", vectors }
    }

    fn line(&mut self, bytes: &[u8]) -> Result<(), VectorsError> {
        self.line += 1;
        let text = std::str::from_utf8(bytes)
            .map_err(|_| VectorsError::NotUtf8 { path: self.path.to_owned(), line: self.line })?;
        let text = text.trim_end_matches(['\n', '\r', ' ']);
        if text.is_empty() {
            return Ok(());
        }
        let (word, numbers) = text.split_once(' ').unwrap_or((text, ""));
        if self.line == 1 && self.header(word, numbers) {
            return Ok(());
        }
        let (word, numbers) = self.spaced_word(text).unwrap_or((word, numbers));
        let found = numbers.split(' ').filter(|n| !n.is_empty()).count();
        if self.vectors.dim == 0 {
            (self.vectors.dim, self.because) = (found.max(1), "as on the first line");
        }
        self.expect_length(word, found)?;
        self.add(word, numbers)
    }

    /// A word that holds spaces itself, as some of the published files have: what stands before the last d fields, if
    /// there is more than one field there and the further ones are no numbers.
    fn spaced_word<'t>(&self, text: &'t str) -> Option<(&'t str, &'t str)> {
        let dim = Some(self.vectors.dim).filter(|dim| *dim > 0)?;
        let (at, _) = text.rmatch_indices(' ').nth(dim - 1)?;
        let (word, numbers) = (&text[..at], &text[at + 1..]);
        let is_word = |field: &str| field.parse::<f64>().is_err();
        word.split(' ').skip(1).any(is_word).then_some((word, numbers))
    }

    /// Whether the first line is a header; takes note of it then.
    fn header(&mut self, words: &str, dim: &str) -> bool {
        let (Ok(words), Ok(dim)) = (words.parse(), dim.parse()) else { return false };
        self.promised = Some(words);
        (self.vectors.dim, self.because) = (dim, "as the header says");
        true
    }

    fn expect_length(&self, word: &str, found: usize) -> Result<(), VectorsError> {
        let (expected, because) = (self.vectors.dim, self.because);
        if found == expected {
            return Ok(());
        }
        let (path, word) = (self.path.to_owned(), word.to_owned());
        Err(VectorsError::Length { path, line: self.line, word, found, expected, because })
    }

    fn add(&mut self, word: &str, numbers: &str) -> Result<(), VectorsError> {
        let before = self.vectors.values.len();
        for (i, value) in numbers.split(' ').filter(|n| !n.is_empty()).enumerate() {
            match value.parse::<f32>() {
                Ok(number) if number.is_finite() => self.vectors.values.push(number),
                _ => {
                    return Err(VectorsError::NotANumber {
                        path: self.path.to_owned(),
                        line: self.line,
                        word: word.to_owned(),
                        position: i + 1,
                        value: value.to_owned(),
                    });
                }
            }
        }
        let known = self.vectors.words.len();
        if self.vectors.words.intern(word) < known {
            self.vectors.values.truncate(before);
            self.vectors.repeated += 1;
        }
        Ok(())
    }

    fn finish(self) -> Result<WordVectors, VectorsError> {
        let path = self.path.to_owned();
        let found = self.vectors.len() + self.vectors.repeated;
        match self.promised {
            _ if found == 0 => Err(VectorsError::Empty { path }),
            Some(expected) if found < expected => Err(VectorsError::CutOff { path, found, expected }),
            _ => Ok(self.vectors),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<WordVectors, String> {
        WordVectors::read_from(bytes, Path::new("v.txt")).map_err(|e| e.to_string())
    }

    #[test]
    fn words_may_hold_spaces() {
        let file = "the 1 2\n. . 3 4\nat me@x.org 5 6\n";
        let vectors = WordVectors::read_from(file.as_bytes(), Path::new("v.txt")).unwrap();
        assert_eq!((vectors.len(), vectors.vector("at me@x.org")), (3, Some(&[5.0f32, 6.0][..])));
        let long = WordVectors::read_from("the 1 2\na 1 2 3\n".as_bytes(), Path::new("v.txt"));
        assert!(long.unwrap_err().to_string().contains("`a` has 3 numbers"));
    }

    #[test]
    fn any_dimension_any_word() {
        let vectors = read("\u{a0}ä 1e-3\r\n. -2 \n".as_bytes()).unwrap();
        assert_eq!((vectors.dim(), vectors.len()), (1, 2));
        assert_eq!(vectors.vector("\u{a0}ä"), Some(&[1e-3][..]));
        assert_eq!(vectors.vector("."), Some(&[-2.0][..]));
    }

    #[test]
    fn a_header_is_tolerated_and_believed() {
        let vectors = read(b"2 3\na 1 2 3\nb 4 5 6\n").unwrap();
        assert_eq!((vectors.dim(), vectors.len()), (3, 2));
        assert_eq!(
            read(b"2 3\na 1 2\n").unwrap_err(),
            "v.txt, line 2: `a` has 2 numbers, but 3 are expected, as the header says"
        );
        assert_eq!(
            read(b"3 1\na 1\nb 2\n").unwrap_err(),
            "v.txt holds 2 vectors, its first line promises 3; it was cut off: fetch it again"
        );
        assert!(read(b"1 18446744073709551615\na 1\n").unwrap_err().contains("18446744073709551615 are expected"));
    }

    #[test]
    fn the_first_of_repeated_words_is_kept() {
        let vectors = read(b"a 1\nb 2\na 3\n").unwrap();
        assert_eq!((vectors.len(), vectors.repeated()), (2, 1));
        assert_eq!((vectors.vector("a"), vectors.vector("b")), (Some(&[1.0][..]), Some(&[2.0][..])));
    }

    #[test]
    fn errors_name_file_and_line() {
        for empty in ["", "\n\n", "0 5\n"] {
            assert!(read(empty.as_bytes()).unwrap_err().starts_with("v.txt holds no word vector"), "{empty:?}");
        }
        assert_eq!(
            read(b"a 1 2\nb 1 2 3\n").unwrap_err(),
            "v.txt, line 2: `b` has 3 numbers, but 2 are expected, as on the first line"
        );
        assert!(read(b"a\n").unwrap_err().starts_with("v.txt, line 1: `a` has 0 numbers"));
        for bad in ["x", "NaN", "inf", "1e99", "1,5"] {
            let message = read(format!("a 1 2\nb 1 {bad}\n").as_bytes()).unwrap_err();
            assert_eq!(message, format!("v.txt, line 2: number 2 of `b` is `{bad}`, not a finite number"));
        }
        assert_eq!(
            read(b"a 1\n\xff 1\n").unwrap_err(),
            "v.txt, line 2: not UTF-8; word vectors must be in text format, not binary"
        );
        let missing = WordVectors::read(Path::new("no-such")).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read no-such"), "{missing}");
    }

    #[test]
    fn tokens_are_tried_whole_then_in_parts() {
        let vectors = read(b"ca 1\nn't 3\nwell 5\nknown 7\n#tag 9\ntag 11\n").unwrap();
        let mean = |text: &str| vectors.mean_of_known(text).map(|mean| mean[0]);
        assert_eq!(mean("can't"), Some(2.0));
        assert_eq!(mean("can\u{2019}t"), Some(2.0));
        assert_eq!(mean("well-known"), Some(6.0));
        assert_eq!(mean("#tag tag"), Some(10.0));
        assert_eq!(mean("#well @known http://known"), Some(5.0));
        assert_eq!(mean(""), None);
    }

    #[test]
    fn most_tokens_of_the_corpora_are_known() {
        let Some(path) = testing::data("glove/glove.6B.50d.subset.txt") else { return };
        let (Some((davidson, _)), Some(mturk)) = (testing::davidson(), testing::mturk()) else { return };
        let vectors = WordVectors::read(&path).unwrap();
        assert_eq!((vectors.dim(), vectors.len(), vectors.repeated()), (50, 17_472, 0));
        let (mut known, mut all) = (0, 0);
        for text in davidson.iter().chain(&mturk) {
            let tokens = tokens(text);
            known += tokens.iter().filter(|token| vectors.mean_of_known(token).is_some()).count();
            all += tokens.len();
        }
        assert!(known as f64 / all as f64 > 0.94, "{known} of {all}");
        // One post of the crowd's has no known word, as in the papers.
        assert_eq!(mturk.iter().filter(|text| vectors.mean_of_known(text).is_none()).count(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Ok(vectors) = read(&bytes) {
                prop_assert!(!vectors.is_empty() && vectors.dim() > 0);
            }
        }

        #[test]
        fn any_text_has_a_finite_mean_or_none(text: String) {
            let vectors = read("a 1 2\ni 3 4\n. 5 6\n".as_bytes()).unwrap();
            if let Some(mean) = vectors.mean_of_known(&text) {
                prop_assert!(vectors.knows(&text));
                prop_assert!(mean.len() == 2 && mean[0] >= 1.0 && mean[0] <= 5.0 + 1e-9, "{:?}", mean);
            } else {
                prop_assert!(!vectors.knows(&text));
            }
        }
    }
}
