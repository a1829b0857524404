//! What a closed loop runs on: cases, everybody's labels, what is known of people beforehand, and the truth.

use std::borrow::Cow;
use std::sync::Arc;

use deferral_allocation::{Prior, Setting};
use deferral_core::{CaseId, CaseView, Dataset, GroupAttribute, Label, ParameterError, Stream};
use deferral_experts::{OwnClusters, RaterPools};

use crate::error::EvalError;

/// The truth, or one of several.
#[derive(Debug, Clone, PartialEq)]
pub struct Gold {
    /// What it is called in tables.
    pub name: String,
    /// The label of each case, `None` where it is not known.
    pub labels: Vec<Option<Label>>,
}

/// Cases with everybody's labels, whose group is known, and which annotators know which group.
///
/// ```
/// use deferral_core::Stream;
/// use deferral_eval::closed_loop::LoopData;
/// use deferral_experts::{OwnClusters, RaterPools};
/// let clusters = OwnClusters { cases: 30, ..OwnClusters::default() }.generate(&Stream::new(1))?;
/// let similarity = |annotator, group| OwnClusters::similarity(annotator, group, 0.3);
/// let data = LoopData::new(clusters, OwnClusters::ATTRIBUTE, vec![0, 1, 2], similarity)?;
/// assert_eq!((data.setting().annotators(), data.setting().features, data.golds().len()), (3, 2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LoopData {
    data: Dataset,
    attribute: GroupAttribute,
    own: Vec<usize>,
    golds: Vec<Gold>,
    setting: Setting,
}

impl LoopData {
    /// Data whose labels are the gold `label`. `own` is the group that each of the m annotators knows; `similarity` says
    /// how well an annotator suits a group, in [0, 1], as it is known beforehand.
    ///
    /// # Errors
    /// If there is no such attribute or features are sparse, there is not one own group for each annotator, or a
    /// similarity is not in [0, 1].
    pub fn new(
        data: Dataset,
        attribute: &str,
        own: Vec<usize>,
        similarity: impl FnMut(usize, usize) -> f64,
    ) -> Result<Self, EvalError> {
        let attribute = data.cases().group(attribute)?.clone();
        let expected = format!("{}, one for each annotator", data.m());
        ParameterError::check(own.len() == data.m(), "the number of own groups", own.len(), &expected)?;
        let dim = data.cases().dim();
        let dense = dim == 0 || data.cases().features().as_dense().is_some();
        ParameterError::check(dense, "the kind of features", "sparse", "dense")?;
        let prior = Prior::from_fn(data.m(), attribute.len(), similarity)?;
        let setting = Setting::new(dim, data.k(), prior);
        setting.check()?;
        let golds = vec![Gold { name: "label".to_owned(), labels: data.cases().labels().to_vec() }];
        Ok(Self { data, attribute, own, golds, setting })
    }

    /// The same data with these golds instead of its labels.
    ///
    /// # Errors
    /// If a gold has not one entry a case, or there is none.
    pub fn with_golds(mut self, golds: Vec<Gold>) -> Result<Self, EvalError> {
        ParameterError::check(!golds.is_empty(), "the number of golds", 0, "1 or more")?;
        for gold in &golds {
            let expected = format!("{}, one for each case", self.data.n());
            let parameter = format!("the number of labels of the gold `{}`", gold.name);
            ParameterError::check(gold.labels.len() == self.data.n(), &parameter, gold.labels.len(), &expected)?;
        }
        self.golds = golds;
        Ok(self)
    }

    /// The cases and the labels of the annotators.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// The golds that methods are judged by, 1 or more.
    pub fn golds(&self) -> &[Gold] {
        &self.golds
    }

    /// What an allocator is told before its first case.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// The group attribute.
    pub fn attribute(&self) -> &GroupAttribute {
        &self.attribute
    }

    /// Whether `annotator` knows the group of `case`.
    pub fn is_own(&self, annotator: usize, case: usize) -> bool {
        self.own.get(annotator) == Some(&self.attribute.of_case[case].index())
    }

    /// What is seen of a case, with its group or without.
    pub(super) fn view(&self, case: usize, with_group: bool) -> CaseView<'_> {
        let features = self.data.cases().features().as_dense().map_or(&[][..], |columns| columns.column(case));
        CaseView { case: CaseId::at(case), features, group: with_group.then(|| self.attribute.of_case[case]) }
    }
}

/// Where the data of a trial come from.
#[derive(Debug, Clone, PartialEq)]
pub enum World {
    /// Clusters that one annotator each knows (E7, E8).
    Clusters {
        /// Their parameters.
        clusters: OwnClusters,
        /// How little the prior says, s: 0 everything, 2/3 nothing. Published: .3.
        noise: f64,
        /// How wrong it is: it takes annotator j for one of cluster j + `rotation`. Published: 0.
        rotation: usize,
    },
    /// Rater pools, with an objective and a subjective gold (E9); an annotator suits the group that they are of.
    Pools(RaterPools),
    /// These data in every trial.
    Given(Arc<LoopData>),
}

impl World {
    /// Clusters with a prior that is noisy but not wrong.
    pub fn clusters(clusters: OwnClusters, noise: f64) -> Self {
        Self::Clusters { clusters, noise, rotation: 0 }
    }

    pub(super) fn draw(&self, stream: &Stream) -> Result<Cow<'_, LoopData>, EvalError> {
        Ok(match self {
            Self::Clusters { clusters, noise, rotation } => {
                let range = (0.0..=1.0).contains(noise);
                ParameterError::check(range, "the noise of the prior", noise, "a number from 0 to 1")?;
                Cow::Owned(draw_clusters(clusters, *noise, *rotation, stream)?)
            }
            Self::Pools(pools) => Cow::Owned(draw_pools(pools, stream)?),
            Self::Given(data) => Cow::Borrowed(data),
        })
    }
}

fn draw_clusters(clusters: &OwnClusters, noise: f64, rotation: usize, stream: &Stream) -> Result<LoopData, EvalError> {
    let data = clusters.generate(stream)?;
    let own = (0..data.m()).map(OwnClusters::own_cluster).collect();
    let similarity = |annotator, group| OwnClusters::similarity(annotator + rotation, group, noise);
    LoopData::new(data, OwnClusters::ATTRIBUTE, own, similarity)
}

fn draw_pools(pools: &RaterPools, stream: &Stream) -> Result<LoopData, EvalError> {
    let rated = pools.generate(stream)?;
    let objective = Gold { name: "objective".to_owned(), labels: rated.data.cases().labels().to_vec() };
    let subjective = Gold { name: "subjective".to_owned(), labels: rated.subjective.into_iter().map(Some).collect() };
    let own = rated.pools.clone();
    let similarity = |rater: usize, group: usize| f64::from(u8::from(own[rater] == group));
    LoopData::new(rated.data, RaterPools::ATTRIBUTE, rated.pools, similarity)?.with_golds(vec![objective, subjective])
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{ExpertId, Features, GroupId};

    fn clusters() -> OwnClusters {
        OwnClusters { cases: 30, ..OwnClusters::default() }
    }

    #[test]
    fn a_rotated_prior_takes_each_for_another() {
        let draw = |rotation| World::Clusters { clusters: clusters(), noise: 0.3, rotation };
        let (right, wrong) = (draw(0), draw(1));
        let of = |world: &World, group| {
            world.draw(&Stream::new(1)).unwrap().setting().prior.of(ExpertId(0), Some(GroupId(group)))
        };
        assert_eq!([0, 1, 2].map(|group| of(&right, group)), [0.7, 0.15, 0.15]);
        assert_eq!([0, 1, 2].map(|group| of(&wrong, group)), [0.15, 0.7, 0.15]);
        let data = wrong.draw(&Stream::new(1)).unwrap();
        assert!(data.is_own(0, 0) && !data.is_own(0, 1) && data.is_own(1, 1), "who knows what does not change");
    }

    #[test]
    fn pools_have_two_golds() {
        let world = World::Pools(RaterPools { comments: 20, ..RaterPools::default() });
        let data = world.draw(&Stream::new(1)).unwrap();
        assert_eq!(data.golds().iter().map(|gold| gold.name.as_str()).collect::<Vec<_>>(), ["objective", "subjective"]);
        assert_eq!(data.setting().prior.of(ExpertId(952), Some(GroupId(2))), 1.0);
        assert_eq!(data.view(0, false).features.len(), 25);
    }

    #[test]
    fn mistakes_are_named() {
        let message = |noise| World::clusters(clusters(), noise).draw(&Stream::new(1)).unwrap_err().to_string();
        assert_eq!(message(1.5), "the noise of the prior is 1.5, but must be a number from 0 to 1");
        let data = || clusters().generate(&Stream::new(1)).unwrap();
        let own = LoopData::new(data(), "cluster", vec![0], |_, _| 0.5).unwrap_err().to_string();
        assert_eq!(own, "the number of own groups is 1, but must be 3, one for each annotator");
        let group = LoopData::new(data(), "dialect", vec![0; 3], |_, _| 0.5).unwrap_err().to_string();
        assert_eq!(group, "there is no group attribute `dialect`; known: cluster");
        let data = LoopData::new(data(), "cluster", vec![0; 3], |_, _| 0.5).unwrap();
        let gold = Gold { name: "g".to_owned(), labels: Vec::new() };
        let message = data.clone().with_golds(vec![gold]).unwrap_err().to_string();
        assert_eq!(message, "the number of labels of the gold `g` is 0, but must be 30, one for each case");
        assert!(data.with_golds(Vec::new()).is_err());
    }

    #[test]
    fn features_may_be_missing() {
        let without = clusters().generate(&Stream::new(1)).unwrap().with_features(Features::none(30)).unwrap();
        let data = LoopData::new(without, "cluster", vec![0, 1, 2], |_, _| 0.5).unwrap();
        assert!(data.view(3, true).features.is_empty());
        assert_eq!(data.view(4, true).group, Some(GroupId(1)));
    }
}
