//! What a question is worth: what a vote tells, what it is expected to save, and what two votes are.

use deferral_core::{Consulted, ExpertId};

use crate::adaptive::{Adaptive, NOTHING, View};
use crate::case_tables::Room;
use crate::table::Judge;

impl Adaptive<'_> {
    pub(crate) fn price_of(&self, expert: ExpertId) -> f64 {
        self.prices.as_ref().map_or(1.0, |prices| prices[expert.index()])
    }

    /// The share of an independent vote that `expert` would add.
    pub(crate) fn share(&self, expert: ExpertId, view: &View) -> f64 {
        self.dependence.map_or(1.0, |dependence| dependence.added(expert, &view.heard, &view.sums))
    }

    /// A label that costs nothing is preferred to any other, not infinitely.
    pub(crate) fn weighed_price(&self, expert: ExpertId) -> f64 {
        self.price_of(expert).max(NOTHING)
    }

    pub(crate) fn judge<'s>(&'s self, state: &Consulted<'_>, expert: ExpertId, room: &'s mut Room) -> Judge<'s> {
        self.tables.judge(state.case.index(), expert, room)
    }

    /// Expected reduction of the entropy, in nats.
    pub(crate) fn information(&self, state: &Consulted<'_>, view: &View, expert: ExpertId, room: &mut Room) -> f64 {
        self.judge(state, expert, room).entropy_gain(&view.belief) * self.share(expert, view)
    }

    /// What asking `expert` tells for their price, in nats.
    pub(crate) fn worth(&self, state: &Consulted<'_>, view: &View, expert: ExpertId) -> f64 {
        self.information(state, view, expert, &mut Room::default()) / self.weighed_price(expert)
    }

    /// What the expert knows of cases of which nothing is known.
    pub(crate) fn knowledge(&self, state: &Consulted<'_>, view: &View, expert: ExpertId, room: &mut Room) -> f64 {
        let classes = view.belief.len();
        let judge = self.judge(state, expert, room);
        let even = 1.0 / classes as f64;
        let votes = judge.given.chunks_exact(classes).map(|given| even * given.iter().sum::<f64>());
        let entropy: f64 = votes.map(|q| -q * q.ln()).sum();
        entropy - even * judge.noise.iter().sum::<f64>()
    }

    /// Expected reduction of the cost of errors by one vote.
    pub(crate) fn saving(&self, state: &Consulted<'_>, view: &View, expert: ExpertId, room: &mut Room) -> f64 {
        let before = self.asking.errors.risk(&view.belief);
        let mut after = 0.0;
        let mut joint = vec![0.0; view.belief.len()];
        for given in self.judge(state, expert, room).given.chunks_exact(view.belief.len()) {
            multiply(&mut joint, &view.belief, given);
            after += self.asking.errors.risk(&joint);
        }
        (before - after).max(0.0) * self.share(expert, view)
    }

    /// The same by one vote and the best second one after it, divided by two: what each of the two saves. Whoever tells
    /// nothing saves nothing: the second one could be asked alone.
    pub(crate) fn saving_by_two(&self, state: &Consulted<'_>, view: &View, expert: ExpertId, room: &mut Room) -> f64 {
        if self.information(state, view, expert, room) <= NOTHING {
            return 0.0;
        }
        0.5 * self.value_of_two(state, view, expert, 0.0, room)
    }

    /// `risk(p) - price c_j - sum_l min(risk(p, l), min_i (price c_i q_l + sum_l' risk(p, l, l')))`: what asking this
    /// expert, and then the best other one where that pays, is expected to save, in units of an error.
    pub(crate) fn value_of_two(
        &self,
        state: &Consulted<'_>,
        view: &View,
        first: ExpertId,
        price: f64,
        room: &mut Room,
    ) -> f64 {
        let classes = view.belief.len();
        let errors = &self.asking.errors;
        let first_given = self.judge(state, first, room).given.to_vec();
        let (mut joint, mut second_joint) = (vec![0.0; classes], vec![0.0; classes]);
        let mut after = 0.0;
        for given in first_given.chunks_exact(classes) {
            multiply(&mut joint, &view.belief, given);
            let likely: f64 = joint.iter().sum();
            let mut best = errors.risk(&joint);
            for second in self.left(state).filter(|second| *second != first) {
                let mut risk = price * self.price_of(second) * likely;
                for given in self.judge(state, second, room).given.chunks_exact(classes) {
                    multiply(&mut second_joint, &joint, given);
                    risk += errors.risk(&second_joint);
                }
                best = best.min(risk);
            }
            after += best;
        }
        let saved = (errors.risk(&view.belief) - after).max(0.0) * self.share(first, view);
        saved - price * self.price_of(first)
    }

    /// Whether one vote, or that and the best second one, is expected to save its price.
    pub(crate) fn is_worth_its_price(&self, state: &Consulted<'_>, view: &View, expert: ExpertId) -> bool {
        let mut room = Room::default();
        let price = self.asking.price;
        price.is_finite()
            && (self.saving(state, view, expert, &mut room) > price * self.price_of(expert)
                || self.value_of_two(state, view, expert, price, &mut room) > 0.0)
    }
}

fn multiply(to: &mut [f64], belief: &[f64], given: &[f64]) {
    for ((to, p), c) in to.iter_mut().zip(belief).zip(given) {
        *to = p * c;
    }
}
