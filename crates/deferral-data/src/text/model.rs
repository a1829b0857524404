//! The ways a text becomes features, behind one name.

use std::sync::Arc;

use deferral_core::{Columns, SparseFeatures, Stream};
use serde::{Deserialize, Serialize};

use super::{NgramSpec, Svd, Tfidf, WordVectors};
use crate::featurise::FeaturiseError;

/// What becomes of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum TextFeatures {
    /// TF-IDF of n-grams: sparse, for linear models.
    Ngrams(NgramSpec),
    /// The leading directions of those: dense, for networks.
    Svd {
        /// The n-grams that are decomposed.
        #[serde(default)]
        ngrams: NgramSpec,
        /// Number of directions, d. Default 100.
        #[serde(default = "default_dim")]
        dim: usize,
    },
    /// The mean vector of the known words: dense.
    Vectors,
}

fn default_dim() -> usize {
    100
}

/// What was learned from the training texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum TextModel {
    Ngrams(Tfidf),
    Svd { tfidf: Tfidf, svd: Svd },
    Vectors(#[serde(with = "shared")] Arc<WordVectors>),
}

/// Text features before scaling.
pub(crate) enum TextValues {
    Sparse(SparseFeatures),
    Dense(Columns),
}

impl TextModel {
    /// Learns from the training texts.
    pub(crate) fn fit(
        spec: &TextFeatures,
        texts: &[&str],
        vectors: Option<&Arc<WordVectors>>,
        stream: &Stream,
    ) -> Result<Self, FeaturiseError> {
        Ok(match spec {
            TextFeatures::Ngrams(ngrams) => Self::Ngrams(ngrams.fit(texts)?),
            TextFeatures::Svd { ngrams, dim } => {
                let tfidf = ngrams.fit(texts)?;
                let svd = Svd::fit(&tfidf.transform(texts), *dim, stream)?;
                Self::Svd { tfidf, svd }
            }
            TextFeatures::Vectors => Self::Vectors(Arc::clone(vectors.ok_or(FeaturiseError::NoVectors)?)),
        })
    }

    pub(crate) fn dim(&self) -> usize {
        match self {
            Self::Ngrams(tfidf) => tfidf.dim(),
            Self::Svd { svd, .. } => svd.dim(),
            Self::Vectors(vectors) => vectors.dim(),
        }
    }

    /// The positions of the texts of which nothing is known.
    pub(crate) fn unknown(&self, texts: &[&str]) -> Vec<usize> {
        match self {
            Self::Vectors(vectors) => (0..texts.len()).filter(|&case| !vectors.knows(texts[case])).collect(),
            Self::Ngrams(tfidf) | Self::Svd { tfidf, .. } => empty_cases(&tfidf.transform(texts)),
        }
    }

    /// The features of texts, and the positions of those of which nothing is known.
    pub(crate) fn transform(&self, texts: &[&str]) -> (TextValues, Vec<usize>) {
        match self {
            Self::Ngrams(tfidf) => {
                let sparse = tfidf.transform(texts);
                let unknown = empty_cases(&sparse);
                (TextValues::Sparse(sparse), unknown)
            }
            Self::Svd { tfidf, svd } => {
                let sparse = tfidf.transform(texts);
                (TextValues::Dense(svd.transform(&sparse)), empty_cases(&sparse))
            }
            Self::Vectors(vectors) => {
                let mut values = Columns::zeros(vectors.dim(), texts.len());
                let mut unknown = Vec::new();
                for (case, text) in texts.iter().enumerate() {
                    match vectors.mean_of_known(text) {
                        Some(mean) => values.column_mut(case).copy_from_slice(&mean),
                        None => unknown.push(case),
                    }
                }
                (TextValues::Dense(values), unknown)
            }
        }
    }
}

fn empty_cases(sparse: &SparseFeatures) -> Vec<usize> {
    (0..sparse.n()).filter(|&case| sparse.case(case).is_empty()).collect()
}

/// Word vectors are shared in memory and written out with each artifact.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::text::WordVectors;

    pub(super) fn serialize<S: Serializer>(vectors: &Arc<WordVectors>, to: S) -> Result<S::Ok, S::Error> {
        vectors.as_ref().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<WordVectors>, D::Error> {
        WordVectors::deserialize(from).map(Arc::new)
    }
}
