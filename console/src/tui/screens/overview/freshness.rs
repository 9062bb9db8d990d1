//! How fresh the numbers of a hop are. Invariant: a number that is not fresh is shown with its age
//! and why.

use chrono::Duration;

use crate::tui::context::ScreenContext;
use crate::tui::fault::Fault;
use crate::tui::format::{age_secs, short_span_secs, visible};
use crate::tui::pipeline_view::STALE_AFTER;
use crate::tui::remote::Remote;
use crate::tui::theme::Tone;

/// How fresh what a hop shows is.
pub(super) struct Freshness {
    /// Tone of a hop that flows, unless it was not seen or not lately.
    pub(super) tone: Tone,
    /// How old its numbers are and why, where they are not fresh.
    pub(super) notes: Vec<String>,
}

impl Freshness {
    pub(super) fn of<T>(remote: &Remote<T>, context: &ScreenContext<'_>) -> Self {
        Self::within(remote, STALE_AFTER, context)
    }

    pub(super) fn within<T>(
        remote: &Remote<T>,
        limit: Duration,
        context: &ScreenContext<'_>,
    ) -> Self {
        let error = remote.error();
        let Some(fetched) = remote.fetched() else {
            let tone = if error.is_some() {
                Tone::Bad
            } else {
                Tone::Muted
            };
            let notes = match error {
                Some(error) => vec!["never seen".to_owned(), cause(error)],
                None => vec!["not seen yet".to_owned()],
            };
            return Self { tone, notes };
        };
        let age = format!(
            "as of {} ago",
            short_span_secs(age_secs(fetched.fetched_at, context.now))
        );
        match error {
            Some(error) => Self {
                tone: Tone::Bad,
                notes: vec![age, cause(error)],
            },
            None if context.now - fetched.fetched_at > limit => Self {
                tone: Tone::Warning,
                notes: vec![age, "no answer since".to_owned()],
            },
            None => Self {
                tone: Tone::Good,
                notes: Vec::new(),
            },
        }
    }

    pub(super) const fn is_fresh(&self) -> bool {
        self.notes.is_empty()
    }
}

/// The last link of a fault's chain, without the time it took: the attention area has the rest.
fn cause(fault: &Fault) -> String {
    let last = fault.message.rsplit(": ").next().unwrap_or_default();
    let short = last.split(" (").next().unwrap_or_default();
    visible(short)
}
