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
        let mut gradient = vec![0.0; point.len()];
        let mut value = loss(point, &mut gradient);
        let mut curvature = Curvature { memory: self.memory.max(1), pairs: VecDeque::new() };
        let (mut next, mut next_gradient) = (point.to_vec(), gradient.clone());
        let mut status = FitStatus::StepLimit;
        for step in 1..=self.iterations {
            if gradient.iter().all(|g| g.abs() <= self.tolerance) {
                status = FitStatus::Converged;
                break;
            }
            let mut direction = curvature.apply(&gradient);
            if dot(&direction, &gradient) >= 0.0 {
                curvature.pairs.clear();
                direction = gradient.iter().map(|g| -g).collect();
            }
            let slope = dot(&direction, &gradient);
            let first = if curvature.pairs.is_empty() { (1.0 / norm(&gradient)).min(1.0) } else { 1.0 };
            let Some(next_value) = backtrack(first, value, slope, |length| {
                for ((to, &from), &d) in next.iter_mut().zip(&*point).zip(&direction) {
                    *to = from + length * d;
                }
                loss(&next, &mut next_gradient)
            }) else {
                if curvature.pairs.is_empty() {
                    status = FitStatus::Stalled;
                    break;
                }
                curvature.pairs.clear();
                continue;
            };
            curvature.remember(&next, point, &next_gradient, &gradient);
            point.copy_from_slice(&next);
            gradient.copy_from_slice(&next_gradient);
            value = next_value;
            ctx.report(&Event::Step { step, of: self.iterations, loss: value })?;
        }
        ctx.report(&Event::Finished(status))?;
        Ok(status)
    }
}

/// Halves the step until it gains enough, and returns the value there.
fn backtrack(first: f64, value: f64, slope: f64, mut at: impl FnMut(f64) -> f64) -> Option<f64> {
    const ENOUGH: f64 = 1e-4;
    const HALVINGS: usize = 40;
    let mut length = first;
    for _ in 0..HALVINGS {
        let next = at(length);
        if next.is_finite() && next <= value + ENOUGH * length * slope && next < value {
            return Some(next);
        }
        length *= 0.5;
    }
    None
}

/// What past steps say about the curvature.
struct Curvature {
    memory: usize,
    pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)>,
}

impl Curvature {
    fn remember(&mut self, to: &[f64], from: &[f64], gradient_to: &[f64], gradient_from: &[f64]) {
        let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
        let (step, change) = (difference(to, from), difference(gradient_to, gradient_from));
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
