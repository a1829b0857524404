//! Text to features: tokens, n-grams with TF-IDF weights, latent semantic features and word vectors.

mod model;
mod ngrams;
mod svd;
#[cfg(test)]
pub(crate) mod testing;
mod tfidf;
mod tokens;
mod vectors;

pub use model::TextFeatures;
pub(crate) use model::{TextModel, TextValues};
pub use svd::{Svd, SvdError};
pub use tfidf::{NgramError, NgramSpec, Tfidf};
pub use tokens::tokens;
pub use vectors::{VectorsError, WordVectors};
