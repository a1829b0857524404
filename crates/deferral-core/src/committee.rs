//! Committees of fixed size: ask once, then decide.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::columns::argmax;
use crate::consult::{Consultation, Consulted, Next, Question, Verdict};
use crate::ids::{ExpertId, Label};
use crate::learn::ParameterError;

/// A committee drawn from the policy's weights that is asked once and then votes.
///
/// The default is the whole committee with the classifier among it and a weighted vote, after the joint framework for
/// any number of classes (Keswani, Lease and Kenthapadi 2021, section 2.1). Like every voter the classifier casts one
/// vote for one class, as in the released code; the paper's multi-class text would add its whole distribution. Cost O(m) a case for the
/// whole, O(m + k log m) for a draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Committee {
    /// Who sits in it.
    pub select: Selection,
    /// Whether the classifier does.
    pub classifier: Seat,
    /// How votes become a label.
    pub vote: VoteRule,
    /// What decides between labels with equal scores.
    pub tie: TieBreak,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// Everybody with a weight above zero.
    #[default]
    Whole,
    /// k draws, independent and with replacement, in proportion to the weights (section 2.2, "sparse").
    Sampled {
        /// Number of draws.
        k: usize,
    },
    /// k different experts, drawn one after another in proportion to the weights of those left.
    Distinct {
        /// Number of experts.
        k: usize,
    },
    /// The k experts with the largest weights, the lower index on ties.
    Top {
        /// Number of experts.
        k: usize,
    },
}

/// The classifier's place in a committee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seat {
    /// It is chosen by its weight like everybody else.
    #[default]
    Weighted,
    /// It sits in every committee, beside the k human members.
    Always,
    /// It never sits.
    Never,
}

/// How the votes of a committee become a label. A member drawn twice votes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VoteRule {
    /// Every class scores the weights of its voters; in a committee drawn in proportion to the weights, every draw
    /// scores the same, because the weight is already in the draw.
    #[default]
    Weighted,
    /// Every vote scores one.
    Majority,
    /// The published binary score S = (sum of weights) x (mean of the votes), label 1 iff S > 1/2; a member who did
    /// not answer counts as a 0. With more than two classes the class with the largest mean wins.
    ScaledMean,
}

/// What decides between labels with equal scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TieBreak {
    /// The lowest label.
    #[default]
    Lowest,
    /// A random one of them, drawn from the stream of the case.
    Random,
    /// The one that the classifier believes in most.
    Classifier,
}

impl Committee {
    /// The whole committee of experts and classifier under the given vote rule.
    pub fn whole(vote: VoteRule) -> Self {
        Self { vote, ..Self::default() }
    }

    /// Checks the size against the number of voters there are: m experts, and the classifier where it can be drawn.
    ///
    /// # Errors
    /// If k is 0, or larger than the voters that could be drawn.
    pub fn check(&self, experts: usize) -> Result<(), ParameterError> {
        let (Selection::Sampled { k } | Selection::Distinct { k } | Selection::Top { k }) = self.select else {
            return Ok(());
        };
        let voters = experts + usize::from(self.classifier == Seat::Weighted);
        let expected = format!("between 1 and the {voters} voters there are");
        ParameterError::check((1..=voters).contains(&k), "the committee size k", k, &expected)
    }

    /// The voters who may be drawn, with their weights.
    fn voters<'a>(&self, state: &'a Consulted<'_>) -> impl Iterator<Item = (ExpertId, f64)> + 'a {
        let weight = |expert: ExpertId| state.weights.get(expert.index()).copied().unwrap_or(0.0).max(0.0);
        let classifier = (self.classifier == Seat::Weighted).then(|| state.classifier());
        state.available.iter().copied().chain(classifier).map(move |expert| (expert, weight(expert)))
    }

    fn choose(&self, state: &Consulted<'_>, random: &mut dyn Rng) -> Vec<Question> {
        let certain = |(expert, _): (ExpertId, f64)| Question { expert, propensity: 1.0 };
        let mut questions = match self.select {
            Selection::Whole => {
                let mut questions = Vec::with_capacity(state.available.len() + 1);
                questions.extend(self.voters(state).filter(|(_, weight)| *weight > 0.0).map(certain));
                questions
            }
            Selection::Sampled { k } => sample(&self.voters(state).collect::<Vec<_>>(), k, random),
            Selection::Distinct { k } => sample_distinct(self.voters(state).collect(), k, random),
            Selection::Top { k } => {
                let mut voters: Vec<_> = self.voters(state).collect();
                voters.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                voters.into_iter().take(k).map(certain).collect()
            }
        };
        if self.classifier == Seat::Always {
            questions.push(Question { expert: state.classifier(), propensity: 1.0 });
        }
        questions
    }

    fn decide(&self, state: &Consulted<'_>, random: &mut dyn Rng) -> Verdict {
        let mut scores = vec![0.0; state.probabilities.len()];
        match self.vote {
            VoteRule::ScaledMean => return self.decide_by_scaled_mean(state, scores, random),
            // A draw in proportion to the weights has spent them.
            VoteRule::Weighted if !matches!(self.select, Selection::Sampled { .. } | Selection::Distinct { .. }) => {
                for vote in state.votes {
                    let weight = state.weights[vote.expert.index()].max(0.0);
                    add(&mut scores, vote.label, weight * times_asked(state, vote.expert));
                }
            }
            VoteRule::Weighted | VoteRule::Majority => {
                for vote in state.votes {
                    add(&mut scores, vote.label, times_asked(state, vote.expert));
                }
            }
        }
        let total: f64 = scores.iter().sum();
        if total > 0.0 {
            self.pick(&scores, total, state, random)
        } else {
            // Nobody with a weight answered: the classifier is all there is.
            self.pick(state.probabilities, 1.0, state, random)
        }
    }

    /// The published rule. Under [`Selection::Whole`] the score is the expectation of the sampled one.
    fn decide_by_scaled_mean(&self, state: &Consulted<'_>, mut scores: Vec<f64>, random: &mut dyn Rng) -> Verdict {
        if self.select == Selection::Whole && self.classifier != Seat::Always {
            for vote in state.votes {
                add(&mut scores, vote.label, state.weights[vote.expert.index()].max(0.0));
            }
        } else {
            let scale: f64 = self.voters(state).map(|(_, weight)| weight).sum();
            let share = scale / state.asked.len().max(1) as f64;
            for vote in state.votes {
                add(&mut scores, vote.label, share * times_asked(state, vote.expert));
            }
        }
        if let [_, score] = scores[..] {
            let p1 = 1.0 / (1.0 + (1.0 - 2.0 * score).exp());
            let label = Label(u16::from(score > 0.5));
            return Verdict { label, confidence: if label.0 == 1 { p1 } else { 1.0 - p1 } };
        }
        let total: f64 = scores.iter().sum();
        if total > 0.0 {
            self.pick(&scores, total, state, random)
        } else {
            self.pick(state.probabilities, 1.0, state, random)
        }
    }

    fn pick(&self, scores: &[f64], total: f64, state: &Consulted<'_>, random: &mut dyn Rng) -> Verdict {
        let best = scores[argmax(scores)];
        let tied = |k: &usize| scores[*k] >= best;
        let winner = match self.tie {
            TieBreak::Lowest => argmax(scores),
            TieBreak::Random => {
                let tied: Vec<usize> = (0..scores.len()).filter(tied).collect();
                if tied.len() > 1 { tied[random.random_range(0..tied.len())] } else { tied[0] }
            }
            TieBreak::Classifier => {
                let belief = |k: usize| if tied(&k) { state.probabilities[k] } else { f64::NEG_INFINITY };
                argmax(&(0..scores.len()).map(belief).collect::<Vec<_>>())
            }
        };
        Verdict { label: Label::at(winner), confidence: scores[winner] / total }
    }
}

impl Consultation for Committee {
    fn next(&self, state: &Consulted<'_>, random: &mut dyn Rng) -> Next {
        if state.asked.is_empty() {
            let questions = self.choose(state, random);
            if !questions.is_empty() {
                return Next::Ask(questions);
            }
        }
        Next::Decide(self.decide(state, random))
    }
}

/// A vote for a label outside the classes counts for nobody.
fn add(scores: &mut [f64], label: Label, amount: f64) {
    if let Some(score) = scores.get_mut(label.index()) {
        *score += amount;
    }
}

fn times_asked(state: &Consulted<'_>, expert: ExpertId) -> f64 {
    state.asked.iter().filter(|q| q.expert == expert).count() as f64
}

/// k independent draws in proportion to the weights; uniform if all are zero.
fn sample(voters: &[(ExpertId, f64)], k: usize, random: &mut dyn Rng) -> Vec<Question> {
    if voters.is_empty() {
        return Vec::new();
    }
    let mut total = 0.0;
    let mut upto: Vec<f64> = Vec::with_capacity(voters.len());
    for (_, weight) in voters {
        total += weight;
        upto.push(total);
    }
    if total <= 0.0 {
        total = voters.len() as f64;
        upto = (1..=voters.len()).map(|i| i as f64).collect();
    }
    (0..k)
        .map(|_| {
            let point = random.random::<f64>() * total;
            let at = upto.partition_point(|&sum| sum <= point).min(voters.len() - 1);
            let below = if at == 0 { 0.0 } else { upto[at - 1] };
            Question { expert: voters[at].0, propensity: (upto[at] - below) / total }
        })
        .collect()
}

/// k different voters, each drawn in proportion to the weights of those left; all of them if there are fewer.
fn sample_distinct(mut voters: Vec<(ExpertId, f64)>, k: usize, random: &mut dyn Rng) -> Vec<Question> {
    let mut questions = Vec::with_capacity(k.min(voters.len()));
    while questions.len() < k && !voters.is_empty() {
        let drawn = sample(&voters, 1, random)[0];
        voters.retain(|(expert, _)| *expert != drawn.expert);
        questions.push(drawn);
    }
    questions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{Columns, Probabilities, Weights};
    use crate::consult::{Absent, Outcome, Recorded, consult};
    use crate::decisions::Decisions;
    use crate::seed::Stream;

    fn decide(rule: &Committee, weights: &[f64], p: &[f64], votes: &[(u32, u16)]) -> Outcome {
        let votes = votes.iter().map(|&(e, l)| (0, e, l));
        let decisions = Decisions::from_triples(1, weights.len() - 1, votes).unwrap();
        let beliefs = (Probabilities(Columns::repeat(p, 1)), Weights(Columns::repeat(weights, 1)));
        let mut source = Recorded::new(&decisions, Absent::Unavailable);
        consult(0..1, (&beliefs.0, &beliefs.1), rule, &mut source, None, &Stream::new(3)).unwrap().remove(0)
    }

    #[test]
    fn whole_committee_scores_the_weights_of_each_class() {
        let outcome = decide(&Committee::default(), &[0.5, 0.3, 0.1], &[0.9, 0.1], &[(0, 1), (1, 0)]);
        assert_eq!(outcome.verdict.label, Label(1));
        assert!((outcome.verdict.confidence - 0.5 / 0.9).abs() < 1e-12);
        assert_eq!(outcome.labels_used, 2);
    }

    #[test]
    fn published_binary_score() {
        // ALGORITHMS 1.1: D = [.8, .3, .5], votes 1, 0 and the classifier's hard bit 1: S = 1.3 > 1/2.
        let rule = Committee::whole(VoteRule::ScaledMean);
        let outcome = decide(&rule, &[0.8, 0.3, 0.5], &[0.4, 0.6], &[(0, 1), (1, 0)]);
        assert_eq!(outcome.verdict.label, Label(1));
        assert!((outcome.verdict.confidence - 1.0 / (1.0 + (-1.6f64).exp())).abs() < 1e-12);
    }

    #[test]
    fn one_vote_suffices_when_the_weights_are_large() {
        // ALGORITHMS 1.2: sum of weights 1.6, k = 3, votes (1, 0, 0): 1.6 / 3 > 1/2, where a majority says 0.
        let top = Selection::Top { k: 3 };
        let rule = Committee { select: top, classifier: Seat::Never, vote: VoteRule::ScaledMean, ..Default::default() };
        let weights = [0.6, 0.5, 0.5, 0.0];
        let votes = [(0, 1), (1, 0), (2, 0)];
        assert_eq!(decide(&rule, &weights, &[0.5, 0.5], &votes).verdict.label, Label(1));
        let majority = Committee { vote: VoteRule::Majority, ..rule };
        assert_eq!(decide(&majority, &weights, &[0.5, 0.5], &votes).verdict.label, Label(0));
    }

    #[test]
    fn ties_follow_the_rule() {
        let tie = |tie| Committee { classifier: Seat::Never, vote: VoteRule::Majority, tie, ..Default::default() };
        let votes = [(0, 0), (1, 1)];
        let weights = [1.0, 1.0, 0.0];
        assert_eq!(decide(&tie(TieBreak::Lowest), &weights, &[0.2, 0.8], &votes).verdict.label, Label(0));
        assert_eq!(decide(&tie(TieBreak::Classifier), &weights, &[0.2, 0.8], &votes).verdict.label, Label(1));
    }

    #[test]
    fn draws_keep_their_propensity_and_cost_one_label_a_person() {
        let select = Selection::Sampled { k: 9 };
        let rule = Committee { select, classifier: Seat::Never, ..Default::default() };
        let outcome = decide(&rule, &[3.0, 1.0, 5.0], &[0.5, 0.5], &[(0, 1), (1, 0)]);
        assert_eq!(outcome.asked.len(), 9);
        assert!(outcome.asked.iter().all(|q| q.propensity == [0.75, 0.25][q.expert.index()]));
        assert!(outcome.labels_used <= 2);
    }

    #[test]
    fn without_votes_the_classifier_decides() {
        let rule = Committee { classifier: Seat::Never, ..Default::default() };
        let outcome = decide(&rule, &[1.0, 1.0, 0.0], &[0.2, 0.8], &[]);
        assert_eq!((outcome.verdict.label, outcome.labels_used), (Label(1), 0));
    }

    #[test]
    fn size_is_checked_against_the_voters() {
        let rule = |k| Committee { select: Selection::Top { k }, ..Default::default() };
        assert!(rule(4).check(3).is_ok());
        let message = rule(5).check(3).unwrap_err().to_string();
        assert_eq!(message, "the committee size k is 5, but must be between 1 and the 4 voters there are");
        assert!(rule(0).check(3).is_err());
    }
}
