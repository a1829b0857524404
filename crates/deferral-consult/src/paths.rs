//! Consultations gone through to the end, so that every way of stopping can be judged at once.

use deferral_core::{ConsultError, Label, Probabilities, Stream, VoteSource, Weights, consult_watched};

use crate::adaptive::Adaptive;

/// What would be decided about one case after each label: from the model alone to everybody that the rule would ask.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Path {
    /// By number of rounds of questions, from none.
    pub steps: Vec<Step>,
}

/// What would be decided after some labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The decision.
    pub label: Label,
    /// How firmly it is believed.
    pub confidence: f64,
    /// Labels asked for so far.
    pub asked: usize,
}

impl Path {
    /// Where the rule stops at this confidence: the first step that reaches it, else the last.
    pub fn stop(&self, confidence: f64) -> Option<&Step> {
        self.steps.iter().find(|step| step.confidence >= confidence).or_else(|| self.steps.last())
    }
}

/// Goes through the consultations on the first n cases without ever stopping for confidence. One consultation a case:
/// `rule`'s choice does not depend on when it will stop.
///
/// # Errors
/// As [`consult`](deferral_core::consult()).
pub fn paths(
    n: usize,
    beliefs: (&Probabilities, &Weights),
    rule: &Adaptive<'_>,
    source: &mut dyn VoteSource,
    stream: &Stream,
) -> Result<Vec<Path>, ConsultError> {
    let endless = rule.clone().never_sure();
    let mut paths = vec![Path::default(); n];
    consult_watched(0..n, beliefs, &endless, source, None, stream, &mut |state, _| {
        let verdict = endless.verdict(&endless.view(state));
        if let Some(path) = paths.get_mut(state.case.index()) {
            let asked = state.asked.len();
            path.steps.push(Step { label: verdict.label, confidence: verdict.confidence, asked });
        }
    })?;
    Ok(paths)
}
