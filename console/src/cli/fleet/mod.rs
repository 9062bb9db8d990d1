//! `fleet`: all environments at once.
//!
//! Invariant: only where every environment is `ok` the exit code is 0.

pub(crate) mod arguments;

use serde::Serialize;

use self::arguments::FleetCommand;
use super::table::{Align, Keep, Table};
use super::{CommandError, Exit, GlobalArguments, Output};
use crate::fleet_words::{ago, last_stored, messages, oldest, per_minute, place, schema};
use crate::text::{UNKNOWN, count};
use pipeline::environment::Environment;
use pipeline::fleet::{self, FleetRow, FleetState};
use pipeline::printable_lines;

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
