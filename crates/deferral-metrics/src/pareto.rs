//! What a choice of settings can reach in error and disparity at once.

use serde::{Deserialize, Serialize};

/// A system seen from two sides, both better when smaller.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tradeoff {
    /// Its error, such as the share of cases decided wrongly.
    pub error: f64,
    /// How differently it treats the groups, such as the disparate impact.
    pub disparity: f64,
}

impl Tradeoff {
    /// A point.
    pub fn new(error: f64, disparity: f64) -> Self {
        Self { error, disparity }
    }

    fn is_finite(self) -> bool {
        self.error.is_finite() && self.disparity.is_finite()
    }
}

/// The positions of those points for which no other has both a lower error and a lower disparity, by growing error, then
/// disparity (Madras, Pitassi and Zemel 2018, figures). Points that are equal on one side stay; those that are not finite
/// take no part. O(n log n).
///
/// ```
/// use deferral_metrics::{Tradeoff, pareto_front};
/// let points = [(0.3, 0.1), (0.2, 0.2), (0.35, 0.15)].map(|(error, disparity)| Tradeoff { error, disparity });
/// assert_eq!(pareto_front(&points), [1, 0]);
/// ```
pub fn pareto_front(points: &[Tradeoff]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).filter(|&i| points[i].is_finite()).collect();
    order.sort_by(|&a, &b| {
        let by_error = points[a].error.total_cmp(&points[b].error);
        by_error.then(points[a].disparity.total_cmp(&points[b].disparity)).then(a.cmp(&b))
    });
    let mut front = Vec::new();
    // The lowest disparity among points of strictly lower error, and among those seen so far.
    let (mut before, mut seen, mut error) = (f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY);
    for i in order {
        if points[i].error > error {
            (before, error) = (seen, points[i].error);
        }
        seen = seen.min(points[i].disparity);
        if before >= points[i].disparity {
            front.push(i);
        }
    }
    front
}

/// The hypervolume of a set of points in the plane (Zitzler and Thiele 1998): the area of what is no better than one of
/// them and no worse than `reference`. Larger is better; points beyond the reference add nothing. 0 for none. The
/// reference must be the same for all that is compared. O(n log n).
///
/// ```
/// use deferral_metrics::{Tradeoff, hypervolume};
/// let points = [Tradeoff::new(0.25, 0.5), Tradeoff::new(0.5, 0.25)];
/// assert_eq!(hypervolume(&points, Tradeoff::new(1.0, 1.0)), 0.75 * 0.5 + 0.5 * 0.25);
/// ```
pub fn hypervolume(points: &[Tradeoff], reference: Tradeoff) -> f64 {
    let mut area = 0.0;
    let mut height = reference.disparity;
    for i in pareto_front(points) {
        let (width, lower) = (reference.error - points[i].error, points[i].disparity);
        if width > 0.0 && lower < height {
            area += width * (height - lower);
            height = lower;
        }
    }
    area
}

/// Whether for each point of `second` some point of `first` is at least as good on both sides: weak dominance of sets.
/// True for an empty `second`; points that are not finite take no part. O(n n').
///
/// ```
/// use deferral_metrics::{Tradeoff, dominates};
/// let (defer, reject) = ([Tradeoff::new(0.2, 0.1)], [Tradeoff::new(0.2, 0.15), Tradeoff::new(0.3, 0.1)]);
/// assert!(dominates(&defer, &reject) && !dominates(&reject, &defer));
/// ```
pub fn dominates(first: &[Tradeoff], second: &[Tradeoff]) -> bool {
    let covered = |b: Tradeoff| first.iter().any(|a| a.is_finite() && a.error <= b.error && a.disparity <= b.disparity);
    second.iter().filter(|point| point.is_finite()).all(|&point| covered(point))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(values: &[(f64, f64)]) -> Vec<Tradeoff> {
        values.iter().map(|&(error, disparity)| Tradeoff { error, disparity }).collect()
    }

    #[test]
    fn only_points_worse_on_both_sides_leave_the_front() {
        // The fourth is worse than the second on both sides; the third equals it in error, the fifth in disparity.
        let all = points(&[(0.1, 0.5), (0.2, 0.3), (0.2, 0.4), (0.3, 0.35), (0.4, 0.3), (f64::NAN, 0.0)]);
        assert_eq!(pareto_front(&all), [0, 1, 2, 4]);
        assert_eq!(pareto_front(&points(&[(0.1, 0.1), (0.1, 0.1)])), [0, 1]);
        assert!(pareto_front(&[]).is_empty());
    }

    #[test]
    fn areas_by_hand() {
        let reference = Tradeoff::new(1.0, 1.0);
        assert_eq!(hypervolume(&[], reference), 0.0);
        assert_eq!(hypervolume(&points(&[(0.0, 0.0)]), reference), 1.0);
        // A staircase of three steps: 1 x .25, .75 x .25, .25 x .25; (.5, .9) and what lies beyond add nothing.
        let stairs = points(&[(0.0, 0.75), (0.25, 0.5), (0.75, 0.25), (0.5, 0.9), (2.0, 0.0), (0.1, 3.0)]);
        assert_eq!(hypervolume(&stairs, reference), 0.25 + 0.1875 + 0.0625);
        assert_eq!(hypervolume(&points(&[(0.5, f64::INFINITY)]), reference), 0.0);
    }

    #[test]
    fn dominance_by_hand() {
        let (a, b) = (points(&[(0.1, 0.5), (0.3, 0.2)]), points(&[(0.2, 0.5), (0.3, 0.2)]));
        assert!(dominates(&a, &b) && !dominates(&b, &a) && dominates(&a, &a));
        assert!(dominates(&[], &[]) && !dominates(&[], &a) && dominates(&[], &points(&[(f64::NAN, 0.0)])));
    }

    fn some() -> impl Strategy<Value = Vec<Tradeoff>> {
        prop::collection::vec((0u8..10, 0u8..10), 0..20)
            .prop_map(|all| all.iter().map(|&(e, d)| Tradeoff::new(f64::from(e) / 10.0, f64::from(d) / 10.0)).collect())
    }

    proptest! {
        #[test]
        fn the_front_is_what_its_definition_says(all in some()) {
            let mut front = pareto_front(&all);
            front.sort_unstable();
            let beaten = |p: &Tradeoff| all.iter().any(|q| q.error < p.error && q.disparity < p.disparity);
            let expected: Vec<usize> = (0..all.len()).filter(|&i| !beaten(&all[i])).collect();
            prop_assert_eq!(front, expected);
        }

        #[test]
        fn a_dominating_set_has_no_smaller_area(a in some(), b in some()) {
            let reference = Tradeoff::new(1.0, 1.0);
            if dominates(&a, &b) {
                prop_assert!(hypervolume(&a, reference) >= hypervolume(&b, reference) - 1e-12);
            }
            let front: Vec<Tradeoff> = pareto_front(&a).into_iter().map(|i| a[i]).collect();
            prop_assert!((hypervolume(&front, reference) - hypervolume(&a, reference)).abs() < 1e-12);
        }
    }
}
