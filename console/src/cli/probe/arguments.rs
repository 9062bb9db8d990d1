//! Arguments of `probe`.

use std::time::Duration;

use clap::Args;

use crate::tui::filter::span_secs;

pub(crate) const EXAMPLES: &str = "\
Examples:
  opsconsole --env pilot probe
  opsconsole --env pilot probe --fail-over 5s --output json
  opsconsole --env pilot probe --every 30s --count 20
  opsconsole --env production probe --every 5m --confirm production --reason 'release 118'

Publishes one event and follows it through every hop: the topic confirms it (at most 5 s), the
ledger has it, the API answers with its record (--timeout for each of these two). An event whose
publication had no answer is followed all the same: SNS may have taken it. With --every the
next one is published so long after the one before, or after its end where that is later; each is
one line, and the end sums up the last 10000: p50, p99 and the longest of each hop. ^C ends it with
the sum.

Times. published, stored, readable and total are measured by one clock of this machine. `stored` is
when a look-up found the event: look-ups are 0.1 s to 1 s apart; it is measured from the answer of
SNS, or from the request where none came. `ingested` is when the database wrote it, by the
database's clock; the difference of the clocks is measured after each probe, shown with its
uncertainty, and taken off. A value below zero is not in the sum of a series.

It is a change: it needs what `publish` needs, in production too, and each probe is a publication in
the audit log. Its event has the type opsconsole.probe, the subject opsconsole-probe, the source
opsconsole/probe/ENVIRONMENT and a new id. What it leaves is one record a probe: analysts leave it
out by its type, and it counts in every metric. Retention removes it as any other, and
  opsconsole erase --subject opsconsole-probe
erases all of them; the ledger keeps their digests. A probe that failed may still be stored later.

Price, on AWS: a message of the topic and the queue, an invocation of the ingest, a few questions to
the database, or to the API where there is no database_url. Below one dollar a month with --every
30s; but a database that pauses is kept awake, about 44 dollars a month at 0.5 ACU.

JSON output: an object for each probe: {\"kind\": \"probe\", \"environment\", \"source\", \"id\",
\"started_at\", \"published\": {\"ms\", \"sns_message_id\", \"acknowledged_at\"}, \"stored\": {\"ms\",
\"record_id\", \"ingested_at\", \"ingested_ms\"}, \"readable\": {\"ms\", \"answer_ms\"}, \"total_ms\",
\"has_api\", \"failure\": {\"hop\", \"reason\", \"detail\"}, \"database_clock\": {\"ahead_ms\",
\"uncertainty_ms\"}, \"is_slow\"}; null where a hop was not seen, has no failure or is not known. hop is
\"published\", \"stored\" or \"readable\"; reason is \"not-asked\" (the request did not reach the topic),
\"refused\", \"unknown\" (no answer, and the event was not seen), \"time-over\", \"not-seen\" (the ledger
did not answer at the end) or \"dead-letter\". published is null too where SNS did not answer and the
event was found. With --every each is a line, and the last line is {\"kind\": \"summary\", \"probes\",
\"kept\", \"failed\", \"slow\", \"measures\": [{\"measure\", \"count\", \"p50_ms\", \"p99_ms\",
\"max_ms\"}]}.
Exit code 0 where all were readable within their limits; 1 where one failed or was slower than
--fail-over; 3 where nothing certain is known of one and no other failed (reason not-asked, unknown
or not-seen); 130 where it was ended before --count, or before its only probe. Without an API in the
environment `stored` is the last hop.";

/// Shortest and longest time between two probes.
const EVERY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(86_400)];
/// Shortest and longest time that a hop is waited for.
const TIMEOUT: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(600)];
/// Shortest and longest time of a whole way that is not too slow.
const FAIL_OVER: [Duration; 2] = [Duration::from_millis(1), Duration::from_secs(1_200)];

/// Arguments of `probe`.
#[derive(Clone, Debug, Args)]
pub struct ProbeArguments {
    /// Probe again and again, so far apart: 1s to 1d
    #[arg(long, value_name = "SPAN", value_parser = |text: &str| span(text, EVERY))]
    pub every: Option<Duration>,
    /// End after so many probes; default: until a signal ends it
    #[arg(long, requires = "every", value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub count: Option<u32>,
    /// How long the event is waited for in the ledger, and then by the API: 1s to 10m each
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = |text: &str| span(text, TIMEOUT))]
    pub timeout: Duration,
    /// A probe that takes longer than this from end to end fails the command: 500ms, 5s
    #[arg(long, value_name = "SPAN", value_parser = |text: &str| span(text, FAIL_OVER))]
    pub fail_over: Option<Duration>,
    /// Search the dead letters for an event that is not stored after 3 s: that receives them
    #[arg(long)]
    pub search_dead_letters: bool,
}

fn span(text: &str, [shortest, longest]: [Duration; 2]) -> Result<Duration, String> {
    let millis = |text: &str| {
        let digits = text.strip_suffix("ms")?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_number.then(|| digits.parse().ok()).flatten()?;
        Some(Duration::from_millis(number))
    };
    let secs = |text| Some(Duration::from_secs(u64::try_from(span_secs(text)?).ok()?));
    let span = millis(text)
        .or_else(|| secs(text))
        .ok_or("not a span like 500ms, 30s, 5m or 1h30m")?;
    if (shortest..=longest).contains(&span) {
        Ok(span)
    } else {
        Err(format!("not between {shortest:?} and {longest:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units_and_limits() {
        let of = |text| span(text, EVERY);
        assert_eq!(of("1500ms"), Ok(Duration::from_millis(1_500)));
        assert_eq!(of("1h30m"), Ok(Duration::from_secs(5_400)));
        for wrong in [
            "",
            "ms",
            "30",
            "-1s",
            "+1ms",
            "500ms",
            "2d",
            "99999999999999999999ms",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
