//! Progress bars, on standard error and only on a terminal.

use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use redrive::operations::OnProgress;

/// Fewer pieces of work have no bar.
const SHOWN_MIN: u64 = 50;

/// A bar for `total` pieces of work; hidden when standard error is not a terminal.
pub(super) fn bar(total: u64, what: &'static str) -> ProgressBar {
    if total < SHOWN_MIN || !io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
    }
    let bar = ProgressBar::new(total).with_message(what);
    match ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A bar over what an operation reports. It goes when the operation drops it.
pub(super) fn reported(what: &'static str) -> OnProgress {
    let shown = OnceLock::new();
    Box::new(move |progress| {
        let bar = shown
            .get_or_init(|| bar(progress.total as u64, what).with_finish(ProgressFinish::AndClear));
        // What is read may have no known end.
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
    })
}
