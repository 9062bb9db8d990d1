//! `probe`: marked events through every hop, measured.
//!
//! Invariant: exit code 0 says that every event that was followed to its end was readable in time. What a probe saw is
//! written before the next one begins.

pub(crate) mod arguments;
mod text;

use std::time::Duration;

use pipeline::probe::{Probe, ProbeRing, ProbeSettings, ProbeSummary};
use serde::Serialize;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::arguments::ProbeArguments;
use super::{CommandError, Exit, Interrupt, Output, Session};

/// Probes that the sum at the end is of.
const KEPT_MAX: usize = 10_000;
/// What a signal is answered with.
const STOPPING: &str =
    "interrupted: the probe under way is not followed further; its event is stored as any other";

/// One line of JSON.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Line<'a> {
    Probe {
        #[serde(flatten)]
        probe: &'a Probe,
        is_slow: Option<bool>,
    },
    Summary {
        #[serde(flatten)]
        summary: &'a ProbeSummary,
    },
}

/// What all probes of a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    made: u32,
    /// Those that failed or were too slow.
    bad: u32,
    /// Those that say nothing certain of the pipeline.
    uncertain: u32,
    /// Whether a signal ended it before its last probe.
    is_cut: bool,
}

pub(super) async fn run(
    session: &Session,
    arguments: &ProbeArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let cancel = interrupt.cancellation();
    let mut ring = ProbeRing::new(KEPT_MAX);
    let mut tally = Tally::default();
    let probing = probe(session, arguments, &cancel, &mut ring, &mut tally);
    let ended = interrupt.cancels(session.output, STOPPING, probing).await;
    // What was measured is not lost by the error that ended it.
    if arguments.every.is_some() && (ended.is_ok() || tally.made > 0) {
        let summary = ring.summary(arguments.fail_over);
        write_summary(session.output, &summary, arguments.fail_over)?;
    }
    ended?;
    Ok(exit(tally, last_of(arguments)))
}

/// The number of the last probe; `None` where only a signal ends them.
fn last_of(arguments: &ProbeArguments) -> Option<u32> {
    match arguments.every {
        Some(_) => arguments.count,
        None => Some(1),
    }
}

async fn probe(
    session: &Session,
    arguments: &ProbeArguments,
    cancel: &CancellationToken,
    ring: &mut ProbeRing,
    tally: &mut Tally,
) -> Result<(), CommandError> {
    let settings = ProbeSettings {
        hop_limit: arguments.timeout,
        search_dead_letters: arguments.search_dead_letters,
    };
    let last = last_of(arguments);
    loop {
        let begun = Instant::now();
        let Some(probe) = session.pipeline.publish_probe(settings, cancel).await? else {
            tally.is_cut = true;
            return Ok(());
        };
        tally.add(&probe, arguments.fail_over);
        write_probe(session.output, &probe, arguments)?;
        ring.push(probe);
        if Some(tally.made) == last {
            return Ok(());
        }
        // Later than that where the probe took longer.
        let next = begun + arguments.every.unwrap_or_default();
        let waited = cancel.run_until_cancelled(sleep_until(next)).await;
        if waited.is_none() {
            tally.is_cut = true;
            return Ok(());
        }
    }
}

impl Tally {
    fn add(&mut self, probe: &Probe, fail_over: Option<Duration>) {
        self.made = self.made.saturating_add(1);
        let is_slow = fail_over.is_some_and(|limit| probe.is_slower_than(limit));
        if probe.is_uncertain() {
            self.uncertain = self.uncertain.saturating_add(1);
        } else if probe.failure.is_some() || is_slow {
            self.bad = self.bad.saturating_add(1);
        }
    }
}

/// A failure is certain, so it comes before what is not known.
fn exit(tally: Tally, last: Option<u32>) -> Exit {
    if tally.bad > 0 {
        Exit::Failed
    } else if tally.is_cut && (last.is_some() || tally.made == 0) {
        Exit::Interrupted
    } else if tally.uncertain > 0 {
        Exit::Unreachable
    } else {
        Exit::Done
    }
}

fn write_probe(
    output: Output,
    probe: &Probe,
    arguments: &ProbeArguments,
) -> Result<(), CommandError> {
    let fail_over = arguments.fail_over;
    if output.is_json() {
        let is_slow = fail_over.map(|limit| probe.is_slower_than(limit));
        output.json(&Line::Probe { probe, is_slow })
    } else if arguments.every.is_some() {
        output.text(&text::line(probe, fail_over))
    } else {
        output.text(&text::whole(probe, fail_over))
    }
}

fn write_summary(
    output: Output,
    summary: &ProbeSummary,
    fail_over: Option<Duration>,
) -> Result<(), CommandError> {
    if output.is_json() {
        return output.json(&Line::Summary { summary });
    }
    output.text(&text::head_of(summary, fail_over))?;
    output.table(&text::table(summary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_is_of_the_worst_probe_and_a_signal_is_the_usual_end_of_a_series_without_one() {
        let tally = |made, bad, uncertain, is_cut| Tally {
            made,
            bad,
            uncertain,
            is_cut,
        };
        for (tally, last, expected) in [
            (tally(1, 0, 0, false), Some(1), Exit::Done),
            (tally(3, 1, 1, false), Some(3), Exit::Failed),
            (tally(3, 0, 1, false), Some(3), Exit::Unreachable),
            (tally(2, 0, 0, true), Some(3), Exit::Interrupted),
            (tally(2, 1, 0, true), Some(3), Exit::Failed),
            (tally(2, 0, 0, true), None, Exit::Done),
            (tally(2, 1, 0, true), None, Exit::Failed),
            (tally(2, 0, 2, true), None, Exit::Unreachable),
            (tally(0, 0, 0, true), None, Exit::Interrupted),
        ] {
            assert_eq!(exit(tally, last), expected, "{tally:?}");
        }
    }
}
