//! Decided cases counted by what is true and by group: what error, disparate impact and asking rates are made of.

use deferral_core::{GroupId, Label, Outcome, Route};
use serde::{Deserialize, Serialize};

/// Cases of one class and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cell {
    /// How many.
    pub n: usize,
    /// Decided wrongly.
    pub wrong: usize,
    /// About which somebody was asked.
    pub asked: usize,
}

impl Cell {
    fn add(&mut self, other: Self) {
        self.n += other.n;
        self.wrong += other.wrong;
        self.asked += other.asked;
    }

    /// The share decided wrongly, if there are any.
    pub fn error(&self) -> Option<f64> {
        (self.n > 0).then(|| self.wrong as f64 / self.n as f64)
    }

    /// The share about which somebody was asked, if there are any.
    pub fn asked(&self) -> Option<f64> {
        (self.n > 0).then(|| self.asked as f64 / self.n as f64)
    }
}

/// One [`Cell`] a class and group; a single group where results are not shown by one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cells {
    groups: usize,
    cells: Vec<Cell>,
}

impl Cells {
    pub(crate) fn new(classes: usize, groups: usize) -> Self {
        let groups = groups.max(1);
        Self { groups, cells: vec![Cell::default(); classes * groups] }
    }

    fn count(&mut self, truth: Label, group: Option<GroupId>, right: bool, asked: bool) {
        let at = truth.index() * self.groups + group.map_or(0, GroupId::index);
        if let Some(cell) = self.cells.get_mut(at) {
            cell.add(Cell { n: 1, wrong: usize::from(!right), asked: usize::from(asked) });
        }
    }

    /// Counts what came of a case that `experts` people could be asked about.
    pub(crate) fn count_outcome(&mut self, outcome: &Outcome, truth: Label, group: Option<GroupId>, experts: usize) {
        let asked = matches!(outcome.route(experts), Route::Experts(_));
        self.count(truth, group, outcome.verdict.label == truth, asked);
    }

    fn sum(&self, wanted: impl Fn(usize) -> bool) -> Cell {
        let mut sum = Cell::default();
        self.cells.iter().enumerate().filter(|(at, _)| wanted(*at)).for_each(|(_, cell)| sum.add(*cell));
        sum
    }

    /// All cases.
    pub fn all(&self) -> Cell {
        self.sum(|_| true)
    }

    /// The cases of a group.
    pub fn of_group(&self, group: usize) -> Cell {
        self.sum(|at| at % self.groups == group)
    }

    /// The mean over classes of the largest difference between groups' error rates on a class: for two classes the
    /// disparate impact of Madras, Pitassi and Zemel (2018). A group without a case of a class is left out there; with
    /// fewer than two groups it is 0.
    ///
    /// ```
    /// use deferral_eval::Cells;
    /// assert_eq!(Cells::default().disparate_impact(), 0.0);
    /// ```
    pub fn disparate_impact(&self) -> f64 {
        let classes = self.cells.chunks_exact(self.groups.max(1));
        let mean = 1.0 / classes.len().max(1) as f64;
        let gap = |cells: &[Cell]| {
            let errors = || cells.iter().filter_map(Cell::error);
            let (most, least) = (errors().reduce(f64::max), errors().reduce(f64::min));
            most.zip(least).map_or(0.0, |(most, least)| most - least)
        };
        classes.map(|cells| mean * gap(cells)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impact_error_and_asking_by_hand() {
        // ALGORITHMS 5.4: y = 00001111, A = 00110011, labels 0 1 1 1 1 0 1 0: rates .5, 1, .5, .5.
        let mut cells = Cells::new(2, 2);
        let labels = [0, 1, 1, 1, 1, 0, 1, 0];
        for (i, label) in labels.into_iter().enumerate() {
            let truth = Label(u16::from(i >= 4));
            cells.count(truth, Some(GroupId::at(i / 2 % 2)), truth.0 == label, i == 0);
        }
        assert_eq!(cells.disparate_impact(), 0.25);
        assert_eq!(cells.all().error(), Some(0.625));
        assert_eq!((cells.of_group(0).asked(), cells.of_group(1).asked()), (Some(0.25), Some(0.0)));
    }

    #[test]
    fn a_group_that_is_not_there_is_not_compared() {
        let mut cells = Cells::new(2, 3);
        cells.count(Label(1), Some(GroupId::at(0)), false, false);
        assert_eq!(cells.disparate_impact(), 0.0);
        assert_eq!(cells.of_group(2).error(), None);
    }
}
