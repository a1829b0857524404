//! What is believed of everybody in every region: how they answer when each class is true.

use serde::{Deserialize, Serialize};

/// One Dirichlet distribution a true class for each annotator in each region, updated by votes on cases whose class is
/// itself only believed.
///
/// When the class is k with probability p, the exact posterior of row k after vote l is a mixture: with p that of one
/// more count on l, with 1 - p the old one. It is replaced by the Dirichlet distribution of the same means and the same
/// total variance (assumed density filtering; Maybeck 1982, chapter 12; Opper 1998). So a doubtful vote
/// counts for less than the soft count p: early votes, when nobody is known yet, do not make up anybody's mind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Competence {
    classes: usize,
    regions: usize,
    /// Counts by annotator, region, true class, vote.
    counts: Vec<f64>,
    /// Accuracy expected beforehand, by annotator and region.
    expected: Vec<f64>,
    /// Votes heard, by annotator and region.
    heard: Vec<f64>,
    /// What follows from the counts of each annotator in each region, kept because choosing looks at all of them.
    summaries: Vec<Summary>,
}

/// What a choice needs to know of an annotator in a region.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Expected probability of being right, the mean over the classes.
    pub(crate) accuracy: f64,
    /// Its standard deviation.
    pub(crate) deviation: f64,
    /// How much the answers to two classes look alike: the Bhattacharyya coefficient of the expected rows, the mean
    /// over all pairs; 1 for those who are no better than chance.
    pub(crate) overlap: f64,
}

/// No vote is impossible.
const LEAST: f64 = 0.01;
/// No row counts for less, so that it stays a distribution.
const FEWEST: f64 = 0.5;

impl Competence {
    pub(crate) fn new(classes: usize, regions: usize) -> Self {
        Self { classes, regions, counts: vec![], expected: vec![], heard: vec![], summaries: vec![] }
    }

    /// Adds an annotator of whom `expected` accuracies are known, one a region, as if from `strength` cases a class.
    pub(crate) fn push(&mut self, expected: &[f64], strength: f64) {
        for &accuracy in expected {
            for truth in 0..self.classes {
                for vote in 0..self.classes {
                    self.counts.push(strength * self.probability(accuracy, truth, vote));
                }
            }
            self.expected.push(accuracy);
            self.heard.push(0.0);
            self.summaries.push(Summary { accuracy, deviation: 0.0, overlap: 1.0 });
            self.summarise(self.summaries.len() - 1);
        }
    }

    /// Expects another accuracy of an annotator than before; what was learned stays.
    pub(crate) fn expect(&mut self, annotator: usize, region: usize, accuracy: f64, strength: f64) {
        let cell = self.cell(annotator, region);
        let old = self.expected[cell];
        if old == accuracy {
            return;
        }
        for truth in 0..self.classes {
            for vote in 0..self.classes {
                let shift = self.probability(accuracy, truth, vote) - self.probability(old, truth, vote);
                let count = &mut self.counts[(cell * self.classes + truth) * self.classes + vote];
                *count = (*count + strength * shift).max(LEAST);
            }
        }
        self.expected[cell] = accuracy;
        self.summarise(cell);
    }

    /// The probability of a vote of somebody who is right with probability `accuracy` and errs on all others alike.
    fn probability(&self, accuracy: f64, truth: usize, vote: usize) -> f64 {
        if truth == vote { accuracy } else { (1.0 - accuracy) / (self.classes - 1) as f64 }
    }

    fn cell(&self, annotator: usize, region: usize) -> usize {
        annotator * self.regions + region
    }

    pub(crate) fn summary(&self, annotator: usize, region: usize) -> Summary {
        self.summaries[self.cell(annotator, region)]
    }

    /// Votes heard of an annotator in a region, by the probability that they were cast there.
    pub(crate) fn heard(&self, annotator: usize, region: usize) -> f64 {
        self.heard[self.cell(annotator, region)]
    }

    /// The expected probability of `vote` under every class.
    pub(crate) fn given_vote(&self, annotator: usize, region: usize, vote: usize) -> impl Iterator<Item = f64> + '_ {
        let start = self.cell(annotator, region) * self.classes * self.classes;
        let rows = self.counts[start..start + self.classes * self.classes].chunks_exact(self.classes);
        rows.map(move |row| row[vote] / row.iter().sum::<f64>())
    }

    /// Learns from a vote on a case that lies in `region` and has each class with the probabilities `belief` (K numbers
    /// that sum to the probability of the region). What was learned before fades towards the prior, such that `memory`
    /// cases of a class count in the end. O(K^2).
    pub(crate) fn learn(
        &mut self,
        (annotator, region): (usize, usize),
        vote: usize,
        belief: &[f64],
        (strength, memory): (f64, f64),
    ) {
        let cell = self.cell(annotator, region);
        for (truth, &probability) in belief.iter().enumerate() {
            let fading = probability / memory;
            let start = (cell * self.classes + truth) * self.classes;
            for other in 0..self.classes {
                let prior = strength * self.probability(self.expected[cell], truth, other);
                let count = &mut self.counts[start + other];
                *count += fading * (prior - *count);
            }
            absorb(&mut self.counts[start..start + self.classes], vote, probability);
        }
        self.heard[cell] += belief.iter().sum::<f64>();
        self.summarise(cell);
    }

    fn summarise(&mut self, cell: usize) {
        let k = self.classes as f64;
        let size = self.classes * self.classes;
        let (mut accuracy, mut variance) = (0.0, 0.0);
        let mut roots = 0.0;
        let rows = &self.counts[cell * size..(cell + 1) * size];
        let totals = rows.chunks_exact(self.classes).map(|row| row.iter().sum::<f64>());
        for (truth, total) in totals.enumerate() {
            let right = rows[truth * self.classes + truth] / total;
            accuracy += right / k;
            variance += right * (1.0 - right) / ((total + 1.0) * k * k);
        }
        for vote in 0..self.classes {
            let column = rows.chunks_exact(self.classes).map(|row| row[vote] / row.iter().sum::<f64>());
            roots += column.map(f64::sqrt).sum::<f64>().powi(2);
        }
        // The sum over all pairs of different classes, by the square of the sum.
        let overlap = ((roots - k) / (k * (k - 1.0))).clamp(0.0, 1.0);
        let useless = accuracy <= 1.0 / k + 1e-9;
        self.summaries[cell] =
            Summary { accuracy, deviation: variance.sqrt(), overlap: if useless { 1.0 } else { overlap } };
    }
}

/// Moves the Dirichlet distribution `row` to that with the moments of: with `probability` one more count on `vote`,
/// else none.
fn absorb(row: &mut [f64], vote: usize, probability: f64) {
    let total: f64 = row.iter().sum();
    let (mut square_of_means, mut variance) = (0.0, 0.0);
    for (other, count) in row.iter_mut().enumerate() {
        let more = *count + f64::from(u8::from(other == vote));
        let mean = probability * more / (total + 1.0) + (1.0 - probability) * *count / total;
        let square = probability * more * (more + 1.0) / ((total + 1.0) * (total + 2.0))
            + (1.0 - probability) * *count * (*count + 1.0) / (total * (total + 1.0));
        square_of_means += mean * mean;
        variance += square - mean * mean;
        *count = mean;
    }
    let sure = (1.0 - square_of_means) / variance - 1.0;
    let sure = if sure.is_finite() { sure.clamp(FEWEST, total + 1.0) } else { total };
    for count in row {
        *count *= sure;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SURENESS: (f64, f64) = (4.0, 1e12);

    fn one(accuracy: f64) -> Competence {
        let mut competence = Competence::new(2, 1);
        competence.push(&[accuracy], 4.0);
        competence
    }

    #[test]
    fn half_a_vote_by_hand() {
        // Beta(3, 1) and right with probability 1/2: mean .5 (4/5 + 3/4), mean square .5 (2/3 + 3/5).
        let mut row = [3.0, 1.0];
        absorb(&mut row, 0, 0.5);
        let total = 0.775 * 0.225 / (0.5 * (2.0 / 3.0 + 0.6) - 0.775 * 0.775) - 1.0;
        assert!((row[0] - 0.775 * total).abs() < 1e-12 && (row[1] - 0.225 * total).abs() < 1e-12, "{row:?}");
        assert!((total - 4.331_210_191).abs() < 1e-8);
    }

    #[test]
    fn a_sure_vote_is_a_count() {
        let mut row = [3.0, 1.0, 2.0];
        absorb(&mut row, 2, 1.0);
        assert!(row.iter().zip([3.0, 1.0, 3.0]).all(|(count, expected)| (count - expected).abs() < 1e-9), "{row:?}");
        absorb(&mut row, 0, 0.0);
        assert!(row.iter().zip([3.0, 1.0, 3.0]).all(|(count, expected)| (count - expected).abs() < 1e-9), "{row:?}");
    }

    #[test]
    fn a_doubtful_vote_counts_for_less_than_its_probability() {
        for (vote, probability) in [(0, 0.1), (0, 0.5), (0, 0.9), (1, 0.1), (1, 0.5), (1, 0.9)] {
            let mut row = [3.0, 1.0];
            absorb(&mut row, vote, probability);
            let gained = row.iter().sum::<f64>() - 4.0;
            assert!(gained < probability, "{vote} {probability}: {gained}");
        }
    }

    #[test]
    fn known_labels_are_counted_and_fade() {
        let mut competence = one(0.8);
        for _ in 0..50 {
            competence.learn((0, 0), 1, &[0.0, 1.0], SURENESS);
        }
        let learned: Vec<f64> = competence.given_vote(0, 0, 1).collect();
        assert!((learned[0] - 0.2).abs() < 1e-6 && (learned[1] - 53.2 / 54.0).abs() < 1e-6, "{learned:?}");
        assert_eq!(competence.heard(0, 0), 50.0);
        for _ in 0..50 {
            competence.learn((0, 0), 0, &[0.0, 1.0], (4.0, 10.0));
        }
        let faded = competence.given_vote(0, 0, 1).nth(1).unwrap();
        assert!(faded < 0.4, "{faded}");
    }

    #[test]
    fn overlap_is_the_mean_of_all_pairs() {
        let mut competence = Competence::new(3, 1);
        competence.push(&[0.7], 10.0);
        // Every pair: 2 sqrt(.7 x .15) + .15.
        assert!((competence.summary(0, 0).overlap - (2.0 * (0.7f64 * 0.15).sqrt() + 0.15)).abs() < 1e-9);
        let mut worse = Competence::new(3, 1);
        worse.push(&[0.2], 10.0);
        assert_eq!(worse.summary(0, 0).overlap, 1.0);
    }

    #[test]
    fn another_expectation_keeps_what_was_learned() {
        let mut competence = one(0.5);
        for _ in 0..20 {
            competence.learn((0, 0), 1, &[0.0, 1.0], SURENESS);
        }
        competence.expect(0, 0, 0.8, 4.0);
        let learned: Vec<f64> = competence.given_vote(0, 0, 1).collect();
        assert!((learned[1] - 23.2 / 24.0).abs() < 1e-6 && (learned[0] - 0.2).abs() < 1e-6, "{learned:?}");
    }
}
