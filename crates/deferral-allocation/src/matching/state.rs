//! A matching algorithm in the middle of a stream.

use deferral_core::{
    Allocator, CaseView, Columns, ExpertId, GroupId, Label, Newcomer, ParameterError, Question, Stream, Vote, argmax,
};
use deferral_models::{BankBatch, BankTape, NetworkBank};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::loss::{agreement_slope, price_slopes};
use super::pretraining::{Pretrained, Window};
use super::{Matching, MatchingKind};
use crate::prior::{Prior, normalise};
use crate::seats::{Seats, known, spread};
use crate::setting::Setting;

/// [`Matching`] in the middle of a stream.
///
/// **Who joins** gets a network of their own and an age of 0: under Smooth-Matching they are chosen by dSim at first,
/// and `mu_j = T_d / (t_j + T_d)` counts the tasks t since they joined, so that the shares are renormalised while ages
/// differ. Under Strict-Matching the network is taught dSim on the last tasks, of which as many are kept as
/// pre-training has rows. **Who leaves** is not available any more.
///
/// **Votes that do not come** are not missed: the label is that of those who answered, with shares among them. A task
/// without a vote teaches nothing and does not count. Votes of strangers and for unknown classes are left out.
///
/// Memory is O(m d h + B (d + seats)), and O(rows d) for Strict-Matching, however long the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatchingState {
    parameters: Matching,
    classes: usize,
    prior: Prior,
    prices: Vec<f64>,
    /// Of the streams that newcomers and pre-training draw from.
    seed: u64,
    bank: NetworkBank<f32>,
    /// Tasks that got a label.
    tasks: u64,
    /// The tasks before each annotator joined.
    joined: Vec<u64>,
    batch: BankBatch<f32>,
    /// For each pair of the batch.
    answers: Vec<Answer>,
    /// Of Strict-Matching only.
    window: Window,
    taught: bool,
    #[serde(skip)]
    room: Room,
}

/// Whether a seat agreed with the label, and what it counts in the loss of its task.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Answer {
    agrees: bool,
    weight: f64,
}

/// Memory that is used again on every task. It holds nothing that matters between two of them.
#[derive(Debug, Clone, Default)]
struct Room {
    tape: BankTape<f32>,
    people: Vec<ExpertId>,
    shares: Vec<f64>,
    votes: Vec<Vote>,
    scores: Vec<f64>,
}

impl PartialEq for Room {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl MatchingState {
    pub(super) fn new(parameters: Matching, setting: &Setting, stream: &Stream) -> Result<Self, ParameterError> {
        let (d, m) = (setting.features, setting.annotators());
        let seed = stream.random().next_u64();
        let bank = NetworkBank::new(d, &parameters.hidden, true, m, &weights(seed))?;
        Ok(Self {
            classes: setting.classes,
            prior: setting.prior.clone(),
            prices: (0..m).map(|annotator| setting.price(annotator)).collect(),
            seed,
            bank,
            tasks: 0,
            joined: vec![0; m],
            batch: BankBatch::new(d),
            answers: Vec::new(),
            window: Window::new(parameters.pretraining.rows, d),
            taught: false,
            room: Room::default(),
            parameters,
        })
    }

    /// The parameters.
    pub fn parameters(&self) -> &Matching {
        &self.parameters
    }

    /// Number of annotators, m, those who left among them.
    pub fn annotators(&self) -> usize {
        self.joined.len()
    }

    /// Tasks that got a label.
    pub fn tasks(&self) -> u64 {
        self.tasks
    }

    /// Teaches the networks of Strict-Matching the prior, from the first tasks of `features` (d x n), at most as many
    /// as pre-training has rows, of the given groups. No vote is needed. If nobody calls it the prior itself allocates
    /// until so many tasks have come, from which the networks are then taught, once.
    ///
    /// # Errors
    /// If the algorithm is not Strict-Matching, if there is no task, or if sizes differ.
    pub fn pretrain(
        &mut self,
        features: &Columns,
        groups: &[Option<GroupId>],
        stream: &Stream,
    ) -> Result<Pretrained, ParameterError> {
        let strict = self.parameters.kind == MatchingKind::Strict;
        ParameterError::check(strict, "the kind of a matching that is pre-trained", "another", "strict")?;
        let (d, n) = (self.bank.inputs(), groups.len());
        ParameterError::check(n > 0, "the number of tasks to pre-train on", n, "1 or more")?;
        let same = if d == 0 { features.rows() == 0 } else { features.rows() == d && features.n() == n };
        let found = format!("{} x {}", features.rows(), features.n());
        ParameterError::check(same, "the features to pre-train on", found, &format!("{d} x {n}"))?;
        for (task, &group) in groups.iter().take(self.parameters.pretraining.rows).enumerate() {
            self.window.push(if d == 0 { &[] } else { features.column(task) }, group);
        }
        Ok(self.teach_everybody(stream))
    }

    fn teach_everybody(&mut self, stream: &Stream) -> Pretrained {
        self.taught = true;
        let annotators = 0..self.annotators();
        self.parameters.pretraining.teach(&mut self.bank, annotators, (&self.window, &self.prior), stream)
    }

    /// Whom the networks trust most on a case among `available` (sorted), without prior and group: the rule of the
    /// published tests. The first on ties; nobody if nobody is available whom the allocator knows.
    pub fn best(&self, case: CaseView<'_>, available: &[ExpertId]) -> Option<ExpertId> {
        let people: Vec<_> = known(available, self.annotators()).collect();
        let mut tape = BankTape::default();
        let outputs = self.bank.outputs(case.features, people.iter().map(|person| person.index()), &mut tape);
        let outputs: Vec<f64> = outputs.iter().copied().map(f64::from).collect();
        people.get(argmax(&outputs)).copied()
    }

    /// What the networks say of a case, `d_j(x)`: m numbers in [0, 1].
    pub fn outputs(&self, features: &[f64]) -> Vec<f64> {
        let mut tape = BankTape::default();
        self.bank.outputs(features, 0..self.annotators(), &mut tape).iter().copied().map(f64::from).collect()
    }

    /// The share of the prior in that of an annotator, mu.
    fn faith(&self, annotator: ExpertId) -> f64 {
        match self.parameters.kind {
            MatchingKind::Smooth => {
                let task = (self.tasks - self.joined[annotator.index()] + 1) as f64;
                self.parameters.prior_tasks / (task + self.parameters.prior_tasks)
            }
            MatchingKind::Strict => f64::from(u8::from(!self.taught)),
            MatchingKind::NoPrior => 0.0,
        }
    }

    /// P over `people`, given their networks' outputs, written to `shares`.
    pub(super) fn mix(&self, group: Option<GroupId>, people: &[ExpertId], outputs: &[f32], shares: &mut Vec<f64>) {
        // A network that overflowed is not trusted.
        let sane = |output: f32| if output >= 0.0 { f64::from(output) } else { 0.0 };
        shares.clear();
        shares.extend(people.iter().map(|&person| self.prior.of(person, group)));
        let (prior, learned) = (shares.iter().sum::<f64>(), outputs.iter().map(|&output| sane(output)).sum::<f64>());
        let even = 1.0 / people.len() as f64;
        let part = |value: f64, total: f64| if total > 0.0 { value / total } else { even };
        for ((share, &output), &person) in shares.iter_mut().zip(outputs).zip(people) {
            let faith = self.faith(person);
            *share = faith * part(*share, prior) + (1.0 - faith) * part(sane(output), learned);
        }
        normalise(shares);
    }

    /// P over the `people` of the room, left in its `shares`.
    fn look(&self, case: CaseView<'_>, room: &mut Room) {
        let people = room.people.iter().map(|person| person.index());
        let outputs = self.bank.outputs(case.features, people, &mut room.tape);
        self.mix(case.group, &room.people, outputs, &mut room.shares);
    }

    /// The label of the votes that count, which are left in the room.
    fn label(&self, case: CaseView<'_>, votes: &[Vote], room: &mut Room) -> Option<Label> {
        let counts = |vote: &Vote| vote.expert.index() < self.annotators() && vote.label.index() < self.classes;
        room.votes.clear();
        room.votes.extend(votes.iter().copied().filter(counts));
        if self.parameters.seats.weighs() {
            room.people.clear();
            room.people.extend(room.votes.iter().map(|vote| vote.expert));
            self.look(case, room);
        }
        self.parameters.seats.label(&room.votes, &room.shares, self.classes, &mut room.scores)
    }

    /// Keeps a labelled task for the next step.
    fn record(&mut self, case: CaseView<'_>, label: Label, room: &mut Room) {
        let all = self.parameters.seats == Seats::All;
        let weight = if all { 1.0 } else { 1.0 / room.votes.len() as f64 };
        let place = self.batch.case(case.features);
        for vote in &room.votes {
            self.batch.pair(place, vote.expert.index());
            self.answers.push(Answer { agrees: vote.label == label, weight });
        }
        if self.batch.cases() >= self.parameters.batch {
            self.step(&mut room.tape);
        }
    }

    /// One step on the tasks kept, which are then forgotten.
    fn step(&mut self, tape: &mut BankTape<f32>) {
        let (cases, m, lambda) = (self.batch.cases(), self.annotators(), self.parameters.price_weight);
        if lambda > 0.0 {
            // Every output is a part of what a draw costs.
            (0..cases).for_each(|case| (0..m).for_each(|annotator| self.batch.pair(case, annotator)));
        }
        let (answers, prices, share) = (&self.answers, &self.prices, 1.0 / cases as f64);
        self.bank.step(&self.batch, tape, self.parameters.rate, |outputs, slopes| {
            let (of_votes, of_prices) = slopes.split_at_mut(answers.len());
            for ((slope, &output), answer) in of_votes.iter_mut().zip(outputs).zip(answers) {
                *slope = (share * answer.weight * agreement_slope(f64::from(output), answer.agrees)) as f32;
            }
            // No chunks without prices.
            for (outputs, slopes) in outputs[answers.len()..].chunks(m.max(1)).zip(of_prices.chunks_mut(m.max(1))) {
                let outputs = outputs.iter().copied().map(f64::from);
                price_slopes(outputs, prices, |at, slope| slopes[at] = (share * lambda * slope) as f32);
            }
        });
        self.batch.clear();
        self.answers.clear();
    }

    /// Remembers a task of Strict-Matching, and learns the prior from those remembered if nobody did before.
    fn remember(&mut self, case: CaseView<'_>) {
        if self.parameters.kind == MatchingKind::Strict {
            self.window.push(case.features, case.group);
            if !self.taught && self.window.is_full() {
                self.teach_everybody(&Stream::new(self.seed).child("prior"));
            }
        }
    }
}

impl Allocator for MatchingState {
    fn allocate(&mut self, case: CaseView<'_>, available: &[ExpertId], random: &mut dyn Rng) -> Vec<Question> {
        let mut room = std::mem::take(&mut self.room);
        room.people.clear();
        room.people.extend(known(available, self.annotators()));
        if self.parameters.seats == Seats::All {
            // Everybody is asked, whatever their shares; their votes are weighed when they come.
            room.shares.clear();
            room.shares.resize(room.people.len(), 1.0);
        } else {
            self.look(case, &mut room);
        }
        let questions = self.parameters.seats.draw(&room.people, &room.shares, random);
        self.room = room;
        questions
    }

    fn learn(&mut self, case: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        let mut room = std::mem::take(&mut self.room);
        let label = self.label(case, votes, &mut room);
        if let Some(label) = label {
            self.tasks += 1;
            // What is learned before the prior is would be lost.
            if self.parameters.kind != MatchingKind::Strict || self.taught {
                self.record(case, label, &mut room);
            }
        }
        self.room = room;
        self.remember(case);
        label
    }

    /// P itself, also for committees of different people, whose seats are shared more evenly than P.
    fn shares(&self, case: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
        let people = known(available, self.annotators()).collect();
        let mut room = Room { people, ..Room::default() };
        self.look(case, &mut room);
        spread(available, &room.people, &room.shares)
    }

    fn join(&mut self, newcomer: Newcomer<'_>) {
        let place = self.annotators();
        let sane = newcomer.price.is_finite() && newcomer.price >= 0.0;
        self.prior.push(newcomer.similarity);
        self.prices.push(if sane { newcomer.price } else { 1.0 });
        self.joined.push(self.tasks);
        self.bank.push(&weights(self.seed));
        if self.taught {
            let stream = Stream::new(self.seed).child("newcomer").nth(place);
            let known = (&self.window, &self.prior);
            self.parameters.pretraining.teach(&mut self.bank, place..place + 1, known, &stream);
        }
    }
}

/// Where the first weights of the networks come from.
fn weights(seed: u64) -> Stream {
    Stream::new(seed).child("weights")
}
