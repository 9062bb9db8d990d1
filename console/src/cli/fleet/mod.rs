//! `fleet`: all environments at once.
//!
//! Invariant: only where every environment is `ok` the exit code is 0.

pub(crate) mod arguments;

use chrono::{DateTime, Utc};
use serde::Serialize;

use self::arguments::FleetCommand;
use super::table::{Align, Keep, Table};
use super::{CommandError, Exit, GlobalArguments, Output};
use crate::text::{UNKNOWN, age_secs, count, short, short_span_secs};
use pipeline::environment::Environment;
use pipeline::fleet::{self, FleetQueue, FleetRow, FleetState};
use pipeline::printable_lines;
use store::MIGRATOR;

#[derive(Debug, Serialize)]
struct Fleet {
    environments: Vec<FleetRow>,
}

pub(super) async fn run(
    command: FleetCommand,
    global: &GlobalArguments,
    output: Output,
) -> Result<Exit, CommandError> {
    let FleetCommand::Status { only } = command;
    let every = Environment::every(&only, global.config.as_deref())?;
    let fleet = Fleet {
        environments: fleet::read(every).await,
    };
    let exit = exit(&fleet.environments);
    if output.is_json() {
        output.json(&fleet)?;
    } else {
        output.table(&table(&fleet.environments))?;
        for row in &fleet.environments {
            if let Some(told) = told(row) {
                output.note(&printable_lines(&told));
            }
        }
    }
    Ok(exit)
}

fn exit(rows: &[FleetRow]) -> Exit {
    if rows.iter().any(FleetRow::is_unreachable_in_part) {
        Exit::Unreachable
    } else if rows.iter().any(|row| row.state != FleetState::Ok) {
        Exit::Failed
    } else {
        Exit::Done
    }
}

/// The reason and the next step, and how much more there is.
fn told(row: &FleetRow) -> Option<String> {
    let reason = row.reason.as_deref()?;
    let all = row.findings.len() + row.errors.len();
    let more = match all.saturating_sub(1) {
        0 => String::new(),
        more => format!(
            " (and {more} more: opsconsole --env {} status)",
            row.environment
        ),
    };
    let next_step = row.next_step.as_deref().unwrap_or_default();
    Some(format!(
        "{}: {reason}{more}\n  {next_step}",
        row.environment
    ))
}

fn table(rows: &[FleetRow]) -> Table {
    let mut table = Table::new(&[
        ("ENVIRONMENT", Align::Left, Keep::Always),
        ("STATE", Align::Left, Keep::Always),
        ("WHERE", Align::Left, Keep::Drop(4)),
        ("QUEUE", Align::Right, Keep::Always),
        ("OLDEST", Align::Right, Keep::Always),
        ("DEAD", Align::Right, Keep::Always),
        ("PER MIN", Align::Right, Keep::Drop(2)),
        ("LAST STORED", Align::Right, Keep::Drop(1)),
        ("SCHEMA", Align::Left, Keep::Drop(5)),
        ("METRICS OF", Align::Right, Keep::Drop(3)),
        ("REASON", Align::Left, Keep::Cut),
    ]);
    let number = |number: Option<u64>| number.map_or_else(|| UNKNOWN.to_owned(), count);
    for row in rows {
        let queue = row.queue;
        let dead_letters = row.dead_letters;
        table.row([
            &row.environment,
            row.state.as_str(),
            &place(row),
            &number(queue.map(messages)),
            &oldest(queue),
            &number(dead_letters.map(|queue| queue.visible + queue.in_flight)),
            &per_minute(
                row.stored_per_minute,
                row.stored_per_minute_until,
                row.read_at,
            ),
            &last_stored(row),
            &schema(row.schema_version),
            &ago(row.metrics_age_secs),
            row.reason.as_deref().unwrap_or("-"),
        ]);
    }
    table
}

const fn messages(queue: FleetQueue) -> u64 {
    queue.visible + queue.in_flight + queue.delayed
}

/// The greatest age in a period of its metric; a queue that is empty has no oldest message.
fn oldest(queue: Option<FleetQueue>) -> String {
    match queue.map(|queue| (messages(queue), queue.oldest_age_secs)) {
        Some((0, _)) => "none".to_owned(),
        Some((_, Some(secs))) => format!("≤ {}", short_span_secs(secs)),
        Some((_, None)) | None => UNKNOWN.to_owned(),
    }
}

/// The rate, and how long ago the time that it is of ended: without newer batches that does not move.
fn per_minute(
    rate: Option<f64>,
    until: Option<DateTime<Utc>>,
    read_at: Option<DateTime<Utc>>,
) -> String {
    let rate = rate.map_or_else(|| UNKNOWN.to_owned(), short);
    match until.zip(read_at) {
        Some((until, read_at)) => format!("{rate} to {}", ago(Some(age_secs(until, read_at)))),
        None => rate,
    }
}

fn last_stored(row: &FleetRow) -> String {
    let bound = match row.last_stored_age_secs {
        Some(_) if row.last_stored_is_bound => "≤ ",
        Some(_) | None => "",
    };
    format!("{bound}{}", ago(row.last_stored_age_secs))
}

fn ago(secs: Option<u64>) -> String {
    secs.map_or_else(
        || UNKNOWN.to_owned(),
        |secs| format!("{} ago", short_span_secs(secs)),
    )
}

/// The emulator, or account and region.
fn place(row: &FleetRow) -> String {
    if let Some(endpoint) = &row.endpoint {
        return endpoint.clone();
    }
    match (&row.account, &row.region) {
        (Some(account), Some(region)) => format!("{account}/{region}"),
        (None, Some(region)) => region.clone(),
        (_, None) => UNKNOWN.to_owned(),
    }
}

/// The version, and whether it is another than that of this program.
fn schema(version: Option<i64>) -> String {
    let Some(version) = version else {
        return UNKNOWN.to_owned();
    };
    let own = MIGRATOR.iter().map(|migration| migration.version).max();
    match own.map(|own| version.cmp(&own)) {
        Some(std::cmp::Ordering::Less) => format!("{version} (older)"),
        Some(std::cmp::Ordering::Greater) => format!("{version} (newer)"),
        Some(std::cmp::Ordering::Equal) | None => version.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_says_how_long_ago_its_time_ended() {
        let at = |secs: i64| DateTime::from_timestamp(1_795_000_000 + secs, 0);
        assert_eq!(
            per_minute(Some(1_041.0), at(0), at(35)),
            "1,041 to 35 s ago"
        );
        assert_eq!(per_minute(None, None, at(35)), UNKNOWN);
    }

    #[test]
    fn age_of_the_oldest_message_is_at_most_that_of_its_metric() {
        let queue = |visible, oldest_age_secs| FleetQueue {
            visible,
            in_flight: 0,
            delayed: 0,
            oldest_age_secs,
        };
        assert_eq!(oldest(Some(queue(2, Some(57)))), "≤ 57 s");
        assert_eq!(oldest(Some(queue(2, None))), UNKNOWN);
        assert_eq!(oldest(Some(queue(0, None))), "none");
        assert_eq!(oldest(None), UNKNOWN);
    }
}
