//! The joint objective: one classifier, one deferrer, one loss (Keswani, Lease and Kenthapadi 2021, section 2.1).
//!
//! For one case with votes v, classifier output F and weights D (one for each of m experts and the classifier):
//!
//! `L = alpha1 CE(y, F) + alpha2 CE(y, q) + lambda sum_j C_j D_j`
//!
//! | form | score | q | slope of the second term in `D_j` |
//! |---|---|---|---|
//! | [`Form::Binary`] | `S = sum_j D_j v_j`, `v_m = F` | `sigmoid(2 S - 1)` | `2 (q - y) v_j` |
//! | [`Form::Classes`] | `s_k = sum_j D_j [v_j = k] + D_m F_k` | `softmax(s)` | `q_(v_j) - [y = v_j]` |
//!
//! A missing vote adds nothing to any score. In the binary form that equals a vote for class 0 (which is how the
//! released code fills it in); the K-class form tells them apart, and so is the default for incomplete decisions.
//! With error costs, `[y = k]` becomes the reward of class k ([`Targets`]).

use std::borrow::Cow;

use deferral_core::{CaseId, Decisions, Label, Random, Vote, argmax};
use deferral_models::stable::{sigmoid, softmax, softplus};
use deferral_models::{Batch, Objective, Scalar, Tape, Targets, class_probabilities, cross_entropy};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::costs::{CostScope, ExpertCosts};
use crate::schedule::Schedule;

/// How votes and weights become a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The published score of class 1, for two classes.
    Binary,
    /// One score for each class, for any number of classes.
    Classes,
}

/// How a deferrer output becomes a weight in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// Independent sigmoids, as released.
    #[default]
    Sigmoid,
    /// The output itself, projected onto [0, 1] by projected gradient descent, as in the paper's text. The deferrer's
    /// last activation must then be [`Activation::Projected`](deferral_models::Activation::Projected).
    Projected,
}

/// Whether the system's loss trains the classifier too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassifierGradient {
    /// Yes: both networks are trained together, as the paper says.
    #[default]
    Joint,
    /// No: it is trained by its own loss only. The released code does this, because it copies the classifier's
    /// output out of the graph.
    Detached,
}

/// The joint objective on a set of training cases. Head 0 is the classifier (one logit for two classes, else K
/// scores), head 1 the deferrer (m+1 outputs, the classifier's weight last).
///
/// O(votes + K) a case, O(m) if there are expert costs.
#[derive(Debug)]
pub struct JointObjective<'a> {
    form: Form,
    link: Link,
    gradient: ClassifierGradient,
    schedule: Schedule,
    labels: Vec<Label>,
    targets: Targets,
    decisions: Cow<'a, Decisions>,
    dropout: Option<Dropout>,
    costs: Option<ExpertCosts>,
    /// How much a case's costs count beside its losses.
    cost_share: f64,
    /// The most votes on one case.
    most_votes: usize,
    room: Room,
}

/// Drops each vote of a sequence independently with the same probability. It draws the distance to the next dropped
/// vote, which has a geometric distribution, instead of once for every vote.
#[derive(Debug)]
struct Dropout {
    /// `ln(1 - probability)`.
    log_keep: f64,
    /// Votes to keep before the next one to drop.
    kept_before_next: u64,
    random: Random,
}

impl Dropout {
    fn new(share: f64, random: Random) -> Self {
        let mut dropout = Self { log_keep: (-share).ln_1p(), kept_before_next: 0, random };
        dropout.draw();
        dropout
    }

    fn draw(&mut self) {
        let above_zero = 1.0 - self.random.random::<f64>();
        // At least k votes are kept with probability (1 - share)^k.
        self.kept_before_next = (above_zero.ln() / self.log_keep) as u64;
    }

    fn drops_next(&mut self) -> bool {
        if self.kept_before_next > 0 {
            self.kept_before_next -= 1;
            return false;
        }
        self.draw();
        true
    }
}

/// Buffers for a batch and for one case of it.
#[derive(Debug, Clone, Default)]
struct Room {
    /// The votes on all cases of the batch.
    votes: Vec<Vote>,
    /// Where those on each case end.
    ends: Vec<usize>,
    classifier: Vec<f64>,
    /// The votes on the case with their weights.
    weighed: Vec<(Vote, f64)>,
    scores: Vec<f64>,
    slopes: Vec<f64>,
}

impl<'a> JointObjective<'a> {
    /// The objective for cases with the given labels and decisions, without dropout and costs.
    ///
    /// [`Form::Binary`] needs two classes: labels 0 and 1.
    ///
    /// # Panics
    /// If a label or a decision is for a class outside, or there are not as many labels as cases decided on.
    pub fn new(
        form: Form,
        link: Link,
        schedule: Schedule,
        labels: Vec<Label>,
        decisions: Cow<'a, Decisions>,
        classes: usize,
    ) -> Self {
        let largest = labels.iter().copied().max().max(decisions.max_label());
        assert!(largest.is_none_or(|label| label.index() < classes), "a label outside of {classes} classes");
        assert_eq!(labels.len(), decisions.cases(), "labels and decisions of as many cases");
        let most_votes = (0..decisions.cases()).map(|case| decisions.of_case(CaseId::at(case)).len()).max();
        let room = Room { classifier: vec![0.0; classes], ..Room::default() };
        Self {
            form,
            link,
            gradient: ClassifierGradient::Joint,
            schedule,
            labels,
            targets: Targets::labels(classes),
            decisions,
            dropout: None,
            costs: None,
            cost_share: 1.0,
            most_votes: most_votes.unwrap_or(0),
            room,
        }
    }

    /// With the classifier trained by both losses or by its own only.
    #[must_use]
    pub fn with_gradient(self, gradient: ClassifierGradient) -> Self {
        Self { gradient, ..self }
    }

    /// With different costs for different errors.
    #[must_use]
    pub fn with_targets(self, targets: Targets) -> Self {
        Self { targets, ..self }
    }

    /// With a price on the weights of experts.
    #[must_use]
    pub fn with_costs(self, costs: Option<ExpertCosts>) -> Self {
        Self { costs, ..self }
    }

    /// With costs that count `share` times the weight of their case: 1 over the mean weight keeps their price where
    /// case weights enlarge the losses.
    #[must_use]
    pub fn with_cost_share(self, share: f64) -> Self {
        Self { cost_share: share, ..self }
    }

    /// With every vote of an expert left out of a step with probability `share`, drawn for each case anew.
    #[must_use]
    pub fn with_dropout(self, share: f64, random: Random) -> Self {
        Self { dropout: (share > 0.0).then(|| Dropout::new(share, random)), ..self }
    }

    /// Collects the votes on the cases of a batch that count in this step. All at once, because reading the rows of
    /// random cases means waiting for memory, and the waits overlap when nothing else stands between them.
    fn gather_votes(&mut self, cases: &[usize]) {
        let Self { decisions, dropout, room, .. } = self;
        room.votes.clear();
        room.ends.clear();
        // Room for the fullest batch from the first step on, so that no later one has to make more.
        room.votes.reserve(cases.len() * self.most_votes);
        for &case in cases {
            let row = decisions.of_case(CaseId::at(case)).iter().map(|(expert, label)| Vote { expert, label });
            match dropout {
                None => room.votes.extend(row),
                Some(dropout) => room.votes.extend(row.filter(|_| !dropout.drops_next())),
            }
            room.ends.push(room.votes.len());
        }
    }

    /// The loss of one case at the given step, `weight` times; gradients are added to both heads.
    fn case<S: Scalar>(
        &mut self,
        (place, case): (usize, usize),
        weight: f64,
        (raw_classifier, classifier_gradient): (&[S], &mut [S]),
        (raw_weights, weights_gradient): (&[S], &mut [S]),
        step: usize,
    ) -> f64 {
        let start = if place == 0 { 0 } else { self.room.ends[place - 1] };
        let votes = &self.room.votes[start..self.room.ends[place]];
        let label = self.labels[case];
        let target = self.targets.of(label);
        let beliefs = &mut self.room.classifier;
        if let [logit] = raw_classifier {
            let p = sigmoid(logit.wide());
            beliefs.copy_from_slice(&[1.0 - p, p]);
        } else {
            for (belief, score) in beliefs.iter_mut().zip(raw_classifier) {
                *belief = score.wide();
            }
            softmax(beliefs);
        }
        let (alpha1, alpha2) = self.schedule.alphas(step, argmax(beliefs) == label.index());
        let mut loss = 0.0;
        if alpha1 > 0.0 {
            loss += cross_entropy(target, raw_classifier, classifier_gradient, alpha1 * weight, &mut self.room.scores);
        }
        // A vote for class 0 has no part in the binary score, so its weight matters to its price only.
        let all_weights = self.form == Form::Classes || self.costs.is_some();
        let head = DeferrerHead { link: self.link, raw: raw_weights, gradient: &mut *weights_gradient };
        self.room.weighed.clear();
        self.room.weighed.extend(votes.iter().map(|vote| {
            let counts = all_weights || vote.label.index() == 1;
            (*vote, if counts { head.weight(vote.expert.index()) } else { 0.0 })
        }));
        let weighed = &self.room.weighed[..];
        if alpha2 > 0.0 {
            let head = DeferrerHead { link: self.link, raw: raw_weights, gradient: &mut *weights_gradient };
            let room = (weighed, &self.room.classifier[..], &mut self.room.scores, &mut self.room.slopes);
            let (system, own) = match self.form {
                Form::Binary => binary_loss(head, room, target, alpha2 * weight),
                Form::Classes => classes_loss(head, room, target, alpha2 * weight),
            };
            loss += system;
            if self.gradient == ClassifierGradient::Joint {
                pull_classifier(own, &self.room.classifier, &self.room.slopes, classifier_gradient);
            }
        }
        if let Some(costs) = &self.costs {
            let mut head = DeferrerHead { link: self.link, raw: raw_weights, gradient: weights_gradient };
            loss += add_costs(costs, case, weighed, &mut head, weight * self.cost_share);
        }
        loss
    }
}

impl<S: Scalar> Objective<S> for JointObjective<'_> {
    fn evaluate(&mut self, batch: &Batch<'_>, tapes: &mut [Tape<S>], step: usize) -> f64 {
        let [classifier, deferrer] = tapes else { return f64::NAN };
        let share = 1.0 / batch.cases.len() as f64;
        self.gather_votes(batch.cases);
        let mut loss = 0.0;
        for (place, (&case, &weight)) in batch.cases.iter().zip(batch.weights).enumerate() {
            loss += self.case((place, case), weight * share, classifier.case(place), deferrer.case(place), step);
        }
        loss
    }
}

/// The deferrer's outputs for one case and their gradient.
struct DeferrerHead<'a, S> {
    link: Link,
    raw: &'a [S],
    gradient: &'a mut [S],
}

impl<S: Scalar> DeferrerHead<'_, S> {
    fn classifier(&self) -> usize {
        self.raw.len() - 1
    }

    fn weight(&self, expert: usize) -> f64 {
        match self.link {
            Link::Sigmoid => sigmoid(self.raw[expert]).wide(),
            Link::Projected => self.raw[expert].wide(),
        }
    }

    /// Adds `slope`, the gradient with respect to a weight, to that of the raw output behind it.
    fn pull(&mut self, expert: usize, weight: f64, slope: f64) {
        let chain = match self.link {
            Link::Sigmoid => weight * (1.0 - weight),
            Link::Projected => 1.0,
        };
        self.gradient[expert] += S::of(slope * chain);
    }
}

/// Weighed votes, the classifier's distribution, room for class scores and for their slopes.
type CaseRoom<'a> = (&'a [(Vote, f64)], &'a [f64], &'a mut Vec<f64>, &'a mut Vec<f64>);

/// Weighted loss of `sigmoid(2 S - 1)`. Returns it with the classifier's weight; the slopes with respect to the class
/// scores are left in the room.
fn binary_loss<S: Scalar>(mut head: DeferrerHead<'_, S>, room: CaseRoom<'_>, target: &[f64], scale: f64) -> (f64, f64) {
    let (votes, beliefs, _, slopes) = room;
    let ones = || votes.iter().filter(|(vote, _)| vote.label.index() == 1);
    let own = head.weight(head.classifier());
    let score = ones().map(|(_, weight)| weight).sum::<f64>() + own * beliefs[1];
    let logit = 2.0 * score - 1.0;
    let (zero, hit) = (target[0], target[1]);
    let slope = 2.0 * scale * ((zero + hit) * sigmoid(logit) - hit);
    for (vote, weight) in ones() {
        head.pull(vote.expert.index(), *weight, slope);
    }
    head.pull(head.classifier(), own, slope * beliefs[1]);
    slopes.clear();
    slopes.extend([0.0, slope]);
    (scale * (hit * softplus(-logit) + zero * softplus(logit)), own)
}

/// Weighted loss of `softmax(s)`. Returns as [`binary_loss`].
fn classes_loss<S: Scalar>(
    mut head: DeferrerHead<'_, S>,
    room: CaseRoom<'_>,
    target: &[f64],
    scale: f64,
) -> (f64, f64) {
    let (votes, beliefs, scores, slopes) = room;
    let own = head.weight(head.classifier());
    scores.clear();
    scores.extend(beliefs.iter().map(|belief| own * belief));
    for (vote, weight) in votes {
        scores[vote.label.index()] += weight;
    }
    slopes.clear();
    slopes.extend_from_slice(scores);
    let log_total = softmax(slopes);
    let reward: f64 = target.iter().sum();
    let mut loss = 0.0;
    for ((slope, score), t) in slopes.iter_mut().zip(scores.iter()).zip(target) {
        *slope = scale * (reward * *slope - t);
        loss += scale * t * (log_total - score);
    }
    for (vote, weight) in votes {
        head.pull(vote.expert.index(), *weight, slopes[vote.label.index()]);
    }
    let own_slope = slopes.iter().zip(beliefs).map(|(slope, belief)| slope * belief).sum();
    head.pull(head.classifier(), own, own_slope);
    (loss, own)
}

/// Carries the slopes of the class scores through the classifier's weight and its softmax (or sigmoid) to its raw
/// outputs.
fn pull_classifier<S: Scalar>(own: f64, beliefs: &[f64], slopes: &[f64], gradient: &mut [S]) {
    if let ([logit], [p0, p1]) = (&mut *gradient, beliefs) {
        *logit += S::of(own * (slopes[1] - slopes[0]) * p0 * p1);
        return;
    }
    let mean: f64 = slopes.iter().zip(beliefs).map(|(slope, belief)| slope * belief).sum();
    for ((g, belief), slope) in gradient.iter_mut().zip(beliefs).zip(slopes) {
        *g += S::of(own * belief * (slope - mean));
    }
}

fn add_costs<S: Scalar>(
    costs: &ExpertCosts,
    case: usize,
    votes: &[(Vote, f64)],
    head: &mut DeferrerHead<'_, S>,
    weight: f64,
) -> f64 {
    let mut loss = 0.0;
    let mut charge = |head: &mut DeferrerHead<'_, S>, expert: usize, used: f64| {
        let slope = weight * costs.of(case, expert);
        head.pull(expert, used, slope);
        loss += slope * used;
    };
    match costs.scope() {
        CostScope::Answered => votes.iter().for_each(|(vote, used)| charge(head, vote.expert.index(), *used)),
        CostScope::Everyone => (0..costs.experts()).for_each(|expert| charge(head, expert, head.weight(expert))),
    }
    loss
}

/// What the joint model believes about each class, given the votes and weights of one case: the training-time
/// probability q of both forms, for tests and for reading a policy. `weights` has m+1 entries, the classifier's last.
///
/// # Panics
/// If there are no weights, or a vote is of an expert or for a class outside.
pub fn system_probabilities(form: Form, weights: &[f64], votes: &[Vote], beliefs: &[f64]) -> Vec<f64> {
    let own = weights[weights.len() - 1];
    let mut scores: Vec<f64> = beliefs.iter().map(|belief| own * belief).collect();
    for vote in votes {
        scores[vote.label.index()] += weights[vote.expert.index()];
    }
    match form {
        Form::Classes => {
            softmax(&mut scores);
        }
        Form::Binary => {
            let logit = 2.0 * scores[1] - 1.0;
            class_probabilities(&[logit], &mut scores);
        }
    }
    scores
}
