//! What can be written on the command line.
//!
//! Invariant: what clap accepts is within the limits of the operation; the rest is a usage error
//! (exit code 2) before anything is asked of the pipeline.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use event::{Cursor, Order};

use super::dlq;
use super::dlq::arguments::DlqCommand;
use super::redrive;
use super::redrive::arguments::RedriveCommand;
use super::tidy::{self, TidyArguments};
use crate::tui::filter::{self, INSTANT_FORMS, SPAN_FORMS};

const EXAMPLES: &str = "\
Examples:
  opsconsole                                    the console, on the only environment there is
  opsconsole --env pilot status                 one look at every hop of the pipeline
  opsconsole publish event.json                 validate an event and publish it
  opsconsole redrive run --all --canary 1,10    messages back to the queue, with proof
  opsconsole records list --type flight.delayed --limit 10
  opsconsole demo                               a whole pipeline on this machine

Exit codes:
  0  done    1  failed    2  wrong usage    3  something could not be reached    130  interrupted

Environments are described in config.toml in the configuration folder (Linux:
~/.config/opsconsole/config.toml), one [environments.NAME] table each; a running demo describes
itself.";

const PUBLISH_EXAMPLES: &str = "\
Examples:
  opsconsole publish event.json
  opsconsole publish events.jsonl --rate 20     20 messages a second
  opsconsole publish event.json --count 1000    a thousand copies, each with an id of its own
  printf 'not json' | opsconsole publish --raw -

Up to 10 messages are named one by one, each with the topic's id of it and the id of its event:
`records list --id ID` finds what was stored.
JSON output: {\"published\", \"failed\", \"errors\": [{\"file\", \"line\", \"code\", \"detail\", \"pointer\"}],
\"messages\": [{\"sns_message_id\", \"event_id\"}]}; there is no \"messages\" where there were to be more.
`failed` counts what the topic did not confirm. `code` is the failure code of an invalid event,
\"unknown\" for an event that got no answer and may have been published, and null for one that the
topic did not take. event_id is null where the body has none.";

const RECORDS_EXAMPLES: &str = "\
Examples:
  opsconsole records list --limit 20
  opsconsole records list --source /ops/flights --from 2026-01-31T00:00:00Z --order asc
  opsconsole records list --since 1h30m --until 2m
  opsconsole records list --cursor \"$next_cursor\" --output json
  opsconsole records get 1204554";

const RECORDS_LIST_TIMES: &str = "\
A TIME is 2026-11-24, 2026-11-24T06:30Z or full RFC 3339, in UTC where it has no offset, or a span
back from now: 90s, 30m, 1h30m, 2d or 1w.";

const API_EXAMPLES: &str = "\
Examples:
  opsconsole api get /health
  opsconsole api get '/v1/records?limit=1'

JSON output: {\"status\", \"latency_ms\", \"body\"}; the body is JSON where the answer is, else text.
An answer of 400 or more ends with exit code 1.";

const ENV_EXAMPLES: &str = "\
Examples:
  opsconsole env list
  opsconsole env import terraform/environments/pilot
  opsconsole env import terraform/environments/pilot --name events-pilot
  opsconsole --env pilot status

`list` reads the configuration file and looks for running demos; it asks no environment. The one
that is used with these options is marked.
JSON output: [{\"name\", \"source\", \"path\", \"pid\", \"is_ready\", \"is_production\", \"read_only\",
\"is_used\"}]; source is \"config_file\", with the path of the file, or \"running_demo\", with its pid.

`import` reads the output `console` of the applied folder by `terraform output -json` and writes
[environments.NAME] to the configuration file; other entries stay as they are.
JSON output: {\"environment\", \"path\", \"outcome\"}; outcome is \"added\", \"replaced\" or
\"unchanged\".";

const AUDIT_EXAMPLES: &str = "\
Examples:
  opsconsole audit
  opsconsole audit --env pilot --limit 20
  opsconsole audit --output json

Every change that was made from this machine is written down before it begins: publish, redrive,
move-task, delete, purge, and tidy, which changes this machine alone and has no environment. With --env only the changes of that environment are shown. A change
without an end runs still, or was cut off.
JSON output: {\"entries\": [{\"id\", \"begun_at\", \"operation\", \"environment\", \"is_production\",
\"target\", \"caller\", \"user\", \"reason\", \"planned\", \"details\", \"ended_at\", \"ending\": {\"counts\",
\"error\"}}], \"unreadable_lines\"}; caller is the ARN by which AWS knows you, planned what was about to be
changed, counts what was.";

const DEMO_EXAMPLES: &str = "\
Examples:
  opsconsole demo                               the console on a private pipeline with traffic
  opsconsole demo --headless --seconds 60 --rate 50 --output json

While it runs, `opsconsole --env demo …` in another terminal uses it.
JSON output: {\"published\", \"stored\", \"duplicates\", \"dead_lettered\", \"pending\", \"lost\"}, counted from
the database and the queues. Exit code 1 if anything was lost.";

/// The operations console for event pipelines on AWS; without a command it opens on the terminal
#[derive(Debug, Parser)]
#[command(name = "opsconsole", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Arguments {
    /// Options that every command takes.
    #[command(flatten)]
    pub global: GlobalArguments,
    /// What to do; nothing opens the console.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct GlobalArguments {
    /// Environment to use; default: $OPSCONSOLE_ENV, else the only one there is, a running demo
    /// included
    #[arg(
        long = "env",
        value_name = "NAME",
        env = "OPSCONSOLE_ENV",
        hide_env = true,
        global = true
    )]
    pub environment: Option<String>,
    /// Configuration file; default: $OPSCONSOLE_CONFIG, else the one in the configuration folder
    #[arg(
        long,
        value_name = "PATH",
        env = "OPSCONSOLE_CONFIG",
        hide_env = true,
        global = true
    )]
    pub config: Option<PathBuf>,
    /// Answer as a `table` for people or as `json` for programs
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        default_value_t = OutputForm::Table,
        hide_possible_values = true,
        global = true
    )]
    pub output: OutputForm,
    /// Refuse everything that would change the pipeline
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Name of the environment, typed again: production takes no change without it
    #[arg(long, value_name = "NAME", global = true)]
    pub confirm: Option<String>,
    /// Why something is changed, for the audit log: production takes no change without it
    #[arg(long, value_name = "TEXT", global = true)]
    pub reason: Option<String>,
}

/// Form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputForm {
    /// For people.
    Table,
    /// For programs: one JSON object or array.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// One look at every hop: queue, dead letters, records, API
    Status,
    /// Validate events and publish them to the topic
    #[command(after_help = PUBLISH_EXAMPLES)]
    Publish(PublishArguments),
    /// Dead letters: why they died, and back to the queue
    #[command(subcommand, after_help = dlq::arguments::EXAMPLES)]
    Dlq(DlqCommand),
    /// Redrives: planned, run, steered from elsewhere, resumed, reported
    #[command(subcommand, after_help = redrive::arguments::EXAMPLES)]
    Redrive(RedriveCommand),
    /// Stored events
    #[command(subcommand, after_help = RECORDS_EXAMPLES)]
    Records(RecordsCommand),
    /// The HTTP API, as third parties see it
    #[command(subcommand, after_help = API_EXAMPLES)]
    Api(ApiCommand),
    /// Environments: what the console can connect to
    #[command(subcommand, after_help = ENV_EXAMPLES)]
    Env(EnvCommand),
    /// What was changed from this machine: when, by whom, where and why
    #[command(after_help = AUDIT_EXAMPLES)]
    Audit(AuditArguments),
    /// What earlier work left on this machine's disk: shown, and with --yes removed
    #[command(after_help = tidy::EXAMPLES)]
    Tidy(TidyArguments),
    /// A whole pipeline on this machine, with traffic, and the console on it
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArguments),
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// What to publish and how.
#[derive(Debug, Args)]
pub struct PublishArguments {
    /// JSON, an array, or JSON lines; `-` reads standard input
    pub file: PathBuf,
    /// Publish everything this many times, each copy with an id of its own
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), conflicts_with = "raw")]
    pub count: Option<u32>,
    /// Messages per second at most; default: as fast as the topic takes them
    #[arg(long, allow_negative_numbers = true, value_name = "R", value_parser = rate)]
    pub rate: Option<f64>,
    /// Send the file's text as one message, without validation
    #[arg(long)]
    pub raw: bool,
}

/// Which changes to show.
#[derive(Debug, Args)]
pub struct AuditArguments {
    /// Changes to show, the newest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub limit: u32,
}

/// What to do with records.
#[derive(Debug, Subcommand)]
pub enum RecordsCommand {
    /// List records, newest first
    #[command(after_help = RECORDS_LIST_TIMES)]
    List(RecordsListArguments),
    /// Show one record with its payload
    Get {
        /// The record's id, a whole number
        #[arg(value_parser = record_id, allow_negative_numbers = true)]
        record_id: i64,
    },
}

/// Filters and place of a list of records.
#[derive(Debug, Args)]
pub struct RecordsListArguments {
    /// Exact event type
    #[arg(long = "type", value_name = "TYPE")]
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
    /// `desc` is newest first, `asc` oldest first
    #[arg(long, default_value_t = Order::Desc)]
    pub order: Order,
    /// Records of the page, at most 500
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = event::LIMIT_DEFAULT, value_parser = clap::value_parser!(u16).range(1..=i64::from(event::LIMIT_MAX)))]
    pub limit: u16,
    /// `next_cursor` of the page before
    #[arg(long, value_parser = Cursor::decode)]
    pub cursor: Option<Cursor>,
}

/// What to ask of the API.
#[derive(Debug, Subcommand)]
pub enum ApiCommand {
    /// GET a path
    Get {
        /// Path below the API's address, with its query
        #[arg(value_parser = api_path)]
        path: String,
    },
}

/// What to do with environments.
#[derive(Debug, Subcommand)]
pub enum EnvCommand {
    /// List what is configured and what runs, and which one is used
    List,
    /// Write the entry of an environment that Terraform has applied
    Import {
        /// Folder that was applied, like terraform/environments/pilot
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Name of the entry; default: the folder's
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Overwrite an entry of this name that says something else
        #[arg(long)]
        replace: bool,
    },
}

/// How the demo runs.
#[derive(Clone, Debug, Args)]
pub struct DemoArguments {
    /// Events per second
    #[arg(long, allow_negative_numbers = true, value_name = "R", default_value_t = 20.0, value_parser = rate)]
    pub rate: f64,
    /// Part of the events that are at fault, 0 to 1
    #[arg(long, allow_negative_numbers = true, value_name = "RATIO", default_value_t = 0.03, value_parser = ratio)]
    pub faults: f64,
    /// Part of the events that are sent twice, 0 to 1
    #[arg(long, allow_negative_numbers = true, value_name = "RATIO", default_value_t = 0.02, value_parser = ratio)]
    pub duplicates: f64,
    /// Run without the console, then count what became of everything
    #[arg(long, requires = "seconds")]
    pub headless: bool,
    /// Seconds of traffic of a headless run
    #[arg(long, allow_negative_numbers = true, value_name = "N", requires = "headless", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: Option<u64>,
}

/// Rates that pacing can keep.
const RATE_MIN: f64 = 0.01;
const RATE_MAX: f64 = 10_000.0;

pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (RATE_MIN..=RATE_MAX).contains(&rate) {
        Ok(rate)
    } else {
        Err(format!("not between {RATE_MIN} and {RATE_MAX} a second"))
    }
}

fn record_id(text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(record_id @ 1..) => Ok(record_id),
        Ok(..=0) | Err(_) => {
            Err("a record id is a whole number like 1204554, as `records list` shows it".to_owned())
        }
    }
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&ratio) {
        Ok(ratio)
    } else {
        Err("not between 0 and 1".to_owned())
    }
}

/// A time in any form that the filter of the records takes.
fn time(text: &str) -> Result<DateTime<Utc>, String> {
    filter::point(text)
        .or_else(|| filter::before(text, Utc::now()))
        .ok_or_else(|| {
            format!(
                "neither a time like {INSTANT_FORMS} nor a span back from now like {SPAN_FORMS}"
            )
        })
}

fn api_path(text: &str) -> Result<String, String> {
    if text.starts_with('/') {
        Ok(text.to_owned())
    } else {
        Err("a path starts with \"/\", like /v1/records".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn times_are_taken_as_the_filter_of_the_records_takes_them() {
        for (text, expected) in [
            ("2026-11-24", "2026-11-24T00:00:00Z"),
            ("2026-11-24T06:30Z", "2026-11-24T06:30:00Z"),
            ("2026-11-24T01:00:00+01:00", "2026-11-24T00:00:00Z"),
        ] {
            assert_eq!(time(text), Ok(expected.parse().unwrap()), "{text}");
        }
        let line = "opsconsole records list --since 1h30m --until 90s";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let Some(Command::Records(RecordsCommand::List(list))) = arguments.command else {
            panic!("{arguments:?}");
        };
        let ago = |at: Option<DateTime<Utc>>| (Utc::now() - at.unwrap()).num_seconds();
        assert!((5_400..5_410).contains(&ago(list.from)), "{list:?}");
        assert!((90..100).contains(&ago(list.to)), "{list:?}");
        let refusal = time("noon").unwrap_err();
        for form in [INSTANT_FORMS, SPAN_FORMS] {
            assert!(refusal.contains(form), "{refusal}");
            assert!(RECORDS_LIST_TIMES.contains(form), "{form}");
        }
    }

    #[test]
    fn values_out_of_their_limits_are_usage_errors() {
        for wrong in [
            "opsconsole records list --limit 0",
            "opsconsole records list --limit 501",
            "opsconsole records list --from yesterday",
            "opsconsole records list --since 90",
            "opsconsole records list --since 1h --from 2026-11-24",
            "opsconsole records list --cursor x",
            "opsconsole publish a --rate 0",
            "opsconsole publish a --rate NaN",
            "opsconsole publish a --raw --count 2",
            "opsconsole dlq redrive",
            "opsconsole dlq redrive --all --code x",
            "opsconsole dlq redrive m --all",
            "opsconsole dlq list --where .a|",
            "opsconsole dlq delete --all",
            "opsconsole dlq purge",
            "opsconsole dlq purge --confirm-queue q --no-export --export f",
            "opsconsole redrive plan",
            "opsconsole redrive plan --all --where .a",
            "opsconsole redrive plan --all --patch foo",
            "opsconsole redrive run --all --canary 10,1",
            "opsconsole redrive run --all --canary 0",
            "opsconsole redrive resume no-id",
            "opsconsole api get v1/records",
            "opsconsole tidy --older-than 30",
            "opsconsole tidy --keep-bytes lots",
            "opsconsole demo --headless",
            "opsconsole demo --seconds 3",
            "opsconsole demo --faults 2",
        ] {
            assert!(
                Arguments::try_parse_from(wrong.split(' ')).is_err(),
                "{wrong}"
            );
        }
        for right in [
            "opsconsole",
            "opsconsole dlq redrive a b --yes",
            "opsconsole dlq redrive --code not-json",
            "opsconsole redrive run plan.json --rate 5 --no-proof",
            "opsconsole redrive plan --code x --patch .a=1 --canary 1,10,100 --out -",
            "opsconsole records list --order asc --output json --env x",
            "opsconsole tidy --older-than 2w --keep-bytes 1.5GiB --plans --audit-log --yes",
            "opsconsole demo --headless --seconds 3 --rate 0.5",
        ] {
            assert!(
                Arguments::try_parse_from(right.split(' ')).is_ok(),
                "{right}"
            );
        }
    }
}
