//! The handling of one batch: validate, write, dead-letter the failures, report the rest.
//!
//! Invariant: each message gets exactly one disposition, and only a confirmed write or send spares
//! it the report for retry.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::SqsBatchResponse;
use event::{Event, Failure, FailureCode, parse_body};
use store::Written;
use tokio::time::Instant;

use crate::batch::{Batch, Message};
use crate::bisect::ItemResult;
use crate::dead_letter_entry::DeadLetter;
use crate::deps::Deps;
use crate::disposition::{Disposition, Outcome, RetryReason};
use crate::invocation::Invocation;
use crate::report::{Lag, Report};
use crate::trace::TraceId;
use crate::write::{Committed, write_events};

/// Handles a batch: stores its events, sends its permanent failures to the dead-letter queue,
/// reports the rest for retry and writes one line about it to standard output.
///
/// A message without an id cannot be reported alone. To retry it, the response has an empty id, for
/// which Lambda counts the whole batch as failed: nothing is lost, and stored events are duplicates
/// at the next delivery.
pub async fn handle(batch: Batch, invocation: &Invocation, deps: &Deps) -> SqsBatchResponse {
    let (response, report) = handle_reported(batch, invocation, deps).await;
    report.write(invocation);
    response
}

/// A failure is only logged: it shows as a refused log-in if the batch needs a new connection.
fn renew_log_in(deps: &Deps) {
    if let Some(log_in) = &deps.log_in
        && let Err(error) = log_in.renew(&deps.pool, SystemTime::now())
    {
        tracing::error!(%error, "log-in not renewed");
    }
}

/// [`handle`] that returns the counts and writes no line.
pub async fn handle_counted(
    batch: Batch,
    invocation: &Invocation,
    deps: &Deps,
) -> (SqsBatchResponse, Outcome) {
    let (response, report) = handle_reported(batch, invocation, deps).await;
    (response, report.outcome)
}

/// [`handle`] that returns the report and writes no line.
pub async fn handle_reported(
    batch: Batch,
    invocation: &Invocation,
    deps: &Deps,
) -> (SqsBatchResponse, Report) {
    let started = Instant::now();
    renew_log_in(deps);
    let messages = &batch.messages;
    let (dispositions, mut report) = process(messages, invocation, deps).await;
    report.outcome = Outcome::of(&dispositions);
    report.duration = started.elapsed();
    let mut response = SqsBatchResponse::default();
    for (message, disposition) in messages.iter().zip(&dispositions) {
        if matches!(disposition, Disposition::Retry(_)) {
            response.add_failure(message.message_id.clone().unwrap_or_default());
        }
    }
    (response, report)
}

/// Returns the disposition of each message, and the report without its outcome and duration.
async fn process(
    messages: &[Message],
    invocation: &Invocation,
    deps: &Deps,
) -> (Vec<Disposition>, Report) {
    let mut report = Report::default();
    let mut traces: HashSet<TraceId> = HashSet::new();
    let mut dispositions = vec![Disposition::Retry(RetryReason::Database); messages.len()];
    let mut events: Vec<Event<'_>> = Vec::with_capacity(messages.len());
    let mut positions: Vec<usize> = Vec::with_capacity(messages.len());
    let mut invalid: Vec<(usize, Failure)> = Vec::new();
    for (position, message) in messages.iter().enumerate() {
        match parse_body(message.body.as_deref().unwrap_or_default()) {
            Ok(event) => {
                traces.extend(TraceId::of_event(&event));
                events.push(event);
                positions.push(position);
            }
            Err(failure) => {
                let trace = message.body.as_deref().and_then(TraceId::of_body);
                traces.extend(trace);
                report.note_failure(failure.code, trace);
                invalid.push((position, failure));
            }
        }
    }
    // Invalid messages need not wait for a slow or unavailable database.
    let write = async {
        let started = Instant::now();
        let written = write_events(&deps.pool, &events, invocation.write_deadline()).await;
        (written, started.elapsed())
    };
    let ((written, database), dead_lettered) =
        futures::join!(write, dead_letter(messages, invalid, invocation, deps));
    let mut lags: Vec<Duration> = Vec::with_capacity(events.len());
    let mut refused: Vec<(usize, Failure)> = Vec::new();
    for ((position, result), event) in positions.into_iter().zip(written).zip(&events) {
        let disposition = match result {
            ItemResult::Written(Committed { written, at }) => match written {
                Written::Stored(_) => {
                    let sent_at = messages.get(position).and_then(Message::sent_at);
                    // Clocks may differ: then the lag is 0.
                    lags.extend(sent_at.map(|sent| at.duration_since(sent).unwrap_or_default()));
                    Disposition::Stored
                }
                Written::Duplicate => Disposition::Duplicate,
                Written::Expired => Disposition::Expired,
            },
            ItemResult::Unwritten => Disposition::Retry(RetryReason::Database),
            ItemResult::Refused(detail) => {
                let failure = Failure::new(FailureCode::RefusedByDatabase, detail);
                report.note_failure(failure.code, TraceId::of_event(event));
                refused.push((position, failure));
                continue;
            }
        };
        set(&mut dispositions, position, disposition);
    }
    for (position, disposition) in dead_lettered {
        set(&mut dispositions, position, disposition);
    }
    for (position, disposition) in dead_letter(messages, refused, invocation, deps).await {
        set(&mut dispositions, position, disposition);
    }
    report.database = (!events.is_empty()).then_some(database);
    report.lag = Lag::of(lags);
    report.traces = traces.len();
    (dispositions, report)
}

fn set(dispositions: &mut [Disposition], position: usize, disposition: Disposition) {
    if let Some(slot) = dispositions.get_mut(position) {
        *slot = disposition;
    }
}

/// Sends messages that failed for good to the dead-letter queue; one that SQS does not confirm is
/// retried.
async fn dead_letter(
    messages: &[Message],
    failures: Vec<(usize, Failure)>,
    invocation: &Invocation,
    deps: &Deps,
) -> Vec<(usize, Disposition)> {
    let dead_letters: Vec<DeadLetter> = failures
        .iter()
        .filter_map(|(position, failure)| {
            let message = messages.get(*position)?;
            DeadLetter::new(*position, message, failure, &invocation.request_id)
        })
        .collect();
    let sent = match &deps.dead_letters {
        Some(queue) if !dead_letters.is_empty() => {
            queue.send(dead_letters, invocation.send_deadline()).await
        }
        Some(_) | None => Default::default(),
    };
    failures
        .into_iter()
        .map(|(position, failure)| {
            let disposition = if sent.contains(&position) {
                Disposition::DeadLettered(failure.code)
            } else {
                Disposition::Retry(RetryReason::DeadLetterQueue(failure.code))
            };
            (position, disposition)
        })
        .collect()
}
