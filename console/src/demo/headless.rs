//! A run without the console: traffic for some time, then the counts.
//!
//! Invariant: outcomes are counted when every message has one, or when some will not get one: the queue is
//! empty and nothing changes, or the time limit is reached.

use std::time::Duration;

use devstack::traffic::{Remembered, Traffic};
use devstack::{Stack, read_dead_letters};
use tokio::time::{Instant, MissedTickBehavior};

use super::account::{Account, Progress};
use super::failure::failed;
use crate::cli::{CommandError, Exit, Output};
use pipeline::Pipeline;
use pipeline::environment::Environment;

/// Longest wait for the queue to drain.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);
/// If the queue is empty and nothing has changed for this long, no more outcomes are expected.
const QUIET_LIMIT: Duration = Duration::from_secs(5);
/// Polling interval while the queue drains.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Time limit of reading the dead letters.
const READ_LIMIT: Duration = Duration::from_secs(60);

pub(super) async fn run(
    environment: &Environment,
    stack: &Stack,
    traffic: Traffic,
    duration: Duration,
    output: Output,
) -> Result<Exit, CommandError> {
    output.note(&format!("traffic for {} s", duration.as_secs()));
    tokio::time::sleep(duration).await;
    let report = traffic.stop().await.map_err(failed)?;
    if report.counts.refused > 0 {
        output.note(&format!(
            "{} messages were refused by the topic or got no response",
            report.counts.refused
        ));
    }
    let published = report.counts.accepted;
    let remembered = report.remembered.unwrap_or_default();
    let pipeline = Pipeline::connect(environment)?;
    drain(&pipeline, stack, published, &remembered).await?;
    let messages = read_dead_letters(stack.endpoints(), READ_LIMIT)
        .await
        .map_err(failed)?;
    if messages.unread > 0 {
        output.note(&format!(
            "dead letters received by other consumers, counted without reading: {}",
            messages.unread
        ));
    }
    let counts = stack.ingest_counts().map_err(failed)?;
    let account = Account::read(&pipeline, published, &remembered, counts, &messages).await?;
    print(&account, output)?;
    Ok(if account.is_right() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn print(account: &Account, output: Output) -> Result<(), CommandError> {
    match account.surplus() {
        0 => {}
        surplus @ 1.. => output.note(&format!(
            "the counts do not add up: {surplus} more outcomes than published messages; a message \
             was delivered twice, or others published too"
        )),
        missing => output.note(&format!(
            "the counts do not add up: {} fewer outcomes than published messages",
            missing.unsigned_abs()
        )),
    }
    if output.is_json() {
        return output.json(account);
    }
    output.text(&format!(
        "published {}, stored {}, duplicates {}, dead-lettered {}, pending {}, lost {}\n",
        account.published,
        account.stored,
        account.duplicates,
        account.dead_lettered,
        account.pending,
        account.lost
    ))
}

/// Waits until every message has an outcome, or nothing changes any more.
async fn drain(
    pipeline: &Pipeline,
    stack: &Stack,
    published: u64,
    remembered: &Remembered,
) -> Result<(), CommandError> {
    let deadline = Instant::now() + DRAIN_LIMIT;
    let mut ticks = tokio::time::interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last: Option<(Progress, Instant)> = None;
    loop {
        let now = ticks.tick().await;
        let counts = stack.ingest_counts().map_err(failed)?;
        let progress = Progress::read(pipeline, remembered, counts).await?;
        let since = match last {
            Some((before, since)) if before == progress => since,
            Some(_) | None => now,
        };
        last = Some((progress, since));
        let is_quiet = progress.is_drained() && now - since >= QUIET_LIMIT;
        if progress.is_settled(published) || is_quiet || now >= deadline {
            return Ok(());
        }
    }
}
