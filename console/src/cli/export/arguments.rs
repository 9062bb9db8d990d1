//! The arguments of `export`.
//!
//! Invariant: as in [`crate::cli::arguments`].

use chrono::{DateTime, Utc};
use clap::Args;
use export::{Format, Target};

use crate::cli::time::time;
use crate::cli::values;

pub(crate) const EXAMPLES: &str = "\
Examples:
  opsconsole export --from 2026-11-01 --to 2026-12-01 --into november
  opsconsole export --since 30d --type flight.delayed --format csv --into delays
  opsconsole export --since-last --into s3://warehouse/events      what arrived since the last run

The files are TARGET/occurred_on=DAY/part-NUMBER-RUN.parquet (or .csv.zst, .jsonl.zst), one folder
for each UTC day of `occurred_at`, as Hive, Spark, DuckDB, Redshift and BigQuery read them. Columns:
record_id, source, id, type, subject, occurred_at, ingested_at, payload (the whole event as JSON). A
file appears when it is complete. The same request continues an export that was interrupted: where
the times were relative, the message of its end has them to repeat. The checkpoint is
TARGET/_opsconsole_export.json, and one target belongs to one request and one database. A service
that is away or busy is asked again for some minutes.

--from and --to select by the time of the event: one that arrives during the export, with a time
that the export has passed, is not in it. --since-last reads in the order of arrival and misses
nothing.

JSON output: {\"into\", \"format\", \"rows\", \"files\", \"bytes\", \"rows_total\", \"is_continued\"}; rows, files
and bytes are of this run, rows_total of all runs into the target.";

/// Which records, in which form, to where.
#[derive(Clone, Debug, Args)]
pub struct ExportRecordsArguments {
    /// Earliest time of the event, inclusive: a time, or a span back from now
    #[arg(long, visible_alias = "since", value_name = "TIME", value_parser = time, required_unless_present = "since_last")]
    pub from: Option<DateTime<Utc>>,
    /// Latest time of the event, exclusive: a time, or a span back from now; default: now
    #[arg(long, visible_alias = "until", value_name = "TIME", value_parser = time)]
    pub to: Option<DateTime<Utc>>,
    /// Everything that arrived since the last run into the target
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub since_last: bool,
    /// Exact event type; may be given several times
    #[arg(long = "type", value_name = "TYPE", add = values::event_types())]
    pub types: Vec<String>,
    /// Exact event source
    #[arg(long)]
    pub source: Option<String>,
    /// Format of the files: parquet, csv or jsonl
    #[arg(long, default_value_t = Format::default())]
    pub format: Format,
    /// Folder, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "TARGET")]
    pub into: Target,
}
