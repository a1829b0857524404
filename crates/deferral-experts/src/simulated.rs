//! Simulated experts as a source of votes: they answer when they are asked, not before.

use deferral_core::{
    CaseId, CaseView, Cases, ExpertId, Features, GroupAttribute, Label, Stream, Vote, VoteError, VoteSource,
};

use crate::error::ExpertError;
use crate::expert::Expert;

/// A panel on call. The answer of expert j to case i depends on the stream, j and i only: it is the one that
/// [`panel`](crate::panel) would have recorded, whoever else is asked and in whatever order.
///
/// ```
/// use deferral_core::*;
/// use deferral_experts::{BiasedPanel, SimulatedVotes, boxed};
/// let cases = Cases::new(Names::numbered("post", 2), Features::none(2))?
///     .with_labels(vec![Some(Label(1)), Some(Label(0))])?
///     .with_group(GroupAttribute::from_values("dialect", ["AAE", "other"]))?;
/// let experts = boxed(BiasedPanel::against("AAE").draw(cases.group("dialect")?, &Stream::new(1))?);
/// let mut on_call = SimulatedVotes::new(&experts, &cases, Some("dialect"), &Stream::new(2))?;
/// let beliefs = (Probabilities(Columns::repeat(&[0.5, 0.5], 2)), Weights(Columns::repeat(&[1.0; 21], 2)));
/// let rule = Committee { select: Selection::Distinct { k: 3 }, classifier: Seat::Never, ..Committee::default() };
/// let outcomes = consult(0..2, (&beliefs.0, &beliefs.1), &rule, &mut on_call, None, &Stream::new(3))?;
/// assert_eq!(outcomes[0].labels_used, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SimulatedVotes<'a> {
    seats: Vec<Chair<'a>>,
    cases: &'a Cases,
    truths: Vec<Label>,
    everyone: Vec<ExpertId>,
    /// The features of the case that was asked about last.
    features: Vec<f64>,
    shown: Option<CaseId>,
}

/// An expert with what it sees and where its draws come from.
struct Chair<'a> {
    expert: &'a dyn Expert,
    attribute: Option<&'a GroupAttribute>,
    draws: Stream,
}

impl std::fmt::Debug for SimulatedVotes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (experts, cases) = (self.seats.len(), self.truths.len());
        f.debug_struct("SimulatedVotes").field("experts", &experts).field("cases", &cases).finish_non_exhaustive()
    }
}

impl<'a> SimulatedVotes<'a> {
    /// Seats the experts before `cases`. An expert sees the group attribute that it names, and `attribute` if it names
    /// none.
    ///
    /// # Errors
    /// If a case has no label or the cases lack a group attribute.
    pub fn new(
        experts: &'a [Box<dyn Expert>],
        cases: &'a Cases,
        attribute: Option<&str>,
        stream: &Stream,
    ) -> Result<Self, ExpertError> {
        let stream = stream.child("panel");
        let seat = |(j, expert): (usize, &'a dyn Expert)| {
            let attribute = expert.needs_group().or(attribute).map(|name| cases.group(name)).transpose()?;
            Ok(Chair { expert, attribute, draws: stream.nth(j) })
        };
        let experts_in_order = experts.iter().map(|expert| &**expert).enumerate();
        let truth = |(at, label): (usize, &Option<Label>)| {
            label.ok_or_else(|| ExpertError::MissingTruth { case: cases.ids().show(at).to_owned() })
        };
        Ok(Self {
            seats: experts_in_order.map(seat).collect::<Result<_, ExpertError>>()?,
            cases,
            truths: cases.labels().iter().enumerate().map(truth).collect::<Result<_, _>>()?,
            everyone: (0..experts.len()).map(ExpertId::at).collect(),
            features: vec![0.0; cases.dim()],
            shown: None,
        })
    }

    /// The answer of `expert` to `case`, both inside the panel and the table; `None` if there is no answer.
    pub(crate) fn answer(&mut self, case: CaseId, expert: ExpertId) -> Option<Label> {
        if self.shown != Some(case) {
            write_features(self.cases.features(), case.index(), &mut self.features);
            self.shown = Some(case);
        }
        let seat = &self.seats[expert.index()];
        let group = seat.attribute.map(|attribute| attribute.of_case[case.index()]);
        let view = CaseView { case, features: &self.features, group };
        seat.expert.decide(view, self.truths[case.index()], &mut seat.draws.at(case.index()))
    }
}

impl VoteSource for SimulatedVotes<'_> {
    fn available(&self, _: CaseId) -> &[ExpertId] {
        &self.everyone
    }

    fn ask(&mut self, case: CaseId, experts: &[ExpertId], votes: &mut Vec<Vote>) -> Result<(), VoteError> {
        let (cases, seats) = (self.truths.len(), self.seats.len());
        if case.index() >= cases {
            return Err(VoteError::UnknownCase { case, cases });
        }
        for &expert in experts {
            if expert.index() >= seats {
                return Err(VoteError::UnknownExpert { case, expert, experts: seats });
            }
            votes.extend(self.answer(case, expert).map(|label| Vote { expert, label }));
        }
        Ok(())
    }
}

/// Writes the features of case `at` into `column`, which holds d numbers.
fn write_features(features: &Features, at: usize, column: &mut [f64]) {
    match features {
        Features::Dense(columns) => column.copy_from_slice(columns.column(at)),
        Features::Sparse(sparse) => {
            column.fill(0.0);
            for &(feature, value) in sparse.case(at) {
                column[feature as usize] = f64::from(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BiasedPanel, MissingAtRandom, boxed, panel};
    use deferral_core::Names;

    #[test]
    fn whoever_is_asked_answers_as_recorded() {
        let cases = Cases::new(Names::numbered("c", 30), Features::none(30)).unwrap();
        let cases = cases.with_labels((0..30).map(|i| Some(Label(i % 2))).collect()).unwrap();
        let group = GroupAttribute::from_values("g", (0..30).map(|i| if i % 3 == 0 { "a" } else { "b" }));
        let cases = cases.with_group(group).unwrap();
        let drawn = BiasedPanel::against("a").draw(cases.group("g").unwrap(), &Stream::new(1)).unwrap();
        let experts = boxed(drawn.into_iter().map(|expert| MissingAtRandom::new(expert, 0.3).unwrap()));
        let recorded = panel(&experts, &cases, Some("g"), &Stream::new(2)).unwrap();
        let mut on_call = SimulatedVotes::new(&experts, &cases, Some("g"), &Stream::new(2)).unwrap();
        for case in [29, 3, 3, 0].map(CaseId) {
            let mut votes = Vec::new();
            on_call.ask(case, &[ExpertId(19), ExpertId(4), ExpertId(7)], &mut votes).unwrap();
            for expert in [19, 4, 7].map(ExpertId) {
                let found = votes.iter().find(|vote| vote.expert == expert).map(|vote| vote.label);
                assert_eq!(found, recorded.get(case, expert));
            }
        }
        let mut nobody = Vec::new();
        assert_eq!(
            on_call.ask(CaseId(0), &[ExpertId(20)], &mut nobody).unwrap_err().to_string(),
            "case 0: expert 20 was asked, but there are only 20"
        );
        assert!(on_call.ask(CaseId(30), &[ExpertId(0)], &mut nobody).is_err());
    }
}
