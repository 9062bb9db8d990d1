//! `trace`: where one event is, and how it came there.
//!
//! Invariant: exit code 0 says that the ledger knows the event and that it has a record.

pub(crate) mod arguments;

use chrono::{DateTime, SecondsFormat, Utc};
use event::EventKey;
use pipeline::environment::Folders;
use pipeline::printable;
use redrive::trace::{EventTrace, Holding, TraceRequest, TraceState, trace};

use self::arguments::TraceArguments;
use super::table::{Align, Keep, Table};
use super::walk::RELEASING;
use super::{CommandError, Exit, Interrupt, Session};

/// A time that is not known.
const NO_TIME: &str = "-";

pub(super) async fn run(
    session: &Session,
    arguments: TraceArguments,
    interrupt: &mut Interrupt,
) -> Result<Exit, CommandError> {
    let request = TraceRequest {
        key: EventKey {
            source: arguments.source,
            id: arguments.id,
        },
        search_dead_letters: arguments.search_dead_letters,
        held: Vec::new(),
        holding: Holding::default(),
    };
    let folders = Folders::of_user()?;
    let (output, cancel) = (session.output, interrupt.cancellation());
    let note = if request.search_dead_letters {
        RELEASING
    } else {
        "interrupted"
    };
    let tracing = trace(&session.pipeline, &folders, &request, &cancel);
    let traced = interrupt.cancels(output, note, tracing).await;
    let traced = traced.ok_or(CommandError::Interrupted)?;
    if output.is_json() {
        output.json(&traced)?;
    } else {
        output.text(&head(&traced))?;
        output.table(&time_line(&traced))?;
        output.text(&tail(&traced))?;
    }
    Ok(exit(traced.conclusion.state))
}

const fn exit(state: TraceState) -> Exit {
    match state {
        TraceState::Stored => Exit::Done,
        TraceState::Unknown => Exit::Unreachable,
        TraceState::Gone
        | TraceState::Waiting
        | TraceState::Dead
        | TraceState::NotStored
        | TraceState::NotSeen => Exit::Failed,
    }
}

/// The conclusion, before the time line.
fn head(traced: &EventTrace) -> String {
    let conclusion = &traced.conclusion;
    let lines = [
        ("event", format!("{} / {}", traced.source, traced.id)),
        ("state", conclusion.state.as_str().to_owned()),
        ("seen", conclusion.text.clone()),
        ("next", conclusion.next_step.clone()),
    ];
    let line = |(name, value): (&str, String)| format!("{name:<7}{}\n", printable(&value));
    lines.into_iter().map(line).collect::<String>() + "\n"
}

fn time_line(traced: &EventTrace) -> Table {
    let mut table = Table::new(&[
        ("TIME", Align::Left, Keep::Always),
        ("HOP", Align::Left, Keep::Always),
        ("READ FROM", Align::Left, Keep::Always),
        ("WHAT", Align::Left, Keep::Always),
    ]);
    for fact in &traced.facts {
        let at = fact.at.map_or_else(|| NO_TIME.to_owned(), moment);
        table.row([&at, fact.hop.as_str(), fact.read_from.as_str(), &fact.text]);
    }
    table
}

/// What is not known, and what was searched, after the time line.
fn tail(traced: &EventTrace) -> String {
    let line = |name: &str, value: &str| format!("  {name:<13}{}\n", printable(value));
    let mut text = String::from("\nnot known\n");
    for gap in &traced.unknown {
        text += &line(gap.place.as_str(), &gap.reason);
    }
    text += "searched\n";
    for search in &traced.searched {
        text += &line(search.place.as_str(), &search.extent);
    }
    text
}

/// To the millisecond, UTC.
fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use redrive::trace::{Conclusion, Gap, Hop, Place, Search, Standing, TraceFact};

    use super::*;

    fn traced() -> EventTrace {
        let at = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let fact = |at, hop, text: &str| TraceFact {
            at,
            hop,
            standing: Standing::Bad,
            text: text.to_owned(),
            read_from: Place::DeadLetters,
            reference: Some("m1".to_owned()),
        };
        EventTrace {
            environment: "demo".to_owned(),
            source: "/apps/\u{1b}[2Jcrew".to_owned(),
            id: "a\nFORGED".to_owned(),
            traced_at: at,
            conclusion: Conclusion {
                state: TraceState::Dead,
                text: "dead since then: not-json".to_owned(),
                next_step: "mend it".to_owned(),
            },
            facts: vec![
                fact(None, Hop::Attempted, "the ingest refused it"),
                fact(Some(at), Hop::Dead, "dead letter m1: \u{202e}not-json"),
            ],
            unknown: vec![Gap {
                place: Place::Logs,
                reason: "no request is known".to_owned(),
                is_failure: false,
            }],
            searched: vec![Search {
                place: Place::Records,
                extent: "the ledger, by source and id".to_owned(),
            }],
        }
    }

    #[test]
    fn trace_is_text_that_controls_no_terminal_and_json_with_published_names() {
        let traced = traced();
        let lines = time_line(&traced).render(None).text;
        let text = head(&traced) + &lines + &tail(&traced);
        insta::assert_snapshot!("trace_text", text);
        let json = serde_json::to_string_pretty(&traced).unwrap();
        insta::assert_snapshot!("trace_json", json);
    }

    #[test]
    fn exit_is_of_the_state() {
        for (state, expected) in [
            (TraceState::Stored, Exit::Done),
            (TraceState::Gone, Exit::Failed),
            (TraceState::Waiting, Exit::Failed),
            (TraceState::Dead, Exit::Failed),
            (TraceState::NotStored, Exit::Failed),
            (TraceState::NotSeen, Exit::Failed),
            (TraceState::Unknown, Exit::Unreachable),
        ] {
            assert_eq!(exit(state), expected, "{state:?}");
        }
    }
}
