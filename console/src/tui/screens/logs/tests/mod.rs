//! Every state of the screen as pictures.

mod behaviour;
mod fixtures;

use crossterm::event::KeyCode;
use pipeline::PipelineError;
use pipeline::logs::LogFunction;
use strum::VariantArray;

use self::fixtures::{denied, late, line, lines, open, read, unread};
use crate::tui::fault::Fault;
use crate::tui::testing::{Harness, LOGS, assert_pictures, draw_at_every_size, now, production};

/// Every state that the screen can be seen in.
#[derive(Clone, Copy, Debug, PartialEq, VariantArray)]
enum State {
    Loading,
    Empty,
    Ready,
    Paused,
    Detail,
    Typing,
    FilterRefused,
    NoneMatches,
    Request,
    RequestLoading,
    RequestEmpty,
    Behind,
    Stale,
    Failed,
    FailedWithPrevious,
    PartlyUnread,
    NotConfigured,
    Production,
    HostileTexts,
    NoColour,
}

fn drive(state: State, width: u16, height: u16) -> Harness {
    let mut harness = match state {
        State::Production => {
            let mut harness = Harness::new(production(), now(), width, height);
            harness.press('7');
            harness
        }
        State::Loading
        | State::Empty
        | State::Ready
        | State::Paused
        | State::Detail
        | State::Typing
        | State::FilterRefused
        | State::NoneMatches
        | State::Request
        | State::RequestLoading
        | State::RequestEmpty
        | State::Behind
        | State::Stale
        | State::Failed
        | State::FailedWithPrevious
        | State::PartlyUnread
        | State::NotConfigured
        | State::HostileTexts
        | State::NoColour => open(width, height),
    };
    match state {
        State::Loading => {}
        State::Empty => harness.answer(&LOGS, Ok(read(Vec::new()))),
        State::Failed => harness.answer(&LOGS, Err(denied())),
        State::NotConfigured => {
            let none = PipelineError::not_configured(
                "read the log of the function ingest",
                "the environment's entry names no function".to_owned(),
                "add ingest_function",
            );
            harness.answer(&LOGS, Err(Fault::from(&none)));
        }
        State::HostileTexts => {
            let text = "\u{1b}[2J\u{202e}日本語 without an end ".repeat(20);
            let json =
                serde_json::json!({"level": "ERROR", "message": text, "source": text, "id": text});
            let lines = vec![
                line(0, LogFunction::Api, &text),
                line(1, LogFunction::Api, &json.to_string()),
            ];
            harness.answer(&LOGS, Ok(read(lines)));
        }
        State::Behind => {
            let mut read = read(lines());
            read.behind = vec![LogFunction::Ingest];
            harness.answer(&LOGS, Ok(read));
        }
        State::PartlyUnread => {
            let mut read = read(lines());
            read.unread = vec![unread()];
            harness.answer(&LOGS, Ok(read));
        }
        State::Ready
        | State::Paused
        | State::Detail
        | State::Typing
        | State::FilterRefused
        | State::NoneMatches
        | State::Request
        | State::RequestLoading
        | State::RequestEmpty
        | State::Stale
        | State::FailedWithPrevious
        | State::Production
        | State::NoColour => harness.answer(&LOGS, Ok(read(lines()))),
    }
    go_on(state, &mut harness);
    harness
}

/// What is done after the first answer.
fn go_on(state: State, harness: &mut Harness) {
    match state {
        State::Loading => harness.pass(3),
        State::Paused => harness.keys("kk"),
        State::Detail => {
            harness.keys("kkk");
            harness.code(KeyCode::Enter);
        }
        State::Typing => harness.keys("/batch level=warn"),
        State::FilterRefused => harness.keys("/level=w"),
        State::NoneMatches => {
            harness.keys("/no such text");
            harness.code(KeyCode::Enter);
        }
        State::Request => {
            harness.keys("kki");
            let request = lines().into_iter().filter(|line| line.request_id.is_some());
            harness.answer(&LOGS, Ok(read(request.take(4).collect())));
        }
        State::RequestLoading => {
            harness.keys("kki");
            harness.pass(2);
        }
        State::RequestEmpty => {
            harness.keys("kki");
            harness.answer(&LOGS, Ok(read(Vec::new())));
        }
        State::Stale => {
            harness.pass(1);
            harness.pass(9);
        }
        State::FailedWithPrevious => {
            harness.refresh();
            harness.answer(&LOGS, Err(late()));
        }
        State::NoColour => harness.model.theme.has_colour = false,
        State::Empty
        | State::Ready
        | State::Behind
        | State::Failed
        | State::PartlyUnread
        | State::NotConfigured
        | State::Production
        | State::HostileTexts => {}
    }
}

#[test]
fn every_state_looks_as_reviewed() {
    assert_pictures("logs", State::VARIANTS, drive);
}

#[test]
fn every_state_is_drawn_at_every_size() {
    let fullest = [
        State::Ready,
        State::Detail,
        State::HostileTexts,
        State::Typing,
    ];
    draw_at_every_size(State::VARIANTS, &fullest, drive);
}
