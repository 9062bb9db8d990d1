//! Arguments of `trace`.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

pub(crate) const EXAMPLES: &str = "\
Examples:
  opsconsole trace /apps/crew 5b0cf6c2
  opsconsole --env pilot trace /apps/crew 5b0cf6c2 --search-dead-letters --output json

Shows where one event is, in one sentence with the next step, and every hop of its way that is on
record, in the order of time, each with where it was read: ledger and record, API, source queue,
dead letters, the log of the ingest, and from this machine the journals of redrives and replays (the
newest 200) and the audit log (2000 changes of the environment). Each place has its own clock. The
log has no ids of events: its lines are those of the requests that dead letters name, and of the
batch that was handled when the event was stored, where there was only one. What could not be read,
is not searched or is recorded nowhere is listed with its reason. Nothing is changed. Dead letters
are searched only with --search-dead-letters: SQS cannot read without receiving, so up to 10000
messages are hidden from others meanwhile, for two minutes where it is killed, and one receive of
each is counted.
JSON output: {\"environment\", \"source\", \"id\", \"traced_at\", \"conclusion\": {\"state\", \"text\",
\"next_step\"}, \"facts\": [{\"at\", \"hop\", \"standing\", \"text\", \"read_from\", \"reference\"}], \"unknown\":
[{\"place\", \"reason\", \"is_failure\"}], \"searched\": [{\"place\", \"extent\"}]}; state is \"stored\", \"gone\"
(erased or expired), \"waiting\", \"dead\", \"not-stored\", \"not-seen\" or \"unknown\"; at is null where the
place does not say it. Exit code 0 where it is stored, 3 where that could not be determined, else 1.";

/// Arguments of `trace`.
#[derive(Clone, Debug, Args)]
pub struct TraceArguments {
    /// CloudEvents source of the event
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub source: String,
    /// CloudEvents id of the event
    #[arg(value_parser = NonEmptyStringValueParser::new(), allow_hyphen_values = true)]
    pub id: String,
    /// Search the dead letters too, which receives them and hides them from others meanwhile
    #[arg(long)]
    pub search_dead_letters: bool,
}
