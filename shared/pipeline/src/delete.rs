//! Deletes dead letters, by their handles or all at once.
//!
//! Invariant: a message counts as deleted only when SQS confirmed exactly that message, or when after a call
//! without an answer it does not know the message's handle any more; a purge that got no answer counts as one that
//! may have happened, and is never repeated here.

use std::time::Duration;

use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::error::is_surely_not_done;
use super::model::QueueRole;
use super::queues::{BATCH_ENTRIES_MAX, Entry, EntryFailure};
use super::{Pipeline, PipelineError, WritePermit};

/// Messages that [`Pipeline::delete_dead_letters`] deletes in one round trip.
pub const DELETE_MESSAGES_MAX: usize = CALLS_MAX * BATCH_ENTRIES_MAX;
/// Batch calls at once.
const CALLS_MAX: usize = 8;
/// Further tries of messages that were not deleted.
const RETRIES_MAX: usize = 2;
/// Wait before the first of them; doubles.
const BACKOFF_FIRST: Duration = Duration::from_millis(200);

/// Why a message is not deleted.
#[derive(Clone, Debug)]
struct Undeleted {
    cause: String,
    /// Whether another try may pass.
    is_passing: bool,
    /// Whether the call had no answer, so that the message may be deleted.
    is_in_doubt: bool,
    /// Whether SQS does not know the handle.
    is_unknown_handle: bool,
}

/// Why SQS did not confirm that a message is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDeleted {
    /// The cause; of a message that may be deleted it says so.
    pub cause: String,
    /// Whether it may be deleted all the same, because a call had no answer.
    pub may_be_deleted: bool,
}

impl NotDeleted {
    /// A message that stays.
    #[must_use]
    pub fn stays(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            may_be_deleted: false,
        }
    }

    /// A message whose call had no answer.
    #[must_use]
    pub fn in_doubt(cause: &str) -> Self {
        Self {
            cause: format!("{cause}; it may be deleted all the same"),
            may_be_deleted: true,
        }
    }
}

impl From<Undeleted> for NotDeleted {
    fn from(why: Undeleted) -> Self {
        if why.is_in_doubt {
            Self::in_doubt(&why.cause)
        } else {
            Self::stays(why.cause)
        }
    }
}

impl Pipeline {
    /// Deletes received messages by their handles; parallel to the input, why one was not deleted.
    /// What fails in passing is tried again.
    pub async fn delete_dead_letters(
        &self,
        permit: &WritePermit,
        receipt_handles: &[String],
    ) -> Vec<Result<(), NotDeleted>> {
        let untried = Undeleted {
            cause: "SQS did not confirm it".to_owned(),
            is_passing: true,
            is_in_doubt: false,
            is_unknown_handle: false,
        };
        let mut outcomes = vec![Err(untried); receipt_handles.len()];
        let mut backoff = ExponentialBuilder::default()
            .with_min_delay(BACKOFF_FIRST)
            .with_max_times(RETRIES_MAX)
            .with_jitter()
            .build();
        loop {
            let open: Vec<Entry<&String>> = receipt_handles
                .iter()
                .zip(&outcomes)
                .enumerate()
                .filter(|(_, (_, outcome))| matches!(outcome, Err(why) if why.is_passing))
                .map(|(index, (value, _))| Entry { index, value })
                .collect();
            self.delete_open(permit, &open, &mut outcomes).await;
            let is_done = !outcomes
                .iter()
                .any(|outcome| matches!(outcome, Err(why) if why.is_passing));
            match backoff.next().filter(|_| !is_done) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => break,
            }
        }
        outcomes
            .into_iter()
            .map(|outcome| outcome.map_err(NotDeleted::from))
            .collect()
    }

    async fn delete_open(
        &self,
        permit: &WritePermit,
        open: &[Entry<&String>],
        outcomes: &mut [Result<(), Undeleted>],
    ) {
        let mut chunks = open.chunks(BATCH_ENTRIES_MAX);
        let mut calls = FuturesUnordered::new();
        loop {
            let free = CALLS_MAX - calls.len();
            for entries in chunks.by_ref().take(free) {
                calls.push(self.delete_batch(permit, entries));
            }
            let Some(answers) = calls.next().await else {
                return;
            };
            for (index, outcome) in answers {
                if let Some(slot) = outcomes.get_mut(index) {
                    *slot = after(slot, outcome);
                }
            }
        }
    }

    /// One call, which the caller may repeat: deleting twice does no harm. The client does not repeat it by itself,
    /// because the answer to the repetition alone would say that a deleted message cannot be deleted. An entry that
    /// SQS left out of its answer is left out here too.
    async fn delete_batch(
        &self,
        _permit: &WritePermit,
        entries: &[Entry<&String>],
    ) -> Vec<(usize, Result<(), Undeleted>)> {
        let attempt = self.queue_attempt("delete messages from", QueueRole::DeadLetter);
        let all_failed = |cause: String, is_passing: bool, is_in_doubt: bool| {
            let why = Undeleted {
                cause,
                is_passing,
                is_in_doubt,
                is_unknown_handle: false,
            };
            let failed = |entry: &Entry<&String>| (entry.index, Err(why.clone()));
            entries.iter().map(failed).collect()
        };
        let requests = entries
            .iter()
            .map(|entry| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(entry.index.to_string())
                    .receipt_handle(entry.value)
                    .build()
            })
            .collect::<Result<Vec<_>, _>>();
        let requests = match requests {
            Ok(requests) => requests,
            Err(error) => return all_failed(error.to_string(), false, false),
        };
        let answer = self
            .aws()
            .await
            .sqs
            .delete_message_batch()
            .queue_url(self.queue_url(QueueRole::DeadLetter))
            .set_entries(Some(requests))
            .customize()
            .config_override(without_retries())
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let is_in_doubt = !is_surely_not_done(&error);
                return all_failed(attempt.sdk(&error).to_string(), true, is_in_doubt);
            }
        };
        let deleted = answer
            .successful()
            .iter()
            .filter_map(|entry| Some((entry.id().parse().ok()?, Ok(()))));
        let failed = answer.failed().iter().filter_map(|entry| {
            let EntryFailure { index, cause } = EntryFailure::of(entry)?;
            let why = Undeleted {
                cause,
                is_passing: !entry.sender_fault(),
                is_in_doubt: false,
                is_unknown_handle: entry.code().ends_with("ReceiptHandleIsInvalid"),
            };
            Some((index, Err(why)))
        });
        deleted.chain(failed).collect()
    }

    /// Empties the whole dead-letter queue, received messages included. SQS takes up to a minute for
    /// it, and a message that is dead-lettered meanwhile may go too; one purge a minute is accepted
    /// (Amazon SQS API reference, `PurgeQueue`).
    ///
    /// # Errors
    /// When SQS refused, or gave no answer: then [`PipelineError::may_have_happened`] says so.
    pub async fn purge_dead_letters(&self, _permit: &WritePermit) -> Result<(), PipelineError> {
        let attempt = self.queue_attempt("purge", QueueRole::DeadLetter);
        // The answer to a repeated purge is that one is under way.
        let answer = self
            .aws()
            .await
            .sqs
            .purge_queue()
            .queue_url(self.queue_url(QueueRole::DeadLetter))
            .customize()
            .config_override(without_retries())
            .send()
            .await;
        let Err(error) = answer else { return Ok(()) };
        let reported = attempt.sdk(&error);
        let is_under_way = error
            .code()
            .is_some_and(|code| code.ends_with("PurgeQueueInProgress"));
        Err(if is_under_way {
            attempt
                .refused(
                    "it was purged within the last 60 seconds, and SQS takes one purge a minute",
                )
                .with_hint("wait a minute and try again; nothing was changed now")
        } else if is_surely_not_done(&error) {
            reported
        } else {
            reported.outcome_unknown("it may be purged all the same; look at the queue in a minute")
        })
    }
}

fn without_retries() -> aws_sdk_sqs::config::Builder {
    aws_sdk_sqs::config::Builder::new().retry_config(RetryConfig::disabled())
}

/// The outcome of a message after another try.
fn after(before: &Result<(), Undeleted>, outcome: Result<(), Undeleted>) -> Result<(), Undeleted> {
    let was_in_doubt = matches!(before, Err(why) if why.is_in_doubt);
    match outcome {
        Err(why) if was_in_doubt && why.is_unknown_handle => Ok(()),
        Err(why) => Err(Undeleted {
            is_in_doubt: why.is_in_doubt || was_in_doubt,
            ..why
        }),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(is_in_doubt: bool, is_unknown_handle: bool) -> Result<(), Undeleted> {
        Err(Undeleted {
            cause: "cause".to_owned(),
            is_passing: true,
            is_in_doubt,
            is_unknown_handle,
        })
    }

    #[test]
    fn unknown_handle_is_a_deletion_only_after_a_call_without_an_answer() {
        let (no_answer, unknown) = (failed(true, false), failed(false, true));
        assert!(after(&no_answer, unknown.clone()).is_ok());
        assert!(after(&failed(false, false), unknown.clone()).is_err());
        let still_in_doubt = after(&no_answer, failed(false, false));
        assert!(after(&still_in_doubt, unknown).is_ok());
    }

    #[test]
    fn deletion_without_an_answer_is_reported_as_one_that_may_have_happened() {
        let why = |is_in_doubt| failed(is_in_doubt, false).map_err(NotDeleted::from);
        assert_eq!(why(false), Err(NotDeleted::stays("cause")));
        let in_doubt = why(true).unwrap_err();
        assert!(in_doubt.may_be_deleted);
        assert!(in_doubt.cause.contains("may be deleted all the same"));
    }
}
