//! Different workers for one case, each drawn with a probability that is known beforehand.

use deferral_core::{ExpertId, Question};
use rand::{Rng, RngExt};

/// The probability that each of several workers is asked, when k different ones are to be asked in proportion to their
/// `shares`: never above 1, and together k, or as many as there are. Seats that are left where a probability is cut to
/// 1 go to the others, the more the less probable they are.
///
/// Where that would cost more than `allowance` on average, all probabilities shrink alike, so that fewer are asked.
pub(super) fn probabilities(shares: &[f64], prices: &[f64], k: usize, allowance: f64) -> Vec<f64> {
    let seats = k.min(shares.len()) as f64;
    let total: f64 = shares.iter().sum();
    let scale = if total > 0.0 { seats / total } else { 0.0 };
    let mut asked: Vec<f64> = shares.iter().map(|share| (scale * share).min(1.0)).collect();
    let spare: f64 = asked.iter().map(|p| 1.0 - p).sum();
    let left = seats - asked.iter().sum::<f64>();
    if left > 0.0 && spare > 0.0 {
        for p in &mut asked {
            *p += (1.0 - *p) * (left / spare).min(1.0);
        }
    }
    let cost = expected_cost(&asked, prices);
    if cost > allowance {
        let affordable = allowance.max(0.0) / cost;
        for p in &mut asked {
            *p *= affordable;
        }
    }
    asked
}

/// What a case costs on average.
pub(super) fn expected_cost(probabilities: &[f64], prices: &[f64]) -> f64 {
    probabilities.iter().zip(prices).map(|(p, price)| p * price).sum()
}

/// Draws each worker with their probability, and altogether as many as the probabilities sum to, up or down to a whole
/// number: systematic sampling (Madow 1949) in random order, in which any two may meet. O(workers).
pub(super) fn draw(mut workers: Vec<(ExpertId, f64)>, random: &mut dyn Rng) -> Vec<Question> {
    for last in (1..workers.len()).rev() {
        workers.swap(last, random.random_range(0..=last));
    }
    let mut next: f64 = random.random();
    let mut upto = 0.0;
    let mut drawn = Vec::new();
    for (expert, propensity) in workers {
        upto += propensity;
        if upto > next {
            drawn.push(Question { expert, propensity });
            next += 1.0;
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::Stream;
    use proptest::prelude::*;

    fn near(found: &[f64], expected: &[f64]) {
        let close = found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-12);
        assert!(found.len() == expected.len() && close, "{found:?} {expected:?}");
    }

    #[test]
    fn seats_follow_the_shares() {
        near(&probabilities(&[0.5, 0.3, 0.2], &[1.0; 3], 2, 9.0), &[1.0, 0.6, 0.4]);
        // The first would have 1.6 seats; the others share what is left.
        near(&probabilities(&[0.8, 0.2, 0.0], &[1.0; 3], 2, 9.0), &[1.0, 0.625, 0.375]);
        near(&probabilities(&[0.0, 0.0], &[1.0; 2], 1, 9.0), &[0.5, 0.5]);
        near(&probabilities(&[0.1, 0.0], &[1.0; 2], 5, 9.0), &[1.0, 1.0]);
        near(&probabilities(&[], &[], 2, 1.0), &[]);
    }

    #[test]
    fn what_a_case_may_cost_is_kept() {
        near(&probabilities(&[0.5, 0.5], &[3.0, 1.0], 1, 1.0), &[0.25, 0.25]);
        near(&probabilities(&[0.0, 1.0], &[3.0, 0.0], 1, 0.0), &[0.0, 1.0]);
        near(&probabilities(&[1.0], &[2.0], 1, 0.0), &[0.0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn everybody_is_drawn_as_often_as_said(
            workers in proptest::collection::vec((prop_oneof![Just(0.0), 0.0..1.0], 0.0..3.0f64), 1..6),
            k in 1usize..6,
            allowance in 0.0..6.0f64,
        ) {
            let (shares, prices): (Vec<f64>, Vec<f64>) = workers.into_iter().unzip();
            let expected = probabilities(&shares, &prices, k, allowance);
            prop_assert!(expected.iter().all(|p| (0.0..=1.0 + 1e-12).contains(p)));
            prop_assert!(expected_cost(&expected, &prices) <= allowance + 1e-9);
            let several: Vec<_> = expected.iter().enumerate().map(|(at, &p)| (ExpertId::at(at), p)).collect();
            let n = 4_000;
            let mut counts = vec![0.0; expected.len()];
            for case in 0..n {
                let drawn = draw(several.clone(), &mut Stream::new(3).at(case));
                let total: f64 = expected.iter().sum();
                prop_assert!((drawn.len() as f64 - total).abs() < 1.0 + 1e-9);
                for question in drawn {
                    counts[question.expert.index()] += 1.0 / n as f64;
                }
            }
            let close = counts.iter().zip(&expected).all(|(count, p)| (count - p).abs() < 0.05);
            prop_assert!(close, "{counts:?} {expected:?}");
        }
    }
}
