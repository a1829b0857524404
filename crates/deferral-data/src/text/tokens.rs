//! A text cut into tokens, as people write posts: names and links are nobody's dialect, emoji and tags are.

/// The lower-cased tokens of a post, in order, for word vectors and the dialect model.
///
/// Character references (`&amp;`, `&#128514;`, also torn apart as `& #128514 ;`) are decoded first. Links and
/// `@names` are left out: they say who is spoken to, not what is said. What remains is cut at white space and into
///
/// * words: letters and digits, with apostrophes and hyphens inside (`can't`, `well-known`; a curly apostrophe
///   becomes a straight one),
/// * tags with their sign (`#blessed`),
/// * runs of one repeated sign (`!!!`, `...`), every other sign alone (so each emoji is a token).
///
/// O(length of the text).
///
/// ```
/// use deferral_data::text::tokens;
/// let post = "RT @ann: Can't wait!!! http://t.co/x1 &amp; #Blessed";
/// assert_eq!(tokens(post), ["rt", ":", "can't", "wait", "!!!", "&", "#blessed"]);
/// assert_eq!(tokens("awww...so www.x.org"), ["awww", "...", "so"]);
/// ```
pub fn tokens(text: &str) -> Vec<String> {
    let text = decode_references(text).to_lowercase();
    text.split_whitespace()
        .flat_map(|chunk| Chunk(without_link(chunk)))
        .map(|token| token.replace('\u{2019}', "'"))
        .collect()
}

/// What stands before a link in a stretch without white space; all of it if there is none.
fn without_link(chunk: &str) -> &str {
    // Most stretches have no sign of a link, and looking for words is slower than looking for signs.
    if !chunk.bytes().any(|sign| sign == b'/' || sign == b'.') {
        return chunk;
    }
    let within_word = |at: &usize| chunk[..*at].ends_with(is_word);
    // `awww...` is no link.
    let bare = chunk.find("www.").filter(|at| !within_word(at));
    let link = ["http://", "https://"].iter().filter_map(|start| chunk.find(start)).chain(bare).min();
    link.and_then(|at| chunk.get(..at)).unwrap_or(chunk)
}

/// The tokens of a stretch without white space.
struct Chunk<'a>(&'a str);

impl<'a> Iterator for Chunk<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let first = self.0.chars().next()?;
            let after = &self.0[first.len_utf8()..];
            let follows_word = after.starts_with(is_word);
            let len = match first {
                '@' if follows_word => {
                    self.0 = &after[word_len(after)..];
                    continue;
                }
                '#' if follows_word => first.len_utf8() + word_len(after),
                c if is_word(c) => word_len(self.0),
                c => self.0.find(|other| other != c).unwrap_or(self.0.len()),
            };
            let (token, rest) = self.0.split_at(len);
            self.0 = rest;
            return Some(token);
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_joint(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '-')
}

/// Bytes of the word that `text` begins with; a joint belongs to it when a word goes on behind it.
fn word_len(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let goes_on = chars.peek().is_some_and(|&(_, next)| is_word(next));
        if !(is_word(c) || is_joint(c) && at > 0 && goes_on) {
            return at;
        }
    }
    text.len()
}

/// The text with HTML character references replaced by their characters; what is none stays as it is.
fn decode_references(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let (c, len) = reference(rest).unwrap_or(('&', 1));
        decoded.push(c);
        rest = &rest[len..];
    }
    decoded.push_str(rest);
    decoded
}

/// The character that a reference at the start of `text` stands for, and the reference's length in bytes.
fn reference(text: &str) -> Option<(char, usize)> {
    const LONGEST: usize = 16;
    let end = text.bytes().take(LONGEST).position(|b| b == b';')?;
    let name = text.get(1..end)?.trim();
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => numbered(name.strip_prefix('#')?)?,
    };
    Some((character, end + 1))
}

fn numbered(digits: &str) -> Option<char> {
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    char::from_u32(code.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_links_go_and_the_rest_stays() {
        assert_eq!(tokens("\"@Ann_1: SOOO true\" www.x.y/z ok"), ["\"", ":", "sooo", "true", "\"", "ok"]);
        assert_eq!(tokens("see:https://t.co/abc"), ["see", ":"]);
        assert_eq!(tokens("@ home, a@b"), ["@", "home", ",", "a"]);
    }

    #[test]
    fn words_keep_their_joints_inside_only() {
        assert_eq!(
            tokens("y'all don\u{2019}t -co-op- 'tis rock'"),
            ["y'all", "don't", "-", "co-op", "-", "'", "tis", "rock", "'"]
        );
    }

    #[test]
    fn references_are_decoded_also_when_torn_apart() {
        assert_eq!(tokens("a &#128514;&#128514; & #128514 ; &#x41; &lt;3"), ["a", "😂😂", "😂", "a", "<", "3"]);
        assert_eq!(
            tokens("R&B; &#99999999; &unknown;"),
            ["r", "&", "b", ";", "&", "#99999999", ";", "&", "unknown", ";"]
        );
    }

    proptest! {
        #[test]
        fn any_text_gives_lower_case_tokens_without_space(text: String) {
            for token in tokens(&text) {
                prop_assert!(!token.is_empty() && !token.contains(char::is_whitespace), "{:?}", token);
            }
        }

        #[test]
        fn joining_and_cutting_again_changes_nothing_in_plain_words(words in proptest::collection::vec("[a-z]{1,6}", 0..8)) {
            prop_assert_eq!(tokens(&words.join(" ")), words);
        }
    }
}
