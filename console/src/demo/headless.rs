//! A run without the console: traffic for a while, then the account.
//!
//! Invariant: the account is taken after the queue is empty or the limit is over, and says which.

use std::time::Duration;

use devstack::traffic::{Traffic, TrafficReport};
use tokio::time::{Instant, MissedTickBehavior};

use super::account::Account;
use super::failed;
use crate::cli::{CommandError, Exit, Output};
use crate::environment::Environment;
use crate::world::World;

/// Limit of waiting for the queue to drain.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);
/// Pause between two looks while it drains.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

pub(super) async fn run(
    environment: &Environment,
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
    let world = World::connect(environment)?;
    let account = settle(&world, &report).await?;
    if output.is_json() {
        output.json(&account)?;
    } else {
        output.text(&format!(
            "published {}, stored {}, duplicates {}, dead-lettered {}, pending {}, lost {}\n",
            account.published,
            account.stored,
            account.duplicates,
            account.dead_lettered,
            account.pending,
            account.lost
        ))?;
    }
    Ok(if account.lost == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// Waits until every message has come to its end.
async fn settle(world: &World, report: &TrafficReport) -> Result<Account, CommandError> {
    let deadline = Instant::now() + DRAIN_LIMIT;
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let account = Account::take(world, report).await?;
        if account.is_settled() || Instant::now() >= deadline {
            return Ok(account);
        }
    }
}
