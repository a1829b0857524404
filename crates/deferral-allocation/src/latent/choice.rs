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
    /// The probability of drawing by how little is known.
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
    /// alike; for later seats each candidate is taken as free with their own probability, whoever else sits. O(k m)
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
        let weight = |(candidate, left): (&Candidate, &f64)| candidate.deviation * left;
        let total: f64 = candidates.iter().zip(left).map(weight).sum();
        for ((probability, candidate), left) in probabilities.iter_mut().zip(candidates).zip(left) {
            if total > 0.0 {
                *probability += curious * candidate.deviation * left / total;
            }
        }
        probabilities
    }
}

/// Gives `mass` to those with the largest value above `lowest` who are left, in equal parts to equals; if they are left
/// with some probability only, what remains goes to the next. Returns what nobody took.
fn fill(values: &[f64], left: &[f64], mut mass: f64, lowest: f64, probabilities: &mut [f64]) -> f64 {
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
        let taken = mass * free.min(1.0);
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
