//! How many are asked, and how they are drawn from their shares.

use deferral_core::{ExpertId, Label, ParameterError, Question, Vote, most_probable};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::prior::normalise;

/// The committee of a task and how it votes (Keswani, Celis, Kenthapadi and Lease 2022, section 2, "Committee Voting").
///
/// ```
/// use deferral_allocation::Seats;
/// use deferral_core::{ExpertId, Stream};
/// let available = [0, 1, 2].map(ExpertId);
/// let asked = Seats::Sampled { k: 3 }.draw(&available, &[0.5, 0.5, 0.0], &mut Stream::new(1).random());
/// assert!(asked.iter().all(|question| question.propensity == 0.5 && question.expert != ExpertId(2)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Seats {
    /// k draws from the shares with replacement, and the majority of the seats: on average the weighted majority of
    /// all.
    Sampled {
        /// Seats, at least 1; an odd number avoids ties between two labels.
        k: usize,
    },
    /// k different people, drawn one after another in proportion to the shares of those left; a vote counts as much as
    /// its voter's share.
    Distinct {
        /// People, at least 1; fewer if fewer are available.
        k: usize,
    },
    /// Everybody who is available; a vote counts as much as its voter's share (the released code).
    All,
}

impl Seats {
    /// # Errors
    /// If a committee has no seat.
    pub fn check(self) -> Result<(), ParameterError> {
        match self {
            Self::Sampled { k } | Self::Distinct { k } => {
                ParameterError::check(k > 0, "the committee size k", k, "1 or more")
            }
            Self::All => Ok(()),
        }
    }

    /// Whether votes count by the shares of their voters, and not one each.
    pub fn weighs(self) -> bool {
        !matches!(self, Self::Sampled { .. })
    }

    /// Draws the seats among `available`, whose shares are 0 or more, each with the probability of its draw. Nobody if
    /// nobody is available; where all shares are 0 they count the same. O(k m).
    pub fn draw(self, available: &[ExpertId], shares: &[f64], random: &mut dyn Rng) -> Vec<Question> {
        let m = available.len().min(shares.len());
        let (available, shares) = (&available[..m], &shares[..m]);
        match self {
            Self::All => available.iter().map(|&expert| Question { expert, propensity: 1.0 }).collect(),
            _ if m == 0 => Vec::new(),
            Self::Sampled { k } => (0..k).map(|_| question(available, draw(shares, random))).collect(),
            Self::Distinct { k } => distinct(k.min(m), available, shares, random),
        }
    }

    /// The label with the most votes, each counting as its weight if this committee [`weighs`](Seats::weighs) and one
    /// otherwise, the lowest on ties; none without a vote for one of the classes. `scores` is room for the K sums.
    pub fn label(self, votes: &[Vote], weights: &[f64], classes: usize, scores: &mut Vec<f64>) -> Option<Label> {
        scores.clear();
        scores.resize(classes, 0.0);
        let mut heard = false;
        for (at, vote) in votes.iter().enumerate() {
            let weight = if self.weighs() { weights.get(at).copied().unwrap_or(0.0) } else { 1.0 };
            if let Some(score) = scores.get_mut(vote.label.index()) {
                *score += weight;
                heard = true;
            }
        }
        heard.then(|| Label::at(most_probable(scores)))
    }
}

fn question(available: &[ExpertId], (at, propensity): (usize, f64)) -> Question {
    Question { expert: available[at], propensity }
}

/// One position and the probability that it had.
fn draw(shares: &[f64], random: &mut dyn Rng) -> (usize, f64) {
    let total: f64 = shares.iter().sum();
    if total <= 0.0 || !total.is_finite() {
        return (random.random_range(0..shares.len()), 1.0 / shares.len() as f64);
    }
    let point = random.random::<f64>() * total;
    let (mut last, mut upto) = (0, 0.0);
    for (at, &share) in shares.iter().enumerate() {
        if share > 0.0 {
            last = at;
            upto += share;
            if point < upto {
                break;
            }
        }
    }
    (last, shares[last] / total)
}

fn distinct(k: usize, available: &[ExpertId], shares: &[f64], random: &mut dyn Rng) -> Vec<Question> {
    let (mut left, mut shares) = (available.to_vec(), shares.to_vec());
    let mut asked = Vec::with_capacity(k);
    for _ in 0..k {
        let drawn = draw(&shares, random);
        asked.push(question(&left, drawn));
        left.remove(drawn.0);
        shares.remove(drawn.0);
    }
    asked
}

/// Those among `available` (sorted) who are among the first `annotators`, each once.
pub(crate) fn known(available: &[ExpertId], annotators: usize) -> impl Iterator<Item = ExpertId> {
    let mut last = None;
    available.iter().copied().filter(move |&expert| expert.index() < annotators && last.replace(expert) != Some(expert))
}

/// The shares of all of `available`, of whom some may be unknown or stand there twice, from those of each known one.
pub(crate) fn spread(available: &[ExpertId], known: &[ExpertId], shares: &[f64]) -> Vec<f64> {
    let share = |expert| known.binary_search(expert).map_or(0.0, |at| shares[at]);
    let mut all: Vec<f64> = available.iter().map(share).collect();
    normalise(&mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::Stream;

    const SHARES: [f64; 4] = [0.1, 0.0, 0.6, 0.3];

    fn available() -> [ExpertId; 4] {
        [2, 3, 5, 8].map(ExpertId)
    }

    /// How often each of the four got the seat `at` in 20,000 committees.
    fn rates(seats: Seats, at: usize) -> [f64; 4] {
        let (stream, n) = (Stream::new(4), 20_000);
        let mut counts = [0.0; 4];
        for i in 0..n {
            let asked = seats.draw(&available(), &SHARES, &mut stream.at(i));
            counts[available().iter().position(|&expert| expert == asked[at].expert).unwrap()] +=
                1.0 / f64::from(n as u32);
        }
        counts
    }

    #[test]
    fn seats_follow_the_shares() {
        for at in 0..3 {
            let found = rates(Seats::Sampled { k: 3 }, at);
            assert!(found.iter().zip(SHARES).all(|(found, share)| (found - share).abs() < 0.015), "{found:?}");
        }
        let first = rates(Seats::Distinct { k: 3 }, 0);
        assert!(first.iter().zip(SHARES).all(|(found, share)| (found - share).abs() < 0.015), "{first:?}");
        // Second: .6 x .1/.4 + .3 x .1/.7, 0, .1 x .6/.9 + .3 x .6/.7, .1 x .3/.9 + .6 x .3/.4.
        let second = rates(Seats::Distinct { k: 3 }, 1);
        let expected = [0.192_857, 0.0, 0.323_810, 0.483_333];
        assert!(second.iter().zip(expected).all(|(found, share)| (found - share).abs() < 0.015), "{second:?}");
    }

    #[test]
    fn every_seat_has_the_probability_of_its_draw() {
        let share = |expert: ExpertId| SHARES[available().iter().position(|&other| other == expert).unwrap()];
        for i in 0..50 {
            let mut left = 1.0;
            let asked = Seats::Distinct { k: 9 }.draw(&available(), &SHARES, &mut Stream::new(1).at(i));
            assert_eq!(asked.len(), 4);
            for question in &asked[..3] {
                assert!((question.propensity - share(question.expert) / left).abs() < 1e-12);
                left -= share(question.expert);
            }
            // Who has no share comes last, when nobody else is left.
            assert_eq!((asked[3].expert, asked[3].propensity), (ExpertId(3), 1.0));
            let sampled = Seats::Sampled { k: 3 };
            for question in sampled.draw(&available(), &SHARES, &mut Stream::new(1).at(i)) {
                assert!((question.propensity - share(question.expert)).abs() < 1e-12);
            }
        }
        let all = Seats::All.draw(&available(), &SHARES, &mut Stream::new(1).random());
        assert!(all.iter().map(|question| (question.expert, question.propensity)).eq(available().map(|e| (e, 1.0))));
    }

    #[test]
    fn without_shares_all_count_the_same_and_without_people_there_is_nobody() {
        let asked = Seats::Sampled { k: 2 }.draw(&available(), &[0.0; 4], &mut Stream::new(1).random());
        assert!(asked.iter().all(|question| question.propensity == 0.25));
        for seats in [Seats::Sampled { k: 2 }, Seats::Distinct { k: 2 }, Seats::All] {
            assert!(seats.draw(&[], &[], &mut Stream::new(1).random()).is_empty());
        }
    }

    #[test]
    fn votes_count_by_share_or_one_each() {
        let votes = [(0, 1), (1, 0), (2, 0), (3, 9)].map(|(e, l)| Vote { expert: ExpertId(e), label: Label(l) });
        let weights = [0.6, 0.3, 0.1, 5.0];
        let mut room = Vec::new();
        assert_eq!(Seats::All.label(&votes, &weights, 2, &mut room), Some(Label(1)));
        assert_eq!(Seats::Sampled { k: 3 }.label(&votes, &weights, 2, &mut room), Some(Label(0)));
        // .1 + .2 + .3 against .6: a tie but for rounding, so the lowest.
        assert_eq!(Seats::All.label(&votes[..3], &[0.1 + 0.2 + 0.3, 0.3, 0.3], 2, &mut room), Some(Label(0)));
        assert_eq!(Seats::All.label(&votes[3..], &weights, 2, &mut room), None);
    }

    #[test]
    fn a_committee_needs_a_seat() {
        let message = Seats::Distinct { k: 0 }.check().unwrap_err().to_string();
        assert_eq!(message, "the committee size k is 0, but must be 1 or more");
        assert!(Seats::Sampled { k: 0 }.check().is_err() && Seats::All.check().is_ok());
    }
}
