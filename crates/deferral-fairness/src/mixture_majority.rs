//! The members of a mixture as voters: each decides every case with a committee of its own, the majority of them wins.

use deferral_core::{
    Cases, Committee, Consultation, Consulted, ExpertId, Label, Next, Policy, PolicyError, Probabilities, Question,
    Verdict, Vote, Weights, argmax,
};
use rand::Rng;

use crate::mixture::Mixture;

/// How a mixture decides `cases` when every member draws and reads a committee of its own and their weighted majority
/// wins, the lowest label on ties (Keswani et al. 2021, released code of the minimax variant). Experts are asked once,
/// however many members want them; so a sparse committee of k costs up to k labels a member.
///
/// ```
/// use deferral_core::*;
/// use deferral_fairness::Mixture;
/// use deferral_models::ClassifierPolicy;
/// let sure = |p: f64| ClassifierPolicy::prior(0, vec![1.0 - p, p]);
/// let mixture = Mixture::uniform(vec![sure(0.6)?, sure(0.6)?, sure(0.0)?])?;
/// let cases = Cases::new(Names::numbered("case", 1), Features::none(1))?;
/// let beliefs = (mixture.classify(&cases)?, mixture.weigh(&cases)?);
/// let rule = mixture.majority(Committee::default(), &cases)?;
/// let none = Decisions::none(1, 0);
/// let mut nobody = Recorded::new(&none, Absent::Unavailable);
/// let decided = consult(0..1, (&beliefs.0, &beliefs.1), &rule, &mut nobody, None, &Stream::new(1))?;
/// // Two of three say 1, though the mean belief says 0.
/// assert_eq!((decided[0].verdict.label, beliefs.0.column(0)[1] < 0.5), (Label(1), true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MixtureMajority {
    committee: Committee,
    members: Vec<Member>,
}

/// What a member believes of every case, and how much it counts.
#[derive(Debug, Clone, PartialEq)]
struct Member {
    share: f64,
    probabilities: Probabilities,
    weights: Weights,
}

impl Member {
    /// The case as this member sees it, with these of the questions and all votes on it.
    fn view<'a>(&'a self, state: &Consulted<'a>, asked: &'a [Question], votes: &'a [Vote]) -> Consulted<'a> {
        let case = state.case.index();
        let (probabilities, weights) = (self.probabilities.column(case), self.weights.column(case));
        Consulted { probabilities, weights, asked, votes, ..*state }
    }

    /// The votes on the questions that this member asked; the classifier's is its own classifier's.
    fn own_votes(&self, state: &Consulted<'_>, asked: &[Question]) -> Vec<Vote> {
        let believed = Label::at(argmax(self.probabilities.column(state.case.index())));
        let wanted = |expert: ExpertId| asked.iter().any(|question| question.expert == expert);
        let own = |vote: &Vote| if vote.expert == state.classifier() { believed } else { vote.label };
        let votes = state.votes.iter().filter(|vote| wanted(vote.expert));
        votes.map(|vote| Vote { expert: vote.expert, label: own(vote) }).collect()
    }
}

impl<P: Policy> Mixture<P> {
    /// The rule by which the members decide `cases` one by one, each with `committee`, and then by majority. O(n m) for
    /// each member.
    ///
    /// # Errors
    /// As [`Policy::classify`].
    pub fn majority(&self, committee: Committee, cases: &Cases) -> Result<MixtureMajority, PolicyError> {
        let member = |(policy, share): (&P, f64)| -> Result<Member, PolicyError> {
            Ok(Member { share, probabilities: policy.classify(cases)?, weights: policy.weigh(cases)? })
        };
        Ok(MixtureMajority { committee, members: self.members().map(member).collect::<Result<_, _>>()? })
    }
}

impl MixtureMajority {
    /// How many questions each member has. What is drawn is other than it was, but as many.
    fn questions(&self, state: &Consulted<'_>, random: &mut dyn Rng) -> Vec<Vec<Question>> {
        let ask = |member: &Member| match self.committee.next(&member.view(state, &[], &[]), random) {
            Next::Ask(questions) => questions,
            Next::Decide(_) => Vec::new(),
        };
        self.members.iter().map(ask).collect()
    }
}

impl Consultation for MixtureMajority {
    fn next(&self, state: &Consulted<'_>, random: &mut dyn Rng) -> Next {
        let questions = self.questions(state, random);
        if state.asked.is_empty() {
            let all = questions.concat();
            if !all.is_empty() {
                return Next::Ask(all);
            }
        }
        let mut scores = vec![0.0; state.probabilities.len()];
        let mut rest = state.asked;
        for (member, own) in self.members.iter().zip(&questions) {
            let (asked, others) = rest.split_at(own.len().min(rest.len()));
            rest = others;
            let votes = member.own_votes(state, asked);
            // A member without any question decides alone, as its committee would.
            let decision = if asked.is_empty() {
                Next::Ask(Vec::new())
            } else {
                self.committee.next(&member.view(state, asked, &votes), random)
            };
            let label = match decision {
                Next::Decide(verdict) => verdict.label,
                Next::Ask(_) => Label::at(argmax(member.probabilities.column(state.case.index()))),
            };
            if let Some(score) = scores.get_mut(label.index()) {
                *score += member.share;
            }
        }
        let winner = argmax(&scores);
        Next::Decide(Verdict { label: Label::at(winner), confidence: scores[winner].min(1.0) })
    }
}
