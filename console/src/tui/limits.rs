//! Limits that the screens and the sources share.

use std::time::Duration;

/// Messages received at most: SQS allows about 120,000 in flight (Amazon SQS quotas), and other
/// consumers need some of them.
pub(crate) const MESSAGES_RECEIVED_MAX: usize = 100_000;
/// Messages of one receive: the first ones are shown while the next ones are received.
pub(crate) const MESSAGES_PER_RECEIVE_MAX: usize = 2_000;
/// How long received messages are hidden from others; extended while they are looked at.
pub(crate) const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(300);
/// Received messages are released when no key was pressed and the mouse was not used for this long:
/// nobody looks at them, and other consumers wait for them.
pub(crate) const IDLE_LIMIT: Duration = Duration::from_secs(600);
