//! Which matrices go for which case: the same for all, those of its group, a mixture, or those of where its features lie.

use deferral_core::{Columns, ExpertId, Vote};
use deferral_models::stable::sigmoid;

use crate::table::{FLOOR, Judge, Table, dot, row_entropy};

/// The matrices of all experts, for every case of a batch.
#[derive(Debug, Clone)]
pub(crate) enum CaseTables {
    Same(Table),
    /// One table a group; for each case which.
    ByGroup {
        tables: Vec<Table>,
        of_case: Vec<u32>,
    },
    /// One table a group, and for each case how likely each group is (G x n).
    Mixed {
        tables: Vec<Table>,
        shares: Columns,
    },
    /// The table of an average case; an expert's slopes (q a expert) move the log-odds of being right with the place of
    /// the case (q x n).
    ByRegion {
        table: Table,
        slopes: Columns,
        places: Columns,
    },
}

/// Room for a matrix that is put together on the way.
#[derive(Debug, Default)]
pub(crate) struct Room {
    given: Vec<f64>,
    noise: Vec<f64>,
}

impl CaseTables {
    pub(crate) fn experts(&self) -> usize {
        match self {
            Self::Same(table) | Self::ByRegion { table, .. } => table.experts(),
            Self::ByGroup { tables, .. } | Self::Mixed { tables, .. } => tables.first().map_or(0, Table::experts),
        }
    }

    /// Number of cases it is for, if it matters.
    pub(crate) fn cases(&self) -> Option<usize> {
        match self {
            Self::Same(_) => None,
            Self::ByGroup { of_case, .. } => Some(of_case.len()),
            Self::Mixed { shares, .. } => Some(shares.n()),
            Self::ByRegion { places, .. } => Some(places.n()),
        }
    }

    /// The table of `case`, where it is ready for all experts at once.
    pub(crate) fn ready(&self, case: usize) -> Option<&Table> {
        match self {
            Self::Same(table) => Some(table),
            Self::ByGroup { tables, of_case } => Some(&tables[of_case[case] as usize]),
            Self::Mixed { .. } | Self::ByRegion { .. } => None,
        }
    }

    /// What a vote of `expert` says on `case`.
    pub(crate) fn judge<'a>(&'a self, case: usize, expert: ExpertId, room: &'a mut Room) -> Judge<'a> {
        match self {
            Self::Same(table) => table.judge(expert),
            Self::ByGroup { tables, of_case } => tables[of_case[case] as usize].judge(expert),
            Self::Mixed { tables, shares } => room.mix(tables, shares.column(case), expert),
            Self::ByRegion { table, slopes, places } => {
                room.shift(table.judge(expert), dot(slopes.column(expert.index()), places.column(case)))
            }
        }
    }

    /// Adds what `vote` says on `case` to the log-belief, as `weight` votes.
    pub(crate) fn hear(&self, case: usize, vote: Vote, weight: f64, log_belief: &mut [f64], room: &mut Room) {
        let table = match self {
            Self::Same(table) => table,
            Self::ByGroup { tables, of_case } => &tables[of_case[case] as usize],
            Self::Mixed { .. } | Self::ByRegion { .. } => {
                let start = vote.label.index() * log_belief.len();
                let judge = self.judge(case, vote.expert, room);
                let given = &judge.given[start..start + log_belief.len()];
                log_belief.iter_mut().zip(given).for_each(|(log, p)| *log += weight * p.ln());
                return;
            }
        };
        let said = table.logs(vote.expert, vote.label);
        log_belief.iter_mut().zip(said).for_each(|(log, said)| *log += weight * said);
    }
}

impl Room {
    fn mix<'a>(&'a mut self, tables: &[Table], shares: &[f64], expert: ExpertId) -> Judge<'a> {
        self.given.clear();
        for (table, share) in tables.iter().zip(shares) {
            let given = table.judge(expert).given;
            if self.given.is_empty() {
                self.given.extend(given.iter().map(|p| share * p));
            } else {
                self.given.iter_mut().zip(given).for_each(|(to, p)| *to += share * p);
            }
        }
        let classes = tables.first().map_or(0, |table| table.judge(expert).noise.len());
        self.judge(classes)
    }

    fn shift(&mut self, judge: Judge<'_>, shift: f64) -> Judge<'_> {
        let classes = judge.noise.len();
        self.given.clear();
        self.given.extend_from_slice(judge.given);
        for truth in 0..classes {
            let right = self.given[truth * classes + truth];
            let moved = sigmoid((right / (1.0 - right).max(FLOOR)).ln() + shift).clamp(FLOOR, 1.0 - FLOOR);
            // Mistakes keep their proportions.
            let rest = (1.0 - moved) / (1.0 - right).max(FLOOR);
            for vote in 0..classes {
                let entry = &mut self.given[vote * classes + truth];
                *entry = if vote == truth { moved } else { (*entry * rest).max(FLOOR) };
            }
        }
        self.judge(classes)
    }

    fn judge(&mut self, classes: usize) -> Judge<'_> {
        let given = &self.given;
        self.noise.clear();
        self.noise.extend((0..classes).map(|truth| row_entropy(given, classes, truth)));
        Judge { given: &self.given, noise: &self.noise }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Confusions, Label};

    fn table(right: f64) -> Table {
        Table::of(&Confusions::one_coin(&[right], 3))
    }

    #[test]
    fn a_mixture_lies_between_its_parts() {
        let tables = CaseTables::Mixed {
            tables: vec![table(0.9), table(0.5)],
            shares: Columns::from_values(2, vec![1.0, 0.0, 0.25, 0.75]),
        };
        let mut room = Room::default();
        assert!((tables.judge(0, ExpertId(0), &mut room).given[0] - 0.9).abs() < 1e-12);
        assert!((tables.judge(1, ExpertId(0), &mut room).given[0] - 0.6).abs() < 1e-12);
        let mut belief = [0.0; 3];
        tables.hear(1, Vote { expert: ExpertId(0), label: Label(2) }, 1.0, &mut belief, &mut room);
        assert!((belief[2] - 0.6f64.ln()).abs() < 1e-12 && (belief[0] - 0.2f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn a_region_moves_the_odds_of_being_right() {
        let tables = CaseTables::ByRegion {
            table: table(0.5),
            slopes: Columns::from_values(1, vec![2.0]),
            places: Columns::from_values(1, vec![0.0, 1.0]),
        };
        let mut room = Room::default();
        assert!((tables.judge(0, ExpertId(0), &mut room).given[4] - 0.5).abs() < 1e-12);
        let judge = tables.judge(1, ExpertId(0), &mut room);
        assert!((judge.given[4] - 1.0 / (1.0 + (-2.0f64).exp())).abs() < 1e-12);
        // Every row is still a distribution.
        let row = |truth: usize| (0..3).map(|vote| judge.given[vote * 3 + truth]).sum::<f64>();
        assert!((0..3).all(|truth| (row(truth) - 1.0).abs() < 1e-12));
    }
}
