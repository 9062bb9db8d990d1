//! The handling of one batch: validate, write, dead-letter the failures, report the rest.
//!
//! Invariant: each message gets exactly one disposition, and only a confirmed write or send spares
//! it the report for retry.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::SqsBatchResponse;
use event::{Event, Failure, FailureCode, RecordId, parse_body};
use store::{Replaced, Replacement, Written};
use tokio::time::Instant;

use crate::batch::{Batch, Message};
use crate::bisect::ItemResult;
use crate::dead_letter_entry::DeadLetter;
use crate::deps::Deps;
use crate::disposition::{Disposition, Outcome, RetryReason};
use crate::invocation::Invocation;
use crate::replacement::{replace_events, replaced, stale};
use crate::report::{Lag, Report, late};
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

/// The messages of a batch by what is done with them, each with its place.
#[derive(Default)]
struct Sorted<'a> {
    events: Vec<Event<'a>>,
    positions: Vec<usize>,
    replacing: Vec<(usize, Event<'a>, RecordId)>,
    invalid: Vec<(usize, Failure)>,
}

impl<'a> Sorted<'a> {
    fn of(
        messages: &'a [Message],
        deps: &Deps,
        (report, traces): (&mut Report, &mut HashSet<TraceId>),
    ) -> Self {
        let mut sorted = Self::default();
        sorted.events.reserve(messages.len());
        sorted.positions.reserve(messages.len());
        for (position, message) in messages.iter().enumerate() {
            let (failure, trace) = match parse_body(message.body.as_deref().unwrap_or_default()) {
                Ok(event) => {
                    let trace = TraceId::of_event(&event);
                    traces.extend(trace);
                    match replaced(message, &event, deps.replacements_allowed) {
                        Ok(None) => {
                            sorted.events.push(event);
                            sorted.positions.push(position);
                            continue;
                        }
                        Ok(Some(record_id)) => {
                            sorted.replacing.push((position, event, record_id));
                            continue;
                        }
                        Err(failure) => (failure, trace),
                    }
                }
                Err(failure) => {
                    let trace = message.body.as_deref().and_then(TraceId::of_body);
                    traces.extend(trace);
                    (failure, trace)
                }
            };
            report.note_failure(failure.code, trace);
            sorted.invalid.push((position, failure));
        }
        sorted
    }
}

/// How the write of an event ended for its message.
struct Ended {
    end: Result<Disposition, Failure>,
    /// When it was stored.
    stored_at: Option<SystemTime>,
}

impl Ended {
    fn of_write(result: ItemResult<Committed<Written>>) -> Self {
        Self::of(result, |written| {
            Ok(match written {
                Written::Stored(_) => Disposition::Stored,
                Written::Duplicate => Disposition::Duplicate,
                Written::Expired => Disposition::Expired,
            })
        })
    }

    fn of_replacement(result: ItemResult<Committed<Replaced>>, replaces: RecordId) -> Self {
        Self::of(result, |replaced| match replaced {
            Replaced::Stored(_) => Ok(Disposition::Replaced),
            Replaced::Duplicate => Ok(Disposition::Duplicate),
            Replaced::Expired => Ok(Disposition::Expired),
            Replaced::Stale(why) => Err(stale(replaces, why)),
        })
    }

    fn of<T>(
        result: ItemResult<Committed<T>>,
        end: impl FnOnce(T) -> Result<Disposition, Failure>,
    ) -> Self {
        let (end, at) = match result {
            ItemResult::Written(Committed { written, at }) => (end(written), Some(at)),
            ItemResult::Unwritten => (Ok(Disposition::Retry(RetryReason::Database)), None),
            ItemResult::Refused(detail) => {
                let failure = Failure::new(FailureCode::RefusedByDatabase, detail);
                (Err(failure), None)
            }
        };
        let is_stored = matches!(end, Ok(Disposition::Stored | Disposition::Replaced));
        Self {
            end,
            stored_at: at.filter(|_| is_stored),
        }
    }
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
    let Sorted {
        events,
        positions,
        replacing,
        invalid,
    } = Sorted::of(messages, deps, (&mut report, &mut traces));
    let replacements = replacing.iter().map(|(_, event, replaces)| Replacement {
        event,
        replaces: *replaces,
    });
    let replacements: Vec<Replacement<'_>> = replacements.collect();
    // Invalid messages need not wait for a slow or unavailable database.
    let write = async {
        let (started, deadline) = (Instant::now(), invocation.write_deadline());
        let written = write_events(&deps.pool, &events, deadline).await;
        let replaced = replace_events(&deps.pool, &replacements, deadline).await;
        (written, replaced, started.elapsed())
    };
    let ((written, replaced, database), dead_lettered) =
        futures::join!(write, dead_letter(messages, invalid, invocation, deps));
    let written = positions.into_iter().zip(&events).zip(written);
    let written = written.map(|(message, result)| (message, Ended::of_write(result)));
    let replaced = replacing.iter().zip(replaced);
    let replaced = replaced.map(|((position, event, replaces), result)| {
        let ended = Ended::of_replacement(result, *replaces);
        ((*position, event), ended)
    });
    let mut lags: Vec<Duration> = Vec::with_capacity(events.len());
    let mut refused: Vec<(usize, Failure)> = Vec::new();
    for ((position, event), Ended { end, stored_at }) in written.chain(replaced) {
        if let Some(at) = stored_at {
            let sent_at = messages.get(position).and_then(Message::sent_at);
            // Clocks may differ: then the lag is 0.
            lags.extend(sent_at.map(|sent| at.duration_since(sent).unwrap_or_default()));
        }
        match end {
            Ok(disposition) => set(&mut dispositions, position, disposition),
            Err(failure) => {
                report.note_failure(failure.code, TraceId::of_event(event));
                refused.push((position, failure));
            }
        }
    }
    for (position, disposition) in dead_lettered {
        set(&mut dispositions, position, disposition);
    }
    for (position, disposition) in dead_letter(messages, refused, invocation, deps).await {
        set(&mut dispositions, position, disposition);
    }
    let has_events = !events.is_empty() || !replacing.is_empty();
    report.database = has_events.then_some(database);
    report.late = late(&lags);
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
