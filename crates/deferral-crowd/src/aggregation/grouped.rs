//! Grouped Dawid-Skene: a confusion matrix for each worker and group of tasks.

use deferral_core::{AggregateError, Aggregator, Ballots, Consensus, Context, ExpertId, Probabilities, Workers};
use serde::{Deserialize, Serialize};

use super::em::vote_shares;
use super::hierarchical::HierarchicalDawidSkene;
use super::shrunk::{Shrunk, TaskPrior, check_strength, confusions_of, pseudo_counts};

/// [`HierarchicalDawidSkene`] with a confusion matrix for each worker and group, shrunk towards the worker's own, which
/// is shrunk towards the pool: people who judge one dialect better than another are believed accordingly.
///
/// EM estimates the workers first and then, from there, the rows `(n_gkl + s C_w[k, l]) / (n_gk + s)` of each group
/// with `s` = [`group_strength`](Self::group_strength). Skills are means over the tasks' groups. Needs the group of
/// every task. O(votes x K) an iteration, O(n K + G m K^2) memory. Ours.
///
/// ```
/// use deferral_core::*;
/// use deferral_crowd::GroupedDawidSkene;
/// // Workers 0 and 1 are right in the north, 2 and 3 in the south, and everybody flips a coin elsewhere.
/// let coin = |t: u32, w: u32| u16::from((t * 7 + w * 3) % 11 < 5);
/// let votes = (0..400u32).flat_map(|t| (0..4).map(move |w| {
///     let knows = (w < 2) == (t % 2 == 0);
///     (t, w, if knows { (t / 2 % 2) as u16 } else { coin(t, w) })
/// }));
/// let votes = Decisions::from_triples(400, 4, votes)?;
/// let region = GroupAttribute::from_values("region", (0..400).map(|t| if t % 2 == 0 { "north" } else { "south" }));
/// let cases = Cases::new(Names::numbered("t", 400), Features::none(400))?.with_group(region)?;
/// let ballots = Ballots::new(&votes, 2)?.with_cases(&cases)?;
/// let mut silent = Silent;
/// let mut ctx = Context::new(Stream::new(1), &mut silent);
/// let consensus = GroupedDawidSkene::by("region").aggregate(&ballots, &mut ctx)?;
/// let right = (0..400).filter(|t| consensus.labels[*t].index() == t / 2 % 2).count();
/// assert!(right > 380, "{right}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupedDawidSkene {
    /// The group attribute.
    pub attribute: String,
    /// How many votes a row of the worker's own matrix is worth to each group's; 8 by default.
    #[serde(default = "group_strength")]
    pub group_strength: f64,
    /// How workers are estimated.
    #[serde(default)]
    pub workers: HierarchicalDawidSkene,
}

fn group_strength() -> f64 {
    8.0
}

impl GroupedDawidSkene {
    /// With the defaults, by this attribute.
    pub fn by(attribute: impl Into<String>) -> Self {
        let workers = HierarchicalDawidSkene::default();
        Self { attribute: attribute.into(), group_strength: group_strength(), workers }
    }
}

impl Aggregator for GroupedDawidSkene {
    fn aggregate(&self, ballots: &Ballots<'_>, ctx: &mut Context<'_>) -> Result<Consensus, AggregateError> {
        check_strength("the strength of the groups", self.group_strength)?;
        let method = "grouped Dawid-Skene";
        let cases = ballots.cases().ok_or(AggregateError::NeedsCases { method, what: "the group" })?;
        let group = cases.group(&self.attribute)?;
        let (m, classes) = (ballots.m(), ballots.classes());
        let (own, _) = self.workers.estimate(ballots, vote_shares(ballots), TaskPrior::Shares, ctx)?;
        let pseudo = vec![pseudo_counts(&own.confusions[0], self.group_strength, m); group.len()];
        let shrunk = Shrunk {
            ballots,
            group_of: Some(&group.of_case),
            pseudo: &pseudo,
            prior: TaskPrior::Shares,
            iterations: self.workers.iterations,
        };
        let estimate = shrunk.run(own.posterior, ctx)?;
        let of_group: Vec<_> = estimate.confusions.iter().map(|table| confusions_of(table, m, classes)).collect();
        let counts = group.counts();
        let skill = |worker: usize| {
            let of = |g: usize| counts[g] as f64 * of_group[g].skill(ExpertId::at(worker), &estimate.shares);
            (0..counts.len()).map(of).sum::<f64>() / ballots.n() as f64
        };
        let skills = (0..m).map(skill).collect();
        let workers = Workers::ByGroup {
            attribute: self.attribute.clone(),
            values: group.values.clone(),
            anywhere: confusions_of(&own.confusions[0], m, classes),
            of_group,
        };
        Ok(Consensus::new(Probabilities(estimate.posterior), estimate.shares, skills, workers, estimate.trace))
    }
}
