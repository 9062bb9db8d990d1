//! Move tasks: SQS itself moves all dead letters back to the source queue.
//!
//! Invariant: a start that got no answer is not repeated, for it may have begun; the destination is
//! always named, because messages that the ingest sent to the dead-letter queue itself know no
//! source queue, and a task without a destination fails on them.

use std::error::Error;

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{ListMessageMoveTasksResultEntry, QueueAttributeName};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::is_surely_not_done;
use super::model::QueueRole;
use super::{Attempt, Pipeline, PipelineError, PipelineErrorKind, WritePermit};

/// Highest rate of a move task, messages per second (Amazon SQS API reference,
/// StartMessageMoveTask).
pub const MOVE_TASK_RATE_MAX: u32 = 500;
/// Tasks that SQS lists at most (Amazon SQS API reference, ListMessageMoveTasks).
const LISTED_MAX: i32 = 10;

const USE_OWN_ENGINE: &str = "use the own engine: opsconsole redrive run --all";
const NO_QUEUE_HAS_IT: &str = "a move task takes the dead-letter queue of an SQS queue only, not \
                               that of an SNS subscription or a function; use the own engine: \
                               opsconsole redrive run --all";

/// Where a move task goes, by ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveRoute {
    /// The dead-letter queue.
    pub source_arn: String,
    /// The source queue.
    pub destination_arn: String,
}

/// How far a move task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MoveTaskStatus {
    /// It moves messages.
    Running,
    /// It moved all.
    Completed,
    /// It was told to stop and has not yet.
    Cancelling,
    /// It was stopped; what it moved stays moved.
    Cancelled,
    /// It stopped by itself.
    Failed,
    /// SQS does not say, or says a word that is not known here.
    Unknown,
}

/// A move task as SQS tells it. The counts are approximate and come late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveTask {
    /// What cancels it. SQS tells it only while the task runs.
    pub handle: Option<String>,
    /// How far it is.
    pub status: MoveTaskStatus,
    /// Messages that were moved.
    pub moved: u64,
    /// Messages that there were when it began; absent until then.
    pub to_move: Option<u64>,
    /// Messages per second at most; absent where SQS chooses.
    pub rate_per_sec: Option<u32>,
    /// ARN of the queue that it empties.
    pub source_arn: String,
    /// ARN of the queue that it fills; absent where each message goes where it came from.
    pub destination_arn: Option<String>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub failure_reason: Option<String>,
}

impl MoveTaskStatus {
    /// The word that stands for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it moves nothing more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        match self {
            Self::Completed | Self::Cancelled | Self::Failed => true,
            Self::Running | Self::Cancelling | Self::Unknown => false,
        }
    }

    fn of(text: &str) -> Self {
        match text {
            "RUNNING" => Self::Running,
            "COMPLETED" => Self::Completed,
            "CANCELLING" => Self::Cancelling,
            "CANCELLED" => Self::Cancelled,
            "FAILED" => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

impl Pipeline {
    /// The way from the dead-letter queue to the source queue.
    ///
    /// # Errors
    /// When a queue does not tell its ARN.
    pub async fn move_route(&self) -> Result<MoveRoute, PipelineError> {
        let (source_arn, destination_arn) = tokio::try_join!(
            self.queue_arn(QueueRole::DeadLetter),
            self.queue_arn(QueueRole::Source),
        )?;
        Ok(MoveRoute {
            source_arn,
            destination_arn,
        })
    }

    /// Tells SQS to move all dead letters, at `rate_per_sec` messages per second at most. Gives the
    /// handle that cancels the task.
    ///
    /// # Errors
    /// When the service has no move tasks, when one is running, when the dead-letter queue is not
    /// that of a queue, or when no answer came: then it may have been started.
    pub async fn start_move_task(
        &self,
        _permit: &WritePermit,
        route: &MoveRoute,
        rate_per_sec: Option<u32>,
    ) -> Result<String, PipelineError> {
        let attempt = self.queue_attempt("start a move task from", QueueRole::DeadLetter);
        let without_retries =
            aws_sdk_sqs::config::Builder::new().retry_config(RetryConfig::disabled());
        let answer = self
            .aws()
            .await
            .sqs
            .start_message_move_task()
            .source_arn(&route.source_arn)
            .destination_arn(&route.destination_arn)
            .set_max_number_of_messages_per_second(
                rate_per_sec.and_then(|rate| i32::try_from(rate).ok()),
            )
            .customize()
            .config_override(without_retries)
            .send()
            .await
            .map_err(|error| {
                let told = told(&attempt, &error);
                if is_surely_not_done(&error) {
                    told
                } else {
                    told.outcome_unknown(
                        "it may have been started: look with `opsconsole redrive native list`",
                    )
                }
            })?;
        answer
            .task_handle
            .ok_or_else(|| attempt.refused("SQS gave no handle of the task"))
    }

    /// The newest move tasks of the dead-letter queue, newest first: those that SQS still knows.
    ///
    /// # Errors
    /// When the service has no move tasks, or does not answer.
    pub async fn move_tasks(&self, route: &MoveRoute) -> Result<Vec<MoveTask>, PipelineError> {
        let attempt = self.queue_attempt("list the move tasks of", QueueRole::DeadLetter);
        let answer = self
            .aws()
            .await
            .sqs
            .list_message_move_tasks()
            .source_arn(&route.source_arn)
            .max_results(LISTED_MAX)
            .send()
            .await
            .map_err(|error| told(&attempt, &error))?;
        let mut tasks: Vec<MoveTask> = answer
            .results
            .unwrap_or_default()
            .into_iter()
            .map(|entry| read(entry, route))
            .collect();
        tasks.sort_by_key(|task| std::cmp::Reverse(task.started_at));
        Ok(tasks)
    }

    /// Tells SQS to stop a move task. Gives how many messages it had moved by about then; they stay
    /// moved.
    ///
    /// # Errors
    /// When there is no such task, when it is over, or when SQS does not answer.
    pub async fn cancel_move_task(
        &self,
        _permit: &WritePermit,
        handle: &str,
    ) -> Result<u64, PipelineError> {
        let attempt = self.queue_attempt("cancel the move task from", QueueRole::DeadLetter);
        let answer = self
            .aws()
            .await
            .sqs
            .cancel_message_move_task()
            .task_handle(handle)
            .send()
            .await
            .map_err(|error| told(&attempt, &error))?;
        Ok(count(answer.approximate_number_of_messages_moved))
    }

    async fn queue_arn(&self, role: QueueRole) -> Result<String, PipelineError> {
        let attempt = self.queue_attempt("read the ARN of", role);
        let answer = self
            .aws()
            .await
            .sqs
            .get_queue_attributes()
            .queue_url(self.queue_url(role))
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .map_err(|error| attempt.sdk(&error))?;
        answer
            .attributes
            .and_then(|mut attributes| attributes.remove(&QueueAttributeName::QueueArn))
            .ok_or_else(|| attempt.refused("SQS did not tell it"))
    }
}

fn read(entry: ListMessageMoveTasksResultEntry, route: &MoveRoute) -> MoveTask {
    MoveTask {
        handle: entry.task_handle,
        status: MoveTaskStatus::of(entry.status.as_deref().unwrap_or_default()),
        moved: count(entry.approximate_number_of_messages_moved),
        to_move: entry.approximate_number_of_messages_to_move.map(count),
        rate_per_sec: entry
            .max_number_of_messages_per_second
            .and_then(|rate| u32::try_from(rate).ok()),
        source_arn: entry.source_arn.unwrap_or_else(|| route.source_arn.clone()),
        destination_arn: entry.destination_arn,
        // 0 is what the client makes of a time that was left out.
        started_at: DateTime::from_timestamp_millis(entry.started_timestamp)
            .filter(|at| at.timestamp_millis() > 0),
        failure_reason: entry.failure_reason,
    }
}

fn count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// Reads a refusal of one of the three calls, and what to do about it.
fn told<E>(attempt: &Attempt, error: &SdkError<E, HttpResponse>) -> PipelineError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if lacks_operation(error) {
        return attempt
            .failed(
                PipelineErrorKind::NotConfigured,
                "the service has no move tasks",
            )
            .with_hint(USE_OWN_ENGINE);
    }
    let told = attempt.sdk(error);
    let Some(answer) = error.as_service_error() else {
        return told;
    };
    // The codes do not tell these apart; the words are those that SQS was seen to use in 2024.
    let message = answer.message().unwrap_or_default();
    if message.contains("Dead Letter Queue") {
        told.with_hint(NO_QUEUE_HAS_IT)
    } else if message.contains("already a task running") {
        told.with_hint("see `opsconsole redrive native watch`, or end it with `… native cancel`")
    } else if message.contains("Task does not exist") {
        told.with_hint("it has ended, or never began: see `opsconsole redrive native list`")
    } else if short(answer.code()) == Some("UnsupportedOperation") {
        told.with_hint(USE_OWN_ENGINE)
    } else {
        told
    }
}

/// Whether the other side does not know the call: it says so, or answers as to any unknown path.
/// SQS itself names a code in every refusal.
fn lacks_operation<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata,
{
    let code = error.as_service_error().and_then(|answer| answer.code());
    match short(code) {
        Some(code) => matches!(
            code,
            "UnknownOperation" | "InvalidAction" | "NotImplemented" | "UnknownAction"
        ),
        None => error
            .raw_response()
            .is_some_and(|answer| matches!(answer.status().as_u16(), 400 | 404 | 405 | 501)),
    }
}

/// `com.amazonaws.sqs#UnsupportedOperation`, `AWS.SimpleQueueService.UnsupportedOperation` and
/// `UnsupportedOperationException` are one code.
fn short(code: Option<&str>) -> Option<&str> {
    let code = code?.rsplit(['.', '#']).next()?;
    Some(code.strip_suffix("Exception").unwrap_or(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_code_has_many_spellings() {
        for code in [
            "UnsupportedOperation",
            "AWS.SimpleQueueService.UnsupportedOperation",
            "com.amazonaws.sqs#UnsupportedOperation",
            "UnsupportedOperationException",
        ] {
            assert_eq!(short(Some(code)), Some("UnsupportedOperation"), "{code}");
        }
        assert_eq!(short(None), None);
    }

    #[test]
    fn only_three_words_mean_that_nothing_more_is_moved() {
        for (word, status, is_over) in [
            ("RUNNING", MoveTaskStatus::Running, false),
            ("CANCELLING", MoveTaskStatus::Cancelling, false),
            ("COMPLETED", MoveTaskStatus::Completed, true),
            ("CANCELLED", MoveTaskStatus::Cancelled, true),
            ("FAILED", MoveTaskStatus::Failed, true),
            ("PAUSED", MoveTaskStatus::Unknown, false),
        ] {
            assert_eq!(MoveTaskStatus::of(word), status);
            assert_eq!(status.is_over(), is_over, "{word}");
        }
    }
}
