//! `account`: whether a deployed pipeline lost or doubled events, hop by hop.
//!
//! Invariant: only a pipeline in which every hop is balanced ends with exit code 0.

use std::time::Duration;

use chrono::Utc;
use clap::Args;
use pipeline::account::{Account, HopState};

use super::table::{Align, Keep, Table, moment};
use super::{CommandError, Exit, Session};
use crate::text::count;
use crate::tui::filter::{SPAN_FORMS, span_secs};

pub(super) const EXAMPLES: &str = "\
Examples:
  opsconsole --env pilot account --since 24h
  opsconsole --env pilot account --since 1h --output json

Balances each hop by the metrics of SNS, SQS and the ingest: what came to it is what left it, what
waits there, and what is missing or doubled. The last three minutes are left out, because their
metrics are not complete. A difference counts from beyond its uncertainty, which is what the first
and the last period have: both sides may count these differently. SQS counts approximately.
JSON output: {\"from\", \"until\", \"period_secs\", \"hops\": [{\"hop\", \"state\", \"came\", \"left\",
\"difference\", \"uncertainty\", \"note\"}]}; state is \"balanced\", \"missing\", \"doubled\" or \"unknown\";
a positive difference is missing. Exit code 1 where something is missing or doubled, 3 where a hop has
no metrics.";

/// Arguments of `account`.
#[derive(Debug, Args)]
pub struct AccountArguments {
    /// How far back: 30m, 24h, 7d; CloudWatch keeps minutes for 15 days
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = span)]
    since: Duration,
}

/// Longest time: CloudWatch keeps values of less than five minutes for 15 days (CloudWatch user guide, "Metrics
/// retention"); longer periods would hide a fault.
const SINCE_MAX: Duration = Duration::from_secs(15 * 86_400);
const SINCE_MIN: Duration = Duration::from_secs(60);

fn span(text: &str) -> Result<Duration, String> {
    span_secs(text)
        .and_then(|secs| u64::try_from(secs).ok())
        .map(Duration::from_secs)
        .filter(|span| (SINCE_MIN..=SINCE_MAX).contains(span))
        .ok_or_else(|| format!("not a span like {SPAN_FORMS}, from 1m to 15d"))
}

pub(super) async fn run(
    session: &Session,
    arguments: &AccountArguments,
) -> Result<Exit, CommandError> {
    let account = session
        .pipeline
        .account(arguments.since, Utc::now())
        .await?;
    let output = session.output;
    if output.is_json() {
        output.json(&account)?;
    } else {
        output.text(&format!(
            "{} to {}, in periods of {} s\n\n",
            moment(account.from),
            moment(account.until),
            account.period_secs
        ))?;
        output.table(&table(&account))?;
    }
    Ok(match account.worst() {
        HopState::Balanced => Exit::Done,
        HopState::Missing | HopState::Doubled => Exit::Failed,
        HopState::Unknown => Exit::Unreachable,
    })
}

fn table(account: &Account) -> Table {
    let mut table = Table::new(&[
        ("HOP", Align::Left, Keep::Always),
        ("CAME", Align::Right, Keep::Always),
        ("LEFT", Align::Right, Keep::Always),
        ("STATE", Align::Left, Keep::Always),
        ("NOTE", Align::Left, Keep::Drop(1)),
    ]);
    let number = |value: Option<u64>| value.map_or_else(|| "unknown".to_owned(), count);
    for hop in &account.hops {
        let by = hop.difference.unwrap_or_default().unsigned_abs();
        let state = match hop.state {
            HopState::Balanced if hop.uncertainty > 0 => {
                format!("balanced ± {}", count(hop.uncertainty))
            }
            HopState::Balanced => "balanced".to_owned(),
            HopState::Missing => format!("{} missing ± {}", count(by), count(hop.uncertainty)),
            HopState::Doubled => format!("{} doubled ± {}", count(by), count(hop.uncertainty)),
            HopState::Unknown => "unknown".to_owned(),
        };
        table.row([
            hop.hop,
            &number(hop.came),
            &number(hop.left),
            &state,
            &hop.note,
        ]);
    }
    table
}
