//! `account`: whether a deployed pipeline lost or doubled events, hop by hop.
//!
//! Invariant: only a pipeline in which every hop is balanced ends with exit code 0.

pub(crate) mod arguments;

use chrono::Utc;
use pipeline::account::{Account, HopState};

use self::arguments::AccountArguments;
use super::table::{Align, Keep, Table, moment};
use super::{CommandError, Exit, Session};
use crate::text::count;

pub(super) async fn run(
    session: &Session,
    arguments: &AccountArguments,
) -> Result<Exit, CommandError> {
    let shortest = session.pipeline.account_span_min();
    if arguments.since < shortest {
        return Err(CommandError::Usage(format!(
            "--since {} s is too short: choose at least {} s, of which the last ones have no complete metrics yet",
            arguments.since.as_secs(),
            shortest.as_secs()
        )));
    }
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
        let more = hop.left.zip(hop.came);
        let more = more.map_or(0, |(left, came)| left.saturating_sub(came));
        let by = hop.difference.unwrap_or_default().unsigned_abs();
        let state = match hop.state {
            HopState::Balanced => {
                let mut text = "balanced".to_owned();
                if hop.uncertainty > 0 {
                    text.push_str(&format!(" ± {}", count(hop.uncertainty)));
                }
                // Beside the two numbers, also where the note has no room.
                if more > hop.uncertainty {
                    text.push_str(&format!(", {} more explained", count(more)));
                }
                text
            }
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
