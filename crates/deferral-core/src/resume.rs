//! A consultation that is taken up again: given the answers so far, what comes next. Nothing is kept between calls.

use rand::Rng;

use crate::columns::argmax;
use crate::consult::{
    ConsultError, Consultation, Consulted, MOST_SPARE_ROUNDS, Next, Outcome, Question, VoteError, close,
};
use crate::decisions::Vote;
use crate::ids::{CaseId, ExpertId, Label};

/// Where the consultation on one case stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// These have been asked and have not answered; all answers so far are in `votes`.
    Waiting {
        /// Who is to answer, in the order in which they were asked.
        questions: Vec<Question>,
        /// The answers so far, in the order of the questions.
        votes: Vec<Vote>,
    },
    /// It is decided.
    Decided(Outcome),
}

/// Takes up the consultation on `case` with the answers `votes` that have come so far: asks `rule` move by move, as
/// [`consult`](crate::consult()) does, until somebody is asked who has not answered, or it decides. The same answers give
/// the same standing whenever and in whatever order they came, as long as `random` starts from the same state.
///
/// `beliefs` are the case's probabilities (K) and weights (m + 1). Somebody who will not answer is left out of
/// `available` (sorted). `watch` is told of every move. O(moves) of the rule.
///
/// # Errors
/// [`VoteError::NotAsked`] if a vote is of somebody whom the rule did not ask, [`VoteError::UnknownExpert`] if it asks or
/// hears somebody who is not in the roster, [`VoteError::UnknownLabel`] if a vote is for none of the K classes,
/// [`ConsultError::Endless`] if it never decides.
///
/// ```
/// use deferral_core::*;
/// let rule = Committee { select: Selection::Top { k: 1 }, classifier: Seat::Never, ..Committee::default() };
/// let beliefs = (&[0.5, 0.5][..], &[0.9, 0.4, 0.0][..]);
/// let everybody = [ExpertId(0), ExpertId(1)];
/// let stand = |votes: &[Vote]| {
///     resume(CaseId(0), beliefs, &rule, &everybody, votes, &mut Stream::new(1).random(), &mut |_, _| {})
/// };
/// let Standing::Waiting { questions, .. } = stand(&[])? else { panic!("nobody was asked") };
/// assert_eq!(questions[0].expert, ExpertId(0));
/// let Standing::Decided(outcome) = stand(&[Vote { expert: ExpertId(0), label: Label(1) }])? else { panic!("undecided") };
/// assert_eq!(outcome.verdict.label, Label(1));
/// let stranger = stand(&[Vote { expert: ExpertId(1), label: Label(1) }]).unwrap_err();
/// assert_eq!(stranger.to_string(), "case 0: expert 1 answered without having been asked");
/// # Ok::<(), ConsultError>(())
/// ```
pub fn resume(
    case: CaseId,
    (probabilities, weights): (&[f64], &[f64]),
    rule: &dyn Consultation,
    available: &[ExpertId],
    votes: &[Vote],
    random: &mut dyn Rng,
    watch: &mut dyn FnMut(&Consulted<'_>, &Next),
) -> Result<Standing, ConsultError> {
    let classifier = ExpertId::at(weights.len().saturating_sub(1));
    check(case, votes, classifier, probabilities.len())?;
    let (mut asked, mut heard) = (Vec::new(), Vec::new());
    let rounds = weights.len() + MOST_SPARE_ROUNDS;
    for _ in 0..rounds {
        let state = Consulted { case, probabilities, weights, available, asked: &asked, votes: &heard };
        let next = rule.next(&state, random);
        watch(&state, &next);
        match next {
            Next::Decide(verdict) => {
                refuse_unasked(case, votes, &asked)?;
                return Ok(Standing::Decided(close(verdict, asked, heard, classifier, None)));
            }
            Next::Ask(questions) => {
                let mut waiting = Vec::new();
                for question in questions {
                    let is_new = !asked.iter().any(|before: &Question| before.expert == question.expert);
                    asked.push(question);
                    if !is_new {
                        continue;
                    }
                    match answer(case, question.expert, votes, classifier, probabilities)? {
                        Some(vote) => heard.push(vote),
                        None => waiting.push(question),
                    }
                }
                if !waiting.is_empty() {
                    refuse_unasked(case, votes, &asked)?;
                    return Ok(Standing::Waiting { questions: waiting, votes: heard });
                }
            }
        }
    }
    Err(ConsultError::Endless { case, rounds })
}

/// Every vote is by somebody of the roster and for one of the classes.
fn check(case: CaseId, votes: &[Vote], classifier: ExpertId, classes: usize) -> Result<(), VoteError> {
    for vote in votes {
        if vote.expert >= classifier {
            return Err(VoteError::UnknownExpert { case, expert: vote.expert, experts: classifier.index() });
        }
        if vote.label.index() >= classes {
            return Err(VoteError::UnknownLabel { case, expert: vote.expert, label: vote.label, classes });
        }
    }
    Ok(())
}

/// What `expert` answered, if they did; the classifier always has.
fn answer(
    case: CaseId,
    expert: ExpertId,
    votes: &[Vote],
    classifier: ExpertId,
    probabilities: &[f64],
) -> Result<Option<Vote>, VoteError> {
    match expert.cmp(&classifier) {
        std::cmp::Ordering::Less => Ok(votes.iter().find(|vote| vote.expert == expert).copied()),
        std::cmp::Ordering::Equal => Ok(Some(Vote { expert, label: Label::at(argmax(probabilities)) })),
        std::cmp::Ordering::Greater => Err(VoteError::UnknownExpert { case, expert, experts: classifier.index() }),
    }
}

fn refuse_unasked(case: CaseId, votes: &[Vote], asked: &[Question]) -> Result<(), VoteError> {
    let unasked = |vote: &&Vote| !asked.iter().any(|question| question.expert == vote.expert);
    votes.iter().find(unasked).map_or(Ok(()), |vote| Err(VoteError::NotAsked { case, expert: vote.expert }))
}
