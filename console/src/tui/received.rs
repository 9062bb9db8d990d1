//! The data of received messages that screens and sources exchange.
//!
//! Invariant: a screen knows messages by their ids; receipt handles stay with the sources.

use chrono::{DateTime, Utc};

use pipeline::Hidden;
use pipeline::model::ReceivedMessages;

/// What a receive brought. The receipt handles of its messages are empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Received {
    pub(crate) messages: ReceivedMessages,
    pub(crate) leases: LeaseTimes,
}

/// What is known of the visibility timeouts of all messages that are received now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeaseTimes {
    /// When the first message becomes visible to others, if nothing is done.
    pub(crate) first_hidden_until: Option<DateTime<Utc>>,
    /// Ids of messages whose timeouts ended before they were extended, and of those that SQS did not extend, because
    /// they are gone or another has received them; each is reported once.
    pub(crate) lost: Vec<String>,
    /// Receives whose answers did not come.
    pub(crate) unanswered: Hidden,
    /// Why not all messages were extended, if so.
    pub(crate) failure: Option<String>,
}
