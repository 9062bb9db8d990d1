//! Arguments of `account`.

use std::time::Duration;

use clap::Args;

use crate::tui::filter::{SPAN_FORMS, span_secs};

pub(crate) const EXAMPLES: &str = "\
Examples:
  opsconsole --env pilot account --since 24h
  opsconsole --env pilot account --since 1h --output json

Balances each hop by the metrics of SNS, SQS and the ingest: what came to it is what left it, what
waits there, and what is missing or doubled. What SNS itself sent to the dead-letter queue has left
the topic. The last three minutes are left out, because their metrics are not complete; so the
shortest time is 8 minutes. A difference counts from beyond its uncertainty, which is what the first
and the last period have: both sides may count these differently. Where these have as much as all of
the time, the hop is unknown: choose a longer one. The uncertainty of a difference of the queue has
what its redrive policy may have moved between two looks at the queues' depths. Dead letters are
counted by their queue; where the ingest and SNS report more than it took, the hop is unknown. SQS
counts approximately.
JSON output: {\"from\", \"until\", \"period_secs\", \"hops\": [{\"hop\", \"state\", \"came\", \"left\",
\"difference\", \"uncertainty\", \"note\"}]}; state is \"balanced\", \"missing\", \"doubled\" or \"unknown\";
a positive difference is missing. Exit code 1 where something is missing or doubled, 3 where a hop
is unknown, 2 where the time is too short.";

/// Arguments of `account`.
#[derive(Debug, Args)]
pub struct AccountArguments {
    /// How far back, from 8m on: 30m, 24h, 7d; CloudWatch keeps minutes for 15 days
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = span)]
    pub since: Duration,
}

/// Longest time: CloudWatch keeps values of less than five minutes for 15 days (CloudWatch user guide, "Metrics
/// retention"); longer periods would hide a fault.
const SINCE_MAX: Duration = Duration::from_secs(15 * 86_400);

fn span(text: &str) -> Result<Duration, String> {
    span_secs(text)
        .and_then(|secs| u64::try_from(secs).ok())
        .map(Duration::from_secs)
        .filter(|span| *span <= SINCE_MAX)
        .ok_or_else(|| format!("not a span like {SPAN_FORMS}, of at most 15d"))
}
