//! The handling of one batch.

use std::time::SystemTime;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use event::{Event, Failure, FailureCode, parse_body};
use store::Written;
use tokio::time::Instant;

use crate::attempt::write_events;
use crate::deps::Deps;
use crate::fate::{Fate, Outcome, RetryReason};
use crate::invocation::Invocation;
use crate::isolate::Isolated;
use crate::letter::Letter;

/// Handles a batch: stores its events, sends its permanent failures to the dead-letter queue and
/// reports the rest for retry.
///
/// A message without an id cannot be reported by itself. If it is to be retried, an empty id is
/// answered, by which SQS takes the whole batch as failed: nothing is lost, and what was stored is
/// a duplicate next time.
pub async fn handle(batch: SqsEvent, invocation: &Invocation, deps: &Deps) -> SqsBatchResponse {
    handle_counted(batch, invocation, deps).await.0
}

/// A failure shows again, as a refused log-in, if the batch needs a new connection.
fn renew_log_in(deps: &Deps) {
    if let Some(log_in) = &deps.log_in
        && let Err(error) = log_in.renew(&deps.pool, SystemTime::now())
    {
        tracing::error!(%error, "log-in not renewed");
    }
}

/// [`handle`], with the counts that it logs.
pub async fn handle_counted(
    batch: SqsEvent,
    invocation: &Invocation,
    deps: &Deps,
) -> (SqsBatchResponse, Outcome) {
    let started = Instant::now();
    renew_log_in(deps);
    let messages = &batch.records;
    let fates = settle(messages, invocation, deps).await;
    let outcome = Outcome::of(&fates);
    tracing::info!(
        request_id = invocation.request_id,
        received = messages.len(),
        stored = outcome.stored,
        duplicates = outcome.duplicates,
        dead_lettered = outcome.dead_lettered,
        retried = outcome.retried,
        codes = outcome.codes_text(),
        duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "batch handled"
    );
    let mut response = SqsBatchResponse::default();
    for (message, fate) in messages.iter().zip(&fates) {
        if matches!(fate, Fate::Retry(_)) {
            response.add_failure(message.message_id.clone().unwrap_or_default());
        }
    }
    (response, outcome)
}

/// Gives each message its fate.
async fn settle(messages: &[SqsMessage], invocation: &Invocation, deps: &Deps) -> Vec<Fate> {
    let mut fates = vec![Fate::Retry(RetryReason::Database); messages.len()];
    let mut events: Vec<Event<'_>> = Vec::new();
    let mut positions: Vec<usize> = Vec::new();
    let mut invalid: Vec<(usize, Failure)> = Vec::new();
    for (position, message) in messages.iter().enumerate() {
        match parse_body(message.body.as_deref().unwrap_or_default()) {
            Ok(event) => {
                events.push(event);
                positions.push(position);
            }
            Err(failure) => invalid.push((position, failure)),
        }
    }
    // The letters need not wait for a database that is slow or away.
    let (written, buried) = futures::join!(
        write_events(&deps.pool, &events, invocation.write_deadline()),
        bury(messages, invalid, invocation, deps),
    );
    let mut refused: Vec<(usize, Failure)> = Vec::new();
    for (position, answer) in positions.into_iter().zip(written) {
        let fate = match answer {
            Isolated::Written(Written::Stored(_)) => Fate::Stored,
            Isolated::Written(Written::Duplicate) => Fate::Duplicate,
            Isolated::Unwritten => Fate::Retry(RetryReason::Database),
            Isolated::Refused(detail) => {
                let failure = Failure::new(FailureCode::RefusedByDatabase, detail);
                refused.push((position, failure));
                continue;
            }
        };
        set(&mut fates, position, fate);
    }
    for (position, fate) in buried {
        set(&mut fates, position, fate);
    }
    for (position, fate) in bury(messages, refused, invocation, deps).await {
        set(&mut fates, position, fate);
    }
    fates
}

fn set(fates: &mut [Fate], position: usize, fate: Fate) {
    if let Some(slot) = fates.get_mut(position) {
        *slot = fate;
    }
}

/// Sends permanent failures to the dead-letter queue.
async fn bury(
    messages: &[SqsMessage],
    failures: Vec<(usize, Failure)>,
    invocation: &Invocation,
    deps: &Deps,
) -> Vec<(usize, Fate)> {
    let letters: Vec<Letter> = failures
        .iter()
        .filter_map(|(position, failure)| {
            let message = messages.get(*position)?;
            Letter::write(*position, message, failure, &invocation.request_id)
        })
        .collect();
    let sent = match &deps.dead_letters {
        Some(queue) if !letters.is_empty() => queue.send(letters, invocation.send_deadline()).await,
        Some(_) | None => Default::default(),
    };
    failures
        .into_iter()
        .map(|(position, failure)| {
            let fate = if sent.contains(&position) {
                Fate::DeadLettered(failure.code)
            } else {
                Fate::Retry(RetryReason::DeadLetterQueue(failure.code))
            };
            (position, fate)
        })
        .collect()
}
