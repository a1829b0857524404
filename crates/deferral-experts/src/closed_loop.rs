//! Three clusters in the plane, each of which one kind of annotator knows and the others get wrong: a closed loop has to
//! find out who knows what without ever seeing the truth.

use deferral_core::{
    CaseId, Cases, Columns, Dataset, DecisionsBuilder, ExpertId, Features, GroupAttribute, GroupId, Label, Names,
    ParameterError, Stream,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::cluster_shape::ClusterShape;
use crate::error::{ExpertError, check_probability};

/// The group attribute.
const CLUSTER: &str = "cluster";
/// Its values, which also name the annotators who know them.
const CLUSTERS: [&str; 3] = ["orange", "blue", "green"];
/// How far the mean of a cluster lies from that of the one before, along both axes.
const STEP: f64 = 2.5;

/// The synthetic data of Keswani, Celis, Kenthapadi and Lease (2022, section 3).
///
/// mu ~ U(0,1)^2 and the variances Sigma = diag(U(0,1), U(0,1)) are drawn once. A third of the cases each is
/// N(mu, Sigma) (orange), N(mu + 2.5, Sigma) (blue) and N(mu + 5, Sigma) (green); labels are coin flips, so that no
/// model can tell them. Annotator j knows cluster j modulo 3 and is right there with probability `own`, elsewhere with
/// `elsewhere`; everybody labels every case. With the published numbers two wrong annotators mostly agree, and outvote
/// the one who knows. Clusters alternate from case to case. 2 features, 2 classes. O(cases x annotators).
///
/// ```
/// use deferral_core::Stream;
/// use deferral_experts::OwnClusters;
/// let data = OwnClusters { cases: 100, ..OwnClusters::default() }.generate(&Stream::new(1))?;
/// // A third of 100 is 33, three times.
/// assert_eq!((data.n(), data.m(), data.k(), data.cases().dim()), (99, 3, 2, 2));
/// assert_eq!(data.cases().group("cluster")?.counts(), [33, 33, 33]);
/// assert_eq!([0, 1].map(|group| OwnClusters::similarity(0, group, 0.3)), [0.7, 0.15]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnClusters {
    /// Cases, at least 3; what three clusters cannot share is left out. Published and default: 10,000, which are 9,999.
    pub cases: usize,
    /// Annotators who know each cluster, at least 1. Published and default: 1.
    pub per_cluster: usize,
    /// The probability that an annotator is right on their own cluster. Published and default: 1.
    pub own: f64,
    /// The probability that they are right elsewhere. Published and default: .2.
    pub elsewhere: f64,
}

impl Default for OwnClusters {
    fn default() -> Self {
        Self { cases: 10_000, per_cluster: 1, own: 1.0, elsewhere: 0.2 }
    }
}

impl OwnClusters {
    /// The group attribute of the data.
    pub const ATTRIBUTE: &'static str = CLUSTER;

    /// Draws the cases and everybody's labels. Case i, with its labels, depends on the stream, on i and on the numbers of
    /// this type but for the number of cases.
    ///
    /// # Errors
    /// If a number is outside its range.
    pub fn generate(&self, stream: &Stream) -> Result<Dataset, ExpertError> {
        self.check()?;
        let (n, m) = (self.cases / CLUSTERS.len() * CLUSTERS.len(), self.annotators());
        let shape = ClusterShape::draw(&mut stream.child("shape").random());
        let stream = stream.child("cases");
        let mut values = Vec::with_capacity(2 * n);
        let mut labels = Vec::with_capacity(n);
        let mut decisions = DecisionsBuilder::new();
        for case in 0..n {
            let mut rng = stream.at(case);
            let cluster = case % CLUSTERS.len();
            values.extend(shape.point(STEP * cluster as f64, &mut rng));
            let label = u16::from(rng.random::<bool>());
            labels.push(Some(Label(label)));
            for annotator in 0..m {
                let right = rng.random::<f64>() < self.accuracy(annotator, cluster);
                decisions.push(CaseId::at(case), ExpertId::at(annotator), Label(if right { label } else { 1 - label }));
            }
        }
        let cases = Cases::new(Names::numbered("case", n), Features::dense(Columns::from_values(2, values))?)?;
        let cases = cases.with_labels(labels)?.with_group(clusters(n))?;
        let decisions = decisions.build(n, m)?;
        Ok(Dataset::new(cases, decisions, Names::numbered("", 2), self.names())?)
    }

    /// Number of annotators, m.
    pub fn annotators(&self) -> usize {
        CLUSTERS.len() * self.per_cluster
    }

    /// The cluster that `annotator` knows.
    pub fn own_cluster(annotator: usize) -> usize {
        annotator % CLUSTERS.len()
    }

    /// The probability that `annotator` is right on `cluster`.
    pub fn accuracy(&self, annotator: usize, cluster: usize) -> f64 {
        if Self::own_cluster(annotator) == cluster { self.own } else { self.elsewhere }
    }

    /// What the prior says of how well `annotator` suits `cluster`, dSim: 1 - s for their own, s/2 for the others. The
    /// noise s goes from 0 (everything is known) to 2/3 (nothing is).
    pub fn similarity(annotator: usize, cluster: usize, noise: f64) -> f64 {
        if Self::own_cluster(annotator) == cluster { 1.0 - noise } else { noise / 2.0 }
    }

    fn check(&self) -> Result<(), ParameterError> {
        let least = CLUSTERS.len();
        ParameterError::check(self.cases >= least, "the number of cases", self.cases, "at least 3, one a cluster")?;
        let each = self.per_cluster;
        ParameterError::check(each > 0, "the number of annotators per cluster", each, "at least 1")?;
        check_probability("the accuracy `own`", self.own)?;
        check_probability("the accuracy `elsewhere`", self.elsewhere)
    }

    /// `orange`, `blue`, `green`, then `orange 2` and so on.
    fn names(&self) -> Names {
        let name = |annotator: usize| match (CLUSTERS[Self::own_cluster(annotator)], annotator / CLUSTERS.len()) {
            (colour, 0) => colour.to_owned(),
            (colour, more) => format!("{colour} {}", more + 1),
        };
        (0..self.annotators()).map(name).collect()
    }
}

fn clusters(n: usize) -> GroupAttribute {
    GroupAttribute {
        name: CLUSTER.to_owned(),
        values: CLUSTERS.iter().collect(),
        of_case: (0..n).map(|case| GroupId::at(case % CLUSTERS.len())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generate(clusters: OwnClusters, seed: u64) -> Dataset {
        clusters.generate(&Stream::new(seed)).unwrap()
    }

    /// Mean and variance of one feature of the cases of a cluster.
    fn moments(data: &Dataset, cluster: usize, axis: usize) -> (f64, f64) {
        let columns = data.cases().features().as_dense().unwrap();
        let values: Vec<f64> = (cluster..data.n()).step_by(3).map(|case| columns.column(case)[axis]).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n)
    }

    #[test]
    fn the_published_size_and_shape() {
        let data = generate(OwnClusters::default(), 1);
        assert_eq!((data.n(), data.m()), (9_999, 3));
        assert!(data.decisions().is_complete());
        assert_eq!(data.experts().iter().collect::<Vec<_>>(), CLUSTERS);
        for axis in 0..2 {
            let of = [0, 1, 2].map(|cluster| moments(&data, cluster, axis));
            for (cluster, (mean, variance)) in of.iter().enumerate() {
                // 3333 points of variance below 1: a mean errs by .017, a variance by .025; four of these, for both.
                assert!((mean - of[0].0 - 2.5 * cluster as f64).abs() < 0.1, "{of:?}");
                assert!((variance - of[0].1).abs() < 0.15, "{of:?}");
            }
            assert!((-0.1..1.1).contains(&of[0].0) && (0.0..1.15).contains(&of[0].1), "{of:?}");
        }
        let ones = data.cases().labels().iter().filter(|label| **label == Some(Label(1))).count() as f64;
        assert!((ones / 9_999.0 - 0.5).abs() < 0.02, "{ones}");
    }

    #[test]
    fn annotators_know_their_cluster_and_mislead_elsewhere() {
        let data = generate(OwnClusters { per_cluster: 2, own: 0.9, ..OwnClusters::default() }, 2);
        assert_eq!(data.experts().name(4), Some("blue 2"));
        for annotator in 0..6 {
            for cluster in 0..3 {
                let cases: Vec<usize> = (cluster..data.n()).step_by(3).collect();
                let right = |case: &&usize| {
                    data.decisions().get(CaseId::at(**case), ExpertId::at(annotator)) == data.cases().labels()[**case]
                };
                let share = cases.iter().filter(right).count() as f64 / cases.len() as f64;
                let expected = if annotator % 3 == cluster { 0.9 } else { 0.2 };
                // Four standard deviations of a share of 3333.
                assert!((share - expected).abs() < 0.028, "annotator {annotator}, cluster {cluster}: {share}");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_data_and_more_cases_keep_the_first() {
        let all = generate(OwnClusters { cases: 60, ..OwnClusters::default() }, 1);
        assert_eq!(all, generate(OwnClusters { cases: 60, ..OwnClusters::default() }, 1));
        assert_ne!(all, generate(OwnClusters { cases: 60, ..OwnClusters::default() }, 2));
        let first: Vec<usize> = (0..21).collect();
        assert_eq!(generate(OwnClusters { cases: 23, ..OwnClusters::default() }, 1), all.select(&first));
    }

    #[test]
    fn the_noise_goes_from_knowing_all_to_knowing_nothing() {
        let row = |noise| [0, 1, 2].map(|cluster| OwnClusters::similarity(4, cluster, noise));
        assert_eq!(row(0.0), [0.0, 1.0, 0.0]);
        assert!(row(2.0 / 3.0).iter().all(|similarity| (similarity - 1.0 / 3.0).abs() < 1e-12));
    }

    #[test]
    fn parameters_are_checked() {
        let message = |change: fn(&mut OwnClusters)| {
            let mut clusters = OwnClusters::default();
            change(&mut clusters);
            clusters.generate(&Stream::new(1)).unwrap_err().to_string()
        };
        assert_eq!(message(|c| c.cases = 2), "the number of cases is 2, but must be at least 3, one a cluster");
        assert_eq!(message(|c| c.per_cluster = 0), "the number of annotators per cluster is 0, but must be at least 1");
        assert_eq!(message(|c| c.own = 1.5), "the accuracy `own` is 1.5, but must be a probability, from 0 to 1");
        assert!(message(|c| c.elsewhere = f64::NAN).starts_with("the accuracy `elsewhere` is NaN"));
    }
}
