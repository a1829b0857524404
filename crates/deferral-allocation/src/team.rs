//! The people of a closed loop: who is there, what they cost and how much they can still do.

use deferral_core::{ExpertId, Names};
use serde::{Deserialize, Serialize};

/// Everybody who ever joined. Ids are given in the order of joining and stay.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Team {
    names: Names,
    annotators: Vec<Annotator>,
}

/// What is known of a person beside their work.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Annotator {
    pub(crate) present: bool,
    /// What a label costs.
    pub(crate) price: f64,
    /// Tasks that they can be asked about in a time window.
    pub(crate) capacity: Option<u32>,
    /// What their labels may still cost.
    pub(crate) budget: Option<f64>,
    /// The time window of `asked`.
    window: u64,
    /// Tasks asked about in that window.
    asked: u32,
}

impl Annotator {
    /// Somebody who is there.
    pub(crate) fn new(price: f64, capacity: Option<u32>, budget: Option<f64>) -> Self {
        Self { present: true, price, capacity, budget, window: 0, asked: 0 }
    }

    fn has_time(&self, window: u64) -> bool {
        let asked = if self.window == window { self.asked } else { 0 };
        self.capacity.is_none_or(|capacity| asked < capacity)
    }

    fn is_available(&self, window: u64) -> bool {
        self.present && self.has_time(window) && self.budget.is_none_or(|budget| self.price <= budget)
    }
}

impl Team {
    pub(crate) fn id(&self, name: &str) -> Option<ExpertId> {
        self.names.position(name).map(ExpertId::at)
    }

    pub(crate) fn name(&self, annotator: ExpertId) -> &str {
        self.names.show(annotator.index())
    }

    pub(crate) fn get(&self, annotator: ExpertId) -> &Annotator {
        &self.annotators[annotator.index()]
    }

    pub(crate) fn get_mut(&mut self, annotator: ExpertId) -> &mut Annotator {
        &mut self.annotators[annotator.index()]
    }

    pub(crate) fn add(&mut self, name: &str, annotator: Annotator) -> ExpertId {
        self.annotators.push(annotator);
        ExpertId::at(self.names.intern(name))
    }

    /// Who could be asked now and is not in `asked`, sorted. O(m).
    pub(crate) fn available(&self, window: u64, asked: &[ExpertId]) -> Vec<ExpertId> {
        let everybody = self.annotators.iter().enumerate();
        let present = everybody.filter(|(_, annotator)| annotator.is_available(window)).map(|(at, _)| ExpertId::at(at));
        present.filter(|annotator| !asked.contains(annotator)).collect()
    }

    /// Whether somebody who could not be asked in this time window can be in the next. O(m).
    pub(crate) fn has_more_time_after(&self, window: u64) -> bool {
        let next = window.saturating_add(1);
        self.annotators.iter().any(|annotator| !annotator.has_time(window) && annotator.is_available(next))
    }

    pub(crate) fn present(&self) -> usize {
        self.annotators.iter().filter(|annotator| annotator.present).count()
    }

    /// Books one task that `annotator` is asked about: its time now, and its price, which is given back if no label comes.
    pub(crate) fn book(&mut self, annotator: ExpertId, window: u64) {
        let booked = self.get_mut(annotator);
        if booked.window != window {
            (booked.window, booked.asked) = (window, 0);
        }
        booked.asked += 1;
        self.charge(annotator);
    }

    /// Takes the price of a label from what is left of the budget.
    pub(crate) fn charge(&mut self, annotator: ExpertId) {
        let annotator = self.get_mut(annotator);
        annotator.budget = annotator.budget.map(|budget| budget - annotator.price);
    }

    /// Gives back the price of a label that will not come.
    pub(crate) fn refund(&mut self, annotator: ExpertId) {
        let annotator = self.get_mut(annotator);
        annotator.budget = annotator.budget.map(|budget| budget + annotator.price);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_comes_back_with_the_next_window_and_money_with_a_label_that_did_not_come() {
        let mut team = Team::default();
        let ann = team.add("ann", Annotator::new(2.0, Some(1), Some(3.0)));
        assert_eq!(team.available(0, &[]), [ann]);
        team.book(ann, 0);
        assert!(team.available(0, &[]).is_empty() && team.available(1, &[]).is_empty());
        assert!(!team.has_more_time_after(0));
        team.refund(ann);
        assert!(team.available(0, &[]).is_empty());
        assert!(team.has_more_time_after(0) && !team.has_more_time_after(1));
        assert_eq!(team.available(1, &[]), [ann]);
        assert!(team.available(1, &[ann]).is_empty());
        assert_eq!((team.id("ann"), team.id("bob"), team.name(ann)), (Some(ann), None, "ann"));
    }
}
