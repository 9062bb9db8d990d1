//! A run without the console: traffic for some time, then the counts.
//!
//! Invariant: outcomes are counted when every message has one, or when some will not get one: the queue is
//! empty and nothing changes, the time limit is reached, or a part of the stack has ended. What is known
//! then is printed in any case.

use std::future::Future;
use std::time::Duration;

use devstack::traffic::{Remembered, Traffic};
use devstack::{Stack, read_dead_letters};
use tokio::time::{Instant, MissedTickBehavior};

use super::account::{Account, Evidence, Progress, in_ledger};
use super::failure::failed;
use crate::cli::{CommandError, Exit, Output};
use crate::text::{UNKNOWN, in_words, messages_in_words, was_or_were};
use pipeline::Pipeline;
use pipeline::environment::Environment;
use pipeline::model::QueueRole;

/// Longest wait for the queue to drain.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);
/// If the queue is empty and nothing has changed for this long, no more outcomes are expected.
const QUIET_LIMIT: Duration = Duration::from_secs(5);
/// Polling interval while the queue drains.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Time limit of reading the dead letters.
const READ_LIMIT: Duration = Duration::from_secs(60);
/// Time limit of each other number.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

pub(super) async fn run(
    environment: &Environment,
    stack: &Stack,
    traffic: Traffic,
    duration: Duration,
    output: Output,
) -> Result<Exit, CommandError> {
    output.note(&format!("traffic for {} s", duration.as_secs()));
    let failure = stack.wait_for_failure();
    let mut failure = tokio::time::timeout(duration, failure).await.ok();
    let report = traffic.stop().await.map_err(failed)?;
    if report.counts.refused > 0 {
        output.note(&format!(
            "{} {} refused by the topic or got no response",
            messages_in_words(report.counts.refused),
            was_or_were(report.counts.refused)
        ));
    }
    let published = report.counts.accepted;
    let remembered = report.remembered.unwrap_or_default();
    let pipeline = Pipeline::connect(environment)?;
    if failure.is_none() {
        failure = tokio::select! {
            () = drain(&pipeline, stack, published, &remembered) => None,
            failure = stack.wait_for_failure() => Some(failure),
        };
    }
    let evidence = collect(&pipeline, stack, &remembered).await;
    if let Ok(messages) = &evidence.dead_letters
        && messages.unread > 0
    {
        output.note(&format!(
            "dead letters received by other consumers, counted without reading: {}",
            messages.unread
        ));
    }
    let account = Account::of(published, &remembered, &evidence);
    print(&account, output)?;
    match failure {
        Some(failure) => Err(failed(failure)),
        None if account.is_right() => Ok(Exit::Done),
        None => Ok(Exit::Failed),
    }
}

/// Reads each number from its source; one that cannot be read does not keep the others from being read.
async fn collect(pipeline: &Pipeline, stack: &Stack, remembered: &Remembered) -> Evidence {
    let dead_letters = read_dead_letters(stack.endpoints(), READ_LIMIT);
    let pending = async {
        let depth = pipeline.queue_depth(QueueRole::Source).await;
        depth.map(|depth| depth.total())
    };
    Evidence {
        pending: within(ANSWER_LIMIT, pending).await,
        stored: within(ANSWER_LIMIT, in_ledger(pipeline, remembered)).await,
        dead_letters: within(READ_LIMIT + ANSWER_LIMIT, dead_letters).await,
        counts: stack.ingest_counts().map_err(|error| error.to_string()),
    }
}

async fn within<T, E: ToString>(
    limit: Duration,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", limit.as_secs())),
    }
}

fn print(account: &Account, output: Output) -> Result<(), CommandError> {
    for text in account.unknown_texts() {
        output.note(&text);
    }
    if let Some(redelivered @ 1..) = account.redelivered {
        output.note(&format!(
            "SQS delivered {} again after the event was stored; each counts once",
            messages_in_words(redelivered)
        ));
    }
    match account.surplus() {
        None | Some(0) => {}
        Some(surplus @ 1..) => output.note(&format!(
            "the counts do not add up: {} than published messages; others may have \
             published too",
            in_words(surplus.unsigned_abs(), "more outcome")
        )),
        Some(missing) => output.note(&format!(
            "the counts do not add up: {} than published messages",
            in_words(missing.unsigned_abs(), "fewer outcome")
        )),
    }
    if output.is_json() {
        return output.json(account);
    }
    let known = |number: Option<u64>| number.map_or_else(|| UNKNOWN.to_owned(), |n| n.to_string());
    output.text(&format!(
        "published {}, stored {}, duplicates {}, dead-lettered {}, pending {}, lost {}\n",
        account.published,
        known(account.stored),
        known(account.duplicates),
        known(account.dead_lettered),
        known(account.pending),
        known(account.lost)
    ))
}

/// Waits until every message has an outcome, or nothing changes any more. What does not answer may answer
/// again, until the time limit.
async fn drain(pipeline: &Pipeline, stack: &Stack, published: u64, remembered: &Remembered) {
    let deadline = Instant::now() + DRAIN_LIMIT;
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last: Option<(Progress, Instant)> = None;
    loop {
        let now = ticks.tick().await;
        if now >= deadline {
            return;
        }
        let read = async {
            let counts = stack.ingest_counts().map_err(|error| error.to_string())?;
            let progress = Progress::read(pipeline, remembered, counts).await;
            progress.map_err(|error| error.to_string())
        };
        let progress = match within(ANSWER_LIMIT, read).await {
            Ok(progress) => progress,
            Err(error) => {
                tracing::warn!(%error, "the progress was not read");
                continue;
            }
        };
        let since = match last {
            Some((before, since)) if before == progress => since,
            Some(_) | None => now,
        };
        last = Some((progress, since));
        let is_quiet = progress.is_drained() && now - since >= QUIET_LIMIT;
        if progress.is_settled(published) || is_quiet {
            return;
        }
    }
}
