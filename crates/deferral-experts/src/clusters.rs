//! Three clusters in the plane, of which a classifier knows one and each of two experts another.

use deferral_core::{Cases, Columns, Dataset, Features, GroupAttribute, Label, Names, ParameterError, Stream};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::cluster_shape::ClusterShape;
use crate::error::ExpertError;
use crate::expert::{boxed, panel};
use crate::specialist::Specialist;

/// The group attribute.
const CLUSTER: &str = "cluster";
/// Its values.
const CLUSTERS: [&str; 3] = ["orange", "blue", "green"];

/// The synthetic data of Keswani, Lease and Kenthapadi (AIES 2021, section 3.1): only a model and two experts together
/// can be right everywhere.
///
/// mu ~ U(0,1)^2 and the variances Sigma = diag(U(0,1), U(0,1)) are drawn once. Half of the orange third is N(mu, Sigma)
/// with label 1 and half N(mu + 3, Sigma) with label 0; blue is N(mu + 6, Sigma) and green N(mu + 9, Sigma), where
/// labels are coin flips that no feature tells. Expert 1 is right on blue, expert 2 on green, and both toss a coin
/// elsewhere. Clusters alternate from case to case, so that every run of cases holds a third of each.
///
/// ```
/// use deferral_core::Stream;
/// use deferral_experts::ThreeClusters;
/// let data = ThreeClusters::default().generate(&Stream::new(1))?;
/// assert_eq!((data.n(), data.m(), data.k(), data.cases().dim()), (1000, 2, 2, 2));
/// assert_eq!(data.cases().group("cluster")?.counts(), [334, 333, 333]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThreeClusters {
    /// Number of cases, at least 1. Published and default: 1000.
    pub cases: usize,
}

impl Default for ThreeClusters {
    fn default() -> Self {
        Self { cases: 1000 }
    }
}

impl ThreeClusters {
    /// Draws the cases and the decisions of both experts on all of them. Case i depends on the stream and on i only.
    ///
    /// # Errors
    /// If no case is asked for.
    pub fn generate(&self, stream: &Stream) -> Result<Dataset, ExpertError> {
        ParameterError::check(self.cases > 0, "the number of cases", self.cases, "at least 1")?;
        let shape = ClusterShape::draw(&mut stream.child("shape").random());
        let points = stream.child("points");
        let mut values = Vec::with_capacity(2 * self.cases);
        let mut labels = Vec::with_capacity(self.cases);
        for case in 0..self.cases {
            let (point, label) = draw_case(&shape, case, &mut points.at(case));
            values.extend(point);
            labels.push(Some(label));
        }
        let cluster = GroupAttribute {
            name: CLUSTER.to_owned(),
            values: CLUSTERS.iter().collect(),
            of_case: (0..self.cases).map(|case| deferral_core::GroupId::at(case % CLUSTERS.len())).collect(),
        };
        let experts = boxed([Specialist::on("blue").build(&cluster)?, Specialist::on("green").build(&cluster)?]);
        let features = Features::dense(Columns::from_values(2, values))?;
        let cases = Cases::new(Names::numbered("case", self.cases), features)?.with_labels(labels)?;
        let cases = cases.with_group(cluster)?;
        let decisions = panel(&experts, &cases, Some(CLUSTER), stream)?;
        let names = ["expert 1", "expert 2"].iter().collect();
        Ok(Dataset::new(cases, decisions, Names::numbered("", 2), names)?)
    }
}

/// Point and label of case number `case`.
fn draw_case(shape: &ClusterShape, case: usize, rng: &mut impl Rng) -> ([f64; 2], Label) {
    let coin = u16::from(rng.random::<bool>());
    let (offset, label) = match (case % 3, case / 3 % 2) {
        (0, 0) => (0.0, 1),
        (0, _) => (3.0, 0),
        (1, _) => (6.0, coin),
        _ => (9.0, coin),
    };
    (shape.point(offset, rng), Label(label))
}
