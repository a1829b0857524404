//! The linear program behind the shares, and what its solutions mean.

use std::ops::Range;

use super::super::linear_program::{LinearProgram, LpError, Relation, Row, Solution};
use super::{Allocation, AllocationError, Band, Constraint, Limits, Skills};

/// The linear program: the share of each worker in each group, then for each band the accuracy it starts from.
pub(super) struct Program<'a> {
    groups: &'a [Skills],
    pub(super) lp: LinearProgram,
    /// What each row says.
    names: Vec<Constraint>,
    /// The highest price. The budget is counted in it, so that the solver's tolerance means the same in every currency.
    unit: f64,
}

impl<'a> Program<'a> {
    pub(super) fn new(groups: &'a [Skills], bands: &[Band], beta: f64, limits: &Limits) -> Self {
        let objective = groups.iter().flat_map(|group| {
            let right = |worker: &[f64]| worker.iter().zip(&group.classes).map(|(a, q)| a * q).sum::<f64>();
            group.accuracies.iter().map(move |worker| group.share * right(worker))
        });
        let objective = objective.chain(bands.iter().map(|_| 0.0)).collect::<Vec<f64>>();
        let bounds = vec![(0.0, f64::INFINITY); objective.len()];
        let lp = LinearProgram { objective, rows: Vec::new(), bounds };
        let highest = (0..groups[0].accuracies.n()).map(|worker| limits.price(worker)).fold(0.0, f64::max);
        let unit = if highest > 0.0 { highest } else { 1.0 };
        let mut program = Self { groups, lp, names: Vec::new(), unit };
        for group in 0..groups.len() {
            let all = program.variables(group).map(|variable| (variable, 1.0)).collect();
            program.push(Constraint::Total { group }, all, Relation::Equal, 1.0);
        }
        for (number, band) in bands.iter().enumerate().filter(|(_, band)| band.len() > 1) {
            program.balance(band, program.workers() * groups.len() + number, beta);
        }
        program.limit(limits);
        program
    }

    /// The same program with less room on every side, where there is room.
    pub(super) fn tightened(&self, margin: f64) -> LinearProgram {
        let mut lp = self.lp.clone();
        for row in &mut lp.rows {
            match row.relation {
                Relation::AtMost => row.rhs = (row.rhs - margin).max(0.0),
                // The lower end of a band is a variable: its width is what counts.
                Relation::AtLeast if row.rhs > 0.0 => row.rhs = (row.rhs + margin).min(1.0),
                Relation::AtLeast | Relation::Equal => {}
            }
        }
        lp
    }

    /// What a solution means, before anything is checked.
    pub(super) fn allocation(&self, solution: Solution, beta: f64) -> Allocation {
        let worth = |(name, dual): (&Constraint, f64)| match name {
            Constraint::Budget => (*name, dual / self.unit),
            _ => (*name, dual),
        };
        Allocation {
            shares: solution.x.chunks(self.workers()).take(self.groups.len()).map(<[f64]>::to_vec).collect(),
            value: solution.value,
            parity_gap: 0.0,
            beta,
            relaxed: false,
            duals: self.names.iter().zip(solution.duals).map(worth).collect(),
            duality_gap: solution.gap,
        }
    }

    /// Names the constraints that contradict each other.
    pub(super) fn explain(&self, error: LpError) -> AllocationError {
        match error {
            LpError::Infeasible { rows } => {
                let constraints = rows.into_iter().filter_map(|row| self.names.get(row).copied()).collect();
                AllocationError::Impossible { constraints }
            }
            other => AllocationError::Solver(other),
        }
    }

    fn workers(&self) -> usize {
        self.groups[0].accuracies.n()
    }

    fn variables(&self, group: usize) -> Range<usize> {
        group * self.workers()..(group + 1) * self.workers()
    }

    fn push(&mut self, name: Constraint, coefficients: Vec<(usize, f64)>, relation: Relation, rhs: f64) {
        self.names.push(name);
        self.lp.rows.push(Row { coefficients, relation, rhs });
    }

    /// All accuracies of the band lie between the variable `start` and `start` + beta.
    fn balance(&mut self, band: &Band, start: usize, beta: f64) {
        for &(group, class) in band {
            let accuracies = self.groups[group].accuracies.iter().map(|worker| worker[class]);
            let above: Vec<_> = self.variables(group).zip(accuracies).chain([(start, -1.0)]).collect();
            self.push(Constraint::Parity { group, class }, above.clone(), Relation::AtLeast, 0.0);
            self.push(Constraint::Parity { group, class }, above, Relation::AtMost, beta);
        }
    }

    /// The limits that speak of all cases together.
    fn limit(&mut self, limits: &Limits) {
        if let Some(budget) = limits.budget {
            let cost = self.overall(0..self.workers(), |worker| limits.price(worker) / self.unit);
            self.push(Constraint::Budget, cost, Relation::AtMost, budget / self.unit);
        }
        for worker in 0..self.workers() {
            let largest = limits.largest_share(worker);
            if largest < 1.0 {
                let load = self.overall([worker], |_| 1.0);
                self.push(Constraint::MaxShare { worker }, load, Relation::AtMost, largest);
            }
        }
        for (team, quota) in limits.diversity.iter().enumerate() {
            let mut members = quota.members.clone();
            members.sort_unstable();
            members.dedup();
            let load = self.overall(members, |_| 1.0);
            self.push(Constraint::Diversity { team }, load, Relation::AtLeast, quota.share);
        }
    }

    /// The shares of these workers in all cases, each with a factor.
    fn overall(&self, workers: impl IntoIterator<Item = usize>, factor: impl Fn(usize) -> f64) -> Vec<(usize, f64)> {
        let m = self.workers();
        let of_worker = |worker: usize| {
            let factor = factor(worker);
            self.groups.iter().enumerate().map(move |(g, group)| (g * m + worker, group.share * factor))
        };
        workers.into_iter().flat_map(of_worker).filter(|(_, factor)| *factor != 0.0).collect()
    }
}
