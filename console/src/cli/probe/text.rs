//! Probes as text. Pure; invariant: a time says by whose clock it is where that is not this machine's.

use std::time::Duration;

use chrono::TimeDelta;
use pipeline::printable;
use pipeline::probe::{DatabaseClock, Measure, Probe, ProbeFailure, ProbeSummary};
use pipeline::text::{clock, counted, latency, timestamp};

use crate::cli::table::{Align, Keep, Table};

/// What is not known.
const UNKNOWN: &str = "-";

/// One probe on several lines.
pub(super) fn whole(probe: &Probe, fail_over: Option<Duration>) -> String {
    let line = |name: &str, value: &str| format!("{name:<10} {}\n", printable(value));
    let mut text = line("event", &format!("{} / {}", probe.key.source, probe.key.id));
    text += &line("state", state(probe, fail_over));
    let of = |measure| {
        probe
            .measured(measure)
            .map(|took| format!("{:>8}", latency(took)))
    };
    if let (Some(took), Some(hop)) = (of(Measure::Published), &probe.published) {
        text += &line(
            "published",
            &format!("{took}  message {}", hop.sns_message_id),
        );
    } else if probe.stored.is_some() {
        let why = "       -  SNS did not answer; stored is measured from the request";
        text += &line("published", why);
    }
    if let (Some(took), Some(hop)) = (of(Measure::Stored), &probe.stored) {
        text += &line("stored", &format!("{took}  record {}", hop.record_id));
        if let Some(ingested) = ingested(probe) {
            text += &line("ingested", &ingested);
        }
    }
    if let (Some(took), Some(hop)) = (of(Measure::Readable), &probe.readable) {
        text += &line(
            "readable",
            &format!("{took}  status 200 in {}", latency(hop.answer)),
        );
    } else if !probe.has_api && probe.failure.is_none() {
        text += &line("readable", "       -  this environment has no API");
    }
    if let Some(took) = of(Measure::Total) {
        text += &line("total", &took);
    }
    if let Some(clock) = probe.database_clock {
        text += &line("clocks", &clocks(clock));
    }
    if let Some(failure) = &probe.failure {
        text += &line("failed at", &reason(failure));
        if probe.may_be_stored() {
            let (source, id) = (&probe.key.source, &probe.key.id);
            text += &line("next", &format!("opsconsole trace {source} {id}"));
        }
    }
    text
}

/// One probe on one line.
pub(super) fn line(probe: &Probe, fail_over: Option<Duration>) -> String {
    let mut text = format!(
        "{}  {:<6}",
        clock(probe.started_at),
        state(probe, fail_over)
    );
    for measure in [
        Measure::Published,
        Measure::Stored,
        Measure::Readable,
        Measure::Total,
    ] {
        let took = took(probe.measured(measure));
        text += &format!("  {} {took:>7}", measure.as_str());
    }
    if let Some(failure) = &probe.failure {
        text += &format!("  {}", printable(&reason(failure)));
    }
    text + "\n"
}

/// The first line of the sum.
pub(super) fn head_of(summary: &ProbeSummary, fail_over: Option<Duration>) -> String {
    let mut text = format!(
        "\n{}, {} failed",
        counted(summary.probes, "probe"),
        summary.failed
    );
    if let (Some(slow), Some(limit)) = (summary.slow, fail_over) {
        text += &format!(", {slow} slower than {}", latency(limit));
    }
    if summary.probes > summary.kept as u64 {
        text += &format!(" (of the last {})", summary.kept);
    }
    text + "\n"
}

/// One row for each measure.
pub(super) fn table(summary: &ProbeSummary) -> Table {
    let mut table = Table::new(&[
        ("HOP", Align::Left, Keep::Always),
        ("SEEN", Align::Right, Keep::Always),
        ("P50", Align::Right, Keep::Always),
        ("P99", Align::Right, Keep::Always),
        ("MAX", Align::Right, Keep::Always),
    ]);
    for one in &summary.measures {
        let count = one.count.to_string();
        let [p50, p99, max] = [one.p50, one.p99, one.max].map(took);
        table.row([one.measure.as_str(), &count, &p50, &p99, &max]);
    }
    table
}

fn took(duration: Option<Duration>) -> String {
    duration.map_or_else(|| UNKNOWN.to_owned(), latency)
}

fn state(probe: &Probe, fail_over: Option<Duration>) -> &'static str {
    match &probe.failure {
        Some(_) => "failed",
        None if fail_over.is_some_and(|limit| probe.is_slower_than(limit)) => "slow",
        None => "ok",
    }
}

fn reason(failure: &ProbeFailure) -> String {
    format!(
        "{}: {}: {}",
        failure.hop.as_str(),
        failure.reason.as_str(),
        failure.detail
    )
}

/// When the database wrote the record, by its own clock.
fn ingested(probe: &Probe) -> Option<String> {
    let hop = probe.stored.as_ref()?;
    let at = timestamp(hop.ingested_at?);
    Some(match (hop.ingested_after, probe.database_clock) {
        (Some(after), Some(clock)) => format!(
            "{:>8}  ± {} after the answer of SNS; {at} by the database's clock",
            signed(after),
            latency(clock.uncertainty)
        ),
        (None, Some(_)) => format!("       -  {at} by the database's clock"),
        (Some(_) | None, None) => {
            format!("       -  {at} by the database's clock, which could not be compared")
        }
    })
}

fn clocks(clock: DatabaseClock) -> String {
    let side = if clock.ahead < TimeDelta::zero() {
        "behind"
    } else {
        "ahead of"
    };
    let by = latency(clock.ahead.abs().to_std().unwrap_or_default());
    let uncertainty = latency(clock.uncertainty);
    format!("the database's clock is {by} ± {uncertainty} {side} this machine's")
}

fn signed(delta: TimeDelta) -> String {
    let size = latency(delta.abs().to_std().unwrap_or_default());
    if delta < TimeDelta::zero() {
        format!("-{size}")
    } else {
        size
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use event::{EventKey, RecordId};
    use pipeline::probe::{
        FailureReason, ProbeHop, ProbeRing, PublishedHop, ReadableHop, StoredHop,
    };

    use super::*;

    fn readable() -> Probe {
        let at = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let millis = Duration::from_millis;
        Probe {
            environment: "demo".to_owned(),
            key: EventKey {
                source: "opsconsole/probe/demo".to_owned(),
                id: "0193".to_owned(),
            },
            started_at: at,
            published: Some(PublishedHop {
                took: millis(42),
                sns_message_id: "m-1".to_owned(),
                acknowledged_at: at + TimeDelta::milliseconds(42),
            }),
            stored: Some(StoredHop {
                took: millis(312),
                record_id: RecordId(7),
                ingested_at: Some(at + TimeDelta::milliseconds(300)),
                ingested_after: Some(TimeDelta::milliseconds(-1)),
            }),
            readable: Some(ReadableHop {
                took: millis(18),
                answer: millis(17),
            }),
            has_api: true,
            failure: None,
            database_clock: Some(DatabaseClock {
                ahead: TimeDelta::milliseconds(-259),
                uncertainty: millis(2),
            }),
        }
    }

    fn failed() -> Probe {
        Probe {
            stored: None,
            readable: None,
            database_clock: None,
            failure: Some(ProbeFailure {
                hop: ProbeHop::Stored,
                reason: FailureReason::TimeOver,
                detail: "not in the ledger\u{1b}[2J within 30 s".to_owned(),
            }),
            ..readable()
        }
    }

    #[test]
    fn probes_are_text_that_controls_no_terminal_and_json_with_published_names() {
        let without_api = Probe {
            readable: None,
            has_api: false,
            ..readable()
        };
        let slow = Some(Duration::from_millis(300));
        let unanswered = Probe {
            published: None,
            stored: readable().stored.map(|hop| StoredHop {
                ingested_after: None,
                ..hop
            }),
            ..readable()
        };
        let whole = [
            whole(&readable(), None),
            whole(&failed(), None),
            whole(&without_api, slow),
            whole(&unanswered, None),
        ];
        insta::assert_snapshot!("probe_whole", whole.join("\n"));
        let mut ring = ProbeRing::new(2);
        for probe in [failed(), readable(), failed()] {
            ring.push(probe);
        }
        let summary = ring.summary(slow);
        let lines = [
            line(&readable(), None),
            line(&readable(), slow),
            line(&failed(), None),
            head_of(&summary, slow),
            table(&summary).render(None).text,
        ];
        insta::assert_snapshot!("probe_series", lines.concat());
        let json = [
            serde_json::to_string_pretty(&readable()).unwrap(),
            serde_json::to_string_pretty(&failed()).unwrap(),
            serde_json::to_string_pretty(&summary).unwrap(),
        ];
        insta::assert_snapshot!("probe_json", json.join("\n"));
    }
}
