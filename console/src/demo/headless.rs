//! A run without the console: traffic for a while, then the account.
//!
//! Invariant: the account is drawn up when every message has come to its end, or when it is clear that
//! some will not: the queue is empty and nothing moves, or the limit is over.

use std::time::Duration;

use devstack::traffic::{Remembered, Traffic};
use devstack::{Stack, read_dead_letters};
use tokio::time::{Instant, MissedTickBehavior};

use super::account::{Account, Standing};
use super::failed;
use crate::cli::{CommandError, Exit, Output};
use pipeline::Pipeline;
use pipeline::environment::Environment;

/// Limit of waiting for the queue to drain.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);
/// What has not come to its end when the queue is empty and nothing has moved for so long does not
/// come any more.
const QUIET_LIMIT: Duration = Duration::from_secs(5);
/// Pause between two looks while it drains.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Limit of reading the dead letters.
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
            "{} messages were refused by the topic or not answered for",
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
            "dead letters held elsewhere and counted unread: {}",
            messages.unread
        ));
    }
    let counts = stack.ingest_counts().map_err(failed)?;
    let account = Account::take(&pipeline, published, &remembered, counts, &messages).await?;
    tell(&account, output)?;
    Ok(if account.is_right() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn tell(account: &Account, output: Output) -> Result<(), CommandError> {
    match account.surplus() {
        0 => {}
        surplus @ 1.. => output.note(&format!(
            "the account does not add up: {surplus} more came to an end than were published; a \
             message was delivered twice, or others published too"
        )),
        missing => output.note(&format!(
            "the account does not add up: {} fewer came to an end than were published",
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

/// Waits until every message has come to its end, or nothing moves any more.
async fn drain(
    pipeline: &Pipeline,
    stack: &Stack,
    published: u64,
    remembered: &Remembered,
) -> Result<(), CommandError> {
    let deadline = Instant::now() + DRAIN_LIMIT;
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last: Option<(Standing, Instant)> = None;
    loop {
        let now = looks.tick().await;
        let counts = stack.ingest_counts().map_err(failed)?;
        let standing = Standing::take(pipeline, remembered, counts).await?;
        let since = match last {
            Some((before, since)) if before == standing => since,
            Some(_) | None => now,
        };
        last = Some((standing, since));
        let is_quiet = standing.is_drained() && now - since >= QUIET_LIMIT;
        if standing.is_settled(published) || is_quiet || now >= deadline {
            return Ok(());
        }
    }
}
