//! Dependence: experts who err together must not count twice.

use deferral_core::{CaseId, Columns, Confusions, Decisions, ExpertId, Label, Vote};
use serde::{Deserialize, Serialize};

/// How much the errors of two experts go together: 0 for independent experts, 1 for one who copies the other.
///
/// The correlation of being right beyond what the truth explains, `sum r_i r_j / sum sqrt(v_i v_j)` over the cases that
/// both voted on, with `r = 1[right] - P(right | truth)` and `v` its variance. Most pairs share few cases, so each is
/// pulled towards the typical correlation of all pairs ([`Dependence::typical`], which comes from hard cases and shared
/// bias) as if it had been seen on 30 more cases.
///
/// The votes of V people then count `w_j = 1 / (1 + sum_i rho_ij)` each, their number as if independent being the sum
/// of these; three copies of one person count as one. O(sum over cases of votes^2) to learn. Ours, after the design
/// effect of survey statistics (Kish 1965, section 5.4).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Dependence {
    typical: f64,
    /// For each expert those whose correlation with them is not the typical one, sorted.
    others: Vec<Vec<(ExpertId, f64)>>,
}

/// Cases of typical correlation that each pair is pulled by.
const PULL: f64 = 30.0;
/// A correlation so close to the typical one need not be remembered.
const ALIKE: f64 = 0.02;

/// Sums over common cases.
#[derive(Debug, Clone, Copy, Default)]
struct Pair {
    product: f64,
    scale: f64,
}

impl Dependence {
    /// Learns from votes on cases of which `truth` is believed (K x n, a distribution a case; zeros for nothing), given
    /// what is believed of each expert.
    pub fn learn(decisions: &Decisions, truth: &Columns, confusions: &Confusions) -> Self {
        let mut pairs: std::collections::HashMap<(u32, u32), Pair> = std::collections::HashMap::new();
        let mut all = Pair::default();
        let mut votes: Vec<(ExpertId, f64, f64)> = Vec::new();
        for case in 0..decisions.cases().min(truth.n()) {
            votes.clear();
            let belief = truth.column(case);
            votes.extend(decisions.of_case(CaseId::at(case)).iter().filter_map(|(expert, label)| {
                let (residual, variance) = residual(confusions, expert, label, belief)?;
                Some((expert, residual, variance))
            }));
            for (at, &(first, r1, v1)) in votes.iter().enumerate() {
                for &(second, r2, v2) in &votes[at + 1..] {
                    let (product, scale) = (r1 * r2, (v1 * v2).sqrt());
                    for pair in [&mut all, pairs.entry((first.0, second.0)).or_default()] {
                        pair.product += product;
                        pair.scale += scale;
                    }
                }
            }
        }
        let typical = if all.scale > 0.0 { (all.product / all.scale).clamp(0.0, 1.0) } else { 0.0 };
        // A pull by cases as informative as the mean common case.
        let pull = PULL * all.scale / common_cases(decisions).max(1.0);
        let mut others = vec![Vec::new(); decisions.experts()];
        // The order of a hash map must not reach a result: each list is sorted.
        for (&(first, second), pair) in &pairs {
            let rho = ((pair.product + pull * typical) / (pair.scale + pull)).clamp(0.0, 1.0);
            if (rho - typical).abs() > ALIKE {
                others[first as usize].push((ExpertId(second), rho));
                others[second as usize].push((ExpertId(first), rho));
            }
        }
        for list in &mut others {
            list.sort_by_key(|(expert, _)| *expert);
        }
        Self { typical, others }
    }

    /// The correlation of two experts of whom nothing in particular is known.
    pub fn typical(&self) -> f64 {
        self.typical
    }

    /// The correlation of the errors of two different experts, in [0, 1]. O(log m).
    pub fn between(&self, first: ExpertId, second: ExpertId) -> f64 {
        let list = self.others.get(first.index()).map_or(&[][..], Vec::as_slice);
        list.binary_search_by_key(&second, |(expert, _)| *expert).map_or(self.typical, |at| list[at].1)
    }

    /// The sums of correlations of each voter with all others, in the order of `votes`, which must be sorted by expert.
    /// O(V x pairs that are not typical).
    pub(crate) fn sums(&self, votes: &[Vote], sums: &mut Vec<f64>) {
        let typical = self.typical * votes.len().saturating_sub(1) as f64;
        sums.clear();
        sums.extend(votes.iter().map(|vote| typical + self.beyond_typical(vote.expert, votes)));
    }

    /// How much more than typically `expert` errs with those who voted.
    fn beyond_typical(&self, expert: ExpertId, votes: &[Vote]) -> f64 {
        let list = self.others.get(expert.index()).map_or(&[][..], Vec::as_slice);
        if list.is_empty() {
            return 0.0;
        }
        let excess = |vote: &Vote| {
            list.binary_search_by_key(&vote.expert, |(other, _)| *other).map(|at| list[at].1 - self.typical)
        };
        votes.iter().filter_map(|vote| excess(vote).ok()).sum()
    }

    /// How many independent votes one more by `expert` adds to those of `votes`, whose correlations add up to `sums`: 1
    /// for the first voter, 0 for a copy.
    pub(crate) fn added(&self, expert: ExpertId, votes: &[Vote], sums: &[f64]) -> f64 {
        if votes.is_empty() || (self.typical == 0.0 && self.others.is_empty()) {
            return 1.0;
        }
        let (mut added, mut own) = (0.0, 0.0);
        for (vote, sum) in votes.iter().zip(sums) {
            let rho = self.between(expert, vote.expert);
            own += rho;
            added += 1.0 / (1.0 + sum + rho) - 1.0 / (1.0 + sum);
        }
        (added + 1.0 / (1.0 + own)).max(0.0)
    }
}

/// By how much a vote was right more than expected, and the variance of that; `None` if nothing is believed of the case.
fn residual(confusions: &Confusions, expert: ExpertId, label: Label, belief: &[f64]) -> Option<(f64, f64)> {
    let total: f64 = belief.iter().sum();
    if total <= 0.0 || label.index() >= belief.len() {
        return None;
    }
    let right = |(class, p): (usize, &f64)| p / total * confusions.get(expert, Label::at(class), Label::at(class));
    let expected: f64 = belief.iter().enumerate().map(right).sum();
    Some((belief[label.index()] / total - expected, expected * (1.0 - expected)))
}

/// Number of (case, pair of voters).
fn common_cases(decisions: &Decisions) -> f64 {
    let pairs = |case| {
        let votes = decisions.of_case(CaseId::at(case)).len() as f64;
        votes * (votes - 1.0) / 2.0
    };
    (0..decisions.cases()).map(pairs).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::Stream;
    use rand::RngExt;

    /// Experts 0 and 1 err independently with probability .3; whoever comes after copies expert 0.
    fn panel(copies: u32) -> (Decisions, Columns, Confusions) {
        let mut random = Stream::new(5).random();
        let (mut votes, mut truth) = (Vec::new(), Vec::new());
        for case in 0..400u32 {
            let label = case % 2;
            truth.extend([f64::from(1 - label), f64::from(label)]);
            let mut vote = || (label ^ u32::from(random.random::<f64>() < 0.3)) as u16;
            let (first, second) = (vote(), vote());
            votes.extend([(case, 0, first), (case, 1, second)]);
            votes.extend((0..copies).map(|copy| (case, 2 + copy, first)));
        }
        let experts = 2 + copies as usize;
        let decisions = Decisions::from_triples(400, experts, votes).unwrap();
        (decisions, Columns::from_values(2, truth), Confusions::one_coin(&vec![0.7; experts], 2))
    }

    fn votes(experts: &[u32]) -> Vec<Vote> {
        experts.iter().map(|&e| Vote { expert: ExpertId(e), label: Label(0) }).collect()
    }

    #[test]
    fn copies_count_as_one() {
        let (decisions, truth, confusions) = panel(2);
        let dependence = Dependence::learn(&decisions, &truth, &confusions);
        assert!(dependence.between(ExpertId(0), ExpertId(3)) > 0.9);
        assert!(dependence.between(ExpertId(0), ExpertId(1)) < 0.15);
        let three = votes(&[0, 2, 3]);
        let mut sums = Vec::new();
        dependence.sums(&three, &mut sums);
        let count: f64 = sums.iter().map(|sum| 1.0 / (1.0 + sum)).sum();
        assert!((count - 1.0).abs() < 0.1, "{count}");
        assert!(dependence.added(ExpertId(2), &three[..1], &[0.0]) < 0.05);
        assert!(dependence.added(ExpertId(1), &three[..1], &[0.0]) > 0.7);
    }

    #[test]
    fn independent_experts_count_in_full() {
        let (decisions, truth, confusions) = panel(0);
        let dependence = Dependence::learn(&decisions, &truth, &confusions);
        assert!(dependence.typical() < 0.1, "{}", dependence.typical());
        assert_eq!(Dependence::default().added(ExpertId(3), &votes(&[0, 1, 2]), &[0.0; 3]), 1.0);
    }

    #[test]
    fn what_is_added_is_the_gain_in_independent_votes() {
        let dependence =
            Dependence { typical: 0.2, others: vec![vec![(ExpertId(1), 0.6)], vec![(ExpertId(0), 0.6)], vec![]] };
        let number = |experts: &[u32]| {
            let mut sums = Vec::new();
            dependence.sums(&votes(experts), &mut sums);
            sums.iter().map(|sum| 1.0 / (1.0 + sum)).sum::<f64>()
        };
        let mut sums = Vec::new();
        dependence.sums(&votes(&[0, 2]), &mut sums);
        let added = dependence.added(ExpertId(1), &votes(&[0, 2]), &sums);
        assert!((added - (number(&[0, 1, 2]) - number(&[0, 2]))).abs() < 1e-12);
    }
}
