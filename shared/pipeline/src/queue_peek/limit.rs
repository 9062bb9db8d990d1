//! What the receive count of a message means against `maxReceiveCount`. Pure.
//!
//! Invariant: SQS moves a message to the dead-letter queue at the receive that would raise its count above
//! `maxReceiveCount`; nobody gets it then (Amazon SQS Developer Guide, "Using dead-letter queues").

/// With less than this no message is looked at: one receive would leave the ingest a single try, so one failure of
/// it would move a message that nobody had received before.
pub const MAX_RECEIVE_COUNT_MIN: u64 = 3;

/// How many receives a message has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The ingest can fail at least once more.
    Free,
    /// The ingest gets it once more; where it fails, the message is moved.
    LastTry,
    /// The next receive moves it.
    Spent,
}

impl Standing {
    /// Whether no more receives of ours should meet it.
    #[must_use]
    pub const fn is_at_limit(self) -> bool {
        match self {
            Self::Free => false,
            Self::LastTry | Self::Spent => true,
        }
    }
}

/// Of a message with this count, the last receive included. Without a redrive policy nothing is moved.
#[must_use]
pub fn standing(receive_count: u32, max_receive_count: Option<u64>) -> Standing {
    let Some(max) = max_receive_count else {
        return Standing::Free;
    };
    match max.saturating_sub(u64::from(receive_count)) {
        0 => Standing::Spent,
        1 => Standing::LastTry,
        _ => Standing::Free,
    }
}

/// What follows for a message at its limit: `2 of 3 receives: …`.
#[must_use]
pub fn limit_sentence(receive_count: u32, max_receive_count: Option<u64>) -> Option<String> {
    let max = max_receive_count?;
    let what = match standing(receive_count, max_receive_count) {
        Standing::Free => return None,
        Standing::LastTry => "the next receive that fails moves it to the dead-letter queue",
        Standing::Spent => {
            "the next receive moves it to the dead-letter queue, and the ingest does not get it"
        }
    };
    Some(format!("{receive_count} of {max} receives: {what}"))
}
