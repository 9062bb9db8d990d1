//! Every state of the time line as pictures, and how it behaves.

mod held;
mod logs;

use crossterm::event::{KeyCode, MouseEventKind};
use event::{EventKey, Page, Record, RecordId};
use redrive::fact::{Ending, Proof};
use redrive::trace::{
    Conclusion, EventTrace, Gap, Hop, Place, Search, Standing, TraceFact, TraceState,
};
use redrive::{Counts, Kind, MessageOutcome, MessageReport, Report};
use serde_json::json;
use serde_json::value::RawValue;
use strum::VariantArray;

use crate::tui::fault::Fault;
use crate::tui::keymap::KeyContext;
use crate::tui::redrives::{Past, PastRedrive};
use crate::tui::screen_id::ScreenId;
use crate::tui::screens::dead_letters::tests::{fixtures, received};
use crate::tui::testing::{
    Harness, PUBLISH, RECORDS, REDRIVES, REPORT, TEMPLATE, TIME_LINE, assert_pictures,
    draw_at_every_size, now,
};

/// Every state that it can be seen in.
#[derive(Clone, Copy, Debug, PartialEq, VariantArray)]
enum State {
    Typing,
    TypingWrong,
    Loading,
    Stored,
    PartlyUnknown,
    Scrolled,
    Empty,
    Searching,
    Failed,
    Choosing,
    HostileTexts,
}

fn fact(secs: i64, hop: Hop, standing: Standing, text: &str, read_from: Place) -> TraceFact {
    TraceFact {
        at: Some(now() + chrono::Duration::milliseconds(secs * 1_000 + 7)),
        hop,
        standing,
        text: text.to_owned(),
        read_from,
        reference: None,
    }
}

fn gap(place: Place, reason: &str, is_failure: bool) -> Gap {
    Gap {
        place,
        reason: reason.to_owned(),
        is_failure,
    }
}

fn traced(state: TraceState, text: &str, next_step: &str) -> EventTrace {
    EventTrace {
        environment: "demo".to_owned(),
        source: "/ops/flights".to_owned(),
        id: "5b0cf6c2-61a5-4b93".to_owned(),
        traced_at: now(),
        conclusion: Conclusion {
            state,
            text: text.to_owned(),
            next_step: next_step.to_owned(),
        },
        facts: Vec::new(),
        unknown: vec![gap(
            Place::Logs,
            "the log lines of its invocations: no request is known",
            false,
        )],
        searched: vec![Search {
            place: Place::Journals,
            extent: "12 of 12 journals of redrives and replays on this machine, the newest first"
                .to_owned(),
        }],
    }
}

fn stored() -> EventTrace {
    let text = "stored as record 1204554 at 2026-11-18T11:06:32Z";
    let mut traced = traced(TraceState::Stored, text, "nothing is to be done");
    let redrive = "redrive 019a2c40-9c1e-7000-8000-000000000001";
    traced.facts = vec![
        fact(
            -900,
            Hop::Occurred,
            Standing::Neutral,
            "the time of the event, of type flight.delayed",
            Place::Records,
        ),
        fact(
            -60,
            Hop::Published,
            Standing::Good,
            "published to events by ana: SNS confirmed it (reason: a test)",
            Place::AuditLog,
        ),
        fact(
            -30,
            Hop::Edited,
            Standing::Neutral,
            &format!("planned by {redrive} as ready, message 8f3e0b6a, with an edited body"),
            Place::Journals,
        ),
        fact(
            -9,
            Hop::Redriven,
            Standing::Good,
            &format!("sent to events-queue by {redrive}, as message 77aa"),
            Place::Journals,
        ),
        fact(
            -8,
            Hop::Stored,
            Standing::Good,
            "stored as record 1204554, in partition records_2026_11",
            Place::Records,
        ),
        fact(
            0,
            Hop::Readable,
            Standing::Good,
            "GET /v1/records/1204554: status 200 in 4.1 ms",
            Place::Api,
        ),
    ];
    traced
}

fn partly_unknown() -> EventTrace {
    let text = "a dead letter of it is there, since 2026-11-18T11:05:40Z (missing-attribute: \"time\" is required); \
                whether it has a record could not be read: look up stored events at postgres://127.0.0.1/pipeline: \
                connection refused (after 0.1 s)";
    let next_step = "make the database or the API reachable, and trace it again";
    let mut traced = traced(TraceState::Unknown, text, next_step);
    traced.facts = vec![
        TraceFact {
            at: None,
            ..fact(
                0,
                Hop::Attempted,
                Standing::Bad,
                "the ingest refused it at once (request 5f0c2d9e); how often it was received before is not recorded",
                Place::DeadLetters,
            )
        },
        fact(
            -60,
            Hop::Dead,
            Standing::Bad,
            "dead letter 8f3e0b6a-1111: missing-attribute: \"time\" is required",
            Place::DeadLetters,
        ),
    ];
    let refused =
        "look up stored events at postgres://127.0.0.1/pipeline: connection refused (after 0.1 s)";
    traced.unknown.insert(0, gap(Place::Records, refused, true));
    traced
}

fn empty() -> EventTrace {
    let text = "not seen anywhere: the ledger does not know it; the queue is empty; there are no dead letters";
    let next_step = "check SOURCE and ID; ask the publisher whether SNS confirmed it";
    traced(TraceState::NotSeen, text, next_step)
}

/// With an event that is typed.
fn asked(width: u16, height: u16) -> Harness {
    let mut harness = Harness::new(crate::tui::testing::environment(), now(), width, height);
    harness.press('T');
    harness.keys("/ops/flights 5b0cf6c2-61a5-4b93");
    harness.code(KeyCode::Enter);
    harness
}

fn answered(traced: EventTrace, width: u16, height: u16) -> Harness {
    let mut harness = asked(width, height);
    harness.answer(&TIME_LINE, Ok(traced));
    harness
}

fn harness_in(state: State, width: u16, height: u16) -> Harness {
    match state {
        State::Typing => {
            let mut harness = Harness::on('6', width, height);
            harness.press('T');
            harness.keys("/ops/fli");
            harness
        }
        State::TypingWrong => {
            let mut harness = Harness::on('6', width, height);
            harness.press('T');
            harness.keys("/ops/flights");
            harness.code(KeyCode::Enter);
            harness
        }
        State::Loading => {
            let mut harness = asked(width, height);
            harness.pass(3);
            harness
        }
        State::Stored => answered(stored(), width, height),
        State::PartlyUnknown => answered(partly_unknown(), width, height),
        State::Scrolled => {
            let mut harness = answered(partly_unknown(), width, height);
            harness.press('G');
            harness
        }
        State::Empty => answered(empty(), width, height),
        State::Searching => {
            let mut harness = answered(empty(), width, height);
            harness.press('d');
            harness.pass(2);
            harness
        }
        State::Failed => {
            let mut harness = asked(width, height);
            let fault = Fault {
                message: "no answer within 75 s".to_owned(),
                hint: Some("^r tries again".to_owned()),
                ..Fault::default()
            };
            harness.answer(&TIME_LINE, Err(fault));
            harness
        }
        State::Choosing => {
            let mut harness = of_redrive(&["a-1", "b-2", "c-3"], width, height);
            harness.keys("Tj");
            harness
        }
        State::HostileTexts => {
            let mut harness = Harness::on('6', width, height);
            harness.press('T');
            harness.paste("/\u{1b}[2J\u{202e}航空会社 \u{7}\u{9b}31mid");
            harness.code(KeyCode::Enter);
            let mut hostile = partly_unknown();
            hostile.source = "/\u{1b}[2J".to_owned();
            hostile.conclusion.text = format!("dead: \u{1b}]0;owned\u{7} {}", "航空".repeat(90));
            hostile.facts[1].text = format!("dead letter \u{202e}\nFORGED {}", "x".repeat(300));
            hostile.unknown[0].reason = "\u{9b}2J: \u{2028}no answer".to_owned();
            hostile.searched[0].extent = "\u{1b}c".to_owned();
            harness.answer(&TIME_LINE, Ok(hostile));
            harness
        }
    }
}

/// The redrives screen with a redrive of events with these ids.
fn of_redrive(ids: &[&str], width: u16, height: u16) -> Harness {
    let mut harness = Harness::on('3', width, height);
    let counts = Counts {
        moved: ids.len(),
        stored: ids.len(),
        ..Counts::default()
    };
    let past = PastRedrive {
        journal: "/state/redrives/0198-0001.journal".into(),
        created_at: now(),
        kind: Kind::Redrive,
        planned: ids.len(),
        canary_steps: Vec::new(),
        skipped: 0,
        edited: 0,
        replaces: 0,
        counts,
        ending: Some(Ending::Finished),
        is_running: false,
        pause: None,
    };
    let past = Past {
        redrives: vec![past],
        ..Past::default()
    };
    harness.answer(&REDRIVES, Ok(past));
    harness.code(KeyCode::Enter);
    if harness.count(&REPORT) == 0 {
        harness.tick();
    }
    let message = |id: &&str| MessageReport {
        message_id: format!("m-{id}"),
        outcome: MessageOutcome::Moved,
        cause: None,
        sent_message_id: None,
        replaces: None,
        is_being_sent: false,
        event: Some(EventKey {
            source: "/ops/flights".to_owned(),
            id: (*id).to_owned(),
        }),
        proof: Some(Proof::Stored {
            record_id: RecordId(7),
        }),
    };
    let report = Report {
        id: uuid::Uuid::nil(),
        created_at: now(),
        environment: "demo".to_owned(),
        kind: Kind::Redrive,
        planned: ids.len(),
        counts,
        ending: Some(Ending::Finished),
        messages: ids.iter().map(message).collect(),
    };
    harness.answer(&REPORT, Ok(report));
    harness
}

#[test]
fn every_state_is_drawn_as_reviewed() {
    assert_pictures("../trace", State::VARIANTS, harness_in);
}

#[test]
fn every_state_is_drawn_at_every_size() {
    let fullest = [State::HostileTexts, State::Choosing];
    draw_at_every_size(State::VARIANTS, &fullest, harness_in);
}

fn key(source: &str, id: &str) -> EventKey {
    EventKey {
        source: source.to_owned(),
        id: id.to_owned(),
    }
}

fn record(id: &str) -> Record {
    Record {
        record_id: RecordId(7),
        source: "/ops/flights".to_owned(),
        id: id.to_owned(),
        event_type: "flight.departed".to_owned(),
        subject: None,
        occurred_at: now(),
        ingested_at: now(),
        payload: RawValue::from_string("{}".to_owned()).unwrap(),
    }
}

#[test]
fn record_is_traced_and_esc_leads_back_to_its_row() {
    let mut harness = Harness::on('5', 160, 45);
    let items = vec![record("a"), record("b")];
    let page = Page {
        items,
        next_cursor: None,
    };
    harness.answer(&RECORDS, Ok(page));
    harness.press('j');
    let before = harness.text();
    harness.press('T');
    let (request, to) = harness.take(&TIME_LINE);
    assert_eq!(request.key, key("/ops/flights", "b"));
    assert!(!request.search_dead_letters, "only d searches them");
    harness.reply(to, Ok(stored()));
    assert!(harness.text().contains("stored as record 1204554"));
    harness.press('y');
    assert!(harness.copied[0].contains("\"state\": \"stored\""));
    harness.code(KeyCode::Esc);
    harness.pass(60);
    assert_eq!(harness.model.screen, ScreenId::Records);
    let body = |text: &str| {
        text.lines()
            .skip(1)
            .take(42)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(body(&harness.text()), body(&before));
}

#[test]
fn message_without_an_identity_is_named_and_another_event_can_be_typed() {
    let body = "MQTT garbage";
    let mut harness = received(vec![fixtures::message(1, chrono::Duration::hours(1), body)]);
    harness.press('T');
    assert_eq!(harness.notice(), "what is selected has no source or no id");
    assert_eq!(harness.model.key_context(), KeyContext::Input);
    assert_eq!(harness.count(&TIME_LINE), 0);
}

#[test]
fn event_of_a_redrive_is_chosen_and_esc_leads_back_to_the_choice() {
    let mut harness = of_redrive(&["a-1", "b-2"], 160, 45);
    harness.keys("Tj");
    assert_eq!(harness.count(&TIME_LINE), 0);
    harness.code(KeyCode::Enter);
    let (request, to) = harness.take(&TIME_LINE);
    assert_eq!(request.key, key("/ops/flights", "b-2"));
    harness.reply(to, Ok(stored()));
    harness.code(KeyCode::Esc);
    assert!(harness.text().contains("2 / 2: which event?"));
    harness.code(KeyCode::Esc);
    assert!(harness.text().contains("Redrive of"));
    let mut one = of_redrive(&["a-1"], 160, 45);
    one.press('T');
    assert_eq!(one.take(&TIME_LINE).0.key, key("/ops/flights", "a-1"));
}

#[test]
fn event_that_was_sent_is_traced() {
    let mut harness = Harness::on('4', 160, 45);
    let event =
        r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-11-18T12:53:19Z"}"#;
    harness.answer(&TEMPLATE, Ok(event.to_owned()));
    harness.press('T');
    assert_eq!(
        harness.model.key_context(),
        KeyContext::Input,
        "nothing was sent"
    );
    harness.code(KeyCode::Esc);
    harness.press('s');
    assert_eq!(harness.count(&PUBLISH), 1);
    harness.press('T');
    assert_eq!(harness.take(&TIME_LINE).0.key, key("/s", "1"));
}

#[test]
fn palette_traces_what_is_selected() {
    let mut harness = of_redrive(&["a-1"], 160, 45);
    harness.press(':');
    harness.keys("trace");
    harness.code(KeyCode::Enter);
    assert_eq!(harness.take(&TIME_LINE).0.key, key("/ops/flights", "a-1"));
}

#[test]
fn dead_letters_are_searched_by_a_key_alone_and_refresh_does_not_repeat_it() {
    let mut harness = answered(empty(), 160, 45);
    harness.press('d');
    let (request, to) = harness.take(&TIME_LINE);
    assert!(request.search_dead_letters);
    harness.press('d');
    assert_eq!(harness.count(&TIME_LINE), 0, "one search at a time");
    harness.reply(to, Ok(empty()));
    harness.refresh();
    assert!(!harness.take(&TIME_LINE).0.search_dead_letters);
}

/// The line where an event is typed.
fn typing() -> Harness {
    let mut harness = Harness::on('6', 160, 45);
    harness.press('T');
    harness
}

/// What is in the line.
fn typed(harness: &Harness) -> String {
    let time_line = harness.model.time_line.as_ref().unwrap();
    time_line.typing.as_ref().unwrap().lines().join(" ")
}

#[test]
fn event_that_is_longer_than_the_line_is_pasted_by_its_name() {
    let mut harness = typing();
    let event = json!({ "data": "x".repeat(200_000), "id": "\u{1f6eb}\n1", "source": "/s" });
    harness.paste(&event.to_string());
    harness.code(KeyCode::Enter);
    assert_eq!(harness.take(&TIME_LINE).0.key, key("/s", "\u{1f6eb}\n1"));
}

#[test]
fn line_has_a_limit_that_several_pastes_cannot_exceed() {
    let mut harness = typing();
    for _ in 0..3 {
        harness.paste(&"x".repeat(3_000));
    }
    assert_eq!(typed(&harness).len(), 4_096);
    let long = json!({ "id": "1", "source": "s".repeat(9_000) }).to_string();
    let mut harness = typing();
    harness.paste(&long);
    assert_eq!(typed(&harness).len(), 4_096);
}

#[test]
fn ctrl_u_deletes_what_was_typed_as_in_a_shell() {
    let mut harness = typing();
    harness.keys("/wrong 1");
    harness.ctrl('u');
    assert_eq!(typed(&harness), "");
    harness.keys("/s 1");
    harness.code(KeyCode::Enter);
    assert_eq!(harness.take(&TIME_LINE).0.key, key("/s", "1"));
}

#[test]
fn late_answer_of_another_event_is_ignored() {
    let mut harness = asked(160, 45);
    let (_, first) = harness.take(&TIME_LINE);
    harness.press('/');
    harness.keys("/other 2");
    harness.code(KeyCode::Enter);
    assert_eq!(harness.take(&TIME_LINE).0.key, key("/other", "2"));
    harness.reply(first, Ok(stored()));
    assert!(!harness.text().contains("stored as record"));
    harness.code(KeyCode::Esc);
    assert_eq!(
        harness.model.key_context(),
        KeyContext::Screen(ScreenId::Overview)
    );
}

#[test]
fn mouse_scrolls_selects_and_closes_nothing() {
    let mut harness = answered(partly_unknown(), 80, 24);
    let before = harness.text();
    harness.click(5, 5);
    assert_eq!(harness.text(), before);
    let mut harness = answered(partly_unknown(), 80, 12);
    let top = harness.text();
    harness.mouse(MouseEventKind::ScrollDown, 5, 5);
    assert_ne!(harness.text(), top);
    let mut harness = of_redrive(&["a-1", "b-2"], 160, 45);
    harness.press('T');
    harness.click(5, 3);
    assert_eq!(harness.count(&TIME_LINE), 0);
    harness.click(5, 3);
    assert_eq!(harness.take(&TIME_LINE).0.key, key("/ops/flights", "b-2"));
}

#[test]
fn help_lists_the_keys_of_the_time_line_and_closing_it_leads_back() {
    let mut harness = answered(stored(), 160, 45);
    harness.press('?');
    let text = harness.text();
    assert!(text.contains("Keys of the time line") && text.contains("search the dead letters"));
    harness.code(KeyCode::Esc);
    assert!(harness.text().contains("stored as record"));
}

#[test]
fn long_name_leaves_room_for_the_time_of_the_trace() {
    let mut harness = Harness::new(crate::tui::testing::environment(), now(), 80, 24);
    harness.press('T');
    harness.keys("/ops/flights/of/the/day 5b0cf6c2-61a5-4b93-9d0e-6c1f5a7b9e10");
    harness.code(KeyCode::Enter);
    let title = |harness: &Harness| {
        let text = harness.text();
        text.lines()
            .find(|line| line.contains("Trace"))
            .unwrap()
            .to_owned()
    };
    assert!(
        title(&harness).contains("tracing for 0 s"),
        "{}",
        title(&harness)
    );
    harness.answer(&TIME_LINE, Ok(stored()));
    let title = title(&harness);
    assert!(title.contains("as of 11:06:40 UTC"), "{title}");
    assert!(title.contains("/ops/flights/of/the/day / 5b0c"), "{title}");
}

#[test]
fn event_is_not_said_to_be_looked_for_by_an_api_that_there_is_not() {
    let shown = |api_url: Option<String>| {
        let environment = pipeline::environment::Environment {
            api_url,
            ..crate::tui::testing::environment()
        };
        let mut harness = Harness::new(environment, now(), 160, 45);
        harness.press('T');
        let prompt = harness.text();
        harness.keys("/ops/flights 1");
        harness.code(KeyCode::Enter);
        (prompt.contains("API"), harness.text().contains("the API"))
    };
    assert_eq!(shown(Some("http://127.0.0.1:1".to_owned())), (true, true));
    assert_eq!(shown(None), (false, false));
}
