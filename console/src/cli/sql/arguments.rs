//! The arguments of `sql`.
//!
//! Invariant: as in [`crate::cli::arguments`].

use std::time::Duration;

use clap::Args;

use crate::tui::filter::{SPAN_FORMS, span_secs};

/// Longest time on the server.
const TIMEOUT_SECS_MAX: u64 = 600;

pub(crate) const EXAMPLES: &str = "\
Examples:
  opsconsole sql 'select type, count(*) from records group by 1 order by 2 desc'
  opsconsole sql \"select payload->'data'->>'gate' as gate, count(*) from records
      where occurred_at >= now() - interval '1 hour' group by 1\" --output json
  opsconsole sql - < question.sql
  opsconsole sql --history

One question is asked, in a read-only transaction of a connection of its own: no row can be
changed. It has the rights of the environment's database user, also for functions that act on the
server itself (pg_terminate_backend, pg_advisory_lock). The server ends it after --timeout, when
a signal comes (SIGINT is Ctrl-C), and some seconds after this program is killed. A
range of occurred_at keeps it to the partitions that have it: a question without one reads every
record. --limit rows are shown, 8 MiB at most and 1 MiB a row; what is cut is said.
It needs the database itself (database_url), on AWS through a tunnel: the API takes no SQL.

The last 100 questions are kept on this machine, for this user alone; `erase` leaves them.
--history lists them, and --no-history keeps one out. The server may log a slow one with its text.

JSON output: {\"columns\", \"rows\": [[VALUE, ...]], \"is_cut\", \"elapsed_ms\"}; values are JSON as
PostgreSQL writes it. With --history: [{\"at\", \"environment\", \"sql\"}]. Exit code 1 where the database
refused it, 3 where it could not be reached, 130 where it was interrupted.";

/// What is asked, and what it may take.
#[derive(Debug, Args)]
pub struct SqlArguments {
    /// One statement with rows: select, with, values, table, show or explain; `-` reads standard
    /// input
    #[arg(value_name = "SQL", required_unless_present = "history")]
    pub sql: Option<String>,
    /// How long the database may work on it, like 30s or 5m; at most 10m
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = time_limit)]
    pub timeout: Duration,
    /// Most rows that are shown
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// List the questions that were asked from this machine, the newest last
    #[arg(long, conflicts_with_all = ["sql", "no_history"])]
    pub history: bool,
    /// Do not keep this one in the history
    #[arg(long)]
    pub no_history: bool,
}

fn time_limit(text: &str) -> Result<Duration, String> {
    let secs = span_secs(text).and_then(|secs| u64::try_from(secs).ok());
    match secs {
        Some(secs @ 1..=TIMEOUT_SECS_MAX) => Ok(Duration::from_secs(secs)),
        Some(_) => Err("from 1s to 10m".to_owned()),
        None => Err(format!("not a span like {SPAN_FORMS}")),
    }
}
