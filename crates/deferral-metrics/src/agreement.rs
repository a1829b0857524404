//! What people agree on, case by case, and how far beyond chance.

use deferral_core::{CaseId, Decisions, Label, Stream};

use crate::bootstrap::{Bootstrap, Bootstrapped, Resampling};
use crate::error::MetricError;
use crate::estimate::Measured;

/// The label that most experts gave to each case, the lowest on ties; `None` for a case without votes.
/// O(decisions log(votes on a case)).
///
/// ```
/// use deferral_core::{Decisions, Label};
/// let decisions = Decisions::from_triples(3, 3, [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 1), (1, 1, 0)])?;
/// assert_eq!(deferral_metrics::majority(&decisions), [Some(Label(1)), Some(Label(0)), None]);
/// # Ok::<(), deferral_core::DecisionsError>(())
/// ```
pub fn majority(decisions: &Decisions) -> Vec<Option<Label>> {
    majority_with(decisions, |_, tied| tied[0])
}

/// As [`majority`], but `break_tie` decides ties: it is given the case and the tied labels, ascending, at least two of
/// them, and its answer is taken whatever it is.
///
/// ```
/// use deferral_core::{Decisions, Label};
/// let decisions = Decisions::from_triples(1, 2, [(0, 0, 1), (0, 1, 0)])?;
/// let highest = deferral_metrics::majority_with(&decisions, |_, tied| tied[tied.len() - 1]);
/// assert_eq!(highest, [Some(Label(1))]);
/// # Ok::<(), deferral_core::DecisionsError>(())
/// ```
pub fn majority_with(
    decisions: &Decisions,
    mut break_tie: impl FnMut(CaseId, &[Label]) -> Label,
) -> Vec<Option<Label>> {
    let decide = |index: usize| {
        let case = CaseId::at(index);
        let counts = counts(decisions.of_case(case).labels);
        let most = counts.iter().map(|&(_, count)| count).max()?;
        let winners: Vec<Label> = counts.iter().filter(|(_, count)| *count == most).map(|&(label, _)| label).collect();
        Some(if winners.len() == 1 { winners[0] } else { break_tie(case, &winners) })
    };
    (0..decisions.cases()).map(decide).collect()
}

/// How often each label occurs, by ascending label.
fn counts(labels: &[Label]) -> Vec<(Label, usize)> {
    let mut sorted = labels.to_vec();
    sorted.sort_unstable();
    sorted.chunk_by(|a, b| a == b).map(|equal| (equal[0], equal.len())).collect()
}

/// Krippendorff's alpha for nominal labels, any number of experts and missing answers (Krippendorff 2011): 1 is full
/// agreement, 0 what chance gives, below 0 systematic disagreement.
///
/// `alpha = 1 - D_o / D_e`, from the coincidences `o_ck`: the sum over cases u with `m_u >= 2` votes, `n_uc` of them for
/// class c, of `n_uc (n_uk - [c = k]) / (m_u - 1)`. Only their diagonal and their margins are needed, so the cost is O(decisions log(votes on a case) + K) and
/// there is no K x K table. Cases with a single vote say nothing about agreement and take no part: n counts the votes on
/// the other cases. Undefined if no case has two votes; 1 by convention if all of them are the same label.
///
/// ```
/// use deferral_core::Decisions;
/// let votes = [(0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 1, 0), (2, 0, 1), (2, 1, 0), (3, 0, 1)];
/// let alpha = deferral_metrics::krippendorff_alpha(&Decisions::from_triples(4, 2, votes)?);
/// assert_eq!((alpha.to_string().as_str(), alpha.n()), ("0.4444", 6));
/// # Ok::<(), deferral_core::DecisionsError>(())
/// ```
pub fn krippendorff_alpha(decisions: &Decisions) -> Measured {
    Units::of(decisions).alpha()
}

/// Krippendorff's alpha with a bootstrap interval over cases: how far it would vary with other cases and the same people.
///
/// # Errors
/// As [`Bootstrap::measure`].
pub fn alpha_bootstrap(
    decisions: &Decisions,
    bootstrap: &Bootstrap,
    stream: &Stream,
) -> Result<Bootstrapped, MetricError> {
    let units = Units::of(decisions);
    let n = units.of_case.len();
    bootstrap.measure(n, Resampling::Plain, stream, |cases| units.alpha_of(cases.iter().copied()).value())
}

/// The label counts of every case, counted once for all resamples.
struct Units {
    of_case: Vec<Vec<(Label, usize)>>,
    classes: usize,
}

impl Units {
    fn of(decisions: &Decisions) -> Self {
        let of_case = (0..decisions.cases()).map(|case| counts(decisions.of_case(CaseId::at(case)).labels)).collect();
        Self { of_case, classes: decisions.max_label().map_or(0, |label| label.index() + 1) }
    }

    fn alpha(&self) -> Measured {
        self.alpha_of(0..self.of_case.len())
    }

    fn alpha_of(&self, cases: impl Iterator<Item = usize>) -> Measured {
        let mut margins = vec![0usize; self.classes];
        let mut agreeing = 0.0;
        for unit in cases.filter_map(|case| self.of_case.get(case)) {
            let votes: usize = unit.iter().map(|&(_, count)| count).sum();
            if votes < 2 {
                continue;
            }
            let pairs: usize = unit.iter().map(|&(_, count)| count * (count - 1)).sum();
            agreeing += pairs as f64 / (votes - 1) as f64;
            for &(label, count) in unit {
                margins[label.index()] += count;
            }
        }
        alpha(agreeing, &margins)
    }
}

/// Alpha from the sum of the coincidences' diagonal and their margins.
fn alpha(agreeing: f64, margins: &[usize]) -> Measured {
    let n: usize = margins.iter().sum();
    if n == 0 {
        return Measured::Undefined;
    }
    if margins.contains(&n) {
        return Measured::new(1.0, n);
    }
    let total = n as f64;
    let expected = total * total - margins.iter().map(|&c| (c as f64).powi(2)).sum::<f64>();
    Measured::new(1.0 - (total - 1.0) * (total - agreeing) / expected, n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One string a case: a digit is a vote, a dot a missing one.
    fn decisions(units: &[&str]) -> Decisions {
        let experts = units.iter().map(|u| u.len()).max().unwrap_or(0);
        let vote = |(case, unit): (usize, &&str)| {
            let digits: Vec<_> = unit.bytes().enumerate().filter(|(_, b)| *b != b'.').collect();
            digits.into_iter().map(move |(e, b)| (case as u32, e as u32, u16::from(b - b'0'))).collect::<Vec<_>>()
        };
        Decisions::from_triples(units.len(), experts, units.iter().enumerate().flat_map(vote)).unwrap()
    }

    fn value(units: &[&str]) -> f64 {
        krippendorff_alpha(&decisions(units)).value().unwrap()
    }

    /// The textbook's way, with the whole coincidence matrix.
    fn textbook(decisions: &Decisions, classes: usize) -> Option<f64> {
        let mut o = vec![vec![0.0; classes]; classes];
        for case in 0..decisions.cases() {
            let row = decisions.of_case(CaseId::at(case));
            for (e, c) in row.iter() {
                for (_, k) in row.iter().filter(|(other, _)| *other != e) {
                    o[c.index()][k.index()] += 1.0 / (row.len() - 1) as f64;
                }
            }
        }
        let margins: Vec<f64> = o.iter().map(|row| row.iter().sum()).collect();
        let n: f64 = margins.iter().sum();
        let (mut observed, mut expected) = (0.0, 0.0);
        for c in 0..classes {
            for k in (0..classes).filter(|&k| k != c) {
                observed += o[c][k] / n;
                expected += margins[c] * margins[k] / (n * (n - 1.0));
            }
        }
        (n > 0.0).then(|| if expected == 0.0 { 1.0 } else { 1.0 - observed / expected })
    }

    #[test]
    fn the_examples_of_the_specification() {
        assert!((value(&["11", "00", "10", "1"]) - 0.444_444).abs() < 1e-6);
        assert!((value(&["110", "00", "1011"]) - 0.2).abs() < 1e-12);
        let majority = majority(&decisions(&["110", "000", "101"]));
        assert_eq!(majority, [1, 0, 1].map(|k| Some(Label(k))));
    }

    #[test]
    fn krippendorffs_published_example() {
        // Krippendorff 2011, section C: 4 observers, 12 units, nominal, missing data: 0.743.
        let units = ["11.1", "2232", "3333", "3333", "2222", "1234", "4444", "1121", "2222", ".555", "..11", ".3.."];
        assert!((value(&units) - 0.743).abs() < 5e-4, "{}", value(&units));
        assert_eq!(krippendorff_alpha(&decisions(&units)).n(), 40);
    }

    #[test]
    fn agreement_needs_two_votes() {
        assert_eq!(krippendorff_alpha(&decisions(&["1", ".0"])), Measured::Undefined);
        assert_eq!(krippendorff_alpha(&Decisions::none(0, 0)), Measured::Undefined);
        assert_eq!(value(&["11", "111"]), 1.0);
        assert!(value(&["10", "01"]) < 0.0);
    }

    #[test]
    fn ties_are_shown_to_the_rule() {
        let mut seen = Vec::new();
        let labels = majority_with(&decisions(&["3020", "2211", "11"]), |case, tied| {
            seen.push((case.0, tied.to_vec()));
            Label(9)
        });
        assert_eq!(labels, [0, 9, 1].map(|k| Some(Label(k))));
        assert_eq!(seen, [(1, vec![Label(1), Label(2)])]);
    }

    #[test]
    fn the_bootstrap_brackets_alpha_and_survives_undefined_resamples() {
        let bootstrap = Bootstrap { resamples: 300, level: 0.95 };
        let many: Vec<&str> = ["110", "000", "101", "11", "00"].repeat(8);
        let result = alpha_bootstrap(&decisions(&many), &bootstrap, &Stream::new(1)).unwrap();
        let (low, high) = result.measured.interval().unwrap();
        let value = result.measured.value().unwrap();
        assert!(low < value && value < high && high <= 1.0);
        let few = alpha_bootstrap(&decisions(&["10", "1", "0"]), &bootstrap, &Stream::new(1)).unwrap();
        assert!(few.undefined > 40 && few.defined > 100);
    }

    type Votes = Vec<Vec<Option<u16>>>;

    fn votes() -> impl Strategy<Value = Votes> {
        prop::collection::vec(prop::collection::vec(prop::option::of(0u16..4), 4), 1..15)
    }

    fn table(votes: &Votes, expert: impl Fn(usize) -> usize, label: impl Fn(u16) -> u16) -> Decisions {
        let mut triples = Vec::new();
        for (case, row) in votes.iter().enumerate() {
            for (e, vote) in row.iter().enumerate() {
                triples.extend(vote.map(|k| (case as u32, expert(e) as u32, label(k))));
            }
        }
        Decisions::from_triples(votes.len(), 4, triples).unwrap()
    }

    proptest! {
        #[test]
        fn alpha_is_the_textbooks(votes in votes()) {
            let decisions = table(&votes, |e| e, |k| k);
            let (ours, theirs) = (krippendorff_alpha(&decisions).value(), textbook(&decisions, 4));
            prop_assert_eq!(ours.is_some(), theirs.is_some());
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                prop_assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
            }
        }

        #[test]
        fn alpha_ignores_the_names_of_experts_and_labels(votes in votes()) {
            let alpha = krippendorff_alpha(&table(&votes, |e| e, |k| k)).value();
            let experts = krippendorff_alpha(&table(&votes, |e| (e + 1) % 4, |k| k)).value();
            let labels = krippendorff_alpha(&table(&votes, |e| e, |k| 3 - k)).value();
            for other in [experts, labels] {
                prop_assert_eq!(alpha.is_some(), other.is_some());
                prop_assert!((alpha.unwrap_or(0.0) - other.unwrap_or(0.0)).abs() < 1e-12);
            }
        }

        #[test]
        fn alpha_of_unanimous_cases_is_one(labels in prop::collection::vec(0u16..4, 1..20)) {
            let votes: Votes = labels.iter().map(|&k| vec![Some(k), None, Some(k), Some(k)]).collect();
            let alpha = krippendorff_alpha(&table(&votes, |e| e, |k| k)).value().unwrap();
            prop_assert!((alpha - 1.0).abs() < 1e-12);
        }

        #[test]
        fn the_majority_has_most_votes(votes in votes()) {
            let decisions = table(&votes, |e| e, |k| k);
            for (row, label) in votes.iter().zip(majority(&decisions)) {
                let count = |k: u16| row.iter().flatten().filter(|&&v| v == k).count();
                prop_assert_eq!(label.is_none(), row.iter().flatten().count() == 0);
                if let Some(Label(k)) = label {
                    prop_assert!((0..4).all(|other| count(other) < count(k) || (count(other) == count(k) && other >= k)));
                }
            }
        }
    }
}
