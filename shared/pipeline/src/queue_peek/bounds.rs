//! How large a peek can be.

use std::time::Duration;

use crate::queues::BATCH_ENTRIES_MAX;

/// Messages of one peek at most: it is to be read by a person.
pub const PEEK_MESSAGES_MAX: usize = 50;
/// Visibility timeout of a peek: longer than its receives take together, and after a `kill -9` the ingest waits no
/// longer than this.
pub const PEEK_VISIBILITY: Duration = Duration::from_secs(30);
/// No receive begins later than this after the first one: far from the end of the visibility timeout.
pub(super) const RECEIVE_LIMIT: Duration = Duration::from_secs(10);
/// Empty long polls in a row after which the queue counts as empty.
pub(super) const EMPTY_POLLS_MAX: usize = 2;
/// Bytes of bodies after which no more are received.
pub(super) const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Receives of a peek at most. SQS gives fewer messages than asked for, even where more wait.
pub(super) const fn receives_max(messages_max: usize) -> usize {
    messages_max.div_ceil(BATCH_ENTRIES_MAX) * 2 + EMPTY_POLLS_MAX
}

/// Requests of a peek at most, with that for the settings; without those that are made again because SQS refused or
/// could not be reached.
pub(super) const fn requests_max(messages_max: usize) -> usize {
    receives_max(messages_max) + messages_max.div_ceil(BATCH_ENTRIES_MAX) + 1
}
