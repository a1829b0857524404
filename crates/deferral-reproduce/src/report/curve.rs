//! A method at several efforts: what it reaches with how many labels per case.

use super::Studies;
use crate::experiment::{Curve as Spec, Statistic};

/// Points by rising labels per case.
pub(super) struct Curve(pub(super) Vec<(f64, f64)>);

/// What a curve has at a number of labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reading {
    /// It has no point with so few.
    Below,
    /// Straight between two points: who decides some cases in one way and the rest in the other is there.
    At(f64),
    /// Its last point, which needs no more than these.
    Beyond {
        /// Labels per case of that point.
        labels: f64,
        value: f64,
    },
}

impl Curve {
    /// What was measured of a curve.
    pub(super) fn of(spec: &Spec, study: &str, measure: &str, studies: &Studies<'_>) -> Self {
        let study = spec.study.as_deref().unwrap_or(study);
        Self::through(spec.methods.iter().filter_map(|method| studies.effort(study, method, measure)))
    }

    fn through(points: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut points: Vec<(f64, f64)> = points.collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Self(points)
    }

    /// Read off at some labels per case.
    pub(super) fn at(&self, labels: f64) -> Reading {
        // Labels per case are means: what differs in the last digits is the same.
        let same = |a: f64| (a - labels).abs() < 1e-9;
        let above = self.0.partition_point(|(at, _)| *at <= labels || same(*at));
        match (above.checked_sub(1).map(|below| self.0[below]), self.0.get(above)) {
            (None, _) => Reading::Below,
            (Some(below), _) if same(below.0) => Reading::At(below.1),
            (Some(last), None) => Reading::Beyond { labels: last.0, value: last.1 },
            (Some(below), Some(above)) => {
                Reading::At(below.1 + (above.1 - below.1) * (labels - below.0) / (above.0 - below.0))
            }
        }
    }
}

impl Reading {
    /// The number, if there is one.
    pub(super) fn value(self) -> Option<f64> {
        match self {
            Self::Below => None,
            Self::At(value) | Self::Beyond { value, .. } => Some(value),
        }
    }
}

impl Studies<'_> {
    /// Labels per case of a method, and a measure of it.
    pub(super) fn effort(&self, study: &str, method: &str, measure: &str) -> Option<(f64, f64)> {
        let results = self.results(study)?;
        let mean = |measure: &str| results.statistic(method, measure, Statistic::Mean);
        Some((mean("labels")?, mean(measure)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_straight_between_points_and_end_at_the_last() {
        let curve = Curve::through([(4.0, 0.9), (1.0, 0.6), (2.0, 0.7)].into_iter());
        assert_eq!(curve.at(0.5), Reading::Below);
        assert_eq!([curve.at(1.0), curve.at(4.0)], [Reading::At(0.6), Reading::At(0.9)]);
        assert!((curve.at(3.0).value().unwrap() - 0.8).abs() < 1e-12);
        assert_eq!(curve.at(9.0), Reading::Beyond { labels: 4.0, value: 0.9 });
        assert_eq!(Curve::through(std::iter::empty()).at(1.0).value(), None);
    }
}
