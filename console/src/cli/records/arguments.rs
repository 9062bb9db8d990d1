//! The arguments of `records`.
//!
//! Invariant: as in [`crate::cli::arguments`].

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use event::{Order, RecordQuery};

use crate::cli::time::time;
use crate::cli::values;
use crate::pointer::Pointer;
use crate::saved_filters::checked_name;
use crate::tui::filter;

pub(crate) const EXAMPLES: &str = "\
Examples:
  opsconsole records list --limit 20
  opsconsole records list 'flight.delayed source=/ops/flights since=2h'
  opsconsole records list yesterday --column /data/flight --column /data/minutes
  opsconsole records list --source /ops/flights --from 2026-01-31T00:00:00Z --order asc
  opsconsole records list --since 1h30m --until 2m
  opsconsole records list --cursor \"$next_cursor\" --output json
  opsconsole records get 1204554";

pub(crate) const FORMS: &str = "\
A TIME is 2026-11-24, 2026-11-24T06:30Z or full RFC 3339, in UTC where it has no offset, today or
yesterday, or a span back from now: 90s, 30m, 1h30m, 2d or 1w.

A FILTER is what the Records screen takes after /, as one argument: terms with blanks between them.
  type=flight.delayed    also source=, subject= and id=; a word alone is a type
  since=2h until=10m     any TIME; from= and to= mean the same
  -2h                    the last two hours; first in the line, write since=2h or `-- -2h`
  today                  since midnight UTC; yesterday and 2026-11-24 are whole days
  order=asc              oldest first
  @late                  the filter that was saved as \"late\", with its columns
Values with blanks stand in quotes: 'subject=\"two words\"'. Options add to it.

--column adds a column to the table; JSON output has the whole event in `payload` without it.";

const DIFF: &str = "\
Example:
  opsconsole records diff 1204553 1204554

The text is a unified difference of both events as they are laid out on the screens.
JSON output: {\"from\", \"to\", \"is_same\", \"changes\": [{\"pointer\", \"from\", \"to\"}], \"is_cut\"}: a JSON
pointer for each value that differs, null where it is absent; 1,000 changes at most. Exit code 0
whether or not they differ, 1 where there is no such record.";

const FILTERS: &str = "\
Examples:
  opsconsole records filters save late 'flight.delayed -2h' --column /data/minutes
  opsconsole records list @late
  opsconsole records filters remove late

They are those of the Records screen (s saves one, /@ shows them), kept on this machine for all
environments: 100 at most.
JSON output: [{\"name\", \"filter\", \"columns\"}], those that are saved then.";

/// The subcommands of `records`.
#[derive(Debug, Subcommand)]
pub enum RecordsCommand {
    /// List records, newest first
    #[command(after_help = FORMS)]
    List(RecordsListArguments),
    /// Show one record with its payload
    Get {
        /// The record's id, a whole number
        #[arg(value_parser = record_id, allow_negative_numbers = true)]
        record_id: i64,
    },
    /// Show what one record has otherwise than another one
    #[command(after_help = DIFF)]
    Diff {
        /// The record's id, a whole number
        #[arg(value_name = "RECORD_ID", value_parser = record_id, allow_negative_numbers = true)]
        from: i64,
        /// The id of the other record
        #[arg(value_name = "OTHER_ID", value_parser = record_id, allow_negative_numbers = true)]
        to: i64,
    },
    /// List, save and remove filters that have a name
    #[command(subcommand, after_help = FILTERS)]
    Filters(FiltersCommand),
}

/// The subcommands of `records filters`.
#[derive(Debug, Subcommand)]
pub enum FiltersCommand {
    /// List the saved filters
    List,
    /// Save a filter; one of that name is replaced
    Save {
        /// Letters, digits, dots, hyphens and underscores
        #[arg(value_parser = filter_name)]
        name: String,
        /// As `records list` takes it; empty for all records
        filter: String,
        /// JSON pointer into the event that gets a column; up to 6
        #[arg(long = "column", value_name = "POINTER", value_parser = column)]
        columns: Vec<Column>,
    },
    /// Remove a saved filter
    Remove {
        /// Its name
        name: String,
    },
}

/// Filters and position of a list of records.
#[derive(Debug, Args)]
pub struct RecordsListArguments {
    /// Which records, as on the Records screen, like 'flight.delayed since=2h'
    #[arg(value_name = "FILTER", value_parser = records_filter)]
    pub filter: Option<Filter>,
    /// Exact event type
    #[arg(long = "type", value_name = "TYPE", add = values::event_types())]
    pub event_type: Option<String>,
    /// Exact event source
    #[arg(long)]
    pub source: Option<String>,
    /// Exact event subject
    #[arg(long)]
    pub subject: Option<String>,
    /// Exact event id
    #[arg(long)]
    pub id: Option<String>,
    /// Earliest time of the event, inclusive: a time, or a span back from now
    #[arg(long, visible_alias = "since", value_name = "TIME", value_parser = time)]
    pub from: Option<DateTime<Utc>>,
    /// Latest time of the event, exclusive: a time, or a span back from now
    #[arg(long, visible_alias = "until", value_name = "TIME", value_parser = time)]
    pub to: Option<DateTime<Utc>>,
    /// `desc` is newest first, `asc` oldest first; default: desc
    #[arg(long)]
    pub order: Option<Order>,
    /// Records per page, at most 500
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = event::LIMIT_DEFAULT, value_parser = clap::value_parser!(u16).range(1..=i64::from(event::LIMIT_MAX)))]
    pub limit: u16,
    /// `next_cursor` of the previous page
    #[arg(long)]
    pub cursor: Option<String>,
    /// JSON pointer into the event, like /data/flight, as a column; up to 6
    #[arg(long = "column", value_name = "POINTER", value_parser = column)]
    pub columns: Vec<Column>,
}

/// A column of the operator's choice.
#[derive(Clone, Debug)]
pub struct Column(pub(crate) Pointer);

fn column(text: &str) -> Result<Column, String> {
    text.parse().map(Column)
}

/// Which records.
#[derive(Clone, Debug)]
pub enum Filter {
    /// Those of a query.
    Query(Box<RecordQuery>),
    /// Those of the saved filter of this name.
    Saved(String),
}

fn records_filter(text: &str) -> Result<Filter, String> {
    match text.trim().strip_prefix('@') {
        Some(name) => Ok(Filter::Saved(filter_name(name)?)),
        None => parsed(text).map(Box::new).map(Filter::Query),
    }
}

/// A filter, reckoned from now.
pub(super) fn parsed(text: &str) -> Result<RecordQuery, String> {
    filter::parse(text, Utc::now()).map_err(|error| error.to_string())
}

fn filter_name(name: &str) -> Result<String, String> {
    checked_name(name).map(str::to_owned)
}

fn record_id(text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(record_id @ 1..) => Ok(record_id),
        Ok(..=0) | Err(_) => {
            Err("a record id is a whole number like 1204554, as `records list` shows it".to_owned())
        }
    }
}
