//! The state of the screen.

use chrono::{DateTime, Duration, Utc};
use pipeline::logs::LogLine;

use super::detail::Detail;
use super::reading::Reading;
use super::typing::Typing;
use crate::tui::remote::Remote;

/// How far back the first read goes: the choices of one key.
pub(super) const WINDOWS: [Duration; 4] = [
    Duration::minutes(10),
    Duration::hours(1),
    Duration::hours(6),
    Duration::hours(24),
];

/// The lines of one request, in the place of the tail.
#[derive(Debug)]
pub(super) struct OfRequest {
    pub(super) id: String,
    pub(super) reading: Reading,
    /// Whether what is shown came from the tail, until it is read.
    pub(super) is_prefilled: bool,
}

#[derive(Debug)]
pub(crate) struct Logs {
    pub(super) tail: Reading,
    pub(super) request: Option<OfRequest>,
    /// Which of [`WINDOWS`].
    pub(super) window: usize,
    pub(super) is_following: bool,
    /// Since when it is not followed.
    pub(super) paused_at: Option<DateTime<Utc>>,
    pub(super) typing: Option<Typing>,
    pub(super) detail: Option<Detail>,
    /// Whether the detail replaces the list.
    pub(super) is_open: bool,
    pub(super) is_shown: bool,
    /// The turn for the next part of the filter.
    pub(super) turn: Remote<()>,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            tail: Reading::default(),
            request: None,
            window: 0,
            is_following: true,
            paused_at: None,
            typing: None,
            detail: None,
            is_open: false,
            is_shown: false,
            turn: Remote::default(),
        }
    }
}

impl Logs {
    /// What is shown: the lines of a request, else the tail.
    pub(super) fn reading(&self) -> &Reading {
        self.request
            .as_ref()
            .map_or(&self.tail, |of_request| &of_request.reading)
    }

    pub(super) fn reading_mut(&mut self) -> &mut Reading {
        match &mut self.request {
            Some(of_request) => &mut of_request.reading,
            None => &mut self.tail,
        }
    }

    pub(super) fn selected(&self) -> Option<&LogLine> {
        let reading = self.reading();
        reading.lines.get(reading.list.selected)
    }

    /// Whether what is shown is a tail that is followed.
    pub(super) const fn follows(&self) -> bool {
        self.is_following && self.request.is_none()
    }

    /// Whether the filter is still to be applied to lines.
    pub(super) fn is_judging(&self) -> bool {
        let of_request = self.request.as_ref();
        let is_judging = |reading: &Reading| reading.lines.is_judging();
        is_judging(&self.tail) || of_request.is_some_and(|it| is_judging(&it.reading))
    }

    pub(super) fn window(&self) -> Duration {
        WINDOWS.get(self.window).copied().unwrap_or_default()
    }
}
