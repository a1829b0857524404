//! How good each expert is, overall and for every group, and how many are better for one group than for another.

use deferral_core::{Decisions, ExpertId, GroupAttribute, GroupId, Label};
use serde::{Deserialize, Serialize};

use crate::error::{MetricError, check_groups, check_length};
use crate::estimate::{Measured, proportion};
use crate::spread::Spread;

/// One expert against the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpertAccuracy {
    /// Who.
    pub expert: ExpertId,
    /// Cases answered, also those without a known truth.
    pub answered: usize,
    /// Answers left out because the truth is not known.
    pub without_truth: usize,
    /// The share of the other answers that is right, with its Wilson interval; undefined if there is none.
    pub overall: Measured,
    /// The same for the cases of each value of the group attribute, in its order; empty without an attribute.
    pub by_group: Vec<Measured>,
}

/// The accuracy of every expert on the cases that he or she answered, one entry an expert, also for those who answered
/// nothing. O(decisions + m G).
///
/// # Errors
/// If `truth` or the attribute are not for the cases of `decisions`, or a group has no name.
///
/// ```
/// use deferral_core::{Decisions, GroupAttribute, Label};
/// use deferral_metrics::expert_accuracies;
/// let decisions = Decisions::from_triples(2, 2, [(0, 0, 1), (1, 0, 1)])?;
/// let truth = [Some(Label(1)), Some(Label(0))];
/// let dialect = GroupAttribute::from_values("dialect", ["AAE", "other"]);
/// let experts = expert_accuracies(&decisions, &truth, Some(&dialect))?;
/// assert_eq!(experts[0].overall.value(), Some(0.5));
/// assert_eq!(experts[0].by_group[0].value(), Some(1.0));
/// assert_eq!((experts[1].answered, experts[1].overall.is_defined()), (0, false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn expert_accuracies(
    decisions: &Decisions,
    truth: &[Option<Label>],
    attribute: Option<&GroupAttribute>,
) -> Result<Vec<ExpertAccuracy>, MetricError> {
    check_length("the true labels", truth.len(), decisions.cases())?;
    attribute.map_or(Ok(()), |attribute| check_groups(attribute, decisions.cases()))?;
    Ok((0..decisions.experts()).map(|expert| judge(decisions, ExpertId::at(expert), truth, attribute)).collect())
}

fn judge(
    decisions: &Decisions,
    expert: ExpertId,
    truth: &[Option<Label>],
    attribute: Option<&GroupAttribute>,
) -> ExpertAccuracy {
    let row = decisions.of_expert(expert);
    let (mut right, mut judged) = (0, 0);
    let mut of_group = vec![(0, 0); attribute.map_or(0, GroupAttribute::len)];
    for (case, label) in row.iter() {
        let Some(truth) = truth[case.index()] else { continue };
        let is_right = usize::from(label == truth);
        right += is_right;
        judged += 1;
        if let Some(attribute) = attribute {
            let (right, judged) = &mut of_group[attribute.of_case[case.index()].index()];
            *right += is_right;
            *judged += 1;
        }
    }
    ExpertAccuracy {
        expert,
        answered: row.len(),
        without_truth: row.len() - judged,
        overall: proportion(right, judged),
        by_group: of_group.into_iter().map(|(right, judged)| proportion(right, judged)).collect(),
    }
}

/// How many experts are better on one group than on another, and by how much.
///
/// The gaps are accuracy on the better group minus accuracy on the other, so positive; [`Spread::n`] is the number of
/// experts and [`Spread::population_sd`] what the papers print in brackets (Keswani, Lease and Kenthapadi 2021,
/// section 4).
///
/// ```
/// use deferral_core::{Decisions, GroupAttribute, GroupId, Label};
/// use deferral_metrics::{GroupAdvantage, expert_accuracies};
/// let decisions = Decisions::from_triples(2, 3, [(0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 0), (0, 2, 1)])?;
/// let dialect = GroupAttribute::from_values("dialect", ["AAE", "other"]);
/// let experts = expert_accuracies(&decisions, &[Some(Label(1)), Some(Label(0))], Some(&dialect))?;
/// let advantage = GroupAdvantage::of(&experts, GroupId(0), GroupId(1));
/// assert_eq!(advantage.first.unwrap().to_string(), "1.0000 (0.0000)");
/// assert_eq!((advantage.second, advantage.equal, advantage.undefined), (None, 1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GroupAdvantage {
    /// The gaps of the experts who are better on the first group; `None` if nobody is.
    pub first: Option<Spread>,
    /// The gaps of the experts who are better on the second group; `None` if nobody is.
    pub second: Option<Spread>,
    /// Experts equally good on both.
    pub equal: usize,
    /// Experts with no judged case in one of the groups, left out.
    pub undefined: usize,
}

impl GroupAdvantage {
    /// Compares each expert's accuracy on the groups `first` and `second` of the attribute given to
    /// [`expert_accuracies`]. A group that does not exist leaves every expert undefined.
    pub fn of(experts: &[ExpertAccuracy], first: GroupId, second: GroupId) -> Self {
        let on = |expert: &ExpertAccuracy, group: GroupId| expert.by_group.get(group.index()).and_then(Measured::value);
        let gaps = || experts.iter().filter_map(|expert| Some(on(expert, first)? - on(expert, second)?));
        // Equal shares divide to the same number, so the comparison with 0 is exact.
        let better_first: Vec<f64> = gaps().filter(|gap| *gap > 0.0).collect();
        let better_second: Vec<f64> = gaps().filter(|gap| *gap < 0.0).map(|gap| -gap).collect();
        let defined = gaps().count();
        Self {
            first: Spread::of(&better_first),
            second: Spread::of(&better_second),
            equal: defined - better_first.len() - better_second.len(),
            undefined: experts.len() - defined,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn answers_without_truth_are_counted() {
        let decisions = Decisions::from_triples(3, 1, [(0, 0, 1), (1, 0, 0), (2, 0, 2)]).unwrap();
        let experts = expert_accuracies(&decisions, &[Some(Label(1)), None, Some(Label(0))], None).unwrap();
        assert_eq!((experts[0].answered, experts[0].without_truth, experts[0].overall.n()), (3, 1, 2));
        assert_eq!(experts[0].overall.value(), Some(0.5));
        assert!(experts[0].by_group.is_empty());
    }

    #[test]
    fn misuse_is_named() {
        let decisions = Decisions::none(2, 1);
        let error = expert_accuracies(&decisions, &[None], None).unwrap_err().to_string();
        assert!(error.starts_with("the true labels: 1 entries for 2 cases"), "{error}");
        let attribute = GroupAttribute::from_values("g", ["a"]);
        assert!(expert_accuracies(&decisions, &[None, None], Some(&attribute)).is_err());
    }

    #[test]
    fn thirds_and_sixths_are_equal() {
        let by_group = |shares: [(usize, usize); 2]| ExpertAccuracy {
            expert: ExpertId(0),
            answered: 0,
            without_truth: 0,
            overall: Measured::Undefined,
            by_group: shares.iter().map(|&(right, n)| proportion(right, n)).collect(),
        };
        let experts = [[(1, 3), (2, 6)], [(1, 2), (1, 4)], [(1, 1), (1, 4)], [(0, 2), (1, 2)], [(0, 0), (1, 1)]];
        let advantage = GroupAdvantage::of(&experts.map(by_group), GroupId(0), GroupId(1));
        let (first, second) = (advantage.first.unwrap(), advantage.second.unwrap());
        assert_eq!((first.n, first.mean, first.population_sd), (2, 0.5, 0.25));
        assert_eq!((second.n, second.mean), (1, 0.5));
        assert_eq!((advantage.equal, advantage.undefined), (1, 1));
        assert_eq!(GroupAdvantage::of(&experts.map(by_group), GroupId(0), GroupId(7)).undefined, 5);
    }

    proptest! {
        #[test]
        fn everybody_is_somewhere(votes in prop::collection::btree_map((0u32..12, 0u32..6), 0u16..3, 0..60)) {
            let triples = votes.iter().map(|(&(case, expert), &label)| (case, expert, label));
            let decisions = Decisions::from_triples(12, 6, triples).unwrap();
            let truth: Vec<_> = (0u16..12).map(|i| (i % 4 != 3).then_some(Label(i % 3))).collect();
            let attribute = GroupAttribute::from_values("g", (0..12).map(|i| if i % 2 == 0 { "a" } else { "b" }));
            let experts = expert_accuracies(&decisions, &truth, Some(&attribute)).unwrap();
            prop_assert_eq!(experts.iter().map(|e| e.answered).sum::<usize>(), decisions.len());
            for expert in &experts {
                prop_assert_eq!(expert.overall.n() + expert.without_truth, expert.answered);
                prop_assert_eq!(expert.by_group.iter().map(Measured::n).sum::<usize>(), expert.overall.n());
            }
            let there = GroupAdvantage::of(&experts, GroupId(0), GroupId(1));
            let back = GroupAdvantage::of(&experts, GroupId(1), GroupId(0));
            prop_assert_eq!((there.first, there.second, there.equal), (back.second, back.first, back.equal));
            let people = there.first.map_or(0, |s| s.n) + there.second.map_or(0, |s| s.n);
            prop_assert_eq!(people + there.equal + there.undefined, experts.len());
        }
    }
}
