//! The adaptive rule: one question at a time, to whom it tells most, for as long as it pays.

use deferral_core::{Confusions, Consultation, Consulted, ExpertId, Next, ParameterError, Question, Verdict, Vote};
use deferral_models::stable::softmax;
use rand::{Rng, RngExt};

use crate::asking::{Asking, Choice};
use crate::case_tables::{CaseTables, Room};
use crate::dependence::Dependence;
use crate::policy::check_prices;
use crate::table::{Judge, Table};
use crate::tempering::Tempering;

/// Asks who tells most about the label, hears the vote, and goes on until the label is believed firmly enough, nobody is
/// worth their price, or nobody is left.
///
/// The belief of a case starts from the classifier's calibrated probabilities and multiplies them by what each vote says:
/// `b_k = ln p_k + sum_j w_j ln C_j[k, vote_j]`, with C the competence of expert j on this case and w the weight of a
/// vote among others that err with it ([`Dependence`]); what is then believed is corrected by what such beliefs were worth
/// on cases held out in training. Votes are heard in the order of their experts, so the belief does
/// not depend on who answered first. The confidence of the verdict is the belief of its label.
///
/// With a [`price`](Asking::price) above 0 it stops when neither a vote nor a vote and the best second one after it are
/// expected to save their price (two-step look-ahead: where one vote cannot change the decision, two may). Somebody whose
/// vote tells nothing is never asked.
///
/// O(m K^2) a question with m available; the two-step choice O(m^2 K^3). Built by
/// [`ConsultPolicy::rule`](crate::ConsultPolicy::rule).
#[derive(Debug, Clone)]
pub struct Adaptive<'a> {
    pub(crate) asking: Asking,
    /// The confidence at which each case stops, where it is not the same for all.
    pub(crate) thresholds: Option<Vec<f64>>,
    pub(crate) tables: CaseTables,
    pub(crate) dependence: Option<&'a Dependence>,
    pub(crate) tempering: Option<&'a Tempering>,
    pub(crate) prices: Option<Vec<f64>>,
}

/// A vote that tells less than this, in nats or in cost, tells nothing.
pub(crate) const NOTHING: f64 = 1e-12;
/// Smallest probability of a class before anybody is asked.
const FLOOR: f64 = 1e-12;
/// Most outcomes of votes that are thought through when several are asked at once.
const MOST_SCENARIOS: usize = 256;

/// What is believed in the middle of a consultation.
#[derive(Debug)]
pub(crate) struct View {
    /// K numbers.
    pub(crate) belief: Vec<f64>,
    /// Votes heard, sorted by expert.
    pub(crate) heard: Vec<Vote>,
    /// For each the sum of its correlations with the others; empty if votes are taken as independent.
    pub(crate) sums: Vec<f64>,
}

/// Somebody who could be asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) expert: ExpertId,
    /// What the choice goes by: more is better.
    pub(crate) score: f64,
    pub(crate) propensity: f64,
}

impl Adaptive<'_> {
    /// A rule for people whose confusion matrices are known, the same on all cases, and who err independently.
    ///
    /// # Errors
    /// If `asking` or a price is out of range.
    ///
    /// ```
    /// use deferral_consult::{Adaptive, Asking};
    /// use deferral_core::*;
    /// let table = [[[0.8, 0.2], [0.1, 0.9]], [[0.6, 0.4], [0.4, 0.6]]];
    /// let people = Confusions::from_fn(2, 2, |expert, truth, vote| table[expert][truth][vote]);
    /// let rule = Adaptive::of_confusions(&people, Asking { confidence: 0.8, ..Asking::default() }, None)?;
    /// let votes = Decisions::from_triples(1, 2, [(0, 0, 1), (0, 1, 1)])?;
    /// let beliefs = (Probabilities(Columns::repeat(&[0.4, 0.6], 1)), Weights(Columns::zeros(3, 1)));
    /// let mut source = Recorded::new(&votes, Absent::Unavailable);
    /// let outcome = &consult(0..1, (&beliefs.0, &beliefs.1), &rule, &mut source, None, &Stream::new(1))?[0];
    /// // Expert 0 tells more and is asked; .87 is sure enough.
    /// assert_eq!((outcome.asked[0].expert, outcome.labels_used), (ExpertId(0), 1));
    /// assert!((outcome.verdict.confidence - 0.870968).abs() < 1e-6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_confusions(
        confusions: &Confusions,
        asking: Asking,
        prices: Option<&[f64]>,
    ) -> Result<Self, ParameterError> {
        asking.check(confusions.classes())?;
        if let Some(prices) = prices {
            check_prices(prices, confusions.workers())?;
        }
        let tables = CaseTables::Same(Table::of(confusions));
        let prices = prices.map(<[f64]>::to_vec);
        Ok(Self { asking, thresholds: None, tables, dependence: None, tempering: None, prices })
    }

    /// The same rule with a confidence of its own for each case: n numbers.
    ///
    /// # Errors
    /// If there is not one a case, or one is not above 1/K.
    pub fn with_thresholds(self, thresholds: Vec<f64>) -> Result<Self, ParameterError> {
        if let Some(n) = self.tables.cases() {
            let expected = format!("the number of cases, {n}");
            ParameterError::check(thresholds.len() == n, "the number of thresholds", thresholds.len(), &expected)?;
        }
        if let Some(wrong) = thresholds.iter().find(|t| t.is_nan() || **t <= 0.0) {
            return Err(ParameterError::new("a threshold", wrong, "a confidence above 0"));
        }
        Ok(Self { thresholds: Some(thresholds), ..self })
    }

    /// The same rule, but no belief is firm enough to stop.
    pub(crate) fn never_sure(mut self) -> Self {
        self.asking.confidence = f64::INFINITY;
        self.thresholds = None;
        self
    }

    /// How it asks.
    pub fn asking(&self) -> &Asking {
        &self.asking
    }

    /// What a label of each expert is worth on this case after these votes, its price subtracted: m numbers, `-infinity`
    /// for those who cannot be asked (again). In units of an error (`in_nats` false): the expected reduction of the cost
    /// of errors; else the expected reduction of entropy. A label of price 1 costs [`Asking::price`]. O(m K^2).
    pub fn gains(&self, state: &Consulted<'_>, in_nats: bool) -> Vec<f64> {
        let view = self.view(state);
        let mut gains = vec![f64::NEG_INFINITY; self.tables.experts()];
        if self.is_done(state, self.verdict(&view)) {
            return gains;
        }
        let mut room = Room::default();
        for expert in self.left(state) {
            let worth = if in_nats {
                self.information(state, &view, expert, &mut room)
            } else {
                self.saving(state, &view, expert, &mut room)
            };
            gains[expert.index()] = worth - self.asking.price * self.price_of(expert);
        }
        gains
    }

    /// What is believed of a case after these votes: K numbers that sum to one. O(votes x K).
    pub fn belief(&self, state: &Consulted<'_>) -> Vec<f64> {
        self.view(state).belief
    }

    /// What would be decided now. O(votes x K).
    pub fn decide(&self, state: &Consulted<'_>) -> Verdict {
        self.verdict(&self.view(state))
    }

    pub(crate) fn view(&self, state: &Consulted<'_>) -> View {
        let classes = state.probabilities.len();
        let known = |vote: &&Vote| vote.expert.index() < self.tables.experts() && vote.label.index() < classes;
        let mut heard: Vec<Vote> = state.votes.iter().filter(known).copied().collect();
        heard.sort_unstable_by_key(|vote| vote.expert);
        let mut sums = Vec::new();
        if let Some(dependence) = self.dependence {
            dependence.sums(&heard, &mut sums);
        }
        let mut belief: Vec<f64> = state.probabilities.iter().map(|p| p.max(FLOOR).ln()).collect();
        let mut room = Room::default();
        for (at, &vote) in heard.iter().enumerate() {
            let weight = sums.get(at).map_or(1.0, |sum| 1.0 / (1.0 + sum));
            self.tables.hear(state.case.index(), vote, weight, &mut belief, &mut room);
        }
        if let Some(tempering) = self.tempering {
            tempering.apply(heard.len(), &mut belief);
        }
        softmax(&mut belief);
        View { belief, heard, sums }
    }

    pub(crate) fn verdict(&self, view: &View) -> Verdict {
        let (label, _) = self.asking.errors.decide(&view.belief);
        Verdict { label, confidence: view.belief[label.index()] }
    }

    /// Whether the belief is firm enough, or as many as allowed were asked.
    pub(crate) fn is_done(&self, state: &Consulted<'_>, verdict: Verdict) -> bool {
        let of_case = self.thresholds.as_ref().and_then(|thresholds| thresholds.get(state.case.index()));
        let confidence = of_case.copied().unwrap_or(self.asking.confidence);
        verdict.confidence >= confidence || self.asking.max_asks.is_some_and(|most| state.asked.len() >= most)
    }

    /// Those who could still be asked.
    pub(crate) fn left<'s>(&'s self, state: &'s Consulted<'_>) -> impl Iterator<Item = ExpertId> + Clone + 's {
        let known = self.tables.experts();
        let asked = move |expert: ExpertId| state.asked.iter().any(|question| question.expert == expert);
        state.available.iter().copied().filter(move |expert| expert.index() < known && !asked(*expert))
    }

    /// Who is asked next, if anybody is worth it.
    pub(crate) fn best(&self, state: &Consulted<'_>, view: &View, random: &mut dyn Rng) -> Option<Candidate> {
        let best = match self.asking.choose {
            Choice::Entropy => self.most_telling(state, view),
            Choice::Error => self.most_useful(state, view, |expert, room| self.saving(state, view, expert, room)),
            Choice::TwoSteps => {
                self.most_useful(state, view, |expert, room| self.saving_by_two(state, view, expert, room))
            }
            Choice::Best => self.best_of(state, |expert, room| self.knowledge(state, view, expert, room)),
            Choice::Random => self.anybody(state, view, random),
        }?;
        (self.asking.price == 0.0 || self.is_worth_its_price(state, view, best.expert)).then_some(best)
    }

    fn most_telling(&self, state: &Consulted<'_>, view: &View) -> Option<Candidate> {
        // Where most are there, all of them at once cost less than one by one.
        let table = self.tables.ready(state.case.index());
        match table.filter(|table| 2 * state.available.len() >= table.experts()) {
            Some(table) => {
                let gains = table.entropy_gains(&view.belief);
                let told = |expert: ExpertId| gains[expert.index()] * self.share(expert, view);
                self.best_of(state, |expert, _| told(expert) / self.weighed_price(expert))
            }
            None => self.best_of(state, |expert, room| {
                self.information(state, view, expert, room) / self.weighed_price(expert)
            }),
        }
    }

    /// The largest saving for the price; where nobody alone would change the decision, who tells most.
    fn most_useful(
        &self,
        state: &Consulted<'_>,
        view: &View,
        saving: impl Fn(ExpertId, &mut Room) -> f64,
    ) -> Option<Candidate> {
        let by_saving = self.best_of(state, |expert, room| saving(expert, room) / self.weighed_price(expert));
        by_saving.or_else(|| self.most_telling(state, view))
    }

    fn best_of(&self, state: &Consulted<'_>, score: impl Fn(ExpertId, &mut Room) -> f64) -> Option<Candidate> {
        let mut room = Room::default();
        let mut best: Option<Candidate> = None;
        for expert in self.left(state) {
            let score = score(expert, &mut room);
            if score > best.map_or(NOTHING, |best| best.score) {
                best = Some(Candidate { expert, score, propensity: 1.0 });
            }
        }
        best
    }

    /// Anybody whose vote tells something, each with the same probability.
    fn anybody(&self, state: &Consulted<'_>, view: &View, random: &mut dyn Rng) -> Option<Candidate> {
        let mut room = Room::default();
        let telling = |expert: &ExpertId| self.information(state, view, *expert, &mut room) > NOTHING;
        let left: Vec<ExpertId> = self.left(state).filter(telling).collect();
        let expert = *left.get(random.random_range(0..left.len().max(1)))?;
        Some(Candidate { expert, score: 1.0, propensity: 1.0 / left.len() as f64 })
    }

    /// Those to ask in one go: the best one, then whoever tells most beyond the votes still to come, and so on.
    fn company(&self, state: &Consulted<'_>, view: &View, first: Candidate) -> Vec<Question> {
        let certain = |candidate: Candidate| Question { expert: candidate.expert, propensity: candidate.propensity };
        let mut company = vec![certain(first)];
        let most = self.asking.max_asks.map_or(usize::MAX, |most| most - state.asked.len());
        let mut scenarios = vec![view.belief.clone()];
        let mut room = Room::default();
        while company.len() < self.asking.at_once.min(most) {
            let last = company[company.len() - 1].expert;
            scenarios = self.after(state, &scenarios, last, &mut room);
            let telling = |expert: ExpertId, room: &mut Room| {
                if company.iter().any(|question| question.expert == expert) {
                    return 0.0;
                }
                let judge = self.judge(state, expert, room);
                let expected: f64 = scenarios.iter().map(|joint| information_within(judge, joint)).sum();
                expected * self.share(expert, view) / self.weighed_price(expert)
            };
            match self.best_of(state, telling) {
                Some(next) => company.push(certain(next)),
                None => break,
            }
        }
        company
    }

    /// Beliefs, each times how likely it is, after one more vote; where they are too many the vote is left open.
    fn after(&self, state: &Consulted<'_>, scenarios: &[Vec<f64>], expert: ExpertId, room: &mut Room) -> Vec<Vec<f64>> {
        let classes = scenarios[0].len();
        if scenarios.len() * classes > MOST_SCENARIOS {
            return scenarios.to_vec();
        }
        let judge = self.judge(state, expert, room);
        let times = |joint: &Vec<f64>| {
            let votes = judge.given.chunks_exact(classes);
            votes.map(|given| joint.iter().zip(given).map(|(p, c)| p * c).collect()).collect::<Vec<Vec<f64>>>()
        };
        scenarios.iter().flat_map(times).collect()
    }
}

/// The information of a vote under an outcome, times how likely that is.
fn information_within(judge: Judge<'_>, joint: &[f64]) -> f64 {
    let likely: f64 = joint.iter().sum();
    if likely <= 0.0 {
        return 0.0;
    }
    let belief: Vec<f64> = joint.iter().map(|p| p / likely).collect();
    likely * judge.entropy_gain(&belief)
}

impl Consultation for Adaptive<'_> {
    fn next(&self, state: &Consulted<'_>, random: &mut dyn Rng) -> Next {
        let view = self.view(state);
        let verdict = self.verdict(&view);
        if self.is_done(state, verdict) {
            return Next::Decide(verdict);
        }
        match self.best(state, &view, random) {
            None => Next::Decide(verdict),
            Some(first) => Next::Ask(self.company(state, &view, first)),
        }
    }

    fn reason(&self, state: &Consulted<'_>, next: &Next, name: &dyn Fn(ExpertId) -> String) -> String {
        let view = self.view(state);
        match next {
            Next::Decide(verdict) => {
                let who = if state.asked.is_empty() { "model " } else { "" };
                format!("{who}{} sure{}", short(verdict.confidence), self.why_no_more(state, *verdict))
            }
            Next::Ask(questions) => {
                let names: Vec<String> = questions.iter().map(|question| name(question.expert)).collect();
                let expected = questions.first().map(|first| self.expectation(state, &view, first.expert));
                format!("asked {}: {}", names.join(", "), expected.unwrap_or_default())
            }
        }
    }
}

impl Adaptive<'_> {
    /// Why nobody else is asked though the belief is not firm enough, in words.
    fn why_no_more(&self, state: &Consulted<'_>, verdict: Verdict) -> &'static str {
        if self.is_done(state, verdict) {
            ""
        } else if self.left(state).next().is_none() {
            ", nobody left to ask"
        } else {
            ", nobody left is worth asking"
        }
    }

    /// What asking is expected to bring, in words.
    fn expectation(&self, state: &Consulted<'_>, view: &View, expert: ExpertId) -> String {
        let mut room = Room::default();
        let before = self.asking.errors.risk(&view.belief);
        let saving = self.saving(state, view, expert, &mut room);
        if saving > NOTHING {
            let what = if self.asking.errors == crate::ErrorCosts::Equal { "error" } else { "cost" };
            return format!("expected to lower the {what} from {} to {}", short(before), short(before - saving));
        }
        let told = self.information(state, view, expert, &mut room);
        format!("a vote tells {} of {} nats", short(told), short(entropy(&view.belief)))
    }
}

fn entropy(belief: &[f64]) -> f64 {
    belief.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum()
}

/// Two digits without a leading zero.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.strip_prefix('0').map_or(text.clone(), str::to_owned)
}
