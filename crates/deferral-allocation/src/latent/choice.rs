//! Who gets a seat: mostly whoever is worth most, now and then somebody of whom little is known.

use deferral_core::{ExpertId, Question};
use rand::{Rng, RngExt};

/// Somebody who could be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) expert: ExpertId,
    /// The factor by which a vote of theirs lowers the bound on the error.
    pub(crate) overlap: f64,
    /// How little is known of them: the standard deviation of their competence.
    pub(crate) deviation: f64,
    /// What a label costs, in errors.
    pub(crate) price: f64,
}

/// How seats are given away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seating {
    /// Seats, k.
    pub(crate) seats: usize,
    /// The probability of drawing by how little is known, the variance of competence.
    pub(crate) epsilon: f64,
    /// Whether labels cost nothing, so that no seat need stay empty.
    pub(crate) free: bool,
    /// The bound on the error before anybody is asked.
    pub(crate) bound: f64,
}

/// Values that differ by less than this share are equal.
const EQUAL: f64 = 1e-12;
/// Probability that is as good as none.
const NOTHING: f64 = 1e-12;

impl Seating {
    /// Draws a committee, each seat with the probability of its draw. O(k m).
    pub(crate) fn draw(&self, candidates: &[Candidate], random: &mut dyn Rng) -> Vec<Question> {
        let mut left = vec![1.0; candidates.len()];
        let mut bound = self.bound;
        let mut seated = Vec::with_capacity(self.seats.min(candidates.len()));
        for seat in 0..self.seats.min(candidates.len()) {
            let probabilities = self.seat(candidates, &left, bound, seat == 0);
            let Some(at) = drawn(&probabilities, random.random()) else { continue };
            left[at] = 0.0;
            bound *= candidates[at].overlap;
            seated.push(Question { expert: candidates[at].expert, propensity: probabilities[at] });
        }
        seated
    }

    /// The share of the seats that each candidate gets on average. Exact for one seat and where candidates are all
    /// alike; from the second on seats are given by the probability that each candidate is still free, which is close. O(k m)
    /// times the number of different values that have to be looked at.
    pub(crate) fn shares(&self, candidates: &[Candidate]) -> Vec<f64> {
        let mut left = vec![1.0; candidates.len()];
        let mut shares = vec![0.0; candidates.len()];
        let mut bound = self.bound;
        for seat in 0..self.seats.min(candidates.len()) {
            let probabilities = self.seat(candidates, &left, bound, seat == 0);
            let mut factor = 1.0;
            for (at, probability) in probabilities.iter().enumerate() {
                shares[at] += probability;
                left[at] = (left[at] - probability).max(0.0);
                factor -= probability * (1.0 - candidates[at].overlap);
            }
            bound *= factor;
        }
        crate::prior::normalise(&mut shares);
        shares
    }

    /// The probability that each candidate gets the next seat, given the probability that they are still `left`; what
    /// is missing to one is the probability that it stays empty.
    fn seat(&self, candidates: &[Candidate], left: &[f64], bound: f64, first: bool) -> Vec<f64> {
        let value = |candidate: &Candidate| bound * (1.0 - candidate.overlap) - candidate.price;
        let values: Vec<f64> = candidates.iter().map(value).collect();
        // Somebody has to be asked, even if it does not pay.
        let lowest = if first && !self.free { f64::NEG_INFINITY } else { 0.0 };
        let mut probabilities = vec![0.0; candidates.len()];
        let rest = fill(&values, left, 1.0 - self.epsilon, lowest, &mut probabilities);
        let curious = if self.free { self.epsilon + rest } else { self.epsilon };
        let weight = |(candidate, left): (&Candidate, &f64)| candidate.deviation.powi(2) * left;
        let total: f64 = candidates.iter().zip(left).map(weight).sum();
        if total > 0.0 {
            for (probability, candidate) in probabilities.iter_mut().zip(candidates.iter().zip(left)) {
                *probability += curious * weight(candidate) / total;
            }
        }
        probabilities
    }
}

/// Gives the probability `full` to those with the largest value above `lowest` who are left, in equal parts to equals; if
/// they are left with some probability only, what remains goes to the next, as if seats before had been taken by one of
/// them or another but not by both. Returns what nobody took.
fn fill(values: &[f64], left: &[f64], full: f64, lowest: f64, probabilities: &mut [f64]) -> f64 {
    let mut mass = full;
    let mut ceiling = f64::INFINITY;
    while mass > NOTHING {
        let open = values.iter().zip(left).filter(|(value, left)| **value < ceiling && **left > NOTHING);
        let best = open.map(|(value, _)| *value).fold(f64::NEG_INFINITY, f64::max);
        if best <= lowest {
            break;
        }
        let equal = best - EQUAL * best.abs();
        let tied = |value: f64| value >= equal && value < ceiling;
        let free: f64 = values.iter().zip(left).filter(|(value, _)| tied(**value)).map(|(_, left)| left).sum();
        let taken = mass.min(full * free);
        for ((probability, value), left) in probabilities.iter_mut().zip(values).zip(left) {
            if tied(*value) {
                *probability += taken * left / free;
            }
        }
        mass -= taken;
        ceiling = equal;
    }
    mass.max(0.0)
}

/// The position that `uniform` in [0, 1) falls on; none if it falls beyond.
fn drawn(probabilities: &[f64], uniform: f64) -> Option<usize> {
    let mut before = 0.0;
    let mut last = None;
    for (at, probability) in probabilities.iter().enumerate().filter(|(_, probability)| **probability > 0.0) {
        before += probability;
        if uniform < before {
            return Some(at);
        }
        last = Some(at);
    }
    // The probabilities of a seat that can't stay empty may sum to a little less than one.
    last.filter(|_| before > 1.0 - 1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::Stream;
    use proptest::prelude::*;

    fn candidates(overlaps: &[f64], deviations: &[f64], price: f64) -> Vec<Candidate> {
        let both = overlaps.iter().zip(deviations).enumerate();
        both.map(|(at, (&overlap, &deviation))| Candidate { expert: ExpertId::at(at), overlap, deviation, price })
            .collect()
    }

    const FREE: Seating = Seating { seats: 2, epsilon: 0.1, free: true, bound: 0.5 };

    #[test]
    fn the_first_seat_by_hand() {
        let people = candidates(&[0.8, 0.6, 0.6], &[0.1, 0.1, 0.2], 0.0);
        // Two are worth most and share .9; .1 goes by variance, 1 : 1 : 4.
        let expected = [0.1 / 6.0, 0.45 + 0.1 / 6.0, 0.45 + 0.4 / 6.0];
        let shares = Seating { seats: 1, ..FREE }.shares(&people);
        assert!(shares.iter().zip(expected).all(|(share, by_hand)| (share - by_hand).abs() < 1e-12), "{shares:?}");
    }

    #[test]
    fn propensities_are_the_frequencies_of_the_draw() {
        let people = candidates(&[0.8, 0.6, 0.6, 1.0], &[0.1, 0.1, 0.2, 0.3], 0.0);
        let (mut counts, mut propensities) = ([0.0; 4], [0.0; 4]);
        for draw in 0..20_000 {
            let first = FREE.draw(&people, &mut Stream::new(3).at(draw))[0];
            counts[first.expert.index()] += 1.0 / 20_000.0;
            propensities[first.expert.index()] = first.propensity;
        }
        for (count, propensity) in counts.iter().zip(propensities) {
            assert!((count - propensity).abs() < 0.012, "{counts:?} {propensities:?}");
        }
    }

    #[test]
    fn shares_are_what_committees_hold_on_average() {
        let people = candidates(&[0.8, 0.6, 0.7, 1.0], &[0.1, 0.1, 0.2, 0.3], 0.0);
        let shares = FREE.shares(&people);
        let mut counts = [0.0; 4];
        for draw in 0..20_000 {
            FREE.draw(&people, &mut Stream::new(4).at(draw))
                .iter()
                .for_each(|q| counts[q.expert.index()] += 1.0 / 40_000.0);
        }
        assert!(shares.iter().zip(counts).all(|(share, count)| (share - count).abs() < 0.01), "{shares:?} {counts:?}");
    }

    #[test]
    fn a_label_that_does_not_pay_is_not_asked_for_but_the_first() {
        let people = candidates(&[0.5, 0.5, 0.9], &[0.1; 3], 0.2);
        let priced = Seating { seats: 3, epsilon: 0.0, free: false, bound: 0.5 };
        // The first is worth .25 - .2, the second .125 - .2.
        assert_eq!(priced.draw(&people, &mut Stream::new(1).random()).len(), 1);
        let dear = candidates(&[0.5, 0.5, 0.9], &[0.1; 3], 9.0);
        assert_eq!(priced.draw(&dear, &mut Stream::new(1).random()).len(), 1);
    }

    #[test]
    fn equals_and_the_unknown_are_drawn_evenly() {
        let people = candidates(&[0.9; 4], &[0.2; 4], 0.0);
        assert!(Seating { seats: 3, ..FREE }.shares(&people).iter().all(|share| (share - 0.25).abs() < 1e-12));
        let worthless = candidates(&[1.0; 4], &[0.2; 4], 0.0);
        let asked = FREE.draw(&worthless, &mut Stream::new(2).random());
        assert_eq!(asked.len(), 2);
        assert!((asked[0].propensity - 0.25).abs() < 1e-12 && (asked[1].propensity - 1.0 / 3.0).abs() < 1e-12);
        assert!(FREE.draw(&[], &mut Stream::new(2).random()).is_empty());
    }

    proptest! {
        #[test]
        fn committees_hold_everybody_once_with_a_probability(
            people in proptest::collection::vec((0.0..=1.0, 0.0..0.5, 0.0..0.1), 0..12),
            seats in 1usize..6, epsilon in 0.0..=1.0, free: bool, seed: u64,
        ) {
            let price = |price: f64| if free { 0.0 } else { price };
            let people: Vec<Candidate> = people.into_iter().enumerate().map(|(at, (overlap, deviation, p))| Candidate {
                expert: ExpertId::at(at), overlap, deviation, price: price(p),
            }).collect();
            let seating = Seating { seats, epsilon, free, bound: 0.5 };
            let asked = seating.draw(&people, &mut Stream::new(seed).random());
            let mut ids: Vec<_> = asked.iter().map(|question| question.expert).collect();
            ids.sort();
            ids.dedup();
            prop_assert!(ids.len() == asked.len() && asked.len() <= seats);
            prop_assert!(asked.iter().all(|question| question.propensity > 0.0 && question.propensity <= 1.0 + 1e-12));
            let total: f64 = seating.shares(&people).iter().sum();
            prop_assert!(people.is_empty() || (total - 1.0).abs() < 1e-9);
        }
    }
}
