//! Limited-memory BFGS with Armijo backtracking, for smooth full-batch problems.

use std::collections::VecDeque;

use deferral_core::{Cancelled, Context, Event, FitStatus};
use serde::{Deserialize, Serialize};

/// When to stop and how much to remember.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lbfgs {
    /// Iterations at most.
    pub iterations: usize,
    /// Converged when the largest gradient entry is at most this.
    pub tolerance: f64,
    /// Pairs of steps and gradient changes kept.
    pub memory: usize,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Self { iterations: 200, tolerance: 1e-5, memory: 10 }
    }
}

impl Lbfgs {
    /// Minimises `loss`, which returns its value at a point and writes the gradient, starting from `point` and
    /// leaving the best point there (Nocedal and Wright 2006, algorithm 7.4). A step that gains nothing in any
    /// direction ends with [`FitStatus::Stalled`]; it is not an error. O(memory x parameters) an iteration.
    ///
    /// # Errors
    /// [`Cancelled`] if the observer asks to stop.
    pub fn minimise(
        &self,
        point: &mut [f64],
        mut loss: impl FnMut(&[f64], &mut [f64]) -> f64,
        ctx: &mut Context<'_>,
    ) -> Result<FitStatus, Cancelled> {
        let mut descent = Descent::new(*self, point.to_vec());
        loop {
            if let Some(status) = descent.status() {
                ctx.report(&Event::Finished(status))?;
                return Ok(status);
            }
            if descent.follow(&mut loss) {
                point.copy_from_slice(descent.point());
                ctx.report(&descent.event())?;
            }
        }
    }
}

/// A search that asks for the loss at one point after another, so that several can be answered together.
pub(crate) struct Descent {
    settings: Lbfgs,
    /// Iterations begun.
    iteration: usize,
    /// The last iteration that went forward.
    steps: usize,
    /// The best point so far, with its loss and gradient.
    best: Place,
    /// Where the loss is asked for.
    trial: Place,
    curvature: Curvature,
    stage: Stage,
}

/// A point with the loss and the gradient there.
struct Place {
    point: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// What a descent waits for.
enum Stage {
    /// The loss at the start.
    Start,
    /// The loss at a distance of `length` along a direction in which it falls by `slope`.
    Search { direction: Vec<f64>, slope: f64, length: f64, halvings: usize },
    /// Nothing more.
    End(FitStatus),
}

impl Descent {
    /// A search from `point`.
    pub(crate) fn new(settings: Lbfgs, point: Vec<f64>) -> Self {
        let place = |point: Vec<f64>| Place { value: f64::INFINITY, gradient: vec![0.0; point.len()], point };
        let (best, trial) = (place(point.clone()), place(point));
        let curvature = Curvature { memory: settings.memory.max(1), pairs: VecDeque::new() };
        Self { settings, iteration: 0, steps: 0, best, trial, curvature, stage: Stage::Start }
    }

    /// How it ended, if it did.
    pub(crate) fn status(&self) -> Option<FitStatus> {
        match self.stage {
            Stage::End(status) => Some(status),
            _ => None,
        }
    }

    /// The best point so far.
    pub(crate) fn point(&self) -> &[f64] {
        &self.best.point
    }

    /// The best point of a search that is over.
    pub(crate) fn into_point(self) -> Vec<f64> {
        self.best.point
    }

    /// Where it wants to know the loss.
    pub(crate) fn trial(&self) -> &[f64] {
        &self.trial.point
    }

    /// Steps forward so far.
    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    /// The loss at the best point.
    pub(crate) fn value(&self) -> f64 {
        self.best.value
    }

    /// What there is to say after a step.
    fn event(&self) -> Event {
        Event::Step { step: self.steps, of: self.settings.iterations, loss: self.value() }
    }

    /// Goes on from the loss at [`Descent::trial`], which returns its value and writes the gradient; whether that was a
    /// step forward.
    pub(crate) fn follow(&mut self, mut loss: impl FnMut(&[f64], &mut [f64]) -> f64) -> bool {
        self.trial.value = loss(&self.trial.point, &mut self.trial.gradient);
        match &mut self.stage {
            Stage::Start => {
                std::mem::swap(&mut self.best, &mut self.trial);
                self.turn();
                false
            }
            Stage::Search { slope, length, halvings, .. } => {
                let next = self.trial.value;
                let enough = self.best.value + ENOUGH * *length * *slope;
                if next.is_finite() && next <= enough && next < self.best.value {
                    self.curvature.remember(&self.trial, &self.best);
                    std::mem::swap(&mut self.best, &mut self.trial);
                    self.steps = self.iteration;
                    self.turn();
                    return true;
                }
                *length *= 0.5;
                *halvings += 1;
                if *halvings < HALVINGS {
                    self.advance();
                } else {
                    self.give_up();
                }
                false
            }
            Stage::End(_) => false,
        }
    }

    /// Begins an iteration: takes a new direction.
    fn turn(&mut self) {
        let gradient = &self.best.gradient;
        if self.iteration == self.settings.iterations {
            self.stage = Stage::End(FitStatus::StepLimit);
            return;
        }
        self.iteration += 1;
        if gradient.iter().all(|g| g.abs() <= self.settings.tolerance) {
            self.stage = Stage::End(FitStatus::Converged);
            return;
        }
        let mut direction = self.curvature.apply(gradient);
        if dot(&direction, gradient) >= 0.0 {
            self.curvature.pairs.clear();
            direction = gradient.iter().map(|g| -g).collect();
        }
        let slope = dot(&direction, gradient);
        let length = if self.curvature.pairs.is_empty() { (1.0 / norm(gradient)).min(1.0) } else { 1.0 };
        self.stage = Stage::Search { direction, slope, length, halvings: 0 };
        self.advance();
    }

    /// Moves the trial to where the search is.
    fn advance(&mut self) {
        let Stage::Search { direction, length, .. } = &self.stage else { return };
        for ((to, &from), &d) in self.trial.point.iter_mut().zip(&self.best.point).zip(direction) {
            *to = from + length * d;
        }
    }

    /// No length of this direction gained enough: straight down, or nowhere.
    fn give_up(&mut self) {
        if self.curvature.pairs.is_empty() {
            self.stage = Stage::End(FitStatus::Stalled);
        } else {
            self.curvature.pairs.clear();
            self.turn();
        }
    }
}

/// The share of the promised gain that a step must bring.
const ENOUGH: f64 = 1e-4;
/// How often a step is halved before its direction is given up.
const HALVINGS: usize = 40;

/// What past steps say about the curvature.
struct Curvature {
    memory: usize,
    pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)>,
}

impl Curvature {
    fn remember(&mut self, to: &Place, from: &Place) {
        let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
        let (step, change) = (difference(&to.point, &from.point), difference(&to.gradient, &from.gradient));
        let product = dot(&step, &change);
        // A pair without positive curvature would turn the next direction uphill.
        if product > 1e-10 * norm(&step) * norm(&change) {
            if self.pairs.len() == self.memory {
                self.pairs.pop_front();
            }
            self.pairs.push_back((step, change, product));
        }
    }

    /// Minus the approximate inverse Hessian times `gradient`: the two-loop recursion.
    fn apply(&self, gradient: &[f64]) -> Vec<f64> {
        let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut projections = Vec::with_capacity(self.pairs.len());
        for (step, change, product) in self.pairs.iter().rev() {
            let projection = dot(step, &direction) / product;
            add(&mut direction, -projection, change);
            projections.push(projection);
        }
        if let Some((_, change, product)) = self.pairs.back() {
            let scale = product / dot(change, change);
            for d in &mut direction {
                *d *= scale;
            }
        }
        for ((step, change, product), projection) in self.pairs.iter().zip(projections.into_iter().rev()) {
            let correction = projection - dot(change, &direction) / product;
            add(&mut direction, correction, step);
        }
        direction
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn add(to: &mut [f64], scale: f64, from: &[f64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += scale * from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Silent, Stream};

    #[test]
    fn finds_the_minimum_of_the_rosenbrock_valley() {
        let mut point = [-1.2, 1.0];
        let mut silent = Silent;
        let mut ctx = Context::new(Stream::new(1), &mut silent);
        let status = Lbfgs { iterations: 500, tolerance: 1e-8, ..Lbfgs::default() }
            .minimise(
                &mut point,
                |p, g| {
                    let (a, b) = (1.0 - p[0], p[1] - p[0] * p[0]);
                    g[0] = -2.0 * a - 400.0 * p[0] * b;
                    g[1] = 200.0 * b;
                    a * a + 100.0 * b * b
                },
                &mut ctx,
            )
            .unwrap();
        assert_eq!(status, FitStatus::Converged);
        assert!((point[0] - 1.0).abs() < 1e-6 && (point[1] - 1.0).abs() < 1e-6, "{point:?}");
    }

    #[test]
    fn a_wrong_gradient_stalls_instead_of_dying() {
        let mut point = [1.0];
        let mut silent = Silent;
        let mut ctx = Context::new(Stream::new(1), &mut silent);
        let uphill = |p: &[f64], g: &mut [f64]| {
            g[0] = -2.0 * p[0];
            p[0] * p[0]
        };
        assert_eq!(Lbfgs::default().minimise(&mut point, uphill, &mut ctx), Ok(FitStatus::Stalled));
        assert_eq!(point, [1.0]);
    }
}
