//! Progress bars, on standard error and only on a terminal.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

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
