//! What a screen may look at, and where it puts what it wants.

use std::ops::Deref;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ratatui::layout::Rect;

use super::format::visible;
use super::limits::IDLE_LIMIT;
use super::outbox::Outbox;
use super::pipeline_view::PipelineView;
use super::theme::{Theme, Tone};
use pipeline::environment::Environment;

/// What a screen can read besides its own state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScreenContext<'a> {
    /// Time of the last message.
    pub(crate) now: DateTime<Utc>,
    /// When a key was pressed or the mouse was used last.
    pub(crate) input_at: DateTime<Utc>,
    pub(crate) theme: Theme,
    pub(crate) environment: &'a Environment,
    pub(crate) change_refusal: Option<&'a str>,
    pub(crate) pipeline: &'a PipelineView,
    /// Whether a redrive is being resumed, which receives the messages of its plan itself.
    pub(crate) is_resuming: bool,
    /// Whether messages are being deleted.
    pub(crate) is_deleting: bool,
    /// How far apart the probes are of the series that runs: this console writes.
    pub(crate) probing_every: Option<Duration>,
    /// Where the screen is drawn.
    pub(crate) body: Rect,
}

impl ScreenContext<'_> {
    /// Name of the queue where redriven messages go.
    pub(crate) fn source_queue_name(&self) -> &str {
        name_in(&self.environment.queue_url)
    }

    /// Why nothing may be published, probed or deleted, and the way out. `consequence` is what is not done.
    pub(crate) fn change_refusal(&self, consequence: &str) -> Option<String> {
        let environment = self.environment;
        if environment.read_only {
            let name = visible(&environment.name);
            return Some(format!("{name} is read-only: {consequence}"));
        }
        let refusal = self.change_refusal.map(visible)?;
        Some(format!("{consequence}: {refusal}"))
    }

    /// Whether nobody has used the console for [`IDLE_LIMIT`].
    pub(crate) fn is_untouched(&self) -> bool {
        let untouched = (self.now - self.input_at).to_std();
        untouched.is_ok_and(|untouched| untouched >= IDLE_LIMIT)
    }

    pub(crate) fn dead_letter_queue_name(&self) -> &str {
        name_in(&self.environment.dead_letter_queue_url)
    }
}

fn name_in(queue_url: &str) -> &str {
    queue_url.rsplit('/').next().unwrap_or_default()
}

/// The context of an update: readable as [`ScreenContext`], writable only in its outbox.
#[derive(Debug)]
pub(crate) struct UpdateContext<'a> {
    screen: ScreenContext<'a>,
    pub(crate) outbox: &'a mut Outbox,
}

impl<'a> UpdateContext<'a> {
    pub(crate) const fn new(screen: ScreenContext<'a>, outbox: &'a mut Outbox) -> Self {
        Self { screen, outbox }
    }

    /// See [`Outbox::notify`].
    pub(crate) fn notify(&mut self, tone: Tone, text: impl Into<String>) {
        self.outbox.notify(tone, text);
    }
}

impl<'a> Deref for UpdateContext<'a> {
    type Target = ScreenContext<'a>;

    fn deref(&self) -> &Self::Target {
        &self.screen
    }
}
