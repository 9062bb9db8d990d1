//! What is known of the received messages besides themselves.

use chrono::{DateTime, Duration, Utc};

use crate::tui::limits::VISIBILITY_TIMEOUT;
use crate::tui::request::RequestId;

/// What the last receive returned besides the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ReceiveFacts {
    pub(super) ledger_error: Option<String>,
    pub(super) is_truncated: bool,
}

/// An extension that is under way.
#[derive(Debug)]
pub(super) struct Extension {
    pub(super) request: RequestId,
    pub(super) requested_at: DateTime<Utc>,
    pub(super) handles: Vec<String>,
}

/// The operator released the messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Released {
    pub(super) messages: usize,
    pub(super) at: DateTime<Utc>,
}

pub(super) fn visibility_timeout() -> Duration {
    Duration::from_std(VISIBILITY_TIMEOUT).unwrap_or(Duration::MAX)
}
