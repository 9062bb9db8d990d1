//! Every state of the screen Publish as pictures, and how it behaves.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where it fails"
)]

mod support;

use chrono::{DateTime, Duration, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use opsconsole::tui::keymap::Context;
use opsconsole::tui::message::{Answer, Effect, Fault, Msg, Reply, Request, RequestId, Topic};
use opsconsole::tui::model::Model;
use opsconsole::tui::screens::ScreenId;
use opsconsole::tui::theme::Theme;
use opsconsole::tui::update::update;
use opsconsole::world::observed::{ApiHealth, Published, Reason, TraceState};
use support::screen::{SIZES, every_size, picture, start};

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

const STATES: [State; 24] = [
    State::BeforeTemplate,
    State::TemplateFailed,
    State::Valid,
    State::Editing,
    State::InvalidAtPlace,
    State::InvalidAbsent,
    State::NotJson,
    State::EscapeSequences,
    State::AskingToSend,
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
    DateTime::from_timestamp(1_795_000_000, 0).unwrap() + Duration::milliseconds(millis)
}

fn refused(what: &str) -> Fault {
    Fault {
        message: format!("{what} at http://127.0.0.1:4566: connection refused (after 0.2 s)"),
        hint: Some("is the demo still running?".to_owned()),
    }
}

/// The screen, and the questions that nobody has answered yet.
struct Driver {
    model: Model,
    asked: Vec<(RequestId, Request)>,
    effects: Vec<Effect>,
}

impl Driver {
    fn open(width: u16, height: u16) -> Self {
        let mut driver = Self {
            model: start(width, height, at(0)),
            asked: Vec::new(),
            effects: Vec::new(),
        };
        driver.press('4', 0);
        driver
    }

    /// With a text in the editor.
    fn with(text: &str, width: u16, height: u16) -> Self {
        let mut driver = Self::open(width, height);
        driver.answer(Topic::Template, Ok(Answer::Template(text.to_owned())), 0);
        driver
    }

    fn happen(&mut self, msg: Msg, millis: i64) {
        for effect in update(&mut self.model, at(millis), msg) {
            if let Effect::Ask { id, request } = effect {
                self.asked.push((id, request));
            } else {
                self.effects.push(effect);
            }
        }
    }

    fn key(&mut self, code: KeyCode, modifiers: KeyModifiers, millis: i64) {
        self.happen(Msg::Key(KeyEvent::new(code, modifiers)), millis);
    }

    fn press(&mut self, character: char, millis: i64) {
        self.key(KeyCode::Char(character), KeyModifiers::NONE, millis);
    }

    fn answer(&mut self, topic: Topic, result: Result<Answer, Fault>, millis: i64) {
        let place = self
            .asked
            .iter()
            .position(|(_, request)| request.topic() == topic);
        let (id, _) = self
            .asked
            .remove(place.unwrap_or_else(|| panic!("{topic:?} was not asked")));
        self.happen(Msg::Reply(Reply { id, topic, result }), millis);
    }

    fn awaits(&self, topic: Topic) -> usize {
        self.asked
            .iter()
            .filter(|(_, request)| request.topic() == topic)
            .count()
    }

    /// Sends what is in the editor; SNS takes it.
    fn sent(mut self) -> Self {
        self.press('s', 900);
        self.acknowledge(1_004);
        self
    }

    fn acknowledge(&mut self, millis: i64) {
        let published = Published {
            sns_message_id: "2f4c0d8e".to_owned(),
            acknowledged_at: at(millis),
            latency: std::time::Duration::from_millis(41),
        };
        self.answer(Topic::Publish, Ok(Answer::Published(published)), millis);
    }

    fn traced(mut self, state: TraceState, millis: i64) -> Self {
        self.answer(Topic::Trace, Ok(Answer::Traced(state)), millis);
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
            driver.answer(Topic::Template, Err(fault), 10_000);
            driver
        }
        State::Valid => with(VALID),
        State::Editing => {
            let mut driver = with(VALID);
            driver.press('e', 100);
            driver.key(KeyCode::Down, KeyModifiers::NONE, 100);
            driver.key(KeyCode::End, KeyModifiers::NONE, 100);
            driver
        }
        State::InvalidAtPlace => with(&VALID.replace("2026-11-18T", "2026-11-18 ")),
        State::InvalidAbsent => with(&without_time()),
        State::NotJson => with(&VALID.replace("\"LA601\",\n", "\"LA601\"\n")),
        State::EscapeSequences => {
            let mut driver = with("");
            driver.press('e', 100);
            driver.happen(
                Msg::Paste("\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}txt".into()),
                100,
            );
            driver
        }
        State::AskingToSend => {
            let mut driver = with(&without_time());
            driver.press('s', 900);
            driver
        }
        State::Sending => {
            let mut driver = with(VALID);
            driver.press('s', 900);
            driver.happen(Msg::Tick, 3_000);
            driver
        }
        State::SendFailed => {
            let mut driver = with(VALID);
            driver.press('s', 900);
            driver.answer(Topic::Publish, Err(refused("publish to \"events\"")), 1_100);
            driver
        }
        State::Pending => {
            let mut driver = with(VALID).sent().traced(TraceState::Pending, 1_200);
            driver.happen(Msg::Tick, 3_400);
            driver
        }
        State::PendingLookFails => {
            let mut driver = with(VALID).sent();
            driver.answer(
                Topic::Trace,
                Err(refused("look the event up in the ledger")),
                1_300,
            );
            driver.happen(Msg::Tick, 3_400);
            driver
        }
        State::Stored => with(VALID).sent().traced(stored(1_218, None), 1_300),
        State::Readable => with(VALID).sent().traced(stored(1_218, Some(200)), 1_300),
        State::ClocksDiffer => with(VALID).sent().traced(stored(990, Some(200)), 1_300),
        State::Duplicate => {
            let mut driver = with(VALID).sent().traced(stored(1_218, Some(200)), 1_300);
            driver.press('s', 9_000);
            driver.acknowledge(9_050);
            driver.traced(stored(1_218, Some(200)), 9_100)
        }
        State::SentBefore => {
            let mut driver = with(VALID).sent();
            driver.press('e', 2_000);
            driver
        }
        State::Dead => {
            let mut driver = with(&without_time());
            driver.press('s', 900);
            driver.press('y', 950);
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
            driver.happen(Msg::Tick, 70_000);
            driver
        }
        State::ReadOnly => {
            let mut driver = with(VALID);
            driver.model.environment.read_only = true;
            driver.press('s', 900);
            let fault = Fault {
                message: "publish to \"events\": environment \"demo\" is read-only".into(),
                hint: Some("leave out --read-only, or change read_only in its entry".into()),
            };
            driver.answer(Topic::Publish, Err(fault), 901);
            driver
        }
        State::Production => {
            let mut driver = with(VALID);
            driver.model.environment.is_production = true;
            driver
        }
        State::NoColour => {
            let mut driver = driver_in(State::Dead, width, height);
            driver.model.theme = Theme { has_colour: false };
            driver
        }
    }
}

/// The screen as text.
fn text(driver: &Driver) -> String {
    let buffer = picture(&driver.model);
    let width = usize::from(buffer.area.width);
    buffer
        .content
        .chunks(width)
        .map(|row| {
            row.iter()
                .map(ratatui::buffer::Cell::symbol)
                .collect::<String>()
                + "\n"
        })
        .collect()
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
            driver.happen(Msg::Resize { width, height }, 1_000);
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
    driver.press('1', 10);
    driver.press('4', 20);
    assert_eq!(driver.awaits(Topic::Template), 1);
    driver.answer(Topic::Template, Ok(Answer::Template(VALID.into())), 30);
    driver.press('t', 40);
    assert!(
        driver
            .asked
            .iter()
            .any(|(_, request)| *request == Request::Template(1))
    );
}

#[test]
fn verdict_follows_each_key() {
    let mut driver = Driver::with(VALID, 80, 24);
    assert!(text(&driver).contains("● valid"));
    driver.press('e', 100);
    assert_eq!(driver.model.context(), Context::Editor);
    driver.press('x', 100);
    assert!(
        text(&driver).contains("✖ refused: not-json"),
        "{}",
        text(&driver)
    );
    driver.key(KeyCode::Backspace, KeyModifiers::NONE, 100);
    assert!(text(&driver).contains("● valid"));
    driver.key(KeyCode::Esc, KeyModifiers::NONE, 100);
    assert_eq!(driver.model.context(), Context::Screen(ScreenId::Publish));
}

#[test]
fn valid_event_is_sent_as_it_is_written() {
    let mut driver = Driver::with(VALID, 80, 24);
    driver.press('e', 100);
    driver.key(KeyCode::Char('s'), KeyModifiers::CONTROL, 100);
    assert!(
        driver
            .asked
            .iter()
            .any(|(_, request)| *request == Request::Publish(VALID.into()))
    );
}

#[test]
fn refused_event_is_sent_only_after_a_yes() {
    let mut driver = Driver::with("{}", 80, 24);
    driver.press('s', 100);
    assert_eq!(driver.model.context(), Context::Confirm);
    driver.press('n', 110);
    assert_eq!(driver.awaits(Topic::Publish), 0);
    driver.press('s', 120);
    driver.press('y', 130);
    assert!(
        driver
            .asked
            .iter()
            .any(|(_, request)| *request == Request::Publish("{}".into()))
    );
}

#[test]
fn nothing_is_sent_twice_at_once() {
    let mut driver = Driver::with(VALID, 80, 24);
    driver.press('s', 100);
    driver.press('s', 110);
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
    driver.happen(Msg::Tick, 1_200);
    assert_eq!(driver.awaits(Topic::Trace), 1, "one look at a time");
    driver = driver.traced(TraceState::Pending, 1_250);
    driver.happen(Msg::Tick, 1_400);
    assert_eq!(driver.awaits(Topic::Trace), 0, "not before its time");
    driver.happen(Msg::Tick, 1_700);
    driver = driver.traced(stored(1_218, None), 1_750);
    driver.happen(Msg::Tick, 2_300);
    driver = driver.traced(stored(1_218, Some(200)), 2_350);
    driver.happen(Msg::Tick, 30_000);
    assert_eq!(driver.awaits(Topic::Trace), 0, "nothing more to come");
    assert!(text(&driver).contains("GET /v1/records/1204554 → 200 in 13 ms"));
    assert_eq!(driver.model.publish.waiting_since(), None);
}

#[test]
fn search_goes_on_while_another_screen_is_shown() {
    let mut driver = Driver::with(VALID, 80, 24)
        .sent()
        .traced(TraceState::Pending, 1_100);
    driver.press('3', 1_200);
    driver.happen(Msg::Tick, 2_000);
    assert_eq!(driver.awaits(Topic::Trace), 1);
}

#[test]
fn failed_look_is_tried_again_and_the_search_ends_after_a_minute() {
    let mut driver = Driver::with(VALID, 80, 24).sent();
    driver.answer(Topic::Trace, Err(refused("look the event up")), 1_100);
    driver.happen(Msg::Tick, 1_600);
    driver = driver.traced(TraceState::Pending, 1_700);
    driver.happen(Msg::Tick, 70_000);
    assert_eq!(driver.awaits(Topic::Trace), 0);
    assert!(
        text(&driver).contains("still pending after 1 min"),
        "{}",
        text(&driver)
    );
    assert_eq!(
        driver.model.publish.waiting_since(),
        None,
        "nothing moves any more"
    );
    driver.key(KeyCode::Char('r'), KeyModifiers::CONTROL, 71_000);
    assert_eq!(driver.awaits(Topic::Trace), 1);
    assert!(text(&driver).contains("awaited for"));
}

#[test]
fn same_identity_is_told_to_be_a_duplicate_before_it_is_sent() {
    let mut driver = Driver::with(VALID, 80, 24);
    assert!(!text(&driver).contains("duplicate"));
    driver = driver.sent();
    assert!(text(&driver).contains("already sent from here"));
    driver.press('t', 2_000);
    let fresh = VALID.replace("5b0cf6c2", "00000000");
    driver.answer(Topic::Template, Ok(Answer::Template(fresh)), 2_010);
    assert!(!text(&driver).contains("already sent from here"));
}

#[test]
fn late_answer_of_an_earlier_event_changes_nothing() {
    let mut driver = Driver::with(VALID, 80, 24).sent();
    let (late, _) = driver.asked.pop().unwrap();
    driver.press('s', 2_000);
    driver.acknowledge(2_050);
    let result = Ok(Answer::Traced(dead(None)));
    driver.happen(
        Msg::Reply(Reply {
            id: late,
            topic: Topic::Trace,
            result,
        }),
        2_100,
    );
    assert!(!text(&driver).contains("dead-letter queue"));
}

#[test]
fn edited_text_can_be_had_back_after_the_next_template() {
    let mut driver = Driver::with(VALID, 80, 24);
    driver.press('e', 100);
    driver.press('x', 100);
    driver.key(KeyCode::Esc, KeyModifiers::NONE, 100);
    driver.press('t', 100);
    driver.answer(Topic::Template, Ok(Answer::Template("{}".into())), 110);
    driver.press('e', 120);
    for _ in 0..2 {
        driver.key(KeyCode::Char('u'), KeyModifiers::CONTROL, 130);
    }
    driver.key(KeyCode::Esc, KeyModifiers::NONE, 140);
    driver.press('y', 150);
    assert_eq!(driver.effects, [Effect::Copy(format!("x{VALID}"))]);
}

#[test]
fn click_writes_where_it_is() {
    let mut driver = Driver::with(VALID, 80, 24);
    let row = text(&driver)
        .lines()
        .position(|line| line.contains("\"subject\""))
        .unwrap();
    let mouse = MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: 4,
        row: u16::try_from(row).unwrap(),
        modifiers: KeyModifiers::NONE,
    };
    driver.happen(Msg::Mouse(mouse), 100);
    driver.press('x', 100);
    assert!(text(&driver).contains("x\"subject\""), "{}", text(&driver));
}
