//! People who join, leave, and can do more or less.

use deferral_core::{Allocator, Names, Newcomer};
use indexmap::IndexMap;

use super::offers::OpenTask;
use super::{ClosedLoop, Desk, Stop, listed};
use crate::event::{Reply, Standing};
use crate::prior;
use crate::team::Annotator;

impl ClosedLoop {
    /// Lets somebody in, or back in; who was here before keeps what is not said anew.
    pub(super) fn join(
        &mut self,
        worker: &str,
        similarity: &IndexMap<String, f64>,
        cost: Option<f64>,
        (capacity, budget): (Option<u32>, Option<f64>),
        desk: &mut Desk<'_>,
    ) -> Result<bool, Stop> {
        let wrong = |reason| Stop::refuse(format!("`{worker}` cannot join: {reason}"));
        if worker.is_empty() {
            return Err(Stop::refuse("somebody without a name cannot join: give them one".to_owned()));
        }
        let row = similarity_row(&self.groups, similarity).map_err(wrong)?;
        let price = price(cost).map_err(wrong)?;
        check_budget(budget).map_err(wrong)?;
        let standing = match self.team.id(worker) {
            Some(known) if self.team.get(known).present => Standing::Present,
            Some(known) => {
                let annotator = self.team.get_mut(known);
                annotator.present = true;
                annotator.price = cost.unwrap_or(annotator.price);
                annotator.capacity = capacity.or(annotator.capacity);
                annotator.budget = budget.or(annotator.budget);
                Standing::Returned
            }
            None => {
                self.allocator.join(Newcomer { similarity: &row, price });
                self.team.add(worker, Annotator::new(price, capacity, budget));
                Standing::Joined
            }
        };
        desk.replies.push(Reply::Annotator { worker: worker.to_owned(), status: standing });
        if standing == Standing::Present {
            return Ok(false);
        }
        self.offer_waiting(desk)?;
        Ok(true)
    }

    /// Lets somebody go, and offers what they were asked to others. O(open tasks).
    pub(super) fn leave(&mut self, worker: &str, desk: &mut Desk<'_>) -> Result<bool, Stop> {
        let expert = self.annotator(worker)?;
        let annotator = self.team.get_mut(expert);
        let was_present = std::mem::replace(&mut annotator.present, false);
        desk.replies.push(Reply::Annotator { worker: worker.to_owned(), status: Standing::Left });
        if was_present {
            let asked_of = |(_, task): &(&u64, &OpenTask)| task.pending.contains(&expert);
            let tasks: Vec<u64> = self.open.iter().filter(asked_of).map(|(number, _)| *number).collect();
            for number in tasks {
                self.give_up(number, &[expert]);
                self.offer_again(number, desk)?;
            }
        }
        Ok(was_present)
    }

    /// Changes how much somebody can do.
    pub(super) fn capacity(
        &mut self,
        worker: &str,
        (capacity, budget): (Option<u32>, Option<f64>),
        desk: &mut Desk<'_>,
    ) -> Result<bool, Stop> {
        let expert = self.annotator(worker)?;
        check_budget(budget).map_err(|reason| Stop::refuse(format!("`{worker}` has {reason}")))?;
        let annotator = self.team.get_mut(expert);
        let before = *annotator;
        annotator.capacity = capacity;
        annotator.budget = budget.or(annotator.budget);
        let changed = before != *annotator;
        desk.replies.push(Reply::Annotator { worker: worker.to_owned(), status: Standing::Capacity });
        if changed {
            self.offer_waiting(desk)?;
        }
        Ok(changed)
    }
}

/// The similarities in the order of the groups; nothing if nothing is said.
pub(super) fn similarity_row(groups: &Names, similarity: &IndexMap<String, f64>) -> Result<Vec<f64>, String> {
    if similarity.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(unknown) = similarity.keys().find(|group| groups.position(group).is_none()) {
        return Err(format!("there is no group `{unknown}`; known: {}", listed(groups)));
    }
    let row: Vec<f64> = groups.iter().map(|group| similarity.get(group).copied().unwrap_or(0.5)).collect();
    prior::check(&row).map_err(|error| error.to_string())?;
    Ok(row)
}

/// What a label costs, 1 if nothing is said.
pub(super) fn price(cost: Option<f64>) -> Result<f64, String> {
    let price = cost.unwrap_or(1.0);
    if price.is_finite() && price >= 0.0 { Ok(price) } else { Err(format!("a cost of {price}; give 0 or more")) }
}

/// A budget is 0 or more.
pub(super) fn check_budget(budget: Option<f64>) -> Result<(), String> {
    match budget.filter(|budget| !(budget.is_finite() && *budget >= 0.0)) {
        Some(wrong) => Err(format!("a budget of {wrong}; give 0 or more")),
        None => Ok(()),
    }
}
