//! The game of fairness constraints on the responses known so far: how to mix them, and which multipliers to try next.

use microlp::{ComparisonOp, Error, LinearExpr, OptimizationDirection, Problem, Variable};

/// Mixture weights below this are rounding.
const NOTHING: f64 = 1e-9;
/// A bound exceeded by less counts as kept.
pub(crate) const KEPT: f64 = 1e-7;

/// One response as the game sees it: what it loses, and how far it exceeds each bound.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) loss: f64,
    pub(crate) violations: Vec<f64>,
}

/// All responses so far, and how often each was given.
#[derive(Debug, Default)]
pub(crate) struct Game {
    entries: Vec<Entry>,
    given: Vec<f64>,
}

/// Weights of the responses, what their mixture loses, and the most by which it exceeds a bound.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mixed {
    pub(crate) weights: Vec<f64>,
    pub(crate) loss: f64,
    pub(crate) excess: f64,
}

impl Mixed {
    /// This mixture, or an earlier one if that exceeds less or loses less: where the solver failed in between.
    pub(crate) fn or_earlier(self, earlier: Option<Self>) -> Self {
        let rank = |mixed: &Self| (if mixed.excess <= KEPT { 0.0 } else { mixed.excess }, mixed.loss);
        match earlier {
            Some(earlier) if rank(&earlier) < rank(&self) => earlier,
            _ => self,
        }
    }
}

impl Game {
    /// Adds a response; says whether it is new. One that loses and exceeds the same as another is the other.
    pub(crate) fn add(&mut self, entry: Entry) -> bool {
        let known = self.entries.iter().position(|known| *known == entry);
        if let Some(at) = known {
            self.given[at] += 1.0;
        } else {
            self.entries.push(entry);
            self.given.push(1.0);
        }
        known.is_none()
    }

    /// The least Lagrangian of a known response. If the last one is the best response, no mixture that keeps all
    /// bounds loses less (weak duality).
    pub(crate) fn least(&self, multipliers: &[f64]) -> f64 {
        let value =
            |entry: &Entry| entry.loss + entry.violations.iter().zip(multipliers).map(|(v, l)| v * l).sum::<f64>();
        self.entries.iter().map(value).fold(f64::INFINITY, f64::min)
    }

    /// The mixture of known responses that loses least among those that keep the bounds or, if none does, that exceed
    /// them least. A vertex of the linear program, so with at most one member more than there are bounds. Where the
    /// solver fails, the mean of the responses given so far, which is the mixture of the source.
    pub(crate) fn mix(&self) -> Mixed {
        let weights = match self.cheapest(0.0) {
            Ok(weights) => Some(weights),
            Err(Error::Infeasible) => {
                self.nearest().ok().and_then(|(weights, excess)| self.cheapest(excess + NOTHING).ok().or(Some(weights)))
            }
            Err(_) => None,
        };
        self.mixed(weights.unwrap_or_else(|| self.given.clone()))
    }

    /// The multipliers, at most `most` in sum, under which the known responses lose most: where to look for a better
    /// response. `None` if the solver fails.
    pub(crate) fn multipliers(&self, most: f64) -> Option<Vec<f64>> {
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        let value = problem.add_var(1.0, (f64::NEG_INFINITY, f64::INFINITY));
        let bounds = self.entries.first()?.violations.len();
        let multipliers: Vec<Variable> = (0..bounds).map(|_| problem.add_var(0.0, (0.0, f64::INFINITY))).collect();
        for entry in &self.entries {
            let mut lagrangian = LinearExpr::empty();
            lagrangian.add(value, 1.0);
            multipliers.iter().zip(&entry.violations).for_each(|(&variable, v)| lagrangian.add(variable, -v));
            problem.add_constraint(lagrangian, ComparisonOp::Le, entry.loss);
        }
        problem.add_constraint(multipliers.iter().map(|&m| (m, 1.0)), ComparisonOp::Le, most);
        values(&problem, &multipliers).ok()
    }

    /// The value of each row in a mixture: the first bounds are the rows minus `slack`.
    pub(crate) fn row_values(&self, mixed: &Mixed, slack: f64) -> impl Iterator<Item = f64> {
        let of = move |bound: usize| {
            let over = mixed.weights.iter().zip(&self.entries).map(|(w, entry)| w * entry.violations[bound]);
            over.sum::<f64>() + slack
        };
        (0..self.bounds()).map(of)
    }

    fn cheapest(&self, allowed: f64) -> Result<Vec<f64>, Error> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let weights = self.weights(&mut problem, |entry| entry.loss);
        for bound in 0..self.bounds() {
            problem.add_constraint(self.row(&weights, bound), ComparisonOp::Le, allowed);
        }
        values(&problem, &weights)
    }

    fn nearest(&self) -> Result<(Vec<f64>, f64), Error> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let weights = self.weights(&mut problem, |_| 0.0);
        let excess = problem.add_var(1.0, (0.0, f64::INFINITY));
        for bound in 0..self.bounds() {
            let mut row = self.row(&weights, bound);
            row.add(excess, -1.0);
            problem.add_constraint(row, ComparisonOp::Le, 0.0);
        }
        let mut found = values(&problem, &[weights, vec![excess]].concat())?;
        let excess = found.pop().unwrap_or(0.0);
        Ok((found, excess))
    }

    fn weights(&self, problem: &mut Problem, price: impl Fn(&Entry) -> f64) -> Vec<Variable> {
        let weights: Vec<Variable> =
            self.entries.iter().map(|entry| problem.add_var(price(entry), (0.0, f64::INFINITY))).collect();
        problem.add_constraint(weights.iter().map(|&w| (w, 1.0)), ComparisonOp::Eq, 1.0);
        weights
    }

    fn row(&self, weights: &[Variable], bound: usize) -> LinearExpr {
        let mut row = LinearExpr::empty();
        weights.iter().zip(&self.entries).for_each(|(&weight, entry)| row.add(weight, entry.violations[bound]));
        row
    }

    fn bounds(&self) -> usize {
        self.entries.first().map_or(0, |entry| entry.violations.len())
    }

    /// What a mixture does, computed here and not taken from the solver.
    fn mixed(&self, weights: Vec<f64>) -> Mixed {
        let mut weights: Vec<f64> = weights.into_iter().map(|w| if w > NOTHING { w } else { 0.0 }).collect();
        let total: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= total;
        }
        let mean = |of: &dyn Fn(&Entry) -> f64| weights.iter().zip(&self.entries).map(|(w, e)| w * of(e)).sum::<f64>();
        let excess = (0..self.bounds()).map(|bound| mean(&|entry| entry.violations[bound])).fold(0.0, f64::max);
        Mixed { loss: mean(&|entry| entry.loss), excess, weights }
    }
}

fn values(problem: &Problem, variables: &[Variable]) -> Result<Vec<f64>, Error> {
    let outcome = problem.solve()?;
    let solution = outcome.solution().ok_or_else(|| Error::InternalError("interrupted".to_owned()))?;
    Ok(variables.iter().map(|&variable| solution.var_value(variable)).collect())
}

/// Exponentiated gradient on the multipliers (Agarwal et al. 2018, algorithm 1).
#[derive(Debug)]
pub(crate) struct ExponentiatedGradient {
    theta: Vec<f64>,
    most: f64,
    step: f64,
}

impl ExponentiatedGradient {
    pub(crate) fn new(bounds: usize, most: f64, step: f64) -> Self {
        Self { theta: vec![0.0; bounds], most, step }
    }

    /// `B exp(theta_k) / (1 + sum exp(theta))`.
    pub(crate) fn multipliers(&self) -> Vec<f64> {
        let largest = self.theta.iter().copied().fold(0.0, f64::max);
        let exps: Vec<f64> = self.theta.iter().map(|theta| (theta - largest).exp()).collect();
        let total = (-largest).exp() + exps.iter().sum::<f64>();
        exps.into_iter().map(|exp| self.most * exp / total).collect()
    }

    /// A bound that was exceeded gains.
    pub(crate) fn answer(&mut self, violations: &[f64]) {
        for (theta, violation) in self.theta.iter_mut().zip(violations) {
            *theta += self.step * violation;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn game(entries: &[(f64, &[f64])]) -> Game {
        let mut game = Game::default();
        for &(loss, violations) in entries {
            assert!(game.add(Entry { loss, violations: violations.to_vec() }));
        }
        game
    }

    #[test]
    fn mixes_two_responses_at_the_bound() {
        // The first loses .1 and exceeds by .3, the second loses .5 and stays .1 below: a quarter of the first.
        let mut game = game(&[(0.1, &[0.3, -0.5]), (0.5, &[-0.1, -0.1])]);
        assert!(!game.add(Entry { loss: 0.5, violations: vec![-0.1, -0.1] }));
        let mixed = game.mix();
        assert!((mixed.weights[0] - 0.25).abs() < 1e-9 && (mixed.loss - 0.4).abs() < 1e-9, "{mixed:?}");
        // At the best multiplier both lose the same: .1 + .3 l = .5 - .1 l.
        let multipliers = game.multipliers(10.0).unwrap();
        assert!((multipliers[0] - 1.0).abs() < 1e-9 && multipliers[1].abs() < 1e-9, "{multipliers:?}");
        assert!((game.least(&multipliers) - 0.4).abs() < 1e-9);
        assert!((game.multipliers(0.5).unwrap()[0] - 0.5).abs() < 1e-9);
    }

    #[test]
    fn exceeds_as_little_as_possible_where_nothing_keeps_the_bounds() {
        let mixed = game(&[(0.1, &[0.3, 0.1]), (0.5, &[0.1, 0.3])]).mix();
        assert!((mixed.excess - 0.2).abs() < 1e-8 && (mixed.loss - 0.3).abs() < 1e-8, "{mixed:?}");
    }

    #[test]
    fn a_mean_of_all_answers_gives_way_to_a_better_mixture() {
        let mut game = game(&[(0.1, &[0.3]), (0.5, &[-0.1])]);
        game.add(Entry { loss: 0.5, violations: vec![-0.1] });
        let mean = game.mixed(game.given.clone());
        assert!((mean.weights[1] - 2.0 / 3.0).abs() < 1e-12 && (mean.excess - 0.1 / 3.0).abs() < 1e-12, "{mean:?}");
        let best = game.mix();
        assert_eq!(mean.clone().or_earlier(Some(best.clone())), best);
        assert_eq!(best.clone().or_earlier(Some(mean.clone())), best);
        assert_eq!(mean.clone().or_earlier(None), mean);
    }

    #[test]
    fn multipliers_follow_the_violations() {
        let mut gradient = ExponentiatedGradient::new(2, 10.0, 1.0);
        assert!(gradient.multipliers().iter().all(|l| (l - 10.0 / 3.0).abs() < 1e-12));
        gradient.answer(&[2f64.ln(), -1000.0]);
        let multipliers = gradient.multipliers();
        assert!((multipliers[0] - 20.0 / 3.0).abs() < 1e-9 && multipliers[1] < 1e-9, "{multipliers:?}");
        gradient.answer(&[5000.0, 0.0]);
        assert!((gradient.multipliers()[0] - 10.0).abs() < 1e-9);
    }
}
