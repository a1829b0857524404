//! Competence: what the vote of an expert says about the label, and how sure that is.

use deferral_core::{Columns, Confusions, Decisions, ExpertId, GroupAttribute, Label, Names, ParameterError};
use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF};

/// How often each expert gave each vote under each truth, shrunk towards the pool of all experts, and by group of cases
/// towards the expert's own.
///
/// With counts `n_kl` the row of an expert is `(n_kl + s pool_kl) / (n_k + s)`, `s` = [`Shrinkage::pool`]: the mean
/// under a Dirichlet prior worth `s` votes, which is also the probability of their next vote. On the cases of a group it
/// is `(n_gkl + t own_kl) / (n_gk + t)`, `t` = [`Shrinkage::own`]. So a beginner with three lucky votes is trusted little
/// more than the pool and a veteran by their record; [`Competence::interval`] says how sure that is. Counts may be
/// fractions: votes on cases whose truth is only believed count by that belief.
///
/// O(votes x K) to learn, O(K) a further vote, O(G m K^2) memory. Ours, after the confusion matrices of Dawid and Skene
/// (1979).
///
/// ```
/// use deferral_consult::{Competence, Shrinkage};
/// use deferral_core::{Columns, Decisions, ExpertId, Label};
/// // Expert 0 was right 45 times out of 50, expert 1 all three times.
/// let votes = (0..50u32).map(|case| (case, 0, u16::from(case % 2 == 1) ^ u16::from(case % 10 == 0)));
/// let votes = Decisions::from_triples(50, 3, votes.chain([(1, 1, 1), (2, 1, 0), (3, 1, 1)]))?;
/// let truth = Columns::from_values(2, (0..50).flat_map(|case| [f64::from(1 - case % 2), f64::from(case % 2)]).collect());
/// let mut competence = Competence::learn(&votes, &truth, None, Shrinkage::default())?;
/// let right = |competence: &Competence, expert| competence.table(None).get(ExpertId(expert), Label(0), Label(0));
/// // One lucky vote on class 0 does not make a beginner much better than the pool, and leaves much open.
/// let width = |(low, high): (f64, f64)| high - low;
/// let interval = |expert| competence.interval(ExpertId(expert), None, Label(0), Label(0), 0.9);
/// assert!(width(interval(1)) > 1.5 * width(interval(0)));
/// // Who never voted is the pool; votes that come later count.
/// let before = right(&competence, 2);
/// competence.count(ExpertId(2), None, Label(1), &[1.0, 0.0]);
/// assert!(right(&competence, 2) < before);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Competence {
    classes: usize,
    shrinkage: Shrinkage,
    /// Of everybody together: K x K, vote by vote, each row a distribution.
    pool: Vec<f64>,
    /// Votes of each expert over all cases: by expert, then vote, then truth.
    own: Vec<f64>,
    groups: Option<Groups>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Groups {
    attribute: String,
    values: Names,
    /// The same on the cases of each group.
    counts: Vec<Vec<f64>>,
}

/// How much competence is pulled towards what is known more widely.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shrinkage {
    /// How many votes a row of the pool is worth to an expert; 4 by default.
    pub pool: f64,
    /// How many votes a row of the expert's own is worth to each group's; 8 by default.
    pub own: f64,
}

impl Default for Shrinkage {
    fn default() -> Self {
        Self { pool: 4.0, own: 8.0 }
    }
}

impl Shrinkage {
    /// Passes strengths that make sense.
    ///
    /// # Errors
    /// If one is not a finite number above 0.
    pub fn check(&self) -> Result<(), ParameterError> {
        let strengths =
            [("the strength of the pool", self.pool), ("the strength of the expert's own record", self.own)];
        for (parameter, strength) in strengths {
            let ok = strength > 0.0 && strength.is_finite();
            ParameterError::check(ok, parameter, strength, "a finite number above 0")?;
        }
        Ok(())
    }
}

/// Votes of the right class that the pool starts with in each row: enough that a class of which nobody is known to have
/// judged a case is not judged at random.
const POOL_RIGHT: f64 = 1.0;
/// The same for every vote, so that none is impossible.
const POOL_ANY: f64 = 0.01;

impl Competence {
    /// Counts `decisions` under what is believed of each case: `truth` is K x n, a distribution a case, gold labels being
    /// certain. Cases of which nothing is believed (a column of zeros) count nothing.
    ///
    /// # Errors
    /// If a strength is out of range, `truth` or `group` is not for as many cases, or a vote is for none of its K classes.
    pub fn learn(
        decisions: &Decisions,
        truth: &Columns,
        group: Option<&GroupAttribute>,
        shrinkage: Shrinkage,
    ) -> Result<Self, ParameterError> {
        shrinkage.check()?;
        let (cases, classes) = (decisions.cases(), truth.rows());
        let lengths = [
            Some(("the number of believed truths", truth.n())),
            group.map(|g| ("the number of groups", g.of_case.len())),
        ];
        for (parameter, length) in lengths.into_iter().flatten() {
            ParameterError::check(length == cases, parameter, length, &format!("the number of cases, {cases}"))?;
        }
        if let Some(label) = decisions.max_label().filter(|label| label.index() >= classes) {
            return Err(ParameterError::new("a vote", label.0, format!("below the {classes} classes")));
        }
        let own = vec![0.0; decisions.experts() * classes * classes];
        let groups = group.map(|group| Groups {
            attribute: group.name.clone(),
            values: group.values.clone(),
            counts: vec![own.clone(); group.len()],
        });
        let mut competence = Self { classes, shrinkage, pool: Vec::new(), own, groups };
        for (case, vote) in decisions.iter() {
            let place = group.map(|group| group.of_case[case.index()].index());
            competence.count(vote.expert, place, vote.label, truth.column(case.index()));
        }
        competence.pool = competence.pooled();
        Ok(competence)
    }

    /// Counts one more vote on a case (of group `group`) of which `belief` is believed: K numbers, best without the vote
    /// itself. The pool stays as it is. Experts, groups or labels that are not there count nothing. O(K).
    pub fn count(&mut self, expert: ExpertId, group: Option<usize>, vote: Label, belief: &[f64]) {
        if vote.index() >= self.classes {
            return;
        }
        let start = (expert.index() * self.classes + vote.index()) * self.classes;
        let of_group = self.groups.as_mut().and_then(|groups| groups.counts.get_mut(group?));
        for counts in [Some(&mut self.own), of_group].into_iter().flatten() {
            if let Some(entries) = counts.get_mut(start..start + self.classes) {
                add(entries, belief);
            }
        }
    }

    /// A newcomer about whom nothing is known: the pool. Returns who they are.
    pub fn join(&mut self) -> ExpertId {
        let newcomer = ExpertId::at(self.experts());
        let square = self.classes * self.classes;
        for counts in self.groups.iter_mut().flat_map(|groups| &mut groups.counts).chain([&mut self.own]) {
            counts.extend(std::iter::repeat_n(0.0, square));
        }
        newcomer
    }

    /// A newcomer who is believed to be right with probability `similarity[g]` on the cases of group g (the prior dSim of
    /// closed-loop allocation), or `similarity[0]` where competence is not by group, as firmly as after `votes` votes a
    /// row; their mistakes fall as the pool's do.
    ///
    /// # Errors
    /// If there is not one similarity a group, or one is not between 0 and 1, or `votes` is negative or not finite.
    pub fn join_like(&mut self, similarity: &[f64], votes: f64) -> Result<ExpertId, ParameterError> {
        let places = self.groups.as_ref().map_or(1, |groups| groups.counts.len());
        let expected = format!("one for each of the {places} groups");
        ParameterError::check(similarity.len() == places, "the number of similarities", similarity.len(), &expected)?;
        if let Some(wrong) = similarity.iter().find(|s| !(0.0..=1.0).contains(*s)) {
            return Err(ParameterError::new("a similarity", wrong, "between 0 and 1"));
        }
        let ok = votes >= 0.0 && votes.is_finite();
        ParameterError::check(ok, "the votes that a similarity is worth", votes, "0 or more")?;
        let newcomer = self.join();
        for (group, &right) in similarity.iter().enumerate() {
            for truth in 0..self.classes {
                for (vote, share) in self.spread(truth, right).into_iter().enumerate() {
                    let mut belief = vec![0.0; self.classes];
                    // Over all cases, groups count the same.
                    belief[truth] = share * votes / places as f64;
                    self.count(newcomer, None, Label::at(vote), &belief);
                    belief[truth] = share * votes;
                    self.count_in_group(newcomer, group, Label::at(vote), &belief);
                }
            }
        }
        Ok(newcomer)
    }

    /// A row of somebody who is right with probability `right`: what remains is divided as the pool errs.
    fn spread(&self, truth: usize, right: f64) -> Vec<f64> {
        let pool = |vote: usize| self.pool[vote * self.classes + truth];
        let errors: f64 = (0..self.classes).filter(|vote| *vote != truth).map(pool).sum();
        let share = |vote| if vote == truth { right } else { (1.0 - right) * pool(vote) / errors };
        (0..self.classes).map(share).collect()
    }

    fn count_in_group(&mut self, expert: ExpertId, group: usize, vote: Label, belief: &[f64]) {
        let start = (expert.index() * self.classes + vote.index()) * self.classes;
        let counts = self.groups.as_mut().and_then(|groups| groups.counts.get_mut(group));
        if let Some(entries) = counts.and_then(|counts| counts.get_mut(start..start + self.classes)) {
            add(entries, belief);
        }
    }

    /// The rows of everybody together.
    fn pooled(&self) -> Vec<f64> {
        let square = self.classes * self.classes;
        let mut pool = vec![POOL_ANY; square];
        for class in 0..self.classes {
            pool[class * self.classes + class] += POOL_RIGHT;
        }
        for expert in self.own.chunks_exact(square.max(1)) {
            add(&mut pool, expert);
        }
        normalise_rows(&mut pool, self.classes);
        pool
    }

    /// Number of experts, m.
    pub fn experts(&self) -> usize {
        self.own.len().checked_div(self.classes * self.classes).unwrap_or(0)
    }

    /// Number of classes, K.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The group attribute that competence is by, and its values, if it is.
    pub fn groups(&self) -> Option<(&str, &Names)> {
        self.groups.as_ref().map(|groups| (groups.attribute.as_str(), &groups.values))
    }

    /// What each vote says on the cases of a group, or over all cases (`None`, or a group that is not there).
    /// O(m K^2).
    pub fn table(&self, group: Option<usize>) -> Confusions {
        let own = shrunk(&self.own, &self.pool, self.shrinkage.pool, self.classes);
        let of_group = self.groups.as_ref().and_then(|groups| groups.counts.get(group?));
        let rows = of_group.map(|counts| shrunk(counts, &own, self.shrinkage.own, self.classes));
        let rows = rows.as_ref().unwrap_or(&own);
        Confusions::from_fn(self.experts(), self.classes, |expert, truth, vote| {
            rows[(expert * self.classes + vote) * self.classes + truth]
        })
    }

    /// Where the probability that `expert` votes `vote` when `truth` is right lies with probability `level`: the equally
    /// tailed interval of its Beta distribution, on the cases of a group or over all.
    ///
    /// # Panics
    /// If expert or label are out of range.
    pub fn interval(
        &self,
        expert: ExpertId,
        group: Option<usize>,
        truth: Label,
        vote: Label,
        level: f64,
    ) -> (f64, f64) {
        let of_group = self.groups.as_ref().and_then(|groups| groups.counts.get(group?));
        let counts = of_group.unwrap_or(&self.own);
        let prior = if of_group.is_some() { self.shrinkage.own } else { self.shrinkage.pool };
        let entry = |vote: usize| (expert.index() * self.classes + vote) * self.classes + truth.index();
        let total = prior + (0..self.classes).map(|vote| counts[entry(vote)]).sum::<f64>();
        let hits = total * self.table(group).get(expert, truth, vote);
        let tail = (1.0 - level.clamp(0.0, 1.0)) / 2.0;
        match Beta::new(hits, total - hits) {
            Ok(beta) => (beta.inverse_cdf(tail), beta.inverse_cdf(1.0 - tail)),
            // Certain: there is but one class.
            Err(_) => (1.0, 1.0),
        }
    }
}

/// `(counts + strength x prior) / (...)`, row by row; `prior` is one matrix for all experts or one for each.
fn shrunk(counts: &[f64], prior: &[f64], strength: f64, classes: usize) -> Vec<f64> {
    let mut rows = counts.to_vec();
    rows.iter_mut().zip(prior.iter().cycle()).for_each(|(entry, prior)| *entry += strength * prior);
    for expert in rows.chunks_exact_mut((classes * classes).max(1)) {
        normalise_rows(expert, classes);
    }
    rows
}

fn add(to: &mut [f64], from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}

/// Makes each row of a K x K matrix, stored vote by vote, a distribution.
fn normalise_rows(entries: &mut [f64], classes: usize) {
    for truth in 0..classes {
        let row = || (truth..classes * classes).step_by(classes);
        let total: f64 = row().map(|at| entries[at]).sum();
        row().for_each(|at| entries[at] /= total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truths(labels: &[usize]) -> Columns {
        let mut truth = Columns::zeros(2, labels.len());
        for (case, &label) in labels.iter().enumerate() {
            truth.column_mut(case)[label] = 1.0;
        }
        truth
    }

    fn learned(votes: &[(u32, u32, u16)], labels: &[usize], experts: usize) -> Competence {
        let decisions = Decisions::from_triples(labels.len(), experts, votes.iter().copied()).unwrap();
        Competence::learn(&decisions, &truths(labels), None, Shrinkage::default()).unwrap()
    }

    #[test]
    fn rows_are_shrunk_to_the_pool() {
        // Class 0: expert 0 votes 0, 0, 1. The pool's row is (2 + 1.01, 1 + .01) / 4.02 with expert 1's silence.
        let competence = learned(&[(0, 0, 0), (1, 0, 0), (2, 0, 1)], &[0, 0, 0], 2);
        let pool = (2.0 + POOL_RIGHT + POOL_ANY) / (3.0 + POOL_RIGHT + 2.0 * POOL_ANY);
        let table = competence.table(None);
        let expected = (2.0 + 4.0 * pool) / 7.0;
        assert!((table.get(ExpertId(0), Label(0), Label(0)) - expected).abs() < 1e-12);
        assert!((table.get(ExpertId(1), Label(0), Label(0)) - pool).abs() < 1e-12);
        // Nobody ever judged class 1: the right vote is likelier than not.
        assert!(table.get(ExpertId(1), Label(1), Label(1)) > 0.9);
    }

    #[test]
    fn groups_are_shrunk_to_the_expert() {
        let votes = (0..40u32).map(|case| (case, 0, u16::from(case >= 20)));
        let decisions = Decisions::from_triples(40, 1, votes).unwrap();
        let region =
            GroupAttribute::from_values("region", (0..40).map(|case| if case < 20 { "north" } else { "south" }));
        let competence = Competence::learn(&decisions, &truths(&[0; 40]), Some(&region), Shrinkage::default()).unwrap();
        let right = |group| competence.table(group).get(ExpertId(0), Label(0), Label(0));
        assert!(right(Some(0)) > 0.8 && right(Some(1)) < 0.2);
        assert!((right(None) - 0.5).abs() < 0.05);
        assert_eq!(right(Some(9)), right(None));
    }

    #[test]
    fn a_similarity_speaks_for_a_newcomer_until_votes_do() {
        let mut competence = learned(&[(0, 0, 0), (1, 0, 1)], &[0, 1], 1);
        let like = competence.join_like(&[0.6], 20.0).unwrap();
        let stranger = competence.join();
        let right = |competence: &Competence, expert| competence.table(None).get(expert, Label(1), Label(1));
        assert!((right(&competence, like) - 0.6).abs() < 0.1);
        assert!(right(&competence, stranger) > right(&competence, like));
        for _ in 0..200 {
            competence.count(like, None, Label(1), &[0.0, 1.0]);
        }
        assert!(right(&competence, like) > 0.95);
        let message = competence.join_like(&[1.2], 4.0).unwrap_err().to_string();
        assert_eq!(message, "a similarity is 1.2, but must be between 0 and 1");
        assert!(competence.join_like(&[0.5, 0.5], 4.0).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let decisions = Decisions::from_triples(2, 1, [(0, 0, 2)]).unwrap();
        let learn =
            |truth: &Columns, shrinkage| Competence::learn(&decisions, truth, None, shrinkage).unwrap_err().to_string();
        assert_eq!(learn(&truths(&[0, 1]), Shrinkage::default()), "a vote is 2, but must be below the 2 classes");
        assert_eq!(
            learn(&truths(&[0]), Shrinkage::default()),
            "the number of believed truths is 1, but must be the number of cases, 2"
        );
        let message = learn(&truths(&[0, 1]), Shrinkage { pool: 0.0, own: 1.0 });
        assert_eq!(message, "the strength of the pool is 0, but must be a finite number above 0");
    }
}
