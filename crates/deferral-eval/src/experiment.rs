//! What is to be compared: data, methods, splits, repetitions, seed. Pure description; `run` carries it out.

use std::sync::Arc;

use deferral_core::{Features, ParameterError, Stream};
use deferral_data::text::{NgramSpec, WordVectors};
use deferral_data::{FeatureSpec, FeaturiseError, Featuriser, Inputs, Records, Scale, TextFeatures};

use crate::division::Division;
use crate::methods::{FeatureKind, Method};
use crate::source::{Panel, Source};

/// An experiment.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// Where cases come from.
    pub source: Source,
    /// Who the experts are.
    pub panel: Panel,
    /// How cases are divided into training and test.
    pub division: Division,
    /// How often, each time with other draws; folds are all run in each. 1 or more.
    pub repetitions: usize,
    /// What is compared.
    pub methods: Vec<Method>,
    /// How cases become features.
    pub features: FeatureChoice,
    /// The group attribute that results are shown by, and that stratified splits use.
    pub group: Option<String>,
    /// The seed of every draw.
    pub seed: u64,
}

/// How cases become features, as far as methods leave it open.
#[derive(Debug, Clone, Default)]
pub struct FeatureChoice {
    /// For every method that does not say; without it linear models see n-grams and networks their main directions.
    pub kind: Option<FeatureKind>,
    /// Word vectors, where a method wants them.
    pub vectors: Option<Arc<WordVectors>>,
    /// Which n-grams.
    pub ngrams: NgramSpec,
    /// Main directions kept; 100 if not given.
    pub dim: Option<usize>,
    /// Whether dense features are standardised; what suits the kind if not given.
    pub scale: Option<Scale>,
}

impl FeatureChoice {
    /// The kind of features that `method` sees on `inputs`.
    pub fn kind_for(&self, method: &Method, inputs: &Inputs) -> FeatureKind {
        let by_default = match (&inputs.text, method.prefers_sparse) {
            (None, _) => FeatureKind::Numeric,
            (Some(_), true) => FeatureKind::Ngrams,
            (Some(_), false) => FeatureKind::Svd,
        };
        let kind = method.features.or(self.kind).unwrap_or(by_default);
        let blind = !method.looks_at_cases() || (kind == FeatureKind::Numeric && inputs.numeric.is_none());
        if blind { FeatureKind::Nothing } else { kind }
    }

    /// Learns features of a kind from the cases `train`; `None` where nothing is to be looked at.
    pub(crate) fn fit(
        &self,
        kind: FeatureKind,
        inputs: &Inputs,
        train: &[usize],
        stream: &Stream,
    ) -> Result<Option<Featuriser>, FeaturiseError> {
        match kind {
            FeatureKind::Nothing => Ok(None),
            _ if inputs.is_none() => Err(FeaturiseError::NoText),
            _ => self.spec(kind).fit(inputs, train, self.vectors.as_ref(), stream).map(Some),
        }
    }

    /// The recipe for a kind.
    pub fn spec(&self, kind: FeatureKind) -> FeatureSpec {
        let text = match kind {
            FeatureKind::Numeric | FeatureKind::Nothing => None,
            FeatureKind::Ngrams => Some(TextFeatures::Ngrams(self.ngrams.clone())),
            FeatureKind::Svd => Some(TextFeatures::Svd { ngrams: self.ngrams.clone(), dim: self.dim.unwrap_or(100) }),
            FeatureKind::Vectors => Some(TextFeatures::Vectors),
        };
        FeatureSpec { text, scale: self.scale }
    }
}

/// The features of `records`; without a featuriser nothing is looked at.
pub(crate) fn features_of(featuriser: Option<&Featuriser>, records: &Records) -> Result<Features, FeaturiseError> {
    featuriser.map_or_else(|| Ok(Features::none(records.n())), |featuriser| featuriser.transform(&records.inputs))
}

/// One unit of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Which repetition.
    pub repetition: usize,
    /// Which fold of it.
    pub fold: usize,
}

/// More test sets than this are a slip of the keyboard.
const MOST_JOBS: usize = 10_000_000;

impl Experiment {
    /// Number of experts, where it is known before anything is drawn.
    pub fn experts(&self) -> Option<usize> {
        match (&self.panel, &self.source) {
            (Panel::Biased { panel, .. }, _) => Some(panel.biased + panel.flipped),
            (Panel::Recorded, Source::Table(records)) => Some(records.experts.len()),
            (Panel::Recorded, Source::Clusters(_) | Source::Moderation(_)) => None,
        }
    }

    /// All jobs, in order.
    ///
    /// # Errors
    /// If there is no method or no repetition, or there are not as many cases as folds.
    pub fn plan(&self) -> Result<Vec<Job>, ParameterError> {
        ParameterError::check(self.repetitions > 0, "the number of repetitions", self.repetitions, "1 or more")?;
        ParameterError::check(!self.methods.is_empty(), "the number of methods", 0, "1 or more")?;
        let folds = self.division.folds(self.source.n())?;
        let jobs = self.repetitions.saturating_mul(folds);
        let expected = format!("at most {MOST_JOBS}");
        ParameterError::check(jobs <= MOST_JOBS, "the number of repetitions times folds", jobs, &expected)?;
        let of_repetition = |repetition| (0..folds).map(move |fold| Job { repetition, fold });
        Ok((0..self.repetitions).flat_map(of_repetition).collect())
    }
}
