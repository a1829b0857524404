//! Two tasks on the same kind of cases, whose labels are tied to the same groups.

use deferral_core::{
    Cases, Columns, Dataset, Decisions, Features, GroupAttribute, GroupId, Label, Names, ParameterError, Random, Stream,
};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::error::ExpertError;

/// The group attributes and their values.
const ATTRIBUTES: [(&str, [&str; 2]); 2] = [("gender", ["f", "m"]), ("age", ["young", "old"])];
/// How far the features of two classes lie apart, in standard deviations.
const SIGNAL: f64 = 1.8;
/// How far the features of two groups lie apart.
const TRACE: f64 = 4.0;

/// A target task and an auxiliary task that share a shortcut, made to show that fairness learned on one carries over to
/// the other.
///
/// Every case belongs to one of two genders and one of two ages, each at random. In both tasks the label is 1 with
/// probability `1/2 +- gender_bias +- age_bias`, more often for men and for the old. Five features, noise N(0, 1):
///
/// | feature | tells |
/// |---|---|
/// | 0 | the label of either task: its mean is plus or minus .9 |
/// | 1 | the label of the target task alone |
/// | 2 | the label of the auxiliary task alone |
/// | 3 | the gender: its mean is plus or minus 2 |
/// | 4 | the age, in the same way |
///
/// A model does a little better when it guesses the group from the last two features, and then gives equal cases of
/// different groups different labels. Without them true and false positive rates are the same in all groups. There is no
/// expert.
///
/// ```
/// use deferral_core::Stream;
/// use deferral_experts::TwoTasks;
/// let (target, auxiliary) = TwoTasks::default().generate(&Stream::new(1))?;
/// assert_eq!((target.n(), auxiliary.n(), target.cases().dim(), target.k(), target.m()), (2000, 2000, 5, 2, 0));
/// assert_eq!(target.cases().group("gender")?.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TwoTasks {
    /// Cases of each task, at least 1. Default: 2000.
    pub cases: usize,
    /// How much more often than in half the cases the label is 1 for men, and less often for women. Default: .15.
    pub gender_bias: f64,
    /// The same for the old and the young; both together from 0 to 1/2. Default: 0.
    pub age_bias: f64,
}

impl Default for TwoTasks {
    fn default() -> Self {
        Self { cases: 2000, gender_bias: 0.15, age_bias: 0.0 }
    }
}

impl TwoTasks {
    /// Draws the target task and the auxiliary task. Case i of a task depends on the stream and on i only.
    ///
    /// # Errors
    /// If a number is outside its range.
    pub fn generate(&self, stream: &Stream) -> Result<(Dataset, Dataset), ExpertError> {
        self.check()?;
        Ok((self.task(0, &stream.child("target"))?, self.task(1, &stream.child("auxiliary"))?))
    }

    fn check(&self) -> Result<(), ParameterError> {
        ParameterError::check(self.cases > 0, "the number of cases", self.cases, "at least 1")?;
        let range = 0.0..=0.5;
        ParameterError::check(range.contains(&self.gender_bias), "the gender bias", self.gender_bias, "from 0 to 0.5")?;
        ParameterError::check(range.contains(&self.age_bias), "the age bias", self.age_bias, "from 0 to 0.5")?;
        let both = self.gender_bias + self.age_bias;
        ParameterError::check(range.contains(&both), "the sum of both biases", both, "from 0 to 0.5")
    }

    /// Task number `own`.
    fn task(&self, own: usize, stream: &Stream) -> Result<Dataset, ExpertError> {
        let drawn: Vec<Drawn> = (0..self.cases).map(|case| self.draw(own, &mut stream.at(case))).collect();
        let features = Features::dense(Columns::from_values(5, drawn.iter().flat_map(|case| case.features).collect()))?;
        let mut cases = Cases::new(Names::numbered("case", self.cases), features)?
            .with_labels(drawn.iter().map(|case| Some(Label(u16::from(case.label)))).collect())?;
        for (at, (name, values)) in ATTRIBUTES.iter().enumerate() {
            let of_case = drawn.iter().map(|case| GroupId::at(usize::from(case.groups[at]))).collect();
            cases = cases.with_group(GroupAttribute {
                name: (*name).to_owned(),
                values: values.iter().collect(),
                of_case,
            })?;
        }
        Ok(Dataset::new(cases, Decisions::none(self.cases, 0), Names::numbered("", 2), Names::new())?)
    }

    fn draw(&self, own: usize, rng: &mut Random) -> Drawn {
        let groups = [rng.random::<bool>(), rng.random::<bool>()];
        let share = 0.5 + sign(groups[0]) * self.gender_bias + sign(groups[1]) * self.age_bias;
        let label = rng.random::<f64>() < share;
        let signal = sign(label) * SIGNAL / 2.0;
        let mut means = [signal, 0.0, 0.0, sign(groups[0]) * TRACE / 2.0, sign(groups[1]) * TRACE / 2.0];
        means[1 + own] = signal;
        Drawn { groups, label, features: means.map(|mean| mean + rng.sample::<f64, _>(StandardNormal)) }
    }
}

/// One case.
struct Drawn {
    groups: [bool; 2],
    label: bool,
    features: [f64; 5],
}

fn sign(positive: bool) -> f64 {
    if positive { 1.0 } else { -1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean of a feature among the cases that `of` picks by gender and label, and how many they are.
    fn mean(data: &Dataset, feature: usize, of: impl Fn(u32, u16) -> bool) -> (f64, f64) {
        let columns = data.cases().features().as_dense().unwrap();
        let gender = &data.cases().group("gender").unwrap().of_case;
        let label = |case: usize| data.cases().labels()[case].unwrap().0;
        let chosen: Vec<usize> = (0..data.n()).filter(|&case| of(gender[case].0, label(case))).collect();
        let n = chosen.len() as f64;
        (chosen.iter().map(|&case| columns.column(case)[feature]).sum::<f64>() / n, n)
    }

    #[test]
    fn features_tell_what_they_are_said_to_tell() {
        let tasks = TwoTasks { cases: 8000, gender_bias: 0.15, age_bias: 0.1 }.generate(&Stream::new(1)).unwrap();
        for (own, data) in [(1, &tasks.0), (2, &tasks.1)] {
            for feature in 0..3 {
                let told = if feature == 0 || feature == own { 0.9 } else { 0.0 };
                for gender in 0..2 {
                    // About 1400 cases or more: a mean errs by .027; four of these.
                    let (found, _) = mean(data, feature, |g, y| g == gender && y == 1);
                    assert!((found - told).abs() < 0.11, "task {own}, feature {feature}: {found}");
                }
            }
            let men = mean(data, 3, |g, _| g == 1).0 - mean(data, 3, |g, _| g == 0).0;
            assert!((men - 4.0).abs() < 0.1, "{men}");
            let share = mean(data, 0, |g, y| g == 1 && y == 1).1 / mean(data, 0, |g, _| g == 1).1;
            // Four standard deviations of a share of 4000.
            assert!((share - 0.65).abs() < 0.032, "{share}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_tasks_and_more_cases_keep_the_first() {
        let draw = |cases, seed| TwoTasks { cases, ..TwoTasks::default() }.generate(&Stream::new(seed)).unwrap();
        let (target, auxiliary) = draw(40, 1);
        assert_eq!((target.clone(), auxiliary.clone()), draw(40, 1));
        assert_ne!(target, draw(40, 2).0);
        assert_ne!(target, auxiliary);
        let first: Vec<usize> = (0..10).collect();
        assert_eq!(draw(10, 1).0, target.select(&first));
    }

    #[test]
    fn parameters_are_checked() {
        let message = |change: fn(&mut TwoTasks)| {
            let mut tasks = TwoTasks::default();
            change(&mut tasks);
            tasks.generate(&Stream::new(1)).unwrap_err().to_string()
        };
        assert_eq!(message(|t| t.cases = 0), "the number of cases is 0, but must be at least 1");
        assert_eq!(message(|t| t.gender_bias = -0.1), "the gender bias is -0.1, but must be from 0 to 0.5");
        assert_eq!(message(|t| t.age_bias = f64::NAN), "the age bias is NaN, but must be from 0 to 0.5");
        assert_eq!(message(|t| t.age_bias = 0.45), "the sum of both biases is 0.6, but must be from 0 to 0.5");
    }
}
