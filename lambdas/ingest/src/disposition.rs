//! How each message of a batch ends.
//!
//! Invariant: a message has exactly one disposition, so the counts add up to the batch.

use std::collections::BTreeMap;

use event::FailureCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    Stored,
    /// Stored in place of the record that the message named.
    Replaced,
    /// The ledger had the event already.
    Duplicate,
    /// It occurred before the retention horizon, so it was not stored.
    Expired,
    /// Sent to the dead-letter queue with this code.
    DeadLettered(FailureCode),
    /// Reported as a batch item failure: SQS delivers it again.
    Retry(RetryReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryReason {
    /// The event was not written through no fault of its own, or there was no time left.
    Database,
    /// A permanent failure that could not be sent to the dead-letter queue; SQS moves it there.
    DeadLetterQueue(FailureCode),
}

/// The messages of a batch, counted by disposition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Messages whose event is a new record.
    pub stored: usize,
    /// Of these, messages whose event took the place of a record.
    pub replaced: usize,
    /// Messages whose event was a record already.
    pub duplicates: usize,
    /// Messages whose event occurred before the retention horizon.
    pub expired: usize,
    /// Messages that were sent to the dead-letter queue.
    pub dead_lettered: usize,
    /// Messages that are reported for retry.
    pub retried: usize,
    /// Permanent failures by code, whether or not the message reached the dead-letter queue.
    pub codes: BTreeMap<FailureCode, usize>,
}

impl Outcome {
    pub(crate) fn of(dispositions: &[Disposition]) -> Self {
        let mut outcome = Self::default();
        for disposition in dispositions {
            let code = match disposition {
                Disposition::Stored => {
                    outcome.stored += 1;
                    None
                }
                Disposition::Replaced => {
                    outcome.stored += 1;
                    outcome.replaced += 1;
                    None
                }
                Disposition::Duplicate => {
                    outcome.duplicates += 1;
                    None
                }
                Disposition::Expired => {
                    outcome.expired += 1;
                    None
                }
                Disposition::DeadLettered(code) => {
                    outcome.dead_lettered += 1;
                    Some(*code)
                }
                Disposition::Retry(RetryReason::Database) => {
                    outcome.retried += 1;
                    None
                }
                Disposition::Retry(RetryReason::DeadLetterQueue(code)) => {
                    outcome.retried += 1;
                    Some(*code)
                }
            };
            if let Some(code) = code {
                *outcome.codes.entry(code).or_default() += 1;
            }
        }
        outcome
    }

    /// All messages of the batch.
    #[must_use]
    pub fn total(&self) -> usize {
        self.stored + self.duplicates + self.expired + self.dead_lettered + self.retried
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_disposition_is_counted_once() {
        let dispositions = [
            Disposition::Stored,
            Disposition::Replaced,
            Disposition::Duplicate,
            Disposition::Expired,
            Disposition::DeadLettered(FailureCode::NotJson),
            Disposition::Retry(RetryReason::Database),
            Disposition::Retry(RetryReason::DeadLetterQueue(FailureCode::NotJson)),
        ];
        let outcome = Outcome::of(&dispositions);
        assert_eq!(outcome.total(), dispositions.len());
        assert_eq!((outcome.stored, outcome.replaced), (2, 1));
        assert_eq!((outcome.expired, outcome.retried), (1, 2));
        assert_eq!(outcome.codes, BTreeMap::from([(FailureCode::NotJson, 2)]));
    }
}
