//! Disparate impact as a penalty: unequal error rates of groups among the positives and among the negatives.

use deferral_core::{Dataset, FitError, GroupId, ParameterError, Random, Stream};
use deferral_models::stable::sigmoid;
use deferral_models::{Batch, Expected, ExpectedSlope, Penalise, Penalty};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// The disparate impact of what a system is expected to decide (Madras, Pitassi and Zemel 2018), two classes.
///
/// With `M_g` the mean outcome of the cases of group g among those of one class in the batch,
/// `R = (D_0 + D_1) / 2`, where D of a class is the largest difference of `M` between two groups: equation 11 of the
/// first version, for any number of groups. A group without such a case in the batch counts as rate 0 and has no slope,
/// as in the released code. O(batch + G).
///
/// ```
/// use deferral_core::*;
/// use deferral_fairness::DisparateImpact;
/// use deferral_models::{Batch, Expected, ExpectedSlope, Penalise};
/// let truth = [0, 0, 0, 0, 1, 1, 1, 1].map(|y| Some(Label(y)));
/// let group = GroupAttribute::from_values("A", ["0", "0", "1", "1", "0", "0", "1", "1"]);
/// let cases = Cases::new(Names::numbered("case", 8), Features::none(8))?.with_labels(truth.to_vec())?.with_group(group)?;
/// let data = Dataset::new(cases, Decisions::none(8, 0), Names::numbered("", 2), Names::new())?;
/// let mut penalty = DisparateImpact::by("A").penalty(&data, &Stream::new(1))?;
/// let expected = [0.2, 0.6, 0.7, 0.9, 0.9, 0.3, 0.8, 0.4].map(Expected::model_alone);
/// let mut slopes = [ExpectedSlope::default(); 8];
/// let batch = Batch { cases: &[0, 1, 2, 3, 4, 5, 6, 7], weights: &[1.0; 8] };
/// assert!((penalty.evaluate(&batch, &expected, &mut slopes) - 0.2).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DisparateImpact {
    /// The group attribute.
    pub attribute: String,
    /// How the choice between model and decision-maker enters.
    pub form: ImpactForm,
}

/// How the random choice between model and decision-maker enters the penalty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImpactForm {
    /// `D = |M_a - M_b|` of outcomes `(1 - s) p + s q`, with s drawn anew in every batch from the binary Concrete
    /// distribution, `s = sigmoid((ln pi - ln(1 - pi) + g_1 - g_0) / temperature)` with Gumbel noise g: as released.
    Concrete {
        /// The temperature, above 0.
        temperature: f64,
    },
    /// `D = E[(M_a - M_b)^2] = (E M_a - E M_b)^2 + Var M_a + Var M_b`, in closed form (appendix D of the first
    /// version): no noise, squared differences.
    ExpectedSquare,
}

impl DisparateImpact {
    /// Of the groups of `attribute`, as released: temperature one half.
    pub fn by(attribute: impl Into<String>) -> Self {
        Self { attribute: attribute.into(), form: ImpactForm::Concrete { temperature: 0.5 } }
    }
}

impl Penalise for DisparateImpact {
    fn penalty(&self, data: &Dataset, stream: &Stream) -> Result<Box<dyn Penalty>, FitError> {
        if data.k() != 2 {
            return Err(FitError::BinaryOnly {
                method: "disparate impact".to_owned(),
                classes: data.k(),
                instead: "differential equalised odds".to_owned(),
            });
        }
        if let ImpactForm::Concrete { temperature } = self.form {
            let ok = temperature > 0.0 && temperature.is_finite();
            ParameterError::check(ok, "the temperature of the relaxation", temperature, "a finite number above 0")?;
        }
        let group = data.cases().group(&self.attribute)?;
        let present = group.counts().iter().filter(|&&n| n > 0).count();
        let parameter = format!("the number of groups of {} in training", self.attribute);
        ParameterError::check(present >= 2, &parameter, present, "2 or more: there is nothing to compare")?;
        let truth: Vec<usize> = data.gold()?.into_iter().map(deferral_core::Label::index).collect();
        Ok(Box::new(ImpactOfBatch {
            form: self.form,
            truth,
            group: group.of_case.clone(),
            groups: group.len(),
            random: stream.random(),
            outcomes: Vec::new(),
            cells: Vec::new(),
        }))
    }
}

struct ImpactOfBatch {
    form: ImpactForm,
    truth: Vec<usize>,
    group: Vec<GroupId>,
    groups: usize,
    random: Random,
    outcomes: Vec<Outcome>,
    cells: Vec<Cell>,
}

/// An outcome in [0, 1] with its slopes, and a variance with its slopes.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    mean: f64,
    in_model: f64,
    in_deferral: f64,
    variance: f64,
    variance_in_model: f64,
    variance_in_deferral: f64,
}

/// The cases of one group and class in a batch.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    weight: f64,
    mean: f64,
    variance: f64,
}

impl ImpactForm {
    fn outcome(self, e: &Expected, random: &mut Random) -> Outcome {
        let (p, q, pi) = (e.model, e.expert, e.deferral);
        match self {
            Self::ExpectedSquare => Outcome {
                mean: e.system(),
                in_model: 1.0 - pi,
                in_deferral: q - p,
                variance: pi * (1.0 - pi) * (q - p) * (q - p),
                variance_in_model: -2.0 * pi * (1.0 - pi) * (q - p),
                variance_in_deferral: (1.0 - 2.0 * pi) * (q - p) * (q - p),
            },
            Self::Concrete { temperature } => {
                let noise = gumbel(random) - gumbel(random);
                let (s, slope) = concrete(pi, noise, temperature);
                let (in_model, in_deferral) = (1.0 - s, (q - p) * slope);
                let nothing = Outcome {
                    mean: 0.0,
                    in_model: 0.0,
                    in_deferral: 0.0,
                    variance: 0.0,
                    variance_in_model: 0.0,
                    variance_in_deferral: 0.0,
                };
                Outcome { mean: (1.0 - s) * p + s * q, in_model, in_deferral, ..nothing }
            }
        }
    }
}

/// The relaxed choice for a probability pi of asking and a difference of Gumbel draws, with its slope in pi. Certain
/// choices stay as they are.
fn concrete(pi: f64, noise: f64, temperature: f64) -> (f64, f64) {
    const EDGE: f64 = 1e-12;
    if pi <= 0.0 || pi >= 1.0 {
        return (if pi >= 1.0 { 1.0 } else { 0.0 }, 0.0);
    }
    let pi = pi.clamp(EDGE, 1.0 - EDGE);
    let s = sigmoid((pi.ln() - (-pi).ln_1p() + noise) / temperature);
    (s, s * (1.0 - s) / (temperature * pi * (1.0 - pi)))
}

/// A draw from the standard Gumbel distribution, `-ln(-ln U)`.
fn gumbel(random: &mut Random) -> f64 {
    let u = random.random::<f64>().clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON);
    -(-u.ln()).ln()
}

impl Penalty for ImpactOfBatch {
    fn evaluate(&mut self, batch: &Batch<'_>, expected: &[Expected], slopes: &mut [ExpectedSlope]) -> f64 {
        self.outcomes.clear();
        let (form, random) = (self.form, &mut self.random);
        self.outcomes.extend(expected.iter().map(|e| form.outcome(e, random)));
        self.fill_cells(batch);
        slopes.fill(ExpectedSlope::default());
        (0..2).map(|class| self.class(class, batch, slopes)).sum()
    }
}

impl ImpactOfBatch {
    fn cell_of(&self, case: usize) -> usize {
        self.truth[case] * self.groups + self.group[case].index()
    }

    fn fill_cells(&mut self, batch: &Batch<'_>) {
        let mut cells = std::mem::take(&mut self.cells);
        cells.clear();
        cells.resize(2 * self.groups, Cell::default());
        for ((&case, &weight), outcome) in batch.cases.iter().zip(batch.weights).zip(&self.outcomes) {
            let cell = &mut cells[self.cell_of(case)];
            cell.weight += weight;
            cell.mean += weight * outcome.mean;
            cell.variance += weight * weight * outcome.variance;
        }
        for cell in cells.iter_mut().filter(|cell| cell.weight > 0.0) {
            cell.mean /= cell.weight;
            cell.variance /= cell.weight * cell.weight;
        }
        self.cells = cells;
    }

    /// Half the difference between the two groups that are furthest apart in a class; its slopes are added.
    fn class(&self, class: usize, batch: &Batch<'_>, slopes: &mut [ExpectedSlope]) -> f64 {
        let cells = &self.cells[class * self.groups..(class + 1) * self.groups];
        let place = |of: fn(f64, f64) -> bool| {
            (1..self.groups).fold(0, |best, group| if of(cells[group].mean, cells[best].mean) { group } else { best })
        };
        let (most, least) = (place(|a, b| a > b), place(|a, b| a < b));
        let difference = cells[most].mean - cells[least].mean;
        let (value, in_mean, in_variance) = match self.form {
            ImpactForm::Concrete { .. } => (0.5 * difference, 0.5, 0.0),
            ImpactForm::ExpectedSquare => {
                (0.5 * (difference * difference + cells[most].variance + cells[least].variance), difference, 0.5)
            }
        };
        if most == least {
            return 0.0;
        }
        for (place, (&case, &weight)) in batch.cases.iter().zip(batch.weights).enumerate() {
            let group = self.group[case].index();
            if self.truth[case] != class || (group != most && group != least) {
                continue;
            }
            let share = weight / cells[group].weight;
            let sign = if group == most { in_mean } else { -in_mean };
            let outcome = &self.outcomes[place];
            slopes[place].model +=
                share * sign * outcome.in_model + share * share * in_variance * outcome.variance_in_model;
            slopes[place].deferral +=
                share * sign * outcome.in_deferral + share * share * in_variance * outcome.variance_in_deferral;
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Cases, Decisions, Features, GroupAttribute, Label, Names};
    use proptest::prelude::*;

    fn data(truth: &[u16], group: &[&str]) -> Dataset {
        let n = truth.len();
        let cases = Cases::new(Names::numbered("c", n), Features::none(n)).unwrap();
        let cases = cases.with_labels(truth.iter().map(|&y| Some(Label(y))).collect()).unwrap();
        let cases = cases.with_group(GroupAttribute::from_values("A", group)).unwrap();
        Dataset::new(cases, Decisions::none(n, 0), Names::numbered("", 2), Names::new()).unwrap()
    }

    fn evaluate(data: &Dataset, form: ImpactForm, expected: &[Expected], cases: &[usize]) -> (f64, Vec<ExpectedSlope>) {
        let mut penalty = DisparateImpact { form, ..DisparateImpact::by("A") }.penalty(data, &Stream::new(3)).unwrap();
        let mut slopes = vec![ExpectedSlope { model: 9.0, deferral: 9.0 }; cases.len()];
        let weights = vec![1.0; cases.len()];
        let value = penalty.evaluate(&Batch { cases, weights: &weights }, expected, &mut slopes);
        (value, slopes)
    }

    #[test]
    fn the_relaxed_choice_by_hand() {
        let (s, _) = concrete(0.3, 0.7, 0.5);
        assert!((s - 0.426_879).abs() < 1e-6);
        // Probabilities of exactly 0 and 1 are no choice.
        assert_eq!(concrete(0.0, 5.0, 0.5), (0.0, 0.0));
        assert_eq!(concrete(1.0, -5.0, 0.5), (1.0, 0.0));
    }

    #[test]
    fn the_expected_square_by_hand() {
        // ALGORITHMS 5.4: one case each, and the four cases; only one class has cases.
        let of = |pi: f64, q: f64, p: f64| Expected { model: p, deferral: pi, expert: q };
        let two = data(&[0, 0, 1], &["a", "b", "a"]);
        let (value, _) = evaluate(&two, ImpactForm::ExpectedSquare, &[of(0.5, 1.0, 0.0), of(0.0, 0.5, 0.2)], &[0, 1]);
        assert!((2.0 * value - 0.34).abs() < 1e-12, "{value}");
        let four = data(&[0, 0, 0, 0, 1], &["a", "a", "b", "b", "a"]);
        let expected = [of(0.5, 1.0, 0.0), of(0.3, 0.2, 0.6), of(0.8, 0.7, 0.1), of(0.1, 0.4, 0.9)];
        let (value, _) = evaluate(&four, ImpactForm::ExpectedSquare, &expected, &[0, 1, 2, 3]);
        assert!((2.0 * value - 0.141_550).abs() < 1e-6, "{value}");
    }

    #[test]
    fn a_group_absent_from_a_batch_counts_as_rate_0_and_has_no_slope() {
        let data = data(&[0, 0, 1, 1], &["a", "b", "a", "b"]);
        let expected = [Expected::model_alone(0.4), Expected::model_alone(0.7)];
        let (value, slopes) = evaluate(&data, ImpactForm::Concrete { temperature: 0.5 }, &expected, &[0, 2]);
        assert!((value - 0.5 * (0.4 + 0.7)).abs() < 1e-12);
        assert_eq!(slopes[0].model, 0.5);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let message = |data: &Dataset, impact: DisparateImpact| match impact.penalty(data, &Stream::new(1)) {
            Ok(_) => panic!("accepted"),
            Err(error) => error.to_string(),
        };
        let one = data(&[0, 1], &["a", "a"]);
        assert_eq!(
            message(&one, DisparateImpact::by("A")),
            "the number of groups of A in training is 1, but must be 2 or more: there is nothing to compare"
        );
        assert!(message(&one, DisparateImpact::by("B")).contains("no group attribute `B`"));
        let cold = DisparateImpact { form: ImpactForm::Concrete { temperature: 0.0 }, ..DisparateImpact::by("A") };
        assert!(message(&data(&[0, 1], &["a", "b"]), cold).starts_with("the temperature of the relaxation is 0"));
    }

    proptest! {
        #[test]
        fn gradients_match_central_differences(
            raw in prop::collection::vec((0.05f64..0.95, 0.05f64..0.95, 0.0f64..1.0), 9),
            temperature in 0.3f64..1.5,
        ) {
            let truth = [0, 1, 0, 1, 0, 1, 0, 1, 0];
            let data = data(&truth, &["a", "a", "b", "b", "c", "c", "a", "b", "c"]);
            let expected: Vec<Expected> =
                raw.iter().map(|&(model, deferral, expert)| Expected { model, deferral, expert }).collect();
            let cases: Vec<usize> = (0..9).collect();
            for form in [ImpactForm::ExpectedSquare, ImpactForm::Concrete { temperature }] {
                // The same noise every time.
                let of = |expected: &[Expected]| evaluate(&data, form, expected, &cases);
                let (_, slopes) = of(&expected);
                for at in 0..9 {
                    for model in [true, false] {
                        let moved = |by: f64| {
                            let mut moved = expected.clone();
                            let value = if model { &mut moved[at].model } else { &mut moved[at].deferral };
                            *value += by;
                            of(&moved).0
                        };
                        let numeric = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                        let computed = if model { slopes[at].model } else { slopes[at].deferral };
                        // Which groups are furthest apart changes at ties only, which random numbers do not have.
                        prop_assert!((numeric - computed).abs() <= 1e-6 * numeric.abs().max(1.0), "{numeric} {computed}");
                    }
                }
            }
        }
    }
}
