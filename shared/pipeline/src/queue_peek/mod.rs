//! A look at messages of the source queue, which the ingest reads.
//!
//! Invariant: what a look costs is known before the first receive, and a queue where it would cost a message is not
//! looked at. All received messages are released together, after the last receive; what could not be released is named
//! with its end. SQS cannot show a message without receiving it (Amazon SQS API reference, `ReceiveMessage`).

mod bounds;
mod limit;
mod peeked;
mod price;
mod run;
#[cfg(test)]
mod tests;

pub use bounds::{PEEK_MESSAGES_MAX, PEEK_VISIBILITY};
pub use limit::{MAX_RECEIVE_COUNT_MIN, Standing, limit_sentence, standing};
pub use peeked::{Peek, PeekEnd, PeekedMessage};
pub use price::{EarlierPeek, PeekPrice};
