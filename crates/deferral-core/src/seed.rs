//! Randomness that depends on names and positions only, never on threads or on the order of work.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The generator behind every draw.
pub type Random = ChaCha8Rng;

/// A named source of independent random streams.
///
/// Its key is the blake3 digest of the run's seed and of the path of names that led here; stream `i` of a source is
/// the `ChaCha8` stream with that key and number. So a draw depends on (seed, path, index) and on nothing else.
///
/// ```
/// use deferral_core::Stream;
/// use rand::Rng;
/// let fold = Stream::new(7).child("fold").child("3");
/// assert_eq!(fold.at(5).next_u64(), Stream::new(7).child("fold").child("3").at(5).next_u64());
/// assert_ne!(fold.at(5).next_u64(), fold.at(6).next_u64());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    key: [u8; 32],
}

impl Stream {
    /// The root of a run.
    pub fn new(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"deferral stream 1").update(&seed.to_le_bytes());
        Self { key: *hasher.finalize().as_bytes() }
    }

    /// The source called `name` below this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        Self { key: *blake3::keyed_hash(&self.key, name.as_bytes()).as_bytes() }
    }

    /// The source of item `index` below this one: for a repetition or a fold that has streams of its own.
    #[must_use]
    pub fn nth(&self, index: usize) -> Self {
        Self { key: *blake3::keyed_hash(&self.key, &(index as u64).to_le_bytes()).as_bytes() }
    }

    /// Stream `index` of this source. Cheap: no hashing.
    pub fn at(&self, index: usize) -> Random {
        let mut random = ChaCha8Rng::from_seed(self.key);
        random.set_stream(index as u64);
        random
    }

    /// The only stream of a source that is asked for one.
    pub fn random(&self) -> Random {
        self.at(0)
    }
}
