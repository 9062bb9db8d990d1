//! How a message ends. Invariant: one fate for each message, so the counts add up to the batch.

use std::collections::BTreeMap;

use event::FailureCode;

/// The end of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It is a record now.
    Stored,
    /// The ledger knew its event.
    Duplicate,
    /// It lies in the dead-letter queue with this reason.
    DeadLettered(FailureCode),
    /// SQS delivers it again.
    Retry(RetryReason),
}

/// Why a message is reported for retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryReason {
    /// The database did not take it, through no fault of the event, or there was no time left.
    Database,
    /// A permanent failure that did not reach the dead-letter queue; SQS brings it there.
    DeadLetterQueue(FailureCode),
}

/// The fates of a batch, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Messages that became records.
    pub stored: usize,
    /// Messages whose event was a record already.
    pub duplicates: usize,
    /// Messages that were sent to the dead-letter queue.
    pub dead_lettered: usize,
    /// Messages that are reported for retry.
    pub retried: usize,
    /// How often each code of a permanent failure occurred, wherever the message went.
    pub codes: BTreeMap<FailureCode, usize>,
}

impl Outcome {
    /// Counts the fates of a batch.
    #[must_use]
    pub fn of(fates: &[Disposition]) -> Self {
        let mut outcome = Self::default();
        for fate in fates {
            let code = match fate {
                Disposition::Stored => {
                    outcome.stored += 1;
                    None
                }
                Disposition::Duplicate => {
                    outcome.duplicates += 1;
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

    /// All messages, whatever became of them.
    #[must_use]
    pub fn total(&self) -> usize {
        self.stored + self.duplicates + self.dead_lettered + self.retried
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fate_is_counted_once() {
        let fates = [
            Disposition::Stored,
            Disposition::Duplicate,
            Disposition::DeadLettered(FailureCode::NotJson),
            Disposition::Retry(RetryReason::Database),
            Disposition::Retry(RetryReason::DeadLetterQueue(FailureCode::NotJson)),
        ];
        let outcome = Outcome::of(&fates);
        assert_eq!(outcome.total(), fates.len());
        assert_eq!(outcome.retried, 2);
        assert_eq!(outcome.codes, BTreeMap::from([(FailureCode::NotJson, 2)]));
    }
}
