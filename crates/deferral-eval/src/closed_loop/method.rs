//! What a method of the closed loop is: it hears of training cases one by one, then decides test cases.

use std::fmt;

use deferral_allocation::Setting;
use deferral_core::{Allocator, CaseView, ExpertId, Label, Stream, argmax};

use super::data::LoopData;
use super::session::Session;
use crate::error::EvalError;

/// One division of the data.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    /// The data.
    pub data: &'a LoopData,
    /// Training cases in the order in which they come.
    pub train: &'a [usize],
    /// Test cases.
    pub test: &'a [usize],
    /// Whether the group of a test case is known when it is decided; that of a training case always is.
    pub groups_at_test: bool,
    /// The randomness of the method.
    pub stream: &'a Stream,
}

/// What a method came to on a trial.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// One a test case, in their order.
    pub answers: Vec<Answer>,
    /// Labels that were heard about training cases.
    pub training_labels: usize,
}

/// What was decided about a test case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The label; none if nobody could be asked.
    pub label: Option<Label>,
    /// Whose label it is, where it is that of one annotator.
    pub annotator: Option<ExpertId>,
    /// Labels that were heard.
    pub labels: usize,
}

/// A method that is run on trials.
pub trait LoopMethod: Send + Sync {
    /// What it is called in tables.
    fn name(&self) -> &str;

    /// Learns from the training cases and decides the test cases. Draws from the trial's stream only.
    ///
    /// # Errors
    /// If the method cannot be run on these data.
    fn decide(&self, trial: &Trial<'_>) -> Result<Run, EvalError>;
}

/// An allocator in its course that can also say who should decide a case alone.
pub trait Decider: Send {
    /// The allocator.
    fn allocator(&mut self) -> &mut dyn Allocator;

    /// What is done with the training cases, whose labels nobody has said, before the first of them is allocated.
    ///
    /// # Errors
    /// If they do not suit the allocator.
    fn prepare(&mut self, data: &LoopData, train: &[usize], stream: &Stream) -> Result<(), EvalError> {
        let _ = (data, train, stream);
        Ok(())
    }

    /// Who should decide `case` among `available` (sorted): the one with the largest share of its seats, the first
    /// on ties. Nothing is learned, but who decided is remembered where capacities demand it.
    fn best(&mut self, case: CaseView<'_>, available: &[ExpertId]) -> Option<ExpertId> {
        largest_share(self.allocator(), case, available)
    }
}

pub(super) fn largest_share(allocator: &dyn Allocator, case: CaseView<'_>, available: &[ExpertId]) -> Option<ExpertId> {
    let shares = allocator.shares(case, available);
    available.get(argmax(&shares)).copied()
}

/// An allocator whose shares say who should decide.
#[derive(Debug, Clone)]
pub struct ByShares<A>(pub A);

impl<A: Allocator> Decider for ByShares<A> {
    fn allocator(&mut self) -> &mut dyn Allocator {
        &mut self.0
    }
}

/// Makes an allocator for a setting; randomness only from the stream.
type Start = dyn Fn(&Setting, &Stream) -> Result<Box<dyn Decider>, EvalError> + Send + Sync;

/// A method made of an allocator: every training case is allocated among those who labelled it, their labels are heard,
/// one for every seat, and learned from; every test case is decided by the best of those who labelled it.
///
/// ```
/// use deferral_eval::closed_loop::{ByShares, ClosedLoopPlan, LoopMethod, Looped, World};
/// use deferral_crowd::GoelFaltingsLoop;
/// use deferral_experts::OwnClusters;
/// // Any allocator will do; this one's shares do not say whom it trusts, so that the first one decides.
/// let method = Looped::new("first", |setting, _| {
///     let start = GoelFaltingsLoop::default().start(setting.annotators(), setting.classes, None);
///     Ok(Box::new(ByShares(start.map_err(deferral_core::FitError::from)?)))
/// });
/// let clusters = OwnClusters { cases: 90, ..OwnClusters::default() };
/// let plan = ClosedLoopPlan { trials: 1, ..ClosedLoopPlan::of(World::clusters(clusters, 0.3)) };
/// let report = plan.run(&[Box::new(method) as Box<dyn LoopMethod>])?;
/// assert_eq!((report.rows[0].training_labels, report.rows[0].test_labels), (1.0, 1.0));
/// # Ok::<(), deferral_eval::EvalError>(())
/// ```
pub struct Looped {
    name: String,
    start: Box<Start>,
}

impl fmt::Debug for Looped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Looped").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Looped {
    /// The method called `name`, whose allocator `start` makes.
    pub fn new(
        name: impl Into<String>,
        start: impl Fn(&Setting, &Stream) -> Result<Box<dyn Decider>, EvalError> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), start: Box::new(start) }
    }

    /// The allocator before its first case.
    ///
    /// # Errors
    /// If its parameters do not suit the setting.
    pub fn start(&self, setting: &Setting, stream: &Stream) -> Result<Box<dyn Decider>, EvalError> {
        (self.start)(setting, stream)
    }
}

impl LoopMethod for Looped {
    fn name(&self) -> &str {
        &self.name
    }

    fn decide(&self, trial: &Trial<'_>) -> Result<Run, EvalError> {
        let mut decider = self.start(trial.data.setting(), &trial.stream.child("start"))?;
        decider.prepare(trial.data, trial.train, &trial.stream.child("prepare"))?;
        let mut session = Session::new(trial.data, trial.data.data().decisions());
        let draws = trial.stream.child("allocate");
        let allocator = decider.allocator();
        let training_labels = trial
            .train
            .iter()
            .enumerate()
            .map(|(at, &case)| session.step(allocator, case, None, &mut draws.at(at)).heard)
            .sum();
        let decisions = trial.data.data().decisions();
        let answer = |&case: &usize| {
            let view = trial.data.view(case, trial.groups_at_test);
            let row = decisions.of_case(view.case);
            let annotator = decider.best(view, row.ids);
            let label = annotator.and_then(|annotator| decisions.get(view.case, annotator));
            Answer { label, annotator, labels: usize::from(label.is_some()) }
        };
        Ok(Run { answers: trial.test.iter().map(answer).collect(), training_labels })
    }
}
