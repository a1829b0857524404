//! The n-grams of a text as 64-bit hashes: compact, and the same on every machine.
//!
//! A vocabulary of hashes needs 8 bytes an n-gram instead of its spelling. With a million different n-grams the chance
//! that any two of them share a hash is about 3 in 100 million.

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use deferral_core::ParameterError;

/// Which n-grams are looked at: the shortest and the longest, or `[0, 0]` for none.
pub(super) type Lengths = [u8; 2];

/// The longest n-gram that may be asked for.
const LONGEST: u8 = 16;

/// Which of the two kinds of n-grams a hash stands for; they are normalised separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Kind {
    Word,
    Character,
}

/// Calls `found` with the hash of every n-gram of `text`, as often as it occurs. O(length x longest n-gram).
pub(super) fn ngrams(text: &str, kind: Kind, lengths: Lengths, mut found: impl FnMut(u64)) {
    let text = text.to_lowercase();
    match kind {
        Kind::Word => {
            let words: Vec<&str> = text.unicode_words().collect();
            windows(&words, lengths, |hash, word| hash.add(word.as_bytes()).add(b" "), Hash::new(b'w'), &mut found);
        }
        Kind::Character => {
            let mut padded = Vec::new();
            for stretch in text.split_whitespace() {
                padded.clear();
                padded.push(' ');
                padded.extend(stretch.chars());
                padded.push(' ');
                let add = |hash: Hash, c: &char| hash.add(c.encode_utf8(&mut [0; 4]).as_bytes());
                windows(&padded, lengths, add, Hash::new(b'c'), &mut found);
            }
        }
    }
}

/// Hashes every window of `items` that has an allowed length, growing each hash item by item.
fn windows<T>(
    items: &[T],
    [shortest, longest]: Lengths,
    add: impl Fn(Hash, &T) -> Hash,
    empty: Hash,
    found: &mut impl FnMut(u64),
) {
    for start in 0..items.len() {
        let mut hash = empty;
        for (length, item) in (1..=longest).zip(&items[start..]) {
            hash = add(hash, item);
            if length >= shortest {
                found(hash.finish());
            }
        }
    }
}

/// Whether `lengths` make sense.
pub(super) fn check(what: &str, lengths: Lengths) -> Result<(), ParameterError> {
    let [shortest, longest] = lengths;
    let ok = lengths == [0, 0] || (shortest >= 1 && shortest <= longest && longest <= LONGEST);
    let expected = format!("[shortest, longest] with 1 <= shortest <= longest <= {LONGEST}, or [0, 0] for none");
    ParameterError::check(ok, what, format!("[{shortest}, {longest}]"), &expected)
}

/// A 64-bit hash that grows byte by byte (FNV-1a), its bits mixed at the end.
#[derive(Clone, Copy)]
struct Hash(u64);

impl Hash {
    fn new(kind: u8) -> Self {
        Self(0xcbf2_9ce4_8422_2325).add(&[kind])
    }

    fn add(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    fn finish(self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn counts(text: &str, kind: Kind, lengths: Lengths) -> BTreeMap<u64, usize> {
        let mut counts = BTreeMap::new();
        ngrams(text, kind, lengths, |hash| *counts.entry(hash).or_default() += 1);
        counts
    }

    #[test]
    fn words_one_and_two() {
        // a b a b: a 2, b 2, "a b" 2, "b a" 1.
        let mut found: Vec<usize> = counts("A b, a B!", Kind::Word, [1, 2]).into_values().collect();
        found.sort_unstable();
        assert_eq!(found, [1, 2, 2, 2]);
    }

    #[test]
    fn characters_stay_within_padded_words() {
        // " ab ": " a", "ab", "b ", " ab", "ab ", each in both words.
        let found = counts("ab\tAB", Kind::Character, [2, 3]);
        assert_eq!(found.len(), 5);
        assert!(found.values().all(|&count| count == 2));
    }

    #[test]
    fn a_word_is_not_the_characters_it_is_written_with() {
        let words = counts("ab", Kind::Word, [1, 1]);
        let characters = counts("ab", Kind::Character, [1, 4]);
        assert!(words.keys().all(|hash| !characters.contains_key(hash)));
        assert_ne!(counts("ab c", Kind::Word, [2, 2]), counts("a bc", Kind::Word, [2, 2]));
    }

    #[test]
    fn hashes_are_the_same_on_every_machine() {
        let found: Vec<u64> = counts("case", Kind::Word, [1, 1]).into_keys().collect();
        assert_eq!(found, [14_535_015_263_036_196_607]);
    }
}
