//! Every state of the screen Publish as pictures, and how it behaves.

mod support;

use chrono::{DateTime, Duration, Utc};
use crossterm::event::{KeyCode, MouseButton, MouseEventKind};
use opsconsole::tui::keymap::Context;
use opsconsole::tui::message::{Answer, Effect, Fault, Request, Topic};
use opsconsole::tui::screens::ScreenId;
use opsconsole::tui::theme::Theme;
use pipeline::model::{ApiHealth, Published, Reason, TraceState};
use support::driver::{Driver, now};
use support::screen::{SIZES, every_size, picture};

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
#[derive(Clone, Copy, Debug)]
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
    ReadOnly,
    Production,
    NoColour,
}

const STATES: [State; 26] = [
    State::BeforeTemplate,
    State::TemplateFailed,
    State::Valid,
    State::Editing,
    State::InvalidAtPlace,
    State::InvalidAbsent,
    State::NotJson,
    State::EscapeSequences,
    State::AskingToSend,
    State::AskingInProduction,
    State::AskingInProductionRefused,
    State::Sending,
    State::SendFailed,
    State::Pending,
    State::PendingLookFails,
    State::Stored,
    State::Readable,
    State::ClocksDiffer,
    State::Duplicate,
    State::SentBefore,
    State::Dead,
    State::DeadWithoutReason,
    State::TimedOut,
    State::ReadOnly,
    State::Production,
    State::NoColour,
];

fn at(millis: i64) -> DateTime<Utc> {
    now() + Duration::milliseconds(millis)
}

fn refused(what: &str) -> Fault {
    Fault {
        message: format!("{what} at http://127.0.0.1:4566: connection refused (after 0.2 s)"),
        hint: Some("is the demo still running?".to_owned()),
    }
}

impl Driver {
    fn open(width: u16, height: u16) -> Self {
        Self::on('4', width, height)
    }

    /// With a text in the editor.
    fn with(text: &str, width: u16, height: u16) -> Self {
        let mut driver = Self::open(width, height);
        driver.answer(Topic::Template, Ok(Answer::Template(text.to_owned())));
        driver
    }

    /// Sends what is in the editor; SNS takes it.
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
        self.at(millis)
            .answer(Topic::Publish, Ok(Answer::Published(published)));
    }

    fn traced(mut self, state: TraceState, millis: i64) -> Self {
        self.at(millis)
            .answer(Topic::Trace, Ok(Answer::Traced(state)));
        self
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

fn production(driver: &mut Driver) {
    driver.model.environment.is_production = true;
    driver.model.environment.name = "production".to_owned();
}

fn driver_in(state: State, width: u16, height: u16) -> Driver {
    let with = |text: &str| Driver::with(text, width, height);
    match state {
        State::BeforeTemplate => Driver::open(width, height),
        State::TemplateFailed => {
            let mut driver = Driver::open(width, height);
            let fault = Fault {
                message: "no answer within 10 s".into(),
                hint: None,
            };
            driver.at(10_000).answer(Topic::Template, Err(fault));
            driver
        }
        State::Valid => with(VALID),
        State::Editing => {
            let mut driver = with(VALID);
            driver.at(100).press('e');
            driver.at(100).key(KeyCode::Down);
            driver.at(100).key(KeyCode::End);
            driver
        }
        State::InvalidAtPlace => with(&VALID.replace("2026-11-18T", "2026-11-18 ")),
        State::InvalidAbsent => with(&without_time()),
        State::NotJson => with(&VALID.replace("\"LA601\",\n", "\"LA601\"\n")),
        State::EscapeSequences => {
            let mut driver = with("");
            driver.at(100).press('e');
            driver.paste("\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}txt");
            driver
        }
        State::AskingToSend => {
            let mut driver = with(&without_time());
            driver.at(900).press('s');
            driver
        }
        State::AskingInProduction => {
            let mut driver = with(VALID);
            production(&mut driver);
            driver.at(900).press('s');
            driver
        }
        State::AskingInProductionRefused => {
            let mut driver = with(&without_time());
            production(&mut driver);
            driver.at(900).press('s');
            driver
        }
        State::Sending => {
            let mut driver = with(VALID);
            driver.at(900).press('s');
            driver.at(3_000).tick();
            driver
        }
        State::SendFailed => {
            let mut driver = with(VALID);
            driver.at(900).press('s');
            driver
                .at(1_100)
                .answer(Topic::Publish, Err(refused("publish to \"events\"")));
            driver
        }
        State::Pending => {
            let mut driver = with(VALID).sent().traced(TraceState::Pending, 1_200);
            driver.at(3_400).tick();
            driver
        }
        State::PendingLookFails => {
            let mut driver = with(VALID).sent();
            driver.at(1_300).answer(
                Topic::Trace,
                Err(refused("look the event up in the ledger")),
            );
            driver.at(3_400).tick();
            driver
        }
        State::Stored => with(VALID).sent().traced(stored(1_218, None), 1_300),
        State::Readable => with(VALID).sent().traced(stored(1_218, Some(200)), 1_300),
        State::ClocksDiffer => with(VALID).sent().traced(stored(990, Some(200)), 1_300),
        State::Duplicate => {
            let mut driver = with(VALID).sent().traced(stored(1_218, Some(200)), 1_300);
            driver.at(9_000).press('s');
            driver.acknowledge(9_050);
            driver.traced(stored(1_218, Some(200)), 9_100)
        }
        State::SentBefore => {
            let mut driver = with(VALID).sent();
            driver.at(2_000).press('e');
            driver
        }
        State::Dead => {
            let mut driver = with(&without_time());
            driver.at(900).press('s');
            driver.at(950).press('y');
            driver.acknowledge(1_004);
            driver.traced(
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
            let mut driver = with(VALID).sent().traced(TraceState::Pending, 1_200);
            driver.at(70_000).tick();
            driver
        }
        State::ReadOnly => {
            let mut driver = with(VALID);
            driver.model.environment.read_only = true;
            driver.at(900).press('s');
            driver
        }
        State::Production => {
            let mut driver = with(VALID);
            production(&mut driver);
            driver
        }
        State::NoColour => {
            let mut driver = driver_in(State::Dead, width, height);
            driver.model.theme = Theme { has_colour: false };
            driver
        }
    }
}

#[test]
fn every_state_looks_as_reviewed() {
    for state in STATES {
        for (width, height) in SIZES {
            let driver = driver_in(state, width, height);
            insta::assert_debug_snapshot!(
                format!("publish_{state:?}_{width}x{height}"),
                picture(&driver.model)
            );
        }
    }
}

#[test]
fn every_size_is_drawn() {
    for state in STATES {
        let mut driver = driver_in(state, 80, 24);
        for (width, height) in every_size().chain([(0, 0), (0, 9), (9, 0)]) {
            driver.at(1_000).resize(width, height);
            if width > 0 && height > 0 {
                picture(&driver.model);
            }
        }
    }
}

#[test]
fn template_is_asked_for_once_and_the_next_one_by_key() {
    let mut driver = Driver::open(80, 24);
    assert_eq!(
        driver.asked.first().map(|(_, request)| request),
        Some(&Request::Template(0))
    );
    driver.at(10).press('1');
    driver.at(20).press('4');
    assert_eq!(driver.awaits(Topic::Template), 1);
    driver
        .at(30)
        .answer(Topic::Template, Ok(Answer::Template(VALID.into())));
    driver.at(40).press('t');
    assert!(driver.has_asked(&Request::Template(1)));
}

#[test]
fn verdict_follows_each_key() {
    let mut driver = Driver::with(VALID, 80, 24);
    assert!(driver.text().contains("● valid"));
    driver.at(100).press('e');
    assert_eq!(driver.model.context(), Context::Editor);
    driver.at(100).press('x');
    assert!(
        driver.text().contains("✖ refused: not-json"),
        "{}",
        driver.text()
    );
    driver.at(100).key(KeyCode::Backspace);
    assert!(driver.text().contains("● valid"));
    driver.at(100).key(KeyCode::Esc);
    assert_eq!(driver.model.context(), Context::Screen(ScreenId::Publish));
}

#[test]
fn valid_event_is_sent_as_it_is_written() {
    let mut driver = Driver::with(VALID, 80, 24);
    driver.at(100).press('e');
    driver.at(100).ctrl('s');
    assert!(driver.has_asked(&Request::Publish(VALID.into())));
}

#[test]
fn refused_event_is_sent_only_after_a_yes() {
    let mut driver = Driver::with("{}", 80, 24);
    driver.at(100).press('s');
    assert_eq!(driver.model.context(), Context::Confirm);
    driver.at(110).press('n');
    assert_eq!(driver.awaits(Topic::Publish), 0);
    driver.at(120).press('s');
    driver.at(130).press('y');
    assert!(driver.has_asked(&Request::Publish("{}".into())));
}

#[test]
fn nothing_is_sent_twice_at_once() {
    let mut driver = Driver::with(VALID, 80, 24);
    driver.at(100).press('s');
    driver.at(110).press('s');
    assert_eq!(driver.awaits(Topic::Publish), 1);
}

#[test]
fn event_is_followed_until_it_is_readable() {
    let mut driver = Driver::with(VALID, 80, 24).sent();
    assert_eq!(
        driver.awaits(Topic::Trace),
        1,
        "the first look comes at once"
    );
    driver.at(1_200).tick();
    assert_eq!(driver.awaits(Topic::Trace), 1, "one look at a time");
    driver = driver.traced(TraceState::Pending, 1_250);
    driver.at(1_400).tick();
    assert_eq!(driver.awaits(Topic::Trace), 0, "not before its time");
    driver.at(1_700).tick();
    driver = driver.traced(stored(1_218, None), 1_750);
    driver.at(2_300).tick();
    driver = driver.traced(stored(1_218, Some(200)), 2_350);
    driver.at(30_000).tick();
    assert_eq!(driver.awaits(Topic::Trace), 0, "nothing more to come");
    assert!(
        driver
            .text()
            .contains("GET /v1/records/1204554 → 200 in 13 ms")
    );
    assert_eq!(driver.model.publish.waiting_since(), None);
}

#[test]
fn search_goes_on_while_another_screen_is_shown() {
    let mut driver = Driver::with(VALID, 80, 24)
        .sent()
        .traced(TraceState::Pending, 1_100);
    driver.at(1_200).press('5');
    driver.at(2_000).tick();
    assert_eq!(driver.awaits(Topic::Trace), 1);
}

#[test]
fn failed_look_is_tried_again_and_the_search_ends_after_a_minute() {
    let mut driver = Driver::with(VALID, 80, 24).sent();
    driver
        .at(1_100)
        .answer(Topic::Trace, Err(refused("look the event up")));
    driver.at(1_600).tick();
    driver = driver.traced(TraceState::Pending, 1_700);
    driver.at(70_000).tick();
    assert_eq!(driver.awaits(Topic::Trace), 0);
    assert!(
        driver.text().contains("still pending after 1 min"),
        "{}",
        driver.text()
    );
    assert_eq!(
        driver.model.publish.waiting_since(),
        None,
        "nothing moves any more"
    );
    driver.at(71_000).ctrl('r');
    assert_eq!(driver.awaits(Topic::Trace), 1);
    assert!(driver.text().contains("awaited for"));
}

#[test]
fn same_identity_is_told_to_be_a_duplicate_before_it_is_sent() {
    let mut driver = Driver::with(VALID, 80, 24);
    assert!(!driver.text().contains("duplicate"));
    driver = driver.sent();
    assert!(driver.text().contains("already sent from here"));
    driver.at(2_000).press('t');
    let fresh = VALID.replace("5b0cf6c2", "00000000");
    driver
        .at(2_010)
        .answer(Topic::Template, Ok(Answer::Template(fresh)));
    assert!(!driver.text().contains("already sent from here"));
}

#[test]
fn late_answer_of_an_earlier_event_changes_nothing() {
    let mut driver = Driver::with(VALID, 80, 24).sent();
    let (late, _) = driver.take(Topic::Trace);
    driver.at(2_000).press('s');
    driver.acknowledge(2_050);
    let result = Ok(Answer::Traced(dead(None)));
    driver.at(2_100).reply(late, Topic::Trace, result);
    assert!(!driver.text().contains("dead-letter queue"));
}

#[test]
fn edited_text_can_be_had_back_after_the_next_template() {
    let mut driver = Driver::with(VALID, 80, 24);
    driver.at(100).press('e');
    driver.at(100).press('x');
    driver.at(100).key(KeyCode::Esc);
    driver.at(100).press('t');
    driver
        .at(110)
        .answer(Topic::Template, Ok(Answer::Template("{}".into())));
    driver.at(120).press('e');
    for _ in 0..2 {
        driver.at(130).ctrl('u');
    }
    driver.at(140).key(KeyCode::Esc);
    driver.at(150).press('y');
    assert_eq!(driver.effects, [Effect::Copy(format!("x{VALID}"))]);
}

#[test]
fn click_writes_where_it_is() {
    let mut driver = Driver::with(VALID, 80, 24);
    let row = driver
        .text()
        .lines()
        .position(|line| line.contains("\"subject\""))
        .unwrap();
    let click = MouseEventKind::Down(MouseButton::Left);
    driver.at(100).mouse(click, 4, u16::try_from(row).unwrap());
    driver.at(100).press('x');
    assert!(driver.text().contains("x\"subject\""), "{}", driver.text());
}

#[test]
fn production_asks_before_a_valid_event_is_sent() {
    let sends = |key: KeyCode| {
        let mut driver = driver_in(State::AskingInProduction, 80, 24);
        assert_eq!(driver.awaits(Topic::Publish), 0, "not before the question");
        assert_eq!(driver.model.context(), Context::Confirm);
        driver.key(key);
        assert_eq!(
            driver.model.context(),
            Context::Screen(ScreenId::Publish),
            "{key:?}"
        );
        driver.has_asked(&Request::Publish(VALID.into()))
    };
    assert!(sends(KeyCode::Char('y')));
    assert!(!sends(KeyCode::Esc));
    assert!(!sends(KeyCode::Char('n')));
}

#[test]
fn production_question_says_what_goes_where() {
    for (width, height) in [(80, 24), (160, 45), (40, 10)] {
        let driver = driver_in(State::AskingInProduction, width, height);
        let text = driver.text();
        for part in [
            "production PRODUCTION",
            "flight.departed",
            "y sends it",
            "esc",
        ] {
            assert!(text.contains(part), "{part} at {width}x{height}\n{text}");
        }
    }
    let text = driver_in(State::AskingInProduction, 80, 24).text();
    assert!(text.contains("to topic  events"), "{text}");
}

#[test]
fn production_asks_from_the_editor_too() {
    let mut driver = Driver::with(VALID, 80, 24);
    production(&mut driver);
    driver.press('e');
    driver.ctrl('s');
    assert_eq!(driver.awaits(Topic::Publish), 0);
    assert_eq!(driver.model.context(), Context::Confirm);
}

#[test]
fn read_only_environment_is_not_asked_to_send() {
    let driver = driver_in(State::ReadOnly, 80, 24);
    assert_eq!(driver.awaits(Topic::Publish), 0);
    assert!(driver.notice().contains("read-only"));
}

#[test]
fn keys_that_do_not_answer_the_question_tell_which_do() {
    let mut driver = driver_in(State::AskingInProduction, 80, 24);
    driver.press('x');
    assert_eq!(driver.notice(), "a question is open: y yes · esc or n no");
    assert_eq!(driver.model.context(), Context::Confirm);
}

#[test]
fn nothing_is_sent_while_the_template_is_on_its_way() {
    let mut driver = Driver::open(80, 24);
    driver.press('s');
    assert!(
        driver.notice().contains("on its way"),
        "{}",
        driver.notice()
    );
    driver.answer(Topic::Template, Ok(Answer::Template(VALID.into())));
    driver.press('t');
    driver.press('s');
    assert!(driver.notice().contains("on its way"));
    assert_eq!(driver.awaits(Topic::Publish), 0);
}

#[test]
fn paste_takes_the_place_of_an_untouched_event_and_of_no_other() {
    let mut driver = Driver::with("{}", 80, 24);
    driver.paste(VALID);
    assert_eq!(driver.model.context(), Context::Editor);
    assert!(driver.text().contains("● valid"), "{}", driver.text());
    driver.key(KeyCode::Esc);
    driver.paste("{}");
    assert!(driver.notice().contains("press e to edit"));
    driver.press('y');
    assert_eq!(driver.effects, [Effect::Copy(VALID.to_owned())]);
}

#[test]
fn template_that_comes_after_a_paste_is_dropped() {
    let mut driver = Driver::open(80, 24);
    driver.paste(VALID);
    driver.answer(Topic::Template, Ok(Answer::Template("{}".into())));
    driver.key(KeyCode::Esc);
    driver.press('y');
    assert_eq!(driver.effects, [Effect::Copy(VALID.to_owned())]);
}
