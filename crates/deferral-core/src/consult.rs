//! Asking as a conversation: a rule says whom to ask next or what to decide, a source answers, one driver runs both.

use std::ops::Range;

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::columns::{Probabilities, Weights, argmax};
use crate::decisions::{Decisions, Vote};
use crate::ids::{CaseId, ExpertId, Label};
use crate::seed::Stream;

/// Conducts the consultation on one case: whom to ask next, given the votes so far, or what to decide.
/// A fixed committee asks once and decides; sequential rules go vote by vote.
pub trait Consultation: Send + Sync {
    /// The next move. `random` is keyed by the case, so the outcome does not depend on the order of cases.
    fn next(&self, state: &Consulted<'_>, random: &mut dyn Rng) -> Next;

    /// Why it makes the move `next` in this state, in a few words for people; `name` shows an expert. Empty if it has
    /// nothing to say.
    fn reason(&self, state: &Consulted<'_>, next: &Next, name: &dyn Fn(ExpertId) -> String) -> String {
        let _ = (state, next, name);
        String::new()
    }
}

/// What is known about a case in the middle of its consultation.
#[derive(Debug, Clone, Copy)]
pub struct Consulted<'a> {
    /// Which case.
    pub case: CaseId,
    /// What the classifier believes: K numbers that sum to one.
    pub probabilities: &'a [f64],
    /// How much each expert counts: m+1 numbers, the classifier last.
    pub weights: &'a [f64],
    /// The experts who could be asked, sorted.
    pub available: &'a [ExpertId],
    /// Who was asked so far, in order. An expert may stand here more than once (a committee drawn with replacement);
    /// the classifier is expert m.
    pub asked: &'a [Question],
    /// The answers, one for each *different* expert who gave one; the classifier's among them if it was asked.
    pub votes: &'a [Vote],
}

impl Consulted<'_> {
    /// The classifier as an expert: m.
    pub fn classifier(&self) -> ExpertId {
        ExpertId::at(self.weights.len() - 1)
    }

    /// The answer of `expert`, if it was asked and gave one.
    pub fn vote_of(&self, expert: ExpertId) -> Option<Label> {
        self.votes.iter().find(|vote| vote.expert == expert).map(|vote| vote.label)
    }
}

/// One expert to ask, with the probability that the draw which chose it would choose it (1 if nothing was drawn).
/// The propensity is what later allows a fair estimate of what other rules would have done.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Whom to ask.
    pub expert: ExpertId,
    /// The probability of this draw.
    pub propensity: f64,
}

/// The next move of a consultation.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Ask these; an expert may stand here more than once and is asked once.
    Ask(Vec<Question>),
    /// Decide.
    Decide(Verdict),
}

/// What was decided, and how sure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The final label.
    pub label: Label,
    /// The rule's own estimate that it is right, in [0, 1]; not calibrated unless the rule says so.
    pub confidence: f64,
}

/// Where votes come from: recorded decisions, simulated experts, a live journal.
pub trait VoteSource {
    /// The experts who could be asked about `case`, sorted.
    fn available(&self, case: CaseId) -> &[ExpertId];

    /// Asks `experts` (each once) about `case` and appends the answers that come.
    ///
    /// # Errors
    /// [`VoteError`] when an expert or the case is not known.
    fn ask(&mut self, case: CaseId, experts: &[ExpertId], votes: &mut Vec<Vote>) -> Result<(), VoteError>;
}

/// Why no votes could be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VoteError {
    /// The expert is not in the roster.
    #[error("case {}: expert {} was asked, but there are only {experts}", case.0, expert.0)]
    UnknownExpert {
        /// The case.
        case: CaseId,
        /// The expert.
        expert: ExpertId,
        /// Size of the roster.
        experts: usize,
    },
    /// A vote came from somebody who was not asked.
    #[error("case {}: expert {} answered without having been asked", case.0, expert.0)]
    NotAsked {
        /// The case.
        case: CaseId,
        /// The expert.
        expert: ExpertId,
    },
    /// A vote is for a label outside the classes.
    #[error("case {}: expert {} voted for label {}, but there are {classes} classes", case.0, expert.0, label.0)]
    UnknownLabel {
        /// The case.
        case: CaseId,
        /// The expert.
        expert: ExpertId,
        /// The label.
        label: Label,
        /// Number of classes.
        classes: usize,
    },
    /// The case is not in the table.
    #[error("case {} was asked about, but there are only {cases}", case.0)]
    UnknownCase {
        /// The case.
        case: CaseId,
        /// Number of cases.
        cases: usize,
    },
}

/// Why a consultation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsultError {
    /// Probabilities, weights and cases do not have the same length.
    #[error("there are {probabilities} columns of probabilities and {weights} of weights for {cases} cases")]
    Length {
        /// Columns of the probabilities.
        probabilities: usize,
        /// Columns of the weights.
        weights: usize,
        /// Number of cases.
        cases: usize,
    },
    /// As many prices as experts are needed.
    #[error("there are {prices} prices for {experts} experts")]
    Prices {
        /// Number of prices.
        prices: usize,
        /// Number of experts.
        experts: usize,
    },
    /// A rule went on asking without ever deciding.
    #[error("the rule asked {rounds} times about case {} without deciding", case.0)]
    Endless {
        /// The case.
        case: CaseId,
        /// Rounds of questions.
        rounds: usize,
    },
    /// The votes could not be had.
    #[error(transparent)]
    Votes(#[from] VoteError),
}

/// How a case was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The final label and the rule's confidence in it.
    pub verdict: Verdict,
    /// Who was asked, in order and with propensities; the classifier is expert m.
    pub asked: Vec<Question>,
    /// The answers that came, the classifier's among them if it was asked.
    pub votes: Vec<Vote>,
    /// Human labels used: different people who answered.
    pub labels_used: usize,
    /// Their prices added up.
    pub cost: f64,
}

/// Who decided a case in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// The model alone.
    Model(Label),
    /// These experts, in the order in which they were asked, each once; the model may have sat among them.
    Experts(Vec<ExpertId>),
}

impl Outcome {
    /// Who decided, given that the classifier is expert `m`.
    pub fn route(&self, m: usize) -> Route {
        let mut people: Vec<ExpertId> = Vec::new();
        for question in &self.asked {
            if question.expert.index() < m && !people.contains(&question.expert) {
                people.push(question.expert);
            }
        }
        if people.is_empty() { Route::Model(self.verdict.label) } else { Route::Experts(people) }
    }
}

/// The most rounds of questions that the driver grants a rule on one case, beyond one for each expert.
pub(crate) const MOST_SPARE_ROUNDS: usize = 8;

/// Runs the consultation on cases `cases` of the columns of `probabilities` and `weights`: asks `source` whatever
/// `rule` asks for until it decides. Asking an expert a second time costs nothing: the first answer stands.
///
/// `prices` are what one label of each expert costs, m of them; without them every label costs 1.
/// O(questions) plus the cost of the rule.
///
/// # Errors
/// [`ConsultError`] on lengths that differ, an unknown expert, or a rule that never decides.
pub fn consult(
    cases: Range<usize>,
    beliefs: (&Probabilities, &Weights),
    rule: &dyn Consultation,
    source: &mut dyn VoteSource,
    prices: Option<&[f64]>,
    stream: &Stream,
) -> Result<Vec<Outcome>, ConsultError> {
    consult_watched(cases, beliefs, rule, source, prices, stream, &mut |_, _| {})
}

/// The same, and tells `watch` of every move and the state in which the rule made it.
///
/// # Errors
/// As [`consult`].
pub fn consult_watched(
    cases: Range<usize>,
    (probabilities, weights): (&Probabilities, &Weights),
    rule: &dyn Consultation,
    source: &mut dyn VoteSource,
    prices: Option<&[f64]>,
    stream: &Stream,
    watch: &mut dyn FnMut(&Consulted<'_>, &Next),
) -> Result<Vec<Outcome>, ConsultError> {
    let n = cases.end;
    if probabilities.n() < n || weights.n() < n {
        return Err(ConsultError::Length { probabilities: probabilities.n(), weights: weights.n(), cases: n });
    }
    let experts = weights.rows().saturating_sub(1);
    if let Some(prices) = prices.filter(|prices| prices.len() != experts) {
        return Err(ConsultError::Prices { prices: prices.len(), experts });
    }
    let mut desk = Desk { asked_before: vec![false; experts + 1], new: Vec::new(), prices, watch };
    cases
        .map(|case| {
            let beliefs = (probabilities.column(case), weights.column(case));
            desk.conduct(CaseId::at(case), beliefs, rule, source, &mut stream.at(case))
        })
        .collect()
}

/// What the driver keeps between cases, so that it need not be made anew.
struct Desk<'a> {
    /// For each expert and the classifier: whether they were asked about the current case.
    asked_before: Vec<bool>,
    new: Vec<ExpertId>,
    prices: Option<&'a [f64]>,
    watch: &'a mut dyn FnMut(&Consulted<'_>, &Next),
}

impl Desk<'_> {
    fn conduct(
        &mut self,
        case: CaseId,
        (probabilities, weights): (&[f64], &[f64]),
        rule: &dyn Consultation,
        source: &mut dyn VoteSource,
        random: &mut dyn Rng,
    ) -> Result<Outcome, ConsultError> {
        let classifier = ExpertId::at(weights.len() - 1);
        let mut asked: Vec<Question> = Vec::new();
        let mut votes: Vec<Vote> = Vec::new();
        self.asked_before.fill(false);
        let rounds = weights.len() + MOST_SPARE_ROUNDS;
        for _ in 0..rounds {
            let available = source.available(case);
            let state = Consulted { case, probabilities, weights, available, asked: &asked, votes: &votes };
            let next = rule.next(&state, random);
            (self.watch)(&state, &next);
            match next {
                Next::Decide(verdict) => return Ok(close(verdict, asked, votes, classifier, self.prices)),
                Next::Ask(questions) => {
                    self.take_new(case, &questions)?;
                    votes.reserve(self.new.len());
                    if self.new.last() == Some(&classifier) {
                        self.new.pop();
                        votes.push(Vote { expert: classifier, label: Label::at(argmax(probabilities)) });
                    }
                    let before = votes.len();
                    source.ask(case, &self.new, &mut votes)?;
                    let unasked = |vote: &&Vote| vote.expert >= classifier || !self.asked_before[vote.expert.index()];
                    if let Some(vote) = votes[before..].iter().find(unasked) {
                        return Err(VoteError::NotAsked { case, expert: vote.expert }.into());
                    }
                    if asked.is_empty() {
                        asked = questions;
                    } else {
                        asked.extend(questions);
                    }
                }
            }
        }
        Err(ConsultError::Endless { case, rounds })
    }

    /// Collects those among `questions` who were not asked before, each once, the classifier last.
    fn take_new(&mut self, case: CaseId, questions: &[Question]) -> Result<(), VoteError> {
        let classifier = self.asked_before.len() - 1;
        self.new.clear();
        let mut with_classifier = false;
        for Question { expert, .. } in questions {
            let Some(before) = self.asked_before.get_mut(expert.index()) else {
                return Err(VoteError::UnknownExpert { case, expert: *expert, experts: classifier });
            };
            if !std::mem::replace(before, true) {
                if expert.index() == classifier {
                    with_classifier = true;
                } else {
                    self.new.push(*expert);
                }
            }
        }
        if with_classifier {
            self.new.push(ExpertId::at(classifier));
        }
        Ok(())
    }
}

/// Adds up what a decided case used.
pub(crate) fn close(
    verdict: Verdict,
    asked: Vec<Question>,
    votes: Vec<Vote>,
    classifier: ExpertId,
    prices: Option<&[f64]>,
) -> Outcome {
    let people = votes.iter().filter(|vote| vote.expert != classifier);
    let price = |vote: &Vote| prices.map_or(1.0, |prices| prices[vote.expert.index()]);
    let (labels_used, cost) = people.fold((0, 0.0), |(n, sum), vote| (n + 1, sum + price(vote)));
    Outcome { verdict, asked, votes, labels_used, cost }
}

/// What happens with experts who did not label a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Absent {
    /// They cannot be asked: only those who labelled the case are available.
    #[default]
    Unavailable,
    /// They can be asked and stay silent, which costs no label. In the scaled mean of
    /// [`VoteRule::ScaledMean`](crate::VoteRule::ScaledMean) silence then counts like a vote for class 0, as in the
    /// released code of the joint framework.
    Silent,
}

/// Past decisions as a source of votes: who labelled a case can be asked about it.
#[derive(Debug, Clone)]
pub struct Recorded<'a> {
    decisions: &'a Decisions,
    everyone: Vec<ExpertId>,
    absent: Absent,
}

impl<'a> Recorded<'a> {
    /// The recorded decisions; case i of the consultation is case i of the table.
    pub fn new(decisions: &'a Decisions, absent: Absent) -> Self {
        Self { decisions, everyone: (0..decisions.experts()).map(ExpertId::at).collect(), absent }
    }
}

impl VoteSource for Recorded<'_> {
    fn available(&self, case: CaseId) -> &[ExpertId] {
        match self.absent {
            Absent::Unavailable => self.decisions.of_case(case).ids,
            Absent::Silent => &self.everyone,
        }
    }

    fn ask(&mut self, case: CaseId, experts: &[ExpertId], votes: &mut Vec<Vote>) -> Result<(), VoteError> {
        let cases = self.decisions.cases();
        if case.index() >= cases {
            return Err(VoteError::UnknownCase { case, cases });
        }
        let row = self.decisions.of_case(case);
        // Experts are mostly asked in the order of the row, so the next answer is mostly the next entry.
        let mut next = 0;
        for &expert in experts {
            if expert.index() >= self.everyone.len() {
                return Err(VoteError::UnknownExpert { case, expert, experts: self.everyone.len() });
            }
            let at = if row.ids.get(next) == Some(&expert) { Ok(next) } else { row.ids.binary_search(&expert) };
            if let Ok(at) = at {
                votes.push(Vote { expert, label: row.labels[at] });
                next = at + 1;
            }
        }
        Ok(())
    }
}
