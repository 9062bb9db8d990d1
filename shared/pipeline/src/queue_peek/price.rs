//! What a look at the queue costs, said before it.
//!
//! Invariant: every number is of the queue's own settings and counts, and what SQS does not tell before a receive is
//! said to be unknown. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::bounds::{PEEK_VISIBILITY, requests_max};
use super::limit::MAX_RECEIVE_COUNT_MIN;
use crate::PipelineError;
use crate::model::QueueDepth;
use crate::text::{clock, count, counted, in_words, span_secs};

/// Least time after a peek that met messages at their limit, before the next one.
const REFUSED_FOR_MIN: TimeDelta = TimeDelta::minutes(15);
/// For so long such a peek is spoken of.
const REMEMBERED_FOR: TimeDelta = TimeDelta::days(1);

/// An earlier peek of this machine that met messages at their limit, or may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlierPeek {
    /// When it ended, or began.
    pub at: DateTime<Utc>,
    /// How many messages were at their limit; `None` where the audit log has no end of it: it is under way, or was
    /// killed.
    pub at_limit: Option<u64>,
}

/// What is known before a peek.
#[derive(Clone, Debug, PartialEq)]
pub struct PeekPrice {
    /// Name of the queue.
    pub queue: String,
    /// Its approximate counts.
    pub depth: QueueDepth,
    /// Its own visibility timeout, which a failed try of the ingest takes.
    pub visibility_timeout_secs: u64,
    /// `maxReceiveCount` of its redrive policy, if it has one.
    pub max_receive_count: Option<u64>,
    /// The last peek, if it met messages at their limit, or may have.
    pub earlier: Option<EarlierPeek>,
    /// When this was asked for.
    pub asked_at: DateTime<Utc>,
}

impl PeekPrice {
    /// The price of a peek at up to so many messages, a sentence each.
    #[must_use]
    pub fn sentences(&self, messages_max: usize) -> Vec<String> {
        let mut sentences = vec![
            self.waiting(),
            format!(
                "Receiving up to {} adds 1 to the receive count of each, and nothing takes that back.",
                counted(messages_max as u64, "message")
            ),
            self.moved(),
        ];
        sentences.extend(self.met_before());
        sentences.extend([
            format!(
                "The ingest does not get them before all are released together, after the last receive: usually after a \
                 few seconds, after {} at the latest.",
                span_secs(PEEK_VISIBILITY.as_secs())
            ),
            format!(
                "It makes up to {} to SQS, each billed, and one more for each further 64 KB.",
                in_words(requests_max(messages_max) as u64, "request")
            ),
            "SQS chooses which messages come: they are neither the oldest nor a fair sample."
                .to_owned(),
        ]);
        sentences
    }

    fn waiting(&self) -> String {
        let QueueDepth {
            visible, in_flight, ..
        } = self.depth;
        let faster = match visible {
            0 => ": where the ingest is faster than the peek, nothing comes",
            _ => "",
        };
        format!(
            "{} has about {} that {} and {} received by others{faster}.",
            self.queue,
            counted(visible, "message"),
            if visible == 1 { "waits" } else { "wait" },
            count(in_flight),
        )
    }

    fn moved(&self) -> String {
        let Some(max) = self.max_receive_count else {
            return "It has no redrive policy: no receive count moves a message.".to_owned();
        };
        let before = max.saturating_sub(1);
        format!(
            "maxReceiveCount is {max}: one that was received {} before has {max} of {max} then, and the next receive by \
             the ingest moves it to the dead-letter queue; one that was received {} before is moved by the peek itself. \
             SQS tells a count only with the message, so nobody knows it before. Once one has {before} of {max}, no more \
             are received.",
            in_words(before, "time"),
            in_words(max, "time"),
        )
    }

    fn met_before(&self) -> Option<String> {
        let EarlierPeek { at, at_limit } = self.earlier?;
        let is_remembered = self.asked_at - at < REMEMBERED_FOR;
        is_remembered.then(|| match at_limit {
            Some(at_limit) => format!(
                "At {} UTC a peek met {} at {} limit; if {} still there, this one raises the count again.",
                clock(at),
                counted(at_limit, "message"),
                if at_limit == 1 { "its" } else { "their" },
                if at_limit == 1 { "it is" } else { "they are" },
            ),
            None => format!(
                "The peek that began at {} UTC has no end in the audit log: it may have met messages at their limit.",
                clock(at)
            ),
        })
    }

    /// Why there is no peek, and what to do instead; `None` where it is permitted.
    #[must_use]
    pub fn refusal(&self) -> Option<PipelineError> {
        let operation = format!("peek {:?}", self.queue);
        let refused =
            |cause: String, hint: String| PipelineError::not_permitted(&operation, cause, hint);
        if let Some(max) = self
            .max_receive_count
            .filter(|max| *max < MAX_RECEIVE_COUNT_MIN)
        {
            let cause = format!(
                "maxReceiveCount is {max}, so a peek and one failed try of the ingest would move a message to the \
                 dead-letter queue"
            );
            let hint = format!(
                "set maxReceiveCount to at least {MAX_RECEIVE_COUNT_MIN}, or follow one event: opsconsole trace SOURCE \
                 ID"
            );
            return Some(refused(cause, hint));
        }
        let EarlierPeek { at, at_limit } = self.earlier?;
        let until = at + self.refused_for();
        (self.asked_at < until).then(|| {
            let cause = match at_limit {
                Some(at_limit) => format!(
                    "the peek at {} UTC met {} at {} limit, and another one could move {} to the dead-letter queue",
                    clock(at),
                    counted(at_limit, "message"),
                    if at_limit == 1 { "its" } else { "their" },
                    if at_limit == 1 { "it" } else { "them" },
                ),
                None => format!(
                    "the peek that began at {} UTC has no end in the audit log: it is under way or was killed, may have \
                     met messages at their limit, and another one could move them to the dead-letter queue",
                    clock(at)
                ),
            };
            let hint = format!(
                "wait until {} UTC: by then an ingest that works has stored what it can; meanwhile follow one event: \
                 opsconsole trace SOURCE ID",
                clock(until)
            );
            refused(cause, hint)
        })
    }

    /// A message at its limit has one or two receives left. Each takes the ingest a visibility timeout at most, so
    /// where the ingest reads the queue, the message has left it after two. SQS cannot say whether it has; a refusal
    /// for ever would keep everybody from a queue that recovered, so it ends, and the price tells of it for a day.
    fn refused_for(&self) -> TimeDelta {
        let secs = i64::try_from(self.visibility_timeout_secs).unwrap_or(i64::MAX);
        let two = secs.checked_mul(2).and_then(TimeDelta::try_seconds);
        two.unwrap_or(REMEMBERED_FOR).max(REFUSED_FOR_MIN)
    }
}
