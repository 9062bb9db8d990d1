//! How long the received messages stay hidden from others, as far as the screen knows.
//!
//! Invariant: it only shows and requests; receipt handles and their timeouts are with the sources.

use std::collections::HashSet;

use chrono::{DateTime, Duration, Utc};

use crate::tui::context::ScreenContext;
use crate::tui::format::{clock, count};
use crate::tui::limits::{IDLE_LIMIT, VISIBILITY_TIMEOUT};
use crate::tui::lines::message_count;
use crate::tui::received::LeaseTimes;
use crate::tui::request::RequestId;
use crate::tui::theme::Tone;
use pipeline::Hidden;

/// Least time between two extensions.
const EXTENSION_INTERVAL_SECS: i64 = 10;
const MINUTE_MS: i64 = 60_000;

/// What the last receive returned besides the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ReceiveFacts {
    pub(super) ledger_error: Option<String>,
    pub(super) is_truncated: bool,
}

/// Why messages were released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReleaseCause {
    /// The operator wanted it.
    Operator,
    /// No key was pressed for [`IDLE_LIMIT`].
    Idle,
}

/// What is known of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    /// SQS is asked.
    Asked(RequestId),
    /// SQS did not confirm so many: they are gone from the queue, or hidden until their timeouts end.
    Answered { unconfirmed: usize },
    /// The answer did not come.
    Unanswered,
}

/// All messages were released, and the screen is still shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Released {
    pub(super) messages: usize,
    pub(super) state: Release,
    pub(super) at: DateTime<Utc>,
    pub(super) cause: ReleaseCause,
}

#[derive(Debug, Default)]
pub(super) struct Lease {
    /// When the first message becomes visible to others, if nothing is done.
    pub(super) first_hidden_until: Option<DateTime<Utc>>,
    /// Ids of messages whose visibility timeouts ended or which SQS did not extend: they are gone, or others may have
    /// received them.
    pub(super) lost: HashSet<String>,
    /// Receives without an answer.
    unanswered: Hidden,
    /// The extension under way.
    extension: Option<RequestId>,
    extended_at: Option<DateTime<Utc>>,
    /// Whether messages came of which no time is known.
    must_ask: bool,
    /// Whether the last extension failed.
    pub(super) is_extension_failing: bool,
    pub(super) released: Option<Released>,
}

impl Lease {
    /// Takes over what the sources know.
    pub(super) fn update(&mut self, times: LeaseTimes) {
        self.first_hidden_until = times.first_hidden_until;
        self.lost.extend(times.lost);
        if times.unanswered.messages_max > 0 {
            self.unanswered = times.unanswered;
        }
    }

    /// Whether less than half of a timeout is left, and no extension is under way or just ended.
    pub(super) fn must_extend(&self, now: DateTime<Utc>) -> bool {
        let half = visibility_timeout() / 2;
        let is_due = self
            .first_hidden_until
            .is_some_and(|until| until - now < half);
        let interval = Duration::seconds(EXTENSION_INTERVAL_SECS);
        let is_early = self.extended_at.is_some_and(|at| now - at < interval);
        (is_due || self.must_ask) && !is_early && self.extension.is_none()
    }

    pub(super) fn extension_began(&mut self, request: RequestId, now: DateTime<Utc>) {
        self.extension = Some(request);
        self.extended_at = Some(now);
        self.must_ask = false;
    }

    /// Whether an answer is to the extension under way, which then has ended.
    pub(super) fn extension_ended(&mut self, is_it: impl Fn(RequestId) -> bool) -> bool {
        self.extension.take_if(|request| is_it(*request)).is_some()
    }

    /// An operation gave messages back: how long they stay hidden is asked at once.
    pub(super) fn messages_came_back(&mut self) {
        self.must_ask = true;
        self.extended_at = None;
    }

    /// Whether messages may be received.
    pub(super) fn has_some(&self) -> bool {
        self.must_ask || self.first_hidden_until.is_some()
    }

    /// Everything was released.
    pub(super) fn end(&mut self) {
        let unanswered = self.unanswered;
        *self = Self {
            unanswered,
            ..Self::default()
        };
    }

    /// Forgets what has ended by itself.
    pub(super) fn expire(&mut self, now: DateTime<Utc>) {
        if self.unanswered.until.is_some_and(|until| until <= now) {
            self.unanswered = Hidden::default();
        }
    }

    /// `a receive got no answer: up to 10 messages may stay hidden until 14:05 UTC`
    pub(super) fn unanswered_text(&self) -> Option<String> {
        let until = self.unanswered.until?;
        let messages = message_count(self.unanswered.messages_max);
        let until = until.format("%H:%M");
        Some(format!(
            "a receive got no answer: up to {messages} may stay hidden until {until} UTC"
        ))
    }
}

impl Released {
    /// How many, when, and why if the operator did not want it.
    pub(super) fn text(&self) -> String {
        let messages = message_count(self.messages);
        let what = match (self.messages, self.state) {
            (0, _) => "receiving ended at".to_owned(),
            (_, Release::Asked(_)) => format!("{messages} are being released since"),
            (_, Release::Answered { unconfirmed: 0 }) => format!("{messages} released at"),
            (all, Release::Answered { unconfirmed }) => {
                let released = count(all.saturating_sub(unconfirmed) as u64);
                format!("{released} of {messages} released, the others gone or hidden still, at")
            }
            (_, Release::Unanswered) => format!("{messages} perhaps not released at"),
        };
        let at = clock(self.at);
        match self.cause {
            ReleaseCause::Operator => format!("{what} {at} UTC"),
            ReleaseCause::Idle => format!(
                "{what} {at} UTC: no key was pressed for {} min",
                idle_limit().num_minutes()
            ),
        }
    }

    /// How good that is.
    pub(super) const fn tone(&self) -> Tone {
        match self.state {
            Release::Answered { unconfirmed: 0 } => Tone::Good,
            Release::Asked(_) => Tone::Muted,
            Release::Answered { .. } | Release::Unanswered => Tone::Warning,
        }
    }

    pub(super) const fn advice(&self) -> &'static str {
        match (self.cause, self.messages) {
            (ReleaseCause::Operator, 0) => {
                "Messages that still come are released. ⏎ or ^r receives them again."
            }
            (ReleaseCause::Idle, 0) => {
                "Messages that still come are released. Any key receives them again."
            }
            (ReleaseCause::Operator, _) => {
                "Other consumers can receive what is still in the queue. ⏎ or ^r receives them again."
            }
            (ReleaseCause::Idle, _) => {
                "Other consumers can receive what is still in the queue. Any key receives them again."
            }
        }
    }
}

/// Whole minutes until messages are released because no key was pressed, rounded up.
pub(super) fn idle_minutes_left(context: &ScreenContext<'_>) -> i64 {
    let left = context.input_at + idle_limit() - context.now;
    let left_ms = left.num_milliseconds().max(0);
    (left_ms + MINUTE_MS - 1) / MINUTE_MS
}

fn idle_limit() -> Duration {
    Duration::from_std(IDLE_LIMIT).unwrap_or(Duration::MAX)
}

pub(super) fn visibility_timeout() -> Duration {
    Duration::from_std(VISIBILITY_TIMEOUT).unwrap_or(Duration::MAX)
}
