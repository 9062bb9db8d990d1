//! Progress of long work, on standard error and only on a terminal.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that is shorter than this shows no bar.
const SHOWN_MIN: u64 = 50;

/// A bar over `total` pieces of work; invisible where nobody could see it.
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
