//! Arguments of `logs`.

use chrono::{DateTime, Utc};
use clap::Args;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser as _};
use pipeline::logs::{LogFunction, LogLevel};

use crate::cli::time::time;

pub(crate) const EXAMPLES: &str = "\
Examples:
  opsconsole logs --since 1h --level warn
  opsconsole logs --function ingest --follow --where refused
  opsconsole logs --request-id 5f0c2d9e-6a1b-4c3d-8e2f-000000000007 --since 1d --output json

Reads the log groups of the functions in CloudWatch Logs, the oldest line first. It shows at most
--limit lines and 64 MiB and reads for at most 2 min, and notes until when it read; --follow goes on
until it is interrupted and asks again every 5 s (every second on this machine), because an account
has few of these calls a second. A line that CloudWatch gets more than 10 s late is not followed.
A line without a level is shown at every --level: it may be a further line of a panic. The ingest
logs one line a batch, with counts, codes and the id of its request, and never an event, a body or
the id of a message; a dead letter has the id of the request that refused it (`dlq show`).
JSON output: an array of {\"at\", \"function\", \"kind\", \"level\", \"request_id\", \"event\": {\"source\",
\"id\"}, \"message\", \"fields\", \"is_cut\"}, with --follow one such object on each line; kind is \"json\",
\"platform\" (written by Lambda) or \"text\"; level, request_id and event are null where the line does
not say them; fields has the other members of a JSON line. Exit code 1 where a log was refused or
not read to the end in time, or no line has the --request-id, 3 where CloudWatch Logs could not be
reached.";

/// Arguments of `logs`.
#[derive(Clone, Debug, Args)]
pub struct LogsArguments {
    /// The function whose log is read; several may be given, all without it
    #[arg(long, value_name = "FUNCTION", value_parser = function_parser())]
    pub function: Vec<LogFunction>,
    /// Since when: a time, or a span back from now like 10m, 2h, 1d
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    pub since: DateTime<Utc>,
    /// Go on with new lines until it is interrupted
    #[arg(long)]
    pub follow: bool,
    /// Least level of a line
    #[arg(long, value_name = "LEVEL", value_parser = level_parser())]
    pub level: Option<LogLevel>,
    /// Lines of this request alone
    #[arg(long, value_name = "ID", value_parser = request_id)]
    pub request_id: Option<String>,
    /// Lines that contain this text; the case of ASCII letters does not matter
    #[arg(long = "where", value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub text: Option<String>,
    /// Most lines that are shown; without a limit with --follow
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}

fn function_parser() -> impl clap::builder::TypedValueParser<Value = LogFunction> {
    PossibleValuesParser::new(LogFunction::ALL.map(LogFunction::as_str))
        .try_map(|text| text.parse::<LogFunction>())
}

fn level_parser() -> impl clap::builder::TypedValueParser<Value = LogLevel> {
    PossibleValuesParser::new(LogLevel::ALL.map(LogLevel::as_str))
        .try_map(|text| text.parse::<LogLevel>())
}

/// It becomes part of a pattern in quotes.
fn request_id(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:=+/".contains(c);
    if text.is_empty() || !text.chars().all(is_plain) {
        return Err("not an id of a request: letters, digits and -_.:=+/ alone".to_owned());
    }
    Ok(text.to_owned())
}
