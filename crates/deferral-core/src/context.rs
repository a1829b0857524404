//! What every long computation carries: its randomness, who watches it and whether to stop.

use std::fmt;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::seed::Stream;

/// Something that happened in a long computation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A step of a training or an iteration of an algorithm is done.
    Step {
        /// Steps done, from 1.
        step: usize,
        /// Steps planned at most.
        of: usize,
        /// The loss of this step's batch, or the objective of this iteration.
        loss: f64,
    },
    /// The loss on held-out cases was measured.
    Validation {
        /// Steps done.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// The computation ended.
    Finished(FitStatus),
    /// Something that the reader of the result should know.
    Note(String),
}

/// How a fit ended. Not converging is an outcome, not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FitStatus {
    /// The stopping rule was met.
    Converged,
    /// All planned steps were taken.
    StepLimit,
    /// No further progress was possible.
    Stalled,
}

impl fmt::Display for FitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Converged => "converged",
            Self::StepLimit => "step limit",
            Self::Stalled => "stalled",
        })
    }
}

/// Watches a computation; `ControlFlow::Break` asks it to stop.
pub trait Observer {
    /// Called at every event.
    fn observe(&mut self, event: &Event) -> ControlFlow<()>;
}

/// An observer that looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&mut self, _: &Event) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Keeps every event: the training history.
#[derive(Debug, Clone, Default)]
pub struct History(pub Vec<Event>);

impl Observer for History {
    fn observe(&mut self, event: &Event) -> ControlFlow<()> {
        self.0.push(event.clone());
        ControlFlow::Continue(())
    }
}

/// The random stream and the observer of one computation.
pub struct Context<'a> {
    stream: Stream,
    observer: &'a mut dyn Observer,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl<'a> Context<'a> {
    /// A computation that draws from `stream` and reports to `observer`.
    pub fn new(stream: Stream, observer: &'a mut dyn Observer) -> Self {
        Self { stream, observer }
    }

    /// The source called `name` of this computation.
    pub fn stream(&self, name: &str) -> Stream {
        self.stream.child(name)
    }

    /// The same observer with the streams of a part of the computation.
    pub fn part(&mut self, name: &str) -> Context<'_> {
        Context { stream: self.stream.child(name), observer: &mut *self.observer }
    }

    /// Reports an event.
    ///
    /// # Errors
    /// [`Cancelled`] when the observer asks to stop.
    pub fn report(&mut self, event: &Event) -> Result<(), Cancelled> {
        match self.observer.observe(event) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Cancelled),
        }
    }
}

/// The observer asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;
