//! Who may be spamming, and why it looks so.

use deferral_core::{CaseId, Consensus, Decisions, ExpertId, Label};
use deferral_metrics::majority;

/// Spam rate above which it is suspicious; below, somebody may just err often.
const SPAM: f64 = 0.8;
/// Votes below which nothing is said about a worker.
const VOTES_AT_LEAST: usize = 10;
/// Standard errors by which agreement must exceed chance.
const CLEARLY: f64 = 1.96;
/// Probability below which so many equal answers are no accident.
const IMPROBABLE: f64 = 0.01;

/// Why a worker is suspected. Nothing is looked at but the votes.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suspicion {
    /// MACE believes that more than four of five of their votes do not depend on the truth: with two classes they are
    /// right on less than .6 of them, half of that by chance.
    SpamRate(f64),
    /// They agree with the majority of the others hardly more often than their answers would by chance.
    ChanceAgreement {
        /// How often they agree, on tasks that others answered.
        agreement: f64,
        /// How often they would if their answers had nothing to do with the tasks.
        chance: f64,
    },
    /// They always give the same answer, and honest answers would differ.
    ConstantAnswer {
        /// The answer.
        label: String,
    },
}

impl std::fmt::Display for Suspicion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SpamRate(rate) => write!(f, "spam rate {rate:.2}"),
            Self::ChanceAgreement { agreement, chance } => {
                write!(f, "agrees with the others {agreement:.2} of the time, by chance {chance:.2}")
            }
            Self::ConstantAnswer { label } => write!(f, "always answers {label}"),
        }
    }
}

/// For each worker why they are suspected; nothing of those with fewer than 10 votes. `spam_rate` is MACE's,
/// `consensus` says how frequent each class is. O(votes x K).
pub(crate) fn suspicions(
    decisions: &Decisions,
    label: &dyn Fn(Label) -> String,
    consensus: &Consensus,
    spam_rate: &[f64],
) -> Vec<Vec<Suspicion>> {
    let counts = vote_counts(decisions, consensus.prior.len());
    let of_worker = |worker: usize| {
        let row = decisions.of_expert(ExpertId::at(worker));
        let mut reasons = Vec::new();
        if row.len() < VOTES_AT_LEAST {
            return reasons;
        }
        if let Some(&rate) = spam_rate.get(worker).filter(|rate| **rate > SPAM) {
            reasons.push(Suspicion::SpamRate(rate));
        }
        reasons.extend(chance_agreement(row.iter(), &counts));
        reasons.extend(constant(row.labels, &consensus.prior, label));
        reasons
    };
    (0..decisions.experts()).map(of_worker).collect()
}

/// Votes for each class on each task.
fn vote_counts(decisions: &Decisions, classes: usize) -> Vec<Vec<usize>> {
    let count = |task: usize| {
        let mut counts = vec![0; classes];
        for label in decisions.of_case(CaseId::at(task)).labels {
            counts[label.index()] += 1;
        }
        counts
    };
    (0..decisions.cases()).map(count).collect()
}

/// Agreement with the majority of the others, a tie among them counting in part, against what the worker's and the
/// others' shares of the classes give.
fn chance_agreement(row: impl Iterator<Item = (CaseId, Label)>, counts: &[Vec<usize>]) -> Option<Suspicion> {
    let classes = counts.first()?.len();
    let (mut own, mut others) = (vec![0.0; classes], vec![0.0; classes]);
    let (mut agreeing, mut n) = (0.0, 0.0);
    for (task, label) in row {
        let mut counts = counts[task.index()].clone();
        counts[label.index()] -= 1;
        let most = counts.iter().copied().max().filter(|most| *most > 0);
        let Some(most) = most else { continue };
        let winners: Vec<usize> = (0..classes).filter(|&class| counts[class] == most).collect();
        let share = 1.0 / winners.len() as f64;
        agreeing += if winners.contains(&label.index()) { share } else { 0.0 };
        for &class in &winners {
            others[class] += share;
        }
        own[label.index()] += 1.0;
        n += 1.0;
    }
    if n < VOTES_AT_LEAST as f64 {
        return None;
    }
    let agreement = agreeing / n;
    let chance: f64 = own.iter().zip(&others).map(|(a, b)| a * b / (n * n)).sum();
    let error = (chance * (1.0 - chance) / n).sqrt();
    (agreement <= chance + CLEARLY * error).then_some(Suspicion::ChanceAgreement { agreement, chance })
}

fn constant(labels: &[Label], shares: &[f64], name: &dyn Fn(Label) -> String) -> Option<Suspicion> {
    let first = *labels.first()?;
    let share = shares.get(first.index()).copied().unwrap_or(0.0);
    let improbable = share.powi(i32::try_from(labels.len()).unwrap_or(i32::MAX)) < IMPROBABLE;
    (improbable && labels.iter().all(|label| *label == first)).then(|| Suspicion::ConstantAnswer { label: name(first) })
}

/// How often a model's labels are those of the majority, and how often a vote is, in the mean over all votes. A model
/// that departs from the majority more often than single votes do contradicts the crowd that it was learned from.
pub(crate) fn majority_agreement(decisions: &Decisions, labels: &[Label]) -> (f64, f64) {
    let majority = majority(decisions);
    let (mut of_model, mut tasks, mut of_votes, mut votes) = (0, 0, 0, 0);
    for (task, winner) in majority.iter().enumerate() {
        let Some(winner) = winner else { continue };
        tasks += 1;
        of_model += usize::from(labels[task] == *winner);
        let given = decisions.of_case(CaseId::at(task)).labels;
        votes += given.len();
        of_votes += given.iter().filter(|label| *label == winner).count();
    }
    let share = |part: usize, all: usize| part as f64 / all.max(1) as f64;
    (share(of_model, tasks), share(of_votes, votes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{Probabilities, Trace, Workers};

    fn consensus(prior: Vec<f64>) -> Consensus {
        Consensus::new(Probabilities::default(), prior, Vec::new(), Workers::Weights(Vec::new()), Trace::none())
    }

    #[test]
    fn spammers_of_each_kind_are_found_and_others_left_alone() {
        // Workers 0 to 2 know; 3 always says 1; 4 says anything; 5 has voted only twice.
        let votes = (0..40u32).flat_map(|task| {
            let truth = (task % 2) as u16;
            let anything = (task / 2 % 2) as u16;
            let known = (0..3).map(move |worker| (task, worker, truth));
            known.chain([(task, 3, 1), (task, 4, anything)]).chain((task < 2).then_some((task, 5, 1 - truth)))
        });
        let decisions = Decisions::from_triples(40, 6, votes).unwrap();
        let name = |label: Label| format!("label {}", label.0);
        let spam = [0.0, 0.0, 0.1, 0.9, 0.4, 0.9];
        let found = suspicions(&decisions, &name, &consensus(vec![0.5, 0.5]), &spam);
        assert!(found[..3].iter().all(Vec::is_empty) && found[5].is_empty(), "{found:?}");
        let says: Vec<String> = found[3].iter().map(Suspicion::to_string).collect();
        let expected =
            ["spam rate 0.90", "agrees with the others 0.50 of the time, by chance 0.50", "always answers label 1"];
        assert_eq!(says, expected);
        assert!(matches!(found[4][..], [Suspicion::ChanceAgreement { .. }]), "{:?}", found[4]);
        // Where nearly everything is of class 1, always saying so is no sign of anything.
        let found = suspicions(&decisions, &name, &consensus(vec![0.01, 0.99]), &[]);
        assert!(!found[3].iter().any(|reason| matches!(reason, Suspicion::ConstantAnswer { .. })));
    }

    #[test]
    fn departing_from_the_majority_is_measured_against_single_votes() {
        let votes = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0)];
        let decisions = Decisions::from_triples(3, 3, votes).unwrap();
        let (model, votes) = majority_agreement(&decisions, &[Label(0), Label(0), Label(1)]);
        assert_eq!((model, votes), (0.5, 5.0 / 6.0));
    }
}
