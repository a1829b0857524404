//! A progress bar on a terminal, nothing when piped.

use std::io::IsTerminal;
use std::ops::ControlFlow;

use deferral_core::{Event, Observer};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over `total` units called `what`.
pub(crate) fn bar(total: u64, what: &'static str) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(total), target);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}

/// Shows the steps of a training, and keeps its notes.
pub(crate) struct Training {
    bar: ProgressBar,
    pub(crate) notes: Vec<String>,
    pub(crate) status: Option<deferral_core::FitStatus>,
}

impl Training {
    pub(crate) fn new() -> Self {
        Self { bar: bar(0, "training"), notes: Vec::new(), status: None }
    }
}

impl Observer for Training {
    fn observe(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Step { step, of, .. } => {
                self.bar.set_length(*of as u64);
                self.bar.set_position(*step as u64);
            }
            Event::Note(note) => self.notes.push(note.clone()),
            Event::Finished(status) => {
                self.status = Some(*status);
                self.bar.finish_and_clear();
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
