//! Every state of the screen at two sizes, text and styles.

use super::fixtures::*;
use super::*;
use crate::tui::testing::{QUEUE, assert_pictures};
use crate::tui::theme::Theme;
use pipeline::model::{QueueDepth, QueueRole, QueueSettings, QueueSnapshot};
use redrive::MessageOutcome;

macro_rules! states {
    ($($state:ident),+ $(,)?) => {
        #[derive(Clone, Copy, Debug)]
        enum State { $($state),+ }
        const STATES: &[State] = &[$(State::$state),+];
    };
}

states!(
    Waiting,
    Empty,
    ReceivedByOthers,
    Received,
    GroupFiltered,
    DetailOpen,
    EscapeSequences,
    Enormous,
    FailedFirst,
    FailedWithPrevious,
    Warnings,
    Redriving,
    Reported,
    Noted,
    SearchTyped,
    SearchFound,
    SearchFailed,
    DeleteTyped,
    PatchTyped,
    PatchFailed,
    PatchPreview,
    Edited,
    Editing,
    Released,
    ReadOnly,
    Production,
    NoColour,
);

fn drive(state: State, width: u16, height: u16) -> Harness {
    let environment = match state {
        State::ReadOnly => read_only(),
        State::Production => production(),
        State::Waiting
        | State::Empty
        | State::ReceivedByOthers
        | State::Received
        | State::GroupFiltered
        | State::DetailOpen
        | State::EscapeSequences
        | State::Enormous
        | State::FailedFirst
        | State::FailedWithPrevious
        | State::Warnings
        | State::Redriving
        | State::Reported
        | State::Noted
        | State::SearchTyped
        | State::SearchFound
        | State::SearchFailed
        | State::DeleteTyped
        | State::PatchTyped
        | State::PatchFailed
        | State::PatchPreview
        | State::Edited
        | State::Editing
        | State::Released
        | State::NoColour => environment(),
    };
    let mut harness = open(width, height, environment);
    harness.now += Duration::seconds(4);
    match state {
        State::Waiting => harness.pass(0),
        State::Empty => harness.answer_messages(Vec::new()),
        State::ReceivedByOthers => {
            count_dead_letters(&mut harness, 3);
            harness.answer_messages(Vec::new());
        }
        State::Received => {
            count_dead_letters(&mut harness, 40);
            harness.answer_messages(messages());
            harness.keys("jj j");
        }
        State::GroupFiltered => {
            harness.answer_messages(messages());
            harness.code(KeyCode::Tab);
            harness.keys("jjj");
        }
        State::DetailOpen => {
            harness.answer_messages(messages());
            harness.code(KeyCode::End);
            harness.code(KeyCode::Enter);
        }
        State::EscapeSequences => {
            let body = "\u{1b}[2J\u{1b}]0;owned\u{7}{\"type\":\r\n\"\u{202e}x\"}";
            harness.answer_messages(vec![message(7, Duration::minutes(3), body)]);
            harness.code(KeyCode::Enter);
        }
        State::Enormous => {
            let body = format!(
                r#"{{"specversion":"1.0","id":"big","source":"/scan","type":"bag.scanned","data":"{}"}}"#,
                "9f".repeat(520_000)
            );
            harness.answer_messages(vec![message(8, Duration::minutes(3), &body)]);
            harness.code(KeyCode::Enter);
        }
        State::FailedFirst => {
            let (_, to) = harness.take_last(&RECEIVE);
            harness.reply(to, Err(fault()));
        }
        State::FailedWithPrevious => {
            harness.answer_messages(messages());
            harness.refresh();
            let (_, to) = harness.take_last(&RECEIVE);
            harness.reply(to, Err(fault()));
        }
        State::Warnings => harness.answer_received(ReceivedMessages {
            messages: messages(),
            ledger_error: Some("connect to the database: connection refused".to_owned()),
            is_truncated: true,
        }),
        State::Redriving => {
            harness.answer_messages(messages());
            harness.keys("arf");
            harness.agree();
            harness.press('2');
            harness.answer_messages(Vec::new());
            harness.pass(10);
        }
        State::Reported => redrive_ready(&mut harness, MessageOutcome::Moved, None),
        State::Noted => {
            let error = Some("the receipt handle has expired");
            redrive_ready(&mut harness, MessageOutcome::SentNotDeleted, error);
            harness.keys("gjjjjjjjjj");
            harness.code(KeyCode::Enter);
        }
        State::SearchTyped => {
            harness.answer_messages(messages());
            harness.keys("/.type == \"flight");
        }
        State::SearchFound => {
            harness.answer_messages(messages());
            harness.search("LA601", Ok(31));
        }
        State::SearchFailed => {
            harness.answer_messages(messages());
            harness.search(".type", Err("the program takes too long"));
        }
        State::DeleteTyped => {
            harness.answer_messages(messages());
            harness.code(KeyCode::Tab);
            harness.keys("jDevents-dead");
        }
        State::PatchTyped => {
            harness.answer_messages(messages());
            harness.code(KeyCode::Tab);
            harness.keys("jp.data");
        }
        State::PatchFailed => {
            harness.answer_messages(messages());
            harness.code(KeyCode::Tab);
            harness.keys("jp.time =");
            harness.code(KeyCode::Enter);
            let (_, to) = harness.take_last(&PATCH);
            harness.reply(to, Err(fault()));
        }
        State::PatchPreview => {
            harness.answer_messages(messages());
            harness.patch_group();
            harness.press('n');
        }
        State::Edited => {
            harness.answer_messages(messages());
            harness.patch_group();
            harness.press('y');
            harness.pass(10);
            harness.code(KeyCode::Tab);
            harness.code(KeyCode::Enter);
        }
        State::Editing => {
            harness.answer_messages(messages());
            harness.code(KeyCode::Tab);
            harness.keys("j");
            harness.code(KeyCode::Tab);
            harness.keys("ex");
        }
        State::Released => {
            harness.answer_messages(messages());
            harness.press('R');
            harness.answer(&RELEASE, Ok(Hidden::default()));
        }
        State::ReadOnly => harness.answer_messages(messages()),
        State::Production => {
            harness.answer_messages(messages());
            harness.code(KeyCode::Tab);
            harness.press('j');
        }
        State::NoColour => {
            harness.model.theme = Theme { has_colour: false };
            harness.answer_messages(messages());
            harness.keys("jj j");
        }
    }
    harness
}

fn redrive_ready(harness: &mut Harness, outcome: MessageOutcome, cause: Option<&str>) {
    harness.answer_messages(messages());
    harness.keys("ar");
    let (to, draft) = harness.agree();
    harness.press('2');
    harness.answer_messages(messages());
    let ids = draft.messages.iter();
    let outcomes: Vec<_> = ids
        .map(|draft| (draft.message.message_id.as_str(), outcome, cause))
        .collect();
    harness.end_redrive(to, &outcomes);
    harness.pass(10);
}

/// What the queue counts, as the pipeline sees it.
fn count_dead_letters(harness: &mut Harness, in_flight: u64) {
    harness.tick();
    let (_, to) = loop {
        match harness.take_last(&QUEUE) {
            (QueueRole::DeadLetter, to) => break ((), to),
            (QueueRole::Source, _) => {}
        }
    };
    let snapshot = QueueSnapshot {
        depth: QueueDepth {
            visible: 0,
            in_flight,
            delayed: 0,
        },
        oldest: None,
        settings: QueueSettings {
            name: "events-dead-letters".to_owned(),
            visibility_timeout_secs: 30,
            retention_secs: 1_209_600,
            max_receive_count: None,
        },
    };
    harness.reply(to, Ok(snapshot));
}

#[test]
fn every_state_looks_as_reviewed() {
    assert_pictures("dead_letters", STATES, drive);
}

#[test]
fn what_came_from_outside_never_steers_the_terminal() {
    let harness = drive(State::EscapeSequences, 80, 24);
    assert!(
        !harness
            .screen_text()
            .chars()
            .any(|character| character.is_control() && character != '\n')
    );
}
