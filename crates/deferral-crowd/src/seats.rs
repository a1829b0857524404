//! What the draws of a method come to on average: the share of the seats that each expert gets.

use deferral_core::{CaseView, ExpertId, Question, Random, Stream};
use rand::{Rng, RngExt};

/// Committees behind a share that has no closed form.
const DRAWS: usize = 200;

/// A share for each of `available` (sorted) in proportion to their `seats`. If nobody has a seat, everybody among the
/// first `workers`, who are those known, has the same; if nobody is known, everybody. O(m log m).
pub(crate) fn shares(
    available: &[ExpertId],
    workers: usize,
    seats: impl IntoIterator<Item = (ExpertId, f64)>,
) -> Vec<f64> {
    let mut shares = vec![0.0; available.len()];
    for (expert, seats) in seats {
        if let Ok(at) = available.binary_search(&expert) {
            shares[at] += seats;
        }
    }
    if normalise(&mut shares) {
        return shares;
    }
    let known = |expert: &ExpertId| f64::from(u8::from(expert.index() < workers));
    let mut shares: Vec<f64> = available.iter().map(known).collect();
    if !normalise(&mut shares) {
        shares.fill(1.0 / available.len() as f64);
    }
    shares
}

/// Whether there is anything to divide by.
fn normalise(shares: &mut [f64]) -> bool {
    let total: f64 = shares.iter().sum();
    if total > 0.0 {
        for share in shares {
            *share /= total;
        }
    }
    total > 0.0
}

/// One seat for each question.
pub(crate) fn one_each(questions: Vec<Question>) -> impl Iterator<Item = (ExpertId, f64)> {
    questions.into_iter().map(|question| (question.expert, 1.0))
}

/// The seats of 200 committees that could be drawn for `case`.
pub(crate) fn imagined(
    case: CaseView<'_>,
    mut draw: impl FnMut(&mut dyn Rng) -> Vec<Question>,
) -> Vec<(ExpertId, f64)> {
    let mut random = random(case);
    (0..DRAWS).flat_map(|_| one_each(draw(&mut random))).collect()
}

/// How often each of several experts is expected to be seated, where k different ones are drawn one after another, with
/// the `chances` of those left, which sum to one. Exact for one seat and for a seat for everybody, else the mean over
/// 200 draws of the seats before. O(200 k m), O(m) where it is exact.
pub(crate) fn in_turn(
    case: CaseView<'_>,
    experts: Vec<ExpertId>,
    k: usize,
    chances: impl Fn(&[ExpertId]) -> Vec<f64>,
) -> Vec<(ExpertId, f64)> {
    if k >= experts.len() {
        return experts.into_iter().map(|expert| (expert, 1.0)).collect();
    }
    let mut random = random(case);
    let mut seats = Vec::new();
    for _ in 0..if k == 1 { 1 } else { DRAWS } {
        let mut left = experts.clone();
        for _ in 0..k {
            let chances = chances(&left);
            seats.extend(left.iter().copied().zip(chances.iter().copied()));
            left.remove(pick(&chances, &mut random));
        }
    }
    seats
}

/// A position drawn with these probabilities.
fn pick(chances: &[f64], random: &mut impl Rng) -> usize {
    let mut point: f64 = random.random();
    let possible = chances.iter().enumerate().filter(|(_, chance)| **chance > 0.0);
    let mut last = 0;
    for (at, chance) in possible {
        last = at;
        point -= chance;
        if point < 0.0 {
            break;
        }
    }
    last
}

/// It depends on the case alone, so that the same state gives the same shares.
fn random(case: CaseView<'_>) -> Random {
    Stream::new(0).child("imagined seats").at(case.case.index())
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::CaseId;

    fn ids(ids: &[u32]) -> Vec<ExpertId> {
        ids.iter().copied().map(ExpertId).collect()
    }

    fn case(i: usize) -> CaseView<'static> {
        CaseView { case: CaseId::at(i), features: &[], group: None }
    }

    #[test]
    fn strangers_have_no_share_unless_nobody_is_known() {
        let available = ids(&[1, 2, 7]);
        let seat = |expert, seats| (ExpertId(expert), seats);
        assert_eq!(shares(&available, 3, [seat(1, 1.0), seat(2, 2.0), seat(1, 1.0), seat(5, 9.0)]), [0.5, 0.5, 0.0]);
        assert_eq!(shares(&available, 3, []), [0.5, 0.5, 0.0]);
        assert_eq!(shares(&available, 1, []), [1.0 / 3.0; 3]);
        assert!(shares(&[], 1, []).is_empty());
    }

    #[test]
    fn two_seats_drawn_in_turn() {
        // Weights 2, 1, 1: the first seat .5, .25, .25; the second 1/4 (2/3) 2 = 1/3 for the first, 1/3 for each.
        let weight = |expert: &ExpertId| if expert.0 == 0 { 2.0 } else { 1.0 };
        let chances = |left: &[ExpertId]| {
            let total: f64 = left.iter().map(weight).sum();
            left.iter().map(|expert| weight(expert) / total).collect()
        };
        let found = |case, k| shares(&ids(&[0, 1, 2]), 3, in_turn(case, ids(&[0, 1, 2]), k, chances));
        assert_eq!(found(case(0), 1), [0.5, 0.25, 0.25]);
        assert_eq!(found(case(0), 3), [1.0 / 3.0; 3]);
        let mean: f64 = (0..50).map(|i| found(case(i), 2)[0]).sum::<f64>() / 50.0;
        assert!((mean - 5.0 / 12.0).abs() < 2e-3, "{mean}");
        assert_eq!(found(case(3), 2), found(case(3), 2));
    }

    #[test]
    fn nobody_without_a_chance_is_picked() {
        let mut random = random(case(0));
        assert!((0..1000).all(|_| pick(&[0.0, 0.4, 0.0, 0.6, 0.0], &mut random) % 2 == 1));
    }
}
