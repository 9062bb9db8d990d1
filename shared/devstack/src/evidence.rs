//! Counts what happened to the published messages, from the parts of a running stack.
//!
//! Invariant: nothing here comes from the publisher. Numbers are from the log of the ingest function,
//! bodies from the dead-letter queue.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use serde::Deserialize;
use tokio::time::Instant;

use crate::log_file::LogReader;
use crate::{DevstackError, Endpoints};

/// Most bytes of the log that are held at once.
const READ_BYTES_MAX: u64 = 1_024 * 1_024;
/// Messages of one receive (Amazon SQS API reference).
const RECEIVE_MAX: i32 = 10;
/// Visibility timeout while all dead letters are read.
const VISIBILITY_TIMEOUT_SECS: i32 = 60;
/// Longest wait of a receive on an empty queue (long polling).
const RECEIVE_WAIT_SECS: i32 = 1;

/// The sums of the log lines "batch handled" of the ingest function. A message that was delivered twice
/// is counted twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IngestCounts {
    /// Messages whose event was stored.
    pub stored: u64,
    /// Messages whose event was stored before.
    pub duplicates: u64,
    /// Messages whose event was not stored because it occurred before the retention horizon.
    pub expired: u64,
    /// Messages that it sent to the dead-letter queue.
    pub dead_lettered: u64,
    /// Messages that it reported for retry.
    pub retried: u64,
}

#[derive(Deserialize)]
struct BatchLine {
    message: String,
    stored: u64,
    duplicates: u64,
    expired: u64,
    dead_lettered: u64,
    retried: u64,
}

impl IngestCounts {
    /// With what these lines of its log say.
    fn and(self, text: &str) -> Self {
        text.lines()
            .filter_map(|line| serde_json::from_str::<BatchLine>(line).ok())
            .filter(|line| line.message == "batch handled")
            .fold(self, |sum, line| Self {
                stored: sum.stored + line.stored,
                duplicates: sum.duplicates + line.duplicates,
                expired: sum.expired + line.expired,
                dead_lettered: sum.dead_lettered + line.dead_lettered,
                retried: sum.retried + line.retried,
            })
    }
}

/// The counts of a log that is read on from where it was read before.
#[derive(Debug)]
pub(crate) struct Counting {
    log: LogReader,
    sum: Mutex<IngestCounts>,
}

impl Counting {
    /// Of a log that nobody has read.
    pub(crate) fn of(log: LogReader) -> Self {
        Self {
            log,
            sum: Mutex::default(),
        }
    }

    /// The counts up to the last complete line; 0 before the first invocation.
    pub(crate) fn read_on(&self) -> Result<IngestCounts, DevstackError> {
        let mut sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let lines = self.log.lines(READ_BYTES_MAX)?;
            if lines.is_empty() {
                return Ok(*sum);
            }
            *sum = sum.and(&String::from_utf8_lossy(&lines));
            self.log.pass(lines.len());
        }
    }
}

/// The contents of the dead-letter queue, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetters {
    /// The bodies that were read.
    pub bodies: Vec<String>,
    /// Dead letters that were not read: another consumer has received them, or the time limit was reached.
    pub unread: u64,
}

/// Reads every dead letter that no other consumer has received, within `limit`. They stay hidden for a
/// minute, so this is for the end of a run.
///
/// # Errors
/// When the queue does not answer.
pub async fn read_dead_letters(
    endpoints: &Endpoints,
    limit: Duration,
) -> Result<DeadLetters, DevstackError> {
    let client = aws_sdk_sqs::Client::new(&endpoints.sdk_config());
    let queue_url = &endpoints.dead_letter_queue_url;
    let deadline = Instant::now() + limit;
    let total = depth(&client, queue_url).await?;
    let mut bodies: HashMap<String, String> = HashMap::new();
    while count(bodies.len()) < total && Instant::now() < deadline {
        let outcome = client
            .receive_message()
            .queue_url(queue_url)
            .max_number_of_messages(RECEIVE_MAX)
            .visibility_timeout(VISIBILITY_TIMEOUT_SECS)
            .wait_time_seconds(RECEIVE_WAIT_SECS)
            .send()
            .await;
        let messages = DevstackError::aws("read the dead letters", outcome)?.messages;
        let messages = messages.unwrap_or_default();
        if messages.is_empty() {
            break;
        }
        bodies.extend(
            messages
                .into_iter()
                .filter_map(|message| Some((message.message_id?, message.body?))),
        );
    }
    Ok(DeadLetters {
        unread: total.saturating_sub(count(bodies.len())),
        bodies: bodies.into_values().collect(),
    })
}

/// Messages of a queue, visible or in flight.
async fn depth(client: &aws_sdk_sqs::Client, queue_url: &str) -> Result<u64, DevstackError> {
    let outcome = client
        .get_queue_attributes()
        .queue_url(queue_url)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
        .send()
        .await;
    let attributes = DevstackError::aws("count the dead letters", outcome)?.attributes;
    Ok(attributes
        .unwrap_or_default()
        .values()
        .filter_map(|value| value.parse::<u64>().ok())
        .sum())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_file::LogFile;

    #[test]
    fn batches_are_summed_and_other_lines_are_not() {
        let log = r#"{"level":"INFO","message":"batch handled","received":4,"stored":1,"duplicates":1,"expired":0,"dead_lettered":2,"retried":0,"failed_not-json":2}
{"level":"WARN","message":"not a batch","stored":9,"duplicates":9,"expired":9,"dead_lettered":9,"retried":9}
panicked at somewhere
{"level":"INFO","message":"batch handled","received":7,"stored":0,"duplicates":2,"expired":4,"dead_lettered":0,"retried":1}
{"level":"INFO","message":"batch han"#;
        let counts = IngestCounts {
            stored: 1,
            duplicates: 3,
            expired: 4,
            dead_lettered: 2,
            retried: 1,
        };
        assert_eq!(IngestCounts::default().and(log), counts);
    }

    #[test]
    fn log_is_read_on_and_each_batch_is_counted_once() {
        let batch = |stored: u64| {
            format!(
                r#"{{"message":"batch handled","stored":{stored},"duplicates":0,"expired":0,"dead_lettered":0,"retried":0}}"#
            )
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ingest.log");
        let mut log = LogFile::new(path.clone());
        let counting = Counting::of(log.reader());
        let stored = || counting.read_on().unwrap().stored;
        assert_eq!(stored(), 0, "it was never invoked");
        let (first, second) = (batch(3), batch(4));
        let (begin, rest) = second.split_at(20);
        std::fs::write(&path, format!("{first}\n{begin}")).unwrap();
        assert_eq!([stored(), stored()], [3, 3]);
        // What was read is not read again.
        let blank = " ".repeat(first.len());
        std::fs::write(&path, format!("{blank}\n{begin}{rest}\n")).unwrap();
        assert_eq!([stored(), stored()], [7, 7]);
    }
}
