//! How group weights answer to group errors: the auditor's side of the minimax games.
//!
//! Nothing here knows of cases or models, so that the games can be played with any table of errors. Updates panic on
//! no input: a group without an error in the list keeps its weight.

/// Multiplicative weights: a group gains weight as long as its error is high (Diana et al. 2021, algorithm 1).
///
/// ```
/// use deferral_fairness::MultiplicativeUpdate;
/// let mut update = MultiplicativeUpdate::new(vec![0.7, 0.3]);
/// update.step(&[0.2, 0.5], 1.0);
/// assert!((update.weights()[0] - 0.633508).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MultiplicativeUpdate {
    weights: Vec<f64>,
}

impl MultiplicativeUpdate {
    /// Starts from weights in these proportions, by rule the shares of the groups.
    pub fn new(weights: Vec<f64>) -> Self {
        let mut update = Self { weights };
        update.normalise();
        update
    }

    /// `weight_g <- weight_g exp(step error_g)`, then divided by their sum.
    pub fn step(&mut self, errors: &[f64], step: f64) {
        // The largest exponent is taken out of all, which the sum does not see: nothing overflows.
        let largest = errors.iter().map(|e| step * e).fold(f64::NEG_INFINITY, f64::max);
        for (weight, error) in self.weights.iter_mut().zip(errors) {
            *weight *= (step * error - largest).exp();
        }
        self.normalise();
    }

    /// The weights; they sum to 1.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    fn normalise(&mut self) {
        let total: f64 = self.weights.iter().sum();
        for weight in &mut self.weights {
            *weight /= total;
        }
    }
}

/// Multiplicative weights that are never divided by their sum, as in the released code of the joint framework (Keswani et
/// al. 2021).
///
/// ```
/// use deferral_fairness::GrowingUpdate;
/// let mut update = GrowingUpdate::new(vec![0.7, 0.3]);
/// update.step(&[0.2, 0.5], 1.0);
/// assert!((update.weights()[0] - 0.854982).abs() < 1e-6 && (update.weights()[1] - 0.494616).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GrowingUpdate {
    weights: Vec<f64>,
}

impl GrowingUpdate {
    /// Weights stay below this, lest a diverging loss make them infinite.
    const MOST: f64 = 1e6;

    /// Starts from these weights, by rule the shares of the groups.
    pub fn new(weights: Vec<f64>) -> Self {
        Self { weights }
    }

    /// `weight_g <- weight_g exp(step error_g)`.
    pub fn step(&mut self, errors: &[f64], step: f64) {
        for (weight, error) in self.weights.iter_mut().zip(errors) {
            *weight = (*weight * (step * error).exp()).min(Self::MOST);
        }
    }

    /// The weights.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }
}

/// The dual variables of "no group's error above gamma" (Diana et al. 2021, algorithm 2).
///
/// ```
/// use deferral_fairness::RelaxedUpdate;
/// let mut update = RelaxedUpdate::new(2, 0.3);
/// update.step(&[0.2, 0.5], 1.0);
/// assert_eq!(update.duals(), [0.0, 0.2]);
/// assert_eq!(update.weights(&[0.7, 0.3]), [0.7, 0.5]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RelaxedUpdate {
    duals: Vec<f64>,
    gamma: f64,
}

impl RelaxedUpdate {
    /// Starts from duals of 0 for `groups` groups.
    pub fn new(groups: usize, gamma: f64) -> Self {
        Self { duals: vec![0.0; groups], gamma }
    }

    /// `dual_g <- max(0, dual_g + step (error_g - gamma))`.
    pub fn step(&mut self, errors: &[f64], step: f64) {
        for (dual, error) in self.duals.iter_mut().zip(errors) {
            *dual = (*dual + step * (error - self.gamma)).max(0.0);
        }
    }

    /// The duals.
    pub fn duals(&self) -> &[f64] {
        &self.duals
    }

    /// The weight of each group: its share plus its dual; they need not sum to 1.
    pub fn weights(&self, shares: &[f64]) -> Vec<f64> {
        shares.iter().zip(&self.duals).map(|(share, dual)| share + dual).collect()
    }
}

/// The dual variables of "every group's error is that of the population"; they may be negative.
///
/// ```
/// use deferral_fairness::EqualErrorUpdate;
/// let mut update = EqualErrorUpdate::new(2);
/// update.step(&[0.2, 0.5], 0.3, 1.0);
/// let weights = update.weights(&[0.7, 0.3]);
/// assert!((weights[0] - 0.53).abs() < 1e-12 && (weights[1] - 0.47).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EqualErrorUpdate {
    duals: Vec<f64>,
}

impl EqualErrorUpdate {
    /// Starts from duals of 0 for `groups` groups.
    pub fn new(groups: usize) -> Self {
        Self { duals: vec![0.0; groups] }
    }

    /// `dual_g <- dual_g + step (error_g - error of the population)`.
    pub fn step(&mut self, errors: &[f64], population: f64, step: f64) {
        for (dual, error) in self.duals.iter_mut().zip(errors) {
            *dual += step * (error - population);
        }
    }

    /// The duals.
    pub fn duals(&self) -> &[f64] {
        &self.duals
    }

    /// The weight of each group, `share_g + dual_g - share_g (sum of duals)`, which may be negative. Where the shares do
    /// not sum to 1, as when only cases of one class count, the last term is divided by their sum.
    pub fn weights(&self, shares: &[f64]) -> Vec<f64> {
        let total: f64 = shares.iter().sum();
        let pull = self.duals.iter().sum::<f64>() / total;
        shares.iter().zip(&self.duals).map(|(share, dual)| share + dual - share * pull).collect()
    }
}

/// The step of round t: `a t^-b`.
pub(crate) fn step_size(a: f64, b: f64, round: usize) -> f64 {
    a * (round as f64).powf(-b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAME: [[f64; 2]; 2] = [[0.1, 0.5], [0.4, 0.2]];

    /// Plays `rounds` rounds against the better of two models; gives the share of the first and the mean errors.
    fn play(rounds: usize, mut weights: impl FnMut(Option<(&[f64], f64)>) -> Vec<f64>) -> (f64, [f64; 2]) {
        let (mut first, mut sums) = (0, [0.0; 2]);
        let mut now = weights(None);
        for round in 1..=rounds {
            let loss = |model: usize| GAME[model].iter().zip(&now).map(|(e, w)| e * w).sum::<f64>();
            let model = usize::from(loss(1) < loss(0));
            first += usize::from(model == 0);
            sums[0] += GAME[model][0];
            sums[1] += GAME[model][1];
            now = weights(Some((&GAME[model], step_size(1.0, 0.5, round))));
        }
        let t = rounds as f64;
        (first as f64 / t, sums.map(|sum| sum / t))
    }

    #[test]
    fn one_multiplicative_step() {
        let mut update = MultiplicativeUpdate::new(vec![0.7, 0.3]);
        update.step(&[0.2, 0.5], 1.0);
        assert!((update.weights()[0] - 0.633_508).abs() < 1e-6 && (update.weights()[1] - 0.366_492).abs() < 1e-6);
        update.step(&[5000.0, 0.0], 1.0);
        assert_eq!(update.weights(), [1.0, 0.0]);
    }

    #[test]
    fn one_relaxed_step() {
        let mut update = RelaxedUpdate::new(2, 0.3);
        update.step(&[0.2, 0.5], 1.0);
        assert_eq!(update.duals(), [0.0, 0.2]);
        assert_eq!(update.weights(&[0.7, 0.3]), [0.7, 0.5]);
    }

    #[test]
    fn the_game_of_two_models_has_the_value_three_tenths() {
        let mut update = MultiplicativeUpdate::new(vec![0.5, 0.5]);
        let (first, errors) = play(2000, |answer| {
            if let Some((errors, step)) = answer {
                update.step(errors, step);
            }
            update.weights().to_vec()
        });
        assert!((first - 0.333).abs() < 1e-3, "{first}");
        assert!((errors[0] - 0.3001).abs() < 1e-4 && (errors[1] - 0.2999).abs() < 1e-4, "{errors:?}");
    }

    #[test]
    fn the_relaxed_game_meets_its_bound() {
        let mut update = RelaxedUpdate::new(2, 0.35);
        let (first, errors) = play(20_000, |answer| {
            if let Some((errors, step)) = answer {
                update.step(errors, step);
            }
            update.weights(&[0.8, 0.2])
        });
        assert!((first - 0.5).abs() < 0.005, "{first}");
        assert!((errors[0] - 0.25).abs() < 1e-3 && (errors[1] - 0.35).abs() < 1e-3, "{errors:?}");
    }

    #[test]
    fn equal_errors_are_where_the_models_balance() {
        // Errors are equal, .3 each, when a third of the rounds has the first model.
        let mut update = EqualErrorUpdate::new(2);
        let shares = [0.8, 0.2];
        let (first, errors) = play(20_000, |answer| {
            if let Some((errors, step)) = answer {
                let population = 0.8 * errors[0] + 0.2 * errors[1];
                update.step(errors, population, step);
            }
            update.weights(&shares)
        });
        assert!((first - 1.0 / 3.0).abs() < 0.01, "{first}");
        assert!((errors[0] - errors[1]).abs() < 0.01, "{errors:?}");
    }
}
