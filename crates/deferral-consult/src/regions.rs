//! Competence by region of the features: a hierarchical logistic model of being right.

use deferral_core::{
    Cases, Columns, Context, Dataset, Decisions, ExpertId, Features, FitError, PolicyError, SparseFeatures,
};
use deferral_models::{Lbfgs, stable::sigmoid, stable::softplus};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::competence::Competence;
use crate::table::dot;

/// How the log-odds of an expert being right move with the features of the case: `a_jk + (w + v_j) z(x)`, with `a_jk`
/// the log-odds of expert j on class k ([`Competence`]), `w` common to all and `v_j` the expert's own.
///
/// `z` are the features where they are dense and at most [`MOST_PLACES`], else their projection onto 32 random
/// directions (Johnson and Lindenstrauss 1984; Achlioptas 2003), each with mean 0 and variance 1 on the training cases.
/// Both slopes are pulled to 0, the common one as by one vote, the expert's as by as many as their own record is worth to
/// a group ([`Shrinkage::own`](crate::Shrinkage)). The common slope is fitted first and the experts' then, so that
/// somebody with few votes is taken to be better and worse where everybody is. O(votes x q) an iteration of L-BFGS.
/// Ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Regions {
    projection: Projection,
    /// Mean and scale of each of the q places.
    standard: Vec<(f64, f64)>,
    /// `w + v_j`: q x m.
    slopes: Columns,
}

/// More dense features than this are projected.
pub(crate) const MOST_PLACES: usize = 128;
/// Random directions: one bit of a word each.
const DIRECTIONS: usize = 32;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Projection {
    /// The features as they are.
    Features { dim: usize },
    /// For each feature the signs with which it goes into each direction.
    Signs(Vec<u32>),
}

/// A vote to learn from.
struct Graded {
    case: usize,
    /// 1 if it was right.
    right: f64,
    /// How much the truth is believed under which it is.
    weight: f64,
    /// The log-odds of being right before features are looked at.
    offset: f64,
}

impl Regions {
    /// Learns from votes on cases of which `truth` is believed.
    ///
    /// # Errors
    /// If the cases have no features or the observer cancels.
    pub(crate) fn learn(
        data: &Dataset,
        decisions: &Decisions,
        truth: &Columns,
        competence: &Competence,
        own: f64,
        ctx: &mut Context<'_>,
    ) -> Result<Self, FitError> {
        let dim = data.cases().dim();
        if dim == 0 {
            return Err(FitError::NeedsDense { found: "no feature at all".to_owned() });
        }
        let projection = match data.cases().features() {
            Features::Dense(columns) if columns.rows() <= MOST_PLACES => Projection::Features { dim },
            _ => {
                let mut random = ctx.stream("directions").random();
                Projection::Signs((0..dim).map(|_| random.next_u32()).collect())
            }
        };
        let raw = projection.of(data.cases())?;
        let standard = standards(&raw);
        let places = standardised(raw, &standard);
        let graded = graded(decisions, truth, competence);
        let everybody: Vec<&Graded> = graded.iter().flatten().collect();
        let common = slope(&everybody, &places, None, 1.0, ctx)?;
        let mut slopes = Columns::zeros(places.rows(), decisions.experts());
        for (expert, votes) in graded.iter().enumerate() {
            let votes: Vec<&Graded> = votes.iter().collect();
            let own = slope(&votes, &places, Some(&common), own, ctx)?;
            let column = slopes.column_mut(expert).iter_mut();
            column.zip(common.iter().zip(&own)).for_each(|(to, (w, v))| *to = w + v);
        }
        Ok(Self { projection, standard, slopes })
    }

    /// Where each case lies: q x n.
    ///
    /// # Errors
    /// If the cases have other features.
    pub(crate) fn places(&self, cases: &Cases) -> Result<Columns, PolicyError> {
        Ok(standardised(self.projection.of(cases)?, &self.standard))
    }

    /// Newcomers are moved as everybody is on average.
    pub(crate) fn join(&mut self, newcomers: usize) {
        let (q, m) = (self.slopes.rows(), self.slopes.n());
        let mean = |at: usize| self.slopes.iter().map(|slope| slope[at]).sum::<f64>() / m.max(1) as f64;
        let mean: Vec<f64> = (0..q).map(mean).collect();
        let mut values = self.slopes.values().to_vec();
        (0..newcomers).for_each(|_| values.extend_from_slice(&mean));
        self.slopes = Columns::from_values(q, values);
    }

    /// How each expert's log-odds move with the place: q x m.
    pub(crate) fn slopes(&self) -> &Columns {
        &self.slopes
    }
}

impl Projection {
    fn of(&self, cases: &Cases) -> Result<Columns, PolicyError> {
        let (expected, found) = (self.dim(), cases.dim());
        if expected != found {
            return Err(PolicyError::Dimension { expected, found });
        }
        match (self, cases.features()) {
            (Self::Features { .. }, Features::Dense(columns)) => Ok(columns.clone()),
            (Self::Features { .. }, Features::Sparse(_)) => Err(PolicyError::Kind { expected: "dense" }),
            (Self::Signs(signs), Features::Sparse(sparse)) => Ok(projected_sparse(signs, sparse)),
            (Self::Signs(signs), Features::Dense(columns)) => Ok(projected_dense(signs, columns)),
        }
    }

    fn dim(&self) -> usize {
        match self {
            Self::Features { dim } => *dim,
            Self::Signs(signs) => signs.len(),
        }
    }
}

fn projected_sparse(signs: &[u32], features: &SparseFeatures) -> Columns {
    let mut places = Columns::zeros(DIRECTIONS, features.n());
    for case in 0..features.n() {
        let place = places.column_mut(case);
        for &(feature, value) in features.case(case) {
            add_signed(place, signs[feature as usize], f64::from(value));
        }
    }
    places
}

fn projected_dense(signs: &[u32], columns: &Columns) -> Columns {
    let mut places = Columns::zeros(DIRECTIONS, columns.n());
    for (case, column) in columns.iter().enumerate() {
        let place = places.column_mut(case);
        signs.iter().zip(column).for_each(|(signs, value)| add_signed(place, *signs, *value));
    }
    places
}

fn add_signed(place: &mut [f64], signs: u32, value: f64) {
    for (direction, to) in place.iter_mut().enumerate() {
        *to += if signs >> direction & 1 == 1 { value } else { -value };
    }
}

/// Mean and standard deviation of each row; a constant row has scale 1.
fn standards(places: &Columns) -> Vec<(f64, f64)> {
    let n = places.n().max(1) as f64;
    let row = |at: usize| {
        let mean = places.iter().map(|column| column[at]).sum::<f64>() / n;
        let variance = places.iter().map(|column| (column[at] - mean).powi(2)).sum::<f64>() / n;
        (mean, if variance > 0.0 { variance.sqrt() } else { 1.0 })
    };
    (0..places.rows()).map(row).collect()
}

fn standardised(mut places: Columns, standard: &[(f64, f64)]) -> Columns {
    for case in 0..places.n() {
        for (value, (mean, scale)) in places.column_mut(case).iter_mut().zip(standard) {
            *value = (*value - mean) / scale;
        }
    }
    places
}

/// The votes of each expert, under each truth that is believed.
fn graded(decisions: &Decisions, truth: &Columns, competence: &Competence) -> Vec<Vec<Graded>> {
    const LEAST: f64 = 1e-3;
    let table = competence.table(None);
    let of_expert = |expert: usize| {
        let expert = ExpertId::at(expert);
        let votes = decisions.of_expert(expert).iter().flat_map(|(case, label)| {
            let table = &table;
            let truths = truth.column(case.index()).iter().enumerate().filter(|(_, p)| **p > LEAST);
            truths.map(move |(class, &weight)| {
                let class = deferral_core::Label::at(class);
                let right = table.get(expert, class, class).clamp(LEAST, 1.0 - LEAST);
                let offset = (right / (1.0 - right)).ln();
                Graded { case: case.index(), right: f64::from(u8::from(label == class)), weight, offset }
            })
        });
        votes.collect()
    };
    (0..decisions.experts()).map(of_expert).collect()
}

/// The slope that explains best which votes were right, beyond `common`; pulled to 0 as by `pull` votes.
fn slope(
    votes: &[&Graded],
    places: &Columns,
    common: Option<&[f64]>,
    pull: f64,
    ctx: &mut Context<'_>,
) -> Result<Vec<f64>, FitError> {
    let mut point = vec![0.0; places.rows()];
    if votes.is_empty() {
        return Ok(point);
    }
    let share = 1.0 / votes.len() as f64;
    let offset = |vote: &Graded| vote.offset + common.map_or(0.0, |common| dot(common, places.column(vote.case)));
    let offsets: Vec<f64> = votes.iter().map(|vote| offset(vote)).collect();
    let solver = Lbfgs { iterations: 50, tolerance: 1e-4, ..Lbfgs::default() };
    solver.minimise(
        &mut point,
        |slope, gradient| {
            gradient.fill(0.0);
            let mut loss = 0.0;
            for (vote, offset) in votes.iter().zip(&offsets) {
                let place = places.column(vote.case);
                let logit = offset + dot(slope, place);
                loss += share * vote.weight * (softplus(logit) - vote.right * logit);
                let residual = share * vote.weight * (sigmoid(logit) - vote.right);
                gradient.iter_mut().zip(place).for_each(|(g, z)| *g += residual * z);
            }
            for (g, s) in gradient.iter_mut().zip(slope) {
                *g += share * pull * s;
                loss += 0.5 * share * pull * s * s;
            }
            loss
        },
        ctx,
    )?;
    Ok(point)
}
