//! The definition of the command line.
//!
//! Invariant: every value that clap accepts is within the limits of the operation; other values are usage
//! errors (exit code 2) before any call to the pipeline.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use export::Target;
use pipeline::api_call::CALLS_MAX;

use super::account::arguments::{AccountArguments, EXAMPLES as ACCOUNT_EXAMPLES};
use super::dlq::arguments::{DlqCommand, EXAMPLES as DLQ_EXAMPLES};
use super::erase::arguments::{EXAMPLES as ERASE_EXAMPLES, EraseArguments};
use super::export::arguments::{EXAMPLES as EXPORT_EXAMPLES, ExportRecordsArguments};
use super::fleet::arguments::FleetCommand;
use super::lint::arguments::{EXAMPLES as LINT_EXAMPLES, LintArguments};
use super::logs::arguments::{EXAMPLES as LOGS_EXAMPLES, LogsArguments};
use super::man::arguments::ManArguments;
use super::probe::arguments::{EXAMPLES as PROBE_EXAMPLES, ProbeArguments};
use super::queue::arguments::{EXAMPLES as QUEUE_EXAMPLES, QueueCommand};
use super::rate::rate;
use super::records::arguments::{EXAMPLES as RECORDS_EXAMPLES, RecordsCommand};
use super::redrive::arguments::{EXAMPLES as REDRIVE_EXAMPLES, RedriveCommand};
use super::replay::arguments::{EXAMPLES as REPLAY_EXAMPLES, ReplayArguments};
use super::sql::arguments::{EXAMPLES as SQL_EXAMPLES, SqlArguments};
use super::tidy::arguments::{EXAMPLES as TIDY_EXAMPLES, TidyArguments};
use super::trace::arguments::{EXAMPLES as TRACE_EXAMPLES, TraceArguments};
use super::values;

/// Those that have completions.
pub(super) const SHELLS: [&str; 4] = ["bash", "elvish", "fish", "zsh"];

const EXAMPLES: &str = "\
Examples:
  opsconsole                                    open the console on the only environment
  opsconsole --env pilot status                 show every hop of the pipeline once
  opsconsole publish event.json                 validate an event and publish it
  opsconsole redrive run --all --canary 1,10    move dead letters to the queue, with proof
  opsconsole records list --type flight.delayed --limit 10
  opsconsole demo                               run a complete pipeline on this machine

Exit codes:
  0  done    1  failed    2  wrong usage    3  something could not be reached    130  interrupted

Environments are described in config.toml in the configuration folder (Linux:
~/.config/opsconsole/config.toml), one table [environments.NAME] each; a running demo needs no
entry.";

const COST_EXAMPLES: &str = "\
Examples:
  opsconsole --env pilot cost
  opsconsole --env pilot cost --output json

Reads hourly metrics of the last seven days, or of the shorter time that there are. Prices are list
prices without free tiers. What has no metric is unknown and in no sum: the capacity of the database
needs database_cluster and database_instances in the environment's entry. What is left out is
listed; its prices are in terraform/README.md.
JSON output: {\"observed_hours\", \"lines\": [{\"service\", \"what\", \"quantity_per_month\",
\"usd_per_unit\", \"usd_per_month\", \"note\"}], \"usd_per_month\", \"usd_per_million_events\",
\"usd_per_idle_month\", \"not_included\", \"prices\"}; null where it is not known.";

const PUBLISH_EXAMPLES: &str = "\
Examples:
  opsconsole publish event.json
  opsconsole publish events.jsonl --rate 20     20 messages a second
  opsconsole publish event.json --count 1000    a thousand copies, each with a new id
  printf 'not json' | opsconsole publish --raw -

Up to 10 messages are listed one by one, with the SNS message id and the id of the event:
`records list --id ID` shows the stored record.
JSON output: {\"published\", \"failed\", \"unconfirmed\", \"errors\": [{\"file\", \"line\", \"code\",
\"detail\", \"pointer\"}], \"messages\": [{\"sns_message_id\", \"event_id\"}]}; \"messages\" is absent for
more than 10. `failed` counts messages that the topic did not confirm, and invalid events;
`unconfirmed` those of them that had no answer and may be published, with what a signal cut off.
`code` is the failure code of an invalid event, \"unknown\" if there was no response and the event
may have been published, and null if the topic refused it. event_id is null if the body has none.";

const API_EXAMPLES: &str = "\
Examples:
  opsconsole api get /health
  opsconsole api get '/v1/records?limit=1'
  opsconsole api get '/v1/records?limit=1' --repeat 20
  opsconsole api get '/v1/records?limit=1' --curl

JSON output: {\"status\", \"latency_ms\", \"body\"}; the body is JSON if the response is JSON, else
text. A status of 400 or more ends with exit code 1.
With --repeat: {\"calls\", \"unanswered\", \"statuses\", \"latency_ms\"}; latency_ms has \"min\", \"p50\",
\"p95\", \"p99\" and \"max\" (nearest rank). With --curl: {\"command\", \"before\"}; nothing is sent, and
no secret is in it.";

const ENV_EXAMPLES: &str = "\
Examples:
  opsconsole env list
  opsconsole env import terraform/environments/pilot
  opsconsole env import terraform/environments/pilot --name events-pilot
  opsconsole env import terraform/environments/pilot --tunnel \
      'ssh -N -L {local_port}:{host}:{port} bastion'
  opsconsole --env pilot env check

`list` reads the configuration file and looks for running demos; it connects to no environment. The
one that these options select is marked.
JSON output: [{\"name\", \"source\", \"path\", \"pid\", \"is_ready\", \"is_production\", \"read_only\",
\"is_used\"}]; source is \"config_file\", with the path of the file, or \"running_demo\", with its pid.

`import` reads the output `console` of the applied folder with `terraform output -json` and writes
[environments.NAME] to the configuration file; other entries are not changed. What is written can be
reached from anywhere: on AWS records are read by the signed API, because the database stands in
private subnets. --tunnel writes the database as well, and a command that leads there: this program
starts it, puts a free port of this machine into {local_port}, and ends it. --profile writes whose
credentials are used, --api-token-command a command that prints a token for an API that wants one.
JSON output: {\"environment\", \"path\", \"outcome\"}; outcome is \"added\", \"replaced\" or
\"unchanged\".";

const ENV_CHECK: &str = "\
Examples:
  opsconsole --env pilot env check
  opsconsole --env pilot env check --into s3://events-exports/daily

Every access that this program needs, `lint` too, is tried, all at once, each for at most 10 s:
topic, queues, metrics, alarms, function, API, database. Nothing is changed: what only a change
could show, such as publishing, is listed as not-tried, with the command that would show it. A
missing permission has its name in IAM.

JSON output: {\"environment\", \"checks\": [{\"access\", \"target\", \"outcome\", \"duration_ms\",
\"permissions\", \"missing_permission\", \"detail\", \"next_step\"}]}; outcome is \"allowed\", \"denied\",
\"failed\", \"unreachable\", \"not-tried\" or \"absent\" (the environment does not have it). Exit code 1
where something is denied or failed, 3 where something is unreachable.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  source <(opsconsole completions bash)       in ~/.bashrc; the same with zsh in ~/.zshrc
  opsconsole completions fish | source        in ~/.config/fish/config.fish

They complete commands and options, environments, redrives, plans and causes, and event types that
`records list` and `dlq list` have shown. What is offered is known on this machine; no service is
asked. The Debian package has them already.";

const AUDIT_EXAMPLES: &str = "\
Examples:
  opsconsole audit
  opsconsole audit --env pilot --limit 20
  opsconsole audit --output json

Every change that is made from this machine is written to the audit log before it begins: publish,
redrive, replay, move-task, delete, purge, peek, tidy and erase. tidy changes only this machine and
has no environment; of what was erased the log has a digest. --env NAME shows only the changes of
that environment. A change without an end is still running, or was interrupted.
JSON output: {\"entries\": [{\"id\", \"begun_at\", \"operation\", \"environment\", \"is_production\",
\"target\", \"caller\", \"user\", \"reason\", \"planned\", \"details\", \"ended_at\", \"ending\":
{\"counts\", \"error\"}}], \"unreadable_lines\", \"dropped\": null or {\"changes\", \"unfinished\",
\"from\", \"until\"}}; caller is your ARN in AWS, planned the number of
messages before the change, counts the numbers after it, each message once. A delete counts messages
without an answer as `unconfirmed`; a publish, a redrive and a replay count them as `unknown`.";

const DEMO_EXAMPLES: &str = "\
Examples:
  opsconsole demo                               the console on a private pipeline with traffic
  opsconsole demo --headless --seconds 60 --rate 50 --output json

While it runs, `opsconsole --env demo …` in another terminal connects to it.
JSON output: {\"published\", \"stored\", \"duplicates\", \"dead_lettered\", \"pending\", \"lost\",
\"redelivered\", \"unknown\"}, counted from the database and the queues; null where that could not be
read, with the reason in unknown. Exit code 1 if anything was lost or is not known.";

/// The operations console for event pipelines on AWS; without a command it opens the screens
#[derive(Debug, Parser)]
#[command(name = "opsconsole", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalArguments,
    /// The command; `None` opens the console.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct GlobalArguments {
    /// Environment to use; default: $OPSCONSOLE_ENV, else the only one, including a running
    /// demo
    #[arg(
        long = "env",
        value_name = "NAME",
        env = "OPSCONSOLE_ENV",
        hide_env = true,
        global = true,
        add = values::environments()
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
    /// Print a `table` for people or `json` for programs
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        default_value_t = OutputForm::Table,
        hide_possible_values = true,
        global = true
    )]
    pub output: OutputForm,
    /// Refuse every change of the pipeline
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Name of the environment, typed again; required for changes in production
    #[arg(long, value_name = "NAME", global = true)]
    pub confirm: Option<String>,
    /// Reason of the change, for the audit log; required for changes in production
    #[arg(long, value_name = "TEXT", global = true)]
    pub reason: Option<String>,
}

/// Form of the output.
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
    /// Show every hop once: queue, dead letters, records, API
    Status,
    /// Show all environments at once
    #[command(subcommand)]
    Fleet(FleetCommand),
    /// Balance every hop by its metrics: did the pipeline lose or double events, and where
    #[command(after_help = ACCOUNT_EXAMPLES)]
    Account(AccountArguments),
    /// Estimate what a month of this environment costs, from its metrics of the last week
    #[command(after_help = COST_EXAMPLES)]
    Cost,
    /// Check how this pipeline is set up: what was seen, why it matters, how to mend it
    #[command(after_help = LINT_EXAMPLES)]
    Lint(LintArguments),
    /// Read the logs of the functions, or follow them
    #[command(after_help = LOGS_EXAMPLES)]
    Logs(LogsArguments),
    /// Show where one event is, and every hop of its way
    #[command(after_help = TRACE_EXAMPLES)]
    Trace(TraceArguments),
    /// Validate events and publish them to the topic
    #[command(after_help = PUBLISH_EXAMPLES)]
    Publish(PublishArguments),
    /// Publish a marked event and measure each hop of its way to the API
    #[command(after_help = PROBE_EXAMPLES)]
    Probe(ProbeArguments),
    /// Look at messages that wait for the ingest
    #[command(subcommand, after_help = QUEUE_EXAMPLES)]
    Queue(QueueCommand),
    /// List, group, export, delete and redrive dead letters
    #[command(subcommand, after_help = DLQ_EXAMPLES)]
    Dlq(DlqCommand),
    /// Move dead letters back to the queue: plan, run, pause, resume, report
    #[command(subcommand, after_help = REDRIVE_EXAMPLES)]
    Redrive(RedriveCommand),
    /// Publish stored events, or the files of an export, to the topic again
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(ReplayArguments),
    /// Read stored events
    #[command(subcommand, after_help = RECORDS_EXAMPLES)]
    Records(RecordsCommand),
    /// Ask the database in SQL, read-only
    #[command(after_help = SQL_EXAMPLES)]
    Sql(SqlArguments),
    /// Export stored events as Parquet, CSV or JSON lines
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportRecordsArguments),
    /// Erase what belongs to a subject: records, dead letters, files of this machine, exports
    #[command(after_help = ERASE_EXAMPLES)]
    Erase(EraseArguments),
    /// Call the HTTP API, as third parties do
    #[command(subcommand, after_help = API_EXAMPLES)]
    Api(ApiCommand),
    /// List, import and check environments
    #[command(subcommand, after_help = ENV_EXAMPLES)]
    Env(EnvCommand),
    /// List the changes that were made from this machine: when, by whom, where and why
    #[command(after_help = AUDIT_EXAMPLES)]
    Audit(AuditArguments),
    /// What earlier work left on this machine's disk: shown, and with --yes removed
    #[command(after_help = TIDY_EXAMPLES)]
    Tidy(TidyArguments),
    /// Run a complete pipeline with traffic on this machine, and the console on it
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArguments),
    /// Print the completions for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        #[arg(value_parser = PossibleValuesParser::new(SHELLS).try_map(|name| name.parse::<Shell>()))]
        shell: Shell,
    },
    /// Write the manual pages
    #[command(hide = true)]
    Man(ManArguments),
}

/// What to publish and how.
#[derive(Debug, Args)]
pub struct PublishArguments {
    /// JSON, an array, or JSON lines; `-` reads standard input
    pub file: PathBuf,
    /// Publish everything this many times, each copy with a new id
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), conflicts_with = "raw")]
    pub count: Option<u32>,
    /// Most messages per second; default: as fast as possible
    #[arg(long, allow_negative_numbers = true, value_name = "R", value_parser = rate)]
    pub rate: Option<f64>,
    /// Send the file's text as one message, without validation
    #[arg(long)]
    pub raw: bool,
}

/// Which changes to show.
#[derive(Debug, Args)]
pub struct AuditArguments {
    /// Number of changes to show, the newest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub limit: u32,
}

/// The subcommands of `api`.
#[derive(Debug, Subcommand)]
pub enum ApiCommand {
    /// Send a GET request
    Get {
        /// Path with its query, like '/v1/records?limit=1'
        #[arg(value_parser = api_path)]
        path: String,
        /// Send it so often, one after the other, and print the percentiles of the latencies [1 to 100]
        #[arg(long, value_name = "N", conflicts_with = "curl",
            value_parser = clap::value_parser!(u32).range(1..=i64::from(CALLS_MAX)))]
        repeat: Option<u32>,
        /// Print the curl command that sends it, instead of sending it
        #[arg(long)]
        curl: bool,
    },
}

/// The subcommands of `env`.
#[derive(Debug, Subcommand)]
pub enum EnvCommand {
    /// List configured environments and running demos, and which one is used
    List,
    /// Write the entry of an environment that Terraform has applied
    Import {
        /// Folder that was applied, like terraform/environments/pilot
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
        /// Name of the entry; default: the name of the folder
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Overwrite a different entry of this name
        #[arg(long)]
        replace: bool,
        /// Command that leads to the database, with {host}, {port} and {local_port}
        #[arg(long, value_name = "COMMAND")]
        tunnel: Option<String>,
        /// Profile of the AWS configuration that has the credentials
        #[arg(long, value_name = "NAME")]
        profile: Option<String>,
        /// Command that prints a token for the API, where it wants one (JWT)
        #[arg(long, value_name = "COMMAND")]
        api_token_command: Option<String>,
    },
    /// Try every access that this program needs, and name the permissions that are missing
    #[command(after_help = ENV_CHECK)]
    Check {
        /// Also try the access to this place of exports, s3://BUCKET/PREFIX
        #[arg(long, value_name = "TARGET")]
        into: Option<Target>,
    },
}

/// Options of the demo.
#[derive(Clone, Debug, Args)]
pub struct DemoArguments {
    /// Events per second
    #[arg(long, allow_negative_numbers = true, value_name = "R", default_value_t = 20.0, value_parser = rate)]
    pub rate: f64,
    /// Share of invalid events, 0 to 1
    #[arg(long, allow_negative_numbers = true, value_name = "RATIO", default_value_t = 0.03, value_parser = ratio)]
    pub faults: f64,
    /// Share of events that are sent twice, 0 to 1
    #[arg(long, allow_negative_numbers = true, value_name = "RATIO", default_value_t = 0.02, value_parser = ratio)]
    pub duplicates: f64,
    /// Run without the console, then count the outcome of every message
    #[arg(long, requires = "seconds")]
    pub headless: bool,
    /// Seconds of traffic of a headless run
    #[arg(long, allow_negative_numbers = true, value_name = "N", requires = "headless", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: Option<u64>,
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&ratio) {
        Ok(ratio)
    } else {
        Err("not between 0 and 1".to_owned())
    }
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
    use chrono::{DateTime, Utc};
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::records::arguments::FORMS;
    use crate::cli::time::time;
    use crate::tui::filter::{INSTANT_FORMS, SPAN_FORMS};

    #[test]
    fn definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn times_have_the_forms_of_the_records_filter() {
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
            assert!(FORMS.contains(form), "{form}");
        }
    }

    #[test]
    fn values_out_of_their_limits_are_usage_errors() {
        for wrong in [
            "opsconsole records list --limit 0",
            "opsconsole records list --limit 501",
            "opsconsole records list --from tomorrow",
            "opsconsole records list since=soon",
            "opsconsole records list typ=x",
            "opsconsole records list -2h",
            "opsconsole records list --column data.flight",
            "opsconsole records list --since 90",
            "opsconsole records list --since 1h --from 2026-11-24",
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
            "opsconsole replay",
            "opsconsole replay --since tomorrow",
            "opsconsole replay --since 1h --patch foo",
            "opsconsole replay --since 1h --out p --dry-run",
            "opsconsole api get v1/records",
            "opsconsole tidy --older-than 30",
            "opsconsole tidy --keep-bytes lots",
            "opsconsole lint --fail-on note",
            "opsconsole queue peek --max 0",
            "opsconsole queue peek --max 51",
            "opsconsole queue peek --max -1",
            "opsconsole probe --every 500ms",
            "opsconsole probe --count 2",
            "opsconsole probe --timeout 1h",
            "opsconsole probe --fail-over 5",
            "opsconsole sql",
            "opsconsole sql x --timeout 11m",
            "opsconsole sql x --limit 0",
            "opsconsole sql x --history",
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
            "opsconsole replay --files november --type a --type b --rate 5 --yes",
            "opsconsole redrive plan --code x --patch .a=1 --canary 1,10,100 --out -",
            "opsconsole records list --order asc --output json --env x",
            "opsconsole lint --fail-on error --output json",
            "opsconsole queue peek --max 50 --bodies --yes --output json",
            "opsconsole probe --every 30s --count 3 --timeout 5s --fail-over 500ms",
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
