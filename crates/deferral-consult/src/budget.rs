//! One budget of labels for a whole batch: the next label goes to the case where it is worth most.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use deferral_core::{
    CaseId, ConsultError, Consulted, Outcome, ParameterError, Probabilities, Question, Random, Stream, Vote, VoteError,
    VoteSource, Weights,
};

use crate::adaptive::{Adaptive, Candidate};
use crate::policy::check_prices;

/// Why a batch was not decided.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BudgetError {
    /// A number is out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The consultation failed.
    #[error(transparent)]
    Consult(#[from] ConsultError),
}

/// Decides the first n cases with at most `budget` spent on labels (at the prices of `rule`, 1 each by default).
///
/// The next label always goes to the case whose best question tells most for its price, in nats; its vote is heard, and
/// the case takes its place in the queue again. A case that the rule would stop asking about, or whose next question the
/// rest of the budget does not pay for, is decided as it stands. This is exactly the greedy order: a question's worth
/// changes only with the votes on its own case. Ties go to the lower case. O((n + labels) (m K^2 + log n)).
///
/// # Errors
/// If the budget is negative or not a number, lengths differ, or the source does not know an expert.
pub fn consult_within(
    budget: f64,
    n: usize,
    (probabilities, weights): (&Probabilities, &Weights),
    rule: &Adaptive<'_>,
    source: &mut dyn VoteSource,
    stream: &Stream,
) -> Result<Vec<Outcome>, BudgetError> {
    ParameterError::check(budget >= 0.0, "the budget", budget, "0 or more")?;
    if probabilities.n() < n || weights.n() < n {
        let (probabilities, weights) = (probabilities.n(), weights.n());
        return Err(ConsultError::Length { probabilities, weights, cases: n }.into());
    }
    if let Some(prices) = &rule.prices {
        check_prices(prices, weights.rows().saturating_sub(1))?;
    }
    let mut left = budget;
    let mut open: Vec<Open> = (0..n).map(|case| Open::new(case, stream)).collect();
    let mut queue = BinaryHeap::new();
    for open in &mut open {
        queue.extend(open.next((probabilities, weights), rule, source));
    }
    while let Some(offer) = queue.pop() {
        let price = rule.price_of(offer.candidate.expert);
        // Rounding must not turn the last label away.
        if price > left * (1.0 + 1e-12) {
            continue;
        }
        let case = &mut open[offer.case];
        left -= case.ask(offer.candidate, price, source)?;
        queue.extend(case.next((probabilities, weights), rule, source));
    }
    Ok(open.into_iter().map(|open| open.close((probabilities, weights), rule, source)).collect())
}

/// A case in the middle of its consultation.
struct Open {
    case: usize,
    asked: Vec<Question>,
    votes: Vec<Vote>,
    cost: f64,
    random: Random,
}

/// The best next question of a case.
struct Offer {
    /// What it tells for its price.
    worth: f64,
    case: usize,
    candidate: Candidate,
}

impl Open {
    fn new(case: usize, stream: &Stream) -> Self {
        Self { case, asked: Vec::new(), votes: Vec::new(), cost: 0.0, random: stream.at(case) }
    }

    fn next(
        &mut self,
        beliefs: (&Probabilities, &Weights),
        rule: &Adaptive<'_>,
        source: &dyn VoteSource,
    ) -> Option<Offer> {
        let Self { case, asked, votes, random, .. } = self;
        let state = state(*case, (asked, votes), beliefs, source);
        let view = rule.view(&state);
        if rule.is_done(&state, rule.verdict(&view)) {
            return None;
        }
        let candidate = rule.best(&state, &view, random)?;
        let worth = rule.worth(&state, &view, candidate.expert);
        Some(Offer { worth, case: *case, candidate })
    }

    /// Asks, and returns what it cost: nothing if no answer came.
    fn ask(&mut self, candidate: Candidate, price: f64, source: &mut dyn VoteSource) -> Result<f64, ConsultError> {
        let (case, expert) = (CaseId::at(self.case), candidate.expert);
        self.asked.push(Question { expert, propensity: candidate.propensity });
        let before = self.votes.len();
        source.ask(case, &[expert], &mut self.votes)?;
        if let Some(vote) = self.votes[before..].iter().find(|vote| vote.expert != expert) {
            return Err(VoteError::NotAsked { case, expert: vote.expert }.into());
        }
        let cost = if self.votes.len() > before { price } else { 0.0 };
        self.cost += cost;
        Ok(cost)
    }

    fn close(self, beliefs: (&Probabilities, &Weights), rule: &Adaptive<'_>, source: &dyn VoteSource) -> Outcome {
        let verdict = rule.verdict(&rule.view(&state(self.case, (&self.asked, &self.votes), beliefs, source)));
        let labels_used = self.votes.len();
        Outcome { verdict, asked: self.asked, votes: self.votes, labels_used, cost: self.cost }
    }
}

fn state<'s>(
    case: usize,
    (asked, votes): (&'s [Question], &'s [Vote]),
    beliefs: (&'s Probabilities, &'s Weights),
    source: &'s dyn VoteSource,
) -> Consulted<'s> {
    let (probabilities, weights) = (beliefs.0.column(case), beliefs.1.column(case));
    let case = CaseId::at(case);
    Consulted { case, probabilities, weights, available: source.available(case), asked, votes }
}

impl Ord for Offer {
    fn cmp(&self, other: &Self) -> Ordering {
        self.worth.total_cmp(&other.worth).then(other.case.cmp(&self.case))
    }
}

impl PartialOrd for Offer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Offer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Offer {}
