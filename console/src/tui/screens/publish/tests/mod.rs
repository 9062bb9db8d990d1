//! Every state of the screen as pictures, and how it behaves.

mod looking;

use chrono::{DateTime, Duration, Utc};
use crossterm::event::KeyCode;
use strum::VariantArray;

use crate::tui::fault::Fault;
use crate::tui::keymap::KeyContext;
use crate::tui::request::Request;
use crate::tui::screen_id::ScreenId;
use crate::tui::screens::screen::Screen as _;
use crate::tui::testing::{
    Harness, PUBLISH, TEMPLATE, TRACE, assert_pictures, draw_at_every_size, now, numbers,
};
use crate::tui::theme::Theme;
use pipeline::model::{ApiHealth, Published, Reason, TraceState};

const VALID: &str = r#"{
  "specversion": "1.0",
  "id": "5b0cf6c2-61a5-4b93-a0a1-0d4a9e1f7c11",
  "source": "/ops/flights",
  "type": "flight.departed",
  "subject": "LA601",
  "time": "2026-11-18T12:53:19.004Z",
  "datacontenttype": "application/json",
  "data": { "flight": "LA601", "from": "SCL", "to": "MIA" }
}"#;

/// Every state that the screen can be seen in.
#[derive(Clone, Copy, Debug, PartialEq, VariantArray)]
enum State {
    BeforeTemplate,
    TemplateFailed,
    Valid,
    Editing,
    InvalidAtPlace,
    InvalidAbsent,
    NotJson,
    EscapeSequences,
    AskingToSend,
    AskingInProduction,
    AskingInProductionRefused,
    Sending,
    SendFailed,
    Pending,
    PendingLookFails,
    Stored,
    Readable,
    ClocksDiffer,
    Duplicate,
    SentBefore,
    Dead,
    DeadWithoutReason,
    TimedOut,
    SearchTruncated,
    ReadOnly,
    Production,
    NoColour,
}

fn at(millis: i64) -> DateTime<Utc> {
    now() + Duration::milliseconds(millis)
}

fn refused(what: &str) -> Fault {
    Fault {
        message: format!("{what} at http://127.0.0.1:4566: connection refused (after 0.2 s)"),
        hint: Some("is the demo still running?".to_owned()),
        ..Fault::default()
    }
}

/// With a text in the editor.
fn with_text(text: &str, width: u16, height: u16) -> Harness {
    let mut harness = Harness::on('4', width, height);
    harness.answer(&TEMPLATE, Ok(text.to_owned()));
    harness
}

impl Harness {
    /// Sends what is in the editor; SNS accepts it.
    fn sent(mut self) -> Self {
        self.at(900).press('s');
        self.acknowledge(1_004);
        self
    }

    fn acknowledge(&mut self, millis: i64) {
        let published = Published {
            sns_message_id: "2f4c0d8e".to_owned(),
            acknowledged_at: at(millis),
            latency: std::time::Duration::from_millis(41),
        };
        self.at(millis).answer(&PUBLISH, Ok(published));
    }

    fn asks_to_publish(&self, text: &str) -> bool {
        self.requests
            .iter()
            .any(|request| matches!(request, Request::Publish(body, _) if body == text))
    }

    fn traced(mut self, state: TraceState, millis: i64) -> Self {
        self.at(millis).answer(&TRACE, Ok(state));
        self
    }
}

/// A search that could not receive all dead letters.
fn truncated(millis: i64) -> TraceState {
    TraceState::SearchTruncated {
        messages: 1_000,
        received_at: at(millis),
        hidden_until: at(millis) + Duration::seconds(30),
    }
}

fn stored(millis: i64, status: Option<u16>) -> TraceState {
    TraceState::Stored {
        record_id: event::RecordId(1_204_554),
        ingested_at: at(millis),
        readable: status.map(|status| ApiHealth {
            status,
            latency: std::time::Duration::from_millis(13),
        }),
    }
}

fn dead(reason: Option<Reason>) -> TraceState {
    TraceState::Dead {
        message_id: "b6a1e7a2-0c7e-4c55-9f0c-7d2b3f6a8e01".to_owned(),
        dead_at: at(1_300),
        reason,
    }
}

fn without_time() -> String {
    VALID.replace("  \"time\": \"2026-11-18T12:53:19.004Z\",\n", "")
}

fn production(harness: &mut Harness) {
    harness.model.environment.is_production = true;
    harness.model.environment.name = "production".to_owned();
}

fn harness_in(state: State, width: u16, height: u16) -> Harness {
    let with = |text: &str| with_text(text, width, height);
    match state {
        State::BeforeTemplate => Harness::on('4', width, height),
        State::TemplateFailed => {
            let mut harness = Harness::on('4', width, height);
            let fault = Fault {
                message: "no answer within 10 s".into(),
                hint: None,
                ..Fault::default()
            };
            harness.at(10_000).answer(&TEMPLATE, Err(fault));
            harness
        }
        State::Valid => with(VALID),
        State::Editing => {
            let mut harness = with(VALID);
            harness.at(100).press('e');
            harness.at(100).code(KeyCode::Down);
            harness.at(100).code(KeyCode::End);
            harness
        }
        State::InvalidAtPlace => with(&VALID.replace("2026-11-18T", "2026-11-18 ")),
        State::InvalidAbsent => with(&without_time()),
        State::NotJson => with(&VALID.replace("\"LA601\",\n", "\"LA601\"\n")),
        State::EscapeSequences => {
            let mut harness = with("");
            harness.at(100).press('e');
            harness.paste("\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}txt");
            harness
        }
        State::AskingToSend => {
            let mut harness = with(&without_time());
            harness.at(900).press('s');
            harness
        }
        State::AskingInProduction => {
            let mut harness = with(VALID);
            production(&mut harness);
            harness.at(900).press('s');
            harness
        }
        State::AskingInProductionRefused => {
            let mut harness = with(&without_time());
            production(&mut harness);
            harness.at(900).press('s');
            harness
        }
        State::Sending => {
            let mut harness = with(VALID);
            harness.at(900).press('s');
            harness.at(3_000).tick();
            harness
        }
        State::SendFailed => {
            let mut harness = with(VALID);
            harness.at(900).press('s');
            harness
                .at(1_100)
                .answer(&PUBLISH, Err(refused("publish to \"events\"")));
            harness
        }
        State::Pending => {
            let mut harness = with(VALID).sent().traced(TraceState::Pending, 1_200);
            harness.at(3_400).tick();
            harness
        }
        State::PendingLookFails => {
            let mut harness = with(VALID).sent();
            harness
                .at(1_300)
                .answer(&TRACE, Err(refused("look the event up in the ledger")));
            harness.at(3_400).tick();
            harness
        }
        State::Stored => with(VALID).sent().traced(stored(1_218, None), 1_300),
        State::Readable => with(VALID).sent().traced(stored(1_218, Some(200)), 1_300),
        State::ClocksDiffer => with(VALID).sent().traced(stored(990, Some(200)), 1_300),
        State::Duplicate => {
            let mut harness = with(VALID).sent().traced(stored(1_218, Some(200)), 1_300);
            harness.at(9_000).press('s');
            harness.at(9_000).press('y');
            harness.acknowledge(9_050);
            harness.traced(stored(1_218, Some(200)), 9_100)
        }
        State::SentBefore => {
            let mut harness = with(VALID).sent();
            harness.at(2_000).press('e');
            harness
        }
        State::Dead => {
            let mut harness = with(&without_time());
            harness.at(900).press('s');
            harness.at(950).press('y');
            harness.acknowledge(1_004);
            harness.traced(
                dead(Some(Reason {
                    code: "missing-attribute".to_owned(),
                    message: "\"time\" is required (at /time)".to_owned(),
                    request_id: Some("0d4a9e1f-7c11-4b93-a0a1-5b0cf6c261a5".to_owned()),
                })),
                1_400,
            )
        }
        State::DeadWithoutReason => with(VALID).sent().traced(dead(None), 1_400),
        State::TimedOut => {
            let mut harness = with(VALID).sent().traced(TraceState::Pending, 1_200);
            harness.at(70_000).tick();
            harness
        }
        State::SearchTruncated => {
            let mut harness = with(&without_time());
            harness.at(900).press('s');
            harness.at(950).press('y');
            harness.acknowledge(1_004);
            let mut harness = harness.traced(truncated(1_900), 2_000);
            harness.at(10_000).tick();
            harness
        }
        State::ReadOnly => {
            let mut harness = with(VALID);
            harness.model.environment.read_only = true;
            harness.at(900).press('s');
            harness
        }
        State::Production => {
            let mut harness = with(VALID);
            production(&mut harness);
            harness
        }
        State::NoColour => {
            let mut harness = harness_in(State::Dead, width, height);
            harness.model.theme = Theme { has_colour: false };
            harness
        }
    }
}

#[test]
fn every_state_looks_as_reviewed() {
    assert_pictures("publish", State::VARIANTS, harness_in);
}

#[test]
fn every_number_of_a_sent_event_is_drawn_whole_or_not_at_all() {
    for state in [State::Readable, State::Pending, State::ClocksDiffer] {
        let shown = |width| {
            let text = harness_in(state, width, 24).screen_text();
            // Its title has the id of the event.
            let (_, sent) = text.rsplit_once("─ Sent").unwrap_or_default();
            sent.split_once('\n').unwrap_or_default().1.to_owned()
        };
        let whole = numbers(&shown(119));
        for width in 10..119 {
            let text = shown(width);
            let drawn = numbers(&text).into_iter();
            let cut: Vec<_> = drawn.filter(|number| !whole.contains(number)).collect();
            assert!(cut.is_empty(), "{cut:?} at {width}\n{text}");
        }
    }
}

#[test]
fn every_size_is_drawn() {
    let fullest = [State::Dead, State::AskingInProductionRefused];
    draw_at_every_size(State::VARIANTS, &fullest, harness_in);
}

#[test]
fn template_is_requested_once_and_the_next_one_by_key() {
    let mut harness = Harness::on('4', 80, 24);
    assert!(matches!(harness.requests[..], [Request::Template(0, _)]));
    harness.at(10).press('1');
    harness.at(20).press('4');
    assert_eq!(harness.count(&TEMPLATE), 1);
    harness.at(30).answer(&TEMPLATE, Ok(VALID.to_owned()));
    harness.at(40).press('t');
    assert_eq!(harness.take(&TEMPLATE).0, 1);
}

#[test]
fn verdict_follows_each_key() {
    let mut harness = with_text(VALID, 80, 24);
    assert!(harness.text().contains("● valid"));
    harness.at(100).press('e');
    assert_eq!(harness.model.key_context(), KeyContext::Editor);
    harness.at(100).press('x');
    assert!(
        harness.text().contains("✖ rejected: not-json"),
        "{}",
        harness.text()
    );
    harness.at(100).code(KeyCode::Backspace);
    assert!(harness.text().contains("● valid"));
    harness.at(100).code(KeyCode::Esc);
    assert_eq!(
        harness.model.key_context(),
        KeyContext::Screen(ScreenId::Publish)
    );
}

#[test]
fn valid_event_is_sent_as_it_is_written() {
    let mut harness = with_text(VALID, 80, 24);
    harness.at(100).press('e');
    harness.at(100).ctrl('s');
    assert!(harness.asks_to_publish(VALID));
}

#[test]
fn refused_event_is_sent_only_after_a_yes() {
    let mut harness = with_text("{}", 80, 24);
    harness.at(100).press('s');
    assert_eq!(harness.model.key_context(), KeyContext::Confirm);
    harness.at(110).press('n');
    assert_eq!(harness.count(&PUBLISH), 0);
    harness.at(120).press('s');
    harness.at(130).press('y');
    assert!(harness.asks_to_publish("{}"));
}

#[test]
fn nothing_is_sent_twice_at_once() {
    let mut harness = with_text(VALID, 80, 24);
    harness.at(100).press('s');
    harness.at(110).press('s');
    assert_eq!(harness.count(&PUBLISH), 1);
}

#[test]
fn event_is_followed_until_it_is_readable() {
    let mut harness = with_text(VALID, 80, 24).sent();
    assert_eq!(harness.count(&TRACE), 1, "the first look comes at once");
    harness.at(1_200).tick();
    assert_eq!(harness.count(&TRACE), 1, "one look at a time");
    harness = harness.traced(TraceState::Pending, 1_250);
    harness.at(1_400).tick();
    assert_eq!(harness.count(&TRACE), 0, "not before its time");
    harness.at(1_700).tick();
    harness = harness.traced(stored(1_218, None), 1_750);
    harness.at(2_300).tick();
    harness = harness.traced(stored(1_218, Some(200)), 2_350);
    harness.at(30_000).tick();
    assert_eq!(harness.count(&TRACE), 0, "nothing more to come");
    assert!(
        harness
            .text()
            .contains("200 in 13 ms  GET /v1/records/1204554")
    );
    assert_eq!(harness.model.screens.publish.waiting_since(), None);
}

#[test]
fn search_goes_on_while_another_screen_is_shown() {
    let mut harness = with_text(VALID, 80, 24)
        .sent()
        .traced(TraceState::Pending, 1_100);
    harness.at(1_200).press('5');
    harness.at(2_000).tick();
    assert_eq!(harness.count(&TRACE), 1);
}

#[test]
fn failed_look_is_tried_again_and_the_search_ends_after_a_minute() {
    let mut harness = with_text(VALID, 80, 24).sent();
    harness
        .at(1_100)
        .answer(&TRACE, Err(refused("look the event up")));
    harness.at(1_600).tick();
    harness = harness.traced(TraceState::Pending, 1_700);
    harness.at(59_000).tick();
    harness = harness.traced(TraceState::Pending, 59_100);
    harness.at(70_000).tick();
    assert_eq!(harness.count(&TRACE), 0);
    assert!(
        harness
            .text()
            .contains("not there by 11:07:39 UTC, in 58 s"),
        "{}",
        harness.text()
    );
    assert_eq!(
        harness.model.screens.publish.waiting_since(),
        None,
        "nothing moves any more"
    );
    harness.at(71_000).ctrl('r');
    assert_eq!(harness.count(&TRACE), 1);
    assert!(harness.text().contains("waiting for"));
}

#[test]
fn api_that_is_not_configured_is_not_waited_for() {
    let mut harness = with_text(VALID, 160, 45);
    harness.model.environment.api_url = None;
    let mut harness = harness.sent().traced(stored(1_218, None), 1_300);
    harness.at(30_000).tick();
    assert_eq!(harness.count(&TRACE), 0, "nothing more to come");
    let text = harness.text();
    let line = text.lines().find(|line| line.contains("readable"));
    assert!(line.unwrap().contains("not configured"), "{text}");
}

#[test]
fn api_that_never_answered_is_not_awaited_after_the_search_ended() {
    let mut harness = with_text(VALID, 160, 45)
        .sent()
        .traced(stored(1_218, None), 1_300);
    assert!(harness.text().contains("no answer yet"));
    harness.at(70_000).tick();
    let text = harness.text();
    assert!(text.contains("no answer by 11:07:41 UTC"), "{text}");
    assert!(!text.contains("no answer yet"), "{text}");
}

#[test]
fn same_identity_is_shown_to_be_a_duplicate_before_it_is_sent() {
    let mut harness = with_text(VALID, 80, 24);
    assert!(!harness.text().contains("duplicate"));
    assert!(harness.text().contains("would be stored"));
    harness = harness.sent();
    let text = harness.text();
    assert!(text.contains("again it may be a duplicate") && !text.contains("would be stored"));
    harness.at(2_000).press('t');
    let fresh = VALID.replace("5b0cf6c2", "00000000");
    harness.at(2_010).answer(&TEMPLATE, Ok(fresh));
    assert!(!harness.text().contains("again it may be a duplicate"));
}

#[test]
fn event_that_may_have_been_published_is_sent_again_only_when_that_is_confirmed() {
    for may_have_happened in [true, false] {
        let mut harness = with_text(VALID, 80, 24);
        harness.press('s');
        let fault = Fault {
            may_have_happened,
            ..Fault::new("publish: no answer")
        };
        harness.answer(&PUBLISH, Err(fault));
        harness.press('s');
        let sent = usize::from(!may_have_happened);
        assert_eq!(harness.count(&PUBLISH), sent, "{}", harness.text());
    }
}

#[test]
fn event_that_was_sent_before_is_sent_again_only_when_that_is_confirmed() {
    let mut harness = with_text(VALID, 80, 24).sent();
    let sent = harness.count(&PUBLISH);
    harness.at(2_000).press('s');
    assert_eq!(harness.count(&PUBLISH), sent);
    let text = harness.text();
    assert!(
        text.contains("already sent from here: it may be a duplicate"),
        "{text}"
    );
    harness.at(2_010).press('y');
    assert_eq!(harness.count(&PUBLISH), sent + 1);
}

#[test]
fn key_that_sends_is_that_of_the_editor_while_keys_write() {
    let mut harness = with_text(VALID, 160, 45);
    assert!(harness.text().contains(" s sends to demo"));
    harness.at(100).press('e');
    let text = harness.text();
    for expected in ["^s sends to demo", "esc closes"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    harness.at(110).code(KeyCode::F(1));
    assert!(harness.text().contains("Keys of the editor"));
    harness.at(120).code(KeyCode::Esc);
    assert!(harness.text().contains("^s sends to demo"));
}

#[test]
fn late_answer_of_an_earlier_event_changes_nothing() {
    let mut harness = with_text(VALID, 80, 24).sent();
    let (_, late) = harness.take(&TRACE);
    harness.at(2_000).press('s');
    harness.at(2_000).press('y');
    harness.acknowledge(2_050);
    harness.at(2_100).reply(late, Ok(dead(None)));
    assert!(!harness.text().contains("dead-letter queue"));
}

#[test]
fn edited_text_can_be_had_back_after_the_next_template() {
    let mut harness = with_text(VALID, 80, 24);
    harness.at(100).press('e');
    harness.at(100).press('x');
    harness.at(100).code(KeyCode::Esc);
    harness.at(100).press('t');
    harness.at(110).answer(&TEMPLATE, Ok("{}".to_owned()));
    harness.at(120).press('e');
    for _ in 0..2 {
        harness.at(130).ctrl('u');
    }
    harness.at(140).code(KeyCode::Esc);
    harness.at(150).press('y');
    assert_eq!(harness.copied, [format!("x{VALID}")]);
}

#[test]
fn click_writes_where_it_is() {
    let mut harness = with_text(VALID, 80, 24);
    let row = harness
        .text()
        .lines()
        .position(|line| line.contains("\"subject\""))
        .unwrap();
    harness.at(100).click(4, u16::try_from(row).unwrap());
    harness.at(100).press('x');
    assert!(
        harness.text().contains("x\"subject\""),
        "{}",
        harness.text()
    );
}

#[test]
fn production_asks_before_a_valid_event_is_sent() {
    let sends = |key: KeyCode| {
        let mut harness = harness_in(State::AskingInProduction, 80, 24);
        assert_eq!(harness.count(&PUBLISH), 0, "not before the question");
        assert_eq!(harness.model.key_context(), KeyContext::Confirm);
        harness.code(key);
        assert_eq!(
            harness.model.key_context(),
            KeyContext::Screen(ScreenId::Publish),
            "{key:?}"
        );
        harness.asks_to_publish(VALID)
    };
    assert!(sends(KeyCode::Char('y')));
    assert!(!sends(KeyCode::Esc));
    assert!(!sends(KeyCode::Char('n')));
}

#[test]
fn production_question_shows_what_goes_where() {
    for (width, height) in [(80, 24), (160, 45), (40, 10)] {
        let harness = harness_in(State::AskingInProduction, width, height);
        let text = harness.text();
        for part in [
            "production PRODUCTION",
            "flight.departed",
            "y sends it",
            "esc",
        ] {
            assert!(text.contains(part), "{part} at {width}x{height}\n{text}");
        }
    }
    let text = harness_in(State::AskingInProduction, 80, 24).text();
    assert!(text.contains("to topic  events"), "{text}");
}

#[test]
fn production_asks_from_the_editor_too() {
    let mut harness = with_text(VALID, 80, 24);
    production(&mut harness);
    harness.press('e');
    harness.ctrl('s');
    assert_eq!(harness.count(&PUBLISH), 0);
    assert_eq!(harness.model.key_context(), KeyContext::Confirm);
}

#[test]
fn production_that_was_not_confirmed_is_not_asked_and_the_way_out_is_shown() {
    let mut harness = with_text(VALID, 80, 24);
    production(&mut harness);
    let why = "production is production: start with --confirm production --reason TEXT";
    harness.model.change_refusal = Some(why.to_owned());
    let words = harness.text();
    assert!(
        words.contains("no sends: production is production"),
        "{words}"
    );
    harness.press('s');
    assert_ne!(harness.model.key_context(), KeyContext::Confirm);
    assert_eq!(harness.count(&PUBLISH), 0);
    assert!(harness.notice().contains(why), "{}", harness.notice());
}

#[test]
fn read_only_environment_is_not_asked_to_send() {
    let harness = harness_in(State::ReadOnly, 80, 24);
    assert_eq!(harness.count(&PUBLISH), 0);
    assert!(harness.notice().contains("read-only"));
}

#[test]
fn keys_that_do_not_answer_the_question_tell_which_do() {
    let mut harness = harness_in(State::AskingInProduction, 80, 24);
    harness.press('x');
    assert_eq!(harness.notice(), "a question is open: y yes · esc or n no");
    assert_eq!(harness.model.key_context(), KeyContext::Confirm);
}

#[test]
fn nothing_is_sent_while_the_template_is_on_its_way() {
    let mut harness = Harness::on('4', 80, 24);
    harness.press('s');
    assert!(
        harness.notice().contains("still loading"),
        "{}",
        harness.notice()
    );
    harness.answer(&TEMPLATE, Ok(VALID.to_owned()));
    harness.press('t');
    harness.press('s');
    assert!(harness.notice().contains("still loading"));
    assert_eq!(harness.count(&PUBLISH), 0);
}

#[test]
fn paste_takes_the_place_of_an_untouched_event_and_of_no_other() {
    let mut harness = with_text("{}", 80, 24);
    harness.paste(VALID);
    assert_eq!(harness.model.key_context(), KeyContext::Editor);
    assert!(harness.text().contains("● valid"), "{}", harness.text());
    harness.code(KeyCode::Esc);
    harness.paste("{}");
    assert!(harness.notice().contains("press e first"));
    harness.press('y');
    assert_eq!(harness.copied, [VALID.to_owned()]);
}

#[test]
fn template_that_comes_after_a_paste_is_dropped() {
    let mut harness = Harness::on('4', 80, 24);
    harness.paste(VALID);
    harness.answer(&TEMPLATE, Ok("{}".to_owned()));
    harness.code(KeyCode::Esc);
    harness.press('y');
    assert_eq!(harness.copied, [VALID.to_owned()]);
}

#[test]
fn quit_asks_while_a_written_text_is_not_sent() {
    let mut harness = with_text(VALID, 80, 24);
    harness.keys("e ");
    harness.ctrl('c');
    assert!(!harness.model.is_leaving);
    let text = harness.text();
    let why = "The text in the editor of screen 4 is not sent, and is lost.";
    assert!(text.contains(why), "{text}");
    harness.code(KeyCode::Esc);
    harness.ctrl('s');
    harness.acknowledge(80);
    harness.ctrl('c');
    assert!(harness.model.is_leaving, "it was sent");
}
