//! What the order of similarities says of accuracies, their values aside.

use deferral_core::ExpertId;

use crate::prior::Prior;

/// Similarities that differ by less are equal.
const EQUAL: f64 = 1e-9;

/// The accuracy expected of each of several people, by the rank of their similarity: `best` for the highest, `chance`
/// for the lowest, evenly in between; those who tie share the mean of their ranks. `None` if all are equal: then nobody
/// is known to be better than anybody. O(m log m).
pub(crate) fn by_rank(similarities: &[f64], chance: f64, best: f64) -> Option<Vec<f64>> {
    let ties = ties(similarities);
    if ties.len() < 2 {
        return None;
    }
    let mid = |tie: &Tie| tie.before as f64 + (tie.people.len() - 1) as f64 / 2.0;
    let (low, high) = (ties.first().map_or(0.0, mid), ties.last().map_or(1.0, mid));
    let mut accuracies = vec![chance; similarities.len()];
    for tie in &ties {
        let accuracy = chance + (best - chance) * (mid(tie) - low) / (high - low);
        for &person in &tie.people {
            accuracies[person] = accuracy;
        }
    }
    Some(accuracies)
}

/// People of equal similarity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tie {
    /// How many others have a lower similarity.
    before: usize,
    pub(crate) people: Vec<usize>,
}

/// People of equal similarity together, the lowest first. O(m log m).
pub(crate) fn ties(similarities: &[f64]) -> Vec<Tie> {
    let mut order: Vec<usize> = (0..similarities.len()).collect();
    order.sort_by(|&a, &b| similarities[a].total_cmp(&similarities[b]));
    let mut ties: Vec<Tie> = Vec::new();
    for (before, &person) in order.iter().enumerate() {
        let first = ties.last().and_then(|tie| tie.people.first());
        match first.filter(|&&first| similarities[person] - similarities[first] <= EQUAL) {
            Some(_) => ties.last_mut().map_or((), |tie| tie.people.push(person)),
            None => ties.push(Tie { before, people: vec![person] }),
        }
    }
    ties
}

/// The similarities of everybody with region `region`.
pub(crate) fn similarities(prior: &Prior, region: usize) -> Vec<f64> {
    let group = Some(deferral_core::GroupId::at(region));
    (0..prior.annotators()).map(|annotator| prior.of(ExpertId::at(annotator), group)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_and_values_do_not() {
        let accuracies = |similarities: &[f64]| by_rank(similarities, 0.5, 0.8);
        assert_eq!(accuracies(&[0.15, 0.7, 0.15]), Some(vec![0.5, 0.8, 0.5]));
        assert_eq!(accuracies(&[0.33, 0.34, 0.33]), Some(vec![0.5, 0.8, 0.5]));
        assert_eq!(accuracies(&[0.9, 0.1, 0.2]), Some(vec![0.8, 0.5, 0.65]));
        // Ranks 0.5, 0.5, 2, 3: the third is (2 - 0.5) / (3 - 0.5) of the way.
        let tied = accuracies(&[0.0, 0.0, 0.1, 1.0]).unwrap();
        assert!((tied[2] - (0.5 + 0.3 * 0.6)).abs() < 1e-12, "{tied:?}");
    }

    #[test]
    fn without_an_order_nothing_is_known() {
        for similarities in [&[][..], &[0.3], &[0.3, 0.1 + 0.2, 0.3]] {
            assert_eq!(by_rank(similarities, 0.5, 0.8), None);
        }
    }

    #[test]
    fn ties_stand_together() {
        let people: Vec<Vec<usize>> = ties(&[0.5, 0.2, 0.5, 0.9]).into_iter().map(|tie| tie.people).collect();
        assert_eq!(people, [vec![1], vec![0, 2], vec![3]]);
    }
}
