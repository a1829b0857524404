//! Where the clusters of a synthetic data set in the plane lie, and how wide they are.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

/// mu ~ U(0,1)^2 and the variances U(0,1), drawn once for all clusters.
pub(crate) struct ClusterShape {
    mean: [f64; 2],
    deviation: [f64; 2],
}

impl ClusterShape {
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        let mean = [rng.random(), rng.random()];
        // The published covariances have uniform variances.
        let deviation = [rng.random::<f64>().sqrt(), rng.random::<f64>().sqrt()];
        Self { mean, deviation }
    }

    /// A point of the cluster whose mean lies `offset` from mu along both axes.
    pub(crate) fn point(&self, offset: f64, rng: &mut impl Rng) -> [f64; 2] {
        [0, 1].map(|axis| self.mean[axis] + offset + self.deviation[axis] * rng.sample::<f64, _>(StandardNormal))
    }
}
