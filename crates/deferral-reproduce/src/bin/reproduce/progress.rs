//! The one progress display: a bar on a terminal, a line a tenth of the work elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use deferral_reproduce::runner::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::tell;

/// Runs `work` with the one progress display.
pub(crate) fn with_progress<T>(jobs: usize, work: impl FnOnce(&(dyn Fn(Progress<'_>) + Sync)) -> T) -> T {
    let on_terminal = std::io::stderr().is_terminal();
    let target = if on_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(jobs as u64), target);
    if let Ok(style) = ProgressStyle::with_template("{msg:4} {wide_bar} {pos}/{len} {elapsed} {eta}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_secs(1));
    let done = work(&|progress: Progress<'_>| {
        bar.set_message(progress.experiment.to_owned());
        bar.set_position(progress.done as u64);
        let tenths = |done: usize| 10 * done / progress.all.max(1);
        if !on_terminal && tenths(progress.done) > tenths(progress.done.saturating_sub(1)) {
            tell(&format!("{} of {} jobs ({})", progress.done, progress.all, progress.experiment));
        }
    });
    bar.finish_and_clear();
    done
}
