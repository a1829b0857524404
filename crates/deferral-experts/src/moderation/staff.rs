//! The moderators: volunteers, staff and specialists, most of them unfair to one dialect.

use deferral_core::{GroupAttribute, Random, Stream};
use rand::RngExt;

use super::{Situation, text};
use crate::confusion::{Confusion, ConfusionExpert};
use crate::error::ExpertError;
use crate::expert::{Expert, boxed};

/// The people of the desk, in the same order everywhere.
pub(super) struct Roster {
    pub(super) experts: Vec<Box<dyn Expert>>,
    /// How often each is there, in proportion.
    pub(super) activity: Vec<f64>,
    /// What one label of each costs.
    pub(super) costs: Vec<f64>,
}

/// One moderator, as drawn.
struct Moderator {
    /// Probability of the right label on an easy post of a known dialect.
    skill: f64,
    /// The topic they know best, and how well.
    speciality: Option<(usize, f64)>,
    /// Probability of seeing a post in the disadvantaged dialect one level more severe than they would otherwise.
    lean: f64,
    /// What the disadvantaged dialect adds to their skill.
    familiarity: f64,
    activity: f64,
    cost: f64,
}

/// Hires `experts` moderators who tell `classes` labels apart. Moderator j depends on the stream and on j only.
pub(super) fn hire(experts: usize, classes: usize, stream: &Stream) -> Result<Roster, ExpertError> {
    let people: Vec<Moderator> = (0..experts).map(|j| Moderator::draw(j, &mut stream.at(j))).collect();
    let situations = Situation::attribute();
    let judges = people.iter().map(|person| person.judge(&situations, classes)).collect::<Result<Vec<_>, _>>()?;
    Ok(Roster {
        experts: boxed(judges),
        activity: people.iter().map(|person| person.activity).collect(),
        costs: people.iter().map(|person| person.cost).collect(),
    })
}

impl Moderator {
    /// Two volunteers, one of the staff and one specialist, and so on; two in three unfair to the dialect.
    fn draw(j: usize, rng: &mut Random) -> Self {
        let mut between = |low: f64, high: f64| low + (high - low) * rng.random::<f64>();
        let (skill, speciality, activity, cost) = match j % 4 {
            0 | 1 => (between(0.52, 0.74), None, between(0.5, 2.0), between(0.5, 1.0)),
            2 => (between(0.86, 0.94), None, between(1.0, 2.0), between(1.0, 2.0)),
            _ => {
                let topic = j / 4 % text::topics().len();
                (between(0.72, 0.82), Some((topic, between(0.95, 0.99))), between(0.5, 1.0), between(2.0, 4.0))
            }
        };
        let (lean, familiarity) = if j % 3 == 2 { (0.0, 0.08) } else { (between(0.1, 0.4), -0.03) };
        // Prices in steps of 5 cents.
        let cost = (cost * 20.0).round() / 20.0;
        Self { skill, speciality, lean, familiarity, activity, cost }
    }

    /// The moderator as an expert with a confusion matrix for every situation.
    fn judge(&self, situations: &GroupAttribute, classes: usize) -> Result<ConfusionExpert, ExpertError> {
        let mut expert = ConfusionExpert::new(confusion(self.skill, 0.0, classes)?);
        for (name, situation) in situations.values.iter().zip(Situation::all()) {
            expert = expert.with_group(situations, name, self.confusion_in(situation, classes)?)?;
        }
        Ok(expert)
    }

    fn confusion_in(&self, situation: Situation, classes: usize) -> Result<Confusion, ExpertError> {
        let unfamiliar = situation.dialect == text::DISADVANTAGED;
        let mut skill = match self.speciality {
            Some((topic, skill)) if topic == situation.topic => skill,
            _ => self.skill,
        };
        let lean = if unfamiliar { self.lean } else { 0.0 };
        if unfamiliar {
            skill = (skill + self.familiarity).min(1.0);
        }
        if situation.hard {
            // Half way to guessing.
            skill = f64::midpoint(skill, 1.0 / classes as f64);
        }
        confusion(skill, lean, classes)
    }
}

/// Right with probability `skill`; wrong labels are the likelier the nearer they are; then a share `lean` of every
/// answer but the most severe moves one level up.
fn confusion(skill: f64, lean: f64, classes: usize) -> Result<Confusion, ExpertError> {
    let nearness = |truth: usize, given: usize| 1.0 / truth.abs_diff(given) as f64;
    let row = |truth: usize| {
        let others: f64 = (0..classes).filter(|&given| given != truth).map(|given| nearness(truth, given)).sum();
        let share = |given: usize| {
            if given == truth { skill } else { (1.0 - skill) * nearness(truth, given) / others }
        };
        let mut row: Vec<f64> = (0..classes).map(share).collect();
        for level in (1..classes).rev() {
            let moved = lean * row[level - 1];
            row[level - 1] -= moved;
            row[level] += moved;
        }
        row
    };
    Ok(Confusion::new((0..classes).map(row).collect())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::Label;

    #[test]
    fn errors_prefer_near_labels_and_a_lean_moves_up() {
        let close = |row: &[f64], expected: &[f64]| {
            assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{row:?} is not {expected:?}");
        };
        let fair = confusion(0.7, 0.0, 3).unwrap();
        close(fair.row(Label(0)), &[0.7, 0.2, 0.1]);
        close(fair.row(Label(1)), &[0.15, 0.7, 0.15]);
        let stern = confusion(0.8, 0.25, 2).unwrap();
        close(stern.row(Label(0)), &[0.6, 0.4]);
        close(stern.row(Label(1)), &[0.15, 0.85]);
    }
}
