//! What was proved of closed loops, tried out on people whose accuracy is known.

use std::ops::Range;

use deferral_allocation::RewardPenalty;
use deferral_core::Stream;
use deferral_eval::closed_loop::{BiasedMajority, KnownPeople, discovery_threshold, printed_discovery_threshold};
use serde::{Deserialize, Serialize};

use super::StudyError;
use crate::sample::Sample;

/// Rewards and penalties among people whose accuracy on each group is known, and what was proved of them.
///
/// It measures, of each setting: `accuracy/GROUP` (the share of first labels that are right; groups are numbered from 0),
/// `expected-accuracy/GROUP` (what the weights say, with one seat), `gain` (by how much the weight of the first person
/// grows in the first task, in rewards) and `expected-gain` (exact, for one seat), `weight` and `lead` (of the first person
/// before it). Where there are groups also `gap-before`, exact, and `gap-after` all tasks: the accuracy on the last less
/// that on the first. And the bounds: `bound/discovery-printed`, `bound/discovery` and `bound/twice-lead`; of a biased
/// majority `bound/least-gap-printed`, `bound/least-gap`, `bound/most-gap` and `bound/prior-free-gap` (without any prior).
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Theory {
    /// How often each setting is begun anew in a repetition. 1 or more.
    #[serde(default = "thousand")]
    pub draws: usize,
    /// The settings.
    #[serde(rename = "setting")]
    pub settings: Vec<Setting>,
}

fn thousand() -> usize {
    1000
}

/// People and what they are given to do.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Setting {
    /// What it is called: the method of its figures.
    pub name: String,
    /// Who is there.
    pub people: People,
    /// Reward and seats.
    #[serde(default)]
    pub rule: RewardPenalty,
    /// Tasks before the gap is looked at again. 1 or more.
    #[serde(default = "one_task")]
    pub tasks: usize,
    /// The groups of the tasks in turn. One or more.
    #[serde(default = "first_group")]
    pub groups: Vec<usize>,
}

fn one_task() -> usize {
    1
}

fn first_group() -> Vec<usize> {
    vec![0]
}

/// Who is there.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum People {
    /// A majority that is biased against group 0 and a minority that is biased against group 1.
    BiasedMajority {
        /// How many people.
        people: usize,
        /// How many of them are biased against group 0.
        biased: usize,
        /// dSim of a person and the group that they are biased against.
        gamma: f64,
    },
    /// One group, and for every person their weight and their accuracy.
    Weighted {
        /// dSim of every person; weights are in proportion.
        weights: Vec<f64>,
        /// The accuracy of every person.
        accuracy: Vec<f64>,
    },
}

impl People {
    fn start(&self, rule: RewardPenalty) -> Result<KnownPeople, StudyError> {
        Ok(match self {
            Self::BiasedMajority { people, biased, gamma } => majority(*people, *biased, *gamma).start(rule)?,
            Self::Weighted { weights, accuracy } => {
                if weights.len() != accuracy.len() {
                    let (weights, accuracies) = (weights.len(), accuracy.len());
                    return Err(format!("there are {weights} weights for {accuracies} accuracies").into());
                }
                let accuracy: Vec<Vec<f64>> = accuracy.iter().map(|&accuracy| vec![accuracy]).collect();
                KnownPeople::new(&accuracy, |person, _| weights[person], rule)?
            }
        })
    }

    fn count(&self) -> usize {
        match self {
            Self::BiasedMajority { people, .. } => *people,
            Self::Weighted { weights, .. } => weights.len(),
        }
    }
}

fn majority(people: usize, biased: usize, gamma: f64) -> BiasedMajority {
    BiasedMajority { people, biased, gamma }
}

impl Theory {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.draws == 0 || self.settings.is_empty() {
            return Err("there must be 1 or more `draws` and one or more settings".to_owned());
        }
        for (at, setting) in self.settings.iter().enumerate() {
            if self.settings[..at].iter().any(|other| other.name == setting.name) {
                return Err(format!("there are two settings called `{}`", setting.name));
            }
            setting.check().map_err(|message| format!("setting `{}`: {message}", setting.name))?;
        }
        Ok(())
    }

    pub(super) fn run(&self, units: Range<usize>, seed: u64) -> Result<Vec<Sample>, StudyError> {
        let root = Stream::new(seed).child("theory");
        let mut samples = Vec::new();
        for run in units {
            for setting in &self.settings {
                // Named, so that a setting finds the same whichever others there are.
                let stream = root.child(&setting.name).nth(run);
                let sample = |(measure, value)| Sample::new(&setting.name, measure, run, value);
                samples.extend(setting.measure(self.draws, &stream)?.into_iter().map(sample));
            }
        }
        Ok(samples)
    }
}

impl Setting {
    fn check(&self) -> Result<(), String> {
        let start = self.people.start(self.rule).map_err(|error| error.to_string())?;
        if self.tasks == 0 || self.groups.is_empty() {
            return Err("there must be 1 or more `tasks` and one or more `groups`".to_owned());
        }
        match self.groups.iter().find(|group| **group >= start.groups()) {
            Some(stranger) => Err(format!("there is no group {stranger}; there are {}, from 0 on", start.groups())),
            None => Ok(()),
        }
    }

    /// Every measure with its value, the simulated ones as means of so many draws.
    fn measure(&self, draws: usize, stream: &Stream) -> Result<Vec<(String, f64)>, StudyError> {
        let start = self.people.start(self.rule)?;
        let first = self.groups[0];
        let mut found = self.simulate(&start, draws, stream);
        let mut add = |measure: &str, value: f64| found.push((measure.to_owned(), value));
        for group in 0..start.groups() {
            add(&format!("expected-accuracy/{group}"), start.accuracy_on(group));
        }
        add("weight", start.weights(first)[0]);
        add("lead", start.lead(0, first));
        add("expected-gain", start.expected_gain(0, first));
        add("bound/twice-lead", 2.0 * start.lead(0, first));
        let (k, m) = (self.rule.k, self.people.count());
        add("bound/discovery-printed", printed_discovery_threshold(k, m));
        add("bound/discovery", discovery_threshold(k, m));
        if let People::BiasedMajority { people, biased, gamma } = self.people {
            let biased_majority = majority(people, biased, gamma);
            add("gap-before", start.gap());
            add("bound/least-gap-printed", biased_majority.printed_least_gap());
            add("bound/least-gap", biased_majority.least_gap());
            add("bound/most-gap", biased_majority.most_gap());
            add("bound/prior-free-gap", majority(people, biased, 1.0).start(self.rule)?.gap());
        }
        Ok(found)
    }

    fn simulate(&self, start: &KnownPeople, draws: usize, stream: &Stream) -> Vec<(String, f64)> {
        let mut found = Vec::new();
        for group in 0..start.groups() {
            let stream = stream.child("label").nth(group);
            let right = (0..draws).filter(|&draw| start.clone().task(group, &mut stream.at(draw))).count();
            found.push((format!("accuracy/{group}"), right as f64 / draws as f64));
        }
        let (mut gain, mut gap) = (0.0, 0.0);
        let (stream, first) = (stream.child("loop"), self.groups[0]);
        for draw in 0..draws {
            let (mut people, mut random) = (start.clone(), stream.at(draw));
            people.task(first, &mut random);
            gain += (people.weights(first)[0] - start.weights(first)[0]) / self.rule.reward;
            for group in self.groups.iter().cycle().take(self.tasks).skip(1) {
                people.task(*group, &mut random);
            }
            gap += people.gap();
        }
        found.push(("gain".to_owned(), gain / draws as f64));
        if start.groups() > 1 {
            found.push(("gap-after".to_owned(), gap / draws as f64));
        }
        found
    }
}
