//! What the journal keeps of an event, and the chain that holds the records together.

use serde::{Serialize, Serializer};

use crate::event::{Event, Reply};
use crate::spec::LoopSpec;

/// The hash that stands for a record and for all before it. Noted down elsewhere, it shows later whether any of them was
/// changed. As text: 64 hexadecimal digits.
pub type Head = blake3::Hash;

/// How far a chain goes: the number of its last record, 0 if there is none, and the hash of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) sequence: u64,
    pub(super) head: Head,
}

impl Link {
    /// The beginning of a chain: it stands for the parameters, so that they can't be changed either.
    pub(super) fn first(parameters: &[u8]) -> Self {
        let head = blake3::Hasher::new().update(b"deferral journal\0").update(parameters).finalize();
        Self { sequence: 0, head }
    }

    /// The link of the record that comes next. The length of the event keeps bytes from moving to its replies.
    pub(super) fn next(self, event: &[u8], replies: &[u8]) -> Self {
        let sequence = self.sequence + 1;
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.head.as_bytes()).update(&sequence.to_le_bytes());
        hasher.update(&(event.len() as u64).to_le_bytes()).update(event).update(replies);
        Self { sequence, head: hasher.finalize() }
    }
}

/// A record as it lies in the file.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) event: &'a [u8],
    pub(super) replies: &'a [u8],
    pub(super) link: Link,
}

/// An event that changed something, and what was answered. As JSON it is one line of an export.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// Its number, from 1.
    pub sequence: u64,
    /// What happened.
    pub event: Event,
    /// What was answered, committees with their propensities among it.
    pub replies: Vec<Reply>,
    /// The hash of this record and all before it.
    #[serde(serialize_with = "as_text")]
    pub hash: Head,
}

impl Record {
    pub(super) fn read(stored: Stored<'_>) -> Result<Self, serde_json::Error> {
        Ok(Self {
            sequence: stored.link.sequence,
            event: serde_json::from_slice(stored.event)?,
            replies: serde_json::from_slice(stored.replies)?,
            hash: stored.link.head,
        })
    }
}

pub(super) fn as_text<S: Serializer>(head: &Head, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&head.to_hex())
}

/// JSON has no word for other numbers: an event with one could not be read again.
pub(super) fn is_finite(event: &Event) -> bool {
    let optional = |number: &Option<f64>| number.is_none_or(f64::is_finite);
    optional(&event.at())
        && match event {
            Event::Task { features, .. } => features.iter().all(|x| x.is_finite()),
            Event::Join { similarity, cost, budget, .. } => {
                similarity.values().all(|s| s.is_finite()) && optional(cost) && optional(budget)
            }
            Event::Capacity { budget, .. } => optional(budget),
            Event::Vote { .. } | Event::Leave { .. } | Event::Time { .. } => true,
        }
}

/// The first parameter of `asked` that is another one in `kept`.
pub(super) fn difference(kept: &LoopSpec, asked: &LoopSpec) -> String {
    let fields = |spec: &LoopSpec| match serde_json::to_value(spec) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (kept, asked) = (fields(kept), fields(asked));
    let other = kept.iter().find(|(name, value)| asked.get(name.as_str()) != Some(value));
    other.map_or_else(
        || "a number that is not finite".to_owned(),
        |(name, value)| {
            let asked = asked.get(name).unwrap_or(&serde_json::Value::Null);
            format!("`{name}` is {} there, not {}", shortened(value), shortened(asked))
        },
    )
}

/// A team may be large; what differs is known by its name.
fn shortened(value: &serde_json::Value) -> String {
    const SHOWN: usize = 200;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_record_is_in_its_link() {
        let first = Link::first(b"parameters");
        let one = first.next(b"ab", b"c");
        assert_eq!(one.sequence, 1);
        let others = [
            Link::first(b"parameterz").next(b"ab", b"c"),
            first.next(b"a", b"bc"),
            first.next(b"ab", b"d"),
            Link { sequence: 1, ..first }.next(b"ab", b"c"),
        ];
        assert!(others.iter().all(|other| other.head != one.head));
    }

    #[test]
    fn numbers_that_json_cannot_say_are_found() {
        let infinite = |at| Event::Leave { worker: "ann".into(), at: Some(at) };
        assert!(is_finite(&infinite(1.0)) && !is_finite(&infinite(f64::INFINITY)));
        let task = |x| Event::Task { task: "a".into(), features: vec![0.0, x], group: None, at: None };
        assert!(is_finite(&task(1.0)) && !is_finite(&task(f64::NAN)));
        let budget = |budget| Event::Capacity { worker: "ann".into(), capacity: None, budget, at: None };
        assert!(is_finite(&budget(None)) && !is_finite(&budget(Some(f64::NAN))));
    }
}
