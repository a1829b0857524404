//! Two steps that all online methods share: the best of those available, and one label from the votes that came.

use deferral_core::{ExpertId, Label, Question, Vote};

/// Scores that differ by less than this share of their total are equal: sums of the same weights in another order may
/// differ in the last bits.
const EQUAL: f64 = 1e-12;

/// Those among `available` (sorted) whom the method knows, each once.
pub(crate) fn known(available: &[ExpertId], workers: usize) -> impl Iterator<Item = ExpertId> {
    let mut last = None;
    available.iter().copied().filter(move |&expert| expert.index() < workers && last.replace(expert) != Some(expert))
}

/// The k experts with the largest scores, best first, the lower index on ties; NaN never wins. O(m log m).
pub(crate) fn top(k: usize, scored: impl Iterator<Item = (ExpertId, f64)>) -> Vec<Question> {
    let comparable = |score: f64| if score.is_nan() { f64::NEG_INFINITY } else { score };
    let mut scored: Vec<_> = scored.map(|(expert, score)| (expert, comparable(score))).collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scored.into_iter().take(k).map(|(expert, _)| Question { expert, propensity: 1.0 }).collect()
}

/// The label with the largest weight of its voters, the lowest on ties. Votes whose worker has no weight are not
/// counted; if all weights are zero, every vote counts the same. O(votes x different labels).
pub(crate) fn weighted_label(votes: &[Vote], weight: impl Fn(ExpertId) -> Option<f64>) -> Option<Label> {
    let mut scores: Vec<Score> = Vec::new();
    for vote in votes {
        let Some(weight) = weight(vote.expert) else { continue };
        let at = scores.iter().position(|score| score.label == vote.label).unwrap_or_else(|| {
            scores.push(Score { label: vote.label, weight: 0.0, votes: 0.0 });
            scores.len() - 1
        });
        scores[at].weight += weight.max(0.0);
        scores[at].votes += 1.0;
    }
    let weighted = scores.iter().any(|score| score.weight > 0.0);
    let size = |score: &Score| if weighted { score.weight } else { score.votes };
    let best = scores.iter().map(size).fold(0.0, f64::max);
    let slack = EQUAL * scores.iter().map(size).sum::<f64>();
    scores.iter().filter(|score| size(score) >= best - slack).map(|score| score.label).min()
}

struct Score {
    label: Label,
    weight: f64,
    votes: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(votes: &[(u32, u16)], weights: &[f64]) -> Option<u16> {
        let votes: Vec<_> = votes.iter().map(|&(e, l)| Vote { expert: ExpertId(e), label: Label(l) }).collect();
        weighted_label(&votes, |expert| weights.get(expert.index()).copied()).map(|label| label.0)
    }

    #[test]
    fn the_heavier_label_wins_and_the_lowest_on_ties() {
        assert_eq!(label(&[(0, 2), (1, 1), (2, 1)], &[0.7, 0.4, 0.2]), Some(2));
        assert_eq!(label(&[(0, 2), (1, 1), (2, 1)], &[0.6, 0.4, 0.2]), Some(1));
        // In this order the sums are 0.6 and 0.6000000000000001.
        assert_eq!(label(&[(0, 0), (1, 1), (2, 1), (3, 1)], &[0.6, 0.1, 0.2, 0.3]), Some(0));
    }

    #[test]
    fn without_any_trust_every_vote_counts_the_same() {
        assert_eq!(label(&[(0, 2), (1, 1), (2, 2)], &[0.0; 3]), Some(2));
        assert_eq!(label(&[(0, 2)], &[0.0]), Some(2));
        assert_eq!(label(&[(0, 1), (1, 3)], &[f64::NAN, 0.0]), Some(1));
    }

    #[test]
    fn strangers_are_not_counted() {
        assert_eq!(label(&[(7, 1), (8, 1), (0, 0)], &[0.1]), Some(0));
        assert_eq!(label(&[(7, 1)], &[0.1]), None);
        assert_eq!(label(&[], &[0.1]), None);
    }

    #[test]
    fn the_best_are_distinct_known_and_in_order() {
        let available = [0, 1, 1, 2, 3, 9].map(ExpertId);
        let scores = [0.5, f64::NAN, 0.9, 0.5];
        let best = |k| {
            let questions = top(k, known(&available, 4).map(|expert| (expert, scores[expert.index()])));
            questions.iter().map(|question| question.expert.0).collect::<Vec<_>>()
        };
        assert_eq!(best(1), [2]);
        assert_eq!(best(3), [2, 0, 3]);
        assert_eq!(best(9), [2, 0, 3, 1]);
    }
}
