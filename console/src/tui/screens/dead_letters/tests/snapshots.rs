//! Every state of the screen at two sizes, text and styles.

use crossterm::event::KeyCode;

use super::fixtures::*;
use super::*;
use crate::redrive::LetterOutcome;
use crate::world::observed::{QueueDepth, QueueRole, QueueSettings, QueueSnapshot};

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
    HeldByOthers,
    Held,
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

fn drive(state: State, width: u16, height: u16) -> Desk {
    let environment = match state {
        State::ReadOnly => read_only(),
        State::Production => production(),
        State::Waiting
        | State::Empty
        | State::HeldByOthers
        | State::Held
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
    let mut desk = Desk::open(width, height, environment);
    desk.now += Duration::seconds(4);
    match state {
        State::Waiting => desk.pass(0),
        State::Empty => desk.answer_letters(Vec::new()),
        State::HeldByOthers => {
            count_dead_letters(&mut desk, 3);
            desk.answer_letters(Vec::new());
        }
        State::Held => {
            count_dead_letters(&mut desk, 40);
            desk.answer_letters(letters());
            desk.keys("jj j");
        }
        State::GroupFiltered => {
            desk.answer_letters(letters());
            desk.code(KeyCode::Tab);
            desk.keys("jjj");
        }
        State::DetailOpen => {
            desk.answer_letters(letters());
            desk.code(KeyCode::End);
            desk.code(KeyCode::Enter);
        }
        State::EscapeSequences => {
            let body = "\u{1b}[2J\u{1b}]0;owned\u{7}{\"type\":\r\n\"\u{202e}x\"}";
            desk.answer_letters(vec![letter(7, Duration::minutes(3), body)]);
            desk.code(KeyCode::Enter);
        }
        State::Enormous => {
            let body = format!(
                r#"{{"specversion":"1.0","id":"big","source":"/scan","type":"bag.scanned","data":"{}"}}"#,
                "9f".repeat(520_000)
            );
            desk.answer_letters(vec![letter(8, Duration::minutes(3), &body)]);
            desk.code(KeyCode::Enter);
        }
        State::FailedFirst => {
            let question = desk.take(is_hold);
            desk.reply(&question, Err(fault()));
        }
        State::FailedWithPrevious => {
            desk.answer_letters(letters());
            desk.refresh();
            let question = desk.take(is_hold);
            desk.reply(&question, Err(fault()));
        }
        State::Warnings => desk.answer_held(HeldLetters {
            letters: letters(),
            ledger_error: Some("connect to the database: connection refused".to_owned()),
            is_truncated: true,
        }),
        State::Redriving => {
            desk.answer_letters(letters());
            desk.keys("arf");
            desk.agree();
            desk.key('2');
            desk.answer_letters(Vec::new());
        }
        State::Reported => redrive_ready(&mut desk, LetterOutcome::Moved, None),
        State::Noted => {
            let error = Some("the receipt handle has expired");
            redrive_ready(&mut desk, LetterOutcome::SentNotDeleted, error);
            desk.keys("gjjjjjjjjj");
            desk.code(KeyCode::Enter);
        }
        State::SearchTyped => {
            desk.answer_letters(letters());
            desk.keys("/.type == \"flight");
        }
        State::SearchFound => {
            desk.answer_letters(letters());
            desk.search("LA601", Ok(31));
        }
        State::SearchFailed => {
            desk.answer_letters(letters());
            desk.search(".type", Err("the program takes too long".to_owned()));
        }
        State::DeleteTyped => {
            desk.answer_letters(letters());
            desk.code(KeyCode::Tab);
            desk.keys("jDevents-dead");
        }
        State::PatchTyped => {
            desk.answer_letters(letters());
            desk.code(KeyCode::Tab);
            desk.keys("jp.data");
        }
        State::PatchFailed => {
            desk.answer_letters(letters());
            desk.code(KeyCode::Tab);
            desk.keys("jp.time =");
            desk.code(KeyCode::Enter);
            let question = desk.take(is_patch);
            desk.reply(&question, Err(fault()));
        }
        State::PatchPreview => {
            desk.answer_letters(letters());
            desk.patch_group();
            desk.key('n');
        }
        State::Edited => {
            desk.answer_letters(letters());
            desk.patch_group();
            desk.key('y');
            desk.pass(10);
            desk.code(KeyCode::Tab);
            desk.code(KeyCode::Enter);
        }
        State::Editing => {
            desk.answer_letters(letters());
            desk.code(KeyCode::Tab);
            desk.keys("j");
            desk.code(KeyCode::Tab);
            desk.keys("ex");
        }
        State::Released => {
            desk.answer_letters(letters());
            desk.key('R');
        }
        State::ReadOnly => desk.answer_letters(letters()),
        State::Production => {
            desk.answer_letters(letters());
            desk.code(KeyCode::Tab);
            desk.key('j');
        }
        State::NoColour => {
            desk.model.theme = Theme { has_colour: false };
            desk.answer_letters(letters());
            desk.keys("jj j");
        }
    }
    desk
}

fn redrive_ready(desk: &mut Desk, outcome: LetterOutcome, cause: Option<&str>) {
    desk.answer_letters(letters());
    desk.keys("ar");
    let (question, draft) = desk.agree();
    desk.key('2');
    desk.answer_letters(letters());
    let ids = draft.letters.iter();
    let outcomes: Vec<_> = ids
        .map(|draft| (draft.letter.message_id.as_str(), outcome, cause))
        .collect();
    desk.end_redrive(&question, &outcomes);
    desk.pass(10);
}

/// What the queue counts, as the pipeline sees it.
fn count_dead_letters(desk: &mut Desk, in_flight: u64) {
    desk.send(Msg::Tick);
    let question = desk.take(|request| matches!(request, Request::Queue(QueueRole::DeadLetter)));
    let snapshot = QueueSnapshot {
        depth: QueueDepth {
            visible: 0,
            in_flight,
            delayed: 0,
        },
        oldest_age_secs: None,
        settings: QueueSettings {
            name: "events-dead-letters".to_owned(),
            visibility_timeout_secs: 30,
            retention_secs: 1_209_600,
            max_receive_count: None,
        },
    };
    desk.reply(&question, Ok(Answer::Queue(snapshot)));
}

#[test]
fn every_state_at_two_sizes() {
    for state in STATES {
        for (width, height) in [(80, 24), (160, 45)] {
            let desk = drive(*state, width, height);
            let name = format!("{state:?}_{width}x{height}");
            insta::with_settings!({ prepend_module_to_snapshot => false }, {
                insta::assert_debug_snapshot!(name, desk.draw());
            });
        }
    }
}

#[test]
fn what_came_from_outside_never_steers_the_terminal() {
    let desk = drive(State::EscapeSequences, 80, 24);
    assert!(
        !desk
            .text()
            .chars()
            .any(|character| character.is_control() && character != '\n')
    );
}
