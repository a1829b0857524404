//! Multiplicative weights: every wrong vote costs its voter a factor.

use deferral_core::{
    Allocator, CaseView, Committee, ExpertId, Label, Newcomer, ParameterError, Question, Selection, Vote,
};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::choice::{known, weighted_label};
use super::method::{Online, OnlineMethod, Setting, Skills};
use crate::seats;

/// Weighted majority and its randomised and exponential variants, with the bounds of the survey of Arora, Hazan and
/// Kale (2012, sections 1 and 2): all weights start equal, and a loss `l` in [0, 1] multiplies the weight of its expert
/// by `1 - eta l` or `exp(-eta l)`. The loss of a vote is 1 if it is not for the label, else 0.
///
/// Where all m experts vote in all T rounds, the deterministic rule errs at most `2 (1 + eta) M_j + 2 ln m / eta` times
/// if expert j errs `M_j` times, for any number of classes; following one drawn by weight has an expected loss of
/// at most `L_j + eta sum_t |l_tj| + ln m / eta`; both for every j and whatever the votes, with `eta <= 1/2` for the
/// multiplicative rule.
///
/// Where only some vote, the weights of the others stay as they are, and those of the voters are rescaled to the sum
/// that they had, after the specialists of Freund, Schapire, Singer and Warmuth (1997): otherwise people
/// would lose weight by being asked often. So one vote alone changes nothing. With everybody voting the rescaling
/// changes no probability.
///
/// Weights are kept as logs: they never vanish together, however long the stream. O(m) a choice, O(votes) an update.
///
/// ```
/// use deferral_crowd::online::{MultiplicativeWeights, OnlineMethod, Setting};
/// let mut state = MultiplicativeWeights { rate: Some(0.5), ..Default::default() }.start(&Setting::new(3))?;
/// state.update(&[0.0, 1.0, 1.0]);
/// assert!((state.probabilities()[0] - 0.5).abs() < 1e-12);
/// # Ok::<(), deferral_core::ParameterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MultiplicativeWeights {
    /// The rate eta: above 0, and at most 1/2 for the multiplicative rule. By default `sqrt(ln m / T)`, at most 1/2,
    /// where the number of rounds T is known, else 0.1, a guess.
    pub rate: Option<f64>,
    /// What a loss does to a weight.
    pub rule: WeightRule,
    /// Who is asked.
    pub follow: Follow,
}

/// What a loss l does to a weight under the rate eta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightRule {
    /// It is multiplied by `1 - eta l`.
    #[default]
    Multiplicative,
    /// It is multiplied by `exp(-eta l)`, as in Hedge (Freund and Schapire 1997).
    Hedge,
}

/// Whom multiplicative weights ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Follow {
    /// Everybody; the label with the most weight wins.
    #[default]
    Majority,
    /// k different experts, drawn one after another in proportion to the weights of those left, each with the
    /// probability of its draw as the propensity.
    Random {
        /// Number of experts; fewer if fewer are available.
        k: usize,
    },
}

/// The rate where nothing is known of the stream.
const RATE: f64 = 0.1;

impl WeightRule {
    fn log_factor(self, rate: f64, loss: f64) -> f64 {
        // NaN is no loss.
        let loss = if loss > 0.0 { loss.min(1.0) } else { 0.0 };
        match self {
            Self::Multiplicative => (-rate * loss).ln_1p(),
            Self::Hedge => -rate * loss,
        }
    }
}

/// [`MultiplicativeWeights`] in the middle of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MultiplicativeWeightsState {
    log_weights: Vec<f64>,
    rate: f64,
    rule: WeightRule,
    follow: Follow,
}

impl MultiplicativeWeightsState {
    /// The rate eta in use.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// The weights, divided by their sum: m numbers.
    pub fn probabilities(&self) -> Vec<f64> {
        let mut weights = self.log_weights.clone();
        deferral_models::stable::softmax(&mut weights);
        weights
    }

    /// One loss in [0, 1] for each of the first experts, and none for the others. Losses outside are cut to the range.
    pub fn update(&mut self, losses: &[f64]) {
        self.suffer(losses.iter().enumerate().map(|(expert, &loss)| (ExpertId::at(expert), loss)), 1.0);
    }

    /// Multiplies by the factors of the losses, each taken `weight` times, and keeps the sum of these experts' weights.
    fn suffer(&mut self, losses: impl Iterator<Item = (ExpertId, f64)> + Clone, weight: f64) {
        let experts = losses.clone().map(|(expert, _)| expert);
        let before = self.log_total(experts.clone());
        for (expert, loss) in losses {
            if let Some(log) = self.log_weights.get_mut(expert.index()) {
                *log += weight * self.rule.log_factor(self.rate, loss);
            }
        }
        let lost = before - self.log_total(experts.clone());
        for expert in experts {
            if let Some(log) = self.log_weights.get_mut(expert.index()) {
                *log += lost;
            }
        }
    }

    fn log_weight(&self, expert: ExpertId) -> Option<f64> {
        self.log_weights.get(expert.index()).copied()
    }

    /// The largest log-weight among experts.
    fn largest(&self, experts: impl Iterator<Item = ExpertId>) -> f64 {
        experts.filter_map(|expert| self.log_weight(expert)).fold(f64::NEG_INFINITY, f64::max)
    }

    fn log_total(&self, experts: impl Iterator<Item = ExpertId> + Clone) -> f64 {
        let largest = self.largest(experts.clone());
        largest + experts.filter_map(|e| self.log_weight(e)).map(|log| (log - largest).exp()).sum::<f64>().ln()
    }

    /// One of `left` in proportion to the weights, taken out of them.
    fn draw(&self, left: &mut Vec<ExpertId>, random: &mut dyn Rng) -> Question {
        let largest = self.largest(left.iter().copied());
        let weight = |expert: &ExpertId| self.log_weight(*expert).map_or(0.0, |log| (log - largest).exp());
        let total: f64 = left.iter().map(weight).sum();
        let point = random.random::<f64>() * total;
        let (mut at, mut upto) = (0, 0.0);
        for (place, expert) in left.iter().enumerate().filter(|(_, expert)| weight(expert) > 0.0) {
            at = place;
            upto += weight(expert);
            if point < upto {
                break;
            }
        }
        let propensity = weight(&left[at]) / total;
        Question { expert: left.remove(at), propensity }
    }
}

impl OnlineMethod for MultiplicativeWeights {
    type State = MultiplicativeWeightsState;

    fn start(&self, setting: &Setting) -> Result<MultiplicativeWeightsState, ParameterError> {
        let best = setting.rounds.map(|rounds| ((setting.workers as f64).ln() / rounds as f64).sqrt().min(0.5));
        let rate = self.rate.or(best.filter(|rate| *rate > 0.0)).unwrap_or(RATE);
        let (largest, expected) = match self.rule {
            WeightRule::Multiplicative => (0.5, "above 0 and at most 0.5"),
            WeightRule::Hedge => (f64::MAX, "a finite number above 0"),
        };
        ParameterError::check(rate > 0.0 && rate <= largest, "the rate eta", rate, expected)?;
        if let Follow::Random { k } = self.follow {
            ParameterError::check(k > 0, "the committee size k", k, "1 or more")?;
        }
        let log_weights = vec![-(setting.workers as f64).ln(); setting.workers];
        Ok(MultiplicativeWeightsState { log_weights, rate, rule: self.rule, follow: self.follow })
    }

    fn committee(&self) -> Committee {
        let select = match self.follow {
            Follow::Majority => Selection::Whole,
            Follow::Random { k: 1 } => Selection::Sampled { k: 1 },
            Follow::Random { k } => Selection::Distinct { k },
        };
        Committee { select, ..Committee::default() }
    }
}

impl Online for MultiplicativeWeightsState {
    fn label(&self, _: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        let largest = self.largest(votes.iter().map(|vote| vote.expert));
        weighted_label(votes, |expert| self.log_weight(expert).map(|log| (log - largest).exp()))
    }

    fn reward(&mut self, _: CaseView<'_>, votes: &[Vote], label: Label, weight: f64) {
        self.suffer(votes.iter().map(|vote| (vote.expert, f64::from(u8::from(vote.label != label)))), weight);
    }

    fn hears_everyone(&self) -> bool {
        true
    }

    fn skills(&self) -> Skills {
        // Nobody weighs nothing: the others may be absent.
        Skills::Everywhere(self.probabilities().into_iter().map(|p| p.max(f64::MIN_POSITIVE)).collect())
    }
}

impl Allocator for MultiplicativeWeightsState {
    fn allocate(&mut self, _: CaseView<'_>, available: &[ExpertId], random: &mut dyn Rng) -> Vec<Question> {
        let known = known(available, self.log_weights.len());
        match self.follow {
            Follow::Majority => known.map(|expert| Question { expert, propensity: 1.0 }).collect(),
            Follow::Random { k } => {
                let mut left: Vec<_> = known.collect();
                (0..k.min(left.len())).map(|_| self.draw(&mut left, random)).collect()
            }
        }
    }

    fn learn(&mut self, case: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
        self.listen(case, votes)
    }

    /// Exact where everybody or one expert is asked. With k > 1 the first seat's share is exact, the others' are the
    /// mean over 200 imagined draws of the seats before, the same for the same case.
    fn shares(&self, case: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
        let known: Vec<ExpertId> = known(available, self.log_weights.len()).collect();
        let k = match self.follow {
            Follow::Majority => known.len(),
            Follow::Random { k } => k,
        };
        let chances = |left: &[ExpertId]| {
            let mut chances: Vec<f64> = left.iter().filter_map(|expert| self.log_weight(*expert)).collect();
            deferral_models::stable::softmax(&mut chances);
            chances
        };
        let seats = seats::in_turn(case, known, k, chances);
        seats::shares(available, self.log_weights.len(), seats)
    }

    /// The mean weight of the others. The similarity and the price are not looked at, and the rate stays.
    fn join(&mut self, _: Newcomer<'_>) {
        let m = self.log_weights.len();
        let mean = self.log_total((0..m).map(ExpertId::at)) - (m as f64).ln();
        self.log_weights.push(if mean.is_finite() { mean } else { 0.0 });
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{case, ids, votes};
    use super::*;
    use deferral_core::Stream;
    use proptest::prelude::*;

    fn start(m: usize, rate: f64, rule: WeightRule, follow: Follow) -> MultiplicativeWeightsState {
        MultiplicativeWeights { rate: Some(rate), rule, follow }.start(&Setting::new(m)).unwrap()
    }

    fn close(found: &[f64], expected: &[f64]) -> bool {
        found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    fn expected_loss(state: &MultiplicativeWeightsState, losses: &[f64]) -> f64 {
        state.probabilities().iter().zip(losses).map(|(p, loss)| p * loss).sum()
    }

    #[test]
    fn the_example_of_three_experts() {
        // ALGORITHMS 3.4.
        let mut state = start(3, 0.5, WeightRule::Multiplicative, Follow::Majority);
        let rounds = [
            ([0.0, 1.0, 1.0], [1.0 / 3.0; 3], 0.666_667),
            ([0.0, 1.0, 0.0], [0.5, 0.25, 0.25], 0.25),
            ([1.0, 0.0, 0.0], [0.571_429, 0.142_857, 0.285_714], 0.571_429),
        ];
        for (losses, probabilities, loss) in rounds {
            assert!(close(&state.probabilities(), &probabilities));
            assert!((expected_loss(&state, &losses) - loss).abs() < 1e-6);
            state.update(&losses);
        }
        // (.5, .25, .5) over its sum.
        assert!(close(&state.probabilities(), &[0.4, 0.2, 0.4]));
    }

    #[test]
    fn the_same_losses_as_votes_and_under_hedge() {
        let mut state = start(3, 0.5, WeightRule::Hedge, Follow::Majority);
        assert_eq!(state.learn(case(0), &votes(&[(0, 1), (1, 0), (2, 0)])), Some(Label(0)));
        let e = (-0.5f64).exp();
        assert!(close(&state.probabilities(), &[e / (2.0 + e), 1.0 / (2.0 + e), 1.0 / (2.0 + e)]));
    }

    #[test]
    fn the_absent_stay_and_a_busy_good_worker_stays_above_an_idle_bad_one() {
        let mut state = start(4, 0.2, WeightRule::Multiplicative, Follow::Majority);
        // Workers 0 and 1 see every case and err on one of 5 and one of 2; 2 sees two cases, errs once; 3 sees none.
        for i in 0..100u16 {
            let busy = [(0, u16::from(i % 5 != 0)), (1, u16::from(i % 2 == 0))];
            state.reward(case(0), &votes(&busy), Label(1), 1.0);
        }
        for label in [0, 1] {
            state.reward(case(0), &votes(&[(0, 1), (1, 1), (2, label)]), Label(1), 1.0);
        }
        let p = state.probabilities();
        assert!((p[3] - 0.25).abs() < 1e-9, "{p:?}");
        assert!(p[0] > p[3] && p[3] > p[2] && p[2] > p[1], "{p:?}");
    }

    #[test]
    fn a_million_rounds_leave_weights() {
        for rule in [WeightRule::Multiplicative, WeightRule::Hedge] {
            let mut state = start(3, 0.5, rule, Follow::Random { k: 1 });
            for _ in 0..1_000_000 {
                state.update(&[1.0, 1.0, 0.999_999]);
            }
            let p = state.probabilities();
            assert!(p.iter().all(|p| p.is_finite() && *p > 0.0) && p[2] > p[0], "{p:?}");
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            for _ in 0..1_000_000 {
                state.update(&[1.0, 0.0, 0.5]);
            }
            // Of two who weigh nothing beside the third, the better one is still told apart.
            let asked = state.allocate(case(0), &ids(&[0, 2]), &mut Stream::new(1).at(0));
            assert_eq!((asked[0].expert, asked[0].propensity), (ExpertId(2), 1.0));
            assert_eq!(state.label(case(0), &votes(&[(0, 0), (2, 1)])), Some(Label(1)));
            assert!(matches!(state.skills(), Skills::Everywhere(weights) if weights.iter().all(|w| *w > 0.0)));
        }
    }

    #[test]
    fn draws_follow_the_weights_and_say_so() {
        let mut state = start(4, 0.5, WeightRule::Multiplicative, Follow::Random { k: 2 });
        state.update(&[1.0, 0.0, 1.0, 0.0]);
        state.update(&[1.0, 0.0, 0.0, 1.0]);
        // Weights 1/4, 1, 1/2, 1/2; expert 1 is away.
        let (stream, n) = (Stream::new(2), 20_000);
        let mut first = [0usize; 4];
        for i in 0..n {
            let asked = state.allocate(case(0), &ids(&[0, 2, 3]), &mut stream.at(i));
            let (a, b) = (asked[0].expert.index(), asked[1].expert.index());
            first[a] += 1;
            let weights = [0.25, 0.0, 0.5, 0.5];
            assert!((asked[0].propensity - weights[a] / 1.25).abs() < 1e-12);
            assert!((asked[1].propensity - weights[b] / (1.25 - weights[a])).abs() < 1e-12);
            assert!(a != b);
        }
        let shares = first.map(|count| count as f64 / n as f64);
        assert!(shares.iter().zip([0.2, 0.0, 0.4, 0.4]).all(|(found, p)| (found - p).abs() < 0.02), "{shares:?}");
    }

    #[test]
    fn the_rate_depends_on_what_is_known_of_the_stream() {
        let rate = |workers, rounds| {
            MultiplicativeWeights::default().start(&Setting { rounds, ..Setting::new(workers) }).unwrap().rate()
        };
        assert_eq!(rate(8, None), 0.1);
        assert!((rate(8, Some(100)) - (8f64.ln() / 100.0).sqrt()).abs() < 1e-15);
        assert_eq!((rate(8, Some(1)), rate(1, Some(100)), rate(8, Some(0))), (0.5, 0.1, 0.5));
    }

    #[test]
    fn parameters_are_checked() {
        let refuse = |rate, rule, follow| {
            MultiplicativeWeights { rate: Some(rate), rule, follow }.start(&Setting::new(2)).unwrap_err().to_string()
        };
        let message = "the rate eta is 0.6, but must be above 0 and at most 0.5";
        assert_eq!(refuse(0.6, WeightRule::Multiplicative, Follow::Majority), message);
        let message = "the rate eta is inf, but must be a finite number above 0";
        assert_eq!(refuse(f64::INFINITY, WeightRule::Hedge, Follow::Majority), message);
        let message = "the committee size k is 0, but must be 1 or more";
        assert_eq!(refuse(0.5, WeightRule::Hedge, Follow::Random { k: 0 }), message);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn weighted_majority_keeps_its_mistake_bound(
            (m, classes) in (1usize..7, 2u16..4),
            bits in prop::collection::vec(0u16..12, 0..700),
            eta in 0.01f64..=0.5,
        ) {
            let mut state = start(m, eta, WeightRule::Multiplicative, Follow::Majority);
            let (mut mistakes, mut of) = (0.0, vec![0.0; m]);
            for round in bits.chunks_exact(m + 1) {
                let answers: Vec<_> = (0..m).map(|j| (j as u32, round[j] % classes)).collect();
                let answers = votes(&answers);
                let truth = Label(round[m] % classes);
                mistakes += f64::from(u8::from(state.label(case(0), &answers) != Some(truth)));
                for (errors, vote) in of.iter_mut().zip(&answers) {
                    *errors += f64::from(u8::from(vote.label != truth));
                }
                state.reward(case(0), &answers, truth, 1.0);
            }
            let best = of.iter().copied().fold(f64::INFINITY, f64::min);
            prop_assert!(mistakes <= 2.0 * (1.0 + eta) * best + 2.0 * (m as f64).ln() / eta + 1e-9);
        }

        #[test]
        fn weighted_majority_keeps_its_bound_against_an_adversary(
            m in 1usize..9,
            bits in prop::collection::vec(any::<bool>(), 9..900),
            eta in 0.01f64..=0.5,
        ) {
            // The truth is always what the majority does not say.
            let mut state = start(m, eta, WeightRule::Multiplicative, Follow::Majority);
            let (mut mistakes, mut of) = (0.0, vec![0.0; m]);
            for round in bits.chunks_exact(m) {
                let answers: Vec<_> = round.iter().enumerate().map(|(j, &b)| (j as u32, u16::from(b))).collect();
                let answers = votes(&answers);
                let said = state.label(case(0), &answers).unwrap();
                mistakes += 1.0;
                for (errors, vote) in of.iter_mut().zip(&answers) {
                    *errors += f64::from(u8::from(vote.label == said));
                }
                state.reward(case(0), &answers, Label(1 - said.0), 1.0);
            }
            let best = of.iter().copied().fold(f64::INFINITY, f64::min);
            prop_assert!(mistakes <= 2.0 * (1.0 + eta) * best + 2.0 * (m as f64).ln() / eta + 1e-9);
        }

        #[test]
        fn the_randomised_rules_keep_their_regret_bound(
            m in 1usize..7,
            losses in prop::collection::vec(prop_oneof![Just(0.0), Just(1.0), 0.0f64..=1.0], 0..600),
            eta in 0.01f64..=0.5,
            hedge in any::<bool>(),
        ) {
            let rule = if hedge { WeightRule::Hedge } else { WeightRule::Multiplicative };
            let mut state = start(m, eta, rule, Follow::Random { k: 1 });
            let (mut loss, mut of) = (0.0, vec![0.0; m]);
            for round in losses.chunks_exact(m) {
                loss += expected_loss(&state, round);
                of.iter_mut().zip(round).for_each(|(sum, loss)| *sum += loss);
                state.update(round);
            }
            for of_expert in of {
                prop_assert!(loss <= of_expert + eta * of_expert + (m as f64).ln() / eta + 1e-9);
            }
        }
    }
}
