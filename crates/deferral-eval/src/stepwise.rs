//! A model in live use: whom to ask next given the votes so far, a batch under one budget, a batch under capacities.

use std::collections::HashMap;

use deferral_consult::{Asking, Assignment, assign, assign_greedily, consult_within};
use deferral_core::{
    Absent, CaseId, Columns, ConsultError, Consultation, Consulted, Decisions, ExpertId, Next, Outcome, ParameterError,
    Question, Recorded, Standing, Stream, Vote, VoteError, resume,
};
use deferral_data::{AvailableRow, Capacities, Records, RouteKind, RouteRow};

use crate::error::EvalError;
use crate::model::{Judged, Model, UnknownExperts, Verdicts, append};

/// What a batch is assigned by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assigning {
    /// What a label of cost 1 costs, in units of an error or of a nat.
    pub price: f64,
    /// Whether a label is worth what it tells, in nats, instead of the errors that it is expected to save.
    pub in_nats: bool,
    /// Pairs in order of gain instead of the best assignment.
    pub greedy: bool,
}

impl Model {
    /// Says of each case whom to ask next, given the votes of `records`, or what is decided: rows of a routes table whose
    /// route is `ask` where somebody is to be asked. Keeps nothing: the same votes give the same rows. `available` says
    /// who can be asked, everybody without; who has voted counts as available.
    ///
    /// # Errors
    /// If the model is not of the method `consult`, or a vote is by somebody unknown or who was not asked.
    pub fn ask_next(
        &self,
        records: &Records,
        unknown: UnknownExperts,
        available: Option<&[AvailableRow]>,
        stream: &Stream,
    ) -> Result<Vec<RouteRow>, EvalError> {
        self.consult_policy()?;
        let (prices, (votes, _)) = (self.prices(records), self.votes(records, unknown)?);
        let judged = self.judge(records)?;
        let rule = self.method().consultation(self.policy(), &judged.cases, prices.as_deref())?;
        let roster = self.roster(records, available)?;
        let (digest, stream) = (self.digest()?, stream.child("consult"));
        let row = |case: usize| {
            let (_, votes) = heard(&votes, case);
            let voters = votes.iter().map(|vote| vote.expert);
            let mut open: Vec<ExpertId> = roster[case].iter().copied().chain(voters).collect();
            open.sort_unstable();
            open.dedup();
            let mut reason = String::new();
            let name = |expert: ExpertId| self.experts().show(expert.index()).to_owned();
            let beliefs = (judged.probabilities.column(case), judged.weights.column(case));
            let standing = resume(
                CaseId::at(case),
                beliefs,
                rule.as_ref(),
                &open,
                &votes,
                &mut stream.at(case),
                &mut |state, next| {
                    append(&mut reason, &rule.reason(state, next, &name));
                },
            )
            .map_err(|error| self.unasked(error, records))?;
            Ok(self.standing_row(records, case, &judged, &standing, reason, &digest))
        };
        (0..records.n()).map(row).collect()
    }

    fn standing_row(
        &self,
        records: &Records,
        case: usize,
        judged: &Judged,
        standing: &Standing,
        reason: String,
        digest: &str,
    ) -> RouteRow {
        let m = self.experts().len();
        let (route, questions, verdict): (RouteKind, &[Question], _) = match standing {
            Standing::Waiting { questions, .. } => (RouteKind::Ask, questions, None),
            Standing::Decided(outcome) if outcome.asked.is_empty() => (RouteKind::Model, &[], Some(outcome.verdict)),
            Standing::Decided(outcome) => (RouteKind::Committee, &outcome.asked, Some(outcome.verdict)),
        };
        let people: Vec<&Question> = questions.iter().filter(|question| question.expert.index() < m).collect();
        let weights = judged.weights.column(case);
        RouteRow {
            task: records.ids.show(case).to_owned(),
            route,
            experts: people.iter().map(|question| self.experts().show(question.expert.index()).to_owned()).collect(),
            weights: people.iter().map(|question| weights[question.expert.index()]).collect(),
            probabilities: judged.probabilities.column(case).to_vec(),
            label: verdict.map(|verdict| self.labels().show(verdict.label.index()).to_owned()),
            reason,
            policy: digest.to_owned(),
            propensities: people.iter().map(|question| question.propensity).collect(),
            confidence: verdict.map(|verdict| verdict.confidence),
        }
    }

    /// Names what an error of a consultation is about.
    fn unasked(&self, error: ConsultError, records: &Records) -> EvalError {
        match error {
            ConsultError::Votes(VoteError::NotAsked { case, expert }) => EvalError::Nothing(format!(
                "case `{}` has a vote of `{}`, who was not asked about it: given the other votes the model asks somebody \
                 else, or nobody. Leave the vote out, or decide with all votes at once, without --ask",
                records.ids.show(case.index()),
                self.experts().show(expert.index())
            )),
            other => other.into(),
        }
    }

    /// Who can be asked about each case, sorted.
    fn roster(&self, records: &Records, available: Option<&[AvailableRow]>) -> Result<Vec<Vec<ExpertId>>, EvalError> {
        let Some(rows) = available else {
            return Ok(vec![(0..self.experts().len()).map(ExpertId::at).collect(); records.n()]);
        };
        let mut roster = vec![Vec::new(); records.n()];
        for row in rows {
            let expert = self.experts().position(&row.worker).map(ExpertId::at).ok_or_else(|| {
                EvalError::Nothing(format!("`{}` is available, but this model does not know them", row.worker))
            })?;
            match &row.task {
                None => roster.iter_mut().for_each(|of_case| of_case.push(expert)),
                // Availability may be kept for more cases than these.
                Some(task) => {
                    if let Some(case) = records.ids.position(task) {
                        roster[case].push(expert);
                    }
                }
            }
        }
        Ok(roster)
    }

    /// Decides all cases of `records` with at most `budget` spent on their recorded votes: the next label always goes to
    /// the case where it tells most for its price.
    ///
    /// # Errors
    /// If the model is not of the method `consult`, the budget is negative, or a vote is by somebody unknown.
    pub fn decide_within(
        &self,
        budget: f64,
        records: &Records,
        unknown: UnknownExperts,
        stream: &Stream,
    ) -> Result<Verdicts, EvalError> {
        let prices = self.prices(records);
        let (votes, dropped_votes) = self.votes(records, unknown)?;
        let Judged { cases, probabilities, weights } = self.judge(records)?;
        let rule = self.consult_policy()?.rule(&self.method().rule.asking, &cases, prices.as_deref())?;
        let mut source = Recorded::new(&votes, Absent::Unavailable);
        let beliefs = (&probabilities, &weights);
        let outcomes = consult_within(budget, cases.n(), beliefs, &rule, &mut source, &stream.child("consult"))?;
        let reasons = vec![String::new(); cases.n()];
        Ok(Verdicts { outcomes, probabilities, weights, dropped_votes, reasons })
    }

    /// Gives the cases of `records`, with the votes that they have, to experts who can take only so many: at most one
    /// expert a case, where their label is worth most. Rows of a routes table: `ask` where somebody gets the case, else
    /// what is decided as it stands.
    ///
    /// # Errors
    /// If the model is not of the method `consult`, an expert is unknown, or the price is negative.
    pub fn assign(
        &self,
        records: &Records,
        unknown: UnknownExperts,
        capacities: &Capacities,
        how: Assigning,
    ) -> Result<(Vec<RouteRow>, Assignment), EvalError> {
        let (votes, _) = self.votes(records, unknown)?;
        let judged = self.judge(records)?;
        let prices = self.capacity_prices(capacities);
        ParameterError::check(
            how.price >= 0.0 && how.price.is_finite(),
            "the price of a label",
            how.price,
            "0 or more",
        )?;
        let asking = Asking { price: how.price, ..self.method().rule.asking.clone() };
        let rule = self.consult_policy()?.rule(&asking, &judged.cases, prices.as_deref())?;
        let places = self.places(capacities)?;
        let everybody: Vec<ExpertId> = (0..self.experts().len()).map(ExpertId::at).collect();
        let digest = self.digest()?;
        let mut gains = Vec::with_capacity(records.n() * everybody.len());
        let mut rows = Vec::with_capacity(records.n());
        for case in 0..records.n() {
            let (asked, votes) = heard(&votes, case);
            let state = Consulted {
                case: CaseId::at(case),
                probabilities: judged.probabilities.column(case),
                weights: judged.weights.column(case),
                available: &everybody,
                asked: &asked,
                votes: &votes,
            };
            gains.extend(rule.gains(&state, how.in_nats));
            let verdict = rule.decide(&state);
            let reason = rule.reason(&state, &Next::Decide(verdict), &|_| String::new());
            let labels_used = votes.len();
            let standing = Standing::Decided(Outcome { verdict, asked, votes, labels_used, cost: 0.0 });
            rows.push(self.standing_row(records, case, &judged, &standing, reason, &digest));
        }
        let gains = Columns::from_values(everybody.len(), gains);
        let assignment = if how.greedy { assign_greedily(&gains, &places) } else { assign(&gains, &places) };
        let assignment = assignment.map_err(|error| EvalError::Nothing(error.to_string()))?;
        let unit = if how.in_nats { "nats" } else { "errors" };
        for (case, expert) in assignment.of_case.iter().enumerate() {
            if let Some(expert) = expert {
                let weight = judged.weights.column(case)[expert.index()];
                let reason = format!("worth {:.3} {unit}", gains.column(case)[expert.index()]);
                self.hand_to(&mut rows[case], *expert, weight, reason);
            }
        }
        Ok((rows, assignment))
    }

    /// Turns what would be decided about a case into a question to `expert`.
    fn hand_to(&self, row: &mut RouteRow, expert: ExpertId, weight: f64, reason: String) {
        row.route = RouteKind::Ask;
        row.experts = vec![self.experts().show(expert.index()).to_owned()];
        row.weights = vec![weight];
        row.propensities = vec![1.0];
        (row.label, row.confidence, row.reason) = (None, None, reason);
    }

    /// How many cases each expert can take; none where the table does not name them.
    fn places(&self, capacities: &Capacities) -> Result<Vec<usize>, EvalError> {
        let mut places = vec![0; self.experts().len()];
        for (worker, capacity) in &capacities.capacities {
            let at = self.experts().position(worker).ok_or_else(|| {
                EvalError::Nothing(format!("`{worker}` has a capacity, but this model does not know them"))
            })?;
            places[at] = *capacity;
        }
        if places.iter().all(|places| *places == 0) {
            return Err(EvalError::Nothing("nobody has any capacity, so no case can be assigned".to_owned()));
        }
        Ok(places)
    }

    fn capacity_prices(&self, capacities: &Capacities) -> Option<Vec<f64>> {
        let listed: HashMap<&str, f64> =
            capacities.prices.iter().map(|(name, price)| (name.as_str(), *price)).collect();
        let of = |worker: &str| listed.get(worker).copied().unwrap_or(1.0);
        (!listed.is_empty()).then(|| self.experts().iter().map(of).collect())
    }
}

/// Who has voted on a case, and what.
fn heard(votes: &Decisions, case: usize) -> (Vec<Question>, Vec<Vote>) {
    let row = votes.of_case(CaseId::at(case));
    let asked = row.ids.iter().map(|&expert| Question { expert, propensity: 1.0 }).collect();
    (asked, row.iter().map(|(expert, label)| Vote { expert, label }).collect())
}
