//! Error against disparate impact for whole families of methods: a method at every point of a grid of its settings.
//!
//! Settings are chosen on validation cases where the division has some, and reported on test cases. Pure from the
//! comparison on: `run` does the work.

use deferral_core::{ParameterError, Stream};
use deferral_metrics::{Measured, Tradeoff as Place, hypervolume, median, pareto_front, quantile};
use rand::RngExt;
use serde::Serialize;

use crate::cells::Cells;
use crate::comparison::{Comparison, Record};
use crate::error::EvalError;
use crate::experiment::Experiment;
use crate::grid::{Axis, Spread, spread};
use crate::run::{Keep, run_keeping};

/// What is gone through and what is read off.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sweep {
    /// The grid, one axis or more.
    pub axes: Vec<Axis>,
    /// Disparate impacts for which the least error is read off.
    pub at: Vec<f64>,
    /// Resamples of the bootstrap over runs and test cases.
    pub resamples: usize,
}

impl Sweep {
    /// The grid with the usual readings.
    pub fn over(axes: Vec<Axis>) -> Self {
        Self { axes, at: vec![0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2], resamples: 1000 }
    }
}

/// What a sweep found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tradeoff {
    /// One a method as it was written.
    pub families: Vec<Tradings>,
    /// The group attribute.
    pub group: String,
    /// Its values.
    pub groups: Vec<String>,
    /// Whether settings were chosen on validation cases; else on the test cases themselves, which flatters all.
    pub validated: bool,
    /// The error and disparate impact that areas are taken below: the largest of any family's front.
    pub reference: Place,
    /// Disparate impacts of [`Tradings::at`].
    pub at: Vec<f64>,
    /// The settings gone through.
    pub axes: Vec<Axis>,
    /// Repetitions and folds.
    pub repetitions: (usize, usize),
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// One method at all points of the grid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tradings {
    /// The method, as it was written.
    pub name: String,
    /// All points, in the order of the grid.
    pub points: Vec<TradeoffPoint>,
    /// Positions of the points that no other beats in both, on the cases that settings are chosen on, by disparate
    /// impact.
    pub front: Vec<usize>,
    /// The area that the front dominates on the test cases, below the reference, with its bootstrap interval.
    pub area: Measured,
    /// The first family's area minus this one's, on the same resamples.
    pub behind: Measured,
    /// For each of [`Tradeoff::at`]: the point with the least error among those with at most this disparate impact on
    /// the cases that settings are chosen on; `None` if there is none.
    pub at: Vec<Option<usize>>,
}

/// One method with its settings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TradeoffPoint {
    /// The method with its settings.
    pub method: String,
    /// Its settings on the grid.
    pub settings: Vec<(String, f64)>,
    /// Medians over runs on the validation cases, or the test cases where there are none.
    pub chosen_by: Medians,
    /// Medians over runs on the test cases.
    pub test: Medians,
    /// Every run on the test cases.
    pub runs: Vec<Medians>,
}

/// Error, disparate impact and asking rates of a run, or their medians over runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Medians {
    /// Share decided wrongly.
    pub error: f64,
    /// Disparate impact ([`Cells::disparate_impact`]).
    pub impact: f64,
    /// Share of cases about which somebody was asked.
    pub asked: f64,
    /// The same by group.
    pub asked_by_group: Vec<f64>,
}

impl Medians {
    fn of_run(cells: &Cells, groups: usize) -> Self {
        let asked = |cell: crate::cells::Cell| cell.asked().unwrap_or(0.0);
        Self {
            error: cells.all().error().unwrap_or(0.0),
            impact: cells.disparate_impact(),
            asked: asked(cells.all()),
            asked_by_group: (0..groups).map(|group| asked(cells.of_group(group))).collect(),
        }
    }

    fn over(runs: &[Self]) -> Self {
        let groups = runs.first().map_or(0, |run| run.asked_by_group.len());
        let of = |value: &dyn Fn(&Self) -> f64| median(&runs.iter().map(value).collect::<Vec<_>>()).unwrap_or_default();
        Self {
            error: of(&|run| run.error),
            impact: of(&|run| run.impact),
            asked: of(&|run| run.asked),
            asked_by_group: (0..groups).map(|group| of(&|run| run.asked_by_group[group])).collect(),
        }
    }

    /// Error and disparate impact.
    pub(crate) fn place(&self) -> Place {
        Place::new(self.error, self.impact)
    }
}

/// Runs every method of an experiment at every point of a grid, and trades error against disparate impact.
///
/// # Errors
/// [`EvalError`] if there is no group attribute to be fair to, the grid does not suit the methods, or a run fails.
pub fn tradeoff(
    experiment: &Experiment,
    sweep: &Sweep,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Tradeoff, EvalError> {
    let Some(group) = experiment.group.clone() else {
        return Err(EvalError::Nothing(
            "a grid trades error against unfairness between groups; name the group attribute with --group NAME"
                .to_owned(),
        ));
    };
    ParameterError::check(sweep.resamples > 0, "the number of resamples", sweep.resamples, "1 or more")?;
    let families = spread(&experiment.methods, &sweep.axes)?;
    let methods = families.iter().flat_map(|family| family.points.iter().map(|(method, _)| method.clone())).collect();
    let experiment = Experiment { methods, ..experiment.clone() };
    let comparison = run_keeping(&experiment, Keep::Rights, progress)?;
    Ok(trade(&comparison, &families, sweep, group, experiment.seed))
}

fn trade(comparison: &Comparison, families: &[Spread], sweep: &Sweep, group: String, seed: u64) -> Tradeoff {
    let groups = comparison.groups.len();
    let mut next = 0;
    let mut point = |(method, settings): &(crate::Method, Vec<(String, f64)>)| {
        let records: Vec<&Record> = comparison.of(next).collect();
        next += 1;
        let runs: Vec<Medians> = records.iter().map(|record| Medians::of_run(&record.cells, groups)).collect();
        let validation: Vec<Medians> =
            records.iter().filter_map(|r| r.validation.as_ref()).map(|c| Medians::of_run(c, groups)).collect();
        TradeoffPoint {
            method: method.name.clone(),
            settings: settings.clone(),
            chosen_by: Medians::over(if validation.is_empty() { &runs } else { &validation }),
            test: Medians::over(&runs),
            runs,
        }
    };
    let mut traded: Vec<Tradings> = families
        .iter()
        .map(|family| Tradings::of(family.name.clone(), family.points.iter().map(&mut point).collect(), &sweep.at))
        .collect();
    let on_fronts = || traded.iter().flat_map(|family| family.front.iter().map(|&at| &family.points[at].test));
    let most = |value: fn(&Medians) -> f64| on_fronts().map(value).fold(0.0, f64::max);
    let reference = Place::new(most(|m| m.error), most(|m| m.impact));
    measure_areas(&mut traded, comparison, reference, sweep.resamples, &Stream::new(seed).child("tradeoff"));
    Tradeoff {
        families: traded,
        group,
        groups: comparison.groups.clone(),
        validated: comparison.records.iter().any(|record| record.validation.is_some()),
        reference,
        at: sweep.at.clone(),
        axes: sweep.axes.clone(),
        repetitions: comparison.repetitions,
        notes: comparison.notes.clone(),
    }
}

impl Tradings {
    fn of(name: String, points: Vec<TradeoffPoint>, at: &[f64]) -> Self {
        let places: Vec<Place> = points.iter().map(|point| point.chosen_by.place()).collect();
        let mut front = pareto_front(&places);
        front.sort_by(|&a, &b| places[a].disparity.total_cmp(&places[b].disparity));
        // Of settings that come to the same, the first one stands for all.
        front.dedup_by(|a, b| places[*a] == places[*b]);
        let least = |most: &f64| {
            let within = (0..points.len()).filter(|&point| places[point].disparity <= *most);
            let (error, disparity) = (|at: usize| places[at].error, |at: usize| places[at].disparity);
            within.min_by(|&a, &b| error(a).total_cmp(&error(b)).then(disparity(a).total_cmp(&disparity(b))))
        };
        let nothing = || Measured::new(0.0, 0);
        Self { at: at.iter().map(least).collect(), name, points, front, area: nothing(), behind: nothing() }
    }

    /// Where the points of the front lie on the test cases.
    pub(crate) fn on_test(&self) -> Vec<Place> {
        self.front.iter().map(|&at| self.points[at].test.place()).collect()
    }
}

/// The area of every front with its interval. Runs are resampled, and with them the test cases where all runs have the
/// same; all families see the same resamples.
fn measure_areas(
    families: &mut [Tradings],
    comparison: &Comparison,
    reference: Place,
    resamples: usize,
    stream: &Stream,
) {
    let area = |points: &[Place]| hypervolume(points, reference);
    let whole: Vec<f64> = families.iter().map(|family| area(&family.on_test())).collect();
    let bench = Bench::of(comparison);
    let mut starts = Vec::with_capacity(families.len());
    let mut start = 0;
    for family in families.iter() {
        starts.push(start);
        start += family.points.len();
    }
    let mut draws = vec![Vec::with_capacity(resamples); families.len()];
    for at in 0..resamples {
        let mut random = stream.at(at);
        let runs: Vec<usize> = (0..bench.runs).map(|_| random.random_range(0..bench.runs)).collect();
        let counts = bench.draw_cases(&mut random);
        for ((family, start), draws) in families.iter().zip(&starts).zip(&mut draws) {
            let place = |&point: &usize| {
                let drawn: Vec<Medians> =
                    runs.iter().map(|&run| bench.measure(comparison, start + point, run, counts.as_deref())).collect();
                Medians::over(&drawn).place()
            };
            draws.push(area(&family.front.iter().map(place).collect::<Vec<_>>()));
        }
    }
    let n = bench.runs;
    for (at, family) in families.iter_mut().enumerate() {
        family.area = Measured::with_interval(whole[at], n, middle(&draws[at]));
        let differences: Vec<f64> = draws[0].iter().zip(&draws[at]).map(|(first, own)| first - own).collect();
        family.behind = Measured::with_interval(whole[0] - whole[at], n, middle(&differences));
    }
}

/// The 2.5 and 97.5 percentiles.
fn middle(draws: &[f64]) -> Option<(f64, f64)> {
    quantile(draws, 0.025).zip(quantile(draws, 0.975))
}

/// What resampling needs to know of the test cases.
struct Bench {
    /// Runs of every method.
    runs: usize,
    /// Class and group of every case, where all runs have the same cases.
    cells: Option<Vec<(usize, usize)>>,
    classes: usize,
    groups: usize,
}

impl Bench {
    fn of(comparison: &Comparison) -> Self {
        let runs = comparison.of(0).count();
        let first = comparison.records.first();
        let cell =
            |decided: &crate::Decided| (decided.truth.index(), decided.group.map_or(0, deferral_core::GroupId::index));
        Self {
            runs,
            cells: first.filter(|_| comparison.same_cases).map(|record| record.decided.iter().map(cell).collect()),
            classes: comparison.labels.len(),
            groups: comparison.groups.len().max(1),
        }
    }

    /// How often each case is drawn.
    fn draw_cases(&self, random: &mut deferral_core::Random) -> Option<Vec<f64>> {
        let cells = self.cells.as_ref()?;
        let mut counts = vec![0.0; cells.len()];
        for _ in 0..cells.len() {
            counts[random.random_range(0..cells.len())] += 1.0;
        }
        Some(counts)
    }

    /// Error and disparate impact of a run on the cases drawn.
    fn measure(&self, comparison: &Comparison, method: usize, run: usize, counts: Option<&[f64]>) -> Medians {
        let Some(record) = comparison.records.get(run * comparison.methods.len() + method) else {
            return Medians::default();
        };
        let (Some(counts), Some(cells)) = (counts, &self.cells) else {
            return Medians::of_run(&record.cells, 0);
        };
        let mut sums = vec![(0.0, 0.0); self.classes * self.groups];
        for ((&count, &(class, group)), &right) in counts.iter().zip(cells).zip(&record.rights) {
            let (n, wrong) = &mut sums[class * self.groups + group];
            *n += count;
            *wrong += if right { 0.0 } else { count };
        }
        let (n, wrong) = sums.iter().fold((0.0, 0.0), |all, cell| (all.0 + cell.0, all.1 + cell.1));
        let gap = |cells: &[(f64, f64)]| {
            let rates = || cells.iter().filter(|(n, _)| *n > 0.0).map(|(n, wrong)| wrong / n);
            rates().reduce(f64::max).zip(rates().reduce(f64::min)).map_or(0.0, |(most, least)| most - least)
        };
        let impact = sums.chunks_exact(self.groups).map(gap).sum::<f64>() / self.classes.max(1) as f64;
        Medians { error: wrong / f64::max(n, 1.0), impact, ..Medians::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_chosen_where_they_are_chosen_and_reported_where_they_are_reported() {
        let point = |validation: (f64, f64), test: (f64, f64)| TradeoffPoint {
            method: String::new(),
            settings: Vec::new(),
            chosen_by: Medians { impact: validation.0, error: validation.1, ..Medians::default() },
            test: Medians { impact: test.0, error: test.1, ..Medians::default() },
            runs: Vec::new(),
        };
        let points = vec![
            point((0.1, 0.25), (0.12, 0.26)),
            point((0.05, 0.3), (0.04, 0.31)),
            // Beaten on validation, whatever it does on test.
            point((0.2, 0.3), (0.0, 0.0)),
        ];
        let family = Tradings::of("defer".to_owned(), points, &[0.04, 0.08, 0.5]);
        assert_eq!(family.front, [1, 0]);
        assert_eq!(family.on_test(), [Place::new(0.31, 0.04), Place::new(0.26, 0.12)]);
        assert_eq!(family.at, [None, Some(1), Some(0)]);
    }
}
