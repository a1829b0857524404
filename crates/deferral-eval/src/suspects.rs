//! Who may be spamming, and why it looks so.

use deferral_core::{CaseId, Consensus, Decisions, ExpertId, Label};
use deferral_metrics::majority;

/// Spam rate above which it is suspicious; below, somebody may just err often.
const SPAM: f64 = 0.8;
/// Votes below which nothing is said about a worker.
const VOTES_AT_LEAST: usize = 10;
/// Standard errors by which agreement must exceed chance, of which one in forty guessers has so much by luck.
const CLEARLY: f64 = 1.96;
/// Standard errors by which agreement must fall short of what is usual: one in ten honest workers does by bad luck.
const SHORT: f64 = 1.28;
/// Probability below which so many equal answers are no accident.
const IMPROBABLE: f64 = 0.01;

/// Why a worker is suspected. Nothing is looked at but the votes.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suspicion {
    /// MACE believes that more than four of five of their votes do not depend on the truth: with two classes they are
    /// right on less than .6 of them, half of that by chance.
    SpamRate(f64),
    /// They agree with the majority of the others no more often than their answers might by chance, and clearly less
    /// often than the answers of usual workers do who have given as many.
    ChanceAgreement {
        /// How often they agree, on tasks that others answered.
        agreement: f64,
        /// How often they would if their answers had nothing to do with the tasks.
        chance: f64,
        /// How often they would if they knew as much beyond chance as people do in the mean (kappa).
        usual: f64,
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
            Self::ChanceAgreement { agreement, chance, usual } => {
                write!(f, "agrees with the others {agreement:.2} of the time, by chance {chance:.2}, usual {usual:.2}")
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
    let agreements: Vec<Agreement> = (0..decisions.experts())
        .map(|worker| Agreement::of(decisions.of_expert(ExpertId::at(worker)).iter(), &counts))
        .collect();
    let kappa = mean_kappa(&agreements);
    let of_worker = |worker: usize| {
        let row = decisions.of_expert(ExpertId::at(worker));
        let mut reasons = Vec::new();
        if row.len() < VOTES_AT_LEAST {
            return reasons;
        }
        if let Some(&rate) = spam_rate.get(worker).filter(|rate| **rate > SPAM) {
            reasons.push(Suspicion::SpamRate(rate));
        }
        reasons.extend(agreements[worker].suspicion(kappa));
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

/// A worker's agreement with the majority of the others, a tie among them counting in part, and what the worker's and
/// the others' shares of the classes give.
struct Agreement {
    /// Votes on tasks that others answered.
    votes: f64,
    observed: f64,
    chance: f64,
}

impl Agreement {
    fn of(row: impl Iterator<Item = (CaseId, Label)>, counts: &[Vec<usize>]) -> Self {
        let classes = counts.first().map_or(0, Vec::len);
        let (mut own, mut others) = (vec![0.0; classes], vec![0.0; classes]);
        let (mut agreeing, mut votes) = (0.0, 0.0);
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
            votes += 1.0;
        }
        let n = f64::max(votes, 1.0);
        let chance = own.iter().zip(&others).map(|(a, b)| a * b / (n * n)).sum();
        Self { votes, observed: agreeing / n, chance }
    }

    /// What is suspicious where people in the mean know `kappa` of what there is to know beyond chance.
    fn suspicion(&self, kappa: f64) -> Option<Suspicion> {
        let &Self { votes, observed, chance } = self;
        let usual = chance + kappa * (1.0 - chance);
        let error = |share: f64| (share * (1.0 - share) / votes).sqrt();
        let by_chance = observed <= chance + CLEARLY * error(chance);
        let unusual = observed < usual - SHORT * error(usual);
        let suspicious = votes >= VOTES_AT_LEAST as f64 && by_chance && unusual;
        suspicious.then_some(Suspicion::ChanceAgreement { agreement: observed, chance, usual })
    }
}

/// How much of what can be had beyond chance the agreement of all votes together has; nothing is the least.
fn mean_kappa(agreements: &[Agreement]) -> f64 {
    let mean = |of: fn(&Agreement) -> f64| {
        let votes: f64 = agreements.iter().map(|agreement| agreement.votes).sum();
        agreements.iter().map(|agreement| agreement.votes * of(agreement)).sum::<f64>() / votes.max(1.0)
    };
    let (observed, chance) = (mean(|agreement| agreement.observed), mean(|agreement| agreement.chance));
    if chance < 1.0 { ((observed - chance) / (1.0 - chance)).max(0.0) } else { 0.0 }
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
        assert_eq!((says.len(), says[0].as_str(), says[2].as_str()), (3, "spam rate 0.90", "always answers label 1"));
        assert!(
            says[1].starts_with("agrees with the others 0.50 of the time, by chance 0.50, usual 0."),
            "{}",
            says[1]
        );
        assert!(matches!(found[4][..], [Suspicion::ChanceAgreement { .. }]), "{:?}", found[4]);
        // Where nearly everything is of class 1, always saying so is no sign of anything.
        let found = suspicions(&decisions, &name, &consensus(vec![0.01, 0.99]), &[]);
        assert!(!found[3].iter().any(|reason| matches!(reason, Suspicion::ConstantAnswer { .. })));
    }

    #[test]
    fn who_agrees_as_others_do_is_not_suspected_for_saying_mostly_the_same() {
        // Nine of ten tasks are of class 1; workers 0 to 4 know four of five tasks of class 0 and worker 5 half of
        // them, so that chance alone has .86 of the answers of 5 right.
        let votes = (0..60u32).flat_map(|task| {
            let rare = task % 10 == 0;
            let vote = move |worker: u32| if worker == 5 { task % 20 == 0 } else { (task / 10) % 5 != worker };
            (0..6).map(move |worker| (task, worker, u16::from(!(rare && vote(worker)))))
        });
        let decisions = Decisions::from_triples(60, 6, votes).unwrap();
        let found = suspicions(&decisions, &|label| label.0.to_string(), &consensus(vec![0.1, 0.9]), &[]);
        assert!(found.iter().all(Vec::is_empty), "{found:?}");
        let by_chance = Agreement { votes: 46.0, observed: 0.76, chance: 0.68 };
        assert_eq!(by_chance.suspicion(0.39), None);
        assert!(by_chance.suspicion(0.7).is_some());
    }

    #[test]
    fn departing_from_the_majority_is_measured_against_single_votes() {
        let votes = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 0), (1, 2, 0)];
        let decisions = Decisions::from_triples(3, 3, votes).unwrap();
        let (model, votes) = majority_agreement(&decisions, &[Label(0), Label(0), Label(1)]);
        assert_eq!((model, votes), (0.5, 5.0 / 6.0));
    }
}
