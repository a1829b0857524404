//! Experts who are biased against one group, drawn at random.

use deferral_core::{GroupAttribute, ParameterError, Stream};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::error::{ExpertError, check_classes, check_probability, group_called};
use crate::skill::SkilledExpert;

/// A panel in which most experts are better on everybody else than on one group, and some the other way round.
///
/// A biased expert is right on everybody else with probability p ~ U(low, high) and on the disadvantaged group with
/// q ~ U(low, p); a flipped expert has p on the disadvantaged group and q on everybody else. A wrong answer is each of
/// the other labels with the same probability. The numbers of [`BiasedPanel::against`] are those of the offensive
/// language experiment of Keswani, Lease and Kenthapadi (AIES 2021, section 3.2).
///
/// ```
/// use deferral_core::{GroupAttribute, Stream};
/// use deferral_experts::BiasedPanel;
/// let dialect = GroupAttribute::from_values("dialect", ["AAE", "other"]);
/// let experts = BiasedPanel::against("AAE").draw(&dialect, &Stream::new(1))?;
/// assert_eq!(experts.len(), 20);
/// let (q, p) = (experts[0].accuracies()[0], experts[0].accuracies()[1]);
/// assert!(0.6 <= q && q <= p && p <= 1.0);
/// # Ok::<(), deferral_experts::ExpertError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BiasedPanel {
    /// Experts who are better on everybody else: the first of the panel. Published: 15.
    pub biased: usize,
    /// Experts who are better on the disadvantaged group: the last of the panel. Published: 5.
    pub flipped: usize,
    /// The least accuracy, from 0 to `high`. Published: .6.
    pub low: f64,
    /// The largest accuracy, from `low` to 1. Published: 1.
    pub high: f64,
    /// Name of the group that biased experts are worse on.
    pub disadvantaged: String,
    /// Number of classes, K, at least 2.
    pub classes: usize,
}

impl BiasedPanel {
    /// The published panel: 15 experts biased against `group` and 5 for it, accuracies from .6 to 1, two classes.
    pub fn against(group: &str) -> Self {
        Self { biased: 15, flipped: 5, low: 0.6, high: 1.0, disadvantaged: group.to_owned(), classes: 2 }
    }

    /// Draws the experts, the biased ones first. Expert j depends on the stream and on j only.
    ///
    /// # Errors
    /// If a number is outside its range or `attribute` has no such group.
    pub fn draw(&self, attribute: &GroupAttribute, stream: &Stream) -> Result<Vec<SkilledExpert>, ExpertError> {
        self.check()?;
        let disadvantaged = group_called(attribute, &self.disadvantaged)?.index();
        let stream = stream.child("accuracies");
        let expert = |j: usize| {
            let (better, worse) = self.draw_accuracies(&mut stream.at(j));
            let (elsewhere, there) = if j < self.biased { (better, worse) } else { (worse, better) };
            let on = |group: usize| if group == disadvantaged { there } else { elsewhere };
            SkilledExpert::new(attribute, (0..attribute.len()).map(on).collect(), self.classes)
        };
        (0..self.biased + self.flipped).map(expert).collect()
    }

    /// p ~ U(low, high) and q ~ U(low, p).
    fn draw_accuracies(&self, rng: &mut impl Rng) -> (f64, f64) {
        let better = self.low + (self.high - self.low) * rng.random::<f64>();
        let worse = self.low + (better - self.low) * rng.random::<f64>();
        (better, worse)
    }

    fn check(&self) -> Result<(), ParameterError> {
        check_classes(self.classes)?;
        check_probability("the least accuracy `low`", self.low)?;
        check_probability("the largest accuracy `high`", self.high)?;
        let expected = format!("at least `low`, which is {}", self.low);
        ParameterError::check(self.high >= self.low, "the largest accuracy `high`", self.high, &expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect() -> GroupAttribute {
        GroupAttribute::from_values("dialect", ["other", "AAE", "third"])
    }

    fn message(change: impl Fn(&mut BiasedPanel)) -> String {
        let mut panel = BiasedPanel::against("AAE");
        change(&mut panel);
        panel.draw(&dialect(), &Stream::new(1)).unwrap_err().to_string()
    }

    #[test]
    fn biased_experts_are_worse_on_the_group_and_flipped_ones_elsewhere() {
        let experts = BiasedPanel::against("AAE").draw(&dialect(), &Stream::new(3)).unwrap();
        for (j, expert) in experts.iter().enumerate() {
            let &[other, aae, third] = expert.accuracies() else { panic!("three groups") };
            assert_eq!(other, third);
            assert!(if j < 15 { aae < other } else { other < aae }, "expert {j}: {other} {aae}");
            assert!([other, aae].iter().all(|p| (0.6..=1.0).contains(p)));
        }
    }

    #[test]
    fn accuracies_have_the_means_of_their_distributions() {
        let many = BiasedPanel { biased: 4000, flipped: 0, ..BiasedPanel::against("AAE") };
        let experts = many.draw(&dialect(), &Stream::new(8)).unwrap();
        let mean = |group: usize| experts.iter().map(|e| e.accuracies()[group]).sum::<f64>() / 4000.0;
        // p ~ U(.6, 1): mean .8, sd .115; q ~ U(.6, p): mean .7, sd .088; four standard errors of 4000 draws.
        assert!((mean(0) - 0.8).abs() < 0.0074, "{}", mean(0));
        assert!((mean(1) - 0.7).abs() < 0.0057, "{}", mean(1));
    }

    #[test]
    fn further_experts_leave_the_first_as_they_are() {
        let draw = |biased| BiasedPanel { biased, flipped: 0, ..BiasedPanel::against("AAE") };
        let few = draw(3).draw(&dialect(), &Stream::new(4)).unwrap();
        let more = draw(9).draw(&dialect(), &Stream::new(4)).unwrap();
        assert_eq!(few, more[..3]);
    }

    #[test]
    fn parameters_are_checked() {
        let probability = "but must be a probability, from 0 to 1";
        assert_eq!(message(|p| p.low = -0.1), format!("the least accuracy `low` is -0.1, {probability}"));
        assert_eq!(message(|p| p.high = 1.5), format!("the largest accuracy `high` is 1.5, {probability}"));
        assert_eq!(
            message(|p| p.high = 0.5),
            "the largest accuracy `high` is 0.5, but must be at least `low`, which is 0.6"
        );
        assert_eq!(message(|p| p.classes = 0), "the number of classes is 0, but must be from 2 to 65535");
        assert_eq!(
            message(|p| p.disadvantaged = "aae".into()),
            "attribute dialect has no group `aae`; known: other, AAE, third"
        );
    }
}
