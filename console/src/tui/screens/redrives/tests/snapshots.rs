//! Every state of the screen at two sizes, text and styles.

use super::*;
use crossterm::event::KeyCode;

macro_rules! states {
    ($($state:ident),+ $(,)?) => {
        #[derive(Clone, Copy, Debug)]
        enum State { $($state),+ }
        const STATES: &[State] = &[$(State::$state),+];
    };
}

states!(
    Empty,
    Reading,
    History,
    Interrupted,
    HistoryFailed,
    DryRunning,
    Plan,
    PlanForAll,
    PlanRefused,
    ProductionReason,
    Beginning,
    Running,
    CanaryFailed,
    Paused,
    Ended,
    NoColour,
);

fn drive(state: State, width: u16, height: u16) -> Desk {
    let environment = match state {
        State::ProductionReason => fixtures::production(),
        State::Empty
        | State::Reading
        | State::History
        | State::Interrupted
        | State::HistoryFailed
        | State::DryRunning
        | State::Plan
        | State::PlanForAll
        | State::PlanRefused
        | State::Beginning
        | State::Running
        | State::CanaryFailed
        | State::Paused
        | State::Ended
        | State::NoColour => fixtures::environment(),
    };
    let mut desk = Desk::open(width, height, environment);
    desk.answer_letters(fixtures::letters());
    match state {
        State::Empty => look(&mut desk, Past::default()),
        State::Reading => {
            desk.key('3');
            desk.pass(2);
        }
        State::History | State::NoColour => {
            desk.model.theme.has_colour = matches!(state, State::History);
            look(&mut desk, history());
            desk.pass(1);
        }
        State::Interrupted => {
            look(&mut desk, history());
            desk.key('j');
            desk.code(KeyCode::Enter);
            answer_report(&mut desk, every_outcome());
        }
        State::HistoryFailed => {
            desk.key('3');
            let question = desk.take(|request| matches!(request, Request::Redrives));
            desk.reply(&question, Err(fixtures::fault()));
        }
        State::DryRunning => {
            desk.keys("ar");
            desk.pass(1);
        }
        State::Plan => {
            desk.keys("ar");
            desk.answer_dry_run();
            desk.keys("---t");
        }
        State::PlanForAll => {
            desk.keys("arf");
            answer_dry_run(&mut desk, false);
        }
        State::PlanRefused => {
            desk.keys("ar");
            answer_dry_run(&mut desk, true);
        }
        State::ProductionReason => {
            desk.keys("ar");
            desk.answer_dry_run();
            desk.keys("yincident 4711");
        }
        State::Beginning => drop(begin(&mut desk)),
        State::Running => {
            let id = begin(&mut desk);
            for moved in [5, 11, 21] {
                desk.now += chrono::Duration::seconds(1);
                let counts = Counts {
                    moved,
                    stored: moved - 2,
                    waiting: 37 - moved,
                    ..Counts::default()
                };
                tell(&mut desk, id, running(counts));
            }
            desk.pass(1);
            answer_report(&mut desk, every_outcome());
        }
        State::CanaryFailed => {
            let id = begin(&mut desk);
            let counts = Counts {
                moved: 1,
                dead_again: 1,
                waiting: 36,
                ..Counts::default()
            };
            let why =
                "1 of 1 redriven events failed again: missing-attribute: \"time\" is required";
            let wish = Wish::Pause(why.to_owned());
            tell(
                &mut desk,
                id,
                Progress {
                    wish,
                    ..running(counts)
                },
            );
        }
        State::Paused => {
            let id = begin(&mut desk);
            let counts = Counts {
                moved: 12,
                stored: 12,
                waiting: 25,
                ..Counts::default()
            };
            let wish = Wish::Pause(crate::tui::redrives::PAUSED_BY_OPERATOR.to_owned());
            tell(
                &mut desk,
                id,
                Progress {
                    wish,
                    ..running(counts)
                },
            );
        }
        State::Ended => {
            desk.keys("ar");
            let (question, draft) = desk.agree();
            answer_history(&mut desk, Past::default());
            let ids = draft.letters.iter();
            let outcomes: Vec<_> = ids
                .map(|draft| (draft.letter.message_id.as_str(), LetterOutcome::Moved, None))
                .collect();
            desk.end_redrive(&question, &outcomes);
        }
    }
    desk
}

fn look(desk: &mut Desk, past: Past) {
    desk.key('3');
    answer_history(desk, past);
}

fn begin(desk: &mut Desk) -> crate::tui::message::RequestId {
    desk.keys("arf");
    let (question, _) = desk.agree();
    answer_history(desk, history());
    question.0
}

fn answer_dry_run(desk: &mut Desk, is_refused: bool) {
    let question = desk.take(|request| matches!(request, Request::DryRun(_)));
    let dry = crate::tui::redrives::DryRun {
        sent: 36,
        ready: 6,
        bytes: 21_000,
        unsendable: 1,
        problem: Some("1100000 bytes are more than a queue takes (1048576)".to_owned()),
        refusal: is_refused.then(fixtures::fault),
        reason: Some("given at the start".to_owned()),
    };
    desk.reply(&question, Ok(Answer::DryRun(dry)));
}

#[test]
fn every_state_at_two_sizes() {
    for state in STATES {
        for (width, height) in [(80, 24), (160, 45)] {
            let desk = drive(*state, width, height);
            let name = format!("{state:?}_{width}x{height}");
            insta::with_settings!({ prepend_module_to_snapshot => false }, {
                insta::assert_debug_snapshot!(name, draw(&desk));
            });
        }
    }
}

#[test]
fn every_state_is_drawn_at_every_size() {
    for state in STATES {
        let mut desk = drive(*state, 80, 24);
        for (width, height) in [
            (0, 0),
            (1, 1),
            (2, 40),
            (12, 3),
            (40, 10),
            (119, 5),
            (120, 4),
            (300, 2),
        ] {
            desk.send(Msg::Resize { width, height });
            desk.draw_whole();
        }
    }
}
