//! Native move tasks: SQS itself moves all dead letters back to the source queue.
//!
//! Invariant: a start without a response is not repeated, because the task may have started. The request
//! always names the destination: messages that the ingest sent to the dead-letter queue have no source
//! queue, and a task without a destination fails on them.

use std::error::Error;

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{ListMessageMoveTasksResultEntry, QueueAttributeName};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::denial::short;
use super::error::is_surely_not_done;
use super::model::QueueRole;
use super::{Attempt, Pipeline, PipelineError, PipelineErrorKind, WritePermit};

/// Highest rate of a move task, messages per second (Amazon SQS API reference,
/// StartMessageMoveTask).
pub const MOVE_TASK_RATE_MAX: u32 = 500;
/// Most tasks that SQS lists (Amazon SQS API reference, ListMessageMoveTasks).
const LISTED_MAX: i32 = 10;

const USE_OWN_ENGINE: &str = "use opsconsole's own engine: opsconsole redrive run --all";
const NOT_A_DEAD_LETTER_QUEUE: &str = "a move task needs the dead-letter queue of an SQS queue, not \
                                       that of an SNS subscription or a function; use opsconsole's \
                                       own engine: opsconsole redrive run --all";

/// Source and destination of a move task, by ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveRoute {
    /// The dead-letter queue.
    pub source_arn: String,
    /// The source queue.
    pub destination_arn: String,
}

/// The status of a move task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MoveTaskStatus {
    /// It moves messages.
    Running,
    /// It moved all messages.
    Completed,
    /// It was cancelled and has not stopped yet.
    Cancelling,
    /// It was cancelled; what it moved stays moved.
    Cancelled,
    /// It stopped with an error.
    Failed,
    /// SQS returned no status or an unknown one.
    Unknown,
}

/// A move task as SQS reports it. The counts are approximate and delayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveTask {
    /// The handle to cancel it. SQS returns it only while the task runs.
    pub handle: Option<String>,
    /// Its status.
    pub status: MoveTaskStatus,
    /// Approximate number of moved messages.
    pub moved: u64,
    /// Approximate number of messages when it started; `None` before.
    pub to_move: Option<u64>,
    /// Most messages per second; `None` when SQS chooses.
    pub rate_per_sec: Option<u32>,
    /// ARN of the queue that it empties.
    pub source_arn: String,
    /// ARN of the queue that it fills; `None` when each message goes to its source queue.
    pub destination_arn: Option<String>,
    /// Start of the task.
    pub started_at: Option<DateTime<Utc>>,
    /// The reason of a failure, from SQS.
    pub failure_reason: Option<String>,
}

impl MoveTaskStatus {
    /// The published name, in kebab-case.
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

    /// Whether it moves no more messages.
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
    /// The ARNs of the dead-letter queue and the source queue.
    ///
    /// # Errors
    /// When SQS does not return an ARN.
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

    /// Whether the service is known to have move tasks, and to take them for the dead-letter queue.
    pub async fn has_move_tasks(&self) -> bool {
        match self.move_route().await {
            Ok(route) => self.move_tasks(&route).await.is_ok(),
            Err(_) => false,
        }
    }

    /// Starts a task that moves all dead letters, at most `rate_per_sec` messages per second. Returns the
    /// handle to cancel it.
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
                let refusal = refusal(&attempt, &error);
                if is_surely_not_done(&error) {
                    refusal
                } else {
                    refusal.outcome_unknown(
                        "it may have been started: check with `opsconsole redrive native list`",
                    )
                }
            })?;
        answer
            .task_handle
            .ok_or_else(|| attempt.refused("SQS returned no task handle"))
    }

    /// The most recent move tasks of the dead-letter queue, newest first, as far as SQS keeps them.
    ///
    /// # Errors
    /// When the service has no move tasks, or does not respond.
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
            .map_err(|error| refusal(&attempt, &error))?;
        let mut tasks: Vec<MoveTask> = answer
            .results
            .unwrap_or_default()
            .into_iter()
            .map(|entry| read(entry, route))
            .collect();
        tasks.sort_by_key(|task| std::cmp::Reverse(task.started_at));
        Ok(tasks)
    }

    /// Cancels a move task. Returns the approximate number of messages that it had moved; they stay moved.
    ///
    /// # Errors
    /// When there is no such task, when it has ended, or when SQS does not respond.
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
            .map_err(|error| refusal(&attempt, &error))?;
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
            .ok_or_else(|| attempt.refused("SQS did not return it"))
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
        // The client returns 0 when the time is absent.
        started_at: DateTime::from_timestamp_millis(entry.started_timestamp)
            .filter(|at| at.timestamp_millis() > 0),
        failure_reason: entry.failure_reason,
    }
}

fn count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// Converts an error of one of the three calls, with a hint.
fn refusal<E>(attempt: &Attempt, error: &SdkError<E, HttpResponse>) -> PipelineError
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
    let refusal = attempt.sdk(error);
    let Some(answer) = error.as_service_error() else {
        return refusal;
    };
    // These have the same code; the messages are those that SQS sent in 2024.
    let message = answer.message().unwrap_or_default();
    if message.contains("Dead Letter Queue") {
        refusal.with_hint(NOT_A_DEAD_LETTER_QUEUE)
    } else if message.contains("already a task running") {
        refusal.with_hint("see `opsconsole redrive native watch`, or end it with `… native cancel`")
    } else if message.contains("Task does not exist") {
        refusal.with_hint("it has ended, or never began: see `opsconsole redrive native list`")
    } else if answer.code().map(short) == Some("UnsupportedOperation") {
        refusal.with_hint(USE_OWN_ENGINE)
    } else {
        refusal
    }
}

/// Whether the service does not implement the call: its code or its status says so, or there is no code and
/// the status is that of an unknown path. SQS itself returns a code with every error.
fn lacks_operation<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata,
{
    let code = error.as_service_error().and_then(|answer| answer.code());
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    match code.map(short) {
        // `501 Not Implemented` says it, whatever the code: some emulators report an internal failure.
        _ if status == Some(501) => true,
        Some(code) => matches!(
            code,
            "UnknownOperation" | "InvalidAction" | "NotImplemented" | "UnknownAction"
        ),
        None => matches!(status, Some(400 | 404 | 405)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_statuses_are_final() {
        for (text, status, is_over) in [
            ("RUNNING", MoveTaskStatus::Running, false),
            ("CANCELLING", MoveTaskStatus::Cancelling, false),
            ("COMPLETED", MoveTaskStatus::Completed, true),
            ("CANCELLED", MoveTaskStatus::Cancelled, true),
            ("FAILED", MoveTaskStatus::Failed, true),
            ("PAUSED", MoveTaskStatus::Unknown, false),
        ] {
            assert_eq!(MoveTaskStatus::of(text), status);
            assert_eq!(status.is_over(), is_over, "{text}");
        }
    }
}
