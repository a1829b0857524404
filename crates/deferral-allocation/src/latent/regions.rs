//! Where a case lies: its group if that is known, else what its features say.

use deferral_core::CaseView;
use deferral_models::stable::softmax;
use serde::{Deserialize, Serialize};

/// One region a group, each a normal distribution with a diagonal covariance, learned from the cases whose group is
/// known by Welford's running moments.
///
/// Means and variances are pulled towards those of all cases by one case, so that a region seen once, or never, has a
/// density too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Regions {
    features: usize,
    of_group: Vec<Region>,
    /// The cases of all regions.
    all: Region,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Region {
    cases: f64,
    mean: Vec<f64>,
    /// Sums of squared deviations from the mean.
    squares: Vec<f64>,
}

/// Regions to which a case may belong and the probability of each, without those that are next to impossible.
pub(crate) type Membership = Vec<(usize, f64)>;

/// A probability below which a region is passed over.
const IMPOSSIBLE: f64 = 1e-6;

impl Regions {
    pub(crate) fn new(regions: usize, features: usize) -> Self {
        let region = Region { cases: 0.0, mean: vec![0.0; features], squares: vec![0.0; features] };
        Self { features, of_group: vec![region.clone(); regions], all: region }
    }

    pub(crate) fn len(&self) -> usize {
        self.of_group.len()
    }

    /// Learns where the group of a case lies, if it has one that is known. O(d).
    pub(crate) fn learn(&mut self, case: CaseView<'_>) {
        let Some(region) = case.group.and_then(|group| self.of_group.get_mut(group.index())) else { return };
        if case.features.len() != self.features || case.features.iter().any(|x| !x.is_finite()) {
            return;
        }
        region.learn(case.features);
        self.all.learn(case.features);
    }

    /// The regions of a case: its group's alone if it is known, else each by its share and density. O(1), or O(G d).
    pub(crate) fn of(&self, case: CaseView<'_>) -> Membership {
        if let Some(group) = case.group.filter(|group| group.index() < self.len()) {
            return vec![(group.index(), 1.0)];
        }
        let mut probabilities = self.scores(case.features);
        softmax(&mut probabilities);
        let best = probabilities.iter().copied().fold(0.0, f64::max);
        if !best.is_finite() || best <= 0.0 {
            let even = 1.0 / self.len() as f64;
            return (0..self.len()).map(|region| (region, even)).collect();
        }
        let mut membership: Membership = probabilities.into_iter().enumerate().collect();
        membership.retain(|(_, probability)| *probability > IMPOSSIBLE);
        let total: f64 = membership.iter().map(|(_, probability)| probability).sum();
        for (_, probability) in &mut membership {
            *probability /= total;
        }
        membership
    }

    /// The log of share times density of each region, but for a constant.
    fn scores(&self, features: &[f64]) -> Vec<f64> {
        let shares = self.of_group.iter().map(|region| (region.cases + 1.0).ln());
        if features.len() != self.features || features.iter().any(|x| !x.is_finite()) || self.len() == 1 {
            return shares.collect();
        }
        shares.zip(&self.of_group).map(|(share, region)| share + region.log_density(features, &self.all)).collect()
    }
}

impl Region {
    fn learn(&mut self, features: &[f64]) {
        self.cases += 1.0;
        for ((x, mean), squares) in features.iter().zip(&mut self.mean).zip(&mut self.squares) {
            let deviation = x - *mean;
            *mean += deviation / self.cases;
            *squares += deviation * (x - *mean);
        }
    }

    /// The log of the density, but for a constant that all regions share.
    fn log_density(&self, features: &[f64], all: &Region) -> f64 {
        let mut log = 0.0;
        for (at, x) in features.iter().enumerate() {
            let typical = all.squares[at] / all.cases.max(1.0);
            // A feature that has always been the same tells no region from another.
            if typical > 0.0 {
                let mean = (self.cases * self.mean[at] + all.mean[at]) / (self.cases + 1.0);
                let variance = (self.squares[at] + typical) / (self.cases + 1.0);
                log -= 0.5 * (variance.ln() + (x - mean).powi(2) / variance);
            }
        }
        log
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{CaseId, GroupId};

    fn case(features: &[f64], group: Option<u32>) -> CaseView<'_> {
        CaseView { case: CaseId(0), features, group: group.map(GroupId) }
    }

    fn learned() -> Regions {
        let mut regions = Regions::new(3, 2);
        for at in 0..200 {
            let noise = f64::from(at % 7) - 3.0;
            regions.learn(case(&[noise, 5.0], Some(0)));
            regions.learn(case(&[noise + 20.0, 5.0], Some(1)));
        }
        regions
    }

    #[test]
    fn a_known_group_is_the_region() {
        assert_eq!(learned().of(case(&[0.0, 5.0], Some(1))), [(1, 1.0)]);
    }

    #[test]
    fn features_tell_where_a_case_without_group_lies() {
        let regions = learned();
        let most = |x: f64| regions.of(case(&[x, 5.0], None)).into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        assert!(most(1.0).0 == 0 && most(1.0).1 > 0.9, "{:?}", most(1.0));
        assert!(most(19.0).0 == 1 && most(19.0).1 > 0.9, "{:?}", most(19.0));
        let total: f64 = regions.of(case(&[10.0, 5.0], None)).iter().map(|(_, p)| p).sum();
        assert!((total - 1.0).abs() < 1e-12);
    }

    #[test]
    fn strange_features_leave_the_shares() {
        let regions = learned();
        for features in [&[][..], &[1.0], &[f64::NAN, 5.0], &[f64::INFINITY, 5.0]] {
            let membership = regions.of(case(features, Some(9)));
            let shares: Vec<f64> = membership.iter().map(|(_, p)| (p * 403.0).round()).collect();
            assert_eq!(shares, [201.0, 201.0, 1.0]);
        }
        let mut same = regions.clone();
        same.learn(case(&[f64::NAN, 1.0], Some(0)));
        same.learn(case(&[1.0], Some(0)));
        same.learn(case(&[1.0, 1.0], None));
        assert_eq!(same, regions);
        assert_eq!(Regions::new(1, 0).of(case(&[], None)), [(0, 1.0)]);
    }

    #[test]
    fn numbers_far_out_are_no_reason_to_fail() {
        let membership = learned().of(case(&[1e300, 5.0], None));
        assert!((membership.iter().map(|(_, p)| p).sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
