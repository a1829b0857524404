//! One case after the other: allocate, hear the recorded labels of those asked, learn.

use deferral_core::{Allocator, Decisions, ExpertId, Label, Random, Vote};

use super::data::LoopData;

/// What came of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// The label that the votes give.
    pub(super) label: Option<Label>,
    /// Labels that were heard: of somebody with two seats one.
    pub(super) heard: usize,
}

/// The labels that can be heard, and buffers that are used again for every case.
pub(super) struct Session<'a> {
    data: &'a LoopData,
    decisions: &'a Decisions,
    votes: Vec<Vote>,
    /// The last case, by count, about which each annotator was heard.
    heard_at: Vec<usize>,
    cases: usize,
}

impl<'a> Session<'a> {
    /// `decisions` may be others than those of the data, on the same cases.
    pub(super) fn new(data: &'a LoopData, decisions: &'a Decisions) -> Self {
        Self { data, decisions, votes: Vec::new(), heard_at: vec![0; decisions.experts()], cases: 0 }
    }

    /// Shows `case` to the allocator; `team` are those who are there (sorted), whoever labelled the case if not given.
    pub(super) fn step(
        &mut self,
        allocator: &mut dyn Allocator,
        case: usize,
        team: Option<&[ExpertId]>,
        random: &mut Random,
    ) -> Step {
        self.cases += 1;
        let view = self.data.view(case, true);
        let row = self.decisions.of_case(view.case);
        let questions = allocator.allocate(view, team.unwrap_or(row.ids), random);
        self.votes.clear();
        let mut heard = 0;
        for question in &questions {
            let Ok(at) = row.ids.binary_search(&question.expert) else { continue };
            self.votes.push(Vote { expert: question.expert, label: row.labels[at] });
            let before = std::mem::replace(&mut self.heard_at[question.expert.index()], self.cases);
            heard += usize::from(before != self.cases);
        }
        Step { label: allocator.learn(view, &self.votes), heard }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deferral_core::{CaseView, Question, Stream};
    use deferral_experts::OwnClusters;
    use rand::Rng;

    /// Gives the first of those available two seats and the last one one, and keeps what it hears.
    #[derive(Default)]
    struct Twice(Vec<Vec<Vote>>);

    impl Allocator for Twice {
        fn allocate(&mut self, _: CaseView<'_>, available: &[ExpertId], _: &mut dyn Rng) -> Vec<Question> {
            let seats = [available[0], available[available.len() - 1], available[0]];
            seats.map(|expert| Question { expert, propensity: 1.0 }).to_vec()
        }
        fn learn(&mut self, _: CaseView<'_>, votes: &[Vote]) -> Option<Label> {
            self.0.push(votes.to_vec());
            votes.first().map(|vote| vote.label)
        }
        fn shares(&self, _: CaseView<'_>, available: &[ExpertId]) -> Vec<f64> {
            vec![1.0 / available.len() as f64; available.len()]
        }
        fn join(&mut self, newcomer: deferral_core::Newcomer<'_>) {
            let _ = newcomer;
        }
    }

    #[test]
    fn two_seats_are_two_votes_and_one_label() {
        let clusters = OwnClusters { cases: 30, ..OwnClusters::default() }.generate(&Stream::new(1)).unwrap();
        let data = LoopData::new(clusters, "cluster", vec![0, 1, 2], |_, _| 0.5).unwrap();
        let mut session = Session::new(&data, data.data().decisions());
        let mut allocator = Twice::default();
        let random = &mut Stream::new(2).random();
        let step = session.step(&mut allocator, 0, None, random);
        // Annotator 0 knows case 0.
        assert_eq!(step, Step { label: data.golds()[0].labels[0], heard: 2 });
        let team = [ExpertId(1)];
        assert_eq!(session.step(&mut allocator, 1, Some(&team), random).heard, 1);
        let who = |votes: &Vec<Vote>| votes.iter().map(|vote| vote.expert.0).collect::<Vec<_>>();
        assert_eq!(allocator.0.iter().map(who).collect::<Vec<_>>(), [[0, 2, 0], [1, 1, 1]]);
    }
}
